//! Agencies and where they are: what is refused as a typing error, and how one that slipped in is mended.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::House;

const CITY: &str = "11370400004400001P";
const DISTRICT: &str = "11370402004500001A";

async fn registered(house: &House, system: &str, key: &str, agency: Value) -> Value {
    let made = house.ask("POST", "/access/agencies").bearer(system).key(key).body(agency);
    let made = made.go().await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made.body
}

#[tokio::test]
async fn a_division_that_is_none_is_refused_and_a_development_zone_is_taken() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let (system, security) = (house.token("xitong").await, house.token("anquan").await);
    let account = house.person("zhao.liu", mj_kernel::Role::Clerk).await;
    let register = async |area: &str| {
        let body = json!({"uscc": CITY, "name": "某局", "area_number": area});
        house.ask("POST", "/access/agencies").bearer(&system).key(area).body(body).go().await
    };
    let grant = async |path: &str, role: &str, areas: &[&str]| {
        let body = json!({"account_id": account, "role": role, "areas": areas, "reason": "试"});
        let key = format!("{role}-{}", areas.join("-"));
        house.ask("POST", path).bearer(&security).key(&key).body(body).go().await
    };
    for none in ["999999", "379971", "370471001"] {
        let told = format!("行政区划代码 {none} 不存在，请核对，例如枣庄市是 370400");
        let refused = [
            (register(none).await, "area_number"),
            (grant("/access/grants", "reviewer", &["370400", none]).await, "areas"),
            (grant("/access/grant-requests", "datahub_operator", &[none]).await, "areas"),
        ];
        for (answer, field) in refused {
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
            assert_eq!(answer.body["code"], "access.area_unknown");
            assert_eq!(answer.body["errors"], json!([{"field": field, "message": told}]));
        }
    }
    let said = async |code: &str| {
        let path = format!("/access/areas/{code}");
        let answer = house.ask("GET", &path).bearer(&security).go().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        (answer.body["standing"].clone(), answer.body["said"].clone())
    };
    assert_eq!(said("370402").await, (json!("listed"), json!("枣庄市市中区")));
    assert_eq!(said("999999").await.0, "unknown");
    let zone = "不在行政区划表内，按枣庄市的自设区划（开发区等）登记";
    assert_eq!(said("370471").await, (json!("below"), json!(zone)));
    let made = register("370471").await;
    assert_eq!(
        (made.status, &made.body["area_name"]),
        (StatusCode::CREATED, &json!("枣庄市内 370471"))
    );
    let given = grant("/access/grants", "reviewer", &["370471", "370402001"]).await;
    assert_eq!(given.status, StatusCode::CREATED, "{}", given.body);
}

#[tokio::test]
async fn a_wrong_area_line_or_superior_is_mended_with_a_reason() {
    let house = House::new().await;
    house.enrol_administrators().await;
    let (system, security, audit) =
        (house.token("xitong").await, house.token("anquan").await, house.token("shenji").await);
    let city = json!({"uscc": CITY, "name": "枣庄市市场监督管理局", "area_number": "370400"});
    let city = registered(&house, &system, "city", city).await;
    let district =
        json!({"uscc": DISTRICT, "name": "市中区市监局", "area_number": "370400", "line": "16"});
    let district = registered(&house, &system, "district", district).await;
    let change = async |who: &str, of: &Value, body: Value| {
        let path = format!("/access/agencies/{}", of["id"].as_str().expect("an id"));
        house.ask("POST", &path).bearer(who).body(body).go().await
    };
    let right = json!({"version": 1, "area_number": "370402", "line": "31", "parent": CITY,
        "reason": "登记时填错"});
    let other = change(&security, &district, right.clone()).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN, "not the security administrator's part");
    for (field, wrong) in [
        ("area_number", json!({"version": 1, "area_number": "999999", "reason": "试"})),
        ("line", json!({"version": 1, "line": "77", "reason": "试"})),
        ("parent", json!({"version": 1, "parent": "11370400009999999X", "reason": "试"})),
        ("parent", json!({"version": 1, "parent": DISTRICT, "reason": "试"})),
    ] {
        let refused = change(&system, &district, wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
        assert_eq!(refused.body["errors"][0]["field"], field, "{}", refused.body);
    }
    let silent = change(&system, &district, json!({"version": 1, "line": "31", "reason": " "}));
    assert_eq!(silent.await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mended = change(&system, &district, right.clone()).await;
    assert_eq!(mended.status, StatusCode::OK, "{}", mended.body);
    assert_eq!(
        (&mended.body["area_name"], &mended.body["line_name"], &mended.body["parent"]),
        (&json!("枣庄市市中区"), &json!("市场监管"), &json!(CITY)),
    );
    assert_eq!(change(&system, &district, right).await.status, StatusCode::CONFLICT, "once");
    let circle = json!({"version": 1, "parent": DISTRICT, "reason": "试"});
    let circle = change(&system, &city, circle).await;
    assert_eq!(circle.body["errors"][0]["message"], "上级部门不能是本部门或本部门的下级，请核对");

    // it holds at once where agencies are found by their area, and below the one above
    let listed = house.ask("GET", "/access/agencies?area=370402").bearer(&system).go().await;
    assert_eq!(listed.body["items"][0]["uscc"], DISTRICT);
    let file = house.ask("GET", &format!("/access/agencies/{CITY}")).bearer(&audit).go().await;
    assert_eq!(file.body["children"][0]["uscc"], DISTRICT);
    let row = house.kit.db().fetch_one(
        "SELECT reason FROM act_journal WHERE action = 'access.agency.update' ORDER BY seq DESC",
        &[],
    );
    let told = mj_platform::RowExt::text(&row.await.expect("an act"), "reason").expect("said");
    assert_eq!(
        told,
        "行政区划由枣庄市（370400）改为枣庄市市中区（370402）；条线由生态环境改为市场监管；\
         上级部门由无改为枣庄市市场监督管理局。理由：登记时填错"
    );

    let alone = json!({"version": 2, "parent": "", "reason": "划归省直"});
    assert_eq!(change(&system, &district, alone).await.body["parent"], Value::Null);
}
