//! The last step: the index by which the pages of records find who did what. It is derived, but a line missing there
//! would hide an act from the people who look, so it must say what the sheets say.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use mj_ledger::Entry;
use mj_ledger::fold::Kind;

use super::{Check, PAGE};
use crate::db::{RowExt, Snapshot};
use crate::error::Result;
use crate::ledger::touch;

/// The look-up of the pages of records as it must be.
#[derive(Default)]
pub(super) struct LookUp {
    /// Entries below this are in it.
    pub(super) reached: u64,
    /// By a hash keyed anew each time: object and entry. 24 bytes each.
    due: HashMap<u64, u64>,
    keys: RandomState,
    /// Entries of which nobody can tell any more what they wrote.
    pub(super) unreadable: BTreeSet<u64>,
}

impl LookUp {
    pub(super) fn hear(&mut self, entry: &Entry, text: Option<&str>) {
        if entry.seq >= self.reached {
            return;
        }
        let Some(text) = text else {
            self.unreadable.insert(entry.seq);
            return;
        };
        for object in touch::objects(entry, text) {
            self.due.insert(self.keys.hash_one((object.as_str(), entry.seq)), entry.seq);
        }
    }

    fn take(&mut self, object: &str, seq: u64) -> bool {
        self.due.remove(&self.keys.hash_one((object, seq))).is_some()
    }

    fn is_unreadable(&self, seq: u64) -> bool {
        self.unreadable.contains(&seq)
    }

    /// Entries that are not found by everything they wrote.
    fn left(&self) -> BTreeSet<u64> {
        self.due.values().copied().collect()
    }
}
impl Check<'_> {
    /// By which entries the pages of records find who did what: as the sheets say, no more and no less.
    pub(super) async fn look_up(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        if self.wanted.up_to.is_some() {
            return Ok(());
        }
        let mut look_up = std::mem::take(&mut self.look_up);
        let sql = format!(
            "SELECT object, seq FROM log_touch WHERE object > $1 OR (object = $1 AND seq > $2) \
             ORDER BY object, seq LIMIT {PAGE}"
        );
        let mut last = (String::new(), -1);
        loop {
            let rows = snapshot.fetch_all(&sql, &[last.0.as_str().into(), last.1.into()]).await?;
            for row in &rows {
                last = (row.text("object")?, row.int("seq")?);
                let seq = u64::try_from(last.1).unwrap_or(u64::MAX);
                if !look_up.take(&last.0, seq) && !look_up.is_unreadable(seq) {
                    self.find(Kind::Extra, touch::TABLE, last.0.clone(), seq);
                }
            }
            if rows.len() < PAGE {
                break;
            }
        }
        for seq in look_up.left() {
            self.find(Kind::Missing, touch::TABLE, seq.to_string(), seq);
        }
        Ok(())
    }
}
