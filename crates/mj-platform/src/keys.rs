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

use mj_kernel::Actor;
use zeroize::Zeroizing;

use crate::db::door::{Act, TruthTable, WriteTx};
use crate::db::{Db, Lane, RowExt, Value};
use crate::durable;
use crate::error::{Error, Result};
use crate::gm::vault::Vault;
use crate::gm::{self, Sm4Key, Wiped, first16};

const PREFIX: &str = "~1.";
const DATA_KEY: &str = "data_key";

/// Keys that were destroyed lawfully. A key that is gone without standing here was lost.
pub const ERASURE: TruthTable = TruthTable { name: "erasure", columns: &["id", "erased_at"] };
/// How many opened data keys are kept in memory.
const CACHE: usize = 200_000;

/// In clear, for its owner only; everything else lies under it.
pub const MASTER: &str = "master.key";
/// The master key that is to follow, until everything lies under it.
pub const NEXT_MASTER: &str = "master.next";
/// What a change of the master key must not change: look-up, content hash, and the keys that wrapped
/// before. Until the first change all of it is derived from the master key.
const RING: &str = "ring";

/// The keys of this node.
#[derive(Clone)]
pub struct Keys {
    /// Keys that wrap others, newest first; the first wraps what is new.
    wrapping: Vec<Sm4Key>,
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

impl Keys {
    /// Opens the keys of a data directory, making them on first use.
    pub fn open(folder: &Path) -> Result<Self> {
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
        // what this reads has no mark to be refused by
        let vault = Vault::beside_master(folder, false)?;
        match vault.read_named(RING)? {
            Some(ring) => Ring::parse(&ring).map(Self::from_ring),
            None => Ok(Self::from_ring(Ring::of_master(first))),
        }
    }

    /// The other keys are derived, each for one use only.
    pub fn from_master(master: [u8; 16]) -> Self {
        Self::from_ring(Ring::of_master(&Wiped::new(master)))
    }

    fn from_ring(ring: Ring) -> Self {
        Self {
            wrapping: ring.wrapping.iter().map(|key| Sm4Key::new(**key)).collect(),
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
        for chunk in missing.chunks(5_000) {
            let rows: Vec<Vec<Value>> = chunk
                .iter()
                .map(|subject| {
                    let id = hex::encode(gm::random::<8>());
                    let wrapped = self.wrapping[0].seal(Sm4Key::generate().bytes(), id.as_bytes());
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

    /// Destroys once more what was destroyed after the instant a restore went back to. How many.
    pub async fn destroy_again(&self, db: &Db, act: Act, ids: &[String]) -> Result<usize> {
        let mut tx = db.begin(Lane::People, act).await?;
        let mut gone = 0;
        for id in ids {
            let sql = "DELETE FROM data_key WHERE id = $1";
            if tx.execute(sql, &[id.as_str().into()]).await? == 0 {
                continue;
            }
            let now = tx.now();
            tx.insert(&ERASURE, &[("id", id.as_str().into()), ("erased_at", now.into())]).await?;
            tx.counted(DATA_KEY, -1);
            gone += 1;
        }
        tx.commit().await?;
        self.cache.write().expect("no panic while holding the key cache").clear();
        self.by_id.write().expect("no panic while holding the key cache").clear();
        Ok(gone)
    }

    /// Wraps a key that is stored elsewhere (a blob's); `context` must be given again to unwrap.
    pub fn wrap_key(&self, key: &Sm4Key, context: &str) -> Vec<u8> {
        self.wrapping[0].seal(key.bytes(), context.as_bytes())
    }

    pub fn unwrap_key(&self, wrapped: &[u8], context: &str) -> Result<Sm4Key> {
        let mut opened = self.wrapping[0].open(wrapped, context.as_bytes());
        for older in &self.wrapping[1..] {
            if opened.is_ok() {
                break;
            }
            opened = older.open(wrapped, context.as_bytes());
        }
        let bytes = Zeroizing::new(opened?);
        let bytes =
            bytes.as_slice().try_into().map_err(|_| Error::Corrupt("密钥长度不符".into()))?;
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
struct Ring {
    lookup: Wiped<32>,
    content: Wiped<16>,
    /// For which master key the first of `wrapping` was made.
    made_for: [u8; 8],
    wrapping: Vec<Wiped<16>>,
}

impl Ring {
    fn of_master(master: &[u8; 16]) -> Self {
        let derive =
            |purpose: &str| Wiped::new(gm::hmac_sm3(master, &[b"mingjian", purpose.as_bytes()]));
        Self {
            lookup: derive("equality look-up"),
            content: first16(&derive("content hash")),
            made_for: [0; 8],
            wrapping: vec![first16(&derive("wrap data keys"))],
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
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

/// Another master key, and another key to wrap the keys of persons with; no row of business truth is
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
        vault.write_named(RING, &ring.bytes())?;
    }
    let keys = Keys::from_ring(ring);
    let rewrapped = keys.rewrap(db).await?;
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

impl Keys {
    /// Puts every person's key under the newest wrapping key. They are no rows of business truth.
    async fn rewrap(&self, db: &Db) -> Result<usize> {
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let sql = "SELECT id, wrapped FROM data_key WHERE id > $1 ORDER BY id LIMIT 1000";
            let rows = db.fetch_all(sql, &[after.as_str().into()]).await?;
            let Some(last) = rows.last() else { return Ok(count) };
            after = last.text("id")?;
            let act = Act::new(&Actor::system("keys"), ROTATE_MASTER, "data_key");
            let mut tx = db.begin(Lane::Bulk, act).await?;
            for row in &rows {
                let (id, wrapped) = (row.text("id")?, row.bytes("wrapped")?);
                if self.wrapping[0].open(&wrapped, id.as_bytes()).is_ok() {
                    continue;
                }
                let anew = self.wrap_key(&self.unwrap_key(&wrapped, &id)?, &id);
                let sql = "UPDATE data_key SET wrapped = $1 WHERE id = $2";
                tx.execute(sql, &[anew.into(), id.into()]).await?;
                count += 1;
            }
            tx.commit().await?;
        }
    }
}

/// A new master key as its file holds it.
fn fresh_master() -> Zeroizing<String> {
    Zeroizing::new(hex::encode(Wiped::<16>::new(gm::random()).as_slice()))
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
