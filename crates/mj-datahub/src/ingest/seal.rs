//! Personal values on their way into the store: whose key, which values, and hashes over the clear
//! text, because sealed texts differ each time they are made.
//!
//! A sealed value of a fact is bound to its column's name: `keys.unseal(db, column, text)`.

use std::hash::Hasher;

use mj_kernel::code::CitizenId;
use mj_platform::keys::{DataKey, Keys};
use mj_registry::{MentionInput, Registry};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::plan::TablePlan;
use super::read::Accepted;

/// Record numbers that repeat something personal are replaced by their keyed hash with this mark.
pub const HASHED_ID: &str = "~h.";
/// A name this short is too common in other texts to tell anything.
const SHORTEST_NAME: usize = 2;

/// What of one row is personal.
#[derive(Debug, Default)]
pub struct PersonalRow {
    /// Table columns whose values must be sealed.
    pub columns: Vec<usize>,
    /// Whose key: a hash made by [`Keys::lookup`].
    pub subject: Option<String>,
}

/// Looks at the values in clear.
pub fn personal_of(
    plan: &TablePlan,
    row: &[Option<String>],
    mention: Option<&MentionInput<'_>>,
    registry: &Registry,
    keys: &Keys,
) -> PersonalRow {
    let mut columns: Vec<usize> = plan
        .personal
        .iter()
        .copied()
        .filter(|at| row[*at].is_some() && plan.table.is_personal(*at, row))
        .collect();
    let person = mention.and_then(|said| registry.subject_of(said));
    if person.is_some() {
        // "对张三进行食品经营的检查": a text that repeats the name is as personal as the name
        let words = plan.party_words(row);
        let repeats = |text: &str| {
            words
                .iter()
                .flatten()
                .any(|word| word.chars().count() >= SHORTEST_NAME && text.contains(*word))
        };
        columns.extend(
            plan.texts.iter().copied().filter(|at| row[*at].as_deref().is_some_and(repeats)),
        );
    }
    if columns.is_empty() {
        return PersonalRow::default();
    }
    let officer = || {
        let code = plan.citizen_id(row)?;
        CitizenId::parse(code).is_ok().then(|| keys.lookup("citizen_id", code))
    };
    // a contact person is named by nothing surer than the record
    let record = || keys.lookup("record", row[plan.cd_id].as_deref().unwrap_or_default());
    let subject = person.or_else(officer).unwrap_or_else(record);
    PersonalRow { columns, subject: Some(subject) }
}

/// The record's number as it may be stored.
pub fn stored_id(
    plan: &TablePlan,
    row: &[Option<String>],
    personal: &PersonalRow,
    keys: &Keys,
) -> Option<String> {
    let id = row[plan.cd_id].as_deref()?;
    let repeats = personal.columns.iter().any(|at| {
        row[*at]
            .as_deref()
            .is_some_and(|value| value.chars().count() >= SHORTEST_NAME && id.contains(value))
    });
    repeats.then(|| format!("{HASHED_ID}{}", keys.lookup("cd_id", id)))
}

/// 128 bits over everything the row says in clear, the envelope aside. Gathered in `scratch` first:
/// many small writes cost the hash more than the copy.
pub fn content_of(
    plan: &TablePlan,
    row: &[Option<String>],
    hash: &SipHasher13,
    scratch: &mut Vec<u8>,
) -> u128 {
    scratch.clear();
    for at in &plan.content {
        match row[*at].as_deref() {
            Some(text) => {
                scratch.extend_from_slice(&(text.len() as u64 + 1).to_le_bytes());
                scratch.extend_from_slice(text.as_bytes());
            }
            None => scratch.extend_from_slice(&[0; 8]),
        }
    }
    let mut hash = *hash;
    hash.write(scratch);
    hash.finish128().as_u128()
}

/// Replaces personal values by sealed ones, the delivered originals kept in `norm` included.
pub fn seal_row(plan: &TablePlan, accepted: &mut Accepted, personal: &PersonalRow, key: &DataKey) {
    for at in &personal.columns {
        if let Some(value) = &mut accepted.values[*at] {
            *value = key.seal(&plan.table.columns[*at].name, value);
        }
    }
    for (at, from) in &mut accepted.norm {
        if personal.columns.contains(at) {
            *from = key.seal(&plan.table.columns[*at].name, from);
        }
    }
}

/// The delivered texts that normalisation changed, as JSON; `None` when there are none.
pub fn norm_json(plan: &TablePlan, accepted: &Accepted) -> Option<String> {
    if accepted.norm.is_empty() {
        return None;
    }
    let object: serde_json::Map<String, serde_json::Value> = accepted
        .norm
        .iter()
        .map(|(at, from)| (plan.table.columns[*at].name.clone(), from.as_str().into()))
        .collect();
    Some(serde_json::Value::Object(object).to_string())
}
