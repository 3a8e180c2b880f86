//! How a stored value is shown: codes by their title, money in 元, personal values unsealed and
//! masked as far as the caller's allowance says.

use mj_platform::keys::{self, Keys};
use mj_platform::{Db, Result};
use mj_standard::{Column, ColumnType, MaskKind, Standard, Table};
use mj_web::Mask;
use serde::Serialize;
use utoipa::ToSchema;

/// A value as the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub value: Option<String>,
    pub masked: bool,
}

/// A titled value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownField {
    pub name: String,
    pub title: String,
    pub value: Option<String>,
    /// 值属于个人信息，已按权限遮挡
    pub masked: bool,
}

pub fn table(name: &str) -> Option<&'static Table> {
    Standard::v1().table(name)
}

/// Opens and masks one value. `place` is what the sealed text is bound to.
pub async fn shown(
    keys: &Keys,
    db: &Db,
    place: &str,
    column: Option<&Column>,
    value: &str,
    mask: Mask,
) -> Result<Shown> {
    if !keys::is_sealed(value) {
        return Ok(Shown { value: Some(display(column, value)), masked: false });
    }
    if mask == Mask::Full {
        return Ok(Shown { value: None, masked: true });
    }
    // a destroyed key: the person was erased, there is nothing to show
    let Some(plain) = keys.unseal(db, place, value).await? else {
        return Ok(Shown { value: None, masked: true });
    };
    Ok(match mask {
        Mask::Clear => Shown { value: Some(display(column, &plain)), masked: false },
        _ => Shown { value: Some(masked(column, &plain)), masked: true },
    })
}

/// What a clerk reads for a canonical value.
pub fn display(column: Option<&Column>, value: &str) -> String {
    let Some(column) = column else { return value.to_owned() };
    match &column.ty {
        ColumnType::Code { list } => {
            let title = |code: &str| {
                let list = Standard::v1().list(list)?;
                list.title_of(code).map(str::to_owned)
            };
            match column.multi {
                Some(separator) => value
                    .split(separator)
                    .map(|code| title(code).unwrap_or_else(|| code.to_owned()))
                    .collect::<Vec<_>>()
                    .join("；"),
                None => title(value).unwrap_or_else(|| value.to_owned()),
            }
        }
        ColumnType::Money => value.parse::<i64>().map_or_else(|_| value.to_owned(), yuan),
        ColumnType::Area => area_name(value).unwrap_or_else(|| value.to_owned()),
        ColumnType::Industry => match mj_standard::register::industries().get(value) {
            Some(industry) => format!("{}（{value}）", industry.name),
            None => value.to_owned(),
        },
        _ => match &column.unit {
            Some(unit) => format!("{value} {unit}"),
            None => value.to_owned(),
        },
    }
}

/// `1234.50元`
fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}元", fen.abs() / 100, fen.abs() % 100)
}

pub fn area_name(code: &str) -> Option<String> {
    mj_standard::register::divisions().full_name(code.get(..6)?)
}

/// Without the units above: 薛城区.
pub fn area_short_name(code: &str) -> Option<&'static str> {
    mj_standard::register::divisions().name(code.get(..6)?)
}

/// Masked as suits the column.
pub fn masked(column: Option<&Column>, plain: &str) -> String {
    let kind = column.map_or(MaskKind::All, |column| MaskKind::of(&column.ty));
    mj_standard::mask(kind, plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_in_yuan_and_codes_by_their_title() {
        assert_eq!(yuan(123_450), "1234.50元");
        assert_eq!(yuan(-5), "-0.05元");
        let column = table("check_action").and_then(|table| table.column("check_result"));
        assert_ne!(display(column, "01"), "01");
        let of = |name: &str| table("object_enterprise").and_then(|table| table.column(name));
        assert_eq!(display(of("regist_capital"), "810"), "810 万元");
        assert_eq!(display(of("industry_code"), "5265"), "机动车燃油零售（5265）");
    }
}
