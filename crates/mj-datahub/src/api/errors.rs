//! What was refused, why, and the way back.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use mj_kernel::{Page, PageOf};
use mj_web::{Answer, Caller, Column, Export, ExportRequest, Input, PathOf, Problem, Query};

use super::batches::{accept, load};
use super::shapes::*;
use super::tables::attachment;
use crate::Datahub;
use crate::error::Error;
use crate::mend;
use crate::model::ErrorRow;
use crate::receive::Delivery;
use crate::store;

pub async fn list(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Query(query): Query<ErrorQuery>,
) -> Answer<Json<PageOf<ErrorView>>> {
    load(&hub, &caller, &id).await?;
    let limit = Page { limit: query.limit, cursor: None }.limit();
    let page = page_of(&hub, &id, &query, query.cursor.as_deref(), limit).await?;
    Ok(Json(page.map(view)))
}

async fn page_of(
    hub: &Datahub,
    id: &str,
    query: &ErrorQuery,
    cursor: Option<&str>,
    limit: i64,
) -> Answer<PageOf<ErrorRow>> {
    let after_row = match cursor {
        None => 0,
        Some(cursor) => cursor.parse().map_err(|_| {
            Problem::bad_request("datahub.cursor", "翻页标记无法识别，请从第一页重新查询")
        })?,
    };
    let class = match query.class.as_deref() {
        None => None,
        Some(class) => match mj_standard::Class::parse(class) {
            Some(class) => Some(class.index() as u32),
            None => return Err(Error::Request("class应为00至10".into()).into()),
        },
    };
    let filter = store::error_row::Filter {
        class,
        rule: query.rule.as_deref(),
        open_only: query.state.as_deref() == Some("open"),
        mended_only: query.state.as_deref() == Some("mended"),
        after_row,
        limit,
    };
    let rows = store::error_row::list(&hub.db, id, &filter).await?;
    Ok(PageOf::from_surplus(rows, limit, |row| row.row.to_string()))
}

/// The list as a file, one line a fault: the same filters, the same columns, personal values masked.
pub async fn export(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let (batch, _) = load(&hub, &caller, &id).await?;
    let query: ErrorQuery = input.value.query()?;
    let name = batch.file_name.unwrap_or(batch.cd_batch);
    let wish = input.value.within("batch", &id).within("batch_name", name);
    let mut file =
        Export::open(&hub.db, &caller, "datahub.errors", "错误记录", &ERROR_COLUMNS, wish)?;
    let mut cursor = None;
    loop {
        let page = page_of(&hub, &id, &query, cursor.as_deref(), i64::from(Page::MAX)).await?;
        for row in page.items {
            file.push(&view(row))?;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return file.finish(&hub.db, &caller).await;
        }
    }
}

/// What is said of every fault of the row, line by line.
fn each(row: &ErrorView, say: fn(&IssueView) -> &str) -> Option<String> {
    let said: Vec<&str> = row.issues.iter().map(say).collect();
    Some(said.join("；"))
}

static ERROR_COLUMNS: [Column<ErrorView>; 9] = [
    Column { name: "row", title: "行号", cell: |one| Some(one.row.to_string()) },
    Column {
        name: "column", title: "数据列", cell: |one| each(one, |issue| &issue.column_title)
    },
    Column { name: "value", title: "原值", cell: |one| each(one, |issue| &issue.value) },
    Column { name: "class", title: "类别", cell: |one| each(one, |issue| &issue.class_title) },
    Column { name: "reason", title: "原因", cell: |one| each(one, |issue| &issue.reason) },
    Column { name: "remedy", title: "怎么改", cell: |one| each(one, |issue| &issue.remedy) },
    Column { name: "rule", title: "规则", cell: |one| each(one, |issue| &issue.rule) },
    Column { name: "cd_id", title: "数据唯一标识", cell: |one| one.cd_id.clone() },
    Column {
        name: "state",
        title: "状态",
        cell: |one| Some(if one.state == "mended" { "已改正" } else { "待改正" }.into()),
    },
];

fn view(row: ErrorRow) -> ErrorView {
    ErrorView {
        row: row.row,
        line: row.line,
        cd_id: row.cd_id,
        state: if row.mended { "mended" } else { "open" }.into(),
        issues: row.issues.into_iter().map(IssueView::from).collect(),
    }
}

/// The department's own sheet with its bad cells marked; personal values are the department's own
/// and stand there as it delivered them.
pub async fn sheet(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Response> {
    let (batch, _) = load(&hub, &caller, &id).await?;
    let bytes = mend::marked_sheet(&hub, &batch).await?;
    Ok(attachment(bytes, &format!("{}-{}-errors.xlsx", batch.table, batch.cd_batch)))
}

/// One refused row comes back mended, as a small batch of its own that names the old one: counts of
/// a settled batch never change.
pub async fn mend(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf((id, row)): PathOf<(String, i64)>,
    input: Input<Mend>,
) -> Answer<Response> {
    let (batch, source) = load(&hub, &caller, &id).await?;
    let table = hub.table(&batch.table)?;
    let body = mend::mended_row(&hub, &batch, row, &input.value.values).await?;
    let blobs = hub.blobs.clone();
    let blob = tokio::task::spawn_blocking(move || blobs.store(body.as_bytes()))
        .await
        .map_err(Error::thread)??;
    let delivery = Delivery {
        table,
        source: &source,
        cd_batch: None,
        channel: batch.channel,
        portion: batch.portion,
        format: "jsonl",
        file_name: None,
        body_sha256: &blob.sha256,
        bytes: blob.size,
        blob: Some(&blob),
        rows: Some(1),
        mends: Some(&batch.id),
    };
    accept(&hub, &caller, &input.digest, &delivery).await
}
