//! `doctor`: do the counts of every batch add up, and is every row that was counted still there?

use std::collections::BTreeMap;

use mj_facts::Depth;

use crate::Datahub;
use crate::error::Result;
use crate::model::{BatchState, Counts};
use crate::store;

/// Something that does not add up, for the person who runs `doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// A table, a batch or a file.
    pub object: String,
    pub what: String,
}

/// Compares batches with the error store, with the fact store's commits, and the commits with what
/// lies on disk. An empty list: nothing is missing.
pub async fn reconcile(hub: &Datahub, depth: Depth) -> Result<Vec<Discrepancy>> {
    let mut found = Vec::new();
    let commits = hub.facts.batch_counts().await?;
    let mut by_batch: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
    for commit in commits {
        let sums = by_batch.entry(commit.batch).or_default();
        sums.0 += commit.correct;
        sums.1 += commit.duplicate;
        sums.2 += commit.superseded;
    }
    let mut after = String::new();
    loop {
        let page = store::batch::page_unscoped(&hub.db, &after, 1_000).await?;
        let Some(last) = page.last() else { break };
        after = last.id.clone();
        for batch in &page {
            let object = format!("{}批次{}（{}）", batch.table, batch.cd_batch, batch.id);
            let mut say = |what: String| {
                found.push(Discrepancy { object: object.clone(), what });
            };
            if !batch.counts.reconcile() {
                say("前置量不等于其余各层之和".into());
            }
            let committed = by_batch.remove(&batch.id).unwrap_or_default();
            if batch.state != BatchState::Settled {
                if committed != (0, 0, 0) {
                    say("批次没有办结，事实库里却有它的数据".into());
                }
                continue;
            }
            let Counts { correct, duplicate, superseded, error, .. } = batch.counts;
            let counted = (correct as u64, duplicate as u64, superseded as u64);
            if counted != committed {
                say(format!(
                    "批次记正确{}、重复{}、被取代{}，事实库收到{}、{}、{}",
                    counted.0, counted.1, counted.2, committed.0, committed.1, committed.2
                ));
            }
            let kept = store::error_row::count(&hub.db, &batch.id).await?;
            if kept != error {
                say(format!("批次记错误{error}行，错误库有{kept}行"));
            }
        }
    }
    // what is left belongs to batches that nobody knows
    for (batch, (correct, duplicate, superseded)) in by_batch {
        let rows = correct + duplicate + superseded;
        if rows > 0 {
            let what = format!("事实库有它的{rows}行，批次记录却不见了");
            found.push(Discrepancy { object: format!("批次{batch}"), what });
        }
    }
    let orphans = store::error_row::without_batch(&hub.db).await?;
    if orphans > 0 {
        let what = format!("有{orphans}行，它们的批次记录却不见了");
        found.push(Discrepancy { object: "错误库".into(), what });
    }
    for finding in hub.facts.verify(depth).await? {
        found.push(Discrepancy {
            object: format!("{}：{}", finding.table, finding.object),
            what: finding.what,
        });
    }
    Ok(found)
}
