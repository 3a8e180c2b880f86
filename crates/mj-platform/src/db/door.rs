//! The write door: the only way to change business truth.
//!
//! Whoever changes a row says who acts, what the act is, on what, why, and in which request. The
//! door sets `version`, `change_seq`, `row_salt` and `row_digest` (contracts.md 5) and appends the
//! act to the journal in the same transaction. A test of the house fails on SQL that writes a truth
//! table anywhere else. [`WriteTx::commit`] gives the act its number in the supervision log
//! ([`crate::ledger`]) in the same transaction.

use std::fmt::Write as _;
use std::sync::Arc;

use mj_kernel::{Actor, Event, Instant};
use mj_ledger::entry::{Changes, Payload, PayloadRef};
use mj_ledger::lanes::Messages;
use mj_ledger::{Entry, Hash, Line, Opening};
use rustc_hash::FxHashMap;
use sqlx::{Any, AssertSqlSafe, Executor, Transaction};
use tokio::sync::watch;

pub(crate) use super::canon::Canon;
pub use super::canon::row_digest;
use super::gate::Pass;
use super::sqlite::SqliteTx;
use super::value::{self, DbRow, RowExt, Value, query, query_of};
use super::{Db, Dialect};
use crate::error::{Error, Result};
use crate::gm::vault::SmProvider;
use crate::ledger::book::Book;
use crate::ledger::seals;
use crate::{gm, new_id, outbox};

/// A table of business truth. Its primary key is the text column `id`; the four bookkeeping columns
/// `version, change_seq, row_salt, row_digest` stand in every such table and are the door's own.
#[derive(Debug)]
pub struct TruthTable {
    pub name: &'static str,
    /// All business columns, `id` first.
    pub columns: &'static [&'static str],
}

/// Who does what to what, and why.
#[derive(Debug, Clone)]
pub struct Act {
    pub actor: String,
    /// The registered action, e.g. `registry.party.merge`.
    pub action: &'static str,
    /// What the act is about, e.g. `party:0197…`; rows touched are recorded besides.
    pub object: String,
    pub reason: Option<String>,
    pub request_id: String,
}

impl Act {
    pub fn new(actor: &Actor, action: &'static str, object: impl Into<String>) -> Self {
        Self {
            actor: actor.reference(),
            action,
            object: object.into(),
            reason: None,
            request_id: new_id(),
        }
    }

    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    pub fn in_request(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = request_id.into();
        self
    }
}

/// A transaction through the door. Dropping it without [`WriteTx::commit`] changes nothing.
pub struct WriteTx {
    tx: Tx,
    dialect: Dialect,
    act: Act,
    now: Instant,
    change_seq: Option<i64>,
    book: Book,
    /// The act opens the next volume of the log.
    opens: Option<Opening>,
    /// Where it is told how many entries of the log there are now.
    log_head: watch::Sender<i64>,
    /// Nothing that makes an entry may be written: this store is taken for an older copy.
    held: bool,
    vault: Option<Arc<dyn SmProvider>>,
    committed: Vec<Box<dyn FnOnce() + Send>>,
    // last field: the gate opens only after the transaction is gone
    _pass: Option<Pass>,
}

/// The database's own transaction.
pub(super) enum Tx {
    Sqlite(SqliteTx),
    Postgres(Transaction<'static, Any>),
}

impl Tx {
    pub(super) async fn execute(&mut self, sql: &str, args: &[Value]) -> sqlx::Result<u64> {
        refuse_nul(args)?;
        match self {
            Tx::Sqlite(tx) => tx.execute(sql, args).await,
            Tx::Postgres(tx) => Ok(query(sql, args).execute(&mut **tx).await?.rows_affected()),
        }
    }

    /// A statement without arguments, as migrations hold.
    pub(super) async fn script(&mut self, sql: String) -> sqlx::Result<()> {
        match self {
            Tx::Sqlite(tx) => tx.script(sql).await,
            Tx::Postgres(tx) => {
                (&mut **tx).execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
            }
        }
    }

    async fn fetch(&mut self, sql: &str, args: &[Value], most: usize) -> sqlx::Result<Vec<DbRow>> {
        match self {
            Tx::Sqlite(tx) => tx.fetch(sql, args, most).await,
            Tx::Postgres(tx) => value::fetch(&mut **tx, sql, args, most).await,
        }
    }

    /// One statement for all of `values` on PostgreSQL, the same one again and again on SQLite.
    async fn insert(
        &mut self,
        head: &str,
        width: usize,
        values: Vec<Value>,
        suffix: &str,
    ) -> sqlx::Result<()> {
        refuse_nul(&values)?;
        match self {
            Tx::Sqlite(tx) => {
                let marks = vec!["?"; width].join(",");
                tx.insert(format!("{head} VALUES ({marks}) {suffix}"), width, values).await
            }
            Tx::Postgres(tx) => {
                let rows = values.len() / width.max(1);
                let sql = format!("{head} VALUES {} {suffix}", placeholders(rows, width));
                query_of(sql.into(), values).execute(&mut **tx).await.map(drop)
            }
        }
    }

    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await,
            Tx::Postgres(tx) => tx.commit().await,
        }
    }
}

/// PostgreSQL keeps no NUL in a text; what SQLite kept could never move there.
fn refuse_nul(values: &[Value]) -> sqlx::Result<()> {
    let holds = |value: &Value| matches!(value, Value::Text(text) if text.as_bytes().contains(&0));
    match values.iter().any(holds) {
        true => Err(sqlx::Error::Encode("文字中有空字符（U+0000）".into())),
        false => Ok(()),
    }
}

const JOURNAL: &str = "act_journal";
/// PostgreSQL takes 65,535 parameters a statement.
const PARAMETERS: usize = 30_000;
/// Rows that are made ready and written at a time on SQLite.
const SQLITE_ROWS: usize = 256;

impl WriteTx {
    pub(super) fn with_vault(self, vault: Option<Arc<dyn SmProvider>>) -> Self {
        Self { vault, ..self }
    }

    /// The keys of the node, see [`Db::use_vault`].
    pub fn vault(&self) -> Result<Arc<dyn SmProvider>> {
        self.vault.clone().ok_or_else(|| Error::Key("未配置密钥".into()))
    }

    pub(super) fn new(
        tx: Tx,
        pass: Option<Pass>,
        dialect: Dialect,
        act: Act,
        now: Instant,
        log_head: watch::Sender<i64>,
        held: bool,
    ) -> Self {
        let book = Book::default();
        Self {
            tx,
            dialect,
            act,
            now,
            change_seq: None,
            book,
            opens: None,
            log_head,
            held,
            vault: None,
            committed: Vec::new(),
            _pass: pass,
        }
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub fn act(&self) -> &Act {
        &self.act
    }

    /// Says what the act turned out to be, where only its own course told: a sign-in that ended another one.
    pub fn retell(&mut self, act: Act) {
        self.act = act;
    }

    /// The instant of the act: one for all its rows.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Writes one row of business truth; columns not named are NULL.
    pub async fn insert(&mut self, table: &TruthTable, row: &[(&str, Value)]) -> Result<()> {
        let values = table
            .columns
            .iter()
            .map(|column| {
                row.iter().find(|(name, _)| name == column).map_or(Value::Null, |(_, v)| v.clone())
            })
            .collect();
        debug_assert!(
            row.iter().all(|(name, _)| table.columns.contains(name)),
            "unknown column for {}",
            table.name
        );
        self.insert_many(table, vec![values]).await
    }

    /// Writes many rows, each with its values in the order of `table.columns`.
    pub async fn insert_many(&mut self, table: &TruthTable, rows: Vec<Vec<Value>>) -> Result<()> {
        self.insert_each(table, rows.into_iter()).await
    }

    /// The same with rows that are made as they are needed, while earlier ones are being written.
    pub async fn insert_each(
        &mut self,
        table: &TruthTable,
        rows: impl ExactSizeIterator<Item = Vec<Value>> + Send,
    ) -> Result<()> {
        self.write_many(table, rows.map(|row| (1, row)), "").await
    }

    /// Changes the same columns of many rows, each given as (id, new values in the order of
    /// `columns`). For the house itself, which acts on what it has just read in this transaction.
    pub async fn update_many(
        &mut self,
        table: &TruthTable,
        columns: &[&str],
        changes: Vec<(String, Vec<Value>)>,
    ) -> Result<()> {
        let lock = if self.dialect == Dialect::Postgres { " FOR UPDATE" } else { "" };
        let mut places = Vec::with_capacity(columns.len());
        let mut suffix = String::from("ON CONFLICT (id) DO UPDATE SET");
        for column in ["version", "change_seq", "row_salt", "row_digest"].iter().chain(columns) {
            let comma = if suffix.ends_with("SET") { "" } else { "," };
            let _ = write!(suffix, "{comma} {column} = excluded.{column}");
        }
        for column in columns {
            let place = table.columns.iter().position(|known| known == column);
            places.push(
                place.ok_or_else(|| Error::Corrupt(format!("{} 没有列 {column}", table.name)))?,
            );
        }
        for chunk in changes.chunks(1_000) {
            let ids: Vec<Value> = chunk.iter().map(|(id, _)| id.as_str().into()).collect();
            let marks: Vec<String> = (1..=ids.len()).map(|n| format!("${n}")).collect();
            let sql =
                format!("SELECT * FROM {} WHERE id IN ({}){lock}", table.name, marks.join(","));
            let mut stored: FxHashMap<String, (i64, Vec<Value>)> = FxHashMap::default();
            for row in self.fetch_all(&sql, &ids).await? {
                let values: Result<Vec<Value>> =
                    table.columns.iter().map(|column| row.value(column)).collect();
                stored.insert(row.text("id")?, (row.int("version")?, values?));
            }
            let mut rows = Vec::with_capacity(chunk.len());
            for (id, new) in chunk {
                // a row changed twice in one call would be lost in the first of its states
                let (version, mut values) = stored
                    .remove(id)
                    .ok_or_else(|| Error::Missing { table: table.name, id: id.clone() })?;
                for (place, value) in places.iter().zip(new) {
                    values[*place] = value.clone();
                }
                rows.push((version + 1, values));
            }
            self.write_many(table, rows.into_iter(), &suffix).await?;
        }
        Ok(())
    }

    /// Writes rows, each with its version, with salt and digest of their own.
    async fn write_many(
        &mut self,
        table: &TruthTable,
        rows: impl ExactSizeIterator<Item = (i64, Vec<Value>)> + Send,
        suffix: &str,
    ) -> Result<()> {
        let count = rows.len();
        if count == 0 {
            return Ok(());
        }
        let width = table.columns.len() + 4;
        let first_seq = self.next_change_seqs(count).await?;
        let canon = Canon::new(table.columns);
        let mut salts = vec![0_u8; count * 16];
        gm::fill(&mut salts);
        let mut todo = rows.zip(salts.chunks_exact(16)).zip(first_seq..);
        let most = rows_at_a_time(self.dialect, width);
        let Self { tx, book, .. } = self;
        let head = format!(
            "INSERT INTO {} ({}, version, change_seq, row_salt, row_digest)",
            table.name,
            table.columns.join(", ")
        );
        let mut messages = Messages::new();
        let mut ready = |size: usize| {
            let mut args = Vec::with_capacity(size * width);
            messages.clear();
            for (((version, row), salt), seq) in todo.by_ref().take(size) {
                debug_assert_eq!(row.len(), table.columns.len(), "values for {}", table.name);
                canon.write(messages.begin(), salt, &row, version);
                messages.end();
                args.extend(row);
                args.extend([
                    Value::Int(version),
                    Value::Int(seq),
                    Value::Bytes(salt.to_vec()),
                    Value::Null,
                ]);
            }
            let digests = messages.digests();
            let lines = args.chunks_exact(width).zip(&digests).map(|(row, digest)| Line {
                table: table.name,
                key: text_of(&row[0]),
                version: int_of(&row[width - 4]),
                digest: Some(*digest),
            });
            book.note_all(table.name, lines);
            for (row, digest) in args.chunks_exact_mut(width).zip(digests) {
                row[width - 1] = Value::Bytes(digest.to_vec());
            }
            args
        };
        let mut left = count;
        let mut next = ready(left.min(most));
        while left > 0 {
            left -= left.min(most);
            let args = std::mem::take(&mut next);
            // while the database works on these the next are made ready
            let write = tx.insert(&head, width, args, suffix);
            let (written, made) = futures_util::join!(write, async { ready(left.min(most)) });
            next = made;
            written.map_err(Error::db("写入")).map_err(|error| {
                if error.is_duplicate() { Error::Duplicate { table: table.name } } else { error }
            })?;
        }
        Ok(())
    }

    /// Changes some columns of one row. `expected` is the version the person saw; `None` where the
    /// house itself acts on what it has just read in this transaction. Returns the new version.
    pub async fn update(
        &mut self,
        table: &TruthTable,
        id: &str,
        expected: Option<i64>,
        changes: &[(&str, Value)],
    ) -> Result<i64> {
        let row = self.row_for_update(table, id).await?;
        let current = row.int("version")?;
        if let Some(expected) = expected
            && expected != current
        {
            return Err(Error::Stale { table: table.name, id: id.into(), expected, current });
        }
        let mut values = Vec::with_capacity(table.columns.len());
        for column in table.columns {
            match changes.iter().find(|(name, _)| name == column) {
                Some((_, value)) => values.push(value.clone()),
                None => values.push(row.value(column)?),
            }
        }
        let version = current + 1;
        let seq = self.next_change_seq().await?;
        let salt = gm::random::<16>();
        let digest = row_digest(&salt, table.columns, &values, version);
        let mut sql = format!(
            "UPDATE {} SET version = $1, change_seq = $2, row_salt = $3, row_digest = $4",
            table.name
        );
        let mut args = vec![
            Value::Int(version),
            Value::Int(seq),
            Value::Bytes(salt.to_vec()),
            Value::Bytes(digest.to_vec()),
        ];
        for (column, value) in changes {
            args.push(value.clone());
            let _ = write!(sql, ", {column} = ${}", args.len());
        }
        args.push(Value::from(id));
        let _ = write!(sql, " WHERE id = ${}", args.len());
        self.execute(&sql, &args).await?;
        self.book.note(table.name, id, version, Some(digest));
        Ok(version)
    }

    /// Takes one row away; the journal keeps that it was there.
    pub async fn delete(&mut self, table: &TruthTable, id: &str) -> Result<()> {
        let version = self.row_for_update(table, id).await?.int("version")?;
        self.next_change_seq().await?;
        self.execute(&format!("DELETE FROM {} WHERE id = $1", table.name), &[id.into()]).await?;
        self.book.note(table.name, id, version, None);
        Ok(())
    }

    async fn row_for_update(&mut self, table: &TruthTable, id: &str) -> Result<DbRow> {
        let lock = if self.dialect == Dialect::Postgres { " FOR UPDATE" } else { "" };
        let sql = format!("SELECT * FROM {} WHERE id = $1{lock}", table.name);
        self.fetch_optional(&sql, &[id.into()])
            .await?
            .ok_or_else(|| Error::Missing { table: table.name, id: id.into() })
    }

    /// Journals the act even if it changes no business truth: an export, an ended session, whatever
    /// somebody must be able to read later.
    pub async fn note(&mut self) -> Result<()> {
        self.next_change_seq().await?;
        self.book.is_noted = true;
        Ok(())
    }

    /// Rows that a table outside the truth gained or lost, so that the census misses a lost one.
    pub fn counted(&mut self, table: &'static str, gained: i64) {
        *self.book.gained.entry(table).or_default() += gained;
    }

    /// What may be known outside only once it is durable: done after the commit, and not at all without.
    pub fn when_committed(&mut self, told: impl FnOnce() + Send + 'static) {
        self.committed.push(Box::new(told));
    }

    /// Tells the other domains, in the same transaction.
    pub async fn publish(&mut self, event: &Event) -> Result<()> {
        outbox::put(self, event).await
    }

    /// A statement on a table that is not business truth (jobs, sessions, caches, hot facts).
    pub async fn execute(&mut self, sql: &str, args: &[Value]) -> Result<u64> {
        self.tx.execute(sql, args).await.map_err(Error::db("写入"))
    }

    /// Many rows into a table that is not business truth, `columns.len()` values each.
    pub async fn execute_many(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: &[Vec<Value>],
        suffix: &str,
    ) -> Result<()> {
        let width = columns.len();
        let head = format!("INSERT INTO {table} ({})", columns.join(", "));
        for chunk in rows.chunks(rows_at_a_time(self.dialect, width)) {
            let args: Vec<Value> = chunk.iter().flatten().cloned().collect();
            self.tx.insert(&head, width, args, suffix).await.map_err(Error::db("写入"))?;
        }
        Ok(())
    }

    pub async fn fetch_all(&mut self, sql: &str, args: &[Value]) -> Result<Vec<DbRow>> {
        self.tx.fetch(sql, args, usize::MAX).await.map_err(Error::db("查询"))
    }

    pub async fn fetch_optional(&mut self, sql: &str, args: &[Value]) -> Result<Option<DbRow>> {
        Ok(self.tx.fetch(sql, args, 1).await.map_err(Error::db("查询"))?.pop())
    }

    /// Everything, the journal entry included, or nothing.
    pub async fn commit(mut self) -> Result<()> {
        let mut book = std::mem::take(&mut self.book);
        let mut gained = std::mem::take(&mut book.gained);
        let is_logged = book.changes > 0 || book.is_noted;
        let mut entries = None;
        if is_logged {
            entries = Some(self.enter(book).await?);
            gained.insert(JOURNAL, 1);
        }
        for (table, gained) in gained {
            self.execute(
                "INSERT INTO truth_count (table_name, row_count) VALUES ($1,$2) \
                 ON CONFLICT (table_name) \
                 DO UPDATE SET row_count = truth_count.row_count + excluded.row_count",
                &[table.into(), gained.into()],
            )
            .await?;
        }
        if let Some(seq) = self.change_seq.filter(|_| !is_logged) {
            self.execute("UPDATE change_head SET seq = $1 WHERE id = 1", &[seq.into()]).await?;
        }
        self.tx.commit().await.map_err(Error::db("提交事务"))?;
        for told in self.committed {
            told();
        }
        if let Some(entries) = entries {
            self.log_head.send_replace(entries);
        }
        Ok(())
    }

    /// Gives the act the next number of the log, under the lock that orders changes, and leaves entry
    /// and sheet for the ledger. Gives how many entries there are now.
    async fn enter(&mut self, book: Book) -> Result<i64> {
        let (rows, lines) = (book.changes, book.lines);
        let (sheet, stored) = book.sheet.finish()?;
        let last = self.change_seq.unwrap_or_default();
        let head = self
            .fetch_optional(
                "UPDATE change_head SET seq = $1, entries = entries + 1 WHERE id = 1 \
                 RETURNING entries",
                &[last.into()],
            )
            .await?
            .ok_or_else(|| Error::Corrupt("change_head 没有首行".into()))?;
        let entries = head.int("entries")?;
        let keys = self.vault()?;
        let (id, salt) = (new_id(), gm::random::<16>());
        let Act { actor, action, object, reason, request_id } = self.act.clone();
        let kind = |reference: &str| reference.split(':').next().unwrap_or_default().to_owned();
        let payload = Payload { actor, object, reason, request_id };
        let entry = Entry {
            action: action.to_owned(),
            actor: kind(&payload.actor),
            changes: Changes { last, rows },
            object: kind(&payload.object),
            opens: self.opens.take(),
            payload: PayloadRef { digest: payload.digest(&salt), id: id.clone() },
            seq: u64::try_from(entries - 1).unwrap_or_default(),
            sheet,
            time: self.now,
            v: Entry::VERSION,
        };
        let act: [Value; 13] = [
            id.into(),
            last.into(),
            self.now.into(),
            payload.actor.into(),
            action.into(),
            payload.object.into(),
            payload.reason.into(),
            payload.request_id.into(),
            rows.into(),
            sheet.to_vec().into(),
            lines.into(),
            (entries - 1).into(),
            salt.to_vec().into(),
        ];
        self.execute(
            "INSERT INTO act_journal (id, seq, at, actor, action, object, reason, request_id, \
             changes, sheet_sm3, lines, log_seq, salt) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)",
            &act,
        )
        .await?;
        let entry = entry.canonical();
        let seal = seals::seal_of(keys.as_ref(), &entry, &stored)?;
        self.execute(
            "INSERT INTO log_pending (seq, entry, sheet, seal) VALUES ($1,$2,$3,$4)",
            &[(entries - 1).into(), entry.into(), stored.into(), seal.into()],
        )
        .await?;
        Ok(entries)
    }

    /// Makes this act's entry the first of the next volume of the log.
    pub(crate) fn open_volume(&mut self, opening: Opening) {
        self.opens = Some(opening);
    }

    /// Takes a row that was there before the log into the sheet of this act, as it stands.
    pub(crate) fn take_over(&mut self, table: &str, key: &str, version: i64, digest: Hash) {
        self.book.line(table, key, version, Some(digest));
    }

    /// The change sequence the next change of this transaction will get: what is known from here on
    /// (bitemporal tables) says so in its own columns. Locks the head like a change does.
    pub async fn position(&mut self) -> Result<i64> {
        let seq = self.next_change_seq().await?;
        self.change_seq = Some(seq - 1);
        Ok(seq)
    }

    /// Locks the head at the first change and holds it to the commit: sequence follows commit order.
    async fn next_change_seq(&mut self) -> Result<i64> {
        self.next_change_seqs(1).await
    }

    /// As many in a row; gives the first.
    async fn next_change_seqs(&mut self, count: usize) -> Result<i64> {
        if self.held {
            return Err(Error::Held);
        }
        let first = match self.change_seq {
            Some(seq) => seq + 1,
            None => {
                let row = self
                    .fetch_optional(
                        "UPDATE change_head SET seq = seq WHERE id = 1 RETURNING seq",
                        &[],
                    )
                    .await?
                    .ok_or_else(|| Error::Corrupt("change_head 没有首行".into()))?;
                row.int("seq")? + 1
            }
        };
        self.change_seq = Some(first + i64::try_from(count).unwrap_or(i64::MAX) - 1);
        Ok(first)
    }
}

/// A table that does not hold as many rows as went through the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miscount {
    pub table: String,
    pub written: i64,
    pub found: i64,
}

/// Counts every table of business truth. Empty: none lost or gained a row by another way. Count and
/// comparison are one statement, so that a node may go on writing meanwhile.
pub async fn census(db: &Db) -> Result<Vec<Miscount>> {
    let mut wrong = Vec::new();
    for row in db.fetch_all("SELECT table_name FROM truth_count ORDER BY table_name", &[]).await? {
        let table = row.text("table_name")?;
        let sql = format!(
            "SELECT row_count, (SELECT COUNT(*) FROM {table}) FROM truth_count WHERE table_name = $1"
        );
        let row = db.fetch_one(&sql, &[table.as_str().into()]).await?;
        let (written, found) = (row.int_at(0)?, row.int_at(1)?);
        if written != found {
            wrong.push(Miscount { table, written, found });
        }
    }
    Ok(wrong)
}

fn int_of(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        _ => 0,
    }
}

fn text_of(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}

fn placeholders(rows: usize, width: usize) -> String {
    let mut text = String::with_capacity(rows * width * 7);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..width {
            let comma = if column == 0 { "" } else { "," };
            let _ = write!(text, "{comma}${}", row * width + column + 1);
        }
        text.push(')');
    }
    text
}

fn rows_at_a_time(dialect: Dialect, width: usize) -> usize {
    match dialect {
        Dialect::Sqlite => SQLITE_ROWS,
        Dialect::Postgres => (PARAMETERS / width.max(1)).max(1),
    }
}
