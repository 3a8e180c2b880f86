//! The writing thread: seals personal values, hashes contents and pushes rows into the fact store's
//! stage, while the next chunk is being read and linked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mj_facts::{FactIn, Stage, Staged};
use mj_platform::keys::{DataKey, Keys};
use rustc_hash::FxHashMap;
use siphasher::sip128::SipHasher13;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::plan::TablePlan;
use super::read::Accepted;
use super::seal::{PersonalRow, content_of, norm_json, seal_row, stored_id};
use crate::error::{Error, Result};

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
    thread: JoinHandle<Result<Staged>>,
    /// Without it the rows are dropped: whoever lets go of the writer wants none of them.
    wanted: Arc<AtomicBool>,
}

impl Writer {
    pub fn start(plan: Arc<TablePlan>, keys: Keys, stage: Stage) -> Self {
        let (loads, incoming) = mpsc::channel(2);
        let wanted = Arc::new(AtomicBool::new(false));
        let finishes = wanted.clone();
        let thread = tokio::task::spawn_blocking(move || {
            let stage = write(&plan, &keys, stage, incoming)?;
            match finishes.load(Ordering::Acquire) {
                true => Ok(stage.finish()?),
                false => Err(Error::Thread("装载已中止".into())),
            }
        });
        Self { loads, thread, wanted }
    }

    pub async fn push(&mut self, load: Load) -> Result<()> {
        if self.loads.send(load).await.is_ok() {
            return Ok(());
        }
        // the thread ended early: its result says why
        match (&mut self.thread).await.map_err(Error::thread)? {
            Err(error) => Err(error),
            Ok(_) => Err(Error::Thread("写入线程提前结束".into())),
        }
    }

    pub async fn finish(self) -> Result<Staged> {
        self.wanted.store(true, Ordering::Release);
        drop(self.loads);
        self.thread.await.map_err(Error::thread)?
    }
}

fn write(
    plan: &TablePlan,
    keys: &Keys,
    mut stage: Stage,
    mut incoming: mpsc::Receiver<Load>,
) -> Result<Stage> {
    let hash = SipHasher13::new_with_key(keys.content_key());
    let mut business_key = String::new();
    let mut scratch = Vec::new();
    let mut values: Vec<Option<String>> = Vec::with_capacity(plan.stored.len());
    while let Some(load) = incoming.blocking_recv() {
        let Load { rows, mentions, personal, keys: data_keys } = load;
        for ((mut row, mention), personal) in rows.into_iter().zip(mentions).zip(personal) {
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
                seal_row(plan, &mut row, &personal, key);
            }
            let norm = norm_json(plan, &row);
            let cd_id = row.values[plan.cd_id].take().unwrap_or_default();
            let source = row.values[plan.cd_source].take();
            let (area, agency) = (plan.area_at(), plan.agency_at());
            let text = |at: Option<usize>| at.and_then(|at| row.values[at].clone());
            let (area, agency) = (text(area), text(agency));
            values.clear();
            values.extend(plan.stored.iter().map(|at| row.values[*at].take()));
            stage.push(&FactIn {
                cd_source: source.as_deref().unwrap_or_default(),
                cd_id: &cd_id,
                cd_time,
                op,
                mention: (mention != 0).then_some(mention),
                business_key: has_key.then_some(business_key.as_str()),
                content,
                area: area.as_deref(),
                agency: agency.as_deref(),
                event_date,
                values: &values,
                norm: norm.as_deref(),
                row: row.row,
            })?;
        }
    }
    Ok(stage)
}
