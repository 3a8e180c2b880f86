//! Stories told through the router, on whichever database the run is for.

mod administrators;
mod agencies;
mod emergency;
mod ended;
mod identities;
mod keyed;
mod locks;
mod meanwhile;
mod networks;
mod passwords;
mod people;
mod refusals;
mod seals;
mod second_factor;
mod second_person;
mod sessions;
mod set_up;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use mj_kernel::{Actor, ActorKind, AgencySet, DataLevel, Role, Scope};
use mj_platform::Act;
use mj_testkit::TestDb;
use mj_web::{Action, Caller, Module, Resource, SEARCH_TEXT, Web, get};
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
        let access = Access::new(kit.db().clone(), kit.vault())
            .with_passwords(profile, crate::PasswordHashing::default())
            .with_area_names(|area| {
                let known =
                    [("370000", "山东省"), ("370400", "枣庄市"), ("370402", "枣庄市市中区")];
                known.iter().find(|(code, _)| *code == area).map(|(_, name)| (*name).to_owned())
            })
            .with_line_names(|line| match line {
                "31" => Some("市场监管".into()),
                "16" => Some("生态环境".into()),
                _ => None,
            });
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
        let (path, typed) = mj_testkit::typed(path);
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(SEARCH_TEXT, typed);
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
