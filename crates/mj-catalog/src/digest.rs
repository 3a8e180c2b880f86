//! What the catalogue holds, as digests that two stores share when they hold the same: without our
//! ids, versions and sequences.

use mj_platform::RowExt;
use mj_platform::gm::sm3;

use crate::tables::{CATALOG_IMPLEMENTATION, CATALOG_ITEM, CATALOG_MAPPING};
use crate::{Catalog, Result};

/// Digest of the natural key, and of key and values.
pub type RowDigest = ([u8; 32], [u8; 32]);

impl Catalog {
    /// Items, implementation lists and mappings of local codes: in no order.
    pub async fn content_digests(&self) -> Result<Vec<RowDigest>> {
        let tables = [
            (&CATALOG_ITEM, &["item_code", "list_version"][..]),
            (&CATALOG_IMPLEMENTATION, &["inventory_code", "list_version"]),
            (&CATALOG_MAPPING, &["cd_source", "local_code", "valid_from"]),
        ];
        let mut digests = Vec::new();
        for (table, natural_key) in tables {
            let (name, key) = (table.name, natural_key.join(", "));
            let sql = format!("SELECT * FROM {name} ORDER BY {key}");
            for row in self.db.fetch_all(&sql, &[]).await? {
                let mut key = name.to_owned();
                for column in natural_key {
                    key = format!("{key}\u{1f}{}", row.text(column)?);
                }
                let mut values = key.clone();
                for column in table.columns.iter().filter(|column| **column != "id") {
                    values = format!("{values}\u{1f}{:?}", row.value(column)?);
                }
                digests.push((sm3(key.as_bytes()), sm3(values.as_bytes())));
            }
        }
        Ok(digests)
    }
}
