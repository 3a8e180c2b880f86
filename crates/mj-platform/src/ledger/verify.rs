//! Verification: fold the log, compare with every row, name what does not agree.
//!
//! Reads one snapshot of the database and the log's files, changes nothing, and trusts neither: row
//! digests are computed from the rows' content, leaves from the entries' bytes. What only a copy of an
//! old checkpoint can show (a log rewritten as a whole, with the node's own keys) it finds when such
//! a copy is handed in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use crate::DbRow;
use mj_kernel::Instant;
use mj_ledger::entry::Payload;
use mj_ledger::fold::{Fault, Fold, Kind};
use mj_ledger::tree::{self, Frontier};
use mj_ledger::volume::{self, Cause, Damage};
use mj_ledger::{Checkpoint, Entry, Hash, Note, Opening, VerifierKey, sheet, tiles};

use super::erase::PAYLOAD_ERASURE;
use super::files::LogReader;
use super::founding::FOUND;
use super::retold::Retold;
use super::shelf::{self, Shelf};
use super::{CHECKPOINT, KEY, book, number, touch};
use crate::db::door::Canon;
use crate::db::{Db, Dialect, RowExt, Snapshot, Value};
use crate::error::{Error, Result};
use crate::gm::{self, sign};

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

/// One thing that does not agree, and between which entries and instants it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub table: String,
    pub key: String,
    pub seqs: (u64, u64),
    pub between: (Instant, Instant),
}

/// What stands for the name of a row that has none.
const NAMELESS: &str = "-";

/// Rows of a table, how many were asked for, and the name of the last of these.
struct Page {
    rows: Vec<DbRow>,
    size: usize,
    end: String,
}

/// SQLite takes anything for a name; what is no text is told by itself.
fn named(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => " AND id < x''",
        Dialect::Postgres => "",
    }
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

/// Tables of business truth, as the database itself lists them.
pub async fn truth_tables(db: &Db) -> Result<Vec<String>> {
    let rows = db.fetch_all(truth_sql(db.dialect()), &[]).await?;
    rows.iter().map(|row| row.text("name")).collect()
}

fn truth_sql(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND c.name = 'row_digest' ORDER BY m.name"
        }
        Dialect::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.columns \
             WHERE table_schema = current_schema() AND column_name = 'row_digest' ORDER BY 1"
        }
    }
}

/// Who, what and why of a journalled act.
pub(super) fn payload_of(row: &DbRow) -> Result<Payload> {
    Ok(Payload {
        actor: row.text("actor")?,
        object: row.text("object")?,
        reason: row.opt_text("reason")?,
        request_id: row.text("request_id")?,
    })
}

/// The digest of an act journalled before the log began, as the founding entry holds it.
pub(super) fn journal_digest(row: &DbRow, salt: &[u8]) -> Result<Hash> {
    let mut hash = gm::Sm3::new();
    hash.update(salt);
    hash.update(&payload_of(row)?.digest(salt));
    for column in ["id", "action", "lines"] {
        let text = row.text(column)?;
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    for column in ["seq", "at", "changes"] {
        hash.update(&row.int(column)?.to_be_bytes());
    }
    hash.update(&row.bytes("sheet_sm3")?);
    Ok(hash.finish())
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

/// A volume as it is to be walked.
struct Piece {
    number: u64,
    /// Platform-wide numbers of its first entry and after its last.
    first: u64,
    end: u64,
    /// Entries that a checkpoint proves, and the root over them.
    proved: u64,
    root: Option<Hash>,
    /// Everything up to here lies in files; what follows waits.
    filed: u64,
    /// It was frozen with this damage.
    frozen: Option<Damage>,
    reader: LogReader,
}

/// The volume that was walked last.
struct Before {
    number: u64,
    frozen: Option<Damage>,
    proved: u64,
    /// Entries past proof, and those of them that cannot be read.
    past: u64,
    lost: u64,
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

    /// What the database says of itself, and which tables there are.
    async fn head(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        let head = snapshot.fetch_all("SELECT entries FROM change_head WHERE id = 1", &[]).await?;
        let head = head.first().ok_or_else(|| Error::Corrupt("change_head 没有首行".into()))?;
        self.numbered = u64::try_from(head.int("entries")?).unwrap_or(0);
        for row in snapshot
            .fetch_all("SELECT seq, entry, sheet FROM log_pending ORDER BY seq", &[])
            .await?
        {
            let seq = u64::try_from(row.int("seq")?).unwrap_or(0);
            self.pending.insert(seq, (row.text("entry")?, row.bytes("sheet")?));
        }
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for row in snapshot.fetch_all("SELECT table_name, row_count FROM truth_count", &[]).await? {
            counts.insert(row.text("table_name")?, row.int("row_count")?);
        }
        let sql = truth_sql(snapshot.dialect());
        for row in snapshot.fetch_all(sql, &[]).await? {
            let table = row.text("name")?;
            let small = self
                .wanted
                .up_to
                .is_none_or(|most| counts.get(&table).copied().unwrap_or(0) <= most);
            if small {
                self.tables.insert(table.clone());
            }
            self.listed.insert(table);
        }
        if self.wanted.up_to.is_none() {
            self.look_up.reached = touch::reached_in(snapshot).await?;
        }
        self.tables.insert(JOURNAL.to_owned());
        self.tables.insert(PAYLOAD_ERASURE.name.to_owned());
        Ok(())
    }

    /// Whether rows of this table are compared. One that the log speaks of and the database does not list
    /// (dropped, renamed, hidden behind a view or from this role) is: all its rows are missing.
    fn compares(&self, table: &str) -> bool {
        !self.listed.contains(table) || self.tables.contains(table)
    }

    /// The log itself, volume by volume: bytes, tree, signature, sheets, journal; and the fold on the
    /// way.
    async fn log(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        self.outside = self.outside_checkpoint();
        let pieces = self.pieces()?;
        self.report.volumes = pieces.len() as u64;
        if let Some(last) = pieces.last() {
            self.sealed = last.first + last.proved;
        }
        if self.sealed > self.numbered {
            self.find(Kind::Gap, "change_head", self.sealed.to_string(), self.numbered);
        }
        for piece in pieces {
            self.walk(snapshot, piece).await?;
        }
        if let Some(outside) = self.outside.take() {
            // of a volume that is not there
            self.find(Kind::Gap, CHECKPOINT, outside.size.to_string(), self.sealed);
        }
        self.strays(snapshot).await
    }

    /// The volumes there are, and what each must hold as the one after it says.
    fn pieces(&mut self) -> Result<Vec<Piece>> {
        let closed = self.shelf.closed()?;
        let last = closed.last().copied().unwrap_or(0);
        let waits = self.pending.values().find_map(|(entry, _)| super::opens(entry));
        let waits =
            waits.map(|(seq, opening)| (volume::split(&opening.origin).1 + 1, seq, opening));
        let named = self.shelf.named()?;
        let mut newest = named.unwrap_or(last + 1).max(last + 1);
        if let Some((opened, _, _)) = &waits
            && *opened == newest + 1
        {
            newest += 1;
        }
        let mut pieces: Vec<Piece> = Vec::new();
        let mut log: Option<String> = None;
        // what each volume's first entry says of the one before
        let head = |number: u64| -> Result<Option<(u64, Opening)>> {
            match &waits {
                Some((opened, seq, opening)) if *opened == number => {
                    Ok(Some((*seq, opening.clone())))
                }
                _ if number > newest || number > last + 1 && named != Some(number) => Ok(None),
                _ => self.shelf.opening_after(number - 1),
            }
        };
        let mut found: Vec<(Kind, &str, String, u64)> = Vec::new();
        for number in 1..=newest {
            let waiting = waits.as_ref().is_some_and(|(opened, _, _)| *opened == number)
                && named != Some(number);
            // what lies in the log's own folder is the newest, whatever is left of it
            let is_own = named == Some(number) || number == last + 1;
            let is_there = waiting || is_own || closed.contains(&number);
            let end = pieces.last().map_or(0, |piece: &Piece| piece.end);
            let own = if number == 1 { None } else { head(number)? };
            let next = head(number + 1)?;
            let first = match (&own, &next) {
                (Some((seq, _)), _) => *seq,
                (None, Some((_, opening))) => opening.first,
                (None, None) => end,
            };
            if !is_there {
                // the first of a log that has nothing signed yet is not missing
                if number > 1 || !closed.is_empty() || named.is_some() {
                    found.push((Kind::Gap, VOLUME, number.to_string(), end));
                    continue;
                }
            }
            let is_frozen = |after: &Option<(u64, Opening)>| {
                after.as_ref().is_some_and(|(_, opening)| opening.cause == Cause::Freeze)
            };
            let frozen = is_frozen(&next);
            // the first entry itself may be what was damaged
            if number > 1 && own.is_none() && !frozen {
                found.push((Kind::Log, VOLUME, number.to_string(), first));
            }
            let reader = match waiting {
                true => LogReader::new(self.shelf.place(number)),
                false => self.shelf.reader(number),
            };
            let signed = match shelf::signed(&reader) {
                Ok(signed) => signed.map(|(_, checkpoint, _)| checkpoint),
                Err(error) => {
                    if !frozen {
                        found.push((Kind::Log, CHECKPOINT, error.to_string(), first));
                    }
                    None
                }
            };
            let is_lost = signed.is_none() && number == last + 1 && number > 1;
            if is_lost && !waiting && !frozen && named.is_none() {
                found.push((Kind::Gap, CHECKPOINT, number.to_string(), first));
            }
            if let Some(checkpoint) = signed.as_ref().filter(|_| !frozen) {
                let (of, which) = volume::split(&checkpoint.origin);
                if which != number || log.get_or_insert_with(|| of.clone()) != &of {
                    found.push((Kind::Log, VOLUME, number.to_string(), first));
                }
            }
            let size = signed.as_ref().map_or(0, |checkpoint| checkpoint.size);
            let is_last = number == newest;
            let mut piece = Piece {
                number,
                first,
                end: if is_last { self.numbered.max(first + size) } else { first + size },
                proved: size,
                root: signed.as_ref().map(|checkpoint| checkpoint.root),
                filed: first + size,
                frozen: None,
                reader,
            };
            if let Some((seq, opening)) = next {
                let (of, which) = volume::split(&opening.origin);
                let known = log.get_or_insert_with(|| of.clone()) == &of && which == number;
                let by_year = opening.cause == Cause::Year
                    && opening.damage.is_none()
                    && seq == first + opening.size
                    && size == opening.size
                    && piece.root == Some(opening.root);
                let by_freeze = opening.cause == Cause::Freeze
                    && opening.damage.as_ref().is_some_and(|damage| {
                        first + opening.size + damage.entries == seq
                            && damage.lost <= damage.entries
                    });
                if !known || opening.first != first || !(by_year || by_freeze) {
                    found.push((Kind::Log, VOLUME, number.to_string(), first));
                }
                piece.end = seq.max(first);
                piece.filed = piece.end;
                piece.proved = opening.size;
                piece.root = Some(opening.root);
                piece.frozen = opening.damage.filter(|_| opening.cause == Cause::Freeze);
            } else if !is_last && !is_frozen(&head(number + 2)?) {
                found.push((Kind::Gap, VOLUME, (number + 1).to_string(), piece.end));
            }
            pieces.push(piece);
        }
        found.dedup();
        for (kind, table, key, from) in found {
            self.find(kind, table, key, from);
        }
        Ok(pieces)
    }

    /// One volume. Gives nothing: what it found stands in `self`.
    async fn walk(&mut self, snapshot: &mut Snapshot, piece: Piece) -> Result<()> {
        let Piece { number: nth, first, end, proved, root, filed, frozen, reader } = piece;
        let outside = self.outside.take_if(|outside| volume::split(&outside.origin).1 == nth);
        let mut outside_root = None;
        let mut frontier = Frontier::new();
        let mut lost = 0;
        let last = self.times.last().copied().unwrap_or(0);
        while (self.times.len() as u64) < first {
            self.times.push(last);
        }
        if (self.times.len() as u64) > first {
            self.find(Kind::Log, VOLUME, nth.to_string(), first);
            self.times.truncate(usize::try_from(first).unwrap_or(usize::MAX));
        }
        let mut seq = first;
        while seq < end {
            let bundle = (seq - first) / tiles::WIDTH;
            let entries = reader.bundle(bundle)?;
            let mut sheets = reader.sheets(bundle)?;
            let tile = tiles::Tiles::tile(&reader, 0, bundle).ok();
            let until = end.min(first + (bundle + 1) * tiles::WIDTH);
            let mut journal = self.journal(snapshot, seq, until).await?;
            for place in 0..usize::try_from(tiles::WIDTH).unwrap_or(0) {
                if seq == end {
                    break;
                }
                let index = seq - first;
                if outside.as_ref().is_some_and(|outside| outside.size == index) {
                    outside_root = Some(frontier.root());
                }
                let stored = sheets.next_stored()?;
                let (entry, sheet) = if seq < filed {
                    (entries.get(place).cloned(), stored)
                } else {
                    match self.pending.remove(&seq) {
                        Some((entry, sheet)) => (Some(entry.into_bytes()), Some(sheet)),
                        // sealed after the checkpoint was read, before the snapshot
                        None => (entries.get(place).cloned(), stored),
                    }
                };
                let act = journal.remove(&seq);
                let opens = (index == 0 && nth > 1).then_some(nth);
                if index >= proved && frozen.is_some() {
                    // nothing proves it, but it is what was written: its tile says so
                    let tiled = tile.as_ref().and_then(|tile| tile.get(place)).copied();
                    let is_written = tiled.is_some() && tiled == entry.as_deref().map(tree::leaf);
                    if is_written && intact(seq, entry.as_deref(), sheet.as_deref()) {
                        self.is_past_proof = true;
                        self.entry(seq, entry.as_deref(), sheet.as_deref(), act, opens)?;
                        self.is_past_proof = false;
                    } else {
                        lost += 1;
                        self.look_up.unreadable.insert(seq);
                        self.times.push(self.times.last().copied().unwrap_or(0));
                    }
                    seq += 1;
                    continue;
                }
                if let Some(bytes) = &entry
                    && index < proved
                {
                    let leaf = tree::leaf(bytes);
                    let tiled = tile.as_ref().and_then(|tile| tile.get(place)).copied();
                    // of a frozen volume the tiles may be what was damaged
                    if tiled != Some(leaf) && frozen.is_none() {
                        self.find(Kind::Log, "entries", seq.to_string(), seq);
                    }
                    frontier.push(leaf);
                }
                self.entry(seq, entry.as_deref(), sheet.as_deref(), act, opens)?;
                seq += 1;
            }
        }
        if frontier.size() != proved || root.is_some_and(|root| frontier.root() != root) {
            self.find(Kind::Log, CHECKPOINT, proved.to_string(), first);
        }
        // proofs alone stand on these; the comparison every few minutes leaves them out
        let whole = self.wanted.up_to.is_none();
        if whole && frozen.is_none() && !shelf::upper_tiles_hold(&reader, proved) {
            self.find(Kind::Log, "entries", "tile/1", first);
        }
        if let Some(outside) = outside {
            let root =
                if outside.size == frontier.size() { Some(frontier.root()) } else { outside_root };
            let given_up = frozen.as_ref().is_some_and(|damage| outside.size <= damage.signed);
            if outside.size > proved {
                if !given_up {
                    self.find(Kind::Gap, CHECKPOINT, outside.size.to_string(), first + proved);
                }
            } else if root != Some(outside.root) {
                self.find(Kind::Log, CHECKPOINT, outside.size.to_string(), first);
            }
        }
        if frozen.is_some() {
            self.past.push((first + proved, end));
        }
        let past = end.saturating_sub(first + proved);
        self.walked.push((reader, (end - first).div_ceil(tiles::WIDTH)));
        self.before = Some(Before { number: nth, frozen, proved: first + proved, past, lost });
        Ok(())
    }

    /// The checkpoint kept elsewhere; what cannot be this log's is a finding, for a log whose key was
    /// exchanged looks just so.
    fn outside_checkpoint(&mut self) -> Option<Checkpoint> {
        let text = self.wanted.outside.as_deref()?;
        self.report.compared_outside = true;
        let own = LogReader::new(self.shelf.folder());
        let key = own.text(KEY).ok().flatten().and_then(|text| VerifierKey::parse(&text).ok());
        let checked = match key {
            // kept before the log got another key, it carries the old one's signature
            Some(key) => {
                let origin = text.lines().next().unwrap_or_default();
                let open = |key: &VerifierKey| {
                    Checkpoint::open(text, &key.of_volume(origin), &sign::verify)
                };
                let older = super::old_keys(&own).unwrap_or_default();
                older.iter().fold(open(&key), |opened, other| opened.or(open(other)))
            }
            None => Note::parse(text).and_then(|note| Checkpoint::parse(&note.text)),
        };
        match checked {
            Ok(checkpoint) => Some(checkpoint),
            Err(error) => {
                self.find(Kind::Log, CHECKPOINT, error.to_string(), 0);
                None
            }
        }
    }

    /// The journal's rows of one bundle.
    async fn journal(
        &mut self,
        snapshot: &mut Snapshot,
        from: u64,
        until: u64,
    ) -> Result<BTreeMap<u64, DbRow>> {
        let sql = "SELECT * FROM act_journal WHERE log_seq >= $1 AND log_seq < $2 ORDER BY log_seq";
        let rows = match snapshot.fetch_all(sql, &[number(from).into(), number(until).into()]).await
        {
            Ok(rows) => rows,
            // of a row that cannot be read at all the others are told apart
            Err(_) => {
                let mut readable = Vec::new();
                for seq in from..until {
                    let args = [number(seq).into(), number(seq + 1).into()];
                    readable.extend(snapshot.fetch_all(sql, &args).await.unwrap_or_default());
                }
                readable
            }
        };
        let mut journal = BTreeMap::new();
        for row in rows {
            let seq = u64::try_from(row.int("log_seq")?).unwrap_or(0);
            if let Some(twin) = journal.insert(seq, row) {
                let id = twin.text("id").unwrap_or_else(|_| NAMELESS.to_owned());
                self.find(Kind::Extra, JOURNAL, id, seq);
            }
        }
        Ok(journal)
    }

    fn entry(
        &mut self,
        seq: u64,
        bytes: Option<&[u8]>,
        stored: Option<&[u8]>,
        act: Option<DbRow>,
        opens: Option<u64>,
    ) -> Result<()> {
        let last = self.times.last().copied().unwrap_or(0);
        let Some(bytes) = bytes else {
            self.look_up.unreadable.insert(seq);
            self.find(Kind::Gap, "entries", seq.to_string(), seq);
            self.times.push(last);
            return Ok(());
        };
        let Ok(entry) = Entry::parse(bytes) else {
            self.look_up.unreadable.insert(seq);
            self.find(Kind::Log, "entries", seq.to_string(), seq);
            self.times.push(last);
            return Ok(());
        };
        self.times.push(entry.time);
        if entry.seq != seq || entry.opens.is_some() != opens.is_some() {
            self.find(Kind::Log, "entries", seq.to_string(), seq);
        }
        let text = stored.and_then(|stored| book::unpack(stored).ok());
        let honest = text.as_deref().is_some_and(|text| {
            sheet::root(text) == entry.sheet && text.lines().count() as i64 == entry.changes.rows
        });
        if !honest {
            self.find(Kind::Log, "sheets", seq.to_string(), seq);
        }
        self.act(&entry, text.as_deref(), act)?;
        if let Some(nth) = opens {
            self.look_up.hear(&entry, text.as_deref());
            return self.retell(nth, &entry, text.as_deref().unwrap_or_default());
        }
        self.look_up.hear(&entry, text.as_deref());
        let founding = entry.action == FOUND;
        for line in sheet::lines(text.as_deref().unwrap_or_default()) {
            let Ok(line) = line else {
                self.find(Kind::Log, "sheets", seq.to_string(), seq);
                break;
            };
            if !self.compares(line.table) {
                continue;
            }
            if line.table == SEGMENTS {
                self.report.segments.insert(line.key.to_owned(), (seq, entry.time));
            }
            let fault = self.fold.line(seq, line, founding);
            // past proof a row may go on from a version that is lost; where that led is in the list
            self.fault(fault.filter(|_| !self.is_past_proof), line.table, line.key);
        }
        Ok(())
    }

    /// The state as the first entry of a volume says it anew, against what was known.
    fn retell(&mut self, nth: u64, entry: &Entry, text: &str) -> Result<()> {
        let (tables, listed) = (&self.tables, &self.listed);
        let mut retold = Retold::new(&mut self.fold, entry.seq);
        for line in sheet::lines(text).flatten() {
            if listed.contains(line.table) && !tables.contains(line.table) {
                continue;
            }
            if line.table == SEGMENTS {
                let told = (entry.seq, entry.time);
                self.report.segments.entry(line.key.to_owned()).or_insert(told);
            }
            retold.line(line);
        }
        let walked: Vec<(&LogReader, u64)> =
            self.walked.iter().map(|(reader, bundles)| (reader, *bundles)).collect();
        let mut otherwise = retold.done(&walked)?;
        otherwise.retain(|one| !is_erased(&self.fold, &one.table, &one.key));
        // after a volume that is missing nothing is known, and that was said
        let before = self.before.take().filter(|before| before.number + 1 == nth);
        let Some(before) = before else { return Ok(()) };
        if let Some(damage) = before.frozen {
            let is_part = self.wanted.up_to.is_some();
            let mut rows: Vec<String> = otherwise.iter().map(|one| one.line.clone()).collect();
            let same = is_part
                || damage.rows == rows.len() as u64
                    && damage.digest == Damage::digest_of(&rows)
                    && (damage.entries, damage.lost) == (before.past, before.lost);
            if is_part {
                rows.clear();
            }
            if same {
                let (volume, proved) = (before.number, before.proved);
                self.report.told.push(Told { volume, proved, damage, rows });
                return Ok(());
            }
            self.find(Kind::Log, VOLUME, before.number.to_string(), before.proved);
        }
        for one in otherwise {
            self.fault(Some(one.fault), &one.table, &one.key);
        }
        Ok(())
    }

    /// The journal's row against the entry that commits to it.
    fn act(&mut self, entry: &Entry, text: Option<&str>, act: Option<DbRow>) -> Result<()> {
        let Some(act) = act else {
            self.find(Kind::Missing, JOURNAL, &*entry.payload.id, entry.seq);
            return Ok(());
        };
        // a value of another kind is a change as well
        if !self.is_act(entry, text, &act).unwrap_or(false) {
            self.find(Kind::Changed, JOURNAL, &*entry.payload.id, entry.seq);
        }
        Ok(())
    }

    fn is_act(&mut self, entry: &Entry, text: Option<&str>, act: &DbRow) -> Result<bool> {
        let lines = act.text("lines")?;
        let payload = payload_of(act)?;
        let told = match act.opt_bytes("salt")? {
            Some(salt) => payload.digest(&salt) == entry.payload.digest,
            None => {
                self.erased.push((act.text("id")?, entry.seq));
                payload == Payload::default()
            }
        };
        Ok(told
            && act.text("id")? == entry.payload.id
            && act.text("action")? == entry.action
            && act.int("at")? == entry.time
            && act.int("seq")? == entry.changes.last
            && act.int("changes")? == entry.changes.rows
            && act.bytes("sheet_sm3")? == entry.sheet
            && text.is_none_or(|text| text.starts_with(&lines)))
    }

    /// Acts and waiting entries that the numbering does not know.
    async fn strays(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        for (id, seq) in std::mem::take(&mut self.erased) {
            if !self.fold.holds(PAYLOAD_ERASURE.name, &id) {
                self.find(Kind::Changed, JOURNAL, id, seq);
            }
        }
        let end = self.times.len() as u64;
        let sql = "SELECT id FROM act_journal WHERE log_seq >= $1 OR log_seq < 0 ORDER BY log_seq";
        for row in snapshot.fetch_all(sql, &[number(end).into()]).await? {
            let id = row.text("id").unwrap_or_else(|_| NAMELESS.to_owned());
            self.find(Kind::Extra, JOURNAL, id, end);
        }
        self.nameless(snapshot, JOURNAL).await?;
        let newest = self.newest();
        for seq in self.sealed..end {
            let at = usize::try_from(seq).ok().and_then(|seq| self.times.get(seq)).copied();
            if at.is_some_and(|at| at < newest - PATIENCE) {
                self.find(Kind::Gap, "unsequenced", seq.to_string(), seq);
            }
        }
        let beyond: Vec<u64> = self.pending.keys().copied().filter(|seq| *seq >= end).collect();
        for seq in beyond {
            self.find(Kind::Extra, "log_pending", seq.to_string(), end);
        }
        self.unproved(snapshot, "log_seq IS NULL").await?;
        for (from, until) in std::mem::take(&mut self.past) {
            let range = format!("log_seq >= {from} AND log_seq < {until}");
            self.unproved(snapshot, &range).await?;
        }
        Ok(())
    }

    /// Acts that no entry commits to: from before the log, or whose entries are past proof. They stand
    /// in the beginning of a volume like rows.
    async fn unproved(&mut self, snapshot: &mut Snapshot, which: &str) -> Result<()> {
        let named = named(snapshot.dialect());
        let sql = format!(
            "SELECT * FROM act_journal WHERE {which} AND id > $1{named} ORDER BY id LIMIT {PAGE}"
        );
        let mut last = String::new();
        loop {
            let rows = snapshot.fetch_all(&sql, &[last.as_str().into()]).await?;
            for row in &rows {
                last = row.text("id")?;
                let Some(salt) = row.opt_bytes("salt")? else {
                    self.fold.see(JOURNAL, &last);
                    if !self.fold.holds(PAYLOAD_ERASURE.name, &last) {
                        self.find(Kind::Changed, JOURNAL, last.clone(), 0);
                    }
                    continue;
                };
                let digest = journal_digest(row, &salt)?;
                let fault = self.fold.row(JOURNAL, &last, 1, &digest);
                let id = last.clone();
                self.fault(fault, JOURNAL, &id);
            }
            if rows.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn newest(&self) -> Instant {
        self.times.iter().copied().max().unwrap_or(0)
    }

    /// Every row of every table, its digest computed anew.
    async fn tables(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        let tables: Vec<String> =
            self.tables.iter().filter(|table| *table != JOURNAL).cloned().collect();
        for table in tables {
            let wanted = self.wanted;
            let added: Vec<(&str, &Value)> = wanted
                .added
                .iter()
                .filter(|(of, _, _)| *of == table)
                .map(|(_, column, value)| (column.as_str(), value))
                .collect();
            self.nameless(snapshot, &table).await?;
            let mut last = String::new();
            loop {
                let Page { rows, size, end } = self.page(snapshot, &table, &last).await?;
                let Some(first) = rows.first() else {
                    if size < PAGE {
                        break;
                    }
                    last = end;
                    continue;
                };
                let columns: Vec<String> = first
                    .names()
                    .into_iter()
                    .map(str::to_owned)
                    .filter(|name| !OWN.contains(&name.as_str()))
                    .collect();
                let form = Form::new(&columns, &added);
                for row in &rows {
                    let id = row.text("id")?;
                    // a value of another kind is a change as well
                    let (version, digest) = form.digest(row).unwrap_or((-1, [0; 32]));
                    let fault = self.fold.row(&table, &id, version, &digest);
                    self.fault(fault, &table, &id);
                    self.report.rows += 1;
                }
                if size < PAGE {
                    break;
                }
                self.twins(snapshot, &table, &end, &rows).await?;
                last = end;
            }
        }
        Ok(())
    }

    /// Rows after `after`, as many as a page holds. Rows that cannot be read at all are told and left out.
    async fn page(&mut self, snapshot: &mut Snapshot, table: &str, after: &str) -> Result<Page> {
        let which = format!(
            "FROM {table} WHERE id > $1{} ORDER BY id LIMIT {PAGE}",
            named(snapshot.dialect())
        );
        let args = [after.into()];
        let error = match snapshot.fetch_all(&format!("SELECT * {which}"), &args).await {
            Ok(rows) => {
                let end = rows.last().map(|row| row.text("id")).transpose()?.unwrap_or_default();
                return Ok(Page { size: rows.len(), rows, end });
            }
            Err(error) => error,
        };
        let Ok(ids) = snapshot.fetch_all(&format!("SELECT id {which}"), &args).await else {
            return Err(error);
        };
        let mut page = Page { rows: Vec::new(), size: ids.len(), end: String::new() };
        for row in ids {
            page.end = row.text("id")?;
            let sql = format!("SELECT * FROM {table} WHERE id = $1");
            match snapshot.fetch_all(&sql, &[page.end.as_str().into()]).await {
                Ok(rows) => page.rows.extend(rows),
                Err(_) => {
                    let fault = self.fold.row(table, &page.end, -1, &[0; 32]);
                    self.fault(fault, table, &page.end);
                }
            }
        }
        Ok(page)
    }

    /// Rows that no page shows, because nothing is what they are called by: the log names each of its own.
    async fn nameless(&mut self, snapshot: &mut Snapshot, table: &str) -> Result<()> {
        let also = match snapshot.dialect() {
            Dialect::Sqlite => " OR id >= x''",
            Dialect::Postgres => "",
        };
        let sql = format!("SELECT COUNT(*) AS n FROM {table} WHERE id IS NULL OR id = ''{also}");
        let rows = snapshot.fetch_all(&sql, &[]).await?;
        for _ in 0..rows.first().map(|row| row.int("n")).transpose()?.unwrap_or(0) {
            self.find(Kind::Extra, table, NAMELESS, 0);
        }
        Ok(())
    }

    /// Where a page ends, another row of the same name would be on none.
    async fn twins(
        &mut self,
        snapshot: &mut Snapshot,
        table: &str,
        id: &str,
        rows: &[DbRow],
    ) -> Result<()> {
        let sql = format!("SELECT COUNT(*) AS n FROM {table} WHERE id = $1");
        let counted = snapshot.fetch_all(&sql, &[id.into()]).await?;
        let all = counted.first().map(|row| row.int("n")).transpose()?.unwrap_or(0);
        let shown = rows.iter().rev().take_while(|row| row.text("id").is_ok_and(|it| it == id));
        for _ in i64::try_from(shown.count()).unwrap_or(0).max(1)..all {
            self.find(Kind::Extra, table, id, 0);
        }
        Ok(())
    }

    /// Rows the log knows and no table has: their names stand in the sheets alone.
    async fn lost(&mut self) -> Result<()> {
        if !self.fold.has_missing() {
            return Ok(());
        }
        let walked = std::mem::take(&mut self.walked);
        for (reader, bundles) in walked.iter().rev() {
            for bundle in (0..*bundles).rev() {
                let mut sheets = reader.sheets(bundle)?;
                while let Some(stored) = sheets.next_stored()? {
                    let Ok(text) = book::unpack(&stored) else { continue };
                    for line in sheet::lines(&text).flatten() {
                        let fault = self.fold.take_missing(line.table, line.key);
                        self.fault(fault, line.table, line.key);
                    }
                }
            }
        }
        if self.fold.has_missing() {
            // spoken of only by entries that are not in the files yet
            self.find(Kind::Missing, "log_pending", "-", self.sealed);
        }
        Ok(())
    }

    /// By which entries the pages of records find who did what: as the sheets say, no more and no less.
    async fn look_up(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        if self.wanted.up_to.is_some() {
            return Ok(());
        }
        let mut look_up = std::mem::take(&mut self.look_up);
        let sql = format!(
            "SELECT object, seq FROM log_touch WHERE object > $1 OR (object = $1 AND seq > $2) \
             ORDER BY object, seq LIMIT {PAGE}"
        );
        let mut last = (String::new(), -1);
        loop {
            let rows = snapshot.fetch_all(&sql, &[last.0.as_str().into(), last.1.into()]).await?;
            for row in &rows {
                last = (row.text("object")?, row.int("seq")?);
                let seq = u64::try_from(last.1).unwrap_or(u64::MAX);
                if !look_up.take(&last.0, seq) && !look_up.is_unreadable(seq) {
                    self.find(Kind::Extra, touch::TABLE, last.0.clone(), seq);
                }
            }
            if rows.len() < PAGE {
                break;
            }
        }
        for seq in look_up.left() {
            self.find(Kind::Missing, touch::TABLE, seq.to_string(), seq);
        }
        Ok(())
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

/// The look-up of the pages of records as it must be.
#[derive(Default)]
struct LookUp {
    /// Entries below this are in it.
    reached: u64,
    /// By a hash keyed anew each time: object and entry. 24 bytes each.
    due: HashMap<u64, u64>,
    keys: RandomState,
    /// Entries of which nobody can tell any more what they wrote.
    unreadable: BTreeSet<u64>,
}

impl LookUp {
    fn hear(&mut self, entry: &Entry, text: Option<&str>) {
        if entry.seq >= self.reached {
            return;
        }
        let Some(text) = text else {
            self.unreadable.insert(entry.seq);
            return;
        };
        for object in touch::objects(entry, text) {
            self.due.insert(self.keys.hash_one((object.as_str(), entry.seq)), entry.seq);
        }
    }

    fn take(&mut self, object: &str, seq: u64) -> bool {
        self.due.remove(&self.keys.hash_one((object, seq))).is_some()
    }

    fn is_unreadable(&self, seq: u64) -> bool {
        self.unreadable.contains(&seq)
    }

    /// Entries that are not found by everything they wrote.
    fn left(&self) -> BTreeSet<u64> {
        self.due.values().copied().collect()
    }
}

/// Whether this is an act whose payload was erased lawfully: it is not said anew.
pub(super) fn is_erased(fold: &Fold, table: &str, key: &str) -> bool {
    table == JOURNAL && fold.holds(PAYLOAD_ERASURE.name, key)
}

/// Whether an entry past proof can be read with its sheet.
fn intact(seq: u64, entry: Option<&[u8]>, stored: Option<&[u8]>) -> bool {
    let Some(Ok(entry)) = entry.map(Entry::parse) else { return false };
    let text = stored.and_then(|stored| book::unpack(stored).ok());
    entry.seq == seq && text.is_some_and(|text| sheet::root(&text) == entry.sheet)
}

/// Columns outside a row's digest, and `version`, which the canonical form adds itself.
const OWN: [&str; 4] = ["row_salt", "row_digest", "change_seq", "version"];

/// A form, the places of its columns, and what the columns it lacks must hold.
type OlderForm<'a> = (Canon, Vec<usize>, Vec<(usize, &'a Value)>);

/// How the digest of a table's rows is computed: with all its columns, and for rows written before a
/// column was added, without it.
struct Form<'a> {
    columns: &'a [String],
    all: Canon,
    /// Without the last added column, without the last two, …
    older: Vec<OlderForm<'a>>,
}

impl<'a> Form<'a> {
    fn new(columns: &'a [String], added: &[(&str, &'a Value)]) -> Self {
        let names = |places: &[usize]| -> Vec<&str> {
            places.iter().map(|place| columns[*place].as_str()).collect()
        };
        let everything: Vec<usize> = (0..columns.len()).collect();
        let mut older = Vec::new();
        let mut left = everything.clone();
        let mut without = Vec::new();
        for (column, value) in added.iter().rev() {
            let Some(place) = columns.iter().position(|name| name == column) else { continue };
            left.retain(|kept| *kept != place);
            without.push((place, *value));
            older.push((Canon::new(&names(&left)), left.clone(), without.clone()));
        }
        Self { columns, all: Canon::new(&names(&everything)), older }
    }

    fn digest(&self, row: &DbRow) -> Result<(i64, Hash)> {
        let version = row.int("version")?;
        let salt = row.bytes("row_salt")?;
        let values: Vec<Value> =
            self.columns.iter().map(|column| row.value(column)).collect::<Result<_>>()?;
        let digest = self.all.digest(&salt, &values, version);
        if self.older.is_empty() {
            return Ok((version, digest));
        }
        let stored = row.bytes("row_digest")?;
        if stored == digest {
            return Ok((version, digest));
        }
        for (canon, places, without) in &self.older {
            if without.iter().any(|(place, value)| values[*place] != **value) {
                continue;
            }
            let kept: Vec<Value> = places.iter().map(|place| values[*place].clone()).collect();
            let older = canon.digest(&salt, &kept, version);
            if stored == older {
                return Ok((version, older));
            }
        }
        Ok((version, digest))
    }
}
