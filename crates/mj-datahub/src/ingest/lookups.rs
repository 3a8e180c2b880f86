//! What the rules may ask the store, taken into memory before a batch is judged: registered sources,
//! items and implementation lists in force, officers' certificates, records that others refer to.
//!
//! A question is offered only where the store holds anything to answer it with: without a catalogue
//! every row would fail for want of a list, which says nothing about the rows.

use std::cell::RefCell;

use chrono::NaiveDate;
use mj_facts::{At, Columns, Filter};
use mj_kernel::{DataLevel, Scope};
use mj_standard::lookups::Known;
use mj_standard::{LookupKind, Lookups, RuleKind, Table};
use rustc_hash::{FxHashMap, FxHashSet};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

use super::plan::TablePlan;
use crate::Datahub;
use crate::error::{Error, Result};
use crate::store;

/// How many answers are remembered; a department cites few items, but each a thousand times.
const REMEMBERED: usize = 50_000;

pub struct StoreLookups {
    sources: FxHashSet<String>,
    standing: mj_catalog::Standing,
    certificates: mj_registry::Certificates,
    /// (table, field) → keyed hashes of the values received.
    related: FxHashMap<(String, String), FxHashSet<u64>>,
    hash: SipHasher13,
    items: RefCell<Remembered>,
    implementations: RefCell<Remembered>,
}

/// Takes what the rules of this table may ask.
pub async fn load(hub: &Datahub, table: &'static Table) -> Result<StoreLookups> {
    let sources = store::source::all_unscoped(&hub.db).await?;
    let mut lookups = StoreLookups {
        sources: sources.into_iter().map(|source| source.cd_source).collect(),
        standing: hub.catalog.standing().await?,
        certificates: hub.registry.certificates().await?,
        related: FxHashMap::default(),
        hash: SipHasher13::new_with_key(hub.keys.content_key()),
        items: RefCell::default(),
        implementations: RefCell::default(),
    };
    for rule in &table.rules {
        if let RuleKind::RelatedExists { table, field, .. } = &rule.kind {
            let values = received(hub, table, field, lookups.hash).await?;
            lookups.related.insert((table.clone(), field.clone()), values);
        }
    }
    Ok(lookups)
}

/// Hashes of all values of one column that are in the store now.
async fn received(
    hub: &Datahub,
    table: &str,
    field: &str,
    hash: SipHasher13,
) -> Result<FxHashSet<u64>> {
    let table = hub.table(table)?;
    let plan = TablePlan::new(hub.standard, table)
        .ok_or_else(|| Error::UnknownTable(table.name.clone()))?;
    let place = plan.spec.columns.iter().position(|column| column.name == field);
    let Some(place) = place else { return Ok(FxHashSet::default()) };
    let snapshot = hub.facts.snapshot(&plan.spec, At::Latest).await?;
    tokio::task::spawn_blocking(move || {
        let mut values = FxHashSet::default();
        let all = Scope::everything(DataLevel::Personal);
        // a record hidden behind its twin was received all the same
        let filter = Filter { with_hidden: true, ..Filter::default() };
        snapshot.scan(Columns::Only(&[place]), &filter, &all, &mut |row| {
            if let Some(value) = row.value(0) {
                values.insert(hashed(hash, &value));
            }
            Ok(())
        })?;
        Ok(values)
    })
    .await
    .map_err(Error::thread)?
}

fn hashed(mut hash: SipHasher13, value: &str) -> u64 {
    hash.write(value.as_bytes());
    hash.finish()
}

/// What a list of days says of one day.
fn known(days: &[(String, String)], on: NaiveDate) -> Known {
    let day = on.to_string();
    if days.is_empty() {
        return Known::Unknown;
    }
    if days.iter().any(|(from, to)| *from <= day && day < *to) {
        return Known::Valid;
    }
    let date = |text: &str| text.parse::<NaiveDate>().ok();
    let ended = days.iter().filter(|(_, to)| *to <= day).map(|(_, to)| to.as_str()).max();
    match ended {
        Some(end) => date(end).map_or(Known::Suspended, Known::Ended),
        None => {
            let from = days.iter().map(|(from, _)| from.as_str()).min();
            from.and_then(date).map_or(Known::Suspended, Known::NotYet)
        }
    }
}

/// Answers by code and day.
#[derive(Default)]
struct Remembered {
    answers: FxHashMap<String, FxHashMap<NaiveDate, Known>>,
    count: usize,
}

fn remember(
    memory: &RefCell<Remembered>,
    code: &str,
    on: NaiveDate,
    ask: impl FnOnce() -> Known,
) -> Known {
    if let Some(answer) = memory.borrow().answers.get(code).and_then(|days| days.get(&on)) {
        return answer.clone();
    }
    let answer = ask();
    let mut memory = memory.borrow_mut();
    if memory.count >= REMEMBERED {
        *memory = Remembered::default();
    }
    memory.count += 1;
    memory.answers.entry(code.to_owned()).or_default().insert(on, answer.clone());
    answer
}

impl Lookups for StoreLookups {
    fn offers(&self, question: LookupKind) -> bool {
        match question {
            LookupKind::Source => true,
            LookupKind::Item => self.standing.has_items(),
            LookupKind::Implementation => self.standing.has_implementations(),
            LookupKind::Certificate => !self.certificates.is_empty(),
            LookupKind::Related => true,
        }
    }

    fn source_registered(&self, cd_source: &str) -> bool {
        self.sources.contains(cd_source)
    }

    fn item(&self, item_code: &str, _area: Option<&str>, on: NaiveDate) -> Known {
        remember(&self.items, item_code, on, || {
            let own = known(self.standing.item_days(item_code), on);
            if own != Known::Valid {
                return own;
            }
            // a sub-item falls with its main item, where that is on the list
            match item_code.get(..8).filter(|_| item_code.len() > 8) {
                Some(main) => match known(self.standing.item_days(main), on) {
                    Known::Unknown => Known::Valid,
                    other => other,
                },
                None => Known::Valid,
            }
        })
    }

    fn implementation(&self, code: &str, on: NaiveDate) -> Known {
        remember(&self.implementations, code, on, || {
            known(self.standing.implementation_days(code), on)
        })
    }

    fn certificate(&self, certificate_no: &str, on: NaiveDate) -> Known {
        known(self.certificates.days(certificate_no), on)
    }

    fn related_exists(&self, table: &str, field: &str, value: &str) -> bool {
        self.related
            .iter()
            .find(|((of, column), _)| of == table && column == field)
            .is_none_or(|(_, values)| values.contains(&hashed(self.hash, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_cancelled_in_june_stood_in_may() {
        let days = [("2023-01-01".to_owned(), "2025-06-01".to_owned())];
        let on = |day: &str| known(&days, day.parse().expect("a day"));
        assert_eq!(on("2025-05-31"), Known::Valid);
        assert_eq!(on("2025-06-01"), Known::Ended("2025-06-01".parse().expect("a day")));
        assert_eq!(on("2022-12-31"), Known::NotYet("2023-01-01".parse().expect("a day")));
        assert_eq!(known(&[], "2025-01-01".parse().expect("a day")), Known::Unknown);
    }
}
