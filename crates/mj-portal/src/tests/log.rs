//! What the public takes away of the supervision log.

use super::*;

/// The texts of all elements of this name.
fn elements(xml: &str, name: &str) -> Vec<String> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let (mut found, mut within) = (Vec::new(), false);
    loop {
        match reader.read_event().expect("well formed") {
            Event::Start(tag) if tag.local_name().as_ref() == name => {
                within = true;
                found.push(String::new());
            }
            Event::End(_) => within = false,
            Event::Text(text) if within => {
                found.last_mut().expect("an element").push_str(&text);
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}

#[tokio::test]
async fn the_checkpoint_of_every_past_week_is_taken_away_by_anybody_and_verifies_the_store() {
    use mj_platform::ledger::{Ledger, verify};

    let world = World::new().await;
    let folder = world.db.folder.path().join("log");
    let (_, html) = world.page("/log").await;
    assert!(html.contains("还没有签署过检查点") && html.contains("还没有已结束的周"), "{html}");
    let ledger = Ledger::open(world.db.db().clone(), &folder, world.db.vault(), "370400").await;
    let ledger = ledger.expect("a log");
    let mut signed = Vec::new();
    for _ in 0..55 {
        let mut tx = world.db.begin().await;
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
        ledger.drain().await.expect("signed");
        signed.push(ledger.checkpoint().expect("read").expect("signed"));
        world.db.clock.advance_seconds(7 * 86_400);
    }
    // the present week has none yet, and the newest stands on the page all the same
    let (status, html) = world.page("/log").await;
    assert_eq!(status, 200);
    let last = signed.last().expect("one").lines().nth(2).expect("a root");
    assert!(html.contains(&format!("data-test=\"root\">{last}<")), "{html}");
    let links = |html: &str| -> Vec<String> {
        let parts = html.split("href=\"/log/weeks/").skip(1);
        parts.filter_map(|part| part.split('"').next()).map(str::to_owned).collect()
    };
    let mut found = links(&html);
    assert_eq!(found.len(), 53, "a year of weeks on a page");
    let (_, earlier) = world.page("/log?before=2026-W49").await;
    found.extend(links(&earlier));
    assert_eq!(found.len(), 55);
    for (file, text) in found.iter().zip(signed.iter().rev()) {
        let (status, got) = world.page(&format!("/log/weeks/{file}")).await;
        assert_eq!((status, &got), (StatusCode::OK, text), "{file}");
    }
    for text in [&signed[0], &signed[30], &signed[54]] {
        let mut snapshot = world.db.db().snapshot().await.expect("a view");
        let wanted = verify::Wanted { outside: Some(text.clone()), ..verify::Wanted::default() };
        let report = verify::run(&mut snapshot, &folder, &wanted).await.expect("verified");
        assert!(report.findings.iter().all(|one| one.table != "checkpoint"), "{report:?}");
    }
    // the feed, and the lines of 监管动态
    let (status, xml) = world.page("/log/feed.xml").await;
    assert_eq!(status, 200);
    let (ids, updated) = (elements(&xml, "id"), elements(&xml, "updated"));
    assert_eq!((ids.len(), updated.len()), (54, 54), "{xml}");
    assert_eq!(updated[0], updated[1], "of the newest entry");
    let unlike: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unlike.len(), 54);
    assert!(elements(&xml, "content")[0].contains(last), "{xml}");
    let (_, news) = world.page("/news").await;
    assert_eq!(news.matches("href=\"/log#").count(), 5, "{news}");
    assert!(news.contains("type=\"application/atom+xml\" href=\"/log/feed.xml\""), "{news}");
    assert!(!world.page("/exposure").await.1.contains("/log#"));
    // this week is not over
    let mut tx = world.db.begin().await;
    tx.note().await.expect("noted");
    tx.commit().await.expect("committed");
    ledger.drain().await.expect("signed");
    let name = mj_platform::ledger::week_of(world.db.db().clock().now());
    assert_eq!(world.page(&format!("/log/weeks/{name}.txt")).await.0, 404);
}
