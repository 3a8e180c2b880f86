//! Unified social credit code, GB 32100-2015.

use super::{CodeError, CodeKind, OrgCode, fixed_code, surface};

/// Eighteen characters: registrar, class, division (6 digits), organisation code (9), check character.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uscc([u8; 18]);

fixed_code!(Uscc, 18);

/// Value of each character in the alphabet without I, O, S, V, Z; 255 = not in it.
const VALUE: [u8; 256] = {
    let alphabet = ALPHABET;
    let mut table = [255u8; 256];
    let mut i = 0;
    while i < alphabet.len() {
        table[alphabet[i] as usize] = i as u8;
        i += 1;
    }
    table
};

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// Registration authorities of the standard, first character.
const REGISTRARS: &[u8] = b"123456789ANY";

impl Uscc {
    pub fn parse(value: &str) -> Result<Self, CodeError> {
        Self::well_formed(value.as_bytes()).ok_or_else(|| explain(value))
    }

    fn well_formed(bytes: &[u8]) -> Option<Self> {
        let code: [u8; 18] = bytes.try_into().ok()?;
        let body: &[u8; 17] = code.first_chunk()?;
        if code[2..8].iter().any(|b| !b.is_ascii_digit()) || code == [b'0'; 18] {
            return None;
        }
        (check_character(body)? == code[17]).then_some(Self(code))
    }

    /// The code whose first 17 characters are given, for those who issue codes (the demonstration city, tests).
    pub fn from_body(body: &str) -> Result<Self, CodeError> {
        let check =
            body.as_bytes().try_into().ok().and_then(check_character).map_or('?', char::from);
        Self::parse(&format!("{body}{check}"))
    }

    /// Division of the registrar on the day of registration; codes outlive divisions.
    pub fn division(&self) -> &str {
        &self.as_str()[2..8]
    }

    pub fn organisation(&self) -> &str {
        &self.as_str()[8..17]
    }

    pub fn has_known_registrar(&self) -> bool {
        REGISTRARS.contains(&self.0[0])
    }

    /// What is odd but no error: an unknown registrar, an organisation code that fails GB 11714.
    pub fn remark(&self) -> Option<String> {
        let mut parts = Vec::new();
        if !self.has_known_registrar() {
            parts.push(format!("登记管理部门代码“{}”不在标准列表", self.0[0] as char));
        }
        if OrgCode::parse(self.organisation()).is_err() {
            parts.push("内含的组织机构代码校验码不符（GB 11714），不影响使用".to_owned());
        }
        (!parts.is_empty()).then(|| parts.join("；"))
    }
}

fn check_character(body: &[u8; 17]) -> Option<u8> {
    let mut sum = 0u32;
    let mut widest = 0u8;
    for (b, weight) in body.iter().zip(WEIGHTS) {
        let value = VALUE[usize::from(*b)];
        widest |= value;
        sum += u32::from(value) * weight;
    }
    // 255 is the only entry with the highest bit set
    (widest < 128).then(|| ALPHABET[((31 - sum % 31) % 31) as usize])
}

#[cold]
fn explain(value: &str) -> CodeError {
    const KIND: CodeKind = CodeKind::Uscc;
    if let Some(error) = surface::slip(KIND, value) {
        return error;
    }
    if value.chars().count() != 18 {
        return surface::wrong_length(KIND, value, "18 位");
    }
    let allowed = |c: char| c.is_ascii() && VALUE[c as usize] != 255;
    if let Some(error) = surface::foreign(KIND, value, allowed) {
        return error;
    }
    if value.bytes().all(|b| b == b'0') {
        return CodeError::new(
            "uscc.placeholder",
            "统一社会信用代码全为 0，是占位值，请填真实代码或留空",
        );
    }
    if let Some(at) = value.bytes().skip(2).take(6).position(|b| !b.is_ascii_digit()) {
        return CodeError::new(
            "uscc.division_digits",
            format!("统一社会信用代码第 {} 位应为数字（第 3-8 位是登记机关行政区划码）", at + 3),
        );
    }
    let right = value.as_bytes().first_chunk().and_then(check_character).map_or('?', char::from);
    let wrong = value.chars().next_back().unwrap_or('?');
    CodeError::new(
        "uscc.check_digit",
        format!(
            "统一社会信用代码校验码不符（GB 32100）：按前 17 位应为“{right}”，实为“{wrong}”，多为录错某一位，请核对证照"
        ),
    )
}
