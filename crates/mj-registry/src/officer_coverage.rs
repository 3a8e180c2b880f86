//! How many officers there are by the standing of their certificates, and where an agency has too few to do lawfully
//! what it has adopted.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use mj_platform::{RowExt, Value};
use mj_web::{Answer, Caller, Query, Resource};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::acts::{AgencyName, Implementing};
use crate::api::Desk;
use crate::officer_api::{in_scope, of_agency, of_area};
use crate::officer_shapes::{AgencyCoverage, CoverageList, OfficerSummary};
use crate::officer_standing::{Horizon, rule, with_standing};
use crate::{Result, show};

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct SummaryQuery {
    agency: Option<String>,
    area: Option<String>,
}

pub(crate) async fn summary(
    State(desk): State<Desk>,
    caller: Caller,
    Query(query): Query<SummaryQuery>,
) -> Answer<Json<OfficerSummary>> {
    let (agency, area) = (query.agency.as_deref(), query.area.as_deref());
    Ok(Json(summarise(&desk, &caller, agency, area).await?))
}

pub(crate) async fn summarise(
    desk: &Desk,
    caller: &Caller,
    agency: Option<&str>,
    area: Option<&str>,
) -> Result<OfficerSummary> {
    let db = &desk.registry.db;
    let day = db.clock().today();
    let days = Horizon::of(day);
    let agencies = desk.acts.names.agencies().await?;
    let mut args: Vec<Value> = Vec::new();
    let from = with_standing(&days, &mut args);
    let mut filter = in_scope(caller, &agencies, &mut args);
    filter.push_str(&of_agency(agency, &agencies, &mut args));
    filter.push_str(&of_area(area, &mut args));
    let sql = format!(
        "SELECT o.standing, COUNT(*) AS people FROM {from} o WHERE 1=1{filter} \
         GROUP BY o.standing ORDER BY o.standing"
    );
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for row in db.fetch_all(&sql, &args).await? {
        counts.insert(row.text("standing")?, row.int("people")?);
    }
    let of = |name: &str| counts.get(name).copied().unwrap_or_default();
    let (expiring_days, basis) = rule("expiring_days", day, 90);
    Ok(OfficerSummary {
        total: counts.values().sum(),
        in_force: of("in_force"),
        expiring: of("expiring"),
        expired: of("expired"),
        suspended: of("suspended"),
        withdrawn: of("withdrawn"),
        expiring_days,
        basis,
        day: days.today,
    })
}

/// Officers by the body they belong to: (name, area) → people by standing.
pub(crate) async fn by_body(
    desk: &Desk,
    caller: &Caller,
    agencies: &[AgencyName],
    days: &Horizon,
) -> Result<BTreeMap<String, BTreeMap<String, i64>>> {
    let mut args: Vec<Value> = Vec::new();
    let from = with_standing(days, &mut args);
    let filter = in_scope(caller, agencies, &mut args);
    let sql = format!(
        "SELECT COALESCE(o.org_full_name, '') AS body, o.standing, COUNT(*) AS people \
         FROM {from} o WHERE 1=1{filter} GROUP BY COALESCE(o.org_full_name, ''), o.standing \
         ORDER BY body, o.standing"
    );
    let mut bodies: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for row in desk.registry.db.fetch_all(&sql, &args).await? {
        bodies
            .entry(row.text("body")?)
            .or_default()
            .insert(row.text("standing")?, row.int("people")?);
    }
    Ok(bodies)
}

pub(crate) async fn coverage(
    State(desk): State<Desk>,
    caller: Caller,
) -> Answer<Json<CoverageList>> {
    let day = desk.registry.db.clock().today();
    let days = Horizon::of(day);
    let (fewest, basis) = rule("fewest_officers", day, 2);
    let agencies = desk.acts.names.agencies().await?;
    let implementing = desk.acts.names.implementing(&days.today).await?;
    let bodies = by_body(&desk, &caller, &agencies, &days).await?;
    let mut items = Vec::new();
    for agency in agencies.iter().filter(|one| {
        let place = Resource::at(Some(&one.area_number), Some(&one.uscc));
        caller.require(&place).is_ok()
    }) {
        let own = bodies.get(&agency.name);
        let listed = implementing.iter().find(|one| one.body_code == agency.uscc);
        if own.is_none() && listed.is_none() {
            continue;
        }
        items.push(covered(agency, own, listed, fewest));
    }
    // those of whom the house knows no agency of that name
    for (name, own) in
        bodies.iter().filter(|(name, _)| !agencies.iter().any(|agency| agency.name == **name))
    {
        let nobody = AgencyName {
            uscc: String::new(),
            name: if name.is_empty() { "未写明部门".into() } else { name.clone() },
            area_number: String::new(),
        };
        items.push(covered(&nobody, Some(own), None, fewest));
    }
    // where something cannot be done comes first
    items.sort_by(|a, b| {
        (b.uncovered_items, a.area_number.as_deref(), a.agency_name.as_str()).cmp(&(
            a.uncovered_items,
            b.area_number.as_deref(),
            b.agency_name.as_str(),
        ))
    });
    Ok(Json(CoverageList { items, fewest, basis, day: days.today }))
}

fn covered(
    agency: &AgencyName,
    own: Option<&BTreeMap<String, i64>>,
    listed: Option<&Implementing>,
    fewest: i64,
) -> AgencyCoverage {
    let of = |name: &str| own.and_then(|own| own.get(name)).copied().unwrap_or_default();
    let able = of("in_force") + of("expiring");
    let items = listed.map_or(0, |one| one.items);
    let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    AgencyCoverage {
        agency: known(&agency.uscc),
        agency_name: agency.name.clone(),
        area_name: show::area_short_name(&agency.area_number).map(str::to_owned),
        area_number: known(&agency.area_number),
        officers: own.map_or(0, |own| own.values().sum()),
        able,
        expiring: of("expiring"),
        expired: of("expired"),
        suspended: of("suspended"),
        items,
        uncovered_items: if able < fewest { items } else { 0 },
    }
}
