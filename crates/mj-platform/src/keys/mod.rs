//! Keys at rest, and sealed personal values.
//!
//! One master key (file `keys/master.key`, 0600) wraps everything else. Every person whose data we
//! hold has a data key of its own in table `data_key`, wrapped under the key class `personal`, which no
//! copy of the node holds; destroying that row makes every sealed value of the person unreadable, also
//! in segments and copies, without rewriting them ([`persons`]). A sealed value names its key:
//! `~1.<key id>.<base64>`. Equality look-up goes by a keyed hash ([`Keys::lookup`]).

mod master;
pub mod persons;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

use zeroize::Zeroizing;

use crate::db::door::{TruthTable, WriteTx};
use crate::db::{Db, RowExt, Value};
use crate::durable;
use crate::error::{Error, Result};
use crate::gm::vault::{KeyClass, Vault};
use crate::gm::{self, Sm4Key, Wiped};

pub(crate) use master::masters;
use master::{RING, Ring, fresh_master};
pub use master::{Rotated, is_rotating, rotate_master};

const PREFIX: &str = "~1.";
pub(crate) const DATA_KEY: &str = "data_key";

/// Keys that were destroyed lawfully. A key that is gone without standing here was lost.
pub const ERASURE: TruthTable = TruthTable { name: "erasure", columns: &["id", "erased_at"] };
/// How many opened data keys are kept in memory.
const CACHE: usize = 200_000;

/// In clear, for its owner only; everything else lies under it.
pub const MASTER: &str = "master.key";
/// The master key that is to follow, until everything lies under it.
pub const NEXT_MASTER: &str = "master.next";
/// The keys of this node.
#[derive(Clone)]
pub struct Keys {
    /// Keys that wrap those of files and of texts, newest first; the first wraps what is new.
    wrapping: Vec<Sm4Key>,
    /// Keys that wrap those of persons, likewise.
    personal: Vec<Sm4Key>,
    lookup: Wiped<32>,
    content: Wiped<16>,
    cache: Arc<RwLock<HashMap<String, DataKey>>>,
    by_id: Arc<RwLock<HashMap<String, DataKey>>>,
}

/// One person's key, opened.
#[derive(Clone)]
pub struct DataKey {
    pub id: Arc<str>,
    key: Sm4Key,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl DataKey {
    /// `~1.<key id>.<base64>`; `column` is bound in, so that a value cannot be moved elsewhere.
    pub fn seal(&self, column: &str, plain: &str) -> String {
        let sealed = self.key.seal(plain.as_bytes(), column.as_bytes());
        format!("{PREFIX}{}.{}", self.id, BASE64.encode(sealed))
    }
}

/// Whether a stored text is a sealed value.
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Stored bytes, where they are a sealed value.
pub fn sealed_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| is_sealed(text))
}

/// Which data key a sealed value names.
pub fn key_id(sealed: &str) -> Option<&str> {
    sealed.strip_prefix(PREFIX)?.split_once('.').map(|(id, _)| id)
}

impl Keys {
    /// Opens the keys of a data directory, making them on first use.
    pub fn open(folder: &Path, production: bool) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let path = folder.join(MASTER);
        if !path.exists() {
            if folder.join(NEXT_MASTER).exists() || folder.join(format!("{RING}.key")).exists() {
                return Err(Error::Key(format!("主密钥 {} 不见了", path.display())));
            }
            write_private(&path, &fresh_master())?;
        }
        check_private(&path)?;
        let masters = masters(folder)?;
        let first = masters.first().ok_or_else(|| Error::Key("没有主密钥".into()))?;
        let vault = Vault::beside_master(folder, production)?;
        let ring = match vault.read_named(RING)? {
            Some(ring) => Ring::parse(&ring)?,
            None => Ring::of_master(first),
        };
        if persons::is_lost(folder) {
            return Err(Error::Key(format!(
                "{} 不见了，个人信息无法读出：请执行 mingjian keys recover --from 备份 --key 备份密钥文件",
                folder.join(persons::FILE).display()
            )));
        }
        Ok(Self::from_ring(ring, vault.wrapping_keys(KeyClass::Personal)?))
    }

    /// The other keys are derived, each for one use only.
    pub fn from_master(master: [u8; 16]) -> Self {
        let personal = gm::first16(&Wiped::new(gm::hmac_sm3(&master, &[b"mingjian", b"personal"])));
        Self::from_ring(Ring::of_master(&Wiped::new(master)), vec![Sm4Key::new(*personal)])
    }

    fn from_ring(ring: Ring, personal: Vec<Sm4Key>) -> Self {
        Self {
            wrapping: ring.wrapping.iter().map(|key| Sm4Key::new(**key)).collect(),
            personal,
            lookup: ring.lookup,
            content: ring.content,
            cache: Arc::default(),
            by_id: Arc::default(),
        }
    }

    /// The keyed hash by which equal personal values find each other; 32 hex digits.
    pub fn lookup(&self, kind: &str, value: &str) -> String {
        let mac = gm::hmac_sm3(&*self.lookup, &[kind.as_bytes(), value.as_bytes()]);
        hex::encode(&mac[..16])
    }

    /// The key of 128-bit content hashes (SipHash), so that nobody can prepare collisions.
    pub fn content_key(&self) -> &[u8; 16] {
        &self.content
    }

    /// The data keys of these subjects, where all of them are in memory.
    pub fn remembered(&self, subjects: &[String]) -> Option<Vec<DataKey>> {
        let cache = self.cache.read().expect("no panic while holding the key cache");
        subjects.iter().map(|subject| cache.get(subject).cloned()).collect()
    }

    /// The data keys of these subjects (each a [`Keys::lookup`] hash), making those that are
    /// missing in `tx`. In the order of `subjects`.
    pub async fn data_keys(&self, tx: &mut WriteTx, subjects: &[String]) -> Result<Vec<DataKey>> {
        let mut found: HashMap<&str, DataKey> = {
            let cache = self.cache.read().expect("no panic while holding the key cache");
            subjects
                .iter()
                .filter_map(|subject| Some((subject.as_str(), cache.get(subject)?.clone())))
                .collect()
        };
        let mut missing: Vec<&str> = subjects
            .iter()
            .map(String::as_str)
            .filter(|subject| !found.contains_key(subject))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        let mut opened = Vec::with_capacity(missing.len());
        for chunk in missing.chunks(5_000) {
            let rows: Vec<Vec<Value>> = chunk
                .iter()
                .map(|subject| {
                    let id = hex::encode(gm::random::<8>());
                    let wrapped = self.wrap_person(&Sm4Key::generate(), &id);
                    vec![id.into(), (*subject).into(), wrapped.into(), tx.now().into()]
                })
                .collect();
            let columns = ["id", "subject", "wrapped", "created_at"];
            tx.execute_many("data_key", &columns, &rows, "ON CONFLICT (subject) DO NOTHING")
                .await?;
            let marks: Vec<String> = (1..=chunk.len()).map(|n| format!("${n}")).collect();
            let args: Vec<Value> = chunk.iter().map(|subject| Value::from(*subject)).collect();
            let sql = format!(
                "SELECT id, subject, wrapped FROM data_key WHERE subject IN ({})",
                marks.join(",")
            );
            let made: HashSet<&str> = rows.iter().filter_map(|row| row[0].as_text()).collect();
            let mut gained = 0;
            for row in tx.fetch_all(&sql, &args).await? {
                let id = row.text("id")?;
                // the others were there already
                gained += i64::from(made.contains(id.as_str()));
                let key = self.unwrap(&id, &row.bytes("wrapped")?)?;
                let subject = row.text("subject")?;
                opened.push((subject.clone(), key.clone()));
                // sorted above
                if let Ok(place) = chunk.binary_search(&subject.as_str()) {
                    found.insert(chunk[place], key);
                }
            }
            tx.counted(DATA_KEY, gained);
        }
        if !opened.is_empty() {
            // a key of a transaction that comes to nothing is nobody's: what it sealed could never be read
            let keys = self.clone();
            tx.when_committed(move || {
                opened.into_iter().for_each(|(subject, key)| keys.remember(&subject, key));
            });
        }
        subjects
            .iter()
            .map(|subject| {
                found
                    .get(subject.as_str())
                    .cloned()
                    .ok_or_else(|| Error::Key("数据密钥未能建立".into()))
            })
            .collect()
    }

    /// Opens sealed texts; `None` where the person's key was destroyed. Clear texts pass through.
    pub async fn unseal(&self, db: &Db, column: &str, text: &str) -> Result<Option<String>> {
        let Some(rest) = text.strip_prefix(PREFIX) else { return Ok(Some(text.to_owned())) };
        let (id, body) =
            rest.split_once('.').ok_or_else(|| Error::Corrupt("密文格式不符".into()))?;
        let known =
            self.by_id.read().expect("no panic while holding the key cache").get(id).cloned();
        let key = match known {
            Some(key) => key,
            None => {
                let row = db
                    .fetch_optional("SELECT wrapped FROM data_key WHERE id = $1", &[id.into()])
                    .await?;
                let Some(row) = row else { return Ok(None) };
                let key = self.unwrap(id, &row.bytes("wrapped")?)?;
                self.remember("", key.clone());
                key
            }
        };
        let body = BASE64.decode(body).map_err(|_| Error::Corrupt("密文不是 base64".into()))?;
        let plain = key.key.open(&body, column.as_bytes())?;
        String::from_utf8(plain).map(Some).map_err(|_| Error::Corrupt("明文不是 UTF-8".into()))
    }

    /// Wraps a key that is stored elsewhere (a blob's); `context` must be given again to unwrap.
    pub fn wrap_key(&self, key: &Sm4Key, context: &str) -> Vec<u8> {
        self.wrapping[0].seal(key.bytes(), context.as_bytes())
    }

    pub fn unwrap_key(&self, wrapped: &[u8], context: &str) -> Result<Sm4Key> {
        opened(self.wrapping.iter(), wrapped, context)
    }

    /// Seals a text that belongs to no single person (a delivered row in error, a job's payload)
    /// under a key of its own that travels, wrapped, with the value.
    pub fn seal_alone(&self, context: &str, plain: &str) -> Vec<u8> {
        let key = Sm4Key::generate();
        let mut out = self.wrap_key(&key, context);
        out.extend(key.seal(plain.as_bytes(), context.as_bytes()));
        out
    }

    pub fn open_alone(&self, context: &str, sealed: &[u8]) -> Result<String> {
        // nonce 12 + key 16 + tag 16
        let (wrapped, body) =
            sealed.split_at_checked(44).ok_or_else(|| Error::Corrupt("密文过短".into()))?;
        let plain = self.unwrap_key(wrapped, context)?.open(body, context.as_bytes())?;
        String::from_utf8(plain).map_err(|_| Error::Corrupt("明文不是 UTF-8".into()))
    }

    /// A stored text that belongs to a delivery: under the key of its file, or alone as an earlier version
    /// kept it. `None` where it was destroyed.
    pub async fn open_stored(
        &self,
        db: &Db,
        context: &str,
        sealed: &[u8],
    ) -> Result<Option<String>> {
        match sealed_text(sealed) {
            Some(text) => self.unseal(db, context, text).await,
            None if sealed.is_empty() => Ok(None),
            None => self.open_alone(context, sealed).map(Some),
        }
    }

    fn unwrap(&self, id: &str, wrapped: &[u8]) -> Result<DataKey> {
        Ok(DataKey { id: id.into(), key: self.unwrap_person(wrapped, id)? })
    }

    fn remember(&self, subject: &str, key: DataKey) {
        if !subject.is_empty() {
            let mut cache = self.cache.write().expect("no panic while holding the key cache");
            if cache.len() >= CACHE {
                cache.clear();
            }
            cache.insert(subject.to_owned(), key.clone());
        }
        let mut by_id = self.by_id.write().expect("no panic while holding the key cache");
        if by_id.len() >= CACHE {
            by_id.clear();
        }
        by_id.insert(key.id.to_string(), key);
    }
}

/// A wrapped key, by the first of these that opens it.
fn opened<'a>(
    keys: impl Iterator<Item = &'a Sm4Key>,
    wrapped: &[u8],
    context: &str,
) -> Result<Sm4Key> {
    let mut refused = Error::Key("没有可用的密钥".into());
    for key in keys {
        match key.open(wrapped, context.as_bytes()).map(Zeroizing::new) {
            Ok(bytes) => {
                let bytes = bytes.as_slice().try_into();
                let bytes = bytes.map_err(|_| Error::Corrupt("密钥长度不符".into()))?;
                return Ok(Sm4Key::new(bytes));
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Writes a secret that only the owner may read, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    durable::put_private(path, text.as_bytes())
}

fn check_private(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_err(Error::io(path))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Error::Key(format!(
                "{} 对他人可读（权限 {:o}）；请执行 chmod 600",
                path.display(),
                mode & 0o777
            )));
        }
    }
    Ok(())
}
