//! From where administrators may come: elsewhere the right password is a wrong one and an open session is over.

use mj_platform::Networks;

use super::*;

const OFFICE: [u8; 4] = [10, 20, 3, 4];
const ELSEWHERE: [u8; 4] = [198, 51, 100, 7];

/// A house whose administrators may come from the office alone.
async fn walled() -> House {
    let mut house = House::new().await;
    let networks = Networks::parse("t", &["10.20.0.0/16", "240e:1:2::/48"]).expect("networks");
    house.access = house.access.clone().with_admin_networks(networks);
    let modules = vec![crate::module(house.access.clone())];
    house.router = Web::new(Arc::new(house.access.clone()), modules).router(Router::new());
    house
}

impl House {
    fn enrolment(&self, code: &str, login: &str, key: &str) -> Ask<'_> {
        let body = json!({"code": code, "login": login, "password": PASSWORD, "name": "王五"});
        self.ask("POST", "/enrolments").key(key).body(body)
    }

    fn entering(&self, login: &str, password: &str) -> Ask<'_> {
        self.ask("POST", "/sessions").body(json!({"login": login, "password": password}))
    }

    async fn sec_admin(&self) -> String {
        let codes = bootstrap(self.kit.db()).await.expect("asked").expect("a first start");
        let answer = self.enrolment(&codes[1].code, "anquan", "e").from(OFFICE).go().await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        codes[0].code.clone()
    }
}

impl Ask<'_> {
    /// Over IPv6.
    fn over(mut self, address: &str) -> Self {
        let peer: std::net::IpAddr = address.parse().expect("an address");
        let peer = std::net::SocketAddr::new(peer, 40_000);
        self.request = self.request.extension(axum::extract::ConnectInfo(peer));
        self
    }

    /// By somebody who says it passes this on, and whose word is not taken.
    fn relayed(mut self) -> Self {
        self.request = self.request.extension(mj_web::Relayed);
        self
    }
}

/// What an answer says, without what differs by request.
fn said(mut answer: Answer) -> (StatusCode, Value, Vec<String>) {
    if let Some(body) = answer.body.as_object_mut() {
        body.remove("trace_id");
    }
    let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (answer.status, answer.body, names)
}

#[tokio::test]
async fn an_administrator_signs_in_from_the_listed_networks_alone() {
    let house = walled().await;
    house.sec_admin().await;
    house.person("lisi", Role::Clerk).await;
    let from = |address: &str| house.entering("anquan", PASSWORD).over(address);
    for address in ["10.20.255.1", "::ffff:10.20.3.4", "240e:1:2:ffff::9"] {
        assert_eq!(from(address).go().await.status, StatusCode::CREATED, "{address}");
    }
    let wrong = said(house.entering("anquan", "不是这个密码").from(OFFICE).go().await);
    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    house.succeed().await;
    for address in ["198.51.100.7", "10.21.0.1", "::ffff:198.51.100.7", "240e:1:3::1"] {
        assert_eq!(said(from(address).go().await), wrong, "{address}");
        // business people are not held to the list
        let clerk = house.entering("lisi", PASSWORD).over(address).go().await;
        assert_eq!(clerk.status, StatusCode::CREATED, "{address}");
    }
    house.succeed().await;
    // from the office, but by somebody who passes it on for nobody knows whom; and from nowhere at all
    assert_eq!(said(from("10.20.3.4").relayed().go().await), wrong);
    assert_eq!(said(house.entering("anquan", PASSWORD).go().await), wrong);
}

impl House {
    /// The office signs in, so that failures before are forgotten.
    async fn succeed(&self) {
        let answer = self.entering("anquan", PASSWORD).from(OFFICE).go().await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_try_from_elsewhere_is_counted_like_a_wrong_password() {
    let house = walled().await;
    house.sec_admin().await;
    for _ in 0..5 {
        let tried = house.entering("anquan", PASSWORD).from(ELSEWHERE).go().await;
        assert_eq!(tried.status, StatusCode::UNAUTHORIZED);
    }
    let office = house.entering("anquan", PASSWORD).from(OFFICE).go().await;
    assert_eq!(office.status, StatusCode::UNAUTHORIZED, "five tries lock the account");
    // a command at the machine is held to no network; the lock holds it all the same
    let nobody = house.access.vouch("anquan", PASSWORD, || Ok(String::new())).await;
    assert!(nobody.is_err());
    house.kit.clock.advance_seconds(86_400);
    let vouched = house.access.vouch("anquan", PASSWORD, || Ok(String::new())).await;
    assert!(vouched.is_ok(), "{:?}", vouched.err());
}

#[tokio::test]
async fn an_open_session_is_over_for_whoever_comes_with_it_from_elsewhere() {
    let house = walled().await;
    house.sec_admin().await;
    let opened = house.entering("anquan", PASSWORD).from(OFFICE).go().await;
    let token = opened.body["token"].as_str().expect("a token").to_owned();
    let asks = || {
        [
            house.ask("GET", "/sessions/current"),
            house.ask("GET", "/sessions"),
            house.ask("POST", "/sessions/current/step-up").body(json!({"password": PASSWORD})),
            house
                .ask("POST", "/sessions/current/password")
                .body(json!({"current": PASSWORD, "new": "另一个-足够长-的密码"})),
            house.ask("DELETE", "/sessions/current"),
        ]
    };
    for (stolen, over) in asks().into_iter().zip(asks()) {
        let stolen = said(stolen.bearer(&token).from(ELSEWHERE).go().await);
        assert_eq!(stolen, said(over.bearer("mjs_over").from(ELSEWHERE).go().await));
        assert_eq!(stolen.1["code"], "access.session_required");
    }
    let relayed = house.ask("GET", "/sessions").cookie(&token).from(OFFICE).relayed();
    assert_eq!(relayed.go().await.status, StatusCode::UNAUTHORIZED);
    let office = house.ask("GET", "/sessions").bearer(&token).from(OFFICE).go().await;
    assert_eq!(office.status, StatusCode::OK, "the session itself goes on");
    let step = json!({"password": PASSWORD});
    let step = house.ask("POST", "/sessions/current/step-up").bearer(&token).body(step);
    assert_eq!(step.from(OFFICE).go().await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_login_that_waits_for_its_second_factor_waits_at_its_place() {
    let mut house = strict_house().await;
    let networks = Networks::parse("t", &["10.20.0.0/16"]).expect("a network");
    house.access = house.access.clone().with_admin_networks(networks);
    let modules = vec![crate::module(house.access.clone())];
    house.router = Web::new(Arc::new(house.access.clone()), modules).router(Router::new());
    house.sec_admin().await;
    let opened = house.entering("anquan", PASSWORD).from(OFFICE).go().await;
    assert_eq!(opened.body["state"], "enrol", "{}", opened.body);
    let token = opened.body["token"].as_str().expect("a token").to_owned();
    let offer = |address| {
        let path = "/sessions/current/second-factor/offer";
        house.ask("POST", path).bearer(&token).body(json!({})).from(address)
    };
    assert_eq!(offer(ELSEWHERE).go().await.body["code"], "access.session_required");
    assert_eq!(offer(OFFICE).go().await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_administrators_code_opens_nothing_from_elsewhere_and_is_not_used_up() {
    let house = walled().await;
    let code = house.sec_admin().await;
    let wrong = said(house.enrolment("AAAAAA", "xitong", "w").from(ELSEWHERE).go().await);
    assert_eq!(wrong.1["code"], "access.invalid_code");
    let elsewhere = house.enrolment(&code, "xitong", "x").from(ELSEWHERE).go().await;
    assert_eq!(said(elsewhere), wrong);
    let office = house.enrolment(&code, "xitong", "y").from(OFFICE).go().await;
    assert_eq!(office.status, StatusCode::CREATED, "{}", office.body);

    // the activation of an account that is there: an administrator's is held to the list, others' are not
    let clerk = house.person("lisi", Role::Clerk).await;
    let by_login = crate::account_by_login(house.kit.db(), "anquan").await.expect("asked");
    let admin = by_login.expect("there").id;
    for (account, login, status) in
        [(admin, "anquan", StatusCode::UNPROCESSABLE_ENTITY), (clerk, "lisi", StatusCode::CREATED)]
    {
        let mut tx = house.kit.begin().await;
        let code = crate::enrolment::activation_code(&mut tx, &account).await.expect("a code");
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
        let answer = house.enrolment(&code, login, login).from(ELSEWHERE).go().await;
        assert_eq!(answer.status, status, "{login}: {}", answer.body);
    }
}
