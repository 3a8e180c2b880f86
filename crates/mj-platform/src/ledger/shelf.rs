//! The volumes (册) of a log as they lie in files: the newest directly in the log's folder, those before
//! it below `closed/`, each with the same layout.
//!
//! Closing is a folder put together beside and renamed into place, then the files of the old volume
//! taken out of the log's own folder. `checkpoint` there is that of the old volume until the new one
//! has its first: a reader, or a start, sees from the two how far it came.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use mj_kernel::Instant;
use mj_ledger::tiles::Tiles;
use mj_ledger::tree::Subtrees;
use mj_ledger::volume::{self, Cause, Opening};
use mj_ledger::{Checkpoint, Entry, Hash, VerifierKey, tiles, tree};

use super::files::LogReader;
use super::{CHECKPOINT, HISTORY, KEY, OLD_KEYS, wrong};
use crate::durable::{self, sync_folder};
use crate::error::{Error, Result};
use crate::gm::sign;

/// The closed volumes, in the log's folder.
pub const CLOSED: &str = "closed";
/// What a volume consists of.
const PARTS: [&str; 6] = ["tile", "sheets", HISTORY, KEY, OLD_KEYS, CHECKPOINT];

/// A log's folder with all its volumes.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

/// A volume with its newest signed checkpoint.
pub struct Volume {
    pub number: u64,
    /// The platform-wide number of its first entry.
    pub first: u64,
    /// The signed checkpoint as text.
    pub text: String,
    pub checkpoint: Checkpoint,
    pub key: VerifierKey,
    /// What its first entry says of the volume before.
    pub opening: Option<Opening>,
    pub reader: LogReader,
}

impl Volume {
    /// The platform-wide number after its last signed entry.
    pub fn end(&self) -> u64 {
        self.first + self.checkpoint.size
    }

    pub fn holds(&self, seq: u64) -> bool {
        (self.first..self.end()).contains(&seq)
    }

    /// The place of an entry in the volume's tree.
    pub fn index(&self, seq: u64) -> u64 {
        seq.saturating_sub(self.first)
    }

    /// An entry by its platform-wide number, as it stands in the log.
    pub fn entry(&self, seq: u64) -> Result<Option<Vec<u8>>> {
        self.reader.entry(self.index(seq))
    }

    /// The path that shows an entry to be in the signed tree.
    pub fn proof(&self, seq: u64, entry: &[u8]) -> Result<Vec<Hash>> {
        let (index, leaf) = (self.index(seq), tree::leaf(entry));
        let Checkpoint { size, root, .. } = &self.checkpoint;
        let holds =
            |path: &Vec<Hash>| tree::check_inclusion(leaf, index, *size, path, root).is_ok();
        if let Ok(path) = tree::inclusion(&self.reader, index, *size)
            && holds(&path)
        {
            return Ok(path);
        }
        // of a frozen volume the tiles may be what was damaged
        let path =
            tree::inclusion(&from_entries(&self.reader, *size)?, index, *size).map_err(wrong)?;
        let lost = || Error::Corrupt("监管日志的内容与已签署的检查点不符".into());
        holds(&path).then_some(path).ok_or_else(lost)
    }

    /// Its sheet.
    pub fn sheet(&self, seq: u64) -> Result<Option<String>> {
        self.reader.sheet(self.index(seq))
    }
}

/// A volume as people see it.
pub struct Listed {
    pub number: u64,
    /// The platform-wide number of its first entry.
    pub first: u64,
    /// Entries that are proved.
    pub size: u64,
    pub began: Option<Instant>,
    pub signed_at: Option<Instant>,
    /// Why it was closed, as the next one says; `None` for the one that is being written.
    pub closed: Option<Opening>,
    /// Its newest signed checkpoint.
    pub text: Option<String>,
}

/// The first entry of a volume: its number, and what it says of the volume before.
pub(super) fn opening_of(entry: &[u8]) -> Option<(u64, Opening)> {
    let entry = Entry::parse(entry).ok()?;
    Some((entry.seq, entry.opens?))
}

impl Shelf {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn place(&self, number: u64) -> PathBuf {
        self.folder.join(CLOSED).join(number.to_string())
    }

    /// The numbers of the closed volumes that lie there, in order.
    pub fn closed(&self) -> Result<Vec<u64>> {
        let folder = self.folder.join(CLOSED);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(&folder)(error)),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(Error::io(&folder))?.file_name();
            let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
            numbers.extend(number.filter(|number| number.to_string().as_str() == name));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A volume's files, wherever they lie now or are put while they are read.
    pub fn reader(&self, number: u64) -> LogReader {
        LogReader::of_volume(&self.folder, self.place(number))
    }

    /// The number of the volume whose checkpoint lies in the log's own folder, as it says itself.
    pub(super) fn named(&self) -> Result<Option<u64>> {
        let text = LogReader::new(&self.folder).text(CHECKPOINT)?;
        Ok(text.map(|text| volume::split(text.lines().next().unwrap_or_default()).1))
    }

    /// The newest volume that has a signed checkpoint.
    pub fn newest(&self) -> Result<Option<Volume>> {
        // a turn under way moves what was just found: then it lies where it is looked for next
        match self.named()? {
            Some(number) => self.volume(number),
            None => Ok(None),
        }
    }

    /// A volume by its number; `None` where there is no such or it is not signed.
    pub fn volume(&self, number: u64) -> Result<Option<Volume>> {
        let reader = self.reader(number);
        let Some((text, checkpoint, key)) = signed(&reader)? else { return Ok(None) };
        if volume::split(&checkpoint.origin).1 != number {
            return Ok(None);
        }
        let head = match number {
            1 => None,
            _ => reader.head()?.and_then(|entry| opening_of(&entry)),
        };
        let (first, opening) = match (number, head) {
            (1, _) => (0, None),
            (_, Some((first, opening))) => (first, Some(opening)),
            (_, None) => return Err(Error::Corrupt(format!("监管日志第 {number} 册缺少首条"))),
        };
        Ok(Some(Volume { number, first, text, checkpoint, key, opening, reader }))
    }

    /// The volume that holds an entry; `None` while it is not signed.
    pub fn holding(&self, seq: u64) -> Result<Option<Volume>> {
        let Some(newest) = self.newest()? else { return Ok(None) };
        if newest.first <= seq {
            return Ok(newest.holds(seq).then_some(newest));
        }
        for number in (1..newest.number).rev() {
            // one that was frozen may have no checkpoint that holds: nothing in it can be proved
            match self.volume(number).ok().flatten() {
                Some(volume) if volume.first <= seq => {
                    let after = self.opening_after(number)?.map(|(_, opening)| opening);
                    let proved = after.is_none_or(|after| seq < after.first + after.size);
                    return Ok((proved && volume.holds(seq)).then_some(volume));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// How many entries are in signed checkpoints.
    pub fn sealed(&self) -> Result<u64> {
        Ok(self.newest()?.map_or(0, |newest| newest.end()))
    }

    /// What the volume after this one says of it in its first entry, and that entry's number.
    pub fn opening_after(&self, number: u64) -> Result<Option<(u64, Opening)>> {
        let head = self.reader(number + 1).head()?.and_then(|entry| opening_of(&entry));
        // where that volume is gone, what lies in its place is another's
        Ok(head.filter(|(_, opening)| volume::split(&opening.origin).1 == number))
    }

    /// All volumes as people see them, the newest first.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let newest = self.newest()?.map(|newest| newest.number);
        let last = self.closed()?.last().copied().unwrap_or(0);
        let mut listed = Vec::new();
        for number in (1..=newest.unwrap_or(0).max(last)).rev() {
            let after = self.opening_after(number)?.map(|(_, opening)| opening);
            let volume = self.volume(number).ok().flatten();
            let head = volume.as_ref().map(|volume| volume.reader.head()).transpose()?.flatten();
            let own = volume.as_ref().map_or(0, |volume| volume.first);
            listed.push(Listed {
                number,
                first: after.as_ref().map_or(own, |after| after.first),
                size: match (&after, &volume) {
                    (Some(after), _) => after.size,
                    (None, Some(volume)) => volume.checkpoint.size,
                    (None, None) => 0,
                },
                began: head.and_then(|head| Entry::parse(&head).ok()).map(|head| head.time),
                signed_at: volume.as_ref().map(|volume| volume.checkpoint.time),
                closed: after,
                text: volume.map(|volume| volume.text),
            });
        }
        Ok(listed)
    }

    /// What the files alone show to be damaged, in words: every entry leads through the tiles to the signed
    /// root. Sheets and rows are looked at by `verify`.
    pub fn damaged(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let Some(newest) = self.named()? else {
            if self.folder.join("tile").exists() || self.folder.join(CLOSED).exists() {
                found.push("缺少检查点".to_owned());
            }
            return Ok(found);
        };
        let closed = self.closed()?;
        let last = closed.last().copied().unwrap_or(0);
        if newest != last + 1 {
            let own = LogReader::new(&self.folder).text(CHECKPOINT)?;
            // killed in the middle of a turn, it is still that of the volume before
            if last == 0 || own != self.reader(last).text(CHECKPOINT)? {
                found.push(format!("第 {} 册的检查点不是它的", last + 1));
            }
        }
        for number in 1..=newest {
            if number != newest && !closed.contains(&number) {
                found.push(format!("缺少第 {number} 册"));
                continue;
            }
            let after = self.opening_after(number)?.map(|(_, opening)| opening);
            if after.as_ref().is_some_and(|after| after.cause == Cause::Freeze) {
                continue;
            }
            let volume = match self.volume(number) {
                Ok(Some(volume)) => volume,
                Ok(None) => {
                    found.push(format!("第 {number} 册没有检查点或公钥"));
                    continue;
                }
                Err(error) => {
                    found.push(format!("第 {number} 册：{error}"));
                    continue;
                }
            };
            let Checkpoint { size, root, .. } = volume.checkpoint;
            let holds = leads_to(&volume.reader, size, root)?;
            let fits = after.is_none_or(|after| (after.size, after.root) == (size, root));
            if !holds || !fits {
                found.push(format!("第 {number} 册的内容与已签署的检查点不符"));
            }
        }
        Ok(found)
    }

    /// The entries past proof of every frozen volume: platform-wide numbers, the end excluded.
    pub(super) fn past(&self) -> Result<Vec<(u64, u64)>> {
        let mut past = Vec::new();
        for number in self.closed()? {
            if let Some((seq, opening)) = self.opening_after(number)?
                && opening.cause == Cause::Freeze
            {
                past.push((opening.first + opening.size, seq));
            }
        }
        Ok(past)
    }

    /// Puts the volume in the log's own folder below `closed/`, whole, while it still lies here too.
    pub(super) fn close(&self, number: u64) -> Result<()> {
        let place = self.place(number);
        if place.exists() {
            return Ok(());
        }
        let partial = place.with_file_name(format!("{number}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(Error::io(&partial))?;
        }
        fs::create_dir_all(&partial).map_err(Error::io(&partial))?;
        for part in PARTS {
            let from = self.folder.join(part);
            if from.exists() {
                link(&from, &partial.join(part))?;
            }
        }
        sync_folder(&partial)?;
        durable::rename(&partial, &place)?;
        sync_folder(&self.folder)
    }

    /// Takes the files of the volume that was closed out of the log's own folder, but its checkpoint.
    pub(super) fn clear(&self) -> Result<()> {
        for part in ["tile", "sheets"] {
            let path = self.folder.join(part);
            if path.exists() {
                fs::remove_dir_all(&path).map_err(Error::io(&path))?;
            }
        }
        let history = self.folder.join(HISTORY);
        if history.exists() {
            fs::remove_file(&history).map_err(Error::io(&history))?;
        }
        sync_folder(&self.folder)
    }

    /// Makes the closed volume `number` the newest again: what came after it is not part of this store.
    pub(super) fn reopen(&self, number: u64) -> Result<()> {
        let place = self.place(number);
        // the checkpoint first: broken off after it, this is begun again
        for part in [CHECKPOINT, KEY, OLD_KEYS] {
            let from = place.join(part);
            if from.exists() {
                let bytes = fs::read(&from).map_err(Error::io(&from))?;
                durable::put(&self.folder.join(part), &bytes)?;
            }
        }
        self.clear()?;
        for part in ["tile", "sheets", HISTORY] {
            let from = place.join(part);
            if from.exists() {
                link(&from, &self.folder.join(part))?;
            }
        }
        sync_folder(&self.folder)?;
        for later in self.closed()?.into_iter().filter(|later| *later >= number) {
            let path = self.place(later);
            fs::remove_dir_all(&path).map_err(Error::io(&path))?;
        }
        sync_folder(&self.folder.join(CLOSED))
    }
}

/// The same files under another name, durable; copied where the file system cannot do that.
fn link(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        if fs::hard_link(from, to).is_err() {
            fs::copy(from, to).map_err(Error::io(to))?;
            File::open(to).and_then(|file| durable::sync(&file)).map_err(Error::io(to))?;
        }
        return Ok(());
    }
    fs::create_dir_all(to).map_err(Error::io(to))?;
    for entry in fs::read_dir(from).map_err(Error::io(from))? {
        let entry = entry.map_err(Error::io(from))?;
        link(&entry.path(), &to.join(entry.file_name()))?;
    }
    sync_folder(to)
}

/// Whether the entries lead to this root, each with the hash its tile has of it, and the tiles above follow.
fn leads_to(reader: &LogReader, size: u64, root: Hash) -> Result<bool> {
    let mut frontier = tree::Frontier::new();
    for bundle in 0..size.div_ceil(tiles::WIDTH) {
        let leaves: Vec<Hash> =
            reader.bundle(bundle)?.iter().map(|entry| tree::leaf(entry)).collect();
        let count = usize::try_from((size - bundle * tiles::WIDTH).min(tiles::WIDTH)).unwrap_or(0);
        let tile = reader.tile(0, bundle).ok();
        let tiled = tile.as_ref().and_then(|tile| tile.get(..count));
        if tiled.is_none() || tiled != leaves.get(..count) {
            return Ok(false);
        }
        frontier.push_all(leaves[..count].to_vec());
    }
    Ok(frontier.root() == root && upper_tiles_hold(reader, size))
}

/// Whether every hash above the leaves' tiles follows from the tile below it.
pub(super) fn upper_tiles_hold(reader: &LogReader, size: u64) -> bool {
    let (mut level, mut full) = (0, size / tiles::WIDTH);
    while full > 0 {
        for index in 0..full {
            let above = reader.subtree((level + 1) * tiles::HEIGHT, index);
            let own = reader.tile(level, index).ok().map(|tile| tile.to_vec());
            let folded = own.filter(|row| row.len() as u64 == tiles::WIDTH).map(fold);
            if folded.is_none() || above.ok() != folded {
                return false;
            }
        }
        level += 1;
        full /= tiles::WIDTH;
    }
    true
}

fn fold(mut row: Vec<Hash>) -> Hash {
    while row.len() > 1 {
        row = row.chunks(2).map(|pair| tree::node(&pair[0], &pair[1])).collect();
    }
    row[0]
}

/// The tree of a volume's first entries, from the entries alone.
pub(super) fn from_entries(reader: &LogReader, size: u64) -> Result<tree::Memory> {
    let mut memory = tree::Memory::new();
    for bundle in 0..size.div_ceil(tiles::WIDTH) {
        for entry in reader.bundle(bundle)? {
            if memory.size() < size {
                memory.push(tree::leaf(&entry));
            }
        }
    }
    Ok(memory)
}

/// The newest signed checkpoint of a volume, as text and read, and its key.
pub fn signed(reader: &LogReader) -> Result<Option<(String, Checkpoint, VerifierKey)>> {
    let (Some(text), Some(key)) = (reader.text(CHECKPOINT)?, reader.text(KEY)?) else {
        return Ok(None);
    };
    let key = VerifierKey::parse(&key).map_err(wrong)?;
    // between two volumes the two files are not yet of the same
    let key = key.of_volume(text.lines().next().unwrap_or_default());
    let checkpoint = Checkpoint::open(&text, &key, &sign::verify).map_err(wrong)?;
    Ok(Some((text, checkpoint, key)))
}
