//! Versioned rule tables: a rule is a row with its legal basis and the days it holds, never a
//! constant in code.
//!
//! The house brings its tables as readable files (`crates/*/rules/*.toml`); each entry names a key,
//! a value, the basis and when it takes and loses effect.

use chrono::NaiveDate;
use serde::Deserialize;

use crate::error::{Error, Result};

/// One entry of a rule table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A stable name, printed in refusals.
    pub id: String,
    /// What the rule is about, e.g. `check_action/push`.
    pub key: String,
    pub value: String,
    /// The law, standard or notice it comes from.
    pub basis: String,
    pub valid_from: NaiveDate,
    /// The last day it holds; open if absent.
    pub valid_to: Option<NaiveDate>,
}

/// A named table of rules.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleTable {
    pub name: String,
    pub version: String,
    #[serde(rename = "rule")]
    rules: Vec<Rule>,
}

impl RuleTable {
    pub fn parse(text: &str) -> Result<Self> {
        let table: Self = toml::from_str(text)
            .map_err(|error| Error::Config(format!("规则表无法读取：{}", error.message())))?;
        for rule in &table.rules {
            if rule.valid_to.is_some_and(|to| to < rule.valid_from) {
                return Err(Error::Config(format!("规则 {} 的失效日早于生效日", rule.id)));
            }
        }
        Ok(table)
    }

    /// The rule for `key` on `day`: of several, the one that took effect last.
    pub fn on(&self, key: &str, day: NaiveDate) -> Option<&Rule> {
        self.rules
            .iter()
            .filter(|rule| rule.key == key && rule.valid_from <= day)
            .filter(|rule| rule.valid_to.is_none_or(|to| day <= to))
            .max_by_key(|rule| rule.valid_from)
    }

    pub fn all(&self) -> &[Rule] {
        &self.rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_the_day_is_found_also_years_later() {
        let table = RuleTable::parse(
            r#"
            name = "例"
            version = "1"
            [[rule]]
            id = "a1"
            key = "k"
            value = "5"
            basis = "旧办法"
            valid_from = "2020-01-01"
            valid_to = "2024-12-31"
            [[rule]]
            id = "a2"
            key = "k"
            value = "7"
            basis = "新办法"
            valid_from = "2025-01-01"
            "#,
        )
        .expect("a table");
        let on =
            |day: &str| table.on("k", day.parse().expect("a day")).map(|rule| rule.id.as_str());
        assert_eq!(on("2019-12-31"), None);
        assert_eq!(on("2024-12-31"), Some("a1"));
        assert_eq!(on("2026-01-01"), Some("a2"));
    }
}
