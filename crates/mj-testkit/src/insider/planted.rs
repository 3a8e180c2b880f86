//! What SQL alone can make that fits together: an act in somebody's name with its row and its entry, a value that is
//! digested like another, a device that answers or acts in the place of a table.

use mj_platform::ledger::{freeze, seal_waiting};

use super::*;

impl Office {
    /// A second door to the same database, with keys that are not the node's: its rows, act and entry agree in
    /// everything but the seal.
    async fn other_door(&self) -> Db {
        let url = match &self.kit.postgres {
            Some((server, name)) => on_database(server, name),
            None => format!("sqlite:{}", self.path("test.sqlite3").display()),
        };
        let db = Db::open(&url, self.kit.clock.clone()).await.expect("a way in");
        let folder = self.path("insider");
        std::fs::create_dir_all(&folder).expect("a folder");
        db.use_vault(Arc::new(Vault::open(&folder, &[9; 16], false)));
        db
    }

    /// An act of the security administrator that never was.
    pub(super) async fn plant(&self, row: &str) {
        let db = self.other_door().await;
        let somebody = Actor::system("sec-admin");
        let act = Act::new(&somebody, "test.note.update", format!("note:{row}")).because("更正");
        let mut tx = db.begin(Lane::People, act).await.expect("begin");
        let change = [("number", Value::from(666))];
        tx.update(&NOTE, row, None, &change).await.expect("changed");
        tx.commit().await.expect("done");
        db.close().await;
    }

    /// Every text becomes the bytes of which it is the hexadecimal form: the same digest, another page.
    pub(super) async fn bytes_for_text(&self) {
        for number in (0..self.count("note").await + 1).filter(|number| *number != 3) {
            let mut tx = self.kit.begin().await;
            let change = [("text", Value::from("370402"))];
            tx.update(&NOTE, &id(number), None, &change).await.expect("changed");
            tx.commit().await.expect("done");
        }
        self.sql(match self.kit.db().dialect() {
            mj_platform::Dialect::Sqlite => "UPDATE note SET text = x'370402'",
            mj_platform::Dialect::Postgres => {
                "ALTER TABLE note ALTER COLUMN text TYPE BYTEA USING decode(text, 'hex')"
            }
        })
        .await;
    }

    /// A row called by a number, in a table made anew so that it takes one; PostgreSQL makes it a text.
    pub(super) async fn number_for_name(&self) {
        if self.kit.db().dialect() == mj_platform::Dialect::Sqlite {
            self.sql("ALTER TABLE note RENAME TO old").await;
            self.sql("CREATE TABLE note AS SELECT * FROM old WHERE 1 = 0").await;
            self.sql("DROP TABLE note").await;
            self.sql(
                "CREATE TABLE note (id BLOB PRIMARY KEY, text TEXT, number BIGINT, hash BLOB, \
                 version BIGINT, change_seq BIGINT, row_salt BLOB, row_digest BLOB)",
            )
            .await;
            self.sql("INSERT INTO note SELECT * FROM old").await;
            self.sql("DROP TABLE old").await;
        }
        self.sql(
            "INSERT INTO note (id, text, number, hash, version, change_seq, row_salt, row_digest) \
             SELECT 7, text, number, hash, version, change_seq, row_salt, row_digest FROM note \
             WHERE id = 'n0011'",
        )
        .await;
    }

    /// A trigger, or rows that only a reader sees.
    pub(super) async fn device(&self) {
        match (self.kit.db().dialect(), self.seed % 2) {
            (mj_platform::Dialect::Sqlite, _) => {
                self.sql(
                    "CREATE TRIGGER helpful BEFORE INSERT ON note BEGIN SELECT RAISE(IGNORE); END",
                )
                .await;
            }
            (mj_platform::Dialect::Postgres, 0) => {
                self.sql("ALTER TABLE note ENABLE ROW LEVEL SECURITY").await;
            }
            (mj_platform::Dialect::Postgres, _) => {
                self.sql(
                    "CREATE FUNCTION helpful() RETURNS trigger LANGUAGE plpgsql AS \
                     $$ BEGIN RETURN NULL; END $$",
                )
                .await;
                self.sql(
                    "CREATE TRIGGER helpful BEFORE INSERT ON note FOR EACH ROW \
                     EXECUTE FUNCTION helpful()",
                )
                .await;
            }
        }
    }

    async fn count(&self, table: &str) -> u64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        self.kit.db().count(&sql, &[]).await.expect("counted") as u64
    }
}

#[tokio::test]
async fn an_act_planted_by_sql_is_never_signed_and_is_named_at_once() {
    let office = Office::new(4).await;
    let honest = office.count("log_pending").await;
    let sealed = office.ledger.sealed();
    office.plant("n0007").await;
    office.change(34, 36).await;
    let error = office.ledger.drain().await.expect_err("not signed");
    assert!(error.to_string().contains("没有本节点的封印"), "{error}");
    assert_eq!(office.ledger.sealed(), sealed + honest, "what stood before it is signed");
    // beside the keys it is named before the minute is over
    let wanted = Wanted { keys: Some(office.kit.db().vault().expect("keys")), ..Wanted::default() };
    let mut snapshot = office.kit.db().snapshot().await.expect("a view");
    let report = verify::run(&mut snapshot, &office.path("log"), &wanted).await.expect("verified");
    drop(snapshot);
    let found: Vec<_> =
        report.findings.iter().map(|one| (one.kind, one.table.as_str(), one.key.clone())).collect();
    assert_eq!(found, [(Kind::Extra, "log_pending", (sealed + honest).to_string())]);
    // a restart changes nothing
    let again = open(&office.kit, &office.path("log")).await;
    again.drain().await.expect_err("not signed");
    // by decision the log goes on, and the row is on the list of what nothing proves
    let who = Actor::system("test");
    let frozen =
        freeze(office.kit.db(), &office.path("log"), &who, "查清", &Wanted::default()).await;
    let frozen = frozen.expect("frozen").expect("not sound");
    assert!(frozen.rows.iter().any(|row| row.contains("n0007")), "{:?}", frozen.rows);
    let log = open(&office.kit, &office.path("log")).await;
    log.drain().await.expect("signed");
    office.change(36, 38).await;
    log.drain().await.expect("signed");
    let report = office.verify(None).await;
    assert_eq!((report.findings, report.told.len()), (vec![], 1));
}

#[tokio::test]
async fn what_an_older_version_left_waiting_is_sealed_once() {
    let office = Office::new(5).await;
    let vault = office.kit.vault();
    office.sql("UPDATE log_pending SET seal = ''").await;
    let waiting = office.count("log_pending").await as usize;
    let sealed = seal_waiting(office.kit.db(), &vault).await.expect("sealed");
    assert_eq!(sealed, waiting, "what waited");
    office.ledger.drain().await.expect("signed");
    assert_eq!(office.verify(Some(&office.outside)).await.findings, []);
    // ever after there is nothing to be sealed
    office.plant("n0008").await;
    office.sql("UPDATE log_pending SET seal = ''").await;
    assert_eq!(seal_waiting(office.kit.db(), &vault).await.expect("asked"), 0);
    office.ledger.drain().await.expect_err("not signed");
}

/// Which columns hold bytes is said once more beside the check, where nobody with the database can change it.
#[tokio::test]
async fn the_columns_of_bytes_are_those_that_the_migrations_make() {
    let kit = TestDb::new().await;
    let sql = match kit.db().dialect() {
        mj_platform::Dialect::Sqlite => {
            "SELECT c.name AS name FROM pragma_table_info($1) c WHERE c.type = 'BLOB'"
        }
        mj_platform::Dialect::Postgres => {
            "SELECT CAST(column_name AS TEXT) AS name FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1 AND data_type = 'bytea'"
        }
    };
    let mut made = Vec::new();
    for table in verify::truth_tables(kit.db()).await.expect("tables") {
        for row in kit.db().fetch_all(sql, &[table.as_str().into()]).await.expect("columns") {
            let column = row.text("name").expect("a name");
            if !["row_salt", "row_digest"].contains(&column.as_str()) {
                made.push((table.clone(), column));
            }
        }
    }
    made.sort();
    let said = verify::BYTES.map(|(table, column)| (table.to_owned(), column.to_owned()));
    assert_eq!(made, said);
}

/// What a server's own people install beside us is no finding.
#[tokio::test]
async fn a_view_of_somebody_elses_is_no_finding_on_a_server_that_we_share() {
    let office = Office::new(6).await;
    office.sql("CREATE VIEW sizes AS SELECT COUNT(*) AS n FROM note").await;
    let found = office.verify(Some(&office.outside)).await.findings;
    match office.kit.db().dialect() {
        mj_platform::Dialect::Postgres => assert_eq!(found, []),
        // the embedded database is ours alone
        mj_platform::Dialect::Sqlite => assert_eq!(found.len(), 1, "{found:?}"),
    }
}
