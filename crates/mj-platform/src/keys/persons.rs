//! The keys of persons: under a key of their own class, which is another after each destruction, and
//! which no copy of the node holds.
//!
//! A copy of the database keeps `data_key` as it was, and nobody can change that copy. So what wraps those
//! keys never goes into it: the keys themselves lie in the archive apart ([`crate::archive`]), where a
//! destroyed one is struck out, and a restore takes them from there. On the node the wrapping key is
//! changed with each destruction, so that an old dump of the database and the node's own keys open
//! nothing either.

use std::collections::HashMap;
use std::path::Path;

use mj_kernel::{Actor, Instant};

use super::{DATA_KEY, ERASURE, Keys, opened};
use crate::archive::persons::{PersonId, PersonKeys};
use crate::db::door::{Act, WriteTx};
use crate::db::{Db, Lane, RowExt, Value};
use crate::durable;
use crate::error::{Error, Result};
use crate::gm::vault::{KeyClass, Vault};
use crate::gm::{Sm4Key, Wiped};

/// Where the key that wraps those of persons lies.
pub const FILE: &str = "personal.key";
/// Noted once every person's key lies under the key of its own class.
const APART: &str = "persons-apart";
/// What a restore hands over to the database that is laid out beside it.
const HANDED: &str = "persons.handed";
const ID: usize = 8;
/// nonce 12 + key 16 + tag 16
const WRAPPED: usize = 44;
/// Rows of `data_key` that are written at once.
const AT_ONCE: i64 = 1_000;

/// Whether a file of the key folder opens keys of persons and must not be in a copy.
pub fn stays_here(name: &str) -> bool {
    name.starts_with("personal.") || name.starts_with(HANDED)
}

/// Whether the key that wraps those of persons was here and is gone.
pub fn is_lost(folder: &Path) -> bool {
    !folder.join(FILE).exists() && folder.join(format!("{APART}.key")).exists()
}

/// Whether a destruction was broken off.
pub fn is_unfinished(folder: &Path) -> bool {
    folder.join("personal.1.key").exists()
}

/// Goes on with what was broken off: a destruction, or the step from a version that wrapped the keys of
/// persons like those of files. How many keys lie under another one now.
pub async fn settle(folder: &Path, db: &Db, production: bool) -> Result<usize> {
    durable::remove_doomed(folder)?;
    let vault = Vault::beside_master(folder, production)?;
    let apart = vault.noted(APART)?;
    if apart && !vault.has_retired(KeyClass::Personal) {
        return Ok(0);
    }
    let rewrapped = Keys::open(folder, production)?.rewrap(db).await?;
    forget_older(&vault)?;
    if !apart {
        vault.note(APART)?;
    }
    Ok(rewrapped)
}

/// The keys that wrapped those of persons before: nothing lies under them any more.
pub(super) fn forget_older(vault: &Vault) -> Result<()> {
    vault.forget_retired(KeyClass::Personal)
}

/// Destroys one person's key, and further data keys that `besides` names in the same transaction: what
/// they sealed can never be read again. That they were destroyed, not lost, stays on record under the
/// keys' own names, which lead to nobody. All others lie under another key afterwards. Nobody else may be
/// using the data directory; broken off, [`settle`] goes on.
pub async fn destroy(
    folder: &Path,
    db: &Db,
    production: bool,
    act: Act,
    subject: &str,
    besides: impl AsyncFnOnce(&Keys, &mut WriteTx) -> Result<Vec<String>>,
) -> Result<()> {
    let vault = Vault::beside_master(folder, production)?;
    // first: whatever comes between, the older key is on its way out
    vault.rotate_secret(KeyClass::Personal)?;
    let keys = Keys::open(folder, production)?;
    let mut tx = db.begin(Lane::People, act).await?;
    let mut ids = besides(&keys, &mut tx).await?;
    let sql = "SELECT id FROM data_key WHERE subject = $1";
    if let Some(row) = tx.fetch_optional(sql, &[subject.into()]).await? {
        ids.push(row.text("id")?);
    }
    keys.strike(&mut tx, &ids).await?;
    tx.commit().await?;
    keys.rewrap(db).await?;
    forget_older(&vault)
}

/// Puts keys from an archive where [`Keys::take_over`] finds them, each under a key of this folder.
pub fn hand_over(folder: &Path, persons: &PersonKeys) -> Result<()> {
    // a new key is marked as those were that lie there already: settings need not be complete yet
    let production = Vault::beside_master(folder, false)?.made_in_production()?;
    let vault = Vault::beside_master(folder, production)?;
    let keys = vault.wrapping_keys(KeyClass::Personal)?;
    let mut bytes = Vec::with_capacity(persons.len() * (ID + WRAPPED));
    for (id, key) in persons {
        bytes.extend_from_slice(id);
        bytes.extend(keys[0].seal(&**key, hex::encode(id).as_bytes()));
    }
    durable::put_private(&folder.join(HANDED), &bytes)
}

/// What became of the keys of persons in a database that was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenOver {
    /// Destroyed again.
    pub destroyed: usize,
    /// They open.
    pub open: usize,
    /// Neither here nor in the archive, and not destroyed either.
    pub missing: usize,
}

impl Keys {
    pub(super) fn wrap_person(&self, key: &Sm4Key, id: &str) -> Vec<u8> {
        self.personal[0].seal(key.bytes(), id.as_bytes())
    }

    /// One person's key; behind the class `personal` come the keys that an earlier version wrapped with.
    pub fn unwrap_person(&self, wrapped: &[u8], id: &str) -> Result<Sm4Key> {
        opened(self.personal.iter().chain(&self.wrapping), wrapped, id)
    }

    /// Takes data keys away, each with a record that it was destroyed. How many were there.
    async fn strike(&self, tx: &mut WriteTx, ids: &[String]) -> Result<usize> {
        let mut gone = 0;
        for id in ids {
            let sql = "DELETE FROM data_key WHERE id = $1";
            if tx.execute(sql, &[id.as_str().into()]).await? == 0 {
                continue;
            }
            let now = tx.now();
            tx.insert(&ERASURE, &[("id", id.as_str().into()), ("erased_at", now.into())]).await?;
            tx.counted(DATA_KEY, -1);
            gone += 1;
        }
        self.cache.write().expect("no panic while holding the key cache").clear();
        self.by_id.write().expect("no panic while holding the key cache").clear();
        Ok(gone)
    }

    /// Puts every person's key under the newest wrapping key. They are no rows of business truth.
    pub(super) async fn rewrap(&self, db: &Db) -> Result<usize> {
        let handed = HashMap::new();
        Ok(self.rewrap_from(db, &handed).await?.0)
    }

    /// The same where some come from outside; how many were written, how many open with nothing.
    async fn rewrap_from(
        &self,
        db: &Db,
        handed: &HashMap<PersonId, &[u8]>,
    ) -> Result<(usize, usize)> {
        let (mut after, mut count, mut missing) = (String::new(), 0, 0);
        loop {
            let sql = "SELECT id, subject, wrapped, created_at FROM data_key WHERE id > $1 \
                       ORDER BY id LIMIT $2";
            let rows = db.fetch_all(sql, &[after.as_str().into(), AT_ONCE.into()]).await?;
            let Some(last) = rows.last() else { return Ok((count, missing)) };
            after = last.text("id")?;
            let mut anew: Vec<Vec<Value>> = Vec::new();
            for row in &rows {
                let (id, wrapped) = (row.text("id")?, row.bytes("wrapped")?);
                if self.personal[0].open(&wrapped, id.as_bytes()).is_ok() {
                    continue;
                }
                let own = self.unwrap_person(&wrapped, &id).map(|key| self.wrap_person(&key, &id));
                let given =
                    || person_id(&id).and_then(|id| handed.get(&id)).map(|key| key.to_vec());
                let Some(wrapped) = own.ok().or_else(given) else {
                    missing += 1;
                    continue;
                };
                let subject = row.text("subject")?;
                let made = row.int("created_at")?;
                anew.push(vec![id.into(), subject.into(), wrapped.into(), made.into()]);
            }
            if anew.is_empty() {
                continue;
            }
            count += anew.len();
            let act = Act::new(&Actor::system("keys"), "keys.person.rewrap", DATA_KEY);
            let mut tx = db.begin(Lane::Bulk, act).await?;
            let columns = ["id", "subject", "wrapped", "created_at"];
            let instead = "ON CONFLICT (id) DO UPDATE SET wrapped = excluded.wrapped";
            tx.execute_many(DATA_KEY, &columns, &anew, instead).await?;
            tx.commit().await?;
        }
    }

    /// Brings a database that was put back to the keys that were handed over: destroys again what was
    /// `erased` since, and lays the others under the key of this folder. Again and again until
    /// [`handed_over`] says that all is well.
    pub async fn take_over(
        &self,
        folder: &Path,
        db: &Db,
        act: Act,
        erased: &[String],
    ) -> Result<TakenOver> {
        let path = folder.join(HANDED);
        let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
        let (entries, []) = bytes.as_chunks::<{ ID + WRAPPED }>() else {
            return Err(Error::Corrupt(format!("{} 不完整", path.display())));
        };
        let handed: HashMap<PersonId, &[u8]> = entries
            .iter()
            .filter_map(|entry| entry.split_first_chunk::<ID>().map(|(id, rest)| (*id, rest)))
            .collect();
        let mut tx = db.begin(Lane::People, act).await?;
        let destroyed = self.strike(&mut tx, erased).await?;
        tx.commit().await?;
        let (_, missing) = self.rewrap_from(db, &handed).await?;
        let all = db.count("SELECT COUNT(*) FROM data_key", &[]).await?;
        let open = usize::try_from(all).unwrap_or_default() - missing;
        Ok(TakenOver { destroyed, open, missing })
    }

    /// How many keys of persons open with nothing that is here.
    pub async fn closed(&self, db: &Db) -> Result<usize> {
        let (mut after, mut closed) = (String::new(), 0);
        loop {
            let sql = "SELECT id, wrapped FROM data_key WHERE id > $1 ORDER BY id LIMIT $2";
            let rows = db.fetch_all(sql, &[after.as_str().into(), AT_ONCE.into()]).await?;
            let Some(last) = rows.last() else { return Ok(closed) };
            after = last.text("id")?;
            for row in &rows {
                let opens = self.unwrap_person(&row.bytes("wrapped")?, &row.text("id")?);
                closed += usize::from(opens.is_err());
            }
        }
    }

    /// The keys of persons made from `from` and before `until` that are not in `known`, and how many of
    /// them open with nothing.
    pub async fn made_between(
        &self,
        db: &Db,
        (from, until): (Instant, Instant),
        known: &PersonKeys,
    ) -> Result<(PersonKeys, usize)> {
        let sql = "SELECT id, wrapped FROM data_key WHERE created_at >= $1 AND created_at < $2";
        let (mut found, mut closed) = (PersonKeys::new(), 0);
        for row in db.fetch_all(sql, &[from.into(), until.into()]).await? {
            let id = row.text("id")?;
            let Some(short) = person_id(&id).filter(|short| !known.contains_key(short)) else {
                continue;
            };
            match self.unwrap_person(&row.bytes("wrapped")?, &id) {
                Ok(key) => drop(found.insert(short, Wiped::new(*key.bytes()))),
                Err(_) => closed += 1,
            }
        }
        Ok((found, closed))
    }
}

/// What a restore handed over is taken and goes.
pub fn handed_over(folder: &Path, production: bool) -> Result<()> {
    let vault = Vault::beside_master(folder, production)?;
    forget_older(&vault)?;
    vault.note(APART)?;
    durable::overwrite_and_remove(&folder.join(HANDED))
}

/// The name of a key as it stands in an archive.
pub fn person_id(id: &str) -> Option<PersonId> {
    let mut short = PersonId::default();
    hex::decode_to_slice(id, &mut short).ok().map(|()| short)
}
