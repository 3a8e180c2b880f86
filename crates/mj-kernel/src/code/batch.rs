//! Batch numbers of the exchange: a date and a count of five digits.

use super::{CodeError, CodeKind, fixed_code, surface};
use chrono::NaiveDate;

/// `2019041100002` = the second submission of 11 April 2019.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchNumber([u8; 13]);

fixed_code!(BatchNumber, 13);

impl BatchNumber {
    pub fn parse(value: &str) -> Result<Self, CodeError> {
        match <[u8; 13]>::try_from(value.as_bytes()) {
            Ok(code) if date(&code).is_some() && code[8..].iter().all(u8::is_ascii_digit) => {
                Ok(Self(code))
            }
            _ => Err(explain(value)),
        }
    }

    pub fn of(date: NaiveDate, count: u32) -> Result<Self, CodeError> {
        Self::parse(&format!("{}{count:05}", date.format("%Y%m%d")))
    }

    pub fn date(&self) -> NaiveDate {
        date(&self.0).expect("checked when the number was parsed")
    }
}

fn date(code: &[u8; 13]) -> Option<NaiveDate> {
    if !code[..8].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |part: &[u8]| part.iter().fold(0u32, |n, b| n * 10 + u32::from(b - b'0'));
    NaiveDate::from_ymd_opt(number(&code[..4]) as i32, number(&code[4..6]), number(&code[6..8]))
}

#[cold]
fn explain(value: &str) -> CodeError {
    const KIND: CodeKind = CodeKind::Batch;
    if let Some(error) =
        surface::slip(KIND, value).or_else(|| surface::foreign(KIND, value, |c| c.is_ascii_digit()))
    {
        return error;
    }
    if value.len() != 13 {
        return surface::wrong_length(KIND, value, "13 位数字（8 位日期加 5 位次数）");
    }
    CodeError::new("batch.date", "批次号前 8 位不是真实存在的日期（yyyyMMdd）")
}
