//! A house in which an administrator is still missing: nothing works in it but taking up accounts.

use super::*;

async fn enrol(house: &House, code: &str, login: &str) {
    let body = json!({"code": code, "login": login, "password": PASSWORD, "name": "王五"});
    let answer = house.ask("POST", "/enrolments").key(login).body(body).go().await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
}

#[tokio::test]
async fn until_all_three_administrators_are_there_nothing_works_but_enrolling() {
    let house = House::new().await;
    // a clerk, of a time when nobody asked
    house.person("lisi", Role::Clerk).await;
    let codes = bootstrap(house.kit.db()).await.expect("asked").expect("a first start");
    let nobody = house.ask("GET", "/access/accounts").go().await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "who is nobody signs in first");
    for (at, login) in ["xitong", "anquan"].into_iter().enumerate() {
        enrol(&house, &codes[at].code, login).await;
        let (admin, clerk) = (house.token(login).await, house.token("lisi").await);
        let list = house.ask("GET", "/access/accounts").bearer(&admin);
        let batch = house.ask("GET", "/datahub/batches/370402").bearer(&clerk);
        for held in [list.go().await, batch.go().await] {
            let told = (held.status, &held.body["code"]);
            assert_eq!(told, (StatusCode::FORBIDDEN, &json!("access.not_set_up")), "{}", held.body);
            let who = held.body["detail"].as_str().expect("a text");
            assert!(who.contains("审计管理员") && !who.contains("系统管理员"), "{who}");
        }
        // nobody is opened, granted or reset by those who are there
        let body = json!({"login": "sunqi", "name": "孙七"});
        let open = house.ask("POST", "/access/accounts").bearer(&admin).key(login).body(body);
        assert_eq!(open.go().await.body["code"], "access.not_set_up");
        let own = house.ask("GET", "/sessions/current").bearer(&admin).go().await;
        assert_eq!(own.status, StatusCode::OK, "they see who is missing");
        let missing = own.body["missing_administrators"].as_array().expect("a list");
        assert_eq!(missing.len(), 2 - at, "{}", own.body);
        let rules = house.ask("GET", "/password-rules").bearer(&admin).go().await;
        assert_eq!(rules.status, StatusCode::OK, "the page of enrolment needs them");
    }
    let admin = house.token("xitong").await;
    enrol(&house, &codes[2].code, "shenji").await;
    let list = house.ask("GET", "/access/accounts").bearer(&admin).go().await;
    assert_eq!(list.status, StatusCode::OK, "the third opens the house at once: {}", list.body);
    let own = house.ask("GET", "/sessions/current").bearer(&admin).go().await;
    assert_eq!(own.body["missing_administrators"], json!([]));
}

#[tokio::test]
async fn an_administrator_for_a_month_succeeds_nobody_who_stays() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let (security, audit) = (house.token("anquan").await, house.token("shenji").await);
    let act = Act::new(&Actor::system("test"), "test.person", "");
    let path = "/access/grant-requests";
    let give = async |key: &str, until: Option<&str>| {
        let account = NewAccount {
            id: None,
            login: key.into(),
            name: "李四".into(),
            class: AccountClass::Admin,
            agency: None,
        };
        let opened = house.access.open_account(act.clone(), &account, PASSWORD, &[]).await;
        let wish = json!({"account_id": opened.expect("opened"), "role": "sys_admin", "areas": ["370400"],
            "valid_to": until, "reason": "顶岗"});
        let asked = house.ask("POST", path).bearer(&security).key(key).body(wish).go().await;
        assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.body);
        let path = format!("{path}/{}/confirm", asked.body["id"].as_str().expect("an id"));
        let body = json!({"version": asked.body["version"]});
        let given = house.ask("POST", &path).bearer(&audit).body(body).go().await;
        assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    };
    let system = crate::account_by_login(house.kit.db(), "xitong").await.expect("read");
    let system = system.expect("there").id;
    let leave = async || {
        let sql = "SELECT * FROM role_grant WHERE account_id = $1";
        let row = house.kit.db().fetch_one(sql, &[system.as_str().into()]).await.expect("a grant");
        let grant = crate::store::grant_of(&row).expect("read");
        let body = json!({"version": grant.version, "reason": "退休"});
        let path = format!("/access/grants/{}/revoke", grant.id);
        house.ask("POST", &path).bearer(&security).body(body).go().await
    };
    give("month", Some("2026-12-20")).await;
    let early = leave().await;
    assert_eq!(early.body["code"], "access.not_now", "in a month there would be nobody");
    give("stays", None).await;
    let gone = leave().await;
    assert!(gone.status.is_success(), "{}", gone.body);
}
