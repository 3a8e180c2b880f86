//! Who may deliver.

use std::collections::BTreeMap;

use mj_platform::DbRow;
use mj_platform::{Db, RowExt, TruthTable, Value, WriteTx};

use crate::error::{Error, Result};
use crate::model::{Channel, Source, SourceKind};

pub const HUB_SOURCE: TruthTable = TruthTable {
    name: "hub_source",
    columns: &[
        "id",
        "cd_source",
        "name",
        "kind",
        "agency",
        "agency_name",
        "area",
        "priority",
        "channels",
        "tables",
        "backlog_declared",
        "status",
        "created_at",
    ],
};

pub async fn insert(tx: &mut WriteTx, source: &Source) -> Result<()> {
    let now = tx.now();
    let mut row = fields(source)?;
    row.push(("id", source.id.as_str().into()));
    row.push(("cd_source", source.cd_source.as_str().into()));
    row.push(("created_at", now.into()));
    tx.insert(&HUB_SOURCE, &row).await.map_err(|error| {
        if error.is_duplicate() {
            Error::SourceExists(source.cd_source.clone())
        } else {
            error.into()
        }
    })
}

pub async fn update(tx: &mut WriteTx, source: &Source, expected: Option<i64>) -> Result<i64> {
    Ok(tx.update(&HUB_SOURCE, &source.id, expected, &fields(source)?).await?)
}

fn fields(source: &Source) -> Result<Vec<(&'static str, Value)>> {
    Ok(vec![
        ("name", source.name.as_str().into()),
        ("kind", source.kind.name().into()),
        ("agency", source.agency.clone().into()),
        ("agency_name", source.agency_name.clone().into()),
        ("area", source.area.clone().into()),
        ("priority", source.priority.into()),
        ("channels", json(&source.channels)?),
        ("tables", json(&source.tables)?),
        ("backlog_declared", json(&source.backlog_declared)?),
        ("status", if source.active { "active" } else { "stopped" }.into()),
    ])
}

pub async fn by_code(db: &Db, cd_source: &str) -> Result<Option<Source>> {
    db.fetch_optional("SELECT * FROM hub_source WHERE cd_source = $1", &[cd_source.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

/// Every registered source. Sources are few and carry nothing personal; callers narrow by scope.
pub async fn all_unscoped(db: &Db) -> Result<Vec<Source>> {
    db.fetch_all("SELECT * FROM hub_source ORDER BY cd_source", &[])
        .await?
        .iter()
        .map(read)
        .collect()
}

fn read(row: &DbRow) -> Result<Source> {
    let channels: Vec<Channel> = parse(&row.text("channels")?)?;
    let backlog_declared: BTreeMap<String, i64> = parse(&row.text("backlog_declared")?)?;
    Ok(Source {
        id: row.text("id")?,
        version: row.int("version")?,
        cd_source: row.text("cd_source")?,
        name: row.text("name")?,
        kind: SourceKind::parse(&row.text("kind")?).unwrap_or(SourceKind::Agency),
        agency: row.opt_text("agency")?,
        agency_name: row.opt_text("agency_name")?,
        area: row.opt_text("area")?,
        priority: row.int("priority")?,
        channels,
        tables: parse(&row.text("tables")?)?,
        backlog_declared,
        active: row.text("status")? == "active",
    })
}

fn json(value: &impl serde::Serialize) -> Result<Value> {
    Ok(serde_json::to_string(value).map_err(Error::json("数据源"))?.into())
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(Error::json("数据源"))
}
