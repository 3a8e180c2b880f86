//! This node's log towards its witnesses: what to send them, keeping what they sign, and reading from
//! what they show that this store was put back to an older state.
//!
//! A suspicion lies as a file beside the log and holds the write door shut ([`crate::Db::hold`]) until
//! the fork is recorded by decision ([`fork`]). Nobody without the log's own key can bring it about:
//! what counts is a checkpoint that this log's key signed and this store does not contain.

use std::path::Path;

use mj_kernel::{Actor, Instant};
use mj_ledger::witness::AddCheckpoint;
use mj_ledger::{Checkpoint, Hash, Note, WitnessKey, tree};
use serde::{Deserialize, Serialize};

use super::witness::note_of;
use super::{Ledger, LogReader, number, old_keys, signed, wrong};
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
    pub size: u64,
    pub root: Hash,
    note: Note,
}

/// This node's newest checkpoint that a witness cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
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
    /// What to send to a witness that saw `old` entries last; `None` while nothing is signed or where
    /// the witness saw more than there is.
    pub fn ask(&self, old: u64) -> Result<Option<Asked>> {
        let Some((text, checkpoint, _)) = signed(self.reader())? else { return Ok(None) };
        if old > checkpoint.size {
            return Ok(None);
        }
        let proof = tree::consistency(self.reader(), old, checkpoint.size).map_err(wrong)?;
        let note = note_of(&text)?;
        let asked = AddCheckpoint { old, proof, note: note.clone() };
        let (size, root) = (checkpoint.size, checkpoint.root);
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
        // also by a key that was exchanged since: the witness may have seen it last under that one
        let mut keys = vec![self.key().clone()];
        keys.extend(old_keys(self.reader())?);
        let open = |key| Checkpoint::open(shown, key, &sign::verify).ok();
        let Some(seen) = keys.iter().find_map(open) else { return Ok(None) };
        let own = signed(self.reader())?.map_or(0, |(_, checkpoint, _)| checkpoint.size);
        if seen.size > own {
            return Ok(Some(seen));
        }
        let root = tree::root(self.reader(), seen.size).map_err(wrong)?;
        Ok((root != seen.root).then_some(seen))
    }

    /// Shuts the write door: what a witness saw is not in this store. Nothing happens where this very
    /// fork was recorded already. Whether the door is shut now.
    pub async fn suspect(&self, witness: &str, seen: &Checkpoint, shown: &str) -> Result<bool> {
        let seen_root = hex::encode(seen.root);
        let known = "SELECT COUNT(*) FROM log_fork WHERE seen_size = $1 AND seen_root = $2";
        let args = [number(seen.size).into(), seen_root.as_str().into()];
        if self.db().count(known, &args).await? > 0 {
            return Ok(false);
        }
        if self.db().is_held() {
            return Ok(true);
        }
        let own = signed(self.reader())?.map(|(_, checkpoint, _)| checkpoint);
        let suspicion = Suspicion {
            at: self.db().clock().now(),
            witness: witness.to_owned(),
            seen_size: number(seen.size),
            seen_root,
            own_size: own.as_ref().map_or(0, |own| number(own.size)),
            own_root: own.map_or(String::new(), |own| hex::encode(own.root)),
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

    /// Holds the door as the suspicion on disk says: another process may have recorded the fork.
    pub fn heed(&self) -> Result<bool> {
        let held = suspicion(self.reader())?.is_some();
        self.db().hold(held);
        Ok(held)
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
    let Some(row) = db.fetch_optional(sql, &[witness.into()]).await? else { return Ok(None) };
    Ok(Some(Cosigned {
        size: row.int("size")?,
        root: row.text("root")?,
        at: row.int("cosigned_at")?,
        checkpoint: row.text("checkpoint")?,
    }))
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
