//! The first step: what the database says of itself, how far it numbered, what waits for a signature and which tables
//! there are. Everything later is held against this, in the same snapshot.

use mj_ledger::fold::Kind;

use super::{Check, JOURNAL};
use crate::db::{Db, Dialect, RowExt, Snapshot};
use crate::error::{Error, Result};
use crate::ledger::erase::PAYLOAD_ERASURE;
use crate::ledger::{seals, touch};

/// Tables of business truth, as the database itself lists them.
pub async fn truth_tables(db: &Db) -> Result<Vec<String>> {
    let rows = db.fetch_all(truth_sql(db.dialect()), &[]).await?;
    rows.iter().map(|row| row.text("name")).collect()
}

fn truth_sql(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND c.name = 'row_digest' ORDER BY m.name"
        }
        Dialect::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.columns \
             WHERE table_schema = current_schema() AND column_name = 'row_digest' ORDER BY 1"
        }
    }
}

/// What answers or acts in the place of tables: the house has tables and indexes alone, so that what is read is what
/// stands there. A view may answer a reader of this kind otherwise than a page. On PostgreSQL others may keep their own
/// things beside ours (an extension's views): only what bears digests, or the log's own bookkeeping, is asked about.
fn devices_sql(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT tbl_name AS place, type || ' ' || name AS what FROM sqlite_master \
             WHERE type NOT IN ('table', 'index') ORDER BY 1, 2"
        }
        Dialect::Postgres => {
            "SELECT CAST(c.relname AS TEXT) AS place, d.what FROM pg_class c JOIN ( \
               SELECT oid AS relation, 'view' AS what FROM pg_class WHERE relkind IN ('v', 'm', 'f') \
               UNION ALL SELECT oid, 'row security' FROM pg_class WHERE relrowsecurity \
               UNION ALL SELECT ev_class, 'rule ' || rulename FROM pg_rewrite WHERE ev_type <> '1' \
               UNION ALL SELECT tgrelid, 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal \
               UNION ALL SELECT inhparent, 'partition' FROM pg_inherits \
             ) d ON d.relation = c.oid WHERE c.relnamespace = ( \
               SELECT oid FROM pg_namespace WHERE nspname = current_schema()) \
             AND (c.relname IN ('act_journal', 'change_head', 'log_pending', 'log_touch', \
               'log_touched', 'truth_count') OR EXISTS (SELECT 1 FROM pg_attribute a \
               WHERE a.attrelid = c.oid AND a.attname = 'row_digest' AND NOT a.attisdropped)) \
             ORDER BY 1, 2"
        }
    }
}

impl Check<'_> {
    /// What the database says of itself, and which tables there are.
    pub(super) async fn head(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        for row in snapshot.fetch_all(devices_sql(snapshot.dialect()), &[]).await? {
            self.find(Kind::Extra, &row.text("place")?, row.text("what")?, 0);
        }
        let head = snapshot.fetch_all("SELECT entries FROM change_head WHERE id = 1", &[]).await?;
        let head = head.first().ok_or_else(|| Error::Corrupt("change_head 没有首行".into()))?;
        self.numbered = u64::try_from(head.int("entries")?).unwrap_or(0);
        for row in snapshot
            .fetch_all("SELECT seq, entry, sheet, seal FROM log_pending ORDER BY seq", &[])
            .await?
        {
            let seq = u64::try_from(row.int("seq")?).unwrap_or(0);
            if let Some(keys) = &self.wanted.keys
                && !seals::holds_of(keys.as_ref(), &row)?
            {
                self.find(Kind::Extra, "log_pending", seq.to_string(), seq);
            }
            self.pending.insert(seq, (row.text("entry")?, row.bytes("sheet")?));
        }
        let sql = truth_sql(snapshot.dialect());
        for row in snapshot.fetch_all(sql, &[]).await? {
            let table = row.text("name")?;
            let small = match self.wanted.up_to {
                None => true,
                // counted, not believed: a number in the database would keep a table from being looked at
                Some(most) => {
                    let most = most.saturating_add(1);
                    let sql = format!(
                        "SELECT COUNT(*) AS n FROM (SELECT 1 FROM {table} LIMIT {most}) counted"
                    );
                    let rows = snapshot.fetch_all(&sql, &[]).await?;
                    rows.first().map(|row| row.int("n")).transpose()?.unwrap_or(0) < most
                }
            };
            if small {
                self.tables.insert(table.clone());
            }
            self.listed.insert(table);
        }
        if self.wanted.up_to.is_none() {
            self.look_up.reached = touch::reached_in(snapshot).await?;
        }
        self.tables.insert(JOURNAL.to_owned());
        self.tables.insert(PAYLOAD_ERASURE.name.to_owned());
        Ok(())
    }

    /// Whether rows of this table are compared. One that the log speaks of and the database does not list
    /// (dropped, renamed, hidden behind a view or from this role) is: all its rows are missing.
    pub(super) fn compares(&self, table: &str) -> bool {
        !self.listed.contains(table) || self.tables.contains(table)
    }
}
