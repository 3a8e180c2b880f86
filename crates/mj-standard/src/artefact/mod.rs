//! What is generated from a table: a JSON Schema, an Excel template, a documentation page.
//!
//! All three are made from the same [`Table`](crate::spec::Table) that judges the rows, so none of
//! them can say something else than the engine does.

mod page;
mod schema;
mod template;

pub use page::{index_page, list_page, table_page};
pub use schema::json_schema;
pub use template::{TemplateError, excel_template};
