//! The shapes that cross HTTP. Instants are RFC 3339 in Beijing time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::model::{Counts, RowIssue};

pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// 各层数量；front是其余各项之和
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub struct CountsView {
    pub front: i64,
    pub pending: i64,
    pub correct: i64,
    pub error: i64,
    pub duplicate: i64,
    pub superseded: i64,
}

impl From<Counts> for CountsView {
    fn from(counts: Counts) -> Self {
        let Counts { front, pending, correct, error, duplicate, superseded } = counts;
        Self { front, pending, correct, error, duplicate, superseded }
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProgressView {
    /// 0至100
    pub percent: i64,
    pub rows_per_second: i64,
    /// 正在完成入库，不能再停止
    pub finishing: bool,
}

/// 停止导入的经过
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StopView {
    pub by_name: String,
    pub reason: String,
    pub asked_at: String,
    /// 还没有停下时为空
    pub stopped_at: Option<String>,
    /// 停下时已检查的行数，均未入库
    pub rows_judged: i64,
}

/// 停止导入
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct StopRequest {
    #[serde(default)]
    pub reason: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleCount {
    pub rule: String,
    pub title: String,
    pub rows: i64,
}

/// 一个批次
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BatchView {
    pub id: String,
    pub version: i64,
    pub table: String,
    pub table_title: String,
    pub cd_source: String,
    pub source_name: String,
    pub cd_batch: String,
    /// file | push | upload | manual
    pub channel: String,
    /// backlog（存量）| delta（增量）
    pub portion: String,
    /// received | running | settled | failed | cancelled
    pub state: String,
    pub file_name: Option<String>,
    pub received_at: String,
    pub settled_at: Option<String>,
    pub counts: CountsView,
    /// 检核类型 → 行数
    pub by_class: BTreeMap<String, i64>,
    pub progress: Option<ProgressView>,
    pub message: Option<String>,
    pub mends_batch: Option<String>,
    /// 有人停止了导入，或已要求停止
    pub stop: Option<StopView>,
    pub href: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_rule: Option<Vec<RuleCount>>,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
pub struct BatchQuery {
    pub limit: Option<u32>,
    pub cursor: Option<String>,
    pub table: Option<String>,
    pub cd_source: Option<String>,
    pub state: Option<String>,
    /// received、front、correct、error；前面加“-”为降序
    pub sort: Option<String>,
}

/// 已收妥、待处理
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Accepted {
    pub batch_id: String,
    pub state: String,
    pub rows_received: i64,
    pub href: String,
}

/// 推送一批
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Push {
    pub table: String,
    pub cd_source: String,
    /// yyyyMMdd加5位序号
    pub cd_batch: String,
    /// 每行至少带cd_id、cd_time、cd_operation；与upload二选一
    #[serde(default)]
    #[schema(value_type = Option<Vec<BTreeMap<String, serde_json::Value>>>)]
    pub rows: Option<Vec<serde_json::Value>>,
    pub upload: Option<UploadRef>,
    /// backlog（存量）| delta（增量，缺省）
    pub portion: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct UploadRef {
    pub sha256: String,
    /// csv | xlsx | jsonl
    pub format: String,
}

#[derive(Debug, Clone, Deserialize, IntoParams)]
pub struct FileQuery {
    pub table: String,
    pub cd_source: String,
    pub file_name: Option<String>,
    pub cd_batch: Option<String>,
    /// backlog（存量）| delta（增量，缺省）
    pub portion: Option<String>,
    /// 改好的错误表：原批次的id
    pub mends: Option<String>,
    /// file（缺省）| manual
    pub channel: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
pub struct ErrorQuery {
    pub class: Option<String>,
    pub rule: Option<String>,
    /// open（待改正）或 mended（已改正）
    pub state: Option<String>,
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IssueView {
    pub column: String,
    pub column_title: String,
    /// 个人信息已掩码
    pub value: String,
    /// 值已遮挡，可以申请查看
    pub masked: bool,
    pub class: String,
    pub class_title: String,
    pub rule: String,
    pub severity: String,
    pub reason: String,
    pub remedy: String,
    pub source: String,
}

impl From<RowIssue> for IssueView {
    fn from(issue: RowIssue) -> Self {
        let RowIssue {
            column,
            column_title,
            value,
            class,
            class_title,
            rule,
            severity,
            reason,
            remedy,
            source,
        } = issue;
        Self {
            masked: is_masked(&column, &value),
            column,
            column_title,
            value,
            class,
            class_title,
            rule,
            severity,
            reason,
            remedy,
            source,
        }
    }
}

/// Kept masked, as its stars say. Asked for in clear, a value that was delivered with stars is told to be none.
pub(super) fn is_masked(column: &str, value: &str) -> bool {
    !column.is_empty() && value.contains('*')
}

/// 一行错误数据
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorView {
    pub row: i64,
    pub line: i64,
    pub cd_id: Option<String>,
    /// open | mended
    pub state: String,
    pub issues: Vec<IssueView>,
}

/// 更正后的值，列名 → 值；没有写到的列照原样
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Mend {
    pub values: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TableSummary {
    pub table: String,
    pub title: String,
    pub counts: CountsView,
    pub batches: i64,
    pub last_received_at: String,
    /// 存量：已申报与已收到（正确加重复加被取代）
    pub backlog_declared: i64,
    pub backlog_received: i64,
    pub delta_received: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClassSummary {
    pub class: String,
    pub title: String,
    pub rows: i64,
}

/// 汇聚概况
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Summary {
    pub totals: CountsView,
    pub by_table: Vec<TableSummary>,
    pub by_class: Vec<ClassSummary>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TableItem {
    pub table: String,
    pub title: String,
    pub kind: String,
    pub kind_title: String,
    pub columns: usize,
    pub required: usize,
    pub rules: usize,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TableList {
    pub items: Vec<TableItem>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ColumnView {
    pub name: String,
    pub title: String,
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    pub ty: String,
    pub type_title: String,
    pub max_len: Option<usize>,
    pub required: bool,
    pub list: Option<String>,
    pub multi: Option<String>,
    pub personal: bool,
    pub note: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleView {
    pub rule: String,
    pub class: String,
    pub class_title: String,
    pub severity: String,
    pub text: String,
    pub remedy: String,
    pub source: String,
}

/// 一张表的标准
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TableSpecView {
    pub table: String,
    pub title: String,
    pub kind: String,
    pub kind_title: String,
    pub source: String,
    pub about: String,
    pub standard_version: String,
    pub natural_key: Vec<String>,
    pub business_key: Vec<String>,
    pub columns: Vec<ColumnView>,
    pub rules: Vec<RuleView>,
}

/// 一个数据源
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceView {
    pub cd_source: String,
    pub version: i64,
    pub name: String,
    /// agency | third_party
    pub kind: String,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    pub area: Option<String>,
    pub priority: i64,
    pub channels: Vec<String>,
    /// 空表示全部
    pub tables: Vec<String>,
    pub backlog_declared: BTreeMap<String, i64>,
    /// active | stopped
    pub status: String,
    /// 接入情况
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<SourceStanding>,
}

/// 一个数据源接到哪一步、报来多少
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceStanding {
    /// planned 计划接入 | connecting 接入中 | live 已接入；没有人填过时为空
    pub stage: Option<String>,
    /// 应在哪一日前接入
    pub due_on: Option<String>,
    pub live_since: Option<String>,
    pub note: String,
    /// planned | connecting | overdue | in_use | silent | stopped
    pub standing: String,
    pub standing_title: String,
    /// 静默或逾期的天数
    pub days: Option<i64>,
    pub batches: i64,
    pub front: i64,
    pub correct: i64,
    pub error: i64,
    pub last_received_at: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceList {
    pub items: Vec<SourceView>,
}

/// 登记数据源
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewSource {
    pub cd_source: String,
    pub name: String,
    /// agency | third_party
    pub kind: String,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    pub area: Option<String>,
    pub priority: Option<i64>,
    /// file | push | upload | manual
    pub channels: Vec<String>,
    #[serde(default)]
    pub tables: Vec<String>,
    #[serde(default)]
    pub backlog_declared: BTreeMap<String, i64>,
    /// planned | connecting | live
    pub stage: Option<String>,
    /// 应在哪一日前接入（YYYY-MM-DD；空文本表示取消）
    pub due_on: Option<String>,
    /// 从哪一日起报送
    pub live_since: Option<String>,
    pub note: Option<String>,
    /// 为什么
    pub reason: Option<String>,
}

/// 修改登记；没有写到的照旧
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct SourceChange {
    pub version: i64,
    pub name: Option<String>,
    pub priority: Option<i64>,
    pub channels: Option<Vec<String>>,
    pub tables: Option<Vec<String>>,
    pub backlog_declared: Option<BTreeMap<String, i64>>,
    /// active | stopped
    pub status: Option<String>,
    /// planned | connecting | live
    pub stage: Option<String>,
    /// 应在哪一日前接入（YYYY-MM-DD；空文本表示取消）
    pub due_on: Option<String>,
    /// 从哪一日起报送
    pub live_since: Option<String>,
    pub note: Option<String>,
    /// 为什么
    pub reason: Option<String>,
}

/// 令牌只显示这一次
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokenIssued {
    pub cd_source: String,
    pub token: String,
}
