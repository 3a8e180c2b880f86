//! The rules across the rows of one file or batch: what was delivered twice.
//!
//! It keeps one hash per key and row (about 40 bytes a row and rule, half of it for the record's own key), so it belongs to a single
//! pass over a file; duplicates against the store are found by the store. Its findings are
//! warnings: a duplicate is stored and hidden, not refused.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use crate::engine::Issue;
use crate::spec::{Rule, RuleKind, Table};

struct Seen<'t> {
    rule: &'t Rule,
    columns: Vec<usize>,
    /// Only the first filled column counts.
    first: bool,
    /// The key is the record's own: any second row of it is a repetition.
    own_record: bool,
    keys: Keys,
}

/// Hashes of the keys that were seen.
enum Keys {
    /// The record's own.
    Own(FxHashSet<u64>),
    /// Others, each with the record that had it first.
    Of(FxHashMap<u64, u64>),
}

impl Keys {
    fn reserve(&mut self, more: usize) {
        match self {
            Keys::Own(keys) => keys.reserve(more),
            Keys::Of(keys) => keys.reserve(more),
        }
    }

    fn contains(&self, key: u64) -> bool {
        match self {
            Keys::Own(keys) => keys.contains(&key),
            Keys::Of(keys) => keys.contains_key(&key),
        }
    }

    /// Whether another row had it. A later version of the same record is no other record, unless the key is
    /// the record's own.
    fn repeats(&mut self, key: u64, record: u64) -> bool {
        match self {
            Keys::Own(keys) => !keys.insert(key),
            Keys::Of(keys) => *keys.entry(key).or_insert(record) != record,
        }
    }
}

/// What has been seen so far.
pub struct FileMemory<'t> {
    table: &'t Table,
    cd_id: Option<usize>,
    seen: Vec<Seen<'t>>,
}

impl<'t> FileMemory<'t> {
    pub fn new(table: &'t Table) -> Self {
        let cd_id = table.column_index("cd_id");
        let seen = table
            .rules
            .iter()
            .filter_map(|rule| match &rule.kind {
                RuleKind::UniqueInFile { columns, first } => {
                    let columns: Vec<usize> =
                        columns.iter().filter_map(|name| table.column_index(name)).collect();
                    let own_record = columns.iter().any(|at| Some(*at) == cd_id);
                    let keys = match own_record {
                        true => Keys::Own(FxHashSet::default()),
                        false => Keys::Of(FxHashMap::default()),
                    };
                    Some(Seen { rule, columns, first: *first, own_record, keys })
                }
                _ => None,
            })
            .collect();
        Self { table, cd_id, seen }
    }

    /// Takes the canonical values of an accepted row and says what it repeats.
    pub fn observe(&mut self, row: &[Option<String>]) -> Vec<Issue<'t>> {
        self.observe_all(std::iter::once(row))
    }

    /// The same for many rows, one after the other.
    pub fn observe_all<'r>(
        &mut self,
        rows: impl Iterator<Item = &'r [Option<String>]> + Clone,
    ) -> Vec<Issue<'t>> {
        let record = |row: &[Option<String>]| hash(&[self.cd_id.and_then(|at| row[at].as_deref())]);
        let records: Vec<u64> = rows.clone().map(record).collect();
        let mut issues = Vec::new();
        for seen in &mut self.seen {
            let keys: Vec<Option<(u64, usize)>> = rows.clone().map(|row| seen.key(row)).collect();
            seen.keys.reserve(keys.len());
            // a table of millions lies far away: asked for together, its parts arrive together
            let known = keys.iter().flatten().filter(|(key, _)| seen.keys.contains(*key)).count();
            std::hint::black_box(known);
            for ((row, record), key) in rows.clone().zip(&records).zip(keys) {
                let Some((key, blamed)) = key else { continue };
                if seen.keys.repeats(key, *record) {
                    issues.push(Issue {
                        rule: seen.rule,
                        column: Some(&self.table.columns[blamed]),
                        column_index: Some(blamed),
                        value: row[blamed].clone(),
                        personal: self.table.is_personal(blamed, row),
                        reason: "与本次报送中前面的一行重复".to_owned(),
                    });
                }
            }
        }
        issues
    }
}

impl Seen<'_> {
    /// The key of a row and the column to blame; `None` when the row has no such key.
    fn key(&self, row: &[Option<String>]) -> Option<(u64, usize)> {
        let filled = |at: &usize| row[*at].as_deref().is_some_and(|text| !text.is_empty());
        if self.first {
            let at = self.columns.iter().copied().find(|at| filled(at))?;
            return Some((hash(&[row[at].as_deref()]), at));
        }
        // of body and number the number is to blame, of a longer key its first part
        let number = !self.own_record && self.columns.len() == 2;
        let blamed = if number { self.columns[1] } else { *self.columns.first()? };
        // what is missing repeats nothing
        if !filled(&blamed) {
            return None;
        }
        let mut hasher = FxHasher::default();
        for at in &self.columns {
            row[*at].as_deref().unwrap_or_default().hash(&mut hasher);
        }
        Some((hasher.finish(), blamed))
    }
}

fn hash(parts: &[Option<&str>]) -> u64 {
    let mut hasher = FxHasher::default();
    for part in parts {
        part.unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}
