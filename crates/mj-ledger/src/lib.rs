//! The supervision log (监管日志) as rules: tree, entries, sheets, checkpoints, receipts, fold.
//!
//! Nothing here reads a file, a clock or a key: whoever stores the log (mj-platform) hands bytes in
//! and takes bytes out, so that an auditor's program can use the same rules. Start at [`tree`].

pub mod entry;
pub mod fold;
pub mod lanes;
pub mod note;
pub mod receipt;
pub mod sheet;
pub mod tiles;
pub mod tree;
pub mod volume;
pub mod witness;

mod error;
#[cfg(test)]
mod tests;

pub use entry::Entry;
pub use error::{Error, Result};
pub use note::{Checkpoint, Note, VerifierKey};
pub use sheet::{Line, Sheet};
pub use tree::Hash;
pub use volume::{Cause, Opening};
pub use witness::WitnessKey;
