//! Power lost, disk full, files damaged: what is committed is whole, what is not leaves no trace.

use std::sync::Arc;

use mj_testkit::TestDb;

use crate::model::Depth;
use crate::{Error, FactStore};

use super::sim::SimDisk;
use super::{How, Row, latest, put, spec};

const DAY: i64 = 24 * 3600;

struct World {
    kit: TestDb,
    disk: SimDisk,
}

impl World {
    async fn new() -> Self {
        let world = Self { kit: TestDb::new().await, disk: SimDisk::default() };
        world.disk.set_time(mj_testkit::NOW);
        world
    }

    async fn store(&self) -> FactStore {
        FactStore::open(self.kit.db().clone(), Arc::new(self.disk.clone())).await.expect("opens")
    }
}

#[tokio::test]
async fn power_lost_at_any_call_of_a_load_leaves_before_or_after_and_nothing_between() {
    let world = World::new().await;
    let spec = spec("cut");
    let mut cut = 0;
    loop {
        let store = world.store().await;
        let before = latest(&store, &spec).await.expect("read");
        let rows: Vec<Row> = (0..50).map(|id| Row::new(id, cut, (id + cut as u8) % 40)).collect();
        world.disk.cut_after(cut as usize);
        let done = put(&store, world.kit.db(), &spec, &rows, How::Files, true).await;
        let reached_the_end = done.is_ok() && world.disk.list_works();
        drop(store);
        world.disk.restart();

        let store = world.store().await;
        assert_eq!(store.verify(Depth::Digests).await.expect("looked"), vec![], "cut at {cut}");
        let now = latest(&store, &spec).await.expect("read");
        if done.is_err() {
            assert_eq!(now, before, "cut at {cut}");
            put(&store, world.kit.db(), &spec, &rows, How::Files, true).await.expect("again");
        }
        let after = latest(&store, &spec).await.expect("read");
        let wanted = rows.iter().map(|row| (row.key(), row.values())).collect();
        assert_eq!(after, wanted, "cut at {cut}");
        if reached_the_end {
            break;
        }
        cut += 1;
    }
    assert!(cut >= 7, "a load has more than a handful of calls, {cut} were cut");
}

impl SimDisk {
    /// Whether the power is still on.
    fn list_works(&self) -> bool {
        crate::disk::Disk::list(self, "").is_ok()
    }
}

#[tokio::test]
async fn power_lost_in_a_flush_loses_no_row() {
    let world = World::new().await;
    let spec = spec("flush");
    let rows: Vec<Row> = (0..30).map(|id| Row::new(id, 1, id)).collect();
    let store = world.store().await;
    put(&store, world.kit.db(), &spec, &rows, How::Hot, true).await.expect("in");
    let wanted = latest(&store, &spec).await.expect("read");
    for cut in 0.. {
        let store = world.store().await;
        assert_eq!(latest(&store, &spec).await.expect("read"), wanted);
        world.disk.cut_after(cut);
        let flushed = store.flush(&spec).await;
        world.disk.restart();
        let store = world.store().await;
        assert_eq!(latest(&store, &spec).await.expect("read"), wanted, "cut at {cut}");
        assert_eq!(store.verify(Depth::Digests).await.expect("looked"), vec![]);
        if let Ok(rows) = flushed {
            assert_eq!(rows, 30);
            return;
        }
    }
}

#[tokio::test]
async fn a_full_disk_refuses_the_load_and_keeps_nothing_of_it() {
    let world = World::new().await;
    let spec = spec("full");
    let store = world.store().await;
    let rows: Vec<Row> = (0..90).map(|id| Row::new(id, 1, id)).collect();
    world.disk.full_after(Some(2000));
    let refused = put(&store, world.kit.db(), &spec, &rows, How::Files, true).await;
    assert!(matches!(refused, Err(Error::Io { .. })), "{refused:?}");
    assert_eq!(world.disk.files(), Vec::<String>::new());
    world.disk.full_after(None);
    put(&store, world.kit.db(), &spec, &rows, How::Files, true).await.expect("room again");
    assert_eq!(latest(&store, &spec).await.expect("read").len(), 90);
}

#[tokio::test]
async fn after_a_failed_fsync_the_table_takes_no_more_rows_and_says_so() {
    let world = World::new().await;
    let spec = spec("unsynced");
    let store = world.store().await;
    let rows = [Row::new(1, 1, 1)];
    // folder, file, one write: the fsync is the fourth call
    world.disk.cut_after(3);
    let failed = put(&store, world.kit.db(), &spec, &rows, How::Files, true).await;
    assert!(matches!(failed, Err(Error::ReadOnly { .. })), "{failed:?}");
    world.disk.restart();
    let again = put(&store, world.kit.db(), &spec, &rows, How::Hot, true).await;
    assert!(matches!(again, Err(Error::ReadOnly { .. })));
    assert!(latest(&store, &spec).await.expect("reading goes on").is_empty());
}

#[tokio::test]
async fn one_turned_bit_in_a_segment_is_found_and_never_read_as_truth() {
    let world = World::new().await;
    let spec = spec("damaged");
    let rows: Vec<Row> = (0..40).map(|id| Row::new(id, 1, id)).collect();
    let store = world.store().await;
    put(&store, world.kit.db(), &spec, &rows, How::Files, true).await.expect("in");
    let file = world.disk.files().pop().expect("a file");
    world.disk.damage(&file, 300);
    let store = world.store().await;
    assert!(latest(&store, &spec).await.is_err());
    let findings = store.verify(Depth::Counts).await.expect("looked");
    assert_eq!(findings.len(), 2, "the file, and the rows missing with it: {findings:?}");
}

#[tokio::test]
async fn losing_or_changing_one_hot_row_by_hand_is_found() {
    let world = World::new().await;
    let spec = spec("by_hand");
    let store = world.store().await;
    let rows: Vec<Row> = (0..3).map(|id| Row::new(id, 1, id + 1)).collect();
    put(&store, world.kit.db(), &spec, &rows, How::Hot, true).await.expect("in");
    assert_eq!(store.verify(Depth::Counts).await.expect("looked"), vec![]);
    let mut tx = crate::store::begin(world.kit.db(), "test.hand").await.expect("begin");
    tx.execute("UPDATE fact_hot SET cd_time = 9 WHERE cd_id = '001'", &[]).await.expect("changed");
    tx.commit().await.expect("done");
    assert_eq!(store.verify(Depth::Counts).await.expect("looked")[0].what, "近期行被改动");
    let mut tx = crate::store::begin(world.kit.db(), "test.hand").await.expect("begin");
    tx.execute("DELETE FROM fact_hot WHERE cd_id = '001'", &[]).await.expect("gone");
    tx.commit().await.expect("done");
    let findings = store.verify(Depth::Counts).await.expect("looked");
    assert_eq!(findings[0].what, "应存 3 行，实有 2 行");
}

#[tokio::test]
async fn the_sweep_spares_a_load_in_progress_and_takes_orphans_in_two_steps() {
    let world = World::new().await;
    let spec = spec("swept");
    let store = world.store().await;
    put(&store, world.kit.db(), &spec, &[Row::new(1, 1, 1)], How::Files, true).await.expect("in");
    let mut stage = store.stage(&spec, "b").await.expect("stage").into_files().expect("files");
    super::with_fact(&Row::new(2, 1, 2), 1, |fact| stage.push(fact)).expect("pushed");
    let staged = stage.finish().expect("durable");
    // the process dies: nobody removes the file
    std::mem::forget(staged);

    let at = |days: i64| mj_testkit::NOW + days * DAY * 1_000_000;
    world.kit.clock.advance_seconds(DAY - 60);
    assert_eq!(store.sweep().await.expect("swept").orphans_moved, 0, "the lease holds");
    world.kit.clock.advance_seconds(DAY + 60);
    world.disk.set_time(at(2));
    assert_eq!(store.sweep().await.expect("swept").orphans_moved, 1);
    assert_eq!(store.verify(Depth::Digests).await.expect("looked"), vec![]);
    assert_eq!(world.disk.files().len(), 2);
    world.kit.clock.advance_seconds(7 * DAY);
    assert_eq!(store.sweep().await.expect("swept").orphans_removed, 1);
    assert_eq!(world.disk.files().len(), 1);
    assert_eq!(latest(&store, &spec).await.expect("read").len(), 1);
}
