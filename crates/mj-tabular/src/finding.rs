//! Structural findings: what is wrong with a file, its header or a row, said so that the person who
//! made the file knows what to do. All of them belong to check class 00; this module holds every
//! code and every text, the readers only say where.

/// Whether a row (or the file) can still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The row, or the whole file, cannot be used.
    Error,
    /// Usable, but the department should know.
    Warning,
}

/// One structural finding (check class 00).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable dotted code such as `row.cell_count`.
    pub code: &'static str,
    pub severity: Severity,
    /// Row, counted from 1 without the header; `None` when the finding is about the file.
    pub row: Option<u64>,
    /// Physical line of the file (for XLSX the row of the sheet), counted from 1.
    pub line: Option<u64>,
    /// Title of the column, when one cell is to blame.
    pub column: Option<String>,
    /// Index of that column in the header.
    pub column_index: Option<usize>,
    /// Offset of the first offending byte in the file.
    pub byte: Option<u64>,
    /// Chinese, for the person who delivered the file.
    pub reason: String,
    /// Chinese: what to do about it.
    pub remedy: String,
}

impl Finding {
    /// Structure is class 00 in every report.
    pub const CLASS: &'static str = "00";

    fn error(code: &'static str, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding {
            code,
            severity: Severity::Error,
            row: None,
            line: None,
            column: None,
            column_index: None,
            byte: None,
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    fn warning(code: &'static str, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { severity: Severity::Warning, ..Finding::error(code, reason, remedy) }
    }

    /// Whether what it speaks of cannot be used.
    pub fn refuses(&self) -> bool {
        self.severity == Severity::Error
    }

    pub(crate) fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    pub(crate) fn at_column(mut self, index: usize) -> Self {
        self.column_index = Some(index);
        self
    }

    // ---- the file ----------------------------------------------------------------------------

    pub(crate) fn empty() -> Self {
        Self::error(
            "file.empty",
            "文件是空的，没有任何内容",
            "请确认导出是否成功，重新导出后再上传",
        )
    }

    pub(crate) fn header_only() -> Self {
        Self::error(
            "file.header_only",
            "文件只有表头，没有数据行",
            "请在表头下面填写数据后再上传；本期没有数据时不必上传",
        )
    }

    pub(crate) fn too_large(size: u64, limit: u64) -> Self {
        Self::error(
            "file.too_large",
            format!("文件有 {}，超过上限 {}", size_text(size), size_text(limit)),
            "请把文件拆成几个较小的文件，分批上传",
        )
    }

    pub(crate) fn binary(what: &str, remedy: &str) -> Self {
        Self::error("file.binary", format!("文件内容是{what}，不是数据表"), remedy)
    }

    pub(crate) fn damaged(detail: &str) -> Self {
        Self::error(
            "file.damaged",
            format!("工作簿已损坏或不完整：{detail}"),
            "请用 Excel 或 WPS 打开后另存为新的 .xlsx 再上传；打不开时请重新导出",
        )
    }

    pub(crate) fn zip_bomb(detail: &str) -> Self {
        Self::error(
            "file.zip_bomb",
            format!("压缩内容异常：{detail}，已停止解压"),
            "请用 Excel 或 WPS 重新另存为 .xlsx，或改用 CSV 上传",
        )
    }

    pub(crate) fn shared_strings_too_large(limit: u64) -> Self {
        Self::error(
            "file.too_large",
            format!("工作簿里的文字超过上限 {}", size_text(limit)),
            "请把工作簿拆成几个较小的文件，或改用 CSV 上传",
        )
    }

    pub(crate) fn json_array() -> Self {
        Self::error(
            "jsonl.syntax",
            "整个文件是一个 JSON 数组，而这里要求一行一个对象",
            "请改为 JSON Lines：每行一个 {…}，行尾不加逗号，首尾不加方括号",
        )
        .at_line(1)
    }

    pub(crate) fn json_no_object() -> Self {
        Self::error(
            "jsonl.syntax",
            "没有一行是完整而有字段的 JSON 对象",
            "请改为 JSON Lines：每个对象 {…} 写在一行里，中间不换行",
        )
        .at_line(1)
    }

    pub(crate) fn other_sheets(used: &str, ignored: usize) -> Self {
        Self::warning(
            "file.other_sheets",
            format!("工作簿有多个工作表，只读取了“{used}”，其余 {ignored} 个没有读取"),
            "其余工作表如有数据，请分别另存为单独的文件上传",
        )
    }

    // ---- the header --------------------------------------------------------------------------

    pub(crate) fn header_encoding(encoding: &str, byte: u64) -> Self {
        Finding {
            byte: Some(byte),
            ..Self::error(
                "file.encoding_mixed",
                format!("表头含有不是 {encoding} 编码的字节（文件第 {byte} 字节处）"),
                "请用同一种编码（建议 UTF-8）重新保存整个文件",
            )
            .at_line(1)
        }
    }

    pub(crate) fn header_duplicate(name: &str, first: usize, second: usize) -> Self {
        Finding {
            column: Some(name.to_owned()),
            ..Self::error(
                "header.duplicate",
                format!("表头“{name}”重复出现：第 {first} 列和第 {second} 列"),
                "请删除多余的一列，或改正列名，使每个列名只出现一次",
            )
            .at_column(second - 1)
        }
    }

    pub(crate) fn header_blank(position: usize) -> Self {
        Self::error("header.blank", format!("第 {position} 列没有列名"), "请补上列名，或删除这一列")
            .at_column(position - 1)
    }

    pub(crate) fn header_too_many_columns(found: usize, limit: usize) -> Self {
        Self::error(
            "header.too_many_columns",
            format!("表头有 {found} 列以上，超过上限 {limit} 列"),
            "请对照模板核对列，删除多余的列（常见原因是行列颠倒或换行丢失）",
        )
    }

    pub(crate) fn header_too_long(limit: usize) -> Self {
        Self::error(
            "row.too_long",
            format!("表头这一行超过 {}", size_text(limit as u64)),
            "请核对文件是否缺少换行",
        )
        .at_line(1)
    }

    pub(crate) fn header_unclosed_quote() -> Self {
        Self::error(
            "quote.unclosed",
            "表头里的双引号没有成对",
            "请补上缺少的双引号；内容里的双引号要写成两个",
        )
        .at_line(1)
    }

    // ---- rows --------------------------------------------------------------------------------

    pub(crate) fn encoding_mixed(
        line: u64,
        byte: Option<u64>,
        encoding: &str,
        other: Option<&str>,
    ) -> Self {
        let place = byte.map_or(String::new(), |b| format!("（文件第 {b} 字节处）"));
        let looks = other.map_or(String::new(), |o| format!("，看起来是 {o}"));
        Finding {
            byte,
            ..Self::error(
                "file.encoding_mixed",
                format!(
                    "第 {line} 行含有不是 {encoding} 编码的内容{place}{looks}，与文件其余部分不一致"
                ),
                "请用同一种编码（建议 UTF-8）重新保存整个文件后，再提交这一行",
            )
            .at_line(line)
        }
    }

    pub(crate) fn row_too_long(line: u64, limit: usize) -> Self {
        Self::error(
            "row.too_long",
            format!("第 {line} 行超过 {}，已跳过", size_text(limit as u64)),
            "请核对这一行是否缺少换行或混入了附件内容",
        )
        .at_line(line)
    }

    pub(crate) fn cell_count(line: u64, found: usize, expected: usize) -> Self {
        let (reason, remedy) = if found > expected {
            (
                format!("第 {line} 行有 {found} 个单元格，比表头的 {expected} 列多"),
                "请检查内容里是否有未加双引号的逗号，或多填了列",
            )
        } else {
            (
                format!("第 {line} 行只有 {found} 个单元格，比表头的 {expected} 列少"),
                "请检查是否漏列，或单元格中有未加双引号的换行；空单元格也要保留逗号",
            )
        };
        Self::error("row.cell_count", reason, remedy).at_line(line)
    }

    pub(crate) fn unclosed_quote(line: u64) -> Self {
        Self::error(
            "quote.unclosed",
            format!("第 {line} 行的双引号没有成对，或一个单元格的内容过长"),
            "请补上缺少的双引号；内容里的双引号要写成两个。其余各行不受影响",
        )
        .at_line(line)
    }

    pub(crate) fn stray_quote(line: u64) -> Self {
        Self::warning(
            "quote.stray",
            format!("第 {line} 行有单元格以双引号开头但没有整体括起来，已按原文保留双引号"),
            "含双引号的内容应整体用双引号括起来，里面的双引号写成两个",
        )
        .at_line(line)
    }

    pub(crate) fn nul(line: u64) -> Self {
        Self::error(
            "cell.nul",
            format!("第 {line} 行含有空字符（NUL）"),
            "请从源系统重新导出这一行；空字符通常来自损坏的导出",
        )
        .at_line(line)
    }

    pub(crate) fn formula_cached(line: u64, index: usize) -> Self {
        Self::warning(
            "cell.formula",
            format!("第 {line} 行第 {} 列是公式，已采用其计算结果", index + 1),
            "建议复制后以“粘贴为数值”替换公式",
        )
        .at_line(line)
        .at_column(index)
    }

    pub(crate) fn formula_without_value(line: u64, index: usize) -> Self {
        Self::error(
            "cell.formula",
            format!("第 {line} 行第 {} 列是公式，且没有可用的计算结果", index + 1),
            "请复制后以“粘贴为数值”替换公式，再上传",
        )
        .at_line(line)
        .at_column(index)
    }

    pub(crate) fn cell_error(line: u64, index: usize, value: &str) -> Self {
        Self::error(
            "cell.error",
            format!("第 {line} 行第 {} 列是 Excel 错误值 {value}", index + 1),
            "请改正公式或直接填写数值",
        )
        .at_line(line)
        .at_column(index)
    }

    pub(crate) fn number_precision(line: u64, index: usize) -> Self {
        Self::error(
            "cell.number_precision",
            format!("第 {line} 行第 {} 列是超过 15 位的数字，Excel 已丢失末尾几位", index + 1),
            "请先把该列设为“文本”格式，再重新录入完整的代码",
        )
        .at_line(line)
        .at_column(index)
    }

    pub(crate) fn json_syntax(line: u64, byte: u64, detail: &str) -> Self {
        Finding {
            byte: Some(byte),
            ..Self::error(
                "jsonl.syntax",
                format!("第 {line} 行不是合法的 JSON 对象：{detail}"),
                "每行应是一个完整的 JSON 对象 {…}，请改正后再提交这一行",
            )
            .at_line(line)
        }
    }

    pub(crate) fn json_unknown_key(line: u64, key: &str) -> Self {
        let key: String = key.chars().take(40).collect();
        Self::error(
            "jsonl.unknown_key",
            format!("第 {line} 行出现了前面各行没有的字段“{key}”"),
            "请核对字段名；如确有此字段，请让第一行就带上它（值可以为 null）",
        )
        .at_line(line)
    }
}

fn size_text(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let tenths = bytes * 10 / unit;
            return if tenths.is_multiple_of(10) {
                format!("{} {name}", tenths / 10)
            } else {
                format!("{}.{} {name}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes} 字节")
}
