//! The pages and their addresses. Every answer is whole HTML; an error is a page too.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use mj_kernel::Page;
use mj_registry::SHORTEST_QUERY;
use mj_web::{Caller, PathOf, Query};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Portal;
use crate::view::{self, Field, Figure, SiteView};

/// Hits a page, and behaviours a page.
const HITS: u32 = 20;
const ACTS: u32 = 50;
/// Longer queries find nothing and only cost.
const LONGEST_QUERY: usize = 100;

#[derive(Debug, Deserialize)]
pub struct SearchQuery {
    #[serde(default)]
    q: String,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct PageQuery {
    cursor: Option<String>,
}

impl Portal {
    fn site(&self, at: &'static str) -> SiteView {
        SiteView {
            name: self.site.name.clone(),
            assets: self.site.assets.clone(),
            demo: self.site.demo,
            at,
        }
    }

    /// A face whose assets were not built says so instead of showing a bare page.
    fn page(&self, status: StatusCode, page: impl Template) -> Response {
        if self.site.assets.is_none() {
            let text = "服务门户的样式尚未构建，请在项目目录执行 make web 后重新编译。";
            let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            let status = if status.is_success() { StatusCode::SERVICE_UNAVAILABLE } else { status };
            return (status, plain, text).into_response();
        }
        match page.render() {
            Ok(html) => (status, [(header::CACHE_CONTROL, "no-cache")], Html(html)).into_response(),
            Err(error) => {
                tracing::error!(error = %error, "页面模板出错");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    fn failed(&self, error: impl std::fmt::Display) -> Response {
        tracing::error!(error = %error, "门户查询失败");
        self.page(
            StatusCode::INTERNAL_SERVER_ERROR,
            view::Problem {
                site: self.site(""),
                is_fault: true,
                title: "暂时无法查询",
                detail: "系统出了问题，已记录下来。请稍后再试。",
            },
        )
    }

    fn nothing_there(&self) -> Response {
        self.page(
            StatusCode::NOT_FOUND,
            view::Problem {
                site: self.site(""),
                is_fault: false,
                title: "没有这份公示信息",
                detail: "登记编号不存在，或该对象的信息不公示。自然人的信息不在此公示。",
            },
        )
    }

    async fn figures(&self) -> mj_platform::Result<Vec<Figure>> {
        let parties = self
            .db
            .count("SELECT COUNT(*) FROM party WHERE merged_into IS NULL AND kind <> 'person'", &[])
            .await?;
        let behaviours = self
            .db
            .count(
                "SELECT CAST(COALESCE(SUM(correct), 0) AS BIGINT) FROM fact_commit WHERE \
                 table_name IN ('check_action','punish_action','force_action','other_action')",
                &[],
            )
            .await?;
        Ok(vec![
            Figure { title: "监管对象", number: view::thousands(parties), unit: "户" },
            Figure {
                title: "已汇聚监管行为", number: view::thousands(behaviours), unit: "条"
            },
        ])
    }
}

/// What every face says of the node it stands on.
#[derive(Debug, Serialize, ToSchema)]
pub struct SiteInfo {
    /// 城市或省份名称
    name: String,
    /// 是否演示数据；是则各处须标明
    demo: bool,
}

pub async fn site(State(portal): State<Portal>, _caller: Caller) -> Json<SiteInfo> {
    Json(SiteInfo { name: portal.site.name.clone(), demo: portal.site.demo })
}

/// For an address that no page answers.
pub async fn no_such_page(State(portal): State<Portal>) -> Response {
    portal.page(
        StatusCode::NOT_FOUND,
        view::Problem {
            site: portal.site(""),
            is_fault: false,
            title: "没有这个页面",
            detail: "地址可能写错了，或者页面已经移走。",
        },
    )
}

pub async fn home(State(portal): State<Portal>, _caller: Caller) -> Response {
    match portal.figures().await {
        Ok(figures) => {
            portal.page(StatusCode::OK, view::Home { site: portal.site("home"), figures })
        }
        Err(error) => portal.failed(error),
    }
}

pub async fn search(
    State(portal): State<Portal>,
    _caller: Caller,
    Query(query): Query<SearchQuery>,
) -> Response {
    let q: String = query.q.trim().chars().take(LONGEST_QUERY).collect();
    let first = query.cursor.is_some().then(|| address("/search", &[("q", &q)]));
    let page = Page { limit: Some(HITS), cursor: query.cursor };
    let found = match portal.registry.public_search(&q, &page).await {
        Ok(found) => found,
        Err(error) => return portal.failed(error),
    };
    let next =
        found.next_cursor.map(|cursor| address("/search", &[("q", &q), ("cursor", &cursor)]));
    let rows = found.items.into_iter().map(view::hit).collect();
    let is_short = q.chars().count() < SHORTEST_QUERY;
    let site = portal.site("search");
    portal.page(StatusCode::OK, view::Search { site, q, is_short, rows, first, next })
}

pub async fn party(
    State(portal): State<Portal>,
    _caller: Caller,
    PathOf(register_no): PathOf<String>,
    Query(query): Query<PageQuery>,
) -> Response {
    let is_later = query.cursor.is_some();
    let page = Page { limit: Some(ACTS), cursor: query.cursor };
    let record = match portal.registry.public_record(&portal.acts, &register_no, &page).await {
        Ok(Some(record)) => record,
        Ok(None) => return portal.nothing_there(),
        Err(error) => return portal.failed(error),
    };
    let party = record.party;
    let fields = [
        ("对象类型", Some(party.kind_title.to_owned())),
        ("所在地区", party.area_name),
        ("住所（经营场所）", party.address),
        ("登记状态", party.status.clone()),
    ];
    let next = record
        .next_cursor
        .map(|cursor| address(&format!("/parties/{}", party.register_no), &[("cursor", &cursor)]));
    portal.page(
        StatusCode::OK,
        view::Party {
            site: portal.site("search"),
            first: is_later.then(|| format!("/parties/{}", party.register_no)),
            name: party.name,
            register_no: party.register_no,
            code: party.uscc.as_deref().map(view::grouped),
            status_class: view::status_class(party.status.as_deref()),
            status: party.status,
            fields: fields
                .into_iter()
                .filter_map(|(title, value)| Some(Field { title, value: value? }))
                .collect(),
            sections: view::sections(record.acts),
            next,
        },
    )
}

/// An address with its query, escaped.
fn address(path: &str, query: &[(&str, &str)]) -> String {
    let query: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    format!("{path}?{}", query.join("&"))
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_carries_any_query_unharmed() {
        let text = address("/search", &[("q", "滕州 &=\"<")]);
        assert_eq!(text, "/search?q=%E6%BB%95%E5%B7%9E%20%26%3D%22%3C");
    }
}
