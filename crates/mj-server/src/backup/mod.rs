//! `mingjian backup`: an encrypted copy of a node, also beside the running one, and every minute while
//! it serves. What did not change since the last copy is not written again.
//!
//! The keys of persons are in no copy but in lists beside them ([`persons`]). Restoring is
//! [`crate::restore`]. The copy of a running SQLite is made by a process of its own:
//! POSIX locks are gone as soon as a process closes any handle of the file.

pub mod persons;
mod postgres;
mod take;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mj_kernel::Instant;
use mj_kernel::clock::to_rfc3339;
use mj_platform::archive::Archive;
use mj_platform::config::Backups;
use mj_platform::gm::vault::Vault;
use mj_platform::{Config, Db};

use crate::cli::{Failure, Outcome};

const DAY: Instant = 86_400_000_000;
/// So long every copy stays.
const EVERY_COPY: Instant = 2 * DAY;

pub struct Order<'a> {
    pub data_dir: &'a Path,
    /// Another place than the configuration names.
    pub into: Option<PathBuf>,
    /// A new base, with PostgreSQL.
    pub base: bool,
    /// Also forget what is older than configured, and look through every list of keys.
    pub prune: bool,
}

pub async fn run(order: Order<'_>) -> Result<Outcome, Failure> {
    let data_dir = order.data_dir;
    if !data_dir.join("keys").join(mj_platform::keys::MASTER).exists() {
        return Err(Failure::Usage(format!("{} 不是明鉴的数据目录", data_dir.display())));
    }
    let config = Config::load(data_dir)?;
    let folder = order.into.clone().or_else(|| config.backups.folder.clone());
    let folder = folder.ok_or_else(|| {
        Failure::Usage("请用 --into 指定备份存放处，或在 mingjian.toml 中写 [backup] folder".into())
    })?;
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::Broken(format!("无法建立 {}：{error}", folder.display())))?;
    let (inner, outer) = (canonical(&folder)?, canonical(data_dir)?);
    if inner.starts_with(&outer) {
        return Err(Failure::Usage("备份存放处不能在数据目录里面".into()));
    }
    let keys = Vault::beside_master(&data_dir.join("keys"), config.production)?;
    let archive = Archive::open(&folder, &keys.backup_secrets()?)?;
    let _lock =
        crate::node::lock(&folder)?.ok_or_else(|| Failure::Usage("另一个备份正在进行".into()))?;
    let taken = take::take(&config, &archive, &order).await?;
    println!("{}\t{}", to_rfc3339(taken.at), taken.at);
    eprintln!("已备份到 {}：{} 个文件，新写 {} 块", folder.display(), taken.files, taken.pieces);
    if order.prune {
        let gone = prune(&archive, taken.at, config.backups.keep_days)?;
        eprintln!("清除了 {gone} 块过期的内容");
    }
    Ok(Outcome::Clean)
}

fn canonical(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize()
        .map_err(|error| Failure::Broken(format!("无法使用 {}：{error}", path.display())))
}

/// The key without which nothing of the copies can be read, as a file for another place.
pub fn export_key(data_dir: &Path, out: &Path) -> Result<Outcome, Failure> {
    let config = Config::load(data_dir)?;
    let keys = Vault::beside_master(&data_dir.join("keys"), config.production)?;
    if out.exists() {
        return Err(Failure::Usage(format!("{} 已经存在，不覆盖", out.display())));
    }
    let text = mj_platform::archive::key_file(&keys.backup_secrets()?);
    mj_platform::keys::write_private(out, &text)?;
    eprintln!("备份密钥已写入 {}。请与备份分开保管：没有它，备份无法恢复。", out.display());
    Ok(Outcome::Clean)
}

/// Every copy of two days, then the last of each day, then nothing.
fn prune(archive: &Archive, now: Instant, keep_days: u32) -> Result<usize, Failure> {
    let copies = archive.copies()?;
    let doomed = doomed(&copies, now, keep_days);
    if doomed.is_empty() {
        return Ok(0);
    }
    Ok(archive.forget(&doomed)?)
}

fn doomed(copies: &[Instant], now: Instant, keep_days: u32) -> Vec<Instant> {
    let old = copies.iter().enumerate().filter(|(_, at)| now - **at > EVERY_COPY);
    let doomed = old.filter(|(place, at)| {
        let later = copies.get(place + 1);
        let last_of_its_day = later.is_none_or(|later| later / DAY != **at / DAY);
        !last_of_its_day || now - **at > i64::from(keep_days.max(2)) * DAY
    });
    // the newest of all stays whatever its age
    doomed.map(|(_, at)| *at).filter(|at| Some(at) != copies.last()).collect()
}

/// Copies while the node serves.
pub struct Watch {
    pub db: Db,
    pub data_dir: PathBuf,
    pub backups: Backups,
}

impl Watch {
    pub async fn watch(&self, stop: impl Future<Output = ()>) {
        let Backups { folder, every_minutes, .. } = &self.backups;
        if folder.is_none() || *every_minutes == 0 {
            return stop.await;
        }
        let every = Duration::from_secs(u64::from(*every_minutes) * 60);
        tokio::pin!(stop);
        let mut pruned = self.db.clock().now();
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(every) => {}
            }
            let now = self.db.clock().now();
            let prune = now - pruned > DAY;
            if prune {
                pruned = now;
            }
            let data_dir = self.data_dir.clone();
            let done = tokio::task::spawn_blocking(move || spawn(&data_dir, prune)).await;
            match done {
                Ok(Ok(())) => {}
                Ok(Err(why)) => tracing::error!(error = %why, "备份未成，稍后重试"),
                Err(error) => tracing::error!(error = %error, "备份程序中断"),
            }
        }
    }
}

fn spawn(data_dir: &Path, prune: bool) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = std::process::Command::new(program);
    command.arg("backup").arg("--data-dir").arg(data_dir);
    if prune {
        command.arg("--prune");
    }
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_of_two_days_and_then_one_a_day() {
        let now = 100 * DAY;
        let hours = |back: i64| now - back * 3_600_000_000;
        let copies = [hours(24 * 50), hours(24 * 10 + 5), hours(24 * 10 + 1), hours(3), hours(1)];
        assert_eq!(doomed(&copies, now, 35), [copies[0], copies[1]]);
        assert_eq!(doomed(&copies[..1], now, 35), Vec::<Instant>::new(), "the only one stays");
    }
}
