//! One row as it was read: a reusable buffer for the pipeline's hot loop, and an owned copy for
//! callers that prefer comfort. Cells are the delivered text, neither trimmed nor corrected.

use crate::finding::Finding;

/// A reusable row. Cells borrow from one text buffer, so a million rows cost no allocations.
#[derive(Debug, Default)]
pub struct RowBuf {
    /// The raw record, followed by the cells that had to be unescaped.
    pub(crate) text: String,
    pub(crate) raw_len: usize,
    pub(crate) cells: Vec<(u32, u32)>,
    pub(crate) row: u64,
    pub(crate) line: u64,
    pub(crate) original_row: Option<u64>,
    pub(crate) findings: Vec<Finding>,
}

impl RowBuf {
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of the row, counted from 1 without the header and without blank lines.
    pub fn row(&self) -> u64 {
        self.row
    }

    /// Physical line of the file where the row begins (for XLSX the row of the sheet).
    pub fn line(&self) -> u64 {
        self.line
    }

    /// How many cells the row has. May differ from the header; then there is a finding.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The text of a cell; `None` when it is empty or missing.
    pub fn get(&self, index: usize) -> Option<&str> {
        let &(start, end) = self.cells.get(index)?;
        if start == end {
            return None;
        }
        self.text.get(start as usize..end as usize)
    }

    pub fn cells(&self) -> impl Iterator<Item = Option<&str>> + '_ {
        (0..self.cells.len()).map(|i| self.get(i))
    }

    /// What is wrong with the structure of this row.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether a finding makes the row unusable.
    pub fn refused(&self) -> bool {
        self.findings.iter().any(Finding::refuses)
    }

    /// The row number of the first delivery, when this file is a marked sheet that came back.
    pub fn original_row(&self) -> Option<u64> {
        self.original_row
    }

    /// The row as text: the record itself for text files, a CSV rendering for workbooks.
    pub fn raw_text(&self) -> String {
        if self.raw_len > 0 {
            return self.text[..self.raw_len].to_owned();
        }
        let mut out = String::new();
        for (i, cell) in self.cells().enumerate() {
            if i > 0 {
                out.push(',');
            }
            crate::write::push_quoted(&mut out, cell.unwrap_or(""), false);
        }
        out
    }

    /// An owned copy.
    pub fn to_row(&self) -> Row {
        Row {
            row: self.row,
            line: self.line,
            original_row: self.original_row,
            cells: self.cells().map(|c| c.map(str::to_owned)).collect(),
            findings: self.findings.clone(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.raw_len = 0;
        self.cells.clear();
        self.row = 0;
        self.line = 0;
        self.original_row = None;
        self.findings.clear();
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.cells.iter().all(|&(start, end)| start == end)
    }

    /// Appends a cell's text behind what is there and points cell `index` at it.
    pub(crate) fn set_cell(&mut self, index: usize, value: &str) {
        if self.cells.len() <= index {
            self.cells.resize(index + 1, (0, 0));
        }
        let start = self.text.len() as u32;
        self.text.push_str(value);
        self.cells[index] = (start, self.text.len() as u32);
    }
}

/// An owned row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub row: u64,
    pub line: u64,
    pub original_row: Option<u64>,
    pub cells: Vec<Option<String>>,
    pub findings: Vec<Finding>,
}
