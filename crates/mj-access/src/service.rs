//! The acts of this domain, each within the caller's transaction through the write door: people,
//! the demonstration city and other rooms all come this way. Whether the caller may is decided
//! before; what must hold whoever calls is checked here.

use mj_kernel::{Instant, Role};
use mj_platform::{Db, RowExt, WriteTx, new_id};

use crate::ended::{self, By, Cause, Which};
use crate::error::{Error, Result};
use crate::model::{
    AccountClass, AccountState, NO_END, NewAccount, NewGrant, check_grant, check_login, check_name,
    is_administrator, level_name, set_to_text,
};
use crate::seal::{self, Kind};
use crate::store::{self, ACCOUNT, CREDENTIAL, ROLE_GRANT, SOURCE_TOKEN, account_of, grant_of};
use crate::token;

fn today(tx: &WriteTx) -> String {
    mj_kernel::clock::beijing_date(tx.now()).to_string()
}

/// Opens an account that cannot log in yet: [`set_password`] or an activation code comes after.
pub async fn create_account(tx: &mut WriteTx, new: &NewAccount) -> Result<String> {
    if new.class == AccountClass::Source {
        return Err(Error::Invalid {
            field: "class", reason: "部门系统的账号随来源令牌开设"
        });
    }
    let login = check_login(&new.login)?;
    let name = check_name(&new.name)?;
    insert_account(tx, new.id.clone(), &login, &name, new.class, None, new.agency.as_deref()).await
}

async fn insert_account(
    tx: &mut WriteTx,
    id: Option<String>,
    login: &str,
    name: &str,
    class: AccountClass,
    cd_source: Option<&str>,
    agency: Option<&str>,
) -> Result<String> {
    let id = id.unwrap_or_else(new_id);
    let now = tx.now();
    tx.insert(
        &ACCOUNT,
        &[
            ("id", id.as_str().into()),
            ("login", login.into()),
            ("name", name.into()),
            ("class", class.name().into()),
            ("cd_source", cd_source.into()),
            ("agency", agency.into()),
            ("state", AccountState::Active.name().into()),
            ("created_at", now.into()),
        ],
    )
    .await?;
    Ok(id)
}

/// Sets the password (hashed by [`crate::Passwords::hash`]) and ends the account's other sessions.
pub async fn set_password(tx: &mut WriteTx, account_id: &str, hash: &str) -> Result<()> {
    let now = tx.now();
    // a sign-in with the old one, checked meanwhile, waits here and then fails, or is over and ends below
    store::hold_account(tx, account_id).await?;
    let known = store::held_hash(tx, account_id).await?;
    if let Some(earlier) = &known {
        let sql = "INSERT INTO password_past (account_id, replaced_at, password_hash) \
                   VALUES ($1,$2,$3) ON CONFLICT (account_id, replaced_at) DO NOTHING";
        tx.execute(sql, &[account_id.into(), now.into(), earlier.as_str().into()]).await?;
        let sql = "DELETE FROM password_past WHERE account_id = $1 AND replaced_at NOT IN \
                   (SELECT replaced_at FROM password_past WHERE account_id = $1 \
                    ORDER BY replaced_at DESC LIMIT 10)";
        tx.execute(sql, &[account_id.into()]).await?;
    }
    let values = [("password_hash", hash.into()), ("changed_at", now.into())];
    if known.is_some() {
        tx.update(&CREDENTIAL, account_id, None, &values).await?;
    } else {
        let [password_hash, changed_at] = values;
        tx.insert(&CREDENTIAL, &[("id", account_id.into()), password_hash, changed_at]).await?;
    }
    seal::seal(tx, Kind::Password, account_id).await?;
    end_sessions(tx, account_id, Cause::Password).await
}

/// Another password instead of the one that was proven, if that is still the one.
pub async fn change_password(
    tx: &mut WriteTx,
    account_id: &str,
    proven: &str,
    hash: &str,
) -> Result<()> {
    store::hold_account(tx, account_id).await?;
    if store::held_hash(tx, account_id).await?.as_deref() != Some(proven) {
        return Err(Error::NotAccepted);
    }
    set_password(tx, account_id, hash).await
}

/// Stores the same password under a newer key, unless another one was set meanwhile.
pub(crate) async fn renew_hash(
    tx: &mut WriteTx,
    account_id: &str,
    was: &str,
    renewed: &str,
) -> Result<()> {
    let sql = "SELECT password_hash, version FROM credential WHERE id = $1";
    let Some(row) = tx.fetch_optional(sql, &[account_id.into()]).await? else { return Ok(()) };
    if row.text("password_hash")? != was {
        return Ok(());
    }
    let version = Some(row.int("version")?);
    let new = [("password_hash", renewed.into())];
    match tx.update(&CREDENTIAL, account_id, version, &new).await {
        Err(mj_platform::Error::Stale { .. }) => return Ok(()),
        done => done?,
    };
    seal::seal(tx, Kind::Password, account_id).await
}

/// Whether the account of a grant may hold it, and the act's actor give it: never to oneself.
pub async fn may_hold(tx: &mut WriteTx, new: &NewGrant) -> Result<crate::Account> {
    let row = tx
        .fetch_optional("SELECT * FROM account WHERE id = $1", &[new.account_id.as_str().into()])
        .await?
        .ok_or(Error::Missing("账号"))?;
    let account = account_of(&row)?;
    if account.state == AccountState::Disabled {
        return Err(Error::NotNow("账号已停用，不能授予角色。"));
    }
    let granted_by = tx.act().actor.clone();
    if granted_by == format!("account:{}", account.id) {
        return Err(Error::Separation("不能给自己授予角色。"));
    }
    let held = tx
        .fetch_all(
            "SELECT * FROM role_grant WHERE account_id = $1 AND revoked_at = 0 ORDER BY id",
            &[account.id.as_str().into()],
        )
        .await?;
    let held: Vec<Role> = held.iter().map(|row| Ok(grant_of(row)?.role)).collect::<Result<_>>()?;
    check_grant(account.class, &held, new)?;
    let today = today(tx);
    if new.valid_to.as_ref().is_some_and(|to| *to < today) {
        return Err(Error::Invalid { field: "valid_to", reason: "不能早于今天" });
    }
    Ok(account)
}

/// Grants a role in the name of the act's actor. Whether it takes two is asked before.
pub async fn grant_role(tx: &mut WriteTx, new: &NewGrant) -> Result<String> {
    let account = may_hold(tx, new).await?;
    let granted_by = tx.act().actor.clone();
    let id = new.id.clone().unwrap_or_else(new_id);
    let now = tx.now();
    let valid_from = new.valid_from.clone().unwrap_or_else(|| today(tx));
    let areas = serde_json::Value::from_iter(new.scope.areas.iter().cloned()).to_string();
    tx.insert(
        &ROLE_GRANT,
        &[
            ("id", id.as_str().into()),
            ("account_id", account.id.as_str().into()),
            ("account_class", account.class.name().into()),
            ("role", new.role.name().into()),
            ("areas", areas.into()),
            ("agencies", set_to_text(&new.scope.agencies).into()),
            ("item_lines", set_to_text(&new.scope.item_lines).into()),
            ("level", level_name(new.scope.level).into()),
            ("valid_from", valid_from.into()),
            ("valid_to", new.valid_to.as_deref().unwrap_or(NO_END).into()),
            ("granted_by", granted_by.into()),
            ("granted_at", now.into()),
            ("revoked_at", 0_i64.into()),
        ],
    )
    .await?;
    end_sessions(tx, &account.id, Cause::Role).await?;
    Ok(id)
}

/// Takes a role back; the last holder of an administrator's role keeps it until there is another.
pub async fn revoke_grant(tx: &mut WriteTx, grant_id: &str, expected: i64) -> Result<i64> {
    let row = tx
        .fetch_optional(
            "SELECT * FROM role_grant WHERE id = $1 AND revoked_at = 0",
            &[grant_id.into()],
        )
        .await?
        .ok_or(Error::Missing("授权"))?;
    let grant = grant_of(&row)?;
    if tx.act().actor == format!("account:{}", grant.account_id) {
        return Err(Error::Separation("不能收回自己的角色。"));
    }
    keep_a_successor(tx, grant.role, &grant.account_id, &grant.valid_to).await?;
    let now = tx.now();
    let version =
        tx.update(&ROLE_GRANT, grant_id, Some(expected), &[("revoked_at", now.into())]).await?;
    end_sessions(tx, &grant.account_id, Cause::Role).await?;
    Ok(version)
}

/// Disables an account at once: its sessions end, its tokens open nothing.
pub async fn disable_account(tx: &mut WriteTx, account_id: &str, expected: i64) -> Result<i64> {
    store::hold_account(tx, account_id).await?;
    if state_of(tx, account_id).await? == AccountState::Disabled {
        return Err(Error::NotNow("账号已经停用。"));
    }
    let rows = tx
        .fetch_all(
            "SELECT * FROM role_grant WHERE account_id = $1 AND revoked_at = 0 ORDER BY id",
            &[account_id.into()],
        )
        .await?;
    for row in &rows {
        let grant = grant_of(row)?;
        keep_a_successor(tx, grant.role, account_id, &grant.valid_to).await?;
    }
    let state = ("state", AccountState::Disabled.name().into());
    let version = tx.update(&ACCOUNT, account_id, Some(expected), &[state]).await?;
    end_sessions(tx, account_id, Cause::Disabled).await?;
    Ok(version)
}

/// Opens a disabled account again; the grants it still holds count again.
pub async fn enable_account(tx: &mut WriteTx, account_id: &str, expected: i64) -> Result<i64> {
    if state_of(tx, account_id).await? == AccountState::Active {
        return Err(Error::NotNow("账号没有停用。"));
    }
    let state = ("state", AccountState::Active.name().into());
    Ok(tx.update(&ACCOUNT, account_id, Some(expected), &[state]).await?)
}

async fn state_of(tx: &mut WriteTx, account_id: &str) -> Result<AccountState> {
    let sql = "SELECT * FROM account WHERE id = $1";
    let row = tx.fetch_optional(sql, &[account_id.into()]).await?;
    Ok(account_of(&row.ok_or(Error::Missing("账号"))?)?.state)
}

/// Ends an account's sessions by an act of its own, which the journal keeps.
pub async fn end_sessions_of(tx: &mut WriteTx, account_id: &str) -> Result<()> {
    end_sessions(tx, account_id, Cause::ByAdministrator).await?;
    Ok(tx.note().await?)
}

/// A successor is somebody in use, for at least as long: else the role would be nobody's when the days are over.
async fn keep_a_successor(
    tx: &mut WriteTx,
    role: Role,
    account_id: &str,
    until: &str,
) -> Result<()> {
    if !is_administrator(role) {
        return Ok(());
    }
    // one after another, on PostgreSQL too: two who go at once would each be the other's successor
    tx.position().await?;
    let today = today(tx);
    let other = tx
        .fetch_optional(
            "SELECT g.id FROM role_grant g JOIN account a ON a.id = g.account_id \
             WHERE g.role = $1 AND g.account_id <> $2 AND g.revoked_at = 0 \
             AND g.valid_from <= $3 AND g.valid_to >= $3 AND g.valid_to >= $4 \
             AND a.state = 'active' LIMIT 1",
            &[role.name().into(), account_id.into(), today.into(), until.into()],
        )
        .await?;
    match other {
        Some(_) => Ok(()),
        None => Err(Error::NotNow("这是该管理员角色的最后一人，须先有接任者。")),
    }
}

pub(crate) async fn end_sessions(tx: &mut WriteTx, account_id: &str, why: Cause) -> Result<()> {
    ended::end(tx, Which::AllOf(account_id), why, By::default()).await
}

/// The tokens a source was given, newest first: when, and when each stopped opening anything.
pub async fn source_tokens(db: &Db, cd_source: &str) -> Result<Vec<SourceToken>> {
    let rows = db
        .fetch_all(
            "SELECT t.issued_at, t.revoked_at FROM source_token t JOIN account a \
             ON a.id = t.account_id WHERE a.cd_source = $1 ORDER BY t.issued_at DESC, t.id DESC",
            &[cd_source.into()],
        )
        .await?;
    let tokens = rows.iter().map(|row| {
        let revoked_at = row.int("revoked_at")?;
        let issued_at = row.int("issued_at")?;
        Ok(SourceToken { issued_at, revoked_at: (revoked_at != 0).then_some(revoked_at) })
    });
    Ok(tokens.collect::<mj_platform::Result<_>>()?)
}

/// When a token was given out and when it stopped; the token itself is not kept anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceToken {
    pub issued_at: Instant,
    pub revoked_at: Option<Instant>,
}

/// Ends the token of a source without giving another; how many ended.
pub async fn revoke_source_tokens(tx: &mut WriteTx, cd_source: &str) -> Result<usize> {
    tx.position().await?;
    let now = tx.now();
    let standing = tx
        .fetch_all(
            "SELECT t.id FROM source_token t JOIN account a ON a.id = t.account_id \
             WHERE a.cd_source = $1 AND t.revoked_at = 0 ORDER BY t.id",
            &[cd_source.into()],
        )
        .await?;
    for row in &standing {
        let id = row.text("id")?;
        tx.update(&SOURCE_TOKEN, &id, None, &[("revoked_at", now.into())]).await?;
        seal::break_seal(tx, Kind::SourceToken, &id).await?;
    }
    Ok(standing.len())
}

/// A new token for a department's system; earlier ones of the same source open nothing from now on.
/// The token is returned once and kept only as a hash.
pub async fn issue_source_token(tx: &mut WriteTx, cd_source: &str) -> Result<String> {
    // one after another, on PostgreSQL too: two at once would leave two tokens that hold
    tx.position().await?;
    let known = tx
        .fetch_optional(
            "SELECT * FROM account WHERE class = 'source' AND cd_source = $1 ORDER BY id",
            &[cd_source.into()],
        )
        .await?;
    let account_id = match known {
        Some(row) => {
            let account = account_of(&row)?;
            if account.state == AccountState::Disabled {
                return Err(Error::SourceDisabled(cd_source.into()));
            }
            account.id
        }
        // the colon keeps it apart from every login of a person
        None => {
            let login = format!("source:{cd_source}");
            insert_account(tx, None, &login, cd_source, AccountClass::Source, Some(cd_source), None)
                .await?
        }
    };
    let now = tx.now();
    let earlier = tx
        .fetch_all(
            "SELECT id FROM source_token WHERE account_id = $1 AND revoked_at = 0 ORDER BY id",
            &[account_id.as_str().into()],
        )
        .await?;
    for row in earlier {
        let id = row.text("id")?;
        tx.update(&SOURCE_TOKEN, &id, None, &[("revoked_at", now.into())]).await?;
        seal::break_seal(tx, Kind::SourceToken, &id).await?;
    }
    let (id, secret) = (new_id(), token::new_source_token());
    tx.insert(
        &SOURCE_TOKEN,
        &[
            ("id", id.as_str().into()),
            ("account_id", account_id.into()),
            ("token_sha256", token::digest(&secret).into()),
            ("issued_at", now.into()),
            ("revoked_at", 0_i64.into()),
        ],
    )
    .await?;
    seal::seal(tx, Kind::SourceToken, &id).await?;
    Ok(secret)
}
