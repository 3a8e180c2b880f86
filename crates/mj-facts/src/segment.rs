//! Writing segments: runs of rows become sorted row groups of Parquet files, digested on the way.
//!
//! A file is sorted within each row group, not as a whole: a run is what fits into memory, and
//! compaction sorts the rest. Positions are not known while a load is written, so `_at` is null in
//! its files and means "the position of the commit that brought the segment".

use std::io::Write;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::builder::{Date32Builder, Int64Builder, StringBuilder};
use arrow_array::{
    ArrayRef, Date32Array, FixedSizeBinaryArray, Int64Array, RecordBatch,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_select::take::take;
use mj_platform::gm::Sm3;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::disk::{Disk, WriteFile};
use crate::error::{Error, Result};
use crate::hash::{BusinessKey, business_to_bytes};
use crate::index::Words;
use crate::model::{ColumnKind, NO_DATE, NO_MENTION, Op, RowId, TableSpec};

pub(crate) const FORMAT: i64 = 1;
/// Rows of a row group, and of a run at most.
pub(crate) const GROUP_ROWS: usize = 131_072;
/// Rows of a segment, about.
const SEGMENT_ROWS: u32 = 1 << 20;
/// A run is also cut by what it weighs.
pub(crate) const RUN_BYTES: usize = 64 << 20;
pub(crate) const BLOCK: usize = 64 << 10;

pub(crate) fn path(table: &str, number: u32) -> String {
    format!("{table}/{number:012x}.parquet")
}

pub(crate) fn schema(spec: &TableSpec) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new("cd_source", DataType::Utf8, false),
        Field::new("cd_id", DataType::Utf8, false),
        Field::new("cd_time", time, false),
        Field::new("_rid", DataType::Int64, false),
        Field::new("_at", DataType::Int64, true),
        Field::new("_to", DataType::Int64, true),
        Field::new("_op", DataType::Utf8, false),
        Field::new("_mention", DataType::Int64, true),
        Field::new("_area", DataType::Utf8, true),
        Field::new("_agency", DataType::Utf8, true),
        Field::new("_date", DataType::Date32, true),
        Field::new("_batch", DataType::Utf8, false),
        Field::new("_row", DataType::Int64, false),
        Field::new("_norm", DataType::Utf8, true),
        Field::new("_raw", DataType::Utf8, true),
        Field::new("_business", DataType::FixedSizeBinary(12), false),
        Field::new("_content", DataType::Int64, false),
    ];
    fields.extend(spec.columns.iter().map(|column| {
        let kind = match column.kind {
            ColumnKind::Text => DataType::Utf8,
            ColumnKind::Int => DataType::Int64,
            ColumnKind::Date => DataType::Date32,
        };
        Field::new(&column.name, kind, true)
    }));
    Arc::new(Schema::new(fields))
}

fn properties(spec: &TableSpec) -> WriterProperties {
    let path = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_key_value_metadata(Some(vec![
            KeyValue::new("mj.table".to_owned(), spec.name.clone()),
            KeyValue::new("mj.standard".to_owned(), spec.standard_version.clone()),
            KeyValue::new("mj.format".to_owned(), FORMAT.to_string()),
        ]));
    for name in ["_area", "_date", "_mention", "_at", "cd_time"] {
        properties = properties.set_column_statistics_enabled(path(name), EnabledStatistics::Chunk);
    }
    for name in ["_rid", "_at", "_to", "_row"] {
        properties = properties
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED);
    }
    for name in ["_business", "_content"] {
        properties = properties
            .set_column_dictionary_enabled(path(name), false)
            .set_column_compression(path(name), Compression::UNCOMPRESSED);
    }
    for name in ["cd_id", "_norm", "_raw"] {
        properties = properties.set_column_dictionary_enabled(path(name), false);
    }
    for column in spec.columns.iter().filter(|column| column.distinct) {
        properties = properties.set_column_dictionary_enabled(path(&column.name), false);
    }
    properties.build()
}

enum Builder {
    Text(StringBuilder),
    Int(Int64Builder),
    Date(Date32Builder),
}

impl Builder {
    fn new(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Text => Builder::Text(StringBuilder::new()),
            ColumnKind::Int => Builder::Int(Int64Builder::new()),
            ColumnKind::Date => Builder::Date(Date32Builder::new()),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Text(builder) => finish_text(builder),
            Builder::Int(builder) => Arc::new(builder.finish()),
            Builder::Date(builder) => Arc::new(builder.finish()),
        }
    }
}

/// The next run will be about as large: growing step by step copies everything twice.
fn finish_text(builder: &mut StringBuilder) -> ArrayRef {
    let (rows, bytes) = (builder.offsets_slice().len(), builder.values_slice().len());
    let room = StringBuilder::with_capacity(rows + rows / 16, bytes + bytes / 16);
    Arc::new(std::mem::replace(builder, room).finish())
}

/// What a row has beside its values; words are numbers in the run's words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunRow {
    pub(crate) cd_time: i64,
    pub(crate) content: u64,
    pub(crate) business: BusinessKey,
    pub(crate) op: Op,
    pub(crate) mention: i64,
    pub(crate) date: i32,
    pub(crate) area: u32,
    pub(crate) agency: u32,
    pub(crate) source: u32,
    pub(crate) batch: u32,
    pub(crate) delivery_row: u32,
    /// 0 where unknown
    pub(crate) at: u64,
    pub(crate) to: u64,
}

/// Rows gathered in order of arrival.
pub(crate) struct RunBuilder {
    builders: Vec<Builder>,
    names: Vec<String>,
    rows: Vec<RunRow>,
    cd_id: StringBuilder,
    norm: StringBuilder,
    raw: StringBuilder,
    bytes: usize,
}

/// A run on its way to the disk.
pub(crate) struct Run {
    columns: Vec<ArrayRef>,
    rows: Vec<RunRow>,
    cd_id: ArrayRef,
    norm: ArrayRef,
    raw: ArrayRef,
    words: Vec<Arc<str>>,
}

impl RunBuilder {
    pub(crate) fn new(spec: &TableSpec) -> Self {
        Self {
            builders: spec.columns.iter().map(|column| Builder::new(column.kind)).collect(),
            names: spec.columns.iter().map(|column| column.name.clone()).collect(),
            rows: Vec::new(),
            cd_id: StringBuilder::new(),
            norm: StringBuilder::new(),
            raw: StringBuilder::new(),
            bytes: 0,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= GROUP_ROWS || self.bytes >= RUN_BYTES
    }

    pub(crate) fn push<'v>(
        &mut self,
        row: RunRow,
        cd_id: &str,
        norm: Option<&str>,
        values: impl Iterator<Item = Option<&'v str>>,
    ) {
        let mut raw = serde_json::Map::new();
        for ((builder, name), value) in self.builders.iter_mut().zip(&self.names).zip(values) {
            self.bytes += 4 + value.map_or(0, str::len);
            match builder {
                Builder::Text(builder) => match value {
                    Some(text) => builder.append_value(text),
                    None => builder.append_null(),
                },
                Builder::Int(builder) => {
                    let number = value.and_then(canonical_int);
                    builder.append_option(number);
                    keep_raw(&mut raw, name, value, number.is_some());
                }
                Builder::Date(builder) => {
                    let day = value.and_then(canonical_date);
                    builder.append_option(day);
                    keep_raw(&mut raw, name, value, day.is_some());
                }
            }
        }
        self.bytes += size_of::<RunRow>() + cd_id.len() + norm.map_or(0, str::len);
        self.rows.push(row);
        self.cd_id.append_value(cd_id);
        self.norm.append_option(norm);
        let raw = (!raw.is_empty()).then(|| serde_json::Value::Object(raw).to_string());
        self.raw.append_option(raw);
    }

    pub(crate) fn finish(&mut self, words: &Words) -> Run {
        self.bytes = 0;
        Run {
            columns: self.builders.iter_mut().map(Builder::finish).collect(),
            rows: std::mem::take(&mut self.rows),
            cd_id: finish_text(&mut self.cd_id),
            norm: finish_text(&mut self.norm),
            raw: finish_text(&mut self.raw),
            words: words.all().to_vec(),
        }
    }
}

fn keep_raw(
    raw: &mut serde_json::Map<String, serde_json::Value>,
    name: &str,
    value: Option<&str>,
    typed: bool,
) {
    if let Some(text) = value
        && !typed
    {
        raw.insert(name.to_owned(), text.into());
    }
}

/// The number, if writing it again gives the same text.
fn canonical_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let leading = digits.starts_with('0') && text != "0";
    if !plain || leading { None } else { text.parse().ok() }
}

/// Days since 1970 of `YYYY-MM-DD`, if it is a day.
fn canonical_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |part: &[u8]| {
        part.iter().try_fold(0_i32, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + i32::from(byte - b'0'))
        })
    };
    let (year, month, day) = (number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..])?);
    if !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    let days = days_of(year, month, day);
    // 31 February comes back as another day
    (civil(days) == (year, month, day)).then_some(days)
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's algorithm).
fn days_of(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of so many days since 1970-01-01.
fn civil(days: i32) -> (i32, i32, i32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i32::from(month <= 2), month, day)
}

pub(crate) fn date_text(days: i32) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

impl Run {
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Row numbers in the order of the file: area, event date, mention.
    fn order(&self) -> Vec<u32> {
        let mut ranks: Vec<u32> = (0..self.words.len() as u32).collect();
        ranks.sort_unstable_by_key(|word| &self.words[*word as usize]);
        let mut rank_of = vec![0_u32; ranks.len()];
        for (rank, word) in ranks.into_iter().enumerate() {
            rank_of[word as usize] = rank as u32;
        }
        let mut order: Vec<u32> = (0..self.rows.len() as u32).collect();
        order.sort_unstable_by_key(|number| {
            let row = &self.rows[*number as usize];
            (rank_of[row.area as usize], row.date, row.mention, *number)
        });
        order
    }

    /// The rows in file order as one batch; values of unsorted columns are freed one by one.
    fn into_batch(
        self,
        order: Vec<u32>,
        schema: &SchemaRef,
        number: u32,
        base: u32,
    ) -> Result<RecordBatch> {
        let indices = UInt32Array::from(order);
        let order = indices.values();
        let rows = &self.rows;
        let words = &self.words;
        let sorted = || order.iter().map(|number| &rows[*number as usize]);
        let texts = |of: fn(&RunRow) -> u32, optional: bool| -> ArrayRef {
            let mut builder = StringBuilder::with_capacity(rows.len(), rows.len() * 12);
            for row in sorted() {
                match of(row) {
                    0 if optional => builder.append_null(),
                    word => builder.append_value(&words[word as usize]),
                }
            }
            Arc::new(builder.finish())
        };
        let numbers = |of: fn(&RunRow) -> Option<i64>| -> ArrayRef {
            Arc::new(sorted().map(of).collect::<Int64Array>())
        };
        let position = |pos: u64| (pos != 0).then_some(pos as i64);
        let failed = |cause: arrow_schema::ArrowError| Error::Segment {
            segment: number,
            reason: cause.to_string(),
        };
        let pick = |column: ArrayRef| take(&column, &indices, None).map_err(failed);
        let business = FixedSizeBinaryArray::try_from_iter(
            sorted().map(|row| business_to_bytes(row.business)),
        )
        .map_err(failed)?;
        let rid = (0..rows.len() as u32).map(|row| RowId::new(number, base + row).0);
        let ops = sorted().map(|row| Some(row.op.name())).collect::<arrow_array::StringArray>();
        let mut columns: Vec<ArrayRef> = vec![
            texts(|row| row.source, false),
            pick(self.cd_id)?,
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(sorted().map(|row| row.cd_time))
                    .with_timezone("UTC"),
            ),
            Arc::new(Int64Array::from_iter_values(rid)),
            Arc::new(sorted().map(|row| position(row.at)).collect::<Int64Array>()),
            Arc::new(sorted().map(|row| position(row.to)).collect::<Int64Array>()),
            Arc::new(ops),
            numbers(|row| (row.mention != NO_MENTION).then_some(row.mention)),
            texts(|row| row.area, true),
            texts(|row| row.agency, true),
            Arc::new(
                sorted()
                    .map(|row| (row.date != NO_DATE).then_some(row.date))
                    .collect::<Date32Array>(),
            ),
            texts(|row| row.batch, false),
            numbers(|row| Some(i64::from(row.delivery_row))),
            pick(self.norm)?,
            pick(self.raw)?,
            Arc::new(business),
            numbers(|row| Some(row.content as i64)),
        ];
        for column in self.columns {
            columns.push(pick(column)?);
        }
        RecordBatch::try_new(schema.clone(), columns).map_err(failed)
    }
}

/// Digests what passes: the whole file and each 64 KiB block.
struct DigestWriter {
    file: Box<dyn WriteFile>,
    whole: Sm3,
    block: Sm3,
    in_block: usize,
    blocks: Vec<u8>,
    bytes: u64,
    pending: Vec<u8>,
}

impl DigestWriter {
    fn new(file: Box<dyn WriteFile>) -> Self {
        Self {
            file,
            whole: Sm3::new(),
            block: Sm3::new(),
            in_block: 0,
            blocks: Vec::new(),
            bytes: 0,
            pending: Vec::with_capacity(1 << 20),
        }
    }

    fn write_out(&mut self) -> std::io::Result<()> {
        let mut pending = std::mem::take(&mut self.pending);
        self.file.write_all(&pending)?;
        let mut rest = &pending[..];
        self.whole.update(rest);
        self.bytes += rest.len() as u64;
        while !rest.is_empty() {
            let (part, later) = rest.split_at(rest.len().min(BLOCK - self.in_block));
            self.block.update(part);
            self.in_block += part.len();
            if self.in_block == BLOCK {
                self.end_block();
            }
            rest = later;
        }
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    fn end_block(&mut self) {
        let block = std::mem::replace(&mut self.block, Sm3::new());
        self.blocks.extend_from_slice(&block.finish());
        self.in_block = 0;
    }
}

impl Write for DigestWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= 1 << 20 {
            self.write_out()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A finished, durable file.
#[derive(Debug, Clone)]
pub(crate) struct SegmentDone {
    pub(crate) number: u32,
    pub(crate) rows: u32,
    pub(crate) bytes: u64,
    pub(crate) sm3: [u8; 32],
    pub(crate) blocks: Vec<u8>,
    pub(crate) min_date: i32,
    pub(crate) max_date: i32,
}

/// Where a run's rows went: its `order[i]`-th row is row `base + i` of segment `seg` of the load.
#[derive(Debug)]
pub(crate) struct RunPlace {
    pub(crate) seg: u16,
    pub(crate) base: u32,
    pub(crate) order: Vec<u32>,
}

struct Open {
    number: u32,
    rows: u32,
    dates: Option<(i32, i32)>,
    writer: ArrowWriter<DigestWriter>,
}

/// Writes runs into segments of about a million rows, each made durable when it is full.
pub(crate) struct SegmentWriter {
    disk: Arc<dyn Disk>,
    spec: Arc<TableSpec>,
    schema: SchemaRef,
    numbers: RangeInclusive<u32>,
    open: Option<Open>,
    done: Vec<SegmentDone>,
    places: Vec<RunPlace>,
}

impl SegmentWriter {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        spec: Arc<TableSpec>,
        numbers: RangeInclusive<u32>,
    ) -> Self {
        let schema = schema(&spec);
        Self { disk, spec, schema, numbers, open: None, done: Vec::new(), places: Vec::new() }
    }

    fn open_next(&mut self) -> Result<Open> {
        let number = self.numbers.next().ok_or_else(|| {
            Error::Manifest(format!("表 {} 的装载用尽了数据段编号", self.spec.name))
        })?;
        let path = path(&self.spec.name, number);
        let file = self.disk.create(&path).map_err(Error::io(&path))?;
        let writer = ArrowWriter::try_new(
            DigestWriter::new(file),
            self.schema.clone(),
            Some(properties(&self.spec)),
        )
        .map_err(Error::segment(number))?;
        Ok(Open { number, rows: 0, dates: None, writer })
    }

    pub(crate) fn write(&mut self, run: Run) -> Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open_next()?,
        };
        let order = run.order();
        let rows = run.rows() as u32;
        for row in run.rows.iter().filter(|row| row.date != NO_DATE) {
            let (min, max) = open.dates.unwrap_or((row.date, row.date));
            open.dates = Some((min.min(row.date), max.max(row.date)));
        }
        self.places.push(RunPlace {
            seg: self.done.len() as u16,
            base: open.rows,
            order: order.clone(),
        });
        let failed = Error::segment(open.number);
        let batch = run.into_batch(order, &self.schema, open.number, open.rows)?;
        open.writer.write(&batch).and_then(|()| open.writer.flush()).map_err(failed)?;
        open.rows += rows;
        let full = open.rows + GROUP_ROWS as u32 / 2 >= SEGMENT_ROWS;
        self.open = Some(open);
        // the last number takes whatever is left
        if full && !self.numbers.is_empty() { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let mut out = open.writer.into_inner().map_err(Error::segment(open.number))?;
        let path = path(&self.spec.name, open.number);
        out.write_out().map_err(Error::io(&path))?;
        if out.in_block > 0 {
            out.end_block();
        }
        out.file.sync().map_err(|cause| self.not_durable(&path, &cause))?;
        let (min_date, max_date) = open.dates.unwrap_or((NO_DATE, NO_DATE));
        self.done.push(SegmentDone {
            number: open.number,
            rows: open.rows,
            bytes: out.bytes,
            sm3: out.whole.finish(),
            blocks: out.blocks,
            min_date,
            max_date,
        });
        Ok(())
    }

    /// After a failed fsync nobody knows what is on disk; it is never tried again on the same file.
    fn not_durable(&self, path: &str, cause: &std::io::Error) -> Error {
        tracing::error!(file.path = path, error = %cause, "fsync failed, table is read only");
        Error::ReadOnly { table: self.spec.name.clone() }
    }

    /// Makes everything durable, names included.
    pub(crate) fn finish(mut self) -> Result<(Vec<SegmentDone>, Vec<RunPlace>)> {
        self.close()?;
        for folder in [self.spec.name.as_str(), ""] {
            self.disk.sync_folder(folder).map_err(|cause| self.not_durable(folder, &cause))?;
        }
        Ok((self.done, self.places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_texts_become_numbers_and_days() {
        assert_eq!(canonical_int("-7"), Some(-7));
        assert_eq!(canonical_int("0"), Some(0));
        for text in ["007", "-0", "+1", "", "-", "1.0", "99999999999999999999"] {
            assert_eq!(canonical_int(text), None, "{text}");
        }
        assert_eq!(canonical_date("1970-01-01"), Some(0));
        assert_eq!(canonical_date("2024-02-29"), Some(19_782));
        for text in ["2023-02-29", "2024-13-01", "2024-1-5", "2024/01/05", "２０２４"] {
            assert_eq!(canonical_date(text), None, "{text}");
        }
        for days in (-719_000..2_000_000).step_by(97) {
            let text = date_text(days);
            assert_eq!(canonical_date(&text), Some(days));
        }
    }
}
