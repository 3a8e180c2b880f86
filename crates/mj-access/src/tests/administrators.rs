//! The first start, and three administrators who exclude each other.

use super::*;

#[tokio::test]
async fn a_first_start_gives_three_codes_that_work_once_and_no_password() {
    let house = House::new().await;
    assert_eq!(house.login("admin", "admin").await.status, StatusCode::UNAUTHORIZED);
    let codes = bootstrap(house.kit.db()).await.expect("asked").expect("a first start");
    assert_eq!(bootstrap(house.kit.db()).await.expect("asked"), None);

    let body =
        json!({"code": codes[0].code, "login": "xitong", "password": PASSWORD, "name": "王五"});
    let ask = |key: &'static str| house.ask("POST", "/enrolments").key(key).body(body.clone());
    let first = ask("k1").go().await;
    assert_eq!((first.status, &first.body), (StatusCode::CREATED, &json!({"login": "xitong"})));
    let again = ask("k1").go().await;
    assert_eq!((again.status, &again.body), (StatusCode::CREATED, &json!({"login": "xitong"})));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let reused = ask("k2").go().await;
    assert_eq!(
        (reused.status, &reused.body["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("access.invalid_code"))
    );
    let reissue = async |role| {
        let who = Actor::system("command");
        crate::reissue_code(house.kit.db(), &who, role, "打印件遗失").await
    };
    assert!(reissue(Role::SysAdmin).await.is_err());
    let lost = reissue(Role::AuditAdmin).await.expect("not enrolled yet");
    assert_ne!(lost.code, codes[2].code);
}

#[tokio::test]
async fn the_three_administrators_open_grant_and_read_but_never_each_others_part() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let (system, security, audit) =
        (house.token("xitong").await, house.token("anquan").await, house.token("shenji").await);

    let opening = json!({"login": "sunqi", "name": "孙七"});
    let open = |token: &str, key: &str| {
        house.ask("POST", "/access/accounts").bearer(token).key(key).body(opening.clone())
    };
    assert_eq!(open(&security, "a").go().await.status, StatusCode::FORBIDDEN);
    assert_eq!(open(&audit, "a").go().await.status, StatusCode::FORBIDDEN);
    let opened = open(&system, "a").go().await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    let (id, code) = (opened.body["id"].clone(), opened.body["activation_code"].clone());
    let replay = open(&system, "a").go().await;
    assert_eq!(
        (&replay.body["id"], replay.headers.contains_key("idempotency-replayed")),
        (&id, true)
    );
    assert!(replay.body.get("activation_code").is_none(), "a code is shown once");

    let activation = json!({"code": code, "login": "sunqi", "password": PASSWORD});
    let answer = house.ask("POST", "/enrolments").key("act").body(activation).go().await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);

    let wish = json!({"account_id": id, "role": "clerk", "areas": ["370400"]});
    let grant = |token: &str, key: &str, wish: &Value| {
        house.ask("POST", "/access/grants").bearer(token).key(key).body(wish.clone())
    };
    assert_eq!(grant(&system, "g", &wish).go().await.status, StatusCode::FORBIDDEN);
    let early = house.token("sunqi").await;
    let granted = grant(&security, "g", &wish).go().await;
    assert_eq!(granted.status, StatusCode::CREATED, "{}", granted.body);
    let ended = house.ask("GET", "/sessions/current").bearer(&early).go().await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED, "a session does not outlive its grants");

    // what was over before it began is a slip of the pen
    let mut over = wish.clone();
    over["valid_to"] = json!("2020-01-01");
    let refused = grant(&security, "over", &over).go().await;
    assert_eq!(refused.body["errors"][0]["field"], "valid_to", "{}", refused.body);
    assert_eq!(refused.body["errors"][0]["message"], "不能早于今天");

    let own = house.ask("GET", "/sessions/current").bearer(&security).go().await;
    assert_eq!(own.body["second_factor"], false, "{}", own.body);
    for (account, role) in
        [(own.body["account_id"].clone(), "audit_admin"), (id.clone(), "sec_admin")]
    {
        let wish = json!({"account_id": account, "role": role, "areas": ["000000"]});
        let refused = grant(&security, role, &wish).go().await;
        assert_eq!(refused.body["code"], "access.separation", "{}", refused.body);
    }
    let listed = house.ask("GET", "/access/grants").bearer(&audit).go().await;
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(4));
    let business = house.ask("GET", "/datahub/batches/370402").bearer(&audit).go().await;
    assert_eq!(business.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_database_itself_refuses_an_administrator_a_second_role() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let account =
        crate::account_by_login(house.kit.db(), "xitong").await.expect("read").expect("there");
    for (role, class) in [("clerk", "admin"), ("clerk", "business"), ("audit_admin", "admin")] {
        let mut tx = house.kit.begin().await;
        let forged = tx
            .execute(
                "INSERT INTO role_grant SELECT 'forged', account_id, $1, $2, areas, agencies, \
                 item_lines, level, valid_from, valid_to, granted_by, granted_at, revoked_at, \
                 version, change_seq, row_salt, row_digest FROM role_grant WHERE account_id = $3",
                &[class.into(), role.into(), account.id.as_str().into()],
            )
            .await;
        assert!(forged.is_err(), "{role} as {class}");
    }
}

#[tokio::test]
async fn a_stale_login_must_give_the_password_again_and_the_last_administrator_stays() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let id = house.person("lisi", Role::Clerk).await;
    let clerk = house.token("lisi").await;
    let system = house.token("xitong").await;
    house.kit.clock.advance_seconds(6 * 60);
    let disable = |token: &str, id: &str, version: i64| {
        let ask = house.ask("POST", &format!("/access/accounts/{id}/disable")).bearer(token);
        ask.body(json!({"version": version, "reason": "调离"}))
    };
    let stale = disable(&system, &id, 1).go().await;
    assert_eq!(stale.body["code"], "access.step_up_required");
    let ask = house.ask("POST", "/sessions/current/step-up").bearer(&system);
    let again = ask.body(json!({"password": PASSWORD})).go().await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.body);
    let fresh = again.body["token"].as_str().expect("a new token").to_owned();
    let old = house.ask("GET", "/sessions/current").bearer(&system).go().await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED, "the older copy opens nothing");

    let outdated = disable(&fresh, &id, 7).go().await;
    assert_eq!(
        (outdated.status, &outdated.body["current"]["version"]),
        (StatusCode::CONFLICT, &json!(1))
    );
    assert_eq!(disable(&fresh, &id, 1).go().await.body["state"], "disabled");
    let ended = house.ask("GET", "/sessions/current").bearer(&clerk).go().await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.login("lisi", PASSWORD).await.status, StatusCode::UNAUTHORIZED);

    let audit =
        crate::account_by_login(house.kit.db(), "shenji").await.expect("read").expect("there");
    let last = disable(&fresh, &audit.id, audit.version).go().await;
    assert_eq!(last.body["code"], "access.not_now");
}
