//! The catalogue over HTTP: find items, within the department lines of the caller.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use mj_kernel::{AgencySet, Page, PageOf};
use mj_platform::DbRow;
use mj_platform::{RowExt, Value};
use mj_web::{
    Action, Answer, Caller, Column, Export, ExportRequest, Input, Module, Query, get, post,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::rows::search_form;
use crate::{Catalog, Result};

pub const ITEM_READ: Action = Action::new("catalog.item.read", "查看监管事项");

pub fn module(catalog: Catalog) -> Module {
    let mut routes = vec![
        get(ITEM_READ, "/api/v1/catalog/items", list)
            .summary("查找监管事项")
            .query::<ItemQuery>()
            .list::<ItemView>(),
        post(ITEM_READ, "/api/v1/catalog/items/export", export)
            .summary("导出监管事项：与所见一致的筛选和列")
            .body::<ExportRequest>()
            .binary("text/csv"),
    ];
    routes.extend(crate::item_api::routes());
    Module::new("catalog", "监管事项清单")
        .routes(catalog.clone(), routes)
        .routes(catalog, crate::mapping_api::routes())
}

#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct ItemQuery {
    /// 名称的一部分，或编码的前几位
    q: Option<String>,
    /// main（主项）或 sub（子项）
    kind: Option<String>,
    /// in_use、suspended 或 cancelled
    state: Option<String>,
    /// 部门条线（编码前两位）
    line: Option<String>,
    /// 只看这一天有效的版本（年-月-日）
    as_of: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

impl ItemQuery {
    /// Nothing but a word.
    pub(crate) fn word(q: &str, limit: u32) -> Self {
        Self { q: Some(q.to_owned()), limit: Some(limit), ..Self::default() }
    }
}

/// One version of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ItemView {
    pub id: String,
    pub version: i64,
    /// 事项编码：主项8位，子项14位
    pub item_code: String,
    pub main_code: String,
    /// 部门条线（编码前两位）
    pub line: String,
    pub line_name: Option<String>,
    pub kind: String,
    pub name: String,
    /// 行政类型
    pub admin_type: Option<String>,
    pub admin_type_title: Option<String>,
    /// 监管层级
    pub levels: Option<String>,
    pub department_name: Option<String>,
    pub area_number: Option<String>,
    pub legal_basis: Option<String>,
    pub state: String,
    pub state_title: String,
    pub list_version: String,
    /// 从这一天起有效
    pub valid_from: String,
    /// 到这一天为止（不含当日）
    pub valid_to: String,
    /// 有多少份检查实施清单
    pub implementations: i64,
}

async fn list(
    State(catalog): State<Catalog>,
    caller: Caller,
    Query(query): Query<ItemQuery>,
) -> Answer<Json<PageOf<ItemView>>> {
    Ok(Json(catalog.items(&caller, &query).await?))
}

/// The list as a file: the same filters, the same columns.
async fn export(
    State(catalog): State<Catalog>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let mut query: ItemQuery = input.value.query()?;
    query.limit = Some(Page::MAX);
    let mut file =
        Export::open(&catalog.db, &caller, "catalog.items", "监管事项", &COLUMNS, input.value)?;
    loop {
        let page = catalog.items(&caller, &query).await?;
        for item in &page.items {
            file.push(item)?;
        }
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return file.finish(&catalog.db, &caller).await;
        }
    }
}

/// The columns of the list, by the names under which the workbench knows them.
static COLUMNS: [Column<ItemView>; 10] = [
    Column { name: "name", title: "事项", cell: |one| Some(one.name.clone()) },
    Column { name: "code", title: "编码", cell: |one| Some(one.item_code.clone()) },
    Column {
        name: "kind",
        title: "层次",
        cell: |one| Some(if one.kind == "main" { "主项" } else { "子项" }.into()),
    },
    Column {
        name: "line",
        title: "条线",
        cell: |one| Some(one.line_name.as_ref().unwrap_or(&one.line).clone()),
    },
    Column { name: "state", title: "状态", cell: |one| Some(one.state_title.clone()) },
    Column {
        name: "valid",
        title: "有效期间",
        cell: |one| Some(days(&one.valid_from, &one.valid_to)),
    },
    Column {
        name: "implementations",
        title: "实施清单",
        cell: |one| Some(one.implementations.to_string()),
    },
    Column { name: "admin_type", title: "行政类型", cell: |one| one.admin_type_title.clone() },
    Column { name: "department", title: "主管部门", cell: |one| one.department_name.clone() },
    Column { name: "legal_basis", title: "法律依据", cell: |one| one.legal_basis.clone() },
];

/// From the first day up to, and without, the second, as the workbench says it.
pub(crate) fn days(from: &str, to: &str) -> String {
    match (from <= "0001-01-01", to >= "9999-12-31") {
        (true, true) => "长期".into(),
        (false, true) => format!("{from} 起"),
        (true, false) => format!("{to} 前"),
        (false, false) => format!("{from} 至 {to} 前"),
    }
}

impl Catalog {
    pub(crate) async fn items(
        &self,
        caller: &Caller,
        query: &ItemQuery,
    ) -> Answer<PageOf<ItemView>> {
        let page = Page { limit: query.limit, cursor: query.cursor.clone() };
        let mut args: Vec<Value> = Vec::new();
        let mut filter = lines_predicate(caller, &mut args);
        let mut add = |condition: &str, value: Value, args: &mut Vec<Value>| {
            args.push(value);
            filter
                .push_str(&format!(" AND {}", condition.replace('?', &format!("${}", args.len()))));
        };
        if let Some(q) = query.q.as_deref().map(search_form).filter(|q| !q.is_empty()) {
            if q.bytes().all(|byte| byte.is_ascii_digit()) {
                add("i.item_code LIKE ?", format!("{q}%").into(), &mut args);
            } else {
                let pattern = mj_platform::db::contains_pattern(&q);
                add("i.name_norm LIKE ? ESCAPE '\\'", pattern, &mut args);
            }
        }
        if let Some(kind) = query.kind.as_ref().filter(|kind| !kind.is_empty()) {
            add("i.kind = ?", kind.into(), &mut args);
        }
        if let Some(line) = query.line.as_ref().filter(|line| !line.is_empty()) {
            add("i.line = ?", line.into(), &mut args);
        }
        if let Some(asked) = query.as_of.as_deref().filter(|day| !day.is_empty()) {
            let day = crate::item_api::day_of(self, Some(asked))?;
            add("i.valid_from <= ?", day.clone().into(), &mut args);
            add("i.valid_to > ?", day.into(), &mut args);
        }
        if let Some(state) = query.state.as_ref().filter(|state| !state.is_empty()) {
            add("i.state = ?", state.into(), &mut args);
        }
        if let Some(cursor) = &page.cursor {
            add("i.item_code || ' ' || i.list_version > ?", cursor.into(), &mut args);
        }
        args.push((page.limit() + 1).into());
        let sql = format!(
            "SELECT i.*, (SELECT COUNT(*) FROM catalog_implementation m \
             WHERE m.item_code = i.item_code) AS implementations \
             FROM catalog_item i WHERE 1=1{filter} \
             ORDER BY i.item_code || ' ' || i.list_version LIMIT ${}",
            args.len()
        );
        let rows = self.db.fetch_all(&sql, &args).await?;
        let items = rows.iter().map(view).collect::<Result<Vec<_>>>()?;
        let cursor = |item: &ItemView| format!("{} {}", item.item_code, item.list_version);
        Ok(PageOf::from_surplus(items, page.limit(), cursor))
    }
}

/// Items of the department lines any of the caller's grants holds for.
pub(crate) fn lines_predicate(caller: &Caller, args: &mut Vec<Value>) -> String {
    let mut parts = Vec::new();
    for scope in &caller.scopes {
        match &scope.item_lines {
            AgencySet::All => return String::new(),
            AgencySet::Only(lines) => parts.extend(lines.iter().map(|line| {
                args.push(Value::from(line.as_str()));
                format!("i.line = ${}", args.len())
            })),
        }
    }
    if parts.is_empty() { " AND 1=0".into() } else { format!(" AND ({})", parts.join(" OR ")) }
}

pub(crate) fn state_title(state: &str) -> &'static str {
    match state {
        "in_use" => "在用",
        "suspended" => "暂停",
        _ => "取消",
    }
}

pub(crate) fn view(row: &DbRow) -> Result<ItemView> {
    let admin_type = row.opt_text("admin_type")?;
    let state = row.text("state")?;
    let title = |list: &str, code: &str| {
        mj_standard::Standard::v1()
            .list(list)
            .and_then(|list| list.title_of(code))
            .map(str::to_owned)
    };
    Ok(ItemView {
        id: row.text("id")?,
        version: row.int("version")?,
        item_code: row.text("item_code")?,
        main_code: row.text("main_code")?,
        line_name: mj_standard::register::departments()
            .get(&row.text("line")?)
            .map(|line| line.name.to_string()),
        line: row.text("line")?,
        kind: row.text("kind")?,
        name: row.text("name")?,
        admin_type_title: admin_type.as_deref().and_then(|code| title("administrative_type", code)),
        admin_type,
        levels: row.opt_text("levels")?,
        department_name: row.opt_text("department_name")?,
        area_number: row.opt_text("area_number")?,
        legal_basis: row.opt_text("legal_basis")?,
        state_title: state_title(&state).to_owned(),
        state,
        list_version: row.text("list_version")?,
        valid_from: row.text("valid_from")?,
        valid_to: row.text("valid_to")?,
        implementations: row.int("implementations")?,
    })
}
