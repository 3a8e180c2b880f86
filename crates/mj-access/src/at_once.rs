//! How many sessions of a kind an account has at once (setting `access.sessions_at_once`). A sign-in that is one too
//! many ends the oldest of its kind, in its own transaction: who sat there is told when and from where, the account's
//! page and the supervision log keep it. Sessions that wait for a second factor open nothing and are not counted:
//! a password alone sends nobody out.

use std::net::IpAddr;

use mj_kernel::{Actor, ActorKind};
use mj_platform::{Act, DbRow, RowExt, WriteTx};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::Access;
use crate::ended::{self, By, Cause, Ended, Which, to_the_minute};
use crate::error::Result;
use crate::lockout::{self, Buckets};
use crate::session::{self, Session};
use crate::whence::Whence;

/// The act of the entry that such a sign-in leaves.
const ACTION: &str = "access.session.replace";

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

/// How a person reads where somebody sat.
fn called(address: IpAddr) -> String {
    match address.to_canonical().is_loopback() {
        true => "服务器本机".to_owned(),
        false => lockout::network(address),
    }
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
            standing.push(session);
        }
    }
    let most = usize::try_from(access.sessions_at_once.max(1)).unwrap_or(usize::MAX);
    let too_many = (standing.len() + 1).saturating_sub(most);
    let by_source = from.address().map(called).unwrap_or_default();
    let mut gone = Vec::new();
    for session in standing.into_iter().take(too_many) {
        let by = By { device: &new.device, source: &by_source };
        ended::end(tx, Which::One(&session.id), Cause::Elsewhere, by).await?;
        gone.push(Ended {
            cause: Cause::Elsewhere,
            kind: session.kind,
            device: session.device,
            created_at: session.created_at,
            ended_at: now,
            by_device: new.device.clone(),
            by_source: by_source.clone(),
        });
    }
    if !gone.is_empty() {
        enter(access, tx, &new, &gone, from).await?;
    }
    Ok(gone)
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
        true => {
            let whole = match &act.reason {
                Some(reason) => format!("{reason}；{said}"),
                None => said,
            };
            act.because(whole)
        }
        false => {
            let kind = ActorKind::Person { account_id: new.account_id.clone() };
            let person = Actor { kind, grants: Vec::new() };
            Act::new(&person, ACTION, account).because(said).in_request(act.request_id)
        }
    });
    Ok(tx.note().await?)
}
