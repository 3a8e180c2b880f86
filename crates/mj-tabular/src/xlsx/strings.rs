//! The shared strings of a workbook, in one buffer with a cap. They are the only part of a workbook
//! that has to be in memory, because cells refer to them in any order.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::inflate::{ElementGuard, Inflated};
use super::xml_error;
use crate::error::TableError;
use crate::finding::Finding;
use crate::reader::Options;

/// Excel allows 32,767 characters in a cell; formatting runs make the element a good deal longer.
const MAX_ELEMENT: usize = 4 << 20;

#[derive(Default)]
pub(super) struct SharedStrings {
    text: String,
    ends: Vec<u32>,
}

impl SharedStrings {
    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1] as usize,
        };
        self.text.get(start..end)
    }

    /// Reads the part; also says how many bytes it inflated to.
    pub(super) fn read<R: BufRead>(
        part: Inflated<R>,
        options: &Options,
    ) -> Result<(Self, u64), TableError> {
        const WHAT: &str = "共享文字";
        let cap = options.max_shared_strings.min(u64::from(u32::MAX));
        let mut strings = SharedStrings::default();
        let guard = ElementGuard::new(part, b"</si>", MAX_ELEMENT);
        let mut reader = Reader::from_reader(guard);
        lenient(&mut reader);
        let mut buf = Vec::new();
        let mut value = String::new();
        let (mut in_text, mut phonetic) = (false, false);
        loop {
            buf.clear();
            let event = reader.read_event_into(&mut buf).map_err(|e| xml_error(e, WHAT))?;
            match event {
                Event::Start(e) => match e.local_name().as_ref() {
                    "si" => value.clear(),
                    "t" => in_text = !phonetic,
                    "rPh" => phonetic = true,
                    _ => {}
                },
                Event::Empty(e) if e.local_name().as_ref() == "si" => {
                    strings.ends.push(strings.text.len() as u32);
                }
                Event::End(e) => match e.local_name().as_ref() {
                    "si" => {
                        if reader.get_mut().restart() {
                            return Err(Finding::damaged("有一个单元格的文字过长").into());
                        }
                        (in_text, phonetic) = (false, false);
                        push_unescaped(&mut strings.text, &value);
                        strings.ends.push(strings.text.len() as u32);
                        if (strings.text.len() + strings.ends.len() * 4) as u64 > cap {
                            return Err(Finding::shared_strings_too_large(
                                options.max_shared_strings,
                            )
                            .into());
                        }
                    }
                    "t" => in_text = false,
                    "rPh" => phonetic = false,
                    _ => {}
                },
                Event::Eof => break,
                event if in_text => append_text(&event, &mut value),
                _ => {}
            }
        }
        strings.text.shrink_to_fit();
        let produced = reader.get_ref().part().produced();
        Ok((strings, produced))
    }
}

/// The guard cuts elements short, so tags may be left open.
pub(super) fn lenient<R>(reader: &mut Reader<R>) {
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
}

/// Text, CDATA and references of an element's content.
pub(super) fn append_text(event: &Event<'_>, out: &mut String) {
    match event {
        Event::Text(text) => out.push_str(&text.xml10_content()),
        Event::CData(text) => out.push_str(text),
        Event::GeneralRef(name) => match name.resolve_char_ref() {
            Ok(Some(c)) => out.push(c),
            _ => match &**name {
                "lt" => out.push('<'),
                "gt" => out.push('>'),
                "amp" => out.push('&'),
                "quot" => out.push('"'),
                "apos" => out.push('\''),
                other => {
                    out.push('&');
                    out.push_str(other);
                    out.push(';');
                }
            },
        },
        _ => {}
    }
}

/// Excel writes characters that XML forbids as `_x000D_`.
pub(super) fn push_unescaped(out: &mut String, value: &str) {
    let mut rest = value;
    while let Some(at) = rest.find("_x") {
        let code = rest
            .get(at + 2..at + 6)
            .filter(|_| rest.as_bytes().get(at + 6) == Some(&b'_'))
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .and_then(char::from_u32);
        match code {
            Some(c) => {
                out.push_str(&rest[..at]);
                out.push(c);
                rest = &rest[at + 7..];
            }
            None => {
                out.push_str(&rest[..at + 2]);
                rest = &rest[at + 2..];
            }
        }
    }
    out.push_str(rest);
}
