//! Reads the tables that departments deliver and writes the tables they get back.
//!
//! A delivered file is recognised by its content (CSV in UTF-8, GB18030 or UTF-16, XLSX, JSON lines),
//! read row by row in bounded memory, and everything that is wrong with its *structure* comes back as
//! data: a [`Finding`] with a stable code, a reason and a remedy in Chinese. What a cell *means*
//! (types, code lists, rules) is not judged here; that is the data standard's work.
//!
//! Start reading at [`TableReader`]; the way back to the department is [`MarkedSheet`].

mod delimited;
mod detect;
mod error;
mod finding;
mod json_line;
mod json_lines;
mod reader;
mod row;
mod source;
mod split;
mod write;
mod xlsx;

#[cfg(test)]
mod tests;

pub use error::TableError;
pub use finding::{Finding, Severity};
pub use reader::{Format, Options, TableReader};
pub use row::{Row, RowBuf};
pub use source::Source;
pub use write::{
    CsvEncoding, CsvWriter, Mark, MarkedRow, MarkedSheet, SheetWriter, TemplateColumn,
    template_sheet,
};

/// Column of a marked sheet that holds the row number of the file as it was delivered. A reader
/// recognises it, reports it as [`RowBuf::original_row`] and leaves it out of the header.
pub const ORIGINAL_ROW_COLUMN: &str = "_原行号";

/// Column of a marked sheet that tells what is wrong with the row. Left out when read again.
pub const PROBLEM_COLUMN: &str = "_问题说明";
