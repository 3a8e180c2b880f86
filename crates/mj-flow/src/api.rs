//! Work items over HTTP.

use axum::Json;
use axum::extract::State;
use mj_kernel::{Page, PageOf};
use mj_web::{Action, Answer, Caller, Input, Module, PathOf, Query, Resource, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::Error;
use crate::service::{Flow, Move, PARTY_PAIR, VERDICTS};
use crate::state::{State as Stand, Verb};
use crate::store::{self, Row};

const READ: Action = Action::new("flow.work_item.read", "查看待办");
const CLAIM: Action = Action::new("flow.work_item.claim", "认领待办");
const TRANSFER: Action = Action::new("flow.work_item.transfer", "转办");
const RETURN: Action = Action::new("flow.work_item.return", "退回");
const URGE: Action = Action::new("flow.work_item.urge", "催办");
const DECIDE: Action = Action::new("flow.work_item.decide", "办结待办");

pub fn module(flow: &Flow) -> Module {
    Module::new("flow", "工作项")
        .routes(
            flow.clone(),
            vec![
                get(READ, "/api/v1/flow/work-items", list)
                    .summary("待办和复核队列，按期限排列")
                    .query::<ListQuery>()
                    .list::<WorkItem>(),
                get(READ, "/api/v1/flow/work-items/{id}", read)
                    .summary("一个工作项和它的经过")
                    .ok::<WorkItem>(),
                post(CLAIM, "/api/v1/flow/work-items/{id}/claim", claim)
                    .summary("认领")
                    .body::<MoveRequest>()
                    .ok::<WorkItem>(),
                post(TRANSFER, "/api/v1/flow/work-items/{id}/transfer", transfer)
                    .summary("转给另一部门")
                    .body::<MoveRequest>()
                    .ok::<WorkItem>(),
                post(RETURN, "/api/v1/flow/work-items/{id}/return", give_back)
                    .summary("退回队列")
                    .body::<MoveRequest>()
                    .ok::<WorkItem>(),
                post(URGE, "/api/v1/flow/work-items/{id}/urge", urge)
                    .summary("催办")
                    .body::<MoveRequest>()
                    .ok::<WorkItem>(),
                post(DECIDE, "/api/v1/flow/work-items/{id}/decide", decide)
                    .summary("办结")
                    .body::<MoveRequest>()
                    .ok::<WorkItem>(),
            ],
        )
        .event(flow.handler())
}

#[derive(Debug, Deserialize, IntoParams)]
struct ListQuery {
    /// received, claimed, returned, closed；open 为全部未办结
    state: Option<String>,
    kind: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct MoveRequest {
    /// 所依据的版本
    version: i64,
    /// 理由或备注
    reason: Option<String>,
    /// 办结意见：same、different、unsure
    decision: Option<String>,
    /// 转办到的部门（统一社会信用代码）
    agency: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct WorkItem {
    id: String,
    version: i64,
    kind: String,
    kind_title: String,
    title: String,
    state: String,
    state_title: String,
    object_table: String,
    object_id: String,
    area_number: Option<String>,
    agency: Option<String>,
    agency_name: Option<String>,
    /// 是否由当前用户认领
    mine: bool,
    /// 期限，YYYY-MM-DD
    deadline: Option<String>,
    urged: i64,
    decision: Option<String>,
    created_at: String,
    /// 与事由有关的内容
    payload: serde_json::Value,
    /// 可选的办结意见
    decisions: Vec<Choice>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    timeline: Vec<TimelineStep>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Choice {
    value: String,
    title: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct TimelineStep {
    verb: String,
    verb_title: String,
    state_title: String,
    actor: String,
    at: String,
    note: Option<String>,
}

fn shown(row: Row, caller: &Caller, steps: Vec<store::Step>) -> WorkItem {
    let title_of = |state: &str| -> String {
        Stand::parse(state).map_or_else(|| state.to_owned(), |stand| stand.title().to_owned())
    };
    WorkItem {
        kind_title: match row.kind.as_str() {
            PARTY_PAIR => "疑似同一对象".into(),
            other => other.to_owned(),
        },
        state_title: title_of(&row.state),
        mine: row.assignee.as_deref() == Some(&caller.actor.reference()),
        created_at: mj_kernel::clock::to_rfc3339(row.created_at),
        payload: serde_json::from_str(&row.payload).unwrap_or_default(),
        decisions: VERDICTS
            .iter()
            .map(|(value, title)| Choice { value: (*value).into(), title: (*title).into() })
            .collect(),
        timeline: steps
            .into_iter()
            .map(|step| TimelineStep {
                verb_title: Verb::parse(&step.verb).map_or("接收", Verb::title).into(),
                state_title: title_of(&step.to_state),
                verb: step.verb,
                actor: step.actor,
                at: mj_kernel::clock::to_rfc3339(step.at),
                note: step.note,
            })
            .collect(),
        id: row.id,
        version: row.version,
        kind: row.kind,
        title: row.title,
        state: row.state,
        object_table: row.object_table,
        object_id: row.object_id,
        area_number: row.area_number,
        agency: row.agency,
        agency_name: row.agency_name,
        deadline: row.deadline,
        urged: row.urged,
        decision: row.verdict,
    }
}

async fn list(
    State(flow): State<Flow>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Answer<Json<PageOf<WorkItem>>> {
    let page = Page { limit: query.limit, cursor: query.cursor };
    let rows =
        store::list(flow.db(), &caller, query.state.as_deref(), query.kind.as_deref(), &page)
            .await?;
    let rows = PageOf::from_surplus(rows, page.limit(), |row| {
        format!("{}_{}", row.deadline.as_deref().unwrap_or("9999"), row.id)
    });
    Ok(Json(rows.map(|row| shown(row, &caller, Vec::new()))))
}

/// The item, if the caller may do this route's action on it.
async fn own(flow: &Flow, caller: &Caller, id: &str) -> Answer<Row> {
    let row = store::find_unscoped(flow.db(), id).await?.ok_or(Error::NotFound)?;
    caller.require(&Resource::at(row.area_number.as_deref(), None))?;
    Ok(row)
}

async fn read(
    State(flow): State<Flow>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<WorkItem>> {
    let row = own(&flow, &caller, &id).await?;
    let steps = store::steps(flow.db(), &id).await?;
    Ok(Json(shown(row, &caller, steps)))
}

async fn moved(
    flow: Flow,
    caller: Caller,
    id: String,
    said: MoveRequest,
    verb: Verb,
) -> Answer<Json<WorkItem>> {
    own(&flow, &caller, &id).await?;
    let said = Move {
        verb,
        version: said.version,
        note: said.reason.as_deref(),
        verdict: said.decision.as_deref(),
        to_agency: said.agency.as_deref(),
    };
    let row = flow.act(&caller, &id, said).await?;
    let steps = store::steps(flow.db(), &id).await?;
    Ok(Json(shown(row, &caller, steps)))
}

macro_rules! moves {
    ($($name:ident $verb:ident),+ $(,)?) => {$(
        async fn $name(
            State(flow): State<Flow>,
            caller: Caller,
            PathOf(id): PathOf<String>,
            input: Input<MoveRequest>,
        ) -> Answer<Json<WorkItem>> {
            moved(flow, caller, id, input.value, Verb::$verb).await
        }
    )+};
}

moves! { claim Claim, transfer Transfer, give_back Return, urge Urge, decide Decide }
