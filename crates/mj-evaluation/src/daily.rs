//! What can be added up day by day: for each day, area, agency and table how many rows came, were refused or
//! happened. Counted once for a picture, so that a stretch of days nobody asked for before is a sum, and
//! the first page of a long list is found without putting the whole list in order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use crate::measure::{Of, Part, Tally, Unit, unit_of};
use crate::rollup::Rollup;
use crate::rule::{Indicator, Measure};
use crate::world::{Day, NO_DAY, Record, Refused, Sieve, Word};

/// One count of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// By the day of reception.
    Received,
    /// Refused rows, by the day of reception.
    Refused,
    /// By the day of the act.
    Event,
    /// By the day of the act, of those that did not come before they happened.
    Delay,
}

/// Everything of one day, area, agency and table.
#[derive(Debug, Clone, Copy)]
pub struct DayCell {
    pub day: Day,
    pub area: Word,
    pub agency: Word,
    pub table: u16,
    units: i64,
    /// Of delays: those of more than a day.
    late: i64,
    /// Of delays: their days, summed.
    span: i64,
}

/// Cells in the order of their days.
type Cells = Arc<Vec<DayCell>>;

/// Source and main item that were asked for, and the scopes where they are held to item lines: what cells
/// do not tell.
pub type Deep = (Option<Word>, Option<Word>, Option<String>);

/// What was counted so far of one picture.
#[derive(Debug, Default)]
pub struct Daily(Mutex<FxHashMap<(Base, Deep), Cells>>);

/// How many counts are kept: sources and main items are anybody's choice.
const KEPT: usize = 64;

/// What an indicator is made of; empty: not of days.
pub fn bases(measure: Measure) -> &'static [Base] {
    match measure {
        Measure::Collected | Measure::RequiredTables => &[Base::Received],
        Measure::Acts => &[Base::Event],
        Measure::Timeliness => &[Base::Delay],
        Measure::Correct => &[Base::Received, Base::Refused],
        _ => &[],
    }
}

/// What a cell of a base counts in an indicator.
pub fn tally(measure: Measure, base: Base, cell: &DayCell) -> Tally {
    match (measure, base) {
        (Measure::Timeliness, _) => Tally { num: cell.units, den: cell.span },
        (Measure::Correct, Base::Refused) => Tally { num: 0, den: cell.units },
        (Measure::Correct, _) => Tally { num: cell.units, den: cell.units },
        _ => Tally { num: cell.units, den: 0 },
    }
}

/// How many units of a cell count on one side, and what they add up to.
fn weigh(measure: Measure, base: Base, part: Part, cell: &DayCell) -> (i64, i64) {
    let DayCell { units, late, span, .. } = *cell;
    match (part, measure, base) {
        (Part::Numerator, _, Base::Refused) => (0, 0),
        (Part::Numerator, ..) => (units, units),
        (Part::Denominator, Measure::Timeliness, _) => (units, span),
        (Part::Denominator, Measure::Correct, _) => (units, units),
        (Part::Gap, Measure::Timeliness, _) => (late, span - units),
        (Part::Gap, Measure::Correct, Base::Refused) => (units, units),
        _ => (0, 0),
    }
}

/// The day and the delay a record counts with.
#[inline]
fn day_of(base: Base, record: &Record) -> Option<(Day, i64)> {
    match base {
        Base::Received => Some((record.received, 0)),
        Base::Event => Some((record.event, 0)),
        Base::Delay if record.event <= record.received && record.event != NO_DAY => {
            Some((record.event, i64::from(record.received - record.event) + 1))
        }
        Base::Delay | Base::Refused => None,
    }
}

/// What a record or a refused row is in an indicator.
fn unit(measure: Measure, base: Base, record: &Record, table: u16, at: u32) -> Option<Unit> {
    let (day, span) = day_of(base, record)?;
    let den = match measure {
        Measure::Timeliness => span,
        Measure::Correct => 1,
        _ => 0,
    };
    Some(unit_of(record, table, at, day, 1, den))
}

fn refused_unit(row: &Refused, at: u32) -> Unit {
    Unit {
        num: 0,
        den: 1,
        area: row.area,
        agency: row.agency,
        table: row.table,
        day: row.received,
        of: Of::Refused(at),
    }
}

/// Those of a stretch of days.
pub fn within(cells: &[DayCell], (from, to): (Day, Day)) -> &[DayCell] {
    let first = cells.partition_point(|cell| cell.day < from);
    let last = cells.partition_point(|cell| cell.day <= to);
    cells.get(first..last).unwrap_or_default()
}

impl Rollup<'_> {
    /// The cells of a base; what was asked for deeper than cells tell is in it already.
    pub fn daily(&self, base: Base) -> Cells {
        let key = (base, self.sieve.deep());
        let kept = &self.world.kept.daily.0;
        if let Some(cells) = kept.lock().ok().and_then(|kept| kept.get(&key).cloned()) {
            return cells;
        }
        let cells = Arc::new(self.count(base));
        if let Ok(mut kept) = kept.lock() {
            if kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert(key, cells.clone());
        }
        cells
    }

    fn count(&self, base: Base) -> Vec<DayCell> {
        let sieve = Sieve::everything_like(self.world, self.sieve);
        let mut cells: Vec<DayCell> = Vec::new();
        let mut places: FxHashMap<(Day, Word, Word, u16), usize> = FxHashMap::default();
        let mut before = usize::MAX;
        // rows of one delivery follow each other: most belong to the cell of the last one
        let mut add = |day: Day, area: Word, agency: Word, table: u16, span: i64| {
            let is_same = cells.get(before).is_some_and(|cell| {
                cell.day == day && cell.area == area && cell.agency == agency && cell.table == table
            });
            if !is_same {
                before = *places.entry((day, area, agency, table)).or_insert_with(|| {
                    cells.push(DayCell { day, area, agency, table, units: 0, late: 0, span: 0 });
                    cells.len() - 1
                });
            }
            if let Some(cell) = cells.get_mut(before) {
                cell.units += 1;
                cell.late += i64::from(span > 1);
                cell.span += span;
            }
        };
        if base == Base::Refused {
            // what a refused row refers to is not known
            let rows = self.world.refused.iter().filter(|_| !sieve.has_main());
            for row in rows.filter(|row| sieve.sees_source(row.source)) {
                add(row.received, row.area, row.agency, row.table, 0);
            }
        } else {
            for (table, rows) in (0..).zip(&self.world.records) {
                for record in &rows.rows {
                    if let Some((day, span)) = day_of(base, record)
                        && sieve.sees_source(record.source)
                        && sieve.sees_record(rows, record)
                    {
                        add(day, record.area, record.agency, table, span);
                    }
                }
            }
        }
        cells.sort_unstable_by_key(|cell| (cell.day, cell.area, cell.agency, cell.table));
        cells
    }

    /// The units behind one side of a figure, as `Walk::rows` gives them, but looking at no more rows than
    /// it takes; `None` where an indicator is not made of days.
    pub fn rows(
        &self,
        indicator: &Indicator,
        days: (Day, Day),
        part: Part,
        skip: usize,
        limit: usize,
    ) -> Option<(usize, i64, Vec<Unit>)> {
        let measure = indicator.measure;
        let bases = bases(measure);
        if bases.is_empty() || measure == Measure::RequiredTables {
            return None;
        }
        let tables = self.tables_of(indicator, self.sieve);
        let mut by_day: BTreeMap<Day, usize> = BTreeMap::new();
        let (mut count, mut sum) = (0, 0);
        for base in bases {
            for cell in within(&self.daily(*base), days) {
                let (units, weight) = weigh(measure, *base, part, cell);
                if units > 0
                    && cell.day != NO_DAY
                    && tables[usize::from(cell.table)]
                    && self.sieve.sees(cell.area, cell.agency)
                {
                    *by_day.entry(cell.day).or_default() += units as usize;
                    count += units as usize;
                    sum += weight;
                }
            }
        }
        let wanted = skip.saturating_add(limit).min(count);
        // the day on which the page ends: of later days all rows, of this one the first so many
        let (mut later, mut cut) = (0, Day::MAX);
        for (day, units) in by_day.iter().rev() {
            cut = *day;
            if later + units >= wanted {
                break;
            }
            later += units;
        }
        let mut found = Found { cut, later, last: wanted - later.min(wanted), units: Vec::new() };
        for base in bases {
            if *base == Base::Refused {
                for (at, row) in (0..).zip(&self.world.refused) {
                    let unit = refused_unit(row, at);
                    if found.wants(unit.day, days)
                        && tables[usize::from(row.table)]
                        && !self.sieve.has_main()
                        && self.sieve.sees_source(row.source)
                        && self.sieve.sees(row.area, row.agency)
                        && part.weight(&unit) > 0
                    {
                        found.take(unit);
                    }
                }
                continue;
            }
            for (table, rows) in (0_u16..).zip(&self.world.records) {
                if !tables[usize::from(table)] || found.is_whole() {
                    continue;
                }
                for (at, record) in (0..).zip(&rows.rows) {
                    let Some((day, _)) = day_of(*base, record) else { continue };
                    if found.wants(day, days)
                        && self.sieve.sees_source(record.source)
                        && self.sieve.sees_record(rows, record)
                        && let Some(unit) = unit(measure, *base, record, table, at)
                        && part.weight(&unit) > 0
                    {
                        found.take(unit);
                        if found.is_whole() {
                            break;
                        }
                    }
                }
            }
        }
        let mut units = found.units;
        units.sort_unstable_by_key(|unit| (std::cmp::Reverse(unit.day), unit.of));
        units.drain(..skip.min(units.len()));
        Some((count, sum, units))
    }
}

/// Units on their way to a page.
struct Found {
    cut: Day,
    /// How many of later days are still to come.
    later: usize,
    /// How many of the last day.
    last: usize,
    units: Vec<Unit>,
}

impl Found {
    #[inline]
    fn wants(&self, day: Day, (from, to): (Day, Day)) -> bool {
        let there = day != NO_DAY && from <= day && day <= to;
        there && (day > self.cut || (day == self.cut && self.last > 0))
    }

    fn take(&mut self, unit: Unit) {
        if unit.day > self.cut {
            self.later = self.later.saturating_sub(1);
        } else {
            self.last = self.last.saturating_sub(1);
        }
        self.units.push(unit);
    }

    fn is_whole(&self) -> bool {
        self.later == 0 && self.last == 0
    }
}
