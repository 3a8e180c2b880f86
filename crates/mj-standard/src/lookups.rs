//! What the rules may ask the store.
//!
//! The engine itself knows only the row. Whoever has a store implements [`Lookups`] and says with
//! [`Lookups::offers`] which questions it can answer; rules behind the others are not run and are
//! listed in the report.

use chrono::NaiveDate;

use crate::spec::LookupKind;

/// What the store knows of a dated thing on a day: an item, a list entry, a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    Valid,
    /// Nothing of that name was ever registered.
    Unknown,
    NotYet(NaiveDate),
    Ended(NaiveDate),
    Suspended,
}

/// Questions to the store. Only what [`Lookups::offers`] is ever asked.
pub trait Lookups {
    /// Is there a store at all? One that holds nothing to answer with is another matter.
    fn has_store(&self) -> bool {
        true
    }

    fn offers(&self, _question: LookupKind) -> bool {
        false
    }

    fn source_registered(&self, _cd_source: &str) -> bool {
        true
    }

    /// State of a supervision item on a day. `area` is the division of the act.
    fn item(&self, _item_code: &str, _area: Option<&str>, _on: NaiveDate) -> Known {
        Known::Valid
    }

    /// State of an entry of the implementation lists on a day.
    fn implementation(&self, _code: &str, _on: NaiveDate) -> Known {
        Known::Valid
    }

    /// State of an officer's certificate on a day.
    fn certificate(&self, _certificate_no: &str, _on: NaiveDate) -> Known {
        Known::Valid
    }

    /// Has a row of `table` with this value in `field` been received (from anybody)?
    fn related_exists(&self, _table: &str, _field: &str, _value: &str) -> bool {
        true
    }
}

/// No store at all: `check table` without a data directory.
pub struct NoLookups;

impl Lookups for NoLookups {
    fn has_store(&self) -> bool {
        false
    }
}
