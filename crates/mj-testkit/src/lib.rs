//! What tests of every crate share: a fresh, migrated database of the kind under test, a clock that
//! stands still, keys and blobs in a folder of their own.
//!
//! SQLite unless `MJ_TEST_DATABASE_URL` names a PostgreSQL server
//! (`postgres://user:password@host/postgres`): the same tests run once on each.

use std::sync::Arc;

use mj_kernel::{Actor, FixedClock};
use mj_platform::blob::Blobs;
use mj_platform::db::Migration;
use mj_platform::gm::vault::Vault;
use mj_platform::keys::Keys;
use mj_platform::{Act, Db, Lane, WriteTx};
use tokio::sync::OnceCell;

/// 2026-11-20 10:00 in Beijing, a Friday.
pub const NOW: i64 = 1_795_140_000_000_000;

/// The address of a request and what is typed into the search box, which the tests write behind a
/// `#` (percent-encoded): a browser never sends that part either, the text goes in its own header.
pub fn typed(path: &str) -> (&str, &str) {
    path.split_once('#').unwrap_or((path, ""))
}

/// A database nobody else uses, gone when dropped.
pub struct TestDb {
    db: Db,
    pub clock: Arc<FixedClock>,
    pub folder: tempfile::TempDir,
    postgres: Option<(String, String)>,
}

impl TestDb {
    pub async fn new() -> Self {
        let kit = Self::without_keys().await;
        kit.db.use_vault(kit.vault());
        kit
    }

    async fn without_keys() -> Self {
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
        Keys::open(&self.folder.path().join("keys"), false).expect("keys")
    }

    /// The keys of classes, beside those.
    pub fn vault(&self) -> Arc<Vault> {
        self.keys();
        let folder = self.folder.path().join("keys");
        Arc::new(Vault::beside_master(&folder, false).expect("a vault"))
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
        if let Some((server, name)) = self.postgres.take() {
            drop_database(&server, name);
        }
    }
}

/// A PostgreSQL database for a program that opens its own connections, gone when dropped. Blocking:
/// for tests that drive the binary.
pub struct OwnDatabase {
    server: String,
    name: String,
    /// Made for it, and gone with it.
    roles: Vec<String>,
}

impl OwnDatabase {
    /// `None` when the suite runs on SQLite.
    pub fn empty() -> Option<Self> {
        let server = std::env::var("MJ_TEST_DATABASE_URL").ok()?;
        Some(Self::create(server, "template1"))
    }

    /// A copy as it stands now; nobody may be connected to it.
    pub fn fork(&self) -> Self {
        Self::create(self.server.clone(), &self.name)
    }

    fn create(server: String, template: &str) -> Self {
        let name = format!("mj_own_{}", mj_platform::new_id().replace('-', "_"));
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        on_server(&server, sql).expect("a database of the test's own");
        Self { server, name, roles: Vec::new() }
    }

    pub fn url(&self) -> String {
        on_database(&self.server, &self.name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A role that may log in and nothing else, and the URL by which it comes.
    pub fn role(&mut self) -> (String, String) {
        let role = format!("mj_role_{}", mj_platform::new_id().replace('-', "_"));
        let sql = format!("CREATE ROLE {role} LOGIN PASSWORD '{role}'");
        on_server(&self.server, sql).expect("a role of the test's own");
        self.roles.push(role.clone());
        let url = self.url();
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let place = rest.split_once('@').map_or(rest, |(_, place)| place);
        let url = format!("{scheme}://{role}:{role}@{place}");
        (role, url)
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        drop_database(&self.server, std::mem::take(&mut self.name));
        for role in self.roles.drain(..) {
            // as with the database: the verdict does not change for it
            let _ = on_server(&self.server, format!("DROP ROLE IF EXISTS {role}"));
        }
    }
}

fn drop_database(server: &str, name: String) {
    // a database left behind harms nobody; the test's own verdict must not change for it
    let _ = on_server(server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
}

/// One statement as administrator. Dropping is not async, and the test's runtime may be ending: a
/// thread of its own does it.
fn on_server(server: &str, sql: String) -> mj_platform::Result<()> {
    let server = server.to_owned();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let admin = Db::open(&server, Arc::new(FixedClock::at(NOW))).await?;
            let done = admin.statement(&sql).await;
            admin.close().await;
            done
        })
    });
    thread.join().expect("the thread ends")
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

#[cfg(test)]
mod insider;
#[cfg(test)]
mod older;

/// The floor's own stories stand here, because the kit stands on the floor and not beside it.
#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mj_kernel::Event;
    use mj_platform::db::RowExt;
    use mj_platform::jobs::{JobHandler, Runner, enqueue};
    use mj_platform::keys::persons;
    use mj_platform::outbox::EventHandler;
    use mj_platform::{Error, TruthTable, Value};

    use super::*;

    const NOTE: TruthTable =
        TruthTable { name: "note", columns: &["id", "text", "number", "hash"] };

    async fn with_notes() -> TestDb {
        let kit = TestDb::new().await;
        let bytes =
            if kit.db().dialect() == mj_platform::Dialect::Postgres { "BYTEA" } else { "BLOB" };
        execute(
            kit.db(),
            &format!(
                "CREATE TABLE note (id TEXT PRIMARY KEY, text TEXT, number BIGINT, hash {bytes}, \
                 version BIGINT, change_seq BIGINT, row_salt {bytes}, row_digest {bytes})"
            ),
        )
        .await;
        kit
    }

    #[tokio::test]
    async fn a_row_written_through_the_door_carries_its_digest_and_its_act() {
        let kit = with_notes().await;
        let mut tx = kit.begin().await;
        tx.insert(&NOTE, &[("id", "n1".into()), ("text", "滕州".into())]).await.expect("in");
        tx.commit().await.expect("done");

        let mut tx = kit.begin().await;
        let version = tx
            .update(&NOTE, "n1", Some(1), &[("number", 5_i64.into()), ("text", Value::Null)])
            .await
            .expect("changed");
        assert_eq!(version, 2);
        tx.commit().await.expect("done");

        let row = kit.db().fetch_one("SELECT * FROM note", &[]).await.expect("there");
        let values: Vec<Value> =
            NOTE.columns.iter().map(|column| row.value(column).expect("read")).collect();
        let salt = row.bytes("row_salt").expect("salt").try_into().expect("16 bytes");
        assert_eq!(
            row.bytes("row_digest").expect("digest"),
            mj_platform::db::door::row_digest(&salt, NOTE.columns, &values, 2)
        );
        assert_eq!(row.int("change_seq").expect("seq"), 2);

        let acts =
            kit.db().fetch_all("SELECT * FROM act_journal ORDER BY seq", &[]).await.expect("acts");
        assert_eq!(acts.len(), 2);
        assert_eq!(acts[1].text("actor").expect("actor"), "system:test");
        assert!(acts[1].text("lines").expect("lines").starts_with("note\tn1\t2\t"));
    }

    #[tokio::test]
    async fn many_rows_change_at_once_each_with_its_digest_and_the_rest_of_it_as_it_was() {
        let kit = with_notes().await;
        let id = |number: i64| format!("n{number:04}");
        let mut tx = kit.begin().await;
        // more than one statement holds, and not a multiple of one
        let rows = (0..1_234).map(|number| {
            let hash = Value::Bytes(vec![1, 2, 3]);
            vec![id(number).into(), format!("第{number}条").into(), Value::Null, hash]
        });
        tx.insert_many(&NOTE, rows.collect()).await.expect("in");
        let changes = (0..1_234).step_by(2).map(|number| (id(number), vec![number.into()]));
        tx.update_many(&NOTE, &["number"], changes.collect()).await.expect("changed");
        tx.commit().await.expect("done");

        let rows = kit.db().fetch_all("SELECT * FROM note ORDER BY id", &[]).await.expect("read");
        assert_eq!(rows.len(), 1_234);
        for (number, row) in (0..).zip(&rows) {
            let values: Vec<Value> =
                NOTE.columns.iter().map(|column| row.value(column).expect("read")).collect();
            let version = 1 + i64::from(number % 2 == 0);
            let said = if version == 2 { Value::Int(number) } else { Value::Null };
            assert_eq!(values[1..3], [Value::from(format!("第{number}条")), said]);
            assert_eq!(row.int("version").expect("version"), version);
            let salt = row.bytes("row_salt").expect("salt").try_into().expect("16 bytes");
            assert_eq!(
                row.bytes("row_digest").expect("digest"),
                mj_platform::db::door::row_digest(&salt, NOTE.columns, &values, version)
            );
        }
        assert_eq!(mj_platform::db::door::census(kit.db()).await.expect("counted"), []);
        let missing = vec![("nobody".to_owned(), vec![Value::Int(1)])];
        let mut tx = kit.begin().await;
        let refused = tx.update_many(&NOTE, &["number"], missing).await;
        assert!(matches!(refused, Err(Error::Missing { .. })));
    }

    #[tokio::test]
    async fn a_row_that_did_not_leave_through_the_door_is_missed() {
        let kit = with_notes().await;
        let mut tx = kit.begin().await;
        for id in ["n1", "n2", "n3"] {
            tx.insert(&NOTE, &[("id", id.into())]).await.expect("in");
        }
        tx.update(&NOTE, "n1", None, &[("number", 1_i64.into())]).await.expect("changed");
        tx.delete(&NOTE, "n2").await.expect("gone");
        tx.commit().await.expect("done");
        let census = || mj_platform::db::door::census(kit.db());
        assert_eq!(census().await.expect("counted"), []);
        execute(kit.db(), "DELETE FROM note WHERE id = 'n3'").await;
        let wrong = census().await.expect("counted");
        assert_eq!(wrong.len(), 1);
        assert_eq!((wrong[0].table.as_str(), wrong[0].written, wrong[0].found), ("note", 2, 1));
    }

    #[tokio::test]
    async fn whoever_saw_an_older_version_is_told_and_changes_nothing() {
        let kit = with_notes().await;
        let mut tx = kit.begin().await;
        tx.insert(&NOTE, &[("id", "n1".into())]).await.expect("in");
        tx.update(&NOTE, "n1", Some(1), &[("number", 1_i64.into())]).await.expect("changed");
        tx.commit().await.expect("done");
        let mut tx = kit.begin().await;
        let stale = tx.update(&NOTE, "n1", Some(1), &[("number", 9_i64.into())]).await;
        assert!(matches!(stale, Err(Error::Stale { expected: 1, current: 2, .. })));
        drop(tx);
        let number = kit.db().count("SELECT number FROM note", &[]).await.expect("read");
        assert_eq!(number, 1);
    }

    #[tokio::test]
    async fn change_order_follows_commit_order_under_concurrent_acts() {
        let kit = with_notes().await;
        let mut acts = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let db = kit.db().clone();
            acts.spawn(async move {
                for number in 0..5 {
                    let act = Act::new(&Actor::system("test"), "test.act", "");
                    let mut tx = db.begin(Lane::People, act).await.expect("begin");
                    let id = format!("{writer}-{number}");
                    tx.insert(&NOTE, &[("id", id.into())]).await.expect("in");
                    tx.commit().await.expect("done");
                }
            });
        }
        while let Some(done) = acts.join_next().await {
            done.expect("no act failed");
        }
        let distinct =
            "SELECT COUNT(DISTINCT change_seq) FROM note WHERE change_seq BETWEEN 1 AND 40";
        assert_eq!(kit.db().count(distinct, &[]).await.expect("read"), 40);
    }

    #[tokio::test]
    async fn a_failing_job_is_tried_again_and_an_event_reaches_its_handler_once_done() {
        let kit = TestDb::new().await;
        let heard = Arc::new(AtomicUsize::new(0));
        let tries = Arc::new(AtomicUsize::new(0));
        let job = {
            let tries = tries.clone();
            JobHandler::new("count", move |context| {
                let tries = tries.clone();
                async move {
                    context.progress(1, 2, "一半").await?;
                    if tries.fetch_add(1, Ordering::SeqCst) == 0 {
                        return Err(Error::Other("第一次不成".into()));
                    }
                    Ok(())
                }
            })
        };
        let handler = {
            let heard = heard.clone();
            EventHandler::new("listener", move |_| {
                heard.fetch_add(1, Ordering::SeqCst);
                async { Ok(()) }
            })
        };
        let runner = Runner::new(kit.db().clone(), vec![job], vec![handler]);
        let mut tx = kit.begin().await;
        for _ in 0..2 {
            enqueue(&mut tx, "count", "{}", "once").await.expect("queued");
        }
        tx.publish(&Event::MergeUndone { merge_id: "m".into() }).await.expect("told");
        tx.commit().await.expect("done");
        runner.run_until_idle().await.expect("ran");
        kit.clock.advance_seconds(10);
        runner.run_until_idle().await.expect("ran again");
        assert_eq!((tries.load(Ordering::SeqCst), heard.load(Ordering::SeqCst)), (2, 1));
        let done = "SELECT COUNT(*) FROM job WHERE state = 'done'";
        assert_eq!(kit.db().count(done, &[]).await.expect("read"), 1);
    }

    #[tokio::test]
    async fn a_delivered_file_is_unreadable_on_disk_and_whole_when_asked_for() {
        let kit = TestDb::new().await;
        let blobs = kit.blobs();
        let text = "公民身份号码,110101199003070000\n".repeat(100_000);
        let stored = blobs.store(text.as_bytes()).expect("stored");
        let mut tx = kit.begin().await;
        blobs.record(&mut tx, &stored).await.expect("recorded");
        tx.commit().await.expect("done");
        let mut back = String::new();
        let mut reader = blobs.read(kit.db(), &stored.sha256).await.expect("found");
        std::io::Read::read_to_string(&mut reader, &mut back).expect("whole");
        assert_eq!(back, text);
        for entry in walk(kit.folder.path().join("blobs")) {
            let bytes = std::fs::read(entry).expect("a file");
            assert!(!bytes.windows(18).any(|part| part == b"110101199003070000"));
        }
    }

    /// Each storing has a key of its own: none may lie where another one's bytes were put.
    #[tokio::test]
    async fn one_file_handed_in_from_many_sides_at_once_opens_with_each_ones_key() {
        const SIDES: usize = 8;
        let kit = TestDb::new().await;
        for round in 0..40 {
            let text = format!("第{round}次，从几处同时送来的同一份文件");
            let together = std::sync::Barrier::new(SIDES);
            let store = || {
                let blobs = kit.blobs();
                together.wait();
                blobs.store(text.as_bytes()).expect("stored")
            };
            let stored: Vec<_> = std::thread::scope(|scope| {
                let sides: Vec<_> = (0..SIDES).map(|_| scope.spawn(store)).collect();
                sides.into_iter().map(|side| side.join().expect("stored")).collect()
            });
            let mut tx = kit.begin().await;
            // whichever is first on record is the one that is read
            let first = round % SIDES;
            kit.blobs().record(&mut tx, &stored[first]).await.expect("recorded");
            tx.commit().await.expect("done");
            for (at, other) in stored.iter().enumerate().filter(|(at, _)| *at != first) {
                kit.blobs().discard(kit.db(), other).await.unwrap_or_else(|error| {
                    panic!("{at} of round {round}: {error}");
                });
            }
            let mut back = String::new();
            let mut reader = kit.blobs().read(kit.db(), &stored[0].sha256).await.expect("found");
            std::io::Read::read_to_string(&mut reader, &mut back).expect("whole");
            assert_eq!(back, text);
        }
    }

    #[tokio::test]
    async fn a_file_of_any_size_comes_back_as_it_was() {
        let kit = TestDb::new().await;
        let blobs = kit.blobs();
        // what does not get smaller: digests one after the other
        let dense: Vec<u8> = (0..100_000_u32)
            .flat_map(|number| mj_platform::gm::sm3(&number.to_le_bytes()))
            .collect();
        for size in [0, 1, 5_000, 1 << 20, (1 << 20) + 1, 2 << 20, dense.len()] {
            let stored = blobs.store(&dense[..size]).expect("stored");
            let mut tx = kit.begin().await;
            blobs.record(&mut tx, &stored).await.expect("recorded");
            tx.commit().await.expect("done");
            let mut back = Vec::new();
            let mut reader = blobs.read(kit.db(), &stored.sha256).await.expect("found");
            std::io::Read::read_to_end(&mut reader, &mut back).expect("whole");
            assert!(back == dense[..size], "{size} bytes");
            assert_eq!(stored.size, size as i64);
        }
    }

    #[tokio::test]
    async fn destroying_a_persons_key_makes_the_sealed_value_unreadable() {
        let kit = TestDb::new().await;
        let keys = kit.keys();
        let subject = keys.lookup("citizen_id", "110101199003070000");
        let mut tx = kit.begin().await;
        let neighbour = keys.lookup("citizen_id", "110101199003070222");
        let both = [subject.clone(), neighbour];
        let key = keys.data_keys(&mut tx, &both).await.expect("keys");
        tx.commit().await.expect("done");
        let sealed = key[0].seal("phone", "13800000000");
        let of_another = key[1].seal("phone", "13900000000");
        assert!(mj_platform::keys::is_sealed(&sealed) && !sealed.contains("13800000000"));
        let open = |keys: Keys, sealed: String| {
            let db = kit.db().clone();
            async move { keys.unseal(&db, "phone", &sealed).await.expect("asked") }
        };
        assert_eq!(open(keys.clone(), sealed.clone()).await.as_deref(), Some("13800000000"));
        let act = Act::new(&Actor::system("test"), "test.erase", "");
        let dumped = "SELECT id, wrapped FROM data_key WHERE subject = $1";
        let dumped = kit.db().fetch_one(dumped, &[subject.as_str().into()]).await.expect("a row");
        let (id, wrapped) = (dumped.text("id").expect("id"), dumped.bytes("wrapped").expect("key"));
        keys.unwrap_person(&wrapped, &id).expect("opens so far");
        let folder = kit.folder.path().join("keys");
        let nothing = async |_: &Keys, _: &mut WriteTx| Ok(Vec::new());
        let done = persons::destroy(&folder, kit.db(), false, act, &subject, nothing).await;
        done.expect("destroyed");
        let keys = kit.keys();
        assert_eq!(open(keys.clone(), sealed).await, None);
        assert_eq!(open(keys.clone(), of_another).await.as_deref(), Some("13900000000"));
        // who dumped the database before and has the node's keys now has nothing
        assert!(keys.unwrap_person(&wrapped, &id).is_err());
        assert!(!folder.join("personal.1.key").exists());
        // erased is not lost
        let census = || mj_platform::db::door::census(kit.db());
        assert_eq!(census().await.expect("counted"), []);
        let other = keys.lookup("citizen_id", "110101199003070011");
        let mut tx = kit.begin().await;
        keys.data_keys(&mut tx, std::slice::from_ref(&other)).await.expect("keys");
        keys.data_keys(&mut tx, std::slice::from_ref(&other)).await.expect("known by now");
        tx.commit().await.expect("done");
        assert_eq!(census().await.expect("counted"), []);
        execute(kit.db(), "DELETE FROM data_key").await;
        let wrong = census().await.expect("counted");
        assert_eq!((wrong[0].table.as_str(), wrong[0].written, wrong[0].found), ("data_key", 2, 0));
    }

    /// A full disk, a lost connection: the transaction that made the key came to nothing.
    #[tokio::test]
    async fn a_key_that_was_never_committed_seals_nothing_afterwards() {
        let kit = TestDb::new().await;
        let keys = kit.keys();
        let subject = [keys.lookup("citizen_id", "110101199003070000")];
        let mut tx = kit.begin().await;
        keys.data_keys(&mut tx, &subject).await.expect("keys");
        drop(tx);
        assert!(keys.remembered(&subject).is_none(), "nobody knows it");
        let mut tx = kit.begin().await;
        let sealed = keys.data_keys(&mut tx, &subject).await.expect("keys")[0].seal("phone", "138");
        tx.commit().await.expect("done");
        assert!(keys.remembered(&subject).is_some());
        let after_a_restart = kit.keys();
        let open = after_a_restart.unseal(kit.db(), "phone", &sealed).await.expect("asked");
        assert_eq!(open.as_deref(), Some("138"));
    }

    fn walk(folder: std::path::PathBuf) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { files.extend(walk(path)) } else { files.push(path) }
        }
        files
    }
}
