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
mod freeze;
pub mod outside;
mod rekey;
mod repair;
mod retold;
mod rewind;
pub(crate) mod seals;
mod shelf;
#[cfg(test)]
mod tests;
mod touch;
mod turn;
pub mod verify;
mod weeks;
pub mod witness;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mj_kernel::{Actor, Instant};
use mj_ledger::note::{Note, Signature};
use mj_ledger::receipt::{FORMAT, Opened, Receipt};
use mj_ledger::{Cause, Checkpoint, Entry, Opening, VerifierKey, tree, volume};
use tokio::sync::{Notify, watch};

pub use book::unpack;
pub use files::{LogReader, Sheets};
pub use founding::found;
pub use freeze::{Frozen, freeze};
pub use rekey::{OLD_KEYS, finish_rekey, old_keys, rekey};
pub use repair::{Mended, repair};
pub use rewind::{rewind, signed_size};
pub use seals::{note_sealed, seal_of, seal_waiting};
pub use shelf::{CLOSED, Listed, Shelf, Volume, signed};
pub use weeks::{Week, week_of};

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
    shelf: Shelf,
    current: Mutex<Current>,
    provider: Arc<dyn SmProvider>,
    /// Whether a new year begins a new volume.
    yearly: AtomicBool,
    /// One round at a time.
    round: tokio::sync::Mutex<()>,
    sealed: watch::Sender<u64>,
    /// Somebody waits for the next checkpoint.
    hurry: Notify,
}

/// The volume that is being written.
struct Current {
    files: LogFiles,
    /// The platform-wide number of its first entry.
    first: u64,
    /// The key under the volume's name.
    key: VerifierKey,
    /// When it was made, once that was asked.
    began: Option<Instant>,
}

impl Current {
    /// Opens the newest volume of `shelf`. Where `opening` waits, the entry that opens the next one, the
    /// one it names is closed first, or the closing is finished.
    fn load(shelf: &Shelf, key: &VerifierKey, opening: Option<&(u64, Opening)>) -> Result<Self> {
        let reader = LogReader::new(shelf.folder());
        let closed = shelf.closed()?.last().copied().unwrap_or(0);
        if let Some((first, opening)) = opening {
            let number = volume::split(&opening.origin).1;
            let next = key.of_volume(&volume::origin(&volume::split(&key.name).0, number + 1));
            let text = reader.text(CHECKPOINT)?;
            let begun = text
                .as_ref()
                .is_some_and(|text| Checkpoint::open(text, &next, &sign::verify).is_ok());
            if !begun {
                let is_next = closed == number || closed + 1 == number;
                if !is_next || !volume::is_same_log(&opening.origin, &key.name) {
                    return Err(Error::Corrupt("监管日志的册次与待签条目不符".into()));
                }
                if closed < number && opening.cause == Cause::Year {
                    let last = key.of_volume(&opening.origin);
                    let text = text.unwrap_or_default();
                    let last = Checkpoint::open(&text, &last, &sign::verify).map_err(wrong)?;
                    if (last.size, last.root) != (opening.size, opening.root) {
                        return Err(Error::Corrupt("监管日志的检查点不是新册所接的".into()));
                    }
                }
                shelf.close(number)?;
                shelf.clear()?;
                let files = LogFiles::open(shelf.folder(), 0)?;
                return Ok(Self { files, first: *first, key: next, began: None });
            }
        }
        let text = reader.text(CHECKPOINT)?;
        let origin = text.as_deref().and_then(|text| text.lines().next()).unwrap_or(&key.name);
        let number = volume::split(origin).1;
        if number != closed + 1 {
            return Err(Error::Corrupt(format!(
                "监管日志的当前一册是第 {number} 册，已封存到第 {closed} 册：缺少其中的册，或数据库像是被退回到旧的备份"
            )));
        }
        let key = key.of_volume(origin);
        let signed = match &text {
            Some(text) => Some(Checkpoint::open(text, &key, &sign::verify).map_err(wrong)?),
            None => None,
        };
        let size = signed.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let first = match number {
            1 => 0,
            _ => {
                let head = reader.head()?.and_then(|head| shelf::opening_of(&head));
                let lost = || Error::Corrupt(format!("监管日志第 {number} 册缺少首条"));
                head.ok_or_else(lost)?.0
            }
        };
        let files = LogFiles::open(shelf.folder(), size)?;
        if signed.is_some_and(|checkpoint| checkpoint.root != files.root()) {
            return Err(Error::Corrupt(
                "监管日志的内容与已签署的检查点不符；用 mingjian log repair 从备份修复".into(),
            ));
        }
        Ok(Self { files, first, key, began: None })
    }

    /// The platform-wide number of the next entry.
    fn end(&self) -> u64 {
        self.first + self.files.size()
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("folder", &self.inner.shelf).finish_non_exhaustive()
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
        let key = match LogReader::new(folder).text(KEY)? {
            Some(text) => VerifierKey::parse(&text).map_err(wrong)?,
            None => {
                let short = hex::encode(&tree::sm3(&point)[..4]);
                VerifierKey { name: format!("mingjian/{area}/{short}/sm3"), point }
            }
        };
        if key.point != point {
            return Err(Error::Key("监管日志的公钥与本节点的日志密钥不符".into()));
        }
        let shelf = Shelf::new(folder);
        let opening = opening_waiting(&db).await?;
        if opening.is_none() && shelf.named()?.is_none() && signed_size(&db).await? > 0 {
            // without it everything in the files would be taken for what a crash left
            return Err(Error::Corrupt(
                "监管日志缺少检查点；用 mingjian log repair 从备份修复".into(),
            ));
        }
        let current = Current::load(&shelf, &key, opening.as_ref())?;
        let size = current.end();
        let head = db.fetch_one("SELECT entries FROM change_head WHERE id = 1", &[]).await?;
        let numbered = u64::try_from(head.int("entries")?).unwrap_or(0);
        if numbered < size {
            return Err(Error::Corrupt(format!(
                "数据库只有 {numbered} 条监管日志，已签署的检查点有 {size} 条：数据库像是被退回到旧的备份；请用 mingjian verify 查看"
            )));
        }
        current.files.replace(KEY, &format!("{}\n", current.key.to_text()))?;
        let inner = Inner {
            db,
            shelf,
            current: Mutex::new(current),
            provider,
            yearly: AtomicBool::new(false),
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

    /// All volumes, for reading.
    pub fn shelf(&self) -> &Shelf {
        &self.inner.shelf
    }

    /// The log's key under the name of the volume that is being written.
    pub fn key(&self) -> VerifierKey {
        self.current().key.clone()
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.inner.current.lock().expect("no panic while holding the log's files")
    }

    /// Whether a new year begins a new volume.
    #[must_use]
    pub fn turning_yearly(self, yearly: bool) -> Self {
        self.inner.yearly.store(yearly, Ordering::SeqCst);
        self
    }

    /// How many entries the newest signed checkpoint holds.
    pub fn sealed(&self) -> u64 {
        *self.inner.sealed.borrow()
    }

    /// The newest signed checkpoint as text; `None` before the first.
    pub fn checkpoint(&self) -> Result<Option<String>> {
        LogReader::new(self.inner.shelf.folder()).text(CHECKPOINT)
    }

    /// One round: takes what waits, up to a limit, into the files and signs. How many it took.
    pub async fn seal(&self) -> Result<usize> {
        let _round = self.inner.round.lock().await;
        let db = &self.inner.db;
        let first = self.current().end();
        if first > self.sealed() {
            // a round was cut off after its signature
            self.forget(first, None).await?;
        }
        let keys = db.vault()?;
        let mut fresh: Vec<Fresh> = Vec::new();
        let mut bytes = 0;
        'gather: while fresh.len() < ENTRIES && bytes < BYTES {
            let next = first + fresh.len() as u64;
            let rows = db.fetch_all(WAITING, &[number(next).into(), 40.into()]).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let due = first + fresh.len() as u64;
                let one = waiting(&row, due)?;
                if !seals::holds_of(keys.as_ref(), &row)? {
                    if fresh.is_empty() {
                        return Err(planted(due));
                    }
                    // what stands before it is signed first
                    break 'gather;
                }
                if opens(&one.entry).is_some() && !fresh.is_empty() {
                    // the next volume is another round
                    break 'gather;
                }
                bytes += one.entry.len() + one.sheet.len();
                fresh.push(one);
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
        let mut current = self.current();
        let opening = fresh.first().and_then(|one| shelf::opening_of(one.entry.as_bytes()));
        let outcome = self.write_to(&mut current, opening.as_ref(), fresh, now);
        if outcome.is_err() {
            // what is in memory no longer says what is on disk
            *current = Current::load(&self.inner.shelf, &current.key, opening.as_ref())?;
        }
        outcome
    }

    fn write_to(
        &self,
        current: &mut Current,
        pair: Option<&(u64, Opening)>,
        fresh: &[Fresh],
        now: Instant,
    ) -> Result<()> {
        if let Some((_, opening)) = pair
            && opening.origin == current.key.name
        {
            let (shelf, number) = (&self.inner.shelf, volume::split(&opening.origin).1);
            *current = Current::load(shelf, &current.key, pair)?;
            current.files.replace(KEY, &format!("{}\n", current.key.to_text()))?;
            tracing::info!(number = number + 1, "监管日志启用新册");
        }
        let Current { files, key, .. } = current;
        files.append(fresh)?;
        let (size, root) = (files.size(), files.root());
        let text = Checkpoint { origin: key.name.clone(), size, root, time: now }.text();
        let signature = Signature {
            name: key.name.clone(),
            key_id: key.id(),
            bytes: self.inner.provider.sign(KeyClass::Log, text.as_bytes())?.to_vec(),
        };
        weeks::keep(files, self.inner.shelf.folder(), now)?;
        files.replace(CHECKPOINT, &Note { text, signatures: vec![signature] }.to_text())?;
        files.note(HISTORY, &format!("{now}\t{size}\t{}\n", hex::encode(root)))
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
        self.current().files.replace(name, text)
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
            match self.turn().await {
                Ok(turned) => behind |= turned,
                Err(error) => tracing::error!(error = %error, "监管日志未能启用新册，稍后重试"),
            }
            while behind {
                let more = touch::catch_up(self.db(), self.shelf(), self.sealed()).await;
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
        receipt(&self.inner.db, &self.inner.shelf, seq).await
    }
}

/// Entries that wait, from a number on.
const WAITING: &str =
    "SELECT seq, entry, sheet, seal FROM log_pending WHERE seq >= $1 ORDER BY seq LIMIT $2";

/// Nothing behind it is signed either: an entry that is left out would be a gap.
fn planted(seq: u64) -> Error {
    Error::Corrupt(format!(
        "监管日志第 {seq} 条待签条目没有本节点的封印，像是绕过系统写入的，不予签署，其后的也等着；\
         请用 mingjian verify 查看，恢复备份，或查清后用 mingjian log freeze 封存本册"
    ))
}

fn waiting(row: &crate::DbRow, due: u64) -> Result<Fresh> {
    if row.int("seq")? != number(due) {
        return Err(Error::Corrupt(format!("监管日志缺少第 {due} 条待签条目")));
    }
    Ok(Fresh { entry: row.text("entry")?, sheet: row.bytes("sheet")? })
}

/// What an entry that opens a volume says, and its number. Looks at the text before it reads it.
fn opens(entry: &str) -> Option<(u64, Opening)> {
    entry.contains("\"opens\":{").then(|| shelf::opening_of(entry.as_bytes())).flatten()
}

/// The entry that opens the next volume, if it is the first that waits.
async fn opening_waiting(db: &Db) -> Result<Option<(u64, Opening)>> {
    let row = db.fetch_optional(WAITING, &[0.into(), 1.into()]).await?;
    let entry = row.map(|row| row.text("entry")).transpose()?;
    Ok(entry.and_then(|entry| opens(&entry)))
}

/// [`Ledger::receipt`] for whoever only reads the log.
pub async fn receipt(db: &Db, shelf: &Shelf, seq: u64) -> Result<Option<Receipt>> {
    let Some(volume) = shelf.holding(seq)? else { return Ok(None) };
    let (index, size) = (volume.index(seq), volume.checkpoint.size);
    let bytes = volume.entry(seq)?.ok_or_else(|| Error::Corrupt("监管日志缺少条目".into()))?;
    let entry = Entry::parse(&bytes).map_err(wrong)?;
    let path = volume.proof(seq, &bytes)?;
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
        index,
        size,
        path: path.iter().map(hex::encode).collect(),
        checkpoint: volume.text,
        key: volume.key.to_text(),
        lines: Vec::new(),
    }))
}

pub(crate) fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
