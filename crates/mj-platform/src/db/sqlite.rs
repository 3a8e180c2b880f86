//! SQLite: one connection that writes and a few that read, each on a thread of its own.
//!
//! One connection does all the writing, for a connection throws its page cache away when another one
//! has written. Work is handed to a thread whole: a load's rows are bound there one by one to a
//! statement that stays parsed, so that twenty million values cost no message each.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Statement};
use sqlx::error::{DatabaseError, ErrorKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::value::{DbRow, Names, Value, without_names};

/// What every connection is told first.
const EACH: &str = "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; \
     PRAGMA busy_timeout=30000; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;";
const READER: &str = "PRAGMA cache_size=-4000;";
/// Pages that a load touches again and again (the ends of its tables, its indexes) stay in memory,
/// and go to the database file once in 64 MB of log rather than after every transaction.
const WRITER: &str = "PRAGMA cache_size=-64000; PRAGMA wal_autocheckpoint=8000;";
/// For a database that nothing is written to, which may be in use by a node.
const ONLOOKER: &str = "PRAGMA busy_timeout=30000; PRAGMA cache_size=-16000;";

const SHRINK: &str = "PRAGMA shrink_memory";
/// A connection that was not asked for so long gives its pages back.
const IDLE: Duration = Duration::from_secs(30);
/// Statements kept parsed by each connection.
const PARSED: usize = 200;
/// Statements of more arguments are few and differ in length: keeping them would only fill memory.
const KEPT: usize = 64;

/// What a connection is for.
#[derive(Debug, Clone, Copy)]
enum Duty {
    Write,
    Read,
    Look,
}

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

enum Order {
    Run(Work),
    Close(oneshot::Sender<()>),
}

/// A connection and its thread, which ends with the last handle.
#[derive(Clone)]
pub(super) struct Sqlite {
    orders: Sender<Order>,
}

impl Sqlite {
    async fn open(path: String, duty: Duty) -> sqlx::Result<Self> {
        let (orders, incoming) = channel();
        let (ready, opened) = oneshot::channel();
        std::thread::Builder::new()
            .name(format!("sqlite-{duty:?}").to_lowercase())
            .spawn(move || match connect(&path, duty) {
                Ok(connection) => {
                    let _ = ready.send(Ok(()));
                    serve(connection, &incoming);
                }
                Err(error) => drop(ready.send(Err(error))),
            })
            .map_err(sqlx::Error::Io)?;
        opened.await.map_err(|_| gone())?.map_err(failure)?;
        Ok(Self { orders })
    }

    /// Opens (and makes) the database to write to.
    pub(super) async fn writer(path: &str) -> sqlx::Result<Self> {
        Self::open(path.to_owned(), Duty::Write).await
    }

    /// Hands work to the thread; once handed over it is done, whoever stops waiting for it.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> sqlx::Result<T> {
        let (answer, waiting) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            let done = work(connection);
            if let Err(error) = &done {
                // here, and not where it is waited for: whoever asked may have gone
                crate::durable::stop_if_database_failing(error);
            }
            drop(answer.send(done));
        });
        self.orders.send(Order::Run(work)).map_err(|_| gone())?;
        waiting.await.map_err(|_| gone())?.map_err(failure)
    }

    pub(super) async fn begin(&self) -> sqlx::Result<SqliteTx> {
        // DEFERRED would fail with "database is locked" when a read turns into a write
        let mut tx = SqliteTx { sqlite: self.clone(), is_open: true };
        let begun = self.ask(|connection| {
            // somebody stopped waiting for an earlier transaction to begin
            take_back(connection);
            connection.execute_batch("BEGIN IMMEDIATE")
        });
        match begun.await {
            Ok(()) => Ok(tx),
            Err(error) => {
                tx.is_open = false;
                Err(error)
            }
        }
    }

    pub(super) async fn fetch(
        &self,
        sql: &str,
        args: &[Value],
        most: usize,
    ) -> sqlx::Result<Vec<DbRow>> {
        let (sql, args) = (sql.to_owned(), args.to_vec());
        self.ask(move |connection| fetch(connection, &sql, &args, most)).await
    }

    /// Statements without arguments, one after the other.
    pub(super) async fn script(&self, sql: String) -> sqlx::Result<()> {
        self.ask(move |connection| connection.execute_batch(&sql)).await
    }

    pub(super) async fn shrink(&self) -> sqlx::Result<()> {
        self.script(SHRINK.to_owned()).await
    }

    /// The file is let go of when this returns.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.orders.send(Order::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

/// The transaction of the connection that writes. Dropped without commit it is taken back.
pub(super) struct SqliteTx {
    sqlite: Sqlite,
    is_open: bool,
}

impl SqliteTx {
    pub(super) async fn execute(&mut self, sql: &str, args: &[Value]) -> sqlx::Result<u64> {
        let (sql, args) = (sql.to_owned(), args.to_vec());
        self.sqlite.ask(move |connection| execute(connection, &sql, &args)).await
    }

    pub(super) async fn fetch(
        &mut self,
        sql: &str,
        args: &[Value],
        most: usize,
    ) -> sqlx::Result<Vec<DbRow>> {
        self.sqlite.fetch(sql, args, most).await
    }

    /// `sql` once for every `width` of `values`.
    pub(super) async fn insert(
        &mut self,
        sql: String,
        width: usize,
        values: Vec<Value>,
    ) -> sqlx::Result<()> {
        self.sqlite.ask(move |connection| insert(connection, &sql, width, &values)).await
    }

    pub(super) async fn script(&mut self, sql: String) -> sqlx::Result<()> {
        self.sqlite.script(sql).await
    }

    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        self.is_open = false;
        let commit = self.sqlite.ask(|connection| {
            let done = connection.execute_batch("COMMIT");
            if done.is_err() {
                take_back(connection);
            }
            done
        });
        commit.await
    }
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        if self.is_open {
            // before whatever is asked next: orders are carried out in turn
            let _ = self.sqlite.orders.send(Order::Run(Box::new(take_back)));
        }
    }
}

/// Connections that read, opened as they are needed.
pub(super) struct Readers {
    path: String,
    duty: Duty,
    free: Arc<Mutex<Vec<Sqlite>>>,
    places: Arc<Semaphore>,
}

/// A connection for as long as this lives.
pub(super) struct Reader {
    sqlite: Sqlite,
    free: Arc<Mutex<Vec<Sqlite>>>,
    /// In a transaction, which ends with this.
    in_view: bool,
    // last field: the next in line finds the connection back in its place
    _place: OwnedSemaphorePermit,
}

impl std::ops::Deref for Reader {
    type Target = Sqlite;

    fn deref(&self) -> &Sqlite {
        &self.sqlite
    }
}

impl Reader {
    /// One unchanging view until this is dropped.
    pub(super) async fn hold_view(&mut self) -> sqlx::Result<()> {
        self.in_view = true;
        self.sqlite.script("BEGIN".to_owned()).await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.in_view {
            let _ = self.sqlite.orders.send(Order::Run(Box::new(take_back)));
        }
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.sqlite.clone());
    }
}

impl Readers {
    pub(super) fn new(path: &str, places: usize) -> Self {
        Self::of(path, places, Duty::Read)
    }

    /// Of a database that nothing is written to by this process.
    pub(super) fn onlookers(path: &str, places: usize) -> Self {
        Self::of(path, places, Duty::Look)
    }

    fn of(path: &str, places: usize, duty: Duty) -> Self {
        let places = Arc::new(Semaphore::new(places));
        Self { path: path.to_owned(), duty, free: Arc::default(), places }
    }

    pub(super) async fn one(&self) -> sqlx::Result<Reader> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| gone())?;
        let known = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let sqlite = match known {
            Some(sqlite) => sqlite,
            None => Sqlite::open(self.path.clone(), self.duty).await?,
        };
        Ok(Reader { sqlite, free: self.free.clone(), in_view: false, _place: place })
    }

    pub(super) async fn close(&self) {
        self.places.close();
        let readers =
            std::mem::take(&mut *self.free.lock().unwrap_or_else(PoisonError::into_inner));
        for reader in readers {
            reader.close().await;
        }
    }
}

fn connect(path: &str, duty: Duty) -> rusqlite::Result<Connection> {
    let access = match duty {
        Duty::Write | Duty::Read => {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        }
        Duty::Look => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_prepared_statement_cache_capacity(PARSED);
    let own: &[&str] = match duty {
        Duty::Write => &[EACH, WRITER],
        Duty::Read => &[EACH, READER],
        Duty::Look => &[ONLOOKER],
    };
    for settings in own {
        connection.execute_batch(settings)?;
    }
    Ok(connection)
}

fn serve(mut connection: Connection, orders: &Receiver<Order>) {
    loop {
        let order = match orders.recv_timeout(IDLE) {
            Err(RecvTimeoutError::Timeout) => {
                let _ = connection.execute_batch(SHRINK);
                connection.flush_prepared_statement_cache();
                crate::rest::rest();
                orders.recv().ok()
            }
            order => order.ok(),
        };
        match order {
            Some(Order::Run(work)) => work(&mut connection),
            Some(Order::Close(done)) => {
                drop(connection);
                let _ = done.send(());
                return;
            }
            None => return,
        }
    }
}

fn take_back(connection: &mut Connection) {
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
}

/// Either kept parsed or not.
enum Parsed<'c> {
    Kept(CachedStatement<'c>),
    Once(Statement<'c>),
}

impl<'c> Parsed<'c> {
    fn of(connection: &'c Connection, sql: &str, args: &[Value]) -> rusqlite::Result<Self> {
        let mut parsed = if args.len() < KEPT {
            Self::Kept(connection.prepare_cached(sql)?)
        } else {
            Self::Once(connection.prepare(&without_names(sql))?)
        };
        parsed.statement().bind_all(args)?;
        Ok(parsed)
    }

    fn statement(&mut self) -> &mut Statement<'c> {
        match self {
            Self::Kept(statement) => statement,
            Self::Once(statement) => statement,
        }
    }
}

trait BindAll {
    fn bind_all(&mut self, args: &[Value]) -> rusqlite::Result<()>;
}

impl BindAll for Statement<'_> {
    /// `$3` is the third, wherever it stands first.
    fn bind_all(&mut self, args: &[Value]) -> rusqlite::Result<()> {
        for place in 1..=self.parameter_count() {
            let named = self.parameter_name(place).and_then(|name| name.get(1..)?.parse().ok());
            let number: usize = named.unwrap_or(place);
            self.raw_bind_parameter(place, args.get(number - 1).unwrap_or(&Value::Null))?;
        }
        Ok(())
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn execute(connection: &Connection, sql: &str, args: &[Value]) -> rusqlite::Result<u64> {
    let mut parsed = Parsed::of(connection, sql, args)?;
    let statement = parsed.statement();
    if statement.column_count() == 0 {
        return Ok(statement.raw_execute()? as u64);
    }
    // RETURNING that nobody listens to
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    drop(rows);
    Ok(connection.changes())
}

fn insert(
    connection: &Connection,
    sql: &str,
    width: usize,
    values: &[Value],
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    for row in values.chunks_exact(width.max(1)) {
        for (place, value) in (1..).zip(row) {
            statement.raw_bind_parameter(place, value)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

fn fetch(
    connection: &Connection,
    sql: &str,
    args: &[Value],
    most: usize,
) -> rusqlite::Result<Vec<DbRow>> {
    let mut parsed = Parsed::of(connection, sql, args)?;
    let mut rows = parsed.statement().raw_query();
    let mut found = Vec::new();
    let mut names: Option<Names> = None;
    while found.len() < most
        && let Some(row) = rows.next()?
    {
        // asked for once a row is there: until then the tables may have changed
        let names = names.get_or_insert_with(|| {
            row.as_ref().column_names().into_iter().map(Into::into).collect()
        });
        let values = (0..names.len()).map(|place| value_of(place, row.get_ref(place)?));
        found.push(DbRow::sqlite(names.clone(), values.collect::<rusqlite::Result<_>>()?));
    }
    Ok(found)
}

fn value_of(place: usize, value: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => Value::Text(
            std::str::from_utf8(text)
                .map_err(|error| rusqlite::Error::Utf8Error(place, error))?
                .into(),
        ),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => {
            let kind = rusqlite::types::Type::Real;
            return Err(rusqlite::Error::InvalidColumnType(place, String::new(), kind));
        }
    })
}

/// SQLite's refusal, told as PostgreSQL's is.
#[derive(Debug)]
struct SqliteFailure {
    message: String,
    code: i32,
}

impl std::fmt::Display for SqliteFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl std::error::Error for SqliteFailure {}

impl DatabaseError for SqliteFailure {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        use rusqlite::ffi;
        match self.code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                ErrorKind::UniqueViolation
            }
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ErrorKind::ForeignKeyViolation,
            ffi::SQLITE_CONSTRAINT_NOTNULL => ErrorKind::NotNullViolation,
            ffi::SQLITE_CONSTRAINT_CHECK => ErrorKind::CheckViolation,
            _ => ErrorKind::Other,
        }
    }
}

fn failure(error: rusqlite::Error) -> sqlx::Error {
    match error {
        rusqlite::Error::SqliteFailure(cause, message) => {
            let message = message.unwrap_or_else(|| cause.to_string());
            sqlx::Error::Database(Box::new(SqliteFailure { message, code: cause.extended_code }))
        }
        rusqlite::Error::SqlInputError { error: cause, msg, .. } => {
            sqlx::Error::Database(Box::new(SqliteFailure {
                message: msg,
                code: cause.extended_code,
            }))
        }
        other => sqlx::Error::Decode(Box::new(other)),
    }
}

fn gone() -> sqlx::Error {
    sqlx::Error::PoolClosed
}
