//! Personal values seen one at a time, large exports taken by two, officers held to their certificates, and
//! grants seen from both sides: stories over the whole house.

use std::collections::BTreeSet;

use axum::Router;
use axum::http::{Method, StatusCode};
use mj_kernel::Role;
use mj_platform::RowExt;
use mj_platform::jobs::Runner;
use mj_testkit::NOW;
use serde_json::{Value, json};

use super::world::{Hat, Relation, World, ask, party_row, put};

const PHONE: &str = "13876543210";
const USCC: &str = "91370400MA3D2E3F55";

pub struct House {
    pub world: World,
    pub router: Router,
}

impl House {
    pub async fn new() -> Self {
        let world = World::new().await;
        world.stand().await;
        let router = crate::modules::web(&world.domains).router(Router::new());
        Self { world, router }
    }

    pub async fn send(
        &self,
        hat: Hat,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let body = (!body.is_null()).then(|| body.to_string());
        let path = format!("/api/v1{path}");
        let answer = ask(&self.router, &method, &path, hat.token().as_deref(), body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::String(text)))
    }

    async fn post(&self, role: Role, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Hat::Role(role), Method::POST, path, body).await
    }

    async fn get(&self, role: Role, path: &str) -> Value {
        let (status, body) = self.send(Hat::Role(role), Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// What was queued is done.
    pub async fn run(&self) {
        let web = crate::modules::web(&self.world.domains);
        let runner = Runner::new(self.world.kit.db().clone(), web.jobs(), web.events());
        runner.run_until_idle().await.expect("jobs ran");
    }

    /// The sample row of a table with some values changed, delivered by the own office's source; its batch.
    async fn deliver(&self, table: &str, changes: Value) -> String {
        let path = format!("/datahub/tables/{table}/sample.jsonl");
        let mut row = self.get(Role::Clerk, &path).await;
        let changes = changes.as_object().expect("changes");
        for (name, value) in changes {
            row[name] = value.clone();
        }
        row["cd_source"] = json!("src_own");
        row["cd_time"] = json!("2026-11-19T10:00:00+08:00");
        let id = changes["cd_id"].as_str().expect("a record's number");
        let number = id.bytes().fold(0_u32, |number, byte| number * 100 + u32::from(byte));
        let batch = json!({"table": table, "cd_source": "src_own", "rows": [row],
            "cd_batch": format!("2026112{number:06}")});
        let (status, body) = self.send(Hat::Source, Method::POST, "/datahub/batches", batch).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        self.run().await;
        body["batch_id"].as_str().expect("a batch").to_owned()
    }

    /// Two officers' check of a person, of item line 31; its batch.
    /// Those who act upon a person below.
    async fn two_officers(&self) {
        let own = json!({"cd_id": "o1", "org_full_name": Relation::Own.agency_name(),
            "certificate_no": "15040100091"});
        self.deliver("law_officer", own).await;
        let next = json!({"cd_id": "o2", "org_full_name": Relation::Sibling.agency_name(),
            "certificate_no": "15040100092", "id_no": null, "gender": null, "birth_date": null});
        self.deliver("law_officer", next).await;
    }

    async fn act_upon_a_person(&self) -> String {
        let person = json!({"cd_id": "k1", "supervise_item_implement_code": "31010001000001",
            "administrative_cp_na": "01", "administrative_cp": "李明", "administrative_cp_ce_type": "111",
            "administrative_cp_ui_code": CITIZEN, "supervise_object": "李明", "plan_id": null, "check_mode": "2",
            "check_personnel_code": "15040100091;15040100092"});
        self.deliver("check_action", person).await
    }

    /// An enterprise whose contact is a person; its id.
    pub async fn enterprise(&self) -> String {
        let row = json!({
            "cd_id": "p1", "cd_time": "2026-11-19T10:00:00+08:00", "cd_operation": "i",
            "entity_id_code": "3704000000000001", "uscc": USCC,
            "ent_name": "枣庄石榴红食品有限公司", "legal_repr": "李明",
            "address_registered": "山东省枣庄市市中区石榴路1号", "regist_status": "1",
            "regist_status_name": "存续", "establish_date": "2010-01-05",
            "contact_name": "王芳", "contact_phone": PHONE,
        });
        let batch = json!({"table": "object_enterprise", "cd_source": "src_own",
            "cd_batch": "2026112000009", "rows": [row]});
        let (status, body) = self.send(Hat::Source, Method::POST, "/datahub/batches", batch).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        self.run().await;
        let href = body["href"].as_str().expect("an address").trim_start_matches("/api/v1");
        let (_, settled) = self.send(Hat::Source, Method::GET, href, Value::Null).await;
        assert_eq!(settled["counts"]["correct"], 1, "{settled}");
        let sql = "SELECT id FROM party WHERE uscc = $1";
        let row = self.world.kit.db().fetch_one(sql, &[USCC.into()]).await.expect("a party");
        row.text("id").expect("an id")
    }
}

#[tokio::test]
async fn a_masked_value_is_seen_one_at_a_time_for_a_reason_and_not_more_often_than_the_rule_says() {
    let house = House::new().await;
    let party = house.enterprise().await;
    let read = format!("/registry/parties/{party}");
    let masked = house.get(Role::Clerk, &read).await;
    let field = |file: &Value| -> Value {
        let fields = file["fields"].as_array().expect("fields");
        fields.iter().find(|one| one["name"] == "contact_phone").cloned().expect("the phone")
    };
    assert_eq!(field(&masked)["masked"], true, "{masked}");
    assert!(!masked.to_string().contains(PHONE));
    let reveal = format!("/reveals/party/{party}");
    let wish = |reason: &str| json!({"field": "contact_phone", "reason": reason});
    let (status, body) = house.post(Role::Clerk, &reveal, wish(" 看 ")).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("reveal.reason"))
    );
    let open = json!({"field": "ent_name", "reason": "核对送达地址"});
    let (_, body) = house.post(Role::Clerk, &reveal, open).await;
    assert_eq!(body["code"], "reveal.field", "what is not masked is not counted");
    // a department's administrator here holds no grant of the personal level
    for role in [Role::Supervisor, Role::RegionLeader, Role::SecAdmin, Role::DeptAdmin] {
        let (status, _) = house.post(role, &reveal, wish("核对送达地址")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{role:?}");
    }
    let (status, body) = house.post(Role::Clerk, &reveal, wish("核对送达地址")).await;
    assert_eq!((status, &body["value"]), (StatusCode::OK, &json!(PHONE)), "{body}");
    assert_eq!((&body["left_today"], &body["seconds"]), (&json!(29), &json!(30)));
    assert!(!house.get(Role::Clerk, &read).await.to_string().contains(PHONE), "masked again");
    let db = house.world.kit.db();
    let sql =
        "SELECT reason, object FROM act_journal WHERE action = 'personal.shared_value.reveal'";
    let act = db.fetch_one(sql, &[]).await.expect("one act");
    assert_eq!(
        act.opt_text("reason").expect("a reason"),
        Some("查看“联络员手机号码”：核对送达地址".into())
    );
    for _ in 0..29 {
        let (status, _) = house.post(Role::Clerk, &reveal, wish("核对送达地址")).await;
        assert_eq!(status, StatusCode::OK);
    }
    let (status, body) = house.post(Role::Clerk, &reveal, wish("核对送达地址")).await;
    assert_eq!((status, &body["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("reveal.quota")));
    assert!(
        body["detail"].as_str().is_some_and(|said| said.contains("每天可查看 30 项")),
        "{body}"
    );
    let (status, _) = house.post(Role::Reviewer, &reveal, wish("核对送达地址")).await;
    assert_eq!(status, StatusCode::OK, "another's quota is another's");
}

#[tokio::test]
async fn an_officer_acts_by_a_certificate_that_holds_today_and_here() {
    let house = House::new().await;
    let party = house.enterprise().await;
    let reveal = format!("/reveals/party/{party}");
    let wish = json!({"field": "contact_phone", "reason": "现场检查核对联系人"});
    let (status, body) = house.post(Role::Officer, &reveal, wish.clone()).await;
    assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!("access.certificate")));
    assert!(body["detail"].as_str().is_some_and(|said| said.contains("没有绑定")), "{body}");
    let bind = format!("/access/accounts/{}/certificate", Hat::Role(Role::Officer).account());
    let bound = |number: &str| json!({"certificate_no": number, "reason": "持证上岗"});
    let (status, _) = house.post(Role::SysAdmin, &bind, bound("nothing")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, body) = house.post(Role::SysAdmin, &bind, bound("15040000001")).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
    let (status, body) = house.post(Role::Officer, &reveal, wish.clone()).await;
    assert_eq!((status, &body["value"]), (StatusCode::OK, &json!(PHONE)), "{body}");

    let mut tx = house.world.kit.begin().await;
    put(
        &mut tx,
        "officer_suspension",
        &[
            ("id", "s1".into()),
            ("certificate_no", "15040000001".into()),
            ("from_day", "2026-11-20".into()),
            ("to_day", "2026-12-31".into()),
            ("reason", "调查期间".into()),
            ("suspended_by", "account:nobody".into()),
            ("suspended_at", NOW.into()),
            ("lifted_at", 0_i64.into()),
        ],
    )
    .await;
    tx.note().await.expect("noted");
    tx.commit().await.expect("committed");
    let (_, body) = house.post(Role::Officer, &reveal, wish.clone()).await;
    assert!(body["detail"].as_str().is_some_and(|said| said.contains("至 2026-12-31")), "{body}");
    let told = house.get(Role::SysAdmin, &bind).await;
    assert!(told["barred"].as_str().is_some_and(|said| said.contains("暂停")), "{told}");
    let statement = house.world.kit.db().statement(
        "DELETE FROM officer_suspension; \
         UPDATE officer_certificate SET valid_until = '2026-11-19' WHERE certificate_no = '15040000001'",
    );
    statement.await.expect("changed");
    let (_, body) = house.post(Role::Officer, &reveal, wish).await;
    assert!(body["detail"].as_str().is_some_and(|said| said.contains("已经过期")), "{body}");
    let read = format!("/registry/parties/{party}");
    house.get(Role::Officer, &read).await;
}

#[tokio::test]
async fn a_large_export_takes_two_is_used_once_and_bears_its_mark() {
    let house = House::new().await;
    let mut tx = house.world.kit.begin().await;
    for number in 0..1_001 {
        let id = format!("many-{number:05}");
        party_row(&mut tx, &id, 20_000 + number, &format!("槐花{number:04}店"), Some("370400"))
            .await;
    }
    tx.note().await.expect("noted");
    tx.commit().await.expect("committed");
    let export = "/registry/parties/export";
    let wish = json!({"format": "csv", "filters": {"q": "槐花"}});
    let with = |name: &str, value: &str| {
        let mut wish = wish.clone();
        wish[name] = json!(value);
        wish
    };
    let (status, body) = house.post(Role::Clerk, export, wish.clone()).await;
    assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!("export.approval_needed")));
    let (status, body) = house.post(Role::Clerk, export, with("reason", "年度名录核对")).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::FORBIDDEN, &json!("access.second_person_required"))
    );
    let requests = "/exports/requests";
    let asked = house.get(Role::Clerk, requests).await["items"][0].clone();
    assert_eq!((&asked["own"], &asked["may_decide"]), (&json!(true), &json!(false)), "{asked}");
    let number = asked["id"].as_str().expect("a number").to_owned();
    let (_, early) = house.post(Role::Clerk, export, with("approval", &number)).await;
    assert_eq!(early["code"], "access.second_person_required", "not before it is approved");
    // a clerk reads the parties of all offices of the city: the office's own leader does not answer for them
    let seen = house.get(Role::Leader, requests).await;
    let own_office =
        seen["items"].as_array().expect("items").iter().any(|one| one["id"] == *number);
    assert!(!own_office, "{seen}");
    let seen = house.get(Role::RegionLeader, requests).await;
    let seen = seen["items"].as_array().expect("items").iter().find(|one| one["id"] == *number);
    assert_eq!(seen.expect("the level above sees it")["may_decide"], true);
    let path = format!("{requests}/{number}/approve");
    let version = json!({"version": asked["version"], "reason": "已核对用途"});
    let (status, body) = house
        .post(Role::RegionLeader, &path, json!({"version": asked["version"], "reason": " "}))
        .await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("export.reason"))
    );
    let (status, _) = house.post(Role::Clerk, &path, version.clone()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = house.post(Role::Leader, &path, version.clone()).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "as if it were not there");
    let (status, body) = house.post(Role::RegionLeader, &path, version).await;
    assert_eq!((status, &body["state"]), (StatusCode::OK, &json!("approved")), "{body}");
    let told = house.get(Role::Clerk, requests).await["items"][0]["decided_why"].clone();
    assert_eq!(told, "已核对用途", "whoever asked reads why");

    let (_, other) = house.post(Role::Reviewer, export, with("approval", &number)).await;
    assert_eq!(other["code"], "not_found", "an approval is not handed on: {other}");
    let mut wider = with("approval", &number);
    wider["filters"] = json!({});
    let (_, wider) = house.post(Role::Clerk, export, wider).await;
    assert_eq!(wider["code"], "access.second_person_required", "nor is it for another list");
    let (status, body) = house.post(Role::Clerk, export, with("approval", &number)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let text = body.as_str().expect("a file");
    let last = text.lines().last().expect("a last line");
    assert!(last.contains("导出人：甲本局的人") && last.contains("编号："), "{last}");
    assert_eq!(text.lines().count(), 1 + 1_001 + 1);
    let (_, again) = house.post(Role::Clerk, export, with("approval", &number)).await;
    assert_eq!(again["code"], "access.second_person_required", "and it is used up");
}

#[tokio::test]
async fn who_may_see_a_record_is_who_sees_it() {
    let house = House::new().await;
    // registered far away, and spoken of here: whoever works here sees it
    house.two_officers().await;
    house.act_upon_a_person().await;
    let sql = "SELECT id FROM party WHERE kind = 'person'";
    let party = house.world.kit.db().fetch_one(sql, &[]).await.expect("a person");
    let party = party.text("id").expect("an id");
    let far = Relation::Foreign.area();
    let sql = format!("UPDATE party SET area_number = '{far}' WHERE id = '{party}'");
    house.world.kit.db().statement(&sql).await.expect("moved");
    let path = format!("/access/records/party/{party}/readers");
    let told = house.get(Role::SecAdmin, &path).await;
    let told = told["items"].as_array().expect("items");
    for hat in Hat::all() {
        let Hat::Role(_) = hat else { continue };
        let record = format!("/registry/parties/{party}");
        let (status, _) = house.send(hat, Method::GET, &record, Value::Null).await;
        let found = told.iter().find(|one| one["account_id"] == hat.account().as_str());
        assert_eq!(found.is_some(), status == StatusCode::OK, "{hat:?}: {told:?}");
        let (own, _) = house.send(hat, Method::GET, &path, Value::Null).await;
        assert!(
            own == StatusCode::OK || found.is_none(),
            "whoever sees it learns who else: {hat:?}"
        );
    }
    assert!(told.len() > 4, "{told:?}");
    for relation in [Relation::Own, Relation::Child, Relation::Foreign] {
        for (kind, path) in [
            ("party", "/registry/parties"),
            ("officer", "/registry/officers"),
            ("work_item", "/flow/work-items"),
            ("batch", "/datahub/batches"),
            ("post", "/portal/posts"),
        ] {
            let id = relation.id(if kind == "work_item" { "work" } else { kind });
            let told =
                house.get(Role::SecAdmin, &format!("/access/records/{kind}/{id}/readers")).await;
            let told: BTreeSet<String> = told["items"]
                .as_array()
                .expect("items")
                .iter()
                .filter_map(|one| one["account_id"].as_str().map(str::to_owned))
                .collect();
            for hat in Hat::all() {
                let Hat::Role(_) = hat else { continue };
                let (status, _) =
                    house.send(hat, Method::GET, &format!("{path}/{id}"), Value::Null).await;
                let sees = status == StatusCode::OK;
                assert_eq!(told.contains(&hat.account()), sees, "{kind} of {relation:?}: {hat:?}");
                // whoever cannot see it is not told who can
                let (status, _) = house
                    .send(
                        hat,
                        Method::GET,
                        &format!("/access/records/{kind}/{id}/readers"),
                        Value::Null,
                    )
                    .await;
                let rights =
                    matches!(hat, Hat::Role(Role::SysAdmin | Role::SecAdmin | Role::AuditAdmin));
                assert_eq!(status == StatusCode::OK, sees || rights, "{kind}: {hat:?}");
            }
        }
    }
    let clerk = Hat::Role(Role::Clerk).account();
    let told = house.get(Role::SecAdmin, &format!("/access/accounts/{clerk}/sight")).await;
    let text = told.to_string();
    assert!(
        text.contains("上传批次文件") && text.contains("枣庄市，甲本局市场监督管理局"),
        "{told}"
    );
    assert!(!text.contains("登记部门"), "what an administrator does: {told}");
}

#[tokio::test]
async fn a_grant_says_its_lines_level_and_days_wherever_it_is_shown() {
    let house = House::new().await;
    let id = Relation::Child.id("account");
    let wish = |role: &str, lines: Value| {
        json!({"account_id": id, "role": role, "areas": ["370402"], "item_lines": lines,
            "level": "internal", "valid_to": "2027-06-30", "reason": "专管市场监管条线"})
    };
    for (path, role) in
        [("/access/grants", "reviewer"), ("/access/grant-requests", "datahub_operator")]
    {
        let (status, body) = house.post(Role::SecAdmin, path, wish(role, json!([]))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(body.to_string().contains("至少选一条条线"), "{body}");
        let (status, body) =
            house.post(Role::SecAdmin, path, wish(role, json!(["31", "zz"]))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(body.to_string().contains("没有代码为“zz”的条线"), "{body}");
        let (status, body) = house.post(Role::SecAdmin, path, wish(role, json!(["31"]))).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        assert_eq!(
            body["item_lines"],
            json!([{"line": "31", "name": "市场监督管理部门"}]),
            "{body}"
        );
    }
    // the second person sees what the first asked for
    let asked = house.get(Role::AuditAdmin, "/access/grant-requests").await["items"][0].clone();
    assert_eq!(asked["item_lines"][0]["name"], "市场监督管理部门", "{asked}");
    assert_eq!((&asked["level"], &asked["valid_to"]), (&json!("internal"), &json!("2027-06-30")));
    let confirm =
        format!("/access/grant-requests/{}/confirm", asked["id"].as_str().expect("an id"));
    let version = json!({"version": asked["version"]});
    let (status, body) = house.post(Role::AuditAdmin, &confirm, version).await;
    assert_eq!(status, StatusCode::OK, "{body}");

    let file = house.get(Role::SecAdmin, &format!("/access/accounts/{id}")).await;
    let sight = house.get(Role::SecAdmin, &format!("/access/accounts/{id}/sight")).await;
    let list = house.get(Role::SecAdmin, &format!("/access/grants?account={id}")).await;
    for held in [&file["grants"], &sight["grants"], &list["items"]] {
        let held = held.as_array().expect("grants");
        let ours = held
            .iter()
            .filter(|one| one["item_lines"] == json!([{"line": "31", "name": "市场监督管理部门"}]));
        assert_eq!(ours.filter(|one| one["valid_to"] == "2027-06-30").count(), 2, "{held:?}");
    }
    assert!(file["account"]["roles"].to_string().contains("31 市场监督管理部门"), "{file}");
    assert!(sight["groups"].to_string().contains("只限 31 市场监督管理部门 的监管事项"), "{sight}");
    let sql = "SELECT reason FROM act_journal WHERE object = $1 ORDER BY seq";
    let rows = house.world.kit.db().fetch_all(sql, &[format!("account:{id}").into()]).await;
    let told: Vec<String> =
        rows.expect("acts").iter().filter_map(|row| row.opt_text("reason").ok()?).collect();
    assert_eq!(told.len(), 3, "granted, asked for, confirmed: {told:?}");
    for (said, verb) in
        told.iter().zip(["授予“审核人”", "申请授予“数据汇聚管理员”", "确认授予“数据汇聚管理员”"])
    {
        assert!(said.starts_with(verb), "{said}");
        for part in ["31 市场监督管理部门", "遮挡显示", "至 2027-06-30", "理由：专管市场监管条线"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

const CITIZEN: &str = "34052419800101001X";

/// What people see, less what is different every time.
fn bare(mut body: Value) -> Value {
    body["trace_id"] = Value::Null;
    body
}

#[tokio::test]
async fn every_masked_value_is_seen_the_same_way_wherever_it_stands() {
    let house = House::new().await;
    house.two_officers().await;
    let bad = json!({"cd_id": "o3", "certificate_no": "15040100093", "gender": "2"});
    let refused = house.deliver("law_officer", bad).await;
    let acted = house.act_upon_a_person().await;
    let told = house.get(Role::Clerk, &format!("/datahub/batches/{acted}/errors")).await;
    let said: Vec<&str> = told["items"][0]["issues"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["reason"].as_str())
        .collect();
    assert_eq!(said, [""; 0], "the penalty is taken in");

    let find = async |number: &str| {
        let sql = "SELECT officer_id FROM officer_certificate WHERE certificate_no = $1";
        let row = house.world.kit.db().fetch_one(sql, &[number.into()]).await.expect("an officer");
        row.text("officer_id").expect("an id")
    };
    let (mine, other) = (find("15040100091").await, find("15040100092").await);
    let sql = "SELECT id FROM party WHERE kind = 'person'";
    let party = house.world.kit.db().fetch_one(sql, &[]).await.expect("a person");
    let party = party.text("id").expect("an id");
    let file = house.get(Role::Clerk, &format!("/registry/parties/{party}")).await;
    let mention = file["mentions"][0].clone();
    assert_eq!((&mention["name_masked"], &mention["code_masked"]), (&json!(true), &json!(true)));
    let mention = mention["id"].as_str().expect("an id").to_owned();
    let timeline = house.get(Role::Clerk, &format!("/registry/parties/{party}/timeline")).await;
    let record = timeline["items"][0]["record"].as_str().expect("a record").to_owned();
    let officer = house.get(Role::Clerk, &format!("/registry/officers/{mine}")).await;
    let cells = house.get(Role::Clerk, &format!("/datahub/batches/{refused}/errors/1")).await;
    for page in [&file, &timeline, &officer, &cells] {
        let text = page.to_string();
        assert!(!text.contains(CITIZEN) && !text.contains("13800000000"), "{text}");
    }
    let shown: Vec<&str> = officer["personal"]
        .as_array()
        .expect("values")
        .iter()
        .filter_map(|one| one["value"].as_str())
        .collect();
    assert_eq!(shown, ["340524********001X", "138****0000", "********"]);

    let places = [
        (format!("/agency-reveals/officer/{mine}"), "phone", "13800000000", true),
        (format!("/agency-reveals/officer/{mine}"), "id_no", CITIZEN, true),
        (format!("/agency-reveals/refused_row/{refused}.1"), "id_no", CITIZEN, true),
        (format!("/agency-reveals/record/{record}"), "administrative_cp_ui_code", CITIZEN, true),
        (format!("/reveals/record/{record}"), "administrative_cp_ui_code", CITIZEN, false),
        (format!("/reveals/record/{record}"), "supervise_object", "李明", false),
        (format!("/reveals/party/{party}"), "person_code", CITIZEN, false),
        (format!("/reveals/party/{party}"), &format!("mention:{mention}.name"), "李明", false),
        (format!("/reveals/party/{party}"), &format!("mention:{mention}.code"), CITIZEN, false),
    ];
    let mut left = 30;
    for (path, field, value, of_agency) in &places {
        let wish = |field: &str| json!({"field": field, "reason": "核对送达地址"});
        let (status, body) = house.post(Role::Clerk, path, wish(field)).await;
        assert_eq!(
            (status, &body["value"]),
            (StatusCode::OK, &json!(value)),
            "{path} {field}: {body}"
        );
        left -= 1;
        assert_eq!(body["left_today"], left, "one quota for all");
        let (status, body) = house.post(Role::Clerk, path, wish("nothing")).await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("reveal.field"))
        );
        let (_, body) =
            house.post(Role::Clerk, path, json!({"field": field, "reason": "看"})).await;
        assert_eq!(body["code"], "reveal.reason", "{body}");
        // the level of the grant, or the role, is not for it
        for role in [Role::DeptAdmin, Role::Leader, Role::Supervisor, Role::SecAdmin] {
            let (status, body) = house.post(role, path, wish(field)).await;
            assert_eq!(
                (status, &body["code"]),
                (StatusCode::FORBIDDEN, &json!("access.denied")),
                "{role:?}"
            );
        }
        let (_, body) = house.post(Role::Officer, path, wish(field)).await;
        let expected = if *of_agency { "access.denied" } else { "access.certificate" };
        assert_eq!(body["code"], expected, "{path}: {body}");
    }
    let sql = "SELECT COUNT(*) FROM field_reveal";
    assert_eq!(house.world.kit.db().count(sql, &[]).await.expect("a count"), 9);
    let sql = "SELECT COUNT(*) FROM act_journal WHERE action IN \
               ('personal.shared_value.reveal', 'personal.agency_value.reveal')";
    assert_eq!(house.world.kit.db().count(sql, &[]).await.expect("a count"), 9);

    // what is out of scope is what is not there
    let wish = json!({"field": "phone", "reason": "核对送达地址"});
    let sibling = Relation::Sibling.id("batch");
    let foreign = Relation::Foreign.id("party");
    for (there, missing) in [
        (format!("/agency-reveals/officer/{other}"), "/agency-reveals/officer/none".to_owned()),
        (
            format!("/agency-reveals/refused_row/{sibling}.7"),
            "/agency-reveals/refused_row/none.7".into(),
        ),
        (format!("/reveals/party/{foreign}"), "/reveals/party/none".into()),
        (format!("/reveals/officer/{mine}"), "/reveals/record/check_action.99999".into()),
        (format!("/agency-reveals/party/{party}"), "/agency-reveals/nothing/none".into()),
    ] {
        let there = house.post(Role::Clerk, &there, wish.clone()).await;
        let missing = house.post(Role::Clerk, &missing, wish.clone()).await;
        assert_eq!(there.0, StatusCode::NOT_FOUND, "{}", there.1);
        assert_eq!(bare(there.1), bare(missing.1));
    }
}

#[tokio::test]
async fn an_officer_is_held_to_the_items_that_the_wording_of_the_certificate_stands_for() {
    let house = House::new().await;
    let agency = Relation::Own.agency();
    let own = json!({"cd_id": "o1", "org_full_name": Relation::Own.agency_name(),
        "certificate_no": "15040100091", "law_type": "食品流通"});
    house.deliver("law_officer", own).await;
    let next = json!({"cd_id": "o2", "org_full_name": Relation::Sibling.agency_name(),
        "certificate_no": "15040100092", "id_no": null, "gender": null, "birth_date": null});
    house.deliver("law_officer", next).await;
    house.act_upon_a_person().await;
    let sql = "SELECT id FROM party WHERE kind = 'person'";
    let party = house.world.kit.db().fetch_one(sql, &[]).await.expect("a person");
    let path = format!("/registry/parties/{}/timeline", party.text("id").expect("an id"));
    let record = house.get(Role::Clerk, &path).await["items"][0]["record"].clone();
    let reveal = format!("/reveals/record/{}", record.as_str().expect("a record"));
    let bind = format!("/access/accounts/{}/certificate", Hat::Role(Role::Officer).account());
    let bound = json!({"certificate_no": "15040100091", "reason": "持证上岗"});
    let (status, body) = house.post(Role::SysAdmin, &bind, bound).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
    let look = async || {
        let wish = json!({"field": "administrative_cp_ui_code", "reason": "现场核对当事人身份"});
        let (status, body) = house.post(Role::Officer, &reveal, wish).await;
        (status, body["detail"].as_str().unwrap_or_default().to_owned())
    };
    let (status, said) = look().await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(said.contains("“食品流通”还没有对应到监管事项"), "{said}");

    let wordings = "/registry/certificate-wordings";
    let ours = async |role: Role| {
        let list = house.get(role, wordings).await;
        let items = list["items"].as_array().expect("items").clone();
        let one = items.iter().find(|one| one["wording"] == "食品流通").cloned();
        (list, one.unwrap_or(Value::Null))
    };
    let (list, one) = ours(Role::DeptAdmin).await;
    assert_eq!((&one["is_mapped"], &one["certificates"]), (&json!(false), &json!(1)), "{list}");
    assert_eq!((&one["may_change"], &list["mapped"]), (&json!(true), &json!(0)), "{list}");
    assert!(!list.to_string().contains(Relation::Sibling.word()), "{list}");
    let wish = |agency: &str, lines: &[&str]| json!({"agency": agency, "wording": "食品流通", "lines": lines, "reason": "三定方案"});
    let enter = async |role: Role, wish: Value| house.post(role, wordings, wish).await;
    let (status, body) = enter(Role::DeptAdmin, wish(Relation::Sibling.agency(), &["31"])).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{body}");
    let (status, _) = enter(Role::Clerk, wish(agency, &["31"])).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    for (lines, said) in [(&[][..], "至少选一条"), (&["zz"][..], "没有代码为“zz”的条线")]
    {
        let (status, body) = enter(Role::DeptAdmin, wish(agency, lines)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(body.to_string().contains(said), "{body}");
    }
    let (status, body) = enter(Role::DeptAdmin, wish(agency, &["16"])).await;
    assert_eq!((status, &body["is_mapped"]), (StatusCode::CREATED, &json!(true)), "{body}");
    let (status, said) = look().await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(said.contains("属于 31 市场监督管理部门") && said.contains("该类别对应 16 "), "{said}");
    let (status, body) = enter(Role::DeptAdmin, wish(agency, &["31", "16"])).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::CONFLICT, &json!("registry.wording_overlaps"))
    );
    let (status, _) = enter(Role::DeptAdmin, wish(agency, &["31"])).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, said) = look().await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let told = house.get(Role::SysAdmin, &bind).await;
    assert_eq!(told["wording"], "食品流通", "{told}");
    assert_eq!(told["item_lines"][1], json!({"line": "31", "name": "市场监督管理部门"}), "{told}");

    // ended on a day, it bars again from that day
    let (list, one) = ours(Role::DeptAdmin).await;
    assert_eq!(list["mapped"], 1, "{list}");
    let line = one["lines"].as_array().expect("lines").iter().find(|one| one["line"] == "31");
    let line = line.expect("the line").clone();
    let path = format!("{wordings}/{}", line["id"].as_str().expect("an id"));
    let ended = json!({"version": line["version"], "valid_to": "2026-11-20", "reason": "职责划出"});
    let hat = Hat::Role(Role::DeptAdmin);
    let (status, body) = house.send(hat, Method::PATCH, &path, ended.clone()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (status, _) = house.send(hat, Method::PATCH, &path, ended).await;
    assert_eq!(status, StatusCode::CONFLICT, "somebody was faster");
    let (status, said) = look().await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{said}");
    let sql = "SELECT reason FROM act_journal WHERE object = $1 ORDER BY seq";
    let object = format!("certificate_wording:{agency}");
    let rows = house.world.kit.db().fetch_all(sql, &[object.into()]).await.expect("acts");
    let told: Vec<String> = rows.iter().filter_map(|row| row.opt_text("reason").ok()?).collect();
    assert_eq!(
        told,
        [
            "“食品流通”对应 16：三定方案",
            "“食品流通”对应 31：三定方案",
            "“食品流通”对应 31 到 2026-11-20 为止：职责划出"
        ]
    );
}

/// What the comparison found names rows of every place: a supervisor of one learns how many, not which.
#[tokio::test]
async fn changed_rows_are_named_to_whoever_reads_the_whole_log_and_counted_for_the_others() {
    let house = House::new().await;
    let db = house.world.kit.db();
    db.statement("UPDATE agency SET name = '别的'").await.expect("changed past the door");
    house.world.domains.ledger.verifier.look().await;
    let told = async |role: Role| {
        let check = house.get(role, "/log/status").await["last_check"].clone();
        let named = check["findings"].as_array().map_or(0, Vec::len);
        (check["found"].as_i64().is_some_and(|found| found > 0), named > 0)
    };
    assert_eq!(told(Role::AuditAdmin).await, (true, true));
    assert_eq!(told(Role::Supervisor).await, (true, false));
}
