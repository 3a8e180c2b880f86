//! The engineer's doors: figures, logs, `doctor` in words, the move to another database.

use std::fs;

use serde_json::{Value, json};

use crate::house::{House, Ran, files_in, furnished, text_of, wait_for};
use crate::http::Token;
use crate::rows::{Sheet, batch_number, citizen, inspections, pushed};

/// The value of a figure with all these labels.
fn figure(page: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let mut lines = page.lines().filter(|line| {
        let own = line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        own && labels.iter().all(|label| line.contains(label))
    });
    lines.next()?.rsplit_once(' ')?.1.parse().ok()
}

#[test]
fn an_engineer_reads_the_figures_from_the_machine_itself_and_from_nowhere_else() {
    let house = House::furnished();
    let node = house.serve();
    let people = furnished();
    house.import(
        "check_action",
        &house.file(
            "a.csv",
            inspections(1..8, |number| match number {
                3 => vec![("check_date", "2025-02-31".to_owned())],
                _ => Vec::new(),
            }),
        ),
    );
    node.door.get(&people.operator, "/api/v1/datahub/batches").expect(200);
    node.door.get(&Token::default(), "/api/v1/datahub/batches").expect(401);
    let secret = citizen(5);
    node.door.get(&people.operator, &format!("/api/v1/registry/parties#{secret}")).expect(200);
    let answer = wait_for("what the batch told is heard", || {
        let answer = node.door.get(&Token::default(), "/metrics");
        (figure(&answer.text(), "mingjian_outbox_length", &[]) == Some(0.0)).then_some(answer)
    });
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let page = answer.text();
    let route = "route=\"/api/v1/datahub/batches\"";
    for (name, labels, value) in [
        ("mingjian_http_requests_total", vec![route, "status=\"200\"", "method=\"GET\""], 1.0),
        ("mingjian_http_requests_total", vec![route, "status=\"401\""], 1.0),
        ("mingjian_http_request_duration_seconds_bucket", vec![route, "le=\"+Inf\""], 2.0),
        ("mingjian_http_request_duration_seconds_count", vec![route], 2.0),
        ("mingjian_batches", vec!["state=\"settled\""], 1.0),
        ("mingjian_rows", vec!["outcome=\"correct\""], 6.0),
        ("mingjian_rows", vec!["outcome=\"error\""], 1.0),
        ("mingjian_jobs", vec!["state=\"failed\""], 0.0),
        ("mingjian_queue_length", vec![], 0.0),
        ("mingjian_outbox_length", vec![], 0.0),
    ] {
        assert_eq!(figure(&page, name, &labels), Some(value), "{name} {labels:?}\n{page}");
    }
    for name in
        ["mingjian_database_bytes", "process_resident_memory_bytes", "mingjian_disk_free_bytes"]
    {
        assert!(figure(&page, name, &[]).is_some_and(|value| value > 0.0), "{name}\n{page}");
    }
    if house.database.is_none() {
        assert!(figure(&page, "mingjian_database_wal_bytes", &[]).is_some(), "{page}");
    }
    // every figure is introduced, no line repeats, nothing of anybody stands in it
    let mut seen = std::collections::BTreeSet::new();
    for line in page.lines() {
        assert!(seen.insert(line.rsplit_once(' ').map_or(line, |(figure, _)| figure)), "{line}");
    }
    assert!(!page.contains(&secret) && !page.contains("operator"), "{page}");
    // over IPv6 from this machine too; whoever comes through a proxy, or by another address, is somebody else
    assert_eq!(node.door.over_ipv6().try_get("/metrics").expect("an answer").status, 200);
    let relayed = [("x-forwarded-for", "10.0.0.7")];
    let relayed = node.door.ask("GET", &Token::default(), "/metrics", &relayed, &[]);
    assert_eq!(relayed.status, 403);
    if let Some(outside) = node.door.by_outer_address() {
        assert_eq!(outside.try_get("/healthz").map(|answer| answer.status), Some(200));
        assert_eq!(outside.try_get("/metrics").map(|answer| answer.status), Some(403));
    }
    assert!(node.stop().success());
}

#[test]
fn every_line_of_the_log_is_an_object_that_names_its_request_and_nobody() {
    let house = House::furnished();
    let node = house.serve_with(&[("MINGJIAN_LOG", "info")]);
    let people = furnished();
    let secret = citizen(7);
    let bad = json!({"login": secret, "password": "绝不写进日志的口令"});
    node.door.post(&Token::default(), "/api/v1/sessions", &bad);
    let looked = node.door.get(&people.operator, &format!("/api/v1/registry/parties#{secret}"));
    let request = looked.header("x-request-id").to_owned();
    // refused: said at a higher level, under the same request
    let refused = node.door.get(&people.operator, "/api/v1/access/accounts");
    let refused_request = refused.header("x-request-id").to_owned();
    assert_eq!(refused.status, 403, "{}", refused.text());
    let body = json!({"table": "check_action", "cd_source": crate::house::SOURCE,
        "cd_batch": batch_number(3), "rows": [pushed(1, &[("administrative_cp_ui_code", &secret)])]});
    let answer = node.door.post(&people.source, "/api/v1/datahub/batches", &body).expect(202);
    node.door.settled(&people.source, answer["href"].as_str().expect("an address"));
    let log = node.log();
    assert!(node.stop().success());
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let of = |id: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["span"]["request_id"] == id).collect()
    };
    let told = of(&request);
    assert_eq!(told.len(), 1, "{log}");
    assert_eq!(told[0]["fields"]["route"], "/api/v1/registry/parties", "{log}");
    assert!(told[0]["timestamp"].is_string() && told[0]["level"] == "INFO", "{log}");
    let levels: Vec<&Value> = of(&refused_request).iter().map(|line| &line["level"]).collect();
    assert!(levels.contains(&&json!("WARN")), "the refusal names its request: {log}");
    for word in [secret.as_str(), "绝不写进日志的口令", "张三"] {
        assert!(!log.contains(word), "{word} stands in the log");
    }
}

fn told(ran: &Ran) -> Vec<Vec<&str>> {
    ran.out.lines().map(|line| line.split('\t').collect()).collect()
}

#[track_caller]
fn finds(house: &House, kind: &str, place: &str, word: &str) {
    let ran = house.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{} {}", ran.out, ran.err);
    let lines = told(&ran);
    let hit = lines.iter().find(|line| line[0] == kind && line[1].contains(place));
    let hit = hit.unwrap_or_else(|| panic!("no {kind} {place}: {}", ran.out));
    assert!(hit[2].contains(word), "{hit:?}");
    assert!(hit.len() == 4 && hit[3].chars().count() > 5, "how to mend it: {hit:?}");
}

#[test]
fn the_doctor_says_what_is_wrong_and_how_to_mend_it() {
    let house = House::furnished();
    let people = Sheet::of("object_person", &[]).row(&[
        ("administrative_cp_ui_code", &*citizen(7)),
        ("birth_date", "1985-07-03"),
        ("gender", "1"),
    ]);
    house.import_clean("object_person", "people.csv", people);
    house.is_clean();
    let with = |act: &dyn Fn(&House)| {
        let other = house.copy();
        act(&other);
        other
    };
    let hour = 3_600_000_000_i64;
    let job = |state: &str, run_at: &str, lease: i64| {
        format!(
            "INSERT INTO job (id, kind, payload, idempotency_key, state, run_at, created_at, \
             attempts, lease_until, progress_done, progress_total, message) \
             VALUES ('j', 'k', '', 'j', '{state}', {run_at}, 0, 0, {lease}, 0, 0, '')"
        )
    };
    finds(&with(&|one| one.by_hand(&job("queued", "0", 0))), "注意", "任务队列", "等待执行");
    finds(&with(&|one| one.by_hand(&job("running", "0", 1))), "注意", "任务队列", "没有动静");
    finds(&with(&|one| one.by_hand(&job("failed", "0", 0))), "不符", "任务队列", "多次未成");
    let event = "INSERT INTO outbox (id, at, name, payload) VALUES ('e', 0, 'x', '{}')";
    finds(&with(&|one| one.by_hand(event)), "注意", "通知队列", "没有送达");
    let ahead = format!("UPDATE act_journal SET at = at + {}", 24 * hour);
    finds(&with(&|one| one.by_hand(&ahead)), "不符", "时钟", "之后");
    let lost_key = "DELETE FROM data_key";
    finds(&with(&|one| one.by_hand(lost_key)), "不符", "data_key", "实有 0 行");
    let newer = "INSERT INTO schema_migration (name, sm3, applied_at) VALUES ('9999_x', '', 0)";
    finds(&with(&|one| one.by_hand(newer)), "注意", "数据库版本", "比程序新");
    let older =
        "DELETE FROM schema_migration WHERE name = (SELECT MAX(name) FROM schema_migration)";
    finds(&with(&|one| one.by_hand(older)), "注意", "数据库版本", "比程序旧");

    let blob = |one: &House| files_in(&one.data().join("blobs")).remove(0);
    finds(&with(&|one| fs::remove_file(blob(one)).expect("gone")), "不符", "blobs/", "不见了");
    finds(&with(&|one| fs::write(blob(one), b"x").expect("cut")), "不符", "blobs/", "实有 1 字节");
    let master = |one: &House| one.data().join("keys/master.key");
    let gone = with(&|one| fs::remove_file(master(one)).expect("gone"));
    finds(&gone, "不符", "master.key", "不见了");
    assert!(!master(&gone).exists(), "looking makes no new key");
    let foreign =
        with(&|one| fs::write(master(one), "00112233445566778899aabbccddeeff").expect("x"));
    finds(&foreign, "不符", "keys/", "不是本节点的");
    let open = with(&|one| {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::Permissions::from_mode(0o644);
        fs::set_permissions(master(one), mode).expect("changed");
    });
    finds(&open, "注意", "master.key", "权限 644");
    let empty = House::bare();
    if empty.database.is_none() {
        let ran = empty.run(&["doctor"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(!empty.data().join("db").exists(), "looking makes nothing");
    }
    house.is_clean();
}

/// A house with something in every kind of table, and where its database may move to.
fn lived_in() -> House {
    let house = House::furnished();
    for table in ["supervise_item", "supervise_subitem"] {
        house.import_clean(table, &format!("{table}.csv"), Sheet::of(table, &[]).row(&[]));
    }
    let rows = inspections(0..2_600, |number| match number % 40 {
        3 => vec![("check_date", "2025-02-31".to_owned())],
        4 => vec![
            ("administrative_cp_na", "01".to_owned()),
            ("administrative_cp_ce_type", "111".to_owned()),
            ("administrative_cp_ui_code", citizen(number)),
        ],
        _ => Vec::new(),
    });
    assert_eq!(house.import("check_action", &house.file("acts.csv", rows)).code, 1);
    house
}

#[test]
fn a_node_moved_to_another_database_is_the_same_node() {
    let house = lived_in();
    let digest = house.digest();
    // SQLite to SQLite here; from and to PostgreSQL where the suite runs on it
    let file = house.data().join("db").join("moved.sqlite3");
    let sqlite = format!("sqlite:{}", file.display());
    let moved = house.run(&["move", "--to", &sqlite]);
    assert_eq!(moved.code, 0, "{} {}", moved.out, moved.err);
    assert!(moved.out.lines().all(|line| line.ends_with("相同")), "{}", moved.out);
    assert!(moved.out.contains(&digest), "{}", moved.out);
    assert!(moved.err.contains("[database]"), "{}", moved.err);
    let count = |table: &str| {
        let line = moved.out.lines().find(|line| line.starts_with(&format!("{table}\t")));
        line.unwrap_or_else(|| panic!("{table}: {}", moved.out))
            .split('\t')
            .nth(1)
            .map(str::to_owned)
    };
    assert_eq!(count("hub_batch").as_deref(), Some("3 行"));
    let there = house.at(&sqlite);
    there.is_clean();
    assert_eq!(there.digest(), digest);
    let again = house.run(&["move", "--to", &sqlite]);
    assert_eq!(again.code, 2, "not into what holds something: {}", again.err);
    assert!(again.err.contains("不是空的"), "{}", again.err);

    // and back, into an empty database of the kind under test
    if let Some(database) = mj_testkit::OwnDatabase::empty() {
        let url = database.url();
        let back = there.run(&["move", "--to", &url]);
        assert_eq!(back.code, 0, "{} {}", back.out, back.err);
        let home = house.at(&url);
        home.is_clean();
        assert_eq!(home.digest(), digest);
    }
    // the copy goes on living: it takes more, and knows what it had
    let node = there.serve();
    let list = node.door.get(&furnished().operator, "/api/v1/datahub/batches").expect(200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(3));
    let same = there
        .import("check_action", &there.file("more.csv", inspections(2_600..2_610, |_| Vec::new())));
    assert_eq!(same.code, 0, "{}", same.err);
    assert!(node.stop().success());
    there.is_clean();
    assert_ne!(there.digest(), digest);
    assert_eq!(house.digest(), digest, "what was moved from is as it was");
}

#[test]
fn a_move_that_was_broken_off_starts_anew_and_one_that_cannot_be_says_why() {
    let house = House::furnished();
    house.import_clean("check_action", "a.csv", inspections(0..30, |_| Vec::new()));
    let file = house.data().join("db").join("moved.sqlite3");
    let sqlite = format!("sqlite:{}", file.display());
    let there = house.at(&sqlite);
    // what a kill in the middle leaves: tables, some rows, and the mark
    there.by_hand("CREATE TABLE move_under_way (started_at BIGINT)");
    there.by_hand("CREATE TABLE account (id TEXT PRIMARY KEY)");
    there.by_hand("INSERT INTO account (id) VALUES ('half')");
    let moved = house.run(&["move", "--to", &sqlite]);
    assert_eq!(moved.code, 0, "{} {}", moved.out, moved.err);
    assert!(moved.err.contains("没有搬完"), "{}", moved.err);
    there.is_clean();
    assert_eq!(there.digest(), house.digest());
    let own = match &house.database {
        Some(database) => database.url(),
        None => format!("sqlite:{}", house.data().join("db/mingjian.sqlite3").display()),
    };
    let nowhere = format!("sqlite:{}", house.file("file", "").join("x.sqlite3").display());
    let cases = [("mysql://x/y", 2), (nowhere.as_str(), 3), (own.as_str(), 2)];
    for (to, code) in cases {
        let refused = house.run(&["move", "--to", to]);
        assert_eq!((refused.code, refused.out.as_str()), (code, ""), "{to}: {}", refused.err);
        assert!(!refused.err.is_ascii(), "{to}: {}", refused.err);
    }
    let node = house.serve();
    let busy = house.run(&["move", "--to", &format!("{sqlite}-2")]);
    assert_eq!(busy.code, 2, "{}", busy.err);
    assert!(node.stop().success());
}

#[test]
fn a_list_of_a_departments_own_codes_is_entered_at_once() {
    let house = House::furnished();
    for table in ["supervise_item", "supervise_subitem"] {
        house.import_clean(table, &format!("{table}.csv"), Sheet::of(table, &[]).row(&[]));
    }
    let list = "local_code,item_code,valid_from,valid_to\nJC-1,31010001000001,2020-01-01,\n\
                JC-2,3101,,\nJC-1,31010001000001,2021-01-01,\n";
    let list = house.file("codes.csv", list);
    let enter = |source: &str| house.run(&["mappings", text_of(&list), "--source", source]);
    let ran = enter(crate::house::SOURCE);
    assert_eq!(ran.code, 1, "{} {}", ran.out, ran.err);
    assert_eq!(told(&ran).iter().map(|line| line[0]).collect::<Vec<_>>(), ["2", "3"]);
    assert_eq!(enter("nobody").code, 2);
    let own = inspections(1..3, |_| vec![("supervise_item_implement_code", "JC-1".to_owned())]);
    house.import_clean("check_action", "own.csv", own);
    house.is_clean();
    let node = house.serve();
    let path = format!("/api/v1/catalog/mappings?cd_source={}", crate::house::SOURCE);
    let shown = node.door.get(&furnished().operator, &path).expect(200);
    assert_eq!(shown["items"][0]["local_code"], "JC-1", "{shown}");
    assert_eq!(enter(crate::house::SOURCE).code, 2, "beside a running node by its own door");
    assert!(node.stop().success());
}
