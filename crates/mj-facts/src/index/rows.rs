//! Stored rows as memory keeps them: dense columns a segment, whole rows while they are hot, and
//! when each came, died, was hidden or shown.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::hash::BusinessKey;
use crate::model::{NO_MENTION, Op, RowId};
use crate::reader::SegmentFile;

use super::Index;

/// Where a row lies: `seg` 0 is hot and `row` its hot number, else segment `seg - 1` of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RowRef {
    pub(crate) seg: u32,
    pub(crate) row: u32,
}

impl RowRef {
    pub(crate) const NONE: RowRef = RowRef { seg: u32::MAX, row: u32::MAX };

    pub(crate) fn hot(row: u32) -> Self {
        Self { seg: 0, row }
    }

    pub(crate) fn in_seg(seg: usize, row: u32) -> Self {
        Self { seg: seg as u32 + 1, row }
    }
}

/// One segment's rows.
#[derive(Debug)]
pub(crate) struct Seg {
    pub(crate) number: u32,
    /// The position of a load; rows of a flush bring their own in `ats`.
    pub(crate) pos: u64,
    pub(crate) ats: Vec<u64>,
    pub(crate) mention: Vec<i64>,
    pub(crate) date: Vec<i32>,
    pub(crate) area: Vec<u32>,
    pub(crate) agency: Vec<u32>,
    /// Lines of the items; empty in tables that name none.
    pub(crate) lines: Vec<u32>,
    /// The record of each row.
    pub(crate) slot: Vec<u32>,
    /// Rows that have a mention, by mention and newest first.
    pub(crate) by_mention: Vec<u32>,
    pub(crate) deletions: FxHashSet<u32>,
    pub(crate) dead: FxHashMap<u32, u64>,
    pub(crate) flips: FxHashMap<u32, Vec<(u64, bool)>>,
    /// Newer times at which a source gave the same content again.
    pub(crate) seen: FxHashMap<u32, i64>,
    pub(crate) file: Arc<SegmentFile>,
}

impl Seg {
    pub(crate) fn rows(&self) -> usize {
        self.mention.len()
    }

    pub(crate) fn at(&self, row: u32) -> u64 {
        self.ats.get(row as usize).copied().unwrap_or(self.pos)
    }

    pub(crate) fn sort_mentions(&mut self) {
        let (mention, date) = (&self.mention, &self.date);
        let mut rows: Vec<u32> =
            (0..mention.len() as u32).filter(|row| mention[*row as usize] != NO_MENTION).collect();
        rows.sort_unstable_by_key(|row| {
            (mention[*row as usize], std::cmp::Reverse(date[*row as usize]), *row)
        });
        self.by_mention = rows;
    }

    pub(crate) fn of_mention(&self, mention: i64) -> &[u32] {
        let key = |row: &u32| self.mention[*row as usize];
        let from = self.by_mention.partition_point(|row| key(row) < mention);
        let until = self.by_mention.partition_point(|row| key(row) <= mention);
        &self.by_mention[from..until]
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows() * 28
            + self.lines.len() * 4
            + self.ats.len() * 8
            + (self.dead.len() + self.seen.len()) * 32
            + self.flips.len() * 80
    }
}

/// What a hot row holds beside the dense columns.
#[derive(Debug)]
pub(crate) struct HotDoc {
    pub(crate) cd_time: i64,
    pub(crate) content: u64,
    pub(crate) business: BusinessKey,
    pub(crate) batch: Arc<str>,
    pub(crate) delivery_row: u32,
    pub(crate) norm: Box<str>,
    /// JSON object of the values that are there, by column name.
    pub(crate) values: Box<str>,
}

#[derive(Debug)]
pub(crate) struct HotRow {
    pub(crate) at: u64,
    /// 0 = alive
    pub(crate) dead: u64,
    pub(crate) flips: Vec<(u64, bool)>,
    pub(crate) seen: i64,
    pub(crate) mention: i64,
    pub(crate) date: i32,
    pub(crate) area: u32,
    pub(crate) agency: u32,
    pub(crate) lines: u32,
    pub(crate) slot: u32,
    pub(crate) op: Op,
    pub(crate) doc: Arc<HotDoc>,
}

/// Everything about a row but its values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowState<'a> {
    pub(crate) at: u64,
    pub(crate) dead: Option<u64>,
    pub(crate) flips: &'a [(u64, bool)],
    pub(crate) op: Op,
    pub(crate) mention: i64,
    pub(crate) date: i32,
    pub(crate) area: u32,
    pub(crate) agency: u32,
    pub(crate) lines: u32,
    pub(crate) slot: u32,
}

impl RowState<'_> {
    /// Came by `pos` and had not been replaced then.
    pub(crate) fn is_alive(&self, pos: u64) -> bool {
        self.at <= pos && self.dead.is_none_or(|dead| dead > pos)
    }

    pub(crate) fn is_hidden(&self, pos: u64) -> bool {
        let last = self.flips.iter().rev().find(|(at, _)| *at <= pos);
        last.is_some_and(|(_, hidden)| *hidden)
    }

    pub(crate) fn is_visible(&self, pos: u64) -> bool {
        self.op != Op::Delete && self.is_alive(pos) && !self.is_hidden(pos)
    }
}

impl Index {
    pub(crate) fn state(&self, row: RowRef) -> RowState<'_> {
        if row.seg == 0 {
            let hot = &self.hot[&row.row];
            return RowState {
                at: hot.at,
                dead: (hot.dead != 0).then_some(hot.dead),
                flips: &hot.flips,
                op: hot.op,
                mention: hot.mention,
                date: hot.date,
                area: hot.area,
                agency: hot.agency,
                lines: hot.lines,
                slot: hot.slot,
            };
        }
        let seg = &self.segs[row.seg as usize - 1];
        let at = row.row as usize;
        RowState {
            at: seg.at(row.row),
            dead: seg.dead.get(&row.row).copied(),
            flips: seg.flips.get(&row.row).map_or(&[], Vec::as_slice),
            op: if seg.deletions.contains(&row.row) { Op::Delete } else { Op::Upsert },
            mention: seg.mention[at],
            date: seg.date[at],
            area: seg.area[at],
            agency: seg.agency[at],
            lines: seg.lines.get(at).copied().unwrap_or_default(),
            slot: seg.slot[at],
        }
    }

    pub(crate) fn row_id(&self, row: RowRef) -> RowId {
        if row.seg == 0 {
            RowId::new(0, row.row)
        } else {
            RowId::new(self.segs[row.seg as usize - 1].number, row.row)
        }
    }

    pub(crate) fn row_ref(&self, id: RowId) -> Option<RowRef> {
        if id.segment() == 0 {
            let hot = self.hot.contains_key(&id.row()).then(|| RowRef::hot(id.row()));
            return hot.or_else(|| self.moved.get(&id.row()).copied());
        }
        let seg = self.segs.iter().position(|seg| seg.number == id.segment())?;
        let inside = (id.row() as usize) < self.segs[seg].rows();
        inside.then(|| RowRef::in_seg(seg, id.row()))
    }

    /// Rows of a mention in no particular order, dead ones included.
    pub(crate) fn rows_of_mention(&self, mention: i64) -> impl Iterator<Item = RowRef> + '_ {
        let hot = self.hot_mentions.get(&mention).map_or(&[][..], Vec::as_slice);
        let hot = hot.iter().map(|row| RowRef::hot(*row));
        let cold = self.segs.iter().enumerate().flat_map(move |(number, seg)| {
            seg.of_mention(mention).iter().map(move |row| RowRef::in_seg(number, *row))
        });
        hot.chain(cold)
    }

    pub(crate) fn mentions_after(&self, after: i64) -> Vec<i64> {
        let later = |mention: &i64| *mention != NO_MENTION && *mention > after;
        let hot = self.hot_mentions.keys().copied().filter(later);
        let cold = self.segs.iter().flat_map(|seg| seg.mention.iter().copied().filter(later));
        hot.chain(cold).collect()
    }

    /// Every stored row.
    pub(crate) fn all_rows(&self) -> impl Iterator<Item = RowRef> + '_ {
        let hot = self.hot.keys().map(|row| RowRef::hot(*row));
        let cold = self.segs.iter().enumerate().flat_map(|(number, seg)| {
            (0..seg.rows() as u32).map(move |row| RowRef::in_seg(number, row))
        });
        hot.chain(cold)
    }

    pub(crate) fn add_hot(&mut self, number: u32, row: HotRow) {
        if row.mention != NO_MENTION {
            self.hot_mentions.entry(row.mention).or_default().push(number);
        }
        self.hot.insert(number, row);
    }

    pub(crate) fn drop_hot(&mut self, number: u32) -> Option<HotRow> {
        let row = self.hot.remove(&number)?;
        if let Some(rows) = self.hot_mentions.get_mut(&row.mention) {
            rows.retain(|other| *other != number);
            if rows.is_empty() {
                self.hot_mentions.remove(&row.mention);
            }
        }
        Some(row)
    }

    pub(crate) fn remember_move(&mut self, rid: u32, seg: usize, row: u32) {
        self.moved.insert(rid, RowRef::in_seg(seg, row));
    }

    /// Points a record at the new place of one of its rows (a flush moved it).
    pub(crate) fn moved(&mut self, slot: u32, from: RowRef, to: RowRef) {
        if self.records[slot as usize].row == from {
            self.records[slot as usize].row = to;
        } else if let Some(older) = self.older.get_mut(&slot) {
            for row in older.iter_mut().filter(|row| **row == from) {
                *row = to;
            }
        }
    }
}
