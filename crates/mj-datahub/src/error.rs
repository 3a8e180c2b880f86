//! What can go wrong in the data centre, as far as a caller could act on it. Faults of single rows
//! are never errors: they are findings kept with the batch.

use mj_platform::Error as Platform;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("数据标准中没有名为“{0}”的表")]
    UnknownTable(String),
    #[error("没有编码为“{0}”的数据源，或它不在您的范围内")]
    UnknownSource(String),
    #[error("没有这个批次，或它不在您的范围内")]
    UnknownBatch,
    #[error("没有这一条错误记录")]
    UnknownErrorRow,
    #[error("批次号“{0}”不合规则：应为8位日期加5位序号，例如2026112200001")]
    BatchNumber(String),
    #[error("批次“{cd_batch}”已经以另一份内容收到过；请换一个批次号再报送")]
    BatchConflict { cd_batch: String, batch_id: String },
    #[error("{day}起，{table_title}不接受以“{channel_title}”方式报送（规则{rule}：{text}）")]
    ChannelNotApproved {
        rule: String,
        text: String,
        day: String,
        table_title: String,
        channel_title: &'static str,
    },
    #[error("请求内容有误：{0}")]
    Request(String),
    #[error("上传的内容与声明的SHA-256不符，已丢弃；请从头上传")]
    WrongDigest,
    #[error("应从第{expected}字节继续上传")]
    WrongOffset { expected: u64 },
    #[error("这个文件正在上传，请稍后再试")]
    UploadUnderWay,
    #[error("没有有效的令牌，不必作废")]
    NoToken,
    #[error("没有这份已上传完成的文件；请先用PUT /datahub/uploads/{{sha256}}上传")]
    UploadMissing,
    #[error("文件超过上限：{0}")]
    TooLarge(String),
    #[error("这一行的内容已依法删除，不能再查看或改正")]
    RowErased,
    #[error("这一条错误记录已经更正过")]
    AlreadyMended,
    #[error("改正已经开始，不能再撤销")]
    TooLateToCancel,
    #[error("这个批次{0}，不能再停止")]
    TooLateToStop(&'static str),
    #[error("请写明停止导入的原因")]
    StopReasonMissing,
    #[error("已有人要求停止这个批次")]
    StopAsked,
    #[error("没有一行符合这条改正规则")]
    NothingToMend,
    #[error("请写明改正的依据")]
    ReasonMissing,
    #[error("数据源编码“{0}”已登记")]
    SourceExists(String),
    #[error("批次处理未完成：{0}")]
    BatchFailed(String),
    #[error(transparent)]
    Facts(#[from] mj_facts::Error),
    #[error(transparent)]
    Registry(#[from] mj_registry::Error),
    #[error(transparent)]
    Catalog(#[from] mj_catalog::Error),
    #[error(transparent)]
    Access(#[from] mj_access::Error),
    #[error("导入期间文件被改动")]
    LocalChanged,
    #[error("读取文件失败：{0}")]
    Tabular(String),
    #[error("后台线程意外结束：{0}")]
    Thread(String),
    #[error(transparent)]
    Platform(#[from] Platform),
}

impl Error {
    pub fn json(context: &'static str) -> impl FnOnce(serde_json::Error) -> Error {
        move |cause| Error::Platform(Platform::Corrupt(format!("{context}：{cause}")))
    }

    pub fn thread(cause: tokio::task::JoinError) -> Error {
        Error::Thread(cause.to_string())
    }

    /// A thread of a load could not be started.
    pub fn no_thread(cause: std::io::Error) -> Error {
        Error::Thread(cause.to_string())
    }

    /// A thread of a load ended without an answer.
    pub fn thread_lost(_: tokio::sync::oneshot::error::RecvError) -> Error {
        Error::Thread("后台线程中断".into())
    }
}

impl From<Error> for mj_web::Problem {
    fn from(error: Error) -> Self {
        use mj_web::Problem;
        let said = error.to_string();
        match error {
            Error::UnknownTable(_) => Problem::invalid("datahub.table_unknown", said)
                .detail("可报送的表见GET /api/v1/datahub/tables。"),
            Error::UnknownSource(_) | Error::UnknownBatch | Error::UnknownErrorRow => {
                Problem::not_found()
            }
            Error::BatchNumber(_) => Problem::invalid("datahub.batch_number", said),
            Error::BatchConflict { batch_id, .. } => {
                Problem::conflict("datahub.batch_conflict", said)
                    .detail(format!("已收到的批次见{}。", crate::model::Batch::href(&batch_id)))
            }
            Error::ChannelNotApproved { rule, text, .. } => {
                Problem::forbidden("datahub.channel_not_approved", said)
                    .detail(format!("依据规则{rule}：{text}"))
            }
            Error::Request(_) => Problem::invalid("datahub.request", said),
            Error::WrongDigest => Problem::invalid("datahub.upload_digest", said),
            Error::WrongOffset { expected } => {
                Problem::conflict("datahub.upload_offset", "续传位置不符")
                    .detail(format!("已收到{expected}字节，请从第{expected}字节继续。"))
            }
            Error::UploadUnderWay => Problem::conflict("datahub.upload_under_way", said)
                .detail("另一个连接正在写这份文件；它断开后用HEAD查询已收到多少，再接着传。"),
            Error::NoToken => Problem::conflict("datahub.no_token", said),
            Error::UploadMissing => Problem::invalid("datahub.upload_missing", said),
            Error::TooLarge(_) => {
                Problem::new(axum::http::StatusCode::PAYLOAD_TOO_LARGE, "datahub.too_large", said)
            }
            Error::RowErased => Problem::conflict("datahub.row_erased", said)
                .detail("其中有依法删除的个人信息；仍需要时请来源重新报送。"),
            Error::AlreadyMended => Problem::conflict("datahub.already_mended", said),
            Error::TooLateToCancel => Problem::conflict("datahub.too_late", said)
                .detail("已提交的改正见它形成的批次；有误时请报送新的版本。"),
            Error::TooLateToStop(_) => Problem::conflict("datahub.stop_too_late", said)
                .detail("已入库的数据有误时，请由来源报送新的版本或删除（cd_operation为d）。"),
            Error::StopReasonMissing => Problem::invalid("datahub.reason_missing", said)
                .field("reason", "请写明原因，批次记录和监管日志里会保留"),
            Error::NothingToMend => Problem::invalid("datahub.nothing_to_mend", said)
                .detail("这些行可能刚刚被改正过，请刷新后再看。"),
            Error::ReasonMissing => Problem::invalid("datahub.reason_missing", said)
                .field("reason", "请写明依据，改正记录里会保留"),
            Error::SourceExists(_) => Problem::conflict("datahub.source_exists", said),
            Error::Platform(error) => error.into(),
            other => Problem::internal(&other),
        }
    }
}

impl From<Error> for Platform {
    /// For jobs, which speak the floor's error.
    fn from(error: Error) -> Self {
        match error {
            Error::Platform(error) => error,
            other => Platform::Other(other.to_string()),
        }
    }
}
