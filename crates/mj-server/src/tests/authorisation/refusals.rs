//! S9 of trust.md: no administrator does another's acts. Each tries them all; all are refused, all are on record,
//! and the log that tells of it is one that holds.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use mj_kernel::Role;
use mj_platform::RowExt;
use serde_json::{Value, json};

use super::limits::House;
use super::world::{Hat, Relation};

#[tokio::test]
async fn each_administrator_tries_the_others_acts_and_the_auditor_reads_of_every_one() {
    let house = House::new().await;
    let own = |kind: &str| Relation::Own.id(kind);
    let account = own("account");
    let (system, security, audit) = (Role::SysAdmin, Role::SecAdmin, Role::AuditAdmin);
    let why = json!({"version": 1, "reason": "试一试"});
    let tries: Vec<(Role, Method, String, Value, &str)> = vec![
        // rights are the security administrator's
        (
            system,
            Method::POST,
            "/access/grants".into(),
            json!({"account_id": account, "role": "clerk", "areas": ["370400"], "reason": "试"}),
            "access.grant.create",
        ),
        (
            system,
            Method::POST,
            format!("/access/grants/{}/revoke", own("grant")),
            why.clone(),
            "access.grant.revoke",
        ),
        (
            system,
            Method::POST,
            format!("/access/unlock-requests/{}/approve", own("unlock")),
            why.clone(),
            "access.unlock_request.approve",
        ),
        (system, Method::GET, "/log/entries".into(), Value::Null, "ledger.entry.read"),
        (system, Method::GET, "/access/refusals".into(), Value::Null, "access.refusal.read"),
        // accounts are the system administrator's
        (
            security,
            Method::POST,
            "/access/accounts".into(),
            json!({"login": "x", "name": "某", "reason": "试"}),
            "access.account.create",
        ),
        (
            security,
            Method::POST,
            format!("/access/accounts/{account}/activation"),
            json!({}),
            "access.account.activate",
        ),
        (security, Method::GET, "/access/refusals".into(), Value::Null, "access.refusal.read"),
        // the auditor looks and changes nothing
        (
            audit,
            Method::POST,
            "/access/accounts".into(),
            json!({"login": "x", "name": "某", "reason": "试"}),
            "access.account.create",
        ),
        (
            audit,
            Method::POST,
            format!("/access/accounts/{account}/disable"),
            why.clone(),
            "access.account.disable",
        ),
        (
            audit,
            Method::POST,
            "/access/grants".into(),
            json!({"account_id": account, "role": "clerk", "areas": ["370400"], "reason": "试"}),
            "access.grant.create",
        ),
        (
            audit,
            Method::POST,
            format!("/access/grants/{}/revoke", own("grant")),
            why.clone(),
            "access.grant.revoke",
        ),
        // business data is nobody's of the three
        (
            system,
            Method::GET,
            format!("/registry/parties/{}", own("party")),
            Value::Null,
            "registry.party.read",
        ),
        (
            security,
            Method::GET,
            format!("/datahub/batches/{}", own("batch")),
            Value::Null,
            "datahub.batch.read",
        ),
        (
            audit,
            Method::GET,
            format!("/flow/work-items/{}", own("work")),
            Value::Null,
            "flow.work_item.read",
        ),
    ];
    let mut tried = BTreeSet::new();
    for (role, method, path, body, action) in tries {
        let (status, answer) = house.send(Hat::Role(role), method, &path, body).await;
        let told = format!("{role:?} {path}: {answer}");
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::FORBIDDEN, &json!("access.denied")),
            "{told}"
        );
        tried.insert((Hat::Role(role).account(), action.to_owned()));
    }
    let list = house.send(Hat::Role(audit), Method::GET, "/access/refusals", Value::Null).await.1;
    let items = list["items"].as_array().expect("items");
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let told: BTreeSet<(String, String)> =
        items.iter().map(|one| (text(one, "account_id"), text(one, "action"))).collect();
    assert_eq!(told, tried, "who tried what");
    assert!(items.iter().all(|one| one["outcome_name"] == "无权" && one["log_seq"].is_i64()));
    let party = items.iter().find(|one| one["action"] == "registry.party.read").expect("told");
    assert_eq!(
        (&party["object_kind_name"], &party["object_id"]),
        (&json!("监管对象"), &json!(own("party")))
    );
    // the log has an entry of each, which the auditor opens
    let path = format!("/log/entries/{}", party["log_seq"]);
    let entry = house.send(Hat::Role(audit), Method::GET, &path, Value::Null).await.1;
    assert!(entry.to_string().contains("操作被拒绝"), "{entry}");
    let sql = "SELECT COUNT(*) AS many FROM act_journal WHERE action = 'access.decision.refuse'";
    let rows = house.world.kit.db().fetch_all(sql, &[]).await.expect("read");
    assert_eq!(rows[0].int("many").expect("a number"), i64::try_from(tried.len()).expect("few"));
}

#[tokio::test]
async fn a_clerk_who_asks_for_another_offices_things_is_on_record_and_a_stale_link_is_not() {
    let house = House::new().await;
    let clerk = Hat::Role(Role::Clerk);
    let there = [
        // refused by a decision upon the thing at hand, by a list's own condition, and one line of many
        ("batches", format!("/datahub/batches/{}", Relation::Foreign.id("batch"))),
        ("parties", format!("/registry/parties/{}", Relation::Foreign.id("party"))),
    ];
    let gone = ["/datahub/batches/", "/registry/parties/"];
    for (kind, path) in &there {
        let (status, refused) = house.send(clerk, Method::GET, path, Value::Null).await;
        let at = gone.iter().find(|at| at.contains(*kind)).expect("a path");
        let missing = format!("{at}01900000-0000-7000-8999-000000000000");
        let (gone, missing) = house.send(clerk, Method::GET, &missing, Value::Null).await;
        assert_eq!((status, gone), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
        for said in ["type", "title", "status", "detail", "code", "errors"] {
            assert_eq!(refused[said], missing[said], "{path}: {said}");
        }
    }
    let work = Relation::Foreign.id("work");
    let body = json!({"items": [{"id": work, "version": 1}]});
    let bulk = house.send(clerk, Method::POST, "/flow/bulk/claim", body).await;
    assert_eq!(bulk.0, StatusCode::OK, "{}", bulk.1);
    // what was not found is looked for after its answer
    let mut told = BTreeSet::new();
    while told.len() < 3 {
        tokio::task::yield_now().await;
        house.world.domains.access.keep_refusals().await;
        let sql = "SELECT action, outcome, object_id FROM refusal";
        let rows = house.world.kit.db().fetch_all(sql, &[]).await.expect("read");
        told = rows
            .iter()
            .map(|row| ["action", "outcome", "object_id"].map(|name| row.text(name).expect("text")))
            .collect();
    }
    let of = |action: &str, id: String| [action.to_owned(), "out_of_scope".to_owned(), id];
    let expected = [
        of("datahub.batch.read", Relation::Foreign.id("batch")),
        of("registry.party.read", Relation::Foreign.id("party")),
        of("flow.work_item.claim", work),
    ];
    assert_eq!(told, BTreeSet::from(expected));
}
