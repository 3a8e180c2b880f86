//! The words every domain shares: codes, actors, scopes, time, pages, events.
//!
//! Nothing here does I/O, knows SQL or HTTP, or reads a clock: time and randomness come in as
//! arguments. Start reading at [`actor`] (who acts, with what right) and [`event`] (what one
//! domain tells another).

pub mod actor;
pub mod clock;
pub mod code;
pub mod event;
pub mod page;
pub mod scope;
pub mod second_person;

pub use actor::{Actor, ActorKind, Grant, Role};
pub use clock::{Clock, FixedClock, Instant};
pub use event::Event;
pub use page::{Page, PageOf};
pub use scope::{AgencySet, DataLevel, Scope, lines_of_items};
