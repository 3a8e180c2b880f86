//! Home, search and a party's public record. Every answer is whole HTML; an error is a page too.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use askama::Template;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use mj_kernel::clock::beijing_date;
use mj_kernel::{Instant, Page};
use mj_registry::{PartyKind, PublicWanted};
use mj_web::Caller;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Portal;
use crate::posts::{Kind, is_shown};
use crate::view::{self, Choice, Figure, SiteView};

/// Hits a page, and behaviours a page.
const HITS: u32 = 20;
const ACTS: u32 = 50;
/// Longer queries find nothing and only cost.
pub const LONGEST_QUERY: usize = 100;
/// Nobody reads a longer list; counting on would only cost.
pub const COUNTED: i64 = 1_000;
/// How long the figures of the home page may be old.
const FIGURES_MICROS: i64 = 60 * 1_000_000;

#[derive(Debug, Default, Deserialize)]
pub struct SearchQuery {
    #[serde(default)]
    pub q: String,
    #[serde(default)]
    pub area: String,
    #[serde(default)]
    pub kind: String,
    pub cursor: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub struct PageQuery {
    pub cursor: Option<String>,
}

/// What stands behind the question mark, as far as it can be read: a citizen with a broken address
/// gets the page, not a lesson in parameters.
pub struct Loose<T>(pub T);

impl<T: DeserializeOwned + Default, S: Sync> FromRequestParts<S> for Loose<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        Ok(Self(query.map(|query| query.0).unwrap_or_default()))
    }
}

/// The parts of a page's path; what is no text names nothing that exists, which the page then says.
pub struct Place<T>(pub T);

impl<T: DeserializeOwned + Default + Send, S: Send + Sync> FromRequestParts<S> for Place<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        Ok(Self(path.map(|path| path.0).unwrap_or_default()))
    }
}

/// Two counts over everything, remembered for a minute.
#[derive(Default)]
pub struct FigureCache(Mutex<Option<(Instant, i64, i64)>>);

impl Portal {
    pub(crate) fn view(&self, at: &'static str, column: &'static str) -> SiteView {
        SiteView { site: self.site.clone(), at, column, json: None, feed: None, article: None }
    }

    /// A face whose assets were not built says so instead of showing a bare page.
    pub(crate) fn page(&self, status: StatusCode, page: impl Template) -> Response {
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

    pub(crate) fn failed(&self, error: impl std::fmt::Display) -> Response {
        tracing::error!(error = %error, "门户页面失败");
        self.page(
            StatusCode::INTERNAL_SERVER_ERROR,
            view::Problem {
                site: self.view("", "出错"),
                is_fault: true,
                title: "暂时无法查询",
                detail: "系统出了问题，已记录下来。请稍后再试。",
            },
        )
    }

    pub(crate) fn missing(&self, title: &'static str, detail: &'static str) -> Response {
        let site = self.view("", "没有找到");
        self.page(StatusCode::NOT_FOUND, view::Problem { site, is_fault: false, title, detail })
    }

    pub(crate) fn no_party(&self) -> Response {
        self.missing(
            "没有这份公示信息",
            "登记编号不存在，或该对象的信息不公示。自然人的信息不在此公示。",
        )
    }

    async fn figures(&self) -> mj_platform::Result<Vec<Figure>> {
        let now = self.db.clock().now();
        let kept = *self.figures.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (parties, behaviours) = match kept {
            Some((at, parties, behaviours)) if now - at < FIGURES_MICROS => (parties, behaviours),
            _ => {
                let counted = self.count_figures().await?;
                *self.figures.0.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((now, counted.0, counted.1));
                counted
            }
        };
        Ok(vec![
            Figure { title: "监管对象", number: view::thousands(parties), unit: "户" },
            Figure {
                title: "已汇聚监管行为", number: view::thousands(behaviours), unit: "条"
            },
        ])
    }

    async fn count_figures(&self) -> mj_platform::Result<(i64, i64)> {
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
        Ok((parties, behaviours))
    }

    /// What a query looks for, and which of its filters do not exist.
    pub(crate) fn wanted(&self, query: &SearchQuery) -> (PublicWanted, Vec<String>) {
        // PostgreSQL takes no NUL in a text, and nobody is called by a control character
        let q = query.q.replace(char::is_control, " ");
        let q: String = q.trim().chars().take(LONGEST_QUERY).collect();
        let mut ignored = Vec::new();
        let area = query.area.trim();
        let known = area.len() == 6 && mj_standard::register::divisions().name(area).is_some();
        if !area.is_empty() && !known {
            ignored.push("地区".to_owned());
        }
        let kind = query.kind.trim();
        let chosen = PartyKind::parse(kind).filter(|kind| *kind != PartyKind::Person);
        if !kind.is_empty() && chosen.is_none() {
            ignored.push("类型".to_owned());
        }
        let wanted = PublicWanted { q, area: known.then(|| area.to_owned()), kind: chosen };
        (wanted, ignored)
    }

    /// How many there are; where the first page holds them all, nothing is looked for again.
    pub(crate) async fn total(
        &self,
        wanted: &PublicWanted,
        page: &Page,
        shown: usize,
        more: bool,
    ) -> mj_registry::Result<i64> {
        if page.cursor.is_none() && !more {
            return Ok(shown as i64);
        }
        self.registry.public_count(wanted, COUNTED).await
    }

    /// The parts of the node's own division, and whichever else was asked for.
    fn areas(&self, chosen: Option<&str>) -> Vec<Choice> {
        let register = mj_standard::register::divisions();
        let mut known: Vec<(String, String)> = register
            .children(&self.site.area, self.today())
            .into_iter()
            .map(|division| (division.code.to_string(), division.name.to_string()))
            .collect();
        if let Some(chosen) = chosen
            && !known.iter().any(|(code, _)| code == chosen)
            && let Some(name) = register.name(chosen)
        {
            known.push((chosen.to_owned(), name.to_owned()));
        }
        let choices = known.into_iter().map(|(value, title)| {
            let is_chosen = chosen == Some(value.as_str());
            Choice { value, title, is_chosen }
        });
        choices.collect()
    }
}

fn kinds(chosen: Option<PartyKind>) -> Vec<Choice> {
    PartyKind::ALL
        .into_iter()
        .filter(|kind| *kind != PartyKind::Person)
        .map(|kind| Choice {
            value: kind.name().into(),
            title: kind.title().into(),
            is_chosen: chosen == Some(kind),
        })
        .collect()
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
    portal
        .missing("没有这个页面", "地址可能写错了，或者页面已经移走。可以从网站地图找到需要的内容。")
}

pub async fn home(State(portal): State<Portal>, _caller: Caller) -> Response {
    let loaded = async {
        let news = portal.latest(Kind::News, 6).await?;
        let exposures = portal.latest(Kind::Exposure, 4).await?;
        Ok::<_, crate::Error>((portal.figures().await?, news, exposures))
    };
    match loaded.await {
        Ok((figures, news, exposures)) => {
            let site = portal.view("home", "首页");
            portal.page(StatusCode::OK, view::Home { site, figures, news, exposures })
        }
        Err(error) => portal.failed(error),
    }
}

pub async fn search(
    State(portal): State<Portal>,
    _caller: Caller,
    Loose(query): Loose<SearchQuery>,
) -> Response {
    let (wanted, ignored) = portal.wanted(&query);
    let area = wanted.area.clone().unwrap_or_default();
    let kind = wanted.kind.map(PartyKind::name).unwrap_or_default();
    let asked = [("q", wanted.q.as_str()), ("area", area.as_str()), ("kind", kind)];
    let first = query.cursor.is_some().then(|| address("/search", &asked));
    let json = address("/api/v1/public/parties", &asked);
    let page = Page { limit: Some(HITS), cursor: query.cursor };
    let loaded = async {
        let found = portal.registry.public_search(&wanted, &page).await?;
        let total = portal.total(&wanted, &page, found.items.len(), found.next_cursor.is_some());
        Ok::<_, mj_registry::Error>((total.await?, found))
    };
    let (total, found) = match loaded.await {
        Ok(loaded) => loaded,
        Err(mj_registry::Error::Cursor) => {
            return axum::response::Redirect::to(&address("/search", &asked)).into_response();
        }
        Err(error) => return portal.failed(error),
    };
    let next = found.next_cursor.map(|cursor| {
        let mut asked = asked.to_vec();
        asked.push(("cursor", &cursor));
        address("/search", &asked)
    });
    let total = if total > COUNTED {
        format!("超过 {} 户", view::thousands(COUNTED))
    } else {
        format!("{} 户", view::thousands(total))
    };
    let page = view::Search {
        site: portal.view("search", "企业信息查询").json(json),
        is_cut: query.q.trim().chars().count() > LONGEST_QUERY,
        is_short: wanted.is_too_short(),
        is_filtered: wanted.area.is_some() || wanted.kind.is_some(),
        areas: portal.areas(wanted.area.as_deref()),
        kinds: kinds(wanted.kind),
        q: wanted.q.clone(),
        ignored,
        total,
        rows: found.items.into_iter().map(view::hit).collect(),
        first,
        next,
    };
    portal.page(StatusCode::OK, page)
}

pub async fn party(
    State(portal): State<Portal>,
    _caller: Caller,
    Place(register_no): Place<String>,
    Loose(query): Loose<PageQuery>,
) -> Response {
    let is_later = query.cursor.is_some();
    let page = Page { limit: Some(ACTS), cursor: query.cursor };
    let record = match portal.registry.public_record(&portal.acts, &register_no, &page).await {
        Ok(Some(record)) => record,
        // a cursor of a line that is gone is no fault of ours: the record from its beginning
        Err(mj_registry::Error::Cursor) => {
            return axum::response::Redirect::to(&address(&format!("/parties/{register_no}"), &[]))
                .into_response();
        }
        Ok(None) => return portal.no_party(),
        Err(error) => return portal.failed(error),
    };
    let party = record.party;
    let number = party.register_no.clone();
    let exposures = match portal.exposures_of(&number).await {
        Ok(exposures) => exposures,
        Err(error) => return portal.failed(error),
    };
    let today = portal.today();
    let acts = record.acts.into_iter().filter(|act| is_shown(act, today)).collect();
    let own = format!("/parties/{number}");
    let next = record.next_cursor.map(|cursor| address(&own, &[("cursor", &cursor)]));
    let site =
        portal.view("search", "企业信息查询").json(format!("/api/v1/public/parties/{number}"));
    portal.page(
        StatusCode::OK,
        view::Party {
            site,
            first: is_later.then_some(own),
            name: party.name,
            kind: party.kind_title,
            area: party.area_name,
            code: party.uscc.as_deref().map(view::grouped),
            status_class: view::status_class(party.status.as_deref()),
            status: party.status,
            fields: record.fields.into_iter().map(|one| view::field(&number, one)).collect(),
            sections: view::sections(&number, acts),
            exposures,
            today: view::chinese_day(&beijing_date(portal.db.clock().now()).to_string()),
            register_no: number,
            next,
        },
    )
}

/// An address with its query, escaped; empty parts are left out.
pub fn address(path: &str, query: &[(&str, &str)]) -> String {
    let path: String = path.split('/').map(escaped).collect::<Vec<_>>().join("/");
    let query: Vec<String> = query
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
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
        let text = address("/search", &[("q", "滕州 &=\"<"), ("area", "")]);
        assert_eq!(text, "/search?q=%E6%BB%95%E5%B7%9E%20%26%3D%22%3C");
    }
}
