//! What a delivered file looks like to the standard: a header and rows of text, whatever the format.
//!
//! Reading files is the work of `mj-tabular`; these shapes are all the two agree on.

use crate::spec::Severity;

/// One data row. Cells stand in the order of the header; an empty cell may be `None` or `Some("")`.
#[derive(Debug, Clone, Default)]
pub struct DeliveredRow {
    /// From 1, without the header.
    pub row: u64,
    /// Line in a text file, row in a sheet; unknown for some formats.
    pub line: Option<u64>,
    pub cells: Vec<Option<String>>,
    /// What the reader found in this row. An error without a column means that the cells cannot be
    /// trusted and are not judged.
    pub findings: Vec<StructuralFinding>,
}

/// Something is wrong with the file itself, found while reading it. Always class 00.
#[derive(Debug, Clone)]
pub struct StructuralFinding {
    /// Stable and dotted, e.g. `file.binary`; becomes the rule of the issue.
    pub code: &'static str,
    pub severity: Severity,
    /// The row that is meant; `None` when the whole file is.
    pub row: Option<u64>,
    pub line: Option<u64>,
    pub column: Option<String>,
    pub reason: String,
    pub remedy: String,
}
