//! SQL of the corrections, one function a question.

use chrono::NaiveDate;
use mj_platform::DbRow;
use mj_platform::{Db, RowExt, TruthTable, WriteTx};

use crate::error::Result;

pub const CORRECTION: TruthTable = TruthTable {
    name: "portal_correction",
    columns: &[
        "id",
        "number",
        "code_digest",
        "register_no",
        "party_name",
        "line",
        "line_title",
        "area_number",
        "agency",
        "agency_name",
        "fault",
        "said",
        "work_item_id",
        "state",
        "verdict",
        "answer",
        "received_at",
        "answered_at",
    ],
};

/// A report as stored; the digest of its code stays in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    pub id: String,
    pub number: String,
    pub register_no: String,
    pub party_name: String,
    pub line_title: String,
    pub agency_name: Option<String>,
    pub fault: String,
    pub said: String,
    pub work_item_id: String,
    pub state: String,
    pub verdict: Option<String>,
    pub answer: Option<String>,
    pub received_at: i64,
    pub answered_at: Option<i64>,
}

fn read(row: &DbRow) -> mj_platform::Result<Correction> {
    Ok(Correction {
        id: row.text("id")?,
        number: row.text("number")?,
        register_no: row.text("register_no")?,
        party_name: row.text("party_name")?,
        line_title: row.text("line_title")?,
        agency_name: row.opt_text("agency_name")?,
        fault: row.text("fault")?,
        said: row.text("said")?,
        work_item_id: row.text("work_item_id")?,
        state: row.text("state")?,
        verdict: row.opt_text("verdict")?,
        answer: row.opt_text("answer")?,
        received_at: row.int("received_at")?,
        answered_at: row.opt_int("answered_at")?,
    })
}

/// The report of this id, if the same form was sent before.
pub async fn by_id(db: &Db, id: &str) -> Result<Option<Correction>> {
    let row =
        db.fetch_optional("SELECT * FROM portal_correction WHERE id = $1", &[id.into()]).await?;
    Ok(row.as_ref().map(read).transpose()?)
}

pub async fn by_number(db: &Db, number: &str, digest: &str) -> Result<Option<Correction>> {
    let sql = "SELECT * FROM portal_correction WHERE number = $1 AND code_digest = $2";
    let row = db.fetch_optional(sql, &[number.into(), digest.into()]).await?;
    Ok(row.as_ref().map(read).transpose()?)
}

pub async fn by_work_item(tx: &mut WriteTx, work_item: &str) -> Result<Option<Correction>> {
    let sql = "SELECT * FROM portal_correction WHERE work_item_id = $1";
    let row = tx.fetch_optional(sql, &[work_item.into()]).await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// `JC20261122-0001`: the day and how many there were on it.
pub async fn next_number(tx: &mut WriteTx, day: NaiveDate) -> Result<String> {
    let prefix = format!("JC{}-", day.format("%Y%m%d"));
    let sql = "SELECT COUNT(*) AS count FROM portal_correction WHERE number >= $1 AND number < $2";
    let row =
        tx.fetch_optional(sql, &[prefix.as_str().into(), format!("{prefix}~").into()]).await?;
    let count = row.map(|row| row.int("count")).transpose()?.unwrap_or_default();
    Ok(format!("{prefix}{:04}", count + 1))
}
