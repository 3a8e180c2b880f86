//! Stories and properties of the whole store, each on the database under test.

mod crash;
mod naive;
mod sim;
mod speed;
mod stories;

use std::collections::BTreeMap;
use std::sync::Arc;

use mj_kernel::{DataLevel, Scope};
use mj_platform::Db;
use mj_testkit::TestDb;

use crate::disk::{Disk, RealDisk};
use crate::{
    At, ColumnKind, ColumnSpec, Columns, FactIn, FactStore, Filter, Op, Receipt, Result, Snapshot,
    TableSpec,
};

pub(super) fn spec(name: &str) -> TableSpec {
    TableSpec {
        name: name.into(),
        standard_version: "1.0".into(),
        columns: vec![
            ColumnSpec::text("title"),
            ColumnSpec::new("fine", ColumnKind::Int),
            ColumnSpec::new("check_date", ColumnKind::Date),
            ColumnSpec::text("note").distinct(),
        ],
    }
}

pub(super) fn everything() -> Scope {
    Scope::everything(DataLevel::Personal)
}

/// A row of the tests: what it says follows from `content`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) source: u8,
    pub(super) id: u8,
    pub(super) time: i64,
    pub(super) content: u8,
    pub(super) business: Option<u8>,
    pub(super) delete: bool,
}

impl Row {
    pub(super) fn new(id: u8, time: i64, content: u8) -> Self {
        Self { source: 1, id, time, content, business: None, delete: false }
    }

    pub(super) fn twin_of(mut self, business: u8) -> Self {
        self.business = Some(business);
        self
    }

    pub(super) fn deleted(mut self) -> Self {
        self.delete = true;
        self
    }

    pub(super) fn key(&self) -> (String, String) {
        (format!("S{}", self.source), format!("{:03}", self.id))
    }

    /// Canonical and other forms, so that both ways of storing are met.
    pub(super) fn values(&self) -> Vec<Option<String>> {
        let n = self.content;
        vec![
            Some(format!("检查 {n}")),
            (!n.is_multiple_of(5))
                .then(|| if n.is_multiple_of(3) { format!("0{n}") } else { n.to_string() }),
            (!n.is_multiple_of(4)).then(|| match n % 3 {
                0 => format!("2026/1/{n}"),
                _ => format!("2026-01-{:02}", n % 28 + 1),
            }),
            n.is_multiple_of(2).then(|| "滕州市\"x\"\n".repeat(usize::from(n) % 3)),
        ]
    }
}

/// Calls `f` with the row as the store wants it.
pub(super) fn with_fact<T>(row: &Row, number: u32, f: impl FnOnce(&FactIn<'_, String>) -> T) -> T {
    let (cd_source, cd_id) = row.key();
    let values = row.values();
    let business = row.business.map(|b| format!("B{b}"));
    f(&FactIn {
        cd_source: &cd_source,
        cd_id: &cd_id,
        cd_time: row.time,
        op: if row.delete { Op::Delete } else { Op::Upsert },
        mention: (!row.content.is_multiple_of(3)).then_some(i64::from(row.content % 4)),
        business_key: business.as_deref(),
        content: u128::from(row.content) << 40,
        area: Some(if row.content.is_multiple_of(2) { "370402" } else { "370481" }),
        agency: (row.content % 5 != 1).then_some("11370400MB2843900X"),
        event_date: (!row.content.is_multiple_of(7)).then(|| 20_000 + i32::from(row.content)),
        values: &values,
        norm: row.content.is_multiple_of(4).then_some("{\"title\":\"ｘ\"}"),
        row: number,
    })
}

pub(super) type Seen = BTreeMap<(String, String), Vec<Option<String>>>;

/// What a reader sees.
pub(super) fn seen(snapshot: &Snapshot) -> Result<Seen> {
    let mut seen = Seen::new();
    snapshot.scan(Columns::All, &Filter::default(), &everything(), &mut |view| {
        let row = view.to_row();
        let again = seen.insert((row.cd_source, row.cd_id), row.values);
        assert!(again.is_none(), "a record is seen once");
        Ok(())
    })?;
    assert_eq!(snapshot.count(&everything()), seen.len() as u64);
    Ok(seen)
}

pub(super) async fn latest(store: &FactStore, spec: &TableSpec) -> Result<Seen> {
    seen(&store.snapshot(spec, At::Latest).await?)
}

pub(super) struct Store {
    pub(super) kit: TestDb,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) store: FactStore,
}

impl Store {
    pub(super) async fn new() -> Self {
        let kit = TestDb::new().await;
        let disk: Arc<dyn Disk> =
            Arc::new(RealDisk::new(kit.folder.path().join("segments")).expect("a folder"));
        let store = FactStore::open(kit.db().clone(), disk.clone()).await.expect("opens");
        Self { kit, disk, store }
    }

    /// As after a restart.
    pub(super) async fn reopen(&mut self) {
        let db = self.kit.db().clone();
        self.store = FactStore::open(db, self.disk.clone()).await.expect("opens again");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Hot,
    Files,
}

/// Puts rows in; `keep` = false lets the transaction come to nothing.
pub(super) async fn put(
    store: &FactStore,
    db: &Db,
    spec: &TableSpec,
    rows: &[Row],
    how: How,
    keep: bool,
) -> Result<Receipt> {
    let mut stage = store.stage(spec, "batch-1").await?;
    if how == How::Files {
        stage = stage.into_files()?;
    }
    for (number, row) in rows.iter().enumerate() {
        with_fact(row, number as u32 + 1, |fact| stage.push(fact))?;
    }
    let staged = stage.finish()?;
    let mut tx = crate::store::begin(db, "test.load").await?;
    let receipt = store.commit(staged, &mut tx).await?;
    if keep {
        tx.commit().await?;
    }
    Ok(receipt)
}
