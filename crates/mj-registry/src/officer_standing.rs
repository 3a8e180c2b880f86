//! How a certificate stands on a day, and the same said in SQL for whole lists. The days before an end
//! that count as "soon", and how many officers the law wants, are rows of a rule table.

use std::sync::LazyLock;

use chrono::{Days, NaiveDate};
use mj_platform::Value;
use mj_platform::rules::RuleTable;

static RULES: LazyLock<RuleTable> = LazyLock::new(|| {
    RuleTable::parse(include_str!("../rules/officers.toml"))
        .expect("the checked-in rules parse: a test of this crate reads them")
});

/// A number of the rule table as it stands that day.
pub fn rule(key: &str, day: NaiveDate, otherwise: i64) -> (i64, String) {
    match RULES.on(key, day) {
        Some(rule) => (rule.value.parse().unwrap_or(otherwise), rule.basis.clone()),
        None => (otherwise, String::new()),
    }
}

const STANDINGS: [(&str, &str); 5] = [
    ("in_force", "有效"),
    ("expiring", "即将到期"),
    ("expired", "已过期"),
    ("suspended", "暂停"),
    ("withdrawn", "已收回"),
];

pub fn standing_title(name: &str) -> &'static str {
    STANDINGS.iter().find(|(own, _)| *own == name).map_or("", |(_, title)| title)
}

/// Today, and the day from which a certificate no longer counts as expiring.
pub struct Horizon {
    pub today: String,
    pub soon: String,
}

impl Horizon {
    pub fn of(day: NaiveDate) -> Self {
        let (days, _) = rule("expiring_days", day, 90);
        let soon = day.checked_add_days(Days::new(u64::try_from(days).unwrap_or(90)));
        Self { today: day.to_string(), soon: soon.unwrap_or(day).to_string() }
    }

    pub fn standing(&self, until: Option<&str>, in_use: bool, suspended: bool) -> &'static str {
        let until = until.unwrap_or("9999-12-31");
        match (in_use, suspended) {
            (false, _) => "withdrawn",
            (true, _) if until < self.today.as_str() => "expired",
            (true, true) => "suspended",
            (true, false) if until <= self.soon.as_str() => "expiring",
            _ => "in_force",
        }
    }
}

/// Officers with the best of their certificates: `until`, and `standing`.
pub fn with_standing(days: &Horizon, args: &mut Vec<Value>) -> String {
    args.push(days.today.as_str().into());
    let today = args.len();
    args.push(days.soon.as_str().into());
    let soon = args.len();
    format!(
        "(SELECT o.*, b.best, CASE WHEN b.best > ${soon} THEN 'in_force' \
         WHEN b.best >= ${today} THEN 'expiring' WHEN b.held IS NOT NULL AND b.held >= ${today} \
         THEN 'suspended' WHEN b.best IS NOT NULL OR b.held IS NOT NULL THEN 'expired' \
         ELSE 'withdrawn' END AS standing FROM officer o LEFT JOIN (SELECT c.officer_id, \
         MAX(CASE WHEN c.status = 'in_use' AND s.certificate_no IS NULL \
         THEN COALESCE(c.valid_until, '9999-12-31') END) AS best, \
         MAX(CASE WHEN c.status = 'in_use' AND s.certificate_no IS NOT NULL \
         THEN COALESCE(c.valid_until, '9999-12-31') END) AS held \
         FROM officer_certificate c LEFT JOIN (SELECT DISTINCT certificate_no \
         FROM officer_suspension WHERE lifted_at = 0 AND from_day <= ${today} \
         AND to_day >= ${today}) s ON s.certificate_no = c.certificate_no \
         GROUP BY c.officer_id) b ON b.officer_id = o.id)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_counts_to_its_last_day_and_warns_ninety_days_before() {
        let days = Horizon::of("2026-11-20".parse().expect("a day"));
        assert_eq!(days.soon, "2027-02-18");
        let of = |until: Option<&str>, suspended| days.standing(until, true, suspended);
        assert_eq!(of(Some("2026-11-20"), false), "expiring");
        assert_eq!(of(Some("2026-11-19"), false), "expired");
        assert_eq!(of(Some("2027-02-19"), false), "in_force");
        assert_eq!(of(None, false), "in_force");
        assert_eq!(of(Some("2027-02-19"), true), "suspended");
        assert_eq!(days.standing(None, false, false), "withdrawn");
        let (fewest, basis) = rule("fewest_officers", "2026-01-01".parse().expect("a day"), 0);
        assert!(fewest == 2 && basis.contains("第四十二条"));
    }
}
