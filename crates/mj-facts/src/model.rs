//! What goes into the fact store and what comes out: plain records, no Arrow type.

use std::borrow::Cow;
use std::collections::BTreeSet;

use mj_kernel::Instant;

/// A position in the one line of commits. A state of the store is a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pos(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Latest,
    Pos(Pos),
}

/// `segment << 32 | row`; hot rows have segment 0. Not stable across flush and compaction: keep the
/// record key, not this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

impl RowId {
    pub(crate) fn new(segment: u32, row: u32) -> Self {
        Self(i64::from(segment) << 32 | i64::from(row))
    }

    pub fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub fn row(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }
}

/// What a row asks for: `i` and `u` both mean "this is the record now".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    Upsert,
    Delete,
}

impl Op {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Op::Upsert => "u",
            Op::Delete => "d",
        }
    }

    pub(crate) fn parse(name: &str) -> Op {
        if name == "d" { Op::Delete } else { Op::Upsert }
    }
}

/// How a column is stored. A value that is not in the kind's canonical form (an integer with a
/// leading zero, `2024/1/5`) is kept as text beside the column, so reading gives back what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    Text,
    Int,
    Date,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSpec {
    pub name: String,
    pub kind: ColumnKind,
    /// Nearly every value differs (numbers of documents, sealed values): no dictionary is tried.
    pub distinct: bool,
    /// Codes of supervision items, joined by `;`: scopes look at their lines.
    pub items: bool,
}

impl ColumnSpec {
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind, distinct: false, items: false }
    }

    pub fn text(name: impl Into<String>) -> Self {
        Self::new(name, ColumnKind::Text)
    }

    pub fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    pub fn of_items(mut self) -> Self {
        self.items = true;
        self
    }
}

/// One table as its caller describes it. The envelope (`cd_source`, `cd_id`, `cd_time`, operation)
/// is in every row of every table and must not be repeated as a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    pub name: String,
    pub standard_version: String,
    pub columns: Vec<ColumnSpec>,
}

impl TableSpec {
    /// The place of the column that names the items a row is about, in tables that have one.
    pub(crate) fn items(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.items)
    }
}

/// The lines of a row's items, as scopes look at them: each once, in order, joined by `;`.
pub(crate) fn item_lines(codes: &str) -> Cow<'_, str> {
    if !codes.contains(';') {
        return mj_kernel::lines_of_items(codes).next().unwrap_or_default().into();
    }
    let lines: BTreeSet<&str> = mj_kernel::lines_of_items(codes).collect();
    lines.into_iter().collect::<Vec<_>>().join(";").into()
}

/// One delivered row on its way in. `values` stand in the order of `TableSpec::columns`; personal
/// values are sealed texts already.
#[derive(Debug, Clone, Copy)]
pub struct FactIn<'a, V: AsRef<str> = &'a str> {
    pub cd_source: &'a str,
    pub cd_id: &'a str,
    pub cd_time: Instant,
    pub op: Op,
    pub mention: Option<i64>,
    /// Subject, item, date … joined by the caller; rows with equal ones are the same behaviour.
    pub business_key: Option<&'a str>,
    /// Keyed hash over the row's business values in clear: equal means nothing changed.
    pub content: u128,
    pub area: Option<&'a str>,
    /// The body that acted, by code; scopes look at it.
    pub agency: Option<&'a str>,
    /// Days since 1970-01-01.
    pub event_date: Option<i32>,
    pub values: &'a [Option<V>],
    /// JSON of raw values that normalisation changed.
    pub norm: Option<&'a str>,
    /// Number of the row in what was delivered.
    pub row: u32,
}

/// What a row counted as once its load was settled. It never changes, whatever later loads bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    Correct,
    /// Same content as the record has (not stored), or another record was being shown for the
    /// same business key (stored; the smaller record key is shown).
    Duplicate,
    /// Older than the record is, or replaced by a newer version in the same load (stored, never
    /// visible).
    Superseded,
}

/// What a commit did; `correct + duplicate + superseded` is the number of rows that went in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    pub pos: Pos,
    pub correct: u64,
    pub duplicate: u64,
    pub superseded: u64,
    /// Delivery rows that were not `Correct`, in order of arrival.
    pub others: Vec<(u32, Fate)>,
}

impl Receipt {
    pub fn rows(&self) -> u64 {
        self.correct + self.duplicate + self.superseded
    }
}

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactRow {
    pub row: RowId,
    pub cd_source: String,
    pub cd_id: String,
    /// The newest time at which the source gave this content.
    pub cd_time: Instant,
    pub op: Op,
    /// The position at which the row came.
    pub at: Pos,
    pub mention: Option<i64>,
    pub area: Option<String>,
    pub agency: Option<String>,
    pub event_date: Option<i32>,
    pub batch: String,
    /// Number of the row in what was delivered.
    pub delivery_row: u32,
    pub norm: Option<String>,
    /// In the order of the columns asked for.
    pub values: Vec<Option<String>>,
}

/// One line of a timeline: enough to sort, to link and to fetch the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactLine {
    pub row: RowId,
    pub mention: i64,
    pub event_date: Option<i32>,
    pub area: Option<String>,
    pub agency: Option<String>,
    pub cd_source: String,
    pub cd_id: String,
    pub at: Pos,
}

/// One stored version of a record, `hidden` if another record stood for the same business key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub fact: FactRow,
    /// From which position on it no longer counted.
    pub to: Option<Pos>,
    pub hidden: bool,
}

/// How closely [`crate::FactStore::verify`] looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Files are there and have their length; rows of every commit are all there.
    Counts,
    /// And files have their digest.
    Digests,
}

/// Something `verify` found wrong, in words for the person who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub table: String,
    pub object: String,
    pub what: String,
}

/// Sentinels of the stored form: the database's portable SQL knows no typed NULL.
pub(crate) const NO_MENTION: i64 = i64::MIN;
pub(crate) const NO_DATE: i32 = i32::MIN;
