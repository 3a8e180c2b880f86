//! CSV after RFC 4180, with an apostrophe before whatever a spreadsheet would run as a formula. Our
//! reader takes that apostrophe away again.

use std::io::{self, Write};

use super::FORMULA_STARTS;
use crate::detect::to_gb18030;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CsvEncoding {
    Utf8,
    /// What Excel needs to recognise UTF-8.
    #[default]
    Utf8Bom,
    Gb18030,
}

/// Writes rows of text as CSV.
pub struct CsvWriter<W: Write> {
    out: W,
    encoding: CsvEncoding,
    line: String,
    begun: bool,
}

impl<W: Write> CsvWriter<W> {
    pub fn new(out: W, encoding: CsvEncoding) -> Self {
        CsvWriter { out, encoding, line: String::new(), begun: false }
    }

    /// Writes one record; the header is the first.
    pub fn write_row<'a>(
        &mut self,
        cells: impl IntoIterator<Item = Option<&'a str>>,
    ) -> io::Result<()> {
        self.line.clear();
        if !self.begun && self.encoding == CsvEncoding::Utf8Bom {
            self.out.write_all(b"\xEF\xBB\xBF")?;
        }
        self.begun = true;
        let mut first = true;
        for cell in cells {
            if !first {
                self.line.push(',');
            }
            first = false;
            push_quoted(&mut self.line, cell.unwrap_or(""), true);
        }
        self.line.push_str("\r\n");
        match self.encoding {
            CsvEncoding::Gb18030 => self.out.write_all(&to_gb18030(&self.line)),
            _ => self.out.write_all(self.line.as_bytes()),
        }
    }

    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Appends a cell, quoted when it must be. `guard`: defuse formulas.
pub(crate) fn push_quoted(out: &mut String, cell: &str, guard: bool) {
    let guarded = guard && looks_like_formula(cell);
    let quote = cell.contains(['"', ',', '\n', '\r', '\t', ';'])
        || cell.starts_with([' ', '\u{feff}'])
        || cell.ends_with(' ');
    if quote {
        out.push('"');
    }
    if guarded {
        out.push('\'');
    }
    if quote && cell.contains('"') {
        out.push_str(&cell.replace('"', "\"\""));
    } else {
        out.push_str(cell);
    }
    if quote {
        out.push('"');
    }
}

/// A plain number may begin with a sign; anything else that begins like a formula is guarded, and so
/// is text that already looks guarded, because the reader would take its apostrophe for ours.
fn looks_like_formula(cell: &str) -> bool {
    if !cell.trim_start_matches('\'').starts_with(FORMULA_STARTS) {
        return false;
    }
    let digits = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    let number = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.matches('.').count() <= 1;
    !number
}
