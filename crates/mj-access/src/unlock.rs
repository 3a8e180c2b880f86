//! What only two administrators do to somebody's way in: a system administrator starts, a security administrator
//! approves before the request expires. An unlock ends the locks and their doubling at once; a reset lets the system
//! administrator hand out one new activation code, with which the owner sets a password; so does the first code of an
//! account that was given a privileged role before its first sign-in. Neither chooses the password, and a second factor
//! stays as it is.

use chrono::NaiveDate;
use mj_kernel::second_person::{Request, Standing, Verdict, Yes};
use mj_platform::{Db, DbRow, RowExt, TruthTable, WriteTx, second_person};

use crate::error::{Error, Result};
use crate::model::{Account, AccountClass, AccountState, RoleGrant};
use crate::store::{self, account_of};
use crate::{grant_request, lockout};

pub const UNLOCK_REQUEST: TruthTable = TruthTable {
    name: "unlock_request",
    columns: &[
        "id",
        "account_id",
        "kind",
        "reason",
        "state",
        "requested_by",
        "requested_at",
        "expires_at",
        "decided_by",
        "decided_at",
        "decided_why",
    ],
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Unlock,
    Reset,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Unlock => "unlock",
            Self::Reset => "reset",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Unlock => "解除锁定",
            Self::Reset => "重新发放启用码",
        }
    }

    /// An unlock is done with the yes; a reset lets one code be handed out.
    fn yes(self) -> Yes {
        match self {
            Self::Unlock => Yes::Does,
            Self::Reset => Yes::Lets,
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Unlock, Self::Reset].into_iter().find(|one| one.name() == name)
    }
}

/// A request as kept.
#[derive(Debug, Clone)]
pub struct UnlockRequest {
    pub id: String,
    pub account_id: String,
    pub kind: Kind,
    pub reason: String,
    pub two: Request,
    pub version: i64,
}

/// Starts a request in the name of the act's actor.
pub async fn request(
    tx: &mut WriteTx,
    id: &str,
    account_id: &str,
    kind: Kind,
    reason: &str,
) -> Result<()> {
    // one after another, on PostgreSQL too: two at once would leave two that wait
    tx.position().await?;
    let account = account(tx, account_id).await?;
    let now = tx.now();
    match kind {
        Kind::Unlock if !is_locked(tx, &account).await? => {
            return Err(Error::NotNow("账号现在没有锁定，不须解除。"));
        }
        Kind::Reset if !takes_two(tx, account_id).await? => {
            return Err(Error::NotNow("账号还没有启用过，可以直接重新发放启用码，不须申请。"));
        }
        Kind::Reset if account.state == AccountState::Disabled => {
            return Err(Error::NotNow("账号已停用，请先恢复账号。"));
        }
        _ => {}
    }
    let sql = "SELECT id FROM unlock_request WHERE account_id = $1 AND kind = $2 \
               AND state IN ('waiting', 'approved') AND expires_at > $3 \
               AND (state = 'waiting' OR kind = 'reset')";
    let open = [account_id.into(), kind.name().into(), now.into()];
    if tx.fetch_optional(sql, &open).await?.is_some() {
        return Err(Error::NotNow("这个账号已有同样的申请在办，请等候批准，或先撤回。"));
    }
    let hours = lockout::rule("request/hours", mj_kernel::clock::beijing_date(now))?;
    let mut row = vec![
        ("id", id.into()),
        ("account_id", account_id.into()),
        ("kind", kind.name().into()),
        ("reason", reason.into()),
    ];
    row.extend(second_person::asked(tx, hours));
    Ok(tx.insert(&UNLOCK_REQUEST, &row).await?)
}

/// The second person's yes: never of the one who asked, never for oneself.
pub async fn approve(
    tx: &mut WriteTx,
    request: &UnlockRequest,
    expected: i64,
    why: &str,
) -> Result<()> {
    let state = decide(tx, request, Verdict::Yes)?;
    if tx.act().actor == format!("account:{}", request.account_id) {
        return Err(Error::Separation(
            "不能批准解除自己的锁定或重置自己，请由另一位安全管理员办理。",
        ));
    }
    close(tx, request, expected, state, why).await?;
    if request.kind == Kind::Unlock {
        let account = account(tx, &request.account_id).await?;
        lockout::unlock(tx, &account.login, &account.id).await?;
    }
    Ok(())
}

/// Says no; whoever asked takes it back.
pub async fn refuse(
    tx: &mut WriteTx,
    request: &UnlockRequest,
    expected: i64,
    why: &str,
) -> Result<()> {
    let state = decide(tx, request, Verdict::No)?;
    close(tx, request, expected, state, why).await
}

/// Uses up the approval that a new code needs for an account in use, and for one that was never used but opens what only
/// two may give. Another account that was never activated needs none.
pub async fn may_issue_code(tx: &mut WriteTx, account_id: &str) -> Result<()> {
    tx.position().await?;
    if !takes_two(tx, account_id).await? {
        return Ok(());
    }
    let now = tx.now();
    let sql = "SELECT * FROM unlock_request WHERE account_id = $1 AND kind = 'reset' \
               AND state = 'approved' AND expires_at > $2 ORDER BY id LIMIT 1";
    let row = tx.fetch_optional(sql, &[account_id.into(), now.into()]).await?;
    let approved = row.as_ref().map(read).transpose()?.ok_or(Error::ResetNeedsTwo)?;
    let used = approved.two.used(now).ok_or(Error::ResetNeedsTwo)?;
    let used = [("state", used.name().into())];
    tx.update(&UNLOCK_REQUEST, &approved.id, Some(approved.version), &used).await?;
    Ok(())
}

fn decide(tx: &WriteTx, request: &UnlockRequest, verdict: Verdict) -> Result<Standing> {
    let own = "自己提出的申请须由安全管理员批准。";
    request.two.decide(&tx.act().actor, verdict, tx.now()).map_err(|bar| Error::barred(bar, own))
}

async fn close(
    tx: &mut WriteTx,
    request: &UnlockRequest,
    expected: i64,
    state: Standing,
    why: &str,
) -> Result<()> {
    let which = (request.id.as_str(), expected);
    Ok(second_person::close(tx, &UNLOCK_REQUEST, which, state.name(), Some(why), &[]).await?)
}

/// An account of a person: systems have no password to lock.
async fn account(tx: &mut WriteTx, account_id: &str) -> Result<Account> {
    let sql = "SELECT * FROM account WHERE id = $1";
    let row = tx.fetch_optional(sql, &[account_id.into()]).await?;
    let account = account_of(&row.ok_or(Error::Missing("账号"))?)?;
    match account.class {
        AccountClass::Source => Err(Error::Missing("账号")),
        _ => Ok(account),
    }
}

/// Whether a code for this account is more than one person's to give.
async fn takes_two(tx: &mut WriteTx, account_id: &str) -> Result<bool> {
    Ok(is_activated(tx, account_id).await? || opens_privileges(tx, account_id).await?)
}

/// Whether the account holds a grant, now or from a later day on, that two had to give.
async fn opens_privileges(tx: &mut WriteTx, account_id: &str) -> Result<bool> {
    let today = mj_kernel::clock::beijing_date(tx.now());
    let sql = "SELECT * FROM role_grant WHERE account_id = $1 AND revoked_at = 0 ORDER BY id";
    for row in tx.fetch_all(sql, &[account_id.into()]).await? {
        if is_privileged(&store::grant_of(&row)?, today)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a grant that was not revoked opens, on this day or a later one, what only two may give.
pub fn is_privileged(grant: &RoleGrant, today: NaiveDate) -> Result<bool> {
    let by = grant_request::needs_second_person(grant.role, grant.scope.level, today)?;
    Ok(by.is_some() && grant.valid_to >= today.to_string())
}

/// Takes back the code that one person gave out for an account not yet in use: it would open the privileges that two
/// are about to give.
pub async fn withdraw_first_code(tx: &mut WriteTx, account_id: &str) -> Result<()> {
    let sql = "DELETE FROM enrolment WHERE account_id = $1 AND used_at = 0 \
               AND NOT EXISTS (SELECT 1 FROM credential WHERE id = $1)";
    tx.execute(sql, &[account_id.into()]).await?;
    Ok(())
}

async fn is_activated(tx: &mut WriteTx, account_id: &str) -> Result<bool> {
    let sql = "SELECT id FROM credential WHERE id = $1";
    Ok(tx.fetch_optional(sql, &[account_id.into()]).await?.is_some())
}

async fn is_locked(tx: &mut WriteTx, account: &Account) -> Result<bool> {
    lockout::is_locked(tx, &account.login, &account.id).await
}

pub async fn by_id(db: &Db, id: &str) -> Result<Option<UnlockRequest>> {
    let sql = "SELECT * FROM unlock_request WHERE id = $1";
    db.fetch_optional(sql, &[id.into()]).await?.as_ref().map(read).transpose()
}

/// Those of one account, or all: what waits first, then the newest.
pub async fn list(db: &Db, account: Option<&str>) -> Result<Vec<UnlockRequest>> {
    let rows = match account {
        Some(account) => {
            let sql =
                "SELECT * FROM unlock_request WHERE account_id = $1 ORDER BY id DESC LIMIT 200";
            db.fetch_all(sql, &[account.into()]).await?
        }
        None => {
            let sql = "SELECT * FROM unlock_request ORDER BY CASE WHEN state = 'waiting' AND expires_at > $1 \
                       THEN 0 ELSE 1 END, id DESC LIMIT 200";
            db.fetch_all(sql, &[db.clock().now().into()]).await?
        }
    };
    rows.iter().map(read).collect()
}

/// The person a request is about.
pub async fn account_name(db: &Db, account_id: &str) -> Result<String> {
    store::actor_name(db, &format!("account:{account_id}")).await
}

fn read(row: &DbRow) -> Result<UnlockRequest> {
    let broken = || mj_platform::Error::Corrupt("unlock_request.kind 的值不认识".into());
    let kind = Kind::parse(&row.text("kind")?).ok_or_else(broken)?;
    Ok(UnlockRequest {
        id: row.text("id")?,
        account_id: row.text("account_id")?,
        kind,
        reason: row.text("reason")?,
        two: second_person::read(row, Standing::Approved.name(), kind.yes())?,
        version: row.int("version")?,
    })
}
