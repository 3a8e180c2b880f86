//! Many rows into SQLite through its own interface.
//!
//! A load writes twenty million values. Through sqlx each of them is put into two allocations, copied
//! to the connection's thread and once more by SQLite, which costs more than storing it. Here one
//! statement is prepared, and SQLite reads the values where they lie. The only place of the house that
//! calls a C interface; everything around it stays safe.
#![expect(unsafe_code, reason = "SQLite's C interface; why each call is sound stands beside it")]

use std::ptr::NonNull;

use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

use super::value::Value;

/// A prepared statement; dropping it gives it back.
struct Statement(NonNull<ffi::sqlite3_stmt>);

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: made by sqlite3_prepare_v3 and given back only here
        unsafe { ffi::sqlite3_finalize(self.0.as_ptr()) };
    }
}

/// Runs `sql` once for every `width` of `values`, bound in order. The caller holds the connection, in a
/// transaction that it takes back when this fails.
pub(super) fn run(
    connection: &mut LockedSqliteHandle<'_>,
    sql: &str,
    width: usize,
    values: &[Value],
) -> Result<(), sqlx::Error> {
    let statement = prepare(connection, sql)?;
    for row in values.chunks_exact(width.max(1)) {
        if let Err(code) = step(&statement, row) {
            return Err(failed(connection, code));
        }
    }
    Ok(())
}

fn prepare(connection: &mut LockedSqliteHandle<'_>, sql: &str) -> Result<Statement, sqlx::Error> {
    let length = length(sql.len()).map_err(|code| failed(connection, code))?;
    let mut statement = std::ptr::null_mut();
    // SAFETY: `connection` is locked, so its handle is valid and nobody else uses it; `sql` is read
    // for `length` bytes only; SQLite writes a statement or null
    let code = unsafe {
        ffi::sqlite3_prepare_v3(
            connection.as_raw_handle().as_ptr(),
            sql.as_ptr().cast(),
            length,
            0,
            &mut statement,
            std::ptr::null_mut(),
        )
    };
    match NonNull::new(statement) {
        Some(statement) if code == ffi::SQLITE_OK => Ok(Statement(statement)),
        _ => Err(failed(connection, code)),
    }
}

/// Binds one row and runs the statement. `SQLITE_STATIC`: SQLite keeps no copy, and `row` outlives the
/// step; the next row is bound over it, or the statement is given back, before anything is read again.
fn step(statement: &Statement, row: &[Value]) -> Result<(), i32> {
    let statement = statement.0.as_ptr();
    for (place, value) in (1..).zip(row) {
        // SAFETY: the statement is valid and not running, the pointers are valid for the lengths given
        let code = unsafe {
            match value {
                Value::Null => ffi::sqlite3_bind_null(statement, place),
                Value::Int(number) => ffi::sqlite3_bind_int64(statement, place, *number),
                Value::Text(text) => ffi::sqlite3_bind_text(
                    statement,
                    place,
                    text.as_ptr().cast(),
                    length(text.len())?,
                    ffi::SQLITE_STATIC(),
                ),
                Value::Bytes(bytes) => ffi::sqlite3_bind_blob(
                    statement,
                    place,
                    bytes.as_ptr().cast(),
                    length(bytes.len())?,
                    ffi::SQLITE_STATIC(),
                ),
            }
        };
        if code != ffi::SQLITE_OK {
            return Err(code);
        }
    }
    // SAFETY: as above; after an error the statement is only given back
    let code = unsafe { ffi::sqlite3_step(statement) };
    if code != ffi::SQLITE_DONE {
        return Err(code);
    }
    // SAFETY: as above
    match unsafe { ffi::sqlite3_reset(statement) } {
        ffi::SQLITE_OK => Ok(()),
        code => Err(code),
    }
}

fn length(bytes: usize) -> Result<i32, i32> {
    i32::try_from(bytes).map_err(|_| ffi::SQLITE_TOOBIG)
}

fn failed(connection: &mut LockedSqliteHandle<'_>, code: i32) -> sqlx::Error {
    match connection.last_error() {
        Some(error) => sqlx::Error::Database(Box::new(error)),
        None => sqlx::Error::Protocol(format!("SQLite 返回代码 {code}")),
    }
}
