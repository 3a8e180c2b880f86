//! The one way in: opens whatever was delivered and hands out its rows. Looks after what all formats
//! have in common (header, width of rows, numbers, progress); the formats look after the rest.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::delimited::{Charset, Delimited};
use crate::detect::{Content, detect};
use crate::error::TableError;
use crate::finding::Finding;
use crate::json_lines::JsonLines;
use crate::row::{Row, RowBuf};
use crate::source::{Counted, Source, Utf16, Window};
use crate::split::first_line;
use crate::xlsx::SheetReader;
use crate::{ORIGINAL_ROW_COLUMN, PROBLEM_COLUMN};

/// Limits that keep one delivered file from hurting the machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// Size of the file.
    pub max_bytes: u64,
    /// Bytes one workbook may inflate to, counted as they come out.
    pub max_inflated: u64,
    /// Inflated bytes per compressed byte, once an entry is beyond 16 MiB.
    pub max_ratio: u64,
    /// Text of a workbook's shared strings held in memory.
    pub max_shared_strings: u64,
    pub max_columns: usize,
    /// Bytes of one row.
    pub max_row_bytes: usize,
    /// Columns the caller expects. Only JSON lines need them, where a key may first appear late.
    pub expected_columns: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_bytes: 2 << 30,
            max_inflated: 4 << 30,
            max_ratio: 250,
            max_shared_strings: 256 << 20,
            max_columns: 1000,
            max_row_bytes: 1 << 20,
            expected_columns: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Xlsx,
    JsonLines,
}

enum Body {
    Delimited(Delimited),
    Lines(JsonLines),
    Sheet(Box<SheetReader>),
}

/// Streams the rows of a delivered table, whatever its format.
pub struct TableReader {
    header: Vec<String>,
    /// Columns as they stand in the file, ours included.
    width: usize,
    /// Physical columns that are ours (see [`PROBLEM_COLUMN`]), ascending.
    ours: Vec<usize>,
    original_row: Option<usize>,
    format: Format,
    encoding: &'static str,
    body: Body,
    rows: u64,
    notes: Vec<Finding>,
    ended: bool,
    total: u64,
    read: Arc<AtomicU64>,
    max_row: usize,
}

impl std::fmt::Debug for TableReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableReader")
            .field("format", &self.format)
            .field("encoding", &self.encoding)
            .field("columns", &self.header.len())
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl TableReader {
    pub fn open_path(path: impl AsRef<Path>, options: &Options) -> Result<Self, TableError> {
        Self::open(Box::new(File::open(path)?), options)
    }

    pub fn open_bytes(bytes: Vec<u8>, options: &Options) -> Result<Self, TableError> {
        Self::open(Box::new(Cursor::new(bytes)), options)
    }

    /// Recognises the content and reads the header. [`TableError::Refused`] says why a file is no
    /// table; nothing of it has been read then.
    pub fn open(mut source: Box<dyn Source>, options: &Options) -> Result<Self, TableError> {
        let total = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        if total > options.max_bytes {
            return Err(Finding::too_large(total, options.max_bytes).into());
        }
        let content = detect(&mut source)??;
        let start = match content {
            Content::Utf8Bom => 3,
            Content::Utf16Le | Content::Utf16Be => 2,
            Content::Json => {
                source.seek(SeekFrom::Start(0))?;
                let mut head = [0u8; 3];
                let n = source.read(&mut head)?;
                if head[..n] == *b"\xEF\xBB\xBF" { 3 } else { 0 }
            }
            _ => 0,
        };
        source.seek(SeekFrom::Start(start))?;
        let (mut counted, read) = Counted::new(source, start);
        let utf16 = match content {
            Content::Utf16Le => Some(encoding_rs::UTF_16LE),
            Content::Utf16Be => Some(encoding_rs::UTF_16BE),
            _ => None,
        };
        let mut notes = Vec::new();
        let (format, encoding, body, header) = match content {
            Content::Zip => {
                counted.seek(SeekFrom::Start(0))?;
                let (mut sheet, sheet_notes) = SheetReader::open(counted, total, options)?;
                notes = sheet_notes;
                let header = sheet_header(&mut sheet)?;
                (Format::Xlsx, "xlsx", Body::Sheet(Box::new(sheet)), header)
            }
            Content::Json => {
                let window = Window::new(Box::new(counted), start);
                let (lines, header) = JsonLines::open(
                    window,
                    options.max_row_bytes,
                    options.max_columns,
                    &options.expected_columns,
                )?;
                (Format::JsonLines, "jsonl", Body::Lines(lines), header)
            }
            _ => {
                let stream: Box<dyn Read + Send> = match utf16 {
                    Some(encoding) => Box::new(Utf16::new(counted, encoding)),
                    None => Box::new(counted),
                };
                let (encoding, charset) = match content {
                    Content::Utf8Bom => ("utf-8-bom", Charset::Utf8),
                    Content::Gb18030 => ("gb18030", Charset::Gb18030),
                    Content::Utf16Le => ("utf-16le", Charset::FromUtf16),
                    Content::Utf16Be => ("utf-16be", Charset::FromUtf16),
                    _ => ("utf-8", Charset::Utf8),
                };
                let mut window = Window::new(stream, start);
                window.more()?;
                let delimiter = delimiter_of(window.bytes());
                let mut body = Delimited::new(window, delimiter, charset, options.max_row_bytes);
                let header = delimited_header(&mut body, encoding, options)?;
                (Format::Csv, encoding, Body::Delimited(body), header)
            }
        };
        let mut reader = TableReader {
            width: header.len(),
            header,
            ours: Vec::new(),
            original_row: None,
            format,
            encoding,
            body,
            rows: 0,
            notes,
            ended: false,
            total,
            read,
            max_row: options.max_row_bytes,
        };
        reader.settle_header(options)?;
        Ok(reader)
    }

    /// The columns as the department named them, without the columns our marked sheet adds.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// `utf-8`, `utf-8-bom`, `gb18030`, `utf-16le`, `utf-16be`, `xlsx` or `jsonl`.
    pub fn encoding(&self) -> &'static str {
        self.encoding
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Rows handed out so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Blank lines that were passed over so far.
    pub fn blank_rows(&self) -> u64 {
        match &self.body {
            Body::Delimited(d) => d.blank,
            Body::Lines(l) => l.blank,
            Body::Sheet(s) => s.blank,
        }
    }

    /// Findings about the file as a whole; complete once the last row was read.
    pub fn file_findings(&self) -> &[Finding] {
        &self.notes
    }

    /// Bytes of the file read so far (read-ahead included).
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed).min(self.total)
    }

    pub fn bytes_total(&self) -> u64 {
        self.total
    }

    /// Reads the next row into `row`; `false` at the end. An error ends the file: what was handed out
    /// before it stands, and the finding in it says why nothing more can be read.
    pub fn next_into(&mut self, row: &mut RowBuf) -> Result<bool, TableError> {
        if self.ended {
            row.clear();
            return Ok(false);
        }
        let more = match &mut self.body {
            Body::Delimited(d) => d.next(row),
            Body::Lines(l) => l.next(row),
            Body::Sheet(s) => s.next(row),
        };
        let more = more.inspect_err(|_| self.ended = true)?;
        if !more {
            self.ended = true;
            if self.rows == 0 {
                self.notes.push(Finding::header_only());
            }
            return Ok(false);
        }
        self.rows += 1;
        row.row = self.rows;
        self.check_width(row);
        if !self.ours.is_empty() {
            self.remove_ours(row);
        }
        for finding in &mut row.findings {
            finding.row = Some(self.rows);
            if let Some(index) = finding.column_index {
                finding.column = self.header.get(index).cloned();
            }
        }
        Ok(true)
    }

    /// Reads the next row as an owned value.
    pub fn next_row(&mut self) -> Result<Option<Row>, TableError> {
        let mut row = RowBuf::new();
        Ok(self.next_into(&mut row)?.then(|| row.to_row()))
    }

    fn check_width(&self, row: &mut RowBuf) {
        let found = row.cells.len();
        if found == self.width {
            return;
        }
        if row.refused() && self.format != Format::Xlsx {
            // A row that could not be read whole has no width to speak of.
            return;
        }
        if found > self.width {
            if row.cells[self.width..].iter().all(|c| c.0 == c.1) {
                row.cells.truncate(self.width);
            } else {
                let finding = Finding::cell_count(row.line, found, self.width);
                row.findings.push(finding);
            }
        } else if self.format == Format::Csv {
            let finding = Finding::cell_count(row.line, found, self.width);
            row.findings.push(finding);
        } else {
            row.cells.resize(self.width, (0, 0));
        }
    }

    fn remove_ours(&self, row: &mut RowBuf) {
        row.original_row =
            self.original_row.and_then(|index| row.get(index)).and_then(|text| text.parse().ok());
        for &index in self.ours.iter().rev() {
            if index < row.cells.len() {
                row.cells.remove(index);
            }
        }
        row.findings.retain(|f| f.column_index.is_none_or(|i| !self.ours.contains(&i)));
        let shift = |index: usize| index - self.ours.iter().filter(|&&o| o < index).count();
        for finding in &mut row.findings {
            finding.column_index = finding.column_index.map(shift);
        }
    }

    /// Trims the names, sets our own columns aside and judges what is left.
    fn settle_header(&mut self, options: &Options) -> Result<(), TableError> {
        let names: Vec<String> = self
            .header
            .iter()
            .map(|name| {
                name.trim_matches(|c: char| {
                    c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '\0')
                })
                .to_owned()
            })
            .collect();
        let mut kept = names;
        while kept.last().is_some_and(String::is_empty) {
            kept.pop();
        }
        self.width = kept.len();
        if kept.is_empty() {
            return Err(Finding::empty().into());
        }
        if kept.len() > options.max_columns {
            return Err(Finding::header_too_many_columns(kept.len(), options.max_columns).into());
        }
        let mut first_at: HashMap<&str, usize> = HashMap::new();
        for (index, name) in kept.iter().enumerate() {
            if name.is_empty() {
                return Err(Finding::header_blank(index + 1).into());
            }
            if let Some(first) = first_at.insert(name, index) {
                return Err(Finding::header_duplicate(name, first + 1, index + 1).into());
            }
        }
        self.original_row = first_at.get(ORIGINAL_ROW_COLUMN).copied();
        self.ours = (0..kept.len())
            .filter(|&i| kept[i] == ORIGINAL_ROW_COLUMN || kept[i] == PROBLEM_COLUMN)
            .collect();
        self.header = kept
            .into_iter()
            .filter(|name| name != ORIGINAL_ROW_COLUMN && name != PROBLEM_COLUMN)
            .collect();
        if self.header.is_empty() {
            return Err(Finding::empty().into());
        }
        Ok(())
    }

    /// The limit a row was held to, for callers that explain it.
    pub fn max_row_bytes(&self) -> usize {
        self.max_row
    }
}

fn delimited_header(
    body: &mut Delimited,
    encoding: &str,
    options: &Options,
) -> Result<Vec<String>, TableError> {
    let mut row = RowBuf::new();
    if !body.next(&mut row)? {
        return Err(Finding::empty().into());
    }
    body.blank = 0;
    let encoding = encoding.to_ascii_uppercase();
    for finding in &row.findings {
        match finding.code {
            "file.encoding_mixed" => {
                return Err(Finding::header_encoding(&encoding, finding.byte.unwrap_or(0)).into());
            }
            "row.too_long" => return Err(Finding::header_too_long(options.max_row_bytes).into()),
            "quote.unclosed" => return Err(Finding::header_unclosed_quote().into()),
            _ => {}
        }
    }
    Ok(row.to_row().cells.into_iter().map(Option::unwrap_or_default).collect())
}

fn sheet_header(sheet: &mut SheetReader) -> Result<Vec<String>, TableError> {
    let mut row = RowBuf::new();
    if !sheet.next(&mut row)? {
        return Err(Finding::empty().into());
    }
    sheet.blank = 0;
    if let Some(finding) = row.findings.iter().find(|f| f.code == "row.too_long") {
        return Err(finding.clone().into());
    }
    Ok(row.to_row().cells.into_iter().map(Option::unwrap_or_default).collect())
}

/// Comma, unless the header has none and a tab or a semicolon instead.
fn delimiter_of(bytes: &[u8]) -> u8 {
    let blank = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let (len, _) = first_line(&bytes[blank..]);
    let mut counts = [(b',', 0usize), (b'\t', 0), (b';', 0)];
    let mut quoted = false;
    for &b in &bytes[blank..blank + len] {
        if b == b'"' {
            quoted = !quoted;
        } else if !quoted && let Some((_, n)) = counts.iter_mut().find(|(d, _)| *d == b) {
            *n += 1;
        }
    }
    match counts {
        [(_, 0), (_, 0), (_, s)] if s > 0 => b';',
        [(_, 0), (_, t), _] if t > 0 => b'\t',
        _ => b',',
    }
}
