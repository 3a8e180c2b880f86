//! `mingjian verify` as an auditor's script drives it (docs/contracts.md 5): exit codes, the line of a
//! finding, the checkpoint kept outside.

use std::collections::BTreeMap;
use std::fs;

use crate::house::{House, Ran, files_in, text_of};
use crate::http::Token;
use crate::rows::inspections;

fn lived_in() -> House {
    let house = House::furnished();
    house.import_clean("check_action", "a.csv", inspections(0..40, |_| Vec::new()));
    // a node signs what an import left, and writes the checkpoint
    let node = house.serve();
    assert!(node.stop().success());
    house
}

/// The only finding of a kind, cut at its tabs.
#[track_caller]
fn finds(ran: &Ran, kind: &str, table: &str) {
    assert_eq!(ran.code, 1, "{kind} {table}: {} {}", ran.out, ran.err);
    let lines: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split('\t').collect()).collect();
    assert!(lines.iter().all(|line| line.len() == 6 && line[0] == "FAIL"), "{}", ran.out);
    let hit = lines.iter().find(|line| line[1] == kind && line[2] == table);
    let hit = hit.unwrap_or_else(|| panic!("no {kind} {table}: {}", ran.out));
    let (from, to) = hit[4].split_once("..").expect("entries");
    let number = |text: &str| text.parse::<u64>().expect("a number of an entry");
    assert!(number(from) <= number(to), "{hit:?}");
    let (from, to) = hit[5].split_once("..").expect("instants");
    assert!(from <= to && from.contains('T'), "{hit:?}");
}

#[test]
fn what_was_changed_past_the_program_is_found_and_told_in_the_contracts_line() {
    let house = lived_in();
    let clean = house.run(&["verify"]);
    assert_eq!((clean.code, clean.out.as_str()), (0, ""), "{}", clean.err);
    assert!(clean.err.contains("检查点"), "no outside checkpoint was given: {}", clean.err);
    let with = |sql: &str| {
        let touched = house.copy();
        touched.by_hand(sql);
        touched.run(&["verify"])
    };
    finds(
        &with("UPDATE hub_source SET name = 'x' WHERE cd_source = '370400'"),
        "changed",
        "hub_source",
    );
    let gone = "DELETE FROM hub_source WHERE cd_source = '370500'";
    finds(&with(gone), "missing", "hub_source");
    let added = "INSERT INTO credential (id, password_hash, changed_at, version, change_seq, row_salt, \
                 row_digest) SELECT 'forged', password_hash, changed_at, version, change_seq, row_salt, \
                 row_digest FROM credential WHERE id = (SELECT MIN(id) FROM credential)";
    finds(&with(added), "extra", "credential");
    let manifest = "UPDATE fact_commit SET correct = correct + 1";
    finds(&with(manifest), "changed", "fact_commit");
}

#[test]
fn verify_says_when_it_cannot_be_asked_and_changes_nothing_by_looking() {
    let house = lived_in();
    let contents = || -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for path in files_in(&house.data()) {
            let name = path.to_string_lossy().into_owned();
            // SQLite's own notes of who reads, and an empty log it opens for reading
            let size = fs::metadata(&path).expect("a file").len();
            if name.ends_with("-shm") || (name.ends_with("-wal") && size == 0) {
                continue;
            }
            let bytes = fs::read(&path).expect("read");
            found.insert(name, mj_platform::gm::sm3_hex(&bytes));
        }
        found
    };
    let before = contents();
    assert_eq!(house.run(&["verify"]).code, 0);
    assert_eq!(contents(), before);
    let nowhere = house.run(&["verify", "--data-dir", "/nowhere"]);
    assert_eq!((nowhere.code, nowhere.out.as_str()), (2, ""), "{}", nowhere.err);
    let no_file = house.run(&["verify", "--checkpoint", "/nowhere"]);
    assert_eq!((no_file.code, no_file.out.as_str()), (2, ""), "{}", no_file.err);
    let note = house.file("note.txt", "not a checkpoint");
    assert_eq!(house.run(&["verify", "--checkpoint", text_of(&note)]).code, 2);
    let no_database = format!("sqlite:{}", house.file("file", "").join("x/y.sqlite3").display());
    let broken = house.run(&["verify", "--db", &no_database]);
    assert_eq!((broken.code, broken.out.as_str()), (3, ""), "{}", broken.err);
}

#[test]
fn the_newest_checkpoint_is_public_and_one_kept_outside_finds_a_log_cut_back() {
    let house = lived_in();
    let node = house.serve();
    let public = node.door.get(&Token::default(), "/api/v1/log/checkpoint");
    assert_eq!(public.status, 200);
    let file = house.data().join("log/checkpoint");
    assert_eq!(fs::read_to_string(&file).expect("a checkpoint"), public.text());
    assert!(node.stop().success());
    let older = house.copy();
    let kept = {
        house.import_clean("check_action", "b.csv", inspections(40..50, |_| Vec::new()));
        let node = house.serve();
        assert!(node.stop().success());
        house.file("kept.txt", fs::read(&file).expect("a checkpoint"))
    };
    let with = house.run(&["verify", "--checkpoint", text_of(&kept)]);
    assert_eq!((with.code, with.out.as_str()), (0, ""), "{}", with.err);
    assert!(!with.err.contains("没有给出外部保存的检查点"), "{}", with.err);
    // the older copy is clean by itself, but not against what was kept since
    assert_eq!(older.run(&["verify"]).code, 0);
    let rolled_back = older.run(&["verify", "--checkpoint", text_of(&kept)]);
    assert_eq!(rolled_back.code, 1, "{} {}", rolled_back.out, rolled_back.err);
    let kind = rolled_back.out.split('\t').nth(1).unwrap_or_default();
    assert!(matches!(kind, "gap" | "log"), "{}", rolled_back.out);
}
