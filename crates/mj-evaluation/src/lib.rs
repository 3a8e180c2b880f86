//! Evaluation (评价): the indicators of the supervision platform, each with its formula, its source and
//! the rows behind it; the leader's page and the weekly digest.
//!
//! Indicators are rows of a rule table ([`rule`]), computed by pure functions ([`measure`]) over one
//! picture of the house ([`world`]), which [`picture`] keeps new. Figure and rows come from one walk, so
//! the list behind a number is as long as the number says. This domain owns no truth; it reads the fact
//! store and, through the port [`house::House`], what other domains tell.
//!
//! Start reading at [`measure`].

#[doc(alias = "评价")]
mod api;
mod daily;
mod digest;
mod error;
pub mod house;
pub mod measure;
mod overview;
pub mod period;
mod picture;
pub mod rollup;
mod rows;
pub mod rule;
mod service;
pub mod world;

#[cfg(test)]
mod tests;

pub use api::module;
pub use error::{Error, Result};
pub use service::{Evaluation, Parts};
