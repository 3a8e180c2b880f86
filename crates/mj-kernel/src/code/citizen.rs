//! Citizen identification number, GB 11643-1999.

use super::{CodeError, CodeKind, surface};
use chrono::NaiveDate;

/// Eighteen characters: division (6), birth date (8), sequence (3), check character.
///
/// `Debug` and the error texts keep the number to themselves: it is personal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CitizenId([u8; 18]);

/// As the odd or even sequence number says (GB/T 2261.1: 1 male, 2 female).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    Male,
    Female,
}

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK: &[u8; 11] = b"10X98765432";

/// The system began in 1984 for the living; an older date is a slip of the pen.
const OLDEST_YEAR: i32 = 1800;

impl CitizenId {
    pub fn parse(value: &str) -> Result<Self, CodeError> {
        Self::well_formed(value.as_bytes()).ok_or_else(|| explain(value))
    }

    fn well_formed(bytes: &[u8]) -> Option<Self> {
        let code: [u8; 18] = bytes.try_into().ok()?;
        let body: &[u8; 17] = code.first_chunk()?;
        (check_character(body)? == code[17] && birth_date(&code).is_some()).then_some(Self(code))
    }

    /// The number whose first 17 digits are given.
    pub fn from_body(body: &str) -> Result<Self, CodeError> {
        let check =
            body.as_bytes().try_into().ok().and_then(check_character).map_or('?', char::from);
        Self::parse(&format!("{body}{check}"))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a parsed code is ASCII")
    }

    /// Division of the place where the number was given; may long be retired.
    pub fn division(&self) -> &str {
        &self.as_str()[..6]
    }

    pub fn birth_date(&self) -> NaiveDate {
        birth_date(&self.0).expect("checked when the number was parsed")
    }

    pub fn gender(&self) -> Gender {
        if self.0[16] % 2 == 1 { Gender::Male } else { Gender::Female }
    }

    /// The form shown to people without the right to see the number: 3704**********0015.
    pub fn masked(&self) -> String {
        let text = self.as_str();
        format!("{}**********{}", &text[..4], &text[14..])
    }
}

impl std::fmt::Debug for CitizenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CitizenId(**)")
    }
}

fn digits(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'))
}

/// The bytes must be digits.
fn birth_date(code: &[u8; 18]) -> Option<NaiveDate> {
    let year = digits(&code[6..10]) as i32;
    (year >= OLDEST_YEAR)
        .then(|| NaiveDate::from_ymd_opt(year, digits(&code[10..12]), digits(&code[12..14])))
        .flatten()
}

fn check_character(body: &[u8; 17]) -> Option<u8> {
    let mut sum = 0;
    for (b, weight) in body.iter().zip(WEIGHTS) {
        if !b.is_ascii_digit() {
            return None;
        }
        sum += u32::from(b - b'0') * weight;
    }
    Some(CHECK[(sum % 11) as usize])
}

#[cold]
fn explain(value: &str) -> CodeError {
    const KIND: CodeKind = CodeKind::CitizenId;
    if let Some(error) = surface::slip(KIND, value) {
        return error;
    }
    let count = value.chars().count();
    if count == 15 && value.bytes().all(|b| b.is_ascii_digit()) {
        return CodeError::new(
            "citizen_id.old_15",
            "15 位旧号码已于 2013 年停止使用，应填 18 位公民身份号码；换算需核对本人证件，不能自动补",
        );
    }
    if count != 18 {
        return surface::wrong_length(KIND, value, "18 位");
    }
    let last = value.chars().next_back().unwrap_or('?');
    let body_ok = value.bytes().take(17).all(|b| b.is_ascii_digit());
    if !body_ok || !(last.is_ascii_digit() || last == 'X') {
        // the place says enough; the characters of a personal number are not repeated
        let place = value.chars().position(|c| !c.is_ascii_digit()).map_or(18, |at| at + 1);
        return CodeError::new(
            "citizen_id.alphabet",
            format!(
                "公民身份号码第 {place} 位不是允许的字符（前 17 位为数字，末位为数字或大写 X）"
            ),
        );
    }
    let bytes: [u8; 18] = match value.as_bytes().try_into() {
        Ok(bytes) => bytes,
        Err(_) => return surface::wrong_length(KIND, value, "18 位"),
    };
    if birth_date(&bytes).is_none() {
        return CodeError::new(
            "citizen_id.birth_date",
            "公民身份号码第 7-14 位不是真实存在的出生日期",
        );
    }
    CodeError::new(
        "citizen_id.check_digit",
        "公民身份号码末位校验码不符（GB 11643），多为录错某一位，请核对证件",
    )
}

// not code_traits!: Debug must not show the number, and it is never serialised by accident
impl std::str::FromStr for CitizenId {
    type Err = CodeError;
    fn from_str(text: &str) -> Result<Self, CodeError> {
        Self::parse(text)
    }
}
