//! Passwords by profile, a storm of logins, and answers that tell nobody who exists.

use axum::http::StatusCode;
use mj_kernel::Role;
use serde_json::{Value, json};

use super::{Answer, House, PASSWORD};
use crate::PasswordProfile;

const DAY: i64 = 24 * 3600;

async fn change(house: &House, token: &str, current: &str, new: &str) -> Answer {
    let body = json!({"current": current, "new": new});
    house.ask("POST", "/sessions/current/password").bearer(token).body(body).go().await
}

/// What an answer says, without what differs by request.
fn said(answer: &Answer) -> (StatusCode, Value) {
    let mut body = answer.body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("trace_id");
    }
    (answer.status, body)
}

#[tokio::test]
async fn under_the_graded_protection_profile_a_password_ages_and_does_not_come_again() {
    let house = House::with_profile(PasswordProfile::Mlps).await;
    let first = "Shiliu-Hongle-7";
    let act = mj_platform::Act::new(&mj_kernel::Actor::system("test"), "test.person", "");
    let account = crate::NewAccount {
        id: None,
        login: "lisi".into(),
        name: "李四".into(),
        class: crate::AccountClass::Business,
        agency: None,
    };
    let scope = mj_kernel::Scope::everything(mj_kernel::DataLevel::Internal);
    let opened = house.access.open_account(act, &account, first, &[(Role::Clerk, scope)]).await;
    opened.expect("opened");
    let rules = house.ask("GET", "/password-rules").go().await;
    assert_eq!(rules.body["items"].as_array().map(Vec::len), Some(6), "{}", rules.body);
    let token = house.login("lisi", first).await.body["token"].as_str().expect("in").to_owned();
    let weak = change(&house, &token, first, "zaohua").await;
    let told = weak.body["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(told.contains("还差 2 个") && told.contains("大写字母"), "{}", weak.body);
    let same = change(&house, &token, first, first).await;
    assert!(same.body.to_string().contains("最近 5 个"), "{}", same.body);

    let mut current = first.to_owned();
    for number in 1..=5 {
        house.kit.clock.advance_seconds(1);
        let token =
            house.login("lisi", &current).await.body["token"].as_str().expect("in").to_owned();
        let next = format!("Zaohua-Kaile-{number}");
        let changed = change(&house, &token, &current, &next).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
        current = next;
    }
    let token = house.login("lisi", &current).await.body["token"].as_str().expect("in").to_owned();
    let recent = change(&house, &token, &current, "Zaohua-Kaile-1").await;
    assert!(recent.body.to_string().contains("最近 5 个"), "{}", recent.body);

    // ninety days later nothing opens but one's own password
    house.kit.clock.advance_seconds(90 * DAY);
    let token = house.login("lisi", &current).await.body["token"].as_str().expect("in").to_owned();
    let held = house.ask("GET", "/datahub/batches/370402").bearer(&token).go().await;
    assert_eq!(
        (held.status, &held.body["code"]),
        (StatusCode::FORBIDDEN, &json!("access.password_expired"))
    );
    let session = house.ask("GET", "/sessions/current").bearer(&token).go().await;
    assert_eq!(session.body["password_expired"], true, "{}", session.body);
    let changed = change(&house, &token, &current, first).await;
    assert_eq!(changed.status, StatusCode::OK, "the sixth before may come again: {}", changed.body);
    let token = changed.body["token"].as_str().expect("in").to_owned();
    let open = house.ask("GET", "/datahub/batches/370402").bearer(&token).go().await;
    assert_eq!(open.status, StatusCode::OK);
}

#[tokio::test]
async fn a_login_that_cannot_be_tells_nothing_by_words_or_by_work() {
    let house = House::new().await;
    house.enrol_administrators().await;
    for login in ["wrong", "locked", "disabled"] {
        house.person(login, Role::Clerk).await;
    }
    let system = house.token("xitong").await;
    let id =
        crate::account_by_login(house.kit.db(), "disabled").await.expect("read").expect("one").id;
    let body = json!({"version": 1, "reason": "调离"});
    house
        .ask("POST", &format!("/access/accounts/{id}/disable"))
        .bearer(&system)
        .body(body)
        .go()
        .await;
    let body = json!({"login": "fresh", "name": "赵六"});
    house.ask("POST", "/access/accounts").bearer(&system).key("f").body(body).go().await;
    for _ in 0..5 {
        house.login("locked", "wrong").await;
    }
    let mut answers = Vec::new();
    // each state, with the password that would be right where there is one
    for (login, password) in [
        ("nobody", "x"),
        ("wrong", "x"),
        ("locked", PASSWORD),
        ("disabled", PASSWORD),
        ("fresh", "x"),
        ("source:370400", "x"),
    ] {
        let before = house.access.passwords().made();
        let answer = house.login(login, password).await;
        let work = house.access.passwords().made() - before;
        answers.push((login, said(&answer), work));
    }
    for (login, answer, work) in &answers {
        assert_eq!((answer, work), (&answers[0].1, &1), "{login} is told apart");
        assert_eq!(answer.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_storm_of_logins_is_turned_away_and_officers_go_on_working() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let token = house.token("lisi").await;
    let ask = async || {
        let begun = std::time::Instant::now();
        let answer = house.ask("GET", "/sessions/current").bearer(&token).go().await;
        assert_eq!(answer.status, StatusCode::OK);
        begun.elapsed()
    };
    let slowest = |mut times: Vec<std::time::Duration>| {
        times.sort_unstable();
        times[times.len() * 99 / 100]
    };
    let mut calm = Vec::new();
    for _ in 0..100 {
        calm.push(ask().await);
    }
    let storm = async {
        let guess = |number: usize| {
            let body = json!({"login": format!("nobody{number}"), "password": "x"});
            house.ask("POST", "/sessions").from([10, 0, 0, 1]).body(body).go()
        };
        futures_util::future::join_all((0..400).map(guess)).await
    };
    let work = async {
        let mut times = Vec::new();
        for _ in 0..100 {
            times.push(ask().await);
            tokio::task::yield_now().await;
        }
        // an officer elsewhere logs in meanwhile
        let body = json!({"login": "lisi", "password": PASSWORD});
        let officer = house.ask("POST", "/sessions").from([10, 0, 0, 2]).body(body).go().await;
        assert_eq!(officer.status, StatusCode::CREATED, "{}", officer.body);
        times
    };
    let before = house.access.passwords().made();
    let (stormed, times) = tokio::join!(storm, work);
    let turned = stormed.iter().filter(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
    let turned = turned.count();
    let refused = stormed.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(turned + refused, 400, "nothing else is answered");
    assert!(turned > 200, "{turned} of 400 were turned away");
    let hashed = house.access.passwords().made() - before;
    println!(
        "login storm: 400 at once, {turned} turned away (429), {hashed} hashes, \
         99 of 100 requests within {:?} (calm {:?})",
        slowest(times),
        slowest(calm)
    );
    assert!(hashed < 200, "{hashed}");
}
