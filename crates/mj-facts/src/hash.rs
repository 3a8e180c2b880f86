//! Keyed hashes of record keys and business keys. The key stands in `fact_head`, so that nobody
//! outside can prepare collisions.

use std::hash::Hasher;

use siphasher::sip::SipHasher13 as Sip64;
use siphasher::sip128::{Hasher128, SipHasher13 as Sip128};

/// 96 bits of a keyed hash; all zero means "no business key".
pub(crate) type BusinessKey = [u32; 3];
pub(crate) const NO_BUSINESS_KEY: BusinessKey = [0; 3];

#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyHasher([u8; 16]);

impl KeyHasher {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    /// 64 bits to find a record by; a hit is confirmed by the key itself.
    pub(crate) fn record(&self, cd_source: &str, cd_id: &str) -> u64 {
        let mut hash = Sip64::new_with_key(&self.0);
        hash.write(cd_source.as_bytes());
        hash.write_u8(0xff);
        hash.write(cd_id.as_bytes());
        hash.finish()
    }

    pub(crate) fn business(&self, key: Option<&str>) -> BusinessKey {
        let Some(key) = key else { return NO_BUSINESS_KEY };
        let mut hash = Sip128::new_with_key(&self.0);
        hash.write(key.as_bytes());
        let wide = hash.finish128();
        // the lowest bit is given up so that no key is the empty one
        [(wide.h1 >> 32) as u32, wide.h1 as u32, wide.h2 as u32 | 1]
    }
}

pub(crate) fn business_hash(key: BusinessKey) -> u64 {
    u64::from(key[0]) << 32 | u64::from(key[1])
}

pub(crate) fn business_to_bytes(key: BusinessKey) -> [u8; 12] {
    let mut bytes = [0; 12];
    for (part, word) in bytes.chunks_exact_mut(4).zip(key) {
        part.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

pub(crate) fn business_from_bytes(bytes: &[u8]) -> BusinessKey {
    let word = |at: usize| {
        bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_be_bytes)
    };
    [word(0), word(4), word(8)]
}

/// The caller's content hash, folded to what is kept a row; it is only compared within one record.
pub(crate) fn fold(content: u128) -> u64 {
    (content >> 64) as u64 ^ content as u64
}
