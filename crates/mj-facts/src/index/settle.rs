//! Which row wins (facts.md 4): a load's rows against the index, in order of arrival, and the way
//! back when the transaction around it comes to nothing.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::error::{Error, Result};
use crate::hash::{BusinessKey, NO_BUSINESS_KEY};
use crate::model::{Fate, Op, Pos, Receipt};

use super::rows::{HotDoc, HotRow, RowRef, Seg};
use super::{Index, Record, Words};

/// One delivered row, stored or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    pub(crate) hash: u64,
    pub(crate) cd_time: i64,
    pub(crate) content: u64,
    pub(crate) mention: i64,
    pub(crate) business: BusinessKey,
    pub(crate) date: i32,
    /// Numbers in the load's own words.
    pub(crate) area: u32,
    pub(crate) agency: u32,
    pub(crate) lines: u32,
    pub(crate) source: u32,
    pub(crate) text: u32,
    pub(crate) delivery_row: u32,
    /// Segment of the load (`NOT_STORED` if its values were let go as a duplicate) and row in it.
    pub(crate) seg: u16,
    pub(crate) len: u16,
    pub(crate) row: u32,
    pub(crate) op: Op,
}

impl Input {
    pub(crate) const NOT_STORED: u16 = u16::MAX;
}

/// The rows of a load in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) words: Words,
    pub(crate) text: Vec<u8>,
    pub(crate) inputs: Vec<Input>,
}

impl Load {
    pub(crate) fn id_of(&self, input: &Input) -> &str {
        let from = input.text as usize;
        let bytes = &self.text[from..from + usize::from(input.len)];
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

pub(crate) enum Storage {
    /// Segments whose dense columns are ready but for `slot`; words are the load's.
    Segments(Vec<Seg>),
    /// One document an input, numbered from `first` as they are stored.
    Hot { first: u32, docs: Vec<HotDoc> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MarkKind {
    Dead,
    Hidden,
    Shown,
    /// The same content came again with a newer time.
    Seen,
}

impl MarkKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            MarkKind::Dead => "dead",
            MarkKind::Hidden => "hidden",
            MarkKind::Shown => "shown",
            MarkKind::Seen => "seen",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Dead, Self::Hidden, Self::Shown, Self::Seen]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// What the manifest has to be told.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) receipt: Receipt,
    /// Rows stored by this commit, dead on arrival included.
    pub(crate) stored: u64,
    /// By segment number; the second of a row is its time for `Seen`, else 0.
    pub(crate) marks: BTreeMap<(u32, MarkKind), Vec<(u32, i64)>>,
    /// Hot rows of earlier commits.
    pub(crate) hot_dead: Vec<u32>,
    pub(crate) hot_flips: Vec<(u32, bool)>,
    pub(crate) hot_seen: Vec<(u32, i64)>,
    /// Hot rows of this commit.
    pub(crate) hot_new: Vec<u32>,
}

/// The way back.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    records: usize,
    text: usize,
    segs: usize,
    saved: Vec<(u32, Record)>,
    killed: Vec<RowRef>,
    flipped: Vec<RowRef>,
    seen: Vec<(RowRef, Option<i64>)>,
    older: Vec<u32>,
    hot: Vec<u32>,
}

struct Settling<'a> {
    index: &'a mut Index,
    load: &'a Load,
    /// The load's word numbers in the index.
    words: Vec<u32>,
    docs: Vec<Option<HotDoc>>,
    next_hot: u32,
    first_hot: u32,
    pos: u64,
    out: Outcome,
    undo: Undo,
    /// Business keys that a record left: the next of them may be shown now.
    left: Vec<BusinessKey>,
    /// Records that came to a business key another one was shown for, and those others.
    rivals: Vec<u32>,
    /// What became of each row of the load.
    fates: Vec<Fate>,
    /// Which row of the load made each record that is new.
    made_by: Vec<u32>,
    /// Records whose current row came with this load in place of another, and which of its rows that is.
    arrived: FxHashMap<u32, u32>,
}

impl Index {
    /// Settles a load at `pos`. On error nothing has changed.
    pub(crate) fn settle(
        &mut self,
        table: &str,
        load: &Load,
        storage: Storage,
        pos: u64,
    ) -> Result<(Outcome, Undo)> {
        let undo = Undo {
            records: self.records.len(),
            text: self.text.len(),
            segs: self.segs.len(),
            ..Undo::default()
        };
        self.reserve(load.inputs.len());
        let words: Vec<u32> = load.words.all().iter().map(|word| self.words.number(word)).collect();
        let (docs, first_hot) = match storage {
            Storage::Hot { first, docs } => (docs.into_iter().map(Some).collect(), first),
            Storage::Segments(segs) => {
                self.take_segments(segs, &words, pos);
                (Vec::new(), u32::MAX)
            }
        };
        let mut settling = Settling {
            index: &mut *self,
            load,
            words,
            docs,
            next_hot: first_hot,
            first_hot,
            pos,
            out: Outcome::default(),
            undo,
            left: Vec::new(),
            rivals: Vec::new(),
            fates: Vec::with_capacity(load.inputs.len()),
            made_by: Vec::new(),
            arrived: FxHashMap::default(),
        };
        for number in 0..load.inputs.len() {
            match settling.row(number) {
                Some(fate) => settling.fates.push(fate),
                None => {
                    let Settling { undo, .. } = settling;
                    self.undo(undo);
                    return Err(Error::Moved { table: table.to_owned() });
                }
            }
        }
        settling.count();
        settling.show_and_hide();
        let Settling { mut out, undo, .. } = settling;
        out.receipt.pos = Pos(pos);
        Ok((out, undo))
    }

    fn take_segments(&mut self, segs: Vec<Seg>, words: &[u32], pos: u64) {
        for mut seg in segs {
            seg.pos = pos;
            seg.slot = vec![u32::MAX; seg.rows()];
            for word in seg.area.iter_mut().chain(&mut seg.agency).chain(&mut seg.lines) {
                *word = words[*word as usize];
            }
            self.segs.push(seg);
        }
    }

    /// Records whose row stayed while the load behind `undo` raised its time.
    pub(crate) fn raised(&self, undo: &Undo) -> impl Iterator<Item = u32> {
        let stayed =
            |(slot, before): &&(u32, Record)| self.records[*slot as usize].row == before.row;
        undo.saved.iter().filter(stayed).map(|(slot, _)| *slot)
    }

    pub(crate) fn undo(&mut self, undo: Undo) {
        for row in undo.flipped.into_iter().rev() {
            if row.seg == 0 {
                if let Some(hot) = self.hot.get_mut(&row.row) {
                    hot.flips.pop();
                }
            } else {
                let flips = &mut self.segs[row.seg as usize - 1].flips;
                if let Some(list) = flips.get_mut(&row.row) {
                    list.pop();
                    if list.is_empty() {
                        flips.remove(&row.row);
                    }
                }
            }
        }
        for (row, before) in undo.seen.into_iter().rev() {
            self.restore_seen(row, before);
        }
        for row in undo.killed {
            if row.seg == 0 {
                if let Some(hot) = self.hot.get_mut(&row.row) {
                    hot.dead = 0;
                }
            } else {
                self.segs[row.seg as usize - 1].dead.remove(&row.row);
            }
        }
        for slot in undo.older.into_iter().rev() {
            if let Some(rows) = self.older.get_mut(&slot) {
                rows.pop();
                if rows.is_empty() {
                    self.older.remove(&slot);
                }
            }
        }
        for (slot, record) in undo.saved.into_iter().rev() {
            self.leave(slot);
            self.records[slot as usize] = record;
            self.join(slot);
        }
        for slot in (undo.records as u32..self.records.len() as u32).rev() {
            self.leave(slot);
            let hash = self.records[slot as usize].hash;
            if let Some(place) = self.keys.find(hash, |other| other == slot) {
                let records = &self.records;
                self.keys.remove(place, |slot| records[slot as usize].hash);
            }
            self.records.pop();
        }
        self.text.truncate(undo.text);
        self.segs.truncate(undo.segs);
        for row in undo.hot {
            self.drop_hot(row);
        }
    }

    fn restore_seen(&mut self, row: RowRef, before: Option<i64>) {
        if row.seg == 0 {
            if let Some(hot) = self.hot.get_mut(&row.row) {
                hot.seen = before.unwrap_or(hot.doc.cd_time);
            }
            return;
        }
        let seen = &mut self.segs[row.seg as usize - 1].seen;
        match before {
            Some(time) => seen.insert(row.row, time),
            None => seen.remove(&row.row),
        };
    }
}

impl Settling<'_> {
    /// `None`: the row should count, but its values were let go at staging.
    fn row(&mut self, number: usize) -> Option<Fate> {
        let load = self.load;
        let input = &load.inputs[number];
        let cd_id = load.id_of(input);
        let source = self.words[input.source as usize];
        let Some(slot) = self.index.find(input.hash, load.words.word(input.source), cd_id) else {
            if input.seg == Input::NOT_STORED {
                return None;
            }
            let slot = self.index.add_record(input.hash, source, cd_id);
            let row = self.store(number, slot);
            self.made_by.push(number as u32);
            return Some(self.arrive(slot, row, input, None));
        };
        let current = self.index.records[slot as usize];
        if current.op == input.op && current.content == input.content {
            if input.cd_time > current.cd_time {
                self.save(slot);
                self.index.records[slot as usize].cd_time = input.cd_time;
                self.see_again(current.row, input.cd_time);
            }
            // only segments can hold one: the table moved after it was written
            if self.docs.is_empty() && input.seg != Input::NOT_STORED {
                self.store_dead(number, slot);
            }
            return Some(Fate::Duplicate);
        }
        if input.cd_time < current.cd_time {
            if input.seg != Input::NOT_STORED {
                self.store_dead(number, slot);
            }
            return Some(Fate::Superseded);
        }
        if input.seg == Input::NOT_STORED {
            return None;
        }
        self.save(slot);
        self.kill(current.row);
        self.push_older(slot, current.row);
        // a version that its own load replaces never counted for anybody
        let made_by = || {
            let new = (slot as usize).checked_sub(self.undo.records)?;
            Some(self.made_by[new])
        };
        if let Some(earlier) = self.arrived.insert(slot, number as u32).or_else(made_by) {
            self.fates[earlier as usize] = Fate::Superseded;
        }
        let row = self.store(number, slot);
        Some(self.arrive(slot, row, input, Some(current)))
    }

    fn count(&mut self) {
        let receipt = &mut self.out.receipt;
        for (input, fate) in self.load.inputs.iter().zip(&self.fates) {
            match fate {
                Fate::Correct => {
                    receipt.correct += 1;
                    continue;
                }
                Fate::Duplicate => receipt.duplicate += 1,
                Fate::Superseded => receipt.superseded += 1,
            }
            receipt.others.push((input.delivery_row, *fate));
        }
    }

    /// The record takes `row` as its current one and its place among those of its business key.
    fn arrive(&mut self, slot: u32, row: RowRef, input: &Input, before: Option<Record>) -> Fate {
        let shown_before = match input.op {
            Op::Upsert => self.index.shown(input.business),
            Op::Delete => None,
        };
        let stays = before.is_some_and(|before| {
            before.op == Op::Upsert && input.op == Op::Upsert && before.business == input.business
        });
        if !stays {
            if let Some(before) = before
                && before.business != NO_BUSINESS_KEY
            {
                self.left.push(before.business);
            }
            self.index.leave(slot);
        }
        let record = &mut self.index.records[slot as usize];
        record.cd_time = input.cd_time;
        record.content = input.content;
        record.business = input.business;
        record.op = input.op;
        record.row = row;
        if !stays {
            self.index.join(slot);
        }
        if let Some(shown) = shown_before {
            self.rivals.extend([shown, slot]);
            if shown != slot {
                return Fate::Duplicate;
            }
        }
        Fate::Correct
    }

    /// Puts the row where it will lie and returns the place.
    fn store(&mut self, number: usize, slot: u32) -> RowRef {
        let input = &self.load.inputs[number];
        self.out.stored += 1;
        let Some(doc) = self.docs.get_mut(number).and_then(Option::take) else {
            let seg = self.undo.segs + usize::from(input.seg);
            self.index.segs[seg].slot[input.row as usize] = slot;
            return RowRef::in_seg(seg, input.row);
        };
        let rid = self.next_hot;
        self.next_hot += 1;
        let row = HotRow {
            at: self.pos,
            dead: 0,
            flips: Vec::new(),
            seen: doc.cd_time,
            mention: input.mention,
            date: input.date,
            area: self.words[input.area as usize],
            agency: self.words[input.agency as usize],
            lines: self.words[input.lines as usize],
            slot,
            op: input.op,
            doc: doc.into(),
        };
        self.index.add_hot(rid, row);
        self.undo.hot.push(rid);
        self.out.hot_new.push(rid);
        RowRef::hot(rid)
    }

    fn store_dead(&mut self, number: usize, slot: u32) {
        let row = self.store(number, slot);
        self.kill(row);
        self.push_older(slot, row);
    }

    fn save(&mut self, slot: u32) {
        if (slot as usize) < self.undo.records {
            self.undo.saved.push((slot, self.index.records[slot as usize]));
        }
    }

    fn push_older(&mut self, slot: u32, row: RowRef) {
        self.index.older.entry(slot).or_default().push(row);
        self.undo.older.push(slot);
    }

    fn mark(&mut self, row: RowRef, kind: MarkKind, extra: i64) {
        let segment = self.index.segs[row.seg as usize - 1].number;
        self.out.marks.entry((segment, kind)).or_default().push((row.row, extra));
    }

    fn kill(&mut self, row: RowRef) {
        self.undo.killed.push(row);
        if row.seg == 0 {
            if let Some(hot) = self.index.hot.get_mut(&row.row) {
                hot.dead = self.pos;
            }
            if row.row < self.first_hot {
                self.out.hot_dead.push(row.row);
            }
        } else {
            self.index.segs[row.seg as usize - 1].dead.insert(row.row, self.pos);
            self.mark(row, MarkKind::Dead, 0);
        }
    }

    fn see_again(&mut self, row: RowRef, time: i64) {
        if row.seg == 0 {
            if let Some(hot) = self.index.hot.get_mut(&row.row) {
                self.undo.seen.push((row, Some(hot.seen)));
                hot.seen = time;
            }
            if row.row < self.first_hot {
                self.out.hot_seen.push((row.row, time));
            }
        } else {
            let before = self.index.segs[row.seg as usize - 1].seen.insert(row.row, time);
            self.undo.seen.push((row, before));
            self.mark(row, MarkKind::Seen, time);
        }
    }

    /// Of the current records with one business key the smallest record key is shown.
    fn show_and_hide(&mut self) {
        let mut slots = std::mem::take(&mut self.rivals);
        let left = std::mem::take(&mut self.left);
        slots.extend(left.into_iter().filter_map(|key| self.index.shown(key)));
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            let record = self.index.records[slot as usize];
            if record.op == Op::Delete {
                continue;
            }
            let shown = self.index.shown(record.business);
            let hide = shown.is_some_and(|shown| shown != slot);
            if self.index.state(record.row).is_hidden(self.pos) != hide {
                self.flip(record.row, hide);
            }
        }
    }

    fn flip(&mut self, row: RowRef, hide: bool) {
        self.undo.flipped.push(row);
        if row.seg == 0 {
            if let Some(hot) = self.index.hot.get_mut(&row.row) {
                hot.flips.push((self.pos, hide));
            }
            if row.row < self.first_hot {
                self.out.hot_flips.push((row.row, hide));
            }
        } else {
            let flips = &mut self.index.segs[row.seg as usize - 1].flips;
            flips.entry(row.row).or_default().push((self.pos, hide));
            self.mark(row, if hide { MarkKind::Hidden } else { MarkKind::Shown }, 0);
        }
    }
}
