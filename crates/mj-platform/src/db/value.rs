//! The three kinds of value a column may hold, and how to read them back.

use std::sync::Arc;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Column, Executor, Row};

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

/// For PostgreSQL. sqlx's `Any` can only bind a typed NULL, and PostgreSQL refuses a TEXT NULL for a
/// BIGINT column, so NULLs are written into the statement and the rest is renumbered.
pub(super) fn query(sql: &str, args: &[Value]) -> AnyQuery<'static> {
    query_of(sql.into(), args.to_vec())
}

/// A statement whose arguments are given away.
pub(super) fn query_of(sql: Arc<str>, mut args: Vec<Value>) -> AnyQuery<'static> {
    let cached = args.len() < CACHED;
    if cached {
        // a statement kept parsed takes as many arguments as the first time, named or not
        args.truncate(most_named(&sql));
    }
    let inline = args.contains(&Value::Null);
    let mut query = if inline {
        sqlx::query(AssertSqlSafe(with_nulls(&sql, &args))).persistent(false)
    } else {
        sqlx::query(AssertSqlSafe(sql)).persistent(cached)
    };
    for arg in args {
        query = match arg {
            Value::Null => query,
            Value::Int(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Bytes(bytes) => query.bind(bytes),
        };
    }
    query
}

/// The greatest `$n` of a statement.
fn most_named(sql: &str) -> usize {
    let numbers = sql.split('$').skip(1).filter_map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        part[..digits].parse().ok()
    });
    numbers.max().unwrap_or(0)
}

/// SQLite takes `$7` for a name and looks every name up in a list of all before it; a bare `?` has
/// none. Only where the numbers simply count up.
pub(super) fn without_names(sql: &str) -> String {
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

/// At most `most` rows of an answer from PostgreSQL.
pub(super) async fn fetch<'c>(
    from: impl Executor<'c, Database = Any>,
    sql: &str,
    args: &[Value],
    most: usize,
) -> sqlx::Result<Vec<DbRow>> {
    let query = query(sql, args);
    Ok(match most {
        1 => query.fetch_optional(from).await?.map(DbRow::from).into_iter().collect(),
        _ => query.fetch_all(from).await?.into_iter().map(DbRow::from).collect(),
    })
}

/// The names of an answer's columns.
pub(super) type Names = Arc<[Box<str>]>;

/// A row of an answer, from either database.
pub struct DbRow(Origin);

enum Origin {
    Sqlite(Names, Vec<Value>),
    Postgres(AnyRow),
}

impl From<AnyRow> for DbRow {
    fn from(row: AnyRow) -> Self {
        Self(Origin::Postgres(row))
    }
}

impl DbRow {
    pub(super) fn sqlite(names: Names, values: Vec<Value>) -> Self {
        Self(Origin::Sqlite(names, values))
    }

    /// The names of its columns, in their order.
    pub fn names(&self) -> Vec<&str> {
        match &self.0 {
            Origin::Sqlite(names, _) => names.iter().map(|name| &**name).collect(),
            Origin::Postgres(row) => row.columns().iter().map(Column::name).collect(),
        }
    }
}

/// Reads a column as one kind of value; `None` is NULL.
fn read<'r, T>(
    values: &'r [Value],
    names: &Names,
    column: &str,
    kind: fn(&'r Value) -> Option<T>,
) -> sqlx::Result<Option<T>> {
    let place = names.iter().position(|name| **name == *column);
    match place.map(|place| &values[place]) {
        None => Err(sqlx::Error::ColumnNotFound(column.to_owned())),
        Some(Value::Null) => Ok(None),
        Some(value) => kind(value).map(Some).ok_or_else(|| other_kind(column, value)),
    }
}

fn other_kind(column: &str, value: &Value) -> sqlx::Error {
    let kind = match value {
        Value::Null => "NULL",
        Value::Int(_) => "INTEGER",
        Value::Text(_) => "TEXT",
        Value::Bytes(_) => "BLOB",
    };
    sqlx::Error::Decode(format!("column {column} holds {kind}").into())
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
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

impl RowExt for DbRow {
    fn text(&self, column: &str) -> Result<String> {
        there(column, "读取文本列", self.opt_text(column)?)
    }

    fn opt_text(&self, column: &str) -> Result<Option<String>> {
        match &self.0 {
            Origin::Sqlite(names, values) => {
                read(values, names, column, Value::as_text).map(|text| text.map(str::to_owned))
            }
            Origin::Postgres(row) => row.try_get(column),
        }
        .map_err(Error::db("读取文本列"))
    }

    fn int(&self, column: &str) -> Result<i64> {
        there(column, "读取整数列", self.opt_int(column)?)
    }

    fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        match &self.0 {
            Origin::Sqlite(names, values) => read(values, names, column, int),
            Origin::Postgres(row) => row.try_get(column),
        }
        .map_err(Error::db("读取整数列"))
    }

    fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        there(column, "读取字节列", self.opt_bytes(column)?)
    }

    fn opt_bytes(&self, column: &str) -> Result<Option<Vec<u8>>> {
        match &self.0 {
            Origin::Sqlite(names, values) => {
                read(values, names, column, bytes).map(|bytes| bytes.map(<[u8]>::to_vec))
            }
            Origin::Postgres(row) => row.try_get(column),
        }
        .map_err(Error::db("读取字节列"))
    }

    fn int_at(&self, index: usize) -> Result<i64> {
        match &self.0 {
            Origin::Sqlite(_, values) => match values.get(index) {
                Some(Value::Int(number)) => Ok(*number),
                Some(other) => Err(other_kind(&index.to_string(), other)),
                None => Err(sqlx::Error::ColumnIndexOutOfBounds { index, len: values.len() }),
            },
            Origin::Postgres(row) => row.try_get(index),
        }
        .map_err(Error::db("读取整数列"))
    }

    fn value(&self, column: &str) -> Result<Value> {
        use sqlx::{TypeInfo, ValueRef};
        let row = match &self.0 {
            Origin::Sqlite(names, values) => {
                return read(values, names, column, |value| Some(value.clone()))
                    .map(|value| value.unwrap_or(Value::Null))
                    .map_err(Error::db("读取列"));
            }
            Origin::Postgres(row) => row,
        };
        let raw = row.try_get_raw(column).map_err(Error::db("读取列"))?;
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

/// A column that must not be NULL.
fn there<T>(column: &str, context: &'static str, value: Option<T>) -> Result<T> {
    value
        .ok_or_else(|| sqlx::Error::Decode(format!("column {column} is NULL").into()))
        .map_err(Error::db(context))
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
    fn arguments_that_no_text_names_are_known() {
        assert_eq!(most_named("SELECT 1"), 0);
        assert_eq!(most_named("a = $2 AND b = $11 AND c = $2"), 11);
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
