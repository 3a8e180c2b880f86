//! The tree against a slow one, every proof against every tampering, and published vectors.

use proptest::prelude::*;

use crate::entry::{Changes, Entry, Payload, PayloadRef};
use crate::fold::{Fault, Fold, Kind};
use crate::note::{Checkpoint, Note, Signature, VerifierKey};
use crate::sheet::{self, Line};
use crate::tree::{self, Frontier, Hash, Memory, Subtrees};
use crate::volume::{self, Cause, Opened, Opening};
use crate::witness::{self, AddCheckpoint, Refusal, Seen, WitnessKey};
use crate::{Error, tiles};

/// RFC 6962 2.1 word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => tree::sm3(b""),
        [one] => *one,
        many => {
            let mut k = 1;
            while k * 2 < many.len() {
                k *= 2;
            }
            tree::node(&naive_root(&many[..k]), &naive_root(&many[k..]))
        }
    }
}

fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    let (mut path, sibling) = if m < k {
        (naive_path(m, &leaves[..k]), naive_root(&leaves[k..]))
    } else {
        (naive_path(m - k, &leaves[k..]), naive_root(&leaves[..k]))
    };
    path.push(sibling);
    path
}

fn naive_subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    let (mut path, sibling) = if m <= k {
        (naive_subproof(m, &leaves[..k], whole), naive_root(&leaves[k..]))
    } else {
        (naive_subproof(m - k, &leaves[k..], false), naive_root(&leaves[..k]))
    };
    path.push(sibling);
    path
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|number| tree::leaf(format!("entry {number}").as_bytes())).collect()
}

fn memory(leaves: &[Hash]) -> Memory {
    let mut tree = Memory::new();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree
}

/// A tree laid out in tiles, as it lies on disk.
struct Laid(Vec<Hash>);

impl tiles::Tiles for Laid {
    fn tile(&self, level: u32, index: u64) -> crate::Result<std::sync::Arc<Vec<Hash>>> {
        let mut row = self.0.clone();
        for _ in 0..level * tiles::HEIGHT {
            row = row.chunks_exact(2).map(|pair| tree::node(&pair[0], &pair[1])).collect();
        }
        let from = index as usize * 256;
        let to = row.len().min(from + 256);
        let tile = row.get(from..to).ok_or(Error::MissingNode { level, index })?;
        Ok(tile.to_vec().into())
    }
}

#[test]
fn every_small_tree_agrees_with_the_words_of_the_rfc() {
    for size in 0..70 {
        let leaves = leaves(size);
        let tree = memory(&leaves);
        let mut frontier = Frontier::new();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        let root = naive_root(&leaves);
        assert_eq!((tree.root(), frontier.root()), (root, root), "{size}");
        assert_eq!(Frontier::of(&tree, size as u64).expect("edge"), frontier);
        for split in 0..=size {
            let mut together = Frontier::new();
            together.push_all(leaves[..split].to_vec());
            together.push_all(leaves[split..].to_vec());
            assert_eq!(together, frontier);
        }
        for index in 0..size {
            let path = tree::inclusion(&tree, index as u64, size as u64).expect("path");
            assert_eq!(path, naive_path(index, &leaves), "{index} of {size}");
            tree::check_inclusion(leaves[index], index as u64, size as u64, &path, &root)
                .expect("holds");
        }
        for old in 1..=size {
            let path = tree::consistency(&tree, old as u64, size as u64).expect("proof");
            assert_eq!(path, naive_subproof(old, &leaves, true), "{old} of {size}");
            let before = naive_root(&leaves[..old]);
            tree::check_consistency(old as u64, &before, size as u64, &root, &path).expect("holds");
        }
    }
}

proptest! {
    #[test]
    fn a_larger_tree_in_tiles_gives_the_same_proofs(size in 1_usize..1_500, at in 0.0..1.0_f64) {
        let leaves = leaves(size);
        let index = ((size as f64 * at) as usize).min(size - 1);
        let laid = Laid(leaves.clone());
        prop_assert_eq!(tree::root(&laid, size as u64).expect("root"), naive_root(&leaves));
        let path = tree::inclusion(&laid, index as u64, size as u64).expect("path");
        prop_assert_eq!(path, naive_path(index, &leaves));
        let proof = tree::consistency(&laid, index as u64 + 1, size as u64).expect("proof");
        prop_assert_eq!(proof, naive_subproof(index + 1, &leaves, true));
    }

    #[test]
    fn nothing_else_passes_for_an_inclusion(
        size in 2_usize..200, at in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(),
        bit in 0_u8..8, what in 0_u8..5,
    ) {
        let leaves = leaves(size);
        let tree = memory(&leaves);
        let index = at.index(size);
        let mut path = tree::inclusion(&tree, index as u64, size as u64).expect("path");
        let (mut leaf, mut root, mut place) = (leaves[index], tree.root(), index as u64);
        match what {
            0 => { let n = flip.index(path.len()); path[n][flip.index(32)] ^= 1 << bit; }
            1 => leaf[flip.index(32)] ^= 1 << bit,
            2 => root[flip.index(32)] ^= 1 << bit,
            3 => { path.pop(); }
            _ => place = (place + 1 + flip.index(size - 1) as u64) % size as u64,
        }
        prop_assert!(tree::check_inclusion(leaf, place, size as u64, &path, &root).is_err());
    }

    #[test]
    fn a_rewritten_log_is_not_consistent_with_the_old_root(
        size in 2_usize..200, old in any::<prop::sample::Index>(), hit in any::<prop::sample::Index>(),
    ) {
        let mut leaves = leaves(size);
        let old = 1 + old.index(size - 1);
        let before = naive_root(&leaves[..old]);
        leaves[hit.index(old)] = tree::leaf(b"rewritten");
        let tree = memory(&leaves);
        let proof = tree::consistency(&tree, old as u64, size as u64).expect("proof");
        let root = tree.root();
        prop_assert!(
            tree::check_consistency(old as u64, &before, size as u64, &root, &proof).is_err()
        );
    }
}

fn hmac(key: &[u8; 32], message: &[u8]) -> Hash {
    let pad = |byte: u8| -> Vec<u8> {
        let mut block = [0_u8; 64];
        block[..32].copy_from_slice(key);
        block.iter().map(|key| key ^ byte).collect()
    };
    let inner = tree::sm3(&[pad(0x36), message.to_vec()].concat());
    tree::sm3(&[pad(0x5c), inner.to_vec()].concat())
}

/// Roots that a second implementation computed (the vector of the draw's specification).
#[test]
fn roots_equal_those_of_another_implementation() {
    assert_eq!(
        hex::encode(tree::empty()),
        "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"
    );
    let key: [u8; 32] = std::array::from_fn(|nth| nth as u8);
    let rows: Vec<Vec<u8>> = (1..=4)
        .map(|number| {
            let row = format!("O{number}\tSAMR\t2026-01-01\t2027-12-31\t*\t*\t0\t-\tin");
            let salt = hmac(&key, format!("OFFICER\0O{number}").as_bytes());
            [&salt[..16], row.as_bytes()].concat()
        })
        .collect();
    assert_eq!(
        hex::encode(sheet::row_root(rows.iter().map(Vec::as_slice))),
        "dc4e6d6fed536ed43cf86fc0e141ec806a1d5b772b6eb9f55c444d63986e9d80"
    );
}

#[test]
fn tiles_have_the_paths_of_the_published_layout() {
    assert_eq!(tiles::tile_path(0, 1_234_067), "tile/0/x001/x234/067");
    assert_eq!(tiles::tile_path(1, 0), "tile/1/000");
    assert_eq!(tiles::entries_path(1_000), "tile/entries/x001/000");
    let mut bundle = Vec::new();
    for entry in [&b"a"[..], b"", b"ccc"] {
        tiles::put_entry(&mut bundle, entry).expect("short");
    }
    let read: Vec<Option<&[u8]>> = tiles::entries(&bundle).collect();
    assert_eq!(read, [Some(&b"a"[..]), Some(b""), Some(b"ccc")]);
    assert_eq!(tiles::entries(&bundle[..bundle.len() - 1]).last(), Some(None));
    assert!(tiles::put_entry(&mut bundle, &[0; 70_000]).is_err());
    assert!(Memory::new().subtree(0, 0).is_err());
}

fn entry() -> Entry {
    let payload = Payload {
        actor: "account:1".into(),
        object: "party:2".into(),
        reason: Some("同一企业".into()),
        request_id: "r".into(),
    };
    Entry {
        action: "registry.party.merge".into(),
        actor: "account".into(),
        changes: Changes { last: 9, rows: 2 },
        object: "party".into(),
        opens: None,
        payload: PayloadRef { digest: payload.digest(&[7; 16]), id: "act-1".into() },
        seq: 3,
        sheet: sheet::root("party\tp\t2\t-"),
        time: 1_764_547_200_000_000,
        v: 1,
    }
}

#[test]
fn an_entry_is_read_only_in_its_canonical_form() {
    let entry = entry();
    let text = entry.canonical();
    assert!(text.starts_with("{\"action\":\"registry.party.merge\",\"actor\":\"account\""));
    assert!(!text.contains("同一企业") && !text.contains("party:2"));
    assert_eq!(Entry::parse(text.as_bytes()).expect("reads"), entry);
    for other in [
        text.replacen(",\"v\":1", ", \"v\":1", 1),
        text.replacen("\"v\":1", "\"v\":2", 1),
        text.replacen("\"v\":1", "\"v\":1,\"w\":1", 1),
        text.replacen("\"seq\":3", "\"seq\":3.0", 1),
        text.replacen("\"action\"", "\"action\":\"x\",\"action\"", 1),
    ] {
        assert!(Entry::parse(other.as_bytes()).is_err(), "{other}");
    }
}

fn key() -> VerifierKey {
    VerifierKey { name: "mingjian/370400/x/sm3".into(), point: [4; 65] }
}

#[test]
fn a_checkpoint_is_read_back_and_every_other_text_is_refused() {
    let checkpoint = Checkpoint { origin: key().name, size: 12, root: tree::sm3(b"root"), time: 5 };
    // stands in for the curve: the "signature" is the digest of point and message
    let sign = |point: &[u8; 65], message: &[u8]| {
        let half = tree::sm3(&[&point[..], message].concat());
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&half);
        bytes
    };
    let verify =
        move |point: &[u8; 65], message: &[u8], given: &[u8; 64]| sign(point, message) == *given;
    let text = checkpoint.text();
    let signature = Signature {
        name: key().name,
        key_id: key().id(),
        bytes: sign(&key().point, text.as_bytes()).to_vec(),
    };
    let note = Note { text, signatures: vec![signature] }.to_text();
    assert_eq!(Checkpoint::open(&note, &key(), &verify).expect("opens"), checkpoint);
    assert_eq!(VerifierKey::parse(&key().to_text()).expect("reads"), key());
    let mut other = key();
    other.point[9] = 9;
    assert!(matches!(Checkpoint::open(&note, &other, &verify), Err(Error::NoSignature(_))));
    for wrong in [
        note.replacen("\n12\n", "\n13\n", 1),
        note.replacen("\n12\n", "\n012\n", 1),
        note.replacen("time 5", "time 6", 1),
        note.replacen("time 5\n", "time 5\nmore\n", 1),
        note.trim_end().to_owned(),
        note.replace("— ", "- "),
        String::new(),
    ] {
        assert!(Checkpoint::open(&wrong, &key(), &verify).is_err(), "{wrong}");
    }
}

#[test]
fn the_fold_names_what_changed_went_missing_or_came_in() {
    let digest = |text: &str| Some(tree::sm3(text.as_bytes()));
    let line = |key, version, digest| Line { table: "party", key, version, digest };
    let mut fold = Fold::new([1; 16]);
    assert_eq!(fold.line(0, line("a", 1, digest("a1")), false), None);
    assert_eq!(fold.line(1, line("a", 2, digest("a2")), false), None);
    assert_eq!(fold.line(1, line("b", 1, digest("b1")), false), None);
    assert_eq!(fold.line(2, line("c", 1, digest("c1")), false), None);
    assert_eq!(fold.line(3, line("c", 1, None), false), None);
    assert_eq!(fold.line(4, line("d", 7, digest("d7")), true), None);
    // a version that nobody wrote
    let gap = fold.line(5, line("d", 9, digest("d9")), false).expect("a gap");
    assert_eq!((gap.kind, gap.seq), (Kind::Gap, Some(4)));

    // an older state put back, consistent in itself
    let old = fold.row("party", "a", 1, &tree::sm3(b"a1")).expect("noticed");
    assert_eq!((old.kind, old.seq), (Kind::Changed, Some(1)));
    // a second row of the same key, a deleted one come back, an unknown one
    for (key, seq) in [("a", Some(1)), ("c", Some(3)), ("x", None)] {
        let extra = fold.row("party", key, 1, &tree::sm3(b"c1")).expect("noticed");
        assert_eq!((extra.kind, extra.seq), (Kind::Extra, seq));
    }
    assert_eq!(fold.row("party", "d", 9, &tree::sm3(b"d9")), None);
    assert!(fold.has_missing());
    assert_eq!(fold.take_missing("party", "b").map(|fault| fault.seq), Some(Some(1)));
    assert!(fold.missing("party", "a").is_none() && !fold.has_missing());
}

#[test]
fn a_line_is_read_as_it_was_written() {
    for line in [
        Line { table: "party", key: "0197", version: 3, digest: Some([0xAB; 32]) },
        Line { table: "party", key: "", version: 1, digest: None },
    ] {
        let mut text = String::new();
        line.write(&mut text);
        assert_eq!(Line::parse(&text), Some(line));
    }
    for wrong in ["party\ta\t1", "party\ta\tx\t-", "party\ta\t1\tab", "party\ta\t1\t-\t"] {
        assert_eq!(Line::parse(wrong), None, "{wrong}");
    }
}

/// Stands in for the curve: the "signature" is a digest of point and message.
fn stand_in(point: &[u8; 65], message: &[u8]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&tree::sm3(&[&point[..], message].concat()));
    bytes
}

fn signed(key: &VerifierKey, size: u64, root: Hash) -> Note {
    let text = Checkpoint { origin: key.name.clone(), size, root, time: 5 }.text();
    let bytes = stand_in(&key.point, text.as_bytes()).to_vec();
    let signature = Signature { name: key.name.clone(), key_id: key.id(), bytes };
    Note { text, signatures: vec![signature] }
}

#[test]
fn a_witness_signs_only_what_goes_on_from_what_it_saw() {
    let verify =
        |point: &[u8; 65], message: &[u8], given: &[u8; 64]| stand_in(point, message) == *given;
    let leaves = leaves(40);
    let tree = memory(&leaves);
    let root = |size: u64| tree::root(&tree, size).expect("root");
    let mut other = leaves.clone();
    other[3] = tree::leaf(b"rewritten");
    let rewritten = memory(&other);
    let ask = |old: u64, size: u64, proof: Vec<Hash>, root: Hash| AddCheckpoint {
        old,
        proof,
        openings: Vec::new(),
        note: signed(&key(), size, root),
    };
    let proof = |old, new| tree::consistency(&tree, old, new).expect("proof");
    let judge = |asked: &AddCheckpoint, seen| {
        // as it travels
        let asked = AddCheckpoint::parse(&asked.to_text()).expect("reads");
        witness::judge(&asked, &key(), seen, &verify)
    };
    let seen = Some(Seen { volume: 1, size: 20, root: root(20) });
    for (old, new, seen) in [(0, 1, None), (0, 40, None), (20, 20, seen), (20, 33, seen)] {
        let asked = ask(old, new, proof(old, new), root(new));
        assert_eq!(judge(&asked, seen).expect("cosigned").size, new);
    }
    let conflict = |size| Err(Refusal::Conflict { size });
    // a store put back: it knows less than the witness, and says so or does not
    assert_eq!(judge(&ask(12, 15, proof(12, 15), root(15)), seen), conflict(20));
    assert_eq!(judge(&ask(12, 33, proof(12, 33), root(33)), seen), conflict(20));
    assert_eq!(judge(&ask(0, 33, Vec::new(), root(33)), seen), conflict(20));
    // rewritten, of the same size and grown
    let wrong = tree::root(&rewritten, 20).expect("root");
    assert_eq!(judge(&ask(20, 20, Vec::new(), wrong), seen), conflict(20));
    let forged = tree::consistency(&rewritten, 20, 40).expect("proof");
    assert_eq!(judge(&ask(20, 40, forged, rewritten.root()), seen), Err(Refusal::Proof));
    assert_eq!(judge(&ask(20, 40, Vec::new(), root(40)), seen), Err(Refusal::Proof));
    assert_eq!(judge(&ask(0, 5, proof(2, 5), root(5)), None), Err(Refusal::Proof));
    let beyond = judge(&ask(20, 12, Vec::new(), root(12)), seen);
    assert!(matches!(beyond, Err(Refusal::Malformed(_))), "{beyond:?}");
    let mut foreign = key();
    foreign.point[9] = 9;
    let asked = AddCheckpoint {
        note: signed(&foreign, 33, root(33)),
        ..ask(20, 33, proof(20, 33), root(33))
    };
    assert_eq!(judge(&asked, seen), Err(Refusal::Signature));
    for text in ["", "old 1\n", "old 01\n\nx", "old +1\n\nx", "old 1\nabc\n\nx\n1\n\n— a b\n"] {
        assert!(AddCheckpoint::parse(text).is_err(), "{text}");
    }
    let long = AddCheckpoint { old: 1, ..ask(1, 3, vec![[0; 32]; 64], root(3)) };
    assert!(AddCheckpoint::parse(&long.to_text()).is_err());
}

/// Volumes 1, 2 and 3 of a log, of 9, 5 and 4 entries.
struct Volumes {
    trees: Vec<Memory>,
    heads: Vec<Entry>,
}

impl Volumes {
    fn new() -> Self {
        let mut trees = vec![memory(&leaves(9))];
        let mut heads = Vec::new();
        for (before, size) in [(1, 5), (2, 4)] {
            let last = &trees[before - 1];
            let opens = Opening {
                cause: Cause::Year,
                damage: None,
                first: 0,
                origin: Self::key(before as u64).name,
                root: last.root(),
                size: last.size(),
            };
            let head = Entry { seq: 9, opens: Some(opens), ..entry() };
            let mut all = vec![tree::leaf(head.canonical().as_bytes())];
            all.extend(leaves(size - 1));
            trees.push(memory(&all));
            heads.push(head);
        }
        Self { trees, heads }
    }

    fn key(number: u64) -> VerifierKey {
        let first = VerifierKey { name: "mingjian/370400/753fd062/sm3".into(), ..key() };
        first.of_volume(&volume::origin(&first.name, number))
    }

    fn note(&self, number: usize) -> Note {
        let tree = &self.trees[number - 1];
        signed(&Self::key(number as u64), tree.size(), tree.root())
    }

    fn opened(&self, number: usize) -> Opened {
        let tree = &self.trees[number - 1];
        let path = tree::inclusion(tree, 0, tree.size()).expect("a path");
        Opened { entry: self.heads[number - 2].canonical().into_bytes(), path }
    }
}

#[test]
fn a_witness_follows_from_volume_to_volume_and_never_back() {
    let verify =
        |point: &[u8; 65], message: &[u8], given: &[u8; 64]| stand_in(point, message) == *given;
    let log = Volumes::new();
    let judge = |asked: &AddCheckpoint, number: u64, seen| {
        let asked = AddCheckpoint::parse(&asked.to_text()).expect("reads");
        witness::judge(&asked, &Volumes::key(number), seen, &verify).map(|it| it.origin)
    };
    let first = &log.trees[0];
    let seen = |size| Some(Seen { volume: 1, size, root: tree::root(first, size).expect("root") });
    let proof = |old| tree::consistency(first, old, 9).expect("proof");
    let ask = |old, number: usize, openings: Vec<Opened>| AddCheckpoint {
        old,
        proof: proof(old),
        openings,
        note: log.note(number),
    };
    let to_two = ask(6, 2, vec![log.opened(2)]);
    assert_eq!(judge(&to_two, 2, seen(6)).expect("goes on"), Volumes::key(2).name);
    let to_three = ask(9, 3, vec![log.opened(2), log.opened(3)]);
    assert_eq!(judge(&to_three, 3, seen(9)).expect("over two"), Volumes::key(3).name);
    // without the opening, with another's, out of order, from another beginning
    let missing = judge(&ask(6, 2, Vec::new()), 2, seen(6));
    assert_eq!(missing, Err(Refusal::Proof));
    assert_eq!(judge(&ask(6, 2, vec![log.opened(3)]), 2, seen(6)), Err(Refusal::Proof));
    let swapped = ask(9, 3, vec![log.opened(3), log.opened(2)]);
    assert_eq!(judge(&swapped, 3, seen(9)), Err(Refusal::Proof));
    assert_eq!(judge(&ask(9, 3, vec![log.opened(3)]), 3, seen(9)), Err(Refusal::Proof));
    let other = Some(Seen { volume: 1, size: 6, root: tree::sm3(b"other") });
    assert_eq!(judge(&to_two, 2, other), Err(Refusal::Proof));
    let mut forged = to_two.clone();
    let mut head = log.heads[0].clone();
    head.opens.as_mut().expect("opens").root = tree::sm3(b"other");
    forged.openings[0].entry = head.canonical().into_bytes();
    assert_eq!(judge(&forged, 2, seen(6)), Err(Refusal::Proof));
    // the witness saw more than the new volume goes on from
    let more = Some(Seen { volume: 1, size: 12, root: tree::sm3(b"more") });
    let short = AddCheckpoint { old: 12, proof: Vec::new(), ..to_two.clone() };
    assert_eq!(judge(&short, 2, more), Err(Refusal::Conflict { size: 12 }));
    // and who saw the second takes nothing of the first
    let later = Some(Seen { volume: 2, size: 5, root: log.trees[1].root() });
    let back = AddCheckpoint { proof: Vec::new(), ..ask(5, 1, Vec::new()) };
    assert_eq!(judge(&back, 1, later), Err(Refusal::Conflict { size: 5 }));
    assert_eq!(judge(&ask(9, 1, Vec::new()), 1, later), Err(Refusal::Conflict { size: 5 }));
}

#[test]
fn a_state_said_anew_must_be_the_one_that_was_known() {
    let line = |key, version, digest| Line { table: "party", key, version, digest };
    let mut fold = Fold::new([3; 16]);
    for key in ["a", "b", "c", "d"] {
        assert_eq!(fold.line(1, line(key, 1, Some([1; 32])), false), None);
    }
    assert_eq!(fold.line(2, line("d", 1, None), false), None);
    let kind = |fault: Option<Fault>| fault.map(|fault| fault.kind);
    assert_eq!(fold.restate(5, line("a", 1, Some([1; 32]))), None);
    assert_eq!(kind(fold.restate(5, line("b", 1, Some([2; 32])))), Some(Kind::Changed));
    assert_eq!(kind(fold.restate(5, line("x", 1, Some([2; 32])))), Some(Kind::Extra));
    assert!(fold.has_unstated());
    assert_eq!(fold.take_unstated("party", "d"), None, "it was deleted");
    assert_eq!(fold.take_unstated("party", "a"), None);
    assert_eq!(kind(fold.take_unstated("party", "c")), Some(Kind::Missing));
    assert!(!fold.has_unstated());
    fold.turn();
    // from here on the new volume's word counts, and what it repeats is as old as it was
    assert_eq!(fold.row("party", "b", 1, &[2; 32]), None);
    let fault = fold.row("party", "a", 1, &[9; 32]).expect("changed");
    assert_eq!((fault.kind, fault.seq), (Kind::Changed, Some(1)));
    assert_eq!(kind(fold.row("party", "c", 1, &[1; 32])), Some(Kind::Extra));
}

#[test]
fn a_cosignature_holds_for_its_checkpoint_its_time_and_its_witness_alone() {
    let verify =
        |point: &[u8; 65], message: &[u8], given: &[u8; 64]| stand_in(point, message) == *given;
    let witness = WitnessKey { name: "mingjian/370000/y/witness".into(), point: [6; 65] };
    assert_eq!(WitnessKey::parse(&witness.to_text()).expect("reads"), witness);
    // a key of one use is not taken for the other
    assert!(VerifierKey::parse(&witness.to_text()).is_err());
    assert!(WitnessKey::parse(&key().to_text()).is_err());
    let mut note = signed(&key(), 12, tree::sm3(b"root"));
    let bytes = stand_in(&witness.point, witness::message(77, &note.text).as_bytes());
    note.signatures.push(witness.signature(77, &bytes));
    let read = Note::parse(&note.to_text()).expect("reads");
    assert_eq!(witness.check(&read, &verify), Ok(77));
    assert!(
        Checkpoint::open(&note.to_text(), &key(), &verify).is_ok(),
        "the log's own still holds"
    );
    let mut later = read.clone();
    later.signatures[1] = witness.signature(78, &bytes);
    let mut other = read.clone();
    other.text = other.text.replacen("\n12\n", "\n13\n", 1);
    for wrong in [later, other] {
        assert!(matches!(witness.check(&wrong, &verify), Err(Error::BadSignature(_))));
    }
    let mut stranger = witness.clone();
    stranger.point[1] = 1;
    assert!(matches!(stranger.check(&read, &verify), Err(Error::NoSignature(_))));
}
