//! Copies, restores and other keys, as whoever runs the machine does them. Kills, power cuts and whole
//! clusters: `tests/durability`.

use std::fs;

use crate::house::{House, files_in, run, text_of};
use crate::rows::inspections;

fn lived_in() -> House {
    let house = House::furnished();
    house.import_clean("check_action", "few.csv", inspections(0..20, |_| Vec::new()));
    house
}

#[test]
fn a_copy_beside_a_running_node_comes_back_and_proves_itself() {
    let house = lived_in();
    let key = house.file("old", "").with_file_name("backup.key");
    let place = house.data().with_file_name("copies");
    let exported = house.run(&["keys", "export-backup", "--out", text_of(&key)]);
    assert_eq!(exported.code, 0, "{}", exported.err);
    let node = house.serve();
    let copied = house.run(&["backup", "--into", text_of(&place)]);
    if house.database.is_some() {
        // the test's server archives nothing: tests/durability has one that does
        assert_eq!(copied.code, 2, "{}", copied.err);
        assert!(copied.err.contains("wal_folder"), "{}", copied.err);
        return;
    }
    assert_eq!(copied.code, 0, "{}", copied.err);
    let instant = copied.out.split('\t').next().expect("an instant").to_owned();
    house.import_clean("check_action", "late.csv", inspections(100..110, |_| Vec::new()));
    assert!(node.stop().success());
    let back = House::bare();
    let data = back.data();
    let restore = |to: &str| {
        let (place, key) = (text_of(&place), text_of(&key));
        let args = ["restore", "--from", place, "--key", key, "--to", to];
        run(&[&args[..], &["--data-dir", text_of(&data)]].concat())
    };
    assert_eq!(restore("gestern").code, 2);
    // what is no checkpoint is said before anything is laid out: the next try finds the directory empty
    let none = house.file("no-checkpoint", "明鉴");
    for wrong in [text_of(&none), "no/such/checkpoint"] {
        let args = [
            "restore",
            "--from",
            text_of(&place),
            "--key",
            text_of(&key),
            "--to",
            &instant,
            "--checkpoint",
            wrong,
        ];
        assert_eq!(run(&[&args[..], &["--data-dir", text_of(&data)]].concat()).code, 2, "{wrong}");
    }
    let restored = restore(&instant);
    assert_eq!(restored.code, 0, "{} {}", restored.out, restored.err);
    assert!(restored.out.contains("日志根\t") && restored.out.contains("\t0 处不符"));
    back.is_clean();
    assert_ne!(back.digest(), house.digest(), "what came later is not in it");
    assert!(back.serve().stop().success());
    assert_eq!(restore(&instant).code, 2, "only into an empty directory");
}

#[test]
fn another_master_key_loses_nothing_and_the_old_one_opens_nothing() {
    let house = lived_in();
    let (digest, master) = (house.digest(), house.data().join("keys/master.key"));
    let old = fs::read(&master).expect("a key");
    for args in [["keys", "rotate-master", ""], ["keys", "rotate", "log"]] {
        let args: Vec<&str> = args.into_iter().filter(|arg| !arg.is_empty()).collect();
        let ran = house.run(&args);
        assert_eq!(ran.code, 0, "{args:?}: {} {}", ran.out, ran.err);
    }
    assert_eq!(house.digest(), digest);
    house.is_clean();
    assert!(house.serve().stop().success());
    let refused = house.run(&["keys", "rotate", "nothing"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    fs::write(&master, old).expect("put back");
    assert_ne!(house.run(&["doctor"]).code, 0);
}

#[test]
fn a_server_that_may_forget_is_refused_unless_its_data_is_thrown_away() {
    let house = House::furnished();
    let Some(database) = &house.database else {
        // SQLite's own settings are the program's
        assert!(house.serve().stop().success());
        return;
    };
    let url = format!("{}?options=-c%20mingjian.throwaway%3Doff", database.url());
    let careless = house.at(&url).run(&["migrate"]);
    let mut serve = house.at(&url).command(&["serve", "--port", "0"]);
    let served = serve.output().expect("the binary starts");
    let said = String::from_utf8_lossy(&served.stderr).into_owned();
    assert_eq!(served.status.code(), Some(2), "{said}");
    assert!(said.contains("PostgreSQL 的 fsync = off"), "{said}");
    assert_eq!(careless.code, 0, "nothing is acknowledged to anybody: {}", careless.err);
    // so is one that does not notice a damaged page, with what to do about it
    let checked = house.number(
        "SELECT CAST(CASE current_setting('data_checksums') WHEN 'on' THEN 1 ELSE 0 END AS BIGINT)",
    ) == 1;
    let refused = "PostgreSQL 的 data_checksums = off";
    assert_eq!(said.contains(refused), !checked, "{said}");
    assert_eq!(said.contains("pg_checksums --enable -D"), !checked, "{said}");
    let doctor = house.at(&url).run(&["doctor"]);
    assert_eq!(doctor.code, i32::from(!checked), "{} {}", doctor.out, doctor.err);
    assert_eq!(doctor.out.starts_with("注意\t数据库\t"), !checked, "{}", doctor.out);
    assert_eq!(doctor.out.contains("pg_checksums --enable"), !checked, "{}", doctor.out);
    house.is_clean();
}

#[test]
fn one_bit_of_a_delivered_file_is_noticed() {
    let house = lived_in();
    let file = files_in(&house.data().join("blobs")).pop().expect("a delivered file");
    let mut bytes = fs::read(&file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("changed");
    let ran = house.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("内容已损坏"), "{}", ran.out);
}
