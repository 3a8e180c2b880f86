//! The public site (服务门户): rendered on the server, works without scripts, shows no personal data.
//! What of a party is public is decided by the registry and the publication rules; here are the
//! pages, the posts (监管动态, 曝光台) with their author's routes, 纠错, and open data.
//!
//! Start reading at [`pages`] (a party's record), then `posts`, `corrections`, `data`.

mod corrections;
mod data;
mod display;
mod error;
mod json;
mod limit;
mod log;
mod markup;
mod pages;
mod posts;
mod rules;
mod statics;
mod view;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use mj_facts::{FactStore, TableSpec};
use mj_flow::Flow;
use mj_kernel::ActorKind;
use mj_platform::Db;
use mj_platform::config::PortalSection;
use mj_platform::jobs::JobHandler;
use mj_platform::keys::Keys;
use mj_platform::outbox::EventHandler;
use mj_registry::{Acts, Registry};
use mj_web::{Action, Caller, Module, get, post};

pub use corrections::Report;
pub use display::remembering;
pub use error::{Error, Result};
pub use posts::{State as PostState, TextState};

/// The name and the looks of this node's portal.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// The city or province, as in the head of every page.
    pub name: String,
    /// Division code of the node, whose parts the search offers.
    pub area: String,
    /// Addresses of style sheet and script; `None` while they are not built.
    pub assets: Option<(String, String)>,
    /// Whether the data is made up, which every page must then say.
    pub demo: bool,
    /// Filing numbers and the like, as configured.
    pub own: PortalSection,
}

/// What the portal stands on.
pub struct Parts {
    pub db: Db,
    pub keys: Keys,
    pub registry: Registry,
    pub acts: Acts,
    pub flow: Flow,
    pub facts: FactStore,
    pub specs: Vec<TableSpec>,
    /// Where the files of open data lie.
    pub data_folder: PathBuf,
    /// Where the supervision log lies.
    pub log_folder: PathBuf,
}

/// The portal. Cheap to clone.
#[derive(Clone)]
pub struct Portal {
    pub(crate) db: Db,
    pub(crate) keys: Keys,
    pub(crate) registry: Registry,
    pub(crate) acts: Acts,
    pub(crate) flow: Flow,
    pub(crate) facts: FactStore,
    pub(crate) specs: Arc<Vec<TableSpec>>,
    pub(crate) data_folder: Arc<PathBuf>,
    pub(crate) log_folder: Arc<PathBuf>,
    pub(crate) site: Arc<Site>,
    pub(crate) limiter: Arc<limit::Limiter>,
    pub(crate) figures: Arc<pages::FigureCache>,
}

impl Portal {
    pub fn new(parts: Parts, site: Site) -> Self {
        Self {
            db: parts.db,
            keys: parts.keys,
            registry: parts.registry,
            acts: parts.acts,
            flow: parts.flow,
            facts: parts.facts,
            specs: Arc::new(parts.specs),
            data_folder: Arc::new(parts.data_folder),
            log_folder: Arc::new(parts.log_folder),
            site: Arc::new(site),
            limiter: Arc::default(),
            figures: Arc::default(),
        }
    }

    /// The agency the caller works for.
    pub(crate) async fn agency_of(&self, caller: &Caller) -> Result<Option<String>> {
        let ActorKind::Person { account_id } = &caller.actor.kind else { return Ok(None) };
        Ok(mj_access::account_by_id(&self.db, account_id).await?.and_then(|account| account.agency))
    }
}

const HOME: Action = Action::new("portal.home.read", "门户首页");
const SEARCH: Action = Action::new("portal.search.read", "门户查询");
const SITE: Action = Action::new("portal.site.read", "站点名称与演示标记");
const PARTY: Action = Action::new("portal.party.read", "门户查看监管对象");
const NEWS: Action = Action::new("portal.news.read", "门户查看监管动态与曝光台");
const PLAIN: Action = Action::new("portal.page.read", "门户说明页面");
const DATA: Action = Action::new("portal.data.read", "门户开放数据");
const REPORT: Action = Action::new("portal.correction.create", "公众提交纠错");
const TRACK: Action = Action::new("portal.correction.track", "公众查询纠错进度");

/// The page for addresses that nothing else answers; goes below everything.
pub fn fallback(portal: Portal) -> Router {
    Router::new().fallback(pages::no_such_page).with_state(portal)
}

pub fn module(portal: Portal) -> Module {
    let events = portal.clone();
    let handler = EventHandler::new("portal", move |event| {
        let portal = events.clone();
        async move { portal.on_event(&event).await.map_err(Into::into) }
    });
    let builder = portal.clone();
    let job = JobHandler::new(data::BUILD, move |context| {
        let portal = builder.clone();
        async move { portal.build_open_data(Some(&context)).await.map_err(Into::into) }
    });
    let mut routes = vec![
        get(HOME, "/", pages::home).page(),
        get(SEARCH, "/search", pages::search).page(),
        get(PARTY, "/parties/{register_no}", pages::party).page(),
        get(REPORT, "/parties/{register_no}/wrong", corrections::pages::form).page(),
        post(REPORT, "/parties/{register_no}/wrong", corrections::pages::send).page(),
        get(TRACK, "/corrections", corrections::pages::track).page(),
        post(TRACK, "/corrections", corrections::pages::tracked).page(),
        get(NEWS, "/news", posts::pages::news).page(),
        get(NEWS, "/news/{number}", posts::pages::news_item).page(),
        get(NEWS, "/exposure", posts::pages::exposures).page(),
        get(NEWS, "/exposure/{number}", posts::pages::exposure).page(),
        get(NEWS, "/log", log::page).page(),
        get(NEWS, "/log/feed.xml", log::feed).page(),
        get(NEWS, "/log/weeks/{file}", log::week).page(),
        get(DATA, "/data", data::pages::list).page(),
        get(DATA, "/data/{id}", data::pages::dataset).page(),
        get(DATA, "/data/{id}/{file}", data::pages::file).page(),
        get(PLAIN, "/about", statics::about).page(),
        get(PLAIN, "/display", display::choose).page(),
        get(PLAIN, "/accessibility", statics::accessibility).page(),
        get(PLAIN, "/sitemap", statics::sitemap).page(),
        get(SITE, "/api/v1/site", pages::site)
            .summary("站点名称，以及是否演示数据")
            .ok::<pages::SiteInfo>(),
    ];
    routes.extend(json::routes());
    routes.extend(posts::api::routes());
    Module::new("portal", "服务门户").event(handler).job(job).routes(portal, routes)
}
