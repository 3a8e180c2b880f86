//! Roles that only two may give, and how fast a right that was taken ends.

use axum::http::StatusCode;
use mj_kernel::Role;
use mj_platform::RowExt;
use serde_json::{Value, json};

use super::{Answer, House, PASSWORD};

const REQUESTS: &str = "/access/grant-requests";

async fn ask(house: &House, token: &str, key: &str, account: &str, role: &str) -> Answer {
    let wish = json!({"account_id": account, "role": role, "areas": ["370400"], "reason": "轮岗"});
    house.ask("POST", REQUESTS).bearer(token).key(key).body(wish).go().await
}

async fn decide(house: &House, token: &str, request: &Value, verb: &str) -> Answer {
    let path = format!("{REQUESTS}/{}/{verb}", request["id"].as_str().expect("an id"));
    let body = json!({"version": request["version"], "reason": "不合适"});
    house.ask("POST", &path).bearer(token).body(body).go().await
}

#[tokio::test]
async fn a_privileged_role_is_given_by_two_and_never_by_one_twice() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let id = house.person("lisi", Role::Clerk).await;
    let security = house.token("anquan").await;
    let audit = house.token("shenji").await;
    let system = house.token("xitong").await;

    let alone = json!({"account_id": id, "role": "datahub_operator", "areas": ["370400"]});
    let alone =
        house.ask("POST", "/access/grants").bearer(&security).key("g").body(alone).go().await;
    assert_eq!(
        (alone.status, &alone.body["code"]),
        (StatusCode::FORBIDDEN, &json!("access.second_person_required"))
    );
    assert!(
        alone.body["detail"].as_str().is_some_and(|said| said.contains("依据")),
        "{}",
        alone.body
    );
    let needless = ask(&house, &security, "n", &id, "clerk").await;
    assert_eq!(needless.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", needless.body);

    let asked = ask(&house, &security, "a", &id, "datahub_operator").await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.body);
    assert_eq!((&asked.body["own"], &asked.body["may_confirm"]), (&json!(true), &json!(false)));
    let own = decide(&house, &security, &asked.body, "confirm").await;
    assert_eq!(own.body["code"], "access.second_person_required", "{}", own.body);
    let other = decide(&house, &system, &asked.body, "confirm").await;
    assert_eq!(other.body["code"], "access.denied");
    assert_eq!(
        ask(&house, &system, "s", &id, "datahub_operator").await.body["code"],
        "access.denied"
    );

    // both see it; the clerk is in until the second says yes, and out within the second
    let seen = house.ask("GET", REQUESTS).bearer(&audit).go().await;
    assert_eq!(seen.body["items"][0]["may_confirm"], true, "{}", seen.body);
    let clerk = house.token("lisi").await;
    let confirmed = decide(&house, &audit, &asked.body, "confirm").await;
    assert_eq!(
        (confirmed.status, &confirmed.body["state"]),
        (StatusCode::OK, &json!("confirmed")),
        "{}",
        confirmed.body
    );
    let ended = house.ask("GET", "/sessions/current").bearer(&clerk).go().await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    let now = house.token("lisi").await;
    let now = house.ask("GET", "/sessions/current").bearer(&now).go().await;
    assert_eq!(now.body["roles"].as_array().map(Vec::len), Some(2), "{}", now.body);
    assert_eq!(decide(&house, &audit, &asked.body, "confirm").await.status, StatusCode::CONFLICT);

    let sql = "SELECT action, actor FROM act_journal WHERE action LIKE 'access.grant_request.%' \
               AND object = $1 ORDER BY seq";
    let object = format!("account:{id}");
    let acts = house.kit.db().fetch_all(sql, &[object.into()]).await.expect("the journal");
    let told: Vec<(String, String)> = acts
        .iter()
        .map(|row| (row.text("action").expect("one"), row.text("actor").expect("one")))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_ne!(told[0].1, told[1].1, "two persons stand in the journal");
    assert!(told[1].0.ends_with("confirm"), "{told:?}");
}

#[tokio::test]
async fn a_request_is_refused_taken_back_or_goes_out_of_date() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let id = house.person("lisi", Role::Clerk).await;
    let security = house.token("anquan").await;
    let audit = house.token("shenji").await;
    let refused = ask(&house, &security, "1", &id, "datahub_operator").await;
    let refused = decide(&house, &audit, &refused.body, "refuse").await;
    assert_eq!(
        (&refused.body["state"], &refused.body["decided_why"]),
        (&json!("refused"), &json!("不合适"))
    );
    let back = ask(&house, &security, "2", &id, "datahub_operator").await;
    let back = decide(&house, &security, &back.body, "refuse").await;
    assert_eq!(back.body["state"], "withdrawn");
    let late = ask(&house, &security, "3", &id, "datahub_operator").await;
    house.kit.clock.advance_seconds(72 * 3600 + 1);
    let audit = house.token("shenji").await;
    let listed = house.ask("GET", REQUESTS).bearer(&audit).go().await;
    assert_eq!(listed.body["items"][0]["state"], "expired", "{}", listed.body);
    let late = decide(&house, &audit, &late.body, "confirm").await;
    assert_eq!(late.body["code"], "access.not_now");
    assert!(late.body["detail"].as_str().is_some_and(|said| said.contains("过期")));
    // what the database itself holds
    let own = house.kit.db().statement(
        "UPDATE grant_request SET decided_by = requested_by, state = 'confirmed' WHERE state = 'waiting'",
    );
    assert!(own.await.is_err(), "nobody confirms their own, not even with SQL");
}

#[tokio::test]
async fn what_waits_stands_before_what_was_decided_since() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let (lisi, wangwu) =
        (house.person("lisi", Role::Clerk).await, house.person("wangwu", Role::Clerk).await);
    let security = house.token("anquan").await;
    let audit = house.token("shenji").await;
    let waits = ask(&house, &security, "1", &lisi, "datahub_operator").await;
    let newer = ask(&house, &security, "2", &wangwu, "datahub_operator").await;
    let newer = decide(&house, &audit, &newer.body, "refuse").await;
    let ids = |list: &Answer| -> Vec<Value> {
        list.body["items"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect()
    };
    let listed = house.ask("GET", REQUESTS).bearer(&audit).go().await;
    assert_eq!(ids(&listed), [waits.body["id"].clone(), newer.body["id"].clone()]);
    // what nobody can decide any more waits no longer
    house.kit.clock.advance_seconds(72 * 3600 + 1);
    let audit = house.token("shenji").await;
    let listed = house.ask("GET", REQUESTS).bearer(&audit).go().await;
    assert_eq!(ids(&listed), [newer.body["id"].clone(), waits.body["id"].clone()]);
}

#[tokio::test]
async fn disabling_ends_every_session_of_the_account_at_once() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let id = house.person("lisi", Role::Clerk).await;
    let system = house.token("xitong").await;
    let tokens = [house.token("lisi").await, house.token("lisi").await, house.token("lisi").await];
    let body = json!({"version": 1, "reason": "调离"});
    let path = format!("/access/accounts/{id}/disable");
    let done = house.ask("POST", &path).bearer(&system).body(body).go().await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    // the clock stands still: not a second has gone by
    for token in &tokens {
        let after = house.ask("GET", "/sessions/current").bearer(token).go().await;
        assert_eq!(after.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(house.login("lisi", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
}
