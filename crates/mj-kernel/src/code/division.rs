//! Form of a division code, GB/T 2260 with the 9 and 12 digits of towns and villages (GB/T 10114).

use super::{CodeError, CodeKind, code_traits, surface};

/// Six, nine or twelve digits. Whether the division exists on a day is for the register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DivisionCode {
    digits: [u8; 12],
    len: u8,
}

/// Which level the digits speak of; trailing zeros stand for "the whole unit above".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DivisionShape {
    Nation,
    Province,
    City,
    County,
    Town,
    Village,
}

code_traits!(DivisionCode);

impl DivisionCode {
    pub fn parse(value: &str) -> Result<Self, CodeError> {
        let bytes = value.as_bytes();
        let sized = matches!(bytes.len(), 6 | 9 | 12);
        if !sized || !bytes.iter().all(u8::is_ascii_digit) {
            return Err(explain(value));
        }
        let mut digits = [b'0'; 12];
        digits[..bytes.len()].copy_from_slice(bytes);
        Ok(Self { digits, len: bytes.len() as u8 })
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[..usize::from(self.len)]).expect("a parsed code is ASCII")
    }

    /// The county or higher unit: the first six digits.
    pub fn six(&self) -> &str {
        &self.padded()[..6]
    }

    /// All twelve digits, zeros where the code was shorter.
    pub fn padded(&self) -> &str {
        std::str::from_utf8(&self.digits).expect("a parsed code is ASCII")
    }

    /// The first nine digits as a number: the key of the register down to towns.
    pub fn nine_number(&self) -> u32 {
        self.digits[..9].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'))
    }

    pub fn shape(&self) -> DivisionShape {
        let d = self.padded();
        if &d[9..] != "000" {
            DivisionShape::Village
        } else if &d[6..9] != "000" {
            DivisionShape::Town
        } else if &d[4..6] != "00" {
            DivisionShape::County
        } else if &d[2..4] != "00" {
            DivisionShape::City
        } else if &d[..2] != "00" {
            DivisionShape::Province
        } else {
            DivisionShape::Nation
        }
    }
}

#[cold]
fn explain(value: &str) -> CodeError {
    const KIND: CodeKind = CodeKind::Division;
    if let Some(error) = surface::slip(KIND, value) {
        return error;
    }
    if let Some(error) = surface::foreign(KIND, value, |c| c.is_ascii_digit()) {
        return error;
    }
    surface::wrong_length(KIND, value, "6、9 或 12 位数字")
}
