//! Locks over HTTP: how an account stands, requests to unlock or to reset it, and the record of failed tries.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mj_kernel::clock::to_rfc3339;
use mj_kernel::second_person::Standing;
use mj_platform::Lane;
use mj_web::input::own_id;
use mj_web::{
    Action, Answer, Caller, Input, Once, PathOf, Problem, Query, Resource, RouteOf, create, get,
    post, replayed,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::admin_api::reason;
use crate::error::Error;
use crate::model::{AccountClass, check_day};
use crate::unlock::{self, Kind, UnlockRequest};
use crate::{Access, failures, lockout, store};

const LOCK_READ: Action = Action::new("access.lock.read", "查看账号的锁定情况");
const FAILURE_READ: Action = Action::new("access.login_failure.read", "查看登录失败记录");
const REQUEST: Action = Action::new("access.unlock_request.create", "申请解除锁定或重置");
const READ: Action = Action::new("access.unlock_request.read", "查看解锁和重置申请");
pub const APPROVE: Action = Action::new("access.unlock_request.approve", "批准解除锁定或重置");
const REFUSE: Action = Action::new("access.unlock_request.refuse", "驳回或撤回解锁、重置申请");

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        get(LOCK_READ, "/api/v1/access/accounts/{id}/lock", standing)
            .summary("账号因登录失败锁定的情况")
            .ok::<LockView>(),
        get(FAILURE_READ, "/api/v1/access/login-failures", failed)
            .summary("登录失败记录：按日、账号和来源计数，最近的在前")
            .query::<FailureQuery>()
            .ok::<FailureList>(),
        get(READ, "/api/v1/access/unlock-requests", list)
            .summary("解除锁定、重新发放启用码的申请，新的在前")
            .query::<RequestQuery>()
            .ok::<UnlockRequestList>(),
        create(REQUEST, "/api/v1/access/unlock-requests", ask)
            .summary("申请解除锁定或重新发放启用码，须由安全管理员批准")
            .body::<UnlockWish>()
            .created::<UnlockRequestView>(),
        post(APPROVE, "/api/v1/access/unlock-requests/{id}/approve", approve)
            .summary("批准申请：解锁随即生效，重置由系统管理员领取启用码")
            .body::<UnlockDecision>()
            .ok::<UnlockRequestView>(),
        post(REFUSE, "/api/v1/access/unlock-requests/{id}/refuse", refuse)
            .summary("驳回申请；本人提出的即为撤回")
            .body::<UnlockDecision>()
            .ok::<UnlockRequestView>(),
    ]
}

#[derive(Serialize, ToSchema)]
struct LockView {
    /// 密码输错过多，锁定到此时（RFC 3339）；空值表示没有锁定
    locked_until: Option<String>,
    /// 连续第几次锁定；没有锁定时为 0
    times: i64,
    /// 动态口令或恢复码输错过多，锁定到此时；空值表示没有锁定
    code_locked_until: Option<String>,
    code_times: i64,
    /// 今日登录失败次数
    failed_today: i64,
}

#[derive(Deserialize, IntoParams)]
struct FailureQuery {
    /// 日期（北京时间），如 2026-11-20
    day: Option<String>,
    /// 账号编号
    account: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct FailureList {
    items: Vec<FailureView>,
}

#[derive(Serialize, ToSchema)]
struct FailureView {
    day: String,
    /// password、code、enrolment 或 emergency（应急启用码）
    kind: &'static str,
    kind_name: &'static str,
    /// 空值：没有这个登录名，或账号已停用；启用码不涉及账号
    account_id: Option<String>,
    account_name: Option<String>,
    /// 网络来源的代号，同一来源的代号相同；空值表示当日来源过多，不再分列
    source: Option<String>,
    tries: i64,
    /// 其中引起锁定的次数
    locks: i64,
    first_at: String,
    last_at: String,
}

#[derive(Deserialize, IntoParams)]
struct RequestQuery {
    /// 账号编号
    account: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct UnlockWish {
    id: Option<String>,
    account_id: String,
    /// unlock：解除锁定；reset：重新发放启用码
    kind: String,
    /// 为什么申请
    reason: String,
}

#[derive(Deserialize, ToSchema)]
struct UnlockDecision {
    version: i64,
    reason: String,
}

#[derive(Serialize, ToSchema)]
struct UnlockRequestList {
    items: Vec<UnlockRequestView>,
}

#[derive(Serialize, ToSchema)]
struct UnlockRequestView {
    id: String,
    version: i64,
    account_id: String,
    account_name: String,
    kind: &'static str,
    kind_name: &'static str,
    reason: String,
    /// waiting、approved、refused、withdrawn、used 或 expired
    state: String,
    requested_by_name: String,
    requested_at: String,
    expires_at: String,
    decided_by_name: Option<String>,
    decided_at: Option<String>,
    decided_why: Option<String>,
    /// 申请人是本人
    own: bool,
    /// 本人可以批准
    may_approve: bool,
}

/// The second person's own decision: whoever asked is the first.
fn resource(request: &UnlockRequest) -> Resource {
    Resource::at(None, None).approved_by(request.two.requested_by.clone())
}

async fn view(
    access: &Access,
    caller: &Caller,
    request: UnlockRequest,
) -> Answer<UnlockRequestView> {
    let db = access.db();
    let two = request.two;
    let state = two.standing(db.clock().now());
    let own = two.is_by(&caller.actor.reference());
    let may_approve = state == Standing::Waiting
        && caller.may(&APPROVE)
        && !own
        && caller.actor.reference() != format!("account:{}", request.account_id);
    let decided_by_name = match &two.decided_by {
        Some(by) => Some(store::actor_name(db, by).await?),
        None => None,
    };
    Ok(UnlockRequestView {
        version: request.version,
        account_name: unlock::account_name(db, &request.account_id).await?,
        kind: request.kind.name(),
        kind_name: request.kind.title(),
        requested_by_name: store::actor_name(db, &two.requested_by).await?,
        requested_at: to_rfc3339(two.requested_at),
        expires_at: to_rfc3339(two.expires_at),
        decided_by_name,
        decided_at: (two.decided_at > 0).then(|| to_rfc3339(two.decided_at)),
        decided_why: two.decided_why,
        account_id: request.account_id,
        reason: request.reason,
        id: request.id,
        state: state.name().to_owned(),
        own,
        may_approve,
    })
}

async fn view_of(access: &Access, caller: &Caller, id: &str) -> Answer<UnlockRequestView> {
    let request = unlock::by_id(access.db(), id).await?.ok_or_else(Problem::not_found)?;
    view(access, caller, request).await
}

async fn standing(
    State(access): State<Access>,
    _caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<LockView>> {
    let account = store::account_by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    if account.class == AccountClass::Source {
        return Err(Problem::not_found());
    }
    let [password, code] = lockout::standing(access.db(), &account.login, &account.id).await?;
    let today = access.db().clock().today().to_string();
    let failed = failures::list(access.db(), Some(&today), Some(&account.id)).await?;
    let until = |locked: Option<lockout::Locked>| locked.map(|locked| to_rfc3339(locked.until));
    let times = |locked: Option<lockout::Locked>| locked.map_or(0, |locked| locked.times);
    Ok(Json(LockView {
        locked_until: until(password),
        times: times(password),
        code_locked_until: until(code),
        code_times: times(code),
        failed_today: failed.iter().map(|one| one.tries).sum(),
    }))
}

async fn failed(
    State(access): State<Access>,
    _caller: Caller,
    Query(query): Query<FailureQuery>,
) -> Answer<Json<FailureList>> {
    let day = query.day.as_deref().filter(|day| !day.is_empty());
    if let Some(day) = day {
        check_day("day", day)?;
    }
    let account = query.account.as_deref().filter(|account| !account.is_empty());
    let failed = failures::list(access.db(), day, account).await?;
    let items = failed.into_iter().map(|one| FailureView {
        day: one.day,
        kind: one.tried.name(),
        kind_name: one.tried.title(),
        account_id: one.account_id,
        account_name: one.account_name,
        source: Some(one.source).filter(|source| !source.is_empty()),
        tries: one.tries,
        locks: one.locks,
        first_at: to_rfc3339(one.first_at),
        last_at: to_rfc3339(one.last_at),
    });
    Ok(Json(FailureList { items: items.collect() }))
}

async fn list(
    State(access): State<Access>,
    caller: Caller,
    Query(query): Query<RequestQuery>,
) -> Answer<Json<UnlockRequestList>> {
    let mut items = Vec::new();
    for request in unlock::list(access.db(), query.account.as_deref()).await? {
        items.push(view(&access, &caller, request).await?);
    }
    Ok(Json(UnlockRequestList { items }))
}

async fn ask(
    State(access): State<Access>,
    caller: Caller,
    input: Input<UnlockWish>,
) -> Answer<Response> {
    let UnlockWish { id, account_id, kind, reason: why } = input.value;
    let kind = Kind::parse(&kind)
        .ok_or(Error::Invalid { field: "kind", reason: "应为 unlock 或 reset" })?;
    let why = reason(&why)?;
    let id = own_id(id.as_deref())?;
    let told = format!("申请{}。理由：{why}", kind.title());
    let act = caller.act(format!("account:{account_id}")).because(told);
    let mut tx = access.db().begin(Lane::People, act).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let body = view_of(&access, &caller, &earlier.object_id).await?;
            return Ok(replayed(&earlier, Json(body)));
        }
        Once::First(first) => first,
    };
    unlock::request(&mut tx, &id, &account_id, kind, &why).await?;
    first.keep(&mut tx, StatusCode::CREATED, &id, 1).await?;
    tx.commit().await?;
    let body = view_of(&access, &caller, &id).await?;
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn approve(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<UnlockDecision>,
) -> Answer<Json<UnlockRequestView>> {
    let request = unlock::by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    caller.require(&resource(&request))?;
    let why = reason(&input.value.reason)?;
    let told =
        format!("批准{}。申请理由：{}；批准理由：{why}", request.kind.title(), request.reason);
    let act = caller.act(format!("account:{}", request.account_id)).because(told);
    let mut tx = access.db().begin(Lane::People, act).await?;
    match unlock::approve(&mut tx, &request, input.value.version, &why).await {
        Ok(()) => tx.commit().await?,
        Err(Error::Platform(stale @ mj_platform::Error::Stale { .. })) => {
            drop(tx);
            return Err(Problem::from(stale).with_current(view_of(&access, &caller, &id).await?));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Json(view_of(&access, &caller, &id).await?))
}

async fn refuse(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<UnlockDecision>,
) -> Answer<Json<UnlockRequestView>> {
    let request = unlock::by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    let why = reason(&input.value.reason)?;
    let own = request.two.is_by(&caller.actor.reference());
    let verb = if own { "撤回" } else { "驳回" };
    let told = format!("{verb}申请：{}。理由：{why}", request.kind.title());
    let act = caller.act(format!("account:{}", request.account_id)).because(told);
    let mut tx = access.db().begin(Lane::People, act).await?;
    match unlock::refuse(&mut tx, &request, input.value.version, &why).await {
        Ok(()) => tx.commit().await?,
        Err(Error::Platform(stale @ mj_platform::Error::Stale { .. })) => {
            drop(tx);
            return Err(Problem::from(stale).with_current(view_of(&access, &caller, &id).await?));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Json(view_of(&access, &caller, &id).await?))
}
