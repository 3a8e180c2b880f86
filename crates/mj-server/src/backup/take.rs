//! One copy: the files, the database as it stands at one instant, and the files that came meanwhile.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use mj_kernel::{Clock, Instant};
use mj_platform::archive::{Archive, Copy, Erased, Files, Kept};
use mj_platform::{Config, Db, RowExt, SystemClock};
use rusqlite::{Connection, OpenFlags};

use super::{Order, persons, postgres};
use crate::cli::Failure;
use crate::standing::sqlite_path;

pub struct Taken {
    pub at: Instant,
    pub files: usize,
    pub pieces: usize,
}

/// Not part of a node, or copied in a way of its own.
const LEFT_OUT: [&str; 3] = ["LOCK", "db", crate::restore::UNDER_WAY];

pub async fn take(config: &Config, archive: &Archive, order: &Order<'_>) -> Result<Taken, Failure> {
    archive.begin()?;
    let last = match archive.copies()?.last() {
        // a copy under a key that is gone is of no use for comparing
        Some(at) => archive.copy(*at).and_then(|copy| archive.files_of(&copy)).unwrap_or_default(),
        None => Files::new(),
    };
    let mut walk =
        Walk { archive, root: &config.data_dir, known: last, found: Files::new(), new: 0 };
    walk.all()?;
    let is_sqlite = config.database_url.reveal().starts_with("sqlite:");
    let (at, db, wal) = if is_sqlite {
        sqlite(sqlite_path(config.database_url.reveal()), archive, &mut walk.new)?
    } else {
        (postgres::take(config, archive, order).await?, None, None)
    };
    // what the database names was there before it was read, or is there now
    walk.known = walk.found.clone();
    walk.all()?;
    let copy = Copy {
        v: 1,
        at,
        database: if is_sqlite { "sqlite" } else { "postgres" }.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        db,
        wal,
        folders: archive.keep_list(&walk.found)?,
    };
    if is_sqlite {
        let url = config.database_url.reveal();
        let beside = Db::open_to_read(url, Arc::new(SystemClock)).await?;
        let kept = persons::keep(config, &beside, archive, order.prune).await;
        beside.close().await;
        kept?;
    }
    archive.record(&copy)?;
    archive.end()?;
    Ok(Taken { at, files: walk.found.len(), pieces: walk.new })
}

/// The keys of persons that were destroyed so far.
pub async fn erased(db: &Db) -> Result<Vec<Erased>, Failure> {
    let rows = db.fetch_all("SELECT id, erased_at FROM erasure ORDER BY id", &[]).await?;
    let mut erased = Vec::new();
    for row in rows {
        erased.push(Erased { id: row.text("id")?, at: row.int("erased_at")? });
    }
    Ok(erased)
}

struct Walk<'a> {
    archive: &'a Archive,
    root: &'a Path,
    /// As they were last time.
    known: Files,
    found: Files,
    new: usize,
}

impl Walk<'_> {
    fn all(&mut self) -> Result<(), Failure> {
        self.folder(self.root, "")
    }

    fn folder(&mut self, folder: &Path, name: &str) -> Result<(), Failure> {
        let broken = |path: &Path, error: io::Error| {
            Failure::Broken(format!("无法读取 {}：{error}", path.display()))
        };
        for entry in fs::read_dir(folder).map_err(|error| broken(folder, error))? {
            let path = entry.map_err(|error| broken(folder, error))?.path();
            let Some(own) = path.file_name().and_then(|own| own.to_str()) else { continue };
            let is_apart = name == "keys" && mj_platform::keys::persons::stays_here(own);
            if name.is_empty() && LEFT_OUT.contains(&own) || own.ends_with(".partial") || is_apart {
                continue;
            }
            let place = if name.is_empty() { own.to_owned() } else { format!("{name}/{own}") };
            let kept = match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => {
                    self.folder(&path, &place)?;
                    continue;
                }
                Ok(meta) => self.file(&path, &place, &meta),
                Err(error) => Err(error),
            };
            match kept {
                Ok(kept) => {
                    self.found.insert(place, kept);
                }
                // moved away since the folder was listed
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(broken(&path, error)),
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, place: &str, meta: &fs::Metadata) -> io::Result<Kept> {
        let changed = meta.mtime() * 1_000_000_000 + meta.mtime_nsec();
        if let Some(known) = self.known.get(place)
            && (known.size, known.changed) == (meta.len(), changed)
        {
            return Ok(known.clone());
        }
        let mut file = File::open(path)?;
        let kept = self.archive.keep(&mut file, u64::MAX).map_err(io::Error::other)?;
        self.new += kept.pieces.len();
        Ok(Kept { changed, mode: meta.permissions().mode() & 0o777, ..kept })
    }
}

type Database = (Instant, Option<Kept>, Option<Kept>);

/// The database file under a reading transaction, which keeps checkpoints from overwriting what that
/// reader sees; then the write-ahead log while nobody may write. Together they are the state of that
/// instant: opening the two replays the log.
fn sqlite(path: &str, archive: &Archive, new: &mut usize) -> Result<Database, Failure> {
    if !Path::new(path).exists() {
        return Err(Failure::Usage(format!("没有数据库 {path}；请先启动一次节点")));
    }
    let failed = |error: rusqlite::Error| Failure::Broken(format!("数据库无法读取：{error}"));
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch("PRAGMA busy_timeout=30000")?;
        Ok(connection)
    };
    let reader = open().map_err(failed)?;
    reader.execute_batch("BEGIN; SELECT COUNT(*) FROM sqlite_master").map_err(failed)?;
    let broken = |error: io::Error| Failure::Broken(format!("无法读取 {path}：{error}"));
    // held until the connections are closed: closing it would let go of their locks
    let mut file = File::open(path).map_err(broken)?;
    let mut count = |kept: Kept| {
        *new += kept.pieces.len();
        kept
    };
    let db = count(archive.keep(&mut file, u64::MAX)?);
    let writer = open().map_err(failed)?;
    writer.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let at = SystemClock.now();
    let mut log = Vec::new();
    match File::open(format!("{path}-wal")) {
        Ok(mut wal) => drop(wal.read_to_end(&mut log).map_err(broken)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(broken(error)),
    }
    for connection in [writer, reader] {
        connection.execute_batch("ROLLBACK").map_err(failed)?;
        connection.close().map_err(|(_, error)| failed(error))?;
    }
    drop(file);
    let wal = count(archive.keep(&mut log.as_slice(), u64::MAX)?);
    Ok((at, Some(db), Some(wal)))
}
