//! A damaged supervision log as whoever runs the machine meets it: mended from a copy, or frozen and
//! followed by the next volume.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::house::{House, furnished, run, text_of};
use crate::rows::inspections;

fn lived_in() -> House {
    let house = House::furnished();
    house.import_clean("check_action", "few.csv", inspections(0..20, |_| Vec::new()));
    assert!(house.serve().stop().success());
    house
}

/// Turns over one byte of a file of the log, so many tenths on.
fn damage(house: &House, name: &str, tenths: usize) {
    let path = house.data().join("log").join(name);
    let mut bytes = fs::read(&path).expect("the file");
    let at = bytes.len() * tenths / 10;
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("put");
}

#[test]
fn a_damaged_file_of_the_log_is_named_by_doctor_and_mended_from_a_copy() {
    let house = lived_in();
    let copy = house.copy();
    let from = copy.data();
    house.import_clean("check_action", "more.csv", inspections(100..110, |_| Vec::new()));
    assert!(house.serve().stop().success());
    let sound = house.run(&["log", "repair", "--from", text_of(&from)]);
    assert_eq!((sound.code, sound.out.as_str()), (0, ""), "{}", sound.err);
    damage(&house, "tile/0/000", 1);
    let doctor = house.run(&["doctor"]);
    assert_eq!(doctor.code, 1, "{} {}", doctor.out, doctor.err);
    assert!(doctor.out.contains("损坏：第 1 册的内容与已签署的检查点不符"), "{}", doctor.out);
    assert_eq!(house.run(&["verify"]).code, 1);
    let nowhere = house.run(&["log", "repair", "--from", "/nowhere"]);
    assert_eq!(nowhere.code, 2, "{}", nowhere.err);
    let mended = house.run(&["log", "repair", "--from", text_of(&from)]);
    assert_eq!(
        (mended.code, mended.out.as_str()),
        (0, "已替换\tlog/tile/0/000\n"),
        "{}",
        mended.err
    );
    house.is_clean();
    assert_eq!(house.run(&["doctor"]).code, 0);
    damage(&house, "sheets/000", 1);
    let itself = house.run(&["log", "repair", "--from", text_of(&house.data())]);
    assert_eq!((itself.code, itself.out.as_str()), (1, "未修复\t第 1 册\n"), "{}", itself.err);
    let node = house.serve();
    let running = house.run(&["log", "repair", "--from", text_of(&from)]);
    assert_eq!(running.code, 2, "{}", running.err);
    drop(node);
    let mended = house.run(&["log", "repair", "--from", text_of(&from)]);
    assert_eq!(
        (mended.code, mended.out.as_str()),
        (0, "已替换\tlog/sheets/000\n"),
        "{}",
        mended.err
    );
    house.is_clean();
}

#[test]
fn a_log_that_nothing_mends_is_frozen_by_decision_and_the_next_volume_goes_on() {
    let house = lived_in();
    let reason = "硬盘坏道，没有可用的备份，经局长批准";
    let freeze = |reason: &str| house.run(&["log", "freeze", "--reason", reason]);
    assert_eq!(freeze(reason).code, 2, "a sound one is not frozen");
    let key = house.file("key", fs::read(house.data().join("log/key")).expect("a key"));
    damage(&house, "tile/entries/000", 9);
    assert_eq!(house.run(&["verify"]).code, 1);
    assert_eq!(freeze(" ").code, 2);
    let node = house.serve();
    assert_eq!(freeze(reason).code, 2, "not beside a running node");
    assert!(node.stop().success());
    let ran = freeze(reason);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(ran.out.starts_with("封存\t第 1 册\t可证明到 "), "{}", ran.out);
    let rows = ran.out.lines().count() - 1;
    assert!(ran.out.lines().next().expect("a line").ends_with(&format!("\t{rows} 行不同")));
    let told = house.run(&["verify"]);
    assert_eq!((told.code, told.out.as_str()), (0, ""), "{}", told.err);
    assert!(told.err.contains("第 1 册损坏后已封存（已登记，不是新发现）"), "{}", told.err);
    assert_eq!(told.err.lines().filter(|line| line.starts_with("  ")).count(), rows);
    assert_eq!(freeze(reason).code, 2, "the next one is sound");
    assert_eq!(house.run(&["doctor"]).code, 0);

    let node = house.serve();
    let auditor = &furnished().auditor;
    let status = node.door.get(auditor, "/api/v1/log/status").expect(200);
    let volumes = status["volumes"].as_array().expect("volumes");
    assert_eq!(volumes.len(), 2, "{status}");
    assert_eq!((&volumes[0]["number"], &volumes[0]["closed"]), (&json!(2), &Value::Null));
    assert_eq!(volumes[1]["closed"], "freeze");
    assert!(volumes[1]["unproved"].as_i64() > Some(0), "{status}");
    let path = "/api/v1/log/entries?action=ledger.log.open";
    let opened = node.door.get(auditor, path).expect(200);
    assert_eq!(opened["items"][0]["reason"], reason);
    let seq = opened["items"][0]["seq"].as_u64().expect("a number");
    let proof = node.door.get(auditor, &format!("/api/v1/log/entries/{seq}/proof")).expect(200);
    assert_eq!(proof["index"], 0);
    // what is past proof is shown and not proved; what is older is proved as before
    let lost = node.door.get(auditor, &format!("/api/v1/log/entries/{}", seq - 1)).expect(200);
    assert_eq!((&lost["volume"], &lost["sealed"]), (&Value::Null, &json!(true)));
    let proof = node.door.get(auditor, &format!("/api/v1/log/entries/{}/proof", seq - 1));
    proof.problem(409, "ledger.not_proved");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/verify_receipt.py");
    for seq in [0, seq] {
        let receipt = node.door.get(auditor, &format!("/api/v1/log/entries/{seq}/receipt")).text();
        let file = house.file("receipt.json", &receipt);
        assert!(receipt.contains("mingjian-receipt-1"), "{seq}: {receipt}");
        // by the key as it was known before there were two volumes
        checked(&file, &key, script, 0, seq);
        let index = format!("\"index\": {}", if seq == 0 { 0 } else { 1 });
        let changed = receipt.replacen("\"index\": 0", &index, 1).replacen("ledger.", "ledgel.", 1);
        if changed != receipt {
            checked(&house.file("changed.json", &changed), &key, script, 1, seq);
        }
    }
    assert!(node.stop().success());
    house.is_clean();
    backed_up(&house);
}

#[track_caller]
fn checked(file: &Path, key: &Path, script: &str, code: i32, seq: u64) {
    let ran = run(&["verify", "receipt", text_of(file), "--key", text_of(key)]);
    assert_eq!(ran.code, code, "{} {}", ran.out, ran.err);
    let output = Command::new("python3").arg(script).arg(file).arg(key).output().expect("python3");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(code != 0 || said.starts_with(&format!("ok\t{seq}\t")), "{said}");
}

/// A copy of a node with two volumes comes back with both.
fn backed_up(house: &House) {
    if house.database.is_some() {
        // the test's server archives nothing: tests/durability has one that does
        return;
    }
    let key = house.file("old", "").with_file_name("backup.key");
    let place = house.data().with_file_name("copies");
    let (key, place) = (text_of(&key).to_owned(), text_of(&place).to_owned());
    assert_eq!(house.run(&["keys", "export-backup", "--out", &key]).code, 0);
    let copied = house.run(&["backup", "--into", &place]);
    assert_eq!(copied.code, 0, "{}", copied.err);
    let back = House::bare();
    let data = back.data();
    let args = ["restore", "--from", &place, "--key", &key, "--to", "latest", "--data-dir"];
    let restored = run(&[&args[..], &[text_of(&data)]].concat());
    assert_eq!(restored.code, 0, "{} {}", restored.out, restored.err);
    back.is_clean();
    let told = back.run(&["verify"]);
    assert!(told.err.contains("第 1 册损坏后已封存"), "{}", told.err);
    assert!(back.serve().stop().success());
}
