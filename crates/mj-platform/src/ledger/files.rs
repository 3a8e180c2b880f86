//! The log in files: tiles of hashes, bundles of entries, their sheets, the newest signed checkpoint.
//!
//! Files only grow. What stands behind the size that the checkpoint names was cut off by a crash and
//! is cut away at the next start; its entries still wait in the database.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use mj_ledger::tree::{self, Frontier};
use mj_ledger::{Hash, tiles};

use crate::durable;
use crate::error::{Error, Result};

const WIDTH: u64 = tiles::WIDTH;
const HASH: u64 = 32;

/// One entry to append.
pub(super) struct Fresh {
    pub(super) entry: String,
    /// As stored by [`super::book`].
    pub(super) sheet: Vec<u8>,
}

/// The log's folder, open for appending.
pub(super) struct LogFiles {
    root: PathBuf,
    frontier: Frontier,
    /// The last, unfinished tile of every level.
    tails: Vec<Vec<Hash>>,
}

impl LogFiles {
    /// Opens the log at the size its checkpoint names, cutting off what a crash left behind it.
    pub(super) fn open(root: &Path, size: u64) -> Result<Self> {
        fs::create_dir_all(root).map_err(Error::io(root))?;
        cut(&root.join(tiles::tile_path(0, size / WIDTH)), size % WIDTH * HASH)?;
        for (path, prefix) in [
            (root.join(tiles::entries_path(size / WIDTH)), 2),
            (root.join(tiles::sheets_path(size / WIDTH)), 4),
        ] {
            let end = end_of(&path, prefix, size % WIDTH)?;
            cut(&path, end)?;
        }
        for place in [tiles::entries_path, tiles::sheets_path] {
            drop_behind(root, size / WIDTH, place)?;
        }
        let mut tails = Vec::new();
        let mut count = size;
        let mut level = 0;
        while count > 0 || root.join(format!("tile/{level}")).exists() {
            drop_behind(root, count / WIDTH, |index| tiles::tile_path(level, index))?;
            let path = root.join(tiles::tile_path(level, count / WIDTH));
            cut(&path, count % WIDTH * HASH)?;
            tails.push(if count.is_multiple_of(WIDTH) { Vec::new() } else { read_tile(&path)? });
            count /= WIDTH;
            level += 1;
        }
        let reader = LogReader::new(root);
        let frontier = Frontier::of(&reader, size)
            .map_err(|error| Error::Corrupt(format!("监管日志不完整：{error}")))?;
        Ok(Self { root: root.to_owned(), frontier, tails })
    }

    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(super) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends, makes durable, reads back and hashes again. On an error the files must be opened anew.
    pub(super) fn append(&mut self, fresh: &[Fresh]) -> Result<()> {
        let mut grown: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut leaves = Vec::with_capacity(fresh.len());
        for one in fresh {
            let index = self.frontier.size();
            let leaf = tree::leaf(one.entry.as_bytes());
            leaves.push(leaf);
            let bundle = grown.entry(tiles::entries_path(index / WIDTH)).or_default();
            tiles::put_entry(bundle, one.entry.as_bytes())
                .map_err(|error| Error::Corrupt(error.to_string()))?;
            let sheets = grown.entry(tiles::sheets_path(index / WIDTH)).or_default();
            let length = u32::try_from(one.sheet.len())
                .map_err(|_| Error::Corrupt("行清单超过 4 GiB".into()))?;
            sheets.extend(length.to_be_bytes());
            sheets.extend(&one.sheet);
            self.push(leaf, &mut grown);
        }
        let mut folders = BTreeSet::new();
        let mut written = Vec::new();
        for (path, bytes) in &grown {
            let path = self.root.join(path);
            let mut above = path.parent();
            while let Some(folder) = above.filter(|folder| !folder.exists()) {
                folders.insert(folder.parent().unwrap_or(folder).to_owned());
                above = folder.parent();
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(Error::io(folder))?;
                if !path.exists() {
                    folders.insert(folder.to_owned());
                }
            }
            let mut options = OpenOptions::new();
            let mut file =
                options.append(true).create(true).open(&path).map_err(Error::io(&path))?;
            let before = file.metadata().map_err(Error::io(&path))?.len();
            file.write_all(bytes).map_err(Error::io(&path))?;
            durable::sync(&file).map_err(Error::io(&path))?;
            written.push((path, before, bytes));
        }
        for folder in folders {
            durable::sync_folder(&folder)?;
        }
        for (path, before, bytes) in written {
            let mut file = File::open(&path).map_err(Error::io(&path))?;
            file.seek(SeekFrom::Start(before)).map_err(Error::io(&path))?;
            let mut back = Vec::with_capacity(bytes.len());
            file.read_to_end(&mut back).map_err(Error::io(&path))?;
            if &back != bytes {
                return Err(Error::Corrupt(format!("{} 写入后读回不同", path.display())));
            }
        }
        Ok(())
    }

    fn push(&mut self, leaf: Hash, grown: &mut BTreeMap<String, Vec<u8>>) {
        let mut index = self.frontier.size();
        self.frontier.push(leaf);
        let mut hash = leaf;
        for level in 0_u32.. {
            let at = level as usize;
            if self.tails.len() == at {
                self.tails.push(Vec::new());
            }
            let path = tiles::tile_path(level, index / WIDTH);
            grown.entry(path).or_default().extend(hash);
            self.tails[at].push(hash);
            if self.tails[at].len() as u64 != WIDTH {
                return;
            }
            let mut row = std::mem::take(&mut self.tails[at]);
            while row.len() > 1 {
                row = row.chunks(2).map(|pair| tree::node(&pair[0], &pair[1])).collect();
            }
            hash = row[0];
            index /= WIDTH;
        }
    }

    /// Puts a file in place of the one before, whole or not at all.
    pub(super) fn replace(&self, name: &str, text: &str) -> Result<()> {
        durable::put(&self.root.join(name), text.as_bytes())
    }

    /// One more line of a list that is only for reading.
    pub(super) fn note(&self, name: &str, line: &str) -> Result<()> {
        let path = self.root.join(name);
        let file = OpenOptions::new().append(true).create(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(Error::io(&path))
    }
}

/// Removes the files after this one: they hold nothing that was signed.
fn drop_behind(root: &Path, index: u64, place: impl Fn(u64) -> String) -> Result<()> {
    for later in index + 1.. {
        let path = root.join(place(later));
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io(&path)(error)),
        }
    }
    Ok(())
}

/// Shortens a file to `length`; a shorter one has lost something that was signed.
fn cut(path: &Path, length: u64) -> Result<()> {
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && length == 0 => return Ok(()),
        Err(error) => return Err(Error::io(path)(error)),
    };
    let found = file.metadata().map_err(Error::io(path))?.len();
    if found < length {
        return Err(Error::Corrupt(format!("监管日志被截短：{}", path.display())));
    }
    if found > length {
        file.set_len(length).and_then(|()| durable::sync(&file)).map_err(Error::io(path))?;
    }
    Ok(())
}

/// Where the first `count` pieces of a file end, each behind its length of `prefix` bytes.
fn end_of(path: &Path, prefix: usize, count: u64) -> Result<u64> {
    if count == 0 {
        return Ok(0);
    }
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut end = 0;
    for _ in 0..count {
        file.seek(SeekFrom::Start(end)).map_err(Error::io(path))?;
        let mut length = [0; 8];
        file.read_exact(&mut length[8 - prefix..]).map_err(Error::io(path))?;
        end += prefix as u64 + u64::from_be_bytes(length);
    }
    Ok(end)
}

fn read_tile(path: &Path) -> Result<Vec<Hash>> {
    let bytes = fs::read(path).map_err(Error::io(path))?;
    Ok(bytes.as_chunks::<32>().0.to_vec())
}

/// A tile and its number.
type NumberedTile = (u64, Arc<Vec<Hash>>);

/// One volume for reading: by the node itself, by `verify`, by whoever has a copy.
pub struct LogReader {
    folder: PathBuf,
    /// Where its files lie once it is closed.
    closed: Option<PathBuf>,
    /// The tile read last of each level: proofs ask the same ones again.
    recent: Mutex<BTreeMap<u32, NumberedTile>>,
}

impl LogReader {
    /// The files of this very folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), closed: None, recent: Mutex::default() }
    }

    /// A volume that may be closed at any moment.
    pub(super) fn of_volume(folder: &Path, closed: PathBuf) -> Self {
        Self { closed: Some(closed), ..Self::new(folder) }
    }

    fn root(&self) -> &Path {
        self.closed.as_deref().filter(|closed| closed.exists()).unwrap_or(&self.folder)
    }

    /// Reads a file of the volume. Where it was closed meanwhile, what was read may be of the next.
    fn read<T>(&self, name: &str, how: impl Fn(&Path) -> Result<T>) -> Result<T> {
        loop {
            let root = self.root();
            let got = how(&root.join(name));
            if self.root() == root {
                return got;
            }
        }
    }

    /// A file of the volume; `None` where there is none.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        self.read(name, |path| match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(path)(error)),
        })
    }

    /// The bytes of a file of the volume.
    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        self.read(name, |path| fs::read(path).map_err(Error::io(path)))
    }

    /// The last lines of a growing file, whole ones, within so many bytes.
    pub fn tail(&self, name: &str, bytes: u64) -> Result<String> {
        self.read(name, |path| {
            let Some(mut file) = open_if_there(path)? else { return Ok(String::new()) };
            let length = file.metadata().map_err(Error::io(path))?.len();
            let from = length.saturating_sub(bytes);
            file.seek(SeekFrom::Start(from)).map_err(Error::io(path))?;
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(Error::io(path))?;
            match text.split_once('\n') {
                Some((_, whole)) if from > 0 => Ok(whole.to_owned()),
                _ => Ok(text),
            }
        })
    }

    /// The entries of one bundle, as many as there are whole.
    pub fn bundle(&self, index: u64) -> Result<Vec<Vec<u8>>> {
        self.read(&tiles::entries_path(index), |path| {
            let bytes = match fs::read(path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(Error::io(path)(error)),
            };
            Ok(tiles::entries(&bytes).map_while(|entry| entry.map(<[u8]>::to_vec)).collect())
        })
    }

    /// The first entry alone.
    pub(super) fn head(&self) -> Result<Option<Vec<u8>>> {
        self.read(&tiles::entries_path(0), |path| {
            let Some(mut file) = open_if_there(path)? else { return Ok(None) };
            let mut length = [0; 2];
            if file.read_exact(&mut length).is_err() {
                return Ok(None);
            }
            let mut entry = vec![0; usize::from(u16::from_be_bytes(length))];
            Ok(file.read_exact(&mut entry).is_ok().then_some(entry))
        })
    }

    /// One entry by its place in the volume, as it stands in the log.
    pub fn entry(&self, index: u64) -> Result<Option<Vec<u8>>> {
        let at = usize::try_from(index % WIDTH).unwrap_or(0);
        Ok(self.bundle(index / WIDTH)?.into_iter().nth(at))
    }

    /// The sheets of one bundle, one after another.
    pub fn sheets(&self, index: u64) -> Result<Sheets> {
        self.read(&tiles::sheets_path(index), |path| {
            let file = open_if_there(path)?.map(std::io::BufReader::new);
            Ok(Sheets { path: path.to_owned(), file })
        })
    }

    /// One sheet by its entry's place in the volume, as text.
    pub fn sheet(&self, index: u64) -> Result<Option<String>> {
        let mut sheets = self.sheets(index / WIDTH)?;
        for _ in 0..index % WIDTH {
            sheets.next_stored()?;
        }
        sheets.next_stored()?.map(|stored| super::book::unpack(&stored)).transpose()
    }
}

fn open_if_there(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path)(error)),
    }
}

/// Sheets of 256 entries, read one by one: together they may be large.
pub struct Sheets {
    path: PathBuf,
    file: Option<std::io::BufReader<File>>,
}

impl Sheets {
    /// The next one as it is stored; `None` at the end or where the file was cut short.
    pub fn next_stored(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(file) = &mut self.file else { return Ok(None) };
        let mut length = [0; 4];
        if file.read_exact(&mut length).is_err() {
            return Ok(None);
        }
        let length = u64::from(u32::from_be_bytes(length));
        let mut stored = Vec::new();
        file.take(length).read_to_end(&mut stored).map_err(Error::io(&self.path))?;
        Ok((stored.len() as u64 == length).then_some(stored))
    }
}

impl tiles::Tiles for LogReader {
    fn tile(&self, level: u32, index: u64) -> mj_ledger::Result<Arc<Vec<Hash>>> {
        let missing = mj_ledger::Error::MissingNode { level: level * tiles::HEIGHT, index };
        let mut recent = self.recent.lock().map_err(|_| missing.clone())?;
        if let Some((at, tile)) = recent.get(&level)
            && *at == index
            && tile.len() as u64 == WIDTH
        {
            return Ok(tile.clone());
        }
        let tile = self.read(&tiles::tile_path(level, index), read_tile);
        let tile = Arc::new(tile.map_err(|_| missing)?);
        recent.insert(level, (index, tile.clone()));
        Ok(tile)
    }
}
