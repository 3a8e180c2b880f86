//! JSON Schema (2020-12) of one pushed row.
//!
//! It says what a schema can say of a *delivered* row: types, lengths, code lists, what must be
//! there. Check digits and the rules between columns stay with the engine.

use serde_json::{Map, Value, json};

use crate::spec::{Column, ColumnType, FileDefault, Standard, Table};

pub fn json_schema(standard: &Standard, table: &Table) -> Value {
    let mut properties = Map::new();
    for column in &table.columns {
        properties.insert(column.name.clone(), property(column));
    }
    let required: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| column.required && !from_batch(column))
        .map(|column| column.name.as_str())
        .collect();
    let envelope: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| column.required && column.envelope && !from_batch(column))
        .map(|column| column.name.as_str())
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:mingjian:standard:{}:{}", standard.version(), table.name),
        "title": table.title,
        "description": table.about,
        "type": "object",
        "properties": properties,
        // a deletion names its record and nothing else
        "if": { "properties": { "cd_operation": { "const": "d" } }, "required": ["cd_operation"] },
        "then": { "required": envelope },
        "else": { "required": required },
        "additionalProperties": true
    })
}

/// Given once for the whole batch.
fn from_batch(column: &Column) -> bool {
    matches!(column.default_in_files, Some(FileDefault::Source | FileDefault::Batch))
}

fn property(column: &Column) -> Value {
    let mut schema = Map::new();
    schema.insert("title".to_owned(), json!(column.title));
    schema.insert("type".to_owned(), json!(["string", "null"]));
    if let Some(max) = column.max_len {
        schema.insert("maxLength".to_owned(), json!(max));
    }
    if let Some(pattern) = pattern(column) {
        schema.insert("pattern".to_owned(), json!(pattern));
    }
    if let (Some(list), None) = (&column.code_list, column.multi) {
        let mut codes: Vec<Value> = list.entries.iter().map(|entry| json!(entry.code)).collect();
        codes.push(Value::Null);
        schema.insert("enum".to_owned(), Value::Array(codes));
    }
    let mut said: Vec<String> = vec![column.ty.title().to_owned()];
    said.extend(column.note.clone());
    said.extend(column.unit.as_ref().map(|unit| format!("单位：{unit}")));
    said.extend(column.multi.map(|separator| format!("多值以 {separator} 分隔")));
    schema.insert("description".to_owned(), json!(said.join("；")));
    Value::Object(schema)
}

/// Forms that are exact; mendable forms are accepted by the engine all the same.
fn pattern(column: &Column) -> Option<&'static str> {
    if column.multi.is_some() {
        return None;
    }
    match column.ty {
        ColumnType::Date => Some(r"^\d{4}-\d{2}-\d{2}$"),
        ColumnType::Instant => {
            Some(r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?$")
        }
        ColumnType::Integer => Some(r"^-?\d+$"),
        ColumnType::Decimal => Some(r"^-?\d+(\.\d+)?$"),
        ColumnType::Money => Some(r"^-?\d+(\.\d{1,2})?$"),
        ColumnType::Bool => Some("^[是否]$"),
        ColumnType::Area => Some(r"^(\d{6}|\d{9}|\d{12})$"),
        ColumnType::Industry => Some(r"^([A-T]|\d{2,4})$"),
        ColumnType::Uscc => Some("^[0-9A-HJ-NPQRTUWXY]{18}$"),
        ColumnType::CitizenId => Some(r"^\d{17}[0-9X]$"),
        ColumnType::OrgCode => Some("^[0-9A-Z]{9}$"),
        ColumnType::Item => Some(r"^\d{14}$"),
        ColumnType::Implementation => Some("^[0-9A-Z]{18}[1-5][0-9A-Z]{0,81}$"),
        ColumnType::BatchNumber => Some(r"^\d{13}$"),
        _ => None,
    }
}
