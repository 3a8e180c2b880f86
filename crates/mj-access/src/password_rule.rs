//! What a password must be: the profile's rows of `rules/password.toml` and the list of passwords that are
//! guessed first. Pure; says everything that is missing at once, in words.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chrono::NaiveDate;
use mj_kernel::Instant;
use mj_platform::rules::RuleTable;

use crate::error::{Error, Result};

static RULES: LazyLock<mj_platform::Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../rules/password.toml")));

static COMMON: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("../data/common-passwords.txt").lines();
    lines.filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
});

pub const BYTES_AT_MOST: usize = 256;
const DIFFERENT_AT_LEAST: usize = 5;
const DAY: i64 = 86_400_000_000;
/// A password that is a listed one and less than this besides is the listed one.
const BESIDES_A_COMMON_ONE: usize = 5;

/// Which rules hold: the setting `access.password_profile`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PasswordProfile {
    #[default]
    Default,
    /// 等保
    Mlps,
    Asvs,
}

impl PasswordProfile {
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Mlps => "mlps",
            Self::Asvs => "asvs",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Default, Self::Mlps, Self::Asvs].into_iter().find(|one| one.name() == name)
    }
}

/// The rows of one profile in force on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRule {
    pub min_chars: usize,
    pub classes: usize,
    /// After how many days it must be changed; 0 never.
    pub max_days: i64,
    pub history: usize,
    pub common_refused: bool,
}

impl PasswordRule {
    pub fn on(profile: PasswordProfile, day: NaiveDate) -> Result<Self> {
        let rules = RULES.as_ref().map_err(|error| Error::Rules(error.to_string()))?;
        let value = |what: &str| rules.on(&format!("{}/{what}", profile.name()), day);
        let number = |what: &str| value(what).and_then(|rule| rule.value.parse::<u32>().ok());
        let min_chars = number("min_chars").ok_or_else(|| Error::Rules("min_chars".into()))?;
        Ok(Self {
            min_chars: min_chars as usize,
            classes: number("classes").unwrap_or(0) as usize,
            max_days: i64::from(number("max_days").unwrap_or(0)),
            history: number("history").unwrap_or(0) as usize,
            common_refused: value("common").is_some_and(|rule| rule.value == "refused"),
        })
    }

    /// What a person is told before choosing one.
    pub fn in_words(&self) -> Vec<String> {
        let mut said = vec![format!("至少 {} 个字符", self.min_chars)];
        if self.classes > 0 {
            said.push(format!("大写字母、小写字母、数字、符号四类中至少有 {} 类", self.classes));
        }
        said.push(format!("至少 {DIFFERENT_AT_LEAST} 个不同的字符，不含登录名"));
        if self.common_refused {
            said.push("不能是人们最常用的密码，可以用几个不相干的词组成".into());
        }
        if self.history > 0 {
            said.push(format!("不能与最近 {} 个用过的密码相同", self.history));
        }
        if self.max_days > 0 {
            said.push(format!("每 {} 天更换一次", self.max_days));
        }
        said
    }

    /// Everything that is missing, in one sentence; the password itself is never repeated.
    pub fn check(&self, password: &str, login: &str) -> Result<()> {
        let mut missing = Vec::new();
        let characters = password.chars().count();
        if characters < self.min_chars {
            missing.push(format!(
                "至少 {} 个字符，还差 {} 个",
                self.min_chars,
                self.min_chars - characters
            ));
        }
        if password.len() > BYTES_AT_MOST {
            missing.push(format!("过长，最多 {BYTES_AT_MOST} 个字节"));
        }
        let absent = absent_classes(password);
        let present = 4 - absent.len();
        if present < self.classes {
            missing.push(format!(
                "四类字符中至少有 {} 类，现有 {present} 类，可加上{}",
                self.classes,
                absent.join("或")
            ));
        }
        let lower = password.to_lowercase();
        if lower.contains(login) {
            missing.push("不能包含登录名".into());
        }
        if self.common_refused && is_common(&lower) {
            missing.push("太常见，极易被猜中".into());
        }
        let different: BTreeSet<char> = lower.chars().collect();
        if different.len() < DIFFERENT_AT_LEAST {
            missing.push(format!("重复的字符太多，至少 {DIFFERENT_AT_LEAST} 个不同的字符"));
        }
        if missing.is_empty() { Ok(()) } else { Err(Error::WeakPassword(missing.join("；"))) }
    }

    /// Until when a password set then holds; `None` for ever.
    pub fn holds_until(&self, changed_at: Instant) -> Option<Instant> {
        (self.max_days > 0).then(|| changed_at + self.max_days * DAY)
    }
}

fn absent_classes(password: &str) -> Vec<&'static str> {
    let has = |of: fn(char) -> bool| password.chars().any(of);
    [
        ("大写字母", has(char::is_uppercase)),
        ("小写字母", has(char::is_lowercase)),
        ("数字", has(char::is_numeric)),
        // what has no case, a Chinese character too, is none of the three others
        ("符号", has(|c| !c.is_uppercase() && !c.is_lowercase() && !c.is_numeric())),
    ]
    .into_iter()
    .filter(|(_, is_there)| !is_there)
    .map(|(name, _)| name)
    .collect()
}

fn is_common(lower: &str) -> bool {
    let characters = lower.chars().count();
    COMMON.contains(lower)
        || COMMON.iter().any(|word| {
            characters < word.chars().count() + BESIDES_A_COMMON_ONE && lower.contains(word)
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(profile: PasswordProfile) -> PasswordRule {
        PasswordRule::on(profile, "2026-11-20".parse().expect("a day")).expect("rules")
    }

    fn said(profile: PasswordProfile, password: &str) -> String {
        rule(profile).check(password, "lisi").err().map(|why| why.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_guessers_try_first_is_refused() {
        for weak in
            ["password2026", "aaaaaaaaaaaa", "lisi-lisi-lisi", "短", "Admin@123", "woaini1314"]
        {
            assert!(rule(PasswordProfile::Default).check(weak, "lisi").is_err(), "{weak}");
        }
        assert!(rule(PasswordProfile::Default).check("Zaozhuang7Pomegranate", "lisi").is_ok());
        assert!(COMMON.len() >= 3_000, "{}", COMMON.len());
    }

    #[test]
    fn each_profile_says_everything_that_is_missing_at_once() {
        let told = said(PasswordProfile::Mlps, "shiliu");
        assert!(told.contains("还差 2 个") && told.contains("现有 1 类"), "{told}");
        assert!(told.contains("大写字母或数字或符号"), "{told}");
        assert_eq!(said(PasswordProfile::Mlps, "Shiliu-7h"), "");
        assert!(said(PasswordProfile::Asvs, "Shiliu-7h").contains("至少 12 个字符，还差 3 个"));
        assert_eq!(said(PasswordProfile::Asvs, "shiliu hongle qici"), "", "no kinds of characters");
        let asvs = rule(PasswordProfile::Asvs);
        assert_eq!((asvs.max_days, asvs.history, asvs.classes), (0, 0, 0));
        assert_eq!(asvs.holds_until(5), None);
        let mlps = rule(PasswordProfile::Mlps);
        assert_eq!((mlps.holds_until(0), mlps.history), (Some(90 * DAY), 5));
        assert!(mlps.in_words().len() > asvs.in_words().len());
    }

    proptest! {
        /// No profile takes what is too short, and no refusal repeats what was typed.
        #[test]
        fn a_refusal_never_repeats_the_password(password in "[A-Za-z0-9!@#]{6,40}") {
            for profile in [PasswordProfile::Default, PasswordProfile::Mlps, PasswordProfile::Asvs] {
                let checked = rule(profile).check(&password, "lisi");
                if password.chars().count() < rule(profile).min_chars {
                    prop_assert!(checked.is_err());
                }
                let told = checked.err().map(|why| why.to_string()).unwrap_or_default();
                prop_assert!(!told.contains(&password));
            }
        }
    }
}
