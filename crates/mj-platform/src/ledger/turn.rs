//! The turn to the next volume (册) of the log: an entry of its own, which names the last checkpoint of
//! the volume before and says the whole state anew, so that the new volume stands by itself.
//!
//! The write door is held from the last entry of the old volume to the first of the new one. What is
//! decided is the transaction; the files follow it, at once or at the next start.

use chrono::Datelike;
use mj_kernel::Actor;
use mj_kernel::clock::beijing_date;
use mj_ledger::volume::Cause;
use mj_ledger::{Entry, Opening};

use super::founding::restate;
use super::{Ledger, WAITING, number, waiting, wrong};
use crate::db::door::Act;
use crate::db::{Lane, RowExt};
use crate::error::{Error, Result};

/// The action of the entry that opens a volume.
pub const OPEN: &str = "ledger.log.open";

impl Ledger {
    /// Opens the next volume if a year began since the first entry of this one. Whether it did.
    pub async fn turn(&self) -> Result<bool> {
        if !self.inner.yearly.load(std::sync::atomic::Ordering::SeqCst) || self.db().is_held() {
            return Ok(false);
        }
        let year = |at| beijing_date(at).year();
        let now = self.db().clock().now();
        match self.began()? {
            Some(began) if year(now) > year(began) => {}
            _ => return Ok(false),
        }
        self.open_next().await?;
        Ok(true)
    }

    /// When the volume that is being written began; `None` while it has no signed entry.
    fn began(&self) -> Result<Option<mj_kernel::Instant>> {
        let mut current = self.current();
        if current.began.is_none() && current.files.size() > 0 {
            let head = super::LogReader::new(self.shelf().folder()).head()?;
            let head = head.ok_or_else(|| Error::Corrupt("监管日志缺少首条".into()))?;
            current.began = Some(Entry::parse(&head).map_err(wrong)?.time);
        }
        Ok(current.began)
    }

    /// Opens the next volume of an intact log.
    pub(super) async fn open_next(&self) -> Result<()> {
        self.drain().await?;
        let round = self.inner.round.lock().await;
        let act = Act::new(&Actor::system("ledger"), OPEN, "log").because("新的一年，启用新册");
        let mut tx = self.db().begin(Lane::People, act).await?;
        // from here on nobody else makes an entry
        tx.note().await?;
        let end = self.current().end();
        let rows = tx.fetch_all(WAITING, &[number(end).into(), i64::MAX.into()]).await?;
        if !rows.is_empty() {
            let fresh: Result<Vec<_>> =
                rows.iter().zip(end..).map(|(row, due)| waiting(row, due)).collect();
            let (own, fresh, now) = (self.clone(), fresh?, tx.now());
            let written = tokio::task::spawn_blocking(move || own.write(&fresh, now)).await;
            written.map_err(|_| Error::Other("监管日志写入中断".into()))??;
        }
        let (opening, end) = {
            let current = self.current();
            let opening = Opening {
                cause: Cause::Year,
                damage: None,
                first: current.first,
                origin: current.key.name.clone(),
                root: current.files.root(),
                size: current.files.size(),
            };
            (opening, current.end())
        };
        let head = tx.fetch_optional("SELECT entries FROM change_head WHERE id = 1", &[]).await?;
        if head.map(|head| head.int("entries")).transpose()? != Some(number(end)) {
            return Err(Error::Corrupt("监管日志的编号与已签署的条目不符".into()));
        }
        tx.execute("DELETE FROM log_pending WHERE seq < $1", &[number(end).into()]).await?;
        tx.open_volume(opening);
        let rows = restate(&mut tx, self.db(), &self.shelf().past()?, &mut None).await?;
        tx.commit().await?;
        self.inner.sealed.send_replace(end);
        drop(round);
        tracing::info!(rows, "监管日志转入新册");
        self.drain().await
    }
}
