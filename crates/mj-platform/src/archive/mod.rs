//! An encrypted place for copies of a node: pieces by content, copies by instant.
//!
//! A file is kept as pieces named by a keyed hash, so that what did not change since the last copy is
//! there already. A copy names every file's pieces. Everything is sealed under the key of the class
//! `backup` alone: whoever holds the place without that key learns sizes and instants, nothing else. The
//! keys of persons are in no copy, but in lists beside them ([`persons`]).

pub mod persons;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::hash::Hasher as _;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use mj_kernel::Instant;
use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};
use zeroize::Zeroizing;

use crate::durable;
use crate::error::{Error, Result};
use crate::gm::{self, Sm4Key, Wiped};
use crate::keys::persons::person_id;

/// Bytes of a piece: a page changed in place costs one of them.
const PIECE: usize = 128 << 10;
const FORMAT: &str = "mingjian-backup-key-1";
const KEY_ID: usize = 8;
const UNDER_WAY: &str = "under-way";

/// One secret of the class `backup` and what is derived from it.
#[derive(Clone)]
struct Secret {
    id: [u8; KEY_ID],
    seal: Sm4Key,
    name: Wiped<16>,
}

impl Secret {
    fn new(bytes: &[u8; 32]) -> Self {
        let derive = |purpose: &str| {
            gm::first16(&Wiped::new(gm::hmac_sm3(bytes, &[b"backup", purpose.as_bytes()])))
        };
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&derive("id")[..KEY_ID]);
        Self { id, seal: Sm4Key::new(*derive("seal")), name: derive("name") }
    }
}

/// The secrets as a file that is kept apart from the copies, newest first.
pub fn key_file(secrets: &[Wiped<32>]) -> Zeroizing<String> {
    let line = |secret: &Wiped<32>| format!("{FORMAT} {}\n", hex::encode(secret.as_slice()));
    Zeroizing::new(secrets.iter().map(line).collect())
}

pub fn read_key_file(path: &Path) -> Result<Vec<Wiped<32>>> {
    let wrong = || Error::Key(format!("{} 不是备份密钥文件", path.display()));
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| Error::Key(format!("无法读取备份密钥文件 {}：{error}", path.display())))?;
    let mut secrets = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let digits = line.trim().strip_prefix(FORMAT).ok_or_else(wrong)?;
        let mut secret = Wiped::<32>::default();
        hex::decode_to_slice(digits.trim(), &mut *secret).map_err(|_| wrong())?;
        secrets.push(secret);
    }
    if secrets.is_empty() { Err(wrong()) } else { Ok(secrets) }
}

/// A kept file: how long it is and its pieces in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub size: u64,
    /// When it was last changed, ns; a file of the same size and time is not read again.
    pub changed: i64,
    pub mode: u32,
    pub pieces: Vec<String>,
}

/// The files of a data directory by their path, grouped by folder as they are stored.
pub type Files = BTreeMap<String, Kept>;

/// What was kept at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    pub v: u32,
    /// Everything committed before this instant is in it.
    pub at: Instant,
    /// `sqlite` or `postgres`.
    pub database: String,
    pub version: String,
    /// The database file and its write-ahead log; nothing with PostgreSQL.
    pub db: Option<Kept>,
    pub wal: Option<Kept>,
    /// Folder → the pieces of its list.
    pub folders: BTreeMap<String, Vec<String>>,
}

/// The start of a PostgreSQL restore: what `pg_basebackup` gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    pub v: u32,
    /// When it was complete: states from then on can be reached.
    pub at: Instant,
    pub tar: Kept,
}

/// A person's key that was destroyed, and when: a restore must destroy it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    pub id: String,
    pub at: Instant,
}

pub struct Archive {
    root: PathBuf,
    /// Newest first; it seals what is new.
    secrets: Vec<Secret>,
}

impl Archive {
    /// The place at `root`, made if need be.
    pub fn open(root: &Path, secrets: &[Wiped<32>]) -> Result<Self> {
        let made = Self::at(root, secrets)?;
        for folder in ["pieces", "copies", "bases", "wal", "persons"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        }
        Ok(made)
    }

    /// The place at `root`, only read.
    pub fn at(root: &Path, secrets: &[Wiped<32>]) -> Result<Self> {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(secret)).collect();
        if secrets.is_empty() {
            return Err(Error::Key("没有备份密钥".into()));
        }
        Ok(Self { root: root.to_owned(), secrets })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    fn seal(&self, clear: &[u8], context: &str) -> Result<Vec<u8>> {
        let secret = &self.secrets[0];
        let small = Zeroizing::new(zstd::encode_all(clear, 1).map_err(Error::io(&self.root))?);
        let mut out = secret.id.to_vec();
        out.extend(secret.seal.seal(&small, context.as_bytes()));
        Ok(out)
    }

    fn unseal(&self, path: &Path, context: &str) -> Result<Vec<u8>> {
        let sealed = fs::read(path).map_err(Error::io(path))?;
        let damaged = || Error::Corrupt(format!("备份文件已损坏：{}", path.display()));
        let (id, body) = sealed.split_first_chunk::<KEY_ID>().ok_or_else(damaged)?;
        let secret = self.secrets.iter().find(|secret| secret.id == *id).ok_or_else(|| {
            Error::Key(format!("备份密钥不符：{} 是用另一把密钥加密的", path.display()))
        })?;
        let small = secret.seal.open(body, context.as_bytes()).map_err(|_| damaged())?;
        zstd::decode_all(small.as_slice()).map_err(|_| damaged())
    }

    fn name(&self, piece: &[u8]) -> String {
        let mut hasher = SipHasher13::new_with_key(&self.secrets[0].name);
        hasher.write(piece);
        hex::encode(hasher.finish128().as_bytes())
    }

    fn piece_path(&self, name: &str) -> PathBuf {
        self.root.join("pieces").join(name.get(..2).unwrap_or("__")).join(name)
    }

    /// Says that a copy is being made. What one that was broken off left behind goes: a name may
    /// stand there whose bytes never reached the disk.
    pub fn begin(&self) -> Result<()> {
        let mark = self.root.join(UNDER_WAY);
        if let Ok(left) = fs::metadata(&mark).and_then(|meta| meta.modified()) {
            let pieces = self.root.join("pieces");
            for shelf in fs::read_dir(&pieces).map_err(Error::io(&pieces))? {
                let shelf = shelf.map_err(Error::io(&pieces))?.path();
                for piece in fs::read_dir(&shelf).map_err(Error::io(&shelf))? {
                    let piece = piece.map_err(Error::io(&shelf))?;
                    let written = piece.metadata().and_then(|meta| meta.modified());
                    if written.map_err(Error::io(&shelf))? >= left {
                        fs::remove_file(piece.path()).map_err(Error::io(&shelf))?;
                    }
                }
            }
            fs::remove_file(&mark).map_err(Error::io(&mark))?;
        }
        self.put(&mark, b"", true)
    }

    /// The copy that was begun is on record.
    pub fn end(&self) -> Result<()> {
        let mark = self.root.join(UNDER_WAY);
        fs::remove_file(&mark).map_err(Error::io(&mark))
    }

    /// Keeps what comes out of `source`, up to `most` bytes; gives its size and pieces.
    pub fn keep(&self, source: &mut dyn Read, most: u64) -> Result<Kept> {
        let mut kept = Kept::default();
        while kept.size < most {
            let mut piece = Vec::with_capacity(PIECE);
            let room = (most - kept.size).min(PIECE as u64);
            source.take(room).read_to_end(&mut piece).map_err(Error::io(&self.root))?;
            if piece.is_empty() {
                break;
            }
            kept.size += piece.len() as u64;
            kept.pieces.push(self.keep_piece(&piece)?);
        }
        Ok(kept)
    }

    fn keep_piece(&self, piece: &[u8]) -> Result<String> {
        let name = self.name(piece);
        let path = self.piece_path(&name);
        if path.exists() {
            return Ok(name);
        }
        if let Some(shelf) = path.parent() {
            fs::create_dir_all(shelf).map_err(Error::io(shelf))?;
        }
        self.put(&path, &self.seal(piece, &name)?, false)?;
        Ok(name)
    }

    /// Whole or not at all under its name; kept `at_once`, or with the copy that names it.
    fn put(&self, path: &Path, bytes: &[u8], at_once: bool) -> Result<()> {
        if at_once {
            return durable::put(path, bytes);
        }
        let partial = durable::partial(path);
        fs::write(&partial, bytes).map_err(Error::io(&partial))?;
        fs::rename(&partial, path).map_err(Error::io(path))
    }

    /// Makes every piece written so far durable; a copy may name them only afterwards.
    fn settle(&self) -> Result<()> {
        durable::settle(&self.root)
    }

    /// Gives the bytes of a kept file, in order.
    pub fn write_to(&self, kept: &Kept, target: &mut dyn Write) -> Result<()> {
        let mut size = 0;
        for name in &kept.pieces {
            let path = self.piece_path(name);
            let piece = self.unseal(&path, name)?;
            size += piece.len() as u64;
            target.write_all(&piece).map_err(Error::io(&path))?;
        }
        if size != kept.size {
            return Err(Error::Corrupt("备份中的文件长度不符".into()));
        }
        Ok(())
    }

    /// The pieces of a folder's list, which are kept like a file.
    pub fn keep_list(&self, files: &Files) -> Result<BTreeMap<String, Vec<String>>> {
        let mut folders: BTreeMap<String, Files> = BTreeMap::new();
        for (path, kept) in files {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let list = folders.entry(folder.to_owned()).or_default();
            list.insert(name.to_owned(), kept.clone());
        }
        let mut lists = BTreeMap::new();
        for (folder, list) in folders {
            let text =
                serde_json::to_vec(&list).map_err(|error| Error::Other(error.to_string()))?;
            lists.insert(folder, self.keep(&mut text.as_slice(), u64::MAX)?.pieces);
        }
        Ok(lists)
    }

    pub fn files_of(&self, copy: &Copy) -> Result<Files> {
        let mut files = Files::new();
        for (folder, pieces) in &copy.folders {
            let mut text = Vec::new();
            for name in pieces {
                text.extend(self.unseal(&self.piece_path(name), name)?);
            }
            let list: Files = serde_json::from_slice(&text)
                .map_err(|_| Error::Corrupt("备份中的文件清单已损坏".into()))?;
            for (name, kept) in list {
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                files.insert(path, kept);
            }
        }
        Ok(files)
    }

    /// Puts a copy on record, after everything it names.
    pub fn record(&self, copy: &Copy) -> Result<()> {
        self.settle()?;
        self.put_json("copies", copy.at, copy)
    }

    pub fn record_base(&self, base: &Base) -> Result<()> {
        self.settle()?;
        self.put_json("bases", base.at, base)
    }

    fn put_json(&self, folder: &str, at: Instant, what: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec(what).map_err(|error| Error::Other(error.to_string()))?;
        let name = format!("{at:020}");
        let sealed = self.seal(&text, &format!("{folder}/{name}"))?;
        self.put(&self.root.join(folder).join(name), &sealed, true)
    }

    fn get_json<T: for<'a> Deserialize<'a>>(&self, folder: &str, at: Instant) -> Result<T> {
        let name = format!("{at:020}");
        let path = self.root.join(folder).join(&name);
        let text = self.unseal(&path, &format!("{folder}/{name}"))?;
        serde_json::from_slice(&text)
            .map_err(|_| Error::Corrupt(format!("备份文件已损坏：{}", path.display())))
    }

    /// The instants at which something is kept, in order; known without the key.
    fn instants(&self, folder: &str) -> Result<Vec<Instant>> {
        let folder = self.root.join(folder);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(&folder)(error)),
        };
        let mut instants = Vec::new();
        for entry in entries {
            let name = entry.map_err(Error::io(&folder))?.file_name();
            instants.extend(name.to_str().and_then(|name| name.parse::<Instant>().ok()));
        }
        instants.sort_unstable();
        Ok(instants)
    }

    pub fn copies(&self) -> Result<Vec<Instant>> {
        self.instants("copies")
    }

    pub fn bases(&self) -> Result<Vec<Instant>> {
        self.instants("bases")
    }

    pub fn copy(&self, at: Instant) -> Result<Copy> {
        self.get_json("copies", at)
    }

    pub fn base(&self, at: Instant) -> Result<Base> {
        self.get_json("bases", at)
    }

    /// One segment of PostgreSQL's write-ahead log, as `archive_command` left it.
    pub fn keep_wal(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let sealed = self.seal(bytes, &format!("wal/{name}"))?;
        self.put(&self.root.join("wal").join(name), &sealed, true)
    }

    pub fn wal(&self) -> Result<Vec<String>> {
        let folder = self.root.join("wal");
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(Error::io(&folder))? {
            let name = entry.map_err(Error::io(&folder))?.file_name();
            names
                .extend(name.to_str().filter(|name| !name.contains(".partial")).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    pub fn wal_bytes(&self, name: &str) -> Result<Vec<u8>> {
        self.unseal(&self.root.join("wal").join(name), &format!("wal/{name}"))
    }

    /// The keys of persons that were destroyed up to the newest copy.
    pub fn erased(&self) -> Result<Vec<Erased>> {
        let path = self.root.join("erased");
        if !path.exists() {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&self.unseal(&path, "erased")?)
            .map_err(|_| Error::Corrupt(format!("备份文件已损坏：{}", path.display())))
    }

    /// Puts destroyed keys on record, strikes them out of every list, and keeps what was on record before.
    /// How many were struck out; `all` looks for those on record too.
    pub fn record_erased(&self, erased: &[Erased], all: bool) -> Result<usize> {
        let mut known = self.erased()?;
        let before: HashSet<String> = known.iter().map(|it| it.id.clone()).collect();
        known.extend(erased.iter().filter(|it| !before.contains(&it.id)).cloned());
        let gone = known.iter().filter(|it| all || !before.contains(&it.id));
        let gone: HashSet<_> = gone.filter_map(|it| person_id(&it.id)).collect();
        let struck = self.strike(&gone)?;
        if known.len() > before.len() {
            let text =
                serde_json::to_vec(&known).map_err(|error| Error::Other(error.to_string()))?;
            self.put(&self.root.join("erased"), &self.seal(&text, "erased")?, true)?;
        }
        Ok(struck)
    }

    /// Forgets these copies and whatever only they named. How many pieces went.
    pub fn forget(&self, copies: &[Instant]) -> Result<usize> {
        for at in copies {
            let path = self.root.join("copies").join(format!("{at:020}"));
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
        let mut named: HashSet<String> = HashSet::new();
        for at in self.copies()? {
            let copy = self.copy(at)?;
            for kept in copy.db.iter().chain(&copy.wal) {
                named.extend(kept.pieces.iter().cloned());
            }
            named.extend(copy.folders.values().flatten().cloned());
            named.extend(self.files_of(&copy)?.into_values().flat_map(|kept| kept.pieces));
        }
        for at in self.bases()? {
            named.extend(self.base(at)?.tar.pieces);
        }
        let mut gone = 0;
        let pieces = self.root.join("pieces");
        for shelf in fs::read_dir(&pieces).map_err(Error::io(&pieces))? {
            let shelf = shelf.map_err(Error::io(&pieces))?.path();
            for piece in fs::read_dir(&shelf).map_err(Error::io(&shelf))? {
                let path = piece.map_err(Error::io(&shelf))?.path();
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                if name.is_some_and(|name| !named.contains(&name)) {
                    fs::remove_file(&path).map_err(Error::io(&path))?;
                    gone += 1;
                }
            }
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(at: Instant, folders: BTreeMap<String, Vec<String>>) -> Copy {
        Copy {
            v: 1,
            at,
            database: "sqlite".into(),
            version: "0".into(),
            db: None,
            wal: None,
            folders,
        }
    }

    #[test]
    fn what_did_not_change_is_kept_once_and_what_nobody_names_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::open(folder.path(), &[Wiped::new([7; 32])]).expect("a place");
        let mut bytes: Vec<u8> = (0..PIECE * 3 + 5).map(|at| (at / 1_000) as u8).collect();
        let first = archive.keep(&mut bytes.as_slice(), u64::MAX).expect("kept");
        bytes[PIECE + 1] ^= 1;
        let second = archive.keep(&mut bytes.as_slice(), u64::MAX).expect("kept");
        let same = first.pieces.iter().zip(&second.pieces).filter(|(a, b)| a == b).count();
        assert_eq!((first.pieces.len(), same), (4, 3));
        for (at, kept) in [(1, &first), (2, &second)] {
            let files = Files::from([("a/b".to_owned(), kept.clone())]);
            let lists = archive.keep_list(&files).expect("listed");
            archive.record(&copy(at, lists)).expect("on record");
        }
        assert_eq!(archive.copies().expect("listed"), [1, 2]);
        assert_eq!(archive.forget(&[1]).expect("pruned"), 2, "a list and a piece");
        let files = archive.files_of(&archive.copy(2).expect("there")).expect("listed");
        let mut back = Vec::new();
        archive.write_to(&files["a/b"], &mut back).expect("read");
        assert_eq!(back, bytes);
    }

    #[test]
    fn a_changed_byte_or_another_key_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::open(folder.path(), &[Wiped::new([7; 32])]).expect("a place");
        let kept = archive.keep(&mut &b"secret"[..], u64::MAX).expect("kept");
        let other = Archive::at(folder.path(), &[Wiped::new([8; 32])]).expect("a place");
        let refused = other.write_to(&kept, &mut Vec::new()).expect_err("another key");
        assert!(matches!(refused, Error::Key(_)), "{refused}");
        // a new key in front, the old one behind it: old copies stay readable
        let both =
            Archive::at(folder.path(), &[[8; 32], [7; 32]].map(Wiped::new)).expect("a place");
        both.write_to(&kept, &mut Vec::new()).expect("read");
        let path = archive.piece_path(&kept.pieces[0]);
        let mut bytes = fs::read(&path).expect("read");
        assert!(!bytes.windows(6).any(|part| part == b"secret"));
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&path, bytes).expect("changed");
        let refused = archive.write_to(&kept, &mut Vec::new()).expect_err("changed");
        assert!(matches!(refused, Error::Corrupt(_)), "{refused}");
    }
}
