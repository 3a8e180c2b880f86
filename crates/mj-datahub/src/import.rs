//! A file handed over on the machine itself (`mingjian import`): the same door as everybody's, only
//! that the caller waits and watches.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use mj_kernel::Actor;
use mj_platform::{Act, Lane};

use crate::Datahub;
use crate::error::{Error, Result};
use crate::local_source::Local;
use crate::model::{Batch, Channel, Portion};
use crate::progress::Listener;
use crate::receive::Delivery;
use crate::upload::MAX_BYTES;

/// What to import.
#[derive(Debug, Clone)]
pub struct Import<'a> {
    pub table: &'a str,
    pub file: &'a Path,
    pub cd_source: &'a str,
    /// `None`: the next number of the day.
    pub cd_batch: Option<&'a str>,
    pub portion: Portion,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Imported {
    pub batch: Batch,
    /// The same file had been imported before; nothing was done.
    pub again: bool,
}

impl Datahub {
    /// Makes the file durable as a batch without running it: for a node whose runner does that.
    pub async fn receive_file(&self, import: &Import<'_>) -> Result<Imported> {
        let table = self.table(import.table)?;
        let source = self.source(import.cd_source).await?;
        let size =
            std::fs::metadata(import.file).map_err(mj_platform::Error::io(import.file))?.len();
        if size > MAX_BYTES {
            return Err(Error::TooLarge("单个文件不超过2 GiB，请拆分后导入".into()));
        }
        let (blobs, path) = (self.blobs.clone(), import.file.to_owned());
        let blob = tokio::task::spawn_blocking(move || {
            let file = std::fs::File::open(&path).map_err(mj_platform::Error::io(&path))?;
            blobs.store(std::io::BufReader::new(file))
        })
        .await
        .map_err(Error::thread)??;
        let name = import.file.file_name().map(|name| name.to_string_lossy().into_owned());
        let delivery = Delivery {
            table,
            source: &source,
            cd_batch: import.cd_batch,
            channel: Channel::File,
            portion: import.portion,
            format: "auto",
            file_name: name.as_deref(),
            body_sha256: &blob.sha256,
            bytes: blob.size,
            blob: Some(&blob),
            rows: None,
            mends: None,
        };
        let object = format!("hub_source:{}", import.cd_source);
        let act = Act::new(&Actor::system("import"), "datahub.batch.import", object);
        let mut tx = self.db.begin(Lane::People, act).await?;
        let received = self.receive(&mut tx, &delivery).await?;
        tx.commit().await?;
        self.wake();
        if received.again {
            self.blobs.discard(&self.db, &blob).await?;
        }
        Ok(Imported { batch: received.batch, again: received.again })
    }

    /// Imports a file and waits until its batch is settled. The batch's job, when a runner takes it
    /// up later, finds nothing left to do.
    pub async fn import_file(
        &self,
        import: &Import<'_>,
        listener: Option<Listener>,
    ) -> Result<Imported> {
        self.import_file_until(import, listener, std::future::pending()).await
    }

    /// As [`Datahub::import_file`]; when `stop` resolves the load is stopped at its next chunk, if it
    /// can still be.
    pub async fn import_file_until(
        &self,
        import: &Import<'_>,
        listener: Option<Listener>,
        stop: impl Future<Output = ()>,
    ) -> Result<Imported> {
        let received = self.receive_file(import).await?;
        let size = u64::try_from(received.batch.bytes).unwrap_or_default();
        let local = Arc::new(Local::new(import.file, size));
        let id = &received.batch.id;
        let load = self.ingest_from(id, None, listener, Some(local));
        tokio::pin!(load, stop);
        let batch = tokio::select! {
            done = &mut load => done?,
            () = &mut stop => {
                // the load goes on until it comes to look
                let (asked, done) = tokio::join!(self.interrupt(id), load);
                asked?;
                done?
            }
        };
        Ok(Imported { batch, again: received.again })
    }

    /// The operator at the machine wants no more of it; what is over is over.
    pub async fn interrupt(&self, id: &str) -> Result<()> {
        let reason = "操作者在终端中断";
        let act =
            Act::new(&Actor::system("import"), "datahub.batch.cancel", format!("hub_batch:{id}"));
        match self.stop_batch(act.because(reason), id, reason).await {
            Ok(_) | Err(Error::TooLateToStop(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A batch as it stands, for whoever follows one.
    pub async fn batch(&self, id: &str) -> Result<Option<Batch>> {
        crate::store::batch::by_id(&self.db, id).await
    }
}
