//! A sheet goes back to the department with its bad cells marked, is mended, and comes in again.

use std::io::{Cursor, Read};

use super::*;
use crate::{Mark, MarkedRow, MarkedSheet, TemplateColumn, template_sheet};

fn marked() -> Vec<u8> {
    let header = ["名称", "代码", "检查日期"].map(str::to_owned);
    let mut sheet = MarkedSheet::new("行政检查", &header).unwrap();
    let marks = [
        Mark {
            column: Some(2),
            reason: "没有 2 月 31 日",
            remedy: "请填写实际日期",
            refuses: true,
        },
        Mark {
            column: None, reason: "执法人员只有一名", remedy: "应有两名以上", refuses: true
        },
    ];
    let cells = [Some("=HYPERLINK(\"x\")"), Some("000123"), Some("2024-02-31")];
    sheet.push(&MarkedRow { row: 17, cells: &cells, marks: &marks }).unwrap();
    let missing =
        [Mark {
            column: Some(1), reason: "必填项为空", remedy: "请填写代码", refuses: true
        }];
    let cells = [Some("乙店"), None, Some("2024-03-01"), Some("多的")];
    sheet.push(&MarkedRow { row: 40, cells: &cells, marks: &missing }).unwrap();
    let mut out = Cursor::new(Vec::new());
    sheet.finish(&mut out).unwrap();
    out.into_inner()
}

#[test]
fn our_own_columns_are_left_out_when_the_sheet_comes_back() {
    let mut reader = open(marked());
    assert_eq!(reader.header(), ["名称", "代码", "检查日期"]);
    let rows = rows(&mut reader);
    assert_eq!(texts(&rows[0]), ["=HYPERLINK(\"x\")", "000123", "2024-02-31"]);
    assert_eq!(texts(&rows[1]), ["乙店", "", "2024-03-01"]);
    assert_eq!((rows[0].original_row, rows[1].original_row), (Some(17), Some(40)));
    assert!(rows.iter().all(|r| r.findings.is_empty()), "formulas were written as text");
    // The same columns in a CSV that was made of the sheet, in whatever place.
    let mut reader = open("_原行号,a,_问题说明,b\n17,1,坏,2\n");
    assert_eq!(reader.header(), ["a", "b"]);
    let row = &super::rows(&mut reader)[0];
    assert_eq!((texts(row), row.original_row), (vec!["1", "2"], Some(17)));
}

#[test]
fn the_marks_say_reason_and_remedy() {
    let mut archive = zip::ZipArchive::new(Cursor::new(marked())).unwrap();
    let mut part = |name: &str| {
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let comments = part("xl/comments1.xml");
    assert!(comments.contains("没有 2 月 31 日。改法：请填写实际日期"));
    assert!(comments.contains("ref=\"C2\"") && comments.contains("ref=\"B3\""));
    let sheet = part("xl/worksheets/sheet1.xml");
    assert!(sheet.contains("执法人员只有一名。改法：应有两名以上"));
    assert!(sheet.contains("检查日期：没有 2 月 31 日"));
    assert!(sheet.contains("多出的第 4 格：多的"));
    assert!(!sheet.contains("<f>"), "nothing a spreadsheet would run");
}

#[test]
fn a_template_is_a_table_with_no_rows_yet() {
    let columns = [
        TemplateColumn {
            title: "名称".into(),
            note: "必填，最长 200 字".into(),
            required: true,
            choices: vec![],
        },
        TemplateColumn {
            title: "检查结果".into(),
            choices: vec!["合格".into(), "不合格".into()],
            ..TemplateColumn::default()
        },
    ];
    let mut out = Cursor::new(Vec::new());
    template_sheet(&mut out, "行政检查/[模板]", &columns).unwrap();
    let mut reader = open(out.into_inner());
    assert_eq!(reader.header(), ["名称", "检查结果"]);
    assert!(rows(&mut reader).is_empty());
    assert_eq!(reader.file_findings()[0].code, "file.header_only");
}
