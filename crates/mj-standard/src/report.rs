//! The report of one checked file: counts that add up, issues, normalisations, for people and programs.
//!
//! The JSON has exactly the keys and the order of `check table --json` (docs/contracts.md 1).
//! Personal values are masked here, before anything is kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::delivered::{DeliveredRow, StructuralFinding};
use crate::engine::{Context, Engine, Issue, Normalised, Verdict};
use crate::header::HeaderMap;
use crate::mask::{MaskKind, mask};
use crate::memory::FileMemory;
use crate::spec::{Class, Column, LookupKind, Severity, Standard, Table};
use crate::swapped::SwapWatch;

/// Issues and normalisations beyond this many are counted but not listed.
pub const MOST_LISTED: usize = 10_000;
/// Longest value repeated in a report.
const MOST_SHOWN: usize = 200;

const STRUCTURE_SOURCE: &str = "数据检核类型 00 结构";

/// Rows by what became of them; `read` is the sum of the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RowCounts {
    pub read: u64,
    pub ok: u64,
    pub warned: u64,
    pub refused: u64,
}

/// A rule that needs what is not there.
#[derive(Debug, Clone, Serialize)]
pub struct RuleNotRun {
    pub rule: String,
    pub reason: String,
}

/// One issue as reported.
#[derive(Debug, Clone, Serialize)]
pub struct ReportedIssue {
    pub row: Option<u64>,
    pub line: Option<u64>,
    pub column: Option<String>,
    pub value: Option<String>,
    pub class: &'static str,
    pub rule: String,
    pub severity: &'static str,
    pub reason: String,
    pub remedy: String,
    pub source: String,
}

/// One normalisation as reported.
#[derive(Debug, Clone, Serialize)]
pub struct ReportedNormalisation {
    pub row: u64,
    pub column: String,
    pub from: String,
    pub to: String,
    pub how: String,
}

/// The report. Field order is part of the contract.
#[derive(Debug, Clone, Serialize)]
pub struct TableReport {
    pub table: String,
    pub standard_version: String,
    pub encoding: String,
    pub rows: RowCounts,
    pub by_class: BTreeMap<&'static str, u64>,
    pub by_rule: BTreeMap<String, u64>,
    pub rules_not_run: Vec<RuleNotRun>,
    pub issues: Vec<ReportedIssue>,
    pub normalised: Vec<ReportedNormalisation>,
    pub truncated: bool,
    #[serde(skip)]
    title: String,
    #[serde(skip)]
    column_titles: BTreeMap<String, String>,
    #[serde(skip)]
    errors: u64,
}

/// Collects verdicts into a [`TableReport`].
pub struct TableCheck<'t> {
    table: &'t Table,
    report: TableReport,
}

impl<'t> TableCheck<'t> {
    pub fn new(standard: &Standard, table: &'t Table, encoding: &str) -> Self {
        Self {
            table,
            report: TableReport {
                table: table.name.clone(),
                standard_version: standard.version().to_owned(),
                encoding: encoding.to_owned(),
                rows: RowCounts::default(),
                by_class: Class::all().map(|class| (class.code(), 0)).collect(),
                by_rule: BTreeMap::new(),
                rules_not_run: Vec::new(),
                issues: Vec::new(),
                normalised: Vec::new(),
                truncated: false,
                title: table.title.clone(),
                column_titles: table
                    .columns
                    .iter()
                    .map(|column| (column.name.clone(), column.title.clone()))
                    .collect(),
                errors: 0,
            },
        }
    }

    /// Lists the rules that the engine could not run.
    pub fn not_run(&mut self, engine: &Engine<'_>, ctx: &Context<'_>) {
        self.report.rules_not_run = engine
            .rules_not_run(ctx.lookups)
            .into_iter()
            .map(|rule| RuleNotRun {
                rule: rule.id.clone(),
                reason: rule
                    .kind
                    .lookup()
                    .map_or("", |question| needs(question, ctx.lookups.has_store()))
                    .to_owned(),
            })
            .collect();
    }

    /// A finding about the file, or about a row that could not be read at all and is counted here.
    pub fn structural(&mut self, finding: StructuralFinding) {
        if finding.row.is_some() {
            self.report.rows.read += 1;
            self.report.rows.refused += 1;
        }
        self.push_structural(finding);
    }

    fn push_structural(&mut self, finding: StructuralFinding) {
        self.push_issue(ReportedIssue {
            row: finding.row,
            line: finding.line,
            column: finding.column,
            value: None,
            class: Class::STRUCTURE.code(),
            rule: finding.code.to_owned(),
            severity: finding.severity.name(),
            reason: finding.reason,
            remedy: finding.remedy,
            source: STRUCTURE_SOURCE.to_owned(),
        });
    }

    pub fn header(&mut self, map: &HeaderMap) {
        for finding in &map.findings {
            self.push_issue(ReportedIssue {
                row: None,
                line: Some(1),
                column: finding.column.clone(),
                value: None,
                class: Class::STRUCTURE.code(),
                rule: finding.rule.to_owned(),
                severity: finding.severity.name(),
                reason: finding.reason.clone(),
                remedy: finding.remedy.clone(),
                source: STRUCTURE_SOURCE.to_owned(),
            });
        }
    }

    /// Counts one row with all that was said of it: by the reader, by the engine, across rows.
    pub fn row(
        &mut self,
        row: u64,
        line: Option<u64>,
        findings: Vec<StructuralFinding>,
        verdict: Verdict<'t>,
        across: Vec<Issue<'t>>,
    ) {
        let refused =
            verdict.refused || findings.iter().any(|finding| finding.severity == Severity::Error);
        let clean = verdict.issues.is_empty() && across.is_empty() && findings.is_empty();
        let rows = &mut self.report.rows;
        rows.read += 1;
        match (refused, clean) {
            (true, _) => rows.refused += 1,
            (false, true) => rows.ok += 1,
            (false, false) => rows.warned += 1,
        }
        for finding in findings {
            self.push_structural(StructuralFinding {
                row: Some(row),
                line: finding.line.or(line),
                ..finding
            });
        }
        for issue in verdict.issues.iter().chain(&across) {
            self.push_issue(reported(issue, row, line));
        }
        for change in &verdict.normalised {
            if self.report.normalised.len() < MOST_LISTED {
                self.report.normalised.push(reported_change(change, row));
            } else {
                self.report.truncated = true;
            }
        }
    }

    fn push_issue(&mut self, issue: ReportedIssue) {
        *self.report.by_class.entry(issue.class).or_default() += 1;
        *self.report.by_rule.entry(issue.rule.clone()).or_default() += 1;
        self.report.errors += u64::from(issue.severity == Severity::Error.name());
        if self.report.issues.len() < MOST_LISTED {
            self.report.issues.push(issue);
        } else {
            self.report.truncated = true;
        }
    }

    pub fn table(&self) -> &'t Table {
        self.table
    }

    pub fn finish(self) -> TableReport {
        self.report
    }
}

fn needs(question: LookupKind, has_store: bool) -> &'static str {
    match (question, has_store) {
        (LookupKind::Source, false) => "需要数据源登记，请加 --data-dir",
        (LookupKind::Item, false) => "需要监管事项目录，请加 --data-dir",
        (LookupKind::Implementation, false) => "需要检查实施清单，请加 --data-dir",
        (LookupKind::Certificate, false) => "需要执法人员名录，请加 --data-dir",
        (LookupKind::Related, false) => "需要已报送的数据，请加 --data-dir",
        (LookupKind::Source, true) => "数据目录中还没有登记数据来源",
        (LookupKind::Item, true) => {
            "数据目录中还没有监管事项目录；先导入 supervise_item、supervise_subitem 再查"
        }
        (LookupKind::Implementation, true) => {
            "数据目录中还没有检查实施清单；先导入 implement_list 再查"
        }
        (LookupKind::Certificate, true) => "数据目录中还没有执法人员证件；先导入人员名录再查",
        (LookupKind::Related, true) => "数据目录中还没有可以对照的数据",
    }
}

fn reported(issue: &Issue<'_>, row: u64, line: Option<u64>) -> ReportedIssue {
    ReportedIssue {
        row: Some(row),
        line,
        column: issue.column.map(|column| column.name.clone()),
        value: issue.value.as_deref().map(|value| shown(value, issue.column, issue.personal)),
        class: issue.rule.class.code(),
        rule: issue.rule.id.clone(),
        severity: issue.rule.severity.name(),
        reason: issue.reason.clone(),
        remedy: issue.rule.remedy.clone(),
        source: issue.rule.source.clone(),
    }
}

fn reported_change(change: &Normalised<'_>, row: u64) -> ReportedNormalisation {
    let show = |value: &str| shown(value, Some(change.column), change.personal);
    ReportedNormalisation {
        row,
        column: change.column.name.clone(),
        from: show(&change.from),
        to: show(&change.to),
        how: change.how.text(),
    }
}

fn shown(value: &str, column: Option<&Column>, personal: bool) -> String {
    if personal {
        let kind = column.map_or(MaskKind::All, |column| MaskKind::of(&column.ty));
        return mask(kind, value);
    }
    match value.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// Checks a delivered file that has been opened: header and rows.
pub fn check_table(
    standard: &Standard,
    table: &Table,
    ctx: &Context<'_>,
    encoding: &str,
    header: &[String],
    rows: impl IntoIterator<Item = Result<DeliveredRow, Box<StructuralFinding>>>,
) -> TableReport {
    let mut check = TableCheck::new(standard, table, encoding);
    let mut engine = Engine::new(table);
    check.not_run(&engine, ctx);
    let map = HeaderMap::new(table, header);
    check.header(&map);
    if map.refuses_file() {
        return check.finish();
    }
    let mut memory = FileMemory::new(table);
    let mut watch = SwapWatch::new(table);
    let mut cells = Vec::with_capacity(table.columns.len());
    for delivered in rows {
        let mut delivered = match delivered {
            Ok(delivered) => delivered,
            Err(finding) => {
                check.structural(*finding);
                continue;
            }
        };
        if let Some(finding) = too_wide(&map, &delivered)
            && delivered.findings.is_empty()
        {
            delivered.findings.push(finding);
        }
        let unusable = |finding: &StructuralFinding| {
            finding.severity == Severity::Error && finding.column.is_none()
        };
        if delivered.findings.iter().any(unusable) {
            check.row(
                delivered.row,
                delivered.line,
                delivered.findings,
                Verdict::default(),
                Vec::new(),
            );
            continue;
        }
        map.arrange(delivered.cells.iter().map(Option::as_deref), &mut cells);
        watch.delivered(&cells);
        let mut verdict = engine.check_row(&mut cells, ctx);
        let blamed = delivered.findings.iter().filter(|one| one.severity == Severity::Error);
        let blamed: Vec<usize> = blamed
            .filter_map(|one| header.iter().position(|title| Some(title) == one.column.as_ref()))
            .filter_map(|index| map.place(index))
            .collect();
        verdict.forgive_missing(&blamed);
        watch.judged(&verdict);
        let across = if verdict.refused { Vec::new() } else { memory.observe(&cells) };
        check.row(delivered.row, delivered.line, delivered.findings, verdict, across);
    }
    for finding in watch.findings(&mut engine, ctx) {
        check.structural(finding);
    }
    let mut report = check.finish();
    report.note_if_empty();
    report
}

/// Cells beyond the header belong to no column: the row has slipped.
pub fn too_wide(map: &HeaderMap, row: &DeliveredRow) -> Option<StructuralFinding> {
    let extra = row.cells.get(map.len()..)?;
    let filled =
        extra.iter().any(|cell| cell.as_deref().is_some_and(|text| !text.trim().is_empty()));
    filled.then(|| StructuralFinding {
        code: "row.cell_count",
        severity: Severity::Error,
        row: Some(row.row),
        line: row.line,
        column: None,
        reason: format!("本行有 {} 格，表头只有 {} 列", row.cells.len(), map.len()),
        remedy: "请核对分隔符和引号，文字中的分隔符应加引号".to_owned(),
    })
}

impl TableReport {
    /// The report of a file that is no table: one finding, no rows.
    pub fn unreadable(
        standard: &Standard,
        table: &Table,
        encoding: &str,
        finding: StructuralFinding,
    ) -> TableReport {
        let mut check = TableCheck::new(standard, table, encoding);
        check.structural(StructuralFinding { row: None, ..finding });
        check.finish()
    }

    /// A header without rows delivers nothing: the same verdict as when the file is handed in.
    fn note_if_empty(&mut self) {
        if self.rows.read > 0 || self.errors > 0 {
            return;
        }
        let rule = "file.header_only";
        if self.by_rule.contains_key(rule) {
            return;
        }
        *self.by_class.entry(Class::STRUCTURE.code()).or_default() += 1;
        *self.by_rule.entry(rule.to_owned()).or_default() += 1;
        self.errors += 1;
        self.issues.push(ReportedIssue {
            row: None,
            line: None,
            column: None,
            value: None,
            class: Class::STRUCTURE.code(),
            rule: rule.to_owned(),
            severity: Severity::Error.name(),
            reason: "文件只有表头，没有数据行".to_owned(),
            remedy: "请在表头下面填写数据后再上传；本期没有数据时不必上传".to_owned(),
            source: STRUCTURE_SOURCE.to_owned(),
        });
    }

    /// Something is wrong with the data: exit code 1.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// The report for people, in Chinese.
    pub fn text(&self) -> String {
        const LINES: usize = 60;
        const LINES_PER_RULE: usize = 5;
        let mut out = String::new();
        let rows = self.rows;
        // writing to a String cannot fail
        let _ = writeln!(
            out,
            "{}（{}）  标准 {}  编码 {}",
            self.title, self.table, self.standard_version, self.encoding
        );
        let _ = writeln!(
            out,
            "共 {} 行：通过 {}，有提示 {}，拒收 {}",
            rows.read, rows.ok, rows.warned, rows.refused
        );
        for class in Class::all() {
            let count = self.by_class.get(class.code()).copied().unwrap_or(0);
            if count > 0 {
                let _ = writeln!(out, "  {} {}：{count}", class.code(), class.title());
            }
        }
        let mut told: BTreeMap<&str, usize> = BTreeMap::new();
        let mut lines = 0;
        for issue in &self.issues {
            // one rule that fails everywhere must not hide the others
            let times = told.entry(issue.rule.as_str()).or_default();
            *times += 1;
            if *times <= LINES_PER_RULE && lines < LINES {
                lines += 1;
                let _ = writeln!(out, "{}", self.issue_line(issue));
            }
        }
        let all: u64 = self.by_rule.values().sum();
        if all > lines as u64 {
            let _ = writeln!(out, "各规则合计（全部明细请用 --json 查看）：");
            for (rule, count) in &self.by_rule {
                let _ = writeln!(out, "  {rule}：{count}");
            }
        }
        if !self.normalised.is_empty() {
            let _ = writeln!(out, "规范化 {} 处：", self.normalised.len());
            for (how, count) in self.mends() {
                let _ = writeln!(out, "  {how}：{count}");
            }
        }
        if !self.rules_not_run.is_empty() {
            let _ = writeln!(out, "未运行的规则 {} 条：", self.rules_not_run.len());
            for rule in &self.rules_not_run {
                let _ = writeln!(out, "  {}：{}", rule.rule, rule.reason);
            }
        }
        out
    }

    fn issue_line(&self, issue: &ReportedIssue) -> String {
        let place = match (issue.row, issue.line) {
            (Some(row), Some(line)) => format!("第 {row} 行（文件第 {line} 行）"),
            (Some(row), None) => format!("第 {row} 行"),
            _ => "文件".to_owned(),
        };
        let column = issue.column.as_deref().map_or(String::new(), |name| {
            let title = self.column_titles.get(name).map_or(name, String::as_str);
            format!(" {title}")
        });
        let value = issue.value.as_deref().map_or(String::new(), |value| format!("“{value}”"));
        let severity = if issue.severity == Severity::Error.name() {
            Severity::Error.title()
        } else {
            Severity::Warning.title()
        };
        format!(
            "{place}{column}{value}：[{} {severity}] {}。{}。（{}）",
            issue.class,
            issue.reason.trim_end_matches('。'),
            issue.remedy.trim_end_matches('。'),
            issue.rule
        )
    }

    fn mends(&self) -> BTreeMap<&str, u64> {
        let mut mends = BTreeMap::new();
        for change in &self.normalised {
            *mends.entry(change.how.as_str()).or_default() += 1;
        }
        mends
    }
}
