//! The catalogue's stories, on both databases.

use mj_kernel::Actor;
use mj_platform::{Act, RowExt};
use mj_testkit::TestDb;
use mj_web::SEARCH_TEXT;

use crate::{Catalog, CatalogRow, InForce, Operation};

fn row(table: &str, id: &str, at: i64, fields: &[(&str, &str)]) -> CatalogRow {
    CatalogRow {
        table: table.into(),
        cd_source: "370000".into(),
        cd_id: id.into(),
        operation: Operation::Upsert,
        at,
        batch_id: "b".into(),
        row: at,
        fields: fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

fn main_item(id: &str, at: i64, version: &str, status: &str) -> CatalogRow {
    let day = format!("{}-{}-{}", &version[..4], &version[4..6], &version[6..8]);
    row(
        "supervise_item",
        id,
        at,
        &[
            ("matter_code", "31010100"),
            ("matter_name", "对食品经营的监管"),
            ("version_id", version),
            ("version_date", &day),
            ("item_status", status),
        ],
    )
}

fn sub_item(id: &str, at: i64, name: &str) -> CatalogRow {
    row(
        "supervise_subitem",
        id,
        at,
        &[
            ("subitem_code", "31010100000001"),
            ("subitem_name", name),
            ("administrative_type", "0"),
            ("take_effect_date", "2023-01-01"),
        ],
    )
}

async fn on(catalog: &Catalog, day: &str) -> InForce {
    let day = day.parse().expect("a day");
    catalog.in_force("31010100000001", day).await.expect("an answer")
}

#[tokio::test]
async fn a_sub_item_falls_with_its_main_item() {
    let db = TestDb::new().await;
    let catalog = Catalog::new(db.db().clone());
    assert_eq!(on(&catalog, "2024-01-01").await, InForce::Unknown);
    let rows = [main_item("m1", 1, "20230101000000", "01"), sub_item("s1", 2, "食品经营检查")];
    assert_eq!(catalog.apply_rows(&rows).await.expect("applied"), 2);
    assert_eq!(on(&catalog, "2022-12-31").await, InForce::No);
    assert_eq!(on(&catalog, "2026-01-01").await, InForce::Yes);
    let cancelled = [main_item("m2", 3, "20250601000000", "02")];
    catalog.apply_rows(&cancelled).await.expect("applied");
    assert_eq!(on(&catalog, "2025-05-31").await, InForce::Yes);
    assert_eq!(on(&catalog, "2025-06-01").await, InForce::No);
    let standing = catalog.standing().await.expect("the set");
    let day = "2025-06-01".parse().expect("a day");
    assert_eq!(standing.item("31010100000001", day), InForce::No);
    assert_eq!(standing.item("99", day), InForce::Unknown);
}

#[tokio::test]
async fn the_same_rows_again_and_a_late_older_one_change_nothing() {
    let db = TestDb::new().await;
    let catalog = Catalog::new(db.db().clone());
    let rows = [sub_item("s1", 5, "新名称")];
    catalog.apply_rows(&rows).await.expect("applied");
    let seq = async || {
        let sql = "SELECT CAST(SUM(change_seq) AS BIGINT) FROM catalog_item";
        db.db().count(sql, &[]).await.expect("a sum")
    };
    let before = seq().await;
    assert_eq!(catalog.apply_rows(&rows).await.expect("applied"), 0);
    assert_eq!(catalog.apply_rows(&[sub_item("s1", 4, "旧名称")]).await.expect("applied"), 0);
    assert_eq!(seq().await, before);
    let name = catalog.item_name("31010100000001").await.expect("an answer");
    assert_eq!(name.as_deref(), Some("新名称"));
    let gone = CatalogRow { operation: Operation::Delete, ..sub_item("s1", 9, "x") };
    catalog.apply_rows(&[gone]).await.expect("applied");
    assert_eq!(on(&catalog, "2024-01-01").await, InForce::Unknown);
}

#[tokio::test]
async fn an_implementation_list_ends_on_the_day_it_is_cancelled() {
    let db = TestDb::new().await;
    let catalog = Catalog::new(db.db().clone());
    let code = "11370400004400001P331010100000001";
    let list = row(
        "implement_list",
        "i1",
        1,
        &[
            ("inventory_code", code),
            ("detail_code", "31010100000001"),
            ("implement_body", "枣庄市市场监督管理局"),
            ("take_effect_date", "2024-01-01"),
            ("cancel_date", "2025-01-01"),
            ("version_id", "20240101000000"),
        ],
    );
    catalog.apply_rows(&[list]).await.expect("applied");
    let standing = catalog.standing().await.expect("the set");
    let on = |day: &str| standing.implementation(code, day.parse().expect("a day"));
    assert_eq!([on("2024-12-31"), on("2025-01-01")], [InForce::Yes, InForce::No]);
}

#[tokio::test]
async fn a_local_code_stands_for_one_item_on_any_day() {
    let db = TestDb::new().await;
    let catalog = Catalog::new(db.db().clone());
    let day = |text: &str| text.parse::<chrono::NaiveDate>().expect("a day");
    let map = async |item: &str, from: &str, to: Option<&str>| {
        let act = Act::new(&Actor::system("test"), "catalog.mapping.set", "");
        catalog.map_local_code(act, "370400scjg", "JC-7", item, day(from), to.map(day)).await
    };
    map("31010100000001", "2023-01-01", Some("2025-01-01")).await.expect("mapped");
    assert!(map("31010100000002", "2024-06-01", None).await.is_err(), "two items on one day");
    map("31010100000002", "2025-01-01", None).await.expect("mapped");
    let mappings = catalog.mappings("370400scjg").await.expect("the set");
    assert_eq!(mappings.item("JC-7", day("2024-12-31")), Some("31010100000001"));
    assert_eq!(mappings.item("JC-7", day("2025-01-01")), Some("31010100000002"));
    assert_eq!(mappings.item("JC-7", day("2022-01-01")), None);
    let rows = db.db().fetch_all("SELECT id FROM catalog_mapping ORDER BY id", &[]).await;
    assert_eq!(rows.expect("rows").iter().filter(|row| row.text("id").is_ok()).count(), 2);
}

/// Staff of one agency: may do everything with the sources of 枣庄, nothing with those of others.
struct Staff;

impl mj_web::Authority for Staff {
    fn identify<'a>(
        &'a self,
        _: &'a axum::http::request::Parts,
    ) -> mj_web::BoxFuture<'a, Result<mj_web::Identity, mj_web::Problem>> {
        let kind = mj_kernel::ActorKind::Person { account_id: "a".into() };
        let actor = Actor { kind, grants: Vec::new() };
        Box::pin(async move { Ok(mj_web::Identity::of(actor)) })
    }

    fn decide(
        &self,
        _: &mj_web::Identity,
        _: &str,
        resource: Option<&mj_web::Resource>,
    ) -> mj_web::Decision {
        if resource.is_some_and(|one| one.area.as_deref() != Some("370400")) {
            return mj_web::Decision::NotFound;
        }
        mj_web::Decision::Allow(mj_web::Allowance {
            scopes: vec![mj_kernel::Scope::everything(mj_kernel::DataLevel::Internal)],
            mask: mj_web::Mask::Partial,
            fields: mj_web::Fields::All,
        })
    }
}

struct Registered;

impl crate::Sources for Registered {
    fn place<'a>(
        &'a self,
        cd_source: &'a str,
    ) -> mj_web::BoxFuture<'a, mj_platform::Result<Option<crate::SourcePlace>>> {
        let area = match cd_source {
            "370400scjg" => Some("370400"),
            "370500" => Some("370500"),
            _ => None,
        };
        let place = area.map(|area| crate::SourcePlace { area: Some(area.into()), agency: None });
        Box::pin(async move { Ok(place) })
    }
}

struct Desk(axum::Router);

impl Desk {
    async fn ask(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: serde_json::Value,
    ) -> (u16, serde_json::Value) {
        use tower::ServiceExt;
        let (path, typed) = mj_testkit::typed(path);
        let mut request =
            axum::http::Request::builder().method(method).uri(path).header(SEARCH_TEXT, typed);
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body.to_string()))
            .expect("a request");
        let answer = self.0.clone().oneshot(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

const MAPPINGS: &str = "/api/v1/catalog/mappings";

#[tokio::test]
async fn a_manager_enters_what_a_departments_own_code_means_and_ends_it() {
    use serde_json::{Value, json};
    let db = TestDb::new().await;
    let catalog = Catalog::new(db.db().clone()).with_sources(std::sync::Arc::new(Registered));
    catalog.apply_rows(&[sub_item("s1", 1, "食品经营检查")]).await.expect("applied");
    let web = mj_web::Web::new(std::sync::Arc::new(Staff), vec![crate::module(catalog.clone())]);
    let desk = Desk(web.router(axum::Router::new()));
    let new = json!({"cd_source": "370400scjg", "local_code": "JC_7%", "item_code": "31010100000001",
        "valid_from": "2024-01-01"});
    let (status, made) = desk.ask("POST", MAPPINGS, "k1", new.clone()).await;
    assert_eq!((status, &made["item_name"]), (201, &json!("食品经营检查")), "{made}");
    let (status, again) = desk.ask("POST", MAPPINGS, "k1", new.clone()).await;
    assert_eq!((status, &again["id"]), (201, &made["id"]));
    let (status, twice) = desk.ask("POST", MAPPINGS, "k2", new.clone()).await;
    assert_eq!((status, &twice["code"]), (409, &json!("catalog.mapping_overlaps")));
    let wrong = |column: &str, value: Value| {
        let mut body = new.clone();
        body[column] = value;
        body
    };
    for (key, body, status) in [
        ("w1", wrong("item_code", json!("3101")), 422),
        ("w2", wrong("item_code", json!("31010100000009")), 422),
        ("w3", wrong("valid_to", json!("2023-01-01")), 422),
        ("w4", wrong("local_code", json!(" ")), 422),
        ("w5", wrong("cd_source", json!("370500")), 404),
        ("w6", wrong("cd_source", json!("nobody")), 404),
    ] {
        let (got, said) = desk.ask("POST", MAPPINGS, key, body).await;
        assert_eq!(got, status, "{key}: {said}");
    }
    let page = format!("{MAPPINGS}?cd_source=370400scjg#JC_7%25");
    let (_, page) = desk.ask("GET", &page, "", Value::Null).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
    let none = format!("{MAPPINGS}?cd_source=370400scjg#JCx");
    let (_, none) = desk.ask("GET", &none, "", Value::Null).await;
    assert_eq!(none["items"], json!([]));
    let other = format!("{MAPPINGS}?cd_source=370500");
    assert_eq!(desk.ask("GET", &other, "", Value::Null).await.0, 404);

    let one = format!("{MAPPINGS}/{}", made["id"].as_str().expect("an id"));
    let until = json!({"version": 1, "valid_to": "2025-01-01"});
    let (status, ended) = desk.ask("PATCH", &one, "", until.clone()).await;
    assert_eq!(
        (status, &ended["valid_to"], &ended["version"]),
        (200, &json!("2025-01-01"), &json!(2))
    );
    let (status, stale) = desk.ask("PATCH", &one, "", until).await;
    assert_eq!((status, &stale["current"]["version"]), (409, &json!(2)), "{stale}");
    let day = |text: &str| text.parse::<chrono::NaiveDate>().expect("a day");
    let item = async |on: &str| {
        let mappings = catalog.mappings("370400scjg").await.expect("the set");
        mappings.item("JC_7%", day(on)).map(str::to_owned)
    };
    assert_eq!(item("2024-12-31").await.as_deref(), Some("31010100000001"));
    assert_eq!(item("2025-01-01").await, None);
    assert_eq!(desk.ask("DELETE", &format!("{one}?version=1"), "", Value::Null).await.0, 409);
    assert_eq!(desk.ask("DELETE", &format!("{one}?version=2"), "", Value::Null).await.0, 204);
    assert_eq!(desk.ask("DELETE", &format!("{one}?version=2"), "", Value::Null).await.0, 404);
    assert_eq!(item("2024-12-31").await, None);
}
