//! The second factor: a time-based one-time password (RFC 6238: SHA-1, 6 digits, 30 seconds, one
//! step of tolerance) and ten recovery codes. The secret is kept sealed; a code is taken once, also
//! in a race, because taking it is one conditional UPDATE. What a session may do before its second
//! factor is nothing but bring it.

use std::net::IpAddr;

use mj_platform::{Act, DbRow, Lane, RowExt, TruthTable, Value, WriteTx, gm};
use totp_rs::{Builder, Secret, Totp};

use crate::ended::{self, By, Cause, Which};
use crate::error::{Error, Result};
use crate::failures::{Failure, Tried};
use crate::lockout::{self, Buckets};
use crate::model::{Account, AccountClass};
use crate::seal::{self, Kind};
use crate::session::{self, Opened};
use crate::whence::Whence;
use crate::{Access, store, token};

pub const SECOND_FACTOR: TruthTable = TruthTable {
    name: "second_factor",
    columns: &["id", "secret", "candidate", "confirmed_at", "required"],
};

/// Seconds of one step.
#[cfg(test)]
const STEP: i64 = 30;
const RECOVERY_CODES: usize = 10;
/// Under which the name of the house stands in the authenticator.
const ISSUER: &str = "明鉴";

/// Who must have a second factor; everybody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecondFactorPolicy {
    #[default]
    Optional,
    /// The three administrators.
    Administrators,
    Everybody,
}

impl SecondFactorPolicy {
    /// `optional`, `administrators` or `everybody`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "optional" => Some(Self::Optional),
            "administrators" => Some(Self::Administrators),
            "everybody" => Some(Self::Everybody),
            _ => None,
        }
    }

    fn asks(self, account: &Account) -> bool {
        match self {
            Self::Optional => false,
            Self::Administrators => account.class == AccountClass::Admin,
            Self::Everybody => true,
        }
    }
}

/// What a session still needs before it opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Active,
    /// The code of the authenticator, or a recovery code.
    SecondFactor,
    /// An authenticator has to be set up first.
    Enrol,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::SecondFactor => "second_factor",
            Self::Enrol => "enrol",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::SecondFactor, Self::Enrol].into_iter().find(|one| one.name() == name)
    }
}

/// A person's second factor, as kept.
#[derive(Default)]
pub struct Kept {
    secret: Vec<u8>,
    candidate: Vec<u8>,
    /// 0: none in force.
    pub confirmed_at: i64,
    required: bool,
    version: i64,
}

const KEPT: &str =
    "SELECT secret, candidate, confirmed_at, required, version FROM second_factor WHERE id = $1";

pub async fn kept(tx: &mut WriteTx, account_id: &str) -> Result<Option<Kept>> {
    tx.fetch_optional(KEPT, &[account_id.into()]).await?.as_ref().map(kept_of).transpose()
}

pub async fn kept_lately(access: &Access, account_id: &str) -> Result<Option<Kept>> {
    access.db.fetch_optional(KEPT, &[account_id.into()]).await?.as_ref().map(kept_of).transpose()
}

fn kept_of(row: &DbRow) -> Result<Kept> {
    Ok(Kept {
        secret: row.bytes("secret")?,
        candidate: row.bytes("candidate")?,
        confirmed_at: row.int("confirmed_at")?,
        required: row.int("required")? != 0,
        version: row.int("version")?,
    })
}

/// What a session of this account, held and opened with the right password, still needs.
pub async fn stage_of(access: &Access, tx: &mut WriteTx, account: &Account) -> Result<Stage> {
    let kept = kept(tx, &account.id).await?.unwrap_or_default();
    Ok(if kept.confirmed_at > 0 {
        Stage::SecondFactor
    } else if kept.required || access.second_factor.asks(account) {
        Stage::Enrol
    } else {
        Stage::Active
    })
}

fn context(account_id: &str) -> String {
    format!("totp\n{account_id}")
}

fn totp(secret: Vec<u8>, login: &str) -> Result<Totp> {
    Builder::new()
        .with_secret(Secret::from(secret))
        .with_account_name(login)
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|error| Error::SecondFactor(error.to_string()))
}

/// The authenticator of a sealed secret.
fn authenticator(access: &Access, account: &Account, sealed: &[u8]) -> Result<Totp> {
    let text = access.keys()?.open_alone(&context(&account.id), sealed)?;
    let secret = Secret::try_from_base32(&text)
        .map_err(|_| mj_platform::Error::Corrupt("动态口令密钥不是 Base32".into()))?;
    totp(secret.to_vec(), &account.login)
}

/// What the person brings as proof beside the password.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    Totp(&'a str),
    Recovery(&'a str),
}

/// Ends the wait of a session for its second factor: it gets a new token and is active.
pub async fn finish(
    access: &Access,
    act: Act,
    secret: &str,
    proof: Proof<'_>,
    from: Whence,
) -> Result<Opened> {
    let waiting = session::waiting(access, secret, Stage::SecondFactor, from).await?;
    let account = account(access, &waiting.account_id).await?;
    let mut tx = prove(access, act, &account, proof, from.address()).await?;
    let opened = session::activate(access, &mut tx, &waiting.id, from).await?;
    tx.commit().await?;
    Ok(opened)
}

/// Takes a code under lockout; success comes with the open transaction to act in.
pub async fn prove(
    access: &Access,
    act: Act,
    account: &Account,
    proof: Proof<'_>,
    address: Option<IpAddr>,
) -> Result<WriteTx> {
    let kept = kept_lately(access, &account.id).await?.unwrap_or_default();
    let step = match proof {
        Proof::Totp(code) if kept.confirmed_at > 0 => {
            step_of(&authenticator(access, account, &kept.secret)?, code, access.db.clock().now())
        }
        _ => None,
    };
    let buckets = Buckets::of(&lockout::code_login(&account.id), address);
    let locked = buckets.locked(&access.db).await?;
    let mut tx = access.db.begin(Lane::People, act).await?;
    let locked = buckets.attempt(&mut tx).await? || locked;
    let taken = !locked
        && match (proof, step) {
            (Proof::Totp(_), Some(step)) => take_step(&mut tx, &account.id, step).await?,
            (Proof::Totp(_), None) => false,
            (Proof::Recovery(code), _) => take_recovery(&mut tx, &account.id, code).await?,
        };
    if taken {
        buckets.succeeded(&mut tx).await?;
        return Ok(tx);
    }
    let failure = Failure { tried: Tried::Code, account_id: Some(&account.id), buckets: &buckets };
    let lock = failure.keep(&mut tx).await?;
    tx.commit().await?;
    failure.tell(access, lock).await;
    Err(Error::CodeNotAccepted)
}

/// The step whose code this is, now or one to either side.
fn step_of(totp: &Totp, code: &str, now: i64) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let seconds = u64::try_from(now / 1_000_000).ok()?;
    totp.check(&code, seconds).and_then(|step| i64::try_from(step).ok())
}

/// Marks a step as used, unless it or a later one was: the row decides between racers.
async fn take_step(tx: &mut WriteTx, account_id: &str, step: i64) -> Result<bool> {
    let sql = "INSERT INTO totp_step (account_id, last_step) VALUES ($1,$2) \
               ON CONFLICT (account_id) DO UPDATE SET last_step = $2 \
               WHERE totp_step.last_step < $2";
    Ok(tx.execute(sql, &[account_id.into(), step.into()]).await? == 1)
}

async fn take_recovery(tx: &mut WriteTx, account_id: &str, code: &str) -> Result<bool> {
    let now = tx.now();
    let sql = "UPDATE recovery_code SET used_at = $1 \
               WHERE code_sha256 = $2 AND account_id = $3 AND used_at = 0 RETURNING *";
    let digest = recovery_digest(account_id, code);
    let args = [now.into(), digest.as_str().into(), account_id.into()];
    let Some(row) = tx.fetch_optional(sql, &args).await? else { return Ok(false) };
    let right = seal::held(tx, Kind::Recovery, &row)?;
    let sql = "UPDATE recovery_code SET seal = '' WHERE code_sha256 = $1";
    tx.execute(sql, &[digest.into()]).await?;
    Ok(right)
}

fn recovery_digest(account_id: &str, code: &str) -> String {
    token::digest(&format!("{account_id}\n{}", token::code_digest(code)))
}

/// What the person types or scans into the authenticator.
pub struct Offer {
    /// Base32.
    pub secret: String,
    /// `otpauth://…`
    pub uri: String,
}

/// Draws a new secret; one in force stays until the new one is proven.
pub async fn offer(access: &Access, act: Act, account: &Account) -> Result<Offer> {
    let made = totp(gm::random::<20>().to_vec(), &account.login)?;
    let secret = made.secret().to_base32();
    let sealed = access.keys()?.seal_alone(&context(&account.id), &secret);
    let known = kept_lately(access, &account.id).await?.is_some();
    let mut tx = access.db.begin(Lane::People, act).await?;
    if known {
        let new = [("candidate", Value::from(sealed))];
        tx.update(&SECOND_FACTOR, &account.id, None, &new).await?;
    } else {
        let row = row_of(&account.id, Vec::new(), sealed, 0, false);
        tx.insert(&SECOND_FACTOR, &row).await?;
    }
    tx.commit().await?;
    let uri = made.to_url().map_err(|error| Error::SecondFactor(error.to_string()))?;
    Ok(Offer { secret, uri })
}

fn row_of(
    account_id: &str,
    secret: Vec<u8>,
    candidate: Vec<u8>,
    confirmed_at: i64,
    required: bool,
) -> [(&'static str, Value); 5] {
    [
        ("id", account_id.into()),
        ("secret", secret.into()),
        ("candidate", candidate.into()),
        ("confirmed_at", confirmed_at.into()),
        ("required", i64::from(required).into()),
    ]
}

/// Puts the drawn secret in force once the person shows a code of it; gives out recovery codes in
/// the caller's transaction. The account's other sessions end: they were opened by less.
pub async fn confirm(
    access: &Access,
    act: Act,
    account: &Account,
    own_session: &str,
    code: &str,
) -> Result<(WriteTx, Vec<String>)> {
    let kept = kept_lately(access, &account.id).await?.unwrap_or_default();
    if kept.candidate.is_empty() {
        return Err(Error::NothingOffered);
    }
    let made = authenticator(access, account, &kept.candidate)?;
    let step = step_of(&made, code, access.db.clock().now()).ok_or(Error::CodeNotAccepted)?;
    let mut tx = access.db.begin(Lane::People, act).await?;
    let now = tx.now();
    store::hold_account(&mut tx, &account.id).await?;
    let row = row_of(&account.id, kept.candidate, Vec::new(), now, false);
    // of two at once one puts it in force: the other's secret is no longer offered
    match tx.update(&SECOND_FACTOR, &account.id, Some(kept.version), &row[1..]).await {
        Err(mj_platform::Error::Stale { .. }) => return Err(Error::NothingOffered),
        done => done?,
    };
    tx.execute("DELETE FROM totp_step WHERE account_id = $1", &[account.id.as_str().into()])
        .await?;
    take_step(&mut tx, &account.id, step).await?;
    session::end_others(&mut tx, &account.id, own_session, Cause::FactorBound).await?;
    let codes = recovery_codes(&mut tx, &account.id).await?;
    Ok((tx, codes))
}

/// Ten new codes; earlier ones stop working.
async fn recovery_codes(tx: &mut WriteTx, account_id: &str) -> Result<Vec<String>> {
    let now = tx.now();
    tx.execute("DELETE FROM recovery_code WHERE account_id = $1", &[account_id.into()]).await?;
    // half an enrolment code: 60 bits, and five wrong guesses lock
    let codes: Vec<String> =
        (0..RECOVERY_CODES).map(|_| token::new_code().chars().take(13).collect()).collect();
    for code in &codes {
        let sql = "INSERT INTO recovery_code (code_sha256, account_id, created_at, used_at) \
                   VALUES ($1,$2,$3,0)";
        let digest = recovery_digest(account_id, code);
        let args = [digest.as_str().into(), account_id.into(), now.into()];
        tx.execute(sql, &args).await?;
        seal::seal(tx, Kind::Recovery, &digest).await?;
    }
    Ok(codes)
}

pub async fn recovery_codes_left(access: &Access, account_id: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM recovery_code WHERE account_id = $1 AND used_at = 0";
    Ok(access.db.count(sql, &[account_id.into()]).await?)
}

/// Gives up one's own second factor, where the house's rule lets one.
pub async fn remove(access: &Access, act: Act, account: &Account, own_session: &str) -> Result<()> {
    if access.second_factor.asks(account) {
        return Err(Error::NotNow("本账号必须使用动态口令，不能停用；可以换绑新的手机。"));
    }
    if kept_lately(access, &account.id).await?.is_none_or(|kept| kept.confirmed_at == 0) {
        return Err(Error::Missing("动态口令"));
    }
    let mut tx = access.db.begin(Lane::People, act).await?;
    store::hold_account(&mut tx, &account.id).await?;
    clear(&mut tx, &account.id, false).await?;
    session::end_others(&mut tx, &account.id, own_session, Cause::FactorGivenUp).await?;
    Ok(tx.commit().await?)
}

/// For a person who lost phone and recovery codes: the old factor ends, and the next login must set
/// up a new one. The password alone opens nothing in between.
pub async fn reset(tx: &mut WriteTx, account_id: &str) -> Result<()> {
    if tx.act().actor == format!("account:{account_id}") {
        return Err(Error::Separation("不能重置自己的动态口令，请由另一位安全管理员办理。"));
    }
    store::hold_account(tx, account_id).await?;
    let sql = "SELECT id FROM second_factor WHERE id = $1 AND confirmed_at > 0";
    if tx.fetch_optional(sql, &[account_id.into()]).await?.is_none() {
        return Err(Error::Missing("动态口令"));
    }
    clear(tx, account_id, true).await?;
    ended::end(tx, Which::AllOf(account_id), Cause::FactorReset, By::default()).await
}

async fn clear(tx: &mut WriteTx, account_id: &str, required: bool) -> Result<()> {
    let row = row_of(account_id, Vec::new(), Vec::new(), 0, required);
    tx.update(&SECOND_FACTOR, account_id, None, &row[1..]).await?;
    tx.execute("DELETE FROM recovery_code WHERE account_id = $1", &[account_id.into()]).await?;
    Ok(())
}

pub async fn account(access: &Access, account_id: &str) -> Result<Account> {
    store::account_by_id(&access.db, account_id).await?.ok_or(Error::Missing("账号"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B (SHA-1), the last six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let made = totp(b"12345678901234567890".to_vec(), "lisi").expect("fits");
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")]
        {
            assert_eq!(step_of(&made, code, seconds * 1_000_000), Some(seconds / STEP));
            assert_eq!(step_of(&made, code, (seconds + 2 * STEP) * 1_000_000), None);
        }
        assert_eq!(step_of(&made, " 287 082 ", 59_000_000), Some(1), "as people type it");
    }
}
