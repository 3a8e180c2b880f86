//! `mingjian check table`: the reader of files and the standard's engine put together, with the
//! store's knowledge where there is one. Stores nothing.

use std::path::Path;

use mj_kernel::Instant;
use mj_kernel::clock::beijing_date;
use mj_standard::{
    Context, DeliveredRow, Envelope, NoLookups, Severity, Standard, StructuralFinding, Table,
    TableReport,
};
use mj_tabular::{Finding, Options, RowBuf, TableError, TableReader};

use crate::Datahub;
use crate::error::Error;
use crate::ingest::lookups;

/// Why a file could not be checked at all; that it is no table is a finding, not a failure.
#[derive(Debug, thiserror::Error)]
pub enum CheckFailure {
    #[error("找不到文件{0}")]
    MissingFile(String),
    #[error("数据标准中没有名为“{0}”的表")]
    UnknownTable(String),
    #[error(transparent)]
    Broken(#[from] Error),
}

/// Judges a file as of `now`; `store` answers the rules that need one.
pub async fn check_table(
    table: &str,
    file: &Path,
    now: Instant,
    store: Option<&Datahub>,
) -> Result<TableReport, CheckFailure> {
    let standard = Standard::v1();
    let table =
        standard.table(table).ok_or_else(|| CheckFailure::UnknownTable(table.to_owned()))?;
    if !file.is_file() {
        return Err(CheckFailure::MissingFile(file.display().to_string()));
    }
    let known = match store {
        Some(hub) => Some(lookups::load(hub, table).await?),
        None => None,
    };
    let path = file.to_owned();
    let report = tokio::task::spawn_blocking(move || {
        let context = Context {
            now,
            today: beijing_date(now),
            envelope: Envelope::File,
            source: None,
            batch: None,
            lookups: match &known {
                Some(known) => known,
                None => &NoLookups,
            },
        };
        check(standard, table, &path, &context)
    })
    .await
    .map_err(Error::thread)?;
    Ok(report?)
}

fn check(
    standard: &Standard,
    table: &'static Table,
    path: &Path,
    context: &Context<'_>,
) -> Result<TableReport, Error> {
    let mut reader = match TableReader::open_path(path, &Options::default()) {
        Ok(reader) => reader,
        Err(error) => return unreadable(standard, table, "", error),
    };
    let (encoding, header) = (reader.encoding(), reader.header().to_vec());
    let mut fatal = None;
    let rows = Rows { reader: &mut reader, row: RowBuf::new(), fatal: &mut fatal };
    let report = mj_standard::check_table(standard, table, context, encoding, &header, rows);
    match fatal {
        Some(error) => unreadable(standard, table, encoding, error),
        None => Ok(report),
    }
}

fn unreadable(
    standard: &Standard,
    table: &Table,
    encoding: &str,
    error: TableError,
) -> Result<TableReport, Error> {
    match error.finding() {
        Some(finding) => {
            Ok(TableReport::unreadable(standard, table, encoding, structural(finding)))
        }
        None => Err(Error::Tabular(error.to_string())),
    }
}

fn structural(finding: &Finding) -> StructuralFinding {
    StructuralFinding {
        code: finding.code,
        severity: if finding.refuses() { Severity::Error } else { Severity::Warning },
        row: finding.row,
        line: finding.line,
        column: finding.column.clone(),
        reason: finding.reason.clone(),
        remedy: finding.remedy.clone(),
    }
}

/// The rows of a file as the standard wants them.
struct Rows<'a> {
    reader: &'a mut TableReader,
    row: RowBuf,
    fatal: &'a mut Option<TableError>,
}

impl Iterator for Rows<'_> {
    type Item = Result<DeliveredRow, Box<StructuralFinding>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.reader.next_into(&mut self.row) {
            Ok(false) => None,
            Ok(true) => Some(Ok(DeliveredRow {
                row: self.row.row(),
                line: Some(self.row.line()),
                cells: self.row.cells().map(|cell| cell.map(str::to_owned)).collect(),
                findings: self.row.findings().iter().map(structural).collect(),
            })),
            Err(error) => {
                *self.fatal = Some(error);
                None
            }
        }
    }
}
