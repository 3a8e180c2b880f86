//! How many entries a second of processor time take their place in the tree, each with its inclusion
//! path: `bench_log [ENTRIES]`. Checking the paths is printed apart, and so is what the root of a bulk
//! load's sheet costs. Part of `make bench`.

use std::process::ExitCode;

use mj_ledger::entry::{Changes, PayloadRef};
use mj_ledger::tree::{self, Hash, Memory};
use mj_ledger::{Entry, sheet};

/// Processor seconds of this process, as Linux counts them.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

fn entry(seq: u64) -> Entry {
    let root = sheet::row_root(std::iter::once(&seq.to_be_bytes()[..]));
    Entry {
        action: "registry.party.merge".into(),
        actor: "account".into(),
        changes: Changes { last: 1, rows: 1 },
        object: "party".into(),
        opens: None,
        payload: PayloadRef { digest: root, id: format!("0197c1d2-0000-7000-8000-{seq:012x}") },
        seq,
        sheet: root,
        time: 1_764_547_200_000_000,
        v: Entry::VERSION,
    }
}

fn main() -> ExitCode {
    let asked = std::env::args().nth(1).map_or(Ok(200_000), |text| text.parse());
    let (Ok(count), Some(_)) = (asked, cpu_seconds()) else {
        eprintln!("usage: bench_log [ENTRIES], on Linux");
        return ExitCode::from(2);
    };
    let entries: Vec<String> = (0..count).map(|seq| entry(seq).canonical()).collect();
    let bytes: usize = entries.iter().map(String::len).sum();
    let spent = |from: f64| cpu_seconds().unwrap_or(from) - from;

    let start = cpu_seconds().unwrap_or_default();
    let mut log = Memory::new();
    let mut proofs: Vec<(Hash, Vec<Hash>)> = Vec::with_capacity(entries.len());
    for (seq, text) in (0..).zip(&entries) {
        let leaf = tree::leaf(text.as_bytes());
        log.push(leaf);
        match tree::inclusion(&log, seq, seq + 1) {
            Ok(path) => proofs.push((leaf, path)),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(3);
            }
        }
    }
    let appended = spent(start);

    let start = cpu_seconds().unwrap_or_default();
    let mut frontier = tree::Frontier::new();
    let mut wrong = 0_u64;
    for (seq, (leaf, path)) in (0..).zip(&proofs) {
        frontier.push(*leaf);
        let root = frontier.root();
        wrong += u64::from(tree::check_inclusion(*leaf, seq, seq + 1, path, &root).is_err());
    }
    let checked = spent(start);
    println!(
        "log      {count} entries of {} bytes appended, a path each: {appended:.2} CPU s, {:.0} per CPU s",
        bytes / entries.len().max(1),
        count as f64 / appended
    );
    println!(
        "         checking each against the root of its moment: {checked:.2} CPU s, {wrong} wrong"
    );

    let lines: Vec<String> = proofs
        .iter()
        .map(|(leaf, _)| {
            format!("mention\t0197c1d2-0000-7000-8000-000000000000\t1\t{}", hex::encode(leaf))
        })
        .collect();
    let start = cpu_seconds().unwrap_or_default();
    let root = sheet::row_root(lines.iter().map(String::as_bytes));
    let rooted = spent(start);
    println!(
        "         root of a sheet of {count} lines: {rooted:.2} CPU s ({})",
        &hex::encode(root)[..8]
    );
    ExitCode::from(u8::from(wrong > 0))
}
