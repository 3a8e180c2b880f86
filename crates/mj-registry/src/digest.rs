//! What the registry holds, as digests that two stores share when they hold the same: without our
//! ids, register numbers, keys, versions and positions. A party is named by its smallest wording.

use mj_platform::gm::sm3;
use mj_platform::{Result, RowExt};
use rustc_hash::FxHashMap;

use crate::Registry;
use crate::masters::{self, MENTION_COLUMNS, PARTY_COLUMNS, PartyRow, open_rows, read_mention};
use crate::model::PartyKind;
use crate::survivor::MentionRow;

/// Digest of the natural key, and of key and values.
pub type RowDigest = ([u8; 32], [u8; 32]);

/// Rows a query while all are read.
const PAGE: i64 = 5_000;

impl Registry {
    /// Parties, and which wording means which: in no order.
    pub async fn content_digests(&self) -> Result<Vec<RowDigest>> {
        let parties = self.every_party().await?;
        let root = |id: &str| {
            let mut at = parties.get(id);
            while let Some(into) = at.and_then(|row| row.merged_into.as_deref()) {
                at = parties.get(into);
            }
            at.map(|row| row.id.clone())
        };
        let mut wordings: Vec<(String, Option<String>)> = Vec::new();
        let mut named: FxHashMap<String, String> = FxHashMap::default();
        let mut after = String::new();
        loop {
            let sql = format!(
                "SELECT {MENTION_COLUMNS}, m.party_id FROM mention m WHERE m.id > $1 \
                 ORDER BY m.id LIMIT {PAGE}"
            );
            let rows = self.db.fetch_all(&sql, &[after.as_str().into()]).await?;
            let Some(last) = rows.last() else { break };
            after = last.text("id")?;
            for row in &rows {
                let said = self.in_clear(read_mention(row)?).await?;
                let text = wording_text(&said);
                let party = row.opt_text("party_id")?.and_then(|id| root(&id));
                if let Some(party) = &party {
                    let name = named.entry(party.clone()).or_insert_with(|| text.clone());
                    if text < *name {
                        name.clone_from(&text);
                    }
                }
                wordings.push((text, party));
            }
        }
        let mut digests = Vec::with_capacity(wordings.len() + named.len());
        for (text, party) in wordings {
            let name = party.and_then(|party| named.get(&party).cloned());
            digests.push(pair("mention", &text, &name.unwrap_or_default()));
        }
        for (id, name) in &named {
            let Some(row) = parties.get(id) else { continue };
            let state = masters::open_state(&self.keys, &self.db, &row.stored).await?;
            digests.push(pair("party", name, &format!("{state:?}")));
        }
        digests.extend(self.certificate_digests().await?);
        Ok(digests)
    }

    async fn every_party(&self) -> Result<FxHashMap<String, PartyRow>> {
        let mut parties = FxHashMap::default();
        let mut after = String::new();
        loop {
            let sql = format!(
                "SELECT {PARTY_COLUMNS} FROM party p WHERE p.id > $1 ORDER BY p.id LIMIT {PAGE}"
            );
            let rows = self.db.fetch_all(&sql, &[after.as_str().into()]).await?;
            let Some(last) = rows.last() else { return Ok(parties) };
            after = last.text("id")?;
            for row in &rows {
                let row = PartyRow::read(row)?;
                parties.insert(row.id.clone(), row);
            }
        }
    }

    async fn in_clear(&self, said: MentionRow) -> Result<MentionRow> {
        if said.kind != PartyKind::Person {
            return Ok(said);
        }
        let (_, opened) = open_rows(&self.keys, &self.db, Vec::new(), vec![said.clone()]).await?;
        Ok(opened.into_iter().next().unwrap_or(said))
    }

    async fn certificate_digests(&self) -> Result<Vec<RowDigest>> {
        let rows = self
            .db
            .fetch_all(
                "SELECT certificate_no, valid_from, valid_until, status FROM officer_certificate \
                 ORDER BY certificate_no",
                &[],
            )
            .await?;
        let digests = rows.iter().map(|row| {
            let values = format!(
                "{:?} {:?} {}",
                row.opt_text("valid_from")?,
                row.opt_text("valid_until")?,
                row.text("status")?
            );
            Ok(pair("certificate", &row.text("certificate_no")?, &values))
        });
        digests.collect()
    }
}

fn wording_text(said: &MentionRow) -> String {
    format!(
        "{:?}",
        (
            said.kind,
            &said.name,
            &said.code,
            &said.person_code,
            &said.regist_no,
            &said.area_number,
            &said.address
        )
    )
}

fn pair(what: &str, key: &str, values: &str) -> RowDigest {
    let key = format!("{what}\u{1f}{key}");
    (sm3(key.as_bytes()), sm3(format!("{key}\u{1f}{values}").as_bytes()))
}
