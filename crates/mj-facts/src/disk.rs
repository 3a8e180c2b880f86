//! The disk as the store needs it: write once, make durable, read at a place. A port, because the
//! crash tests put a disk behind it that forgets whatever was not synced and fails when it is full.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// A file being written: nothing is promised before [`WriteFile::sync`] returned.
pub trait WriteFile: Write + Send {
    fn sync(&mut self) -> io::Result<()>;
}

/// A finished file. Stays readable while held, even if it is removed meanwhile.
pub trait ReadFile: Send + Sync {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
    fn size(&self) -> io::Result<u64>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub is_folder: bool,
    /// µs since 1970, as the file system says.
    pub modified_at: i64,
}

/// Paths are relative to the folder of segments and use `/`.
pub trait Disk: Send + Sync {
    fn create(&self, path: &str) -> io::Result<Box<dyn WriteFile>>;
    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadFile>>;
    fn make_folder(&self, path: &str) -> io::Result<()>;
    /// Makes names in a folder durable; `""` is the folder of segments itself.
    fn sync_folder(&self, path: &str) -> io::Result<()>;
    fn list(&self, path: &str) -> io::Result<Vec<Entry>>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, path: &str) -> io::Result<()>;
}

/// The folder `segments/` of the data directory.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    pub fn new(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        if let Some(parent) = root.parent() {
            sync_path(parent)?;
        }
        Ok(Self { root })
    }

    /// A folder that is there already and is only read.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

fn sync_path(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    mj_platform::durable::sync(&File::open(path)?)
}

impl WriteFile for File {
    fn sync(&mut self) -> io::Result<()> {
        mj_platform::durable::sync(self)
    }
}

impl ReadFile for File {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, into, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn WriteFile>> {
        let file = File::options().write(true).create_new(true).open(self.path(path))?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadFile>> {
        Ok(Arc::new(File::open(self.path(path))?))
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        fs::create_dir_all(self.path(path))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        sync_path(&self.path(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.path(path))? {
            let entry = entry?;
            let meta = entry.metadata()?;
            let modified = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            entries.push(Entry {
                name: entry.file_name().to_string_lossy().into_owned(),
                is_folder: meta.is_dir(),
                modified_at: i64::try_from(modified.as_micros()).unwrap_or(i64::MAX),
            });
        }
        Ok(entries)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }
}
