//! Splits one delimited record into cells, on bytes. Works for every encoding whose multi-byte
//! characters never contain the delimiter, a quote or a line end (UTF-8, GB18030). Knows nothing of
//! files; a quote that is never closed is reported so that the reader can save the following rows.

/// One cell inside a record, as offsets from its beginning; surrounding quotes are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawCell {
    pub start: usize,
    pub end: usize,
    /// Contains doubled quotes that stand for one.
    pub escaped: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Record {
        /// Length without the line end.
        len: usize,
        /// Where the next record begins.
        next: usize,
        /// Physical lines the record covers.
        lines: u64,
        /// A cell began with a quote but was not wholly quoted; it was kept as it stands.
        stray: bool,
    },
    /// The window ends before the record does.
    More {
        /// The window ends inside a quoted cell that already spans lines.
        quoted_across_lines: bool,
    },
    /// A quote opened and never closed in a believable way.
    Unclosed,
}

/// Splits the record at the beginning of `bytes`. `eof`: nothing follows the window.
pub(crate) fn split(bytes: &[u8], delimiter: u8, eof: bool, cells: &mut Vec<RawCell>) -> Split {
    cells.clear();
    let mut at = 0;
    let mut lines = 1;
    let mut stray = false;
    loop {
        let start = at;
        let mut scan = at;
        if bytes.get(at) == Some(&b'"') {
            match quoted(bytes, at, delimiter, eof) {
                Quoted::Closed { end, escaped } => {
                    lines += memchr::memchr_iter(b'\n', &bytes[start + 1..end]).count() as u64;
                    cells.push(RawCell { start: start + 1, end, escaped });
                    at = end + 1;
                    match finish(bytes, at, eof) {
                        Finish::Delimiter => {
                            at += 1;
                            continue;
                        }
                        Finish::End { next } => {
                            return Split::Record { len: at, next, lines, stray };
                        }
                        Finish::More => {
                            return Split::More { quoted_across_lines: false };
                        }
                    }
                }
                Quoted::Stray { resume } => {
                    stray = true;
                    scan = resume;
                }
                Quoted::Unclosed => return Split::Unclosed,
                Quoted::More { quoted_across_lines } => {
                    return Split::More { quoted_across_lines };
                }
            }
        }
        match memchr::memchr3(delimiter, b'\n', b'\r', &bytes[scan..]) {
            Some(found) => {
                let end = scan + found;
                cells.push(RawCell { start, end, escaped: false });
                if bytes[end] == delimiter {
                    at = end + 1;
                    continue;
                }
                match finish(bytes, end, eof) {
                    Finish::End { next } => {
                        return Split::Record { len: end, next, lines, stray };
                    }
                    _ => {
                        return Split::More { quoted_across_lines: false };
                    }
                }
            }
            None if eof => {
                cells.push(RawCell { start, end: bytes.len(), escaped: false });
                return Split::Record { len: bytes.len(), next: bytes.len(), lines, stray };
            }
            None => {
                return Split::More { quoted_across_lines: false };
            }
        }
    }
}

enum Finish {
    Delimiter,
    End { next: usize },
    More,
}

/// What stands where a cell ended.
fn finish(bytes: &[u8], at: usize, eof: bool) -> Finish {
    match bytes.get(at) {
        None if eof => Finish::End { next: at },
        None => Finish::More,
        Some(b'\n') => Finish::End { next: at + 1 },
        Some(b'\r') => match bytes.get(at + 1) {
            Some(b'\n') => Finish::End { next: at + 2 },
            Some(_) => Finish::End { next: at + 1 },
            None if eof => Finish::End { next: at + 1 },
            None => Finish::More,
        },
        Some(_) => Finish::Delimiter,
    }
}

enum Quoted {
    /// `end`: the closing quote.
    Closed {
        end: usize,
        escaped: bool,
    },
    Stray {
        resume: usize,
    },
    Unclosed,
    More {
        quoted_across_lines: bool,
    },
}

fn quoted(bytes: &[u8], open: usize, delimiter: u8, eof: bool) -> Quoted {
    let mut at = open + 1;
    let mut escaped = false;
    loop {
        let Some(found) = memchr::memchr(b'"', &bytes[at..]) else {
            if eof {
                return Quoted::Unclosed;
            }
            return Quoted::More { quoted_across_lines: has_line_end(&bytes[open..]) };
        };
        let quote = at + found;
        match bytes.get(quote + 1) {
            Some(b'"') => {
                escaped = true;
                at = quote + 2;
            }
            Some(&b) if b == delimiter || b == b'\n' || b == b'\r' => {
                return Quoted::Closed { end: quote, escaped };
            }
            None if eof => {
                return Quoted::Closed { end: quote, escaped };
            }
            None => {
                return Quoted::More { quoted_across_lines: has_line_end(&bytes[open..]) };
            }
            // A closing quote must end the cell. When lines have passed since it opened, the quote
            // was most likely never closed and this one opens a cell of a later row.
            Some(_) if has_line_end(&bytes[open..quote]) => return Quoted::Unclosed,
            Some(_) => return Quoted::Stray { resume: quote + 1 },
        }
    }
}

fn has_line_end(bytes: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', bytes).is_some()
}

/// Cells of one physical line taken literally: what is left of a row whose quotes are broken.
pub(crate) fn split_literally(line: &[u8], delimiter: u8, cells: &mut Vec<RawCell>) {
    cells.clear();
    let mut start = 0;
    for end in memchr::memchr_iter(delimiter, line).chain(std::iter::once(line.len())) {
        cells.push(RawCell { start, end, escaped: false });
        start = end + 1;
    }
}

/// Length of the first physical line and where the next one begins.
pub(crate) fn first_line(bytes: &[u8]) -> (usize, usize) {
    match memchr::memchr2(b'\n', b'\r', bytes) {
        Some(end) => {
            let crlf = bytes[end] == b'\r' && bytes.get(end + 1) == Some(&b'\n');
            (end, end + 1 + usize::from(crlf))
        }
        None => (bytes.len(), bytes.len()),
    }
}
