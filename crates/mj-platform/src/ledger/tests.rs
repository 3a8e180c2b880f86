//! What the files do with good and bad endings; the stories with a database stand in mj-testkit.

use super::files::{Fresh, LogFiles, LogReader};
use mj_ledger::tree;

fn fresh(numbers: std::ops::Range<u64>) -> Vec<Fresh> {
    let one = |number| Fresh {
        entry: format!("entry {number}"),
        sheet: [&[0], format!("sheet {number}").as_bytes()].concat(),
    };
    numbers.map(one).collect()
}

#[test]
fn a_log_grows_over_many_tiles_and_is_read_back_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = LogFiles::open(folder.path(), 0).expect("empty");
    assert_eq!(files.root(), tree::empty());
    let mut memory = tree::Memory::new();
    let mut at = 0;
    // ends in the middle of a tile, at its end, and beyond several; 66,000 makes a third level
    for end in [1, 3, 256, 300, 1_024, 66_000] {
        let batch = fresh(at..end);
        batch.iter().for_each(|one| memory.push(tree::leaf(one.entry.as_bytes())));
        files.append(&batch).expect("appended");
        at = end;
        assert_eq!((files.size(), files.root()), (end, memory.root()));
        let again = LogFiles::open(folder.path(), end).expect("opens");
        assert_eq!(again.root(), memory.root());
    }
    let reader = LogReader::new(folder.path());
    for seq in [0, 255, 256, 1_000, 65_535, 65_999] {
        let entry = reader.entry(seq).expect("read").expect("there");
        assert_eq!(entry, format!("entry {seq}").as_bytes());
        assert_eq!(reader.sheet(seq).expect("read"), Some(format!("sheet {seq}")));
        let path = tree::inclusion(&reader, seq, at).expect("path");
        tree::check_inclusion(tree::leaf(&entry), seq, at, &path, &memory.root()).expect("holds");
    }
    assert_eq!(reader.entry(66_000).expect("read"), None);
    let proof = tree::consistency(&reader, 300, at).expect("proof");
    let mut before = tree::Memory::new();
    fresh(0..300).iter().for_each(|one| before.push(tree::leaf(one.entry.as_bytes())));
    tree::check_consistency(300, &before.root(), at, &memory.root(), &proof).expect("consistent");
}

#[test]
fn what_a_crash_left_behind_the_checkpoint_is_cut_away_and_what_it_lacks_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    for (signed, written) in [(0, 5), (3, 700), (256, 300), (511, 512), (512, 1_025)] {
        let root = folder.path().join(format!("{signed}-{written}"));
        let mut files = LogFiles::open(&root, 0).expect("empty");
        files.append(&fresh(0..signed)).expect("appended");
        let before = files.root();
        files.append(&fresh(signed..written)).expect("appended");
        drop(files);
        let mut again = LogFiles::open(&root, signed).expect("opens");
        assert_eq!((again.size(), again.root()), (signed, before));
        // the files that lie wholly behind the cut are written over from their beginning
        again.append(&fresh(signed..written + 9)).expect("appended");
        let reader = LogReader::new(&root);
        let last = written + 8;
        let entry = reader.entry(last).expect("read").expect("there");
        assert_eq!(entry, format!("entry {last}").as_bytes());
        assert_eq!(reader.sheet(last).expect("read"), Some(format!("sheet {last}")));
        assert_eq!(tree::root(&reader, again.size()).expect("root"), again.root());
    }
    let root = folder.path().join("3-700");
    assert!(LogFiles::open(&root, 2_000).is_err());
    std::fs::write(root.join("tile/0/002"), [0; 32]).expect("cut short");
    assert!(LogFiles::open(&root, 700).is_err());
}
