//! Organisation code, GB 11714-1997.

use super::{CodeError, CodeKind, fixed_code, surface};

/// Nine characters without the hyphen that is printed before the check character.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrgCode([u8; 9]);

fixed_code!(OrgCode, 9);

const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

impl OrgCode {
    pub fn parse(value: &str) -> Result<Self, CodeError> {
        Self::well_formed(value.as_bytes()).ok_or_else(|| explain(value))
    }

    fn well_formed(bytes: &[u8]) -> Option<Self> {
        let code: [u8; 9] = bytes.try_into().ok()?;
        if code == [b'0'; 9] {
            return None;
        }
        (check_character(code.first_chunk()?)? == code[8]).then_some(Self(code))
    }

    /// The code whose first eight characters are given.
    pub fn from_body(body: &str) -> Result<Self, CodeError> {
        let check =
            body.as_bytes().try_into().ok().and_then(check_character).map_or('?', char::from);
        Self::parse(&format!("{body}{check}"))
    }
}

fn check_character(body: &[u8; 8]) -> Option<u8> {
    let mut sum = 0;
    for (b, weight) in body.iter().zip(WEIGHTS) {
        let value = match b {
            b'0'..=b'9' => b - b'0',
            b'A'..=b'Z' => b - b'A' + 10,
            _ => return None,
        };
        sum += u32::from(value) * weight;
    }
    Some(match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + digit as u8,
    })
}

#[cold]
fn explain(value: &str) -> CodeError {
    const KIND: CodeKind = CodeKind::Org;
    if let Some(error) = surface::slip(KIND, value) {
        return error;
    }
    if value.contains(['-', '—', '–', '‐', '‑', '−']) {
        return CodeError::new("org.hyphen", "组织机构代码含连字符，存储时应去掉（可自动规范）");
    }
    if value.chars().count() != 9 {
        return surface::wrong_length(KIND, value, "9 位");
    }
    let allowed = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase();
    if let Some(error) = surface::foreign(KIND, value, allowed) {
        return error;
    }
    if value.bytes().all(|b| b == b'0') {
        return CodeError::new("org.placeholder", "组织机构代码全为 0，是占位值");
    }
    let right = value.as_bytes().first_chunk().and_then(check_character).map_or('?', char::from);
    let wrong = value.chars().next_back().unwrap_or('?');
    CodeError::new(
        "org.check_digit",
        format!("组织机构代码校验码不符（GB 11714）：按前 8 位应为“{right}”，实为“{wrong}”"),
    )
}
