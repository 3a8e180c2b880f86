//! What can go wrong with the catalogue.

use mj_web::Problem;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("没有这个监管事项")]
    UnknownItem,
    #[error("没有这条对应关系")]
    UnknownMapping,
    #[error("监管事项目录中没有编码为 {0} 的事项")]
    ItemNotListed(String),
    #[error("本地事项编码应为1至100个字符")]
    LocalCode,
    #[error("本地事项编码 {0} 在这段时间里已经对应另一个监管事项")]
    MappingOverlaps(String),
    #[error("监管事项目录编码应为14位数字")]
    ItemCode,
    #[error("失效日应晚于生效日")]
    Days,
    #[error(transparent)]
    Platform(#[from] mj_platform::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let said = error.to_string();
        match error {
            Error::UnknownItem | Error::UnknownMapping => Problem::not_found(),
            Error::MappingOverlaps(_) => Problem::conflict("catalog.mapping_overlaps", said)
                .detail("请先结束原有的对应关系，再登记新的。"),
            Error::ItemCode | Error::Days | Error::LocalCode | Error::ItemNotListed(_) => {
                Problem::invalid("catalog.invalid", said)
            }
            Error::Platform(error) => error.into(),
        }
    }
}
