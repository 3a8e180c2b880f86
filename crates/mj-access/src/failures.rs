//! Failed tries on record: counted by day, account and network source in few rows, and an entry of the supervision
//! log for each lock. A storm adds to a number, not to the disk. What was typed stands nowhere.

use mj_kernel::{Actor, Instant};
use mj_platform::{Act, Db, Lane, RowExt, WriteTx};

use crate::error::Result;
use crate::lockout::{Buckets, Locked, rule};
use crate::{Access, store};

const LOCK: &str = "access.account.lock";

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    Password,
    Code,
    Enrolment,
    /// The halves of the sealed code; their source is counted and locked, there is no account to lock.
    Emergency,
}

impl Tried {
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Enrolment => "enrolment",
            Self::Emergency => "emergency",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Password => "密码",
            Self::Code => "动态口令或恢复码",
            Self::Enrolment => "一次性启用码",
            Self::Emergency => "应急启用码",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Password, Self::Code, Self::Enrolment, Self::Emergency]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

/// One failed try to be kept.
pub struct Failure<'a> {
    pub tried: Tried,
    /// `None`: nobody has this login.
    pub account_id: Option<&'a str>,
    pub buckets: &'a Buckets,
}

impl Failure<'_> {
    /// Locks and counts within the transaction of the failed try.
    pub async fn keep(&self, tx: &mut WriteTx) -> Result<Option<Locked>> {
        let locked = self.buckets.failed(tx).await?;
        let now = tx.now();
        let day = mj_kernel::clock::beijing_date(now);
        let account = self.account_id.unwrap_or_default();
        let today = day.to_string();
        let add = "UPDATE login_failure SET tries = tries + 1, locks = locks + $1, last_at = $2 \
                   WHERE day = $3 AND kind = $4 AND account_id = $5 AND source = $6";
        let by = i64::from(locked.is_some());
        let place = |source: &str| {
            [
                by.into(),
                now.into(),
                today.as_str().into(),
                self.tried.name().into(),
                account.into(),
                source.into(),
            ]
        };
        let source = self.buckets.source_mark();
        if tx.execute(add, &place(source)).await? > 0 {
            return Ok(locked);
        }
        let sql = "SELECT COUNT(*) AS many FROM login_failure WHERE day = $1";
        let rows = tx.fetch_optional(sql, &[today.as_str().into()]).await?;
        let rows = rows.map(|row| row.int("many")).transpose()?.unwrap_or_default();
        // beyond that sources are not told apart any more
        let source = if rows < rule("record/rows_a_day", day)? { source } else { "" };
        let sql = "INSERT INTO login_failure (locks, last_at, day, kind, account_id, source, tries, \
                   first_at) VALUES ($1,$2,$3,$4,$5,$6,1,$2) \
                   ON CONFLICT (day, kind, account_id, source) DO UPDATE SET \
                   tries = login_failure.tries + 1, locks = login_failure.locks + excluded.locks, \
                   last_at = excluded.last_at";
        tx.execute(sql, &place(source)).await?;
        Ok(locked)
    }

    /// The lock as an entry of the supervision log. A store that takes nothing in, or a full disk, keeps nobody from
    /// being told that a password is wrong.
    pub async fn tell(&self, access: &Access, locked: Option<Locked>) {
        if let Some(locked) = locked
            && !access.db.is_held()
            && let Err(error) = self.entry(&access.db, locked).await
        {
            tracing::error!(error = %error, "登录锁定未能记入监管日志");
        }
    }

    async fn entry(&self, db: &Db, locked: Locked) -> Result<()> {
        let day = mj_kernel::clock::beijing_date(db.clock().now());
        let object = match self.account_id {
            Some(account) => format!("account:{account}"),
            None => {
                let sql = "SELECT CAST(COALESCE(SUM(locks), 0) AS BIGINT) FROM login_failure \
                           WHERE day = $1 AND account_id = ''";
                if db.count(sql, &[day.to_string().into()]).await?
                    > rule("record/unknown_locks_a_day", day)?
                {
                    return Ok(());
                }
                format!("login:{}", self.buckets.login_mark())
            }
        };
        let failures = rule("account/failures", day)?;
        let said = format!(
            "{}连续 {failures} 次不正确，第 {} 次锁定，至 {}；来源 {}",
            self.tried.title(),
            locked.times,
            to_the_minute(locked.until),
            self.buckets.source_mark()
        );
        let act = Act::new(&Actor::system("access"), LOCK, object).because(said);
        let mut tx = db.begin(Lane::People, act).await?;
        tx.note().await?;
        Ok(tx.commit().await?)
    }
}

/// As people in Beijing write it.
fn to_the_minute(at: Instant) -> String {
    mj_kernel::clock::to_rfc3339(at).chars().take(16).collect::<String>().replace('T', " ")
}

/// Rows older than the law asks for go.
pub async fn forget_old(tx: &mut WriteTx) -> Result<()> {
    let day = mj_kernel::clock::beijing_date(tx.now());
    let days = u64::try_from(rule("record/days", day)?).unwrap_or_default();
    let before = day.checked_sub_days(chrono::Days::new(days)).unwrap_or(day).to_string();
    tx.execute("DELETE FROM login_failure WHERE day < $1", &[before.into()]).await?;
    Ok(())
}

/// One row of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub day: String,
    pub tried: Tried,
    pub account_id: Option<String>,
    pub account_name: Option<String>,
    pub source: String,
    pub tries: i64,
    pub locks: i64,
    pub first_at: Instant,
    pub last_at: Instant,
}

/// What failed on a day or for an account, the latest first.
pub async fn list(db: &Db, day: Option<&str>, account: Option<&str>) -> Result<Vec<Failed>> {
    let mut sql = "SELECT * FROM login_failure WHERE 1 = 1".to_owned();
    let mut args = Vec::new();
    for (column, value) in [("day", day), ("account_id", account)] {
        if let Some(value) = value {
            args.push(value.into());
            sql.push_str(&format!(" AND {column} = ${}", args.len()));
        }
    }
    sql.push_str(" ORDER BY last_at DESC, day DESC, kind, account_id, source LIMIT 500");
    let mut failed = Vec::new();
    for row in db.fetch_all(&sql, &args).await? {
        let account_id = Some(row.text("account_id")?).filter(|id| !id.is_empty());
        let account_name = match &account_id {
            Some(id) => Some(store::actor_name(db, &format!("account:{id}")).await?),
            None => None,
        };
        let tried = Tried::parse(&row.text("kind")?)
            .ok_or_else(|| mj_platform::Error::Corrupt("login_failure.kind 的值不认识".into()))?;
        failed.push(Failed {
            day: row.text("day")?,
            tried,
            account_id,
            account_name,
            source: row.text("source")?,
            tries: row.int("tries")?,
            locks: row.int("locks")?,
            first_at: row.int("first_at")?,
            last_at: row.int("last_at")?,
        });
    }
    Ok(failed)
}
