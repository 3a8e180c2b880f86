//! Supervision item codes (14 digits) and implementation-list codes (19 to 100 characters).

use super::{CodeError, CodeKind, Uscc, code_traits, fixed_code, surface};

/// Fourteen digits; the first eight are the main item, its first two the national line department.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemCode([u8; 14]);

fixed_code!(ItemCode, 14);

impl ItemCode {
    pub fn parse(value: &str) -> Result<Self, CodeError> {
        match <[u8; 14]>::try_from(value.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_digit) => Ok(Self(code)),
            _ => Err(explain_item(value)),
        }
    }

    /// The main item, on which coverage is computed.
    pub fn main(&self) -> &str {
        &self.as_str()[..8]
    }

    /// The line department of the 58-entry list.
    pub fn department(&self) -> &str {
        &self.as_str()[..2]
    }
}

#[cold]
fn explain_item(value: &str) -> CodeError {
    const KIND: CodeKind = CodeKind::Item;
    surface::slip(KIND, value)
        .or_else(|| surface::foreign(KIND, value, |c| c.is_ascii_digit()))
        .unwrap_or_else(|| surface::wrong_length(KIND, value, "14 位数字"))
}

/// The implementing body's unified code, the exercise level 1-5, then a part no standard fixes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImplementationCode(Box<str>);

code_traits!(ImplementationCode);

impl ImplementationCode {
    pub fn parse(value: &str) -> Result<Self, CodeError> {
        Self::check(value).map(|()| Self(value.into()))
    }

    /// The judgement alone, without keeping the code.
    pub fn check(value: &str) -> Result<(), CodeError> {
        const KIND: CodeKind = CodeKind::Implementation;
        let bytes = value.as_bytes();
        let plain = bytes.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        if !plain {
            let allowed = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase();
            return Err(surface::slip(KIND, value)
                .or_else(|| surface::foreign(KIND, value, allowed))
                .unwrap_or_else(|| surface::wrong_length(KIND, value, "19-100 位")));
        }
        if bytes.is_empty() {
            return Err(CodeError::new("empty", "检查实施清单编码为空"));
        }
        if !(19..=100).contains(&bytes.len()) {
            return Err(surface::wrong_length(KIND, value, "19-100 位"));
        }
        if let Err(inner) = Uscc::parse(&value[..18]) {
            return Err(CodeError::new(
                "implementation.uscc",
                format!("检查实施清单编码前 18 位应为实施主体的统一社会信用代码：{}", inner.reason),
            ));
        }
        if !(b'1'..=b'5').contains(&bytes[18]) {
            return Err(CodeError::new(
                "implementation.level",
                "检查实施清单编码第 19 位应为行使层级 1-5（国家、省、市、县、乡镇）",
            ));
        }
        Ok(())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn uscc(&self) -> &str {
        &self.0[..18]
    }

    /// 1 national to 5 town.
    pub fn level(&self) -> u8 {
        self.0.as_bytes()[18] - b'0'
    }
}
