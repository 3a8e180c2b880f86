//! The store itself: tables in memory, the commit, and keeping memory in step with the database.
//!
//! A commit changes the index before its transaction ends and is remembered as *pending*. Whoever
//! looks next reads `fact_head`: if the pending commit is there it is confirmed, if another commit
//! holds its position it is taken back. Only one transaction at a time can be in a commit, because
//! each holds the lock on `fact_head` to its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use mj_kernel::Actor;
use mj_platform::{Act, Db, Lane, WriteTx, new_id};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::hash::KeyHasher;
use crate::index::{Index, MarkKind, Outcome, Storage, Undo};
use crate::manifest::{self, CommitEntry, Head};
use crate::model::{At, FactIn, Pos, Receipt, TableSpec};
use crate::rebuild;
use crate::snapshot::Snapshot;
use crate::stage::{NUMBERS, Stage, Staged};

/// How long a load may take before its files count as nobody's.
const LEASE_MICROS: i64 = 24 * 3600 * 1_000_000;
/// Loads longer than this settle off the async threads.
const SETTLE_INLINE: usize = 5_000;

pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) hasher: KeyHasher,
    spec: RwLock<Arc<TableSpec>>,
    index: RwLock<Index>,
    /// Records of which a commit that may still come to nothing raised the time.
    unconfirmed: Mutex<FxHashSet<u32>>,
    read_only: AtomicBool,
}

impl Table {
    // a panic elsewhere while holding the lock is a bug of its own; readers see positions, not halves
    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn unconfirmed(&self) -> MutexGuard<'_, FxHashSet<u32>> {
        self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn close_for_writing(&self) {
        self.read_only.store(true, Ordering::SeqCst);
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.read_only.load(Ordering::SeqCst) {
            return Err(Error::ReadOnly { table: self.name.clone() });
        }
        Ok(())
    }

    fn spec(&self) -> Arc<TableSpec> {
        self.spec.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A commit whose transaction may still come to nothing.
pub(crate) struct Pending {
    head: Head,
    table: Arc<Table>,
    /// `None`: the table is read anew instead.
    undo: Option<Undo>,
}

#[derive(Default)]
struct State {
    tables: FxHashMap<String, Arc<Table>>,
    confirmed: Head,
    pending: Vec<Pending>,
    /// Raised when another process moved the store and everything here was thrown away.
    generation: u64,
}

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) hasher: KeyHasher,
    node: String,
    state: Mutex<State>,
    loading: tokio::sync::Mutex<()>,
    pub(crate) upkeep: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FactStore").field("db", &self.db).finish_non_exhaustive()
    }
}

/// The fact store of one data directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FactStore {
    pub(crate) inner: Arc<Inner>,
}

impl FactStore {
    /// Opens the store on a migrated database and the folder of segments. Tables are read when they
    /// are first used: about a second for a million rows.
    pub async fn open(db: Db, disk: Arc<dyn Disk>) -> Result<Self> {
        let hash_key = manifest::open(&db, begin(&db, "facts.open").await?).await?;
        let confirmed = manifest::head(&db).await?;
        let inner = Inner {
            db,
            disk,
            hasher: KeyHasher::new(hash_key),
            node: new_id(),
            state: Mutex::new(State { confirmed, ..State::default() }),
            loading: tokio::sync::Mutex::new(()),
            upkeep: tokio::sync::Mutex::new(()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Begins a load. Rows are pushed and the stage finished off the async threads. Takes a
    /// transaction of its own: on SQLite, call it while holding none.
    pub async fn stage(&self, spec: &TableSpec, batch: &str) -> Result<Stage> {
        let head = manifest::head(&self.inner.db).await?;
        self.reconcile(&head, false);
        let table = self.table(spec).await?;
        table.check_writable()?;
        let registration = new_id();
        let mut tx = begin(&self.inner.db, "facts.stage").await?;
        let lease = tx.now() + LEASE_MICROS;
        let node = &self.inner.node;
        let first =
            manifest::begin_stage(&mut tx, &registration, &spec.name, batch, node, lease, NUMBERS)
                .await?;
        tx.commit().await?;
        let numbers = first..=first + NUMBERS - 1;
        let spec = table.spec();
        let inner = self.inner.clone();
        Ok(Stage::new(inner, table, spec, batch, head.pos, Some(registration), Some(numbers)))
    }

    /// Few rows at once, in the caller's transaction: they become hot rows.
    pub async fn append<V: AsRef<str>>(
        &self,
        spec: &TableSpec,
        batch: &str,
        rows: &[FactIn<'_, V>],
        tx: &mut WriteTx,
    ) -> Result<Receipt> {
        let staged = {
            let table = self.table(spec).await?;
            let spec = table.spec();
            let mut stage = Stage::new(self.inner.clone(), table, spec, batch, 0, None, None);
            for row in rows {
                stage.push(row)?;
            }
            stage.finish()?
        };
        self.commit(staged, tx).await
    }

    /// Settles a load against everything there is and enters it into the manifest, in the caller's
    /// transaction. Readers see it when that has committed; if it does not, nothing happened.
    pub async fn commit(&self, staged: Staged, tx: &mut WriteTx) -> Result<Receipt> {
        let (before, first_hot) = manifest::lock_head(tx).await?;
        if let Some(registration) = &staged.registration
            && !manifest::end_stage(tx, registration).await?
        {
            return Err(Error::StageLost { table: staged.spec.name.clone() });
        }
        self.reconcile(&before, true);
        let table = self.table(&staged.spec).await?;
        table.check_writable()?;
        let head = Head { pos: before.pos + 1, commit_id: new_id() };
        let Staged { spec, batch, load, storage, done, mut files, .. } = staged;
        let kind = if done.is_empty() { "append" } else { "load" };
        let storage = match storage {
            Storage::Hot { docs, .. } => Storage::Hot { first: first_hot, docs },
            segments => segments,
        };
        let outcome = {
            let (inner, table, head) = (self.inner.clone(), table.clone(), head.clone());
            let large = load.inputs.len() > SETTLE_INLINE;
            let settle = move || -> Result<Outcome> {
                let mut index = table.index_mut();
                let (outcome, undo) = index.settle(&table.name, &load, storage, head.pos)?;
                table.unconfirmed().extend(index.raised(&undo));
                drop(index);
                inner.state().pending.push(Pending {
                    head,
                    table: table.clone(),
                    undo: Some(undo),
                });
                Ok(outcome)
            };
            match large {
                true => {
                    let settled = blocking(move || {
                        let outcome = settle();
                        // what was staged is the largest thing there is, and nobody needs its room again soon
                        mj_platform::rest::rest();
                        outcome
                    });
                    settled.await?
                }
                false => settle()?,
            }
        };
        manifest::set_head(tx, &head.commit_id, outcome.hot_new.len()).await?;
        let hot = {
            let index = table.index();
            outcome.hot_new.iter().filter_map(|rid| manifest::hot_entry(&index, *rid)).collect()
        };
        let root = manifest::insert_hot(tx, &spec.name, hot).await?;
        let entry = CommitEntry {
            id: &head.commit_id,
            pos: head.pos,
            table: &spec.name,
            batch: &batch,
            kind,
            stored: outcome.stored,
            receipt: &outcome.receipt,
            root,
        };
        if let Some(files) = &mut files {
            // the manifest will name them: from here on only the sweep may take the files away
            files.keep();
        }
        manifest::insert_commit(tx, entry).await?;
        manifest::insert_segments(tx, &spec, head.pos, kind, &done).await?;
        self.insert_marks(tx, &spec.name, head.pos, &outcome).await?;
        Ok(outcome.receipt)
    }

    async fn insert_marks(
        &self,
        tx: &mut WriteTx,
        table: &str,
        pos: u64,
        outcome: &Outcome,
    ) -> Result<()> {
        let marks = outcome.marks.iter().map(|((segment, kind), rows): (&(u32, MarkKind), _)| {
            (*segment, pos, *kind, &rows[..])
        });
        manifest::insert_marks(tx, table, marks).await?;
        manifest::hot_died(tx, pos, &outcome.hot_dead).await?;
        for hidden in [true, false] {
            let rids: Vec<u32> = outcome
                .hot_flips
                .iter()
                .filter(|(_, hide)| *hide == hidden)
                .map(|(rid, _)| *rid)
                .collect();
            manifest::hot_flipped(tx, pos, &rids, hidden).await?;
        }
        manifest::hot_seen(tx, &outcome.hot_seen).await
    }

    /// A state of one table to read from.
    pub async fn snapshot(&self, spec: &TableSpec, at: At) -> Result<Snapshot> {
        let head = manifest::head(&self.inner.db).await?;
        self.reconcile(&head, false);
        let table = self.table(spec).await?;
        let pos = match at {
            At::Latest => Pos(head.pos),
            At::Pos(pos) => pos.min(Pos(head.pos)),
        };
        Ok(Snapshot::new(table, Arc::new(spec.clone()), pos))
    }

    /// The last committed position.
    pub async fn head(&self) -> Result<Pos> {
        Ok(Pos(manifest::head(&self.inner.db).await?.pos))
    }

    /// Reads the tables into memory now rather than at first use.
    pub async fn warm(&self, specs: &[TableSpec]) -> Result<()> {
        for spec in specs {
            self.table(spec).await?;
        }
        Ok(())
    }

    /// About how much memory the indexes hold.
    pub fn memory_bytes(&self) -> usize {
        let tables: Vec<_> = self.inner.state().tables.values().cloned().collect();
        tables.iter().map(|table| table.index().bytes()).sum()
    }

    /// Brings memory in step with `head`. `locked`: the caller holds the lock on it, so whatever is
    /// pending behind it was rolled back.
    pub(crate) fn reconcile(&self, head: &Head, locked: bool) {
        let mut state = self.inner.state();
        let known = if *head == state.confirmed {
            Some(0)
        } else {
            let found = state.pending.iter().position(|pending| pending.head == *head);
            found.map(|found| found + 1)
        };
        match known {
            Some(confirmed) => {
                state.confirmed = head.clone();
                let settled: Vec<_> = state.pending.drain(..confirmed).collect();
                if locked {
                    for pending in std::mem::take(&mut state.pending).into_iter().rev() {
                        pending.table.unconfirmed().clear();
                        match pending.undo {
                            Some(undo) => pending.table.index_mut().undo(undo),
                            None => {
                                state.tables.remove(&pending.table.name);
                            }
                        }
                    }
                }
                for Pending { table, .. } in settled {
                    if !state.pending.iter().any(|pending| pending.table.name == table.name) {
                        table.unconfirmed().clear();
                    }
                }
            }
            // somebody read the head a moment ago and it has moved since
            None if !locked && head.pos < state.confirmed.pos => {}
            None => {
                state.confirmed = head.clone();
                state.pending.clear();
                state.tables.clear();
                state.generation += 1;
            }
        }
    }

    pub(crate) fn push_pending(&self, head: Head, table: Arc<Table>) {
        self.inner.state().pending.push(Pending { head, table, undo: None });
    }

    /// The table in memory, read from the manifest and its files if it is not there yet.
    pub(crate) async fn table(&self, spec: &TableSpec) -> Result<Arc<Table>> {
        check_spec(spec)?;
        if let Some(table) = self.known(spec) {
            return Ok(table);
        }
        let _one_at_a_time = self.inner.loading.lock().await;
        loop {
            if let Some(table) = self.known(spec) {
                return Ok(table);
            }
            let generation = self.inner.state().generation;
            let entries = manifest::table(&self.inner.db, &spec.name).await?;
            let (inner, of) = (self.inner.clone(), spec.clone());
            let index =
                blocking(move || rebuild::index(&*inner.disk, &of, inner.hasher, entries)).await?;
            let mut state = self.inner.state();
            if state.generation == generation {
                let table = Arc::new(Table {
                    name: spec.name.clone(),
                    hasher: self.inner.hasher,
                    spec: RwLock::new(Arc::new(spec.clone())),
                    index: RwLock::new(index),
                    unconfirmed: Mutex::default(),
                    read_only: AtomicBool::new(false),
                });
                state.tables.insert(spec.name.clone(), table);
            }
        }
    }

    fn known(&self, spec: &TableSpec) -> Option<Arc<Table>> {
        let table = self.inner.state().tables.get(&spec.name)?.clone();
        let mut known = table.spec.write().unwrap_or_else(PoisonError::into_inner);
        if **known != *spec {
            *known = Arc::new(spec.clone());
        }
        drop(known);
        Some(table)
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn begin(db: &Db, action: &'static str) -> Result<WriteTx> {
    Ok(db.begin(Lane::Bulk, Act::new(&Actor::system("facts"), action, "facts")).await?)
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Error::Manifest("后台线程中断".into())),
    }
}

/// Names become folders and Parquet columns.
fn check_spec(spec: &TableSpec) -> Result<()> {
    let plain = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let own =
        |name: &str| name.starts_with('_') || ["cd_source", "cd_id", "cd_time"].contains(&name);
    if !plain(&spec.name) {
        return Err(Error::Manifest(format!("表名 {} 不能用作目录", spec.name)));
    }
    if let Some(column) = spec.columns.iter().find(|c| !plain(&c.name) || own(&c.name)) {
        return Err(Error::Manifest(format!("表 {} 的列名 {} 不可用", spec.name, column.name)));
    }
    Ok(())
}
