//! Mending over HTTP: one row in place, many rows by a rule, rows typed anew. Everything is judged by the
//! pipeline's own checks before anybody confirms it, and comes in through the ordinary door.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mj_kernel::clock::{beijing_date, to_rfc3339};
use mj_platform::Lane;
use mj_web::{Answer, Caller, Input, Once, PathOf, replayed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::batches::load;
use super::shapes::IssueView;
use super::{resource, visible};
use crate::Datahub;
use crate::channel;
use crate::error::{Error, Result};
use crate::ingest::read::looks_personal;
use crate::mend;
use crate::model::{Batch, Channel};
use crate::repair::checker::{Checker, arrange, shown};
use crate::repair::fix::Fix;
use crate::repair::groups::{self, Choice, Group};
use crate::repair::run::{self, Plan, Repair, Tried};
use crate::repair::{deadline, rule_number};
use crate::store;

/// Lines of a preview that are shown.
const MOST_LINES: usize = 200;

/// 错误行的一格
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CellView {
    pub column: String,
    pub title: String,
    /// 报送的原值；个人信息已遮挡，不改就按原值重报
    pub value: String,
    pub personal: bool,
    pub required: bool,
    pub kind: String,
    pub max: Option<u64>,
    pub choices: Vec<Choice>,
}

/// 一条错误记录的全部单元格
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorCells {
    pub row: i64,
    /// open | mended
    pub state: String,
    pub cells: Vec<CellView>,
    pub issues: Vec<IssueView>,
}

/// 一行数据检查后的结果
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RowCheck {
    pub passes: bool,
    pub issues: Vec<IssueView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GroupList {
    pub groups: Vec<Group>,
    /// 待改正的行数
    pub open: i64,
    /// 行数太多，只看了前面的
    pub cut: bool,
    /// 改正期限（年-月-日）
    pub deadline: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct RepairRequest {
    pub rule: String,
    pub column: String,
    pub fix: Fix,
    /// 改正的依据；预览时不需要
    pub reason: Option<String>,
}

impl RepairRequest {
    fn plan(&self) -> Plan {
        Plan { rule: self.rule.clone(), column: self.column.clone(), fix: self.fix.clone() }
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TriedView {
    pub row: i64,
    /// 原值已遮挡，可以申请查看
    pub masked: bool,
    pub before: String,
    pub after: String,
    pub passes: bool,
    pub left: Vec<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RepairPreview {
    pub title: String,
    pub matched: usize,
    pub passing: usize,
    /// 前 200 行，先列还通不过的
    pub lines: Vec<TriedView>,
}

/// 一次按规则的改正
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RepairView {
    pub id: String,
    pub batch_id: String,
    pub title: String,
    pub reason: String,
    /// waiting | cancelled | submitted | empty
    pub state: String,
    pub matched: i64,
    /// 通过检查、已重报的行数
    pub submitted: i64,
    pub result_batch: Option<String>,
    /// 其中已改正入库的行数
    pub mended: i64,
    pub actor_name: String,
    pub created_at: String,
    /// 执行到百分之几：检查各行、入库各占一半
    pub percent: i64,
    /// 此刻之前可以撤销
    pub run_at: String,
    pub finished_at: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RepairList {
    pub items: Vec<RepairView>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct CheckRequest {
    pub cd_source: String,
    /// 列（标识或中文名称），按先后
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CheckOutcome {
    pub rows: Vec<RowCheck>,
    /// 这张表不能在线填报的原因
    pub refusal: Option<String>,
    /// 一次最多填多少个单元格
    pub most_cells: u32,
}

/// 有待改正错误的批次
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OpenErrorsView {
    pub batch_id: String,
    pub table: String,
    pub table_title: String,
    pub cd_batch: String,
    pub cd_source: String,
    pub source_name: String,
    pub agency_name: Option<String>,
    pub open: i64,
    pub errors: i64,
    pub settled_at: Option<String>,
    pub deadline: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OpenErrorsList {
    pub items: Vec<OpenErrorsView>,
    pub open: i64,
}

fn due(batch: &Batch) -> Result<Option<String>> {
    let Some(at) = batch.settled_at else { return Ok(None) };
    Ok(Some(deadline(beijing_date(at))?.to_string()))
}

/// The cells of one refused row, to be mended in place.
pub async fn cells(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf((id, row)): PathOf<(String, i64)>,
) -> Answer<Json<ErrorCells>> {
    let (batch, _) = load(&hub, &caller, &id).await?;
    let table = hub.table(&batch.table)?;
    let (known, raw) =
        store::error_row::one(&hub.db, &id, row).await?.ok_or(Error::UnknownErrorRow)?;
    let header = batch.header.clone().unwrap_or_default();
    let delivered = mend::opened(&hub, &batch, row, &raw).await?;
    let values = arrange(table, &header, delivered);
    let faulty = |name: &str| known.issues.iter().any(|issue| issue.column == name);
    let cells = table
        .columns
        .iter()
        .enumerate()
        .filter(|(at, column)| {
            let named = || header.iter().any(|one| *one == column.title || *one == column.name);
            let own = !column.envelope && (column.required || named());
            faulty(&column.name) || values[*at].is_some() || own
        })
        .map(|(at, column)| {
            // swapped columns put a person's number where the standard expects none
            let personal =
                table.is_personal(at, &values) || values[at].as_deref().is_some_and(looks_personal);
            let list = column.code_list.as_ref();
            CellView {
                column: column.name.clone(),
                title: column.title.clone(),
                value: shown(
                    table,
                    at,
                    values[at].as_deref(),
                    if personal { std::slice::from_ref(&at) } else { &[] },
                ),
                personal,
                required: column.required,
                kind: column.ty.name().to_owned(),
                max: column.max_len.map(|most| most as u64),
                choices: list
                    .filter(|list| list.entries.len() <= MOST_LINES)
                    .map(|list| {
                        let entries = list.entries.iter();
                        entries
                            .map(|entry| Choice {
                                code: entry.code.clone(),
                                title: entry.title.clone(),
                            })
                            .collect()
                    })
                    .unwrap_or_default(),
            }
        })
        .collect();
    Ok(Json(ErrorCells {
        row,
        state: if known.mended { "mended" } else { "open" }.into(),
        cells,
        issues: known.issues.into_iter().map(IssueView::from).collect(),
    }))
}

/// What the checks would say of the row with these values laid over it; writes nothing.
pub async fn check_row(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf((id, row)): PathOf<(String, i64)>,
    input: Input<super::shapes::Mend>,
) -> Answer<Json<RowCheck>> {
    let (batch, source) = load(&hub, &caller, &id).await?;
    let table = hub.table(&batch.table)?;
    let line = mend::mended_row(&hub, &batch, row, &input.value.values).await?;
    let cells: BTreeMap<String, String> =
        serde_json::from_str(&line).map_err(Error::json("错误记录"))?;
    let mut values: Vec<Option<String>> =
        table.columns.iter().map(|column| cells.get(&column.name).cloned()).collect();
    let mut checker = Checker::new(&hub, table, &source.cd_source).await?;
    let said = tokio::task::spawn_blocking(move || checker.check(&mut values))
        .await
        .map_err(Error::thread)?;
    Ok(Json(RowCheck {
        passes: !said.refused,
        issues: said.issues.into_iter().map(IssueView::from).collect(),
    }))
}

/// What is wrong, in groups, with what could be proposed.
pub async fn list_groups(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<GroupList>> {
    let (batch, _) = load(&hub, &caller, &id).await?;
    let found = groups::groups(&hub, &batch).await?;
    let deadline = due(&batch)?;
    Ok(Json(GroupList { groups: found.groups, open: found.open, cut: found.cut, deadline }))
}

/// Before and after of every row the rule would touch; writes nothing.
pub async fn preview(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<RepairRequest>,
) -> Answer<Json<RepairPreview>> {
    let (batch, _) = load(&hub, &caller, &id).await?;
    let table = hub.table(&batch.table)?;
    let plan = input.value.plan();
    let mut tried = run::preview(&hub, &batch, &plan).await?;
    let column = table.column(&plan.column).ok_or(Error::UnknownErrorRow)?;
    let (matched, passing) = (tried.len(), tried.iter().filter(|one| one.passes).count());
    tried.sort_by_key(|one| (one.passes, one.row));
    tried.truncate(MOST_LINES);
    Ok(Json(RepairPreview {
        title: plan.fix.title(table, column),
        matched,
        passing,
        lines: tried.into_iter().map(tried_view).collect(),
    }))
}

fn tried_view(one: Tried) -> TriedView {
    let Tried { row, before, after, passes, left, .. } = one;
    TriedView { row, masked: before.contains('*'), before, after, passes, left }
}

/// Applies a rule: written down with who and why, run a few seconds later.
pub async fn apply(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<RepairRequest>,
) -> Answer<Response> {
    let (batch, _) = load(&hub, &caller, &id).await?;
    let reason = input.value.reason.as_deref().map(str::trim).unwrap_or_default().to_owned();
    if reason.is_empty() {
        return Err(Error::ReasonMissing.into());
    }
    let plan = input.value.plan();
    let matched = run::preview(&hub, &batch, &plan).await?.iter().filter(|one| one.passes).count();
    let act = caller.act(format!("hub_batch:{id}")).because(reason.clone());
    let mut tx = hub.db.begin(Lane::People, act).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let repair = run::by_id(&hub.db, &earlier.object_id).await?;
            return Ok(replayed(&earlier, Json(view(&hub, &caller, repair).await?)));
        }
        Once::First(first) => first,
    };
    if matched == 0 {
        return Err(Error::NothingToMend.into());
    }
    let made = run::queue(&mut tx, &hub, &batch, &plan, matched, &reason).await?;
    first.keep(&mut tx, StatusCode::ACCEPTED, &made, 1).await?;
    tx.commit().await?;
    hub.wake();
    let repair = run::by_id(&hub.db, &made).await?;
    Ok((StatusCode::ACCEPTED, Json(view(&hub, &caller, repair).await?)).into_response())
}

async fn view(hub: &Datahub, caller: &Caller, repair: Repair) -> Answer<RepairView> {
    let mended = match &repair.result_batch {
        Some(by) => store::error_row::mended_by(&hub.db, &repair.batch_id, by).await?,
        None => 0,
    };
    let names = caller.names_of(vec![repair.actor.clone()]).await?;
    let percent = run::percent(hub, &repair).await?;
    Ok(RepairView {
        percent,
        actor_name: names.of(&repair.actor),
        id: repair.id,
        batch_id: repair.batch_id,
        title: repair.title,
        reason: repair.reason,
        state: repair.state,
        matched: repair.matched,
        submitted: repair.submitted,
        result_batch: repair.result_batch,
        mended,
        created_at: to_rfc3339(repair.created_at),
        run_at: to_rfc3339(repair.run_at),
        finished_at: (repair.finished_at != 0).then(|| to_rfc3339(repair.finished_at)),
    })
}

pub async fn list(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<RepairList>> {
    load(&hub, &caller, &id).await?;
    let mut items = Vec::new();
    for repair in run::of_batch(&hub.db, &id).await? {
        items.push(view(&hub, &caller, repair).await?);
    }
    Ok(Json(RepairList { items }))
}

/// Takes a rule back before it runs.
pub async fn cancel(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<RepairView>> {
    let repair = run::by_id(&hub.db, &id).await?;
    load(&hub, &caller, &repair.batch_id).await?;
    let act = caller.act(format!("hub_repair:{id}")).because("撤销改正");
    run::cancel(&hub, act, &id).await?;
    let repair = run::by_id(&hub.db, &id).await?;
    Ok(Json(view(&hub, &caller, repair).await?))
}

/// Judges rows as they are typed; writes nothing. Without rows it says whether the table may be typed in.
pub async fn check_typed(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    input: Input<CheckRequest>,
) -> Answer<Json<CheckOutcome>> {
    let request = input.value;
    let source = hub.source(&request.cd_source).await?;
    caller.require(&resource(&source))?;
    let table = hub.table(&name)?;
    let today = beijing_date(hub.db.clock().now());
    let most_cells = rule_number("entry_cells", today)?;
    let cells: usize = request.rows.iter().map(Vec::len).sum();
    if cells > most_cells as usize {
        let text = format!("一次最多检查 {most_cells} 个单元格；更多的请上传文件");
        return Err(Error::TooLarge(text).into());
    }
    let refusal = channel::approve(
        &hub.channel_rules,
        &source,
        &table.name,
        &table.title,
        Channel::Manual,
        today,
    )
    .err()
    .map(|error| error.to_string());
    if request.rows.is_empty() {
        return Ok(Json(CheckOutcome { rows: Vec::new(), refusal, most_cells }));
    }
    let mut checker = Checker::new(&hub, table, &source.cd_source).await?;
    let rows = tokio::task::spawn_blocking(move || {
        request
            .rows
            .into_iter()
            .map(|cells| {
                let said = checker.check(&mut arrange(table, &request.columns, cells));
                RowCheck {
                    passes: !said.refused,
                    issues: said.issues.into_iter().map(IssueView::from).collect(),
                }
            })
            .collect()
    })
    .await
    .map_err(Error::thread)?;
    Ok(Json(CheckOutcome { rows, refusal, most_cells }))
}

/// Batches whose refused rows still wait, the nearest deadline first: the source unit's own list.
pub async fn open_errors(
    State(hub): State<Datahub>,
    caller: Caller,
) -> Answer<Json<OpenErrorsList>> {
    let sources = visible(&hub, &caller).await?;
    let codes: Vec<String> = sources.iter().map(|source| source.cd_source.clone()).collect();
    let mut items = Vec::new();
    for (batch, open) in store::error_row::open_by_batch(&hub.db, &codes).await? {
        let source = sources.iter().find(|source| source.cd_source == batch.cd_source);
        items.push(OpenErrorsView {
            deadline: due(&batch)?,
            table_title: hub.table(&batch.table)?.title.clone(),
            source_name: source.map_or_else(|| batch.cd_source.clone(), |one| one.name.clone()),
            agency_name: source.and_then(|one| one.agency_name.clone()),
            settled_at: batch.settled_at.map(to_rfc3339),
            errors: batch.counts.error,
            batch_id: batch.id,
            table: batch.table,
            cd_batch: batch.cd_batch,
            cd_source: batch.cd_source,
            open,
        });
    }
    items.sort_by(|a, b| (&a.deadline, &a.batch_id).cmp(&(&b.deadline, &b.batch_id)));
    Ok(Json(OpenErrorsList { open: items.iter().map(|one| one.open).sum(), items }))
}
