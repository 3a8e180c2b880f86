//! Suspects columns whose contents stand under the wrong header.
//!
//! When nearly every value of a column fails and the values of another column would pass there, the
//! department has most likely swapped them: one sentence about the file says more than a thousand
//! about its rows. Only a hint; no row is judged by it.

use crate::delivered::StructuralFinding;
use crate::engine::{Context, Engine, Verdict};
use crate::spec::{ColumnType, Severity, Table};

/// Rows looked at for the contents of other columns.
const SAMPLE_ROWS: usize = 20;
/// Fewer rows than this prove nothing.
const FEWEST_ROWS: u64 = 5;

/// Counts faults by column and keeps the first rows as delivered.
pub struct SwapWatch<'t> {
    table: &'t Table,
    faults: Vec<u64>,
    rows: u64,
    samples: Vec<Vec<Option<String>>>,
}

impl<'t> SwapWatch<'t> {
    pub fn new(table: &'t Table) -> Self {
        Self { table, faults: vec![0; table.columns.len()], rows: 0, samples: Vec::new() }
    }

    /// Before the row is judged.
    pub fn delivered(&mut self, row: &[Option<String>]) {
        if self.samples.len() < SAMPLE_ROWS {
            self.samples.push(row.to_vec());
        }
    }

    /// After the row was judged.
    pub fn judged(&mut self, verdict: &Verdict<'_>) {
        self.rows += 1;
        let mut last = None;
        for issue in &verdict.issues {
            if let Some(at) = issue.column_index
                && last != Some(at)
            {
                self.faults[at] += 1;
                last = Some(at);
            }
        }
    }

    /// One finding for each column that seems to hold another one's values.
    pub fn findings(&self, engine: &mut Engine<'_>, ctx: &Context<'_>) -> Vec<StructuralFinding> {
        if self.rows < FEWEST_ROWS {
            return Vec::new();
        }
        let count = self.table.columns.len();
        let failing = (0..count).filter(|at| self.faults[*at] * 5 > self.rows * 4);
        let mut findings = Vec::new();
        for at in failing {
            let telling = |ty: &ColumnType| ty.is_code() || *ty == ColumnType::Date;
            if !telling(&self.table.columns[at].ty) {
                continue;
            }
            let source = (0..count)
                .filter(|other| *other != at && !self.table.columns[*other].envelope)
                .find(|other| {
                    self.fits(engine, *other, at, ctx) && !self.fits(engine, at, at, ctx)
                });
            if let Some(other) = source {
                findings.push(self.finding(at, other));
            }
        }
        findings
    }

    /// Do the delivered values of one column pass the checks of another?
    fn fits(&self, engine: &mut Engine<'_>, from: usize, to: usize, ctx: &Context<'_>) -> bool {
        let values: Vec<&str> =
            self.samples.iter().filter_map(|row| row[from].as_deref()).collect();
        let good = values.iter().filter(|value| engine.would_take(to, value, ctx)).count();
        values.len() as u64 >= FEWEST_ROWS && good * 5 >= values.len() * 4
    }

    fn finding(&self, at: usize, other: usize) -> StructuralFinding {
        let (column, other) = (&self.table.columns[at], &self.table.columns[other]);
        StructuralFinding {
            code: "header.swapped",
            severity: Severity::Warning,
            row: None,
            line: Some(1),
            column: Some(column.name.clone()),
            reason: format!(
                "“{}”的内容几乎都不合格，而“{}”的内容却像是“{}”，疑似列序错位",
                column.title, other.title, column.title
            ),
            remedy: "请核对表头与各列内容是否对应".to_owned(),
        }
    }
}
