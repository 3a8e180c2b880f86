//! What one entry says: of the rows it wrote, by its sheet, and of everything there was, where it opens a volume.
//! Here the fold grows that the tables are compared with.

use mj_ledger::fold::Kind;
use mj_ledger::volume::Damage;
use mj_ledger::{Entry, sheet};

use super::journal::is_erased;
use super::{Check, SEGMENTS, Told, VOLUME};
use crate::DbRow;
use crate::error::Result;
use crate::ledger::book;
use crate::ledger::files::LogReader;
use crate::ledger::founding::FOUND;
use crate::ledger::retold::Retold;

impl Check<'_> {
    pub(super) fn entry(
        &mut self,
        seq: u64,
        bytes: Option<&[u8]>,
        stored: Option<&[u8]>,
        act: Option<DbRow>,
        opens: Option<u64>,
    ) -> Result<()> {
        let last = self.times.last().copied().unwrap_or(0);
        let Some(bytes) = bytes else {
            self.look_up.unreadable.insert(seq);
            self.find(Kind::Gap, "entries", seq.to_string(), seq);
            self.times.push(last);
            return Ok(());
        };
        let Ok(entry) = Entry::parse(bytes) else {
            self.look_up.unreadable.insert(seq);
            self.find(Kind::Log, "entries", seq.to_string(), seq);
            self.times.push(last);
            return Ok(());
        };
        self.times.push(entry.time);
        if entry.seq != seq || entry.opens.is_some() != opens.is_some() {
            self.find(Kind::Log, "entries", seq.to_string(), seq);
        }
        let text = stored.and_then(|stored| book::unpack(stored).ok());
        let honest = text.as_deref().is_some_and(|text| {
            sheet::root(text) == entry.sheet && text.lines().count() as i64 == entry.changes.rows
        });
        if !honest {
            self.find(Kind::Log, "sheets", seq.to_string(), seq);
        }
        self.act(&entry, text.as_deref(), act)?;
        if let Some(nth) = opens {
            self.look_up.hear(&entry, text.as_deref());
            return self.retell(nth, &entry, text.as_deref().unwrap_or_default());
        }
        self.look_up.hear(&entry, text.as_deref());
        let founding = entry.action == FOUND;
        for line in sheet::lines(text.as_deref().unwrap_or_default()) {
            let Ok(line) = line else {
                self.find(Kind::Log, "sheets", seq.to_string(), seq);
                break;
            };
            if !self.compares(line.table) {
                continue;
            }
            if line.table == SEGMENTS {
                self.report.segments.insert(line.key.to_owned(), (seq, entry.time));
            }
            let fault = self.fold.line(seq, line, founding);
            // past proof a row may go on from a version that is lost; where that led is in the list
            self.fault(fault.filter(|_| !self.is_past_proof), line.table, line.key);
        }
        Ok(())
    }

    /// The state as the first entry of a volume says it anew, against what was known.
    fn retell(&mut self, nth: u64, entry: &Entry, text: &str) -> Result<()> {
        let (tables, listed) = (&self.tables, &self.listed);
        let mut retold = Retold::new(&mut self.fold, entry.seq);
        for line in sheet::lines(text).flatten() {
            if listed.contains(line.table) && !tables.contains(line.table) {
                continue;
            }
            if line.table == SEGMENTS {
                let told = (entry.seq, entry.time);
                self.report.segments.entry(line.key.to_owned()).or_insert(told);
            }
            retold.line(line);
        }
        let walked: Vec<(&LogReader, u64)> =
            self.walked.iter().map(|(reader, bundles)| (reader, *bundles)).collect();
        let mut otherwise = retold.done(&walked)?;
        otherwise.retain(|one| !is_erased(&self.fold, &one.table, &one.key));
        // after a volume that is missing nothing is known, and that was said
        let before = self.before.take().filter(|before| before.number + 1 == nth);
        let Some(before) = before else { return Ok(()) };
        if let Some(damage) = before.frozen {
            let is_part = self.wanted.up_to.is_some();
            let mut rows: Vec<String> = otherwise.iter().map(|one| one.line.clone()).collect();
            let same = is_part
                || damage.rows == rows.len() as u64
                    && damage.digest == Damage::digest_of(&rows)
                    && (damage.entries, damage.lost) == (before.past, before.lost);
            if is_part {
                rows.clear();
            }
            if same {
                let (volume, proved) = (before.number, before.proved);
                self.report.told.push(Told { volume, proved, damage, rows });
                return Ok(());
            }
            self.find(Kind::Log, VOLUME, before.number.to_string(), before.proved);
        }
        for one in otherwise {
            self.fault(Some(one.fault), &one.table, &one.key);
        }
        Ok(())
    }
}
