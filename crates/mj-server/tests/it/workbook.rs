//! Workbooks by hand, as no spreadsheet program would write them.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;

/// A cell of a sheet.
pub enum Cell<'a> {
    Text(&'a str),
    /// As a spreadsheet keeps what somebody typed as a number.
    Number(&'a str),
    /// A formula nobody has calculated.
    Formula(&'a str),
}

pub fn row(cells: &[Cell<'_>]) -> String {
    let cells: String = cells
        .iter()
        .map(|cell| match cell {
            Cell::Text(text) => format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>"),
            Cell::Number(number) => format!("<c><v>{number}</v></c>"),
            Cell::Formula(formula) => format!("<c><f>{formula}</f></c>"),
        })
        .collect();
    format!("<row>{cells}</row>")
}

/// One sheet of these rows.
pub fn workbook(rows: &str) -> Vec<u8> {
    let sheet = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
    let book =
        "<workbook xmlns:r=\"r\"><sheets><sheet name=\"S\" r:id=\"rId1\"/></sheets></workbook>";
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [
        ("xl/workbook.xml", book),
        ("xl/worksheets/sheet1.xml", sheet.as_str()),
        ("xl/sharedStrings.xml", "<sst/>"),
    ] {
        zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("a workbook").into_inner()
}
