//! Numbers of acts: kind, division, body, day, sequence, check character — 31 characters.

use chrono::NaiveDate;

use crate::dice::Dice;

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// `J` inspection, `C` penalty, `Q` force, `T` other.
pub(crate) fn act(
    kind: char,
    area: &str,
    organisation: &str,
    day: NaiveDate,
    sequence: u32,
) -> String {
    closed(format!("{kind}{area}{organisation}{}{sequence:06}", day.format("%Y%m%d")))
}

/// The same with a sequence of seven digits, where a body has more than a million.
pub(crate) fn long_act(
    kind: char,
    area: &str,
    organisation: &str,
    day: NaiveDate,
    sequence: u32,
) -> String {
    closed(format!("{kind}{area}{organisation}{}{sequence:07}", day.format("%Y%m%d")))
}

/// Another number of the same body and day, from a range that is not given otherwise.
pub(crate) fn another(number: &str, dice: &mut Dice) -> String {
    closed(format!("{}9{}", number.get(..24).unwrap_or(number), dice.digits(5)))
}

/// Weighted like GB 32100: powers of three modulo 31.
fn closed(mut body: String) -> String {
    let mut weight = 1;
    let mut sum = 0;
    for b in body.bytes() {
        let value = ALPHABET.iter().position(|a| *a == b).unwrap_or(0);
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    body.push(char::from(ALPHABET[(31 - sum % 31) % 31]));
    body
}
