//! Verification: fold the log, compare with every row, name what does not agree.
//!
//! Reads one snapshot of the database and the log's files, changes nothing, and trusts neither: row
//! digests are computed from the rows' content, leaves from the entries' bytes. What only a copy of an
//! old checkpoint can show (a log rewritten as a whole, with the node's own keys) it finds when such
//! a copy is handed in.
//!
//! [`run`] goes through one verification: what the database says of itself (`head`), which volumes
//! there must be (`pieces`), each of them entry by entry (`walk`, `entry`, `journal`), every row of every
//! table (`tables`, `form`), and the index of the pages of records (`look_up`). What the steps share is
//! [`Check`]. The fact store's files are compared by the crate that owns them; the report names which
//! entry last spoke of each.

mod entry;
mod form;
mod head;
mod journal;
mod look_up;
mod pieces;
mod tables;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use mj_kernel::Instant;
use mj_ledger::fold::{Fault, Fold, Kind};
use mj_ledger::volume::Damage;
use mj_ledger::{Checkpoint, Hash};

pub use form::BYTES;
pub use head::truth_tables;
pub(super) use journal::{is_erased, journal_digest, payload_of};
use look_up::LookUp;
use pieces::Before;

use super::files::LogReader;
use super::shelf::Shelf;
use crate::db::{Snapshot, Value};
use crate::error::Result;
use crate::gm;
use crate::gm::vault::SmProvider;

/// An entry may wait so long for its checkpoint.
const PATIENCE: Instant = 60_000_000;
const PAGE: usize = 1_000;
/// Rows of the fact store's manifest, one a file.
const SEGMENTS: &str = "fact_segment";
pub(super) const JOURNAL: &str = "act_journal";
/// What a finding about a volume as a whole is put under.
const VOLUME: &str = "volume";
/// Findings beyond this are counted, not listed: a table emptied by hand needs no million lines.
const LISTED: usize = 10_000;
/// What stands for the name of a row that has none.
const NAMELESS: &str = "-";

/// One thing that does not agree, and between which entries and instants it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub table: String,
    pub key: String,
    pub seqs: (u64, u64),
    pub between: (Instant, Instant),
}

/// What to verify, and against what.
#[derive(Default)]
pub struct Wanted {
    /// A checkpoint kept elsewhere, as text.
    pub outside: Option<String>,
    /// Only tables with at most so many rows; `None` is all.
    pub up_to: Option<i64>,
    /// Columns that tables gained after rows were written: table, column, what older rows hold there.
    pub added: Vec<(String, String, Value)>,
    /// The keys of the node, where they can be read: an entry that waits without its seal is named at once, and otherwise
    /// when it was not signed in time.
    pub keys: Option<Arc<dyn SmProvider>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// Findings that are not listed any more.
    pub more: u64,
    pub entries: u64,
    pub sealed: u64,
    pub tables: usize,
    pub rows: u64,
    pub oldest: Instant,
    pub newest: Instant,
    pub compared_outside: bool,
    /// The entry, and its instant, that last spoke of each segment of the fact store.
    pub segments: BTreeMap<String, (u64, Instant)>,
    /// Volumes of the log.
    pub volumes: u64,
    /// Damage that was decided about, as the opening entries say: no finding, and told each time.
    pub told: Vec<Told>,
}

/// What was lost with a frozen volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub volume: u64,
    /// The number of the entry after the last that is proved.
    pub proved: u64,
    pub damage: Damage,
    /// Rows that are not as the proved entries say; empty where only a part was compared.
    pub rows: Vec<String>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Verifies a store: `folder` is its log.
pub async fn run(snapshot: &mut Snapshot, folder: &Path, wanted: &Wanted) -> Result<Report> {
    let mut check = Check::new(folder, wanted);
    check.head(snapshot).await?;
    check.log(snapshot).await?;
    check.tables(snapshot).await?;
    check.lost().await?;
    check.look_up(snapshot).await?;
    Ok(check.done())
}

/// The state as the log says it up to the last good checkpoint of its newest volume, and with what can
/// still be read behind that.
pub(super) struct Known {
    pub(super) fold: Fold,
    pub(super) walked: Vec<(LogReader, u64)>,
    /// Entries that cannot be read any more.
    pub(super) lost: u64,
}

/// What is known where the newest volume is damaged and only `size` entries of it, under `root`, hold.
pub(super) async fn known(
    snapshot: &mut Snapshot,
    shelf: &Shelf,
    wanted: &Wanted,
    size: u64,
    root: Hash,
) -> Result<Known> {
    let mut check = Check::new(shelf.folder(), wanted);
    check.head(snapshot).await?;
    // what waited for a checkpoint of this volume has no place any more
    check.pending.clear();
    let mut pieces = check.pieces()?;
    if let Some(last) = pieces.last_mut() {
        let nothing = Damage { digest: [0; 32], entries: 0, lost: 0, rows: 0, signed: 0 };
        (last.proved, last.root, last.frozen) = (size, Some(root), Some(nothing));
        last.end = check.numbered.max(last.first + size);
        last.filed = last.end;
    }
    for piece in pieces {
        check.walk(snapshot, piece).await?;
    }
    let lost = check.before.map_or(0, |before| before.lost);
    Ok(Known { fold: check.fold, walked: check.walked, lost })
}

struct Check<'a> {
    shelf: Shelf,
    wanted: &'a Wanted,
    fold: Fold,
    /// Tables that are compared in this run.
    tables: BTreeSet<String>,
    /// Tables of business truth that the database has.
    listed: BTreeSet<String>,
    look_up: LookUp,
    /// Instants of the entries, by number.
    times: Vec<Instant>,
    /// Entries by number in the database, in the checkpoint, and what waits.
    numbered: u64,
    sealed: u64,
    pending: BTreeMap<u64, (String, Vec<u8>)>,
    /// What was found, with the entry from which on it may have happened.
    found: Vec<(Kind, String, String, u64)>,
    more: u64,
    /// Volumes that were walked, each with its number of bundles.
    walked: Vec<(LogReader, u64)>,
    before: Option<Before>,
    /// Entries past proof: their acts stand in the next volume's beginning.
    past: Vec<(u64, u64)>,
    outside: Option<Checkpoint>,
    /// The entry at hand stands behind the last good checkpoint of a frozen volume.
    is_past_proof: bool,
    /// Acts without a payload: right only if their erasure is in the log.
    erased: Vec<(String, u64)>,
    report: Report,
}

impl<'a> Check<'a> {
    fn new(folder: &Path, wanted: &'a Wanted) -> Self {
        Self {
            shelf: Shelf::new(folder),
            wanted,
            fold: Fold::new(gm::random()),
            tables: BTreeSet::new(),
            listed: BTreeSet::new(),
            look_up: LookUp::default(),
            times: Vec::new(),
            numbered: 0,
            sealed: 0,
            pending: BTreeMap::new(),
            found: Vec::new(),
            more: 0,
            walked: Vec::new(),
            before: None,
            past: Vec::new(),
            outside: None,
            is_past_proof: false,
            erased: Vec::new(),
            report: Report::default(),
        }
    }

    fn find(&mut self, kind: Kind, table: &str, key: impl Into<String>, from: u64) {
        if self.found.len() < LISTED {
            self.found.push((kind, table.to_owned(), key.into(), from));
        } else {
            self.more += 1;
        }
    }

    fn fault(&mut self, fault: Option<Fault>, table: &str, key: &str) {
        if let Some(fault) = fault {
            self.find(fault.kind, table, key, fault.seq.unwrap_or(0));
        }
    }

    fn newest(&self) -> Instant {
        self.times.iter().copied().max().unwrap_or(0)
    }

    fn done(self) -> Report {
        let newest = self.newest();
        let last = (self.times.len() as u64).saturating_sub(1);
        let at = |seq: u64| {
            usize::try_from(seq).ok().and_then(|seq| self.times.get(seq)).copied().unwrap_or(0)
        };
        let findings = self.found.iter().map(|(kind, table, key, from)| Finding {
            kind: *kind,
            table: table.clone(),
            key: key.clone(),
            seqs: (*from, last.max(*from)),
            between: (at(*from), newest),
        });
        Report {
            findings: findings.collect(),
            more: self.more,
            entries: self.times.len() as u64,
            sealed: self.sealed,
            tables: self.tables.len(),
            oldest: at(0),
            newest,
            ..self.report
        }
    }
}
