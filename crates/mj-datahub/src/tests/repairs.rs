//! The clerk mends: one row in place, many rows by one rule, rows typed anew; lists leave as files.

use super::http::{Client, read};
use super::*;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

impl Client {
    async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> (StatusCode, Value) {
        let mut request = Request::post(path)
            .header("authorization", "Bearer operator")
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        read(self.send(request, body.to_string()).await).await
    }

    /// A file handed in at the workbench, run through; gives its address.
    async fn hand_in(&self, file: &File, name: &str) -> String {
        let request = Request::post(format!(
            "/api/v1/datahub/batches/file?table=check_action&cd_source={SOURCE}"
        ))
        .header("mingjian-file-name", encoded(name))
        .header("authorization", "Bearer operator")
        .header("idempotency-key", name);
        let (status, answer) = read(self.send(request, file.bytes().to_vec()).await).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        self.run().await;
        answer["href"].as_str().expect("an address").to_owned()
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Ten inspections: seven with a division that was dissolved in 1988, one of them with a second fault.
fn faulty() -> File {
    let mut file = File::of("check_action", &["area_number"]);
    for number in 1..=10_u64 {
        let code = uscc(number);
        let icode = format!("J-{number}");
        let document = format!("文书{number}号");
        let area = if number <= 7 { "370421" } else { "370402" };
        let date = if number == 7 { "2026-02-31" } else { "2026-02-03" };
        file.push(&[
            ("administrative_cp_ui_code", &code),
            ("check_action_code", &icode),
            ("check_document_code", &document),
            ("area_number", area),
            ("check_date", date),
        ]);
    }
    file
}

#[tokio::test]
async fn the_same_fault_in_many_rows_is_mended_once_by_a_rule_that_was_looked_at_first() {
    let client = Client::new().await;
    let href = client.hand_in(&faulty(), "a.csv").await;
    let (_, batch) = client.get(&href).await;
    assert_eq!(batch["counts"]["error"], 7, "{batch}");
    let (_, found) = client.get(&format!("{href}/error-groups")).await;
    assert_eq!(found["open"], 7);
    assert_eq!(found["deadline"], "2026-12-04", "ten working days");
    let group = &found["groups"][0];
    assert_eq!((&group["column"], &group["rows"]), (&json!("area_number"), &json!(7)), "{group}");
    assert_eq!(group["proposal"], json!({"kind": "successor"}));
    assert!(group["why"].as_str().expect("a reason").contains("370481"), "{group}");
    let plan = json!({"rule": group["rule"], "column": "area_number", "fix": group["proposal"]});
    let (status, seen) = client.post(&format!("{href}/repairs/preview"), None, &plan).await;
    assert_eq!(status, StatusCode::OK, "{seen}");
    assert_eq!((&seen["matched"], &seen["passing"]), (&json!(7), &json!(6)), "{seen}");
    assert_eq!(seen["lines"][0]["passes"], false, "what does not pass stands first");
    assert_eq!(seen["lines"][1]["before"], "370421");
    assert_eq!(seen["lines"][1]["after"], "370481");

    let path = format!("{href}/repairs");
    let (status, refused) = client.post(&path, Some("r0"), &plan).await;
    assert_eq!(
        (status, &refused["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("datahub.reason_missing"))
    );
    let mut with_reason = plan.clone();
    with_reason["reason"] = "滕县1988年撤县设市".into();
    let (status, made) = client.post(&path, Some("r1"), &with_reason).await;
    assert_eq!((status, &made["state"]), (StatusCode::ACCEPTED, &json!("waiting")), "{made}");
    client.run().await;
    let (_, list) = client.get(&path).await;
    assert_eq!(list["items"][0]["state"], "waiting", "there is time for a second thought");
    let cancel = format!("/api/v1/datahub/repairs/{}/cancel", made["id"].as_str().expect("an id"));
    let (status, taken_back) = client.post(&cancel, None, &json!({})).await;
    assert_eq!((status, &taken_back["state"]), (StatusCode::OK, &json!("cancelled")));
    client.world.kit.clock.advance_seconds(20);
    client.run().await;
    let (_, errors) = client.get(&format!("{href}/errors?state=open")).await;
    assert_eq!(errors["items"].as_array().map(Vec::len), Some(7), "nothing was done");

    let (_, made) = client.post(&path, Some("r2"), &with_reason).await;
    client.world.kit.clock.advance_seconds(20);
    client.run().await;
    let (_, list) = client.get(&path).await;
    let done = &list["items"][0];
    assert_eq!((&done["id"], &done["state"]), (&made["id"], &json!("submitted")), "{list}");
    assert_eq!((&done["submitted"], &done["mended"]), (&json!(6), &json!(6)));
    assert_eq!(done["percent"], 100, "{list}");
    let (_, result) = client
        .get(&format!("/api/v1/datahub/batches/{}", done["result_batch"].as_str().expect("id")))
        .await;
    assert_eq!(result["counts"]["correct"], 6, "{result}");
    let (_, errors) = client.get(&format!("{href}/errors?state=open")).await;
    assert_eq!(errors["items"].as_array().map(Vec::len), Some(1));
    let (status, late) = client
        .post(
            &cancel
                .replace(taken_back["id"].as_str().expect("id"), made["id"].as_str().expect("id")),
            None,
            &json!({}),
        )
        .await;
    assert_eq!((status, &late["code"]), (StatusCode::CONFLICT, &json!("datahub.too_late")));
    let (_, open) = client.get("/api/v1/datahub/open-errors").await;
    assert_eq!((&open["open"], &open["items"][0]["open"]), (&json!(1), &json!(1)), "{open}");
    client.world.reconciles().await;
}

#[tokio::test]
async fn one_row_is_mended_in_place_after_a_look_at_what_the_checks_would_say() {
    let client = Client::new().await;
    let href = client.hand_in(&faulty(), "b.csv").await;
    let (_, cells) = client.get(&format!("{href}/errors/7")).await;
    let date = cells["cells"]
        .as_array()
        .and_then(|cells| cells.iter().find(|one| one["column"] == "check_date"))
        .expect("the cell");
    assert_eq!((&date["value"], &date["required"]), (&json!("2026-02-31"), &json!(true)));
    assert!(cells["issues"].as_array().is_some_and(|issues| issues.len() >= 2), "{cells}");
    let half = json!({"values": {"check_date": "2026-02-28"}});
    let (_, said) = client.post(&format!("{href}/errors/7/check"), None, &half).await;
    assert_eq!(
        (&said["passes"], &said["issues"][0]["column"]),
        (&json!(false), &json!("area_number"))
    );
    let whole = json!({"values": {"check_date": "2026-02-28", "area_number": "370481"}});
    let (_, said) = client.post(&format!("{href}/errors/7/check"), None, &whole).await;
    assert_eq!(said["passes"], true, "{said}");
    let (status, _) = client.post(&format!("{href}/errors/7"), Some("m"), &whole).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    client.run().await;
    let (_, cells) = client.get(&format!("{href}/errors/7")).await;
    assert_eq!(cells["state"], "mended");
    let (status, again) = client.post(&format!("{href}/errors/7"), Some("m2"), &whole).await;
    assert_eq!((status, &again["code"]), (StatusCode::CONFLICT, &json!("datahub.already_mended")));
}

#[tokio::test]
async fn rows_are_judged_as_they_are_typed_and_a_table_that_may_not_be_typed_says_so() {
    let client = Client::new().await;
    let path = "/api/v1/datahub/tables/punish_action/check";
    let body = json!({"cd_source": SOURCE, "columns": ["决定日期", "罚款金额"], "rows": [["2026-02-31", "abc"]]});
    let (status, said) = client.post(path, None, &body).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!((&said["rows"][0]["passes"], &said["refusal"]), (&json!(false), &Value::Null));
    let body = json!({"cd_source": SOURCE, "columns": [], "rows": []});
    let (_, said) = client.post("/api/v1/datahub/tables/check_action/check", None, &body).await;
    assert!(said["refusal"].as_str().expect("a reason").contains("channel.check_action.manual"));
    let wide: Vec<Option<String>> = vec![None; 100];
    let body = json!({"cd_source": SOURCE, "columns": ["a"], "rows": vec![wide; 501]});
    let (status, refused) = client.post(path, None, &body).await;
    assert_eq!(
        (status, &refused["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("datahub.too_large"))
    );
}

#[tokio::test]
async fn a_list_leaves_as_a_file_of_exactly_what_is_seen_and_the_journal_knows() {
    let client = Client::new().await;
    for number in 0..3_u64 {
        let code = uscc(number);
        let file = File::of("check_action", &[]).row(&[("administrative_cp_ui_code", &code)]);
        client.hand_in(&file, &format!("={number}.csv")).await;
    }
    client.hand_in(&faulty(), "faulty.csv").await;
    let (_, sorted) = client.get("/api/v1/datahub/batches?sort=-error&limit=2").await;
    assert_eq!(sorted["items"][0]["counts"]["error"], 7);
    let next = sorted["next_cursor"].as_str().expect("a cursor");
    let (_, rest) =
        client.get(&format!("/api/v1/datahub/batches?sort=-error&limit=2&cursor={next}")).await;
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(rest["next_cursor"], Value::Null, "each batch once");

    let body = json!({"format": "csv", "columns": ["file", "error"], "filters": {"table": "check_action", "sort": "-error"}});
    let request = Request::post("/api/v1/datahub/batches/export")
        .header("authorization", "Bearer operator")
        .header("content-type", "application/json");
    let answer = client.send(request, body.to_string()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["x-export-rows"], "4");
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("文件,错误"), "{text}");
    assert_eq!(lines[1], "faulty.csv,7");
    assert!(!lines.iter().any(|line| line.starts_with('=')), "a formula is neutralised: {text}");
    let row = client
        .world
        .kit
        .db()
        .fetch_one("SELECT actor, reason FROM act_journal WHERE object LIKE 'data_export:%'", &[])
        .await
        .expect("one act");
    use mj_platform::RowExt;
    assert_eq!(row.text("actor").expect("who"), "account:operator");
    assert_eq!(row.text("reason").expect("why"), "导出数据批次 4 行");
    let body = json!({"format": "csv", "columns": ["no such column"], "filters": {}});
    let (status, refused) = client.post("/api/v1/datahub/batches/export", None, &body).await;
    assert_eq!(
        (status, &refused["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("export.columns"))
    );
    let request =
        Request::get("/api/v1/datahub/batches").header("authorization", "Bearer operator");
    assert_eq!(client.send(request, Body::empty()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_file_that_was_not_understood_is_not_called_done_in_the_list_that_leaves() {
    let client = Client::new().await;
    // a heading and nothing below it
    client.hand_in(&File::of("check_action", &[]), "header.csv").await;
    client.hand_in(&faulty(), "faulty.csv").await;
    let body = json!({"format": "csv", "columns": ["file", "state"], "filters": {"sort": "error"}});
    let request = Request::post("/api/v1/datahub/batches/export")
        .header("authorization", "Bearer operator")
        .header("content-type", "application/json");
    let answer = client.send(request, body.to_string()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(&lines[1..3], ["header.csv,未收录", "faulty.csv,已完成"], "{text}");
}
