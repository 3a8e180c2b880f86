//! Taking a delivery in: the blob, the batch and its job become durable in one transaction, or
//! nothing does. What arrives twice is recognised here, before any row is looked at.
//!
//! Rows are not read here; that is `ingest`.

use mj_kernel::clock::beijing_date;
use mj_platform::blob::StoredBlob;
use mj_platform::jobs;
use mj_platform::{WriteTx, new_id};
use mj_standard::Table;

use crate::Datahub;
use crate::channel;
use crate::error::{Error, Result};
use crate::model::{Batch, BatchState, Channel, Counts, Portion, Source, is_batch_number};
use crate::store;

/// The name of the job that runs a batch through the pipeline.
pub const INGEST_BATCH: &str = "ingest_batch";

/// What is handed over, its bytes already safe on disk.
pub struct Delivery<'a> {
    pub table: &'a Table,
    pub source: &'a Source,
    /// `None`: the next number of the day, unless the same bytes came before.
    pub cd_batch: Option<&'a str>,
    pub channel: Channel,
    pub portion: Portion,
    /// `csv`, `xlsx`, `jsonl` as declared, or `auto`.
    pub format: &'a str,
    pub file_name: Option<&'a str>,
    pub body_sha256: &'a str,
    pub bytes: i64,
    /// `None` where the bytes can only be known from an earlier delivery.
    pub blob: Option<&'a StoredBlob>,
    /// How many rows there are, where that is known before reading.
    pub rows: Option<i64>,
    /// The batch whose refused rows these are, mended.
    pub mends: Option<&'a str>,
}

/// The batch a delivery became, or was already.
#[derive(Debug, Clone)]
pub struct Received {
    pub batch: Batch,
    /// The same bytes had come before.
    pub again: bool,
}

impl Datahub {
    /// The table of the standard, or the error that names it.
    pub fn table(&self, name: &str) -> Result<&'static Table> {
        self.standard.table(name).ok_or_else(|| Error::UnknownTable(name.to_owned()))
    }

    /// The registered source, or the error that names it.
    pub async fn source(&self, cd_source: &str) -> Result<Source> {
        store::source::by_code(&self.db, cd_source)
            .await?
            .ok_or_else(|| Error::UnknownSource(cd_source.to_owned()))
    }

    /// Makes the delivery durable, in the caller's transaction.
    pub async fn receive(&self, tx: &mut WriteTx, delivery: &Delivery<'_>) -> Result<Received> {
        let today = beijing_date(tx.now());
        let Delivery { table, source, body_sha256, .. } = delivery;
        if let Some(number) = delivery.cd_batch
            && !is_batch_number(number)
        {
            return Err(Error::BatchNumber(number.to_owned()));
        }
        // a correction goes the way its batch was allowed to come
        if delivery.mends.is_none() {
            let title = &table.title;
            channel::approve(
                &self.channel_rules,
                source,
                &table.name,
                title,
                delivery.channel,
                today,
            )?;
        }
        store::batch::lock_source(tx, &source.cd_source).await?;
        let earlier = match delivery.cd_batch {
            Some(number) => {
                store::batch::by_number(tx, &source.cd_source, &table.name, number).await?
            }
            None => store::batch::by_body(tx, &source.cd_source, &table.name, body_sha256).await?,
        };
        if let Some(earlier) = earlier {
            return self.meet_again(tx, earlier, body_sha256).await;
        }
        let blob = delivery.blob.ok_or(Error::UploadMissing)?;
        let cd_batch = match delivery.cd_batch {
            Some(number) => number.to_owned(),
            None => store::batch::next_number(tx, &source.cd_source, today).await?,
        };
        let batch = Batch {
            id: new_id(),
            version: 1,
            table: table.name.clone(),
            cd_source: source.cd_source.clone(),
            cd_batch,
            channel: delivery.channel,
            portion: delivery.portion,
            format: delivery.format.to_owned(),
            body_sha256: (*body_sha256).to_owned(),
            file_name: delivery.file_name.map(str::to_owned),
            blob_id: blob.sha256.clone(),
            bytes: delivery.bytes,
            state: BatchState::Received,
            counts: Counts::received(delivery.rows.unwrap_or(0)),
            by_class: Default::default(),
            by_rule: Default::default(),
            received_at: tx.now(),
            settled_at: None,
            message: None,
            mends_batch: delivery.mends.map(str::to_owned),
            header: None,
            encoding: None,
            attempt: 1,
        };
        self.blobs.record(tx, blob).await?;
        store::batch::insert(tx, &batch).await?;
        queue(tx, &batch).await?;
        Ok(Received { batch, again: false })
    }

    /// The same number with the same bytes is the same batch; with others it is a conflict.
    async fn meet_again(
        &self,
        tx: &mut WriteTx,
        mut earlier: Batch,
        sha256: &str,
    ) -> Result<Received> {
        if earlier.body_sha256 != sha256 {
            return Err(Error::BatchConflict { cd_batch: earlier.cd_batch, batch_id: earlier.id });
        }
        if earlier.state.may_come_again() {
            earlier.state = BatchState::Received;
            earlier.counts = Counts::received(earlier.counts.front);
            earlier.message = None;
            earlier.settled_at = None;
            earlier.attempt += 1;
            earlier.version = store::batch::save_outcome(tx, &earlier).await?;
            queue(tx, &earlier).await?;
        }
        Ok(Received { batch: earlier, again: true })
    }
}

async fn queue(tx: &mut WriteTx, batch: &Batch) -> Result<()> {
    let payload = serde_json::json!({ "batch_id": batch.id }).to_string();
    Ok(jobs::enqueue(tx, INGEST_BATCH, &payload, &batch.job_key()).await?)
}
