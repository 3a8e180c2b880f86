//! CSV and JSON lines as offices really export them.

use super::*;

const SHEET: &str = "名称,代码,地址\n枣庄市薛城区常庄镇某饭店,92370403MA3C,\"光明路1号,西侧\"\n";

#[test]
fn the_same_table_reads_the_same_in_every_encoding() {
    let mut utf16be = vec![0xFE, 0xFF];
    utf16be.extend(SHEET.encode_utf16().flat_map(u16::to_be_bytes));
    let cases = [
        (SHEET.as_bytes().to_vec(), "utf-8"),
        ([b"\xEF\xBB\xBF", SHEET.as_bytes()].concat(), "utf-8-bom"),
        (gb18030(SHEET), "gb18030"),
        (utf16le(SHEET), "utf-16le"),
        (utf16be, "utf-16be"),
    ];
    for (bytes, encoding) in cases {
        let mut reader = open(bytes);
        assert_eq!(reader.encoding(), encoding);
        assert_eq!(reader.header(), ["名称", "代码", "地址"]);
        let rows = rows(&mut reader);
        assert_eq!(texts(&rows[0]), ["枣庄市薛城区常庄镇某饭店", "92370403MA3C", "光明路1号,西侧"]);
        assert!(rows[0].findings.is_empty(), "{encoding}: {:?}", rows[0].findings);
        assert_eq!((rows[0].row, rows[0].line), (1, 2));
        assert_eq!(reader.bytes_read(), reader.bytes_total());
        assert!(reader.file_findings().is_empty());
    }
}

#[test]
fn chinese_far_down_an_ascii_file_still_decides_its_encoding() {
    let mut text = String::from("id,name\n");
    for i in 0..60_000 {
        text.push_str(&format!("{i},abcdefgh\n"));
    }
    text.push_str("60000,枣庄市市中区某某商店\n");
    let mut reader = open(gb18030(&text));
    assert_eq!(reader.encoding(), "gb18030");
    let last = rows(&mut reader).pop().unwrap();
    assert_eq!(texts(&last), ["60000", "枣庄市市中区某某商店"]);
    assert!(last.findings.is_empty());
}

#[test]
fn quotes_newlines_and_empty_cells() {
    // The cases of csv-spectrum: commas, quotes and newlines inside quotes, empty cells, JSON.
    let text = "a,b,c\r\n1,\"x,\"\"y\"\"\nz\",\r\n\"\",\"{\"\"k\"\": 1}\",é\r\n";
    let mut reader = open(text);
    let rows = rows(&mut reader);
    assert_eq!(texts(&rows[0]), ["1", "x,\"y\"\nz", ""]);
    assert_eq!(texts(&rows[1]), ["", "{\"k\": 1}", "é"]);
    assert_eq!((rows[0].line, rows[1].line), (2, 4));
    assert!(rows.iter().all(|r| r.findings.is_empty()));
}

#[test]
fn blank_lines_are_passed_over_but_lines_keep_their_numbers() {
    let mut reader = open("a,b\n\n1,2\n,,\n\r\n3,4");
    let rows = rows(&mut reader);
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[1].row, rows[1].line), (2, 6));
    assert_eq!(reader.blank_rows(), 3);
}

#[test]
fn tabs_and_semicolons_separate_when_the_header_says_so() {
    for text in ["a\tb\n1\t2,5\n", "a;b\n1;2,5\n"] {
        assert_eq!(texts(&rows(&mut open(text))[0]), ["1", "2,5"]);
    }
}

#[test]
fn a_row_of_the_wrong_width_is_told_and_the_next_one_read() {
    let mut reader = open("a,b,c\n1,2\n1,2,3,4\n1,2,3,,\n1,2,3\n");
    let rows = rows(&mut reader);
    assert_eq!(codes(&rows[0]), ["row.cell_count"]);
    assert!(rows[0].findings[0].reason.contains("第 2 行只有 2 个单元格"));
    assert_eq!(codes(&rows[1]), ["row.cell_count"]);
    assert_eq!(rows[1].cells.len(), 4, "the extra cell is not lost");
    assert!(rows[2].findings.is_empty(), "empty cells at the end are nothing");
    assert!(rows[3].findings.is_empty());
}

#[test]
fn a_quote_that_never_closes_costs_one_row() {
    let text = "a,b\n1,\"open\n2,\"x\"\n3,\"y\ny\"\n4,z\n";
    let mut reader = open(text);
    let rows = rows(&mut reader);
    let got: Vec<_> = rows.iter().map(|r| (r.line, codes(r), texts(r).join("|"))).collect();
    assert_eq!(got[0], (2, vec!["quote.unclosed"], "1|\"open".to_owned()));
    assert_eq!(got[1], (3, vec![], "2|x".to_owned()));
    assert_eq!(got[2], (4, vec![], "3|y\ny".to_owned()));
    assert_eq!(got[3], (6, vec![], "4|z".to_owned()));
    // At the very end of a file nothing follows that could close it.
    let mut reader = open("a,b\n1,2\n3,\"open\n4,5\n");
    let rows = super::rows(&mut reader);
    assert_eq!(rows.len(), 3);
    assert_eq!(codes(&rows[1]), ["quote.unclosed"]);
    assert_eq!(texts(&rows[2]), ["4", "5"]);
}

#[test]
fn a_name_in_quotes_is_kept_as_written_and_remarked() {
    let mut reader = open("a,b\n\"枣庄\"某某公司,2\n");
    let rows = rows(&mut reader);
    assert_eq!(texts(&rows[0]), ["\"枣庄\"某某公司", "2"]);
    assert_eq!(codes(&rows[0]), ["quote.stray"]);
    assert!(!rows[0].findings[0].refuses());
}

#[test]
fn formulas_in_text_files() {
    let mut reader =
        open("a,b\n=1+1,\"=\"\"0012\"\"\"\n=cmd|' /C calc'!A0,-5\n'=text,'+86\n=良好,x\n");
    let rows = rows(&mut reader);
    assert_eq!(texts(&rows[0]), ["=1+1", "0012"]);
    assert_eq!(codes(&rows[0]), ["cell.formula", "cell.formula"]);
    assert_eq!(rows[0].findings[0].column.as_deref(), Some("a"));
    assert!(rows[0].findings[0].refuses() && !rows[0].findings[1].refuses());
    assert_eq!(codes(&rows[1]), ["cell.formula"]);
    assert_eq!(texts(&rows[2]), ["=text", "+86"], "an apostrophe marks text");
    assert!(rows[2].findings.is_empty() && rows[3].findings.is_empty());
}

#[test]
fn the_raw_row_can_be_shown_again() {
    let text = "a,b\n1,\"x,\"\"y\"\"\"\n";
    let mut reader = open(text);
    let mut row = RowBuf::new();
    assert!(reader.next_into(&mut row).unwrap());
    assert_eq!(row.raw_text(), "1,\"x,\"\"y\"\"\"");
    assert_eq!(row.get(1), Some("x,\"y\""));
    assert_eq!((row.get(2), row.len()), (None, 2));
}

#[test]
fn json_lines_bring_their_columns_along() {
    let text = "{\"名称\":\"某店\",\"code\":9137040000012345678,\"n\":null}\n\
                {\"code\":\"x\",\"extra\":{\"a\":[1, 2]},\"ok\":true}\n\
                not json\n\n{\"code\":0012}\n{\"n\":1,\"n\":2}\n{\"名称\":\"末行\"}";
    let mut reader = open(text);
    assert_eq!(reader.encoding(), "jsonl");
    assert_eq!(reader.header(), ["名称", "code", "n", "extra", "ok"]);
    let rows = rows(&mut reader);
    assert_eq!(texts(&rows[0]), ["某店", "9137040000012345678", "", "", ""]);
    assert_eq!(texts(&rows[1]), ["", "x", "", "{\"a\":[1, 2]}", "true"]);
    for (row, line) in [(2, 3), (3, 5), (4, 6)] {
        assert_eq!(codes(&rows[row]), ["jsonl.syntax"]);
        assert_eq!(rows[row].line, line);
    }
    assert_eq!(texts(&rows[5])[0], "末行");
    assert!(rows[5].findings.is_empty());
}

#[test]
fn a_key_that_first_appears_late_is_not_lost_silently() {
    let mut text = String::new();
    for i in 0..1500 {
        text.push_str(&format!("{{\"a\":{i}}}\n"));
    }
    text.push_str("{\"a\":1,\"late\":2}\n");
    let last = rows(&mut open(text.clone())).pop().unwrap();
    assert_eq!(codes(&last), ["jsonl.unknown_key"]);
    let options =
        Options { expected_columns: vec!["a".into(), "late".into()], ..Options::default() };
    let mut reader = TableReader::open_bytes(text.into_bytes(), &options).unwrap();
    let last = rows(&mut reader).pop().unwrap();
    assert!(last.findings.is_empty());
    assert_eq!(texts(&last), ["1", "2"]);
}
