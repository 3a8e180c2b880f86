//! Stories of delivered files: what a department sends, and what it is told.

mod bad_files;
mod returned;
mod round_trip;
mod text_files;
mod workbooks;

use crate::{Finding, Options, Row, RowBuf, TableError, TableReader};

/// Opens bytes that are a table.
fn open(bytes: impl Into<Vec<u8>>) -> TableReader {
    match TableReader::open_bytes(bytes.into(), &Options::default()) {
        Ok(reader) => reader,
        Err(error) => panic!("refused: {error}"),
    }
}

/// Opens bytes that are no table and says why.
fn refusal(bytes: impl Into<Vec<u8>>) -> Finding {
    refusal_with(bytes, &Options::default())
}

fn refusal_with(bytes: impl Into<Vec<u8>>, options: &Options) -> Finding {
    match TableReader::open_bytes(bytes.into(), options) {
        Ok(reader) => panic!("opened: {reader:?}"),
        Err(TableError::Refused(finding)) => *finding,
        Err(other) => panic!("{other}"),
    }
}

fn rows(reader: &mut TableReader) -> Vec<Row> {
    let mut out = Vec::new();
    let mut row = RowBuf::new();
    while reader.next_into(&mut row).unwrap() {
        out.push(row.to_row());
    }
    out
}

fn texts(row: &Row) -> Vec<&str> {
    row.cells.iter().map(|c| c.as_deref().unwrap_or("")).collect()
}

fn codes(row: &Row) -> Vec<&str> {
    row.findings.iter().map(|f| f.code).collect()
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

fn utf16le(text: &str) -> Vec<u8> {
    let mut out = vec![0xFF, 0xFE];
    out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    out
}
