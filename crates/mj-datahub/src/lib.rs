//! The supervision data centre (监管数据中心): departments' files and pushes become checked,
//! standardised, deduplicated and linked records, and every department sees what was wrong.
//!
//! collect → cleanse → deduplicate → compare → verify → normalise → link. This domain owns sources,
//! batches and the error store; it writes no fact, party or item itself but hands rows to `mj-facts`,
//! `mj-registry` and `mj-catalog`. What a row must look like is said by `mj-standard`.
//!
//! Invariants: a delivery answered with 202 is durable; `front = pending + correct + error +
//! duplicate + superseded` at every moment and fixed once settled; a batch runs again after a kill
//! with the same outcome; personal values are sealed from the first stored row on.
//!
//! Start reading at [`model`], then `receive` (a delivery becomes a batch) and [`ingest`] (the
//! pipeline).

#[doc(alias = "监管数据中心")]
mod api;
mod blob_source;
mod body;
mod channel;
mod check;
pub mod connection;
mod digest;
mod error;
mod finding;
pub mod forget;
mod import;
pub mod ingest;
mod local_source;
mod mend;
pub mod model;
mod progress;
mod receive;
mod reconcile;
mod repair;
mod source;
mod stop;
mod store;
mod upload;
mod withdraw;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mj_catalog::Catalog;
use mj_facts::FactStore;
use mj_platform::Db;
use mj_platform::blob::Blobs;
use mj_platform::keys::Keys;
use mj_platform::rules::RuleTable;
use mj_registry::Registry;
use mj_standard::Standard;

pub use api::{BATCH_READ, ERROR_READ, SOURCE_READ, SUMMARY_READ, TABLE_READ, module};
pub use check::{CheckFailure, check_table};
pub use digest::content_digest;
pub use error::{Error, Result};
pub use finding::{Arrived, BatchBrief, Faults, SourcesAtAGlance};
pub use import::{Import, Imported};
pub use ingest::seal::HASHED_ID;
pub use model::{Batch, BatchState, Channel, Counts, Portion, Source, SourceKind};
pub use progress::{Listener, Standing};
pub use receive::{Delivery, INGEST_BATCH, Received};
pub use reconcile::{Discrepancy, reconcile};
pub use source::NewSource;
pub use stop::Stop;
pub use upload::{Inbox, Progress};

/// What the data centre stands on.
pub struct Parts {
    pub db: Db,
    pub blobs: Blobs,
    pub keys: Keys,
    pub facts: FactStore,
    pub registry: Registry,
    pub catalog: Catalog,
    /// Where uploads under way lie (`inbox/` of the data directory).
    pub inbox: PathBuf,
}

type Wake = Box<dyn Fn() + Send + Sync>;

/// The data centre. Cheap to clone.
#[derive(Clone)]
pub struct Datahub {
    pub(crate) db: Db,
    pub(crate) blobs: Blobs,
    pub(crate) keys: Keys,
    pub(crate) facts: FactStore,
    pub(crate) registry: Registry,
    pub(crate) catalog: Catalog,
    pub(crate) inbox: Inbox,
    pub(crate) standard: &'static Standard,
    pub(crate) channel_rules: Arc<RuleTable>,
    wake: Arc<Mutex<Option<Wake>>>,
    /// Read by every load under way; written while what a cancelled one said is forgotten.
    loads: Arc<tokio::sync::RwLock<()>>,
}

impl Datahub {
    pub fn new(parts: Parts) -> Result<Self> {
        let Parts { db, blobs, keys, facts, registry, catalog, inbox } = parts;
        let inbox = Inbox::open(inbox, keys.clone())?;
        Ok(Self {
            db,
            blobs,
            keys,
            facts,
            registry,
            catalog,
            inbox,
            standard: Standard::v1(),
            channel_rules: Arc::new(channel::default_rules()?),
            wake: Arc::default(),
            loads: Arc::default(),
        })
    }

    /// Other channel rules than the house's own, e.g. of another city.
    pub fn with_channel_rules(mut self, rules: RuleTable) -> Self {
        self.channel_rules = Arc::new(rules);
        self
    }

    /// Whom to tell that a job was queued (the runner's `wake`).
    pub fn on_queued(&self, wake: impl Fn() + Send + Sync + 'static) {
        if let Ok(mut slot) = self.wake.lock() {
            *slot = Some(Box::new(wake));
        }
    }

    /// Throws away uploads that were begun and not continued since `before`. Blocking.
    pub fn sweep_inbox(&self, before: std::time::SystemTime) -> Result<usize> {
        self.inbox.sweep(before)
    }

    pub(crate) fn wake(&self) {
        if let Ok(slot) = self.wake.lock()
            && let Some(wake) = slot.as_ref()
        {
            wake();
        }
    }
}
