//! Mends of plain text, names and numbers-as-text: width, spaces, quotes, invisible characters.

use std::borrow::Cow;

use super::{Mend, Mends};

/// How much of a text may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Running text: only its ends and invisible characters.
    Prose,
    /// Names and addresses: brackets and letters to half width, no spaces beside Chinese characters.
    Name,
    /// Codes and numbers: half width, no blanks, no quotes.
    Code,
}

/// White space and characters that nobody sees.
pub fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}' | '\u{00ad}'
    )
}

/// Words that departments write into an empty cell.
const EMPTY_WORDS: [&str; 13] =
    ["NULL", "null", "Null", "N/A", "n/a", "#N/A", "\\N", "NaN", "nan", "-", "--", "—", "——"];

/// Does the text only say that there is nothing?
pub fn is_empty_word(text: &str) -> bool {
    text.len() <= 6 && (text == "/" || EMPTY_WORDS.contains(&text))
}

/// True when nothing has to be looked at: the usual case, decided by one pass over the bytes.
///
/// False negatives are fine (they take the slow way), false positives are not.
pub fn is_plain(text: &str, profile: Profile) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    let edge = |b: u8| b <= b' ' || matches!(b, b'"' | b'\'' | 0x7f);
    if edge(*first) || edge(*last) || (bytes.len() <= 6 && is_empty_word(text)) {
        return false;
    }
    let mut at = 0;
    while at < bytes.len() {
        let b = bytes[at];
        if b < 0x80 {
            let stop = match profile {
                Profile::Prose => b < b' ' && b != b'\n',
                Profile::Name => b <= b' ',
                Profile::Code => b <= b' ' || matches!(b, b'"' | b'\''),
            };
            if stop || b == 0x7f {
                return false;
            }
            at += 1;
            continue;
        }
        // U+00A0 and U+00AD; U+2000-206F; U+3000; U+FE00-FFFF: blanks, marks, full width
        let suspect = match b {
            0xc2 => true,
            0xe2 => bytes.get(at + 1).is_some_and(|next| matches!(next, 0x80 | 0x81)),
            0xe3 => bytes[at..].starts_with(&[0xe3, 0x80, 0x80]),
            0xef => profile != Profile::Prose || bytes[at..].starts_with(&[0xef, 0xbb, 0xbf]),
            _ => false,
        };
        if suspect && !(profile == Profile::Prose && is_quotation(&bytes[at..])) {
            return false;
        }
        at += match b {
            0xf0.. => 4,
            0xe0.. => 3,
            _ => 2,
        };
    }
    true
}

/// U+2014 (dash), U+2018-201D (quotation marks), U+2026 (…), U+00B7 (·) are ordinary in prose.
fn is_quotation(bytes: &[u8]) -> bool {
    matches!(bytes, [0xe2, 0x80, 0x94 | 0x98..=0x9d | 0xa6, ..] | [0xc2, 0xb7, ..])
}

/// Mends a text after its profile. Borrowed when nothing had to be done; empty when nothing is left.
pub fn clean(text: &str, profile: Profile) -> (Cow<'_, str>, Mends) {
    if is_plain(text, profile) {
        return (Cow::Borrowed(text), Mends::none());
    }
    let mut mends = Mends::none();
    let trimmed = text.trim_matches(is_blank);
    if trimmed.len() != text.len() {
        mends.add(Mend::Trimmed);
    }
    if is_empty_word(trimmed) {
        mends.add(Mend::EmptyWord);
        return (Cow::Borrowed(""), mends);
    }
    let unquoted = unquote(trimmed, profile, &mut mends);
    let out = match profile {
        Profile::Prose => prose(unquoted, &mut mends),
        Profile::Name => name(unquoted, &mut mends),
        Profile::Code => code(unquoted, &mut mends),
    };
    if out == text { (Cow::Borrowed(text), Mends::none()) } else { (Cow::Owned(out), mends) }
}

/// Excel's text prefix and quotes that were left around or at one end of a value.
fn unquote<'a>(text: &'a str, profile: Profile, mends: &mut Mends) -> &'a str {
    let mut text = text;
    if let Some(rest) = text.strip_prefix(['\'', '‘'])
        && !rest.is_empty()
        && !rest.contains(['\'', '’'])
    {
        mends.add(Mend::Apostrophe);
        text = rest;
    }
    let quote = |c: char| c == '"' || (profile == Profile::Code && matches!(c, '“' | '”' | '\''));
    let count = text.chars().filter(|c| quote(*c)).count();
    let (starts, ends) = (text.starts_with(quote), text.ends_with(quote));
    let around = starts && ends && count == 2 && text.chars().count() > 2;
    let stray = count == 1 && (starts || ends);
    if around || stray {
        mends.add(Mend::Quotes);
        text = text.trim_matches(quote).trim_matches(is_blank);
    }
    text
}

fn prose(text: &str, mends: &mut Mends) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            mends.add(Mend::ControlCharacter);
        } else if c.is_control() && c != '\n' {
            mends.add(Mend::ControlCharacter);
            // a line end of Windows is one line end; any other control character was a gap
            if c != '\r' && !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn name(text: &str, mends: &mut Mends) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        if is_invisible(c) || (c.is_control() && !c.is_whitespace()) {
            mends.add(Mend::ControlCharacter);
            continue;
        }
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        let c = match c {
            '（' => {
                mends.add(Mend::Brackets);
                '('
            }
            '）' => {
                mends.add(Mend::Brackets);
                ')'
            }
            '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' | '－' | '＃' | '．' | '＆' => {
                mends.add(Mend::FullWidth);
                half(c)
            }
            other => other,
        };
        if gap {
            gap = false;
            // a space parts Latin words and nothing else
            if out.chars().next_back().is_some_and(|p| p.is_ascii_alphanumeric())
                && c.is_ascii_alphanumeric()
            {
                out.push(' ');
            } else {
                mends.add(Mend::InnerSpace);
            }
        }
        out.push(c);
    }
    if out != text && !mends.any() {
        mends.add(Mend::InnerSpace);
    }
    out
}

fn code(text: &str, mends: &mut Mends) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_blank(c) || c.is_control() {
            mends.add(Mend::InnerSpace);
            continue;
        }
        if matches!(c, '\u{ff01}'..='\u{ff5e}') {
            mends.add(Mend::FullWidth);
            out.push(half(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Full width to half width of the ASCII range.
pub fn half(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        other => other,
    }
}

/// `9.137E+17`: a code that a spreadsheet has turned into a number; digits are gone.
pub fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let Some(exponent) = exponent.strip_prefix('+') else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part),
        None => digits(mantissa),
    };
    digits(exponent) && mantissa_ok
}

/// `370402.0` → `370402`: nothing is lost.
pub fn without_float_tail(text: &str) -> Option<&str> {
    let (whole, part) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && !part.is_empty() && part.bytes().all(|b| b == b'0')).then_some(whole)
}
