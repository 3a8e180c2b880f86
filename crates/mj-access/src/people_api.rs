//! One agency and one account as their pages show them: what it holds, who is in now, what was done
//! to it, by whom and why. Administrators see people and rights here, never business data.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mj_kernel::clock::to_rfc3339;
use mj_platform::{Lane, RowExt};
use mj_web::{Action, Answer, Caller, Input, PathOf, Problem, RouteOf, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin_api::{ACCOUNT_READ, AGENCY_READ, AccountView, AgencyView, account_view, reason};
use crate::error::Error;
use crate::grant_api::GrantView;
use crate::model::{AccountClass, Agency};
use crate::{Access, Result, agency, matrix, service, store, unlock};

const AGENCY_UPDATE: Action = Action::new("access.agency.update", "修改部门登记");
const ACCOUNT_ENABLE: Action = Action::new("access.account.enable", "恢复账号");
const SESSION_END: Action = Action::new("access.account.end_sessions", "结束账号的会话");
const ROLE_READ: Action = Action::new("access.role.read", "查看角色说明");

/// How many acts an account's page tells.
const HISTORY: i64 = 100;

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        get(AGENCY_READ, "/api/v1/access/agencies/{id}", one_agency)
            .summary("一个部门：上级、下级；编号或统一社会信用代码")
            .ok::<AgencyFile>(),
        post(AGENCY_UPDATE, "/api/v1/access/agencies/{id}", change_agency)
            .summary("修改部门登记")
            .body::<AgencyChange>()
            .ok::<AgencyView>(),
        get(ACCOUNT_READ, "/api/v1/access/accounts/{id}", one_account)
            .summary("一个账号：授权、会话和变更经过")
            .ok::<AccountFile>(),
        post(ACCOUNT_ENABLE, "/api/v1/access/accounts/{id}/enable", enable)
            .summary("恢复停用的账号；原来的授权仍然有效")
            .body::<VersionedReason>()
            .ok::<AccountView>(),
        post(SESSION_END, "/api/v1/access/accounts/{id}/sessions/end", end_sessions)
            .summary("结束一个账号的全部会话")
            .body::<Reason>()
            .no_content(),
        get(ROLE_READ, "/api/v1/access/roles", roles)
            .summary("可授予的角色和它们能做的事")
            .ok::<RoleList>(),
    ]
}

#[derive(Serialize, ToSchema)]
struct AgencyFile {
    agency: AgencyView,
    parent_name: Option<String>,
    children: Vec<AgencyView>,
    /// 本部门的账号数；无权查看账号时为空
    accounts: Option<i64>,
}

#[derive(Deserialize, ToSchema)]
struct AgencyChange {
    version: i64,
    name: Option<String>,
    short_name: Option<String>,
    /// 行政区划代码；已有的记录仍属登记时的区划
    area_number: Option<String>,
    /// 部门条线（2位）；空文字表示没有
    line: Option<String>,
    /// 上级部门的统一社会信用代码；空文字表示没有上级
    parent: Option<String>,
    /// 有效期最后一日；机构撤并时填写
    valid_to: Option<String>,
    reason: String,
}

#[derive(Deserialize, ToSchema)]
struct VersionedReason {
    version: i64,
    reason: String,
}

#[derive(Deserialize, ToSchema)]
struct Reason {
    reason: String,
}

#[derive(Serialize, ToSchema)]
struct AccountFile {
    account: AccountView,
    /// 账号已设置密码
    activated: bool,
    /// 发放启用码须先经安全管理员批准：账号已启用过，或已有须两人授予的角色
    code_takes_two: bool,
    grants: Vec<GrantView>,
    sessions: Vec<SessionView>,
    history: Vec<HistoryEntry>,
}

#[derive(Serialize, ToSchema)]
struct SessionView {
    id: String,
    opened_at: String,
    last_seen_at: String,
    expires_at: String,
}

/// One act upon an account, out of the act journal.
#[derive(Serialize, ToSchema)]
struct HistoryEntry {
    seq: i64,
    at: String,
    action: String,
    action_title: String,
    /// 谁做的
    actor_name: String,
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct RoleView {
    role: &'static str,
    role_name: &'static str,
    /// 只能授予管理员账号
    is_administrator: bool,
    /// 能做的事
    abilities: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct RoleList {
    items: Vec<RoleView>,
}

async fn one_agency(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<AgencyFile>> {
    let agency = match store::agency_by_id(access.db(), &id).await? {
        Some(agency) => agency,
        None => store::agency_by_uscc(access.db(), &id).await?.ok_or_else(Problem::not_found)?,
    };
    let parent = match &agency.parent {
        Some(uscc) => store::agency_by_uscc(access.db(), uscc).await?,
        None => None,
    };
    let accounts = match caller.asking(&ACCOUNT_READ) {
        Some(_) => Some(store::accounts_of_agency(access.db(), &agency.uscc).await?),
        None => None,
    };
    let children = store::children_of(access.db(), &agency.uscc).await?;
    Ok(Json(AgencyFile {
        parent_name: parent.map(|parent| parent.name),
        children: children.into_iter().map(|child| access.agency_view(child)).collect(),
        accounts,
        agency: access.agency_view(agency),
    }))
}

async fn change_agency(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<AgencyChange>,
) -> Answer<Json<AgencyView>> {
    let change = input.value;
    let why = reason(&change.reason)?;
    let before = store::agency_by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    if let Some(area) = change.area_number.as_deref().filter(|now| *now != before.area_number) {
        access.check_area("area_number", area)?;
    }
    if let Some(line) = change.line.as_deref().filter(|now| *now != before.line) {
        access.check_line(line)?;
    }
    let wanted = agency::AgencyChange {
        name: change.name.as_deref(),
        short_name: change.short_name.as_deref(),
        area_number: change.area_number.as_deref(),
        line: change.line.as_deref(),
        parent: change.parent.as_deref(),
        valid_to: change.valid_to.as_deref(),
    };
    let names = store::agency_names(access.db()).await?;
    let told = access.agency_change_in_words(&before, &wanted, &names, &why);
    let act = caller.act(format!("agency:{id}")).because(told);
    let mut tx = access.db().begin(Lane::People, act).await?;
    let done = agency::change_agency(&mut tx, &before, change.version, &wanted).await;
    match done {
        Ok(_) => tx.commit().await?,
        Err(Error::Platform(stale @ mj_platform::Error::Stale { .. })) => {
            drop(tx);
            return Err(Problem::from(stale).with_current(agency_of(&access, &id).await?));
        }
        Err(Error::Platform(mj_platform::Error::Missing { .. })) => {
            return Err(Problem::not_found());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Json(agency_of(&access, &id).await?))
}

impl Access {
    /// What an agency's new registration says in the supervision log: what was where, what is where now, and why.
    fn agency_change_in_words(
        &self,
        before: &Agency,
        change: &agency::AgencyChange<'_>,
        names: &BTreeMap<String, String>,
        why: &str,
    ) -> String {
        let area = |code: &str| match self.place_name(code) {
            Some(name) if !name.contains(code) => format!("{name}（{code}）"),
            other => other.unwrap_or_else(|| code.to_owned()),
        };
        let line = |code: &str| (self.line_name)(code).unwrap_or_else(|| code.to_owned());
        let agency = |code: &str| names.get(code).cloned().unwrap_or_else(|| code.to_owned());
        let mut said = Vec::new();
        let mut tell =
            |title: &str, was: &str, now: Option<&str>, name: &dyn Fn(&str) -> String| {
                if let Some(now) = now.filter(|now| *now != was) {
                    let name = |code: &str| if code.is_empty() { "无".into() } else { name(code) };
                    said.push(format!("{title}由{}改为{}", name(was), name(now)));
                }
            };
        tell("行政区划", &before.area_number, change.area_number, &area);
        tell("条线", &before.line, change.line, &line);
        tell("上级部门", before.parent.as_deref().unwrap_or(""), change.parent, &agency);
        match said.is_empty() {
            true => why.to_owned(),
            false => format!("{}。理由：{why}", said.join("；")),
        }
    }
}

async fn agency_of(access: &Access, id: &str) -> Result<AgencyView, Problem> {
    let agency = store::agency_by_id(access.db(), id).await?.ok_or_else(Problem::not_found)?;
    Ok(access.agency_view(agency))
}

async fn one_account(
    State(access): State<Access>,
    _caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<AccountFile>> {
    let account = store::account_by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    if account.class == AccountClass::Source {
        return Err(Problem::not_found());
    }
    let activated = store::password_hash(access.db(), &id).await?.is_some();
    let grants = store::standing_grants(access.db(), std::slice::from_ref(&id)).await?;
    let today = access.db().clock().today();
    let mut code_takes_two = activated;
    for grant in &grants {
        code_takes_two |= unlock::is_privileged(grant, today)?;
    }
    let agency_names = store::agency_names(access.db()).await?;
    let now = access.db().clock().now();
    let sessions = store::sessions_of(access.db(), &id, now).await?;
    let history = history(&access, &id).await?;
    let mut view = account_view(account);
    view.agency_name = view.agency.as_ref().and_then(|uscc| agency_names.get(uscc).cloned());
    view.roles = access.held_by(&grants, &agency_names);
    Ok(Json(AccountFile {
        account: view,
        activated,
        code_takes_two,
        grants: grants.into_iter().map(|one| access.named_grant(one, &agency_names)).collect(),
        sessions: sessions
            .into_iter()
            .map(|session| SessionView {
                expires_at: to_rfc3339(session.expires_at()),
                opened_at: to_rfc3339(session.created_at),
                last_seen_at: to_rfc3339(session.last_seen_at),
                id: session.id,
            })
            .collect(),
        history,
    }))
}

/// What was done to an account, newest first, with who did it and why.
async fn history(access: &Access, account_id: &str) -> Result<Vec<HistoryEntry>> {
    let rows = access
        .db()
        .fetch_all(
            "SELECT seq, at, actor, action, reason FROM act_journal WHERE object = $1 \
             ORDER BY seq DESC LIMIT $2",
            &[format!("account:{account_id}").into(), HISTORY.into()],
        )
        .await?;
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let actor = row.text("actor")?;
        if !names.contains_key(&actor) {
            let name = store::actor_name(access.db(), &actor).await?;
            names.insert(actor.clone(), name);
        }
        let action = row.text("action")?;
        entries.push(HistoryEntry {
            seq: row.int("seq")?,
            at: to_rfc3339(row.int("at")?),
            action_title: matrix::title_of(&action).unwrap_or(&action).to_owned(),
            action,
            actor_name: names[&actor].clone(),
            reason: row.opt_text("reason")?,
        });
    }
    Ok(entries)
}

async fn enable(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<VersionedReason>,
) -> Answer<Json<AccountView>> {
    let act = caller.act(format!("account:{id}")).because(reason(&input.value.reason)?);
    let mut tx = access.db().begin(Lane::People, act).await?;
    let done = service::enable_account(&mut tx, &id, input.value.version).await;
    match done {
        Ok(_) => tx.commit().await?,
        Err(Error::Platform(stale @ mj_platform::Error::Stale { .. })) => {
            drop(tx);
            return Err(Problem::from(stale).with_current(account_of(&access, &id).await?));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Json(account_of(&access, &id).await?))
}

async fn account_of(access: &Access, id: &str) -> Result<AccountView, Problem> {
    let account = store::account_by_id(access.db(), id).await?.ok_or_else(Problem::not_found)?;
    Ok(account_view(account))
}

async fn end_sessions(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<Reason>,
) -> Answer<StatusCode> {
    store::account_by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    let act = caller.act(format!("account:{id}")).because(reason(&input.value.reason)?);
    let mut tx = access.db().begin(Lane::People, act).await?;
    service::end_sessions_of(&mut tx, &id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn roles(State(_): State<Access>, _caller: Caller) -> Json<RoleList> {
    let items = mj_kernel::Role::ALL
        .iter()
        .filter(|role| **role != mj_kernel::Role::Anonymous)
        .map(|role| RoleView {
            role: role.name(),
            role_name: role.title(),
            is_administrator: crate::model::is_administrator(*role),
            abilities: matrix::abilities_of(*role),
        })
        .collect();
    Json(RoleList { items })
}
