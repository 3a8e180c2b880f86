//! Stories told through the router, on whichever database the run is for.

mod passwords;
mod people;
mod second_person;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use mj_kernel::{Actor, ActorKind, AgencySet, DataLevel, Role, Scope};
use mj_platform::Act;
use mj_testkit::TestDb;
use mj_web::{Action, Caller, Module, Resource, Web, get};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{Access, AccountClass, NewAccount, bootstrap};

const PASSWORD: &str = "石榴-红了-七次-又一年";

struct House {
    kit: TestDb,
    access: Access,
    router: Router,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

/// A request in the making.
struct Ask<'a> {
    house: &'a House,
    request: axum::http::request::Builder,
    body: Option<Value>,
}

impl House {
    async fn new() -> Self {
        Self::with_profile(crate::PasswordProfile::Default).await
    }

    async fn with_profile(profile: crate::PasswordProfile) -> Self {
        let kit = TestDb::new().await;
        let access = Access::new(kit.db().clone())
            .with_passwords(profile)
            .with_area_names(|area| (area == "370400").then(|| "枣庄市".into()));
        let business = Module::new("datahub", "数据汇聚").routes(
            (),
            vec![get(
                Action::new("datahub.batch.read", "查看批次"),
                "/api/v1/datahub/batches/{area}",
                one_batch,
            )],
        );
        let modules = vec![crate::module(access.clone()), business];
        let router = Web::new(Arc::new(access.clone()), modules).router(Router::new());
        Self { kit, access, router }
    }

    fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        Ask { house: self, request, body: None }
    }

    /// An account of a business role in Zaozhuang, made as the demonstration city makes them.
    async fn person(&self, login: &str, role: Role) -> String {
        let act = Act::new(&Actor::system("test"), "test.person", "");
        let account = NewAccount {
            id: None,
            login: login.into(),
            name: "李四".into(),
            class: AccountClass::Business,
            agency: None,
        };
        let scope = Scope {
            areas: vec!["370400".into()],
            agencies: AgencySet::All,
            item_lines: AgencySet::All,
            level: DataLevel::Internal,
        };
        let roles = [(role, scope)];
        self.access.open_account(act, &account, PASSWORD, &roles).await.expect("opened")
    }

    async fn login(&self, login: &str, password: &str) -> Answer {
        self.ask("POST", "/sessions").body(json!({"login": login, "password": password})).go().await
    }

    async fn token(&self, login: &str) -> String {
        let answer = self.login(login, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["token"].as_str().expect("a token").to_owned()
    }

    /// The three administrators, enrolled with the codes of a first start.
    async fn enrol_administrators(&self) {
        let codes = bootstrap(self.kit.db()).await.expect("asked").expect("a first start");
        for (code, login) in codes.iter().zip(["xitong", "anquan", "shenji"]) {
            let body = json!({
                "code": code.code.to_lowercase(), "login": login, "password": PASSWORD, "name": "王五"
            });
            let answer = self.ask("POST", "/enrolments").key(login).body(body).go().await;
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        }
    }
}

async fn one_batch(
    caller: Caller,
    mj_web::PathOf(area): mj_web::PathOf<String>,
) -> mj_web::Answer<&'static str> {
    caller.require(&Resource::at(Some(&area), Some("11370400000000001A")))?;
    Ok("批次")
}

impl Ask<'_> {
    fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    fn cookie(self, token: &str) -> Self {
        self.header("cookie", &format!("other=1; __Host-mj_session={token}"))
    }

    /// Comes from this address.
    fn from(mut self, address: [u8; 4]) -> Self {
        let peer = std::net::SocketAddr::from((address, 40_000));
        self.request = self.request.extension(axum::extract::ConnectInfo(peer));
        self
    }

    fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self.header("content-type", "application/json")
    }

    async fn go(self) -> Answer {
        let body = self.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = self.request.body(body).expect("a request");
        let response = self.house.router.clone().oneshot(request).await.expect("answered");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.expect("a body");
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

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
    assert!(crate::reissue_code(house.kit.db(), Role::SysAdmin).await.is_err());
    let lost =
        crate::reissue_code(house.kit.db(), Role::AuditAdmin).await.expect("not enrolled yet");
    assert_ne!(lost.code, codes[2].code);
}

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
    let restarted = Access::new(house.kit.db().clone());
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

    let own = house.ask("GET", "/sessions/current").bearer(&security).go().await;
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
    assert_eq!(last.body["code"], "access.separation");
}

#[tokio::test]
async fn out_of_scope_and_missing_are_the_same_answer() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let token = house.token("lisi").await;
    let ask = |area: &str| house.ask("GET", &format!("/datahub/batches/{area}")).bearer(&token);
    assert_eq!(ask("370402").go().await.status, StatusCode::OK);
    let mut foreign = ask("410700").go().await;
    let mut missing = ask("370402/none").go().await;
    assert_eq!((foreign.status, missing.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    for answer in [&mut foreign, &mut missing] {
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.body["code"], "not_found");
    }
    assert_eq!(
        house.ask("GET", "/datahub/batches/370402").go().await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_departments_system_is_known_by_its_newest_token_only() {
    let house = House::new().await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let mut tx = house.kit.begin().await;
        tokens.push(crate::issue_source_token(&mut tx, "zz-market").await.expect("issued"));
        tx.commit().await.expect("done");
    }
    let (parts, ()) = Request::builder()
        .header("authorization", format!("Bearer {}", tokens[1]))
        .body(())
        .expect("a request")
        .into_parts();
    let who = crate::session::identify(&house.access, &parts).await.expect("known");
    assert_eq!(who.actor.kind, ActorKind::Source { cd_source: "zz-market".into() });
    let old = house.ask("GET", "/datahub/batches/370402").bearer(&tokens[0]).go().await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED);
    let others = house.ask("GET", "/datahub/batches/370402").bearer(&tokens[1]).go().await;
    assert_eq!(others.status, StatusCode::NOT_FOUND, "the batch of another source");
    let login = house.login("source:zz-market", "anything at all").await;
    assert_eq!(login.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn agencies_are_registered_once_however_often_the_request_is_sent() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let system = house.token("xitong").await;
    let agency = json!({"uscc": "11370400004222222X", "name": "枣庄市市场监督管理局",
        "short_name": "市监局", "area_number": "370400", "line": "31"});
    let create = |key: Option<&str>, body: &Value| {
        let ask = house.ask("POST", "/access/agencies").bearer(&system).body(body.clone());
        match key {
            Some(key) => ask.key(key),
            None => ask,
        }
    };
    assert_eq!(create(None, &agency).go().await.body["code"], "idempotency.key_required");
    let parallel = tokio::join!(create(Some("k"), &agency).go(), create(Some("k"), &agency).go());
    assert_eq!((parallel.0.status, parallel.1.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(parallel.0.body, parallel.1.body);
    let mut other = agency.clone();
    other["name"] = "另一个局".into();
    let conflict = create(Some("k"), &other).go().await;
    assert_eq!(
        (conflict.status, &conflict.body["code"]),
        (StatusCode::CONFLICT, &json!("idempotency.conflict"))
    );
    assert_eq!(create(Some("k2"), &other).go().await.body["code"], "duplicate");
    let listed = house.ask("GET", "/access/agencies?area=370400").bearer(&system).go().await;
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed.body["next_cursor"], Value::Null);
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
async fn every_answer_is_dressed_and_every_mistake_is_said_in_chinese() {
    let house = House::new().await;
    let bad = house.ask("POST", "/sessions").body(json!({"login": "lisi"})).go().await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.body["errors"], json!([{"field": "password", "message": "缺少此字段"}]));
    assert_eq!(bad.body["trace_id"], json!(bad.headers["x-request-id"].to_str().expect("text")));
    assert!(
        bad.headers["content-security-policy"]
            .to_str()
            .expect("text")
            .contains("script-src 'self'")
    );
    assert_eq!(bad.headers["cache-control"], "no-store");
    let put = house.ask("PUT", "/sessions").go().await;
    assert_eq!(
        (put.status, &put.body["code"]),
        (StatusCode::METHOD_NOT_ALLOWED, &json!("method_not_allowed"))
    );
    let nowhere = house.ask("GET", "/nowhere/at/all").go().await;
    assert_eq!(
        (nowhere.status, &nowhere.body["code"]),
        (StatusCode::NOT_FOUND, &json!("not_found"))
    );
    let huge =
        house.ask("POST", "/sessions").body(json!({"login": "x".repeat(2 << 20)})).go().await;
    assert_eq!(
        (huge.status, &huge.body["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("input.too_large"))
    );

    let document = house.ask("GET", "/openapi.json").go().await;
    assert_eq!(document.body["openapi"], "3.1.0");
    let create = &document.body["paths"]["/api/v1/access/agencies"]["post"];
    assert_eq!(create["x-action"], "access.agency.create");
    let login = &document.body["paths"]["/api/v1/sessions"]["post"];
    assert_eq!(login["security"], json!([{}]), "open to the public");
    let routes =
        Web::new(Arc::new(house.access.clone()), vec![crate::module(house.access.clone())]);
    assert_eq!(mj_web::openapi::schema_conflicts(routes.modules()), Vec::<String>::new());
    let missing: Vec<String> = crate::check_matrix(&routes.routes())
        .into_iter()
        .filter(|said| said.contains("access.") || said.contains("不在权限表中"))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

// -- the second factor ------------------------------------------------------------------------------------

const FACTOR: &str = "/sessions/current/second-factor";

/// A house where administrators must have a second factor.
async fn strict_house() -> House {
    let mut house = House::new().await;
    let keys = mj_platform::keys::Keys::from_master([7; 16]);
    house.access =
        house.access.clone().with_second_factor(crate::SecondFactorPolicy::Administrators, keys);
    let modules = vec![crate::module(house.access.clone())];
    house.router = Web::new(Arc::new(house.access.clone()), modules).router(Router::new());
    house
}

fn code_at(uri: &str, house: &House, steps: i64) -> String {
    let now = house.kit.db().clock().now() / 1_000_000 + steps * 30;
    let totp = totp_rs::Totp::from_url(uri).expect("an address of ours");
    totp.generate(u64::try_from(now).expect("after 1970")).to_string()
}

/// Binds an authenticator to the session: its address, the code that did it, what came back.
async fn bind(house: &House, token: &str) -> (String, String, Answer) {
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
    assert_eq!(removed.go().await.body["code"], "access.separation", "the rule binds them");
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
