//! The supervision catalogue (监管事项目录清单) and the implementation lists (检查实施清单) as dated
//! live objects: which item stood in force on which day, under which name.
//!
//! Delivered rows are kept as they came, the newest of each record; items are computed from them
//! ([`rows`]). Adoption by agencies and alignment with other lists are not here yet. A behaviour must
//! cite an item in force on its day: bulk checks take the whole set at once ([`Standing`]).
//!
//! Start reading at [`item`] (what makes a version and its days) and [`Catalog`].

mod api;
mod digest;
mod error;
pub mod item;
mod item_api;
mod mapping;
mod mapping_api;
mod rows;
mod standing;
mod tables;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use mj_platform::Db;

pub use api::{ITEM_READ, ItemView, module};
pub use error::{Error, Result};
pub use mapping::Mappings;
pub use mapping_api::{SourcePlace, Sources};
pub use rows::{CatalogRow, Operation};
pub use standing::{InForce, Standing};

/// The catalogue. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    db: Db,
    sources: Arc<dyn Sources>,
}

impl Catalog {
    pub fn new(db: Db) -> Self {
        Self { db, sources: Arc::new(mapping_api::NoSources) }
    }
}
