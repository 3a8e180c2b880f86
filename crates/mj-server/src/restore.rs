//! `mingjian restore`: a node as it stood at an instant, into an empty directory, proved against its
//! supervision log.
//!
//! The log's files run ahead of the database that is restored beside them, because they were copied
//! after it; they go back to the last checkpoint that database knew ([`rewind`]). Then every row is
//! held against the log. Keys of persons come from the archive's lists; those that were destroyed since are
//! destroyed again, and nothing there opens them.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::DateTime;
use mj_kernel::clock::{parse_instant, to_rfc3339};
use mj_kernel::{Actor, Instant};
use mj_platform::archive::{Archive, Copy, Files, Kept, read_key_file};
use mj_platform::blob::Blobs;
use mj_platform::durable;
use mj_platform::gm::vault::Vault;
use mj_platform::keys::{Keys, persons};
use mj_platform::ledger::verify::Wanted;
use mj_platform::ledger::{rewind, signed_size};
use mj_platform::{Act, Config, Db, Lane, RowExt, SystemClock};
use serde::{Deserialize, Serialize};

use crate::cli::{Failure, Outcome};

/// Stands in a directory until everything is there and proved.
pub const UNDER_WAY: &str = "restore-under-way";

pub struct Order<'a> {
    pub data_dir: &'a Path,
    pub from: &'a Path,
    pub key: &'a Path,
    /// An instant, or `latest`.
    pub to: &'a str,
    pub checkpoint: Option<&'a Path>,
    /// Where PostgreSQL's own directory goes.
    pub pg_dir: Option<&'a Path>,
}

/// What is left to do, written down in the directory.
#[derive(Debug, Serialize, Deserialize)]
struct Rest {
    to: Instant,
    /// Keys of persons that were destroyed, before that instant or after it.
    erased: Vec<String>,
}

pub async fn run(order: Order<'_>) -> Result<Outcome, Failure> {
    let target = order.data_dir;
    is_empty(target, "数据目录")?;
    // a file that is no checkpoint is said before anything is laid out
    let outside = order.checkpoint.map(crate::ledger::verify::outside).transpose()?;
    let archive = Archive::at(order.from, &read_key_file(order.key)?)?;
    let copies = archive.copies()?;
    let (Some(oldest), Some(newest)) = (copies.first(), copies.last()) else {
        return Err(Failure::Usage(format!("{} 中没有备份", order.from.display())));
    };
    let to = match order.to {
        "latest" => *newest,
        text => parse_instant(text).ok_or_else(|| {
            Failure::Usage(format!("--to {text} 不是时间，例如 \"2026-11-22 09:30:00\" 或 latest"))
        })?,
    };
    let span = || format!("备份从 {} 到 {}", to_rfc3339(*oldest), to_rfc3339(*newest));
    let before = copies.iter().rev().find(|at| **at <= to);
    let postgres = archive.copy(*newest)?.database == "postgres";
    let Some(before) = before.copied() else {
        return Err(Failure::Usage(format!("{} 之前没有备份；{}", order.to, span())));
    };
    if postgres && to > *newest {
        return Err(Failure::Usage(format!("{} 之后没有归档的日志；{}", order.to, span())));
    }
    let start = archive.copy(before)?;
    let files = if postgres {
        let after = copies.iter().find(|at| **at >= to).copied().unwrap_or(*newest);
        let mut files = archive.files_of(&start)?;
        files.extend(archive.files_of(&archive.copy(after)?)?);
        files
    } else {
        archive.files_of(&start)?
    };
    // with SQLite the copy's own instant is reached
    let reached = if postgres { to } else { start.at };
    let erased = archive.erased()?.into_iter().map(|it| it.id);
    let rest = Rest { to: reached, erased: erased.collect() };
    if let Some(pg_dir) = order.pg_dir.filter(|_| postgres) {
        is_empty(pg_dir, "PostgreSQL 目录")?;
    } else if postgres {
        return Err(Failure::Usage(
            "这是 PostgreSQL 的备份，请用 --pg-dir 指定放数据库的空目录".into(),
        ));
    }
    make_folder(target, 0o700)?;
    let text = serde_json::to_string(&rest).map_err(Failure::broken)?;
    durable::put(&target.join(UNDER_WAY), text.as_bytes())?;
    lay_out(&archive, &files, target)?;
    persons::hand_over(&target.join("keys"), &archive.persons()?)?;
    if let Some(pg_dir) = order.pg_dir.filter(|_| postgres) {
        restore_cluster(&archive, to, pg_dir)?;
        durable::settle(pg_dir)?;
        durable::settle(target)?;
        println!("恢复到\t{}\t{}", to_rfc3339(to), to);
        eprintln!(
            "文件已就位。接着以 postgres 用户启动 {}，待恢复完成后执行：\n\
             MINGJIAN_DATABASE_URL=postgres://… mingjian restore --finish --data-dir {}",
            pg_dir.display(),
            target.display()
        );
        return Ok(Outcome::Clean);
    }
    restore_sqlite(&archive, &start, target)?;
    durable::settle(target)?;
    println!("恢复到\t{}\t{}", to_rfc3339(start.at), start.at);
    finish_with(target, outside, Some(own_database(target))).await
}

/// The second half with PostgreSQL, once the cluster has recovered.
pub async fn finish(data_dir: &Path, checkpoint: Option<&Path>) -> Result<Outcome, Failure> {
    if !data_dir.join(UNDER_WAY).exists() {
        return Err(Failure::Usage(format!("{} 没有未完成的恢复", data_dir.display())));
    }
    let outside = checkpoint.map(crate::ledger::verify::outside).transpose()?;
    finish_with(data_dir, outside, None).await
}

fn own_database(target: &Path) -> String {
    format!("sqlite:{}", target.join("db").join("mingjian.sqlite3").display())
}

async fn finish_with(
    target: &Path,
    outside: Option<String>,
    url: Option<String>,
) -> Result<Outcome, Failure> {
    let path = target.join(UNDER_WAY);
    let text = fs::read_to_string(&path).map_err(|error| broken(&path, &error))?;
    let rest: Rest = serde_json::from_str(&text).map_err(Failure::broken)?;
    let config = Config::load(target)?;
    let url = url.unwrap_or_else(|| config.database_url.reveal().to_owned());
    let db = Db::open(&url, Arc::new(SystemClock)).await?;
    db.use_vault(crate::node::vault_of(&config)?);
    let outcome = prove(&config, &db, &rest, outside).await;
    db.close().await;
    let outcome = outcome?;
    if outcome == Outcome::Clean {
        fs::remove_file(&path).map_err(|error| broken(&path, &error))?;
    }
    Ok(outcome)
}

/// The log goes back to what the database knew, every row is held against it, and what must not come
/// back goes again.
async fn prove(
    config: &Config,
    db: &Db,
    rest: &Rest,
    outside: Option<String>,
) -> Result<Outcome, Failure> {
    let dir = &config.data_dir;
    if url_is_sqlite(db) {
        let said = db.fetch_one("SELECT integrity_check AS said FROM pragma_integrity_check", &[]);
        let said = said.await?.text("said")?;
        if said != "ok" {
            return Err(Failure::Broken(format!("恢复出的数据库结构损坏：{said}")));
        }
    }
    let keys = Vault::beside_master(&dir.join("keys"), config.production)?;
    let size = signed_size(db).await?;
    let signed = rewind(&dir.join("log"), size, &keys)?;
    let root = BASE64.encode(signed.root);
    println!("日志根\t{size}\t{root}");
    // a copy of an older version: what looks at it, and writes into it from here on, is this program
    let applied = crate::node::catch_up(config, db).await?;
    if applied > 0 {
        println!("数据库升级\t{applied}");
    }
    let wanted =
        Wanted { outside, up_to: None, added: crate::ledger::added_columns(), ..Wanted::default() };
    let (report, facts) = crate::ledger::verify::look(db, dir, &wanted).await?;
    let lines = crate::ledger::verify::lines(&report, &facts);
    for line in &lines {
        println!("{line}");
    }
    println!("核对\t{} 条日志\t{} 行\t{} 处不符", report.entries, report.rows, lines.len());
    if !lines.is_empty() {
        eprintln!("恢复出的数据与监管日志不符，节点不会启动；请换一个时间或另一份备份");
        return Ok(Outcome::Findings);
    }
    let folder = dir.join("keys");
    let keys = Keys::open(&folder, config.production)?;
    let act = |action| Act::new(&Actor::system("restore"), action, "node:own");
    let erase = act("keys.person.destroy");
    let taken = keys.take_over(&folder, db, erase, &rest.erased).await?;
    println!("再次销毁的个人密钥\t{}", taken.destroyed);
    if taken.missing > 0 {
        println!("缺失的个人密钥\t{}", taken.missing);
        eprintln!("备份的密钥清单（persons/）不完整，节点不会启动；请换一份备份");
        return Ok(Outcome::Findings);
    }
    Blobs::open(dir.join("blobs"), keys)?.sweep_destroyed(db).await?;
    persons::handed_over(&folder, config.production)?;
    let mut tx = db.begin(Lane::People, act("backup.restore")).await?;
    tx.note().await?;
    tx.commit().await?;
    eprintln!("恢复完毕，与监管日志相符。启动前请确认原节点已停止。");
    Ok(Outcome::Clean)
}

fn url_is_sqlite(db: &Db) -> bool {
    db.dialect() == mj_platform::Dialect::Sqlite
}

fn broken(path: &Path, error: &io::Error) -> Failure {
    Failure::Broken(format!("无法写入 {}：{error}", path.display()))
}

fn is_empty(folder: &Path, what: &str) -> Result<(), Failure> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Failure::Usage(format!(
                "{what} {} 不是空的；恢复只写进空目录，已有的数据不会被覆盖",
                folder.display()
            ))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::Broken(format!("无法使用 {}：{error}", folder.display()))),
    }
}

fn make_folder(folder: &Path, mode: u32) -> Result<(), Failure> {
    let made = fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(mode)));
    made.map_err(|error| broken(folder, &error))
}

fn lay_out(archive: &Archive, files: &Files, target: &Path) -> Result<(), Failure> {
    for (name, kept) in files {
        // names come from our own sealed list; one that leads out of the directory is not ours
        if name.split('/').any(|part| part == ".." || part.is_empty()) {
            return Err(Failure::Broken(format!("备份中有不合规的文件名 {name}")));
        }
        let path = target.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| broken(folder, &error))?;
        }
        write_file(archive, kept, &path)?;
    }
    Ok(())
}

fn write_file(archive: &Archive, kept: &Kept, path: &Path) -> Result<(), Failure> {
    let mode = if kept.mode == 0 { 0o600 } else { kept.mode };
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let mut file = BufWriter::new(file.map_err(|error| broken(path, &error))?);
    archive.write_to(kept, &mut file)?;
    let file = file.into_inner().map_err(|error| broken(path, error.error()))?;
    durable::sync(&file).map_err(|error| broken(path, &error))
}

fn restore_sqlite(archive: &Archive, copy: &Copy, target: &Path) -> Result<(), Failure> {
    let folder = target.join("db");
    make_folder(&folder, 0o700)?;
    let path = folder.join("mingjian.sqlite3");
    let db = copy.db.as_ref().ok_or_else(|| Failure::Broken("备份中没有数据库".into()))?;
    write_file(archive, db, &path)?;
    if let Some(wal) = copy.wal.as_ref().filter(|wal| wal.size > 0) {
        write_file(archive, wal, &folder.join("mingjian.sqlite3-wal"))?;
    }
    Ok(())
}

/// The base before the instant, the server's log, and the word how far to go.
fn restore_cluster(archive: &Archive, to: Instant, pg_dir: &Path) -> Result<(), Failure> {
    let bases = archive.bases()?;
    let base = bases.iter().rev().find(|at| **at <= to).copied();
    let base = base.ok_or_else(|| {
        Failure::Usage(format!("{} 之前没有 PostgreSQL 的基础备份", to_rfc3339(to)))
    })?;
    make_folder(pg_dir, 0o700)?;
    let mut tar = Command::new("tar")
        .args(["-x", "-f", "-", "-C"])
        .arg(pg_dir)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::Broken(format!("无法执行 tar：{error}")))?;
    if let Some(mut input) = tar.stdin.take() {
        archive.write_to(&archive.base(base)?.tar, &mut input)?;
    }
    if !tar.wait().is_ok_and(|status| status.success()) {
        return Err(Failure::Broken("tar 未能展开基础备份".into()));
    }
    let wal: PathBuf = pg_dir.join("mingjian_wal");
    make_folder(&wal, 0o700)?;
    for name in archive.wal()? {
        let path = wal.join(&name);
        fs::write(&path, archive.wal_bytes(&name)?).map_err(|error| broken(&path, &error))?;
    }
    let until = DateTime::from_timestamp_micros(to).unwrap_or_default();
    let settings = format!(
        "\nrestore_command = 'cp \"{}/%f\" \"%p\"'\nrecovery_target_time = '{}'\n\
         recovery_target_action = 'promote'\narchive_mode = off\n",
        wal.display(),
        until.format("%Y-%m-%d %H:%M:%S%.6f+00")
    );
    let path = pg_dir.join("postgresql.auto.conf");
    let file = OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(settings.as_bytes()));
    written.map_err(|error| broken(&path, &error))?;
    let signal = pg_dir.join("recovery.signal");
    fs::write(&signal, "").map_err(|error| broken(&signal, &error))
}
