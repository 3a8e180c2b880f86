//! The monthly audit report (月度审计报告): what happened in a month, counted from the log and the tables, each number
//! with the rows it counts; the audit administrator adds what was found and signs. `month` says which months there are
//! and when one is due, `figures` counts, `report` keeps what was signed, `api` are the routes.

pub mod api;
mod figures;
mod month;
mod report;

pub use api::SIGN;
#[cfg(test)]
pub use month::Month;
pub use report::{AuditDue, waiting};
