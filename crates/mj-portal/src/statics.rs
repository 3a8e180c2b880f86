//! Pages that only explain: about, accessibility, the site map.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use mj_web::Caller;

use crate::Portal;
use crate::data::DATASETS;
use crate::view::SiteView;

#[derive(Template)]
#[template(path = "about.html")]
struct About {
    site: SiteView,
}

#[derive(Template)]
#[template(path = "accessibility.html")]
struct Accessibility {
    site: SiteView,
}

#[derive(Template)]
#[template(path = "sitemap.html")]
struct Sitemap {
    site: SiteView,
    datasets: Vec<(&'static str, &'static str)>,
}

pub async fn about(State(portal): State<Portal>, _caller: Caller) -> Response {
    portal.page(StatusCode::OK, About { site: portal.view("", "关于本站") })
}

pub async fn accessibility(State(portal): State<Portal>, _caller: Caller) -> Response {
    portal.page(StatusCode::OK, Accessibility { site: portal.view("", "无障碍说明") })
}

pub async fn sitemap(State(portal): State<Portal>, _caller: Caller) -> Response {
    let datasets = DATASETS.iter().map(|set| (set.id, set.title)).collect();
    portal.page(StatusCode::OK, Sitemap { site: portal.view("", "网站地图"), datasets })
}
