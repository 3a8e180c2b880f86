//! Large files sent in pieces (`inbox/`): encrypted as they arrive, continued where the line broke,
//! handed on as a blob when they are whole and their digest is what the sender said.
//!
//! A piece file is `wrapped key (44 bytes) ‖ (u32 length ‖ sealed frame)…`. The offset is counted
//! from the frames themselves, so it never claims more than is on disk; a torn last frame is cut off.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mj_platform::blob::StoredBlob;
use mj_platform::gm::Sm4Key;
use mj_platform::keys::Keys;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Largest file (contracts.md 4).
pub const MAX_BYTES: u64 = 2 << 30;
const FRAME: usize = 1 << 20;
/// nonce 12 and tag 16
const SEAL: u64 = 28;
const WRAPPED: usize = 44;
/// Where files lie that are handed over to a running node.
const HANDED: &str = "handed";
/// Uploads begun or not yet made a batch, and what a hand-over that was broken off leaves.
const OWN_ENDINGS: [&str; 6] = ["part", "whole", "partial", "file", "request", "answer"];

/// The place for uploads under way.
#[derive(Debug, Clone)]
pub struct Inbox {
    folder: PathBuf,
    keys: Keys,
    /// Uploads that are being written now, each with how much was there before: one at a time.
    under_way: Arc<Mutex<HashMap<PathBuf, u64>>>,
}

/// The right to write one upload, given back when dropped.
struct Turn<'a> {
    inbox: &'a Inbox,
    path: PathBuf,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut all = self.inbox.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.path);
    }
}

/// Where a `PUT` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More is to come, from this byte on.
    Partial(u64),
    Whole,
}

/// `bytes 0-99/1000`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    pub first: u64,
    pub last: u64,
    pub total: u64,
}

impl ContentRange {
    pub fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let range = Self {
            first: first.parse().ok()?,
            last: last.parse().ok()?,
            total: total.parse().ok()?,
        };
        (range.first <= range.last && range.last < range.total).then_some(range)
    }
}

/// 64 lower-case hex digits.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Inbox {
    pub fn open(folder: impl Into<PathBuf>, keys: Keys) -> Result<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder).map_err(mj_platform::Error::io(&folder))?;
        Ok(Self { folder, keys, under_way: Arc::default() })
    }

    /// `None`: somebody is writing this upload.
    fn turn(&self, path: PathBuf) -> Option<Turn<'_>> {
        let mut all = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if all.contains_key(&path) {
            return None;
        }
        all.insert(path.clone(), 0);
        Some(Turn { inbox: self, path })
    }

    fn there_before(&self, path: &Path, bytes: u64) {
        let mut all = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(path.to_path_buf(), bytes);
    }

    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// How many bytes of this upload are safely here. Blocking.
    pub fn offset(&self, owner: &str, sha256: &str) -> Result<u64> {
        let path = match self.place(owner, sha256, true) {
            path if path.exists() => path,
            _ => self.place(owner, sha256, false),
        };
        // looking at it cuts a torn frame off: not under the hands of whoever is writing
        let Some(_turn) = self.turn(path.clone()) else {
            let all = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(all.get(&path).copied().unwrap_or(0));
        };
        if !path.exists() {
            return Ok(0);
        }
        Ok(Pieces::open(&path, self, sha256)?.clear_len)
    }

    /// Continues an upload with what `body` brings. Blocking.
    ///
    /// `range` absent: the body is the whole file. What arrived before the line broke is kept, so the
    /// sender asks for the offset and goes on from there.
    pub fn put(
        &self,
        owner: &str,
        sha256: &str,
        range: Option<ContentRange>,
        body: impl Read,
    ) -> Result<Progress> {
        let whole = self.place(owner, sha256, true);
        if whole.exists() {
            return Ok(Progress::Whole);
        }
        if range.is_some_and(|range| range.total > MAX_BYTES) {
            return Err(Error::TooLarge("单个文件不超过2 GiB".into()));
        }
        let path = self.place(owner, sha256, false);
        let _turn = self.turn(path.clone()).ok_or(Error::UploadUnderWay)?;
        if whole.exists() {
            return Ok(Progress::Whole);
        }
        if range.is_none() && path.exists() {
            std::fs::remove_file(&path).map_err(mj_platform::Error::io(&path))?;
        }
        let mut pieces = Pieces::open(&path, self, sha256)?;
        self.there_before(&path, pieces.clear_len);
        let first = range.map_or(0, |range| range.first);
        if first != pieces.clear_len {
            return Err(Error::WrongOffset { expected: pieces.clear_len });
        }
        let limit = range.map_or(MAX_BYTES, |range| range.last - range.first + 1);
        let arrived = pieces.append(body, limit);
        let offset = pieces.clear_len;
        drop(pieces);
        let ended_well = arrived.map_err(mj_platform::Error::io("inbox"))?;
        let total = range.map_or(offset, |range| range.total);
        if offset < total || !ended_well {
            return Ok(Progress::Partial(offset));
        }
        if self.digest(owner, sha256)? != sha256 {
            std::fs::remove_file(&path).map_err(mj_platform::Error::io(&path))?;
            return Err(Error::WrongDigest);
        }
        mj_platform::durable::rename(&path, &whole)?;
        Ok(Progress::Whole)
    }

    /// Turns a whole upload into a blob. Blocking.
    pub fn store(
        &self,
        owner: &str,
        sha256: &str,
        blobs: &mj_platform::blob::Blobs,
    ) -> Result<StoredBlob> {
        let path = self.place(owner, sha256, true);
        if !path.exists() {
            return Err(Error::UploadMissing);
        }
        let reader = Pieces::open(&path, self, sha256)?.reader()?;
        let stored = blobs.store(reader)?;
        if stored.sha256 == sha256 { Ok(stored) } else { Err(Error::WrongDigest) }
    }

    /// The upload became a batch; its pieces are no longer needed.
    pub fn forget(&self, owner: &str, sha256: &str) {
        // a leftover is harmless and goes with the next upload of the same bytes
        let _ = std::fs::remove_file(self.place(owner, sha256, true));
    }

    /// Throws away what nobody has added to since `before`, in `handed/` too; gives how many. Blocking.
    pub fn sweep(&self, before: std::time::SystemTime) -> Result<usize> {
        let mut swept = 0;
        for folder in [self.folder.clone(), self.folder.join(HANDED)] {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                let Ok(about) = entry.metadata() else { continue };
                let ours = path
                    .extension()
                    .and_then(|ending| ending.to_str())
                    .is_some_and(|ending| OWN_ENDINGS.contains(&ending));
                // a clock that was set back makes nothing old
                let old = about.modified().is_ok_and(|touched| touched < before);
                if !ours || !old {
                    continue;
                }
                let gone = match about.is_dir() {
                    true => std::fs::remove_dir_all(&path),
                    false => std::fs::remove_file(&path),
                };
                gone.map_err(mj_platform::Error::io(&path))?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn digest(&self, owner: &str, sha256: &str) -> Result<String> {
        let path = self.place(owner, sha256, false);
        let mut reader = Pieces::open(&path, self, sha256)?.reader()?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match reader.read(&mut buffer).map_err(mj_platform::Error::io("inbox"))? {
                0 => return Ok(hex::encode(hash.finalize())),
                count => hash.update(&buffer[..count]),
            }
        }
    }

    /// Two senders of the same bytes do not see each other's upload.
    fn place(&self, owner: &str, sha256: &str, whole: bool) -> PathBuf {
        let owner = hex::encode(Sha256::digest(owner.as_bytes()));
        let end = if whole { "whole" } else { "part" };
        self.folder.join(format!("{sha256}-{}.{end}", &owner[..16]))
    }
}

struct Pieces {
    file: File,
    path: PathBuf,
    key: Sm4Key,
    frames: u64,
    clear_len: u64,
}

impl Pieces {
    /// Opens or begins a piece file, cuts a torn frame off and stands at its end.
    fn open(path: &Path, inbox: &Inbox, sha256: &str) -> Result<Self> {
        let io = |error| mj_platform::Error::io(path)(error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        if length < WRAPPED as u64 {
            file.set_len(0).map_err(io)?;
            let key = Sm4Key::generate();
            file.write_all(&inbox.keys.wrap_key(&key, sha256)).map_err(io)?;
            return Ok(Self { file, path: path.into(), key, frames: 0, clear_len: 0 });
        }
        let mut wrapped = [0; WRAPPED];
        file.read_exact(&mut wrapped).map_err(io)?;
        let key = inbox.keys.unwrap_key(&wrapped, sha256)?;
        let (mut at, mut frames, mut clear_len) = (WRAPPED as u64, 0, 0);
        loop {
            let mut head = [0; 4];
            if at + 4 > length || file.read_exact(&mut head).is_err() {
                break;
            }
            let sealed = u64::from(u32::from_le_bytes(head));
            if sealed < SEAL || at + 4 + sealed > length {
                break;
            }
            at = file.seek(SeekFrom::Current(sealed as i64)).map_err(io)?;
            frames += 1;
            clear_len += sealed - SEAL;
        }
        file.set_len(at).map_err(io)?;
        file.seek(SeekFrom::Start(at)).map_err(io)?;
        Ok(Self { file, path: path.into(), key, frames, clear_len })
    }

    /// Appends at most `limit` bytes; false when the line broke before they were all there.
    fn append(&mut self, mut body: impl Read, limit: u64) -> io::Result<bool> {
        let mut left = limit;
        let mut buffer = vec![0; FRAME];
        let mut broken = false;
        while left > 0 && !broken {
            let want = FRAME.min(usize::try_from(left).unwrap_or(FRAME));
            let mut filled = 0;
            while filled < want {
                match body.read(&mut buffer[filled..want]) {
                    Ok(0) => break,
                    Ok(count) => filled += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // what came is kept: that is what resuming is for
                    Err(_) => {
                        broken = true;
                        break;
                    }
                }
            }
            if filled == 0 {
                break;
            }
            let sealed = self.key.seal(&buffer[..filled], &self.frames.to_le_bytes());
            self.file.write_all(&(sealed.len() as u32).to_le_bytes())?;
            self.file.write_all(&sealed)?;
            self.frames += 1;
            self.clear_len += filled as u64;
            left -= filled as u64;
        }
        mj_platform::durable::sync(&self.file)?;
        Ok(!broken)
    }

    fn reader(mut self) -> Result<impl Read> {
        self.file
            .seek(SeekFrom::Start(WRAPPED as u64))
            .map_err(mj_platform::Error::io(&self.path))?;
        Ok(PieceReader {
            source: BufReader::new(self.file),
            key: self.key,
            number: 0,
            frames: self.frames,
            clear: Vec::new(),
            at: 0,
        })
    }
}

struct PieceReader {
    source: BufReader<File>,
    key: Sm4Key,
    number: u64,
    frames: u64,
    clear: Vec<u8>,
    at: usize,
}

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.clear.len() && self.number < self.frames {
            let mut head = [0; 4];
            self.source.read_exact(&mut head)?;
            let mut sealed = vec![0; u32::from_le_bytes(head) as usize];
            self.source.read_exact(&mut sealed)?;
            self.clear = self
                .key
                .open(&sealed, &self.number.to_le_bytes())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            self.number += 1;
            self.at = 0;
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

    fn inbox(folder: &tempfile::TempDir) -> Inbox {
        Inbox::open(folder.path().join("inbox"), Keys::from_master([7; 16])).expect("an inbox")
    }

    fn sha(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    /// Gives what it has, then the line breaks.
    struct Breaking<'a>(&'a [u8]);

    impl Read for Breaking<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::other("line broke"));
            }
            self.0.read(buffer)
        }
    }

    #[test]
    fn a_broken_upload_goes_on_where_it_stopped_and_is_unreadable_on_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let inbox = inbox(&folder);
        let body = "110101199003070000,张三\n".repeat(100_000).into_bytes();
        let sha = sha(&body);
        let total = body.len() as u64;
        let range = |first: u64| Some(ContentRange { first, last: total - 1, total });
        let cut = body.len() / 3;
        let first = inbox.put("s", &sha, range(0), Breaking(&body[..cut])).expect("kept");
        assert_eq!(first, Progress::Partial(cut as u64));
        assert_eq!(inbox.offset("s", &sha).expect("known"), cut as u64);
        assert_eq!(inbox.offset("other", &sha).expect("known"), 0);
        let wrong = inbox.put("s", &sha, range(5), &body[5..]);
        assert!(matches!(wrong, Err(Error::WrongOffset { expected }) if expected == cut as u64));
        let rest = inbox.put("s", &sha, range(cut as u64), &body[cut..]).expect("whole");
        assert_eq!(rest, Progress::Whole);
        for entry in std::fs::read_dir(inbox.folder()).expect("a folder") {
            let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
            assert!(!bytes.windows(18).any(|part| part == b"110101199003070000"));
        }
        let blobs =
            mj_platform::blob::Blobs::open(folder.path().join("blobs"), Keys::from_master([7; 16]))
                .expect("blobs");
        let stored = inbox.store("s", &sha, &blobs).expect("stored");
        assert_eq!((stored.sha256, stored.size), (sha, body.len() as i64));
    }

    #[test]
    fn a_wrong_digest_is_refused_and_nothing_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let inbox = inbox(&folder);
        let sha = sha(b"something else");
        assert!(matches!(inbox.put("s", &sha, None, &b"abc"[..]), Err(Error::WrongDigest)));
        assert_eq!(inbox.offset("s", &sha).expect("known"), 0);
    }

    #[test]
    fn a_torn_last_frame_is_not_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let inbox = inbox(&folder);
        let body = vec![b'x'; (2 << 20) + 5];
        let sha = sha(&body);
        let total = body.len() as u64;
        let range = Some(ContentRange { first: 0, last: total - 1, total });
        inbox.put("s", &sha, range, Breaking(&body[..(1 << 20) + 9])).expect("kept");
        let path = inbox.place("s", &sha, false);
        let length = std::fs::metadata(&path).expect("there").len();
        OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(length - 3))
            .expect("torn");
        assert_eq!(inbox.offset("s", &sha).expect("known"), 1 << 20);
    }

    #[test]
    fn what_was_begun_and_never_continued_goes_after_its_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let inbox = inbox(&folder);
        let range = Some(ContentRange { first: 0, last: 9, total: 10 });
        for sha in ["a".repeat(64), "b".repeat(64)] {
            inbox.put("s", &sha, range, Breaking(b"abc")).expect("kept");
        }
        std::fs::create_dir_all(inbox.folder().join("handed/x.file")).expect("a folder");
        std::fs::write(inbox.folder().join("handed/x.file/a.csv"), "a").expect("written");
        std::fs::write(inbox.folder().join("somebody.txt"), "not ours").expect("written");
        let touched = |name: &str| {
            let place = inbox.folder().join(name);
            std::fs::metadata(place).and_then(|about| about.modified()).expect("a time")
        };
        let begun = touched("handed/x.file");
        assert_eq!(inbox.sweep(begun - std::time::Duration::from_secs(60)).expect("swept"), 0);
        let second = "b".repeat(64);
        let path = inbox.place("s", &second, false);
        let later = begun + std::time::Duration::from_secs(7_200);
        OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(later))
            .expect("touched");
        let after = begun + std::time::Duration::from_secs(3_600);
        assert_eq!(inbox.sweep(after).expect("swept"), 2, "one upload, one hand-over");
        assert_eq!(inbox.offset("s", &second).expect("known"), 3, "what goes on stays");
        assert!(inbox.folder().join("somebody.txt").exists());
    }

    #[test]
    fn content_ranges_are_read_strictly() {
        let range = ContentRange { first: 0, last: 9, total: 10 };
        assert_eq!(ContentRange::parse("bytes 0-9/10"), Some(range));
        for bad in ["bytes 0-10/10", "bytes 5-4/10", "0-9/10", "bytes 0-9/*"] {
            assert_eq!(ContentRange::parse(bad), None, "{bad}");
        }
    }
}
