//! Filling: set-up by people's doors, then the department files in the manifest's order.

use std::path::Path;

use mj_city::{Manifest, Size as CitySize};
use mj_datahub::{Import, Portion};
use serde_json::{Value, json};

use super::accounts::{self, AgencySetUp};
use super::judge;
use crate::cli::{Failure, Size, chain};
use crate::import::follow;
use crate::node::Node;
use crate::serve::Health;

/// One city for everybody: figures in documents can be compared.
const SEED: u64 = 370_400;
/// Set-up is over and its accounts are written, though not every file is in.
pub(super) const PARTIAL: &str = "demo-accounts.partial.json";

pub async fn fill(node: &Node, health: &Health, size: Size) -> Result<(), Failure> {
    let folder = node.config.data_dir.join("inbox").join("city");
    let (manifest, setup) = write_city(&folder, size).await?;
    health.set(2);
    let partial = node.config.data_dir.join(PARTIAL);
    if !partial.exists() {
        set_up(node, &manifest, &setup).await?;
    }
    health.set(5);
    let mut batches = Vec::new();
    let total: u64 = manifest.files.iter().map(|file| file.rows).sum();
    let mut done = 0;
    for file in &manifest.files {
        let import = Import {
            table: &file.table,
            file: &folder.join(&file.file),
            cd_source: &file.cd_source,
            cd_batch: Some(&file.cd_batch),
            portion: Portion::parse(&file.portion).unwrap_or(Portion::Delta),
        };
        let told =
            |error: mj_datahub::Error| Failure::Broken(format!("{}：{}", file.file, chain(&error)));
        let hub = &node.domains.datahub;
        let received = hub.receive_file(&import).await.map_err(told)?;
        // the node's own runner takes it from here, as it does with everybody's batches
        let batch = follow(hub, &received.batch.id).await?;
        eprintln!(
            "  {} {}：正确 {}，错误 {}，重复 {}，被取代 {}",
            file.table,
            file.file,
            batch.counts.correct,
            batch.counts.error,
            batch.counts.duplicate,
            batch.counts.superseded
        );
        done += file.rows;
        health.set((5 + done * 92 / total.max(1)) as u8);
        batches.push((file, batch));
    }
    // a first load is over: its rows need not stay in the database and in memory
    for spec in crate::modules::table_specs() {
        node.domains.facts.flush(&spec).await.map_err(Failure::broken)?;
    }
    // to-dos come from what the files told
    node.runner.run_until_idle().await?;
    // the leaders' first digest is about the week before, as every week
    let last_week = node.db.clock().today() - chrono::Days::new(7);
    node.domains.evaluation.make_digests(last_week).await.map_err(Failure::broken)?;
    let verdict = judge::judge(node, &manifest, &batches).await?;
    eprintln!("{verdict}");
    if !verdict.is_exact() {
        return Err(Failure::Broken("演示城市的检查结果与所埋问题清单不符".into()));
    }
    let agencies = setup["agencies"].as_array().cloned().unwrap_or_default();
    let agencies: Vec<Value> = agencies.iter().map(agency).collect();
    super::today::bring(node, &partial, &agencies).await?;
    super::posts::write(node, &partial).await?;
    node.domains.portal.build_open_data(None).await.map_err(Failure::broken)?;
    mj_platform::durable::rename(&partial, &node.config.data_dir.join(super::FILLED))?;
    // the files stay as encrypted blobs; these copies are in clear
    std::fs::remove_dir_all(&folder).map_err(Failure::broken)?;
    node.db.rest().await?;
    health.set(100);
    Ok(())
}

async fn write_city(folder: &Path, size: Size) -> Result<(Manifest, Value), Failure> {
    let folder = folder.to_owned();
    let size = match size {
        Size::Small => CitySize::Small,
        Size::Full => CitySize::Full,
    };
    tokio::task::spawn_blocking(move || {
        let manifest = mj_city::generate(&folder, size, SEED).map_err(Failure::broken)?;
        let setup = std::fs::read(folder.join(mj_city::SETUP)).map_err(Failure::broken)?;
        Ok((manifest, serde_json::from_slice(&setup).map_err(Failure::broken)?))
    })
    .await
    .map_err(Failure::broken)?
}

async fn set_up(node: &Node, manifest: &Manifest, setup: &Value) -> Result<(), Failure> {
    let router = node.web.router(axum::Router::new());
    let list = |name: &str| setup[name].as_array().cloned().unwrap_or_default();
    let agencies: Vec<Value> = list("agencies").iter().map(agency).collect();
    let desk = list("agencies")
        .into_iter()
        .find(|agency| agency["department"] == "31" && agency["exercise_level"] == "4")
        .ok_or_else(|| Failure::Broken("演示城市没有县级市场监管部门".into()))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let desk = AgencySetUp { uscc: text(&desk["org_code"]), area: text(&desk["area_number"]) };
    let people = accounts::set_up(node, &router, &manifest.area_number, &agencies, &desk).await?;
    let sources: Vec<Value> = list("sources")
        .iter()
        .map(|source| source_request(source, &list("agencies"), &manifest.area_number))
        .collect();
    let sources = accounts::register_sources(&people.datahub, &sources).await?;
    accounts::write(&node.config.data_dir.join(PARTIAL), &people.accounts, &sources)
}

fn agency(from: &Value) -> Value {
    json!({
        "uscc": from["org_code"], "name": from["name"], "short_name": from["short_name"],
        "area_number": from["area_number"], "line": from["department"], "nature": from["nature"],
        "parent": from["parent"].as_str().filter(|parent| !parent.is_empty()),
        "valid_from": from["valid_from"],
    })
}

fn source_request(from: &Value, agencies: &[Value], city: &str) -> Value {
    let agency = from["agency"].as_str().filter(|agency| !agency.is_empty());
    let name = agency
        .and_then(|code| agencies.iter().find(|agency| agency["org_code"] == code))
        .map(|agency| agency["name"].clone());
    // a third party delivers for the city, wherever it sits itself
    let area = agency.and(from["area_number"].as_str()).unwrap_or(city);
    json!({
        "cd_source": from["cd_source"], "name": from["name"], "kind": from["kind"],
        "agency": agency, "agency_name": name,
        "area": area,
        "priority": from["priority"], "channels": from["channels"], "tables": from["tables"],
        "stage": "live", "live_since": "2025-01-01", "reason": "列入“应接尽接”清单",
    })
}
