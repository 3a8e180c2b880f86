//! What one domain tells the others: past tense, written to the outbox in the transaction that made
//! it true, delivered at least once. (house.md calls these facts; here facts are behaviours.)

use serde::{Deserialize, Serialize};

/// An event between domains. Handlers must be idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A batch went through the whole pipeline; its counts are fixed.
    BatchSettled { batch_id: String, table: String, cd_source: String },
    /// Two parties may be one; a person must decide.
    DoubtfulPairFound {
        keep_id: String,
        merge_id: String,
        score: i64,
        explain: String,
        area: Option<String>,
        /// How the two are called, where that is public; nobody's own name travels in events.
        #[serde(default)]
        keep_name: Option<String>,
        #[serde(default)]
        merge_name: Option<String>,
    },
    /// Linkage found the answer by itself: the question about the pair is moot.
    DoubtfulPairSettled { keep_id: String, merge_id: String },
    /// A person decided a work item.
    WorkItemDecided { work_item_id: String, kind: String, verdict: String, payload: String },
    /// A person took back what they had decided; whoever acted on it takes that back, too.
    WorkItemReopened { work_item_id: String, kind: String, verdict: String, payload: String },
    /// A settled batch has refused rows that its source must mend by the deadline.
    RowsRefused {
        batch_id: String,
        /// What was delivered, e.g. `行政检查 2026112200001`.
        title: String,
        agency: Option<String>,
        agency_name: Option<String>,
        area: Option<String>,
        rows: i64,
        /// Last day, YYYY-MM-DD.
        deadline: Option<String>,
    },
    /// Refused rows of a batch came back mended; so many are still open.
    RowsMended { batch_id: String, left: i64 },
    /// Two parties were made one.
    PartiesMerged { merge_id: String, keep_id: String, merged_id: String },
    /// A merge was undone.
    MergeUndone { merge_id: String },
}

impl Event {
    pub fn name(&self) -> &'static str {
        match self {
            Event::BatchSettled { .. } => "batch_settled",
            Event::DoubtfulPairFound { .. } => "doubtful_pair_found",
            Event::DoubtfulPairSettled { .. } => "doubtful_pair_settled",
            Event::WorkItemDecided { .. } => "work_item_decided",
            Event::WorkItemReopened { .. } => "work_item_reopened",
            Event::RowsRefused { .. } => "rows_refused",
            Event::RowsMended { .. } => "rows_mended",
            Event::PartiesMerged { .. } => "parties_merged",
            Event::MergeUndone { .. } => "merge_undone",
        }
    }
}
