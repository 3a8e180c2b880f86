//! This node's log towards its witnesses: what to send them, keeping what they sign, and reading from
//! what they show that this store was put back to an older state.
//!
//! A suspicion lies as a file beside the log and holds the write door shut ([`crate::Db::hold`]) until
//! the fork is recorded by decision ([`fork`]). Nobody without the log's own key can bring it about:
//! what counts is a checkpoint that this log's key signed and this store does not contain.

use std::path::Path;

use mj_kernel::{Actor, Instant};
use mj_ledger::tree::Subtrees;
use mj_ledger::volume::{self, Cause, Opened};
use mj_ledger::witness::AddCheckpoint;
use mj_ledger::{Checkpoint, Hash, Note, WitnessKey, tree};
use serde::{Deserialize, Serialize};

use super::shelf::from_entries;
use super::witness::note_of;
use super::{Ledger, LogReader, number, old_keys, wrong};
use crate::db::door::{Act, TruthTable};
use crate::db::{Db, Lane, RowExt};
use crate::error::{Error, Result};
use crate::gm::sign;
use crate::new_id;

/// The only act that the door lets through while a rollback is suspected.
pub const FORK: &str = "ledger.log.fork";
/// The suspicion, in the log's folder.
pub const ROLLBACK: &str = "rollback";

const LOG_FORK: TruthTable = TruthTable {
    name: "log_fork",
    columns: &["id", "at", "witness", "seen_size", "seen_root", "own_size", "own_root"],
};
/// Cosigned checkpoints that are kept of each witness.
const KEPT: i64 = 10_000;

/// A request to a witness, and the checkpoint it is about.
#[derive(Debug, Clone)]
pub struct Asked {
    pub text: String,
    /// In the whole log.
    pub size: u64,
    pub root: Hash,
    note: Note,
}

/// How far a witness saw the log: so many entries of this volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub volume: u64,
    pub size: u64,
}

impl Reached {
    /// Never saw it.
    pub const NOTHING: Self = Self { volume: 1, size: 0 };

    /// As a checkpoint says itself.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        Self { volume: volume::split(&checkpoint.origin).1, size: checkpoint.size }
    }
}

/// This node's newest checkpoint that a witness cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// In the whole log.
    pub size: i64,
    pub root: String,
    /// By the witness's clock.
    pub at: Instant,
    pub checkpoint: String,
}

/// Why this store is taken for an older copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    pub at: Instant,
    pub witness: String,
    pub seen_size: i64,
    pub seen_root: String,
    pub own_size: i64,
    pub own_root: String,
    /// What the witness showed: signed by this log's key.
    pub checkpoint: String,
}

impl Ledger {
    /// What to send to a witness that saw so much last; `None` while nothing is signed or where the
    /// witness saw more than there is.
    pub fn ask(&self, old: Reached) -> Result<Option<Asked>> {
        let shelf = self.shelf();
        let Some(newest) = shelf.newest()? else { return Ok(None) };
        let (mut proof, mut openings) = (Vec::new(), Vec::new());
        if old.size > 0 {
            // where the volume the witness saw ends: there the next one goes on
            let mut end = newest.checkpoint.size;
            let mut tree = tree_of(shelf.reader(newest.number), None, end)?;
            for number in (old.volume..newest.number).rev() {
                let Some(entry) = shelf.reader(number + 1).head()? else { return Ok(None) };
                let path = tree::inclusion(&*tree, 0, end).map_err(wrong)?;
                let Some((_, opening)) = super::shelf::opening_of(&entry) else { return Ok(None) };
                end = opening.size;
                tree = tree_of(shelf.reader(number), Some(opening.cause), end)?;
                openings.push(Opened { entry, path });
            }
            if old.volume > newest.number || old.size > end {
                return Ok(None);
            }
            openings.reverse();
            proof = tree::consistency(&*tree, old.size, end).map_err(wrong)?;
        }
        let note = note_of(&newest.text)?;
        let asked = AddCheckpoint { old: old.size, proof, openings, note: note.clone() };
        let (size, root) = (newest.end(), newest.checkpoint.root);
        Ok(Some(Asked { text: asked.to_text(), size, root, note }))
    }

    /// Keeps what a witness answered, if its signature holds. When it signed, by its clock.
    pub async fn keep(&self, asked: &Asked, key: &WitnessKey, answer: &str) -> Result<Instant> {
        let answered = note_of(&format!("{}{answer}", asked.note.to_text()))?;
        let seconds = key.check(&answered, &sign::verify).map_err(wrong)?;
        let at = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let mut note = asked.note.clone();
        let is_own =
            |one: &&mj_ledger::note::Signature| one.name == key.name && one.key_id == key.id();
        note.signatures.extend(answered.signatures.iter().find(is_own).cloned());
        let act = Act::new(&Actor::system("ledger"), "ledger.cosignature.keep", "log");
        let mut tx = self.db().begin(Lane::People, act).await?;
        tx.execute(
            "INSERT INTO log_cosignature (witness, size, root, cosigned_at, checkpoint) \
             VALUES ($1,$2,$3,$4,$5) ON CONFLICT (witness, size) DO UPDATE SET \
             root = excluded.root, cosigned_at = excluded.cosigned_at, \
             checkpoint = excluded.checkpoint",
            &[
                key.name.as_str().into(),
                number(asked.size).into(),
                hex::encode(asked.root).into(),
                at.into(),
                note.to_text().into(),
            ],
        )
        .await?;
        tx.execute(
            "DELETE FROM log_cosignature WHERE witness = $1 AND size < (SELECT MIN(size) FROM \
             (SELECT size FROM log_cosignature WHERE witness = $1 ORDER BY size DESC LIMIT $2) kept)",
            &[key.name.as_str().into(), KEPT.into()],
        )
        .await?;
        tx.commit().await?;
        Ok(at)
    }

    /// What a witness shows as its newest of this log, if this store does not contain it: then this
    /// store is older than, or another than, the one that signed. What this log's key did not sign
    /// proves nothing.
    pub fn contradiction(&self, shown: &str) -> Result<Option<Checkpoint>> {
        let Some(seen) = self.own(shown)? else { return Ok(None) };
        let shelf = self.shelf();
        let number = volume::split(&seen.origin).1;
        let newest = shelf.newest()?.map_or(1, |newest| newest.number);
        if number > newest {
            return Ok(Some(seen));
        }
        let mut closed = None;
        let mut own = shelf.volume(number).ok().flatten().map_or(0, |own| own.checkpoint.size);
        if number < newest
            && let Some((_, opening)) = shelf.opening_after(number)?
        {
            let signed = opening.damage.as_ref().map_or(0, |damage| damage.signed);
            if opening.cause == Cause::Freeze && (opening.size + 1..=signed).contains(&seen.size) {
                // lost by decision: the witness waits for one of its own people's
                return Ok(None);
            }
            (own, closed) = (opening.size, Some(opening.cause));
        }
        if seen.size > own {
            return Ok(Some(seen));
        }
        let tree = tree_of(shelf.reader(number), closed, own)?;
        let root = tree::root(&*tree, seen.size).map_err(wrong)?;
        Ok((root != seen.root).then_some(seen))
    }

    /// A checkpoint that this log's key signed, also one that was exchanged since: the witness may have
    /// seen it last under that.
    pub fn own(&self, shown: &str) -> Result<Option<Checkpoint>> {
        let mut keys = vec![self.key()];
        keys.extend(old_keys(&LogReader::new(self.shelf().folder()))?);
        let origin = shown.lines().next().unwrap_or_default();
        let open = |key: &mj_ledger::VerifierKey| {
            Checkpoint::open(shown, &key.of_volume(origin), &sign::verify).ok()
        };
        Ok(keys.iter().find_map(open))
    }

    /// Shuts the write door: what a witness saw is not in this store. Nothing happens where this very
    /// fork was recorded already. Whether the door is shut now.
    pub async fn suspect(&self, witness: &str, seen: &Checkpoint, shown: &str) -> Result<bool> {
        let seen_root = hex::encode(seen.root);
        let seen_size = number(self.whole(seen)?);
        let known = "SELECT COUNT(*) FROM log_fork WHERE seen_size = $1 AND seen_root = $2";
        let args = [seen_size.into(), seen_root.as_str().into()];
        if self.db().count(known, &args).await? > 0 {
            return Ok(false);
        }
        if self.db().is_held() {
            return Ok(true);
        }
        let own = self.shelf().newest()?;
        let suspicion = Suspicion {
            at: self.db().clock().now(),
            witness: witness.to_owned(),
            seen_size,
            seen_root,
            own_size: own.as_ref().map_or(0, |own| number(own.end())),
            own_root: own.map_or(String::new(), |own| hex::encode(own.checkpoint.root)),
            checkpoint: shown.to_owned(),
        };
        let text = serde_json::to_string_pretty(&suspicion)
            .map_err(|error| Error::Other(error.to_string()))?;
        self.replace(ROLLBACK, &text)?;
        self.db().hold(true);
        tracing::error!(
            witness,
            seen = suspicion.seen_size,
            own = suspicion.own_size,
            "见证方见过的监管日志不在本节点：数据像是被退回到旧的备份，已停止写入"
        );
        Ok(true)
    }

    /// How many entries of the whole log a checkpoint stands for. Of a volume that is not here at least
    /// one more than there are.
    fn whole(&self, seen: &Checkpoint) -> Result<u64> {
        let number = volume::split(&seen.origin).1;
        if number == 1 {
            return Ok(seen.size);
        }
        let first = self.shelf().volume(number).ok().flatten().map(|volume| volume.first);
        let first = first.map_or_else(|| self.shelf().sealed(), Ok)?;
        Ok(first + seen.size)
    }

    /// Holds the door as the suspicion on disk says: another process may have recorded the fork.
    pub fn heed(&self) -> Result<bool> {
        let held = suspicion(&LogReader::new(self.shelf().folder()))?.is_some();
        self.db().hold(held);
        Ok(held)
    }
}

/// The tree over the first entries of a volume: by its tiles, unless these may be what it was frozen for.
fn tree_of(
    reader: LogReader,
    closed: Option<Cause>,
    size: u64,
) -> Result<Box<dyn Subtrees + Send>> {
    match closed {
        Some(Cause::Freeze) => Ok(Box::new(from_entries(&reader, size)?)),
        _ => Ok(Box::new(reader)),
    }
}

/// The suspicion that lies beside a log.
pub fn suspicion(reader: &LogReader) -> Result<Option<Suspicion>> {
    let Some(text) = reader.text(ROLLBACK)? else { return Ok(None) };
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|_| Error::Corrupt("log/rollback 无法读取".into()))
}

/// This node's newest checkpoint that this witness cosigned.
pub async fn cosigned(db: &Db, witness: &str) -> Result<Option<Cosigned>> {
    let sql = "SELECT * FROM log_cosignature WHERE witness = $1 ORDER BY size DESC LIMIT 1";
    let row = db.fetch_optional(sql, &[witness.into()]).await?;
    row.map(|row| read_cosigned(&row)).transpose()
}

/// The newest checkpoint that each witness cosigned, with its name.
pub async fn all_cosigned(db: &Db) -> Result<Vec<(String, Cosigned)>> {
    let sql = "SELECT * FROM log_cosignature newest WHERE size = (SELECT MAX(size) FROM \
               log_cosignature other WHERE other.witness = newest.witness) ORDER BY witness";
    let rows = db.fetch_all(sql, &[]).await?;
    rows.iter().map(|row| Ok((row.text("witness")?, read_cosigned(row)?))).collect()
}

fn read_cosigned(row: &crate::DbRow) -> Result<Cosigned> {
    Ok(Cosigned {
        size: row.int("size")?,
        root: row.text("root")?,
        at: row.int("cosigned_at")?,
        checkpoint: row.text("checkpoint")?,
    })
}

/// Records, as an entry, that this store goes on from the state it was put back to; then the door
/// opens. `None` where nothing is suspected.
pub async fn fork(
    db: &Db,
    actor: &Actor,
    folder: &Path,
    reason: &str,
) -> Result<Option<Suspicion>> {
    let reader = LogReader::new(folder);
    let Some(found) = suspicion(&reader)? else { return Ok(None) };
    let act = Act::new(actor, FORK, "log").because(reason);
    let mut tx = db.begin(Lane::People, act).await?;
    let at = tx.now();
    tx.insert(
        &LOG_FORK,
        &[
            ("id", new_id().into()),
            ("at", at.into()),
            ("witness", found.witness.as_str().into()),
            ("seen_size", found.seen_size.into()),
            ("seen_root", found.seen_root.as_str().into()),
            ("own_size", found.own_size.into()),
            ("own_root", found.own_root.as_str().into()),
        ],
    )
    .await?;
    // a witness's signature on the branch that was left is not one on this
    let left = "DELETE FROM log_cosignature WHERE witness = $1 AND size > $2";
    tx.execute(left, &[found.witness.as_str().into(), found.own_size.into()]).await?;
    tx.commit().await?;
    let path = folder.join(ROLLBACK);
    std::fs::remove_file(&path).map_err(Error::io(&path))?;
    db.hold(false);
    Ok(Some(found))
}
