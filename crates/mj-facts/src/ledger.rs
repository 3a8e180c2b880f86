//! What the commits of each batch came to, for whoever reconciles batches with the store.

use mj_platform::RowExt;

use crate::error::Result;
use crate::store::FactStore;

/// The sums over the commits of one batch in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchCounts {
    pub table: String,
    pub batch: String,
    pub correct: u64,
    pub duplicate: u64,
    pub superseded: u64,
}

impl FactStore {
    /// Every batch that was ever committed. Flushes move rows of many batches and count none.
    pub async fn batch_counts(&self) -> Result<Vec<BatchCounts>> {
        let rows = self
            .inner
            .db
            .fetch_all(
                "SELECT table_name, batch_id, CAST(SUM(correct) AS BIGINT) AS correct, \
                 CAST(SUM(duplicate) AS BIGINT) AS duplicate, \
                 CAST(SUM(superseded) AS BIGINT) AS superseded \
                 FROM fact_commit WHERE kind <> 'flush' \
                 GROUP BY table_name, batch_id ORDER BY table_name, batch_id",
                &[],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let count = |column| row.int(column).map(|sum| u64::try_from(sum).unwrap_or(0));
                Ok(BatchCounts {
                    table: row.text("table_name")?,
                    batch: row.text("batch_id")?,
                    correct: count("correct")?,
                    duplicate: count("duplicate")?,
                    superseded: count("superseded")?,
                })
            })
            .collect()
    }
}
