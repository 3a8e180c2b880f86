//! Witnesses after C2SP tlog-witness and tlog-cosignature: another organisation remembers the newest
//! checkpoint of a log and signs only what goes on from it.
//!
//! What differs from the C2SP texts is what differs in [`crate::note`]: SM3 and SM2, hence a key type
//! of our own. Pure: whoever keeps the memory hands it in and must keep what [`judge`] accepts in the
//! same transaction.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Error, Result};
use crate::note::{self, Checkpoint, Note, Signature, VerifierKey, Verify};
use crate::tree::{self, Hash};
use crate::volume::{self, Opened};

const KIND: &[u8] = b"\xffmingjian/sm2-sm3/cosignature-v1";
/// Lines of a consistency proof: a tree of 2^63 leaves needs no more.
const MOST_LINES: usize = 63;
/// Volumes that a witness may have missed at most.
const MOST_VOLUMES: usize = 16;
/// Before an opening entry in a request; C2SP has no word for it.
const OPENING: &str = "opening ";

/// The public key of a witness; never the key of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey {
    pub name: String,
    /// Uncompressed point.
    pub point: [u8; 65],
}

impl WitnessKey {
    pub fn id(&self) -> [u8; 4] {
        note::key_id(&self.name, KIND, &self.point)
    }

    pub fn to_text(&self) -> String {
        note::key_text(&self.name, KIND, &self.point)
    }

    pub fn parse(text: &str) -> Result<Self> {
        let (name, point) = note::parse_key(text, KIND)?;
        Ok(Self { name, point })
    }

    /// The signature line of a cosignature at `time` (seconds of UTC) over a checkpoint's text.
    pub fn signature(&self, time: u64, bytes: &[u8; 64]) -> Signature {
        let mut stamped = time.to_be_bytes().to_vec();
        stamped.extend(bytes);
        Signature { name: self.name.clone(), key_id: self.id(), bytes: stamped }
    }

    /// That this witness cosigned the note, and when (seconds of UTC).
    pub fn check(&self, note: &Note, verify: Verify<'_>) -> Result<u64> {
        let own = note
            .signatures
            .iter()
            .find(|one| one.name == self.name && one.key_id == self.id())
            .ok_or_else(|| Error::NoSignature(self.name.clone()))?;
        let wrong = || Error::BadSignature(self.name.clone());
        let (time, bytes) = own.bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let time = u64::from_be_bytes(*time);
        match <&[u8; 64]>::try_from(bytes) {
            Ok(bytes) if verify(&self.point, message(time, &note.text).as_bytes(), bytes) => {
                Ok(time)
            }
            _ => Err(wrong()),
        }
    }
}

/// What a witness signs: the checkpoint's text under its own head and time.
pub fn message(time: u64, checkpoint: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{checkpoint}")
}

/// What a log sends to its witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size the witness saw last, as far as the log knows.
    pub old: u64,
    /// From there to this checkpoint, or to the end of the volume that the witness saw last.
    pub proof: Vec<Hash>,
    /// The opening entries of the volumes since, in order.
    pub openings: Vec<Opened>,
    /// The signed checkpoint.
    pub note: Note,
}

impl AddCheckpoint {
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        let put = |hashes: &[Hash], text: &mut String| {
            for hash in hashes {
                text.push_str(&BASE64.encode(hash));
                text.push('\n');
            }
        };
        put(&self.proof, &mut text);
        for opened in &self.openings {
            text.push_str(OPENING);
            text.push_str(&BASE64.encode(&opened.entry));
            text.push('\n');
            put(&opened.path, &mut text);
        }
        text.push('\n');
        text.push_str(&self.note.to_text());
        text
    }

    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what| Error::Note(what);
        let (head, note) = text.split_once("\n\n").ok_or(wrong("缺少空行"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.filter(|old| *old == "0" || !old.starts_with('0'));
        let old = old.filter(|old| old.bytes().all(|byte| byte.is_ascii_digit()));
        let old = old.and_then(|old| old.parse().ok()).ok_or(wrong("第一行应为 old 大小"))?;
        let (mut proof, mut openings) = (Vec::new(), Vec::<Opened>::new());
        for line in lines {
            if let Some(entry) = line.strip_prefix(OPENING) {
                let entry = BASE64.decode(entry).map_err(|_| wrong("启用新册的条目不是 base64"))?;
                openings.push(Opened { entry, path: Vec::new() });
                if openings.len() > MOST_VOLUMES {
                    return Err(wrong("跨过的册数过多"));
                }
                continue;
            }
            let path = openings.last_mut().map_or(&mut proof, |opened| &mut opened.path);
            let hash = BASE64.decode(line).ok().and_then(|hash| hash.try_into().ok());
            path.push(hash.ok_or(wrong("证明行不是摘要"))?);
            if path.len() > MOST_LINES {
                return Err(wrong("证明过长"));
            }
        }
        Ok(Self { old, proof, openings, note: Note::parse(note)? })
    }
}

/// The newest checkpoint of a log that a witness cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub volume: u64,
    pub size: u64,
    pub root: Hash,
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request cannot be read, or its old size is beyond its own checkpoint.
    Malformed(Error),
    /// A log this witness does not watch.
    Unknown,
    /// Not signed by the key this witness knows for the log.
    Signature,
    /// Not the size this witness saw last, or another tree of the same size.
    Conflict { size: u64 },
    /// The new tree does not go on from the old one.
    Proof,
}

/// The origin a request is about, before anything is checked.
pub fn origin(note: &Note) -> &str {
    note.text.lines().next().unwrap_or_default()
}

/// Whether a witness that saw `seen` last may cosign. What is accepted must be kept, in place of
/// `seen` and in one step with this question, before the cosignature goes out.
pub fn judge(
    asked: &AddCheckpoint,
    key: &VerifierKey,
    seen: Option<Seen>,
    verify: Verify<'_>,
) -> Result<Checkpoint, Refusal> {
    if asked.note.check(key, verify).is_err() {
        return Err(Refusal::Signature);
    }
    let checkpoint = Checkpoint::parse(&asked.note.text).map_err(Refusal::Malformed)?;
    if checkpoint.origin != key.name {
        return Err(Refusal::Unknown);
    }
    let number = volume::split(&checkpoint.origin).1;
    let last = seen.map_or(0, |seen| seen.size);
    let Some(seen) = seen.filter(|seen| seen.size > 0) else {
        return match (asked.old, asked.proof.is_empty() && asked.openings.is_empty()) {
            (0, true) => Ok(checkpoint),
            (0, false) => Err(Refusal::Proof),
            (old, _) if old > checkpoint.size && asked.openings.is_empty() => {
                Err(Refusal::Malformed(Error::Proof("旧树不能比新树大")))
            }
            _ => Err(Refusal::Conflict { size: last }),
        };
    };
    if asked.old > checkpoint.size && number == seen.volume {
        return Err(Refusal::Malformed(Error::Proof("旧树不能比新树大")));
    }
    // who saw the next volume takes nothing of the one before
    if asked.old != last || number < seen.volume {
        return Err(Refusal::Conflict { size: last });
    }
    if number > seen.volume {
        return match follows(asked, &checkpoint, number, seen) {
            Ok(true) => Ok(checkpoint),
            // what was seen is more than what the next volume goes on from
            Ok(false) => Err(Refusal::Conflict { size: last }),
            Err(_) => Err(Refusal::Proof),
        };
    }
    if seen.size == checkpoint.size && seen.root != checkpoint.root {
        return Err(Refusal::Conflict { size: last });
    }
    if !asked.openings.is_empty() {
        return Err(Refusal::Proof);
    }
    let (size, root) = (checkpoint.size, checkpoint.root);
    match tree::check_consistency(seen.size, &seen.root, size, &root, &asked.proof) {
        Ok(()) => Ok(checkpoint),
        Err(_) => Err(Refusal::Proof),
    }
}

/// Whether a checkpoint of a later volume goes on from what was seen: each volume since shows, as its
/// first entry, which checkpoint of the one before it follows, and the first of those holds what was
/// seen.
fn follows(
    asked: &AddCheckpoint,
    checkpoint: &Checkpoint,
    number: u64,
    seen: Seen,
) -> Result<bool, Error> {
    if asked.openings.len() as u64 != number - seen.volume {
        return Err(Error::Proof("缺少启用新册的条目"));
    }
    let Checkpoint { origin, size, root, .. } = checkpoint;
    let (mut origin, mut size, mut root) = (origin.clone(), *size, *root);
    for opened in asked.openings.iter().rev() {
        let opening = opened.check(&origin, size, &root)?;
        (origin, size, root) = (opening.origin, opening.size, opening.root);
    }
    if size < seen.size {
        return Ok(false);
    }
    tree::check_consistency(seen.size, &seen.root, size, &root, &asked.proof)?;
    Ok(true)
}
