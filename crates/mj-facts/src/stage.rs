//! Staging: rows on their way in, invisible until committed. Few rows stay in memory and become hot
//! rows; many go run by run to a thread that sorts and writes them, so that the second core helps.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::{Error, Result};
use crate::index::{Current, HotDoc, Input, Load, Seg, Storage};
use crate::model::{FactIn, NO_DATE, NO_MENTION, Op, TableSpec, item_lines};
use crate::reader::SegmentFile;
use crate::segment::{Run, RunBuilder, RunPlace, RunRow, SegmentDone, SegmentWriter, path};
use crate::slots::Slots;
use crate::store::{Inner, Table};

/// Loads of at most this many rows become hot rows.
pub(crate) const HOT_ROWS: usize = 2_000;
/// Segment numbers given to one load: some 64 million rows.
pub(crate) const NUMBERS: u32 = 64;
const LONGEST_KEY: usize = 512;

type Written = (Vec<SegmentDone>, Vec<RunPlace>);

/// Files of a load that go again unless it is committed.
#[derive(Debug)]
pub(crate) struct Files {
    inner: Arc<Inner>,
    table: String,
    numbers: RangeInclusive<u32>,
    keep: bool,
}

impl Files {
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // numbers are used in order; what cannot be removed now is swept later
        for number in self.numbers.clone() {
            if self.inner.disk.remove(&path(&self.table, number)).is_err() {
                break;
            }
        }
    }
}

struct Small {
    norm: Option<Box<str>>,
    values: Vec<Option<Box<str>>>,
}

struct Writer {
    runs: SyncSender<Run>,
    thread: JoinHandle<Result<Written>>,
}

/// A load being gathered. [`Stage::push`] and [`Stage::finish`] block: use them off the async
/// threads. Dropping a stage leaves nothing behind.
pub struct Stage {
    inner: Arc<Inner>,
    table: Arc<Table>,
    spec: Arc<TableSpec>,
    items: Option<usize>,
    batch: Arc<str>,
    batch_word: u32,
    /// The position this load was begun at.
    seen_to: u64,
    registration: Option<String>,
    numbers: Option<RangeInclusive<u32>>,
    load: Load,
    small: Vec<Small>,
    is_small: bool,
    /// The latest input of each record in this load, by record hash.
    latest: Slots,
    /// What those inputs do not say themselves of the record's state. `None`: nobody can say, since
    /// a load that came between may still be rolled back.
    states: FxHashMap<u32, Option<Current>>,
    run: RunBuilder,
    run_inputs: Vec<u32>,
    runs: Vec<Vec<u32>>,
    writer: Option<Writer>,
    // dropped last: after the writer was joined
    files: Option<Files>,
}

/// A load whose files are durable, ready for [`crate::FactStore::commit`].
pub struct Staged {
    pub(crate) spec: Arc<TableSpec>,
    pub(crate) batch: Arc<str>,
    pub(crate) registration: Option<String>,
    pub(crate) load: Load,
    pub(crate) storage: Storage,
    pub(crate) done: Vec<SegmentDone>,
    pub(crate) files: Option<Files>,
}

impl Staged {
    pub fn rows(&self) -> usize {
        self.load.inputs.len()
    }
}

impl Stage {
    /// `numbers` = `None`: everything stays in memory, however much it is.
    pub(crate) fn new(
        inner: Arc<Inner>,
        table: Arc<Table>,
        spec: Arc<TableSpec>,
        batch: &str,
        seen_to: u64,
        registration: Option<String>,
        numbers: Option<RangeInclusive<u32>>,
    ) -> Self {
        let mut load = Load::default();
        let batch_word = load.words.number(batch);
        let files = numbers.clone().map(|numbers| Files {
            inner: inner.clone(),
            table: spec.name.clone(),
            numbers,
            keep: false,
        });
        Self {
            run: RunBuilder::new(&spec),
            items: spec.items(),
            inner,
            table,
            spec,
            batch: batch.into(),
            batch_word,
            seen_to,
            registration,
            numbers,
            load,
            small: Vec::new(),
            is_small: true,
            latest: Slots::default(),
            states: FxHashMap::default(),
            run_inputs: Vec::new(),
            runs: Vec::new(),
            writer: None,
            files,
        }
    }

    pub fn push<V: AsRef<str>>(&mut self, row: &FactIn<'_, V>) -> Result<()> {
        self.check(row)?;
        let number = self.load.inputs.len() as u32;
        let items = self.items.and_then(|at| row.values[at].as_ref()).map(AsRef::as_ref);
        let load = &mut self.load;
        let input = Input {
            hash: self.inner.hasher.record(row.cd_source, row.cd_id),
            cd_time: row.cd_time,
            content: crate::hash::fold(row.content),
            mention: row.mention.unwrap_or(NO_MENTION),
            business: self.inner.hasher.business(row.business_key),
            date: row.event_date.unwrap_or(NO_DATE),
            area: load.words.number(row.area.unwrap_or("")),
            agency: load.words.number(row.agency.unwrap_or("")),
            lines: items.map_or(0, |codes| load.words.number(&item_lines(codes))),
            source: load.words.number(row.cd_source),
            text: load.text.len() as u32,
            delivery_row: row.row,
            seg: 0,
            len: row.cd_id.len() as u16,
            row: number,
            op: row.op,
        };
        load.text.extend_from_slice(row.cd_id.as_bytes());
        load.inputs.push(input);
        if self.is_small {
            self.small.push(Small {
                norm: row.norm.map(Into::into),
                values: row
                    .values
                    .iter()
                    .map(|value| value.as_ref().map(|text| text.as_ref().into()))
                    .collect(),
            });
            if self.numbers.is_some() && self.small.len() > HOT_ROWS {
                self.grow_big()?;
            }
            return Ok(());
        }
        let values = row.values.iter().map(|value| value.as_ref().map(AsRef::as_ref));
        self.push_big(number, row.cd_id, row.norm, values)
    }

    fn check<V: AsRef<str>>(&self, row: &FactIn<'_, V>) -> Result<()> {
        let refuse = |reason: String| {
            Err(Error::Row { table: self.spec.name.clone(), row: row.row, reason })
        };
        if row.values.len() != self.spec.columns.len() {
            return refuse(format!(
                "应有 {} 列，实有 {}",
                self.spec.columns.len(),
                row.values.len()
            ));
        }
        if row.cd_id.len() > LONGEST_KEY || row.cd_source.len() > LONGEST_KEY {
            return refuse(format!("记录编号超过 {LONGEST_KEY} 字节"));
        }
        if self.load.inputs.len() >= i32::MAX as usize
            || self.load.text.len() + LONGEST_KEY > u32::MAX as usize
        {
            return refuse("一批的行数超过上限".into());
        }
        Ok(())
    }

    /// Tests write files for a handful of rows.
    #[cfg(test)]
    pub(crate) fn into_files(mut self) -> Result<Self> {
        self.grow_big()?;
        Ok(self)
    }

    /// More rows than hot ones may be: start writing files, with the rows kept so far first.
    fn grow_big(&mut self) -> Result<()> {
        self.is_small = false;
        let folder = &self.spec.name;
        self.inner.disk.make_folder(folder).map_err(Error::io(folder))?;
        for (number, small) in std::mem::take(&mut self.small).into_iter().enumerate() {
            let cd_id = self.load.id_of(&self.load.inputs[number]).to_owned();
            let values = small.values.iter().map(Option::as_deref);
            self.push_big(number as u32, &cd_id, small.norm.as_deref(), values)?;
        }
        Ok(())
    }

    fn push_big<'v>(
        &mut self,
        number: u32,
        cd_id: &str,
        norm: Option<&str>,
        values: impl Iterator<Item = Option<&'v str>>,
    ) -> Result<()> {
        if self.is_known(number, cd_id) {
            self.load.inputs[number as usize].seg = Input::NOT_STORED;
            return Ok(());
        }
        let input = &self.load.inputs[number as usize];
        let row = RunRow {
            cd_time: input.cd_time,
            content: input.content,
            business: input.business,
            op: input.op,
            mention: input.mention,
            date: input.date,
            area: input.area,
            agency: input.agency,
            source: input.source,
            batch: self.batch_word,
            delivery_row: input.delivery_row,
            at: 0,
            to: 0,
        };
        self.run.push(row, cd_id, norm, values);
        self.run_inputs.push(number);
        if self.run.is_full() { self.send_run() } else { Ok(()) }
    }

    /// Whether the record already has this content, so that the values need not be stored. The
    /// commit looks again; this only follows each record's state through the load.
    fn is_known(&mut self, number: u32, cd_id: &str) -> bool {
        let load = &self.load;
        let input = &load.inputs[number as usize];
        let place = self.latest.find(input.hash, |other| {
            let other = &load.inputs[other as usize];
            other.hash == input.hash && other.source == input.source && load.id_of(other) == cd_id
        });
        let current = match place {
            Some(place) => {
                let other = self.latest.get(place);
                let said = &load.inputs[other as usize];
                let said = Current { cd_time: said.cd_time, content: said.content, op: said.op };
                match self.states.get(&other).copied().unwrap_or(Some(said)) {
                    Some(current) => Some(current),
                    None => return false,
                }
            }
            None => {
                let index = self.table.index();
                let source = load.words.word(input.source);
                match index.find(input.hash, source, cd_id) {
                    None => None,
                    Some(slot) => {
                        let current = index.current(slot, self.seen_to);
                        let sure = current.filter(|_| !self.table.unconfirmed().contains(&slot));
                        if sure.is_none() {
                            self.latest.insert(input.hash, number, |other| {
                                load.inputs[other as usize].hash
                            });
                            self.states.insert(number, None);
                            return false;
                        }
                        sure
                    }
                }
            }
        };
        let same = current
            .is_some_and(|current| current.op == input.op && current.content == input.content);
        let older = current.is_some_and(|current| input.cd_time < current.cd_time);
        let handle = match place {
            Some(place) if same || older => self.latest.get(place),
            Some(place) => {
                self.states.remove(&self.latest.get(place));
                self.latest.set(place, number);
                number
            }
            None => {
                self.latest.insert(input.hash, number, |other| load.inputs[other as usize].hash);
                number
            }
        };
        // the record's state after this row, where the input at `handle` does not say it itself
        if let Some(current) = current
            && (same || older)
        {
            let state = Current { cd_time: current.cd_time.max(input.cd_time), ..current };
            self.states.insert(handle, Some(state));
        }
        same
    }

    fn send_run(&mut self) -> Result<()> {
        let run = self.run.finish(&self.load.words);
        self.runs.push(std::mem::take(&mut self.run_inputs));
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.start_writer()?,
        };
        if writer.runs.send(run).is_err() {
            // the thread ended early: its result says why
            return Err(match self.join(writer) {
                Err(error) => error,
                Ok(_) => Error::Manifest("写入线程提前结束".into()),
            });
        }
        self.writer = Some(writer);
        Ok(())
    }

    fn start_writer(&self) -> Result<Writer> {
        let Some(numbers) = self.numbers.clone() else {
            return Err(Error::Manifest("没有数据段编号".into()));
        };
        let mut writer = SegmentWriter::new(self.inner.disk.clone(), self.spec.clone(), numbers);
        // no buffer: one run is gathered while another is written, and no third waits
        let (runs, incoming) = sync_channel::<Run>(0);
        let thread = std::thread::Builder::new()
            .name("facts-writer".into())
            .spawn(move || {
                // it only fills files nobody waits for; the load's own transactions come first
                mj_platform::rank::below_others();
                for run in incoming {
                    writer.write(run)?;
                }
                writer.finish()
            })
            .map_err(Error::io(&self.spec.name))?;
        Ok(Writer { runs, thread })
    }

    fn join(&self, writer: Writer) -> Result<Written> {
        drop(writer.runs);
        let written = match writer.thread.join() {
            Ok(written) => written,
            Err(_) => Err(Error::Manifest("写入线程崩溃".into())),
        };
        if let Err(Error::ReadOnly { .. }) = written {
            self.table.close_for_writing();
        }
        written
    }

    /// Makes the load durable; it stays invisible until it is committed.
    pub fn finish(mut self) -> Result<Staged> {
        let (storage, done) = if self.is_small {
            (Storage::Hot { first: 0, docs: self.take_docs() }, Vec::new())
        } else {
            if self.run.rows() > 0 {
                self.send_run()?;
            }
            let (done, places) = match self.writer.take() {
                Some(writer) => self.join(writer)?,
                None => (Vec::new(), Vec::new()),
            };
            (Storage::Segments(self.segs(&done, places)?), done)
        };
        Ok(Staged {
            spec: self.spec.clone(),
            batch: self.batch.clone(),
            registration: self.registration.take(),
            load: std::mem::take(&mut self.load),
            storage,
            done,
            files: self.files.take(),
        })
    }

    fn take_docs(&mut self) -> Vec<HotDoc> {
        let columns = &self.spec.columns;
        std::mem::take(&mut self.small)
            .into_iter()
            .zip(&self.load.inputs)
            .map(|(small, input)| {
                let object: serde_json::Map<_, _> = columns
                    .iter()
                    .zip(small.values)
                    .filter_map(|(column, value)| {
                        Some((column.name.clone(), String::from(value?).into()))
                    })
                    .collect();
                HotDoc {
                    cd_time: input.cd_time,
                    content: input.content,
                    business: input.business,
                    batch: self.batch.clone(),
                    delivery_row: input.delivery_row,
                    norm: small.norm.unwrap_or_default(),
                    values: serde_json::Value::Object(object).to_string().into(),
                }
            })
            .collect()
    }

    /// The dense columns of the files written, and each input's place in them.
    fn segs(&mut self, done: &[SegmentDone], places: Vec<RunPlace>) -> Result<Vec<Seg>> {
        let mut segs = Vec::with_capacity(done.len());
        for segment in done {
            let rows = segment.rows as usize;
            segs.push(Seg {
                number: segment.number,
                pos: 0,
                ats: Vec::new(),
                mention: vec![NO_MENTION; rows],
                date: vec![NO_DATE; rows],
                area: vec![0; rows],
                agency: vec![0; rows],
                lines: vec![0; self.items.map_or(0, |_| rows)],
                slot: Vec::new(),
                by_mention: Vec::new(),
                deletions: FxHashSet::default(),
                dead: FxHashMap::default(),
                flips: FxHashMap::default(),
                seen: FxHashMap::default(),
                file: SegmentFile::open(
                    &*self.inner.disk,
                    &self.spec.name,
                    segment.number,
                    segment.bytes,
                    segment.blocks.clone(),
                )?,
            });
        }
        for (inputs, place) in self.runs.iter().zip(places) {
            let seg = &mut segs[usize::from(place.seg)];
            for (row, number) in (place.base..).zip(place.order) {
                let input = &mut self.load.inputs[inputs[number as usize] as usize];
                input.seg = place.seg;
                input.row = row;
                let row_at = row as usize;
                seg.mention[row_at] = input.mention;
                seg.date[row_at] = input.date;
                seg.area[row_at] = input.area;
                seg.agency[row_at] = input.agency;
                if let Some(lines) = seg.lines.get_mut(row_at) {
                    *lines = input.lines;
                }
                if input.op == Op::Delete {
                    seg.deletions.insert(row);
                }
            }
        }
        segs.iter_mut().for_each(Seg::sort_mentions);
        Ok(segs)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // the thread must have let go of its file before the files are removed
        if let Some(writer) = self.writer.take() {
            let _ = self.join(writer);
        }
    }
}
