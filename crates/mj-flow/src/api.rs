//! Work items over HTTP: the queue in the caller's scope, one item with its timeline, and the verbs.

use axum::Json;
use axum::extract::State as Of;
use axum::response::Response;
use mj_kernel::clock::{beijing_date, to_rfc3339};
use mj_kernel::{Page, PageOf};
use mj_platform::outbox::EventHandler;
use mj_web::{
    Action, ActorNames, Answer, Caller, Column, Export, ExportRequest, Input, Module, PathOf,
    Problem, Query, Resource, Sort, get, post,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Flow;
use crate::bulk;
use crate::error::Error;
use crate::notice::is_for;
use crate::service::Doing;
use crate::state::{KINDS, Kind, Verb};
use crate::store::{self, Step, Wanted, WorkItem};

pub const READ: Action = Action::new("flow.work_item.read", "查看待办");
pub const CLAIM: Action = Action::new("flow.work_item.claim", "认领待办");
pub const TRANSFER: Action = Action::new("flow.work_item.transfer", "转办");
pub const RETURN: Action = Action::new("flow.work_item.return", "退回");
pub const URGE: Action = Action::new("flow.work_item.urge", "催办");
pub const DECIDE: Action = Action::new("flow.work_item.decide", "办结待办");
pub const PRESENCE: Action = Action::new("flow.presence.update", "显示谁在看同一条记录");

/// Three days ahead counts as soon: before this many days from now.
const SOON_DAYS: u64 = 4;
/// Longest name of a record in a heartbeat.
const MOST_OBJECT: usize = 120;

pub fn module(flow: Flow) -> Module {
    let events = flow.clone();
    let handler = EventHandler::new("flow", move |event| {
        let flow = events.clone();
        async move { flow.on_event(&event).await.map_err(Into::into) }
    });
    Module::new("flow", "待办事项")
        .event(handler)
        .routes(flow.clone(), routes())
        .routes(flow, bulk::routes())
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
        post(READ, "/api/v1/flow/work-items/export", export)
            .summary("导出待办列表：与所见一致的筛选和列")
            .body::<ExportRequest>()
            .binary("text/csv"),
        get(READ, "/api/v1/flow/kinds", kinds).summary("事项的种类").ok::<KindList>(),
        post(PRESENCE, "/api/v1/flow/presence", presence)
            .summary("心跳：我正在看这条记录；答复还有谁在看")
            .body::<PresenceBeat>()
            .ok::<PresenceView>(),
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
            .summary("作出判断；还没有人认领的，同时认领")
            .body::<VerbRequest>()
            .ok::<WorkItemView>(),
        post(DECIDE, "/api/v1/flow/work-items/{id}/reopen", reopen)
            .summary("撤销自己作出的判断")
            .body::<VerbRequest>()
            .ok::<WorkItemView>(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
struct ListQuery {
    /// 状态；open 为所有待办的，done 为所有办过的
    state: Option<String>,
    kind: Option<String>,
    /// 标题的一部分
    q: Option<String>,
    /// 写 me 只看自己的
    assignee: Option<String>,
    /// 部门（统一社会信用代码）
    agency: Option<String>,
    /// overdue（已逾期）或 soon（三天内到期，含逾期）
    due: Option<String>,
    /// created、urged；前面加“-”为降序；不写则期限近的在前
    sort: Option<String>,
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
    /// 转办给哪位同事（账号编号）；只有这位同事能认领
    account: Option<String>,
}

impl From<VerbRequest> for Doing {
    fn from(request: VerbRequest) -> Self {
        Self {
            note: request.reason,
            agency: request.agency,
            agency_name: request.agency_name,
            account: request.account,
            verdict: request.decision,
        }
    }
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
    /// 由当前用户认领，或指名转给当前用户
    pub mine: bool,
    /// 认领人
    pub assignee_name: Option<String>,
    /// 当前用户可以撤销自己的判断
    pub may_reopen: bool,
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
    pub timeline: Option<Vec<WorkStepView>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VerdictView {
    pub name: String,
    pub title: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkStepView {
    pub number: i64,
    pub at: String,
    pub verb: String,
    pub verb_title: String,
    pub state: String,
    pub state_title: String,
    pub actor: String,
    pub actor_name: String,
    pub note: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct KindView {
    name: String,
    title: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct KindList {
    items: Vec<KindView>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct PresenceBeat {
    /// 记录，例如 work_item:0197…
    object: String,
    /// 离开
    #[serde(default)]
    leave: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct PresentColleague {
    name: String,
    since: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct PresenceView {
    others: Vec<PresentColleague>,
}

/// Everybody a list or a timeline names.
async fn names(caller: &Caller, items: &[WorkItem], steps: &[Step]) -> Result<ActorNames, Problem> {
    let assignees = items.iter().filter_map(|item| item.assignee.clone());
    let actors = steps.iter().map(|step| step.actor.clone());
    caller.names_of(assignees.chain(actors).collect()).await
}

pub(crate) fn view(
    item: WorkItem,
    caller: &Caller,
    steps: Option<Vec<Step>>,
    names: &ActorNames,
) -> WorkItemView {
    let kind = Kind::of(&item.kind);
    let verdicts = kind.map(|kind| kind.verdicts).unwrap_or_default();
    let mine = item.assignee.as_deref() == Some(caller.actor.reference().as_str());
    let reversible = kind.is_some_and(|kind| kind.is_reversible);
    WorkItemView {
        mine,
        may_reopen: mine && reversible && !item.state.is_open() && item.verdict.is_some(),
        assignee_name: item.assignee.as_deref().map(|who| names.of(who)),
        kind_title: kind.map_or_else(|| item.kind.clone(), |kind| kind.title.to_owned()),
        state: item.state.name().to_owned(),
        state_title: item.state.title().to_owned(),
        verdicts: verdicts
            .iter()
            .map(|(name, title)| VerdictView { name: (*name).into(), title: (*title).into() })
            .collect(),
        timeline: steps.map(|steps| steps.into_iter().map(|step| step_view(step, names)).collect()),
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

fn step_view(step: Step, names: &ActorNames) -> WorkStepView {
    WorkStepView {
        number: step.number,
        at: to_rfc3339(step.at),
        verb: step.verb.name().to_owned(),
        verb_title: step.verb.title().to_owned(),
        state: step.to_state.name().to_owned(),
        state_title: step.to_state.title().to_owned(),
        actor_name: names.of(&step.actor),
        actor: step.actor,
        note: step.note,
    }
}

async fn page_of(
    flow: &Flow,
    caller: &Caller,
    query: &ListQuery,
    page: &Page,
) -> Answer<PageOf<WorkItemView>> {
    let today = beijing_date(flow.db.clock().now());
    let due_before = match query.due.as_deref() {
        Some("overdue") => Some(today.to_string()),
        Some("soon") => Some((today + chrono::Days::new(SOON_DAYS)).to_string()),
        _ => None,
    };
    let sort = Sort::parse(query.sort.as_deref(), &store::SORTABLE);
    let me = caller.actor.reference();
    let wanted = Wanted {
        state: query.state.as_deref(),
        kind: query.kind.as_deref(),
        q: query.q.as_deref(),
        assignee: (query.assignee.as_deref() == Some("me")).then_some(me.as_str()),
        agency: query.agency.as_deref(),
        due_before,
        sort,
        cursor: page.cursor.as_deref(),
        limit: page.limit(),
    };
    let items = store::list(&flow.db, caller, &wanted).await?;
    let items = PageOf::from_surplus(items, page.limit(), |item| store::cursor_of(item, sort));
    let names = names(caller, &items.items, &[]).await?;
    Ok(items.map(|item| view(item, caller, None, &names)))
}

async fn list(
    Of(flow): Of<Flow>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Answer<Json<PageOf<WorkItemView>>> {
    let page = Page { limit: query.limit, cursor: query.cursor.clone() };
    page_of(&flow, &caller, &query, &page).await.map(Json)
}

/// The list as a file: the same filters, the same columns.
async fn export(
    Of(flow): Of<Flow>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let query: ListQuery = input.value.query()?;
    let mut file =
        Export::open(&flow.db, &caller, "flow.work_items", "待办事项", &COLUMNS, input.value)?;
    let mut page = Page { limit: Some(Page::MAX), cursor: None };
    loop {
        let found = page_of(&flow, &caller, &query, &page).await?;
        for item in &found.items {
            file.push(item)?;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    file.finish(&flow.db, &caller).await
}

/// The columns of the list, by the names under which the workbench knows them.
static COLUMNS: [Column<WorkItemView>; 9] = [
    Column { name: "title", title: "事项", cell: |one| Some(one.title.clone()) },
    Column { name: "kind", title: "种类", cell: |one| Some(one.kind_title.clone()) },
    Column { name: "state", title: "状态", cell: |one| Some(one.state_title.clone()) },
    Column { name: "deadline", title: "期限", cell: |one| one.deadline.clone() },
    Column { name: "agency", title: "承办单位", cell: |one| one.agency_name.clone() },
    Column { name: "assignee", title: "认领人", cell: |one| one.assignee_name.clone() },
    Column { name: "area", title: "行政区划", cell: |one| one.area_number.clone() },
    Column { name: "urged", title: "催办次数", cell: |one| Some(one.urged.to_string()) },
    Column { name: "created", title: "产生时间", cell: |one| Some(one.created_at.clone()) },
];

async fn kinds(Of(_): Of<Flow>, _caller: Caller) -> Answer<Json<KindList>> {
    let items = KINDS
        .iter()
        .map(|kind| KindView { name: kind.name.into(), title: kind.title.into() })
        .collect();
    Ok(Json(KindList { items }))
}

/// Only colleagues hear of each other, and only whoever has the record open, too.
async fn presence(
    Of(flow): Of<Flow>,
    caller: Caller,
    input: Input<PresenceBeat>,
) -> Answer<Json<PresenceView>> {
    let object = input.value.object;
    let fits = object.len() <= MOST_OBJECT && object.bytes().all(|b| b.is_ascii_graphic());
    if !fits || !object.contains(':') {
        return Err(Problem::invalid("flow.object", "记录的标识不对"));
    }
    let me = caller.actor.reference();
    if input.value.leave {
        flow.presence.leave(&object, &me);
        return Ok(Json(PresenceView { others: Vec::new() }));
    }
    let others = flow.presence.beat(&object, &me, flow.db.clock().now());
    let names = caller.names_of(others.iter().map(|(who, _)| who.clone()).collect()).await?;
    let others = others
        .into_iter()
        .map(|(who, since)| PresentColleague { name: names.of(&who), since: to_rfc3339(since) })
        .collect();
    Ok(Json(PresenceView { others }))
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
    reach(caller, &item)?;
    let steps = store::steps_unscoped(&flow.db, id).await?;
    let names = names(caller, std::slice::from_ref(&item), &steps).await?;
    Ok(view(item, caller, Some(steps), &names))
}

/// What is out of scope, or for others, is not there.
pub(crate) fn reach(caller: &Caller, item: &WorkItem) -> Result<(), Problem> {
    caller.require(&Resource::at(item.area_number.as_deref(), item.agency.as_deref()))?;
    if is_for(&caller.actor, item) { Ok(()) } else { Err(Problem::not_found()) }
}

async fn do_verb(
    flow: &Flow,
    caller: &Caller,
    id: &str,
    verb: Verb,
    request: VerbRequest,
) -> Answer<Json<WorkItemView>> {
    let item = store::by_id_unscoped(&flow.db, id).await?;
    reach(caller, &item)?;
    let mut act = caller.act(format!("work_item:{id}"));
    act.reason = request.reason.clone();
    let version = request.version;
    match flow.act(act, id, version, verb, request.into()).await {
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

async fn reopen(
    Of(flow): Of<Flow>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<VerbRequest>,
) -> Answer<Json<WorkItemView>> {
    do_verb(&flow, &caller, &id, Verb::Reopen, input.value).await
}
