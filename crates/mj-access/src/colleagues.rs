//! Who works here, for colleagues: the names behind references in timelines, and the short list from which
//! a work item is handed on. Names and agencies only; logins, roles and states are the administrators'.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use mj_kernel::{Page, PageOf};
use mj_platform::{Db, RowExt, Value};
use mj_web::{Action, Answer, Caller, Query, RouteOf, get};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Access;
use crate::error::Result;

const COLLEAGUE_READ: Action = Action::new("access.colleague.read", "查找同事");

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        get(COLLEAGUE_READ, "/api/v1/access/colleagues", list)
            .summary("可以转办的同事：姓名与单位")
            .query::<ColleagueQuery>()
            .list::<ColleagueView>(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
struct ColleagueQuery {
    /// 姓名或单位名称的一部分
    q: Option<String>,
    /// 只看这个单位（统一社会信用代码）
    agency: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ColleagueView {
    pub id: String,
    pub name: String,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
}

async fn list(
    State(access): State<Access>,
    _caller: Caller,
    Query(query): Query<ColleagueQuery>,
) -> Answer<Json<PageOf<ColleagueView>>> {
    let page = Page { limit: query.limit, cursor: query.cursor };
    Ok(Json(find(access.db(), query.q.as_deref(), query.agency.as_deref(), &page).await?))
}

async fn find(
    db: &Db,
    q: Option<&str>,
    agency: Option<&str>,
    page: &Page,
) -> Result<PageOf<ColleagueView>> {
    let mut args: Vec<Value> = Vec::new();
    let mut sql = String::from(
        "SELECT a.id, a.name, a.agency, g.name AS agency_name FROM account a \
         LEFT JOIN agency g ON g.uscc = a.agency WHERE a.class = 'business' AND a.state = 'active'",
    );
    if let Some(q) = q.map(str::trim).filter(|q| !q.is_empty()) {
        // the signs of LIKE are letters here
        let plain: String = q.chars().take(50).filter(|c| !matches!(c, '%' | '_' | '\\')).collect();
        args.push(format!("%{plain}%").into());
        sql.push_str(" AND (a.name LIKE $1 OR g.name LIKE $1)");
    }
    if let Some(agency) = agency.filter(|agency| !agency.is_empty()) {
        args.push(agency.into());
        sql.push_str(&format!(" AND a.agency = ${}", args.len()));
    }
    if let Some(cursor) = &page.cursor {
        args.push(cursor.into());
        sql.push_str(&format!(" AND a.id > ${}", args.len()));
    }
    args.push((page.limit() + 1).into());
    sql.push_str(&format!(" ORDER BY a.id LIMIT ${}", args.len()));
    let rows = db.fetch_all(&sql, &args).await?;
    let items = rows
        .iter()
        .map(|row| {
            Ok(ColleagueView {
                id: row.text("id")?,
                name: row.text("name")?,
                agency: row.opt_text("agency")?,
                agency_name: row.opt_text("agency_name")?,
            })
        })
        .collect::<mj_platform::Result<Vec<_>>>()?;
    Ok(PageOf::from_surplus(items, page.limit(), |one| one.id.clone()))
}

/// Names by reference. Told with the agency: several colleagues bear one name.
pub async fn names(db: &Db, references: &[String]) -> Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    let ids: Vec<&str> =
        references.iter().filter_map(|reference| reference.strip_prefix("account:")).collect();
    for chunk in ids.chunks(200) {
        let marks: Vec<String> = (1..=chunk.len()).map(|at| format!("${at}")).collect();
        let args: Vec<Value> = chunk.iter().map(|id| (*id).into()).collect();
        let sql = format!(
            "SELECT a.id, a.name, g.short_name AS agency FROM account a \
             LEFT JOIN agency g ON g.uscc = a.agency WHERE a.id IN ({})",
            marks.join(",")
        );
        for row in db.fetch_all(&sql, &args).await? {
            let name = match row.opt_text("agency")? {
                Some(agency) => format!("{}（{agency}）", row.text("name")?),
                None => row.text("name")?,
            };
            names.insert(format!("account:{}", row.text("id")?), name);
        }
    }
    for reference in references {
        let Some(id) = reference.strip_prefix("emergency:") else { continue };
        if let Some(name) = crate::emergency::name(db, id).await? {
            names.insert(reference.clone(), name);
        }
    }
    Ok(names)
}
