//! Large files in pieces.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mj_web::{Answer, Caller, PathOf, Problem};

use crate::Datahub;
use crate::body;
use crate::error::Error;
use crate::upload::{ContentRange, MAX_BYTES, Progress, is_sha256};

const UPLOAD_OFFSET: &str = "upload-offset";

/// 204 while more is to come, 201 when the file is whole and its digest right.
pub async fn put(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(sha256): PathOf<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    check_name(&sha256)?;
    let range = match headers.get(header::CONTENT_RANGE) {
        None => None,
        Some(value) => {
            let range = value.to_str().ok().and_then(ContentRange::parse).ok_or_else(|| {
                Problem::bad_request("datahub.content_range", "Content-Range无法识别")
                    .detail("应为bytes 起-止/总字节数，例如bytes 0-1048575/5242880。")
            })?;
            Some(range)
        }
    };
    let (inbox, owner) = (hub.inbox.clone(), caller.actor.reference());
    let outcome = body::feed(body.into_data_stream(), MAX_BYTES, move |reader| {
        inbox.put(&owner, &sha256, range, reader)
    })
    .await
    .map_err(mj_platform::Error::io("inbox"))?;
    match outcome {
        Ok(Progress::Whole) => Ok(StatusCode::CREATED.into_response()),
        Ok(Progress::Partial(offset)) => {
            Ok((StatusCode::NO_CONTENT, [(UPLOAD_OFFSET, offset.to_string())]).into_response())
        }
        Err(Error::WrongOffset { expected }) => {
            let problem = Problem::from(Error::WrongOffset { expected });
            Ok(([(UPLOAD_OFFSET, expected.to_string())], problem).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

pub async fn offset(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(sha256): PathOf<String>,
) -> Answer<Response> {
    check_name(&sha256)?;
    let (inbox, owner) = (hub.inbox.clone(), caller.actor.reference());
    let offset = tokio::task::spawn_blocking(move || inbox.offset(&owner, &sha256))
        .await
        .map_err(Error::thread)??;
    Ok((StatusCode::OK, [(UPLOAD_OFFSET, offset.to_string())]).into_response())
}

fn check_name(sha256: &str) -> Answer<()> {
    if is_sha256(sha256) {
        return Ok(());
    }
    Err(Problem::invalid("datahub.upload_name", "地址末段应为文件的SHA-256（64位小写十六进制）"))
}
