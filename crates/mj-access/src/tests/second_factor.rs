//! One-time codes: bound, taken once, replaced by paper, given anew.

use mj_platform::RowExt;

use super::*;

fn code_at(uri: &str, house: &House, steps: i64) -> String {
    let now = house.kit.db().clock().now() / 1_000_000 + steps * 30;
    let totp = totp_rs::Totp::from_url(uri).expect("an address of ours");
    totp.generate(u64::try_from(now).expect("after 1970")).to_string()
}

/// Binds an authenticator to the session: its address, the code that did it, what came back.
pub(super) async fn bind(house: &House, token: &str) -> (String, String, Answer) {
    let offer = house.ask("POST", &format!("{FACTOR}/offer")).bearer(token).body(json!({})).go();
    let offer = offer.await;
    assert_eq!(offer.status, StatusCode::OK, "{}", offer.body);
    let uri = offer.body["uri"].as_str().expect("an address").to_owned();
    assert!(uri.contains(offer.body["secret"].as_str().expect("a secret")), "{uri}");
    let code = code_at(&uri, house, -1);
    let body = json!({"totp": code});
    let done = house.ask("POST", &format!("{FACTOR}/confirm")).bearer(token).body(body).go().await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    (uri, code, done)
}

#[tokio::test]
async fn an_administrator_sets_up_an_authenticator_before_anything_opens() {
    let house = strict_house().await;
    house.enrol_administrators().await;
    let opened = house.login("xitong", PASSWORD).await;
    assert_eq!(opened.body["state"], "enrol");
    let token = opened.body["token"].as_str().expect("a token");
    for path in ["/sessions/current", "/access/accounts"] {
        let early = house.ask("GET", path).bearer(token).go().await;
        assert_eq!(early.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let unasked = json!({"totp": "123456"});
    let early = house.ask("POST", &format!("{FACTOR}/confirm")).bearer(token).body(unasked);
    assert_eq!(early.go().await.body["code"], "access.nothing_offered");
    let (uri, code, done) = bind(&house, token).await;
    assert_eq!(done.body["state"], "active");
    let active = done.body["token"].as_str().expect("a new token");
    assert_eq!(house.ask("GET", "/access/accounts").bearer(active).go().await.status, 200);
    let old = house.ask("GET", "/sessions/current").bearer(token).go().await;
    assert_eq!(
        old.status,
        StatusCode::UNAUTHORIZED,
        "the token of the first half is worth nothing"
    );

    let again = house.login("xitong", PASSWORD).await;
    assert_eq!(again.body["state"], "second_factor");
    let token = again.body["token"].as_str().expect("a token");
    let finish = |body: Value| house.ask("POST", FACTOR).bearer(token).body(body);
    let used = finish(json!({"totp": code})).go().await;
    assert_eq!(
        (used.status, &used.body["code"]),
        (StatusCode::UNAUTHORIZED, &json!("access.code_not_accepted")),
        "the code that bound it is used up"
    );
    let done = finish(json!({"totp": code_at(&uri, &house, 0)})).go().await;
    assert_eq!((done.status, &done.body["state"]), (StatusCode::OK, &json!("active")));
    let removed = house.ask("DELETE", FACTOR).bearer(done.body["token"].as_str().expect("text"));
    assert_eq!(removed.go().await.body["code"], "access.not_now", "the rule binds them");
}

/// Whose acts of this kind the log tells, upon what and by what: actor, object, reason.
async fn told(house: &House, action: &str) -> Vec<(String, String, Option<String>)> {
    let sql = "SELECT actor, object, reason FROM act_journal WHERE action = $1 ORDER BY seq";
    let rows = house.kit.db().fetch_all(sql, &[action.into()]).await.expect("acts");
    let text = |row: &mj_platform::DbRow, name| row.text(name).expect("text");
    rows.iter()
        .map(|row| {
            (text(row, "actor"), text(row, "object"), row.opt_text("reason").expect("a text"))
        })
        .collect()
}

#[tokio::test]
async fn enrolling_and_binding_stand_in_the_log_under_the_account_and_say_what_was_proven() {
    let house = strict_house().await;
    house.enrol_administrators().await;
    let wrong = json!({"code": "AAAAAA-AAAAAA-AAAAAA-AAAAAA", "login": "xitong",
        "password": PASSWORD, "name": "王五"});
    let refused = house.ask("POST", "/enrolments").key("wrong").body(wrong).go().await;
    assert_eq!(refused.body["code"], "access.invalid_code", "{}", refused.body);
    let system = crate::account_by_login(house.kit.db(), "xitong").await.expect("asked");
    let system = format!("account:{}", system.expect("an account").id);

    let enrolled = told(&house, "access.enrolment.create").await;
    let by_code = "凭一次性启用码设置密码，当时没有登录".to_owned();
    let of_system = enrolled.iter().filter(|one| one.0 == system).collect::<Vec<_>>();
    assert_eq!(of_system, [&(system.clone(), system.clone(), Some(by_code))]);
    let strangers = enrolled.iter().filter(|one| one.0 == "anonymous" && one.1 != "enrolment");
    assert_eq!(strangers.count(), 0, "{enrolled:?}");

    let waiting = house.login("xitong", PASSWORD).await;
    let (uri, _, done) = bind(&house, waiting.body["token"].as_str().expect("a token")).await;
    let half = "登录时绑定，此前只验证了密码".to_owned();
    let half = (system.clone(), system.clone(), Some(half));
    for action in ["access.second_factor.offer", "access.second_factor.confirm"] {
        assert_eq!(told(&house, action).await, std::slice::from_ref(&half), "{action}");
    }
    // signed in with both, and proven again: nothing is missing, and nothing need be said
    house.kit.clock.advance_seconds(60);
    let active = done.body["token"].as_str().expect("a token");
    let again = json!({"password": PASSWORD, "totp": code_at(&uri, &house, 0)});
    let again = house.ask("POST", "/sessions/current/step-up").bearer(active).body(again).go();
    let again = again.await;
    bind(&house, again.body["token"].as_str().expect("a token")).await;
    let full = told(&house, "access.second_factor.confirm").await;
    assert_eq!(full[1], (system.clone(), system, None));
}

#[tokio::test]
async fn binding_an_authenticator_ends_what_was_opened_without_it() {
    let house = strict_house().await;
    house.person("lisi", Role::Clerk).await;
    let (desk, phone) = (house.token("lisi").await, house.phone("lisi").await);
    let status =
        async |token: &str| house.ask("GET", "/sessions/current").bearer(token).go().await.status;
    bind(&house, &desk).await;
    assert_eq!(status(&phone).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&desk).await, StatusCode::OK, "where it was bound one goes on working");
}

#[tokio::test]
async fn of_two_hundred_who_bring_the_same_code_one_gets_in() {
    let house = strict_house().await;
    house.person("lisi", Role::Clerk).await;
    let (uri, _, _) = bind(&house, &house.token("lisi").await).await;
    let waiting = house.login("lisi", PASSWORD).await;
    let token = waiting.body["token"].as_str().expect("a token");
    let body = json!({"totp": code_at(&uri, &house, 0)});
    let tries = (0..200).map(|_| house.ask("POST", FACTOR).bearer(token).body(body.clone()).go());
    let answers = futures_util::future::join_all(tries).await;
    let inside = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(inside, 1);
    let inside = answers.iter().find(|answer| answer.status == StatusCode::OK).expect("one");
    let token = inside.body["token"].as_str().expect("a token");
    assert_eq!(house.ask("GET", "/sessions/current").bearer(token).go().await.status, 200);
}

#[tokio::test]
async fn a_recovery_code_opens_once_and_guessing_locks() {
    let house = strict_house().await;
    house.person("lisi", Role::Clerk).await;
    let (uri, _, bound) = bind(&house, &house.token("lisi").await).await;
    let codes = bound.body["recovery_codes"].as_array().expect("codes").clone();
    let finish = async |body: Value| {
        let waiting = house.login("lisi", PASSWORD).await;
        assert_eq!(waiting.body["state"], "second_factor");
        let token = waiting.body["token"].as_str().expect("a token").to_owned();
        house.ask("POST", FACTOR).bearer(&token).body(body).go().await
    };
    let typed = codes[0].as_str().expect("text").to_lowercase().replace('-', " ");
    let first = finish(json!({"recovery_code": typed})).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let token = first.body["token"].as_str().expect("a token");
    let left = house.ask("GET", FACTOR).bearer(token).go().await;
    assert_eq!(left.body["recovery_codes_left"], 9);
    let again = finish(json!({"recovery_code": codes[0]})).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    for _ in 0..5 {
        finish(json!({"totp": "000000"})).await;
    }
    let locked = finish(json!({"totp": code_at(&uri, &house, 0)})).await;
    assert_eq!(locked.status, StatusCode::UNAUTHORIZED, "the right code comes too late");
}

#[tokio::test]
async fn who_lost_phone_and_paper_gets_a_new_start_from_the_security_administrator() {
    let house = strict_house().await;
    let clerk = house.person("lisi", Role::Clerk).await;
    let token = house.token("lisi").await;
    bind(&house, &token).await;
    house.enrol_administrators().await;
    let security = house.login("anquan", PASSWORD).await;
    let (_, _, done) = bind(&house, security.body["token"].as_str().expect("a token")).await;
    let security = done.body["token"].as_str().expect("a token");
    let path = format!("/access/accounts/{clerk}/second-factor/reset");
    let reset = |token: &str, reason: &str| {
        house.ask("POST", &path).bearer(token).body(json!({"reason": reason}))
    };
    assert_eq!(reset(&token, "忘了").go().await.status, StatusCode::FORBIDDEN);
    assert_eq!(reset(security, " ").go().await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reset(security, "手机丢失，本人到场核验").go().await.status, 204);
    let ended = house.ask("GET", "/sessions/current").bearer(&token).go().await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    let next = house.login("lisi", PASSWORD).await;
    assert_eq!(next.body["state"], "enrol", "the password alone opens nothing");
}
