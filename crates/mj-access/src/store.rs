//! SQL of this domain, one function per question. Lists of agencies and accounts are not scoped:
//! the matrix opens them to administrators, and agencies' names to everybody signed in.

use std::collections::BTreeMap;

use mj_kernel::{Grant, Instant, Page, PageOf, Role, Scope};
use mj_platform::{Db, DbRow, Dialect, RowExt, TruthTable, Value, WriteTx};

use crate::error::Result;
use crate::model::{
    Account, AccountClass, AccountState, Agency, RoleGrant, parse_level, set_from_text,
};
use crate::seal::{self, Kind};

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

fn agency_of(row: &DbRow) -> Result<Agency> {
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

pub(crate) fn account_of(row: &DbRow) -> Result<Account> {
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

fn scope_of(row: &DbRow) -> Result<Scope> {
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

pub(crate) fn grant_of(row: &DbRow) -> Result<RoleGrant> {
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

/// What a list of agencies is narrowed by.
#[derive(Debug, Default)]
pub struct AgencyFilter<'a> {
    pub area: Option<&'a str>,
    /// Part of a name, or the beginning of the code.
    pub q: Option<&'a str>,
    pub line: Option<&'a str>,
}

/// The agencies of the house, by code.
pub async fn agencies(db: &Db, filter: &AgencyFilter<'_>, page: &Page) -> Result<PageOf<Agency>> {
    let prefix = filter.area.filter(|area| !area.is_empty()).map_or("", Scope::area_prefix);
    let mut args: Vec<Value> = vec![
        page.cursor.clone().unwrap_or_default().into(),
        prefix.into(),
        format!("{prefix}~").into(),
        (page.limit() + 1).into(),
    ];
    let mut sql =
        "SELECT * FROM agency WHERE area_number || ' ' || uscc > $1 AND area_number >= $2 AND \
                   area_number < $3"
            .to_owned();
    if let Some(line) = filter.line.filter(|line| !line.is_empty()) {
        args.push(line.into());
        sql.push_str(&format!(" AND line = ${}", args.len()));
    }
    if let Some(q) = filter.q.map(str::trim).filter(|q| !q.is_empty()) {
        args.push(mj_platform::db::contains_pattern(&q.to_uppercase()));
        let at = args.len();
        sql.push_str(&format!(
            " AND (UPPER(name) LIKE ${at} ESCAPE '\\' OR UPPER(short_name) LIKE ${at} ESCAPE '\\' \
             OR uscc LIKE ${at} ESCAPE '\\')"
        ));
    }
    // a city stands before its districts
    sql.push_str(" ORDER BY area_number || ' ' || uscc LIMIT $4");
    let rows = db.fetch_all(&sql, &args).await?;
    let items = rows.iter().map(agency_of).collect::<Result<_>>()?;
    Ok(PageOf::from_surplus(items, page.limit(), |agency| {
        format!("{} {}", agency.area_number, agency.uscc)
    }))
}

pub async fn agency_by_uscc(db: &Db, uscc: &str) -> Result<Option<Agency>> {
    let row = db.fetch_optional("SELECT * FROM agency WHERE uscc = $1", &[uscc.into()]).await?;
    row.as_ref().map(agency_of).transpose()
}

pub async fn agency_by_id(db: &Db, id: &str) -> Result<Option<Agency>> {
    let row = db.fetch_optional("SELECT * FROM agency WHERE id = $1", &[id.into()]).await?;
    row.as_ref().map(agency_of).transpose()
}

/// The bodies directly below one.
pub async fn children_of(db: &Db, uscc: &str) -> Result<Vec<Agency>> {
    let sql = "SELECT * FROM agency WHERE parent = $1 ORDER BY area_number, uscc LIMIT 500";
    db.fetch_all(sql, &[uscc.into()]).await?.iter().map(agency_of).collect()
}

/// What every agency is called: there are hundreds of them, not thousands.
pub async fn agency_names(db: &Db) -> Result<BTreeMap<String, String>> {
    let rows = db.fetch_all("SELECT uscc, name FROM agency ORDER BY uscc", &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Ok((row.text("uscc")?, row.text("name")?)))
        .collect::<mj_platform::Result<_>>()?)
}

pub async fn accounts_of_agency(db: &Db, uscc: &str) -> Result<i64> {
    Ok(db.count("SELECT COUNT(*) FROM account WHERE agency = $1", &[uscc.into()]).await?)
}

/// What a list of accounts is narrowed by.
#[derive(Debug, Default)]
pub struct AccountFilter<'a> {
    /// Part of the login or of the name.
    pub q: Option<&'a str>,
    pub class: Option<&'a str>,
    pub state: Option<&'a str>,
    pub agency: Option<&'a str>,
    pub role: Option<&'a str>,
    /// `activation`: no password yet; `role`: no role at all.
    pub lacks: Option<&'a str>,
}

pub async fn accounts(db: &Db, filter: &AccountFilter<'_>, page: &Page) -> Result<PageOf<Account>> {
    let cursor = page.cursor.clone().unwrap_or_default();
    let mut args: Vec<Value> = vec![cursor.into(), (page.limit() + 1).into()];
    let mut sql = "SELECT * FROM account a WHERE login > $1".to_owned();
    for (condition, value) in [
        ("a.class = ?", filter.class),
        ("a.state = ?", filter.state),
        ("a.agency = ?", filter.agency),
        (
            "EXISTS (SELECT 1 FROM role_grant g WHERE g.account_id = a.id AND g.revoked_at = 0 \
             AND g.role = ?)",
            filter.role,
        ),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            args.push(value.into());
            sql.push_str(" AND ");
            sql.push_str(&condition.replace('?', &format!("${}", args.len())));
        }
    }
    match filter.lacks {
        Some("activation") => sql.push_str(
            " AND a.state = 'active' AND a.class <> 'source' \
             AND NOT EXISTS (SELECT 1 FROM credential c WHERE c.id = a.id)",
        ),
        Some("role") => sql.push_str(
            " AND a.state = 'active' AND a.class <> 'source' AND NOT EXISTS (SELECT 1 \
             FROM role_grant g WHERE g.account_id = a.id AND g.revoked_at = 0)",
        ),
        _ => {}
    }
    if let Some(q) = filter.q.map(str::trim).filter(|q| !q.is_empty()) {
        args.push(mj_platform::db::contains_pattern(&q.to_lowercase()));
        let at = args.len();
        sql.push_str(&format!(
            " AND (a.login LIKE ${at} ESCAPE '\\' OR LOWER(a.name) LIKE ${at} ESCAPE '\\')"
        ));
    }
    sql.push_str(" ORDER BY login LIMIT $2");
    let rows = db.fetch_all(&sql, &args).await?;
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

/// The account as it is, held until the transaction ends: on PostgreSQL whoever changes it, its password or its second
/// factor, or opens a session of it, waits here; SQLite has one writer anyway.
pub(crate) async fn hold_account(tx: &mut WriteTx, id: &str) -> Result<Option<Account>> {
    let lock = match tx.dialect() {
        // a row that only refers to the account need not wait
        Dialect::Postgres => " FOR NO KEY UPDATE",
        Dialect::Sqlite => "",
    };
    let sql = format!("SELECT * FROM account WHERE id = $1{lock}");
    tx.fetch_optional(&sql, &[id.into()]).await?.as_ref().map(account_of).transpose()
}

/// The stored hash of an account that is held.
pub(crate) async fn held_hash(tx: &mut WriteTx, account_id: &str) -> Result<Option<String>> {
    let sql = "SELECT password_hash FROM credential WHERE id = $1";
    let row = tx.fetch_optional(sql, &[account_id.into()]).await?;
    Ok(row.map(|row| row.text("password_hash")).transpose()?)
}

/// The hash in force; one without its seal is none.
pub async fn password_hash(db: &Db, account_id: &str) -> Result<Option<String>> {
    let sql = "SELECT * FROM credential WHERE id = $1";
    let Some(row) = db.fetch_optional(sql, &[account_id.into()]).await? else { return Ok(None) };
    let holds = seal::holds(db, Kind::Password, &row).await?;
    Ok(if holds { Some(row.text("password_hash")?) } else { None })
}

pub async fn password_changed_at(db: &Db, account_id: &str) -> Result<Option<Instant>> {
    let sql = "SELECT changed_at FROM credential WHERE id = $1";
    let row = db.fetch_optional(sql, &[account_id.into()]).await?;
    Ok(row.map(|row| row.int("changed_at")).transpose()?)
}

/// The hash in force and those before it, newest first, `last` of them in all.
pub async fn recent_hashes(db: &Db, account_id: &str, last: usize) -> Result<Vec<String>> {
    let sql = "SELECT password_hash FROM password_past WHERE account_id = $1 \
               ORDER BY replaced_at DESC LIMIT 10";
    let mut hashes: Vec<String> = password_hash(db, account_id).await?.into_iter().collect();
    for row in db.fetch_all(sql, &[account_id.into()]).await? {
        hashes.push(row.text("password_hash")?);
    }
    hashes.truncate(last);
    Ok(hashes)
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

/// Grants of several accounts, not revoked.
pub async fn standing_grants(db: &Db, accounts: &[String]) -> Result<Vec<RoleGrant>> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let args: Vec<Value> = accounts.iter().map(|id| id.as_str().into()).collect();
    let marks: Vec<String> = (1..=args.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT * FROM role_grant WHERE revoked_at = 0 AND account_id IN ({}) ORDER BY id",
        marks.join(",")
    );
    db.fetch_all(&sql, &args).await?.iter().map(grant_of).collect()
}

/// A session as an administrator sees it: never the token, not even its hash.
pub struct SessionRow {
    pub id: String,
    pub created_at: Instant,
    pub last_seen_at: Instant,
    idle_seconds: i64,
    absolute_until: Instant,
}

impl SessionRow {
    pub fn expires_at(&self) -> Instant {
        self.absolute_until.min(self.last_seen_at + self.idle_seconds * 1_000_000)
    }
}

/// The sessions of an account that still open something.
pub async fn sessions_of(db: &Db, account_id: &str, now: Instant) -> Result<Vec<SessionRow>> {
    let sql = "SELECT * FROM session WHERE account_id = $1 ORDER BY created_at DESC, id";
    let mut sessions = Vec::new();
    for row in db.fetch_all(sql, &[account_id.into()]).await? {
        let session = SessionRow {
            id: row.text("id")?,
            created_at: row.int("created_at")?,
            last_seen_at: row.int("last_seen_at")?,
            idle_seconds: row.int("idle_seconds")?,
            absolute_until: row.int("absolute_until")?,
        };
        if session.expires_at() > now {
            sessions.push(session);
        }
    }
    Ok(sessions)
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

/// What a reference of the act journal is called: a person by name and login.
pub async fn actor_name(db: &Db, reference: &str) -> Result<String> {
    match reference.split_once(':') {
        Some(("account", id)) => Ok(match account_by_id(db, id).await? {
            Some(account) => format!("{}（{}）", account.name, account.login),
            None => reference.to_owned(),
        }),
        Some(("source", cd_source)) => Ok(format!("数据源 {cd_source}")),
        Some(("emergency", id)) => {
            Ok(crate::emergency::name(db, id).await?.unwrap_or_else(|| reference.to_owned()))
        }
        Some(("system", _)) => Ok("系统".into()),
        _ if reference == "anonymous" => Ok("本人（未登录）".into()),
        _ => Ok(reference.to_owned()),
    }
}
