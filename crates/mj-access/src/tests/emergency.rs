//! The sealed code of two holders: both halves open it, once, for two hours, and for nothing but the administrators.

use mj_platform::{Networks, RowExt};

use super::*;

const WHY: &str = "三位管理员的手机同时损坏，按应急预案第4条";
const OFFICE: [u8; 4] = [10, 20, 3, 4];
const CURRENT: &str = "/emergency-sessions/current";

impl House {
    async fn seal(&self) -> [String; 2] {
        let by = crate::account_by_login(self.kit.db(), "anquan").await.expect("asked");
        let kind = ActorKind::Person { account_id: by.expect("there").id };
        let who = Actor { kind, grants: Vec::new() };
        let sealed = self.access.seal_emergency(&who, ["赵六", "钱七"], "年度封存").await;
        let halves = sealed.expect("sealed");
        assert_eq!((halves.first.0.as_str(), halves.second.0.as_str()), ("赵六", "钱七"));
        [halves.first.1, halves.second.1]
    }

    fn opening(&self, first: &str, second: &str) -> Ask<'_> {
        let body = json!({"first": first, "second": second, "reason": WHY});
        self.ask("POST", "/emergency-sessions").body(body).from(OFFICE)
    }

    async fn open_emergency(&self, [first, second]: &[String; 2]) -> String {
        let answer = self.opening(first, second).go().await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["token"].as_str().expect("a token").to_owned()
    }

    async fn journal(&self, action: &str) -> Vec<(String, String)> {
        let sql = "SELECT actor, object FROM act_journal WHERE action = $1 ORDER BY seq";
        let rows = self.kit.db().fetch_all(sql, &[action.into()]).await.expect("asked");
        let of = |row: &mj_platform::DbRow, name| row.text(name).expect("text");
        rows.iter().map(|row| (of(row, "actor"), of(row, "object"))).collect()
    }
}

fn said(mut answer: Answer) -> (StatusCode, Value) {
    if let Some(body) = answer.body.as_object_mut() {
        body.remove("trace_id");
    }
    (answer.status, answer.body)
}

#[tokio::test]
async fn both_halves_bring_an_administrator_back_who_lost_everything() {
    let house = strict_house().await;
    house.enrol_administrators().await;
    let halves = house.seal().await;
    // a lock of the password, as somebody might bring about on purpose
    for _ in 0..5 {
        house.ask("POST", "/sessions").body(json!({"login": "xitong", "password": "x"})).go().await;
    }
    // typed from paper: in the other order, small, without hyphens
    let [first, second] = &halves;
    let typed = [second.to_lowercase().replace('-', " "), first.replace('-', "")];
    let token = house.open_emergency(&typed).await;
    let view = house.ask("GET", CURRENT).bearer(&token).from(OFFICE).go().await;
    assert_eq!(view.status, StatusCode::OK, "{}", view.body);
    assert_eq!(view.body["holders"], json!(["赵六", "钱七"]));
    let listed = view.body["administrators"].as_array().expect("administrators");
    let of = |login: &str| listed.iter().find(|one| one["login"] == login).expect("listed");
    assert_eq!(listed.len(), 3);
    assert_eq!((&of("xitong")["locked"], &of("anquan")["locked"]), (&json!(true), &json!(false)));
    assert_eq!(of("shenji")["role"], "audit_admin");

    let path = |login: &str, what: &str| {
        format!("{CURRENT}/administrators/{}/{what}", of(login)["id"].as_str().expect("an id"))
    };
    let ask = |path: &str| house.ask("POST", path).bearer(&token).body(json!({})).from(OFFICE);
    assert_eq!(ask(&path("xitong", "unlock")).go().await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.login("xitong", PASSWORD).await.status, StatusCode::CREATED, "unlocked");

    let recovered = ask(&path("anquan", "recover")).go().await;
    assert_eq!(recovered.status, StatusCode::OK, "{}", recovered.body);
    let another = "另一个-足够长-的密码-2027";
    let body = json!({"code": recovered.body["code"], "login": "anquan", "password": another});
    let enrolled = house.ask("POST", "/enrolments").key("again").body(body).go().await;
    assert_eq!(enrolled.status, StatusCode::CREATED, "{}", enrolled.body);
    assert_eq!(house.login("anquan", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let back = house.login("anquan", another).await;
    assert_eq!((back.status, &back.body["state"]), (StatusCode::CREATED, &json!("enrol")));

    // who did it stands in the journal: neither a person nor the house
    let opened = house.journal("access.emergency.open").await;
    assert_eq!(opened.len(), 1);
    assert!(opened[0].0.starts_with("emergency:"), "{opened:?}");
    let names = crate::actor_name(house.kit.db(), &opened[0].0).await.expect("asked");
    assert_eq!(names, "应急启用（赵六、钱七）");
    assert_eq!(house.journal("access.emergency.recover").await[0].0, opened[0].0);
    assert_eq!(house.journal("access.emergency.unlock").await.len(), 1);
    let alarm = crate::emergency_alarm(house.kit.db()).await.expect("asked").expect("told");
    assert_eq!((alarm.why.as_str(), alarm.until - alarm.opened_at), (WHY, 7_200_000_000));
}

#[tokio::test]
async fn of_two_hundred_at_once_one_opens_and_no_later_one_does() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let [first, second] = house.seal().await;
    let mut asked = Vec::new();
    for place in 0..200_u8 {
        // each from a place of its own, so that the lockout of the source decides nothing
        let ask = house.opening(&first, &second).from([10, 21, place, 1]);
        asked.push(ask.go());
    }
    let answers = futures_util::future::join_all(asked).await;
    let opened = answers.iter().filter(|one| one.status == StatusCode::CREATED).count();
    let refused = answers.iter().filter(|one| one.body["code"] == "access.emergency_refused");
    assert_eq!((opened, refused.count()), (1, 199));
    let later = house.opening(&first, &second).from([10, 22, 0, 1]).go().await;
    assert_eq!(later.body["code"], "access.emergency_refused");
    assert_eq!(house.journal("access.emergency.open").await.len(), 1);
}

#[tokio::test]
async fn nobody_learns_whether_a_code_is_sealed() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let [one, other] = ["AAAAAA-AAAAAA-AAAAAA-AAAAAA", "BBBBBB-BBBBBB-BBBBBB-BBBBBB"];
    let never = said(house.opening(one, other).go().await);
    assert_eq!(never.0, StatusCode::UNAUTHORIZED);
    let old = house.seal().await;
    let new = house.seal().await;
    let ask = async |first: &str, second: &str| said(house.opening(first, second).go().await);
    for (first, second) in [
        (one, other),
        (&*new[0], &*new[0]),
        (&*new[0], other),
        (&*old[0], &*old[1]),
        (&*old[0], &*new[1]),
        ("", &*new[1]),
    ] {
        assert_eq!(ask(first, second).await, never, "{first} {second}");
    }
    let token = house.open_emergency(&new).await;
    assert_eq!(ask(&new[0], &new[1]).await, never, "used");
    // without a reason it is not tried at all, right or wrong
    let body = json!({"first": one, "second": other, "reason": " "});
    let bare = house.ask("POST", "/emergency-sessions").body(body).go().await;
    assert_eq!(bare.status, StatusCode::UNPROCESSABLE_ENTITY);
    let view = house.ask("GET", CURRENT).bearer(&token).go().await;
    assert_eq!(view.status, StatusCode::OK);
}

#[tokio::test]
async fn guesses_lock_the_source_that_makes_them_and_no_other() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let [first, second] = house.seal().await;
    for _ in 0..30 {
        let guess = house.opening("AAAAAA", "BBBBBB").from([198, 51, 100, 7]).go().await;
        assert_eq!(guess.body["code"], "access.emergency_refused");
    }
    let right = |from| house.opening(&first, &second).from(from);
    let locked = right([198, 51, 100, 7]).go().await;
    assert_eq!(locked.body["code"], "access.emergency_refused", "the source is locked");
    assert_eq!(right(OFFICE).go().await.status, StatusCode::CREATED);
    // on record for the auditor, one row for the source, and nothing of what was typed
    let audit = house.token("shenji").await;
    let list = house.ask("GET", "/access/login-failures").bearer(&audit).go().await;
    let items = list.body["items"].as_array().expect("what failed");
    assert_eq!(items.len(), 1, "{}", list.body);
    let of = |name: &str| items[0][name].clone();
    assert_eq!((of("kind_name"), of("account_id")), (json!("应急启用码"), Value::Null));
    assert_eq!((of("tries"), of("locks")), (json!(30), json!(0)), "a locked source counts no more");
    assert!(!list.body.to_string().contains("AAAAAA"), "{}", list.body);
}

#[tokio::test]
async fn an_emergency_ends_after_two_hours_at_the_latest() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let look = async |token: &str| house.ask("GET", CURRENT).bearer(token).go().await.status;
    let token = house.open_emergency(&house.seal().await).await;
    house.kit.clock.advance_seconds(7_199);
    assert_eq!(look(&token).await, StatusCode::OK, "and being used renews nothing");
    house.kit.clock.advance_seconds(1);
    assert_eq!(look(&token).await, StatusCode::UNAUTHORIZED);

    // before its time: by the holders, and by a newer seal
    let token = house.open_emergency(&house.seal().await).await;
    let end = |token: &str| house.ask("DELETE", CURRENT).cookie(token);
    assert_eq!(end(&token).go().await.body["code"], "access.csrf");
    let csrf = crate::token::csrf_of(&token);
    let ended = end(&token).header("x-csrf-token", &csrf).go().await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(look(&token).await, StatusCode::UNAUTHORIZED);
    let token = house.open_emergency(&house.seal().await).await;
    house.seal().await;
    assert_eq!(look(&token).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn it_reaches_the_administrators_and_nobody_else() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let clerk = house.person("lisi", Role::Clerk).await;
    let token = house.open_emergency(&house.seal().await).await;
    for what in ["recover", "unlock"] {
        let path = format!("{CURRENT}/administrators/{clerk}/{what}");
        let asked = house.ask("POST", &path).bearer(&token).body(json!({})).go().await;
        assert_eq!(
            (asked.status, &asked.body["code"]),
            (StatusCode::NOT_FOUND, &json!("not_found"))
        );
    }
    for path in
        ["/sessions/current", "/access/accounts", "/access/grants", "/datahub/batches/370402"]
    {
        let asked = house.ask("GET", path).bearer(&token).go().await;
        assert_eq!(asked.body["code"], "access.denied", "{path}");
    }
    let step = json!({"password": PASSWORD});
    let step = house.ask("POST", "/sessions/current/step-up").bearer(&token).body(step).go().await;
    assert_eq!(step.body["code"], "access.denied");
}

#[tokio::test]
async fn it_is_opened_and_used_only_from_where_administrators_may_come() {
    let mut house = House::new().await;
    house.enrol_administrators().await;
    let networks = Networks::parse("t", &["10.20.0.0/16"]).expect("a network");
    house.access = house.access.clone().with_admin_networks(networks);
    let modules = vec![crate::module(house.access.clone())];
    house.router = Web::new(Arc::new(house.access.clone()), modules).router(Router::new());
    let [first, second] = house.seal().await;
    let outside = house.opening(&first, &second).from([198, 51, 100, 7]).go().await;
    let wrong = house.opening("A", "B").go().await;
    assert_eq!(said(outside), said(wrong));
    let token = house.open_emergency(&[first, second]).await;
    let look = |from| house.ask("GET", CURRENT).bearer(&token).from(from);
    assert_eq!(look([198, 51, 100, 7]).go().await.body["code"], "access.session_required");
    assert_eq!(look(OFFICE).go().await.status, StatusCode::OK);
}

#[tokio::test]
async fn administrators_are_told_until_a_week_has_passed_and_another_is_sealed() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let told = async || crate::emergency_alarm(house.kit.db()).await.expect("asked").is_some();
    let halves = house.seal().await;
    assert!(!told().await && crate::is_sealed(house.kit.db()).await.expect("asked"));
    house.open_emergency(&halves).await;
    assert!(told().await && !crate::is_sealed(house.kit.db()).await.expect("asked"));
    house.kit.clock.advance_seconds(8 * 86_400);
    assert!(told().await, "nothing was sealed since");
    house.seal().await;
    assert!(!told().await);
}
