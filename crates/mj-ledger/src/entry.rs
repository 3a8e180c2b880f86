//! One entry of the log: what was done, when, on how many rows, and two commitments.
//!
//! Nothing personal stands in clear: who acted on what and why is a payload kept in the database, of
//! which the entry holds a salted digest. Erasing a payload leaves the log whole.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tree::{Hash, sm3};
use crate::volume::Opening;

/// The order of the fields is their order in canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The registered action, such as `registry.party.merge`.
    pub action: String,
    /// The kind of who acted: `account`, `source`, `system`, `anonymous`.
    pub actor: String,
    pub changes: Changes,
    /// The kind of object, such as `party`; `""` where the act has none.
    pub object: String,
    /// Only the first entry of a volume after the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Opening>,
    pub payload: PayloadRef,
    pub seq: u64,
    /// Root over the lines of the sheet.
    #[serde(with = "hex_hash")]
    pub sheet: Hash,
    /// Microseconds of UTC.
    pub time: i64,
    pub v: u8,
}

/// The change numbers this act took, and how many rows it wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    pub last: i64,
    pub rows: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadRef {
    #[serde(with = "hex_hash")]
    pub digest: Hash,
    /// Where the payload is kept: the row of the act journal.
    #[serde(rename = "ref")]
    pub id: String,
}

/// Who, on what, why: kept erasable beside the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    pub actor: String,
    pub object: String,
    pub reason: Option<String>,
    pub request_id: String,
}

impl Payload {
    /// SM3(salt ‖ canonical JSON).
    pub fn digest(&self, salt: &[u8]) -> Hash {
        let mut bytes = salt.to_vec();
        bytes.extend(canonical(self).as_bytes());
        sm3(&bytes)
    }
}

impl Entry {
    pub const VERSION: u8 = 1;

    /// The bytes that stand in the log.
    pub fn canonical(&self) -> String {
        canonical(self)
    }

    /// Reads an entry; anything but its canonical form is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let entry: Entry = serde_json::from_slice(bytes).map_err(|_| Error::Entry("字段不符"))?;
        if entry.v != Self::VERSION {
            return Err(Error::Entry("版本不认识"));
        }
        if entry.canonical().as_bytes() != bytes {
            return Err(Error::Entry("不是规范形式"));
        }
        Ok(entry)
    }
}

fn canonical(value: &impl Serialize) -> String {
    // plain structs of texts and integers always serialise
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}

pub(crate) mod hex_hash {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(hash: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(hash))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let bytes = hex::decode(text).map_err(D::Error::custom)?;
        bytes.try_into().map_err(|_| D::Error::custom("32 bytes"))
    }
}
