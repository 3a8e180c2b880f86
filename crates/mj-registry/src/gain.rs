//! What more wordings do to a party's values, as far as it can be told without all that was said before.
//!
//! Most of what is said of a party says nothing new; then what lies behind it need not be read. The
//! rules follow from [`state_of`] and [`MentionRow::rank`]: a wording with an address goes before all
//! without, and what only has a least value needs no more than the least so far.

use crate::masters::PartyRow;
use crate::model::{Origin, PartyKind, PartyState};
use crate::survivor::{MentionRow, division_of, state_of};

/// What becomes of a party's values.
#[derive(Debug)]
pub enum Gain {
    Nothing,
    /// They become these.
    New(Box<PartyState>),
    /// Only all that was ever said can tell.
    Open,
}

/// `said`: what is linked to the party besides what its stored values were chosen from.
pub fn gain(row: &PartyRow, said: &[MentionRow]) -> Gain {
    let stored = &row.stored;
    match stored.origin {
        Origin::Register if row.is_root() => return Gain::Nothing,
        Origin::Mention if row.is_root() => {}
        _ => return Gain::Open,
    }
    if said.iter().any(|one| one.kind == PartyKind::Person) {
        return Gain::Open;
    }
    if said.iter().all(|one| says_nothing_new(one, stored)) {
        return Gain::Nothing;
    }
    let first_address = stored.address.is_none() && said.iter().any(|one| one.address.is_some());
    // a code that only wordings bring is the least of all they bring
    let by_wording = stored.uscc.is_some() && !row.anchor.starts_with("uscc:");
    if !first_address || by_wording {
        return Gain::Open;
    }
    // the best wording is among these
    let Some(mut state) = state_of(&row.anchor, &[], said) else { return Gain::Open };
    state.kind = state.kind.min(stored.kind);
    state.regist_no = match (state.regist_no, stored.regist_no.clone()) {
        (Some(new), Some(old)) => Some(new.min(old)),
        (new, old) => new.or(old),
    };
    Gain::New(Box::new(state))
}

fn says_nothing_new(one: &MentionRow, stored: &PartyState) -> bool {
    // of these the least counts
    let least = one.kind >= stored.kind
        && (one.uscc.is_none() || one.uscc == stored.uscc)
        && match (&one.regist_no, &stored.regist_no) {
            (Some(new), Some(old)) => new >= old,
            (new, _) => new.is_none(),
        };
    // whichever of the two is the best wording, it says the same
    let area_by_code = stored.uscc.as_deref().is_some_and(|code| division_of(code).is_some());
    let echoes = one.name == stored.name
        && one.address == stored.address
        && (area_by_code || one.area_number == stored.area_number);
    let weaker = stored.address.is_some() && one.address.is_none();
    // without an area it goes behind all that have one, and by name behind those that have none
    let behind = one.address.is_some() == stored.address.is_some()
        && one.area_number.is_none()
        && one.name > stored.name;
    least && (echoes || weaker || behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wording() -> impl Strategy<Value = MentionRow> {
        let regist_no = proptest::option::weighted(0.2, 0u8..3);
        let area = proptest::option::of(0u8..2);
        let address = proptest::option::weighted(0.4, 0u8..2);
        let brings_code = proptest::bool::weighted(0.1);
        (0u8..3, 0u8..3, regist_no, area, address, brings_code).prop_map(
            |(kind, name, regist_no, area, address, brings_code)| MentionRow {
                id: String::new(),
                kind: [PartyKind::Enterprise, PartyKind::SelfEmployed, PartyKind::Organization]
                    [usize::from(kind)],
                name: format!("滕州好味{name}"),
                uscc: brings_code.then(|| "91370481MA3TET012Q".to_owned()),
                code: None,
                person_code: None,
                regist_no: regist_no.map(|n| format!("37048120000000{n}")),
                area_number: area.map(|n| format!("37048{n}")),
                address: address.map(|n| format!("府前路{n}号")),
            },
        )
    }

    fn party(anchor: &str, before: &[MentionRow]) -> PartyRow {
        PartyRow {
            id: "p".into(),
            register_no: "P370481-000000001".into(),
            anchor: anchor.into(),
            merged_into: None,
            merge_rule: None,
            known_from: 1,
            stored: state_of(anchor, &[], before).expect("something was said"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn it_tells_what_all_wordings_together_would(
            anchor in prop_oneof![
                Just("uscc:91370481MA3TET012Q"), Just("uscc:91100000MA3TET012Q"), Just("org:MA3TET012"),
            ],
            before in proptest::collection::vec(wording(), 1..5),
            said in proptest::collection::vec(wording(), 1..4),
        ) {
            let row = party(anchor, &before);
            let all: Vec<MentionRow> = before.iter().chain(&said).cloned().collect();
            let truth = state_of(anchor, &[], &all).expect("something was said");
            match gain(&row, &said) {
                Gain::Nothing => prop_assert_eq!(truth, row.stored),
                Gain::New(state) => prop_assert_eq!(truth, *state),
                Gain::Open => {}
            }
        }
    }

    #[test]
    fn what_says_the_same_once_more_is_nothing_new() {
        let mut said = MentionRow {
            id: String::new(),
            kind: PartyKind::Enterprise,
            name: "滕州好味餐饮有限公司".into(),
            uscc: None,
            code: None,
            person_code: None,
            regist_no: None,
            area_number: None,
            address: None,
        };
        let row = party("uscc:91370481MA3TET012Q", std::slice::from_ref(&said));
        assert!(matches!(gain(&row, std::slice::from_ref(&said)), Gain::Nothing));
        said.name = "滕州好味餐饮".into();
        assert!(matches!(gain(&row, std::slice::from_ref(&said)), Gain::Open));
        said.address = Some("府前路1号".into());
        assert!(matches!(gain(&row, &[said]), Gain::New(_)));
    }
}
