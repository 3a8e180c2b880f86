//! Workbooks as Excel and WPS write them.

use std::io::Cursor;

use rust_xlsxwriter::{Format, Formula, Workbook};

use super::*;

fn saved(build: impl FnOnce(&mut Workbook)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    build(&mut workbook);
    workbook.save_to_buffer().unwrap()
}

#[test]
fn cells_are_read_as_a_person_sees_them() {
    let bytes = saved(|workbook| {
        let sheet = workbook.add_worksheet();
        let titles = ["名称", "日期", "时刻", "代码", "补零", "金额", "是否", "公式", "空"];
        for (column, title) in (0u16..).zip(titles) {
            sheet.write(0, column, title).unwrap();
        }
        let date = Format::new().set_num_format("yyyy\"年\"m\"月\"d\"日\"");
        let moment = Format::new().set_num_format("yyyy-mm-dd hh:mm");
        let zeros = Format::new().set_num_format("000000");
        sheet.write(1, 0, "枣庄市 & <某> \"店\"").unwrap();
        sheet.write_number_with_format(1, 1, 45351.0, &date).unwrap();
        sheet.write_number_with_format(1, 2, 45351.75, &moment).unwrap();
        sheet.write_number(1, 3, 370400.0).unwrap();
        sheet.write_number_with_format(1, 4, 37.0, &zeros).unwrap();
        sheet.write_number(1, 5, 1234.56).unwrap();
        sheet.write_boolean(1, 6, true).unwrap();
        sheet.write_formula(1, 7, Formula::new("=1+1").set_result("2")).unwrap();
        // A gap of rows, as merged titles and deleted rows leave them.
        sheet.write(5, 0, "末行").unwrap();
        sheet.write_number(5, 3, 370402199001011234.0).unwrap();
    });
    let mut reader = open(bytes);
    assert_eq!((reader.encoding(), reader.format()), ("xlsx", crate::Format::Xlsx));
    let rows = rows(&mut reader);
    assert_eq!(
        texts(&rows[0]),
        [
            "枣庄市 & <某> \"店\"",
            "2024-02-29",
            "2024-02-29 18:00:00",
            "370400",
            "000037",
            "1234.56",
            "TRUE",
            "2",
            ""
        ]
    );
    assert_eq!(codes(&rows[0]), ["cell.formula"]);
    assert_eq!(rows[0].findings[0].column.as_deref(), Some("公式"));
    assert!(!rows[0].findings[0].refuses());
    assert_eq!((rows[1].row, rows[1].line), (2, 6));
    assert_eq!(reader.bytes_read(), reader.bytes_total());
}

#[test]
fn what_excel_itself_has_lost_is_said() {
    let sheet = "<row><c t=\"str\"><v>身份证号</v></c><c t=\"str\"><v>b</v></c></row>\
                 <row><c><v>3.7040219900101098E+17</v></c><c><f>A1</f></c></row>\
                 <row><c t=\"e\"><v>#N/A</v></c><c t=\"str\"><v>_x000D_x_x0041_</v></c></row>";
    let mut reader = open(minimal(sheet));
    let rows = rows(&mut reader);
    assert_eq!(codes(&rows[0]), ["cell.number_precision", "cell.formula"]);
    assert!(rows[0].findings[1].refuses(), "no result was stored");
    assert_eq!(codes(&rows[1]), ["cell.error"]);
    assert_eq!(texts(&rows[1]), ["#N/A", "\rxA"]);
}

fn minimal(rows: &str) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("xl/workbook.xml", options).unwrap();
    zip.write_all(b"<workbook><sheets><sheet name=\"S\"/></sheets></workbook>").unwrap();
    zip.start_file("xl/worksheets/sheet1.xml", options).unwrap();
    zip.write_all(format!("<worksheet><sheetData>{rows}</sheetData></worksheet>").as_bytes())
        .unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn only_the_first_visible_sheet_is_a_table_and_the_department_is_told() {
    let bytes = saved(|workbook| {
        let hidden = workbook.add_worksheet();
        hidden.set_name("字典").unwrap().set_hidden(true);
        hidden.write(0, 0, "x").unwrap();
        let data = workbook.add_worksheet();
        data.set_name("检查").unwrap().set_active(true);
        data.write(0, 0, "名称").unwrap().write(1, 0, "甲").unwrap();
        workbook.add_worksheet().set_name("处罚").unwrap();
    });
    let mut reader = open(bytes);
    assert_eq!(reader.header(), ["名称"]);
    assert_eq!(texts(&rows(&mut reader)[0]), ["甲"]);
    let note = &reader.file_findings()[0];
    assert_eq!(note.code, "file.other_sheets");
    assert!(note.reason.contains("检查") && note.reason.contains("1 个"));
}

#[test]
fn a_cell_outside_the_header_is_told() {
    let rows_xml = "<row><c t=\"str\"><v>a</v></c></row>\
                    <row><c><v>1</v></c><c r=\"D2\"><v>9</v></c></row><row><c><v>2</v></c></row>";
    let rows = rows(&mut open(minimal(rows_xml)));
    assert_eq!(codes(&rows[0]), ["row.cell_count"]);
    assert!(rows[1].findings.is_empty());
}

#[test]
fn rich_text_and_phonetic_guides() {
    let rows_xml = "<row><c t=\"inlineStr\"><is><r><t>枣</t></r><r><t>庄</t></r>\
                    <rPh><t>zao</t></rPh></is></c></row>\
                    <row><c t=\"inlineStr\"><is><t>a&#x4e2d;&lt;&amp;<![CDATA[<b>]]></t></is></c></row>";
    let mut reader = open(minimal(rows_xml));
    assert_eq!(reader.header(), ["枣庄"]);
    assert_eq!(texts(&rows(&mut reader)[0]), ["a中<&<b>"]);
}
