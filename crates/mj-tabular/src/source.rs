//! Where bytes come from, counted as they are read so that every format can report progress.

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Anything a table can be read from: a file, or bytes in memory behind a cursor.
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// A source that counts what was read from it.
pub(crate) struct Counted {
    inner: Box<dyn Source>,
    read: Arc<AtomicU64>,
}

impl Counted {
    /// `start`: where the source stands.
    pub(crate) fn new(inner: Box<dyn Source>, start: u64) -> (Self, Arc<AtomicU64>) {
        let read = Arc::new(AtomicU64::new(start));
        let counted = Counted { inner, read: Arc::clone(&read) };
        (counted, read)
    }
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Seek for Counted {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.inner.seek(pos)
    }
}

/// Turns UTF-16 into UTF-8 while reading. Unpaired surrogates become U+FFFD, which the reader of
/// rows turns into a finding.
pub(crate) struct Utf16<R> {
    inner: R,
    decoder: encoding_rs::Decoder,
    raw: Box<[u8]>,
    raw_pos: usize,
    raw_len: usize,
    eof: bool,
    done: bool,
}

impl<R: Read> Utf16<R> {
    pub(crate) fn new(inner: R, encoding: &'static encoding_rs::Encoding) -> Self {
        Utf16 {
            inner,
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: vec![0; 64 << 10].into_boxed_slice(),
            raw_pos: 0,
            raw_len: 0,
            eof: false,
            done: false,
        }
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // The decoder wants room for the longest sequence; callers always bring kilobytes.
        while !self.done {
            if self.raw_pos == self.raw_len && !self.eof {
                self.raw_len = self.inner.read(&mut self.raw)?;
                self.raw_pos = 0;
                self.eof = self.raw_len == 0;
            }
            let (result, consumed, written, _) =
                self.decoder.decode_to_utf8(&self.raw[self.raw_pos..self.raw_len], buf, self.eof);
            self.raw_pos += consumed;
            self.done = self.eof && result == encoding_rs::CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
            if result == encoding_rs::CoderResult::OutputFull {
                return Err(io::Error::other("buffer too small for one character"));
            }
        }
        Ok(0)
    }
}

/// A growing window over a stream: records are looked for in it, and what was used is dropped.
pub(crate) struct Window {
    inner: Box<dyn Read + Send>,
    buf: Vec<u8>,
    pos: usize,
    len: usize,
    eof: bool,
    /// Offset in the stream of `buf[0]`.
    base: u64,
}

const CHUNK: usize = 256 << 10;

impl Window {
    pub(crate) fn new(inner: Box<dyn Read + Send>, base: u64) -> Self {
        Window { inner, buf: vec![0; CHUNK], pos: 0, len: 0, eof: false, base }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buf[self.pos..self.len]
    }

    pub(crate) fn eof(&self) -> bool {
        self.eof
    }

    /// Offset in the stream of the first byte of the window.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.pos = (self.pos + n).min(self.len);
    }

    /// Reads more behind what is there; doubles the buffer when a record fills it.
    pub(crate) fn more(&mut self) -> io::Result<()> {
        if self.pos > 0 {
            self.buf.copy_within(self.pos..self.len, 0);
            self.base += self.pos as u64;
            self.len -= self.pos;
            self.pos = 0;
        }
        if self.buf.len() - self.len < 4096 {
            self.buf.resize(self.buf.len() * 2, 0);
        }
        // Fill whole chunks: a pipe or a decoder may bring little at a time.
        while self.len < self.buf.len() {
            match self.inner.read(&mut self.buf[self.len..]) {
                Ok(0) => {
                    self.eof = true;
                    break;
                }
                Ok(n) => {
                    self.len += n;
                    if self.buf.len() - self.len < 4096 {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Drops everything up to and including the next line end.
    pub(crate) fn skip_line(&mut self) -> io::Result<()> {
        loop {
            if let Some(i) = memchr::memchr2(b'\n', b'\r', self.bytes()) {
                if self.bytes()[i] == b'\r' && i + 1 == self.bytes().len() && !self.eof {
                    self.consume(i);
                    self.more()?;
                    continue;
                }
                let crlf = self.bytes()[i] == b'\r' && self.bytes().get(i + 1) == Some(&b'\n');
                self.consume(i + 1 + usize::from(crlf));
                return Ok(());
            }
            let all = self.bytes().len();
            self.consume(all);
            if self.eof {
                return Ok(());
            }
            self.more()?;
        }
    }
}

/// Reads at most `limit` bytes to the end, saying whether there was more.
pub(crate) fn read_capped<R: BufRead>(reader: R, limit: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut out = Vec::new();
    reader.take(limit + 1).read_to_end(&mut out)?;
    let more = out.len() as u64 > limit;
    Ok((out, more))
}
