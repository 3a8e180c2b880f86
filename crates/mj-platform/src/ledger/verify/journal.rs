//! The journal of acts beside the log: an entry carries only the digest of who, on what and why, so that these can be
//! erased by law; the journal's row must give that digest, and no act may stand there that the log does not know.

use std::collections::BTreeMap;

use mj_ledger::entry::Payload;
use mj_ledger::fold::{Fold, Kind};
use mj_ledger::{Entry, Hash};

use super::tables::named;
use super::{Check, JOURNAL, NAMELESS, PAGE, PATIENCE};
use crate::DbRow;
use crate::db::{RowExt, Snapshot};
use crate::error::Result;
use crate::gm;
use crate::ledger::book;
use crate::ledger::erase::PAYLOAD_ERASURE;
use crate::ledger::number;

/// Who, what and why of a journalled act.
pub(in crate::ledger) fn payload_of(row: &DbRow) -> Result<Payload> {
    Ok(Payload {
        actor: row.text("actor")?,
        object: row.text("object")?,
        reason: row.opt_text("reason")?,
        request_id: row.text("request_id")?,
    })
}

/// The digest of an act journalled before the log began, as the founding entry holds it.
pub(in crate::ledger) fn journal_digest(row: &DbRow, salt: &[u8]) -> Result<Hash> {
    let mut hash = gm::Sm3::new();
    hash.update(salt);
    hash.update(&payload_of(row)?.digest(salt));
    for column in ["id", "action", "lines"] {
        let text = row.text(column)?;
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    for column in ["seq", "at", "changes"] {
        hash.update(&row.int(column)?.to_be_bytes());
    }
    hash.update(&row.bytes("sheet_sm3")?);
    Ok(hash.finish())
}

/// Whether this is an act whose payload was erased lawfully: it is not said anew.
pub(in crate::ledger) fn is_erased(fold: &Fold, table: &str, key: &str) -> bool {
    table == JOURNAL && fold.holds(PAYLOAD_ERASURE.name, key)
}

impl Check<'_> {
    /// The journal's rows of one bundle.
    pub(super) async fn journal(
        &mut self,
        snapshot: &mut Snapshot,
        from: u64,
        until: u64,
    ) -> Result<BTreeMap<u64, DbRow>> {
        let sql = "SELECT * FROM act_journal WHERE log_seq >= $1 AND log_seq < $2 ORDER BY log_seq";
        let rows = match snapshot.fetch_all(sql, &[number(from).into(), number(until).into()]).await
        {
            Ok(rows) => rows,
            // of a row that cannot be read at all the others are told apart
            Err(_) => {
                let mut readable = Vec::new();
                for seq in from..until {
                    let args = [number(seq).into(), number(seq + 1).into()];
                    readable.extend(snapshot.fetch_all(sql, &args).await.unwrap_or_default());
                }
                readable
            }
        };
        let mut journal = BTreeMap::new();
        for row in rows {
            let seq = u64::try_from(row.int("log_seq")?).unwrap_or(0);
            if let Some(twin) = journal.insert(seq, row) {
                let id = twin.text("id").unwrap_or_else(|_| NAMELESS.to_owned());
                self.find(Kind::Extra, JOURNAL, id, seq);
            }
        }
        Ok(journal)
    }

    /// The journal's row against the entry that commits to it.
    pub(super) fn act(
        &mut self,
        entry: &Entry,
        text: Option<&str>,
        act: Option<DbRow>,
    ) -> Result<()> {
        let Some(act) = act else {
            self.find(Kind::Missing, JOURNAL, &*entry.payload.id, entry.seq);
            return Ok(());
        };
        // a value of another kind is a change as well
        if !self.is_act(entry, text, &act).unwrap_or(false) {
            self.find(Kind::Changed, JOURNAL, &*entry.payload.id, entry.seq);
        }
        Ok(())
    }

    fn is_act(&mut self, entry: &Entry, text: Option<&str>, act: &DbRow) -> Result<bool> {
        let lines = act.text("lines")?;
        let payload = payload_of(act)?;
        let told = match act.opt_bytes("salt")? {
            Some(salt) => payload.digest(&salt) == entry.payload.digest,
            None => {
                self.erased.push((act.text("id")?, entry.seq));
                payload == Payload::default()
            }
        };
        Ok(told
            && act.text("id")? == entry.payload.id
            && act.text("action")? == entry.action
            && act.int("at")? == entry.time
            && act.int("seq")? == entry.changes.last
            && act.int("changes")? == entry.changes.rows
            && act.bytes("sheet_sm3")? == entry.sheet
            && text.is_none_or(|text| lines == book::in_clear(text)))
    }

    /// Acts and waiting entries that the numbering does not know.
    pub(super) async fn strays(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        for (id, seq) in std::mem::take(&mut self.erased) {
            if !self.fold.holds(PAYLOAD_ERASURE.name, &id) {
                self.find(Kind::Changed, JOURNAL, id, seq);
            }
        }
        let end = self.times.len() as u64;
        let sql = "SELECT id FROM act_journal WHERE log_seq >= $1 OR log_seq < 0 ORDER BY log_seq";
        for row in snapshot.fetch_all(sql, &[number(end).into()]).await? {
            let id = row.text("id").unwrap_or_else(|_| NAMELESS.to_owned());
            self.find(Kind::Extra, JOURNAL, id, end);
        }
        self.nameless(snapshot, JOURNAL).await?;
        let newest = self.newest();
        for seq in self.sealed..end {
            let at = usize::try_from(seq).ok().and_then(|seq| self.times.get(seq)).copied();
            if at.is_some_and(|at| at < newest - PATIENCE) {
                self.find(Kind::Gap, "unsequenced", seq.to_string(), seq);
            }
        }
        let beyond: Vec<u64> = self.pending.keys().copied().filter(|seq| *seq >= end).collect();
        for seq in beyond {
            self.find(Kind::Extra, "log_pending", seq.to_string(), end);
        }
        self.unproved(snapshot, "log_seq IS NULL").await?;
        for (from, until) in std::mem::take(&mut self.past) {
            let range = format!("log_seq >= {from} AND log_seq < {until}");
            self.unproved(snapshot, &range).await?;
        }
        Ok(())
    }

    /// Acts that no entry commits to: from before the log, or whose entries are past proof. They stand
    /// in the beginning of a volume like rows.
    async fn unproved(&mut self, snapshot: &mut Snapshot, which: &str) -> Result<()> {
        let named = named(snapshot.dialect());
        let sql = format!(
            "SELECT * FROM act_journal WHERE {which} AND id > $1{named} ORDER BY id LIMIT {PAGE}"
        );
        let mut last = String::new();
        loop {
            let rows = snapshot.fetch_all(&sql, &[last.as_str().into()]).await?;
            for row in &rows {
                last = row.text("id")?;
                let Some(salt) = row.opt_bytes("salt")? else {
                    self.fold.see(JOURNAL, &last);
                    if !self.fold.holds(PAYLOAD_ERASURE.name, &last) {
                        self.find(Kind::Changed, JOURNAL, last.clone(), 0);
                    }
                    continue;
                };
                let digest = journal_digest(row, &salt)?;
                let fault = self.fold.row(JOURNAL, &last, 1, &digest);
                let id = last.clone();
                self.fault(fault, JOURNAL, &id);
            }
            if rows.len() < PAGE {
                return Ok(());
            }
        }
    }
}
