//! The house's own rules, as tests: which crate may stand on which, where SQL may write truth, what
//! proves each sentence of the contracts, what we may build on.
//!
//! `cargo test -p xtask` runs them; there is nothing else to run yet.

fn main() {
    println!("xtask 只含对代码结构的检查：cargo test -p xtask");
}

#[cfg(test)]
mod contracts;
#[cfg(test)]
mod conventions;
#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod durable;
#[cfg(test)]
mod operate;
#[cfg(test)]
use tests::{root, sources};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use regex::Regex;

    /// Copied from ARCHITECTURE.md, "Rooms": crate and its floor.
    const FLOORS: &[(&str, u8)] = &[
        ("mj-kernel", 0),
        ("mj-standard", 0),
        ("mj-tabular", 0),
        ("mj-linkage", 0),
        ("mj-city", 0),
        ("mj-migrations", 0),
        ("mj-ledger", 0),
        ("mj-platform", 1),
        ("mj-web", 1),
        ("mj-facts", 1),
        ("mj-access", 2),
        ("mj-catalog", 2),
        ("mj-registry", 2),
        ("mj-flow", 2),
        ("mj-datahub", 4),
        ("mj-portal", 4),
        ("mj-evaluation", 4),
        ("mj-server", 5),
    ];

    /// The edges inside one floor that are allowed, with their reason.
    const LEVEL_EDGES: &[(&str, &str)] = &[
        // everything stands on the words
        ("mj-standard", "mj-kernel"),
        ("mj-tabular", "mj-kernel"),
        ("mj-linkage", "mj-kernel"),
        // the demonstration city writes files after the standard
        ("mj-city", "mj-kernel"),
        ("mj-city", "mj-standard"),
        ("mj-city", "mj-tabular"),
        // the web floor and the fact store use the pool and the write door
        ("mj-web", "mj-platform"),
        ("mj-facts", "mj-platform"),
    ];

    pub(crate) fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root").to_owned()
    }

    fn edges() -> Vec<(String, String)> {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
            .current_dir(root())
            .output()
            .expect("cargo answers");
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let mut edges = Vec::new();
        for package in metadata["packages"].as_array().expect("packages") {
            let from = package["name"].as_str().expect("a name");
            for dependency in package["dependencies"].as_array().expect("dependencies") {
                let to = dependency["name"].as_str().expect("a name");
                // what only tests use does not bind the house
                if dependency["kind"].is_null() && to.starts_with("mj-") {
                    edges.push((from.to_owned(), to.to_owned()));
                }
            }
        }
        edges
    }

    fn offences(edges: &[(String, String)]) -> Vec<String> {
        let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
        edges
            .iter()
            .filter(|(from, _)| floors.contains_key(from.as_str()))
            .filter(|(from, to)| {
                let (Some(above), Some(below)) =
                    (floors.get(from.as_str()), floors.get(to.as_str()))
                else {
                    return true;
                };
                let level = LEVEL_EDGES.contains(&(from.as_str(), to.as_str()));
                !(below < above || (below == above && level))
            })
            .map(|(from, to)| format!("{from} must not stand on {to}"))
            .collect()
    }

    #[test]
    fn an_edge_points_only_downward() {
        let edges = edges();
        assert!(edges.len() > 20, "cargo metadata gave too few edges to mean anything");
        assert_eq!(offences(&edges), Vec::<String>::new());
    }

    #[test]
    fn the_rule_itself_notices_an_edge_between_siblings() {
        let wrong = [("mj-registry".to_owned(), "mj-flow".to_owned())];
        assert_eq!(offences(&wrong).len(), 1);
    }

    /// Tables of business truth, read from the `TruthTable` constants themselves.
    fn truth_tables() -> Vec<String> {
        let name = Regex::new(r#"TruthTable\s*\{\s*name:\s*"([a-z_]+)""#).expect("a pattern");
        let mut tables: Vec<String> = sources()
            .iter()
            .flat_map(|(_, text)| {
                name.captures_iter(text).map(|found| found[1].to_owned()).collect::<Vec<_>>()
            })
            .collect();
        tables.sort();
        tables.dedup();
        tables
    }

    pub(crate) fn sources() -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        let mut folders = vec![root().join("crates")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "rs") {
                    let text = std::fs::read_to_string(&path).expect("text");
                    found.push((path, text));
                }
            }
        }
        found
    }

    /// Statements that write one of these tables past the door.
    fn writes(text: &str, tables: &[String]) -> Vec<String> {
        let statement = Regex::new(r"(?i)\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+([a-z_]+)\b")
            .expect("a pattern");
        // what a test does to a row by hand, it does to be caught
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        // SQL in strings is broken over lines with a backslash
        let joined = code.replace("\\\n", " ");
        statement
            .captures_iter(&joined)
            .filter(|found| tables.contains(&found[2].to_owned()))
            .map(|found| found[0].to_owned())
            .collect()
    }

    /// Folders of modules that are built for tests alone.
    fn folders_for_tests() -> Vec<PathBuf> {
        let declared = Regex::new(r"#\[cfg\(test\)\]\s*mod ([a-z_]+);").expect("a pattern");
        let modules = sources().into_iter().flat_map(|(path, text)| {
            let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
            let names = declared.captures_iter(&text).map(|found| folder.join(&found[1]));
            names.collect::<Vec<_>>()
        });
        modules.filter(|folder| folder.is_dir()).collect()
    }

    #[test]
    fn business_truth_is_written_only_through_the_door() {
        let tables = truth_tables();
        assert!(tables.contains(&"blob".to_owned()), "no truth tables found: {tables:?}");
        let mut past_the_door = Vec::new();
        let for_tests = folders_for_tests();
        for (path, text) in sources() {
            let name = path.to_string_lossy();
            // the kit's insider does by hand what must be found
            let kit = name.contains("/mj-testkit/");
            let story = for_tests.iter().any(|module| path.starts_with(module));
            if kit || story || name.ends_with("tests.rs") || name.contains("/tests/") {
                continue;
            }
            for write in writes(&text, &tables) {
                past_the_door.push(format!("{name}: {write}"));
            }
        }
        assert_eq!(past_the_door, Vec::<String>::new());
    }

    #[test]
    fn the_search_for_writes_notices_one() {
        let tables = ["party".to_owned()];
        let text = "tx.execute(\"UPDATE \\\n party SET name = $1\", &[])";
        assert_eq!(writes(text, &tables).len(), 1);
        assert!(writes("UPDATE party_search SET x = 1", &tables).is_empty());
    }

    #[test]
    fn every_truth_table_has_the_doors_four_columns() {
        let mut sql = String::new();
        for entry in std::fs::read_dir(root().join("crates/mj-migrations/sql")).expect("migrations")
        {
            sql += &std::fs::read_to_string(entry.expect("an entry").path()).expect("text");
        }
        let created = Regex::new(r"(?s)CREATE TABLE ([a-z_]+) \(\n(.*?)\n\);").expect("a pattern");
        let bodies: BTreeMap<String, String> = created
            .captures_iter(&sql)
            .map(|found| (found[1].to_owned(), found[2].to_owned()))
            .collect();
        for table in truth_tables().iter().filter(|table| *table != "note") {
            let body = bodies.get(table).unwrap_or_else(|| panic!("{table} has no migration"));
            for column in
                ["version BIGINT", "change_seq BIGINT", "row_salt BLOB", "row_digest BLOB"]
            {
                assert!(body.contains(column), "{table} lacks {column}");
            }
        }
    }
}
