//! PostgreSQL: a base from `pg_basebackup` once a day, and its own log in between, which
//! `archive_command` leaves in a folder and every copy takes from there, encrypted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mj_kernel::{Actor, Clock, Instant};
use mj_platform::archive::{Archive, Base};
use mj_platform::{Act, Config, Db, Lane, RowExt, SystemClock};

use super::{Order, persons};
use crate::cli::Failure;

/// A base so old makes restoring slow.
const BASE_EVERY: Instant = 86_400_000_000;
/// How long the server may take to hand a finished segment over.
const HANDED_OVER_WITHIN: u32 = 150;

pub async fn take(
    config: &Config,
    archive: &Archive,
    order: &Order<'_>,
) -> Result<Instant, Failure> {
    let folder = config.backups.wal_folder.as_deref().ok_or_else(|| {
        Failure::Usage(
            "PostgreSQL 的备份需要 [backup] wal_folder：archive_command 把日志放在哪里（见 docs/operate.md）"
                .into(),
        )
    })?;
    let db = Db::open(config.database_url.reveal(), Arc::new(SystemClock)).await?;
    db.use_vault(crate::node::vault_of(config)?);
    let taken = take_from(config, archive, order, folder, &db).await;
    db.close().await;
    taken
}

async fn take_from(
    config: &Config,
    archive: &Archive,
    order: &Order<'_>,
    folder: &Path,
    db: &Db,
) -> Result<Instant, Failure> {
    let newest = archive.bases()?.last().copied();
    let now = SystemClock.now();
    if order.base || newest.is_none_or(|at| now - at > BASE_EVERY) {
        let tar = take_base(config.database_url.reveal(), archive)?;
        archive.record_base(&Base { v: 1, at: SystemClock.now(), tar })?;
    }
    let at = SystemClock.now();
    // a commit of its own behind the instant: recovery stops at the first one after its target
    let act = Act::new(&Actor::system("backup"), "backup.take", "");
    let mut tx = db.begin(Lane::Bulk, act).await?;
    let mark = "INSERT INTO backup_mark (id, at) VALUES (1, $1) \
                ON CONFLICT (id) DO UPDATE SET at = excluded.at";
    tx.execute(mark, &[at.into()]).await?;
    tx.commit().await?;
    hand_over(db).await?;
    // no key may be committed in the log that is taken and not stand in the lists
    let left = left_in(folder)?;
    persons::keep(config, db, archive, order.prune).await?;
    sweep(&left, archive)?;
    Ok(at)
}

/// Has the server finish the segment it writes to and waits until that is in the folder.
async fn hand_over(db: &Db) -> Result<(), Failure> {
    let segment = "SELECT CAST(pg_walfile_name(pg_switch_wal()) AS TEXT) AS name";
    let Ok(row) = db.fetch_one(segment, &[]).await else {
        // the role may not: archive_timeout does it in its own time
        return Ok(());
    };
    let name = row.text("name")?;
    let asked = "SELECT COALESCE(last_archived_wal, '') AS last, COALESCE(last_failed_wal, '') \
                 AS failed FROM pg_stat_archiver";
    for _ in 0..HANDED_OVER_WITHIN {
        let row = db.fetch_one(asked, &[]).await?;
        if row.text("last")? >= name {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(Failure::Broken(format!(
        "PostgreSQL 没有把日志 {name} 归档：请检查 archive_mode、archive_command（见 docs/operate.md）"
    )))
}

fn broken(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Broken(format!("无法使用 {}：{error}", path.display()))
}

/// What the server left for the archive, by name.
fn left_in(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut left = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|error| broken(folder, &error))? {
        let path = entry.map_err(|error| broken(folder, &error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let whole = name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if whole || name.ends_with(".history") || name.ends_with(".backup") {
            left.insert(name.to_owned(), path);
        }
    }
    Ok(left)
}

/// Takes it into the archive, and from the folder only then.
fn sweep(left: &BTreeMap<String, PathBuf>, archive: &Archive) -> Result<(), Failure> {
    for (name, path) in left {
        let bytes = fs::read(path).map_err(|error| broken(path, &error))?;
        archive.keep_wal(name, &bytes)?;
        fs::remove_file(path).map_err(|error| broken(path, &error))?;
    }
    Ok(())
}

fn take_base(url: &str, archive: &Archive) -> Result<mj_platform::archive::Kept, Failure> {
    let (url, password) = split(url);
    let program = program("pg_basebackup");
    let mut command = Command::new(&program);
    command.args(["-d", &url, "-D", "-", "-F", "tar", "-X", "none", "-c", "fast", "--no-sync"]);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let failed =
        |error: std::io::Error| Failure::Broken(format!("无法执行 {}：{error}", program.display()));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let Some(mut out) = child.stdout.take() else {
        return Err(Failure::Broken("pg_basebackup 没有输出".into()));
    };
    let kept = archive.keep(&mut out, u64::MAX)?;
    drop(out);
    let status = child.wait().map_err(failed)?;
    if !status.success() {
        return Err(Failure::Broken(
            "pg_basebackup 未成：数据库角色须有 REPLICATION 权限，pg_hba.conf 须允许 replication 连接"
                .into(),
        ));
    }
    Ok(kept)
}

/// The password apart: arguments of a process are everybody's to read.
fn split(url: &str) -> (String, Option<String>) {
    let parts = url.split_once("://").and_then(|(scheme, rest)| {
        let (user, place) = rest.split_once('@')?;
        let (user, password) = user.split_once(':')?;
        // the environment takes it as it is, not as a URL writes it
        let password = percent_encoding::percent_decode_str(password).decode_utf8().ok()?;
        Some((format!("{scheme}://{user}@{place}"), password.into_owned()))
    });
    parts.map_or_else(|| (url.to_owned(), None), |(url, password)| (url, Some(password)))
}

/// A program of PostgreSQL: from the path, or where Debian keeps it.
fn program(name: &str) -> PathBuf {
    let in_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    });
    let debian = || {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut found: Vec<PathBuf> = versions
            .flatten()
            .map(|version| version.path().join("bin").join(name))
            .filter(|file| file.is_file())
            .collect();
        found.sort();
        found.pop()
    };
    in_path.or_else(debian).unwrap_or_else(|| PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_password_is_no_argument() {
        let (url, password) = split("postgres://mj:secret@db:5432/mj");
        assert_eq!(
            (url.as_str(), password.as_deref()),
            ("postgres://mj@db:5432/mj", Some("secret"))
        );
        assert_eq!(split("postgres://mj@db/mj").1, None);
        let written = "postgres://mj:p%40ss%2Fw:rd%25+%E6%B5%B7@db/mj";
        assert_eq!(split(written).1.as_deref(), Some("p@ss/w:rd%+海"));
    }
}
