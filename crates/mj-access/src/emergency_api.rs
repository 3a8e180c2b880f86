//! The sealed code over HTTP: opening it with both halves, and the few things it opens.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mj_kernel::ActorKind;
use mj_kernel::clock::to_rfc3339;
use mj_web::{Action, Answer, Caller, Input, PathOf, Problem, RouteOf, delete, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin_api::reason;
use crate::api::{Peer, cookie};
use crate::emergency::{self, Administrator, OPEN_SECONDS, Seal};
use crate::{Access, token};

const OPEN: Action = Action::new("access.emergency.open", "用两份应急启用码启用应急");
const READ: Action = Action::new("access.emergency.read", "查看应急启用后可恢复的管理员");
const RECOVER: Action = Action::new("access.emergency.recover", "应急：重新发放管理员的启用码");
const UNLOCK: Action = Action::new("access.emergency.unlock", "应急：解除管理员账号的锁定");
const CLOSE: Action = Action::new("access.emergency.close", "结束应急启用");

const PATH: &str = "/api/v1/emergency-sessions/current";

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        post(OPEN, "/api/v1/emergency-sessions", open)
            .summary("两位保管人各输入一份应急启用码；只能用一次，两小时后失效")
            .body::<EmergencyRequest>()
            .created::<EmergencyOpened>(),
        get(READ, PATH, read).summary("应急启用还剩多久，可恢复哪些管理员").ok::<EmergencyView>(),
        delete(CLOSE, PATH, close).summary("提前结束应急启用").no_content(),
        post(RECOVER, "/api/v1/emergency-sessions/current/administrators/{id}/recover", recover)
            .summary("重新发放管理员的启用码，旧的动态口令停用，锁定解除")
            .ok::<Recovered>(),
        post(UNLOCK, "/api/v1/emergency-sessions/current/administrators/{id}/unlock", unlock)
            .summary("解除管理员账号的锁定")
            .no_content(),
    ]
}

#[derive(Deserialize, ToSchema)]
struct EmergencyRequest {
    /// 第一份，24 位；两份先后不限，大小写与连字符不限
    first: String,
    /// 第二份，24 位
    second: String,
    /// 为什么启用，写进监管日志
    reason: String,
}

#[derive(Serialize, ToSchema)]
struct EmergencyOpened {
    /// 应急会话令牌，可作 Bearer 使用；浏览器同时得到 Cookie
    token: String,
    /// 用 Cookie 时，修改类请求须带在 X-CSRF-Token 请求头中
    csrf_token: String,
    /// 到此时失效，不能延长（RFC 3339）
    until: String,
}

#[derive(Serialize, ToSchema)]
struct EmergencyView {
    csrf_token: String,
    /// 到此时失效，不能延长（RFC 3339）
    until: String,
    /// 两位保管人
    holders: Vec<String>,
    administrators: Vec<AdministratorView>,
}

#[derive(Serialize, ToSchema)]
struct AdministratorView {
    id: String,
    login: String,
    name: String,
    role: &'static str,
    role_name: &'static str,
    /// 因多次输错而锁定
    locked: bool,
    /// 绑定了动态口令
    has_second_factor: bool,
}

#[derive(Serialize, ToSchema)]
struct Recovered {
    login: String,
    name: String,
    /// 一次性启用码，只显示这一次
    code: String,
}

async fn open(
    State(access): State<Access>,
    caller: Caller,
    peer: Peer,
    input: Input<EmergencyRequest>,
) -> Answer<Response> {
    let EmergencyRequest { first, second, reason: why } = &input.value;
    let why = reason(why)?;
    let opened =
        emergency::open(&access, &caller.request_id, [first, second], &why, peer.from).await?;
    let headers = cookie(&opened.token, OPEN_SECONDS);
    let body = EmergencyOpened {
        csrf_token: token::csrf_of(&opened.token),
        until: to_rfc3339(opened.until),
        token: opened.token,
    };
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

fn seal_id(caller: &Caller) -> Result<&str, Problem> {
    match &caller.actor.kind {
        ActorKind::Emergency { seal_id } => Ok(seal_id),
        _ => Err(Problem::session_required()),
    }
}

async fn read(
    State(access): State<Access>,
    caller: Caller,
    peer: Peer,
) -> Answer<Json<EmergencyView>> {
    seal_id(&caller)?;
    let secret = peer.secret.as_deref().ok_or_else(Problem::session_required)?;
    let seal = emergency::standing(&access, secret, peer.from).await?;
    let Seal { holders, until, .. } = seal.ok_or_else(Problem::session_required)?;
    let view = |one: Administrator| AdministratorView {
        id: one.account.id,
        login: one.account.login,
        name: one.account.name,
        role: one.role.name(),
        role_name: one.role.title(),
        locked: one.locked,
        has_second_factor: one.has_second_factor,
    };
    Ok(Json(EmergencyView {
        csrf_token: token::csrf_of(secret),
        until: to_rfc3339(until),
        holders: holders.into(),
        administrators: emergency::administrators(&access).await?.into_iter().map(view).collect(),
    }))
}

async fn recover(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<Recovered>> {
    let act = caller.act(format!("account:{id}"));
    let (account, code) = emergency::recover(&access, act, &id).await?;
    Ok(Json(Recovered { login: account.login, name: account.name, code }))
}

async fn unlock(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<StatusCode> {
    let act = caller.act(format!("account:{id}"));
    emergency::unlock(&access, act, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn close(State(access): State<Access>, caller: Caller) -> Answer<Response> {
    let id = seal_id(&caller)?;
    emergency::close(&access, caller.act(format!("emergency:{id}")), id).await?;
    let mut headers: HeaderMap = cookie("", 0);
    headers.insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}
