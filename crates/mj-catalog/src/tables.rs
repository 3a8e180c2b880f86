//! The catalogue's truth tables as the write door knows them.

use mj_platform::{TruthTable, Value};

pub const CATALOG_SOURCE: TruthTable = TruthTable {
    name: "catalog_source",
    columns: &[
        "id",
        "table_name",
        "cd_source",
        "cd_id",
        "cd_time",
        "deleted",
        "batch_id",
        "row_no",
        "code",
        "fields",
    ],
};

pub const CATALOG_ITEM: TruthTable = TruthTable {
    name: "catalog_item",
    columns: &[
        "id",
        "item_code",
        "main_code",
        "line",
        "kind",
        "name",
        "name_norm",
        "admin_type",
        "levels",
        "department_name",
        "area_number",
        "legal_basis",
        "state",
        "list_version",
        "valid_from",
        "valid_to",
    ],
};

pub const CATALOG_IMPLEMENTATION: TruthTable = TruthTable {
    name: "catalog_implementation",
    columns: &[
        "id",
        "inventory_code",
        "item_code",
        "body_code",
        "body_name",
        "exercise_level",
        "is_random",
        "area_number",
        "state",
        "list_version",
        "valid_from",
        "valid_to",
    ],
};

pub const CATALOG_MAPPING: TruthTable = TruthTable {
    name: "catalog_mapping",
    columns: &["id", "cd_source", "local_code", "item_code", "valid_from", "valid_to"],
};

/// How many values one `IN (…)` takes.
pub const IN_LIST: usize = 2_000;

pub fn marks(from: usize, count: usize) -> String {
    let marks: Vec<String> = (from..from + count).map(|n| format!("${n}")).collect();
    marks.join(",")
}

pub fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    values.into_iter().map(Value::from).collect()
}
