//! Work items (待办、线索、工单): what a person has to decide or handle, with its states, deadline and
//! timeline. Knows nothing of the things it is about: they are a table, an id and a payload.
//!
//! Domains ask by an event; what a person decided goes back as [`mj_kernel::Event::WorkItemDecided`].
//! Claiming here is 认领 of a to-do; adopting a catalogue item is another act and another domain.
//!
//! Start reading at [`state`] (which verb is allowed when) and [`Flow`].

mod api;
mod error;
mod service;
pub mod state;
mod store;

#[cfg(test)]
mod tests;

use mj_platform::Db;

pub use api::module;
pub use error::{Error, Result};
pub use service::NewWorkItem;
pub use state::{Kind, State, Verb};
pub use store::{Step, WorkItem};

/// The work items. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Flow {
    db: Db,
}

impl Flow {
    pub fn new(db: Db) -> Self {
        Self { db }
    }
}
