//! Roll-ups: for an indicator and a stretch of days the sums by area, agency and table, made once for a
//! picture and kept with it. Whoever asks gets the cells in their sight added up; a test compares that
//! with counting the rows themselves.

use std::sync::{Arc, Mutex, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::daily::{self, Daily};
use crate::measure::{NO_TABLE, Tally, Walk};
use crate::rule::{Indicator, Measure};
use crate::world::{Day, NO_DAY, PartyIs, Sieve, Wanted, Word, World};

/// Everything of one area, agency and table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    pub area: Word,
    pub agency: Word,
    pub table: u16,
    pub tally: Tally,
    /// The latest day among its units.
    pub last: Day,
}

/// Cells of one indicator for some days.
pub type Cells = Arc<Vec<Cell>>;

/// Indicator and days.
type Key = (String, (Day, Day));

/// How many roll-ups are kept: the usual periods of every indicator many times over.
const KEPT: usize = 600;

/// What is worked out of a picture when it is first asked for.
#[derive(Debug, Default)]
pub struct Kept {
    cells: Mutex<FxHashMap<Key, Cells>>,
    pub(crate) daily: Daily,
    days: OnceLock<Days>,
}

/// Days on which something came or happened, sorted, by what asks for them.
#[derive(Debug, Default)]
pub struct Days {
    /// Days of reception by source and table.
    pub of_source: FxHashMap<(Word, u16), Vec<Day>>,
    /// Days of reception by body: its own rows, and those of sources it answers for.
    pub of_body: FxHashMap<Word, Vec<Day>>,
    /// Days of acts by body and main item, on legal persons and on others.
    pub of_main: FxHashMap<(Word, Word), [Vec<Day>; 2]>,
}

/// The latest of some sorted days within a stretch.
pub fn latest_in(days: &[Day], (from, to): (Day, Day)) -> Option<Day> {
    let after = days.partition_point(|day| *day <= to);
    days[..after].last().copied().filter(|day| *day >= from)
}

fn sorted<K: Eq + std::hash::Hash>(
    sets: FxHashMap<K, FxHashSet<Day>>,
) -> impl Iterator<Item = (K, Vec<Day>)> {
    sets.into_iter().map(|(key, days)| {
        let mut days: Vec<Day> = days.into_iter().filter(|day| *day != NO_DAY).collect();
        days.sort_unstable();
        (key, days)
    })
}

impl World {
    /// The days behind coverage and freshness.
    pub fn days(&self) -> &Days {
        self.kept.days.get_or_init(|| {
            let answers: FxHashMap<Word, Word> =
                self.senders.iter().map(|sender| (sender.source, sender.agency)).collect();
            let mut of_source: FxHashMap<(Word, u16), FxHashSet<Day>> = FxHashMap::default();
            let mut of_body: FxHashMap<Word, FxHashSet<Day>> = FxHashMap::default();
            let mut acted: FxHashMap<(Word, Word, bool), FxHashSet<Day>> = FxHashMap::default();
            for (table, rows) in self.records.iter().enumerate() {
                let acts = self.tables.get(table).is_some_and(|table| table.is_behaviour);
                // rows of one delivery follow each other: most ask for what the last one asked for
                let mut before = None;
                for record in &rows.rows {
                    let now = (record.source, record.agency, record.received);
                    if before != Some(now) {
                        before = Some(now);
                        let key = (record.source, table as u16);
                        of_source.entry(key).or_default().insert(record.received);
                        of_body.entry(record.agency).or_default().insert(record.received);
                        let sender = answers.get(&record.source).copied().unwrap_or(0);
                        of_body.entry(sender).or_default().insert(record.received);
                    }
                    if acts {
                        let legal = record.party == PartyIs::Legal;
                        for main in rows.mains_of(record) {
                            let key = (record.agency, *main, legal);
                            acted.entry(key).or_default().insert(record.event);
                        }
                    }
                }
            }
            let mut days = Days {
                of_source: sorted(of_source).collect(),
                of_body: sorted(of_body).collect(),
                of_main: FxHashMap::default(),
            };
            for ((agency, main, legal), list) in sorted(acted) {
                let slot = days.of_main.entry((agency, main)).or_default();
                slot[usize::from(!legal)] = list;
            }
            days
        })
    }

    fn kept(&self, key: &Key) -> Option<Cells> {
        self.kept.cells.lock().ok()?.get(key).cloned()
    }

    fn keep(&self, key: Key, cells: &Cells) {
        if let Ok(mut kept) = self.kept.cells.lock() {
            // stretches of days are anybody's choice: begin anew rather than grow
            if kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert(key, cells.clone());
        }
    }
}

/// Asks for roll-ups of one picture, as somebody with a sieve may see them.
#[derive(Clone, Copy)]
pub struct Rollup<'a> {
    pub world: &'a World,
    pub sieve: &'a Sieve,
    pub mend_before: Day,
}

impl<'a> Rollup<'a> {
    /// Cells of everything, or of one source or main item where that was asked for.
    fn cells(&self, indicator: &Indicator, days: (Day, Day)) -> Cells {
        let deeper = self.sieve.is_deeper_than_cells();
        let key = (indicator.id.clone(), days);
        if !deeper && let Some(cells) = self.world.kept(&key) {
            return cells;
        }
        let everything = Sieve::everything_like(self.world, self.sieve);
        let walk = Walk {
            world: self.world,
            indicator,
            sieve: &everything,
            days,
            mend_before: self.mend_before,
        };
        let mut sums: FxHashMap<(Word, Word, u16), (Tally, Day)> = FxHashMap::default();
        let mut add = |place: (Word, Word, u16), own: Tally, day: Day| {
            let (tally, last) = sums.entry(place).or_insert((Tally::default(), NO_DAY));
            *tally = tally.plus(own);
            *last = (*last).max(day);
        };
        let measure = indicator.measure;
        let bases = daily::bases(measure);
        if bases.is_empty() {
            walk.visit(|unit| {
                let own = Tally { num: unit.num, den: unit.den };
                add((unit.area, unit.agency, unit.table), own, unit.day);
            });
        }
        let tables = self.tables_of(indicator, &everything);
        // a required table is filled by whatever came up to the last day
        let is_up_to = measure == Measure::RequiredTables;
        let from = if is_up_to { Day::MIN } else { days.0 };
        for base in bases {
            for cell in daily::within(&self.daily(*base), (from, days.1)) {
                if tables[usize::from(cell.table)] && (is_up_to || cell.day != NO_DAY) {
                    let own = daily::tally(measure, *base, cell);
                    add((cell.area, cell.agency, cell.table), own, cell.day);
                }
            }
        }
        let cells: Cells = Arc::new(
            sums.into_iter()
                .map(|((area, agency, table), (tally, last))| Cell {
                    area,
                    agency,
                    table,
                    tally,
                    last,
                })
                .collect(),
        );
        if !deeper {
            self.world.keep(key, &cells);
        }
        cells
    }

    /// For every table whether it counts here.
    pub fn tables_of(&self, indicator: &Indicator, sieve: &Sieve) -> Vec<bool> {
        let (world, mend_before) = (self.world, self.mend_before);
        let walk = Walk { world, indicator, sieve, days: (0, 0), mend_before };
        let mut counts = vec![false; world.tables.len()];
        for table in walk.tables() {
            counts[usize::from(table)] = true;
        }
        counts
    }

    /// The cells in sight, one by one.
    pub fn each(&self, indicator: &Indicator, days: (Day, Day), mut each: impl FnMut(&Cell)) {
        for cell in self.cells(indicator, days).iter() {
            let table = match cell.table {
                NO_TABLE => !self.sieve.is_narrowed(),
                table => self.sieve.sees_table(table),
            };
            if table && self.sieve.sees(cell.area, cell.agency) {
                each(cell);
            }
        }
    }

    pub fn tally(&self, indicator: &'a Indicator, days: (Day, Day)) -> Tally {
        let mut tally = Tally::default();
        if indicator.measure == Measure::RequiredTables {
            // a table that several bodies fill is there once
            let mut there: FxHashSet<u16> = FxHashSet::default();
            self.each(indicator, days, |cell| {
                there.insert(cell.table);
            });
            let (sieve, world) = (self.sieve, self.world);
            let walk = Walk { world, indicator, sieve, days, mend_before: self.mend_before };
            for table in walk.tables() {
                tally.num += i64::from(there.contains(&table));
                tally.den += 1;
            }
            return tally;
        }
        self.each(indicator, days, |cell| tally = tally.plus(cell.tally));
        tally
    }

    /// Sums by whatever `key` says of a cell.
    pub fn by<K: Eq + std::hash::Hash>(
        &self,
        indicator: &Indicator,
        days: (Day, Day),
        key: impl Fn(&Cell) -> K,
    ) -> FxHashMap<K, Tally> {
        let mut sums: FxHashMap<K, Tally> = FxHashMap::default();
        self.each(indicator, days, |cell| {
            let slot = sums.entry(key(cell)).or_default();
            *slot = slot.plus(cell.tally);
        });
        sums
    }
}

/// Everything there is, for whoever makes ready before somebody asks.
pub fn everything() -> Wanted {
    let scope = mj_kernel::Scope::everything(mj_kernel::DataLevel::Internal);
    Wanted { scopes: vec![scope], ..Wanted::default() }
}
