//! The means every domain stands on: configuration, the two databases, the write door, jobs, the
//! outbox, blobs, keys, the working-day calendar and versioned rule tables. Knows no domain.
//!
//! Start reading at [`db`] (how SQL is written once for both databases) and [`db::door`] (the only
//! way to change business truth).

pub mod archive;
pub mod blob;
pub mod calendar;
pub mod clock;
pub mod config;
pub mod db;
pub mod durable;
mod error;
pub mod gm;
pub mod jobs;
pub mod keys;
pub mod ledger;
pub mod networks;
pub mod outbox;
pub mod rank;
pub mod rest;
pub mod rules;
pub mod second_person;

pub use clock::SystemClock;
pub use config::Config;
pub use db::door::{Act, TruthTable, WriteTx};
pub use db::{Db, DbRow, Dialect, Lane, RowExt, Value};
pub use error::{Error, Result, Trouble};
pub use networks::Networks;

/// A new UUIDv7 as text: sorts by time, says nothing about anybody.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
