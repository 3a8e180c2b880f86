//! Rows of a delimited text file: records are found on bytes, decoded one at a time, and a record
//! that cannot be decoded, closed or held becomes a finding while the next ones go on.

use encoding_rs::{DecoderResult, GB18030};

use crate::error::TableError;
use crate::finding::Finding;
use crate::row::RowBuf;
use crate::source::Window;
use crate::split::{RawCell, Split, first_line, split, split_literally};

/// How the bytes of the window are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Gb18030,
    /// Already turned into UTF-8; damage shows as U+FFFD.
    FromUtf16,
}

impl Charset {
    fn title(self) -> &'static str {
        match self {
            Charset::Utf8 => "UTF-8",
            Charset::Gb18030 => "GB18030",
            Charset::FromUtf16 => "UTF-16",
        }
    }
}

pub(crate) struct Delimited {
    window: Window,
    delimiter: u8,
    charset: Charset,
    max_row: usize,
    line: u64,
    raw_cells: Vec<RawCell>,
    scratch: String,
    pub(crate) blank: u64,
}

/// How much of an unusable row is kept for the person who has to find it again.
const EXCERPT: usize = 4096;

impl Delimited {
    pub(crate) fn new(window: Window, delimiter: u8, charset: Charset, max_row: usize) -> Self {
        Delimited {
            window,
            delimiter,
            charset,
            max_row,
            line: 1,
            raw_cells: Vec::new(),
            scratch: String::new(),
            blank: 0,
        }
    }

    /// Reads the next record that is not blank. `false` at the end. The caller numbers the row and
    /// compares its width with the header.
    pub(crate) fn next(&mut self, row: &mut RowBuf) -> Result<bool, TableError> {
        loop {
            row.clear();
            if self.window.bytes().is_empty() {
                if self.window.eof() {
                    return Ok(false);
                }
                self.window.more()?;
                continue;
            }
            row.line = self.line;
            let outcome =
                split(self.window.bytes(), self.delimiter, self.window.eof(), &mut self.raw_cells);
            match outcome {
                Split::Record { len, next, lines, stray } => {
                    self.line += lines;
                    if len > self.max_row {
                        self.too_long(row);
                        self.window.consume(next);
                        return Ok(true);
                    }
                    if self.raw_cells.iter().all(|c| c.start == c.end) {
                        self.blank += 1;
                        self.window.consume(next);
                        continue;
                    }
                    self.take(len, row);
                    if stray {
                        row.findings.push(Finding::stray_quote(row.line));
                    }
                    self.window.consume(next);
                    return Ok(true);
                }
                Split::More { quoted_across_lines } => {
                    if self.window.bytes().len() <= self.max_row {
                        self.window.more()?;
                    } else if quoted_across_lines {
                        self.unclosed(row);
                        return Ok(true);
                    } else {
                        self.too_long(row);
                        self.window.skip_line()?;
                        self.line += 1;
                        return Ok(true);
                    }
                }
                Split::Unclosed => {
                    self.unclosed(row);
                    return Ok(true);
                }
            }
        }
    }

    /// The first line of the window alone is the bad row; whatever follows is read afresh.
    fn unclosed(&mut self, row: &mut RowBuf) {
        let (len, next) = first_line(self.window.bytes());
        split_literally(&self.window.bytes()[..len], self.delimiter, &mut self.raw_cells);
        self.take(len, row);
        // What a broken quote does to the other structure of the line is no news.
        row.findings.clear();
        row.findings.push(Finding::unclosed_quote(row.line));
        self.window.consume(next);
        self.line += 1;
    }

    fn too_long(&mut self, row: &mut RowBuf) {
        let bytes = self.window.bytes();
        let excerpt = &bytes[..bytes.len().min(EXCERPT)];
        let text = match self.charset {
            Charset::Gb18030 => GB18030.decode_without_bom_handling(excerpt).0,
            _ => String::from_utf8_lossy(excerpt),
        };
        row.text.push_str(&text);
        row.raw_len = row.text.len();
        row.findings.push(Finding::row_too_long(row.line, self.max_row));
    }

    /// Decodes the record of `len` bytes and lays its cells out in `row`.
    fn take(&mut self, len: usize, row: &mut RowBuf) {
        let raw = &self.window.bytes()[..len];
        let offset = self.window.offset();
        let line = row.line;
        let mut buffer = std::mem::take(&mut row.text).into_bytes();
        buffer.clear();
        let mut resplit = false;
        match self.charset {
            Charset::Utf8 | Charset::FromUtf16 => {
                buffer.extend_from_slice(raw);
                match String::from_utf8(buffer) {
                    Ok(text) => {
                        if self.charset == Charset::FromUtf16 && text.contains('\u{fffd}') {
                            row.findings.push(Finding::encoding_mixed(
                                line,
                                None,
                                self.charset.title(),
                                None,
                            ));
                        }
                        row.text = text;
                    }
                    Err(error) => {
                        let at = offset + error.utf8_error().valid_up_to() as u64;
                        let other =
                            GB18030.decode_without_bom_handling_and_without_replacement(raw);
                        row.findings.push(Finding::encoding_mixed(
                            line,
                            Some(at),
                            self.charset.title(),
                            other.is_some().then_some("GB18030"),
                        ));
                        row.text = match other {
                            Some(text) => text.into_owned(),
                            None => String::from_utf8_lossy(raw).into_owned(),
                        };
                        resplit = true;
                    }
                }
            }
            Charset::Gb18030 if raw.is_ascii() => {
                buffer.extend_from_slice(raw);
                row.text = String::from_utf8(buffer).unwrap_or_default();
            }
            Charset::Gb18030 => {
                resplit = true;
                match GB18030.decode_without_bom_handling_and_without_replacement(raw) {
                    Some(text) => match crate::detect::utf8_in_gb18030(raw) {
                        Some((at, utf8)) => {
                            row.text = utf8.to_owned();
                            row.findings.push(Finding::encoding_mixed(
                                line,
                                Some(offset + at as u64),
                                self.charset.title(),
                                Some("UTF-8"),
                            ));
                        }
                        None => row.text = text.into_owned(),
                    },
                    None => {
                        let at = offset + first_malformed_gb18030(raw) as u64;
                        let utf8 = std::str::from_utf8(raw).ok();
                        row.findings.push(Finding::encoding_mixed(
                            line,
                            Some(at),
                            self.charset.title(),
                            utf8.map(|_| "UTF-8"),
                        ));
                        row.text = match utf8 {
                            Some(text) => text.to_owned(),
                            None => GB18030.decode_without_bom_handling(raw).0.into_owned(),
                        };
                    }
                }
            }
        }
        if resplit {
            // Decoding moved the cells. A broken quote cannot appear here that was not there before,
            // except in rows that are refused anyway.
            match split(row.text.as_bytes(), self.delimiter, true, &mut self.raw_cells) {
                Split::Record { .. } => {}
                _ => split_literally(row.text.as_bytes(), self.delimiter, &mut self.raw_cells),
            }
        }
        row.raw_len = row.text.len();
        if memchr::memchr(0, row.text.as_bytes()).is_some() {
            row.findings.push(Finding::nul(line));
        }
        for (index, cell) in self.raw_cells.iter().enumerate() {
            let (mut start, mut end) = (cell.start, cell.end);
            if cell.escaped {
                self.scratch.clear();
                unescape(&row.text[start..end], &mut self.scratch);
                start = row.text.len();
                row.text.push_str(&self.scratch);
                end = row.text.len();
            }
            if let Some(&first @ (b'\'' | b'=')) = row.text.as_bytes().get(start)
                && start < end
            {
                let value = &row.text[start..end];
                match spreadsheet_text(first, value) {
                    SpreadsheetText::Plain => {}
                    SpreadsheetText::Strip { front, back } => {
                        start += front;
                        end -= back;
                        if first == b'=' {
                            row.findings.push(Finding::formula_cached(line, index));
                        }
                    }
                    SpreadsheetText::Formula => {
                        row.findings.push(Finding::formula_without_value(line, index))
                    }
                }
            }
            row.cells.push((start as u32, end as u32));
        }
    }
}

fn unescape(cell: &str, out: &mut String) {
    let mut rest = cell;
    while let Some(at) = memchr::memchr(b'"', rest.as_bytes()) {
        out.push_str(&rest[..=at]);
        rest = rest.get(at + 2..).unwrap_or("");
    }
    out.push_str(rest);
}

enum SpreadsheetText {
    Plain,
    Strip { front: usize, back: usize },
    Formula,
}

/// Two habits of spreadsheets in text files: an apostrophe before text that would be taken for a
/// formula (our own writer does the same), and `="0012"` to keep leading zeros.
fn spreadsheet_text(first: u8, value: &str) -> SpreadsheetText {
    if first == b'\'' {
        let rest = value.trim_start_matches('\'');
        return if rest.starts_with(crate::write::FORMULA_STARTS) {
            SpreadsheetText::Strip { front: 1, back: 0 }
        } else {
            SpreadsheetText::Plain
        };
    }
    if value.len() > 3
        && value.starts_with("=\"")
        && value.ends_with('"')
        && !value[2..value.len() - 1].contains('"')
    {
        return SpreadsheetText::Strip { front: 2, back: 1 };
    }
    match value.as_bytes().get(1) {
        Some(b) if b.is_ascii_alphanumeric() || b"(+-$'\"@{.".contains(b) => {
            SpreadsheetText::Formula
        }
        _ => SpreadsheetText::Plain,
    }
}

fn first_malformed_gb18030(raw: &[u8]) -> usize {
    let mut decoder = GB18030.new_decoder_without_bom_handling();
    let mut out = vec![0u8; raw.len() * 3 + 16];
    let (result, read, _) = decoder.decode_to_utf8_without_replacement(raw, &mut out, true);
    match result {
        DecoderResult::Malformed(bad, after) => read - usize::from(bad) - usize::from(after),
        _ => 0,
    }
}
