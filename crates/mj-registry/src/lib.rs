//! Supervised parties (监管对象) and law officers (执法人员): one master record for each, whatever
//! the many rows call it.
//!
//! A row of the fact store carries a *mention*: what it called its party. The registry decides which
//! party a mention means ([`mentions`] by code, [`relink`] by number, name and address), chooses the
//! party's values out of the register rows kept beside it ([`sources`], [`survivor`]), and merges and
//! un-merges parties ([`merges`]). It never touches a fact, and it does not check rows: what comes
//! here was accepted by the standard's engine.
//!
//! Invariants: the outcome does not depend on the order of arrival; a register number is never given
//! twice and still resolves after a merge; personal values are sealed before they are stored.
//!
//! Start reading at [`model`].

mod acts;
mod api;
mod certificate_wording;
mod digest;
mod dossier;
mod error;
mod finding;
mod forget;
mod gain;
mod likeness;
mod masters;
mod mentions;
mod merges;
pub mod model;
mod officer_api;
mod officer_coverage;
mod officer_shapes;
mod officer_standing;
mod officers;
mod public;
mod relink;
mod reveal;
mod search;
pub mod show;
mod sources;
mod survivor;
mod suspensions;
mod tables;
mod wording;

#[cfg(test)]
mod stories;
#[cfg(test)]
mod tests;

use std::sync::{Arc, RwLock};

use mj_platform::Db;
use mj_platform::keys::Keys;

pub use acts::{Acts, AgencyName, FoundNames, Implementing, Names, NoNames, day_text};
pub use api::{PARTY_READ, module};
pub use digest::RowDigest;
pub use dossier::{PartyAsOf, PartyDossier, PartyHit, TimelineEntry};
pub use error::{Error, Result};
pub use finding::PartyBrief;
pub use mentions::Said;
pub use merges::Merge;
pub use model::{
    MentionId, MentionInput, Operation, PartyKind, Relinked, SourceField, SourceRecord,
};
pub use officer_api::OFFICER_READ;
pub use officer_shapes::{OfficerSummary, OfficerView};
pub use officers::{CertificateStanding, Certificates};
pub use public::{
    PublicAct, PublicField, PublicParty, PublicRecord, PublicSource, PublicWanted, SHORTEST_QUERY,
};
pub use wording::subject_of;

/// The register of parties. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    db: Db,
    keys: Keys,
    hash: wording::Hash,
    known: Arc<RwLock<Option<mentions::Known>>>,
    /// One chunk of linking at a time: what one finds new the next must see.
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl Registry {
    pub fn new(db: Db, keys: Keys) -> Self {
        let hash = wording::Hash::new(&keys);
        Self { db, keys, hash, known: Arc::default(), writing: Arc::default() }
    }

    /// The key-store subject of the natural person a row is about: seal the row's personal values
    /// under `keys.data_keys(tx, &[subject])`, so that destroying one key erases the person
    /// everywhere. `None`: the row is not about a natural person.
    pub fn subject_of(&self, said: &MentionInput<'_>) -> Option<String> {
        wording::subject_of(said, &self.keys)
    }
}
