//! An open-addressing table of `u32` handles whose keys live elsewhere: 4 bytes a slot, so that the
//! key index of a million records costs 8 MB. It owns no key and compares none; callers do.

const EMPTY: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(crate) struct Slots {
    table: Vec<u32>,
    used: usize,
}

impl Slots {
    fn start(&self, hash: u64) -> usize {
        // the high half: callers compare the low bits themselves
        (hash >> 20) as usize & (self.table.len() - 1)
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.table.len() - 1)
    }

    /// The place of the handle for which `is` holds.
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        let mut at = self.start(hash);
        while self.table[at] != EMPTY {
            if is(self.table[at]) {
                return Some(at);
            }
            at = self.next(at);
        }
        None
    }

    pub(crate) fn get(&self, place: usize) -> u32 {
        self.table[place]
    }

    pub(crate) fn set(&mut self, place: usize, handle: u32) {
        self.table[place] = handle;
    }

    /// Adds a handle that is not in the table yet.
    pub(crate) fn insert(&mut self, hash: u64, handle: u32, hash_of: impl Fn(u32) -> u64) {
        debug_assert_ne!(handle, EMPTY);
        if (self.used + 1) * 4 > self.table.len() * 3 {
            self.grow(&hash_of);
        }
        self.put(hash, handle);
        self.used += 1;
    }

    /// Makes room for so many more at once: each doubling looks every handle up again.
    pub(crate) fn reserve(&mut self, more: usize, hash_of: impl Fn(u32) -> u64) {
        let needed = ((self.used + more + 1) * 4).div_ceil(3).next_power_of_two();
        if needed > self.table.len() {
            self.widen(needed, &hash_of);
        }
    }

    fn put(&mut self, hash: u64, handle: u32) {
        let mut at = self.start(hash);
        while self.table[at] != EMPTY {
            at = self.next(at);
        }
        self.table[at] = handle;
    }

    fn grow(&mut self, hash_of: &impl Fn(u32) -> u64) {
        self.widen((self.table.len() * 2).max(64), hash_of);
    }

    /// `length`: a power of two.
    fn widen(&mut self, length: usize, hash_of: &impl Fn(u32) -> u64) {
        let wider = vec![EMPTY; length];
        let old = std::mem::replace(&mut self.table, wider);
        for handle in old.into_iter().filter(|handle| *handle != EMPTY) {
            self.put(hash_of(handle), handle);
        }
    }

    /// Takes the handle at `place` out and closes the gap behind it.
    pub(crate) fn remove(&mut self, place: usize, hash_of: impl Fn(u32) -> u64) {
        let mut gap = place;
        let mut at = self.next(place);
        while self.table[at] != EMPTY {
            let home = self.start(hash_of(self.table[at]));
            // may it move back to the gap without passing its home?
            let distance_home = at.wrapping_sub(home) & (self.table.len() - 1);
            let distance_gap = at.wrapping_sub(gap) & (self.table.len() - 1);
            if distance_home >= distance_gap {
                self.table[gap] = self.table[at];
                gap = at;
            }
            at = self.next(at);
        }
        self.table[gap] = EMPTY;
        self.used -= 1;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.table.len() * 4
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_set_holds(steps in prop::collection::vec((any::<bool>(), 0_u32..80), 0..400)) {
            // few distinct hashes, so that runs collide and wrap
            let hash_of = |handle: u32| u64::from(handle % 7) << 20;
            let mut slots = Slots::default();
            let mut set = HashSet::new();
            for (add, handle) in steps {
                let place = slots.find(hash_of(handle), |other| other == handle);
                prop_assert_eq!(place.is_some(), set.contains(&handle));
                match (add, place) {
                    (true, None) => {
                        slots.insert(hash_of(handle), handle, hash_of);
                        set.insert(handle);
                    }
                    (false, Some(place)) => {
                        slots.remove(place, hash_of);
                        set.remove(&handle);
                    }
                    _ => {}
                }
            }
            for handle in 0..80 {
                let found = slots.find(hash_of(handle), |other| other == handle).is_some();
                prop_assert_eq!(found, set.contains(&handle));
            }
        }
    }
}
