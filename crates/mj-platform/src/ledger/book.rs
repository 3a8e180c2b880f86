//! What one act wrote, while it is being written: the sheet's root and its packed text.

use std::collections::BTreeMap;
use std::io::Write;

use mj_ledger::lanes::Messages;
use mj_ledger::tree::LEAF;
use mj_ledger::{Hash, Line, Sheet};

use crate::error::{Error, Result};

/// Text is packed in pieces of this size, so that a large act takes little memory and a small one
/// does not pay for a packer.
const PIECE: usize = 256 * 1024;

/// How many lines of the sheet stand in the journal itself.
const LINES_IN_CLEAR: i64 = 50;

/// What one transaction did, for its journal row and its entry.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) changes: i64,
    /// The act is journalled whether or not it changed anything.
    pub(crate) is_noted: bool,
    pub(crate) sheet: SheetWriter,
    /// The first lines in clear, so that the journal row of a person's act is readable.
    pub(crate) lines: String,
    /// Rows that each table gained or lost.
    pub(crate) gained: BTreeMap<&'static str, i64>,
}

impl Book {
    /// One row written, or taken away with `None`.
    pub(crate) fn note(
        &mut self,
        table: &'static str,
        key: &str,
        version: i64,
        digest: Option<Hash>,
    ) {
        match digest {
            None => *self.gained.entry(table).or_default() -= 1,
            Some(_) if version == 1 => *self.gained.entry(table).or_default() += 1,
            Some(_) => {}
        }
        self.line(table, key, version, digest);
    }

    /// Many rows of one table that were written together.
    pub(crate) fn note_all<'l>(
        &mut self,
        table: &'static str,
        lines: impl Iterator<Item = Line<'l>>,
    ) {
        let mut gained = 0;
        let lines = lines.inspect(|line| gained += i64::from(line.version == 1));
        let clear = LINES_IN_CLEAR - self.changes;
        self.changes += self.sheet.push_all(lines, clear, &mut self.lines);
        *self.gained.entry(table).or_default() += gained;
    }

    /// The line alone: the row was counted before.
    pub(crate) fn line(&mut self, table: &str, key: &str, version: i64, digest: Option<Hash>) {
        let line = self.sheet.push(&Line { table, key, version, digest });
        if self.changes < LINES_IN_CLEAR {
            self.lines.push_str(line);
        }
        self.changes += 1;
    }
}

/// A sheet under way.
#[derive(Default)]
pub(crate) struct SheetWriter {
    sheet: Sheet,
    text: String,
    /// Lines of one call, to be digested together.
    leaves: Messages,
    packer: Option<zstd::Encoder<'static, Vec<u8>>>,
    /// Packing into memory that failed is told at the end, before anything is committed.
    failed: Option<std::io::Error>,
}

impl SheetWriter {
    /// Writes one line and gives it back with its line end.
    pub(crate) fn push(&mut self, line: &Line<'_>) -> &str {
        if self.text.len() >= PIECE {
            self.pack();
        }
        let start = self.text.len();
        line.write(&mut self.text);
        self.sheet.push(&self.text.as_bytes()[start..]);
        self.text.push('\n');
        &self.text[start..]
    }

    /// The same for many lines, of which the first few also go to `clear`; gives how many there were.
    fn push_all<'l>(
        &mut self,
        lines: impl Iterator<Item = Line<'l>>,
        in_clear: i64,
        clear: &mut String,
    ) -> i64 {
        self.leaves.clear();
        let mut count = 0;
        for line in lines {
            if self.text.len() >= PIECE {
                self.pack();
            }
            let start = self.text.len();
            line.write(&mut self.text);
            let leaf = self.leaves.begin();
            leaf.push(LEAF);
            leaf.extend_from_slice(&self.text.as_bytes()[start..]);
            self.leaves.end();
            self.text.push('\n');
            if count < in_clear {
                clear.push_str(&self.text[start..]);
            }
            count += 1;
        }
        self.sheet.push_leaves(self.leaves.digests());
        count
    }

    fn pack(&mut self) {
        let packed = match self.packer.take() {
            Some(packer) => Ok(packer),
            None => zstd::Encoder::new(Vec::new(), 1),
        }
        .and_then(|mut packer| {
            packer.write_all(self.text.as_bytes())?;
            self.packer = Some(packer);
            Ok(())
        });
        self.failed = self.failed.take().or(packed.err());
        self.text.clear();
    }

    /// The root and the sheet as it is stored: a zstd frame, or the text itself behind a zero byte.
    pub(crate) fn finish(mut self) -> Result<(Hash, Vec<u8>)> {
        let root = self.sheet.root();
        if self.packer.is_none() && self.text.len() < 4_096 {
            let mut plain = vec![0];
            plain.extend(self.text.as_bytes());
            return Ok((root, plain));
        }
        self.pack();
        if let Some(error) = self.failed {
            return Err(Error::io("行清单")(error));
        }
        let packed = match self.packer {
            Some(packer) => packer.finish().map_err(Error::io("行清单"))?,
            None => Vec::new(),
        };
        Ok((root, packed))
    }
}

/// The lines of a sheet that stand in the journal itself.
pub(crate) fn in_clear(sheet: &str) -> &str {
    let lines = usize::try_from(LINES_IN_CLEAR).unwrap_or(0);
    let ends = sheet.match_indices('\n').map(|(at, _)| at + 1);
    &sheet[..ends.take(lines).last().unwrap_or(0)]
}

/// The text of a stored sheet.
pub fn unpack(stored: &[u8]) -> Result<String> {
    let bytes = match stored.split_first() {
        Some((0, plain)) => plain.to_vec(),
        _ => zstd::decode_all(stored).map_err(|_| Error::Corrupt("行清单无法解压".into()))?,
    };
    String::from_utf8(bytes).map_err(|_| Error::Corrupt("行清单不是 UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_written_together_make_the_same_sheet() {
        let keys: Vec<String> = (0..700).map(|number| format!("0197-{number}")).collect();
        let line = |key| Line { table: "party", key, version: 1, digest: Some([7; 32]) };
        for pieces in [1, 3, 256, 699] {
            let (mut single, mut many) = (Book::default(), Book::default());
            for keys in keys.chunks(pieces) {
                keys.iter().for_each(|key| single.note("party", key, 1, Some([7; 32])));
                many.note_all("party", keys.iter().map(|key| line(key)));
            }
            assert_eq!((single.changes, &single.gained), (many.changes, &many.gained));
            assert_eq!(single.lines, many.lines);
            let (single, many) = (single.sheet.finish(), many.sheet.finish());
            assert_eq!(single.expect("packed"), many.expect("packed"));
        }
    }

    #[test]
    fn a_sheet_is_stored_small_and_read_back_whole() {
        for rows in [0, 1, 30, 100, 10_000] {
            let mut writer = SheetWriter::default();
            let mut whole = String::new();
            for number in 0..rows {
                let key = format!("0197-{number}");
                let digest = Some(mj_ledger::tree::sm3(key.as_bytes()));
                let line = Line { table: "mention", key: &key, version: 1, digest };
                whole.push_str(writer.push(&line));
            }
            let (root, stored) = writer.finish().expect("packed");
            assert_eq!(root, mj_ledger::sheet::root(&whole));
            assert_eq!(unpack(&stored).expect("unpacked"), whole);
            assert!(rows < 1_000 || stored.len() < whole.len() / 2);
        }
        assert!(unpack(&[9, 9, 9]).is_err());
    }
}
