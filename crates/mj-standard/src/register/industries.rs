//! National economic industries, GB/T 4754-2017: sections A-T, two, three and four digits.

use rustc_hash::FxHashMap;

/// One industry with the section it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Industry {
    pub code: String,
    pub name: String,
    pub section: char,
}

/// In the order of the standard.
#[derive(Debug)]
pub struct Industries {
    list: Vec<Industry>,
    by_code: FxHashMap<String, usize>,
}

impl Industries {
    pub(super) fn read(text: &str) -> Self {
        let mut section = 'A';
        let mut list = Vec::with_capacity(2_000);
        for (code, name) in text.lines().filter_map(|line| line.split_once('\t')) {
            if let Some(letter) = code.chars().next().filter(char::is_ascii_uppercase) {
                section = letter;
            }
            list.push(Industry { code: code.to_owned(), name: name.to_owned(), section });
        }
        let by_code = list.iter().enumerate().map(|(i, e)| (e.code.clone(), i)).collect();
        Self { list, by_code }
    }

    pub fn get(&self, code: &str) -> Option<&Industry> {
        self.by_code.get(code).map(|&at| &self.list[at])
    }

    pub fn iter(&self) -> impl Iterator<Item = &Industry> {
        self.list.iter()
    }

    /// Codes that become this value when a spreadsheet takes them for numbers (`0111` → `111`).
    pub fn with_lost_zero(&self, code: &str) -> Option<&Industry> {
        self.get(&format!("0{code}"))
    }
}
