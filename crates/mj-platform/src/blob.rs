//! Delivered files, kept whole, compressed and encrypted, found by their SHA-256.
//!
//! On disk: `blobs/<first two digits>/<sha256>` = frames of `u32 length ‖ SM4-GCM(zstd)`, each frame
//! bound to its number, a last empty frame marking the end. The row in table `blob`
//! (size, SM3, wrapped key) makes the file part of the truth; a file without a row is an orphan.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};
use zstd::bulk::Compressor;

use crate::db::door::{TruthTable, WriteTx};
use crate::db::{Db, RowExt};
use crate::durable;
use crate::error::{Error, Result};
use crate::gm::{Sm3, Sm4Key};
use crate::keys::Keys;
use crate::new_id;

pub const BLOB: TruthTable = TruthTable {
    name: "blob",
    columns: &["id", "file", "sm3", "size", "stored_size", "wrapped_key", "created_at"],
};

const FRAME: usize = 1 << 20;

#[derive(Clone, Debug)]
pub struct Blobs {
    folder: PathBuf,
    keys: Keys,
}

/// A file that is safely on disk, not yet part of the truth.
#[derive(Debug, Clone)]
pub struct StoredBlob {
    pub sha256: String,
    pub sm3: String,
    pub size: i64,
    /// Its name below `blobs/`.
    file: String,
    stored_size: i64,
    wrapped_key: Vec<u8>,
}

impl Blobs {
    pub fn open(folder: impl Into<PathBuf>, keys: Keys) -> Result<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        Ok(Self { folder, keys })
    }

    /// Writes the bytes and syncs them. Blocking: call it off the async threads.
    pub fn store(&self, mut source: impl Read) -> Result<StoredBlob> {
        let partial = self.folder.join(format!("{}.partial", new_id()));
        let outcome = self.store_at(&partial, &mut source);
        if outcome.is_err() {
            // nothing refers to it; leaving it would only fill the disk further
            let _ = std::fs::remove_file(&partial);
        }
        outcome
    }

    fn store_at(&self, partial: &Path, source: &mut dyn Read) -> Result<StoredBlob> {
        let file = File::create(partial).map_err(Error::io(partial))?;
        let key = Sm4Key::generate();
        let sealer = Sealer::new(file, key.clone()).map_err(Error::io(partial))?;
        let (sums, sealer) = copy(source, sealer).map_err(Error::io(partial))?;
        let file = sealer.finish().map_err(Error::io(partial))?;
        durable::sync(&file).map_err(Error::io(partial))?;
        let stored_size = file.metadata().map_err(Error::io(partial))?.len() as i64;
        let Sums { sha256, sm3, size } = sums;
        let place = self.path(&sha256);
        let shelf = place.parent().unwrap_or(&self.folder).to_owned();
        std::fs::create_dir_all(&shelf).map_err(Error::io(&shelf))?;
        // each storing has its own key, so a file already there belongs to an older row
        let place = if place.exists() { place.with_extension(new_id()) } else { place };
        std::fs::rename(partial, &place).map_err(Error::io(&place))?;
        for folder in [&shelf, &self.folder] {
            File::open(folder).and_then(|dir| durable::sync(&dir)).map_err(Error::io(folder))?;
        }
        let name = place.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        Ok(StoredBlob {
            wrapped_key: self.keys.wrap_key(&key, &sha256),
            file: format!("{}/{name}", &sha256[..2]),
            sha256,
            sm3,
            size,
            stored_size,
        })
    }

    /// Makes the blob part of the truth, in the transaction of the row that refers to it.
    /// Storing the same bytes twice keeps the first copy.
    pub async fn record(&self, tx: &mut WriteTx, blob: &StoredBlob) -> Result<()> {
        let known = tx
            .fetch_optional("SELECT id FROM blob WHERE id = $1", &[blob.sha256.as_str().into()])
            .await?;
        if known.is_some() {
            return Ok(());
        }
        let now = tx.now();
        tx.insert(
            &BLOB,
            &[
                ("id", blob.sha256.as_str().into()),
                ("file", blob.file.as_str().into()),
                ("sm3", blob.sm3.as_str().into()),
                ("size", blob.size.into()),
                ("stored_size", blob.stored_size.into()),
                ("wrapped_key", blob.wrapped_key.clone().into()),
                ("created_at", now.into()),
            ],
        )
        .await
    }

    /// Removes a stored file that no row refers to: the same bytes were there already.
    pub async fn discard(&self, db: &Db, blob: &StoredBlob) -> Result<()> {
        let used = db
            .fetch_optional("SELECT id FROM blob WHERE file = $1", &[blob.file.as_str().into()])
            .await?;
        if used.is_none() {
            let path = self.folder.join(&blob.file);
            std::fs::remove_file(&path).map_err(Error::io(&path))?;
        }
        Ok(())
    }

    /// The clear bytes of a recorded blob, as a stream. Reading is blocking.
    pub async fn read(&self, db: &Db, sha256: &str) -> Result<Box<dyn Read + Send>> {
        let row = db
            .fetch_optional("SELECT file, wrapped_key FROM blob WHERE id = $1", &[sha256.into()])
            .await?
            .ok_or_else(|| Error::Missing { table: "blob", id: sha256.into() })?;
        let key = self.keys.unwrap_key(&row.bytes("wrapped_key")?, sha256)?;
        let path = self.folder.join(row.text("file")?);
        let decoder = clear(&path, key).map_err(Error::io(&path))?;
        Ok(Box::new(decoder))
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(&sha256[..2]).join(sha256)
    }
}

/// Pieces that may wait for another thread.
const WAITING: usize = 8;

/// What is done with each piece of a file, in turn.
trait Takes: Send + Sized + 'static {
    const NAME: &str;
    fn take(&mut self, piece: &[u8]) -> io::Result<()>;
}

/// A file of more than one piece gets a thread for each thing that is done with it.
enum Beside<T> {
    Here(T),
    Thread(SyncSender<Arc<Vec<u8>>>, JoinHandle<io::Result<T>>),
    /// A thread could not be started, or ended early; the error was told.
    Nowhere,
}

impl<T: Takes> Beside<T> {
    fn take(&mut self, piece: &Arc<Vec<u8>>) -> io::Result<()> {
        if let Self::Here(taker) = self
            && piece.len() < FRAME
        {
            return taker.take(piece);
        }
        if matches!(self, Self::Here(_))
            && let Self::Here(mut taker) = std::mem::replace(self, Self::Nowhere)
        {
            let (pieces, incoming) = sync_channel::<Arc<Vec<u8>>>(WAITING);
            let thread = std::thread::Builder::new().name(T::NAME.into()).spawn(move || {
                for piece in incoming {
                    taker.take(&piece)?;
                }
                Ok(taker)
            })?;
            *self = Self::Thread(pieces, thread);
        }
        if let Self::Thread(pieces, _) = self
            && pieces.send(piece.clone()).is_ok()
        {
            return Ok(());
        }
        // the thread ended early: its result says why
        let early = io::Error::other(format!("{}线程提前结束", T::NAME));
        std::mem::replace(self, Self::Nowhere).end().and(Err(early))
    }

    /// Here again, after everything handed over so far.
    fn end(self) -> io::Result<T> {
        match self {
            Self::Here(taker) => Ok(taker),
            Self::Thread(pieces, thread) => {
                drop(pieces);
                let died = || io::Error::other(format!("{}线程中断", T::NAME));
                thread.join().map_err(|_| died())?
            }
            Self::Nowhere => Err(io::Error::other(format!("{}线程已结束", T::NAME))),
        }
    }
}

impl Takes for Sm3 {
    const NAME: &str = "blob-sm3";

    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.update(piece);
        Ok(())
    }
}

/// Compresses and seals one frame after the other and writes it.
struct Sealer {
    out: BufWriter<File>,
    key: Sm4Key,
    number: u64,
    /// Each frame for itself: a running stream would copy all of it once more.
    packer: Compressor<'static>,
}

impl Sealer {
    fn new(file: File, key: Sm4Key) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(file), key, number: 0, packer: Compressor::new(1)? })
    }

    fn put(&mut self, packed: &[u8]) -> io::Result<()> {
        let sealed = self.key.seal(packed, &self.number.to_le_bytes());
        self.number += 1;
        self.out.write_all(&(sealed.len() as u32).to_le_bytes())?;
        self.out.write_all(&sealed)
    }

    fn finish(mut self) -> io::Result<File> {
        self.put(&[])?;
        self.out.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Takes for Sealer {
    const NAME: &str = "blob-seal";

    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        let packed = self.packer.compress(piece)?;
        self.put(&packed)
    }
}

/// Both digests of a file and its length.
struct Sums {
    sha256: String,
    sm3: String,
    size: i64,
}

/// Reads the source once: SHA-256 here; SM3, the slowest step of all, and sealing each beside.
fn copy(source: &mut dyn Read, sealer: Sealer) -> io::Result<(Sums, Sealer)> {
    let (mut sm3, mut sealer) = (Beside::Here(Sm3::new()), Beside::Here(sealer));
    let mut sha256 = Sha256::new();
    let mut size = 0;
    loop {
        let mut piece = Vec::with_capacity(FRAME);
        source.take(FRAME as u64).read_to_end(&mut piece)?;
        // an empty file is one empty piece
        if piece.is_empty() && size > 0 {
            break;
        }
        let is_last = piece.len() < FRAME;
        size += piece.len() as i64;
        let piece = Arc::new(piece);
        sm3.take(&piece)?;
        sealer.take(&piece)?;
        sha256.update(&piece[..]);
        if is_last {
            break;
        }
    }
    let sealer = sealer.end()?;
    let sm3 = hex::encode(sm3.end()?.finish());
    Ok((Sums { sha256: hex::encode(sha256.finalize()), sm3, size }, sealer))
}

/// The bytes that were stored in a file.
fn clear(path: &Path, key: Sm4Key) -> io::Result<impl Read + Send + use<>> {
    let source = BufReader::new(File::open(path)?);
    zstd::Decoder::new(Unframes { source, key, number: 0, clear: Vec::new(), at: 0, ended: false })
}

struct Unframes {
    source: BufReader<File>,
    key: Sm4Key,
    number: u64,
    clear: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Read for Unframes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.clear.len() && !self.ended {
            let mut length = [0; 4];
            self.source.read_exact(&mut length)?;
            let length = u32::from_le_bytes(length) as usize;
            if length > 2 * FRAME + (1 << 16) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "文件帧长度异常"));
            }
            let mut sealed = vec![0; length];
            self.source.read_exact(&mut sealed)?;
            self.clear = self
                .key
                .open(&sealed, &self.number.to_le_bytes())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            self.number += 1;
            self.at = 0;
            self.ended = self.clear.is_empty();
        }
        let count = buffer.len().min(self.clear.len() - self.at);
        buffer[..count].copy_from_slice(&self.clear[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().expect("folder");
        let blobs = Blobs::open(folder.path(), Keys::from_master([5; 16])).expect("opened");
        (folder, blobs)
    }

    fn read_back(blobs: &Blobs, stored: &StoredBlob) -> io::Result<Vec<u8>> {
        let key = blobs.keys.unwrap_key(&stored.wrapped_key, &stored.sha256).expect("key");
        let mut bytes = Vec::new();
        clear(&blobs.folder.join(&stored.file), key)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn files_of_any_number_of_frames_come_back() {
        let (_folder, blobs) = folder();
        for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 7] {
            let bytes: Vec<u8> = (0..length).map(|at| (at / 3 % 251) as u8).collect();
            let stored = blobs.store(&bytes[..]).expect("stored");
            assert_eq!(stored.size, length as i64);
            assert_eq!(stored.sha256, hex::encode(Sha256::digest(&bytes)));
            assert_eq!(stored.sm3, crate::gm::sm3_hex(&bytes));
            assert_eq!(read_back(&blobs, &stored).expect("read"), bytes, "{length}");
        }
    }

    #[test]
    fn one_stream_over_all_frames_is_read_as_well() {
        let (folder, blobs) = folder();
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let packed = zstd::encode_all(&bytes[..], 1).expect("packed");
        let (path, key) = (folder.path().join("old"), Sm4Key::generate());
        let file = File::create(&path).expect("made");
        let mut sealer = Sealer::new(file, key.clone()).expect("sealer");
        for part in packed.chunks(packed.len() / 3) {
            sealer.put(part).expect("put");
        }
        sealer.finish().expect("finished");
        let mut back = Vec::new();
        clear(&path, key).expect("opened").read_to_end(&mut back).expect("read");
        assert!(back == bytes);
        drop(blobs);
    }

    #[test]
    fn a_file_cut_short_is_not_taken_for_whole() {
        let (_folder, blobs) = folder();
        let stored = blobs.store(&vec![7; 2 * FRAME + 9][..]).expect("stored");
        let path = blobs.folder.join(&stored.file);
        // without the frame that ends it
        let length = std::fs::metadata(&path).expect("there").len() - 32;
        File::options().write(true).open(&path).expect("opened").set_len(length).expect("cut");
        assert!(read_back(&blobs, &stored).is_err());
    }
}
