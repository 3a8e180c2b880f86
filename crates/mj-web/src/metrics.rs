//! Figures of the running node as Prometheus reads them: requests by route and status, how long they
//! took. Routes are templates, so that no address, and with it nobody's number, becomes a figure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Upper ends in seconds; what takes longer falls into `+Inf`.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

#[derive(Default)]
struct Series {
    by_status: BTreeMap<u16, u64>,
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
}

/// What was answered since the process started.
static ANSWERED: Mutex<BTreeMap<(String, String), Series>> = Mutex::new(BTreeMap::new());
static UNDER_WAY: AtomicI64 = AtomicI64::new(0);

/// A request being answered; counted out when dropped, also when its client went away.
pub(crate) struct UnderWay(());

impl UnderWay {
    pub(crate) fn new() -> Self {
        UNDER_WAY.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts one answer.
pub(crate) fn answered(method: &str, route: &str, status: u16, took: Duration) {
    // a method may be any word; figures must stay few
    let method = METHODS.iter().find(|known| **known == method).unwrap_or(&"other");
    // a panic while counting loses the count, not the answer
    let Ok(mut all) = ANSWERED.lock() else { return };
    let series = all.entry(((*method).to_owned(), route.to_owned())).or_default();
    *series.by_status.entry(status).or_default() += 1;
    let seconds = took.as_secs_f64();
    series.count += 1;
    series.seconds += seconds;
    for (bucket, end) in series.buckets.iter_mut().zip(BUCKETS) {
        *bucket += u64::from(seconds <= end);
    }
}

/// The text of all figures, to which a domain may add its own.
#[derive(Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a figure: what it is and of which kind (`gauge`, `counter`, `histogram`).
    pub fn about(&mut self, name: &str, kind: &str, help: &str) -> &mut Self {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self
    }

    /// One value of it.
    pub fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (nth, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let before = if nth == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{text}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    pub fn text(self) -> String {
        self.0
    }

    /// What the web floor itself has counted.
    pub fn requests(&mut self) {
        let Ok(all) = ANSWERED.lock() else { return };
        self.about("mingjian_http_requests_total", "counter", "Requests answered.");
        for ((method, route), series) in all.iter() {
            for (status, count) in &series.by_status {
                let status = status.to_string();
                let labels = [("method", &**method), ("route", &**route), ("status", &*status)];
                self.value("mingjian_http_requests_total", &labels, count);
            }
        }
        let name = "mingjian_http_request_duration_seconds";
        self.about(name, "histogram", "How long answers took.");
        for ((method, route), series) in all.iter() {
            let own = [("method", &**method), ("route", &**route)];
            let bucket = format!("{name}_bucket");
            for (end, count) in BUCKETS.iter().zip(series.buckets) {
                let end = end.to_string();
                self.value(&bucket, &[own[0], own[1], ("le", &*end)], count);
            }
            self.value(&bucket, &[own[0], own[1], ("le", "+Inf")], series.count);
            self.value(&format!("{name}_sum"), &own, series.seconds);
            self.value(&format!("{name}_count"), &own, series.count);
        }
        self.about("mingjian_http_requests_under_way", "gauge", "Requests being answered.");
        self.value("mingjian_http_requests_under_way", &[], UNDER_WAY.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_and_labels_cannot_break_a_line() {
        answered("GET", "/of/this/test", 200, Duration::from_millis(7));
        answered("GET", "/of/this/test", 404, Duration::from_secs(60));
        let mut page = Exposition::default();
        page.requests();
        page.value("x", &[("a", "b\"\n\\c")], 1);
        let text = page.text();
        let line = |label: &str| {
            let mut lines = text.lines().filter(|line| line.contains("/of/this/test"));
            let line = lines.find(|line| line.contains(label)).expect("a line");
            line.rsplit_once(' ').expect("a value").1.to_owned()
        };
        assert_eq!([line("status=\"200\""), line("status=\"404\"")], ["1", "1"]);
        let buckets = ["0.005", "0.01", "30", "+Inf"];
        assert_eq!(buckets.map(|end| line(&format!("le=\"{end}\""))), ["0", "1", "1", "2"]);
        assert_eq!(line("_count"), "2");
        assert!(text.ends_with("x{a=\"b\\\"\\n\\\\c\"} 1\n"), "{text}");
    }
}
