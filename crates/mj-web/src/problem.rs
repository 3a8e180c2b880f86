//! `application/problem+json` (RFC 9457): a stable code for programs, a Chinese sentence for the
//! clerk, a trace id for whoever reads the log. What the database said stays in the log.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mj_platform::Trouble;
use serde::Serialize;
use utoipa::ToSchema;

use crate::authority::Why;

tokio::task_local! {
    /// The request under way, so that a problem made anywhere in it carries its id.
    pub(crate) static REQUEST_ID: String;
}

/// One field that is wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// 字段名，嵌套时用点分隔
    pub field: String,
    /// 错在哪里、怎样改
    pub message: String,
}

/// An error answer. A thin handle: it travels in every `Result` of every handler.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Details>);

/// What an error answer says.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Details {
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    pub kind: String,
    /// 一句话说明
    pub title: String,
    /// HTTP 状态码
    pub status: u16,
    /// 详细说明与下一步怎样做
    pub detail: String,
    /// 稳定的错误代码
    pub code: String,
    /// 报告问题时请提供此编号
    pub trace_id: String,
    pub errors: Vec<FieldError>,
    /// 版本过时时，现在的记录
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<serde_json::Value>,
    #[serde(skip)]
    refused: Option<Refused>,
}

/// In the extensions of an answer that refuses: what [`crate::serve`] puts on record. It never leaves the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub why: Why,
    /// Another action than the route's that was decided upon.
    pub action: Option<&'static str>,
}

impl Problem {
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// `code` is stable and dotted; `title` is what the clerk reads first.
    pub fn new(status: StatusCode, code: &str, title: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind: format!("urn:mingjian:problem:{code}"),
            title: title.into(),
            status: status.as_u16(),
            detail: String::new(),
            code: code.into(),
            trace_id: REQUEST_ID.try_with(Clone::clone).unwrap_or_default(),
            errors: Vec::new(),
            current: None,
            refused: None,
        }))
    }

    /// Says what is refused where the answer itself must not tell.
    pub(crate) fn refusing(mut self, why: Why) -> Self {
        self.0.refused = Some(Refused { why, action: None });
        self
    }

    pub(crate) fn refusing_action(mut self, action: &'static str) -> Self {
        self.0.refused = self.refused().map(|it| Refused { action: Some(action), ..it });
        self
    }

    /// What this answer refuses, if it refuses anything.
    pub(crate) fn refused(&self) -> Option<Refused> {
        let by_code = || Why::of_code(&self.0.code).map(|why| Refused { why, action: None });
        self.0.refused.or_else(by_code)
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = detail.into();
        self
    }

    pub fn field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.errors.push(FieldError { field: field.into(), message: message.into() });
        self
    }

    /// The newer copy beside a stale version, as the caller may see it.
    pub fn with_current(mut self, current: impl Serialize) -> Self {
        self.0.current = serde_json::to_value(current).ok();
        self
    }

    /// The one answer for missing and out of scope; nothing in it may tell them apart.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "没有找到")
            .detail("记录不存在，或不在您的权限范围内。")
    }

    /// 422: understood, but a value cannot be.
    pub fn invalid(code: &str, title: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, title)
    }

    /// 400: cannot be understood.
    pub fn bad_request(code: &str, title: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, title)
    }

    pub fn conflict(code: &str, title: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, title)
    }

    pub fn forbidden(code: &str, title: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, title)
    }

    pub fn denied() -> Self {
        Self::forbidden("access.denied", "您的角色不能进行此操作")
            .detail("如工作需要，请向安全管理员申请相应角色。")
    }

    pub fn session_required() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "access.session_required", "请先登录")
            .detail("没有登录，或登录已过期。")
    }

    /// 500 that says nothing, or where the store itself cannot answer 503 or 507; the cause is logged here, once,
    /// scrubbed of anything personal.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        let problem = match Trouble::behind(cause) {
            Some(trouble) => Self::of_trouble(trouble),
            None => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "系统内部错误")
                .detail("操作没有完成，请稍后重试；仍不成功时，请把追踪编号告诉系统管理员。"),
        };
        tracing::error!(trace_id = %problem.trace_id, cause = %scrub(&chain(cause)), "请求处理失败");
        problem
    }

    fn of_trouble(trouble: Trouble) -> Self {
        let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, "store.unreachable");
        match trouble {
            // whether the last act was kept is unknown when the connection broke at its end
            Trouble::Unreachable => Self::new(status, code, "数据库暂时连不上").detail(
                "可能正在重新启动。请稍后刷新，核对刚才的操作是否已保存，没有保存再提交；一直连不上时，请联系系统管理员。",
            ),
            Trouble::Full => {
                let status = StatusCode::INSUFFICIENT_STORAGE;
                Self::new(status, "store.full", "磁盘空间不足，没有保存")
                    .detail("已有的数据不受影响。请联系系统管理员清理磁盘后再提交。")
            }
        }
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The error and its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push('：');
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// A database may quote a value in its message: digits in a row and quoted texts of people go.
fn scrub(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut digits = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if digits.len() > 5 {
            out.push('#');
        } else {
            out.push_str(&digits);
        }
        digits.clear();
        out.push(if c.is_control() { ' ' } else { c });
    }
    let mut parts = out.trim_end().split('"');
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        clean.push('"');
        // inside quotes: names of tables and constraints stay, anything else does not
        let inside = index % 2 == 0;
        let name = part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        clean.push_str(if inside && !name { "…" } else { part });
    }
    clean
}

impl std::ops::Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        if self.0.trace_id.is_empty() {
            self.0.trace_id = REQUEST_ID.try_with(Clone::clone).unwrap_or_default();
        }
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        if let Some(refused) = self.refused() {
            response.extensions_mut().insert(refused);
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Self::CONTENT_TYPE));
        if self.0.status == StatusCode::UNAUTHORIZED.as_u16() {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.0.code == "store.unreachable" {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<mj_platform::Error> for Problem {
    fn from(error: mj_platform::Error) -> Self {
        use mj_platform::Error;
        match &error {
            Error::Missing { .. } => Self::not_found(),
            Error::Stale { expected, current, .. } => {
                Self::conflict("version.stale", "记录已被他人修改").detail(format!(
                    "您依据的是第 {expected} 版，现在是第 {current} 版；请核对新内容后再提交。"
                ))
            }
            Error::Held => held(),
            _ if error.is_duplicate() => Self::conflict("duplicate", "已有相同的记录")
                .detail("请核对编号或名称；如要修改已有记录，请打开它再改。"),
            _ if error.is_unstorable_text() => nul(),
            _ => Self::internal(&error),
        }
    }
}

/// Nothing is taken in: a witness of the log saw more than this store holds.
pub(crate) fn held() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "ledger.rollback_suspected",
        "系统疑似被退回到旧的备份，暂停一切办理",
    )
    .detail("可以查看，不能办理。刚才的操作没有保存。请联系系统管理员查明原因、登记后恢复。")
}

/// A text with a character that no database keeps; typed by nobody, sent by programs.
pub(crate) fn nul() -> Problem {
    Problem::invalid("input.nul", "文字中有空字符（U+0000）")
        .detail("这种字符看不见，通常来自程序出错或复制；请删去后再提交。")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citizen_id_quoted_by_the_database_does_not_reach_the_log() {
        let said =
            "invalid input syntax for type bigint: \"37040319900101001X\" in \"party_officer\"";
        assert_eq!(scrub(said), "invalid input syntax for type bigint: \"…\" in \"party_officer\"");
        assert_eq!(scrub("tel 13812345678, row 12345"), "tel #, row 12345");
        assert_eq!(scrub("name \"张三\""), "name \"…\"");
    }

    #[test]
    fn a_full_disk_is_told_as_what_it_is() {
        let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let problem = Problem::from(mj_platform::Error::Io { path: "log/tile".into(), source });
        assert_eq!((problem.status, problem.code.as_str()), (507, "store.full"));
        assert!(!problem.detail.contains("log/tile"));
    }

    #[test]
    fn a_database_that_is_away_is_asked_again_later() {
        let problem = Problem::of_trouble(Trouble::Unreachable);
        assert_eq!((problem.status, problem.code.as_str()), (503, "store.unreachable"));
        assert_eq!(problem.into_response().headers()["retry-after"], "5");
    }

    #[test]
    fn a_clerk_with_an_old_copy_is_told_which_version_is_newer() {
        let problem = Problem::from(mj_platform::Error::Stale {
            table: "party",
            id: "1".into(),
            expected: 2,
            current: 3,
        })
        .with_current(serde_json::json!({"version": 3}));
        assert_eq!((problem.status, problem.code.as_str()), (409, "version.stale"));
        assert_eq!(problem.current, Some(serde_json::json!({"version": 3})));
        assert!(problem.detail.contains("第 3 版"));
    }
}
