//! Sessions: opened by a password, known by an opaque token whose hash alone is kept, ended by
//! idleness (30 minutes, administrators 15), by age (12 hours), by logging out, by another sign-in
//! that is one too many ([`crate::at_once`]), and at once when the account is disabled or its grants
//! change.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use mj_kernel::{Actor, ActorKind, Instant};
use mj_platform::{Act, Lane, RowExt, WriteTx, new_id};
use mj_web::Identity;

use crate::at_once::{self, SessionKind};
use crate::ended::{self, By, Cause, Ended, Which};
use crate::error::{Error, Result};
use crate::failures::{Failure, Tried};
use crate::identity::{Issuer, enters_by};
use crate::lockout::Buckets;
use crate::model::{Account, AccountClass, AccountState};
use crate::seal::{self, Kind};
use crate::second_factor::{self, Stage};
use crate::whence::Whence;
use crate::{Access, emergency, failures, lockout, service, step_up, store, token};

/// `__Host-`: only over TLS or localhost, for this host alone, whole site.
pub const SESSION_COOKIE: &str = "__Host-mj_session";

const SECOND: i64 = 1_000_000;
const IDLE_SECONDS: i64 = 30 * 60;
const IDLE_SECONDS_ADMINISTRATOR: i64 = 15 * 60;
pub const ABSOLUTE_SECONDS: i64 = 12 * 3600;
/// How long a session waits for its second factor.
const WAITING_SECONDS: i64 = 10 * 60;
/// Seen again is written at most this often: SQLite has one writer.
const SEEN_SECONDS: i64 = 60;

/// The secrets of a session, given out once, and what it still needs.
pub struct Opened {
    pub token: String,
    pub csrf_token: String,
    pub stage: Stage,
    /// The earlier sessions of the account that this one ended.
    pub ended: Vec<Ended>,
}

impl Opened {
    fn new(stage: Stage) -> Self {
        let token = token::new_session_token();
        Self { csrf_token: token::csrf_of(&token), token, stage, ended: Vec::new() }
    }
}

/// Where a request to log in comes from.
pub struct Origin<'a> {
    pub from: Whence,
    /// The token it already carries; that session ends.
    pub earlier: Option<&'a str>,
    /// The browser and system, in words.
    pub device: &'a str,
    pub kind: SessionKind,
}

/// A session as kept.
pub struct Session {
    pub id: String,
    pub account_id: String,
    pub stage: Stage,
    pub kind: SessionKind,
    pub device: String,
    pub created_at: Instant,
    pub last_seen_at: Instant,
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
    origin: Origin<'_>,
) -> Result<Opened> {
    let Proven { mut tx, account, .. } = prove(access, act, login, password, origin.from).await?;
    let now = tx.now();
    let account_id = account.id.clone();
    let administrator = account.class == AccountClass::Admin;
    let idle = if administrator { IDLE_SECONDS_ADMINISTRATOR } else { IDLE_SECONDS };
    let mut opened = Opened::new(second_factor::stage_of(access, &mut tx, &account).await?);
    let until = match opened.stage {
        Stage::Active => ABSOLUTE_SECONDS,
        Stage::SecondFactor | Stage::Enrol => WAITING_SECONDS,
    };
    if let Some(earlier) = origin.earlier {
        let sql = "DELETE FROM session WHERE token_sha256 = $1";
        tx.execute(sql, &[token::digest(earlier).into()]).await?;
    }
    tx.execute("DELETE FROM session WHERE absolute_until < $1", &[now.into()]).await?;
    lockout::forget_old(&mut tx).await?;
    failures::forget_old(&mut tx).await?;
    ended::forget_old(&mut tx).await?;
    let id = new_id();
    tx.execute(
        "INSERT INTO session (id, token_sha256, account_id, created_at, last_seen_at, \
         idle_seconds, absolute_until, proven_at, state, device, kind) \
         VALUES ($1,$2,$3,$4,$4,$5,$6,$4,$7,$8,$9)",
        &[
            id.as_str().into(),
            token::digest(&opened.token).into(),
            account.id.into(),
            now.into(),
            idle.into(),
            (now + until * SECOND).into(),
            opened.stage.name().into(),
            origin.device.into(),
            origin.kind.name().into(),
        ],
    )
    .await?;
    seal::seal(&mut tx, Kind::Session, &id).await?;
    if opened.stage == Stage::Active {
        opened.ended = at_once::make_room(access, &mut tx, &id, origin.from).await?;
    }
    // that the account was used this day, which its session does not tell for long
    tx.execute(
        "INSERT INTO account_seen (day, account_id) VALUES ($1,$2) ON CONFLICT DO NOTHING",
        &[mj_kernel::clock::beijing_date(now).into(), account_id.into()],
    )
    .await?;
    tx.commit().await?;
    Ok(opened)
}

/// The session of this token, if it waits for this.
pub async fn waiting(access: &Access, secret: &str, stage: Stage, from: Whence) -> Result<Session> {
    let session = alive(access, secret, from).await?;
    session.filter(|session| session.stage == stage).ok_or(Error::NotWaiting)
}

/// Makes a waiting session active, under a new token: the old one was worth less.
pub async fn activate(
    access: &Access,
    tx: &mut WriteTx,
    session_id: &str,
    from: Whence,
) -> Result<Opened> {
    let mut opened = Opened::new(Stage::Active);
    let now = tx.now();
    let sql = "UPDATE session SET token_sha256 = $1, state = $2, proven_at = $3, last_seen_at = $3, \
               absolute_until = $4 WHERE id = $5";
    let args = [
        token::digest(&opened.token).into(),
        opened.stage.name().into(),
        now.into(),
        (now + ABSOLUTE_SECONDS * SECOND).into(),
        session_id.into(),
    ];
    // ended meanwhile, by a new password or another factor, it opens nothing any more
    if tx.execute(sql, &args).await? == 0 {
        return Err(Error::NotWaiting);
    }
    seal::seal(tx, Kind::Session, session_id).await?;
    opened.ended = at_once::make_room(access, tx, session_id, from).await?;
    Ok(opened)
}

/// The sessions of an account that still open something, newest first.
pub async fn of_account(access: &Access, account_id: &str) -> Result<Vec<Session>> {
    let sql = "SELECT * FROM session WHERE account_id = $1 AND state = 'active' \
               ORDER BY last_seen_at DESC, id";
    let rows = access.db.fetch_all(sql, &[account_id.into()]).await?;
    let now = access.db.clock().now();
    let mut sessions = rows.iter().map(session_of).collect::<Result<Vec<_>>>()?;
    sessions.retain(|session| now < session.expires_at());
    Ok(sessions)
}

/// How often a check is made anew because what it was made against changed meanwhile.
const CHECKS_AT_MOST: usize = 3;

/// A password that is right, with the open transaction to act in: account and password stand as they were checked
/// until it ends.
pub struct Proven {
    pub tx: WriteTx,
    pub account: Account,
    /// What of the password is stored now.
    pub hash: String,
}

/// Checks a password under lockout. To an administrator who comes from elsewhere than they may, the right password is
/// a wrong one. Checking takes long: a password changed or an account disabled meanwhile is checked as it is now.
pub async fn prove(
    access: &Access,
    act: Act,
    login: &str,
    password: &str,
    from: Whence,
) -> Result<Proven> {
    let address = from.address();
    let login = login.trim().to_ascii_lowercase();
    let buckets = Buckets::of(&login, address);
    if buckets.source_locked(&access.db).await? {
        return Err(Error::NotAccepted);
    }
    for _ in 0..CHECKS_AT_MOST {
        let account = enters_by(&access.db, Issuer::House, &login).await?;
        let hash = match &account {
            Some(account) => store::password_hash(&access.db, &account.id).await?,
            None => None,
        };
        let checked = access.passwords.verify(password, hash.as_deref(), address).await?;
        let barred = account.as_ref().is_some_and(|account| !access.admits(account.class, from));
        if barred {
            tracing::warn!("有人从许可网络之外登录管理员账号，已按密码不正确处理");
        }
        let right = checked.right && !barred;
        let renewed = match right && checked.outdated && !buckets.locked(&access.db).await? {
            true => Some(access.passwords.hash(password, address).await?),
            false => checked.renewed,
        };
        let mut tx = access.db.begin(Lane::People, act.clone()).await?;
        let (Some(account), Some(hash), true) = (&account, hash, right) else {
            buckets.attempt(&mut tx).await?;
            return Err(failed(access, tx, account.as_ref(), &buckets).await?);
        };
        // before the buckets: an enrolment takes them in this order, too
        let held = store::hold_account(&mut tx, &account.id).await?;
        let still = held.is_some_and(|held| held.state == AccountState::Active)
            && store::held_hash(&mut tx, &account.id).await?.as_ref() == Some(&hash);
        if !still {
            continue;
        }
        if buckets.attempt(&mut tx).await? {
            return Err(failed(access, tx, Some(account), &buckets).await?);
        }
        buckets.succeeded(&mut tx).await?;
        let hash = match renewed {
            Some(renewed) if !access.db.is_held() => {
                service::renew_hash(&mut tx, &account.id, &hash, &renewed).await?;
                renewed
            }
            _ => hash,
        };
        return Ok(Proven { tx, account: account.clone(), hash });
    }
    Err(Error::Busy)
}

/// Keeps a failed try, and is the answer to it.
async fn failed(
    access: &Access,
    mut tx: WriteTx,
    account: Option<&Account>,
    buckets: &Buckets,
) -> Result<Error> {
    let account_id = account.map(|account| account.id.as_str());
    let failure = Failure { tried: Tried::Password, account_id, buckets };
    let lock = failure.keep(&mut tx).await?;
    tx.commit().await?;
    failure.tell(access, lock).await;
    Ok(Error::NotAccepted)
}

/// Proves the person again and changes the session's token, so that an older copy opens nothing.
pub async fn step_up(
    access: &Access,
    act: Act,
    session_id: &str,
    login: &str,
    password: &str,
    totp: Option<&str>,
    from: Whence,
) -> Result<Opened> {
    let Proven { mut tx, account, .. } = prove(access, act.clone(), login, password, from).await?;
    let kept = second_factor::kept(&mut tx, &account.id).await?;
    tx.commit().await?;
    let needs = kept.is_some_and(|kept| kept.confirmed_at > 0);
    let mut tx = match (needs, totp) {
        (false, _) => access.db.begin(Lane::People, act).await?,
        (true, Some(code)) => {
            let proof = second_factor::Proof::Totp(code);
            second_factor::prove(access, act, &account, proof, from.address()).await?
        }
        (true, None) => return Err(Error::CodeNeeded),
    };
    let opened = Opened::new(Stage::Active);
    let now = tx.now();
    let sql =
        "UPDATE session SET token_sha256 = $1, proven_at = $2, last_seen_at = $2 WHERE id = $3";
    let args = [token::digest(&opened.token).into(), now.into(), session_id.into()];
    // a new password given meanwhile ended it
    if tx.execute(sql, &args).await? == 0 {
        return Err(Error::NotWaiting);
    }
    seal::seal(&mut tx, Kind::Session, session_id).await?;
    tx.commit().await?;
    Ok(opened)
}

/// Ends the account's other sessions: what lets it in is not what it was.
pub async fn end_others(tx: &mut WriteTx, account_id: &str, own: &str, why: Cause) -> Result<()> {
    ended::end(tx, Which::OthersOf(account_id, own), why, By::default()).await
}

/// Somebody signs out.
pub async fn close(access: &Access, act: Act, session_id: &str) -> Result<()> {
    let mut tx = access.db.begin(Lane::People, act).await?;
    tx.execute("DELETE FROM session WHERE id = $1", &[session_id.into()]).await?;
    Ok(tx.commit().await?)
}

/// Its owner ends it from another one.
pub async fn end_from_afar(access: &Access, act: Act, session_id: &str) -> Result<()> {
    let mut tx = access.db.begin(Lane::People, act).await?;
    ended::end(&mut tx, Which::One(session_id), Cause::ByOwner, By::default()).await?;
    Ok(tx.commit().await?)
}

pub async fn by_id(access: &Access, session_id: &str) -> Result<Option<Session>> {
    let sql = "SELECT * FROM session WHERE id = $1";
    let row = access.db.fetch_optional(sql, &[session_id.into()]).await?;
    row.as_ref().map(session_of).transpose()
}

pub fn session_of(row: &mj_platform::DbRow) -> Result<Session> {
    Ok(Session {
        id: row.text("id")?,
        account_id: row.text("account_id")?,
        stage: Stage::parse(&row.text("state")?)
            .ok_or_else(|| mj_platform::Error::Corrupt("session.state 的值不认识".into()))?,
        kind: SessionKind::of(row)?,
        device: row.text("device")?,
        created_at: row.int("created_at")?,
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
    let safe = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let forged = by_cookie && !safe && !carries_csrf(&request.headers, secret);
    if token::is_emergency_token(secret) {
        let seal = emergency::standing(access, secret, Whence::of(request)).await?;
        let Some(seal) = seal else { return Ok(Identity::anonymous()) };
        let kind = ActorKind::Emergency { seal_id: seal.id };
        let who = Identity::of(Actor { kind, grants: Vec::new() });
        return Ok(Identity { csrf_missing: forged, ..who });
    }
    // a session that waits for its second factor opens nothing but the routes that bring it
    let session = alive(access, secret, Whence::of(request)).await?;
    let session = session.filter(|session| session.stage == Stage::Active);
    let Some(session) = session else {
        let ended = ended::told(&access.db, secret).await?.map(|ended| ended.over());
        return Ok(Identity { ended, ..Identity::anonymous() });
    };
    let now = access.db.clock().now();
    let grants = store::grants_of(&access.db, &session.account_id).await?;
    let rule = access.passwords.rule(&access.db)?;
    let password_expired = rule.max_days > 0 && {
        let changed_at = store::password_changed_at(&access.db, &session.account_id).await?;
        changed_at.and_then(|at| rule.holds_until(at)).is_some_and(|until| now >= until)
    };
    let today = mj_kernel::clock::beijing_date(now).to_string();
    let certificate = match grants.iter().any(|grant| grant.role == mj_kernel::Role::Officer) {
        true => match crate::binding_api::number_of(&access.db, &session.account_id).await? {
            Some(number) => access.certificates.certificate(&number, &today).await?,
            None => None,
        },
        false => None,
    };
    Ok(Identity {
        actor: Actor {
            kind: ActorKind::Person { account_id: session.account_id },
            grants: store::as_kernel_grants(grants),
        },
        session_id: Some(session.id),
        ended: None,
        proof: step_up::proof(session.proven_at, now)?,
        csrf_missing: forged,
        password_expired,
        today,
        certificate,
    })
}

async fn source(access: &Access, secret: &str) -> Result<Identity> {
    let row = access
        .db
        .fetch_optional(
            "SELECT t.*, a.cd_source FROM source_token t JOIN account a ON a.id = t.account_id \
             WHERE t.token_sha256 = $1 AND t.revoked_at = 0 AND a.state = 'active' \
             AND a.class = 'source'",
            &[token::digest(secret).into()],
        )
        .await?;
    let Some(row) = row else { return Ok(Identity::anonymous()) };
    if !seal::holds(&access.db, Kind::SourceToken, &row).await? {
        return Ok(Identity::anonymous());
    }
    let kind = ActorKind::Source { cd_source: row.text("cd_source")? };
    Ok(Identity::of(Actor { kind, grants: Vec::new() }))
}

/// The session of a token, if it has neither idled nor aged out; seen now.
async fn alive(access: &Access, secret: &str, from: Whence) -> Result<Option<Session>> {
    let row = access
        .db
        .fetch_optional(
            "SELECT s.*, a.class FROM session s JOIN account a ON a.id = s.account_id \
             WHERE s.token_sha256 = $1 AND a.state = 'active'",
            &[token::digest(secret).into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    if !seal::holds(&access.db, Kind::Session, &row).await? {
        return Ok(None);
    }
    let session = session_of(&row)?;
    let administrator = row.text("class")? == AccountClass::Admin.name();
    if administrator && !access.admits_administrators(from) {
        tracing::warn!("有人从许可网络之外使用管理员的会话，已拒绝");
        return Ok(None);
    }
    let now = access.db.clock().now();
    if now >= session.expires_at() {
        return Ok(None);
    }
    if now - session.last_seen_at > SEEN_SECONDS * SECOND {
        // on a full disk, or in a store that takes nothing in, people may still read
        if let Err(error) = mark_seen(access, &session.id, now).await {
            tracing::warn!(error = %error, "会话的最近使用时间未能记下");
        }
    }
    Ok(Some(session))
}

async fn mark_seen(access: &Access, id: &str, now: Instant) -> mj_platform::Result<()> {
    let act = Act::new(&Actor::system("access"), "access.session.seen", "");
    let mut tx = access.db.begin(Lane::People, act).await?;
    let sql = "UPDATE session SET last_seen_at = $1 WHERE id = $2";
    tx.execute(sql, &[now.into(), id.into()]).await?;
    tx.commit().await
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

/// Browser and system as a person would name them; what a program says of itself is not kept.
pub fn device(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    // the order matters: later browsers also name the earlier ones
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("MicroMessenger", "微信"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("HarmonyOS", "鸿蒙"),
        ("Android", "安卓"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(part, _)| agent.contains(part)).map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        (Some(browser), None) => browser.to_owned(),
        _ => "程序".to_owned(),
    }
}
