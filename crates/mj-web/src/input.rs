//! What comes in, read with answers a clerk and an integrator understand: where the JSON breaks,
//! which field is missing. Values sent are never echoed.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use mj_platform::gm;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A JSON body and the SM3 of its bytes (for [`crate::Once::claim`]).
#[derive(Debug, Clone)]
pub struct Input<T> {
    pub value: T,
    pub digest: [u8; 32],
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| {
                let kind = kind.split(';').next().unwrap_or_default().trim();
                kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
            });
        if !json {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "input.media_type",
                "请求正文应为 application/json",
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|why| body_problem(&why))?;
        let value = serde_json::from_slice(&bytes).map_err(|error| json_problem(&error))?;
        Ok(Self { value, digest: gm::sm3(&bytes) })
    }
}

/// Why a body could not be read: too large, or the line broke.
pub fn body_problem(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        too_large()
    } else {
        Problem::bad_request("input.body", "请求正文没有收完整")
    }
}

pub fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "input.too_large", "请求正文过大")
        .detail("请分批提交，或改用文件上传。")
}

fn json_problem(error: &serde_json::Error) -> Problem {
    use serde_json::error::Category;
    let place = format!("第 {} 行第 {} 列", error.line(), error.column());
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::bad_request("input.json", "请求正文不是正确的 JSON")
                .detail(format!("在{place}处无法读下去。"))
        }
        Category::Data => {
            let said = error.to_string();
            let field = said.split('`').nth(1).unwrap_or_default().to_owned();
            let message = if said.starts_with("missing field") {
                "缺少此字段"
            } else if said.starts_with("unknown field") {
                "没有这个字段"
            } else if said.starts_with("duplicate field") {
                "字段重复"
            } else if said.starts_with("unknown variant") {
                return Problem::invalid("input.invalid", "请求内容不符合要求")
                    .detail(format!("{place}：不是允许的取值。"));
            } else {
                return Problem::invalid("input.invalid", "请求内容不符合要求")
                    .detail(format!("{place}：值的类型或格式不对。"));
            };
            Problem::invalid("input.invalid", "请求内容不符合要求")
                .detail(format!("{place}：{message}（{field}）。"))
                .field(field, message)
        }
    }
}

/// Query parameters.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(crate::problem::nul());
        }
        axum::extract::Query::<T>::try_from_uri(&parts.uri).map(|query| Self(query.0)).map_err(
            |why| {
                let said = why.body_text();
                let problem = Problem::bad_request("input.query", "查询参数不对");
                match (said.contains("missing field"), said.split('`').nth(1)) {
                    (true, Some(field)) => problem.field(field, "缺少此参数"),
                    _ => problem.detail("请核对参数的名称与格式（数字、日期等）。"),
                }
            },
        )
    }
}

/// Parts of the path. One that cannot be read names nothing that exists: 404.
#[derive(Debug, Clone)]
pub struct PathOf<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.uri.path().contains("%00") {
            return Err(Problem::not_found());
        }
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|path| Self(path.0))
            .map_err(|_| Problem::not_found())
    }
}

/// 201 with the record.
pub fn created<T: serde::Serialize>(body: T) -> (StatusCode, Json<T>) {
    (StatusCode::CREATED, Json(body))
}

/// The id of what is made: the client's own UUIDv7 if it brought one, else a new one.
pub fn own_id(brought: Option<&str>) -> Result<String, Problem> {
    let Some(id) = brought else { return Ok(mj_platform::new_id()) };
    let fits = id.len() == 36
        && id.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            14 => b == b'7',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        });
    if fits {
        Ok(id.to_owned())
    } else {
        Err(Problem::invalid("input.invalid", "请求内容不符合要求")
            .field("id", "应为小写的 UUIDv7"))
    }
}
