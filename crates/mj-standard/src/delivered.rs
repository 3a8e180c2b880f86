//! What a delivered file looks like to the standard: a header and rows of text, whatever the format.
//!
//! Reading files is the work of `mj-tabular`; these shapes are all the two agree on.

/// One data row. Cells stand in the order of the header; an empty cell may be `None` or `Some("")`.
#[derive(Debug, Clone, Default)]
pub struct DeliveredRow {
    /// From 1, without the header.
    pub row: u64,
    /// Line in a text file, row in a sheet; unknown for some formats.
    pub line: Option<u64>,
    pub cells: Vec<Option<String>>,
}

/// Something is wrong with the file itself, found while reading it. Always class 00, an error.
#[derive(Debug, Clone)]
pub struct StructuralFinding {
    /// Stable and dotted, e.g. `file.not_text`; becomes the rule of the issue.
    pub code: String,
    /// The row that cannot be read; `None` when the whole file is meant.
    pub row: Option<u64>,
    pub line: Option<u64>,
    pub column: Option<String>,
    pub reason: String,
    pub remedy: String,
}
