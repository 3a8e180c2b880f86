//! `mingjian check`: judge codes or a table file without storing anything.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use chrono::NaiveDate;
use mj_datahub::CheckFailure;
use mj_kernel::Clock;
use mj_kernel::code::CodeKind;
use mj_platform::SystemClock;
use mj_standard::Standard;

use crate::cli::{Failure, Kind, Outcome};
use crate::node::Beside;

pub fn codes(kind: Kind, on: NaiveDate, normalize: bool, file: &Path) -> Result<Outcome, Failure> {
    let kind = match kind {
        Kind::Uscc => CodeKind::Uscc,
        Kind::Org => CodeKind::Org,
        Kind::CitizenId => CodeKind::CitizenId,
        Kind::Regno => CodeKind::RegNo,
        Kind::Division => CodeKind::Division,
        Kind::Industry => CodeKind::Industry,
        Kind::Item => CodeKind::Item,
    };
    let out = BufWriter::new(io::stdout().lock());
    let judged = if file == Path::new("-") {
        mj_standard::register::check_codes(kind, on, normalize, io::stdin().lock(), out)
    } else {
        let source = open(file)?;
        mj_standard::register::check_codes(kind, on, normalize, BufReader::new(source), out)
    };
    match judged {
        Ok(summary) => Ok(Outcome::clean_if(summary.bad == 0)),
        // whoever reads our output has had enough (`| head`): not our failure
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Clean),
        Err(error) => Err(Failure::Broken(format!("读写失败：{error}"))),
    }
}

/// A missing file is a mistake of usage; one that cannot be read is not.
pub fn open(file: &Path) -> Result<File, Failure> {
    if file.is_dir() {
        return Err(Failure::Usage(format!("{} 是文件夹，请给出文件", file.display())));
    }
    File::open(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::Usage(format!("找不到文件 {}", file.display())),
        _ => Failure::Broken(format!("无法打开 {}：{error}", file.display())),
    })
}

/// Checks a table file against the standard; with a data directory also against what it holds.
pub async fn table(
    name: &str,
    file: &Path,
    json: bool,
    data_dir: Option<&Path>,
) -> Result<Outcome, Failure> {
    let beside = match data_dir {
        Some(dir) => Some(Beside::open(dir).await?),
        None => None,
    };
    let store = beside.as_ref().map(|beside| &beside.domains.datahub);
    let checked = mj_datahub::check_table(name, file, SystemClock.now(), store).await;
    if let Some(beside) = &beside {
        beside.close().await;
    }
    let report = checked.map_err(|failure| match failure {
        CheckFailure::UnknownTable(_) => {
            let known: Vec<&str> =
                Standard::v1().tables().iter().map(|table| table.name.as_str()).collect();
            Failure::Usage(format!("{failure}；可用的表：{}", known.join("、")))
        }
        CheckFailure::MissingFile(_) => Failure::Usage(failure.to_string()),
        CheckFailure::Broken(error) => Failure::broken(error),
    })?;
    let text = if json { report.to_json().map_err(Failure::broken)? } else { report.text() };
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::broken(error)),
        _ => Ok(Outcome::clean_if(!report.has_errors())),
    }
}
