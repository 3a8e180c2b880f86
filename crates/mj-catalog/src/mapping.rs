//! A department system's own item codes and the unified items they stand for, one to one on any day
//! (S003 annex row 3: 名称、编码和监管行为信息等要素一致).

use std::collections::HashMap;

use chrono::NaiveDate;
use mj_kernel::code::ItemCode;
use mj_platform::{Act, Lane, RowExt, Value, new_id};

use crate::item::{FOREVER, holds};
use crate::tables::CATALOG_MAPPING;
use crate::{Catalog, Error, Result};

/// The mappings of one source, taken at once for an import.
#[derive(Debug, Default)]
pub struct Mappings {
    by_local: HashMap<String, Vec<(String, String, String)>>,
}

impl Mappings {
    /// The unified item a local code stood for on that day.
    pub fn item(&self, local_code: &str, day: NaiveDate) -> Option<&str> {
        let day = day.to_string();
        self.by_local
            .get(local_code)?
            .iter()
            .find(|(_, from, to)| holds(from, to, &day))
            .map(|(item, ..)| item.as_str())
    }

    pub fn is_empty(&self) -> bool {
        self.by_local.is_empty()
    }
}

impl Catalog {
    /// Everything one source's codes ever stood for.
    pub async fn mappings(&self, cd_source: &str) -> Result<Mappings> {
        let rows = self
            .db
            .fetch_all(
                "SELECT local_code, item_code, valid_from, valid_to FROM catalog_mapping \
                 WHERE cd_source = $1 ORDER BY local_code, valid_from",
                &[cd_source.into()],
            )
            .await?;
        let mut mappings = Mappings::default();
        for row in rows {
            let entry = (row.text("item_code")?, row.text("valid_from")?, row.text("valid_to")?);
            mappings.by_local.entry(row.text("local_code")?).or_default().push(entry);
        }
        Ok(mappings)
    }

    /// Lets `local_code` stand for an item from `valid_from` up to, and without, `valid_to`.
    pub async fn map_local_code(
        &self,
        act: Act,
        cd_source: &str,
        local_code: &str,
        item_code: &str,
        valid_from: NaiveDate,
        valid_to: Option<NaiveDate>,
    ) -> Result<String> {
        ItemCode::parse(item_code).map_err(|_| Error::ItemCode)?;
        let from = valid_from.to_string();
        let to = valid_to.map_or_else(|| FOREVER.to_owned(), |day| day.to_string());
        if to <= from {
            return Err(Error::Days);
        }
        let mut tx = self.db.begin(Lane::People, act).await?;
        let known = tx
            .fetch_all(
                "SELECT id, item_code, valid_from, valid_to FROM catalog_mapping \
                 WHERE cd_source = $1 AND local_code = $2 ORDER BY valid_from",
                &[cd_source.into(), local_code.into()],
            )
            .await?;
        for row in known {
            let (known_from, known_to) = (row.text("valid_from")?, row.text("valid_to")?);
            if known_from < to && from < known_to {
                let same = row.text("item_code")? == item_code
                    && (known_from, known_to) == (from.clone(), to.clone());
                return if same {
                    Ok(row.text("id")?)
                } else {
                    Err(Error::MappingOverlaps(local_code.to_owned()))
                };
            }
        }
        let id = new_id();
        let values = [
            ("id", Value::from(id.as_str())),
            ("cd_source", cd_source.into()),
            ("local_code", local_code.into()),
            ("item_code", item_code.into()),
            ("valid_from", from.into()),
            ("valid_to", to.into()),
        ];
        tx.insert(&CATALOG_MAPPING, &values).await?;
        tx.commit().await?;
        Ok(id)
    }
}
