//! The record of refusals, for the audit administrator.

use axum::Json;
use axum::extract::State;
use mj_kernel::clock::to_rfc3339;
use mj_web::{Action, Answer, Caller, Query, RouteOf, get};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::Error;
use crate::model::check_day;
use crate::refusal::{self, Kept, Outcome, Wanted};
use crate::{Access, matrix, store};

const READ: Action = Action::new("access.refusal.read", "查看拒绝记录");

/// Rows of one answer; who wants others asks for a day or an account.
const MOST: usize = 500;

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        get(READ, "/api/v1/access/refusals", list)
            .summary("拒绝记录：按小时、账号、操作和结果合并计数，最近的在前")
            .query::<RefusalQuery>()
            .ok::<RefusalList>(),
    ]
}

#[derive(Deserialize, IntoParams)]
struct RefusalQuery {
    /// 日期（北京时间），如 2026-11-20
    day: Option<String>,
    /// 账号编号
    account: Option<String>,
    /// 登录名，或姓名的一部分
    q: Option<String>,
    /// denied：无权；out_of_scope：不在范围内；barred：执法证不允许；probing：反复试探
    outcome: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct RefusalList {
    items: Vec<RefusalView>,
    /// 还有更早的没有列出
    more: bool,
}

#[derive(Serialize, ToSchema)]
struct RefusalView {
    id: String,
    /// 空值：部门系统、应急启用，或当日过多而合并
    account_id: Option<String>,
    /// 空值：当日拒绝过多，不再分账号
    who: Option<String>,
    /// 操作的稳定名称；空值表示该账号此时的其余操作合并计数
    action: Option<String>,
    action_title: Option<String>,
    outcome: &'static str,
    outcome_name: &'static str,
    /// 首次所要的对象，只留种类和编号
    object_kind_name: Option<&'static str>,
    object_id: Option<String>,
    /// 首次的网络来源代号，同一来源的代号相同
    source: Option<String>,
    /// 次数，每分钟更新
    tries: i64,
    first_at: String,
    last_at: String,
    /// 监管日志中记载首次的条目序号
    log_seq: Option<i64>,
}

async fn list(
    State(access): State<Access>,
    _caller: Caller,
    Query(query): Query<RefusalQuery>,
) -> Answer<Json<RefusalList>> {
    let given = |text: &Option<String>| {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let (day, who, account) = (given(&query.day), given(&query.q), given(&query.account));
    if let Some(day) = &day {
        check_day("day", day)?;
    }
    let outcome = match given(&query.outcome) {
        None => None,
        Some(name) => Some(Outcome::parse(&name).ok_or(Error::Invalid {
            field: "outcome",
            reason: "应为 denied、out_of_scope、barred 或 probing",
        })?),
    };
    let actor = account.map(|id| format!("account:{id}"));
    let wanted =
        Wanted { day: day.as_deref(), who: who.as_deref(), actor: actor.as_deref(), outcome };
    let mut found = refusal::list(access.db(), &wanted, MOST + 1).await?;
    let more = found.len() > MOST;
    found.truncate(MOST);
    let mut items = Vec::with_capacity(found.len());
    for kept in found {
        items.push(view(&access, kept).await?);
    }
    Ok(Json(RefusalList { items, more }))
}

async fn view(access: &Access, kept: Kept) -> Answer<RefusalView> {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let who = match kept.actor.as_str() {
        "" => None,
        actor => Some(store::actor_name(access.db(), actor).await?),
    };
    Ok(RefusalView {
        account_id: kept.actor.strip_prefix("account:").map(str::to_owned),
        who,
        action_title: some(kept.action.clone())
            .map(|action| matrix::title_of(&action).map_or_else(|| action.clone(), str::to_owned)),
        action: some(kept.action),
        outcome: kept.outcome.name(),
        outcome_name: kept.outcome.title(),
        object_kind_name: refusal::kind_title(&kept.object_kind),
        object_id: some(kept.object_id),
        source: some(kept.source),
        tries: kept.tries,
        first_at: to_rfc3339(kept.first_at),
        last_at: to_rfc3339(kept.last_at),
        log_seq: kept.log_seq,
        id: kept.id,
    })
}
