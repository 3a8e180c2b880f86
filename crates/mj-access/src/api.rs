//! Sessions, one's own password, enrolment over HTTP: shapes and handlers.

use std::net::IpAddr;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mj_kernel::AgencySet;
use mj_kernel::clock::to_rfc3339;
use mj_platform::Lane;
use mj_web::{
    Action, Answer, Caller, Input, Once, Problem, RouteOf, create, delete, get, post, replayed,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::at_once::SessionKind;
use crate::ended::Ended;
use crate::error::Error;
use crate::model::RoleGrant;
use crate::session::{ABSOLUTE_SECONDS, Opened, Origin, SESSION_COOKIE};
use crate::whence::Whence;
use crate::{Access, enrolment, second_factor, service, session, store, token};

const OPEN: Action = Action::new("access.session.create", "登录");
const READ: Action = Action::new("access.session.read", "查看自己的会话");
const CLOSE: Action = Action::new("access.session.delete", "退出登录");
const STEP_UP: Action = Action::new("access.session.step_up", "再次验证身份");
const PASSWORD: Action = Action::new("access.password.change", "修改自己的密码");
const PASSWORD_RULES: Action = Action::new("access.password.rules", "查看密码要求");
const ENROL: Action = Action::new("access.enrolment.create", "用一次性启用码启用账号");

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        post(OPEN, "/api/v1/sessions", open)
            .summary("登录")
            .body::<LoginRequest>()
            .created::<SessionOpened>(),
        get(READ, "/api/v1/sessions/current", current).summary("当前会话").ok::<CurrentSession>(),
        delete(CLOSE, "/api/v1/sessions/current", close).summary("退出登录").no_content(),
        post(STEP_UP, "/api/v1/sessions/current/step-up", step_up)
            .summary("再次验证身份，换发会话令牌")
            .body::<StepUpRequest>()
            .ok::<SessionOpened>(),
        post(PASSWORD, "/api/v1/sessions/current/password", change_password)
            .summary("修改自己的密码，其他会话随即失效")
            .body::<PasswordChange>()
            .ok::<SessionOpened>(),
        get(PASSWORD_RULES, "/api/v1/password-rules", password_rules)
            .summary("密码要求，供设置密码前阅读")
            .ok::<PasswordRules>(),
        create(ENROL, "/api/v1/enrolments", enrol)
            .summary("用一次性启用码启用账号并设置密码")
            .body::<EnrolmentRequest>()
            .created::<Enrolled>(),
    ]
}

#[derive(Deserialize, ToSchema)]
struct LoginRequest {
    login: String,
    password: String,
    /// 在哪里登录：web 网页（默认），mobile 手机；每种同时允许的处数各自计算
    #[serde(default)]
    kind: SessionKind,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SessionOpened {
    /// active：已登录；second_factor：还要动态口令；enrol：须先绑定动态口令
    state: &'static str,
    /// 会话令牌，可作 Bearer 使用；浏览器同时得到 Cookie
    token: String,
    /// 用 Cookie 时，修改类请求须带在 X-CSRF-Token 请求头中
    csrf_token: String,
    /// 因本次登录而结束的同一账号更早的登录
    ended: Vec<EndedSession>,
}

/// 一处被后来的登录结束的登录
#[derive(Serialize, ToSchema)]
pub(crate) struct EndedSession {
    device: String,
    kind: &'static str,
    /// 登录时间
    created_at: String,
    ended_at: String,
    /// 在哪里登录而结束了这一处：设备与网络地址
    by: String,
}

impl From<Ended> for EndedSession {
    fn from(ended: Ended) -> Self {
        Self {
            by: ended.by(),
            kind: ended.kind.name(),
            created_at: to_rfc3339(ended.created_at),
            ended_at: to_rfc3339(ended.ended_at),
            device: ended.device,
        }
    }
}

#[derive(Deserialize, ToSchema)]
struct StepUpRequest {
    password: String,
    /// 绑定了动态口令的账号必填
    totp: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct PasswordChange {
    current: String,
    new: String,
}

#[derive(Serialize, ToSchema)]
struct PasswordRules {
    items: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
struct EnrolmentRequest {
    /// 一次性启用码，大小写与连字符不限
    code: String,
    login: String,
    password: String,
    /// 姓名；激活已有账号时可省略
    #[serde(default)]
    name: String,
}

#[derive(Serialize, ToSchema)]
struct Enrolled {
    login: String,
}

#[derive(Serialize, ToSchema)]
struct CurrentSession {
    account_id: String,
    login: String,
    name: String,
    roles: Vec<HeldRole>,
    /// 可做的动作；有的还要再次验证身份，对每条记录仍另行判断
    actions: Vec<&'static str>,
    csrf_token: String,
    /// 上次修改密码的时间
    password_changed_at: Option<String>,
    /// 密码到此时须更换；空值表示不限
    password_holds_until: Option<String>,
    /// 密码已到期，须先修改
    password_expired: bool,
    /// 绑定了动态口令；再次验证身份时也要输入
    second_factor: bool,
    /// 还没有启用账号的管理员；不为空时，三位管理员都启用之前不能办理其他事情
    missing_administrators: Vec<&'static str>,
    /// 到此时未操作即失效（RFC 3339）
    expires_at: String,
}

#[derive(Serialize, ToSchema)]
struct HeldRole {
    role: &'static str,
    role_name: &'static str,
    area: String,
    area_name: Option<String>,
    /// 统一社会信用代码；空表示该区划内全部部门
    agency: Option<String>,
    agency_name: Option<String>,
}

/// Where the request comes from and the cookie it already carries.
pub(crate) struct Peer {
    pub from: Whence,
    pub address: Option<IpAddr>,
    pub secret: Option<String>,
    device: String,
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let secret = session::secret(&parts.headers).map(str::to_owned);
        let device = session::device(&parts.headers);
        let from = Whence::of(parts);
        Ok(Self { from, address: from.address(), secret, device })
    }
}

async fn open(
    State(access): State<Access>,
    caller: Caller,
    peer: Peer,
    input: Input<LoginRequest>,
) -> Answer<Response> {
    let LoginRequest { login, password, kind } = input.value;
    let act = caller.act("session");
    let earlier = peer.secret.as_deref();
    let origin = Origin { from: peer.from, earlier, device: &peer.device, kind };
    let opened = session::open(&access, act, &login, &password, origin).await?;
    Ok(answer(StatusCode::CREATED, opened))
}

/// The secrets in the body for programs, and the token as a cookie for browsers.
pub(crate) fn answer(status: StatusCode, opened: Opened) -> Response {
    let cookie = cookie(&opened.token, ABSOLUTE_SECONDS);
    (status, cookie, Json(SessionOpened::from(opened))).into_response()
}

impl From<Opened> for SessionOpened {
    fn from(opened: Opened) -> Self {
        Self {
            state: opened.stage.name(),
            token: opened.token,
            csrf_token: opened.csrf_token,
            ended: opened.ended.into_iter().map(EndedSession::from).collect(),
        }
    }
}

pub(crate) fn cookie(token: &str, seconds: i64) -> HeaderMap {
    let text = format!(
        "{SESSION_COOKIE}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax"
    );
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(header::SET_COOKIE, value);
    }
    headers
}

/// The session the caller came with; a handler below is only reached with one.
pub(crate) fn session_id(caller: &Caller) -> Result<&str, Problem> {
    caller.session_id.as_deref().ok_or_else(Problem::session_required)
}

async fn current(
    State(access): State<Access>,
    caller: Caller,
    peer: Peer,
) -> Answer<Json<CurrentSession>> {
    let session = session::by_id(&access, session_id(&caller)?)
        .await?
        .ok_or_else(Problem::session_required)?;
    let account = store::account_by_id(access.db(), &session.account_id)
        .await?
        .ok_or_else(Problem::session_required)?;
    let mut roles = Vec::new();
    for grant in store::grants_of(access.db(), &account.id).await? {
        roles.extend(held(&access, &grant).await?);
    }
    let changed_at = store::password_changed_at(access.db(), &account.id).await?;
    let rule = access.passwords().rule(access.db())?;
    let until = changed_at.and_then(|at| rule.holds_until(at));
    Ok(Json(CurrentSession {
        password_changed_at: changed_at.map(to_rfc3339),
        password_holds_until: until.map(to_rfc3339),
        password_expired: until.is_some_and(|until| access.db().clock().now() >= until),
        second_factor: second_factor::kept_lately(&access, &account.id)
            .await?
            .is_some_and(|kept| kept.confirmed_at > 0),
        missing_administrators: access
            .missing_administrators()
            .into_iter()
            .map(mj_kernel::Role::title)
            .collect(),
        expires_at: to_rfc3339(session.expires_at()),
        csrf_token: peer.secret.as_deref().map(token::csrf_of).unwrap_or_default(),
        account_id: account.id,
        login: account.login,
        name: account.name,
        roles,
        actions: crate::matrix::actions_of(&caller.actor),
    }))
}

/// One line for each area and agency of a grant.
async fn held(access: &Access, grant: &RoleGrant) -> Result<Vec<HeldRole>, Problem> {
    let mut agencies = Vec::new();
    match &grant.scope.agencies {
        AgencySet::All => agencies.push((None, None)),
        AgencySet::Only(codes) => {
            for code in codes {
                let agency = store::agency_by_uscc(access.db(), code).await?;
                agencies.push((Some(code.clone()), agency.map(|agency| agency.name)));
            }
        }
    }
    let line = |area: &String, (agency, agency_name): &(Option<String>, Option<String>)| HeldRole {
        role: grant.role.name(),
        role_name: grant.role.title(),
        area: area.clone(),
        area_name: (access.area_name)(area),
        agency: agency.clone(),
        agency_name: agency_name.clone(),
    };
    let areas = grant.scope.areas.iter();
    Ok(areas.flat_map(|area| agencies.iter().map(move |agency| line(area, agency))).collect())
}

async fn password_rules(State(access): State<Access>) -> Answer<Json<PasswordRules>> {
    let items = access.passwords().rule(access.db())?.in_words();
    Ok(Json(PasswordRules { items }))
}

async fn close(State(access): State<Access>, caller: Caller) -> Answer<Response> {
    session::close(&access, caller.act("session"), session_id(&caller)?).await?;
    let mut headers = cookie("", 0);
    // not "storage": the phone keeps unsent inspections there
    headers.insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

async fn login_of(
    access: &Access,
    caller: &Caller,
) -> Result<(String, String, SessionKind), Problem> {
    let session =
        session::by_id(access, session_id(caller)?).await?.ok_or_else(Problem::session_required)?;
    let account = store::account_by_id(access.db(), &session.account_id)
        .await?
        .ok_or_else(Problem::session_required)?;
    Ok((account.id, account.login, session.kind))
}

async fn step_up(
    State(access): State<Access>,
    caller: Caller,
    peer: Peer,
    input: Input<StepUpRequest>,
) -> Answer<Response> {
    let (_, login, _) = login_of(&access, &caller).await?;
    let session = session_id(&caller)?;
    let StepUpRequest { password, totp } = &input.value;
    let act = caller.act("session");
    let opened =
        session::step_up(&access, act, session, &login, password, totp.as_deref(), peer.from)
            .await?;
    Ok(answer(StatusCode::OK, opened))
}

async fn change_password(
    State(access): State<Access>,
    caller: Caller,
    peer: Peer,
    input: Input<PasswordChange>,
) -> Answer<Response> {
    let PasswordChange { current, new } = input.value;
    let (account_id, login, kind) = login_of(&access, &caller).await?;
    access.passwords().rule(access.db())?.check(&new, &login)?;
    let act = caller.act(format!("account:{account_id}"));
    // first the proof: what was used before is nobody else's to know
    let proven = session::prove(&access, act.clone(), &login, &current, peer.from).await?;
    proven.tx.commit().await.map_err(Problem::from)?;
    refuse_recent(&access, &account_id, &new, peer.address).await?;
    let hash = access.passwords().hash(&new, peer.address).await?;
    let mut tx = access.db().begin(Lane::People, act).await.map_err(Problem::from)?;
    // of two who change the same old password at once one does
    service::change_password(&mut tx, &account_id, &proven.hash, &hash).await?;
    tx.commit().await.map_err(Problem::from)?;
    // every session ended, this one too: the new password opens the next
    let act = caller.act("session");
    let origin = Origin { from: peer.from, earlier: None, device: &peer.device, kind };
    let opened = session::open(&access, act, &login, &new, origin).await?;
    Ok(answer(StatusCode::OK, opened))
}

/// The password now and those before it, as many as the profile names.
async fn refuse_recent(
    access: &Access,
    account_id: &str,
    new: &str,
    address: Option<IpAddr>,
) -> Result<(), Error> {
    let last = access.passwords().rule(access.db())?.history;
    if last == 0 {
        return Ok(());
    }
    for hash in store::recent_hashes(access.db(), account_id, last).await? {
        if access.passwords().verify(new, Some(&hash), address).await?.right {
            return Err(Error::WeakPassword(format!("不能与最近 {last} 个用过的密码相同")));
        }
    }
    Ok(())
}

async fn enrol(
    State(access): State<Access>,
    caller: Caller,
    peer: Peer,
    input: Input<EnrolmentRequest>,
) -> Answer<Response> {
    let EnrolmentRequest { code, login, password, name } = &input.value;
    let login = crate::model::check_login(login)?;
    access.passwords().rule(access.db())?.check(password, &login)?;
    // a wrong code costs no hashing
    let known = enrolment::find(access.db(), code).await?;
    // an administrator's code used from elsewhere than administrators may come from is a wrong one
    let known = known.filter(|it| !it.administrator || access.admits_administrators(peer.from));
    let known = known.map(|it| it.account_id);
    if let Some(account_id) = known.as_deref().filter(|id| !id.is_empty()) {
        refuse_recent(&access, account_id, password, peer.address).await?;
    }
    let hash = match known {
        Some(_) => Some(access.passwords().hash(password, peer.address).await?),
        None => None,
    };
    let mut tx = access.db().begin(Lane::People, caller.act("enrolment")).await?;
    let mark = access.passwords().mark(&input.digest)?;
    let first = match Once::claim(&mut tx, &caller, &mark).await? {
        Once::Replay(earlier) => return Ok(replayed(&earlier, Json(Enrolled { login }))),
        Once::First(first) => first,
    };
    let enrolled = match &hash {
        Some(hash) => {
            let with = enrolment::Enrol { code, login: &login, name, password_hash: hash };
            enrolment::enrol(&mut tx, &with).await
        }
        None => Err(Error::InvalidCode),
    };
    let account_id = match enrolled {
        Ok(account_id) => account_id,
        Err(Error::InvalidCode) => {
            drop(tx);
            enrolment::wrong_code(&access, caller.act("enrolment"), peer.address).await?;
            return Err(Error::InvalidCode.into());
        }
        Err(error) => return Err(error.into()),
    };
    first.keep(&mut tx, StatusCode::CREATED, &account_id, 1).await?;
    tx.commit().await.map_err(Problem::from)?;
    Ok((StatusCode::CREATED, Json(Enrolled { login })).into_response())
}
