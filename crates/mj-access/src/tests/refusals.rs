//! Whoever is refused something stands on record, once an hour and kind, however often they ask.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use mj_kernel::Role;
use mj_platform::RowExt;
use mj_web::{Authority, BoxFuture, Refusal, Resource, Web, Why};
use serde_json::Value;

use super::House;
use crate::{Access, Certificates, Place, Records, matrix};

const FORBIDDEN: &str = "/access/login-failures";
const THERE: &str = "01900000-0000-7000-8001-000000000007";
const HOUR: i64 = 3_600;

/// A house that knows one party.
struct OneParty;

impl Records for OneParty {
    fn place<'a>(
        &'a self,
        kind: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, mj_platform::Result<Option<Place>>> {
        let known = kind == "party" && id == THERE;
        let resource = Resource::at(Some("410700"), None);
        let place = known.then_some(Place {
            action: "registry.party.read",
            reveal: None,
            at: vec![resource],
        });
        Box::pin(async { Ok(place) })
    }
}

impl Certificates for OneParty {
    fn certificate<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, mj_platform::Result<Option<mj_web::CertificateHeld>>> {
        Box::pin(async { Ok(None) })
    }
}

struct Row {
    actor: String,
    action: String,
    outcome: String,
    object: String,
    tries: i64,
}

impl House {
    /// What stands in the store now, the oldest first.
    async fn refusals(&self) -> Vec<Row> {
        let sql = "SELECT * FROM refusal ORDER BY id";
        let rows = self.kit.db().fetch_all(sql, &[]).await.expect("read");
        let one = |row: &mj_platform::DbRow| Row {
            actor: row.text("actor").expect("actor"),
            action: row.text("action").expect("action"),
            outcome: row.text("outcome").expect("outcome"),
            object: row.text("object_id").expect("object"),
            tries: row.int("tries").expect("tries"),
        };
        rows.iter().map(one).collect()
    }

    async fn acts(&self, action: &str) -> Vec<(String, String, String)> {
        let sql =
            "SELECT actor, reason, request_id FROM act_journal WHERE action = $1 ORDER BY seq";
        let rows = self.kit.db().fetch_all(sql, &[action.into()]).await.expect("read");
        let text = |row: &mj_platform::DbRow, name: &str| {
            row.opt_text(name).expect("text").unwrap_or_default()
        };
        rows.iter()
            .map(|row| (text(row, "actor"), text(row, "reason"), text(row, "request_id")))
            .collect()
    }

    fn refusal(account: &str, action: &'static str) -> Refusal {
        Refusal {
            actor: format!("account:{account}"),
            action,
            why: Why::Denied,
            object: None,
            address: None,
            request_id: "r".into(),
        }
    }

    /// Another process on the same database, as after a kill; it knows one party.
    fn after_a_kill(self) -> Self {
        let House { kit, .. } = self;
        let access = Access::new(kit.db().clone(), kit.vault())
            .with_house(Arc::new(OneParty), Arc::new(OneParty));
        let modules = vec![crate::module(access.clone())];
        let router = Web::new(Arc::new(access.clone()), modules).router(Router::new());
        Self { kit, access, router }
    }
}

#[tokio::test]
async fn a_clerk_who_tries_what_is_not_his_is_on_record_before_the_answer_and_counted_after() {
    let house = House::new().await;
    let account = house.person("lisi", Role::Clerk).await;
    let token = house.token("lisi").await;
    let ask = || house.ask("GET", &format!("{FORBIDDEN}?day=370403199001010017")).bearer(&token);
    let first = ask().from([10, 0, 0, 7]).go().await;
    assert_eq!(first.status, StatusCode::FORBIDDEN);
    // nobody waited, nothing was flushed: it is there
    let rows = house.refusals().await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].actor, format!("account:{account}"));
    assert_eq!(
        (rows[0].action.as_str(), rows[0].outcome.as_str(), rows[0].tries),
        ("access.login_failure.read", "denied", 1)
    );
    let acts = house.acts("access.decision.refuse").await;
    assert_eq!(acts.len(), 1, "an entry of the log");
    assert_eq!(acts[0].0, format!("account:{account}"));
    assert!(acts[0].1.starts_with("查看登录失败记录：无权；来源 "), "{}", acts[0].1);
    assert!(!acts[0].1.contains("3704031990"), "nothing typed: {}", acts[0].1);
    assert_eq!(acts[0].2, first.headers["x-request-id"].to_str().expect("text"));
    for _ in 0..300 {
        assert_eq!(ask().go().await.body["code"], "access.denied");
    }
    assert_eq!(house.acts("access.decision.refuse").await.len(), 1, "a storm adds no entries");
    house.access.keep_refusals().await;
    house.access.keep_refusals().await;
    let rows = house.refusals().await;
    assert_eq!((rows.len(), rows[0].tries), (1, 301), "but to the number");
    assert_eq!(house.acts("access.decision.count").await.len(), 1);
}

#[tokio::test]
async fn each_hour_and_each_outcome_has_its_row_and_a_restart_goes_on_in_it() {
    let mut house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let token = house.token("lisi").await;
    house.ask("GET", FORBIDDEN).bearer(&token).go().await;
    house = house.after_a_kill();
    house.ask("GET", FORBIDDEN).bearer(&token).go().await;
    let rows = house.refusals().await;
    assert_eq!((rows.len(), rows[0].tries), (1, 2));
    assert_eq!(house.acts("access.decision.refuse").await.len(), 1);
    house.kit.clock.advance_seconds(HOUR);
    let token = house.token("lisi").await;
    house.ask("GET", FORBIDDEN).bearer(&token).go().await;
    assert_eq!(house.refusals().await.len(), 2);
    assert_eq!(house.acts("access.decision.refuse").await.len(), 2);
}

#[tokio::test]
async fn out_of_scope_is_on_record_and_its_answer_does_not_tell() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let token = house.token("lisi").await;
    let foreign = house.ask("GET", "/datahub/batches/410700").bearer(&token).go().await;
    let missing = house.ask("GET", "/nowhere").bearer(&token).go().await;
    assert_eq!(foreign.body["title"], missing.body["title"]);
    house.access.keep_refusals().await;
    let rows = house.refusals().await;
    assert_eq!(rows.len(), 1, "what is nowhere was refused to nobody");
    assert_eq!(
        (rows[0].action.as_str(), rows[0].outcome.as_str(), rows[0].object.as_str()),
        ("datahub.batch.read", "out_of_scope", ""),
        "and what was typed for an id is not kept"
    );
}

#[tokio::test]
async fn what_a_list_kept_back_is_looked_for_after_the_answer_and_guessing_is_told_as_such() {
    let house = House::new().await.after_a_kill();
    let ask = async |id: &str| {
        let object = Some(("parties".to_owned(), id.to_owned()));
        let asked = House::refusal("1", "registry.party.read");
        house.access.refused(Refusal { why: Why::NotThere, object, ..asked }).await;
    };
    ask("01900000-0000-7000-8001-000000000008").await;
    ask(THERE).await;
    let mut rows = Vec::new();
    // looked for by a task of its own
    while rows.is_empty() {
        tokio::task::yield_now().await;
        house.access.keep_refusals().await;
        rows = house.refusals().await;
    }
    assert_eq!((rows.len(), rows[0].outcome.as_str()), (1, "out_of_scope"));
    assert_eq!(rows[0].object, THERE);
    for number in 0..120 {
        ask(&format!("01900000-0000-7000-8002-{number:012}")).await;
    }
    house.access.keep_refusals().await;
    let rows = house.refusals().await;
    let probing = rows.iter().find(|row| row.outcome == "probing").expect("told");
    assert_eq!((rows.len(), probing.tries), (2, 22), "two of the hundred were asked before");
    assert_eq!(probing.object, "01900000-0000-7000-8002-000000000098");
}

#[tokio::test]
async fn nobody_known_and_whoever_must_only_prove_themselves_are_refused_nothing() {
    let house = House::new().await;
    house.enrol_administrators().await;
    assert_eq!(house.ask("GET", FORBIDDEN).go().await.status, StatusCode::UNAUTHORIZED);
    let security = house.token("anquan").await;
    house.kit.clock.advance_seconds(6 * 60);
    let body = serde_json::json!({"version": 1, "reason": "试"});
    let path = format!("/access/grants/{THERE}/revoke");
    let again = house.ask("POST", &path).bearer(&security).body(body).go().await;
    assert_eq!(again.body["code"], "access.step_up_required");
    house.access.keep_refusals().await;
    assert_eq!(house.refusals().await.len(), 0);
}

#[tokio::test]
async fn one_account_fills_sixty_rows_an_hour_and_all_accounts_their_number_a_day() {
    let house = House::new().await;
    let actions = matrix::actions();
    assert!(actions.len() > 70);
    for action in actions.iter().take(70) {
        house.access.refused(House::refusal("1", action)).await;
    }
    house.access.keep_refusals().await;
    let rows = house.refusals().await;
    assert_eq!(rows.len(), 61);
    let rest = rows.iter().find(|row| row.action.is_empty()).expect("the rest");
    assert_eq!((rest.actor.as_str(), rest.tries), ("account:1", 10));
    let sql = "INSERT INTO refusal (id, day, hour, actor, action, outcome, object_kind, object_id, source, \
               request_id, tries, first_at, last_at, version, change_seq, row_salt, row_digest) \
               WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
               SELECT 'x' || CAST(i AS TEXT), day, 0, actor, 'x' || CAST(i AS TEXT), outcome, object_kind, \
               object_id, source, request_id, 1, first_at, last_at, version, change_seq, row_salt, row_digest \
               FROM n CROSS JOIN refusal WHERE refusal.id = $1";
    let one =
        house.kit.db().fetch_all("SELECT MIN(id) AS id FROM refusal", &[]).await.expect("one");
    let mut tx = house.kit.begin().await;
    tx.execute(sql, &[one[0].text("id").expect("an id").into()]).await.expect("a full day");
    tx.commit().await.expect("kept");
    for account in 2..9 {
        for action in actions.iter().take(9) {
            house.access.refused(House::refusal(&account.to_string(), action)).await;
        }
    }
    house.access.keep_refusals().await;
    let rows = house.refusals().await;
    assert_eq!(rows.len(), 20_062, "one more row for all the rest");
    let rest = rows.iter().find(|row| row.actor.is_empty()).expect("all the rest");
    assert_eq!(rest.tries, 63);
    // after half a year and a little the rows go, the entries stay
    house.kit.clock.advance_seconds(191 * 24 * HOUR);
    house.access.keep_refusals().await;
    assert_eq!(house.refusals().await.len(), 0);
    assert_eq!(house.acts("access.decision.refuse").await.len(), 62);
}

#[tokio::test]
async fn the_auditor_reads_who_was_refused_what_and_nobody_else_does() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let account = house.person("lisi", Role::Clerk).await;
    let clerk = house.token("lisi").await;
    let auditor = house.token("shenji").await;
    house.ask("GET", &format!("/access/accounts/{account}")).bearer(&clerk).go().await;
    house.ask("GET", "/access/refusals").bearer(&clerk).go().await;
    for login in ["xitong", "anquan"] {
        let token = house.token(login).await;
        let answer = house.ask("GET", "/access/refusals").bearer(&token).go().await;
        assert_eq!(answer.body["code"], "access.denied", "{login}");
    }
    let read = async |query: &str| -> Vec<Value> {
        let path = format!("/access/refusals{query}");
        let answer = house.ask("GET", &path).bearer(&auditor).go().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["items"].as_array().expect("items").clone()
    };
    assert_eq!(read("").await.len(), 4);
    let own = read(&format!("?account={account}")).await;
    assert_eq!(own.len(), 2);
    let one = own.iter().find(|one| one["action"] == "access.account.read").expect("one");
    assert_eq!(one["who"], "李四（lisi）");
    assert_eq!((&one["outcome_name"], &one["object_kind_name"]), (&"无权".into(), &"账号".into()));
    assert_eq!(one["object_id"], account.as_str());
    assert!(one["action_title"].as_str().is_some_and(|title| title.contains("账号")), "{one}");
    assert!(one["log_seq"].is_i64(), "{one}");
    for (query, many) in [
        ("#lisi", 2),
        ("#%E7%8E%8B%E4%BA%94", 2),
        ("?outcome=out_of_scope", 0),
        ("?outcome=denied", 4),
        ("?day=2026-11-20", 4),
        ("?day=2026-11-19", 0),
    ] {
        assert_eq!(read(query).await.len(), many, "{query}");
    }
    let wrong = house.ask("GET", "/access/refusals?outcome=x").bearer(&auditor).go().await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}
