//! Deliveries: the standard's own sample rows with values changed, as CSV or as JSON.

use chrono::{DateTime, Duration, FixedOffset};
use mj_kernel::Clock;
use mj_platform::SystemClock;
use mj_standard::{Standard, Table};
use serde_json::{Map, Value};

/// Values to put over the sample's.
pub type Changes<'a> = &'a [(&'a str, &'a str)];

/// Rows of one table as a CSV file with identifiers for a header.
#[derive(Clone)]
pub struct Sheet {
    table: &'static Table,
    columns: Vec<usize>,
    text: String,
}

impl Sheet {
    /// The columns the table's sample fills, and those named besides.
    pub fn of(table: &str, besides: &[&str]) -> Self {
        let table = Standard::v1().table(table).expect("a table of the standard");
        let columns: Vec<usize> = (0..table.columns.len())
            .filter(|at| {
                let column = &table.columns[*at];
                let filled = !column.envelope && table.sample[*at].is_some();
                filled || besides.contains(&column.name.as_str())
            })
            .collect();
        let names: Vec<&str> = columns.iter().map(|at| table.columns[*at].name.as_str()).collect();
        let text = format!("{}\n", names.join(","));
        Self { table, columns, text }
    }

    pub fn row(mut self, changes: Changes<'_>) -> Self {
        self.push(changes);
        self
    }

    pub fn push(&mut self, changes: Changes<'_>) {
        let cells: Vec<String> = self
            .columns
            .iter()
            .map(|at| {
                let column = &self.table.columns[*at];
                let changed = changes.iter().rev().find(|(name, _)| *name == column.name);
                let sample = || self.table.sample[*at].as_deref().filter(|_| !column.envelope);
                let value = changed.map(|(_, value)| *value).or_else(sample).unwrap_or_default();
                format!("\"{}\"", value.replace('"', "\"\""))
            })
            .collect();
        self.text.push_str(&cells.join(","));
        self.text.push('\n');
    }

    pub fn header(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }
}

impl AsRef<[u8]> for Sheet {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// What makes the numbered inspection its own: number, document, party.
pub fn inspection(number: u64) -> [(&'static str, String); 3] {
    [
        ("check_action_code", format!("J-{number:05}")),
        ("check_document_code", format!("枣市监检〔2025〕{number}号")),
        ("administrative_cp_ui_code", uscc(number)),
    ]
}

/// So many inspections, `change` saying what is particular about each.
pub fn inspections(
    numbers: std::ops::Range<u64>,
    change: impl Fn(u64) -> Vec<(&'static str, String)>,
) -> Sheet {
    let mut sheet = Sheet::of("check_action", &[]);
    for number in numbers {
        let mut row = inspection(number).to_vec();
        row.extend(change(number));
        let row: Vec<(&str, &str)> =
            row.iter().map(|(name, text)| (*name, text.as_str())).collect();
        sheet.push(&row);
    }
    sheet
}

/// The numbered inspection as a department's system pushes it.
pub fn pushed(number: u64, changes: Changes<'_>) -> Value {
    let table = Standard::v1().table("check_action").expect("a table");
    let mut row = Map::new();
    for (column, value) in table.columns.iter().zip(&table.sample) {
        if let Some(value) = value.as_deref().filter(|_| !column.envelope) {
            row.insert(column.name.clone(), value.into());
        }
    }
    let envelope = [
        ("cd_id", format!("A-{number}")),
        ("cd_time", beijing_time(-60)),
        ("cd_operation", "i".to_owned()),
    ];
    for (name, value) in envelope.into_iter().chain(inspection(number)) {
        row.insert(name.to_owned(), value.into());
    }
    for (name, value) in changes {
        row.insert((*name).to_owned(), (*value).into());
    }
    row.into()
}

/// So many seconds from now, as departments write it.
pub fn beijing_time(seconds: i64) -> String {
    let beijing = FixedOffset::east_opt(8 * 3600).expect("a zone");
    let now = DateTime::from_timestamp_micros(SystemClock.now()).expect("a time");
    let then = now.with_timezone(&beijing) + Duration::seconds(seconds);
    then.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A batch number of today, in Beijing.
pub fn batch_number(count: u32) -> String {
    format!("{}{count:05}", &beijing_time(0)[..10].replace('-', ""))
}

/// A valid unified social credit code of its own for every number.
pub fn uscc(number: u64) -> String {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let body = format!("MA{number:06}");
    let weights = [3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .chars()
        .zip(weights)
        .map(|(c, weight)| c.to_digit(36).expect("a digit or a letter") * weight)
        .sum();
    let organisation = match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from_digit(digit, 10).expect("one digit"),
    };
    let code = format!("91370402{body}{organisation}");
    let mut sum = 0;
    let mut weight = 1;
    for byte in code.bytes() {
        sum += weight * ALPHABET.iter().position(|known| *known == byte).expect("in the alphabet");
        weight = weight * 3 % 31;
    }
    format!("{code}{}", char::from(ALPHABET[(31 - sum % 31) % 31]))
}

/// When this person was born: 499 men share a day.
pub fn birth_day(number: u64) -> String {
    format!("1985-07-{:02}", 3 + number / 499)
}

/// A valid citizen number of its own for every number, all of men born in July 1985.
pub fn citizen(number: u64) -> String {
    let born = birth_day(number).replace('-', "");
    let body = format!("370402{born}{:03}", 2 * (number % 499) + 1);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .chars()
        .zip(weights)
        .map(|(c, weight)| c.to_digit(10).expect("a digit") * weight)
        .sum();
    let check = b"10X98765432"[(sum % 11) as usize];
    format!("{body}{}", char::from(check))
}

/// The same with a check digit that is not its own.
pub fn wrong_citizen(number: u64) -> String {
    let right = citizen(number);
    let wrong = if right.ends_with('1') { '2' } else { '1' };
    format!("{}{wrong}", &right[..17])
}
