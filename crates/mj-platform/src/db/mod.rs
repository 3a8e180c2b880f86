//! Two databases, one SQL text.
//!
//! SQLite (embedded, WAL, `synchronous=FULL`; rusqlite) and PostgreSQL 15+ (sqlx) are given statements
//! that both understand: `$1` placeholders and three column types only (TEXT, BIGINT, BLOB). Instants are µs, money is 分, dates and JSON are text, so a row reads the same
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
mod owner;
mod sqlite;
mod value;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mj_kernel::{Clock, Scope};
use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyPool, AssertSqlSafe, Executor, Transaction};
use tokio::sync::watch;

pub use gate::Lane;
pub use migrate::Migration;
pub use value::{DbRow, RowExt, Value};

use crate::error::{Error, Result};
use crate::gm::vault::SmProvider;
use door::{Act, Tx, WriteTx};
use gate::Gate;
use sqlite::{Reader, Readers, Sqlite};

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

/// What statements go through.
#[derive(Clone)]
enum Store {
    /// `None`: opened to read only.
    Sqlite(Option<Sqlite>, Arc<Readers>),
    Postgres(AnyPool),
}

/// A database of either kind. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    store: Store,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    /// How many entries of the log this process has committed last.
    log_head: watch::Sender<i64>,
    /// See [`Db::hold`].
    held: Arc<AtomicBool>,
    /// See [`Db::use_vault`].
    vault: Arc<OnceLock<Arc<dyn SmProvider>>>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("dialect", &self.dialect()).finish_non_exhaustive()
    }
}

impl Db {
    /// Opens (and for SQLite makes) the database at `url`: `sqlite:/path/file` or `postgres://…`.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let store = match target(url)? {
            (Dialect::Sqlite, path) => {
                if let Some(folder) = Path::new(path).parent() {
                    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
                }
                // the writer first: it makes the file and turns WAL on
                let writer = Sqlite::writer(path).await.map_err(Error::db("连接数据库"))?;
                Store::Sqlite(Some(writer), Arc::new(Readers::new(path, 4)))
            }
            (Dialect::Postgres, url) => Store::Postgres(connect(url, 16, None).await?),
        };
        Ok(Self::of(store, clock))
    }

    /// Opens an existing database that nothing will be written to: SQLite beside its write-ahead
    /// log, PostgreSQL in sessions that refuse to write.
    pub async fn open_to_read(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        const REFUSE: &str = "SET default_transaction_read_only = on;";
        let store = match target(url)? {
            (Dialect::Sqlite, path) => {
                let readers = Readers::onlookers(path, 4);
                // that it is there and can be read shows now
                drop(readers.one().await.map_err(Error::db("连接数据库"))?);
                Store::Sqlite(None, Arc::new(readers))
            }
            (Dialect::Postgres, url) => Store::Postgres(connect(url, 4, Some(REFUSE)).await?),
        };
        Ok(Self::of(store, clock))
    }

    fn of(store: Store, clock: Arc<dyn Clock>) -> Self {
        let (gate, held) = (Arc::new(Gate::new()), Arc::default());
        let log_head = watch::Sender::new(0);
        Self { store, gate, clock, log_head, held, vault: Arc::default() }
    }

    /// One unchanging view of everything committed so far, whatever is written meanwhile.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let failed = Error::db("开始读取");
        Ok(Snapshot(match &self.store {
            Store::Sqlite(_, readers) => {
                let mut reader = readers.one().await.map_err(Error::db("开始读取"))?;
                reader.hold_view().await.map_err(failed)?;
                View::Sqlite(reader)
            }
            Store::Postgres(pool) => View::Postgres(pool.begin_with(BEGIN).await.map_err(failed)?),
        }))
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

    /// The keys of the node whose database this is; the first told stay.
    pub fn use_vault(&self, vault: Arc<dyn SmProvider>) {
        let _ = self.vault.set(vault);
    }

    pub fn vault(&self) -> Result<Arc<dyn SmProvider>> {
        self.vault.get().cloned().ok_or_else(|| Error::Key("未配置密钥".into()))
    }

    pub fn dialect(&self) -> Dialect {
        match self.store {
            Store::Sqlite(..) => Dialect::Sqlite,
            Store::Postgres(_) => Dialect::Postgres,
        }
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub async fn close(&self) {
        match &self.store {
            Store::Sqlite(writer, readers) => {
                readers.close().await;
                if let Some(writer) = writer {
                    writer.close().await;
                }
            }
            Store::Postgres(pool) => pool.close().await,
        }
    }

    /// Applies what is missing of the house's one line of migrations; returns how many.
    pub async fn migrate(&self, line: &[Migration]) -> Result<usize> {
        migrate::apply(self, line).await
    }

    /// The same over a connection of `url`: its role owns the tables, and this database's role is
    /// let at them. PostgreSQL only.
    pub async fn migrate_over(&self, url: &str, line: &[Migration]) -> Result<usize> {
        owner::migrate(self, url, line).await
    }

    /// Opens the write door for one act. On SQLite people's acts go before bulk loads.
    pub async fn begin(&self, lane: Lane, act: Act) -> Result<WriteTx> {
        let pass = match self.dialect() {
            Dialect::Sqlite => Some(self.gate.enter(lane).await),
            Dialect::Postgres => None,
        };
        let tx = self.transaction().await?;
        let head = self.log_head.clone();
        let held = self.is_held() && act.action != crate::ledger::outside::FORK;
        let tx = WriteTx::new(tx, pass, self.dialect(), act, self.clock.now(), head, held);
        Ok(tx.with_vault(self.vault.get().cloned()))
    }

    async fn transaction(&self) -> Result<Tx> {
        let tx = match &self.store {
            Store::Sqlite(Some(writer), _) => writer.begin().await.map(Tx::Sqlite),
            Store::Sqlite(None, _) => {
                return Err(Error::Other("数据库以只读方式打开".into()));
            }
            Store::Postgres(pool) => pool.begin().await.map(Tx::Postgres),
        };
        tx.map_err(Error::db("开始事务"))
    }

    /// Gives back the pages that SQLite keeps for a load that is over.
    pub async fn rest(&self) -> Result<()> {
        let Store::Sqlite(Some(writer), _) = &self.store else { return Ok(()) };
        let _pass = self.gate.enter(Lane::Bulk).await;
        writer.shrink().await.map_err(Error::db("释放缓存"))
    }

    pub async fn fetch_all(&self, sql: &str, args: &[Value]) -> Result<Vec<DbRow>> {
        self.fetch(sql, args, usize::MAX).await
    }

    pub async fn fetch_optional(&self, sql: &str, args: &[Value]) -> Result<Option<DbRow>> {
        Ok(self.fetch(sql, args, 1).await?.pop())
    }

    /// For statements that always give one row, such as `SELECT COUNT(*)`.
    pub async fn fetch_one(&self, sql: &str, args: &[Value]) -> Result<DbRow> {
        let found = self.fetch_optional(sql, args).await?;
        found.ok_or(sqlx::Error::RowNotFound).map_err(Error::db("查询"))
    }

    async fn fetch(&self, sql: &str, args: &[Value], most: usize) -> Result<Vec<DbRow>> {
        match &self.store {
            Store::Sqlite(_, readers) => match readers.one().await {
                Ok(reader) => reader.fetch(sql, args, most).await,
                Err(error) => Err(error),
            },
            Store::Postgres(pool) => value::fetch(pool, sql, args, most).await,
        }
        .map_err(Error::db("查询"))
    }

    /// A statement outside any transaction, which PostgreSQL asks for when databases are made.
    pub async fn statement(&self, sql: &str) -> Result<()> {
        match &self.store {
            Store::Sqlite(_, readers) => match readers.one().await {
                Ok(reader) => reader.script(sql.to_owned()).await,
                Err(error) => Err(error),
            },
            Store::Postgres(pool) => {
                pool.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.map(drop)
            }
        }
        .map_err(Error::db("执行语句"))
    }

    /// The first column of the only row.
    pub async fn count(&self, sql: &str, args: &[Value]) -> Result<i64> {
        self.fetch_one(sql, args).await?.int_at(0)
    }
}

/// Reads of one unchanging view; ends when dropped.
pub struct Snapshot(View);

enum View {
    Sqlite(Reader),
    Postgres(Transaction<'static, Any>),
}

impl Snapshot {
    pub fn dialect(&self) -> Dialect {
        match self.0 {
            View::Sqlite(_) => Dialect::Sqlite,
            View::Postgres(_) => Dialect::Postgres,
        }
    }

    pub async fn fetch_all(&mut self, sql: &str, args: &[Value]) -> Result<Vec<DbRow>> {
        match &mut self.0 {
            View::Sqlite(reader) => reader.fetch(sql, args, usize::MAX).await,
            View::Postgres(tx) => value::fetch(&mut **tx, sql, args, usize::MAX).await,
        }
        .map_err(Error::db("查询"))
    }
}

/// What a URL names: a file of SQLite, or PostgreSQL's own URL.
fn target(url: &str) -> Result<(Dialect, &str)> {
    match url.split(':').next() {
        Some("sqlite") => {
            let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
            Ok((Dialect::Sqlite, path))
        }
        Some("postgres" | "postgresql") => Ok((Dialect::Postgres, url)),
        _ => Err(Error::Config("database.url 应以 sqlite: 或 postgres:// 开头".into())),
    }
}

async fn connect(url: &str, connections: u32, first: Option<&'static str>) -> Result<AnyPool> {
    sqlx::any::install_default_drivers();
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(if first.is_some() { 5 } else { 30 }))
        .idle_timeout(Duration::from_secs(60))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                match first {
                    Some(setting) => connection.execute(setting).await.map(drop),
                    None => Ok(()),
                }
            })
        })
        .connect(url)
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
    if scope.areas.iter().any(|own| Scope::area_prefix(own).is_empty()) {
        areas.push("1=1".to_owned());
    }
    // an argument that no text names must not be left behind
    let some = if areas.is_empty() { &scope.areas[..] } else { &[] };
    for own in some {
        let prefix = Scope::area_prefix(own);
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
