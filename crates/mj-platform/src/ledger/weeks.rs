//! The last signed checkpoint of every week, kept as it was signed, so that anybody may take it away
//! and hand it to `mingjian verify --checkpoint` later. Weeks are ISO weeks on Beijing's calendar.
//!
//! The checkpoint of a week is put aside when the first one of a later week is about to take its
//! place: one more file a week, nothing on the way of the others. All volumes share the folder; a
//! note names its volume itself.

use std::fs;
use std::path::Path;

use chrono::Datelike;
use mj_kernel::Instant;
use mj_kernel::clock::beijing_date;
use mj_ledger::{Checkpoint, Note, volume};

use super::files::LogFiles;
use super::outside::Reached;
use super::{CHECKPOINT, LogReader, Shelf};
use crate::durable;
use crate::error::{Error, Result};

/// The kept checkpoints, in the log's folder; each by its week.
const WEEKS: &str = "weeks";

/// The last signed checkpoint of a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Week {
    /// As `2026-W47`: names in order are weeks in order.
    pub name: String,
    /// The signed note, byte by byte.
    pub text: String,
    pub note: Note,
    pub checkpoint: Checkpoint,
}

impl Week {
    /// `None` for what is no signed checkpoint.
    fn read(name: String, text: String) -> Option<Self> {
        let note = Note::parse(&text).ok()?;
        let checkpoint = Checkpoint::parse(&note.text).ok()?;
        Some(Self { name, text, note, checkpoint })
    }

    /// A checkpoint under the week in which it was signed.
    fn of(text: String) -> Option<Self> {
        let mut week = Self::read(String::new(), text)?;
        week.name = week_of(week.checkpoint.time);
        Some(week)
    }

    /// The log's name, the same for all volumes.
    pub fn log(&self) -> String {
        volume::split(&self.checkpoint.origin).0
    }

    /// The number of the volume it is of.
    pub fn volume(&self) -> u64 {
        volume::split(&self.checkpoint.origin).1
    }
}

/// The week of an instant: `2026-W47`.
pub fn week_of(at: Instant) -> String {
    let week = beijing_date(at).iso_week();
    format!("{:04}-W{:02}", week.year(), week.week())
}

/// Whether a text is such a name, and so no way out of the folder.
fn is_name(text: &str) -> bool {
    let shape = |(at, byte): (usize, u8)| match at {
        4 => byte == b'-',
        5 => byte == b'W',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 8 && text.bytes().enumerate().all(shape)
}

/// Before a checkpoint of `now` takes the place of the one that lies there: puts that aside if it was
/// the last one of its week.
pub(super) fn keep(files: &LogFiles, folder: &Path, now: Instant) -> Result<()> {
    let last = LogReader::new(folder).text(CHECKPOINT)?.and_then(Week::of);
    match last {
        Some(last) if last.name != week_of(now) => {
            let weeks = folder.join(WEEKS);
            if !weeks.exists() {
                fs::create_dir(&weeks).map_err(Error::io(&weeks))?;
                durable::sync_folder(folder)?;
            }
            files.replace(&format!("{WEEKS}/{}", last.name), &last.text)
        }
        _ => Ok(()),
    }
}

impl Shelf {
    /// The newest signed checkpoint, under its week, as it lies there.
    pub fn latest(&self) -> Result<Option<Week>> {
        Ok(LogReader::new(self.folder()).text(CHECKPOINT)?.and_then(Week::of))
    }

    /// The names of the weeks before the one of `now` of which there is a checkpoint, the newest first.
    pub fn weeks(&self, now: Instant) -> Result<Vec<String>> {
        let mut names = self.kept_weeks()?;
        names.extend(self.latest()?.map(|latest| latest.name));
        let present = week_of(now);
        names.retain(|name| *name < present);
        names.sort_unstable_by(|one, other| other.cmp(one));
        names.dedup();
        Ok(names)
    }

    /// The last checkpoint of a week that is over at `now`.
    pub fn week(&self, name: &str, now: Instant) -> Result<Option<Week>> {
        if !is_name(name) || name >= week_of(now).as_str() {
            return Ok(None);
        }
        // nothing was signed since: then it still lies in its own place
        if let Some(latest) = self.latest()?.filter(|latest| latest.name == name) {
            return Ok(Some(latest));
        }
        let text = LogReader::new(self.folder()).text(&format!("{WEEKS}/{name}"))?;
        Ok(text.and_then(|text| Week::read(name.to_owned(), text)))
    }

    fn kept_weeks(&self) -> Result<Vec<String>> {
        let folder = self.folder().join(WEEKS);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(&folder)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(Error::io(&folder))?.file_name();
            names.extend(name.to_str().filter(|name| is_name(name)).map(str::to_owned));
        }
        Ok(names)
    }

    /// Forgets the weeks that lie behind this point: the log was taken back before them.
    pub(super) fn drop_weeks_behind(&self, end: Reached) -> Result<()> {
        let folder = self.folder().join(WEEKS);
        for name in self.kept_weeks()? {
            let path = folder.join(&name);
            let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
            let reached = Week::read(name, text).map(|week| Reached::of(&week.checkpoint));
            let behind = |at: Reached| (at.volume, at.size) > (end.volume, end.size);
            if reached.is_none_or(behind) {
                fs::remove_file(&path).map_err(Error::io(&path))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mj_kernel::clock::parse_instant;

    use super::*;

    #[test]
    fn weeks_are_those_of_beijing_and_belong_to_the_year_of_their_thursday() {
        let week = |text| week_of(parse_instant(text).expect("an instant"));
        // still Sunday evening in UTC, Monday in Beijing
        assert_eq!(week("2026-11-22T15:59:59Z"), "2026-W47");
        assert_eq!(week("2026-11-22T16:00:00Z"), "2026-W48");
        assert_eq!(week("2027-01-03"), "2026-W53");
        assert_eq!(week("2027-01-04"), "2027-W01");
        assert_eq!(week("2024-12-30"), "2025-W01");
    }

    #[test]
    fn only_names_of_weeks_lead_to_files() {
        assert!(is_name("2026-W47"));
        for other in ["", "2026-47", "2026-W4", "../key", "2026-W47/", "2026_W47", "..26-W47"] {
            assert!(!is_name(other), "{other}");
        }
    }
}
