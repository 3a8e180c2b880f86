//! Who gets what from the whole house, asked over its routes: the table of all routes and roles, and the
//! property that no list, count, facet, export or search shows a row outside the caller's scope.

mod behaviours;
mod exports;
mod hardening;
mod limits;
mod matrix;
mod refusals;
mod scope;
mod step_up;
mod waiting;
pub(super) mod world;
