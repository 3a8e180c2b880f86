//! Reading: an immutable state of one table. Every read is scoped. Methods block (they may read
//! files): call them off the async threads.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use mj_kernel::{AgencySet, Page, PageOf, Scope};
use mj_platform::gm::Sm3;
use rustc_hash::FxHashMap;

use crate::error::{Error, Result};
use crate::index::{HotDoc, Index, RowRef, RowState, Words};
use crate::model::{FactLine, FactRow, NO_DATE, NO_MENTION, Op, Pos, RowId, TableSpec, Version};
use crate::reader::{Column, Own, SegmentFile, optional_int, optional_text};
use crate::store::Table;

/// One state of one table, cheap to clone. It stays what it was while rows arrive.
#[derive(Clone)]
pub struct Snapshot {
    table: Arc<Table>,
    spec: Arc<TableSpec>,
    pos: Pos,
}

/// Which values to read, by place in the table's columns.
#[derive(Debug, Clone, Copy)]
pub enum Columns<'a> {
    All,
    Only(&'a [usize]),
}

/// Which rows to read; the default is all that are visible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// First and last event date.
    pub dates: Option<(i32, i32)>,
    pub mention: Option<i64>,
    /// Also rows hidden behind a smaller record key of the same business key.
    pub with_hidden: bool,
}

/// What to count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    Area,
    Agency,
    /// `2026-11`; rows without a date count under the empty text.
    Month,
}

enum Values<'a> {
    Segment { columns: &'a [Column<'a>], raw: Option<&'a str>, names: &'a [&'a str], at: usize },
    Hot { object: serde_json::Map<String, serde_json::Value>, names: &'a [&'a str] },
}

/// A stored row while it is being read.
pub struct RowView<'a> {
    pub row: RowId,
    pub cd_source: &'a str,
    pub cd_id: &'a str,
    pub cd_time: i64,
    pub op: Op,
    pub at: Pos,
    pub mention: Option<i64>,
    pub area: Option<&'a str>,
    pub agency: Option<&'a str>,
    pub event_date: Option<i32>,
    pub batch: &'a str,
    pub delivery_row: u32,
    pub norm: Option<&'a str>,
    values: Values<'a>,
}

impl RowView<'_> {
    /// The value of the `number`-th column asked for, as it was written.
    pub fn value(&self, number: usize) -> Option<Cow<'_, str>> {
        match &self.values {
            Values::Segment { columns, raw, names, at } => {
                let column = columns.get(number)?;
                let value = column.text(*at);
                match raw {
                    Some(raw) if value.is_none() && column.is_typed() => {
                        raw_value(raw, names.get(number)?).map(Cow::Owned)
                    }
                    _ => value,
                }
            }
            Values::Hot { object, names } => {
                Some(object.get(*names.get(number)?)?.as_str()?.into())
            }
        }
    }

    fn names(&self) -> usize {
        match &self.values {
            Values::Segment { names, .. } | Values::Hot { names, .. } => names.len(),
        }
    }

    pub fn to_row(&self) -> FactRow {
        FactRow {
            row: self.row,
            cd_source: self.cd_source.to_owned(),
            cd_id: self.cd_id.to_owned(),
            cd_time: self.cd_time,
            op: self.op,
            at: self.at,
            mention: self.mention,
            area: self.area.map(str::to_owned),
            agency: self.agency.map(str::to_owned),
            event_date: self.event_date,
            batch: self.batch.to_owned(),
            delivery_row: self.delivery_row,
            norm: self.norm.map(str::to_owned),
            values: (0..self.names())
                .map(|number| self.value(number).map(Cow::into_owned))
                .collect(),
        }
    }
}

/// A text that was not in its kind's canonical form.
fn raw_value(raw: &str, name: &str) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(raw).ok()?;
    Some(object.get(name)?.as_str()?.to_owned())
}

/// A scope against word numbers: each area and agency is judged once.
struct Sight {
    areas: Vec<bool>,
    agencies: Vec<bool>,
    /// `None`: the table names no items, or the scope is not held to lines.
    lines: Option<Vec<bool>>,
}

impl Sight {
    fn new(scope: &Scope, spec: &TableSpec, words: &Words) -> Self {
        let optional = |number| words.optional(number);
        let numbers = || 0..words.all().len() as u32;
        let sees_agency = |agency: Option<&str>| match agency {
            Some(agency) => scope.agencies.covers(agency),
            None => scope.agencies == AgencySet::All,
        };
        Self {
            areas: numbers().map(|word| scope.covers_area(optional(word))).collect(),
            agencies: numbers().map(|word| sees_agency(optional(word))).collect(),
            lines: (spec.items().is_some() && scope.item_lines != AgencySet::All)
                .then(|| numbers().map(|word| scope.covers_items(optional(word))).collect()),
        }
    }

    fn sees(&self, row: &RowState<'_>) -> bool {
        self.areas[row.area as usize]
            && self.agencies[row.agency as usize]
            && self.lines.as_ref().is_none_or(|lines| lines[row.lines as usize])
    }
}

/// Where wanted rows lie, taken under the lock so that files are read without it.
#[derive(Default)]
struct Wanted {
    /// Row, its position and newest time where these differ from the file.
    segments: Vec<(Arc<SegmentFile>, Vec<Cold>)>,
    hot: Vec<Hot>,
}

#[derive(Clone, Copy)]
struct Cold {
    row: u32,
    at: u64,
    seen: Option<i64>,
    slot: u32,
}

struct Hot {
    rid: u32,
    slot: u32,
    state: (u64, i64, Op, i64, i32),
    cd_source: String,
    cd_id: String,
    area: Option<String>,
    agency: Option<String>,
    doc: Arc<HotDoc>,
}

impl Wanted {
    fn gather(index: &Index, rows: impl Iterator<Item = RowRef>) -> Self {
        let mut cold: BTreeMap<u32, Vec<Cold>> = BTreeMap::new();
        let mut hot = Vec::new();
        for row in rows {
            let state = index.state(row);
            if row.seg == 0 {
                let held = &index.hot[&row.row];
                let (cd_source, cd_id) = index.key(state.slot);
                hot.push(Hot {
                    rid: row.row,
                    slot: state.slot,
                    state: (state.at, held.seen, state.op, state.mention, state.date),
                    cd_source: cd_source.to_owned(),
                    cd_id: cd_id.to_owned(),
                    area: index.words.optional(state.area).map(str::to_owned),
                    agency: index.words.optional(state.agency).map(str::to_owned),
                    doc: held.doc.clone(),
                });
            } else {
                let seen = index.segs[row.seg as usize - 1].seen.get(&row.row).copied();
                cold.entry(row.seg).or_default().push(Cold {
                    row: row.row,
                    at: state.at,
                    seen,
                    slot: state.slot,
                });
            }
        }
        let segments = cold
            .into_iter()
            .map(|(seg, mut rows)| {
                rows.sort_unstable_by_key(|cold| cold.row);
                rows.dedup_by_key(|cold| cold.row);
                (index.segs[seg as usize - 1].file.clone(), rows)
            })
            .collect();
        hot.sort_unstable_by_key(|row| row.rid);
        hot.dedup_by_key(|row| row.rid);
        Self { segments, hot }
    }

    /// Reads them: per segment in file order, then the hot ones.
    fn read(
        self,
        names: &[&str],
        each: &mut dyn FnMut(&RowView<'_>, u32) -> Result<()>,
    ) -> Result<()> {
        for (file, rows) in self.segments {
            read_segment(&file, &rows, names, each)?;
        }
        for hot in self.hot {
            let object = serde_json::from_str(&hot.doc.values)
                .map_err(|cause| Error::Manifest(format!("近期行的值损坏：{cause}")))?;
            let (at, cd_time, op, mention, date) = hot.state;
            let view = RowView {
                row: RowId::new(0, hot.rid),
                cd_source: &hot.cd_source,
                cd_id: &hot.cd_id,
                cd_time,
                op,
                at: Pos(at),
                mention: (mention != NO_MENTION).then_some(mention),
                area: hot.area.as_deref(),
                agency: hot.agency.as_deref(),
                event_date: (date != NO_DATE).then_some(date),
                batch: &hot.doc.batch,
                delivery_row: hot.doc.delivery_row,
                norm: (!hot.doc.norm.is_empty()).then_some(&*hot.doc.norm),
                values: Values::Hot { object, names },
            };
            each(&view, hot.slot)?;
        }
        Ok(())
    }
}

const OWN: &[&str] = &[
    "cd_source",
    "cd_id",
    "cd_time",
    "_op",
    "_mention",
    "_area",
    "_agency",
    "_date",
    "_batch",
    "_row",
    "_norm",
    "_raw",
];

fn read_segment(
    file: &Arc<SegmentFile>,
    rows: &[Cold],
    names: &[&str],
    each: &mut dyn FnMut(&RowView<'_>, u32) -> Result<()>,
) -> Result<()> {
    let mut columns: Vec<&str> = OWN.to_vec();
    columns.extend(names);
    let numbers: Vec<u32> = rows.iter().map(|cold| cold.row).collect();
    let batches = file.batches(&columns, Some(&numbers), numbers.len().clamp(1, 8192))?;
    let mut next = rows.iter();
    for batch in batches {
        let batch = batch
            .map_err(|cause| Error::Segment { segment: file.number, reason: cause.to_string() })?;
        read_batch(file.number, &batch, &mut next, names, each)?;
    }
    Ok(())
}

fn read_batch(
    segment: u32,
    batch: &RecordBatch,
    rows: &mut std::slice::Iter<'_, Cold>,
    names: &[&str],
    each: &mut dyn FnMut(&RowView<'_>, u32) -> Result<()>,
) -> Result<()> {
    let own = Own(batch);
    let (source, id, time) = (own.text("cd_source")?, own.text("cd_id")?, own.time("cd_time")?);
    let (op, mention, date) = (own.text("_op")?, own.int("_mention")?, own.date("_date")?);
    let (area, agency) = (own.text("_area")?, own.text("_agency")?);
    let (from, number) = (own.text("_batch")?, own.int("_row")?);
    let (norm, raw) = (own.text("_norm")?, own.text("_raw")?);
    let columns: Vec<Column<'_>> = names.iter().map(|name| Column::of(batch, name)).collect();
    for at in 0..batch.num_rows() {
        let Some(cold) = rows.next() else {
            return Err(Error::Segment { segment, reason: "读出的行多于所要的".into() });
        };
        let view = RowView {
            row: RowId::new(segment, cold.row),
            cd_source: source.value(at),
            cd_id: id.value(at),
            cd_time: cold.seen.unwrap_or(time.value(at)),
            op: Op::parse(op.value(at)),
            at: Pos(cold.at),
            mention: optional_int(mention, at),
            area: optional_text(area, at),
            agency: optional_text(agency, at),
            event_date: date.is_valid(at).then(|| date.value(at)),
            batch: from.value(at),
            delivery_row: u32::try_from(number.value(at)).unwrap_or(0),
            norm: optional_text(norm, at),
            values: Values::Segment { columns: &columns, raw: optional_text(raw, at), names, at },
        };
        each(&view, cold.slot)?;
    }
    Ok(())
}

impl Snapshot {
    pub(crate) fn new(table: Arc<Table>, spec: Arc<TableSpec>, pos: Pos) -> Self {
        Self { table, spec, pos }
    }

    pub fn pos(&self) -> Pos {
        self.pos
    }

    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn names<'a>(&'a self, columns: Columns<'_>) -> Vec<&'a str> {
        match columns {
            Columns::All => self.spec.columns.iter().map(|column| column.name.as_str()).collect(),
            Columns::Only(numbers) => numbers
                .iter()
                .filter_map(|number| Some(self.spec.columns.get(*number)?.name.as_str()))
                .collect(),
        }
    }

    fn find(&self, index: &Index, cd_source: &str, cd_id: &str) -> Option<u32> {
        // words first: a source nobody heard of has no records
        index.words.find(cd_source)?;
        index.find(self.table.hasher.record(cd_source, cd_id), cd_source, cd_id)
    }

    /// The record as it stands: neither deleted nor hidden behind a twin.
    pub fn by_key(&self, cd_source: &str, cd_id: &str, scope: &Scope) -> Result<Option<FactRow>> {
        let wanted = {
            let index = self.table.index();
            let sight = Sight::new(scope, &self.spec, &index.words);
            let row = self
                .find(&index, cd_source, cd_id)
                .and_then(|slot| index.alive_at(slot, self.pos.0))
                .filter(|row| {
                    let state = index.state(*row);
                    state.is_visible(self.pos.0) && sight.sees(&state)
                });
            Wanted::gather(&index, row.into_iter())
        };
        Ok(self.collect(wanted, Columns::All)?.pop())
    }

    fn collect(&self, wanted: Wanted, columns: Columns<'_>) -> Result<Vec<FactRow>> {
        let mut rows = Vec::new();
        wanted.read(&self.names(columns), &mut |view, _| {
            rows.push(view.to_row());
            Ok(())
        })?;
        Ok(rows)
    }

    /// Every stored version of a record, newest first, deletions and late arrivals included.
    pub fn versions(&self, cd_source: &str, cd_id: &str, scope: &Scope) -> Result<Vec<Version>> {
        let pos = self.pos.0;
        let (wanted, states) = {
            let index = self.table.index();
            let sight = Sight::new(scope, &self.spec, &index.words);
            let Some(slot) = self.find(&index, cd_source, cd_id) else { return Ok(Vec::new()) };
            let rows: Vec<RowRef> = index
                .rows_of(slot)
                .into_iter()
                .filter(|row| {
                    let state = index.state(*row);
                    state.at <= pos && sight.sees(&state)
                })
                .collect();
            let states: FxHashMap<RowId, (Option<u64>, bool)> = rows
                .iter()
                .map(|row| {
                    let state = index.state(*row);
                    (index.row_id(*row), (state.dead, state.is_hidden(pos)))
                })
                .collect();
            (Wanted::gather(&index, rows.into_iter()), states)
        };
        let mut versions: Vec<Version> = self
            .collect(wanted, Columns::All)?
            .into_iter()
            .map(|fact| {
                let (dead, hidden) = states[&fact.row];
                Version { fact, to: dead.filter(|dead| *dead <= pos).map(Pos), hidden }
            })
            .collect();
        versions.sort_by_key(|version| {
            Reverse((version.to.is_none(), version.fact.cd_time, version.fact.at, version.fact.row))
        });
        Ok(versions)
    }

    /// The visible rows of some mentions, newest event first.
    pub fn of_mentions(
        &self,
        mentions: &[i64],
        scope: &Scope,
        page: &Page,
    ) -> Result<PageOf<FactLine>> {
        let index = self.table.index();
        let sight = Sight::new(scope, &self.spec, &index.words);
        let mut mentions = mentions.to_vec();
        mentions.sort_unstable();
        mentions.dedup();
        let mut rows: Vec<RowRef> = mentions
            .into_iter()
            .flat_map(|mention| index.rows_of_mention(mention))
            .filter(|row| {
                let state = index.state(*row);
                state.is_visible(self.pos.0) && sight.sees(&state)
            })
            .collect();
        let newest_first = |a: (i32, u32), b: (i32, u32)| -> Ordering {
            b.0.cmp(&a.0).then_with(|| index.compare_keys(a.1, b.1))
        };
        let place = |row: RowRef| {
            let state = index.state(row);
            (state.date, state.slot)
        };
        rows.sort_by(|a, b| newest_first(place(*a), place(*b)));
        if let Some(cursor) = &page.cursor {
            let last = self.parse_cursor(&index, cursor).ok_or(Error::Cursor)?;
            let seen = rows.partition_point(|row| newest_first(place(*row), last).is_le());
            rows.drain(..seen);
        }
        let limit = page.limit();
        rows.truncate(limit as usize + 1);
        let page = PageOf::from_surplus(rows, limit, |row| {
            let (date, slot) = place(*row);
            format!("{date}.{:016x}", index.records[slot as usize].hash)
        });
        Ok(page.map(|row| {
            let state = index.state(row);
            let (cd_source, cd_id) = index.key(state.slot);
            FactLine {
                row: index.row_id(row),
                mention: state.mention,
                event_date: (state.date != NO_DATE).then_some(state.date),
                area: index.words.optional(state.area).map(str::to_owned),
                agency: index.words.optional(state.agency).map(str::to_owned),
                cd_source: cd_source.to_owned(),
                cd_id: cd_id.to_owned(),
                at: Pos(state.at),
            }
        }))
    }

    /// The mentions after a number that any stored row carries, shown or not: in no order.
    pub fn mentions_after(&self, after: i64) -> Vec<i64> {
        self.table.index().mentions_after(after)
    }

    /// A cursor names the record by its keyed hash: it says nothing about anybody.
    fn parse_cursor(&self, index: &Index, cursor: &str) -> Option<(i32, u32)> {
        let (date, hash) = cursor.split_once('.')?;
        Some((date.parse().ok()?, index.find_hash(u64::from_str_radix(hash, 16).ok()?)?))
    }

    /// Rows by place, in the order asked for; what is out of scope or gone is left out.
    pub fn fetch(
        &self,
        rows: &[RowId],
        columns: Columns<'_>,
        scope: &Scope,
    ) -> Result<Vec<FactRow>> {
        let (wanted, found) = {
            let index = self.table.index();
            let sight = Sight::new(scope, &self.spec, &index.words);
            let found: Vec<RowRef> = rows
                .iter()
                .filter_map(|row| index.row_ref(*row))
                .filter(|row| {
                    let state = index.state(*row);
                    state.at <= self.pos.0 && sight.sees(&state)
                })
                .collect();
            let ids: Vec<RowId> = found.iter().map(|row| index.row_id(*row)).collect();
            (Wanted::gather(&index, found.into_iter()), ids)
        };
        let facts: FxHashMap<RowId, FactRow> =
            self.collect(wanted, columns)?.into_iter().map(|fact| (fact.row, fact)).collect();
        Ok(found.iter().filter_map(|id| facts.get(id).cloned()).collect())
    }

    /// Every visible row once, in the order in which they lie.
    pub fn scan(
        &self,
        columns: Columns<'_>,
        filter: &Filter,
        scope: &Scope,
        each: &mut dyn FnMut(&RowView<'_>) -> Result<()>,
    ) -> Result<()> {
        self.wanted(filter, scope).read(&self.names(columns), &mut |view, _| each(view))
    }

    fn wanted(&self, filter: &Filter, scope: &Scope) -> Wanted {
        let index = self.table.index();
        let sight = Sight::new(scope, &self.spec, &index.words);
        let pos = self.pos.0;
        let rows = index.all_rows().filter(|row| {
            let state = index.state(*row);
            let visible = if filter.with_hidden {
                state.op != Op::Delete && state.is_alive(pos)
            } else {
                state.is_visible(pos)
            };
            visible
                && sight.sees(&state)
                && filter.mention.is_none_or(|mention| state.mention == mention)
                && filter.dates.is_none_or(|(from, to)| (from..=to).contains(&state.date))
        });
        Wanted::gather(&index, rows)
    }

    /// SM3 over all visible rows in the order of their record keys. `each` writes of a row whatever
    /// shall count; memory holds a digest a row.
    pub fn digest_in_key_order(
        &self,
        columns: Columns<'_>,
        each: &mut dyn FnMut(&RowView<'_>, &mut Vec<u8>) -> Result<()>,
    ) -> Result<[u8; 32]> {
        let scope = Scope::everything(mj_kernel::DataLevel::Personal);
        let mut digests: Vec<(u32, [u8; 32])> = Vec::new();
        let mut buffer = Vec::new();
        self.wanted(&Filter::default(), &scope).read(&self.names(columns), &mut |view, slot| {
            buffer.clear();
            each(view, &mut buffer)?;
            digests.push((slot, mj_platform::gm::sm3(&buffer)));
            Ok(())
        })?;
        let index = self.table.index();
        digests.sort_unstable_by(|a, b| index.compare_keys(a.0, b.0));
        let mut whole = Sm3::new();
        for (_, digest) in digests {
            whole.update(&digest);
        }
        Ok(whole.finish())
    }

    /// How many rows are visible.
    pub fn count(&self, scope: &Scope) -> u64 {
        let mut count = 0;
        self.each_state(scope, |_, _| count += 1);
        count
    }

    /// How many rows are visible, by area, agency or month.
    pub fn count_by(&self, dimension: Dimension, scope: &Scope) -> BTreeMap<String, u64> {
        let mut by_number: FxHashMap<i64, u64> = FxHashMap::default();
        self.each_state(scope, |_, state| {
            let number = match dimension {
                Dimension::Area => i64::from(state.area),
                Dimension::Agency => i64::from(state.agency),
                Dimension::Month => i64::from(state.date),
            };
            *by_number.entry(number).or_default() += 1;
        });
        let index = self.table.index();
        let mut counts = BTreeMap::new();
        for (number, count) in by_number {
            let name = match dimension {
                Dimension::Month if number == i64::from(NO_DATE) => String::new(),
                Dimension::Month => {
                    let day = crate::segment::date_text(number as i32);
                    day[..day.len() - 3].to_owned()
                }
                Dimension::Area | Dimension::Agency => index.words.word(number as u32).to_owned(),
            };
            *counts.entry(name).or_default() += count;
        }
        counts
    }

    fn each_state(&self, scope: &Scope, mut each: impl FnMut(RowRef, &RowState<'_>)) {
        let index = self.table.index();
        let sight = Sight::new(scope, &self.spec, &index.words);
        for row in index.all_rows() {
            let state = index.state(row);
            if state.is_visible(self.pos.0) && sight.sees(&state) {
                each(row, &state);
            }
        }
    }
}
