//! What can go wrong on the floor. Domains wrap this in their own enum; people see the domain's.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("数据库操作失败：{context}")]
    Database {
        context: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("{table} 中没有编号为 {id} 的记录")]
    Missing { table: &'static str, id: String },
    /// Somebody else changed the row first.
    #[error("{table} 的记录 {id} 已被他人修改：您依据的是第 {expected} 版，现在是第 {current} 版")]
    Stale { table: &'static str, id: String, expected: i64, current: i64 },
    #[error("{table} 中已有相同的记录")]
    Duplicate { table: &'static str },
    #[error("文件读写失败：{path}：{source}")]
    Io {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("配置有误：{0}")]
    Config(String),
    #[error("密钥有误：{0}")]
    Key(String),
    #[error("数据损坏：{0}")]
    Corrupt(String),
    /// The store is taken for an older copy and takes nothing in.
    #[error("疑似被退回到旧的备份，暂停一切写入；查明后由管理员登记分叉（mingjian log fork）")]
    Held,
    #[error("{0}")]
    Other(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn db(context: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
        move |source| Error::Database { context, source }
    }

    pub fn io(path: impl AsRef<std::path::Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().display().to_string();
        move |source| Error::Io { path, source }
    }

    /// Whether a text held a NUL, which PostgreSQL cannot keep and SQLite must not: a node moves.
    pub fn is_unstorable_text(&self) -> bool {
        match self {
            Error::Database { source: sqlx::Error::Encode(_), .. } => true,
            Error::Database { source: sqlx::Error::Database(cause), .. } => {
                cause.code().is_some_and(|code| code == "22021")
            }
            _ => false,
        }
    }

    /// Whether a unique key stood in the way.
    pub fn is_duplicate(&self) -> bool {
        match self {
            Error::Duplicate { .. } => true,
            Error::Database { source: sqlx::Error::Database(cause), .. } => {
                cause.is_unique_violation()
            }
            _ => false,
        }
    }
}
