//! Mappings of a department system's own item codes over HTTP: entered, shown, ended, taken back.
//!
//! A mapping belongs to its source. Where a source lies and whose it is, the data centre knows: it
//! answers through the port [`Sources`].

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use mj_kernel::code::ItemCode;
use mj_kernel::{AgencySet, Page, PageOf, lines_of_items};
use mj_platform::DbRow;
use mj_platform::{Lane, RowExt, Value, new_id};
use mj_web::{
    Action, Answer, BoxFuture, Caller, Column, Export, ExportRequest, Input, Once, PathOf, Query,
    Resource, RouteOf, create, delete, get, patch, post, replayed,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::days;
use crate::item::FOREVER;
use crate::tables::CATALOG_MAPPING;
use crate::{Catalog, Error, Result};

pub const MAPPING_READ: Action = Action::new("catalog.mapping.read", "查看本地事项编码对应");
pub const MAPPING_CREATE: Action = Action::new("catalog.mapping.create", "登记本地事项编码对应");
pub const MAPPING_CHANGE: Action = Action::new("catalog.mapping.change", "结束或删除事项编码对应");

/// Where a source lies and whose it is.
#[derive(Debug, Clone, Default)]
pub struct SourcePlace {
    pub area: Option<String>,
    pub agency: Option<String>,
}

/// Filled in by the whole house from the data centre.
pub trait Sources: Send + Sync {
    /// `None`: nobody of that name delivers.
    fn place<'a>(
        &'a self,
        cd_source: &'a str,
    ) -> BoxFuture<'a, mj_platform::Result<Option<SourcePlace>>>;
}

/// Nobody delivers.
pub(crate) struct NoSources;

impl Sources for NoSources {
    fn place<'a>(&'a self, _: &'a str) -> BoxFuture<'a, mj_platform::Result<Option<SourcePlace>>> {
        Box::pin(async { Ok(None) })
    }
}

pub(crate) fn routes() -> Vec<RouteOf<Catalog>> {
    vec![
        get(MAPPING_READ, "/api/v1/catalog/mappings", list)
            .summary("一个数据来源的本地事项编码对应哪些监管事项")
            .query::<MappingQuery>()
            .list::<MappingView>(),
        post(MAPPING_READ, "/api/v1/catalog/mappings/export", export)
            .summary("导出事项编码对应：与所见一致的筛选和列")
            .body::<ExportRequest>()
            .binary("text/csv"),
        create(MAPPING_CREATE, "/api/v1/catalog/mappings", enter)
            .summary("登记一条对应关系")
            .body::<NewMapping>()
            .created::<MappingView>(),
        patch(MAPPING_CHANGE, "/api/v1/catalog/mappings/{id}", end)
            .summary("到某一天为止结束一条对应关系")
            .body::<MappingEnd>()
            .ok::<MappingView>(),
        delete(MAPPING_CHANGE, "/api/v1/catalog/mappings/{id}", remove)
            .summary("删除录错的对应关系")
            .query::<MappingSeen>()
            .no_content(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
struct MappingQuery {
    /// 数据来源
    cd_source: String,
    /// 本地编码或统一编码的开头
    q: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
struct MappingSeen {
    /// 您看到的版本
    version: i64,
}

/// What one local code stands for, and on which days.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMapping {
    pub cd_source: String,
    /// 部门系统自己的事项编码
    pub local_code: String,
    /// 14位监管事项目录编码
    pub item_code: String,
    /// 从这一天起（不填：一直如此）
    #[schema(value_type = Option<String>)]
    pub valid_from: Option<NaiveDate>,
    /// 到这一天为止，不含当日（不填：长期）
    #[schema(value_type = Option<String>)]
    pub valid_to: Option<NaiveDate>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingEnd {
    pub version: i64,
    /// 到这一天为止，不含当日；空：长期
    #[schema(value_type = Option<String>)]
    pub valid_to: Option<NaiveDate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MappingView {
    pub id: String,
    pub version: i64,
    pub cd_source: String,
    pub local_code: String,
    pub item_code: String,
    /// 目录中的名称；目录中没有时为空
    pub item_name: Option<String>,
    pub valid_from: String,
    /// 到这一天为止，不含当日；9999-12-31 为长期
    pub valid_to: String,
}

async fn list(
    State(catalog): State<Catalog>,
    caller: Caller,
    Query(query): Query<MappingQuery>,
) -> Answer<Json<PageOf<MappingView>>> {
    let lines = catalog.allow(&caller, &query.cd_source, None).await?;
    Ok(Json(catalog.mapping_page(&query, &lines).await?))
}

/// The list as a file: the same filters, the same columns.
async fn export(
    State(catalog): State<Catalog>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let mut query: MappingQuery = input.value.query()?;
    query.limit = Some(Page::MAX);
    let lines = catalog.allow(&caller, &query.cd_source, None).await?;
    let (list, title) = ("catalog.mappings", "事项编码对应");
    let mut file = Export::open(&catalog.db, &caller, list, title, &COLUMNS, input.value)?;
    loop {
        let page = catalog.mapping_page(&query, &lines).await?;
        for one in &page.items {
            file.push(one)?;
        }
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return file.finish(&catalog.db, &caller).await;
        }
    }
}

/// The columns of the list, by the names under which the workbench knows them.
static COLUMNS: [Column<MappingView>; 4] = [
    Column { name: "local", title: "本地编码", cell: |one| Some(one.local_code.clone()) },
    Column { name: "item", title: "监管事项", cell: |one| one.item_name.clone() },
    Column { name: "code", title: "编码", cell: |one| Some(one.item_code.clone()) },
    Column {
        name: "valid",
        title: "有效期间",
        cell: |one| Some(days(&one.valid_from, &one.valid_to)),
    },
];

async fn enter(
    State(catalog): State<Catalog>,
    caller: Caller,
    input: Input<NewMapping>,
) -> Answer<Response> {
    let new = input.value;
    catalog.allow(&caller, &new.cd_source, Some(&new.item_code)).await?;
    let days = Days::of(&new)?;
    if new.local_code.trim().is_empty() || new.local_code.chars().count() > 100 {
        return Err(Error::LocalCode.into());
    }
    ItemCode::parse(&new.item_code).map_err(|_| Error::ItemCode)?;
    catalog.item_is_listed(&new.item_code).await?;
    let object = format!("catalog_mapping:{}", new.cd_source);
    let mut tx = catalog.db.begin(Lane::People, caller.act(object)).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let view = catalog.mapping(&earlier.object_id).await?;
            return Ok(replayed(&earlier, Json(view)));
        }
        Once::First(first) => first,
    };
    let local = new.local_code.trim();
    days.are_free(&mut tx, &new.cd_source, local, "").await?;
    let id = new_id();
    let values = [
        ("id", Value::from(id.as_str())),
        ("cd_source", new.cd_source.as_str().into()),
        ("local_code", local.into()),
        ("item_code", new.item_code.as_str().into()),
        ("valid_from", days.from.as_str().into()),
        ("valid_to", days.to.as_str().into()),
    ];
    tx.insert(&CATALOG_MAPPING, &values).await?;
    first.keep(&mut tx, StatusCode::CREATED, &id, 1).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(catalog.mapping(&id).await?)).into_response())
}

async fn end(
    State(catalog): State<Catalog>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<MappingEnd>,
) -> Answer<Json<MappingView>> {
    let known = catalog.mapping(&id).await?;
    catalog.allow(&caller, &known.cd_source, Some(&known.item_code)).await?;
    let to = input.value.valid_to.map_or_else(|| FOREVER.to_owned(), |day| day.to_string());
    let days = Days { from: known.valid_from.clone(), to }.in_order()?;
    let object = format!("catalog_mapping:{}", known.cd_source);
    let mut tx = catalog.db.begin(Lane::People, caller.act(object)).await?;
    days.are_free(&mut tx, &known.cd_source, &known.local_code, &id).await?;
    let changes = [("valid_to", days.to.as_str().into())];
    match tx.update(&CATALOG_MAPPING, &id, Some(input.value.version), &changes).await {
        Ok(_) => {}
        Err(stale @ mj_platform::Error::Stale { .. }) => {
            drop(tx);
            let newer = catalog.mapping(&id).await?;
            return Err(mj_web::Problem::from(stale).with_current(newer));
        }
        Err(error) => return Err(Error::from(error).into()),
    }
    tx.commit().await?;
    Ok(Json(catalog.mapping(&id).await?))
}

async fn remove(
    State(catalog): State<Catalog>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Query(seen): Query<MappingSeen>,
) -> Answer<StatusCode> {
    let known = catalog.mapping(&id).await?;
    catalog.allow(&caller, &known.cd_source, Some(&known.item_code)).await?;
    let object = format!("catalog_mapping:{}", known.cd_source);
    let mut tx = catalog.db.begin(Lane::People, caller.act(object)).await?;
    let current = tx
        .fetch_optional("SELECT version FROM catalog_mapping WHERE id = $1", &[id.as_str().into()])
        .await?
        .ok_or(Error::UnknownMapping)?
        .int("version")?;
    if current != seen.version {
        drop(tx);
        let stale = mj_platform::Error::Stale {
            table: CATALOG_MAPPING.name,
            id: id.clone(),
            expected: seen.version,
            current,
        };
        return Err(mj_web::Problem::from(stale).with_current(catalog.mapping(&id).await?));
    }
    tx.delete(&CATALOG_MAPPING, &id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// From one day up to, and without, another.
struct Days {
    from: String,
    to: String,
}

impl Days {
    fn of(new: &NewMapping) -> Result<Self> {
        let always = || "0001-01-01".to_owned();
        let days = Self {
            from: new.valid_from.map_or_else(always, |day| day.to_string()),
            to: new.valid_to.map_or_else(|| FOREVER.to_owned(), |day| day.to_string()),
        };
        days.in_order()
    }

    fn in_order(self) -> Result<Self> {
        if self.to <= self.from { Err(Error::Days) } else { Ok(self) }
    }

    /// On no day may the code stand for anything else; `but` is the mapping itself.
    async fn are_free(
        &self,
        tx: &mut mj_platform::WriteTx,
        cd_source: &str,
        local_code: &str,
        but: &str,
    ) -> Result<()> {
        let taken = tx
            .fetch_optional(
                "SELECT id FROM catalog_mapping WHERE cd_source = $1 AND local_code = $2 \
                 AND id <> $3 AND valid_from < $4 AND $5 < valid_to LIMIT 1",
                &[
                    cd_source.into(),
                    local_code.into(),
                    but.into(),
                    self.to.as_str().into(),
                    self.from.as_str().into(),
                ],
            )
            .await?;
        match taken {
            Some(_) => Err(Error::MappingOverlaps(local_code.to_owned())),
            None => Ok(()),
        }
    }
}

const VIEW: &str = "SELECT m.*, (SELECT MAX(i.name) FROM catalog_item i \
     WHERE i.item_code = m.item_code) AS item_name FROM catalog_mapping m";

impl Catalog {
    /// Who knows the sources; without it there are none.
    pub fn with_sources(mut self, sources: Arc<dyn Sources>) -> Self {
        self.sources = sources;
        self
    }

    /// Unknown and out of scope are the same; of an item of another line too.
    async fn allow(
        &self,
        caller: &Caller,
        cd_source: &str,
        item: Option<&str>,
    ) -> Answer<AgencySet> {
        let place = self.sources.place(cd_source).await?.ok_or(Error::UnknownMapping)?;
        let (area, agency) = (place.area.as_deref(), place.agency.as_deref());
        let mut resource = Resource::at(area, agency).of_source(cd_source.to_owned());
        if let Some(line) = item.and_then(|code| lines_of_items(code).next()) {
            resource = resource.of_item_line(line);
        }
        caller.require(&resource)?;
        Ok(caller.lines_at(area, agency))
    }

    /// A catalogue that holds anything must hold the item.
    async fn item_is_listed(&self, item_code: &str) -> Result<()> {
        let sql = "SELECT COUNT(*) FROM catalog_item WHERE item_code = $1";
        if self.db.count(sql, &[item_code.into()]).await? > 0 {
            return Ok(());
        }
        match self.db.fetch_optional("SELECT id FROM catalog_item LIMIT 1", &[]).await? {
            Some(_) => Err(Error::ItemNotListed(item_code.to_owned())),
            None => Ok(()),
        }
    }

    async fn mapping(&self, id: &str) -> Result<MappingView> {
        let row = self.db.fetch_optional(&format!("{VIEW} WHERE m.id = $1"), &[id.into()]).await?;
        view(&row.ok_or(Error::UnknownMapping)?)
    }

    async fn mapping_page(
        &self,
        query: &MappingQuery,
        lines: &AgencySet,
    ) -> Result<PageOf<MappingView>> {
        let page = Page { limit: query.limit, cursor: query.cursor.clone() };
        let mut args: Vec<Value> = vec![query.cd_source.as_str().into()];
        let mut filter = lines_predicate(lines, "m.item_code", &mut args);
        if let Some(q) = query.q.as_deref().map(str::trim).filter(|q| !q.is_empty()) {
            // a range instead of LIKE: a code may hold % or _
            args.push(q.into());
            args.push(format!("{q}\u{10ffff}").into());
            let (from, to) = (args.len() - 1, args.len());
            filter.push_str(&format!(
                " AND ((m.local_code >= ${from} AND m.local_code < ${to}) \
                 OR (m.item_code >= ${from} AND m.item_code < ${to}))"
            ));
        }
        if let Some((code, from)) = page.cursor.as_deref().and_then(|at| at.rsplit_once(' ')) {
            args.push(code.into());
            args.push(from.into());
            let (code, from) = (args.len() - 1, args.len());
            filter.push_str(&format!(
                " AND (m.local_code > ${code} \
                 OR (m.local_code = ${code} AND m.valid_from > ${from}))"
            ));
        }
        args.push((page.limit() + 1).into());
        let sql = format!(
            "{VIEW} WHERE m.cd_source = $1{filter} ORDER BY m.local_code, m.valid_from LIMIT ${}",
            args.len()
        );
        let rows = self.db.fetch_all(&sql, &args).await?;
        let items = rows.iter().map(view).collect::<Result<Vec<_>>>()?;
        let cursor = |item: &MappingView| format!("{} {}", item.local_code, item.valid_from);
        Ok(PageOf::from_surplus(items, page.limit(), cursor))
    }
}

/// ` AND …`: the line is the beginning of the item's code.
fn lines_predicate(lines: &AgencySet, column: &str, args: &mut Vec<Value>) -> String {
    let AgencySet::Only(lines) = lines else { return String::new() };
    let marks: Vec<String> = lines
        .iter()
        .map(|line| {
            args.push(line.as_str().into());
            format!("${}", args.len())
        })
        .collect();
    match marks.is_empty() {
        true => " AND 1=0".into(),
        false => format!(" AND substr({column}, 1, 2) IN ({})", marks.join(",")),
    }
}

fn view(row: &DbRow) -> Result<MappingView> {
    Ok(MappingView {
        id: row.text("id")?,
        version: row.int("version")?,
        cd_source: row.text("cd_source")?,
        local_code: row.text("local_code")?,
        item_code: row.text("item_code")?,
        item_name: row.opt_text("item_name")?,
        valid_from: row.text("valid_from")?,
        valid_to: row.text("valid_to")?,
    })
}
