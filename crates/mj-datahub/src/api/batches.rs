//! Deliveries in, deliveries shown.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mj_kernel::clock::to_rfc3339;
use mj_kernel::{Page, PageOf};
use mj_platform::Lane;
use mj_platform::blob::StoredBlob;
use mj_standard::Class;
use mj_web::{
    Answer, Caller, Column, Export, ExportRequest, Input, Once, PathOf, Problem, Query, Sort,
    replayed,
};

use super::shapes::*;
use super::{resource, visible};
use crate::Datahub;
use crate::body;
use crate::error::{Error, Result};
use crate::model::{Batch, BatchState, Channel, Counts, Portion, Source};
use crate::progress::Standing;
use crate::receive::Delivery;
use crate::store;
use crate::upload::{MAX_BYTES, is_sha256};

pub async fn list(
    State(hub): State<Datahub>,
    caller: Caller,
    Query(query): Query<BatchQuery>,
) -> Answer<Json<PageOf<BatchView>>> {
    let sources = visible(&hub, &caller).await?;
    let codes: Vec<String> = sources.iter().map(|source| source.cd_source.clone()).collect();
    let limit = Page { limit: query.limit, cursor: None }.limit();
    let page = page_of(&hub, &query, &codes, query.cursor.as_deref(), limit).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for batch in page.items {
        let source = sources.iter().find(|source| source.cd_source == batch.cd_source);
        items.push(view(&hub, &caller, batch, source).await?);
    }
    Ok(Json(PageOf { items, next_cursor: page.next_cursor }))
}

async fn page_of(
    hub: &Datahub,
    query: &BatchQuery,
    codes: &[String],
    before: Option<&str>,
    limit: i64,
) -> Result<PageOf<Batch>> {
    let sort = Sort::parse(query.sort.as_deref(), &store::batch::SORTABLE);
    let filter = store::batch::Filter {
        table: query.table.as_deref(),
        cd_source: query.cd_source.as_deref(),
        state: query.state.as_deref(),
        sources: Some(codes),
        sort,
        before,
        limit,
    };
    let batches = store::batch::list(&hub.db, &filter).await?;
    Ok(PageOf::from_surplus(batches, limit, |batch| store::batch::cursor_of(batch, sort)))
}

/// The list as a file: the same filters, the same columns.
pub async fn export(
    State(hub): State<Datahub>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let query: BatchQuery = input.value.query()?;
    let sources = visible(&hub, &caller).await?;
    let codes: Vec<String> = sources.iter().map(|source| source.cd_source.clone()).collect();
    let mut file =
        Export::open(&hub.db, &caller, "datahub.batches", "数据批次", &BATCH_COLUMNS, input.value)?;
    let mut before = None;
    loop {
        let page = page_of(&hub, &query, &codes, before.as_deref(), i64::from(Page::MAX)).await?;
        for batch in page.items {
            let source = sources.iter().find(|source| source.cd_source == batch.cd_source);
            file.push(&view(&hub, &caller, batch, source).await?)?;
        }
        before = page.next_cursor;
        if before.is_none() {
            break;
        }
    }
    file.finish(&hub.db, &caller).await
}

/// The columns of the list, by the names under which the workbench knows them.
static BATCH_COLUMNS: [Column<BatchView>; 14] = {
    macro_rules! count {
        ($layer:ident) => {
            |one| Some(one.counts.$layer.to_string())
        };
    }
    [
        Column { name: "batch", title: "数据表", cell: |one| Some(one.table_title.clone()) },
        Column { name: "cd_batch", title: "批次号", cell: |one| Some(one.cd_batch.clone()) },
        Column { name: "source", title: "数据来源", cell: |one| Some(one.source_name.clone()) },
        Column { name: "channel", title: "渠道", cell: |one| Some(channel_title(&one.channel)) },
        Column { name: "file", title: "文件", cell: |one| one.file_name.clone() },
        Column {
            name: "received", title: "接收时间", cell: |one| Some(one.received_at.clone())
        },
        Column { name: "settled", title: "完成时间", cell: |one| one.settled_at.clone() },
        Column { name: "state", title: "状态", cell: |one| Some(state_title(one).into()) },
        Column { name: "front", title: "前置", cell: count!(front) },
        Column { name: "pending", title: "待处理", cell: count!(pending) },
        Column { name: "correct", title: "正确", cell: count!(correct) },
        Column { name: "error", title: "错误", cell: count!(error) },
        Column { name: "duplicate", title: "重复", cell: count!(duplicate) },
        Column { name: "superseded", title: "被取代", cell: count!(superseded) },
    ]
};

fn channel_title(name: &str) -> String {
    Channel::parse(name).map_or_else(|| name.to_owned(), |channel| channel.title().to_owned())
}

/// In the words of the list: a settled batch without one row is not called done.
fn state_title(one: &BatchView) -> &'static str {
    match BatchState::parse(&one.state) {
        Some(BatchState::Settled) if one.counts.front == 0 && one.message.is_some() => "未收录",
        Some(BatchState::Settled) if one.counts.front == 0 => "没有记录",
        Some(BatchState::Received) => "已接收",
        Some(BatchState::Running) => "处理中",
        Some(BatchState::Settled) => "已完成",
        Some(BatchState::Failed) => "失败",
        Some(BatchState::Cancelled) => "已取消",
        None => "",
    }
}

pub async fn one(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<BatchView>> {
    let (batch, source) = load(&hub, &caller, &id).await?;
    let rules = batch.by_rule.clone();
    let table = hub.standard.table(&batch.table);
    let mut shown = view(&hub, &caller, batch, Some(&source)).await?;
    shown.by_rule = Some(
        rules
            .into_iter()
            .map(|(rule, rows)| RuleCount {
                title: table
                    .and_then(|table| table.rule(&rule))
                    .map_or_else(|| "文件结构".to_owned(), |known| known.text.clone()),
                rule,
                rows,
            })
            .collect(),
    );
    Ok(Json(shown))
}

/// Stops a load under way: it ends at its next chunk, and nothing of it is kept.
pub async fn stop(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<StopRequest>,
) -> Answer<Json<BatchView>> {
    let (_, source) = load(&hub, &caller, &id).await?;
    let reason = input.value.reason.trim();
    if reason.is_empty() {
        return Err(Error::StopReasonMissing.into());
    }
    let act = caller.act(format!("hub_batch:{id}")).because(reason);
    let batch = hub.stop_batch(act, &id, reason).await?;
    Ok(Json(view(&hub, &caller, batch, Some(&source)).await?))
}

/// A batch and its source, if this caller may see them.
pub(super) async fn load(hub: &Datahub, caller: &Caller, id: &str) -> Answer<(Batch, Source)> {
    let batch = store::batch::by_id(&hub.db, id).await?.ok_or(Error::UnknownBatch)?;
    let source = hub.source(&batch.cd_source).await?;
    caller.require(&resource(&source))?;
    Ok((batch, source))
}

pub(super) async fn view(
    hub: &Datahub,
    caller: &Caller,
    mut batch: Batch,
    source: Option<&Source>,
) -> Answer<BatchView> {
    let mut progress = None;
    if !batch.state.is_final()
        && let Some(standing) = Standing::read(&hub.db, &batch.job_key()).await?
    {
        standing.show_in(&mut batch);
        progress = Some(ProgressView {
            percent: standing.percent,
            rows_per_second: standing.rows_per_second,
            finishing: standing.finishing,
        });
    }
    if batch.state == BatchState::Settled {
        progress = Some(ProgressView { percent: 100, rows_per_second: 0, finishing: false });
    }
    let stop = match batch.state {
        BatchState::Settled | BatchState::Failed => None,
        _ => hub.stop_of(&batch).await?,
    };
    let stop = match stop {
        Some(stop) => {
            let names = caller.names_of(vec![stop.actor.clone()]).await?;
            Some(StopView {
                by_name: names.of(&stop.actor),
                reason: stop.reason,
                asked_at: to_rfc3339(stop.asked_at),
                stopped_at: stop.stopped_at.map(to_rfc3339),
                rows_judged: stop.rows_judged,
            })
        }
        None => None,
    };
    Ok(BatchView {
        stop,
        href: Batch::href(&batch.id),
        table_title: hub
            .standard
            .table(&batch.table)
            .map_or_else(|| batch.table.clone(), |table| table.title.clone()),
        source_name: source.map_or_else(|| batch.cd_source.clone(), |source| source.name.clone()),
        id: batch.id,
        version: batch.version,
        table: batch.table,
        cd_source: batch.cd_source,
        cd_batch: batch.cd_batch,
        channel: batch.channel.name().into(),
        portion: batch.portion.name().into(),
        state: batch.state.name().into(),
        file_name: batch.file_name,
        received_at: to_rfc3339(batch.received_at),
        settled_at: batch.settled_at.map(to_rfc3339),
        counts: batch.counts.into(),
        by_class: batch.by_class,
        progress,
        message: batch.message,
        mends_batch: batch.mends_batch,
        by_rule: None,
    })
}

/// A department's system pushes rows, or names a file it has uploaded.
pub async fn push(
    State(hub): State<Datahub>,
    caller: Caller,
    input: Input<Push>,
) -> Answer<Response> {
    let push = input.value;
    let source = hub.source(&push.cd_source).await?;
    caller.require(&resource(&source))?;
    let table = hub.table(&push.table)?;
    let portion = portion(push.portion.as_deref())?;
    let (blob, sha256, channel, format, rows) = match (&push.rows, &push.upload) {
        (Some(rows), None) if !rows.is_empty() => {
            let body = json_lines(rows);
            let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let blobs = hub.blobs.clone();
            let blob = tokio::task::spawn_blocking(move || blobs.store(body.as_bytes()))
                .await
                .map_err(Error::thread)??;
            let sha256 = blob.sha256.clone();
            (Some(blob), sha256, Channel::Push, "jsonl", Some(count))
        }
        (None, Some(upload)) if is_sha256(&upload.sha256) => {
            let blob = uploaded(&hub, &caller, upload).await?;
            (blob, upload.sha256.clone(), Channel::Upload, upload.format.as_str(), None)
        }
        (Some(_), None) => return Err(Error::Request("rows不能为空".into()).into()),
        (None, Some(_)) => {
            return Err(Error::Request("upload.sha256应为64位小写十六进制".into()).into());
        }
        _ => return Err(Error::Request("rows与upload二者取一".into()).into()),
    };
    let delivery = Delivery {
        table,
        source: &source,
        cd_batch: Some(&push.cd_batch),
        channel,
        portion,
        format,
        file_name: None,
        body_sha256: &sha256,
        bytes: blob.as_ref().map_or(0, |blob| blob.size),
        blob: blob.as_ref(),
        rows,
        mends: None,
    };
    let response = accept(&hub, &caller, &input.digest, &delivery).await?;
    if let Some(upload) = &push.upload {
        hub.inbox.forget(&caller.actor.reference(), &upload.sha256);
    }
    Ok(response)
}

/// One row a line, keys in order: what was sent decides the digest, not how it was spaced.
fn json_lines(rows: &[serde_json::Value]) -> String {
    let mut body = String::new();
    for row in rows {
        match row {
            serde_json::Value::Object(cells) => {
                let sorted: std::collections::BTreeMap<_, _> = cells.iter().collect();
                body.push_str(&serde_json::to_string(&sorted).unwrap_or_default());
            }
            // not an object: a fault of the row, found where rows are judged
            other => body.push_str(&other.to_string()),
        }
        body.push('\n');
    }
    body
}

/// The uploaded file as a blob. One that is not there any more may have become a batch already,
/// which its digest tells.
async fn uploaded(
    hub: &Datahub,
    caller: &Caller,
    upload: &UploadRef,
) -> Result<Option<StoredBlob>> {
    let (inbox, blobs) = (hub.inbox.clone(), hub.blobs.clone());
    let (owner, sha256) = (caller.actor.reference(), upload.sha256.clone());
    let stored = tokio::task::spawn_blocking(move || inbox.store(&owner, &sha256, &blobs))
        .await
        .map_err(Error::thread)?;
    match stored {
        Ok(blob) => Ok(Some(blob)),
        Err(Error::UploadMissing) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A person uploads a file at the workbench.
pub async fn deliver_file(
    State(hub): State<Datahub>,
    caller: Caller,
    Query(query): Query<FileQuery>,
    body: Body,
) -> Answer<Response> {
    let source = hub.source(&query.cd_source).await?;
    caller.require(&resource(&source))?;
    let table = hub.table(&query.table)?;
    let channel = match query.channel.as_deref() {
        None | Some("file") => Channel::File,
        Some("manual") => Channel::Manual,
        Some(_) => return Err(Error::Request("channel应为file或manual".into()).into()),
    };
    if let Some(mends) = &query.mends {
        let (original, _) = load(&hub, &caller, mends).await?;
        if original.table != table.name || original.cd_source != source.cd_source {
            return Err(Error::Request("改好的表应与原批次同一数据源、同一张表".into()).into());
        }
    }
    let blobs = hub.blobs.clone();
    let stored = body::feed(body.into_data_stream(), MAX_BYTES, move |reader| blobs.store(reader))
        .await
        .map_err(mj_platform::Error::io("inbox"))?;
    let blob = stored.map_err(broken_body)?;
    let delivery = Delivery {
        table,
        source: &source,
        cd_batch: query.cd_batch.as_deref(),
        channel,
        portion: portion(query.portion.as_deref())?,
        format: "auto",
        file_name: query.file_name.as_deref(),
        body_sha256: &blob.sha256,
        bytes: blob.size,
        blob: Some(&blob),
        rows: None,
        mends: query.mends.as_deref(),
    };
    let digest = mj_platform::gm::sm3(blob.sha256.as_bytes());
    accept(&hub, &caller, &digest, &delivery).await
}

/// A body that stopped or grew too large is the sender's matter, a full disk is ours.
fn broken_body(error: mj_platform::Error) -> Problem {
    match &error {
        mj_platform::Error::Io { source, .. } => match source.kind() {
            std::io::ErrorKind::FileTooLarge => {
                Error::TooLarge("单个文件不超过2 GiB".into()).into()
            }
            std::io::ErrorKind::UnexpectedEof => {
                Problem::bad_request("datahub.body_broken", "文件没有传完")
                    .detail("请重新上传；网络不稳时可用断点续传接口。")
            }
            std::io::ErrorKind::StorageFull => Problem::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "datahub.disk_full",
                "磁盘空间不足，文件没有收下",
            )
            .detail("请联系系统管理员清理磁盘后重新上传；已入库的数据不受影响。"),
            _ => error.into(),
        },
        _ => error.into(),
    }
}

/// Claims the key, receives, answers 202 once it is durable.
pub(super) async fn accept(
    hub: &Datahub,
    caller: &Caller,
    digest: &[u8; 32],
    delivery: &Delivery<'_>,
) -> Answer<Response> {
    let object = format!("hub_source:{}", delivery.source.cd_source);
    let mut tx = hub.db.begin(Lane::People, caller.act(object)).await?;
    let first = match Once::claim(&mut tx, caller, digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let batch = store::batch::by_id(&hub.db, &earlier.object_id)
                .await?
                .ok_or(Error::UnknownBatch)?;
            return Ok(replayed(&earlier, Json(accepted(&batch))));
        }
        Once::First(first) => first,
    };
    let received = hub.receive(&mut tx, delivery).await?;
    first.keep(&mut tx, StatusCode::ACCEPTED, &received.batch.id, received.batch.version).await?;
    tx.commit().await?;
    hub.wake();
    if let (true, Some(blob)) = (received.again, delivery.blob) {
        hub.blobs.discard(&hub.db, blob).await?;
    }
    Ok((StatusCode::ACCEPTED, Json(accepted(&received.batch))).into_response())
}

fn accepted(batch: &Batch) -> Accepted {
    Accepted {
        batch_id: batch.id.clone(),
        state: batch.state.name().into(),
        rows_received: batch.counts.front,
        href: Batch::href(&batch.id),
    }
}

fn portion(text: Option<&str>) -> Result<Portion> {
    match text {
        None => Ok(Portion::Delta),
        Some(text) => Portion::parse(text)
            .ok_or_else(|| Error::Request("portion应为backlog（存量）或delta（增量）".into())),
    }
}

/// What has come together, over all the caller may see.
pub async fn summary(State(hub): State<Datahub>, caller: Caller) -> Answer<Json<Summary>> {
    let sources = visible(&hub, &caller).await?;
    let codes: Vec<String> = sources.iter().map(|source| source.cd_source.clone()).collect();
    let mut totals = Counts::default();
    let mut by_table: Vec<TableSummary> = Vec::new();
    for table in hub.standard.tables() {
        let declared = sources.iter().filter_map(|source| source.backlog_declared.get(&table.name));
        by_table.push(TableSummary {
            table: table.name.clone(),
            title: table.title.clone(),
            counts: Counts::default().into(),
            batches: 0,
            last_received_at: String::new(),
            backlog_declared: declared.sum(),
            backlog_received: 0,
            delta_received: 0,
        });
    }
    let mut newest = std::collections::HashMap::new();
    for sum in store::batch::sums(&hub.db, Some(&codes)).await? {
        totals.add(&sum.counts);
        let Some(line) = by_table.iter_mut().find(|line| line.table == sum.table) else { continue };
        let taken = sum.counts.correct + sum.counts.duplicate + sum.counts.superseded;
        match Portion::parse(&sum.portion) {
            Some(Portion::Backlog) => line.backlog_received += taken,
            _ => line.delta_received += taken,
        }
        line.batches += sum.batches;
        add(&mut line.counts, &sum.counts);
        let last = newest.entry(sum.table).or_insert(0);
        *last = sum.last_received_at.max(*last);
        line.last_received_at = to_rfc3339(*last);
    }
    by_table.retain(|line| line.batches > 0 || line.backlog_declared > 0);
    let classes = store::batch::classes(&hub.db, Some(&codes)).await?;
    let by_class = Class::all()
        .map(|class| ClassSummary {
            class: class.code().into(),
            title: class.title().into(),
            rows: classes.get(class.code()).copied().unwrap_or(0),
        })
        .collect();
    Ok(Json(Summary { totals: totals.into(), by_table, by_class }))
}

fn add(shown: &mut CountsView, more: &Counts) {
    shown.front += more.front;
    shown.pending += more.pending;
    shown.correct += more.correct;
    shown.error += more.error;
    shown.duplicate += more.duplicate;
    shown.superseded += more.superseded;
}
