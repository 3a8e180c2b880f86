//! The leader's page as data: figures with what they were before and what they should be, the ranking of
//! agencies and areas, the months, and what asks for attention. Pure over one picture.

use chrono::{Datelike, Months, NaiveDate};
use rustc_hash::FxHashMap;
use serde::Serialize;
use utoipa::ToSchema;

use crate::measure::{Of, Part, Tally, Walk};
use crate::period::Period;
use crate::rollup::{Cell, Rollup};
use crate::rule::{Better, DayOf, Indicator, Measure, Unit as Measured};
use crate::world::{Day, NO_DAY, Sieve, Word, World, date_of, day_of};

/// One figure with everything it takes to read it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = EvaluationFigure)]
pub struct Figure {
    pub id: String,
    pub name: String,
    /// percent、count 或 index
    pub unit: String,
    pub formula: String,
    pub numerator: i64,
    pub numerator_is: String,
    /// 计数类指标没有分母
    pub denominator: Option<i64>,
    pub denominator_is: Option<String>,
    /// 计入分母而不计入分子的叫什么
    pub gap_is: Option<String>,
    /// 百分比为 0 到 1；没有分母数据时为空
    pub value: Option<f64>,
    /// 上一期的值
    pub previous: Option<f64>,
    pub target: Option<f64>,
    pub target_basis: Option<String>,
    /// 是否达到目标；没有目标时为空
    pub reached: Option<bool>,
    /// higher：越高越好；lower：越低越好
    pub better: String,
    /// 归期口径：received 到达日，event 发生日，end 期末
    pub day: String,
    pub source: String,
    /// C、K、I、U
    pub confidence: String,
    pub confidence_title: String,
}

/// The main figures of one agency or area.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = EvaluationStanding)]
pub struct Standing {
    /// 机构代码或行政区划代码；空：未注明
    pub code: String,
    pub name: String,
    pub collected: i64,
    pub acts: i64,
    pub correct: Pair,
    pub coverage: Pair,
    pub timeliness: Pair,
    /// 超期未改的错误数据
    pub overdue: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = EvaluationPair)]
pub struct Pair {
    pub numerator: i64,
    pub denominator: i64,
    pub value: Option<f64>,
}

impl From<Tally> for Pair {
    fn from(tally: Tally) -> Self {
        Self { numerator: tally.num, denominator: tally.den, value: tally.quotient() }
    }
}

/// One table of the standard in the period.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = EvaluationTable)]
pub struct TableStanding {
    pub table: String,
    pub title: String,
    pub collected: i64,
    pub correct: Pair,
    /// 最近一次有新数据的日子
    pub last_received: Option<String>,
}

/// Acts of one month, by table.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = EvaluationMonth)]
pub struct MonthActs {
    /// 2026-09
    pub month: String,
    pub from: String,
    pub to: String,
    pub total: i64,
    /// 与 `act_tables` 同序
    pub by_table: Vec<i64>,
}

/// Something to look at, with the figure whose rows show it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = EvaluationNotice)]
pub struct Notice {
    pub text: String,
    pub count: i64,
    /// 上一期的数；只有“在上升的”有
    pub before: Option<i64>,
    pub indicator: String,
    pub part: String,
    pub agency: Option<String>,
    pub table: Option<String>,
    pub source: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = EvaluationAttention)]
pub struct Attention {
    /// 逾期的
    pub overdue: Vec<Notice>,
    /// 在上升的
    pub rising: Vec<Notice>,
    /// 没有动静的
    pub silent: Vec<Notice>,
    /// 没有动静的一共多少
    pub silent_total: i64,
}

/// How many lines of each sort the page has room for.
const LINES: usize = 6;
const MONTHS: u32 = 12;

/// What a page is made of.
pub struct Desk<'a> {
    pub world: &'a World,
    pub indicators: Vec<&'a Indicator>,
    pub sieve: &'a Sieve,
    pub period: Period,
    pub mend_before: Day,
}

impl<'a> Desk<'a> {
    /// Row by row, for what cells do not tell.
    pub fn walk(&self, indicator: &'a Indicator, days: (Day, Day)) -> Walk<'a> {
        let Desk { world, sieve, mend_before, .. } = *self;
        Walk { world, indicator, sieve, days, mend_before }
    }

    pub fn rollup(&self) -> Rollup<'a> {
        let Desk { world, sieve, mend_before, .. } = *self;
        Rollup { world, sieve, mend_before }
    }

    fn of(&self, measure: Measure) -> Option<&'a Indicator> {
        self.indicators.iter().copied().find(|one| one.measure == measure)
    }

    pub fn figures(&self) -> Vec<Figure> {
        let (now, before) = (self.period.days(), self.period.previous().days());
        self.indicators
            .iter()
            .map(|indicator| {
                let tally = self.rollup().tally(indicator, now);
                // what is overdue is known of today alone
                let known =
                    !matches!(indicator.measure, Measure::WorkOverdue | Measure::ErrorsOverdue);
                let previous = known.then(|| self.rollup().tally(indicator, before));
                figure(indicator, tally, previous)
            })
            .collect()
    }

    /// What stands in for the whole of an indicator: its sums by `key`.
    fn sums<K: Eq + std::hash::Hash>(
        &self,
        measure: Measure,
        key: impl Fn(&Cell) -> K,
    ) -> FxHashMap<K, Tally> {
        match self.of(measure) {
            Some(indicator) => self.rollup().by(indicator, self.period.days(), key),
            None => FxHashMap::default(),
        }
    }

    fn standings<K: Eq + std::hash::Hash + Copy + Ord>(
        &self,
        keys: impl IntoIterator<Item = K>,
        key: impl Fn(&Cell) -> K + Copy,
        name: impl Fn(K) -> (String, String),
    ) -> Vec<Standing> {
        let collected = self.sums(Measure::Collected, key);
        let acts = self.sums(Measure::Acts, key);
        let correct = self.sums(Measure::Correct, key);
        let coverage = self.sums(Measure::Coverage, key);
        let timeliness = self.sums(Measure::Timeliness, key);
        let overdue = self.sums(Measure::ErrorsOverdue, key);
        let mut all: Vec<K> = keys.into_iter().collect();
        for sums in [&collected, &acts, &correct, &coverage, &timeliness, &overdue] {
            all.extend(sums.keys().copied());
        }
        all.sort_unstable();
        all.dedup();
        let of = |sums: &FxHashMap<K, Tally>, key: K| sums.get(&key).copied().unwrap_or_default();
        all.into_iter()
            .map(|key| {
                let (code, name) = name(key);
                Standing {
                    code,
                    name,
                    collected: of(&collected, key).num,
                    acts: of(&acts, key).num,
                    correct: of(&correct, key).into(),
                    coverage: of(&coverage, key).into(),
                    timeliness: of(&timeliness, key).into(),
                    overdue: of(&overdue, key).num,
                }
            })
            .collect()
    }

    /// Agencies in sight, the most delivered first.
    pub fn agencies(&self) -> Vec<Standing> {
        let world = self.world;
        let bodies = world
            .bodies
            .iter()
            .filter(|body| self.sieve.sees(body.area, body.agency))
            .map(|body| body.agency);
        let names: FxHashMap<Word, &str> =
            world.bodies.iter().map(|body| (body.agency, body.name.as_str())).collect();
        let mut all = self.standings(
            bodies,
            |unit| unit.agency,
            |agency| {
                let code = world.agencies.text(agency).to_owned();
                let name = match (agency, names.get(&agency)) {
                    (0, _) => "未注明机构".to_owned(),
                    (_, Some(name)) => (*name).to_owned(),
                    (_, None) => code.clone(),
                };
                (code, name)
            },
        );
        all.sort_by(|a, b| (b.collected, &a.code).cmp(&(a.collected, &b.code)));
        all
    }

    /// The level below the area asked for: a city's counties, a county's towns.
    pub fn areas(&self, own: &str) -> Vec<Standing> {
        let world = self.world;
        let mut children: Vec<String> = Vec::new();
        let below: Vec<usize> = (0..world.areas.len() as Word)
            .map(|word| {
                let child = child_of(own, world.areas.text(word));
                children.iter().position(|known| *known == child).unwrap_or_else(|| {
                    children.push(child);
                    children.len() - 1
                })
            })
            .collect();
        let mut all = self.standings(
            [],
            |unit| below[unit.area as usize],
            |at| (children[at].clone(), area_name(&children[at], own)),
        );
        all.sort_by(|a, b| a.code.cmp(&b.code));
        all
    }

    pub fn tables(&self) -> Vec<TableStanding> {
        let Some(collected) = self.of(Measure::Collected) else { return Vec::new() };
        let days = self.period.days();
        let mut last: FxHashMap<u16, Day> = FxHashMap::default();
        let mut counts: FxHashMap<u16, Tally> = FxHashMap::default();
        self.rollup().each(collected, days, |cell| {
            let sum = counts.entry(cell.table).or_default();
            *sum = sum.plus(cell.tally);
            let day = last.entry(cell.table).or_insert(cell.last);
            *day = (*day).max(cell.last);
        });
        let correct = self.sums(Measure::Correct, |unit| unit.table);
        (0..)
            .zip(&self.world.tables)
            .filter_map(|(at, table)| {
                let counted = counts.get(&at).copied().unwrap_or_default();
                let correct = correct.get(&at).copied().unwrap_or_default();
                (correct.den > 0).then(|| TableStanding {
                    table: table.name.clone(),
                    title: table.title.clone(),
                    collected: counted.num,
                    correct: correct.into(),
                    last_received: last.get(&at).and_then(|day| text_of(*day)),
                })
            })
            .collect()
    }

    /// Tables of acts in the order of [`MonthActs::by_table`].
    pub fn act_tables(&self) -> Vec<u16> {
        (0..).zip(&self.world.tables).filter(|(_, t)| t.is_behaviour).map(|(at, _)| at).collect()
    }

    /// The twelve months up to the period's end, by the day of the act.
    pub fn months(&self) -> Vec<MonthActs> {
        let Some(acts) = self.of(Measure::Acts) else { return Vec::new() };
        let end = self.period.to;
        let first = NaiveDate::from_ymd_opt(end.year(), end.month(), 1).unwrap_or(end);
        let start = first.checked_sub_months(Months::new(MONTHS - 1)).unwrap_or(first);
        let tables = self.act_tables();
        let mut counts = vec![vec![0_i64; tables.len()]; MONTHS as usize];
        for (month, counts) in (0..).zip(&mut counts) {
            let to = first_of(start, month + 1).pred_opt().unwrap_or(end).min(end);
            let days = (day_of(first_of(start, month)), day_of(to));
            for (table, tally) in self.rollup().by(acts, days, |cell| cell.table) {
                if let Some(at) = tables.iter().position(|known| *known == table) {
                    counts[at] += tally.num;
                }
            }
        }
        counts
            .into_iter()
            .enumerate()
            .map(|(at, by_table)| {
                let from = first_of(start, at as u32);
                let to = first_of(start, at as u32 + 1).pred_opt().unwrap_or(from).min(end);
                MonthActs {
                    month: from.format("%Y-%m").to_string(),
                    from: from.to_string(),
                    to: to.to_string(),
                    total: by_table.iter().sum(),
                    by_table,
                }
            })
            .collect()
    }

    pub fn attention(&self) -> Attention {
        let (silent, silent_total) = self.silent();
        Attention { overdue: self.overdue(), rising: self.rising(), silent, silent_total }
    }

    fn notice(&self, indicator: &Indicator, part: Part, count: i64, text: String) -> Notice {
        Notice {
            text,
            count,
            before: None,
            indicator: indicator.id.clone(),
            part: part.name().into(),
            agency: None,
            table: None,
            source: None,
        }
    }

    fn agency_name(&self, agency: Word) -> String {
        match self.world.body_name(agency) {
            Some(name) => name.to_owned(),
            None if agency == 0 => "未注明机构".into(),
            None => self.world.agencies.text(agency).to_owned(),
        }
    }

    fn overdue(&self) -> Vec<Notice> {
        let mut lines = Vec::new();
        for (measure, what) in
            [(Measure::WorkOverdue, "逾期待办"), (Measure::ErrorsOverdue, "超期未改的错误数据")]
        {
            let Some(indicator) = self.of(measure) else { continue };
            for (agency, tally) in self.sums(measure, |unit| unit.agency) {
                let text = format!("{}：{what}", self.agency_name(agency));
                let mut notice = self.notice(indicator, Part::Numerator, tally.num, text);
                // without an agency there is nothing to narrow by: the line of all would say more
                if agency != 0 {
                    notice.agency = Some(self.world.agencies.text(agency).to_owned());
                    lines.push(notice);
                } else if tally.num == self.rollup().tally(indicator, self.period.days()).num {
                    notice.text = what.to_owned();
                    lines.push(notice);
                }
            }
        }
        lines.sort_by(|a, b| (b.count, &a.text).cmp(&(a.count, &b.text)));
        lines.truncate(LINES);
        lines
    }

    /// Where more rows were refused than in the period before.
    fn rising(&self) -> Vec<Notice> {
        let Some(indicator) = self.of(Measure::Correct) else { return Vec::new() };
        let refused = |days: (Day, Day)| {
            let mut sums: FxHashMap<(Word, u16), i64> = FxHashMap::default();
            self.rollup().each(indicator, days, |cell| {
                let refused = cell.tally.den - cell.tally.num;
                if refused > 0 {
                    *sums.entry((cell.agency, cell.table)).or_default() += refused;
                }
            });
            sums
        };
        let before = refused(self.period.previous().days());
        let mut lines: Vec<Notice> = refused(self.period.days())
            .into_iter()
            .filter_map(|((agency, table), count)| {
                let earlier = before.get(&(agency, table)).copied().unwrap_or(0);
                if count <= earlier || agency == 0 {
                    return None;
                }
                let info = &self.world.tables[usize::from(table)];
                let text = format!("{}：{}错误数据", self.agency_name(agency), info.title);
                let mut notice = self.notice(indicator, Part::Gap, count, text);
                notice.before = Some(earlier);
                notice.agency = Some(self.world.agencies.text(agency).to_owned());
                notice.table = Some(info.name.clone());
                Some(notice)
            })
            .collect();
        let rise = |notice: &Notice| notice.count - notice.before.unwrap_or(0);
        lines.sort_by(|a, b| (rise(b), &a.text).cmp(&(rise(a), &b.text)));
        lines.truncate(LINES);
        lines
    }

    /// Sources that owe tables and brought nothing of some of them.
    fn silent(&self) -> (Vec<Notice>, i64) {
        let Some(indicator) = self.of(Measure::TablesUpdated) else { return (Vec::new(), 0) };
        let mut owed: FxHashMap<Word, (i64, Day)> = FxHashMap::default();
        let mut total = 0;
        self.walk(indicator, self.period.days()).visit(|unit| {
            if let Of::Owed { source, .. } = unit.of
                && unit.num == 0
            {
                let (count, last) = owed.entry(source).or_insert((0, NO_DAY));
                *count += 1;
                *last = (*last).max(unit.day);
                total += 1;
            }
        });
        let mut lines: Vec<Notice> = owed
            .into_iter()
            .map(|(source, (count, last))| {
                let name = self
                    .world
                    .sender(source)
                    .map_or_else(|| self.world.sources.text(source), |sender| &sender.name);
                let text = match text_of(last) {
                    Some(day) => format!("{name}：应更新的表没有新数据（最近 {day}）"),
                    None => format!("{name}：应更新的表从未报送"),
                };
                let mut notice = self.notice(indicator, Part::Gap, count, text);
                notice.source = Some(self.world.sources.text(source).to_owned());
                notice
            })
            .collect();
        lines.sort_by(|a, b| (b.count, &a.text).cmp(&(a.count, &b.text)));
        lines.truncate(LINES);
        (lines, total)
    }
}

fn figure(indicator: &Indicator, tally: Tally, previous: Option<Tally>) -> Figure {
    let value_of = |tally: Tally| match indicator.unit {
        Measured::Count => Some(tally.num as f64),
        _ => tally.quotient(),
    };
    let value = value_of(tally);
    let reached = match (value, indicator.target) {
        (Some(value), Some(target)) => Some(match indicator.better {
            Better::Higher => value >= target,
            Better::Lower => value <= target,
        }),
        _ => None,
    };
    Figure {
        id: indicator.id.clone(),
        name: indicator.name.clone(),
        unit: indicator.unit.name().into(),
        formula: indicator.formula.clone(),
        numerator: tally.num,
        numerator_is: indicator.numerator.clone(),
        denominator: indicator.denominator.is_some().then_some(tally.den),
        denominator_is: indicator.denominator.clone(),
        gap_is: indicator.gap.clone(),
        value,
        previous: previous.and_then(value_of),
        target: indicator.target,
        target_basis: indicator.target_basis.clone(),
        reached,
        better: match indicator.better {
            Better::Higher => "higher",
            Better::Lower => "lower",
        }
        .into(),
        day: match indicator.day {
            DayOf::Received => "received",
            DayOf::Event => "event",
            DayOf::End => "end",
        }
        .into(),
        source: indicator.source.clone(),
        confidence: indicator.confidence.name().into(),
        confidence_title: indicator.confidence.title().into(),
    }
}

fn first_of(start: NaiveDate, months: u32) -> NaiveDate {
    start.checked_add_months(Months::new(months)).unwrap_or(start)
}

pub fn text_of(day: Day) -> Option<String> {
    date_of(day).map(|day| day.to_string())
}

/// The area one level below `own` in which `code` lies; what is no deeper stays what it is.
pub fn child_of(own: &str, code: &str) -> String {
    let cut = |digits: usize| code.get(..digits).unwrap_or(code);
    if own.ends_with("0000") {
        // a province's child is a city: four digits and two noughts
        return if code.len() < 6 { code.to_owned() } else { format!("{}00", cut(4)) };
    }
    cut(if own.ends_with("00") { 6 } else { 9 }).to_owned()
}

pub fn area_name(code: &str, own: &str) -> String {
    let divisions = mj_standard::register::divisions();
    match code {
        "" => "未注明区划".into(),
        code if code == own && own.ends_with("00") => "市本级".into(),
        code if code == own => "未填到乡镇".into(),
        code => divisions.name(code).map_or_else(|| code.to_owned(), str::to_owned),
    }
}

/// Which level an area is of: province, city, county or town.
pub fn level_of(code: &str) -> &'static str {
    match code {
        code if code.ends_with("0000") => "province",
        code if code.len() == 6 && code.ends_with("00") => "city",
        code if code.len() > 6 => "town",
        _ => "county",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_city_is_split_into_counties_and_a_county_into_towns() {
        assert_eq!(child_of("370400", "370402"), "370402");
        assert_eq!(child_of("370400", "370402001"), "370402");
        assert_eq!(child_of("370402", "370402001"), "370402001");
        assert_eq!(child_of("370000", "370402"), "370400");
        assert_eq!(area_name("370402", "370400"), "市中区");
        assert_eq!(area_name("370400", "370400"), "市本级");
        assert_eq!(area_name("370402", "370402"), "未填到乡镇");
        assert_eq!(level_of("370400"), "city");
    }
}
