//! What can go wrong with a figure, as far as a caller could act on it.

use mj_web::Problem;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("没有这个指标")]
    UnknownIndicator,
    #[error("没有这条记录，或它不在您的范围内")]
    UnknownRecord,
    #[error("{0}")]
    Request(String),
    #[error("{0}")]
    Rules(String),
    #[error(transparent)]
    Facts(#[from] mj_facts::Error),
    #[error(transparent)]
    Flow(#[from] mj_flow::Error),
    #[error("后台线程意外结束：{0}")]
    Thread(String),
    #[error(transparent)]
    Platform(#[from] mj_platform::Error),
}

impl Error {
    pub fn thread(cause: tokio::task::JoinError) -> Self {
        Self::Thread(cause.to_string())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let said = error.to_string();
        match error {
            Error::UnknownIndicator | Error::UnknownRecord => Problem::not_found(),
            Error::Request(_) => Problem::invalid("evaluation.request", said),
            Error::Flow(error) => error.into(),
            Error::Platform(error) => error.into(),
            other => Problem::internal(&other),
        }
    }
}

impl From<Error> for mj_platform::Error {
    /// For jobs and events, which speak the floor's error.
    fn from(error: Error) -> Self {
        match error {
            Error::Platform(error) => error,
            other => mj_platform::Error::Other(other.to_string()),
        }
    }
}
