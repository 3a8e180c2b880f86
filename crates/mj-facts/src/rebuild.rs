//! Building a table's index from what is durable: segments, marks and hot rows.

use std::sync::Arc;

use arrow_array::Array;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::hash::{KeyHasher, business_from_bytes};
use crate::index::{AdoptKey, HotDoc, HotRow, Index, MarkKind, RowRef, Seg};
use crate::manifest::{HotEntry, MarkEntry, SegmentEntry, TableEntries};
use crate::model::{NO_DATE, NO_MENTION, Op, TableSpec, item_lines};
use crate::reader::{Column, Own, SegmentFile};

/// What of a segment the index is made from.
const COLUMNS: &[&str] = &[
    "cd_source",
    "cd_id",
    "cd_time",
    "_at",
    "_to",
    "_op",
    "_mention",
    "_area",
    "_agency",
    "_date",
    "_business",
    "_content",
];

/// Blocking: reads about a million rows a second.
pub(crate) fn index(
    disk: &dyn Disk,
    spec: &TableSpec,
    hasher: KeyHasher,
    entries: TableEntries,
) -> Result<Index> {
    let table = &spec.name;
    let mut index = Index::default();
    let mut marks: FxHashMap<u32, Vec<MarkEntry>> = FxHashMap::default();
    for mark in entries.marks {
        marks.entry(mark.segment).or_default().push(mark);
    }
    for segment in entries.segments {
        let marks = marks.remove(&segment.number).unwrap_or_default();
        add_segment(&mut index, disk, spec, hasher, segment, marks)?;
    }
    for entry in entries.hot {
        add_hot(&mut index, spec, hasher, entry);
    }
    if index.records.iter().any(|record| record.row == RowRef::NONE) {
        return Err(Error::Manifest(format!("表 {table} 有记录没有现行版本：清单或数据段缺失")));
    }
    Ok(index)
}

fn add_segment(
    index: &mut Index,
    disk: &dyn Disk,
    spec: &TableSpec,
    hasher: KeyHasher,
    entry: SegmentEntry,
    marks: Vec<MarkEntry>,
) -> Result<()> {
    let items = spec.items().map(|at| spec.columns[at].name.as_str());
    let file = SegmentFile::open(disk, &spec.name, entry.number, entry.bytes, entry.blocks)?;
    let place = index.segs.len();
    let mut seg = Seg {
        number: entry.number,
        pos: entry.pos,
        ats: Vec::new(),
        mention: Vec::new(),
        date: Vec::new(),
        area: Vec::new(),
        agency: Vec::new(),
        lines: Vec::new(),
        slot: Vec::new(),
        by_mention: Vec::new(),
        deletions: FxHashSet::default(),
        dead: FxHashMap::default(),
        flips: FxHashMap::default(),
        seen: FxHashMap::default(),
        file: file.clone(),
    };
    // marks come in order of position
    for mark in marks {
        for (row, time) in mark.rows {
            match mark.kind {
                MarkKind::Dead => {
                    seg.dead.insert(row, mark.pos);
                }
                MarkKind::Hidden | MarkKind::Shown => {
                    let hidden = mark.kind == MarkKind::Hidden;
                    seg.flips.entry(row).or_default().push((mark.pos, hidden));
                }
                MarkKind::Seen => {
                    seg.seen.insert(row, time);
                }
            }
        }
    }
    let mut row = 0_u32;
    let columns: Vec<&str> = COLUMNS.iter().copied().chain(items).collect();
    for batch in file.batches(&columns, None, 16_384)? {
        let batch = batch
            .map_err(|cause| Error::Segment { segment: entry.number, reason: cause.to_string() })?;
        let own = Own(&batch);
        let (source, id, time) = (own.text("cd_source")?, own.text("cd_id")?, own.time("cd_time")?);
        let (at, to, op) = (own.int("_at")?, own.int("_to")?, own.text("_op")?);
        let (mention, date) = (own.int("_mention")?, own.date("_date")?);
        let (area, agency) = (own.text("_area")?, own.text("_agency")?);
        let (business, content) = (own.bytes("_business")?, own.int("_content")?);
        let items = items.map(|name| Column::of(&batch, name));
        for number in 0..batch.num_rows() {
            if entry.is_flush {
                seg.ats.push(at.value(number) as u64);
            }
            if to.is_valid(number) {
                seg.dead.insert(row, to.value(number) as u64);
            }
            let op = Op::parse(op.value(number));
            if op == Op::Delete {
                seg.deletions.insert(row);
            }
            let word = |index: &mut Index, texts: &arrow_array::StringArray| {
                if texts.is_valid(number) { index.words.number(texts.value(number)) } else { 0 }
            };
            seg.mention.push(if mention.is_valid(number) {
                mention.value(number)
            } else {
                NO_MENTION
            });
            seg.date.push(if date.is_valid(number) { date.value(number) } else { NO_DATE });
            seg.area.push(word(index, area));
            seg.agency.push(word(index, agency));
            if let Some(items) = &items {
                let codes = items.text(number).unwrap_or_default();
                seg.lines.push(index.words.number(&item_lines(&codes)));
            }
            let (cd_source, cd_id) = (source.value(number), id.value(number));
            let key = AdoptKey {
                hash: hasher.record(cd_source, cd_id),
                cd_source,
                cd_id,
                cd_time: seg.seen.get(&row).copied().unwrap_or(time.value(number)),
                content: content.value(number) as u64,
                business: business_from_bytes(business.value(number)),
                op,
            };
            let dead = seg.dead.contains_key(&row);
            seg.slot.push(index.adopt(key, RowRef::in_seg(place, row), dead));
            row += 1;
        }
    }
    seg.sort_mentions();
    index.segs.push(seg);
    Ok(())
}

fn add_hot(index: &mut Index, spec: &TableSpec, hasher: KeyHasher, entry: HotEntry) {
    let key = AdoptKey {
        hash: hasher.record(&entry.cd_source, &entry.cd_id),
        cd_source: &entry.cd_source,
        cd_id: &entry.cd_id,
        cd_time: entry.seen,
        content: entry.content,
        business: entry.business,
        op: entry.op,
    };
    let slot = index.adopt(key, RowRef::hot(entry.rid), entry.to_pos != 0);
    let (area, agency) = (index.words.number(&entry.area), index.words.number(&entry.agency));
    let lines = match spec.items() {
        Some(at) => {
            let values: serde_json::Value = serde_json::from_str(&entry.values).unwrap_or_default();
            let codes = values[&spec.columns[at].name].as_str().unwrap_or_default();
            index.words.number(&item_lines(codes))
        }
        None => 0,
    };
    let row = HotRow {
        at: entry.pos,
        dead: entry.to_pos,
        flips: entry.flips,
        seen: entry.seen,
        mention: entry.mention,
        date: entry.date,
        area,
        agency,
        lines,
        slot,
        op: entry.op,
        doc: Arc::new(HotDoc {
            cd_time: entry.cd_time,
            content: entry.content,
            business: entry.business,
            batch: entry.batch.into(),
            delivery_row: entry.delivery_row,
            norm: entry.norm.into(),
            values: entry.values.into(),
        }),
    };
    index.add_hot(entry.rid, row);
}
