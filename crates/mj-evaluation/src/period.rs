//! Periods: a month, a quarter, the year to date, or from one day to another; and the one before it.

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::error::{Error, Result};
use crate::world::{Day, day_of};

/// Which stretch of days a figure is for; both ends count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Month,
    Quarter,
    /// The year up to today.
    Year,
    Range,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
            Self::Range => "range",
        }
    }
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

fn first_of_quarter(day: NaiveDate) -> NaiveDate {
    let month = day.month0() / 3 * 3 + 1;
    NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day)
}

fn before(day: NaiveDate) -> NaiveDate {
    day - Days::new(1)
}

/// Ten years: longer is no period but a mistake.
const LONGEST_DAYS: i64 = 3_660;

impl Period {
    pub fn named(kind: &str, today: NaiveDate) -> Result<Self> {
        let (from, kind) = match kind {
            "month" => (first_of_month(today), Kind::Month),
            "quarter" => (first_of_quarter(today), Kind::Quarter),
            "year" => (NaiveDate::from_ymd_opt(today.year(), 1, 1).unwrap_or(today), Kind::Year),
            _ => {
                return Err(Error::Request(
                    "period 应为 month、quarter、year，或用 from 与 to 指定起止日期".into(),
                ));
            }
        };
        Ok(Self { from, to: today, kind })
    }

    pub fn between(from: &str, to: &str) -> Result<Self> {
        let day = |text: &str| -> Result<NaiveDate> {
            text.parse().map_err(|_| Error::Request("起止日期应写作 2026-01-31".into()))
        };
        let (from, to) = (day(from)?, day(to)?);
        if to < from || (to - from).num_days() > LONGEST_DAYS {
            return Err(Error::Request("止日应不早于起日，且相距不超过十年".into()));
        }
        Ok(Self { from, to, kind: Kind::Range })
    }

    /// The same stretch of the period before: last month up to the same day, last quarter, last year;
    /// of a range as many days right before it.
    pub fn previous(&self) -> Self {
        let back = |months: u32| {
            let from = self.from.checked_sub_months(Months::new(months)).unwrap_or(self.from);
            let to = self.to.checked_sub_months(Months::new(months)).unwrap_or(self.from);
            // a month that is over is compared with the whole month before
            let whole = first_of_month(self.to + Days::new(1)) == self.to + Days::new(1);
            let to = if whole { before(first_of_month(to) + Months::new(1)) } else { to };
            (from, to)
        };
        let (from, to) = match self.kind {
            Kind::Month => back(1),
            Kind::Quarter => back(3),
            Kind::Year => back(12),
            Kind::Range => {
                let days = Days::new((self.to - self.from).num_days().unsigned_abs() + 1);
                (self.from - days, self.to - days)
            }
        };
        Self { from, to, kind: Kind::Range }
    }

    pub fn days(&self) -> (Day, Day) {
        (day_of(self.from), day_of(self.to))
    }

    pub fn title(&self) -> String {
        let (y, m) = (self.from.year(), self.from.month());
        match self.kind {
            Kind::Month => format!("{y}年{m}月"),
            Kind::Quarter => format!("{y}年第{}季度", (m - 1) / 3 + 1),
            Kind::Year => format!("{y}年截至{}月{}日", self.to.month(), self.to.day()),
            Kind::Range => format!("{}至{}", self.from, self.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn a_period_is_compared_with_the_same_stretch_before() {
        let said = |kind: &str, today: &str| {
            let period = Period::named(kind, day(today)).expect("a period");
            let before = period.previous();
            format!("{}..{} / {}..{}", period.from, period.to, before.from, before.to)
        };
        assert_eq!(said("month", "2026-11-20"), "2026-11-01..2026-11-20 / 2026-10-01..2026-10-20");
        assert_eq!(said("month", "2026-02-28"), "2026-02-01..2026-02-28 / 2026-01-01..2026-01-31");
        assert_eq!(
            said("quarter", "2026-11-20"),
            "2026-10-01..2026-11-20 / 2026-07-01..2026-08-20"
        );
        assert_eq!(said("year", "2026-11-20"), "2026-01-01..2026-11-20 / 2025-01-01..2025-11-20");
        let range = Period::between("2026-11-01", "2026-11-10").expect("a range").previous();
        assert_eq!((range.from, range.to), (day("2026-10-22"), day("2026-10-31")));
        assert!(Period::between("2026-11-10", "2026-11-01").is_err());
        assert!(Period::between("0001-01-01", "2026-11-01").is_err());
        assert!(Period::named("week", day("2026-11-20")).is_err());
    }
}
