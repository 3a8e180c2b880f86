//! The Excel template of a table: the sheet that a department fills in, and a sheet of notes.
//!
//! Titles stand in the first row, required ones in red, the identifier and the rules of each column
//! in a note on its title; codes are chosen from lists. All cells are text, so that no spreadsheet
//! takes a zero from a code.

use rust_xlsxwriter::{
    Color, DataValidation, Format, FormatBorder, Note, Workbook, Worksheet, XlsxError,
};

use crate::spec::{Column, ColumnType, Table};

/// The template could not be written.
#[derive(Debug, thiserror::Error)]
#[error("template of {table}: {source}")]
pub struct TemplateError {
    table: String,
    #[source]
    source: XlsxError,
}

/// Rows prepared with lists and text format.
const ROWS: u32 = 5_000;
/// Longest list, in characters, that Excel takes inside a validation.
const MOST_INLINE: usize = 255;

/// Bytes of an .xlsx file.
pub fn excel_template(table: &Table) -> Result<Vec<u8>, TemplateError> {
    write(table).map_err(|source| TemplateError { table: table.name.clone(), source })
}

fn write(table: &Table) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // files may leave the envelope out, so people are not asked for it
    let columns: Vec<&Column> = table.columns.iter().filter(|column| !column.envelope).collect();
    workbook.add_worksheet().set_name(sheet_name(&table.title))?;
    workbook.add_worksheet().set_name("填写说明")?;
    workbook.add_worksheet().set_name("代码表")?;
    let lists = write_lists(workbook.worksheet_from_name("代码表")?, &columns)?;
    write_notes(workbook.worksheet_from_name("填写说明")?, table, &columns)?;
    let data = workbook.worksheet_from_index(0)?;
    write_data(data, &columns, &lists)?;
    data.set_active(true);
    workbook.save_to_buffer()
}

/// Excel forbids some signs and more than 31 characters in a sheet's name.
fn sheet_name(title: &str) -> String {
    title
        .chars()
        .filter(|c| !matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\'))
        .take(31)
        .collect()
}

fn title_format(required: bool) -> Format {
    let format = Format::new()
        .set_bold()
        .set_text_wrap()
        .set_border(FormatBorder::Thin)
        .set_background_color(Color::RGB(0xEEF3FA));
    if required { format.set_font_color(Color::RGB(0xC00000)) } else { format }
}

fn write_data(
    sheet: &mut Worksheet,
    columns: &[&Column],
    lists: &[(String, String)],
) -> Result<(), XlsxError> {
    let text = Format::new().set_num_format("@");
    for (at, column) in (0u16..).zip(columns) {
        sheet.set_column_format(at, &text)?;
        sheet.set_column_width(at, width(column))?;
        sheet.write_string_with_format(0, at, &column.title, &title_format(column.required))?;
        sheet.insert_note(0, at, &Note::new(note(column)).add_author_prefix(false))?;
        if let Some(rule) = validation(column, lists) {
            sheet.add_data_validation(1, at, ROWS, at, &rule)?;
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

fn width(column: &Column) -> f64 {
    let title = column.title.chars().count() as f64 * 2.0 + 2.0;
    let content: f64 = match column.ty {
        ColumnType::Uscc | ColumnType::CitizenId | ColumnType::UsccOrCitizenId => 22.0,
        ColumnType::Text | ColumnType::Address | ColumnType::Implementation => 32.0,
        ColumnType::Name => 26.0,
        _ => 14.0,
    };
    content.max(title).min(44.0)
}

fn note(column: &Column) -> String {
    let mut lines = vec![format!(
        "标识符：{}　{}　{}",
        column.name,
        column.ty.title(),
        if column.required { "必填" } else { "选填" }
    )];
    lines.extend(details(column));
    lines.join("\n")
}

/// What the type alone does not say.
fn details(column: &Column) -> Vec<String> {
    let mut details = Vec::new();
    details.extend(column.max_len.map(|max| format!("最多 {max} 个字符")));
    details.extend(column.unit.as_ref().map(|unit| format!("单位：{unit}")));
    details.extend(column.multi.map(|separator| format!("多个值以英文 {separator} 分隔")));
    details.extend(column.code_list.as_ref().map(|list| format!("代码表：{}", list.title)));
    details.extend(column.placeholder.as_ref().map(|word| format!("可填“{word}”")));
    details.extend(column.note.clone());
    details
}

/// A choice for single codes and for 是/否. Codes of several values cannot be chosen from a list.
fn validation(column: &Column, lists: &[(String, String)]) -> Option<DataValidation> {
    if column.multi.is_some() {
        return None;
    }
    let rule = DataValidation::new();
    let rule = match (&column.ty, &column.code_list) {
        (ColumnType::Bool, _) => rule.allow_list_strings(&["是", "否"]).ok()?,
        (_, Some(list)) => {
            let codes: Vec<&str> = list.entries.iter().map(|entry| entry.code.as_str()).collect();
            if codes.iter().map(|code| code.len() + 1).sum::<usize>() < MOST_INLINE {
                rule.allow_list_strings(&codes).ok()?
            } else {
                let (_, range) = lists.iter().find(|(name, _)| *name == list.name)?;
                rule.allow_list_formula(range.as_str().into())
            }
        }
        _ => return None,
    };
    let hint = column
        .code_list
        .as_ref()
        .map_or_else(|| "是 或 否".to_owned(), |list| format!("见“代码表”页：{}", list.title));
    rule.set_input_message(hint).and_then(|rule| rule.set_error_message("请从列表中选取代码")).ok()
}

/// One block of two columns per list; gives the range of the codes of each.
fn write_lists(
    sheet: &mut Worksheet,
    columns: &[&Column],
) -> Result<Vec<(String, String)>, XlsxError> {
    let bold = Format::new().set_bold();
    let text = Format::new().set_num_format("@");
    let mut ranges: Vec<(String, String)> = Vec::new();
    let mut at = 0u16;
    for list in columns.iter().filter_map(|column| column.code_list.as_ref()) {
        if ranges.iter().any(|(name, _)| *name == list.name) {
            continue;
        }
        sheet.write_string_with_format(0, at, format!("{}（代码）", list.title), &bold)?;
        sheet.write_string_with_format(0, at + 1, "名称", &bold)?;
        for (row, entry) in (1u32..).zip(&list.entries) {
            sheet.write_string_with_format(row, at, &entry.code, &text)?;
            sheet.write_string(row, at + 1, &entry.title)?;
        }
        sheet.set_column_width(at + 1, 24)?;
        let letter = rust_xlsxwriter::utility::column_number_to_name(at);
        let last = list.entries.len() + 1;
        ranges.push((list.name.clone(), format!("=代码表!${letter}$2:${letter}${last}")));
        at += 3;
    }
    Ok(ranges)
}

fn write_notes(sheet: &mut Worksheet, table: &Table, columns: &[&Column]) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold();
    let wrap = Format::new().set_text_wrap();
    sheet.write_string_with_format(0, 0, format!("{}（{}）", table.title, table.name), &bold)?;
    sheet.write_string(1, 0, &table.about)?;
    sheet.write_string(2, 0, "红色列名为必填。请勿改动列名；多余的列会被忽略。")?;
    for (at, title) in (0u16..).zip(["列名", "标识符", "类型", "必填", "说明", "示例"])
    {
        sheet.write_string_with_format(4, at, title, &bold)?;
    }
    let mut row = 5;
    for column in columns {
        let sample = table
            .column_index(&column.name)
            .and_then(|at| table.sample[at].as_deref())
            .unwrap_or_default();
        let required = if column.required { "是" } else { "" };
        let about = details(column).join("；");
        let texts = [
            column.title.as_str(),
            column.name.as_str(),
            column.ty.title(),
            required,
            about.as_str(),
            sample,
        ];
        for (at, text) in (0u16..).zip(texts) {
            sheet.write_string_with_format(row, at, text, &wrap)?;
        }
        row += 1;
    }
    row += 1;
    sheet.write_string_with_format(row, 0, "检核规则", &bold)?;
    for rule in table.rules.iter().filter(|rule| !rule.generated) {
        row += 1;
        let texts = [
            format!("{} {}", rule.class, rule.class.title()),
            rule.severity.title().to_owned(),
            rule.text.clone(),
            rule.remedy.clone(),
            rule.source.clone(),
        ];
        for (at, text) in (0u16..).zip(&texts) {
            sheet.write_string_with_format(row, at, text, &wrap)?;
        }
    }
    for (at, width) in (0u16..).zip([22, 28, 34, 30, 50, 30]) {
        sheet.set_column_width(at, width)?;
    }
    Ok(())
}
