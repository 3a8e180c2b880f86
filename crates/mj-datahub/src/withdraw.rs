//! What a load that ended without a row said of parties is taken back: it wrote its mentions ahead of
//! its rows. A job of its own does it in a quiet moment, because another load may be about to use the
//! same wordings.

use mj_facts::At;
use mj_platform::jobs::{self, JobContext};
use mj_platform::{Act, Lane, RowExt, WriteTx};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::Datahub;
use crate::error::{Error, Result};
use crate::ingest::plan::TablePlan;
use crate::model::Batch;

pub const FORGET_SAID: &str = "forget_said";

/// How long it waits when other loads are under way.
const LATER: i64 = 10_000_000;

#[derive(Serialize, Deserialize)]
struct Payload {
    batch_id: String,
    attempt: i64,
    /// How often it has waited.
    waited: i64,
}

/// Writes down, when a run begins for the first time, what had been said before it.
pub async fn remember(tx: &mut WriteTx, hub: &Datahub, batch: &Batch) -> Result<()> {
    let before = hub.registry.last_mention(tx).await?;
    tx.execute(
        "INSERT INTO hub_run (batch_id, attempt, mentions_before) VALUES ($1, $2, $3) \
         ON CONFLICT (batch_id, attempt) DO NOTHING",
        &[batch.id.as_str().into(), batch.attempt.into(), before.into()],
    )
    .await?;
    Ok(())
}

/// The run is settled: what it said is kept.
pub async fn needs_none(tx: &mut WriteTx, batch: &Batch) -> Result<()> {
    let sql = "DELETE FROM hub_run WHERE batch_id = $1 AND attempt = $2";
    tx.execute(sql, &[batch.id.as_str().into(), batch.attempt.into()]).await?;
    Ok(())
}

/// The run ended without a row.
pub async fn queue(tx: &mut WriteTx, batch: &Batch) -> Result<()> {
    let payload = Payload { batch_id: batch.id.clone(), attempt: batch.attempt, waited: 0 };
    enqueue(tx, &payload, 0).await
}

async fn enqueue(tx: &mut WriteTx, payload: &Payload, wait: i64) -> Result<()> {
    let Payload { batch_id, attempt, waited } = payload;
    let key = format!("{FORGET_SAID}:{batch_id}:{attempt}:{waited}");
    let text = serde_json::to_string(payload).map_err(Error::json("任务内容"))?;
    let at = tx.now() + wait;
    Ok(jobs::enqueue_at(tx, FORGET_SAID, &text, &key, at).await?)
}

/// The body of the job.
pub async fn run_job(hub: &Datahub, context: JobContext) -> mj_platform::Result<()> {
    let payload: Payload = serde_json::from_str(&context.payload)
        .map_err(|error| mj_platform::Error::Corrupt(format!("任务内容无法读取：{error}")))?;
    forget(hub, payload).await.map_err(Into::into)
}

async fn forget(hub: &Datahub, payload: Payload) -> Result<()> {
    let act = |action| {
        let system = mj_kernel::Actor::system("datahub");
        Act::new(&system, action, format!("hub_batch:{}", payload.batch_id))
    };
    let Ok(_quiet) = hub.loads.try_write() else {
        let mut tx = hub.db.begin(Lane::Bulk, act("datahub.batch.withdraw")).await?;
        let later = Payload { waited: payload.waited + 1, ..payload };
        enqueue(&mut tx, &later, LATER).await?;
        return Ok(tx.commit().await?);
    };
    let sql = "SELECT mentions_before FROM hub_run WHERE batch_id = $1 AND attempt = $2";
    let args = [payload.batch_id.as_str().into(), payload.attempt.into()];
    // it was never begun, or this was done
    let Some(row) = hub.db.fetch_optional(sql, &args).await? else { return Ok(()) };
    let before = row.int("mentions_before")?;
    let mut carried = FxHashSet::default();
    for table in hub.standard.tables() {
        let Some(plan) = TablePlan::new(hub.standard, table) else { continue };
        carried.extend(hub.facts.snapshot(&plan.spec, At::Latest).await?.mentions_after(before));
    }
    hub.registry.forget_unused(before, &carried).await?;
    let mut tx = hub.db.begin(Lane::Bulk, act("datahub.batch.withdraw")).await?;
    let done = "DELETE FROM hub_run WHERE batch_id = $1 AND attempt = $2";
    tx.execute(done, &args).await?;
    Ok(tx.commit().await?)
}
