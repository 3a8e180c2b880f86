//! The third step: one volume after the other, entry by entry: bytes against tiles, the tree against the signed
//! checkpoint and against a copy kept elsewhere. What each entry says is heard in `entry.rs`.

use mj_ledger::fold::Kind;
use mj_ledger::tree::{self, Frontier};
use mj_ledger::{Checkpoint, Entry, Note, VerifierKey, sheet, tiles, volume};

use super::pieces::{Before, Piece};
use super::{Check, VOLUME};
use crate::db::Snapshot;
use crate::error::Result;
use crate::gm::sign;
use crate::ledger::files::LogReader;
use crate::ledger::{CHECKPOINT, KEY, book, old_keys, shelf};

impl Check<'_> {
    /// The log itself, volume by volume: bytes, tree, signature, sheets, journal; and the fold on the
    /// way.
    pub(super) async fn log(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        self.outside = self.outside_checkpoint();
        let pieces = self.pieces()?;
        self.report.volumes = pieces.len() as u64;
        if let Some(last) = pieces.last() {
            self.sealed = last.first + last.proved;
        }
        if self.sealed > self.numbered {
            self.find(Kind::Gap, "change_head", self.sealed.to_string(), self.numbered);
        }
        // what does not wait any more was signed before it was forgotten
        let due = self.pending.keys().next().copied().unwrap_or(self.numbered);
        if self.sealed < due {
            self.find(Kind::Gap, CHECKPOINT, due.to_string(), self.sealed);
        }
        for piece in pieces {
            self.walk(snapshot, piece).await?;
        }
        if let Some(outside) = self.outside.take() {
            // of a volume that is not there
            self.find(Kind::Gap, CHECKPOINT, outside.size.to_string(), self.sealed);
        }
        self.strays(snapshot).await
    }

    /// One volume. Gives nothing: what it found stands in `self`.
    pub(super) async fn walk(&mut self, snapshot: &mut Snapshot, piece: Piece) -> Result<()> {
        let Piece { number: nth, first, end, proved, root, filed, frozen, reader } = piece;
        let outside = self.outside.take_if(|outside| volume::split(&outside.origin).1 == nth);
        let mut outside_root = None;
        let mut frontier = Frontier::new();
        let mut lost = 0;
        let last = self.times.last().copied().unwrap_or(0);
        while (self.times.len() as u64) < first {
            self.times.push(last);
        }
        if (self.times.len() as u64) > first {
            self.find(Kind::Log, VOLUME, nth.to_string(), first);
            self.times.truncate(usize::try_from(first).unwrap_or(usize::MAX));
        }
        let mut seq = first;
        while seq < end {
            let bundle = (seq - first) / tiles::WIDTH;
            let entries = reader.bundle(bundle)?;
            let mut sheets = reader.sheets(bundle)?;
            let tile = tiles::Tiles::tile(&reader, 0, bundle).ok();
            let until = end.min(first + (bundle + 1) * tiles::WIDTH);
            let mut journal = self.journal(snapshot, seq, until).await?;
            for place in 0..usize::try_from(tiles::WIDTH).unwrap_or(0) {
                if seq == end {
                    break;
                }
                let index = seq - first;
                if outside.as_ref().is_some_and(|outside| outside.size == index) {
                    outside_root = Some(frontier.root());
                }
                let stored = sheets.next_stored()?;
                let (entry, sheet) = if seq < filed {
                    (entries.get(place).cloned(), stored)
                } else {
                    match self.pending.remove(&seq) {
                        Some((entry, sheet)) => (Some(entry.into_bytes()), Some(sheet)),
                        // sealed after the checkpoint was read, before the snapshot
                        None => (entries.get(place).cloned(), stored),
                    }
                };
                let act = journal.remove(&seq);
                let opens = (index == 0 && nth > 1).then_some(nth);
                if index >= proved && frozen.is_some() {
                    // nothing proves it, but it is what was written: its tile says so
                    let tiled = tile.as_ref().and_then(|tile| tile.get(place)).copied();
                    let is_written = tiled.is_some() && tiled == entry.as_deref().map(tree::leaf);
                    if is_written && intact(seq, entry.as_deref(), sheet.as_deref()) {
                        self.is_past_proof = true;
                        self.entry(seq, entry.as_deref(), sheet.as_deref(), act, opens)?;
                        self.is_past_proof = false;
                    } else {
                        lost += 1;
                        self.look_up.unreadable.insert(seq);
                        self.times.push(self.times.last().copied().unwrap_or(0));
                    }
                    seq += 1;
                    continue;
                }
                if let Some(bytes) = &entry
                    && index < proved
                {
                    let leaf = tree::leaf(bytes);
                    let tiled = tile.as_ref().and_then(|tile| tile.get(place)).copied();
                    // of a frozen volume the tiles may be what was damaged
                    if tiled != Some(leaf) && frozen.is_none() {
                        self.find(Kind::Log, "entries", seq.to_string(), seq);
                    }
                    frontier.push(leaf);
                }
                self.entry(seq, entry.as_deref(), sheet.as_deref(), act, opens)?;
                seq += 1;
            }
        }
        if frontier.size() != proved || root.is_some_and(|root| frontier.root() != root) {
            self.find(Kind::Log, CHECKPOINT, proved.to_string(), first);
        }
        // proofs alone stand on these; the comparison every few minutes leaves them out
        let whole = self.wanted.up_to.is_none();
        if whole && frozen.is_none() && !shelf::upper_tiles_hold(&reader, proved) {
            self.find(Kind::Log, "entries", "tile/1", first);
        }
        if let Some(outside) = outside {
            let root =
                if outside.size == frontier.size() { Some(frontier.root()) } else { outside_root };
            let given_up = frozen.as_ref().is_some_and(|damage| outside.size <= damage.signed);
            if outside.size > proved {
                if !given_up {
                    self.find(Kind::Gap, CHECKPOINT, outside.size.to_string(), first + proved);
                }
            } else if root != Some(outside.root) {
                self.find(Kind::Log, CHECKPOINT, outside.size.to_string(), first);
            }
        }
        if frozen.is_some() {
            self.past.push((first + proved, end));
        }
        let past = end.saturating_sub(first + proved);
        self.walked.push((reader, (end - first).div_ceil(tiles::WIDTH)));
        self.before = Some(Before { number: nth, frozen, proved: first + proved, past, lost });
        Ok(())
    }

    /// The checkpoint kept elsewhere; what cannot be this log's is a finding, for a log whose key was
    /// exchanged looks just so.
    fn outside_checkpoint(&mut self) -> Option<Checkpoint> {
        let text = self.wanted.outside.as_deref()?;
        self.report.compared_outside = true;
        let own = LogReader::new(self.shelf.folder());
        let key = own.text(KEY).ok().flatten().and_then(|text| VerifierKey::parse(&text).ok());
        let checked = match key {
            // kept before the log got another key, it carries the old one's signature
            Some(key) => {
                let origin = text.lines().next().unwrap_or_default();
                let open = |key: &VerifierKey| {
                    Checkpoint::open(text, &key.of_volume(origin), &sign::verify)
                };
                let older = old_keys(&own).unwrap_or_default();
                older.iter().fold(open(&key), |opened, other| opened.or(open(other)))
            }
            None => Note::parse(text).and_then(|note| Checkpoint::parse(&note.text)),
        };
        match checked {
            Ok(checkpoint) => Some(checkpoint),
            Err(error) => {
                self.find(Kind::Log, CHECKPOINT, error.to_string(), 0);
                None
            }
        }
    }
}

/// Whether an entry past proof can be read with its sheet.
fn intact(seq: u64, entry: Option<&[u8]>, stored: Option<&[u8]>) -> bool {
    let Some(Ok(entry)) = entry.map(Entry::parse) else { return false };
    let text = stored.and_then(|stored| book::unpack(stored).ok());
    entry.seq == seq && text.is_some_and(|text| sheet::root(&text) == entry.sheet)
}
