//! The pipeline: collect → cleanse → deduplicate → compare → verify → normalise → link.
//!
//! One batch is one job. A thread reads and judges ([`read`]), another prepares ([`ready`]); this
//! side, chunk by chunk, resolves what rows say of parties, makes data keys, keeps refused rows, hands register and catalogue rows
//! to their domains; a second thread seals and pushes accepted rows into the fact store's stage. At
//! the end one transaction commits the facts, fixes the batch's counts and tells the other domains.
//!
//! Rows of registers and catalogues reach their masters only after the whole file was judged and staged
//! and the load can no longer be stopped: the file is read a second time for it.
//!
//! A kill anywhere before that transaction leaves the batch as it was received, and the job runs
//! again from the blob with the same outcome: error rows are written anew, mentions and register
//! rows are recognised, the stage's files are orphans. A person's wish to stop the load
//! ([`crate::stop`]) is looked at between chunks and ends it as a kill would, for good.

mod apply;
pub mod lookups;
pub mod plan;
pub mod read;
mod ready;
pub mod seal;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mj_kernel::clock::beijing_date;
use mj_kernel::{Actor, Event};
use mj_platform::jobs::{self, JobContext};
use mj_platform::keys::DataKey;
use mj_platform::rank::spawn_below;
use mj_platform::{Act, Lane, Value, WriteTx};
use mj_standard::{Class, Context, Engine, Envelope};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use self::plan::TablePlan;
use self::read::{Chunk, FileEnd, Opener};
use self::ready::Ready;
use crate::Datahub;
use crate::error::{Error, Result};
use crate::local_source::Local;
use crate::model::{Batch, BatchState, Channel, Counts};
use crate::progress::{Listener, Standing};
use crate::{blob_source, store, withdraw};

/// After this many attempts a batch is given up; the job table stops at the same number.
const LAST_ATTEMPT: i64 = 5;
/// How often a load is begun again because another one changed the same records meanwhile.
const MOVED_RETRIES: usize = 5;
/// Refused rows are written so many at a time.
const REFUSED_ROWS: usize = if cfg!(test) { 100 } else { 1_000 };
/// From so many rows on a load leaves more behind in memory than the next act can use.
const LARGE: i64 = 50_000;
const REPORT_EVERY: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 500 });

#[derive(Deserialize)]
struct Payload {
    batch_id: String,
}

impl Datahub {
    /// The body of job `ingest_batch`.
    pub async fn run_job(&self, context: JobContext) -> mj_platform::Result<()> {
        let payload: Payload = serde_json::from_str(&context.payload)
            .map_err(|error| mj_platform::Error::Corrupt(format!("任务内容无法读取：{error}")))?;
        let outcome = self.ingest(&payload.batch_id, Some(&context), None).await;
        let Err(error) = outcome else { return Ok(()) };
        if context.attempt >= LAST_ATTEMPT {
            self.give_up(&payload.batch_id, &error).await?;
        }
        Err(error.into())
    }

    /// Runs a batch through the pipeline. Running a settled batch changes nothing.
    pub async fn ingest(
        &self,
        batch_id: &str,
        job: Option<&JobContext>,
        listener: Option<Listener>,
    ) -> Result<Batch> {
        self.ingest_from(batch_id, job, listener, None).await
    }

    /// `local`: where the delivered file lies besides, to be read there.
    pub(crate) async fn ingest_from(
        &self,
        batch_id: &str,
        job: Option<&JobContext>,
        listener: Option<Listener>,
        mut local: Option<Arc<Local>>,
    ) -> Result<Batch> {
        let mut tries = 0;
        loop {
            let batch =
                store::batch::by_id(&self.db, batch_id).await?.ok_or(Error::UnknownBatch)?;
            if batch.state.is_final() {
                // an earlier run may have been killed between its commit and this
                self.registry.relink().await?;
                return Ok(batch);
            }
            let _under_way = self.loads.read().await;
            let mut run = Run::new(self, batch, job, listener.clone())?;
            run.local = local.clone();
            match run.go().await {
                Err(Error::StopAsked) => {
                    return self.end_stopped(&run.batch, run.standing.rows).await;
                }
                Err(Error::LocalChanged) if local.is_some() => local = None,
                Err(Error::Facts(
                    mj_facts::Error::Moved { .. } | mj_facts::Error::StageLost { .. },
                )) if tries < MOVED_RETRIES => tries += 1,
                other => return other,
            }
        }
    }

    /// Marks a batch as failed, saying why; sending the same bytes again starts it anew.
    async fn give_up(&self, batch_id: &str, error: &Error) -> mj_platform::Result<()> {
        let act = Act::new(&Actor::system("datahub"), "datahub.batch.fail", batch_id);
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        let batch = store::batch::by_id_in(&mut tx, batch_id).await?;
        let Some(mut batch) = batch.filter(|batch| !batch.state.is_final()) else { return Ok(()) };
        batch.state = BatchState::Failed;
        batch.counts = Counts::received(batch.counts.front);
        batch.settled_at = Some(tx.now());
        batch.message = Some(format!("处理未能完成：{error}。请排除原因后重新报送同一文件。"));
        store::error_row::clear(&mut tx, batch_id).await?;
        store::batch::save_outcome(&mut tx, &batch).await?;
        withdraw::queue(&mut tx, &batch).await?;
        tx.commit().await
    }
}

/// A file being read, and what tells how that ended.
struct OpenFile {
    chunks: mpsc::Receiver<Ready>,
    preparing: oneshot::Receiver<Result<()>>,
    reading: oneshot::Receiver<(Result<FileEnd>, KnownBefore)>,
}

impl OpenFile {
    async fn end(self) -> Result<(FileEnd, KnownBefore)> {
        self.preparing.await.map_err(Error::thread_lost)??;
        let (end, known) = self.reading.await.map_err(Error::thread_lost)?;
        Ok((end?, known))
    }
}

/// Rows on their way back to the reading thread.
type Spent = std::sync::mpsc::Receiver<Vec<read::Accepted>>;

/// What rows are judged by besides the standard, as it stood when the load began.
struct KnownBefore {
    lookups: lookups::StoreLookups,
    local: read::LocalItems,
}

/// One run of one batch.
struct Run<'a> {
    hub: &'a Datahub,
    batch: Batch,
    plan: Arc<TablePlan>,
    job: Option<&'a JobContext>,
    listener: Option<Listener>,
    local: Option<Arc<Local>>,
    standing: Standing,
    by_class: [i64; Class::COUNT],
    by_rule: BTreeMap<String, i64>,
    /// Refused rows that are not written yet.
    refused: Vec<Vec<Value>>,
    /// Rows of the batch this one mends that were accepted now.
    mended: Vec<i64>,
    priority: i64,
    started: Instant,
    reported: Instant,
}

impl<'a> Run<'a> {
    fn new(
        hub: &'a Datahub,
        batch: Batch,
        job: Option<&'a JobContext>,
        listener: Option<Listener>,
    ) -> Result<Self> {
        let table = hub.table(&batch.table)?;
        let plan = TablePlan::new(hub.standard, table)
            .ok_or_else(|| Error::UnknownTable(batch.table.clone()))?;
        Ok(Self {
            hub,
            plan: Arc::new(plan),
            batch,
            job,
            listener,
            local: None,
            standing: Standing::default(),
            by_class: [0; Class::COUNT],
            by_rule: BTreeMap::new(),
            refused: Vec::new(),
            mended: Vec::new(),
            priority: 100,
            started: Instant::now(),
            reported: Instant::now(),
        })
    }

    async fn go(&mut self) -> Result<Batch> {
        if let Some(ended) = self.begin().await? {
            return Ok(ended);
        }
        self.priority = self.hub.source(&self.batch.cd_source).await?.priority;
        let lookups = lookups::load(self.hub, self.plan.table).await?;
        let stage = self.hub.facts.stage(&self.plan.spec, &self.batch.id).await?;
        let (spend, spent) = std::sync::mpsc::channel();
        let (plan, keys) = (self.plan.clone(), self.hub.keys.clone());
        let mut writer = stage::Writer::start(plan, keys, stage, spend)?;
        let mappings = self.hub.catalog.mappings(&self.batch.cd_source).await?;
        let local = read::LocalItems::new(mappings, self.plan.table);
        self.hub.registry.ready().await?;
        let mut file = self.open_file(KnownBefore { lookups, local }, Some(spent)).await?;
        while let Some(chunk) = file.chunks.recv().await {
            self.take_chunk(chunk, &mut writer).await?;
        }
        let (end, known) = file.end().await?;
        if end.refusal.is_none() {
            self.keep_refused().await?;
        }
        let registry = self.hub.registry.clone();
        let batch = if self.plan.has_masters() {
            let staged = writer.finish().await?;
            if end.refusal.is_none() {
                self.take_all_to_masters(known).await?;
            }
            let batch = self.settle_any(end, staged).await?;
            registry.relink().await?;
            batch
        } else {
            // everything that names a party is written by now, and no fact says which party it is
            let settling = async { self.settle_any(end, writer.finish().await?).await };
            let (batch, linked) = tokio::join!(settling, registry.relink());
            let batch = batch?;
            linked?;
            batch
        };
        if batch.counts.front >= LARGE {
            self.hub.db.rest().await?;
        }
        Ok(batch)
    }

    /// Reads the file a second time, for the masters.
    async fn take_all_to_masters(&mut self, known: KnownBefore) -> Result<()> {
        self.pass_the_point_of_no_return().await?;
        let mut file = self.open_file(known, None).await?;
        while let Some(chunk) = file.chunks.recv().await {
            self.take_to_masters(chunk).await?;
        }
        file.end().await?;
        Ok(())
    }

    async fn settle_any(&self, end: FileEnd, staged: mj_facts::Staged) -> Result<Batch> {
        match &end.refusal {
            Some(_) => self.settle_refused(end).await,
            None => self.settle(end, staged).await,
        }
    }

    /// Marks the batch as running and forgets what an interrupted run left in the error store. Gives
    /// the batch where it ended meanwhile.
    async fn begin(&mut self) -> Result<Option<Batch>> {
        self.look_for_a_stop().await?;
        let mut tx = self.transaction("datahub.batch.run").await?;
        let mut batch = match self.still_running(&mut tx).await? {
            Ok(batch) => batch,
            Err(ended) => return Ok(Some(ended)),
        };
        store::error_row::clear(&mut tx, &batch.id).await?;
        withdraw::remember(&mut tx, self.hub, &batch).await?;
        if batch.state != BatchState::Running {
            batch.state = BatchState::Running;
            batch.version = store::batch::save_outcome(&mut tx, &batch).await?;
        }
        tx.commit().await?;
        self.batch = batch;
        Ok(None)
    }

    async fn look_for_a_stop(&self) -> Result<()> {
        match jobs::cancel_asked(&self.hub.db, &self.batch.job_key()).await? {
            true => Err(Error::StopAsked),
            false => Ok(()),
        }
    }

    /// The masters keep no record of what they were: from here on the load goes to its end.
    async fn pass_the_point_of_no_return(&self) -> Result<()> {
        let mut tx = self.transaction("datahub.batch.settle").await?;
        self.close_to_stops(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    async fn close_to_stops(&self, tx: &mut WriteTx) -> Result<()> {
        match jobs::close_to_cancel(tx, &self.batch.job_key()).await? {
            true => Ok(()),
            false => Err(Error::StopAsked),
        }
    }

    /// The file from its beginning, read and prepared by two threads. They stand below the others: the
    /// transactions that their rows wait for come first, and so does everybody else's work.
    async fn open_file(&self, known: KnownBefore, spent: Option<Spent>) -> Result<OpenFile> {
        let (send, incoming) = mpsc::channel::<Chunk>(1);
        let reading = self.start_reading(known, send, spent)?;
        let (ready, chunks) = mpsc::channel::<Ready>(1);
        let (hub, plan, batch) = (self.hub.clone(), self.plan.clone(), self.batch.id.clone());
        let key = self.file_key().await?;
        let preparing = spawn_below("load-ready", move || {
            ready::run(&hub, &plan, &batch, &key, incoming, &ready)
        });
        Ok(OpenFile { chunks, preparing: preparing.map_err(Error::no_thread)?, reading })
    }

    /// What refused rows are sealed under.
    async fn file_key(&self) -> Result<DataKey> {
        let mut tx = self.transaction("datahub.batch.collect").await?;
        let key = self.hub.blobs.data_key(&mut tx, &self.batch.blob_id).await?;
        tx.commit().await?;
        Ok(key)
    }

    async fn transaction(&self, action: &'static str) -> Result<WriteTx> {
        let object = format!("hub_batch:{}", self.batch.id);
        let act = Act::new(&Actor::system("datahub"), action, object);
        Ok(self.hub.db.begin(Lane::Bulk, act).await?)
    }

    fn start_reading(
        &self,
        known: KnownBefore,
        chunks: mpsc::Sender<Chunk>,
        spent: Option<Spent>,
    ) -> Result<oneshot::Receiver<(Result<FileEnd>, KnownBefore)>> {
        let hub = self.hub.clone();
        let table = self.plan.table;
        let (blob_id, size) = (self.batch.blob_id.clone(), self.batch.bytes as u64);
        let (source, number) = (self.batch.cd_source.clone(), self.batch.cd_batch.clone());
        // reception decides, not the moment of this run: a second run must judge alike
        let now = self.batch.received_at;
        let pushed = self.batch.channel == Channel::Push && self.batch.mends_batch.is_none();
        let own_json = pushed || self.batch.mends_batch.is_some();
        let handle = tokio::runtime::Handle::current();
        let (here, sha256) = (self.local.clone(), self.batch.body_sha256.clone());
        let reading = spawn_below("load-read", move || {
            let context = Context {
                now,
                today: beijing_date(now),
                envelope: if pushed { Envelope::Http } else { Envelope::File },
                source: Some(&source),
                batch: Some(&number),
                lookups: &known.lookups,
            };
            let scratch = hub.inbox.folder().to_owned();
            let (db, blobs) = (hub.db.clone(), hub.blobs.clone());
            let opened = here.clone();
            let open: Opener = Box::new(move || match &opened {
                Some(local) => Ok(local.open().map_err(mj_platform::Error::io("导入的文件"))?),
                None => blob_source::open(&handle, &db, &blobs, &blob_id, size, &scratch),
            });
            let mut engine = Engine::new(table);
            let end = read::read_file(
                &open,
                own_json,
                &mut engine,
                &context,
                &known.local,
                &chunks,
                spent,
            );
            let end = match here {
                Some(here) if !here.was(&sha256) => Err(Error::LocalChanged),
                _ => end,
            };
            (end, known)
        });
        reading.map_err(Error::no_thread)
    }

    async fn take_chunk(&mut self, ready: Ready, writer: &mut stage::Writer) -> Result<()> {
        self.look_for_a_stop().await?;
        let Ready { chunk, linked, said, personal, refused } = ready;
        for (total, more) in self.by_class.iter_mut().zip(chunk.by_class) {
            *total += more;
        }
        for (rule, rows) in chunk.by_rule {
            *self.by_rule.entry(rule).or_default() += rows;
        }
        self.standing.rows += chunk.rows;
        self.standing.error += refused.len() as i64;
        // a second reading follows where there are masters
        self.standing.percent = chunk.percent / if self.plan.has_masters() { 2 } else { 1 };
        if self.batch.mends_batch.is_some() {
            self.mended.extend(chunk.accepted.iter().filter_map(|row| row.original_row));
        }
        self.refused.extend(refused);
        if self.refused.len() >= REFUSED_ROWS {
            self.keep_refused().await?;
        }
        let mentions = self.mentions(chunk.accepted.len(), linked, said).await?;
        let keys = self.data_keys(&personal).await?;
        writer.push(stage::Load { rows: chunk.accepted, mentions, personal, keys }).await?;
        self.report().await
    }

    /// What was accepted before reaches the masters.
    async fn take_to_masters(&mut self, ready: Ready) -> Result<()> {
        let Ready { chunk, linked, said, personal, .. } = ready;
        let mentions = self.mentions(chunk.accepted.len(), linked, said).await?;
        self.apply(&chunk.accepted, &mentions, &personal).await?;
        self.standing.percent = 50 + chunk.percent / 2;
        self.report().await
    }

    /// The number of each row's mention; 0 where the row names no party.
    async fn mentions(
        &self,
        rows: usize,
        linked: Vec<usize>,
        said: mj_registry::Said,
    ) -> Result<Vec<i64>> {
        let mut mentions = vec![0; rows];
        if !linked.is_empty() {
            let numbers = self.hub.registry.resolve_prepared(said).await?;
            for (index, number) in linked.into_iter().zip(numbers) {
                mentions[index] = number;
            }
        }
        Ok(mentions)
    }

    /// The keys of everybody whose values are to be sealed. Those of parties were made with their
    /// mentions.
    async fn data_keys(
        &self,
        personal: &[seal::PersonalRow],
    ) -> Result<FxHashMap<String, DataKey>> {
        let mut subjects: Vec<String> =
            personal.iter().filter_map(|row| row.subject.clone()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let keys = match self.hub.keys.remembered(&subjects) {
            Some(keys) => keys,
            None => {
                let mut tx = self.transaction("datahub.batch.collect").await?;
                let keys = self.hub.keys.data_keys(&mut tx, &subjects).await?;
                tx.commit().await?;
                keys
            }
        };
        Ok(subjects.into_iter().zip(keys).collect())
    }

    /// Writes the refused rows gathered so far.
    async fn keep_refused(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.refused);
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.transaction("datahub.batch.collect").await?;
        store::error_row::insert_many(&mut tx, &rows).await?;
        Ok(tx.commit().await?)
    }

    async fn report(&mut self) -> Result<()> {
        if self.reported.elapsed() < REPORT_EVERY {
            return Ok(());
        }
        self.reported = Instant::now();
        let millis = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.standing.rows_per_second = self.standing.rows * 1_000 / millis.max(1);
        self.standing.by_class = read::class_counts(&self.by_class);
        if let Some(listener) = &self.listener {
            listener(&self.standing);
        }
        if let Some(job) = self.job {
            job.progress(self.standing.percent, 100, &self.standing.message()).await?;
        }
        Ok(())
    }

    /// The one transaction in which the batch becomes what it will always have been.
    async fn settle(&self, end: FileEnd, staged: mj_facts::Staged) -> Result<Batch> {
        let mut tx = self.transaction("datahub.batch.settle").await?;
        let mut batch = match self.still_running(&mut tx).await? {
            Ok(batch) => batch,
            Err(settled) => return Ok(settled),
        };
        self.close_to_stops(&mut tx).await?;
        let receipt = self.hub.facts.commit(staged, &mut tx).await?;
        let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        batch.counts = Counts {
            front: self.standing.rows,
            pending: 0,
            correct: count(receipt.correct),
            error: self.standing.error,
            duplicate: count(receipt.duplicate),
            superseded: count(receipt.superseded),
        };
        if !batch.counts.reconcile() {
            return Err(Error::BatchFailed("各层数量不能对平，本次没有入库".into()));
        }
        batch.by_class = read::class_counts(&self.by_class);
        if batch.counts.duplicate > 0 {
            batch.by_class.insert(Class::MERGE.code().to_owned(), batch.counts.duplicate);
        }
        batch.by_rule = self.by_rule.clone();
        batch.message = (!end.remarks.is_empty()).then(|| end.remarks.join("；"));
        if let Some(mends) = &batch.mends_batch {
            for row in &self.mended {
                store::error_row::mend(&mut tx, mends, *row, &batch.id).await?;
            }
            let left = store::error_row::open_in(&mut tx, mends).await?;
            tx.publish(&Event::RowsMended { batch_id: mends.clone(), left }).await?;
        }
        self.finish(tx, batch, end).await
    }

    /// The file as a whole is no table: the batch is settled with no row and a message.
    async fn settle_refused(&self, end: FileEnd) -> Result<Batch> {
        let mut tx = self.transaction("datahub.batch.refuse").await?;
        let mut batch = match self.still_running(&mut tx).await? {
            Ok(batch) => batch,
            Err(settled) => return Ok(settled),
        };
        self.close_to_stops(&mut tx).await?;
        store::error_row::clear(&mut tx, &batch.id).await?;
        batch.counts = Counts::default();
        if let Some(refusal) = &end.refusal {
            batch.by_class = BTreeMap::from([(Class::STRUCTURE.code().to_owned(), 1)]);
            batch.by_rule = BTreeMap::from([(refusal.rule.clone(), 1)]);
            batch.message = Some(refusal.message.clone());
        }
        self.finish(tx, batch, end).await
    }

    async fn finish(&self, mut tx: WriteTx, mut batch: Batch, end: FileEnd) -> Result<Batch> {
        batch.state = BatchState::Settled;
        batch.settled_at = Some(tx.now());
        batch.header = Some(end.header);
        batch.encoding = Some(end.encoding);
        withdraw::needs_none(&mut tx, &batch).await?;
        batch.version = store::batch::save_outcome(&mut tx, &batch).await?;
        self.tell_refused(&mut tx, &batch).await?;
        tx.publish(&Event::BatchSettled {
            batch_id: batch.id.clone(),
            table: batch.table.clone(),
            cd_source: batch.cd_source.clone(),
        })
        .await?;
        tx.commit().await?;
        if let Some(listener) = &self.listener {
            listener(&Standing { percent: 100, ..self.standing.clone() });
        }
        Ok(batch)
    }

    /// Refused rows are their source's to mend, by a deadline. What a mending batch could not mend is
    /// still open where it came from.
    async fn tell_refused(&self, tx: &mut WriteTx, batch: &Batch) -> Result<()> {
        if batch.counts.error == 0 || batch.mends_batch.is_some() {
            return Ok(());
        }
        let source = self.hub.source(&batch.cd_source).await?;
        let deadline = crate::repair::deadline(beijing_date(tx.now()))?;
        let event = Event::RowsRefused {
            batch_id: batch.id.clone(),
            title: format!("{}批次 {} ", self.plan.table.title, batch.cd_batch),
            agency: source.agency,
            agency_name: source.agency_name,
            area: source.area,
            rows: batch.counts.error,
            deadline: Some(deadline.to_string()),
        };
        Ok(tx.publish(&event).await?)
    }

    /// The batch, locked; or what another runner made of it meanwhile.
    async fn still_running(&self, tx: &mut WriteTx) -> Result<Result<Batch, Batch>> {
        let batch = store::batch::by_id_in(tx, &self.batch.id).await?.ok_or(Error::UnknownBatch)?;
        Ok(if batch.state.is_final() { Err(batch) } else { Ok(batch) })
    }
}
