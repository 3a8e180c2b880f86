//! What may be done to a cell, the same for many rows. Pure.

use chrono::NaiveDate;
use mj_kernel::code::DivisionCode;
use mj_standard::register::{Standing, divisions};
use mj_standard::{Column, ColumnType, Table};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// 改正办法
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fix {
    /// 整格等于 from 的，改成 to
    Replace { from: String, to: String },
    /// 空着的，填上 to
    Fill { to: String },
    /// 易混字符还原：字母 O、I、Z、S 写成了数字的样子，或反过来
    Lookalike,
    /// 全角改半角、去空格、改大写
    Clean,
    /// 与另一列互换
    Swap { with: String },
    /// 已撤销的行政区划改成承接它的区划
    Successor,
}

impl Fix {
    /// As a clerk reads it, e.g. `把“19”改成“01 合格”`.
    pub fn title(&self, table: &Table, column: &Column) -> String {
        let named = |value: &str| match column.code_list.as_ref().and_then(|l| l.title_of(value)) {
            Some(title) => format!("“{value} {title}”"),
            None => format!("“{value}”"),
        };
        let what = &column.title;
        match self {
            Self::Replace { from, to } => format!("{what}：把“{from}”改成{}", named(to)),
            Self::Fill { to } => format!("{what}：空着的填上{}", named(to)),
            Self::Lookalike => format!("{what}：还原写混的字母和数字"),
            Self::Clean => format!("{what}：全角改半角、去空格、改大写"),
            Self::Swap { with } => {
                let with = table.column(with).map_or(with.as_str(), |column| &column.title);
                format!("{what}与{with}互换")
            }
            Self::Successor => format!("{what}：已撤销的区划改成承接它的区划"),
        }
    }

    /// Whether it can be asked for on this column at all.
    pub fn fits(&self, table: &Table, column: &Column) -> Result<(), String> {
        let personal = column.personal != mj_standard::Personal::No;
        match self {
            // the value would stand in the record of the repair
            Self::Replace { .. } | Self::Fill { .. } if personal => {
                Err(format!("“{}”含个人信息，请逐条改正", column.title))
            }
            Self::Replace { to, .. } | Self::Fill { to } if to.trim().is_empty() => {
                Err("请写明改成什么".to_owned())
            }
            Self::Swap { with } if table.column(with).is_none() || *with == column.name => {
                Err("没有要互换的那一列".to_owned())
            }
            Self::Successor if column.ty != ColumnType::Area => {
                Err("只有行政区划可以改成承接它的区划".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Does it to one row of delivered values in the table's order; true when something changed.
    pub fn apply(
        &self,
        table: &Table,
        at: usize,
        row: &mut [Option<String>],
        today: NaiveDate,
    ) -> bool {
        let cell = row[at].as_deref().unwrap_or_default();
        let changed = match self {
            Self::Replace { from, to } => (cell == from).then(|| to.clone()),
            Self::Fill { to } => cell.trim().is_empty().then(|| to.clone()),
            Self::Clean => Some(cleaned(cell)),
            Self::Lookalike => restored(&table.columns[at].ty, cell),
            Self::Successor => successor(cell, today).map(|(code, _)| code),
            Self::Swap { with } => {
                let Some(other) = table.column_index(with) else { return false };
                row.swap(at, other);
                return row[at] != row[other];
            }
        };
        match changed {
            Some(to) if to != cell => {
                row[at] = Some(to);
                true
            }
            _ => false,
        }
    }

    /// The columns it touches.
    pub fn columns<'a>(&'a self, column: &'a str) -> Vec<&'a str> {
        match self {
            Self::Swap { with } => vec![column, with],
            _ => vec![column],
        }
    }
}

/// Half width, no blanks, upper case: for codes.
fn cleaned(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}'))
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => {
                char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c).to_ascii_uppercase()
            }
            c => c.to_ascii_uppercase(),
        })
        .collect()
}

/// Letters that no credit code has, and the digits they were mistaken for. A restored code must pass its
/// check digit, so only one reading can be right.
fn restored(ty: &ColumnType, text: &str) -> Option<String> {
    let code = cleaned(text);
    let swapped: String = code
        .chars()
        .map(|c| match c {
            'O' => '0',
            'I' => '1',
            'Z' => '2',
            'S' => '5',
            c => c,
        })
        .collect();
    if swapped == code {
        return None;
    }
    use mj_kernel::code::{CitizenId, OrgCode, Uscc};
    let holds = match ty {
        ColumnType::Uscc => Uscc::parse(&swapped).is_ok(),
        ColumnType::CitizenId => CitizenId::parse(&swapped).is_ok(),
        ColumnType::UsccOrCitizenId => {
            Uscc::parse(&swapped).is_ok() || CitizenId::parse(&swapped).is_ok()
        }
        ColumnType::OrgCode => OrgCode::parse(&swapped).is_ok(),
        ColumnType::Date | ColumnType::Integer | ColumnType::Item | ColumnType::Area => {
            swapped.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '/'))
        }
        _ => false,
    };
    holds.then_some(swapped)
}

/// The one division that took over from a retired one, and in words how that came.
pub fn successor(text: &str, today: NaiveDate) -> Option<(String, String)> {
    let code = DivisionCode::parse(text.trim()).ok()?;
    let Standing::Retired(old, heirs) = divisions().at(&code, today) else { return None };
    let [heir] = heirs.as_slice() else { return None };
    let digits: String = heir.code.chars().take(6).collect();
    let why = format!("{}（{}）已撤销，由{}（{digits}）承接", old.name, old.code, heir.name);
    Some((digits, why))
}

/// Values of the list that look like what was written, likeliest first.
pub fn likely_codes(column: &Column, text: &str) -> Vec<(String, String)> {
    let Some(list) = &column.code_list else { return Vec::new() };
    let text = text.trim();
    let mut ranked: Vec<(usize, &mj_standard::CodeEntry)> = list
        .entries
        .iter()
        .map(|entry| {
            let shared = text.chars().filter(|c| entry.title.contains(*c)).count() * 10;
            let inside = !text.is_empty()
                && (entry.title.contains(text) || text.contains(entry.title.as_str()));
            (shared + usize::from(inside) * 100, entry)
        })
        .collect();
    ranked.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    ranked.into_iter().map(|(_, entry)| (entry.code.clone(), entry.title.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mj_standard::Standard;

    fn day() -> NaiveDate {
        "2026-11-22".parse().expect("a day")
    }

    #[test]
    fn a_retired_county_becomes_the_one_that_took_over() {
        let (code, why) = successor("370421", day()).expect("one heir");
        assert_eq!(code, "370481");
        assert!(why.contains("滕州"), "{why}");
        assert_eq!(successor("370402", day()), None, "in force");
        assert_eq!(successor("370499", day()), None, "never was");
    }

    #[test]
    fn a_letter_for_a_digit_is_only_restored_where_the_check_digit_agrees() {
        let good = crate::tests::uscc(7);
        let typed = good.replace('0', "O");
        assert_eq!(restored(&ColumnType::Uscc, &typed).as_deref(), Some(good.as_str()));
        let wrong = format!("{}{}", &typed[..17], if good.ends_with('1') { '2' } else { '1' });
        assert_eq!(restored(&ColumnType::Uscc, &wrong), None);
    }

    #[test]
    fn a_value_that_names_a_person_is_never_written_into_a_rule() {
        let table = Standard::v1().table("law_officer").expect("a table");
        let column = table.column("id_no").expect("a column");
        let fix = Fix::Replace { from: "a".into(), to: "b".into() };
        assert!(fix.fits(table, column).is_err());
        assert!(Fix::Clean.fits(table, column).is_ok());
    }

    #[test]
    fn a_rule_touches_only_the_rows_that_have_its_value() {
        let table = Standard::v1().table("check_action").expect("a table");
        let at = table.column_index("check_result").expect("a column");
        let mut row = vec![None; table.columns.len()];
        let fix = Fix::Replace { from: "19".into(), to: "01".into() };
        assert!(!fix.apply(table, at, &mut row, day()));
        row[at] = Some("19".into());
        assert!(fix.apply(table, at, &mut row, day()));
        assert_eq!(row[at].as_deref(), Some("01"));
    }
}
