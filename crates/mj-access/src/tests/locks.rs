//! Locks that double, and the two administrators who end them.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use mj_kernel::Role;
use mj_platform::RowExt;
use mj_web::Web;
use serde_json::{Value, json};

use super::{Answer, House, PASSWORD};
use crate::Access;

const REQUESTS: &str = "/access/unlock-requests";
const MINUTE: i64 = 60;

impl House {
    /// Another process on the same database, as after a kill.
    fn restarted(self) -> Self {
        let House { kit, .. } = self;
        let access = Access::new(kit.db().clone(), kit.vault());
        let modules = vec![crate::module(access.clone())];
        let router = Web::new(Arc::new(access.clone()), modules).router(Router::new());
        Self { kit, access, router }
    }

    async fn wrong(&self, login: &str, times: usize) -> Answer {
        let mut last = None;
        for _ in 0..times {
            let body = json!({"login": login, "password": "wrong password"});
            // each from elsewhere: the source's own lock is another story
            let from = [10, 0, u8::try_from(login.len()).expect("short"), 7];
            last = Some(self.ask("POST", "/sessions").from(from).body(body).go().await);
        }
        last.expect("at least one")
    }

    async fn opens(&self, login: &str) -> bool {
        let body = json!({"login": login, "password": PASSWORD});
        let from = [10, 9, 0, 7];
        let answer = self.ask("POST", "/sessions").from(from).body(body).go().await;
        answer.status == StatusCode::CREATED
    }

    async fn wish(&self, token: &str, key: &str, account: &str, kind: &str) -> Answer {
        let body = json!({"account_id": account, "kind": kind, "reason": "本人来电，已核实身份"});
        self.ask("POST", REQUESTS).bearer(token).key(key).body(body).go().await
    }

    async fn decide(&self, token: &str, request: &Value, verb: &str) -> Answer {
        let path = format!("{REQUESTS}/{}/{verb}", request["id"].as_str().expect("an id"));
        let body = json!({"version": request["version"], "reason": "已向本人核实"});
        self.ask("POST", &path).bearer(token).body(body).go().await
    }

    async fn on_record(&self, action: &str) -> Vec<(String, String, String)> {
        let sql = "SELECT actor, object, COALESCE(reason, '') AS reason FROM act_journal \
                   WHERE action = $1 ORDER BY seq";
        let rows = self.kit.db().fetch_all(sql, &[action.into()]).await.expect("read");
        let text = |row: &mj_platform::DbRow, name: &str| row.text(name).expect("text");
        rows.iter()
            .map(|row| (text(row, "actor"), text(row, "object"), text(row, "reason")))
            .collect()
    }
}

/// The longest wait after which the right password is still refused, and that it opens a second later.
async fn locked_for(house: &House, login: &str, minutes: i64) {
    house.kit.clock.advance_seconds(minutes * MINUTE - 1);
    assert!(!house.opens(login).await, "{minutes} minutes are not over");
    house.kit.clock.advance_seconds(2);
}

#[tokio::test]
async fn a_lock_doubles_through_restarts_up_to_a_day_and_a_success_forgets_it() {
    let mut house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    for minutes in [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440] {
        house = house.restarted();
        let four = house.wrong("lisi", 4).await;
        let fifth = house.wrong("lisi", 1).await;
        assert_eq!((four.status, &four.body["title"]), (fifth.status, &fifth.body["title"]));
        house = house.restarted();
        locked_for(&house, "lisi", minutes).await;
    }
    assert!(house.opens("lisi").await, "and then the right password opens");
    house.wrong("lisi", 5).await;
    locked_for(&house, "lisi", 10).await;
    assert!(house.opens("lisi").await, "from the beginning after a success");
    let told = house.on_record("access.account.lock").await;
    assert_eq!(told.len(), 11, "an entry a lock: {told:?}");
    assert!(told[0].2.contains("第 1 次锁定，至 2026-11-20 10:10；"), "{}", told[0].2);
    assert!(told[3].2.contains("第 4 次锁定"), "{}", told[3].2);
}

#[tokio::test]
async fn four_tries_do_not_lock_and_a_quiet_day_forgets_the_doubling() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    house.wrong("lisi", 4).await;
    house.kit.clock.advance_seconds(16 * MINUTE);
    house.wrong("lisi", 4).await;
    assert!(house.opens("lisi").await, "four within a quarter of an hour");
    house.wrong("lisi", 5).await;
    locked_for(&house, "lisi", 10).await;
    house.wrong("lisi", 5).await;
    locked_for(&house, "lisi", 20).await;
    // tries go on: not quiet, although none of them locks
    for _ in 0..4 {
        house.kit.clock.advance_seconds(20 * 3600);
        house.wrong("lisi", 1).await;
    }
    house.kit.clock.advance_seconds(16 * MINUTE);
    house.wrong("lisi", 5).await;
    locked_for(&house, "lisi", 40).await;
    house.kit.clock.advance_seconds(24 * 3600 + MINUTE);
    house.wrong("lisi", 5).await;
    locked_for(&house, "lisi", 10).await;
    assert!(house.opens("lisi").await);
}

#[tokio::test]
async fn parallel_guesses_are_counted_one_by_one_and_lock_once() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let guess = |number: u8| {
        let body = json!({"login": "lisi", "password": "wrong password"});
        house.ask("POST", "/sessions").from([10, 1, number, 1]).body(body).go()
    };
    let answers = futures_util::future::join_all((0..12).map(guess)).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::UNAUTHORIZED));
    assert_eq!(house.on_record("access.account.lock").await.len(), 1, "one lock");
    locked_for(&house, "lisi", 10).await;
    assert!(house.opens("lisi").await, "what came during the lock does not count for the next");
}

#[tokio::test]
async fn an_unknown_login_is_locked_alike_and_no_answer_or_work_tells_it_apart() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let mut told = Vec::new();
    for login in ["lisi", "nobody"] {
        let mut answers = Vec::new();
        for round in 0..3 {
            for _ in 0..5 {
                let before = house.access.passwords().made();
                let mut answer = house.wrong(login, 1).await;
                answer.body.as_object_mut().expect("a problem").remove("trace_id");
                let work = house.access.passwords().made() - before;
                answers.push((answer.status, answer.body, work));
            }
            if round < 2 {
                house.kit.clock.advance_seconds(45 * MINUTE);
            }
        }
        told.push(answers);
        house.kit.clock.advance_seconds(3 * 3600);
    }
    assert_eq!(told[0], told[1]);
    let locks = house.on_record("access.account.lock").await;
    assert_eq!(locks.len(), 6, "three and three: {locks:?}");
    assert!(locks[..3].iter().all(|(_, object, _)| object.starts_with("account:")));
    for (_, object, reason) in &locks[3..] {
        assert!(object.starts_with("login:") && object.len() == 22, "{object}");
        assert!(!object.contains("nobody") && !reason.contains("nobody"), "{object} {reason}");
    }
}

#[tokio::test]
async fn every_failed_try_is_found_by_the_auditor_and_a_storm_fills_no_disk() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    house.wrong("lisi", 7).await;
    for number in 0..60 {
        house.wrong(&format!("typed-a-password-{number}"), 1).await;
    }
    let rows = house.kit.db().count("SELECT COUNT(*) FROM login_failure", &[]).await.expect("read");
    // one for the account, few for all those whom nobody is: one a source
    assert!(rows <= 3, "{rows}");
    let (audit, system) = (house.token("shenji").await, house.token("xitong").await);
    let path = format!("/access/login-failures?account={lisi}");
    let seen = house.ask("GET", &path).bearer(&audit).go().await;
    let one = &seen.body["items"][0];
    assert_eq!(
        (&one["tries"], &one["locks"], &one["kind"], &one["account_name"]),
        (&json!(7), &json!(1), &json!("password"), &json!("李四（lisi）")),
        "{}",
        seen.body
    );
    let all = house.ask("GET", "/access/login-failures?day=2026-11-20").bearer(&audit).go().await;
    assert!(!all.body.to_string().contains("typed-a-password"), "what was typed stands nowhere");
    let items = all.body["items"].as_array().expect("items");
    let tries: i64 = items.iter().filter_map(|one| one["tries"].as_i64()).sum();
    // one source sent ten, another fifty and was locked after thirty: from then on nothing is counted
    assert_eq!(tries, 7 + 10 + 30, "{}", all.body);
    let bad = house.ask("GET", "/access/login-failures?day=gestern").bearer(&audit).go().await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", bad.body);
    let denied = house.ask("GET", &path).bearer(&system).go().await;
    assert_eq!(denied.body["code"], "access.denied");
}

#[tokio::test]
async fn two_administrators_end_a_lock_and_neither_does_both() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    let (system, security) = (house.token("xitong").await, house.token("anquan").await);
    let audit = house.token("shenji").await;
    let lock = |token: String| {
        let ask = house.ask("GET", &format!("/access/accounts/{lisi}/lock")).bearer(&token);
        async move { ask.go().await }
    };
    let needless = house.wish(&system, "n", &lisi, "unlock").await;
    assert_eq!(needless.body["code"], "access.not_now", "not locked: {}", needless.body);
    house.wrong("lisi", 5).await;
    house.kit.clock.advance_seconds(10 * MINUTE + 1);
    house.wrong("lisi", 5).await;
    for token in [&system, &security] {
        let seen = lock(token.clone()).await;
        assert_eq!((&seen.body["times"], &seen.body["failed_today"]), (&json!(2), &json!(10)));
        assert_eq!(seen.body["locked_until"], "2026-11-20T10:30:01+08:00", "{}", seen.body);
    }
    assert_eq!(lock(audit.clone()).await.body["code"], "access.denied", "to those two alone");
    // proof is asked again: ten minutes have gone by
    assert_eq!(
        house.wish(&system, "o", &lisi, "unlock").await.body["code"],
        "access.step_up_required"
    );
    let (system, security) = (house.token("xitong").await, house.token("anquan").await);
    let body = json!({"account_id": lisi, "kind": "unlock", "reason": "  "});
    let empty = house.ask("POST", REQUESTS).bearer(&system).key("e").body(body).go().await;
    assert_eq!(empty.body["errors"][0]["field"], "reason", "{}", empty.body);
    let body = json!({"account_id": lisi, "kind": "free", "reason": "试"});
    let kind = house.ask("POST", REQUESTS).bearer(&system).key("k").body(body).go().await;
    assert_eq!(kind.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", kind.body);
    let asked = house.wish(&system, "a", &lisi, "unlock").await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.body);
    assert!(asked.body["own"] == true && asked.body["may_approve"] == false, "{}", asked.body);
    let twice = house.wish(&system, "b", &lisi, "unlock").await;
    assert_eq!(twice.body["code"], "access.not_now", "{}", twice.body);
    // neither does both, nor does anybody else
    assert_eq!(house.wish(&security, "s", &lisi, "unlock").await.body["code"], "access.denied");
    for token in [&system, &audit] {
        let alone = house.decide(token, &asked.body, "approve").await;
        assert_eq!(alone.body["code"], "access.denied", "{}", alone.body);
    }
    assert!(!house.opens("lisi").await, "asking opens nothing");
    let listed = house.ask("GET", REQUESTS).bearer(&security).go().await;
    assert_eq!(listed.body["items"][0]["may_approve"], true, "{}", listed.body);
    let path = format!("{REQUESTS}/{}/approve", asked.body["id"].as_str().expect("an id"));
    let body = json!({"version": asked.body["version"], "reason": ""});
    let empty = house.ask("POST", &path).bearer(&security).body(body).go().await;
    assert_eq!(empty.body["errors"][0]["field"], "reason", "{}", empty.body);
    let (one, two) = tokio::join!(
        house.decide(&security, &asked.body, "approve"),
        house.decide(&security, &asked.body, "approve")
    );
    let mut both = [one.status, two.status];
    both.sort();
    assert_eq!(both, [StatusCode::OK, StatusCode::CONFLICT], "{} {}", one.body, two.body);
    assert!(house.opens("lisi").await, "the lock is gone");
    house.wrong("lisi", 5).await;
    locked_for(&house, "lisi", 10).await;
    assert!(house.opens("lisi").await, "and its doubling too");
    let acts: Vec<_> = house
        .on_record("access.unlock_request.create")
        .await
        .into_iter()
        .chain(house.on_record("access.unlock_request.approve").await)
        .collect();
    assert_eq!(acts.len(), 2, "{acts:?}");
    assert_ne!(acts[0].0, acts[1].0, "two persons");
    assert!(acts.iter().all(|(_, object, _)| *object == format!("account:{lisi}")));
    assert!(
        acts[1].2.contains("批准解除锁定") && acts[1].2.contains("已核实身份"),
        "{}",
        acts[1].2
    );
}

#[tokio::test]
async fn a_request_is_refused_taken_back_or_too_late_and_nobody_unlocks_oneself() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    house.wrong("lisi", 5).await;
    for (by, state) in [("anquan", "refused"), ("xitong", "withdrawn")] {
        let asked = house.wish(&house.token("xitong").await, state, &lisi, "unlock").await;
        assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.body);
        let done = house.decide(&house.token(by).await, &asked.body, "refuse").await;
        assert_eq!(done.body["state"], state, "{}", done.body);
        let late = house.decide(&house.token("anquan").await, &done.body, "approve").await;
        assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.body);
        assert!(!house.opens("lisi").await);
    }
    // three days later nobody's yes counts
    let asked = house.wish(&house.token("xitong").await, "late", &lisi, "unlock").await;
    house.kit.clock.advance_seconds(72 * 3600);
    let late = house.decide(&house.token("anquan").await, &asked.body, "approve").await;
    assert!(
        late.body["detail"].as_str().is_some_and(|said| said.contains("过期")),
        "{}",
        late.body
    );
    // the security administrator, still signed in elsewhere, does not approve her own
    let security = house.token("anquan").await;
    let anquan =
        crate::account_by_login(house.kit.db(), "anquan").await.expect("read").expect("one");
    house.wrong("anquan", 5).await;
    let asked = house.wish(&house.token("xitong").await, "own", &anquan.id, "unlock").await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.body);
    let own = house.decide(&security, &asked.body, "approve").await;
    assert_eq!(own.body["code"], "access.separation", "{}", own.body);
}

#[tokio::test]
async fn a_new_code_for_an_account_in_use_takes_two_and_is_given_once() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let (system, security) = (house.token("xitong").await, house.token("anquan").await);
    let body = json!({"login": "lisi", "name": "李四"});
    let made = house.ask("POST", "/access/accounts").bearer(&system).key("c").body(body).go().await;
    let id = made.body["id"].as_str().expect("an id").to_owned();
    let code_path = format!("/access/accounts/{id}/activation");
    let code = || house.ask("POST", &code_path).bearer(&system).go();
    // a brand-new account is one person's business, also a second time
    let early = house.wish(&system, "early", &id, "reset").await;
    assert_eq!(early.body["code"], "access.not_now", "{}", early.body);
    let first = code().await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let enrol = |key: &str, code: &Value, password: &str| {
        let body = json!({"code": code, "login": "lisi", "password": password, "name": "李四"});
        house.ask("POST", "/enrolments").key(key).body(body).go()
    };
    let done = enrol("1", &first.body["activation_code"], PASSWORD).await;
    assert_eq!(done.status, StatusCode::CREATED, "{}", done.body);

    let alone = code().await;
    assert_eq!(
        (alone.status, &alone.body["code"]),
        (StatusCode::CONFLICT, &json!("access.reset_not_approved"))
    );
    let asked = house.wish(&system, "r", &id, "reset").await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.body);
    assert_eq!(code().await.body["code"], "access.reset_not_approved", "asking is not enough");
    let approved = house.decide(&security, &asked.body, "approve").await;
    assert_eq!(approved.body["state"], "approved", "{}", approved.body);
    assert!(!approved.body.to_string().contains("activation_code"), "the second sees no code");
    assert!(house.opens("lisi").await, "the old password opens until the code is used");
    // five wrong ones meanwhile: who comes with the code is let in all the same
    house.wrong("lisi", 5).await;
    let (one, two) = tokio::join!(code(), code());
    let mut both = [one.status, two.status];
    both.sort();
    assert_eq!(both, [StatusCode::OK, StatusCode::CONFLICT], "one code for one approval");
    let given = if one.status == StatusCode::OK { &one } else { &two };
    let done = enrol("2", &given.body["activation_code"], "山亭-的-核桃-熟了").await;
    assert_eq!(done.status, StatusCode::CREATED, "{}", done.body);
    assert!(!house.opens("lisi").await, "the old password is over");
    assert_eq!(house.login("lisi", "山亭-的-核桃-熟了").await.status, StatusCode::CREATED);
    let listed = house.ask("GET", REQUESTS).bearer(&security).go().await;
    assert_eq!(listed.body["items"][0]["state"], "used", "{}", listed.body);
}

#[tokio::test]
async fn the_first_code_of_an_administrator_to_be_takes_two() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let (system, security) = (house.token("xitong").await, house.token("anquan").await);
    let audit = house.token("shenji").await;
    let body = json!({"login": "lisi", "name": "李四", "class": "admin"});
    let made = house.ask("POST", "/access/accounts").bearer(&system).key("c").body(body).go().await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let id = made.body["id"].as_str().expect("an id").to_owned();
    let takes_two = async || {
        let file = house.ask("GET", &format!("/access/accounts/{id}")).bearer(&system).go().await;
        file.body["code_takes_two"].clone()
    };
    assert_eq!(takes_two().await, false, "nothing is opened by it yet");
    let wish =
        json!({"account_id": id, "role": "sec_admin", "areas": ["370400"], "reason": "接任"});
    let path = "/access/grant-requests";
    let asked = house.ask("POST", path).bearer(&security).key("g").body(wish).go().await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.body);
    let path = format!("{path}/{}/confirm", asked.body["id"].as_str().expect("an id"));
    let body = json!({"version": asked.body["version"]});
    let given = house.ask("POST", &path).bearer(&audit).body(body).go().await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    assert_eq!(takes_two().await, true);
    // the code that the system administrator was shown before opens nothing any more, and another is not theirs to give
    let enrol = |key: &str, code: &Value| {
        let body = json!({"code": code, "login": "lisi", "password": PASSWORD});
        house.ask("POST", "/enrolments").key(key).body(body).go()
    };
    let kept = enrol("1", &made.body["activation_code"]).await;
    assert_eq!(kept.body["code"], "access.invalid_code", "{}", kept.body);
    let code_path = format!("/access/accounts/{id}/activation");
    let code = || house.ask("POST", &code_path).bearer(&system).go();
    let alone = code().await;
    assert_eq!(alone.body["code"], "access.reset_not_approved", "{}", alone.body);
    let asked = house.wish(&system, "r", &id, "reset").await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.body);
    let approved = house.decide(&security, &asked.body, "approve").await;
    assert_eq!(approved.body["state"], "approved", "{}", approved.body);
    let code = code().await;
    assert_eq!(code.status, StatusCode::OK, "{}", code.body);
    let done = enrol("2", &code.body["activation_code"]).await;
    assert_eq!(done.status, StatusCode::CREATED, "{}", done.body);
    assert!(house.opens("lisi").await);
}

#[tokio::test]
async fn an_approval_of_a_reset_ends_after_three_days() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    let (system, security) = (house.token("xitong").await, house.token("anquan").await);
    let asked = house.wish(&system, "r", &lisi, "reset").await;
    let approved = house.decide(&security, &asked.body, "approve").await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
    house.kit.clock.advance_seconds(72 * 3600);
    let system = house.token("xitong").await;
    let late = house.ask("POST", &format!("/access/accounts/{lisi}/activation")).bearer(&system);
    assert_eq!(late.go().await.body["code"], "access.reset_not_approved");
    let again = house.wish(&system, "again", &lisi, "reset").await;
    assert_eq!(again.status, StatusCode::CREATED, "asked anew: {}", again.body);
}
