//! Damaged files of the log mended from a copy (a backup, a replica): only where what comes of it leads
//! to the roots that were signed. Otherwise nothing is changed.

use std::fs;
use std::path::Path;

use mj_ledger::tree::{self, Frontier};
use mj_ledger::{Checkpoint, Entry, Hash, VerifierKey, sheet, tiles, volume};

use super::freeze::tiles_over;
use super::shelf::{self, Shelf};
use super::{CHECKPOINT, KEY, LogReader, book, wrong};
use crate::durable;
use crate::error::{Error, Result};
use crate::gm::sign;

/// What became of the wish to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// Files that were replaced, below the log's folder.
    pub files: Vec<String>,
    /// Volumes that this copy cannot mend; then nothing was changed.
    pub beyond: Vec<u64>,
}

/// Files by name, with what is to stand in them.
type Files = Vec<(String, Vec<u8>)>;

/// Mends the log in `folder` from the one in `from`.
pub fn repair(folder: &Path, from: &Path) -> Result<Mended> {
    let (own, copy) = (Shelf::new(folder), Shelf::new(from));
    let key =
        match LogReader::new(folder).text(KEY).ok().flatten().map(|text| VerifierKey::parse(&text))
        {
            Some(Ok(key)) => key,
            _ => {
                let text = LogReader::new(from).text(KEY)?;
                let text = text.ok_or_else(|| Error::Other("副本中没有监管日志".into()))?;
                VerifierKey::parse(&text).map_err(wrong)?
            }
        };
    let mut changes: Files = Vec::new();
    let mut beyond = Vec::new();
    let newest = own.closed()?.last().copied().unwrap_or(0) + 1;
    for number in 1..=newest {
        let place = match number == newest {
            true => String::new(),
            false => format!("{}/{number}/", shelf::CLOSED),
        };
        let next = own.opening_after(number)?.map(|(_, opening)| opening);
        if next.as_ref().is_some_and(|next| next.cause == volume::Cause::Freeze) {
            // evidence stays as it is
            continue;
        }
        let volume = Mending {
            own: LogReader::new(folder.join(place.trim_end_matches('/'))),
            copy: copy.reader(number),
            key: key.of_volume(&volume::origin(&volume::split(&key.name).0, number)),
        };
        match volume.mend()? {
            Some(files) => {
                changes.extend(files.into_iter().map(|(name, it)| (format!("{place}{name}"), it)));
            }
            None => beyond.push(number),
        }
    }
    if !beyond.is_empty() {
        return Ok(Mended { files: Vec::new(), beyond });
    }
    let mut files = Vec::new();
    for (name, bytes) in changes {
        put(&folder.join(&name), &bytes)?;
        files.push(name);
    }
    Ok(Mended { files, beyond })
}

/// One volume, here and in the copy.
struct Mending {
    own: LogReader,
    copy: LogReader,
    key: VerifierKey,
}

impl Mending {
    /// Files to put in place of those there; `None` where no choice leads to the signed root.
    fn mend(&self) -> Result<Option<Files>> {
        let mut files = Vec::new();
        let checkpoint = match self.checkpoint(&self.own) {
            Some((_, checkpoint)) => checkpoint,
            None => {
                let Some((text, checkpoint)) = self.checkpoint(&self.copy) else { return Ok(None) };
                // one that is older would cut the log back
                if checkpoint.size < self.count()? {
                    return Ok(None);
                }
                files.push((CHECKPOINT.to_owned(), text.into_bytes()));
                checkpoint
            }
        };
        let own_key = self.own.text(KEY).ok().flatten();
        if own_key.is_none_or(|text| VerifierKey::parse(&text).is_err()) {
            files.push((KEY.to_owned(), format!("{}\n", self.key.to_text()).into_bytes()));
        }
        for own_first in [true, false] {
            if let Some(mended) = self.choose(&checkpoint, own_first)? {
                files.extend(mended);
                return Ok(Some(files));
            }
        }
        Ok(None)
    }

    fn checkpoint(&self, of: &LogReader) -> Option<(String, Checkpoint)> {
        let text = of.text(CHECKPOINT).ok()??;
        let mut keys = super::old_keys(&self.own).unwrap_or_default();
        keys.push(self.key.clone());
        let open = |key: &VerifierKey| {
            Checkpoint::open(&text, &key.of_volume(&self.key.name), &sign::verify)
        };
        let checkpoint = keys.iter().find_map(|key| open(key).ok())?;
        Some((text, checkpoint))
    }

    /// How many entries lie in the files.
    fn count(&self) -> Result<u64> {
        let mut count = 0;
        for bundle in 0.. {
            let entries = self.own.bundle(bundle)?.len() as u64;
            count += entries;
            if entries != tiles::WIDTH {
                break;
            }
        }
        Ok(count)
    }

    /// Each entry from here or from the copy, with its sheet; the files to write if all lead to the root.
    fn choose(&self, checkpoint: &Checkpoint, own_first: bool) -> Result<Option<Files>> {
        let mut leaves: Vec<Hash> = Vec::new();
        let mut files = Vec::new();
        for bundle in 0..checkpoint.size.div_ceil(tiles::WIDTH) {
            let count = (checkpoint.size - bundle * tiles::WIDTH).min(tiles::WIDTH);
            let tile = tiles::Tiles::tile(&self.own, 0, bundle).ok();
            let (own, copy) = (self.own.bundle(bundle)?, self.copy.bundle(bundle)?);
            let (own_sheets, copy_sheets) =
                (stored(&self.own, bundle)?, stored(&self.copy, bundle)?);
            let (mut entries, mut sheets) = (Vec::new(), Vec::new());
            for at in 0..usize::try_from(count).unwrap_or(0) {
                let fits = |entry: &&Vec<u8>| {
                    let tiled = tile.as_ref().and_then(|tile| tile.get(at));
                    Entry::parse(entry).is_ok() && (!own_first || tiled == Some(&tree::leaf(entry)))
                };
                let (here, there) = (own.get(at), copy.get(at));
                let order = if own_first { [here, there] } else { [there, here] };
                let mut given = order.into_iter().flatten();
                let fitting = order.into_iter().flatten().find(fits);
                let Some(entry) =
                    fitting.or_else(|| given.find(|entry| Entry::parse(entry).is_ok()))
                else {
                    return Ok(None);
                };
                let Ok(read) = Entry::parse(entry) else { return Ok(None) };
                let honest = |stored: &&Vec<u8>| {
                    book::unpack(stored).is_ok_and(|text| sheet::root(&text) == read.sheet)
                };
                let stored = [own_sheets.get(at), copy_sheets.get(at)];
                let Some(stored) = stored.into_iter().flatten().find(honest) else {
                    return Ok(None);
                };
                leaves.push(tree::leaf(entry));
                tiles::put_entry(&mut entries, entry).map_err(wrong)?;
                let length = u32::try_from(stored.len()).unwrap_or(u32::MAX);
                sheets.extend(length.to_be_bytes());
                sheets.extend(stored);
            }
            self.differing(tiles::entries_path(bundle), entries, &mut files);
            self.differing(tiles::sheets_path(bundle), sheets, &mut files);
        }
        let mut frontier = Frontier::new();
        frontier.push_all(leaves.clone());
        if frontier.root() != checkpoint.root {
            return Ok(None);
        }
        for (path, bytes) in tiles_over(&leaves) {
            self.differing(path, bytes, &mut files);
        }
        Ok(Some(files))
    }

    /// What is behind the checkpoint is no reason to replace a file.
    fn differing(&self, path: String, bytes: Vec<u8>, files: &mut Files) {
        if !self.own.bytes(&path).is_ok_and(|stored| stored.starts_with(&bytes)) {
            files.push((path, bytes));
        }
    }
}

/// The sheets of a bundle as they are stored, as many as are whole.
fn stored(of: &LogReader, bundle: u64) -> Result<Vec<Vec<u8>>> {
    let mut sheets = of.sheets(bundle)?;
    let mut all = Vec::new();
    while let Some(stored) = sheets.next_stored()? {
        all.push(stored);
    }
    Ok(all)
}

/// A file in place of the one there, whole or not at all.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    durable::put(path, bytes)
}
