//! The demonstration city: writes the files that departments of 枣庄 would deliver, with faults planted in them, and a
//! manifest that says where each fault is and what must become of it.
//!
//! Everything is made up except the divisions and the names of towns; the same seed gives the same bytes. The files
//! enter the platform by the import door like anybody's: this crate knows no database and no server. Start reading at
//! [`generate`].

mod aftermath;
mod agencies;
mod behaviours;
mod bench;
mod catalogue;
mod delivery;
mod dice;
mod draft;
mod faults;
mod manifest;
mod numbers;
mod parties;
mod places;
mod plan;
mod plantings;
mod plantings_reference;
mod reference;
mod sink;
mod words;
mod world;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

pub use agencies::{Agency, Setup, SourceSetup};
pub use bench::{BenchFile, RATES, Subjects, bench_file, reference_spec};
pub use manifest::{Fault, FileEntry, LinkTruth, Manifest, Outcome, TableTotal};

/// Name of the manifest in the directory of the city.
pub const MANIFEST: &str = "manifest.json";
/// Name of the set-up data (agencies and sources) in the directory of the city.
pub const SETUP: &str = "agencies.json";

/// The city's today: nothing in it is later, so that on any later clock nothing lies in the future.
pub fn as_of() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 9, 30).unwrap_or(NaiveDate::MAX)
}

/// How much city.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// About a twentieth, for tests and CI.
    Small,
    /// 22,000 parties, 360 officers, 60 agencies, over 200,000 acts.
    Full,
}

impl Size {
    pub fn name(self) -> &'static str {
        match self {
            Size::Small => "small",
            Size::Full => "full",
        }
    }

    fn scale(self, full: usize) -> usize {
        match self {
            Size::Small => full.div_ceil(20),
            Size::Full => full,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CityError {
    #[error("cannot write {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("cannot write a file of the city: {0}")]
    Write(#[from] io::Error),
    #[error("cannot write a sheet of the city: {0}")]
    Sheet(#[from] mj_tabular::TableError),
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the city made a bad code: {0}")]
    Code(#[from] mj_kernel::code::CodeError),
    #[error("the register of divisions lacks {0}")]
    Reference(&'static str),
    #[error("the standard has no table {0}")]
    Table(String),
    #[error("table {table} has no column {column}")]
    Column { table: String, column: &'static str },
    #[error("the standard has no rule {0}")]
    Rule(String),
}

/// Writes the city into a directory (created when missing) and returns its manifest, which is also written there
/// beside the set-up data. Files already there are overwritten.
pub fn generate(dir: &Path, size: Size, seed: u64) -> Result<Manifest, CityError> {
    fs::create_dir_all(dir).map_err(|source| CityError::Io { path: dir.to_owned(), source })?;
    let (manifest, setup) = plan::write(dir, size, seed)?;
    for (name, text) in [
        (MANIFEST, serde_json::to_vec_pretty(&manifest)?),
        (SETUP, serde_json::to_vec_pretty(&setup)?),
    ] {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|source| CityError::Io { path, source })?;
    }
    Ok(manifest)
}

/// Reads the manifest of a city that was written before.
pub fn read_manifest(dir: &Path) -> Result<Manifest, CityError> {
    let path = dir.join(MANIFEST);
    let text = fs::read(&path).map_err(|source| CityError::Io { path, source })?;
    Ok(serde_json::from_slice(&text)?)
}
