//! The checkpoints that a node keeps of past weeks for anybody to take away: each proves its store, and
//! convicts one whose log was rewritten after it.

use mj_kernel::Clock;
use mj_platform::ledger::{Shelf, week_of};

use super::*;

const WEEK: i64 = 7 * 86_400;

impl Office {
    /// A week goes by, then somebody acts. The checkpoint that was the last of the week before.
    async fn next_week(&self, seconds: i64) -> (String, String) {
        self.ledger.drain().await.expect("sealed");
        let name = week_of(self.kit.clock.now());
        let last = self.ledger.checkpoint().expect("read").expect("signed");
        self.kit.clock.advance_seconds(seconds);
        self.change(12, 15).await;
        self.ledger.drain().await.expect("sealed");
        (name, last)
    }

    fn week(&self, name: &str) -> Option<String> {
        let shelf = Shelf::new(self.path("log"));
        shelf.week(name, self.kit.clock.now()).expect("read").map(|week| week.text)
    }

    fn weeks(&self) -> Vec<String> {
        Shelf::new(self.path("log")).weeks(self.kit.clock.now()).expect("read")
    }
}

#[tokio::test]
async fn the_last_checkpoint_of_a_week_is_kept_as_it_was_signed() {
    let office = Office::new(3).await;
    office.ledger.drain().await.expect("sealed");
    let first = week_of(office.kit.clock.now());
    let last = office.ledger.checkpoint().expect("read").expect("signed");
    assert_eq!((office.week(&first), office.weeks().len()), (None, 0), "it is not over");
    office.kit.clock.advance_seconds(WEEK);
    assert_eq!(office.weeks(), std::slice::from_ref(&first), "over, and nothing signed since");
    assert_eq!(office.week(&first).as_ref(), Some(&last));
    // three weeks in which nobody acted have no checkpoint of their own
    let mut kept = vec![(first, last)];
    office.change(12, 15).await;
    for seconds in [4 * WEEK, WEEK, WEEK] {
        kept.push(office.next_week(seconds).await);
    }
    // over a new volume and another start
    office.kit.clock.advance_seconds(8 * WEEK);
    assert!(office.ledger.clone().turning_yearly(true).turn().await.expect("turned"));
    let again = open(&office.kit, &office.path("log")).await;
    kept.push(office.next_week(WEEK).await);
    again.drain().await.expect("sealed");
    let mut names: Vec<String> = kept.iter().map(|(name, _)| name.clone()).collect();
    names.insert(names.len() - 1, office.weeks()[1].clone());
    names.reverse();
    assert_eq!(office.weeks(), names);
    for (name, text) in &kept {
        assert_eq!(office.week(name).as_ref(), Some(text), "{name}");
        assert_eq!(office.verify(Some(text)).await.findings, [], "{name}");
    }
    for name in ["../key", "..%2Fkey", "", "2026-W4", "2026-W01"] {
        assert_eq!(office.week(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_log_rewritten_after_a_week_is_named_by_its_checkpoint() {
    for (seed, attack) in [(0, LogRewritten), (1, KeyExchanged)] {
        let mut office = Office::new(seed).await;
        let (name, signed) = office.next_week(WEEK).await;
        let kept = office.week(&name).expect("kept");
        assert_eq!(kept, signed);
        assert_eq!(office.verify(Some(&kept)).await.findings, []);
        attack.run(&mut office).await;
        office.ledger.drain().await.expect("sealed");
        assert!(office.verify(None).await.is_clean(), "consistent in itself: {attack:?}");
        let report = office.verify(Some(&kept)).await;
        assert!(report.findings.iter().any(|one| one.table == "checkpoint"), "{attack:?}");
    }
}

#[tokio::test]
async fn a_log_taken_back_keeps_the_weeks_before_that_alone() {
    let office = Office::new(2).await;
    let (early, _) = office.next_week(WEEK).await;
    let whole = office.ledger.sealed();
    let (late, _) = office.next_week(WEEK).await;
    let (later, _) = office.next_week(WEEK).await;
    assert_eq!(office.weeks(), [later, late.clone(), early.clone()]);
    let vault = Vault::open(&office.path("vault"), &[7; 16], false);
    ledger::rewind(&office.path("log"), whole, &vault).expect("taken back");
    // the week at whose end the log stood there is the last one
    assert_eq!(office.weeks(), [late, early]);
}
