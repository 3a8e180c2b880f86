//! What comes in, read with answers a clerk and an integrator understand: where the JSON breaks,
//! which field is missing. Values sent are never echoed.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
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

/// The request header that carries what somebody looks for, percent-encoded.
pub const SEARCH_TEXT: &str = "mingjian-search";

/// A parameter that travels in a header: what people type or call their files is names and numbers
/// of persons, and addresses are kept by proxies, browser histories and logs.
#[derive(Debug)]
pub(crate) struct Hidden {
    pub parameter: &'static str,
    /// As it is written in the document; HTTP does not tell cases apart.
    pub header: &'static str,
    pub title: &'static str,
}

pub(crate) const HIDDEN: [Hidden; 2] = [
    Hidden { parameter: "q", header: "Mingjian-Search", title: "要查找的文字" },
    Hidden { parameter: "file_name", header: "Mingjian-File-Name", title: "文件名" },
];

/// Refuses what is [`HIDDEN`] in the address of anything that is not open to everybody; the gate asks this before every
/// handler. What everybody may see takes both: the portal works without scripts and a search can be sent on.
pub(crate) fn nothing_typed_in(address: &Uri) -> Result<(), Problem> {
    // the names as a server reads them: `%71` is `q`, too
    for (name, _) in form_urlencoded::parse(address.query().unwrap_or_default().as_bytes()) {
        if let Some(one) = HIDDEN.iter().find(|one| one.parameter == name) {
            let title = format!("{}不能写在网址里", one.title);
            return Err(Problem::bad_request("input.text_in_address", title).detail(format!(
                "网址会留在浏览器历史和沿途的日志里。请按百分号编码后放在请求头 {} 中。",
                one.header
            )));
        }
    }
    Ok(())
}

/// Query parameters; what is [`HIDDEN`] comes in its header.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read_query(parts).map(Self)
    }
}

fn read_query<T: DeserializeOwned>(parts: &Parts) -> Result<T, Problem> {
    let mut query = parts.uri.query().unwrap_or_default().to_owned();
    for one in &HIDDEN {
        let Some(text) = encoded(parts, one)? else { continue };
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(one.parameter);
        query.push('=');
        query.push_str(text);
    }
    if query.contains("%00") {
        return Err(crate::problem::nul());
    }
    let uri = Uri::try_from(format!("/?{query}")).map_err(|_| {
        Problem::bad_request("input.query", "查询参数不对").detail("查询参数太长。")
    })?;
    axum::extract::Query::<T>::try_from_uri(&uri).map(|query| query.0).map_err(|why| {
        let said = why.body_text();
        let problem = Problem::bad_request("input.query", "查询参数不对");
        let missing = said.contains("missing field").then(|| said.split('`').nth(1)).flatten();
        let Some(field) = missing else {
            return problem.detail("请核对参数的名称与格式（数字、日期等）。");
        };
        match HIDDEN.iter().find(|one| one.parameter == field) {
            Some(one) => {
                problem.field(field, format!("缺少{}（请求头 {}）", one.title, one.header))
            }
            None => problem.field(field, "缺少此参数"),
        }
    })
}

/// What the header says, still encoded; only what `encodeURIComponent` writes, so that it is one
/// value and never a second parameter.
fn encoded<'a>(parts: &'a Parts, one: &Hidden) -> Result<Option<&'a str>, Problem> {
    let wrong = |detail: &str| {
        let title = format!("请求头 {} 的写法不对", one.header);
        Problem::bad_request("input.header", title).detail(detail.to_owned())
    };
    let mut given = parts.headers.get_all(one.header).iter();
    let Some(value) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(wrong("同一个请求里只能有一个，请合并后再发。"));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()%".contains(&b);
    let text =
        value.to_str().ok().filter(|text| text.bytes().all(plain) && is_percent_encoded(text));
    match text {
        Some("") => Ok(None),
        Some(text) => Ok(Some(text)),
        None => Err(wrong("应为 UTF-8 文字的百分号编码，与浏览器 encodeURIComponent 的结果相同。")),
    }
}

/// Whether every percent sign begins a byte, and the bytes are a text.
fn is_percent_encoded(text: &str) -> bool {
    let whole = text.split('%').skip(1).all(|after| {
        after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())
    });
    whole && percent_encoding::percent_decode_str(text).decode_utf8().is_ok()
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

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Wanted {
        q: Option<String>,
        file_name: Option<String>,
        area: Option<String>,
    }

    async fn asked(
        uri: &str,
        header: Option<&str>,
    ) -> Result<(Option<String>, Option<String>), String> {
        let mut request = Request::builder().uri(uri);
        if let Some(text) = header {
            request = request.header(SEARCH_TEXT, text);
        }
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        match Query::<Wanted>::from_request_parts(&mut parts, &()).await {
            Ok(Query(wanted)) => Ok((wanted.q, wanted.area)),
            Err(problem) => Err(problem.code.clone()),
        }
    }

    #[tokio::test]
    async fn what_is_looked_for_comes_in_the_header_and_never_in_the_address() {
        let found = asked("/?area=370400", Some("%E6%9D%8E%E6%98%8E%26area%3D1")).await;
        assert_eq!(found, Ok((Some("李明&area=1".into()), Some("370400".into()))));
        assert_eq!(asked("/", Some("")).await, Ok((None, None)));
        let typed = ["/?q=1", "/?area=1&q", "/?%71=1", "/?q", "/?file_name=a.csv"];
        for address in typed.map(Uri::from_static) {
            let told = nothing_typed_in(&address).map_err(|problem| problem.code.clone());
            assert_eq!(told, Err("input.text_in_address".into()), "{address}");
        }
        nothing_typed_in(&Uri::from_static("/?area=370400&qq=1")).expect("nothing typed");
        for header in ["a&area=1", "a b", "李明", "a=b", "a+b", "%ZZ", "a%", "%E6%9D", "%4"] {
            let told = asked("/", Some(header)).await;
            assert_eq!(told, Err("input.header".into()), "{header}");
        }
        assert_eq!(asked("/", Some("a%00")).await, Err("input.nul".into()));
        let twice = Request::builder().header(SEARCH_TEXT, "a").header(SEARCH_TEXT, "b").body(());
        let (mut parts, ()) = twice.expect("a request").into_parts();
        let told = Query::<Wanted>::from_request_parts(&mut parts, &()).await.map(|_| ());
        assert_eq!(told.map_err(|problem| problem.code.clone()), Err("input.header".into()));
    }

    #[tokio::test]
    async fn so_does_the_name_of_a_file() {
        let request =
            Request::builder().uri("/?area=1").header("mingjian-file-name", "%E6%9D%8E.csv");
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        let Query(wanted) =
            Query::<Wanted>::from_request_parts(&mut parts, &()).await.expect("taken");
        assert_eq!(wanted.file_name.as_deref(), Some("李.csv"));
    }
}
