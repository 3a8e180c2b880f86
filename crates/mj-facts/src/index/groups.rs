//! Which current records share a business key. Nearly every group has one member, which costs a
//! slot of four bytes; the rest are lists sorted by record key, the first of which is shown.

use crate::hash::BusinessKey;
use crate::slots::Slots;

use super::{Index, Record, group_hash};

/// A handle with this bit is a number in `several`, without it a record.
const SEVERAL: u32 = 1 << 31;

#[derive(Debug)]
struct Group {
    key: BusinessKey,
    members: Vec<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    slots: Slots,
    several: Vec<Group>,
    free: Vec<u32>,
}

fn hash_of(handle: u32, several: &[Group], records: &[Record]) -> u64 {
    group_hash(if handle & SEVERAL == 0 {
        records[handle as usize].business
    } else {
        several[(handle & !SEVERAL) as usize].key
    })
}

impl Groups {
    pub(super) fn reserve(&mut self, more: usize, records: &[Record]) {
        let several = &self.several;
        self.slots.reserve(more, |handle| hash_of(handle, several, records));
    }

    fn place(&self, key: BusinessKey, records: &[Record]) -> Option<usize> {
        self.slots.find(group_hash(key), |handle| {
            if handle & SEVERAL == 0 {
                records[handle as usize].business == key
            } else {
                self.several[(handle & !SEVERAL) as usize].key == key
            }
        })
    }

    pub(super) fn shown(&self, key: BusinessKey, records: &[Record]) -> Option<u32> {
        let handle = self.slots.get(self.place(key, records)?);
        if handle & SEVERAL == 0 {
            Some(handle)
        } else {
            self.several[(handle & !SEVERAL) as usize].members.first().copied()
        }
    }

    /// `index` is the index these groups were taken out of for the call.
    pub(super) fn join(&mut self, key: BusinessKey, slot: u32, index: &Index) {
        let records = &index.records;
        let Some(place) = self.place(key, records) else {
            let several = &self.several;
            self.slots.insert(group_hash(key), slot, |handle| hash_of(handle, several, records));
            return;
        };
        let handle = self.slots.get(place);
        if handle & SEVERAL == 0 {
            if handle == slot {
                return;
            }
            let mut members = vec![handle, slot];
            members.sort_by(|a, b| index.compare_keys(*a, *b));
            let group = Group { key, members };
            let number = match self.free.pop() {
                Some(number) => {
                    self.several[number as usize] = group;
                    number
                }
                None => {
                    self.several.push(group);
                    (self.several.len() - 1) as u32
                }
            };
            self.slots.set(place, SEVERAL | number);
            return;
        }
        let members = &mut self.several[(handle & !SEVERAL) as usize].members;
        if let Err(at) = members.binary_search_by(|member| index.compare_keys(*member, slot)) {
            members.insert(at, slot);
        }
    }

    pub(super) fn leave(&mut self, key: BusinessKey, slot: u32, index: &Index) {
        let records = &index.records;
        let Some(place) = self.place(key, records) else { return };
        let handle = self.slots.get(place);
        if handle & SEVERAL == 0 {
            if handle == slot {
                let several = &self.several;
                self.slots.remove(place, |handle| hash_of(handle, several, records));
            }
            return;
        }
        let number = handle & !SEVERAL;
        let members = &mut self.several[number as usize].members;
        if let Ok(at) = members.binary_search_by(|member| index.compare_keys(*member, slot)) {
            members.remove(at);
        }
        if let [only] = members[..] {
            members.clear();
            members.shrink_to_fit();
            self.slots.set(place, only);
            self.free.push(number);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.bytes()
            + self.several.iter().map(|group| 48 + group.members.capacity() * 4).sum::<usize>()
    }
}
