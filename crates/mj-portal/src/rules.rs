//! How long something is shown and how often somebody may write: rows of a rule table with their
//! basis, never constants.

use std::sync::LazyLock;

use chrono::{Months, NaiveDate};
use mj_platform::rules::{Rule, RuleTable};

static RULES: LazyLock<mj_platform::Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../rules/publication.toml")));

fn rule(key: &str, day: NaiveDate) -> mj_platform::Result<Option<&'static Rule>> {
    let table = RULES.as_ref().map_err(|error| mj_platform::Error::Config(error.to_string()))?;
    Ok(table.on(key, day))
}

fn number(rule: &Rule) -> mj_platform::Result<u32> {
    let wrong = |_| mj_platform::Error::Config(format!("规则 {} 的取值不是整数", rule.id));
    rule.value.parse().map_err(wrong)
}

/// The last day a line of the public record is shown; `None`: as long as it is kept.
pub fn shown_until(
    table: &str,
    happened: NaiveDate,
    today: NaiveDate,
) -> mj_platform::Result<Option<NaiveDate>> {
    let Some(rule) = rule(&format!("shown/{table}"), today)? else { return Ok(None) };
    Ok(happened.checked_add_months(Months::new(number(rule)?)))
}

/// The last day an exposure of such a behaviour is shown, and the rule that says so.
pub fn exposed_until(
    table: &str,
    happened: Option<NaiveDate>,
    published: NaiveDate,
) -> mj_platform::Result<Option<(NaiveDate, &'static str)>> {
    let Some(rule) = rule(&format!("exposure/{table}"), published)? else { return Ok(None) };
    let Some(own) = published.checked_add_months(Months::new(number(rule)?)) else {
        return Ok(None);
    };
    let line = match happened {
        Some(happened) => shown_until(table, happened, published)?,
        None => None,
    };
    Ok(Some((line.map_or(own, |line| line.min(own)), rule.id.as_str())))
}

/// The basis of a rule, for whoever asks why.
pub fn basis(id: &str) -> Option<&'static str> {
    let table = RULES.as_ref().ok()?;
    table.all().iter().find(|rule| rule.id == id).map(|rule| rule.basis.as_str())
}

/// How often an hour one source address may do this.
pub fn most_an_hour(what: &str, today: NaiveDate) -> mj_platform::Result<u32> {
    match rule(&format!("limit/{what}"), today)? {
        Some(rule) => number(rule),
        None => Err(mj_platform::Error::Config(format!("规则表中没有 limit/{what}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn an_exposure_ends_by_the_table_and_never_after_the_line_it_is_about() {
        let until = |table, happened: &str| {
            exposed_until(table, Some(day(happened)), day("2026-11-20")).expect("rules parse")
        };
        let (end, rule) = until("punish_action", "2026-10-01").expect("a term");
        assert_eq!((end, rule), (day("2027-11-20"), "portal.exposure.punish_action"));
        assert!(basis(rule).is_some_and(|basis| basis.contains("22号")));
        assert_eq!(until("punish_action", "2024-01-31").expect("a term").0, day("2027-01-31"));
        assert_eq!(until("check_action", "2024-01-31").expect("a term").0, day("2027-02-20"));
        assert_eq!(until("object_enterprise", "2024-01-31"), None);
        assert_eq!(most_an_hour("correction", day("2026-11-20")).expect("a limit"), 6);
    }
}
