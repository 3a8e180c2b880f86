//! The city measured with the standard itself: every planted fault is found, and nothing else is refused.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use chrono::NaiveDate;
use mj_standard::lookups::Known;
use mj_standard::{Context, Engine, FileMemory, HeaderMap, LookupKind, Lookups, Standard, Table};
use mj_tabular::{Options, RowBuf, TableReader};

use super::*;

/// What has been accepted so far, as a data centre would remember it.
#[derive(Default)]
struct Store {
    sources: HashSet<String>,
    /// code → (first day, last day)
    dated: HashMap<(&'static str, String), (String, String)>,
    values: HashSet<(String, String, String)>,
}

impl Store {
    fn known(&self, what: &'static str, code: &str, on: NaiveDate) -> Known {
        let day = on.to_string();
        match self.dated.get(&(what, code.to_owned())) {
            None => Known::Unknown,
            Some((first, _)) if *first > day => Known::NotYet(on),
            Some((_, last)) if !last.is_empty() && *last < day => Known::Ended(on),
            Some(_) => Known::Valid,
        }
    }

    fn accept(&mut self, table: &Table, row: &[Option<String>]) {
        let text = |name: &str| {
            table.column_index(name).and_then(|at| row[at].clone()).unwrap_or_default()
        };
        let (effect, cancel) = (text("take_effect_date"), text("cancel_date"));
        match table.name.as_str() {
            "supervise_subitem" => {
                self.dated.insert(("item", text("subitem_code")), (effect, cancel));
            }
            "implement_list" => {
                self.dated.insert(("implementation", text("inventory_code")), (effect, cancel));
            }
            "law_officer" => {
                let days = (String::new(), text("valid_until"));
                self.dated.insert(("certificate", text("certificate_no")), days);
            }
            _ => {}
        }
        for field in ["matter_code", "subitem_code", "plan_id", "check_action_code"] {
            if table.column_index(field).is_some() {
                self.values.insert((table.name.clone(), field.to_owned(), text(field)));
            }
        }
    }
}

impl Lookups for Store {
    fn offers(&self, _: LookupKind) -> bool {
        true
    }
    fn source_registered(&self, cd_source: &str) -> bool {
        self.sources.contains(cd_source)
    }
    fn item(&self, code: &str, _: Option<&str>, on: NaiveDate) -> Known {
        self.known("item", code, on)
    }
    fn implementation(&self, code: &str, on: NaiveDate) -> Known {
        self.known("implementation", code, on)
    }
    fn certificate(&self, code: &str, on: NaiveDate) -> Known {
        self.known("certificate", code, on)
    }
    fn related_exists(&self, table: &str, field: &str, value: &str) -> bool {
        self.values.contains(&(table.to_owned(), field.to_owned(), value.to_owned()))
    }
}

/// Reads one delivered file as the data centre would and compares it with the manifest.
fn compare(
    dir: &Path,
    manifest: &Manifest,
    file: &FileEntry,
    store: &mut Store,
    wrong: &mut Vec<String>,
) {
    let table = Standard::v1().table(&file.table).unwrap();
    let mut engine = Engine::new(table);
    let mut memory = FileMemory::new(table);
    let mut reader = TableReader::open_path(dir.join(&file.file), &Options::default()).unwrap();
    let map = HeaderMap::new(table, reader.header());
    assert!(map.findings.is_empty(), "{}: {:?}", file.file, map.findings);
    let mut planted: HashMap<u64, Vec<&Fault>> = HashMap::new();
    for fault in manifest.faults.iter().filter(|fault| fault.file == file.file) {
        planted.entry(fault.row).or_default().push(fault);
    }
    // a month after the city's today, as on any later clock
    let now = (as_of() + chrono::Duration::days(30)).and_hms_opt(4, 0, 0).unwrap();
    let mut buffer = RowBuf::new();
    let mut rows = 0;
    while reader.next_into(&mut buffer).unwrap() {
        rows += 1;
        let faults = planted.remove(&rows).unwrap_or_default();
        let mut row = Vec::new();
        map.arrange(buffer.cells(), &mut row);
        let delivered = row.clone();
        let verdict = {
            let mut ctx = Context::of_file(now.and_utc().timestamp_micros(), &*store);
            ctx.source = Some(&file.cd_source);
            ctx.batch = Some(&file.cd_batch);
            engine.check_row(&mut row, &ctx)
        };
        let repeated = if verdict.refused { Vec::new() } else { memory.observe(&row) };
        let rules: Vec<&str> =
            verdict.issues.iter().chain(&repeated).map(|issue| issue.rule.id.as_str()).collect();
        let refused = faults.iter().any(|fault| fault.outcome == Outcome::Refused);
        if refused != verdict.refused || buffer.refused() {
            wrong.push(format!("{} row {rows}: planted {faults:?}, found {rules:?}", file.file));
        }
        for fault in faults {
            let told = fault.rule.as_deref().is_none_or(|rule| rules.contains(&rule));
            let mended = fault.outcome != Outcome::Normalised
                || verdict
                    .normalised
                    .iter()
                    .any(|n| Some(n.column.name.as_str()) == fault.column.as_deref());
            if !told || !mended {
                let value = fault
                    .column
                    .as_deref()
                    .and_then(|c| table.column_index(c))
                    .map(|at| &delivered[at]);
                wrong.push(format!(
                    "{} row {rows}: {fault:?} not found in {rules:?}, value {value:?}",
                    file.file
                ));
            }
        }
        if !verdict.refused {
            store.accept(table, &row);
        }
    }
    assert_eq!(rows, file.rows, "{}", file.file);
    if !planted.is_empty() {
        wrong.push(format!("{}: planted beyond the end: {planted:?}", file.file));
    }
}

#[test]
fn every_planted_fault_is_found_and_nothing_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = generate(dir.path(), Size::Small, 7).unwrap();
    assert_eq!(read_manifest(dir.path()).unwrap(), manifest);
    let mut store = Store::default();
    store.sources.extend(manifest.files.iter().map(|file| file.cd_source.clone()));
    let mut wrong = Vec::new();
    for file in &manifest.files {
        compare(dir.path(), &manifest, file, &mut store, &mut wrong);
    }
    let shown: Vec<&String> = wrong.iter().take(25).collect();
    assert!(wrong.is_empty(), "{} differences: {shown:#?}", wrong.len());
}

#[test]
fn every_sort_of_fault_is_planted_somewhere() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = generate(dir.path(), Size::Small, 11).unwrap();
    let kinds: HashSet<(&str, &str)> =
        manifest.faults.iter().map(|fault| (fault.table.as_str(), fault.kind.as_str())).collect();
    for table in Standard::v1().tables() {
        for spec in plantings::faults_of(&table.name) {
            assert!(kinds.contains(&(&table.name, spec.kind)), "{} {}", table.name, spec.kind);
        }
    }
    let classes: HashSet<&str> =
        manifest.faults.iter().filter_map(|f| f.class.as_deref()).collect();
    for class in ["00", "01", "02", "03", "04", "05", "06", "07", "08", "10"] {
        assert!(classes.contains(class), "no fault of class {class}");
    }
    let by: HashSet<&str> = manifest.links.iter().map(|link| link.by.as_str()).collect();
    assert!(by.contains("regist_no") && by.contains("name"), "{by:?}");
}

#[test]
fn the_same_seed_gives_the_same_city_and_another_seed_another() {
    let (one, two, three) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let manifest = generate(one.path(), Size::Small, 3).unwrap();
    assert_eq!(manifest, generate(two.path(), Size::Small, 3).unwrap());
    let other = generate(three.path(), Size::Small, 4).unwrap();
    let mut changed = 0;
    for file in manifest.files.iter().filter(|file| file.format != "xlsx") {
        let bytes = |dir: &Path| std::fs::read(dir.join(&file.file)).unwrap();
        assert_eq!(bytes(one.path()), bytes(two.path()), "{}", file.file);
        changed += usize::from(
            other.files.iter().any(|f| f.file == file.file)
                && bytes(one.path()) != bytes(three.path()),
        );
    }
    assert!(changed > 10);
}

#[test]
fn the_set_up_names_sixty_agencies_with_valid_codes_and_the_sources_of_all_files() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = generate(dir.path(), Size::Small, 7).unwrap();
    let setup: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join(SETUP)).unwrap()).unwrap();
    let agencies = setup["agencies"].as_array().unwrap();
    assert_eq!(agencies.len(), 60);
    let codes: HashSet<&str> = agencies.iter().map(|a| a["org_code"].as_str().unwrap()).collect();
    assert_eq!(codes.len(), 60);
    for code in codes {
        let parsed = mj_kernel::code::Uscc::parse(code).unwrap();
        assert_eq!(parsed.remark(), None);
    }
    let names: HashSet<&str> = agencies.iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 60);
    for file in &manifest.files {
        let source = setup["sources"]
            .as_array()
            .unwrap()
            .iter()
            .find(|s| s["cd_source"] == file.cd_source.as_str());
        let tables =
            source.unwrap_or_else(|| panic!("{}", file.cd_source))["tables"].as_array().unwrap();
        assert!(
            tables.iter().any(|t| t == file.table.as_str()),
            "{} {}",
            file.cd_source,
            file.table
        );
    }
    let acts: u64 =
        manifest.totals.iter().filter(|t| t.table.ends_with("_action")).map(|t| t.rows).sum();
    assert!(acts >= 10_000, "{acts}");
}
