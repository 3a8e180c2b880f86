//! What was done to a party, out of the fact store: counts and the timeline over all behaviours.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use mj_facts::{At, Columns, FactLine, FactRow, FactStore, Snapshot, TableSpec};
use mj_kernel::{Page, Scope};
use mj_standard::{Column, ColumnType, Table, TableKind};
use mj_web::BoxFuture;

use crate::error::{Error, Result};
use crate::show;

/// An agency of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgencyName {
    pub uscc: String,
    pub name: String,
    pub area_number: String,
}

/// How many items in force a body implements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Implementing {
    pub body_code: String,
    pub items: i64,
}

/// What the registry needs of other domains for showing: a port, wired by the server.
pub trait Names: Send + Sync {
    /// The agencies of the house: whose officer somebody is follows from the name of the body.
    fn agencies(&self) -> BoxFuture<'_, mj_platform::Result<Vec<AgencyName>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// What each body implements on that day (`YYYY-MM-DD`).
    fn implementing<'a>(
        &'a self,
        _day: &'a str,
    ) -> BoxFuture<'a, mj_platform::Result<Vec<Implementing>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// What the actor of an act is called.
    fn person<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, mj_platform::Result<String>> {
        Box::pin(async move { Ok(reference.to_owned()) })
    }

    /// Names of sources (by `cd_source`) and of items (by item code), as far as they are known.
    fn look_up<'a>(
        &'a self,
        sources: &'a [String],
        items: &'a [String],
    ) -> BoxFuture<'a, mj_platform::Result<FoundNames>>;
}

#[derive(Debug, Clone, Default)]
pub struct FoundNames {
    pub sources: HashMap<String, String>,
    pub items: HashMap<String, String>,
}

/// Knows no names: codes stand for themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn look_up<'a>(
        &'a self,
        _: &'a [String],
        _: &'a [String],
    ) -> BoxFuture<'a, mj_platform::Result<FoundNames>> {
        Box::pin(async { Ok(FoundNames::default()) })
    }
}

/// The facts about parties, and the names to show them with. Cheap to clone.
#[derive(Clone)]
pub struct Acts {
    facts: FactStore,
    specs: Arc<Vec<TableSpec>>,
    pub(crate) names: Arc<dyn Names>,
}

/// A line of a timeline and the table it is from.
#[derive(Debug, Clone)]
pub struct Line {
    pub spec: usize,
    pub line: FactLine,
}

impl Line {
    /// Newest first; of one day by table and record, so that the order is total and stable.
    fn place(&self, specs: &[TableSpec]) -> (std::cmp::Reverse<i32>, String, String, String) {
        (
            std::cmp::Reverse(self.line.event_date.unwrap_or(i32::MIN)),
            specs[self.spec].name.clone(),
            self.line.cd_source.clone(),
            self.line.cd_id.clone(),
        )
    }
}

/// One behaviour, its values in the order of the table's columns of `spec`.
pub struct Entry {
    pub table: &'static Table,
    pub spec: usize,
    pub row: FactRow,
    /// Where the next page goes on.
    pub cursor: String,
}

impl Acts {
    /// `specs`: the tables of the fact store as the data centre writes them.
    pub fn new(facts: FactStore, specs: Vec<TableSpec>, names: Arc<dyn Names>) -> Self {
        Self { facts, specs: Arc::new(specs), names }
    }

    pub fn spec(&self, number: usize) -> &TableSpec {
        &self.specs[number]
    }

    fn of_kind(&self, kind: TableKind) -> Vec<usize> {
        let is_kind = |spec: &TableSpec| show::table(&spec.name).is_some_and(|t| t.kind == kind);
        (0..self.specs.len()).filter(|number| is_kind(&self.specs[*number])).collect()
    }

    async fn snapshots(&self, numbers: &[usize]) -> Result<Vec<(usize, Snapshot)>> {
        let mut snapshots = Vec::with_capacity(numbers.len());
        for number in numbers {
            let spec = &self.specs[*number];
            snapshots.push((*number, self.facts.snapshot(spec, At::Latest).await?));
        }
        Ok(snapshots)
    }

    /// Lines of several groups of mentions at once, each newest first.
    async fn lines(
        &self,
        kind: TableKind,
        groups: Vec<Vec<i64>>,
        scopes: Vec<Scope>,
    ) -> Result<Vec<Vec<Line>>> {
        let snapshots = self.snapshots(&self.of_kind(kind)).await?;
        let specs = self.specs.clone();
        tokio::task::spawn_blocking(move || {
            groups.iter().map(|group| lines_of(group, &snapshots, &scopes, &specs)).collect()
        })
        .await
        .map_err(Error::thread)?
    }

    /// For each group of mentions: how many behaviours a table, and the day of the last one.
    pub async fn counts(&self, groups: Vec<Vec<i64>>, scopes: &[Scope]) -> Result<Vec<ActCounts>> {
        let lines = self.lines(TableKind::Behaviour, groups, scopes.to_vec()).await?;
        let counted = lines.into_iter().map(|lines| {
            let mut counts = ActCounts::default();
            for number in self.of_kind(TableKind::Behaviour) {
                counts.by_table.push((self.specs[number].name.clone(), 0));
            }
            for line in &lines {
                let table = &self.specs[line.spec].name;
                if let Some(slot) = counts.by_table.iter_mut().find(|(name, _)| name == table) {
                    slot.1 += 1;
                }
            }
            counts.last_act_date =
                lines.first().and_then(|line| line.line.event_date).map(day_text);
            counts
        });
        Ok(counted.collect())
    }

    /// One page of the timeline of these mentions; `table` narrows it to one kind of behaviour.
    pub async fn timeline(
        &self,
        mentions: Vec<i64>,
        scopes: &[Scope],
        table: Option<&str>,
        page: &Page,
    ) -> Result<(Vec<Entry>, Option<String>)> {
        self.timeline_of(mentions, scopes, table, page, |_| true).await
    }

    /// As [`Acts::timeline`], but only some columns are read: what is not shown costs nothing.
    pub(crate) async fn timeline_of(
        &self,
        mentions: Vec<i64>,
        scopes: &[Scope],
        table: Option<&str>,
        page: &Page,
        wanted: fn(&Column) -> bool,
    ) -> Result<(Vec<Entry>, Option<String>)> {
        let all = self.lines(TableKind::Behaviour, vec![mentions], scopes.to_vec()).await?;
        let mut lines: Vec<Line> = all.into_iter().flatten().collect();
        lines.retain(|line| table.is_none_or(|table| self.specs[line.spec].name == table));
        if let Some(cursor) = &page.cursor {
            let at = lines.iter().position(|line| self.cursor_of(line) == *cursor);
            // a line that is gone (deleted meanwhile) gives no place to go on from
            let at = at.ok_or(Error::Cursor)?;
            lines.drain(..=at);
        }
        let limit = usize::try_from(page.limit()).unwrap_or(50);
        let more = lines.len() > limit;
        lines.truncate(limit);
        let entries = self.entries(lines, scopes, wanted).await?;
        let next = if more { entries.last().map(|entry| entry.cursor.clone()) } else { None };
        Ok((entries, next))
    }

    /// The line of this name (an [`Entry::cursor`]) in the timeline of these mentions.
    pub async fn entry(
        &self,
        mentions: Vec<i64>,
        scopes: &[Scope],
        name: &str,
        wanted: fn(&Column) -> bool,
    ) -> Result<Option<Entry>> {
        let all = self.lines(TableKind::Behaviour, vec![mentions], scopes.to_vec()).await?;
        let mut lines: Vec<Line> = all.into_iter().flatten().collect();
        lines.retain(|line| self.cursor_of(line) == name);
        lines.truncate(1);
        Ok(self.entries(lines, scopes, wanted).await?.pop())
    }

    /// One row of a table by its number, if any of these scopes sees it.
    pub(crate) async fn one(
        &self,
        table: &str,
        row: mj_facts::RowId,
        scopes: &[Scope],
    ) -> Result<Option<Entry>> {
        let Some(spec) = self.specs.iter().position(|spec| spec.name == table) else {
            return Ok(None);
        };
        let Some(table) = show::table(table) else { return Ok(None) };
        let snapshots = self.snapshots(&[spec]).await?;
        let columns = HashMap::from([(spec, self.columns(spec, |_| true))]);
        let scopes = scopes.to_vec();
        let found = tokio::task::spawn_blocking(move || {
            fetch(&[(spec, row)], &snapshots, &scopes, &columns)
        });
        let mut found = found.await.map_err(Error::thread)??;
        let cursor = String::new();
        Ok(found.remove(&(spec, row.0)).map(|row| Entry { table, spec, row, cursor }))
    }

    /// The rows of the credit tables about these mentions.
    pub async fn credit(&self, mentions: Vec<i64>, scopes: &[Scope]) -> Result<Vec<Entry>> {
        let lines = self.lines(TableKind::Credit, vec![mentions], scopes.to_vec()).await?;
        self.entries(lines.into_iter().flatten().collect(), scopes, |_| true).await
    }

    /// Behaviours of some days that cite one of these certificates, newest first: how many there are
    /// and the first `most` of them. A scan: the store keeps no index of certificates.
    pub async fn citing(
        &self,
        certificates: Vec<String>,
        from: NaiveDate,
        to: NaiveDate,
        scopes: &[Scope],
        most: usize,
    ) -> Result<(i64, Vec<Entry>)> {
        let mut wanted = Vec::new();
        for number in self.of_kind(TableKind::Behaviour) {
            let columns = &self.specs[number].columns;
            if let Some(column) = columns.iter().position(|column| column.name == CITED) {
                wanted.push((number, column));
            }
        }
        let numbers: Vec<usize> = wanted.iter().map(|(number, _)| *number).collect();
        let snapshots = self.snapshots(&numbers).await?;
        let scopes_of = scopes.to_vec();
        let found = tokio::task::spawn_blocking(move || {
            citing(&certificates, &wanted, &snapshots, days_of(from)..=days_of(to), &scopes_of)
        });
        let mut found = found.await.map_err(Error::thread)??;
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
        found.truncate(most);
        let mut ids: Vec<usize> = found.iter().map(|(_, spec, _)| *spec).collect();
        ids.sort_unstable();
        ids.dedup();
        let snapshots = self.snapshots(&ids).await?;
        let rows: Vec<(usize, mj_facts::RowId)> =
            found.iter().map(|(_, spec, row)| (*spec, mj_facts::RowId(*row))).collect();
        let scopes_of = scopes.to_vec();
        let columns: HashMap<usize, Vec<usize>> =
            ids.iter().map(|spec| (*spec, self.columns(*spec, |_| true))).collect();
        let fetched =
            tokio::task::spawn_blocking(move || fetch(&rows, &snapshots, &scopes_of, &columns));
        let mut fetched = fetched.await.map_err(Error::thread)??;
        let entries = found.iter().filter_map(|(day, spec, row)| {
            let row = fetched.remove(&(*spec, *row))?;
            let table = show::table(&self.specs[*spec].name)?;
            Some(Entry { table, spec: *spec, row, cursor: day.to_string() })
        });
        Ok((total, entries.collect()))
    }

    /// The rows of some lines, in their order; columns not wanted are empty.
    async fn entries(
        &self,
        lines: Vec<Line>,
        scopes: &[Scope],
        wanted_column: fn(&Column) -> bool,
    ) -> Result<Vec<Entry>> {
        let mut numbers: Vec<usize> = lines.iter().map(|line| line.spec).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let snapshots = self.snapshots(&numbers).await?;
        let scopes = scopes.to_vec();
        let wanted: Vec<(usize, mj_facts::RowId)> =
            lines.iter().map(|line| (line.spec, line.line.row)).collect();
        let columns: HashMap<usize, Vec<usize>> =
            numbers.iter().map(|spec| (*spec, self.columns(*spec, wanted_column))).collect();
        let mut rows =
            tokio::task::spawn_blocking(move || fetch(&wanted, &snapshots, &scopes, &columns))
                .await
                .map_err(Error::thread)??;
        let entries = lines.iter().filter_map(|line| {
            let row = rows.remove(&(line.spec, line.line.row.0))?;
            let table = show::table(&self.specs[line.spec].name)?;
            Some(Entry { table, spec: line.spec, row, cursor: self.cursor_of(line) })
        });
        Ok(entries.collect())
    }

    /// Places of the wanted columns of a table.
    fn columns(&self, spec: usize, wanted: fn(&Column) -> bool) -> Vec<usize> {
        let spec = &self.specs[spec];
        let table = show::table(&spec.name);
        let is_wanted = |name: &str| table.and_then(|table| table.column(name)).is_none_or(&wanted);
        (0..spec.columns.len()).filter(|at| is_wanted(&spec.columns[*at].name)).collect()
    }

    /// Names the line without saying anything of it: a record's number may name a person.
    fn cursor_of(&self, line: &Line) -> String {
        let (date, table, source, id) = line.place(&self.specs);
        let digest =
            mj_platform::gm::sm3_hex(format!("{table}\u{1f}{source}\u{1f}{id}").as_bytes());
        format!("{}.{}", date.0, &digest[..16])
    }

    /// The value of a column of an entry, as stored.
    pub fn value<'e>(&self, entry: &'e Entry, column: &str) -> Option<&'e str> {
        let at = self.specs[entry.spec].columns.iter().position(|known| known.name == column)?;
        entry.row.values.get(at)?.as_deref()
    }

    /// The first filled column of a type.
    pub fn first_of<'e>(
        &self,
        entry: &'e Entry,
        wanted: impl Fn(&Column) -> bool,
    ) -> Option<(&'static Column, &'e str)> {
        entry
            .table
            .columns
            .iter()
            .filter(|column| !column.envelope && wanted(column))
            .find_map(|column| self.value(entry, &column.name).map(|value| (column, value)))
    }
}

/// How often a party was acted upon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActCounts {
    pub by_table: Vec<(String, i64)>,
    pub last_act_date: Option<String>,
}

impl ActCounts {
    pub fn total(&self) -> i64 {
        self.by_table.iter().map(|(_, count)| count).sum()
    }
}

fn lines_of(
    mentions: &[i64],
    snapshots: &[(usize, Snapshot)],
    scopes: &[Scope],
    specs: &[TableSpec],
) -> Result<Vec<Line>> {
    let mut found: HashMap<(usize, i64), Line> = HashMap::new();
    for (spec, snapshot) in snapshots {
        for scope in scopes {
            let mut cursor = None;
            loop {
                let page = Page { limit: Some(Page::MAX), cursor };
                let lines = snapshot.of_mentions(mentions, scope, &page)?;
                for line in lines.items {
                    found.insert((*spec, line.row.0), Line { spec: *spec, line });
                }
                match lines.next_cursor {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
        }
    }
    let mut lines: Vec<Line> = found.into_values().collect();
    lines.sort_by_cached_key(|line| line.place(specs));
    Ok(lines)
}

/// The column in which a behaviour names the certificates it was done with, joined by `;`.
const CITED: &str = "check_personnel_code";

/// (day, table, row) of the rows that cite one of the certificates.
fn citing(
    certificates: &[String],
    wanted: &[(usize, usize)],
    snapshots: &[(usize, Snapshot)],
    days: std::ops::RangeInclusive<i32>,
    scopes: &[Scope],
) -> Result<Vec<(i32, usize, i64)>> {
    let filter = mj_facts::Filter {
        dates: Some((*days.start(), *days.end())),
        ..mj_facts::Filter::default()
    };
    let mut found = Vec::new();
    for ((number, column), (_, snapshot)) in wanted.iter().zip(snapshots) {
        for scope in scopes {
            snapshot.scan(Columns::Only(&[*column]), &filter, scope, &mut |row| {
                let cites = row.value(0).is_some_and(|codes| {
                    codes.split(';').any(|code| certificates.iter().any(|own| own == code))
                });
                if cites {
                    found.push((row.event_date.unwrap_or(i32::MIN), *number, row.row.0));
                }
                Ok(())
            })?;
        }
    }
    Ok(found)
}

/// Days since 1970-01-01.
fn days_of(day: NaiveDate) -> i32 {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default();
    i32::try_from((day - epoch).num_days()).unwrap_or(i32::MAX)
}

type Fetched = HashMap<(usize, i64), FactRow>;

fn fetch(
    wanted: &[(usize, mj_facts::RowId)],
    snapshots: &[(usize, Snapshot)],
    scopes: &[Scope],
    columns: &HashMap<usize, Vec<usize>>,
) -> Result<Fetched> {
    let mut rows = HashMap::new();
    for (spec, snapshot) in snapshots {
        let ids: Vec<mj_facts::RowId> =
            wanted.iter().filter(|(of, _)| of == spec).map(|(_, id)| *id).collect();
        for scope in scopes {
            let read = columns.get(spec).map(Vec::as_slice).unwrap_or_default();
            let width = snapshot.spec().columns.len();
            for mut row in snapshot.fetch(&ids, Columns::Only(read), scope)? {
                // back to the places of the table's columns
                let mut values = vec![None; width];
                for (at, value) in read.iter().zip(row.values) {
                    values[*at] = value;
                }
                row.values = values;
                rows.insert((*spec, row.row.0), row);
            }
        }
    }
    Ok(rows)
}

/// `YYYY-MM-DD` of days since 1970-01-01.
pub fn day_text(days: i32) -> String {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default();
    let day = match u64::try_from(days) {
        Ok(after) => epoch.checked_add_days(Days::new(after)),
        Err(_) => epoch.checked_sub_days(Days::new(u64::from(days.unsigned_abs()))),
    };
    day.map(|day| day.to_string()).unwrap_or_default()
}

/// Columns that say what came of a behaviour, the most telling first.
pub const RESULTS: [&str; 7] = [
    "check_result",
    "punish_type",
    "penalty_result",
    "force_type",
    "force_result",
    "closing_case",
    "supervise_measure",
];

/// Whether the column holds what a behaviour is called.
pub fn is_title(column: &Column) -> bool {
    column.ty == ColumnType::Text && column.name.ends_with("action_name")
}
