//! Deliveries and their counts.

use std::collections::BTreeMap;

use mj_platform::DbRow;
use mj_platform::{Db, RowExt, TruthTable, Value, WriteTx};
use mj_web::{Sort, Sortable};

use crate::error::{Error, Result};
use crate::model::{Batch, BatchState, Channel, Counts, Portion};

pub const HUB_BATCH: TruthTable = TruthTable {
    name: "hub_batch",
    columns: &[
        "id",
        "table_name",
        "cd_source",
        "cd_batch",
        "channel",
        "portion",
        "format",
        "body_sha256",
        "file_name",
        "blob_id",
        "bytes",
        "state",
        "front",
        "pending",
        "correct",
        "error",
        "duplicate",
        "superseded",
        "by_class",
        "by_rule",
        "received_at",
        "settled_at",
        "message",
        "mends_batch",
        "header",
        "encoding",
        "attempt",
    ],
};

/// Holds every other delivery of this source back until the transaction ends, so that two senders of
/// one number, or of one file, meet here and not later.
pub async fn lock_source(tx: &mut WriteTx, cd_source: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO hub_intake (cd_source, day, last) VALUES ($1, '', 0) \
         ON CONFLICT (cd_source) DO UPDATE SET last = hub_intake.last",
        &[cd_source.into()],
    )
    .await?;
    Ok(())
}

/// The next number of the source on this day. Call it under [`lock_source`].
pub async fn next_number(
    tx: &mut WriteTx,
    cd_source: &str,
    day: chrono::NaiveDate,
) -> Result<String> {
    let row = tx
        .fetch_optional(
            "SELECT day, last FROM hub_intake WHERE cd_source = $1",
            &[cd_source.into()],
        )
        .await?
        .ok_or_else(|| mj_platform::Error::Missing { table: "hub_intake", id: cd_source.into() })?;
    let mut count = if row.text("day")? == day.to_string() { row.int("last")? } else { 0 };
    let number = loop {
        count += 1;
        let number = crate::model::batch_number(day, count);
        // senders may have chosen numbers of this day themselves
        let taken = tx
            .fetch_optional(
                "SELECT id FROM hub_batch WHERE cd_source = $1 AND cd_batch = $2 LIMIT 1",
                &[cd_source.into(), number.as_str().into()],
            )
            .await?;
        if taken.is_none() {
            break number;
        }
    };
    tx.execute(
        "UPDATE hub_intake SET day = $1, last = $2 WHERE cd_source = $3",
        &[day.into(), count.into(), cd_source.into()],
    )
    .await?;
    Ok(number)
}

pub async fn insert(tx: &mut WriteTx, batch: &Batch) -> Result<()> {
    let mut row = outcome(batch)?;
    row.extend([
        ("id", batch.id.as_str().into()),
        ("table_name", batch.table.as_str().into()),
        ("cd_source", batch.cd_source.as_str().into()),
        ("cd_batch", batch.cd_batch.as_str().into()),
        ("channel", batch.channel.name().into()),
        ("portion", batch.portion.name().into()),
        ("format", batch.format.as_str().into()),
        ("body_sha256", batch.body_sha256.as_str().into()),
        ("file_name", batch.file_name.clone().into()),
        ("blob_id", batch.blob_id.as_str().into()),
        ("bytes", batch.bytes.into()),
        ("received_at", batch.received_at.into()),
        ("mends_batch", batch.mends_batch.clone().into()),
    ]);
    Ok(tx.insert(&HUB_BATCH, &row).await?)
}

/// Writes where the batch stands; who it is never changes.
pub async fn save_outcome(tx: &mut WriteTx, batch: &Batch) -> Result<i64> {
    Ok(tx.update(&HUB_BATCH, &batch.id, None, &outcome(batch)?).await?)
}

fn outcome(batch: &Batch) -> Result<Vec<(&'static str, Value)>> {
    let json = |map: &BTreeMap<String, i64>| -> Result<Value> {
        Ok(serde_json::to_string(map).map_err(Error::json("批次"))?.into())
    };
    Ok(vec![
        ("state", batch.state.name().into()),
        ("front", batch.counts.front.into()),
        ("pending", batch.counts.pending.into()),
        ("correct", batch.counts.correct.into()),
        ("error", batch.counts.error.into()),
        ("duplicate", batch.counts.duplicate.into()),
        ("superseded", batch.counts.superseded.into()),
        ("by_class", json(&batch.by_class)?),
        ("by_rule", json(&batch.by_rule)?),
        ("settled_at", batch.settled_at.into()),
        ("message", batch.message.clone().into()),
        (
            "header",
            match &batch.header {
                Some(header) => serde_json::to_string(header).map_err(Error::json("批次"))?.into(),
                None => Value::Null,
            },
        ),
        ("encoding", batch.encoding.clone().into()),
        ("attempt", batch.attempt.into()),
    ])
}

pub async fn by_id(db: &Db, id: &str) -> Result<Option<Batch>> {
    db.fetch_optional("SELECT * FROM hub_batch WHERE id = $1", &[id.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

/// The batch as it stands inside a transaction, locked against a second runner.
pub async fn by_id_in(tx: &mut WriteTx, id: &str) -> Result<Option<Batch>> {
    let lock = match tx.dialect() {
        mj_platform::Dialect::Postgres => " FOR UPDATE",
        mj_platform::Dialect::Sqlite => "",
    };
    tx.fetch_optional(&format!("SELECT * FROM hub_batch WHERE id = $1{lock}"), &[id.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

pub async fn by_number(
    tx: &mut WriteTx,
    cd_source: &str,
    table: &str,
    cd_batch: &str,
) -> Result<Option<Batch>> {
    tx.fetch_optional(
        "SELECT * FROM hub_batch WHERE cd_source = $1 AND table_name = $2 AND cd_batch = $3",
        &[cd_source.into(), table.into(), cd_batch.into()],
    )
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// The first delivery of the same bytes for the same table.
pub async fn by_body(
    tx: &mut WriteTx,
    cd_source: &str,
    table: &str,
    body_sha256: &str,
) -> Result<Option<Batch>> {
    tx.fetch_optional(
        "SELECT * FROM hub_batch WHERE cd_source = $1 AND table_name = $2 AND body_sha256 = $3 \
         ORDER BY id LIMIT 1",
        &[cd_source.into(), table.into(), body_sha256.into()],
    )
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// What a list of batches is narrowed by. `sources` comes from the caller's scope.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    pub table: Option<&'a str>,
    pub cd_source: Option<&'a str>,
    pub state: Option<&'a str>,
    /// `None`: every source.
    pub sources: Option<&'a [String]>,
    pub sort: Option<Sort>,
    pub before: Option<&'a str>,
    pub limit: i64,
}

/// What batches may be sorted by.
pub const SORTABLE: [Sortable; 4] = [
    Sortable { name: "received", sql: "received_at", is_number: true },
    Sortable { name: "front", sql: "front", is_number: true },
    Sortable { name: "correct", sql: "correct", is_number: true },
    Sortable { name: "error", sql: "error", is_number: true },
];

/// Where a list in this order goes on after the batch.
pub fn cursor_of(batch: &Batch, sort: Option<Sort>) -> String {
    let value = match sort.as_ref().map(Sort::name) {
        None => return batch.id.clone(),
        Some("front") => batch.counts.front,
        Some("correct") => batch.counts.correct,
        Some("error") => batch.counts.error,
        Some(_) => batch.received_at,
    };
    Sort::cursor(value, &batch.id)
}

/// Newest first; one more than `limit` so that the caller sees whether there is a next page.
pub async fn list(db: &Db, filter: &Filter<'_>) -> Result<Vec<Batch>> {
    let mut args: Vec<Value> = Vec::new();
    let mut sql = String::from("SELECT * FROM hub_batch WHERE 1=1");
    for (column, value) in
        [("table_name", filter.table), ("cd_source", filter.cd_source), ("state", filter.state)]
    {
        if let Some(value) = value {
            args.push(value.into());
            sql.push_str(&format!(" AND {column} = ${}", args.len()));
        }
    }
    match (filter.before, &filter.sort) {
        (Some(before), Some(sort)) => sql.push_str(&sort.after(before, "id", &mut args)),
        (Some(before), None) => {
            args.push(before.into());
            sql.push_str(&format!(" AND id < ${}", args.len()));
        }
        (None, _) => {}
    }
    push_sources(&mut sql, &mut args, filter.sources);
    let order = filter.sort.map_or_else(|| " ORDER BY id DESC".to_owned(), |sort| sort.order("id"));
    args.push((filter.limit + 1).into());
    sql.push_str(&format!("{order} LIMIT ${}", args.len()));
    db.fetch_all(&sql, &args).await?.iter().map(read).collect()
}

fn push_sources(sql: &mut String, args: &mut Vec<Value>, sources: Option<&[String]>) {
    let Some(sources) = sources else { return };
    if sources.is_empty() {
        sql.push_str(" AND 1=0");
        return;
    }
    let marks: Vec<String> = sources
        .iter()
        .map(|code| {
            args.push(code.as_str().into());
            format!("${}", args.len())
        })
        .collect();
    sql.push_str(&format!(" AND cd_source IN ({})", marks.join(",")));
}

/// Sums for the overview, by table and portion.
pub struct TableSum {
    pub table: String,
    pub portion: String,
    pub counts: Counts,
    pub batches: i64,
    pub last_received_at: i64,
}

pub async fn sums(db: &Db, sources: Option<&[String]>) -> Result<Vec<TableSum>> {
    let mut args = Vec::new();
    let mut sql = String::from(
        "SELECT table_name, portion, CAST(COUNT(*) AS BIGINT) AS batches, \
         CAST(MAX(received_at) AS BIGINT) AS last_at",
    );
    for layer in ["front", "pending", "correct", "error", "duplicate", "superseded"] {
        sql.push_str(&format!(", CAST(SUM({layer}) AS BIGINT) AS {layer}"));
    }
    sql.push_str(" FROM hub_batch WHERE 1=1");
    push_sources(&mut sql, &mut args, sources);
    sql.push_str(" GROUP BY table_name, portion ORDER BY table_name, portion");
    db.fetch_all(&sql, &args)
        .await?
        .iter()
        .map(|row| {
            Ok(TableSum {
                table: row.text("table_name")?,
                portion: row.text("portion")?,
                counts: read_counts(row)?,
                batches: row.int("batches")?,
                last_received_at: row.int("last_at")?,
            })
        })
        .collect()
}

/// `by_class` of every batch in reach, for the overview.
pub async fn classes(db: &Db, sources: Option<&[String]>) -> Result<BTreeMap<String, i64>> {
    let mut args = Vec::new();
    let mut sql = String::from("SELECT by_class FROM hub_batch WHERE error > 0");
    push_sources(&mut sql, &mut args, sources);
    sql.push_str(" ORDER BY id");
    let mut total = BTreeMap::new();
    for row in db.fetch_all(&sql, &args).await? {
        for (class, rows) in parse_map(&row.text("by_class")?)? {
            *total.entry(class).or_default() += rows;
        }
    }
    Ok(total)
}

/// Every batch in the order of reception, in pages; for reconciliation.
pub async fn page_unscoped(db: &Db, after: &str, limit: i64) -> Result<Vec<Batch>> {
    db.fetch_all(
        "SELECT * FROM hub_batch WHERE id > $1 ORDER BY id LIMIT $2",
        &[after.into(), limit.into()],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

pub fn read(row: &DbRow) -> Result<Batch> {
    let corrupt = |what: &str| mj_platform::Error::Corrupt(format!("批次的{what}无法识别"));
    Ok(Batch {
        id: row.text("id")?,
        version: row.int("version")?,
        table: row.text("table_name")?,
        cd_source: row.text("cd_source")?,
        cd_batch: row.text("cd_batch")?,
        channel: Channel::parse(&row.text("channel")?).ok_or_else(|| corrupt("渠道"))?,
        portion: Portion::parse(&row.text("portion")?).ok_or_else(|| corrupt("存量增量标志"))?,
        format: row.text("format")?,
        body_sha256: row.text("body_sha256")?,
        file_name: row.opt_text("file_name")?,
        blob_id: row.text("blob_id")?,
        bytes: row.int("bytes")?,
        state: BatchState::parse(&row.text("state")?).ok_or_else(|| corrupt("状态"))?,
        counts: read_counts(row)?,
        by_class: parse_map(&row.text("by_class")?)?,
        by_rule: parse_map(&row.text("by_rule")?)?,
        received_at: row.int("received_at")?,
        settled_at: row.opt_int("settled_at")?,
        message: row.opt_text("message")?,
        mends_batch: row.opt_text("mends_batch")?,
        header: row
            .opt_text("header")?
            .map(|text| serde_json::from_str(&text).map_err(Error::json("批次")))
            .transpose()?,
        encoding: row.opt_text("encoding")?,
        attempt: row.int("attempt")?,
    })
}

fn read_counts(row: &DbRow) -> Result<Counts> {
    Ok(Counts {
        front: row.int("front")?,
        pending: row.int("pending")?,
        correct: row.int("correct")?,
        error: row.int("error")?,
        duplicate: row.int("duplicate")?,
        superseded: row.int("superseded")?,
    })
}

fn parse_map(text: &str) -> Result<BTreeMap<String, i64>> {
    serde_json::from_str(text).map_err(Error::json("批次"))
}
