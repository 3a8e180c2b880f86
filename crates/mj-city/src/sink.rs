//! Delivered files in the shapes departments send: CSV in UTF-8 or GB18030, sheets, JSON lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use mj_standard::Table;
use mj_tabular::{CsvEncoding, CsvWriter, SheetWriter};

use crate::CityError;
use crate::draft::Draft;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    CsvUtf8,
    CsvBom,
    CsvGb18030,
    Xlsx,
    Jsonl,
}

impl Shape {
    pub fn format(self) -> &'static str {
        match self {
            Shape::Xlsx => "xlsx",
            Shape::Jsonl => "jsonl",
            _ => "csv",
        }
    }

    pub fn encoding(self) -> &'static str {
        match self {
            Shape::CsvUtf8 | Shape::Jsonl => "utf-8",
            Shape::CsvBom => "utf-8-bom",
            Shape::CsvGb18030 => "gb18030",
            Shape::Xlsx => "",
        }
    }
}

enum Writer {
    Csv(CsvWriter<BufWriter<File>>),
    Sheet(Box<SheetWriter>, File),
    Json(BufWriter<File>),
}

/// One open file: which columns it carries and under which names.
pub(crate) struct Sink {
    writer: Writer,
    columns: Vec<usize>,
    carried: Vec<bool>,
    names: Vec<String>,
    pub rows: u64,
}

impl Sink {
    pub fn create(
        path: &Path,
        table: &Table,
        shape: Shape,
        titles: bool,
        columns: Vec<usize>,
    ) -> Result<Self, CityError> {
        let file =
            File::create(path).map_err(|source| CityError::Io { path: path.to_owned(), source })?;
        let names: Vec<String> = columns
            .iter()
            .map(|&at| {
                let column = &table.columns[at];
                if titles { column.title.clone() } else { column.name.clone() }
            })
            .collect();
        let csv = |file, encoding| -> Result<Writer, CityError> {
            let mut csv = CsvWriter::new(BufWriter::with_capacity(1 << 16, file), encoding);
            csv.write_row(names.iter().map(|name| Some(name.as_str())))?;
            Ok(Writer::Csv(csv))
        };
        let writer = match shape {
            Shape::CsvUtf8 => csv(file, CsvEncoding::Utf8)?,
            Shape::CsvBom => csv(file, CsvEncoding::Utf8Bom)?,
            Shape::CsvGb18030 => csv(file, CsvEncoding::Gb18030)?,
            Shape::Xlsx => {
                let sheet = SheetWriter::new(&table.title, names.iter().map(String::as_str))?;
                Writer::Sheet(Box::new(sheet), file)
            }
            Shape::Jsonl => Writer::Json(BufWriter::with_capacity(1 << 16, file)),
        };
        let mut carried = vec![false; table.columns.len()];
        for &at in &columns {
            carried[at] = true;
        }
        Ok(Self { writer, columns, carried, names, rows: 0 })
    }

    pub fn carries(&self, column: usize) -> bool {
        self.carried[column]
    }

    /// Writes a row and returns its number.
    pub fn push(&mut self, row: &Draft) -> Result<u64, CityError> {
        let cells = self.columns.iter().map(|&at| row.cells[at].as_deref());
        match &mut self.writer {
            Writer::Csv(csv) => csv.write_row(cells)?,
            Writer::Sheet(sheet, _) => sheet.push(cells)?,
            Writer::Json(out) => {
                out.write_all(b"{")?;
                let mut first = true;
                for (name, cell) in self.names.iter().zip(cells) {
                    let Some(cell) = cell else { continue };
                    if !first {
                        out.write_all(b",")?;
                    }
                    first = false;
                    serde_json::to_writer(&mut *out, name)?;
                    out.write_all(b":")?;
                    serde_json::to_writer(&mut *out, cell)?;
                }
                out.write_all(b"}\n")?;
            }
        }
        self.rows += 1;
        Ok(self.rows)
    }

    pub fn finish(self) -> Result<u64, CityError> {
        match self.writer {
            Writer::Csv(csv) => {
                csv.finish()?;
            }
            Writer::Sheet(sheet, file) => sheet.finish(BufWriter::new(file))?,
            Writer::Json(mut out) => out.flush()?,
        }
        Ok(self.rows)
    }
}
