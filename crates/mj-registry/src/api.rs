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
    Action, ActorNames, Answer, Caller, Column, Export, ExportRequest, Input, Module, Once, PathOf,
    Problem, Query, Resource, RouteOf, create, get, post, replayed,
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

/// What the handlers stand on.
#[derive(Clone)]
pub(crate) struct Desk {
    pub registry: Registry,
    pub acts: Acts,
}

pub fn module(registry: Registry, acts: Acts) -> Module {
    let judge = registry.clone();
    let handler = EventHandler::new("registry", move |event| {
        let registry = judge.clone();
        async move { registry.on_event(&event).await.map_err(Into::into) }
    });
    let mut all = routes();
    all.extend(crate::officer_api::routes());
    all.extend(crate::certificate_wording::routes());
    Module::new("registry", "监管对象").event(handler).routes(Desk { registry, acts }, all)
}

fn routes() -> Vec<RouteOf<Desk>> {
    vec![
        get(PARTY_READ, "/api/v1/registry/parties", list)
            .summary("查找监管对象")
            .description("名称的一部分、拼音首字母、代码的后几位、地址或对象编号")
            .query::<PartyQuery>()
            .list::<PartyHit>(),
        post(PARTY_READ, "/api/v1/registry/parties/export", export_parties)
            .summary("导出监管对象列表：与所见一致的筛选和列")
            .body::<ExportRequest>()
            .binary("text/csv"),
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
        post(PARTY_READ, "/api/v1/registry/merges/export", export_merges)
            .summary("导出合并记录：与所见一致的筛选和列")
            .body::<ExportRequest>()
            .binary("text/csv"),
        create(PARTY_MERGE, "/api/v1/registry/merges", merge)
            .summary("合并两个监管对象")
            .body::<MergeRequest>()
            .created::<MergeView>(),
        post(PARTY_UNMERGE, "/api/v1/registry/merges/{id}/undo", undo)
            .summary("撤销合并")
            .body::<UndoRequest>()
            .ok::<MergeView>(),
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
    /// holds（有效）或 undone（已撤销）
    state: Option<String>,
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
    /// 谁合并的
    pub actor_name: String,
    pub merged_at: String,
    pub undone_at: Option<String>,
    pub undone_by: Option<String>,
    /// 谁撤销的
    pub undone_by_name: Option<String>,
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
    fn of(merge: Merge, names: &BTreeMap<String, String>, people: &ActorNames) -> Self {
        Self {
            id: merge.id,
            version: merge.version,
            keep_name: names.get(&merge.keep_id).cloned(),
            merge_name: names.get(&merge.merge_id).cloned(),
            keep: merge.keep_id,
            merge: merge.merge_id,
            reason: merge.reason,
            actor_name: people.of(&merge.actor),
            undone_by_name: merge.undone_by.as_deref().map(|who| people.of(who)),
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
    let page = Page { limit: query.limit, cursor: query.cursor.clone() };
    party_page(&desk, &caller, &query, &page).await.map(Json)
}

/// Longest text looked for: what is longer names nobody.
const MOST_SEARCHED: usize = 100;

async fn party_page(
    desk: &Desk,
    caller: &Caller,
    query: &PartyQuery,
    page: &Page,
) -> Answer<PageOf<PartyHit>> {
    let kind = match query.kind.as_deref().filter(|kind| !kind.is_empty()) {
        Some(name) => Some(PartyKind::parse(name).ok_or_else(|| {
            Problem::bad_request("registry.kind", "没有这种监管对象类型")
                .field("kind", "可选：enterprise、self_employed、organization、person")
        })?),
        None => None,
    };
    let q = query.q.as_deref().map(|q| q.chars().take(MOST_SEARCHED).collect());
    let wanted = Wanted { q, kind, area: query.area.clone(), bodies_only: false };
    let scope = |args: &mut Vec<Value>| visible(|column| caller.predicate(column, None, args));
    let found = desk.registry.search(&wanted, scope, page).await?;
    desk.registry.hits(&desk.acts, found, &sight(caller)).await.map_err(Into::into)
}

/// The party, if the caller may see it: registered in their area, or spoken of there.
pub(crate) async fn visible_root(
    desk: &Desk,
    caller: &Caller,
    id: &str,
) -> Result<PartyRow, Problem> {
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
    let page = Page { limit: query.limit, cursor: query.cursor.clone() };
    merge_page(&desk, &caller, &query, &page).await.map(Json)
}

async fn merge_page(
    desk: &Desk,
    caller: &Caller,
    query: &MergeQuery,
    page: &Page,
) -> Answer<PageOf<MergeView>> {
    let mut args: Vec<Value> = Vec::new();
    let mut filter = caller.predicate("g.area_number", None, &mut args);
    match query.state.as_deref() {
        Some("holds") => filter.push_str(" AND g.undone_at = 0"),
        Some("undone") => filter.push_str(" AND g.undone_at <> 0"),
        _ => {}
    }
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
    let names = merge_names(desk, caller, &page.items).await?;
    let people = merge_people(caller, &page.items).await?;
    Ok(page.map(|merge| MergeView::of(merge, &names, &people)))
}

/// Who merged and who took it back.
async fn merge_people(caller: &Caller, merges: &[Merge]) -> Answer<ActorNames> {
    let who = merges.iter().flat_map(|merge| [Some(merge.actor.clone()), merge.undone_by.clone()]);
    caller.names_of(who.flatten().collect()).await
}

/// The log as a file: the same filters, the same columns.
async fn export_merges(
    State(desk): State<Desk>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let query: MergeQuery = input.value.query()?;
    let db = &desk.registry.db;
    let mut file =
        Export::open(db, &caller, "registry.merges", "合并记录", &MERGE_COLUMNS, input.value)?;
    let mut page = Page { limit: Some(Page::MAX), cursor: None };
    loop {
        let found = merge_page(&desk, &caller, &query, &page).await?;
        for merge in &found.items {
            file.push(merge)?;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            return file.finish(db, &caller).await;
        }
    }
}

static MERGE_COLUMNS: [Column<MergeView>; 7] = [
    Column { name: "keep", title: "保留方", cell: |one| one.keep_name.clone() },
    Column { name: "merge", title: "并入方", cell: |one| one.merge_name.clone() },
    Column { name: "reason", title: "理由", cell: |one| Some(one.reason.clone()) },
    Column { name: "actor", title: "经办", cell: |one| Some(one.actor_name.clone()) },
    Column { name: "at", title: "合并时间", cell: |one| Some(one.merged_at.clone()) },
    Column { name: "undone", title: "撤销时间", cell: |one| one.undone_at.clone() },
    Column { name: "undone_by", title: "撤销经办", cell: |one| one.undone_by_name.clone() },
];

/// Found parties as a file: the same search, the same columns, personal values masked as in the list.
async fn export_parties(
    State(desk): State<Desk>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let query: PartyQuery = input.value.query()?;
    let db = &desk.registry.db;
    let mut file =
        Export::open(db, &caller, "registry.parties", "监管对象", &PARTY_COLUMNS, input.value)?;
    let mut page = Page { limit: Some(Page::MAX), cursor: None };
    loop {
        let found = party_page(&desk, &caller, &query, &page).await?;
        for party in &found.items {
            file.push(party)?;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            return file.finish(db, &caller).await;
        }
    }
}

static PARTY_COLUMNS: [Column<PartyHit>; 9] = [
    Column { name: "name", title: "名称", cell: |one| Some(one.name.clone()) },
    Column {
        name: "code",
        title: "统一社会信用代码或注册号",
        cell: |one| one.uscc.clone().or_else(|| one.regist_no.clone()),
    },
    Column { name: "kind", title: "类型", cell: |one| Some(one.kind_title.clone()) },
    Column {
        name: "area",
        title: "行政区划",
        cell: |one| one.area_name.clone().or_else(|| one.area_number.clone()),
    },
    Column { name: "status", title: "登记状态", cell: |one| one.status.clone() },
    Column { name: "acts", title: "监管记录", cell: |one| Some(one.act_count.to_string()) },
    Column { name: "last", title: "最近一次", cell: |one| one.last_act_date.clone() },
    Column { name: "address", title: "住所", cell: |one| one.address.clone() },
    Column {
        name: "register_no", title: "对象编号", cell: |one| Some(one.register_no.clone())
    },
];

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
    let people = merge_people(caller, std::slice::from_ref(&merge)).await?;
    Ok(MergeView::of(merge, &names, &people))
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
