//! What was written and what was planted: the measure against which an import of the city is judged.

use serde::{Deserialize, Serialize};

/// What a planted fault must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The row stands in the error store.
    Refused,
    /// The row passes with a remark.
    Warned,
    /// A value was mended and the mend recorded.
    Normalised,
    /// Same record and content, or same business key.
    Duplicate,
    /// A newer version of the same record follows in the same file, or a newer one stood before it.
    Superseded,
}

/// One planted fault. `row` counts from 1 without the header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub file: String,
    pub table: String,
    pub row: u64,
    pub column: Option<String>,
    /// Which sort of fault, e.g. `uscc_check_digit`.
    pub kind: String,
    /// Official check class `00`..`10`; none where nothing is wrong (mends, newer versions).
    pub class: Option<String>,
    /// Rule of the standard that must tell of it.
    pub rule: Option<String>,
    pub outcome: Outcome,
}

/// A row whose party carries no credit code, or another writing of its name, with the party it truly is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTruth {
    pub file: String,
    pub table: String,
    pub row: u64,
    /// How it can be told: `regist_no`, `name`, `name_variant`.
    pub by: String,
    pub uscc: String,
}

/// One delivered file. Files are to be imported in the order of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub file: String,
    pub table: String,
    pub cd_source: String,
    pub cd_batch: String,
    /// `csv`, `xlsx` or `jsonl`.
    pub format: String,
    /// `utf-8`, `utf-8-bom` or `gb18030`; empty for xlsx.
    pub encoding: String,
    /// `title` or `identifier`.
    pub headers: String,
    /// The columns of the exchange envelope are in the file.
    pub envelope: bool,
    /// `backlog` (存量) or `delta` (增量).
    pub portion: String,
    pub rows: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableTotal {
    pub table: String,
    pub rows: u64,
    pub refused: u64,
    pub duplicate: u64,
    pub superseded: u64,
}

/// `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub city: String,
    pub area_number: String,
    pub standard_version: String,
    pub seed: u64,
    pub size: String,
    /// No date in the city is later than this, planted ones aside.
    pub as_of: String,
    pub files: Vec<FileEntry>,
    pub totals: Vec<TableTotal>,
    pub faults: Vec<Fault>,
    pub links: Vec<LinkTruth>,
}

impl Manifest {
    /// Rows of a file that must be refused.
    pub fn refused_rows(&self, file: &str) -> Vec<u64> {
        let mut rows: Vec<u64> = self
            .faults
            .iter()
            .filter(|fault| fault.file == file && fault.outcome == Outcome::Refused)
            .map(|fault| fault.row)
            .collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    pub(crate) fn count(&mut self) {
        let mut totals: Vec<TableTotal> = Vec::new();
        for file in &self.files {
            let at = match totals.iter().position(|t| t.table == file.table) {
                Some(at) => at,
                None => {
                    totals.push(TableTotal {
                        table: file.table.clone(),
                        rows: 0,
                        refused: 0,
                        duplicate: 0,
                        superseded: 0,
                    });
                    totals.len() - 1
                }
            };
            totals[at].rows += file.rows;
        }
        for fault in &self.faults {
            if let Some(total) = totals.iter_mut().find(|t| t.table == fault.table) {
                match fault.outcome {
                    Outcome::Refused => total.refused += 1,
                    Outcome::Duplicate => total.duplicate += 1,
                    Outcome::Superseded => total.superseded += 1,
                    Outcome::Warned | Outcome::Normalised => {}
                }
            }
        }
        self.totals = totals;
    }
}
