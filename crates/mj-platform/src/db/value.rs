//! The three kinds of value a column may hold, and how to read them back.

use std::sync::Arc;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Any, AssertSqlSafe, Row, Sqlite};

use super::Dialect;
use crate::error::{Error, Result};

/// What goes into a column: nothing, a whole number, a text, or bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Int(i64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Value::Text(value.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Value::Bytes(value)
    }
}

impl From<chrono::NaiveDate> for Value {
    fn from(value: chrono::NaiveDate) -> Self {
        Value::Text(value.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

pub(super) type AnyQuery<'q> = Query<'q, Any, AnyArguments>;

/// Statements of more arguments than this are few and differ in length: caching them would only fill
/// memory.
const CACHED: usize = 64;

/// Binds `args`. sqlx's `Any` can only bind a typed NULL, and PostgreSQL refuses a TEXT NULL for a
/// BIGINT column, so there NULLs are written into the statement and the rest is renumbered.
pub(super) fn query(dialect: Dialect, sql: &str, args: &[Value]) -> AnyQuery<'static> {
    let cached = args.len() < CACHED;
    let sql = match dialect {
        Dialect::Sqlite if !cached => without_names(sql),
        _ => sql.to_owned(),
    };
    bind(dialect, sql.into(), args.to_vec(), cached)
}

/// A statement whose arguments are given away.
pub(super) fn query_of(dialect: Dialect, sql: Arc<str>, args: Vec<Value>) -> AnyQuery<'static> {
    let cached = args.len() < CACHED;
    bind(dialect, sql, args, cached)
}

/// For SQLite's own driver, with arguments given away: one of the few statements that are kept parsed.
pub(super) fn query_sqlite_of(
    sql: String,
    args: impl Iterator<Item = Value>,
) -> Query<'static, Sqlite, SqliteArguments> {
    args.fold(sqlx::query(AssertSqlSafe(sql)), |query, arg| match arg {
        Value::Null => query.bind(None::<String>),
        Value::Int(number) => query.bind(number),
        Value::Text(text) => query.bind(text),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

/// The same for SQLite's own driver.
pub(super) fn query_sqlite(sql: &str, args: &[Value]) -> Query<'static, Sqlite, SqliteArguments> {
    let cached = args.len() < CACHED;
    let sql = if cached { sql.to_owned() } else { without_names(sql) };
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(cached);
    for arg in args {
        query = match arg {
            Value::Null => query.bind(None::<String>),
            Value::Int(number) => query.bind(*number),
            Value::Text(text) => query.bind(text.clone()),
            Value::Bytes(bytes) => query.bind(bytes.clone()),
        };
    }
    query
}

fn bind(dialect: Dialect, sql: Arc<str>, args: Vec<Value>, cached: bool) -> AnyQuery<'static> {
    let inline = dialect == Dialect::Postgres && args.contains(&Value::Null);
    let mut query = if inline {
        sqlx::query(AssertSqlSafe(with_nulls(&sql, &args))).persistent(false)
    } else {
        sqlx::query(AssertSqlSafe(sql)).persistent(cached)
    };
    for arg in args {
        query = match arg {
            Value::Null if inline => query,
            Value::Null => query.bind(None::<String>),
            Value::Int(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Bytes(bytes) => query.bind(bytes),
        };
    }
    query
}

/// SQLite takes `$7` for a name and looks every name up in a list of all before it; a bare `?` has
/// none. Only where the numbers simply count up.
fn without_names(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut parts = sql.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for (nth, part) in parts.enumerate() {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        if part[..digits].parse() != Ok(nth + 1) {
            return sql.to_owned();
        }
        text.push('?');
        text.push_str(&part[digits..]);
    }
    text
}

/// `$n` of a NULL argument becomes `NULL`; the others close ranks. Our statements hold no `$` in
/// literals.
fn with_nulls(sql: &str, args: &[Value]) -> String {
    let mut numbers = Vec::with_capacity(args.len());
    let mut next = 0;
    for arg in args {
        if *arg == Value::Null {
            numbers.push(None);
        } else {
            next += 1;
            numbers.push(Some(next));
        }
    }
    let mut text = String::with_capacity(sql.len());
    let mut parts = sql.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        match part[..digits].parse::<usize>().ok().and_then(|n| numbers.get(n.wrapping_sub(1))) {
            Some(Some(number)) => text.push_str(&format!("${number}")),
            Some(None) => text.push_str("NULL"),
            None => text.push_str(&format!("${}", &part[..digits])),
        }
        text.push_str(&part[digits..]);
    }
    text
}

/// Reading columns by name with the house's error.
pub trait RowExt {
    fn text(&self, column: &str) -> Result<String>;
    fn opt_text(&self, column: &str) -> Result<Option<String>>;
    fn int(&self, column: &str) -> Result<i64>;
    fn opt_int(&self, column: &str) -> Result<Option<i64>>;
    fn bytes(&self, column: &str) -> Result<Vec<u8>>;
    fn opt_bytes(&self, column: &str) -> Result<Option<Vec<u8>>>;
    fn int_at(&self, index: usize) -> Result<i64>;
    fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }
    /// The column as the door writes it, whatever its kind.
    fn value(&self, column: &str) -> Result<Value>;
}

impl RowExt for AnyRow {
    fn text(&self, column: &str) -> Result<String> {
        self.try_get(column).map_err(Error::db("读取文本列"))
    }

    fn opt_text(&self, column: &str) -> Result<Option<String>> {
        self.try_get(column).map_err(Error::db("读取文本列"))
    }

    fn int(&self, column: &str) -> Result<i64> {
        self.try_get(column).map_err(Error::db("读取整数列"))
    }

    fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        self.try_get(column).map_err(Error::db("读取整数列"))
    }

    fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        self.try_get(column).map_err(Error::db("读取字节列"))
    }

    fn opt_bytes(&self, column: &str) -> Result<Option<Vec<u8>>> {
        self.try_get(column).map_err(Error::db("读取字节列"))
    }

    fn int_at(&self, index: usize) -> Result<i64> {
        self.try_get(index).map_err(Error::db("读取整数列"))
    }

    fn value(&self, column: &str) -> Result<Value> {
        use sqlx::{TypeInfo, ValueRef};
        let raw = self.try_get_raw(column).map_err(Error::db("读取列"))?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        match raw.type_info().name() {
            "TEXT" => self.text(column).map(Value::Text),
            "BLOB" => self.bytes(column).map(Value::Bytes),
            _ => self.int(column).map(Value::Int),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_count_up_need_no_names() {
        assert_eq!(without_names("a = $1 AND b IN ($2,$3)"), "a = ? AND b IN (?,?)");
        assert_eq!(without_names("a = $2 AND b = $1"), "a = $2 AND b = $1");
        assert_eq!(without_names("a = $1 AND b = $1"), "a = $1 AND b = $1");
    }

    #[test]
    fn nulls_are_written_out_and_the_rest_closes_ranks() {
        let args = [Value::Int(1), Value::Null, Value::from("a")];
        assert_eq!(
            with_nulls("INSERT INTO t VALUES ($1,$2,$3) ON CONFLICT (a) DO UPDATE SET a=$1", &args),
            "INSERT INTO t VALUES ($1,NULL,$2) ON CONFLICT (a) DO UPDATE SET a=$1"
        );
    }
}
