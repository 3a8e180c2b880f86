//! How far a batch is, for the terminal and the browser: rows, speed, errors by class. Kept as the
//! message of the batch's job, so that it costs no table and vanishes with the job.

use std::collections::BTreeMap;
use std::sync::Arc;

use mj_platform::{Db, RowExt};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::{Batch, BatchState, Counts};

/// Where a running batch stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Of the bytes of the file.
    pub percent: i64,
    pub rows: i64,
    pub error: i64,
    pub rows_per_second: i64,
    pub by_class: BTreeMap<String, i64>,
    /// Becoming final: it can no longer be stopped.
    #[serde(default, skip_serializing)]
    pub finishing: bool,
}

/// Whoever wants to be told.
pub type Listener = Arc<dyn Fn(&Standing) + Send + Sync>;

impl Standing {
    pub async fn read(db: &Db, job_key: &str) -> Result<Option<Self>> {
        let sql = "SELECT message, cancel_closed FROM job WHERE idempotency_key = $1";
        let Some(row) = db.fetch_optional(sql, &[job_key.into()]).await? else { return Ok(None) };
        // before the first report, and after a failure, the message is something else
        let standing: Option<Self> = serde_json::from_str(&row.text("message")?).ok();
        let finishing = row.int("cancel_closed")? != 0;
        Ok(standing.map(|standing| Self { finishing, ..standing }))
    }

    /// Shows a batch that is under way with the counts reached so far.
    pub fn show_in(&self, batch: &mut Batch) {
        if batch.state == BatchState::Received {
            batch.state = BatchState::Running;
        }
        let front = self.rows.max(batch.counts.front);
        batch.counts =
            Counts { front, pending: front - self.error, error: self.error, ..Counts::default() };
        batch.by_class = self.by_class.clone();
    }

    pub fn message(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
