//! The public site (服务门户), rendered on the server: works without scripts and shows no personal
//! data. What is public of a party is decided by the registry; these are only the pages.
//!
//! Start reading at [`pages`].

mod pages;
mod view;

use std::sync::Arc;

use axum::Router;
use mj_platform::Db;
use mj_registry::{Acts, Registry};
use mj_web::{Action, Module, get};

/// The name and the looks of this node's portal.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// The city or province, as in the head of every page.
    pub name: String,
    /// Addresses of style sheet and script; `None` while they are not built.
    pub assets: Option<(String, String)>,
    /// Whether the data is made up, which every page must then say.
    pub demo: bool,
}

/// The portal. Cheap to clone.
#[derive(Clone)]
pub struct Portal {
    pub(crate) db: Db,
    pub(crate) registry: Registry,
    pub(crate) acts: Acts,
    pub(crate) site: Arc<Site>,
}

impl Portal {
    pub fn new(db: Db, registry: Registry, acts: Acts, site: Site) -> Self {
        Self { db, registry, acts, site: Arc::new(site) }
    }
}

const HOME: Action = Action::new("portal.home.read", "门户首页");
const SEARCH: Action = Action::new("portal.search.read", "门户查询");
const SITE: Action = Action::new("portal.site.read", "站点名称与演示标记");
const PARTY: Action = Action::new("portal.party.read", "门户查看监管对象");

/// The page for addresses that nothing else answers; goes below everything.
pub fn fallback(portal: Portal) -> Router {
    Router::new().fallback(pages::no_such_page).with_state(portal)
}

pub fn module(portal: Portal) -> Module {
    Module::new("portal", "服务门户").routes(
        portal,
        vec![
            get(HOME, "/", pages::home).page(),
            get(SEARCH, "/search", pages::search).page(),
            get(PARTY, "/parties/{register_no}", pages::party).page(),
            get(SITE, "/api/v1/site", pages::site)
                .summary("站点名称，以及是否演示数据")
                .ok::<pages::SiteInfo>(),
        ],
    )
}
