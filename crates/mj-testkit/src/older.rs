//! A database that an older version left, and what the migrations since make of it.

use std::sync::Arc;

use mj_kernel::FixedClock;
use mj_platform::db::Migration;
use mj_platform::{Db, RowExt};

use super::{NOW, drop_database, execute, line, on_database};

/// A database of its own, at the version before a migration.
struct Older {
    db: Db,
    _folder: tempfile::TempDir,
    postgres: Option<(String, String)>,
}

impl Older {
    async fn before(migration: &str) -> Self {
        let clock = Arc::new(FixedClock::at(NOW));
        let folder = tempfile::tempdir().expect("a folder for the test");
        let postgres = match std::env::var("MJ_TEST_DATABASE_URL") {
            Ok(server) => {
                let name = format!("mj_older_{}", mj_platform::new_id().replace('-', "_"));
                let admin = Db::open(&server, clock.clone()).await.expect("PostgreSQL answers");
                execute(&admin, &format!("CREATE DATABASE {name}")).await;
                admin.close().await;
                Some((server, name))
            }
            Err(_) => None,
        };
        let url = match &postgres {
            Some((server, name)) => on_database(server, name),
            None => format!("sqlite:{}", folder.path().join("older.sqlite3").display()),
        };
        let db = Db::open(&url, clock).await.expect("the database opens");
        let older: Vec<Migration> =
            line().into_iter().take_while(|one| one.name < migration).collect();
        assert!(older.len() < line().len(), "{migration} is not the name of a migration");
        db.migrate(&older).await.expect("migrations apply");
        Self { db, _folder: folder, postgres }
    }
}

impl Drop for Older {
    fn drop(&mut self) {
        if let Some((server, name)) = self.postgres.take() {
            drop_database(&server, name);
        }
    }
}

/// Whoever issued a code knows everything of the request but the password: the digest that an older version kept of it
/// must not outlast the upgrade. The keys of other creates still know their request.
#[tokio::test]
async fn the_plain_digest_of_an_enrolment_is_gone_after_the_upgrade_and_its_key_is_still_taken() {
    let older = Older::before("0037_enrolment_digests").await;
    for account in ["zhang", "li"] {
        let sql = format!(
            "INSERT INTO account (id, login, name, class, state, created_at, version, change_seq, \
             row_salt, row_digest) \
             VALUES ('{account}', '{account}', '某', 'business', 'active', 1, 1, 1, '', '')"
        );
        execute(&older.db, &sql).await;
    }
    let used = "INSERT INTO enrolment (id, role, account_id, code_sha256, created_at, used_at) \
                VALUES ('e', '', 'li', 'c', 1, 77)";
    execute(&older.db, used).await;
    for (actor, key, object, at) in [
        ("anonymous", "by the owner", "zhang", 5),
        ("account:zhang", "by somebody signed in", "li", 77),
        ("account:zhang", "opening an account", "li", 6),
        ("account:zhang", "another create", "batch", 77),
    ] {
        let sql = format!(
            "INSERT INTO idempotency (actor, idem_key, digest, status, object_id, version, at) \
             VALUES ('{actor}', '{key}', 'plain', 201, '{object}', 1, {at})"
        );
        execute(&older.db, &sql).await;
    }
    older.db.migrate(&line()).await.expect("the upgrade");
    let sql = "SELECT idem_key, digest FROM idempotency ORDER BY idem_key";
    let rows = older.db.fetch_all(sql, &[]).await.expect("read");
    let text = |row: &mj_platform::DbRow, name| row.text(name).expect("a text");
    let kept: Vec<_> =
        rows.iter().map(|row| (text(row, "idem_key"), text(row, "digest"))).collect();
    let kept: Vec<(&str, &str)> =
        kept.iter().map(|(key, it)| (key.as_str(), it.as_str())).collect();
    assert_eq!(
        kept,
        [
            ("another create", "plain"),
            ("by somebody signed in", ""),
            ("by the owner", ""),
            ("opening an account", "plain"),
        ]
    );
}
