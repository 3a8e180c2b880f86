//! What can go wrong with posts, corrections and open data, as far as somebody could act on it.

use mj_web::Problem;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("没有这篇稿件，或它不在您的范围内")]
    UnknownPost,
    #[error("没有这个部门，或它不在您的范围内")]
    UnknownAgency,
    #[error("稿件现在不能这样处理")]
    NotNow,
    #[error("请写明原因")]
    ReasonMissing,
    #[error("{message}")]
    Field { field: &'static str, message: String },
    #[error("这条监管记录已不在公示中")]
    ActNotPublic,
    #[error("提交过于频繁")]
    TooOften,
    #[error("没有这条纠错，或查询码不对")]
    UnknownCorrection,
    #[error("没有这个数据集")]
    UnknownDataset,
    #[error(transparent)]
    Registry(#[from] mj_registry::Error),
    #[error(transparent)]
    Flow(#[from] mj_flow::Error),
    #[error(transparent)]
    Facts(#[from] mj_facts::Error),
    #[error(transparent)]
    Access(#[from] mj_access::Error),
    #[error(transparent)]
    Platform(#[from] mj_platform::Error),
}

impl Error {
    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Field { field, message: message.into() }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let said = error.to_string();
        match error {
            Error::UnknownPost
            | Error::UnknownAgency
            | Error::UnknownCorrection
            | Error::UnknownDataset => Problem::not_found(),
            Error::NotNow => Problem::conflict("portal.not_now", said)
                .detail("稿件可能刚刚被别人处理过，请刷新后再看。"),
            Error::ReasonMissing => Problem::invalid("portal.reason_missing", said)
                .field("reason", "请写明原因，处理经过里会保留"),
            Error::Field { field, message } => {
                Problem::invalid("input.invalid", "请求内容不符合要求").field(field, message)
            }
            Error::ActNotPublic => Problem::invalid("portal.act_not_public", said)
                .field("act_line", "请在该对象的公示记录里重新选择"),
            Error::TooOften => {
                Problem::new(axum::http::StatusCode::TOO_MANY_REQUESTS, "portal.too_often", said)
                    .detail("同一网络地址一小时内的提交次数有限，请稍后再试。")
            }
            Error::Registry(error) => error.into(),
            Error::Flow(error) => error.into(),
            Error::Facts(error) => Problem::internal(&error),
            Error::Access(error) => error.into(),
            Error::Platform(error) => error.into(),
        }
    }
}

impl From<Error> for mj_platform::Error {
    /// For jobs and event handlers, which speak the floor's error.
    fn from(error: Error) -> Self {
        match error {
            Error::Platform(error) => error,
            other => mj_platform::Error::Other(other.to_string()),
        }
    }
}
