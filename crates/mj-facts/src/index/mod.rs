//! The index of one table in memory: every record with its current row, every stored row with what
//! scopes and timelines need, and the business-key groups. Derived from segments, hot rows and marks.
//!
//! Rows carry the position at which they came, died, were hidden or shown. So a commit may change
//! this index before its transaction ends: readers look at an older position and see none of it.

mod groups;
mod rows;
mod settle;

use std::cmp::Ordering;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::hash::{BusinessKey, NO_BUSINESS_KEY, business_hash};
use crate::model::Op;
use crate::slots::Slots;
use groups::Groups;

pub(crate) use rows::{HotDoc, HotRow, RowRef, RowState, Seg};
pub(crate) use settle::{Input, Load, MarkKind, Outcome, Storage, Undo};

/// Short texts that repeat (sources, areas, agencies), by number; 0 is the empty one.
#[derive(Debug)]
pub(crate) struct Words {
    list: Vec<Arc<str>>,
    numbers: FxHashMap<Arc<str>, u32>,
    last: u32,
}

impl Default for Words {
    fn default() -> Self {
        let empty: Arc<str> = "".into();
        let numbers = [(empty.clone(), 0)].into_iter().collect();
        Self { list: vec![empty], numbers, last: 0 }
    }
}

impl Words {
    pub(crate) fn number(&mut self, word: &str) -> u32 {
        // neighbours mostly agree
        if &*self.list[self.last as usize] == word {
            return self.last;
        }
        let number = match self.numbers.get(word) {
            Some(number) => *number,
            None => {
                let number = self.list.len() as u32;
                let word: Arc<str> = word.into();
                self.list.push(word.clone());
                self.numbers.insert(word, number);
                number
            }
        };
        self.last = number;
        number
    }

    pub(crate) fn find(&self, word: &str) -> Option<u32> {
        self.numbers.get(word).copied()
    }

    pub(crate) fn word(&self, number: u32) -> &str {
        &self.list[number as usize]
    }

    pub(crate) fn optional(&self, number: u32) -> Option<&str> {
        (number != 0).then(|| self.word(number))
    }

    pub(crate) fn all(&self) -> &[Arc<str>] {
        &self.list
    }
}

/// A record and its current row (which may be a deletion).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) hash: u64,
    pub(crate) cd_time: i64,
    pub(crate) content: u64,
    pub(crate) business: BusinessKey,
    pub(crate) row: RowRef,
    text: u32,
    source: u32,
    len: u16,
    pub(crate) op: Op,
}

/// What is known of a record's current row, for a load that settles against it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Current {
    pub(crate) cd_time: i64,
    pub(crate) content: u64,
    pub(crate) op: Op,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) words: Words,
    pub(crate) records: Vec<Record>,
    text: Vec<u8>,
    keys: Slots,
    groups: Groups,
    /// Rows of a record beside its current one.
    older: FxHashMap<u32, Vec<RowRef>>,
    pub(crate) segs: Vec<Seg>,
    pub(crate) hot: FxHashMap<u32, HotRow>,
    hot_mentions: FxHashMap<i64, Vec<u32>>,
    /// Where hot rows went that were flushed since this process read the table.
    moved: FxHashMap<u32, RowRef>,
}

impl Index {
    /// `(cd_source, cd_id)` of a record.
    pub(crate) fn key(&self, slot: u32) -> (&str, &str) {
        let record = &self.records[slot as usize];
        (self.words.word(record.source), self.id_of(record))
    }

    fn id_of(&self, record: &Record) -> &str {
        let from = record.text as usize;
        let bytes = &self.text[from..from + usize::from(record.len)];
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    pub(crate) fn compare_keys(&self, a: u32, b: u32) -> Ordering {
        self.key(a).cmp(&self.key(b))
    }

    pub(crate) fn find(&self, hash: u64, cd_source: &str, cd_id: &str) -> Option<u32> {
        let place = self.keys.find(hash, |slot| {
            self.records[slot as usize].hash == hash && self.key(slot) == (cd_source, cd_id)
        })?;
        Some(self.keys.get(place))
    }

    /// The record with this hash, where the key itself is not at hand.
    pub(crate) fn find_hash(&self, hash: u64) -> Option<u32> {
        let place = self.keys.find(hash, |slot| self.records[slot as usize].hash == hash)?;
        Some(self.keys.get(place))
    }

    /// The record's state, unless its current row came after `pos`.
    pub(crate) fn current(&self, slot: u32, pos: u64) -> Option<Current> {
        let record = &self.records[slot as usize];
        let known = self.state(record.row).at <= pos;
        known.then_some(Current { cd_time: record.cd_time, content: record.content, op: record.op })
    }

    /// Makes room for so many more records.
    fn reserve(&mut self, more: usize) {
        let records = &self.records;
        self.keys.reserve(more, |slot| records[slot as usize].hash);
        self.groups.reserve(more, records);
    }

    /// A new record without a row; the caller sets the rest.
    fn add_record(&mut self, hash: u64, cd_source: u32, cd_id: &str) -> u32 {
        let slot = self.records.len() as u32;
        self.records.push(Record {
            hash,
            cd_time: i64::MIN,
            content: 0,
            business: NO_BUSINESS_KEY,
            row: RowRef::NONE,
            text: self.text.len() as u32,
            source: cd_source,
            // the stage refuses longer ones
            len: cd_id.len() as u16,
            op: Op::Delete,
        });
        self.text.extend_from_slice(cd_id.as_bytes());
        let records = &self.records;
        self.keys.insert(hash, slot, |slot| records[slot as usize].hash);
        slot
    }

    /// All rows of a record in no particular order.
    pub(crate) fn rows_of(&self, slot: u32) -> Vec<RowRef> {
        let mut rows = self.older.get(&slot).cloned().unwrap_or_default();
        rows.push(self.records[slot as usize].row);
        rows
    }

    /// The record shown for a business key.
    fn shown(&self, key: BusinessKey) -> Option<u32> {
        if key == NO_BUSINESS_KEY {
            return None;
        }
        self.groups.shown(key, &self.records)
    }

    fn join(&mut self, slot: u32) {
        let record = self.records[slot as usize];
        if record.op == Op::Upsert && record.business != NO_BUSINESS_KEY {
            let mut groups = std::mem::take(&mut self.groups);
            groups.join(record.business, slot, self);
            self.groups = groups;
        }
    }

    fn leave(&mut self, slot: u32) {
        let record = self.records[slot as usize];
        if record.op == Op::Upsert && record.business != NO_BUSINESS_KEY {
            let mut groups = std::mem::take(&mut self.groups);
            groups.leave(record.business, slot, self);
            self.groups = groups;
        }
    }

    /// Takes a stored row in while rebuilding. Rows may come in any order: whether one is current
    /// was settled when it came, and stands in its state.
    pub(crate) fn adopt(&mut self, key: AdoptKey<'_>, row: RowRef, dead: bool) -> u32 {
        let source = self.words.number(key.cd_source);
        let slot = self
            .find(key.hash, key.cd_source, key.cd_id)
            .unwrap_or_else(|| self.add_record(key.hash, source, key.cd_id));
        if dead {
            self.older.entry(slot).or_default().push(row);
            return slot;
        }
        let record = &mut self.records[slot as usize];
        record.cd_time = key.cd_time;
        record.content = key.content;
        record.business = key.business;
        record.op = key.op;
        record.row = row;
        self.join(slot);
        slot
    }

    /// The row of a record that counted at `pos`, hidden or not.
    pub(crate) fn alive_at(&self, slot: u32, pos: u64) -> Option<RowRef> {
        let current = self.records[slot as usize].row;
        if self.state(current).is_alive(pos) {
            return Some(current);
        }
        let older = self.older.get(&slot)?;
        older.iter().rev().copied().find(|row| self.state(*row).is_alive(pos))
    }

    /// About how much memory the index holds.
    pub(crate) fn bytes(&self) -> usize {
        self.records.capacity() * size_of::<Record>()
            + self.text.capacity()
            + self.keys.bytes()
            + self.groups.bytes()
            + self.segs.iter().map(Seg::bytes).sum::<usize>()
            + self.hot.values().map(|row| 200 + row.doc.values.len()).sum::<usize>()
            + self.older.len() * 64
    }
}

/// What a stored row says about its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdoptKey<'a> {
    pub(crate) hash: u64,
    pub(crate) cd_source: &'a str,
    pub(crate) cd_id: &'a str,
    pub(crate) cd_time: i64,
    pub(crate) content: u64,
    pub(crate) business: BusinessKey,
    pub(crate) op: Op,
}

fn group_hash(key: BusinessKey) -> u64 {
    business_hash(key)
}
