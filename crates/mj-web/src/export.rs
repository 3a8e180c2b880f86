//! Export of exactly what a list shows: the same filters, the chosen columns, every row of it, as CSV or
//! XLSX. Bounded by a rule of `rules/export.toml`, and remembered as an act: who took what away. Cells that
//! a spreadsheet would run as a formula are written as text (`mj-tabular` does that for both formats).

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::LazyLock;

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mj_platform::rules::RuleTable;
use mj_platform::{Db, Lane, TruthTable, new_id};
use mj_tabular::{CsvEncoding, CsvWriter, SheetWriter};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::authority::Action;
use crate::caller::Caller;
use crate::export_day::{Day, EXPORT_APPROVED};
use crate::export_request;
use crate::problem::Problem;

/// What was taken away: list, columns, filters, how many rows.
pub const DATA_EXPORT: TruthTable = TruthTable {
    name: "data_export",
    columns: &[
        "id",
        "list_name",
        "title",
        "columns_json",
        "filters_json",
        "format",
        "row_count",
        "actor",
        "at",
    ],
};

/// Asked besides the reading of the list, by every export alike: whoever takes rows away has given the password just
/// now. A department's own system has no password to give; its token opens its own deliveries alone.
pub const TAKE: Action = Action::new("export.file.take", "导出列表");

pub const ROWS_HEADER: &str = "x-export-rows";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// Rows asked of a list at a time.
pub const PAGE: u32 = 500;

static LIMITS: LazyLock<mj_platform::Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../rules/export.toml")));

/// 导出：与所见一致的筛选条件和列
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct ExportRequest {
    /// csv | xlsx
    pub format: String,
    /// 要导出的列，按先后；不写则为全部列
    #[serde(default)]
    pub columns: Vec<String>,
    /// 与列表相同的查询条件
    #[serde(default)]
    pub filters: BTreeMap<String, String>,
    /// 已批准的导出申请编号；行数超过规定时须有
    #[serde(default)]
    pub approval: Option<String>,
    /// 导出理由；写明即提交申请，由另一人批准
    #[serde(default)]
    pub reason: Option<String>,
}

impl ExportRequest {
    /// Part of what is asked for, where the address names it: the batch, the indicator. An approval holds for it alone.
    pub fn within(mut self, name: &str, value: impl Into<String>) -> Self {
        self.filters.insert(name.to_owned(), value.into());
        self
    }

    /// The filters as the list's own query.
    pub fn query<Q: DeserializeOwned>(&self) -> Result<Q, Problem> {
        let filters = self.filters.iter().filter(|(_, value)| !value.is_empty());
        let map = filters.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        serde_json::from_value(serde_json::Value::Object(map))
            .map_err(|_| Problem::invalid("export.filters", "筛选条件无法识别"))
    }
}

/// One column of a list: its name on the wire, its heading, and what stands in its cells.
pub struct Column<T: ?Sized> {
    pub name: &'static str,
    pub title: &'static str,
    pub cell: fn(&T) -> Option<String>,
}

/// An export under way.
pub struct Export<T: 'static> {
    list: &'static str,
    title: &'static str,
    request: ExportRequest,
    columns: Vec<&'static Column<T>>,
    most: usize,
    rows: Vec<Vec<Option<String>>>,
}

impl<T: 'static> Export<T> {
    /// Who may take it and what is wished, looked at before a row is read; `list` names the list in the rule table and
    /// in the journal.
    pub fn open(
        db: &Db,
        caller: &Caller,
        list: &'static str,
        title: &'static str,
        columns: &'static [Column<T>],
        request: ExportRequest,
    ) -> Result<Self, Problem> {
        caller.require_anywhere(&TAKE)?;
        if !matches!(request.format.as_str(), "csv" | "xlsx") {
            return Err(Problem::invalid("export.format", "导出格式只有 CSV 和 XLSX 两种"));
        }
        let mut chosen = Vec::new();
        for name in &request.columns {
            match columns.iter().find(|column| column.name == name) {
                Some(column) => chosen.push(column),
                None => {
                    return Err(Problem::invalid("export.columns", "没有要导出的这一列")
                        .field("columns", "请刷新页面后重新选择列"));
                }
            }
        }
        if chosen.is_empty() {
            chosen = columns.iter().collect();
        }
        let most = most_rows(db, list)?;
        Ok(Self { list, title, request, columns: chosen, most, rows: Vec::new() })
    }

    /// Takes a row; more than the rule allows is a refusal of the whole, not a shortened file.
    pub fn push(&mut self, row: &T) -> Result<(), Problem> {
        if self.rows.len() >= self.most {
            return Err(Problem::invalid(
                "export.too_many",
                format!("符合条件的记录超过 {} 条，没有导出", self.most),
            )
            .detail("请先用筛选条件缩小范围，再分几次导出；需要全部数据时请走数据共享接口。"));
        }
        self.rows.push(self.columns.iter().map(|column| (column.cell)(row)).collect());
        Ok(())
    }

    /// The file, once it stands in the journal that it was taken.
    pub async fn finish(self, db: &Db, caller: &Caller) -> Result<Response, Problem> {
        let Self { list, title, request, columns, rows, .. } = self;
        let count = rows.len();
        let titles: Vec<&'static str> = columns.iter().map(|column| column.title).collect();
        let most = export_request::threshold(db, list)?;
        if request.approval.is_none()
            && request.reason.is_some()
            && !Day::look(db, caller, list, most).await?.allows(count)
        {
            let number =
                export_request::ask(db, caller, list, title, &titles, &request, count).await?;
            return Err(Problem::forbidden(
                "access.second_person_required",
                "已提交导出申请，等另一人批准",
            )
            .detail(format!(
                "申请编号 {number}；由管辖范围包含您全部可看范围的负责人批准，本级没有的由上级批准。批准后用同样的筛选和列再点一次导出即可下载。"
            )));
        }
        let id = new_id();
        let reason = format!("导出{title} {count} 行");
        // the route's own action is the reading of the list
        let act = caller.act_of(TAKE.name, format!("data_export:{id}")).because(reason);
        let mut tx = db.begin(Lane::People, act).await?;
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        // what somebody searched for may name a person
        let filters: BTreeMap<&str, &str> = request
            .filters
            .iter()
            .map(|(name, value)| (name.as_str(), if name == "q" { "（已填）" } else { value }))
            .collect();
        let (actor, now) = (tx.act().actor.clone(), tx.now());
        let text = |value: serde_json::Result<String>| value.unwrap_or_default();
        tx.insert(
            &DATA_EXPORT,
            &[
                ("id", id.as_str().into()),
                ("list_name", list.into()),
                ("title", title.into()),
                ("columns_json", text(serde_json::to_string(&names)).into()),
                ("filters_json", text(serde_json::to_string(&filters)).into()),
                ("format", request.format.as_str().into()),
                ("row_count", i64::try_from(count).unwrap_or(i64::MAX).into()),
                ("actor", actor.into()),
                ("at", now.into()),
            ],
        )
        .await?;
        let day = Day::claim(&mut tx, caller, list, most, &id).await?;
        if !day.allows(count) {
            let used = export_request::approved(&mut tx, caller, list, &request, count).await?;
            let approval = used.ok_or_else(|| day.refusal(title, count))?;
            let values = [("id", id.as_str().into()), ("request_id", approval.into())];
            tx.insert(&EXPORT_APPROVED, &values).await?;
        }
        tx.commit().await?;
        // whoever finds the file learns whose it is
        let reference = caller.actor.reference();
        let who = caller.names_of(vec![reference.clone()]).await?.of(&reference);
        let at = mj_kernel::clock::to_rfc3339(now);
        let at = at.chars().take(19).collect::<String>().replace('T', " ");
        let mark = format!("导出人：{who}；时间：{at}；编号：{id}；内部资料，请勿外传");
        let csv = request.format == "csv";
        let bytes = tokio::task::spawn_blocking(move || write(csv, title, &titles, &rows, &mark))
            .await
            .map_err(|error| Problem::internal(&error))?
            .map_err(|error| Problem::internal(&error))?;
        let day = mj_kernel::clock::beijing_date(now).format("%Y%m%d");
        Ok(attachment(bytes, csv, &format!("{title}-{day}"), count))
    }
}

/// How many rows of this list may leave at a time today.
pub fn most_rows(db: &Db, list: &str) -> Result<usize, Problem> {
    let today = mj_kernel::clock::beijing_date(db.clock().now());
    let limits = LIMITS.as_ref().map_err(|error| Problem::internal(error))?;
    let rule = limits.on(list, today).or_else(|| limits.on("default", today));
    Ok(rule.and_then(|rule| rule.value.parse().ok()).unwrap_or(0))
}

/// A value of the rule table as it holds today.
pub(crate) fn rule(db: &Db, key: &str) -> Result<Option<&'static str>, Problem> {
    let today = db.clock().today();
    let limits = LIMITS.as_ref().map_err(|error| Problem::internal(error))?;
    Ok(limits.on(key, today).map(|rule| rule.value.as_str()))
}

/// The last line: the mark, and as many empty cells as make it a line like the others.
fn marked(mark: &str, columns: usize) -> impl Iterator<Item = Option<&str>> {
    std::iter::once(Some(mark)).chain(std::iter::repeat_n(None, columns.saturating_sub(1)))
}

fn write(
    csv: bool,
    title: &str,
    titles: &[&str],
    rows: &[Vec<Option<String>>],
    mark: &str,
) -> Result<Vec<u8>, mj_platform::Error> {
    let broken = |error: &dyn std::fmt::Display| mj_platform::Error::Other(error.to_string());
    if csv {
        let mut out = Vec::new();
        let mut writer = CsvWriter::new(&mut out, CsvEncoding::Utf8Bom);
        writer.write_row(titles.iter().map(|title| Some(*title))).map_err(|e| broken(&e))?;
        for row in rows {
            writer.write_row(row.iter().map(Option::as_deref)).map_err(|e| broken(&e))?;
        }
        writer.write_row(marked(mark, titles.len())).map_err(|e| broken(&e))?;
        return Ok(out);
    }
    let mut sheet = SheetWriter::new(title, titles.iter().copied()).map_err(|e| broken(&e))?;
    for row in rows {
        sheet.push(row.iter().map(Option::as_deref)).map_err(|e| broken(&e))?;
    }
    sheet.push(marked(mark, titles.len())).map_err(|e| broken(&e))?;
    let mut out = Cursor::new(Vec::new());
    sheet.finish(&mut out).map_err(|e| broken(&e))?;
    Ok(out.into_inner())
}

fn attachment(bytes: Vec<u8>, csv: bool, name: &str, rows: usize) -> Response {
    let (kind, end) = if csv { ("text/csv; charset=utf-8", "csv") } else { (XLSX, "xlsx") };
    let encoded: String = format!("{name}.{end}")
        .bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(b).to_string()
            }
            _ => format!("%{b:02X}"),
        })
        .collect();
    let mut response = (StatusCode::OK, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let disposition = format!("attachment; filename=\"export.{end}\"; filename*=UTF-8''{encoded}");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    headers.insert(ROWS_HEADER, HeaderValue::from(rows));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_would_run_as_a_formula_is_text() {
        let rows = vec![vec![Some("=cmd|' /C calc'!A0".to_owned()), Some("@x".to_owned()), None]];
        let bytes = write(true, "例", &["甲", "乙", "丙"], &rows, "编号：1").expect("a file");
        assert!(
            bytes.ends_with("编号：1,,\r\n".as_bytes())
                || bytes.ends_with("编号：1,,\n".as_bytes())
        );
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert!(!text.contains(",=") && !text.contains("\n=") && !text.contains(",@"), "{text}");
    }

    #[test]
    fn over_the_cap_is_a_refusal_in_words_and_not_a_shortened_file() {
        static COLUMNS: [Column<i64>; 1] =
            [Column { name: "n", title: "数", cell: |n| Some(n.to_string()) }];
        let request = ExportRequest {
            format: "csv".into(),
            columns: Vec::new(),
            filters: BTreeMap::new(),
            approval: None,
            reason: None,
        };
        let columns = COLUMNS.iter().collect();
        let mut export =
            Export { list: "t", title: "例", request, columns, most: 2, rows: Vec::new() };
        assert!(export.push(&1).is_ok() && export.push(&2).is_ok());
        let refused = export.push(&3).expect_err("one too many");
        assert_eq!((refused.status, refused.code.as_str()), (422, "export.too_many"));
        assert!(refused.title.contains("超过 2 条"), "{}", refused.title);
        assert!(!refused.detail.is_empty(), "says what to do");
    }

    #[test]
    fn filters_are_read_as_the_list_reads_them() {
        #[derive(Deserialize)]
        struct Query {
            q: Option<String>,
            state: Option<String>,
        }
        let request: ExportRequest = serde_json::from_value(
            serde_json::json!({"format": "csv", "filters": {"q": "100%'\"😀", "state": ""}}),
        )
        .expect("a request");
        let query: Query = request.query().expect("a query");
        assert_eq!((query.q.as_deref(), query.state), (Some("100%'\"😀"), None));
    }
}
