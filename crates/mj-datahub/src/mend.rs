//! The way back of refused rows: the marked sheet for the department, and single rows mended.

use std::collections::BTreeMap;
use std::io::Cursor;

use mj_standard::HeaderMap;
use mj_tabular::{Mark, MarkedRow, MarkedSheet, ORIGINAL_ROW_COLUMN};

use crate::Datahub;
use crate::error::{Error, Result};
use crate::model::{Batch, ErrorRow};
use crate::store;
use crate::store::error_row::{Filter, raw_context};

const PAGE: i64 = 2_000;

/// The refused rows of a batch as the department delivered them, bad cells marked.
pub async fn marked_sheet(hub: &Datahub, batch: &Batch) -> Result<Vec<u8>> {
    let table = hub.table(&batch.table)?;
    let header = batch.header.clone().unwrap_or_default();
    let map = HeaderMap::new(table, &header);
    let columns: BTreeMap<String, usize> = (0..header.len())
        .filter_map(|index| Some((table.columns[map.place(index)?].name.clone(), index)))
        .collect();
    let mut sheet = MarkedSheet::new(&table.title, &header).map_err(tabular)?;
    let mut after_row = 0;
    loop {
        let filter = Filter { open_only: true, after_row, limit: PAGE, ..Filter::default() };
        let mut rows = store::error_row::list_raw(&hub.db, &batch.id, &filter).await?;
        let more = rows.len() as i64 > PAGE;
        rows.truncate(PAGE as usize);
        for (row, raw) in &rows {
            after_row = row.row;
            if let Some(cells) = open(hub, batch, row.row, raw).await? {
                push(&mut sheet, &columns, row, &cells)?;
            }
        }
        if !more {
            break;
        }
    }
    tokio::task::spawn_blocking(move || {
        let mut out = Cursor::new(Vec::new());
        sheet.finish(&mut out).map_err(tabular)?;
        Ok(out.into_inner())
    })
    .await
    .map_err(Error::thread)?
}

fn push(
    sheet: &mut MarkedSheet,
    columns: &BTreeMap<String, usize>,
    row: &ErrorRow,
    cells: &[Option<String>],
) -> Result<()> {
    let cells: Vec<Option<&str>> = cells.iter().map(Option::as_deref).collect();
    let marks: Vec<Mark<'_>> = row
        .issues
        .iter()
        .map(|issue| Mark {
            column: columns.get(&issue.column).copied(),
            reason: &issue.reason,
            remedy: &issue.remedy,
            refuses: issue.severity == "error",
        })
        .collect();
    let row = u64::try_from(row.row).unwrap_or(0);
    sheet.push(&MarkedRow { row, cells: &cells, marks: &marks }).map_err(tabular)
}

/// The delivered cells of a refused row; `None` where they were erased with a person.
pub(crate) async fn open(
    hub: &Datahub,
    batch: &Batch,
    row: i64,
    raw: &[u8],
) -> Result<Option<Vec<Option<String>>>> {
    let text = hub.keys.open_stored(&hub.db, &raw_context(&batch.id, row), raw).await?;
    text.map(|text| serde_json::from_str(&text).map_err(Error::json("错误记录"))).transpose()
}

/// The same for somebody who asked for this row.
pub(crate) async fn opened(
    hub: &Datahub,
    batch: &Batch,
    row: i64,
    raw: &[u8],
) -> Result<Vec<Option<String>>> {
    open(hub, batch, row, raw).await?.ok_or(Error::RowErased)
}

fn tabular(error: mj_tabular::TableError) -> Error {
    Error::Tabular(error.to_string())
}

/// The refused row with the mended values laid over it, as one JSON line.
pub async fn mended_row(
    hub: &Datahub,
    batch: &Batch,
    row: i64,
    values: &BTreeMap<String, Option<String>>,
) -> Result<String> {
    let table = hub.table(&batch.table)?;
    let (known, raw) =
        store::error_row::one(&hub.db, &batch.id, row).await?.ok_or(Error::UnknownErrorRow)?;
    if known.mended {
        return Err(Error::AlreadyMended);
    }
    let cells = opened(hub, batch, row, &raw).await?;
    let mut mended = serde_json::Map::new();
    let map = HeaderMap::new(table, batch.header.as_deref().unwrap_or_default());
    for (index, cell) in cells.into_iter().enumerate() {
        if let (Some(column), Some(cell)) = (map.place(index), cell) {
            mended.insert(table.columns[column].name.clone(), cell.into());
        }
    }
    for (name, value) in values {
        let column = HeaderMap::new(table, std::slice::from_ref(name))
            .place(0)
            .ok_or_else(|| Error::Request(format!("{}没有“{name}”这一列", table.title)))?;
        let name = table.columns[column].name.clone();
        match value {
            Some(value) => mended.insert(name, value.as_str().into()),
            None => mended.remove(&name),
        };
    }
    mended.insert(ORIGINAL_ROW_COLUMN.to_owned(), row.to_string().into());
    Ok(format!("{}\n", serde_json::Value::Object(mended)))
}
