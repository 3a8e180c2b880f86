//! One JSON object on one line, read without a tree: members are handed over as they come, numbers
//! keep every digit as written, and an error says at which byte. Nested values are handed over as
//! their JSON text, because a table has no place for them.

/// A member's value.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    /// Unescaped text of a string, or the literal text of a number or boolean.
    Text(&'a str),
    /// JSON text of an array or object.
    Nested(&'a str),
}

#[derive(Debug, PartialEq)]
pub(crate) struct SyntaxError {
    /// Offset in the line.
    pub at: usize,
    pub what: &'static str,
}

const MAX_DEPTH: usize = 64;

/// Reads the object in `line` and calls `member(key, value)` for each member in order.
pub(crate) fn parse_object(
    line: &str,
    mut member: impl FnMut(&str, Value<'_>) -> Result<(), &'static str>,
) -> Result<(), SyntaxError> {
    let mut p = Parser { text: line, bytes: line.as_bytes(), at: 0 };
    let (mut key, mut value) = (String::new(), String::new());
    p.space();
    p.expect(b'{', "应以 { 开头")?;
    p.space();
    if p.peek() == Some(b'}') {
        p.at += 1;
    } else {
        loop {
            p.space();
            let key_at = p.at;
            key.clear();
            p.string(&mut key)?;
            p.space();
            p.expect(b':', "字段名后应有冒号")?;
            p.space();
            let start = p.at;
            let value = match p.peek() {
                Some(b'"') => {
                    value.clear();
                    p.string(&mut value)?;
                    Value::Text(&value)
                }
                Some(b'{' | b'[') => {
                    p.skip(0)?;
                    Value::Nested(&line[start..p.at])
                }
                Some(b'n') => {
                    p.skip(0)?;
                    Value::Null
                }
                _ => {
                    p.skip(0)?;
                    Value::Text(&line[start..p.at])
                }
            };
            member(&key, value).map_err(|what| SyntaxError { at: key_at, what })?;
            p.space();
            match p.next() {
                Some(b',') => {}
                Some(b'}') => break,
                _ => return Err(p.error("应为逗号或 }")),
            }
        }
    }
    p.space();
    if p.at < p.bytes.len() {
        return Err(p.error("对象之后还有多余内容"));
    }
    Ok(())
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let b = self.peek()?;
        self.at += 1;
        Some(b)
    }

    fn error(&self, what: &'static str) -> SyntaxError {
        SyntaxError { at: self.at.min(self.bytes.len()), what }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), SyntaxError> {
        if self.peek() != Some(byte) {
            return Err(self.error(what));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self, out: &mut String) -> Result<(), SyntaxError> {
        self.expect(b'"', "应为双引号括起的文字")?;
        loop {
            let start = self.at;
            while matches!(self.peek(), Some(b) if b != b'"' && b != b'\\' && b >= 0x20) {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.next() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => self.escape(out)?,
                Some(_) => {
                    self.at -= 1;
                    return Err(self.error("文字里有未转义的控制字符"));
                }
                None => return Err(self.error("双引号没有成对")),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), SyntaxError> {
        let c = match self.next() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let high = self.hex4()?;
                if (0xD800..0xDC00).contains(&high) {
                    self.expect(b'\\', "缺少代理对的后半")?;
                    self.expect(b'u', "缺少代理对的后半")?;
                    let low = self.hex4()?;
                    let code = 0x10000 + ((high - 0xD800) << 10) + low.wrapping_sub(0xDC00);
                    match char::from_u32(code) {
                        Some(c) if (0xDC00..0xE000).contains(&low) => c,
                        _ => return Err(self.error("代理对不成对")),
                    }
                } else {
                    char::from_u32(high).ok_or_else(|| self.error("代理对不成对"))?
                }
            }
            _ => return Err(self.error("不认识的转义")),
        };
        out.push(c);
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, SyntaxError> {
        let digits = self
            .bytes
            .get(self.at..self.at + 4)
            .filter(|d| d.iter().all(u8::is_ascii_hexdigit))
            .ok_or_else(|| self.error("\\u 后应有四位十六进制数"))?;
        let code = digits.iter().fold(0, |n, d| n * 16 + (*d as char).to_digit(16).unwrap_or(0));
        self.at += 4;
        Ok(code)
    }

    /// Walks over one value of any kind.
    fn skip(&mut self, depth: usize) -> Result<(), SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error("嵌套过深"));
        }
        match self.peek() {
            Some(b'"') => self.string(&mut String::new()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(open @ (b'{' | b'[')) => {
                let close = if open == b'{' { b'}' } else { b']' };
                self.at += 1;
                self.space();
                if self.peek() == Some(close) {
                    self.at += 1;
                    return Ok(());
                }
                loop {
                    self.space();
                    if open == b'{' {
                        self.string(&mut String::new())?;
                        self.space();
                        self.expect(b':', "字段名后应有冒号")?;
                        self.space();
                    }
                    self.skip(depth + 1)?;
                    self.space();
                    match self.next() {
                        Some(b',') => {}
                        Some(b) if b == close => return Ok(()),
                        _ => return Err(self.error("括号没有成对")),
                    }
                }
            }
            _ => Err(self.error("缺少值")),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), SyntaxError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.error("不认识的值"));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let first = self.peek();
        if self.digits() == 0 {
            return Err(self.error("数字不完整"));
        }
        if first == Some(b'0') && self.bytes[self.at - 1] != b'0'
            || first == Some(b'0') && self.at >= 2 && self.bytes[self.at - 2].is_ascii_digit()
        {
            return Err(self.error("数字不能以 0 开头，代码请写成带双引号的文字"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.error("数字不完整"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.error("数字不完整"));
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn members(line: &str) -> Result<Vec<(String, Option<String>)>, SyntaxError> {
        let mut out = Vec::new();
        parse_object(line, |key, value| {
            let value = match value {
                Value::Null => None,
                Value::Text(t) | Value::Nested(t) => Some(t.to_owned()),
            };
            out.push((key.to_owned(), value));
            Ok(())
        })?;
        Ok(out)
    }

    #[test]
    fn numbers_keep_their_digits() {
        let got = members(r#"{"a":911234567890123456789,"b":0.10,"c":1e3,"d":null,"e":true}"#);
        let texts: Vec<_> = got.unwrap().into_iter().map(|m| m.1).collect();
        let expect = [Some("911234567890123456789"), Some("0.10"), Some("1e3"), None, Some("true")];
        assert_eq!(texts, expect.map(|t| t.map(str::to_owned)));
    }

    #[test]
    fn a_leading_zero_is_told_where_it_stands() {
        let error = members(r#"{"a":0012}"#).unwrap_err();
        assert!(error.what.contains("0 开头"));
        assert!(members(r#"{"a":0}"#).is_ok() && members(r#"{"a":-0.5}"#).is_ok());
        assert!(members(r#"{"a":10}"#).is_ok() && members(r#"{"a":00}"#).is_err());
    }

    proptest! {
        /// Whatever serde_json accepts or refuses as an object, so do we, with the same members.
        #[test]
        fn agrees_with_serde_json(line in r#"[\{\}\[\]":, a-c0-2.eE+\\nutrlfasd\-]{0,24}"#) {
            let theirs: Result<serde_json::Map<String, serde_json::Value>, _> =
                serde_json::from_str(&line);
            // A number beyond f64 is the one thing serde_json refuses for its own reasons.
            if let Err(e) = &theirs && e.to_string().contains("out of range") {
                return Ok(());
            }
            prop_assert_eq!(members(&line).is_ok(), theirs.is_ok(), "{}", line);
        }

        #[test]
        fn strings_survive(key in ".{0,8}", value in ".{0,20}") {
            let line = serde_json::json!({ &key: &value }).to_string();
            prop_assert_eq!(members(&line).unwrap(), vec![(key, Some(value))]);
        }
    }
}
