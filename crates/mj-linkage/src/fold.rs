//! One spelling for characters that people mix up: full and half width, kinds of brackets and dashes,
//! spaces that cannot be seen. Loses nothing that tells two parties apart.

/// Folds text for comparison: half width, lower case, no spaces, ASCII brackets.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // nearly everything: has neither case nor width
            '\u{4e00}'..='\u{9fff}' => out.push(c),
            '！'..='～' => {
                let half = char::from_u32(c as u32 - 0xFEE0).unwrap_or(c);
                push_ascii(&mut out, half);
            }
            '〔' | '【' | '〈' | '《' | '「' | '『' | '﹙' => out.push('('),
            '〕' | '】' | '〉' | '》' | '」' | '』' | '﹚' => out.push(')'),
            '—' | '–' | '‐' | '―' | '─' | '−' => out.push('-'),
            '•' | '・' | '‧' | '∙' | '●' => out.push('·'),
            '“' | '”' | '‘' | '’' | '、' | '。' => {}
            _ if c.is_whitespace() || c.is_control() => {}
            '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{fffd}' | '\u{3000}' => {}
            _ if c.is_ascii() => push_ascii(&mut out, c),
            _ => out.extend(c.to_lowercase()),
        }
    }
    out
}

fn push_ascii(out: &mut String, c: char) {
    match c {
        '[' | '{' | '<' => out.push('('),
        ']' | '}' | '>' => out.push(')'),
        '"' | '\'' | '`' | ',' | ';' | '?' | '!' | '|' | '_' | '~' | '^' | '\\' | '$' | '%'
        | '*' | '=' => {}
        ' ' => {}
        _ if c.is_ascii_control() => {}
        _ => out.push(c.to_ascii_lowercase()),
    }
}

/// Folds a code: half width, upper case, letters and digits only.
pub fn fold_code(code: &str) -> String {
    fold(code).chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}
