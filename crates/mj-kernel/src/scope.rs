//! What part of the world a grant holds for: region subtree × agencies × item categories × level.
//!
//! A scope is data; the store turns it into a typed predicate (`mj_platform::db::scope_predicate`)
//! and this module says the same thing for one row at a time, so that a property test can compare.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// How sensitive a value is (数据级别).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataLevel {
    /// May stand on the portal.
    Public,
    /// For government staff at work.
    Internal,
    /// Personal data, masked unless revealed.
    Personal,
}

/// A set of names, or all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgencySet {
    All,
    Only(BTreeSet<String>),
}

impl AgencySet {
    pub fn only<I: IntoIterator<Item = S>, S: Into<String>>(names: I) -> Self {
        Self::Only(names.into_iter().map(Into::into).collect())
    }

    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }

    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::All) => true,
            (Self::All, Self::Only(_)) => false,
            (Self::Only(names), Self::Only(others)) => names.is_subset(others),
        }
    }
}

/// The part of the world a grant holds for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Region subtrees, each by its 6-digit division code (370000, 370400, 370402); empty = none.
    pub areas: Vec<String>,
    /// Agencies by unified social credit code.
    pub agencies: AgencySet,
    /// Item categories by their 2-digit department line.
    pub item_lines: AgencySet,
    pub level: DataLevel,
}

impl Scope {
    /// Everything, at the given level. Only for the house itself and for tests.
    pub fn everything(level: DataLevel) -> Self {
        Self {
            areas: vec!["000000".into()],
            agencies: AgencySet::All,
            item_lines: AgencySet::All,
            level,
        }
    }

    /// What the public may see.
    pub fn public() -> Self {
        Self::everything(DataLevel::Public)
    }

    /// The leading digits that every code in the subtree of `area` shares: 37, 3704, 370402, "".
    pub fn area_prefix(area: &str) -> &str {
        let code = &area[..area.len().min(6)];
        if code == "000000" {
            ""
        } else if code.ends_with("0000") {
            &code[..2]
        } else if code.ends_with("00") {
            &code[..4]
        } else {
            area.trim_end_matches("000000")
        }
    }

    /// An unknown area belongs to nobody but those who see the whole country.
    pub fn covers_area(&self, area: Option<&str>) -> bool {
        self.areas.iter().any(|own| {
            let prefix = Self::area_prefix(own);
            prefix.is_empty() || area.is_some_and(|code| code.starts_with(prefix))
        })
    }

    /// Whether one of the items that a thing names is of a line of this scope. What names none is seen
    /// by those alone who are not held to lines.
    pub fn covers_items(&self, codes: Option<&str>) -> bool {
        match &self.item_lines {
            AgencySet::All => true,
            lines => {
                codes.is_some_and(|codes| lines_of_items(codes).any(|line| lines.covers(line)))
            }
        }
    }

    /// Whether all that this scope reaches is reached by the other, whatever the levels.
    pub fn is_within(&self, other: &Self) -> bool {
        self.areas.iter().all(|area| other.covers_area(Some(area)))
            && self.agencies.is_within(&other.agencies)
            && self.item_lines.is_within(&other.item_lines)
    }

    pub fn covers(&self, area: Option<&str>, agency: Option<&str>) -> bool {
        self.covers_area(area)
            && match agency {
                Some(agency) => self.agencies.covers(agency),
                None => self.agencies == AgencySet::All,
            }
    }
}

/// The department line of an item is the beginning of its code.
pub const LINE: usize = 2;

/// The lines of item codes joined by `;`, one a code.
pub fn lines_of_items(codes: &str) -> impl Iterator<Item = &str> {
    codes.split(';').filter_map(|code| code.trim().get(..LINE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_city_sees_its_counties_and_not_its_neighbour() {
        let scope = Scope {
            areas: vec!["370400".into()],
            agencies: AgencySet::All,
            item_lines: AgencySet::All,
            level: DataLevel::Internal,
        };
        assert!(scope.covers_area(Some("370481")));
        assert!(scope.covers_area(Some("370402001")));
        assert!(!scope.covers_area(Some("370500")));
        assert!(!scope.covers_area(None));
        assert!(Scope::public().covers_area(None));
    }

    #[test]
    fn a_joint_check_is_the_business_of_each_of_its_lines() {
        let of = |lines| Scope { item_lines: lines, ..Scope::everything(DataLevel::Internal) };
        let both = Some("31010001000001;16010001000001");
        assert!(of(AgencySet::only(["16"])).covers_items(both));
        assert!(!of(AgencySet::only(["17"])).covers_items(both));
        assert!(of(AgencySet::All).covers_items(None));
        assert!(!of(AgencySet::only(["16"])).covers_items(None));
    }

    fn any_scope() -> impl proptest::strategy::Strategy<Value = Scope> {
        use proptest::prelude::*;
        let some = |all: &'static [&'static str]| {
            let few = prop::sample::subsequence(all.to_vec(), 0..=all.len());
            prop::option::of(few).prop_map(|few| few.map_or(AgencySet::All, AgencySet::only))
        };
        let areas = ["000000", "370000", "370400", "370402", "410700"];
        let areas = prop::sample::subsequence(areas.to_vec(), 1..3);
        (areas, some(&["A", "B"]), some(&["31", "16"])).prop_map(|(areas, agencies, item_lines)| {
            let areas = areas.into_iter().map(str::to_owned).collect();
            Scope { areas, agencies, item_lines, level: DataLevel::Internal }
        })
    }

    proptest::proptest! {
        /// Whoever answers for a scope answers for every thing in it.
        #[test]
        fn what_is_within_another_reaches_nothing_that_the_other_does_not(
            inner in any_scope(),
            outer in any_scope(),
            area in proptest::sample::select(vec!["370402001", "370481", "370000", "410700", "120000"]),
            agency in proptest::option::of(proptest::sample::select(vec!["A", "B", "C"])),
            line in proptest::sample::select(vec!["31", "16", "12"]),
        ) {
            let reaches =
                |scope: &Scope| scope.covers(Some(area), agency) && scope.item_lines.covers(line);
            proptest::prop_assert!(inner.is_within(&inner));
            if inner.is_within(&outer) && reaches(&inner) {
                proptest::prop_assert!(reaches(&outer));
            }
        }
    }
}
