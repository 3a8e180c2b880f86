//! Fifty people (five thousand with `MJ_LONG`) are named in what departments hand in, rightly and wrongly. Nobody who
//! reads the disk, the log, a dump of the database or a backup learns their numbers.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::json;

use crate::house::{Furnished, House, SOURCE, files_in, furnished, login, run, secret, text_of};
use crate::http::{Door, Token};
use crate::rows::{Sheet, batch_number, birth_day, citizen, inspections, pushed, wrong_citizen};

/// The long form asks what trust.md S15 does.
static PEOPLE: LazyLock<u64> =
    LazyLock::new(|| if std::env::var_os("MJ_LONG").is_some() { 5_000 } else { 50 });
/// Rows of one push.
const PUSHED_AT_ONCE: usize = 500;

/// Every fifth.
fn refused() -> i64 {
    i64::try_from(*PEOPLE / 5).expect("few")
}

fn phone(number: u64) -> String {
    format!("13876{:06}", 543_000 + number * 7)
}

/// The register of these people; every fifth row is refused.
fn register() -> Sheet {
    let mut sheet = Sheet::of("object_person", &[]);
    for number in 0..*PEOPLE {
        let (code, phone, born) = (citizen(number), phone(number), birth_day(number));
        let gender = if number % 5 == 4 { "2" } else { "1" };
        sheet.push(&[
            ("administrative_cp_ui_code", &code),
            ("phone", &phone),
            ("birth_date", &born),
            ("gender", gender),
        ]);
    }
    sheet
}

/// Inspections of these people, by file; every fifth with a number that cannot be.
fn acts() -> Sheet {
    inspections(0..*PEOPLE, |number| {
        let code = if number % 5 == 4 { wrong_citizen(number) } else { citizen(number) };
        vec![
            ("administrative_cp_na", "01".to_owned()),
            ("administrative_cp_ce_type", "111".to_owned()),
            ("administrative_cp_ui_code", code),
        ]
    })
}

/// Enterprises whose contact is one of them.
fn enterprises() -> Sheet {
    let mut sheet = Sheet::of("object_enterprise", &[]);
    for number in 0..*PEOPLE {
        let (uscc, contact) = (crate::rows::uscc(number), citizen(number));
        // swapped columns: the phone stands where a date is expected
        let date = if number % 5 == 4 { phone(number) } else { "2020-03-02".to_owned() };
        sheet.push(&[
            ("uscc", &uscc),
            ("contact_id_no", &contact),
            ("contact_phone", &phone(number)),
            ("approval_date", &date),
        ]);
    }
    sheet
}

/// The same people as officers; every fifth row is refused.
fn officers() -> Sheet {
    let mut sheet = Sheet::of("law_officer", &[]);
    for number in 0..*PEOPLE {
        let (code, phone, born) = (citizen(number), phone(number), birth_day(number));
        let certificate = format!("1504010{number:04}");
        sheet.push(&[
            ("id_no", &code),
            ("phone", &phone),
            ("birth_date", &born),
            ("gender", if number % 5 == 4 { "2" } else { "1" }),
            ("certificate_no", &certificate),
            ("org_full_name", "枣庄市市场监督管理局"),
        ]);
    }
    sheet
}

/// A clerk who may see a masked value.
fn clerk(door: Door, people: &Furnished) -> Token {
    let account = json!({"login": "clerk", "name": "经办人"});
    let made = door.post(&people.system, "/api/v1/access/accounts", &account).expect(201);
    let person = json!({"code": made["activation_code"], "login": "clerk",
        "password": secret("clerk")});
    door.post(&Token::default(), "/api/v1/enrolments", &person).expect(201);
    let requests = "/api/v1/access/grant-requests";
    let grant = json!({"account_id": made["id"], "role": "clerk", "areas": ["370400"],
        "level": "personal", "reason": "核对送达地址"});
    let asked = door.post(&people.security, requests, &grant).expect(201);
    let confirm = format!("{requests}/{}/confirm", asked["id"].as_str().expect("an id"));
    let version = json!({"version": asked["version"]});
    door.post(&people.auditor, &confirm, &version).expect(200);
    login(door, "clerk")
}

/// Some of the numbers are seen in clear, wherever they stand: whoever asked is told, nothing else is.
fn seen(door: Door, people: &Furnished) {
    let clerk = clerk(door, people);
    let first = |path: &str| door.get(&clerk, path).expect(200)["items"][0].clone();
    let officer = first("/api/v1/registry/officers?limit=1")["id"].clone();
    // the sheet's rows are one registration written over and over: its last one that was accepted stands
    let last = crate::rows::uscc(*PEOPLE - 2);
    let listed = format!("/api/v1/registry/parties?kind=enterprise#{last}");
    let parties = door.get(&clerk, &listed).expect(200);
    let parties = parties["items"].as_array().expect("parties").iter();
    let party = parties.map(|one| one["id"].clone()).find(|one| {
        let path = format!("/api/v1/registry/parties/{}", one.as_str().expect("an id"));
        let file = door.get(&clerk, &path).expect(200);
        let mut fields = file["fields"].as_array().expect("fields").iter();
        fields.any(|one| one["name"] == "contact_phone" && one["masked"] == true)
    });
    let party = party.expect("an enterprise out of the register");
    let batch = first("/api/v1/datahub/batches?table=law_officer")["id"].clone();
    let id = |value: &serde_json::Value| value.as_str().expect("an id").to_owned();
    for (path, field) in [
        (format!("agency-reveals/officer/{}", id(&officer)), "phone"),
        (format!("agency-reveals/officer/{}", id(&officer)), "id_no"),
        (format!("agency-reveals/refused_row/{}.5", id(&batch)), "id_no"),
        (format!("reveals/party/{}", id(&party)), "contact_phone"),
    ] {
        let wish = json!({"field": field, "reason": "核对送达地址"});
        let told = door.post(&clerk, &format!("/api/v1/{path}"), &wish);
        assert_eq!(told.status, 200, "{path} {field}: {}", told.text());
        let told = told.json();
        let value = told["value"].as_str().expect("a value");
        let known = (0..*PEOPLE).any(|one| value == citizen(one) || value == phone(one));
        assert!(known, "{path} {field}");
    }
}

#[test]
fn no_number_of_a_person_stands_in_clear_on_the_disk_or_in_the_log() {
    let house = House::furnished();
    let mut logs = String::new();
    for (table, name, sheet) in [
        ("object_person", "people.csv", register()),
        ("object_enterprise", "enterprises.csv", enterprises()),
        ("law_officer", "officers.csv", officers()),
    ] {
        let mut command = house.command(&["import", table]);
        command.arg(house.file(name, &sheet)).args(["--source", SOURCE]);
        let ran: crate::house::Ran =
            command.env("MINGJIAN_LOG", "debug").output().expect("the binary starts").into();
        assert_eq!(ran.code, 1, "some are refused: {} {}", ran.out, ran.err);
        let errors = crate::bad_input::counted(&ran.json())["error"];
        assert_eq!(errors, refused(), "{name}: {}", ran.out);
        logs.push_str(&ran.err);
        logs.push_str(&ran.out);
    }
    let node = house.serve_with(&[("MINGJIAN_LOG", "debug,sqlx=trace")]);
    let people = furnished();
    let ran = house.import("check_action", &house.file("acts.csv", acts()));
    assert_eq!(crate::bad_input::counted(&ran.json())["error"], refused(), "{}", ran.out);
    let rows: Vec<_> = (0..*PEOPLE)
        .map(|number| {
            let code = if number % 5 == 4 { wrong_citizen(number) } else { citizen(number) };
            let id = format!("{code}-{number}");
            pushed(
                1_000 + number,
                &[
                    ("cd_id", id.as_str()),
                    ("administrative_cp_na", "01"),
                    ("administrative_cp_ce_type", "111"),
                    ("administrative_cp_ui_code", code.as_str()),
                ],
            )
        })
        .collect();
    let mut faulty = 0;
    for (nth, part) in rows.chunks(PUSHED_AT_ONCE).enumerate() {
        let number = batch_number(90 + u32::try_from(nth).expect("few"));
        let body = json!({"table": "check_action", "cd_source": SOURCE, "cd_batch": number,
            "rows": part});
        let answer = node.door.post(&people.source, "/api/v1/datahub/batches", &body).expect(202);
        let href = answer["href"].as_str().expect("an address");
        let settled = node.door.settled(&people.source, href);
        faulty += crate::bad_input::counted(&settled)["error"];
    }
    assert_eq!(faulty, refused());
    seen(node.door, people);
    // half an upload stays in the inbox
    let half = register();
    let path = format!("/api/v1/datahub/uploads/{}", "a".repeat(64));
    let size = half.as_ref().len();
    let range = format!("bytes 0-{}/{}", size - 1, size + 10);
    let headers = [("content-range", range.as_str())];
    let part = node.door.ask("PUT", &people.source, &path, &headers, half.as_ref());
    assert_eq!(part.status, 204, "{}", part.text());
    // killed, so that the write-ahead log stays as it is
    logs.push_str(&node.log());
    drop(node);
    let secrets: Vec<String> = (0..*PEOPLE)
        .flat_map(|number| [citizen(number), wrong_citizen(number), phone(number)])
        .collect();
    assert_eq!(found(logs.as_bytes(), &secrets), None, "a log holds it");
    house.everything_in_the_database(|table, bytes| {
        if let Some(secret) = found(bytes, &secrets) {
            panic!("{table} holds {secret} in clear");
        }
    });
    none_in(&house.data(), &secrets);
    dumped(&house, &secrets);
    copied(&house, &secrets);
    house.is_clean();
    println!("canary: {} numbers of {} people, none found", secrets.len(), *PEOPLE);
}

/// What the database's own tool writes out.
fn dumped(house: &House, secrets: &[String]) {
    let Some(database) = &house.database else {
        // the file itself was read, and every value in it
        return;
    };
    let ran = Command::new("pg_dump").arg(database.url()).output().expect("pg_dump starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(text.contains("COPY public.hub_batch"), "a dump of everything");
    let secret = found(text.as_bytes(), secrets);
    assert_eq!(secret, None, "pg_dump tells it");
    // a column of bytes stands there in hexadecimal
    let hex: Vec<String> = secrets.iter().map(hex::encode).collect();
    let told = found_by(&BEGINNINGS.map(hex::encode), text.as_bytes(), &hex);
    assert_eq!(told, None, "pg_dump tells it as bytes");
}

/// A backup as it lies on somebody's disk, and what comes of it with its key.
fn copied(house: &House, secrets: &[String]) {
    let (key, place) =
        (house.data().with_file_name("backup.key"), house.data().with_file_name("copies"));
    let exported = house.run(&["keys", "export-backup", "--out", text_of(&key)]);
    assert_eq!(exported.code, 0, "{}", exported.err);
    let ran = house.run(&["backup", "--into", text_of(&place)]);
    if house.database.is_some() {
        // the test's server archives nothing: tests/durability looks at a whole cluster's copy
        assert_eq!(ran.code, 2, "{}", ran.err);
        return;
    }
    assert_eq!(ran.code, 0, "{}", ran.err);
    none_in(&place, secrets);
    let other = House::bare();
    let back = other.data();
    let (place, key, to) = (text_of(&place), text_of(&key), text_of(&back));
    let ran = run(&["restore", "--from", place, "--key", key, "--data-dir", to]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    none_in(&back, secrets);
}

fn none_in(folder: &Path, secrets: &[String]) {
    let files = files_in(folder);
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        let bytes = fs::read(&file).expect("a file");
        if let Some(secret) = found(&bytes, secrets) {
            panic!("{} holds {secret} in clear", file.display());
        }
    }
}

/// How the numbers of these people and of their phones begin.
const BEGINNINGS: [&str; 2] = ["3704021985", "13876"];

/// The first of the secrets that stands in these bytes.
fn found<'s>(bytes: &[u8], secrets: &'s [String]) -> Option<&'s String> {
    found_by(&BEGINNINGS.map(str::to_owned), bytes, secrets)
}

/// Only the beginnings are looked for everywhere.
fn found_by<'s>(heads: &[String], bytes: &[u8], secrets: &'s [String]) -> Option<&'s String> {
    heads.iter().find_map(|head| {
        let places = bytes.windows(head.len()).enumerate();
        let mut places = places.filter(|(_, part)| *part == head.as_bytes());
        places.find_map(|(at, _)| {
            secrets.iter().find(|secret| bytes[at..].starts_with(secret.as_bytes()))
        })
    })
}
