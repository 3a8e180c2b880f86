//! Which entries wrote a row: looked up on the pages of records. Made by the sequencer from the
//! sheets it signs, behind people's acts and not in their transaction; can be made anew from the files.
//!
//! Loads are left out: their entries are found by the change number that a row carries.

use mj_kernel::Actor;
use mj_ledger::{Entry, sheet, tiles};

use super::files::Fresh;
use super::{Shelf, book, number};
use crate::db::door::{Act, WriteTx};
use crate::db::{Db, Lane, RowExt, Snapshot, Value};
use crate::error::Result;

pub(super) const TABLE: &str = "log_touch";
/// An act of more rows than this is a load.
const ROWS: i64 = 50;

/// The rows an entry wrote, as they are looked up; none of a load.
pub(super) fn objects(entry: &Entry, sheet: &str) -> Vec<String> {
    if entry.changes.rows > ROWS {
        return Vec::new();
    }
    let lines = sheet::lines(sheet).flatten();
    let mut objects: Vec<String> =
        lines.map(|line| format!("{}:{}", line.table, line.key)).collect();
    objects.sort_unstable();
    objects.dedup();
    objects
}

/// Entries and the rows they wrote.
#[derive(Default)]
pub(super) struct Touches(Vec<Vec<Value>>);

impl Touches {
    pub(super) fn of(first: u64, fresh: &[Fresh]) -> Self {
        let mut touches = Self::default();
        for (seq, one) in (first..).zip(fresh) {
            touches.add(seq, one.entry.as_bytes(), || Some(one.sheet.clone()));
        }
        touches
    }

    fn add(&mut self, seq: u64, entry: &[u8], stored: impl FnOnce() -> Option<Vec<u8>>) {
        let small = Entry::parse(entry).ok().filter(|entry| entry.changes.rows <= ROWS);
        let Some(entry) = small else { return };
        let Some(text) = stored().and_then(|stored| book::unpack(&stored).ok()) else { return };
        let objects = objects(&entry, &text).into_iter();
        self.0.extend(objects.map(|object| vec![object.into(), number(seq).into()]));
    }

    /// Writes them and that everything below `size` was looked at.
    pub(super) async fn keep(self, tx: &mut WriteTx, size: u64) -> Result<()> {
        let conflict = "ON CONFLICT (object, seq) DO NOTHING";
        tx.execute_many(TABLE, &["object", "seq"], &self.0, conflict).await?;
        let sql = "UPDATE log_touched SET size = $1 WHERE id = 1";
        tx.execute(sql, &[number(size).into()]).await.map(drop)
    }
}

/// How far the look-up was made.
pub(super) async fn reached(db: &Db) -> Result<u64> {
    let size = db.count("SELECT size FROM log_touched WHERE id = 1", &[]).await?;
    Ok(u64::try_from(size).unwrap_or_default())
}

/// The same as a snapshot shows it.
pub(super) async fn reached_in(snapshot: &mut Snapshot) -> Result<u64> {
    let rows = snapshot.fetch_all("SELECT size FROM log_touched WHERE id = 1", &[]).await?;
    let size = rows.first().map(|row| row.int("size")).transpose()?.unwrap_or_default();
    Ok(u64::try_from(size).unwrap_or_default())
}

/// Makes up for one bundle of entries that were signed before there was a look-up. Whether there may
/// be more.
pub(super) async fn catch_up(db: &Db, shelf: &Shelf, sealed: u64) -> Result<bool> {
    let from = reached(db).await?;
    if from >= sealed {
        return Ok(false);
    }
    let mut touches = Touches::default();
    let end = match shelf.holding(from)? {
        Some(volume) => {
            let bundle = volume.index(from) / tiles::WIDTH;
            let start = volume.first + bundle * tiles::WIDTH;
            let end = volume.end().min(start + tiles::WIDTH);
            let entries = volume.reader.bundle(bundle)?;
            let mut sheets = volume.reader.sheets(bundle)?;
            for (seq, entry) in (start..end).zip(&entries) {
                let stored = sheets.next_stored()?;
                if seq >= from {
                    touches.add(seq, entry, || stored);
                }
            }
            end
        }
        // past proof, behind the end of a frozen volume
        None => shelf.newest()?.map_or(sealed, |newest| newest.first.max(from + 1)).min(sealed),
    };
    let act = Act::new(&Actor::system("ledger"), "ledger.touch.make", "log");
    let mut tx = db.begin(Lane::Bulk, act).await?;
    touches.keep(&mut tx, end).await?;
    tx.commit().await?;
    Ok(end < sealed)
}
