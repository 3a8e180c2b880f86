//! The public site of a city as its stories find it, over HTTP on both databases: a post and its second person, a
//! citizen's correction and its answer, open data without a single person in it.

mod corrections;
mod log;
mod open_data;
mod pages;
mod posts;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::request::Parts as RequestParts;
use axum::http::{Request, StatusCode, header};
use mj_facts::disk::RealDisk;
use mj_facts::{ColumnSpec, FactIn, FactStore, Op, TableSpec};
use mj_flow::Flow;
use mj_kernel::{Actor, ActorKind, AgencySet, DataLevel, Event, Grant, Role, Scope};
use mj_platform::jobs::Runner;
use mj_registry::{Acts, MentionInput, NoNames, Registry};
use mj_standard::Standard;
use mj_testkit::TestDb;
use mj_web::{Authority, BoxFuture, Decision, Identity, Problem, Resource, Web};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{Parts, Portal, Site};

const AGENCY: &str = "11370481004400001P";
const FACTORY: &str = "91370400MA3D2E3F55";
/// A shop of a self-employed person: in the record of whoever looks it up, in no open data.
const SHOP: &str = "92370481MA3TET012Q";
const TABLES: [&str; 6] = [
    "check_action",
    "punish_action",
    "force_action",
    "other_action",
    "abnormal_list",
    "serious_illegal_list",
];

/// Who is named in a header holds that role in 滕州; nobody named is the public.
struct ByHeader;

impl Authority for ByHeader {
    fn identify<'a>(&'a self, parts: &'a RequestParts) -> BoxFuture<'a, Result<Identity, Problem>> {
        let named = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let who = named("x-who").zip(named("x-role").and_then(Role::parse));
        let identity = match who {
            Some((account, role)) => {
                let scope = Scope {
                    areas: vec!["370481".into()],
                    agencies: AgencySet::only([AGENCY]),
                    item_lines: AgencySet::All,
                    level: DataLevel::Internal,
                };
                let kind = ActorKind::Person { account_id: account.to_owned() };
                let actor = Actor { kind, grants: vec![Grant { role, scope }] };
                // at the desk, with the password just given
                Identity { proof: mj_web::Proof::Fresh, ..Identity::of(actor) }
            }
            None => Identity::anonymous(),
        };
        Box::pin(async { Ok(identity) })
    }

    fn decide(&self, who: &Identity, action: &str, resource: Option<&Resource>) -> Decision {
        mj_access::matrix::decide(who, action, resource)
    }
}

struct World {
    db: TestDb,
    portal: Portal,
    flow: Flow,
    registry: Registry,
    facts: FactStore,
    router: Router,
    runner: Runner,
}

fn spec_of(name: &str) -> TableSpec {
    let table = Standard::v1().table(name).expect("in the standard");
    let apart = ["cd_source", "cd_id", "cd_time", "cd_operation"];
    let columns = table.columns.iter().filter(|column| !apart.contains(&column.name.as_str()));
    TableSpec {
        name: name.into(),
        standard_version: "1.0".into(),
        columns: columns.map(|column| ColumnSpec::text(column.name.clone())).collect(),
    }
}

impl World {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let registry = Registry::new(db.db().clone(), db.keys());
        let flow = Flow::new(db.db().clone());
        let disk = RealDisk::new(db.folder.path().join("segments")).expect("a disk");
        let facts = FactStore::open(db.db().clone(), Arc::new(disk)).await.expect("a fact store");
        let specs: Vec<TableSpec> = TABLES.iter().map(|name| spec_of(name)).collect();
        let parts = Parts {
            db: db.db().clone(),
            keys: db.keys(),
            registry: registry.clone(),
            acts: Acts::new(facts.clone(), specs.clone(), Arc::new(NoNames)),
            flow: flow.clone(),
            facts: facts.clone(),
            specs,
            data_folder: db.folder.path().join("open-data"),
            log_folder: db.folder.path().join("log"),
        };
        let site = Site {
            name: "枣庄市".into(),
            area: "370400".into(),
            assets: Some(("/p.css".into(), "/p.js".into())),
            demo: true,
            ..Site::default()
        };
        let portal = Portal::new(parts, site);
        let modules = vec![crate::module(portal.clone()), mj_flow::module(flow.clone())];
        let web = Web::new(Arc::new(ByHeader), modules);
        let runner = Runner::new(db.db().clone(), web.jobs(), web.events());
        let router = web.router(Router::new()).merge(crate::fallback(portal.clone()));
        let router = crate::remembering(router);
        let world = Self { db, portal, flow, registry, facts, router, runner };
        world.agency().await;
        world
    }

    async fn agency(&self) {
        let mut tx = self.db.begin().await;
        let agency = mj_access::NewAgency {
            id: None,
            uscc: AGENCY.into(),
            name: "滕州市市场监督管理局".into(),
            short_name: "滕州市监局".into(),
            area_number: "370481".into(),
            line: "31".into(),
            nature: "1".into(),
            parent: None,
            valid_from: Some("2020-01-01".into()),
            valid_to: None,
        };
        mj_access::create_agency(&mut tx, &agency).await.expect("an agency");
        tx.commit().await.expect("committed");
    }

    async fn party(&self, said: MentionInput<'_>) -> i64 {
        let number = self.registry.resolve_mentions(&[said]).await.expect("a number")[0];
        self.registry.relink().await.expect("linked");
        number
    }

    async fn body(&self, code: &str, name: &str) -> i64 {
        let said = MentionInput {
            nature: Some("02"),
            code_type: Some("001"),
            code: Some(code),
            name,
            area_number: Some("370481"),
            ..Default::default()
        };
        self.party(said).await
    }

    /// A penalty of whoever the mention means, `days` since 1970.
    async fn punished(&self, mention: i64, id: &str, code: &str, name: &str, days: i32) {
        let spec = spec_of("punish_action");
        let values: Vec<Option<String>> = spec
            .columns
            .iter()
            .map(|column| match column.name.as_str() {
                "punish_document_code" => Some(format!("滕市监罚〔2026〕{id}号")),
                "punish_type" => Some("02".to_owned()),
                "fine" => Some("200000".to_owned()),
                "implement_institution" => Some("滕州市市场监督管理局".to_owned()),
                "implement_institution_code" => Some(AGENCY.to_owned()),
                "supervise_item_code" => Some("31010001000001".to_owned()),
                "administrative_cp" => Some(name.to_owned()),
                "administrative_cp_ui_code" => Some(code.to_owned()),
                "illegal_fact" => Some("张三经营超过保质期的食品".to_owned()),
                _ => None,
            })
            .collect();
        let row = FactIn {
            cd_source: "370481",
            cd_id: id,
            cd_time: mj_testkit::NOW,
            op: Op::Upsert,
            mention: Some(mention),
            business_key: None,
            content: u128::from(id.len() as u64) + u128::from(id.as_bytes()[0]),
            area: Some("370481"),
            agency: Some(AGENCY),
            event_date: Some(days),
            values: &values,
            norm: None,
            row: 1,
        };
        let mut tx = self.db.begin().await;
        self.facts.append(&spec, "b1", &[row], &mut tx).await.expect("appended");
        tx.commit().await.expect("committed");
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let answer = self.router.clone().oneshot(request).await.expect("an answer");
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 24).await.expect("a body");
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn page(&self, path: &str) -> (StatusCode, String) {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| crate::pages::address("", &[(name, value)]).replace('?', ""))
            .collect();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body.join("&")))
            .expect("a request");
        self.send(request).await
    }

    async fn call(
        &self,
        (who, role): (&str, &str),
        method: &str,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-who", who)
            .header("x-role", role)
            .header("idempotency-key", mj_platform::new_id())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request");
        let (status, text) = self.send(request).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// One verb on a post as it stands now.
    async fn act(
        &self,
        who: (&str, &str),
        post: &Value,
        verb: &str,
        more: Value,
    ) -> (StatusCode, Value) {
        let id = post["id"].as_str().expect("a post");
        let (_, now) =
            self.call(CLERK, "GET", &format!("/api/v1/portal/posts/{id}"), json!({})).await;
        let mut body = more;
        body["version"] = now["version"].clone();
        self.call(who, "POST", &format!("/api/v1/portal/posts/{id}/{verb}"), body).await
    }

    /// Posts among somebody's to-dos, none of which opens for who may not publish.
    async fn waiting(&self, who: (&str, &str)) -> Vec<String> {
        let path = "/api/v1/flow/work-items?state=open&kind=portal_post";
        let (status, found) = self.call(who, "GET", path, json!({})).await;
        assert_eq!(status, 200, "{found}");
        let items = found["items"].as_array().cloned().unwrap_or_default();
        for item in &items {
            let one = format!("/api/v1/flow/work-items/{}", item["id"].as_str().expect("an id"));
            assert_eq!(self.call(CLERK, "GET", &one, json!({})).await.0, 404);
            assert_eq!(self.call(who, "GET", &one, json!({})).await.0, 200);
        }
        items.iter().filter_map(|item| item["title"].as_str().map(str::to_owned)).collect()
    }

    async fn number_of(&self, q: &str) -> (String, Value) {
        let path = crate::pages::address("/api/v1/public/parties", &[("q", q)]);
        let (status, text) = self.page(&path).await;
        assert_eq!(status, 200, "{text}");
        let found: Value = serde_json::from_str(&text).expect("JSON");
        let number = found["items"][0]["register_no"].as_str().expect("found").to_owned();
        let (_, text) = self.page(&format!("/api/v1/public/parties/{number}")).await;
        (number, serde_json::from_str(&text).expect("JSON"))
    }
}

const CLERK: (&str, &str) = ("wang", "clerk");
const REVIEWER: (&str, &str) = ("li", "reviewer");
/// 2026-11-01.
const NOVEMBER: i32 = 20_758;

fn news() -> Value {
    json!({
        "kind": "news", "agency": AGENCY, "title": "滕州市开展餐饮专项检查",
        "body": "## 安排\n\n本月起检查**餐饮**单位。\n\n<script>alert(1)</script>\n\n[附](javascript:alert(1))",
    })
}
