//! How the digest of a row is computed. Apart from the walk through the tables, because a row written before a column was
//! added must still give the digest it was written with.

use mj_ledger::Hash;

use crate::DbRow;
use crate::db::door::Canon;
use crate::db::{RowExt, Value};
use crate::error::{Error, Result};

/// Columns outside a row's digest, and `version`, which the canonical form adds itself.
pub(super) const OWN: [&str; 4] = ["row_salt", "row_digest", "change_seq", "version"];

/// The columns that hold bytes, all others of business truth being texts and numbers. A digest does not tell bytes from
/// their hexadecimal text, a page does: a value of the other kind is a change.
pub const BYTES: [(&str, &str); 6] = [
    ("blob", "wrapped_key"),
    ("fact_mark", "row_numbers"),
    ("fact_segment", "block_sm3"),
    ("mention", "wording"),
    ("second_factor", "candidate"),
    ("second_factor", "secret"),
];

/// A form, the places of its columns, and what the columns it lacks must hold.
type OlderForm<'a> = (Canon, Vec<usize>, Vec<(usize, &'a Value)>);

/// How the digest of a table's rows is computed: with all its columns, and for rows written before a
/// column was added, without it.
pub(super) struct Form<'a> {
    columns: &'a [String],
    /// Which of them hold bytes.
    bytes: Vec<bool>,
    all: Canon,
    /// Without the last added column, without the last two, …
    older: Vec<OlderForm<'a>>,
}

impl<'a> Form<'a> {
    pub(super) fn new(table: &str, columns: &'a [String], added: &[(&str, &'a Value)]) -> Self {
        let holds_bytes = |column: &String| BYTES.contains(&(table, column.as_str()));
        let names = |places: &[usize]| -> Vec<&str> {
            places.iter().map(|place| columns[*place].as_str()).collect()
        };
        let everything: Vec<usize> = (0..columns.len()).collect();
        let mut older = Vec::new();
        let mut left = everything.clone();
        let mut without = Vec::new();
        for (column, value) in added.iter().rev() {
            let Some(place) = columns.iter().position(|name| name == column) else { continue };
            left.retain(|kept| *kept != place);
            without.push((place, *value));
            older.push((Canon::new(&names(&left)), left.clone(), without.clone()));
        }
        let bytes = columns.iter().map(holds_bytes).collect();
        Self { columns, bytes, all: Canon::new(&names(&everything)), older }
    }

    pub(super) fn digest(&self, row: &DbRow) -> Result<(i64, Hash)> {
        let version = row.int("version")?;
        let salt = row.bytes("row_salt")?;
        let values: Vec<Value> =
            self.columns.iter().map(|column| row.value(column)).collect::<Result<_>>()?;
        let is_of_kind = |(value, bytes): (&Value, &bool)| match value {
            Value::Null => true,
            Value::Bytes(_) => *bytes,
            Value::Int(_) | Value::Text(_) => !*bytes,
        };
        if !values.iter().zip(&self.bytes).all(is_of_kind) {
            return Err(Error::Corrupt("列中的值不是该列的类型".into()));
        }
        let digest = self.all.digest(&salt, &values, version);
        if self.older.is_empty() {
            return Ok((version, digest));
        }
        let stored = row.bytes("row_digest")?;
        if stored == digest {
            return Ok((version, digest));
        }
        for (canon, places, without) in &self.older {
            if without.iter().any(|(place, value)| values[*place] != **value) {
                continue;
            }
            let kept: Vec<Value> = places.iter().map(|place| values[*place].clone()).collect();
            let older = canon.digest(&salt, &kept, version);
            if stored == older {
                return Ok((version, older));
            }
        }
        Ok((version, digest))
    }
}
