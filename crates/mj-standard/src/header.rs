//! Finds the columns of a table under the header a department wrote.
//!
//! Identifiers or Chinese titles, in any order, with stray spaces, required marks and brackets of
//! either width. What cannot be found is told as class 00; a required column that is missing
//! refuses the whole file, because every row would be refused for the same reason.

use rustc_hash::FxHashMap;

use crate::spec::{ColumnType, Severity, Table};

/// Something about the header.
#[derive(Debug, Clone)]
pub struct HeaderFinding {
    /// `header.unknown_column`, `header.duplicate`, `header.missing_required`, `header.none`
    pub rule: &'static str,
    pub severity: Severity,
    /// As delivered, or the identifier of the column that is missing.
    pub column: Option<String>,
    pub reason: String,
    pub remedy: String,
}

/// Which delivered column stands for which column of the table.
#[derive(Debug)]
pub struct HeaderMap {
    /// For each delivered column its place in the table.
    places: Vec<Option<usize>>,
    /// Delivered columns whose header says 万元 where the table says 元.
    ten_thousands: Vec<bool>,
    /// Columns of the table that no delivered column stands for.
    undelivered: Vec<usize>,
    pub findings: Vec<HeaderFinding>,
    width: usize,
}

impl HeaderMap {
    pub fn new(table: &Table, header: &[String]) -> Self {
        let names = names_of(table);
        let mut map = HeaderMap {
            places: vec![None; header.len()],
            ten_thousands: vec![false; header.len()],
            undelivered: Vec::new(),
            findings: Vec::new(),
            width: table.columns.len(),
        };
        let mut taken: FxHashMap<usize, usize> = FxHashMap::default();
        for (at, delivered) in header.iter().enumerate() {
            let key = fold(delivered);
            if key.is_empty() || table.ignored.contains(&key) {
                continue;
            }
            let found = names.get(&key).copied().or_else(|| {
                // 罚款金额(万元): the unit in the header is another than that of the standard
                let bare = key.strip_suffix("(万元)")?;
                let place = names.get(bare).or_else(|| names.get(&format!("{bare}(元)")))?;
                map.ten_thousands[at] = table.columns[*place].ty == ColumnType::Money;
                Some(*place)
            });
            match found {
                Some(place) => match taken.get(&place) {
                    Some(first) => map.findings.push(duplicate(&header[*first], delivered)),
                    None => {
                        taken.insert(place, at);
                        map.places[at] = Some(place);
                    }
                },
                None => map.findings.push(unknown(delivered)),
            }
        }
        map.undelivered = (0..map.width).filter(|place| !taken.contains_key(place)).collect();
        if taken.is_empty() {
            map.findings.clear();
            map.findings.push(no_header(table));
            return map;
        }
        for (place, column) in table.columns.iter().enumerate() {
            let fillable = column.default_in_files.is_some();
            if column.required && !fillable && !taken.contains_key(&place) {
                map.findings.push(missing(&column.title, &column.name));
            }
        }
        map
    }

    /// The rows cannot be judged at all.
    pub fn refuses_file(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Place in the table of a delivered column.
    pub fn place(&self, delivered: usize) -> Option<usize> {
        self.places.get(delivered).copied().flatten()
    }

    /// Delivered column that stands for a column of the table.
    pub fn delivered(&self, place: usize) -> Option<usize> {
        self.places.iter().position(|found| *found == Some(place))
    }

    /// How many columns the header has.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Brings delivered cells into the order of the table. `row` is overwritten; the memory of what
    /// it held is used again.
    pub fn arrange<'c>(
        &self,
        cells: impl IntoIterator<Item = Option<&'c str>>,
        row: &mut Vec<Option<String>>,
    ) {
        row.resize(self.width, None);
        for place in &self.undelivered {
            row[*place] = None;
        }
        let mut cells = cells.into_iter().fuse();
        for (place, ten_thousands) in self.places.iter().zip(&self.ten_thousands) {
            let delivered = cells.next().flatten().filter(|text| !text.is_empty());
            let Some(place) = *place else { continue };
            let Some(delivered) = delivered else {
                row[place] = None;
                continue;
            };
            let text = row[place].get_or_insert_default();
            text.clear();
            text.push_str(delivered);
            if *ten_thousands && text.ends_with(|c: char| c.is_ascii_digit()) {
                text.push_str("万元");
            }
        }
    }
}

/// Every name of every column, folded.
fn names_of(table: &Table) -> FxHashMap<String, usize> {
    let mut names = FxHashMap::default();
    for (place, column) in table.columns.iter().enumerate() {
        for name in [&column.name, &column.title].into_iter().chain(&column.aliases) {
            names.entry(fold(name)).or_insert(place);
        }
    }
    names
}

/// A header as it is compared: no blanks, quotes or required marks, half-width brackets, lower case.
fn fold(text: &str) -> String {
    let text: String = text
        .chars()
        .filter(|c| !crate::value::text::is_blank(*c) && !c.is_control())
        .filter(|c| !matches!(c, '*' | '＊' | '"' | '“' | '”'))
        .map(|c| match c {
            '（' => '(',
            '）' => ')',
            '／' => '/',
            other => crate::value::text::half(other).to_ascii_lowercase(),
        })
        .collect();
    for mark in ["(必填)", "(选填)", "[必填]"] {
        if let Some(bare) = text.strip_suffix(mark) {
            return bare.to_owned();
        }
    }
    text
}

/// A header may be anything, a personal value of a file without header too: only its start is told.
fn shown(text: &str) -> String {
    let short: String = text.trim().chars().take(20).collect();
    if short.len() < text.trim().len() { format!("{short}…") } else { short }
}

fn unknown(delivered: &str) -> HeaderFinding {
    HeaderFinding {
        rule: "header.unknown_column",
        severity: Severity::Warning,
        column: Some(shown(delivered)),
        reason: format!("标准中没有“{}”这一列，已忽略", shown(delivered)),
        remedy: "请核对列名，或删去该列；列名以模板为准".to_owned(),
    }
}

fn duplicate(first: &str, second: &str) -> HeaderFinding {
    HeaderFinding {
        rule: "header.duplicate",
        severity: Severity::Error,
        column: Some(shown(second)),
        reason: format!("“{}”与“{}”是同一列，不知取哪一列", shown(second), shown(first)),
        remedy: "请只保留其中一列".to_owned(),
    }
}

fn missing(title: &str, name: &str) -> HeaderFinding {
    HeaderFinding {
        rule: "header.missing_required",
        severity: Severity::Error,
        column: Some(name.to_owned()),
        reason: format!("缺少必填列“{title}”（{name}）"),
        remedy: "请按模板补齐必填列后重新报送".to_owned(),
    }
}

fn no_header(table: &Table) -> HeaderFinding {
    HeaderFinding {
        rule: "header.none",
        severity: Severity::Error,
        column: None,
        reason: format!("第一行没有一个列名属于“{}”", table.title),
        remedy: "请核对所选的表，并把第一行改为模板中的列名（中文或标识符）".to_owned(),
    }
}
