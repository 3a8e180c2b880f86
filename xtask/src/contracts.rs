//! docs/contracts.md, held sentence by sentence: every sentence stands in `contracts.txt` with the
//! test, the script or the story that proves it, or with the sign by which we shall notice that it is
//! no longer "later". A sentence nobody proves, a proof that is gone and a "later" that came true fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use regex::Regex;

use crate::root;

/// What is said to prove a sentence.
#[derive(Debug, PartialEq, Eq)]
enum Proof {
    /// `proved by crate::test`
    Test(String, String),
    /// `held by PATH: TEXT`: that file holds that text.
    Held(String, String),
    /// `nowhere in crates: TEXT`
    Nowhere(String),
    /// `later, until PATH` or `later, until PATH: TEXT`
    Later(String, Option<String>),
    /// `said: why there is nothing to prove`
    Said,
}

impl Proof {
    fn parse(line: &str) -> Option<Self> {
        let pair = |rest: &str| {
            let (path, text) = rest.split_once(": ")?;
            Some((path.trim().to_owned(), text.trim().to_owned()))
        };
        if let Some(rest) = line.strip_prefix("proved by ") {
            let (krate, test) = rest.trim().split_once("::")?;
            return Some(Proof::Test(krate.to_owned(), test.to_owned()));
        }
        if let Some(rest) = line.strip_prefix("held by ") {
            return pair(rest).map(|(path, text)| Proof::Held(path, text));
        }
        if let Some(rest) = line.strip_prefix("nowhere in crates: ") {
            return Some(Proof::Nowhere(rest.trim().to_owned()));
        }
        if let Some(rest) = line.strip_prefix("later, until ") {
            return Some(match pair(rest) {
                Some((path, text)) => Proof::Later(path, Some(text)),
                None => Proof::Later(rest.trim().to_owned(), None),
            });
        }
        line.starts_with("said: ").then_some(Proof::Said)
    }
}

/// Sentences of the document with the section they stand in.
fn sentences(document: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut section, mut block) = (String::new(), String::new());
    let mut end = |section: &str, block: &mut String| {
        let text = std::mem::take(block);
        found.extend(cut(&text).into_iter().map(|one| (section.to_owned(), one)));
    };
    for line in document.lines() {
        if line.starts_with('#') {
            end(&section, &mut block);
            section = line.trim_start_matches('#').trim().to_owned();
            continue;
        }
        if line.trim().is_empty() || line.starts_with("- ") {
            end(&section, &mut block);
        }
        let text = line.trim().trim_start_matches("- ");
        if !text.is_empty() {
            block.push_str(if block.is_empty() { "" } else { " " });
            block.push_str(text);
        }
    }
    end(&section, &mut block);
    found
}

/// A sentence ends with a full stop or a semicolon before something that begins one.
fn cut(block: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, sign) in block.char_indices() {
        if !matches!(sign, '.' | ';') {
            continue;
        }
        let mut after = block[at + 1..].chars();
        let begins = |c: char| c.is_ascii_uppercase() || matches!(c, '`' | '*' | '(' | '<');
        if after.next() == Some(' ') && after.next().is_some_and(begins) {
            parts.push(block[from..=at].trim().to_owned());
            from = at + 1;
        }
    }
    parts.push(block[from..].trim().to_owned());
    parts.retain(|part| !part.is_empty());
    parts
}

/// `= sentence`, then its proofs on lines of their own.
fn table(text: &str) -> (BTreeMap<String, Vec<Proof>>, Vec<String>) {
    let mut table: BTreeMap<String, Vec<Proof>> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(sentence) = line.strip_prefix("= ") {
            current = Some(sentence.trim().to_owned());
            table.entry(sentence.trim().to_owned()).or_default();
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            match (Proof::parse(line.trim()), &current) {
                (Some(proof), Some(sentence)) => {
                    table.entry(sentence.clone()).or_default().push(proof);
                }
                _ => wrong.push(format!("cannot be read: {line}")),
            }
        }
    }
    (table, wrong)
}

/// `crate::name` of every test there is.
fn tests() -> BTreeSet<(String, String)> {
    let attribute = Regex::new(
        r"#\[(?:tokio::)?test(?:\([^)]*\))?\]\s*(?:#\[[^\]]*\]\s*)*(?:async\s+)?fn\s+([a-z0-9_]+)",
    )
    .expect("a pattern");
    // proptest's functions stand inside its macro
    let property = Regex::new(r"(?m)^\s+fn ([a-z0-9_]+)\(\s*[a-z_]+ in ").expect("a pattern");
    let mut found = BTreeSet::new();
    for (path, text) in crate::sources() {
        let inside = path.strip_prefix(root().join("crates")).ok().map(PathBuf::from);
        let Some(krate) = inside.and_then(|path| Some(path.iter().next()?.to_str()?.to_owned()))
        else {
            continue;
        };
        for name in attribute.captures_iter(&text).chain(property.captures_iter(&text)) {
            found.insert((krate.clone(), name[1].to_owned()));
        }
    }
    found
}

fn holds(path: &str, text: &str) -> bool {
    fs::read_to_string(root().join(path)).is_ok_and(|content| content.contains(text))
}

fn offences(document: &str, proofs: &str) -> Vec<String> {
    let (table, mut wrong) = table(proofs);
    let sentences = sentences(document);
    let said: BTreeSet<&str> = sentences.iter().map(|(_, sentence)| sentence.as_str()).collect();
    for (section, sentence) in &sentences {
        match table.get(sentence) {
            None => wrong.push(format!("not mapped ({section}): {sentence}")),
            Some(proofs) if proofs.is_empty() => {
                wrong.push(format!("nothing proves ({section}): {sentence}"));
            }
            Some(_) => {}
        }
    }
    let tests = tests();
    for (sentence, proofs) in &table {
        if !said.contains(sentence.as_str()) {
            wrong.push(format!("no longer in the document: {sentence}"));
        }
        for proof in proofs {
            let fault = match proof {
                Proof::Test(krate, test) => (!tests.contains(&(krate.clone(), test.clone())))
                    .then(|| format!("there is no test {krate}::{test}")),
                Proof::Held(path, text) => {
                    (!holds(path, text)).then(|| format!("{path} does not hold {text}"))
                }
                Proof::Nowhere(text) => crate::sources()
                    .iter()
                    .find(|(_, source)| source.contains(text))
                    .map(|(path, _)| format!("{} holds {text}", path.display())),
                Proof::Later(path, text) => {
                    let there = match text {
                        Some(text) => holds(path, text),
                        None => root().join(path).exists(),
                    };
                    there.then(|| format!("{path} is there: it is no longer \"later\""))
                }
                Proof::Said => None,
            };
            wrong.extend(fault.map(|fault| format!("{fault}, for: {sentence}")));
        }
    }
    wrong
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_sentence_of_the_contracts_is_proved_by_something_that_exists() {
    let wrong = offences(&read("docs/contracts.md"), &read("xtask/contracts.txt"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_new_sentence_a_lost_proof_and_a_stale_later_are_noticed() {
    let document = "## 1. A\nFirst words\nof one. `Second` is 3.1; third.\n- A list (x).\n";
    let cut: Vec<String> = sentences(document).into_iter().map(|(_, one)| one).collect();
    assert_eq!(cut, ["First words of one.", "`Second` is 3.1; third.", "A list (x)."]);
    let proofs = "= First words of one.\n  said: an example\n= `Second` is 3.1; third.\n  \
                  proved by mj-server::no_such_test\n= A list (x).\n  later, until Cargo.toml\n\
                  = Gone.\n  said: it was here";
    let wrong = offences(document, proofs);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    let unmapped = offences(document, "= A list (x).\n  held by Makefile: no such text\n");
    assert_eq!(unmapped.len(), 3, "{unmapped:?}");
    assert!(unmapped.iter().any(|one| one.contains("does not hold")));
}
