//! Stopping a load. A person asks with a reason; the load ends itself at its next chunk, and nothing of
//! it is in the stores. From the transaction on in which it becomes final it is too late.
//!
//! The wish stands with the batch's job (`mj_platform::jobs`) and so survives a restart; who asked and
//! why is a row of `hub_stop`, one for each run of the batch that was stopped.

use mj_platform::jobs;
use mj_platform::{Act, DbRow, Lane, RowExt, TruthTable, Value, WriteTx, new_id};

use crate::Datahub;
use crate::error::{Error, Result};
use crate::model::{Batch, BatchState, Counts};
use crate::{store, withdraw};

pub const HUB_STOP: TruthTable = TruthTable {
    name: "hub_stop",
    columns: &[
        "id",
        "batch_id",
        "attempt",
        "reason",
        "actor",
        "asked_at",
        "stopped_at",
        "rows_judged",
    ],
};

/// Who stopped a run of a batch, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    id: String,
    pub reason: String,
    pub actor: String,
    pub asked_at: i64,
    /// `None`: the load has not come to its next chunk yet.
    pub stopped_at: Option<i64>,
    pub rows_judged: i64,
}

fn read(row: &DbRow) -> Result<Stop> {
    Ok(Stop {
        id: row.text("id")?,
        reason: row.text("reason")?,
        actor: row.text("actor")?,
        asked_at: row.int("asked_at")?,
        stopped_at: row.opt_int("stopped_at")?,
        rows_judged: row.int("rows_judged")?,
    })
}

const OF_BATCH: &str = "SELECT * FROM hub_stop WHERE batch_id = $1 AND attempt = $2";

impl Datahub {
    /// Asks for a batch to be stopped. One that was not begun is cancelled at once; one under way at
    /// its next chunk. Asked again it says the same.
    pub async fn stop_batch(&self, act: Act, id: &str, reason: &str) -> Result<Batch> {
        let mut tx = self.db.begin(Lane::People, act).await?;
        // one after another, on PostgreSQL too: one stop for a run
        tx.position().await?;
        let mut batch = store::batch::by_id_in(&mut tx, id).await?.ok_or(Error::UnknownBatch)?;
        match batch.state {
            BatchState::Settled => return Err(Error::TooLateToStop("已经入库")),
            BatchState::Failed => return Err(Error::TooLateToStop("处理失败，没有入库")),
            BatchState::Cancelled => return Err(Error::TooLateToStop("已经取消")),
            BatchState::Received | BatchState::Running => {}
        }
        if stop_in(&mut tx, &batch).await?.is_some() {
            return Ok(batch);
        }
        if !jobs::ask_to_cancel(&mut tx, &batch.job_key()).await? {
            return Err(Error::TooLateToStop("正在完成入库"));
        }
        let actor = tx.act().actor.clone();
        let asked: [(&str, Value); 7] = [
            ("id", new_id().into()),
            ("batch_id", id.into()),
            ("attempt", batch.attempt.into()),
            ("reason", reason.into()),
            ("actor", actor.into()),
            ("asked_at", tx.now().into()),
            ("rows_judged", Value::Int(0)),
        ];
        tx.insert(&HUB_STOP, &asked).await?;
        if batch.state == BatchState::Received {
            end(&mut tx, &mut batch, 0).await?;
        }
        tx.commit().await?;
        self.wake();
        Ok(batch)
    }

    /// Who stopped this run of the batch, if anybody did.
    pub async fn stop_of(&self, batch: &Batch) -> Result<Option<Stop>> {
        let args = [batch.id.as_str().into(), batch.attempt.into()];
        self.db.fetch_optional(OF_BATCH, &args).await?.map(|row| read(&row)).transpose()
    }

    /// What the load does when it finds that it was asked to stop: the batch is cancelled in the name
    /// of whoever asked.
    pub(crate) async fn end_stopped(&self, batch: &Batch, rows_judged: i64) -> Result<Batch> {
        let stop = self.stop_of(batch).await?;
        let object = format!("hub_batch:{}", batch.id);
        let system = mj_kernel::Actor::system("datahub");
        let mut act = Act::new(&system, "datahub.batch.stop", object);
        if let Some(stop) = stop {
            act.actor = stop.actor;
            act = act.because(stop.reason);
        }
        let mut tx = self.db.begin(Lane::People, act).await?;
        let now_there = store::batch::by_id_in(&mut tx, &batch.id).await?;
        let mut batch = now_there.ok_or(Error::UnknownBatch)?;
        if !batch.state.is_final() {
            end(&mut tx, &mut batch, rows_judged).await?;
            tx.commit().await?;
        }
        Ok(batch)
    }
}

async fn stop_in(tx: &mut WriteTx, batch: &Batch) -> Result<Option<Stop>> {
    let args = [batch.id.as_str().into(), batch.attempt.into()];
    tx.fetch_optional(OF_BATCH, &args).await?.map(|row| read(&row)).transpose()
}

/// The batch as it was received, and cancelled.
async fn end(tx: &mut WriteTx, batch: &mut Batch, rows_judged: i64) -> Result<()> {
    let now = tx.now();
    batch.state = BatchState::Cancelled;
    batch.counts = Counts::received(batch.counts.front);
    batch.settled_at = Some(now);
    batch.message = Some("已停止导入，没有一行入库；需要时可重新报送同一文件。".into());
    store::error_row::clear(tx, &batch.id).await?;
    batch.version = store::batch::save_outcome(tx, batch).await?;
    if let Some(stop) = stop_in(tx, batch).await? {
        let changes = [("stopped_at", now.into()), ("rows_judged", rows_judged.into())];
        tx.update(&HUB_STOP, &stop.id, None, &changes).await?;
    }
    withdraw::queue(tx, batch).await
}
