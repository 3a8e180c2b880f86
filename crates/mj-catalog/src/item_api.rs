//! One item and the lists of those who implement it, over HTTP: every version with its days, so that
//! "what was in force that day, and by whose list" is one look.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::NaiveDate;
use mj_kernel::{AgencySet, Page, PageOf, Scope};
use mj_platform::DbRow;
use mj_platform::{RowExt, Value};
use mj_web::{
    Answer, Caller, Column, Export, ExportRequest, Input, PathOf, Problem, Query, RouteOf, get,
    post,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::{ITEM_READ, ItemView, days, lines_predicate, view};
use crate::{Catalog, Result};

pub fn routes() -> Vec<RouteOf<Catalog>> {
    vec![
        get(ITEM_READ, "/api/v1/catalog/items/{code}", item)
            .summary("一个监管事项：各版本、子项和谁在实施")
            .query::<DayQuery>()
            .ok::<ItemFile>(),
        get(ITEM_READ, "/api/v1/catalog/implementations", implementations)
            .summary("查找检查实施清单")
            .query::<ImplementationQuery>()
            .list::<ImplementationView>(),
        post(ITEM_READ, "/api/v1/catalog/implementations/export", export)
            .summary("导出检查实施清单：与所见一致的筛选和列")
            .body::<ExportRequest>()
            .binary("text/csv"),
        get(ITEM_READ, "/api/v1/catalog/lines", lines)
            .summary("有监管事项的部门条线，供筛选")
            .ok::<LineList>(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
struct DayQuery {
    /// 只看这一天有效的实施清单（年-月-日）
    as_of: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
struct ImplementationQuery {
    /// 清单编码的前几位，或实施主体名称的一部分
    q: Option<String>,
    /// 事项编码
    item: Option<String>,
    /// 实施主体的统一社会信用代码
    body: Option<String>,
    /// 行政区划代码，含下级
    area: Option<String>,
    /// 这一天有效的（年-月-日）
    as_of: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// One version of an implementation list entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImplementationView {
    pub id: String,
    pub inventory_code: String,
    pub item_code: String,
    pub item_name: Option<String>,
    pub body_code: String,
    pub body_name: Option<String>,
    pub exercise_level: Option<String>,
    pub exercise_level_title: Option<String>,
    /// 是否列入双随机
    pub is_random: Option<String>,
    pub area_number: Option<String>,
    pub area_name: Option<String>,
    pub state: String,
    pub state_title: String,
    pub list_version: String,
    pub valid_from: String,
    /// 到这一天为止（不含当日）
    pub valid_to: String,
    pub in_force: bool,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ItemFile {
    pub item_code: String,
    /// 今日（或所查日期）有效的版本；没有则为最近的版本
    pub current: ItemView,
    pub in_force: bool,
    pub day: String,
    /// 全部版本，新的在前
    pub versions: Vec<ItemView>,
    /// 所属主项
    pub main: Option<ItemView>,
    /// 主项之下的子项
    pub subitems: Vec<ItemView>,
    pub implementations: Vec<ImplementationView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LineView {
    pub line: String,
    pub name: Option<String>,
    pub items: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LineList {
    pub items: Vec<LineView>,
}

/// The day asked for, or today; a day that is none is told.
pub(crate) fn day_of(catalog: &Catalog, asked: Option<&str>) -> Result<String, Problem> {
    let Some(asked) = asked.filter(|day| !day.is_empty()) else {
        return Ok(catalog.db.clock().today().to_string());
    };
    match asked.parse::<NaiveDate>() {
        Ok(day) if day.to_string() == asked => Ok(asked.to_owned()),
        _ => Err(Problem::bad_request("catalog.as_of", "日期填写有误")
            .field("as_of", "应为 YYYY-MM-DD 形式的日期，例如 2026-11-20")),
    }
}

const ITEM_COLUMNS: &str = "i.*, (SELECT COUNT(*) FROM catalog_implementation m \
                            WHERE m.item_code = i.item_code) AS implementations";

async fn item(
    State(catalog): State<Catalog>,
    caller: Caller,
    PathOf(code): PathOf<String>,
    Query(query): Query<DayQuery>,
) -> Answer<Json<ItemFile>> {
    let day = day_of(&catalog, query.as_of.as_deref())?;
    let versions = catalog.versions(&caller, &code).await?;
    let holds = |one: &ItemView| one.valid_from <= day && day < one.valid_to;
    let current = versions.iter().find(|one| holds(one)).or(versions.first());
    let current = current.ok_or_else(Problem::not_found)?.clone();
    let main = match current.kind.as_str() {
        "sub" => catalog.versions(&caller, &current.main_code).await?.into_iter().next(),
        _ => None,
    };
    let subitems = match current.kind.as_str() {
        "main" => catalog.subitems(&caller, &code, &day).await?,
        _ => Vec::new(),
    };
    let wanted = Implementations { item: Some(&code), day: Some(&day), ..Default::default() };
    let page = Page { limit: Some(Page::MAX), cursor: None };
    let found = catalog.implementations(&caller, &wanted, &page).await?;
    Ok(Json(ItemFile {
        in_force: holds(&current),
        item_code: code,
        current,
        day,
        versions,
        main,
        subitems,
        implementations: found.items,
    }))
}

#[derive(Debug, Default)]
struct Implementations<'a> {
    q: Option<&'a str>,
    item: Option<&'a str>,
    body: Option<&'a str>,
    area: Option<&'a str>,
    day: Option<&'a str>,
}

async fn implementations(
    State(catalog): State<Catalog>,
    caller: Caller,
    Query(query): Query<ImplementationQuery>,
) -> Answer<Json<PageOf<ImplementationView>>> {
    let page = Page { limit: query.limit, cursor: query.cursor.clone() };
    Ok(Json(page_of(&catalog, &caller, &query, &page).await?))
}

async fn page_of(
    catalog: &Catalog,
    caller: &Caller,
    query: &ImplementationQuery,
    page: &Page,
) -> Answer<PageOf<ImplementationView>> {
    let day = match query.as_of.as_deref().filter(|day| !day.is_empty()) {
        Some(day) => Some(day_of(catalog, Some(day))?),
        None => None,
    };
    let wanted = Implementations {
        q: query.q.as_deref(),
        item: query.item.as_deref(),
        body: query.body.as_deref(),
        area: query.area.as_deref(),
        day: day.as_deref(),
    };
    Ok(catalog.implementations(caller, &wanted, page).await?)
}

/// The list as a file: the same filters, the same columns.
async fn export(
    State(catalog): State<Catalog>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let query: ImplementationQuery = input.value.query()?;
    let (list, title) = ("catalog.implementations", "检查实施清单");
    let mut file = Export::open(&catalog.db, &caller, list, title, &COLUMNS, input.value)?;
    let mut page = Page { limit: Some(Page::MAX), cursor: None };
    loop {
        let found = page_of(&catalog, &caller, &query, &page).await?;
        for one in &found.items {
            file.push(one)?;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            return file.finish(&catalog.db, &caller).await;
        }
    }
}

/// The columns of the list, by the names under which the workbench knows them.
static COLUMNS: [Column<ImplementationView>; 9] = [
    Column {
        name: "name",
        title: "事项",
        cell: |one| Some(one.item_name.as_ref().unwrap_or(&one.item_code).clone()),
    },
    Column { name: "code", title: "编码", cell: |one| Some(one.item_code.clone()) },
    Column {
        name: "body",
        title: "实施主体",
        cell: |one| Some(one.body_name.as_ref().unwrap_or(&one.body_code).clone()),
    },
    Column {
        name: "inventory", title: "清单编码", cell: |one| Some(one.inventory_code.clone())
    },
    Column {
        name: "level",
        title: "行使层级",
        cell: |one| one.exercise_level_title.clone().or_else(|| one.exercise_level.clone()),
    },
    Column {
        name: "random",
        title: "双随机",
        cell: |one| {
            let yes = matches!(one.is_random.as_deref(), Some("1" | "是"));
            Some(if yes { "是" } else { "否" }.into())
        },
    },
    Column { name: "area", title: "区划", cell: |one| one.area_name.clone() },
    Column { name: "state", title: "状态", cell: |one| Some(one.state_title.clone()) },
    Column {
        name: "valid",
        title: "有效期间",
        cell: |one| Some(days(&one.valid_from, &one.valid_to)),
    },
];

async fn lines(State(catalog): State<Catalog>, caller: Caller) -> Answer<Json<LineList>> {
    let mut args = Vec::new();
    let filter = lines_predicate(&caller, &mut args);
    let sql = format!(
        "SELECT i.line, COUNT(DISTINCT i.item_code) AS items FROM catalog_item i \
         WHERE 1=1{filter} GROUP BY i.line ORDER BY i.line"
    );
    let mut items = Vec::new();
    for row in catalog.db.fetch_all(&sql, &args).await? {
        let line = row.text("line")?;
        items.push(LineView {
            name: mj_standard::register::departments().get(&line).map(|one| one.name.to_string()),
            items: row.int("items")?,
            line,
        });
    }
    Ok(Json(LineList { items }))
}

impl Catalog {
    /// The first items a word finds, today's version of each; `caller` asks with what it may read.
    pub async fn find_items(
        &self,
        caller: &Caller,
        q: &str,
        limit: u32,
    ) -> Result<Vec<ItemView>, Problem> {
        self.items(caller, &crate::api::ItemQuery::word(q, limit)).await.map(|page| {
            let mut items = page.items;
            items.dedup_by(|a, b| a.item_code == b.item_code);
            items
        })
    }

    /// One item as it stands today, or as it stood last.
    pub async fn item_brief(&self, caller: &Caller, code: &str) -> Result<Option<ItemView>> {
        Ok(self.versions(caller, code).await?.into_iter().next())
    }

    /// Every version of an item, the newest first, within the caller's department lines.
    async fn versions(&self, caller: &Caller, code: &str) -> Result<Vec<ItemView>> {
        let mut args: Vec<Value> = vec![code.into()];
        let filter = lines_predicate(caller, &mut args);
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM catalog_item i WHERE i.item_code = $1{filter} \
             ORDER BY i.valid_from DESC, i.list_version DESC"
        );
        self.db.fetch_all(&sql, &args).await?.iter().map(view).collect()
    }

    async fn subitems(&self, caller: &Caller, main: &str, day: &str) -> Result<Vec<ItemView>> {
        let mut args: Vec<Value> = vec![main.into(), day.into()];
        let filter = lines_predicate(caller, &mut args);
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM catalog_item i WHERE i.main_code = $1 AND i.kind = 'sub' \
             AND i.valid_from <= $2 AND i.valid_to > $2{filter} \
             ORDER BY i.item_code, i.list_version LIMIT 500"
        );
        self.db.fetch_all(&sql, &args).await?.iter().map(view).collect()
    }

    async fn implementations(
        &self,
        caller: &Caller,
        wanted: &Implementations<'_>,
        page: &Page,
    ) -> Result<PageOf<ImplementationView>> {
        let mut args: Vec<Value> = Vec::new();
        let mut sql = String::from(
            "SELECT m.*, (SELECT MAX(n.name) FROM catalog_item n WHERE n.item_code = m.item_code \
             AND n.valid_to = (SELECT MAX(l.valid_to) FROM catalog_item l \
             WHERE l.item_code = m.item_code)) AS item_name \
             FROM catalog_implementation m WHERE 1=1",
        );
        let mut add = |condition: &str, value: Value| {
            args.push(value);
            sql.push_str(&format!(" AND {}", condition.replace('?', &format!("${}", args.len()))));
        };
        let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        if let Some(item) = filled(wanted.item) {
            add("m.item_code = ?", item.into());
        }
        if let Some(body) = filled(wanted.body) {
            add("m.body_code = ?", body.into());
        }
        if let Some(area) = filled(wanted.area) {
            let prefix = Scope::area_prefix(&area).to_owned();
            add("m.area_number >= ?", prefix.clone().into());
            add("m.area_number < ?", format!("{prefix}~").into());
        }
        if let Some(day) = filled(wanted.day) {
            add("m.valid_from <= ?", day.clone().into());
            add("m.valid_to > ?", day.into());
        }
        if let Some(q) = filled(wanted.q.map(str::trim)) {
            add(
                "(m.inventory_code LIKE ? ESCAPE '\\' OR m.body_name LIKE ? ESCAPE '\\')",
                mj_platform::db::contains_pattern(&q),
            );
        }
        if let Some(cursor) = &page.cursor {
            add("m.inventory_code || ' ' || m.list_version > ?", cursor.into());
        }
        let lines = implementation_lines(caller, &mut args);
        sql.push_str(&lines);
        args.push((page.limit() + 1).into());
        sql.push_str(&format!(
            " ORDER BY m.inventory_code || ' ' || m.list_version LIMIT ${}",
            args.len()
        ));
        let today = self.db.clock().today().to_string();
        let rows = self.db.fetch_all(&sql, &args).await?;
        let items =
            rows.iter().map(|row| implementation(row, &today)).collect::<Result<Vec<_>>>()?;
        let cursor =
            |one: &ImplementationView| format!("{} {}", one.inventory_code, one.list_version);
        Ok(PageOf::from_surplus(items, page.limit(), cursor))
    }
}

/// Lists of items of the caller's department lines: the line is the beginning of the item's code.
fn implementation_lines(caller: &Caller, args: &mut Vec<Value>) -> String {
    let mut parts = Vec::new();
    for scope in &caller.scopes {
        match &scope.item_lines {
            AgencySet::All => return String::new(),
            AgencySet::Only(lines) => parts.extend(lines.iter().map(|line| {
                args.push(Value::from(line.as_str()));
                format!("substr(m.item_code, 1, 2) = ${}", args.len())
            })),
        }
    }
    if parts.is_empty() { " AND 1=0".into() } else { format!(" AND ({})", parts.join(" OR ")) }
}

fn implementation(row: &DbRow, today: &str) -> Result<ImplementationView> {
    let exercise_level = row.opt_text("exercise_level")?;
    let area_number = row.opt_text("area_number")?;
    let state = row.text("state")?;
    let (valid_from, valid_to) = (row.text("valid_from")?, row.text("valid_to")?);
    let title = |code: &str| {
        let table = mj_standard::Standard::v1().table("implement_list")?;
        let list = table.column("exercise_level")?.ty.list()?;
        Some(mj_standard::Standard::v1().list(list)?.title_of(code)?.to_owned())
    };
    Ok(ImplementationView {
        id: row.text("id")?,
        inventory_code: row.text("inventory_code")?,
        item_code: row.text("item_code")?,
        item_name: row.opt_text("item_name")?,
        body_code: row.text("body_code")?,
        body_name: row.opt_text("body_name")?,
        exercise_level_title: exercise_level.as_deref().and_then(title),
        exercise_level,
        is_random: row.opt_text("is_random")?,
        area_name: area_number
            .as_deref()
            .and_then(|code| mj_standard::register::divisions().full_name(code.get(..6)?)),
        area_number,
        state_title: crate::api::state_title(&state).to_owned(),
        state,
        list_version: row.text("list_version")?,
        in_force: valid_from.as_str() <= today && today < valid_to.as_str(),
        valid_from,
        valid_to,
    })
}
