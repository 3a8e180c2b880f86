//! Plain workbooks of text cells: results, extracts, and the templates departments fill in. Every
//! cell is written as text in the text format, so codes keep their zeros and formulas stay words.

use std::io::{Seek, Write};

use rust_xlsxwriter::{
    Color, DataValidation, Format, FormatAlign, FormatBorder, Note, Workbook, Worksheet,
};

use crate::error::TableError;

/// What one sheet can hold, its header included.
pub(super) const SHEET_ROWS: u32 = 1_048_576;
/// Characters of one cell (UTF-16 units).
const CELL_UNITS: usize = 32_767;

/// Streams rows of text into a workbook with one sheet.
pub struct SheetWriter {
    pub(super) workbook: Workbook,
    pub(super) next: u32,
    pub(super) text: Format,
    omitted: u64,
}

impl SheetWriter {
    /// `header` in order; widths follow the titles.
    pub fn new<'a>(
        sheet_name: &str,
        header: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, TableError> {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(safe_sheet_name(sheet_name))?;
        sheet.set_freeze_panes(1, 0)?;
        let bold = header_format();
        for (column, title) in (0u16..).zip(header) {
            sheet.set_column_width(column, title_width(title))?;
            sheet.write_string_with_format(0, column, title, &bold)?;
        }
        Ok(SheetWriter { workbook, next: 1, text: Format::new().set_num_format("@"), omitted: 0 })
    }

    /// Appends a row. A sheet holds 1,048,576 rows; what is beyond is counted, not written.
    pub fn push<'a>(
        &mut self,
        cells: impl IntoIterator<Item = Option<&'a str>>,
    ) -> Result<(), TableError> {
        let Some(row) = self.take_row() else {
            return Ok(());
        };
        let sheet = self.workbook.worksheet_from_index(0)?;
        for (column, cell) in (0u16..).zip(cells) {
            write_text(sheet, row, column, cell, &self.text)?;
        }
        Ok(())
    }

    /// Rows that found no room in the sheet.
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    pub fn finish<W: Write + Seek + Send>(mut self, out: W) -> Result<(), TableError> {
        self.workbook.save_to_writer(out)?;
        Ok(())
    }

    /// Number of the next row of the sheet, or none when it is full.
    pub(super) fn take_row(&mut self) -> Option<u32> {
        if self.next == SHEET_ROWS {
            self.omitted += 1;
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }
}

pub(super) fn header_format() -> Format {
    Format::new()
        .set_bold()
        .set_num_format("@")
        .set_background_color(Color::RGB(0xE8EEF7))
        .set_border_bottom(FormatBorder::Thin)
        .set_align(FormatAlign::VerticalCenter)
}

pub(super) fn write_text(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    cell: Option<&str>,
    format: &Format,
) -> Result<(), TableError> {
    match cell {
        Some(text) if !text.is_empty() => {
            sheet.write_string_with_format(row, column, clip(text, CELL_UNITS), format)?;
        }
        _ => {}
    }
    Ok(())
}

/// At most `units` UTF-16 units of the text.
pub(super) fn clip(text: &str, units: usize) -> &str {
    if text.len() <= units {
        return text;
    }
    let mut left = units;
    for (at, c) in text.char_indices() {
        if c.len_utf16() > left {
            return &text[..at];
        }
        left -= c.len_utf16();
    }
    text
}

/// Excel forbids some characters in the name of a sheet and more than 31 of them.
fn safe_sheet_name(name: &str) -> String {
    let safe: String =
        name.chars().filter(|c| !"[]:*?/\\'".contains(*c) && !c.is_control()).take(31).collect();
    if safe.trim().is_empty() { "数据".to_owned() } else { safe }
}

/// A column as wide as its title, a Chinese character counting double.
fn title_width(title: &str) -> f64 {
    let units: usize = title.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
    (units as f64 + 4.0).clamp(12.0, 40.0)
}

/// One column of a template.
#[derive(Debug, Clone, Default)]
pub struct TemplateColumn {
    pub title: String,
    /// Shown as a comment at the title: what to fill in, an example.
    pub note: String,
    pub required: bool,
    /// Allowed values, offered as a list when Excel has room for them.
    pub choices: Vec<String>,
}

/// Writes an empty table to fill in: titles with comments, required ones marked by colour, lists to
/// choose from, every column in text format.
pub fn template_sheet<W: Write + Seek + Send>(
    out: W,
    sheet_name: &str,
    columns: &[TemplateColumn],
) -> Result<(), TableError> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.set_name(safe_sheet_name(sheet_name))?;
    sheet.set_freeze_panes(1, 0)?;
    let optional = header_format();
    let required = header_format().set_font_color(Color::RGB(0xB42318));
    let text = Format::new().set_num_format("@");
    for (index, column) in (0u16..).zip(columns) {
        sheet.set_column_width(index, title_width(&column.title))?;
        sheet.set_column_format(index, &text)?;
        let format = if column.required { &required } else { &optional };
        sheet.write_string_with_format(0, index, &column.title, format)?;
        if !column.note.is_empty() {
            let note = Note::new(clip(&column.note, 2000)).add_author_prefix(false);
            sheet.insert_note(0, index, &note)?;
        }
        // Excel takes a list of at most 255 characters.
        let length: usize = column.choices.iter().map(|c| c.chars().count() + 1).sum();
        if !column.choices.is_empty() && length <= 255 {
            let list = DataValidation::new().allow_list_strings(&column.choices)?;
            sheet.add_data_validation(1, index, SHEET_ROWS - 1, index, &list)?;
        }
    }
    workbook.save_to_writer(out)?;
    Ok(())
}
