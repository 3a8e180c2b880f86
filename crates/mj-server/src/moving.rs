//! `mingjian move --to URL`: the whole database of a stopped node into an empty one of either kind,
//! row by row as the rows are (versions, salts and digests included), counted and compared table by
//! table and by the digest of the content. A move that was broken off starts anew.
//!
//! Segments, blobs and keys stay where they are: they belong to the data directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mj_kernel::Actor;
use mj_platform::DbRow;
use mj_platform::db::Migration;
use mj_platform::gm::Sm3;
use mj_platform::gm::vault::Vault;
use mj_platform::{Act, Config, Db, Dialect, Lane, RowExt, SystemClock, Value};

use crate::cli::{Failure, Outcome};
use crate::modules::Domains;
use crate::node::{Floor, lock, migrations};

/// Rows a transaction.
const PAGE: usize = 2_000;
/// Stands in a target until everything is there.
const MARK: &str = "move_under_way";
const LEDGER_OF_MIGRATIONS: &str = "schema_migration";

pub async fn run(data_dir: &Path, to: &str) -> Result<Outcome, Failure> {
    if !data_dir.is_dir() {
        return Err(Failure::Usage(format!("没有数据目录 {}", data_dir.display())));
    }
    let _lock = lock(data_dir)?
        .ok_or_else(|| Failure::Usage("请先停止正在运行的明鉴进程，再搬移数据库".into()))?;
    let config = Config::load(data_dir)?;
    if config.database_url.reveal() == to {
        return Err(Failure::Usage("目标就是现在的数据库".into()));
    }
    let source = Db::open(config.database_url.reveal(), Arc::new(SystemClock)).await?;
    let moved = move_all(&config, &source, to).await;
    source.close().await;
    moved
}

async fn move_all(config: &Config, source: &Db, to: &str) -> Result<Outcome, Failure> {
    let line = migrations();
    let there = tables(source).await?;
    if !there.iter().any(|name| name == LEDGER_OF_MIGRATIONS) {
        return Err(Failure::Usage("现在的数据库是空的，没有可搬的".into()));
    }
    let applied = source.count("SELECT COUNT(*) FROM schema_migration", &[]).await?;
    if applied != i64::try_from(line.len()).unwrap_or(i64::MAX) {
        return Err(Failure::Usage("现在的数据库与程序版本不同；请先执行 mingjian migrate".into()));
    }
    let order = in_order(&there)?;
    let target = Db::open(to, Arc::new(SystemClock)).await?;
    let empty = set_up(&target, &line).await;
    target.close().await;
    empty?;
    // anew: a connection that saw the tables before they were changed reads them wrongly
    let target = Db::open(to, Arc::new(SystemClock)).await?;
    target.use_vault(crate::node::vault_of(config)?);
    let moved = fill(config, source, &target, to, &order).await;
    target.close().await;
    moved
}

/// Empty tables in the target, under a mark that says they are not whole yet.
async fn set_up(target: &Db, line: &[Migration]) -> Result<(), Failure> {
    clear_unfinished(target).await?;
    target.statement(&format!("CREATE TABLE {MARK} (started_at BIGINT)")).await?;
    target.migrate(line).await?;
    Ok(())
}

async fn fill(
    config: &Config,
    source: &Db,
    target: &Db,
    to: &str,
    order: &[String],
) -> Result<Outcome, Failure> {
    let mut differ = 0;
    for table in order {
        let from = copy(source, target, table).await?;
        let to = Tally::of(target, table).await?;
        let verdict = if from == to { "相同" } else { "不同" };
        differ += usize::from(from != to);
        println!("{table}\t{} 行\t{}\t{verdict}", to.rows, to.digest());
    }
    if differ > 0 {
        return Err(Failure::Broken(format!("{differ} 张表搬过去后与原来不同，原数据库未改动")));
    }
    let digests = (digest(config, source).await?, digest(config, target).await?);
    if digests.0 != digests.1 {
        return Err(Failure::Broken(format!(
            "业务内容摘要不同：原 {}，新 {}；原数据库未改动",
            digests.0, digests.1
        )));
    }
    target.statement(&format!("DROP TABLE {MARK}")).await?;
    println!("内容摘要\t{}\t两边相同", digests.1);
    eprintln!(
        "已搬完 {} 张表，原数据库未改动。请在 {} 中写：\n[database]\nurl = \"{}\"\n然后启动节点；\
         确认无误后再处理原数据库。",
        order.len(),
        config.data_dir.join("mingjian.toml").display(),
        without_password(to)
    );
    Ok(Outcome::Clean)
}

/// Nothing may be in the way, but what an earlier move left unfinished is taken away.
async fn clear_unfinished(target: &Db) -> Result<(), Failure> {
    let there = tables(target).await?;
    if there.is_empty() {
        return Ok(());
    }
    if !there.iter().any(|name| name == MARK) {
        return Err(Failure::Usage(format!(
            "目标数据库不是空的（有 {} 张表）；请换一个空库，已有的数据不会被覆盖",
            there.len()
        )));
    }
    eprintln!("目标中有上次没有搬完的内容，清除后重新开始");
    // the mark goes last: broken off here, too, the next move knows what it sees
    let mut doomed: Vec<String> = there.into_iter().filter(|name| name != MARK).collect();
    let place: BTreeMap<String, usize> =
        created().into_iter().enumerate().map(|(at, name)| (name, at)).collect();
    doomed.sort_by_key(|name| std::cmp::Reverse(place.get(name).copied()));
    for table in doomed.iter().map(String::as_str).chain([MARK]) {
        target.statement(&format!("DROP TABLE {table}")).await?;
    }
    Ok(())
}

async fn tables(db: &Db) -> Result<Vec<String>, Failure> {
    let sql = match db.dialect() {
        Dialect::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             ORDER BY name"
        }
        Dialect::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY name"
        }
    };
    let rows = db.fetch_all(sql, &[]).await?;
    rows.iter().map(|row| row.text("name").map_err(Failure::from)).collect()
}

/// Tables in the order of the migrations that made them: what refers to another comes after it.
fn created() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for migration in migrations() {
        for part in migration.sql.split("CREATE TABLE ").skip(1) {
            let part = part.trim_start_matches("IF NOT EXISTS ");
            let name = part.split([' ', '(', '\n']).next().unwrap_or_default().to_owned();
            names.retain(|known| *known != name);
            names.push(name);
        }
    }
    names
}

fn in_order(there: &[String]) -> Result<Vec<String>, Failure> {
    let known = created();
    let foreign: Vec<&str> = there
        .iter()
        .map(String::as_str)
        .filter(|name| *name != LEDGER_OF_MIGRATIONS && !known.iter().any(|one| one == name))
        .collect();
    if !foreign.is_empty() {
        return Err(Failure::Usage(format!(
            "现在的数据库里有不属于明鉴的表：{}；请先移走",
            foreign.join("、")
        )));
    }
    Ok(known.into_iter().filter(|name| there.contains(name)).collect())
}

/// How many rows, and the sum of their digests: independent of their order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    rows: u64,
    sum: [u64; 4],
}

impl Tally {
    fn add(&mut self, columns: &[String], values: &[Value]) {
        let mut hash = Sm3::new();
        for (column, value) in columns.iter().zip(values) {
            let (kind, bytes): (u8, Vec<u8>) = match value {
                Value::Null => (0, Vec::new()),
                Value::Int(number) => (1, number.to_be_bytes().to_vec()),
                Value::Text(text) => (2, text.as_bytes().to_vec()),
                Value::Bytes(bytes) => (3, bytes.clone()),
            };
            hash.update(column.as_bytes());
            hash.update(&[0, kind]);
            hash.update(&(bytes.len() as u64).to_be_bytes());
            hash.update(&bytes);
        }
        self.rows += 1;
        for (lane, part) in self.sum.iter_mut().zip(hash.finish().chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(part);
            *lane = lane.wrapping_add(u64::from_be_bytes(word));
        }
    }

    async fn of(db: &Db, table: &str) -> Result<Self, Failure> {
        let mut tally = Self::default();
        let mut pages = Pages::of(db, table);
        while let Some((columns, rows)) = pages.next().await? {
            rows.iter().for_each(|row| tally.add(&columns, row));
        }
        Ok(tally)
    }

    fn digest(&self) -> String {
        self.sum.iter().map(|lane| format!("{lane:016x}")).collect()
    }
}

/// A table page by page in the order it lies in, by the database's own name for a row.
struct Pages<'a> {
    db: &'a Db,
    table: &'a str,
    after: String,
}

type PageOfRows = (Vec<String>, Vec<Vec<Value>>);

impl<'a> Pages<'a> {
    fn of(db: &'a Db, table: &'a str) -> Self {
        let after = match db.dialect() {
            Dialect::Sqlite => i64::MIN.to_string(),
            Dialect::Postgres => "(0,0)".to_owned(),
        };
        Self { db, table, after }
    }

    async fn next(&mut self) -> Result<Option<PageOfRows>, Failure> {
        const PLACE: &str = "mj_row_place";
        let Self { table, after, .. } = self;
        let sql = match self.db.dialect() {
            Dialect::Sqlite => format!(
                "SELECT CAST(rowid AS TEXT) AS {PLACE}, * FROM {table} WHERE rowid > {after} \
                 ORDER BY rowid LIMIT {PAGE}"
            ),
            Dialect::Postgres => format!(
                "SELECT CAST(ctid AS TEXT) AS {PLACE}, * FROM {table} \
                 WHERE ctid > CAST('{after}' AS tid) ORDER BY ctid LIMIT {PAGE}"
            ),
        };
        let rows = self.db.fetch_all(&sql, &[]).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        self.after = last.text(PLACE)?;
        let named = |row: &DbRow| -> Vec<String> {
            let names = row.names().into_iter().filter(|name| *name != PLACE);
            names.map(str::to_owned).collect()
        };
        // both databases list the columns in the order they were made in; the digest wants one order
        let mut columns = named(last);
        columns.sort_unstable();
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            let values: mj_platform::Result<Vec<Value>> =
                columns.iter().map(|column| row.value(column)).collect();
            page.push(values?);
        }
        Ok(Some((columns, page)))
    }
}

async fn copy(source: &Db, target: &Db, table: &str) -> Result<Tally, Failure> {
    let act = || Act::new(&Actor::system("move"), "platform.move", table);
    // what the migrations themselves put there is among the rows that come
    let mut tx = target.begin(Lane::Bulk, act()).await?;
    tx.execute(&format!("DELETE FROM {table}"), &[]).await?;
    tx.commit().await?;
    let mut tally = Tally::default();
    let mut pages = Pages::of(source, table);
    while let Some((columns, rows)) = pages.next().await? {
        rows.iter().for_each(|row| tally.add(&columns, row));
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut tx = target.begin(Lane::Bulk, act()).await?;
        tx.execute_many(table, &names, &rows, "").await?;
        tx.commit().await?;
    }
    Ok(tally)
}

async fn digest(config: &Config, db: &Db) -> Result<String, Failure> {
    let folder = config.data_dir.join("keys");
    let keys = mj_platform::keys::Keys::open(&folder, config.production)?;
    let vault = Arc::new(Vault::beside_master(&folder, config.production)?);
    let blobs = mj_platform::blob::Blobs::open(config.data_dir.join("blobs"), keys.clone())?;
    let floor = Floor { config: config.clone(), db: db.clone(), keys, vault, blobs, demo: false };
    let domains = Domains::open(&floor).await?;
    mj_datahub::content_digest(&domains.datahub).await.map_err(Failure::broken)
}

/// An address as it may be shown on a screen.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.split_once('@') {
        Some((user, place)) if user.contains(':') => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}:口令@{place}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_is_made_first() {
        let order = created();
        let place = |name: &str| order.iter().position(|one| one == name).expect("a table");
        assert!(place("account") < place("role_grant"));
        assert!(order.len() > 30);
    }

    #[test]
    fn a_tally_notices_a_changed_value_and_not_another_order() {
        let columns = ["a".to_owned(), "b".to_owned()];
        let rows = [[Value::Int(1), Value::Null], [Value::from("1"), Value::from("")]];
        let tally = |rows: &[[Value; 2]]| {
            let mut tally = Tally::default();
            rows.iter().for_each(|row| tally.add(&columns, row));
            tally
        };
        let [first, second] = rows.clone();
        assert_eq!(tally(&rows), tally(&[second.clone(), first.clone()]));
        assert_ne!(tally(&rows), tally(&[first.clone(), first]));
        assert_ne!(tally(&rows), tally(&[[Value::Int(1), Value::from("")], second]));
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(without_password("postgres://mj:x@h/db"), "postgres://mj:口令@h/db");
        assert_eq!(without_password("sqlite:/a"), "sqlite:/a");
    }
}
