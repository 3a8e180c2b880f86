//! What can end the reading or writing of a table: the file itself, or the disk below it.

use std::io;

use crate::finding::Finding;

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be used as a table at all; the finding says why and what to do.
    #[error("{}", .0.reason)]
    Refused(Box<Finding>),
    /// Reading or writing failed below us (disk, pipe).
    #[error("读写文件失败：{0}")]
    Io(#[from] io::Error),
    /// A workbook could not be written.
    #[error("写出工作簿失败：{0}")]
    Workbook(String),
}

impl TableError {
    /// The finding, when it is the file that is wrong and not the machine.
    pub fn finding(&self) -> Option<&Finding> {
        match self {
            TableError::Refused(finding) => Some(finding),
            _ => None,
        }
    }
}

impl From<Finding> for TableError {
    fn from(finding: Finding) -> Self {
        TableError::Refused(Box::new(finding))
    }
}

impl From<rust_xlsxwriter::XlsxError> for TableError {
    fn from(error: rust_xlsxwriter::XlsxError) -> Self {
        match error {
            rust_xlsxwriter::XlsxError::IoError(error) => TableError::Io(error),
            other => TableError::Workbook(other.to_string()),
        }
    }
}
