//! The insider who rewrites everything with the node's own keys, against a witness elsewhere: found by
//! `verify` with what the witness saw last, and by the witness itself when the node asks it again.
//! `MJ_LONG=1` runs a hundred of these and twenty clean nodes.

use mj_ledger::VerifierKey;
use mj_platform::ledger::outside::Reached;
use mj_platform::ledger::witness::{Verdict, Witness};

use super::*;

/// The other organisation, with a database and a key of its own.
struct Other(TestDb);

impl Other {
    fn watching(&self, log: &VerifierKey) -> Witness {
        let folder = self.0.folder.path().join("vault");
        std::fs::create_dir_all(&folder).expect("a folder");
        let vault = Vault::open(&folder, &[9; 16], false);
        let logs = vec![log.clone()];
        Witness::new(self.0.db().clone(), Arc::new(vault), "370000", logs).expect("a witness")
    }
}

/// What a node does every minute. Whether its newest checkpoint was cosigned.
async fn ask(ledger: &Ledger, witness: &Witness) -> bool {
    let mut old = Reached::NOTHING;
    for _ in 0..2 {
        let Some(asked) = ledger.ask(old).expect("asked") else { return false };
        match witness.add_checkpoint(&asked.text).await.expect("answered") {
            Verdict::Cosigned(line) => {
                ledger.keep(&asked, witness.key(), &line).await.expect("kept");
                return true;
            }
            Verdict::Refused(mj_ledger::witness::Refusal::Conflict { .. }) => {
                let shown = witness.seen(&ledger.key().name).await.expect("read");
                let shown = shown.map(|shown| ledger.own(&shown.checkpoint).expect("read"));
                let Some(Some(seen)) = shown else { return false };
                old = Reached::of(&seen);
            }
            Verdict::Refused(_) => return false,
        }
    }
    false
}

#[tokio::test]
async fn a_log_rewritten_with_the_nodes_own_keys_is_caught_by_its_witness() {
    let other = Other(TestDb::new().await);
    let (mut tried, mut by_verify, mut by_witness) = (0, 0, 0);
    for seed in rounds(4, 100) {
        let mut office = Office::new(seed).await;
        office.ledger.drain().await.expect("sealed");
        let key = office.ledger.key();
        let witness = other.watching(&key);
        assert!(ask(&office.ledger, &witness).await, "seed {seed}");
        let kept = witness.seen(&key.name).await.expect("read").expect("seen").checkpoint;

        // what the public portal shows of it
        let shown = ledger::outside::all_cosigned(office.kit.db()).await.expect("read");
        let [(name, newest)] = shown.as_slice() else { panic!("one witness: {shown:?}") };
        let line = format!("— {} ", witness.key().name);
        assert_eq!((name, newest.size), (&witness.key().name, office.ledger.sealed() as i64));
        assert!(newest.checkpoint.lines().any(|one| one.starts_with(&line)), "{newest:?}");

        let attack = if seed % 2 == 0 { LogRewritten } else { KeyExchanged };
        attack.run(&mut office).await;
        if seed % 4 > 1 {
            // grown beyond what the witness saw, so that the size alone says nothing
            for _ in 0..3 {
                office.change(4, 30).await;
            }
        }
        office.ledger.drain().await.expect("sealed");
        assert!(office.verify(None).await.is_clean(), "consistent in itself: {attack:?}");
        let report = office.verify(Some(&kept)).await;
        tried += 1;
        by_verify += u32::from(report.findings.iter().any(|one| one.table == "checkpoint"));
        let refused = !ask(&office.ledger, &witness).await;
        let shown = office.ledger.contradiction(&kept).expect("compared");
        // with its own key the node itself must see it; a new key the witness does not know
        by_witness += u32::from(refused && shown.is_some() == (attack == LogRewritten));
        let now = witness.seen(&key.name).await.expect("read").expect("seen").checkpoint;
        assert_eq!(now, kept, "the witness keeps to what it saw");
    }
    println!(
        "insider with the node's keys: {by_verify} of {tried} caught by verify, {by_witness} of {tried} by the witness"
    );
    assert_eq!((by_verify, by_witness), (tried, tried));
}

#[tokio::test]
async fn an_honest_node_is_never_refused() {
    let other = Other(TestDb::new().await);
    for seed in rounds(2, 20) {
        let office = Office::new(seed).await;
        let key = office.ledger.key();
        let witness = other.watching(&key);
        let mut kept = Vec::new();
        for turn in 0..4 {
            office.change(5 + turn, 6 + turn * 3).await;
            office.ledger.drain().await.expect("sealed");
            assert!(ask(&office.ledger, &witness).await, "seed {seed}, turn {turn}");
            let seen = witness.seen(&key.name).await.expect("read").expect("seen");
            kept.push(seen.checkpoint);
        }
        for checkpoint in &kept {
            assert_eq!(office.verify(Some(checkpoint)).await.findings, [], "seed {seed}");
            assert_eq!(office.ledger.contradiction(checkpoint).expect("compared"), None);
        }
        // what nobody signed, or another log, holds nothing up
        let forged = kept[0].replacen("\n", "x\n", 1);
        assert_eq!(office.ledger.contradiction(&forged).expect("compared"), None);
    }
}

#[tokio::test]
async fn two_requests_at_once_never_take_a_witness_back() {
    let other = Other(TestDb::new().await);
    let office = Office::new(1).await;
    let witness = other.watching(&office.ledger.key());
    office.ledger.drain().await.expect("sealed");
    let small = office.ledger.ask(Reached::NOTHING).expect("asked").expect("signed");
    office.change(12, 20).await;
    office.ledger.drain().await.expect("sealed");
    let large = office.ledger.ask(Reached::NOTHING).expect("asked").expect("signed");
    let (one, two) =
        tokio::join!(witness.add_checkpoint(&small.text), witness.add_checkpoint(&large.text));
    let cosigned = [one.expect("answered"), two.expect("answered")]
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::Cosigned(_)))
        .count();
    assert_eq!(cosigned, 1, "both say they know nothing: one of them must be wrong");
    let seen = witness.seen(&office.ledger.key().name).await.expect("read").expect("seen");
    assert!([small.size, large.size].contains(&u64::try_from(seen.size).expect("a size")));
}

#[tokio::test]
async fn a_shut_door_lets_nothing_through_but_the_decision() {
    let office = Office::new(0).await;
    office.ledger.drain().await.expect("sealed");
    let rewritten = Office::new(3).await;
    let seen = mj_ledger::Checkpoint { origin: "x".into(), size: 999, root: [1; 32], time: 1 };
    assert!(office.ledger.suspect("witness", &seen, "shown").await.expect("held"));
    let before = office.rows("SELECT entries FROM change_head").await[0].int("entries");
    let act = || Act::new(&Actor::system("test"), "test.note.update", "note:n0005");
    let mut tx = office.kit.db().begin(Lane::People, act()).await.expect("begin");
    let refused = tx.update(&NOTE, &id(5), None, &[("number", 1.into())]).await;
    assert!(matches!(refused, Err(mj_platform::Error::Held)), "{refused:?}");
    drop(tx);
    let mut tx = office.kit.db().begin(Lane::People, act()).await.expect("begin");
    assert!(matches!(tx.note().await, Err(mj_platform::Error::Held)));
    drop(tx);
    // what makes no entry goes on
    let mut tx = office.kit.db().begin(Lane::People, act()).await.expect("begin");
    tx.execute("DELETE FROM log_cosignature", &[]).await.expect("done");
    tx.commit().await.expect("done");
    // another process finds the door shut as well
    let again = open(&office.kit, &office.path("log")).await;
    assert!(again.db().is_held() && again.heed().expect("read"));
    let after = office.rows("SELECT entries FROM change_head").await[0].int("entries");
    assert_eq!(before.expect("a number"), after.expect("a number"));
    assert!(rewritten.kit.db().clone().is_held() == rewritten.ledger.heed().expect("read"));

    let folder = office.path("log");
    let found = ledger::outside::fork(
        office.kit.db(),
        &mj_kernel::Actor::system("command"),
        &folder,
        "批准",
    )
    .await
    .expect("recorded");
    assert_eq!(found.expect("suspected").seen_size, 999);
    assert!(!office.ledger.heed().expect("read"));
    office.change(5, 7).await;
    office.ledger.drain().await.expect("sealed");
    assert_eq!(office.verify(None).await.findings, []);
    // the same fork is known now; another is not
    assert!(!office.ledger.suspect("witness", &seen, "shown").await.expect("known"));
    let other = mj_ledger::Checkpoint { root: [2; 32], ..seen };
    assert!(office.ledger.suspect("witness", &other, "shown").await.expect("held"));
}

#[tokio::test]
async fn entries_signed_before_there_was_a_look_up_are_found_by_it_too() {
    let office = Office::new(2).await;
    office.ledger.drain().await.expect("sealed");
    let touched = async |key: &str| {
        let sql = format!("SELECT seq FROM log_touch WHERE object = 'note:{key}' ORDER BY seq");
        let rows = office.rows(&sql).await;
        rows.iter().map(|row| row.int("seq").expect("a number")).collect::<Vec<_>>()
    };
    let before = touched("n0012").await;
    assert_eq!(before.len(), 1, "one act of a person; the load is left out: {before:?}");
    office.sql("DELETE FROM log_touch").await;
    office.sql("UPDATE log_touched SET size = 0").await;
    let again = open(&office.kit, &office.path("log")).await;
    let made = async {
        loop {
            let size = office.rows("SELECT size FROM log_touched").await[0].int("size");
            if size.ok().and_then(|size| u64::try_from(size).ok()) == Some(again.sealed()) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    again.watch(made).await;
    assert_eq!(touched("n0012").await, before);
    assert_eq!(touched("n0003").await.len(), 2, "changed, then deleted");
}

#[tokio::test]
async fn a_witness_goes_along_with_honest_turns_and_not_with_others() {
    let other = Other(TestDb::new().await);
    for skipped in [1, 2] {
        let office = Office::new(skipped).await;
        office.ledger.drain().await.expect("sealed");
        // known once, under the name of the first volume
        let witness = other.watching(&office.ledger.key());
        assert!(ask(&office.ledger, &witness).await);
        copy_folder(&office.path("log"), &office.path("before"));
        office.change(12, 15).await;
        for _ in 0..skipped {
            office.kit.clock.advance_seconds(366 * 86_400);
            assert!(office.ledger.clone().turning_yearly(true).turn().await.expect("turned"));
            office.change(15, 19).await;
            office.ledger.drain().await.expect("sealed");
        }
        for _ in 0..2 {
            assert!(ask(&office.ledger, &witness).await, "over {skipped}");
            office.change(15, 19).await;
            office.ledger.drain().await.expect("sealed");
        }
        let cosigned = ledger::outside::cosigned(office.kit.db(), &witness.key().name).await;
        let size = cosigned.expect("read").expect("cosigned").size;
        assert!(u64::try_from(size).expect("a size") > office.ledger.sealed() - 5);
        let key = office.ledger.key();
        let seen = witness.seen(&key.name).await.expect("read").expect("seen");
        assert_eq!(seen.origin, key.name, "the newest volume");
        assert_eq!(office.verify(Some(&seen.checkpoint)).await.findings, []);
        assert_eq!(office.ledger.contradiction(&seen.checkpoint).expect("compared"), None);

        // put back to before the turn: the witness refuses, and shows the node why
        let log = office.path("log");
        std::fs::remove_dir_all(&log).expect("gone");
        copy_folder(&office.path("before"), &log);
        assert!(!ask(&office.ledger, &witness).await);
        let shown = office.ledger.contradiction(&seen.checkpoint).expect("compared");
        let shown = shown.expect("not in this store");
        assert!(office.ledger.suspect("witness", &shown, &seen.checkpoint).await.expect("held"));
        assert!(office.kit.db().is_held());
        let now = witness.seen(&key.name).await.expect("read").expect("seen");
        assert_eq!(now, seen, "the witness keeps to what it saw");
    }
}

/// A volume frozen further back than the witness saw is taken only when its own people decide.
#[tokio::test]
async fn a_witness_that_saw_what_was_lost_waits_for_a_decision() {
    let other = Other(TestDb::new().await);
    let office = Office::new(3).await;
    office.ledger.drain().await.expect("sealed");
    let witness = other.watching(&office.ledger.key());
    assert!(ask(&office.ledger, &witness).await);
    let log = office.ledger.key().name;
    let seen = witness.seen(&log).await.expect("read").expect("seen");
    office.flip("tile/entries/000");
    let (who, wanted) = (Actor::system("command"), Wanted::default());
    let folder = office.path("log");
    let frozen = ledger::freeze(office.kit.db(), &folder, &who, "损坏", &wanted).await;
    assert!(frozen.expect("asked").expect("damaged").damage.entries > 0);
    let again = open(&office.kit, &folder).await;
    again.drain().await.expect("sealed");
    assert!(!ask(&again, &witness).await);
    let shown = again.contradiction(&seen.checkpoint).expect("compared");
    assert_eq!(shown, None, "given up by decision, and no rollback");
    let reset = mj_platform::ledger::witness::reset(other.0.db(), &who, &log, "对方已封存").await;
    assert!(reset.expect("reset").is_some());
    assert!(ask(&again, &witness).await);
}
