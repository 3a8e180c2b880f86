//! The reading side of the pipeline: rows out of the file, each judged and normalised by the
//! standard, in chunks to the writing side. Runs on a thread of its own and touches no database; what
//! the rules ask of the store is in memory before it starts.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

use chrono::NaiveDate;
use mj_standard::swapped::SwapWatch;
use mj_standard::{
    Class, ColumnType, Context, Engine, FileMemory, HeaderMap, Issue, MaskKind, Severity, Table,
    Verdict, mask,
};
use mj_tabular::{Format, Options, RowBuf, TableError, TableReader};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc::Sender;

use crate::error::{Error, Result};
use crate::model::RowIssue;
use crate::store::error_row::NewErrorRow;

/// Rows a chunk: a transaction of the writing side stays well below 5,000 rows.
/// (Few in tests, so that a small file has many chunk boundaries to be killed at.)
pub const CHUNK_ROWS: usize = if cfg!(test) { 400 } else { 2_048 };
/// A chunk ends early when its texts grow beyond this, so that wide rows do not fill the memory.
const CHUNK_BYTES: usize = 8 << 20;
/// Longest value repeated in a finding.
const MOST_SHOWN: usize = 200;
const STRUCTURE_SOURCE: &str = "数据检核类型00结构";

/// A row that broke no rule, its values canonical.
#[derive(Debug)]
pub struct Accepted {
    pub row: u32,
    /// Its row in the batch that it mends.
    pub original_row: Option<i64>,
    pub values: Vec<Option<String>>,
    /// (column, delivered text) of what normalisation changed.
    pub norm: Vec<(usize, String)>,
}

impl Accepted {
    /// Brings the texts near, all at once: they lie scattered where another thread left them, and one after
    /// the other each would be waited for.
    pub fn call_up(&self) {
        call_up(&self.values);
    }
}

fn call_up(values: &[Option<String>]) {
    let first = |text: &String| text.as_bytes().first().copied().unwrap_or_default();
    let sum = values.iter().flatten().map(first).fold(0_u8, u8::wrapping_add);
    std::hint::black_box(sum);
}

/// A department system's own item codes, replaced by the unified items before the row is judged.
pub struct LocalItems {
    mappings: mj_catalog::Mappings,
    /// Item columns with the separator of several codes.
    columns: Vec<(usize, Option<char>)>,
    event_date: Option<usize>,
}

impl LocalItems {
    pub fn new(mappings: mj_catalog::Mappings, table: &Table) -> Self {
        let columns = if mappings.is_empty() { Vec::new() } else { item_columns(table) };
        let event_date = table.event_date.as_deref().and_then(|name| table.column_index(name));
        Self { mappings, columns, event_date }
    }

    /// Gives what was replaced: (column, delivered text).
    pub fn replace(&self, row: &mut [Option<String>], today: NaiveDate) -> Vec<(usize, String)> {
        let mut replaced = Vec::new();
        for (at, separator) in &self.columns {
            let Some(text) = row[*at].as_deref() else { continue };
            let day = self.event_date.and_then(|at| day_of(row[at].as_deref()?)).unwrap_or(today);
            let unified = |code: &str| self.mappings.item(code.trim(), day).map(str::to_owned);
            let mapped = match separator {
                None => unified(text),
                Some(separator) => {
                    let parts: Vec<(&str, Option<String>)> =
                        text.split(*separator).map(|part| (part, unified(part))).collect();
                    parts.iter().any(|(_, found)| found.is_some()).then(|| {
                        let parts: Vec<String> = parts
                            .into_iter()
                            .map(|(part, found)| found.unwrap_or_else(|| part.to_owned()))
                            .collect();
                        parts.join(&separator.to_string())
                    })
                }
            };
            if let Some(mapped) = mapped {
                replaced.extend(row[*at].replace(mapped).map(|from| (*at, from)));
            }
        }
        replaced
    }
}

fn item_columns(table: &Table) -> Vec<(usize, Option<char>)> {
    let items = table.columns.iter().enumerate();
    items
        .filter(|(_, column)| column.ty == ColumnType::Item)
        .map(|(at, column)| (at, column.multi))
        .collect()
}

/// The day in a cell that nobody has normalised yet.
fn day_of(text: &str) -> Option<NaiveDate> {
    let day = text.trim().get(..10)?.replace('/', "-");
    NaiveDate::parse_from_str(&day, "%Y-%m-%d").ok()
}

/// What the reading side hands over at a time.
#[derive(Debug, Default)]
pub struct Chunk {
    pub rows: i64,
    pub accepted: Vec<Accepted>,
    pub refused: Vec<NewErrorRow>,
    pub by_class: [i64; Class::COUNT],
    pub by_rule: FxHashMap<String, i64>,
    /// Share of the file read so far, in percent.
    pub percent: i64,
}

/// How the file ended.
#[derive(Debug, Default)]
pub struct FileEnd {
    pub header: Vec<String>,
    pub encoding: String,
    /// Remarks on the file as a whole.
    pub remarks: Vec<String>,
    /// Why the file cannot be taken as a table at all; then none of its rows counts.
    pub refusal: Option<Refusal>,
}

/// A whole-file finding of class 00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub rule: String,
    pub message: String,
}

impl FileEnd {
    fn refused(rule: &str, reason: &str, remedy: &str) -> Self {
        let message = format!("{reason}。{remedy}");
        Self { refusal: Some(Refusal { rule: rule.to_owned(), message }), ..Self::default() }
    }

    fn of(error: TableError) -> Result<Self> {
        match error.finding() {
            Some(found) => Ok(Self::refused(found.code, &found.reason, &found.remedy)),
            None => Err(Error::Tabular(error.to_string())),
        }
    }
}

/// Opens the source anew each time it is called.
pub type Opener = Box<dyn Fn() -> Result<Box<dyn mj_tabular::Source>> + Send>;

/// Reads the whole file, sending chunks. Ends quietly when nobody listens any more.
pub fn read_file(
    open: &Opener,
    own_json: bool,
    engine: &mut Engine<'static>,
    ctx: &Context<'_>,
    local: &LocalItems,
    chunks: &Sender<Chunk>,
    spent: Option<Receiver<Vec<Accepted>>>,
) -> Result<FileEnd> {
    let table = engine.table();
    let mut reader = match open_reader(open, own_json, table)? {
        Ok(reader) => reader,
        Err(error) => return FileEnd::of(error),
    };
    if reader.format() == Format::Xlsx
        && let Some(refused) = rehearse(open, own_json, table)?
    {
        return Ok(refused);
    }
    let map = HeaderMap::new(table, reader.header());
    let mut end = FileEnd {
        header: reader.header().to_vec(),
        encoding: reader.encoding().to_owned(),
        ..FileEnd::default()
    };
    for finding in &map.findings {
        if finding.severity == Severity::Error {
            let refused = FileEnd::refused(finding.rule, &finding.reason, &finding.remedy);
            return Ok(FileEnd { refusal: refused.refusal, ..end });
        }
        end.remarks.push(finding.reason.clone());
    }
    let (watch, memory) = (SwapWatch::new(table), FileMemory::new(table));
    let chunk = Chunk::default();
    let spare = Spare { spent, ..Spare::default() };
    let mut judge = Judge { table, engine, ctx, map, local, watch, memory, chunk, bytes: 0, spare };
    let mut row = RowBuf::new();
    loop {
        match reader.next_into(&mut row) {
            Ok(true) => judge.take(&row),
            Ok(false) => break,
            Err(error) => {
                let refused = FileEnd::of(error)?;
                return Ok(FileEnd { refusal: refused.refusal, ..end });
            }
        }
        if judge.is_full() {
            let percent = percent(reader.bytes_read(), reader.bytes_total());
            if chunks.blocking_send(judge.hand_over(percent)).is_err() {
                return Ok(end);
            }
        }
    }
    for finding in reader.file_findings() {
        if finding.refuses() {
            let refused = FileEnd::refused(finding.code, &finding.reason, &finding.remedy);
            return Ok(FileEnd { refusal: refused.refusal, ..end });
        }
        end.remarks.push(finding.reason.clone());
    }
    for finding in judge.watch.findings(judge.engine, ctx) {
        end.remarks.push(format!("{}。{}", finding.reason, finding.remedy));
    }
    // the last, partly filled chunk; whoever stopped listening does not want it
    let _ = chunks.blocking_send(judge.hand_over(100));
    Ok(end)
}

/// Reads a workbook once to its end before the first row goes on. A workbook may turn out damaged, or
/// a zip bomb, halfway through; by then its rows would have reached the registers.
fn rehearse(open: &Opener, own_json: bool, table: &Table) -> Result<Option<FileEnd>> {
    let mut reader = match open_reader(open, own_json, table)? {
        Ok(reader) => reader,
        Err(error) => return FileEnd::of(error).map(Some),
    };
    let mut row = RowBuf::new();
    loop {
        match reader.next_into(&mut row) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return FileEnd::of(error).map(Some),
        }
    }
}

/// JSON lines name their columns row by row. Where the names are our identifiers, a column may
/// first appear late; where they are titles, the first row must show them all.
fn open_reader(
    open: &Opener,
    own_json: bool,
    table: &Table,
) -> Result<Result<TableReader, TableError>> {
    let names = || table.columns.iter().map(|column| column.name.clone()).collect();
    let expecting = Options { expected_columns: names(), ..Options::default() };
    if own_json {
        return Ok(TableReader::open(open()?, &expecting));
    }
    let reader = TableReader::open(open()?, &Options::default());
    let by_identifier = reader.as_ref().is_ok_and(|reader| {
        let known = |name: &String| table.column(name).is_some();
        reader.format() == Format::JsonLines && reader.header().iter().any(known)
    });
    if by_identifier { Ok(TableReader::open(open()?, &expecting)) } else { Ok(reader) }
}

fn percent(done: u64, total: u64) -> i64 {
    if total == 0 {
        return 0;
    }
    // never 100 before it is through
    i64::try_from(done * 99 / total).unwrap_or(99)
}

struct Judge<'a, 'c> {
    table: &'static Table,
    engine: &'a mut Engine<'static>,
    ctx: &'a Context<'c>,
    map: HeaderMap,
    local: &'a LocalItems,
    watch: SwapWatch<'static>,
    /// What the file delivered before: a document number used twice is worth a word.
    memory: FileMemory<'static>,
    chunk: Chunk,
    bytes: usize,
    spare: Spare,
}

/// Rows that were written, to be filled again: a text that one thread makes and another frees costs
/// more than all the rules it is judged by.
#[derive(Default)]
struct Spare {
    spent: Option<Receiver<Vec<Accepted>>>,
    values: Vec<Vec<Option<String>>>,
    chunk: Vec<Accepted>,
}

impl Spare {
    /// What it holds is any row's.
    fn values(&mut self) -> Vec<Option<String>> {
        if self.values.is_empty()
            && let Some(mut rows) = self.spent.as_ref().and_then(|spent| spent.try_recv().ok())
        {
            self.values.extend(rows.drain(..).map(|row| row.values));
            self.chunk = rows;
        }
        let values = self.values.pop().unwrap_or_default();
        if let Some(next) = self.values.last() {
            call_up(next);
        }
        values
    }

    /// Room for the next chunk's rows.
    fn chunk(&mut self) -> Vec<Accepted> {
        std::mem::take(&mut self.chunk)
    }
}

impl Judge<'_, '_> {
    fn is_full(&self) -> bool {
        self.chunk.rows as usize >= CHUNK_ROWS || self.bytes >= CHUNK_BYTES
    }

    fn hand_over(&mut self, percent: i64) -> Chunk {
        self.bytes = 0;
        let rows = self.chunk.accepted.iter().map(|row| row.values.as_slice());
        for issue in self.memory.observe_all(rows) {
            count(&mut self.chunk.by_rule, &issue.rule.id);
        }
        let next = Chunk { accepted: self.spare.chunk(), ..Chunk::default() };
        let mut full = std::mem::replace(&mut self.chunk, next);
        full.percent = percent;
        full
    }

    fn take(&mut self, row: &RowBuf) {
        self.chunk.rows += 1;
        self.bytes += row.cells().map(|cell| cell.map_or(0, str::len) + 24).sum::<usize>();
        let mut values = self.spare.values();
        self.map.arrange(row.cells(), &mut values);
        // without a column to blame, the cells cannot be trusted to stand where they belong
        let torn =
            |finding: &mj_tabular::Finding| finding.refuses() && finding.column_index.is_none();
        if row.findings().iter().any(torn) {
            self.refuse(row, values, Verdict::default());
            return;
        }
        let local = self.local.replace(&mut values, self.ctx.today);
        self.watch.delivered(&values);
        let mut verdict = self.engine.check_row(&mut values, self.ctx);
        if row.refused() {
            let blamed = row.findings().iter().filter(|finding| finding.refuses());
            let blamed: Vec<usize> = blamed
                .filter_map(|finding| finding.column_index)
                .filter_map(|index| self.map.place(index))
                .collect();
            verdict.forgive_missing(&blamed);
        }
        self.watch.judged(&verdict);
        if verdict.refused || row.refused() {
            self.refuse(row, values, verdict);
            return;
        }
        for issue in &verdict.issues {
            count(&mut self.chunk.by_rule, &issue.rule.id);
        }
        for finding in row.findings() {
            count(&mut self.chunk.by_rule, finding.code);
        }
        self.chunk.accepted.push(Accepted {
            row: u32::try_from(row.row()).unwrap_or(u32::MAX),
            original_row: row.original_row().and_then(|row| i64::try_from(row).ok()),
            norm: verdict
                .normalised
                .into_iter()
                .map(|change| (change.column_index, change.from))
                // last, so that what the department wrote stands in the record
                .chain(local)
                .collect(),
            values,
        });
    }

    fn refuse(&mut self, row: &RowBuf, values: Vec<Option<String>>, verdict: Verdict<'static>) {
        let mut issues: Vec<RowIssue> =
            row.findings().iter().map(|finding| self.structural(finding)).collect();
        issues.extend(verdict.issues.iter().map(reported));
        let mut classes = [false; Class::COUNT];
        let mut rules: Vec<&str> = Vec::new();
        for issue in &issues {
            if issue.severity == Severity::Error.name()
                && let Some(class) = Class::parse(&issue.class)
            {
                classes[class.index()] = true;
            }
            if !rules.contains(&issue.rule.as_str()) {
                rules.push(&issue.rule);
            }
        }
        for (rows, hit) in self.chunk.by_class.iter_mut().zip(classes) {
            *rows += i64::from(hit);
        }
        for rule in rules {
            count(&mut self.chunk.by_rule, rule);
        }
        let delivered: Vec<Option<&str>> = row.cells().collect();
        self.chunk.refused.push(NewErrorRow {
            row: i64::try_from(row.row()).unwrap_or(i64::MAX),
            line: i64::try_from(row.line()).unwrap_or(0),
            cd_id: shown_id(self.table, &values),
            raw: serde_json::to_string(&delivered).unwrap_or_default(),
            issues,
        });
        self.spare.values.push(values);
    }

    fn structural(&self, finding: &mj_tabular::Finding) -> RowIssue {
        let column = finding
            .column_index
            .and_then(|index| self.map.place(index))
            .map(|place| &self.table.columns[place]);
        RowIssue {
            column: column.map(|column| column.name.clone()).unwrap_or_default(),
            column_title: column.map(|column| column.title.clone()).unwrap_or_default(),
            value: String::new(),
            class: Class::STRUCTURE.code().into(),
            class_title: Class::STRUCTURE.title().into(),
            rule: finding.code.into(),
            severity: if finding.refuses() { Severity::Error } else { Severity::Warning }
                .name()
                .into(),
            reason: finding.reason.clone(),
            remedy: finding.remedy.clone(),
            source: STRUCTURE_SOURCE.into(),
        }
    }
}

fn count(rules: &mut FxHashMap<String, i64>, rule: &str) {
    match rules.get_mut(rule) {
        Some(rows) => *rows += 1,
        None => {
            rules.insert(rule.to_owned(), 1);
        }
    }
}

/// A finding as it is kept: values of persons masked, long ones cut.
pub fn reported(issue: &Issue<'_>) -> RowIssue {
    let value = issue.value.as_deref().unwrap_or_default();
    let personal = issue.personal || looks_personal(value);
    let value = match issue.column {
        Some(column) if personal => mask(MaskKind::of(&column.ty), value),
        _ => value.chars().take(MOST_SHOWN).collect(),
    };
    RowIssue {
        column: issue.column.map(|column| column.name.clone()).unwrap_or_default(),
        column_title: issue.column.map(|column| column.title.clone()).unwrap_or_default(),
        value,
        class: issue.rule.class.code().into(),
        class_title: issue.rule.class.title().into(),
        rule: issue.rule.id.clone(),
        severity: issue.rule.severity.name().into(),
        reason: issue.reason.clone(),
        remedy: issue.rule.remedy.clone(),
        source: issue.rule.source.clone(),
    }
}

/// Numbers that read like a citizen id or a telephone are masked wherever they turn up: swapped
/// columns put them where the standard expects none.
pub fn looks_personal(value: &str) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let looks_like_id = value.len() == 18
        && digits >= 17
        && mj_kernel::code::CitizenId::parse(&value.to_ascii_uppercase()).is_ok();
    let looks_like_phone = value.len() == 11 && digits == 11 && value.starts_with('1');
    looks_like_id || looks_like_phone
}

/// The record's number as it may be shown: masked when it repeats something personal.
fn shown_id(table: &Table, values: &[Option<String>]) -> Option<String> {
    let id = table.column_index("cd_id").and_then(|at| values.get(at)?.as_deref())?;
    let personal = (0..table.columns.len()).any(|at| {
        let value = values.get(at).and_then(|value| value.as_deref()).unwrap_or_default();
        value.chars().count() >= 2 && id.contains(value) && table.is_personal(at, values)
    });
    Some(if personal { mask(MaskKind::Id, id) } else { id.to_owned() })
}

/// `by_class` as it is kept: only classes that occur.
pub fn class_counts(counts: &[i64; Class::COUNT]) -> BTreeMap<String, i64> {
    Class::all()
        .zip(counts)
        .filter(|(_, rows)| **rows > 0)
        .map(|(class, rows)| (class.code().to_owned(), *rows))
        .collect()
}
