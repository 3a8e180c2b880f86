//! The key over password hashes, in a house with people: what an older version stored, another key, a lost key.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;
use axum::Router;
use axum::http::StatusCode;
use mj_kernel::Role;
use mj_platform::RowExt;
use mj_platform::gm::vault::{KeyClass, SmProvider};
use mj_web::Web;
use serde_json::json;

use super::{House, PASSWORD};
use crate::{Access, PasswordHashing, PasswordKeys, PasswordProfile};

const EARLIER: &str = "Zaohua-Kaile-3";

fn bare(password: &str) -> String {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).expect("hashed");
    hash.to_string()
}

/// As an older version stored it: a password and one before it, both without a key.
async fn stored_by_an_older_version(house: &House, account: &str) {
    let mut tx = house.kit.begin().await;
    crate::set_password(&mut tx, account, &bare(EARLIER)).await.expect("set");
    tx.commit().await.expect("done");
    house.kit.clock.advance_seconds(1);
    let mut tx = house.kit.begin().await;
    crate::set_password(&mut tx, account, &bare(PASSWORD)).await.expect("set");
    tx.commit().await.expect("done");
}

async fn hash_of(house: &House, account: &str) -> String {
    crate::store::password_hash(house.kit.db(), account).await.expect("read").expect("one")
}

/// Every text in the tables of hashes, as a dump of them would have it.
async fn all_hashes(house: &House) -> Vec<String> {
    let sql =
        "SELECT password_hash FROM credential UNION ALL SELECT password_hash FROM password_past";
    let rows = house.kit.db().fetch_all(sql, &[]).await.expect("read");
    rows.iter().map(|row| row.text("password_hash").expect("text")).collect()
}

/// The same house with a vault opened anew, as after a restart.
fn restarted(house: House, profile: PasswordProfile, hashing: PasswordHashing) -> House {
    let House { kit, .. } = house;
    let access = Access::new(kit.db().clone(), kit.vault()).with_passwords(profile, hashing);
    let modules = vec![crate::module(access.clone())];
    let router = Web::new(Arc::new(access.clone()), modules).router(Router::new());
    House { kit, access, router }
}

#[tokio::test]
async fn hashes_of_an_older_version_are_all_keyed_at_once_and_nobody_is_locked_out() {
    let house = House::new().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    stored_by_an_older_version(&house, &lisi).await;
    let seen = crate::password_keys(house.kit.db(), house.kit.vault()).await.expect("looked");
    // the hash the account was opened with had its key already
    assert_eq!(seen, PasswordKeys { opened: 1, lost: 0, bare: 2 });
    let done =
        crate::keyed::key_stored_passwords(house.kit.db(), house.kit.vault()).await.expect("keyed");
    assert_eq!(done, 2);
    for hash in all_hashes(&house).await {
        assert!(hash.starts_with("$hmac-sm3-argon2id$") && !hash.contains("$argon2id$"), "{hash}");
    }
    let again =
        crate::keyed::key_stored_passwords(house.kit.db(), house.kit.vault()).await.expect("asked");
    assert_eq!(again, 0, "once is enough");
    assert_eq!(house.login("lisi", "not hers at all").await.status, StatusCode::UNAUTHORIZED);
    // the list of passwords not to come again went along
    let house = restarted(house, PasswordProfile::Mlps, PasswordHashing::Argon2id);
    let token = house.token("lisi").await;
    let body = json!({"current": PASSWORD, "new": EARLIER});
    let same = house.ask("POST", "/sessions/current/password").bearer(&token).body(body).go().await;
    assert_eq!(same.body["code"], "access.weak_password", "{}", same.body);
}

#[tokio::test]
async fn a_login_keys_what_the_start_did_not() {
    let house = House::new().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    stored_by_an_older_version(&house, &lisi).await;
    assert_eq!(house.login("lisi", "not hers at all").await.status, StatusCode::UNAUTHORIZED);
    assert!(
        hash_of(&house, &lisi).await.starts_with("$argon2id$"),
        "a wrong password changes nothing"
    );
    house.token("lisi").await;
    let keyed = hash_of(&house, &lisi).await;
    assert!(keyed.starts_with("$hmac-sm3-argon2id$"), "{keyed}");
    house.token("lisi").await;
    assert_eq!(hash_of(&house, &lisi).await, keyed, "and then it stays");
}

#[tokio::test]
async fn after_a_rotation_the_older_key_opens_and_the_login_goes_over_to_the_newest() {
    let house = House::new().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    let old = house.kit.vault().mac_name(KeyClass::Password).expect("named");
    assert!(hash_of(&house, &lisi).await.contains(&format!("keyid={old}$")));
    house.kit.vault().rotate_secret(KeyClass::Password).expect("rotated");
    let house = restarted(house, PasswordProfile::Default, PasswordHashing::Argon2id);
    let new = house.kit.vault().mac_name(KeyClass::Password).expect("named");
    assert_ne!(old, new);
    let (right, other) = tokio::join!(house.login("lisi", PASSWORD), house.login("lisi", PASSWORD));
    assert_eq!((right.status, other.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert!(hash_of(&house, &lisi).await.contains(&format!("keyid={new}$")));
    house.token("lisi").await;
}

#[tokio::test]
async fn the_database_with_another_vault_opens_nothing_and_the_doctor_can_tell() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let folder = house.kit.folder.path().join("keys");
    // the key is gone, also from the node's memory
    std::fs::remove_file(folder.join("password.key")).expect("there was one");
    let seen = crate::password_keys(house.kit.db(), house.kit.vault()).await.expect("looked");
    assert_eq!(seen, PasswordKeys { opened: 0, lost: 1, bare: 0 });
    assert!(!folder.join("password.key").exists(), "looking makes no key");
    let house = restarted(house, PasswordProfile::Default, PasswordHashing::Argon2id);
    let (before, answer) = (house.access.passwords().made(), house.login("lisi", PASSWORD).await);
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.access.passwords().made(), before + 1);
}

#[tokio::test]
async fn the_other_way_of_hashing_is_taken_up_at_the_next_login_and_left_again() {
    let house = House::new().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    let mut house = house;
    for (hashing, begins) in [
        (PasswordHashing::Pbkdf2Sm3, "$hmac-sm3-pbkdf2-sm3$i=600000,keyid="),
        (PasswordHashing::Argon2id, "$hmac-sm3-argon2id$"),
    ] {
        house = restarted(house, PasswordProfile::Default, hashing);
        let before = hash_of(&house, &lisi).await;
        assert_eq!(house.login("lisi", "not hers at all").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(hash_of(&house, &lisi).await, before);
        house.token("lisi").await;
        let after = hash_of(&house, &lisi).await;
        assert!(after.starts_with(begins), "{after}");
        house.token("lisi").await;
        assert_eq!(hash_of(&house, &lisi).await, after);
    }
}

/// Who issued the code knows everything of the request but the password: what is kept to know the request again must
/// not let them try passwords on it.
#[tokio::test]
async fn what_is_kept_of_an_enrolment_tests_no_password() {
    let house = House::new().await;
    let codes = crate::bootstrap(house.kit.db()).await.expect("asked").expect("a first start");
    let body =
        json!({"code": codes[0].code, "login": "xitong", "password": PASSWORD, "name": "王五"});
    let ask =
        |body: &serde_json::Value| house.ask("POST", "/enrolments").key("k").body(body.clone());
    assert_eq!(ask(&body).go().await.status, StatusCode::CREATED);
    let plain = |target: &str| {
        let request = mj_platform::gm::sm3(body.to_string().as_bytes());
        let mut all = format!("POST\n{target}\n").into_bytes();
        all.extend_from_slice(&request);
        mj_platform::gm::sm3_hex(&all)
    };
    let rows = house.kit.db().fetch_all("SELECT digest FROM idempotency", &[]).await.expect("read");
    let kept: Vec<String> = rows.iter().map(|row| row.text("digest").expect("text")).collect();
    assert_eq!(kept.len(), 1);
    assert!(!["/api/v1/enrolments", "/enrolments"].iter().any(|at| plain(at) == kept[0]));
    // the same request is known again, another one with the same key is not taken for it
    let again = ask(&body).go().await;
    assert_eq!(
        (again.status, again.headers.contains_key("idempotency-replayed")),
        (StatusCode::CREATED, true)
    );
    let mut other = body.clone();
    other["password"] = json!(EARLIER);
    assert_eq!(ask(&other).go().await.status, StatusCode::CONFLICT);
}
