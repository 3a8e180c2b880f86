//! The fourth step: every row of every table of business truth, its digest computed anew, against the fold; then the
//! names of rows that the log knows and no table has.

use mj_ledger::fold::Kind;
use mj_ledger::sheet;

use super::form::{Form, OWN};
use super::{Check, JOURNAL, NAMELESS, PAGE};
use crate::DbRow;
use crate::db::{Dialect, RowExt, Snapshot, Value};
use crate::error::Result;
use crate::ledger::book;

/// Rows of a table, how many were asked for, and the name of the last of these.
struct Page {
    rows: Vec<DbRow>,
    size: usize,
    end: String,
}

/// SQLite takes anything for a name; what is no text is told by itself.
pub(super) fn named(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => " AND id < x''",
        Dialect::Postgres => "",
    }
}

impl Check<'_> {
    /// Every row of every table, its digest computed anew.
    pub(super) async fn tables(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        let tables: Vec<String> =
            self.tables.iter().filter(|table| *table != JOURNAL).cloned().collect();
        for table in tables {
            let wanted = self.wanted;
            let added: Vec<(&str, &Value)> = wanted
                .added
                .iter()
                .filter(|(of, _, _)| *of == table)
                .map(|(_, column, value)| (column.as_str(), value))
                .collect();
            self.nameless(snapshot, &table).await?;
            let mut last = String::new();
            loop {
                let Page { rows, size, end } = self.page(snapshot, &table, &last).await?;
                let Some(first) = rows.first() else {
                    if size < PAGE {
                        break;
                    }
                    last = end;
                    continue;
                };
                let columns: Vec<String> = first
                    .names()
                    .into_iter()
                    .map(str::to_owned)
                    .filter(|name| !OWN.contains(&name.as_str()))
                    .collect();
                let form = Form::new(&table, &columns, &added);
                for row in &rows {
                    let id = row.text("id")?;
                    // a value of another kind is a change as well
                    let (version, digest) = form.digest(row).unwrap_or((-1, [0; 32]));
                    let fault = self.fold.row(&table, &id, version, &digest);
                    self.fault(fault, &table, &id);
                    self.report.rows += 1;
                }
                if size < PAGE {
                    break;
                }
                self.twins(snapshot, &table, &end, &rows).await?;
                last = end;
            }
        }
        Ok(())
    }

    /// Rows after `after`, as many as a page holds. Rows that cannot be read at all are told and left out.
    async fn page(&mut self, snapshot: &mut Snapshot, table: &str, after: &str) -> Result<Page> {
        let which = format!(
            "FROM {table} WHERE id > $1{} ORDER BY id LIMIT {PAGE}",
            named(snapshot.dialect())
        );
        let args = [after.into()];
        let error = match snapshot.fetch_all(&format!("SELECT * {which}"), &args).await {
            Ok(rows) => {
                let end = rows.last().map(|row| row.text("id")).transpose()?.unwrap_or_default();
                return Ok(Page { size: rows.len(), rows, end });
            }
            Err(error) => error,
        };
        let Ok(ids) = snapshot.fetch_all(&format!("SELECT id {which}"), &args).await else {
            return Err(error);
        };
        let mut page = Page { rows: Vec::new(), size: ids.len(), end: String::new() };
        for row in ids {
            page.end = row.text("id")?;
            let sql = format!("SELECT * FROM {table} WHERE id = $1");
            match snapshot.fetch_all(&sql, &[page.end.as_str().into()]).await {
                Ok(rows) => page.rows.extend(rows),
                Err(_) => {
                    let fault = self.fold.row(table, &page.end, -1, &[0; 32]);
                    self.fault(fault, table, &page.end);
                }
            }
        }
        Ok(page)
    }

    /// Rows that no page shows, because nothing, a number or bytes is what they are called by: the log names each of
    /// its own by a text.
    pub(super) async fn nameless(&mut self, snapshot: &mut Snapshot, table: &str) -> Result<()> {
        let also = match snapshot.dialect() {
            // in SQLite's order numbers stand before every text, bytes behind
            Dialect::Sqlite => " OR id < '' OR id >= x''",
            Dialect::Postgres => "",
        };
        let sql = format!("SELECT COUNT(*) AS n FROM {table} WHERE id IS NULL OR id = ''{also}");
        let rows = snapshot.fetch_all(&sql, &[]).await?;
        for _ in 0..rows.first().map(|row| row.int("n")).transpose()?.unwrap_or(0) {
            self.find(Kind::Extra, table, NAMELESS, 0);
        }
        Ok(())
    }

    /// Where a page ends, another row of the same name would be on none.
    async fn twins(
        &mut self,
        snapshot: &mut Snapshot,
        table: &str,
        id: &str,
        rows: &[DbRow],
    ) -> Result<()> {
        let sql = format!("SELECT COUNT(*) AS n FROM {table} WHERE id = $1");
        let counted = snapshot.fetch_all(&sql, &[id.into()]).await?;
        let all = counted.first().map(|row| row.int("n")).transpose()?.unwrap_or(0);
        let shown = rows.iter().rev().take_while(|row| row.text("id").is_ok_and(|it| it == id));
        for _ in i64::try_from(shown.count()).unwrap_or(0).max(1)..all {
            self.find(Kind::Extra, table, id, 0);
        }
        Ok(())
    }

    /// Rows the log knows and no table has: their names stand in the sheets alone.
    pub(super) async fn lost(&mut self) -> Result<()> {
        if !self.fold.has_missing() {
            return Ok(());
        }
        let walked = std::mem::take(&mut self.walked);
        for (reader, bundles) in walked.iter().rev() {
            for bundle in (0..*bundles).rev() {
                let mut sheets = reader.sheets(bundle)?;
                while let Some(stored) = sheets.next_stored()? {
                    let Ok(text) = book::unpack(&stored) else { continue };
                    for line in sheet::lines(&text).flatten() {
                        let fault = self.fold.take_missing(line.table, line.key);
                        self.fault(fault, line.table, line.key);
                    }
                }
            }
        }
        if self.fold.has_missing() {
            // spoken of only by entries that are not in the files yet
            self.find(Kind::Missing, "log_pending", "-", self.sealed);
        }
        Ok(())
    }
}
