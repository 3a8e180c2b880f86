//! Taking over accepted list rows in bulk. Applying the same rows again changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use mj_kernel::{Actor, Instant};
use mj_platform::{Act, Lane, RowExt, TruthTable, Value, WriteTx, new_id};

use crate::item::{self, Dated, Kept};
use crate::tables::{CATALOG_IMPLEMENTATION, CATALOG_ITEM, CATALOG_SOURCE, IN_LIST, marks, texts};
use crate::{Catalog, Result};

/// Rows a transaction.
const CHUNK: usize = 1_000;

/// What is done with a record (cd_operation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Upsert,
    Delete,
}

impl Operation {
    /// `d` deletes; `i` and `u` both set the record.
    pub fn of(cd_operation: &str) -> Self {
        if cd_operation.eq_ignore_ascii_case("d") { Self::Delete } else { Self::Upsert }
    }
}

/// One accepted row of `supervise_item`, `supervise_subitem` or `implement_list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogRow {
    pub table: String,
    pub cd_source: String,
    pub cd_id: String,
    pub operation: Operation,
    /// `cd_time`: decides which version of a record wins.
    pub at: Instant,
    pub batch_id: String,
    pub row: i64,
    /// (column, value), filled ones only, normalised
    pub fields: Vec<(String, String)>,
}

/// The list tables, and the column that names what a row is about.
fn code_column(table: &str) -> Option<&'static str> {
    Some(match table {
        "supervise_item" => "matter_code",
        "supervise_subitem" => "subitem_code",
        "implement_list" => "inventory_code",
        _ => return None,
    })
}

struct Stored {
    id: String,
    cd_time: i64,
    deleted: bool,
    batch_id: String,
    row: i64,
    code: String,
}

impl Catalog {
    /// Rows of other tables are none of ours and are passed over. Returns how many records changed.
    pub async fn apply_rows(&self, rows: &[CatalogRow]) -> Result<usize> {
        let mut changed = 0;
        for chunk in rows.chunks(CHUNK) {
            let act = Act::new(&Actor::system("catalog"), "catalog.list.apply", "catalog_source");
            let mut tx = self.db.begin(Lane::Bulk, act).await?;
            let mut touched: BTreeSet<(&str, String)> = BTreeSet::new();
            for table in ["supervise_item", "supervise_subitem", "implement_list"] {
                let of_table: Vec<&CatalogRow> =
                    chunk.iter().filter(|row| row.table == table).collect();
                changed += keep_rows(&mut tx, table, &of_table, &mut touched).await?;
            }
            rebuild(&mut tx, &touched).await?;
            tx.commit().await?;
        }
        Ok(changed)
    }
}

async fn keep_rows<'t>(
    tx: &mut WriteTx,
    table: &'t str,
    rows: &[&CatalogRow],
    touched: &mut BTreeSet<(&'t str, String)>,
) -> Result<usize> {
    let Some(code_column) = code_column(table) else { return Ok(0) };
    let mut stored = stored(tx, table, rows).await?;
    let mut newest: BTreeMap<(&str, &str), &CatalogRow> = BTreeMap::new();
    for row in rows {
        let slot = newest.entry((&row.cd_source, &row.cd_id)).or_insert(row);
        if row.at >= slot.at {
            *slot = row;
        }
    }
    let mut changed = 0;
    for ((cd_source, cd_id), row) in newest {
        let old = stored.remove(&(cd_source.to_owned(), cd_id.to_owned()));
        if old.as_ref().is_some_and(|old| keeps(old, row)) {
            continue;
        }
        let code = row.fields.iter().find(|(column, _)| column == code_column);
        let code = match (code, &old) {
            (Some((_, code)), _) => code.clone(),
            // a delete may say no more than which record
            (None, Some(old)) => old.code.clone(),
            (None, None) => String::new(),
        };
        let fields: BTreeMap<&str, &str> =
            row.fields.iter().map(|(column, value)| (column.as_str(), value.as_str())).collect();
        let fields = serde_json::to_string(&fields)
            .map_err(|error| mj_platform::Error::Other(format!("清单行无法保存：{error}")))?;
        let values: Vec<(&str, Value)> = vec![
            ("cd_time", row.at.into()),
            ("deleted", (row.operation == Operation::Delete).into()),
            ("batch_id", row.batch_id.as_str().into()),
            ("row_no", row.row.into()),
            ("code", code.as_str().into()),
            ("fields", fields.into()),
        ];
        touched.extend(old.iter().map(|old| (table, old.code.clone())));
        touched.insert((table, code));
        match old {
            Some(old) => {
                tx.update(&CATALOG_SOURCE, &old.id, None, &values).await?;
            }
            None => {
                let mut all = vec![
                    ("id", Value::from(new_id())),
                    ("table_name", table.into()),
                    ("cd_source", cd_source.into()),
                    ("cd_id", cd_id.into()),
                ];
                all.extend(values);
                tx.insert(&CATALOG_SOURCE, &all).await?;
            }
        }
        changed += 1;
    }
    Ok(changed)
}

/// Whether the stored version stays: it is newer, or it is this very row.
fn keeps(old: &Stored, new: &CatalogRow) -> bool {
    old.cd_time > new.at
        || (old.cd_time == new.at
            && old.batch_id == new.batch_id
            && old.row == new.row
            && old.deleted == (new.operation == Operation::Delete))
}

async fn stored(
    tx: &mut WriteTx,
    table: &str,
    rows: &[&CatalogRow],
) -> Result<BTreeMap<(String, String), Stored>> {
    let mut found = BTreeMap::new();
    for chunk in rows.chunks(IN_LIST) {
        let sql = format!(
            "SELECT id, cd_source, cd_id, cd_time, deleted, batch_id, row_no, code \
             FROM catalog_source WHERE table_name = $1 AND cd_id IN ({}) ORDER BY id",
            marks(2, chunk.len())
        );
        let mut args = vec![Value::from(table)];
        args.extend(texts(chunk.iter().map(|row| row.cd_id.as_str())));
        for row in tx.fetch_all(&sql, &args).await? {
            let stored = Stored {
                id: row.text("id")?,
                cd_time: row.int("cd_time")?,
                deleted: row.flag("deleted")?,
                batch_id: row.text("batch_id")?,
                row: row.int("row_no")?,
                code: row.text("code")?,
            };
            found.insert((row.text("cd_source")?, row.text("cd_id")?), stored);
        }
    }
    Ok(found)
}

/// Computes the versions of these codes anew and writes what differs.
async fn rebuild(tx: &mut WriteTx, touched: &BTreeSet<(&str, String)>) -> Result<()> {
    for table in ["supervise_item", "supervise_subitem", "implement_list"] {
        let codes: Vec<&str> = touched
            .iter()
            .filter(|(of, code)| *of == table && !code.is_empty())
            .map(|(_, code)| code.as_str())
            .collect();
        for chunk in codes.chunks(IN_LIST) {
            rebuild_table(tx, table, chunk).await?;
        }
    }
    Ok(())
}

async fn rebuild_table(tx: &mut WriteTx, table: &str, codes: &[&str]) -> Result<()> {
    let kept = kept_rows(tx, table, codes).await?;
    let (truth, code_column) = match table {
        "implement_list" => (&CATALOG_IMPLEMENTATION, "inventory_code"),
        _ => (&CATALOG_ITEM, "item_code"),
    };
    let mut wanted: BTreeMap<(String, String), Vec<(&'static str, Value)>> = BTreeMap::new();
    for code in codes {
        let rows = kept.get(*code).map(Vec::as_slice).unwrap_or_default();
        let versions = match table {
            "supervise_item" => item::main_versions(rows),
            "supervise_subitem" => item::sub_versions(rows),
            _ => item::implementation_versions(rows),
        };
        for version in versions {
            let values = match table {
                "implement_list" => implementation_values(code, &version),
                _ => item_values(table, code, &version),
            };
            wanted.insert(((*code).to_owned(), version.list_version.clone()), values);
        }
    }
    write_difference(tx, truth, code_column, codes, wanted).await
}

async fn kept_rows(
    tx: &mut WriteTx,
    table: &str,
    codes: &[&str],
) -> Result<BTreeMap<String, Vec<Kept>>> {
    let sql = format!(
        "SELECT code, cd_source, cd_id, cd_time, fields FROM catalog_source \
         WHERE table_name = $1 AND deleted = 0 AND code IN ({}) ORDER BY id",
        marks(2, codes.len())
    );
    let mut args = vec![Value::from(table)];
    args.extend(texts(codes.iter().copied()));
    let mut kept: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
    for row in tx.fetch_all(&sql, &args).await? {
        let fields = serde_json::from_str(&row.text("fields")?)
            .map_err(|error| mj_platform::Error::Corrupt(format!("清单行的字段：{error}")))?;
        kept.entry(row.text("code")?).or_default().push(Kept {
            cd_source: row.text("cd_source")?,
            cd_id: row.text("cd_id")?,
            cd_time: row.int("cd_time")?,
            fields,
        });
    }
    Ok(kept)
}

async fn write_difference(
    tx: &mut WriteTx,
    truth: &TruthTable,
    code_column: &str,
    codes: &[&str],
    mut wanted: BTreeMap<(String, String), Vec<(&'static str, Value)>>,
) -> Result<()> {
    let sql = format!(
        "SELECT * FROM {} WHERE {code_column} IN ({}) ORDER BY id",
        truth.name,
        marks(1, codes.len())
    );
    for row in tx.fetch_all(&sql, &texts(codes.iter().copied())).await? {
        let id = row.text("id")?;
        let Some(values) = wanted.remove(&(row.text(code_column)?, row.text("list_version")?))
        else {
            tx.delete(truth, &id).await?;
            continue;
        };
        let mut differs = false;
        for (column, value) in &values {
            differs |= row.value(column)? != *value;
        }
        if differs {
            tx.update(truth, &id, None, &values).await?;
        }
    }
    for mut values in wanted.into_values() {
        values.push(("id", new_id().into()));
        tx.insert(truth, &values).await?;
    }
    Ok(())
}

fn owned(text: Option<&str>) -> Value {
    text.map(str::to_owned).into()
}

fn item_values(table: &str, code: &str, version: &Dated<'_>) -> Vec<(&'static str, Value)> {
    let row = version.row;
    let main = table == "supervise_item";
    let name = row.field(if main { "matter_name" } else { "subitem_name" }).unwrap_or(code);
    vec![
        ("item_code", code.into()),
        ("main_code", code.get(..8).unwrap_or(code).into()),
        ("line", code.get(..2).unwrap_or_default().into()),
        ("kind", if main { "main" } else { "sub" }.into()),
        ("name", name.into()),
        ("name_norm", search_form(name).into()),
        ("admin_type", owned(row.field("administrative_type"))),
        ("levels", owned(row.field("supervise_level"))),
        ("department_name", owned(row.field("department_name"))),
        ("area_number", owned(row.field("area_number"))),
        ("legal_basis", owned(row.field("set_gist"))),
        ("state", version.state.into()),
        ("list_version", version.list_version.as_str().into()),
        ("valid_from", version.valid_from.as_str().into()),
        ("valid_to", version.valid_to.as_str().into()),
    ]
}

fn implementation_values(code: &str, version: &Dated<'_>) -> Vec<(&'static str, Value)> {
    let row = version.row;
    let body = row.field("implement_body_code").or(code.get(..18)).unwrap_or_default();
    vec![
        ("inventory_code", code.into()),
        ("item_code", row.field("detail_code").unwrap_or_default().into()),
        ("body_code", body.into()),
        ("body_name", owned(row.field("implement_body"))),
        ("exercise_level", owned(row.field("exercise_level"))),
        ("is_random", owned(row.field("is_random"))),
        ("area_number", owned(row.field("area_number"))),
        ("state", version.state.into()),
        ("list_version", version.list_version.as_str().into()),
        ("valid_from", version.valid_from.as_str().into()),
        ("valid_to", version.valid_to.as_str().into()),
    ]
}

/// The form in which names are searched: no punctuation, no spaces, lower case.
pub fn search_form(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}
