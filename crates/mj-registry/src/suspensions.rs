//! Certificates that may not be used for a while (暂停执法证): a supervisor's act upon a delivered
//! certificate, kept apart from it, so that the next delivery of the register does not undo it.

use mj_kernel::Instant;
use mj_kernel::clock::beijing_date;
use mj_platform::{Result as Stored, RowExt, TruthTable, Value, WriteTx, new_id};

use crate::model::FOREVER;
use crate::{Error, Result};

pub const OFFICER_SUSPENSION: TruthTable = TruthTable {
    name: "officer_suspension",
    columns: &[
        "id",
        "certificate_no",
        "from_day",
        "to_day",
        "reason",
        "suspended_by",
        "suspended_at",
        "lifted_at",
        "lifted_by",
        "lift_reason",
    ],
};

/// One suspension, past or standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    pub certificate_no: String,
    pub from_day: String,
    /// The last day; `9999-12-31` while nobody said when it ends.
    pub to_day: String,
    pub reason: String,
    pub suspended_by: String,
    pub suspended_at: Instant,
    pub lifted_at: Option<Instant>,
    pub lifted_by: Option<String>,
    pub lift_reason: Option<String>,
}

impl Suspension {
    pub fn read(row: &mj_platform::DbRow) -> Stored<Self> {
        let lifted_at = row.int("lifted_at")?;
        Ok(Self {
            certificate_no: row.text("certificate_no")?,
            from_day: row.text("from_day")?,
            to_day: row.text("to_day")?,
            reason: row.text("reason")?,
            suspended_by: row.text("suspended_by")?,
            suspended_at: row.int("suspended_at")?,
            lifted_at: (lifted_at != 0).then_some(lifted_at),
            lifted_by: row.opt_text("lifted_by")?,
            lift_reason: row.opt_text("lift_reason")?,
        })
    }
}

/// Suspends a certificate from today; `until` is the last day, open if unsaid.
pub async fn suspend(
    tx: &mut WriteTx,
    certificate_no: &str,
    reason: &str,
    until: Option<&str>,
) -> Result<()> {
    if reason.trim().is_empty() {
        return Err(Error::ReasonMissing);
    }
    let today = beijing_date(tx.now()).to_string();
    let until = until.filter(|day| !day.is_empty()).unwrap_or(FOREVER);
    let is_day = until.parse::<chrono::NaiveDate>().is_ok_and(|day| day.to_string() == until);
    if !is_day || until < today.as_str() {
        return Err(Error::SuspensionDay);
    }
    if standing(tx, certificate_no, &today).await?.is_some() {
        return Err(Error::AlreadySuspended);
    }
    let (now, actor) = (tx.now(), tx.act().actor.clone());
    let values: [(&str, Value); 8] = [
        ("id", new_id().into()),
        ("certificate_no", certificate_no.into()),
        ("from_day", today.into()),
        ("to_day", until.into()),
        ("reason", reason.trim().into()),
        ("suspended_by", actor.into()),
        ("suspended_at", now.into()),
        ("lifted_at", 0_i64.into()),
    ];
    Ok(tx.insert(&OFFICER_SUSPENSION, &values).await?)
}

/// Ends the standing suspension; the certificate may be used again from today.
pub async fn lift(tx: &mut WriteTx, certificate_no: &str, reason: &str) -> Result<()> {
    if reason.trim().is_empty() {
        return Err(Error::ReasonMissing);
    }
    let day = beijing_date(tx.now());
    let standing = standing(tx, certificate_no, &day.to_string()).await?;
    let id = standing.ok_or(Error::NotSuspended)?;
    // yesterday was its last day; one of today alone never held
    let last = day.pred_opt().unwrap_or(day).to_string();
    let (now, actor) = (tx.now(), tx.act().actor.clone());
    let values: [(&str, Value); 4] = [
        ("to_day", last.into()),
        ("lifted_at", now.into()),
        ("lifted_by", actor.into()),
        ("lift_reason", reason.trim().into()),
    ];
    tx.update(&OFFICER_SUSPENSION, &id, None, &values).await?;
    Ok(())
}

async fn standing(tx: &mut WriteTx, certificate_no: &str, day: &str) -> Result<Option<String>> {
    // one after another, on PostgreSQL too: between looking and writing nobody else may
    tx.position().await?;
    let row = tx
        .fetch_optional(
            "SELECT id FROM officer_suspension WHERE certificate_no = $1 AND lifted_at = 0 \
             AND from_day <= $2 AND to_day >= $2 ORDER BY id LIMIT 1",
            &[certificate_no.into(), day.into()],
        )
        .await?;
    Ok(row.map(|row| row.text("id")).transpose()?)
}
