//! Chance that is the same on every machine: one named stream of ChaCha8 for each part of the city, so that a change
//! in one part does not shift all others.

use chrono::{Datelike, Duration, NaiveDate, Weekday};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64, stream: &str) -> Self {
        // FNV-1a: stable, and good enough to tell names apart
        let name = stream.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| {
            (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
        Self(ChaCha8Rng::seed_from_u64(seed ^ name))
    }

    /// `0..n`; 0 when there is nothing to choose from.
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }

    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as usize) as i64
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// An index drawn after weights.
    pub fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let total: u32 = weights.clone().sum();
        let mut left = self.below(total as usize) as u32;
        for (at, weight) in weights.enumerate() {
            if left < weight {
                return at;
            }
            left -= weight;
        }
        0
    }

    /// An index that favours the first: a few enterprises meet the inspectors often, most seldom.
    pub fn skewed(&mut self, n: usize) -> usize {
        let unit = self.below(1 << 20) as f64 / f64::from(1 << 20);
        ((unit.powf(1.6)) * n as f64) as usize
    }

    pub fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    pub fn day(&mut self, first: NaiveDate, last: NaiveDate) -> NaiveDate {
        first + Duration::days(self.between(0, (last - first).num_days()))
    }

    /// Most acts happen from Monday to Friday.
    pub fn working_day(&mut self, first: NaiveDate, last: NaiveDate) -> NaiveDate {
        let day = self.day(first, last);
        match day.weekday() {
            Weekday::Sat | Weekday::Sun if !self.chance(8) && day - Duration::days(2) >= first => {
                day - Duration::days(2)
            }
            _ => day,
        }
    }
}
