//! What was refused, why, and the way back.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use mj_kernel::{Page, PageOf};
use mj_web::{Answer, Caller, Input, PathOf, Problem, Query};

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
    let after_row = match query.cursor.as_deref() {
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
    let rule = query.rule.as_deref();
    let filter = store::error_row::Filter { class, rule, open_only: false, after_row, limit };
    let rows = store::error_row::list(&hub.db, &id, &filter).await?;
    let page = PageOf::from_surplus(rows, limit, |row| row.row.to_string());
    Ok(Json(page.map(view)))
}

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
