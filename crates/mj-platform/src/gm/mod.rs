//! 国密 primitives from RustCrypto behind the house's own few names: SM3, HMAC-SM3, SM4-GCM, and SM2
//! signatures ([`sign`]).
//!
//! Pure software without a commercial-cipher certificate: a certified card or HSM takes its place
//! behind [`vault::SmProvider`].

pub mod encrypt;
pub mod sign;
#[cfg(test)]
mod tests;
pub mod vault;

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use hmac::{Hmac, Mac};
use sm3::Digest;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::{Error, Result};

type Sm4Gcm = AesGcm<sm4::Sm4, U12>;

/// A running SM3 digest (GB/T 32905).
#[derive(Clone, Default)]
pub struct Sm3(sm3::Sm3);

impl Sm3 {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

pub fn sm3(bytes: &[u8]) -> [u8; 32] {
    sm3::Sm3::digest(bytes).into()
}

pub fn sm3_hex(bytes: &[u8]) -> String {
    hex::encode(sm3(bytes))
}

/// HMAC with SM3: equality look-up of values that are stored sealed.
pub fn hmac_sm3(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<sm3::Sm3> as hmac::KeyInit>::new_from_slice(key)
        .expect("HMAC takes a key of any length");
    for part in parts {
        // a length before each part: ("ab","c") must not equal ("a","bc")
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// PBKDF2 with HMAC-SM3: what a 国密 examination asks of a hash of passwords.
pub fn pbkdf2_sm3(password: &[u8], salt: &[u8], rounds: u32, output: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<sm3::Sm3>(password, salt, rounds, output);
}

/// Bytes from the operating system's generator.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Many bytes from it at once: one call costs as much as one for sixteen.
pub fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// Key material: overwritten when it goes, each copy of it.
pub type Wiped<const N: usize> = Zeroizing<[u8; N]>;

/// The first half of what a derivation gives, as an SM4 key needs it.
pub(crate) fn first16(bytes: &[u8; 32]) -> Wiped<16> {
    let mut first = Wiped::<16>::default();
    first.copy_from_slice(&bytes[..16]);
    first
}

/// A 128-bit SM4 key. Says nothing when printed and is overwritten when it goes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Sm4Key([u8; 16]);

impl std::fmt::Debug for Sm4Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sm4Key(…)")
    }
}

impl Sm4Key {
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub fn generate() -> Self {
        Self(random())
    }

    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// nonce(12) ‖ ciphertext ‖ tag(16); `context` is authenticated, not stored.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Vec<u8> {
        let nonce = random::<12>();
        let sealed = self
            .cipher()
            .encrypt(&nonce.into(), Payload { msg: plain, aad: context })
            .expect("GCM seals anything shorter than 64 GiB");
        let mut out = nonce.to_vec();
        out.extend(sealed);
        out
    }

    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        let (nonce, body) =
            sealed.split_first_chunk::<12>().ok_or_else(|| Error::Corrupt("密文过短".into()))?;
        self.cipher()
            .decrypt(&(*nonce).into(), Payload { msg: body, aad: context })
            .map_err(|_| Error::Corrupt("密文校验未通过：内容被改动或密钥不符".into()))
    }

    fn cipher(&self) -> Sm4Gcm {
        Sm4Gcm::new(&self.0.into())
    }
}

#[cfg(test)]
mod published {
    use super::*;

    #[test]
    fn sm3_gives_the_published_digest() {
        assert_eq!(
            sm3_hex(b"abc"),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        );
    }

    /// RFC 8998 appendix A.1.
    #[test]
    fn sm4_gcm_gives_the_published_ciphertext() {
        let key = hex::decode("0123456789abcdeffedcba9876543210").expect("hex");
        let nonce: [u8; 12] =
            hex::decode("00001234567800000000abcd").expect("hex").try_into().expect("12 bytes");
        let aad = hex::decode("feedfacedeadbeeffeedfacedeadbeefabaddad2").expect("hex");
        let plain = hex::decode(concat!(
            "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd",
            "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
        ))
        .expect("hex");
        let key = Sm4Key::new(key.try_into().expect("16 bytes"));
        let sealed = key
            .cipher()
            .encrypt(&nonce.into(), Payload { msg: &plain, aad: &aad })
            .expect("sealed");
        assert_eq!(
            hex::encode(sealed),
            concat!(
                "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735",
                "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d",
                "83de3541e4c2b58177e065a9bf7b62ec"
            )
        );
    }

    #[test]
    fn a_changed_byte_or_another_context_does_not_open() {
        let key = Sm4Key::generate();
        let mut sealed = key.seal("滕州".as_bytes(), b"party");
        assert_eq!(key.open(&sealed, b"party").expect("opens"), "滕州".as_bytes());
        assert!(key.open(&sealed, b"officer").is_err());
        sealed[20] ^= 1;
        assert!(key.open(&sealed, b"party").is_err());
    }
}
