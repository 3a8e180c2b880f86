//! Keys at rest, and sealed personal values.
//!
//! One master key (file `keys/master.key`, 0600) wraps everything else. Every person whose data we
//! hold has a data key of its own in table `data_key`; destroying that row makes every sealed value
//! of the person unreadable, also in segments and copies, without rewriting them. A sealed value
//! names its key: `~1.<key id>.<base64>`. Equality look-up goes by a keyed hash ([`Keys::lookup`]).

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

use crate::db::door::{Act, TruthTable, WriteTx};
use crate::db::{Db, Lane, RowExt, Value};
use crate::error::{Error, Result};
use crate::gm::{self, Sm4Key};

const PREFIX: &str = "~1.";
const DATA_KEY: &str = "data_key";

/// Keys that were destroyed lawfully. A key that is gone without standing here was lost.
pub const ERASURE: TruthTable = TruthTable { name: "erasure", columns: &["id", "erased_at"] };
/// How many opened data keys are kept in memory.
const CACHE: usize = 200_000;

/// The keys of this node.
#[derive(Clone)]
pub struct Keys {
    master: Sm4Key,
    lookup: [u8; 32],
    content: [u8; 16],
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

impl Keys {
    /// Opens the keys of a data directory, making them on first use.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let path = folder.join("master.key");
        let bytes = match std::fs::read_to_string(&path) {
            Ok(text) => hex::decode(text.trim())
                .map_err(|_| Error::Key(format!("{} 不是十六进制密钥", path.display())))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let bytes = gm::random::<16>().to_vec();
                write_private(&path, &hex::encode(&bytes))?;
                bytes
            }
            Err(error) => return Err(Error::io(&path)(error)),
        };
        check_private(&path)?;
        let master = bytes
            .try_into()
            .map_err(|_| Error::Key(format!("{} 应为 32 位十六进制", path.display())))?;
        Ok(Self::from_master(master))
    }

    /// The other keys are derived, each for one use only.
    pub fn from_master(master: [u8; 16]) -> Self {
        let derive = |purpose: &str| gm::hmac_sm3(&master, &[b"mingjian", purpose.as_bytes()]);
        let wrapping = derive("wrap data keys");
        let content = derive("content hash");
        Self {
            master: Sm4Key::new(first16(&wrapping)),
            lookup: derive("equality look-up"),
            content: first16(&content),
            cache: Arc::default(),
            by_id: Arc::default(),
        }
    }

    /// The keyed hash by which equal personal values find each other; 32 hex digits.
    pub fn lookup(&self, kind: &str, value: &str) -> String {
        let mac = gm::hmac_sm3(&self.lookup, &[kind.as_bytes(), value.as_bytes()]);
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
        for chunk in missing.chunks(5_000) {
            let rows: Vec<Vec<Value>> = chunk
                .iter()
                .map(|subject| {
                    let id = hex::encode(gm::random::<8>());
                    let wrapped = self.master.seal(Sm4Key::generate().bytes(), id.as_bytes());
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
                self.remember(&subject, key.clone());
                // sorted above
                if let Ok(place) = chunk.binary_search(&subject.as_str()) {
                    found.insert(chunk[place], key);
                }
            }
            tx.counted(DATA_KEY, gained);
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

    /// Destroys one person's key: what it sealed can never be read again. That it was destroyed, not
    /// lost, stays on record under the key's own name, which leads to nobody.
    pub async fn destroy(&self, db: &Db, act: Act, subject: &str) -> Result<()> {
        let mut tx = db.begin(Lane::People, act).await?;
        let known = tx
            .fetch_optional("SELECT id FROM data_key WHERE subject = $1", &[subject.into()])
            .await?;
        if let Some(row) = known {
            let now = tx.now();
            tx.insert(&ERASURE, &[("id", row.text("id")?.into()), ("erased_at", now.into())])
                .await?;
            tx.execute("DELETE FROM data_key WHERE subject = $1", &[subject.into()]).await?;
            tx.counted(DATA_KEY, -1);
        }
        tx.commit().await?;
        self.cache.write().expect("no panic while holding the key cache").remove(subject);
        self.by_id.write().expect("no panic while holding the key cache").clear();
        Ok(())
    }

    /// Wraps a key that is stored elsewhere (a blob's); `context` must be given again to unwrap.
    pub fn wrap_key(&self, key: &Sm4Key, context: &str) -> Vec<u8> {
        self.master.seal(key.bytes(), context.as_bytes())
    }

    pub fn unwrap_key(&self, wrapped: &[u8], context: &str) -> Result<Sm4Key> {
        let bytes = self.master.open(wrapped, context.as_bytes())?;
        let bytes = bytes.try_into().map_err(|_| Error::Corrupt("密钥长度不符".into()))?;
        Ok(Sm4Key::new(bytes))
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

    fn unwrap(&self, id: &str, wrapped: &[u8]) -> Result<DataKey> {
        Ok(DataKey { id: id.into(), key: self.unwrap_key(wrapped, id)? })
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

fn first16(bytes: &[u8; 32]) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&bytes[..16]);
    first
}

/// Writes a secret that only the owner may read, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let partial = path.with_extension("partial");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&partial).map_err(Error::io(&partial))?;
    file.write_all(text.as_bytes()).map_err(Error::io(&partial))?;
    file.sync_all().map_err(Error::io(&partial))?;
    std::fs::rename(&partial, path).map_err(Error::io(path))
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
