//! `mingjian check table`: an integrator looks at a file before it is sent.

use serde_json::{Value, json};

use crate::house::{House, run, text_of};
use crate::rows::{Sheet, inspections, wrong_citizen};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// One clean inspection, one with two faults, one of a person that is refused.
fn mixed() -> Sheet {
    inspections(1..4, |number| match number {
        2 => vec![
            ("check_date", "2025-02-31".to_owned()),
            ("check_personnel", "张三".to_owned()),
            ("check_form", "０１".to_owned()),
        ],
        3 => vec![
            ("administrative_cp_na", "01".to_owned()),
            ("administrative_cp_ce_type", "111".to_owned()),
            ("administrative_cp_ui_code", wrong_citizen(3)),
            ("administrative_cp", "欧阳建国".to_owned()),
            ("supervise_object", "欧阳建国".to_owned()),
        ],
        _ => vec![("supervise_item_implement_code", "31010001000001.0".to_owned())],
    })
}

#[test]
fn the_report_has_exactly_the_keys_of_the_contract() {
    let house = House::bare();
    let file = house.file("a.csv", mixed());
    let ran = run(&["check", "table", "check_action", text_of(&file), "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let report = ran.json();
    let expected = [
        "table",
        "standard_version",
        "encoding",
        "rows",
        "by_class",
        "by_rule",
        "rules_not_run",
        "issues",
        "normalised",
        "truncated",
    ];
    assert_eq!(keys(&report), expected);
    assert_eq!(report["table"], "check_action");
    assert_eq!(report["rows"], json!({"read": 3, "ok": 1, "warned": 0, "refused": 2}));
    assert_eq!(keys(&report["rows"]), ["read", "ok", "warned", "refused"]);
    let classes = ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10"];
    assert_eq!(keys(&report["by_class"]), classes);
    let issues = report["issues"].as_array().expect("issues");
    let issue = [
        "row", "line", "column", "value", "class", "rule", "severity", "reason", "remedy", "source",
    ];
    for one in issues {
        assert_eq!(keys(one), issue);
        assert!(one["reason"].as_str().is_some_and(|text| !text.is_empty()), "{one}");
        assert!(one["remedy"].as_str().is_some_and(|text| !text.is_empty()), "{one}");
    }
    let of = |field: &str, value: &str| issues.iter().filter(|one| one[field] == value).count();
    for (class, count) in report["by_class"].as_object().expect("classes") {
        assert_eq!(count, of("class", class), "{class}");
    }
    for (rule, count) in report["by_rule"].as_object().expect("rules") {
        assert_eq!(count, of("rule", rule), "{rule}");
    }
    assert!(
        issues
            .iter()
            .any(|one| one["row"] == 2 && one["line"] == 3 && one["column"] == "check_date")
    );
    let mended = report["normalised"].as_array().expect("what was mended");
    assert!(mended.iter().all(|one| keys(one) == ["row", "column", "from", "to", "how"]));
    let of = |row: u64, from: &str, to: &str| {
        mended.iter().any(|one| one["row"] == row && one["from"] == from && one["to"] == to)
    };
    assert!(of(1, "31010001000001.0", "31010001000001"), "Excel's decimals: {mended:?}");
    assert!(of(2, "０１", "01"), "full width: {mended:?}");
    assert_eq!(report["truncated"], false);
}

#[test]
fn personal_values_are_masked_wherever_they_are_shown() {
    let house = House::bare();
    let file = house.file("a.csv", mixed());
    let wrong = wrong_citizen(3);
    for json in [true, false] {
        let mut args = vec!["check", "table", "check_action", text_of(&file)];
        args.extend(json.then_some("--json"));
        let ran = run(&args);
        assert_eq!(ran.code, 1);
        for secret in [wrong.as_str(), "欧阳建国"] {
            assert!(
                !ran.out.contains(secret) && !ran.err.contains(secret),
                "{secret}: {}",
                ran.out
            );
        }
        assert!(ran.out.contains("370402********"), "a part stays to find it by: {}", ran.out);
    }
}

#[test]
fn rules_that_need_the_store_run_only_beside_one() {
    let house = House::furnished();
    for table in ["supervise_item", "supervise_subitem"] {
        house.import_clean(table, &format!("{table}.csv"), Sheet::of(table, &[]).row(&[]));
    }
    let known = house.file("known.csv", inspections(1..2, |_| Vec::new()));
    let unknown = house.file(
        "unknown.csv",
        inspections(1..2, |_| vec![("supervise_item_implement_code", "31990001000001".to_owned())]),
    );
    let rule = "check_action.supervise_item_implement_code.in_force";
    let not_run = |report: &Value| -> Vec<String> {
        let list = report["rules_not_run"].as_array().expect("a list");
        assert!(list.iter().all(|one| keys(one) == ["rule", "reason"]));
        list.iter().filter_map(|one| one["rule"].as_str().map(str::to_owned)).collect()
    };
    let alone = run(&["check", "table", "check_action", text_of(&unknown), "--json"]);
    assert_eq!(alone.code, 0, "{}", alone.out);
    assert!(not_run(&alone.json()).iter().any(|one| one == rule), "{}", alone.out);
    let beside = house.check("check_action", &unknown);
    assert_eq!(beside.code, 1, "{} {}", beside.out, beside.err);
    assert!(!not_run(&beside.json()).iter().any(|one| one == rule), "{}", beside.out);
    assert_eq!(beside.json()["by_rule"][rule], 1);
    assert_eq!(beside.json()["by_class"]["03"], 1);
    let good = house.check("check_action", &known);
    assert_eq!(good.json()["by_class"]["03"], 0, "{}", good.out);
    // looking changes nothing, also while a node runs
    let before = house.digest();
    let node = house.serve();
    assert_eq!(house.check("check_action", &unknown).code, 1);
    assert!(node.stop().success());
    assert_eq!(house.digest(), before);
}

#[test]
fn what_cannot_be_asked_is_not_wrong_data() {
    let house = House::bare();
    let file = house.file("a.csv", inspections(1..2, |_| Vec::new()));
    let file = text_of(&file);
    assert_eq!(run(&["check", "table", "check_action", file]).code, 0);
    let missing = run(&["check", "table", "check_action", "/nowhere/a.csv"]);
    assert_eq!((missing.code, missing.out.as_str()), (2, ""));
    assert!(missing.err.contains("/nowhere/a.csv"), "{}", missing.err);
    let unknown = run(&["check", "table", "check_actions", file]);
    assert_eq!((unknown.code, unknown.out.as_str()), (2, ""));
    assert!(unknown.err.contains("check_action、"), "the known tables are named: {}", unknown.err);
    assert_eq!(run(&["check", "table", "check_action", file, "--xml"]).code, 2);
    assert_eq!(run(&["check", "table", "check_action", file, "--data-dir", "/nowhere"]).code, 2);
    assert_eq!(run(&["check", "table", "check_action"]).code, 2);
}
