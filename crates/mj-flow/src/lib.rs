//! Work items (待办、线索、工单): what a person has to decide or handle, with its states, deadline and
//! timeline. Knows nothing of the things it is about: they are a table, an id and a payload.
//!
//! Domains ask by an event; what a person decided goes back as [`mj_kernel::Event::WorkItemDecided`].
//! Claiming here is 认领 of a to-do; adopting a catalogue item is another act and another domain.
//!
//! Start reading at [`state`] (which verb is allowed when) and [`Flow`].

mod api;
mod brief;
mod bulk;
mod error;
mod notice;
mod presence;
mod service;
pub mod state;
mod store;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use mj_platform::Db;

pub use api::{READ, module};
pub use brief::{WorkBrief, WorkLine};
pub use error::{Error, Result};
pub use service::NewWorkItem;
pub use state::{Kind, State, Verb};
pub use store::{Step, WorkItem};

/// The work items. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Flow {
    db: Db,
    presence: Arc<presence::Presence>,
}

impl Flow {
    pub fn new(db: Db) -> Self {
        Self { db, presence: Arc::default() }
    }

    /// Where an item stands, for the domain that asked for it.
    pub async fn item_unscoped(&self, id: &str) -> Result<WorkItem> {
        store::by_id_unscoped(&self.db, id).await
    }
}
