//! The keys of persons beside the copies: one list an hour of their making. A copy keeps the database as it
//! was; what its sealed values are opened with stands here alone, and a key that was destroyed is struck out
//! of the list, for every copy there ever was.

use std::collections::{BTreeMap, HashSet};

use mj_kernel::Instant;
use zeroize::Zeroizing;

use super::Archive;
use crate::durable;
use crate::error::{Error, Result};
use crate::gm::Wiped;

/// The name of a key, as its eight bytes.
pub type PersonId = [u8; ID];
pub type PersonKeys = BTreeMap<PersonId, Wiped<KEY>>;

const ID: usize = 8;
const KEY: usize = 16;
const FOLDER: &str = "persons";
/// What one list covers.
const HOUR: Instant = 3_600_000_000;

/// The hour of an instant, and from when until when it is.
pub fn hour_of(at: Instant) -> i64 {
    at.div_euclid(HOUR)
}

pub fn span_of(hour: i64) -> (Instant, Instant) {
    (hour * HOUR, (hour + 1) * HOUR)
}

impl Archive {
    /// The hours for which there is a list, in order.
    pub fn person_hours(&self) -> Result<Vec<i64>> {
        self.instants(FOLDER)
    }

    /// The keys made in an hour; none where there is no list.
    pub fn persons_of(&self, hour: i64) -> Result<PersonKeys> {
        let path = self.list(hour);
        if !path.exists() {
            return Ok(PersonKeys::new());
        }
        let bytes = Zeroizing::new(self.unseal(&path, &context(hour))?);
        let (entries, []) = bytes.as_chunks::<{ ID + KEY }>() else {
            return Err(Error::Corrupt(format!("备份文件已损坏：{}", path.display())));
        };
        let mut keys = PersonKeys::new();
        for entry in entries {
            let (mut id, mut key) = (PersonId::default(), Wiped::<KEY>::default());
            id.copy_from_slice(&entry[..ID]);
            key.copy_from_slice(&entry[ID..]);
            keys.insert(id, key);
        }
        Ok(keys)
    }

    /// Every key there is.
    pub fn persons(&self) -> Result<PersonKeys> {
        let mut all = PersonKeys::new();
        for hour in self.person_hours()? {
            all.append(&mut self.persons_of(hour)?);
        }
        Ok(all)
    }

    /// The list of an hour as it is to be from now on; what stood there before is overwritten.
    pub fn keep_persons(&self, hour: i64, keys: &PersonKeys) -> Result<()> {
        // with room for all of it: what a growing vector leaves behind is not overwritten
        let mut bytes = Zeroizing::new(Vec::with_capacity(keys.len() * (ID + KEY)));
        for (id, key) in keys {
            bytes.extend_from_slice(id);
            bytes.extend_from_slice(&**key);
        }
        durable::put_over(&self.list(hour), &self.seal(&bytes, &context(hour))?)
    }

    /// Takes destroyed keys out of every list. How many were there.
    pub fn strike(&self, gone: &HashSet<PersonId>) -> Result<usize> {
        let mut struck = 0;
        if gone.is_empty() {
            return Ok(struck);
        }
        for hour in self.person_hours()? {
            let mut keys = self.persons_of(hour)?;
            let before = keys.len();
            keys.retain(|id, _| !gone.contains(id));
            if keys.len() < before {
                struck += before - keys.len();
                self.keep_persons(hour, &keys)?;
            }
        }
        Ok(struck)
    }

    fn list(&self, hour: i64) -> std::path::PathBuf {
        self.root.join(FOLDER).join(format!("{hour:020}"))
    }
}

fn context(hour: i64) -> String {
    format!("{FOLDER}/{hour:020}")
}
