//! Events wait here from the transaction that made them true until every handler has had them.
//!
//! Delivery is at least once and in order; a handler that fails is tried again and holds back only
//! what comes after it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use mj_kernel::Event;

use crate::db::door::{Act, WriteTx};
use crate::db::{Db, DbRow, Lane, RowExt, Value};
use crate::error::{Error, Result};
use crate::new_id;

type Handling = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// What one domain does when another tells it something. Must be idempotent.
#[derive(Clone)]
pub struct EventHandler {
    pub name: &'static str,
    run: Arc<dyn Fn(Event) -> Handling + Send + Sync>,
}

impl EventHandler {
    pub fn new<F, Fut>(name: &'static str, run: F) -> Self
    where
        F: Fn(Event) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        Self { name, run: Arc::new(move |event| Box::pin(run(event))) }
    }
}

pub(crate) async fn put(tx: &mut WriteTx, event: &Event) -> Result<()> {
    let payload = serde_json::to_string(event)
        .map_err(|error| Error::Other(format!("事件无法保存：{error}")))?;
    let args: [Value; 4] = [new_id().into(), tx.now().into(), event.name().into(), payload.into()];
    tx.execute("INSERT INTO outbox (id, at, name, payload) VALUES ($1,$2,$3,$4)", &args).await?;
    Ok(())
}

/// Delivers what waits; returns how many events went out.
pub async fn deliver(db: &Db, handlers: &[EventHandler]) -> Result<usize> {
    let mut delivered = 0;
    loop {
        let rows = db
            .fetch_all(
                "SELECT id, payload FROM outbox WHERE delivered_at IS NULL ORDER BY id LIMIT 100",
                &[],
            )
            .await?;
        if rows.is_empty() {
            return Ok(delivered);
        }
        let mut done: Vec<Value> = Vec::with_capacity(rows.len());
        let mut outcome = Ok(());
        for row in &rows {
            outcome = deliver_one(row, handlers).await;
            if outcome.is_err() {
                break;
            }
            done.push(row.text("id")?.into());
        }
        mark_delivered(db, &done).await?;
        outcome?;
        delivered += done.len();
    }
}

async fn deliver_one(row: &DbRow, handlers: &[EventHandler]) -> Result<()> {
    let event: Event = serde_json::from_str(&row.text("payload")?)
        .map_err(|error| Error::Corrupt(format!("发件箱中的事件无法读取：{error}")))?;
    for handler in handlers {
        (handler.run)(event.clone()).await?;
    }
    Ok(())
}

/// Many at once: a commit for each would cost as much as what most handlers do, and whoever is cut off
/// before it hears an event twice, as handlers must bear anyway.
async fn mark_delivered(db: &Db, ids: &[Value]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let act = Act::new(&mj_kernel::Actor::system("outbox"), "platform.outbox.deliver", "");
    let mut tx = db.begin(Lane::Bulk, act).await?;
    let marks: Vec<String> = (2..=ids.len() + 1).map(|at| format!("${at}")).collect();
    let sql = format!("UPDATE outbox SET delivered_at = $1 WHERE id IN ({})", marks.join(","));
    let mut args: Vec<Value> = vec![db.clock().now().into()];
    args.extend_from_slice(ids);
    tx.execute(&sql, &args).await?;
    tx.commit().await
}
