//! This node as a witness of other nodes' logs: it remembers the newest checkpoint of each and
//! cosigns only what goes on from it. Question, answer and memory are one transaction.

use std::sync::Arc;

use mj_kernel::{Actor, Instant};
use mj_ledger::witness::{self, AddCheckpoint, Refusal, Seen};
use mj_ledger::{Note, VerifierKey, WitnessKey, tree, volume};

use super::{number, wrong};
use crate::db::door::{Act, TruthTable};
use crate::db::{Db, Dialect, Lane, RowExt};
use crate::error::{Error, Result};
use crate::gm::sign;
use crate::gm::vault::{KeyClass, SmProvider};
use crate::new_id;

/// Starting anew with a log whose fork was decided.
pub const RESET: &str = "ledger.witness.reset";

const LOG_WITNESS_RESET: TruthTable = TruthTable {
    name: "log_witness_reset",
    columns: &["id", "at", "origin", "size", "root", "checkpoint"],
};

/// The witness of a node. Cheap to clone.
#[derive(Clone)]
pub struct Witness {
    db: Db,
    provider: Arc<dyn SmProvider>,
    key: WitnessKey,
    logs: Arc<[VerifierKey]>,
}

/// What a witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The line of its signature.
    Cosigned(String),
    Refused(Refusal),
}

/// A log as this node saw it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    pub origin: String,
    /// 0: never.
    pub size: i64,
    pub root: String,
    pub cosigned_at: Instant,
    /// The signed checkpoint with this node's cosignature.
    pub checkpoint: String,
}

impl Witness {
    pub fn new(
        db: Db,
        provider: Arc<dyn SmProvider>,
        area: &str,
        logs: Vec<VerifierKey>,
    ) -> Result<Self> {
        let point = provider.public(KeyClass::Witness)?;
        let short = hex::encode(&tree::sm3(&point)[..4]);
        let key = WitnessKey { name: format!("mingjian/{area}/{short}/witness"), point };
        Ok(Self { db, provider, key, logs: logs.into() })
    }

    pub fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Judges a request; a cosignature is given out only after what it stands for is durable.
    pub async fn add_checkpoint(&self, body: &str) -> Result<Verdict> {
        let asked = match AddCheckpoint::parse(body) {
            Ok(asked) => asked,
            Err(error) => return Ok(Verdict::Refused(Refusal::Malformed(error))),
        };
        let origin = witness::origin(&asked.note).to_owned();
        // one row for all volumes of a log, and one key
        let (log, _) = volume::split(&origin);
        let keys: Vec<VerifierKey> = self
            .logs
            .iter()
            .filter(|key| volume::is_same_log(&key.name, &log))
            .map(|key| key.of_volume(&origin))
            .collect();
        if keys.is_empty() {
            return Ok(Verdict::Refused(Refusal::Unknown));
        }
        // before a transaction is opened for it: anybody may send anything. While a log exchanges its
        // key, both are listed under one name.
        let signed = |key: &&VerifierKey| asked.note.check(key, &sign::verify).is_ok();
        let Some(key) = keys.iter().find(signed) else {
            return Ok(Verdict::Refused(Refusal::Signature));
        };
        let act = Act::new(&Actor::system("witness"), "ledger.checkpoint.witness", "log");
        let mut tx = self.db.begin(Lane::People, act).await?;
        // a row to hold on to: two first requests must not both find nothing
        tx.execute(
            "INSERT INTO log_witnessed (origin, size, root, checkpoint, cosigned_at) \
             VALUES ($1, 0, '', '', 0) ON CONFLICT (origin) DO NOTHING",
            &[log.as_str().into()],
        )
        .await?;
        let lock = if tx.dialect() == Dialect::Postgres { " FOR UPDATE" } else { "" };
        let sql =
            format!("SELECT size, root, checkpoint FROM log_witnessed WHERE origin = $1{lock}");
        let row = tx.fetch_optional(&sql, &[log.as_str().into()]).await?;
        let seen = match row {
            Some(row) if row.int("size")? > 0 => {
                let text = row.text("checkpoint")?;
                let (size, root) = (size_of(row.int("size")?), root_of(&row.text("root")?)?);
                let volume = volume::split(text.lines().next().unwrap_or_default()).1;
                Some(Seen { volume, size, root })
            }
            _ => None,
        };
        let checkpoint = match witness::judge(&asked, key, seen, &sign::verify) {
            Ok(checkpoint) => checkpoint,
            Err(refusal) => return Ok(Verdict::Refused(refusal)),
        };
        let now = tx.now();
        let seconds = u64::try_from(now / 1_000_000).unwrap_or_default();
        let message = witness::message(seconds, &asked.note.text);
        let bytes = self.provider.sign(KeyClass::Witness, message.as_bytes())?;
        let own = self.key.signature(seconds, &bytes);
        let mut note = asked.note;
        note.signatures.retain(|one| one.name == key.name && one.key_id == key.id());
        note.signatures.push(own.clone());
        tx.execute(
            "UPDATE log_witnessed SET size = $1, root = $2, checkpoint = $3, cosigned_at = $4 \
             WHERE origin = $5",
            &[
                number(checkpoint.size).into(),
                hex::encode(checkpoint.root).into(),
                note.to_text().into(),
                now.into(),
                log.into(),
            ],
        )
        .await?;
        tx.commit().await?;
        Ok(Verdict::Cosigned(own.to_line()))
    }

    /// The logs this node watches, as it saw them last.
    pub async fn watched(&self) -> Result<Vec<Witnessed>> {
        let mut all = Vec::new();
        for (at, key) in self.logs.iter().enumerate() {
            let (log, _) = volume::split(&key.name);
            if self.logs[..at].iter().any(|earlier| volume::is_same_log(&earlier.name, &log)) {
                continue;
            }
            let seen = self.seen(&log).await?;
            all.push(seen.unwrap_or_else(|| Witnessed {
                origin: log,
                size: 0,
                root: String::new(),
                cosigned_at: 0,
                checkpoint: String::new(),
            }));
        }
        Ok(all)
    }

    /// A log, asked for by the origin of any of its volumes, as this node saw it last; `None` where it
    /// never cosigned.
    pub async fn seen(&self, origin: &str) -> Result<Option<Witnessed>> {
        let sql = "SELECT * FROM log_witnessed WHERE origin = $1 AND size > 0";
        let log = volume::split(origin).0;
        let Some(row) = self.db.fetch_optional(sql, &[log.into()]).await? else {
            return Ok(None);
        };
        let checkpoint = row.text("checkpoint")?;
        Ok(Some(Witnessed {
            origin: checkpoint.lines().next().unwrap_or_default().to_owned(),
            size: row.int("size")?,
            root: row.text("root")?,
            cosigned_at: row.int("cosigned_at")?,
            checkpoint,
        }))
    }
}

/// Forgets what was seen of a log, by decision: the next checkpoint is cosigned whatever it holds. The
/// old one stays as evidence. Gives its size.
pub async fn reset(db: &Db, actor: &Actor, origin: &str, reason: &str) -> Result<Option<i64>> {
    let act = Act::new(actor, RESET, "log").because(reason);
    let mut tx = db.begin(Lane::People, act).await?;
    let sql = "SELECT * FROM log_witnessed WHERE origin = $1 AND size > 0";
    let log = volume::split(origin).0;
    let origin = log.as_str();
    let Some(row) = tx.fetch_optional(sql, &[origin.into()]).await? else { return Ok(None) };
    let size = row.int("size")?;
    let at = tx.now();
    tx.insert(
        &LOG_WITNESS_RESET,
        &[
            ("id", new_id().into()),
            ("at", at.into()),
            ("origin", origin.into()),
            ("size", size.into()),
            ("root", row.text("root")?.into()),
            ("checkpoint", row.text("checkpoint")?.into()),
        ],
    )
    .await?;
    tx.execute("DELETE FROM log_witnessed WHERE origin = $1", &[origin.into()]).await?;
    tx.commit().await?;
    Ok(Some(size))
}

pub(super) fn size_of(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

pub(super) fn root_of(text: &str) -> Result<mj_ledger::Hash> {
    let mut root = [0; 32];
    hex::decode_to_slice(text, &mut root)
        .map_err(|_| Error::Corrupt("见证记录中的根不是十六进制".into()))?;
    Ok(root)
}

/// The note's own text, where a witness put it together from lines.
pub(super) fn note_of(text: &str) -> Result<Note> {
    Note::parse(text).map_err(wrong)
}
