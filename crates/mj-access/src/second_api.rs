//! The second factor and one's own sessions over HTTP. The routes that bring a second factor are
//! open to everybody, because a session that waits for one is nobody yet: they ask for its token
//! themselves.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mj_kernel::clock::to_rfc3339;
use mj_platform::{Act, Lane};
use mj_web::{Action, Answer, Caller, Input, PathOf, Problem, RouteOf, delete, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin_api::reason;
use crate::api::{EndedSession, Peer, SessionOpened, answer, cookie, session_id};
use crate::error::Error;
use crate::model::Account;
use crate::second_factor::{self, Proof, Stage};
use crate::session::{self, ABSOLUTE_SECONDS};
use crate::{Access, ended};

const FINISH: Action = Action::new("access.second_factor.finish", "输入动态口令完成登录");
const OFFER: Action = Action::new("access.second_factor.offer", "领取动态口令密钥");
const CONFIRM: Action = Action::new("access.second_factor.confirm", "绑定动态口令");
const READ: Action = Action::new("access.second_factor.read", "查看自己的动态口令状态");
const REMOVE: Action = Action::new("access.second_factor.remove", "停用自己的动态口令");
const RESET: Action = Action::new("access.second_factor.reset", "重置他人的动态口令");
const LIST: Action = Action::new("access.session.list", "查看自己的登录设备");
const END: Action = Action::new("access.session.end", "退出自己的其他设备");

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        post(FINISH, "/api/v1/sessions/current/second-factor", finish)
            .summary("输入动态口令或恢复码，完成登录并换发令牌")
            .body::<FinishRequest>()
            .ok::<SessionOpened>(),
        get(READ, "/api/v1/sessions/current/second-factor", read)
            .summary("自己的动态口令状态")
            .ok::<FactorView>(),
        delete(REMOVE, "/api/v1/sessions/current/second-factor", remove)
            .summary("停用自己的动态口令")
            .no_content(),
        post(OFFER, "/api/v1/sessions/current/second-factor/offer", offer)
            .summary("领取新的动态口令密钥，验证之前不生效")
            .ok::<OfferView>(),
        post(CONFIRM, "/api/v1/sessions/current/second-factor/confirm", confirm)
            .summary("输入新密钥的口令，绑定生效并得到恢复码")
            .body::<ConfirmRequest>()
            .ok::<Confirmed>(),
        get(LIST, "/api/v1/sessions", list).summary("自己的登录设备").ok::<OwnSessions>(),
        delete(END, "/api/v1/sessions/{id}", end).summary("退出自己的一台设备").no_content(),
        post(RESET, "/api/v1/access/accounts/{id}/second-factor/reset", reset)
            .summary("重置动态口令：原口令作废，下次登录须重新绑定")
            .body::<ResetRequest>()
            .no_content(),
    ]
}

#[derive(Deserialize, ToSchema)]
struct FinishRequest {
    /// 手机上显示的 6 位数字
    totp: Option<String>,
    /// 手机不在身边时的一次性恢复码
    recovery_code: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct ConfirmRequest {
    totp: String,
}

#[derive(Deserialize, ToSchema)]
struct ResetRequest {
    reason: String,
}

#[derive(Serialize, ToSchema)]
struct OfferView {
    /// Base32，供手工输入
    secret: String,
    /// otpauth 地址，供扫码
    uri: String,
}

#[derive(Serialize, ToSchema)]
struct Confirmed {
    #[serde(flatten)]
    session: Option<SessionOpened>,
    /// 只显示这一次，每个用一次
    recovery_codes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct FactorView {
    bound: bool,
    bound_at: Option<String>,
    recovery_codes_left: i64,
}

#[derive(Serialize, ToSchema)]
struct OwnSessions {
    items: Vec<OwnSession>,
    /// 近 7 天因账号在别处登录而结束的
    ended: Vec<EndedSession>,
    /// 每种（网页、手机）同时至多几处
    at_once: u32,
}

#[derive(Serialize, ToSchema)]
struct OwnSession {
    id: String,
    /// web 网页，mobile 手机
    kind: &'static str,
    device: String,
    current: bool,
    created_at: String,
    last_seen_at: String,
    expires_at: String,
}

fn waiting_token(peer: &Peer) -> Result<&str, Problem> {
    peer.secret.as_deref().ok_or_else(Problem::session_required)
}

async fn finish(
    State(access): State<Access>,
    caller: Caller,
    peer: Peer,
    input: Input<FinishRequest>,
) -> Answer<Response> {
    let FinishRequest { totp, recovery_code } = &input.value;
    let proof = match (totp, recovery_code) {
        (Some(code), None) => Proof::Totp(code),
        (None, Some(code)) => Proof::Recovery(code),
        _ => return Err(Error::CodeNeeded.into()),
    };
    let secret = waiting_token(&peer)?;
    let act = caller.act("session");
    let opened = second_factor::finish(&access, act, secret, proof, peer.from).await?;
    Ok(answer(StatusCode::OK, opened))
}

/// Who sets up an authenticator: someone signed in (the matrix asks for fresh proof), or someone
/// whose login waits for exactly this.
async fn enroller(
    access: &Access,
    caller: &Caller,
    peer: &Peer,
) -> Result<(Account, Option<String>), Problem> {
    if caller.session_id.is_some() {
        return Ok((own(access, caller).await?, None));
    }
    let waiting = session::waiting(access, waiting_token(peer)?, Stage::Enrol, peer.from).await?;
    Ok((second_factor::account(access, &waiting.account_id).await?, Some(waiting.id)))
}

/// Whose act it is: of somebody signed in, or of the account whose password alone was proven, and the log says so.
fn by(caller: &Caller, account: &Account, waiting: Option<&str>) -> Act {
    let object = format!("account:{}", account.id);
    match waiting {
        None => caller.act(object),
        Some(_) => Act { actor: object.clone(), ..caller.act(object) }
            .because("登录时绑定，此前只验证了密码"),
    }
}

async fn offer(
    State(access): State<Access>,
    caller: Caller,
    peer: Peer,
) -> Answer<Json<OfferView>> {
    let (account, waiting) = enroller(&access, &caller, &peer).await?;
    let act = by(&caller, &account, waiting.as_deref());
    let offer = second_factor::offer(&access, act, &account).await?;
    Ok(Json(OfferView { secret: offer.secret, uri: offer.uri }))
}

async fn confirm(
    State(access): State<Access>,
    caller: Caller,
    peer: Peer,
    input: Input<ConfirmRequest>,
) -> Answer<Response> {
    let (account, waiting) = enroller(&access, &caller, &peer).await?;
    let act = by(&caller, &account, waiting.as_deref());
    let own = match &waiting {
        Some(id) => id.as_str(),
        None => session_id(&caller)?,
    };
    let (mut tx, recovery_codes) =
        second_factor::confirm(&access, act, &account, own, &input.value.totp).await?;
    let opened = match waiting {
        Some(id) => Some(session::activate(&access, &mut tx, &id, peer.from).await?),
        None => None,
    };
    tx.commit().await.map_err(Problem::from)?;
    let headers = opened.as_ref().map(|opened| cookie(&opened.token, ABSOLUTE_SECONDS));
    let body = Confirmed { session: opened.map(SessionOpened::from), recovery_codes };
    Ok((StatusCode::OK, headers.unwrap_or_default(), Json(body)).into_response())
}

/// The account of the session the caller came with.
async fn own(access: &Access, caller: &Caller) -> Result<Account, Problem> {
    let session =
        session::by_id(access, session_id(caller)?).await?.ok_or_else(Problem::session_required)?;
    Ok(second_factor::account(access, &session.account_id).await?)
}

async fn read(State(access): State<Access>, caller: Caller) -> Answer<Json<FactorView>> {
    let account = own(&access, &caller).await?;
    let kept = second_factor::kept_lately(&access, &account.id).await?;
    let at = kept.map_or(0, |kept| kept.confirmed_at);
    Ok(Json(FactorView {
        bound: at > 0,
        bound_at: (at > 0).then(|| to_rfc3339(at)),
        recovery_codes_left: second_factor::recovery_codes_left(&access, &account.id).await?,
    }))
}

async fn remove(State(access): State<Access>, caller: Caller) -> Answer<StatusCode> {
    let account = own(&access, &caller).await?;
    let act = caller.act(format!("account:{}", account.id));
    second_factor::remove(&access, act, &account, session_id(&caller)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list(State(access): State<Access>, caller: Caller) -> Answer<Json<OwnSessions>> {
    let account = own(&access, &caller).await?;
    let current = session_id(&caller)?;
    let sessions = session::of_account(&access, &account.id).await?;
    let view = |one: session::Session| OwnSession {
        current: one.id == current,
        kind: one.kind.name(),
        created_at: to_rfc3339(one.created_at),
        last_seen_at: to_rfc3339(one.last_seen_at),
        expires_at: to_rfc3339(one.expires_at()),
        device: one.device,
        id: one.id,
    };
    let ended = ended::replaced_lately(access.db(), &account.id).await?;
    Ok(Json(OwnSessions {
        items: sessions.into_iter().map(view).collect(),
        ended: ended.into_iter().map(EndedSession::from).collect(),
        at_once: access.sessions_at_once,
    }))
}

async fn end(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<StatusCode> {
    let account = own(&access, &caller).await?;
    let session = session::by_id(&access, &id).await?;
    // somebody else's session is as unknown as none
    if session.is_none_or(|session| session.account_id != account.id) {
        return Err(Problem::not_found());
    }
    let act = caller.act("session");
    match caller.session_id.as_deref() == Some(id.as_str()) {
        true => session::close(&access, act, &id).await?,
        false => session::end_from_afar(&access, act, &id).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn reset(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<ResetRequest>,
) -> Answer<StatusCode> {
    let act = caller.act(format!("account:{id}")).because(reason(&input.value.reason)?);
    let mut tx = access.db().begin(Lane::People, act).await?;
    second_factor::reset(&mut tx, &id).await?;
    tx.commit().await.map_err(Problem::from)?;
    Ok(StatusCode::NO_CONTENT)
}
