//! Mends of the form of a code that lose nothing: width, spaces, quotes, case, hyphens. What was done is told, so that
//! no value is changed silently; nothing is ever guessed (no O to 0, no lost digit put back).

use super::CodeKind;
use std::borrow::Cow;

/// White space and characters that are invisible on a screen and come along when copying from a page.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}' | '\u{00ad}'
        )
}

/// Which mends were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mends {
    pub full_width: bool,
    pub space: bool,
    pub quote: bool,
    pub case: bool,
    pub hyphen: bool,
}

impl Mends {
    pub fn any(self) -> bool {
        self != Mends::default()
    }

    /// For people: 全角改半角、去空格.
    pub fn text(self) -> String {
        let parts: Vec<&str> = [
            (self.full_width, "全角改半角"),
            (self.space, "去空格"),
            (self.quote, "去引号"),
            (self.case, "小写改大写"),
            (self.hyphen, "去连字符"),
        ]
        .into_iter()
        .filter_map(|(done, text)| done.then_some(text))
        .collect();
        parts.join("、")
    }
}

/// A value after mending, borrowed when nothing was to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalised<'a> {
    pub text: Cow<'a, str>,
    pub mends: Mends,
}

/// Brings a value to the written form of its code system. Idempotent.
pub fn normalize(kind: CodeKind, value: &str) -> Normalised<'_> {
    let letters = kind.has_letters();
    let hyphens = kind == CodeKind::Org;
    let clean = value.bytes().all(|b| {
        b.is_ascii_digit() || b.is_ascii_uppercase() || (!letters && b.is_ascii_lowercase())
    });
    let mut mends = Mends::default();
    if clean {
        return Normalised { text: Cow::Borrowed(value), mends };
    }
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        let mut c = c;
        if is_blank(c) {
            mends.space = true;
            continue;
        }
        if let '\u{ff01}'..='\u{ff5e}' = c {
            mends.full_width = true;
            c = char::from_u32(c as u32 - 0xfee0).unwrap_or(c);
        }
        if matches!(c, '\'' | '"' | '‘' | '’' | '“' | '”') {
            mends.quote = true;
            continue;
        }
        if hyphens && matches!(c, '-' | '—' | '–' | '‐' | '‑' | '−') {
            mends.hyphen = true;
            continue;
        }
        if letters && c.is_ascii_lowercase() {
            mends.case = true;
            c = c.to_ascii_uppercase();
        }
        text.push(c);
    }
    Normalised { text: if mends.any() { Cow::Owned(text) } else { Cow::Borrowed(value) }, mends }
}
