//! The indicators as a versioned rule table: what is counted, by which formula, from where, since when,
//! and how sure we are of it. A figure is never shown without its row of this table.

use chrono::NaiveDate;
use mj_platform::rules::RuleTable;
use serde::Deserialize;

use crate::error::{Error, Result};

/// Which pure function computes an indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    Collected,
    Acts,
    Correct,
    Coverage,
    CoverageLegal,
    CoverageNatural,
    Timeliness,
    Accounts,
    AccountsActive,
    OfficersRegistered,
    OfficersValid,
    TablesUpdated,
    BodiesWithData,
    RequiredTables,
    WorkOverdue,
    ErrorsOverdue,
}

impl Measure {
    /// Whether the figures of parts add up to the figure of the whole. A required table that two
    /// counties fill is one table.
    pub fn is_additive(self) -> bool {
        self != Self::RequiredTables
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Percent,
    Count,
    /// A quotient of which 1 is the best.
    Index,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Count => "count",
            Self::Index => "index",
        }
    }
}

/// By which day something falls into a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayOf {
    Received,
    Event,
    /// The standing at the period's end.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    #[default]
    Higher,
    Lower,
}

/// How sure we are of a formula (domain.md's marks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Confidence {
    /// Read in the source.
    C,
    /// Known from common practice.
    K,
    /// Ours, after the name the source gives.
    I,
    /// Unknown.
    U,
}

impl Confidence {
    pub fn title(self) -> &'static str {
        match self {
            Self::C => "公式见于来源",
            Self::K => "通行口径，待核原文",
            Self::I => "来源只有名称，口径为本平台所定",
            Self::U => "口径未定",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::C => "C",
            Self::K => "K",
            Self::I => "I",
            Self::U => "U",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indicator {
    pub id: String,
    pub name: String,
    pub unit: Unit,
    pub formula: String,
    pub numerator: String,
    /// Absent where the figure is a plain count.
    pub denominator: Option<String>,
    /// What counts below and not above is called.
    pub gap: Option<String>,
    pub measure: Measure,
    pub day: DayOf,
    /// Which tables count; none named: all.
    #[serde(default)]
    pub tables: Vec<String>,
    #[serde(default)]
    pub better: Better,
    pub source: String,
    pub confidence: Confidence,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
    pub target: Option<f64>,
    pub target_basis: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[expect(dead_code, reason = "for whoever reads the file")]
    name: String,
    version: String,
    #[serde(rename = "indicator")]
    indicators: Vec<Indicator>,
}

/// All rows, and the terms beside them.
#[derive(Debug, Clone)]
pub struct Rules {
    pub version: String,
    indicators: Vec<Indicator>,
    terms: RuleTable,
}

impl Rules {
    /// The house's own tables.
    pub fn bundled() -> Result<Self> {
        Self::parse(include_str!("../rules/indicators.toml"), include_str!("../rules/terms.toml"))
    }

    pub fn parse(indicators: &str, terms: &str) -> Result<Self> {
        let table: Table = toml::from_str(indicators)
            .map_err(|error| Error::Rules(format!("指标表无法读取：{}", error.message())))?;
        for (at, one) in table.indicators.iter().enumerate() {
            let twice = table.indicators[..at].iter().any(|other| {
                other.id == one.id && other.valid_to.is_none_or(|to| to >= one.valid_from)
            });
            if twice {
                return Err(Error::Rules(format!("指标 {} 在同一日有两行", one.id)));
            }
            if (one.unit == Unit::Count) != one.denominator.is_none() {
                return Err(Error::Rules(format!("指标 {} 的分母与单位不符", one.id)));
            }
            if one.target.is_some() != one.target_basis.is_some() {
                return Err(Error::Rules(format!("指标 {} 的目标没有依据", one.id)));
            }
        }
        Ok(Self {
            version: table.version,
            indicators: table.indicators,
            terms: RuleTable::parse(terms)?,
        })
    }

    /// The rows in force on a day, in the order of the file.
    pub fn on(&self, day: NaiveDate) -> impl Iterator<Item = &Indicator> {
        self.indicators
            .iter()
            .filter(move |one| one.valid_from <= day && one.valid_to.is_none_or(|to| day <= to))
    }

    pub fn find(&self, id: &str, day: NaiveDate) -> Result<&Indicator> {
        self.on(day).find(|one| one.id == id).ok_or(Error::UnknownIndicator)
    }

    /// A number of the terms table on a day.
    pub fn term(&self, key: &str, day: NaiveDate) -> Result<u32> {
        let rule = self.terms.on(key, day);
        rule.and_then(|rule| rule.value.parse().ok())
            .ok_or_else(|| Error::Rules(format!("期限规则 {key} 当日没有数值")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_house_has_a_source_and_ids_are_unique() {
        let rules = Rules::bundled().expect("the tables parse");
        let day = "2026-11-20".parse().expect("a day");
        let ids: Vec<&str> = rules.on(day).map(|one| one.id.as_str()).collect();
        for wanted in ["C01", "K04", "K04a", "K05", "K06", "K15a", "K16", "K17", "K19a"] {
            assert!(ids.contains(&wanted), "{wanted} is missing");
        }
        assert!(rules.on(day).all(|one| !one.source.is_empty()));
        assert!(rules.term("mend_working_days", day).is_ok());
        assert!(matches!(rules.find("K99", day), Err(Error::UnknownIndicator)));
    }
}
