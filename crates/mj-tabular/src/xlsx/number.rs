//! Numbers as a person typed them: digits without exponent, dates from Excel's serial days.

use super::styles::Shown;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    pub text: String,
    /// An integer beyond 15 digits: Excel has replaced the last ones by zeros.
    pub lossy: bool,
}

fn exact(text: impl Into<String>) -> Rendered {
    Rendered { text: text.into(), lossy: false }
}

/// Renders the stored text of a numeric cell.
pub(super) fn render(stored: &str, shown: Shown, date1904: bool) -> Rendered {
    let stored = stored.trim();
    let digits = stored.strip_prefix('-').unwrap_or(stored);
    let integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if integer && matches!(shown, Shown::Plain) {
        // Written out in full: nothing to lose.
        return exact(stored);
    }
    let Ok(value) = stored.parse::<f64>() else {
        return exact(stored);
    };
    if !value.is_finite() || value.abs() >= 1e300 {
        return exact(stored);
    }
    match shown {
        Shown::Date | Shown::Time | Shown::DateTime => {
            if let Some(text) = moment(value, shown, date1904) {
                return exact(text);
            }
        }
        Shown::Zeros(width) if value >= 0.0 && value.fract() == 0.0 && value < 1e15 => {
            return exact(format!("{:0width$}", value as u64));
        }
        _ => {}
    }
    if integer {
        return exact(stored);
    }
    if value.fract() == 0.0 {
        return Rendered { text: format!("{value}"), lossy: value.abs() >= 1e15 };
    }
    // Excel computes with 15 significant digits and stores 17: 1234.5600000000001 is 1234.56.
    let rounded: f64 = format!("{value:.14e}").parse().unwrap_or(value);
    exact(format!("{rounded}"))
}

/// A serial day as `YYYY-MM-DD`, with the time when there is one.
fn moment(serial: f64, shown: Shown, date1904: bool) -> Option<String> {
    // 9999-12-31; Excel knows nothing beyond, and nothing before its first day.
    if !(0.0..2_958_466.0).contains(&serial) {
        return None;
    }
    let mut days = serial.floor() as i64;
    let mut seconds = ((serial - serial.floor()) * 86_400.0).round() as i64;
    if seconds == 86_400 {
        days += 1;
        seconds = 0;
    }
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if days == 0 && !date1904 {
        return (shown != Shown::Date).then_some(time);
    }
    // Days since 1970-01-01. Excel believes in 29 February 1900, day 60.
    let unix = if date1904 {
        days - 24_107
    } else if days == 60 {
        return None;
    } else if days < 60 {
        days - 25_568
    } else {
        days - 25_569
    };
    let (year, month, day) = civil(unix);
    let date = format!("{year:04}-{month:02}-{day:02}");
    match shown {
        Shown::Date if seconds == 0 => Some(date),
        _ => Some(format!("{date} {time}")),
    }
}

/// Gregorian date of a day counted from 1970-01-01 (after Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_what_the_clerk_typed() {
        let plain = [
            ("370400", "370400"),
            ("370400.0", "370400"),
            ("0.10000000000000001", "0.1"),
            ("1234.5600000000001", "1234.56"),
            ("0.30000000000000004", "0.3"),
            ("-5", "-5"),
            ("1E-3", "0.001"),
            ("911234567890123456", "911234567890123456"),
            ("N/A", "N/A"),
        ];
        for (stored, expected) in plain {
            assert_eq!(render(stored, Shown::Plain, false), exact(expected));
        }
        let lost = render("3.7040219900101002E+17", Shown::Plain, false);
        assert!(lost.lossy);
        assert!(lost.text.starts_with("37040219900101") && lost.text.len() == 18);
        assert_eq!(render("37", Shown::Zeros(6), false), exact("000037"));
    }

    #[test]
    fn serial_days_become_dates() {
        let cases = [
            ("1", Shown::Date, false, "1900-01-01"),
            ("59", Shown::Date, false, "1900-02-28"),
            ("61", Shown::Date, false, "1900-03-01"),
            ("45351", Shown::Date, false, "2024-02-29"),
            ("45351.75", Shown::DateTime, false, "2024-02-29 18:00:00"),
            ("45351.5", Shown::Date, false, "2024-02-29 12:00:00"),
            ("0.5", Shown::Time, false, "12:00:00"),
            ("0", Shown::Date, true, "1904-01-01"),
            ("43889", Shown::Date, true, "2024-02-29"),
            ("2958465", Shown::Date, false, "9999-12-31"),
            // No such days: the number stays a number.
            ("60", Shown::Date, false, "60"),
            ("2958466", Shown::Date, false, "2958466"),
            ("20240229", Shown::Date, false, "20240229"),
        ];
        for (stored, shown, date1904, expected) in cases {
            assert_eq!(render(stored, shown, date1904), exact(expected), "{stored}");
        }
    }
}
