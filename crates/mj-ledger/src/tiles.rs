//! How the tree lies in files, after C2SP tlog-tiles: 256 hashes a tile, tile levels eight tree
//! levels apart, entries in bundles of 256.
//!
//! Ours differs in one thing: the last tile of a level is one file that grows, not a `.p/` file for
//! every width; what a tree of a given size may use of it follows from the size.

use crate::error::{Error, Result};
use crate::tree::{Hash, Subtrees, node};

pub const WIDTH: u64 = 256;
/// Tree levels between two tile levels.
pub const HEIGHT: u32 = 8;

/// `x001/x234/067` for 1234067.
pub fn number(index: u64) -> String {
    let mut rest = index;
    let mut text = format!("{:03}", rest % 1000);
    rest /= 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

/// The place of a tile of hashes below the log's folder.
pub fn tile_path(level: u32, index: u64) -> String {
    format!("tile/{level}/{}", number(index))
}

/// The place of a bundle of 256 entries.
pub fn entries_path(index: u64) -> String {
    format!("tile/entries/{}", number(index))
}

/// The place of the sheets of 256 entries.
pub fn sheets_path(index: u64) -> String {
    format!("sheets/{}", number(index))
}

/// One entry in its bundle: two bytes of length, then the entry.
pub fn put_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<()> {
    let length = u16::try_from(entry.len()).map_err(|_| Error::Entry("超过 65535 字节"))?;
    bundle.extend(length.to_be_bytes());
    bundle.extend(entry);
    Ok(())
}

/// The entries of a bundle, in order; `None` where it ends in the middle of one.
pub fn entries(bundle: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = bundle;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let cut = rest.split_first_chunk::<2>().and_then(|(length, after)| {
            after.split_at_checked(usize::from(u16::from_be_bytes(*length)))
        });
        let (entry, after) = match cut {
            Some(cut) => cut,
            None => {
                rest = &[];
                return Some(None);
            }
        };
        rest = after;
        Some(Some(entry))
    })
}

/// Where tiles come from.
pub trait Tiles {
    /// The hashes of a tile, as many as there are.
    fn tile(&self, level: u32, index: u64) -> Result<std::sync::Arc<Vec<Hash>>>;
}

impl<T: Tiles> Subtrees for T {
    fn subtree(&self, level: u32, index: u64) -> Result<Hash> {
        let missing = Error::MissingNode { level, index };
        let (tile_level, above) = (level / HEIGHT, level % HEIGHT);
        let first = index << above;
        let tile = self.tile(tile_level, first / WIDTH)?;
        let from = usize::try_from(first % WIDTH).map_err(|_| missing.clone())?;
        let hashes = tile.get(from..from + (1 << above)).ok_or(missing)?;
        let mut row = hashes.to_vec();
        while row.len() > 1 {
            row = row.chunks(2).map(|pair| node(&pair[0], &pair[1])).collect();
        }
        Ok(row[0])
    }
}
