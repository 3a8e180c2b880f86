//! Reading segments. Every 64 KiB block is compared with the manifest's digest the first time it is
//! read, underneath Parquet, because the crate checks page checksums but never writes any.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, Date32Array, Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use mj_platform::gm;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::reader::{ChunkReader, Length};

use crate::disk::{Disk, ReadFile};
use crate::error::{Error, Result};
use crate::segment::{BLOCK, date_text, path};

/// A segment's file, held open: it stays readable after it was retired and removed.
pub(crate) struct SegmentFile {
    pub(crate) number: u32,
    file: Arc<dyn ReadFile>,
    bytes: u64,
    blocks: Vec<u8>,
    checked: Vec<AtomicBool>,
    metadata: OnceLock<ArrowReaderMetadata>,
}

impl std::fmt::Debug for SegmentFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentFile").field("number", &self.number).finish_non_exhaustive()
    }
}

impl SegmentFile {
    pub(crate) fn open(
        disk: &dyn Disk,
        table: &str,
        number: u32,
        bytes: u64,
        blocks: Vec<u8>,
    ) -> Result<Arc<Self>> {
        let path = path(table, number);
        let file = disk.open(&path).map_err(Error::io(&path))?;
        let found = file.size().map_err(Error::io(&path))?;
        if found != bytes {
            return Err(Error::Segment {
                segment: number,
                reason: format!("文件长 {found} 字节，清单中为 {bytes} 字节"),
            });
        }
        let checked = blocks.chunks(32).map(|_| AtomicBool::new(false)).collect();
        Ok(Arc::new(Self { number, file, bytes, blocks, checked, metadata: OnceLock::new() }))
    }

    /// Bytes of the file, whole blocks of which are checked on the way.
    fn read(&self, start: u64, length: usize) -> std::io::Result<Bytes> {
        let end = (start + length as u64).min(self.bytes);
        let block = BLOCK as u64;
        let from = start / block * block;
        let until = end.div_ceil(block).saturating_mul(block).min(self.bytes);
        let mut buffer = vec![0; until.saturating_sub(from) as usize];
        self.file.read_at(from, &mut buffer)?;
        for (number, part) in ((from / block) as usize..).zip(buffer.chunks(BLOCK)) {
            let Some(checked) = self.checked.get(number) else { continue };
            if checked.load(Ordering::Relaxed) {
                continue;
            }
            if gm::sm3(part)[..] != self.blocks[number * 32..number * 32 + 32] {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::InvalidData,
                    format!("第 {number} 块与清单中的摘要不符"),
                ));
            }
            checked.store(true, Ordering::Relaxed);
        }
        let offset = (start - from) as usize;
        Ok(Bytes::from(buffer).slice(offset..offset + (end - start) as usize))
    }

    /// SM3 of the whole file, read anew.
    pub(crate) fn sm3(&self) -> std::io::Result<[u8; 32]> {
        let mut hash = gm::Sm3::new();
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        while at < self.bytes {
            let length = buffer.len().min((self.bytes - at) as usize);
            self.file.read_at(at, &mut buffer[..length])?;
            hash.update(&buffer[..length]);
            at += length as u64;
        }
        Ok(hash.finish())
    }

    fn metadata(self: &Arc<Self>) -> Result<&ArrowReaderMetadata> {
        if let Some(metadata) = self.metadata.get() {
            return Ok(metadata);
        }
        let options = ArrowReaderOptions::new()
            .with_offset_index_policy(PageIndexPolicy::Optional)
            .with_column_index_policy(PageIndexPolicy::Skip);
        let metadata = ArrowReaderMetadata::load(&Chunks(self.clone()), options)
            .map_err(Error::segment(self.number))?;
        Ok(self.metadata.get_or_init(|| metadata))
    }

    /// Batches of some columns, of all rows or of `rows` (ascending, distinct).
    pub(crate) fn batches(
        self: &Arc<Self>,
        names: &[&str],
        rows: Option<&[u32]>,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader> {
        let metadata = self.metadata()?.clone();
        let schema = metadata.schema().clone();
        let roots = names.iter().filter_map(|name| Some(schema.column_with_name(name)?.0));
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        let total = metadata.metadata().file_metadata().num_rows() as usize;
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(Chunks(self.clone()), metadata)
                .with_projection(mask)
                .with_batch_size(batch_rows);
        if let Some(rows) = rows {
            builder = builder.with_row_selection(selection(rows, total));
        }
        builder.build().map_err(Error::segment(self.number))
    }
}

fn selection(rows: &[u32], total: usize) -> RowSelection {
    let mut selectors = Vec::new();
    let mut at = 0;
    let mut number = 0;
    while number < rows.len() {
        let from = rows[number] as usize;
        let mut until = from + 1;
        while rows.get(number + 1).is_some_and(|row| *row as usize == until) {
            until += 1;
            number += 1;
        }
        number += 1;
        if from > at {
            selectors.push(RowSelector::skip(from - at));
        }
        selectors.push(RowSelector::select(until - from));
        at = until;
    }
    if at < total {
        selectors.push(RowSelector::skip(total - at));
    }
    selectors.into()
}

struct Chunks(Arc<SegmentFile>);

struct Tail {
    file: Arc<SegmentFile>,
    at: u64,
}

impl Read for Tail {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = into.len().min((self.file.bytes - self.at.min(self.file.bytes)) as usize);
        let bytes = self.file.read(self.at, length)?;
        into[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.bytes
    }
}

impl ChunkReader for Chunks {
    type T = std::io::BufReader<Tail>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let tail = Tail { file: self.0.clone(), at: start };
        Ok(std::io::BufReader::with_capacity(BLOCK, tail))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start + length as u64 > self.0.bytes {
            return Err(ParquetError::EOF("读到文件末尾之后".into()));
        }
        self.0.read(start, length).map_err(|cause| ParquetError::External(Box::new(cause)))
    }
}

/// One column of a batch, whatever its kind, read back as text.
pub(crate) enum Column<'a> {
    Text(&'a StringArray),
    Int(&'a Int64Array),
    Date(&'a Date32Array),
    /// The file was written before the column was in the standard.
    Missing,
}

impl<'a> Column<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Self {
        let Some(array) = batch.column_by_name(name) else { return Column::Missing };
        if let Some(texts) = array.as_string_opt::<i32>() {
            Column::Text(texts)
        } else if let Some(numbers) = array.as_primitive_opt::<Int64Type>() {
            Column::Int(numbers)
        } else if let Some(days) = array.as_primitive_opt::<Date32Type>() {
            Column::Date(days)
        } else {
            Column::Missing
        }
    }

    pub(crate) fn text(&self, row: usize) -> Option<std::borrow::Cow<'a, str>> {
        match self {
            Column::Text(texts) => texts.is_valid(row).then(|| texts.value(row).into()),
            Column::Int(numbers) => {
                numbers.is_valid(row).then(|| numbers.value(row).to_string().into())
            }
            Column::Date(days) => days.is_valid(row).then(|| date_text(days.value(row)).into()),
            Column::Missing => None,
        }
    }

    pub(crate) fn is_typed(&self) -> bool {
        matches!(self, Column::Int(_) | Column::Date(_))
    }
}

/// Columns the store itself put there; a file without them is not ours.
pub(crate) struct Own<'a>(pub(crate) &'a RecordBatch);

impl<'a> Own<'a> {
    fn missing(name: &str) -> Error {
        Error::Manifest(format!("数据段缺少列 {name}"))
    }

    pub(crate) fn text(&self, name: &str) -> Result<&'a StringArray> {
        let array = self.0.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
        array.ok_or_else(|| Self::missing(name))
    }

    pub(crate) fn int(&self, name: &str) -> Result<&'a Int64Array> {
        let array = self.0.column_by_name(name).and_then(|a| a.as_primitive_opt::<Int64Type>());
        array.ok_or_else(|| Self::missing(name))
    }

    pub(crate) fn date(&self, name: &str) -> Result<&'a Date32Array> {
        let array = self.0.column_by_name(name).and_then(|a| a.as_primitive_opt::<Date32Type>());
        array.ok_or_else(|| Self::missing(name))
    }

    pub(crate) fn time(&self, name: &str) -> Result<&'a arrow_array::TimestampMicrosecondArray> {
        let array = self
            .0
            .column_by_name(name)
            .and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
        array.ok_or_else(|| Self::missing(name))
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<&'a arrow_array::FixedSizeBinaryArray> {
        let array = self.0.column_by_name(name).and_then(|array| array.as_fixed_size_binary_opt());
        array.ok_or_else(|| Self::missing(name))
    }
}

pub(crate) fn optional_int(array: &Int64Array, row: usize) -> Option<i64> {
    array.is_valid(row).then(|| array.value(row))
}

pub(crate) fn optional_text(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}
