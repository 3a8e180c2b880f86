//! A restored database may be older than the log's files beside it: the log goes back to the last
//! checkpoint that database knew of.

use std::path::Path;

use mj_ledger::note::{Note, Signature};
use mj_ledger::tree::Frontier;
use mj_ledger::{Checkpoint, Entry};

use super::files::LogFiles;
use super::outside::Reached;
use super::{CHECKPOINT, HISTORY, LogReader, Shelf, wrong};
use crate::error::{Error, Result};
use crate::gm::vault::{KeyClass, SmProvider};

/// How many entries the checkpoint held that this database knew of last. What is forgotten by the
/// database is signed, so this is always the size of a checkpoint that was signed once.
pub async fn signed_size(db: &crate::db::Db) -> Result<u64> {
    use crate::db::RowExt;
    let sql = "SELECT entries, (SELECT MIN(seq) FROM log_pending) AS waiting FROM change_head \
               WHERE id = 1";
    let row = db.fetch_one(sql, &[]).await?;
    let size = match row.opt_int("waiting")? {
        Some(seq) => seq,
        None => row.int("entries")?,
    };
    Ok(u64::try_from(size).unwrap_or(0))
}

/// Cuts the log in `folder` back to `whole` entries; volumes begun since go, the one that holds the last
/// of them is the newest again. The log as it lies there must be whole and signed; its beginning is
/// then what was signed at that size, and is signed so again.
pub fn rewind(folder: &Path, whole: u64, provider: &dyn SmProvider) -> Result<Checkpoint> {
    let shelf = Shelf::new(folder);
    let none = || Error::Corrupt("监管日志没有已签署的检查点".into());
    let mut volume = shelf.newest()?.ok_or_else(none)?;
    if volume.end() < whole {
        return Err(Error::Corrupt(format!(
            "监管日志只有 {} 条，数据库已有 {whole} 条签署过的：日志文件比数据库旧",
            volume.end()
        )));
    }
    while volume.number > 1 && volume.first >= whole {
        shelf.reopen(volume.number - 1)?;
        volume = shelf.newest()?.ok_or_else(none)?;
    }
    if shelf.closed()?.contains(&volume.number) {
        // copied in the middle of a turn
        shelf.reopen(volume.number)?;
    }
    if volume.end() < whole {
        return Err(Error::Corrupt("监管日志在册与册之间有缺口".into()));
    }
    let reader = LogReader::new(folder);
    let size = whole - volume.first;
    let (newest, key) = (volume.checkpoint, volume.key);
    let root_at = |size| {
        let frontier = Frontier::of(&reader, size);
        frontier.map(|it| it.root()).map_err(|error| Error::Corrupt(format!("监管日志：{error}")))
    };
    if root_at(newest.size)? != newest.root {
        return Err(Error::Corrupt("监管日志的内容与已签署的检查点不符".into()));
    }
    shelf.drop_weeks_behind(Reached { volume: volume.number, size })?;
    if newest.size == size {
        // also cuts off what stands behind it
        LogFiles::open(folder, size)?;
        return Ok(newest);
    }
    let root = root_at(size)?;
    let history = reader.text(HISTORY)?.unwrap_or_default();
    let (mut kept, mut time) = (String::new(), None);
    for line in history.lines() {
        let mut parts = line.split('\t');
        let (at, of, said) = (parts.next(), parts.next(), parts.next());
        let Some(of) = of.and_then(|of| of.parse::<u64>().ok()).filter(|of| *of <= size) else {
            continue;
        };
        kept.push_str(line);
        kept.push('\n');
        if of == size {
            if said != Some(hex::encode(root).as_str()) {
                return Err(Error::Corrupt("监管日志的内容与当时签署的检查点不符".into()));
            }
            time = at.and_then(|at| at.parse().ok());
        }
    }
    let time = match (time, size) {
        (Some(time), _) => time,
        (None, 0) => 0,
        // the list of checkpoints is for reading only and may lack its last line
        (None, _) => {
            let last = reader.entry(size - 1)?;
            let last = last.ok_or_else(|| Error::Corrupt("监管日志缺少条目".into()))?;
            Entry::parse(&last).map_err(wrong)?.time
        }
    };
    let checkpoint = Checkpoint { origin: key.name.clone(), size, root, time };
    if provider.public(KeyClass::Log)? != key.point {
        return Err(Error::Key("监管日志的公钥与恢复出的日志密钥不符".into()));
    }
    let text = checkpoint.text();
    let signature = Signature {
        name: key.name.clone(),
        key_id: key.id(),
        bytes: provider.sign(KeyClass::Log, text.as_bytes())?.to_vec(),
    };
    let files = LogFiles::open(folder, size)?;
    files.replace(HISTORY, &kept)?;
    files.replace(CHECKPOINT, &Note { text, signatures: vec![signature] }.to_text())?;
    Ok(checkpoint)
}
