//! The registry's questions to `mj-linkage`: normal forms, pinyin initials, and whether two wordings
//! mean one party.

/// How sure a comparison is, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Different,
    Doubtful,
    Same,
}

#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    pub name: &'a str,
    pub address: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likeness {
    pub verdict: Verdict,
    /// 0 to 100
    pub score: i64,
    /// In Chinese, for the person who judges.
    pub explain: String,
}

pub fn normal_name(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

pub fn normal_address(address: &str) -> String {
    address.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

pub fn initials(_name: &str) -> String {
    String::new()
}

/// Whether two areas are one, or one lies in the other (a city's bureau acts in its counties).
pub fn same_place(one: Option<&str>, other: Option<&str>) -> bool {
    let prefix = |code: &str| mj_kernel::Scope::area_prefix(code).to_owned();
    match (one, other) {
        (Some(one), Some(other)) => {
            let (one, other) = (prefix(one), prefix(other));
            one.starts_with(&other) || other.starts_with(&one)
        }
        _ => false,
    }
}

pub fn compare(one: &Side<'_>, other: &Side<'_>) -> Likeness {
    let name = normal_name(one.name) == normal_name(other.name);
    let address = match (one.address, other.address) {
        (Some(a), Some(b)) => Some(normal_address(a) == normal_address(b)),
        _ => None,
    };
    let (verdict, score) = match (name, address) {
        (true, Some(true)) => (Verdict::Same, 98),
        (true, None) => (Verdict::Doubtful, 85),
        (true, Some(false)) => (Verdict::Doubtful, 70),
        _ => (Verdict::Different, 0),
    };
    Likeness { verdict, score, explain: String::new() }
}
