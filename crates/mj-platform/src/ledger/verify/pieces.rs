//! The second step: which volumes there must be, and what each must hold as the one after it says. A volume alone
//! cannot tell that it was cut short or taken away; its successor's first entry can.

use mj_ledger::fold::Kind;
use mj_ledger::volume::{self, Cause, Damage};
use mj_ledger::{Hash, Opening};

use super::{Check, VOLUME};
use crate::error::Result;
use crate::ledger::files::LogReader;
use crate::ledger::{CHECKPOINT, opens, shelf};

/// A volume as it is to be walked.
pub(super) struct Piece {
    pub(super) number: u64,
    /// Platform-wide numbers of its first entry and after its last.
    pub(super) first: u64,
    pub(super) end: u64,
    /// Entries that a checkpoint proves, and the root over them.
    pub(super) proved: u64,
    pub(super) root: Option<Hash>,
    /// Everything up to here lies in files; what follows waits.
    pub(super) filed: u64,
    /// It was frozen with this damage.
    pub(super) frozen: Option<Damage>,
    pub(super) reader: LogReader,
}

/// The volume that was walked last.
pub(super) struct Before {
    pub(super) number: u64,
    pub(super) frozen: Option<Damage>,
    pub(super) proved: u64,
    /// Entries past proof, and those of them that cannot be read.
    pub(super) past: u64,
    pub(super) lost: u64,
}

impl Check<'_> {
    /// The volumes there are, and what each must hold as the one after it says.
    pub(super) fn pieces(&mut self) -> Result<Vec<Piece>> {
        let closed = self.shelf.closed()?;
        let last = closed.last().copied().unwrap_or(0);
        let waits = self.pending.values().find_map(|(entry, _)| opens(entry));
        let waits =
            waits.map(|(seq, opening)| (volume::split(&opening.origin).1 + 1, seq, opening));
        let named = self.shelf.named()?;
        let mut newest = named.unwrap_or(last + 1).max(last + 1);
        if let Some((opened, _, _)) = &waits
            && *opened == newest + 1
        {
            newest += 1;
        }
        let mut pieces: Vec<Piece> = Vec::new();
        let mut log: Option<String> = None;
        // what each volume's first entry says of the one before
        let head = |number: u64| -> Result<Option<(u64, Opening)>> {
            match &waits {
                Some((opened, seq, opening)) if *opened == number => {
                    Ok(Some((*seq, opening.clone())))
                }
                _ if number > newest || number > last + 1 && named != Some(number) => Ok(None),
                _ => self.shelf.opening_after(number - 1),
            }
        };
        let mut found: Vec<(Kind, &str, String, u64)> = Vec::new();
        for number in 1..=newest {
            let waiting = waits.as_ref().is_some_and(|(opened, _, _)| *opened == number)
                && named != Some(number);
            // what lies in the log's own folder is the newest, whatever is left of it
            let is_own = named == Some(number) || number == last + 1;
            let is_there = waiting || is_own || closed.contains(&number);
            let end = pieces.last().map_or(0, |piece: &Piece| piece.end);
            let own = if number == 1 { None } else { head(number)? };
            let next = head(number + 1)?;
            let first = match (&own, &next) {
                (Some((seq, _)), _) => *seq,
                (None, Some((_, opening))) => opening.first,
                (None, None) => end,
            };
            if !is_there {
                // the first of a log that has nothing signed yet is not missing
                if number > 1 || !closed.is_empty() || named.is_some() {
                    found.push((Kind::Gap, VOLUME, number.to_string(), end));
                    continue;
                }
            }
            let is_frozen = |after: &Option<(u64, Opening)>| {
                after.as_ref().is_some_and(|(_, opening)| opening.cause == Cause::Freeze)
            };
            let frozen = is_frozen(&next);
            // the first entry itself may be what was damaged
            if number > 1 && own.is_none() && !frozen {
                found.push((Kind::Log, VOLUME, number.to_string(), first));
            }
            let reader = match waiting {
                true => LogReader::new(self.shelf.place(number)),
                false => self.shelf.reader(number),
            };
            let signed = match shelf::signed(&reader) {
                Ok(signed) => signed.map(|(_, checkpoint, _)| checkpoint),
                Err(error) => {
                    if !frozen {
                        found.push((Kind::Log, CHECKPOINT, error.to_string(), first));
                    }
                    None
                }
            };
            let is_lost = signed.is_none() && number == last + 1 && number > 1;
            if is_lost && !waiting && !frozen && named.is_none() {
                found.push((Kind::Gap, CHECKPOINT, number.to_string(), first));
            }
            if let Some(checkpoint) = signed.as_ref().filter(|_| !frozen) {
                let (of, which) = volume::split(&checkpoint.origin);
                if which != number || log.get_or_insert_with(|| of.clone()) != &of {
                    found.push((Kind::Log, VOLUME, number.to_string(), first));
                }
            }
            let size = signed.as_ref().map_or(0, |checkpoint| checkpoint.size);
            let is_last = number == newest;
            let mut piece = Piece {
                number,
                first,
                end: if is_last { self.numbered.max(first + size) } else { first + size },
                proved: size,
                root: signed.as_ref().map(|checkpoint| checkpoint.root),
                filed: first + size,
                frozen: None,
                reader,
            };
            if let Some((seq, opening)) = next {
                let (of, which) = volume::split(&opening.origin);
                let known = log.get_or_insert_with(|| of.clone()) == &of && which == number;
                let by_year = opening.cause == Cause::Year
                    && opening.damage.is_none()
                    && seq == first + opening.size
                    && size == opening.size
                    && piece.root == Some(opening.root);
                let by_freeze = opening.cause == Cause::Freeze
                    && opening.damage.as_ref().is_some_and(|damage| {
                        first + opening.size + damage.entries == seq
                            && damage.lost <= damage.entries
                    });
                if !known || opening.first != first || !(by_year || by_freeze) {
                    found.push((Kind::Log, VOLUME, number.to_string(), first));
                }
                piece.end = seq.max(first);
                piece.filed = piece.end;
                piece.proved = opening.size;
                piece.root = Some(opening.root);
                piece.frozen = opening.damage.filter(|_| opening.cause == Cause::Freeze);
            } else if !is_last && !is_frozen(&head(number + 2)?) {
                found.push((Kind::Gap, VOLUME, (number + 1).to_string(), piece.end));
            }
            pieces.push(piece);
        }
        found.dedup();
        for (kind, table, key, from) in found {
            self.find(kind, table, key, from);
        }
        Ok(pieces)
    }
}
