//! The fact store: where behaviours, register rows and every other delivered row live.
//!
//! Rows are never changed. Few rows at a time are ordinary database rows (`fact_hot`), many at once
//! go straight into Parquet segments, and a manifest in the database says which of them count at
//! which position. The store knows records, versions, duplicates and past states, and no domain:
//! what a column means, which person a value belongs to and whether a row is right is decided above.
//!
//! Start reading at [`model`] (what goes in and comes out), then `index` (which row wins),
//! [`FactStore::commit`] (how a load becomes visible) and [`Snapshot`] (reading).
//!
//! Invariants: a file that the manifest names is whole and never changes; readers see a position
//! only after the database committed it; everything in memory can be thrown away and rebuilt.

pub mod disk;
mod error;
mod hash;
mod index;
mod ledger;
mod maintain;
mod manifest;
pub mod model;
mod reader;
mod rebuild;
mod segment;
mod slots;
mod snapshot;
mod stage;
mod store;
mod verify;

#[cfg(test)]
mod tests;

pub use error::{Error, Result};
pub use ledger::BatchCounts;
pub use maintain::Work;
pub use model::{
    At, ColumnKind, ColumnSpec, Depth, FactIn, FactLine, FactRow, Fate, Finding, Op, Pos, Receipt,
    RowId, TableSpec, Version,
};
pub use snapshot::{Columns, Dimension, Filter, RowView, Snapshot};
pub use stage::{Stage, Staged};
pub use store::FactStore;
pub use verify::verify;
