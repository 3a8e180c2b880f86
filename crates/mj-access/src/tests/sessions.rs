//! Signing in and out, lockout, the ends of a session, one's own devices.

use super::*;

#[tokio::test]
async fn a_clerk_logs_in_sees_her_roles_and_logs_out_for_good() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let opened = house.login(" LiSi ", PASSWORD).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    assert_eq!(opened.body["state"], "active");
    let cookie = opened.headers["set-cookie"].to_str().expect("text");
    for part in ["__Host-mj_session=mjs_", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let token = opened.body["token"].as_str().expect("a token");
    let current = house.ask("GET", "/sessions/current").cookie(token).go().await;
    assert_eq!(current.body["login"], "lisi");
    assert_eq!(current.body["csrf_token"], opened.body["csrf_token"]);
    assert_eq!(
        current.body["roles"],
        json!([{"role": "clerk", "role_name": "经办人", "area": "370400", "area_name": "枣庄市",
                "agency": null, "agency_name": null}])
    );
    let forged = house.ask("DELETE", "/sessions/current").cookie(token).go().await;
    assert_eq!(
        (forged.status, &forged.body["code"]),
        (StatusCode::FORBIDDEN, &json!("access.csrf"))
    );
    let csrf = opened.body["csrf_token"].as_str().expect("a token");
    let ask = house.ask("DELETE", "/sessions/current").cookie(token);
    assert_eq!(ask.header("x-csrf-token", csrf).go().await.status, StatusCode::NO_CONTENT);
    let after = house.ask("GET", "/sessions/current").bearer(token).go().await;
    assert_eq!(
        (after.status, &after.body["code"]),
        (StatusCode::UNAUTHORIZED, &json!("access.session_required"))
    );
    let kept = "SELECT COUNT(*) FROM session";
    assert_eq!(house.kit.db().count(kept, &[]).await.expect("read"), 0);
}

#[tokio::test]
async fn a_stolen_session_row_opens_nothing() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    house.token("lisi").await;
    let row = house.kit.db().fetch_one("SELECT token_sha256 FROM session", &[]).await.expect("row");
    let stolen = mj_platform::RowExt::text(&row, "token_sha256").expect("text");
    for token in [stolen.clone(), format!("mjs_{stolen}")] {
        let answer = house.ask("GET", "/sessions/current").bearer(&token).go().await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn five_wrong_passwords_lock_one_account_through_a_restart_and_tell_nothing() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    house.person("zhaoliu", Role::Clerk).await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(house.login("lisi", "wrong password").await);
    }
    answers.push(house.login("nobody", "wrong password").await);
    // another process on the same database, as after a kill
    let restarted = Access::new(house.kit.db().clone(), house.kit.vault());
    let router = Web::new(Arc::new(restarted.clone()), vec![crate::module(restarted.clone())])
        .router(Router::new());
    let House { kit, .. } = house;
    let house = House { kit, access: restarted, router };
    answers.push(house.login("lisi", PASSWORD).await);
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let told = |key: &str| answer.body[key] == answers[0].body[key];
        assert!(["title", "detail", "code", "type"].into_iter().all(told), "{}", answer.body);
    }
    assert_eq!(house.login("zhaoliu", PASSWORD).await.status, StatusCode::CREATED);
    house.kit.clock.advance_seconds(15 * 60 + 1);
    assert_eq!(house.login("lisi", PASSWORD).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_session_ends_by_idleness_and_by_age() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let token = house.token("lisi").await;
    let seen = |token: String| {
        let ask = house.ask("GET", "/sessions/current").bearer(&token);
        async move { ask.go().await.status }
    };
    house.kit.clock.advance_seconds(29 * 60);
    assert_eq!(seen(token.clone()).await, StatusCode::OK);
    house.kit.clock.advance_seconds(29 * 60);
    assert_eq!(seen(token.clone()).await, StatusCode::OK, "seen again, so not idle");
    house.kit.clock.advance_seconds(30 * 60);
    assert_eq!(seen(token).await, StatusCode::UNAUTHORIZED, "idle");
    let token = house.token("lisi").await;
    for _ in 0..35 {
        house.kit.clock.advance_seconds(20 * 60);
        assert_eq!(seen(token.clone()).await, StatusCode::OK);
    }
    house.kit.clock.advance_seconds(20 * 60);
    assert_eq!(seen(token).await, StatusCode::UNAUTHORIZED, "twelve hours");
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let desk = house.token("lisi").await;
    let phone = house.phone("lisi").await;
    let change = |current: &str, new: &str| {
        let ask = house.ask("POST", "/sessions/current/password").bearer(&desk);
        ask.body(json!({"current": current, "new": new}))
    };
    assert_eq!(change(PASSWORD, "short").go().await.body["code"], "access.weak_password");
    assert_eq!(change("not mine", "山亭-的-核桃-熟了").go().await.status, StatusCode::UNAUTHORIZED);
    let changed = change(PASSWORD, "山亭-的-核桃-熟了").go().await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let old = house.ask("GET", "/sessions/current").bearer(&phone).go().await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.login("lisi", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.login("lisi", "山亭-的-核桃-熟了").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_person_sees_her_devices_and_ends_the_one_she_does_not_know() {
    let house = strict_house().await;
    house.person("lisi", Role::Clerk).await;
    house.person("wangwu", Role::Clerk).await;
    let phone =
        "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36";
    let body = json!({"login": "lisi", "password": PASSWORD, "kind": "mobile"});
    let other = house.ask("POST", "/sessions").header("user-agent", phone).body(body).go().await;
    let other = other.body["token"].as_str().expect("a token");
    let token = house.token("lisi").await;
    let list = house.ask("GET", "/sessions").bearer(&token).go().await;
    let items = list.body["items"].as_array().expect("items");
    assert_eq!(items.len(), 2);
    let strange = items.iter().find(|one| one["current"] == false).expect("the phone");
    assert_eq!((&strange["device"], &strange["kind"]), (&json!("Chrome · 安卓"), &json!("mobile")));
    let path = format!("/sessions/{}", strange["id"].as_str().expect("an id"));
    let foreign = house.token("wangwu").await;
    assert_eq!(house.ask("DELETE", &path).bearer(&foreign).go().await.status, 404);
    assert_eq!(house.ask("DELETE", &path).bearer(&token).go().await.status, 204);
    assert_eq!(house.ask("GET", "/sessions/current").bearer(other).go().await.status, 401);
}

const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36 Edg/130.0";

impl House {
    fn signing_in(&self, login: &str, kind: &str) -> Ask<'_> {
        let body = json!({"login": login, "password": PASSWORD, "kind": kind});
        self.ask("POST", "/sessions").header("user-agent", EDGE).body(body)
    }

    pub(super) async fn phone(&self, login: &str) -> String {
        let opened = self.signing_in(login, "mobile").go().await;
        assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
        opened.body["token"].as_str().expect("a token").to_owned()
    }

    /// What somebody is told who comes with this token.
    async fn told(&self, token: &str) -> (u16, String) {
        let answer = self.ask("GET", "/sessions/current").bearer(token).go().await;
        (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or("open").to_owned())
    }

    fn at_once(mut self, most: u32) -> Self {
        self.access = self.access.with_sessions_at_once(most);
        let modules = vec![crate::module(self.access.clone())];
        self.router = Web::new(Arc::new(self.access.clone()), modules).router(Router::new());
        self
    }

    async fn standing(&self) -> i64 {
        self.kit.db().count("SELECT COUNT(*) FROM session", &[]).await.expect("counted")
    }
}

fn open() -> (u16, String) {
    (200, "open".into())
}

fn replaced() -> (u16, String) {
    (401, "access.session_replaced".into())
}

#[tokio::test]
async fn somebody_else_at_her_account_sends_her_out_and_she_is_told_when_and_from_where() {
    let house = House::new().await;
    let lisi = house.person("lisi", Role::Clerk).await;
    let (desk, phone) = (house.token("lisi").await, house.phone("lisi").await);
    assert_eq!((house.told(&desk).await, house.told(&phone).await), (open(), open()), "one each");

    house.kit.clock.advance_seconds(60);
    let other = house.signing_in("lisi", "web").from([10, 20, 30, 40]).go().await;
    assert_eq!(other.status, StatusCode::CREATED, "{}", other.body);
    let ended = other.body["ended"].as_array().expect("what it ended");
    assert_eq!((ended.len(), &ended[0]["kind"]), (1, &json!("web")), "{}", other.body);
    assert_eq!(house.told(&phone).await, open(), "another kind is another count");

    // a change by cookie is told the same, not that its token against forgery is missing
    let read = house.ask("GET", "/sessions/current").cookie(&desk).go().await;
    let change = house.ask("DELETE", "/sessions/current").cookie(&desk).go().await;
    let business = house.ask("GET", "/datahub/batches/370402").bearer(&desk).go().await;
    for answer in [read, change, business] {
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (401, &json!(replaced().1)));
        let title = answer.body["title"].as_str().expect("a sentence");
        for part in
            ["您的账号在别处登录（20", "Edge · Windows", "网络地址 10.20.30.40", "本次登录已结束"]
        {
            assert!(title.contains(part), "{title}");
        }
        let mend = answer.body["detail"].as_str().expect("what to do");
        assert!(mend.contains("修改密码") && mend.contains("安全管理员"), "{mend}");
    }
    let rules = house.ask("GET", "/password-rules").cookie(&desk).go().await;
    assert_eq!(rules.status, StatusCode::OK, "what is open to everybody stays open");

    let token = other.body["token"].as_str().expect("a token");
    let own = house.ask("GET", "/sessions").bearer(token).go().await;
    assert_eq!(own.body["items"].as_array().map(Vec::len), Some(2), "{}", own.body);
    assert_eq!(own.body["at_once"], 1);
    assert_eq!(own.body["ended"][0]["device"], "程序");
    assert_eq!(own.body["ended"][0]["by"], "Edge · Windows，网络地址 10.20.30.40");
    assert_eq!(own.body["ended"].as_array().map(Vec::len), Some(1));

    let journal =
        "SELECT actor, object, reason FROM act_journal WHERE action = 'access.session.replace'";
    let acts = house.kit.db().fetch_all(journal, &[]).await.expect("read");
    assert_eq!(acts.len(), 1, "one act of the supervision log");
    let text = |name: &str| mj_platform::RowExt::text(&acts[0], name).expect("a text");
    let account = format!("account:{lisi}");
    assert_eq!((text("actor"), text("object")), (account.clone(), account));
    let why = text("reason");
    assert!(why.contains("至多 1 处") && why.contains("Edge · Windows"), "{why}");
    assert!(
        !why.contains("10.20.30.40"),
        "the log forgets nothing, so the network is a mark: {why}"
    );

    // back at her desk: she signs in with the cookie of the ended session, and the stranger is out
    let body = json!({"login": "lisi", "password": PASSWORD});
    let back = house.ask("POST", "/sessions").cookie(&desk).body(body).go().await;
    assert_eq!(back.status, StatusCode::CREATED, "{}", back.body);
    assert_eq!(house.told(token).await, replaced());
    house.kit.clock.advance_seconds(8 * 24 * 3600);
    assert_eq!(house.told(&desk).await.1, "access.session_required", "told for a week");
}

#[tokio::test]
async fn the_same_browser_signing_in_again_and_a_session_that_idled_out_end_nobody_else() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let first = house.token("lisi").await;
    let body = json!({"login": "lisi", "password": PASSWORD});
    let again = house.ask("POST", "/sessions").cookie(&first).body(body).go().await;
    assert_eq!(again.body["ended"], json!([]), "its own session made way");
    assert_eq!(house.told(&first).await.1, "access.session_required");
    house.kit.clock.advance_seconds(31 * 60);
    let later = house.login("lisi", PASSWORD).await;
    assert_eq!(later.body["ended"], json!([]), "what idled out is not ended once more");
    let strange = json!({"login": "lisi", "password": PASSWORD, "kind": "toaster"});
    let strange = house.ask("POST", "/sessions").body(strange).go().await;
    assert!(strange.status.is_client_error(), "{}", strange.body);
}

#[tokio::test]
async fn where_the_house_permits_two_the_third_ends_the_oldest() {
    let house = House::new().await.at_once(2);
    house.person("lisi", Role::Clerk).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(house.token("lisi").await);
        house.kit.clock.advance_seconds(1);
    }
    assert_eq!(house.told(&tokens[0]).await, replaced());
    assert_eq!((house.told(&tokens[1]).await, house.told(&tokens[2]).await), (open(), open()));
    // seals stand: what is left opens, and nothing was written around them
    let seen =
        crate::seal::seals(house.kit.db(), house.kit.vault().as_ref()).await.expect("looked");
    assert!(seen.wrong.is_empty() && seen.lost == 0, "{seen:?}");
    // a rule made stricter holds from the next sign-in on
    let house = house.at_once(1);
    let last = house.login("lisi", PASSWORD).await;
    assert_eq!(last.body["ended"].as_array().map(Vec::len), Some(2), "{}", last.body);
    assert_eq!(house.standing().await, 1);
}

#[tokio::test]
async fn eight_sign_ins_at_once_leave_exactly_one() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let all = (0..8).map(|_| house.login("lisi", PASSWORD));
    let answers = futures_util::future::join_all(all).await;
    let mut open_now = 0;
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let told = house.told(answer.body["token"].as_str().expect("a token")).await;
        assert!(told == open() || told == replaced(), "{told:?}");
        open_now += i32::from(told == open());
    }
    assert_eq!((open_now, house.standing().await), (1, 1));
    let ended: usize =
        answers.iter().filter_map(|answer| answer.body["ended"].as_array().map(Vec::len)).sum();
    assert_eq!(ended, 7, "each but the last was ended by one that said so");
}

#[tokio::test]
async fn a_password_without_the_second_factor_sends_nobody_out() {
    let house = strict_house().await;
    house.enrol_administrators().await;
    let enter = || house.login("anquan", PASSWORD);
    let opened = enter().await;
    assert_eq!(opened.body["state"], "enrol");
    let waiting = opened.body["token"].as_str().expect("a token").to_owned();
    let factor = |end: &str| house.ask("POST", &format!("/sessions/current/second-factor{end}"));
    let offer = factor("/offer").bearer(&waiting).body(json!({})).go().await;
    let made =
        totp_rs::Totp::from_url(offer.body["uri"].as_str().expect("an address")).expect("ours");
    let code = || {
        let now = u64::try_from(house.kit.db().clock().now() / 1_000_000).expect("after 1970");
        made.generate(now).to_string()
    };
    let bound = factor("/confirm").bearer(&waiting).body(json!({"totp": code()})).go().await;
    let first = bound.body["token"].as_str().expect("a token").to_owned();
    assert_eq!(house.told(&first).await, open());

    house.kit.clock.advance_seconds(31);
    let thief = enter().await;
    assert_eq!(thief.body["state"], "second_factor");
    assert_eq!(house.told(&first).await, open(), "who has the password alone ends nothing");
    let waiting = thief.body["token"].as_str().expect("a token").to_owned();
    let done = factor("").bearer(&waiting).body(json!({"totp": code()})).go().await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert_eq!(done.body["ended"].as_array().map(Vec::len), Some(1));
    assert_eq!(house.told(&first).await, replaced());
}
