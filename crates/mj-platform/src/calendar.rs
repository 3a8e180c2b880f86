//! Working days on the real calendar: public holidays and the weekends worked in exchange.
//!
//! A period starts the day after the event and, if its last day is a rest day, runs on to the next
//! working day (行政处罚法 85, 行政强制法 69). Whether days are working days or natural days is said by
//! the rule table of whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde::Deserialize;

/// The years of which the State Council's arrangement is known.
#[derive(Debug, Clone)]
pub struct Calendar {
    years: BTreeMap<i32, Year>,
}

#[derive(Debug, Clone, Deserialize)]
struct Year {
    year: i32,
    off: BTreeSet<NaiveDate>,
    work: BTreeSet<NaiveDate>,
}

#[derive(Deserialize)]
struct Holidays {
    year: Vec<Year>,
}

/// How the days of a period are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayUnit {
    /// 工作日
    Working,
    /// 自然日
    Natural,
}

impl Calendar {
    /// The calendar bundled with this version.
    pub fn bundled() -> &'static Self {
        static CALENDAR: LazyLock<Calendar> = LazyLock::new(|| {
            let file: Holidays = toml::from_str(include_str!("../data/holidays.toml"))
                .expect("the bundled calendar is well-formed, as a test shows");
            Calendar { years: file.year.into_iter().map(|year| (year.year, year)).collect() }
        });
        &CALENDAR
    }

    /// Whether the arrangement of that year is known; if not, weekends alone are taken as rest days
    /// and whoever shows a deadline should say so.
    pub fn knows(&self, year: i32) -> bool {
        self.years.contains_key(&year)
    }

    pub fn is_working_day(&self, day: NaiveDate) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        match self.years.get(&day.year()) {
            Some(year) => year.work.contains(&day) || (!weekend && !year.off.contains(&day)),
            None => !weekend,
        }
    }

    /// The last day of a period of `amount` days that an event on `start` sets going.
    pub fn deadline(&self, start: NaiveDate, amount: u32, unit: DayUnit) -> NaiveDate {
        let mut day = start;
        match unit {
            DayUnit::Natural => day = day + Days::new(u64::from(amount)),
            DayUnit::Working => {
                let mut left = amount;
                while left > 0 {
                    day = day + Days::new(1);
                    left -= u32::from(self.is_working_day(day));
                }
            }
        }
        while !self.is_working_day(day) {
            day = day + Days::new(1);
        }
        day
    }

    /// Working days after `from` up to and including `to`; negative when `to` lies before.
    pub fn working_days_between(&self, from: NaiveDate, to: NaiveDate) -> i64 {
        if to < from {
            return -self.working_days_between(to, from);
        }
        let days = from.iter_days().skip(1).take_while(|day| *day <= to);
        days.filter(|day| self.is_working_day(*day)).count() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn seven_working_days_over_the_national_day_of_2025() {
        let calendar = Calendar::bundled();
        // decided on 26 September; 28 September and 11 October are worked, 1-8 October are not
        assert_eq!(calendar.deadline(day("2025-09-26"), 7, DayUnit::Working), day("2025-10-13"));
        assert!(calendar.is_working_day(day("2025-09-28")));
        assert!(!calendar.is_working_day(day("2025-10-08")));
    }

    #[test]
    fn a_period_of_natural_days_that_ends_in_a_holiday_rolls_on() {
        let end = Calendar::bundled().deadline(day("2025-09-01"), 30, DayUnit::Natural);
        assert_eq!(end, day("2025-10-09"));
    }

    proptest! {
        #[test]
        fn a_working_day_deadline_is_a_working_day_that_many_away(
            offset in 0u64..3_000, amount in 1u32..90,
        ) {
            let calendar = Calendar::bundled();
            let start = day("2018-01-01") + Days::new(offset);
            let end = calendar.deadline(start, amount, DayUnit::Working);
            prop_assert!(calendar.is_working_day(end));
            prop_assert_eq!(calendar.working_days_between(start, end), i64::from(amount));
        }
    }
}
