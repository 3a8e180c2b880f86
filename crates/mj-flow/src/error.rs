//! What can go wrong with a work item, as far as a caller could act on it.

use mj_web::Problem;

use crate::state::{State, Verb};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("没有这个待办事项，或它不在您的范围内")]
    UnknownItem,
    #[error("“{}”的事项不能{}", state.title(), verb.title())]
    NotNow { state: State, verb: Verb },
    #[error("这个事项由他人认领")]
    ClaimedByAnother,
    #[error("请写明原因")]
    ReasonMissing,
    #[error("请选择转给哪个部门或哪位同事")]
    NobodyNamed,
    #[error("一次最多处理 {0} 件")]
    TooMany(usize),
    #[error("这类事项没有“{0}”这种判断")]
    UnknownVerdict(String),
    #[error(transparent)]
    Platform(#[from] mj_platform::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let said = error.to_string();
        match error {
            Error::UnknownItem => Problem::not_found(),
            Error::NotNow { .. } => Problem::conflict("flow.not_now", said)
                .detail("事项可能刚刚被别人处理过，请刷新后再看。"),
            Error::ClaimedByAnother => Problem::conflict("flow.claimed_by_another", said)
                .detail("只有认领人可以办理；需要换人时，请认领人退回或转办。"),
            Error::ReasonMissing => Problem::invalid("flow.reason_missing", said)
                .field("reason", "请写明原因，办理经过里会保留"),
            Error::NobodyNamed => {
                Problem::invalid("flow.nobody_named", said).field("agency", "请选择部门或同事")
            }
            Error::TooMany(_) => Problem::invalid("flow.too_many", said)
                .detail("请先用筛选条件缩小范围，或分几次处理。"),
            Error::UnknownVerdict(_) => Problem::invalid("flow.unknown_verdict", said)
                .field("decision", "请在给出的选项里选择"),
            Error::Platform(error) => error.into(),
        }
    }
}

impl From<Error> for mj_platform::Error {
    /// For event handlers, which speak the floor's error.
    fn from(error: Error) -> Self {
        match error {
            Error::Platform(error) => error,
            other => mj_platform::Error::Other(other.to_string()),
        }
    }
}
