//! What can go wrong with a work item, and what the clerk is told.

use mj_web::Problem;

use crate::state::{State, Verb};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("没有这个工作项")]
    NotFound,
    /// The move is not allowed from where the item stands.
    #[error("“{}”的工作项不能{}", .state.title(), .verb.title())]
    NotNow { state: State, verb: Verb },
    #[error("此工作项由他人认领")]
    NotYours,
    #[error("办结意见不在可选范围内")]
    UnknownVerdict,
    #[error(transparent)]
    Platform(#[from] mj_platform::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound => Problem::not_found(),
            Error::NotNow { .. } => Problem::conflict("flow.not_now", detail)
                .detail("页面上的状态可能已经过时，请刷新后再看。"),
            Error::NotYours => {
                Problem::conflict("flow.not_yours", detail).detail("请先由认领人退回，再自行认领。")
            }
            Error::UnknownVerdict => Problem::invalid("flow.verdict", detail)
                .detail("请在“相同”“不同”“无法判断”中选择。"),
            Error::Platform(error) => error.into(),
        }
    }
}
