//! Volumes (册) of a log: closed at the turn of a year or because one is damaged. Each is a tree of its
//! own under an origin of its own; the first entry of one names the last checkpoint of the one before.
//!
//! Volume 1 has the platform's origin `mingjian/…/sm3` unchanged; volume *n* puts its number before the
//! end. The key is the same, under the volume's name.

use serde::{Deserialize, Serialize};

use crate::entry::{Entry, hex_hash};
use crate::error::{Error, Result};
use crate::note::VerifierKey;
use crate::tree::{self, Hash, sm3};

/// The end of every origin, after the digest in use.
const END: &str = "/sm3";
/// `mingjian/<division>/<id>/<n>/sm3`.
const PARTS: usize = 5;

/// The origin of volume `number` of the log that began as `first`.
pub fn origin(first: &str, number: u64) -> String {
    match first.strip_suffix(END) {
        Some(platform) if number > 1 => format!("{platform}/{number}{END}"),
        _ => first.to_owned(),
    }
}

/// The origin of the first volume of the same log, and which volume this is.
pub fn split(origin: &str) -> (String, u64) {
    let parts: Vec<&str> = origin.split('/').collect();
    if let [house, division, id, number, end] = parts.as_slice()
        && parts.len() == PARTS
        && *house == "mingjian"
        && format!("/{end}") == END
        && !number.starts_with('0')
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(number @ 2..) = number.parse()
    {
        return (format!("{house}/{division}/{id}{END}"), number);
    }
    (origin.to_owned(), 1)
}

/// Whether two origins are volumes of one log.
pub fn is_same_log(one: &str, other: &str) -> bool {
    split(one).0 == split(other).0
}

impl VerifierKey {
    /// The key as it signs the volume `origin` of its log; as it is for any other log.
    pub fn of_volume(&self, origin: &str) -> Self {
        match is_same_log(&self.name, origin) {
            true => Self { name: origin.to_owned(), point: self.point },
            false => self.clone(),
        }
    }
}

/// Why a volume was closed and the next one opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Another year began.
    Year,
    /// It was damaged, and no copy could mend it.
    Freeze,
}

/// What the first entry of a volume says of the one before. The order of the fields is their order in
/// canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    pub cause: Cause,
    /// Of a frozen volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
    /// The platform-wide number of its first entry.
    pub first: u64,
    pub origin: String,
    #[serde(with = "hex_hash")]
    pub root: Hash,
    /// How many entries its last (or last good) checkpoint holds.
    pub size: u64,
}

/// What was lost with a frozen volume, fixed once and for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Damage {
    /// SM3 over the list of rows that are not as the proven entries say, each line with its end.
    #[serde(with = "hex_hash")]
    pub digest: Hash,
    /// Entries behind the last good checkpoint.
    pub entries: u64,
    /// Of these not even readable any more.
    pub lost: u64,
    /// Lines of the list.
    pub rows: u64,
    /// How many entries the newest checkpoint held that was signed.
    pub signed: u64,
}

impl Damage {
    /// The digest of a list of rows, in the order in which it was told.
    pub fn digest_of(lines: &[String]) -> Hash {
        sm3(lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>().as_bytes())
    }
}

/// The opening entry of a volume with the path that shows it to be the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub entry: Vec<u8>,
    pub path: Vec<Hash>,
}

impl Opened {
    /// What it says, if it is the first of the `size` entries under `root` of the volume after the one
    /// it names.
    pub fn check(&self, origin: &str, size: u64, root: &Hash) -> Result<Opening> {
        let opening = Entry::parse(&self.entry)?.opens.ok_or(Error::Entry("不是启用新册的条目"))?;
        let ((log, number), (before, last)) = (split(origin), split(&opening.origin));
        if log != before || number != last + 1 {
            return Err(Error::Proof("启用新册的条目写的不是前一册"));
        }
        tree::check_inclusion(tree::leaf(&self.entry), 0, size, &self.path, root)?;
        Ok(opening)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_volume_is_taken_apart_as_it_was_put_together() {
        let first = "mingjian/370400/753fd062/sm3";
        assert_eq!(origin(first, 1), first);
        assert_eq!(origin(first, 2), "mingjian/370400/753fd062/2/sm3");
        for number in [1, 2, 9, 10, 375] {
            assert_eq!(split(&origin(first, number)), (first.to_owned(), number));
        }
        // an id of digits alone is no volume, nor is a number written otherwise
        for whole in [
            "mingjian/370400/12345678/sm3",
            "mingjian/370400/753fd062/1/sm3",
            "mingjian/370400/753fd062/02/sm3",
            "mingjian/370400/753fd062/x/sm3",
            "mingjian/370400/753fd062/+2/sm3",
            "other/370400/753fd062/2/sm3",
            "mingjian/370400/753fd062/2/3/sm3",
            "x",
        ] {
            assert_eq!(split(whole), (whole.to_owned(), 1));
        }
        assert!(is_same_log(first, &origin(first, 7)));
        assert!(!is_same_log(first, "mingjian/370400/753fd063/2/sm3"));
    }
}
