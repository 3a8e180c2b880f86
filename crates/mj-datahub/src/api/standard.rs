//! The data standard as one reads it: a field found over all tables, code lists with who uses them,
//! and a sample file of a table that the standard's own engine accepts.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mj_standard::{CodeList, Table};
use mj_tabular::{CsvEncoding, CsvWriter};
use mj_web::{Answer, PathOf, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Datahub;
use crate::error::Error;

/// How many hits of a kind an answer holds.
const MOST: usize = 60;

#[derive(Debug, Deserialize, IntoParams)]
pub struct StandardQuery {
    /// 字段名称、标识符、代码表名称、代码或取值的一部分
    q: String,
}

/// A column of a table, found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldHit {
    pub table: String,
    pub table_title: String,
    pub name: String,
    pub title: String,
    pub type_title: String,
    pub required: bool,
    pub personal: bool,
    pub list: Option<String>,
    pub list_title: Option<String>,
    /// 检核规则数
    pub rules: usize,
}

/// A rule, found by its words.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleHit {
    pub table: String,
    pub table_title: String,
    pub rule: String,
    pub text: String,
    pub remedy: String,
    pub source: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ListHit {
    pub list: String,
    pub title: String,
    pub values: usize,
    /// 命中的取值
    pub code: Option<String>,
    pub code_title: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StandardHits {
    pub fields: Vec<FieldHit>,
    pub rules: Vec<RuleHit>,
    pub lists: Vec<ListHit>,
    /// 还有没列出的
    pub more: bool,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CodeListItem {
    pub list: String,
    pub title: String,
    pub source: String,
    pub values: usize,
    /// 有多少个字段用它
    pub used_by: usize,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CodeLists {
    pub items: Vec<CodeListItem>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CodeValue {
    pub code: String,
    pub title: String,
    /// 上报国家平台时的取值
    pub export: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ListUse {
    pub table: String,
    pub table_title: String,
    pub column: String,
    pub column_title: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CodeListView {
    pub list: String,
    pub title: String,
    pub source: String,
    pub values: Vec<CodeValue>,
    pub used_by: Vec<ListUse>,
}

pub async fn search(
    State(hub): State<Datahub>,
    Query(query): Query<StandardQuery>,
) -> Json<StandardHits> {
    Json(hub.find_in_standard(&query.q, MOST))
}

impl Datahub {
    /// Fields, rules and code lists with these words, the nearest first; at most `most` of each.
    pub fn find_in_standard(&self, q: &str, most: usize) -> StandardHits {
        let needle: String = q.trim().chars().take(100).collect::<String>().to_lowercase();
        let mut hits =
            StandardHits { fields: Vec::new(), rules: Vec::new(), lists: Vec::new(), more: false };
        if needle.is_empty() {
            return hits;
        }
        // the whole word first, then its beginning, then anywhere
        let rank = |texts: &[&str]| {
            let of = |text: &&str| {
                let text = text.to_lowercase();
                match text.find(&needle) {
                    _ if text == needle => Some(0),
                    Some(0) => Some(1),
                    Some(_) => Some(2),
                    None => None,
                }
            };
            texts.iter().filter_map(of).min()
        };
        let mut fields = Vec::new();
        let mut rules = Vec::new();
        for table in self.standard.tables() {
            for column in table.columns.iter().filter(|column| !column.envelope) {
                let mut names = vec![column.title.as_str(), column.name.as_str()];
                names.extend(column.aliases.iter().map(String::as_str));
                let Some(rank) = rank(&names) else { continue };
                let list = column.ty.list().and_then(|list| self.standard.list(list));
                let hit = FieldHit {
                    table: table.name.clone(),
                    table_title: table.title.clone(),
                    name: column.name.clone(),
                    title: column.title.clone(),
                    type_title: column.ty.title().into(),
                    required: column.required,
                    personal: column.personal != mj_standard::Personal::No,
                    list: list.map(|list| list.name.clone()),
                    list_title: list.map(|list| list.title.clone()),
                    rules: rules_of(table, &column.name),
                };
                fields.push((rank, hit));
            }
            for rule in table.rules.iter().filter(|rule| !rule.generated) {
                let Some(rank) = rank(&[rule.text.as_str(), rule.id.as_str()]) else { continue };
                let hit = RuleHit {
                    table: table.name.clone(),
                    table_title: table.title.clone(),
                    rule: rule.id.clone(),
                    text: rule.text.clone(),
                    remedy: rule.remedy.clone(),
                    source: rule.source.clone(),
                };
                rules.push((rank, hit));
            }
        }
        let mut lists = Vec::new();
        for list in self.standard.lists() {
            let plain = |code: Option<&mj_standard::CodeEntry>| ListHit {
                list: list.name.clone(),
                title: list.title.clone(),
                values: list.entries.len(),
                code: code.map(|entry| entry.code.clone()),
                code_title: code.map(|entry| entry.title.clone()),
            };
            if let Some(rank) = rank(&[list.title.as_str(), list.name.as_str()]) {
                lists.push((rank, plain(None)));
                continue;
            }
            let named = list
                .entries
                .iter()
                .filter_map(|entry| Some((rank(&[entry.title.as_str()])?, entry)));
            if let Some((rank, entry)) = named.min_by_key(|(rank, _)| *rank) {
                lists.push((rank + 3, plain(Some(entry))));
            }
        }
        hits.more = fields.len() > most || rules.len() > most || lists.len() > most;
        hits.fields = nearest(fields, most);
        hits.rules = nearest(rules, most);
        hits.lists = nearest(lists, most);
        hits
    }
}

fn nearest<T>(mut found: Vec<(i32, T)>, most: usize) -> Vec<T> {
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().take(most).map(|(_, hit)| hit).collect()
}

fn rules_of(table: &Table, column: &str) -> usize {
    let begins = |rule: &&mj_standard::Rule| {
        rule.id.strip_prefix(column).is_some_and(|rest| rest.starts_with('.'))
    };
    table.rules.iter().filter(begins).count()
}

fn uses(hub: &Datahub, list: &str) -> Vec<ListUse> {
    let mut uses = Vec::new();
    for table in hub.standard.tables() {
        for column in table.columns.iter().filter(|column| column.ty.list() == Some(list)) {
            uses.push(ListUse {
                table: table.name.clone(),
                table_title: table.title.clone(),
                column: column.name.clone(),
                column_title: column.title.clone(),
            });
        }
    }
    uses
}

pub async fn lists(State(hub): State<Datahub>) -> Json<CodeLists> {
    let item = |list: &std::sync::Arc<CodeList>| CodeListItem {
        list: list.name.clone(),
        title: list.title.clone(),
        source: list.source.clone(),
        values: list.entries.len(),
        used_by: uses(&hub, &list.name).len(),
    };
    Json(CodeLists { items: hub.standard.lists().iter().map(item).collect() })
}

pub async fn list(
    State(hub): State<Datahub>,
    PathOf(name): PathOf<String>,
) -> Answer<Json<CodeListView>> {
    let list = hub.standard.list(&name).ok_or_else(Problem::not_found)?;
    let value = |entry: &mj_standard::CodeEntry| CodeValue {
        code: entry.code.clone(),
        title: entry.title.clone(),
        export: entry.export.clone(),
    };
    Ok(Json(CodeListView {
        list: list.name.clone(),
        title: list.title.clone(),
        source: list.source.clone(),
        values: list.entries.iter().map(value).collect(),
        used_by: uses(&hub, &list.name),
    }))
}

/// The columns a sender fills and their values in the sample, in the order of the table.
fn sample(table: &Table) -> impl Iterator<Item = (&mj_standard::Column, Option<&str>)> {
    table.columns.iter().zip(&table.sample).filter_map(|(column, value)| {
        let value = value.as_deref();
        // what the receiver adds to a row is in no sender's file
        (!column.envelope || value.is_some()).then_some((column, value))
    })
}

pub async fn sample_csv(
    State(hub): State<Datahub>,
    PathOf(name): PathOf<String>,
) -> Answer<Response> {
    let table = hub.standard.table(&name).ok_or_else(Problem::not_found)?;
    let io = |error: std::io::Error| Error::Tabular(error.to_string());
    let mut writer = CsvWriter::new(Vec::new(), CsvEncoding::Utf8Bom);
    writer.write_row(sample(table).map(|(column, _)| Some(column.title.as_str()))).map_err(io)?;
    writer.write_row(sample(table).map(|(_, value)| value)).map_err(io)?;
    let bytes = writer.finish().map_err(io)?;
    Ok(file(bytes, "text/csv; charset=utf-8", &format!("{name}_sample.csv")))
}

pub async fn sample_json(
    State(hub): State<Datahub>,
    PathOf(name): PathOf<String>,
) -> Answer<Response> {
    let table = hub.standard.table(&name).ok_or_else(Problem::not_found)?;
    let row: serde_json::Map<String, serde_json::Value> = sample(table)
        .filter_map(|(column, value)| Some((column.name.clone(), value?.into())))
        .collect();
    let line = format!("{}\n", serde_json::Value::Object(row));
    Ok(file(line.into_bytes(), "application/x-ndjson", &format!("{name}_sample.jsonl")))
}

fn file(bytes: Vec<u8>, media_type: &'static str, name: &str) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)],
        bytes,
    )
        .into_response()
}
