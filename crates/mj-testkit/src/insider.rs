//! An insider with SQL and file access, and the node's own keys, against the supervision log.
//!
//! Every attack starts from a store of its own, does its worst, and must be named by `verify`; clean
//! stores must stay clean. `MJ_LONG=1` runs every attack with five seeds and twenty clean stores.

use std::path::{Path, PathBuf};

use mj_ledger::fold::Kind;
use mj_platform::db::door::row_digest;
use mj_platform::gm::vault::Vault;
use mj_platform::ledger::verify::{self, Report, Wanted};
use mj_platform::ledger::{self, Ledger};
use mj_platform::{RowExt, TruthTable, Value};

use super::*;

mod planted;
mod volumes;
mod weeks;
mod witnessed;

const NOTE: TruthTable = TruthTable { name: "note", columns: &["id", "text", "number", "hash"] };
/// Of the checkpoint that somebody outside keeps, and of the store at that time.
const KEPT: &str = "kept-checkpoint";

/// A store with a log, some acts old.
struct Office {
    kit: TestDb,
    ledger: Ledger,
    seed: u64,
    outside: String,
    /// A row as it was before it was changed.
    earlier: Vec<(String, Value)>,
}

fn pick(seed: u64, below: u64) -> u64 {
    // any fixed mixing does: the seed only chooses who is hit
    let mixed = (seed ^ 0x9E37_79B9).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed ^ (mixed >> 32)) % below
}

async fn open(kit: &TestDb, folder: &Path) -> Ledger {
    let vault = Vault::open(&kit.folder.path().join("vault"), &[7; 16], false);
    std::fs::create_dir_all(kit.folder.path().join("vault")).expect("a folder");
    Ledger::open(kit.db().clone(), folder, Arc::new(vault), "370400").await.expect("opens")
}

impl Office {
    async fn new(seed: u64) -> Self {
        let kit = TestDb::new().await;
        let bytes =
            if kit.db().dialect() == mj_platform::Dialect::Postgres { "BYTEA" } else { "BLOB" };
        let sql = format!(
            "CREATE TABLE note (id TEXT PRIMARY KEY, text TEXT, number BIGINT, hash {bytes}, \
             version BIGINT, change_seq BIGINT, row_salt {bytes}, row_digest {bytes})"
        );
        execute(kit.db(), &sql).await;
        let ledger = open(&kit, &kit.folder.path().join("log")).await;
        let mut office = Self { kit, ledger, seed, outside: String::new(), earlier: Vec::new() };
        // a load, then acts of people
        let rows: Vec<Vec<Value>> = (0..40 + pick(seed, 300))
            .map(|number| {
                let text = format!("第{number}条");
                vec![id(number).into(), text.into(), (number as i64).into(), Value::Null]
            })
            .collect();
        let mut tx = office.kit.begin().await;
        tx.insert_many(&NOTE, rows).await.expect("in");
        tx.commit().await.expect("done");
        office.change(1, 10).await;
        office.ledger.drain().await.expect("sealed");
        office.outside = office.ledger.checkpoint().expect("read").expect("signed");
        std::fs::write(office.path(KEPT), &office.outside).expect("kept");
        let rows = office.rows("SELECT * FROM note WHERE id = 'n0011'").await;
        office.earlier = columns(&rows[0]);
        office.change(11, 30).await;
        let mut tx = office.kit.begin().await;
        tx.delete(&NOTE, "n0003").await.expect("gone");
        tx.note().await.expect("noted");
        tx.commit().await.expect("done");
        office.ledger.drain().await.expect("sealed");
        // and some that wait for the next checkpoint
        office.change(31, 33).await;
        office
    }

    async fn change(&self, from: u64, to: u64) {
        for number in from..to {
            let act =
                Act::new(&Actor::system("test"), "test.note.update", format!("note:{number}"))
                    .because("更正");
            let mut tx = self.kit.db().begin(Lane::People, act).await.expect("begin");
            let change = [("number", Value::from(1_000 + number as i64))];
            tx.update(&NOTE, &id(number), None, &change).await.expect("changed");
            tx.commit().await.expect("done");
            self.kit.clock.advance_seconds(1);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.kit.folder.path().join(name)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.path("log").join(name)
    }

    async fn sql(&self, sql: &str) {
        execute(self.kit.db(), sql).await;
    }

    async fn rows(&self, sql: &str) -> Vec<mj_platform::DbRow> {
        self.kit.db().fetch_all(sql, &[]).await.expect("rows")
    }

    /// A row that somebody changed, chosen by the seed.
    fn victim(&self) -> String {
        id(4 + pick(self.seed, 6))
    }

    async fn verify(&self, outside: Option<&str>) -> Report {
        let mut snapshot = self.kit.db().snapshot().await.expect("a view");
        let wanted = Wanted { outside: outside.map(str::to_owned), ..Wanted::default() };
        verify::run(&mut snapshot, &self.path("log"), &wanted).await.expect("verified")
    }

    /// Turns over one byte of a file, somewhere in its second half.
    fn flip(&self, name: &str) {
        let mut bytes = std::fs::read(self.log(name)).expect("the file");
        let at = bytes.len() / 2 + pick(self.seed, bytes.len() as u64 / 2) as usize;
        bytes[at] ^= 0x10;
        std::fs::write(self.log(name), bytes).expect("put");
    }

    /// Writes a row raw, as only SQL can.
    async fn put(&self, row: &[(String, Value)]) {
        let mut tx = self.kit.begin().await;
        let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
        let marks: Vec<String> = (1..=row.len()).map(|n| format!("${n}")).collect();
        let values: Vec<Value> = row.iter().map(|(_, value)| value.clone()).collect();
        let sql = format!("INSERT INTO note ({}) VALUES ({})", names.join(","), marks.join(","));
        tx.execute(&sql, &values).await.expect("put");
        tx.commit().await.expect("done");
    }
}

fn id(number: u64) -> String {
    format!("n{number:04}")
}

fn columns(row: &mj_platform::DbRow) -> Vec<(String, Value)> {
    ["id", "text", "number", "hash", "version", "change_seq", "row_salt", "row_digest"]
        .iter()
        .map(|name| ((*name).to_owned(), row.value(name).expect("read")))
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attack {
    ContentChanged,
    ContentAndDigestChanged,
    OlderStatePutBack,
    RowDeleted,
    DeletedRowPutBack,
    CopyInserted,
    UnusedTableFilled,
    VersionSkipped,
    ReasonChanged,
    ActDeleted,
    ActInserted,
    ActMoved,
    EntryEdited,
    SheetEdited,
    TileEdited,
    CheckpointEdited,
    LogTruncated,
    WaitingEntryDeleted,
    WaitingActUndone,
    WaitingEntryEdited,
    HeadTurnedBack,
    NeverSequenced,
    LogRewritten,
    KeyExchanged,
    StoreTurnedBack,
    TableDropped,
    TableHidden,
    NamelessInserted,
    AnotherKind,
    ActBeforeTheFirst,
    LookUpEmptied,
    LookUpForged,
    UpperTileEdited,
    BytesForText,
    NumberForName,
    LinesEmptied,
    CheckpointRemoved,
    DeviceAdded,
    ActPlanted,
}

use Attack::*;

const ATTACKS: [Attack; 39] = [
    ContentChanged,
    ContentAndDigestChanged,
    OlderStatePutBack,
    RowDeleted,
    DeletedRowPutBack,
    CopyInserted,
    UnusedTableFilled,
    VersionSkipped,
    ReasonChanged,
    ActDeleted,
    ActInserted,
    ActMoved,
    EntryEdited,
    SheetEdited,
    TileEdited,
    CheckpointEdited,
    LogTruncated,
    WaitingEntryDeleted,
    WaitingActUndone,
    WaitingEntryEdited,
    HeadTurnedBack,
    NeverSequenced,
    LogRewritten,
    KeyExchanged,
    StoreTurnedBack,
    TableDropped,
    TableHidden,
    NamelessInserted,
    AnotherKind,
    ActBeforeTheFirst,
    LookUpEmptied,
    LookUpForged,
    UpperTileEdited,
    BytesForText,
    NumberForName,
    LinesEmptied,
    CheckpointRemoved,
    DeviceAdded,
    ActPlanted,
];

impl Attack {
    /// What `verify` must say at least: kind, and table where it is always the same.
    fn expected(self) -> (Kind, &'static str) {
        match self {
            ContentChanged | ContentAndDigestChanged | OlderStatePutBack => (Kind::Changed, "note"),
            RowDeleted => (Kind::Missing, "note"),
            DeletedRowPutBack | CopyInserted => (Kind::Extra, "note"),
            UnusedTableFilled => (Kind::Extra, "erasure"),
            VersionSkipped => (Kind::Gap, "note"),
            ReasonChanged => (Kind::Changed, "act_journal"),
            ActDeleted | ActMoved => (Kind::Missing, "act_journal"),
            ActInserted => (Kind::Extra, "act_journal"),
            EntryEdited | TileEdited => (Kind::Log, "entries"),
            SheetEdited => (Kind::Log, "sheets"),
            CheckpointEdited | LogRewritten | KeyExchanged => (Kind::Log, "checkpoint"),
            LogTruncated | WaitingEntryDeleted => (Kind::Gap, "entries"),
            WaitingActUndone => (Kind::Changed, "note"),
            WaitingEntryEdited => (Kind::Log, "sheets"),
            HeadTurnedBack => (Kind::Gap, "change_head"),
            NeverSequenced => (Kind::Gap, "unsequenced"),
            StoreTurnedBack => (Kind::Gap, "checkpoint"),
            TableDropped | TableHidden => (Kind::Missing, "note"),
            NamelessInserted => (Kind::Extra, "note"),
            AnotherKind => (Kind::Changed, "note"),
            ActBeforeTheFirst => (Kind::Extra, "act_journal"),
            LookUpEmptied => (Kind::Missing, "log_touch"),
            LookUpForged => (Kind::Extra, "log_touch"),
            UpperTileEdited => (Kind::Log, "entries"),
            BytesForText => (Kind::Changed, "note"),
            NumberForName | DeviceAdded => (Kind::Extra, "note"),
            LinesEmptied => (Kind::Changed, "act_journal"),
            CheckpointRemoved => (Kind::Gap, "checkpoint"),
            ActPlanted => (Kind::Gap, "unsequenced"),
        }
    }

    async fn run(self, office: &mut Office) {
        let victim = office.victim();
        match self {
            ContentChanged => {
                office.sql(&format!("UPDATE note SET number = 7 WHERE id = '{victim}'")).await;
            }
            ContentAndDigestChanged => office.forge(&victim).await,
            OlderStatePutBack => {
                office.sql("DELETE FROM note WHERE id = 'n0011'").await;
                let earlier = office.earlier.clone();
                office.put(&earlier).await;
            }
            RowDeleted => office.sql(&format!("DELETE FROM note WHERE id = '{victim}'")).await,
            DeletedRowPutBack => {
                let mut row = office.earlier.clone();
                row[0].1 = "n0003".into();
                office.put(&row).await;
            }
            CopyInserted => {
                let mut row = office.earlier.clone();
                row[0].1 = "copy".into();
                office.put(&row).await;
            }
            UnusedTableFilled => {
                let copy = "INSERT INTO erasure (id, erased_at, version, change_seq, row_salt, \
                            row_digest) SELECT id, 1, 1, 1, row_salt, row_digest FROM note LIMIT 1";
                office.sql(copy).await;
            }
            VersionSkipped => {
                office.sql("UPDATE note SET version = version + 3 WHERE id = 'n0012'").await;
                office.change(12, 13).await;
            }
            ReasonChanged => {
                let seq = 2 + pick(office.seed, 20);
                office
                    .sql(&format!("UPDATE act_journal SET reason = '无' WHERE log_seq = {seq}"))
                    .await;
            }
            ActDeleted => {
                let seq = pick(office.seed, 20);
                office.sql(&format!("DELETE FROM act_journal WHERE log_seq = {seq}")).await;
            }
            ActInserted => {
                office
                    .sql(
                        "INSERT INTO act_journal (id, seq, at, actor, action, object, reason, \
                         request_id, changes, sheet_sm3, lines, salt) SELECT 'x', seq, at, actor, \
                         action, object, reason, request_id, changes, sheet_sm3, lines, salt \
                         FROM act_journal WHERE log_seq = 4",
                    )
                    .await;
            }
            ActMoved => {
                let last = "(SELECT MAX(log_seq) + 9 FROM act_journal)";
                office
                    .sql(&format!("UPDATE act_journal SET log_seq = {last} WHERE log_seq = 5"))
                    .await;
            }
            EntryEdited => office.flip("tile/entries/000"),
            SheetEdited => office.flip("sheets/000"),
            TileEdited => office.flip("tile/0/000"),
            CheckpointEdited => {
                let text = std::fs::read_to_string(office.log("checkpoint")).expect("read");
                let text = text.replacen("time 1", "time 2", 1);
                std::fs::write(office.log("checkpoint"), text).expect("put");
            }
            LogTruncated => {
                // the older checkpoint is genuine; the files are cut to fit it
                std::fs::copy(office.path(KEPT), office.log("checkpoint")).expect("put");
                let size = office.outside.lines().nth(1).and_then(|size| size.parse().ok());
                let size: usize = size.expect("a size");
                let bytes = std::fs::read(office.log("tile/0/000")).expect("a tile");
                std::fs::write(office.log("tile/0/000"), &bytes[..size * 32]).expect("cut");
                for (name, prefix) in [("tile/entries/000", 2), ("sheets/000", 4)] {
                    let bytes = std::fs::read(office.log(name)).expect("a file");
                    let mut end = 0;
                    for _ in 0..size {
                        let head = &bytes[end..end + prefix];
                        let length =
                            head.iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte));
                        end += prefix + length;
                    }
                    std::fs::write(office.log(name), &bytes[..end]).expect("cut");
                }
            }
            WaitingEntryDeleted => office.sql("DELETE FROM log_pending").await,
            WaitingActUndone => {
                // row, act, entry and number taken back together, but the digest is yesterday's
                office.sql("UPDATE note SET number = 31, version = 1 WHERE id = 'n0032'").await;
                let last = "(SELECT MAX(log_seq) FROM act_journal)";
                office.sql(&format!("DELETE FROM log_pending WHERE seq = {last}")).await;
                office.sql(&format!("DELETE FROM act_journal WHERE log_seq = {last}")).await;
                office.sql("UPDATE change_head SET entries = entries - 1").await;
            }
            WaitingEntryEdited => {
                let first = "(SELECT MIN(seq) FROM log_pending)";
                let other = "(SELECT MAX(seq) FROM log_pending)";
                office
                    .sql(&format!(
                        "UPDATE log_pending SET sheet = (SELECT sheet FROM log_pending WHERE seq = \
                         {other}) WHERE seq = {first}"
                    ))
                    .await;
            }
            HeadTurnedBack => office.sql("UPDATE change_head SET entries = 8").await,
            TableDropped => office.sql("DROP TABLE note").await,
            TableHidden => {
                // a view of the same name shows one row less and has no digests
                office.sql("ALTER TABLE note RENAME TO own").await;
                office.sql("ALTER TABLE own RENAME COLUMN row_digest TO digest").await;
                office
                    .sql(&format!("CREATE VIEW note AS SELECT * FROM own WHERE id <> '{victim}'"))
                    .await;
            }
            NamelessInserted => {
                let sqlite = office.kit.db().dialect() == mj_platform::Dialect::Sqlite;
                let mut row = office.earlier.clone();
                row[0].1 = match office.seed % 3 {
                    1 if sqlite => Value::Null,
                    2 if sqlite => Value::Bytes(vec![7]),
                    _ => "".into(),
                };
                office.put(&row).await;
            }
            AnotherKind => match office.kit.db().dialect() {
                mj_platform::Dialect::Sqlite => {
                    let value = ["version = 'x'", "row_salt = 'x'", "text = CAST(x'ff' AS TEXT)"]
                        [pick(office.seed, 3) as usize];
                    office.sql(&format!("UPDATE note SET {value} WHERE id = '{victim}'")).await;
                }
                mj_platform::Dialect::Postgres => {
                    let made = "ALTER TABLE note ALTER COLUMN number TYPE DOUBLE PRECISION";
                    office.sql(made).await;
                }
            },
            ActBeforeTheFirst => {
                office
                    .sql(
                        "INSERT INTO act_journal (id, seq, at, actor, action, object, reason, \
                         request_id, changes, sheet_sm3, lines, salt, log_seq) SELECT 'x', seq, at, \
                         actor, action, object, reason, request_id, changes, sheet_sm3, lines, salt, \
                         -7 FROM act_journal WHERE log_seq = 4",
                    )
                    .await;
            }
            LookUpEmptied => office.sql("DELETE FROM log_touch WHERE seq = 4").await,
            LookUpForged => office.sql("UPDATE log_touch SET object = 'note:n0030'").await,
            UpperTileEdited => {
                for _ in 0..16 {
                    office.change(12, 29).await;
                }
                office.ledger.drain().await.expect("sealed");
                let mut bytes = std::fs::read(office.log("tile/1/000")).expect("a tile");
                let at = pick(office.seed, bytes.len() as u64) as usize;
                bytes[at] ^= 0x10;
                std::fs::write(office.log("tile/1/000"), bytes).expect("put");
            }
            BytesForText => office.bytes_for_text().await,
            NumberForName => office.number_for_name().await,
            LinesEmptied => {
                let seq = 2 + pick(office.seed, 20);
                office
                    .sql(&format!("UPDATE act_journal SET lines = '' WHERE log_seq = {seq}"))
                    .await;
            }
            CheckpointRemoved => {
                // everything lies within the minute that an entry may wait
                office.ledger.drain().await.expect("sealed");
                std::fs::remove_file(office.log("checkpoint")).expect("gone");
            }
            DeviceAdded => office.device().await,
            ActPlanted => {
                office.plant("n0007").await;
                office.kit.clock.advance_seconds(120);
                office.change(34, 35).await;
            }
            NeverSequenced => {
                office.kit.clock.advance_seconds(120);
                office.change(33, 34).await;
            }
            LogRewritten | KeyExchanged => {
                // everything changed to the insider's liking, then a new log founded with the node's
                // own keys (or new ones): consistent in itself
                let change = "UPDATE note SET number = 0";
                office.sql(change).await;
                for row in office.rows("SELECT * FROM note").await {
                    let row = columns(&row);
                    let values: Vec<Value> = row[..4].iter().map(|(_, v)| v.clone()).collect();
                    let (Value::Int(version), Value::Bytes(salt)) = (&row[4].1, &row[6].1) else {
                        panic!("a version and a salt");
                    };
                    let salt = salt.clone().try_into().expect("16 bytes");
                    let digest = row_digest(&salt, NOTE.columns, &values, *version);
                    let args = [Value::Bytes(digest.to_vec()), row[0].1.clone()];
                    let mut tx = office.kit.begin().await;
                    tx.execute("UPDATE note SET row_digest = $1 WHERE id = $2", &args)
                        .await
                        .expect("put");
                    tx.commit().await.expect("done");
                }
                for table in ["act_journal", "log_pending", "log_touch"] {
                    office.sql(&format!("DELETE FROM {table}")).await;
                }
                office.sql("UPDATE log_touched SET size = 0").await;
                office.sql("UPDATE change_head SET entries = 0").await;
                std::fs::remove_dir_all(office.path("log")).expect("gone");
                if self == KeyExchanged {
                    std::fs::remove_dir_all(office.path("vault")).expect("gone");
                }
                ledger::found(office.kit.db()).await.expect("founded");
                office.ledger = open(&office.kit, &office.path("log")).await;
                office.change(4, 20).await;
                office.ledger.drain().await.expect("sealed");
            }
            StoreTurnedBack => {
                // what the witness saw last is newer than this store
                office.ledger.drain().await.expect("sealed");
                office.change(33, 36).await;
                let (log, copy) = (office.path("log"), office.path("copy"));
                copy_folder(&log, &copy);
                office.ledger.drain().await.expect("sealed");
                office.outside = office.ledger.checkpoint().expect("read").expect("signed");
                std::fs::remove_dir_all(&log).expect("gone");
                std::fs::rename(&copy, &log).expect("put back");
            }
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("copied");
        }
    }
}

fn rounds(short: u64, long: u64) -> std::ops::Range<u64> {
    0..if std::env::var("MJ_LONG").is_ok() { long } else { short }
}

#[tokio::test]
async fn an_insider_is_caught_whatever_is_changed() {
    let (mut caught, mut tried) = (0, 0);
    for seed in rounds(1, 5) {
        for attack in ATTACKS {
            let mut office = Office::new(seed).await;
            attack.run(&mut office).await;
            let report = office.verify(Some(&office.outside)).await;
            let (kind, table) = attack.expected();
            let named = |finding: &verify::Finding| finding.kind == kind && finding.table == table;
            let found = report.findings.iter().find(|finding| named(finding));
            tried += 1;
            match found {
                Some(finding) => {
                    assert!(finding.seqs.0 <= finding.seqs.1);
                    caught += 1;
                }
                None => eprintln!("{attack:?} (seed {seed}) not named: {:?}", report.findings),
            }
            // the honest limit: a whole log rewritten needs a checkpoint from elsewhere
            if matches!(attack, LogRewritten | KeyExchanged) {
                assert!(office.verify(None).await.is_clean(), "{attack:?}");
            }
        }
    }
    println!("insider: {caught} of {tried} caught");
    assert_eq!(caught, tried);
}

#[tokio::test]
async fn a_store_that_nobody_touched_is_clean() {
    for seed in rounds(3, 20) {
        let office = Office::new(seed).await;
        for outside in [None, Some(office.outside.as_str())] {
            let report = office.verify(outside).await;
            assert_eq!(report.findings, [], "seed {seed}");
            assert_eq!(report.compared_outside, outside.is_some());
            assert!(report.sealed < report.entries && report.rows > 30);
        }
        office.ledger.drain().await.expect("sealed");
        let report = office.verify(Some(&office.outside)).await;
        assert_eq!((report.findings, report.sealed), (vec![], report.entries));
        assert!(office.ledger.settled(std::time::Duration::ZERO).await);
    }
}

#[tokio::test]
async fn a_store_older_than_its_log_is_taken_over_whole() {
    let office = Office::new(0).await;
    // as a store of the version before: acts without numbers, no log
    office.sql("UPDATE act_journal SET log_seq = NULL, salt = NULL").await;
    for table in ["log_pending", "log_touch"] {
        office.sql(&format!("DELETE FROM {table}")).await;
    }
    office.sql("UPDATE log_touched SET size = 0").await;
    office.sql("UPDATE change_head SET entries = 0").await;
    std::fs::remove_dir_all(office.path("log")).expect("gone");
    let rows = ledger::found(office.kit.db()).await.expect("founded");
    assert!(rows > 60, "{rows}");
    assert_eq!(ledger::found(office.kit.db()).await.expect("once"), 0);
    let log = open(&office.kit, &office.path("log")).await;
    log.drain().await.expect("sealed");
    assert_eq!(office.verify(None).await.findings, []);
    office.change(5, 8).await;
    log.drain().await.expect("sealed");
    assert_eq!(office.verify(None).await.findings, []);
    office
        .sql(
            "UPDATE act_journal SET actor = 'account:other' WHERE log_seq IS NULL AND id = \
         (SELECT MIN(id) FROM act_journal)",
        )
        .await;
    office.sql("DELETE FROM note WHERE id = 'n0020'").await;
    let found = office.verify(None).await.findings;
    let kinds: Vec<(Kind, &str)> =
        found.iter().map(|finding| (finding.kind, finding.table.as_str())).collect();
    assert_eq!(kinds, [(Kind::Changed, "act_journal"), (Kind::Missing, "note")]);
}

#[tokio::test]
async fn a_node_killed_between_file_and_signature_goes_on_where_it_was() {
    let office = Office::new(1).await;
    let checkpoint = std::fs::read(office.log("checkpoint")).expect("signed");
    let waiting = office.rows("SELECT * FROM log_pending ORDER BY seq").await;
    office.ledger.drain().await.expect("sealed");
    let sealed = std::fs::read_to_string(office.log("checkpoint")).expect("signed");
    // the files have grown, the checkpoint and what follows it never happened
    std::fs::write(office.log("checkpoint"), &checkpoint).expect("put");
    let mut tx = office.kit.begin().await;
    for row in &waiting {
        let args: Vec<Value> =
            ["seq", "entry", "sheet", "seal"].map(|name| row.value(name).expect("read")).into();
        let sql = "INSERT INTO log_pending (seq, entry, sheet, seal) VALUES ($1,$2,$3,$4)";
        tx.execute(sql, &args).await.expect("put");
    }
    tx.commit().await.expect("done");
    assert_eq!(office.verify(None).await.findings, []);
    let again = open(&office.kit, &office.path("log")).await;
    assert_eq!(again.drain().await.expect("sealed"), ());
    let resealed = std::fs::read_to_string(office.log("checkpoint")).expect("signed");
    let root = |text: &str| text.lines().nth(2).map(str::to_owned);
    assert_eq!(root(&resealed), root(&sealed));
    assert_eq!(office.verify(Some(&sealed)).await.findings, []);
}

#[tokio::test]
async fn a_receipt_convinces_whoever_has_the_key_and_nobody_when_changed() {
    let office = Office::new(2).await;
    let waiting = office.ledger.sealed();
    assert_eq!(office.ledger.receipt(waiting).await.expect("asked"), None);
    let receipt = office.ledger.receipt(5).await.expect("asked").expect("signed");
    let key = office.ledger.key();
    let verify = &mj_platform::gm::sign::verify;
    let proved = receipt.check(Some(&key), verify).expect("holds");
    assert_eq!((proved.entry.seq, proved.entry.action.as_str()), (5, "test.note.update"));
    let text = serde_json::to_string(&receipt).expect("JSON");
    let again = mj_ledger::receipt::Receipt::parse(&text).expect("reads");
    assert_eq!(again, receipt);
    for (from, to) in [
        ("更正", "更改"),
        ("note:5", "note:6"),
        ("\\\"seq\\\":5", "\\\"seq\\\":6"),
        ("\"index\":5", "\"index\":6"),
        ("test.note.update", "test.note.delete"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        let checked = mj_ledger::receipt::Receipt::parse(&changed)
            .and_then(|receipt| receipt.check(Some(&key), verify).map(drop));
        assert!(checked.is_err(), "{from}");
    }
}
