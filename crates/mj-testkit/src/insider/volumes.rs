//! The log over several volumes: clean over the turns of years and kills in the middle of one; the
//! insider who launders a row through a turn, or takes a closed volume away, shortens or rewrites it.

use mj_ledger::volume::{self, Opening};
use mj_ledger::{Checkpoint, Entry};
use mj_platform::ledger::Shelf;
use mj_platform::ledger::verify::Finding;

use super::*;

const YEAR: i64 = 366 * 86_400;

impl Office {
    fn shelf(&self) -> Shelf {
        Shelf::new(self.path("log"))
    }

    /// A new year begins and the node notices.
    async fn next_year(&self) {
        self.kit.clock.advance_seconds(YEAR);
        assert!(self.ledger.clone().turning_yearly(true).turn().await.expect("turned"));
    }

    /// Two turns, with work in every volume.
    async fn over_two_years(seed: u64) -> Self {
        let office = Self::new(seed).await;
        for from in [12, 14] {
            office.next_year().await;
            office.change(from, from + 9).await;
            office.ledger.drain().await.expect("sealed");
        }
        office
    }

    async fn named(&self, outside: Option<&str>, kind: Kind, table: &str) -> Vec<Finding> {
        let found = self.verify(outside).await.findings;
        let named = |one: &Finding| one.kind == kind && one.table == table;
        assert!(found.iter().any(named), "{kind:?} {table} not named: {found:?}");
        found
    }

    /// Content and digest of a row, as only somebody with the database can change them together.
    pub(super) async fn forge(&self, id: &str) {
        let row = &self.rows(&format!("SELECT * FROM note WHERE id = '{id}'")).await[0];
        let mut row = columns(row);
        row[2].1 = Value::Int(7);
        let values: Vec<Value> = row[..4].iter().map(|(_, v)| v.clone()).collect();
        let (Value::Int(version), Value::Bytes(salt)) = (&row[4].1, &row[6].1) else {
            panic!("a version and a salt");
        };
        let salt = salt.clone().try_into().expect("16 bytes");
        let digest = row_digest(&salt, NOTE.columns, &values, *version);
        row[7].1 = Value::Bytes(digest.to_vec());
        self.sql(&format!("DELETE FROM note WHERE id = '{id}'")).await;
        self.put(&row).await;
    }

    fn vault(&self) -> Vault {
        Vault::open(&self.path("vault"), &[7; 16], false)
    }

    /// Signs a checkpoint with the node's own key.
    fn sign(&self, origin: &str, size: u64, root: mj_ledger::Hash) -> String {
        use mj_platform::gm::vault::{KeyClass, SmProvider};
        let key = self.ledger.key().of_volume(origin);
        let text = Checkpoint { origin: origin.into(), size, root, time: NOW }.text();
        let bytes = self.vault().sign(KeyClass::Log, text.as_bytes()).expect("signed").to_vec();
        let signature =
            mj_ledger::note::Signature { name: key.name.clone(), key_id: key.id(), bytes };
        mj_ledger::Note { text, signatures: vec![signature] }.to_text()
    }
}

#[tokio::test]
async fn a_log_over_three_volumes_is_clean_and_every_entry_provable() {
    for seed in rounds(2, 10) {
        let office = Office::over_two_years(seed).await;
        assert_eq!(office.shelf().closed().expect("read"), [1, 2]);
        let newest = office.shelf().newest().expect("read").expect("signed");
        assert_eq!((newest.number, newest.end()), (3, office.ledger.sealed()));
        let first = office.shelf().volume(1).expect("read").expect("signed");
        assert_eq!(newest.checkpoint.origin, volume::origin(&first.checkpoint.origin, 3));
        let third = newest.opening.as_ref().expect("opened");
        assert_eq!(volume::split(&third.origin).1, 2);
        // within the same year nothing turns, and when nobody wants it neither
        assert!(!office.ledger.turn().await.expect("asked"));
        office.kit.clock.advance_seconds(2 * YEAR);
        assert!(!office.ledger.clone().turning_yearly(false).turn().await.expect("asked"));
        for outside in [None, Some(&office.outside), Some(&first.text), Some(&newest.text)] {
            let report = office.verify(outside.map(String::as_str)).await;
            assert_eq!(report.findings, [], "seed {seed}");
            assert_eq!((report.volumes, report.told.len()), (3, 0));
            assert_eq!(report.sealed, report.entries);
        }
        // a first entry is an act like others, and known by the key of the first volume
        let key = first.key.clone();
        for seq in [0, 5, first.end() - 1, first.end(), newest.first, newest.end() - 1] {
            let receipt = office.ledger.receipt(seq).await.expect("asked").expect("signed");
            let proved = receipt.check(Some(&key), &mj_platform::gm::sign::verify).expect("holds");
            assert_eq!(proved.entry.seq, seq);
            assert_eq!(proved.entry.opens.is_some(), [first.end(), newest.first].contains(&seq));
        }
        let last = newest.end();
        assert_eq!(office.ledger.receipt(last).await.expect("asked"), None);
        // another start goes on where it was
        let again = open(&office.kit, &office.path("log")).await;
        assert_eq!(again.sealed(), last);
        office.change(20, 23).await;
        again.drain().await.expect("sealed");
        assert_eq!(office.verify(Some(&office.outside)).await.findings, []);
    }
}

#[tokio::test]
async fn entries_that_come_while_the_volume_turns_are_in_one_or_the_other() {
    let office = Office::new(1).await;
    office.kit.clock.advance_seconds(YEAR);
    let ledger = office.ledger.clone().turning_yearly(true);
    let (turned, ()) = tokio::join!(ledger.turn(), office.change(12, 24));
    assert!(turned.expect("turned"));
    office.change(5, 9).await;
    office.ledger.drain().await.expect("sealed");
    assert_eq!(office.verify(Some(&office.outside)).await.findings, []);
    let newest = office.shelf().newest().expect("read").expect("signed");
    assert_eq!((newest.number, newest.end()), (2, office.ledger.sealed()));
}

/// The turn is decided in the database; the files may have come anywhere on their way after it.
#[tokio::test]
async fn a_node_killed_anywhere_in_a_turn_goes_on_where_it_was() {
    let office = Office::new(0).await;
    office.ledger.drain().await.expect("sealed");
    copy_folder(&office.path("log"), &office.path("before"));
    office.next_year().await;
    let reader = office.shelf().reader(2);
    let entry = String::from_utf8(reader.entry(0).expect("read").expect("there")).expect("text");
    let sheet = reader.sheets(0).expect("read").next_stored().expect("read").expect("there");
    let seq = i64::try_from(Entry::parse(entry.as_bytes()).expect("reads").seq).expect("small");
    copy_folder(&office.path("log"), &office.path("after"));
    let root = |folder: &str| {
        let text = std::fs::read_to_string(office.path(folder).join("checkpoint")).expect("read");
        text.lines().take(3).map(str::to_owned).collect::<Vec<_>>()
    };
    let after = root("after");
    let (log, before, done) = (office.path("log"), office.path("before"), office.path("after"));
    let closed = done.join("closed");
    for stage in 0..7 {
        std::fs::remove_dir_all(&log).expect("gone");
        copy_folder(if stage == 6 { &done } else { &before }, &log);
        let partial = log.join("closed/1.partial");
        if stage == 1 {
            copy_folder(&before.join("tile"), &partial.join("tile"));
        }
        if (2..6).contains(&stage) {
            copy_folder(&closed, &log.join("closed"));
        }
        if stage >= 3 && stage != 6 {
            std::fs::remove_dir_all(log.join("tile")).expect("gone");
        }
        if stage >= 4 && stage != 6 {
            std::fs::remove_dir_all(log.join("sheets")).expect("gone");
            std::fs::remove_file(log.join("history")).expect("gone");
            std::fs::copy(done.join("key"), log.join("key")).expect("put");
        }
        if stage == 5 {
            copy_folder(&done.join("tile"), &log.join("tile"));
            copy_folder(&done.join("sheets"), &log.join("sheets"));
        }
        let mut tx = office.kit.begin().await;
        let sql = "INSERT INTO log_pending (seq, entry, sheet, seal) VALUES ($1,$2,$3,$4)";
        let seal = ledger::seal_of(office.kit.vault().as_ref(), &entry, &sheet).expect("sealed");
        let args = [seq.into(), entry.as_str().into(), Value::Bytes(sheet.clone()), seal.into()];
        tx.execute(sql, &args).await.expect("put");
        tx.commit().await.expect("done");
        assert_eq!(office.verify(Some(&office.outside)).await.findings, [], "stage {stage}");
        let again = open(&office.kit, &log).await;
        again.drain().await.expect("sealed");
        assert_eq!(root("log"), after, "stage {stage}");
        assert!(!log.join("closed/1.partial").exists());
        assert_eq!(office.verify(Some(&office.outside)).await.findings, [], "stage {stage}");
        office.sql("DELETE FROM log_pending").await;
    }
}

#[tokio::test]
async fn a_row_changed_before_a_turn_is_named_after_it_for_ever() {
    let office = Office::new(3).await;
    let victim = office.victim();
    office.forge(&victim).await;
    office.named(None, Kind::Changed, "note").await;
    office.next_year().await;
    let found = office.named(None, Kind::Changed, "note").await;
    assert!(found.iter().any(|one| one.key == victim), "{found:?}");
    // nor is a row that went, or came, without an act
    office.sql("DELETE FROM note WHERE id = 'n0020'").await;
    let mut row = office.earlier.clone();
    row[0].1 = "copy".into();
    office.put(&row).await;
    office.next_year().await;
    for (kind, key) in
        [(Kind::Changed, victim.as_str()), (Kind::Missing, "n0020"), (Kind::Extra, "copy")]
    {
        let found = office.named(None, kind, "note").await;
        assert!(found.iter().any(|one| (one.kind, one.key.as_str()) == (kind, key)), "{found:?}");
    }
}

#[tokio::test]
async fn a_closed_volume_that_is_gone_or_shortened_is_named() {
    for number in ["1", "2"] {
        let office = Office::over_two_years(1).await;
        std::fs::remove_dir_all(office.path("log/closed").join(number)).expect("gone");
        let found = office.named(None, Kind::Gap, "volume").await;
        assert!(found.iter().any(|one| one.key == number), "{found:?}");
    }
    // cut back to the older genuine checkpoint that somebody kept
    let office = Office::over_two_years(2).await;
    let folder = office.path("log/closed/1");
    std::fs::copy(office.path(KEPT), folder.join("checkpoint")).expect("put");
    office.named(None, Kind::Log, "volume").await;
    for name in ["tile/0/000", "tile/entries/000", "sheets/000"] {
        let bytes = std::fs::read(folder.join(name)).expect("read");
        std::fs::write(folder.join(name), &bytes[..bytes.len() / 2]).expect("cut");
    }
    office.named(None, Kind::Gap, "entries").await;
    // the newest volume taken away, and the one before it put in its place
    let office = Office::over_two_years(3).await;
    let (log, old) = (office.path("log"), office.path("log/closed/2"));
    for name in ["tile", "sheets"] {
        std::fs::remove_dir_all(log.join(name)).expect("gone");
    }
    copy_folder(&old, &log);
    std::fs::remove_dir_all(&old).expect("gone");
    office.named(None, Kind::Gap, "entries").await;
    let newest = office.ledger.sealed();
    assert!(newest > office.shelf().sealed().expect("read"));
    let opened = Ledger::open(office.kit.db().clone(), &log, Arc::new(office.vault()), "370400")
        .await
        .expect("opens");
    office.change(4, 5).await;
    assert!(opened.drain().await.is_err(), "entries are missing between");
}

/// A closed volume rewritten with the node's own keys does not fit the entry that names it; where that
/// is rewritten too, an old checkpoint of either tells.
#[tokio::test]
async fn a_closed_volume_rewritten_with_the_nodes_own_keys_is_named() {
    let office = Office::over_two_years(4).await;
    let kept = std::fs::read_to_string(office.log("checkpoint")).expect("read");
    let shelf = office.shelf();
    let old = shelf.volume(1).expect("read").expect("signed");
    // one entry edited, every tile and the signature made anew
    let mut entries = Vec::new();
    for seq in 0..old.end() {
        entries.push(old.entry(seq).expect("read").expect("there"));
    }
    let mut edited = Entry::parse(&entries[6]).expect("reads");
    edited.time += 1;
    entries[6] = edited.canonical().into_bytes();
    rewrite(&office, &office.path("log/closed/1"), &old.checkpoint.origin, &entries);
    office.named(None, Kind::Log, "volume").await;
    office.named(Some(&old.text), Kind::Log, "checkpoint").await;
    // the entry that names it as well, and the newest volume with it: only what was kept elsewhere tells
    let mut root = shelf.volume(1).expect("read").expect("signed").checkpoint.root;
    for number in [2, 3] {
        let volume = shelf.volume(number).expect("read").expect("signed");
        let mut entries = Vec::new();
        for seq in volume.first..volume.end() {
            entries.push(volume.entry(seq).expect("read").expect("there"));
        }
        let mut head = Entry::parse(&entries[0]).expect("reads");
        let opening: &mut Opening = head.opens.as_mut().expect("opens");
        opening.root = root;
        entries[0] = head.canonical().into_bytes();
        let folder = match number {
            3 => office.path("log"),
            _ => office.path("log/closed/2"),
        };
        root = rewrite(&office, &folder, &volume.checkpoint.origin, &entries);
    }
    let found = office.verify(None).await.findings;
    assert!(found.iter().all(|one| one.table == "act_journal"), "{found:?}");
    for outside in [&old.text, &kept] {
        office.named(Some(outside), Kind::Log, "checkpoint").await;
    }
}

#[tokio::test]
async fn an_opening_entry_that_names_another_volume_is_named() {
    let office = Office::over_two_years(5).await;
    let volume = office.shelf().volume(3).expect("read").expect("signed");
    let mut entries = Vec::new();
    for seq in volume.first..volume.end() {
        entries.push(volume.entry(seq).expect("read").expect("there"));
    }
    let head = Entry::parse(&entries[0]).expect("reads");
    let first = office.shelf().volume(1).expect("read").expect("signed");
    let with = |change: &dyn Fn(&mut Opening)| {
        let mut head = head.clone();
        change(head.opens.as_mut().expect("opens"));
        head.canonical().into_bytes()
    };
    let forged = [
        with(&|opening| opening.size -= 1),
        with(&|opening| opening.root = first.checkpoint.root),
        with(&|opening| opening.origin = first.checkpoint.origin.clone()),
        with(&|opening| opening.first = 0),
        with(&|opening| opening.cause = volume::Cause::Freeze),
        {
            let mut head = head.clone();
            head.opens = None;
            head.canonical().into_bytes()
        },
    ];
    for (nth, entry) in forged.into_iter().enumerate() {
        entries[0] = entry;
        rewrite(&office, &office.path("log"), &volume.checkpoint.origin, &entries);
        let found = office.verify(None).await.findings;
        assert!(found.iter().any(|one| one.table == "volume"), "forgery {nth}: {found:?}");
    }
}

/// Puts these entries in place of a volume's, with tiles and signature to fit. The new root.
fn rewrite(office: &Office, folder: &Path, origin: &str, entries: &[Vec<u8>]) -> mj_ledger::Hash {
    assert!(entries.len() < 256, "one bundle");
    let mut memory = mj_ledger::tree::Memory::new();
    let (mut bundle, mut tile) = (Vec::new(), Vec::new());
    for entry in entries {
        let leaf = mj_ledger::tree::leaf(entry);
        mj_ledger::tiles::put_entry(&mut bundle, entry).expect("small");
        tile.extend(leaf);
        memory.push(leaf);
    }
    let text = office.sign(origin, entries.len() as u64, memory.root());
    for (name, bytes) in
        [("tile/entries/000", bundle), ("tile/0/000", tile), ("checkpoint", text.into_bytes())]
    {
        let path = folder.join(name);
        // other names of the same file stay as they were
        std::fs::remove_file(&path).expect("gone");
        std::fs::write(path, bytes).expect("put");
    }
    memory.root()
}

impl Office {
    async fn freeze(&self) -> Option<ledger::Frozen> {
        let (who, wanted) = (Actor::system("command"), Wanted::default());
        let folder = self.path("log");
        let frozen =
            ledger::freeze(self.kit.db(), &folder, &who, "硬盘损坏，经批准", &wanted).await;
        frozen.expect("asked")
    }

    async fn reopened(mut self) -> Self {
        self.ledger = open(&self.kit, &self.path("log")).await;
        self.ledger.drain().await.expect("sealed");
        self
    }
}

#[tokio::test]
async fn a_sound_log_is_not_frozen() {
    let office = Office::new(0).await;
    assert_eq!(office.freeze().await, None);
    let office = Office::over_two_years(0).await;
    assert_eq!(office.freeze().await, None);
    assert_eq!(office.verify(None).await.findings, []);
}

#[tokio::test]
async fn a_damaged_volume_is_frozen_told_each_time_and_followed_by_clean_ones() {
    for (seed, file) in (0..).zip([
        "tile/entries/000",
        "sheets/000",
        "tile/0/000",
        "checkpoint",
        "tile/entries/000",
    ]) {
        let office = Office::new(seed).await;
        if file != "tile/entries/000" {
            office.ledger.drain().await.expect("sealed");
        }
        let sealed = office.ledger.sealed();
        office.flip(file);
        assert!(!office.verify(None).await.is_clean());
        let frozen = office.freeze().await.expect("damaged");
        assert_eq!(frozen.volume, 1, "{file}");
        let numbered = frozen.proved + frozen.damage.entries;
        assert!(frozen.damage.lost <= frozen.damage.entries && numbered >= sealed);
        assert_eq!(frozen.damage.entries == 0, ["tile/0/000", "checkpoint"].contains(&file));
        // also before the files followed
        let before = office.verify(Some(&office.outside)).await;
        assert_eq!(before.findings, [], "{file}");
        let office = office.reopened().await;
        for _ in 0..2 {
            let report = office.verify(Some(&office.outside)).await;
            assert_eq!(report.findings, [], "{file}");
            assert_eq!(report.told.len(), 1);
            assert_eq!(
                (&report.told[0].rows, &report.told[0].damage),
                (&frozen.rows, &frozen.damage)
            );
            assert_eq!(report.sealed, report.entries);
            // what is proved has its receipt, unless that needs what was damaged; what is not has none
            let receipt = office.ledger.receipt(0).await;
            let may = frozen.proved > 0 && file != "checkpoint";
            assert_eq!(receipt.is_ok_and(|one| one.is_some()), may, "{file}");
            if frozen.damage.entries > 0 {
                let past = office.ledger.receipt(frozen.proved).await.expect("asked");
                assert_eq!(past, None);
            }
            // an act past proof may be erased like any other
            if frozen.damage.entries > 2 {
                let who = Actor::system("command");
                let erased = ledger::erase::erase(office.kit.db(), &who, frozen.proved + 1, "申请");
                erased.await.expect("erased");
            }
            office.next_year().await;
            office.change(12, 15).await;
            office.ledger.drain().await.expect("sealed");
        }
        let report = office.verify(Some(&office.outside)).await;
        assert_eq!((report.findings, report.told.len(), report.volumes), (vec![], 1, 4), "{file}");
        // the evidence must stay what it was
        let path = office.path("log/closed/1/sheets/000");
        let mut bytes = std::fs::read(&path).expect("read");
        bytes.truncate(bytes.len() / 2);
        std::fs::write(&path, bytes).expect("put");
        assert!(!office.verify(None).await.is_clean(), "{file}");
    }
}

#[tokio::test]
async fn a_freeze_tells_the_row_that_was_to_be_hidden_and_no_later_one() {
    let office = Office::new(2).await;
    office.ledger.drain().await.expect("sealed");
    let victim = office.victim();
    office.forge(&victim).await;
    office.flip("tile/entries/000");
    let frozen = office.freeze().await.expect("damaged");
    let line = format!("changed\tnote\t{victim}\t");
    assert!(frozen.rows.iter().any(|row| row.starts_with(&line)), "{:?}", frozen.rows);
    let office = office.reopened().await;
    let report = office.verify(Some(&office.outside)).await;
    assert_eq!(report.findings, []);
    assert!(report.told[0].rows.iter().any(|row| row.starts_with(&line)), "{:?}", report.told);
    // content alone, whose digest no list can carry, stays a finding
    office.forge("n0020").await;
    office.sql("UPDATE act_journal SET reason = '无' WHERE log_seq = 3").await;
    let found = office.named(None, Kind::Changed, "note").await;
    assert!(found.iter().all(|one| one.table != "note" || one.key == "n0020"), "{found:?}");
    office.named(None, Kind::Changed, "act_journal").await;
    let past =
        format!("UPDATE act_journal SET reason = '无' WHERE log_seq = {}", frozen.proved + 1);
    let office = Office::new(2).await;
    office.ledger.drain().await.expect("sealed");
    office.flip("tile/entries/000");
    office.freeze().await.expect("damaged");
    let office = office.reopened().await;
    assert_eq!(office.verify(None).await.findings, []);
    office.sql(&past).await;
    office.named(None, Kind::Changed, "act_journal").await;
}

/// Who says more, or less, or other rows than were lost.
#[tokio::test]
async fn a_list_of_damage_cannot_be_enlarged_later() {
    let office = Office::new(3).await;
    office.ledger.drain().await.expect("sealed");
    office.flip("tile/entries/000");
    office.freeze().await.expect("damaged");
    let office = office.reopened().await;
    let volume = office.shelf().volume(2).expect("read").expect("signed");
    let head = volume.entry(volume.first).expect("read").expect("there");
    let head = Entry::parse(&head).expect("reads");
    for nth in 0..3 {
        let mut head = head.clone();
        let damage = head.opens.as_mut().and_then(|opens| opens.damage.as_mut()).expect("damage");
        match nth {
            0 => damage.rows += 1,
            1 => damage.digest = [7; 32],
            _ => damage.lost += 1,
        }
        let entries = [head.canonical().into_bytes()];
        rewrite(&office, &office.path("log"), &volume.checkpoint.origin, &entries);
        let found = office.verify(None).await.findings;
        assert!(found.iter().any(|one| one.table == "volume"), "{nth}: {found:?}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_mended_from_a_copy_and_from_no_other() {
    for (seed, name) in (0..).zip([
        "tile/entries/000",
        "sheets/000",
        "tile/0/000",
        "checkpoint",
        "closed/1/tile/entries/000",
        "closed/1/sheets/000",
        "closed/1/checkpoint",
    ]) {
        let office = Office::over_two_years(seed).await;
        // an older copy, where it holds what is lost
        copy_folder(&office.path("log"), &office.path("copy"));
        let (log, copy) = (office.path("log"), office.path("copy"));
        let sound = ledger::repair(&log, &copy).expect("asked");
        assert_eq!(sound, ledger::Mended { files: vec![], beyond: vec![] });
        if name != "checkpoint" {
            office.change(30, 33).await;
            office.ledger.drain().await.expect("sealed");
        }
        let path = log.join(name);
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[40] ^= 0x10;
        let damaged = bytes.clone();
        std::fs::remove_file(&path).expect("gone");
        std::fs::write(&path, bytes).expect("put");
        assert!(!office.verify(None).await.is_clean(), "{name}");
        // another log's copy, and the damaged log itself, mend nothing but a tile, which entries give
        let other = Office::new(seed + 1).await;
        if name != "tile/0/000" {
            for from in [other.path("log"), log.clone()] {
                let mended = ledger::repair(&log, &from).expect("asked");
                assert!(mended.files.is_empty() && !mended.beyond.is_empty(), "{name}: {mended:?}");
                assert_eq!(std::fs::read(&path).expect("read"), damaged);
            }
        }
        let mended = ledger::repair(&log, &copy).expect("asked");
        assert_eq!((mended.files, mended.beyond), (vec![name.to_owned()], vec![]), "{name}");
        assert_eq!(office.verify(Some(&office.outside)).await.findings, [], "{name}");
        let again = open(&office.kit, &log).await;
        assert_eq!(again.sealed(), office.ledger.sealed());
    }
}

/// The entry that opened the volume may be the one that is lost.
#[tokio::test]
async fn a_volume_that_lost_its_first_entry_is_frozen_like_others() {
    for (seed, name) in (0..).zip(["tile/entries/000", "sheets/000"]) {
        let office = Office::over_two_years(seed).await;
        let first = office.shelf().newest().expect("read").expect("signed").first;
        let mut bytes = std::fs::read(office.log(name)).expect("read");
        bytes[40] ^= 0x10;
        std::fs::write(office.log(name), bytes).expect("put");
        let frozen = office.freeze().await.expect("damaged");
        assert_eq!((frozen.volume, frozen.proved), (3, first), "{name}");
        let office = office.reopened().await;
        office.next_year().await;
        office.change(12, 15).await;
        office.ledger.drain().await.expect("sealed");
        let report = office.verify(Some(&office.outside)).await;
        assert_eq!((report.findings, report.told.len(), report.volumes), (vec![], 1, 5), "{name}");
    }
}

#[tokio::test]
async fn the_sequencer_turns_by_itself_and_people_who_wait_are_answered() {
    let office = Office::new(4).await;
    office.kit.clock.advance_seconds(YEAR);
    let ledger = office.ledger.clone().turning_yearly(true);
    let turned = async {
        while office.shelf().newest().expect("read").is_none_or(|newest| newest.number < 2) {
            tokio::task::yield_now().await;
        }
        office.change(5, 6).await;
        assert!(ledger.settled(std::time::Duration::from_secs(30)).await);
    };
    ledger.watch(turned).await;
    let report = office.verify(Some(&office.outside)).await;
    assert_eq!((report.findings, report.volumes), (vec![], 2));
    assert_eq!(report.sealed, report.entries);
    // where a record is spoken of is known over volumes, the turn itself left out
    let sql = "SELECT seq FROM log_touch WHERE object = 'note:n0005' ORDER BY seq";
    assert_eq!(office.rows(sql).await.len(), 2);
    assert_eq!(
        office.rows("SELECT size FROM log_touched").await[0].int("size").ok(),
        i64::try_from(report.entries).ok()
    );
}

/// A database restored to before a turn, with the log's files as they were after it.
#[tokio::test]
async fn a_log_goes_back_over_turns_to_what_its_database_knew() {
    let office = Office::over_two_years(2).await;
    let (log, vault) = (office.path("log"), office.vault());
    let third = office.shelf().newest().expect("read").expect("signed").first;
    let first = office.shelf().volume(1).expect("read").expect("signed");
    let roots = |number: u64, size: u64| {
        mj_ledger::tree::root(&office.shelf().reader(number), size).expect("a root")
    };
    let (in_third, in_second, end) = (roots(3, 4), roots(2, 5), first.checkpoint.root);
    for (size, number, closed, root) in [
        (third + 4, 3, vec![1, 2], in_third),
        (first.end() + 5, 2, vec![1], in_second),
        (first.end(), 1, vec![], end),
    ] {
        let signed = ledger::rewind(&log, size, &vault).expect("goes back");
        assert_eq!(signed.root, root, "{number}");
        let newest = office.shelf().newest().expect("read").expect("signed");
        assert_eq!((newest.number, newest.end()), (number, size));
        assert_eq!(office.shelf().closed().expect("read"), closed);
        assert_eq!(mj_ledger::tree::root(&newest.reader, signed.size).expect("a root"), root);
    }
    assert!(ledger::rewind(&log, first.end() + 1, &vault).is_err(), "that is gone");
}

#[tokio::test]
async fn another_key_in_a_later_volume_leaves_the_earlier_ones_provable() {
    let office = Office::over_two_years(6).await;
    let first = office.shelf().volume(1).expect("read").expect("signed");
    let vault = Arc::new(office.vault());
    let log = office.path("log");
    let key = ledger::rekey(&log, office.kit.db(), vault, "370400").await.expect("exchanged");
    let office = office.reopened().await;
    office.next_year().await;
    for outside in [None, Some(office.outside.as_str()), Some(&first.text)] {
        assert_eq!(office.verify(outside).await.findings, []);
    }
    let verify = &mj_platform::gm::sign::verify;
    let old = office.ledger.receipt(3).await.expect("asked").expect("signed");
    old.check(Some(&first.key), verify).expect("the key of its time");
    assert!(old.check(Some(&key), verify).is_err());
    let new = office.ledger.receipt(office.ledger.sealed() - 1).await.expect("asked");
    new.expect("signed").check(Some(&key), verify).expect("the new key");
    assert_eq!(office.ledger.contradiction(&first.text).expect("compared"), None);
}

/// Without its checkpoint a log is not begun anew over what was signed.
#[tokio::test]
async fn a_log_that_lost_its_checkpoint_is_left_alone_until_it_is_mended() {
    let office = Office::over_two_years(7).await;
    let log = office.path("log");
    copy_folder(&log, &office.path("copy"));
    std::fs::remove_file(office.log("checkpoint")).expect("gone");
    assert!(!office.verify(None).await.is_clean());
    assert_eq!(office.shelf().damaged().expect("looked"), ["缺少检查点"]);
    let entries = std::fs::read(office.log("tile/entries/000")).expect("read");
    let vault = Arc::new(office.vault());
    let opened = Ledger::open(office.kit.db().clone(), &log, vault, "370400").await;
    assert!(opened.is_err_and(|error| error.to_string().contains("缺少检查点")));
    assert_eq!(std::fs::read(office.log("tile/entries/000")).expect("read"), entries);
    let mended = ledger::repair(&log, &office.path("copy")).expect("asked");
    assert_eq!(mended.files, ["checkpoint"]);
    assert_eq!(office.verify(None).await.findings, []);
    // nor is it frozen at less than was signed, whatever stands there instead
    for (number, instead) in (3..).zip([None, Some("x\n1\n"), Some("")]) {
        std::fs::remove_file(office.log("checkpoint")).expect("gone");
        if let Some(text) = instead {
            std::fs::write(office.log("checkpoint"), text).expect("put");
        }
        assert!(!office.verify(None).await.is_clean());
        assert!(!office.shelf().damaged().expect("looked").is_empty(), "{instead:?}");
        let frozen = office.freeze().await.expect("damaged");
        assert_eq!((frozen.volume, frozen.damage.entries), (number, 0));
        let again = open(&office.kit, &log).await;
        again.drain().await.expect("sealed");
        let report = office.verify(Some(&office.outside)).await;
        assert_eq!((report.findings, report.volumes), (vec![], number + 1), "{instead:?}");
    }
}
