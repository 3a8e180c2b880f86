//! Judges rows that are not delivered yet, exactly as the pipeline will: the same engine, the same look-ups,
//! a department's own item codes read as the unified ones. Stores nothing.

use mj_kernel::Instant;
use mj_kernel::clock::beijing_date;
use mj_standard::{Context, Engine, Envelope, HeaderMap, MaskKind, Table, mask};

use crate::Datahub;
use crate::error::Result;
use crate::ingest::lookups::{self, StoreLookups};
use crate::ingest::read::{LocalItems, reported};
use crate::model::RowIssue;

pub struct Checker {
    pub table: &'static Table,
    engine: Engine<'static>,
    lookups: StoreLookups,
    local: LocalItems,
    source: String,
    now: Instant,
}

/// What is said of one row.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub refused: bool,
    pub issues: Vec<RowIssue>,
    /// Columns whose value is about a natural person.
    pub personal: Vec<usize>,
}

impl Checker {
    pub async fn new(hub: &Datahub, table: &'static Table, cd_source: &str) -> Result<Self> {
        let mappings = hub.catalog.mappings(cd_source).await?;
        Ok(Self {
            table,
            engine: Engine::new(table),
            lookups: lookups::load(hub, table).await?,
            local: LocalItems::new(mappings, table),
            source: cd_source.to_owned(),
            now: hub.db.clock().now(),
        })
    }

    /// Judges delivered values in the table's order. The row is used up: canonical values stay in it.
    pub fn check(&mut self, row: &mut [Option<String>]) -> Said {
        let context = Context {
            now: self.now,
            today: beijing_date(self.now),
            envelope: Envelope::File,
            source: Some(&self.source),
            batch: None,
            lookups: &self.lookups,
        };
        self.local.replace(row, context.today);
        let verdict = self.engine.check_row(row, &context);
        let issues = verdict.issues.iter().map(reported).collect();
        let personal =
            (0..self.table.columns.len()).filter(|at| self.table.is_personal(*at, row)).collect();
        Said { refused: verdict.refused, issues, personal }
    }
}

/// Delivered cells in the table's order.
pub fn arrange(
    table: &Table,
    header: &[String],
    cells: Vec<Option<String>>,
) -> Vec<Option<String>> {
    let map = HeaderMap::new(table, header);
    let mut row = Vec::new();
    map.arrange(cells.iter().map(Option::as_deref), &mut row);
    row
}

/// A value as it may be shown.
pub fn shown(table: &Table, at: usize, value: Option<&str>, personal: &[usize]) -> String {
    let value = value.unwrap_or_default();
    if personal.contains(&at) {
        mask(MaskKind::of(&table.columns[at].ty), value)
    } else {
        value.chars().take(200).collect()
    }
}
