//! The way back to the department: CSV and workbooks that spreadsheets open without surprises, and
//! that our own reader takes again unchanged. Text that a spreadsheet would run as a formula is
//! always written as text.

mod csv;
mod marked;
mod sheet;

pub use csv::{CsvEncoding, CsvWriter};
pub use marked::{Mark, MarkedRow, MarkedSheet};
pub use sheet::{SheetWriter, TemplateColumn, template_sheet};

pub(crate) use csv::push_quoted;

/// First characters that make a spreadsheet take text for a formula.
pub(crate) const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
