//! The web floor: problems, registered routes, one decision before every handler, idempotent
//! creates, the OpenAPI document, headers and the request log. Knows no domain and no database
//! table but its own `idempotency`.
//!
//! Start reading at [`route`] (how a domain offers its routes: none without an [`Action`]),
//! [`authority`] (who asks, what is decided) and [`serve`] (how the parts become one router).

pub mod authority;
pub mod caller;
pub mod client;
pub mod export;
pub mod export_day;
pub mod export_reach;
pub mod export_request;
pub mod idempotency;
pub mod input;
pub mod keeper;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod reveal;
pub mod route;
pub mod serve;
pub mod sort;

pub use authority::{
    Action, Allowance, Authority, CertificateHeld, Decision, Fields, Identity, Mask, Proof,
    Refusal, Resource, SessionOver, Why,
};
pub use caller::{ActorNames, Caller};
pub use client::{Relayed, known_client};
pub use export::{Column, Export, ExportRequest};
/// What [`Authority::identify`] returns.
pub use futures_util::future::BoxFuture;
pub use idempotency::{Earlier, Once, replayed};
pub use input::{Input, PathOf, Query, SEARCH_TEXT};
pub use keeper::Keeper;
pub use problem::{FieldError, Problem};
pub use reveal::{RevealRequest, Revealed};
pub use route::{Module, Route, RouteOf, create, delete, get, head, patch, post, put};
pub use serve::Web;
pub use sort::{Sort, Sortable};

/// What a handler gives back.
pub type Answer<T> = Result<T, Problem>;
