//! Somebody with the database password, or a failing disk, takes one row away: `doctor` says so.

use std::fs;

use crate::house::{House, files_in};
use crate::rows::{Sheet, citizen, inspections};

/// A house with hot rows of one batch, a segment of another, and refused rows.
fn lived_in() -> House {
    let house = House::furnished();
    let few = inspections(0..20, |number| match number {
        3 | 4 => vec![("check_date", "2025-02-31".to_owned())],
        _ => Vec::new(),
    });
    let ran = house.import("check_action", &house.file("few.csv", few));
    assert_eq!(ran.code, 1, "{}", ran.err);
    house.import_clean("check_action", "many.csv", inspections(100..2_200, |_| Vec::new()));
    let person = [("administrative_cp_ui_code", &*citizen(7)), ("phone", "13876543210")];
    let people = Sheet::of("object_person", &[]).row(&[
        person[0],
        person[1],
        ("birth_date", "1985-07-03"),
        ("gender", "1"),
    ]);
    house.import_clean("object_person", "people.csv", people);
    house.is_clean();
    house
}

#[track_caller]
fn is_noticed(house: &House, what: &str) {
    let ran = house.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{what} went unnoticed: {} {}", ran.out, ran.err);
    assert!(ran.out.lines().all(|line| line.starts_with("不符\t")), "{what}: {}", ran.out);
    let words = ran.out.split('\t').nth(2).unwrap_or_default();
    assert!(!words.is_ascii(), "{what}: {}", ran.out);
}

#[test]
fn one_row_less_is_noticed_wherever_it_lay() {
    let house = lived_in();
    for (what, sql) in [
        ("a hot row", "DELETE FROM fact_hot WHERE rid = (SELECT MIN(rid) FROM fact_hot)"),
        (
            "a refused row",
            "DELETE FROM hub_error WHERE row_no = (SELECT MIN(row_no) FROM hub_error)",
        ),
        ("a commit", "DELETE FROM fact_commit WHERE pos = (SELECT MAX(pos) FROM fact_commit)"),
        ("a segment's entry", "DELETE FROM fact_segment"),
        ("a batch", "DELETE FROM hub_batch WHERE id = (SELECT MIN(id) FROM hub_batch)"),
        ("a party", "DELETE FROM party WHERE id = (SELECT MIN(id) FROM party)"),
        ("a mention", "DELETE FROM mention WHERE id = (SELECT MAX(id) FROM mention)"),
        ("a source", "DELETE FROM hub_source WHERE id = (SELECT MIN(id) FROM hub_source)"),
        ("a grant", "DELETE FROM role_grant WHERE id = (SELECT MIN(id) FROM role_grant)"),
        ("a person's key", "DELETE FROM data_key WHERE id = (SELECT MIN(id) FROM data_key)"),
        ("an act", "DELETE FROM act_journal WHERE seq = (SELECT MIN(seq) FROM act_journal)"),
    ] {
        let robbed = house.copy();
        robbed.by_hand(sql);
        is_noticed(&robbed, what);
    }
    let segments = || {
        let robbed = house.copy();
        let largest = files_in(&robbed.data().join("segments"))
            .into_iter()
            .max_by_key(|path| fs::metadata(path).expect("a file").len())
            .expect("a segment");
        (robbed, largest)
    };
    let (robbed, segment) = segments();
    let bytes = fs::read(&segment).expect("read");
    fs::write(&segment, &bytes[..bytes.len() - 200]).expect("cut");
    is_noticed(&robbed, "the end of a segment");
    let (robbed, segment) = segments();
    let mut bytes = bytes;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, &bytes).expect("changed");
    is_noticed(&robbed, "one bit of a segment");
    let (robbed, segment) = segments();
    fs::remove_file(&segment).expect("removed");
    is_noticed(&robbed, "a whole segment");
    for file in ["log/tile/entries/000", "log/tile/0/000"] {
        let robbed = house.copy();
        let path = robbed.data().join(file);
        let mut bytes = fs::read(&path).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).expect("changed");
        is_noticed(&robbed, file);
    }
    house.is_clean();
}
