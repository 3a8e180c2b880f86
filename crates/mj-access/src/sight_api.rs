//! Grants seen from both sides: what one account may see and do, and who may see one record. Both are answered
//! by the decision itself, so that what is shown is what happens.

use axum::Json;
use axum::extract::State;
use mj_kernel::{Actor, ActorKind, AgencySet, Page, Scope};
use mj_web::{
    Action, Answer, BoxFuture, Caller, Decision, Identity, Mask, PathOf, Problem, Proof, Resource,
    RouteOf, get,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::grant_api::{GrantView, ItemLine};
use crate::model::AccountState;
use crate::{Access, matrix, step_up, store};

const OF_ACCOUNT: Action = Action::new("access.sight.account", "查看某人能看到什么");
const OF_RECORD: Action = Action::new("access.sight.record", "查看谁能看到这条记录");

/// Where a record stands, as another room knows it.
pub struct Place {
    /// The action by which it is read.
    pub action: &'static str,
    /// By which masked values of it are shown in clear, one by one.
    pub reveal: Option<&'static str>,
    /// Its own place first; a right at any of them opens it.
    pub at: Vec<Resource>,
}

/// The records of the house; filled in by the whole.
pub trait Records: Send + Sync {
    fn place<'a>(
        &'a self,
        kind: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, mj_platform::Result<Option<Place>>>;
}

/// There are none.
pub struct NoRecords;

impl Records for NoRecords {
    fn place<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, mj_platform::Result<Option<Place>>> {
        Box::pin(async { Ok(None) })
    }
}

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        get(OF_ACCOUNT, "/api/v1/access/accounts/{id}/sight", of_account)
            .summary("此人能看到什么：逐项由同一判断给出")
            .ok::<AccountSight>(),
        get(OF_RECORD, "/api/v1/access/records/{kind}/{id}/readers", of_record)
            .summary("谁能看到这条记录：逐人由同一判断给出")
            .ok::<RecordReaders>(),
    ]
}

#[derive(Serialize, ToSchema)]
struct AccountSight {
    name: String,
    /// 为什么什么也看不到；能看到时为空
    nothing_because: Option<String>,
    /// 今天有效的授权，下面各项由它们得出
    grants: Vec<GrantView>,
    groups: Vec<SightGroup>,
}

#[derive(Serialize, ToSchema)]
struct SightGroup {
    title: &'static str,
    items: Vec<SightItem>,
}

#[derive(Serialize, ToSchema)]
struct SightItem {
    action: &'static str,
    title: &'static str,
    /// 范围，每项一处；空表示只限本人的
    places: Vec<String>,
    /// 个人信息怎样显示
    personal: &'static str,
    /// 须不久前输入过密码
    needs_step_up: bool,
    /// 多少分钟内输入过密码才算
    step_up_minutes: Option<i64>,
    /// 须另一人批准
    needs_second: bool,
}

#[derive(Serialize, ToSchema)]
struct RecordReaders {
    area_name: Option<String>,
    agency_name: Option<String>,
    /// 看这条记录要用的权限
    action_title: &'static str,
    items: Vec<RecordReader>,
    /// 其余看不到的在用账号数
    others: usize,
}

#[derive(Serialize, ToSchema)]
struct RecordReader {
    /// 无权查看账号时为空
    account_id: Option<String>,
    name: String,
    agency_name: Option<String>,
    roles: Vec<&'static str>,
    personal: &'static str,
}

/// What needs no role.
const EVERYBODYS: &str = "人人都能做的";

fn personal(mask: Mask) -> &'static str {
    match mask {
        Mask::Clear => "明文",
        Mask::Partial => "遮挡",
        Mask::Full => "不显示",
    }
}

fn domain(action: &str) -> &'static str {
    match action.split('.').next().unwrap_or_default() {
        "access" => "身份与权限",
        "catalog" => "监管事项",
        "datahub" => "数据汇聚",
        "evaluation" => "工作指标",
        "export" => "导出审批",
        "flow" => "待办",
        "ledger" => "监管日志",
        "personal" => "个人信息",
        "portal" => "门户",
        "registry" => "监管对象与执法人员",
        _ => "工作台",
    }
}

impl Access {
    /// `area:…`, `agency:…` and `line:…` by what they are called.
    pub(crate) async fn names_of_places(
        &self,
        references: &[String],
    ) -> crate::error::Result<std::collections::BTreeMap<String, String>> {
        let is_agency = |one: &String| one.starts_with("agency:");
        let agencies = match references.iter().any(is_agency) {
            true => store::agency_names(self.db()).await?,
            false => Default::default(),
        };
        let name = |reference: &String| {
            let (kind, code) = reference.split_once(':')?;
            let name = match kind {
                "area" => self.place(code),
                "agency" => agencies.get(code)?.clone(),
                "line" => {
                    let ItemLine { line, name } = self.item_line(code);
                    format!("{line} {name}")
                }
                _ => return None,
            };
            Some((reference.clone(), name))
        };
        Ok(references.iter().filter_map(name).collect())
    }

    /// A scope as people say it.
    pub(crate) fn scope_in_words(
        &self,
        scope: &Scope,
        agencies: &std::collections::BTreeMap<String, String>,
    ) -> String {
        let areas: Vec<String> = scope.areas.iter().map(|code| self.place(code)).collect();
        let areas = areas.join("、");
        let mut said = match &scope.agencies {
            AgencySet::All => format!("{areas}，全部部门"),
            AgencySet::Only(codes) => {
                let name = |code: &String| agencies.get(code).unwrap_or(code).clone();
                let names: Vec<String> = codes.iter().map(name).collect();
                format!("{areas}，{}", names.join("、"))
            }
        };
        if let Some(lines) = self.item_lines(&scope.item_lines) {
            let name = |one: &ItemLine| format!("{} {}", one.line, one.name);
            let lines: Vec<String> = lines.iter().map(name).collect();
            match lines.is_empty() {
                true => said.push_str("，不含任何监管事项"),
                false => said.push_str(&format!("，只限 {} 的监管事项", lines.join("、"))),
            }
        }
        said
    }
}

/// Somebody with a password just given: what their rights are, not how fresh they are.
fn as_identity(account_id: &str, grants: Vec<mj_kernel::Grant>) -> Identity {
    let kind = ActorKind::Person { account_id: account_id.to_owned() };
    Identity { proof: Proof::Fresh, ..Identity::of(Actor { kind, grants }) }
}

async fn of_account(
    State(access): State<Access>,
    _caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<AccountSight>> {
    let account = store::account_by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    let agencies = store::agency_names(access.db()).await?;
    let disabled = account.state == AccountState::Disabled;
    let mut groups: Vec<SightGroup> = Vec::new();
    let mut held = Vec::new();
    if !disabled {
        let grants = store::grants_of(access.db(), &id).await?;
        held = grants.iter().cloned().map(|one| access.named_grant(one, &agencies)).collect();
        let who = as_identity(&id, store::as_kernel_grants(grants));
        let nobody = as_identity(&id, Vec::new());
        for action in matrix::actions() {
            let Decision::Allow(allowance) = matrix::decide(&who, action, None) else { continue };
            let everybody = matches!(matrix::decide(&nobody, action, None), Decision::Allow(_));
            let conditions = matrix::conditions(&who.actor, action);
            let mut places: Vec<String> = allowance
                .scopes
                .iter()
                .map(|scope| access.scope_in_words(scope, &agencies))
                .collect();
            places.sort_unstable();
            places.dedup();
            if everybody {
                places = vec!["登录即可".to_owned()];
            }
            let item = SightItem {
                action,
                title: matrix::title_of(action).unwrap_or(action),
                places,
                personal: match conditions.personal {
                    true => "逐项看明文",
                    false => personal(allowance.mask),
                },
                needs_step_up: conditions.proof > Proof::Old,
                step_up_minutes: step_up::minutes(conditions.proof, access.db().clock().now())?,
                needs_second: conditions.second,
            };
            let title = if everybody { EVERYBODYS } else { domain(action) };
            match groups.iter_mut().find(|group| group.title == title) {
                Some(group) => group.items.push(item),
                None => groups.push(SightGroup { title, items: vec![item] }),
            }
        }
    }
    // what a role gives comes first
    groups.sort_by_key(|group| group.title == EVERYBODYS);
    let nothing_because = disabled.then(|| "账号已停用，登录不了，什么也看不到。".to_owned());
    Ok(Json(AccountSight { name: account.name, nothing_because, grants: held, groups }))
}

/// How somebody sees the personal values of a record, if they see it.
fn sees(who: &Identity, place: &Place) -> Option<&'static str> {
    let allowed = |action, at| match matrix::decide(who, action, Some(at)) {
        Decision::Allow(allowance) => Some(personal(allowance.mask)),
        _ => None,
    };
    let found: Vec<_> = place.at.iter().filter_map(|at| allowed(place.action, at)).collect();
    let reveals = || {
        place.reveal.is_some_and(|action| place.at.iter().any(|at| allowed(action, at).is_some()))
    };
    match [Mask::Clear, Mask::Partial].map(personal).iter().find(|one| found.contains(one)) {
        Some(one) if *one == personal(Mask::Partial) && reveals() => Some("遮挡，可逐项看明文"),
        Some(one) => Some(one),
        None => found.first().copied(),
    }
}

async fn of_record(
    State(access): State<Access>,
    caller: Caller,
    PathOf((kind, id)): PathOf<(String, String)>,
) -> Answer<Json<RecordReaders>> {
    let place = access.records.place(&kind, &id).await?.ok_or_else(Problem::not_found)?;
    // who cannot see it learns nothing of it; the administrators of rights see whose it is, not what
    let read = Action::new(place.action, "");
    let officer_of_rights = caller.may(&OF_ACCOUNT);
    if !officer_of_rights && !place.at.iter().any(|at| caller.require_for(&read, at).is_ok()) {
        let own = place.at.first().ok_or_else(Problem::not_found)?;
        caller.require_for(&read, own)?;
    }
    let agencies = store::agency_names(access.db()).await?;
    let today = access.db().clock().today().to_string();
    let (mut items, mut others) = (Vec::new(), 0);
    let filter = store::AccountFilter {
        class: Some("business"),
        state: Some("active"),
        ..store::AccountFilter::default()
    };
    let mut cursor = None;
    loop {
        let page = Page { limit: Some(Page::MAX), cursor };
        let found = store::accounts(access.db(), &filter, &page).await?;
        let ids: Vec<String> = found.items.iter().map(|one| one.id.clone()).collect();
        let grants = store::standing_grants(access.db(), &ids).await?;
        for account in found.items {
            let own: Vec<_> = grants
                .iter()
                .filter(|one| one.account_id == account.id)
                .filter(|one| one.valid_from <= today && today <= one.valid_to)
                .cloned()
                .collect();
            let mut roles: Vec<&'static str> = own.iter().map(|one| one.role.title()).collect();
            roles.dedup();
            let who = as_identity(&account.id, store::as_kernel_grants(own));
            match sees(&who, &place) {
                Some(personal) => items.push(RecordReader {
                    account_id: officer_of_rights.then_some(account.id),
                    name: account.name,
                    agency_name: account.agency.and_then(|code| agencies.get(&code).cloned()),
                    roles,
                    personal,
                }),
                None => others += 1,
            }
        }
        cursor = found.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let own = place.at.first();
    let agency = own.and_then(|own| own.agency.as_ref());
    Ok(Json(RecordReaders {
        area_name: own.and_then(|own| own.area.as_ref()).map(|code| access.place(code)),
        agency_name: agency.map(|code| agencies.get(code).unwrap_or(code).clone()),
        action_title: matrix::title_of(place.action).unwrap_or_default(),
        items,
        others,
    }))
}
