//! The sealed code of two holders (应急启用码), for the day on which no administrator can sign in. It is made at the
//! machine, halved, and opened once by both halves together. What it opens is no account: the row of the code is its own
//! session, two hours long, and the matrix has one column for whoever comes with it.

use mj_kernel::{Actor, ActorKind, Instant, Role};
use mj_platform::{Act, Db, DbRow, Lane, RowExt, TruthTable, new_id};

use crate::error::{Error, Result};
use crate::failures::{Failure, Tried};
use crate::lockout::Buckets;
use crate::model::{Account, is_administrator};
use crate::seal::{self, Kind};
use crate::whence::Whence;
use crate::{Access, enrolment, lockout, second_factor, store, token};

pub const EMERGENCY_SEAL: TruthTable = TruthTable {
    name: "emergency_seal",
    columns: &[
        "id",
        "first_holder",
        "second_holder",
        "code_sha256",
        "state",
        "sealed_by",
        "sealed_at",
        "opened_at",
        "opened_why",
        "until",
        "token_sha256",
    ],
};

const SECOND: i64 = 1_000_000;
/// From the opening on; nothing renews it.
pub const OPEN_SECONDS: i64 = 2 * 3600;
/// For how long after an opening administrators are told of it, whatever was done since.
const TOLD_SECONDS: i64 = 7 * 24 * 3600;

/// How a code stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealState {
    Sealed,
    /// Another one took its place before it was needed.
    Replaced,
    Opened,
}

impl SealState {
    pub const ALL: [Self; 3] = [Self::Sealed, Self::Replaced, Self::Opened];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Replaced => "replaced",
            Self::Opened => "opened",
        }
    }
}

/// A code as kept.
pub struct Seal {
    pub id: String,
    pub holders: [String; 2],
    pub opened_at: Instant,
    pub why: String,
    pub until: Instant,
}

fn seal_of(row: &DbRow) -> mj_platform::Result<Seal> {
    Ok(Seal {
        id: row.text("id")?,
        holders: [row.text("first_holder")?, row.text("second_holder")?],
        opened_at: row.int("opened_at")?,
        why: row.text("opened_why")?,
        until: row.int("until")?,
    })
}

/// The two halves, each for the holder named beside it; nothing of them is kept.
pub struct Halves {
    pub first: (String, String),
    pub second: (String, String),
}

impl Access {
    /// Seals a new code in the name of whoever vouched for it; the one before opens nothing from now on, and what it
    /// may have opened is closed.
    pub async fn seal_emergency(
        &self,
        who: &Actor,
        holders: [&str; 2],
        reason: &str,
    ) -> Result<Halves> {
        let [first, second] = two_persons(holders)?;
        let halves = [token::new_code(), token::new_code()];
        let id = new_id();
        let act = Act::new(who, "access.emergency.seal", format!("emergency:{id}"));
        let mut tx = self.db.begin(Lane::People, act.because(reason)).await?;
        // one after another, on PostgreSQL too
        tx.position().await?;
        let now = tx.now();
        let sql = "SELECT id, state FROM emergency_seal WHERE state = 'sealed' OR until > $1";
        for row in tx.fetch_all(sql, &[now.into()]).await? {
            let end = match row.text("state")?.as_str() {
                "sealed" => ("state", SealState::Replaced.name().into()),
                _ => ("until", now.into()),
            };
            let ended = row.text("id")?;
            tx.update(&EMERGENCY_SEAL, &ended, None, &[end]).await?;
            seal::break_seal(&mut tx, Kind::Emergency, &ended).await?;
        }
        tx.insert(
            &EMERGENCY_SEAL,
            &[
                ("id", id.as_str().into()),
                ("first_holder", first.as_str().into()),
                ("second_holder", second.as_str().into()),
                ("code_sha256", token::halves_digest(&halves[0], &halves[1]).into()),
                ("state", SealState::Sealed.name().into()),
                ("sealed_by", who.reference().into()),
                ("sealed_at", now.into()),
                ("opened_at", 0_i64.into()),
                ("opened_why", "".into()),
                ("until", 0_i64.into()),
                ("token_sha256", "".into()),
            ],
        )
        .await?;
        seal::seal(&mut tx, Kind::Emergency, &id).await?;
        tx.commit().await?;
        let [one, other] = halves;
        Ok(Halves { first: (first, one), second: (second, other) })
    }
}

/// Two names of two people.
fn two_persons(holders: [&str; 2]) -> Result<[String; 2]> {
    let bare = |name: &str| name.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    for name in holders {
        if bare(name).is_empty() || name.chars().count() > 60 {
            return Err(Error::NotNow("两位保管人的姓名都要写明，每个不超过 60 字。"));
        }
    }
    if bare(holders[0]).to_lowercase() == bare(holders[1]).to_lowercase() {
        return Err(Error::Separation(
            "两份必须由两个人分别保管；两人同名时，请在姓名后注明所在科室。",
        ));
    }
    Ok(holders.map(|name| name.trim().to_owned()))
}

/// What opened, given out once.
pub struct Opened {
    pub token: String,
    pub until: Instant,
}

/// Opens a sealed code by both its halves, in whichever order they are given. Wrong, used, replaced, never sealed, from
/// elsewhere than administrators may come from and a locked source: one answer after the same work.
pub async fn open(
    access: &Access,
    request_id: &str,
    halves: [&str; 2],
    reason: &str,
    from: Whence,
) -> Result<Opened> {
    let [one, other] = halves;
    let digests = [token::halves_digest(one, other), token::halves_digest(other, one)];
    let buckets = Buckets::of("\nemergency", from.address());
    let locked = buckets.source_locked(&access.db).await?;
    let may_try = !locked && access.admits_administrators(from);
    let sql = "SELECT * FROM emergency_seal WHERE code_sha256 IN ($1,$2) AND state = 'sealed'";
    let args = digests.map(Into::into);
    let mut found = access.db.fetch_optional(sql, &args).await?.filter(|_| may_try);
    if let Some(row) = &found
        && !seal::holds(&access.db, Kind::Emergency, row).await?
    {
        found = None;
    }
    let act = |kind: ActorKind, object: String| {
        let actor = Actor { kind, grants: Vec::new() };
        Act::new(&actor, "access.emergency.open", object).in_request(request_id)
    };
    if let Some(row) = found {
        let seal = seal_of(&row)?;
        let who = ActorKind::Emergency { seal_id: seal.id.clone() };
        let act = act(who, format!("emergency:{}", seal.id)).because(reason);
        let mut tx = access.db.begin(Lane::People, act).await?;
        // whoever comes second in a race finds it opened
        tx.position().await?;
        if tx.fetch_optional(sql, &args).await?.is_some() {
            let opened = Opened {
                token: token::new_emergency_token(),
                until: tx.now() + OPEN_SECONDS * SECOND,
            };
            let values = [
                ("state", SealState::Opened.name().into()),
                ("opened_at", tx.now().into()),
                ("opened_why", reason.into()),
                ("until", opened.until.into()),
                ("token_sha256", token::digest(&opened.token).into()),
            ];
            tx.update(&EMERGENCY_SEAL, &seal.id, None, &values).await?;
            seal::seal(&mut tx, Kind::Emergency, &seal.id).await?;
            tx.commit().await?;
            tracing::warn!(seal = %seal.id, "应急启用码已启用，两小时内可以恢复管理员账号");
            return Ok(opened);
        }
    }
    let mut tx = access.db.begin(Lane::People, act(ActorKind::Anonymous, String::new())).await?;
    if locked {
        // as with passwords: what a locked source tries is not counted
        buckets.failed(&mut tx).await?;
    } else {
        let failure = Failure { tried: Tried::Emergency, account_id: None, buckets: &buckets };
        failure.keep(&mut tx).await?;
    }
    tx.commit().await?;
    tracing::warn!(source = buckets.source_mark(), "应急启用码输入不正确");
    Err(Error::EmergencyRefused)
}

/// The code that this token was given for, while it is open.
pub async fn standing(access: &Access, secret: &str, from: Whence) -> Result<Option<Seal>> {
    if !access.admits_administrators(from) {
        return Ok(None);
    }
    let sql = "SELECT * FROM emergency_seal WHERE token_sha256 = $1 AND state = 'opened' \
               AND until > $2";
    let args = [token::digest(secret).into(), access.db.clock().now().into()];
    let Some(row) = access.db.fetch_optional(sql, &args).await? else { return Ok(None) };
    if !seal::holds(&access.db, Kind::Emergency, &row).await? {
        return Ok(None);
    }
    Ok(Some(seal_of(&row)?))
}

/// Before its time.
pub async fn close(access: &Access, act: Act, seal_id: &str) -> Result<()> {
    let mut tx = access.db.begin(Lane::People, act).await?;
    let now = tx.now();
    tx.update(&EMERGENCY_SEAL, seal_id, None, &[("until", now.into())]).await?;
    seal::break_seal(&mut tx, Kind::Emergency, seal_id).await?;
    Ok(tx.commit().await?)
}

/// Whom it may bring back.
pub struct Administrator {
    pub account: Account,
    pub role: Role,
    /// Wrong passwords or wrong codes keep them out now.
    pub locked: bool,
    pub has_second_factor: bool,
}

/// The administrators as they stand: accounts in use with an administrator's role in force.
pub async fn administrators(access: &Access) -> Result<Vec<Administrator>> {
    let db = &access.db;
    let today = mj_kernel::clock::beijing_date(db.clock().now()).to_string();
    let sql = "SELECT a.*, g.role AS held FROM account a JOIN role_grant g ON g.account_id = a.id \
               WHERE a.class = 'admin' AND a.state = 'active' AND g.revoked_at = 0 \
               AND g.valid_from <= $1 AND g.valid_to >= $1 ORDER BY a.login";
    let mut found = Vec::new();
    for row in db.fetch_all(sql, &[today.into()]).await? {
        let account = store::account_of(&row)?;
        let role = Role::parse(&row.text("held")?).filter(|role| is_administrator(*role));
        let Some(role) = role else { continue };
        let locks = lockout::standing(db, &account.login, &account.id).await?;
        let locked = locks.iter().any(Option::is_some);
        let kept = second_factor::kept_lately(access, &account.id).await?;
        let has_second_factor = kept.is_some_and(|kept| kept.confirmed_at > 0);
        found.push(Administrator { account, role, locked, has_second_factor });
    }
    found.sort_by_key(|one| (one.role, one.account.login.clone()));
    Ok(found)
}

/// Somebody whom [`administrators`] lists; anybody else is as unknown as nobody.
async fn administrator(access: &Access, account_id: &str) -> Result<Account> {
    let all = administrators(access).await?;
    let found = all.into_iter().find(|one| one.account.id == account_id);
    found.map(|one| one.account).ok_or(Error::Missing("管理员"))
}

/// Forgets the failures that keep an administrator out.
pub async fn unlock(access: &Access, act: Act, account_id: &str) -> Result<()> {
    let account = administrator(access, account_id).await?;
    let mut tx = access.db.begin(Lane::People, act).await?;
    lockout::unlock(&mut tx, &account.login, &account.id).await?;
    tx.note().await?;
    tx.commit().await?;
    tracing::warn!(account = %account.id, "应急：解除了管理员账号的锁定");
    Ok(())
}

/// A code with which an administrator sets a new password; the authenticator is set aside, so that another one is bound
/// at the next sign-in, and what kept the account out is forgotten. Never a password, never a session.
pub async fn recover(access: &Access, act: Act, account_id: &str) -> Result<(Account, String)> {
    let account = administrator(access, account_id).await?;
    let mut tx = access.db.begin(Lane::People, act).await?;
    let code = enrolment::activation_code(&mut tx, &account.id).await?;
    if second_factor::kept_lately(access, &account.id).await?.is_some() {
        second_factor::reset(&mut tx, &account.id).await?;
    }
    lockout::unlock(&mut tx, &account.login, &account.id).await?;
    tx.note().await?;
    tx.commit().await?;
    tracing::warn!(account = %account.id, "应急：重新发放了管理员账号的启用码");
    Ok((account, code))
}

/// What administrators are told of: an opening not long ago, or one that no newer seal has followed.
pub async fn alarm(db: &Db) -> Result<Option<Seal>> {
    let sql = "SELECT * FROM emergency_seal WHERE state = 'opened' \
               ORDER BY opened_at DESC, id DESC LIMIT 1";
    let Some(row) = db.fetch_optional(sql, &[]).await? else { return Ok(None) };
    let seal = seal_of(&row)?;
    let lately = db.clock().now() - seal.opened_at < TOLD_SECONDS * SECOND;
    Ok(if lately || !is_sealed(db).await? { Some(seal) } else { None })
}

/// Whether there is a code that would open. For whoever stands at the machine, and for nobody else.
pub async fn is_sealed(db: &Db) -> Result<bool> {
    Ok(db.count("SELECT COUNT(*) FROM emergency_seal WHERE state = 'sealed'", &[]).await? > 0)
}

/// Whom a reference `emergency:…` stands for, as a reader calls them.
pub async fn name(db: &Db, seal_id: &str) -> Result<Option<String>> {
    let sql = "SELECT * FROM emergency_seal WHERE id = $1";
    let row = db.fetch_optional(sql, &[seal_id.into()]).await?;
    let seal = row.as_ref().map(seal_of).transpose()?;
    Ok(seal.map(|seal| format!("应急启用（{}、{}）", seal.holders[0], seal.holders[1])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_holders_are_two_persons() {
        for same in
            [["张三", "张三"], ["张三", " 张 三 "], ["Li Si", "lisi"], ["张三", " "], ["", "李四"]]
        {
            assert!(two_persons(same).is_err(), "{same:?}");
        }
        let two = two_persons([" 张三 ", "李四（办公室）"]).expect("two people");
        assert_eq!(two, ["张三", "李四（办公室）"]);
    }
}
