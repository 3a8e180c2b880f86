//! Whole files: headers, counts that add up, the report of `check table --json`.

use super::walk::KnownWorld;
use crate::*;

fn cells(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn rows(values: &[&[&str]]) -> Vec<Result<DeliveredRow, Box<StructuralFinding>>> {
    (1u64..)
        .zip(values)
        .map(|(row, values)| {
            Ok(DeliveredRow {
                row,
                line: Some(row + 1),
                cells: cells(values),
                findings: Vec::new(),
            })
        })
        .collect()
}

fn check(table: &str, names: &[&str], values: &[&[&str]]) -> TableReport {
    let standard = Standard::v1();
    let ctx = Context::of_file(KnownWorld::read().now(), &NoLookups);
    check_table(
        standard,
        standard.table(table).unwrap(),
        &ctx,
        "UTF-8",
        &header(names),
        rows(values),
    )
}

const PLAN: [&str; 6] = ["计划ID", "计划名称", "年度", "地区名", "地区行政编码", "监管部门"];

#[test]
fn the_report_has_the_keys_of_the_contract_in_their_order() {
    let report = check(
        "check_plan",
        &PLAN,
        &[
            &["P1", "甲计划", "2025", "枣庄市", "370400", "31"],
            &["P2", "乙计划", "2019", "枣庄市", "３７０４００", "31"],
            &["P1", "甲计划", "2025", "枣庄市", "370400", "31"],
        ],
    );
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(
        keys(&json),
        [
            "table",
            "standard_version",
            "encoding",
            "rows",
            "by_class",
            "by_rule",
            "rules_not_run",
            "issues",
            "normalised",
            "truncated"
        ]
    );
    assert_eq!(keys(&json["rows"]), ["read", "ok", "warned", "refused"]);
    assert_eq!(
        keys(&json["by_class"]),
        ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10"]
    );
    assert_eq!(
        keys(&json["issues"][0]),
        [
            "row", "line", "column", "value", "class", "rule", "severity", "reason", "remedy",
            "source"
        ]
    );
    assert_eq!(keys(&json["normalised"][0]), ["row", "column", "from", "to", "how"]);
    assert_eq!(keys(&json["rules_not_run"][0]), ["rule", "reason"]);
    assert_eq!(json["rows"], serde_json::json!({"read": 3, "ok": 1, "warned": 1, "refused": 1}));
    assert_eq!(json["by_rule"]["check_plan.plan_year.range"], 1);
    assert_eq!(json["by_rule"]["check_plan.record_repeated"], 1);
    assert_eq!(json["by_class"]["10"], 1);
    assert_eq!(json["issues"][0]["line"], 3);
    assert_eq!(json["normalised"][0]["to"], "370400");
    assert_eq!(json["truncated"], false);
    let text = report.text();
    assert!(text.contains("共 3 行：通过 1，有提示 1，拒收 1"), "{text}");
    assert!(text.contains("第 2 行（文件第 3 行） 年度“2019”"), "{text}");
}

#[test]
fn a_header_is_found_by_title_or_identifier_with_stray_signs() {
    let report = check(
        "check_plan",
        &[
            "*计划ID",
            " plan_name ",
            "年度（必填）",
            "地区名",
            "AREA_NUMBER",
            "监管部门编码",
            "备注",
        ],
        &[&["P1", "甲计划", "2025", "枣庄市", "370400", "31", "x"]],
    );
    assert_eq!((report.rows.read, report.rows.ok), (1, 1));
    assert_eq!(report.by_rule["header.unknown_column"], 1);
    assert!(!report.has_errors());
}

#[test]
fn a_wrong_header_refuses_the_file_and_reads_no_row() {
    let row: &[&str] = &["P1", "甲计划", "2025", "枣庄市", "370400", "31"];
    let swapped = check("check_plan", &["a", "b", "c", "d", "e", "f"], &[row]);
    assert_eq!(swapped.rows.read, 0);
    assert_eq!(swapped.by_rule["header.none"], 1);
    let double = check(
        "check_plan",
        &["计划ID", "plan_id", "年度", "地区名", "地区行政编码", "监管部门"],
        &[row],
    );
    assert_eq!(double.rows.read, 0);
    assert_eq!(double.by_rule["header.duplicate"], 1);
    assert_eq!(double.by_rule["header.missing_required"], 1);
    assert!(double.has_errors());
    let empty = check("check_plan", &[], &[]);
    assert_eq!(empty.by_class["00"], 1);
    let only = check("check_plan", &PLAN, &[]);
    assert_eq!(only.by_rule["file.header_only"], 1);
    assert!(only.has_errors(), "the verdict that handing it in would get");
}

#[test]
fn rows_that_slipped_or_cannot_be_read_are_counted() {
    let standard = Standard::v1();
    let ctx = Context::of_file(KnownWorld::read().now(), &NoLookups);
    let mut delivered = rows(&[
        &["P1", "甲计划", "2025", "枣庄市", "370400", "31"],
        &["P2", "乙", "计划", "2025", "枣庄市", "370400", "31"],
        &["P3", "丙计划", "2025", "枣庄市", "370400", "31", ""],
    ]);
    delivered.push(Err(Box::new(StructuralFinding {
        code: "row.not_text",
        severity: Severity::Error,
        row: Some(4),
        line: Some(5),
        column: None,
        reason: "含无法解码的字节".to_owned(),
        remedy: "请以一种编码保存整个文件".to_owned(),
    })));
    let report = check_table(
        standard,
        standard.table("check_plan").unwrap(),
        &ctx,
        "UTF-8",
        &header(&PLAN),
        delivered,
    );
    assert_eq!((report.rows.read, report.rows.ok, report.rows.refused), (4, 2, 2));
    assert_eq!(report.by_rule["row.cell_count"], 1);
    assert_eq!(report.by_rule["row.not_text"], 1);
}

#[test]
fn a_fine_column_headed_in_ten_thousands_is_converted() {
    let table = Standard::v1().table("punish_action").unwrap();
    let map = HeaderMap::new(table, &header(&["罚款金额(万元)", "实缴金额"]));
    let mut row = Vec::new();
    map.arrange([Some("2"), Some("20000")], &mut row);
    assert_eq!(row[table.column_index("fine").unwrap()].as_deref(), Some("2万元"));
    assert_eq!(row[table.column_index("cases_closed_fine").unwrap()].as_deref(), Some("20000"));
    assert_eq!(map.delivered(table.column_index("fine").unwrap()), Some(0));
}

#[test]
fn a_row_used_again_keeps_nothing_of_the_row_before() {
    let table = Standard::v1().table("punish_action").unwrap();
    let map = HeaderMap::new(table, &header(&["罚款金额", "实缴金额", "备注栏"]));
    let fresh = |cells: &[Option<&str>]| {
        let mut row = Vec::new();
        map.arrange(cells.iter().copied(), &mut row);
        row
    };
    let mut row = vec![Some("上一行填的".to_owned()); table.columns.len()];
    for cells in [
        &[Some("2"), Some("20000"), Some("有备注")][..],
        &[None, Some("3")],
        &[Some("")],
        &[],
        &[Some("7"), None, None],
    ] {
        map.arrange(cells.iter().copied(), &mut row);
        assert_eq!(row, fresh(cells), "{cells:?}");
    }
    assert_eq!(row[table.column_index("fine").unwrap()].as_deref(), Some("7"));
}

#[test]
fn personal_values_are_masked_in_the_report() {
    let report = check(
        "object_person",
        &["姓名", "身份证号", "联系电话", "常住地址"],
        &[&["王 强", "340524198001010019", " 13812345678", "山东省枣庄市市中区文化路 3 号"]],
    );
    let json = report.to_json().unwrap();
    for secret in ["王强", "王 强", "340524198001010019", "13812345678", "文化路"] {
        assert!(!json.contains(secret), "{secret}: {json}");
        assert!(!report.text().contains(secret), "{secret}");
    }
    assert_eq!(report.issues[0].value.as_deref(), Some("340524********0019"));
    assert!(json.contains("138****5678"), "{json}");
    assert!(json.contains("山东省枣庄市市中区****"), "{json}");
}

#[test]
fn ten_thousand_issues_are_listed_and_the_rest_counted() {
    let row: &[&str] = &["P1", "甲计划", "旧", "枣庄市", "370400", "31"];
    let report = check("check_plan", &PLAN, &vec![row; 10_050]);
    assert_eq!(report.issues.len(), 10_000);
    assert_eq!(report.by_rule["check_plan.plan_year.type"], 10_050);
    assert!(report.truncated);
    assert_eq!(report.rows.refused, 10_050);
}

#[test]
fn two_records_of_one_act_are_pointed_out() {
    let table = Standard::v1().table("check_action").unwrap();
    let world = KnownWorld::read();
    let mut engine = Engine::new(table);
    let mut memory = FileMemory::new(table);
    let mut observe = |cells: &[(&str, &str)]| {
        let mut row = table.sample.clone();
        for (name, value) in cells {
            row[table.column_index(name).unwrap()] = Some((*value).to_owned());
        }
        engine.check_row(&mut row, &world.context());
        memory.observe(&row).iter().map(|issue| issue.rule.class.code()).collect::<Vec<_>>()
    };
    assert!(observe(&[]).is_empty());
    // a correction of the same record is welcome
    assert!(observe(&[("cd_time", "2025-06-21 09:30:00"), ("cd_operation", "u")]).is_empty());
    assert_eq!(observe(&[]), ["05"]);
    let other = [("cd_id", "x"), ("check_action_code", "J-2"), ("check_document_code", "")];
    assert_eq!(observe(&other), ["05"]);
}

#[test]
fn a_warning_of_the_reader_lets_the_row_be_judged_and_an_error_in_a_cell_refuses_it() {
    let standard = Standard::v1();
    let ctx = Context::of_file(KnownWorld::read().now(), &NoLookups);
    let row: &[&str] = &["P1", "甲计划", "2025", "枣庄市", "370400", "31"];
    let mut delivered = rows(&[row, row]);
    for (row, severity) in delivered.iter_mut().zip([Severity::Warning, Severity::Error]) {
        row.as_mut().unwrap().findings.push(StructuralFinding {
            code: "cell.formula",
            severity,
            row: None,
            line: None,
            column: Some("年度".to_owned()),
            reason: "单元格是公式".to_owned(),
            remedy: "请粘贴为数值".to_owned(),
        });
    }
    let table = standard.table("check_plan").unwrap();
    let report = check_table(standard, table, &ctx, "xlsx", &header(&PLAN), delivered);
    assert_eq!((report.rows.read, report.rows.warned, report.rows.refused), (2, 1, 1));
    assert_eq!((report.issues[0].row, report.issues[0].line), (Some(1), Some(2)));
}

#[test]
fn swapped_columns_are_suspected_once() {
    let row: &[&str] = &["P1", "甲计划", "2025", "370402", "枣庄市市中区", "31"];
    let report = check("check_plan", &PLAN, &[row; 6]);
    assert_eq!(report.by_rule["header.swapped"], 1);
    let hint = report.issues.iter().find(|issue| issue.rule == "header.swapped").unwrap();
    assert_eq!(hint.column.as_deref(), Some("area_number"));
    assert!(hint.reason.contains("“地区名”的内容却像是“地区行政编码”"), "{}", hint.reason);
    assert_eq!((report.rows.read, report.rows.refused), (6, 6));
}

/// Not a bar (this profile is not optimised), a figure to watch: printed with `--nocapture`.
#[test]
fn many_rows_pass_in_reasonable_time() {
    let table = Standard::v1().table("check_action").unwrap();
    let world = KnownWorld::read();
    let ctx = world.context();
    let mut engine = Engine::new(table);
    let rows = 5_000;
    let started = std::time::Instant::now();
    for _ in 0..rows {
        let mut row = table.sample.clone();
        assert!(engine.check_row(&mut row, &ctx).is_clean());
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{:.0} rows/s", f64::from(rows) / seconds);
    assert!(seconds < 60.0, "{seconds}");
}
