//! A receipt (凭证): one entry with everything needed to check, without the node, that it stands in a
//! signed log. `tools/verify_receipt.py` checks the same file with nothing but Python.

use serde::{Deserialize, Serialize};

use crate::entry::{Entry, Payload};
use crate::error::{Error, Result};
use crate::note::{Checkpoint, VerifierKey, Verify};
use crate::tree::{self, Hash};
use crate::volume;

pub const FORMAT: &str = "mingjian-receipt-1";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub format: String,
    /// The entry as it stands in the log, canonical JSON.
    pub entry: String,
    /// What the entry commits to; absent when it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Opened>,
    /// In its volume; the entry itself bears its number in the whole log.
    pub index: u64,
    pub size: u64,
    /// Siblings from the leaf upward, in hex.
    pub path: Vec<String>,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The log's public key, to be compared with one got elsewhere.
    pub key: String,
    /// Lines of the sheet with their own paths to the root the entry names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<ProvedLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub struct Opened {
    pub salt: String,
    #[serde(flatten)]
    pub payload: Payload,
}

impl TryFrom<serde_json::Value> for Opened {
    type Error = String;

    /// Exactly its fields: what is not digested is proved by nothing.
    fn try_from(mut value: serde_json::Value) -> Result<Self, String> {
        let fields = value.as_object_mut().ok_or("payload 应为对象")?;
        if !fields.contains_key("reason") {
            return Err("payload 缺少 reason".into());
        }
        let salt = fields.remove("salt");
        let salt = salt.as_ref().and_then(|salt| salt.as_str()).ok_or("payload 缺少 salt")?;
        let salt = salt.to_owned();
        let payload = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(Self { salt, payload })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvedLine {
    pub line: String,
    pub index: u64,
    pub path: Vec<String>,
}

/// What a good receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    pub entry: Entry,
    pub checkpoint: Checkpoint,
    pub key: VerifierKey,
}

impl Receipt {
    pub fn parse(text: &str) -> Result<Self> {
        let unreadable = |error: serde_json::Error| Error::Receipt(error.to_string());
        let receipt: Self = serde_json::from_str(text).map_err(unreadable)?;
        let bare: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
        if bare.get("payload").is_some_and(serde_json::Value::is_null) {
            return Err(Error::Receipt("payload 为空：没有时应不写".into()));
        }
        if receipt.format != FORMAT {
            return Err(Error::Receipt(format!("不认识的格式 {}", receipt.format)));
        }
        Ok(receipt)
    }

    /// Follows every step; `trusted` is the log's key got elsewhere, otherwise the receipt's own is
    /// used, which proves only that the receipt agrees with itself.
    pub fn check(&self, trusted: Option<&VerifierKey>, verify: Verify<'_>) -> Result<Proved> {
        let own = VerifierKey::parse(&self.key)?;
        let key = trusted.unwrap_or(&own);
        let origin = self.checkpoint.lines().next().unwrap_or_default();
        // one key signs all volumes of a log, each under its own name
        let key = key.of_volume(origin);
        let checkpoint = Checkpoint::open(&self.checkpoint, &key, verify)?;
        if checkpoint.size != self.size {
            return Err(Error::Proof("大小与检查点不符"));
        }
        let entry = Entry::parse(self.entry.as_bytes())?;
        let is_first = volume::split(origin).1 == 1;
        if entry.seq < self.index || (is_first && entry.seq > self.index) {
            return Err(Error::Proof("序号与条目不符"));
        }
        let leaf = tree::leaf(self.entry.as_bytes());
        let path = hashes(&self.path)?;
        tree::check_inclusion(leaf, self.index, self.size, &path, &checkpoint.root)?;
        if let Some(opened) = &self.payload {
            let salt = hex::decode(&opened.salt).map_err(|_| Error::Proof("盐值不符"))?;
            if opened.payload.digest(&salt) != entry.payload.digest {
                return Err(Error::Proof("办理人、对象或原因与条目的摘要不符"));
            }
        }
        let rows = u64::try_from(entry.changes.rows).unwrap_or(0);
        for line in &self.lines {
            let leaf = tree::leaf(line.line.as_bytes());
            tree::check_inclusion(leaf, line.index, rows, &hashes(&line.path)?, &entry.sheet)?;
        }
        Ok(Proved { entry, checkpoint, key })
    }
}

pub fn hashes(texts: &[String]) -> Result<Vec<Hash>> {
    texts
        .iter()
        .map(|text| {
            let mut hash = [0; 32];
            hex::decode_to_slice(text, &mut hash).map_err(|_| Error::Proof("路径不是十六进制"))?;
            Ok(hash)
        })
        .collect()
}
