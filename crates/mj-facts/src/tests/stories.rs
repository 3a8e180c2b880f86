//! What a supervisor relies on, told on a handful of rows.

use std::collections::BTreeSet;

use mj_kernel::{AgencySet, Page, Scope};

use crate::model::{At, Fate, Op};
use crate::{Columns, Dimension, Error, FactIn, Filter};

use super::{How, Row, Store, everything, latest, put, spec, with_fact};

#[tokio::test]
async fn a_file_sent_twice_changes_nothing_and_is_counted_as_duplicates() {
    let world = Store::new().await;
    let spec = spec("twice");
    let rows: Vec<Row> = (0..20).map(|id| Row::new(id, 5, id)).collect();
    let db = world.kit.db();
    let first = put(&world.store, db, &spec, &rows, How::Files, true).await.expect("in");
    assert_eq!((first.correct, first.rows()), (20, 20));
    let before = latest(&world.store, &spec).await.expect("read");
    let second = put(&world.store, db, &spec, &rows, How::Files, true).await.expect("in again");
    assert_eq!((second.correct, second.duplicate), (0, 20));
    assert_eq!(latest(&world.store, &spec).await.expect("read"), before);
    let files = world.disk.list("twice").expect("a folder");
    assert_eq!(files.len(), 1, "nothing was stored for the second");
}

#[tokio::test]
async fn a_late_older_row_does_not_bring_a_deleted_record_back() {
    let world = Store::new().await;
    let spec = spec("late");
    let db = world.kit.db();
    for (row, how) in [
        (Row::new(1, 10, 1), How::Hot),
        (Row::new(1, 30, 1).deleted(), How::Files),
        (Row::new(1, 20, 2), How::Hot),
    ] {
        put(&world.store, db, &spec, &[row], how, true).await.expect("in");
    }
    assert!(latest(&world.store, &spec).await.expect("read").is_empty());
    let now = world.store.snapshot(&spec, At::Latest).await.expect("snapshot");
    let versions = now.versions("S1", "001", &everything()).expect("versions");
    let told: Vec<_> =
        versions.iter().map(|v| (v.fact.op, v.fact.cd_time, v.to.is_some())).collect();
    assert_eq!(told, [(Op::Delete, 30, false), (Op::Upsert, 20, true), (Op::Upsert, 10, true)]);
    // the same content later again was not stored, but the record remembers the time
    put(&world.store, db, &spec, &[Row::new(2, 1, 1)], How::Files, true).await.expect("in");
    put(&world.store, db, &spec, &[Row::new(2, 9, 1)], How::Hot, true).await.expect("again");
    let late = put(&world.store, db, &spec, &[Row::new(2, 5, 3)], How::Hot, true).await;
    assert_eq!(late.expect("in").others, [(1, Fate::Superseded)]);
}

#[tokio::test]
async fn of_two_deliveries_of_one_behaviour_one_is_shown_and_the_other_steps_in() {
    let world = Store::new().await;
    let spec = spec("twins");
    let db = world.kit.db();
    let keys = |seen: super::Seen| seen.into_keys().map(|(_, id)| id).collect::<Vec<_>>();
    let rows = [Row::new(7, 1, 1).twin_of(1), Row::new(3, 1, 2).twin_of(1)];
    let receipt = put(&world.store, db, &spec, &rows, How::Files, true).await.expect("in");
    assert_eq!(receipt.others, [(2, Fate::Duplicate)], "one behaviour, one correct row");
    assert_eq!(keys(latest(&world.store, &spec).await.expect("read")), ["003"]);
    let gone = [Row::new(3, 2, 2).deleted()];
    put(&world.store, db, &spec, &gone, How::Hot, true).await.expect("deleted");
    assert_eq!(keys(latest(&world.store, &spec).await.expect("read")), ["007"]);
    let now = world.store.snapshot(&spec, At::Latest).await.expect("snapshot");
    let filter = Filter { with_hidden: true, ..Filter::default() };
    let mut all = 0;
    let mut count = |_: &crate::RowView<'_>| {
        all += 1;
        Ok(())
    };
    now.scan(Columns::Only(&[]), &filter, &everything(), &mut count).expect("scanned");
    assert_eq!(all, 1);
}

#[tokio::test]
async fn a_county_sees_its_rows_and_its_own_agency_and_pages_through_a_timeline() {
    let world = Store::new().await;
    let spec = spec("scoped");
    let db = world.kit.db();
    let rows: Vec<Row> = (0..60).map(|id| Row::new(id, 1, id)).collect();
    put(&world.store, db, &spec, &rows[..30], How::Files, true).await.expect("in");
    put(&world.store, db, &spec, &rows[30..], How::Hot, true).await.expect("in");
    let now = world.store.snapshot(&spec, At::Latest).await.expect("snapshot");

    let county = Scope { areas: vec!["370402".into()], ..everything() };
    assert_eq!(now.count(&county), 30);
    assert_eq!(now.by_key("S1", "001", &county).expect("read"), None, "the neighbour's");
    let own = Scope { agencies: AgencySet::only(["11370400MB2843900X"]), ..county.clone() };
    assert_eq!(now.count(&own), 24);
    assert_eq!(now.count_by(Dimension::Area, &everything())["370481"], 30);
    let months: u64 = now.count_by(Dimension::Month, &everything()).values().sum();
    assert_eq!(months, 60);

    let mut lines = Vec::new();
    let mut page = Page { limit: Some(4), cursor: None };
    loop {
        let got = now.of_mentions(&[1, 2, 3], &county, &page).expect("a page");
        lines.extend(got.items);
        match got.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
    let distinct: BTreeSet<_> = lines.iter().map(|line| line.cd_id.clone()).collect();
    let wanted = rows
        .iter()
        .filter(|row| row.content % 2 == 0 && row.content % 3 != 0 && row.content % 4 != 0);
    assert_eq!((distinct.len(), lines.len()), (wanted.count(), distinct.len()));
    assert!(lines.is_sorted_by(|a, b| a.event_date >= b.event_date), "newest first");

    let ids: Vec<_> = lines.iter().map(|line| line.row).collect();
    let facts = now.fetch(&ids, Columns::Only(&[3, 0]), &county).expect("fetched");
    for (line, fact) in lines.iter().zip(&facts) {
        let row = rows.iter().find(|row| row.key().1 == line.cd_id).expect("known");
        assert_eq!(fact.values, [row.values()[3].clone(), row.values()[0].clone()]);
    }
    // places stay good through a flush in the same process
    world.store.flush(&spec).await.expect("flushed");
    assert_eq!(now.fetch(&ids, Columns::All, &county).expect("fetched").len(), ids.len());
    assert_eq!(
        now.fetch(&ids, Columns::All, &Scope { areas: vec![], ..county }).expect("fetched"),
        []
    );
}

#[tokio::test]
async fn a_grant_of_one_item_line_sees_the_rows_of_that_line_wherever_they_lie() {
    let mut world = Store::new().await;
    let mut spec = spec("lined");
    spec.columns.push(crate::ColumnSpec::text("item_code").of_items());
    let codes = ["31010001000001", "16010001000001;31020001000001", "17010001000001", "", "无"];
    let rows: Vec<Row> = (0..50).map(|id| Row::new(id, 1, id)).collect();
    for (half, how) in rows.chunks(25).zip([How::Files, How::Hot]) {
        let mut stage = world.store.stage(&spec, "batch-1").await.expect("a stage");
        if how == How::Files {
            stage = stage.into_files().expect("files");
        }
        for row in half {
            let mut values = row.values();
            values.push(
                Some(codes[usize::from(row.id) % 5].into()).filter(|c: &String| !c.is_empty()),
            );
            let pushed = with_fact(row, u32::from(row.id) + 1, |fact| {
                stage.push(&FactIn { values: &values, ..*fact })
            });
            pushed.expect("pushed");
        }
        let mut tx = crate::store::begin(world.kit.db(), "test.load").await.expect("begun");
        world.store.commit(stage.finish().expect("staged"), &mut tx).await.expect("in");
        tx.commit().await.expect("kept");
    }
    let of = |lines: &[&str]| Scope {
        item_lines: AgencySet::only(lines.iter().copied()),
        ..everything()
    };
    // in files and hot, after a restart, and after the hot ones went into a file
    for step in 0..4 {
        let now = world.store.snapshot(&spec, At::Latest).await.expect("snapshot");
        assert_eq!(now.count(&everything()), 50, "step {step}");
        for (lines, rows) in
            [(&["31"][..], 20), (&["16"], 10), (&["17", "31"], 30), (&["99"], 0), (&[], 0)]
        {
            assert_eq!(now.count(&of(lines)), rows, "{lines:?} in step {step}");
        }
        assert!(now.by_key("S1", "001", &of(&["16"])).expect("read").is_some());
        assert_eq!(now.by_key("S1", "003", &of(&["31"])).expect("read"), None, "names no item");
        let all = Page { limit: Some(Page::MAX), cursor: None };
        let lines = now.of_mentions(&[1, 2, 3], &of(&["17"]), &all).expect("a page").items;
        assert!(!lines.is_empty() && lines.iter().all(|line| line.cd_id.ends_with(['2', '7'])));
        match step {
            1 => drop(world.store.flush(&spec).await.expect("flushed")),
            _ => world.reopen().await,
        }
    }
}

#[tokio::test]
async fn a_reader_keeps_its_state_while_rows_arrive_and_sees_none_of_an_open_transaction() {
    let world = Store::new().await;
    let spec = spec("steady");
    let db = world.kit.db();
    put(&world.store, db, &spec, &[Row::new(1, 1, 1)], How::Hot, true).await.expect("in");
    let before = world.store.snapshot(&spec, At::Latest).await.expect("snapshot");
    let mut tx = crate::store::begin(db, "test.load").await.expect("begin");
    for content in [2, 3] {
        // two appends in one transaction: the second settles against the first
        let row = Row::new(1, i64::from(content), content);
        let values = row.values();
        let fact = FactIn { values: &values[..], ..fact_of(&row) };
        let receipt = world.store.append(&spec, "b", &[fact], &mut tx).await.expect("appended");
        assert_eq!(receipt.correct, 1);
        assert_eq!(super::seen(&before).expect("read").len(), 1);
    }
    tx.commit().await.expect("done");
    let after = world.store.snapshot(&spec, At::Latest).await.expect("snapshot");
    let title = |snapshot: &crate::Snapshot| {
        let row = snapshot.by_key("S1", "001", &everything()).expect("read").expect("there");
        row.values[0].clone().expect("a title")
    };
    assert_eq!((title(&before).as_str(), title(&after).as_str()), ("检查 1", "检查 3"));
}

fn fact_of(row: &Row) -> FactIn<'static, String> {
    FactIn {
        cd_source: "S1",
        cd_id: "001",
        cd_time: row.time,
        op: Op::Upsert,
        mention: None,
        business_key: None,
        content: u128::from(row.content) << 40,
        area: None,
        agency: None,
        event_date: None,
        values: &[],
        norm: None,
        row: 1,
    }
}

#[tokio::test]
async fn two_loads_of_one_table_at_once_settle_against_each_other() {
    let world = Store::new().await;
    let spec = spec("both");
    let db = world.kit.db();
    let stage = async |rows: &[Row]| {
        let mut stage =
            world.store.stage(&spec, "b").await.expect("stage").into_files().expect("files");
        for (number, row) in rows.iter().enumerate() {
            with_fact(row, number as u32, |fact| stage.push(fact)).expect("pushed");
        }
        stage.finish().expect("durable")
    };
    let one = stage(&[Row::new(1, 1, 1), Row::new(2, 9, 2).twin_of(1)]).await;
    let two = stage(&[Row::new(1, 1, 1), Row::new(2, 5, 3), Row::new(3, 1, 4).twin_of(1)]).await;
    for (staged, counts) in [(one, (2, 0, 0)), (two, (0, 2, 1))] {
        let mut tx = crate::store::begin(db, "test.load").await.expect("begin");
        let receipt = world.store.commit(staged, &mut tx).await.expect("settled");
        tx.commit().await.expect("done");
        assert_eq!((receipt.correct, receipt.duplicate, receipt.superseded), counts);
    }
    assert_eq!(latest(&world.store, &spec).await.expect("read").len(), 2);
    assert_eq!(world.store.verify(crate::Depth::Digests).await.expect("looked"), vec![]);
}

#[tokio::test]
async fn a_row_that_cannot_be_stored_is_refused_by_its_number_and_says_nothing_of_its_content() {
    let world = Store::new().await;
    let spec = spec("refused");
    let mut stage = world.store.stage(&spec, "b").await.expect("stage");
    let values = [Some("张三".to_owned())];
    let refused = stage.push(&FactIn { values: &values, row: 17, ..fact_of(&Row::new(1, 1, 1)) });
    let Err(error @ Error::Row { row: 17, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(error.to_string(), "表 refused 的第 17 行无法入库：应有 4 列，实有 1");
    let mut bad = spec.clone();
    bad.columns[0].name = "cd_id".into();
    assert!(world.store.stage(&bad, "b").await.is_err());
}

#[tokio::test]
async fn the_content_digest_does_not_depend_on_how_rows_are_stored() {
    let world = Store::new().await;
    let db = world.kit.db();
    let rows: Vec<Row> = (0..40).map(|id| Row::new(id, 1, id)).collect();
    let mut digests = BTreeSet::new();
    for (name, how, cut) in [("d1", How::Hot, 40), ("d2", How::Files, 40), ("d3", How::Files, 7)] {
        let spec = spec(name);
        for part in rows.chunks(cut) {
            put(&world.store, db, &spec, part, how, true).await.expect("in");
        }
        let now = world.store.snapshot(&spec, At::Latest).await.expect("snapshot");
        let digest = now.digest_in_key_order(Columns::All, &mut |view, bytes| {
            bytes.extend_from_slice(view.cd_id.as_bytes());
            bytes.extend_from_slice(view.value(2).unwrap_or_default().as_bytes());
            Ok(())
        });
        digests.insert(digest.expect("digested"));
    }
    assert_eq!(digests.len(), 1);
}

#[tokio::test]
async fn acts_that_write_before_and_after_their_facts_do_not_block_each_other() {
    let world = Store::new().await;
    let spec = spec("crosswise");
    let act = async |id: u8| {
        let mut tx = crate::store::begin(world.kit.db(), "test.act").await.expect("begin");
        if id.is_multiple_of(2) {
            // as a truth row does: the door's lock is held before the store's is asked for
            let lock = "UPDATE change_head SET seq = seq WHERE id = 1";
            tx.execute(lock, &[]).await.expect("locked");
        }
        tokio::task::yield_now().await;
        let values = Row::new(id, 1, id).values();
        let cd_id = format!("{id:03}");
        let fact = FactIn { cd_id: &cd_id, values: &values, ..fact_of(&Row::new(id, 1, id)) };
        world.store.append(&spec, "b", &[fact], &mut tx).await.expect("appended");
        tx.commit().await.expect("done");
    };
    tokio::join!(act(1), act(2), act(3), act(4), act(5), act(6));
    assert_eq!(latest(&world.store, &spec).await.expect("read").len(), 6);
}
