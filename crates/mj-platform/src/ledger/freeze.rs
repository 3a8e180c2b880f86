//! A damaged volume that no copy can mend is frozen: put away as it is, for evidence, and the next one
//! opened. The opening entry names the last checkpoint that still recomputes and fixes, by number and
//! digest, what is lost: nobody can put more under it later.

use std::collections::BTreeSet;
use std::path::Path;

use mj_kernel::Actor;
use mj_ledger::tree::{self, Frontier};
use mj_ledger::volume::{self, Cause, Damage};
use mj_ledger::{Entry, Hash, Opening, VerifierKey, sheet, tiles};

use super::founding::restate;
use super::retold::Retold;
use super::shelf::{self, Shelf};
use super::turn::OPEN;
use super::verify::{self, Wanted};
use super::{HISTORY, KEY, LogReader, book, number, opening_waiting, seals, wrong};
use crate::db::door::Act;
use crate::db::{Db, Lane, RowExt};
use crate::error::{Error, Result};

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// The volume that is put away.
    pub volume: u64,
    /// The number of the entry after the last that is proved.
    pub proved: u64,
    pub damage: Damage,
    /// Rows that are not as the proved entries say.
    pub rows: Vec<String>,
}

/// The entries of a volume from its beginning, as far as they and their sheets are whole: their leaves.
pub(super) fn intact(reader: &LogReader, first: u64) -> Result<Vec<Hash>> {
    let mut leaves = Vec::new();
    for bundle in 0.. {
        let entries = reader.bundle(bundle)?;
        let mut sheets = reader.sheets(bundle)?;
        for bytes in &entries {
            let text = sheets.next_stored()?.and_then(|stored| book::unpack(&stored).ok());
            let due = first + leaves.len() as u64;
            let whole = Entry::parse(bytes).is_ok_and(|entry| {
                entry.seq == due && text.is_some_and(|text| sheet::root(&text) == entry.sheet)
            });
            if !whole {
                return Ok(leaves);
            }
            leaves.push(tree::leaf(bytes));
        }
        if entries.len() as u64 != tiles::WIDTH {
            break;
        }
    }
    Ok(leaves)
}

/// Every tile over these leaves, level by level.
pub(super) fn tiles_over(leaves: &[Hash]) -> Vec<(String, Vec<u8>)> {
    let width = usize::try_from(tiles::WIDTH).unwrap_or(256);
    let mut all = Vec::new();
    let mut row = leaves.to_vec();
    for level in 0_u32.. {
        let mut above = Vec::new();
        for (index, chunk) in row.chunks(width).enumerate() {
            all.push((tiles::tile_path(level, index as u64), chunk.as_flattened().to_vec()));
            if chunk.len() == width {
                let mut frontier = Frontier::new();
                frontier.push_all(chunk.to_vec());
                above.push(frontier.root());
            }
        }
        if above.is_empty() {
            break;
        }
        row = above;
    }
    all
}

/// Whether a volume is what its signed checkpoint says: entries, sheets and tiles.
fn is_sound(reader: &LogReader, first: u64, leaves: &[Hash]) -> bool {
    let Ok(Some((_, checkpoint, _))) = shelf::signed(reader) else { return false };
    let Some(signed) = usize::try_from(checkpoint.size).ok().and_then(|size| leaves.get(..size))
    else {
        return false;
    };
    let number = volume::split(&checkpoint.origin).1;
    let head = reader.head().ok().flatten().and_then(|head| shelf::opening_of(&head));
    let begins = number == 1 || head.is_some_and(|(seq, _)| seq == first);
    let mut frontier = Frontier::new();
    frontier.push_all(signed.to_vec());
    let same = |(path, bytes): &(String, Vec<u8>)| {
        // a tile may hold more than is signed yet
        reader.bytes(path).is_ok_and(|stored| stored.starts_with(bytes))
    };
    begins && frontier.root() == checkpoint.root && tiles_over(signed).iter().all(same)
}

/// The number of the first entry of the newest volume, also where that entry cannot be read any more.
async fn first_of(db: &Db, shelf: &Shelf, nth: u64) -> Result<u64> {
    if nth == 1 {
        return Ok(0);
    }
    if let Some((seq, _)) = shelf.opening_after(nth - 1)? {
        return Ok(seq);
    }
    let sql = "SELECT MAX(log_seq) AS seq FROM act_journal WHERE action = $1";
    let row = db.fetch_one(sql, &[OPEN.into()]).await?;
    let seq = row.opt_int("seq")?.and_then(|seq| u64::try_from(seq).ok());
    seq.ok_or_else(|| Error::Corrupt("找不到启用本册的条目".into()))
}

/// Puts the newest volume away and opens the next, by decision. `None` where it is sound. The files
/// follow when the log is opened.
pub async fn freeze(
    db: &Db,
    folder: &Path,
    actor: &Actor,
    reason: &str,
    wanted: &Wanted,
) -> Result<Option<Frozen>> {
    if opening_waiting(db).await?.is_some() {
        return Err(Error::Other("正在启用新册，请先启动一次节点".into()));
    }
    let shelf = Shelf::new(folder);
    let nth = shelf.closed()?.last().copied().unwrap_or(0) + 1;
    let reader = shelf.reader(nth);
    let first = first_of(db, &shelf, nth).await?;
    let leaves = intact(&reader, first)?;
    // an entry that was planted stops the signing like a broken file
    if is_sound(&reader, first, &leaves) && seals::unsealed(db).await?.is_empty() {
        return Ok(None);
    }
    let key = reader.text(KEY)?.ok_or_else(|| Error::Corrupt("监管日志缺少公钥".into()))?;
    let key = VerifierKey::parse(&key).map_err(wrong)?;
    let origin = volume::origin(&volume::split(&key.name).0, nth);
    let signed = shelf::signed(&reader).ok().flatten().map(|(_, checkpoint, _)| checkpoint);
    let (size, root) = last_good(&reader, &leaves, signed.as_ref().map(|it| (it.size, it.root)))?;
    let act = Act::new(actor, OPEN, "log").because(reason);
    let mut tx = db.begin(Lane::People, act).await?;
    // from here on nobody else makes an entry
    tx.note().await?;
    let head = tx.fetch_optional("SELECT entries FROM change_head WHERE id = 1", &[]).await?;
    let end = head.map(|head| head.int("entries")).transpose()?.unwrap_or(0);
    let end = u64::try_from(end).unwrap_or(0);
    let mut snapshot = db.snapshot().await?;
    let mut known = verify::known(&mut snapshot, &shelf, wanted, size, root).await?;
    drop(snapshot);
    let mut past = shelf.past()?;
    past.push((first + size, end));
    let mut retold = Some(Retold::new(&mut known.fold, end));
    restate(&mut tx, db, &past, &mut retold).await?;
    let walked: Vec<(&LogReader, u64)> =
        known.walked.iter().map(|(reader, bundles)| (reader, *bundles)).collect();
    let mut otherwise = match retold {
        Some(retold) => retold.done(&walked)?,
        None => Vec::new(),
    };
    otherwise.retain(|one| !verify::is_erased(&known.fold, &one.table, &one.key));
    let rows: Vec<String> = otherwise.into_iter().map(|one| one.line).collect();
    let damage = Damage {
        digest: Damage::digest_of(&rows),
        entries: end.saturating_sub(first + size),
        lost: known.lost,
        rows: rows.len() as u64,
        signed: signed.map_or(size, |signed| signed.size),
    };
    tx.execute("DELETE FROM log_pending WHERE seq < $1", &[number(end).into()]).await?;
    let told = Some(damage.clone());
    let opening = Opening { cause: Cause::Freeze, damage: told, first, origin, root, size };
    tx.open_volume(opening);
    tx.commit().await?;
    Ok(Some(Frozen { volume: nth, proved: first + size, damage, rows }))
}

/// The newest checkpoint that was signed once and that the whole entries still lead to.
fn last_good(
    reader: &LogReader,
    leaves: &[Hash],
    signed: Option<(u64, Hash)>,
) -> Result<(u64, Hash)> {
    let mut known: BTreeSet<(u64, Hash)> = signed.into_iter().collect();
    let history = reader.bytes(HISTORY).unwrap_or_default();
    for line in String::from_utf8_lossy(&history).lines() {
        let mut parts = line.split('\t').skip(1);
        let size = parts.next().and_then(|size| size.parse::<u64>().ok());
        let mut root = [0; 32];
        let read = parts.next().is_some_and(|text| hex::decode_to_slice(text, &mut root).is_ok());
        known.extend(size.filter(|_| read).map(|size| (size, root)));
    }
    let mut frontier = Frontier::new();
    let mut good = (0, tree::empty());
    for (size, root) in known {
        let from = usize::try_from(frontier.size()).unwrap_or(usize::MAX);
        let Some(next) = usize::try_from(size).ok().and_then(|to| leaves.get(from..to)) else {
            break;
        };
        frontier.push_all(next.to_vec());
        if frontier.root() == root {
            good = (size, root);
        }
    }
    Ok(good)
}
