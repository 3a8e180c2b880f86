//! Signing in and out, lockout, the ends of a session, one's own devices.

use super::*;

#[tokio::test]
async fn a_clerk_logs_in_sees_her_roles_and_logs_out_for_good() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let opened = house.login(" LiSi ", PASSWORD).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    assert_eq!(opened.body["state"], "active");
    let cookie = opened.headers["set-cookie"].to_str().expect("text");
    for part in ["__Host-mj_session=mjs_", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let token = opened.body["token"].as_str().expect("a token");
    let current = house.ask("GET", "/sessions/current").cookie(token).go().await;
    assert_eq!(current.body["login"], "lisi");
    assert_eq!(current.body["csrf_token"], opened.body["csrf_token"]);
    assert_eq!(
        current.body["roles"],
        json!([{"role": "clerk", "role_name": "经办人", "area": "370400", "area_name": "枣庄市",
                "agency": null, "agency_name": null}])
    );
    let forged = house.ask("DELETE", "/sessions/current").cookie(token).go().await;
    assert_eq!(
        (forged.status, &forged.body["code"]),
        (StatusCode::FORBIDDEN, &json!("access.csrf"))
    );
    let csrf = opened.body["csrf_token"].as_str().expect("a token");
    let ask = house.ask("DELETE", "/sessions/current").cookie(token);
    assert_eq!(ask.header("x-csrf-token", csrf).go().await.status, StatusCode::NO_CONTENT);
    let after = house.ask("GET", "/sessions/current").bearer(token).go().await;
    assert_eq!(
        (after.status, &after.body["code"]),
        (StatusCode::UNAUTHORIZED, &json!("access.session_required"))
    );
    let kept = "SELECT COUNT(*) FROM session";
    assert_eq!(house.kit.db().count(kept, &[]).await.expect("read"), 0);
}

#[tokio::test]
async fn a_stolen_session_row_opens_nothing() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    house.token("lisi").await;
    let row = house.kit.db().fetch_one("SELECT token_sha256 FROM session", &[]).await.expect("row");
    let stolen = mj_platform::RowExt::text(&row, "token_sha256").expect("text");
    for token in [stolen.clone(), format!("mjs_{stolen}")] {
        let answer = house.ask("GET", "/sessions/current").bearer(&token).go().await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn five_wrong_passwords_lock_one_account_through_a_restart_and_tell_nothing() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    house.person("zhaoliu", Role::Clerk).await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(house.login("lisi", "wrong password").await);
    }
    answers.push(house.login("nobody", "wrong password").await);
    // another process on the same database, as after a kill
    let restarted = Access::new(house.kit.db().clone(), house.kit.vault());
    let router = Web::new(Arc::new(restarted.clone()), vec![crate::module(restarted.clone())])
        .router(Router::new());
    let House { kit, .. } = house;
    let house = House { kit, access: restarted, router };
    answers.push(house.login("lisi", PASSWORD).await);
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let told = |key: &str| answer.body[key] == answers[0].body[key];
        assert!(["title", "detail", "code", "type"].into_iter().all(told), "{}", answer.body);
    }
    assert_eq!(house.login("zhaoliu", PASSWORD).await.status, StatusCode::CREATED);
    house.kit.clock.advance_seconds(15 * 60 + 1);
    assert_eq!(house.login("lisi", PASSWORD).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_session_ends_by_idleness_and_by_age() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let token = house.token("lisi").await;
    let seen = |token: String| {
        let ask = house.ask("GET", "/sessions/current").bearer(&token);
        async move { ask.go().await.status }
    };
    house.kit.clock.advance_seconds(29 * 60);
    assert_eq!(seen(token.clone()).await, StatusCode::OK);
    house.kit.clock.advance_seconds(29 * 60);
    assert_eq!(seen(token.clone()).await, StatusCode::OK, "seen again, so not idle");
    house.kit.clock.advance_seconds(30 * 60);
    assert_eq!(seen(token).await, StatusCode::UNAUTHORIZED, "idle");
    let token = house.token("lisi").await;
    for _ in 0..35 {
        house.kit.clock.advance_seconds(20 * 60);
        assert_eq!(seen(token.clone()).await, StatusCode::OK);
    }
    house.kit.clock.advance_seconds(20 * 60);
    assert_eq!(seen(token).await, StatusCode::UNAUTHORIZED, "twelve hours");
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let (phone, desk) = (house.token("lisi").await, house.token("lisi").await);
    let change = |current: &str, new: &str| {
        let ask = house.ask("POST", "/sessions/current/password").bearer(&desk);
        ask.body(json!({"current": current, "new": new}))
    };
    assert_eq!(change(PASSWORD, "short").go().await.body["code"], "access.weak_password");
    assert_eq!(change("not mine", "山亭-的-核桃-熟了").go().await.status, StatusCode::UNAUTHORIZED);
    let changed = change(PASSWORD, "山亭-的-核桃-熟了").go().await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let old = house.ask("GET", "/sessions/current").bearer(&phone).go().await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.login("lisi", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.login("lisi", "山亭-的-核桃-熟了").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_person_sees_her_devices_and_ends_the_one_she_does_not_know() {
    let house = strict_house().await;
    house.person("lisi", Role::Clerk).await;
    house.person("wangwu", Role::Clerk).await;
    let phone =
        "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36";
    let body = json!({"login": "lisi", "password": PASSWORD});
    let other = house.ask("POST", "/sessions").header("user-agent", phone).body(body).go().await;
    let other = other.body["token"].as_str().expect("a token");
    let token = house.token("lisi").await;
    let list = house.ask("GET", "/sessions").bearer(&token).go().await;
    let items = list.body["items"].as_array().expect("items");
    assert_eq!(items.len(), 2);
    let strange = items.iter().find(|one| one["current"] == false).expect("the phone");
    assert_eq!(strange["device"], "Chrome · 安卓");
    let path = format!("/sessions/{}", strange["id"].as_str().expect("an id"));
    let foreign = house.token("wangwu").await;
    assert_eq!(house.ask("DELETE", &path).bearer(&foreign).go().await.status, 404);
    assert_eq!(house.ask("DELETE", &path).bearer(&token).go().await.status, 204);
    assert_eq!(house.ask("GET", "/sessions/current").bearer(other).go().await.status, 401);
}
