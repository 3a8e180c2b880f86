//! Why a session ended before its time. Whoever comes with its token is told, for a week, and nobody else: the browser
//! that sat there then says what happened instead of only asking for the password again. Sessions that waited for a
//! second factor opened nothing and are told nothing.

use mj_kernel::Instant;
use mj_platform::{Db, DbRow, RowExt, WriteTx};
use mj_web::SessionOver;

use crate::at_once::SessionKind;
use crate::error::Result;
use crate::token;

/// For how long the owner is told of a session that was ended.
const TOLD_SECONDS: i64 = 7 * 24 * 3600;
const SECOND: i64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A sign-in of the same account that was one too many.
    Elsewhere,
    /// Another password.
    Password,
    /// An authenticator bound.
    FactorBound,
    /// One's own second factor given up.
    FactorGivenUp,
    /// The second factor taken by a security administrator.
    FactorReset,
    /// A role given or taken.
    Role,
    Disabled,
    /// The identity of another house by which it entered was unbound.
    Identity,
    /// Ended by its owner at another device.
    ByOwner,
    ByAdministrator,
}

impl Cause {
    pub(crate) const ALL: [Self; 10] = [
        Self::Elsewhere,
        Self::Password,
        Self::FactorBound,
        Self::FactorGivenUp,
        Self::FactorReset,
        Self::Role,
        Self::Disabled,
        Self::Identity,
        Self::ByOwner,
        Self::ByAdministrator,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Password => "password",
            Self::FactorBound => "factor_bound",
            Self::FactorGivenUp => "factor_given_up",
            Self::FactorReset => "factor_reset",
            Self::Role => "role",
            Self::Disabled => "disabled",
            Self::Identity => "identity",
            Self::ByOwner => "by_owner",
            Self::ByAdministrator => "by_administrator",
        }
    }

    fn of(row: &DbRow) -> Result<Self> {
        let name = row.text("cause")?;
        Ok(Self::ALL
            .into_iter()
            .find(|one| one.name() == name)
            .ok_or_else(|| mj_platform::Error::Corrupt("session_ended.cause 的值不认识".into()))?)
    }

    /// What happened, as its owner reads it.
    fn said(self) -> &'static str {
        match self {
            Self::Elsewhere => "您的账号在别处登录",
            Self::Password => "您的密码已修改",
            Self::FactorBound => "您的账号绑定了动态口令",
            Self::FactorGivenUp => "您的账号停用了动态口令",
            Self::FactorReset => "安全管理员重置了您的动态口令",
            Self::Role => "您的角色或权限范围有变动",
            Self::Disabled => "您的账号已停用",
            Self::Identity => "您的外部身份绑定已解除",
            Self::ByOwner => "您的账号在另一台设备上结束了这里的登录",
            Self::ByAdministrator => "安全管理员结束了您的登录",
        }
    }

    /// What to do now.
    fn mend(self) -> &'static str {
        match self {
            Self::Elsewhere => "如非本人操作，请立即修改密码并联系安全管理员。",
            Self::Password => "请用新密码登录。如非本人操作，请立即联系安全管理员。",
            Self::FactorBound => {
                "请重新登录，并输入手机上的动态口令。如非本人操作，请立即联系安全管理员。"
            }
            Self::FactorGivenUp => "请重新登录。如非本人操作，请立即修改密码并联系安全管理员。",
            Self::FactorReset => "请重新登录，并按提示重新绑定手机。",
            Self::Role => "请重新登录，按新的授权办理。",
            Self::Disabled => "如有疑问，请联系系统管理员。",
            Self::Identity => "如有疑问，请联系系统管理员。",
            Self::ByOwner => "需要继续办理的，请重新登录。如非本人操作，请立即修改密码。",
            Self::ByAdministrator => "需要继续办理的，请重新登录；如有疑问，请联系安全管理员。",
        }
    }
}

/// A session that ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub cause: Cause,
    pub kind: SessionKind,
    pub device: String,
    pub created_at: Instant,
    pub ended_at: Instant,
    /// What signed in instead; empty for other causes.
    pub by_device: String,
    /// The network it came from; empty where the server was not told.
    pub by_source: String,
}

impl Ended {
    /// The device and network that signed in instead, in words.
    pub fn by(&self) -> String {
        match self.by_source.as_str() {
            "" => self.by_device.clone(),
            source => format!("{}，网络地址 {source}", self.by_device),
        }
    }

    /// What whoever sat there is told.
    pub fn over(&self) -> SessionOver {
        let at = to_the_minute(self.ended_at);
        let (code, when) = match self.cause {
            Cause::Elsewhere => ("access.session_replaced", format!("{at}，{}", self.by())),
            _ => ("access.session_ended", at),
        };
        let title = format!("{}（{when}），本次登录已结束", self.cause.said());
        SessionOver { code, title, detail: self.cause.mend() }
    }
}

fn ended_of(row: &DbRow) -> Result<Ended> {
    Ok(Ended {
        cause: Cause::of(row)?,
        kind: SessionKind::of(row)?,
        device: row.text("device")?,
        created_at: row.int("created_at")?,
        ended_at: row.int("ended_at")?,
        by_device: row.text("by_device")?,
        by_source: row.text("by_source")?,
    })
}

/// As people in Beijing write it.
pub(crate) fn to_the_minute(at: Instant) -> String {
    mj_kernel::clock::to_rfc3339(at).chars().take(16).collect::<String>().replace('T', " ")
}

/// Which sessions are over.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    One(&'a str),
    AllOf(&'a str),
    /// Those of an account but the one in which this is done.
    OthersOf(&'a str, &'a str),
}

/// What signed in instead.
#[derive(Debug, Clone, Copy, Default)]
pub struct By<'a> {
    pub device: &'a str,
    pub source: &'a str,
}

/// Ends them, in the transaction of what made them end.
pub async fn end(tx: &mut WriteTx, which: Which<'_>, cause: Cause, by: By<'_>) -> Result<()> {
    let (condition, named): (_, Vec<mj_platform::Value>) = match which {
        Which::One(session) => ("id = $1", vec![session.into()]),
        Which::AllOf(account) => ("account_id = $1", vec![account.into()]),
        Which::OthersOf(account, own) => {
            ("account_id = $1 AND id <> $2", vec![account.into(), own.into()])
        }
    };
    let standing = format!("SELECT * FROM session WHERE {condition} AND state = 'active'");
    for row in tx.fetch_all(&standing, &named).await? {
        tx.execute(
            "INSERT INTO session_ended (token_sha256, account_id, kind, device, created_at, \
             ended_at, by_device, by_source, cause) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) \
             ON CONFLICT DO NOTHING",
            &[
                row.text("token_sha256")?.into(),
                row.text("account_id")?.into(),
                row.text("kind")?.into(),
                row.text("device")?.into(),
                row.int("created_at")?.into(),
                tx.now().into(),
                by.device.into(),
                by.source.into(),
                cause.name().into(),
            ],
        )
        .await?;
    }
    tx.execute(&format!("DELETE FROM session WHERE {condition}"), &named).await?;
    Ok(())
}

/// What somebody who comes with the token of an ended session is told.
pub async fn told(db: &Db, secret: &str) -> Result<Option<Ended>> {
    let sql = "SELECT * FROM session_ended WHERE token_sha256 = $1 AND ended_at > $2";
    let since = db.clock().now() - TOLD_SECONDS * SECOND;
    let row = db.fetch_optional(sql, &[token::digest(secret).into(), since.into()]).await?;
    row.as_ref().map(ended_of).transpose()
}

/// What other sign-ins of this account ended lately, newest first.
pub async fn replaced_lately(db: &Db, account_id: &str) -> Result<Vec<Ended>> {
    let sql = "SELECT * FROM session_ended WHERE account_id = $1 AND ended_at > $2 \
               AND cause = 'elsewhere' ORDER BY ended_at DESC, token_sha256 LIMIT 20";
    let since = db.clock().now() - TOLD_SECONDS * SECOND;
    let rows = db.fetch_all(sql, &[account_id.into(), since.into()]).await?;
    rows.iter().map(ended_of).collect()
}

pub async fn forget_old(tx: &mut WriteTx) -> Result<()> {
    let before = tx.now() - TOLD_SECONDS * SECOND;
    tx.execute("DELETE FROM session_ended WHERE ended_at <= $1", &[before.into()]).await?;
    Ok(())
}
