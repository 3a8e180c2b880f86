//! Folding sheets, in the order of the log, into the state the tables must be in; then comparing.
//!
//! Rows are held by a keyed 128-bit hash of table and key, whose key the caller draws anew each time:
//! nobody can prepare two rows that look alike. About 70 bytes a row.

use std::hash::Hasher;

use rustc_hash::FxHashMap;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::sheet::Line;
use crate::tree::Hash;

#[derive(Debug, Clone, Copy)]
struct Slot {
    version: i64,
    /// `None`: deleted.
    digest: Option<Hash>,
    seq: u64,
    seen: bool,
    /// Spoken of by the entry that opens the next volume.
    restated: bool,
}

/// What is wrong with a row, or with a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Changed,
    Missing,
    Extra,
    Gap,
    Log,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Changed => "changed",
            Kind::Missing => "missing",
            Kind::Extra => "extra",
            Kind::Gap => "gap",
            Kind::Log => "log",
        }
    }
}

/// A row that is not as the log says, and the entry that spoke of it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    pub seq: Option<u64>,
}

pub struct Fold {
    key: [u8; 16],
    rows: FxHashMap<u128, Slot>,
}

impl Fold {
    pub fn new(key: [u8; 16]) -> Self {
        Self { key, rows: FxHashMap::default() }
    }

    fn place(&self, table: &str, key: &str) -> u128 {
        let mut hash = SipHasher13::new_with_key(&self.key);
        hash.write(table.as_bytes());
        hash.write(b"\t");
        hash.write(key.as_bytes());
        hash.finish128().as_u128()
    }

    /// One line of entry `seq`. An entry that takes over a state (`founding`) may bring any version;
    /// otherwise a row goes on from the version the log knows.
    pub fn line(&mut self, seq: u64, line: Line<'_>, founding: bool) -> Option<Fault> {
        let place = self.place(line.table, line.key);
        let known = self.rows.get(&place).copied();
        let alive = known.filter(|slot| slot.digest.is_some());
        let follows = match (alive, line.digest) {
            (None, Some(_)) => line.version == 1,
            (Some(slot), Some(_)) => line.version == slot.version + 1,
            (Some(slot), None) => line.version == slot.version,
            (None, None) => false,
        };
        let (version, digest) = (line.version, line.digest);
        let slot = Slot { version, digest, seq, seen: false, restated: false };
        self.rows.insert(place, slot);
        let wrong = !follows && !founding;
        wrong.then(|| Fault { kind: Kind::Gap, seq: known.map(|slot| slot.seq) })
    }

    /// One line of the entry `seq` that opens the next volume and says the state anew: it must say what
    /// was known. From then on it counts.
    pub fn restate(&mut self, seq: u64, line: Line<'_>) -> Option<Fault> {
        let place = self.place(line.table, line.key);
        let known = self.rows.get(&place).copied().filter(|slot| slot.digest.is_some());
        let (version, digest) = (line.version, line.digest);
        let fault = match known {
            Some(slot) if slot.version == version && slot.digest == digest => None,
            Some(slot) => Some(Fault { kind: Kind::Changed, seq: Some(slot.seq) }),
            None => Some(Fault { kind: Kind::Extra, seq: None }),
        };
        // what it merely repeats came about when it was said first
        let seq = known.filter(|_| fault.is_none()).map_or(seq, |slot| slot.seq);
        self.rows.insert(place, Slot { version, digest, seq, seen: false, restated: true });
        fault
    }

    /// Whether any row that was known was not said anew.
    pub fn has_unstated(&self) -> bool {
        self.rows.values().any(|slot| slot.digest.is_some() && !slot.restated)
    }

    /// Whether this row is among them. Once: it is gone then.
    pub fn take_unstated(&mut self, table: &str, key: &str) -> Option<Fault> {
        let place = self.place(table, key);
        let slot = self.rows.get(&place).copied()?;
        if slot.digest.is_none() || slot.restated {
            return None;
        }
        self.rows.remove(&place);
        Some(Fault { kind: Kind::Missing, seq: Some(slot.seq) })
    }

    /// The state as it was said anew is the beginning of the next volume.
    pub fn turn(&mut self) {
        self.rows.retain(|_, slot| slot.digest.is_some() && slot.restated);
        self.rows.values_mut().for_each(|slot| slot.restated = false);
    }

    /// Takes a row as seen whatever it holds; whether it was known.
    pub fn see(&mut self, table: &str, key: &str) -> bool {
        let slot = self.rows.get_mut(&self.place(table, key));
        slot.map(|slot| slot.seen = true).is_some()
    }

    /// One row as it stands in a table, its digest computed from its content.
    pub fn row(&mut self, table: &str, key: &str, version: i64, digest: &Hash) -> Option<Fault> {
        let place = self.place(table, key);
        match self.rows.get_mut(&place) {
            Some(slot) if slot.digest.is_some() && !slot.seen => {
                slot.seen = true;
                let same = slot.version == version && slot.digest.as_ref() == Some(digest);
                (!same).then_some(Fault { kind: Kind::Changed, seq: Some(slot.seq) })
            }
            known => Some(Fault { kind: Kind::Extra, seq: known.map(|slot| slot.seq) }),
        }
    }

    /// Whether the log knows this row and did not delete it.
    pub fn holds(&self, table: &str, key: &str) -> bool {
        self.rows.get(&self.place(table, key)).is_some_and(|slot| slot.digest.is_some())
    }

    /// Whether any row that the log knows was not shown to [`Fold::row`].
    pub fn has_missing(&self) -> bool {
        self.rows.values().any(|slot| slot.digest.is_some() && !slot.seen)
    }

    /// Whether this row is among them: its line must be asked again, for only hashes are kept.
    pub fn missing(&self, table: &str, key: &str) -> Option<Fault> {
        let slot = self.rows.get(&self.place(table, key))?;
        (slot.digest.is_some() && !slot.seen)
            .then_some(Fault { kind: Kind::Missing, seq: Some(slot.seq) })
    }

    /// The same once: a second question about the row gives nothing.
    pub fn take_missing(&mut self, table: &str, key: &str) -> Option<Fault> {
        let fault = self.missing(table, key)?;
        if let Some(slot) = self.rows.get_mut(&self.place(table, key)) {
            slot.seen = true;
        }
        Some(fault)
    }

    pub fn rows(&self) -> usize {
        self.rows.values().filter(|slot| slot.digest.is_some()).count()
    }
}
