//! How the node stands: what waits, what is stuck, how large the database is. `/metrics` shows it,
//! `doctor` judges it.

use mj_kernel::Instant;
use mj_platform::{Config, Db, Dialect, Result, RowExt};

/// Jobs and events that wait.
#[derive(Debug, Default)]
pub struct Queues {
    /// (state, how many)
    pub jobs: Vec<(String, i64)>,
    /// Jobs that could run now.
    pub due: i64,
    /// Since when the oldest of them waits.
    pub due_since: Option<Instant>,
    /// Jobs under way whose worker has not been heard of for so long that it must be gone.
    pub stuck: i64,
    pub events: i64,
    pub events_since: Option<Instant>,
}

/// Beyond its lease by so much a job is stuck: the runner takes it back at once, if there is one.
const STUCK_AFTER: Instant = 10 * 60 * 1_000_000;

pub async fn queues(db: &Db) -> Result<Queues> {
    let now = db.clock().now();
    let mut queues = Queues::default();
    for row in db
        .fetch_all("SELECT state, COUNT(*) AS n FROM job GROUP BY state ORDER BY state", &[])
        .await?
    {
        queues.jobs.push((row.text("state")?, row.int("n")?));
    }
    let due = db
        .fetch_one(
            "SELECT COUNT(*) AS n, MIN(run_at) AS since FROM job \
             WHERE state = 'queued' AND run_at <= $1",
            &[now.into()],
        )
        .await?;
    (queues.due, queues.due_since) = (due.int("n")?, due.opt_int("since")?);
    queues.stuck = db
        .count(
            "SELECT COUNT(*) FROM job WHERE state = 'running' AND lease_until < $1",
            &[(now - STUCK_AFTER).into()],
        )
        .await?;
    let events = db
        .fetch_one(
            "SELECT COUNT(*) AS n, MIN(at) AS since FROM outbox WHERE delivered_at IS NULL",
            &[],
        )
        .await?;
    (queues.events, queues.events_since) = (events.int("n")?, events.opt_int("since")?);
    Ok(queues)
}

/// Bytes of the database, and of what it has not yet put in its place (WAL) where that can be asked.
pub async fn sizes(db: &Db, config: &Config) -> Result<(i64, Option<i64>)> {
    match db.dialect() {
        Dialect::Sqlite => {
            let path = sqlite_path(config.database_url.reveal());
            let size = |path: &str| {
                std::fs::metadata(path)
                    .map_or(0, |file| i64::try_from(file.len()).unwrap_or(i64::MAX))
            };
            Ok((size(path), Some(size(&format!("{path}-wal")))))
        }
        Dialect::Postgres => {
            let size = db.count("SELECT pg_database_size(current_database())", &[]).await?;
            let wal = "SELECT CAST(SUM(size) AS BIGINT) FROM pg_ls_waldir()";
            // only a monitoring role may ask
            Ok((size, db.count(wal, &[]).await.ok()))
        }
    }
}

pub fn sqlite_path(url: &str) -> &str {
    url.trim_start_matches("sqlite:").trim_start_matches("//")
}

/// Resident memory of this process in bytes, where the system tells.
pub fn memory() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// Free and total bytes where this path lies.
pub fn disk(path: &std::path::Path) -> Option<(u64, u64)> {
    let about = rustix::fs::statvfs(path).ok()?;
    Some((about.f_bavail * about.f_frsize, about.f_blocks * about.f_frsize))
}
