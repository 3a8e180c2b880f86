//! The table of contents: every domain, opened and wired. A new domain is one line in each half.

use std::sync::Arc;

use mj_access::{Access, PasswordHashing, PasswordProfile, SecondFactorPolicy};
use mj_catalog::Catalog;
use mj_datahub::Datahub;
use mj_datahub::ingest::plan::TablePlan;
use mj_evaluation::Evaluation;
use mj_facts::disk::RealDisk;
use mj_facts::{FactStore, TableSpec};
use mj_flow::Flow;
use mj_platform::Config;
use mj_portal::{Portal, Site};
use mj_registry::{Acts, Registry};
use mj_standard::Standard;
use mj_web::{Authority, Module, Web};

use crate::cli::Failure;
use crate::names::HouseNames;
use crate::node::Floor;

#[derive(Clone)]
pub struct Domains {
    pub access: Access,
    pub catalog: Catalog,
    pub registry: Registry,
    pub flow: Flow,
    pub facts: FactStore,
    pub acts: Acts,
    pub datahub: Datahub,
    pub portal: Portal,
    pub ledger: crate::ledger::api::Desk,
    pub evaluation: Evaluation,
}

impl Domains {
    pub async fn open(floor: &Floor) -> Result<Self, Failure> {
        let Floor { config, db, keys, blobs, .. } = floor;
        let disk = RealDisk::new(config.data_dir.join("segments")).map_err(Failure::broken)?;
        let facts = FactStore::open(db.clone(), Arc::new(disk)).await.map_err(Failure::broken)?;
        let registry = Registry::new(db.clone(), keys.clone());
        let names = Arc::new(HouseNames::new(db.clone()));
        let catalog = Catalog::new(db.clone()).with_sources(names.clone());
        let datahub = Datahub::new(mj_datahub::Parts {
            db: db.clone(),
            blobs: blobs.clone(),
            keys: keys.clone(),
            facts: facts.clone(),
            registry: registry.clone(),
            catalog: catalog.clone(),
            inbox: config.data_dir.join("inbox"),
        })
        .map_err(Failure::broken)?;
        let acts = Acts::new(facts.clone(), table_specs(), names);
        // in the demonstration everybody can look in; one account shows how it is with a code
        let second_factor = match SecondFactorPolicy::parse(&config.second_factor) {
            Some(policy) if !floor.demo => policy,
            _ => SecondFactorPolicy::Optional,
        };
        let site = Site {
            name: config.node_name.clone(),
            area: config.area.clone(),
            assets: crate::faces::portal_assets(),
            demo: floor.demo,
            own: config.portal.clone(),
        };
        let records = Arc::new(crate::records::HouseRecords::new(db.clone()));
        let flow = Flow::new(db.clone());
        let evaluation = Evaluation::new(mj_evaluation::Parts {
            db: db.clone(),
            keys: keys.clone(),
            facts: facts.clone(),
            flow: flow.clone(),
            specs: table_specs(),
            house: Arc::new(crate::evaluation::EvaluationHouse::new(db.clone(), keys.clone())),
        })
        .map_err(Failure::broken)?;
        Ok(Self {
            ledger: crate::ledger::api::Desk::new(db.clone(), config),
            evaluation,
            portal: Portal::new(
                mj_portal::Parts {
                    db: db.clone(),
                    keys: keys.clone(),
                    registry: registry.clone(),
                    acts: acts.clone(),
                    flow: flow.clone(),
                    facts: facts.clone(),
                    specs: table_specs(),
                    data_folder: config.data_dir.join("open-data"),
                    log_folder: config.data_dir.join("log"),
                },
                site,
            ),
            access: Access::new(db.clone(), floor.vault.clone())
                .with_area_names(|code| mj_standard::register::divisions().full_name(code))
                .with_line_names(|code| {
                    let line = mj_standard::register::departments().get(code)?;
                    Some(line.name.clone())
                })
                .with_house(records.clone(), records)
                .with_passwords(
                    PasswordProfile::parse(&config.password_profile).unwrap_or_default(),
                    PasswordHashing::parse(&config.password_hash).unwrap_or_default(),
                )
                .with_second_factor(second_factor, keys.clone())
                .with_admin_networks(config.admin_networks.clone())
                .with_sessions_at_once(config.sessions_at_once.unwrap_or(Config::SESSIONS_AT_ONCE)),
            flow,
            acts,
            facts,
            catalog,
            registry,
            datahub,
        })
    }
}

/// The tables of the fact store as the data centre writes them.
pub fn table_specs() -> Vec<TableSpec> {
    let standard = Standard::v1();
    let plans = standard.tables().iter().filter_map(|table| TablePlan::new(standard, table));
    plans.map(|plan| plan.spec).collect()
}

pub fn web(domains: &Domains) -> Web {
    let authority: Arc<dyn Authority> = Arc::new(domains.access.clone());
    let web = Web::new(authority, parts(domains));
    domains.ledger.know_routes(web.router(axum::Router::new()));
    web
}

/// What every domain brings.
pub fn parts(domains: &Domains) -> Vec<Module> {
    let everything = crate::search::Everything {
        access: domains.access.clone(),
        catalog: domains.catalog.clone(),
        registry: domains.registry.clone(),
        acts: domains.acts.clone(),
        datahub: domains.datahub.clone(),
    };
    let home = crate::home::Home {
        db: domains.access.db().clone(),
        flow: domains.flow.clone(),
        everything: everything.clone(),
    };
    vec![
        mj_access::module(domains.access.clone()),
        crate::home::module(home),
        crate::search::module(everything.clone()),
        crate::reveal::module(everything),
        mj_web::export_request::module(domains.access.db().clone()),
        mj_catalog::module(domains.catalog.clone()),
        mj_registry::module(domains.registry.clone(), domains.acts.clone()),
        mj_flow::module(domains.flow.clone()),
        mj_datahub::module(domains.datahub.clone()),
        mj_portal::module(domains.portal.clone()),
        mj_evaluation::module(domains.evaluation.clone()),
        crate::ledger::api::module(domains.ledger.clone()),
    ]
}
