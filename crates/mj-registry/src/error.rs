//! What can go wrong with parties and officers, as far as a caller could act on it.

use mj_platform::Error as Platform;
use mj_web::Problem;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("没有这个监管对象，或它不在您的范围内")]
    UnknownParty,
    #[error("没有这次合并，或它不在您的范围内")]
    UnknownMerge,
    #[error("不能把一个监管对象与它自己合并")]
    MergeWithItself,
    #[error("自然人与单位不能合并")]
    MergeOfPersonAndBody,
    #[error("监管对象 {register_no} 已并入 {into}")]
    AlreadyMerged { register_no: String, into: String },
    #[error("这次合并已经撤销")]
    AlreadyUndone,
    #[error("请写明理由")]
    ReasonMissing,
    #[error("执法证已经暂停")]
    AlreadySuspended,
    #[error("执法证没有暂停")]
    NotSuspended,
    #[error("暂停的最后一日填写有误")]
    SuspensionDay,
    #[error("执法类别应为 1 至 200 个字，与证件上一致")]
    Wording,
    #[error("没有这样的事项条线")]
    WordingLine(Option<String>),
    #[error("有效期间填写有误")]
    WordingDays,
    #[error("这种执法类别在这些日子里已经对应条线 {0}")]
    WordingOverlaps(String),
    #[error("页码标记无法识别，请从第一页重新查询")]
    Cursor,
    #[error("后台线程意外结束：{0}")]
    Thread(String),
    #[error(transparent)]
    Facts(#[from] mj_facts::Error),
    #[error(transparent)]
    Platform(#[from] Platform),
}

impl Error {
    pub(crate) fn thread(cause: tokio::task::JoinError) -> Error {
        Error::Thread(cause.to_string())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let said = error.to_string();
        match error {
            Error::UnknownParty | Error::UnknownMerge => Problem::not_found(),
            Error::MergeWithItself => Problem::invalid("registry.merge_with_itself", said),
            Error::MergeOfPersonAndBody => {
                Problem::invalid("registry.merge_of_person_and_body", said)
            }
            Error::AlreadyMerged { .. } => Problem::conflict("registry.already_merged", said)
                .detail("请打开并入后的监管对象，再决定是否合并。"),
            Error::AlreadyUndone => Problem::conflict("registry.already_undone", said),
            Error::ReasonMissing => {
                Problem::invalid("registry.reason_missing", said).field("reason", "要写明理由")
            }
            Error::AlreadySuspended => Problem::conflict("registry.already_suspended", said)
                .detail("请刷新页面，查看是谁、为什么暂停的。"),
            Error::NotSuspended => Problem::conflict("registry.not_suspended", said)
                .detail("可能刚刚有人恢复了它，请刷新页面。"),
            Error::SuspensionDay => Problem::invalid("registry.suspension_day", said)
                .field("until", "应为今日或以后的日期，例如 2026-12-31；不填则到恢复为止"),
            Error::Wording => Problem::invalid("registry.wording", said)
                .field("wording", "原样填写证件上的执法类别"),
            Error::WordingLine(line) => Problem::invalid("registry.wording_line", said).field(
                "lines",
                match line {
                    Some(line) => format!("没有代码为“{line}”的条线，应为 2 位条线代码，例如 31"),
                    None => "请至少选一条事项条线".to_owned(),
                },
            ),
            Error::WordingDays => Problem::invalid("registry.wording_days", said)
                .field("valid_to", "应晚于起始日，例如 2026-12-31；不填表示长期"),
            Error::WordingOverlaps(_) => Problem::conflict("registry.wording_overlaps", said)
                .detail("请先结束原来的对应，再登记新的。"),
            Error::Cursor => Problem::bad_request("registry.cursor", said),
            Error::Facts(mj_facts::Error::Cursor) => Error::Cursor.into(),
            Error::Thread(_) | Error::Facts(_) => Problem::internal(&error),
            Error::Platform(error) => error.into(),
        }
    }
}

impl From<Error> for Platform {
    /// For event handlers and jobs, which speak the floor's error.
    fn from(error: Error) -> Self {
        match error {
            Error::Platform(error) => error,
            other => Platform::Other(other.to_string()),
        }
    }
}
