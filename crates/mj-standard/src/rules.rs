//! The rules between the cells of one row, compiled to column indices.
//!
//! Everything here sees canonical values. A rule that depends on a faulty cell keeps silent: the
//! fault has been told already. Rules that need the store ask [`Lookups`].

use chrono::{Datelike, NaiveDate};
use mj_kernel::code::{CitizenId, CodeKind, Gender};
use regex::Regex;

use crate::cell::{Reading, code_value};
use crate::engine::Context;
use crate::lookups::Known;
use crate::spec::*;
use crate::value::date::{canonical_date, instant_micros};

/// One rule with its columns resolved.
pub(crate) struct RowRule<'t> {
    pub rule: &'t Rule,
    op: Op<'t>,
    /// Every column it reads belongs to the envelope: such rules also hold for deletions.
    pub envelope: bool,
}

struct When<'t> {
    column: usize,
    multi: Option<char>,
    condition: &'t Condition,
}

enum Op<'t> {
    RequiredWhen(usize, Vec<When<'t>>),
    OneOfPresent(Vec<usize>),
    BothOrNeither(Vec<usize>),
    DateOrder(usize, usize, bool),
    DaysBetween(usize, usize, i64, Option<usize>),
    NotFuture(usize),
    NotPast(usize),
    NotAheadOfClock(usize, i64),
    YearWithin(usize, i32),
    MinPersons(usize, usize, char),
    SameCount(usize, usize, char),
    ValueIn(usize, Option<char>, &'t [String], bool, Vec<When<'t>>),
    FollowsCode(usize, CodeSystem, Vec<When<'t>>),
    StartsWith(usize, usize),
    SliceEquals(usize, Option<char>, usize, usize, usize),
    Matches(usize, Box<Regex>),
    Range(usize, Bounds, Vec<When<'t>>),
    NotAbove(usize, Vec<usize>),
    AgreesWithId(usize, usize, IdPart),
    SourceDeclared(usize),
    SourceRegistered(usize),
    Item(usize, Option<char>, usize, Option<usize>),
    Implementation(usize, Option<char>, usize),
    Certificate(usize, Option<char>, usize),
    Related(usize, &'t str, &'t str, &'t [String]),
}

#[derive(Clone, Copy)]
struct Bounds {
    min: Option<f64>,
    max: Option<f64>,
    /// The stored value is 分, the bounds are 元.
    money: bool,
}

/// What a rule found.
pub(crate) struct Finding {
    pub column: usize,
    pub reason: String,
}

/// What a rule decided, if anything.
pub(crate) enum Decision {
    Holds,
    Broken(Finding),
    /// The rule could only be satisfied by mending the value.
    Mends(usize, Reading),
}

/// The row as the rules see it.
pub(crate) struct RowView<'r> {
    pub cells: &'r [Option<String>],
    pub states: &'r [State],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    Good,
    Bad,
}

impl RowView<'_> {
    fn text(&self, column: usize) -> Option<&str> {
        match self.states[column] {
            State::Good => self.cells[column].as_deref(),
            _ => None,
        }
    }

    fn date(&self, column: usize) -> Option<NaiveDate> {
        canonical_date(self.text(column)?)
    }

    fn number(&self, column: usize) -> Option<f64> {
        self.text(column)?.parse().ok()
    }

    fn parts(&self, column: usize, multi: Option<char>) -> impl Iterator<Item = &str> {
        let text = self.text(column).unwrap_or_default();
        // a separator that cannot occur makes the whole text the one part
        text.split(multi.unwrap_or('\u{0}')).map(str::trim).filter(|part| !part.is_empty())
    }
}

impl When<'_> {
    fn holds(&self, row: &RowView<'_>) -> bool {
        if row.states[self.column] == State::Bad {
            return false;
        }
        let text = row.text(self.column);
        let condition = self.condition;
        let among = |values: &[String]| {
            row.parts(self.column, self.multi).any(|part| values.iter().any(|value| value == part))
        };
        condition.present.is_none_or(|wanted| wanted == text.is_some())
            && (condition.any_of.is_empty() || among(&condition.any_of))
            && (condition.not_in.is_empty() || !among(&condition.not_in))
    }
}

fn all_hold(when: &[When<'_>], row: &RowView<'_>) -> bool {
    when.iter().all(|part| part.holds(row))
}

impl<'t> RowRule<'t> {
    /// `None` for rules of single cells and of whole files.
    pub fn compile(table: &'t Table, rule: &'t Rule) -> Option<Self> {
        let at = |name: &String| table.column_index(name);
        let many = |names: &'t [String]| names.iter().map(at).collect::<Option<Vec<usize>>>();
        let multi = |index: usize| table.columns[index].multi;
        let conditions = |when: &'t [Condition]| {
            when.iter()
                .map(|condition| {
                    let column = at(&condition.column)?;
                    Some(When { column, multi: multi(column), condition })
                })
                .collect::<Option<Vec<_>>>()
        };
        let op = match &rule.kind {
            RuleKind::Required { .. }
            | RuleKind::Length { .. }
            | RuleKind::Readable { .. }
            | RuleKind::RealDate { .. }
            | RuleKind::CodeValue { .. }
            | RuleKind::RecordIdentity { .. }
            | RuleKind::UniqueInFile { .. } => return None,
            RuleKind::RequiredWhen { column, when } => {
                Op::RequiredWhen(at(column)?, conditions(when)?)
            }
            RuleKind::OneOfPresent { columns } => Op::OneOfPresent(many(columns)?),
            RuleKind::BothOrNeither { columns } => Op::BothOrNeither(many(columns)?),
            RuleKind::DateOrder { earlier, later, strict } => {
                Op::DateOrder(at(earlier)?, at(later)?, *strict)
            }
            RuleKind::DaysBetween { from, to, max_days, plus } => {
                Op::DaysBetween(at(from)?, at(to)?, *max_days, plus.as_ref().and_then(at))
            }
            RuleKind::NotFuture { column } => Op::NotFuture(at(column)?),
            RuleKind::NotPast { column } => Op::NotPast(at(column)?),
            RuleKind::NotAheadOfClock { column, minutes } => {
                Op::NotAheadOfClock(at(column)?, *minutes)
            }
            RuleKind::YearWithin { column, years } => Op::YearWithin(at(column)?, *years),
            RuleKind::MinPersons { column, count } => {
                let column = at(column)?;
                Op::MinPersons(column, *count, multi(column).unwrap_or(';'))
            }
            RuleKind::SameCount { columns } => {
                let (one, other) = (at(&columns[0])?, at(&columns[1])?);
                Op::SameCount(one, other, multi(one).unwrap_or(';'))
            }
            RuleKind::ValueIn { column, values, when } => {
                let column = at(column)?;
                Op::ValueIn(column, multi(column), values, true, conditions(when)?)
            }
            RuleKind::ValueNotIn { column, values, when } => {
                let column = at(column)?;
                Op::ValueIn(column, multi(column), values, false, conditions(when)?)
            }
            RuleKind::FollowsCode { column, system, when } => {
                Op::FollowsCode(at(column)?, *system, conditions(when)?)
            }
            RuleKind::StartsWithColumn { column, prefix } => {
                Op::StartsWith(at(column)?, at(prefix)?)
            }
            RuleKind::SliceEquals { column, from, to, equals } => {
                let column = at(column)?;
                Op::SliceEquals(column, multi(column), *from, *to, at(equals)?)
            }
            RuleKind::Matches { column, pattern } => Op::Matches(
                at(column)?,
                Box::new(
                    Regex::new(pattern).expect("patterns are compiled by the walk of all rules"),
                ),
            ),
            RuleKind::Range { column, min, max, when } => {
                let column = at(column)?;
                let bounds = Bounds {
                    min: *min,
                    max: *max,
                    money: table.columns[column].ty == ColumnType::Money,
                };
                Op::Range(column, bounds, conditions(when)?)
            }
            RuleKind::NotAbove { column, sum_of } => Op::NotAbove(at(column)?, many(sum_of)?),
            RuleKind::AgreesWithCitizenId { column, citizen_id, part } => {
                Op::AgreesWithId(at(column)?, at(citizen_id)?, *part)
            }
            RuleKind::SourceDeclared { column } => Op::SourceDeclared(at(column)?),
            RuleKind::SourceRegistered { column } => Op::SourceRegistered(at(column)?),
            RuleKind::ItemInForce { column, on } => {
                let column = at(column)?;
                let area = table.area.as_ref().and_then(at);
                Op::Item(column, multi(column), at(on)?, area)
            }
            RuleKind::ImplementationKnown { column, on } => {
                let column = at(column)?;
                Op::Implementation(column, multi(column), at(on)?)
            }
            RuleKind::CertificateValid { column, on } => {
                let column = at(column)?;
                Op::Certificate(column, multi(column), at(on)?)
            }
            RuleKind::RelatedExists { column, table, field, except } => {
                Op::Related(at(column)?, table, field, except)
            }
        };
        let envelope = rule
            .kind
            .columns()
            .iter()
            .filter_map(|name| table.column(name))
            .all(|column| column.envelope);
        Some(Self { rule, op, envelope })
    }

    pub fn decide(&self, row: &RowView<'_>, ctx: &Context<'_>) -> Decision {
        match &self.op {
            Op::FollowsCode(column, system, when) => {
                if row.states[*column] == State::Empty || !all_hold(when, row) {
                    return Decision::Holds;
                }
                // also of a cell that is faulty as text: only here it is known what it should be
                let text = row.cells[*column].as_deref().unwrap_or_default();
                follows(*column, *system, text, ctx)
            }
            _ => match self.broken(row, ctx) {
                Some(finding) => Decision::Broken(finding),
                None => Decision::Holds,
            },
        }
    }

    fn broken(&self, row: &RowView<'_>, ctx: &Context<'_>) -> Option<Finding> {
        let say = |column: usize, reason: String| Some(Finding { column, reason });
        match &self.op {
            Op::RequiredWhen(column, when) => {
                if row.states[*column] != State::Empty || !all_hold(when, row) {
                    return None;
                }
                say(*column, format!("{}，此处为空", self.rule.text))
            }
            Op::OneOfPresent(columns) => {
                if columns.iter().any(|at| row.states[*at] != State::Empty) {
                    return None;
                }
                say(columns[0], "各项都为空".to_owned())
            }
            Op::BothOrNeither(columns) => {
                let empty = columns.iter().find(|at| row.states[**at] == State::Empty)?;
                if columns.iter().all(|at| row.states[*at] == State::Empty) {
                    return None;
                }
                say(*empty, "只填了其中一项，此处为空".to_owned())
            }
            Op::DateOrder(earlier, later, strict) => {
                let (first, second) = (day_of(row, *earlier)?, day_of(row, *later)?);
                let good = if *strict { first < second } else { first <= second };
                if good {
                    return None;
                }
                let relation = if *strict { "不晚于" } else { "早于" };
                say(*later, format!("{second} {relation} {first}"))
            }
            Op::DaysBetween(from, to, max_days, plus) => {
                let (first, second) = (row.date(*from)?, row.date(*to)?);
                let extra = match plus {
                    Some(column) => row.number(*column).unwrap_or(0.0) as i64,
                    None => 0,
                };
                let days = (second - first).num_days();
                if days <= max_days + extra {
                    return None;
                }
                say(*to, format!("相隔 {days} 天，超过 {} 天", max_days + extra))
            }
            Op::NotFuture(column) => {
                let date = day_of(row, *column)?;
                if date <= ctx.today {
                    return None;
                }
                say(*column, format!("{date} 晚于接收当日 {}", ctx.today))
            }
            Op::NotPast(column) => {
                let date = row.date(*column)?;
                if date >= ctx.today {
                    return None;
                }
                say(*column, format!("{date} 早于接收当日 {}", ctx.today))
            }
            Op::NotAheadOfClock(column, minutes) => {
                let ahead = instant_micros(row.text(*column)?)? - ctx.now;
                if ahead <= minutes * 60_000_000 {
                    return None;
                }
                say(*column, format!("比接收时钟超前 {} 分钟", (ahead / 60_000_000).max(*minutes)))
            }
            Op::YearWithin(column, years) => {
                let year = row.number(*column)? as i32;
                let now = ctx.today.year();
                if (now - years..=now + 1).contains(&year) {
                    return None;
                }
                say(*column, format!("年度应在 {} 至 {} 之间", now - years, now + 1))
            }
            Op::MinPersons(column, count, separator) => {
                let text = row.text(*column)?;
                let found = distinct(text, *separator);
                if found >= *count {
                    return None;
                }
                say(*column, format!("只有 {found} 人，不足 {count} 人"))
            }
            Op::SameCount(one, other, separator) => {
                let (first, second) = (row.text(*one)?, row.text(*other)?);
                let count = |text: &str| text.split(*separator).filter(|p| !p.is_empty()).count();
                let (first, second) = (count(first), count(second));
                if first == second {
                    return None;
                }
                say(*other, format!("有 {second} 个，应为 {first} 个"))
            }
            Op::ValueIn(column, multi, values, wanted, when) => {
                if row.states[*column] != State::Good || !all_hold(when, row) {
                    return None;
                }
                let listed = |part: &str| values.iter().any(|value| value == part);
                let good = row.parts(*column, *multi).all(|part| listed(part) == *wanted);
                if good {
                    return None;
                }
                say(*column, self.rule.text.clone())
            }
            Op::StartsWith(column, prefix) => {
                let (text, prefix) = (row.text(*column)?, row.text(*prefix)?);
                if text.starts_with(prefix) {
                    return None;
                }
                say(*column, format!("不是以 {prefix} 开头"))
            }
            Op::SliceEquals(column, multi, from, to, equals) => {
                let wanted = row.text(*equals)?;
                let good =
                    row.parts(*column, *multi).all(|part| part.get(*from..*to) == Some(wanted));
                if good {
                    return None;
                }
                say(*column, format!("第 {} 至 {to} 位应为 {wanted}", from + 1))
            }
            Op::Matches(column, pattern) => {
                if pattern.is_match(row.text(*column)?) {
                    return None;
                }
                say(*column, "形式不符".to_owned())
            }
            Op::Range(column, bounds, when) => {
                let value = row.number(*column)?;
                let value = if bounds.money { value / 100.0 } else { value };
                let low = bounds.min.is_some_and(|min| value < min);
                let high = bounds.max.is_some_and(|max| value > max);
                if !(low || high) || !all_hold(when, row) {
                    return None;
                }
                let reason = match (low, bounds.min, bounds.max) {
                    (true, Some(min), _) => format!("{value} 小于 {min}"),
                    (_, _, Some(max)) => format!("{value} 大于 {max}"),
                    _ => return None,
                };
                say(*column, reason)
            }
            Op::NotAbove(column, sum_of) => {
                let value = row.number(*column)?;
                let sum: f64 = sum_of.iter().map(|at| row.number(*at)).sum::<Option<f64>>()?;
                if value <= sum {
                    return None;
                }
                say(*column, "超过上限".to_owned())
            }
            Op::AgreesWithId(column, id, part) => {
                let text = row.text(*column)?;
                let id = CitizenId::parse(row.text(*id)?).ok()?;
                let good = match part {
                    IdPart::BirthDate => canonical_date(text) == Some(id.birth_date()),
                    IdPart::Gender => match text {
                        "1" => id.gender() == Gender::Male,
                        "2" => id.gender() == Gender::Female,
                        _ => true,
                    },
                };
                if good {
                    return None;
                }
                say(*column, "与公民身份号码所示不一致".to_owned())
            }
            Op::SourceDeclared(column) => {
                let (text, declared) = (row.text(*column)?, ctx.source?);
                if text == declared {
                    return None;
                }
                say(*column, format!("本次以数据源 {declared} 报送"))
            }
            Op::SourceRegistered(column) => {
                let text = row.text(*column)?;
                if ctx.lookups.source_registered(text) {
                    return None;
                }
                say(*column, "数据源未登记".to_owned())
            }
            Op::Item(column, multi, on, area) => {
                let on = row.date(*on)?;
                let area = area.and_then(|area| row.text(area));
                row.parts(*column, *multi)
                    .find_map(|code| told("监管事项", &ctx.lookups.item(code, area, on), on))
                    .and_then(|reason| say(*column, reason))
            }
            Op::Implementation(column, multi, on) => {
                let on = row.date(*on)?;
                row.parts(*column, *multi)
                    .find_map(|code| {
                        told("检查实施清单", &ctx.lookups.implementation(code, on), on)
                    })
                    .and_then(|reason| say(*column, reason))
            }
            Op::Certificate(column, multi, on) => {
                let on = row.date(*on)?;
                row.parts(*column, *multi)
                    .find_map(|number| told("执法证", &ctx.lookups.certificate(number, on), on))
                    .and_then(|reason| say(*column, reason))
            }
            Op::Related(column, table, field, except) => {
                let text = row.text(*column)?;
                if except.iter().any(|word| word == text)
                    || ctx.lookups.related_exists(table, field, text)
                {
                    return None;
                }
                say(*column, "所引记录尚未报送".to_owned())
            }
            Op::FollowsCode(..) => None,
        }
    }
}

/// Instants count by their day.
fn day_of(row: &RowView<'_>, column: usize) -> Option<NaiveDate> {
    canonical_date(row.text(column)?.get(..10)?)
}

/// How many different names stand in the cell. Two entries of one name are one person.
fn distinct(text: &str, separator: char) -> usize {
    let mut parts = text.split(separator).filter(|part| !part.is_empty());
    let (first, second) = (parts.next(), parts.next());
    match (first, second, parts.next()) {
        (None, ..) => 0,
        (Some(_), None, _) => 1,
        (Some(a), Some(b), None) => 1 + usize::from(a != b),
        _ => {
            let mut all: Vec<&str> = text.split(separator).filter(|p| !p.is_empty()).collect();
            all.sort_unstable();
            all.dedup();
            all.len()
        }
    }
}

/// Why something dated cannot be cited on a day.
fn told(what: &str, known: &Known, on: NaiveDate) -> Option<String> {
    match known {
        Known::Valid => None,
        Known::Unknown => Some(format!("{what}未登记")),
        Known::NotYet(from) => Some(format!("{what}自 {from} 起有效，{on} 尚未生效")),
        Known::Ended(end) => Some(format!("{what}已于 {end} 失效，{on} 不得引用")),
        Known::Suspended => Some(format!("{what}已暂停")),
    }
}

fn follows(column: usize, system: CodeSystem, text: &str, ctx: &Context<'_>) -> Decision {
    let kind = match system {
        CodeSystem::Uscc => CodeKind::Uscc,
        CodeSystem::CitizenId => CodeKind::CitizenId,
        CodeSystem::OrgCode => CodeKind::Org,
    };
    if kind == CodeKind::Uscc && mj_kernel::code::Uscc::parse(text).is_ok() {
        return Decision::Holds;
    }
    match code_value(kind, text, ctx.today) {
        Reading::Fault(_, reason) => Decision::Broken(Finding { column, reason }),
        Reading::Clean | Reading::Empty(_) => Decision::Holds,
        reading => Decision::Mends(column, reading),
    }
}
