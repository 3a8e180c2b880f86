//! What a file is, by its content: names lie. Recognises the table formats we read, names the
//! formats we do not, and decides between UTF-8 and GB18030 by counting lines.

use std::io::{self, Read, Seek, SeekFrom};

use encoding_rs::{GB18030, GBK};

use crate::finding::Finding;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Zip,
    Json,
    Utf8,
    Utf8Bom,
    Gb18030,
    Utf16Le,
    Utf16Be,
}

const HEAD: usize = 8 << 10;
const SAMPLE: usize = 256 << 10;

/// Magic numbers of what departments upload by mistake.
const MAGIC: [(&[u8], &str, &str); 15] = [
    (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "旧版 Office 文件（.xls）或加了密码的工作簿", XLS),
    (b"%PDF", " PDF 文档", EXPORT),
    (b"\x89PNG", " PNG 图片", EXPORT),
    (b"\xFF\xD8\xFF", " JPEG 图片", EXPORT),
    (b"GIF8", " GIF 图片", EXPORT),
    (b"II*\0", " TIFF 图片", EXPORT),
    (b"MM\0*", " TIFF 图片", EXPORT),
    (b"\x1F\x8B", " gzip 压缩包", UNPACK),
    (b"7z\xBC\xAF\x27\x1C", " 7z 压缩包", UNPACK),
    (b"Rar!", " RAR 压缩包", UNPACK),
    (b"\x28\xB5\x2F\xFD", " zstd 压缩包", UNPACK),
    (b"\x7FELF", "可执行程序", EXPORT),
    (b"MZ\x90\0", "可执行程序", EXPORT),
    (b"SQLite format 3\0", " SQLite 数据库", EXPORT),
    (b"PAR1", " Parquet 文件", EXPORT),
];

const XLS: &str = "请用 Excel 或 WPS 打开，去掉密码，另存为 .xlsx 后上传";
const EXPORT: &str = "请从业务系统导出 CSV 或 .xlsx 后上传";
const UNPACK: &str = "请解压后上传里面的数据表";

/// Looks at the beginning of the file (and, for text, at the first lines that are not ASCII).
pub(crate) fn detect<R: Read + Seek>(source: &mut R) -> io::Result<Result<Content, Finding>> {
    let mut head = Vec::with_capacity(HEAD);
    source.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    if head.is_empty() {
        return Ok(Err(Finding::empty()));
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Ok(Ok(Content::Zip));
    }
    if let Some((_, what, remedy)) = MAGIC.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Ok(Err(Finding::binary(what, remedy)));
    }
    if head.starts_with(b"\xFF\xFE") {
        return Ok(Ok(Content::Utf16Le));
    }
    if head.starts_with(b"\xFE\xFF") {
        return Ok(Ok(Content::Utf16Be));
    }
    let bom = head.starts_with(b"\xEF\xBB\xBF");
    let text = if bom { &head[3..] } else { &head[..] };
    if let Some(finding) = binary_text(text) {
        return Ok(Err(finding));
    }
    let visible = text.trim_ascii_start();
    if visible.is_empty() && head.len() < HEAD {
        return Ok(Err(Finding::empty()));
    }
    if visible.starts_with(b"{") {
        return Ok(Ok(Content::Json));
    }
    if visible.starts_with(b"[") && visible[1..].trim_ascii_start().starts_with(b"{") {
        return Ok(Err(Finding::json_array()));
    }
    if is_markup(visible) {
        return Ok(Err(Finding::binary(
            "网页或 XML（有的系统把网页导出成 .xls）",
            "请用 Excel 或 WPS 打开后另存为 .xlsx 再上传",
        )));
    }
    if bom {
        return Ok(Ok(Content::Utf8Bom));
    }
    source.seek(SeekFrom::Start(0))?;
    choose_charset(source).map(Ok)
}

fn is_markup(text: &[u8]) -> bool {
    [&b"<html"[..], b"<!doctype", b"<table", b"<?xml", b"<head"]
        .iter()
        .any(|tag| text.len() >= tag.len() && text[..tag.len()].eq_ignore_ascii_case(tag))
}

/// Control bytes do not occur in text, save a stray one in a damaged row.
fn binary_text(text: &[u8]) -> Option<Finding> {
    let nul = text.iter().filter(|&&b| b == 0).count();
    if nul * 3 > text.len() && text.len() >= 4 {
        return Some(Finding::binary(
            "不带标记的 UTF-16 文本或二进制数据",
            "请另存为 UTF-8 编码的 CSV 后上传",
        ));
    }
    let control = text
        .iter()
        .filter(|&&b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | 0x1A))
        .count();
    if control >= 4 && control * 50 > text.len() {
        return Some(Finding::binary("二进制数据", EXPORT));
    }
    None
}

/// Reads on to the first bytes beyond ASCII and lets the lines there vote.
fn choose_charset<R: Read>(source: &mut R) -> io::Result<Content> {
    let mut chunk = vec![0u8; SAMPLE];
    let mut carry: Vec<u8> = Vec::new();
    loop {
        let n = read_full(source, &mut chunk)?;
        if n == 0 {
            return Ok(Content::Utf8);
        }
        let bytes = &chunk[..n];
        if bytes.is_ascii() {
            // The line that runs into the next chunk begins here; only its encoding matters, so
            // its ASCII beginning may be forgotten.
            continue;
        }
        carry.extend_from_slice(bytes);
        let first = bytes.iter().position(|b| !b.is_ascii()).unwrap_or(0);
        if n - first < SAMPLE / 2 {
            let n = read_full(source, &mut chunk)?;
            carry.extend_from_slice(&chunk[..n]);
        }
        return Ok(vote(&carry));
    }
}

fn read_full<R: Read>(source: &mut R, buf: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buf.len() {
        match source.read(&mut buf[n..]) {
            Ok(0) => break,
            Ok(m) => n += m,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}

/// Chinese in UTF-8 takes three bytes a character, so a line that is valid UTF-8 with two-byte
/// characters only may well be GB18030 (“庄” is D7 AF). Such lines speak only when no other does.
fn vote(sample: &[u8]) -> Content {
    let (mut utf8, mut gb, mut weak_utf8, mut weak_gb) = (0u32, 0u32, 0u32, 0u32);
    for line in sample.split(|&b| b == b'\n').filter(|l| !l.is_ascii()) {
        let text = match std::str::from_utf8(line) {
            Ok(text) => text,
            // Cut off by the end of the sample.
            Err(e) if e.error_len().is_none() && e.valid_up_to() > 0 => {
                std::str::from_utf8(&line[..e.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => {
                gb += 1;
                continue;
            }
        };
        if text.chars().any(|c| c.len_utf8() > 2) {
            utf8 += 1;
        } else if text.chars().all(|c| c <= '\u{24f}') {
            weak_utf8 += 1;
        } else {
            weak_gb += 1;
        }
    }
    if gb > utf8 || (gb == utf8 && weak_gb > weak_utf8) { Content::Gb18030 } else { Content::Utf8 }
}

/// A row of a GB18030 file that was written in UTF-8: such bytes are often valid GB18030 too
/// (“枣庄” reads as “鏋ｅ簞”), so only their shape gives them away. Returns where the first such
/// character stands, and the text.
pub(crate) fn utf8_in_gb18030(raw: &[u8]) -> Option<(usize, &str)> {
    let text = std::str::from_utf8(raw).ok()?;
    let mut first = None;
    let (mut han, mut common) = (0u32, 0u32);
    for (at, c) in text.char_indices().filter(|(_, c)| !c.is_ascii()) {
        match c {
            '\u{4e00}'..='\u{9fff}' => {
                first = first.or(Some(at));
                han += 1;
                // Everyday characters stand in the first level of GB 2312 (B0A1..D7F9).
                let mut buf = [0; 4];
                let (bytes, _, _) = GBK.encode(c.encode_utf8(&mut buf));
                common += u32::from(matches!(bytes[..], [0xB0..=0xD7, 0xA1..=0xFE]));
            }
            '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}' | '\u{2010}'..='\u{203b}' => {}
            // Two-byte sequences are what real GB18030 text looks like by accident.
            _ => return None,
        }
    }
    (han >= 2 && common * 2 >= han).then_some((first?, text))
}

/// Whether text can be written in GB18030 without loss.
pub(crate) fn to_gb18030(text: &str) -> std::borrow::Cow<'_, [u8]> {
    GB18030.encode(text).0
}
