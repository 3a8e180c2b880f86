//! Exports that another person must approve: asked for with a reason, approved by somebody who answers for the
//! same place, used once for exactly what was asked. How many rows make one such is a rule.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Json;
use axum::extract::State;
use mj_kernel::clock::to_rfc3339;
use mj_kernel::second_person::{Bar, Request, Standing, Verdict, Yes};
use mj_kernel::{Instant, Scope};
use mj_platform::{Db, Lane, RowExt, TruthTable, WriteTx, gm, new_id, second_person};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::authority::{Action, Decision, Resource, Why};
use crate::caller::Caller;
use crate::export::ExportRequest;
use crate::export_reach::{self, EXPORT_REACH};
use crate::problem::Problem;
use crate::route::{Module, RouteOf, get, post};
use crate::{Answer, Input, PathOf};

const READ: Action = Action::new("export.request.read", "查看自己的导出申请");
const DECIDE: Action = Action::new("export.request.decide", "批准或驳回他人的导出申请");

/// As long as the page lets anybody type.
const LONGEST_REASON: usize = 500;

pub const EXPORT_REQUEST: TruthTable = TruthTable {
    name: "export_request",
    columns: &[
        "id",
        "list_name",
        "title",
        "columns_json",
        "filters_json",
        "request_sm3",
        "row_count",
        "reason",
        "state",
        "requested_by",
        "requested_at",
        "expires_at",
        "decided_by",
        "decided_at",
        "area",
        "agency",
        "decided_why",
    ],
};

/// The requests' own routes.
pub fn module(db: Db) -> Module {
    let routes: Vec<RouteOf<Db>> = vec![
        get(READ, "/api/v1/exports/requests", list)
            .summary("导出申请：自己提出的，和等自己批准的")
            .ok::<ExportRequestList>(),
        post(DECIDE, "/api/v1/exports/requests/{id}/approve", approve)
            .summary("批准他人的导出申请")
            .body::<ExportDecision>()
            .ok::<ExportRequestView>(),
        post(DECIDE, "/api/v1/exports/requests/{id}/refuse", refuse)
            .summary("驳回他人的导出申请")
            .body::<ExportDecision>()
            .ok::<ExportRequestView>(),
    ];
    Module::new("exports", "导出审批").routes(db, routes)
}

#[derive(Deserialize, ToSchema)]
struct ExportDecision {
    version: i64,
    /// 批准或驳回的理由，申请人看得到
    reason: String,
}

#[derive(Serialize, ToSchema)]
struct ExportRequestList {
    items: Vec<ExportRequestView>,
}

#[derive(Serialize, ToSchema)]
struct ExportRequestView {
    id: String,
    version: i64,
    title: String,
    row_count: i64,
    columns: Vec<String>,
    /// 筛选条件，取值为人读的名称；检索词不显示
    filters: Vec<ExportFilter>,
    /// 申请人凭哪些范围看到这些数据；批准人的范围须全部包含
    places: Vec<String>,
    reason: String,
    /// waiting、approved、refused、used 或 expired
    state: String,
    requested_by_name: String,
    requested_at: String,
    expires_at: String,
    decided_by_name: Option<String>,
    decided_at: Option<String>,
    /// 批准或驳回的理由
    decided_why: Option<String>,
    /// 自己提出的
    own: bool,
    may_decide: bool,
}

#[derive(Serialize, ToSchema)]
struct ExportFilter {
    title: &'static str,
    value: String,
}

struct Kept {
    id: String,
    list: String,
    title: String,
    filters: BTreeMap<String, String>,
    /// `None`: asked for before they were kept; area and agency alone are known.
    scopes: Option<Vec<Scope>>,
    columns: Vec<String>,
    request_sm3: String,
    row_count: i64,
    reason: String,
    two: Request,
    area: Option<String>,
    agency: Option<String>,
    version: i64,
}

impl Kept {
    fn read(row: &impl RowExt, reach: Option<&impl RowExt>) -> mj_platform::Result<Self> {
        Ok(Self {
            id: row.text("id")?,
            list: row.text("list_name")?,
            title: row.text("title")?,
            // of older requests the names alone were kept
            filters: serde_json::from_str(&row.text("filters_json")?).unwrap_or_default(),
            scopes: export_reach::read(reach)?,
            columns: serde_json::from_str(&row.text("columns_json")?).unwrap_or_default(),
            request_sm3: row.text("request_sm3")?,
            row_count: row.int("row_count")?,
            reason: row.text("reason")?,
            two: second_person::read(row, Standing::Approved.name(), Yes::Lets)?,
            area: row.opt_text("area")?,
            agency: row.opt_text("agency")?,
            version: row.int("version")?,
        })
    }

    /// Whoever asked is the first of the two.
    fn resource(&self) -> Resource {
        let at = match &self.scopes {
            Some(scopes) => export_reach::point(scopes),
            None => Resource::at(self.area.as_deref(), self.agency.as_deref()),
        };
        at.approved_by(self.two.requested_by.clone())
    }

    /// Whether this is for the caller to decide: somebody else's, and all that it reaches within their own reach.
    fn is_for(&self, caller: &Caller) -> Result<(), Problem> {
        if self.two.is_by(&caller.actor.reference()) {
            return Decision::NeedSecondPerson.into_allowance(false).map(drop);
        }
        let own = || caller.reach_of(&DECIDE);
        match &self.scopes {
            Some(asked) if !export_reach::covers(&own(), asked) => {
                Err(Problem::not_found().refusing(Why::OutOfScope))
            }
            _ => caller.would(&DECIDE, &self.resource()).map(drop),
        }
    }
}

/// From how many rows a day on a list needs approval.
pub(crate) fn threshold(db: &Db, list: &str) -> Result<usize, Problem> {
    let rule = |key: String| crate::export::rule(db, &key);
    let value = match rule(format!("approve/{list}"))? {
        Some(value) => Some(value),
        None => rule("approve/default".to_owned())?,
    };
    Ok(value.and_then(|value| value.parse().ok()).unwrap_or(0))
}

/// What was asked for, bound: another filter, column or format is another request.
fn digest(list: &str, request: &ExportRequest) -> String {
    let said = serde_json::json!([list, request.format, request.columns, request.filters]);
    hex::encode(gm::sm3(said.to_string().as_bytes()))
}

/// The approval for exactly this, used up by it; `None`: nobody named one and none waits.
pub(crate) async fn approved(
    tx: &mut WriteTx,
    caller: &Caller,
    list: &'static str,
    request: &ExportRequest,
    rows: usize,
) -> Result<Option<String>, Problem> {
    // asked again with the same filters and columns, the approval that waits for it is found
    let found = match request.approval.clone() {
        Some(number) => Some(number),
        None => own_of(tx, caller, &digest(list, request), Standing::Approved).await?,
    };
    let Some(approval) = found.as_deref() else { return Ok(None) };
    let sql = "SELECT * FROM export_request WHERE id = $1";
    let kept = tx.fetch_optional(sql, &[approval.into()]).await?;
    // by whom it was decided is no matter here
    let kept = kept.as_ref().map(|row| Kept::read(row, None::<&mj_platform::DbRow>)).transpose()?;
    let own = |kept: &Kept| kept.two.is_by(&caller.actor.reference());
    let kept = kept.filter(own).ok_or_else(Problem::not_found)?;
    let fits = kept.request_sm3 == digest(list, request)
        && i64::try_from(rows).is_ok_and(|rows| rows <= kept.row_count + kept.row_count / 10);
    let Some(used) = kept.two.used(tx.now()).filter(|_| fits) else {
        return Err(Problem::forbidden("access.second_person_required", "这次导出没有得到批准")
            .detail("申请尚未批准、已经用过、已过期，或筛选条件、列、行数与批准的不同。"));
    };
    let used = [("state", used.name().into())];
    tx.update(&EXPORT_REQUEST, &kept.id, Some(kept.version), &used).await?;
    Ok(Some(kept.id))
}

/// The caller's own request for exactly this that stands so.
async fn own_of(
    tx: &mut WriteTx,
    caller: &Caller,
    digest: &str,
    state: Standing,
) -> Result<Option<String>, Problem> {
    let sql = "SELECT id FROM export_request WHERE requested_by = $1 AND request_sm3 = $2 \
               AND state = $3 AND expires_at > $4 ORDER BY id DESC LIMIT 1";
    let args =
        [caller.actor.reference().into(), digest.into(), state.name().into(), tx.now().into()];
    let row = tx.fetch_optional(sql, &args).await?;
    Ok(row.map(|row| row.text("id")).transpose()?)
}

/// Asks for an export: who, what, how many rows, why. The number of the request.
pub(crate) async fn ask(
    db: &Db,
    caller: &Caller,
    list: &'static str,
    title: &str,
    titles: &[&str],
    request: &ExportRequest,
    rows: usize,
) -> Result<String, Problem> {
    static NOTHING: LazyLock<String> = LazyLock::new(String::new);
    let reason = request.reason.as_ref().unwrap_or(&NOTHING).trim();
    if reason.chars().count() < 4 {
        return Err(
            Problem::invalid("export.reason", "请写明导出的用途").field("reason", "不少于 4 个字")
        );
    }
    let id = new_id();
    let because = format!("申请导出{title} {rows} 行：{reason}");
    // the route's own action is the reading of the list
    let act = caller.act_of("export.request.ask", format!("export_request:{id}")).because(because);
    let mut tx = db.begin(Lane::People, act).await?;
    // one after another, on PostgreSQL too: two at once would leave two that wait
    tx.position().await?;
    let digest = digest(list, request);
    if let Some(waits) = own_of(&mut tx, caller, &digest, Standing::Waiting).await? {
        drop(tx);
        return Err(Problem::conflict("export.asked", "同样的导出已经申请过，正在等待批准")
            .detail("批准后再点一次导出即可下载；进展见“导出申请”。")
            .with_current(view(caller, by_id(db, &waits).await?, db.clock().now()).await?));
    }
    let hours = crate::export::rule(db, "hours")?.and_then(|text| text.parse::<i64>().ok());
    let scopes = export_reach::of_list(caller);
    // where the log says that it belongs
    let Resource { area, agency, .. } = export_reach::point(&scopes);
    let text = |value: serde_json::Result<String>| value.unwrap_or_default();
    let filters = export_reach::kept(&request.filters);
    let mut row = vec![
        ("id", id.as_str().into()),
        ("list_name", list.into()),
        ("title", title.into()),
        ("columns_json", text(serde_json::to_string(titles)).into()),
        ("filters_json", text(serde_json::to_string(&filters)).into()),
        ("request_sm3", digest.into()),
        ("row_count", i64::try_from(rows).unwrap_or(i64::MAX).into()),
        ("reason", reason.into()),
        ("area", area.into()),
        ("agency", agency.into()),
    ];
    row.extend(second_person::asked(&tx, hours.unwrap_or(72)));
    tx.insert(&EXPORT_REQUEST, &row).await?;
    let scopes = text(serde_json::to_string(&scopes));
    tx.insert(&EXPORT_REACH, &[("id", id.as_str().into()), ("scopes_json", scopes.into())]).await?;
    tx.commit().await?;
    Ok(id)
}

async fn view(caller: &Caller, kept: Kept, now: Instant) -> Answer<ExportRequestView> {
    let mut named: Vec<String> =
        kept.two.decided_by.iter().chain([&kept.two.requested_by]).cloned().collect();
    let scopes = kept.scopes.clone().unwrap_or_default();
    named.extend(export_reach::references(&scopes));
    named.extend(export_reach::filter_references(&kept.list, &kept.filters));
    let names = caller.names_of(named).await?;
    let filters = export_reach::filters_in_words(&kept.list, &kept.filters, &names);
    let own = kept.two.is_by(&caller.actor.reference());
    let state = kept.two.standing(now);
    let may_decide = state == Standing::Waiting && kept.is_for(caller).is_ok();
    Ok(ExportRequestView {
        requested_by_name: names.of(&kept.two.requested_by),
        decided_by_name: kept.two.decided_by.as_deref().map(|by| names.of(by)),
        decided_at: (kept.two.decided_at > 0).then(|| to_rfc3339(kept.two.decided_at)),
        decided_why: kept.two.decided_why,
        requested_at: to_rfc3339(kept.two.requested_at),
        expires_at: to_rfc3339(kept.two.expires_at),
        id: kept.id,
        version: kept.version,
        title: kept.title,
        row_count: kept.row_count,
        columns: kept.columns,
        filters: filters.into_iter().map(|(title, value)| ExportFilter { title, value }).collect(),
        places: export_reach::in_words(&scopes, &names),
        reason: kept.reason,
        state: state.name().to_owned(),
        own,
        may_decide,
    })
}

async fn list(State(db): State<Db>, caller: Caller) -> Answer<Json<ExportRequestList>> {
    let now = db.clock().now();
    // one's own, those one decided, and those that wait: others' old ones must not crowd these out
    let sql = "SELECT * FROM export_request \
               WHERE requested_by = $1 OR decided_by = $1 OR state = 'waiting' \
               ORDER BY id DESC LIMIT 500";
    let me = caller.actor.reference();
    let mut items = Vec::new();
    for row in db.fetch_all(sql, &[me.as_str().into()]).await? {
        let kept = Kept::read(&row, reach_of(&db, &row.text("id")?).await?.as_ref())?;
        let own = kept.two.is_by(&me);
        if own || kept.is_for(&caller).is_ok() {
            items.push(view(&caller, kept, now).await?);
        }
    }
    Ok(Json(ExportRequestList { items }))
}

/// How many wait for this caller's word.
pub async fn waiting_for(db: &Db, caller: &Caller) -> Result<usize, Problem> {
    let sql = "SELECT * FROM export_request WHERE state = 'waiting' AND expires_at > $1";
    let mut waiting = 0;
    for row in db.fetch_all(sql, &[db.clock().now().into()]).await? {
        let kept = Kept::read(&row, reach_of(db, &row.text("id")?).await?.as_ref())?;
        waiting += usize::from(kept.is_for(caller).is_ok());
    }
    Ok(waiting)
}

/// How many of the caller's own were approved and wait to be taken.
pub async fn ready_for(db: &Db, caller: &Caller) -> Result<i64, Problem> {
    let sql = "SELECT COUNT(*) FROM export_request WHERE requested_by = $1 AND state = 'approved' \
               AND expires_at > $2";
    Ok(db.count(sql, &[caller.actor.reference().into(), db.clock().now().into()]).await?)
}

async fn approve(
    State(db): State<Db>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<ExportDecision>,
) -> Answer<Json<ExportRequestView>> {
    decide(&db, &caller, &id, &input.value, Verdict::Yes).await.map(Json)
}

async fn refuse(
    State(db): State<Db>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<ExportDecision>,
) -> Answer<Json<ExportRequestView>> {
    decide(&db, &caller, &id, &input.value, Verdict::No).await.map(Json)
}

async fn by_id(db: &Db, id: &str) -> Result<Kept, Problem> {
    let sql = "SELECT * FROM export_request WHERE id = $1";
    let row = db.fetch_optional(sql, &[id.into()]).await?.ok_or_else(Problem::not_found)?;
    Ok(Kept::read(&row, reach_of(db, id).await?.as_ref())?)
}

async fn reach_of(db: &Db, id: &str) -> mj_platform::Result<Option<mj_platform::DbRow>> {
    db.fetch_optional("SELECT scopes_json FROM export_reach WHERE id = $1", &[id.into()]).await
}

async fn decide(
    db: &Db,
    caller: &Caller,
    id: &str,
    decision: &ExportDecision,
    verdict: Verdict,
) -> Answer<ExportRequestView> {
    let kept = by_id(db, id).await?;
    kept.is_for(caller)?;
    caller.require(&kept.resource())?;
    let now = db.clock().now();
    let state =
        kept.two.decide(&caller.actor.reference(), verdict, now).map_err(|bar| match bar {
            Bar::Own => Problem::denied(),
            Bar::Decided | Bar::Expired => {
                Problem::conflict("export.decided", "这个申请已经有结果或已过期")
            }
        })?;
    let why = decision.reason.trim();
    if why.is_empty() || why.chars().count() > LONGEST_REASON {
        let wanted = format!("1 至 {LONGEST_REASON} 个字，申请人看得到");
        return Err(Problem::invalid("export.reason", "请写明理由").field("reason", wanted));
    }
    let said = if state == Standing::Approved { "批准导出" } else { "驳回导出" };
    let because = format!("{said}{} {} 行：{why}", kept.title, kept.row_count);
    let mut tx =
        db.begin(Lane::People, caller.act(format!("export_request:{id}")).because(because)).await?;
    let which = (id, decision.version);
    second_person::close(&mut tx, &EXPORT_REQUEST, which, state.name(), Some(why), &[]).await?;
    tx.commit().await?;
    view(caller, by_id(db, id).await?, now).await
}
