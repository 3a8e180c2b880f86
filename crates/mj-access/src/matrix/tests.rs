use mj_kernel::Grant;

use super::check::*;
use super::*;
use proptest::prelude::*;

#[test]
fn the_checked_in_table_parses_and_decide_agrees_with_every_cell() {
    let matrix = Matrix::parse(TEXT);
    assert!(matrix.is_ok(), "{:?}", matrix.err());
    assert_eq!(violations(&decide), Vec::<String>::new());
}

#[test]
fn a_decider_that_always_allows_or_always_denies_is_found_out() {
    let allow = Decision::Allow(Allowance {
        scopes: vec![Scope::everything(DataLevel::Personal)],
        mask: Mask::Clear,
        fields: Fields::All,
    });
    let always_allowed = violations(&|_, _, _| allow.clone());
    let always_denied = violations(&|_, _, _| Decision::Deny);
    assert!(always_allowed.len() > 1000, "{}", always_allowed.len());
    assert!(always_denied.len() > 500, "{}", always_denied.len());
}

#[test]
fn the_three_administrators_see_no_business_data() {
    for role in [Role::SysAdmin, Role::SecAdmin, Role::AuditAdmin] {
        let who = Identity { proof: Proof::Fresh, ..specimen(Column::Role(role)) };
        for action in actions() {
            let own = [
                "access.",
                "flow.presence.",
                "home.",
                "search.",
                "platform.",
                "portal.",
                // who did what by what right, with commitments in place of values
                "ledger.",
                // one's own, for the lists an administrator may export
                "export.request.read",
                "export.file.take",
                "datahub.table.",
                "catalog.item.",
            ];
            let allowed = matches!(decide(&who, action, None), Decision::Allow(_));
            let house = own.iter().any(|area| action.starts_with(area));
            assert!(!allowed || house, "{} may {action}", role.name());
        }
    }
}

#[test]
fn an_emergency_brings_administrators_back_and_opens_nothing_else() {
    let who = Identity { proof: Proof::Fresh, ..specimen(Column::Emergency) };
    let anybody = specimen(Column::Anonymous);
    let open = |who: &Identity| -> Vec<&str> {
        let may = |action: &&str| matches!(decide(who, action, None), Decision::Allow(_));
        actions().into_iter().filter(may).collect()
    };
    let public = open(&anybody);
    let own: Vec<&str> = open(&who).into_iter().filter(|one| !public.contains(one)).collect();
    let few = ["close", "read", "recover", "unlock"].map(|one| format!("access.emergency.{one}"));
    assert_eq!(own, few);
    assert!(!public.iter().any(|one| few.iter().any(|own| one == own)));
}

#[test]
fn a_face_learns_what_a_role_can_do_also_what_needs_the_password_again() {
    let may = |role| actions_of(&specimen(Column::Role(role)).actor);
    let clerk = may(Role::Clerk);
    assert!(clerk.contains(&"datahub.batch.create") && clerk.contains(&"catalog.item.read"));
    assert!(!clerk.contains(&"datahub.source.token"));
    assert!(may(Role::DatahubOperator).contains(&"datahub.source.token"));
}

#[test]
fn another_source_asking_for_a_batch_gets_the_404_of_a_missing_one() {
    let who = specimen(Column::Source);
    let batch = |source: &str| Resource::at(Some("370402"), Some(OWN_AGENCY)).of_source(source);
    let asked = |source| decide(&who, "datahub.batch.push", Some(&batch(source)));
    assert!(matches!(asked(OWN_SOURCE), Decision::Allow(_)));
    assert_eq!(asked("other"), Decision::NotFound);
}

#[test]
fn a_stale_login_must_prove_itself_before_granting_a_role() {
    let who = specimen(Column::Role(Role::SecAdmin));
    assert_eq!(decide(&who, "access.grant.create", None), Decision::NeedStepUp);
    let fresh = Identity { proof: Proof::Fresh, ..who };
    assert!(matches!(decide(&fresh, "access.grant.create", None), Decision::Allow(_)));
}

#[test]
fn a_clerk_mends_row_after_row_for_half_an_hour_and_never_by_rule_or_takes_a_list_away() {
    let asked = |proof, action| {
        let clerk = Identity { proof, ..specimen(Column::Role(Role::Clerk)) };
        decide(&clerk, action, None)
    };
    let allowed = |proof, action| matches!(asked(proof, action), Decision::Allow(_));
    assert!(allowed(Proof::Recent, "datahub.error.mend"));
    assert_eq!(asked(Proof::Old, "datahub.error.mend"), Decision::NeedStepUp);
    for action in ["datahub.repair.create", "portal.post.correct", "export.file.take"] {
        assert_eq!(asked(Proof::Recent, action), Decision::NeedStepUp, "{action}");
        assert!(allowed(Proof::Fresh, action), "{action}");
    }
}

#[test]
fn approving_ones_own_request_is_no_approval() {
    let line = TEXT.lines().find(|line| line.starts_with("access.grant.revoke")).expect("row");
    let text = TEXT.replace(line, &line.replace("any+fresh", "any+second"));
    let matrix = Matrix::parse(Box::leak(text.into_boxed_str())).expect("parses");
    let who = specimen(Column::Role(Role::SecAdmin));
    let asked = |by: Option<&str>| {
        let mut grant = Resource::at(None, None);
        grant.approved_by = by.map(str::to_owned);
        decide_by(&matrix, &who, "access.grant.revoke", Some(&grant))
    };
    assert_eq!(asked(None), Decision::NeedSecondPerson);
    assert_eq!(asked(Some("account:specimen")), Decision::NeedSecondPerson);
    assert!(matches!(asked(Some("account:other")), Decision::Allow(_)));
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let areas = prop::sample::subsequence(vec!["370000", "370400", "370402", "410700"], 0..3);
    let agencies = prop::option::of(prop::sample::subsequence(vec!["A", "B", "C"], 0..3));
    (areas, agencies).prop_map(|(areas, agencies)| Scope {
        areas: areas.into_iter().map(str::to_owned).collect(),
        agencies: agencies.map_or(AgencySet::All, AgencySet::only),
        item_lines: AgencySet::All,
        level: DataLevel::Internal,
    })
}

proptest! {
    /// A password given more lately never closes what an earlier one opened, and opens nothing but what
    /// asked for it.
    #[test]
    fn a_later_password_only_opens(
        action in prop::sample::select(actions()),
        role in prop::sample::select(Role::ALL.to_vec()),
    ) {
        let asked = |proof| {
            let who = Identity { proof, ..specimen(Column::Role(role)) };
            decide(&who, action, None)
        };
        let degrees = [Proof::Old, Proof::Recent, Proof::Fresh].map(asked);
        for (earlier, later) in [(0, 1), (1, 2)] {
            prop_assert!(
                degrees[earlier] == degrees[later]
                    || degrees[earlier] == Decision::NeedStepUp
                    || matches!((&degrees[earlier], &degrees[later]),
                        (Decision::Allow(few), Decision::Allow(more))
                            if few.scopes.iter().all(|scope| more.scopes.contains(scope))),
                "{action} {role:?} {degrees:?}"
            );
        }
        prop_assert_ne!(&degrees[2], &Decision::NeedStepUp);
    }

    /// Two grants together open exactly what each opens alone.
    #[test]
    fn grants_add_up_and_never_multiply(
        first in any_scope(),
        second in any_scope(),
        area in prop::sample::select(vec!["370402", "370481", "410702", "120000"]),
        agency in prop::sample::select(vec!["A", "B", "C"]),
    ) {
        let person = |scopes: &[&Scope]| Identity::of(Actor {
            kind: ActorKind::Person { account_id: "p".into() },
            grants: scopes
                .iter()
                .map(|scope| Grant { role: Role::Clerk, scope: (*scope).clone() })
                .collect(),
        });
        let batch = Resource::at(Some(area), Some(agency));
        let may = |scopes: &[&Scope]| {
            matches!(decide(&person(scopes), "datahub.batch.read", Some(&batch)), Decision::Allow(_))
        };
        prop_assert_eq!(may(&[&first, &second]), may(&[&first]) || may(&[&second]));
    }
}
