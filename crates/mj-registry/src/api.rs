//! Parties over HTTP: find, open, timeline, merge and un-merge.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mj_kernel::clock::to_rfc3339;
use mj_kernel::{Page, PageOf};
use mj_platform::outbox::EventHandler;
use mj_platform::{Lane, RowExt, Value};
use mj_web::{
    Action, Answer, Caller, Input, Module, Once, PathOf, Problem, Query, Resource, RouteOf, create,
    get, post, replayed,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::acts::Acts;
use crate::dossier::{PartyDossier, PartyHit, Sight, TimelineEntry};
use crate::masters::PartyRow;
use crate::merges::Merge;
use crate::model::PartyKind;
use crate::search::{Wanted, visible};
use crate::show;
use crate::{Error, Registry, Result};

pub const PARTY_READ: Action = Action::new("registry.party.read", "查看监管对象");
pub const PARTY_MERGE: Action = Action::new("registry.party.merge", "合并监管对象");
pub const PARTY_UNMERGE: Action = Action::new("registry.party.unmerge", "撤销合并");
pub const OFFICER_READ: Action = Action::new("registry.officer.read", "查看执法人员");

/// What the handlers stand on.
#[derive(Clone)]
struct Desk {
    registry: Registry,
    acts: Acts,
}

pub fn module(registry: Registry, acts: Acts) -> Module {
    let judge = registry.clone();
    let handler = EventHandler::new("registry", move |event| {
        let registry = judge.clone();
        async move { registry.on_event(&event).await.map_err(Into::into) }
    });
    Module::new("registry", "监管对象").event(handler).routes(Desk { registry, acts }, routes())
}

fn routes() -> Vec<RouteOf<Desk>> {
    vec![
        get(PARTY_READ, "/api/v1/registry/parties", list)
            .summary("查找监管对象")
            .description("名称的一部分、拼音首字母、代码的后几位、地址或对象编号")
            .query::<PartyQuery>()
            .list::<PartyHit>(),
        get(PARTY_READ, "/api/v1/registry/parties/{id}", read)
            .summary("一企一档")
            .ok::<PartyDossier>(),
        get(PARTY_READ, "/api/v1/registry/parties/{id}/timeline", timeline)
            .summary("对一个监管对象的监管记录，新的在前")
            .query::<TimelineQuery>()
            .list::<TimelineEntry>(),
        get(PARTY_READ, "/api/v1/registry/areas", areas)
            .summary("有监管对象的行政区划，供筛选")
            .ok::<AreaList>(),
        get(PARTY_READ, "/api/v1/registry/merges", merges)
            .summary("合并记录")
            .query::<MergeQuery>()
            .list::<MergeView>(),
        create(PARTY_MERGE, "/api/v1/registry/merges", merge)
            .summary("合并两个监管对象")
            .body::<MergeRequest>()
            .created::<MergeView>(),
        post(PARTY_UNMERGE, "/api/v1/registry/merges/{id}/undo", undo)
            .summary("撤销合并")
            .body::<UndoRequest>()
            .ok::<MergeView>(),
        get(OFFICER_READ, "/api/v1/registry/officers", officers)
            .summary("查找执法人员")
            .query::<OfficerQuery>()
            .list::<OfficerView>(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
struct PartyQuery {
    /// 名称的一部分、拼音首字母、代码的后几位、地址或对象编号
    q: Option<String>,
    /// enterprise、self_employed、organization 或 person
    kind: Option<String>,
    /// 行政区划代码，含下级
    area: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
struct TimelineQuery {
    /// 只看一类行为，例如 punish_action
    table: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
struct MergeQuery {
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct MergeRequest {
    /// 保留的监管对象
    keep: String,
    /// 并入的监管对象
    merge: String,
    reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
struct UndoRequest {
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MergeView {
    pub id: String,
    pub version: i64,
    pub keep: String,
    /// 保留的监管对象的名称；自然人按权限遮挡
    pub keep_name: Option<String>,
    pub merge: String,
    pub merge_name: Option<String>,
    pub reason: String,
    pub actor: String,
    pub merged_at: String,
    pub undone_at: Option<String>,
    pub undone_by: Option<String>,
    pub undo_reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AreaView {
    pub area_number: String,
    /// 简称，如薛城区
    pub name: String,
    /// 全称，如山东省枣庄市薛城区
    pub full_name: String,
    pub parties: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AreaList {
    pub items: Vec<AreaView>,
}

impl MergeView {
    fn of(merge: Merge, names: &BTreeMap<String, String>) -> Self {
        Self {
            id: merge.id,
            version: merge.version,
            keep_name: names.get(&merge.keep_id).cloned(),
            merge_name: names.get(&merge.merge_id).cloned(),
            keep: merge.keep_id,
            merge: merge.merge_id,
            reason: merge.reason,
            actor: merge.actor,
            merged_at: to_rfc3339(merge.merged_at),
            undone_at: (merge.undone_at != 0).then(|| to_rfc3339(merge.undone_at)),
            undone_by: merge.undone_by,
            undo_reason: merge.undo_reason,
        }
    }
}

fn sight(caller: &Caller) -> Sight {
    Sight { scopes: caller.scopes.clone(), mask: caller.mask }
}

async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Query(query): Query<PartyQuery>,
) -> Answer<Json<PageOf<PartyHit>>> {
    let kind = match query.kind.as_deref().filter(|kind| !kind.is_empty()) {
        Some(name) => Some(PartyKind::parse(name).ok_or_else(|| {
            Problem::bad_request("registry.kind", "没有这种监管对象类型")
                .field("kind", "可选：enterprise、self_employed、organization、person")
        })?),
        None => None,
    };
    let wanted = Wanted { q: query.q, kind, area: query.area, bodies_only: false };
    let page = Page { limit: query.limit, cursor: query.cursor };
    let scope = |args: &mut Vec<Value>| visible(|column| caller.predicate(column, None, args));
    let found = desk.registry.search(&wanted, scope, &page).await?;
    Ok(Json(desk.registry.hits(&desk.acts, found, &sight(&caller)).await?))
}

/// The party, if the caller may see it: registered in their area, or spoken of there.
async fn visible_root(desk: &Desk, caller: &Caller, id: &str) -> Result<PartyRow, Problem> {
    let root = desk.registry.root_of_any(id).await?;
    let mut args: Vec<Value> = vec![root.id.as_str().into()];
    let filter = visible(|column| caller.predicate(column, None, &mut args));
    let sql = format!("SELECT p.id FROM party p WHERE p.id = $1{filter}");
    match desk.registry.db.fetch_optional(&sql, &args).await? {
        Some(_) => Ok(root),
        None => Err(Problem::not_found()),
    }
}

async fn read(
    State(desk): State<Desk>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<PartyDossier>> {
    let root = visible_root(&desk, &caller, &id).await?;
    Ok(Json(desk.registry.dossier(&desk.acts, &root, &sight(&caller)).await?))
}

async fn timeline(
    State(desk): State<Desk>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Query(query): Query<TimelineQuery>,
) -> Answer<Json<PageOf<TimelineEntry>>> {
    let root = visible_root(&desk, &caller, &id).await?;
    let page = Page { limit: query.limit, cursor: query.cursor };
    let table = query.table.as_deref().filter(|table| !table.is_empty());
    let sight = sight(&caller);
    Ok(Json(desk.registry.timeline(&desk.acts, &root, &sight, table, &page).await?))
}

async fn merges(
    State(desk): State<Desk>,
    caller: Caller,
    Query(query): Query<MergeQuery>,
) -> Answer<Json<PageOf<MergeView>>> {
    let page = Page { limit: query.limit, cursor: query.cursor };
    let mut args: Vec<Value> = Vec::new();
    let mut filter = caller.predicate("g.area_number", None, &mut args);
    if let Some(cursor) = &page.cursor {
        args.push(cursor.into());
        filter.push_str(&format!(" AND g.id < ${}", args.len()));
    }
    args.push((page.limit() + 1).into());
    let sql = format!(
        "SELECT * FROM party_merge g WHERE 1=1{filter} ORDER BY g.id DESC LIMIT ${}",
        args.len()
    );
    let rows = desk.registry.db.fetch_all(&sql, &args).await?;
    let items = rows.iter().map(Merge::read).collect::<mj_platform::Result<Vec<_>>>()?;
    let page = PageOf::from_surplus(items, page.limit(), |merge| merge.id.clone());
    let names = merge_names(&desk, &caller, &page.items).await?;
    Ok(Json(page.map(|merge| MergeView::of(merge, &names))))
}

/// What the parties of these merges are called, as far as the caller may read it.
async fn merge_names(
    desk: &Desk,
    caller: &Caller,
    merges: &[Merge],
) -> Result<BTreeMap<String, String>> {
    let mut ids: Vec<String> =
        merges.iter().flat_map(|merge| [merge.keep_id.clone(), merge.merge_id.clone()]).collect();
    ids.sort_unstable();
    ids.dedup();
    desk.registry.names_of(&ids, caller.mask).await
}

async fn areas(State(desk): State<Desk>, caller: Caller) -> Answer<Json<AreaList>> {
    let mut args: Vec<Value> = Vec::new();
    let filter = visible(|column| caller.predicate(column, None, &mut args));
    let sql = format!(
        "SELECT p.area_number, COUNT(*) AS parties FROM party p \
         WHERE p.merged_into IS NULL AND p.area_number IS NOT NULL{filter} \
         GROUP BY p.area_number ORDER BY p.area_number"
    );
    // towns and villages are told within their county
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for row in desk.registry.db.fetch_all(&sql, &args).await? {
        let number = row.text("area_number")?;
        let county = number.get(..6).unwrap_or(&number).to_owned();
        *counts.entry(county).or_default() += row.int("parties")?;
    }
    let items = counts.into_iter().map(|(area_number, parties)| AreaView {
        name: show::area_short_name(&area_number).unwrap_or(&area_number).to_owned(),
        full_name: show::area_name(&area_number).unwrap_or_else(|| area_number.clone()),
        area_number,
        parties,
    });
    Ok(Json(AreaList { items: items.collect() }))
}

/// A merge whose both parties the caller may handle.
async fn merge_of(desk: &Desk, caller: &Caller, id: &str) -> Result<MergeView, Problem> {
    let row = desk
        .registry
        .db
        .fetch_optional("SELECT * FROM party_merge WHERE id = $1", &[id.into()])
        .await?
        .ok_or(Error::UnknownMerge)?;
    let merge = Merge::read(&row)?;
    caller.require(&Resource::at(merge.area_number.as_deref(), None))?;
    let names = merge_names(desk, caller, std::slice::from_ref(&merge)).await?;
    Ok(MergeView::of(merge, &names))
}

async fn merge(
    State(desk): State<Desk>,
    caller: Caller,
    input: Input<MergeRequest>,
) -> Answer<Response> {
    let keep = visible_root(&desk, &caller, &input.value.keep).await?;
    let merged = visible_root(&desk, &caller, &input.value.merge).await?;
    caller.require(&Resource::at(keep.stored.area_number.as_deref(), None))?;
    let act = caller.act(format!("party:{}", keep.id)).because(input.value.reason.trim());
    let mut tx = desk.registry.db.begin(Lane::People, act).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let view = merge_of(&desk, &caller, &earlier.object_id).await?;
            return Ok(replayed(&earlier, Json(view)));
        }
        Once::First(first) => first,
    };
    // by the ids asked for: a party merged meanwhile is a conflict, not silently its successor
    let (keep, merge) = (asked(&input.value.keep, &keep), asked(&input.value.merge, &merged));
    let id = desk.registry.merge_in(&mut tx, &keep, &merge, &input.value.reason).await?;
    first.keep(&mut tx, StatusCode::CREATED, &id, 1).await?;
    tx.commit().await?;
    let view = merge_of(&desk, &caller, &id).await?;
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// The id as asked for, where it is one; a register number stands for whoever holds it today.
fn asked(given: &str, root: &PartyRow) -> String {
    if given.starts_with('P') || given.starts_with('p') {
        root.id.clone()
    } else {
        given.to_owned()
    }
}

async fn undo(
    State(desk): State<Desk>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<UndoRequest>,
) -> Answer<Json<MergeView>> {
    let merge = merge_of(&desk, &caller, &id).await?;
    let act = caller.act(format!("party:{}", merge.keep)).because(input.value.reason.trim());
    desk.registry.undo_merge(act, &id, &input.value.reason).await?;
    Ok(Json(merge_of(&desk, &caller, &id).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
struct OfficerQuery {
    /// 姓名、拼音首字母或执法证号
    q: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OfficerView {
    pub id: String,
    pub version: i64,
    pub register_no: String,
    pub name: String,
    pub org_full_name: Option<String>,
    pub staff_type: Option<String>,
    pub area_number: Option<String>,
    pub area_name: Option<String>,
    pub status: String,
    pub certificates: Vec<CertificateView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CertificateView {
    pub certificate_no: String,
    pub issue_authority: Option<String>,
    pub law_type: Option<String>,
    pub valid_until: Option<String>,
    /// in_use 或 withdrawn
    pub status: String,
}

async fn officers(
    State(desk): State<Desk>,
    caller: Caller,
    Query(query): Query<OfficerQuery>,
) -> Answer<Json<PageOf<OfficerView>>> {
    let page = Page { limit: query.limit, cursor: query.cursor };
    let db = &desk.registry.db;
    let mut args: Vec<Value> = Vec::new();
    let mut filter = caller.predicate("o.area_number", Some("o.dept_code"), &mut args);
    let q = query.q.as_deref().map(mj_linkage::search_query).filter(|q| !q.is_empty());
    if let Some(q) = q {
        args.push(format!("%{q}%").into());
        args.push(format!("{}%", q.to_ascii_uppercase()).into());
        let (name, number) = (args.len() - 1, args.len());
        filter.push_str(&format!(
            " AND (o.name LIKE ${name} OR o.initials LIKE ${name} OR EXISTS (SELECT 1 FROM \
             officer_certificate c WHERE c.officer_id = o.id AND c.certificate_no LIKE ${number}))"
        ));
    }
    if let Some(cursor) = &page.cursor {
        args.push(cursor.into());
        filter.push_str(&format!(" AND o.id > ${}", args.len()));
    }
    args.push((page.limit() + 1).into());
    let sql =
        format!("SELECT o.* FROM officer o WHERE 1=1{filter} ORDER BY o.id LIMIT ${}", args.len());
    let mut items = Vec::new();
    for row in db.fetch_all(&sql, &args).await? {
        let area_number = row.opt_text("area_number")?;
        let column = show::table("law_officer").and_then(|table| table.column("name"));
        let place = "officer_source.name";
        let stored = row.text("name")?;
        let name = show::shown(&desk.registry.keys, db, place, column, &stored, caller.mask);
        items.push(OfficerView {
            id: row.text("id")?,
            version: row.int("version")?,
            register_no: row.text("register_no")?,
            name: name.await?.value.unwrap_or_default(),
            org_full_name: row.opt_text("org_full_name")?,
            staff_type: row.opt_text("staff_type")?,
            area_name: area_number.as_deref().and_then(show::area_name),
            area_number,
            status: row.text("status")?,
            certificates: certificates(&desk.registry, &row.text("id")?).await?,
        });
    }
    Ok(Json(PageOf::from_surplus(items, page.limit(), |officer| officer.id.clone())))
}

async fn certificates(registry: &Registry, officer: &str) -> Result<Vec<CertificateView>> {
    let sql = "SELECT * FROM officer_certificate WHERE officer_id = $1 ORDER BY certificate_no";
    let rows = registry.db.fetch_all(sql, &[officer.into()]).await?;
    let views = rows.iter().map(|row| {
        Ok(CertificateView {
            certificate_no: row.text("certificate_no")?,
            issue_authority: row.opt_text("issue_authority")?,
            law_type: row.opt_text("law_type")?,
            valid_until: row.opt_text("valid_until")?,
            status: row.text("status")?,
        })
    });
    Ok(views.collect::<mj_platform::Result<_>>()?)
}
