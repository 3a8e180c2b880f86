//! Making things durable, and stopping when that fails.
//!
//! After a failed `fsync` nobody knows what is on the disk, and asking again says "done" while the bytes
//! are gone. So the process ends at once, answers nothing any more, and the next start reads what is
//! really there. A full disk is no such failure: it is told to whoever asked, and the node goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::db::{Db, Dialect, RowExt};
use crate::error::{Error, Result};

/// `sync_all`, for everything that somebody was or will be told is kept.
pub fn sync(file: &File) -> io::Result<()> {
    file.sync_all().inspect_err(stop_if_failing)
}

/// Makes the names in a folder durable: a file whose name is lost is lost.
pub fn sync_folder(folder: &Path) -> Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|folder| sync(&folder)).map_err(Error::io(folder))
}

/// Gives a file the name under which it is looked for, for good: its content must be durable already.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(Error::io(to))?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// A file in place of the one there, whole or not at all, and kept once this returns.
pub fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    put_with(path, bytes, OpenOptions::new().write(true).create(true).truncate(true))
}

/// The same, readable for its owner alone.
pub fn put_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    put_with(path, bytes, &options)
}

fn put_with(path: &Path, bytes: &[u8], options: &OpenOptions) -> Result<()> {
    let partial = partial(path);
    let mut file = options.open(&partial).map_err(Error::io(&partial))?;
    file.write_all(bytes).map_err(Error::io(&partial))?;
    sync(&file).map_err(Error::io(&partial))?;
    rename(&partial, path)
}

/// What a file is called whose bytes are being overwritten.
const GONE: &str = ".gone";

/// Removes a file whose content must not be found again: its bytes are overwritten where they stand. A disk
/// or file system that writes elsewhere (flash, snapshots) keeps them until it needs the place.
pub fn overwrite_and_remove(path: &Path) -> Result<()> {
    // under another name first: half overwritten nobody may take it for what it was
    let mut name = path.as_os_str().to_owned();
    name.push(GONE);
    let doomed = PathBuf::from(name);
    rename(path, &doomed)?;
    blank_and_remove(&doomed)
}

/// Removes what a call of [`overwrite_and_remove`] that was broken off left in a folder.
pub fn remove_doomed(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.to_str().is_some_and(|name| name.ends_with(GONE)) {
            blank_and_remove(&path)?;
        }
    }
    Ok(())
}

fn blank_and_remove(path: &Path) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path);
    file.and_then(|mut file| blank(&mut file)).map_err(Error::io(path))?;
    fs::remove_file(path).map_err(Error::io(path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// [`put`] in place of a file whose content must not be found again.
pub fn put_over(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut old = match OpenOptions::new().write(true).open(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io(path)(error)),
    };
    put(path, bytes)?;
    // its name is gone, its place on the disk is not
    old.as_mut().map_or(Ok(()), |old| blank(old).map_err(Error::io(path)))
}

fn blank(file: &mut File) -> io::Result<()> {
    let size = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(size), file)?;
    sync(file)
}

/// Makes everything below a folder durable at once, names and contents, where it is many files.
pub fn settle(folder: &Path) -> Result<()> {
    let place = File::open(folder).map_err(Error::io(folder))?;
    let settled = rustix::fs::syncfs(&place).map_err(io::Error::from);
    settled.inspect_err(stop_if_failing).map_err(Error::io(folder))
}

/// What a file is called until it is whole.
pub fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

pub(crate) fn stop_if_failing(error: &io::Error) {
    if error.raw_os_error() == Some(Errno::IO.raw_os_error()) {
        stop(error);
    }
}

/// SQLite's extended codes of a failed write or `fsync` of a file or folder.
const FAILING: [i32; 3] = [778, 1034, 1290];

pub(crate) fn stop_if_database_failing(error: &rusqlite::Error) {
    if let rusqlite::Error::SqliteFailure(cause, _) = error
        && FAILING.contains(&cause.extended_code)
    {
        stop(error);
    }
}

fn stop(error: &dyn std::fmt::Display) -> ! {
    tracing::error!(error = %error, "磁盘写入失败，节点立即停止：请检查磁盘，再启动节点");
    eprintln!("磁盘写入失败，节点立即停止：请检查磁盘，再启动节点（{error}）");
    // no unwinding, no draining: whatever would still be answered might not be kept
    std::process::exit(3)
}

/// What PostgreSQL must promise, the value that breaks it, and what that costs.
const PROMISES: [(&str, &str, &str); 4] = [
    ("fsync", "off", "断电会丢失已确认的数据；请改为 on 后重新启动数据库"),
    ("full_page_writes", "off", "断电会丢失已确认的数据；请改为 on 后重新启动数据库"),
    ("synchronous_commit", "off", "断电会丢失已确认的数据；请改为 on 后重新启动数据库"),
    (
        "data_checksums",
        "off",
        "磁盘上的坏页不会被发现；请停止数据库，以 postgres 用户执行 pg_checksums --enable -D 数据库目录，再启动",
    ),
];

/// A server that may forget what it said is committed, or that does not notice what its disk damaged, is
/// refused, unless it says of itself that its data is thrown away (`mingjian.throwaway = on`, for tests);
/// in production also then.
pub async fn check_server(db: &Db, production: bool) -> Result<()> {
    if db.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let asked = PROMISES.map(|(name, ..)| format!("current_setting('{name}') AS {name}"));
    let asked = format!(
        "SELECT {}, COALESCE(current_setting('mingjian.throwaway', true), '') AS throwaway",
        asked.join(", ")
    );
    let row = db.fetch_one(&asked, &[]).await?;
    if row.text("throwaway")? == "on" && !production {
        return Ok(());
    }
    let mut broken = Vec::new();
    for (name, value, why) in PROMISES {
        if row.text(name)? == value {
            broken.push(format!("PostgreSQL 的 {name} = {value}：{why}"));
        }
    }
    match broken.is_empty() {
        true => Ok(()),
        // all at once, so that the server is stopped once
        false => Err(Error::Config(broken.join("\n"))),
    }
}

/// Whether the database notices a page that came back from the disk otherwise than it went there; also
/// true where its data is thrown away. SQLite's indexes are held against their rows by `doctor`.
pub async fn has_checksums(db: &Db, production: bool) -> Result<bool> {
    if db.dialect() == Dialect::Sqlite {
        return Ok(true);
    }
    let asked = "SELECT current_setting('data_checksums') AS checksums, \
                 COALESCE(current_setting('mingjian.throwaway', true), '') AS throwaway";
    let row = db.fetch_one(asked, &[]).await?;
    Ok(row.text("checksums")? == "on" || (row.text("throwaway")? == "on" && !production))
}
