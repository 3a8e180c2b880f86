//! `GET /metrics`: the node's figures as Prometheus text, for whoever asks from the machine itself.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mj_platform::{Config, Db, Result, RowExt};
use mj_web::metrics::Exposition;

use crate::ledger::api::Desk;
use crate::standing;

#[derive(Clone)]
pub struct Figures {
    db: Db,
    config: Config,
    log: Desk,
}

impl Figures {
    pub fn new(db: Db, config: Config, log: Desk) -> Self {
        Self { db, config, log }
    }

    async fn page(&self) -> Result<String> {
        let mut page = Exposition::default();
        let version =
            [("version", env!("CARGO_PKG_VERSION")), ("database", self.db.dialect().name())];
        page.about("mingjian_info", "gauge", "What runs here.").value("mingjian_info", &version, 1);
        page.requests();
        self.queues(&mut page).await?;
        self.log(&mut page).await?;
        self.batches(&mut page).await?;
        self.sizes(&mut page).await?;
        Ok(page.text())
    }

    async fn queues(&self, page: &mut Exposition) -> Result<()> {
        let queues = standing::queues(&self.db).await?;
        page.about("mingjian_jobs", "gauge", "Background jobs by state.");
        for state in ["queued", "running", "done", "failed"] {
            let known = queues.jobs.iter().find(|(name, _)| name == state);
            page.value("mingjian_jobs", &[("state", state)], known.map_or(0, |(_, count)| *count));
        }
        let now = self.db.clock().now();
        let waited = |since: Option<i64>| since.map_or(0, |since| (now - since).max(0) / 1_000_000);
        for (name, help, value) in [
            ("mingjian_queue_length", "Jobs that could run now.", queues.due),
            (
                "mingjian_queue_lag_seconds",
                "How long the oldest of them waits.",
                waited(queues.due_since),
            ),
            ("mingjian_jobs_stuck", "Jobs whose worker is gone.", queues.stuck),
            ("mingjian_outbox_length", "Events not yet delivered.", queues.events),
            (
                "mingjian_outbox_lag_seconds",
                "How long the oldest of them waits.",
                waited(queues.events_since),
            ),
        ] {
            page.about(name, "gauge", help).value(name, &[], value);
        }
        Ok(())
    }

    async fn log(&self, page: &mut Exposition) -> Result<()> {
        let entries = self.db.count("SELECT entries FROM change_head WHERE id = 1", &[]).await?;
        let sealed = i64::try_from(self.log.shelf().sealed()?).unwrap_or(i64::MAX);
        for (name, help, value) in [
            ("mingjian_log_entries", "Entries of the supervision log.", entries),
            ("mingjian_log_unsigned", "Of these not yet in a signed checkpoint.", entries - sealed),
            (
                "mingjian_rollback_suspected",
                "Whether a witness saw more of the log than this store holds.",
                i64::from(self.db.is_held()),
            ),
        ] {
            page.about(name, "gauge", help).value(name, &[], value);
        }
        if let Some(last) = self.log.verifier.last() {
            let found = i64::try_from(last.found).unwrap_or(i64::MAX);
            let (name, help) = ("mingjian_log_findings", "Rows not as the supervision log says.");
            page.about(name, "gauge", help).value(name, &[], found);
        }
        let Some(attached) = self.log.attached() else { return Ok(()) };
        let now = attached.outside.now().await?;
        let (lag, alarm) = ("mingjian_witness_lag_seconds", "mingjian_witness_alarm");
        page.about(lag, "gauge", "Since a witness last signed this log.");
        for one in &now {
            let seconds = i64::try_from(one.lag.as_secs()).unwrap_or(i64::MAX);
            page.value(lag, &[("witness", &one.name)], seconds);
        }
        page.about(alarm, "gauge", "Whether that is too long ago.");
        for one in &now {
            page.value(alarm, &[("witness", &one.name)], i64::from(one.alarm));
        }
        Ok(())
    }

    async fn batches(&self, page: &mut Exposition) -> Result<()> {
        page.about("mingjian_batches", "gauge", "Deliveries by state.");
        let batches = "SELECT state, COUNT(*) AS n FROM hub_batch GROUP BY state ORDER BY state";
        let known = self.db.fetch_all(batches, &[]).await?;
        for state in ["received", "running", "settled", "failed", "cancelled"] {
            let mut count = 0;
            for row in &known {
                if row.text("state")? == state {
                    count = row.int("n")?;
                }
            }
            page.value("mingjian_batches", &[("state", state)], count);
        }
        page.about("mingjian_rows", "gauge", "Delivered rows by what became of them.");
        let outcomes = ["pending", "correct", "error", "duplicate", "superseded"];
        let sums =
            outcomes.map(|name| format!("CAST(COALESCE(SUM({name}), 0) AS BIGINT) AS {name}"));
        let sql = format!("SELECT {} FROM hub_batch", sums.join(", "));
        let row = self.db.fetch_one(&sql, &[]).await?;
        for outcome in outcomes {
            page.value("mingjian_rows", &[("outcome", outcome)], row.int(outcome)?);
        }
        Ok(())
    }

    async fn sizes(&self, page: &mut Exposition) -> Result<()> {
        let (database, wal) = standing::sizes(&self.db, &self.config).await?;
        let disk = standing::disk(&self.config.data_dir);
        let free = disk.and_then(|(free, _)| i64::try_from(free).ok());
        for (name, help, value) in [
            ("mingjian_database_bytes", "Size of the database.", Some(database)),
            ("mingjian_database_wal_bytes", "Size of the write-ahead log.", wal),
            ("mingjian_disk_free_bytes", "Free space under the data directory.", free),
            ("process_resident_memory_bytes", "Resident memory.", standing::memory()),
        ] {
            if let Some(value) = value {
                page.about(name, "gauge", help).value(name, &[], value);
            }
        }
        Ok(())
    }
}

pub async fn show(
    State(figures): State<Figures>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    // a proxy on this machine speaks for somebody elsewhere
    let relayed =
        headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED);
    if relayed || !peer.ip().to_canonical().is_loopback() {
        return (StatusCode::FORBIDDEN, "运行指标只在本机提供（http://localhost:端口/metrics）\n")
            .into_response();
    }
    match figures.page().await {
        Ok(page) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page)
            .into_response(),
        Err(error) => {
            tracing::error!(error = %error, "运行指标无法取得");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
