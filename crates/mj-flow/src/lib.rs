//! Work items (工作项): to-dos and the review queue of every domain, with one timeline.
//!
//! A domain tells by an event that a person must look at something; this crate makes the work item,
//! lets people claim, transfer, return, urge and decide it, and tells by `WorkItemDecided` what was
//! decided. What a decision *does* is the telling domain's business.
//!
//! Start reading at [`state`] (which move is allowed when), then `service`.

mod api;
mod error;
mod service;
pub mod state;
mod store;

pub use api::module;
pub use error::{Error, Result};
pub use service::{Flow, NewWorkItem};

#[cfg(test)]
mod tests;
