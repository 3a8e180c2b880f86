//! The canonical form of a row, and its digest (contracts.md 5).

use super::value::Value;
use crate::gm;

/// SM3(salt ‖ canonical JSON of all columns but `row_salt`, `row_digest`, `change_seq`).
///
/// Keys are ASCII and values are integers, texts, hex or null, for which sorted compact JSON is
/// RFC 8785's form; a test compares with a library of that RFC.
pub fn row_digest(salt: &[u8; 16], columns: &[&str], values: &[Value], version: i64) -> [u8; 32] {
    Canon::new(columns).digest(salt, values, version)
}

/// The canonical form of the rows of one table: its keys, sorted once.
pub(crate) struct Canon {
    /// `{"key":` or `,"key":` with the place of the value; `None` is the version.
    keys: Vec<(String, Option<usize>)>,
}

impl Canon {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let places = columns.iter().enumerate().map(|(at, column)| (*column, Some(at)));
        let mut sorted: Vec<(&str, Option<usize>)> =
            places.chain(std::iter::once(("version", None))).collect();
        sorted.sort_unstable();
        let keys = sorted.into_iter().enumerate().map(|(nth, (column, place))| {
            let before = if nth == 0 { '{' } else { ',' };
            (format!("{before}\"{column}\":"), place)
        });
        Self { keys: keys.collect() }
    }

    pub(crate) fn digest(&self, salt: &[u8], values: &[Value], version: i64) -> [u8; 32] {
        let mut message = Vec::with_capacity(640);
        self.write(&mut message, salt, values, version);
        gm::sm3(&message)
    }

    /// What is digested: the salt, then the canonical form.
    pub(super) fn write(&self, message: &mut Vec<u8>, salt: &[u8], values: &[Value], version: i64) {
        message.extend_from_slice(salt);
        for (key, place) in &self.keys {
            message.extend_from_slice(key.as_bytes());
            match place.map(|at| &values[at]) {
                None => push_int(message, version),
                Some(Value::Null) => message.extend_from_slice(b"null"),
                Some(Value::Int(number)) => push_int(message, *number),
                Some(Value::Text(value)) => push_json(message, value),
                Some(Value::Bytes(bytes)) => {
                    message.push(b'"');
                    push_hex(message, bytes);
                    message.push(b'"');
                }
            }
        }
        message.push(b'}');
    }
}

fn push_int(text: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        text.push(b'-');
    }
    text.extend_from_slice(&digits[at..]);
}

/// A JSON string; what needs no escape, nearly everything, is copied whole.
fn push_json(text: &mut Vec<u8>, value: &str) {
    let plain =
        |bytes: &[u8]| bytes.iter().all(|byte| *byte >= 0x20 && *byte != b'"' && *byte != b'\\');
    if plain(value.as_bytes()) {
        text.push(b'"');
        text.extend_from_slice(value.as_bytes());
        text.push(b'"');
    } else {
        text.extend(serde_json::to_string(value).expect("a text always serialises").as_bytes());
    }
}

fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_digests_as_rfc_8785_says() {
        let columns = ["id", "name", "fine", "hash", "note"];
        let values = [
            Value::from("0197"),
            Value::from("滕州市\"好\"\n店\u{1}"),
            Value::from(1_234_567_890_123_i64),
            Value::from(vec![0xAB, 1]),
            Value::Null,
        ];
        let mut ours = Vec::new();
        Canon::new(&columns).write(&mut ours, b"", &values, 7);
        let ours = String::from_utf8(ours).expect("UTF-8");
        let parsed: serde_json::Value = serde_json::from_str(&ours).expect("JSON");
        let theirs = serde_json_canonicalizer::to_string(&parsed).expect("canonical");
        assert_eq!(ours, theirs);
    }
}
