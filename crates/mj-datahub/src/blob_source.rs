//! A stored blob as something a table reader can seek in.
//!
//! Blobs are encrypted and compressed, so they stream but do not seek. Text files are read from
//! front to back and only look at their beginning twice: seeking back opens the blob anew. Workbooks
//! seek all over: small ones are held in memory, larger ones in a file without a name that is gone
//! with the process.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;

use mj_platform::Db;
use mj_platform::blob::Blobs;
use tokio::runtime::Handle;

use crate::error::{Error, Result};

/// Up to this size a workbook is held in memory.
const IN_MEMORY: u64 = 48 << 20;

/// Opens a blob for `mj_tabular`. Blocking; call it off the async threads.
pub fn open(
    handle: &Handle,
    db: &Db,
    blobs: &Blobs,
    blob_id: &str,
    size: u64,
    scratch: &Path,
) -> Result<Box<dyn mj_tabular::Source>> {
    let mut stream = Rewinding {
        handle: handle.clone(),
        db: db.clone(),
        blobs: blobs.clone(),
        blob_id: blob_id.to_owned(),
        size,
        inner: None,
        at: 0,
    };
    let mut magic = [0; 4];
    let seen = read_up_to(&mut stream, &mut magic).map_err(mj_platform::Error::io("blob"))?;
    stream.seek(SeekFrom::Start(0)).map_err(mj_platform::Error::io("blob"))?;
    if magic[..seen] != *b"PK\x03\x04" {
        return Ok(Box::new(stream));
    }
    if size <= IN_MEMORY {
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        stream.read_to_end(&mut bytes).map_err(mj_platform::Error::io("blob"))?;
        return Ok(Box::new(Cursor::new(bytes)));
    }
    let mut file = nameless(scratch)?;
    io::copy(&mut stream, &mut file).map_err(mj_platform::Error::io(scratch))?;
    file.flush().map_err(mj_platform::Error::io(scratch))?;
    file.seek(SeekFrom::Start(0)).map_err(mj_platform::Error::io(scratch))?;
    Ok(Box::new(file))
}

fn nameless(folder: &Path) -> Result<File> {
    std::fs::create_dir_all(folder).map_err(mj_platform::Error::io(folder))?;
    let path = folder.join(format!("{}.tmp", mj_platform::new_id()));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(mj_platform::Error::io(&path))?;
    // the name goes at once: nobody else can open it, and a kill leaves nothing behind
    std::fs::remove_file(&path).map_err(mj_platform::Error::io(&path)).map_err(Error::from)?;
    Ok(file)
}

fn read_up_to(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

struct Rewinding {
    handle: Handle,
    db: Db,
    blobs: Blobs,
    blob_id: String,
    size: u64,
    inner: Option<(u64, Box<dyn Read + Send>)>,
    at: u64,
}

impl Rewinding {
    /// The stream at the position asked for; opens it anew when that lies behind.
    fn stream(&mut self) -> io::Result<&mut (u64, Box<dyn Read + Send>)> {
        if self.inner.as_ref().is_none_or(|(position, _)| *position > self.at) {
            let reading = self.blobs.read(&self.db, &self.blob_id);
            let reader = self.handle.block_on(reading).map_err(io::Error::other)?;
            self.inner = Some((0, reader));
        }
        let (position, reader) =
            self.inner.as_mut().ok_or_else(|| io::Error::other("文件未能打开"))?;
        let skip = self.at - *position;
        if skip > 0 {
            io::copy(&mut reader.by_ref().take(skip), &mut io::sink())?;
            *position = self.at;
        }
        self.inner.as_mut().ok_or_else(|| io::Error::other("文件未能打开"))
    }
}

impl Read for Rewinding {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (position, reader) = self.stream()?;
        let count = reader.read(buffer)?;
        *position += count as u64;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Rewinding {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => i128::from(at),
            SeekFrom::End(by) => i128::from(self.size) + i128::from(by),
            SeekFrom::Current(by) => i128::from(self.at) + i128::from(by),
        };
        self.at = u64::try_from(target)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "不能移到文件开头之前"))?;
        Ok(self.at)
    }
}
