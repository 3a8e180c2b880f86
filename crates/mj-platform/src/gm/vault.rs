//! The keys of this node by class, behind the one trait that a certified card or HSM also fits.
//!
//! A class is what a key may be used for, and no key serves two classes. [`Vault`] keeps one file a
//! class in `keys/`, sealed under the master key and bound to its class and to its mark: a key made
//! outside production says so for ever, and production refuses it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::sign::{self, SigningKey};
use super::{Sm4Key, fill, hmac_sm3, random};
use crate::error::{Error, Result};
use crate::keys::write_private;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyClass {
    /// Documents and messages of this organisation.
    OrgSign,
    /// Checkpoints of the supervision log.
    Log,
    /// Cosignatures on other nodes' checkpoints.
    Witness,
    /// Pulses of a beacon.
    Beacon,
    /// Calls to other systems.
    ApiClient,
    /// Tokens of sessions.
    Session,
    /// Wrapping of personal data keys.
    Personal,
    /// Backups.
    Backup,
}

impl KeyClass {
    pub const ALL: [KeyClass; 8] = [
        KeyClass::OrgSign,
        KeyClass::Log,
        KeyClass::Witness,
        KeyClass::Beacon,
        KeyClass::ApiClient,
        KeyClass::Session,
        KeyClass::Personal,
        KeyClass::Backup,
    ];

    pub fn name(self) -> &'static str {
        match self {
            KeyClass::OrgSign => "org-sign",
            KeyClass::Log => "log",
            KeyClass::Witness => "witness",
            KeyClass::Beacon => "beacon",
            KeyClass::ApiClient => "api-client",
            KeyClass::Session => "session",
            KeyClass::Personal => "personal",
            KeyClass::Backup => "backup",
        }
    }

    /// Whether it is a key pair for signing; otherwise a secret for wrapping and authenticating.
    pub fn signs(self) -> bool {
        !matches!(self, KeyClass::Session | KeyClass::Personal | KeyClass::Backup)
    }
}

/// Everything the house asks of its cipher module.
pub trait SmProvider: Send + Sync {
    /// The public key of a signing class.
    fn public(&self, class: KeyClass) -> Result<[u8; 65]>;
    /// SM2 over SM3, r‖s.
    fn sign(&self, class: KeyClass, message: &[u8]) -> Result<[u8; 64]>;
    fn verify(&self, public: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool;
    /// SM4-GCM; `context` is authenticated and must be given again.
    fn wrap(&self, class: KeyClass, plain: &[u8], context: &[u8]) -> Result<Vec<u8>>;
    fn unwrap(&self, class: KeyClass, wrapped: &[u8], context: &[u8]) -> Result<Vec<u8>>;
    /// HMAC-SM3.
    fn mac(&self, class: KeyClass, parts: &[&[u8]]) -> Result<[u8; 32]>;
    fn random(&self, bytes: &mut [u8]);
}

/// Keys in files, arithmetic in software.
pub struct Vault {
    folder: PathBuf,
    sealing: Sm4Key,
    production: bool,
    opened: Mutex<BTreeMap<KeyClass, Arc<Secret>>>,
}

enum Secret {
    Pair(SigningKey),
    Bytes([u8; 32]),
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}

const FORMAT: &str = "mingjian-key-1";
const PRODUCTION: &str = "production";
const DEVELOPMENT: &str = "development";

impl Vault {
    /// The vault of a data directory; `master` is the content of its master key file.
    pub fn open(folder: &Path, master: &[u8; 16], production: bool) -> Self {
        let sealing = hmac_sm3(master, &[b"mingjian", b"keys at rest"]);
        let [key, _] = halves(&sealing);
        Self {
            folder: folder.to_owned(),
            sealing: Sm4Key::new(key),
            production,
            opened: Mutex::default(),
        }
    }

    /// The same with the master key that already lies in `folder`.
    pub fn beside_master(folder: &Path, production: bool) -> Result<Self> {
        let path = folder.join("master.key");
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let mut master = [0; 16];
        hex::decode_to_slice(text.trim(), &mut master)
            .map_err(|_| Error::Key(format!("{} 应为 32 位十六进制", path.display())))?;
        Ok(Self::open(folder, &master, production))
    }

    fn path(&self, class: KeyClass) -> PathBuf {
        self.folder.join(format!("{}.key", class.name()))
    }

    /// Whether the key of this class was ever made.
    pub fn has(&self, class: KeyClass) -> bool {
        self.path(class).exists()
    }

    fn secret(&self, class: KeyClass) -> Result<Arc<Secret>> {
        let mut opened = self.opened.lock().expect("no panic while holding the vault");
        if let Some(secret) = opened.get(&class) {
            return Ok(secret.clone());
        }
        let path = self.path(class);
        let bytes = match std::fs::read_to_string(&path) {
            Ok(text) => self.read(class, &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.make(class)?,
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let secret = Arc::new(if class.signs() {
            Secret::Pair(SigningKey::from_bytes(&bytes)?)
        } else {
            Secret::Bytes(bytes)
        });
        opened.insert(class, secret.clone());
        Ok(secret)
    }

    fn make(&self, class: KeyClass) -> Result<[u8; 32]> {
        let bytes = if class.signs() { SigningKey::generate().to_bytes() } else { random::<32>() };
        let mark = if self.production { PRODUCTION } else { DEVELOPMENT };
        let head = format!("{FORMAT} {} {mark}", class.name());
        let sealed = self.sealing.seal(&bytes, head.as_bytes());
        write_private(&self.path(class), &format!("{head} {}\n", hex::encode(sealed)))?;
        Ok(bytes)
    }

    fn read(&self, class: KeyClass, text: &str) -> Result<[u8; 32]> {
        let path = self.path(class).display().to_string();
        let wrong = || Error::Key(format!("{path} 不是本节点的{}密钥", class.name()));
        let (head, sealed) = text.trim().rsplit_once(' ').ok_or_else(wrong)?;
        let mark = head.strip_prefix(&format!("{FORMAT} {} ", class.name())).ok_or_else(wrong)?;
        let sealed = hex::decode(sealed).map_err(|_| wrong())?;
        let bytes = self.sealing.open(&sealed, head.as_bytes()).map_err(|_| wrong())?;
        if self.production && mark != PRODUCTION {
            return Err(Error::Key(format!(
                "{path} 是试用密钥，正式运行（node.production）不接受；请移走该文件，由系统另生成"
            )));
        }
        bytes.try_into().map_err(|_| wrong())
    }

    fn pair(&self, class: KeyClass) -> Result<Arc<Secret>> {
        if !class.signs() {
            return Err(Error::Key(format!("{} 类密钥不用于签名", class.name())));
        }
        self.secret(class)
    }

    fn bytes(&self, class: KeyClass) -> Result<[u8; 32]> {
        match &*self.secret(class)? {
            Secret::Bytes(bytes) => Ok(*bytes),
            Secret::Pair(_) => Err(Error::Key(format!("{} 类密钥只用于签名", class.name()))),
        }
    }

    fn wrapping(&self, class: KeyClass) -> Result<Sm4Key> {
        let derived = hmac_sm3(&self.bytes(class)?, &[b"wrap"]);
        Ok(Sm4Key::new(halves(&derived)[0]))
    }
}

fn halves(bytes: &[u8; 32]) -> [[u8; 16]; 2] {
    let mut halves = [[0; 16]; 2];
    halves[0].copy_from_slice(&bytes[..16]);
    halves[1].copy_from_slice(&bytes[16..]);
    halves
}

impl SmProvider for Vault {
    fn public(&self, class: KeyClass) -> Result<[u8; 65]> {
        match &*self.pair(class)? {
            Secret::Pair(pair) => Ok(pair.public()),
            Secret::Bytes(_) => Err(Error::Key("密钥种类不符".into())),
        }
    }

    fn sign(&self, class: KeyClass, message: &[u8]) -> Result<[u8; 64]> {
        match &*self.pair(class)? {
            Secret::Pair(pair) => pair.sign(message),
            Secret::Bytes(_) => Err(Error::Key("密钥种类不符".into())),
        }
    }

    fn verify(&self, public: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool {
        sign::verify(public, message, signature)
    }

    fn wrap(&self, class: KeyClass, plain: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        Ok(self.wrapping(class)?.seal(plain, context))
    }

    fn unwrap(&self, class: KeyClass, wrapped: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        self.wrapping(class)?.open(wrapped, context)
    }

    fn mac(&self, class: KeyClass, parts: &[&[u8]]) -> Result<[u8; 32]> {
        let derived = hmac_sm3(&self.bytes(class)?, &[b"mac"]);
        Ok(hmac_sm3(&derived, parts))
    }

    fn random(&self, bytes: &mut [u8]) {
        fill(bytes);
    }
}
