//! The same fault in many rows, mended once: groups of open error rows with what could be proposed for each,
//! a preview that judges every row anew, and a job that brings the good ones back through the ordinary door.
//!
//! Nothing is guessed silently: a proposal is shown before and after, a person applies it with a reason,
//! and for some seconds may think better of it. Start reading at [`fix`].

pub mod checker;
pub mod fix;
pub mod groups;
pub mod run;

use std::sync::LazyLock;

use chrono::NaiveDate;
use mj_platform::calendar::{Calendar, DayUnit};
use mj_platform::rules::RuleTable;

static RULES: LazyLock<mj_platform::Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../../rules/repair.toml")));

/// A number of the rule table on a day.
pub fn rule_number(key: &str, on: NaiveDate) -> mj_platform::Result<u32> {
    let broken = |what: String| mj_platform::Error::Config(what);
    let rules = RULES.as_ref().map_err(|error| broken(error.to_string()))?;
    let rule = rules.on(key, on).ok_or_else(|| broken(format!("没有规则 {key}")))?;
    rule.value.parse().map_err(|_| broken(format!("规则 {} 的取值不是数字", rule.id)))
}

/// The last day for mending what was settled on this day.
pub fn deadline(settled: NaiveDate) -> mj_platform::Result<NaiveDate> {
    let days = rule_number("term_days", settled)?;
    Ok(Calendar::bundled().deadline(settled, days, DayUnit::Working))
}
