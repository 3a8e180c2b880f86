//! What can be wrong with a log, a checkpoint or a receipt.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("检查点格式不符：{0}")]
    Note(&'static str),
    #[error("没有所要求密钥（{0}）的签名")]
    NoSignature(String),
    #[error("{0} 的签名不成立")]
    BadSignature(String),
    #[error("日志条目格式不符：{0}")]
    Entry(&'static str),
    #[error("行清单格式不符：第 {line} 行")]
    Sheet { line: usize },
    #[error("证明不成立：{0}")]
    Proof(&'static str),
    #[error("日志缺少第 {level} 层第 {index} 个节点")]
    MissingNode { level: u32, index: u64 },
    #[error("凭证格式不符：{0}")]
    Receipt(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
