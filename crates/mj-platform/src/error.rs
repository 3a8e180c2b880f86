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

const SQLITE_BUSY: i32 = 5;
const SQLITE_FULL: i32 = 13;

/// What keeps the store from answering anybody, through no fault of who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The database is not there just now, or takes no more connections: later it may be.
    Unreachable,
    /// A disk has no room left.
    Full,
}

impl Trouble {
    /// Looked for along the error's causes.
    pub fn behind(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let found = error
                .downcast_ref::<sqlx::Error>()
                .and_then(Self::of_database)
                .or_else(|| error.downcast_ref().and_then(Self::of_file));
            if found.is_some() {
                return found;
            }
            cause = error.source();
        }
        None
    }

    fn of_database(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Some(Self::Unreachable)
            }
            sqlx::Error::Io(error) => Some(Self::of_file(error).unwrap_or(Self::Unreachable)),
            sqlx::Error::Database(said) => Self::of_code(said.code()?.as_ref()),
            _ => None,
        }
    }

    fn of_code(code: &str) -> Option<Self> {
        // PostgreSQL, appendix A: five characters. 08 connection, 53 resources, 57P0x shutdown and start, 58 a fault of
        // its system, on which it stops and comes back
        if code.len() == 5 {
            let away = ["08", "53", "57P0", "58"].iter().any(|class| code.starts_with(class));
            return match code {
                "53100" => Some(Self::Full),
                _ => away.then_some(Self::Unreachable),
            };
        }
        // SQLite: the primary code is the lowest byte of the extended one
        match code.parse::<i32>().ok()? & 0xff {
            SQLITE_FULL => Some(Self::Full),
            SQLITE_BUSY => Some(Self::Unreachable),
            _ => None,
        }
    }

    fn of_file(error: &std::io::Error) -> Option<Self> {
        (error.kind() == std::io::ErrorKind::StorageFull).then_some(Self::Full)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn a_store_that_cannot_answer_is_told_apart_from_a_fault_of_ours() {
        let behind =
            |source: sqlx::Error| Trouble::behind(&Error::Database { context: "读取", source });
        let full = || std::io::Error::from(ErrorKind::StorageFull);
        assert_eq!(behind(sqlx::Error::PoolTimedOut), Some(Trouble::Unreachable));
        let reset = std::io::Error::from(ErrorKind::ConnectionReset);
        assert_eq!(behind(reset.into()), Some(Trouble::Unreachable));
        assert_eq!(behind(full().into()), Some(Trouble::Full));
        assert_eq!(behind(sqlx::Error::RowNotFound), None);
        let file = Error::Io { path: "log/tile".into(), source: full() };
        assert_eq!(Trouble::behind(&file), Some(Trouble::Full));
        for (code, trouble) in [
            ("13", Some(Trouble::Full)),
            ("53100", Some(Trouble::Full)),
            ("5", Some(Trouble::Unreachable)),
            ("517", Some(Trouble::Unreachable)),
            ("57P01", Some(Trouble::Unreachable)),
            ("08006", Some(Trouble::Unreachable)),
            ("53300", Some(Trouble::Unreachable)),
            ("58030", Some(Trouble::Unreachable)),
            ("57014", None),
            ("23505", None),
            ("2067", None),
        ] {
            assert_eq!(Trouble::of_code(code), trouble, "{code}");
        }
    }
}
