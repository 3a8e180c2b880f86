//! Seals over entries that wait for their checkpoint (HMAC-SM3 under a key of their own): the write door puts them on, the
//! sequencer signs nothing without. Whoever writes SQL alone can make rows, an act and an entry that fit together, but no
//! seal, and so puts nothing into the log in anybody's name.

use mj_kernel::Actor;
use subtle::ConstantTimeEq;

use super::number;
use crate::DbRow;
use crate::db::door::Act;
use crate::db::{Db, Lane, RowExt};
use crate::error::{Error, Result};
use crate::gm::vault::{KeyClass, SmProvider, Vault};

/// Beside the keys: what waited when seals came was sealed, nothing without one is ever taken again.
const DONE: &str = "entries-sealed";

/// The seal with the name of its key.
pub fn seal_of(keys: &dyn SmProvider, entry: &str, sheet: &[u8]) -> Result<String> {
    let name = keys.mac_name(KeyClass::Entry)?;
    let mac = mac(keys, &name, entry, sheet)?.ok_or_else(|| Error::Key("没有条目密钥".into()))?;
    Ok(format!("{name}${}", hex::encode(mac)))
}

/// Whether an entry that waits came through the door of this node.
pub(super) fn holds(keys: &dyn SmProvider, entry: &str, sheet: &[u8], seal: &str) -> Result<bool> {
    let Some((name, stored)) = seal.split_once('$') else { return Ok(false) };
    let mac = mac(keys, name, entry, sheet)?;
    Ok(mac.is_some_and(|mac| hex::decode(stored).is_ok_and(|stored| mac.ct_eq(&stored).into())))
}

fn mac(keys: &dyn SmProvider, name: &str, entry: &str, sheet: &[u8]) -> Result<Option<[u8; 32]>> {
    let length = (entry.len() as u64).to_be_bytes();
    keys.mac_under(KeyClass::Entry, name, &[b"mj-entry-1", &length, entry.as_bytes(), sheet])
}

/// The numbers of entries that wait without a seal of this node.
pub(super) async fn unsealed(db: &Db) -> Result<Vec<u64>> {
    let keys = db.vault()?;
    let rows =
        db.fetch_all("SELECT seq, entry, sheet, seal FROM log_pending ORDER BY seq", &[]).await?;
    let mut bare = Vec::new();
    for row in rows {
        if !holds_of(keys.as_ref(), &row)? {
            bare.push(u64::try_from(row.int("seq")?).unwrap_or(0));
        }
    }
    Ok(bare)
}

pub(super) fn holds_of(keys: &dyn SmProvider, row: &DbRow) -> Result<bool> {
    holds(keys, &row.text("entry")?, &row.bytes("sheet")?, &row.text("seal")?)
}

/// Notes that nothing is to be sealed any more: where the key is there and the note is not, somebody took the note.
pub fn note_sealed(vault: &Vault) -> Result<()> {
    if vault.noted(DONE)? { Ok(()) } else { vault.note(DONE) }
}

/// Seals what an older version left waiting, once; that it was done is noted beside the keys, where SQL does not reach.
pub async fn seal_waiting(db: &Db, vault: &Vault) -> Result<usize> {
    // made at the first start, so that the first backup holds it
    vault.mac_name(KeyClass::Entry)?;
    if vault.noted(DONE)? {
        return Ok(0);
    }
    let rows =
        db.fetch_all("SELECT seq, entry, sheet FROM log_pending WHERE seal = ''", &[]).await?;
    let act = Act::new(&Actor::system("start"), "ledger.entry.seal", "log");
    let mut tx = db.begin(Lane::People, act).await?;
    for row in &rows {
        let seal = seal_of(vault, &row.text("entry")?, &row.bytes("sheet")?)?;
        let seq = u64::try_from(row.int("seq")?).unwrap_or(0);
        let sql = "UPDATE log_pending SET seal = $1 WHERE seq = $2";
        tx.execute(sql, &[seal.into(), number(seq).into()]).await?;
    }
    tx.commit().await?;
    vault.note(DONE)?;
    Ok(rows.len())
}
