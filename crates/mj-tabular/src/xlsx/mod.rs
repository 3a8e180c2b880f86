//! Workbooks (`.xlsx`), read cell by cell. The package is opened by our own inflating reader, which
//! counts what really comes out instead of believing the directory, so a small file cannot become a
//! large amount of memory. Only the first visible sheet is a table.

mod inflate;
mod number;
mod package;
mod sheet;
mod strings;
mod styles;

pub(crate) use sheet::SheetReader;

use crate::error::TableError;
use crate::finding::Finding;

/// An XML error below a sheet: what the inflating reader found, the disk, or damaged content.
fn xml_error(error: quick_xml::Error, what: &str) -> TableError {
    match error {
        quick_xml::Error::Io(error) => match inflate::finding_in(&error) {
            Some(finding) => finding.into(),
            None => damaged_or_io(&error, what),
        },
        other => Finding::damaged(&format!("{what}不是合法的 XML（{other}）")).into(),
    }
}

fn io_error(error: std::io::Error, what: &str) -> TableError {
    match inflate::finding_in(&error) {
        Some(finding) => finding.into(),
        None => damaged_or_io(&error, what),
    }
}

/// Bad deflate data and a file that ends too early are the file's fault, the rest is the disk's.
fn damaged_or_io(error: &std::io::Error, what: &str) -> TableError {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            Finding::damaged(&format!("{what}无法解压")).into()
        }
        kind => TableError::Io(std::io::Error::new(kind, error.to_string())),
    }
}
