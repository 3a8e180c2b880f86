//! Failed logins, counted in the database (a restart forgets nothing) by account and by network
//! source: five in a quarter of an hour lock the account for a quarter of an hour; a source, behind
//! which a whole office may sit, is locked after thirty. Buckets are kept as hashes.

use std::net::IpAddr;

use mj_kernel::Instant;
use mj_platform::{Db, RowExt, WriteTx};

use crate::error::Result;
use crate::token;

const WINDOW: i64 = 15 * 60 * 1_000_000;
const ACCOUNT_FAILURES: i64 = 5;
const SOURCE_FAILURES: i64 = 30;

/// The two buckets of one attempt.
pub struct Buckets {
    account: String,
    source: String,
}

impl Buckets {
    /// Unknown logins have a bucket too: locking tells nothing about who exists.
    pub fn of(login: &str, address: Option<IpAddr>) -> Self {
        let address = address.map_or_else(|| "-".to_owned(), network);
        Self {
            account: token::digest(&format!("account\n{login}")),
            source: token::digest(&format!("source\n{address}")),
        }
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
        let bucket = touch(tx, &self.account).await?;
        Ok(bucket.locked_until > tx.now())
    }

    pub async fn failed(&self, tx: &mut WriteTx) -> Result<()> {
        lock(tx, &self.account, ACCOUNT_FAILURES).await?;
        touch(tx, &self.source).await?;
        lock(tx, &self.source, SOURCE_FAILURES).await
    }

    pub async fn succeeded(&self, tx: &mut WriteTx) -> Result<()> {
        tx.execute("DELETE FROM login_bucket WHERE bucket = $1", &[self.account.as_str().into()])
            .await?;
        Ok(())
    }
}

/// Buckets that no longer say anything go.
pub async fn forget_old(tx: &mut WriteTx) -> Result<()> {
    let old = tx.now() - WINDOW;
    let sql = "DELETE FROM login_bucket WHERE first_at < $1 AND locked_until < $1";
    tx.execute(sql, &[old.into()]).await?;
    Ok(())
}

struct Bucket {
    locked_until: Instant,
}

async fn touch(tx: &mut WriteTx, bucket: &str) -> Result<Bucket> {
    let now = tx.now();
    let row = tx
        .fetch_optional(
            "INSERT INTO login_bucket (bucket, failures, first_at, locked_until) \
             VALUES ($1,1,$2,0) ON CONFLICT (bucket) DO UPDATE SET \
             failures = CASE WHEN login_bucket.first_at < $3 THEN 1 ELSE login_bucket.failures + 1 END, \
             first_at = CASE WHEN login_bucket.first_at < $3 THEN $2 ELSE login_bucket.first_at END \
             RETURNING locked_until",
            &[bucket.into(), now.into(), (now - WINDOW).into()],
        )
        .await?;
    let locked_until = row.map(|row| row.int("locked_until")).transpose()?.unwrap_or_default();
    Ok(Bucket { locked_until })
}

async fn lock(tx: &mut WriteTx, bucket: &str, failures: i64) -> Result<()> {
    let now = tx.now();
    let locked = tx
        .execute(
            "UPDATE login_bucket SET locked_until = $1 \
             WHERE bucket = $2 AND failures >= $3 AND locked_until <= $4",
            &[(now + WINDOW).into(), bucket.into(), failures.into(), now.into()],
        )
        .await?;
    if locked > 0 {
        tracing::warn!(bucket = &bucket[..12], "登录失败次数过多，已锁定");
    }
    Ok(())
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
    fn one_household_is_one_source() {
        let net = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(net("240e:1:2:3::1"), net("240e:1:2:3:ffff::9"));
        assert_eq!(net("::ffff:10.1.2.3"), "10.1.2.3");
    }
}
