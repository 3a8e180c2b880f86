//! Registration number of 15 digits, the last a check digit after GB/T 17710 (MOD 11,10).

use super::{CodeError, CodeKind, fixed_code, surface};

/// Registrar (6 digits), sequence (8), check digit. Replaced by the unified code since 2015, still in old records.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegNo([u8; 15]);

fixed_code!(RegNo, 15);

impl RegNo {
    pub fn parse(value: &str) -> Result<Self, CodeError> {
        Self::well_formed(value.as_bytes()).ok_or_else(|| explain(value))
    }

    fn well_formed(bytes: &[u8]) -> Option<Self> {
        let code: [u8; 15] = bytes.try_into().ok()?;
        if code == [b'0'; 15] {
            return None;
        }
        (check_digit(&code[..14])? == code[14]).then_some(Self(code))
    }

    /// The number whose first 14 digits are given.
    pub fn from_body(body: &str) -> Result<Self, CodeError> {
        let check = check_digit(body.as_bytes()).map_or('?', char::from);
        Self::parse(&format!("{body}{check}"))
    }

    /// Division of the registrar.
    pub fn division(&self) -> &str {
        &self.as_str()[..6]
    }
}

fn check_digit(body: &[u8]) -> Option<u8> {
    let mut product = 10;
    for b in body {
        if !b.is_ascii_digit() {
            return None;
        }
        let sum = (product + u32::from(b - b'0')) % 10;
        product = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    Some(b'0' + ((11 - product) % 10) as u8)
}

#[cold]
fn explain(value: &str) -> CodeError {
    const KIND: CodeKind = CodeKind::RegNo;
    if let Some(error) = surface::slip(KIND, value) {
        return error;
    }
    if value.chars().count() != 15 {
        return surface::wrong_length(KIND, value, "15 位数字");
    }
    if let Some(error) = surface::foreign(KIND, value, |c| c.is_ascii_digit()) {
        return error;
    }
    if value.bytes().all(|b| b == b'0') {
        return CodeError::new("regno.placeholder", "注册号全为 0，是占位值");
    }
    let right = check_digit(&value.as_bytes()[..14]).map_or('?', char::from);
    let wrong = value.chars().next_back().unwrap_or('?');
    CodeError::new(
        "regno.check_digit",
        format!("注册号校验码不符（GB/T 17710 MOD 11,10）：按前 14 位应为“{right}”，实为“{wrong}”"),
    )
}
