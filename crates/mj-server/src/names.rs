//! Names that the registry shows and other domains know: sources (data centre), items (catalogue).

use mj_catalog::{SourcePlace, Sources};
use mj_platform::{Db, Result, RowExt, Value};
use mj_registry::{AgencyName, FoundNames, Implementing, Names};
use mj_web::BoxFuture;

/// Fills the registry's port from the tables' owners.
pub struct HouseNames {
    db: Db,
}

impl HouseNames {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    async fn pairs(&self, sql: &str, codes: &[String]) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for chunk in codes.chunks(500) {
            let marks: Vec<String> = (1..=chunk.len()).map(|n| format!("${n}")).collect();
            let args: Vec<Value> = chunk.iter().map(Value::from).collect();
            let sql = sql.replace("{}", &marks.join(","));
            for row in self.db.fetch_all(&sql, &args).await? {
                found.push((row.text("code")?, row.text("name")?));
            }
        }
        Ok(found)
    }
}

impl Names for HouseNames {
    fn agencies(&self) -> BoxFuture<'_, Result<Vec<AgencyName>>> {
        Box::pin(async move {
            let sql = "SELECT uscc, name, area_number FROM agency ORDER BY area_number, uscc";
            let rows = self.db.fetch_all(sql, &[]).await?;
            rows.iter()
                .map(|row| {
                    Ok(AgencyName {
                        uscc: row.text("uscc")?,
                        name: row.text("name")?,
                        area_number: row.text("area_number")?,
                    })
                })
                .collect()
        })
    }

    fn implementing<'a>(&'a self, day: &'a str) -> BoxFuture<'a, Result<Vec<Implementing>>> {
        Box::pin(async move {
            let sql = "SELECT body_code, CAST(COUNT(DISTINCT item_code) AS BIGINT) AS items \
                       FROM catalog_implementation WHERE valid_from <= $1 AND valid_to > $1 \
                       GROUP BY body_code ORDER BY body_code";
            let rows = self.db.fetch_all(sql, &[day.into()]).await?;
            rows.iter()
                .map(|row| {
                    Ok(Implementing { body_code: row.text("body_code")?, items: row.int("items")? })
                })
                .collect()
        })
    }

    fn person<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            mj_access::actor_name(&self.db, reference)
                .await
                .map_err(|error| mj_platform::Error::Other(error.to_string()))
        })
    }

    fn look_up<'a>(
        &'a self,
        sources: &'a [String],
        items: &'a [String],
    ) -> BoxFuture<'a, Result<FoundNames>> {
        Box::pin(async move {
            let sources = self
                .pairs(
                    "SELECT cd_source AS code, name FROM hub_source WHERE cd_source IN ({})",
                    sources,
                )
                .await?;
            // of several versions of an item the last one read wins: the newest list
            let items = self
                .pairs(
                    "SELECT item_code AS code, name FROM catalog_item WHERE item_code IN ({}) \
                     ORDER BY item_code, list_version",
                    items,
                )
                .await?;
            Ok(FoundNames {
                sources: sources.into_iter().collect(),
                items: items.into_iter().collect(),
            })
        })
    }
}

/// Fills the catalogue's port: where a source lies and whose it is.
impl Sources for HouseNames {
    fn place<'a>(&'a self, cd_source: &'a str) -> BoxFuture<'a, Result<Option<SourcePlace>>> {
        Box::pin(async move {
            let sql = "SELECT area, agency FROM hub_source WHERE cd_source = $1";
            let row = self.db.fetch_optional(sql, &[cd_source.into()]).await?;
            row.map(|row| {
                Ok(SourcePlace { area: row.opt_text("area")?, agency: row.opt_text("agency")? })
            })
            .transpose()
        })
    }
}
