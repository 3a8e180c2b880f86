//! Stories of the file of a party, told over HTTP on both databases: found, opened, merged, un-merged.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use mj_facts::disk::RealDisk;
use mj_facts::{ColumnSpec, FactIn, FactStore, Op, TableSpec};
use mj_kernel::{Actor, ActorKind, AgencySet, DataLevel, Scope};
use mj_platform::Act;
use mj_standard::Table;
use mj_testkit::TestDb;
use mj_web::{
    Allowance, Authority, BoxFuture, Decision, Fields, Identity, Mask, Problem, Resource,
    SEARCH_TEXT, Web,
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::model::MentionInput;
use crate::tests::{FACTORY, SHOP, by_code, by_name, register_row, registry};
use crate::{Acts, MentionId, NoNames, Registry, show};

/// Everybody may do everything inside one area, seeing personal values masked.
struct Within(&'static str, Mask);

impl Within {
    fn scope(&self) -> Scope {
        Scope {
            areas: vec![self.0.into()],
            agencies: AgencySet::All,
            item_lines: AgencySet::All,
            level: DataLevel::Personal,
        }
    }
}

impl Authority for Within {
    fn identify<'a>(&'a self, _: &'a Parts) -> BoxFuture<'a, Result<Identity, Problem>> {
        let kind = ActorKind::Person { account_id: "wang".into() };
        Box::pin(async { Ok(Identity::of(Actor { kind, grants: Vec::new() })) })
    }

    fn decide(&self, _: &Identity, _: &str, resource: Option<&Resource>) -> Decision {
        match resource {
            Some(resource) if !self.scope().covers_area(resource.area.as_deref()) => {
                Decision::NotFound
            }
            _ => Decision::Allow(Allowance {
                scopes: vec![self.scope()],
                mask: self.1,
                fields: Fields::All,
            }),
        }
    }
}

struct World {
    _db: TestDb,
    registry: Registry,
    facts: FactStore,
    acts: Acts,
    behaviours: u32,
}

fn spec_of(table: &Table) -> TableSpec {
    let apart = ["cd_source", "cd_id", "cd_time", "cd_operation"];
    let columns = table.columns.iter().filter(|column| !apart.contains(&column.name.as_str()));
    TableSpec {
        name: table.name.clone(),
        standard_version: "1.0".into(),
        columns: columns.map(|column| ColumnSpec::text(column.name.clone())).collect(),
    }
}

impl World {
    async fn new() -> Self {
        let (db, registry) = registry().await;
        let disk = RealDisk::new(db.folder.path().join("segments")).expect("a disk");
        let facts = FactStore::open(db.db().clone(), Arc::new(disk)).await.expect("a fact store");
        let tables = [
            "check_action",
            "punish_action",
            "force_action",
            "other_action",
            "credit_class_result",
        ];
        let specs = tables.iter().filter_map(|name| show::table(name)).map(spec_of).collect();
        let acts = Acts::new(facts.clone(), specs, Arc::new(NoNames));
        Self { _db: db, registry, facts, acts, behaviours: 0 }
    }

    async fn mention(&self, said: MentionInput<'_>) -> MentionId {
        let number = self.registry.resolve_mentions(&[said]).await.expect("a number")[0];
        self.registry.relink().await.expect("linked");
        number
    }

    /// One inspection of whoever the mention means.
    async fn inspected(&mut self, mention: MentionId, day: i32, area: &str) {
        self.behaviours += 1;
        let table = show::table("check_action").expect("in the standard");
        let spec = spec_of(table);
        let values: Vec<Option<String>> = spec
            .columns
            .iter()
            .map(|column| match column.name.as_str() {
                "check_action_name" => Some("对好味饭店进行食品经营的检查".to_owned()),
                "check_action_code" => Some(format!("J-{}", self.behaviours)),
                "check_result" => Some("01".to_owned()),
                "implement_institution" => Some("滕州市市场监督管理局".to_owned()),
                "supervise_item_implement_code" => Some("31010001000001".to_owned()),
                _ => None,
            })
            .collect();
        let id = format!("c{}", self.behaviours);
        let row = FactIn {
            cd_source: "370481",
            cd_id: &id,
            cd_time: i64::from(self.behaviours),
            op: Op::Upsert,
            mention: Some(mention),
            business_key: None,
            content: u128::from(self.behaviours),
            area: Some(area),
            agency: Some("11370481004400001P"),
            event_date: Some(day),
            values: &values,
            norm: None,
            row: self.behaviours,
        };
        let mut tx = self._db.begin().await;
        self.facts.append(&spec, "b1", &[row], &mut tx).await.expect("appended");
        tx.commit().await.expect("committed");
    }

    async fn call(
        &self,
        area: &'static str,
        method: &str,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        self.call_masked(Within(area, Mask::Partial), method, path, body).await
    }

    async fn call_masked(
        &self,
        within: Within,
        method: &str,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let module = crate::module(self.registry.clone(), self.acts.clone());
        let router = Web::new(Arc::new(within), vec![module]).router(axum::Router::new());
        // the same request twice carries the same key
        let key = mj_platform::gm::sm3_hex(format!("{method} {path} {body}").as_bytes());
        let (path, typed) = mj_testkit::typed(path);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(SEARCH_TEXT, typed)
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Body::from(if body.is_null() { String::new() } else { body.to_string() }))
            .expect("a request");
        let response = router.oneshot(request).await.expect("an answer");
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 22).await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, value) = self.call("370400", "GET", path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {value}");
        value
    }

    /// The file and the timeline of a party, bookkeeping aside.
    async fn everything(&self, id: &str) -> Value {
        let mut file = self.get(&format!("/api/v1/registry/parties/{id}")).await;
        file.as_object_mut().expect("an object").remove("version");
        let timeline = self.get(&format!("/api/v1/registry/parties/{id}/timeline")).await;
        json!({ "file": file, "timeline": timeline })
    }

    async fn find(&self, q: &str) -> Vec<Value> {
        let encoded: String = q.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let found = self.get(&format!("/api/v1/registry/parties#{encoded}")).await;
        found["items"].as_array().expect("items").clone()
    }
}

#[tokio::test]
async fn a_shop_is_found_by_name_initials_code_tail_address_and_number() {
    let mut world = World::new().await;
    let shop = world.mention(by_code(SHOP, "滕州市好味饭店", Some("善国南路12号"))).await;
    world.mention(by_code(FACTORY, "枣庄鲁南化工有限公司", None)).await;
    world.inspected(shop, 20_000, "370481").await;
    world.inspected(shop, 20_100, "370481").await;
    for q in ["好味", "hwfd", "T012Q", "善国南路"] {
        let found = world.find(q).await;
        assert_eq!(found.len(), 1, "{q}");
        assert_eq!(found[0]["name"], "滕州市好味饭店", "{q}");
        assert_eq!(found[0]["act_count"], 2);
        assert_eq!(found[0]["last_act_date"], "2025-01-12");
    }
    let number = world.find("好味").await[0]["register_no"].as_str().expect("a number").to_owned();
    assert!(number.len() <= 52 && number.is_ascii());
    assert_eq!(world.find(&number).await.len(), 1);
    assert_eq!(world.find("没有这家").await.len(), 0);
}

#[tokio::test]
async fn a_neighbouring_city_sees_only_whom_it_spoke_of() {
    let world = World::new().await;
    world.mention(by_code(SHOP, "滕州市好味饭店", None)).await;
    let path = "/api/v1/registry/parties";
    let (_, own) = world.call("370400", "GET", path, Value::Null).await;
    let (_, other) = world.call("370500", "GET", path, Value::Null).await;
    assert_eq!(own["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(other["items"].as_array().map(Vec::len), Some(0));
    let areas = "/api/v1/registry/areas";
    let (_, own_areas) = world.call("370400", "GET", areas, Value::Null).await;
    let tengzhou = json!({
        "area_number": "370481", "name": "滕州市", "full_name": "山东省枣庄市滕州市", "parties": 1,
    });
    assert_eq!(own_areas["items"], json!([tengzhou]));
    let (_, other_areas) = world.call("370500", "GET", areas, Value::Null).await;
    assert_eq!(other_areas["items"], json!([]));
    let one = format!("{path}/{}", own["items"][0]["id"].as_str().expect("an id"));
    assert_eq!(world.call("370500", "GET", &one, Value::Null).await.0, StatusCode::NOT_FOUND);
    let elsewhere = MentionInput {
        area_number: Some("370500"),
        ..by_code(SHOP, "滕州市好味饭店", None)
    };
    world.mention(elsewhere).await;
    assert_eq!(world.call("370500", "GET", &one, Value::Null).await.0, StatusCode::OK);
}

#[tokio::test]
async fn every_value_says_where_it_is_from_and_what_else_was_said() {
    let world = World::new().await;
    let shop = world.mention(by_code(SHOP, "滕州市好味饭店", None)).await;
    let mut other = register_row(shop, "r2", 900, "好味小饭店");
    other.cd_source = "370400sw".into();
    other.priority = 20;
    let records = [register_row(shop, "r1", 100, "滕州市好味饭店"), other];
    world.registry.apply_source_records(&records).await.expect("applied");
    let id = world.find("好味").await[0]["id"].as_str().expect("an id").to_owned();
    let file = world.get(&format!("/api/v1/registry/parties/{id}")).await;
    let field = |name: &str| {
        let fields = file["fields"].as_array().expect("fields");
        fields.iter().find(|field| field["name"] == name).expect("the field").clone()
    };
    let name = field("name");
    assert_eq!(name["value"], "滕州市好味饭店");
    assert_eq!(name["provenance"]["cd_source"], "370400scjg");
    assert_eq!(name["provenance"]["rule"], "source_priority");
    assert_eq!(name["others"][0]["value"], "好味小饭店");
    let phone = field("contact_phone");
    assert_eq!((&phone["value"], &phone["masked"]), (&json!("138****5678"), &json!(true)));
    let clear = Within("370400", Mask::Clear);
    let path = format!("/api/v1/registry/parties/{id}");
    let (_, file) = world.call_masked(clear, "GET", &path, Value::Null).await;
    assert!(file.to_string().contains("13812345678"));
}

#[tokio::test]
async fn after_a_merge_is_undone_both_files_and_timelines_are_as_before() {
    let mut world = World::new().await;
    let shop = world.mention(by_code(SHOP, "滕州市好味饭店", Some("善国南路12号"))).await;
    let record = register_row(shop, "r1", 100, "滕州市好味饭店");
    world.registry.apply_source_records(&[record]).await.expect("applied");
    let other = world.mention(by_name("滕州好味酒楼", Some("善国南路12号"))).await;
    for day in [20_000, 20_050, 20_050] {
        world.inspected(shop, day, "370481").await;
    }
    world.inspected(other, 20_020, "370481").await;
    let id = |found: Vec<Value>| found[0]["id"].as_str().expect("an id").to_owned();
    let (keep, merge) = (id(world.find("好味饭店").await), id(world.find("好味酒楼").await));
    let before = (world.everything(&keep).await, world.everything(&merge).await);

    let asked = json!({"keep": keep, "merge": merge, "reason": "同一地址，同一经营者"});
    let path = "/api/v1/registry/merges";
    let (status, made) = world.call("370400", "POST", path, asked.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let names = [&made["keep_name"], &made["merge_name"]];
    assert_eq!(names, ["滕州市好味饭店", "滕州好味酒楼"], "the log names both");
    let (status, again) = world.call("370400", "POST", path, asked).await;
    assert_eq!((status, &again["id"]), (StatusCode::CREATED, &made["id"]), "the same key, once");
    let merged = world.everything(&keep).await;
    assert_eq!(merged["file"]["counts"]["check_action"], 4);
    assert_eq!(merged["timeline"]["items"].as_array().map(Vec::len), Some(4));
    assert_eq!(world.everything(&merge).await, merged, "the other number leads to the same file");
    let number = before.1["file"]["register_no"].as_str().expect("a number");
    assert_eq!(world.find(number).await[0]["id"], json!(keep));

    // more arrives while they are one: it belongs to whom its code proves
    world.registry.relink().await.expect("linked");
    let undo = format!("{path}/{}/undo", made["id"].as_str().expect("an id"));
    let (status, _) = world.call("370500", "POST", &undo, json!({"reason": "x"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "another city's merge");
    let (status, undone) =
        world.call("370400", "POST", &undo, json!({"reason": "核实为两家"})).await;
    assert_eq!(status, StatusCode::OK, "{undone}");
    world.registry.relink().await.expect("linked");
    assert_eq!((world.everything(&keep).await, world.everything(&merge).await), before);
    let (status, _) = world.call("370400", "POST", &undo, json!({"reason": "再撤"})).await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_timeline_turns_its_pages_without_losing_or_repeating_a_line() {
    let mut world = World::new().await;
    let shop = world.mention(by_code(SHOP, "滕州市好味饭店", None)).await;
    for day in [20_000, 20_010, 20_010, 20_005, 20_020] {
        world.inspected(shop, day, "370481").await;
    }
    let id = world.find("好味").await[0]["id"].as_str().expect("an id").to_owned();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/registry/parties/{id}/timeline?limit=2{cursor}");
        let page = world.get(&path).await;
        for item in page["items"].as_array().expect("items") {
            seen.push((
                item["event_date"].as_str().expect("a day").to_owned(),
                item["key"].clone(),
            ));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let days: Vec<&str> = seen.iter().map(|(day, _)| day.as_str()).collect();
    assert_eq!(days, ["2024-10-24", "2024-10-14", "2024-10-14", "2024-10-09", "2024-10-04"]);
    let mut keys: Vec<String> = seen.iter().map(|(_, key)| key.to_string()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 5);
}

fn looking_for(q: &str) -> crate::PublicWanted {
    crate::PublicWanted { q: q.into(), ..Default::default() }
}

#[tokio::test]
async fn the_public_finds_a_shop_and_never_a_person() {
    let mut world = World::new().await;
    let shop = world.mention(by_code(SHOP, "滕州市好味饭店", Some("善国南路12号"))).await;
    let person = MentionInput {
        nature: Some("01"),
        code_type: Some("111"),
        code: Some("34052419800101001X"),
        name: "欧阳锋",
        area_number: Some("370481"),
        ..Default::default()
    };
    let person = world.mention(person).await;
    let record = register_row(shop, "r1", 100, "滕州市好味饭店");
    world.registry.apply_source_records(&[record]).await.expect("applied");
    world.inspected(shop, 20_000, "370481").await;
    world.inspected(person, 20_000, "370481").await;
    let page = mj_kernel::Page::default();
    let found =
        world.registry.public_search(&looking_for("好味"), &page).await.expect("found").items;
    assert_eq!(found.len(), 1);
    for q in ["欧阳锋", "34052419800101001X", "欧"] {
        assert!(
            world
                .registry
                .public_search(&looking_for(q), &page)
                .await
                .expect("found")
                .items
                .is_empty()
        );
    }
    let record = world.registry.public_record(&world.acts, &found[0].register_no, &page).await;
    let record = record.expect("an answer").expect("a record");
    assert_eq!(record.acts.len(), 1);
    assert!(!format!("{record:?}").contains("138"), "nobody's telephone");
    let line = record.acts[0].line.clone();
    let number = &found[0].register_no;
    let act = world.registry.public_act(&world.acts, number, &line).await.expect("an answer");
    assert_eq!(act.as_ref(), record.acts.first(), "the line has a name of its own");
    let other = world.registry.public_act(&world.acts, number, "1.0000").await.expect("an answer");
    assert_eq!(other, None);
    let elsewhere = crate::PublicWanted { area: Some("370403".into()), ..looking_for("好味") };
    assert_eq!(world.registry.public_count(&elsewhere, 10).await.expect("counted"), 0);
    assert_eq!(world.registry.public_count(&looking_for("好味"), 10).await.expect("counted"), 1);
    // an official finds the person by the whole name, and sees it masked
    let hit = world.find("欧阳锋").await;
    assert_eq!(hit[0]["name"], "欧**");
    let number = hit[0]["register_no"].as_str().expect("a number");
    let hidden = world.registry.public_record(&world.acts, number, &page).await;
    assert_eq!(hidden.expect("an answer"), None);
}

#[tokio::test]
async fn what_a_party_was_called_is_told_by_day_and_by_what_was_known() {
    let world = World::new().await;
    let shop = world.mention(by_code(SHOP, "旧名称饭店", None)).await;
    let named = |at: i64, name: &str, since: &str| {
        let mut record = register_row(shop, "r1", at, name);
        record.fields.push(crate::SourceField {
            column: "approval_date".into(),
            value: since.into(),
            personal: false,
        });
        record
    };
    let apply = async |record| {
        world.registry.apply_source_records(&[record]).await.expect("applied");
        let sql = "SELECT seq FROM change_head";
        world.registry.db.count(sql, &[]).await.expect("a position")
    };
    let first = apply(named(100, "旧名称饭店", "2020-01-01")).await;
    let second = apply(named(200, "新名称饭店", "2024-06-01")).await;
    let id = world.find("新名称").await[0]["id"].as_str().expect("an id").to_owned();
    let name = async |day: &str, known: i64| {
        let then = world.registry.as_of(&id, day, known).await.expect("an answer");
        then.map(|then| then.name)
    };
    assert_eq!(name("2025-01-01", second).await.as_deref(), Some("新名称饭店"));
    assert_eq!(name("2023-01-01", second).await.as_deref(), Some("旧名称饭店"));
    assert_eq!(name("2025-01-01", first).await.as_deref(), Some("旧名称饭店"), "not yet known");
}

#[tokio::test]
async fn two_stores_that_heard_the_same_in_another_order_have_the_same_content() {
    let said = [
        by_code(SHOP, "滕州市好味饭店", Some("滕州市善国南路12号")),
        by_name("滕州市好味饭店", Some("滕州市善国南路12号")),
        by_code(FACTORY, "枣庄鲁南化工有限公司", None),
        MentionInput {
            nature: Some("01"),
            code_type: Some("111"),
            code: Some("34052419800101001X"),
            name: "欧阳锋",
            ..Default::default()
        },
    ];
    let mut contents = Vec::new();
    for order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
        let (_db, registry) = registry().await;
        for at in order {
            registry.resolve_mentions(&[said[at]]).await.expect("numbers");
            registry.relink().await.expect("linked");
        }
        let mut digests = registry.content_digests().await.expect("digests");
        digests.sort_unstable();
        contents.push(digests);
    }
    assert_eq!(contents[0].len(), 4 + 3);
    assert_eq!(contents[0], contents[1]);
}

#[tokio::test]
async fn a_decision_of_a_work_item_merges_once_and_a_refusal_is_remembered() {
    let world = World::new().await;
    let said = [
        by_code(SHOP, "好味饭店", Some("滕州市善国南路12号")),
        by_name("好味饭店", Some("滕州市解放路1号")),
    ];
    world.registry.resolve_mentions(&said).await.expect("numbers");
    assert_eq!(world.registry.relink().await.expect("linked").doubtful, 1);
    let sql = "SELECT keep_id FROM party_pair UNION ALL SELECT merge_id FROM party_pair";
    let ids = world.registry.db.fetch_all(sql, &[]).await.expect("the pair");
    let id = |at: usize| mj_platform::RowExt::text(&ids[at], "keep_id").expect("an id");
    let decided = |verdict: &str| mj_kernel::Event::WorkItemDecided {
        work_item_id: "w".into(),
        kind: "party_pair".into(),
        verdict: verdict.into(),
        payload: json!({"keep_id": id(0), "merge_id": id(1), "reason": "核实"}).to_string(),
    };
    let alive = async || {
        let sql = "SELECT COUNT(*) FROM party WHERE merged_into IS NULL";
        world.registry.db.count(sql, &[]).await.expect("a count")
    };
    world.registry.on_event(&decided("unsure")).await.expect("nothing");
    assert_eq!(alive().await, 2);
    world.registry.on_event(&decided("same")).await.expect("merged");
    world.registry.on_event(&decided("same")).await.expect("told twice");
    assert_eq!(alive().await, 1);
    let row = world.registry.db.fetch_one("SELECT id FROM party_merge", &[]).await.expect("one");
    let merge = mj_platform::RowExt::text(&row, "id").expect("an id");
    let act = Act::new(&Actor::system("test"), "registry.party.unmerge", "");
    world.registry.undo_merge(act, &merge, "两家").await.expect("undone");
    // the same name again: nobody is asked a second time
    let again = [MentionInput { regist_no: Some("110108000000016"), ..said[0] }];
    world.registry.resolve_mentions(&again).await.expect("numbers");
    assert_eq!(world.registry.relink().await.expect("linked").doubtful, 0);
    assert_eq!(alive().await, 2);
}
