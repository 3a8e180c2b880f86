//! What can go wrong in the fact store.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Platform(#[from] mj_platform::Error),
    #[error("数据段文件读写失败：{path}：{source}")]
    Io {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("数据段 {segment} 无法读取：{reason}")]
    Segment { segment: u32, reason: String },
    #[error("表 {table} 的第 {row} 行无法入库：{reason}")]
    Row { table: String, row: u32, reason: String },
    /// Another load changed the same records in a way that needs values this one no longer has.
    #[error("表 {table} 的同一批记录被另一批数据改动，本批需要重新处理")]
    Moved { table: String },
    /// The lease of the load ran out and its files may be gone.
    #[error("表 {table} 的装载已失效，本批需要重新处理")]
    StageLost { table: String },
    /// An fsync failed: what is on disk is unknown, so nothing more is written to this table.
    #[error("表 {table} 只读：先前写盘失败，请检查磁盘后重新启动")]
    ReadOnly { table: String },
    #[error("事实库清单有误：{0}")]
    Manifest(String),
    #[error("翻页位置无效")]
    Cursor,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &str) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { path: path.to_owned(), source }
    }

    pub(crate) fn segment(segment: u32) -> impl Fn(parquet::errors::ParquetError) -> Error {
        move |cause| Error::Segment { segment, reason: cause.to_string() }
    }
}
