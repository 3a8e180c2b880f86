//! One line of migrations for the whole house, written once for both databases.

use super::{Db, Dialect, RowExt, Value};
use crate::error::{Error, Result};

/// A named piece of portable SQL; `BLOB` becomes `BYTEA` on PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    pub name: &'static str,
    pub sql: &'static str,
}

/// The table of what has been applied.
pub(super) const LINE: &str = "schema_migration";

pub(super) async fn apply(db: &Db, line: &[Migration]) -> Result<usize> {
    // PostgreSQL refuses even IF NOT EXISTS to a role that may not make tables
    if !has_line(db).await? {
        db.statement(
            "CREATE TABLE IF NOT EXISTS schema_migration \
             (name TEXT PRIMARY KEY, sm3 TEXT NOT NULL, applied_at BIGINT NOT NULL)",
        )
        .await?;
    }
    let mut applied = 0;
    for migration in line {
        let digest = crate::gm::sm3_hex(migration.sql.as_bytes());
        let known = db
            .fetch_optional(
                "SELECT sm3 FROM schema_migration WHERE name = $1",
                &[Value::from(migration.name)],
            )
            .await?;
        if let Some(row) = known {
            if row.text("sm3")? != digest {
                return Err(Error::Corrupt(format!(
                    "迁移 {} 已执行过，但程序中的内容与当时不同；请使用与数据目录相符的版本",
                    migration.name
                )));
            }
            continue;
        }
        run(db, migration, &digest).await?;
        applied += 1;
    }
    Ok(applied)
}

async fn has_line(db: &Db) -> Result<bool> {
    let there = match db.dialect() {
        Dialect::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
        Dialect::Postgres => {
            "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
        }
    };
    Ok(db.count(there, &[LINE.into()]).await? > 0)
}

/// One migration is one transaction on both databases, so a kill leaves it done or undone.
async fn run(db: &Db, migration: &Migration, digest: &str) -> Result<()> {
    let mut tx = db.transaction().await?;
    for statement in statements(migration.sql) {
        let statement = match db.dialect() {
            Dialect::Sqlite => statement,
            Dialect::Postgres => statement.replace(" BLOB", " BYTEA"),
        };
        tx.script(statement).await.map_err(|error| unable(migration, error))?;
    }
    tx.execute(
        "INSERT INTO schema_migration (name, sm3, applied_at) VALUES ($1, $2, $3)",
        &[migration.name.into(), digest.into(), db.clock.now().into()],
    )
    .await
    .map_err(|error| unable(migration, error))?;
    tx.commit().await.map_err(Error::db("提交迁移"))
}

fn unable(migration: &Migration, error: sqlx::Error) -> Error {
    // insufficient_privilege
    let forbidden = error
        .as_database_error()
        .and_then(|cause| cause.code())
        .is_some_and(|code| code == "42501");
    if !forbidden {
        return Error::db(migration.name)(error);
    }
    Error::Config(format!(
        "数据库要升级（{}），但所用的数据库角色不能建表、改表：请在 database.migrate_url 写明有此权限的角色，\
         或先以该角色运行一次 mingjian migrate",
        migration.name
    ))
}

/// Statements end with a semicolon at the end of a line; `--` lines are comments.
fn statements(sql: &str) -> Vec<String> {
    let code: String = sql
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(|line| [line.trim_end(), "\n"])
        .collect();
    code.split(";\n").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
