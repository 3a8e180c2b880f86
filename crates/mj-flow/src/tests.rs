//! The stories of a work item, on both databases.

use mj_kernel::{Actor, ActorKind, Event};
use mj_platform::{Act, RowExt, Value};
use mj_testkit::TestDb;
use mj_web::Sort;

use crate::service::Doing;
use crate::state::{State, Verb};
use crate::store::Wanted;
use crate::{Error, Flow, WorkItem, store};

fn pair() -> Event {
    Event::DoubtfulPairFound {
        keep_id: "k".into(),
        merge_id: "m".into(),
        score: 84,
        explain: "名称一致；地址不同".into(),
        area: Some("370481".into()),
        keep_name: Some("滕州市善国餐饮服务有限公司".into()),
        merge_name: Some("滕州善国餐饮店".into()),
    }
}

fn person(name: &str) -> Actor {
    Actor { kind: ActorKind::Person { account_id: name.into() }, grants: Vec::new() }
}

async fn only(db: &TestDb) -> WorkItem {
    let row = db.db().fetch_one("SELECT id FROM work_item", &[]).await.expect("one item");
    store::by_id_unscoped(db.db(), &row.text("id").expect("id")).await.expect("the item")
}

async fn doing(
    flow: &Flow,
    who: &str,
    item: &WorkItem,
    verb: Verb,
    doing: Doing,
) -> Result<(), Error> {
    let act = Act::new(&person(who), "flow.work_item.test", "");
    flow.act(act, &item.id, item.version, verb, doing).await
}

fn because(reason: &str) -> Doing {
    Doing { note: Some(reason.into()), ..Doing::default() }
}

#[tokio::test]
async fn the_same_cause_told_by_many_at_once_is_one_item() {
    let db = TestDb::new().await;
    let flow = Flow::new(db.db().clone());
    let event = pair();
    let told = (0..8).map(|_| flow.on_event(&event));
    for answer in futures_util::future::join_all(told).await {
        answer.expect("whoever comes second finds the item of the first");
    }
    only(&db).await;
    assert_eq!(db.db().count("SELECT COUNT(*) FROM work_item", &[]).await.expect("counted"), 1);
}

#[tokio::test]
async fn an_event_told_twice_makes_one_item() {
    let db = TestDb::new().await;
    let flow = Flow::new(db.db().clone());
    flow.on_event(&pair()).await.expect("received");
    flow.on_event(&pair()).await.expect("received again");
    let item = only(&db).await;
    assert_eq!((item.state, item.payload["score"].as_i64()), (State::Received, Some(84)));
    assert_eq!(item.title, "“滕州市善国餐饮服务有限公司”与“滕州善国餐饮店”可能是同一个监管对象");
    // ten working days after Friday 2026-11-20
    assert_eq!(item.deadline.as_deref(), Some("2026-12-04"));
}

#[tokio::test]
async fn only_who_claimed_it_decides_and_the_decision_is_told() {
    let db = TestDb::new().await;
    let flow = Flow::new(db.db().clone());
    flow.on_event(&pair()).await.expect("received");
    doing(&flow, "wang", &only(&db).await, Verb::Claim, Doing::default()).await.expect("claimed");
    let item = only(&db).await;
    let same = || Doing { verdict: Some("same".into()), ..because("两处地址相同") };
    let by_another = doing(&flow, "li", &item, Verb::Decide, same()).await;
    assert!(matches!(by_another, Err(Error::ClaimedByAnother)));
    let without_reason =
        doing(&flow, "wang", &item, Verb::Decide, Doing { note: None, ..same() }).await;
    assert!(matches!(without_reason, Err(Error::ReasonMissing)));
    let nonsense = Doing { verdict: Some("maybe".into()), ..same() };
    let unknown = doing(&flow, "wang", &item, Verb::Decide, nonsense).await;
    assert!(matches!(unknown, Err(Error::UnknownVerdict(_))));
    doing(&flow, "wang", &item, Verb::Decide, same()).await.expect("decided");
    assert_eq!(only(&db).await.state, State::Closed);
    let again = doing(&flow, "wang", &only(&db).await, Verb::Decide, same()).await;
    assert!(matches!(again, Err(Error::NotNow { .. })));
    let told = db.db().fetch_one("SELECT payload FROM outbox", &[]).await.expect("one event");
    let told = told.text("payload").expect("payload");
    assert!(told.contains("work_item_decided") && told.contains("account:wang"), "{told}");
    let steps = store::steps_unscoped(db.db(), &item.id).await.expect("steps");
    let verbs: Vec<&str> = steps.iter().map(|step| step.verb.name()).collect();
    assert_eq!(verbs, ["receive", "claim", "decide"]);
    assert_eq!(steps[2].note.as_deref(), Some("是同一对象：两处地址相同"));
}

#[tokio::test]
async fn a_stale_copy_is_refused() {
    let db = TestDb::new().await;
    let flow = Flow::new(db.db().clone());
    flow.on_event(&pair()).await.expect("received");
    let seen = only(&db).await;
    doing(&flow, "wang", &seen, Verb::Urge, Doing::default()).await.expect("urged");
    let late = doing(&flow, "li", &seen, Verb::Claim, Doing::default()).await;
    assert!(matches!(late, Err(Error::Platform(mj_platform::Error::Stale { current: 2, .. }))));
    assert_eq!(only(&db).await.urged, 1);
}

#[tokio::test]
async fn what_was_given_back_may_be_claimed_by_another_and_a_moot_question_closes() {
    let db = TestDb::new().await;
    let flow = Flow::new(db.db().clone());
    flow.on_event(&pair()).await.expect("received");
    doing(&flow, "wang", &only(&db).await, Verb::Claim, Doing::default()).await.expect("claimed");
    doing(&flow, "wang", &only(&db).await, Verb::Return, because("非本辖区"))
        .await
        .expect("returned");
    doing(&flow, "li", &only(&db).await, Verb::Claim, Doing::default()).await.expect("claimed");
    let settled = Event::DoubtfulPairSettled { keep_id: "k".into(), merge_id: "m".into() };
    flow.on_event(&settled).await.expect("settled");
    flow.on_event(&settled).await.expect("settled again");
    assert_eq!(only(&db).await.state, State::Closed);
    flow.on_event(&pair()).await.expect("in doubt again");
    assert_eq!(only(&db).await.state, State::Received, "the same item asks again");
}

#[tokio::test]
async fn whoever_answers_first_has_claimed_it_and_may_take_the_answer_back() {
    let db = TestDb::new().await;
    let flow = Flow::new(db.db().clone());
    flow.on_event(&pair()).await.expect("received");
    let same = Doing { verdict: Some("same".into()), ..because("两处地址相同") };
    doing(&flow, "wang", &only(&db).await, Verb::Decide, same).await.expect("decided");
    let steps = store::steps_unscoped(db.db(), &only(&db).await.id).await.expect("steps");
    let verbs: Vec<&str> = steps.iter().map(|step| step.verb.name()).collect();
    assert_eq!(verbs, ["receive", "claim", "decide"]);
    let by_another = doing(&flow, "li", &only(&db).await, Verb::Reopen, because("看错了")).await;
    assert!(matches!(by_another, Err(Error::ClaimedByAnother)));
    doing(&flow, "wang", &only(&db).await, Verb::Reopen, because("看错了")).await.expect("undone");
    let item = only(&db).await;
    assert_eq!((item.state, item.verdict), (State::Claimed, None));
    let told = db.db().fetch_all("SELECT payload FROM outbox ORDER BY id", &[]).await;
    let told = told.expect("events").last().expect("one").text("payload").expect("payload");
    assert!(told.contains("work_item_reopened") && told.contains("\"same\""), "{told}");
}

#[tokio::test]
async fn an_item_handed_to_a_colleague_by_name_waits_for_them() {
    let db = TestDb::new().await;
    let flow = Flow::new(db.db().clone());
    flow.on_event(&pair()).await.expect("received");
    let nobody = doing(&flow, "wang", &only(&db).await, Verb::Transfer, because("请协办")).await;
    assert!(matches!(nobody, Err(Error::NobodyNamed)));
    let to_li = Doing { account: Some("li".into()), ..because("请协办") };
    doing(&flow, "wang", &only(&db).await, Verb::Transfer, to_li).await.expect("handed on");
    let by_another = doing(&flow, "wang", &only(&db).await, Verb::Claim, Doing::default()).await;
    assert!(matches!(by_another, Err(Error::ClaimedByAnother)));
    doing(&flow, "li", &only(&db).await, Verb::Claim, Doing::default()).await.expect("claimed");
}

#[tokio::test]
async fn refused_rows_are_an_item_of_their_agency_until_they_are_mended() {
    let db = TestDb::new().await;
    let flow = Flow::new(db.db().clone());
    let refused = Event::RowsRefused {
        batch_id: "b".into(),
        title: "行政检查批次 2026112000001 ".into(),
        agency: Some("11370402402440009D".into()),
        agency_name: Some("市中区市场监管局".into()),
        area: Some("370402".into()),
        rows: 7,
        deadline: Some("2026-12-04".into()),
    };
    flow.on_event(&refused).await.expect("received");
    let item = only(&db).await;
    assert_eq!(item.title, "行政检查批次 2026112000001 有 7 条错误待改正");
    assert_eq!(
        (item.kind.as_str(), item.deadline.as_deref()),
        ("batch_errors", Some("2026-12-04"))
    );
    let mended = |left| Event::RowsMended { batch_id: "b".into(), left };
    flow.on_event(&mended(1)).await.expect("told");
    assert_eq!(only(&db).await.state, State::Received);
    flow.on_event(&mended(0)).await.expect("told");
    assert_eq!(only(&db).await.state, State::Closed);
}

/// A queue of many items; `MJ_LONG=1` makes it a hundred thousand and looks at the clock.
#[tokio::test]
async fn a_long_queue_is_walked_in_every_order_and_searched_at_once() {
    let long = std::env::var("MJ_LONG").is_ok();
    let many: usize = if long { 100_000 } else { 600 };
    let db = TestDb::new().await;
    let mut tx = db.begin().await;
    let row = |n: usize| -> Vec<Value> {
        let state = ["received", "claimed", "returned", "closed"][n % 4];
        let deadline =
            (!n.is_multiple_of(7)).then(|| format!("2026-{:02}-{:02}", n % 12 + 1, n % 28 + 1));
        let title = format!("行政检查批次 20261120{n:06} 有 {} 条错误待改正", n % 9);
        vec![
            format!("{:06}", (n * 7919) % 1_000_003).into(),
            if n.is_multiple_of(3) { "party_pair" } else { "batch_errors" }.into(),
            title.into(),
            "t".into(),
            "o".into(),
            format!("cause:{n}").into(),
            format!("3704{:02}", n % 7).into(),
            Value::from(None::<String>),
            Value::from(None::<String>),
            state.into(),
            Value::from(None::<String>),
            deadline.into(),
            Value::Int((n % 3) as i64),
            Value::from(None::<String>),
            Value::Int(1_000 + (n * 31 % many) as i64),
            Value::Int(0),
            "{}".into(),
        ]
    };
    for chunk in (0..many).collect::<Vec<_>>().chunks(2_000) {
        let rows = chunk.iter().map(|n| row(*n)).collect();
        tx.insert_many(&store::WORK_ITEM, rows).await.expect("kept");
    }
    tx.commit().await.expect("committed");
    let ask = async |wanted: Wanted<'_>| {
        let mut best = std::time::Duration::MAX;
        let mut found = Vec::new();
        // the best of three: the machine may be busy with something else
        for _ in 0..if long { 3 } else { 1 } {
            let begun = std::time::Instant::now();
            let page = store::list_where_unscoped(db.db(), String::new(), Vec::new(), &wanted);
            found = page.await.expect("an answer");
            best = best.min(begun.elapsed());
        }
        assert!(!long || best.as_millis() < 100, "{wanted:?} took {best:?}");
        found
    };
    for sort in [None, Some("created"), Some("-created"), Some("urged"), Some("-urged")] {
        let sort = sort.and_then(|name| Sort::parse(Some(name), &store::SORTABLE));
        let mut cursor: Option<String> = None;
        let mut seen = Vec::new();
        for _ in 0..8 {
            let wanted = Wanted {
                state: Some("open"),
                sort,
                cursor: cursor.as_deref(),
                limit: 100,
                ..Wanted::default()
            };
            let mut page = ask(wanted).await;
            page.truncate(100);
            cursor = page.last().map(|item| store::cursor_of(item, sort));
            let last = page.len() < 100;
            seen.extend(page.into_iter().map(|item| item.id));
            if last {
                break;
            }
        }
        let expected = if long { 800 } else { many / 4 * 3 };
        assert_eq!(seen.len(), expected, "{sort:?}");
        let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), expected, "{sort:?}: none twice, none lost");
    }
    let words = [("20261120000042", 1), ("没有这样的标题", 0), ("100%_", 0)];
    for (q, found) in words {
        let sort = Sort::parse(Some("-created"), &store::SORTABLE);
        for sort in [None, sort] {
            let wanted = Wanted { q: Some(q), sort, limit: 50, ..Wanted::default() };
            assert_eq!(ask(wanted).await.len(), found, "{q}");
        }
    }
}
