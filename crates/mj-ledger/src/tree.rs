//! The Merkle tree of RFC 6962 with SM3: leaf `H(0x00‖data)`, node `H(0x01‖left‖right)`, the empty
//! tree `H("")`.
//!
//! A tree is never held as a whole: [`Frontier`] appends with the right edge alone, and proofs ask a
//! [`Subtrees`] (tiles on disk, or [`Memory`]) for the roots of complete subtrees.

use sm3::{Digest, Sm3};

use crate::error::{Error, Result};
use crate::lanes::Messages;

pub type Hash = [u8; 32];

pub fn sm3(bytes: &[u8]) -> Hash {
    Sm3::digest(bytes).into()
}

/// What stands before the data of a leaf.
pub const LEAF: u8 = 0;
/// What stands before the two halves of a node.
const NODE: u8 = 1;

pub fn leaf(data: &[u8]) -> Hash {
    let mut hash = Sm3::new();
    hash.update([LEAF]);
    hash.update(data);
    hash.finalize().into()
}

pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [NODE; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    sm3(&bytes)
}

/// The root of a tree without leaves.
pub fn empty() -> Hash {
    sm3(b"")
}

/// A growing tree of which only the right edge is kept: the roots of its complete subtrees, the
/// largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    edge: Vec<Hash>,
}

impl Frontier {
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge of the first `size` leaves of a stored tree.
    pub fn of(nodes: &dyn Subtrees, size: u64) -> Result<Self> {
        let mut edge = Vec::new();
        let mut start = 0;
        for level in (0..64).rev() {
            if size & (1 << level) != 0 {
                edge.push(nodes.subtree(level, start >> level)?);
                start += 1 << level;
            }
        }
        Ok(Self { size, edge })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // a full pair of equal subtrees becomes one twice as large, like a carry in binary
        let mut carries = self.size.trailing_ones();
        while carries > 0
            && let Some(left) = self.edge.pop()
        {
            hash = node(&left, &hash);
            carries -= 1;
        }
        self.edge.push(hash);
        self.size += 1;
    }

    /// Many leaves at once: level by level, the nodes of a level digested together.
    pub fn push_all(&mut self, leaves: Vec<Hash>) {
        let size = self.size + leaves.len() as u64;
        let mut items = leaves;
        let mut left_over = Vec::new();
        let mut messages = Messages::new();
        for level in 0.. {
            if items.is_empty() {
                break;
            }
            if self.size >> level & 1 == 1
                && let Some(left) = self.edge.pop()
            {
                items.insert(0, left);
            }
            if items.len() % 2 == 1 {
                left_over.extend(items.pop());
            }
            messages.clear();
            for pair in items.chunks_exact(2) {
                let message = messages.begin();
                message.push(NODE);
                message.extend(pair.as_flattened());
                messages.end();
            }
            items = messages.digests();
        }
        self.edge.extend(left_over.into_iter().rev());
        self.size = size;
    }

    pub fn root(&self) -> Hash {
        let mut edge = self.edge.iter().rev();
        let Some(last) = edge.next() else { return empty() };
        edge.fold(*last, |right, left| node(left, &right))
    }
}

/// Roots of complete subtrees of a stored tree.
pub trait Subtrees {
    /// The root over the leaves `index << level .. (index + 1) << level`, all of which exist.
    fn subtree(&self, level: u32, index: u64) -> Result<Hash>;
}

/// A whole tree in memory, every complete subtree at hand: for sheets, proofs in tests and the bench.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    levels: Vec<Vec<Hash>>,
}

impl Memory {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(hash);
            if row.len() % 2 == 1 {
                return;
            }
            hash = node(&row[row.len() - 2], &row[row.len() - 1]);
        }
    }

    pub fn root(&self) -> Hash {
        // every subtree asked for is there
        range(self, 0, self.size()).unwrap_or_else(|_| empty())
    }
}

impl Subtrees for Memory {
    fn subtree(&self, level: u32, index: u64) -> Result<Hash> {
        let missing = Error::MissingNode { level, index };
        let row = self.levels.get(level as usize).ok_or(missing.clone())?;
        usize::try_from(index).ok().and_then(|at| row.get(at)).copied().ok_or(missing)
    }
}

/// The largest power of two below `n`, for `n > 1`.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The root over the leaves `from..to` as RFC 6962 cuts them; `from` is where a subtree may start.
fn range(nodes: &dyn Subtrees, from: u64, to: u64) -> Result<Hash> {
    let size = to - from;
    if size == 0 {
        return Ok(empty());
    }
    if size.is_power_of_two() {
        return nodes.subtree(size.trailing_zeros(), from / size);
    }
    let middle = from + split(size);
    Ok(node(&range(nodes, from, middle)?, &range(nodes, middle, to)?))
}

/// The root of the first `size` leaves.
pub fn root(nodes: &dyn Subtrees, size: u64) -> Result<Hash> {
    range(nodes, 0, size)
}

/// The path of leaf `index` in the tree of the first `size` leaves, siblings from the leaf upward.
pub fn inclusion(nodes: &dyn Subtrees, index: u64, size: u64) -> Result<Vec<Hash>> {
    if index >= size {
        return Err(Error::Proof("序号不在树中"));
    }
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range(nodes, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// That the tree of `old` leaves is the beginning of the one of `new`.
pub fn consistency(nodes: &dyn Subtrees, old: u64, new: u64) -> Result<Vec<Hash>> {
    if old > new {
        return Err(Error::Proof("旧树不能比新树大"));
    }
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Ok(path);
    }
    let (mut from, mut to) = (0, new);
    // whether the old tree's part here is its whole root, which the checker has already
    let mut whole = true;
    loop {
        if old == to {
            if !whole {
                path.push(range(nodes, from, to)?);
            }
            path.reverse();
            return Ok(path);
        }
        let middle = from + split(to - from);
        if old <= middle {
            path.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range(nodes, from, middle)?);
            from = middle;
            whole = false;
        }
    }
}

/// The root that an inclusion path leads to (RFC 9162 2.1.3.2).
pub fn root_of_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Result<Hash> {
    if index >= size {
        return Err(Error::Proof("序号不在树中"));
    }
    let (mut place, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return Err(Error::Proof("路径过长"));
        }
        if place & 1 == 1 || place == last {
            hash = node(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(Error::Proof("路径过短"));
    }
    Ok(hash)
}

pub fn check_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<()> {
    if root_of_inclusion(leaf, index, size, path)? == *root {
        Ok(())
    } else {
        Err(Error::Proof("路径与根不符"))
    }
}

/// That a consistency proof leads from one root to the other (RFC 9162 2.1.4.2).
pub fn check_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    path: &[Hash],
) -> Result<()> {
    let wrong = Error::Proof("两个检查点不一致");
    if old > new {
        return Err(Error::Proof("旧树不能比新树大"));
    }
    if old == 0 || old == new {
        let same = old == 0 || old_root == new_root;
        return if same && path.is_empty() { Ok(()) } else { Err(wrong) };
    }
    let mut path = path.iter();
    let mut next = || path.next().ok_or(Error::Proof("路径过短"));
    let first = if old.is_power_of_two() { old_root } else { next()? };
    let (mut place, mut last) = (old - 1, new - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (*first, *first);
    while last != 0 {
        if place & 1 == 1 || place == last {
            let sibling = next()?;
            from_old = node(sibling, &from_old);
            from_new = node(sibling, &from_new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node(&from_new, next()?);
        }
        place >>= 1;
        last >>= 1;
    }
    if path.next().is_some() {
        return Err(Error::Proof("路径过长"));
    }
    if from_old == *old_root && from_new == *new_root { Ok(()) } else { Err(wrong) }
}
