//! Two databases, one SQL text.
//!
//! SQLite (embedded, WAL, `synchronous=FULL`) and PostgreSQL 15+ are driven through sqlx's `Any`
//! with statements that both understand: `$1` placeholders and three column types only (TEXT,
//! BIGINT, BLOB). Instants are µs, money is 分, dates and JSON are text, so a row reads the same
//! and digests the same on both. `SUM` is written `CAST(SUM(x) AS BIGINT)`; order never depends on
//! where NULLs sort.
//!
//! Reads go through [`Db::fetch_all`] and its siblings; writes of bookkeeping tables (jobs,
//! sessions, caches, hot facts) through [`WriteTx::execute`]; business truth only through
//! [`door`].

mod canon;
pub mod door;
mod gate;
mod migrate;
mod value;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mj_kernel::{Clock, Scope};
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{Any, AnyPool, AssertSqlSafe, Executor, Transaction};
use tokio::sync::watch;

pub use gate::Lane;
pub use migrate::Migration;
pub use value::{RowExt, Value};

use crate::error::{Error, Result};
use door::{Act, Tx, WriteTx};
use gate::Gate;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
        }
    }
}

/// What transactions go through.
#[derive(Clone)]
enum Writer {
    /// One connection that does all the writing: a connection throws its page cache away when another
    /// one has written. SQLite's own driver: `Any` would put every value of a load into one more box.
    Sqlite(SqlitePool),
    Postgres(AnyPool),
    /// Opened to read only.
    None,
}

/// A database of either kind. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    dialect: Dialect,
    pool: AnyPool,
    writer: Writer,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    /// How many entries of the log this process has committed last.
    log_head: watch::Sender<i64>,
    /// See [`Db::hold`].
    held: Arc<AtomicBool>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

impl Db {
    /// Opens (and for SQLite makes) the database at `url`: `sqlite:/path/file` or `postgres://…`.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let dialect = match url.split(':').next() {
            Some("sqlite") => Dialect::Sqlite,
            Some("postgres" | "postgresql") => Dialect::Postgres,
            _ => {
                return Err(Error::Config("database.url 应以 sqlite: 或 postgres:// 开头".into()));
            }
        };
        let target = match dialect {
            Dialect::Sqlite => {
                let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
                if let Some(folder) = Path::new(path).parent() {
                    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
                }
                format!("sqlite:{path}?mode=rwc")
            }
            Dialect::Postgres => url.to_owned(),
        };
        let (pool, writer) = match dialect {
            Dialect::Sqlite => {
                // the writer first: it makes the file and turns WAL on
                let writer = connect_writer(&target).await?;
                (connect(&target, 4, Some(READER)).await?, Writer::Sqlite(writer))
            }
            Dialect::Postgres => {
                let pool = connect(&target, 16, None).await?;
                (pool.clone(), Writer::Postgres(pool))
            }
        };
        let log_head = watch::Sender::new(0);
        let (gate, held) = (Arc::new(Gate::new()), Arc::default());
        Ok(Self { dialect, pool, writer, gate, clock, log_head, held })
    }

    /// Opens an existing database that nothing will be written to: SQLite beside its write-ahead
    /// log, PostgreSQL in sessions that refuse to write.
    pub async fn open_to_read(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (dialect, target) = reading_target(url)?;
        let setting = match dialect {
            Dialect::Sqlite => "PRAGMA busy_timeout=30000; PRAGMA cache_size=-16000;",
            Dialect::Postgres => "SET default_transaction_read_only = on;",
        };
        let pool = AnyPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .after_connect(move |connection, _| {
                Box::pin(async move { connection.execute(setting).await.map(drop) })
            })
            .connect(&target)
            .await
            .map_err(Error::db("连接数据库"))?;
        let (writer, gate) = (Writer::None, Arc::new(Gate::new()));
        let (log_head, held) = (watch::Sender::new(0), Arc::default());
        Ok(Self { dialect, pool, writer, gate, clock, log_head, held })
    }

    /// One unchanging view of everything committed so far, whatever is written meanwhile.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let begin = match self.dialect {
            Dialect::Sqlite => "BEGIN",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let tx = self.pool.begin_with(begin).await.map_err(Error::db("开始读取"))?;
        Ok(Snapshot { tx, dialect: self.dialect })
    }

    /// Changes whenever this process has committed an entry of the log.
    pub fn log_head(&self) -> watch::Receiver<i64> {
        self.log_head.subscribe()
    }

    /// Shuts the write door for everything that makes an entry of the log, or opens it again: this
    /// store is taken for an older copy until that is decided ([`crate::ledger::outside`]). Bookkeeping
    /// (sessions, so that somebody can look) goes on.
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub async fn close(&self) {
        self.pool.close().await;
        match &self.writer {
            Writer::Sqlite(pool) => pool.close().await,
            Writer::Postgres(pool) => pool.close().await,
            Writer::None => {}
        }
    }

    /// Applies what is missing of the house's one line of migrations; returns how many.
    pub async fn migrate(&self, line: &[Migration]) -> Result<usize> {
        let applied = migrate::apply(self, line).await?;
        if applied > 0 && self.dialect == Dialect::Sqlite {
            self.look_at_tables_again().await?;
        }
        Ok(applied)
    }

    /// A SQLite connection that saw the tables before they were changed describes their rows as they
    /// were; sqlx then reads them wrongly. A statement that reaches a table makes it look again.
    async fn look_at_tables_again(&self) -> Result<()> {
        const LOOK: &str = "SELECT COUNT(*) FROM sqlite_master";
        let failed = |error| Error::db("重新读取表结构")(error);
        // all at once, or the same one would be asked again and again
        let mut readers = Vec::new();
        for _ in 0..self.pool.size() {
            readers.push(self.pool.acquire().await.map_err(failed)?);
        }
        for reader in &mut readers {
            sqlx::query(LOOK).execute(&mut **reader).await.map_err(failed)?;
        }
        if let Writer::Sqlite(pool) = &self.writer {
            sqlx::query(LOOK).execute(pool).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Opens the write door for one act. On SQLite people's acts go before bulk loads.
    pub async fn begin(&self, lane: Lane, act: Act) -> Result<WriteTx> {
        let pass = match self.dialect {
            Dialect::Sqlite => Some(self.gate.enter(lane).await),
            Dialect::Postgres => None,
        };
        let tx = match &self.writer {
            // DEFERRED would fail with "database is locked" when a read turns into a write
            Writer::Sqlite(pool) => pool.begin_with("BEGIN IMMEDIATE").await.map(Tx::Sqlite),
            Writer::Postgres(pool) => pool.begin_with("BEGIN").await.map(Tx::Postgres),
            Writer::None => return Err(Error::Other("数据库以只读方式打开".into())),
        };
        let tx = tx.map_err(Error::db("开始事务"))?;
        let head = self.log_head.clone();
        let held = self.is_held() && act.action != crate::ledger::outside::FORK;
        Ok(WriteTx::new(tx, pass, self.dialect, act, self.clock.now(), head, held))
    }

    /// Gives back the pages that SQLite keeps for a load that is over.
    pub async fn rest(&self) -> Result<()> {
        let Writer::Sqlite(pool) = &self.writer else { return Ok(()) };
        let _pass = self.gate.enter(Lane::Bulk).await;
        let mut connection = pool.acquire().await.map_err(Error::db("释放缓存"))?;
        connection.execute("PRAGMA shrink_memory").await.map(drop).map_err(Error::db("释放缓存"))
    }

    pub async fn fetch_all(&self, sql: &str, args: &[Value]) -> Result<Vec<AnyRow>> {
        value::query(self.dialect, sql, args).fetch_all(&self.pool).await.map_err(Error::db("查询"))
    }

    pub async fn fetch_optional(&self, sql: &str, args: &[Value]) -> Result<Option<AnyRow>> {
        value::query(self.dialect, sql, args)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::db("查询"))
    }

    /// For statements that always give one row, such as `SELECT COUNT(*)`.
    pub async fn fetch_one(&self, sql: &str, args: &[Value]) -> Result<AnyRow> {
        value::query(self.dialect, sql, args).fetch_one(&self.pool).await.map_err(Error::db("查询"))
    }

    /// A statement outside any transaction, which PostgreSQL asks for when databases are made.
    pub async fn statement(&self, sql: &str) -> Result<()> {
        self.pool
            .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
            .await
            .map(drop)
            .map_err(Error::db("执行语句"))
    }

    /// The first column of the only row.
    pub async fn count(&self, sql: &str, args: &[Value]) -> Result<i64> {
        self.fetch_one(sql, args).await?.int_at(0)
    }
}

/// Reads of one unchanging view; ends when dropped.
pub struct Snapshot {
    tx: Transaction<'static, Any>,
    dialect: Dialect,
}

impl Snapshot {
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub async fn fetch_all(&mut self, sql: &str, args: &[Value]) -> Result<Vec<AnyRow>> {
        let query = value::query(self.dialect, sql, args);
        query.fetch_all(&mut *self.tx).await.map_err(Error::db("查询"))
    }
}

fn reading_target(url: &str) -> Result<(Dialect, String)> {
    match url.split(':').next() {
        Some("sqlite") => {
            let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
            Ok((Dialect::Sqlite, format!("sqlite:{path}?mode=ro")))
        }
        Some("postgres" | "postgresql") => Ok((Dialect::Postgres, url.to_owned())),
        _ => Err(Error::Config("database.url 应以 sqlite: 或 postgres:// 开头".into())),
    }
}

const READER: &str = "PRAGMA cache_size=-4000;";
/// Pages that a load touches again and again (the ends of its tables, its indexes) stay in memory,
/// and go to the database file once in 64 MB of log rather than after every transaction.
const WRITER: &str = "PRAGMA cache_size=-64000; PRAGMA wal_autocheckpoint=8000;";

/// What every SQLite connection is told first.
const EACH: &str = "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; \
     PRAGMA busy_timeout=30000; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;";

/// Rows of an answer that may wait until they are taken: with few, two threads wake each other in turn.
const ROWS_WAITING: usize = 1_024;

async fn connect_writer(target: &str) -> Result<SqlitePool> {
    let options: SqliteConnectOptions = target.parse().map_err(Error::db("连接数据库"))?;
    SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .idle_timeout(Duration::from_secs(60))
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(EACH).await?;
                connection.execute(WRITER).await.map(drop)
            })
        })
        .connect_with(options.row_buffer_size(ROWS_WAITING))
        .await
        .map_err(Error::db("连接数据库"))
}

async fn connect(target: &str, connections: u32, sqlite: Option<&'static str>) -> Result<AnyPool> {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(30))
        // each SQLite connection keeps a page cache of its own
        .idle_timeout(Duration::from_secs(60))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if let Some(own) = sqlite {
                    connection.execute(EACH).await?;
                    connection.execute(own).await?;
                }
                Ok(())
            })
        })
        .connect(target)
        .await
        .map_err(Error::db("连接数据库"))
}

/// `AND …` for a scoped table, with its arguments pushed behind those already there.
///
/// `area` and `agency` name the columns; a table without an agency column passes `None` and is then
/// visible only to scopes that hold for all agencies.
pub fn scope_predicate(
    scope: &Scope,
    area: &str,
    agency: Option<&str>,
    args: &mut Vec<Value>,
) -> String {
    let mut areas = Vec::new();
    for own in &scope.areas {
        let prefix = Scope::area_prefix(own);
        if prefix.is_empty() {
            areas.clear();
            areas.push("1=1".to_owned());
            break;
        }
        // a range instead of LIKE: uses the index, and means the same on both databases
        args.push(Value::from(prefix));
        args.push(Value::from(format!("{prefix}~")));
        areas.push(format!("({area} >= ${} AND {area} < ${})", args.len() - 1, args.len()));
    }
    let areas = if areas.is_empty() { "1=0".to_owned() } else { areas.join(" OR ") };
    let agencies = match (&scope.agencies, agency) {
        (mj_kernel::AgencySet::All, _) => String::new(),
        (mj_kernel::AgencySet::Only(_), None) => " AND 1=0".into(),
        (mj_kernel::AgencySet::Only(names), Some(column)) => {
            let marks: Vec<String> = names
                .iter()
                .map(|name| {
                    args.push(Value::from(name.as_str()));
                    format!("${}", args.len())
                })
                .collect();
            if marks.is_empty() {
                " AND 1=0".into()
            } else {
                format!(" AND {column} IN ({})", marks.join(","))
            }
        }
    };
    format!(" AND ({areas}){agencies}")
}

/// For `column LIKE $n ESCAPE '\\'`: the text anywhere in the value, its own `%` and `_` meaning
/// themselves. Longer than anybody types is cut: a pattern of kilobytes only costs time.
pub fn contains_pattern(text: &str) -> Value {
    let mut pattern = String::from("%");
    for character in text.chars().take(100) {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern.into()
}
