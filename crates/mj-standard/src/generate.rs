//! The rules that nobody writes: they follow from the columns and the keys of a table.
//!
//! Their ids are `<table>.<column>.<required|length|type|date|list|code>` and
//! `<table>.<record_identity|record_repeated|business_key_repeated|natural_key_repeated>`.

use crate::spec::*;

/// The rules that every column brings with it.
pub(crate) fn column_rules(table: &Table) -> Vec<Rule> {
    let mut rules = Vec::new();
    for column in &table.columns {
        let title = &column.title;
        let mut push = |suffix: &str, class, severity, text, remedy, source: String, kind| {
            rules.push(Rule {
                id: format!("{}.{}.{suffix}", table.name, column.name),
                class,
                severity,
                text,
                remedy,
                source,
                kind,
                generated: true,
                example: Example::default(),
            });
        };
        let name = || column.name.clone();
        let own = || table.source.clone();
        if column.required {
            push(
                "required",
                Class::STRUCTURE,
                Severity::Error,
                format!("{title}不得为空"),
                format!("请补填{title}"),
                own(),
                RuleKind::Required { column: name() },
            );
        }
        if let Some(max) = column.max_len {
            push(
                "length",
                Class::STRUCTURE,
                Severity::Error,
                format!("{title}不得超过 {max} 个字符"),
                format!("请缩短{title}；若是几列串在了一起，请核对分隔符和引号"),
                own(),
                RuleKind::Length { column: name() },
            );
        }
        if let Some((text, remedy)) = readable_text(column) {
            push(
                "type",
                Class::STRUCTURE,
                Severity::Error,
                text,
                remedy,
                own(),
                RuleKind::Readable { column: name() },
            );
        }
        if matches!(column.ty, ColumnType::Date | ColumnType::Instant) {
            push(
                "date",
                Class::TIME,
                Severity::Error,
                format!("{title}应是真实存在的日期"),
                format!("请核对{title}的月、日"),
                "数据检核类型 10 时间信息".to_owned(),
                RuleKind::RealDate { column: name() },
            );
        }
        if column.ty.is_code() {
            let (suffix, class, severity, source) = code_rule(&column.ty);
            push(
                suffix,
                class,
                severity,
                match column.ty.list() {
                    Some(list) => format!("{title}应取代码表 {list} 中的值"),
                    None => format!("{title}应为有效的{}", column.ty.title()),
                },
                match column.ty.list() {
                    Some(_) => format!("请按代码表填写{title}的代码"),
                    None => format!("请核对{title}"),
                },
                source.to_owned(),
                RuleKind::CodeValue { column: name() },
            );
        }
    }
    rules
}

fn readable_text(column: &Column) -> Option<(String, String)> {
    let title = &column.title;
    let (form, remedy) = match column.ty {
        ColumnType::Date => ("日期", "请写作 2025-03-01 的形式"),
        ColumnType::Instant => ("日期时间", "请写作 2025-03-01 09:30:00 的形式（北京时间）"),
        ColumnType::Integer => ("整数", "请只填数字"),
        ColumnType::Decimal => ("数值", "请只填数字，单位写在列名里"),
        ColumnType::Money => ("金额", "请只填以元为单位的数字，最多两位小数"),
        ColumnType::Bool => ("“是”或“否”", "请填“是”或“否”"),
        ColumnType::Identifier => (
            "完整的编号，不能是科学计数法",
            "请把该列设为文本格式后重新导出，科学计数法丢掉的位数无法恢复",
        ),
        _ => return None,
    };
    Some((format!("{title}应为{form}"), format!("{remedy}（{title}）")))
}

fn code_rule(ty: &ColumnType) -> (&'static str, Class, Severity, &'static str) {
    use Severity::{Error, Warning};
    match ty {
        ColumnType::Uscc => {
            ("code", Class::USCC, Error, "GB 32100-2015《法人和其他组织统一社会信用代码编码规则》")
        }
        ColumnType::UsccOrCitizenId => ("code", Class::USCC, Error, "GB 32100-2015；GB 11643-1999"),
        ColumnType::CitizenId => {
            ("code", Class::CITIZEN_ID, Error, "GB 11643-1999《公民身份号码》")
        }
        ColumnType::Item => ("code", Class::ITEM, Error, "数据检核类型 03 监管事项目录编码检查"),
        ColumnType::Implementation => {
            ("code", Class::IMPLEMENTATION, Error, "数据检核类型 04 检查实施清单编码检查")
        }
        ColumnType::Area => {
            ("code", Class::CODE, Error, "GB/T 2260《中华人民共和国行政区划代码》；数据检核类型 01")
        }
        ColumnType::Industry => {
            ("code", Class::CODE, Error, "GB/T 4754-2017《国民经济行业分类》；数据检核类型 01")
        }
        // numbers given before the check digit came are still in force: told, not refused
        ColumnType::OrgCode => {
            ("code", Class::CODE, Warning, "GB 11714-1997《全国组织机构代码编制规则》")
        }
        ColumnType::RegNo => ("code", Class::CODE, Warning, "GB/T 17710 校验；工商注册号编制规则"),
        ColumnType::BatchNumber => {
            ("code", Class::STRUCTURE, Error, "国家“互联网+监管”系统数据交换规范")
        }
        _ => ("list", Class::CODE, Error, "数据检核类型 01 代码检查"),
    }
}

/// The rules that follow from the keys of a table.
pub(crate) fn key_rules(table: &Table) -> Vec<Rule> {
    let titles = |columns: &[String]| -> String {
        columns
            .iter()
            .filter_map(|name| table.column(name))
            .map(|column| column.title.as_str())
            .collect::<Vec<_>>()
            .join("、")
    };
    let rule = |suffix: &str, class, severity, text, remedy: &str, source: &str, kind| Rule {
        id: format!("{}.{suffix}", table.name),
        class,
        severity,
        text,
        remedy: remedy.to_owned(),
        source: source.to_owned(),
        kind,
        generated: true,
        example: Example::default(),
    };
    let mut rules = vec![
        rule(
            "record_identity",
            Class::BUSINESS_KEY,
            Severity::Error,
            format!(
                "没有数据唯一标识时，自然主键（{}）应能唯一确定一条记录",
                titles(&table.natural_key)
            ),
            "请补填数据唯一标识，或补齐自然主键各列",
            "数据检核类型 09 业务主键",
            RuleKind::RecordIdentity {
                columns: std::iter::once("cd_id".to_owned())
                    .chain(table.natural_key.iter().cloned())
                    .collect(),
            },
        ),
        rule(
            "record_repeated",
            Class::MERGE,
            Severity::Warning,
            "同一记录在文件中重复出现，只计一次".to_owned(),
            "请删去重复行；若是更正，请给出更晚的数据时间",
            "数据检核类型 05 数据归并",
            RuleKind::UniqueInFile {
                columns: vec!["cd_id".to_owned(), "cd_time".to_owned()],
                first: false,
            },
        ),
        rule(
            "business_key_repeated",
            Class::MERGE,
            Severity::Warning,
            format!(
                "另一条记录的业务主键（{}）与本行相同，归并后只显示一条",
                titles(&table.business_key)
            ),
            "请核对是否重复报送；同一行为只报一条，更正时沿用原数据唯一标识",
            "数据检核类型 05 数据归并",
            RuleKind::UniqueInFile {
                columns: table.business_key.clone(),
                first: table.business_key_first,
            },
        ),
    ];
    if table.natural_key != table.business_key {
        rules.push(rule(
            "natural_key_repeated",
            Class::BUSINESS_KEY,
            Severity::Warning,
            format!("另一条记录的自然主键（{}）与本行相同", titles(&table.natural_key)),
            "请核对编号；一条记录一个编号，更正时沿用原数据唯一标识",
            "数据检核类型 09 业务主键",
            RuleKind::UniqueInFile { columns: table.natural_key.clone(), first: false },
        ));
    }
    rules
}
