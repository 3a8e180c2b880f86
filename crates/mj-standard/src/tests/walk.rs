//! Every rule of every table has a row that fires it and a twin that does not.

use std::collections::HashSet;

use chrono::NaiveDate;
use serde::Deserialize;

use crate::value::date::instant_micros;
use crate::*;

/// The world that the examples suppose: `tables/_known.toml`.
#[derive(Deserialize)]
pub struct KnownWorld {
    now: String,
    source: String,
    sources: HashSet<String>,
    items: HashSet<String>,
    implementations: HashSet<String>,
    certificates: HashSet<String>,
    related: HashSet<String>,
}

impl KnownWorld {
    pub fn read() -> Self {
        toml::from_str(include_str!("../../tables/_known.toml")).unwrap()
    }

    pub fn now(&self) -> i64 {
        instant_micros(&self.now).unwrap()
    }

    pub fn context(&self) -> Context<'_> {
        Context { source: Some(&self.source), ..Context::of_file(self.now(), self) }
    }
}

fn known(set: &HashSet<String>, value: &str) -> Known {
    if set.contains(value) { Known::Valid } else { Known::Unknown }
}

impl Lookups for KnownWorld {
    fn offers(&self, _question: LookupKind) -> bool {
        true
    }
    fn source_registered(&self, cd_source: &str) -> bool {
        self.sources.contains(cd_source)
    }
    fn item(&self, item_code: &str, _area: Option<&str>, _on: NaiveDate) -> Known {
        known(&self.items, item_code)
    }
    fn implementation(&self, code: &str, _on: NaiveDate) -> Known {
        known(&self.implementations, code)
    }
    fn certificate(&self, certificate_no: &str, _on: NaiveDate) -> Known {
        known(&self.certificates, certificate_no)
    }
    fn related_exists(&self, table: &str, _field: &str, value: &str) -> bool {
        self.related.contains(&format!("{table}:{value}"))
    }
}

fn with(table: &Table, cells: &[(String, Option<String>)]) -> Vec<Option<String>> {
    let mut row = table.sample.clone();
    for (name, value) in cells {
        let at = table
            .column_index(name)
            .unwrap_or_else(|| panic!("{}: example names {name}", table.name));
        row[at] = value.clone();
    }
    row
}

/// The rules that a row breaks; for rules across rows the sample goes first.
fn broken(
    table: &'static Table,
    world: &KnownWorld,
    rule: &Rule,
    cells: &[(String, Option<String>)],
) -> Vec<String> {
    let mut ctx = world.context();
    if let RuleKind::Required { column } = &rule.kind
        && table.column(column).unwrap().envelope
    {
        ctx.envelope = Envelope::Http;
        ctx.source = None;
    }
    let mut engine = Engine::new(table);
    let mut row = with(table, cells);
    if !matches!(rule.kind, RuleKind::UniqueInFile { .. }) {
        let verdict = engine.check_row(&mut row, &ctx);
        return ids(&verdict.issues);
    }
    let mut memory = FileMemory::new(table);
    let mut first = table.sample.clone();
    engine.check_row(&mut first, &ctx);
    assert!(memory.observe(&first).is_empty(), "{}", table.name);
    engine.check_row(&mut row, &ctx);
    ids(&memory.observe(&row))
}

fn ids(issues: &[Issue<'_>]) -> Vec<String> {
    issues.iter().map(|issue| issue.rule.id.clone()).collect()
}

#[test]
fn the_bundled_standard_can_be_read() {
    let standard = Standard::v1();
    assert_eq!(standard.version(), "1.0");
    assert!(standard.tables().len() >= 30, "{}", standard.tables().len());
    assert_eq!(standard.tables()[0].name, "check_action");
}

#[test]
fn the_sample_row_of_every_table_is_clean() {
    let world = KnownWorld::read();
    let mut wrong = Vec::new();
    for table in Standard::v1().tables() {
        let mut row = table.sample.clone();
        let verdict = Engine::new(table).check_row(&mut row, &world.context());
        for issue in &verdict.issues {
            wrong.push(format!("{}: {} {:?}", issue.rule.id, issue.reason, issue.value));
        }
        for change in &verdict.normalised {
            wrong.push(format!(
                "{}.{}: {} → {} {}",
                table.name,
                change.column.name,
                change.from,
                change.to,
                change.how.text()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_row_that_fires_it_and_a_twin_that_does_not() {
    let world = KnownWorld::read();
    let mut wrong = Vec::new();
    let mut rules = 0;
    for table in Standard::v1().tables() {
        for rule in &table.rules {
            rules += 1;
            // an empty override set is only a pair for "the same row again"
            let repeats = matches!(rule.kind, RuleKind::UniqueInFile { .. });
            if rule.example.fires.is_empty() && !repeats {
                wrong.push(format!("{} has no row that fires it", rule.id));
                continue;
            }
            if rule.example.fires == rule.example.clean {
                wrong.push(format!("{}: the twin is the same row", rule.id));
            }
            let fired = broken(table, &world, rule, &rule.example.fires);
            if !fired.contains(&rule.id) {
                wrong.push(format!("{} does not fire: {fired:?}", rule.id));
            }
            let twin = broken(table, &world, rule, &rule.example.clean);
            if twin.contains(&rule.id) {
                wrong.push(format!("{} fires on its twin", rule.id));
            }
        }
    }
    assert!(rules > 700, "only {rules} rules were walked");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
