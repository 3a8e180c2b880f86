//! `mingjian check`: judge codes or a table file without storing anything.

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;

use chrono::NaiveDate;
use mj_kernel::code::CodeKind;

use crate::cli::{Failure, Kind, Outcome};

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
