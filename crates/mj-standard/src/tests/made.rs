//! What is generated from the tables, and what a new file may say.

use crate::artefact::{excel_template, index_page, json_schema, list_page, table_page};
use crate::*;

#[test]
fn every_table_makes_its_schema_template_and_page() {
    let standard = Standard::v1();
    for table in standard.tables() {
        let schema = json_schema(standard, table);
        assert_eq!(
            schema["properties"].as_object().unwrap().len(),
            table.columns.len(),
            "{}",
            table.name
        );
        let template = excel_template(table).unwrap();
        assert!(template.starts_with(b"PK"), "{}", table.name);
        let page = table_page(standard, table);
        for rule in &table.rules {
            assert!(page.contains(&rule.id), "{}", rule.id);
        }
    }
    for list in standard.lists() {
        assert!(list_page(list).contains(&list.title));
        assert!(!list.entries.is_empty());
    }
    assert!(index_page(standard).contains("check_action.md"));
}

#[test]
fn codes_of_a_list_are_unique_and_exports_stay_inside() {
    for list in Standard::v1().lists() {
        for (at, entry) in list.entries.iter().enumerate() {
            assert!(
                !list.entries[..at].iter().any(|other| other.code == entry.code),
                "{}: {}",
                list.name,
                entry.code
            );
            if let Some(export) = &entry.export {
                assert!(list.contains(export), "{}: {export}", list.name);
            }
        }
    }
    assert_eq!(Standard::v1().list("nation").unwrap().entries.len(), 56);
    assert_eq!(Standard::v1().list("supervision_department").unwrap().entries.len(), 58);
}

const ENVELOPE: &str = include_str!("../../tables/_envelope.toml");

fn read(table: &str) -> Result<Standard, StandardError> {
    let operation = include_str!("../../lists/operation.toml");
    Standard::read(
        "test",
        &[("_envelope".to_owned(), ENVELOPE.to_owned()), ("boat".to_owned(), table.to_owned())],
        &[("operation".to_owned(), operation.to_owned())],
    )
}

const BOAT: &str = r#"
name = "boat"
title = "船舶"
kind = "object"
source = "试"
about = "试"
natural_key = ["boat_no"]
business_key = ["boat_no"]
retention_years = 1
columns = [
  { name = "boat_no", title = "船号", type = "identifier", max = 10, required = true },
  { name = "built", title = "建造日期", type = "date" },
]
[sample]
boat_no = "B1"
[[rule]]
id = "built.future"
class = "10"
severity = "error"
kind = "not_future"
column = "built"
text = "建造日期不得晚于当日"
remedy = "请核对"
source = "试"
[rule.example]
fires = { built = "2999-01-01" }
clean = { built = "2020-01-01" }
"#;

#[test]
fn a_new_table_is_a_new_file() {
    let standard = read(BOAT).unwrap();
    let table = standard.table("boat").unwrap();
    let ctx = Context::of_file(0, &NoLookups);
    let mut row = vec![None; table.columns.len()];
    row[table.column_index("boat_no").unwrap()] = Some("B7".to_owned());
    row[table.column_index("built").unwrap()] = Some("2020/1/1".to_owned());
    let verdict = Engine::new(table).check_row(&mut row, &ctx);
    assert_eq!(verdict.issues[0].rule.id, "boat.built.future");
    assert_eq!(row[0].as_deref(), Some("B7"));
}

#[test]
fn a_table_file_that_does_not_hang_together_is_refused() {
    for (from, to, says) in [
        ("column = \"built\"\ntext", "column = \"bilt\"\ntext", "bilt"),
        ("kind = \"not_future\"", "kind = \"never\"", "never"),
        ("class = \"10\"", "class = \"11\"", "11"),
        (
            "[rule.example]\nfires = { built = \"2999-01-01\" }\nclean = { built = \"2020-01-01\" }",
            "",
            "example",
        ),
        ("title = \"建造日期\"", "title = \"船号\"", "船号"),
        ("type = \"date\"", "type = \"code\", list = \"none\"", "none"),
        ("business_key = [\"boat_no\"]", "business_key = [\"nr\"]", "nr"),
        ("boat_no = \"B1\"", "boot = \"B1\"", "boot"),
    ] {
        let text = BOAT.replacen(from, to, 1);
        assert_ne!(text, BOAT, "{from}");
        let error = read(&text).expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    }
}
