//! The department's own sheet, returned with the bad cells marked: same columns, same order, same
//! text, then the row's number in the first delivery and what is wrong with it in words. Mended and
//! uploaded again, our two columns are recognised and left out.

use std::io::{Seek, Write};

use rust_xlsxwriter::{Color, Format, FormatAlign, Note};

use super::sheet::{SheetWriter, clip, header_format, write_text};
use crate::error::TableError;
use crate::{ORIGINAL_ROW_COLUMN, PROBLEM_COLUMN};

/// One thing that is wrong with a row.
#[derive(Debug, Clone, Copy)]
pub struct Mark<'a> {
    /// Index in the header; none when the whole row is to blame.
    pub column: Option<usize>,
    pub reason: &'a str,
    pub remedy: &'a str,
    /// Wrong (red) or only remarkable (yellow).
    pub refuses: bool,
}

/// A row of the department's sheet with its marks.
#[derive(Debug, Clone, Copy)]
pub struct MarkedRow<'a> {
    /// Row number in the delivered file, counted from 1 without the header.
    pub row: u64,
    pub cells: &'a [Option<&'a str>],
    pub marks: &'a [Mark<'a>],
}

/// Comments make a workbook slow to open; beyond this many the words in the last column must do.
const MAX_NOTES: usize = 20_000;
const NOTE_UNITS: usize = 2_000;

/// Streams marked rows into a workbook.
pub struct MarkedSheet {
    inner: SheetWriter,
    header: Vec<String>,
    wrong: Format,
    remarkable: Format,
    words: Format,
    notes: usize,
}

impl MarkedSheet {
    /// `header`: the columns of the delivered file, in its order.
    pub fn new(sheet_name: &str, header: &[String]) -> Result<Self, TableError> {
        let titles = header.iter().map(String::as_str).chain([ORIGINAL_ROW_COLUMN, PROBLEM_COLUMN]);
        let mut inner = SheetWriter::new(sheet_name, titles)?;
        let last = u16::try_from(header.len() + 1)
            .map_err(|_| TableError::Workbook("列数超过工作表的上限".to_owned()))?;
        let ours = header_format().set_font_color(Color::RGB(0x667085));
        let sheet = inner.workbook.worksheet_from_index(0)?;
        sheet.set_column_width(last, 80)?;
        sheet.write_string_with_format(0, last - 1, ORIGINAL_ROW_COLUMN, &ours)?;
        sheet.write_string_with_format(0, last, PROBLEM_COLUMN, &ours)?;
        let text = Format::new().set_num_format("@");
        Ok(MarkedSheet {
            inner,
            header: header.to_vec(),
            wrong: text
                .clone()
                .set_background_color(Color::RGB(0xFAD1CF))
                .set_font_color(Color::RGB(0x912018)),
            remarkable: text.clone().set_background_color(Color::RGB(0xFEF0C7)),
            words: text.set_align(FormatAlign::Left),
            notes: 0,
        })
    }

    /// Appends a row. Cells beyond the header are told in words, they have no column to stand in.
    pub fn push(&mut self, row: &MarkedRow<'_>) -> Result<(), TableError> {
        let Some(at) = self.inner.take_row() else {
            return Ok(());
        };
        let width = self.header.len();
        let sheet = self.inner.workbook.worksheet_from_index(0)?;
        for (column, index) in (0u16..).zip(0..width) {
            let cell = row.cells.get(index).copied().flatten();
            let mut marks = row.marks.iter().filter(|m| m.column == Some(index)).peekable();
            if marks.peek().is_none() {
                write_text(sheet, at, column, cell, &self.inner.text)?;
                continue;
            }
            let wrong = row.marks.iter().any(|m| m.column == Some(index) && m.refuses);
            let format = if wrong { &self.wrong } else { &self.remarkable };
            match cell {
                Some(_) => write_text(sheet, at, column, cell, format)?,
                None => {
                    sheet.write_blank(at, column, format)?;
                }
            }
            if self.notes < MAX_NOTES {
                let mut text = String::new();
                for mark in marks {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    push_mark(&mut text, mark);
                }
                let note =
                    Note::new(clip(&text, NOTE_UNITS)).add_author_prefix(false).set_width(320);
                sheet.insert_note(at, column, &note)?;
                self.notes += 1;
            }
        }
        let mut words = String::new();
        for mark in row.marks {
            if !words.is_empty() {
                words.push('\n');
            }
            if let Some(title) = mark.column.and_then(|c| self.header.get(c)) {
                words.push_str(title);
                words.push('：');
            }
            push_mark(&mut words, mark);
        }
        for (index, cell) in row.cells.iter().enumerate().skip(width) {
            if let Some(text) = cell {
                words.push_str(&format!("\n多出的第 {} 格：{text}", index + 1));
            }
        }
        let last = width as u16 + 1;
        let number = row.row.to_string();
        write_text(sheet, at, last - 1, Some(&number), &self.inner.text)?;
        write_text(sheet, at, last, Some(&words), &self.words)
    }

    /// Rows that found no room in the sheet.
    pub fn omitted(&self) -> u64 {
        self.inner.omitted()
    }

    pub fn finish<W: Write + Seek + Send>(self, out: W) -> Result<(), TableError> {
        self.inner.finish(out)
    }
}

fn push_mark(out: &mut String, mark: &Mark<'_>) {
    out.push_str(mark.reason);
    if !mark.remedy.is_empty() {
        if !mark.reason.ends_with(['。', '；']) {
            out.push('。');
        }
        out.push_str("改法：");
        out.push_str(mark.remedy);
    }
}
