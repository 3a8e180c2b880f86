//! The comparison in the background: the tables that people work on every few minutes, all of them
//! once a day. What it finds is said in the log of the process and on the page 监管日志.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mj_kernel::Instant;
use mj_platform::Db;
use mj_platform::ledger::verify::Wanted;

use super::verify;
use crate::cli::Failure;

/// A table with more rows than this is looked at once a day.
const HOT_ROWS: i64 = 100_000;
const WHOLE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// What the last comparison found.
#[derive(Debug, Clone, Default)]
pub struct Last {
    pub at: Instant,
    pub whole: bool,
    pub rows: u64,
    pub entries: u64,
    /// Lines as `mingjian verify` prints them, at most a hundred.
    pub findings: Vec<String>,
    pub found: u64,
    pub failed: Option<String>,
}

#[derive(Clone)]
pub struct Verifier {
    db: Db,
    data_dir: PathBuf,
    every: Option<Duration>,
    last: Arc<Mutex<Option<Last>>>,
}

impl Verifier {
    pub fn new(db: Db, data_dir: PathBuf, minutes: u32) -> Self {
        let every = (minutes > 0).then(|| Duration::from_secs(u64::from(minutes) * 60));
        Self { db, data_dir, every, last: Arc::default() }
    }

    pub fn last(&self) -> Option<Last> {
        self.last.lock().ok()?.clone()
    }

    pub async fn watch(&self, stop: impl Future<Output = ()>) {
        let Some(every) = self.every else { return stop.await };
        tokio::pin!(stop);
        let mut since_whole = Duration::ZERO;
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(every) => {}
            }
            since_whole += every;
            let whole = since_whole >= WHOLE_EVERY;
            if whole {
                since_whole = Duration::ZERO;
            }
            tokio::select! {
                () = &mut stop => return,
                () = self.look(whole) => {}
            }
        }
    }

    async fn look(&self, whole: bool) {
        let at = self.db.clock().now();
        let mut last = Last { at, whole, ..Last::default() };
        match self.compare(whole).await {
            Ok((findings, found, rows, entries)) => {
                if found > 0 {
                    tracing::error!(found, "业务数据与监管日志不符，请执行 mingjian verify");
                }
                (last.findings, last.found, last.rows, last.entries) =
                    (findings, found, rows, entries);
            }
            Err(error) => {
                tracing::error!(error = %error, "未能核对监管日志，稍后重试");
                last.failed = Some("未能核对，稍后重试".to_owned());
            }
        }
        if let Ok(mut kept) = self.last.lock() {
            *kept = Some(last);
        }
    }

    async fn compare(&self, whole: bool) -> Result<(Vec<String>, u64, u64, u64), Failure> {
        let up_to = (!whole).then_some(HOT_ROWS);
        let wanted = Wanted { outside: None, up_to, added: super::added_columns() };
        let (report, facts) = verify::look(&self.db, &self.data_dir, &wanted).await?;
        let mut lines = verify::lines(&report, &facts);
        let found = lines.len() as u64 + report.more;
        lines.truncate(100);
        Ok((lines, found, report.rows, report.entries))
    }
}
