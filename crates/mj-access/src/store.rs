//! SQL of this domain, one function per question. Lists of agencies and accounts are not scoped:
//! the matrix opens them to administrators, and agencies' names to everybody signed in.

use mj_kernel::{Grant, Page, PageOf, Role, Scope};
use mj_platform::{Db, RowExt, TruthTable, Value};
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::model::{
    Account, AccountClass, AccountState, Agency, RoleGrant, parse_level, set_from_text,
};

pub const AGENCY: TruthTable = TruthTable {
    name: "agency",
    columns: &[
        "id",
        "uscc",
        "name",
        "short_name",
        "area_number",
        "line",
        "nature",
        "parent",
        "valid_from",
        "valid_to",
    ],
};

pub const ACCOUNT: TruthTable = TruthTable {
    name: "account",
    columns: &["id", "login", "name", "class", "cd_source", "agency", "state", "created_at"],
};

pub const ROLE_GRANT: TruthTable = TruthTable {
    name: "role_grant",
    columns: &[
        "id",
        "account_id",
        "account_class",
        "role",
        "areas",
        "agencies",
        "item_lines",
        "level",
        "valid_from",
        "valid_to",
        "granted_by",
        "granted_at",
        "revoked_at",
    ],
};

pub const CREDENTIAL: TruthTable =
    TruthTable { name: "credential", columns: &["id", "password_hash", "changed_at"] };

pub const SOURCE_TOKEN: TruthTable = TruthTable {
    name: "source_token",
    columns: &["id", "account_id", "token_sha256", "issued_at", "revoked_at"],
};

fn corrupt(what: &str) -> mj_platform::Error {
    mj_platform::Error::Corrupt(format!("{what} 的值不认识"))
}

fn agency_of(row: &AnyRow) -> Result<Agency> {
    Ok(Agency {
        id: row.text("id")?,
        uscc: row.text("uscc")?,
        name: row.text("name")?,
        short_name: row.text("short_name")?,
        area_number: row.text("area_number")?,
        line: row.text("line")?,
        nature: row.text("nature")?,
        parent: row.opt_text("parent")?,
        valid_from: row.text("valid_from")?,
        valid_to: row.text("valid_to")?,
        version: row.int("version")?,
    })
}

pub(crate) fn account_of(row: &AnyRow) -> Result<Account> {
    let class = AccountClass::parse(&row.text("class")?).ok_or_else(|| corrupt("account.class"))?;
    let active = row.text("state")? == AccountState::Active.name();
    Ok(Account {
        id: row.text("id")?,
        login: row.text("login")?,
        name: row.text("name")?,
        class,
        cd_source: row.opt_text("cd_source")?,
        agency: row.opt_text("agency")?,
        state: if active { AccountState::Active } else { AccountState::Disabled },
        created_at: row.int("created_at")?,
        version: row.int("version")?,
    })
}

fn scope_of(row: &AnyRow) -> Result<Scope> {
    let areas =
        serde_json::from_str(&row.text("areas")?).map_err(|_| corrupt("role_grant.areas"))?;
    let set = |column: &str| -> Result<_> {
        Ok(set_from_text(&row.text(column)?).ok_or_else(|| corrupt("role_grant 的集合"))?)
    };
    Ok(Scope {
        areas,
        agencies: set("agencies")?,
        item_lines: set("item_lines")?,
        level: parse_level(&row.text("level")?).ok_or_else(|| corrupt("role_grant.level"))?,
    })
}

pub(crate) fn grant_of(row: &AnyRow) -> Result<RoleGrant> {
    Ok(RoleGrant {
        id: row.text("id")?,
        account_id: row.text("account_id")?,
        role: Role::parse(&row.text("role")?).ok_or_else(|| corrupt("role_grant.role"))?,
        scope: scope_of(row)?,
        valid_from: row.text("valid_from")?,
        valid_to: row.text("valid_to")?,
        granted_by: row.text("granted_by")?,
        granted_at: row.int("granted_at")?,
        version: row.int("version")?,
    })
}

/// The agencies of the house, by code.
pub async fn agencies(db: &Db, area: Option<&str>, page: &Page) -> Result<PageOf<Agency>> {
    let prefix = area.map_or("", Scope::area_prefix);
    let rows = db
        .fetch_all(
            "SELECT * FROM agency WHERE uscc > $1 AND area_number >= $2 AND area_number < $3 \
             ORDER BY uscc LIMIT $4",
            &[
                page.cursor.clone().unwrap_or_default().into(),
                prefix.into(),
                format!("{prefix}~").into(),
                (page.limit() + 1).into(),
            ],
        )
        .await?;
    let items = rows.iter().map(agency_of).collect::<Result<_>>()?;
    Ok(PageOf::from_surplus(items, page.limit(), |agency| agency.uscc.clone()))
}

pub async fn agency_by_uscc(db: &Db, uscc: &str) -> Result<Option<Agency>> {
    let row = db.fetch_optional("SELECT * FROM agency WHERE uscc = $1", &[uscc.into()]).await?;
    row.as_ref().map(agency_of).transpose()
}

pub async fn agency_by_id(db: &Db, id: &str) -> Result<Option<Agency>> {
    let row = db.fetch_optional("SELECT * FROM agency WHERE id = $1", &[id.into()]).await?;
    row.as_ref().map(agency_of).transpose()
}

pub async fn accounts(db: &Db, page: &Page) -> Result<PageOf<Account>> {
    let cursor = page.cursor.clone().unwrap_or_default();
    let rows = db
        .fetch_all(
            "SELECT * FROM account WHERE login > $1 ORDER BY login LIMIT $2",
            &[cursor.into(), (page.limit() + 1).into()],
        )
        .await?;
    let items = rows.iter().map(account_of).collect::<Result<_>>()?;
    Ok(PageOf::from_surplus(items, page.limit(), |account| account.login.clone()))
}

pub async fn account_by_login(db: &Db, login: &str) -> Result<Option<Account>> {
    let row = db.fetch_optional("SELECT * FROM account WHERE login = $1", &[login.into()]).await?;
    row.as_ref().map(account_of).transpose()
}

pub async fn account_by_id(db: &Db, id: &str) -> Result<Option<Account>> {
    let row = db.fetch_optional("SELECT * FROM account WHERE id = $1", &[id.into()]).await?;
    row.as_ref().map(account_of).transpose()
}

pub async fn password_hash(db: &Db, account_id: &str) -> Result<Option<String>> {
    let sql = "SELECT password_hash FROM credential WHERE id = $1";
    let row = db.fetch_optional(sql, &[account_id.into()]).await?;
    Ok(row.map(|row| row.text("password_hash")).transpose()?)
}

/// Grants not revoked, also those not yet or no longer valid.
pub async fn grants(db: &Db, account_id: Option<&str>, page: &Page) -> Result<PageOf<RoleGrant>> {
    let mut args: Vec<Value> =
        vec![page.cursor.clone().unwrap_or_default().into(), (page.limit() + 1).into()];
    let mut sql = "SELECT * FROM role_grant WHERE revoked_at = 0 AND id > $1".to_owned();
    if let Some(account_id) = account_id {
        args.push(account_id.into());
        sql.push_str(" AND account_id = $3");
    }
    sql.push_str(" ORDER BY id LIMIT $2");
    let rows = db.fetch_all(&sql, &args).await?;
    let items = rows.iter().map(grant_of).collect::<Result<_>>()?;
    Ok(PageOf::from_surplus(items, page.limit(), |grant| grant.id.clone()))
}

pub async fn grant_by_id(db: &Db, id: &str) -> Result<Option<RoleGrant>> {
    let row = db.fetch_optional("SELECT * FROM role_grant WHERE id = $1", &[id.into()]).await?;
    row.as_ref().map(grant_of).transpose()
}

/// What an account may do today.
pub async fn grants_of(db: &Db, account_id: &str) -> Result<Vec<RoleGrant>> {
    let today = db.clock().today().to_string();
    let rows = db
        .fetch_all(
            "SELECT * FROM role_grant WHERE account_id = $1 AND revoked_at = 0 \
             AND valid_from <= $2 AND valid_to >= $2 ORDER BY id",
            &[account_id.into(), today.into()],
        )
        .await?;
    rows.iter().map(grant_of).collect()
}

pub(crate) fn as_kernel_grants(grants: Vec<RoleGrant>) -> Vec<Grant> {
    grants.into_iter().map(|grant| Grant { role: grant.role, scope: grant.scope }).collect()
}
