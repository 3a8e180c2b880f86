//! A rule applied: previewed, confirmed with a reason, run as a job after a few seconds in which it may be
//! taken back, and brought in through the ordinary door as a batch that mends.

use mj_kernel::clock::beijing_date;
use mj_platform::DbRow;
use mj_platform::jobs::{self, JobContext};
use mj_platform::{Act, Db, Lane, RowExt, TruthTable, Value, WriteTx, new_id};
use mj_tabular::ORIGINAL_ROW_COLUMN;
use serde::Deserialize;

use super::checker::{Checker, shown};
use super::fix::Fix;
use super::groups::{OpenRow, open_rows};
use super::rule_number;
use crate::Datahub;
use crate::error::{Error, Result};
use crate::model::Batch;
use crate::progress::Standing;
use crate::receive::Delivery;
use crate::store;

pub const APPLY_REPAIR: &str = "apply_repair";

pub const HUB_REPAIR: TruthTable = TruthTable {
    name: "hub_repair",
    columns: &[
        "id",
        "batch_id",
        "rule",
        "column_name",
        "fix",
        "title",
        "reason",
        "state",
        "matched",
        "submitted",
        "result_batch",
        "actor",
        "created_at",
        "run_at",
        "finished_at",
    ],
};

/// What is to be done to which rows.
#[derive(Debug, Clone)]
pub struct Plan {
    pub rule: String,
    pub column: String,
    pub fix: Fix,
}

/// One row before and after.
#[derive(Debug, Clone)]
pub struct Tried {
    pub row: i64,
    pub before: String,
    pub after: String,
    /// Passes all checks afterwards.
    pub passes: bool,
    /// What is still wrong.
    pub left: Vec<String>,
    /// The row as it would come back, in the table's order.
    values: Vec<Option<String>>,
}

/// A repair as it is kept.
#[derive(Debug, Clone)]
pub struct Repair {
    pub id: String,
    pub version: i64,
    pub batch_id: String,
    pub rule: String,
    pub column: String,
    pub fix: Fix,
    pub title: String,
    pub reason: String,
    pub state: String,
    pub matched: i64,
    pub submitted: i64,
    pub result_batch: Option<String>,
    pub actor: String,
    pub created_at: i64,
    pub run_at: i64,
    pub finished_at: i64,
}

fn read(row: &DbRow) -> Result<Repair> {
    Ok(Repair {
        id: row.text("id")?,
        version: row.int("version")?,
        batch_id: row.text("batch_id")?,
        rule: row.text("rule")?,
        column: row.text("column_name")?,
        fix: serde_json::from_str(&row.text("fix")?).map_err(Error::json("改正办法"))?,
        title: row.text("title")?,
        reason: row.text("reason")?,
        state: row.text("state")?,
        matched: row.int("matched")?,
        submitted: row.int("submitted")?,
        result_batch: row.opt_text("result_batch")?,
        actor: row.text("actor")?,
        created_at: row.int("created_at")?,
        run_at: row.int("run_at")?,
        finished_at: row.int("finished_at")?,
    })
}

pub async fn by_id(db: &Db, id: &str) -> Result<Repair> {
    let row = db.fetch_optional("SELECT * FROM hub_repair WHERE id = $1", &[id.into()]).await?;
    read(&row.ok_or(Error::UnknownErrorRow)?)
}

/// Repairs of a batch, the newest first.
pub async fn of_batch(db: &Db, batch_id: &str) -> Result<Vec<Repair>> {
    let sql = "SELECT * FROM hub_repair WHERE batch_id = $1 ORDER BY id DESC LIMIT 200";
    db.fetch_all(sql, &[batch_id.into()]).await?.iter().map(read).collect()
}

/// Rows judged between two reports of how far it is.
const STEP: usize = 500;

/// Tries the plan on every open row that has the fault; writes nothing.
pub async fn preview(hub: &Datahub, batch: &Batch, plan: &Plan) -> Result<Vec<Tried>> {
    try_all(hub, batch, plan, None).await
}

/// As [`preview`]; a job tells how far it is.
async fn try_all(
    hub: &Datahub,
    batch: &Batch,
    plan: &Plan,
    job: Option<&JobContext>,
) -> Result<Vec<Tried>> {
    let table = hub.table(&batch.table)?;
    let column = table
        .column(&plan.column)
        .ok_or_else(|| Error::Request(format!("{}没有“{}”这一列", table.title, plan.column)))?;
    plan.fix.fits(table, column).map_err(Error::Request)?;
    let today = beijing_date(hub.db.clock().now());
    let most = rule_number("rows_most", today)? as usize;
    let (rows, _) = open_rows(hub, batch, most).await?;
    let mut checker = Checker::new(hub, table, &batch.cd_source).await?;
    let rows = std::sync::Arc::new(rows);
    let mut tried = Vec::new();
    for first in (0..rows.len()).step_by(STEP) {
        let (plan, part) = (plan.clone(), rows.clone());
        let last = rows.len().min(first + STEP);
        let judged = tokio::task::spawn_blocking(move || {
            let found: Vec<Tried> = part[first..last]
                .iter()
                .filter_map(|row| try_one(&mut checker, row, &plan, today))
                .collect();
            (checker, found)
        });
        let found;
        (checker, found) = judged.await.map_err(Error::thread)?;
        tried.extend(found);
        if let Some(job) = job {
            // taken back: whoever asked for the rows finds that out under the lock
            if job.cancel_asked().await? {
                return Ok(Vec::new());
            }
            job.progress(last as i64, rows.len() as i64, "").await?;
        }
    }
    Ok(tried)
}

/// How far it is, in hundredths: half of it is judging the rows, half is bringing them in.
pub async fn percent(hub: &Datahub, repair: &Repair) -> Result<i64> {
    let Some(result) = &repair.result_batch else {
        if repair.state != "waiting" {
            return Ok(100);
        }
        let sql = "SELECT progress_done, progress_total FROM job WHERE idempotency_key = $1";
        let key = format!("{APPLY_REPAIR}:{}", repair.id);
        let Some(row) = hub.db.fetch_optional(sql, &[key.into()]).await? else { return Ok(0) };
        let (done, total) = (row.int("progress_done")?, row.int("progress_total")?);
        return Ok((done * 50).checked_div(total).unwrap_or(0));
    };
    let Some(batch) = store::batch::by_id(&hub.db, result).await? else { return Ok(100) };
    if batch.state.is_final() {
        return Ok(100);
    }
    let standing = Standing::read(&hub.db, &batch.job_key()).await?;
    Ok(50 + standing.map_or(0, |standing| standing.percent) / 2)
}

fn try_one(
    checker: &mut Checker,
    row: &OpenRow,
    plan: &Plan,
    today: chrono::NaiveDate,
) -> Option<Tried> {
    let table = checker.table;
    let at = table.column_index(&plan.column)?;
    row.known.issues.iter().find(|one| one.rule == plan.rule && one.column == plan.column)?;
    let mut values = row.values.clone();
    if !plan.fix.apply(table, at, &mut values, today) {
        return None;
    }
    let said = checker.check(&mut values.clone());
    let show = |values: &[Option<String>]| -> String {
        let columns = plan.fix.columns(&plan.column);
        let parts: Vec<String> = columns
            .iter()
            .filter_map(|name| table.column_index(name))
            .map(|at| shown(table, at, values[at].as_deref(), &said.personal))
            .collect();
        parts.join(" / ")
    };
    Some(Tried {
        row: row.known.row,
        before: show(&row.values),
        after: show(&values),
        passes: !said.refused,
        left: said
            .issues
            .iter()
            .filter(|one| one.severity == "error")
            .map(|one| format!("{}：{}", one.column_title, one.reason))
            .collect(),
        values,
    })
}

/// Writes the plan down and queues its job, a little later than now.
pub async fn queue(
    tx: &mut WriteTx,
    hub: &Datahub,
    batch: &Batch,
    plan: &Plan,
    matched: usize,
    reason: &str,
) -> Result<String> {
    let table = hub.table(&batch.table)?;
    let column = table.column(&plan.column).ok_or(Error::UnknownErrorRow)?;
    let now = tx.now();
    let wait = i64::from(rule_number("undo_seconds", beijing_date(now))?) * 1_000_000;
    let id = new_id();
    let actor = tx.act().actor.clone();
    tx.insert(
        &HUB_REPAIR,
        &[
            ("id", id.as_str().into()),
            ("batch_id", batch.id.as_str().into()),
            ("rule", plan.rule.as_str().into()),
            ("column_name", plan.column.as_str().into()),
            ("fix", serde_json::to_string(&plan.fix).map_err(Error::json("改正办法"))?.into()),
            ("title", plan.fix.title(table, column).into()),
            ("reason", reason.into()),
            ("state", "waiting".into()),
            ("matched", i64::try_from(matched).unwrap_or(i64::MAX).into()),
            ("submitted", Value::Int(0)),
            ("actor", actor.into()),
            ("created_at", now.into()),
            ("run_at", (now + wait).into()),
            ("finished_at", Value::Int(0)),
        ],
    )
    .await?;
    let payload = serde_json::json!({ "repair_id": id }).to_string();
    jobs::enqueue_at(tx, APPLY_REPAIR, &payload, &format!("{APPLY_REPAIR}:{id}"), now + wait)
        .await?;
    Ok(id)
}

/// Takes it back while it waits or judges its rows; the job looks between two steps.
pub async fn cancel(hub: &Datahub, act: Act, id: &str) -> Result<()> {
    let mut tx = hub.db.begin(Lane::People, act).await?;
    let repair = by_id_in(&mut tx, id).await?;
    if repair.state != "waiting" {
        return Err(Error::TooLateToCancel);
    }
    jobs::ask_to_cancel(&mut tx, &format!("{APPLY_REPAIR}:{id}")).await?;
    let now = tx.now();
    let changes = [("state", "cancelled".into()), ("finished_at", now.into())];
    tx.update(&HUB_REPAIR, id, Some(repair.version), &changes).await?;
    Ok(tx.commit().await?)
}

async fn by_id_in(tx: &mut WriteTx, id: &str) -> Result<Repair> {
    let lock = match tx.dialect() {
        mj_platform::Dialect::Postgres => " FOR UPDATE",
        mj_platform::Dialect::Sqlite => "",
    };
    let sql = format!("SELECT * FROM hub_repair WHERE id = $1{lock}");
    let row = tx.fetch_optional(&sql, &[id.into()]).await?;
    read(&row.ok_or(Error::UnknownErrorRow)?)
}

#[derive(Deserialize)]
struct Payload {
    repair_id: String,
}

/// The body of job `apply_repair`: every row is judged once more, those that pass come back together.
pub async fn run_job(hub: &Datahub, context: JobContext) -> mj_platform::Result<()> {
    let payload: Payload = serde_json::from_str(&context.payload)
        .map_err(|error| mj_platform::Error::Corrupt(format!("任务内容无法读取：{error}")))?;
    apply(hub, &payload.repair_id, &context).await.map_err(Into::into)
}

async fn apply(hub: &Datahub, id: &str, job: &JobContext) -> Result<()> {
    let repair = by_id(&hub.db, id).await?;
    if repair.state != "waiting" {
        return Ok(());
    }
    let batch = store::batch::by_id(&hub.db, &repair.batch_id).await?.ok_or(Error::UnknownBatch)?;
    let source = hub.source(&batch.cd_source).await?;
    let table = hub.table(&batch.table)?;
    let plan =
        Plan { rule: repair.rule.clone(), column: repair.column.clone(), fix: repair.fix.clone() };
    let tried = try_all(hub, &batch, &plan, Some(job)).await?;
    let mut body = String::new();
    let mut count = 0_i64;
    for one in tried.iter().filter(|one| one.passes) {
        let mut line = serde_json::Map::new();
        for (column, value) in table.columns.iter().zip(&one.values) {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                line.insert(column.name.clone(), value.into());
            }
        }
        line.insert(ORIGINAL_ROW_COLUMN.to_owned(), one.row.to_string().into());
        body.push_str(&serde_json::Value::Object(line).to_string());
        body.push('\n');
        count += 1;
    }
    let blob = match count {
        0 => None,
        _ => {
            let blobs = hub.blobs.clone();
            let stored = tokio::task::spawn_blocking(move || blobs.store(body.as_bytes()));
            Some(stored.await.map_err(Error::thread)??)
        }
    };
    let mut act = Act::new(
        &mj_kernel::Actor::system("datahub"),
        "datahub.repair.apply",
        format!("hub_repair:{id}"),
    )
    .because(repair.reason.clone());
    act.actor = repair.actor.clone();
    let mut tx = hub.db.begin(Lane::People, act).await?;
    let now_there = by_id_in(&mut tx, id).await?;
    if now_there.state != "waiting" {
        return Ok(());
    }
    let mut changes: Vec<(&str, Value)> =
        vec![("finished_at", tx.now().into()), ("submitted", count.into())];
    match &blob {
        None => changes.push(("state", "empty".into())),
        Some(blob) => {
            let file_name = format!("{}.jsonl", repair.title);
            let delivery = Delivery {
                table,
                source: &source,
                cd_batch: None,
                channel: batch.channel,
                portion: batch.portion,
                format: "jsonl",
                file_name: Some(&file_name),
                body_sha256: &blob.sha256,
                bytes: blob.size,
                blob: Some(blob),
                rows: Some(count),
                mends: Some(&batch.id),
            };
            let received = hub.receive(&mut tx, &delivery).await?;
            changes.push(("state", "submitted".into()));
            changes.push(("result_batch", received.batch.id.into()));
        }
    }
    tx.update(&HUB_REPAIR, id, Some(now_there.version), &changes).await?;
    tx.commit().await?;
    hub.wake();
    Ok(())
}
