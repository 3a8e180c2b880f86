//! Names that the registry shows and other domains know: sources (data centre), items (catalogue).

use mj_platform::{Db, Result, RowExt, Value};
use mj_registry::{FoundNames, Names};
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
