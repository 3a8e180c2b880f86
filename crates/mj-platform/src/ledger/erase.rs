//! Erasing who, on what and why of one entry: an act of its own. The entry and its place stay, its
//! salted digest says nothing any more, and `verify` accepts the gap because the erasure is in the log.

use mj_kernel::Actor;

use super::number;
use crate::db::door::{Act, TruthTable};
use crate::db::{Db, Lane, RowExt};
use crate::error::{Error, Result};

pub const ERASE: &str = "ledger.payload.erase";

pub(super) const PAYLOAD_ERASURE: TruthTable =
    TruthTable { name: "payload_erasure", columns: &["id", "log_seq", "erased_at"] };

/// What became of the wish to erase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    Now,
    Before,
    /// No such entry.
    Unknown,
}

/// Erases the payload of entry `seq`. The erasure itself keeps who decided it and why.
pub async fn erase(db: &Db, actor: &Actor, seq: u64, reason: &str) -> Result<Erased> {
    let act = Act::new(actor, ERASE, format!("log:{seq}")).because(reason);
    let mut tx = db.begin(Lane::People, act).await?;
    let place = [number(seq).into()];
    let sql = "SELECT id, action, salt FROM act_journal WHERE log_seq = $1";
    let Some(row) = tx.fetch_optional(sql, &place).await? else { return Ok(Erased::Unknown) };
    if row.opt_bytes("salt")?.is_none() {
        return Ok(Erased::Before);
    }
    if row.text("action")? == ERASE {
        return Err(Error::Other("删除记录本身不能再删除".into()));
    }
    let at = tx.now();
    let id = row.text("id")?;
    let row = [("id", id.into()), ("log_seq", number(seq).into()), ("erased_at", at.into())];
    tx.insert(&PAYLOAD_ERASURE, &row).await?;
    tx.execute(
        "UPDATE act_journal SET actor = '', object = '', reason = NULL, request_id = '', \
         salt = NULL WHERE log_seq = $1",
        &place,
    )
    .await?;
    tx.commit().await?;
    Ok(Erased::Now)
}
