//! What a cell's style says about its number: a date, a time, digits with leading zeros, or nothing.

use super::package::{attribute, each_element};
use crate::error::TableError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Plain,
    Date,
    Time,
    DateTime,
    /// `000000`: digits with leading zeros.
    Zeros(usize),
}

#[derive(Default)]
pub(super) struct Styles {
    cells: Vec<Shown>,
}

impl Styles {
    pub(super) fn get(&self, index: usize) -> Shown {
        self.cells.get(index).copied().unwrap_or(Shown::Plain)
    }

    pub(super) fn parse(xml: &[u8]) -> Result<Self, TableError> {
        let mut custom: Vec<(u32, Shown)> = Vec::new();
        let mut cells = Vec::new();
        let mut in_cell_formats = false;
        each_element(xml, "样式", |e| match e.local_name().as_ref() {
            "numFmt" => {
                let id = attribute(e, "numFmtId").and_then(|id| id.parse().ok());
                if let (Some(id), Some(code)) = (id, attribute(e, "formatCode")) {
                    custom.push((id, of_format(&code)));
                }
            }
            "cellXfs" => in_cell_formats = true,
            "cellStyles" | "cellStyleXfs" | "dxfs" => in_cell_formats = false,
            "xf" if in_cell_formats => {
                let id: u32 = attribute(e, "numFmtId").and_then(|id| id.parse().ok()).unwrap_or(0);
                let shown = custom
                    .iter()
                    .find(|(custom_id, _)| *custom_id == id)
                    .map_or_else(|| built_in(id), |(_, shown)| *shown);
                cells.push(shown);
            }
            _ => {}
        })?;
        Ok(Styles { cells })
    }
}

/// Built-in formats, the Chinese ones (27-36, 50-58) included.
fn built_in(id: u32) -> Shown {
    match id {
        14..=17 | 27..=31 | 36 | 50..=54 | 57 | 58 => Shown::Date,
        18..=21 | 32..=35 | 45 | 47 | 55 | 56 => Shown::Time,
        22 => Shown::DateTime,
        _ => Shown::Plain,
    }
}

/// Reads a format code such as `yyyy"年"m"月"d"日"`.
fn of_format(code: &str) -> Shown {
    if code.eq_ignore_ascii_case("general") {
        return Shown::Plain;
    }
    if code.len() >= 2 && code.bytes().all(|b| b == b'0') {
        return Shown::Zeros(code.len());
    }
    let (mut year_or_day, mut month_or_minute, mut hour_or_second, mut digit) =
        (false, false, false, false);
    let code = code.replace("AM/PM", "").replace("A/P", "");
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match c {
            // Only the format of positive numbers matters.
            ';' => break,
            '"' => {
                chars.by_ref().find(|&c| c == '"');
            }
            '\\' | '_' | '*' => {
                chars.next();
            }
            '[' => {
                let inside: String = chars.by_ref().take_while(|&c| c != ']').collect();
                // Elapsed time ([h]:mm) is an amount, not a moment.
                if matches!(
                    inside.to_ascii_lowercase().as_str(),
                    "h" | "hh" | "m" | "mm" | "s" | "ss"
                ) {
                    return Shown::Plain;
                }
            }
            'y' | 'Y' | 'd' | 'D' => year_or_day = true,
            'e' | 'E' if !digit => year_or_day = true,
            'm' | 'M' => month_or_minute = true,
            'h' | 'H' | 's' | 'S' => hour_or_second = true,
            '0' | '#' | '?' => digit = true,
            _ => {}
        }
    }
    match (year_or_day, month_or_minute, hour_or_second) {
        (true, _, true) => Shown::DateTime,
        (true, _, false) => Shown::Date,
        (false, _, true) => Shown::Time,
        (false, true, false) if !digit => Shown::Date,
        _ => Shown::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_say_what_they_show() {
        let cases = [
            ("yyyy-mm-dd", Shown::Date),
            ("yyyy\"年\"m\"月\"d\"日\"", Shown::Date),
            ("[$-804]yyyy/m/d h:mm;@", Shown::DateTime),
            ("h:mm AM/PM", Shown::Time),
            ("mmm-yy", Shown::Date),
            ("#,##0.00;[Red]-#,##0.00", Shown::Plain),
            ("0.00E+00", Shown::Plain),
            ("\"day\"0", Shown::Plain),
            ("[h]:mm", Shown::Plain),
            ("000000", Shown::Zeros(6)),
            ("General", Shown::Plain),
            ("@", Shown::Plain),
        ];
        for (code, expected) in cases {
            assert_eq!(of_format(code), expected, "{code}");
        }
    }
}
