//! The bad input that must be met: each gets a clear message, and one bad row never takes another
//! one with it.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;

use super::*;

#[test]
fn nothing_at_all() {
    for bytes in [&b""[..], b"\n\n  \n", b"\xEF\xBB\xBF", b",,,\n,,\n"] {
        let finding = refusal(bytes);
        assert_eq!(finding.code, "file.empty");
        assert!(finding.refuses() && !finding.remedy.is_empty());
    }
}

#[test]
fn a_header_and_nothing_else() {
    let mut reader = open("名称,代码\n");
    assert!(rows(&mut reader).is_empty());
    assert_eq!(reader.file_findings()[0].code, "file.header_only");
}

#[test]
fn other_kinds_of_files_named_csv() {
    let cases: [(&[u8], &str); 8] = [
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1....", ".xls"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x89PNG\r\n\x1a\n....", "PNG"),
        (b"\xFF\xD8\xFF\xE0....", "JPEG"),
        (b"\x1F\x8B\x08....", "gzip"),
        (b"\x7FELF\x02\x01", "程序"),
        (b"\x01\x02\x03\x04\x05\x06\x07\x08,\n", "二进制"),
        (b"<HTML><table><tr>", "网页"),
    ];
    for (bytes, word) in cases {
        let finding = refusal(bytes);
        assert_eq!(finding.code, "file.binary", "{word}");
        assert!(finding.reason.contains(word), "{}", finding.reason);
    }
    let bare_utf16: Vec<u8> =
        "name,code\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(refusal(bare_utf16).reason.contains("UTF-16"));
    assert_eq!(refusal("[{\"a\":1}]").code, "jsonl.syntax");
    assert_eq!(refusal("{\n  \"a\": 1\n}\n").code, "jsonl.syntax");
}

#[test]
fn a_file_over_two_gibibytes() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // Sparse: takes no room on the disk.
    file.as_file().set_len((2 << 30) + 1).unwrap();
    let error = TableReader::open_path(file.path(), &Options::default()).unwrap_err();
    let finding = error.finding().unwrap();
    assert_eq!(finding.code, "file.too_large");
    assert!(finding.reason.contains("2 GB"), "{}", finding.reason);
}

#[test]
fn a_missing_file_is_not_the_departments_fault() {
    let error = TableReader::open_path("/nonexistent/x.csv", &Options::default()).unwrap_err();
    assert!(matches!(error, TableError::Io(_)) && error.finding().is_none());
}

#[test]
fn headers_that_cannot_be_used() {
    let duplicate = refusal("名称,代码, 名称\n1,2,3\n");
    assert_eq!(duplicate.code, "header.duplicate");
    assert!(duplicate.reason.contains("第 1 列和第 3 列"));
    assert_eq!(refusal("a,,c\n1,2,3\n").code, "header.blank");
    assert_eq!(refusal("a,\"b\n1,2\n").code, "quote.unclosed");
    // Empty titles at the end are what Excel leaves behind.
    let mut reader = open("a,b,,\n1,2,,\n");
    assert_eq!(reader.header(), ["a", "b"]);
    assert!(rows(&mut reader)[0].findings.is_empty());
}

#[test]
fn ten_thousand_columns() {
    let header: Vec<String> = (0..10_000).map(|i| format!("c{i}")).collect();
    let text = format!("{}\n", header.join(","));
    let finding = refusal(text);
    assert_eq!(finding.code, "header.too_many_columns");
    let object: Vec<String> = header.iter().map(|h| format!("\"{h}\":1")).collect();
    assert_eq!(refusal(format!("{{{}}}\n", object.join(","))).code, "header.too_many_columns");
}

#[test]
fn a_row_of_ten_megabytes_is_skipped_and_the_rest_read() {
    let big = "x".repeat(10 << 20);
    for cell in [big.clone(), format!("\"{big}\"")] {
        let mut reader = open(format!("a,b\n1,2\n3,{cell}\n5,6\n"));
        let rows = rows(&mut reader);
        assert_eq!(rows.len(), 3);
        assert_eq!(codes(&rows[1]), ["row.too_long"]);
        assert_eq!((rows[1].row, rows[1].line), (2, 3));
        assert_eq!(texts(&rows[2]), ["5", "6"]);
        assert_eq!((rows[2].row, rows[2].line), (3, 4));
    }
    let text = format!("{{\"a\":1}}\n{{\"a\":\"{big}\"}}\n{{\"a\":3}}\n");
    let rows = rows(&mut open(text));
    assert_eq!(codes(&rows[1]), ["row.too_long"]);
    assert_eq!(texts(&rows[2]), ["3"]);
    assert_eq!(refusal(big).code, "row.too_long", "a file that is one endless line");
}

#[test]
fn a_quoted_cell_of_ten_megabytes_with_lines_in_it() {
    let lines = "一行文字\n".repeat(1 << 20);
    let mut reader = open(format!("a\n1\n\"{lines}"));
    let mut row = RowBuf::new();
    assert!(reader.next_into(&mut row).unwrap());
    assert!(reader.next_into(&mut row).unwrap());
    assert_eq!(row.findings()[0].code, "quote.unclosed");
    assert!(reader.next_into(&mut row).unwrap());
    assert_eq!(row.get(0), Some("一行文字"));
}

#[test]
fn rows_in_another_encoding_are_named_with_line_and_byte() {
    let head = "名称,地址\n枣庄市某店,光明路\n".as_bytes();
    let mixed = [head, &gb18030("滕州市某店,北辛路\n"), "山亭区某店,新城路\n".as_bytes()].concat();
    let mut reader = open(mixed);
    assert_eq!(reader.encoding(), "utf-8");
    let rows = rows(&mut reader);
    let finding = &rows[1].findings[0];
    assert_eq!(finding.code, "file.encoding_mixed");
    assert_eq!((finding.row, finding.line), (Some(2), Some(3)));
    assert_eq!(finding.byte, Some(head.len() as u64));
    assert!(finding.reason.contains("GB18030"));
    assert_eq!(texts(&rows[1])[0], "滕州市某店", "shown as it was meant");
    assert_eq!(texts(&rows[2])[0], "山亭区某店");
    assert!(rows[0].findings.is_empty() && rows[2].findings.is_empty());
}

#[test]
fn utf8_rows_in_a_gb18030_file_are_found_although_they_decode() {
    let mut bytes = gb18030("名称,地址\n枣庄市某店,光明路\n市中区某店,君山路\n");
    bytes.extend("薛城区某某餐饮店,常庄街道光明大道\n".as_bytes());
    bytes.extend(gb18030("峄城区某店,坛山路\n"));
    bytes.extend(b"\xFF\xFFx,y\n");
    let mut reader = open(bytes);
    assert_eq!(reader.encoding(), "gb18030");
    let rows = rows(&mut reader);
    assert_eq!(codes(&rows[2]), ["file.encoding_mixed"]);
    assert!(rows[2].findings[0].reason.contains("UTF-8"));
    assert_eq!(texts(&rows[2])[0], "薛城区某某餐饮店");
    assert!(rows[3].findings.is_empty());
    assert_eq!(codes(&rows[4]), ["file.encoding_mixed"]);
}

#[test]
fn every_line_of_gb18030_is_taken_for_what_it_is() {
    // Every everyday character in turn, three to a cell: none may look like UTF-8 by accident.
    let mut text = String::from("名称,备注\n");
    let mut cell = String::new();
    for lead in 0xB0..=0xD7u8 {
        for trail in 0xA1..=0xF9u8 {
            let bytes = [lead, trail];
            let (c, _, _) = encoding_rs::GBK.decode(&bytes);
            cell.push_str(&c);
            if cell.chars().count() == 3 {
                text.push_str(&format!("{cell},甲\n"));
                cell.clear();
            }
        }
    }
    let mut reader = open(gb18030(&text));
    let expected: Vec<&str> = text.lines().skip(1).map(|l| &l[..l.len() - 4]).collect();
    let rows = rows(&mut reader);
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(row.cells[0].as_deref(), Some(expected));
        assert!(row.findings.is_empty());
    }
}

#[test]
fn nul_bytes_and_lone_surrogates_refuse_their_row_only() {
    let long = "正常的一行,内容\n".repeat(20);
    let mut reader = open(format!("a,b\n{long}x\0y,2\n3,4\n"));
    let got = rows(&mut reader);
    assert_eq!(codes(&got[20]), ["cell.nul"]);
    assert!(got[21].findings.is_empty());
    let mut bytes = utf16le("a,b\n1,");
    bytes.extend([0x00, 0xD8]);
    bytes.extend("\n3,4\n".encode_utf16().flat_map(u16::to_le_bytes));
    let got = rows(&mut open(bytes));
    assert_eq!(codes(&got[0]), ["file.encoding_mixed"]);
    assert_eq!(texts(&got[1]), ["3", "4"]);
}

// ---- workbooks that are meant to hurt ----------------------------------------------------------

fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const WORKBOOK: &[u8] =
    b"<workbook xmlns:r=\"r\"><sheets><sheet name=\"S\" r:id=\"rId1\"/></sheets></workbook>";

fn workbook(sheet: &[u8], strings: &[u8]) -> Vec<u8> {
    zipped(&[
        ("xl/workbook.xml", WORKBOOK),
        ("xl/worksheets/sheet1.xml", sheet),
        ("xl/sharedStrings.xml", strings),
    ])
}

fn sheet_with(rows: &str) -> Vec<u8> {
    format!("<worksheet><sheetData>{rows}</sheetData></worksheet>").into_bytes()
}

fn inline(cells: &[&str]) -> String {
    let cells: String =
        cells.iter().map(|c| format!("<c t=\"inlineStr\"><is><t>{c}</t></is></c>")).collect();
    format!("<row>{cells}</row>")
}

/// Reads to the end or to the finding that ends the file.
fn ending(bytes: Vec<u8>, options: &Options) -> (u64, Option<Finding>) {
    let mut reader = match TableReader::open_bytes(bytes, options) {
        Ok(reader) => reader,
        Err(error) => return (0, error.finding().cloned()),
    };
    let mut row = RowBuf::new();
    loop {
        match reader.next_into(&mut row) {
            Ok(true) => {}
            Ok(false) => return (reader.rows(), None),
            Err(error) => {
                assert!(!reader.next_into(&mut row).unwrap(), "an end is an end");
                return (reader.rows(), error.finding().cloned());
            }
        }
    }
}

#[test]
fn a_zip_bomb_is_stopped_by_what_comes_out() {
    // 60 MB of rows in a few hundred kilobytes.
    let mut rows = inline(&["a"]);
    let filler = inline(&[&"0".repeat(1000)]).repeat(1000);
    for _ in 0..60 {
        rows.push_str(&filler);
    }
    let bomb = workbook(&sheet_with(&rows), b"<sst/>");
    assert!(bomb.len() < 2 << 20);
    let (read, finding) = ending(bomb.clone(), &Options::default());
    let finding = finding.unwrap();
    assert_eq!(finding.code, "file.zip_bomb", "{finding:?}");
    assert!(read < 40_000);
    // The absolute cap holds as well, and the directory's word alone is enough to refuse.
    let options = Options { max_inflated: 1 << 20, ..Options::default() };
    assert_eq!(refusal_with(bomb.clone(), &options).code, "file.zip_bomb");

    // A directory that lies about the size is not believed.
    let mut lying = bomb;
    for signature in [&b"PK\x01\x02"[..], b"PK\x03\x04"] {
        let size_at = if signature[2] == 1 { 24 } else { 22 };
        let mut at = 0;
        while let Some(found) = memchr::memmem::find(&lying[at..], signature) {
            at += found + 4;
            let field = at - 4 + size_at;
            lying[field..field + 4].copy_from_slice(&1000u32.to_le_bytes());
        }
    }
    let (_, finding) = ending(lying, &Options::default());
    assert_eq!(finding.unwrap().code, "file.zip_bomb");

    // Shared strings and the small parts are under the same guard.
    let huge = format!("<sst><si><t>{}</t></si></sst>", "0".repeat(40 << 20));
    let (_, finding) =
        ending(workbook(&sheet_with(&inline(&["a"])), huge.as_bytes()), &Options::default());
    let code = finding.unwrap().code;
    assert!(matches!(code, "file.zip_bomb" | "file.damaged"), "{code}");
}

#[test]
fn a_zip_that_is_no_workbook() {
    let finding = refusal(zipped(&[("a.csv", b"a,b\n1,2\n")]));
    assert_eq!(finding.code, "file.binary");
    assert!(finding.reason.contains("压缩包"));
    assert!(refusal(zipped(&[("word/document.xml", b"<x/>")])).reason.contains("Word"));
    assert_eq!(refusal(b"PK\x03\x04 broken".to_vec()).code, "file.damaged");
    let whole = workbook(&sheet_with(&inline(&["a"]).repeat(3)), b"<sst/>");
    assert_eq!(refusal(&whole[..whole.len() / 2]).code, "file.damaged");
}

#[test]
fn an_endless_row_in_a_workbook_costs_one_row() {
    let noise: String = (0..6_000_000u32)
        .map(|i| char::from(b'a' + (i.wrapping_mul(2_654_435_761) >> 28) as u8))
        .collect();
    let rows_xml =
        [inline(&["a", "b"]), inline(&["1", "2"]), inline(&["3", &noise]), inline(&["5", "6"])]
            .concat();
    let mut reader = open(workbook(&sheet_with(&rows_xml), b"<sst/>"));
    let rows = rows(&mut reader);
    assert_eq!(rows.len(), 3);
    assert_eq!(codes(&rows[1]), ["row.too_long"]);
    assert_eq!(texts(&rows[2]), ["5", "6"]);
    // The same length out of small pieces: a shared string repeated.
    let strings = format!("<sst><si><t>{}</t></si></sst>", &noise[..30_000]);
    let many = "<c t=\"s\"><v>0</v></c>".repeat(900);
    let header: Vec<String> = (0..900).map(|i| format!("c{i}")).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let sheet = sheet_with(&format!("{}<row>{many}</row>{}", inline(&header), inline(&["x"])));
    let mut reader = open(workbook(&sheet, strings.as_bytes()));
    let rows = super::rows(&mut reader);
    assert_eq!(codes(&rows[0]), ["row.too_long"]);
    assert_eq!(texts(&rows[1])[0], "x");
}

#[test]
fn damage_in_the_middle_of_a_workbook_is_told_not_swallowed() {
    let sheet = sheet_with(&(inline(&["a"]) + &inline(&["1"]).repeat(10)));
    let mut cut = sheet.clone();
    cut.truncate(cut.len() - 60);
    let (read, finding) = ending(workbook(&cut, b"<sst/>"), &Options::default());
    assert_eq!(finding.unwrap().code, "file.damaged");
    assert!(read > 0);
    // A wrong checksum, everything else in order.
    let mut zip = workbook(&sheet, b"<sst/>");
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(&zip[at..], b"PK\x01\x02") {
        at += found + 4;
        zip[at - 4 + 16] ^= 1;
    }
    let (_, finding) = ending(zip, &Options::default());
    assert_eq!(finding.unwrap().code, "file.damaged");
    let broken = sheet_with("<row><c t=\"s\"><v>7</v></c></row>");
    assert_eq!(refusal(workbook(&broken, b"<sst/>")).code, "file.damaged");
}

#[test]
fn ten_thousand_columns_in_a_workbook() {
    let header: Vec<String> = (0..10_000).map(|i| format!("c{i}")).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let finding = refusal(workbook(&sheet_with(&inline(&header)), b"<sst/>"));
    assert_eq!(finding.code, "header.too_many_columns");
    let far = sheet_with("<row><c r=\"ZZZZ1\" t=\"str\"><v>x</v></c></row>");
    assert_eq!(refusal(workbook(&far, b"<sst/>")).code, "file.damaged");
}
