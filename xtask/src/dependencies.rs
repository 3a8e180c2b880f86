//! What we build on, held against deny.toml from cargo's own metadata: licences, banned crates,
//! sources, and each crate that is there twice. The same rules as `cargo deny check licenses bans
//! sources`; only the advisory database is left to it, because a closed network does not reach that.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::root;

struct Rules {
    licences: BTreeSet<String>,
    banned: BTreeMap<String, String>,
    /// Crates that may be there in several versions.
    twice: BTreeSet<String>,
}

fn texts<'a>(rules: &'a toml::Table, section: &str, key: &str) -> Vec<&'a toml::Value> {
    let list =
        rules.get(section).and_then(|section| section.get(key)).and_then(|list| list.as_array());
    list.map(|list| list.iter().collect()).unwrap_or_default()
}

impl Rules {
    fn read() -> Self {
        let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
        let rules: toml::Table = text.parse().expect("TOML");
        let name = |entry: &toml::Value, key: &str| {
            entry.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
        };
        let licences = texts(&rules, "licenses", "allow");
        let banned = texts(&rules, "bans", "deny");
        let twice = texts(&rules, "bans", "skip");
        Self {
            licences: licences.iter().filter_map(|one| one.as_str()).map(str::to_owned).collect(),
            banned: banned.iter().map(|one| (name(one, "crate"), name(one, "reason"))).collect(),
            twice: twice.iter().map(|one| name(one, "crate")).collect(),
        }
    }

    /// An SPDX expression: every part of an AND, one part of an OR.
    fn allows(&self, expression: &str) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut at = 0;
        let allowed = self.any(&words, &mut at);
        allowed && at == words.len()
    }

    fn any(&self, words: &[&str], at: &mut usize) -> bool {
        let mut allowed = self.all(words, at);
        while words.get(*at) == Some(&"OR") {
            *at += 1;
            // both sides must be read
            allowed |= self.all(words, at);
        }
        allowed
    }

    fn all(&self, words: &[&str], at: &mut usize) -> bool {
        let mut allowed = self.one(words, at);
        while words.get(*at) == Some(&"AND") {
            *at += 1;
            allowed &= self.one(words, at);
        }
        allowed
    }

    fn one(&self, words: &[&str], at: &mut usize) -> bool {
        let Some(word) = words.get(*at) else { return false };
        *at += 1;
        if *word == "(" {
            let allowed = self.any(words, at);
            *at += 1;
            return allowed;
        }
        if words.get(*at) == Some(&"WITH") {
            let with = format!("{word} WITH {}", words.get(*at + 1).unwrap_or(&""));
            *at += 2;
            return self.licences.contains(&with);
        }
        self.licences.contains(*word)
    }

    fn offences(&self, metadata: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
        let used: BTreeSet<String> = list(&metadata["resolve"]["nodes"])
            .iter()
            .filter_map(|node| Some(node["id"].as_str()?.to_owned()))
            .collect();
        for package in metadata["packages"].as_array().expect("packages") {
            let text = |key: &str| package[key].as_str().unwrap_or_default();
            if !used.contains(text("id")) {
                continue;
            }
            let (name, version) = (text("name"), text("version"));
            versions.entry(name).or_default().insert(version);
            if let Some(reason) = self.banned.get(name) {
                wrong.push(format!("{name} {version} is banned: {reason}"));
            }
            match package["source"].as_str() {
                // our own
                None => {
                    for dependency in list(&package["dependencies"]) {
                        if dependency["req"] == "*" && dependency["path"].is_null() {
                            wrong.push(format!(
                                "{name} takes any version of {}",
                                dependency["name"]
                            ));
                        }
                    }
                    continue;
                }
                Some("registry+https://github.com/rust-lang/crates.io-index") => {}
                Some(other) => wrong.push(format!("{name} {version} is from {other}")),
            }
            if !self.allows(text("license")) {
                wrong.push(format!("{name} {version} has the licence {:?}", package["license"]));
            }
        }
        for (name, versions) in &versions {
            match (versions.len() > 1, self.twice.contains(*name)) {
                (true, false) => {
                    let versions: Vec<&str> = versions.iter().copied().collect();
                    let versions = versions.join(", ");
                    wrong
                        .push(format!("{name} is there as {versions}: bans.skip does not list it"));
                }
                (false, true) => wrong.push(format!("bans.skip lists {name} in vain")),
                _ => {}
            }
        }
        for name in self.twice.iter().filter(|name| !versions.contains_key(name.as_str())) {
            wrong.push(format!("bans.skip lists {name}, which nobody uses"));
        }
        wrong
    }
}

fn metadata() -> Value {
    let host = Command::new("rustc").arg("-vV").output().expect("rustc answers");
    let host = String::from_utf8_lossy(&host.stdout).into_owned();
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", &host])
        .current_dir(root())
        .output()
        .expect("cargo answers");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn what_we_build_on_keeps_to_deny_toml() {
    let metadata = metadata();
    assert!(metadata["packages"].as_array().is_some_and(|packages| packages.len() > 100));
    let wrong = Rules::read().offences(&metadata);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_foreign_licence_source_or_crate_is_noticed() {
    let rules = Rules {
        licences: ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into(),
        banned: BTreeMap::from([("openssl-sys".to_owned(), "no".to_owned())]),
        twice: BTreeSet::new(),
    };
    for (expression, allowed) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Apache-2.0", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("GPL-3.0 WITH LLVM-exception", false),
        ("", false),
    ] {
        assert_eq!(rules.allows(expression), allowed, "{expression}");
    }
    let package = |name: &str, version: &str, licence: &str, source: &str| {
        serde_json::json!({"id": format!("{name}{version}"), "name": name, "version": version,
            "license": licence, "source": source, "dependencies": []})
    };
    let index = "registry+https://github.com/rust-lang/crates.io-index";
    let packages = [
        package("openssl-sys", "1.0.0", "MIT", index),
        package("a", "1.0.0", "MIT", "git+https://example.org/a"),
        package("b", "1.0.0", "Unfree", index),
        package("b", "2.0.0", "MIT", index),
    ];
    let nodes: Vec<_> = packages.iter().map(|one| serde_json::json!({"id": one["id"]})).collect();
    let metadata = serde_json::json!({"packages": packages, "resolve": {"nodes": nodes}});
    assert_eq!(rules.offences(&metadata).len(), 4);
}
