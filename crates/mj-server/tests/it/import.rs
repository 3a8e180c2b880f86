//! `mingjian import`: an operator brings a department's file in, alone or beside a running node.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::bad_input::counted;
use crate::house::{House, SOURCE, files_in, furnished, text_of, wait_for};
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

/// What Ctrl-C sends.
fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
}

/// How an import ended, and what it said.
fn ended(child: Child) -> (Option<i32>, Value, String) {
    let output = child.wait_with_output().expect("gone");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let batch = serde_json::from_slice(&output.stdout).expect(&said);
    (output.status.code(), batch, said)
}

#[test]
fn an_import_interrupted_at_the_terminal_leaves_nothing_and_says_so() {
    let house = House::furnished();
    let before = house.digest();
    let large = inspections(0..12_000, |_| Vec::new());
    let whole = {
        let untroubled = house.copy();
        untroubled.import_clean("check_action", "large.csv", &large);
        untroubled.digest()
    };
    let file = house.file("large.csv", &large);
    let args = ["import", "check_action", text_of(&file), "--source", SOURCE];
    let spawn = || {
        let mut command = house.command(&args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary starts")
    };
    let stopped = |child: Child| {
        let (code, batch, said) = ended(child);
        assert_eq!((code, &batch["state"]), (Some(3), &json!("cancelled")), "{batch} {said}");
        assert!(said.contains("已停止导入，没有一行入库"), "{said}");
    };

    let mut alone = spawn();
    let mut progress = alone.stderr.take().expect("a pipe");
    let mut said = String::new();
    let mut bytes = [0_u8; 256];
    while !said.contains("行/秒") {
        let read = progress.read(&mut bytes).expect("readable");
        assert!(read > 0, "it tells how far it is: {said}");
        said.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    interrupt(&alone);
    let rest = std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = progress.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    });
    let output = alone.wait_with_output().expect("gone");
    let said = rest.join().expect("read");
    assert_eq!(output.status.code(), Some(3), "{said}");
    let batch: Value = serde_json::from_slice(&output.stdout).expect(&said);
    assert_eq!(batch["state"], "cancelled", "{batch}");
    assert!(said.contains("已停止导入，没有一行入库"), "{said}");
    assert_eq!(house.digest(), before);
    house.is_clean();

    // beside a running node it is the node that stops
    let node = house.serve();
    let beside = spawn();
    wait_for("the node has begun", || {
        let path = "/api/v1/datahub/batches?state=running";
        let running = node.door.get(&furnished().operator, path).expect(200);
        running["items"].as_array().is_some_and(|items| !items.is_empty()).then_some(())
    });
    interrupt(&beside);
    stopped(beside);
    assert!(node.stop().success());
    house.is_clean();

    let again = house.import("check_action", &file);
    assert_eq!((again.code, &again.json()["batch_id"]), (0, &batch["batch_id"]), "{}", again.err);
    assert_eq!(house.digest(), whole);
    house.is_clean();
}
