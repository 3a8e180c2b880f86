//! One-time codes. A first start makes three, one for each administrator; later ones activate the
//! account they were made for. A code is kept as a hash and works once.

use std::net::IpAddr;

use mj_kernel::{Actor, DataLevel, Role, Scope};
use mj_platform::{Act, Db, Lane, RowExt, WriteTx, new_id};

use crate::error::{Error, Result};
use crate::failures::{Failure, Tried};
use crate::lockout::{self, Buckets};
use crate::model::{AccountClass, AccountState, NewAccount, NewGrant, check_login};
use crate::seal::{self, Kind};
use crate::service::{create_account, grant_role, set_password};
use crate::{Access, store, token};

pub const ADMINISTRATORS: [Role; 3] = [Role::SysAdmin, Role::SecAdmin, Role::AuditAdmin];

/// A code to be printed once and handed to the person meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    pub role: Role,
    pub code: String,
}

/// At a first start: three codes, for the system, security and audit administrator. Later: `None`.
pub async fn bootstrap(db: &Db) -> Result<Option<[EnrolmentCode; 3]>> {
    if db.count("SELECT COUNT(*) FROM enrolment", &[]).await? > 0 {
        return Ok(None);
    }
    let codes = ADMINISTRATORS.map(|role| EnrolmentCode { role, code: token::new_code() });
    let mut tx = db.begin(Lane::People, start("access.enrolment.bootstrap")).await?;
    for code in &codes {
        keep_code(&mut tx, Some(code.role), None, &code.code).await?;
    }
    tx.commit().await?;
    Ok(Some(codes))
}

/// A new code for an administrator who has not enrolled and lost the printed one. For whoever has
/// the machine; there is no route to it.
pub async fn reissue_code(db: &Db, who: &Actor, role: Role, reason: &str) -> Result<EnrolmentCode> {
    let act = Act::new(who, "access.enrolment.reissue", "enrolment");
    let why = format!("{}：{reason}", role.title());
    let mut tx = db.begin(Lane::People, act.because(why)).await?;
    let dropped = tx
        .execute("DELETE FROM enrolment WHERE role = $1 AND used_at = 0", &[role.name().into()])
        .await?;
    if dropped == 0 {
        return Err(Error::NotNow("该管理员已经启用，不能再发启用码。"));
    }
    let code = EnrolmentCode { role, code: token::new_code() };
    keep_code(&mut tx, Some(role), None, &code.code).await?;
    tx.note().await?;
    tx.commit().await?;
    Ok(code)
}

/// A code with which the owner of an account sets a password. Earlier ones stop working.
pub async fn activation_code(tx: &mut WriteTx, account_id: &str) -> Result<String> {
    // one after another, on PostgreSQL too: two at once would leave two codes that work
    tx.position().await?;
    let sql = "DELETE FROM enrolment WHERE account_id = $1 AND used_at = 0";
    tx.execute(sql, &[account_id.into()]).await?;
    let code = token::new_code();
    keep_code(tx, None, Some(account_id), &code).await?;
    Ok(code)
}

fn start(action: &'static str) -> Act {
    Act::new(&Actor::system("start"), action, "enrolment")
}

async fn keep_code(
    tx: &mut WriteTx,
    role: Option<Role>,
    account_id: Option<&str>,
    code: &str,
) -> Result<()> {
    let (now, id) = (tx.now(), new_id());
    tx.execute(
        "INSERT INTO enrolment (id, role, account_id, code_sha256, created_at, used_at) \
         VALUES ($1,$2,$3,$4,$5,0)",
        &[
            id.as_str().into(),
            role.map_or("", Role::name).into(),
            account_id.unwrap_or_default().into(),
            token::code_digest(code).into(),
            now.into(),
        ],
    )
    .await?;
    seal::seal(tx, Kind::Enrolment, &id).await
}

/// What an unused code opens.
pub struct Found {
    /// Empty for an administrator's to be.
    pub account_id: String,
    /// An administrator's, there or to be.
    pub administrator: bool,
}

/// `None` for no such code.
pub async fn find(db: &Db, code: &str) -> Result<Option<Found>> {
    let sql = "SELECT e.*, a.class FROM enrolment e \
               LEFT JOIN account a ON a.id = e.account_id \
               WHERE e.code_sha256 = $1 AND e.used_at = 0";
    let row = db.fetch_optional(sql, &[token::code_digest(code).into()]).await?;
    let Some(row) = row else { return Ok(None) };
    if !seal::holds(db, Kind::Enrolment, &row).await? {
        return Ok(None);
    }
    let class = row.opt_text("class")?;
    let administrator =
        !row.text("role")?.is_empty() || class.as_deref() == Some(AccountClass::Admin.name());
    Ok(Some(Found { account_id: row.text("account_id")?, administrator }))
}

/// Who enrols, with what.
pub struct Enrol<'a> {
    pub code: &'a str,
    pub login: &'a str,
    pub name: &'a str,
    /// Already hashed by [`crate::Passwords::hash`].
    pub password_hash: &'a str,
}

/// Turns a code into an account that can log in; returns the account's id.
pub async fn enrol(tx: &mut WriteTx, with: &Enrol<'_>) -> Result<String> {
    let login = check_login(with.login)?;
    let now = tx.now();
    // used in the same statement that finds it: a code works once even in a race
    let row = tx
        .fetch_optional(
            "UPDATE enrolment SET used_at = $1 WHERE code_sha256 = $2 AND used_at = 0 \
             RETURNING *",
            &[now.into(), token::code_digest(with.code).into()],
        )
        .await?
        .ok_or(Error::InvalidCode)?;
    if !seal::held(tx, Kind::Enrolment, &row)? {
        return Err(Error::InvalidCode);
    }
    let account_id = match Role::parse(&row.text("role")?) {
        Some(role) => administrator(tx, role, &login, with.name).await?,
        None => activated(tx, &row.text("account_id")?, &login).await?,
    };
    set_password(tx, &account_id, with.password_hash).await?;
    // whoever holds the code was let in by others: what strangers guessed at before is over
    lockout::unlock(tx, &login, &account_id).await?;
    let sql = "UPDATE enrolment SET account_id = $1, seal = '' WHERE id = $2";
    tx.execute(sql, &[account_id.as_str().into(), row.text("id")?.into()]).await?;
    // the code says whose hand it is: the log tells it of that account, and that there was no sign-in
    let by = format!("account:{account_id}");
    let told = Act { actor: by.clone(), object: by, ..tx.act().clone() };
    tx.retell(told.because("凭一次性启用码设置密码，当时没有登录"));
    Ok(account_id)
}

async fn administrator(tx: &mut WriteTx, role: Role, login: &str, name: &str) -> Result<String> {
    let new = NewAccount {
        id: None,
        login: login.into(),
        name: name.into(),
        class: AccountClass::Admin,
        agency: None,
    };
    let account_id = create_account(tx, &new).await?;
    let grant = NewGrant::of(&account_id, role, Scope::everything(DataLevel::Internal));
    grant_role(tx, &grant).await?;
    Ok(account_id)
}

async fn activated(tx: &mut WriteTx, account_id: &str, login: &str) -> Result<String> {
    let row = tx
        .fetch_optional("SELECT * FROM account WHERE id = $1", &[account_id.into()])
        .await?
        .ok_or(Error::InvalidCode)?;
    let account = store::account_of(&row)?;
    if account.login != login || account.state == AccountState::Disabled {
        return Err(Error::InvalidCode);
    }
    Ok(account.id)
}

/// Counts a wrong code against the network source it came from.
pub async fn wrong_code(access: &Access, act: Act, address: Option<IpAddr>) -> Result<()> {
    let buckets = Buckets::of("\nenrolment", address);
    let mut tx = access.db.begin(Lane::People, act).await?;
    let failure = Failure { tried: Tried::Enrolment, account_id: None, buckets: &buckets };
    failure.keep(&mut tx).await?;
    Ok(tx.commit().await?)
}
