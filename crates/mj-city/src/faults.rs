//! The faults that are planted: what is done to a good row, how often, and which rule must tell of it.

use mj_standard::Table;

use crate::CityError;
use crate::dice::Dice;
use crate::draft::Draft;
use crate::manifest::Outcome;

/// What a fault may look at besides the row.
pub(crate) struct Site<'a> {
    pub row: &'a mut Draft,
    pub table: &'a Table,
    pub carries: &'a dyn Fn(usize) -> bool,
    pub dice: &'a mut Dice,
    pub world: &'a Outside,
    /// Document number of an earlier clean row of the same body in the same file.
    pub earlier_document: Option<&'a str>,
}

/// The few facts of the city that faults need.
#[derive(Default)]
pub(crate) struct Outside {
    /// Cancelled sub-items: administrative type, code, last day.
    pub cancelled: Vec<(&'static str, String, String)>,
    /// Officers whose certificate ran out: name, certificate, last day.
    pub expired: Vec<(String, String, String)>,
    /// A body whose code may stand where another's belongs.
    pub other_body: String,
}

impl Site<'_> {
    /// A column of the table that is in the file.
    fn at(&self, name: &str) -> Option<usize> {
        self.table.column_index(name).filter(|at| (self.carries)(*at))
    }

    fn text(&self, name: &str) -> String {
        self.table.column_index(name).map(|at| self.row.get(at).to_owned()).unwrap_or_default()
    }

    fn put(&mut self, name: &str, value: impl Into<String>) -> Option<()> {
        let at = self.at(name)?;
        self.row.set(at, value);
        Some(())
    }
}

type Special = fn(&mut Site) -> Option<()>;

/// What is done to the row.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    Clear,
    Put(&'static str),
    /// Another check character.
    WrongCheck,
    LowerCase,
    FullWidth,
    Spaced,
    Apostrophe,
    /// 2025-03-08 → 2025/3/8
    SlashDate,
    /// 2025-03-08 → 20250308
    PackedDate,
    /// 2025-03-08 → 2025年3月8日
    ChineseDate,
    /// 01 → 1, as a spreadsheet leaves it
    LostZero,
    FullBrackets,
    Long(usize),
    Special(Special),
    /// The row itself is good; another one follows it.
    Follow(Follow),
}

/// A row that comes later in the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// The same once more.
    Again,
    /// The same act under another number.
    Twice,
    /// A newer version.
    Update,
    /// The record is taken back.
    Delete,
    /// An older version that comes late.
    Late,
}

impl Follow {
    pub fn needs_envelope(self) -> bool {
        matches!(self, Follow::Update | Follow::Delete | Follow::Late)
    }
}

/// One sort of fault of one table.
pub(crate) struct Spec {
    pub kind: &'static str,
    /// Rule without the name of the table; empty when no rule speaks.
    pub rule: &'static str,
    pub column: &'static str,
    pub outcome: Outcome,
    /// How many in a hundred thousand rows; at least two are planted.
    pub rate: usize,
    /// Only rows whose columns have one of these values.
    pub only: &'static [(&'static str, &'static [&'static str])],
    pub change: Change,
}

impl Spec {
    /// Changes the row; `false` when this row does not suit.
    pub fn apply(&self, site: &mut Site) -> bool {
        for (column, values) in self.only {
            let at = site.table.column_index(column);
            let text = at.map_or("", |at| site.row.get(at));
            let good = if values.is_empty() { text.is_empty() } else { values.contains(&text) };
            if !good {
                return false;
            }
        }
        self.try_apply(site).is_some()
    }

    fn try_apply(&self, site: &mut Site) -> Option<()> {
        let at = site.at(self.column)?;
        let text = site.row.get(at).to_owned();
        let filled = || (!text.is_empty()).then_some(());
        let new = match self.change {
            Change::Clear => {
                filled()?;
                site.row.clear(at);
                return Some(());
            }
            Change::Put(value) => value.to_owned(),
            Change::WrongCheck => {
                filled()?;
                let last = text.chars().next_back()?;
                let other = if last == '3' { '7' } else { '3' };
                format!("{}{other}", &text[..text.len() - last.len_utf8()])
            }
            Change::LowerCase => text.to_lowercase(),
            Change::FullWidth => text.chars().map(full_width).collect(),
            Change::Spaced => {
                filled()?;
                format!(" {} {}", text.get(..8)?, text.get(8..)?)
            }
            Change::Apostrophe => {
                filled()?;
                format!("'{text}")
            }
            Change::SlashDate => {
                let [y, m, d] = parts(&text)?;
                format!("{y}/{}/{}", m.trim_start_matches('0'), d.trim_start_matches('0'))
            }
            Change::PackedDate => parts(&text)?.concat(),
            Change::ChineseDate => {
                let [y, m, d] = parts(&text)?;
                format!("{y}年{}月{}日", m.trim_start_matches('0'), d.trim_start_matches('0'))
            }
            Change::LostZero => text.strip_prefix('0')?.to_owned(),
            Change::FullBrackets => text.replace('(', "（").replace(')', "）"),
            Change::Long(count) => "长".repeat(count),
            Change::Special(change) => return change(site),
            Change::Follow(follow) => {
                let envelope = site.table.column_index("cd_time").is_some_and(site.carries);
                return (envelope || !follow.needs_envelope()).then_some(());
            }
        };
        if new == text {
            return None;
        }
        site.row.set(at, new);
        Some(())
    }
}

fn full_width(c: char) -> char {
    match c {
        '!'..='~' => char::from_u32(c as u32 + 0xfee0).unwrap_or(c),
        other => other,
    }
}

fn parts(date: &str) -> Option<[&str; 3]> {
    let mut split = date.split('-');
    Some([split.next()?, split.next()?, split.next()?])
}

/// A stretch of rows of one file: how many, and which columns the file carries.
pub(crate) struct Stretch<'a> {
    pub rows: usize,
    pub columns: &'a [usize],
}

/// Spreads the faults of a table over its rows.
pub(crate) struct Planter {
    specs: &'static [Spec],
    /// Row from which on each fault is due, the last due first.
    due: Vec<(usize, usize)>,
    /// How many of each fault wait for a row that suits.
    pending: Vec<usize>,
    seen: usize,
    dice: Dice,
}

impl Planter {
    pub fn new(
        seed: u64,
        table: &Table,
        specs: &'static [Spec],
        files: &[Stretch],
    ) -> Result<Self, CityError> {
        let mut dice = Dice::new(seed, &format!("faults of {}", table.name));
        let mut due = Vec::new();
        let time = table.column_index("cd_time");
        for (nth, spec) in specs.iter().enumerate() {
            if !spec.rule.is_empty() && table.rule(&full_rule(table, spec)).is_none() {
                return Err(CityError::Rule(full_rule(table, spec)));
            }
            let column = table.column_index(spec.column);
            let enveloped =
                matches!(spec.change, Change::Follow(follow) if follow.needs_envelope());
            let suits = |file: &Stretch| {
                let carried = |at: Option<usize>| at.is_some_and(|at| file.columns.contains(&at));
                carried(column) && (!enveloped || carried(time))
            };
            let all: usize = files.iter().map(|file| file.rows).sum();
            let suiting: usize =
                files.iter().filter(|file| suits(file)).map(|file| file.rows).sum();
            let count = if suiting == 0 { 0 } else { (all * spec.rate / 100_000).max(2) };
            for _ in 0..count {
                let mut place = dice.below(suiting * 95 / 100);
                let mut start = 0;
                for file in files {
                    if suits(file) {
                        if place < file.rows {
                            break;
                        }
                        place -= file.rows;
                    }
                    start += file.rows;
                }
                due.push((start + place, nth));
            }
        }
        due.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Self { specs, due, pending: vec![0; specs.len()], seen: 0, dice })
    }

    /// Tries to plant a due fault into this row; at most one a row.
    pub fn plant(
        &mut self,
        row: &mut Draft,
        table: &Table,
        carries: &dyn Fn(usize) -> bool,
        world: &Outside,
        earlier_document: Option<&str>,
    ) -> Option<&'static Spec> {
        self.seen += 1;
        while let Some((_, at)) = self.due.pop_if(|(from, _)| *from < self.seen) {
            self.pending[at] += 1;
        }
        for at in 0..self.specs.len() {
            if self.pending[at] == 0 {
                continue;
            }
            let spec = &self.specs[at];
            let mut site =
                Site { row, table, carries, dice: &mut self.dice, world, earlier_document };
            if spec.apply(&mut site) {
                self.pending[at] -= 1;
                return Some(spec);
            }
        }
        None
    }

    /// Nothing is left to plant.
    pub fn is_done(&self) -> bool {
        self.due.is_empty() && self.pending.iter().all(|count| *count == 0)
    }

    pub fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }
}

pub(crate) fn full_rule(table: &Table, spec: &Spec) -> String {
    format!("{}.{}", table.name, spec.rule)
}

// --- special changes ------------------------------------------------------------------------------------------------

pub(crate) fn one_officer(site: &mut Site) -> Option<()> {
    let (names, codes) = (site.text("check_personnel"), site.text("check_personnel_code"));
    site.put("check_personnel", names.split(';').next()?)?;
    let _ = site.put("check_personnel_code", codes.split(';').next()?);
    Some(())
}

pub(crate) fn other_separator(site: &mut Site) -> Option<()> {
    let names = site.text("check_personnel");
    site.put("check_personnel", names.replace(';', "、"))
}

pub(crate) fn expired_officer(site: &mut Site) -> Option<()> {
    let date = site.text("check_date");
    let list: Vec<_> = site.world.expired.iter().filter(|(.., until)| *until < date).collect();
    if list.is_empty() {
        return None;
    }
    let (name, certificate, _) = (*site.dice.pick(&list)).clone();
    let (names, codes) = (site.text("check_personnel"), site.text("check_personnel_code"));
    let first = (names.split(';').next()?.to_owned(), codes.split(';').next()?.to_owned());
    site.at("check_personnel_code")?;
    site.put("check_personnel", format!("{};{name}", first.0))?;
    site.put("check_personnel_code", format!("{};{certificate}", first.1))
}

pub(crate) fn unknown_officer(site: &mut Site) -> Option<()> {
    let codes = site.text("check_personnel_code");
    let rest = codes.split_once(';')?.1.to_owned();
    site.put("check_personnel_code", format!("15049999998;{rest}"))
}

pub(crate) fn fewer_certificates(site: &mut Site) -> Option<()> {
    let codes = site.text("check_personnel_code");
    site.put("check_personnel_code", codes.split_once(';')?.0)
}

fn cancelled_item(site: &mut Site, column: &str, date: &str, kind: &str) -> Option<()> {
    let day = site.text(date);
    let list: Vec<_> =
        site.world.cancelled.iter().filter(|(k, _, last)| *k == kind && *last < day).collect();
    if list.is_empty() {
        return None;
    }
    let code = site.dice.pick(&list).1.clone();
    site.put(column, code)
}

pub(crate) fn cancelled_check(site: &mut Site) -> Option<()> {
    cancelled_item(site, "supervise_item_implement_code", "check_date", crate::catalogue::CHECK)
}

pub(crate) fn cancelled_punish(site: &mut Site) -> Option<()> {
    cancelled_item(site, "supervise_item_code", "set_date", crate::catalogue::PUNISH)
}

pub(crate) fn cut_item(site: &mut Site) -> Option<()> {
    let code = site.text("supervise_item_implement_code");
    site.put("supervise_item_implement_code", code.get(..13)?)
}

pub(crate) fn foreign_implementation(site: &mut Site) -> Option<()> {
    let code = site.text("supervise_item_check_icode");
    let other = site.world.other_body.clone();
    if code.starts_with(&other) || code.contains(';') {
        return None;
    }
    site.put("supervise_item_check_icode", format!("{other}{}", code.get(18..)?))
}

pub(crate) fn unknown_implementation(site: &mut Site) -> Option<()> {
    let code = site.text("supervise_item_check_icode");
    if code.contains(';') {
        return None;
    }
    site.put("supervise_item_check_icode", format!("{}99990001000001", code.get(..19)?))
}

pub(crate) fn no_plan(site: &mut Site) -> Option<()> {
    let at = site.at("plan_id")?;
    site.row.clear(at);
    Some(())
}

pub(crate) fn repeated_document(site: &mut Site) -> Option<()> {
    let earlier = site.earlier_document?.to_owned();
    let column = ["check_document_code", "punish_document_code", "mandatory_decision_number"]
        .into_iter()
        .find(|name| site.at(name).is_some())?;
    (site.text(column) != earlier).then_some(())?;
    site.put(column, earlier)
}

/// The day before a date in another column.
fn day_before(site: &mut Site, column: &str, other: &str) -> Option<()> {
    let day: chrono::NaiveDate = site.text(other).parse().ok()?;
    site.at(column)?;
    site.put(column, day.pred_opt()?.to_string())
}

pub(crate) fn submitted_early(site: &mut Site) -> Option<()> {
    let event = site.table.event_date.clone()?;
    day_before(site, "submitted_date", &event)
}

pub(crate) fn filed_after_decision(site: &mut Site) -> Option<()> {
    let decided: chrono::NaiveDate = site.text("set_date").parse().ok()?;
    site.put("filing_date", decided.succ_opt()?.to_string())
}

pub(crate) fn closed_before_decision(site: &mut Site) -> Option<()> {
    day_before(site, "cases_closed_date", "set_date")
}

pub(crate) fn filed_long_ago(site: &mut Site) -> Option<()> {
    let decided: chrono::NaiveDate = site.text("set_date").parse().ok()?;
    site.put("filing_date", (decided - chrono::Duration::days(121)).to_string())
}

pub(crate) fn paid_too_much(site: &mut Site) -> Option<()> {
    let fine: u64 = site.text("fine").parse().ok()?;
    site.put("cases_closed_fine", (fine * 10 + 1).to_string())
}

pub(crate) fn in_ten_thousands(site: &mut Site) -> Option<()> {
    let fine: u64 = site.text("fine").parse().ok()?;
    (fine >= 1_000 && fine.is_multiple_of(100)).then_some(())?;
    let text = format!("{}.{:02}", fine / 10_000, fine % 10_000 / 100);
    site.put("fine", format!("{}万元", text.trim_end_matches('0').trim_end_matches('.')))
}

pub(crate) fn measure_ends_early(site: &mut Site) -> Option<()> {
    day_before(site, "end_date", "mandatory_decision_sev_date")
}

pub(crate) fn measure_too_long(site: &mut Site) -> Option<()> {
    let start: chrono::NaiveDate = site.text("mandatory_decision_sev_date").parse().ok()?;
    site.put("end_date", (start + chrono::Duration::days(47)).to_string())
}

pub(crate) fn ends_before_start(site: &mut Site) -> Option<()> {
    day_before(site, "end_date", "start_date")
}

pub(crate) fn approved_before_founded(site: &mut Site) -> Option<()> {
    day_before(site, "approval_date", "establish_date")
}

pub(crate) fn no_code_at_all(site: &mut Site) -> Option<()> {
    for name in ["uscc", "regist_no"] {
        let at = site.at(name)?;
        site.row.clear(at);
    }
    Some(())
}

pub(crate) fn swapped_coordinates(site: &mut Site) -> Option<()> {
    let (lon, lat) = (site.text("longitude"), site.text("latitude"));
    (!lon.is_empty()).then_some(())?;
    site.put("longitude", lat)?;
    site.put("latitude", lon)
}

pub(crate) fn other_birthday(site: &mut Site) -> Option<()> {
    let birth: chrono::NaiveDate = site.text("birth_date").parse().ok()?;
    site.put("birth_date", birth.succ_opt()?.to_string())
}

pub(crate) fn removed_before_listed(site: &mut Site) -> Option<()> {
    (!site.text("remove_date").is_empty()).then_some(())?;
    day_before(site, "remove_date", "put_date")
}

pub(crate) fn expires_at_once(site: &mut Site) -> Option<()> {
    let put = site.text("put_date");
    site.put("expire_date", put)
}
