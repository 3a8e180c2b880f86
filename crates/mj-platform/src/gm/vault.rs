//! The keys of this node by class, behind the one trait that a certified card or HSM also fits.
//!
//! A class is what a key may be used for, and no key serves two classes. [`Vault`] keeps one file a
//! class in `keys/`, sealed under the master key and bound to its class and to its mark: a key made
//! outside production says so for ever, and production refuses it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use super::encrypt;
use super::sign::{self, SigningKey};
use super::{Sm4Key, Wiped, fill, first16, hmac_sm3, random};
use crate::durable;
use crate::error::{Error, Result};
use crate::keys::write_private;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyClass {
    /// Documents and messages of this organisation.
    OrgSign,
    /// What others send to this organisation alone.
    OrgEnc,
    /// Checkpoints of the supervision log.
    Log,
    /// Cosignatures on other nodes' checkpoints.
    Witness,
    /// Pulses of a beacon.
    Beacon,
    /// Calls to other systems.
    ApiClient,
    /// Seals over sessions, one-time codes and tokens.
    Session,
    /// Wrapping of personal data keys.
    Personal,
    /// Backups.
    Backup,
    /// The keyed hash over password hashes.
    Password,
    /// Seals over entries of the log that wait for their checkpoint.
    Entry,
}

impl KeyClass {
    pub const ALL: [KeyClass; 11] = [
        KeyClass::OrgSign,
        KeyClass::OrgEnc,
        KeyClass::Log,
        KeyClass::Witness,
        KeyClass::Beacon,
        KeyClass::ApiClient,
        KeyClass::Session,
        KeyClass::Personal,
        KeyClass::Backup,
        KeyClass::Password,
        KeyClass::Entry,
    ];

    pub fn name(self) -> &'static str {
        match self {
            KeyClass::OrgSign => "org-sign",
            KeyClass::OrgEnc => "org-enc",
            KeyClass::Log => "log",
            KeyClass::Witness => "witness",
            KeyClass::Beacon => "beacon",
            KeyClass::ApiClient => "api-client",
            KeyClass::Session => "session",
            KeyClass::Personal => "personal",
            KeyClass::Backup => "backup",
            KeyClass::Password => "password",
            KeyClass::Entry => "entry",
        }
    }

    /// Whether it is a key pair for signing.
    pub fn signs(self) -> bool {
        self.is_pair() && self != KeyClass::OrgEnc
    }

    /// Whether it is a key pair; otherwise a secret for wrapping and authenticating.
    pub fn is_pair(self) -> bool {
        use KeyClass::{Backup, Entry, Password, Personal, Session};
        !matches!(self, Session | Personal | Backup | Password | Entry)
    }
}

/// Everything the house asks of its cipher module.
pub trait SmProvider: Send + Sync {
    /// The public key of a class that is a pair.
    fn public(&self, class: KeyClass) -> Result<[u8; 65]>;
    /// SM2 over SM3, r‖s.
    fn sign(&self, class: KeyClass, message: &[u8]) -> Result<[u8; 64]>;
    fn verify(&self, public: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool;
    /// SM2 encryption to the holder of a public key, as the ASN.1 of GM/T 0009.
    fn encrypt(&self, public: &[u8; 65], plain: &[u8]) -> Result<Vec<u8>>;
    /// What was encrypted to `org-enc`, under its present key or one before it.
    fn decrypt(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>>;
    /// SM4-GCM; `context` is authenticated and must be given again.
    fn wrap(&self, class: KeyClass, plain: &[u8], context: &[u8]) -> Result<Vec<u8>>;
    fn unwrap(&self, class: KeyClass, wrapped: &[u8], context: &[u8]) -> Result<Vec<u8>>;
    /// HMAC-SM3.
    fn mac(&self, class: KeyClass, parts: &[&[u8]]) -> Result<[u8; 32]>;
    /// How the present secret of a class is called; whoever stores a keyed hash stores this with it.
    fn mac_name(&self, class: KeyClass) -> Result<String>;
    /// HMAC-SM3 under the secret of that name, the present one or one before it. `None`: there is no such
    /// secret, and none is made.
    fn mac_under(&self, class: KeyClass, name: &str, parts: &[&[u8]]) -> Result<Option<[u8; 32]>>;
    fn random(&self, bytes: &mut [u8]);
}

/// Keys in files, arithmetic in software.
pub struct Vault {
    folder: PathBuf,
    /// Under the master key, and under the one that is to follow while that is being changed.
    sealing: Vec<Sm4Key>,
    production: bool,
    opened: Mutex<BTreeMap<KeyClass, Arc<Secret>>>,
}

enum Secret {
    Pair(SigningKey),
    Bytes(Wiped<32>),
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
        Self {
            folder: folder.to_owned(),
            sealing: vec![sealing_key(master)],
            production,
            opened: Mutex::default(),
        }
    }

    /// The same with the master key that already lies in `folder`.
    pub fn beside_master(folder: &Path, production: bool) -> Result<Self> {
        let masters = crate::keys::masters(folder)?;
        let [first, rest @ ..] = masters.as_slice() else {
            let path = folder.join(crate::keys::MASTER);
            return Err(Error::Key(format!("没有主密钥 {}", path.display())));
        };
        let mut vault = Self::open(folder, first, production);
        vault.sealing.extend(rest.iter().map(|master| sealing_key(master)));
        Ok(vault)
    }

    fn path(&self, class: KeyClass) -> PathBuf {
        self.folder.join(format!("{}.key", class.name()))
    }

    /// The `n`th key this class had before its present one, from 1.
    fn retired_path(&self, class: KeyClass, n: usize) -> PathBuf {
        self.folder.join(format!("{}.{n}.key", class.name()))
    }

    /// A key that is to take the place of the present one.
    fn next_path(&self, class: KeyClass) -> PathBuf {
        self.folder.join(format!("{}.next.key", class.name()))
    }

    /// The secrets this class had before, newest first: what they wrapped stays readable.
    fn retired(&self, class: KeyClass) -> Result<Vec<Wiped<32>>> {
        let mut secrets = Vec::new();
        for n in 1.. {
            match std::fs::read_to_string(self.retired_path(class, n)) {
                Ok(text) => secrets.push(self.read(class, &text)?),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
                Err(error) => return Err(Error::io(self.retired_path(class, n))(error)),
            }
        }
        secrets.reverse();
        Ok(secrets)
    }

    /// The secrets of the class `backup`, newest first: they alone leave the vault, because a copy
    /// must open where nothing of the node is left.
    pub fn backup_secrets(&self) -> Result<Vec<Wiped<32>>> {
        let mut secrets = vec![self.bytes(KeyClass::Backup)?];
        secrets.extend(self.retired(KeyClass::Backup)?);
        Ok(secrets)
    }

    /// The keys with which a class wraps, newest first; made on first call.
    pub(crate) fn wrapping_keys(&self, class: KeyClass) -> Result<Vec<Sm4Key>> {
        let mut keys = vec![wrapping(&*self.bytes(class)?)];
        keys.extend(self.retired(class)?.iter().map(|secret| wrapping(secret)));
        Ok(keys)
    }

    pub(crate) fn has_retired(&self, class: KeyClass) -> bool {
        self.retired_path(class, 1).exists()
    }

    /// Destroys the secrets this class had before: nothing may lie under them any more.
    pub(crate) fn forget_retired(&self, class: KeyClass) -> Result<()> {
        let count = (1..).take_while(|n| self.retired_path(class, *n).exists()).count();
        // the newest first: a gap would hide those behind it
        (1..=count)
            .rev()
            .try_for_each(|n| durable::overwrite_and_remove(&self.retired_path(class, n)))
    }

    /// Gives a class that wraps or encrypts a new secret; the old one is put beside it before.
    pub fn rotate_secret(&self, class: KeyClass) -> Result<()> {
        let present = match &*self.secret(class)? {
            Secret::Bytes(bytes) => bytes.clone(),
            Secret::Pair(pair) => pair.to_bytes(),
        };
        let retired = self.retired(class)?;
        // there already when a kill came between the two files
        if retired.first() != Some(&present) {
            let path = self.retired_path(class, retired.len() + 1);
            let text = std::fs::read_to_string(self.path(class)).map_err(Error::io(&path))?;
            write_private(&path, &text)?;
        }
        self.make_at(class, &self.path(class))?;
        self.opened.lock().expect("no panic while holding the vault").remove(&class);
        Ok(())
    }

    /// Whether a signing class is about to get another key.
    pub fn has_next(&self, class: KeyClass) -> bool {
        self.next_path(class).exists()
    }

    /// The public key that a signing class is to have next; made on first call.
    pub fn next_pair(&self, class: KeyClass) -> Result<SigningKey> {
        let path = self.next_path(class);
        let bytes = match std::fs::read_to_string(&path) {
            Ok(text) => self.read(class, &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.make_at(class, &path)?
            }
            Err(error) => return Err(Error::io(&path)(error)),
        };
        SigningKey::from_bytes(&bytes)
    }

    /// Puts the next key in the place of the present one, whose private half is gone with it.
    pub fn promote(&self, class: KeyClass) -> Result<()> {
        durable::rename(&self.next_path(class), &self.path(class))?;
        self.opened.lock().expect("no panic while holding the vault").remove(&class);
        Ok(())
    }

    /// Seals every key file anew under the last of the master keys. Each file is whole at any moment
    /// and opens under either key.
    pub(crate) fn reseal(&self) -> Result<()> {
        let newest = self.sealing.last().expect("a vault has a master key");
        // listed first: a folder that is read while files in it are replaced may skip one
        for path in self.files()? {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            if !text.starts_with(FORMAT) || path.extension().is_none_or(|end| end != "key") {
                continue;
            }
            let wrong = || Error::Key(format!("{} 用主密钥打不开", path.display()));
            let (head, sealed) = text.trim().rsplit_once(' ').ok_or_else(wrong)?;
            let sealed = hex::decode(sealed).map_err(|_| wrong())?;
            if newest.open(&sealed, head.as_bytes()).is_ok() {
                continue;
            }
            let bytes = self.open_sealed(&sealed, head).ok_or_else(wrong)?;
            let sealed = newest.seal(&bytes, head.as_bytes());
            write_private(&path, &format!("{head} {}\n", hex::encode(sealed)))?;
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(&self.folder).map_err(Error::io(&self.folder))?;
        entries
            .map(|entry| entry.map(|entry| entry.path()).map_err(Error::io(&self.folder)))
            .collect()
    }

    /// Whether the keys here were made in production; a copy of a node says it without its settings.
    pub(crate) fn made_in_production(&self) -> Result<bool> {
        let says = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let mut words = text.split(' ');
            words.next() == Some(FORMAT) && words.nth(1) == Some(PRODUCTION)
        };
        Ok(self.files()?.iter().any(says))
    }

    fn open_sealed(&self, sealed: &[u8], head: &str) -> Option<Zeroizing<Vec<u8>>> {
        let open = |key: &Sm4Key| key.open(sealed, head.as_bytes()).ok().map(Zeroizing::new);
        self.sealing.iter().find_map(open)
    }

    /// A secret of the house that is no key of a class: `name.key`, sealed like those.
    pub(crate) fn read_named(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let path = self.folder.join(format!("{name}.key"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let wrong = || Error::Key(format!("{} 用主密钥打不开", path.display()));
        let (head, sealed) = text.trim().rsplit_once(' ').ok_or_else(wrong)?;
        if !head.starts_with(&format!("{FORMAT} {name} ")) {
            return Err(wrong());
        }
        let sealed = hex::decode(sealed).map_err(|_| wrong())?;
        self.open_sealed(&sealed, head).map(Some).ok_or_else(wrong)
    }

    pub(crate) fn write_named(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mark = if self.production { PRODUCTION } else { DEVELOPMENT };
        let head = format!("{FORMAT} {name} {mark}");
        let sealed = self.sealing[0].seal(bytes, head.as_bytes());
        let path = self.folder.join(format!("{name}.key"));
        write_private(&path, &format!("{head} {}\n", hex::encode(sealed)))
    }

    /// Notes beside the keys, sealed like them, that something was done once: no writer of the database can take it back.
    pub fn note(&self, name: &str) -> Result<()> {
        self.write_named(name, name.as_bytes())
    }

    /// Whether that was noted; a note that does not open is an error and no "no".
    pub fn noted(&self, name: &str) -> Result<bool> {
        Ok(self.read_named(name)?.is_some())
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
        let secret = Arc::new(if class.is_pair() {
            Secret::Pair(SigningKey::from_bytes(&bytes)?)
        } else {
            Secret::Bytes(bytes)
        });
        opened.insert(class, secret.clone());
        Ok(secret)
    }

    fn make(&self, class: KeyClass) -> Result<Wiped<32>> {
        self.make_at(class, &self.path(class))
    }

    fn make_at(&self, class: KeyClass, path: &Path) -> Result<Wiped<32>> {
        let bytes = match class.is_pair() {
            true => SigningKey::generate().to_bytes(),
            false => Wiped::new(random()),
        };
        let mark = if self.production { PRODUCTION } else { DEVELOPMENT };
        let head = format!("{FORMAT} {} {mark}", class.name());
        let sealed = self.sealing[0].seal(&*bytes, head.as_bytes());
        write_private(path, &format!("{head} {}\n", hex::encode(sealed)))?;
        Ok(bytes)
    }

    fn read(&self, class: KeyClass, text: &str) -> Result<Wiped<32>> {
        let path = self.path(class).display().to_string();
        let wrong = || Error::Key(format!("{path} 不是本节点的{}密钥", class.name()));
        let (head, sealed) = text.trim().rsplit_once(' ').ok_or_else(wrong)?;
        let mark = head.strip_prefix(&format!("{FORMAT} {} ", class.name())).ok_or_else(wrong)?;
        let sealed = hex::decode(sealed).map_err(|_| wrong())?;
        let bytes = self.open_sealed(&sealed, head).ok_or_else(wrong)?;
        if self.production && mark != PRODUCTION {
            // what was made with it could not be read or proved any more without it
            let mend = match class {
                KeyClass::Log
                | KeyClass::Password
                | KeyClass::Entry
                | KeyClass::Session
                | KeyClass::OrgEnc
                | KeyClass::Personal
                | KeyClass::Backup => "试用的数据不能转为正式，请用新的数据目录启用",
                _ => "请移走该文件，由系统另生成",
            };
            return Err(Error::Key(format!(
                "{path} 是试用密钥，正式运行（node.production）不接受；{mend}"
            )));
        }
        bytes.as_slice().try_into().map(Wiped::new).map_err(|_| wrong())
    }

    fn pair(&self, class: KeyClass) -> Result<Arc<Secret>> {
        if !class.is_pair() {
            return Err(Error::Key(format!("{} 类密钥不是密钥对", class.name())));
        }
        self.secret(class)
    }

    fn bytes(&self, class: KeyClass) -> Result<Wiped<32>> {
        match &*self.secret(class)? {
            Secret::Bytes(bytes) => Ok(bytes.clone()),
            Secret::Pair(_) => Err(Error::Key(format!("{} 类密钥是密钥对", class.name()))),
        }
    }
}

fn wrapping(secret: &[u8; 32]) -> Sm4Key {
    Sm4Key::new(*first16(&Wiped::new(hmac_sm3(secret, &[b"wrap"]))))
}

/// Tells secrets of one class apart and tells nothing about them.
fn name_of(secret: &[u8; 32]) -> String {
    hex::encode(&hmac_sm3(secret, &[b"name"])[..4])
}

fn sealing_key(master: &[u8; 16]) -> Sm4Key {
    Sm4Key::new(*first16(&Wiped::new(hmac_sm3(master, &[b"mingjian", b"keys at rest"]))))
}

impl SmProvider for Vault {
    fn public(&self, class: KeyClass) -> Result<[u8; 65]> {
        match &*self.pair(class)? {
            Secret::Pair(pair) => Ok(pair.public()),
            Secret::Bytes(_) => Err(Error::Key("密钥种类不符".into())),
        }
    }

    fn encrypt(&self, public: &[u8; 65], plain: &[u8]) -> Result<Vec<u8>> {
        encrypt::encrypt(public, plain)
    }

    fn decrypt(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let Secret::Pair(present) = &*self.pair(KeyClass::OrgEnc)? else {
            return Err(Error::Key("密钥种类不符".into()));
        };
        let opened = encrypt::decrypt(present, sealed);
        if opened.is_ok() {
            return opened;
        }
        let older = self
            .retired(KeyClass::OrgEnc)?
            .into_iter()
            .find_map(|bytes| encrypt::decrypt(&SigningKey::from_bytes(&bytes).ok()?, sealed).ok());
        older.map_or(opened, Ok)
    }

    fn sign(&self, class: KeyClass, message: &[u8]) -> Result<[u8; 64]> {
        if !class.signs() {
            return Err(Error::Key(format!("{} 类密钥不用于签名", class.name())));
        }
        match &*self.pair(class)? {
            Secret::Pair(pair) => pair.sign(message),
            Secret::Bytes(_) => Err(Error::Key("密钥种类不符".into())),
        }
    }

    fn verify(&self, public: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool {
        sign::verify(public, message, signature)
    }

    fn wrap(&self, class: KeyClass, plain: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        Ok(wrapping(&*self.bytes(class)?).seal(plain, context))
    }

    fn unwrap(&self, class: KeyClass, wrapped: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        let present = wrapping(&*self.bytes(class)?).open(wrapped, context);
        if present.is_ok() {
            return present;
        }
        let retired = self.retired(class)?;
        let older = retired.iter().find_map(|key| wrapping(key).open(wrapped, context).ok());
        older.map_or(present, Ok)
    }

    fn mac(&self, class: KeyClass, parts: &[&[u8]]) -> Result<[u8; 32]> {
        let derived = Wiped::new(hmac_sm3(&*self.bytes(class)?, &[b"mac"]));
        Ok(hmac_sm3(&*derived, parts))
    }

    fn mac_name(&self, class: KeyClass) -> Result<String> {
        Ok(name_of(&*self.bytes(class)?))
    }

    fn mac_under(&self, class: KeyClass, name: &str, parts: &[&[u8]]) -> Result<Option<[u8; 32]>> {
        let secret = match self.has(class) {
            true => Some(self.bytes(class)?).filter(|secret| name_of(secret) == name),
            false => None,
        };
        let secret = match secret {
            Some(secret) => Some(secret),
            None => self.retired(class)?.into_iter().find(|secret| name_of(secret) == name),
        };
        Ok(secret.map(|secret| hmac_sm3(&*Wiped::new(hmac_sm3(&*secret, &[b"mac"])), parts)))
    }

    fn random(&self, bytes: &mut [u8]) {
        fill(bytes);
    }
}
