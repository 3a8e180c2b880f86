//! Refused rows: findings in clear (personal values masked), the delivered row sealed whole under the key
//! of the file it came in.

use mj_platform::DbRow;
use mj_platform::keys::DataKey;
use mj_platform::{Db, RowExt, Value, WriteTx};

use crate::error::{Error, Result};
use crate::model::{Batch, ErrorRow, RowIssue};

/// A refused row as the pipeline hands it over.
#[derive(Debug, Clone)]
pub struct NewErrorRow {
    pub row: i64,
    pub line: i64,
    pub cd_id: Option<String>,
    /// The delivered cells as JSON `{column: value}`, to be sealed.
    pub raw: String,
    pub issues: Vec<RowIssue>,
}

/// What binds a sealed row to its place.
pub fn raw_context(batch_id: &str, row: i64) -> String {
    format!("hub_error/{batch_id}/{row}")
}

/// Forgets what an earlier, interrupted run of the batch wrote.
pub async fn clear(tx: &mut WriteTx, batch_id: &str) -> Result<()> {
    tx.execute("DELETE FROM hub_error WHERE batch_id = $1", &[batch_id.into()]).await?;
    Ok(())
}

const COLUMNS: [&str; 9] =
    ["batch_id", "row_no", "line_no", "cd_id", "raw", "issues", "class_mask", "rules", "state"];

/// A refused row as it is stored, in the order of the columns.
pub fn sealed(key: &DataKey, batch_id: &str, row: &NewErrorRow) -> Result<Vec<Value>> {
    let mut mask = 0_i64;
    let mut rules = String::from("|");
    for issue in &row.issues {
        if let Ok(bit) = issue.class.parse::<u32>() {
            mask |= 1 << bit;
        }
        rules.push_str(&issue.rule);
        rules.push('|');
    }
    Ok(vec![
        batch_id.into(),
        row.row.into(),
        row.line.into(),
        row.cd_id.clone().into(),
        Value::Bytes(key.seal(&raw_context(batch_id, row.row), &row.raw).into_bytes()),
        serde_json::to_string(&row.issues).map_err(Error::json("错误记录"))?.into(),
        mask.into(),
        rules.into(),
        "open".into(),
    ])
}

pub async fn insert_many(tx: &mut WriteTx, rows: &[Vec<Value>]) -> Result<()> {
    Ok(tx.execute_many("hub_error", &COLUMNS, rows, "").await?)
}

/// What a list of refused rows is narrowed by.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    pub class: Option<u32>,
    pub rule: Option<&'a str>,
    pub open_only: bool,
    pub mended_only: bool,
    pub after_row: i64,
    pub limit: i64,
}

/// In the order of the file; one more than `limit`.
pub async fn list(db: &Db, batch_id: &str, filter: &Filter<'_>) -> Result<Vec<ErrorRow>> {
    select(db, batch_id, filter, "row_no, line_no, cd_id, issues, state")
        .await?
        .iter()
        .map(read)
        .collect()
}

/// With the sealed delivered row besides.
pub async fn list_raw(
    db: &Db,
    batch_id: &str,
    filter: &Filter<'_>,
) -> Result<Vec<(ErrorRow, Vec<u8>)>> {
    select(db, batch_id, filter, "row_no, line_no, cd_id, issues, state, raw")
        .await?
        .iter()
        .map(|row| Ok((read(row)?, row.bytes("raw")?)))
        .collect()
}

async fn select(db: &Db, batch_id: &str, filter: &Filter<'_>, columns: &str) -> Result<Vec<DbRow>> {
    let mut args: Vec<Value> = vec![batch_id.into(), filter.after_row.into()];
    let mut sql = format!("SELECT {columns} FROM hub_error WHERE batch_id = $1 AND row_no > $2");
    if let Some(class) = filter.class.filter(|class| *class < 63) {
        args.push((1_i64 << class).into());
        sql.push_str(&format!(" AND (class_mask & ${}) <> 0", args.len()));
    }
    if let Some(rule) = filter.rule {
        // rule ids are made of [a-z0-9_.]; `_` must not stand for any character
        args.push(
            format!("%|{}|%", rule.replace('\\', "").replace('_', "\\_").replace('%', "")).into(),
        );
        sql.push_str(&format!(" AND rules LIKE ${} ESCAPE '\\'", args.len()));
    }
    if filter.open_only {
        sql.push_str(" AND state = 'open'");
    }
    if filter.mended_only {
        sql.push_str(" AND state = 'mended'");
    }
    args.push((filter.limit + 1).into());
    sql.push_str(&format!(" ORDER BY row_no LIMIT ${}", args.len()));
    Ok(db.fetch_all(&sql, &args).await?)
}

pub async fn one(db: &Db, batch_id: &str, row: i64) -> Result<Option<(ErrorRow, Vec<u8>)>> {
    db.fetch_optional(
        "SELECT row_no, line_no, cd_id, issues, state, raw FROM hub_error \
         WHERE batch_id = $1 AND row_no = $2",
        &[batch_id.into(), row.into()],
    )
    .await?
    .map(|row| Ok((read(&row)?, row.bytes("raw")?)))
    .transpose()
}

const RAW: &str = "SELECT row_no, raw FROM hub_error WHERE batch_id = $1 ORDER BY row_no";

/// Every refused row of a batch as it is sealed.
pub async fn raw_of(db: &Db, batch_id: &str) -> Result<Vec<(i64, Vec<u8>)>> {
    let rows = db.fetch_all(RAW, &[batch_id.into()]).await?;
    rows.iter().map(|row| Ok((row.int("row_no")?, row.bytes("raw")?))).collect()
}

pub async fn all_raw(tx: &mut WriteTx, batch_id: &str) -> Result<Vec<(i64, Vec<u8>)>> {
    let rows = tx.fetch_all(RAW, &[batch_id.into()]).await?;
    rows.iter().map(|row| Ok((row.int("row_no")?, row.bytes("raw")?))).collect()
}

/// Puts another sealed row, or nothing any more, in the place of one.
pub async fn replace_raw(tx: &mut WriteTx, batch_id: &str, row: i64, raw: Vec<u8>) -> Result<()> {
    let sql = "UPDATE hub_error SET raw = $1 WHERE batch_id = $2 AND row_no = $3";
    tx.execute(sql, &[raw.into(), batch_id.into(), row.into()]).await?;
    Ok(())
}

/// Marks a row as brought back by another batch. False when somebody was faster.
pub async fn mend(tx: &mut WriteTx, batch_id: &str, row: i64, by: &str) -> Result<bool> {
    let now = tx.now();
    let changed = tx
        .execute(
            "UPDATE hub_error SET state = 'mended', mended_by = $1, mended_at = $2 \
             WHERE batch_id = $3 AND row_no = $4 AND state = 'open'",
            &[by.into(), now.into(), batch_id.into(), row.into()],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn count(db: &Db, batch_id: &str) -> Result<i64> {
    Ok(db
        .count(
            "SELECT CAST(COUNT(*) AS BIGINT) FROM hub_error WHERE batch_id = $1",
            &[batch_id.into()],
        )
        .await?)
}

/// Rows of a batch that still wait to be mended.
pub async fn open_in(tx: &mut WriteTx, batch_id: &str) -> Result<i64> {
    let row = tx
        .fetch_optional(
            "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM hub_error \
             WHERE state = 'open' AND batch_id = $1",
            &[batch_id.into()],
        )
        .await?;
    Ok(row.map(|row| row.int("n")).transpose()?.unwrap_or_default())
}

/// Rows of a batch that another one brought back.
pub async fn mended_by(db: &Db, batch_id: &str, by: &str) -> Result<i64> {
    Ok(db
        .count(
            "SELECT CAST(COUNT(*) AS BIGINT) FROM hub_error WHERE batch_id = $1 AND mended_by = $2",
            &[batch_id.into(), by.into()],
        )
        .await?)
}

/// Settled batches of these sources with rows that still wait, and how many. A row of a mending batch
/// that was refused again is still open in the batch it came from; it is not counted twice.
pub async fn open_by_batch(db: &Db, sources: &[String]) -> Result<Vec<(Batch, i64)>> {
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let marks: Vec<String> = (1..=sources.len()).map(|at| format!("${at}")).collect();
    let args: Vec<Value> = sources.iter().map(|code| code.as_str().into()).collect();
    let sql = format!(
        "SELECT b.*, e.n AS open_rows FROM hub_batch b JOIN \
         (SELECT batch_id, CAST(COUNT(*) AS BIGINT) AS n FROM hub_error WHERE state = 'open' \
          GROUP BY batch_id) e ON e.batch_id = b.id \
         WHERE b.mends_batch IS NULL AND b.state = 'settled' AND b.cd_source IN ({}) ORDER BY b.id",
        marks.join(",")
    );
    db.fetch_all(&sql, &args)
        .await?
        .iter()
        .map(|row| Ok((super::batch::read(row)?, row.int("open_rows")?)))
        .collect()
}

/// Refused rows whose batch is gone.
pub async fn without_batch(db: &Db) -> Result<i64> {
    Ok(db
        .count(
            "SELECT CAST(COUNT(*) AS BIGINT) FROM hub_error \
             WHERE NOT EXISTS (SELECT 1 FROM hub_batch WHERE id = batch_id)",
            &[],
        )
        .await?)
}

fn read(row: &DbRow) -> Result<ErrorRow> {
    let issues: Vec<RowIssue> =
        serde_json::from_str(&row.text("issues")?).map_err(Error::json("错误记录"))?;
    Ok(ErrorRow {
        row: row.int("row_no")?,
        line: row.int("line_no")?,
        cd_id: row.opt_text("cd_id")?,
        issues,
        mended: row.text("state")? == "mended",
    })
}
