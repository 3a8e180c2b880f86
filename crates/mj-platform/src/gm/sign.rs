//! SM2 signatures (GB/T 32918.2) over SM3, as r‖s of 64 bytes, with the signer's id
//! 1234567812345678 that everybody uses who agreed on no other.
//!
//! The nonce is RFC 6979's, so signing needs no good randomness at that moment.

use sm2::dsa::signature::{Signer, Verifier};
use sm2::dsa::{self, Signature};
use sm2::elliptic_curve::sec1::ToSec1Point;
use sm2::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use sm2::{PublicKey, SecretKey};

use zeroize::Zeroizing;

use super::Wiped;
use crate::error::{Error, Result};

/// The default signer's id of GM/T 0009.
pub const SIGNER_ID: &str = "1234567812345678";

/// A private SM2 key. Says nothing when printed and is overwritten when it goes. The library's own key for
/// signing is not, so it lives for one signature.
#[derive(Clone)]
pub struct SigningKey {
    secret: SecretKey,
    public: [u8; 65],
}

impl zeroize::ZeroizeOnDrop for SigningKey {}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    pub fn generate() -> Self {
        loop {
            // all but one in 2^32 of these are below the order of the group
            if let Ok(key) = Self::from_bytes(&Wiped::new(super::random())) {
                return key;
            }
        }
    }

    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        let wrong = || Error::Key("不是 SM2 私钥".into());
        Self::of(SecretKey::from_slice(bytes).map_err(|_| wrong())?).ok_or_else(wrong)
    }

    fn of(secret: SecretKey) -> Option<Self> {
        let key = dsa::SigningKey::new(SIGNER_ID, &secret).ok()?;
        let mut public = [0; 65];
        public.copy_from_slice(key.verifying_key().as_affine().to_sec1_point(false).as_bytes());
        Some(Self { secret, public })
    }

    /// PKCS#8, as `openssl genpkey -algorithm SM2` writes it.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let wrong = || Error::Key("不是 PKCS#8 格式的 SM2 私钥".into());
        let secret = SecretKey::from_pkcs8_pem(pem).map_err(|_| wrong())?;
        Self::of(secret).ok_or_else(wrong)
    }

    pub fn to_pem(&self) -> Result<Zeroizing<String>> {
        let pem = self.secret.to_pkcs8_pem(LineEnding::LF);
        pem.map_err(|_| Error::Key("私钥无法写出".into()))
    }

    pub fn to_bytes(&self) -> Wiped<32> {
        Wiped::new(self.secret.to_bytes().into())
    }

    /// The public key as an uncompressed point.
    pub fn public(&self) -> [u8; 65] {
        self.public
    }

    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64]> {
        let key = dsa::SigningKey::new(SIGNER_ID, &self.secret);
        let signature = key.and_then(|key| key.try_sign(message));
        signature.map(|it| it.to_bytes().into()).map_err(|_| Error::Key("SM2 签名未成".into()))
    }
}

/// Whether the holder of this point signed the message.
pub fn verify(public: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool {
    verify_as(SIGNER_ID, public, message, signature)
}

/// The same for signers who agreed on another id.
pub fn verify_as(id: &str, public: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = dsa::VerifyingKey::from_sec1_bytes(id, public) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    key.verify(message, &signature).is_ok()
}

/// The public key in the form other programs read.
pub fn public_pem(public: &[u8; 65]) -> Result<String> {
    let key = PublicKey::from_sec1_bytes(public).map_err(|_| Error::Key("不是 SM2 公钥".into()))?;
    key.to_public_key_pem(LineEnding::LF).map_err(|_| Error::Key("公钥无法写出".into()))
}

/// r‖s as the ASN.1 SEQUENCE that certificates and other programs use.
pub fn to_der(signature: &[u8; 64]) -> Result<Vec<u8>> {
    let signature = Signature::from_slice(signature);
    let signature = signature.map_err(|_| Error::Key("不是 SM2 签名".into()))?;
    Ok(signature.to_der().as_bytes().to_vec())
}

pub fn from_der(der: &[u8]) -> Result<[u8; 64]> {
    let signature = Signature::from_der(der);
    signature.map(|it| it.to_bytes().into()).map_err(|_| Error::Key("不是 SM2 签名".into()))
}
