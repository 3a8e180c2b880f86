//! The state as the first entry of a volume says it anew, against what was known before.
//!
//! After a year it must be the same, line by line. After a volume was frozen it may differ, in the rows
//! of a list whose digest that entry holds: told each time, and never longer.

use mj_ledger::Line;
use mj_ledger::fold::{Fault, Fold, Kind};
use mj_ledger::sheet;

use super::book;
use super::files::LogReader;
use crate::error::Result;

/// A row that is said otherwise than it was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Otherwise {
    pub(super) fault: Fault,
    pub(super) table: String,
    pub(super) key: String,
    /// Its line in the list of a frozen volume.
    pub(super) line: String,
}

/// Hears the lines of an opening entry.
pub(super) struct Retold<'a> {
    fold: &'a mut Fold,
    seq: u64,
    pub(super) otherwise: Vec<Otherwise>,
}

impl<'a> Retold<'a> {
    pub(super) fn new(fold: &'a mut Fold, seq: u64) -> Self {
        Self { fold, seq, otherwise: Vec::new() }
    }

    pub(super) fn line(&mut self, line: Line<'_>) {
        let Some(fault) = self.fold.restate(self.seq, line) else { return };
        let mut text = format!("{}\t", fault.kind.name());
        line.write(&mut text);
        let (table, key) = (line.table.to_owned(), line.key.to_owned());
        self.otherwise.push(Otherwise { fault, table, key, line: text });
    }

    /// The rows that were not said any more, whose names stand in the sheets before; then the new state
    /// counts. Everything said otherwise, in the order in which it is told.
    pub(super) fn done(self, before: &[(&LogReader, u64)]) -> Result<Vec<Otherwise>> {
        let Self { fold, mut otherwise, .. } = self;
        let mut gone: Vec<Otherwise> = Vec::new();
        for (reader, bundles) in before.iter().rev() {
            for bundle in (0..*bundles).rev() {
                if !fold.has_unstated() {
                    break;
                }
                let mut sheets = reader.sheets(bundle)?;
                while let Some(stored) = sheets.next_stored()? {
                    let Ok(text) = book::unpack(&stored) else { continue };
                    for line in sheet::lines(&text).flatten() {
                        let Some(fault) = fold.take_unstated(line.table, line.key) else {
                            continue;
                        };
                        let (table, key) = (line.table.to_owned(), line.key.to_owned());
                        let text = format!("{}\t{table}\t{key}", Kind::Missing.name());
                        gone.push(Otherwise { fault, table, key, line: text });
                    }
                }
            }
        }
        if fold.has_unstated() {
            let fault = Fault { kind: Kind::Missing, seq: None };
            let (table, key) = ("sheets".to_owned(), "-".to_owned());
            gone.push(Otherwise { fault, table, key, line: "missing\tsheets\t-".to_owned() });
        }
        gone.sort_by(|one, other| one.line.cmp(&other.line));
        otherwise.extend(gone);
        fold.turn();
        Ok(otherwise)
    }
}
