//! Giving the password again: how long it counts as proof, for acts that ask for one lately given. The degrees stand
//! in `access-matrix.tsv`, their minutes in `rules/step_up.toml`.

use std::sync::LazyLock;

use mj_kernel::Instant;
use mj_kernel::clock::beijing_date;
use mj_platform::rules::RuleTable;
use mj_web::Proof;

use crate::error::{Error, Result};

static RULES: LazyLock<mj_platform::Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../rules/step_up.toml")));

const MINUTE: i64 = 60 * 1_000_000;

/// Within how many minutes an act of this degree wants the password; `None`: it asks for none.
pub fn minutes(degree: Proof, now: Instant) -> Result<Option<i64>> {
    let key = match degree {
        Proof::Old => return Ok(None),
        Proof::Recent => "recent",
        Proof::Fresh => "fresh",
    };
    let rules = RULES.as_ref().map_err(|error| Error::Rules(error.to_string()))?;
    let rule = rules.on(key, beijing_date(now)).and_then(|rule| rule.value.parse().ok());
    rule.map(Some).ok_or_else(|| Error::Rules(format!("step_up {key}")))
}

/// What a password given then proves now.
pub fn proof(proven_at: Instant, now: Instant) -> Result<Proof> {
    for degree in [Proof::Fresh, Proof::Recent] {
        let counts = minutes(degree, now)?.unwrap_or(0) * MINUTE;
        if now < proven_at.saturating_add(counts) {
            return Ok(degree);
        }
    }
    Ok(Proof::Old)
}

#[cfg(test)]
mod tests {
    use mj_testkit::NOW;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_password_counts_five_minutes_for_every_act_and_thirty_for_row_after_row() {
        let after = |minutes: i64| proof(NOW, NOW + minutes * MINUTE).expect("the rules");
        assert_eq!([0, 4].map(after), [Proof::Fresh; 2]);
        assert_eq!([5, 29].map(after), [Proof::Recent; 2]);
        assert_eq!([30, 31, 720].map(after), [Proof::Old; 3]);
        assert_eq!(proof(0, NOW).expect("the rules"), Proof::Old, "never given");
    }

    proptest! {
        #[test]
        fn a_password_never_proves_more_as_time_goes_by(given in 0..NOW, now in NOW..2 * NOW, later in 0..86_400_000_000_i64) {
            prop_assert!(proof(given, now + later).expect("rules") <= proof(given, now).expect("rules"));
        }
    }
}
