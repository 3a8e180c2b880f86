//! Numbers and amounts of money in the forms in which departments write them.
//!
//! All arithmetic is exact decimal arithmetic; a fraction of a 分 is refused, not rounded.

use super::text::{Profile, clean};
use super::{Mend, Mends, Unreadable};

/// A decimal number: `units` × 10^-`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    units: i128,
    scale: u32,
}

/// Most digits of a number that is believed.
const MOST_DIGITS: usize = 20;

/// Reads `-?digits[.digits]`; the hot path.
fn plain(text: &str) -> Option<Number> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = body.split_once('.').unwrap_or((body, ""));
    if whole.is_empty() || whole.len() + part.len() > MOST_DIGITS || body.ends_with('.') {
        return None;
    }
    let mut units: i128 = 0;
    for b in whole.bytes().chain(part.bytes()) {
        if !b.is_ascii_digit() {
            return None;
        }
        units = units * 10 + i128::from(b - b'0');
    }
    Some(Number { units: if negative { -units } else { units }, scale: part.len() as u32 })
}

/// 分 of an amount in 元, exactly, when the text is a plain number.
pub fn plain_fen(text: &str) -> Option<i64> {
    times(plain(text)?, 100)
}

/// Amount in 元 of a text of 分.
pub fn yuan_text(fen: &str) -> Option<String> {
    let units = fen.parse().ok()?;
    Some(decimal_text(Number { units, scale: 2 }))
}

fn times(number: Number, factor: i128) -> Option<i64> {
    let product = number.units.checked_mul(factor)?;
    let divisor = 10i128.checked_pow(number.scale)?;
    (product % divisor == 0).then(|| i64::try_from(product / divisor).ok()).flatten()
}

/// A number whose text needs no mending.
pub fn is_plain_decimal(text: &str) -> bool {
    plain(text).is_some()
}

pub fn is_plain_integer(text: &str) -> bool {
    plain(text).is_some_and(|number| number.scale == 0)
}

/// What stood around the digits.
struct Words {
    number: Number,
    /// 1, 10^4 (万) or 10^8 (亿).
    factor: i128,
    /// 元 was written without 万 or 亿.
    in_yuan: bool,
    percent: bool,
}

/// Takes units, currency, separators off a number.
fn read_words(text: &str, mends: &mut Mends) -> Option<Words> {
    let mut rest = text;
    for word in ["人民币", "RMB", "CNY", "￥", "¥"] {
        if let Some(after) = rest.strip_prefix(word) {
            mends.add(Mend::Currency);
            rest = after;
        }
    }
    let (mut factor, mut in_yuan, mut percent) = (1, false, false);
    for word in ["人民币", "整", "元人民币"] {
        if let Some(before) = rest.strip_suffix(word) {
            mends.add(Mend::Currency);
            rest = before;
        }
    }
    for (word, value) in
        [("万元", 10_000), ("亿元", 100_000_000), ("万", 10_000), ("亿", 100_000_000)]
    {
        if let Some(before) = rest.strip_suffix(word) {
            mends.add(Mend::TenThousands);
            (factor, rest) = (value, before);
            break;
        }
    }
    if factor == 1
        && let Some(before) = rest.strip_suffix('元')
    {
        mends.add(Mend::Currency);
        (in_yuan, rest) = (true, before);
    }
    if let Some(before) = rest.strip_suffix('%') {
        mends.add(Mend::Percent);
        (percent, rest) = (true, before);
    }
    let digits = without_thousands(rest, mends)?;
    let digits = digits.strip_prefix('+').unwrap_or(&digits);
    Some(Words { number: plain(digits)?, factor, in_yuan, percent })
}

/// `1,234,567.8` → `1234567.8`; a comma in another place is no thousands separator.
fn without_thousands(text: &str, mends: &mut Mends) -> Option<String> {
    if !text.contains([',', '，']) {
        return Some(text.to_owned());
    }
    let text = text.replace('，', ",");
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let mut groups = whole.split(',');
    let first = groups.next()?.trim_start_matches(['-', '+']);
    let good = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    if !good || part.contains(',') {
        return None;
    }
    mends.add(Mend::Thousands);
    Some(text.replace(',', ""))
}

fn no_number() -> Unreadable {
    Unreadable::Form("无法识别为数字".to_owned())
}

/// Reads an amount in 元 as text of whole 分. `None` in the result = the cell is empty.
pub fn mend_money(text: &str) -> Result<(Option<String>, Mends), Unreadable> {
    let (cleaned, mut mends) = clean(text, Profile::Code);
    if cleaned.is_empty() {
        return Ok((None, mends));
    }
    let words = read_words(&cleaned, &mut mends).ok_or_else(no_number)?;
    if words.percent {
        return Err(no_number());
    }
    let fen = times(words.number, words.factor * 100)
        .ok_or_else(|| Unreadable::Form("金额应不多于两位小数，且不超出可记范围".to_owned()))?;
    Ok((Some(fen.to_string()), mends))
}

/// Reads a number; `unit` is the unit of the column, to which a unit in the cell is converted.
pub fn mend_decimal(text: &str, unit: Option<&str>) -> Result<(Option<String>, Mends), Unreadable> {
    let (cleaned, mut mends) = clean(text, Profile::Code);
    if cleaned.is_empty() {
        return Ok((None, mends));
    }
    let mut body: &str = &cleaned;
    if let Some(unit) = unit.filter(|unit| *unit != "万元" && *unit != "元")
        && let Some(before) = body.strip_suffix(unit)
    {
        mends.add(Mend::Currency);
        body = before;
    }
    if let Ok(value) = body.parse::<f64>()
        && body.contains(['e', 'E'])
        && value.is_finite()
        && value.abs() < 1e15
    {
        // a true number loses nothing by its exponent, unlike a code
        mends.add(Mend::Number);
        return Ok((Some(value.to_string()), mends));
    }
    let words = read_words(body, &mut mends).ok_or_else(no_number)?;
    let mut number = words.number;
    if words.percent {
        number.scale += 2;
    }
    let in_ten_thousands = unit == Some("万元");
    let mut factor = words.factor;
    if in_ten_thousands && factor > 1 {
        factor /= 10_000;
    } else if in_ten_thousands && words.in_yuan {
        number.scale += 4;
        mends.add(Mend::TenThousands);
    }
    number.units = number.units.checked_mul(factor).ok_or_else(no_number)?;
    let out = decimal_text(number);
    if out != cleaned && !mends.any() {
        mends.add(Mend::Number);
    }
    Ok((Some(out), mends))
}

pub fn mend_integer(text: &str, unit: Option<&str>) -> Result<(Option<String>, Mends), Unreadable> {
    let (out, mut mends) = mend_decimal(text, unit)?;
    match out {
        Some(value) if value.contains('.') => Err(Unreadable::Form("应为整数".to_owned())),
        Some(value) => {
            if text.contains('.') {
                mends.add(Mend::FloatForm);
            }
            Ok((Some(value), mends))
        }
        None => Ok((None, mends)),
    }
}

fn decimal_text(number: Number) -> String {
    let negative = number.units < 0;
    let mut digits = number.units.unsigned_abs().to_string();
    let scale = number.scale as usize;
    if digits.len() <= scale {
        digits = format!("{}{digits}", "0".repeat(scale + 1 - digits.len()));
    }
    let (whole, part) = digits.split_at(digits.len() - scale);
    let part = part.trim_end_matches('0');
    let sign = if negative { "-" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}
