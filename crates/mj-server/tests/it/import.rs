//! `mingjian import`: an operator brings a department's file in, alone or beside a running node.

use serde_json::{Value, json};

use crate::bad_input::counted;
use crate::house::{House, files_in, furnished, text_of, wait_for};
use crate::rows::{Sheet, inspections};

/// Four good rows, one twice, two refused.
fn delivery() -> Sheet {
    let mut sheet = inspections(1..7, |number| match number {
        2 => vec![("check_date", "2025-02-31".to_owned())],
        5 => vec![("check_personnel", "张三".to_owned())],
        _ => Vec::new(),
    });
    let again = crate::rows::inspection(1);
    let again: Vec<(&str, &str)> =
        again.iter().map(|(name, text)| (*name, text.as_str())).collect();
    sheet.push(&again);
    sheet
}

#[test]
fn a_file_is_imported_once_and_says_what_became_of_every_row() {
    let house = House::furnished();
    let file = house.file("checks.csv", delivery());
    let first = house.import("check_action", &file);
    assert_eq!(first.code, 1, "two rows are wrong: {}", first.err);
    let batch = first.json();
    let id = batch["batch_id"].as_str().expect("an id");
    assert_eq!(id.len(), 36, "{batch}");
    assert_eq!(
        batch["counts"],
        json!({"front": 7, "pending": 0, "correct": 4, "error": 2, "duplicate": 1, "superseded": 0})
    );
    assert_eq!((&batch["table"], &batch["cd_source"]), (&json!("check_action"), &json!("370400")));
    let digest = house.digest();
    let again = house.import("check_action", &house.file("renamed.csv", delivery()));
    assert_eq!((again.code, &again.json()["batch_id"]), (1, &batch["batch_id"]));
    assert!(again.err.contains("以前导入过"), "{}", again.err);
    assert_eq!(house.digest(), digest);
    // the department mends its file and sends the whole of it again
    let mended =
        house.import_clean("check_action", "mended.csv", inspections(1..7, |_| Vec::new()));
    assert_ne!(mended["batch_id"], batch["batch_id"]);
    let counts = counted(&mended);
    assert_eq!((counts["front"], counts["correct"], counts["error"]), (6, 2, 0), "{mended}");
    assert_eq!(counts["duplicate"] + counts["superseded"], 4, "{mended}");
    house.is_clean();
}

#[test]
fn beside_a_running_node_the_file_is_handed_over_and_followed() {
    let house = House::furnished();
    let alone = {
        let alone = house.copy();
        alone.import("check_action", &alone.file("checks.csv", delivery())).json()
    };
    let node = house.serve();
    let file = house.file("checks.csv", delivery());
    let ran = house.import("check_action", &file);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let batch = ran.json();
    for key in ["table", "cd_source", "cd_batch", "state", "counts", "by_class", "message"] {
        assert_eq!(batch[key], alone[key], "{key}");
    }
    let path = format!("/api/v1/datahub/batches/{}", batch["batch_id"].as_str().expect("an id"));
    let shown = node.door.get(&furnished().operator, &path).expect(200);
    assert_eq!((&shown["counts"], &shown["file_name"]), (&batch["counts"], &json!("checks.csv")));
    let unknown = house.run(&["import", "check_action", text_of(&file), "--source", "nobody"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (2, ""), "{}", unknown.err);
    assert!(unknown.err.contains("nobody"), "{}", unknown.err);
    let left: Vec<_> = files_in(&house.data().join("inbox"));
    assert!(left.is_empty(), "nothing handed over stays in clear: {left:?}");
    assert!(node.stop().success());
    house.is_clean();
}

#[test]
fn two_files_at_once_both_settle() {
    let house = House::furnished();
    let node = house.serve();
    let files = [
        house.file("one.csv", inspections(0..120, |_| Vec::new())),
        house.file("two.csv", inspections(60..180, |_| Vec::new())),
    ];
    let batches: Vec<Value> = std::thread::scope(|scope| {
        let imports =
            files.each_ref().map(|file| scope.spawn(|| house.import("check_action", file)));
        imports.map(|import| import.join().expect("imported").json()).into()
    });
    let sum = |layer: &str| batches.iter().map(|batch| counted(batch)[layer]).sum::<i64>();
    assert_eq!((sum("front"), sum("correct"), sum("duplicate")), (240, 180, 60), "{batches:?}");
    assert_ne!(batches[0]["cd_batch"], batches[1]["cd_batch"]);
    assert!(node.stop().success());
    house.is_clean();
}

#[test]
fn a_node_stopped_or_killed_in_the_middle_goes_on_at_its_next_start() {
    let furnished_house = House::furnished();
    let large = inspections(0..2_500, |_| Vec::new());
    let whole = {
        let untroubled = furnished_house.copy();
        untroubled.import_clean("check_action", "large.csv", &large);
        untroubled.digest()
    };
    for killed in [false, true] {
        let house = furnished_house.copy();
        let node = house.serve();
        let upload = "/api/v1/datahub/batches/file?table=check_action&cd_source=370400";
        let key = [("idempotency-key", "one")];
        let people = furnished();
        let answer = node.door.ask("POST", &people.operator, upload, &key, large.as_ref());
        let href = answer.expect(202)["href"].as_str().expect("an address").to_owned();
        if killed {
            wait_for("the batch is taken up", || {
                let batch = node.door.get(&people.operator, &href).expect(200);
                (batch["state"] != "received").then_some(())
            });
            node.kill();
        } else {
            assert!(node.stop().success());
        }
        let node = house.serve();
        let batch = node.door.settled(&people.operator, &href);
        assert_eq!(counted(&batch)["correct"], 2_500, "killed: {killed}");
        assert!(node.stop().success());
        assert_eq!(house.digest(), whole, "killed: {killed}");
        house.is_clean();
    }
}
