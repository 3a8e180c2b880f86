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
    if let Some(local) = canonical(text) {
        return Some(local.and_utc().timestamp_micros() - 8 * 3600 * 1_000_000);
    }
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

/// `2026-01-01 00:30:00`, the form in which millions of rows come: read by its places.
fn canonical(text: &str) -> Option<NaiveDateTime> {
    let bytes: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let marks = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        bytes[range].iter().try_fold(0_u32, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'))
        })
    };
    let day = NaiveDate::from_ymd_opt(number(0..4)? as i32, number(5..7)?, number(8..10)?)?;
    day.and_hms_opt(number(11..13)?, number(14..16)?, number(17..19)?)
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
        assert_eq!(parse_instant("2026-01-01 00:30"), Some(at));
        assert_eq!(parse_instant("2026-02-31 00:30:00"), None);
        assert_eq!(parse_instant("2026-01-01 24:30:00"), None);
    }
}
