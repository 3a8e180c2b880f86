//! Whose word is waited for reads it on the first page; nobody else is told.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use mj_kernel::Role;
use serde_json::{Value, json};

use super::exports::{EXPORT, with_shops};
use super::limits::House;
use super::world::Hat;

const KINDS: [(&str, &str, &str); 3] = [
    ("grants", "/access/grant-requests", "may_confirm"),
    ("unlocks", "/access/unlock-requests", "may_approve"),
    ("exports", "/exports/requests", "may_decide"),
];

/// What the first page says of requests, which is what the lists offer to decide.
async fn told(house: &House, hat: Hat) -> Value {
    let (_, home) = house.send(hat, Method::GET, "/home", Value::Null).await;
    let told = home["requests"].clone();
    for (kind, list, may) in KINDS {
        let (status, body) = house.send(hat, Method::GET, list, Value::Null).await;
        let items = body["items"].as_array().filter(|_| status == StatusCode::OK);
        let offered = items.map_or(0, |all| all.iter().filter(|one| one[may] == true).count());
        assert_eq!(told[kind], offered, "{kind} to {hat:?}: {home}");
    }
    told
}

#[tokio::test]
async fn the_first_page_says_how_many_wait_for_ones_word_until_they_are_decided() {
    let house = with_shops(&[("槐花", 1_001)]).await;
    let roles = || Hat::all().into_iter().filter(|hat| matches!(hat, Hat::Role(_) | Hat::Person));
    let mut before = BTreeMap::new();
    for hat in roles() {
        before.insert(hat.name(), told(&house, hat).await);
    }
    let other = Hat::Role(Role::Reviewer).account();
    let made = async |role: Role, path: &str, body: Value, status: StatusCode| {
        let (got, told) = house.send(Hat::Role(role), Method::POST, path, body).await;
        assert_eq!(got, status, "{told}");
        told
    };
    let grant = json!({"account_id": other, "role": "datahub_operator", "areas": ["370400"],
        "reason": "接替数据汇聚岗位"});
    let grant = made(Role::SecAdmin, KINDS[0].1, grant, StatusCode::CREATED).await;
    let unlock = json!({"account_id": other, "kind": "reset", "reason": "本人忘记密码"});
    let unlock = made(Role::SysAdmin, KINDS[1].1, unlock, StatusCode::CREATED).await;
    let wish = json!({"format": "csv", "filters": {"q": "槐花"}, "reason": "年度名录核对"});
    made(Role::Clerk, EXPORT, wish, StatusCode::FORBIDDEN).await;
    for hat in roles() {
        let said = told(&house, hat).await;
        let waits = |kind: &str| {
            let more = said[kind].as_u64().zip(before[hat.name()][kind].as_u64());
            let more = more.map(|(now, then)| now - then).expect("counts");
            assert!(more <= 1, "{said}");
            more == 1
        };
        let is = |roles: &[Role]| roles.iter().any(|role| hat == Hat::Role(*role));
        assert_eq!(waits("grants"), is(&[Role::AuditAdmin]), "not who asked: {hat:?}");
        assert_eq!(waits("unlocks"), is(&[Role::SecAdmin]), "{hat:?}");
        assert_eq!(waits("exports"), is(&[Role::RegionLeader]), "not the one office: {hat:?}");
    }
    let yes = |one: &Value| json!({"version": one["version"], "reason": "已核对"});
    let id = |one: &Value| one["id"].as_str().expect("an id").to_owned();
    let path = format!("{}/{}/confirm", KINDS[0].1, id(&grant));
    made(Role::AuditAdmin, &path, yes(&grant), StatusCode::OK).await;
    let path = format!("{}/{}/approve", KINDS[1].1, id(&unlock));
    made(Role::SecAdmin, &path, yes(&unlock), StatusCode::OK).await;
    // whoever asked reads that it may be taken, until it was
    let wish = |more: Value| {
        let mut wish = json!({"format": "csv", "filters": {"q": "槐花"}});
        wish.as_object_mut().expect("a wish").extend(more.as_object().expect("more").clone());
        wish
    };
    let requests = house.send(Hat::Role(Role::Clerk), Method::GET, KINDS[2].1, Value::Null).await.1;
    let asked = &requests["items"][0];
    let path = format!("{}/{}/approve", KINDS[2].1, id(asked));
    made(Role::RegionLeader, &path, yes(asked), StatusCode::OK).await;
    let ready = async || told(&house, Hat::Role(Role::Clerk)).await["exports_ready"].clone();
    assert_eq!(ready().await, 1);
    made(Role::Clerk, EXPORT, wish(json!({"approval": id(asked)})), StatusCode::OK).await;
    assert_eq!(ready().await, 0);
    for role in [Role::AuditAdmin, Role::SecAdmin] {
        let said = told(&house, Hat::Role(role)).await;
        assert_eq!(said, before[role.name()], "{role:?}");
    }
}
