//! Stories of linkage, told on both databases.

use mj_testkit::TestDb;
use rustc_hash::FxHashMap;

use crate::model::{MentionInput, Operation, SourceField, SourceRecord};
use crate::{MentionId, Registry};
use mj_platform::RowExt;

pub async fn registry() -> (TestDb, Registry) {
    let db = TestDb::new().await;
    let registry = Registry::new(db.db().clone(), db.keys());
    (db, registry)
}

pub const SHOP: &str = "92370481MA3TET012Q";
pub const FACTORY: &str = "91370400MA3D2E3F55";

pub fn by_code<'a>(code: &'a str, name: &'a str, address: Option<&'a str>) -> MentionInput<'a> {
    MentionInput {
        nature: Some("02"),
        code_type: Some("001"),
        code: Some(code),
        name,
        area_number: Some("370481"),
        address,
        ..Default::default()
    }
}

pub fn by_name<'a>(name: &'a str, address: Option<&'a str>) -> MentionInput<'a> {
    MentionInput {
        nature: Some("02"),
        name,
        area_number: Some("370481"),
        address,
        ..Default::default()
    }
}

pub fn register_row(mention: MentionId, id: &str, at: i64, name: &str) -> SourceRecord {
    let field = |column: &str, value: &str, personal| SourceField {
        column: column.into(),
        value: value.into(),
        personal,
    };
    SourceRecord {
        mention,
        table: "object_individual".into(),
        cd_source: "370400scjg".into(),
        cd_id: id.into(),
        operation: Operation::Upsert,
        at,
        batch_id: "b1".into(),
        row: 1,
        priority: 10,
        fields: vec![
            field("name", name, false),
            field("uscc", SHOP, false),
            field("premises", "滕州市善国南路12号", false),
            field("contact_phone", "13812345678", true),
        ],
    }
}

/// Which wordings share a party: for each wording the first wording of its party.
async fn partition(registry: &Registry, said: &[MentionInput<'_>]) -> Vec<usize> {
    let numbers = registry.resolve_mentions(said).await.expect("numbers");
    let rows = registry
        .db
        .fetch_all("SELECT number, party_id FROM mention ORDER BY id", &[])
        .await
        .expect("mentions");
    let party: FxHashMap<i64, Option<String>> = rows
        .iter()
        .map(|row| (row.int("number").expect("number"), row.opt_text("party_id").expect("party")))
        .collect();
    let parties: Vec<&str> =
        numbers.iter().map(|n| party[n].as_deref().expect("every mention is linked")).collect();
    parties
        .iter()
        .map(|party| parties.iter().position(|other| other == party).expect("itself"))
        .collect()
}

#[tokio::test]
async fn a_wording_keeps_its_number_also_after_a_restart() {
    let (db, registry) = registry().await;
    let said = [by_code(SHOP, "好味饭店", None), by_name("某某公司", None)];
    let first = registry.resolve_mentions(&said).await.expect("numbers");
    let again = Registry::new(db.db().clone(), db.keys());
    assert_eq!(again.resolve_mentions(&said).await.expect("numbers"), first);
    let more = [by_name("另一公司", None), said[0]];
    let numbers = again.resolve_mentions(&more).await.expect("numbers");
    assert_eq!(numbers, [first[1] + 1, first[0]]);
}

#[tokio::test]
async fn two_nodes_on_one_database_number_a_wording_once_and_make_its_party_once() {
    let (db, one) = registry().await;
    let other = Registry::new(db.db().clone(), db.keys());
    let (shop, works) = (by_code(SHOP, "好味饭店", None), by_code(FACTORY, "新名称厂", None));
    one.ready().await.expect("read");
    other.ready().await.expect("read");
    let first = one.resolve_mentions(&[shop]).await.expect("numbers");
    // the other has not heard of it, nor of the shop's party
    let renamed = by_code(SHOP, "好味大饭店", None);
    let second = other.resolve_mentions(&[works, shop, renamed]).await.expect("numbers");
    assert_eq!(second, [2, first[0], 3]);
    assert_eq!(one.resolve_mentions(&[renamed, works]).await.expect("numbers"), [3, 2]);
    // prepared before somebody else wrote half of it
    let late = by_name("某某公司", None);
    let prepared = one.prepare_mentions(&[late, renamed]);
    assert_eq!(other.resolve_mentions(&[late]).await.expect("numbers"), [4]);
    assert_eq!(one.resolve_prepared(prepared).await.expect("numbers"), [4, 3]);
    let parties = "SELECT COUNT(*) FROM party";
    assert_eq!(db.db().count(parties, &[]).await.expect("counted"), 2);
}

#[tokio::test]
async fn in_whatever_order_wordings_arrive_a_party_gets_the_same_values() {
    let road = Some("滕州市善国南路12号");
    let said = [
        by_code(SHOP, "好味饭店", None),
        MentionInput { area_number: None, ..by_code(SHOP, "滕州好味饭店", None) },
        MentionInput { regist_no: Some("110108000000016"), ..by_code(SHOP, "阿好饭店", None) },
        by_code(SHOP, "滕州市好味饭店", road),
        by_code(SHOP, "好味餐馆", Some("滕州市解放路1号")),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for turn in 0..said.len() {
        for cut in 1..=said.len() {
            let (db, registry) = registry().await;
            let mut order = said;
            order.rotate_left(turn);
            for batch in order.chunks(cut) {
                registry.resolve_mentions(batch).await.expect("numbers");
            }
            let row = db
                .db()
                .fetch_one("SELECT name, kind, area_number, address, regist_no FROM party", &[])
                .await
                .expect("one party");
            let values: Vec<Option<String>> =
                (["name", "kind", "area_number", "address", "regist_no"].iter())
                    .map(|column| row.opt_text(column).expect("text"))
                    .collect();
            seen.insert(values);
        }
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn in_whatever_order_rows_arrive_the_same_wordings_share_a_party() {
    let shop = "滕州好味饭店";
    let road = Some("滕州市善国南路12号");
    let said = [
        by_code(SHOP, shop, road),
        by_name(shop, road),
        by_name(shop, Some("滕州市解放路1号")),
        MentionInput { regist_no: Some("110108000000016"), ..by_name("旧名称厂", None) },
        MentionInput {
            regist_no: Some("110108000000016"),
            ..by_code(FACTORY, "新名称厂", Some("枣庄市光明路3号"))
        },
        by_name("旧名称厂", None),
        by_code(FACTORY, "新名称有限公司", None),
    ];
    let orders: [&[usize]; 5] = [
        &[0, 1, 2, 3, 4, 5, 6],
        &[6, 5, 4, 3, 2, 1, 0],
        &[1, 3, 0, 4, 2, 5, 6],
        &[5, 1, 2, 3, 6, 0, 4],
        &[2, 4, 6, 1, 3, 5, 0],
    ];
    let mut outcomes = Vec::new();
    for order in orders {
        for cut in [1, 3, 7] {
            let (_db, registry) = registry().await;
            for batch in order.chunks(cut) {
                let batch: Vec<MentionInput<'_>> = batch.iter().map(|at| said[*at]).collect();
                registry.resolve_mentions(&batch).await.expect("numbers");
                registry.relink().await.expect("linked");
            }
            outcomes.push(partition(&registry, &said).await);
        }
    }
    assert_eq!(outcomes[0][1], 0, "same name, same address: the shop");
    assert_eq!(outcomes[0][2], 2, "the same name elsewhere is no proof");
    assert_eq!(outcomes[0][3], 4 - 1, "the registration number was seen beside the factory's code");
    assert_eq!(outcomes[0][4], outcomes[0][3]);
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
}

#[tokio::test]
async fn a_second_shop_of_the_name_undoes_what_linkage_took_for_sure() {
    let (_db, registry) = registry().await;
    let road = Some("滕州市善国南路12号");
    let said = [by_code(SHOP, "好味饭店", road), by_name("好味饭店", road)];
    registry.resolve_mentions(&said).await.expect("numbers");
    registry.relink().await.expect("linked");
    assert_eq!(partition(&registry, &said).await, [0, 0]);
    let third = [said[0], said[1], by_code(FACTORY, "好味饭店", road)];
    registry.resolve_mentions(&third).await.expect("numbers");
    let done = registry.relink().await.expect("linked");
    assert_eq!(partition(&registry, &third).await, [0, 1, 2]);
    assert_eq!(done.doubtful, 2, "a person is asked about both");
    assert_eq!(registry.relink().await.expect("linked").looked_at, 0);
}

#[tokio::test]
async fn nothing_of_a_natural_person_is_stored_in_clear() {
    let (_db, registry) = registry().await;
    let said = MentionInput {
        nature: Some("01"),
        code_type: Some("111"),
        code: Some("34052419800101001X"),
        name: "欧阳锋",
        address: Some("枣庄市白驼路1号"),
        area_number: Some("370402"),
        ..Default::default()
    };
    registry.resolve_mentions(&[said]).await.expect("numbers");
    for sql in [
        "SELECT code, name, address, anchor, explain AS more FROM mention",
        "SELECT person_code AS code, name, address, anchor, search_text AS more FROM party",
    ] {
        let row = registry.db.fetch_one(sql, &[]).await.expect("a row");
        for column in ["code", "name", "address", "anchor", "more"] {
            let text = row.opt_text(column).expect("text").unwrap_or_default();
            for secret in ["欧阳锋", "340524", "白驼路"] {
                assert!(!text.contains(secret), "{column}");
            }
        }
    }
}

#[tokio::test]
async fn a_late_older_row_neither_changes_nor_revives_a_record() {
    let (_db, registry) = registry().await;
    let said = [by_code(SHOP, "好味饭店", None)];
    let mention = registry.resolve_mentions(&said).await.expect("numbers")[0];
    let apply = async |record: SourceRecord| {
        registry.apply_source_records(&[record]).await.expect("applied")
    };
    let name = async || {
        let row = registry.db.fetch_one("SELECT name, version FROM party", &[]).await.expect("row");
        (row.text("name").expect("name"), row.int("version").expect("version"))
    };
    apply(register_row(mention, "r1", 200, "好味饭店（善国路店）")).await;
    assert_eq!(name().await.0, "好味饭店（善国路店）");
    apply(register_row(mention, "r1", 100, "更早的名称")).await;
    let (kept, version) = name().await;
    assert_eq!(kept, "好味饭店（善国路店）");
    assert_eq!(apply(register_row(mention, "r1", 200, "好味饭店（善国路店）")).await, 0);
    assert_eq!(name().await.1, version, "the same row again changes nothing");
    let gone =
        SourceRecord { operation: Operation::Delete, ..register_row(mention, "r1", 300, "x") };
    apply(gone).await;
    assert_eq!(name().await.0, "好味饭店", "what other rows call it is all that is left");
    apply(register_row(mention, "r1", 250, "迟到的名称")).await;
    assert_eq!(name().await.0, "好味饭店");
    let row = registry.db.fetch_one("SELECT fields FROM party_source", &[]).await.expect("row");
    assert!(!row.text("fields").expect("fields").contains("13812345678"));
}
