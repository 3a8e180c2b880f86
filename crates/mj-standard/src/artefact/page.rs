//! The documentation pages of tables and code lists, as Markdown in Chinese.

use std::fmt::Write as _;

use crate::spec::{CodeList, Column, Personal, Standard, Table};

/// A cell of a Markdown table must not end the table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Page of one table: columns, keys, rules with an example each.
pub fn table_page(standard: &Standard, table: &Table) -> String {
    let mut out = String::new();
    // writing to a String cannot fail
    let _ = writeln!(out, "# {}（`{}`）\n", table.title, table.name);
    let _ = writeln!(out, "{}\n", table.about);
    let _ = writeln!(
        out,
        "- 数据标准：{}\n- 类别：{}\n- 依据：{}\n- 自然主键：{}\n- 业务主键：{}\n- 保存年限：{} 年",
        standard.version(),
        table.kind.title(),
        table.source,
        keys(&table.natural_key),
        keys(&table.business_key),
        table.retention_years
    );
    if let Some(event) = &table.event_date {
        let _ = writeln!(out, "- 发生日期：`{event}`");
    }
    let _ = writeln!(out, "\n## 列\n");
    let _ = writeln!(out, "| 中文 | 标识符 | 类型 | 最长 | 必填 | 说明 |");
    let _ = writeln!(out, "|---|---|---|---|---|---|");
    for column in &table.columns {
        let _ = writeln!(
            out,
            "| {} | `{}` | {} | {} | {} | {} |",
            cell(&column.title),
            column.name,
            column.ty.title(),
            column.max_len.map_or(String::new(), |max| max.to_string()),
            if column.required { "是" } else { "" },
            cell(&remarks(table, column))
        );
    }
    let _ = writeln!(out, "\n## 规则\n");
    let _ = writeln!(out, "| 规则 | 类 | 级别 | 内容 | 处理 | 依据 | 触发的例子 |");
    let _ = writeln!(out, "|---|---|---|---|---|---|---|");
    for rule in &table.rules {
        let example: Vec<String> = rule
            .example
            .fires
            .iter()
            .map(|(name, value)| {
                format!("{name} = {}", brief(value.as_deref().unwrap_or("（空）")))
            })
            .collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} | {} |",
            rule.id,
            rule.class,
            rule.severity.title(),
            cell(&rule.text),
            cell(&rule.remedy),
            cell(&rule.source),
            cell(&example.join("，"))
        );
    }
    out
}

fn brief(text: &str) -> String {
    match text.char_indices().nth(24) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn keys(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" + ")
}

fn remarks(table: &Table, column: &Column) -> String {
    let mut remarks: Vec<String> = Vec::new();
    remarks.extend(
        column.code_list.as_ref().map(|list| format!("代码表 `{}`（{}）", list.name, list.title)),
    );
    remarks.extend(column.unit.as_ref().map(|unit| format!("单位 {unit}")));
    remarks.extend(column.multi.map(|separator| format!("多值以 `{separator}` 分隔")));
    remarks.extend(column.placeholder.as_ref().map(|word| format!("可填“{word}”")));
    remarks.extend(match &column.personal {
        Personal::No => None,
        Personal::Always => Some("个人信息".to_owned()),
        Personal::IfCitizenId => Some("填公民身份号码时为个人信息".to_owned()),
        Personal::When { column, values, .. } => {
            let title = table.column(column).map_or(column.as_str(), |c| &c.title);
            Some(format!("{title}为 {} 时是个人信息", values.join("、")))
        }
    });
    remarks.extend(column.note.clone());
    remarks.join("；")
}

/// Page of one code list.
pub fn list_page(list: &CodeList) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# {}（`{}`）\n\n依据：{}\n", list.title, list.name, list.source);
    let _ = writeln!(out, "| 代码 | 名称 | 上报 |\n|---|---|---|");
    for entry in &list.entries {
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            entry.code,
            cell(&entry.title),
            entry.export.as_deref().unwrap_or(&entry.code)
        );
    }
    out
}

/// Table of contents of the standard.
pub fn index_page(standard: &Standard) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# 数据标准 {}\n", standard.version());
    let _ = writeln!(out, "| 表 | 标识符 | 类别 | 列 | 规则 |\n|---|---|---|---|---|");
    for table in standard.tables() {
        let _ = writeln!(
            out,
            "| [{}]({}.md) | `{}` | {} | {} | {} |",
            table.title,
            table.name,
            table.name,
            table.kind.title(),
            table.columns.len(),
            table.rules.len()
        );
    }
    out
}
