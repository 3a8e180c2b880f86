//! Inflates one part of a package under a budget of bytes and a ratio, both measured on what comes
//! out; and guards the XML reader above against one element that never ends.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Take};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use crate::finding::Finding;

/// Highly regular sheets begin with very compressible bytes; below this the ratio is not judged.
const RATIO_FLOOR: u64 = 16 << 20;

/// Carries a finding through `io::Error` and the XML reader.
#[derive(Debug)]
struct Carried(Finding);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.reason)
    }
}

impl std::error::Error for Carried {}

pub(super) fn finding_in(error: &io::Error) -> Option<Finding> {
    let carried = error.get_ref()?.downcast_ref::<Carried>()?;
    Some(carried.0.clone())
}

fn carry(finding: Finding) -> io::Error {
    io::Error::other(Carried(finding))
}

/// What the directory says about a part; only the checksum is believed, the sizes are bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub start: u64,
    pub compressed: u64,
    pub deflated: bool,
    pub crc: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub inflated: u64,
    pub ratio: u64,
}

enum Raw<R: BufRead> {
    Stored(Take<R>),
    Deflated(DeflateDecoder<Take<R>>),
}

/// One part as it inflates. `R` stands at the part's first byte.
pub(super) struct Inflated<R: BufRead> {
    raw: Raw<R>,
    budget: Budget,
    produced: u64,
    crc: Crc,
    expected: u32,
    checked: bool,
}

impl<R: BufRead> Inflated<R> {
    pub(super) fn new(reader: R, part: Part, budget: Budget) -> Self {
        let limited = reader.take(part.compressed);
        Inflated {
            raw: if part.deflated {
                Raw::Deflated(DeflateDecoder::new(limited))
            } else {
                Raw::Stored(limited)
            },
            budget,
            produced: 0,
            crc: Crc::new(),
            expected: part.crc,
            checked: false,
        }
    }

    pub(super) fn produced(&self) -> u64 {
        self.produced
    }

    fn consumed(&self) -> u64 {
        match &self.raw {
            Raw::Stored(_) => self.produced,
            Raw::Deflated(decoder) => decoder.total_in(),
        }
    }
}

impl<R: BufRead> Read for Inflated<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let n = match &mut self.raw {
            Raw::Stored(reader) => reader.read(buf)?,
            Raw::Deflated(decoder) => decoder.read(buf)?,
        };
        self.crc.update(&buf[..n]);
        self.produced += n as u64;
        if self.produced > self.budget.inflated {
            return Err(carry(Finding::zip_bomb(&format!(
                "解压后超过 {} MB",
                self.budget.inflated >> 20
            ))));
        }
        let consumed = self.consumed().max(1);
        if self.produced > RATIO_FLOOR && self.produced / consumed > self.budget.ratio {
            return Err(carry(Finding::zip_bomb(&format!(
                "{} 字节解压成了 {} 字节以上",
                consumed, self.produced
            ))));
        }
        if n == 0 && !self.checked {
            self.checked = true;
            if self.crc.sum() != self.expected {
                return Err(carry(Finding::damaged("校验和不符")));
            }
        }
        Ok(n)
    }
}

/// Limits how much may pass between two calls of [`ElementGuard::restart`]. When an element is longer,
/// the rest of it is dropped up to its closing tag, so that the elements after it can be read.
pub(super) struct ElementGuard<R: Read> {
    inner: BufReader<R>,
    closing: &'static [u8],
    limit: usize,
    since: usize,
    /// Bytes of the closing tag found while dropping, yet to be handed out.
    pending: usize,
    tripped: bool,
}

impl<R: Read> ElementGuard<R> {
    pub(super) fn new(inner: R, closing: &'static [u8], limit: usize) -> Self {
        ElementGuard {
            inner: BufReader::with_capacity(64 << 10, inner),
            closing,
            limit,
            since: 0,
            pending: 0,
            tripped: false,
        }
    }

    /// A new element begins. Says whether the one before was cut short.
    pub(super) fn restart(&mut self) -> bool {
        self.since = 0;
        std::mem::take(&mut self.tripped)
    }

    pub(super) fn part(&self) -> &R {
        self.inner.get_ref()
    }

    /// Reads to the end of the part, so that its checksum is judged.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        io::copy(&mut self.inner, &mut io::sink()).map(|_| ())
    }

    fn drop_rest(&mut self) -> io::Result<()> {
        let mut matched = 0;
        loop {
            let bytes = self.inner.fill_buf()?;
            if bytes.is_empty() {
                return Ok(());
            }
            let mut used = 0;
            for &b in bytes {
                used += 1;
                matched = match self.closing.get(matched) {
                    Some(&expected) if expected == b => matched + 1,
                    _ => usize::from(b == b'<'),
                };
                if matched == self.closing.len() {
                    break;
                }
            }
            self.inner.consume(used);
            if matched == self.closing.len() {
                self.pending = matched;
                return Ok(());
            }
        }
    }
}

impl<R: Read> Read for ElementGuard<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for ElementGuard<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > self.limit && !self.tripped {
            self.tripped = true;
            self.drop_rest()?;
        }
        if self.pending > 0 {
            return Ok(&self.closing[self.closing.len() - self.pending..]);
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        if self.pending > 0 {
            self.pending -= n.min(self.pending);
        } else {
            self.since += n;
            self.inner.consume(n);
        }
    }
}
