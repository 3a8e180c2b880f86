//! Rows of a JSON lines file. The columns are the keys met in the first lines (in order of first
//! sight); a line that is no object is a finding, the others go on.

use std::collections::HashMap;

use crate::error::TableError;
use crate::finding::Finding;
use crate::json_line::{Value, parse_object};
use crate::row::RowBuf;
use crate::source::Window;
use crate::split::first_line;

/// How far the beginning of the file is read to learn the keys.
const SURVEY_LINES: usize = 1000;

pub(crate) struct JsonLines {
    window: Window,
    max_row: usize,
    line: u64,
    keys: HashMap<String, usize>,
    seen: Vec<bool>,
    pub(crate) blank: u64,
}

impl JsonLines {
    /// `hint`: columns the caller expects; they come first and may be absent from the first lines.
    pub(crate) fn open(
        mut window: Window,
        max_row: usize,
        max_columns: usize,
        hint: &[String],
    ) -> Result<(Self, Vec<String>), TableError> {
        let mut header: Vec<String> = Vec::new();
        let mut keys: HashMap<String, usize> = HashMap::new();
        let mut add = |key: &str| {
            if !keys.contains_key(key) && header.len() <= max_columns {
                keys.insert(key.to_owned(), header.len());
                header.push(key.to_owned());
            }
        };
        hint.iter().for_each(|key| add(key));
        window.more()?;
        for line in window.bytes().split(|&b| b == b'\n').take(SURVEY_LINES) {
            if let Ok(text) = std::str::from_utf8(line) {
                // A broken line adds the keys before its fault; it will be reported when read.
                let _ = parse_object(text, |key, _| {
                    add(key);
                    Ok(())
                });
            }
        }
        if header.is_empty() {
            return Err(Finding::json_no_object().into());
        }
        if header.len() > max_columns {
            return Err(Finding::header_too_many_columns(header.len(), max_columns).into());
        }
        let lines =
            JsonLines { window, max_row, line: 1, seen: vec![false; header.len()], keys, blank: 0 };
        Ok((lines, header))
    }

    pub(crate) fn next(&mut self, row: &mut RowBuf) -> Result<bool, TableError> {
        loop {
            row.clear();
            let bytes = self.window.bytes();
            let (len, next) = first_line(bytes);
            // A line ends where its line end is visible, or with the file.
            let whole = self.window.eof() || (next > len && next < bytes.len());
            if !whole && len <= self.max_row {
                self.window.more()?;
                continue;
            }
            if bytes.is_empty() {
                return Ok(false);
            }
            row.line = self.line;
            self.line += 1;
            if len > self.max_row {
                row.text.push_str(&String::from_utf8_lossy(&bytes[..len.min(4096)]));
                row.raw_len = row.text.len();
                row.findings.push(Finding::row_too_long(row.line, self.max_row));
                self.window.skip_line()?;
                return Ok(true);
            }
            if bytes[..len].trim_ascii().is_empty() {
                self.blank += 1;
                self.window.consume(next);
                continue;
            }
            self.take(len, row);
            self.window.consume(next);
            return Ok(true);
        }
    }

    fn take(&mut self, len: usize, row: &mut RowBuf) {
        let raw = &self.window.bytes()[..len];
        let offset = self.window.offset();
        let line = row.line;
        let text = match std::str::from_utf8(raw) {
            Ok(text) => text,
            Err(error) => {
                let at = offset + error.valid_up_to() as u64;
                row.findings.push(Finding::encoding_mixed(line, Some(at), "UTF-8", None));
                row.text.push_str(&String::from_utf8_lossy(raw));
                row.raw_len = row.text.len();
                return;
            }
        };
        row.text.push_str(text);
        row.raw_len = text.len();
        row.cells.resize(self.keys.len(), (0, 0));
        self.seen.fill(false);
        let (keys, seen) = (&self.keys, &mut self.seen);
        let mut unknown = None;
        let mut nul = false;
        let parsed = parse_object(text, |key, value| {
            let Some(&index) = keys.get(key) else {
                unknown.get_or_insert_with(|| key.to_owned());
                return Ok(());
            };
            if std::mem::replace(&mut seen[index], true) {
                return Err("同一个字段出现了两次");
            }
            match value {
                Value::Null => {}
                Value::Text(t) | Value::Nested(t) => {
                    nul |= t.contains('\0');
                    row.set_cell(index, t);
                }
            }
            Ok(())
        });
        if let Err(error) = parsed {
            row.findings.push(Finding::json_syntax(line, offset + error.at as u64, error.what));
        } else if let Some(key) = unknown {
            row.findings.push(Finding::json_unknown_key(line, &key));
        }
        if nul {
            row.findings.push(Finding::nul(line));
        }
    }
}
