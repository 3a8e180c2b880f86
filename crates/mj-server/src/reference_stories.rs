//! The reference pages told through the whole house: who finds what, whose first page says what, a
//! certificate suspended, a source connected. Out of scope must look like not there.

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use mj_access::{AccountClass, NewAccount, NewAgency};
use mj_kernel::{Actor, AgencySet, DataLevel, Role, Scope};
use mj_platform::jobs::Runner;
use mj_platform::{Act, Config, Lane};
use mj_testkit::TestDb;
use mj_web::SEARCH_TEXT;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::modules::{Domains, web};
use crate::node::Floor;

const PASSWORD: &str = "石榴-红了-七次-又一年";
const CITY: &str = "11370400004400001P";
const TOWN: &str = "12370400494500012B";

struct House {
    _kit: TestDb,
    router: Router,
    runner: Runner,
    domains: Domains,
}

impl House {
    async fn new() -> Self {
        let kit = TestDb::new().await;
        let floor = Floor {
            config: Config::load(kit.folder.path()).expect("defaults"),
            db: kit.db().clone(),
            keys: kit.keys(),
            vault: kit.vault(),
            blobs: kit.blobs(),
            demo: true,
        };
        let domains = Domains::open(&floor).await.expect("the domains open");
        let web = web(&domains);
        let runner = Runner::new(kit.db().clone(), web.jobs(), web.events());
        let house = Self { router: web.router(Router::new()), runner, domains, _kit: kit };
        for (uscc, name, area) in [
            (CITY, "枣庄市市场监督管理局", "370400"),
            (TOWN, "枣庄市市中区市场监督管理局", "370402"),
        ] {
            let act = Act::new(&Actor::system("test"), "test.agency", uscc);
            let mut tx = kit_begin(&house, act).await;
            let new = NewAgency {
                uscc: uscc.into(),
                name: name.into(),
                area_number: area.into(),
                line: "31".into(),
                ..NewAgency::default()
            };
            mj_access::create_agency(&mut tx, &new).await.expect("registered");
            tx.commit().await.expect("committed");
        }
        house.person("operator", Role::DatahubOperator, "370400", None).await;
        house.person("town-clerk", Role::Clerk, "370402", Some(TOWN)).await;
        house.person("town-admin", Role::DeptAdmin, "370402", Some(TOWN)).await;
        house.person("supervisor", Role::Supervisor, "370400", None).await;
        house.person("stranger", Role::RegionLeader, "410700", None).await;
        house.administrator("xitong", Role::SysAdmin).await;
        house
    }

    async fn open(&self, login: &str, class: AccountClass, role: Role, scope: Scope) {
        let act = Act::new(&Actor::system("test"), "test.person", "");
        let account = NewAccount {
            id: None,
            login: login.into(),
            name: format!("{}某", login.chars().next().unwrap_or('某')),
            class,
            agency: None,
        };
        let opened =
            self.domains.access.open_account(act, &account, PASSWORD, &[(role, scope)]).await;
        opened.expect("opened");
    }

    async fn person(&self, login: &str, role: Role, area: &str, agency: Option<&str>) {
        let scope = Scope {
            areas: vec![area.into()],
            agencies: agency.map_or(AgencySet::All, |agency| AgencySet::only([agency])),
            item_lines: AgencySet::All,
            level: DataLevel::Internal,
        };
        self.open(login, AccountClass::Business, role, scope).await;
    }

    async fn administrator(&self, login: &str, role: Role) {
        self.open(login, AccountClass::Admin, role, Scope::everything(DataLevel::Internal)).await;
    }

    async fn token(&self, login: &str) -> String {
        let body = json!({"login": login, "password": PASSWORD});
        let (status, answer) = self.send(Method::POST, "/sessions", None, Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["token"].as_str().expect("a token").to_owned()
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let (path, typed) = mj_testkit::typed(path);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(SEARCH_TEXT, typed)
            .header("idempotency-key", mj_platform::new_id())
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.body(body).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 4 << 20).await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, token: &str, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, Some(token), None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn post(&self, token: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, Some(token), Some(body)).await
    }

    /// A source of the city's bureau with its token, and what it pushes.
    async fn deliver(&self, operator: &str) {
        let source = json!({
            "cd_source": "370400_31", "name": "市场监管业务系统", "kind": "agency", "agency": CITY,
            "agency_name": "枣庄市市场监督管理局", "area": "370400", "priority": 10,
            "channels": ["file", "push", "upload", "manual"], "tables": [],
        });
        let (status, body) = self.post(operator, "/datahub/sources", source).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let (_, issued) = self.post(operator, "/datahub/sources/370400_31/token", json!({})).await;
        let token = issued["token"].as_str().expect("a token").to_owned();
        let officer = |id: &str, name: &str, org: &str, number: &str, until: &str, area: &str| {
            json!({
                "cd_id": id, "cd_time": "2026-11-19T10:00:00+08:00", "cd_operation": "i",
                "name": name, "org_full_name": org, "certificate_no": number,
                "valid_until": until, "area_number": area, "law_staff_type": "01",
            })
        };
        let officers = json!([
            officer("1", "王检查", "枣庄市市场监督管理局", "15040031001", "2029-12-31", "370400"),
            officer(
                "2",
                "李核实",
                "枣庄市市中区市场监督管理局",
                "15040231001",
                "2027-01-05",
                "370402"
            ),
            officer(
                "3",
                "张过期",
                "枣庄市市中区市场监督管理局",
                "15040231002",
                "2026-10-01",
                "370402"
            ),
        ]);
        let party = json!([{
            "cd_id": "p1", "cd_time": "2026-11-19T10:00:00+08:00", "cd_operation": "i",
            "entity_id_code": "3704000000000001", "uscc": "91370400MA3D2E3F55",
            "ent_name": "枣庄石榴红食品有限公司", "legal_repr": "李明",
            "address_registered": "山东省枣庄市市中区石榴路1号", "regist_status": "1",
            "regist_status_name": "存续", "establish_date": "2010-01-05",
        }]);
        for (table, number, rows) in [
            ("law_officer", "2026112000001", officers),
            ("object_enterprise", "2026112000002", party),
        ] {
            let body = json!({
                "table": table, "cd_source": "370400_31", "cd_batch": number,
                "rows": rows,
            });
            let (status, answer) = self.post(&token, "/datahub/batches", body).await;
            assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        }
        self.runner.run_until_idle().await.expect("jobs ran");
    }
}

async fn kit_begin(house: &House, act: Act) -> mj_platform::WriteTx {
    house.domains.access.db().begin(Lane::People, act).await.expect("a transaction")
}

fn kinds(answer: &Value) -> Vec<&str> {
    let groups = answer["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    groups.iter().filter_map(|group| group["kind"].as_str()).collect()
}

#[tokio::test]
async fn one_box_finds_everything_in_scope_and_nothing_outside() {
    let house = House::new().await;
    let operator = house.token("operator").await;
    house.deliver(&operator).await;
    let find = async |token: &str, q: &str| {
        let q: String = q.bytes().map(|byte| format!("%{byte:02X}")).collect();
        house.get(token, &format!("/search#{q}")).await
    };
    let found = find(&operator, "石榴红").await;
    assert_eq!(kinds(&found), ["party"], "{found}");
    assert_eq!(found["groups"][0]["items"][0]["title"], "枣庄石榴红食品有限公司");
    assert_eq!(kinds(&find(&operator, "王检查").await), ["officer"]);
    assert_eq!(kinds(&find(&operator, "15040231001").await), ["officer"]);
    assert_eq!(kinds(&find(&operator, "2026112000001").await), ["batch"]);
    let mixed = find(&operator, "市场监管").await;
    assert!(kinds(&mixed).contains(&"source"), "{mixed}");
    assert!(kinds(&find(&operator, "执法证号").await).contains(&"field"));
    assert!(kinds(&find(&operator, "市中区市场").await).contains(&"agency"));

    // the town's clerk has neither the city's officer nor its batches nor its source
    let clerk = house.token("town-clerk").await;
    assert!(kinds(&find(&clerk, "王检查").await).is_empty());
    assert_eq!(kinds(&find(&clerk, "李核实").await), ["officer"]);
    assert!(kinds(&find(&clerk, "2026112000001").await).is_empty());
    let stranger = house.token("stranger").await;
    for word in ["石榴红", "王检查", "2026112000001", "91370400MA3D2E3F55"] {
        let found = find(&stranger, word).await;
        assert!(kinds(&found).is_empty(), "{word}: {found}");
    }
    // an administrator finds people and places, no business
    let system = house.token("xitong").await;
    assert!(kinds(&find(&system, "石榴红").await).is_empty());
    // the code of a field may well be part of a login
    assert!(kinds(&find(&system, "operator").await).contains(&"account"));
    let business = ["party", "officer", "batch", "source"];
    assert!(!kinds(&find(&system, "市场").await).iter().any(|kind| business.contains(kind)));

    for odd in ["%", "_", "'", "\"; DROP TABLE party; --", "🦊", "\\", "   "] {
        let found = find(&operator, odd).await;
        assert!(!kinds(&found).contains(&"party"), "{odd}: {found}");
    }
    let long = find(&operator, &"石".repeat(3_333)).await;
    assert_eq!(long["q"].as_str().map(|q| q.chars().count()), Some(100));
    let begun = Instant::now();
    find(&operator, "枣庄").await;
    assert!(begun.elapsed().as_millis() < 1_000, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_first_page_differs_by_role_and_remembers_what_was_opened() {
    let house = House::new().await;
    let operator = house.token("operator").await;
    house.deliver(&operator).await;
    let home = house.get(&operator, "/home").await;
    assert_eq!(home["arrived"]["batches"], 2, "{home}");
    assert_eq!(home["officers"]["expiring"], 1, "{home}");
    assert_eq!(home["officers"]["expired"], 1, "{home}");
    assert_eq!(home["people"], Value::Null);
    let work = house.get(&operator, "/flow/work-items?state=open&limit=500").await;
    assert_eq!(home["work"]["open"].as_u64(), work["items"].as_array().map(|all| all.len() as u64));

    let hits = house.get(&operator, "/registry/parties").await;
    let party = hits["items"][0]["id"].as_str().expect("a party").to_owned();
    let opened = json!({"kind": "party", "id": party});
    let (status, _) = house.post(&operator, "/home/recent", opened.clone()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let home = house.get(&operator, "/home").await;
    assert_eq!(home["recent"][0]["title"], "枣庄石榴红食品有限公司", "{home}");
    let stranger = house.token("stranger").await;
    let (status, _) = house.post(&stranger, "/home/recent", opened).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "what one may not see is not remembered");

    let system = house.token("xitong").await;
    let home = house.get(&system, "/home").await;
    assert_eq!(home["people"]["accounts"], 6, "{home}");
    for business in ["work", "arrived", "faults", "officers", "sources"] {
        assert_eq!(home[business], Value::Null, "{business}");
    }
}

#[tokio::test]
async fn a_suspended_certificate_is_seen_by_all_and_given_back_by_its_own_agency_only() {
    let house = House::new().await;
    let operator = house.token("operator").await;
    house.deliver(&operator).await;
    let supervisor = house.token("supervisor").await;
    let suspend = "/registry/certificates/15040231001/suspend";
    let (status, _) = house.post(&operator, suspend, json!({"reason": "无权"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, body) = house.post(&supervisor, suspend, json!({"reason": " "})).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("registry.reason_missing"))
    );
    let why = json!({"reason": "群众举报，调查期间暂停", "until": "2026-12-31"});
    let (status, body) = house.post(&supervisor, suspend, why.clone()).await;
    assert_eq!((status, &body["officer"]["standing"]), (StatusCode::OK, &json!("suspended")));
    assert_eq!(house.post(&supervisor, suspend, why).await.0, StatusCode::CONFLICT);

    let admin = house.token("town-admin").await;
    let list = house.get(&admin, "/registry/officers?standing=suspended").await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    let own = &list["items"][0];
    assert_eq!(own["agency"], TOWN);
    let file = house
        .get(&admin, &format!("/registry/officers/{}", own["id"].as_str().unwrap_or("")))
        .await;
    assert_eq!(file["suspensions"][0]["reason"], "群众举报，调查期间暂停");
    assert_eq!(file["suspensions"][0]["suspended_by"], "s某（supervisor）");
    assert_eq!(file["may_suspend"], true);
    // another agency's officer is not there for the town's administrator
    let (status, _) =
        house.send(Method::GET, "/registry/officers/15040031001", Some(&admin), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let city = "/registry/certificates/15040031001/suspend";
    let (status, _) = house.post(&admin, city, json!({"reason": "不是本单位的"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let coverage = house.get(&operator, "/registry/officers/coverage").await;
    let town = coverage["items"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["agency"] == TOWN).cloned());
    let town = town.expect("the town's bureau");
    assert_eq!(
        (&town["able"], &town["suspended"], &town["expired"]),
        (&json!(0), &json!(1), &json!(1))
    );

    let restore = "/registry/certificates/15040231001/restore";
    let (status, body) = house.post(&admin, restore, json!({"reason": "查无实据"})).await;
    assert_eq!((status, &body["officer"]["standing"]), (StatusCode::OK, &json!("expiring")));
    assert_eq!(body["suspensions"][0]["lift_reason"], "查无实据");
    let summary = house.get(&supervisor, "/registry/officers/summary").await;
    assert_eq!((&summary["in_force"], &summary["suspended"]), (&json!(1), &json!(0)), "{summary}");
}

#[tokio::test]
async fn a_source_goes_from_planned_to_live_and_its_token_can_be_taken_away() {
    let house = House::new().await;
    let operator = house.token("operator").await;
    let source = json!({
        "cd_source": "370400_16", "name": "污染源自动监控系统", "kind": "agency", "agency": CITY,
        "agency_name": "枣庄市生态环境局", "area": "370400", "channels": ["push"],
        "tables": ["check_action"], "stage": "planned", "due_on": "2026-10-31",
        "note": "待接口联调", "reason": "应接尽接清单第16项",
    });
    let (status, body) = house.post(&operator, "/datahub/sources", source).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_eq!(body["connection"]["standing"], "overdue");
    assert_eq!(body["connection"]["days"], 20);
    let (_, issued) = house.post(&operator, "/datahub/sources/370400_16/token", json!({})).await;
    assert!(issued["token"].as_str().is_some_and(|token| token.starts_with("mjk_")));
    let change = json!({
        "version": body["version"], "stage": "live", "live_since": "2026-09-01", "due_on": "",
        "reason": "已上线",
    });
    let (status, body) = house.post(&operator, "/datahub/sources/370400_16", change).await;
    assert_eq!((status, &body["connection"]["standing"]), (StatusCode::OK, &json!("silent")));
    let file = house.get(&operator, "/datahub/sources/370400_16").await;
    assert_eq!(file["source"]["connection"]["days"], 80, "{file}");
    assert_eq!(file["tokens"].as_array().map(Vec::len), Some(1));
    assert_eq!(file["history"][0]["reason"], "已上线");
    assert_eq!(file["history"].as_array().map(Vec::len), Some(3), "{}", file["history"]);
    let end = "/datahub/sources/370400_16/token/revoke";
    let (status, _) = house.post(&operator, end, json!({"reason": ""})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _) = house.post(&operator, end, json!({"reason": "系统下线"})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let push =
        json!({"table": "check_action", "cd_source": "370400_16", "cd_batch": "1", "rows": []});
    let token = issued["token"].as_str().expect("a token");
    let (status, _) = house.post(token, "/datahub/batches", push).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let file = house.get(&operator, "/datahub/sources/370400_16").await;
    assert!(file["tokens"][0]["revoked_at"].is_string());
    let stranger = house.token("stranger").await;
    let path = "/datahub/sources/370400_16";
    let (status, _) = house.send(Method::GET, path, Some(&stranger), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_standard_is_searched_and_gives_a_sample_its_own_rules_accept() {
    let house = House::new().await;
    let clerk = house.token("town-clerk").await;
    let word = "/datahub/standard/search#%E7%BB%9F%E4%B8%80%E7%A4%BE%E4%BC%9A%E4%BF%A1%E7%94%A8%E4%BB%A3%E7%A0%81";
    let found = house.get(&clerk, word).await;
    assert!(found["fields"].as_array().is_some_and(|fields| !fields.is_empty()), "{found}");
    let lists = house.get(&clerk, "/datahub/code-lists").await;
    let lists = lists["items"].as_array().expect("lists").clone();
    assert!(lists.len() > 50, "{}", lists.len());
    let one = house.get(&clerk, "/datahub/code-lists/law_staff_type").await;
    assert_eq!(one["used_by"][0]["table"], "law_officer", "{one}");
    let (status, _) =
        house.send(Method::GET, "/datahub/code-lists/nothing", Some(&clerk), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let tables = house.get(&clerk, "/datahub/tables").await;
    for table in tables["items"].as_array().expect("tables") {
        let name = table["table"].as_str().expect("a name");
        for format in ["csv", "jsonl"] {
            let request = Request::get(format!("/api/v1/datahub/tables/{name}/sample.{format}"))
                .header("authorization", format!("Bearer {clerk}"))
                .body(Body::empty())
                .expect("a request");
            let answer = house.router.clone().oneshot(request).await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK, "{name}.{format}");
            let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join(format!("{name}.{format}"));
            std::fs::write(&path, &bytes).expect("written");
            let report = mj_datahub::check_table(name, &path, mj_testkit::NOW, None).await;
            let report = report.expect("checked").to_json().expect("JSON");
            let report: Value = serde_json::from_str(&report).expect("JSON");
            assert_eq!(report["rows"]["read"], 1, "{name}.{format}: {report}");
            assert_eq!(report["rows"]["refused"], 0, "{name}.{format}: {report}");
        }
    }
}
