//! What the node's own watching came to, by day (`log_watch`): comparisons of tables with the log, questions to
//! witnesses. Pages show the last alone; a month can be looked back upon only if it is counted as it happens.

use mj_kernel::Actor;
use mj_kernel::clock::beijing_date;
use mj_platform::{Act, Db, Lane};

/// One round of watching.
pub struct Round<'a> {
    /// `check` or `witness`
    pub kind: &'static str,
    pub name: &'a str,
    /// Found something, or came while in alarm.
    pub bad: bool,
    /// Was not carried out, or not answered.
    pub failed: bool,
    /// Findings of this comparison, or seconds since the last signature.
    pub worst: i64,
}

/// Counts a round. What cannot be counted stops nothing: the alarm itself is told elsewhere.
pub async fn count(db: &Db, round: &Round<'_>) {
    if let Err(error) = add(db, round).await {
        tracing::warn!(error = %error, "核对与见证的次数未能记下");
    }
}

async fn add(db: &Db, round: &Round<'_>) -> mj_platform::Result<()> {
    let act = Act::new(&Actor::system("ledger"), "ledger.watch.count", "log");
    let mut tx = db.begin(Lane::People, act).await?;
    let now = tx.now();
    tx.execute(
        "INSERT INTO log_watch (day, kind, name, rounds, bad, failed, worst, last_at) \
         VALUES ($1,$2,$3,1,$4,$5,$6,$7) ON CONFLICT (day, kind, name) DO UPDATE SET \
         rounds = log_watch.rounds + 1, bad = log_watch.bad + excluded.bad, \
         failed = log_watch.failed + excluded.failed, last_at = excluded.last_at, \
         worst = CASE WHEN excluded.worst > log_watch.worst THEN excluded.worst \
         ELSE log_watch.worst END",
        &[
            beijing_date(now).to_string().into(),
            round.kind.into(),
            round.name.into(),
            i64::from(round.bad).into(),
            i64::from(round.failed).into(),
            round.worst.into(),
            now.into(),
        ],
    )
    .await?;
    tx.commit().await
}
