//! Form of an industry code, GB/T 4754.

use super::{CodeError, CodeKind, code_traits, surface};

/// A section letter, or two to four digits. Text, never a number: `01` is not `1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndustryCode {
    chars: [u8; 4],
    len: u8,
}

code_traits!(IndustryCode);

impl IndustryCode {
    pub fn parse(value: &str) -> Result<Self, CodeError> {
        let bytes = value.as_bytes();
        let fits = match bytes {
            [letter] => letter.is_ascii_uppercase(),
            [_, _] | [_, _, _] | [_, _, _, _] => bytes.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        if !fits {
            return Err(explain(value));
        }
        let mut chars = [b' '; 4];
        chars[..bytes.len()].copy_from_slice(bytes);
        Ok(Self { chars, len: bytes.len() as u8 })
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.chars[..usize::from(self.len)]).expect("a parsed code is ASCII")
    }

    pub fn is_section(&self) -> bool {
        self.len == 1
    }
}

#[cold]
fn explain(value: &str) -> CodeError {
    if let Some(error) = surface::slip(CodeKind::Industry, value) {
        return error;
    }
    let bytes = value.as_bytes();
    let hint = match bytes {
        [d] if d.is_ascii_digit() => "，疑似被电子表格当成数字而丢了零，请按文本重新导出",
        [letter, rest @ ..]
            if letter.is_ascii_uppercase()
                && (2..=4).contains(&rest.len())
                && rest.iter().all(u8::is_ascii_digit) =>
        {
            "，请去掉数字前的门类字母"
        }
        _ => "",
    };
    CodeError::new(
        "industry.shape",
        format!("行业代码应为 1 位门类字母或 2-4 位数字（GB/T 4754）{hint}"),
    )
}
