//! Register rows kept beside the party: the newest of each record, and what it says in each field.
//!
//! `cd_time` decides which version of a record wins, as in the fact store; a deleted record stays as
//! a mark, so that a late older version does not bring it back.

use mj_kernel::Actor;
use mj_platform::keys::DataKey;
use mj_platform::{Act, Lane, Result, RowExt, Value, WriteTx, new_id};
use rustc_hash::FxHashMap;

use crate::Registry;
use crate::masters;
use crate::model::{Operation, SourceRecord};
use crate::tables::{IN_LIST, PARTY_SOURCE, marks, mention_key, texts};

/// Records a transaction: with the parties they touch below the 5,000 rows of a chunk.
const CHUNK: usize = 1_000;

/// A stored record, as far as a new version is compared with it.
struct Stored {
    id: String,
    cd_time: i64,
    mention_id: String,
    deleted: bool,
    batch_id: String,
    row: i64,
}

impl Registry {
    /// Takes over accepted rows of register tables. Applying the same rows again changes nothing.
    pub async fn apply_source_records(&self, records: &[SourceRecord]) -> Result<usize> {
        let _writing = self.writing.lock().await;
        let mut changed = 0;
        for chunk in records.chunks(CHUNK) {
            changed += self.apply_chunk(chunk).await?;
        }
        Ok(changed)
    }

    async fn apply_chunk(&self, records: &[SourceRecord]) -> Result<usize> {
        let act = Act::new(&Actor::system("registry"), "registry.party.register", "party_source");
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        let mut stored = self.stored(&mut tx, records).await?;
        let parties = parties_of(&mut tx, records, &stored).await?;
        let newest = newest_of(records, |record| self.record_key(record));
        let mut touched = Vec::new();
        let mut inserts = Vec::new();
        for record in newest {
            let key = (record.table.clone(), record.cd_source.clone(), self.record_key(record));
            let old = stored.remove(&key);
            if old.as_ref().is_some_and(|old| keeps(old, record)) {
                continue;
            }
            touched.extend(old.as_ref().and_then(|old| parties.get(&old.mention_id)).cloned());
            touched.extend(parties.get(&mention_key(record.mention)).cloned());
            let fields = self.sealed_fields(&mut tx, record, &key.2).await?;
            let mention = match (&old, record.mention) {
                // a deletion may name no party
                (Some(old), 0) => old.mention_id.clone(),
                (_, number) => mention_key(number),
            };
            let values: Vec<(&str, Value)> = vec![
                ("mention_id", mention.into()),
                ("cd_time", record.at.into()),
                ("deleted", (record.operation == Operation::Delete).into()),
                ("batch_id", record.batch_id.as_str().into()),
                ("row_no", record.row.into()),
                ("priority", record.priority.into()),
                ("fields", fields.into()),
            ];
            match old {
                Some(old) => {
                    tx.update(&PARTY_SOURCE, &old.id, None, &values).await?;
                }
                None => inserts.push(as_row(values, key)),
            }
        }
        let changed = inserts.len() + touched.len();
        tx.insert_many(&PARTY_SOURCE, inserts).await?;
        touched.sort_unstable();
        touched.dedup();
        masters::refresh(&mut tx, &self.db, &self.keys, &touched).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// A record's number may name a person: what is stored is its keyed hash.
    fn record_key(&self, record: &SourceRecord) -> String {
        self.hash.hex(&[Some("record"), Some(&record.cd_id)])
    }

    async fn stored(
        &self,
        tx: &mut WriteTx,
        records: &[SourceRecord],
    ) -> Result<FxHashMap<(String, String, String), Stored>> {
        let mut keys: Vec<String> = records.iter().map(|record| self.record_key(record)).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut found = FxHashMap::default();
        for chunk in keys.chunks(IN_LIST) {
            let sql = format!(
                "SELECT id, table_name, cd_source, cd_id, cd_time, mention_id, deleted, batch_id, \
                 row_no FROM party_source WHERE cd_id IN ({}) ORDER BY id",
                marks(1, chunk.len())
            );
            for row in tx.fetch_all(&sql, &texts(chunk.iter().map(String::as_str))).await? {
                let key = (row.text("table_name")?, row.text("cd_source")?, row.text("cd_id")?);
                let stored = Stored {
                    id: row.text("id")?,
                    cd_time: row.int("cd_time")?,
                    mention_id: row.text("mention_id")?,
                    deleted: row.flag("deleted")?,
                    batch_id: row.text("batch_id")?,
                    row: row.int("row_no")?,
                };
                found.insert(key, stored);
            }
        }
        Ok(found)
    }

    /// The fields as JSON, personal values sealed: under the person's key where the record is about
    /// a natural person, else under the record's own (a contact person is named by nothing surer).
    async fn sealed_fields(
        &self,
        tx: &mut WriteTx,
        record: &SourceRecord,
        record_key: &str,
    ) -> Result<String> {
        let key: Option<DataKey> = if record.fields.iter().any(|field| field.personal) {
            let subject = match person_of(tx, record).await? {
                Some(subject) => subject,
                None => self.keys.lookup("record", record_key),
            };
            self.keys.data_keys(tx, &[subject]).await?.pop()
        } else {
            None
        };
        let fields: Vec<(&str, String)> = record
            .fields
            .iter()
            .map(|field| {
                let value = match &key {
                    Some(key) if field.personal => {
                        key.seal(&format!("party_source.{}", field.column), &field.value)
                    }
                    _ => field.value.clone(),
                };
                (field.column.as_str(), value)
            })
            .collect();
        serde_json::to_string(&fields)
            .map_err(|error| mj_platform::Error::Other(format!("来源记录无法保存：{error}")))
    }
}

/// Whether the stored version stays: it is newer, or it is this very row.
fn keeps(old: &Stored, new: &SourceRecord) -> bool {
    old.cd_time > new.at
        || (old.cd_time == new.at
            && old.batch_id == new.batch_id
            && old.row == new.row
            && old.deleted == (new.operation == Operation::Delete))
}

/// Of several versions of a record in one delivery the newest, a tie to the later row.
fn newest_of(
    records: &[SourceRecord],
    key: impl Fn(&SourceRecord) -> String,
) -> Vec<&SourceRecord> {
    let mut newest: FxHashMap<(&str, &str, String), usize> = FxHashMap::default();
    for (at, record) in records.iter().enumerate() {
        let slot = newest.entry((&record.table, &record.cd_source, key(record))).or_insert(at);
        if record.at >= records[*slot].at {
            *slot = at;
        }
    }
    let mut order: Vec<usize> = newest.into_values().collect();
    order.sort_unstable();
    order.into_iter().map(|at| &records[at]).collect()
}

fn as_row(values: Vec<(&str, Value)>, key: (String, String, String)) -> Vec<Value> {
    let mut given: FxHashMap<&str, Value> = values.into_iter().collect();
    given.insert("id", new_id().into());
    given.insert("table_name", key.0.into());
    given.insert("cd_source", key.1.into());
    given.insert("cd_id", key.2.into());
    PARTY_SOURCE.columns.iter().map(|column| given.remove(column).unwrap_or(Value::Null)).collect()
}

/// Which party the mentions of old and new versions are linked to.
async fn parties_of(
    tx: &mut WriteTx,
    records: &[SourceRecord],
    stored: &FxHashMap<(String, String, String), Stored>,
) -> Result<FxHashMap<String, String>> {
    let mut mentions: Vec<String> =
        records.iter().map(|record| mention_key(record.mention)).collect();
    mentions.extend(stored.values().map(|old| old.mention_id.clone()));
    mentions.sort_unstable();
    mentions.dedup();
    let mut found = FxHashMap::default();
    for chunk in mentions.chunks(IN_LIST) {
        let sql = format!(
            "SELECT id, party_id FROM mention WHERE id IN ({}) ORDER BY id",
            marks(1, chunk.len())
        );
        for row in tx.fetch_all(&sql, &texts(chunk.iter().map(String::as_str))).await? {
            if let Some(party) = row.opt_text("party_id")? {
                found.insert(row.text("id")?, party);
            }
        }
    }
    Ok(found)
}

/// The key-store subject of the natural person a record is about.
async fn person_of(tx: &mut WriteTx, record: &SourceRecord) -> Result<Option<String>> {
    let row = tx
        .fetch_optional(
            "SELECT anchor FROM mention WHERE id = $1 AND kind = 'person'",
            &[mention_key(record.mention).into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let anchor = row.text("anchor")?;
    Ok(anchor.rsplit(':').next().map(str::to_owned))
}
