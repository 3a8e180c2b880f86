//! A doubtful pair becomes a to-do, is claimed and decided once.

use mj_kernel::Event;
use mj_platform::jobs::Runner;
use mj_testkit::TestDb;

use crate::{Flow, NewWorkItem};

fn pair() -> Event {
    Event::DoubtfulPairFound {
        keep_id: "b".into(),
        merge_id: "a".into(),
        score: 800,
        explain: "[]".into(),
        area: Some("370481".into()),
    }
}

#[tokio::test]
async fn the_same_doubt_told_twice_makes_one_to_do_with_a_deadline() {
    let kit = TestDb::new().await;
    let flow = Flow::new(kit.db().clone()).expect("terms are well-formed");
    let runner = Runner::new(kit.db().clone(), vec![], vec![flow.handler()]);
    let mut tx = kit.begin().await;
    tx.publish(&pair()).await.expect("told");
    tx.publish(&pair()).await.expect("told again");
    tx.commit().await.expect("done");
    runner.run_until_idle().await.expect("delivered");
    let rows = kit
        .db()
        .fetch_all("SELECT deadline, state FROM work_item ORDER BY id", &[])
        .await
        .expect("read");
    assert_eq!(rows.len(), 1);
    use mj_platform::RowExt;
    // Friday 20 November 2026 and five working days
    assert_eq!(rows[0].text("deadline").expect("a day"), "2026-11-27");
    assert_eq!(rows[0].text("state").expect("a state"), "received");
}

#[tokio::test]
async fn an_item_that_is_opened_has_its_first_step() {
    let kit = TestDb::new().await;
    let flow = Flow::new(kit.db().clone()).expect("terms are well-formed");
    let mut tx = kit.begin().await;
    let id = flow
        .open(
            &mut tx,
            NewWorkItem {
                kind: "party_pair",
                title: "例".into(),
                object_table: "party",
                object_id: "p".into(),
                cause: "c".into(),
                area: None,
                payload: serde_json::json!({}),
            },
        )
        .await
        .expect("opened")
        .expect("new");
    tx.commit().await.expect("done");
    let steps = crate::store::steps(kit.db(), &id).await.expect("read");
    assert_eq!(steps.len(), 1);
    assert_eq!((steps[0].verb.as_str(), steps[0].to_state.as_str()), ("receive", "received"));
}
