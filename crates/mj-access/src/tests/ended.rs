//! A browser whose session ended before its time says why: at the next request it is told, and it alone.

use super::*;

impl House {
    /// What a browser is told that comes with this token: the code, and everything said.
    async fn why(&self, token: &str) -> (String, String) {
        let answer = self.ask("GET", "/sessions/current").bearer(token).go().await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
        let said = ["title", "detail"].map(|part| answer.body[part].as_str().unwrap_or_default());
        (answer.body["code"].as_str().unwrap_or_default().to_owned(), said.concat())
    }

    async fn is_told(&self, token: &str, parts: &[&str]) {
        let (code, said) = self.why(token).await;
        assert_eq!(code, "access.session_ended", "{said}");
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[tokio::test]
async fn what_the_owner_did_at_another_device_is_told_where_it_ended_a_session() {
    let house = strict_house().await;
    house.person("lisi", Role::Clerk).await;
    let (desk, phone) = (house.token("lisi").await, house.phone("lisi").await);
    super::second_factor::bind(&house, &desk).await;
    house.is_told(&phone, &["您的账号绑定了动态口令（2026-11-20", "输入手机上的动态口令"]).await;

    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let (desk, phone) = (house.token("lisi").await, house.phone("lisi").await);
    let new = json!({"current": PASSWORD, "new": "山亭-的-核桃-熟了"});
    let change = house.ask("POST", "/sessions/current/password").bearer(&desk).body(new).go().await;
    assert_eq!(change.status, StatusCode::OK, "{}", change.body);
    house.is_told(&phone, &["您的密码已修改（", "请用新密码登录", "联系安全管理员"]).await;

    let token = change.body["token"].as_str().expect("a token");
    let answer = house
        .ask("POST", "/sessions")
        .body(json!({"login": "lisi", "password": "山亭-的-核桃-熟了", "kind": "mobile"}))
        .go()
        .await;
    let phone = answer.body["token"].as_str().expect("a token").to_owned();
    let list = house.ask("GET", "/sessions").bearer(token).go().await;
    let items = list.body["items"].as_array().expect("items");
    let other = items.iter().find(|one| one["current"] == false).expect("the phone");
    let path = format!("/sessions/{}", other["id"].as_str().expect("an id"));
    assert_eq!(house.ask("DELETE", &path).bearer(token).go().await.status, 204);
    house.is_told(&phone, &["您的账号在另一台设备上结束了这里的登录"]).await;
    let list = house.ask("GET", "/sessions").bearer(token).go().await;
    assert_eq!(list.body["ended"], json!([]), "no sign-in elsewhere ended any");

    // whoever signs out knows it
    assert_eq!(house.ask("DELETE", "/sessions/current").bearer(token).go().await.status, 204);
    assert_eq!(house.why(token).await.0, "access.session_required");
}

#[tokio::test]
async fn what_an_administrator_did_is_told_where_it_ended_a_session() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let (system, security) = (house.token("xitong").await, house.token("anquan").await);
    let account = house.person("lisi", Role::Clerk).await;
    let ask = async |token: &str, path: &str, body: Value| {
        let ask = house.ask("POST", path).bearer(token).key(path).body(body);
        let answer = ask.go().await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
    };
    let desk = house.token("lisi").await;
    let wish = json!({"account_id": account, "role": "reviewer", "areas": ["370400"],
        "reason": "承担审核"});
    ask(&security, "/access/grants", wish).await;
    house.is_told(&desk, &["您的角色或权限范围有变动（", "按新的授权办理"]).await;

    let desk = house.token("lisi").await;
    let end = format!("/access/accounts/{account}/sessions/end");
    ask(&security, &end, json!({"reason": "人已离岗"})).await;
    house.is_told(&desk, &["安全管理员结束了您的登录（"]).await;

    let desk = house.token("lisi").await;
    let disable = format!("/access/accounts/{account}/disable");
    ask(&system, &disable, json!({"version": 1, "reason": "调离"})).await;
    house.is_told(&desk, &["您的账号已停用（", "联系系统管理员"]).await;
    // nobody else is: a sign-in says no more than for a login that nobody has
    let gone = house.login("lisi", PASSWORD).await;
    let nobody = house.login("nobody", PASSWORD).await;
    assert_eq!((gone.status, &gone.body["title"]), (nobody.status, &nobody.body["title"]));

    house.kit.clock.advance_seconds(8 * 24 * 3600);
    assert_eq!(house.why(&desk).await.0, "access.session_required", "after a week it is forgotten");
}

#[tokio::test]
async fn a_session_that_waits_for_its_second_factor_learns_nothing_when_it_ends() {
    let house = strict_house().await;
    let account = house.person("lisi", Role::Clerk).await;
    super::second_factor::bind(&house, &house.token("lisi").await).await;
    let waiting = house.login("lisi", PASSWORD).await;
    let token = waiting.body["token"].as_str().expect("a token");
    let mut tx = house.kit.begin().await;
    crate::disable_account(&mut tx, &account, 1).await.expect("disabled");
    tx.commit().await.expect("done");
    assert_eq!(house.why(token).await.0, "access.session_required");
}

#[tokio::test]
async fn an_authenticator_reset_by_an_administrator_is_told_with_what_to_do() {
    let house = strict_house().await;
    let clerk = house.person("lisi", Role::Clerk).await;
    let token = house.token("lisi").await;
    super::second_factor::bind(&house, &token).await;
    house.enrol_administrators().await;
    let security = house.login("anquan", PASSWORD).await;
    let security = security.body["token"].as_str().expect("a token");
    let (_, _, done) = super::second_factor::bind(&house, security).await;
    let security = done.body["token"].as_str().expect("a token");
    let path = format!("/access/accounts/{clerk}/second-factor/reset");
    let why = json!({"reason": "手机丢失，本人到场核验"});
    assert_eq!(house.ask("POST", &path).bearer(security).body(why).go().await.status, 204);
    house.is_told(&token, &["安全管理员重置了您的动态口令（", "重新绑定手机"]).await;
}

#[tokio::test]
async fn every_cause_has_words_of_its_own() {
    let house = House::new().await;
    let account = house.person("lisi", Role::Clerk).await;
    let mut said = std::collections::BTreeSet::new();
    for cause in crate::ended::Cause::ALL {
        let token = house.token("lisi").await;
        let mut tx = house.kit.begin().await;
        let which = crate::ended::Which::AllOf(&account);
        let by = crate::ended::By { device: "Edge · Windows", source: "10.20.30.40" };
        crate::ended::end(&mut tx, which, cause, by).await.expect("ended");
        tx.commit().await.expect("done");
        let (code, words) = house.why(&token).await;
        let elsewhere = cause == crate::ended::Cause::Elsewhere;
        assert_eq!(code == "access.session_replaced", elsewhere, "{words}");
        assert_eq!(words.contains("10.20.30.40"), elsewhere, "{words}");
        said.insert(words);
    }
    assert_eq!(said.len(), crate::ended::Cause::ALL.len());
}
