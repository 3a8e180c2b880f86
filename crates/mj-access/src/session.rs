//! Sessions: opened by a password, known by an opaque token whose hash alone is kept, ended by
//! idleness (30 minutes, administrators 15), by age (12 hours), by logging out, and at once when the
//! account is disabled or its grants change.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use mj_kernel::{Actor, ActorKind, Instant};
use mj_platform::{Act, Lane, RowExt, WriteTx, new_id};
use mj_web::Identity;

use crate::error::{Error, Result};
use crate::lockout::Buckets;
use crate::model::{Account, AccountClass, AccountState};
use crate::{Access, lockout, store, token};

/// `__Host-`: only over TLS or localhost, for this host alone, whole site.
pub const SESSION_COOKIE: &str = "__Host-mj_session";

const SECOND: i64 = 1_000_000;
const IDLE_SECONDS: i64 = 30 * 60;
const IDLE_SECONDS_ADMINISTRATOR: i64 = 15 * 60;
pub const ABSOLUTE_SECONDS: i64 = 12 * 3600;
/// For how long a password given counts as proof for an act that asks for one.
const FRESH_SECONDS: i64 = 5 * 60;
/// Seen again is written at most this often: SQLite has one writer.
const SEEN_SECONDS: i64 = 60;

/// The secrets of a session, given out once.
pub struct Opened {
    pub token: String,
    pub csrf_token: String,
}

impl Opened {
    fn new() -> Self {
        let token = token::new_session_token();
        Self { csrf_token: token::csrf_of(&token), token }
    }
}

/// A session as kept.
pub struct Session {
    pub id: String,
    pub account_id: String,
    last_seen_at: Instant,
    idle_seconds: i64,
    absolute_until: Instant,
    proven_at: Instant,
}

impl Session {
    pub fn expires_at(&self) -> Instant {
        self.absolute_until.min(self.last_seen_at + self.idle_seconds * SECOND)
    }
}

/// Opens a session. Unknown login, wrong password, disabled account and lock give one answer after
/// the same work.
pub async fn open(
    access: &Access,
    act: Act,
    login: &str,
    password: &str,
    address: Option<IpAddr>,
    earlier: Option<&str>,
) -> Result<Opened> {
    let (mut tx, account) = prove(access, act, login, password, address).await?;
    let now = tx.now();
    let administrator = account.class == AccountClass::Admin;
    let idle = if administrator { IDLE_SECONDS_ADMINISTRATOR } else { IDLE_SECONDS };
    let opened = Opened::new();
    if let Some(earlier) = earlier {
        let sql = "DELETE FROM session WHERE token_sha256 = $1";
        tx.execute(sql, &[token::digest(earlier).into()]).await?;
    }
    tx.execute("DELETE FROM session WHERE absolute_until < $1", &[now.into()]).await?;
    lockout::forget_old(&mut tx).await?;
    tx.execute(
        "INSERT INTO session (id, token_sha256, account_id, created_at, last_seen_at, \
         idle_seconds, absolute_until, proven_at) VALUES ($1,$2,$3,$4,$4,$5,$6,$4)",
        &[
            new_id().into(),
            token::digest(&opened.token).into(),
            account.id.into(),
            now.into(),
            idle.into(),
            (now + ABSOLUTE_SECONDS * SECOND).into(),
        ],
    )
    .await?;
    tx.commit().await?;
    Ok(opened)
}

/// Checks a password under lockout; success comes with the open transaction to act in.
pub async fn prove(
    access: &Access,
    act: Act,
    login: &str,
    password: &str,
    address: Option<IpAddr>,
) -> Result<(WriteTx, Account)> {
    let login = login.trim().to_ascii_lowercase();
    let buckets = Buckets::of(&login, address);
    let locked = buckets.locked(&access.db).await?;
    let account = store::account_by_login(&access.db, &login).await?.filter(|account| {
        account.class != AccountClass::Source && account.state == AccountState::Active
    });
    let hash = match &account {
        Some(account) => store::password_hash(&access.db, &account.id).await?,
        None => None,
    };
    let right = access.passwords.verify(password, hash.as_deref()).await?;
    let mut tx = access.db.begin(Lane::People, act).await?;
    let locked = buckets.attempt(&mut tx).await? || locked;
    match account {
        Some(account) if right && !locked => {
            buckets.succeeded(&mut tx).await?;
            Ok((tx, account))
        }
        _ => {
            buckets.failed(&mut tx).await?;
            tx.commit().await?;
            Err(Error::NotAccepted)
        }
    }
}

/// Proves the person again and changes the session's token, so that an older copy opens nothing.
pub async fn step_up(
    access: &Access,
    act: Act,
    session_id: &str,
    login: &str,
    password: &str,
    address: Option<IpAddr>,
) -> Result<Opened> {
    let (mut tx, _) = prove(access, act, login, password, address).await?;
    let opened = Opened::new();
    let now = tx.now();
    tx.execute(
        "UPDATE session SET token_sha256 = $1, proven_at = $2, last_seen_at = $2 WHERE id = $3",
        &[token::digest(&opened.token).into(), now.into(), session_id.into()],
    )
    .await?;
    tx.commit().await?;
    Ok(opened)
}

pub async fn close(access: &Access, act: Act, session_id: &str) -> Result<()> {
    let mut tx = access.db.begin(Lane::People, act).await?;
    tx.execute("DELETE FROM session WHERE id = $1", &[session_id.into()]).await?;
    Ok(tx.commit().await?)
}

pub async fn by_id(access: &Access, session_id: &str) -> Result<Option<Session>> {
    let sql = "SELECT * FROM session WHERE id = $1";
    let row = access.db.fetch_optional(sql, &[session_id.into()]).await?;
    row.as_ref().map(session_of).transpose()
}

fn session_of(row: &sqlx::any::AnyRow) -> Result<Session> {
    Ok(Session {
        id: row.text("id")?,
        account_id: row.text("account_id")?,
        last_seen_at: row.int("last_seen_at")?,
        idle_seconds: row.int("idle_seconds")?,
        absolute_until: row.int("absolute_until")?,
        proven_at: row.int("proven_at")?,
    })
}

/// Who sends this request. What proves nothing is anonymous: the route then says what it needs.
pub async fn identify(access: &Access, request: &Parts) -> Result<Identity> {
    let (secret, by_cookie) = match (bearer(&request.headers), cookie(&request.headers)) {
        (Some(token), _) => (token, false),
        (None, Some(token)) => (token, true),
        (None, None) => return Ok(Identity::anonymous()),
    };
    if token::is_source_token(secret) {
        return if by_cookie { Ok(Identity::anonymous()) } else { source(access, secret).await };
    }
    let Some(session) = alive(access, secret).await? else { return Ok(Identity::anonymous()) };
    let now = access.db.clock().now();
    let grants = store::grants_of(&access.db, &session.account_id).await?;
    let safe = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let forged = by_cookie && !safe && !carries_csrf(&request.headers, secret);
    Ok(Identity {
        actor: Actor {
            kind: ActorKind::Person { account_id: session.account_id },
            grants: store::as_kernel_grants(grants),
        },
        session_id: Some(session.id),
        fresh: session.proven_at + FRESH_SECONDS * SECOND > now,
        csrf_missing: forged,
    })
}

async fn source(access: &Access, secret: &str) -> Result<Identity> {
    let row = access
        .db
        .fetch_optional(
            "SELECT a.cd_source FROM source_token t JOIN account a ON a.id = t.account_id \
             WHERE t.token_sha256 = $1 AND t.revoked_at = 0 AND a.state = 'active' \
             AND a.class = 'source'",
            &[token::digest(secret).into()],
        )
        .await?;
    let Some(row) = row else { return Ok(Identity::anonymous()) };
    let kind = ActorKind::Source { cd_source: row.text("cd_source")? };
    Ok(Identity::of(Actor { kind, grants: Vec::new() }))
}

/// The session of a token, if it has neither idled nor aged out; seen now.
async fn alive(access: &Access, secret: &str) -> Result<Option<Session>> {
    let row = access
        .db
        .fetch_optional(
            "SELECT s.* FROM session s JOIN account a ON a.id = s.account_id \
             WHERE s.token_sha256 = $1 AND a.state = 'active'",
            &[token::digest(secret).into()],
        )
        .await?;
    let Some(session) = row.as_ref().map(session_of).transpose()? else { return Ok(None) };
    let now = access.db.clock().now();
    if now >= session.expires_at() {
        return Ok(None);
    }
    if now - session.last_seen_at > SEEN_SECONDS * SECOND {
        let act = Act::new(&Actor::system("access"), "access.session.seen", "");
        let mut tx = access.db.begin(Lane::People, act).await?;
        let sql = "UPDATE session SET last_seen_at = $1 WHERE id = $2";
        tx.execute(sql, &[now.into(), session.id.as_str().into()]).await?;
        tx.commit().await?;
    }
    Ok(Some(session))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session token in the cookie, if there is one.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(SESSION_COOKIE)?.strip_prefix('='))
}

/// The secret this request came with, however it came.
pub fn secret(headers: &HeaderMap) -> Option<&str> {
    bearer(headers).or_else(|| cookie(headers))
}

fn carries_csrf(headers: &HeaderMap, secret: &str) -> bool {
    headers
        .get("x-csrf-token")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|given| token::same(given, &token::csrf_of(secret)))
}

/// Where the request comes from, as far as the server told.
pub fn address(request: &Parts) -> Option<IpAddr> {
    request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}
