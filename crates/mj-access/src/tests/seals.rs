//! Rows put in by SQL let nobody in, and what an older version stored goes on working.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;
use axum::http::StatusCode;
use mj_kernel::Role;
use mj_platform::RowExt;
use mj_platform::gm::vault::KeyClass;
use serde_json::json;

use super::{House, PASSWORD};
use crate::seal::{Seals, all_sealed, seal_stored, seals};
use crate::{second_factor, token};

impl House {
    async fn sql(&self, sql: &str) {
        let mut tx = self.kit.begin().await;
        tx.execute(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        tx.commit().await.expect("done");
    }

    async fn open_session(&self, token: &str) -> bool {
        let answer = self.ask("GET", "/sessions/current").bearer(token).go().await;
        answer.status == StatusCode::OK
    }

    async fn source(&self, token: &str) -> bool {
        let mut request =
            axum::http::Request::builder().body(()).expect("a request").into_parts().0;
        let value = format!("Bearer {token}").parse().expect("a header");
        request.headers.insert("authorization", value);
        let who = crate::session::identify(&self.access, &request).await.expect("asked");
        matches!(who.actor.kind, mj_kernel::ActorKind::Source { .. })
    }

    async fn enrols(&self, code: &str, login: &str) -> bool {
        self.access.enrol(code, login, "某", PASSWORD).await.is_ok()
    }
}

fn bare(password: &str) -> String {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).expect("hashed");
    hash.to_string()
}

#[tokio::test]
async fn a_session_put_in_or_turned_by_sql_opens_nothing() {
    let house = House::new().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    let zhaoliu = house.person("zhaoliu", Role::Reviewer).await;
    let own = house.token("lisi").await;
    assert!(house.open_session(&own).await);
    let planted = token::new_session_token();
    let digest = token::digest(&planted);
    // a whole copy of a row that stands, its seal too, with one's own secret and somebody else's account
    house
        .sql(&format!(
            "INSERT INTO session (id, token_sha256, account_id, created_at, last_seen_at, \
             idle_seconds, absolute_until, proven_at, state, device, seal) \
             SELECT 'planted', '{digest}', '{zhaoliu}', created_at, last_seen_at, idle_seconds, \
             absolute_until, proven_at, 'active', device, seal FROM session"
        ))
        .await;
    assert!(!house.open_session(&planted).await);
    let seen = seals(house.kit.db(), house.kit.vault().as_ref()).await.expect("looked");
    assert_eq!(seen.wrong.get("session"), Some(&1), "{seen:?}");
    // one's own session: for another account, longer, fresher
    for (turned, back) in [
        (format!("account_id = '{zhaoliu}'"), format!("account_id = '{lisi}'")),
        (
            "absolute_until = absolute_until + 1".into(),
            "absolute_until = absolute_until - 1".into(),
        ),
        ("proven_at = proven_at + 1".into(), "proven_at = proven_at - 1".into()),
        ("idle_seconds = 2 * idle_seconds".into(), "idle_seconds = idle_seconds / 2".into()),
    ] {
        house.sql(&format!("UPDATE session SET {turned} WHERE id <> 'planted'")).await;
        assert!(!house.open_session(&own).await, "{turned}");
        house.sql(&format!("UPDATE session SET {back} WHERE id <> 'planted'")).await;
        assert!(house.open_session(&own).await, "{back}");
    }
}

#[tokio::test]
async fn a_code_or_token_put_in_by_sql_opens_nothing() {
    let house = House::new().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    let mut tx = house.kit.begin().await;
    let code = crate::enrolment::activation_code(&mut tx, &lisi).await.expect("a code");
    let source = crate::issue_source_token(&mut tx, "zz-market").await.expect("a token");
    tx.commit().await.expect("done");
    assert!(house.source(&source).await);
    let planted = token::new_code();
    let digest = token::code_digest(&planted);
    for (id, role, account) in [("x", "sec_admin", ""), ("y", "", lisi.as_str())] {
        house.sql("DELETE FROM enrolment WHERE id IN ('x', 'y')").await;
        house
            .sql(&format!(
                "INSERT INTO enrolment (id, role, account_id, code_sha256, created_at, used_at, seal) \
                 SELECT '{id}', '{role}', '{account}', '{digest}', created_at, 0, seal \
                 FROM enrolment"
            ))
            .await;
        assert!(crate::enrolment::find(house.kit.db(), &planted).await.expect("asked").is_none());
        assert!(!house.enrols(&planted, "lisi").await);
    }
    let body = json!({"code": planted, "login": "lisi", "password": PASSWORD});
    let asked = house.ask("POST", "/enrolments").header("idempotency-key", "planted");
    assert_ne!(asked.body(body).go().await.status, StatusCode::CREATED);
    // one's own code, turned to another role
    house.sql("UPDATE enrolment SET role = 'sec_admin', account_id = '' WHERE id <> 'y'").await;
    assert!(!house.enrols(&code, "wangwu").await);
    house
        .sql(&format!(
            "UPDATE enrolment SET role = '', account_id = '{lisi}' WHERE id NOT IN ('x', 'y')"
        ))
        .await;
    assert!(house.enrols(&code, "lisi").await, "as it was issued it works");
    // and not again by setting it back
    house.sql("UPDATE enrolment SET used_at = 0").await;
    assert!(!house.enrols(&code, "lisi").await);
    let planted = token::new_source_token();
    let digest = token::digest(&planted);
    house.sql(&format!("UPDATE source_token SET token_sha256 = '{digest}'")).await;
    assert!(!house.source(&planted).await);
    assert!(!house.source(&source).await);
}

#[tokio::test]
async fn a_recovery_code_put_in_by_sql_is_not_taken() {
    let house = House::new().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    let account = second_factor::account(&house.access, &lisi).await.expect("there");
    let own = "ABCDEF-ABCDEF";
    let digest = token::digest(&format!("{lisi}\n{}", token::code_digest(own)));
    house
        .sql(&format!(
            "INSERT INTO recovery_code (code_sha256, account_id, created_at, used_at, seal) \
             VALUES ('{digest}', '{lisi}', 1, 0, 'x$y')"
        ))
        .await;
    let act = mj_platform::Act::new(&mj_kernel::Actor::anonymous(), "test.code", "");
    let proof = second_factor::Proof::Recovery(own);
    let tried = second_factor::prove(&house.access, act.clone(), &account, proof, None).await;
    assert!(tried.is_err());
    house.sql("UPDATE recovery_code SET used_at = 0").await;
    let mut tx = house.kit.begin().await;
    crate::seal::seal(&mut tx, crate::seal::Kind::Recovery, &digest).await.expect("sealed");
    tx.commit().await.expect("done");
    let taken = second_factor::prove(&house.access, act, &account, proof, None).await;
    assert!(taken.is_ok(), "the same row with a seal is");
}

#[tokio::test]
async fn a_password_put_in_by_sql_opens_nothing_not_even_after_a_restart() {
    let house = House::new().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    let zhaoliu = house.person("zhaoliu", Role::Reviewer).await;
    seal_stored(house.kit.db(), house.kit.vault()).await.expect("a first start");
    house.token("zhaoliu").await;
    let mine =
        crate::store::password_hash(house.kit.db(), &lisi).await.expect("read").expect("one");
    let sql = "SELECT seal FROM secret_seal WHERE kind = 'password' AND id = $1";
    let seal = house.kit.db().fetch_one(sql, &[lisi.as_str().into()]).await.expect("read");
    let seal = seal.text("seal").expect("text");
    // a bare one, and a keyed one whose password the writer knows: lisi's own
    for planted in [bare(PASSWORD), mine] {
        house
            .sql(&format!(
                "UPDATE credential SET password_hash = '{planted}' WHERE id = '{zhaoliu}'"
            ))
            .await;
        assert_eq!(house.login("zhaoliu", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
        house
            .sql(&format!(
                "INSERT INTO secret_seal (kind, id, seal) VALUES ('password', '{zhaoliu}', '{seal}') \
                 ON CONFLICT (kind, id) DO UPDATE SET seal = '{seal}'"
            ))
            .await;
        assert_eq!(house.login("zhaoliu", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
        // a restart seals nothing any more, whatever is said in the database
        house.sql("DELETE FROM secret_seal").await;
        let again = seal_stored(house.kit.db(), house.kit.vault()).await.expect("a start");
        assert_eq!(again, 0);
        assert_eq!(house.login("zhaoliu", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
        let kept = house
            .kit
            .db()
            .fetch_one(
                "SELECT password_hash FROM credential WHERE id = $1",
                &[zhaoliu.as_str().into()],
            )
            .await
            .expect("read");
        assert_eq!(kept.text("password_hash").expect("text"), planted, "not keyed for the writer");
    }
}

#[tokio::test]
async fn everything_of_an_older_version_works_once_it_was_sealed_and_sessions_end() {
    let house = House::new().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    house.person("wangwu", Role::Clerk).await;
    let mut tx = house.kit.begin().await;
    let code = crate::enrolment::activation_code(&mut tx, &lisi).await.expect("a code");
    let source = crate::issue_source_token(&mut tx, "zz-market").await.expect("a token");
    tx.commit().await.expect("done");
    let session = house.token("wangwu").await;
    // as the version before left it
    house.sql(&format!(
        "UPDATE credential SET password_hash = '{}' WHERE id = (SELECT id FROM account WHERE login = 'wangwu')",
        bare(PASSWORD)
    )).await;
    house.sql("DELETE FROM secret_seal").await;
    for table in ["session", "enrolment", "recovery_code"] {
        house.sql(&format!("UPDATE {table} SET seal = ''")).await;
    }
    assert!(!all_sealed(&house.kit.vault()).expect("asked"));
    assert!(!house.source(&source).await, "nothing is taken before the start has sealed it");
    let done = seal_stored(house.kit.db(), house.kit.vault()).await.expect("a start");
    assert!(done >= 3, "{done}");
    assert!(all_sealed(&house.kit.vault()).expect("asked"));
    assert!(!house.open_session(&session).await, "sessions end");
    assert!(house.source(&source).await);
    assert!(house.enrols(&code, "lisi").await);
    house.token("wangwu").await;
    house.token("lisi").await;
    assert_eq!(seal_stored(house.kit.db(), house.kit.vault()).await.expect("a start"), 0);
    let seen = seals(house.kit.db(), house.kit.vault().as_ref()).await.expect("looked");
    assert!(seen.wrong.is_empty() && seen.lost == 0 && seen.right >= 5, "{seen:?}");
}

#[tokio::test]
async fn another_key_ends_nothing_and_a_lost_one_is_told() {
    let house = House::new().await;
    let mut tx = house.kit.begin().await;
    let source = crate::issue_source_token(&mut tx, "zz-market").await.expect("a token");
    tx.commit().await.expect("done");
    house.kit.vault().rotate_secret(KeyClass::Session).expect("rotated");
    let right = Seals { right: 1, ..Seals::default() };
    let seen = seals(house.kit.db(), house.kit.vault().as_ref()).await.expect("looked");
    assert_eq!(seen, right, "under the key before");
    assert!(house.source(&source).await);
    let folder = house.kit.folder.path().join("keys");
    let older = std::fs::read(folder.join("session.1.key")).expect("the key before");
    std::fs::remove_file(folder.join("session.1.key")).expect("there");
    let seen = seals(house.kit.db(), house.kit.vault().as_ref()).await.expect("looked");
    assert_eq!(seen, Seals { lost: 1, ..Seals::default() });
    std::fs::write(folder.join("session.1.key"), older).expect("put back");
    let seen = seals(house.kit.db(), house.kit.vault().as_ref()).await.expect("looked");
    assert_eq!(seen, right);
}
