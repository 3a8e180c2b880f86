//! The founding entry: a store that is older than its log takes its state over into the log, once.
//!
//! Without it the rows written before would be strangers to `verify`. From then on they are held
//! like all others; what happened to them before cannot be proved and is not claimed.

use mj_kernel::Actor;
use mj_ledger::Line;

use super::retold::Retold;
use super::verify;
use crate::db::door::{Act, WriteTx};
use crate::db::{Db, Lane, RowExt, Value};
use crate::error::Result;
use crate::gm;

/// The action of a founding entry.
pub const FOUND: &str = "ledger.log.found";

/// Takes the state over if the log is empty and the store is not. How many rows it took.
pub async fn found(db: &Db) -> Result<u64> {
    let head = db.fetch_one("SELECT seq, entries FROM change_head WHERE id = 1", &[]).await?;
    if head.int("entries")? > 0 || head.int("seq")? == 0 {
        return Ok(0);
    }
    let act = Act::new(&Actor::system("ledger"), FOUND, "log").because("日志启用时接管已有数据");
    let mut tx = db.begin(Lane::People, act).await?;
    tx.note().await?;
    let mut rows = journal(&mut tx).await?;
    for table in verify::truth_tables(db).await? {
        rows += take(&mut tx, &table, &mut None).await?;
    }
    tx.commit().await?;
    tracing::warn!(rows, "监管日志已启用，并接管了已有数据");
    Ok(rows)
}

/// Acts journalled before: each gets a salt and stands in the sheet like a row.
async fn journal(tx: &mut WriteTx) -> Result<u64> {
    let mut last = String::new();
    let mut count = 0;
    loop {
        let acts = tx
            .fetch_all(
                "SELECT * FROM act_journal WHERE id > $1 ORDER BY id LIMIT 500",
                &[last.as_str().into()],
            )
            .await?;
        for act in &acts {
            let id = act.text("id")?;
            let salt = gm::random::<16>();
            tx.execute(
                "UPDATE act_journal SET salt = $1 WHERE id = $2",
                &[Value::Bytes(salt.to_vec()), id.as_str().into()],
            )
            .await?;
            let digest = verify::journal_digest(act, &salt)?;
            tx.take_over("act_journal", &id, 1, digest);
            last = id;
            count += 1;
        }
        if acts.len() < 500 {
            return Ok(count);
        }
    }
}

/// Says the whole state anew, for the entry that opens the next volume; `retold` hears every line. Acts
/// from before the log, and those whose entries are past proof, stand in it like rows.
pub(super) async fn restate(
    tx: &mut WriteTx,
    db: &Db,
    past: &[(u64, u64)],
    retold: &mut Option<Retold<'_>>,
) -> Result<u64> {
    let mut which = String::from("log_seq IS NULL");
    for (from, until) in past {
        which.push_str(&format!(" OR log_seq >= {from} AND log_seq < {until}"));
    }
    let sql =
        format!("SELECT * FROM act_journal WHERE ({which}) AND id > $1 ORDER BY id LIMIT 500");
    let mut last = String::new();
    let mut count = 0;
    loop {
        let acts = tx.fetch_all(&sql, &[last.as_str().into()]).await?;
        for act in &acts {
            last = act.text("id")?;
            // erased lawfully, it says nothing any more
            let Some(salt) = act.opt_bytes("salt")? else { continue };
            let digest = verify::journal_digest(act, &salt)?;
            tx.take_over(verify::JOURNAL, &last, 1, digest);
            if let Some(retold) = retold {
                retold.line(Line {
                    table: verify::JOURNAL,
                    key: &last,
                    version: 1,
                    digest: Some(digest),
                });
            }
            count += 1;
        }
        if acts.len() < 500 {
            break;
        }
    }
    for table in verify::truth_tables(db).await? {
        count += take(tx, &table, retold).await?;
    }
    Ok(count)
}

/// The rows of a table as they stand. The head of changes is held: nobody writes one meanwhile.
async fn take(tx: &mut WriteTx, table: &str, retold: &mut Option<Retold<'_>>) -> Result<u64> {
    let sql =
        format!("SELECT id, version, row_digest FROM {table} WHERE id > $1 ORDER BY id LIMIT 2000");
    let mut last = String::new();
    let mut count = 0;
    loop {
        let rows = tx.fetch_all(&sql, &[last.as_str().into()]).await?;
        for row in &rows {
            let id = row.text("id")?;
            let digest = row.bytes("row_digest")?.try_into().unwrap_or_default();
            let version = row.int("version")?;
            tx.take_over(table, &id, version, digest);
            if let Some(retold) = retold {
                retold.line(Line { table, key: &id, version, digest: Some(digest) });
            }
            last = id;
            count += 1;
        }
        if rows.len() < 2_000 {
            return Ok(count);
        }
    }
}
