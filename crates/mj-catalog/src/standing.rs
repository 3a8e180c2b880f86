//! Whether an item or an implementation list is in force on a day, for one question or for millions.

use std::collections::HashMap;

use chrono::NaiveDate;
use mj_platform::{Db, RowExt};

use crate::item::holds;
use crate::{Catalog, Result};

/// What is known of a code on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InForce {
    /// No list has this code.
    Unknown,
    /// The code is on the lists, but does not hold on that day.
    No,
    Yes,
}

/// The days of every item and implementation list, taken at once for a bulk check.
#[derive(Debug, Default)]
pub struct Standing {
    items: HashMap<String, Vec<(String, String)>>,
    implementations: HashMap<String, Vec<(String, String)>>,
    names: HashMap<String, String>,
}

impl Standing {
    pub async fn load(db: &Db) -> Result<Self> {
        let mut standing = Self::default();
        let rows = db
            .fetch_all(
                "SELECT item_code, name, valid_from, valid_to FROM catalog_item \
                 ORDER BY item_code, valid_from",
                &[],
            )
            .await?;
        for row in rows {
            let code = row.text("item_code")?;
            let days = (row.text("valid_from")?, row.text("valid_to")?);
            standing.names.insert(code.clone(), row.text("name")?);
            standing.items.entry(code).or_default().push(days);
        }
        let rows = db
            .fetch_all(
                "SELECT inventory_code, valid_from, valid_to FROM catalog_implementation \
                 ORDER BY inventory_code, valid_from",
                &[],
            )
            .await?;
        for row in rows {
            let days = (row.text("valid_from")?, row.text("valid_to")?);
            standing.implementations.entry(row.text("inventory_code")?).or_default().push(days);
        }
        Ok(standing)
    }

    /// A sub-item (14 digits) needs its main item (8 digits) in force too, where that is on the list.
    pub fn item(&self, code: &str, day: NaiveDate) -> InForce {
        let day = day.to_string();
        let own = on(&self.items, code, &day);
        match (own, code.get(..8)) {
            (InForce::Yes, Some(main)) if code.len() > 8 => match on(&self.items, main, &day) {
                InForce::No => InForce::No,
                _ => InForce::Yes,
            },
            _ => own,
        }
    }

    pub fn implementation(&self, code: &str, day: NaiveDate) -> InForce {
        on(&self.implementations, code, &day.to_string())
    }

    /// From when up to, and without, when each version of an item holds; empty if no list has it.
    pub fn item_days(&self, code: &str) -> &[(String, String)] {
        self.items.get(code).map(Vec::as_slice).unwrap_or_default()
    }

    /// The same of an implementation list.
    pub fn implementation_days(&self, code: &str) -> &[(String, String)] {
        self.implementations.get(code).map(Vec::as_slice).unwrap_or_default()
    }

    /// The name of an item's newest version.
    pub fn item_name(&self, code: &str) -> Option<&str> {
        self.names.get(code).map(String::as_str)
    }

    /// Without any item every check would fail for want of a list, which says nothing about the rows.
    pub fn has_items(&self) -> bool {
        !self.items.is_empty()
    }

    pub fn has_implementations(&self) -> bool {
        !self.implementations.is_empty()
    }
}

fn on(all: &HashMap<String, Vec<(String, String)>>, code: &str, day: &str) -> InForce {
    match all.get(code) {
        None => InForce::Unknown,
        Some(days) if days.iter().any(|(from, to)| holds(from, to, day)) => InForce::Yes,
        Some(_) => InForce::No,
    }
}

impl Catalog {
    /// The whole set, for checks in bulk.
    pub async fn standing(&self) -> Result<Standing> {
        Standing::load(&self.db).await
    }

    /// One question; for many take [`Catalog::standing`].
    pub async fn in_force(&self, item_code: &str, day: NaiveDate) -> Result<InForce> {
        let main = item_code.get(..8).unwrap_or(item_code);
        let rows = self
            .db
            .fetch_all(
                "SELECT item_code, valid_from, valid_to FROM catalog_item \
                 WHERE item_code = $1 OR item_code = $2 ORDER BY item_code, valid_from",
                &[item_code.into(), main.into()],
            )
            .await?;
        let mut standing = Standing::default();
        for row in rows {
            let days = (row.text("valid_from")?, row.text("valid_to")?);
            standing.items.entry(row.text("item_code")?).or_default().push(days);
        }
        Ok(standing.item(item_code, day))
    }

    /// The name of an item as of its newest version.
    pub async fn item_name(&self, item_code: &str) -> Result<Option<String>> {
        let row = self
            .db
            .fetch_optional(
                "SELECT name FROM catalog_item WHERE item_code = $1 \
                 ORDER BY valid_from DESC, list_version DESC LIMIT 1",
                &[item_code.into()],
            )
            .await?;
        Ok(row.map(|row| row.text("name")).transpose()?)
    }
}
