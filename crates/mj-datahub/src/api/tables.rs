//! The data standard as departments see it.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mj_standard::artefact::{excel_template, json_schema};
use mj_standard::{Column, Personal, Rule, Table};
use mj_web::{Answer, PathOf, Problem};

use super::shapes::*;
use crate::Datahub;
use crate::error::Error;

pub async fn list(State(hub): State<Datahub>) -> Json<TableList> {
    let items = hub
        .standard
        .tables()
        .iter()
        .map(|table| TableItem {
            table: table.name.clone(),
            title: table.title.clone(),
            kind: table.kind.name().into(),
            kind_title: table.kind.title().into(),
            columns: table.columns.len(),
            required: table.columns.iter().filter(|column| column.required).count(),
            rules: table.rules.len(),
        })
        .collect();
    Json(TableList { items })
}

pub async fn one(
    State(hub): State<Datahub>,
    PathOf(name): PathOf<String>,
) -> Answer<Json<TableSpecView>> {
    let table = find(&hub, &name)?;
    Ok(Json(TableSpecView {
        table: table.name.clone(),
        title: table.title.clone(),
        kind: table.kind.name().into(),
        kind_title: table.kind.title().into(),
        source: table.source.clone(),
        about: table.about.clone(),
        standard_version: hub.standard.version().into(),
        natural_key: table.natural_key.clone(),
        business_key: table.business_key.clone(),
        columns: table.columns.iter().map(column).collect(),
        rules: table.rules.iter().map(rule).collect(),
    }))
}

fn column(column: &Column) -> ColumnView {
    ColumnView {
        name: column.name.clone(),
        title: column.title.clone(),
        ty: column.ty.name().into(),
        type_title: column.ty.title().into(),
        max_len: column.max_len,
        required: column.required,
        list: column.ty.list().map(str::to_owned),
        multi: column.multi.map(String::from),
        personal: column.personal != Personal::No,
        note: column.note.clone(),
    }
}

fn rule(rule: &Rule) -> RuleView {
    RuleView {
        rule: rule.id.clone(),
        class: rule.class.code().into(),
        class_title: rule.class.title().into(),
        severity: rule.severity.name().into(),
        text: rule.text.clone(),
        remedy: rule.remedy.clone(),
        source: rule.source.clone(),
    }
}

fn find(hub: &Datahub, name: &str) -> Answer<&'static Table> {
    hub.standard.table(name).ok_or_else(Problem::not_found)
}

pub(super) fn attachment(bytes: Vec<u8>, file_name: &str) -> Response {
    let disposition = format!("attachment; filename=\"{file_name}\"");
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, XLSX.to_owned()), (header::CONTENT_DISPOSITION, disposition)],
        bytes,
    )
        .into_response()
}

pub async fn template(
    State(hub): State<Datahub>,
    PathOf(name): PathOf<String>,
) -> Answer<Response> {
    let table = find(&hub, &name)?;
    let bytes = tokio::task::spawn_blocking(move || excel_template(table))
        .await
        .map_err(Error::thread)?
        .map_err(|error| Error::Tabular(error.to_string()))?;
    Ok(attachment(bytes, &format!("{}.xlsx", table.name)))
}

pub async fn schema(
    State(hub): State<Datahub>,
    PathOf(name): PathOf<String>,
) -> Answer<Json<serde_json::Value>> {
    Ok(Json(json_schema(hub.standard, find(&hub, &name)?)))
}
