//! Judges one cell by the type of its column: clean, mended, empty or faulty.
//!
//! The clean case is decided without allocation; everything else is the slow way, where mending is
//! tried before anything is refused. Rules between cells stand in [`crate::rules`].

use chrono::{Datelike, NaiveDate};
use mj_kernel::code::{
    BatchNumber, CitizenId, CodeKind, ImplementationCode, ItemCode, OrgCode, RegNo, Uscc, normalize,
};
use rustc_hash::FxHashMap;

use crate::register;
use crate::spec::{CodeList, Column, ColumnType, Rule, RuleKind, Table};
use crate::value::text::{self, Profile};
use crate::value::{Mend, Mends, Unreadable, amount, date};

/// What a cell turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reading {
    /// Taken as delivered.
    Clean,
    /// Delivered in the unit of the file, kept in ours: a conversion the column declares, no mend.
    Converted(String),
    Mended(String, Mends),
    /// Nothing in it, or a word for nothing.
    Empty(Mends),
    /// Cannot be taken. What could be mended was mended first.
    Fault(FaultKind, String),
}

/// Which of the column's own rules a fault belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    Length,
    Readable,
    RealDate,
    CodeValue,
}

/// A column with its own rules and lists at hand.
pub(crate) struct CellCheck<'t> {
    pub column: &'t Column,
    list: Option<&'t CodeList>,
    required: Option<&'t Rule>,
    length: Option<&'t Rule>,
    readable: Option<&'t Rule>,
    real_date: Option<&'t Rule>,
    code_value: Option<&'t Rule>,
    /// Verdicts of division and industry codes that were looked up already, by year.
    known: Vec<(i32, Verdicts)>,
}

/// What was found out about a code: nothing, or why not.
type Verdicts = FxHashMap<Box<str>, Result<(), String>>;

/// More different codes than this in one column are looked up again each time.
const MOST_KNOWN: usize = 8_192;

/// When the codes of a row are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Days {
    pub today: NaiveDate,
    /// Day of the act, when the table has one and the row says it.
    pub event: NaiveDate,
}

impl<'t> CellCheck<'t> {
    pub fn new(table: &'t Table, column: &'t Column) -> Self {
        let find = |wanted: fn(&RuleKind) -> Option<&String>| {
            table
                .rules
                .iter()
                .find(|rule| rule.generated && wanted(&rule.kind) == Some(&column.name))
        };
        Self {
            column,
            list: column.code_list.as_deref(),
            required: find(|kind| match kind {
                RuleKind::Required { column } => Some(column),
                _ => None,
            }),
            length: find(|kind| match kind {
                RuleKind::Length { column } => Some(column),
                _ => None,
            }),
            readable: find(|kind| match kind {
                RuleKind::Readable { column } => Some(column),
                _ => None,
            }),
            real_date: find(|kind| match kind {
                RuleKind::RealDate { column } => Some(column),
                _ => None,
            }),
            code_value: find(|kind| match kind {
                RuleKind::CodeValue { column } => Some(column),
                _ => None,
            }),
            known: Vec::new(),
        }
    }

    pub fn required(&self) -> Option<&'t Rule> {
        self.required
    }

    pub fn rule(&self, fault: FaultKind) -> Option<&'t Rule> {
        match fault {
            FaultKind::Length => self.length,
            FaultKind::Readable => self.readable,
            FaultKind::RealDate => self.real_date,
            FaultKind::CodeValue => self.code_value,
        }
    }

    /// Reads a cell that is not the empty string.
    pub fn read(&mut self, text: &str, days: Days) -> Reading {
        if self.column.placeholder.as_deref() == Some(text) {
            return Reading::Clean;
        }
        let reading = match self.column.multi {
            Some(separator) => self.read_many(text, separator, days),
            None => self.read_one(text, days),
        };
        if let (Reading::Clean, Some(max)) = (&reading, self.column.max_len) {
            return too_long(text, max).unwrap_or(reading);
        }
        if let (Reading::Mended(value, _), Some(max)) = (&reading, self.column.max_len) {
            return too_long(value, max).unwrap_or(reading);
        }
        reading
    }

    fn read_many(&mut self, text: &str, separator: char, days: Days) -> Reading {
        let clean = text
            .split(separator)
            .all(|part| !part.is_empty() && self.read_one(part, days) == Reading::Clean);
        if clean && !self.foreign_separator(text, separator) {
            return Reading::Clean;
        }
        let mut mends = Mends::none();
        let mut values: Vec<String> = Vec::new();
        let parts = text.split(|c: char| c == separator || is_separator(c));
        for part in parts.filter(|part| !part.chars().all(text::is_blank)) {
            match self.read_one(part, days) {
                Reading::Clean => values.push(part.to_owned()),
                Reading::Converted(value) => values.push(value),
                Reading::Mended(value, how) => {
                    mends.join(how);
                    values.push(value);
                }
                Reading::Empty(how) => mends.join(how),
                Reading::Fault(kind, reason) => return Reading::Fault(kind, reason),
            }
        }
        if values.is_empty() {
            return Reading::Empty(mends.with(Mend::EmptyWord));
        }
        let out = values.join(separator.encode_utf8(&mut [0; 4]));
        if out == text {
            return Reading::Clean;
        }
        if !mends.any() {
            mends.add(Mend::Separator);
        }
        Reading::Mended(out, mends)
    }

    /// Names part at 、 and full-width signs too, so a "clean" name may still be two.
    fn foreign_separator(&self, text: &str, own: char) -> bool {
        matches!(self.column.ty, ColumnType::Name | ColumnType::Identifier)
            && text.contains(|c: char| c != own && is_separator(c))
    }

    fn read_one(&mut self, text: &str, days: Days) -> Reading {
        match &self.column.ty {
            ColumnType::Text => plain_text(text, Profile::Prose),
            ColumnType::Name | ColumnType::Address => plain_text(text, Profile::Name),
            ColumnType::Phone => number_text(text, false),
            ColumnType::Identifier => number_text(text, true),
            ColumnType::Code { .. } => self.list_value(text),
            ColumnType::Date => match date::canonical_date(text) {
                Some(_) => Reading::Clean,
                None => mended(date::mend_date(text)),
            },
            ColumnType::Instant => match date::canonical_instant(text) {
                Some(_) => Reading::Clean,
                None => mended(date::mend_instant(text)),
            },
            ColumnType::Integer if amount::is_plain_integer(text) => Reading::Clean,
            ColumnType::Integer => mended(amount::mend_integer(text, self.column.unit.as_deref())),
            ColumnType::Decimal if amount::is_plain_decimal(text) => Reading::Clean,
            ColumnType::Decimal => mended(amount::mend_decimal(text, self.column.unit.as_deref())),
            ColumnType::Money => match amount::plain_fen(text) {
                Some(fen) => Reading::Converted(fen.to_string()),
                None => mended(amount::mend_money(text)),
            },
            ColumnType::Bool => yes_no(text),
            ColumnType::Uscc if Uscc::parse(text).is_ok() => Reading::Clean,
            ColumnType::Item if ItemCode::parse(text).is_ok() => Reading::Clean,
            ColumnType::Implementation if ImplementationCode::check(text).is_ok() => Reading::Clean,
            ColumnType::BatchNumber if BatchNumber::parse(text).is_ok() => Reading::Clean,
            ColumnType::OrgCode if OrgCode::parse(text).is_ok() => Reading::Clean,
            ColumnType::RegNo if RegNo::parse(text).is_ok() => Reading::Clean,
            ColumnType::CitizenId
                if CitizenId::parse(text).is_ok_and(|id| id.birth_date() <= days.today) =>
            {
                Reading::Clean
            }
            ColumnType::UsccOrCitizenId
                if Uscc::parse(text).is_ok() || CitizenId::parse(text).is_ok() =>
            {
                Reading::Clean
            }
            ColumnType::Area => self.registered(CodeKind::Division, text, days.event),
            ColumnType::Industry => self.registered(CodeKind::Industry, text, days.today),
            ColumnType::Uscc => code_value(CodeKind::Uscc, text, days.today),
            ColumnType::Item => code_value(CodeKind::Item, text, days.today),
            ColumnType::Implementation => code_value(CodeKind::Implementation, text, days.today),
            ColumnType::BatchNumber => code_value(CodeKind::Batch, text, days.today),
            ColumnType::OrgCode => code_value(CodeKind::Org, text, days.today),
            ColumnType::RegNo => code_value(CodeKind::RegNo, text, days.today),
            ColumnType::CitizenId => code_value(CodeKind::CitizenId, text, days.today),
            ColumnType::UsccOrCitizenId => either_code(text, days.today),
        }
    }

    fn list_value(&self, text: &str) -> Reading {
        let Some(list) = self.list else {
            return Reading::Clean;
        };
        if list.contains(text) {
            return Reading::Clean;
        }
        let (cleaned, mut mends) = text::clean(text, Profile::Code);
        if cleaned.is_empty() {
            return Reading::Empty(mends);
        }
        match listed(list, &cleaned, &mut mends) {
            Some(code) => Reading::Mended(code, mends),
            None => Reading::Fault(FaultKind::CodeValue, not_listed(list)),
        }
    }

    /// Codes that stand in a register with dates. Verdicts are kept: a column repeats few codes.
    fn registered(&mut self, kind: CodeKind, text: &str, on: NaiveDate) -> Reading {
        let year = on.year();
        let at = match self.known.iter().position(|(known, _)| *known == year) {
            Some(at) => at,
            None => {
                self.known.push((year, Verdicts::default()));
                self.known.len() - 1
            }
        };
        let verdicts = &mut self.known[at].1;
        match verdicts.get(text) {
            Some(Ok(())) => return Reading::Clean,
            Some(Err(reason)) => return Reading::Fault(FaultKind::CodeValue, reason.clone()),
            None => {}
        }
        let reading = match register::judge(kind, text, on) {
            Ok(_) => Reading::Clean,
            Err(_) => code_value(kind, text, on),
        };
        let verdict = match &reading {
            Reading::Clean => Some(Ok(())),
            Reading::Fault(_, reason) => Some(Err(reason.clone())),
            _ => None,
        };
        if let Some(verdict) = verdict
            && verdicts.len() < MOST_KNOWN
        {
            verdicts.insert(Box::from(text), verdict);
        }
        reading
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ';' | '；' | ',' | '，' | '、' | '|' | '｜')
}

fn too_long(value: &str, max: usize) -> Option<Reading> {
    // bytes are never fewer than characters
    if value.len() <= max {
        return None;
    }
    let length = value.chars().count();
    (length > max)
        .then(|| Reading::Fault(FaultKind::Length, format!("共 {length} 个字符，超过 {max} 个")))
}

fn mended(read: Result<(Option<String>, Mends), Unreadable>) -> Reading {
    match read {
        Ok((Some(value), mends)) => Reading::Mended(value, mends),
        Ok((None, mends)) => Reading::Empty(mends),
        Err(Unreadable::Form(reason)) => Reading::Fault(FaultKind::Readable, reason),
        Err(Unreadable::NoSuchDay(reason)) => Reading::Fault(FaultKind::RealDate, reason),
    }
}

fn plain_text(text: &str, profile: Profile) -> Reading {
    if text::is_plain(text, profile) {
        return Reading::Clean;
    }
    let (cleaned, mends) = text::clean(text, profile);
    if cleaned.is_empty() {
        Reading::Empty(mends)
    } else if mends.any() {
        Reading::Mended(cleaned.into_owned(), mends)
    } else {
        Reading::Clean
    }
}

/// Document numbers and phones: text of digits and letters that a spreadsheet likes to spoil.
fn number_text(text: &str, strict: bool) -> Reading {
    let spoiled = text.contains(['.', '+']);
    if !spoiled && text::is_plain(text, Profile::Code) {
        return Reading::Clean;
    }
    let (cleaned, mut mends) = text::clean(text, Profile::Code);
    if cleaned.is_empty() {
        return Reading::Empty(mends);
    }
    if strict && text::is_scientific(&cleaned) {
        return Reading::Fault(
            FaultKind::Readable,
            "被电子表格改成了科学计数法，末尾的数字已经丢失".to_owned(),
        );
    }
    if let Some(whole) = text::without_float_tail(&cleaned) {
        mends.add(Mend::FloatForm);
        return Reading::Mended(whole.to_owned(), mends);
    }
    if mends.any() { Reading::Mended(cleaned.into_owned(), mends) } else { Reading::Clean }
}

fn yes_no(text: &str) -> Reading {
    if matches!(text, "是" | "否") {
        return Reading::Clean;
    }
    let (cleaned, mut mends) = text::clean(text, Profile::Code);
    let value = match cleaned.to_ascii_lowercase().as_str() {
        "" => return Reading::Empty(mends),
        "是" | "1" | "1.0" | "true" | "y" | "yes" | "有" | "√" => "是",
        "否" | "0" | "0.0" | "false" | "n" | "no" | "无" | "×" => "否",
        _ => {
            return Reading::Fault(FaultKind::Readable, "只能填“是”或“否”".to_owned());
        }
    };
    if cleaned != value {
        mends.add(Mend::YesNo);
    }
    Reading::Mended(value.to_owned(), mends)
}

/// The code behind a cleaned text that is not a code as it stands.
fn listed(list: &CodeList, text: &str, mends: &mut Mends) -> Option<String> {
    if list.contains(text) {
        return Some(text.to_owned());
    }
    if let Some(whole) = text::without_float_tail(text) {
        mends.add(Mend::FloatForm);
        return listed(list, whole, mends);
    }
    for other in [text.to_ascii_uppercase(), text.to_ascii_lowercase()] {
        if list.contains(&other) {
            mends.add(Mend::Case);
            return Some(other);
        }
    }
    if let Some(width) = list.width
        && text.len() < width
        && text.bytes().all(|b| b.is_ascii_digit())
    {
        let padded = format!("{text:0>width$}");
        if list.contains(&padded) {
            mends.add(Mend::LostZero);
            return Some(padded);
        }
    }
    if let Some(code) = by_title(list, text) {
        mends.add(Mend::ListTitle);
        return Some(code.to_owned());
    }
    // 02罚款, 02-罚款, 02:罚款: code and title must agree
    let digits = text.find(|c: char| !c.is_ascii_alphanumeric()).filter(|at| *at > 0)?;
    let (code, title) = text.split_at(digits);
    let title = title.trim_start_matches(['-', '.', ':', '_', '—', '、', '|', '/']);
    if list.contains(code) && by_title(list, title) == Some(code) {
        mends.add(Mend::ListTitle);
        return Some(code.to_owned());
    }
    None
}

/// Titles are compared with half-width signs on both sides.
fn by_title<'l>(list: &'l CodeList, text: &str) -> Option<&'l str> {
    list.code_of_title(text).or_else(|| {
        let widened = text.replace('(', "（").replace(')', "）").replace(',', "，");
        list.code_of_title(&widened)
    })
}

fn not_listed(list: &CodeList) -> String {
    if list.entries.len() <= 8 {
        let values: Vec<String> =
            list.entries.iter().map(|entry| format!("{} {}", entry.code, entry.title)).collect();
        format!("不在代码表“{}”内，可填：{}", list.title, values.join("；"))
    } else {
        format!("不在代码表“{}”内（共 {} 项）", list.title, list.entries.len())
    }
}

/// The slow way of a code: mend its form, judge, and say why not.
pub(crate) fn code_value(kind: CodeKind, text: &str, on: NaiveDate) -> Reading {
    let (cleaned, mut mends) = text::clean(text, Profile::Code);
    if cleaned.is_empty() {
        return Reading::Empty(mends);
    }
    let normalised = normalize(kind, &cleaned);
    for (done, mend) in [
        (normalised.mends.full_width, Mend::FullWidth),
        (normalised.mends.space, Mend::InnerSpace),
        (normalised.mends.quote, Mend::Quotes),
        (normalised.mends.case, Mend::Case),
        (normalised.mends.hyphen, Mend::Hyphen),
    ] {
        if done {
            mends.add(mend);
        }
    }
    let mut value = normalised.text.into_owned();
    if let Some(whole) = text::without_float_tail(&value) {
        value = whole.to_owned();
        mends.add(Mend::FloatForm);
    }
    if kind == CodeKind::Item && lost_zero_of_item(&value) {
        value.insert(0, '0');
        mends.add(Mend::LostZero);
    }
    if kind == CodeKind::Industry
        && value.len() > 2
        && value.starts_with(|c: char| c.is_ascii_uppercase())
        && let Some(industry) = register::industries().get(&value[1..])
        && value.starts_with(industry.section)
    {
        value.remove(0);
        mends.add(Mend::SectionLetter);
    }
    if text::is_scientific(&value) {
        return Reading::Fault(
            FaultKind::CodeValue,
            format!("{}被电子表格改成了科学计数法，末尾的数字已经丢失，无法恢复", kind.title()),
        );
    }
    match register::judge(kind, &value, on) {
        Ok(_) if mends.any() => Reading::Mended(value, mends),
        Ok(_) => Reading::Clean,
        Err(error) => Reading::Fault(FaultKind::CodeValue, error.reason),
    }
}

/// Thirteen digits whose missing first one can only have been the 0 of departments 04 to 09.
fn lost_zero_of_item(value: &str) -> bool {
    value.len() == 13
        && value.bytes().all(|b| b.is_ascii_digit())
        && register::departments().get(&format!("0{}", &value[..1])).is_some()
}

fn either_code(text: &str, on: NaiveDate) -> Reading {
    let as_uscc = code_value(CodeKind::Uscc, text, on);
    if !matches!(as_uscc, Reading::Fault(..)) {
        return as_uscc;
    }
    let as_id = code_value(CodeKind::CitizenId, text, on);
    if !matches!(as_id, Reading::Fault(..)) {
        return as_id;
    }
    // a citizen id is seventeen digits and one more; whatever else was meant to be a credit code
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.len() == 18 && digits >= 17 && matches!(&text[6..8], "18" | "19" | "20") {
        as_id
    } else {
        as_uscc
    }
}
