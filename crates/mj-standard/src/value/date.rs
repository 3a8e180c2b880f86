//! Dates and instants in the forms in which departments write them.
//!
//! Canonical are `YYYY-MM-DD` and `YYYY-MM-DD HH:MM:SS[.ffffff]` in Beijing time. Two-digit years
//! and day-before-month forms are not guessed.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::text::{Profile, clean};
use super::{Mend, Mends, Unreadable};

const BEIJING_SECONDS: i32 = 8 * 3600;
/// Serial numbers of days that are taken for dates: 1954 to 2119.
const SERIALS: std::ops::RangeInclusive<u64> = 20_000..=80_000;

/// Two or more ASCII digits as a number; `None` when one is no digit.
fn number(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0u32, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
}

/// A canonical date, or nothing. The hot path.
pub fn canonical_date(text: &str) -> Option<NaiveDate> {
    let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    NaiveDate::from_ymd_opt(
        number(&bytes[..4])? as i32,
        number(&bytes[5..7])?,
        number(&bytes[8..])?,
    )
}

/// A canonical instant as Beijing time, or nothing.
pub fn canonical_instant(text: &str) -> Option<NaiveDateTime> {
    let date = canonical_date(text.get(..10)?)?;
    let time = text.get(10..)?.strip_prefix(' ')?;
    Some(date.and_time(clock_time(time)?))
}

/// Microseconds of UTC of a canonical instant: what the database keeps.
pub fn instant_micros(text: &str) -> Option<i64> {
    let local = canonical_instant(text)?;
    Some(local.and_utc().timestamp_micros() - i64::from(BEIJING_SECONDS) * 1_000_000)
}

/// The canonical text of an instant.
pub fn instant_text(micros: i64) -> String {
    let shifted = micros + i64::from(BEIJING_SECONDS) * 1_000_000;
    match DateTime::from_timestamp_micros(shifted) {
        Some(at) => written(at.naive_utc()),
        None => String::new(),
    }
}

fn written(at: NaiveDateTime) -> String {
    use chrono::Timelike;
    if at.nanosecond() == 0 {
        at.format("%Y-%m-%d %H:%M:%S").to_string()
    } else {
        at.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
    }
}

/// `HH:MM:SS` with up to nine digits of a fraction.
fn clock_time(text: &str) -> Option<NaiveTime> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes[2] != b':' || bytes[5] != b':' {
        return None;
    }
    let (hour, minute, second) =
        (number(&bytes[..2])?, number(&bytes[3..5])?, number(&bytes[6..8])?);
    let nanos = match &bytes[8..] {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            number(digits)? * 10u32.pow(9 - digits.len() as u32)
        }
        _ => return None,
    };
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)
}

/// Reads a date in any known form that is not canonical already.
pub fn mend_date(text: &str) -> Result<(Option<String>, Mends), Unreadable> {
    let (cleaned, mut mends) = clean(text, Profile::Name);
    if cleaned.is_empty() {
        return Ok((None, mends));
    }
    if let Some(date) = canonical_date(&cleaned) {
        return Ok((Some(date.to_string()), mends));
    }
    if let Some(date) = excel_serial(&cleaned) {
        mends.add(Mend::ExcelSerial);
        return Ok((Some(date.date().to_string()), mends));
    }
    let (date, _) = split_date(&cleaned)?;
    mends.add(Mend::DateForm);
    Ok((Some(date.to_string()), mends))
}

/// Reads an instant in any known form that is not canonical already.
pub fn mend_instant(text: &str) -> Result<(Option<String>, Mends), Unreadable> {
    // the profile of prose keeps the space between date and time
    let (cleaned, mut mends) = clean(text, Profile::Prose);
    if cleaned.is_empty() {
        return Ok((None, mends));
    }
    if let Some(at) = canonical_instant(&cleaned) {
        return Ok((Some(written(at)), mends));
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(&cleaned) {
        mends.add(Mend::TimeZone);
        let beijing =
            FixedOffset::east_opt(BEIJING_SECONDS).map_or(at, |zone| at.with_timezone(&zone));
        return Ok((Some(written(beijing.naive_local())), mends));
    }
    if let Some(at) = excel_serial(&cleaned) {
        mends.add(Mend::ExcelSerial);
        return Ok((Some(written(at)), mends));
    }
    mends.add(Mend::DateForm);
    let digits = cleaned.len() == 14 && cleaned.bytes().all(|b| b.is_ascii_digit());
    if digits {
        let date = real_date(
            number(&cleaned.as_bytes()[..4]),
            number(&cleaned.as_bytes()[4..6]),
            number(&cleaned.as_bytes()[6..8]),
        )?;
        let part = |range: std::ops::Range<usize>| number(&cleaned.as_bytes()[range]).unwrap_or(99);
        let time = NaiveTime::from_hms_opt(part(8..10), part(10..12), part(12..14))
            .ok_or_else(|| no_form("时间部分应为 00:00:00 至 23:59:59"))?;
        return Ok((Some(written(date.and_time(time))), mends));
    }
    let (date, rest) = split_date(&cleaned)?;
    let time = loose_time(rest.trim_matches([' ', 'T', 't', '\u{3000}']))
        .ok_or_else(|| no_form("时间部分应为 时:分:秒"))?;
    Ok((Some(written(date.and_time(time))), mends))
}

/// `9:05`, `09:05:30.5`, nothing.
fn loose_time(text: &str) -> Option<NaiveTime> {
    if text.is_empty() {
        return NaiveTime::from_hms_opt(0, 0, 0);
    }
    let mut parts = text.split([':', '：', '时', '分']).map(str::trim);
    let hour = parts.next()?.parse().ok()?;
    let minute = parts.next()?.parse().ok()?;
    let second = match parts.next().map(|part| part.trim_end_matches('秒')) {
        None | Some("") => 0.0,
        Some(part) => part.parse::<f64>().ok()?,
    };
    if !(0.0..60.0).contains(&second) {
        return None;
    }
    NaiveTime::from_hms_nano_opt(
        hour,
        minute,
        second as u32,
        ((second.fract() * 1e6).round() as u32).min(999_999) * 1_000,
    )
}

/// Days since 1899-12-30, as a spreadsheet counts them.
fn excel_serial(text: &str) -> Option<NaiveDateTime> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if whole.len() != 5 || part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let days: u64 = whole.parse().ok().filter(|days| SERIALS.contains(days))?;
    let seconds = (format!("0.{part}").parse::<f64>().ok()? * 86_400.0).round() as i64;
    NaiveDate::from_ymd_opt(1899, 12, 30)?
        .checked_add_days(Days::new(days))?
        .and_hms_opt(0, 0, 0)?
        .checked_add_signed(TimeDelta::seconds(seconds))
}

fn no_form(text: &str) -> Unreadable {
    Unreadable::Form(text.to_owned())
}

fn real_date(
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
) -> Result<NaiveDate, Unreadable> {
    let (Some(year), Some(month), Some(day)) = (year, month, day) else {
        return Err(no_form("无法识别为日期"));
    };
    NaiveDate::from_ymd_opt(year as i32, month, day)
        .ok_or_else(|| Unreadable::NoSuchDay(format!("没有 {year} 年 {month} 月 {day} 日这一天")))
}

/// Reads a date at the start of a text: `2025/3/1`, `2025.03.01`, `20250301`, `2025年3月1日`.
fn split_date(text: &str) -> Result<(NaiveDate, &str), Unreadable> {
    let bytes = text.as_bytes();
    if bytes.len() >= 8 && bytes[..8].iter().all(u8::is_ascii_digit) {
        if bytes.get(8).is_some_and(u8::is_ascii_digit) {
            return Err(no_form("数字位数不对，应为 8 位年月日"));
        }
        let date = real_date(number(&bytes[..4]), number(&bytes[4..6]), number(&bytes[6..8]))?;
        return Ok((date, &text[8..]));
    }
    let mut rest = text;
    let mut fields = [0u32; 3];
    for (at, field) in fields.iter_mut().enumerate() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let allowed = if at == 0 { 4..=4 } else { 1..=2 };
        if !allowed.contains(&digits) {
            return Err(no_form(match at {
                0 => "年份应写四位，且写在最前",
                _ => "无法识别为日期",
            }));
        }
        *field = number(&rest.as_bytes()[..digits]).unwrap_or_default();
        rest = &rest[digits..];
        rest = match at {
            0 => rest.strip_prefix(['-', '/', '.', '年', '－', '／']),
            1 => rest.strip_prefix(['-', '/', '.', '月', '－', '／']),
            _ => Some(rest.strip_prefix('日').unwrap_or(rest)),
        }
        .ok_or_else(|| no_form("无法识别为日期"))?;
        rest = rest.trim_start();
    }
    if !(rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit() || c == 'T')) {
        return Err(no_form("日期后面有多余的文字"));
    }
    let date = real_date(Some(fields[0]), Some(fields[1]), Some(fields[2]))?;
    Ok((date, rest))
}
