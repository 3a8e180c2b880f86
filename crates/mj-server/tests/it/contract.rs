//! Sentences of docs/contracts.md that no other story proves.

use serde_json::{Value, json};

use crate::house::{House, furnished, run, run_with};
use crate::http::Token;
use crate::rows::{Sheet, inspections};

const CONTRACTS: &str = include_str!("../../../../docs/contracts.md");

#[test]
fn all_seven_kinds_of_code_are_checked_from_a_file_or_from_a_pipe() {
    let house = House::bare();
    for (kind, right, wrong) in [
        ("uscc", "91350100M000100Y43", "91350100M000100Y44"),
        ("org", "MA3C00000", "12345678"),
        ("citizen-id", &*crate::rows::citizen(1), "110101199013077211"),
        ("regno", "370400000000002", "37040000000000"),
        ("division", "370402", "3704"),
        ("industry", "5211", "ZZZ"),
        ("item", "31010001000001", "310100010000"),
    ] {
        let ask = |args: &[&str], input: &str| {
            let mut all = vec!["check", "codes", "--kind", kind];
            all.extend(args);
            let ran = run_with(&all, input.as_bytes());
            let lines: Vec<String> = ran.out.lines().map(str::to_owned).collect();
            (ran.code, lines)
        };
        let (code, lines) = ask(&["-"], &format!("{wrong}\n"));
        assert_eq!((code, lines.len()), (1, 1), "{kind}: {lines:?}");
        let parts: Vec<&str> = lines[0].split('\t').collect();
        assert_eq!((parts.len(), parts[0]), (3, wrong), "{kind}");
        assert!(parts[1].contains('.') && parts[1].is_ascii(), "{kind}: {}", parts[1]);
        assert!(!parts[2].is_ascii(), "{kind}: {}", parts[2]);
        let file = house.file("codes.txt", format!("{right}\n{wrong}\n"));
        let from_file = ask(&[crate::house::text_of(&file)], "");
        assert_eq!((from_file.0, from_file.1.len()), (1, 2), "{kind}");
        assert_eq!(from_file.1[1], lines[0], "{kind}: file and pipe say the same");
        let verdict = from_file.1[0].split('\t').nth(1).expect("a verdict");
        if !matches!(kind, "org" | "regno") {
            assert_eq!(verdict, "ok", "{kind}: {}", from_file.1[0]);
        }
    }
    // the widths a division, an industry and an item may have
    for (kind, input, verdicts) in [
        ("division", "370402\n370402001\n370402001001\n3704020\n", [true, true, true, false]),
        ("industry", "F\n51\n5211\n52111\n", [true, true, true, false]),
        ("item", "31010001000001\n31010001\n\n310100010000011\n", [true, false, false, false]),
    ] {
        let ran = run_with(&["check", "codes", "--kind", kind], input.as_bytes());
        let said: Vec<bool> =
            ran.out.lines().map(|line| line.split('\t').nth(1) == Some("ok")).collect();
        assert_eq!(said, verdicts, "{kind}: {}", ran.out);
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_exit_3() {
    let house = House::bare();
    let below_a_file = house.file("file", "").join("db.sqlite3");
    let url = format!("sqlite:{}", below_a_file.display());
    for command in ["serve", "migrate"] {
        let ran = house.at(&url).run(&[command]);
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{command}: {}", ran.err);
        assert!(!ran.err.is_ascii(), "{command}: {}", ran.err);
    }
}

#[test]
fn a_data_directory_holds_what_the_contract_names_and_nothing_else() {
    let house = House::furnished();
    house.import_clean("check_action", "a.csv", inspections(0..20, |_| Vec::new()));
    let node = house.serve();
    assert!(node.stop().success());
    let line = CONTRACTS.split("## 2. Data directory").nth(1).expect("section 2");
    let line = line.lines().find(|line| line.starts_with('`')).expect("the list");
    let named: Vec<&str> = line
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|name| name.split('/').next().unwrap_or(name))
        .collect();
    assert!(named.contains(&"keys") && named.contains(&"LOCK"), "{named:?}");
    for entry in std::fs::read_dir(house.data()).expect("a folder") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        // files for download, made anew from the store
        if name == "open-data" {
            continue;
        }
        assert!(named.contains(&name.as_str()), "{name} is not in the contract: {named:?}");
    }
    if house.database.is_none() {
        assert!(house.data().join("db/mingjian.sqlite3").is_file());
    }
}

#[test]
fn the_roles_are_those_of_the_contract_in_its_order() {
    let line = CONTRACTS.split("- Roles (each with a scope): `").nth(1).expect("the roles");
    let named: String = line.split('`').next().expect("an end").split_whitespace().collect();
    let ours: Vec<&str> = mj_kernel::Role::ALL.iter().map(|role| role.name()).collect();
    assert_eq!(ours.join(","), named);
}

fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the document")).expect("JSON")
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let mut all = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            all.push((path.clone(), method.clone(), operation.clone()));
        }
    }
    all
}

fn parameters(operation: &Value) -> Vec<&str> {
    let list = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| one["name"].as_str()).collect()
}

#[test]
fn every_create_but_a_session_needs_a_key() {
    // each of these gives out a secret that is shown once and cannot be rendered anew
    const SECRETS: [&str; 3] = [
        "/api/v1/sessions",
        // a session too, opened by two holders
        "/api/v1/emergency-sessions",
        "/api/v1/datahub/sources/{cd_source}/token",
    ];
    let mut creates = 0;
    for (path, method, operation) in operations(&document()) {
        let answers = operation["responses"].as_object().expect("answers");
        let creates_something = ["201", "202"].iter().any(|status| answers.contains_key(*status));
        if method != "post" || !creates_something || SECRETS.contains(&path.as_str()) {
            continue;
        }
        creates += 1;
        assert!(parameters(&operation).contains(&"Idempotency-Key"), "{path} takes no key");
    }
    assert!(creates > 5, "only {creates} creates");
}

#[test]
fn every_answer_of_the_interface_keeps_to_the_contract() {
    let document = document();
    let house = House::furnished();
    let node = house.serve();
    let operator = &furnished().operator;
    let mut lists = 0;
    for (path, method, operation) in operations(&document) {
        assert!(path.starts_with("/api/v1/"), "{path}");
        let answer = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let asked = parameters(&operation);
        // what has a cursor is a list, and what is a list with a next page takes one
        if answer["properties"]["next_cursor"].is_object() {
            lists += 1;
            assert!(asked.contains(&"limit") && asked.contains(&"cursor"), "{path}: {asked:?}");
            assert!(answer["properties"]["items"].is_object(), "{path}");
        }
        if method != "get" || path.contains('{') {
            continue;
        }
        let got = node.door.get(operator, &path);
        if got.status >= 400 {
            let code = got.json()["code"].as_str().unwrap_or_default().to_owned();
            let problem = got.problem(got.status, &code);
            assert!(!code.is_empty() && code.is_ascii(), "{path}: {problem}");
            assert!(problem["errors"].is_array(), "{path}: {problem}");
            assert_ne!(got.status, 500, "{path}: {problem}");
        } else if answer["properties"]["next_cursor"].is_object() {
            let page = got.json();
            assert!(
                page["items"].is_array() && page.get("next_cursor").is_some(),
                "{path}: {page}"
            );
        }
    }
    assert!(lists > 3, "only {lists} lists");
    let missing = node.door.get(operator, "/api/v1/no/such/thing");
    missing.problem(404, "not_found");
    assert!(node.stop().success());
}

#[test]
fn a_create_may_bring_its_own_id_if_it_is_a_uuid_of_version_7() {
    let house = House::furnished();
    let node = house.serve();
    let system = &furnished().system;
    let account = |id: &str, login: &str| json!({"id": id, "login": login, "name": "王芳"});
    let own = mj_platform::new_id();
    let path = "/api/v1/access/accounts";
    let made = node.door.post(system, path, &account(&own, "wang-fang")).expect(201);
    assert_eq!(made["id"], own);
    for wrong in ["1", "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"] {
        let refused = node.door.post(system, path, &account(wrong, "li-si"));
        assert_eq!(refused.status, 422, "{wrong}: {}", refused.text());
    }
    assert!(node.stop().success());
}

#[test]
fn a_session_opens_with_a_token_and_the_cookie_is_for_this_host_alone() {
    let house = House::furnished();
    let node = house.serve();
    let body = json!({"login": "operator", "password": crate::house::secret("operator")});
    let opened = node.door.post(&Token::default(), "/api/v1/sessions", &body);
    let session = opened.expect(201);
    let state = session["state"].as_str().expect("a state");
    assert!(["active", "second_factor", "enrol"].contains(&state), "{session}");
    let token = session["token"].as_str().expect("a token");
    assert!(session["csrf_token"].is_string(), "{session}");
    let cookie = opened.header("set-cookie");
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    for word in ["Secure", "HttpOnly", "Path=/"] {
        assert!(cookie.contains(word), "{word}: {cookie}");
    }
    let path = "/api/v1/datahub/batches";
    node.door.get(&Token::bearer(token), path).expect(200);
    let cookie = cookie.split(';').next().expect("a cookie");
    let by_cookie = node.door.ask("GET", &Token::default(), path, &[("cookie", cookie)], &[]);
    by_cookie.expect(200);
    assert!(node.stop().success());
}

#[test]
fn without_a_catalogue_the_rules_about_it_say_what_is_missing() {
    let house = House::furnished();
    let file = house.file("a.csv", inspections(0..2, |_| Vec::new()));
    let beside = house.check("check_action", &file);
    let reason = |report: &Value| {
        let list = report["rules_not_run"].as_array().expect("a list").clone();
        let rule = "check_action.supervise_item_implement_code.in_force";
        let one = list.into_iter().find(|one| one["rule"] == rule).expect("not run");
        one["reason"].as_str().expect("words").to_owned()
    };
    let beside = reason(&beside.json());
    assert!(beside.contains("还没有") && !beside.contains("--data-dir"), "{beside}");
    let alone = run(&["check", "table", "check_action", crate::house::text_of(&file), "--json"]);
    assert!(reason(&alone.json()).contains("--data-dir"), "{}", alone.out);
    // the same verdict by both doors
    let empty = house.file("header.csv", Sheet::of("check_action", &[]));
    let checked = run(&["check", "table", "check_action", crate::house::text_of(&empty), "--json"]);
    let imported = house.import("check_action", &empty);
    assert_eq!((checked.code, imported.code), (1, 1), "{} {}", checked.out, imported.out);
}
