//! The pure functions behind the indicators. Each walks the picture of the house once and tells, unit by
//! unit, what counts in the numerator and what in the denominator; sums, rankings and the rows behind a
//! figure all come from this one walk, so a figure and its rows cannot differ.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::rollup::latest_in;
use crate::rule::{Indicator, Measure};
use crate::world::{Day, NO_DAY, PartyIs, Record, Sieve, Word, World};

/// What a unit is, to find it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    Record {
        table: u16,
        at: u32,
    },
    Refused(u32),
    Claim(u32),
    Officer(u32),
    Account(u32),
    /// A table that a source owes.
    Owed {
        source: Word,
        table: u16,
    },
    Body(u32),
    Table(u16),
    Waiting(u32),
}

/// One thing that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    pub num: i64,
    pub den: i64,
    pub area: Word,
    pub agency: Word,
    /// `u16::MAX`: of no table.
    pub table: u16,
    /// The day by which it falls into the period.
    pub day: Day,
    pub of: Of,
}

pub const NO_TABLE: u16 = u16::MAX;

/// Numerator and denominator, summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub num: i64,
    pub den: i64,
}

impl Tally {
    pub fn add(&mut self, unit: &Unit) {
        self.num += unit.num;
        self.den += unit.den;
    }

    pub fn plus(self, other: Tally) -> Tally {
        Tally { num: self.num + other.num, den: self.den + other.den }
    }

    /// The quotient; `None` where there is nothing to divide by.
    pub fn quotient(self) -> Option<f64> {
        (self.den > 0).then(|| self.num as f64 / self.den as f64)
    }
}

/// What a walk is about.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    pub world: &'a World,
    pub indicator: &'a Indicator,
    pub sieve: &'a Sieve,
    /// First and last day.
    pub days: (Day, Day),
    /// Refused rows that came before this day should have been mended by now.
    pub mend_before: Day,
}

impl Walk<'_> {
    fn holds(&self, day: Day) -> bool {
        day != NO_DAY && (self.days.0..=self.days.1).contains(&day)
    }

    /// The tables that count here and that were asked for.
    pub fn tables(&self) -> impl Iterator<Item = u16> + '_ {
        (0..self.world.tables.len() as u16).filter(|table| {
            let name = &self.world.tables[usize::from(*table)].name;
            let counts = self.indicator.tables.is_empty() || self.indicator.tables.contains(name);
            counts && self.sieve.sees_table(*table)
        })
    }

    /// Every visible row of the tables that count, whatever its day.
    #[inline]
    fn records(&self, mut each: impl FnMut(u16, u32, &Record)) {
        for table in self.tables() {
            let rows = &self.world.records[usize::from(table)];
            for (at, record) in rows.rows.iter().enumerate() {
                if self.sieve.sees_source(record.source) && self.sieve.sees_record(rows, record) {
                    each(table, at as u32, record);
                }
            }
        }
    }

    /// Tells every unit once.
    pub fn visit(&self, mut each: impl FnMut(Unit)) {
        match self.indicator.measure {
            Measure::Collected => self.received(false, &mut each),
            Measure::Acts => self.records(|table, at, record| {
                if self.holds(record.event) {
                    each(unit_of(record, table, at, record.event, 1, 0));
                }
            }),
            Measure::Correct => {
                self.received(true, &mut each);
                self.refused(|_| true, 0, &mut each);
            }
            Measure::ErrorsOverdue => {
                self.refused(|received| received < self.mend_before, 1, &mut each)
            }
            Measure::Timeliness => self.records(|table, at, record| {
                if self.holds(record.event) && record.event <= record.received {
                    let days = i64::from(record.received - record.event) + 1;
                    each(unit_of(record, table, at, record.event, 1, days));
                }
            }),
            Measure::Coverage => self.coverage(None, &mut each),
            Measure::CoverageLegal => self.coverage(Some(PartyIs::Legal), &mut each),
            Measure::CoverageNatural => self.coverage(Some(PartyIs::Natural), &mut each),
            Measure::TablesUpdated => self.tables_updated(&mut each),
            Measure::BodiesWithData => self.bodies(&mut each),
            Measure::RequiredTables => self.required(&mut each),
            Measure::Accounts | Measure::AccountsActive => self.accounts(&mut each),
            Measure::OfficersRegistered | Measure::OfficersValid => self.officers(&mut each),
            Measure::WorkOverdue => self.waiting(&mut each),
        }
    }

    fn received(&self, counted_below: bool, each: &mut impl FnMut(Unit)) {
        self.records(|table, at, record| {
            if self.holds(record.received) {
                let day = record.received;
                each(unit_of(record, table, at, day, 1, i64::from(counted_below)));
            }
        });
    }

    fn refused(&self, wanted: impl Fn(Day) -> bool, num: i64, each: &mut impl FnMut(Unit)) {
        if self.sieve.has_main() {
            // what a refused row refers to is not known
            return;
        }
        let tables: FxHashSet<u16> = self.tables().collect();
        for (at, row) in self.world.refused.iter().enumerate() {
            // what is overdue is so whenever it came
            let in_period = num == 1 || self.holds(row.received);
            if in_period
                && wanted(row.received)
                && tables.contains(&row.table)
                && self.sieve.sees(row.area, row.agency)
                && self.sieve.sees_source(row.source)
            {
                each(Unit {
                    num,
                    den: i64::from(num == 0),
                    area: row.area,
                    agency: row.agency,
                    table: row.table,
                    day: row.received,
                    of: Of::Refused(at as u32),
                });
            }
        }
    }

    /// Main items of each body that its acts refer to, of all main items it has.
    fn coverage(&self, party: Option<PartyIs>, each: &mut impl FnMut(Unit)) {
        if self.sieve.is_narrowed() {
            return;
        }
        let days = self.world.days();
        let last = |claim: &crate::world::Claim| {
            let [legal, others] = days.of_main.get(&(claim.agency, claim.main))?;
            let legal = latest_in(legal, self.days);
            let others = latest_in(others, self.days);
            match party {
                None => legal.max(others),
                // whoever shows no credit code or registration counts as natural
                Some(PartyIs::Legal) => legal,
                Some(_) => others,
            }
        };
        for (at, claim) in self.world.claims.iter().enumerate() {
            let in_force = claim.from <= self.days.1 && self.days.1 <= claim.to;
            if in_force
                && self.sieve.sees_any(claim.area, claim.agency, &[claim.main])
                && self.sieve.sees(claim.area, claim.agency)
            {
                let acted = last(claim);
                each(Unit {
                    num: i64::from(acted.is_some()),
                    den: 1,
                    area: claim.area,
                    agency: claim.agency,
                    table: NO_TABLE,
                    day: acted.unwrap_or(NO_DAY),
                    of: Of::Claim(at as u32),
                });
            }
        }
    }

    /// (source, table) that brought something, of all that should.
    fn tables_updated(&self, each: &mut impl FnMut(Unit)) {
        let days = &self.world.days().of_source;
        for sender in &self.world.senders {
            let visible = self.sieve.sees(sender.area, sender.agency);
            if !sender.active
                || self.sieve.has_main()
                || !visible
                || !self.sieve.sees_source(sender.source)
            {
                continue;
            }
            let ever = |table: &u16| days.contains_key(&(sender.source, *table));
            let owed: Vec<u16> = match sender.tables.as_slice() {
                [] => (0..self.world.tables.len() as u16).filter(ever).collect(),
                named => named.to_vec(),
            };
            for table in owed.into_iter().filter(|table| self.sieve.sees_table(*table)) {
                let came = days.get(&(sender.source, table)).map(Vec::as_slice).unwrap_or_default();
                each(Unit {
                    num: i64::from(latest_in(came, self.days).is_some()),
                    den: 1,
                    area: sender.area,
                    agency: sender.agency,
                    table,
                    day: came.last().copied().unwrap_or(NO_DAY),
                    of: Of::Owed { source: sender.source, table },
                });
            }
        }
    }

    fn bodies(&self, each: &mut impl FnMut(Unit)) {
        if self.sieve.is_narrowed() {
            return;
        }
        let days = &self.world.days().of_body;
        for (at, body) in self.world.bodies.iter().enumerate() {
            let stands = body.from <= self.days.1 && self.days.1 <= body.to;
            if stands && self.sieve.sees(body.area, body.agency) {
                let came = days.get(&body.agency).map(Vec::as_slice).unwrap_or_default();
                let day = latest_in(came, self.days);
                each(Unit {
                    num: i64::from(day.is_some()),
                    den: 1,
                    area: body.area,
                    agency: body.agency,
                    table: NO_TABLE,
                    day: day.unwrap_or(NO_DAY),
                    of: Of::Body(at as u32),
                });
            }
        }
    }

    fn required(&self, each: &mut impl FnMut(Unit)) {
        for table in self.tables() {
            let rows = &self.world.records[usize::from(table)];
            let last = rows
                .rows
                .iter()
                .filter(|record| {
                    record.received <= self.days.1
                        && self.sieve.sees_record(rows, record)
                        && self.sieve.sees_source(record.source)
                })
                .map(|record| record.received)
                .max();
            each(Unit {
                num: i64::from(last.is_some()),
                den: 1,
                area: 0,
                agency: 0,
                table,
                day: last.unwrap_or(NO_DAY),
                of: Of::Table(table),
            });
        }
    }

    fn accounts(&self, each: &mut impl FnMut(Unit)) {
        if self.sieve.is_narrowed() {
            return;
        }
        let only_count = self.indicator.measure == Measure::Accounts;
        for (at, account) in self.world.accounts.iter().enumerate() {
            if account.opened <= self.days.1 && self.sieve.sees(account.area, account.agency) {
                let seen = account.seen.iter().copied().filter(|day| self.holds(*day)).max();
                each(Unit {
                    num: i64::from(only_count || seen.is_some()),
                    den: i64::from(!only_count),
                    area: account.area,
                    agency: account.agency,
                    table: NO_TABLE,
                    day: if only_count { account.opened } else { seen.unwrap_or(NO_DAY) },
                    of: Of::Account(at as u32),
                });
            }
        }
    }

    fn officers(&self, each: &mut impl FnMut(Unit)) {
        if self.sieve.is_narrowed() {
            return;
        }
        let end = self.days.1;
        for (at, officer) in self.world.officers.iter().enumerate() {
            if self.sieve.sees(officer.area, officer.agency) {
                let holds = match self.indicator.measure {
                    Measure::OfficersRegistered => officer.has_account,
                    _ => officer.certificates.iter().any(|(from, to)| (*from..=*to).contains(&end)),
                };
                let until = officer.certificates.iter().map(|(_, to)| *to).max();
                each(Unit {
                    num: i64::from(holds),
                    den: 1,
                    area: officer.area,
                    agency: officer.agency,
                    table: NO_TABLE,
                    day: until.unwrap_or(NO_DAY),
                    of: Of::Officer(at as u32),
                });
            }
        }
    }

    fn waiting(&self, each: &mut impl FnMut(Unit)) {
        if self.sieve.is_narrowed() {
            return;
        }
        for (at, item) in self.world.waiting.iter().enumerate() {
            let late = item.deadline != NO_DAY && item.deadline < self.world.today;
            if late && self.sieve.sees(item.area, item.agency) {
                each(Unit {
                    num: 1,
                    den: 0,
                    area: item.area,
                    agency: item.agency,
                    table: NO_TABLE,
                    day: item.deadline,
                    of: Of::Waiting(at as u32),
                });
            }
        }
    }

    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.visit(|unit| tally.add(&unit));
        tally
    }

    /// Sums by whatever `key` says of a unit.
    pub fn by<K: Eq + std::hash::Hash>(&self, key: impl Fn(&Unit) -> K) -> FxHashMap<K, Tally> {
        let mut sums: FxHashMap<K, Tally> = FxHashMap::default();
        self.visit(|unit| sums.entry(key(&unit)).or_default().add(&unit));
        sums
    }

    /// The units behind one side of the figure: how many, what they add up to, and so many of them after
    /// `skip`, the newest first.
    pub fn rows(&self, part: Part, skip: usize, limit: usize) -> (usize, i64, Vec<Unit>) {
        let mut units = Vec::new();
        let mut sum = 0;
        self.visit(|unit| {
            let weight = part.weight(&unit);
            if weight > 0 {
                sum += weight;
                units.push(unit);
            }
        });
        let count = units.len();
        let place = |unit: &Unit| (std::cmp::Reverse(unit.day), unit.of);
        let end = skip.saturating_add(limit).min(count);
        if end < count {
            // a page of many rows: what comes after it need not be in order
            units.select_nth_unstable_by_key(end, place);
            units.truncate(end);
        }
        units.sort_unstable_by_key(place);
        units.drain(..skip.min(end));
        (count, sum, units)
    }
}

pub(crate) fn unit_of(record: &Record, table: u16, at: u32, day: Day, num: i64, den: i64) -> Unit {
    Unit {
        num,
        den,
        area: record.area,
        agency: record.agency,
        table,
        day,
        of: Of::Record { table, at },
    }
}

/// One side of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Numerator,
    Denominator,
    /// What counts below and not above: errors, silent items, tables without news.
    Gap,
}

impl Part {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "numerator" => Some(Self::Numerator),
            "denominator" => Some(Self::Denominator),
            "gap" => Some(Self::Gap),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Numerator => "numerator",
            Self::Denominator => "denominator",
            Self::Gap => "gap",
        }
    }

    /// How much a unit counts on this side.
    pub fn weight(self, unit: &Unit) -> i64 {
        match self {
            Self::Numerator => unit.num,
            Self::Denominator => unit.den,
            Self::Gap => (unit.den - unit.num).max(0),
        }
    }
}
