//! Open error rows of a batch, grouped by what is wrong in which column, each group with the mends that
//! could be proposed. A proposal is only made when it helps at least one row.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use mj_kernel::clock::beijing_date;
use mj_standard::{ColumnType, Personal, Table};
use serde::Serialize;
use utoipa::ToSchema;

use super::checker::{Checker, arrange};
use super::fix::{Fix, likely_codes, successor};
use super::rule_number;
use crate::Datahub;
use crate::error::{Error, Result};
use crate::ingest::read::looks_personal;
use crate::mend::open;
use crate::model::{Batch, ErrorRow};
use crate::store;
use crate::store::error_row::Filter;

const PAGE: i64 = 2_000;
/// Choices offered of a code list.
const MOST_CHOICES: usize = 60;
/// Groups shown; the rest are rare faults that are mended one by one.
const MOST_GROUPS: usize = 100;

/// One open row with its values in the table's order.
#[derive(Debug, Clone)]
pub struct OpenRow {
    pub known: ErrorRow,
    pub values: Vec<Option<String>>,
}

/// 代码表中的一个值
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChoiceView)]
pub struct Choice {
    pub code: String,
    pub title: String,
}

/// 同一问题的一组行
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = GroupView)]
pub struct Group {
    pub rule: String,
    pub rule_title: String,
    pub class: String,
    pub column: String,
    pub column_title: String,
    /// 这组行共同的值；各不相同或含个人信息时没有
    pub value: Option<String>,
    pub rows: i64,
    pub reason: String,
    pub remedy: String,
    pub proposal: Option<Fix>,
    pub proposal_title: Option<String>,
    pub why: Option<String>,
    pub choices: Vec<Choice>,
    /// 可以由人指定另一个值
    pub may_replace: bool,
}

#[derive(Debug, Default)]
pub struct Groups {
    pub groups: Vec<Group>,
    pub open: i64,
    /// Not all open rows were looked at.
    pub cut: bool,
}

/// Open rows, at most as many as the rule table says.
pub async fn open_rows(hub: &Datahub, batch: &Batch, most: usize) -> Result<(Vec<OpenRow>, bool)> {
    let table = hub.table(&batch.table)?;
    let header = batch.header.clone().unwrap_or_default();
    let mut rows = Vec::new();
    let mut after_row = 0;
    loop {
        let filter = Filter { open_only: true, after_row, limit: PAGE, ..Filter::default() };
        let mut page = store::error_row::list_raw(&hub.db, &batch.id, &filter).await?;
        let more = page.len() as i64 > PAGE;
        page.truncate(PAGE as usize);
        for (known, raw) in page {
            after_row = known.row;
            if rows.len() >= most {
                return Ok((rows, true));
            }
            let Some(cells) = open(hub, batch, known.row, &raw).await? else { continue };
            rows.push(OpenRow { values: arrange(table, &header, cells), known });
        }
        if !more {
            return Ok((rows, false));
        }
    }
}

pub async fn groups(hub: &Datahub, batch: &Batch) -> Result<Groups> {
    let today = beijing_date(hub.db.clock().now());
    let most = rule_number("rows_most", today)? as usize;
    let (rows, cut) = open_rows(hub, batch, most).await?;
    let mut checker = Checker::new(hub, hub.table(&batch.table)?, &batch.cd_source).await?;
    tokio::task::spawn_blocking(move || {
        let open = rows.len() as i64;
        Groups { groups: gather(&mut checker, &rows, today), open, cut }
    })
    .await
    .map_err(Error::thread)
}

type Key = (String, String, Option<String>);

fn gather(checker: &mut Checker, rows: &[OpenRow], today: NaiveDate) -> Vec<Group> {
    let table = checker.table;
    let mut found: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        for issue in row.known.issues.iter().filter(|issue| issue.severity == "error") {
            let Some(at) = table.column_index(&issue.column) else { continue };
            let value = row.values[at].clone().unwrap_or_default();
            // swapped columns put a person's number where none is expected
            let alike = table.columns[at].personal == Personal::No
                && !distinct(&table.columns[at].ty)
                && !looks_personal(&value);
            let key = (issue.rule.clone(), issue.column.clone(), alike.then_some(value));
            let of_group = found.entry(key).or_default();
            if of_group.last() != Some(&number) {
                of_group.push(number);
            }
        }
    }
    let mut groups: Vec<Group> = found
        .into_iter()
        .filter_map(|((rule, column, value), members)| {
            group(checker, rows, &members, &rule, &column, value, today)
        })
        .collect();
    groups.sort_by_key(|group| (group.proposal.is_none(), std::cmp::Reverse(group.rows)));
    groups.truncate(MOST_GROUPS);
    groups
}

/// Values of these types differ from row to row; a group by value would be a group of one.
fn distinct(ty: &ColumnType) -> bool {
    matches!(
        ty,
        ColumnType::Uscc
            | ColumnType::CitizenId
            | ColumnType::UsccOrCitizenId
            | ColumnType::OrgCode
            | ColumnType::RegNo
            | ColumnType::Decimal
    )
}

fn group(
    checker: &mut Checker,
    rows: &[OpenRow],
    members: &[usize],
    rule: &str,
    column: &str,
    value: Option<String>,
    today: NaiveDate,
) -> Option<Group> {
    let table = checker.table;
    let at = table.column_index(column)?;
    let spec = &table.columns[at];
    let first = members.first().and_then(|number| rows.get(*number))?;
    let issue = first.known.issues.iter().find(|one| one.rule == rule && one.column == column)?;
    let mut why = None;
    let mut proposal = None;
    for (fix, reason) in candidates(table, at, first, value.as_deref(), today) {
        // one row must get better by it; the first few tell
        let helps = members.iter().take(20).any(|number| {
            let row = &rows[*number];
            let mut values = row.values.clone();
            if !fix.apply(table, at, &mut values, today) {
                return false;
            }
            let said = checker.check(&mut values).issues;
            fix.columns(column).iter().all(|touched| {
                !still(&said, rule, touched) && (*touched == column || clean(&said, touched))
            })
        });
        if helps {
            proposal = Some(fix);
            why = Some(reason);
            break;
        }
    }
    let may_replace = spec.personal == Personal::No && value.is_some();
    let mut choices: Vec<(String, String)> = match (&spec.code_list, may_replace) {
        (Some(_), true) => likely_codes(spec, value.as_deref().unwrap_or_default()),
        _ => Vec::new(),
    };
    choices.truncate(MOST_CHOICES);
    let choices = choices.into_iter().map(|(code, title)| Choice { code, title }).collect();
    Some(Group {
        rule: rule.to_owned(),
        rule_title: table.rule(rule).map_or_else(|| "文件结构".to_owned(), |one| one.text.clone()),
        class: issue.class.clone(),
        column: column.to_owned(),
        column_title: spec.title.clone(),
        value,
        rows: members.len() as i64,
        reason: issue.reason.clone(),
        remedy: issue.remedy.clone(),
        proposal_title: proposal.as_ref().map(|fix| fix.title(table, spec)),
        proposal,
        why,
        choices,
        may_replace,
    })
}

fn still(issues: &[crate::model::RowIssue], rule: &str, column: &str) -> bool {
    issues.iter().any(|one| one.severity == "error" && one.rule == rule && one.column == column)
}

fn clean(issues: &[crate::model::RowIssue], column: &str) -> bool {
    !issues.iter().any(|one| one.severity == "error" && one.column == column)
}

fn candidates(
    table: &Table,
    at: usize,
    row: &OpenRow,
    value: Option<&str>,
    today: NaiveDate,
) -> Vec<(Fix, String)> {
    let spec = &table.columns[at];
    let mut found = Vec::new();
    if spec.ty == ColumnType::Area
        && let Some((_, why)) = successor(row.values[at].as_deref().unwrap_or_default(), today)
    {
        found.push((Fix::Successor, why));
    }
    found.push((Fix::Clean, "去掉全角、空格和小写后通过检查".to_owned()));
    let why = "把写混的字母还原成数字后，校验码相符".to_owned();
    found.push((Fix::Lookalike, why));
    // longitude and latitude: two columns of one type, both at fault in this row
    for other in &row.known.issues {
        if other.severity == "error"
            && other.column != spec.name
            && let Some(with) = table.column(&other.column)
            && with.ty == spec.ty
            // two dates that contradict each other are no proof that they were exchanged
            && spec.ty == ColumnType::Decimal
        {
            let why = format!("{}与{}都不合规则，互换后都通过", spec.title, with.title);
            found.push((Fix::Swap { with: with.name.clone() }, why));
        }
    }
    if let (Some(value), Some(list)) = (value, &spec.code_list)
        && spec.personal == Personal::No
    {
        let title = |code: &str| list.title_of(code).unwrap_or_default().to_owned();
        let near: Vec<&mj_standard::CodeEntry> = list
            .entries
            .iter()
            .filter(|entry| {
                value.chars().count() >= 2
                    && !value.chars().all(|c| c.is_ascii_digit())
                    && (entry.title.contains(value) || value.contains(entry.title.as_str()))
            })
            .collect();
        if let [one] = near.as_slice() {
            let fix = Fix::Replace { from: value.to_owned(), to: one.code.clone() };
            found.push((fix, format!("代码表中与它相近的只有“{}”", title(&one.code))));
        }
    }
    found
}
