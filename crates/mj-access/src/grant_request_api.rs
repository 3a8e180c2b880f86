//! Requests for grants that need a second person, over HTTP: asked, confirmed, refused or taken back.

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
use crate::grant_api::{GrantRequest as GrantWish, ItemLine, new_grant};
use crate::grant_request::{self, GrantRequest};
use crate::model::level_name;
use crate::{Access, store};

const REQUEST: Action = Action::new("access.grant_request.create", "申请特权授权");
const READ: Action = Action::new("access.grant_request.read", "查看特权授权申请");
pub const CONFIRM: Action = Action::new("access.grant_request.confirm", "确认他人申请的特权授权");
const REFUSE: Action = Action::new("access.grant_request.refuse", "驳回或撤回特权授权申请");

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        get(READ, "/api/v1/access/grant-requests", list)
            .summary("特权角色的授权申请，新的在前")
            .query::<RequestQuery>()
            .ok::<GrantRequestList>(),
        create(REQUEST, "/api/v1/access/grant-requests", ask)
            .summary("申请授予特权角色，须由另一名管理员确认")
            .body::<GrantWish>()
            .created::<GrantRequestView>(),
        post(CONFIRM, "/api/v1/access/grant-requests/{id}/confirm", confirm)
            .summary("确认他人的申请，授权随即生效")
            .body::<RequestDecision>()
            .ok::<GrantRequestView>(),
        post(REFUSE, "/api/v1/access/grant-requests/{id}/refuse", refuse)
            .summary("驳回申请；本人提出的即为撤回")
            .body::<RequestDecision>()
            .ok::<GrantRequestView>(),
    ]
}

#[derive(Deserialize, IntoParams)]
struct RequestQuery {
    /// 账号编号
    account: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct RequestDecision {
    version: i64,
    /// 驳回或撤回时必填
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct GrantRequestList {
    items: Vec<GrantRequestView>,
}

#[derive(Serialize, ToSchema)]
struct GrantRequestView {
    id: String,
    version: i64,
    account_id: String,
    account_name: String,
    role: &'static str,
    role_name: &'static str,
    area_names: Vec<String>,
    /// 空值表示区划内全部部门
    agency_names: Option<Vec<String>>,
    /// 空值表示全部监管事项
    item_lines: Option<Vec<ItemLine>>,
    level: &'static str,
    valid_from: Option<String>,
    valid_to: Option<String>,
    reason: String,
    /// waiting、confirmed、refused、withdrawn 或 expired
    state: String,
    requested_by_name: String,
    requested_at: String,
    expires_at: String,
    decided_by_name: Option<String>,
    decided_at: Option<String>,
    decided_why: Option<String>,
    /// 申请人是本人
    own: bool,
    /// 本人可以确认
    may_confirm: bool,
}

/// The second person's own decision: whoever asked is the first.
fn resource(request: &GrantRequest) -> Resource {
    Resource::at(None, None).approved_by(request.two.requested_by.clone())
}

async fn view(access: &Access, caller: &Caller, request: GrantRequest) -> Answer<GrantRequestView> {
    let db = access.db();
    let names = store::agency_names(db).await?;
    let now = db.clock().now();
    let two = request.two;
    let state = two.standing(now);
    let own = two.is_by(&caller.actor.reference());
    let may_confirm = state == Standing::Waiting
        && caller.may(&CONFIRM)
        && !own
        && caller.actor.reference() != format!("account:{}", request.new.account_id);
    let decided_by_name = match &two.decided_by {
        Some(by) => Some(store::actor_name(db, by).await?),
        None => None,
    };
    let account = format!("account:{}", request.new.account_id);
    let scope = &request.new.scope;
    let agency_names = match &scope.agencies {
        mj_kernel::AgencySet::All => None,
        mj_kernel::AgencySet::Only(codes) => {
            Some(codes.iter().map(|code| names.get(code).unwrap_or(code).clone()).collect())
        }
    };
    Ok(GrantRequestView {
        version: request.version,
        account_name: store::actor_name(db, &account).await?,
        role: request.new.role.name(),
        role_name: request.new.role.title(),
        area_names: scope.areas.iter().map(|code| access.place(code)).collect(),
        agency_names,
        item_lines: access.item_lines(&scope.item_lines),
        level: level_name(scope.level),
        requested_by_name: store::actor_name(db, &two.requested_by).await?,
        requested_at: to_rfc3339(two.requested_at),
        expires_at: to_rfc3339(two.expires_at),
        decided_by_name,
        decided_at: (two.decided_at > 0).then(|| to_rfc3339(two.decided_at)),
        decided_why: two.decided_why,
        valid_from: request.new.valid_from,
        valid_to: request.new.valid_to,
        account_id: request.new.account_id,
        reason: request.reason,
        id: request.id,
        state: grant_request::name_of(state).to_owned(),
        own,
        may_confirm,
    })
}

async fn view_of(access: &Access, caller: &Caller, id: &str) -> Answer<GrantRequestView> {
    let request = grant_request::by_id(access.db(), id).await?.ok_or_else(Problem::not_found)?;
    view(access, caller, request).await
}

async fn list(
    State(access): State<Access>,
    caller: Caller,
    Query(query): Query<RequestQuery>,
) -> Answer<Json<GrantRequestList>> {
    let mut items = Vec::new();
    for request in grant_request::list(access.db(), query.account.as_deref()).await? {
        items.push(view(&access, &caller, request).await?);
    }
    Ok(Json(GrantRequestList { items }))
}

async fn ask(
    State(access): State<Access>,
    caller: Caller,
    input: Input<GrantWish>,
) -> Answer<Response> {
    let why = reason(input.value.reason.as_deref().unwrap_or_default())?;
    let new = new_grant(input.value)?;
    let id = own_id(new.id.as_deref())?;
    access.check_areas(&new.scope.areas)?;
    access.check_item_lines(&new.scope.item_lines)?;
    let told = access.told_in_log("申请授予", &new, Some(&why)).await?;
    let act = caller.act(format!("account:{}", new.account_id)).because(told);
    let mut tx = access.db().begin(Lane::People, act).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let body = view_of(&access, &caller, &earlier.object_id).await?;
            return Ok(replayed(&earlier, Json(body)));
        }
        Once::First(first) => first,
    };
    let today = mj_kernel::clock::beijing_date(tx.now());
    if grant_request::needs_second_person(new.role, new.scope.level, today)?.is_none() {
        return Err(Error::Invalid {
            field: "role", reason: "这个角色可以直接授予，不须申请"
        }
        .into());
    }
    grant_request::request(&mut tx, &id, &new, &why).await?;
    first.keep(&mut tx, StatusCode::CREATED, &id, 1).await?;
    tx.commit().await?;
    let body = view_of(&access, &caller, &id).await?;
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn confirm(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<RequestDecision>,
) -> Answer<Json<GrantRequestView>> {
    let request = grant_request::by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    caller.require(&resource(&request))?;
    let because = access.told_in_log("确认授予", &request.new, Some(&request.reason)).await?;
    let act = caller.act(format!("account:{}", request.new.account_id)).because(because);
    let mut tx = access.db().begin(Lane::People, act).await?;
    match grant_request::confirm(&mut tx, &request, input.value.version).await {
        Ok(_) => tx.commit().await?,
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
    input: Input<RequestDecision>,
) -> Answer<Json<GrantRequestView>> {
    let request = grant_request::by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    let why = reason(input.value.reason.as_deref().unwrap_or_default())?;
    let told = access.told_in_log("驳回或撤回申请授予", &request.new, Some(&why)).await?;
    let act = caller.act(format!("account:{}", request.new.account_id)).because(told);
    let mut tx = access.db().begin(Lane::People, act).await?;
    match grant_request::refuse(&mut tx, &request, input.value.version, &why).await {
        Ok(()) => tx.commit().await?,
        Err(Error::Platform(stale @ mj_platform::Error::Stale { .. })) => {
            drop(tx);
            return Err(Problem::from(stale).with_current(view_of(&access, &caller, &id).await?));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Json(view_of(&access, &caller, &id).await?))
}
