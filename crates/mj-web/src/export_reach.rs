//! By which rights the rows of an export are read, and who answers for all of them. An approver's own reach must hold
//! the whole: parts of several people are not added up. What nobody below holds goes to the level above.

use std::collections::BTreeMap;

use mj_kernel::{AgencySet, DataLevel, Scope};
use mj_platform::{RowExt, TruthTable};

use crate::authority::Resource;
use crate::caller::{ActorNames, Caller, merge};

pub const EXPORT_REACH: TruthTable =
    TruthTable { name: "export_reach", columns: &["id", "scopes_json"] };

/// Every scope by which this caller reads the list. What everybody may read everywhere is not a matter of place:
/// there the caller's own places count.
pub(crate) fn of_list(caller: &Caller) -> Vec<Scope> {
    let (everywhere, mut scopes): (Vec<Scope>, Vec<Scope>) =
        caller.scopes.iter().cloned().partition(is_everywhere);
    if !everywhere.is_empty() {
        scopes.extend(caller.actor.grants.iter().map(|grant| grant.scope.clone()));
    }
    merge(scopes)
}

fn is_everywhere(scope: &Scope) -> bool {
    Scope::everything(DataLevel::Public).is_within(scope)
}

/// Whether somebody who decides within `own` answers for all that was asked for. What nobody's grants place anywhere is
/// for those who see the whole country.
pub(crate) fn covers(own: &[Scope], asked: &[Scope]) -> bool {
    let one = |asked: &Scope| own.iter().any(|own| asked.is_within(own));
    match asked {
        [] => own.iter().any(is_everywhere),
        _ => asked.iter().all(one),
    }
}

/// A point of it, for the decision about the person; its place is covered already.
pub(crate) fn point(asked: &[Scope]) -> Resource {
    let first = |set: &AgencySet| match set {
        AgencySet::Only(codes) => codes.iter().next().cloned(),
        AgencySet::All => None,
    };
    let Some(scope) = asked.first() else { return Resource::at(None, None) };
    let at =
        Resource::at(scope.areas.first().map(String::as_str), first(&scope.agencies).as_deref());
    match first(&scope.item_lines) {
        Some(line) => at.of_item_line(line),
        None => at,
    }
}

/// What has to be named to say them in words.
pub(crate) fn references(asked: &[Scope]) -> Vec<String> {
    let of = |kind: &str, set: &AgencySet| match set {
        AgencySet::Only(codes) => codes.iter().map(|code| format!("{kind}:{code}")).collect(),
        AgencySet::All => Vec::new(),
    };
    let one = |scope: &Scope| {
        let areas = scope.areas.iter().map(|code| format!("area:{code}"));
        areas.chain(of("agency", &scope.agencies)).chain(of("line", &scope.item_lines)).collect()
    };
    asked.iter().flat_map(|scope| -> Vec<String> { one(scope) }).collect()
}

/// Each of them as people say it.
pub(crate) fn in_words(asked: &[Scope], names: &ActorNames) -> Vec<String> {
    let name = |kind: &str, code: &String| {
        names.known(&format!("{kind}:{code}")).unwrap_or(code.as_str()).to_owned()
    };
    let join = |kind: &str, codes: &mut dyn Iterator<Item = &String>| {
        codes.map(|code| name(kind, code)).collect::<Vec<_>>().join("、")
    };
    let one = |scope: &Scope| {
        let mut said = join("area", &mut scope.areas.iter());
        match &scope.agencies {
            AgencySet::All => said.push_str("，全部部门"),
            AgencySet::Only(codes) => {
                said.push_str(&format!("，{}", join("agency", &mut codes.iter())));
            }
        }
        if let AgencySet::Only(lines) = &scope.item_lines {
            let lines = join("line", &mut lines.iter());
            said.push_str(&format!("，只限 {lines} 的监管事项"));
        }
        said
    };
    asked.iter().map(one).collect()
}

static FILTERS: &str = include_str!("../rules/export_filters.tsv");

/// What a filter of a list is called, and how its values are said. A name that is not there filters nothing.
fn filter(list: &str, name: &str) -> Option<(&'static str, &'static str)> {
    FILTERS.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut cells = line.split('\t');
        let fits = cells.next() == Some(list) && cells.next() == Some(name);
        fits.then_some((cells.next()?, cells.next()?))
    })
}

/// Which filters of a list are known here, for the test that holds them against the list's own.
pub fn known_filters() -> Vec<(&'static str, &'static str)> {
    let lines = FILTERS.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines
        .filter_map(|line| {
            let mut cells = line.split('\t');
            Some((cells.next()?, cells.next()?))
        })
        .collect()
}

/// Filters as they are kept: what was searched for may name a person.
pub(crate) fn kept(filters: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let filled = filters.iter().filter(|(_, value)| !value.is_empty());
    filled.map(|(name, value)| (name.as_str(), if name == "q" { "" } else { value })).collect()
}

pub(crate) fn filter_references(list: &str, kept: &BTreeMap<String, String>) -> Vec<String> {
    let kinds = kept.iter().filter_map(|(name, value)| Some((filter(list, name)?.1, value)));
    let named = kinds.filter(|(kind, _)| ["area", "agency", "line", "source"].contains(kind));
    named.map(|(kind, value)| format!("{kind}:{value}")).collect()
}

/// The filters with their values as people read them; the words of a search are not told.
pub(crate) fn filters_in_words(
    list: &str,
    kept: &BTreeMap<String, String>,
    names: &ActorNames,
) -> Vec<(&'static str, String)> {
    let one = |(name, value): (&String, &String)| {
        let (title, kind) = filter(list, name)?;
        let said = match kind {
            "hidden" => return None,
            "search" => "有检索词".to_owned(),
            "text" | "day" => value.clone(),
            "area" | "agency" | "line" | "source" => {
                names.known(&format!("{kind}:{value}")).unwrap_or(value.as_str()).to_owned()
            }
            "role" => {
                mj_kernel::Role::parse(value).map_or(value.as_str(), |it| it.title()).to_owned()
            }
            words => {
                let word = |pair: &str| {
                    let (code, said) = pair.split_once('=')?;
                    (code == value).then(|| said.to_owned())
                };
                words.split(';').find_map(word).unwrap_or_else(|| value.clone())
            }
        };
        Some((title, said))
    };
    kept.iter().filter_map(one).collect()
}

/// The scopes of a request; `None`: asked for before they were kept.
pub(crate) fn read(row: Option<&impl RowExt>) -> mj_platform::Result<Option<Vec<Scope>>> {
    let Some(row) = row else { return Ok(None) };
    let text = row.text("scopes_json")?;
    let broken = |_| mj_platform::Error::Corrupt("export_reach.scopes_json 无法识别".into());
    serde_json::from_str(&text).map(Some).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::tests::scope;

    #[test]
    fn who_reads_two_counties_needs_one_who_answers_for_both() {
        let asked = [scope("370402", Some("A")), scope("370481", Some("B"))];
        assert!(!covers(&[scope("370402", None)], &asked), "the other county is not theirs");
        assert!(!covers(&[scope("370400", Some("A"))], &asked), "the other office is not theirs");
        assert!(covers(&[scope("370400", None)], &asked), "the city above");
        assert!(
            covers(&[scope("370481", None), scope("370402", Some("A"))], &asked),
            "holding both"
        );
        assert!(!covers(&[scope("370400", None)], &[]), "nobody knows where it is from");
        assert!(covers(&[Scope::everything(DataLevel::Internal)], &[]));
    }

    #[test]
    fn an_approver_reads_filters_as_people_say_them_and_no_words_of_a_search() {
        let asked: BTreeMap<String, String> = [
            ("q", "张三"),
            ("kind", "self_employed"),
            ("area", "370402"),
            ("sort", "name"),
            ("made_up", "x"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let kept: BTreeMap<String, String> =
            kept(&asked).into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        assert!(!serde_json::to_string(&kept).expect("JSON").contains("张三"));
        let names = ActorNames::of_known([("area:370402".into(), "市中区".into())].into());
        let told = filters_in_words("registry.parties", &kept, &names);
        let told: Vec<String> =
            told.iter().map(|(title, said)| format!("{title}={said}")).collect();
        assert_eq!(told, ["区域=市中区", "类型=个体工商户", "检索=有检索词"]);
    }
}
