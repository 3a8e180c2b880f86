//! Slips on the surface of a value that every code system shares: nothing there, full width, spaces, quotes, lower
//! case, a number written by a spreadsheet. Looked at only after a value has failed, so that good rows stay cheap.

use super::{CodeError, CodeKind, normalize::is_blank};

macro_rules! names {
    ($kind:expr, $what:literal) => {
        match $kind {
            CodeKind::Uscc => concat!("uscc.", $what),
            CodeKind::Org => concat!("org.", $what),
            CodeKind::CitizenId => concat!("citizen_id.", $what),
            CodeKind::RegNo => concat!("regno.", $what),
            CodeKind::Division => concat!("division.", $what),
            CodeKind::Industry => concat!("industry.", $what),
            CodeKind::Item => concat!("item.", $what),
            CodeKind::Implementation => concat!("implementation.", $what),
            CodeKind::Batch => concat!("batch.", $what),
        }
    };
}

/// The first surface slip of a value, or nothing when its characters are those of a code.
pub(crate) fn slip(kind: CodeKind, value: &str) -> Option<CodeError> {
    let title = kind.title();
    if value.chars().all(is_blank) {
        return Some(CodeError::new("empty", format!("{title}为空")));
    }
    if let Some(c) = value.chars().find(|c| matches!(c, '\u{ff01}'..='\u{ff5e}')) {
        return Some(CodeError::new(
            names!(kind, "full_width"),
            format!("{title}含全角字符“{c}”，应改为半角（可自动规范）"),
        ));
    }
    if value.chars().any(is_blank) {
        return Some(CodeError::new(
            names!(kind, "space"),
            format!("{title}含空格或不可见字符，应去掉（可自动规范）"),
        ));
    }
    if let Some(c) = value.chars().find(|c| matches!(c, '\'' | '"' | '‘' | '’' | '“' | '”'))
    {
        return Some(CodeError::new(
            names!(kind, "quote"),
            format!("{title}含引号 {c} ，应去掉（可自动规范）"),
        ));
    }
    if looks_like_float(value) {
        return Some(CodeError::new(
            names!(kind, "float"),
            format!(
                "{title}像是被电子表格存成了数字（小数或科学计数法），应把该列设为文本后重新导出"
            ),
        ));
    }
    if kind.has_letters()
        && let Some(c) = value.chars().find(char::is_ascii_lowercase)
    {
        return Some(CodeError::new(
            names!(kind, "lower_case"),
            format!("{title}含小写字母“{c}”，应改为大写（可自动规范）"),
        ));
    }
    None
}

/// `370402.0`, `3.70402E+5`: digits, one point, perhaps an exponent.
fn looks_like_float(value: &str) -> bool {
    let (mantissa, exponent) = match value.split_once(['E', 'e']) {
        Some((m, e)) => (m, Some(e)),
        None => (value, None),
    };
    let exponent_ok = exponent.is_none_or(|e| {
        e.strip_prefix('+').is_some_and(|e| !e.is_empty() && e.bytes().all(|b| b.is_ascii_digit()))
    });
    let Some((whole, part)) = mantissa.split_once('.') else {
        return exponent.is_some()
            && exponent_ok
            && !mantissa.is_empty()
            && mantissa.bytes().all(|b| b.is_ascii_digit());
    };
    exponent_ok
        && !whole.is_empty()
        && whole.bytes().all(|b| b.is_ascii_digit())
        && part.bytes().all(|b| b.is_ascii_digit())
}

/// How many characters there are and how many there should be, with a guess at what the value is instead.
pub(crate) fn wrong_length(kind: CodeKind, value: &str, wanted: &str) -> CodeError {
    let count = value.chars().count();
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    let guess = match (kind, count, digits) {
        (CodeKind::Uscc | CodeKind::RegNo, 13, true) => "，疑似 2007 年以前的 13 位旧注册号",
        (CodeKind::Uscc, 15, true) => "，疑似 15 位注册号，应填入注册号一栏",
        (CodeKind::Uscc, 9, _) => "，疑似组织机构代码",
        (CodeKind::RegNo | CodeKind::Org, 18, _) => "，疑似统一社会信用代码",
        (CodeKind::Item, 8, true) => "，疑似只填了主项编码",
        (CodeKind::Item, 13, true) => "，疑似丢失前导零",
        (CodeKind::Uscc, 17, _) => "，疑似漏填 1 位",
        _ => "",
    };
    CodeError::new(
        names!(kind, "length"),
        format!("{}应为 {wanted}，实为 {count} 位{guess}", kind.title()),
    )
}

/// A character that does not belong, with its place.
pub(crate) fn foreign(
    kind: CodeKind,
    value: &str,
    allowed: impl Fn(char) -> bool,
) -> Option<CodeError> {
    let (place, c) = value.chars().enumerate().find(|&(_, c)| !allowed(c))?;
    let place = place + 1;
    let title = kind.title();
    let hint = match (kind, c) {
        (CodeKind::Uscc, 'I') => "，不用字母 I（易与数字 1 混淆），请核对证照",
        (CodeKind::Uscc, 'O') => "，不用字母 O（易与数字 0 混淆），请核对证照",
        (CodeKind::Uscc, 'Z') => "，不用字母 Z（易与数字 2 混淆），请核对证照",
        (CodeKind::Uscc, 'S') => "，不用字母 S（易与数字 5 混淆），请核对证照",
        (CodeKind::Uscc, 'V') => "，不用字母 V（易与字母 U、W 混淆），请核对证照",
        _ => "",
    };
    let shown: String = if c.is_control() { format!("U+{:04X}", c as u32) } else { c.to_string() };
    Some(CodeError::new(
        names!(kind, "alphabet"),
        format!("{title}第 {place} 位“{shown}”不是允许的字符{hint}"),
    ))
}
