//! How many sessions of a kind an account has at once (setting `access.sessions_at_once`). A sign-in that is one too
//! many ends the oldest of its kind, in its own transaction: who sat there is told when and from where, the account's
//! page and the supervision log keep it. Sessions that wait for a second factor open nothing and are not counted:
//! a password alone sends nobody out.

use std::net::IpAddr;

use mj_kernel::{Actor, ActorKind, Instant};
use mj_platform::{Act, Db, DbRow, RowExt, WriteTx};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::Access;
use crate::error::Result;
use crate::lockout::{self, Buckets};
use crate::session::{self, Session};
use crate::token;
use crate::whence::Whence;

/// The act of the entry that such a sign-in leaves.
const ACTION: &str = "access.session.replace";
/// For how long the owner is told of a session that was ended.
const TOLD_SECONDS: i64 = 7 * 24 * 3600;
const SECOND: i64 = 1_000_000;

/// At what somebody sits, as the page that signs in says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// 网页（工作台）
    #[default]
    Web,
    /// 手机（移动端）
    Mobile,
}

impl SessionKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Mobile => "mobile",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Web => "网页",
            Self::Mobile => "手机",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Web, Self::Mobile].into_iter().find(|one| one.name() == name)
    }

    pub(crate) fn of(row: &DbRow) -> Result<Self> {
        Ok(Self::parse(&row.text("kind")?)
            .ok_or_else(|| mj_platform::Error::Corrupt("session.kind 的值不认识".into()))?)
    }
}

/// A session that another sign-in ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub kind: SessionKind,
    pub device: String,
    pub created_at: Instant,
    pub ended_at: Instant,
    /// What signed in instead.
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
    pub fn in_words(&self) -> String {
        let at = to_the_minute(self.ended_at);
        format!("您的账号在别处登录（{at}，{}），本次登录已结束", self.by())
    }
}

fn ended_of(row: &DbRow) -> Result<Ended> {
    Ok(Ended {
        kind: SessionKind::of(row)?,
        device: row.text("device")?,
        created_at: row.int("created_at")?,
        ended_at: row.int("ended_at")?,
        by_device: row.text("by_device")?,
        by_source: row.text("by_source")?,
    })
}

/// How a person reads where somebody sat.
fn called(address: IpAddr) -> String {
    match address.to_canonical().is_loopback() {
        true => "服务器本机".to_owned(),
        false => lockout::network(address),
    }
}

/// As people in Beijing write it.
fn to_the_minute(at: Instant) -> String {
    mj_kernel::clock::to_rfc3339(at).chars().take(16).collect::<String>().replace('T', " ")
}

/// Ends what is too many beside the session that just became active, and gives the transaction's act its entry.
pub async fn make_room(
    access: &Access,
    tx: &mut WriteTx,
    session_id: &str,
    from: Whence,
) -> Result<Vec<Ended>> {
    let sql = "SELECT * FROM session WHERE id = $1";
    let Some(row) = tx.fetch_optional(sql, &[session_id.into()]).await? else {
        return Ok(Vec::new());
    };
    let new = session::session_of(&row)?;
    let now = tx.now();
    // whoever comes second in a race waits here, and then sees the first
    let sql = "INSERT INTO session_turn (account_id, taken_at) VALUES ($1,$2) \
               ON CONFLICT (account_id) DO UPDATE SET taken_at = excluded.taken_at";
    tx.execute(sql, &[new.account_id.as_str().into(), now.into()]).await?;
    let sql = "SELECT * FROM session WHERE account_id = $1 AND kind = $2 AND state = 'active' \
               AND id <> $3 ORDER BY created_at, id";
    let args = [new.account_id.as_str().into(), new.kind.name().into(), new.id.as_str().into()];
    let rows = tx.fetch_all(sql, &args).await?;
    let mut standing = Vec::new();
    for row in &rows {
        let session = session::session_of(row)?;
        if now < session.expires_at() {
            standing.push((session, row.text("token_sha256")?));
        }
    }
    let most = usize::try_from(access.sessions_at_once.max(1)).unwrap_or(usize::MAX);
    let too_many = (standing.len() + 1).saturating_sub(most);
    let by_source = from.address().map(called).unwrap_or_default();
    let mut ended = Vec::new();
    for (session, digest) in standing.into_iter().take(too_many) {
        let one = Ended {
            kind: session.kind,
            device: session.device,
            created_at: session.created_at,
            ended_at: now,
            by_device: new.device.clone(),
            by_source: by_source.clone(),
        };
        end(tx, &session.id, &session.account_id, &digest, &one).await?;
        ended.push(one);
    }
    if !ended.is_empty() {
        enter(access, tx, &new, &ended, from).await?;
    }
    Ok(ended)
}

async fn end(
    tx: &mut WriteTx,
    session_id: &str,
    account_id: &str,
    digest: &str,
    one: &Ended,
) -> Result<()> {
    tx.execute(
        "INSERT INTO session_ended (token_sha256, account_id, kind, device, created_at, ended_at, \
         by_device, by_source) VALUES ($1,$2,$3,$4,$5,$6,$7,$8) ON CONFLICT DO NOTHING",
        &[
            digest.into(),
            account_id.into(),
            one.kind.name().into(),
            one.device.as_str().into(),
            one.created_at.into(),
            one.ended_at.into(),
            one.by_device.as_str().into(),
            one.by_source.as_str().into(),
        ],
    )
    .await?;
    tx.execute("DELETE FROM session WHERE id = $1", &[session_id.into()]).await?;
    Ok(())
}

/// The entry of the supervision log. An act that has one anyway (binding an authenticator) keeps its name and says this
/// as its reason. The network stands in it as its mark alone: the log forgets nothing.
async fn enter(
    access: &Access,
    tx: &mut WriteTx,
    new: &Session,
    ended: &[Ended],
    from: Whence,
) -> Result<()> {
    let which: Vec<String> = ended
        .iter()
        .map(|one| format!("{}（{} 登录）", one.device, to_the_minute(one.created_at)))
        .collect();
    let said = format!(
        "同一账号的{}登录同时至多 {} 处，结束了最早的：{}；新登录用 {}，来源 {}",
        new.kind.title(),
        access.sessions_at_once,
        which.join("、"),
        new.device,
        Buckets::of("", from.address()).source_mark(),
    );
    if access.db.is_held() {
        // a store that takes nothing in lets people in all the same
        tracing::error!(account = %new.account_id, "登录结束了同一账号的另一处登录，未能记入监管日志");
        return Ok(());
    }
    let act = tx.act().clone();
    let account = format!("account:{}", new.account_id);
    tx.retell(match act.object == account {
        true => Act { reason: act.reason.or(Some(said)), ..act },
        false => {
            let kind = ActorKind::Person { account_id: new.account_id.clone() };
            let person = Actor { kind, grants: Vec::new() };
            Act::new(&person, ACTION, account).because(said).in_request(act.request_id)
        }
    });
    Ok(tx.note().await?)
}

/// What somebody who comes with the token of an ended session is told, if another sign-in ended it.
pub async fn told(db: &Db, secret: &str) -> Result<Option<Ended>> {
    let sql = "SELECT * FROM session_ended WHERE token_sha256 = $1 AND ended_at > $2";
    let since = db.clock().now() - TOLD_SECONDS * SECOND;
    let row = db.fetch_optional(sql, &[token::digest(secret).into(), since.into()]).await?;
    row.as_ref().map(ended_of).transpose()
}

/// What other sign-ins of this account ended lately, newest first.
pub async fn ended_lately(db: &Db, account_id: &str) -> Result<Vec<Ended>> {
    let sql = "SELECT * FROM session_ended WHERE account_id = $1 AND ended_at > $2 \
               ORDER BY ended_at DESC, token_sha256 LIMIT 20";
    let since = db.clock().now() - TOLD_SECONDS * SECOND;
    let rows = db.fetch_all(sql, &[account_id.into(), since.into()]).await?;
    rows.iter().map(ended_of).collect()
}

pub async fn forget_old(tx: &mut WriteTx) -> Result<()> {
    let before = tx.now() - TOLD_SECONDS * SECOND;
    tx.execute("DELETE FROM session_ended WHERE ended_at <= $1", &[before.into()]).await?;
    Ok(())
}
