//! The data centre's SQL, one function per question. Truth tables are written through the door only;
//! the error store is bookkeeping that a batch writes again whenever it runs again.

pub mod batch;
pub mod error_row;
pub mod source;
