//! The writing thread: seals personal values, hashes contents and pushes rows into the fact store's
//! stage, while the next chunk is being read and linked. Rows that are done with go back to the
//! reading thread, to be filled again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use mj_facts::{FactIn, Stage, Staged};
use mj_platform::keys::{DataKey, Keys};
use mj_platform::rank::spawn_below;
use rustc_hash::FxHashMap;
use siphasher::sip128::SipHasher13;
use tokio::sync::{mpsc, oneshot};

use super::plan::TablePlan;
use super::read::Accepted;
use super::seal::{PersonalRow, content_of, norm_json, seal_row, stored_id};
use crate::error::{Error, Result};

/// How many rows ahead are called up.
const AHEAD: usize = 2;

/// A chunk with everything that was asked of the store for it.
pub struct Load {
    pub rows: Vec<Accepted>,
    /// 0: the row names no party.
    pub mentions: Vec<i64>,
    pub personal: Vec<PersonalRow>,
    pub keys: FxHashMap<String, DataKey>,
}

/// The writing thread's handle.
pub struct Writer {
    loads: mpsc::Sender<Load>,
    thread: oneshot::Receiver<Result<Staged>>,
    /// Without it the rows are dropped: whoever lets go of the writer wants none of them.
    wanted: Arc<AtomicBool>,
}

impl Writer {
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        plan: Arc<TablePlan>,
        keys: Keys,
        stage: Stage,
        spent: Sender<Vec<Accepted>>,
    ) -> Result<Self> {
        let (loads, incoming) = mpsc::channel(2);
        let wanted = Arc::new(AtomicBool::new(false));
        let finishes = wanted.clone();
        let thread = spawn_below("load-write", move || {
            let stage = write(&plan, &keys, stage, incoming, &spent)?;
            match finishes.load(Ordering::Acquire) {
                true => Ok(stage.finish()?),
                false => Err(Error::Thread("装载已中止".into())),
            }
        });
        Ok(Self { loads, thread: thread.map_err(Error::no_thread)?, wanted })
    }

    pub async fn push(&mut self, load: Load) -> Result<()> {
        if self.loads.send(load).await.is_ok() {
            return Ok(());
        }
        // the thread ended early: its result says why
        match (&mut self.thread).await.map_err(Error::thread_lost)? {
            Err(error) => Err(error),
            Ok(_) => Err(Error::Thread("写入线程提前结束".into())),
        }
    }

    pub async fn finish(self) -> Result<Staged> {
        self.wanted.store(true, Ordering::Release);
        drop(self.loads);
        self.thread.await.map_err(Error::thread_lost)?
    }
}

fn write(
    plan: &TablePlan,
    keys: &Keys,
    mut stage: Stage,
    mut incoming: mpsc::Receiver<Load>,
    spent: &Sender<Vec<Accepted>>,
) -> Result<Stage> {
    let hash = SipHasher13::new_with_key(keys.content_key());
    let mut business_key = String::new();
    let mut scratch = Vec::new();
    while let Some(load) = incoming.blocking_recv() {
        let Load { mut rows, mentions, personal, keys: data_keys } = load;
        for (at, (mention, personal)) in mentions.into_iter().zip(personal).enumerate() {
            if let Some(next) = rows.get(at + AHEAD) {
                next.call_up();
            }
            let row = &mut rows[at];
            let content = content_of(plan, &row.values, &hash, &mut scratch);
            let has_key = plan.business_key(&row.values, &mut business_key);
            let cd_time = row.values[plan.cd_time]
                .as_deref()
                .and_then(mj_kernel::clock::parse_instant)
                .ok_or_else(|| {
                    mj_platform::Error::Corrupt(format!("第{}行的数据时间无法读取", row.row))
                })?;
            let op = plan.operation(&row.values);
            let event_date = plan.event_date(&row.values);
            if let Some(hashed) = stored_id(plan, &row.values, &personal, keys) {
                if let Some(identity) = plan.identity
                    && row.values[identity] == row.values[plan.cd_id]
                {
                    row.values[identity] = Some(hashed.clone());
                }
                row.values[plan.cd_id] = Some(hashed);
            }
            if let Some(subject) = &personal.subject {
                let key = data_keys
                    .get(subject)
                    .ok_or_else(|| mj_platform::Error::Key("数据密钥未能建立".into()))?;
                seal_row(plan, row, &personal, key);
            }
            let norm = norm_json(plan, row);
            let text = |at: usize| row.values[at].as_deref();
            let values: Vec<Option<&str>> = plan.stored.iter().map(|at| text(*at)).collect();
            stage.push(&FactIn {
                cd_source: text(plan.cd_source).unwrap_or_default(),
                cd_id: text(plan.cd_id).unwrap_or_default(),
                cd_time,
                op,
                mention: (mention != 0).then_some(mention),
                business_key: has_key.then_some(business_key.as_str()),
                content,
                area: plan.area_at().and_then(text),
                agency: plan.agency_at().and_then(text),
                event_date,
                values: &values,
                norm: norm.as_deref(),
                row: row.row,
            })?;
        }
        // nobody takes them any more at the end of the file
        let _ = spent.send(rows);
    }
    Ok(stage)
}
