//! One verb on many items. First a preview that writes nothing and says of each item what would become of
//! it; then the same, each item in a transaction of its own, so that one that was taken meanwhile holds
//! nobody up. The rules are those of the single verb.

use axum::Json;
use axum::extract::State as Of;
use mj_kernel::clock::beijing_date;
use mj_web::{Answer, Caller, Input, Problem, RouteOf, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Flow;
use crate::api::{CLAIM, RETURN, TRANSFER, URGE, reach};
use crate::error::Error;
use crate::service::{Doing, bulk_most};
use crate::state::Verb;
use crate::store;

pub fn routes() -> Vec<RouteOf<Flow>> {
    vec![
        post(CLAIM, "/api/v1/flow/bulk/claim", claim)
            .summary("批量认领；preview 为真时只预览")
            .body::<BulkRequest>()
            .ok::<BulkOutcome>(),
        post(TRANSFER, "/api/v1/flow/bulk/transfer", transfer)
            .summary("批量转办；preview 为真时只预览")
            .body::<BulkRequest>()
            .ok::<BulkOutcome>(),
        post(RETURN, "/api/v1/flow/bulk/return", give_back)
            .summary("批量退回；preview 为真时只预览")
            .body::<BulkRequest>()
            .ok::<BulkOutcome>(),
        post(URGE, "/api/v1/flow/bulk/urge", urge)
            .summary("批量催办；preview 为真时只预览")
            .body::<BulkRequest>()
            .ok::<BulkOutcome>(),
    ]
}

#[derive(Debug, Deserialize, ToSchema)]
struct BulkItem {
    id: String,
    /// 依据的版本
    version: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
struct BulkRequest {
    items: Vec<BulkItem>,
    /// 转办、退回必填
    reason: Option<String>,
    agency: Option<String>,
    agency_name: Option<String>,
    account: Option<String>,
    /// 只预览，不改动
    #[serde(default)]
    preview: bool,
}

/// 一件事项的结果
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct BulkLine {
    id: String,
    title: String,
    done: bool,
    from_title: String,
    to_title: Option<String>,
    /// 办不成的原因
    problem: Option<String>,
    /// 之后的版本，供撤销
    version: i64,
    agency: Option<String>,
    agency_name: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct BulkOutcome {
    lines: Vec<BulkLine>,
    done: usize,
    failed: usize,
}

async fn run(
    flow: &Flow,
    caller: &Caller,
    verb: Verb,
    request: BulkRequest,
) -> Answer<Json<BulkOutcome>> {
    let most = bulk_most(beijing_date(flow.db.clock().now()))?;
    if request.items.len() > most {
        return Err(Error::TooMany(most).into());
    }
    let doing = Doing {
        note: request.reason,
        agency: request.agency,
        agency_name: request.agency_name,
        account: request.account,
        verdict: None,
    };
    let mut lines = Vec::with_capacity(request.items.len());
    for one in &request.items {
        lines.push(line(flow, caller, verb, one, &doing, request.preview).await?);
    }
    let done = lines.iter().filter(|line| line.done).count();
    Ok(Json(BulkOutcome { failed: lines.len() - done, done, lines }))
}

async fn line(
    flow: &Flow,
    caller: &Caller,
    verb: Verb,
    one: &BulkItem,
    doing: &Doing,
    preview: bool,
) -> Answer<BulkLine> {
    let refuse = async |problem: Problem| {
        caller.refused_one(&problem, "work-items", &one.id).await;
        BulkLine {
            id: one.id.clone(),
            title: String::new(),
            done: false,
            from_title: String::new(),
            to_title: None,
            problem: Some(said(&problem)),
            version: one.version,
            agency: None,
            agency_name: None,
        }
    };
    let item = match store::by_id_unscoped(&flow.db, &one.id).await {
        Ok(item) => item,
        Err(Error::UnknownItem) => return Ok(refuse(Problem::not_found()).await),
        Err(error) => return Err(error.into()),
    };
    // out of reach and missing are told alike
    if let Err(problem) = reach(caller, &item) {
        return Ok(refuse(problem).await);
    }
    let mut line = BulkLine {
        id: item.id.clone(),
        title: item.title.clone(),
        done: false,
        from_title: item.state.title().to_owned(),
        to_title: None,
        problem: None,
        version: item.version,
        agency: item.agency.clone(),
        agency_name: item.agency_name.clone(),
    };
    match flow.would(&caller.actor.reference(), &item, one.version, verb, doing) {
        Ok(to) => line.to_title = Some(to.title().to_owned()),
        Err(error) => {
            line.problem = Some(said(&error.into()));
            return Ok(line);
        }
    }
    if preview {
        line.done = true;
        return Ok(line);
    }
    let mut act = caller.act(format!("work_item:{}", one.id));
    act.reason = doing.note.clone();
    match flow.act(act, &one.id, one.version, verb, doing.clone()).await {
        Ok(()) => {
            line.done = true;
            line.version = store::by_id_unscoped(&flow.db, &one.id).await?.version;
        }
        Err(error) => {
            line.to_title = None;
            line.problem = Some(said(&error.into()));
        }
    }
    Ok(line)
}

fn said(problem: &Problem) -> String {
    if problem.detail.is_empty() {
        problem.title.clone()
    } else {
        format!("{}。{}", problem.title, problem.detail)
    }
}

async fn claim(
    Of(flow): Of<Flow>,
    caller: Caller,
    input: Input<BulkRequest>,
) -> Answer<Json<BulkOutcome>> {
    run(&flow, &caller, Verb::Claim, input.value).await
}

async fn transfer(
    Of(flow): Of<Flow>,
    caller: Caller,
    input: Input<BulkRequest>,
) -> Answer<Json<BulkOutcome>> {
    run(&flow, &caller, Verb::Transfer, input.value).await
}

async fn give_back(
    Of(flow): Of<Flow>,
    caller: Caller,
    input: Input<BulkRequest>,
) -> Answer<Json<BulkOutcome>> {
    run(&flow, &caller, Verb::Return, input.value).await
}

async fn urge(
    Of(flow): Of<Flow>,
    caller: Caller,
    input: Input<BulkRequest>,
) -> Answer<Json<BulkOutcome>> {
    run(&flow, &caller, Verb::Urge, input.value).await
}
