//! The comparison in the background: the tables that people work on every few minutes, all of them
//! once a day, counted over restarts. What it finds is said in the log of the process, on the page 监管日志,
//! in `/metrics` and by `doctor`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mj_kernel::Instant;
use mj_platform::Db;
use mj_platform::durable;
use mj_platform::ledger::verify::Wanted;

use super::{verify, watched};
use serde::{Deserialize, Serialize};

use crate::cli::Failure;

/// A table with more rows than this is looked at once a day.
const HOT_ROWS: i64 = 100_000;
const WHOLE_EVERY: Instant = 24 * 3_600 * 1_000_000;
/// In the log's folder, so that a restart forgets nothing.
const COMPARED: &str = "compared";

/// What the last comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// The last comparisons: of everything, and of the tables that people work on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    pub whole: Option<Last>,
    pub hot: Option<Last>,
}

impl Compared {
    /// As a node left it in its data directory.
    pub fn of(data_dir: &Path) -> Self {
        let text = std::fs::read_to_string(data_dir.join("log").join(COMPARED));
        text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// What people must know: the newest that found something, else the newest.
    pub fn last(&self) -> Option<&Last> {
        self.whole.iter().chain(&self.hot).max_by_key(|last| (last.found > 0, last.at))
    }

    /// For good: what was found must not be forgotten by a power cut.
    fn keep(&self, data_dir: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec(self).map_err(Failure::broken)?;
        durable::put(&data_dir.join("log").join(COMPARED), &text)?;
        Ok(())
    }
}

#[derive(Clone)]
pub struct Verifier {
    db: Db,
    data_dir: PathBuf,
    every: Option<Duration>,
    compared: Arc<Mutex<Compared>>,
}

impl Verifier {
    pub fn new(db: Db, data_dir: PathBuf, minutes: u32) -> Self {
        let every = (minutes > 0).then(|| Duration::from_secs(u64::from(minutes) * 60));
        let compared = Arc::new(Mutex::new(Compared::of(&data_dir)));
        Self { db, data_dir, every, compared }
    }

    pub fn last(&self) -> Option<Last> {
        self.compared.lock().ok()?.last().cloned()
    }

    pub async fn watch(&self, stop: impl Future<Output = ()>) {
        let Some(every) = self.every else { return stop.await };
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(every) => {}
            }
            tokio::select! {
                () = &mut stop => return,
                () = self.look() => {}
            }
        }
    }

    /// Whether everything is to be compared again.
    fn is_due(&self, now: Instant) -> bool {
        let whole = self.compared.lock().ok().and_then(|kept| kept.whole.as_ref().map(|it| it.at));
        // a clock that was turned back must not put it off
        whole.is_none_or(|at| (now - at).abs() >= WHOLE_EVERY)
    }

    pub async fn look(&self) {
        let at = self.db.clock().now();
        let whole = self.is_due(at);
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
        let round = watched::Round {
            kind: "check",
            name: if whole { "whole" } else { "hot" },
            bad: last.found > 0,
            failed: last.failed.is_some(),
            worst: i64::try_from(last.found).unwrap_or(i64::MAX),
        };
        watched::count(&self.db, &round).await;
        let Ok(mut kept) = self.compared.lock() else { return };
        // one that failed stands for nothing that was compared before
        match whole && last.failed.is_none() {
            true => *kept = Compared { whole: Some(last), hot: None },
            false => kept.hot = Some(last),
        }
        if let Err(error) = kept.keep(&self.data_dir) {
            tracing::warn!(error = %error, "核对的结果未能写入 log/compared");
        }
    }

    async fn compare(&self, whole: bool) -> Result<(Vec<String>, u64, u64, u64), Failure> {
        let up_to = (!whole).then_some(HOT_ROWS);
        let keys = Some(self.db.vault()?);
        let wanted = Wanted { outside: None, up_to, added: super::added_columns(), keys };
        let (report, facts) = verify::look(&self.db, &self.data_dir, &wanted).await?;
        let mut lines = verify::lines(&report, &facts);
        let found = lines.len() as u64 + report.more;
        lines.truncate(100);
        Ok((lines, found, report.rows, report.entries))
    }
}

#[cfg(test)]
mod tests {
    use mj_kernel::Actor;
    use mj_platform::gm::vault::Vault;
    use mj_platform::ledger::Ledger;
    use mj_platform::{Act, Lane};
    use mj_testkit::TestDb;

    use super::*;

    /// A store whose log says of one agency what stands in its row.
    async fn store() -> TestDb {
        let kit = TestDb::new().await;
        let folder = kit.folder.path();
        std::fs::create_dir_all(folder.join("vault")).expect("a folder");
        let act = Act::new(&Actor::system("test"), "access.agency.create", "agency");
        let mut tx = kit.db().begin(Lane::People, act).await.expect("begin");
        let agency = mj_access::NewAgency {
            uscc: "11370400004400001P".into(),
            name: "枣庄市市场监督管理局".into(),
            area_number: "370400".into(),
            ..mj_access::NewAgency::default()
        };
        mj_access::create_agency(&mut tx, &agency).await.expect("made");
        tx.commit().await.expect("done");
        let vault = Arc::new(Vault::open(&folder.join("vault"), &[7; 16], false));
        let log = Ledger::open(kit.db().clone(), &folder.join("log"), vault, "370400").await;
        log.expect("opens").drain().await.expect("signed");
        kit
    }

    fn verifier(kit: &TestDb) -> Verifier {
        Verifier::new(kit.db().clone(), kit.folder.path().to_owned(), 10)
    }

    #[tokio::test]
    async fn a_running_node_finds_a_change_within_its_interval_and_a_restart_forgets_nothing() {
        let kit = store().await;
        let first = verifier(&kit);
        assert_eq!(first.last(), None);
        first.look().await;
        let last = first.last().expect("looked");
        assert!(last.whole && last.failed.is_none() && last.rows > 0, "{last:?}");
        assert_eq!(last.findings, Vec::<String>::new());

        kit.clock.advance_seconds(600);
        let act = Act::new(&Actor::system("test"), "test", "");
        let mut tx = kit.db().begin(Lane::People, act).await.expect("begin");
        tx.execute("UPDATE agency SET name = '别的'", &[]).await.expect("changed past the door");
        // and said to be a table too large to look at every time
        let large = "UPDATE truth_count SET row_count = 200000 WHERE table_name = 'agency'";
        tx.execute(large, &[]).await.expect("changed past the door");
        tx.commit().await.expect("done");
        // by itself, at its interval
        let every = Some(Duration::from_millis(10));
        let running = Verifier { every, ..first.clone() };
        let found = async {
            while first.last().is_none_or(|last| last.found == 0) {
                tokio::task::yield_now().await;
            }
        };
        running.watch(found).await;
        let last = first.last().expect("looked");
        assert!(!last.whole && last.found == 1, "{last:?}");
        assert!(last.findings[0].starts_with("FAIL\tchanged\tagency\t"), "{last:?}");

        // another process knows it, and that everything was compared ten minutes ago
        let second = verifier(&kit);
        assert_eq!(second.last(), Some(last));
        assert!(!second.is_due(kit.db().clock().now()));
        kit.clock.advance_seconds(24 * 3_600);
        assert!(second.is_due(kit.db().clock().now()));
        second.look().await;
        assert!(second.last().is_some_and(|last| last.whole && last.found == 1));
        // and the days tell how often was looked, and how often something was found
        let sql = "SELECT CAST(SUM(bad) AS BIGINT) FROM log_watch WHERE kind = 'check'";
        assert!(kit.db().count(sql, &[]).await.expect("counted") >= 2);
        let sql = "SELECT COUNT(*) FROM log_watch WHERE name = 'whole' AND rounds = 1";
        assert_eq!(kit.db().count(sql, &[]).await.expect("counted"), 2);
        // a later look at a part that finds nothing does not hide it
        let whole = second.last();
        let mut kept = Compared::of(kit.folder.path());
        kept.hot = Some(Last { at: kit.db().clock().now() + 1, ..Last::default() });
        assert_eq!(kept.last(), whole.as_ref());
    }
}
