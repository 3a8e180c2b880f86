//! A month of the Beijing calendar, and until when its report is to be signed.

use std::sync::LazyLock;

use chrono::{Datelike, Days, Months, NaiveDate};
use mj_kernel::Instant;
use mj_kernel::clock::{beijing_date, parse_instant};
use mj_platform::calendar::{Calendar, DayUnit};
use mj_platform::rules::RuleTable;
use mj_platform::{Error, Result};

static RULES: LazyLock<Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../../../rules/audit.toml")));

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    first: NaiveDate,
}

impl Month {
    /// `2026-10`, as it stands in addresses.
    pub fn parse(text: &str) -> Option<Self> {
        let is_form = text.len() == 7 && text.as_bytes().get(4) == Some(&b'-');
        let first = format!("{text}-01").parse().ok().filter(|_| is_form)?;
        Some(Self { first })
    }

    /// The month an instant falls in.
    pub fn of(at: Instant) -> Self {
        let day = beijing_date(at);
        Self { first: day.with_day(1).unwrap_or(day) }
    }

    pub fn name(self) -> String {
        self.first.format("%Y-%m").to_string()
    }

    pub fn title(self) -> String {
        format!("{}年{}月", self.first.year(), self.first.month())
    }

    pub fn next(self) -> Self {
        Self { first: self.first.checked_add_months(Months::new(1)).unwrap_or(self.first) }
    }

    pub fn first_day(self) -> NaiveDate {
        self.first
    }

    pub fn last_day(self) -> NaiveDate {
        let next = self.next().first;
        next.checked_sub_days(Days::new(1)).unwrap_or(next)
    }

    /// Its first instant.
    pub fn from(self) -> Instant {
        parse_instant(&self.first.to_string()).unwrap_or_default()
    }

    /// The first instant after it.
    pub fn until(self) -> Instant {
        self.next().from()
    }

    pub fn is_over(self, now: Instant) -> bool {
        now >= self.until()
    }

    /// The last day on which its report is signed in time, by the rule that holds when it is over.
    pub fn deadline(self) -> Result<NaiveDate> {
        let rules = RULES.as_ref().map_err(|error| Error::Config(error.to_string()))?;
        let rule = rules.on("report/working_days", self.next().first);
        let days = rule.and_then(|rule| rule.value.parse::<u32>().ok());
        let days = days.ok_or_else(|| Error::Config("规则表缺少 report/working_days".into()))?;
        Ok(Calendar::bundled().deadline(self.last_day(), days, DayUnit::Working))
    }

    /// On what the deadline is based.
    pub fn basis(self) -> Option<&'static str> {
        let rules = RULES.as_ref().ok()?;
        rules.on("report/working_days", self.next().first).map(|rule| rule.basis.as_str())
    }
}
