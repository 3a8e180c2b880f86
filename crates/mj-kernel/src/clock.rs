//! Time as the house counts it: microseconds of UTC, and days of Beijing.
//!
//! The one place that reads the machine's clock is `mj_platform::clock`; everything else is handed
//! a [`Clock`].

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, Utc};

/// Microseconds since 1970-01-01T00:00:00Z. PostgreSQL and SQLite both keep it exactly.
pub type Instant = i64;

/// A source of the present. Handed in, so that a test can move it.
pub trait Clock: Send + Sync {
    fn now(&self) -> Instant;

    /// The day in Beijing, which is what deadlines and code validity are counted in.
    fn today(&self) -> NaiveDate {
        beijing_date(self.now())
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug, Default)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    pub fn at(instant: Instant) -> Self {
        Self(AtomicI64::new(instant))
    }

    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Instant {
        self.0.load(Ordering::SeqCst)
    }
}

fn beijing() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).expect("UTC+8 is a valid offset")
}

/// The Beijing day an instant falls in.
pub fn beijing_date(instant: Instant) -> NaiveDate {
    let utc = DateTime::<Utc>::from_timestamp_micros(instant).unwrap_or_default();
    utc.with_timezone(&beijing()).date_naive()
}

/// `2026-11-21T08:30:00+08:00`, as people in China write an instant.
pub fn to_rfc3339(instant: Instant) -> String {
    let utc = DateTime::<Utc>::from_timestamp_micros(instant).unwrap_or_default();
    utc.with_timezone(&beijing()).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
}

/// Reads `YYYY-MM-DD HH:MM:SS[.ffffff]` (Beijing), `YYYY-MM-DDTHH:MM:SS±hh:mm` or a bare date.
pub fn parse_instant(text: &str) -> Option<Instant> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.timestamp_micros());
    }
    let local = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .and_then(|day| day.and_hms_opt(0, 0, 0))
        })?;
    Some(local.and_utc().timestamp_micros() - 8 * 3600 * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_time_is_beijing_time() {
        let at = parse_instant("2026-01-01 00:30:00").expect("a time");
        assert_eq!(to_rfc3339(at), "2026-01-01T00:30:00+08:00");
        assert_eq!(beijing_date(at).to_string(), "2026-01-01");
        assert_eq!(parse_instant("2025-12-31T16:30:00Z"), Some(at));
        assert_eq!(parse_instant("2026-02-31"), None);
    }
}
