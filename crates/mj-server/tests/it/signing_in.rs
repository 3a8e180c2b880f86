//! The key over password hashes, with the binary: what an older version stored, another key, another master key, a
//! backup restored elsewhere, and a key that is lost.

use std::fs;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;
use serde_json::json;

use crate::house::{House, files_in, login, run, secret, text_of};
use crate::http::Token;

const BARE: &[u8] = b"$argon2id$";

fn holds_bare(bytes: &[u8]) -> bool {
    bytes.windows(BARE.len()).any(|part| part == BARE)
}

/// No hash without a key over it, in any column of any table.
fn dump_is_keyed(house: &House) {
    let mut keyed = 0;
    house.everything_in_the_database(|table, bytes| {
        assert!(!holds_bare(bytes), "{table} holds a bare hash");
        keyed += usize::from(bytes.starts_with(b"$hmac-sm3-argon2id$"));
    });
    assert!(keyed >= 4, "only {keyed} hashes were looked at");
}

fn signs_in(house: &House, who: &str) {
    let node = house.serve();
    login(node.door, who);
    let wrong = json!({"login": who, "password": "不是这个-密码42"});
    node.door.post(&Token::default(), "/api/v1/sessions", &wrong).expect(401);
    assert!(node.stop().success());
}

#[test]
fn no_bare_hash_stands_in_the_database_on_the_disk_or_in_a_backup() {
    let house = House::furnished();
    dump_is_keyed(&house);
    let place = house.data().with_file_name("copies");
    let key = house.data().with_file_name("backup.key");
    assert_eq!(house.run(&["keys", "export-backup", "--out", text_of(&key)]).code, 0);
    if house.database.is_none() {
        for file in files_in(&house.data()) {
            assert!(!holds_bare(&fs::read(&file).expect("a file")), "{}", file.display());
        }
        let ran = house.run(&["backup", "--into", text_of(&place)]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let other = House::bare();
        let to = other.data();
        let ran = run(&[
            "restore",
            "--from",
            text_of(&place),
            "--key",
            text_of(&key),
            "--data-dir",
            text_of(&to),
        ]);
        assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
        dump_is_keyed(&other);
        signs_in(&other, "operator");
    }
}

#[test]
fn hashes_of_an_older_version_get_their_key_at_the_start_and_go_on_opening() {
    let house = House::furnished();
    let hash: PasswordHash =
        Argon2::default().hash_password(secret("operator").as_bytes()).expect("hashed");
    house.by_hand(&format!(
        "UPDATE credential SET password_hash = '{hash}' \
         WHERE id = (SELECT id FROM account WHERE login = 'operator')"
    ));
    // written past the system: neither taken nor laundered by a start
    let told = house.run(&["doctor"]);
    assert!(told.out.contains("不符\tcredential\t1 条没有本节点的封印"), "{}", told.out);
    let node = house.serve();
    let right = json!({"login": "operator", "password": secret("operator")});
    node.door.post(&Token::default(), "/api/v1/sessions", &right).expect(401);
    assert!(node.stop().success());
    // as the version before left it: no seals, and no note beside the keys that everything has one
    for sql in [
        "DELETE FROM secret_seal",
        "UPDATE enrolment SET seal = ''",
        "UPDATE session SET seal = ''",
        "UPDATE recovery_code SET seal = ''",
    ] {
        house.by_hand(sql);
    }
    fs::remove_file(house.data().join("keys/sealed.key")).expect("noted at the first start");
    // the note alone taken away: a start would seal whatever was put in
    let refused = house.run(&["serve", "--port", "1"]);
    assert!(refused.code == 3 && refused.err.contains("keys/sealed.key 不见了"), "{}", refused.err);
    let told = house.run(&["doctor"]);
    assert!(told.out.contains("不符\tkeys/sealed.key\t不见了"), "{}", told.out);
    fs::remove_file(house.data().join("keys/session.key")).expect("made with the first seal");
    let told = house.run(&["doctor"]);
    assert_eq!(told.code, 1, "{}", told.out);
    assert!(told.out.contains("注意\tcredential\t1 个密码散列还没有加上密钥"), "{}", told.out);
    signs_in(&house, "operator");
    dump_is_keyed(&house);
    assert!(house.data().join("keys/sealed.key").exists(), "done once");
    house.is_clean();
}

#[test]
fn another_key_and_another_master_key_lock_nobody_out_and_a_lost_key_is_told() {
    let house = House::furnished();
    for args in [&["keys", "rotate", "password"][..], &["keys", "rotate-master"]] {
        let ran = house.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {} {}", ran.out, ran.err);
    }
    signs_in(&house, "operator");
    house.is_clean();
    let folder = house.data().join("keys");
    let older = fs::read(folder.join("password.1.key")).expect("the key before");
    let newest = fs::read(folder.join("password.key")).expect("the newest key");
    // the administrators did not sign in since: their hashes are under the older key
    fs::remove_file(folder.join("password.1.key")).expect("there");
    let told = house.run(&["doctor"]);
    assert_eq!(told.code, 1, "{}", told.out);
    assert!(
        told.out.contains("不符\tkeys/password.key\t3 个密码散列所用的密钥不见了"),
        "{}",
        told.out
    );
    signs_in(&house, "operator");
    fs::remove_file(folder.join("password.key")).expect("there");
    let refused = house.run(&["serve", "--port", "0"]);
    assert_ne!(refused.code, 0, "nobody could sign in");
    assert!(refused.err.contains("keys/password.key 不见了"), "{}", refused.err);
    assert!(!folder.join("password.key").exists(), "no new key hides it");
    fs::write(folder.join("password.1.key"), older).expect("put back");
    fs::write(folder.join("password.key"), newest).expect("put back");
    house.is_clean();
    signs_in(&house, "operator");
}
