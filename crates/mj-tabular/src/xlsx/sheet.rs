//! The rows of one sheet, from a stream of XML events. Keeps nothing but the row at hand.

use std::io::BufReader;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::inflate::{ElementGuard, Inflated};
use super::number::render;
use super::strings::{SharedStrings, append_text, lenient, push_unescaped};
use super::styles::Styles;
use super::{io_error, package, xml_error};
use crate::error::TableError;
use crate::finding::Finding;
use crate::reader::Options;
use crate::row::RowBuf;
use crate::source::Counted;

const WHAT: &str = "工作表";
/// Columns of a sheet end at XFD.
const EXCEL_COLUMNS: usize = 16_384;

pub(crate) struct SheetReader {
    xml: Reader<ElementGuard<Inflated<BufReader<Counted>>>>,
    buf: Vec<u8>,
    strings: SharedStrings,
    styles: Styles,
    date1904: bool,
    max_row: usize,
    sheet_row: u64,
    in_data: bool,
    ended: bool,
    cell: Cell,
    value: String,
    text: String,
    pub(crate) blank: u64,
}

#[derive(Default)]
struct Cell {
    index: usize,
    style: usize,
    kind: Kind,
    formula: bool,
    has_value: bool,
    inside: Inside,
    phonetic: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Number,
    Shared,
    Text,
    Bool,
    Error,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Inside {
    #[default]
    Nothing,
    Value,
    InlineText,
}

impl SheetReader {
    pub(crate) fn open(
        counted: Counted,
        total: u64,
        options: &Options,
    ) -> Result<(Self, Vec<Finding>), TableError> {
        let package = package::open(counted, total, options)?;
        let inflated = Inflated::new(package.source, package.sheet, package.budget);
        // Tags and attributes make a row of a sheet several times as long as its text.
        let guard_limit = options.max_row_bytes.saturating_mul(4).max(4 << 20);
        let mut xml = Reader::from_reader(ElementGuard::new(inflated, b"</row>", guard_limit));
        lenient(&mut xml);
        let reader = SheetReader {
            xml,
            buf: Vec::new(),
            strings: package.strings,
            styles: package.styles,
            date1904: package.date1904,
            max_row: options.max_row_bytes,
            sheet_row: 0,
            in_data: false,
            ended: false,
            cell: Cell::default(),
            value: String::new(),
            text: String::new(),
            blank: 0,
        };
        Ok((reader, package.notes))
    }

    pub(crate) fn next(&mut self, row: &mut RowBuf) -> Result<bool, TableError> {
        row.clear();
        let mut in_row = false;
        // Index of the next cell without a reference.
        let mut column = 0;
        while !self.ended {
            self.buf.clear();
            // Taken out so that the event does not keep `self` borrowed.
            let mut buf = std::mem::take(&mut self.buf);
            let event = self.xml.read_event_into(&mut buf);
            match event.map_err(|e| xml_error(e, WHAT))? {
                Event::Start(e) => match e.local_name().as_ref() {
                    "sheetData" => self.in_data = true,
                    "row" if self.in_data => {
                        self.xml.get_mut().restart();
                        self.begin_row(&e);
                        row.clear();
                        row.line = self.sheet_row;
                        in_row = true;
                        column = 0;
                    }
                    "c" if in_row => {
                        self.begin_cell(&e, column)?;
                        column = self.cell.index + 1;
                    }
                    "v" if in_row => self.inside(Inside::Value),
                    "t" if in_row && !self.cell.phonetic => self.inside(Inside::InlineText),
                    "rPh" => self.cell.phonetic = true,
                    "f" if in_row => self.cell.formula = true,
                    _ => {}
                },
                Event::Empty(e) => match e.local_name().as_ref() {
                    "row" if self.in_data => {
                        self.begin_row(&e);
                        self.blank += 1;
                    }
                    "c" if in_row => {
                        self.begin_cell(&e, column)?;
                        column = self.cell.index + 1;
                    }
                    "f" if in_row => self.cell.formula = true,
                    "sheetData" => self.finish()?,
                    _ => {}
                },
                Event::End(e) => match e.local_name().as_ref() {
                    "v" | "t" => self.cell.inside = Inside::Nothing,
                    "rPh" => self.cell.phonetic = false,
                    "c" if in_row => self.end_cell(row)?,
                    "row" if in_row => {
                        in_row = false;
                        let cut = self.xml.get_mut().restart();
                        if cut || row.text.len() > self.max_row {
                            self.cut_short(row);
                        }
                        if memchr::memchr(0, row.text.as_bytes()).is_some() {
                            row.findings.push(Finding::nul(row.line));
                        }
                        if row.is_blank() && row.findings.is_empty() {
                            self.blank += 1;
                        } else {
                            self.buf = buf;
                            return Ok(true);
                        }
                    }
                    "sheetData" => self.finish()?,
                    _ => {}
                },
                Event::Eof => {
                    return Err(Finding::damaged("工作表内容在中途断开").into());
                }
                event => {
                    if self.cell.inside != Inside::Nothing {
                        append_text(&event, &mut self.value);
                    }
                }
            }
            self.buf = buf;
        }
        row.clear();
        Ok(false)
    }

    /// Past the data: the rest of the part only matters for the checksum.
    fn finish(&mut self) -> Result<(), TableError> {
        self.ended = true;
        self.xml.get_mut().drain().map_err(|e| io_error(e, WHAT))
    }

    fn cut_short(&self, row: &mut RowBuf) {
        let mut keep = row.text.len().min(4096);
        while !row.text.is_char_boundary(keep) {
            keep -= 1;
        }
        row.text.truncate(keep);
        for cell in &mut row.cells {
            if cell.1 as usize > keep {
                *cell = (0, 0);
            }
        }
        row.findings.clear();
        row.findings.push(Finding::row_too_long(row.line, self.max_row));
    }

    fn begin_row(&mut self, e: &BytesStart<'_>) {
        let given = attribute_text(e, "r").and_then(|r| r.parse().ok());
        self.sheet_row = given.unwrap_or(self.sheet_row + 1);
        self.cell = Cell::default();
    }

    fn begin_cell(&mut self, e: &BytesStart<'_>, next: usize) -> Result<(), TableError> {
        self.value.clear();
        self.cell = Cell { index: next, ..Cell::default() };
        let mut attributes = e.attributes();
        for a in attributes.with_checks(false).flatten() {
            match a.key.as_ref() {
                "r" => {
                    if let Some(index) = column_of(&a.value) {
                        self.cell.index = index;
                    }
                }
                "s" => self.cell.style = a.value.parse().unwrap_or(0),
                "t" => {
                    self.cell.kind = match &*a.value {
                        "s" => Kind::Shared,
                        "str" | "inlineStr" | "d" => Kind::Text,
                        "b" => Kind::Bool,
                        "e" => Kind::Error,
                        _ => Kind::Number,
                    }
                }
                _ => {}
            }
        }
        if self.cell.index >= EXCEL_COLUMNS {
            return Err(Finding::damaged("单元格位置超出工作表范围").into());
        }
        Ok(())
    }

    fn inside(&mut self, inside: Inside) {
        self.cell.inside = inside;
        self.cell.has_value = true;
    }

    fn end_cell(&mut self, row: &mut RowBuf) -> Result<(), TableError> {
        let cell = &self.cell;
        let index = cell.index;
        if cell.formula {
            row.findings.push(if cell.has_value {
                Finding::formula_cached(row.line, index)
            } else {
                Finding::formula_without_value(row.line, index)
            });
        }
        match cell.kind {
            _ if !cell.has_value => return Ok(()),
            // Already too long; a shared string repeated often must not fill the memory.
            _ if row.text.len() > self.max_row => return Ok(()),
            Kind::Shared => {
                let text = self
                    .value
                    .trim()
                    .parse()
                    .ok()
                    .and_then(|i| self.strings.get(i))
                    .ok_or_else(|| Finding::damaged("单元格指向不存在的共享文字"))?;
                row.set_cell(index, text);
            }
            Kind::Text => {
                self.text.clear();
                push_unescaped(&mut self.text, &self.value);
                row.set_cell(index, &self.text);
            }
            Kind::Bool => {
                let text = if self.value.trim() == "1" { "TRUE" } else { "FALSE" };
                row.set_cell(index, text);
            }
            Kind::Error => {
                let value: String = self.value.chars().take(20).collect();
                row.findings.push(Finding::cell_error(row.line, index, &value));
                row.set_cell(index, &value);
            }
            Kind::Number => {
                let shown = self.styles.get(cell.style);
                let rendered = render(&self.value, shown, self.date1904);
                if rendered.lossy {
                    row.findings.push(Finding::number_precision(row.line, index));
                }
                row.set_cell(index, &rendered.text);
            }
        }
        Ok(())
    }
}

fn attribute_text<'a>(e: &'a BytesStart<'_>, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    let mut attributes = e.attributes();
    attributes.with_checks(false).flatten().find(|a| a.key.as_ref() == name).map(|a| a.value)
}

/// `AB12` → 27.
fn column_of(reference: &str) -> Option<usize> {
    let mut column = 0usize;
    let mut letters = 0;
    for b in reference.bytes().take_while(u8::is_ascii_alphabetic) {
        column = column * 26 + usize::from(b.to_ascii_uppercase() - b'A') + 1;
        letters += 1;
        if letters > 3 {
            return Some(EXCEL_COLUMNS);
        }
    }
    column.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_columns() {
        assert_eq!(column_of("A1"), Some(0));
        assert_eq!(column_of("AB12"), Some(27));
        assert_eq!(column_of("XFD1"), Some(16_383));
        assert_eq!(column_of("12"), None);
    }
}
