//! The same content for programs: JSON beside each page, without login.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mj_kernel::clock::{beijing_date, to_rfc3339};
use mj_kernel::{Page, PageOf};
use mj_registry::{PublicAct, PublicField, PublicParty, PublicSource};
use mj_web::{Answer, Caller, PathOf, Problem, Query, RouteOf, get};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::data::{Built, DATASETS, Dataset, FileEntry, dataset, pages as data_pages};
use crate::error::Error;
use crate::pages::SearchQuery;
use crate::posts::pages::Published;
use crate::posts::store::{self, Listed, Post, Text};
use crate::posts::{Kind, api as posts_api, is_shown};
use crate::{DATA, NEWS, PARTY, Portal, SEARCH, markup};

pub fn routes() -> Vec<RouteOf<Portal>> {
    vec![
        get(SEARCH, "/api/v1/public/parties", parties)
            .summary("查询公示的监管对象；不含自然人")
            .query::<PartyQuery>()
            .ok::<PartyPage>(),
        get(PARTY, "/api/v1/public/parties/{register_no}", party)
            .summary("一个监管对象的公示信息，每条注明来源")
            .query::<PageParams>()
            .ok::<PartyRecord>(),
        get(NEWS, "/api/v1/public/news", news)
            .summary("监管动态，新的在前")
            .query::<PageParams>()
            .list::<PublicPost>(),
        get(NEWS, "/api/v1/public/news/{number}", news_item)
            .summary("一篇监管动态，含更正前的文本")
            .ok::<PublicPost>(),
        get(NEWS, "/api/v1/public/exposures", exposures)
            .summary("曝光台，新的在前；过期的不列")
            .query::<PageParams>()
            .list::<PublicPost>(),
        get(NEWS, "/api/v1/public/exposures/{number}", exposure)
            .summary("一篇曝光，含更正前的文本")
            .ok::<PublicPost>(),
        get(DATA, "/api/v1/public/datasets", datasets)
            .summary("开放数据：数据集、字段、文件、校验值")
            .ok::<Vec<PublicDataset>>(),
        get(DATA, "/api/v1/public/datasets/{id}", one_dataset)
            .summary("一个开放数据集")
            .ok::<PublicDataset>(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
struct PartyQuery {
    /// 名称的一部分、拼音首字母、统一社会信用代码；至少两个字
    q: Option<String>,
    /// 行政区划代码，含下级
    area: Option<String>,
    /// enterprise 企业，self_employed 个体工商户，organization 非企业法人和其他组织
    kind: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
struct PageParams {
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicParty)]
struct PartyView {
    register_no: String,
    kind: String,
    kind_title: String,
    name: String,
    uscc: Option<String>,
    area_number: Option<String>,
    area_name: Option<String>,
    address: Option<String>,
    status: Option<String>,
    /// 门户页面的地址
    page: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicPartyPage)]
struct PartyPage {
    items: Vec<PartyView>,
    next_cursor: Option<String>,
    /// 总数；超过 1000 时为 1001
    total: i64,
    /// 不存在因而没有使用的筛选条件
    ignored: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicSource)]
struct SourceView {
    source_name: String,
    table_title: String,
    /// 来源系统给出的数据日期
    data_date: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicField)]
struct FieldView {
    name: String,
    title: String,
    value: String,
    source: Option<SourceView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicAct)]
struct ActView {
    /// 这条记录的固定名称，提出纠错时引用
    line: String,
    table: String,
    table_title: String,
    event_date: Option<String>,
    item_code: Option<String>,
    item_name: Option<String>,
    agency_code: Option<String>,
    agency_name: Option<String>,
    result: Option<String>,
    amount_fen: Option<i64>,
    document_no: Option<String>,
    source: SourceView,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicRecord)]
struct PartyRecord {
    party: PartyView,
    fields: Vec<FieldView>,
    acts: Vec<ActView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublicText {
    title: String,
    body: String,
    html: String,
    published_at: Option<String>,
    /// 更正的原因；首次发布时为空
    why: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublicPost {
    /// news | exposure
    kind: String,
    number: i64,
    /// 门户页面的地址
    page: String,
    title: String,
    agency: String,
    agency_name: String,
    published_at: Option<String>,
    register_no: Option<String>,
    party_name: Option<String>,
    act_line: Option<String>,
    act_title: Option<String>,
    act_date: Option<String>,
    /// 曝光展示到哪一天
    shown_until: Option<String>,
    /// 现在的文本在前，更正前的文本在后；列表中没有
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<Vec<PublicText>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublicFile {
    /// csv | json
    format: String,
    address: String,
    bytes: i64,
    sha256: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublicDatasetField {
    name: String,
    title: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublicDataset {
    id: String,
    title: String,
    about: String,
    licence: String,
    fields: Vec<PublicDatasetField>,
    rows: i64,
    /// 数据的时间
    data_time: String,
    files: Vec<PublicFile>,
}

fn party_view(party: PublicParty) -> PartyView {
    PartyView {
        page: format!("/parties/{}", party.register_no),
        kind: party.kind.name().into(),
        kind_title: party.kind_title.into(),
        register_no: party.register_no,
        name: party.name,
        uscc: party.uscc,
        area_number: party.area_number,
        area_name: party.area_name,
        address: party.address,
        status: party.status,
    }
}

fn source_view(source: PublicSource) -> SourceView {
    SourceView {
        source_name: source.source_name,
        table_title: source.table_title,
        data_date: source.data_date,
    }
}

fn field_view(field: PublicField) -> FieldView {
    FieldView {
        name: field.name,
        title: field.title,
        value: field.value,
        source: field.source.map(source_view),
    }
}

fn act_view(act: PublicAct) -> ActView {
    ActView {
        line: act.line,
        table: act.table,
        table_title: act.table_title,
        event_date: act.event_date,
        item_code: act.item_code,
        item_name: act.item_name,
        agency_code: act.agency_code,
        agency_name: act.agency_name,
        result: act.result,
        amount_fen: act.amount_fen,
        document_no: act.document_no,
        source: source_view(act.source),
    }
}

async fn parties(
    State(portal): State<Portal>,
    _caller: Caller,
    Query(query): Query<PartyQuery>,
) -> Answer<Json<PartyPage>> {
    let page = Page { limit: query.limit, cursor: query.cursor };
    let asked = SearchQuery {
        q: query.q.unwrap_or_default(),
        area: query.area.unwrap_or_default(),
        kind: query.kind.unwrap_or_default(),
        cursor: None,
    };
    let (wanted, ignored) = portal.wanted(&asked);
    let found = portal.registry.public_search(&wanted, &page).await?;
    let more = found.next_cursor.is_some();
    let total = portal.total(&wanted, &page, found.items.len(), more).await?;
    Ok(Json(PartyPage {
        items: found.items.into_iter().map(party_view).collect(),
        next_cursor: found.next_cursor,
        total,
        ignored,
    }))
}

async fn party(
    State(portal): State<Portal>,
    _caller: Caller,
    PathOf(register_no): PathOf<String>,
    Query(query): Query<PageParams>,
) -> Answer<Json<PartyRecord>> {
    let page = Page { limit: query.limit, cursor: query.cursor };
    let record = portal.registry.public_record(&portal.acts, &register_no, &page).await?;
    let record = record.ok_or_else(Problem::not_found)?;
    let today = portal.today();
    Ok(Json(PartyRecord {
        party: party_view(record.party),
        fields: record.fields.into_iter().map(field_view).collect(),
        acts: record.acts.into_iter().filter(|act| is_shown(act, today)).map(act_view).collect(),
        next_cursor: record.next_cursor,
    }))
}

fn post_view(post: &Post, title: String, texts: Option<Vec<PublicText>>) -> PublicPost {
    PublicPost {
        kind: post.kind.name().into(),
        number: post.number.unwrap_or_default(),
        page: posts_api::address(post).unwrap_or_default(),
        title,
        agency: post.agency.clone(),
        agency_name: post.agency_name.clone(),
        published_at: post.published_at.map(to_rfc3339),
        register_no: post.register_no.clone(),
        party_name: post.party_name.clone(),
        act_line: post.act_line.clone(),
        act_title: post.act_title.clone(),
        act_date: post.act_date.clone(),
        shown_until: post.shown_until.clone(),
        texts,
    }
}

async fn posts(portal: &Portal, kind: Kind, query: PageParams) -> Answer<Json<PageOf<PublicPost>>> {
    let page = Page { limit: query.limit, cursor: query.cursor };
    let below = page.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
    let today = portal.today().to_string();
    let found = store::published(&portal.db, kind, below, &today, page.limit() + 1).await?;
    let found = PageOf::from_surplus(found, page.limit(), |listed: &Listed| {
        listed.post.number.unwrap_or_default().to_string()
    });
    Ok(Json(found.map(|listed| post_view(&listed.post, listed.title, None))))
}

async fn one_post(portal: &Portal, kind: Kind, number: &str) -> Answer<Json<PublicPost>> {
    let gone = |title: &str, detail: String| {
        Err(Problem::new(StatusCode::GONE, "portal.gone", title).detail(detail))
    };
    match portal.published(kind, number).await? {
        None => Err(Problem::not_found()),
        Some(Published::Withdrawn(post)) => {
            let day = post.withdrawn_at.map(|at| beijing_date(at).to_string()).unwrap_or_default();
            gone("已撤回", format!("{day} 撤回：{}", post.withdrawn_why.unwrap_or_default()))
        }
        Some(Published::Ended(post)) => {
            gone("公示期已满", format!("展示到 {}", post.shown_until.unwrap_or_default()))
        }
        Some(Published::Shown(post, texts)) => {
            let title = |text: &Text| text.title.clone();
            let shown = texts.iter().find(|text| Some(text.number) == post.shown_text);
            let title = shown.map(title).unwrap_or_default();
            let texts = texts.into_iter().rev().map(|text| PublicText {
                html: markup::to_html(&text.body),
                title: text.title,
                body: text.body,
                published_at: text.published_at.map(to_rfc3339),
                why: text.why,
            });
            Ok(Json(post_view(&post, title, Some(texts.collect()))))
        }
    }
}

async fn news(
    State(portal): State<Portal>,
    _caller: Caller,
    Query(query): Query<PageParams>,
) -> Answer<Json<PageOf<PublicPost>>> {
    posts(&portal, Kind::News, query).await
}

async fn exposures(
    State(portal): State<Portal>,
    _caller: Caller,
    Query(query): Query<PageParams>,
) -> Answer<Json<PageOf<PublicPost>>> {
    posts(&portal, Kind::Exposure, query).await
}

async fn news_item(
    State(portal): State<Portal>,
    _caller: Caller,
    PathOf(number): PathOf<String>,
) -> Answer<Json<PublicPost>> {
    one_post(&portal, Kind::News, &number).await
}

async fn exposure(
    State(portal): State<Portal>,
    _caller: Caller,
    PathOf(number): PathOf<String>,
) -> Answer<Json<PublicPost>> {
    one_post(&portal, Kind::Exposure, &number).await
}

fn dataset_view(portal: &Portal, set: &Dataset, built: &Built) -> PublicDataset {
    let file = |format: &str, file: &FileEntry| PublicFile {
        format: format.to_owned(),
        address: data_pages::address(set.id, format),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
    };
    let field = |column: &crate::data::Column| PublicDatasetField {
        name: column.name.to_owned(),
        title: column.title.to_owned(),
    };
    PublicDataset {
        id: set.id.into(),
        title: set.title.into(),
        about: set.about.into(),
        licence: portal.licence(),
        fields: set.columns.iter().map(field).collect(),
        rows: built.rows,
        data_time: to_rfc3339(built.built_at),
        files: vec![file("csv", &built.csv), file("json", &built.json)],
    }
}

async fn datasets(
    State(portal): State<Portal>,
    _caller: Caller,
) -> Answer<Json<Vec<PublicDataset>>> {
    let built = portal.built().await?;
    let views = DATASETS.iter().filter_map(|set| {
        Some(dataset_view(&portal, set, built.iter().find(|one| one.id == set.id)?))
    });
    Ok(Json(views.collect()))
}

async fn one_dataset(
    State(portal): State<Portal>,
    _caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<PublicDataset>> {
    let set = dataset(&id).ok_or(Error::UnknownDataset)?;
    let built = portal.built_of(&id).await?.ok_or(Error::UnknownDataset)?;
    Ok(Json(dataset_view(&portal, set, &built)))
}
