//! Stories of the public site, told over HTTP on both databases: a post and its second person, a
//! citizen's correction and its answer, open data without a single person in it.

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
                Identity::of(Actor { kind, grants: vec![Grant { role, scope }] })
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

#[tokio::test]
async fn a_post_is_published_by_a_second_person_corrected_in_sight_and_withdrawn_with_its_reason() {
    let world = World::new().await;
    let (status, post) = world.call(CLERK, "POST", "/api/v1/portal/posts", news()).await;
    assert_eq!(status, 201, "{post}");
    assert_eq!(world.page("/news/1").await.0, 404);
    assert_eq!(world.act(REVIEWER, &post, "publish", json!({})).await.0, 409, "not yet submitted");
    let (status, _) = world.act(REVIEWER, &post, "submit", json!({})).await;
    assert_eq!(status, 404, "somebody else's draft is not there for them");
    let (status, sent) = world.act(CLERK, &post, "submit", json!({})).await;
    assert_eq!((status, sent["state"].as_str()), (StatusCode::OK, Some("submitted")), "{sent}");
    assert_eq!(world.waiting(CLERK).await, Vec::<String>::new(), "not the author’s to do");
    assert_eq!(world.waiting(REVIEWER).await, ["监管动态“滕州市开展餐饮专项检查”待审核"]);
    // the author is a reviewer today: the decision asks for a second person all the same
    let (status, refused) = world.act(("wang", "reviewer"), &post, "publish", json!({})).await;
    assert_eq!(
        (status, refused["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("access.second_person_required"))
    );
    let (status, back) = world.act(REVIEWER, &post, "return", json!({"reason": "缺少时间"})).await;
    assert_eq!((status, back["state"].as_str()), (StatusCode::OK, Some("returned")), "{back}");
    assert_eq!(world.waiting(REVIEWER).await, Vec::<String>::new(), "sent back");
    let mended = json!({"title": "滕州市开展餐饮专项检查", "body": format!("11月20日起。\n\n{}", news()["body"].as_str().unwrap_or_default())});
    assert_eq!(world.act(CLERK, &post, "text", mended).await.0, 200);
    assert_eq!(world.act(CLERK, &post, "submit", json!({})).await.0, 200);
    assert_eq!(world.waiting(REVIEWER).await.len(), 1, "sent once more");
    let (status, out) = world.act(REVIEWER, &post, "publish", json!({})).await;
    assert_eq!((status, out["address"].as_str()), (StatusCode::OK, Some("/news/1")), "{out}");

    assert_eq!(world.waiting(REVIEWER).await, Vec::<String>::new(), "published");

    let (status, html) = world.page("/news/1").await;
    assert_eq!(status, 200);
    assert!(html.contains("<strong>餐饮</strong>") && html.contains("&lt;script&gt;"), "{html}");
    assert!(!html.contains("<script>alert") && !html.contains("javascript:"), "{html}");
    assert!(html.contains(r#"<meta name="PubDate" content="2026-11-20">"#), "{html}");
    assert!(world.page("/news").await.1.contains("滕州市开展餐饮专项检查"));
    assert!(world.page("/").await.1.contains("/news/1"));

    let (status, _) = world.act(CLERK, &post, "correct", json!({})).await;
    assert_eq!(status, 422, "a correction has a reason");
    let (status, open) = world.act(CLERK, &post, "correct", json!({"reason": "日期写错"})).await;
    assert_eq!((status, open["state"].as_str()), (StatusCode::OK, Some("correcting")), "{open}");
    let text = json!({"title": "滕州市开展餐饮专项检查", "body": "12月1日起检查餐饮单位。"});
    assert_eq!(world.act(CLERK, &post, "text", text).await.0, 200);
    assert!(world.page("/news/1").await.1.contains("11月20日起"), "until it is published");
    assert_eq!(world.act(CLERK, &post, "submit", json!({})).await.0, 200);
    assert_eq!(world.act(REVIEWER, &post, "publish", json!({})).await.0, 200);
    let (_, html) = world.page("/news/1").await;
    assert!(html.contains("12月1日起") && html.contains("日期写错"), "{html}");
    assert!(html.contains("11月20日起") && html.contains("更正前的文本"), "{html}");

    assert_eq!(world.act(CLERK, &post, "withdraw", json!({"reason": "x"})).await.0, 403);
    let (status, gone) =
        world.act(REVIEWER, &post, "withdraw", json!({"reason": "活动取消"})).await;
    assert_eq!((status, gone["state"].as_str()), (StatusCode::OK, Some("withdrawn")), "{gone}");
    let (status, html) = world.page("/news/1").await;
    assert_eq!(status, 410);
    assert!(html.contains("活动取消") && html.contains("2026年11月20日撤回"), "{html}");
    assert!(!html.contains("12月1日起"), "{html}");
    assert_eq!(world.page("/api/v1/public/news/1").await.0, 410);
    let verbs: Vec<&str> = gone["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|step| step["verb"].as_str())
        .collect();
    assert_eq!(
        verbs,
        [
            "create", "submit", "return", "write", "submit", "publish", "correct", "write",
            "submit", "publish", "withdraw"
        ]
    );
    assert_eq!(gone["texts"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn large_type_and_contrast_hold_without_scripts_and_lead_back() {
    let world = World::new().await;
    let (_, plain) = world.page("/search?q=a%20b").await;
    assert!(plain.contains("<html lang=\"zh-CN\">"), "{plain}");
    let to_large = "/display?to=large&amp;back=/search%3Fq%3Da%2520b";
    assert!(plain.replace("&#38;", "&amp;").replace("%2F", "/").contains(to_large), "{plain}");
    let asked = Request::get("/display?to=large.contrast&back=%2Fsearch%3Fq%3Da%2520b");
    let asked = asked.body(Body::empty()).expect("a request");
    let answer = world.router.clone().oneshot(asked).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[header::LOCATION], "/search?q=a%20b");
    let kept = answer.headers()[header::SET_COOKIE].to_str().expect("a cookie");
    assert!(kept.starts_with("mj-display=large.contrast; Path=/;"), "{kept}");
    let again = Request::get("/about").header(header::COOKIE, "a=b; mj-display=large.contrast");
    let (_, html) = world.send(again.body(Body::empty()).expect("a request")).await;
    assert!(html.contains(r#"<html lang="zh-CN" data-size="large" data-contrast="high">"#));
    assert!(html.contains("display?to=contrast"), "one of the two is taken back by itself: {html}");
}

#[tokio::test]
async fn nothing_personal_is_published_by_mistake() {
    let world = World::new().await;
    for (field, text) in [
        ("body", "当事人身份证号34052419800101001X，已处理完毕。"),
        ("body", "联系电话13812345678，欢迎监督举报。"),
        ("title", "关于13812345678的通报"),
        ("title", "短"),
        ("body", "太短"),
    ] {
        let mut post = news();
        post[field] = text.into();
        let (status, refused) = world.call(CLERK, "POST", "/api/v1/portal/posts", post).await;
        assert_eq!(status, 422, "{refused}");
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let mut post = news();
    post["agency"] = FACTORY.into();
    let (status, _) = world.call(CLERK, "POST", "/api/v1/portal/posts", post).await;
    assert_eq!(status, 404, "another agency's word cannot be given");
}

#[tokio::test]
async fn an_exposure_stands_on_a_public_record_and_ends_by_the_rule_table() {
    let world = World::new().await;
    let factory = world.body(FACTORY, "枣庄恒达商贸有限公司").await;
    world.punished(factory, "1", FACTORY, "枣庄恒达商贸有限公司", NOVEMBER).await;
    let (number, record) = world.number_of("恒达").await;
    let line = record["acts"][0]["line"].as_str().expect("a line");
    let mut post = json!({
        "kind": "exposure", "agency": AGENCY, "title": "曝光一起过期食品案件",
        "body": "恒达公司经营超过保质期的食品，被罚款。", "register_no": number,
    });
    let (status, refused) = world.call(CLERK, "POST", "/api/v1/portal/posts", post.clone()).await;
    assert_eq!(status, 422, "{refused}");
    post["act_line"] = "20758.0123456789abcdef".into();
    let (status, refused) = world.call(CLERK, "POST", "/api/v1/portal/posts", post.clone()).await;
    assert_eq!(
        (status, refused["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("portal.act_not_public"))
    );
    post["act_line"] = line.into();
    let (status, post) = world.call(CLERK, "POST", "/api/v1/portal/posts", post).await;
    assert_eq!(status, 201, "{post}");
    assert_eq!(world.act(CLERK, &post, "submit", json!({})).await.0, 200);
    let (status, out) = world.act(REVIEWER, &post, "publish", json!({})).await;
    assert_eq!(
        (status, out["shown_until"].as_str()),
        (StatusCode::OK, Some("2027-11-20")),
        "{out}"
    );
    assert!(out["until_basis"].as_str().is_some_and(|basis| basis.contains("22号")), "{out}");
    let (_, html) = world.page("/exposure/1").await;
    assert!(html.contains("展示至") && html.contains(&format!("/parties/{number}")), "{html}");
    assert!(world.page(&format!("/parties/{number}")).await.1.contains("/exposure/1"));
    world.db.clock.advance_seconds(366 * 86_400);
    let (status, html) = world.page("/exposure/1").await;
    assert_eq!(status, 410);
    assert!(html.contains("展示期已满") && !html.contains("恒达"), "{html}");
    assert!(!world.page("/exposure").await.1.contains("/exposure/1"));
}

#[tokio::test]
async fn a_penalty_leaves_the_public_record_when_its_term_is_over() {
    let world = World::new().await;
    let factory = world.body(FACTORY, "枣庄恒达商贸有限公司").await;
    world.punished(factory, "1", FACTORY, "枣庄恒达商贸有限公司", NOVEMBER).await;
    world.punished(factory, "2", FACTORY, "枣庄恒达商贸有限公司", NOVEMBER - 4 * 365).await;
    let (number, record) = world.number_of("恒达").await;
    let shown = record["acts"].as_array().expect("acts");
    assert_eq!(shown.len(), 1, "{record}");
    assert_eq!(shown[0]["source"]["data_date"], "2026-11-20", "{record}");
    let (_, html) = world.page(&format!("/parties/{number}")).await;
    assert!(html.contains("2,000.00 元") && html.contains("数据日期 2026年11月20日"), "{html}");
    assert!(!html.contains("张三"), "free texts may name people");
}

#[tokio::test]
async fn somebody_without_an_account_says_a_line_is_wrong_and_reads_the_answer() {
    let world = World::new().await;
    let factory = world.body(FACTORY, "枣庄恒达商贸有限公司").await;
    world.punished(factory, "1", FACTORY, "枣庄恒达商贸有限公司", NOVEMBER).await;
    let (number, record) = world.number_of("恒达").await;
    let line = record["acts"][0]["line"].as_str().expect("a line");
    let path = format!("/parties/{number}/wrong");
    let (status, html) = world.page(&format!("{path}?line={line}")).await;
    assert_eq!(status, 200);
    let token =
        html.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let token = token.expect("a token").to_owned();
    assert_eq!(world.page(&format!("{path}?line=1.nothing")).await.0, 404);
    let form = |said: &'static str| {
        let (token, line) = (token.clone(), line.to_owned());
        let (world, path) = (&world, path.clone());
        async move {
            let fields = [
                ("line", line.as_str()),
                ("token", &token),
                ("fault", "value_wrong"),
                ("said", said),
            ];
            world.form(&path, &fields).await
        }
    };
    let (status, html) = form("短").await;
    assert_eq!(status, 422);
    assert!(html.contains("至少 5 个字") && html.contains(">短</textarea>"), "{html}");
    let (status, html) = form("请打13812345678联系我，谢谢").await;
    assert_eq!(status, 422);
    assert!(html.contains("请删去手机号码"), "{html}");
    let (status, html) = form("罚款应为 1000 元，见判决 <b>1</b> '\"%").await;
    assert_eq!(status, 200, "{html}");
    let told = |html: &str, what: &str| {
        let rest = html.split(&format!("data-receipt=\"{what}\">")).nth(1).expect("told");
        rest.split('<').next().expect("a value").to_owned()
    };
    let (id, code) = (told(&html, "number"), told(&html, "code"));
    assert_eq!(id, "JC20261120-0001");
    let (_, again) = form("罚款应为 1000 元，见判决 <b>1</b> '\"%").await;
    assert_eq!((told(&again, "number"), told(&again, "code")), (id.clone(), code.clone()));

    let (status, html) = world.form("/corrections", &[("number", &id), ("code", "AAAAAAAA")]).await;
    assert_eq!(status, 422);
    assert!(html.contains("编号或查询码不对"), "{html}");
    let lower = code.to_lowercase();
    let (status, html) = world.form("/corrections", &[("number", &id), ("code", &lower)]).await;
    assert_eq!(status, 200);
    assert!(html.contains("已收到，等待核实") && html.contains("&#60;b&#62;1"), "{html}");

    let (_, list) =
        world.call(CLERK, "GET", "/api/v1/flow/work-items?kind=portal_correction", json!({})).await;
    let item = &list["items"][0];
    assert!(item.is_object(), "{list}");
    assert_eq!(item["deadline"], "2026-11-25", "three working days after Friday: {item}");
    assert!(item["payload"]["said"].as_str().is_some_and(|said| said.contains("1000")), "{item}");
    let verb = |verb: &'static str, body: Value| {
        let (world, id) = (&world, item["id"].as_str().unwrap_or_default().to_owned());
        async move {
            let (_, now) =
                world.call(CLERK, "GET", &format!("/api/v1/flow/work-items/{id}"), json!({})).await;
            let mut body = body;
            body["version"] = now["version"].clone();
            world.call(CLERK, "POST", &format!("/api/v1/flow/work-items/{id}/{verb}"), body).await
        }
    };
    assert_eq!(verb("claim", json!({})).await.0, 200);
    let decided = json!({"decision": "corrected", "reason": "已按生效判决更正为 1000 元"});
    assert_eq!(verb("decide", decided).await.0, 200);
    world.runner.run_until_idle().await.expect("told");
    let (_, html) = world.form("/corrections", &[("number", &id), ("code", &code)]).await;
    assert!(
        html.contains("确有错误，已更正") && html.contains("已按生效判决更正为 1000 元"),
        "{html}"
    );
    let reopened = Event::WorkItemReopened {
        work_item_id: item["id"].as_str().unwrap_or_default().into(),
        kind: "portal_correction".into(),
        verdict: "corrected".into(),
        payload: "{}".into(),
    };
    world.portal.on_event(&reopened).await.expect("taken back");
    let (_, html) = world.form("/corrections", &[("number", &id), ("code", &code)]).await;
    assert!(!html.contains("已按生效判决"), "{html}");
    let open = world.flow.item_unscoped(item["id"].as_str().unwrap_or_default()).await;
    assert!(open.is_ok());
}

#[tokio::test]
async fn one_address_cannot_flood_the_clerks() {
    let world = World::new().await;
    let factory = world.body(FACTORY, "枣庄恒达商贸有限公司").await;
    world.punished(factory, "1", FACTORY, "枣庄恒达商贸有限公司", NOVEMBER).await;
    let (number, record) = world.number_of("恒达").await;
    let line = record["acts"][0]["line"].as_str().expect("a line");
    for nth in 0..8 {
        let token = format!("token0000000000{nth}0");
        let fields =
            [("line", line), ("token", &token), ("fault", "other"), ("said", "这条记录不对")];
        let (status, html) = world.form(&format!("/parties/{number}/wrong"), &fields).await;
        if nth < 6 {
            assert_eq!(status, 200, "{html}");
        } else {
            assert_eq!(status, 429);
            assert!(html.contains("这条记录不对"), "what was written is not lost");
        }
    }
    let items = world.db.db().count("SELECT COUNT(*) FROM work_item", &[]).await.expect("counted");
    assert_eq!(items, 6);
}

#[tokio::test]
async fn open_data_holds_bodies_and_no_person_and_its_digest_is_true() {
    use sha2::Digest;
    let world = World::new().await;
    let factory = world.body(FACTORY, "=恒达\"商贸\",有限公司").await;
    let shop = world.body(SHOP, "滕州市好味饭店").await;
    world.punished(factory, "1", FACTORY, "=恒达\"商贸\",有限公司", NOVEMBER).await;
    world.punished(factory, "2", FACTORY, "恒达", NOVEMBER - 4 * 365).await;
    world.punished(shop, "3", SHOP, "滕州市好味饭店", NOVEMBER).await;
    assert!(world.page("/data").await.1.contains("正在生成"));
    world.portal.keep_open_data().await.expect("queued");
    world.portal.keep_open_data().await.expect("queued once");
    world.runner.run_until_idle().await.expect("built");
    let (status, text) = world.page("/api/v1/public/datasets").await;
    assert_eq!(status, 200);
    let sets: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(sets.as_array().map(Vec::len), Some(8));
    let set = |id: &str| sets.as_array().into_iter().flatten().find(|set| set["id"] == id).cloned();
    let penalties = set("penalties").expect("there");
    assert_eq!(penalties["rows"], 1, "one body, within its term: {penalties}");
    assert_eq!(set("agencies").expect("there")["rows"], 1);
    assert_eq!(set("market-entities").expect("there")["rows"], 1);
    for file in penalties["files"].as_array().into_iter().flatten() {
        let (status, body) = world.page(file["address"].as_str().expect("an address")).await;
        assert_eq!(status, 200);
        assert_eq!(file["bytes"].as_i64(), i64::try_from(body.len()).ok());
        assert_eq!(file["sha256"], hex::encode(sha2::Sha256::digest(body.as_bytes())));
        assert!(body.contains("2000.00") && body.contains(FACTORY), "{body}");
        assert!(!body.contains("张三") && !body.contains("好味"), "{body}");
        if file["format"] == "json" {
            let whole: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(whole["rows"][0]["administrative_cp"], "=恒达\"商贸\",有限公司");
        } else {
            assert!(body.contains("\"'=恒达\"\"商贸\"\",有限公司\""), "{body}");
        }
    }
    let (status, html) = world.page("/data/penalties").await;
    assert_eq!(status, 200);
    assert!(html.contains("处罚决定书文号") && html.contains("演示数据"), "{html}");
    assert_eq!(world.page("/data/penalties/other.csv").await.0, 404);
    assert_eq!(world.page("/data/nothing").await.0, 404);
    let files =
        std::fs::read_dir(world.db.folder.path().join("open-data")).expect("a folder").count();
    world.portal.build_open_data(None).await.expect("built again");
    let now =
        std::fs::read_dir(world.db.folder.path().join("open-data")).expect("a folder").count();
    assert_eq!(files, now, "old files are taken away");
}

#[tokio::test]
async fn every_page_stands_whatever_is_typed_into_the_search() {
    let world = World::new().await;
    world.body(FACTORY, "枣庄恒达商贸有限公司").await;
    let long = "恒".repeat(10_000);
    for (q, expected) in [
        ("恒达", "共找到 1 户"),
        ("%", "太短"),
        ("%%%", "没有找到"),
        ("__", "没有找到"),
        ("' OR 1=1 --", "没有找到"),
        ("\"><script>alert(1)</script>", "没有找到"),
        ("😀😀😀", "没有找到"),
        ("\u{0}\u{7}恒达", "共找到"),
        (long.get(..9_000).unwrap_or_default(), "只用了前 100 个字"),
    ] {
        let (status, html) = world.page(&crate::pages::address("/search", &[("q", q)])).await;
        assert_eq!(status, 200, "{q}");
        let shown: String = q.chars().take(20).collect();
        assert!(html.contains(expected), "{shown}: {html}");
        assert!(!html.contains("<script>alert"), "{shown}");
    }
    let (_, html) = world.page("/search?q=%E6%81%92%E8%BE%BE&area=999999&kind=person").await;
    assert!(html.contains("“地区”不存在") && html.contains("“类型”不存在"), "{html}");
    let (_, html) = world.page("/search?q=%E6%81%92%E8%BE%BE&area=370403").await;
    assert!(html.contains("不限地区和类型再查一次"), "{html}");
    for path in [
        "/",
        "/search",
        "/news",
        "/exposure",
        "/log",
        "/data",
        "/corrections",
        "/about",
        "/accessibility",
        "/sitemap",
    ] {
        let (status, html) = world.page(path).await;
        assert_eq!(status, 200, "{path}");
        assert!(html.contains("<h1") && html.contains("跳到正文") && html.len() < 30_000, "{path}");
    }
    for path in [
        "/nothing",
        "/news/abc",
        "/parties/%00",
        "/parties/%FF",
        "/data/%00",
        "/data/%00/x",
        "/news/%00",
        "/log/weeks/%00",
        "/log/weeks/..%2Fkey",
        "/log/weeks/..%2Fkey.txt",
        "/log/weeks/2026-W47.txt",
    ] {
        assert_eq!(world.page(path).await.0, 404, "{path}");
    }
    for path in ["/search?q=a&q=b", "/search?q=%FF", "/news?before=x&before=y", "/search?cursor"] {
        assert_eq!(world.page(path).await.0, 200, "{path}");
    }
    assert_eq!(world.page("/search?q=%E6%81%92%E8%BE%BE&cursor=%00").await.0, 303);
    assert_eq!(world.form("/corrections", &[("number", "\u{0}"), ("code", "\u{0}")]).await.0, 422);
}

/// The texts of all elements of this name.
fn elements(xml: &str, name: &str) -> Vec<String> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let (mut found, mut within) = (Vec::new(), false);
    loop {
        match reader.read_event().expect("well formed") {
            Event::Start(tag) if tag.local_name().as_ref() == name => {
                within = true;
                found.push(String::new());
            }
            Event::End(_) => within = false,
            Event::Text(text) if within => {
                found.last_mut().expect("an element").push_str(&text);
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}

#[tokio::test]
async fn the_checkpoint_of_every_past_week_is_taken_away_by_anybody_and_verifies_the_store() {
    use mj_platform::ledger::{Ledger, verify};

    let world = World::new().await;
    let folder = world.db.folder.path().join("log");
    let (_, html) = world.page("/log").await;
    assert!(html.contains("还没有签署过检查点") && html.contains("还没有已结束的周"), "{html}");
    let ledger = Ledger::open(world.db.db().clone(), &folder, world.db.vault(), "370400").await;
    let ledger = ledger.expect("a log");
    let mut signed = Vec::new();
    for _ in 0..55 {
        let mut tx = world.db.begin().await;
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
        ledger.drain().await.expect("signed");
        signed.push(ledger.checkpoint().expect("read").expect("signed"));
        world.db.clock.advance_seconds(7 * 86_400);
    }
    // the present week has none yet, and the newest stands on the page all the same
    let (status, html) = world.page("/log").await;
    assert_eq!(status, 200);
    let last = signed.last().expect("one").lines().nth(2).expect("a root");
    assert!(html.contains(&format!("data-test=\"root\">{last}<")), "{html}");
    let links = |html: &str| -> Vec<String> {
        let parts = html.split("href=\"/log/weeks/").skip(1);
        parts.filter_map(|part| part.split('"').next()).map(str::to_owned).collect()
    };
    let mut found = links(&html);
    assert_eq!(found.len(), 53, "a year of weeks on a page");
    let (_, earlier) = world.page("/log?before=2026-W49").await;
    found.extend(links(&earlier));
    assert_eq!(found.len(), 55);
    for (file, text) in found.iter().zip(signed.iter().rev()) {
        let (status, got) = world.page(&format!("/log/weeks/{file}")).await;
        assert_eq!((status, &got), (StatusCode::OK, text), "{file}");
    }
    for text in [&signed[0], &signed[30], &signed[54]] {
        let mut snapshot = world.db.db().snapshot().await.expect("a view");
        let wanted = verify::Wanted { outside: Some(text.clone()), ..verify::Wanted::default() };
        let report = verify::run(&mut snapshot, &folder, &wanted).await.expect("verified");
        assert!(report.findings.iter().all(|one| one.table != "checkpoint"), "{report:?}");
    }
    // the feed, and the lines of 监管动态
    let (status, xml) = world.page("/log/feed.xml").await;
    assert_eq!(status, 200);
    let (ids, updated) = (elements(&xml, "id"), elements(&xml, "updated"));
    assert_eq!((ids.len(), updated.len()), (54, 54), "{xml}");
    assert_eq!(updated[0], updated[1], "of the newest entry");
    let unlike: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unlike.len(), 54);
    assert!(elements(&xml, "content")[0].contains(last), "{xml}");
    let (_, news) = world.page("/news").await;
    assert_eq!(news.matches("href=\"/log#").count(), 5, "{news}");
    assert!(news.contains("type=\"application/atom+xml\" href=\"/log/feed.xml\""), "{news}");
    assert!(!world.page("/exposure").await.1.contains("/log#"));
    // this week is not over
    let mut tx = world.db.begin().await;
    tx.note().await.expect("noted");
    tx.commit().await.expect("committed");
    ledger.drain().await.expect("signed");
    let name = mj_platform::ledger::week_of(world.db.db().clock().now());
    assert_eq!(world.page(&format!("/log/weeks/{name}.txt")).await.0, 404);
}
