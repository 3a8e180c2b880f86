//! Lists taken away: many small files are one large one, and who reads by several rights needs an approver for
//! all of them.

use axum::http::{Method, StatusCode};
use mj_kernel::Role;
use serde_json::{Value, json};

use super::limits::House;
use super::world::{Hat, Relation, ask, grant, party_row};

pub(super) const EXPORT: &str = "/registry/parties/export";
const REQUESTS: &str = "/exports/requests";

/// A house with so many shops of this name in the city.
pub(super) async fn with_shops(groups: &[(&str, usize)]) -> House {
    let house = House::new().await;
    let mut tx = house.world.kit.begin().await;
    let mut number = 20_000_usize;
    for (name, count) in groups {
        for _ in 0..*count {
            number += 1;
            let (id, name) = (format!("shop-{number}"), format!("{name}{number}店"));
            party_row(&mut tx, &id, number, &name, Some("370400")).await;
        }
    }
    tx.note().await.expect("noted");
    tx.commit().await.expect("committed");
    house
}

fn wish(q: &str) -> Value {
    json!({"format": "csv", "filters": {"q": q}})
}

#[tokio::test]
async fn many_small_files_are_one_large_one_until_midnight() {
    let house = with_shops(&[("槐花", 600), ("石榴", 300), ("枣木", 150)]).await;
    let clerk = Hat::Role(Role::Clerk);
    let take = async |body: Value| house.send(clerk, Method::POST, EXPORT, body).await;
    let mut taken = 0;
    for word in ["槐花", "石榴"] {
        let (status, file) = take(wish(word)).await;
        assert_eq!(status, StatusCode::OK, "{file}");
        // without the line of titles and the mark
        taken += file.as_str().expect("a file").lines().count() - 2;
    }
    assert!((900..950).contains(&taken), "{taken}");
    let counted = format!("今天已导出 {taken} 行，还可导出 {} 行", 1_000 - taken);
    let (status, refused) = take(wish("枣木")).await;
    assert_eq!(
        (status, &refused["code"]),
        (StatusCode::FORBIDDEN, &json!("export.approval_needed"))
    );
    let said = refused["detail"].as_str().expect("a detail");
    assert!(said.contains(&counted), "{said}");
    // somebody else's day is their own
    let other = house.send(Hat::Role(Role::Reviewer), Method::POST, EXPORT, wish("枣木"));
    assert_eq!(other.await.0, StatusCode::OK);

    let mut asked = wish("枣木");
    asked["reason"] = json!("年度名录核对");
    let (_, told) = take(asked).await;
    assert_eq!(told["code"], "access.second_person_required", "{told}");
    let region = Hat::Role(Role::RegionLeader);
    let (_, all) = house.send(region, Method::GET, REQUESTS, Value::Null).await;
    let items = all["items"].as_array().expect("items");
    let one = items.iter().find(|one| one["reason"] == "年度名录核对").expect("the request");
    let path = format!("{REQUESTS}/{}/approve", one["id"].as_str().expect("an id"));
    let body = json!({"version": one["version"], "reason": "已核对用途"});
    let (status, body) = house.send(region, Method::POST, &path, body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(take(wish("枣木")).await.0, StatusCode::OK, "with the approval");
    let (_, refused) = take(wish("枣木")).await;
    let said = refused["detail"].as_str().expect("a detail");
    assert!(said.contains(&counted), "what was approved is not counted again: {said}");

    // it is ten in the morning: what was taken a minute after midnight counts, what was taken a minute before does not
    let minute = 60_000_000_i64;
    let db = house.world.kit.db();
    for (moved, status) in [(599 * minute, StatusCode::FORBIDDEN), (2 * minute, StatusCode::OK)] {
        let sql = format!("UPDATE data_export SET at = at - {moved}");
        db.statement(&sql).await.expect("as if taken earlier");
        assert_eq!(take(wish("枣木")).await.0, status);
    }
}

#[tokio::test]
async fn the_same_export_waits_once_however_often_it_is_asked_for() {
    let house = with_shops(&[("槐花", 1_001)]).await;
    let clerk = Hat::Role(Role::Clerk);
    let mut asked = wish("槐花");
    asked["reason"] = json!("年度名录核对");
    let ask = async |body: &Value| {
        let (status, told) = house.send(clerk, Method::POST, EXPORT, body.clone()).await;
        (status, told["code"].as_str().unwrap_or_default().to_owned())
    };
    let waits = (StatusCode::FORBIDDEN, "access.second_person_required".to_owned());
    // impatient: ten times at the same moment
    let mut ten = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (router, body) = (house.router.clone(), Some(asked.to_string()));
        ten.spawn(async move {
            let path = format!("/api/v1{EXPORT}");
            let answer =
                super::world::ask(&router, &Method::POST, &path, clerk.token().as_deref(), body)
                    .await;
            let told: Value = serde_json::from_slice(&answer.body).expect("a problem");
            (answer.status, told["code"].clone(), told["current"]["id"].clone())
        });
    }
    let mut answers = ten.join_all().await;
    answers.sort_by_key(|(status, ..)| *status);
    assert_eq!((answers[0].0, &answers[0].1), (waits.0, &json!(waits.1)));
    let own = async || {
        let (_, all) = house.send(clerk, Method::GET, REQUESTS, Value::Null).await;
        let items = all["items"].as_array().expect("items").clone();
        items.into_iter().filter(|one| one["own"] == true).collect::<Vec<_>>()
    };
    let items = own().await;
    assert_eq!(items.len(), 1, "{items:?}");
    for answer in &answers[1..] {
        let named = (StatusCode::CONFLICT, json!("export.asked"), items[0]["id"].clone());
        assert_eq!(*answer, named, "the one that waits is named");
    }
    // another file of the same rows is another request
    let columns = json!({"format": "csv", "columns": ["name"], "filters": {"q": "槐花"},
        "reason": "年度名录核对"});
    assert_eq!(ask(&columns).await, waits);
    // and after a no it may be asked for again
    let path = format!("{REQUESTS}/{}/refuse", items[0]["id"].as_str().expect("an id"));
    let no = json!({"version": items[0]["version"], "reason": "范围过大"});
    let region = Hat::Role(Role::RegionLeader);
    let (status, body) = house.send(region, Method::POST, &path, no).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(ask(&asked).await, waits);
    assert_eq!(own().await.len(), 3);
}

#[tokio::test]
async fn of_ten_files_taken_at_the_same_moment_as_many_leave_as_the_day_has_room_for() {
    let house = with_shops(&[("槐花", 300)]).await;
    let mut ten = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let router = house.router.clone();
        ten.spawn(async move {
            let token = Hat::Role(Role::Clerk).token();
            let path = format!("/api/v1{EXPORT}");
            let body = Some(wish("槐花").to_string());
            ask(&router, &Method::POST, &path, token.as_deref(), body).await.status
        });
    }
    let answers = ten.join_all().await;
    let of = |wanted| answers.iter().filter(|status| **status == wanted).count();
    let (given, refused) = (of(StatusCode::OK), of(StatusCode::FORBIDDEN));
    assert_eq!((given, refused), (3, 7), "three times three hundred of a thousand");
}

#[tokio::test]
async fn who_reads_by_two_rights_is_approved_by_one_who_answers_for_both_and_is_told_what_is_asked()
{
    let house = with_shops(&[("槐花", 1_001)]).await;
    let clerk = Hat::Role(Role::Clerk);
    // besides the own office's city, the clerk helps out in another one
    let mut tx = house.world.kit.begin().await;
    let (id, account) = ("grant-elsewhere", clerk.account());
    grant(&mut tx, id, &account, "business", "clerk", "internal", Relation::Foreign).await;
    tx.commit().await.expect("committed");
    let mut body = json!({"format": "csv", "columns": ["name"], "filters": {
        "q": "槐花", "area": "370400", "invented": "只有一条"}});
    body["reason"] = json!("年度名录核对");
    let (_, told) = house.send(clerk, Method::POST, EXPORT, body).await;
    assert_eq!(told["code"], "access.second_person_required", "{told}");
    let (_, own) = house.send(clerk, Method::GET, REQUESTS, Value::Null).await;
    let asked = own["items"][0].clone();
    assert_eq!(
        asked["places"],
        json!(["河南省新乡市，全部部门", "山东省枣庄市，全部部门"]),
        "{asked}"
    );
    let filters =
        json!([{"title": "区域", "value": "山东省枣庄市"}, {"title": "检索", "value": "有检索词"}]);
    assert_eq!(asked["filters"], filters, "an invented filter filters nothing and is not told");
    let sees = async |role: Role| {
        let (_, all) = house.send(Hat::Role(role), Method::GET, REQUESTS, Value::Null).await;
        all["items"].as_array().expect("items").iter().any(|one| one["id"] == asked["id"])
    };
    for role in [Role::RegionLeader, Role::Leader, Role::DeptAdmin] {
        assert!(!sees(role).await, "{role:?} answers for one of the two");
    }
    let region = Hat::Role(Role::RegionLeader);
    let path = format!("{REQUESTS}/{}/approve", asked["id"].as_str().expect("an id"));
    let yes = json!({"version": asked["version"], "reason": "已核对用途"});
    let (status, _) = house.send(region, Method::POST, &path, yes.clone()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let mut tx = house.world.kit.begin().await;
    let (id, account) = ("grant-both", region.account());
    grant(&mut tx, id, &account, "business", "region_leader", "internal", Relation::Foreign).await;
    tx.commit().await.expect("committed");
    assert!(sees(Role::RegionLeader).await);
    let (status, body) = house.send(region, Method::POST, &path, yes).await;
    assert_eq!((status, &body["state"]), (StatusCode::OK, &json!("approved")), "{body}");
}

/// Each filter of a list that may be exported is told to whoever approves it, or the list has no such filter.
#[test]
fn every_filter_of_a_list_is_known_to_the_approval() {
    let text = include_str!("../../../../../web/openapi.json");
    let document: Value = serde_json::from_str(text).expect("the document");
    let paths = document["paths"].as_object().expect("paths");
    let known = mj_web::export_reach::known_filters();
    let mut lists = 0;
    for path in paths.keys().filter(|path| path.ends_with("/export")) {
        let list = path.trim_end_matches("/export");
        let mut parts = list.trim_start_matches("/api/v1/").split('/');
        let (domain, last) = (parts.next().expect("a domain"), parts.next_back().expect("a list"));
        let list_name = format!("{domain}.{}", last.replace('-', "_"));
        lists += 1;
        let asked = paths[list]["get"]["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in asked.iter().filter(|one| one["in"] == "query") {
            let name = parameter["name"].as_str().expect("a name");
            let shape = ["limit", "cursor", "sort"].contains(&name);
            let told = known.contains(&(list_name.as_str(), name));
            assert!(shape || told, "{list_name} {name}: a line of rules/export_filters.tsv");
        }
    }
    assert_eq!(lists, 14);
}
