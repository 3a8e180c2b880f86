//! Accounts and agencies as administrators look them up and change them.

use axum::http::StatusCode;
use mj_kernel::Role;
use serde_json::json;

use super::{House, PASSWORD};

#[tokio::test]
async fn an_account_tells_who_changed_it_and_why_and_ends_and_returns() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let (system, security, audit) =
        (house.token("xitong").await, house.token("anquan").await, house.token("shenji").await);
    let agency = json!({
        "uscc": "11370400004400001P", "name": "枣庄市市场监督管理局", "short_name": "市市监局",
        "area_number": "370400", "line": "31", "reason": "三定方案",
    });
    let made = house.ask("POST", "/access/agencies").bearer(&system).key("ag").body(agency);
    assert_eq!(made.go().await.status, StatusCode::CREATED);
    let opening = json!({
        "login": "sunqi", "name": "孙七", "agency": "11370400004400001P", "reason": "新进人员",
    });
    let opened = house.ask("POST", "/access/accounts").bearer(&system).key("a").body(opening);
    let opened = opened.go().await;
    let id = opened.body["id"].as_str().expect("an id").to_owned();
    let activation =
        json!({"code": opened.body["activation_code"], "login": "sunqi", "password": PASSWORD});
    house.ask("POST", "/enrolments").key("act").body(activation).go().await;
    let wish = json!({
        "account_id": id, "role": "clerk", "areas": ["370400"], "agencies": ["11370400004400001P"],
        "reason": "承担数据上报",
    });
    let granted = house.ask("POST", "/access/grants").bearer(&security).key("g").body(wish);
    let grant = granted.go().await.body;
    let early = house.token("sunqi").await;

    let read = |token: &str| house.ask("GET", &format!("/access/accounts/{id}")).bearer(token);
    let file = read(&audit).go().await;
    assert_eq!(file.status, StatusCode::OK, "{}", file.body);
    assert_eq!(file.body["account"]["agency_name"], "枣庄市市场监督管理局");
    assert_eq!(file.body["account"]["roles"][0]["areas"], "枣庄市");
    assert_eq!(file.body["grants"][0]["agency_names"], json!(["枣庄市市场监督管理局"]));
    assert_eq!(file.body["sessions"].as_array().map(Vec::len), Some(1));
    let told: Vec<(String, String)> = file.body["history"]
        .as_array()
        .expect("acts")
        .iter()
        .map(|act| (act["action_title"].to_string(), act["reason"].to_string()))
        .collect();
    let given = "授予“经办人”：枣庄市，枣庄市市场监督管理局；个人信息遮挡显示；2026-11-20 起长期。理由：承担数据上报";
    assert!(told.contains(&("\"授予角色\"".into(), format!("\"{given}\""))), "{told:?}");
    assert!(told.contains(&("\"开设账号\"".into(), "\"新进人员\"".into())), "{told:?}");

    let end = format!("/access/accounts/{id}/sessions/end");
    let why = json!({"reason": "人已离岗"});
    let by_system = house.ask("POST", &end).bearer(&system).body(why.clone()).go().await;
    assert_eq!(by_system.status, StatusCode::FORBIDDEN, "not the system administrator's part");
    let silent = house.ask("POST", &end).bearer(&security).body(json!({"reason": " "})).go().await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    let ended = house.ask("POST", &end).bearer(&security).body(why).go().await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.body);
    let after = house.ask("GET", "/sessions/current").bearer(&early).go().await;
    assert_eq!(after.status, StatusCode::UNAUTHORIZED);

    let change = |path: &str, token: &str, version: i64, reason: &str| {
        house
            .ask("POST", &format!("/access/accounts/{id}/{path}"))
            .bearer(token)
            .body(json!({"version": version, "reason": reason}))
    };
    let disabled = change("disable", &system, 1, "调离").go().await;
    assert_eq!(disabled.body["state"], "disabled", "{}", disabled.body);
    assert_eq!(house.login("sunqi", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let back = change("enable", &security, 2, "调回").go().await;
    assert_eq!(back.status, StatusCode::FORBIDDEN);
    let back = change("enable", &system, 2, "调回").go().await;
    assert_eq!(back.body["state"], "active", "{}", back.body);
    let again = house.login("sunqi", PASSWORD).await;
    assert_eq!(again.status, StatusCode::CREATED);

    let revoke = format!("/access/grants/{}/revoke", grant["id"].as_str().expect("an id"));
    let body = json!({"version": 1, "reason": "岗位调整"});
    let revoked = house.ask("POST", &revoke).bearer(&security).body(body).go().await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    let file = read(&audit).go().await;
    assert_eq!(file.body["grants"], json!([]));
    let told = file.body["history"][0]["reason"].as_str().expect("a reason");
    assert!(told.starts_with("收回“经办人”：枣庄市") && told.ends_with("理由：岗位调整"), "{told}");
    assert_eq!(file.body["history"][0]["actor_name"], "王五（anquan）");
}

#[tokio::test]
async fn accounts_and_agencies_are_found_by_any_part_and_by_nothing_else() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let system = house.token("xitong").await;
    for (at, (uscc, name)) in
        [("11370400004400001P", "枣庄市市场监督管理局"), ("12370400494500012B", "枣庄市应急管理局")]
            .into_iter()
            .enumerate()
    {
        let agency = json!({"uscc": uscc, "name": name, "area_number": "370400", "line": "31"});
        let key = format!("k{at}");
        house.ask("POST", "/access/agencies").bearer(&system).key(&key).body(agency).go().await;
    }
    house.person("zhao.liu", Role::Clerk).await;
    let names = async |path: &str| {
        let answer = house.ask("GET", path).bearer(&system).go().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let items = answer.body["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|one| one["name"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("/access/agencies#%E5%BA%94%E6%80%A5").await, ["枣庄市应急管理局"]);
    assert_eq!(names("/access/agencies#4945").await, ["枣庄市应急管理局"]);
    for nothing in ["%25", "_", "'", "%5C", "%F0%9F%A6%8A"] {
        assert!(names(&format!("/access/agencies#{nothing}")).await.is_empty(), "{nothing}");
        assert!(names(&format!("/access/accounts#{nothing}")).await.is_empty(), "{nothing}");
    }
    assert_eq!(names("/access/accounts#zhao").await, ["李四"]);
    assert_eq!(names("/access/accounts?role=clerk&class=business").await, ["李四"]);
    assert!(names("/access/accounts?role=leader").await.is_empty());
    let opening = json!({"login": "xinren", "name": "新人"});
    house.ask("POST", "/access/accounts").bearer(&system).key("x").body(opening).go().await;
    assert_eq!(names("/access/accounts?lacks=activation").await, ["新人"]);
    assert_eq!(names("/access/accounts?lacks=role").await, ["新人"]);
    let long = "长".repeat(3_000);
    assert!(names(&format!("/access/agencies#{}", urlencoded(&long))).await.is_empty());
    let one = house.ask("GET", "/access/agencies/11370400004400001P").bearer(&system).go().await;
    assert_eq!(one.body["agency"]["name"], "枣庄市市场监督管理局", "{}", one.body);
    let version = one.body["agency"]["version"].as_i64().expect("a version");
    let id = one.body["agency"]["id"].as_str().expect("an id");
    let change = |version: i64| {
        house.ask("POST", &format!("/access/agencies/{id}")).bearer(&system).body(json!({
            "version": version, "short_name": "市场监管局", "reason": "简称统一"
        }))
    };
    assert_eq!(change(version).go().await.body["short_name"], "市场监管局");
    assert_eq!(change(version).go().await.status, StatusCode::CONFLICT);
}

fn urlencoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
