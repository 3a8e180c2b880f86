//! A department's system delivers over HTTP (docs/contracts.md 4).

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::bad_input::counted;
use crate::house::{House, Node, PUSHER, SOURCE, furnished};
use crate::http::{Answer, Token};
use crate::rows::{batch_number, beijing_time, inspections, pushed};

const BATCHES: &str = "/api/v1/datahub/batches";

fn delivery(cd_source: &str, number: u32, rows: &[Value]) -> Value {
    json!({"table": "check_action", "cd_source": cd_source, "cd_batch": batch_number(number),
        "rows": rows})
}

fn push(node: &Node<'_>, token: &Token, body: &Value, key: &str) -> Answer {
    node.door.post_as(token, BATCHES, body, key)
}

#[test]
fn a_push_is_taken_in_counted_and_recognised_when_it_comes_again() {
    let house = House::furnished();
    let people = furnished();
    let node = house.serve();
    let late = pushed(4, &[("check_date", "2025-02-31")]);
    let rows = [pushed(1, &[]), pushed(2, &[]), pushed(1, &[]), late];
    let body = delivery(SOURCE, 1, &rows);
    let first = push(&node, &people.source, &body, "k1");
    let answer = first.expect(202);
    let keys: Vec<&str> =
        answer.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["batch_id", "state", "rows_received", "href"]);
    assert_eq!(answer["rows_received"], 4);
    let href = answer["href"].as_str().expect("an address");
    assert!(href.ends_with(answer["batch_id"].as_str().expect("an id")), "{href}");
    // the system itself may follow its batch, and so may the operator
    let settled = node.door.settled(&people.source, href);
    assert_eq!(
        settled["counts"],
        json!({"front": 4, "pending": 0, "correct": 2, "error": 1, "duplicate": 1, "superseded": 0})
    );
    assert_eq!(settled["by_class"], json!({"05": 1, "10": 1}), "{settled}");
    assert_eq!(node.door.get(&people.operator, href).expect(200)["counts"], settled["counts"]);

    assert_eq!(first.header("idempotency-replayed"), "");
    let again = push(&node, &people.source, &body, "k1");
    assert_eq!(again.expect(202)["batch_id"], answer["batch_id"]);
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other_key = push(&node, &people.source, &body, "k2");
    assert_eq!(
        other_key.expect(202)["batch_id"],
        answer["batch_id"],
        "the same body, the same batch"
    );
    let other = delivery(SOURCE, 1, &[pushed(9, &[])]);
    push(&node, &people.source, &other, "k3").problem(409, "datahub.batch_conflict");
    push(&node, &people.source, &other, "k1").problem(409, "idempotency.conflict");
    let without = node.door.ask(
        "POST",
        &people.source,
        BATCHES,
        &[("content-type", "application/json")],
        body.to_string().as_bytes(),
    );
    without.problem(400, "idempotency.key_required");
    let same_number_elsewhere = delivery(PUSHER, 1, &rows);
    push(&node, &people.pusher, &same_number_elsewhere, "k1").expect(202);
    let list =
        node.door.get(&people.operator, &format!("{BATCHES}?table=check_action")).expect(200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2), "{list}");
    assert!(node.stop().success());
    house.is_clean();
}

#[test]
fn nobody_delivers_for_another_or_by_a_way_that_is_closed() {
    let house = House::furnished();
    let people = furnished();
    let node = house.serve();
    let rows = [pushed(1, &[])];
    let foreign = push(&node, &people.stranger, &delivery(SOURCE, 1, &rows), "a");
    let unknown = push(&node, &people.stranger, &delivery("nobody", 1, &rows), "b");
    for refused in [&foreign, &unknown] {
        let mut problem = refused.expect(404);
        assert!(problem["trace_id"].as_str().is_some_and(|id| !id.is_empty()));
        problem["trace_id"] = Value::Null;
        let mut other = unknown.json();
        other["trace_id"] = Value::Null;
        assert_eq!(problem, other, "out of scope and missing look the same");
    }
    push(&node, &Token::default(), &delivery(SOURCE, 1, &rows), "c").expect(401);
    push(&node, &Token::bearer("wrong"), &delivery(SOURCE, 1, &rows), "d").expect(401);
    // this source registered pushes of inspections only
    let mut body = delivery(PUSHER, 1, &rows);
    body["table"] = json!("punish_action");
    let closed =
        push(&node, &people.pusher, &body, "e").problem(403, "datahub.channel_not_approved");
    assert!(
        closed["detail"].as_str().is_some_and(|text| text.contains("source.tables")),
        "{closed}"
    );
    let bytes = inspections(1..2, |_| Vec::new());
    let sha256 = hex(bytes.as_ref());
    let path = format!("/api/v1/datahub/uploads/{sha256}");
    node.door.ask("PUT", &people.pusher, &path, &[], bytes.as_ref()).expect(201);
    let body = json!({"table": "check_action", "cd_source": PUSHER, "cd_batch": batch_number(1),
        "upload": {"sha256": sha256, "format": "csv"}});
    let closed =
        push(&node, &people.pusher, &body, "f").problem(403, "datahub.channel_not_approved");
    assert!(
        closed["detail"].as_str().is_some_and(|text| text.contains("source.channels")),
        "{closed}"
    );
    // since the end of 2022 an inspection is never typed in afterwards
    let typed = format!("{BATCHES}/file?table=check_action&cd_source={SOURCE}&channel=manual");
    let typed = node.door.ask(
        "POST",
        &people.operator,
        &typed,
        &[("idempotency-key", "g")],
        bytes.as_ref(),
    );
    let closed = typed.problem(403, "datahub.channel_not_approved");
    let words = closed["detail"].as_str().expect("a text");
    assert!(words.contains("channel.check_action.manual"), "the rule is named: {closed}");
    // the operator's scope ends at the province
    let nothing = node.door.get(&people.operator, &format!("{BATCHES}?limit=5")).expect(200);
    assert_eq!(nothing["items"], json!([]), "nothing was taken in");
    assert!(node.stop().success());
    house.is_clean();
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_large_file_comes_in_two_parts_with_a_broken_line_between() {
    let house = House::furnished();
    let people = furnished();
    let file = inspections(1..400, |_| Vec::new());
    let bytes = file.as_ref();
    let (sha256, total, half) = (hex(bytes), bytes.len(), bytes.len() / 2);
    let path = format!("/api/v1/datahub/uploads/{sha256}");
    let part = |node: &Node<'_>, token: &Token, from: usize, to: usize| {
        let range = format!("bytes {from}-{}/{total}", to - 1);
        node.door.ask("PUT", token, &path, &[("content-range", &range)], &bytes[from..to])
    };
    let body = json!({"table": "check_action", "cd_source": SOURCE, "cd_batch": batch_number(7),
        "upload": {"sha256": sha256, "format": "csv"}});
    let node = house.serve();
    let offset = |node: &Node<'_>, token: &Token| {
        let head = node.door.ask("HEAD", token, &path, &[], &[]);
        assert!(matches!(head.status, 200 | 204), "{}", head.status);
        head.header("upload-offset").to_owned()
    };
    assert_eq!(offset(&node, &people.source), "0");
    assert_eq!(part(&node, &people.source, 0, half).status, 204);
    push(&node, &people.source, &body, "u0").problem(422, "datahub.upload_missing");
    // the node is restarted; what had arrived is still there, for its sender alone
    assert!(node.stop().success());
    let node = house.serve();
    assert_eq!(offset(&node, &people.source), half.to_string());
    assert_eq!(offset(&node, &people.stranger), "0");
    let wrong = part(&node, &people.source, half + 10, total);
    wrong.problem(409, "datahub.upload_offset");
    assert_eq!(wrong.header("upload-offset"), half.to_string());
    assert_eq!(part(&node, &people.source, half, total).status, 201);
    let answer = push(&node, &people.source, &body, "u1").expect(202);
    let settled = node.door.settled(&people.source, answer["href"].as_str().expect("an address"));
    assert_eq!((counted(&settled)["front"], counted(&settled)["correct"]), (399, 399));
    let again = push(&node, &people.source, &body, "u2").expect(202);
    assert_eq!(again["batch_id"], answer["batch_id"]);
    let lie = format!("/api/v1/datahub/uploads/{}", "0".repeat(64));
    node.door.ask("PUT", &people.source, &lie, &[], bytes).problem(422, "datahub.upload_digest");
    node.door.ask("PUT", &people.source, "/api/v1/datahub/uploads/short", &[], bytes).expect(422);
    assert!(node.stop().success());
    house.is_clean();
    // the same rows by the other door end in the same record
    let beside = House::furnished();
    beside.import_clean("check_action", "same.csv", &file);
    assert_eq!(beside.digest(), house.digest());
}

#[test]
fn whatever_is_wrong_with_rows_the_delivery_is_taken_in() {
    let house = House::furnished();
    let people = furnished();
    let node = house.serve();
    let without = |column: &str| {
        let mut row = pushed(20, &[]);
        row.as_object_mut().expect("an object").remove(column);
        row
    };
    let rows = [
        pushed(1, &[]),
        without("cd_id"),
        without("cd_time"),
        without("cd_operation"),
        pushed(5, &[("cd_operation", "x")]),
        pushed(6, &[("cd_time", "yesterday")]),
        pushed(7, &[("cd_time", &beijing_time(6 * 60))]),
        pushed(8, &[("cd_time", &beijing_time(4 * 60))]),
        pushed(9, &[("no_such_column", "x")]),
        pushed(10, &[("check_result", "77")]),
        json!({}),
        json!({"check_action_code": 5, "check_date": {"year": 2025}, "check_form": ["01"]}),
        pushed(13, &[("administrative_cp_na", "枣庄\0饭店")]),
    ];
    let body = delivery(SOURCE, 1, &rows);
    let answer = push(&node, &people.source, &body, "k").expect(202);
    assert_eq!(answer["rows_received"], 13);
    let href = answer["href"].as_str().expect("an address");
    let settled = node.door.settled(&people.source, href);
    let counts = counted(&settled);
    assert_eq!(counts["front"], 13, "{settled}");
    let errors = node.door.get(&people.operator, &format!("{href}/errors?limit=50")).expect(200);
    let refused = |row: u64| -> Vec<String> {
        let items = errors["items"].as_array().expect("rows");
        let Some(item) = items.iter().find(|item| item["row"] == row) else { return Vec::new() };
        let issues = item["issues"].as_array().expect("issues");
        let errors = issues.iter().filter(|issue| issue["severity"] == "error");
        errors.filter_map(|issue| issue["class"].as_str().map(str::to_owned)).collect()
    };
    for row in [2, 3, 4, 5, 6, 10, 11, 12, 13] {
        assert!(!refused(row).is_empty(), "row {row} was taken: {errors}");
    }
    for row in [1, 8] {
        assert!(refused(row).is_empty(), "row {row} was refused: {errors}");
    }
    assert_eq!(refused(7), ["10"], "six minutes ahead of the clock: {errors}");
    assert_eq!(counts["error"], errors["items"].as_array().map_or(0, |items| items.len() as i64));

    // a character that no database keeps is told in words wherever it is typed
    let typed = node.door.get(&people.operator, "/api/v1/registry/parties#%E9%A5%AD%00");
    assert_eq!(
        (typed.status, &typed.json()["code"]),
        (422, &json!("input.nul")),
        "{}",
        typed.text()
    );
    let source = json!({"cd_source": "370400_00009", "name": "系\0统", "kind": "agency",
        "agency": "11370400MB2857543P", "area": "370400", "channels": ["file"], "tables": []});
    let typed = node.door.post(&people.operator, "/api/v1/datahub/sources", &source);
    assert_eq!(
        (typed.status, &typed.json()["code"]),
        (422, &json!("input.nul")),
        "{}",
        typed.text()
    );

    // what is no batch at all is the caller's mistake
    for (key, wrong) in [
        (
            "a",
            json!({"table": "nothing", "cd_source": SOURCE, "cd_batch": batch_number(2), "rows": []}),
        ),
        (
            "b",
            json!({"table": "check_action", "cd_source": SOURCE, "cd_batch": "12", "rows": [{}]}),
        ),
        ("c", json!({"table": "check_action", "cd_source": SOURCE})),
        ("d", json!([1, 2, 3])),
    ] {
        let refused = push(&node, &people.source, &wrong, key);
        assert!((400..500).contains(&refused.status), "{}: {}", refused.status, refused.text());
        assert!(refused.json()["code"].is_string(), "{}", refused.text());
    }
    let headers = [("content-type", "application/json"), ("idempotency-key", "e")];
    let torn = node.door.ask("POST", &people.source, BATCHES, &headers, b"{\"table\": ");
    assert_eq!(torn.status, 400, "{}", torn.text());
    let large = vec![b' '; (10 << 20) + 1];
    let large = node.door.ask("POST", &people.source, BATCHES, &headers, &large);
    assert_eq!(large.status, 413, "{}", large.text());
    assert!(node.stop().success());
    house.is_clean();
}

#[test]
fn the_newest_time_of_the_source_decides_and_a_tie_goes_to_the_later_arrival() {
    let house = House::furnished();
    let people = furnished();
    let node = house.serve();
    let send = |number: u32, time: &str, result: &str| {
        let row = pushed(1, &[("cd_time", time), ("check_result", result), ("cd_operation", "u")]);
        let answer =
            push(&node, &people.source, &delivery(SOURCE, number, &[row]), &number.to_string());
        let answer = answer.expect(202);
        let href = answer["href"].as_str().expect("an address");
        let counts = counted(&node.door.settled(&people.source, href));
        let layer = counts.iter().find(|(name, count)| **count == 1 && *name != "front");
        layer.map(|(name, _)| name.clone()).unwrap_or_default()
    };
    assert_eq!(send(1, "2025-07-02 08:00:00", "01"), "correct");
    assert_eq!(send(2, "2025-07-01 08:00:00", "02"), "superseded");
    assert_eq!(send(3, "2025-07-02 08:00:00", "03"), "correct");
    assert_eq!(send(4, "2025-07-03 08:00:00", "03"), "duplicate", "newer, but nothing new in it");
    assert!(node.stop().success());
    house.is_clean();
}
