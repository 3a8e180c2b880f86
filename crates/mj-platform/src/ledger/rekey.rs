//! Another key for the log, without a seam: the act of changing it is an entry under the old key, the
//! checkpoint at that size carries both signatures, and the old public key stays in the log's folder.
//!
//! Broken off anywhere the log opens under one of the two keys, and the next call goes on.

use std::path::Path;
use std::sync::Arc;

use mj_kernel::Actor;
use mj_ledger::VerifierKey;
use mj_ledger::note::{Note, Signature};

use super::{CHECKPOINT, KEY, Ledger, LogReader, signed, wrong};
use crate::db::door::Act;
use crate::db::{Db, Lane};
use crate::error::{Error, Result};
use crate::gm::vault::{KeyClass, Vault};

/// Public keys the log had before, one a line, as text.
pub const OLD_KEYS: &str = "keys";
const ROTATE: &str = "keys.class.rotate";

/// The keys this log was signed with before its present one.
pub fn old_keys(reader: &LogReader) -> Result<Vec<VerifierKey>> {
    let text = reader.text(OLD_KEYS)?.unwrap_or_default();
    text.lines().map(|line| VerifierKey::parse(line).map_err(wrong)).collect()
}

/// The last step of a change that was broken off right before it. For whoever opens the log.
pub fn finish_rekey(folder: &Path, vault: &Vault) -> Result<()> {
    if !vault.has_next(KeyClass::Log) {
        return Ok(());
    }
    let Some(text) = LogReader::new(folder).text(KEY)? else { return Ok(()) };
    let told = VerifierKey::parse(&text).map_err(wrong)?;
    if told.point == vault.next_pair(KeyClass::Log)?.public() {
        vault.promote(KeyClass::Log)?;
    }
    Ok(())
}

/// Gives the log of a stopped node another key. The new public key.
pub async fn rekey(folder: &Path, db: &Db, vault: Arc<Vault>, area: &str) -> Result<VerifierKey> {
    let resumed = vault.has_next(KeyClass::Log);
    finish_rekey(folder, &vault)?;
    if resumed && !vault.has_next(KeyClass::Log) {
        let text = LogReader::new(folder).text(KEY)?.unwrap_or_default();
        return VerifierKey::parse(&text).map_err(wrong);
    }
    let next = vault.next_pair(KeyClass::Log)?;
    let ledger = Ledger::open(db.clone(), folder, vault.clone(), area).await?;
    let old = ledger.key();
    let new = VerifierKey { name: old.name.clone(), point: next.public() };
    let object = format!("key:log-{}", hex::encode(new.id()));
    let told = "SELECT id FROM act_journal WHERE action = $1 AND object = $2";
    if db.fetch_optional(told, &[ROTATE.into(), object.as_str().into()]).await?.is_none() {
        let act = Act::new(&Actor::system("keys"), ROTATE, &object).because(new.to_text());
        let mut tx = db.begin(Lane::People, act).await?;
        tx.note().await?;
        tx.commit().await?;
    }
    ledger.drain().await?;
    let (text, _, _) = signed(&LogReader::new(folder))?
        .ok_or_else(|| Error::Corrupt("监管日志没有已签署的检查点".into()))?;
    let mut note = Note::parse(&text).map_err(wrong)?;
    note.signatures.retain(|one| one.key_id != new.id());
    let own = Signature {
        name: new.name.clone(),
        key_id: new.id(),
        bytes: next.sign(note.text.as_bytes())?.to_vec(),
    };
    note.signatures.insert(0, own);
    ledger.replace(CHECKPOINT, &note.to_text())?;
    let reader = LogReader::new(folder);
    let mut keys = old_keys(&reader)?;
    if !keys.contains(&old) {
        keys.push(old);
    }
    let text: String = keys.iter().map(|key| format!("{}\n", key.to_text())).collect();
    ledger.replace(OLD_KEYS, &text)?;
    ledger.replace(KEY, &format!("{}\n", new.to_text()))?;
    vault.promote(KeyClass::Log)?;
    Ok(new)
}
