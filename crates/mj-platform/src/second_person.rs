//! How requests that take two people ([`mj_kernel::second_person`]) are kept: every such table has these columns,
//! beside what it is asked for.

use mj_kernel::second_person::{Request, Standing, Yes};

use crate::{Error, Result, RowExt, TruthTable, Value, WriteTx};

const HOUR: i64 = 3_600_000_000;

/// The columns of a request that the act's actor makes now and that expires after so many hours.
pub fn asked(tx: &WriteTx, hours: i64) -> [(&'static str, Value); 7] {
    let now = tx.now();
    [
        ("state", Standing::Waiting.name().into()),
        ("requested_by", tx.act().actor.clone().into()),
        ("requested_at", now.into()),
        ("expires_at", (now + hours * HOUR).into()),
        ("decided_by", None::<String>.into()),
        ("decided_at", 0_i64.into()),
        ("decided_why", None::<String>.into()),
    ]
}

/// `approved` is the word by which this table writes a yes.
pub fn read(row: &impl RowExt, approved: &str, yes: Yes) -> Result<Request> {
    let written = row.text("state")?;
    let state = match written == approved {
        true => Some(Standing::Approved),
        false => Standing::parse(&written).filter(|state| *state != Standing::Approved),
    };
    Ok(Request {
        state: state.ok_or_else(|| Error::Corrupt(format!("申请的状态“{written}”不认识")))?,
        yes,
        requested_by: row.text("requested_by")?,
        requested_at: row.int("requested_at")?,
        expires_at: row.int("expires_at")?,
        decided_by: row.opt_text("decided_by")?,
        decided_at: row.int("decided_at")?,
        decided_why: row.opt_text("decided_why")?,
    })
}

/// Writes the word of the act's actor, if the request is still as it was looked at.
pub async fn close(
    tx: &mut WriteTx,
    table: &TruthTable,
    (id, expected): (&str, i64),
    state: &str,
    why: Option<&str>,
    more: &[(&'static str, Value)],
) -> Result<()> {
    let mut values: Vec<(&str, Value)> = vec![
        ("state", state.into()),
        ("decided_by", tx.act().actor.clone().into()),
        ("decided_at", tx.now().into()),
        ("decided_why", why.map(str::to_owned).into()),
    ];
    values.extend(more.iter().cloned());
    tx.update(table, id, Some(expected), &values).await?;
    Ok(())
}
