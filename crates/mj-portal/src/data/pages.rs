//! The pages of open data and the files themselves, streamed in small pieces.

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use mj_web::Caller;
use tokio::io::AsyncReadExt;

use super::{Built, Column, DATASETS, FileEntry, dataset as dataset_of};
use crate::Portal;
use crate::pages::Place;
use crate::posts::pages::day;
use crate::view::{self, SiteView};

/// How much of a file is in memory at a time.
const PIECE: usize = 64 << 10;

struct Download {
    format: &'static str,
    address: String,
    size: String,
    sha256: String,
}

struct Row {
    id: &'static str,
    title: &'static str,
    about: &'static str,
    rows: String,
    day: String,
    downloads: Vec<Download>,
}

#[derive(Template)]
#[template(path = "data.html")]
struct ListPage {
    site: SiteView,
    rows: Vec<Row>,
    waiting: usize,
    licence: String,
}

#[derive(Template)]
#[template(path = "dataset.html")]
struct SetPage {
    site: SiteView,
    row: Row,
    columns: &'static [Column],
    licence: String,
}

pub fn address(id: &str, ending: &str) -> String {
    format!("/data/{id}/{id}.{ending}")
}

fn download(id: &str, format: &'static str, ending: &str, file: &FileEntry) -> Download {
    Download {
        format,
        address: address(id, ending),
        size: view::size(file.bytes),
        sha256: file.sha256.clone(),
    }
}

fn row(set: &'static super::Dataset, built: &Built) -> Row {
    Row {
        id: set.id,
        title: set.title,
        about: set.about,
        rows: view::thousands(built.rows),
        day: day(built.built_at),
        downloads: vec![
            download(set.id, "CSV", "csv", &built.csv),
            download(set.id, "JSON", "json", &built.json),
        ],
    }
}

pub async fn list(State(portal): State<Portal>, _caller: Caller) -> Response {
    let built = match portal.built().await {
        Ok(built) => built,
        Err(error) => return portal.failed(error),
    };
    let rows: Vec<Row> = DATASETS
        .iter()
        .filter_map(|set| Some(row(set, built.iter().find(|one| one.id == set.id)?)))
        .collect();
    let site = portal.view("data", "开放数据").json("/api/v1/public/datasets");
    let page =
        ListPage { site, waiting: DATASETS.len() - rows.len(), rows, licence: portal.licence() };
    portal.page(StatusCode::OK, page)
}

pub async fn dataset(
    State(portal): State<Portal>,
    _caller: Caller,
    Place(id): Place<String>,
) -> Response {
    let Some(set) = dataset_of(&id) else { return no_dataset(&portal) };
    match portal.built_of(&id).await {
        Ok(Some(built)) => {
            let site =
                portal.view("data", "开放数据").json(format!("/api/v1/public/datasets/{id}"));
            let licence = portal.licence();
            let page = SetPage { site, row: row(set, &built), columns: set.columns, licence };
            portal.page(StatusCode::OK, page)
        }
        Ok(None) => portal.missing("数据文件尚未生成", "后台任务每天生成一次，请稍后再来。"),
        Err(error) => portal.failed(error),
    }
}

fn no_dataset(portal: &Portal) -> Response {
    portal.missing("没有这个数据集", "名称可能写错了。全部数据集见“开放数据”。")
}

pub async fn file(
    State(portal): State<Portal>,
    _caller: Caller,
    Place((id, name)): Place<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let built = match portal.built_of(&id).await {
        Ok(Some(built)) => built,
        Ok(None) => return no_dataset(&portal),
        Err(error) => return portal.failed(error),
    };
    let (entry, kind) = match name.strip_prefix(&format!("{id}.")) {
        Some("csv") => (built.csv, "text/csv; charset=utf-8"),
        Some("json") => (built.json, "application/json"),
        _ => return no_dataset(&portal),
    };
    let tag = format!("\"{}\"", &entry.sha256[..24.min(entry.sha256.len())]);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let opened = tokio::fs::File::open(portal.data_folder.join(&entry.file)).await;
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return portal.failed(format!("开放数据文件 {}：{error}", entry.file)),
    };
    let stream = futures_util::stream::try_unfold(opened, |mut opened| async move {
        let mut piece = vec![0; PIECE];
        let count = opened.read(&mut piece).await?;
        piece.truncate(count);
        Ok::<_, std::io::Error>((count > 0).then(|| (Bytes::from(piece), opened)))
    });
    let head = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, entry.bytes.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (head, Body::from_stream(stream)).into_response()
}
