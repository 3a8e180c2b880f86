//! The master key, what it guards, and a change of it.

use std::path::Path;

use mj_kernel::Actor;
use zeroize::Zeroizing;

use super::{Keys, MASTER, NEXT_MASTER, check_private, persons, write_private};
use crate::db::door::Act;
use crate::db::{Db, Lane};
use crate::durable;
use crate::error::{Error, Result};
use crate::gm::vault::{KeyClass, Vault};
use crate::gm::{self, Wiped, first16};

/// What a change of the master key must not change: look-up, content hash, and the keys that wrapped
/// before. Until the first change all of it is derived from the master key.
pub(super) const RING: &str = "ring";

/// The master key, and behind it the one that is to follow while it is being changed.
pub(crate) fn masters(folder: &Path) -> Result<Vec<Wiped<16>>> {
    let mut masters = Vec::new();
    for name in [MASTER, NEXT_MASTER] {
        let path = folder.join(name);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let mut master = Wiped::<16>::default();
        hex::decode_to_slice(text.trim(), &mut *master)
            .map_err(|_| Error::Key(format!("{} 应为 32 位十六进制", path.display())))?;
        masters.push(master);
    }
    Ok(masters)
}

/// What the master key guards and a change of it keeps.
pub(super) struct Ring {
    pub(super) lookup: Wiped<32>,
    pub(super) content: Wiped<16>,
    /// For which master key the first of `wrapping` was made.
    made_for: [u8; 8],
    pub(super) wrapping: Vec<Wiped<16>>,
}

impl Ring {
    pub(super) fn of_master(master: &[u8; 16]) -> Self {
        let derive =
            |purpose: &str| Wiped::new(gm::hmac_sm3(master, &[b"mingjian", purpose.as_bytes()]));
        Self {
            lookup: derive("equality look-up"),
            content: first16(&derive("content hash")),
            made_for: [0; 8],
            wrapping: vec![first16(&derive("wrap data keys"))],
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = || Error::Key(format!("{RING}.key 的内容不符"));
        let (lookup, rest) = bytes.split_first_chunk::<32>().ok_or_else(wrong)?;
        let (content, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
        let (made_for, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (wrapping, []) = rest.as_chunks::<16>() else { return Err(wrong()) };
        if wrapping.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            lookup: Wiped::new(*lookup),
            content: Wiped::new(*content),
            made_for: *made_for,
            wrapping: wrapping.iter().copied().map(Wiped::new).collect(),
        })
    }

    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        // with room for all of it: what a growing vector leaves behind is not overwritten
        let mut bytes = Zeroizing::new(Vec::with_capacity(56 + 16 * self.wrapping.len()));
        bytes.extend_from_slice(&*self.lookup);
        bytes.extend_from_slice(&*self.content);
        bytes.extend_from_slice(&self.made_for);
        for key in &self.wrapping {
            bytes.extend_from_slice(&**key);
        }
        bytes
    }
}

/// What a change of the master key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Keys of persons that lie under a new key now.
    pub rewrapped: usize,
    /// It went on with a change that was broken off.
    pub resumed: bool,
}

/// Whether a change of the master key was broken off.
pub fn is_rotating(folder: &Path) -> bool {
    folder.join(NEXT_MASTER).exists()
}

fn mark_of(master: &[u8; 16]) -> [u8; 8] {
    let digest = gm::hmac_sm3(master, &[b"mingjian", b"which master key"]);
    let mut mark = [0; 8];
    mark.copy_from_slice(&digest[..8]);
    mark
}

/// Another master key, and other keys to wrap those of files and of persons with; no row of business truth is
/// written. Broken off anywhere, everything opens as before, and the next call goes on; the old key
/// is forgotten last. Nobody else may be using the data directory.
pub async fn rotate_master(folder: &Path, db: &Db, production: bool) -> Result<Rotated> {
    let next = folder.join(NEXT_MASTER);
    let resumed = next.exists();
    if !resumed {
        check_private(&folder.join(MASTER))?;
        write_private(&next, &fresh_master())?;
    }
    let [old, new] = masters(folder)?.try_into().map_err(|_| Error::Key("没有主密钥".into()))?;
    let vault = Vault::beside_master(folder, production)?;
    let mut ring = match vault.read_named(RING)? {
        Some(ring) => Ring::parse(&ring)?,
        None => Ring::of_master(&old),
    };
    if ring.made_for != mark_of(&new) {
        ring.made_for = mark_of(&new);
        ring.wrapping.insert(0, Wiped::new(gm::random()));
        vault.rotate_secret(KeyClass::Personal)?;
        vault.write_named(RING, &ring.bytes())?;
    }
    let keys = Keys::from_ring(ring, vault.wrapping_keys(KeyClass::Personal)?);
    let rewrapped = keys.rewrap(db).await?;
    persons::forget_older(&vault)?;
    let object = format!("key:master-{}", hex::encode(mark_of(&new)));
    let told = "SELECT id FROM act_journal WHERE action = $1 AND object = $2";
    let known = db.fetch_optional(told, &[ROTATE_MASTER.into(), object.as_str().into()]).await?;
    if known.is_none() {
        let act = Act::new(&Actor::system("keys"), ROTATE_MASTER, &object);
        let mut tx = db.begin(Lane::People, act).await?;
        tx.note().await?;
        tx.commit().await?;
    }
    vault.reseal()?;
    durable::rename(&next, &folder.join(MASTER))?;
    Ok(Rotated { rewrapped, resumed })
}

const ROTATE_MASTER: &str = "keys.master.rotate";

/// A new master key as its file holds it.
pub(super) fn fresh_master() -> Zeroizing<String> {
    Zeroizing::new(hex::encode(Wiped::<16>::new(gm::random()).as_slice()))
}
