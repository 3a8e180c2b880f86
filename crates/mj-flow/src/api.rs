//! Work items over HTTP: the queue in the caller's scope, one item with its timeline, and the verbs.

use axum::Json;
use axum::extract::State as Of;
use mj_kernel::clock::to_rfc3339;
use mj_kernel::{Page, PageOf};
use mj_platform::outbox::EventHandler;
use mj_web::{Action, Answer, Caller, Input, Module, PathOf, Problem, Query, Resource, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Flow;
use crate::error::Error;
use crate::service::Doing;
use crate::state::{Kind, Verb};
use crate::store::{self, Step, Wanted, WorkItem};

pub const READ: Action = Action::new("flow.work_item.read", "查看待办");
pub const CLAIM: Action = Action::new("flow.work_item.claim", "认领待办");
pub const TRANSFER: Action = Action::new("flow.work_item.transfer", "转办");
pub const RETURN: Action = Action::new("flow.work_item.return", "退回");
pub const URGE: Action = Action::new("flow.work_item.urge", "催办");
pub const DECIDE: Action = Action::new("flow.work_item.decide", "办结待办");

pub fn module(flow: Flow) -> Module {
    let events = flow.clone();
    let handler = EventHandler::new("flow", move |event| {
        let flow = events.clone();
        async move { flow.on_event(&event).await.map_err(Into::into) }
    });
    Module::new("flow", "待办事项").event(handler).routes(flow, routes())
}

fn routes() -> Vec<mj_web::RouteOf<Flow>> {
    vec![
        get(READ, "/api/v1/flow/work-items", list)
            .summary("待办事项，期限近的在前")
            .query::<ListQuery>()
            .list::<WorkItemView>(),
        get(READ, "/api/v1/flow/work-items/{id}", read)
            .summary("一件待办事项和它的办理经过")
            .ok::<WorkItemView>(),
        post(CLAIM, "/api/v1/flow/work-items/{id}/claim", claim)
            .summary("认领")
            .body::<VerbRequest>()
            .ok::<WorkItemView>(),
        post(TRANSFER, "/api/v1/flow/work-items/{id}/transfer", transfer)
            .summary("转给另一个部门")
            .body::<VerbRequest>()
            .ok::<WorkItemView>(),
        post(RETURN, "/api/v1/flow/work-items/{id}/return", give_back)
            .summary("退回，由他人认领")
            .body::<VerbRequest>()
            .ok::<WorkItemView>(),
        post(URGE, "/api/v1/flow/work-items/{id}/urge", urge)
            .summary("催办")
            .body::<VerbRequest>()
            .ok::<WorkItemView>(),
        post(DECIDE, "/api/v1/flow/work-items/{id}/decide", decide)
            .summary("作出判断")
            .body::<VerbRequest>()
            .ok::<WorkItemView>(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
struct ListQuery {
    /// 状态；open 为所有待办的，done 为所有办过的
    state: Option<String>,
    kind: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// What every verb takes; which parts it needs depends on the verb.
#[derive(Debug, Deserialize, ToSchema)]
struct VerbRequest {
    /// 依据的版本
    version: i64,
    /// 原因：转办、退回、判断时必填
    reason: Option<String>,
    /// 判断：由事项种类决定可选值，例如 same、different
    decision: Option<String>,
    /// 转办给哪个部门（统一社会信用代码）
    agency: Option<String>,
    agency_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkItemView {
    pub id: String,
    pub version: i64,
    pub kind: String,
    pub kind_title: String,
    pub title: String,
    pub state: String,
    pub state_title: String,
    pub object_table: String,
    pub object_id: String,
    pub area_number: Option<String>,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    /// 由当前用户认领
    pub mine: bool,
    /// 最后期限（年-月-日）
    pub deadline: Option<String>,
    /// 催办次数
    pub urged: i64,
    pub verdict: Option<String>,
    pub created_at: String,
    #[schema(value_type = Object)]
    pub payload: serde_json::Value,
    /// 可选的判断
    pub verdicts: Vec<VerdictView>,
    /// 办理经过；列表中没有
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Vec<StepView>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VerdictView {
    pub name: String,
    pub title: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StepView {
    pub number: i64,
    pub at: String,
    pub verb: String,
    pub verb_title: String,
    pub state: String,
    pub state_title: String,
    pub actor: String,
    pub note: Option<String>,
}

fn view(item: WorkItem, caller: &Caller, steps: Option<Vec<Step>>) -> WorkItemView {
    let kind = Kind::of(&item.kind);
    let verdicts = kind.map(|kind| kind.verdicts).unwrap_or_default();
    WorkItemView {
        mine: item.assignee.as_deref() == Some(caller.actor.reference().as_str()),
        kind_title: kind.map_or_else(|| item.kind.clone(), |kind| kind.title.to_owned()),
        state: item.state.name().to_owned(),
        state_title: item.state.title().to_owned(),
        verdicts: verdicts
            .iter()
            .map(|(name, title)| VerdictView { name: (*name).into(), title: (*title).into() })
            .collect(),
        timeline: steps.map(|steps| steps.into_iter().map(step_view).collect()),
        id: item.id,
        version: item.version,
        kind: item.kind,
        title: item.title,
        object_table: item.object_table,
        object_id: item.object_id,
        area_number: item.area_number,
        agency: item.agency,
        agency_name: item.agency_name,
        deadline: item.deadline,
        urged: item.urged,
        verdict: item.verdict,
        created_at: to_rfc3339(item.created_at),
        payload: item.payload,
    }
}

fn step_view(step: Step) -> StepView {
    StepView {
        number: step.number,
        at: to_rfc3339(step.at),
        verb: step.verb.name().to_owned(),
        verb_title: step.verb.title().to_owned(),
        state: step.to_state.name().to_owned(),
        state_title: step.to_state.title().to_owned(),
        actor: step.actor,
        note: step.note,
    }
}

async fn list(
    Of(flow): Of<Flow>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Answer<Json<PageOf<WorkItemView>>> {
    let page = Page { limit: query.limit, cursor: query.cursor };
    let wanted = Wanted {
        state: query.state.as_deref(),
        kind: query.kind.as_deref(),
        cursor: page.cursor.as_deref(),
        limit: page.limit(),
    };
    let items = store::list(&flow.db, &caller, &wanted).await?;
    let views = items.into_iter().map(|item| view(item, &caller, None)).collect();
    let cursor = |item: &WorkItemView| store::cursor_of(item.deadline.as_deref(), &item.id);
    Ok(Json(PageOf::from_surplus(views, page.limit(), cursor)))
}

async fn read(
    Of(flow): Of<Flow>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<WorkItemView>> {
    shown(&flow, &caller, &id).await.map(Json)
}

/// The item as the caller may see it: out of scope gives the same 404 as missing.
async fn shown(flow: &Flow, caller: &Caller, id: &str) -> Result<WorkItemView, Problem> {
    let item = store::by_id_unscoped(&flow.db, id).await?;
    caller.require(&resource(&item))?;
    let steps = store::steps_unscoped(&flow.db, id).await?;
    Ok(view(item, caller, Some(steps)))
}

fn resource(item: &WorkItem) -> Resource {
    Resource::at(item.area_number.as_deref(), item.agency.as_deref())
}

async fn do_verb(
    flow: &Flow,
    caller: &Caller,
    id: &str,
    verb: Verb,
    request: VerbRequest,
) -> Answer<Json<WorkItemView>> {
    let item = store::by_id_unscoped(&flow.db, id).await?;
    caller.require(&resource(&item))?;
    let mut act = caller.act(format!("work_item:{id}"));
    act.reason = request.reason.clone();
    let doing = Doing {
        note: request.reason,
        agency: request.agency,
        agency_name: request.agency_name,
        verdict: request.decision,
    };
    match flow.act(act, id, request.version, verb, doing).await {
        Ok(()) => shown(flow, caller, id).await.map(Json),
        Err(error @ Error::Platform(mj_platform::Error::Stale { .. })) => {
            let current = shown(flow, caller, id).await?;
            Err(Problem::from(error).with_current(current))
        }
        Err(error) => Err(error.into()),
    }
}

async fn claim(
    Of(flow): Of<Flow>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<VerbRequest>,
) -> Answer<Json<WorkItemView>> {
    do_verb(&flow, &caller, &id, Verb::Claim, input.value).await
}

async fn transfer(
    Of(flow): Of<Flow>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<VerbRequest>,
) -> Answer<Json<WorkItemView>> {
    do_verb(&flow, &caller, &id, Verb::Transfer, input.value).await
}

async fn give_back(
    Of(flow): Of<Flow>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<VerbRequest>,
) -> Answer<Json<WorkItemView>> {
    do_verb(&flow, &caller, &id, Verb::Return, input.value).await
}

async fn urge(
    Of(flow): Of<Flow>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<VerbRequest>,
) -> Answer<Json<WorkItemView>> {
    do_verb(&flow, &caller, &id, Verb::Urge, input.value).await
}

async fn decide(
    Of(flow): Of<Flow>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<VerbRequest>,
) -> Answer<Json<WorkItemView>> {
    do_verb(&flow, &caller, &id, Verb::Decide, input.value).await
}
