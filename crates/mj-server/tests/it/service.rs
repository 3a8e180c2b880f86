//! Starting, answering and stopping, as whoever runs the machine sees it.

use std::fs;

use serde_json::json;

use crate::house::{House, enrolment_codes, furnished, text_of};
use crate::http::Token;

#[test]
fn a_first_start_prints_three_codes_once_and_each_opens_one_account() {
    let house = House::bare();
    let node = house.serve();
    let codes = enrolment_codes(&node.log());
    let enrol = |code: &str, login: &str, password: &str| {
        let person = json!({"code": code, "login": login, "password": password, "name": "张三"});
        node.door.post(&Token::default(), "/api/v1/enrolments", &person)
    };
    let weak = enrol(&codes[0], "zhang", "password2026");
    assert!((400..500).contains(&weak.status), "{}", weak.text());
    enrol(&codes[0], "zhang", "滕州的秋天有大白菜和葱").expect(201);
    let twice = enrol(&codes[0], "li", "滕州的秋天有大白菜和葱");
    assert!((400..500).contains(&twice.status), "{}", twice.text());
    let log = node.log();
    assert!(node.stop().success());
    assert!(!log.contains("大白菜"));
    let node = house.serve();
    assert!(!node.log().contains(&codes[1]), "codes are shown once");
    assert!(node.stop().success());
    let keys = house.data().join("keys");
    for entry in fs::read_dir(&keys).expect("keys") {
        use std::os::unix::fs::PermissionsExt;
        let mode = entry.expect("an entry").metadata().expect("asked").permissions().mode();
        assert_eq!(mode & 0o077, 0, "keys are the owner's alone");
    }
}

#[test]
fn a_running_node_answers_on_both_families_and_says_what_it_is() {
    let house = House::furnished();
    let node = house.serve();
    let database = if house.database.is_some() { "postgres" } else { "sqlite" };
    for door in [node.door, node.door.over_ipv6()] {
        let health = door.try_get("/healthz").expect("an answer");
        let shape =
            json!({"state": "ready", "version": env!("CARGO_PKG_VERSION"), "database": database});
        assert_eq!(health.expect(200), shape);
    }
    let document = node.door.get(&Token::default(), "/api/v1/openapi.json").expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/v1/datahub/batches"]["post"].is_object());
    for path in ["/desk/", "/desk/datahub", "/m/", "/m/tasks"] {
        let face = node.door.get(&Token::default(), path);
        match face.status {
            200 => {
                let page = face.text();
                let shows = page.contains("<script") || page.contains("<h1>");
                assert!(shows, "{path} is a blank page: {page}");
            }
            503 => assert!(face.text().contains("make web"), "{path}: {}", face.text()),
            other => panic!("{path}: {other}"),
        }
        assert!(face.header("content-type").starts_with("text/html"), "{path}");
    }
    let missing = node.door.get(&Token::default(), "/desk/assets/nothing.js");
    assert!(matches!(missing.status, 404 | 503), "a missing script is never a page");
    let unknown = node.door.get(&furnished().operator, "/api/v1/nothing");
    assert_eq!(unknown.status, 404);
    // who was refused what is a line of the log
    node.door.get(&furnished().operator, "/api/v1/log/entries/0").expect(403);
    let log = node.log();
    let line = log.lines().find(|line| line.contains("拒绝") && line.contains("ledger.entry.read"));
    let line = line.unwrap_or_else(|| panic!("no line of the refusal: {log}"));
    assert!(line.contains("\"account:") && line.contains("access.denied"), "{line}");
    assert!(line.contains("request_id"), "{line}");
    let closed = node.door.get(&Token::default(), "/api/v1/datahub/batches").expect(401);
    assert!(closed["title"].as_str().is_some_and(|title| !title.is_ascii()), "{closed}");
    assert!(node.stop().success());
}

#[test]
fn two_processes_never_share_a_data_directory() {
    let house = House::furnished();
    let node = house.serve();
    for command in [&["serve", "--port", "0"][..], &["migrate"], &["demo", "--port", "0"]] {
        let ran = house.run(command);
        assert_eq!(ran.code, 2, "{command:?}: {}", ran.err);
        assert!(ran.err.contains("正在运行") || ran.err.contains("正由另一个"), "{}", ran.err);
    }
    // reading beside it is allowed
    house.is_clean();
    let port = node.door.port().to_string();
    let elsewhere = House::bare();
    let taken = elsewhere.run(&["serve", "--port", &port]);
    assert_eq!(taken.code, 2, "{}", taken.err);
    assert!(taken.err.contains(&port) && taken.err.contains("--port"), "{}", taken.err);
    assert!(node.stop().success());
}

#[test]
fn a_wrong_configuration_is_said_at_once_and_in_words() {
    let house = House::bare();
    let toml = house.data().join("mingjian.toml");
    let cases = [
        ("[server]\nport = 99999\n", "port"),
        ("[serve]\nport = 1\n", "serve"),
        ("[server\n", "mingjian.toml"),
        ("[server]\naddress = \"everywhere\"\n", "server.address"),
        ("[node]\narea = \"枣庄\"\n", "node.area"),
        ("[access]\nadmin_networks = [\"10.20.0.0/40\"]\n", "access.admin_networks"),
        ("[access]\nadmin_networks = [\"10.20.3.4/16\"]\n", "10.20.0.0/16"),
        ("[server]\ntrusted_proxies = [\"nginx\"]\n", "server.trusted_proxies"),
    ];
    for (text, word) in cases {
        fs::write(&toml, text).expect("written");
        for command in ["serve", "doctor"] {
            let ran = house.run(&[command]);
            assert_eq!(ran.code, 2, "{command} with {text}: {}", ran.err);
            assert!(ran.err.contains(word), "{text}: {}", ran.err);
            assert!(!ran.err.is_ascii(), "{text}: {}", ran.err);
        }
    }
    fs::remove_file(&toml).expect("removed");
    let mut command = house.command(&["serve"]);
    command.env("MINGJIAN_DATABASE_URL", "mysql://localhost/x");
    let output = command.output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("postgres://") && words.contains("database.url"), "{words}");
    let nowhere = house.data().join("none");
    let ran = house.run(&["doctor", "--data-dir", text_of(&nowhere)]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    assert!(!nowhere.exists(), "looking makes nothing");
    assert_eq!(house.run(&["no-such-command"]).code, 2);
}

#[test]
fn a_copied_directory_is_the_same_node() {
    let house = House::furnished();
    house.import_clean("check_action", "a.csv", crate::rows::inspections(0..30, |_| Vec::new()));
    let copy = house.copy();
    assert_eq!(copy.digest(), house.digest());
    copy.is_clean();
    let node = copy.serve();
    let list = node.door.get(&furnished().operator, "/api/v1/datahub/batches").expect(200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    assert!(node.stop().success());
}
