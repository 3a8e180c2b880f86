//! Failed tries, counted in the database (a restart forgets nothing) by account and by network source. An account
//! that is hit is locked, each time for twice as long until somebody succeeds, is unlocked by two administrators or
//! nobody tries for a while; a source, behind which a whole office may sit, takes more and does not double. How many
//! and how long are rows of `rules/lockout.toml`. Buckets are kept as hashes; unknown logins have theirs too.

use std::net::IpAddr;
use std::sync::LazyLock;

use chrono::NaiveDate;
use mj_kernel::Instant;
use mj_platform::rules::RuleTable;
use mj_platform::{Db, RowExt, WriteTx};

use crate::error::{Error, Result};
use crate::token;

static RULES: LazyLock<mj_platform::Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../rules/lockout.toml")));

const MINUTE: i64 = 60 * 1_000_000;

/// A number of the rules on a day.
pub fn rule(key: &str, day: NaiveDate) -> Result<i64> {
    let rules = RULES.as_ref().map_err(|error| Error::Rules(error.to_string()))?;
    let rule = rules.on(key, day).and_then(|rule| rule.value.parse().ok());
    rule.ok_or_else(|| Error::Rules(format!("lockout {key}")))
}

/// When one kind of bucket locks, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LockRule {
    failures: i64,
    within: i64,
    first: i64,
    most: i64,
    quiet: i64,
}

impl LockRule {
    fn account(now: Instant) -> Result<Self> {
        let day = mj_kernel::clock::beijing_date(now);
        Ok(Self {
            failures: rule("account/failures", day)?,
            within: rule("account/within_minutes", day)? * MINUTE,
            first: rule("account/first_minutes", day)? * MINUTE,
            most: rule("account/most_minutes", day)? * MINUTE,
            quiet: rule("account/quiet_minutes", day)? * MINUTE,
        })
    }

    fn source(now: Instant) -> Result<Self> {
        let day = mj_kernel::clock::beijing_date(now);
        let lock = rule("source/minutes", day)? * MINUTE;
        Ok(Self {
            failures: rule("source/failures", day)?,
            within: rule("source/within_minutes", day)? * MINUTE,
            first: lock,
            most: lock,
            quiet: 0,
        })
    }

    /// How long the next lock lasts after `locks` in a row.
    fn lasts(&self, locks: i64) -> i64 {
        let doubled = u32::try_from(locks).ok().and_then(|locks| 1_i64.checked_shl(locks));
        let times = doubled.filter(|times| *times > 0);
        times
            .and_then(|times| self.first.checked_mul(times))
            .map_or(self.most, |it| it.min(self.most))
    }
}

/// The two buckets of one attempt.
pub struct Buckets {
    account: String,
    source: String,
}

/// A lock that a failed try brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    pub until: Instant,
    /// How many in a row by now.
    pub times: i64,
}

impl Buckets {
    /// Unknown logins have a bucket too: locking tells nothing about who exists.
    pub fn of(login: &str, address: Option<IpAddr>) -> Self {
        let address = address.map_or_else(|| "-".to_owned(), network);
        Self { account: of_login(login), source: token::digest(&format!("source\n{address}")) }
    }

    /// How the network source is called in records.
    pub fn source_mark(&self) -> &str {
        &self.source[..16]
    }

    /// How a login that nobody has is called in records.
    pub fn login_mark(&self) -> &str {
        &self.account[..16]
    }

    /// Whether either is locked now.
    pub async fn locked(&self, db: &Db) -> Result<bool> {
        let now = db.clock().now();
        let sql = "SELECT COUNT(*) FROM login_bucket WHERE bucket IN ($1,$2) AND locked_until > $3";
        let args = [self.account.as_str().into(), self.source.as_str().into(), now.into()];
        Ok(db.count(sql, &args).await? > 0)
    }

    /// Whether the network source is locked now. That says nothing about accounts, so no password need
    /// be hashed for it.
    pub async fn source_locked(&self, db: &Db) -> Result<bool> {
        let now = db.clock().now();
        let sql = "SELECT COUNT(*) FROM login_bucket WHERE bucket = $1 AND locked_until > $2";
        Ok(db.count(sql, &[self.source.as_str().into(), now.into()]).await? > 0)
    }

    /// Counts an attempt in the account's bucket and tells whether it was locked before it. The row
    /// is held to the commit, so that parallel guesses are counted one after another.
    pub async fn attempt(&self, tx: &mut WriteTx) -> Result<bool> {
        let rule = LockRule::account(tx.now())?;
        let bucket = touch(tx, &self.account, &rule).await?;
        Ok(bucket.until > tx.now())
    }

    /// Locks what this failure makes full; the account's lock is told.
    pub async fn failed(&self, tx: &mut WriteTx) -> Result<Option<Locked>> {
        let (account, source) = (LockRule::account(tx.now())?, LockRule::source(tx.now())?);
        let locked = lock(tx, &self.account, &account).await?;
        touch(tx, &self.source, &source).await?;
        lock(tx, &self.source, &source).await?;
        Ok(locked)
    }

    pub async fn succeeded(&self, tx: &mut WriteTx) -> Result<()> {
        open(tx, &self.account).await
    }
}

fn of_login(login: &str) -> String {
    token::digest(&format!("account\n{login}"))
}

/// What the guesses at an account's one-time codes are counted under: guessing codes does not lock the password's
/// bucket, and the other way round.
pub fn code_login(account_id: &str) -> String {
    format!("\ntotp\n{account_id}")
}

/// How an account stands: locked at its password, at its codes.
pub async fn standing(db: &Db, login: &str, account_id: &str) -> Result<[Option<Locked>; 2]> {
    let now = db.clock().now();
    let mut found = [None; 2];
    for (place, name) in [login.to_owned(), code_login(account_id)].iter().enumerate() {
        let sql = "SELECT locked_until, locks FROM login_bucket \
                   WHERE bucket = $1 AND locked_until > $2";
        let row = db.fetch_optional(sql, &[of_login(name).into(), now.into()]).await?;
        found[place] = row.map(|row| locked_of(&row)).transpose()?;
    }
    Ok(found)
}

/// Whether an account is locked at its password or at its codes.
pub async fn is_locked(tx: &mut WriteTx, login: &str, account_id: &str) -> Result<bool> {
    let now = tx.now();
    let sql =
        "SELECT bucket FROM login_bucket WHERE bucket IN ($1,$2) AND locked_until > $3 LIMIT 1";
    let buckets = [of_login(login), of_login(&code_login(account_id))];
    let [password, code] = buckets;
    Ok(tx.fetch_optional(sql, &[password.into(), code.into(), now.into()]).await?.is_some())
}

/// Ends the locks of an account and forgets how often it was locked.
pub async fn unlock(tx: &mut WriteTx, login: &str, account_id: &str) -> Result<()> {
    open(tx, &of_login(login)).await?;
    open(tx, &of_login(&code_login(account_id))).await
}

async fn open(tx: &mut WriteTx, bucket: &str) -> Result<()> {
    tx.execute("DELETE FROM login_bucket WHERE bucket = $1", &[bucket.into()]).await?;
    Ok(())
}

/// Buckets that no longer say anything go.
pub async fn forget_old(tx: &mut WriteTx) -> Result<()> {
    let (now, rule) = (tx.now(), LockRule::account(tx.now())?);
    let within = rule.within.max(LockRule::source(now)?.within);
    let sql = "DELETE FROM login_bucket WHERE first_at < $1 AND locked_until < $1 \
               AND (locks = 0 OR (last_at < $2 AND locked_until < $2))";
    tx.execute(sql, &[(now - within).into(), (now - rule.quiet).into()]).await?;
    Ok(())
}

fn locked_of(row: &mj_platform::DbRow) -> Result<Locked> {
    Ok(Locked { until: row.int("locked_until")?, times: row.int("locks")? })
}

/// Counts a try. What is locked counts none, so that after the lock it takes as many again.
async fn touch(tx: &mut WriteTx, bucket: &str, rule: &LockRule) -> Result<Locked> {
    let now = tx.now();
    let row = tx
        .fetch_optional(
            "INSERT INTO login_bucket (bucket, failures, first_at, locked_until, locks, last_at) \
             VALUES ($1,1,$2,0,0,$2) ON CONFLICT (bucket) DO UPDATE SET \
             failures = CASE WHEN login_bucket.locked_until > $2 THEN login_bucket.failures \
              WHEN login_bucket.first_at < $3 OR login_bucket.failures = 0 THEN 1 \
              ELSE login_bucket.failures + 1 END, \
             first_at = CASE WHEN login_bucket.locked_until > $2 THEN login_bucket.first_at \
              WHEN login_bucket.first_at < $3 OR login_bucket.failures = 0 THEN $2 \
              ELSE login_bucket.first_at END, \
             locks = CASE WHEN login_bucket.locked_until < $4 AND login_bucket.last_at < $4 THEN 0 \
              ELSE login_bucket.locks END, \
             last_at = $2 \
             RETURNING locked_until, locks",
            &[bucket.into(), now.into(), (now - rule.within).into(), (now - rule.quiet).into()],
        )
        .await?;
    row.map_or(Ok(Locked { until: 0, times: 0 }), |row| locked_of(&row))
}

/// Locks a bucket that is full. Its row is held since it was touched.
async fn lock(tx: &mut WriteTx, bucket: &str, rule: &LockRule) -> Result<Option<Locked>> {
    let now = tx.now();
    let sql = "SELECT locked_until, locks FROM login_bucket \
               WHERE bucket = $1 AND failures >= $2 AND locked_until <= $3";
    let full = [bucket.into(), rule.failures.into(), now.into()];
    let Some(row) = tx.fetch_optional(sql, &full).await? else { return Ok(None) };
    let before = locked_of(&row)?;
    let locked = Locked { until: now + rule.lasts(before.times), times: before.times + 1 };
    let sql =
        "UPDATE login_bucket SET locked_until = $1, locks = $2, failures = 0 WHERE bucket = $3";
    tx.execute(sql, &[locked.until.into(), locked.times.into(), bucket.into()]).await?;
    tracing::warn!(bucket = &bucket[..12], times = locked.times, "登录失败次数过多，已锁定");
    Ok(Some(locked))
}

/// A household of IPv6 is a /64; an IPv4 address inside IPv6 is that IPv4 address.
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let part = address.segments();
            format!("{:x}:{:x}:{:x}:{:x}::/64", part[0], part[1], part[2], part[3])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_lasts_twice_as_long_each_time_up_to_a_day() {
        let rule = LockRule::account(1_795_140_000_000_000).expect("the rules");
        let minutes: Vec<i64> = (0..10).map(|locks| rule.lasts(locks) / MINUTE).collect();
        assert_eq!(minutes, [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]);
        for many in [62, 63, 64, 1_000, i64::MAX] {
            assert_eq!(rule.lasts(many), 24 * 60 * MINUTE, "{many}");
        }
        let source = LockRule::source(1_795_140_000_000_000).expect("the rules");
        assert_eq!((source.lasts(0), source.lasts(9)), (15 * MINUTE, 15 * MINUTE));
    }

    #[test]
    fn one_household_is_one_source() {
        let net = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(net("240e:1:2:3::1"), net("240e:1:2:3:ffff::9"));
        assert_eq!(net("::ffff:10.1.2.3"), "10.1.2.3");
    }
}
