//! The catalogue's stories, on both databases.

use mj_kernel::Actor;
use mj_platform::{Act, RowExt};
use mj_testkit::TestDb;

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
