//! What was signed of a month: one text in canonical form, kept as it was, and which months still wait. Nothing here is
//! ever changed: a correction is a further edition that names the one before by its digest.

use mj_kernel::Instant;
use mj_platform::{Db, DbRow, Result, RowExt, TruthTable, WriteTx, gm};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::figures::{AuditFigures, canonical};
use super::month::Month;

pub const AUDIT_REPORT: TruthTable = TruthTable {
    name: "audit_report",
    columns: &["id", "month", "edition", "report", "report_sm3", "signed_by", "signed_at"],
};

/// The text that is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub figures: AuditFigures,
    pub edition: i64,
    pub corrects: Option<Corrects>,
    /// 发现的问题
    pub findings: String,
    /// 处理意见
    pub opinion: String,
    pub signed_by: String,
    pub signed_at: String,
}

/// Which edition a correction takes the place of, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Corrects {
    pub edition: i64,
    /// 被更正的一版的 SM3
    pub sm3: String,
    /// 更正的原因
    pub why: String,
}

/// An edition as kept.
#[derive(Debug, Clone)]
pub struct Edition {
    pub id: String,
    pub month: String,
    pub edition: i64,
    /// The text whose digest `sm3` is.
    pub text: String,
    pub sm3: String,
    pub signed_by: String,
    pub signed_at: Instant,
}

impl Edition {
    fn read(row: &DbRow) -> Result<Self> {
        Ok(Self {
            id: row.text("id")?,
            month: row.text("month")?,
            edition: row.int("edition")?,
            text: row.text("report")?,
            sm3: row.text("report_sm3")?,
            signed_by: row.text("signed_by")?,
            signed_at: row.int("signed_at")?,
        })
    }

    pub fn report(&self) -> Result<Report> {
        serde_json::from_str(&self.text).map_err(|_| {
            mj_platform::Error::Corrupt(format!("审计报告 {} 第 {} 版", self.month, self.edition))
        })
    }

    /// Whether the text still has the digest that was signed.
    pub fn is_intact(&self) -> bool {
        gm::sm3_hex(self.text.as_bytes()) == self.sm3
    }
}

/// Keeps an edition and gives its digest. That of an edition that somebody else signed first is refused by the table.
pub async fn keep(tx: &mut WriteTx, id: &str, month: Month, report: &Report) -> Result<String> {
    let text = canonical(report);
    let sm3 = gm::sm3_hex(text.as_bytes());
    let signed_at = tx.now();
    tx.insert(
        &AUDIT_REPORT,
        &[
            ("id", id.into()),
            ("month", month.name().into()),
            ("edition", report.edition.into()),
            ("report", text.into()),
            ("report_sm3", sm3.as_str().into()),
            ("signed_by", report.signed_by.as_str().into()),
            ("signed_at", signed_at.into()),
        ],
    )
    .await?;
    Ok(sm3)
}

/// The editions of a month, the first first.
pub async fn editions(db: &Db, month: Month) -> Result<Vec<Edition>> {
    let sql = "SELECT * FROM audit_report WHERE month = $1 ORDER BY edition";
    let rows = db.fetch_all(sql, &[month.name().into()]).await?;
    rows.iter().map(Edition::read).collect()
}

/// The newest edition of every month that was signed.
pub async fn newest(db: &Db) -> Result<Vec<Edition>> {
    let sql = "SELECT r.* FROM audit_report r WHERE r.edition = (SELECT MAX(o.edition) \
               FROM audit_report o WHERE o.month = r.month) ORDER BY r.month DESC";
    let rows = db.fetch_all(sql, &[]).await?;
    rows.iter().map(Edition::read).collect()
}

/// The entry of the act that signed an edition.
pub async fn entry_of(db: &Db, id: &str) -> Result<Option<i64>> {
    let sql = "SELECT log_seq FROM act_journal WHERE object = $1 AND log_seq IS NOT NULL \
               ORDER BY log_seq LIMIT 1";
    let row = db.fetch_optional(sql, &[object(id).into()]).await?;
    row.map(|row| row.int("log_seq")).transpose()
}

/// What the act is about.
pub fn object(id: &str) -> String {
    format!("audit_report:{id}")
}

/// The month in which the log of this node began; `None` while it is empty.
pub async fn began(db: &Db) -> Result<Option<Month>> {
    let sql = "SELECT at FROM act_journal WHERE log_seq IS NOT NULL ORDER BY log_seq LIMIT 1";
    let row = db.fetch_optional(sql, &[]).await?;
    Ok(row.map(|row| row.int("at")).transpose()?.map(Month::of))
}

/// All months that are over, the newest first.
pub async fn months(db: &Db) -> Result<Vec<Month>> {
    let now = db.clock().now();
    let mut months = Vec::new();
    let mut month = began(db).await?;
    while let Some(one) = month.filter(|one| one.is_over(now)) {
        months.push(one);
        month = Some(one.next());
    }
    months.reverse();
    Ok(months)
}

/// A month that is over and not signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditDue {
    /// 年-月
    pub month: String,
    pub title: String,
    /// 最迟在这一天签署
    pub deadline: String,
    pub overdue: bool,
}

impl AuditDue {
    pub fn of(month: Month, now: Instant) -> Result<Self> {
        let deadline = month.deadline()?;
        Ok(Self {
            month: month.name(),
            title: month.title(),
            overdue: mj_kernel::clock::beijing_date(now) > deadline,
            deadline: deadline.to_string(),
        })
    }
}

/// What waits for a signature, the oldest first.
pub async fn waiting(db: &Db) -> Result<Vec<AuditDue>> {
    let signed: Vec<String> = newest(db).await?.into_iter().map(|one| one.month).collect();
    let now = db.clock().now();
    let months = months(db).await?.into_iter().rev();
    months.filter(|one| !signed.contains(&one.name())).map(|one| AuditDue::of(one, now)).collect()
}
