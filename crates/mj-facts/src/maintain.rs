//! Upkeep: hot rows become segments, and files nobody needs are moved away and later removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use mj_platform::new_id;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::{Error, Result};
use crate::index::{Index, MarkKind, RowRef, Seg};
use crate::manifest::{self, CommitEntry, Head};
use crate::model::{NO_DATE, NO_MENTION, Op, Receipt, TableSpec};
use crate::reader::SegmentFile;
use crate::segment::{RunBuilder, RunPlace, RunRow, SegmentDone, SegmentWriter};
use crate::store::{FactStore, begin, blocking};

/// Hot rows of a table that make a flush due.
const FLUSH_ROWS: u64 = 20_000;
const DAY: i64 = 24 * 3600 * 1_000_000;
const ORPHANS: &str = ".orphans";

/// What a round of upkeep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    pub flushed_rows: u64,
    pub orphans_moved: u64,
    pub orphans_removed: u64,
}

/// A hot row as it goes into a file.
struct Flushed {
    rid: u32,
    cd_id: String,
    norm: String,
    values: Vec<Option<String>>,
    row: RunRow,
}

impl FactStore {
    /// Flushes tables with many hot rows and sweeps orphans: at start and daily, or as often as liked.
    pub async fn maintain(&self, specs: &[TableSpec]) -> Result<Work> {
        let mut work = Work::default();
        let held: FxHashMap<String, u64> =
            manifest::hot_counts(&self.inner.db).await?.into_iter().collect();
        for spec in specs {
            if held.get(&spec.name).is_some_and(|rows| *rows >= FLUSH_ROWS) {
                work.flushed_rows += self.flush(spec).await?;
            }
        }
        let swept = self.sweep().await?;
        Ok(Work { flushed_rows: work.flushed_rows, ..swept })
    }

    /// Turns all hot rows of a table into one segment; returns how many. Rows keep their positions
    /// and their history, so every past state stays what it was. Takes transactions of its own.
    pub async fn flush(&self, spec: &TableSpec) -> Result<u64> {
        let _one_at_a_time = self.inner.upkeep.lock().await;
        // rows of a commit that is still open must stay where they are
        let head = manifest::head(&self.inner.db).await?;
        self.reconcile(&head, false);
        let table = self.table(spec).await?;
        table.check_writable()?;
        let (rows, words) = gather(&table.index(), spec, head.pos);
        if rows.is_empty() {
            return Ok(0);
        }
        let registration = new_id();
        let mut tx = begin(&self.inner.db, "facts.flush").await?;
        let lease = tx.now() + DAY;
        let number =
            manifest::begin_stage(&mut tx, &registration, &spec.name, "", "flush", lease, 1)
                .await?;
        tx.commit().await?;
        let (disk, shared) = (self.inner.disk.clone(), Arc::new(spec.clone()));
        let written = blocking(move || {
            disk.make_folder(&shared.name).map_err(Error::io(&shared.name))?;
            let mut writer = SegmentWriter::new(disk, shared.clone(), number..=number);
            let mut places = Vec::new();
            let mut run = RunBuilder::new(&shared);
            for flushed in &rows {
                let values = flushed.values.iter().map(Option::as_deref);
                let norm = (!flushed.norm.is_empty()).then_some(flushed.norm.as_str());
                run.push(flushed.row, &flushed.cd_id, norm, values);
                if run.is_full() {
                    writer.write(run.finish(&words))?;
                }
            }
            if run.rows() > 0 {
                writer.write(run.finish(&words))?;
            }
            let (done, order) = writer.finish()?;
            places.extend(order);
            Ok((rows, done, places))
        })
        .await;
        let (rows, done, places) = match written {
            Ok(written) => written,
            Err(error) => {
                if matches!(error, Error::ReadOnly { .. }) {
                    table.close_for_writing();
                }
                // no transaction was begun; what cannot be removed now is swept later
                let _ = self.inner.disk.remove(&crate::segment::path(&spec.name, number));
                return Err(error);
            }
        };
        self.commit_flush(spec, &registration, rows, &done, places).await
    }

    async fn commit_flush(
        &self,
        spec: &TableSpec,
        registration: &str,
        rows: Vec<Flushed>,
        done: &[SegmentDone],
        places: Vec<RunPlace>,
    ) -> Result<u64> {
        let mut tx = begin(&self.inner.db, "facts.flush").await?;
        let (before, _) = manifest::lock_head(&mut tx).await?;
        if !manifest::end_stage(&mut tx, registration).await? {
            return Err(Error::StageLost { table: spec.name.clone() });
        }
        self.reconcile(&before, true);
        let table = self.table(spec).await?;
        let head = Head { pos: before.pos + 1, commit_id: new_id() };
        let Some(segment) = done.first() else { return Ok(0) };
        let file = SegmentFile::open(
            &*self.inner.disk,
            &spec.name,
            segment.number,
            segment.bytes,
            segment.blocks.clone(),
        )?;
        let marks = move_rows(&mut table.index_mut(), &rows, segment, file, &places)?;
        // no await in between: memory is changed and noted as pending together
        self.push_pending(head.clone(), table.clone());
        manifest::set_head(&mut tx, &head.commit_id, 0).await?;
        let receipt = Receipt::default();
        let entry = CommitEntry {
            id: &head.commit_id,
            pos: head.pos,
            table: &spec.name,
            batch: "",
            kind: "flush",
            stored: 0,
            receipt: &receipt,
            root: String::new(),
        };
        manifest::insert_commit(&mut tx, entry).await?;
        manifest::insert_segments(&mut tx, spec, head.pos, "flush", done).await?;
        let marks =
            marks.iter().map(|((pos, kind), rows)| (segment.number, *pos, *kind, &rows[..]));
        manifest::insert_marks(&mut tx, &spec.name, marks).await?;
        let rids: Vec<u32> = rows.iter().map(|row| row.rid).collect();
        let gone = manifest::delete_hot(&mut tx, &rids).await?;
        if gone != rids.len() as u64 {
            return Err(Error::Manifest(format!("表 {} 的近期行在转存时已变动", spec.name)));
        }
        tx.commit().await?;
        Ok(gone)
    }

    /// Files that no manifest row names and no live load may be writing, older than a day, are moved
    /// aside and removed after a week. Moved, because after restoring an older database by mistake
    /// today's segments look like orphans.
    pub async fn sweep(&self) -> Result<Work> {
        let _one_at_a_time = self.inner.upkeep.lock().await;
        let mut tx = begin(&self.inner.db, "facts.sweep").await?;
        let now = tx.now();
        let live = manifest::live_stages(&mut tx, now).await?;
        tx.commit().await?;
        // read after the stages: a load that ended in between is named by now
        let named: FxHashSet<String> = manifest::named_files(&self.inner.db)
            .await?
            .into_iter()
            .map(|(table, number)| crate::segment::path(&table, number))
            .collect();
        let disk = self.inner.disk.clone();
        blocking(move || sweep(&*disk, &named, &live, now)).await
    }
}

fn sweep(
    disk: &dyn crate::disk::Disk,
    named: &FxHashSet<String>,
    live: &[(u32, u32)],
    now: i64,
) -> Result<Work> {
    let mut work = Work::default();
    let list = |folder: &str| disk.list(folder).map_err(Error::io(folder));
    for folder in list("")?.into_iter().filter(|e| e.is_folder && e.name != ORPHANS) {
        for file in list(&folder.name)? {
            let path = format!("{}/{}", folder.name, file.name);
            let number = file.name.strip_suffix(".parquet");
            let number = number.and_then(|number| u32::from_str_radix(number, 16).ok());
            let is_live = number.is_some_and(|number| {
                live.iter().any(|(first, last)| (*first..=*last).contains(&number))
            });
            if named.contains(&path) || is_live || file.modified_at > now - DAY {
                continue;
            }
            disk.make_folder(ORPHANS).map_err(Error::io(ORPHANS))?;
            // the day of moving stands in the name: renaming does not touch the time of the file
            let aside = format!("{ORPHANS}/{}-{}-{}", now / DAY, folder.name, file.name);
            disk.rename(&path, &aside).map_err(Error::io(&path))?;
            work.orphans_moved += 1;
        }
    }
    if let Ok(orphans) = disk.list(ORPHANS) {
        for orphan in orphans {
            let moved = orphan.name.split('-').next().and_then(|day| day.parse::<i64>().ok());
            if moved.is_some_and(|day| day + 7 <= now / DAY) {
                let path = format!("{ORPHANS}/{}", orphan.name);
                disk.remove(&path).map_err(Error::io(&path))?;
                work.orphans_removed += 1;
            }
        }
    }
    Ok(work)
}

/// The committed hot rows, with their words (batches included) in a list of their own.
fn gather(index: &Index, spec: &TableSpec, pos: u64) -> (Vec<Flushed>, crate::index::Words) {
    let mut words = crate::index::Words::default();
    let mut rids: Vec<u32> =
        index.hot.iter().filter(|(_, row)| row.at <= pos).map(|(rid, _)| *rid).collect();
    rids.sort_unstable();
    let rows = rids
        .into_iter()
        .map(|rid| {
            let row = &index.hot[&rid];
            let (cd_source, cd_id) = index.key(row.slot);
            let mut object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&row.doc.values).unwrap_or_default();
            let values = spec
                .columns
                .iter()
                .map(|column| match object.remove(&column.name) {
                    Some(serde_json::Value::String(text)) => Some(text),
                    _ => None,
                })
                .collect();
            Flushed {
                rid,
                cd_id: cd_id.to_owned(),
                norm: row.doc.norm.to_string(),
                values,
                row: RunRow {
                    cd_time: row.seen,
                    content: row.doc.content,
                    business: row.doc.business,
                    op: row.op,
                    mention: row.mention,
                    date: row.date,
                    area: words.number(index.words.word(row.area)),
                    agency: words.number(index.words.word(row.agency)),
                    source: words.number(cd_source),
                    batch: words.number(&row.doc.batch),
                    delivery_row: row.doc.delivery_row,
                    at: row.at,
                    // a death that is not committed yet is none; it becomes a mark
                    to: if row.dead <= pos { row.dead } else { 0 },
                },
            }
        })
        .collect();
    (rows, words)
}

type FlushMarks = BTreeMap<(u64, MarkKind), Vec<(u32, i64)>>;

/// Moves rows from hot to the new segment in memory. What happened to them since the file was
/// written, and when they were hidden and shown, comes back as marks at the original positions.
fn move_rows(
    index: &mut Index,
    rows: &[Flushed],
    segment: &SegmentDone,
    file: Arc<SegmentFile>,
    places: &[RunPlace],
) -> Result<FlushMarks> {
    if rows.iter().any(|row| !index.hot.contains_key(&row.rid)) {
        return Err(Error::Manifest("近期行在转存时消失".into()));
    }
    let count = segment.rows as usize;
    let mut seg = Seg {
        number: segment.number,
        pos: 0,
        ats: vec![0; count],
        mention: vec![NO_MENTION; count],
        date: vec![NO_DATE; count],
        area: vec![0; count],
        agency: vec![0; count],
        lines: vec![0; count],
        slot: vec![0; count],
        by_mention: Vec::new(),
        deletions: FxHashSet::default(),
        dead: FxHashMap::default(),
        flips: FxHashMap::default(),
        seen: FxHashMap::default(),
        file,
    };
    let mut marks = FlushMarks::default();
    let number = index.segs.len();
    let mut first = 0;
    for place in places {
        for (row, from) in (place.base..).zip(&place.order) {
            let flushed = &rows[first + *from as usize];
            let Some(held) = index.drop_hot(flushed.rid) else { continue };
            let at = row as usize;
            seg.ats[at] = held.at;
            seg.mention[at] = held.mention;
            seg.date[at] = held.date;
            seg.area[at] = held.area;
            seg.agency[at] = held.agency;
            seg.lines[at] = held.lines;
            seg.slot[at] = held.slot;
            if held.op == Op::Delete {
                seg.deletions.insert(row);
            }
            if held.dead != 0 {
                seg.dead.insert(row, held.dead);
                if flushed.row.to == 0 {
                    marks.entry((held.dead, MarkKind::Dead)).or_default().push((row, 0));
                }
            }
            for (pos, hidden) in &held.flips {
                let kind = if *hidden { MarkKind::Hidden } else { MarkKind::Shown };
                marks.entry((*pos, kind)).or_default().push((row, 0));
            }
            if held.seen != flushed.row.cd_time {
                seg.seen.insert(row, held.seen);
                marks.entry((held.at, MarkKind::Seen)).or_default().push((row, held.seen));
            }
            if !held.flips.is_empty() {
                seg.flips.insert(row, held.flips);
            }
            index.moved(held.slot, RowRef::hot(flushed.rid), RowRef::in_seg(number, row));
            index.remember_move(flushed.rid, number, row);
        }
        first += place.order.len();
    }
    seg.sort_mentions();
    index.segs.push(seg);
    Ok(marks)
}
