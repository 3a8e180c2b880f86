//! Grants over HTTP: who holds which role where, given and taken back, and said in words. A grant that only two may
//! give is asked for in `grant_request_api`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mj_kernel::clock::to_rfc3339;
use mj_kernel::{AgencySet, DataLevel, Page, PageOf, Role, Scope};
use mj_platform::Lane;
use mj_web::input::own_id;
use mj_web::{
    Action, Answer, Caller, Input, Once, PathOf, Problem, Query, Resource, RouteOf, create, get,
    post, replayed,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::admin_api::{ReasonedChange, reason};
use crate::error::Error;
use crate::grant_request::needs_second_person;
use crate::grant_request_api::CONFIRM;
use crate::model::{NewGrant, RoleGrant, level_name, level_title, parse_level};
use crate::{Access, service, store};

const GRANT_READ: Action = Action::new("access.grant.read", "查看授权");
const GRANT_CREATE: Action = Action::new("access.grant.create", "授予角色");
const GRANT_REVOKE: Action = Action::new("access.grant.revoke", "收回角色");

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        get(GRANT_READ, "/api/v1/access/grants", list_grants)
            .summary("授权名册")
            .query::<GrantQuery>()
            .list::<GrantView>(),
        create(GRANT_CREATE, "/api/v1/access/grants", create_grant)
            .summary("授予角色")
            .body::<GrantRequest>()
            .created::<GrantView>(),
        post(GRANT_REVOKE, "/api/v1/access/grants/{id}/revoke", revoke)
            .summary("收回角色")
            .body::<ReasonedChange>()
            .no_content(),
    ]
}

#[derive(Deserialize, IntoParams)]
struct GrantQuery {
    /// 账号编号
    account: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// A role in a list of accounts.
#[derive(Serialize, ToSchema)]
pub(crate) struct HeldBrief {
    pub role: &'static str,
    pub role_name: &'static str,
    /// 区划名称，多个以顿号分隔
    pub areas: String,
    /// 部门名称；空表示区划内全部部门
    pub agencies: Option<String>,
    /// 条线的代码和名称；空表示全部监管事项
    pub item_lines: Option<String>,
    pub level: &'static str,
    pub valid_from: String,
    pub valid_to: String,
}

/// 一条事项条线
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ItemLine {
    /// 2 位条线代码，即事项编码的前两位
    pub line: String,
    pub name: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct GrantView {
    id: String,
    version: i64,
    account_id: String,
    role: &'static str,
    role_name: &'static str,
    areas: Vec<String>,
    area_names: Vec<String>,
    /// 空值表示全部
    agencies: Option<Vec<String>>,
    agency_names: Option<Vec<String>>,
    /// 空值表示全部监管事项
    item_lines: Option<Vec<ItemLine>>,
    level: &'static str,
    valid_from: String,
    valid_to: String,
    granted_by: String,
    granted_at: String,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct GrantRequest {
    id: Option<String>,
    account_id: String,
    role: String,
    areas: Vec<String>,
    /// 不填表示区划内全部部门
    agencies: Option<Vec<String>>,
    /// 事项条线的 2 位代码；不填表示全部监管事项
    item_lines: Option<Vec<String>>,
    /// public、internal（默认）或 personal
    level: Option<String>,
    valid_from: Option<String>,
    valid_to: Option<String>,
    /// 为什么授予
    pub reason: Option<String>,
}

impl Access {
    /// What an act about a grant says in the supervision log: what is given, and why.
    pub(crate) async fn told_in_log(
        &self,
        verb: &str,
        grant: &NewGrant,
        why: Option<&str>,
    ) -> Result<String, Error> {
        let names = store::agency_names(&self.db).await?;
        let today = self.db.clock().today().to_string();
        let said = format!("{verb}{}", self.grant_in_words(grant, &today, &names));
        Ok(match why.map(str::trim).filter(|why| !why.is_empty()) {
            Some(why) => format!("{said}。理由：{why}"),
            None => said,
        })
    }

    /// A line of items as people know it: its code and its name.
    pub(crate) fn item_line(&self, code: &str) -> ItemLine {
        let name = (self.line_name)(code).unwrap_or_else(|| "未登记的条线".to_owned());
        ItemLine { line: code.to_owned(), name }
    }

    pub(crate) fn item_lines(&self, set: &AgencySet) -> Option<Vec<ItemLine>> {
        match set {
            AgencySet::All => None,
            AgencySet::Only(codes) => Some(codes.iter().map(|code| self.item_line(code)).collect()),
        }
    }

    /// The lines a grant is held to must be lines, and at least one.
    pub(crate) fn check_item_lines(&self, set: &AgencySet) -> Result<(), Problem> {
        let AgencySet::Only(codes) = set else { return Ok(()) };
        if codes.is_empty() {
            return Err(Problem::from(Error::Invalid {
                field: "item_lines",
                reason: "限定监管事项时至少选一条条线；不限定的不要填",
            }));
        }
        let unknown: Vec<&str> = codes
            .iter()
            .filter(|code| (self.line_name)(code).is_none())
            .map(String::as_str)
            .collect();
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(Problem::invalid("access.item_line", "没有这样的事项条线").field(
                "item_lines",
                format!("没有代码为“{}”的条线，应为 2 位条线代码，例如 31", unknown.join("、")),
            )),
        }
    }

    /// What a grant gives, in one sentence: so it stands in the supervision log.
    pub(crate) fn grant_in_words(
        &self,
        grant: &NewGrant,
        from: &str,
        agencies: &BTreeMap<String, String>,
    ) -> String {
        let until = match grant.valid_to.as_deref() {
            Some(day) if day != crate::model::NO_END => format!("至 {day}"),
            _ => "起长期".to_owned(),
        };
        format!(
            "“{}”：{}；{}；{} {until}",
            grant.role.title(),
            self.scope_in_words(&grant.scope, agencies),
            level_title(grant.scope.level),
            grant.valid_from.as_deref().unwrap_or(from),
        )
    }

    /// Grants in the words of a list of accounts.
    pub(crate) fn held_by(
        &self,
        grants: &[RoleGrant],
        agency_names: &BTreeMap<String, String>,
    ) -> Vec<HeldBrief> {
        let area = |code: &String| self.place(code);
        let agency = |code: &String| agency_names.get(code).unwrap_or(code).clone();
        let brief = |grant: &RoleGrant| HeldBrief {
            role: grant.role.name(),
            role_name: grant.role.title(),
            areas: grant.scope.areas.iter().map(area).collect::<Vec<_>>().join("、"),
            agencies: match &grant.scope.agencies {
                AgencySet::All => None,
                AgencySet::Only(codes) => {
                    Some(codes.iter().map(agency).collect::<Vec<_>>().join("、"))
                }
            },
            item_lines: self.item_lines(&grant.scope.item_lines).map(|lines| {
                let said = lines.iter().map(|one| format!("{} {}", one.line, one.name));
                said.collect::<Vec<_>>().join("、")
            }),
            level: level_name(grant.scope.level),
            valid_from: grant.valid_from.clone(),
            valid_to: grant.valid_to.clone(),
        };
        grants.iter().map(brief).collect()
    }

    /// A grant with the names of its areas, agencies and lines of items.
    pub(crate) fn named_grant(
        &self,
        grant: RoleGrant,
        agency_names: &BTreeMap<String, String>,
    ) -> GrantView {
        let mut view = grant_view(grant);
        if let Some(lines) = &mut view.item_lines {
            for one in lines.iter_mut() {
                *one = self.item_line(&one.line);
            }
        }
        let area = |code: &String| self.place(code);
        view.area_names = view.areas.iter().map(area).collect();
        view.agency_names = view.agencies.as_ref().map(|codes| {
            codes.iter().map(|code| agency_names.get(code).unwrap_or(code).clone()).collect()
        });
        view
    }
}

fn grant_view(grant: RoleGrant) -> GrantView {
    let list = |set| match set {
        AgencySet::All => None,
        AgencySet::Only(names) => Some(names.into_iter().collect::<Vec<String>>()),
    };
    GrantView {
        id: grant.id,
        version: grant.version,
        account_id: grant.account_id,
        role: grant.role.name(),
        role_name: grant.role.title(),
        area_names: Vec::new(),
        agency_names: None,
        areas: grant.scope.areas,
        agencies: list(grant.scope.agencies),
        item_lines: list(grant.scope.item_lines).map(|codes| {
            let unnamed = |line| ItemLine { line, name: String::new() };
            codes.into_iter().map(unnamed).collect()
        }),
        level: level_name(grant.scope.level),
        valid_from: grant.valid_from,
        valid_to: grant.valid_to,
        granted_by: grant.granted_by,
        granted_at: to_rfc3339(grant.granted_at),
    }
}

async fn list_grants(
    State(access): State<Access>,
    _caller: Caller,
    Query(query): Query<GrantQuery>,
) -> Answer<Json<PageOf<GrantView>>> {
    let page = Page { limit: query.limit, cursor: query.cursor };
    let grants = store::grants(access.db(), query.account.as_deref(), &page).await?;
    let names = store::agency_names(access.db()).await?;
    Ok(Json(grants.map(|grant| access.named_grant(grant, &names))))
}

async fn create_grant(
    State(access): State<Access>,
    caller: Caller,
    input: Input<GrantRequest>,
) -> Answer<Response> {
    let why = input.value.reason.clone();
    let new = new_grant(input.value)?;
    let id = own_id(new.id.as_deref())?;
    let new = NewGrant { id: Some(id.clone()), ..new };
    access.check_areas(&new.scope.areas)?;
    access.check_item_lines(&new.scope.item_lines)?;
    let told = access.told_in_log("授予", &new, why.as_deref()).await?;
    let act = caller.act(format!("account:{}", new.account_id)).because(told);
    let mut tx = access.db().begin(Lane::People, act).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let body = view_grant(&access, &earlier.object_id).await?;
            return Ok(replayed(&earlier, Json(body)));
        }
        Once::First(first) => first,
    };
    service::may_hold(&mut tx, &new).await?;
    let today = mj_kernel::clock::beijing_date(tx.now());
    if let Some(basis) = needs_second_person(new.role, new.scope.level, today)? {
        // nobody has approved it yet: the decision says so
        let alone = caller.require_for(&CONFIRM, &Resource::at(None, None));
        let said = format!(
            "请改为提交授权申请，由另一名安全管理员或审计管理员确认后生效。依据：{basis}。"
        );
        return Err(alone.err().unwrap_or_else(Problem::denied).detail(said));
    }
    service::grant_role(&mut tx, &new).await?;
    first.keep(&mut tx, StatusCode::CREATED, &id, 1).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(view_grant(&access, &id).await?)).into_response())
}

pub(crate) fn new_grant(request: GrantRequest) -> Result<NewGrant, Error> {
    let role = Role::parse(&request.role)
        .ok_or(Error::Invalid { field: "role", reason: "没有这个角色" })?;
    let level = match request.level.as_deref() {
        None => DataLevel::Internal,
        Some(name) => parse_level(name).ok_or(Error::Invalid {
            field: "level",
            reason: "应为 public、internal 或 personal",
        })?,
    };
    let set = |names: Option<Vec<String>>| names.map_or(AgencySet::All, AgencySet::only);
    Ok(NewGrant {
        id: request.id,
        account_id: request.account_id,
        role,
        scope: Scope {
            areas: request.areas,
            agencies: set(request.agencies),
            item_lines: set(request.item_lines),
            level,
        },
        valid_from: request.valid_from,
        valid_to: request.valid_to,
    })
}

async fn view_grant(access: &Access, id: &str) -> Result<GrantView, Problem> {
    let grant = store::grant_by_id(access.db(), id).await?.ok_or_else(Problem::not_found)?;
    let names = store::agency_names(access.db()).await?;
    Ok(access.named_grant(grant, &names))
}

async fn revoke(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<ReasonedChange>,
) -> Answer<StatusCode> {
    // told on the account's page, beside what else was done to it
    let grant = store::grant_by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    let object = format!("account:{}", grant.account_id);
    let why = reason(&input.value.reason)?;
    let held = NewGrant {
        id: None,
        account_id: grant.account_id,
        role: grant.role,
        scope: grant.scope,
        valid_from: Some(grant.valid_from),
        valid_to: Some(grant.valid_to),
    };
    let act = caller.act(object).because(access.told_in_log("收回", &held, Some(&why)).await?);
    let mut tx = access.db().begin(Lane::People, act).await?;
    service::revoke_grant(&mut tx, &id, input.value.version).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
