//! An insider with the database password and the files, and an auditor with `mingjian verify`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::house::{House, Ran, files_in, run, text_of};
use crate::http::Token;
use crate::rows::inspections;

/// A house with a batch in segments and one in hot rows, all of it signed.
fn lived_in() -> House {
    let house = House::furnished();
    house.import_clean("check_action", "few.csv", inspections(0..20, |_| Vec::new()));
    house.import_clean("check_action", "many.csv", inspections(100..2_200, |_| Vec::new()));
    house
}

fn verify(house: &House) -> Ran {
    let data = house.data();
    house.run(&["verify", "--data-dir", text_of(&data)])
}

#[track_caller]
fn is_named(house: &House, kind: &str, table: &str) {
    let ran = verify(house);
    assert_eq!(ran.code, 1, "{kind} {table}: {} {}", ran.out, ran.err);
    for line in ran.out.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!((fields.len(), fields[0]), (6, "FAIL"), "{line}");
        assert!(fields[4].contains("..") && fields[5].contains(".."), "{line}");
    }
    let start = format!("FAIL\t{kind}\t{table}\t");
    assert!(ran.out.lines().any(|line| line.starts_with(&start)), "{start}: {}", ran.out);
}

#[test]
fn an_honest_house_verifies_clean_stopped_running_and_killed() {
    let house = lived_in();
    let ran = verify(&house);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(ran.err.contains("没有给出外部保存的检查点"), "{}", ran.err);
    let kept = house.file("kept", fs::read(house.data().join("log/checkpoint")).expect("signed"));

    let node = house.serve();
    let public = node.door.get(&Token::default(), "/api/v1/log/checkpoint");
    assert_eq!(
        public.text(),
        fs::read_to_string(house.data().join("log/checkpoint")).expect("signed")
    );
    house.import_clean("check_action", "more.csv", inspections(3_000..3_050, |_| Vec::new()));
    let ran = verify(&house);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    drop(node);

    let data = house.data();
    let args = ["verify", "--data-dir", text_of(&data), "--checkpoint", text_of(&kept)];
    let ran = house.run(&args);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(!ran.err.contains("没有给出外部保存的检查点"), "{}", ran.err);
    // the next start signs what a kill left waiting
    drop(house.serve());
    let ran = house.run(&args);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
}

#[test]
fn whatever_an_insider_does_is_named_with_the_row() {
    let house = lived_in();
    let first = |table: &str| format!("(SELECT MIN(id) FROM {table})");
    for (kind, table, sql) in [
        (
            "changed",
            "party",
            format!("UPDATE party SET name = '某公司' WHERE id = {}", first("party")),
        ),
        (
            "missing",
            "hub_batch",
            format!("DELETE FROM hub_batch WHERE id = {}", first("hub_batch")),
        ),
        (
            "changed",
            "role_grant",
            format!(
                "UPDATE role_grant SET areas = '[\"130000\"]' WHERE id = {}",
                first("role_grant")
            ),
        ),
        (
            "changed",
            "act_journal",
            format!(
                "UPDATE act_journal SET actor = 'account:x' WHERE id = {}",
                first("act_journal")
            ),
        ),
        (
            "missing",
            "act_journal",
            format!("DELETE FROM act_journal WHERE id = {}", first("act_journal")),
        ),
        (
            "extra",
            "fact_mark",
            "INSERT INTO fact_mark (id, table_name, segment, pos, kind, marked, row_numbers, \
             version, change_seq, row_salt, row_digest) SELECT 'x', table_name, 1, 1, 'dead', 1, \
             row_salt, 1, 1, row_salt, row_digest FROM fact_commit LIMIT 1"
                .to_owned(),
        ),
    ] {
        let robbed = house.copy();
        robbed.by_hand(&sql);
        is_named(&robbed, kind, table);
    }
    let robbed = house.copy();
    let segment = files_in(&robbed.data().join("segments")).pop().expect("a segment");
    let mut bytes = fs::read(&segment).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).expect("changed");
    is_named(&robbed, "changed", "segments");

    let robbed = house.copy();
    fs::remove_file(robbed.data().join("log/sheets/000")).expect("gone");
    is_named(&robbed, "log", "sheets");
}

#[test]
fn a_rollback_of_the_whole_node_shows_against_a_checkpoint_kept_elsewhere() {
    let house = lived_in();
    let old = house.copy();
    house.import_clean("check_action", "late.csv", inspections(4_000..4_010, |_| Vec::new()));
    let kept = house.file("kept", fs::read(house.data().join("log/checkpoint")).expect("signed"));
    assert_eq!(verify(&old).code, 0, "consistent in itself");
    let data = old.data();
    let ran = old.run(&["verify", "--data-dir", text_of(&data), "--checkpoint", text_of(&kept)]);
    assert_eq!(ran.code, 1, "{} {}", ran.out, ran.err);
    assert!(ran.out.starts_with("FAIL\tgap\tcheckpoint\t"), "{}", ran.out);
}

#[test]
fn a_weeks_checkpoint_from_the_portal_verifies_its_store_and_not_one_rewritten_since() {
    let house = lived_in();
    // what the node put aside at the end of a week
    let kept = fs::read(house.data().join("log/checkpoint")).expect("signed");
    fs::create_dir_all(house.data().join("log/weeks")).expect("a folder");
    fs::write(house.data().join("log/weeks/2026-W01"), &kept).expect("kept");
    let old = House::furnished();
    let node = house.serve();
    let anybody = Token::default();
    let feed = node.door.get(&anybody, "/log/feed.xml").text();
    assert!(feed.contains("href=\"/log/weeks/2026-W01.txt\""), "{feed}");
    let taken = node.door.get(&anybody, "/log/weeks/2026-W01.txt").text();
    assert_eq!(taken.as_bytes(), kept);
    node.door.get(&anybody, "/log/weeks/2026-W02.txt").expect(404);
    drop(node);
    let file = house.file("checkpoint-2026-W01.txt", &taken);
    let ask = |of: &House| {
        let data = of.data();
        of.run(&["verify", "--data-dir", text_of(&data), "--checkpoint", text_of(&file)])
    };
    let ran = ask(&house);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    // the same keys and beginning, another continuation, longer than what was signed
    old.import_clean("check_action", "other.csv", inspections(5_000..5_050, |_| Vec::new()));
    for number in 0..30 {
        let rows = inspections(6_000 + number..6_001 + number, |_| Vec::new());
        old.import_clean("check_action", &format!("more-{number}.csv"), rows);
    }
    assert_eq!(verify(&old).code, 0, "consistent in itself");
    let ran = ask(&old);
    assert_eq!(ran.code, 1, "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("\tcheckpoint\t"), "{}", ran.out);
}

#[test]
fn what_cannot_be_verified_is_said_with_its_own_code() {
    let house = House::bare();
    let data = house.data();
    let ran = house.run(&["verify", "--data-dir", text_of(&data)]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    let nowhere = data.join("nowhere");
    assert_eq!(house.run(&["verify", "--data-dir", text_of(&nowhere)]).code, 2);
    let house = House::furnished();
    let wrong = house.file("wrong", "no checkpoint\n");
    let data = house.data();
    let args = ["verify", "--data-dir", text_of(&data), "--checkpoint", text_of(&wrong)];
    assert_eq!(house.run(&args).code, 2);
    let args = ["verify", "--data-dir", text_of(&data), "--db", "postgres://x@127.0.0.1:1/none"];
    assert_eq!(house.run(&args).code, 3);
    // a log taken away as a whole is no mistake of whoever asks
    std::fs::remove_dir_all(data.join("log")).expect("gone");
    let gone = house.run(&["verify"]);
    assert!(
        gone.code == 1 && gone.out.contains("FAIL\tgap\tcheckpoint\t"),
        "{} {}",
        gone.out,
        gone.err
    );
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tools/verify_receipt.py")
}

#[test]
fn a_receipt_is_checked_by_us_and_by_python_alone() {
    let house = House::furnished();
    let node = house.serve();
    let receipt =
        node.door.get(&crate::house::furnished().auditor, "/api/v1/log/entries/5/receipt").text();
    let other = crate::house::furnished();
    node.door.get(&other.operator, "/api/v1/log/entries/5/receipt").expect(403);
    drop(node);
    let file = house.file("receipt.json", &receipt);
    let key = house.data().join("log/key");
    let changed = house.file("changed.json", receipt.replacen("\"index\": 5", "\"index\": 4", 1));
    let without = |from: &str, to: &str| {
        let text = receipt.replacen(from, to, 1);
        assert_ne!(text, receipt, "{from}");
        text
    };
    let cut = house.file("cut.json", &receipt[..receipt.len() / 2]);
    let more = without("\"payload\": {", "\"payload\": {\"witness\": \"李四\",");
    let more = house.file("more.json", more);
    let twice = house.file("twice.json", without("\"index\": 5", "\"index\": 4, \"index\": 5"));
    let unsigned = without("\\n\\n— ", "\\n\\n—");
    let unsigned = house.file("unsigned.json", unsigned);
    let checked = [(&file, 0), (&changed, 1), (&cut, 2), (&more, 2), (&twice, 2), (&unsigned, 1)];
    for (path, code) in checked {
        let ran = run(&["verify", "receipt", text_of(path), "--key", text_of(&key)]);
        assert_eq!(ran.code, code, "{} {}", ran.out, ran.err);
        let python = Command::new("python3").arg(script()).arg(path).arg(&key).output();
        match python {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                assert_eq!(output.status.code(), Some(code), "{said}");
            }
            Err(error) => eprintln!("not run: python3: {error}"),
        }
    }
    assert_eq!(run(&["verify", "receipt", text_of(&key)]).code, 2);
    let nowhere = run(&["verify", "receipt", text_of(&file), "--key", "no/such/key"]);
    assert!(nowhere.code == 2 && nowhere.err.contains("无法读取公钥文件"), "{}", nowhere.err);
    // under its own key alone it is said to prove little, by both
    let own = run(&["verify", "receipt", text_of(&file)]);
    assert!(own.code == 0 && own.err.contains("自带的公钥"), "{}", own.err);
    if let Ok(output) = Command::new("python3").arg(script()).arg(&file).output() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("自带的公钥"), "{said}");
    }
}
