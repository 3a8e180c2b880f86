//! Properties: what is written is read again unchanged, in every format; and no bytes whatever make a
//! reader fail or stand still.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::{CsvEncoding, CsvWriter, SheetWriter};

/// Cells full of what breaks readers: quotes, delimiters, line ends, formulas, escapes, Chinese.
fn cell() -> impl Strategy<Value = Option<String>> {
    let nasty = prop_oneof![
        Just("=1+1"),
        Just("'=x"),
        Just("''-a"),
        Just("-5"),
        Just("-5-"),
        Just("@a"),
        Just("+86 10"),
        Just("\""),
        Just("\"\""),
        Just("a\"b"),
        Just("a,b"),
        Just("a\nb"),
        Just("a\r\nb"),
        Just("\r"),
        Just(" x "),
        Just("_x000D_"),
        Just("_x"),
        Just("&lt;"),
        Just("</row>"),
        Just("0012"),
        Just("枣庄市，薛城区"),
        Just("𠮷野家"),
        Just("<![CDATA["),
        Just("\tq"),
        Just("\u{feff}b"),
        Just("="),
        Just("={"),
        Just("=\"0\""),
        Just("'"),
        Just("1e5"),
        Just(";"),
    ]
    .prop_map(str::to_owned);
    prop_oneof![
        1 => Just(None),
        3 => "[a-z0-9\",\n 枣庄市=+@'-]{1,8}".prop_map(Some),
        3 => nasty.prop_map(Some),
    ]
}

fn table() -> impl Strategy<Value = Vec<Vec<Option<String>>>> {
    (1usize..5).prop_flat_map(|width| {
        let row = prop::collection::vec(cell(), width)
            .prop_filter("blank rows are passed over", |r| r.iter().any(Option::is_some));
        prop::collection::vec(row, 1..8)
    })
}

fn header(width: usize) -> Vec<String> {
    (1..=width).map(|i| format!("列{i}")).collect()
}

fn read_back(bytes: Vec<u8>, width: usize) -> Vec<Vec<Option<String>>> {
    let mut reader = open(bytes);
    assert_eq!(reader.header(), header(width));
    let rows = rows(&mut reader);
    assert!(rows.iter().all(|r| r.findings.is_empty()), "{rows:?}");
    rows.into_iter().map(|r| r.cells).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rows_survive_csv(table in table(), kind in 0..3) {
        let width = table[0].len();
        let encoding = [CsvEncoding::Utf8, CsvEncoding::Utf8Bom, CsvEncoding::Gb18030][kind as usize];
        let mut writer = CsvWriter::new(Vec::new(), encoding);
        writer.write_row(header(width).iter().map(|h| Some(h.as_str()))).unwrap();
        for row in &table {
            writer.write_row(row.iter().map(Option::as_deref)).unwrap();
        }
        prop_assert_eq!(read_back(writer.finish().unwrap(), width), table);
    }

    /// A reader we did not write sees the same cells in well-formed CSV.
    #[test]
    fn agrees_with_the_csv_crate(cells in prop::collection::vec("[a-z\",\n枣 ]{0,6}", 6)) {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        writer.write_record(["x", "y", "z"]).unwrap();
        for row in cells.chunks(3) {
            writer.write_record(row).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let theirs: Vec<Vec<String>> = csv::Reader::from_reader(&bytes[..])
            .records()
            .map(|r| r.unwrap().iter().map(str::to_owned).collect())
            .filter(|r: &Vec<String>| r.iter().any(|c| !c.is_empty()))
            .collect();
        let ours: Vec<Vec<String>> = rows(&mut open(bytes))
            .iter()
            .map(|r| texts(r).into_iter().map(str::to_owned).collect())
            .collect();
        prop_assert_eq!(ours, theirs);
    }

    /// Whatever bytes arrive, reading ends, and every physical line belongs to some row or to none.
    #[test]
    fn any_bytes_come_to_an_end(mut bytes in prop::collection::vec(
        prop_oneof![
            Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'a'), Just(b'='), Just(b'\''),
            Just(b'{'), Just(0xE6u8), Just(0x9E), Just(0xA3), Just(0xD6), Just(0xFF), Just(0u8),
            any::<u8>()
        ], 0..120), plain in any::<bool>()) {
        if plain {
            bytes.splice(0..0, *b"h1,h2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n");
        }
        let Ok(mut reader) = TableReader::open_bytes(bytes, &Options::default()) else {
            return Ok(());
        };
        let mut row = RowBuf::new();
        let mut line = 0;
        while reader.next_into(&mut row).unwrap() {
            prop_assert!(row.line() > line);
            line = row.line();
            let _ = (row.raw_text(), row.to_row());
        }
    }
}

proptest! {
    // Writing a workbook takes a while in an unoptimised build.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn rows_survive_a_workbook(table in table()) {
        let width = table[0].len();
        let mut writer = SheetWriter::new("表", header(width).iter().map(String::as_str)).unwrap();
        for row in &table {
            writer.push(row.iter().map(Option::as_deref)).unwrap();
        }
        let mut out = Cursor::new(Vec::new());
        writer.finish(&mut out).unwrap();
        prop_assert_eq!(read_back(out.into_inner(), width), table);
    }

    /// A workbook cut or damaged anywhere is refused or read, never a panic.
    #[test]
    fn a_damaged_workbook_never_panics(at in 0usize..3000, bit in 0u8..8) {
        let mut writer = SheetWriter::new("表", ["甲", "乙"]).unwrap();
        for i in 0..20 {
            let text = format!("值{i}");
            writer.push([Some(text.as_str()), Some("x")]).unwrap();
        }
        let mut out = Cursor::new(Vec::new());
        writer.finish(&mut out).unwrap();
        let mut bytes = out.into_inner();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(mut reader) = TableReader::open_bytes(bytes, &Options::default()) {
            let mut row = RowBuf::new();
            while let Ok(true) = reader.next_into(&mut row) {}
        }
    }
}

/// Records longer than the window, met at every offset around its edges.
#[test]
fn window_edges_are_invisible() {
    let mut text = String::from("编号,内容\n");
    for i in 0..4000 {
        let body = "枣".repeat(i % 97);
        text.push_str(&format!("{i},\"{body}\"\"\n{i}\"\r\n"));
    }
    for pad in 0..7 {
        let padded = format!("{text}{}", "9,x\n".repeat(pad));
        let bytes = padded.replacen("编号", &"编".repeat(pad + 1), 1).into_bytes();
        let rows = rows(&mut open(bytes));
        assert_eq!(rows.len(), 4000 + pad);
        for (i, row) in rows.iter().take(4000).enumerate() {
            let expected = format!("{}\"\n{i}", "枣".repeat(i % 97));
            assert_eq!(row.cells[1].as_deref(), Some(expected.as_str()));
            assert_eq!(row.line, 2 + 2 * i as u64);
        }
    }
}
