//! Agencies and accounts over HTTP. The system administrator opens and closes accounts, the security
//! administrator grants roles (`grant_api`), the audit administrator reads: none does another's act.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mj_kernel::clock::to_rfc3339;
use mj_kernel::{Page, PageOf};
use mj_platform::Lane;
use mj_web::input::own_id;
use mj_web::{
    Action, Answer, Caller, ExportRequest, Input, Once, PathOf, Problem, Query, RouteOf, create,
    get, post, replayed,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::Error;
use crate::grant_api::HeldBrief;
use crate::list_files::{export_accounts, export_agencies};
use crate::model::{Account, AccountClass, AccountState, Agency, NewAccount, NewAgency, RoleGrant};
use crate::{Access, agency, enrolment, service, store, unlock};

pub const AGENCY_READ: Action = Action::new("access.agency.read", "查看部门名册");
const AGENCY_CREATE: Action = Action::new("access.agency.create", "登记部门");
pub const ACCOUNT_READ: Action = Action::new("access.account.read", "查看账号");
const ACCOUNT_CREATE: Action = Action::new("access.account.create", "开设账号");
const ACCOUNT_ACTIVATE: Action = Action::new("access.account.activate", "发放启用码");
const ACCOUNT_DISABLE: Action = Action::new("access.account.disable", "停用账号");

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        get(AGENCY_READ, "/api/v1/access/agencies", list_agencies)
            .summary("部门名册")
            .query::<AgencyQuery>()
            .list::<AgencyView>(),
        post(AGENCY_READ, "/api/v1/access/agencies/export", export_agencies)
            .summary("导出部门名册：与所见一致的筛选和列")
            .body::<ExportRequest>()
            .binary("text/csv"),
        create(AGENCY_CREATE, "/api/v1/access/agencies", create_agency)
            .summary("登记部门")
            .body::<AgencyRequest>()
            .created::<AgencyView>(),
        get(ACCOUNT_READ, "/api/v1/access/accounts", list_accounts)
            .summary("账号名册")
            .query::<AccountQuery>()
            .list::<AccountView>(),
        post(ACCOUNT_READ, "/api/v1/access/accounts/export", export_accounts)
            .summary("导出账号名册：与所见一致的筛选和列")
            .body::<ExportRequest>()
            .binary("text/csv"),
        create(ACCOUNT_CREATE, "/api/v1/access/accounts", create_account)
            .summary("开设账号，得到一次性启用码")
            .body::<AccountRequest>()
            .created::<AccountView>(),
        post(ACCOUNT_ACTIVATE, "/api/v1/access/accounts/{id}/activation", activate)
            .summary("重新发放一次性启用码，旧码作废；启用过的账号须先经安全管理员批准")
            .ok::<ActivationCode>(),
        post(ACCOUNT_DISABLE, "/api/v1/access/accounts/{id}/disable", disable)
            .summary("停用账号，其会话随即失效")
            .body::<ReasonedChange>()
            .ok::<AccountView>(),
    ]
}

#[derive(Deserialize, IntoParams)]
pub(crate) struct AccountQuery {
    /// 登录名或姓名的一部分
    q: Option<String>,
    /// business、admin 或 source
    class: Option<String>,
    /// active 或 disabled
    state: Option<String>,
    /// 所在部门的统一社会信用代码
    agency: Option<String>,
    /// 持有这个角色的
    role: Option<String>,
    /// 还缺什么：activation 未设置密码，role 没有任何角色
    lacks: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Deserialize, IntoParams)]
pub(crate) struct AgencyQuery {
    /// 行政区划代码，含其下级
    area: Option<String>,
    /// 名称、简称或统一社会信用代码的一部分
    q: Option<String>,
    /// 部门条线（2位）
    line: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AgencyView {
    pub id: String,
    pub version: i64,
    pub uscc: String,
    pub name: String,
    pub short_name: String,
    pub area_number: String,
    pub area_name: Option<String>,
    pub line: String,
    pub line_name: Option<String>,
    pub nature: String,
    pub parent: Option<String>,
    pub valid_from: String,
    pub valid_to: String,
}

#[derive(Deserialize, ToSchema)]
struct AgencyRequest {
    id: Option<String>,
    uscc: String,
    name: String,
    #[serde(default)]
    short_name: String,
    area_number: String,
    #[serde(default)]
    line: String,
    #[serde(default)]
    nature: String,
    parent: Option<String>,
    valid_from: Option<String>,
    valid_to: Option<String>,
    /// 为什么登记
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AccountView {
    pub id: String,
    pub version: i64,
    pub login: String,
    pub name: String,
    /// business、admin 或 source
    pub class: &'static str,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    /// active 或 disabled
    pub state: &'static str,
    pub created_at: String,
    /// 现有的授权
    pub roles: Vec<HeldBrief>,
    /// 只在开设时给出一次
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_code: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct AccountRequest {
    id: Option<String>,
    login: String,
    name: String,
    /// business（默认）或 admin
    class: Option<String>,
    agency: Option<String>,
    /// 为什么开设
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct ActivationCode {
    activation_code: String,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct ReasonedChange {
    pub version: i64,
    pub reason: String,
}

/// A reason given with a create, if there is one.
fn with_reason(act: mj_platform::Act, reason: Option<&str>) -> mj_platform::Act {
    match reason.map(str::trim).filter(|reason| !reason.is_empty()) {
        Some(reason) => act.because(reason),
        None => act,
    }
}

impl Access {
    /// The line of an agency, where it has one, is one that there is.
    pub(crate) fn check_line(&self, line: &str) -> Result<(), Problem> {
        if line.is_empty() || !self.knows_lines || (self.line_name)(line).is_some() {
            return Ok(());
        }
        let said = format!("没有代码为“{line}”的条线，应为 2 位条线代码，例如 31");
        Err(Problem::invalid("access.line_unknown", "没有这样的条线").field("line", said))
    }

    pub(crate) fn agency_view(&self, agency: Agency) -> AgencyView {
        AgencyView {
            area_name: self.place_name(&agency.area_number),
            id: agency.id,
            version: agency.version,
            uscc: agency.uscc,
            name: agency.name,
            short_name: agency.short_name,
            area_number: agency.area_number,
            line_name: (self.line_name)(&agency.line),
            line: agency.line,
            nature: agency.nature,
            parent: agency.parent,
            valid_from: agency.valid_from,
            valid_to: agency.valid_to,
        }
    }
}

pub(crate) fn account_view(account: Account) -> AccountView {
    AccountView {
        id: account.id,
        version: account.version,
        login: account.login,
        name: account.name,
        class: account.class.name(),
        agency: account.agency,
        agency_name: None,
        roles: Vec::new(),
        state: account.state.name(),
        created_at: to_rfc3339(account.created_at),
        activation_code: None,
    }
}

async fn list_agencies(
    State(access): State<Access>,
    _caller: Caller,
    Query(query): Query<AgencyQuery>,
) -> Answer<Json<PageOf<AgencyView>>> {
    let page = Page { limit: query.limit, cursor: query.cursor.clone() };
    Ok(Json(agency_page(&access, &query, &page).await?))
}

pub(crate) async fn agency_page(
    access: &Access,
    query: &AgencyQuery,
    page: &Page,
) -> Answer<PageOf<AgencyView>> {
    let filter = store::AgencyFilter {
        area: query.area.as_deref(),
        q: query.q.as_deref(),
        line: query.line.as_deref(),
    };
    let agencies = store::agencies(access.db(), &filter, page).await?;
    Ok(agencies.map(|agency| access.agency_view(agency)))
}

async fn create_agency(
    State(access): State<Access>,
    caller: Caller,
    input: Input<AgencyRequest>,
) -> Answer<Response> {
    let AgencyRequest {
        id,
        uscc,
        name,
        short_name,
        area_number,
        line,
        nature,
        parent,
        valid_from,
        valid_to,
        reason,
    } = input.value;
    let id = own_id(id.as_deref())?;
    access.check_area("area_number", &area_number)?;
    access.check_line(&line)?;
    let new = NewAgency {
        id: Some(id.clone()),
        uscc,
        name,
        short_name,
        area_number,
        line,
        nature,
        parent,
        valid_from,
        valid_to,
    };
    let act = with_reason(caller.act(format!("agency:{id}")), reason.as_deref());
    let mut tx = access.db().begin(Lane::People, act).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let body = view_agency(&access, &earlier.object_id).await?;
            return Ok(replayed(&earlier, Json(body)));
        }
        Once::First(first) => first,
    };
    agency::create_agency(&mut tx, &new).await?;
    first.keep(&mut tx, StatusCode::CREATED, &id, 1).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(view_agency(&access, &id).await?)).into_response())
}

async fn view_agency(access: &Access, id: &str) -> Result<AgencyView, Problem> {
    let agency = store::agency_by_id(access.db(), id).await?.ok_or_else(Problem::not_found)?;
    Ok(access.agency_view(agency))
}

async fn list_accounts(
    State(access): State<Access>,
    _caller: Caller,
    Query(query): Query<AccountQuery>,
) -> Answer<Json<PageOf<AccountView>>> {
    let page = Page { limit: query.limit, cursor: query.cursor.clone() };
    Ok(Json(account_page(&access, &query, &page).await?))
}

pub(crate) async fn account_page(
    access: &Access,
    query: &AccountQuery,
    page: &Page,
) -> Answer<PageOf<AccountView>> {
    let filter = store::AccountFilter {
        q: query.q.as_deref(),
        class: query.class.as_deref(),
        state: query.state.as_deref(),
        agency: query.agency.as_deref(),
        role: query.role.as_deref(),
        lacks: query.lacks.as_deref(),
    };
    let found = store::accounts(access.db(), &filter, page).await?;
    let ids: Vec<String> = found.items.iter().map(|account| account.id.clone()).collect();
    let grants = store::standing_grants(access.db(), &ids).await?;
    let names = store::agency_names(access.db()).await?;
    Ok(found.map(|account| {
        let own: Vec<RoleGrant> =
            grants.iter().filter(|grant| grant.account_id == account.id).cloned().collect();
        let mut view = account_view(account);
        view.agency_name = view.agency.as_ref().and_then(|uscc| names.get(uscc).cloned());
        view.roles = access.held_by(&own, &names);
        view
    }))
}

/// The administrator never knows the password: the owner sets it with the code.
async fn create_account(
    State(access): State<Access>,
    caller: Caller,
    input: Input<AccountRequest>,
) -> Answer<Response> {
    let AccountRequest { id, login, name, class, agency, reason } = input.value;
    let id = own_id(id.as_deref())?;
    let class = match class.as_deref() {
        None => AccountClass::Business,
        Some(name) => AccountClass::parse(name)
            .ok_or(Error::Invalid { field: "class", reason: "应为 business 或 admin" })?,
    };
    let new = NewAccount { id: Some(id.clone()), login, name, class, agency };
    let act = with_reason(caller.act(format!("account:{id}")), reason.as_deref());
    let mut tx = access.db().begin(Lane::People, act).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let body = view_account(&access, &earlier.object_id).await?;
            return Ok(replayed(&earlier, Json(body)));
        }
        Once::First(first) => first,
    };
    service::create_account(&mut tx, &new).await?;
    let code = enrolment::activation_code(&mut tx, &id).await?;
    first.keep(&mut tx, StatusCode::CREATED, &id, 1).await?;
    tx.commit().await?;
    let mut view = view_account(&access, &id).await?;
    view.activation_code = Some(code);
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

async fn view_account(access: &Access, id: &str) -> Result<AccountView, Problem> {
    let account = store::account_by_id(access.db(), id).await?.ok_or_else(Problem::not_found)?;
    Ok(account_view(account))
}

async fn activate(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<ActivationCode>> {
    let account = store::account_by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    if account.class == AccountClass::Source {
        return Err(Problem::not_found());
    }
    if account.state == AccountState::Disabled {
        return Err(Error::NotNow("账号已停用，不能发放启用码；请先恢复账号。").into());
    }
    let mut tx = access.db().begin(Lane::People, caller.act(format!("account:{id}"))).await?;
    unlock::may_issue_code(&mut tx, &id).await?;
    let activation_code = enrolment::activation_code(&mut tx, &id).await?;
    tx.note().await?;
    tx.commit().await?;
    Ok(Json(ActivationCode { activation_code }))
}

pub(crate) fn reason(reason: &str) -> Result<String, Problem> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::Invalid { field: "reason", reason: "请写明理由" }.into());
    }
    Ok(reason.to_owned())
}

async fn disable(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<ReasonedChange>,
) -> Answer<Json<AccountView>> {
    let act = caller.act(format!("account:{id}")).because(reason(&input.value.reason)?);
    let mut tx = access.db().begin(Lane::People, act).await?;
    let done = service::disable_account(&mut tx, &id, input.value.version).await;
    match done {
        Ok(_) => tx.commit().await?,
        Err(Error::Platform(stale @ mj_platform::Error::Stale { .. })) => {
            drop(tx);
            return Err(Problem::from(stale).with_current(view_account(&access, &id).await?));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Json(view_account(&access, &id).await?))
}
