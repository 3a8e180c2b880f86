//! The registry's questions to `mj-linkage`: under which name to look for candidates, and whether two
//! wordings mean one party.

use mj_linkage::{PartyRecord, Verdict, match_parties, normalize_name};

use crate::survivor::MentionRow;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likeness {
    pub verdict: Verdict,
    /// 0 to 100
    pub score: i64,
    /// In Chinese, for the person who judges; repeats no value.
    pub explain: String,
}

/// Names that could mean one party share this: without region and form of organisation, with branch.
pub fn block_name(raw: &str) -> String {
    let name = normalize_name(raw);
    let core = format!("{}{}", name.core(), name.branch);
    if core.chars().count() >= 2 { core } else { name.canonical }
}

/// Whether two areas are one, or one lies in the other (a city's bureau acts in its counties).
pub fn same_place(one: Option<&str>, other: Option<&str>) -> bool {
    let prefix = mj_kernel::Scope::area_prefix;
    match (one, other) {
        (Some(one), Some(other)) => {
            let (one, other) = (prefix(one), prefix(other));
            one.starts_with(other) || other.starts_with(one)
        }
        _ => false,
    }
}

/// How alike two wordings of bodies are, and why.
pub fn compare(one: &MentionRow, other: &MentionRow) -> Likeness {
    let score = match_parties(&record(one), &record(other));
    let reasons: Vec<&str> = score.explain.iter().map(|reason| reason.text.as_str()).collect();
    Likeness {
        verdict: score.verdict,
        score: i64::from(score.value / 10),
        explain: reasons.join("；"),
    }
}

fn record(said: &MentionRow) -> PartyRecord {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    PartyRecord {
        name: said.name.clone(),
        code: text(&said.code),
        regist_no: text(&said.regist_no),
        address: text(&said.address),
        area: text(&said.area_number),
        legal_repr: String::new(),
    }
}
