//! The keys of persons, into the archive beside the copies, and out of it when one is destroyed.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use mj_platform::archive::Archive;
use mj_platform::archive::persons::{hour_of, span_of};
use mj_platform::gm::vault::Vault;
use mj_platform::keys::Keys;
use mj_platform::{Config, Db, Result, RowExt};

use super::take::erased;
use crate::cli::Failure;

/// A key may be committed so many hours after the instant it bears.
const LATE: i64 = 2;
/// A copy that is being made is waited for.
const COPY_WITHIN: u32 = 600;

/// Adds the keys that the archive does not know and strikes those that were destroyed. `whole` looks
/// through all of them, and not only through the newest. Read after the copy: it holds whatever the
/// copy needs.
pub async fn keep(config: &Config, db: &Db, archive: &Archive, whole: bool) -> Result<(), Failure> {
    let opened = || Keys::open(&config.data_dir.join("keys"), config.production);
    let (mut keys, mut all_closed) = (opened()?, 0);
    let known = archive.person_hours()?;
    let from = match known.last() {
        Some(newest) if !whole => newest - LATE,
        _ => 0,
    };
    for hour in hours_since(db, from).await? {
        let mut list = archive.persons_of(hour)?;
        let (mut new, mut closed) = keys.made_between(db, span_of(hour), &list).await?;
        if closed > 0 {
            // they were wrapped anew since the keys were read
            keys = opened()?;
            (new, closed) = keys.made_between(db, span_of(hour), &list).await?;
        }
        all_closed += closed;
        if !new.is_empty() {
            list.append(&mut new);
            archive.keep_persons(hour, &list)?;
        }
    }
    if all_closed > 0 {
        // the doctor's matter, and no reason to make no copy
        eprintln!("有 {all_closed} 把个人密钥打不开，未列入备份的密钥清单：请执行 mingjian doctor");
    }
    // last: a key that was destroyed meanwhile does not stay
    archive.record_erased(&erased(db).await?, whole)?;
    Ok(())
}

/// Hours in which keys were made, from one on.
async fn hours_since(db: &Db, from: i64) -> Result<BTreeSet<i64>> {
    let mut hours = BTreeSet::new();
    let mut next = span_of(from).0;
    loop {
        let sql = "SELECT MIN(created_at) AS made FROM data_key WHERE created_at >= $1";
        let Some(made) = db.fetch_one(sql, &[next.into()]).await?.opt_int("made")? else {
            return Ok(hours);
        };
        let hour = hour_of(made);
        hours.insert(hour);
        next = span_of(hour).1;
    }
}

/// What a destruction came to in the archive the configuration names.
pub enum Struck {
    /// So many keys of the lists are gone.
    Gone(usize),
    /// No archive is named, or none is there yet.
    NoArchive,
    /// A copy is being made; the next one strikes.
    Busy,
}

/// Strikes at once what was destroyed.
pub async fn strike(config: &Config, db: &Db) -> Result<Struck, Failure> {
    let Some(folder) = config.backups.folder.as_deref().filter(|folder| folder.exists()) else {
        return Ok(Struck::NoArchive);
    };
    let keys = Vault::beside_master(&config.data_dir.join("keys"), config.production)?;
    let archive = Archive::open(folder, &keys.backup_secrets()?)?;
    let Some(_lock) = locked(folder).await? else { return Ok(Struck::Busy) };
    Ok(Struck::Gone(archive.record_erased(&erased(db).await?, true)?))
}

async fn locked(folder: &Path) -> Result<Option<std::fs::File>, Failure> {
    for _ in 0..COPY_WITHIN {
        if let Some(lock) = crate::node::lock(folder)? {
            return Ok(Some(lock));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(None)
}
