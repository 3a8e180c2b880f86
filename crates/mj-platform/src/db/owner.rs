//! Migrating with a role of its own: the tables belong to it, and the role that serves may read and
//! write them and no more.

use super::migrate::{LINE, Migration, apply};
use super::{Db, RowExt, Value};
use crate::error::{Error, Result};

/// Where a connection has led to, and as whom.
struct Place {
    /// When the server was started, and the database's number on it: the same whatever the URL says.
    started: i64,
    number: i64,
    database: String,
    schema: Option<String>,
    role: String,
    quoted_schema: Option<String>,
    quoted_role: String,
}

impl Place {
    async fn of(db: &Db) -> Result<Self> {
        let asked = "SELECT CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) * 1000000 AS BIGINT) \
                     AS started, CAST(oid AS BIGINT) AS number, CAST(datname AS TEXT) AS database, \
                     CAST(current_schema() AS TEXT) AS schema, CAST(current_user AS TEXT) AS role, \
                     quote_ident(CAST(current_schema() AS TEXT)) AS quoted_schema, \
                     quote_ident(CAST(current_user AS TEXT)) AS quoted_role \
                     FROM pg_database WHERE datname = current_database()";
        let row = db.fetch_one(asked, &[]).await?;
        Ok(Self {
            started: row.int("started")?,
            number: row.int("number")?,
            database: row.text("database")?,
            schema: row.opt_text("schema")?,
            role: row.text("role")?,
            quoted_schema: row.opt_text("quoted_schema")?,
            quoted_role: row.text("quoted_role")?,
        })
    }
}

/// Applies the line over a connection of `url` and lets the role of `serving` at the tables.
pub(super) async fn migrate(serving: &Db, url: &str, line: &[Migration]) -> Result<usize> {
    let owning = Db::open(url, serving.clock.clone()).await.map_err(|error| match error {
        Error::Database { source, .. } => {
            Error::Database { context: "以 database.migrate_url 连接数据库", source }
        }
        other => other,
    })?;
    let applied = migrate_over(&owning, serving, line).await;
    owning.close().await;
    applied
}

async fn migrate_over(owning: &Db, serving: &Db, line: &[Migration]) -> Result<usize> {
    let (owner, servant) = (Place::of(owning).await?, Place::of(serving).await?);
    fits(&owner, &servant)?;
    let schema = enter(owning, serving, &owner, &servant).await?;
    owns(owning, &owner, &servant, &schema).await?;
    let applied = apply(owning, line).await?;
    grant(owning, &servant, &schema).await?;
    Ok(applied)
}

fn refused<T>(why: String) -> Result<T> {
    Err(Error::Config(why))
}

fn fits(owner: &Place, servant: &Place) -> Result<()> {
    if (owner.started, owner.number) != (servant.started, servant.number) {
        let servers =
            if owner.started == servant.started { "" } else { "，且不在同一台服务器上" };
        return refused(format!(
            "database.migrate_url 与 database.url 不是同一个数据库：前者是 {}，后者是 {}{servers}；\
             两者应只有用户和口令不同",
            owner.database, servant.database
        ));
    }
    if owner.role == servant.role {
        return refused(format!(
            "database.migrate_url 与 database.url 用的是同一个角色 {}；请另建一个角色，或去掉 migrate_url",
            owner.role
        ));
    }
    Ok(())
}

/// The schema both roles work in.
async fn enter(owning: &Db, serving: &Db, owner: &Place, servant: &Place) -> Result<String> {
    let (Some(schema), Some(quoted)) = (&owner.schema, &owner.quoted_schema) else {
        return refused(format!("database.migrate_url 的角色 {} 没有可用的模式", owner.role));
    };
    let may = "SELECT CAST(CASE WHEN has_schema_privilege($1, $2, $3) THEN 1 ELSE 0 END AS BIGINT)";
    let may = async |role: &Place, right: &str| {
        let args = [role.role.as_str().into(), schema.as_str().into(), right.into()];
        Ok::<_, Error>(owning.fetch_one(may, &args).await?.int_at(0)? > 0)
    };
    if !may(owner, "CREATE").await? {
        return refused(format!(
            "database.migrate_url 的角色 {} 不能在模式 {schema} 中建表；请由数据库管理员在库 {} 中执行 \
             GRANT CREATE, USAGE ON SCHEMA {quoted} TO {} WITH GRANT OPTION",
            owner.role, owner.database, owner.quoted_role
        ));
    }
    if !may(servant, "USAGE").await? {
        let grant = format!("GRANT USAGE ON SCHEMA {quoted} TO {}", servant.quoted_role);
        owning.statement(&grant).await?;
    }
    let served = Place::of(serving).await?.schema;
    if served.as_ref() != Some(schema) {
        return refused(format!(
            "database.migrate_url 的角色 {} 在模式 {schema} 中建表，database.url 的角色 {} 却用模式 {}；\
             请把两个角色的 search_path 设为相同",
            owner.role,
            servant.role,
            served.as_deref().unwrap_or("（无）")
        ));
    }
    Ok(schema.clone())
}

/// Nothing is left of the time when one role did everything: whoever owns a table may alter it.
async fn owns(owning: &Db, owner: &Place, servant: &Place, schema: &str) -> Result<()> {
    let foreign = format!(
        "SELECT COUNT(*) AS tables, \
         quote_ident(MIN(CAST(pg_get_userbyid(c.relowner) AS TEXT))) AS role \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE CAST(n.nspname AS TEXT) = $1 AND c.relkind IN ('r', 'p') \
         AND (CAST(pg_get_userbyid(c.relowner) AS TEXT) = $2 \
         OR (c.relname = '{LINE}' AND NOT pg_has_role(c.relowner, 'USAGE')))"
    );
    let row = owning.fetch_one(&foreign, &[schema.into(), servant.role.as_str().into()]).await?;
    let Some(role) = row.opt_text("role")? else { return Ok(()) };
    refused(format!(
        "数据库 {} 中有 {} 张表属于角色 {role}，不属于 database.migrate_url 的角色 {}；请由数据库管理员\
         在该库中执行 REASSIGN OWNED BY {role} TO {}",
        owner.database,
        row.int("tables")?,
        owner.role,
        owner.quoted_role
    ))
}

/// What the serving role lacks, and nothing where it lacks nothing. The list of migrations it only
/// reads: whoever takes a line out of it has a migration run again.
async fn grant(owning: &Db, servant: &Place, schema: &str) -> Result<()> {
    let lacking = format!(
        "SELECT quote_ident(CAST(n.nspname AS TEXT)) || '.' || quote_ident(CAST(c.relname AS TEXT)) \
         AS name, CAST(CASE WHEN c.relname = '{LINE}' THEN 1 ELSE 0 END AS BIGINT) AS line \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE CAST(n.nspname AS TEXT) = $1 AND c.relkind IN ('r', 'p') \
         AND pg_has_role(c.relowner, 'USAGE') AND NOT (has_table_privilege($2, c.oid, 'SELECT') \
         AND (c.relname = '{LINE}' OR (has_table_privilege($2, c.oid, 'INSERT') \
         AND has_table_privilege($2, c.oid, 'UPDATE') AND has_table_privilege($2, c.oid, 'DELETE')))) \
         ORDER BY 1"
    );
    let args: [Value; 2] = [schema.into(), servant.role.as_str().into()];
    let mut grants = Vec::new();
    for row in owning.fetch_all(&lacking, &args).await? {
        let rights =
            if row.int("line")? == 1 { "SELECT" } else { "SELECT, INSERT, UPDATE, DELETE" };
        grants.push(format!("GRANT {rights} ON {} TO {}", row.text("name")?, servant.quoted_role));
    }
    if grants.is_empty() {
        return Ok(());
    }
    // sent together they are one transaction
    owning.statement(&grants.join(";\n")).await
}
