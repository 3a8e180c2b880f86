//! The sheet of an act: one line `table⇥key⇥version⇥row_digest` for every row it wrote (`-` =
//! deleted), in the order written. Its root is an RFC 6962 tree over the lines, so that one line can
//! be proved without showing the others; the same rule gives the root over the rows of a chunk.

use crate::error::{Error, Result};
use crate::tree::{Frontier, Hash, Memory, leaf};

/// One row after an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub table: &'a str,
    pub key: &'a str,
    pub version: i64,
    /// `None`: deleted, the version being its last.
    pub digest: Option<Hash>,
}

impl<'a> Line<'a> {
    pub fn write(&self, text: &mut String) {
        use std::fmt::Write;
        text.push_str(self.table);
        text.push('\t');
        text.push_str(self.key);
        // writing to a text cannot fail
        let _ = write!(text, "\t{}\t", self.version);
        match self.digest {
            Some(digest) => push_hex(text, &digest),
            None => text.push('-'),
        }
    }

    pub fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.split('\t');
        let (table, key) = (parts.next()?, parts.next()?);
        let version = parts.next()?.parse().ok()?;
        let digest = match parts.next()? {
            "-" => None,
            digest => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(digest, &mut bytes).ok()?;
                Some(bytes)
            }
        };
        parts.next().is_none().then_some(Line { table, key, version, digest })
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// The root of a sheet that is being written.
#[derive(Debug, Default)]
pub struct Sheet(Frontier);

impl Sheet {
    pub fn new() -> Self {
        Self::default()
    }

    /// A line without its line end.
    pub fn push(&mut self, line: &[u8]) {
        self.0.push(leaf(line));
    }

    /// The leaves of many lines.
    pub fn push_leaves(&mut self, leaves: Vec<Hash>) {
        self.0.push_all(leaves);
    }

    pub fn rows(&self) -> u64 {
        self.0.size()
    }

    pub fn root(&self) -> Hash {
        self.0.root()
    }
}

/// The root over the rows of a chunk, each given in its own binary form.
pub fn row_root<'a>(rows: impl Iterator<Item = &'a [u8]>) -> Hash {
    let mut sheet = Sheet::new();
    rows.for_each(|row| sheet.push(row));
    sheet.root()
}

/// The root of a written sheet.
pub fn root(text: &str) -> Hash {
    row_root(text.lines().map(str::as_bytes))
}

/// The lines of a written sheet.
pub fn lines(text: &str) -> impl Iterator<Item = Result<Line<'_>>> {
    text.lines()
        .enumerate()
        .map(|(nth, line)| Line::parse(line).ok_or(Error::Sheet { line: nth + 1 }))
}

/// The tree of a written sheet, to prove single lines.
pub fn tree(text: &str) -> Memory {
    let mut tree = Memory::new();
    text.lines().for_each(|line| tree.push(leaf(line.as_bytes())));
    tree
}
