//! `doctor --digest`: one SM3 over the current business values of all tables. Equal for two stores
//! that hold the same, whatever our ids, salts, keys, versions, sequences and clocks are.
//!
//! Personal values count in clear. Rows stand in the order of the digest of their natural key, which
//! sorts alike on every node and keeps nothing personal in memory; the envelope does not count,
//! because a file that leaves it out gets it from our clock. Nor do batches: the same records
//! delivered in other parcels, or in another order, are the same records. What the registers made of
//! the rows counts too: parties, which wording means which, certificates, items, mappings of codes.

use mj_facts::{At, Columns, Filter, RowView};
use mj_kernel::{DataLevel, Scope};
use mj_platform::gm::{Sm3, sm3};
use mj_platform::{Db, keys::Keys};
use tokio::runtime::Handle;

use crate::Datahub;
use crate::error::{Error, Result};
use crate::ingest::plan::TablePlan;

/// The content digest, as 64 hex digits.
pub async fn content_digest(hub: &Datahub) -> Result<String> {
    let mut whole = Sm3::new();
    for table in hub.standard.tables() {
        let Some(plan) = TablePlan::new(hub.standard, table) else { continue };
        let snapshot = hub.facts.snapshot(&plan.spec, At::Latest).await?;
        let (db, keys, handle) = (hub.db.clone(), hub.keys.clone(), Handle::current());
        let digests = tokio::task::spawn_blocking(move || {
            let reader = Reader { plan: &plan, db: &db, keys: &keys, handle: &handle };
            let mut digests = Vec::new();
            let all = Scope::everything(DataLevel::Personal);
            snapshot.scan(Columns::All, &Filter::default(), &all, &mut |row| {
                digests.push(reader.digest(row)?);
                Ok(())
            })?;
            Ok::<_, mj_facts::Error>(digests)
        })
        .await
        .map_err(Error::thread)??;
        add(&mut whole, &table.name, digests);
    }
    add(&mut whole, "registry", hub.registry.content_digests().await?);
    add(&mut whole, "catalog", hub.catalog.content_digests().await?);
    Ok(hex::encode(whole.finish()))
}

type RowDigest = ([u8; 32], [u8; 32]);

fn add(whole: &mut Sm3, table: &str, mut digests: Vec<RowDigest>) {
    digests.sort_unstable();
    whole.update(table.as_bytes());
    whole.update(&(digests.len() as u64).to_be_bytes());
    for (_, row) in digests {
        whole.update(&row);
    }
}

struct Reader<'a> {
    plan: &'a TablePlan,
    db: &'a Db,
    keys: &'a Keys,
    handle: &'a Handle,
}

impl Reader<'_> {
    fn digest(&self, row: &RowView<'_>) -> mj_facts::Result<RowDigest> {
        let mut values = Vec::with_capacity(self.plan.stored.len());
        for (number, at) in self.plan.stored.iter().enumerate() {
            let column = &self.plan.table.columns[*at];
            let value = match row.value(number) {
                Some(text) if mj_platform::keys::is_sealed(&text) => {
                    let open = self.keys.unseal(self.db, &column.name, &text);
                    self.handle.block_on(open)?
                }
                other => other.map(std::borrow::Cow::into_owned),
            };
            values.push((column, value));
        }
        let mut key = Vec::new();
        part(&mut key, Some(row.cd_source));
        let hashed = row.cd_id.starts_with(crate::HASHED_ID);
        part(&mut key, (!hashed).then_some(row.cd_id));
        let mut whole = key.clone();
        for (column, value) in &values {
            if self.plan.table.natural_key.contains(&column.name) {
                part(&mut key, value.as_deref());
            }
            if !column.envelope {
                part(&mut whole, value.as_deref());
            }
        }
        Ok((sm3(&key), sm3(&whole)))
    }
}

/// Length-prefixed, so that values do not run into each other.
fn part(bytes: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(text) => {
            bytes.extend((text.len() as u64 + 1).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        None => bytes.extend(0_u64.to_be_bytes()),
    }
}
