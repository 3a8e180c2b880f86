//! What somebody was told is kept is written by `mj_platform::durable` alone: it syncs the content, gives
//! the name, syncs the folder, and stops the node where that fails.

use std::path::Path;

use regex::Regex;

use crate::{root, sources};

/// Where a name or a sync of one's own is right, and why.
const OTHERWISE: [(&str, &str); 4] = [
    ("crates/mj-platform/src/durable.rs", "the helper itself"),
    (
        "crates/mj-platform/src/archive/mod.rs",
        "pieces of a backup: made durable together, before a copy names them",
    ),
    (
        "crates/mj-facts/src/disk.rs",
        "the port of segments: it syncs through the helper, file and folder each at their time",
    ),
    (
        "crates/mj-server/src/import.rs",
        "a question between two running processes, gone when one of them ends",
    ),
];

fn past_the_helper(text: &str) -> Vec<String> {
    let call = Regex::new(r"\bfs::rename\(|\.sync_(all|data)\(\)").expect("a pattern");
    // what a test does to files by hand, it does to be caught
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    call.find_iter(code).map(|found| found.as_str().to_owned()).collect()
}

#[test]
fn what_must_outlast_a_power_cut_is_written_by_the_one_helper() {
    let mut past = Vec::new();
    let mut met = Vec::new();
    for (path, text) in sources() {
        let name =
            path.strip_prefix(root()).unwrap_or(Path::new("")).to_string_lossy().into_owned();
        if name.contains("/tests") || name.contains("mj-testkit/") {
            continue;
        }
        let found = past_the_helper(&text);
        match OTHERWISE.iter().find(|(file, _)| *file == name) {
            Some((file, _)) if !found.is_empty() => met.push(*file),
            Some(_) => {}
            None => past.extend(found.iter().map(|call| format!("{name}: {call}"))),
        }
    }
    assert_eq!(past, Vec::<String>::new(), "use mj_platform::durable");
    met.sort_unstable();
    let mut listed = OTHERWISE.map(|(file, _)| file);
    listed.sort_unstable();
    assert_eq!(met, listed, "an exception that is none any more");
}

#[test]
fn a_sync_past_the_helper_is_noticed() {
    assert_eq!(past_the_helper("file.sync_all()?; std::fs::rename(&a, &b)").len(), 2);
    assert!(past_the_helper("durable::rename(&a, &b)").is_empty());
}
