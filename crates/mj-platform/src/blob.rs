//! Delivered files, kept whole, compressed and encrypted, found by their SHA-256.
//!
//! On disk: `blobs/<first two digits>/<sha256>` = frames of `u32 length ‖ SM4-GCM(zstd stream part)`,
//! each frame bound to its number, a last empty frame marking the end. The zstd stream is one frame of
//! zstd's for each piece that was read: compressing one piece costs less than going on with a stream, and
//! a piece is larger than what a stream of this level looks back upon. The row in table `blob`
//! (size, SM3, sealed key) makes the file part of the truth; a file without a row is an orphan.
//!
//! The key of a file is sealed under a data key of its own, as a person's values are under the person's:
//! destroying that one ([`Blobs::destroy`]) makes the file unreadable in every copy there is.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::db::door::{TruthTable, WriteTx};
use crate::db::{Db, RowExt};
use crate::durable;
use crate::error::{Error, Result};
use crate::gm::{Sm3, Sm4Key, Wiped};
use crate::keys::{self, DataKey, Keys};
use crate::new_id;

pub const BLOB: TruthTable = TruthTable {
    name: "blob",
    columns: &["id", "file", "sm3", "size", "stored_size", "wrapped_key", "created_at"],
};

const FRAME: usize = 1 << 20;
/// What binds the sealed key of a file to its place.
const SEALED: &str = "blob.wrapped_key";

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
    key: Sm4Key,
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
        let mut hashing = Hashing::default();
        let sealer = Sealer { out: BufWriter::new(file), key: key.clone(), number: 0 };
        let frames = Frames { sealing: Sealing::Here(sealer), pending: Vec::new() };
        let mut packing = Packing::new(frames).map_err(Error::io(partial))?;
        hashing.copy(source, &mut packing).map_err(Error::io(partial))?;
        let file = packing.finish().map_err(Error::io(partial))?;
        durable::sync(&file).map_err(Error::io(partial))?;
        let stored_size = file.metadata().map_err(Error::io(partial))?.len() as i64;
        let (sha256, sm3, size) = hashing.finish()?;
        let place = self.path(&sha256);
        let shelf = place.parent().unwrap_or(&self.folder).to_owned();
        std::fs::create_dir_all(&shelf).map_err(Error::io(&shelf))?;
        let place = claim(place)?;
        durable::rename(partial, &place)?;
        durable::sync_folder(&self.folder)?;
        let name = place.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        Ok(StoredBlob {
            key,
            file: format!("{}/{name}", &sha256[..2]),
            sha256,
            sm3,
            size,
            stored_size,
        })
    }

    /// The data key of a file, made in `tx` where there is none. What was refused of the file is sealed
    /// under it too.
    pub async fn data_key(&self, tx: &mut WriteTx, sha256: &str) -> Result<DataKey> {
        let subject = self.keys.lookup("delivered file", sha256);
        let mut found = self.keys.data_keys(tx, std::slice::from_ref(&subject)).await?;
        found.pop().ok_or_else(|| Error::Key("数据密钥未能建立".into()))
    }

    /// Makes the blob part of the truth, in the transaction of the row that refers to it.
    /// Storing the same bytes twice keeps the first copy, unless that one was destroyed.
    pub async fn record(&self, tx: &mut WriteTx, blob: &StoredBlob) -> Result<()> {
        let id = blob.sha256.as_str();
        let known =
            tx.fetch_optional("SELECT wrapped_key FROM blob WHERE id = $1", &[id.into()]).await?;
        if let Some(row) = &known
            && self.opens(tx, &row.bytes("wrapped_key")?).await?
        {
            return Ok(());
        }
        let key = self.data_key(tx, id).await?;
        let sealed = key.seal(SEALED, &Zeroizing::new(hex::encode(blob.key.bytes()))).into_bytes();
        if known.is_some() {
            let anew = [
                ("file", blob.file.as_str().into()),
                ("stored_size", blob.stored_size.into()),
                ("wrapped_key", sealed.into()),
            ];
            tx.update(&BLOB, id, None, &anew).await?;
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
                ("wrapped_key", sealed.into()),
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
        let key = self.key_of(db, sha256, &row.bytes("wrapped_key")?).await?.ok_or_else(gone)?;
        let path = self.folder.join(row.text("file")?);
        let file = File::open(&path).map_err(Error::io(&path))?;
        let frames = Unframes {
            source: BufReader::new(file),
            key,
            number: 0,
            clear: Vec::new(),
            at: 0,
            ended: false,
        };
        let decoder = zstd::Decoder::new(frames).map_err(Error::io(&path))?;
        Ok(Box::new(decoder))
    }

    /// The key of a file; `None` where it was destroyed. Versions before 0040 wrapped it like a text's.
    async fn key_of(&self, db: &Db, sha256: &str, sealed: &[u8]) -> Result<Option<Sm4Key>> {
        let Some(text) = keys::sealed_text(sealed) else {
            return if sealed.is_empty() {
                Ok(None)
            } else {
                self.keys.unwrap_key(sealed, sha256).map(Some)
            };
        };
        let Some(digits) = self.keys.unseal(db, SEALED, text).await?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let mut key = Wiped::<16>::default();
        hex::decode_to_slice(digits.as_bytes(), &mut *key)
            .map_err(|_| Error::Corrupt("文件密钥不符".into()))?;
        Ok(Some(Sm4Key::new(*key)))
    }

    async fn opens(&self, tx: &mut WriteTx, sealed: &[u8]) -> Result<bool> {
        match keys::sealed_text(sealed).and_then(keys::key_id) {
            Some(id) => {
                let sql = "SELECT id FROM data_key WHERE id = $1";
                Ok(tx.fetch_optional(sql, &[id.into()]).await?.is_some())
            }
            None => Ok(!sealed.is_empty()),
        }
    }

    /// Whether the file was destroyed lawfully: it is on record and cannot be read any more.
    pub async fn is_destroyed(&self, db: &Db, sha256: &str) -> Result<bool> {
        let sql = "SELECT wrapped_key FROM blob WHERE id = $1";
        let Some(row) = db.fetch_optional(sql, &[sha256.into()]).await? else { return Ok(false) };
        let sealed = row.bytes("wrapped_key")?;
        match keys::sealed_text(&sealed).and_then(keys::key_id) {
            Some(id) => {
                let sql = "SELECT id FROM erasure WHERE id = $1";
                Ok(db.fetch_optional(sql, &[id.into()]).await?.is_some())
            }
            None => Ok(sealed.is_empty()),
        }
    }

    /// The data keys that have to go for a file, and what was refused of it, to be unreadable. A file whose
    /// key an earlier version wrapped like a text's loses it here, in its row of business truth.
    pub async fn destroy(&self, tx: &mut WriteTx, sha256: &str) -> Result<Vec<String>> {
        let subject = self.keys.lookup("delivered file", sha256);
        let mut ids = Vec::new();
        let sql = "SELECT id FROM data_key WHERE subject = $1";
        if let Some(row) = tx.fetch_optional(sql, &[subject.into()]).await? {
            ids.push(row.text("id")?);
        }
        let sql = "SELECT wrapped_key FROM blob WHERE id = $1";
        if let Some(row) = tx.fetch_optional(sql, &[sha256.into()]).await? {
            let sealed = row.bytes("wrapped_key")?;
            if keys::sealed_text(&sealed).is_none() && !sealed.is_empty() {
                tx.update(&BLOB, sha256, None, &[("wrapped_key", Vec::new().into())]).await?;
            }
        }
        Ok(ids)
    }

    /// Removes the files that were destroyed from the disk. How many were there.
    pub async fn sweep_destroyed(&self, db: &Db) -> Result<usize> {
        let (mut after, mut removed) = (String::new(), 0);
        loop {
            let sql = "SELECT id, file FROM blob WHERE id > $1 ORDER BY id LIMIT 1000";
            let rows = db.fetch_all(sql, &[after.as_str().into()]).await?;
            let Some(last) = rows.last() else { return Ok(removed) };
            after = last.text("id")?;
            for row in &rows {
                let path = self.folder.join(row.text("file")?);
                if path.exists() && self.is_destroyed(db, &row.text("id")?).await? {
                    durable::overwrite_and_remove(&path)?;
                    removed += 1;
                }
            }
        }
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(&sha256[..2]).join(sha256)
    }
}

fn gone() -> Error {
    Error::Other("原始文件已依法删除".into())
}

/// The name itself, or one beside it where somebody has it: each storing has a key of its own, so what
/// lies there already, or is being put there at this moment, is not to be written over.
fn claim(place: PathBuf) -> Result<PathBuf> {
    match File::create_new(&place) {
        Ok(_) => Ok(place),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(place.with_extension(new_id()))
        }
        Err(error) => Err(Error::io(&place)(error)),
    }
}

/// How much is read, hashed and compressed at a time.
const PIECE: usize = 1 << 20;
/// Pieces that may wait for the other thread.
const WAITING: usize = 3;

/// Both digests of what is copied. SM3, the slowest step of all, gets a thread of its own as soon as
/// there is more than one piece.
#[derive(Default)]
struct Hashing {
    sha256: Sha256,
    sm3: Sm3,
    beside: Option<(SyncSender<Vec<u8>>, JoinHandle<Sm3>)>,
    size: i64,
}

impl Hashing {
    fn copy(&mut self, source: &mut dyn Read, target: &mut Packing) -> io::Result<()> {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            source.take(PIECE as u64).read_to_end(&mut piece)?;
            if piece.is_empty() {
                return Ok(());
            }
            self.size += piece.len() as i64;
            self.sha256.update(&piece);
            target.pack(&piece)?;
            if piece.len() < PIECE && self.beside.is_none() {
                self.sm3.update(&piece);
                continue;
            }
            let (pieces, _) = match &self.beside {
                Some(beside) => beside,
                None => self.beside.insert(beside(std::mem::take(&mut self.sm3))?),
            };
            pieces.send(piece).map_err(io::Error::other)?;
        }
    }

    /// SHA-256, SM3 and the number of bytes.
    fn finish(self) -> Result<(String, String, i64)> {
        let sm3 = match self.beside {
            None => self.sm3,
            Some((pieces, thread)) => {
                drop(pieces);
                thread.join().map_err(|_| Error::Other("摘要线程中断".into()))?
            }
        };
        Ok((hex::encode(self.sha256.finalize()), hex::encode(sm3.finish()), self.size))
    }
}

fn beside(mut sm3: Sm3) -> io::Result<(SyncSender<Vec<u8>>, JoinHandle<Sm3>)> {
    let (pieces, incoming) = sync_channel::<Vec<u8>>(WAITING);
    let thread = std::thread::Builder::new().name("blob-sm3".into()).spawn(move || {
        for piece in incoming {
            sm3.update(&piece);
        }
        sm3
    })?;
    Ok((pieces, thread))
}

/// Compresses each piece by itself.
struct Packing {
    packer: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
    frames: Frames,
    is_empty: bool,
}

impl Packing {
    fn new(frames: Frames) -> io::Result<Self> {
        let packer = zstd::bulk::Compressor::new(1)?;
        Ok(Self { packer, packed: Vec::new(), frames, is_empty: true })
    }

    fn pack(&mut self, piece: &[u8]) -> io::Result<()> {
        self.is_empty = false;
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(piece.len()));
        self.packer.compress_to_buffer(piece, &mut self.packed)?;
        self.frames.add(&self.packed)
    }

    fn finish(mut self) -> io::Result<File> {
        if self.is_empty {
            // an empty file is a stream too
            self.pack(&[])?;
        }
        self.frames.finish()
    }
}

/// Seals one frame after the other and writes it.
struct Sealer {
    out: BufWriter<File>,
    key: Sm4Key,
    number: u64,
}

impl Sealer {
    fn put(&mut self, clear: &[u8]) -> io::Result<()> {
        let sealed = self.key.seal(clear, &self.number.to_le_bytes());
        self.number += 1;
        self.out.write_all(&(sealed.len() as u32).to_le_bytes())?;
        self.out.write_all(&sealed)
    }
}

/// Where frames are sealed: a file of more than one frame gets a thread for it, beside the one that
/// compresses.
enum Sealing {
    Here(Sealer),
    Beside(SyncSender<Vec<u8>>, JoinHandle<io::Result<Sealer>>),
    /// A thread could not be started, or ended early; the error was told.
    Nowhere,
}

struct Frames {
    sealing: Sealing,
    pending: Vec<u8>,
}

impl Frames {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        match self.pending.len() >= FRAME {
            true => {
                let room = Vec::with_capacity(FRAME + PIECE);
                let frame = std::mem::replace(&mut self.pending, room);
                self.put(frame)
            }
            false => Ok(()),
        }
    }

    fn put(&mut self, frame: Vec<u8>) -> io::Result<()> {
        if let Sealing::Here(_) = self.sealing
            && let Sealing::Here(mut sealer) =
                std::mem::replace(&mut self.sealing, Sealing::Nowhere)
        {
            let (frames, incoming) = sync_channel::<Vec<u8>>(WAITING);
            let thread = std::thread::Builder::new().name("blob-seal".into()).spawn(move || {
                for frame in incoming {
                    sealer.put(&frame)?;
                }
                Ok(sealer)
            })?;
            self.sealing = Sealing::Beside(frames, thread);
        }
        if let Sealing::Beside(frames, _) = &self.sealing
            && frames.send(frame).is_ok()
        {
            return Ok(());
        }
        // the thread ended early: its result says why
        self.sealer().and(Err(io::Error::other("加密线程提前结束")))
    }

    /// What seals, here again, after everything handed over so far.
    fn sealer(&mut self) -> io::Result<Sealer> {
        match std::mem::replace(&mut self.sealing, Sealing::Nowhere) {
            Sealing::Here(sealer) => Ok(sealer),
            Sealing::Beside(frames, thread) => {
                drop(frames);
                thread.join().map_err(|_| io::Error::other("加密线程中断"))?
            }
            Sealing::Nowhere => Err(io::Error::other("加密线程已结束")),
        }
    }

    fn finish(mut self) -> io::Result<File> {
        let mut sealer = self.sealer()?;
        if !self.pending.is_empty() {
            sealer.put(&self.pending)?;
        }
        sealer.put(&[])?;
        sealer.out.into_inner().map_err(io::IntoInnerError::into_error)
    }
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
