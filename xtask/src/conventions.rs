//! docs/conventions.md: each row says how far an expectation is met, and the story that shows it must exist.

use std::fs;
use std::path::Path;

use crate::root;

fn texts(folder: &Path, ending: &str, into: &mut String) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, ending, into);
        } else if path.to_string_lossy().ends_with(ending) {
            into.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

/// What is wrong with a row, if anything.
fn fault(row: &str, stories: &str) -> Option<String> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [number, words, state, story, missing] = cells[..] else {
        return Some(format!("not five cells: {row}"));
    };
    let named = !story.is_empty()
        && (stories.contains(&format!("'{story}'"))
            || stories.contains(&format!("\"{story}\""))
            || stories.contains(&format!("fn {story}(")));
    match state {
        _ if words.is_empty() => Some(format!("{number} says nothing")),
        "`met`" if missing.is_empty() || named => {
            (!named).then(|| format!("{number}: no such story: {story}"))
        }
        "`met`" | "`partly`" if !named => Some(format!("{number}: no such story: {story}")),
        "`partly`" if missing.is_empty() => Some(format!("{number} does not say what is missing")),
        "`met`" | "`partly`" | "`no`" => None,
        other => Some(format!("{number}: no such state: {other}")),
    }
}

#[test]
fn every_expectation_said_to_be_met_names_a_story_that_exists() {
    let page = fs::read_to_string(root().join("docs/conventions.md")).expect("the page");
    let mut stories = String::new();
    texts(&root().join("web/e2e"), ".mjs", &mut stories);
    texts(&root().join("crates"), ".rs", &mut stories);
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #")).collect();
    assert_eq!(rows.len(), 65, "one row for each expectation");
    let faults: Vec<String> = rows.iter().filter_map(|row| fault(row, &stories)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(fault("| X1 | words | `met` | no such thing | |", &stories).is_some());
    assert!(fault("| X1 | words | `perhaps` | | |", &stories).is_some());
}
