//! Work that outlives a request: a plain table, so that a job is queued in the same transaction as
//! the row it is about, on both databases alike.
//!
//! A job may run twice (a lease ran out, the machine was killed); its body must make the second run
//! boring. Payloads carry ids only, never personal data.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mj_kernel::{Actor, Instant};
use tokio::sync::Notify;
use tracing::Instrument as _;

use crate::db::door::{Act, WriteTx};
use crate::db::{Db, Dialect, Lane, RowExt, Value};
use crate::error::{Error, Result};
use crate::new_id;
use crate::outbox::{self, EventHandler};

/// How often a worker looks for itself when nobody wakes it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LEASE_SECONDS: i64 = 120;
const MAX_ATTEMPTS: i64 = 5;

type Running = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A background body, by the imperative name of its job.
#[derive(Clone)]
pub struct JobHandler {
    pub kind: &'static str,
    run: Arc<dyn Fn(JobContext) -> Running + Send + Sync>,
}

impl JobHandler {
    pub fn new<F, Fut>(kind: &'static str, run: F) -> Self
    where
        F: Fn(JobContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        Self { kind, run: Arc::new(move |context| Box::pin(run(context))) }
    }
}

/// What a running job knows, and how it tells how far it is.
#[derive(Clone)]
pub struct JobContext {
    pub id: String,
    pub payload: String,
    pub attempt: i64,
    db: Db,
}

impl JobContext {
    /// Tells how far the job is and renews its lease.
    pub async fn progress(&self, done: i64, total: i64, message: &str) -> Result<()> {
        let now = self.db.clock().now();
        let mut tx = self.db.begin(Lane::Bulk, housekeeping("platform.job.progress")).await?;
        tx.execute(
            "UPDATE job SET progress_done=$1, progress_total=$2, message=$3, lease_until=$4 \
             WHERE id=$5",
            &[
                done.into(),
                total.into(),
                message.into(),
                (now + LEASE_SECONDS * 1_000_000).into(),
                self.id.as_str().into(),
            ],
        )
        .await?;
        tx.commit().await
    }
}

impl JobContext {
    /// Whether somebody asked that the job be cancelled: to be looked at between two chunks.
    pub async fn cancel_asked(&self) -> Result<bool> {
        let sql = "SELECT id FROM job WHERE id=$1 AND cancel_requested<>0 AND cancel_closed=0";
        Ok(self.db.fetch_optional(sql, &[self.id.as_str().into()]).await?.is_some())
    }
}

/// Queues a job in the caller's transaction; a second one with the same key is not queued.
pub async fn enqueue(tx: &mut WriteTx, kind: &str, payload: &str, key: &str) -> Result<()> {
    let now = tx.now();
    enqueue_at(tx, kind, payload, key, now).await
}

/// As [`enqueue`], but not before `run_at`: a person may still change their mind.
pub async fn enqueue_at(
    tx: &mut WriteTx,
    kind: &str,
    payload: &str,
    key: &str,
    run_at: Instant,
) -> Result<()> {
    let now = tx.now();
    let args: [Value; 6] =
        [new_id().into(), kind.into(), payload.into(), key.into(), run_at.into(), now.into()];
    tx.execute(
        "INSERT INTO job (id, kind, payload, idempotency_key, state, run_at, created_at, attempts, \
         progress_done, progress_total, message) \
         VALUES ($1,$2,$3,$4,'queued',$5,$6,0,0,0,'') ON CONFLICT (idempotency_key) DO NOTHING",
        &args,
    )
    .await?;
    Ok(())
}

/// Asks that a job be cancelled, in the caller's transaction. It is the job that ends itself, between
/// two of its chunks; one that still waits is called at once. `false`: it is over, or too late.
pub async fn ask_to_cancel(tx: &mut WriteTx, key: &str) -> Result<bool> {
    let now = tx.now();
    let asked = tx
        .execute(
            "UPDATE job SET cancel_requested=$1, \
             run_at=CASE WHEN state = 'queued' AND run_at > $1 THEN $1 ELSE run_at END \
             WHERE idempotency_key=$2 AND state IN ('queued','running') AND cancel_closed=0",
            &[now.into(), key.into()],
        )
        .await?;
    Ok(asked > 0)
}

/// From the caller's transaction on the job can no longer be cancelled. `false`: somebody asked for it
/// before, and the job must not go on. Work that is no job cannot be asked.
pub async fn close_to_cancel(tx: &mut WriteTx, key: &str) -> Result<bool> {
    let now = tx.now();
    let closed = tx
        .execute(
            "UPDATE job SET cancel_closed=$1 \
             WHERE idempotency_key=$2 AND (cancel_requested=0 OR cancel_closed<>0)",
            &[now.into(), key.into()],
        )
        .await?;
    if closed > 0 {
        return Ok(true);
    }
    let known = "SELECT id FROM job WHERE idempotency_key=$1";
    Ok(tx.fetch_optional(known, &[key.into()]).await?.is_none())
}

/// Whether somebody asked that a job be cancelled while that was possible.
pub async fn cancel_asked(db: &Db, key: &str) -> Result<bool> {
    let sql = "SELECT id FROM job \
               WHERE idempotency_key=$1 AND cancel_requested<>0 AND cancel_closed=0";
    Ok(db.fetch_optional(sql, &[key.into()]).await?.is_some())
}

/// Takes jobs and events off their tables and runs them.
#[derive(Clone)]
pub struct Runner {
    db: Db,
    jobs: Arc<HashMap<&'static str, JobHandler>>,
    events: Arc<[EventHandler]>,
    wake: Arc<Notify>,
}

impl Runner {
    pub fn new(db: Db, jobs: Vec<JobHandler>, events: Vec<EventHandler>) -> Self {
        let jobs = jobs.into_iter().map(|job| (job.kind, job)).collect();
        Self { db, jobs: Arc::new(jobs), events: events.into(), wake: Arc::default() }
    }

    /// Tells the runner that something was just queued.
    pub fn wake(&self) {
        self.wake.notify_waiters();
    }

    /// Runs until `stop` resolves; what is under way is finished first. Events have a worker of
    /// their own and jobs have two, so that a small batch does not wait behind a large one.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        self.work(&[false, true, true], stop).await;
    }

    /// The same for events alone: beside one piece of work that this process is there for.
    pub async fn hear(&self, stop: impl Future<Output = ()>) {
        self.work(&[false], stop).await;
    }

    /// One worker each, for jobs or for events.
    async fn work(&self, for_jobs: &[bool], stop: impl Future<Output = ()>) {
        let (stopping, stopped) = tokio::sync::watch::channel(false);
        let worker = |jobs: bool| {
            let (runner, mut stopped) = (self.clone(), stopped.clone());
            tokio::spawn(async move {
                while !*stopped.borrow() {
                    let outcome =
                        if jobs { runner.run_jobs().await } else { runner.run_events().await };
                    if let Err(error) = outcome {
                        tracing::error!(error = %error, "后台任务出错，稍后重试");
                    }
                    tokio::select! {
                        _ = stopped.changed() => {}
                        () = runner.wake.notified() => {}
                        () = tokio::time::sleep(LOOK_EVERY) => {}
                    }
                }
            })
        };
        let workers: Vec<_> = for_jobs.iter().map(|jobs| worker(*jobs)).collect();
        stop.await;
        let _ = stopping.send(true);
        for worker in workers {
            if let Err(error) = worker.await {
                tracing::error!(error = %error, "后台程序中断");
            }
        }
    }

    /// Runs whatever is due now, jobs and events, until nothing is left. An event whose handler fails
    /// stays for the next time and does not keep jobs from running; the error is told at the end.
    pub async fn run_until_idle(&self) -> Result<usize> {
        let mut ran = 0;
        loop {
            let events = self.run_events().await;
            let jobs = self.run_jobs().await?;
            let delivered = events?;
            if delivered + jobs == 0 {
                return Ok(ran);
            }
            ran += delivered + jobs;
        }
    }

    async fn run_events(&self) -> Result<usize> {
        if self.db.is_held() {
            return Ok(0);
        }
        outbox::deliver(&self.db, &self.events).await
    }

    async fn run_jobs(&self) -> Result<usize> {
        let mut ran = 0;
        while self.run_one().await? {
            ran += 1;
        }
        Ok(ran)
    }

    async fn run_one(&self) -> Result<bool> {
        let Some(context) = self.take().await? else { return Ok(false) };
        let kind = self.kind_of(&context).await?;
        let handler = self.jobs.get(kind.as_str()).cloned();
        let outcome = match handler {
            Some(handler) => {
                // a panic in one job must not take the runner down with it
                let body = (handler.run)(context.clone());
                let span = tracing::error_span!("job", job.id = %context.id, job.kind = %kind);
                tokio::spawn(body.instrument(span))
                    .await
                    .unwrap_or_else(|error| Err(Error::Other(format!("任务中断：{error}"))))
            }
            None => Err(Error::Other("没有能执行此任务的程序".into())),
        };
        self.finish(&context, outcome).await?;
        Ok(true)
    }

    async fn kind_of(&self, context: &JobContext) -> Result<String> {
        self.db
            .fetch_one("SELECT kind FROM job WHERE id = $1", &[context.id.as_str().into()])
            .await?
            .text("kind")
    }

    async fn take(&self) -> Result<Option<JobContext>> {
        // they wait: nothing they could write is taken in now
        if self.db.is_held() {
            return Ok(None);
        }
        let now = self.db.clock().now();
        let due = "SELECT id FROM job WHERE (state = 'queued' AND run_at <= $1) \
                   OR (state = 'running' AND lease_until < $1) ORDER BY run_at, id LIMIT 1";
        if self.db.fetch_optional(due, &[now.into()]).await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.db.begin(Lane::Bulk, housekeeping("platform.job.take")).await?;
        let skip =
            if self.db.dialect() == Dialect::Postgres { " FOR UPDATE SKIP LOCKED" } else { "" };
        let Some(row) = tx.fetch_optional(&format!("{due}{skip}"), &[now.into()]).await? else {
            return Ok(None);
        };
        let id = row.text("id")?;
        tx.execute(
            "UPDATE job SET state='running', attempts=attempts+1, started_at=$1, lease_until=$2 \
             WHERE id=$3",
            &[now.into(), (now + LEASE_SECONDS * 1_000_000).into(), id.as_str().into()],
        )
        .await?;
        let row = tx
            .fetch_optional("SELECT payload, attempts FROM job WHERE id=$1", &[id.as_str().into()])
            .await?
            .ok_or_else(|| Error::Missing { table: "job", id: id.clone() })?;
        let context = JobContext {
            id,
            payload: row.text("payload")?,
            attempt: row.int("attempts")?,
            db: self.db.clone(),
        };
        tx.commit().await?;
        Ok(Some(context))
    }

    async fn finish(&self, context: &JobContext, outcome: Result<()>) -> Result<()> {
        let now = self.db.clock().now();
        let (state, message, run_at) = match &outcome {
            Ok(()) => ("done", String::new(), now),
            Err(error) if context.attempt >= MAX_ATTEMPTS => ("failed", error.to_string(), now),
            Err(error) => {
                ("queued", error.to_string(), now + (1 << context.attempt.min(8)) * 1_000_000)
            }
        };
        if let Err(error) = &outcome {
            tracing::warn!(job.id = %context.id, attempt = context.attempt, error = %error, "任务未成");
        }
        let mut tx = self.db.begin(Lane::Bulk, housekeeping("platform.job.finish")).await?;
        tx.execute(
            "UPDATE job SET state=$1, message=CASE WHEN $2 = '' THEN message ELSE $2 END, \
             run_at=$3, finished_at=$4, lease_until=0 WHERE id=$5",
            &[state.into(), message.into(), run_at.into(), now.into(), context.id.as_str().into()],
        )
        .await?;
        tx.commit().await
    }

    /// After a restart nobody else holds a lease on an embedded database: take its jobs back.
    pub async fn reclaim(&self) -> Result<()> {
        let mut tx = self.db.begin(Lane::Bulk, housekeeping("platform.job.reclaim")).await?;
        tx.execute("UPDATE job SET state='queued', lease_until=0 WHERE state='running'", &[])
            .await?;
        tx.commit().await
    }
}

fn housekeeping(action: &'static str) -> Act {
    Act::new(&Actor::system("jobs"), action, "")
}
