//! From what a row says to what it proves: the keyed hash of a wording, the anchor (the identity it
//! proves by itself) and the block (the normalised name under which it may be linked).
//!
//! Everything here is a function of the wording and the keys alone, so it does not matter in which
//! order rows arrive.

use std::hash::Hasher;

use mj_platform::keys::Keys;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::likeness;
use crate::model::{MentionInput, PartyKind, Tier};

/// 128 bits of a keyed hash, in halves (a `u128` would waste a third of the cache in padding).
pub type Wording = (u64, u64);

/// Hashes wordings under the node's key, so that nobody can prepare collisions.
#[derive(Clone)]
pub struct Hash(SipHasher24);

impl Hash {
    pub fn new(keys: &Keys) -> Self {
        Self(SipHasher24::new_with_key(keys.content_key()))
    }

    pub fn of(&self, parts: &[Option<&str>]) -> Wording {
        let mut hash = self.0;
        for part in parts {
            match part {
                Some(text) => {
                    hash.write_u64(text.len() as u64 + 1);
                    hash.write(text.as_bytes());
                }
                None => hash.write_u64(0),
            }
        }
        hash.finish128().as_u64()
    }

    pub fn hex(&self, parts: &[Option<&str>]) -> String {
        let (high, low) = self.of(parts);
        format!("{high:016x}{low:016x}")
    }

    pub fn wording(&self, said: &MentionInput<'_>) -> Wording {
        self.of(&[
            Some(said.kind().name()),
            said.code_type,
            said.code,
            Some(said.name),
            said.regist_no,
            said.area_number,
            said.address,
        ])
    }

    /// 53 bits, so that JSON keeps it exactly; never 0.
    pub fn block(&self, name_norm: &str) -> i64 {
        let (high, _) = self.of(&[Some("block"), Some(name_norm)]);
        i64::try_from((high >> 11).max(1)).unwrap_or(1)
    }
}

/// A wording with all that follows from it.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub wording: Wording,
    pub kind: PartyKind,
    pub tier: Tier,
    pub anchor: String,
    pub regist_key: Option<String>,
    pub block: i64,
    /// Whose data key seals the values: natural persons only.
    pub subject: Option<String>,
    pub uscc: Option<String>,
    pub person_code: Option<(String, String)>,
    pub code_type: Option<String>,
    pub code: Option<String>,
    pub name: String,
    pub regist_no: Option<String>,
    pub area_number: Option<String>,
    pub address: Option<String>,
}

impl Prepared {
    #[cfg(test)]
    pub fn new(said: &MentionInput<'_>, hash: &Hash, keys: &Keys) -> Self {
        Self::of(said, hash.wording(said), hash, keys)
    }

    /// `wording` is the hash of what is said.
    pub fn of(said: &MentionInput<'_>, wording: Wording, hash: &Hash, keys: &Keys) -> Self {
        let kind = said.kind();
        let person = kind == PartyKind::Person;
        let uscc = said.uscc();
        let subject = if person { subject_of(said, keys) } else { None };
        let name_norm = likeness::block_name(said.name);
        let regist_key = if person { None } else { said.valid_regist_no().map(str::to_owned) };
        let personal_code = if person { said.personal_code() } else { None };
        let (tier, anchor) = match (uscc, &subject, personal_code) {
            (Some(code), ..) => (Tier::Code, format!("uscc:{code}")),
            (None, Some(subject), Some((kind, _))) => (Tier::Code, format!("id:{kind}:{subject}")),
            (None, Some(subject), None) => (Tier::Name, format!("person:{subject}")),
            (None, None, _) => match (said.org_code(), &regist_key) {
                (Some(code), _) => (Tier::Code, format!("org:{code}")),
                (None, Some(number)) => (Tier::RegistNo, format!("regno:{number}")),
                (None, None) => {
                    let address = said
                        .address
                        .map(|address| mj_linkage::normalize_address(address).canonical);
                    let name = mj_linkage::normalize_name(said.name).canonical;
                    let parts = [said.area_number, Some(name.as_str()), address.as_deref()];
                    (Tier::Name, format!("name:{}", hash.hex(&parts)))
                }
            },
        };
        Self {
            wording,
            kind,
            tier,
            anchor,
            block: if person { 0 } else { hash.block(&name_norm) },
            regist_key,
            subject,
            uscc: uscc.map(str::to_owned),
            person_code: personal_code.map(|(kind, code)| (kind.to_owned(), code.to_owned())),
            code_type: said.code_type.map(str::to_owned),
            code: said.code.map(str::to_owned),
            name: said.name.to_owned(),
            regist_no: said.regist_no.map(str::to_owned),
            area_number: said.area_number.map(str::to_owned),
            address: said.address.map(str::to_owned),
        }
    }
}

/// The keyed hash that names a natural person to the key store; `None` for everybody else.
pub fn subject_of(said: &MentionInput<'_>, keys: &Keys) -> Option<String> {
    if !said.is_person() {
        return None;
    }
    Some(match said.personal_code() {
        Some(("111", code)) => keys.lookup("citizen_id", code),
        Some((kind, code)) => keys.lookup(kind, code),
        None => {
            let parts = [said.area_number, Some(said.name), said.address];
            keys.lookup("nameless", &parts.map(Option::unwrap_or_default).join("\u{1f}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(said: &MentionInput<'_>) -> Prepared {
        let keys = Keys::from_master([7; 16]);
        Prepared::new(said, &Hash::new(&keys), &keys)
    }

    #[test]
    fn two_wordings_of_one_code_prove_the_same_party() {
        let one =
            MentionInput {
                code: Some("91350100M000100Y43"), name: "甲公司", ..Default::default()
            };
        let two = MentionInput { name: "甲有限公司", ..one };
        assert_ne!(prepared(&one).wording, prepared(&two).wording);
        assert_eq!(prepared(&one).anchor, prepared(&two).anchor);
        assert_eq!(prepared(&one).tier, Tier::Code);
    }

    #[test]
    fn nothing_of_a_natural_person_stands_in_the_anchor() {
        let said = MentionInput {
            nature: Some("01"),
            code_type: Some("111"),
            code: Some("34052419800101001X"),
            name: "张三",
            ..Default::default()
        };
        let prepared = prepared(&said);
        assert!(!prepared.anchor.contains("3405"));
        assert_eq!((prepared.block, prepared.tier), (0, Tier::Code));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let hash = Hash::new(&Keys::from_master([1; 16]));
        assert_ne!(hash.of(&[Some("ab"), Some("c")]), hash.of(&[Some("a"), Some("bc")]));
        assert_ne!(hash.of(&[None, Some("")]), hash.of(&[Some(""), None]));
    }
}
