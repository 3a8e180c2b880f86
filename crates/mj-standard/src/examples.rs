//! Examples for the rules that follow from columns and keys.
//!
//! Written rules bring their own pair in the table file; for the others the pair follows from the
//! type and the table's sample row. The test of the standard walks all of them, and the
//! documentation page shows them.

use crate::spec::*;

type Cells = Vec<(String, Option<String>)>;

/// A value that a column of this type takes, when the sample row leaves it empty.
pub fn good_value(column: &Column) -> String {
    if let Some(first) = column.code_list.as_ref().and_then(|list| list.entries.first()) {
        return first.code.clone();
    }
    match column.ty {
        ColumnType::Date => "2025-03-01",
        ColumnType::Instant => "2025-03-01 09:30:00",
        ColumnType::Integer | ColumnType::Decimal | ColumnType::Money => "1",
        ColumnType::Bool => "是",
        ColumnType::Area => "370402",
        ColumnType::Industry => "5221",
        ColumnType::Uscc | ColumnType::UsccOrCitizenId => "91350100M000100Y43",
        ColumnType::CitizenId => "34052419800101001X",
        ColumnType::OrgCode => "M000100Y4",
        ColumnType::RegNo => "110108000000016",
        ColumnType::Item => "31010001000001",
        ColumnType::Implementation => "91350100M000100Y43331010001000001",
        ColumnType::BatchNumber => "2025030100001",
        _ => "示例",
    }
    .to_owned()
}

/// A value of the right length that the code system of the column refuses.
fn bad_code(column: &Column) -> &'static str {
    match column.ty {
        ColumnType::Code { .. } => "不在表内",
        ColumnType::Uscc | ColumnType::UsccOrCitizenId => "91350100M000100Y44",
        ColumnType::CitizenId => "340524198001010019",
        ColumnType::OrgCode => "M000100Y5",
        ColumnType::RegNo => "110108000000017",
        ColumnType::Area => "379999",
        ColumnType::Industry => "9999",
        ColumnType::Item => "3101000100000",
        ColumnType::BatchNumber => "2025130100001",
        _ => "91350100M000100Y44331010001000001",
    }
}

fn unreadable(column: &Column) -> &'static str {
    match column.ty {
        ColumnType::Date => "上月底",
        ColumnType::Instant => "昨天上午",
        ColumnType::Bool => "也许",
        ColumnType::Identifier => "9.137E+17",
        _ => "很多",
    }
}

/// The pair of a generated rule. Rules with a pair of their own get an empty one here.
pub fn derive(table: &Table, kind: &RuleKind) -> Example {
    let set = |column: &str, value: &str| -> Cells {
        vec![(column.to_owned(), Some(value.to_owned()).filter(|value| !value.is_empty()))]
    };
    let good = |name: &str| -> String {
        match table.column_index(name) {
            Some(at) => table.sample[at].clone().unwrap_or_else(|| good_value(&table.columns[at])),
            None => String::new(),
        }
    };
    let column_of = |name: &str| table.column(name);
    match kind {
        RuleKind::Required { column } => {
            Example { fires: set(column, ""), clean: set(column, &good(column)) }
        }
        RuleKind::Length { column } => {
            let column = column_of(column);
            let max = column.and_then(|column| column.max_len).unwrap_or(0);
            let name = column.map_or("", |column| column.name.as_str());
            let is_code = column.is_some_and(|column| column.ty.is_code());
            // a code that is too long must still be a code, or another rule would speak first
            let (long, short) = match column.and_then(|column| column.multi) {
                _ if !is_code => ("长".repeat(max + 1), "长".repeat(max)),
                Some(separator) => {
                    let one = good(name);
                    let times = max / (one.len() + 1) + 1;
                    let separator = separator.to_string();
                    (vec![one.as_str(); times].join(&separator), one)
                }
                None => (format!("{:0<width$}", good(name), width = max + 1), good(name)),
            };
            Example { fires: set(name, &long), clean: set(name, &short) }
        }
        RuleKind::Readable { column } => Example {
            fires: set(column, column_of(column).map_or("", unreadable)),
            clean: set(column, &good(column)),
        },
        RuleKind::RealDate { column } => Example {
            fires: set(
                column,
                match column_of(column).map(|column| &column.ty) {
                    Some(ColumnType::Instant) => "2025-02-30 10:00:00",
                    _ => "2025-02-31",
                },
            ),
            clean: set(column, &good(column)),
        },
        RuleKind::CodeValue { column } => Example {
            fires: set(column, column_of(column).map_or("", bad_code)),
            clean: set(column, &good(column)),
        },
        RuleKind::RecordIdentity { columns } => {
            let emptied = columns.iter().map(|name| (name.clone(), None)).collect();
            Example { fires: emptied, clean: set("cd_id", "") }
        }
        RuleKind::UniqueInFile { columns, .. } => repeated(columns, &good),
        _ => Example::default(),
    }
}

/// The second of two rows, the first being the sample: the same key again, and another key.
fn repeated(columns: &[String], good: &impl Fn(&str) -> String) -> Example {
    let other_record = ("cd_id".to_owned(), Some("370400-0002".to_owned()));
    if columns.iter().any(|name| name == "cd_id") {
        return Example { fires: Vec::new(), clean: vec![other_record] };
    }
    let mut clean = vec![other_record.clone()];
    if let Some(name) = columns.iter().find(|name| !good(name).is_empty()) {
        clean.push((name.clone(), Some(other_value(&good(name)))));
    }
    Example { fires: vec![other_record], clean }
}

/// Another value of the same kind: a code with its own check digit, a day later, a suffix.
fn other_value(value: &str) -> String {
    match value {
        "91350100M000100Y43" | "91370400MA3D2E3F55" => "92370481MA3TET012Q".to_owned(),
        "92370481MA3TET012Q" | "12370400494500012B" | "11370400004400001P" => {
            "91350100M000100Y43".to_owned()
        }
        "34052419800101001X" => "11010519491231002X".to_owned(),
        "370400" | "370402" => "370403".to_owned(),
        _ => format!("{value}-2"),
    }
}
