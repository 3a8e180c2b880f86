//! What a department and an operator live through.

use mj_facts::At;
use mj_kernel::{DataLevel, Scope};
use mj_platform::{Lane, RowExt};

use super::*;
use crate::ingest::plan::TablePlan;
use crate::store::error_row::Filter;
use crate::{BatchState, Counts, Error, mend, store};

fn check(number: usize, changes: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut all: Vec<(&'static str, String)> = vec![
        ("check_action_code", format!("J-{number:05}")),
        ("check_document_code", format!("文书{number}号")),
        ("administrative_cp_ui_code", uscc(number as u64)),
    ];
    all.extend(changes.iter().map(|(name, value)| (*name, (*value).to_owned())));
    all
}

fn push(file: &mut File, row: &[(&'static str, String)]) {
    let row: Vec<(&str, &str)> = row.iter().map(|(name, value)| (*name, value.as_str())).collect();
    file.push(&row);
}

async fn visible(world: &World, table: &str) -> u64 {
    let table = world.hub.table(table).expect("a table");
    let plan = TablePlan::new(world.hub.standard, table).expect("a plan");
    let snapshot = world.hub.facts.snapshot(&plan.spec, At::Latest).await.expect("a state");
    snapshot.count(&Scope::everything(DataLevel::Personal))
}

#[tokio::test]
async fn a_file_becomes_counted_records_and_explained_errors() {
    let world = World::new().await;
    let mut file = File::of("check_action", &[]);
    push(&mut file, &check(1, &[]));
    push(&mut file, &check(2, &[("administrative_cp_ui_code", "91350100M000100Y44")]));
    push(&mut file, &check(3, &[("check_date", "2026-02-31")]));
    push(&mut file, &check(1, &[]));
    push(&mut file, &check(5, &[("check_personnel", "张三")]));
    let done = world.import("check_action", "checks.csv", &file).await;
    assert!(!done.again);
    let batch = done.batch;
    assert_eq!(
        batch.counts,
        Counts { front: 5, correct: 1, error: 3, duplicate: 1, ..Counts::default() }
    );
    assert_eq!(batch.cd_batch, "2026112000001");
    assert_eq!(batch.by_class["06"], 1);
    assert_eq!(batch.by_class["10"], 1);
    assert_eq!(batch.by_class["08"], 1);
    assert_eq!(batch.by_class["05"], 1, "the repeated row is a duplicate");
    let filter = Filter { limit: 10, ..Filter::default() };
    let errors = store::error_row::list(world.kit.db(), &batch.id, &filter).await.expect("errors");
    assert_eq!(errors.iter().map(|row| row.row).collect::<Vec<_>>(), [2, 3, 5]);
    assert!(
        errors[0]
            .issues
            .iter()
            .any(|issue| issue.rule == "check_action.party.uscc"
                || issue.rule.ends_with("party.uscc"))
    );
    assert_eq!(visible(&world, "check_action").await, 1);
    world.reconciles().await;
}

#[tokio::test]
async fn the_same_file_is_the_same_batch_and_the_same_number_with_another_body_a_conflict() {
    let world = World::new().await;
    let mut file = File::of("check_action", &[]);
    push(&mut file, &check(1, &[]));
    let first = world.import("check_action", "a.csv", &file).await;
    let again = world.import("check_action", "renamed.csv", &file).await;
    assert_eq!((again.again, &again.batch.id), (true, &first.batch.id));
    let number = first.batch.cd_batch.clone();
    let same = world.try_import("check_action", "a.csv", &file, Some(&number)).await;
    assert_eq!(same.expect("recognised").batch.id, first.batch.id);
    push(&mut file, &check(2, &[]));
    let other = world.try_import("check_action", "b.csv", &file, Some(&number)).await;
    assert!(matches!(other, Err(Error::BatchConflict { .. })));
    let next = world.import("check_action", "b.csv", &file).await;
    assert_eq!(next.batch.cd_batch, "2026112000002");
    let bad = world.try_import("check_action", "b.csv", &file, Some("12")).await;
    assert!(matches!(bad, Err(Error::BatchNumber(_))));
    world.reconciles().await;
}

#[tokio::test]
async fn insert_update_and_delete_in_any_order_leave_the_same_state() {
    let row = |time: &str, operation: &str, result: &str| {
        let mut file = File::of("check_action", &["cd_id", "cd_time", "cd_operation"]);
        let mut row = check(7, &[("cd_id", "A-7"), ("check_result", result)]);
        row.push(("cd_time", time.to_owned()));
        row.push(("cd_operation", operation.to_owned()));
        push(&mut file, &row);
        file
    };
    let files = [
        row("2026-11-01 08:00:00", "i", "01"),
        row("2026-11-02 08:00:00", "u", "02"),
        row("2026-11-03 08:00:00", "d", "02"),
        row("2026-11-04 08:00:00", "u", "03"),
    ];
    let mut states = Vec::new();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let world = World::new().await;
        for at in order {
            let batch = world.import("check_action", &format!("{at}.csv"), &files[at]).await.batch;
            assert!(batch.counts.reconcile() && batch.counts.front == 1);
        }
        assert_eq!(visible(&world, "check_action").await, 1);
        let table = world.hub.table("check_action").expect("a table");
        let plan = TablePlan::new(world.hub.standard, table).expect("a plan");
        let now = world.hub.facts.snapshot(&plan.spec, At::Latest).await.expect("a state");
        let all = Scope::everything(DataLevel::Personal);
        let row = now.by_key(SOURCE, "A-7", &all).expect("read").expect("there");
        let result = plan.spec.columns.iter().position(|column| column.name == "check_result");
        states.push(row.values[result.expect("a column")].clone());
        world.reconciles().await;
    }
    assert_eq!(states, vec![Some("03".to_owned()); 3]);
}

#[tokio::test]
async fn two_batches_at_once_both_settle_and_reconcile() {
    let world = World::new().await;
    let (mut one, mut two) = (File::of("check_action", &[]), File::of("check_action", &[]));
    for number in 0..300 {
        push(&mut one, &check(number, &[]));
        push(&mut two, &check(number + 150, &[]));
    }
    let (one, two) = tokio::join!(
        world.import("check_action", "one.csv", &one),
        world.import("check_action", "two.csv", &two),
    );
    let mut sum = one.batch.counts;
    sum.add(&two.batch.counts);
    assert_eq!((sum.front, sum.correct, sum.duplicate), (600, 450, 150));
    assert_ne!(one.batch.cd_batch, two.batch.cd_batch);
    assert_eq!(visible(&world, "check_action").await, 450);
    world.reconciles().await;
}

#[tokio::test]
async fn a_file_that_is_no_table_settles_with_no_row_and_a_message() {
    let world = World::new().await;
    let header = String::from_utf8(File::of("check_action", &[]).bytes().to_vec()).expect("text");
    let cases: [(&str, Vec<u8>); 5] = [
        ("empty.csv", Vec::new()),
        ("header.csv", header.clone().into_bytes()),
        ("wrong.csv", "甲,乙,丙\n1,2,3\n".into()),
        ("binary.csv", (0_u8..=255).cycle().take(4000).collect()),
        ("twice.csv", format!("check_date,{header}").into_bytes()),
    ];
    for (name, bytes) in cases {
        let batch = world.import("check_action", name, &bytes).await.batch;
        assert_eq!(batch.state, BatchState::Settled, "{name}");
        assert_eq!(batch.counts, Counts::default(), "{name}");
        assert_eq!(batch.by_class["00"], 1, "{name}");
        assert!(batch.message.is_some_and(|message| !message.is_empty()), "{name}");
    }
    world.reconciles().await;
}

#[tokio::test]
async fn losing_one_row_by_hand_is_noticed() {
    let world = World::new().await;
    let mut file = File::of("check_action", &[]);
    push(&mut file, &check(1, &[]));
    push(&mut file, &check(2, &[("check_date", "2026-02-31")]));
    push(&mut file, &check(3, &[]));
    let batch = world.import("check_action", "a.csv", &file).await.batch;
    world.reconciles().await;
    let lose = |sql: &'static str| async {
        let mut tx = world.kit.begin().await;
        tx.execute(sql, &[]).await.expect("lost");
        tx.commit().await.expect("done");
        let found = crate::reconcile(&world.hub, mj_facts::Depth::Counts).await.expect("looked");
        found.len()
    };
    assert_eq!(lose("DELETE FROM hub_error").await, 1);
    assert_eq!(lose("DELETE FROM fact_hot WHERE rid = (SELECT MIN(rid) FROM fact_hot)").await, 2);
    assert_eq!(batch.counts.correct, 2);
}

#[tokio::test]
async fn a_bad_row_is_mended_and_comes_back_alone() {
    let world = World::new().await;
    let mut file = File::of("check_action", &[]);
    push(&mut file, &check(1, &[]));
    push(&mut file, &check(2, &[("check_date", "2026-02-31")]));
    let batch = world.import("check_action", "a.csv", &file).await.batch;
    let sheet = mend::marked_sheet(&world.hub, &batch).await.expect("a sheet");
    assert!(sheet.starts_with(b"PK"));
    let values = [("检查时间".to_owned(), Some("2026-02-28".to_owned()))].into();
    let body = mend::mended_row(&world.hub, &batch, 2, &values).await.expect("a row");
    let blob = world.kit.blobs().store(body.as_bytes()).expect("stored");
    let source = world.hub.source(SOURCE).await.expect("a source");
    let delivery = crate::Delivery {
        table: world.hub.table("check_action").expect("a table"),
        source: &source,
        cd_batch: None,
        channel: batch.channel,
        portion: batch.portion,
        format: "jsonl",
        file_name: None,
        body_sha256: &blob.sha256,
        bytes: blob.size,
        blob: Some(&blob),
        rows: Some(1),
        mends: Some(&batch.id),
    };
    let mut tx = world.kit.begin().await;
    let received = world.hub.receive(&mut tx, &delivery).await.expect("received");
    tx.commit().await.expect("done");
    let mended = world.hub.ingest(&received.batch.id, None, None).await.expect("settled");
    assert_eq!(mended.counts, Counts { front: 1, correct: 1, ..Counts::default() });
    let old = world.hub.batch(&batch.id).await.expect("read").expect("there");
    assert_eq!(old.counts, batch.counts, "counts of a settled batch never change");
    let (row, _) =
        store::error_row::one(world.kit.db(), &batch.id, 2).await.expect("read").expect("there");
    assert!(row.mended);
    let again = mend::mended_row(&world.hub, &batch, 2, &values).await;
    assert!(matches!(again, Err(Error::AlreadyMended)));
    assert_eq!(visible(&world, "check_action").await, 2);
    world.reconciles().await;
}

#[tokio::test]
async fn nothing_of_a_person_stands_in_clear_anywhere() {
    let world = World::new().await;
    let person = [
        ("administrative_cp_na", "01"),
        ("administrative_cp_ce_type", "111"),
        ("administrative_cp_ui_code", CITIZEN),
        ("administrative_cp", "欧阳建国"),
        ("supervise_object", "欧阳建国"),
        ("check_action_name", "对欧阳建国进行食品经营的检查"),
        ("address_registered", "山东省枣庄市市中区文化路秘密街7号"),
        ("address_operating", "山东省枣庄市市中区文化路秘密街7号"),
    ];
    let mut file = File::of("check_action", &[]);
    push(&mut file, &check(1, &person));
    let mut bad = person.to_vec();
    bad.push(("check_date", "2026-02-31"));
    push(&mut file, &check(2, &bad));
    let mut people = File::of("object_person", &[]);
    people.push(&[("administrative_cp_ui_code", CITIZEN), ("administrative_cp", "欧阳建国")]);
    let checks = world.import("check_action", "a.csv", &file).await.batch;
    assert_eq!((checks.counts.correct, checks.counts.error), (1, 1));
    let persons = world.import("object_person", "p.csv", &people).await.batch;
    assert_eq!(persons.counts.correct, 1, "{:?}", persons.by_rule);
    let secrets = [CITIZEN, "欧阳建国", "秘密街"];
    for table in ["fact_hot", "hub_error", "mention", "party", "party_source", "job", "outbox"] {
        let rows =
            world.kit.db().fetch_all(&format!("SELECT * FROM {table}"), &[]).await.expect("rows");
        for row in rows {
            let text = everything_of(&row);
            for secret in secrets {
                assert!(!text.contains(secret), "{table} holds {secret} in clear");
            }
        }
    }
    world.reconciles().await;
}

/// All texts and bytes of a row, run together.
fn everything_of(row: &mj_platform::DbRow) -> String {
    let mut text = String::new();
    for column in row.names() {
        match row.value(column).expect("readable") {
            mj_platform::Value::Text(value) => text.push_str(&value),
            mj_platform::Value::Bytes(value) => text.push_str(&String::from_utf8_lossy(&value)),
            _ => {}
        }
    }
    text
}

#[tokio::test]
async fn a_register_row_becomes_a_party_and_its_act_is_linked_to_it() {
    let world = World::new().await;
    let enterprise = File::of("object_enterprise", &[]).row(&[]);
    let batch = world.import("object_enterprise", "e.csv", &enterprise).await.batch;
    assert_eq!(batch.counts.correct, 1, "{:?} {:?}", batch.by_rule, batch.message);
    let table = world.hub.table("object_enterprise").expect("a table");
    let plan = TablePlan::new(world.hub.standard, table).expect("a plan");
    let sample: Vec<Option<String>> = table.sample.clone();
    let mention = plan.mention(&sample).expect("a party").code.expect("a code").to_owned();
    let mut file = File::of("check_action", &[]);
    push(&mut file, &check(1, &[("administrative_cp_ui_code", &mention)]));
    world.import("check_action", "a.csv", &file).await;
    let parties = "SELECT CAST(COUNT(*) AS BIGINT) FROM party WHERE merged_into IS NULL";
    assert_eq!(world.kit.db().count(parties, &[]).await.expect("read"), 1);
}

#[tokio::test]
async fn a_batch_that_failed_is_taken_up_again_when_it_is_sent_again() {
    let world = World::new().await;
    let mut file = File::of("check_action", &[]);
    push(&mut file, &check(1, &[]));
    let path = world.write("a.csv", &file);
    let import = Import {
        table: "check_action",
        file: &path,
        cd_source: SOURCE,
        cd_batch: None,
        portion: Portion::Backlog,
    };
    let received = world.hub.receive_file(&import).await.expect("received").batch;
    assert_eq!(received.state, BatchState::Received);
    let act = Act::new(&Actor::system("test"), "datahub.batch.fail", "x");
    let mut tx = world.kit.db().begin(Lane::Bulk, act).await.expect("begin");
    let mut failed = received.clone();
    failed.state = BatchState::Failed;
    store::batch::save_outcome(&mut tx, &failed).await.expect("saved");
    tx.commit().await.expect("done");
    let again = world.hub.import_file(&import, None).await.expect("imported").batch;
    assert_eq!((again.id, again.state), (received.id, BatchState::Settled));
    assert_eq!(again.counts.correct, 1);
}

#[tokio::test]
async fn a_departments_own_item_code_is_read_as_the_unified_item() {
    let world = World::new().await;
    let act = Act::new(&Actor::system("test"), "catalog.mapping.create", SOURCE);
    let day = |text: &str| text.parse().expect("a day");
    world
        .hub
        .catalog
        .map_local_code(act, SOURCE, "SP-01", "31010001000001", day("2025-01-01"), None)
        .await
        .expect("mapped");
    let mut file = File::of("check_action", &[]);
    push(&mut file, &check(1, &[("supervise_item_implement_code", "SP-01")]));
    push(&mut file, &check(2, &[("supervise_item_implement_code", "SP-02")]));
    let batch = world.import("check_action", "a.csv", &file).await.batch;
    assert_eq!((batch.counts.correct, batch.counts.error), (1, 1), "{:?}", batch.by_rule);
    let table = world.hub.table("check_action").expect("a table");
    let plan = TablePlan::new(world.hub.standard, table).expect("a plan");
    let now = world.hub.facts.snapshot(&plan.spec, At::Latest).await.expect("a state");
    let all = Scope::everything(DataLevel::Personal);
    let mut norms = Vec::new();
    now.scan(mj_facts::Columns::All, &Default::default(), &all, &mut |row| {
        norms.push(row.norm.unwrap_or_default().to_owned());
        Ok(())
    })
    .expect("read");
    assert_eq!(norms, [r#"{"supervise_item_implement_code":"SP-01"}"#], "never silent");
}

#[tokio::test]
async fn a_workbook_that_breaks_off_halfway_leaves_no_trace_in_the_registers() {
    let world = World::new().await;
    let text = File::of("object_enterprise", &[]).row(&[]);
    let text = String::from_utf8(text.bytes().to_vec()).expect("text");
    let (header, _) = text.split_once('\n').expect("a header");
    let names: Vec<&str> = header.split(',').collect();
    let table = world.hub.table("object_enterprise").expect("a table");
    let mut sheet = mj_tabular::SheetWriter::new("企业", names.iter().copied()).expect("a sheet");
    for number in 0..3_000 {
        let code = uscc(number);
        let cells = names.iter().map(|name| {
            let at = table.column_index(name).expect("a column");
            match table.party.as_ref().and_then(|party| party.code.as_deref()) {
                Some(column) if column == *name => Some(code.as_str()),
                _ => table.sample[at].as_deref(),
            }
        });
        sheet.push(cells).expect("a row");
    }
    let mut out = std::io::Cursor::new(Vec::new());
    sheet.finish(&mut out).expect("a workbook");
    let whole = out.into_inner();
    let mut broken = whole.clone();
    let middle = broken.len() / 2;
    broken[middle..middle + 64].fill(0xA5);
    let batch = world.import("object_enterprise", "broken.xlsx", &broken).await.batch;
    assert_eq!((batch.counts, batch.by_class["00"]), (Counts::default(), 1));
    let parties = "SELECT CAST(COUNT(*) AS BIGINT) FROM party";
    assert_eq!(world.kit.db().count(parties, &[]).await.expect("read"), 0);
    let batch = world.import("object_enterprise", "whole.xlsx", &whole).await.batch;
    assert_eq!(batch.counts.front, 3_000, "{:?}", batch.message);
    assert_eq!(batch.counts.error, 0, "{:?}", batch.by_rule);
    world.reconciles().await;
}
