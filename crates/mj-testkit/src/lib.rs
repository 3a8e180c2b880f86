//! What tests of every crate share: a fresh, migrated database of the kind under test, a clock that
//! stands still, keys and blobs in a folder of their own.
//!
//! SQLite unless `MJ_TEST_DATABASE_URL` names a PostgreSQL server
//! (`postgres://user:password@host/postgres`): the same tests run once on each.

use std::sync::Arc;

use mj_kernel::{Actor, FixedClock};
use mj_platform::blob::Blobs;
use mj_platform::db::Migration;
use mj_platform::keys::Keys;
use mj_platform::{Act, Db, Lane, WriteTx};
use tokio::sync::OnceCell;

/// 2026-11-20 10:00 in Beijing, a Friday.
pub const NOW: i64 = 1_795_140_000_000_000;

/// A database nobody else uses, gone when dropped.
pub struct TestDb {
    db: Db,
    pub clock: Arc<FixedClock>,
    pub folder: tempfile::TempDir,
    postgres: Option<(String, String)>,
}

impl TestDb {
    pub async fn new() -> Self {
        let clock = Arc::new(FixedClock::at(NOW));
        let folder = tempfile::tempdir().expect("a folder for the test");
        match std::env::var("MJ_TEST_DATABASE_URL") {
            Ok(server) => Self::postgres(server, clock, folder).await,
            Err(_) => {
                let url = format!("sqlite:{}", folder.path().join("test.sqlite3").display());
                let db = Db::open(&url, clock.clone()).await.expect("SQLite opens");
                db.migrate(&line()).await.expect("migrations apply");
                Self { db, clock, folder, postgres: None }
            }
        }
    }

    /// A copy of a template that is migrated once per test run.
    async fn postgres(server: String, clock: Arc<FixedClock>, folder: tempfile::TempDir) -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(|| make_template(&server, clock.clone())).await;
        let name = format!("mj_test_{}", mj_platform::new_id().replace('-', "_"));
        let admin = Db::open(&server, clock.clone()).await.expect("PostgreSQL answers");
        execute(&admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        admin.close().await;
        let url = on_database(&server, &name);
        let db = Db::open(&url, clock.clone()).await.expect("the test database opens");
        Self { db, clock, folder, postgres: Some((server, name)) }
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    pub fn keys(&self) -> Keys {
        Keys::open(&self.folder.path().join("keys")).expect("keys")
    }

    pub fn blobs(&self) -> Blobs {
        Blobs::open(self.folder.path().join("blobs"), self.keys()).expect("a blob store")
    }

    /// The write door, for an act of the test itself.
    pub async fn begin(&self) -> WriteTx {
        let act = Act::new(&Actor::system("test"), "test.act", "");
        self.db.begin(Lane::People, act).await.expect("a transaction")
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Some((server, name)) = self.postgres.take() else { return };
        let (db, clock) = (self.db.clone(), self.clock.clone());
        // dropping is not async, and the test's runtime may be ending: a thread of its own cleans up
        let cleaner = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(async {
                    if let Ok(admin) = Db::open(&server, clock).await {
                        let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                        let _ = admin.statement(&sql).await;
                        admin.close().await;
                    }
                });
            }
        });
        let _ = cleaner.join();
        drop(db);
    }
}

fn line() -> Vec<Migration> {
    mj_migrations::line().iter().map(|(name, sql)| Migration { name, sql }).collect()
}

async fn make_template(server: &str, clock: Arc<FixedClock>) -> String {
    let name = format!("mj_template_{}", std::process::id());
    let admin = Db::open(server, clock.clone()).await.expect("PostgreSQL answers");
    execute(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    execute(&admin, &format!("CREATE DATABASE {name}")).await;
    admin.close().await;
    let db = Db::open(&on_database(server, &name), clock).await.expect("the template opens");
    db.migrate(&line()).await.expect("migrations apply");
    db.close().await;
    name
}

async fn execute(db: &Db, sql: &str) {
    db.statement(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

fn on_database(server: &str, name: &str) -> String {
    let (base, _) = server.rsplit_once('/').expect("a URL with a database name");
    format!("{base}/{name}")
}
