//! The data centre's own words: sources, channels, batches and their counts. Plain records; what
//! happens to them stands in `receive` and `ingest`.

use std::collections::BTreeMap;

use mj_kernel::Instant;
use serde::{Deserialize, Serialize};

/// The way a delivery came (报送渠道).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A file handed over at the workbench or on the machine.
    File,
    /// Rows sent by a department's system.
    Push,
    /// A large file sent by a department's system, resumable.
    Upload,
    /// Typed in or mended by a person.
    Manual,
}

impl Channel {
    pub const ALL: [Channel; 4] = [Self::File, Self::Push, Self::Upload, Self::Manual];

    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Push => "push",
            Self::Upload => "upload",
            Self::Manual => "manual",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::File => "文件导入",
            Self::Push => "接口推送",
            Self::Upload => "接口上传文件",
            Self::Manual => "人工填报",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

/// Whether a delivery belongs to what the source already held, or to what came since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Portion {
    /// 存量
    Backlog,
    /// 增量
    Delta,
}

impl Portion {
    pub fn name(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Delta => "delta",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "backlog" => Some(Self::Backlog),
            "delta" => Some(Self::Delta),
            _ => None,
        }
    }
}

/// A system that may deliver (数据源).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub id: String,
    pub version: i64,
    pub cd_source: String,
    pub name: String,
    pub kind: SourceKind,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    pub area: Option<String>,
    /// The smaller wins when sources contradict each other.
    pub priority: i64,
    pub channels: Vec<Channel>,
    /// Empty: every table of the standard.
    pub tables: Vec<String>,
    pub backlog_declared: BTreeMap<String, i64>,
    pub active: bool,
}

impl Source {
    pub fn delivers(&self, table: &str) -> bool {
        self.tables.is_empty() || self.tables.iter().any(|own| own == table)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    Agency,
    ThirdParty,
}

impl SourceKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Agency => "agency",
            Self::ThirdParty => "third_party",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "agency" => Some(Self::Agency),
            "third_party" => Some(Self::ThirdParty),
            _ => None,
        }
    }
}

/// Where a batch stands. `received → running → settled | failed | cancelled`; a settled batch never
/// moves again, the others are received anew when the same bytes are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    Received,
    Running,
    Settled,
    Failed,
    /// Somebody stopped it; nothing of it is in the stores.
    Cancelled,
}

impl BatchState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Running => "running",
            Self::Settled => "settled",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "received" => Some(Self::Received),
            "running" => Some(Self::Running),
            "settled" => Some(Self::Settled),
            "failed" => Some(Self::Failed),
            "cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }

    pub fn is_final(self) -> bool {
        matches!(self, Self::Settled | Self::Failed | Self::Cancelled)
    }

    /// Ended without a row, and taken up again when the same bytes come again.
    pub fn may_come_again(self) -> bool {
        matches!(self, Self::Failed | Self::Cancelled)
    }
}

/// The layers a batch is counted in. `front` is always the sum of the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// 前置量: rows delivered.
    pub front: i64,
    /// Not yet judged.
    pub pending: i64,
    /// 正确量: became the current version of a record.
    pub correct: i64,
    /// 错误量: refused, kept in the error store.
    pub error: i64,
    /// Same record and content, or same business key.
    pub duplicate: i64,
    /// Older than what the record already is, or overtaken inside the batch.
    pub superseded: i64,
}

impl Counts {
    /// So many rows came and none is judged yet.
    pub fn received(rows: i64) -> Self {
        Self { front: rows, pending: rows, ..Self::default() }
    }

    pub fn reconcile(&self) -> bool {
        self.front == self.pending + self.correct + self.error + self.duplicate + self.superseded
    }

    pub fn add(&mut self, other: &Counts) {
        self.front += other.front;
        self.pending += other.pending;
        self.correct += other.correct;
        self.error += other.error;
        self.duplicate += other.duplicate;
        self.superseded += other.superseded;
    }
}

/// One delivery (批次).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub id: String,
    pub version: i64,
    pub table: String,
    pub cd_source: String,
    pub cd_batch: String,
    pub channel: Channel,
    pub portion: Portion,
    pub format: String,
    pub body_sha256: String,
    pub file_name: Option<String>,
    pub blob_id: String,
    pub bytes: i64,
    pub state: BatchState,
    pub counts: Counts,
    pub by_class: BTreeMap<String, i64>,
    pub by_rule: BTreeMap<String, i64>,
    pub received_at: Instant,
    pub settled_at: Option<Instant>,
    pub message: Option<String>,
    pub mends_batch: Option<String>,
    /// The delivered columns as the department named them; known once the file was opened.
    pub header: Option<Vec<String>>,
    pub encoding: Option<String>,
    pub attempt: i64,
}

impl Batch {
    pub fn href(id: &str) -> String {
        format!("/api/v1/datahub/batches/{id}")
    }

    /// The key under which the batch's job is queued, once per attempt.
    pub fn job_key(&self) -> String {
        format!("ingest_batch:{}:{}", self.id, self.attempt)
    }
}

/// One finding of a refused row, as it is kept and shown. Values of persons are already masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowIssue {
    pub column: String,
    pub column_title: String,
    pub value: String,
    pub class: String,
    pub class_title: String,
    pub rule: String,
    pub severity: String,
    pub reason: String,
    pub remedy: String,
    pub source: String,
}

/// A refused row in the error store, without the delivered values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRow {
    pub row: i64,
    pub line: i64,
    pub cd_id: Option<String>,
    pub issues: Vec<RowIssue>,
    pub mended: bool,
}

/// `yyyyMMdd` and five digits, neither part zero (domain.md 3.1).
pub fn is_batch_number(text: &str) -> bool {
    text.len() == 13
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && chrono::NaiveDate::parse_from_str(&text[..8], "%Y%m%d").is_ok()
}

/// The number of the `count`-th delivery of a day.
pub fn batch_number(day: chrono::NaiveDate, count: i64) -> String {
    format!("{}{count:05}", day.format("%Y%m%d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_number_is_a_day_and_five_digits() {
        assert!(is_batch_number("2019041100002"));
        assert!(!is_batch_number("20190411002"));
        assert!(!is_batch_number("2019023100001"));
        assert!(!is_batch_number("２０１９０４１１００００２"));
        let day = chrono::NaiveDate::from_ymd_opt(2019, 4, 11).expect("a day");
        assert_eq!(batch_number(day, 2), "2019041100002");
    }

    #[test]
    fn counts_reconcile_from_the_first_moment() {
        let counts = Counts::received(12);
        assert!(counts.reconcile());
        assert!(!Counts { correct: 1, ..counts }.reconcile());
    }
}
