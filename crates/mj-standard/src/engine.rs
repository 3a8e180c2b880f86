//! Applies the rules of one table to rows: judges, normalises in place, tells what it did.
//!
//! An [`Engine`] is compiled once per table and thread. Order within a row: each cell by its type,
//! then what a file may leave out, then the rules between cells. Rules across rows stand in
//! [`crate::memory`], sums over a file in [`crate::report`].

use chrono::{DateTime, NaiveDate};

use crate::cell::{CellCheck, Days, Reading};
use crate::lookups::Lookups;
use crate::rules::{Decision, RowRule, RowView, State};
use crate::spec::{Column, ColumnType, FileDefault, Rule, RuleKind, Severity, Table, TableKind};
use crate::value::Mends;
use crate::value::amount::yuan_text;
use crate::value::date::{canonical_date, instant_text};

/// How the rows travel: decides which envelope columns they must bring along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// Files may leave the envelope out; it is filled in.
    File,
    /// Pushed rows must bring `cd_id`, `cd_time` and `cd_operation`.
    Http,
}

/// What a judgement rests on besides the row.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Instant of reception, microseconds of UTC.
    pub now: i64,
    /// Day of reception in Beijing.
    pub today: NaiveDate,
    pub envelope: Envelope,
    /// The source the caller delivers for.
    pub source: Option<&'a str>,
    /// The batch number the caller gives.
    pub batch: Option<&'a str>,
    pub lookups: &'a dyn Lookups,
}

impl<'a> Context<'a> {
    /// A file without declared source or batch.
    pub fn of_file(now: i64, lookups: &'a dyn Lookups) -> Self {
        let beijing = DateTime::from_timestamp_micros(now + 8 * 3_600_000_000);
        Self {
            now,
            today: beijing.map_or(NaiveDate::MIN, |at| at.date_naive()),
            envelope: Envelope::File,
            source: None,
            batch: None,
            lookups,
        }
    }
}

/// One broken rule in one row.
#[derive(Debug, Clone)]
pub struct Issue<'t> {
    pub rule: &'t Rule,
    pub column: Option<&'t Column>,
    pub column_index: Option<usize>,
    /// As delivered. Not masked: see `personal`.
    pub value: Option<String>,
    /// The value is about a natural person: seal it, mask it.
    pub personal: bool,
    /// What is wrong with this value, in Chinese; never repeats a personal value.
    pub reason: String,
}

/// One value that was changed, with what was done.
#[derive(Debug, Clone)]
pub struct Normalised<'t> {
    pub column: &'t Column,
    pub column_index: usize,
    pub from: String,
    /// Empty when the value only said that there is none.
    pub to: String,
    pub how: Mends,
    pub personal: bool,
}

/// What is said of one row. Costs no allocation for a clean row.
#[derive(Debug, Default)]
pub struct Verdict<'t> {
    pub issues: Vec<Issue<'t>>,
    pub normalised: Vec<Normalised<'t>>,
    /// At least one error: the row goes to the error store.
    pub refused: bool,
}

impl Verdict<'_> {
    pub fn is_clean(&self) -> bool {
        self.issues.is_empty()
    }

    /// A cell that could not be read is not missing besides: one fault, one finding.
    pub fn forgive_missing(&mut self, unreadable: &[usize]) {
        self.issues.retain(|issue| {
            let blamed = issue.column_index.is_some_and(|at| unreadable.contains(&at));
            let missing = matches!(
                issue.rule.kind,
                RuleKind::Required { .. } | RuleKind::RequiredWhen { .. }
            );
            !(blamed && missing)
        });
    }
}

/// The rules of one table, ready to run. Keeps small caches, so it is used by one thread at a time.
pub struct Engine<'t> {
    table: &'t Table,
    cells: Vec<CellCheck<'t>>,
    rules: Vec<RowRule<'t>>,
    states: Vec<State>,
    event: Option<usize>,
    operation: Option<usize>,
    cd_id: Option<usize>,
    natural_key: Vec<usize>,
    identity: Option<&'t Rule>,
    /// Columns that are filled in when a file leaves them out.
    defaults: Vec<(usize, FileDefault)>,
    received: (i64, String),
}

impl<'t> Engine<'t> {
    pub fn new(table: &'t Table) -> Self {
        let cells = table.columns.iter().map(|column| CellCheck::new(table, column)).collect();
        Self {
            table,
            cells,
            rules: table.rules.iter().filter_map(|rule| RowRule::compile(table, rule)).collect(),
            states: vec![State::Empty; table.columns.len()],
            // where a party sits is said as of today, whenever it was founded
            event: table
                .event_date
                .as_deref()
                .filter(|_| table.kind != TableKind::Party)
                .and_then(|name| table.column_index(name)),
            operation: table.column_index("cd_operation"),
            cd_id: table.column_index("cd_id"),
            natural_key: table
                .natural_key
                .iter()
                .filter_map(|name| table.column_index(name))
                .collect(),
            identity: table
                .rules
                .iter()
                .find(|rule| matches!(rule.kind, RuleKind::RecordIdentity { .. })),
            defaults: table
                .columns
                .iter()
                .enumerate()
                .filter_map(|(at, column)| Some((at, column.default_in_files?)))
                .collect(),
            received: (i64::MIN, String::new()),
        }
    }

    pub fn table(&self) -> &'t Table {
        self.table
    }

    /// Rules that this context cannot answer.
    pub fn rules_not_run(&self, lookups: &dyn Lookups) -> Vec<&'t Rule> {
        self.table
            .rules
            .iter()
            .filter(|rule| rule.kind.lookup().is_some_and(|question| !lookups.offers(question)))
            .collect()
    }

    /// Judges one row of delivered values in the order of the table's columns and leaves the
    /// canonical values in it. Not idempotent: money comes in 元 and stays in 分.
    pub fn check_row(&mut self, row: &mut [Option<String>], ctx: &Context<'_>) -> Verdict<'t> {
        let mut verdict = Verdict::default();
        let days = self.days(row, ctx);
        for at in 0..self.cells.len() {
            self.check_cell(at, row, days, &mut verdict);
        }
        let deletes = self.operation.is_some_and(|at| row[at].as_deref() == Some("d"));
        self.check_required(row, deletes, ctx, &mut verdict);
        self.check_identity(row, &mut verdict);
        self.fill_envelope(row, ctx);
        self.check_rules(row, deletes, ctx, &mut verdict);
        if !verdict.issues.is_empty() || !verdict.normalised.is_empty() {
            self.finish(row, &mut verdict);
        }
        verdict
    }

    /// Would this text pass the checks of a column, perhaps after mending?
    pub(crate) fn would_take(&mut self, at: usize, text: &str, ctx: &Context<'_>) -> bool {
        let days = Days { today: ctx.today, event: ctx.today };
        !matches!(self.cells[at].read(text, days), Reading::Fault(..) | Reading::Empty(_))
    }

    /// Codes of places are judged as of the day of the act.
    fn days(&self, row: &[Option<String>], ctx: &Context<'_>) -> Days {
        let event = self
            .event
            .and_then(|at| row[at].as_deref())
            .and_then(|text| canonical_date(text.get(..10)?));
        Days { today: ctx.today, event: event.unwrap_or(ctx.today) }
    }

    fn check_cell(
        &mut self,
        at: usize,
        row: &mut [Option<String>],
        days: Days,
        verdict: &mut Verdict<'t>,
    ) {
        let cell = &mut self.cells[at];
        let Some(text) = row[at].as_deref().filter(|text| !text.is_empty()) else {
            row[at] = None;
            self.states[at] = State::Empty;
            return;
        };
        self.states[at] = match cell.read(text, days) {
            Reading::Clean => State::Good,
            Reading::Converted(value) => {
                row[at] = Some(value);
                State::Good
            }
            Reading::Mended(to, how) => {
                let from = row[at].replace(to.clone()).unwrap_or_default();
                verdict.normalised.push(normalised(self.table, at, from, to, how));
                State::Good
            }
            Reading::Empty(how) => {
                let from = row[at].take().unwrap_or_default();
                if how.any() && !from.chars().all(char::is_whitespace) {
                    verdict.normalised.push(normalised(self.table, at, from, String::new(), how));
                }
                State::Empty
            }
            Reading::Fault(fault, reason) => {
                if let Some(rule) = cell.rule(fault) {
                    verdict.issues.push(issue(self.table, rule, Some(at), row, reason));
                    // a warning leaves the value usable
                    match rule.severity {
                        Severity::Error => State::Bad,
                        Severity::Warning => State::Good,
                    }
                } else {
                    State::Bad
                }
            }
        };
    }

    fn check_required(
        &self,
        row: &[Option<String>],
        deletes: bool,
        ctx: &Context<'_>,
        verdict: &mut Verdict<'t>,
    ) {
        for (at, cell) in self.cells.iter().enumerate() {
            if self.states[at] != State::Empty {
                continue;
            }
            let Some(rule) = cell.required() else {
                continue;
            };
            // a deletion names its record and nothing else
            let excused = match cell.column.default_in_files {
                Some(default) => ctx.envelope == Envelope::File || given(default, ctx),
                None => deletes && !cell.column.envelope,
            };
            if !excused {
                let reason = format!("{}为空", cell.column.title);
                verdict.issues.push(issue(self.table, rule, Some(at), row, reason));
            }
        }
    }

    /// Without a `cd_id` the natural key must be able to stand for it.
    fn check_identity(&self, row: &[Option<String>], verdict: &mut Verdict<'t>) {
        let (Some(rule), Some(cd_id)) = (self.identity, self.cd_id) else {
            return;
        };
        if self.states[cd_id] != State::Empty {
            return;
        }
        let empty = |at: &&usize| self.states[**at] == State::Empty;
        let missing = self
            .natural_key
            .iter()
            .find(|at| empty(at) && self.table.columns[**at].required)
            .or_else(|| {
                let all = self.natural_key.iter().all(|at| empty(&at));
                self.natural_key.first().filter(|_| all)
            });
        if let Some(at) = missing {
            let reason = format!(
                "没有数据唯一标识，{}又为空，无法确定是哪一条记录",
                self.table.columns[*at].title
            );
            verdict.issues.push(issue(self.table, rule, Some(*at), row, reason));
        }
    }

    /// Fills what a file may leave out. Not a normalisation: nothing was delivered.
    fn fill_envelope(&mut self, row: &mut [Option<String>], ctx: &Context<'_>) {
        if self.received.0 != ctx.now {
            self.received = (ctx.now, instant_text(ctx.now));
        }
        for &(at, default) in &self.defaults {
            if self.states[at] != State::Empty {
                continue;
            }
            let value = match default {
                FileDefault::NaturalKey => self.natural_id(row),
                FileDefault::Received => Some(self.received.1.clone()),
                FileDefault::ReceivedDay => self.received.1.get(..10).map(str::to_owned),
                FileDefault::Source => ctx.source.map(str::to_owned),
                FileDefault::Batch => ctx.batch.map(str::to_owned),
                FileDefault::Insert => Some("i".to_owned()),
                FileDefault::RecordId => self.cd_id.and_then(|at| row[at].clone()),
            };
            if value.is_some() {
                row[at] = value;
                self.states[at] = State::Good;
            }
        }
    }

    /// The natural key joined; too long a key is cut and closed with a hash of the whole.
    fn natural_id(&self, row: &[Option<String>]) -> Option<String> {
        const MOST: usize = 100;
        let mut id = String::with_capacity(40);
        for (nth, at) in self.natural_key.iter().enumerate() {
            if nth > 0 {
                id.push(':');
            }
            id.push_str(row[*at].as_deref().unwrap_or_default());
        }
        if id.chars().all(|c| c == ':') {
            return None;
        }
        if id.chars().count() > MOST {
            let head: String = id.chars().take(MOST - 33).collect();
            id = format!("{head}~{:032x}", fnv1a_128(id.as_bytes()));
        }
        Some(id)
    }

    fn check_rules(
        &mut self,
        row: &mut [Option<String>],
        deletes: bool,
        ctx: &Context<'_>,
        verdict: &mut Verdict<'t>,
    ) {
        for rule in &self.rules {
            if deletes && !rule.envelope {
                continue;
            }
            let question = rule.rule.kind.lookup();
            if question.is_some_and(|question| !ctx.lookups.offers(question)) {
                continue;
            }
            let view = RowView { cells: row, states: &self.states };
            match rule.decide(&view, ctx) {
                Decision::Holds => {}
                Decision::Broken(finding) => {
                    let at = finding.column;
                    let mut issue = issue(self.table, rule.rule, Some(at), row, finding.reason);
                    if self.states[at] == State::Good
                        && self.table.columns[at].ty == ColumnType::Money
                    {
                        // told in the unit in which it was delivered
                        issue.value = issue.value.as_deref().and_then(yuan_text);
                    }
                    verdict.issues.push(issue);
                }
                Decision::Mends(at, Reading::Mended(to, how)) => {
                    let from = row[at].replace(to.clone()).unwrap_or_default();
                    self.states[at] = State::Good;
                    verdict.normalised.push(normalised(self.table, at, from, to, how));
                }
                Decision::Mends(..) => {}
            }
        }
    }

    /// Says what is personal only now, when the columns it depends on are canonical.
    fn finish(&self, row: &[Option<String>], verdict: &mut Verdict<'t>) {
        let personal = |at: usize| self.table.is_personal(at, row);
        for change in &mut verdict.normalised {
            change.personal = personal(change.column_index);
        }
        for issue in &mut verdict.issues {
            issue.personal = issue.column_index.is_some_and(personal);
            // what the department wrote, not what we made of it
            let delivered = verdict
                .normalised
                .iter()
                .find(|change| Some(change.column_index) == issue.column_index);
            if let Some(change) = delivered {
                issue.value = Some(change.from.clone());
            }
        }
        verdict.refused = verdict.issues.iter().any(|issue| issue.rule.severity == Severity::Error);
    }
}

/// Does the caller give this envelope value for the whole batch?
fn given(default: FileDefault, ctx: &Context<'_>) -> bool {
    match default {
        FileDefault::Source => ctx.source.is_some(),
        FileDefault::Batch => ctx.batch.is_some(),
        FileDefault::ReceivedDay | FileDefault::RecordId => true,
        FileDefault::NaturalKey | FileDefault::Received | FileDefault::Insert => false,
    }
}

fn issue<'t>(
    table: &'t Table,
    rule: &'t Rule,
    at: Option<usize>,
    row: &[Option<String>],
    reason: String,
) -> Issue<'t> {
    Issue {
        rule,
        column: at.map(|at| &table.columns[at]),
        column_index: at,
        value: at.and_then(|at| row[at].clone()),
        personal: false,
        reason,
    }
}

fn normalised<'t>(
    table: &'t Table,
    at: usize,
    from: String,
    to: String,
    how: Mends,
) -> Normalised<'t> {
    Normalised { column: &table.columns[at], column_index: at, from, to, how, personal: false }
}

/// FNV-1a, 128 bits: stable over versions and machines, which the standard hashers are not.
fn fnv1a_128(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, b| (hash ^ u128::from(*b)).wrapping_mul(PRIME))
}
