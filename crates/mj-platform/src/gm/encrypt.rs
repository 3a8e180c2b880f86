//! SM2 encryption (GB/T 32918.4) over SM3, as the ASN.1 SEQUENCE of GM/T 0009 that other programs write.

use sm2::elliptic_curve::common::getrandom::SysRng;
use sm2::pke::{DecryptingKey, EncryptingKey};
use zeroize::Zeroizing;

use super::sign::SigningKey;
use crate::error::{Error, Result};

/// To the holder of a public key; nothing says whom it is from.
pub fn encrypt(public: &[u8; 65], plain: &[u8]) -> Result<Vec<u8>> {
    let key = EncryptingKey::from_sec1_bytes(public);
    let key = key.map_err(|_| Error::Key("不是 SM2 公钥".into()))?;
    // an empty text has no ciphertext in this scheme
    key.encrypt_der(&mut SysRng, plain).map_err(|_| Error::Key("SM2 加密未成".into()))
}

pub fn decrypt(key: &SigningKey, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let key = DecryptingKey::from_slice(&*key.to_bytes());
    let key = key.map_err(|_| Error::Key("不是 SM2 私钥".into()))?;
    let opened = key.decrypt_der(sealed);
    opened
        .map(Zeroizing::new)
        .map_err(|_| Error::Corrupt("密文校验未通过：内容被改动或密钥不符".into()))
}
