//! From delivered list rows to dated versions: pure.
//!
//! Main items (监管事项目录) are versioned by `version_id`: a version holds from its date to the day of
//! the next one, the first one since always, and a version that says 取消 or 暂停 holds on no day.
//! Sub-items (子项) and implementation lists carry their own days of effect and cancellation.

use std::collections::BTreeMap;

use mj_kernel::Instant;
use mj_kernel::clock::beijing_date;

pub const ALWAYS: &str = "0001-01-01";
pub const FOREVER: &str = "9999-12-31";

/// A delivered row as kept: the newest version of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub cd_source: String,
    pub cd_id: String,
    pub cd_time: Instant,
    pub fields: BTreeMap<String, String>,
}

impl Kept {
    pub fn field(&self, column: &str) -> Option<&str> {
        self.fields.get(column).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn day(&self, column: &str) -> Option<&str> {
        self.field(column).and_then(|text| text.get(..10))
    }
}

/// One version of an item or of an implementation list, with the days it holds: from `valid_from`
/// up to, and without, `valid_to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated<'a> {
    pub row: &'a Kept,
    pub list_version: String,
    pub state: &'static str,
    pub valid_from: String,
    pub valid_to: String,
}

/// 事项状态 (list `item_status`).
fn state_of(row: &Kept) -> &'static str {
    match row.field("item_status") {
        Some("02") => "cancelled",
        Some("03") => "suspended",
        _ => "in_use",
    }
}

/// Of rows that claim one version the newest, a tie to the larger record key: never to arrival.
fn newest<'a>(rows: impl Iterator<Item = &'a Kept>) -> Option<&'a Kept> {
    rows.max_by(|a, b| {
        (a.cd_time, &a.cd_source, &a.cd_id).cmp(&(b.cd_time, &b.cd_source, &b.cd_id))
    })
}

fn by_version(rows: &[Kept], version: impl Fn(&Kept) -> String) -> BTreeMap<String, &Kept> {
    let mut groups: BTreeMap<String, Vec<&Kept>> = BTreeMap::new();
    for row in rows {
        groups.entry(version(row)).or_default().push(row);
    }
    groups
        .into_iter()
        .filter_map(|(version, group)| Some((version, newest(group.into_iter())?)))
        .collect()
}

/// The versions of one main item.
pub fn main_versions(rows: &[Kept]) -> Vec<Dated<'_>> {
    let versions: Vec<(String, &Kept)> =
        by_version(rows, |row| row.field("version_id").unwrap_or("-").to_owned())
            .into_iter()
            .collect();
    let mut dated = Vec::with_capacity(versions.len());
    for (at, (version, row)) in versions.iter().enumerate() {
        let start = match at {
            0 => ALWAYS.to_owned(),
            _ => start_of(row),
        };
        let next = versions.get(at + 1).map(|(_, next)| start_of(next));
        let state = state_of(row);
        // what was cancelled before we ever heard of it, was in force until that day
        let (valid_from, valid_to) = match (state, at) {
            ("in_use", _) => (start, next.unwrap_or_else(|| FOREVER.into())),
            (_, 0) => (ALWAYS.into(), start_of(row)),
            _ => (start.clone(), start),
        };
        dated.push(Dated { row, list_version: version.clone(), state, valid_from, valid_to });
    }
    dated
}

fn start_of(row: &Kept) -> String {
    row.day("version_date").map_or_else(|| beijing_date(row.cd_time).to_string(), str::to_owned)
}

/// The versions of one sub-item: one for each day of effect.
pub fn sub_versions(rows: &[Kept]) -> Vec<Dated<'_>> {
    let version = |row: &Kept| row.day("take_effect_date").unwrap_or(ALWAYS).to_owned();
    by_version(rows, version).into_iter().map(|(version, row)| own_days(row, version)).collect()
}

/// The versions of one implementation list.
pub fn implementation_versions(rows: &[Kept]) -> Vec<Dated<'_>> {
    by_version(rows, |row| row.field("version_id").unwrap_or("-").to_owned())
        .into_iter()
        .map(|(version, row)| own_days(row, version))
        .collect()
}

fn own_days(row: &Kept, list_version: String) -> Dated<'_> {
    let valid_from = row.day("take_effect_date").unwrap_or(ALWAYS).to_owned();
    let stated = state_of(row);
    let valid_to = match (row.day("cancel_date"), stated) {
        (Some(day), _) => day.to_owned(),
        (None, "in_use") => FOREVER.to_owned(),
        (None, _) => start_of(row),
    };
    let state = if stated == "in_use" && valid_to != FOREVER { "cancelled" } else { stated };
    Dated { row, list_version, state, valid_to: valid_to.max(valid_from.clone()), valid_from }
}

/// Whether `day` (YYYY-MM-DD) lies in the days a version holds.
pub fn holds(valid_from: &str, valid_to: &str, day: &str) -> bool {
    valid_from <= day && day < valid_to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, at: i64, fields: &[(&str, &str)]) -> Kept {
        Kept {
            cd_source: "s".into(),
            cd_id: id.into(),
            cd_time: at,
            fields: fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        }
    }

    #[test]
    fn an_item_cancelled_in_march_was_in_force_in_february() {
        let rows = [
            row(
                "1",
                1,
                &[
                    ("version_id", "20240101000000"),
                    ("version_date", "2024-01-01"),
                    ("item_status", "01"),
                ],
            ),
            row(
                "2",
                2,
                &[
                    ("version_id", "20250301000000"),
                    ("version_date", "2025-03-01"),
                    ("item_status", "02"),
                ],
            ),
        ];
        let versions = main_versions(&rows);
        let on = |day: &str| versions.iter().any(|v| holds(&v.valid_from, &v.valid_to, day));
        assert!(on("2020-05-05") && on("2025-02-28"));
        assert!(!on("2025-03-01") && !on("2026-01-01"));
    }

    #[test]
    fn a_sub_item_holds_from_its_day_of_effect_to_the_day_before_it_is_cancelled() {
        let rows =
            [row("1", 1, &[("take_effect_date", "2024-02-01"), ("cancel_date", "2025-02-01")])];
        let version = &sub_versions(&rows)[0];
        let on = |day: &str| holds(&version.valid_from, &version.valid_to, day);
        assert_eq!(
            [on("2024-01-31"), on("2024-02-01"), on("2025-01-31"), on("2025-02-01")],
            [false, true, true, false]
        );
    }

    #[test]
    fn of_two_rows_for_one_version_the_newest_counts() {
        let rows = [
            row("b", 5, &[("subitem_name", "旧"), ("take_effect_date", "2024-02-01")]),
            row("a", 9, &[("subitem_name", "新"), ("take_effect_date", "2024-02-01")]),
        ];
        assert_eq!(sub_versions(&rows)[0].row.field("subitem_name"), Some("新"));
    }
}
