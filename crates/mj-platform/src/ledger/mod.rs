//! The supervision log (监管日志) of this node: numbered in the act's own transaction, appended to
//! files, signed.
//!
//! The write door gives every act its entry under the lock that also orders changes, and leaves entry
//! and sheet in `log_pending`. [`Ledger`] takes them from there, at most every second: append, make
//! durable, read back, sign the checkpoint, and only then forget what waited. [`verify`] folds the log
//! and compares it with the tables.

pub(crate) mod book;
pub mod erase;
mod files;
mod founding;
pub mod outside;
mod rekey;
mod rewind;
#[cfg(test)]
mod tests;
mod touch;
pub mod verify;
pub mod witness;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mj_kernel::{Actor, Instant};
use mj_ledger::note::{Note, Signature};
use mj_ledger::receipt::{FORMAT, Opened, Receipt};
use mj_ledger::{Checkpoint, Entry, VerifierKey, tree};
use tokio::sync::{Notify, watch};

pub use book::unpack;
pub use files::{LogReader, Sheets};
pub use founding::found;
pub use rekey::{OLD_KEYS, finish_rekey, old_keys, rekey};
pub use rewind::{rewind, signed_size};

use crate::db::door::Act;
use crate::db::{Db, Lane, RowExt};
use crate::error::{Error, Result};
use crate::gm::sign;
use crate::gm::vault::{KeyClass, SmProvider};
use files::{Fresh, LogFiles};
use touch::Touches;

/// The newest signed checkpoint, in the log's folder.
pub const CHECKPOINT: &str = "checkpoint";
/// The log's public key, as text.
pub const KEY: &str = "key";
/// Every checkpoint ever signed, one line each: `time⇥size⇥root`. For reading only.
pub const HISTORY: &str = "history";

/// A checkpoint is signed at least after so many entries.
const ENTRIES: usize = 1_000;
/// Nor should one round hold more than this of sheets in memory.
const BYTES: usize = 16 << 20;
/// And a first entry waits so long for others.
const EVERY: Duration = Duration::from_secs(1);

/// The log of a node. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    files: Mutex<LogFiles>,
    reader: LogReader,
    provider: Arc<dyn SmProvider>,
    key: VerifierKey,
    /// One round at a time.
    round: tokio::sync::Mutex<()>,
    sealed: watch::Sender<u64>,
    /// Somebody waits for the next checkpoint.
    hurry: Notify,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("origin", &self.inner.key.name).finish_non_exhaustive()
    }
}

fn wrong(error: mj_ledger::Error) -> Error {
    Error::Corrupt(format!("监管日志：{error}"))
}

impl Ledger {
    /// Opens the log in `folder`, or begins one for the division `area`.
    pub async fn open(
        db: Db,
        folder: &Path,
        provider: Arc<dyn SmProvider>,
        area: &str,
    ) -> Result<Self> {
        let point = provider.public(KeyClass::Log)?;
        let reader = LogReader::new(folder);
        let key = match reader.text(KEY)? {
            Some(text) => VerifierKey::parse(&text).map_err(wrong)?,
            None => {
                let short = hex::encode(&tree::sm3(&point)[..4]);
                VerifierKey { name: format!("mingjian/{area}/{short}/sm3"), point }
            }
        };
        if key.point != point {
            return Err(Error::Key("监管日志的公钥与本节点的日志密钥不符".into()));
        }
        let signed = match reader.text(CHECKPOINT)? {
            Some(text) => Some(Checkpoint::open(&text, &key, &sign::verify).map_err(wrong)?),
            None => None,
        };
        let size = signed.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let head = db.fetch_one("SELECT entries FROM change_head WHERE id = 1", &[]).await?;
        let numbered = u64::try_from(head.int("entries")?).unwrap_or(0);
        if numbered < size {
            return Err(Error::Corrupt(format!(
                "数据库只有 {numbered} 条监管日志，已签署的检查点有 {size} 条：数据库像是被退回到旧的备份；请用 mingjian verify 查看"
            )));
        }
        let files = LogFiles::open(folder, size)?;
        if signed.is_some_and(|checkpoint| checkpoint.root != files.root()) {
            return Err(Error::Corrupt("监管日志的内容与已签署的检查点不符".into()));
        }
        files.replace(KEY, &format!("{}\n", key.to_text()))?;
        let inner = Inner {
            db,
            files: Mutex::new(files),
            reader,
            provider,
            key,
            round: tokio::sync::Mutex::default(),
            sealed: watch::Sender::new(size),
            hurry: Notify::new(),
        };
        let ledger = Self { inner: Arc::new(inner) };
        ledger.heed()?;
        Ok(ledger)
    }

    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    pub fn reader(&self) -> &LogReader {
        &self.inner.reader
    }

    pub fn key(&self) -> &VerifierKey {
        &self.inner.key
    }

    /// How many entries the newest signed checkpoint holds.
    pub fn sealed(&self) -> u64 {
        *self.inner.sealed.borrow()
    }

    /// The newest signed checkpoint as text; `None` before the first.
    pub fn checkpoint(&self) -> Result<Option<String>> {
        self.inner.reader.text(CHECKPOINT)
    }

    /// One round: takes what waits, up to a limit, into the files and signs. How many it took.
    pub async fn seal(&self) -> Result<usize> {
        let _round = self.inner.round.lock().await;
        let db = &self.inner.db;
        let first = self.inner.files.lock().expect("no panic while holding the log's files").size();
        if first > self.sealed() {
            // a round was cut off after its signature
            self.forget(first, None).await?;
        }
        let mut fresh = Vec::new();
        let mut bytes = 0;
        while fresh.len() < ENTRIES && bytes < BYTES {
            let next = first + fresh.len() as u64;
            let rows = db
                .fetch_all(
                    "SELECT seq, entry, sheet FROM log_pending WHERE seq >= $1 ORDER BY seq \
                     LIMIT 40",
                    &[number(next).into()],
                )
                .await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let due = first + fresh.len() as u64;
                if row.int("seq")? != number(due) {
                    return Err(Error::Corrupt(format!("监管日志缺少第 {due} 条待签条目")));
                }
                let (entry, sheet) = (row.text("entry")?, row.bytes("sheet")?);
                bytes += entry.len() + sheet.len();
                fresh.push(Fresh { entry, sheet });
            }
        }
        if fresh.is_empty() {
            return Ok(0);
        }
        let count = fresh.len();
        let now = db.clock().now();
        let touches = match touch::reached(db).await? == first {
            true => Some(Touches::of(first, &fresh)),
            false => None,
        };
        let own = self.clone();
        let written = tokio::task::spawn_blocking(move || own.write(&fresh, now)).await;
        written.map_err(|_| Error::Other("监管日志写入中断".into()))??;
        self.forget(first + count as u64, touches).await?;
        Ok(count)
    }

    /// Forgets what waited and is signed now.
    async fn forget(&self, size: u64, touches: Option<Touches>) -> Result<()> {
        let db = &self.inner.db;
        let act = Act::new(&Actor::system("ledger"), "ledger.checkpoint.sign", "log");
        let mut tx = db.begin(Lane::People, act).await?;
        tx.execute("DELETE FROM log_pending WHERE seq < $1", &[number(size).into()]).await?;
        if let Some(touches) = touches {
            touches.keep(&mut tx, size).await?;
        }
        tx.commit().await?;
        self.inner.sealed.send_replace(size);
        Ok(())
    }

    fn write(&self, fresh: &[Fresh], now: Instant) -> Result<()> {
        let mut files = self.inner.files.lock().expect("no panic while holding the log's files");
        let before = files.size();
        let outcome = files.append(fresh).and_then(|()| {
            let (size, root) = (files.size(), files.root());
            let origin = self.inner.key.name.clone();
            let text = Checkpoint { origin, size, root, time: now }.text();
            let signature = Signature {
                name: self.inner.key.name.clone(),
                key_id: self.inner.key.id(),
                bytes: self.inner.provider.sign(KeyClass::Log, text.as_bytes())?.to_vec(),
            };
            files.replace(CHECKPOINT, &Note { text, signatures: vec![signature] }.to_text())?;
            files.note(HISTORY, &format!("{now}\t{size}\t{}\n", hex::encode(root)))
        });
        if outcome.is_err() {
            // what is in memory no longer says what is on disk
            *files = LogFiles::open(self.inner.reader.root(), before)?;
        }
        outcome
    }

    /// Everything that waits now, in as many rounds as it takes.
    pub async fn drain(&self) -> Result<()> {
        while self.seal().await? > 0 {}
        Ok(())
    }

    /// Whether all that was committed before this call is in a signed checkpoint, or will be within
    /// `patience`.
    pub async fn settled(&self, patience: Duration) -> bool {
        let db = &self.inner.db;
        let Ok(head) = db.fetch_one("SELECT entries FROM change_head WHERE id = 1", &[]).await
        else {
            return false;
        };
        let due = head.int("entries").ok().and_then(|due| u64::try_from(due).ok());
        let mut sealed = self.inner.sealed.subscribe();
        let Some(due) = due else { return false };
        self.inner.hurry.notify_one();
        // the sender lives as long as the ledger
        tokio::time::timeout(patience, sealed.wait_for(|sealed| *sealed >= due)).await.is_ok()
    }

    /// Wakes the sequencer if another process has left entries.
    pub async fn wake(&self) -> Result<()> {
        let head = self.inner.db.count("SELECT entries FROM change_head WHERE id = 1", &[]).await?;
        if u64::try_from(head).unwrap_or(0) > self.sealed() {
            self.inner.hurry.notify_one();
        }
        Ok(())
    }

    /// Puts a file into the log's folder in place of the one before.
    fn replace(&self, name: &str, text: &str) -> Result<()> {
        let files = self.inner.files.lock().expect("no panic while holding the log's files");
        files.replace(name, text)
    }

    /// Seals until told to stop, and once more then.
    pub async fn watch(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut written = self.inner.db.log_head();
        let mut behind = true;
        loop {
            if let Err(error) = self.drain().await {
                tracing::error!(error = %error, "监管日志未能签署，稍后重试");
            }
            while behind {
                let more = touch::catch_up(self.db(), self.reader(), self.sealed()).await;
                behind = more.unwrap_or_else(|error| {
                    tracing::error!(error = %error, "监管日志的索引未能补全，重新启动时再补");
                    false
                });
                // what a person waits for goes first
                if self.waits().await {
                    break;
                }
            }
            tokio::select! {
                () = &mut stop => break,
                () = self.inner.hurry.notified() => {}
                // a first entry waits a little for others; another process may have written, too
                () = async {
                    let _ = tokio::time::timeout(EVERY * 30, written.changed()).await;
                    tokio::time::sleep(EVERY).await;
                } => {}
            }
        }
        if let Err(error) = self.drain().await {
            tracing::error!(error = %error, "监管日志未能签署，下次启动时补签");
        }
    }

    /// Whether something waits for the next checkpoint.
    async fn waits(&self) -> bool {
        let sql = "SELECT COUNT(*) FROM (SELECT seq FROM log_pending LIMIT 1) waiting";
        self.inner.db.count(sql, &[]).await.is_ok_and(|count| count > 0)
    }

    /// An entry with everything needed to check it elsewhere; `None` while it is not signed.
    pub async fn receipt(&self, seq: u64) -> Result<Option<Receipt>> {
        receipt(&self.inner.db, &self.inner.reader, seq).await
    }
}

/// The newest signed checkpoint of a log's folder, as text and read, and the log's key.
pub fn signed(reader: &LogReader) -> Result<Option<(String, Checkpoint, VerifierKey)>> {
    let (Some(text), Some(key)) = (reader.text(CHECKPOINT)?, reader.text(KEY)?) else {
        return Ok(None);
    };
    let key = VerifierKey::parse(&key).map_err(wrong)?;
    let checkpoint = Checkpoint::open(&text, &key, &sign::verify).map_err(wrong)?;
    Ok(Some((text, checkpoint, key)))
}

/// [`Ledger::receipt`] for whoever only reads the log.
pub async fn receipt(db: &Db, reader: &LogReader, seq: u64) -> Result<Option<Receipt>> {
    let Some((text, checkpoint, key)) = signed(reader)? else { return Ok(None) };
    if seq >= checkpoint.size {
        return Ok(None);
    }
    let bytes = reader.entry(seq)?.ok_or_else(|| Error::Corrupt("监管日志缺少条目".into()))?;
    let entry = Entry::parse(&bytes).map_err(wrong)?;
    let path = tree::inclusion(reader, seq, checkpoint.size).map_err(wrong)?;
    let sql = "SELECT * FROM act_journal WHERE log_seq = $1";
    let payload = match db.fetch_optional(sql, &[number(seq).into()]).await? {
        Some(row) => match row.opt_bytes("salt")? {
            Some(salt) => {
                Some(Opened { salt: hex::encode(salt), payload: verify::payload_of(&row)? })
            }
            // erased lawfully
            None => None,
        },
        None => None,
    };
    Ok(Some(Receipt {
        format: FORMAT.into(),
        entry: entry.canonical(),
        payload,
        index: seq,
        size: checkpoint.size,
        path: path.iter().map(hex::encode).collect(),
        checkpoint: text,
        key: key.to_text(),
        lines: Vec::new(),
    }))
}

pub(crate) fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
