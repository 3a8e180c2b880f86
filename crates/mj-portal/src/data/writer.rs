//! Both files of a dataset, written side by side with their sizes and digests while the rows pass
//! through. Blocking: used off the async threads.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use mj_tabular::{CsvEncoding, CsvWriter};
use sha2::{Digest, Sha256};

use super::{Column, FileEntry};

/// Counts and digests what goes into a file.
struct Measured {
    out: BufWriter<File>,
    sha256: Sha256,
    bytes: i64,
}

impl Measured {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(File::create(path)?), sha256: Sha256::new(), bytes: 0 })
    }

    fn finish(self, file: String) -> io::Result<FileEntry> {
        let out = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        mj_platform::durable::sync(&out)?;
        Ok(FileEntry { file, bytes: self.bytes, sha256: hex::encode(self.sha256.finalize()) })
    }
}

impl Write for Measured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.sha256.update(bytes);
        self.bytes += bytes.len() as i64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The two files while they are being written.
pub struct Pair {
    names: [String; 2],
    folder: PathBuf,
    columns: &'static [Column],
    csv: CsvWriter<Measured>,
    json: Measured,
    pub rows: i64,
}

/// What the JSON file says of itself before its rows.
pub struct Head<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub built_at: &'a str,
    pub licence: &'a str,
}

impl Pair {
    /// `stamp` makes the names new, so that whoever is reading the old files goes on reading them.
    pub fn create(
        folder: &Path,
        stamp: i64,
        head: &Head<'_>,
        columns: &'static [Column],
    ) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let names = [format!("{}-{stamp}.csv", head.id), format!("{}-{stamp}.json", head.id)];
        let mut csv =
            CsvWriter::new(Measured::create(&folder.join(&names[0]))?, CsvEncoding::Utf8Bom);
        csv.write_row(columns.iter().map(|column| Some(column.name)))?;
        let mut json = Measured::create(&folder.join(&names[1]))?;
        let fields: Vec<serde_json::Value> = columns
            .iter()
            .map(|column| serde_json::json!({"name": column.name, "title": column.title}))
            .collect();
        let own = serde_json::json!({
            "dataset": head.id, "title": head.title, "data_time": head.built_at,
            "licence": head.licence, "fields": fields,
        });
        // the object stays open for its rows
        let own = own.to_string();
        write!(json, "{},\"rows\":[", own.trim_end_matches('}'))?;
        Ok(Self { names, folder: folder.to_owned(), columns, csv, json, rows: 0 })
    }

    /// One row, its values in the order of the columns.
    pub fn row(&mut self, values: &[Option<String>]) -> io::Result<()> {
        self.csv.write_row(values.iter().map(Option::as_deref))?;
        let object: serde_json::Map<String, serde_json::Value> = self
            .columns
            .iter()
            .zip(values)
            .map(|(column, value)| (column.name.to_owned(), value.clone().into()))
            .collect();
        let comma = if self.rows == 0 { "" } else { "," };
        write!(self.json, "{comma}\n{}", serde_json::Value::Object(object))?;
        self.rows += 1;
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<(FileEntry, FileEntry)> {
        write!(self.json, "\n]}}\n")?;
        let [csv_name, json_name] = self.names;
        let csv = self.csv.finish()?.finish(csv_name)?;
        let json = self.json.finish(json_name)?;
        File::open(&self.folder).and_then(|folder| mj_platform::durable::sync(&folder))?;
        Ok((csv, json))
    }
}
