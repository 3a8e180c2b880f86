//! Two nodes that witness each other's log, a backup put back in secret, and what is decided about the
//! log at the machine.

use std::process::Command;

use mj_kernel::Clock;
use mj_platform::SystemClock;
use serde_json::{Value, json};

use crate::house::{
    House, Node, enrolment_codes, free_port, furnished, run, secret, text_of, wait_for,
};
use crate::http::{Door, Token};
use crate::rows::inspections;

/// A public key of a node, as `mingjian log keys` prints it.
fn key(house: &House, kind: &str) -> String {
    let ran = house.run(&["log", "keys"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line = ran.out.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix('\t'));
    line.unwrap_or_else(|| panic!("no {kind} key: {}", ran.out)).to_owned()
}

fn origin(key: &str) -> &str {
    key.split('+').next().expect("a name")
}

/// Lets `witness` watch the log of `house`; gives the key of the log.
fn watch(witness: &House, house: &House) -> String {
    let log = key(house, "log");
    let text = format!(
        "[ledger]\n\n[[ledger.witness_for]]\norigin = \"{}\"\nkey = \"{log}\"\n",
        origin(&log)
    );
    std::fs::write(witness.data().join("mingjian.toml"), text).expect("written");
    log
}

fn be_watched(house: &House, by: &House, at: Door) {
    let text = format!(
        "[ledger]\nwitness_seconds = 1\n\n[[ledger.witnesses]]\n\
         url = \"http://127.0.0.1:{}/api/v1/log/witness\"\nkey = \"{}\"\n",
        at.port(),
        key(by, "witness")
    );
    std::fs::write(house.data().join("mingjian.toml"), text).expect("written");
}

fn size(checkpoint: &str) -> u64 {
    checkpoint.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size")
}

/// What the witness saw last.
fn seen(witness: Door, log: &str) -> Option<String> {
    let path = format!("/api/v1/log/witness/checkpoint?origin={}", origin(log));
    let answer = witness.get(&Token::default(), &path);
    (answer.status == 200).then(|| answer.text())
}

/// Waits until the witness has cosigned everything this node has signed, and that is more than so much.
fn cosigned(node: &Node<'_>, witness: Door, log: &str, than: u64) -> String {
    wait_for("the witness has signed", || {
        let own = node.door.get(&Token::default(), "/api/v1/log/checkpoint");
        let seen = seen(witness, log)?;
        let equal = own.status == 200 && size(&own.text()) == size(&seen);
        (equal && size(&seen) > than).then_some(seen)
    })
}

fn held(door: Door) -> bool {
    door.get(&Token::default(), "/api/v1/log/standing").expect(200)["held"] == true
}

fn agency(number: u64) -> Value {
    json!({"uscc": agency_code(number), "name": format!("枣庄市第{number}局"),
        "area_number": "370400", "line": "31", "nature": "1", "valid_from": "2010-01-01"})
}

/// A credit code of an agency with the right check digit.
fn agency_code(number: u64) -> String {
    const DIGITS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let organisation = format!("{:08}", 70_000_000 + number);
    let weights = [3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = organisation
        .chars()
        .zip(weights)
        .map(|(digit, weight)| digit.to_digit(10).expect("a digit") * weight)
        .sum();
    let check = match 11 - sum % 11 {
        10 => "X".to_owned(),
        11 => "0".to_owned(),
        other => other.to_string(),
    };
    let start = format!("11370400{organisation}{check}");
    let sum: usize = start
        .bytes()
        .zip(WEIGHTS)
        .map(|(c, w)| DIGITS.iter().position(|d| *d == c).expect("known") * w)
        .sum();
    let last = DIGITS[(31 - sum % 31) % 31];
    format!("{start}{}", char::from(last))
}

/// R10: a backup put back in secret is noticed by whoever saw more, and nothing is written until somebody
/// has decided, by name, to go on from there.
#[test]
fn a_backup_put_back_in_secret_is_refused_by_its_witness_and_the_node_stops_writing() {
    let (house, other) = (House::furnished(), House::bare());
    let log = watch(&other, &house);
    let witness = other.serve();
    be_watched(&house, &other, witness.door);

    let node = house.serve();
    let first = cosigned(&node, witness.door, &log, 0);
    assert!(first.contains("/witness "), "{first}");
    // the other node's page says what it watches, this one's who watches
    let auditor = &furnished().auditor;
    let page = node.door.get(auditor, "/api/v1/log/witnesses").expect(200);
    assert_eq!(page["witnesses"][0]["alarm"], false, "{page}");
    assert!(node.stop().success());

    let backup = house.copy();
    let node = house.serve();
    let system = &furnished().system;
    for number in 0..3 {
        node.door.post(system, "/api/v1/access/agencies", &agency(number)).expect(201);
    }
    let newer = cosigned(&node, witness.door, &log, size(&first) + 2);
    assert!(node.stop().success());
    let kept = house.file("kept", &newer);
    let clean = house.run(&["verify", "--checkpoint", text_of(&kept)]);
    assert_eq!((clean.code, clean.out.as_str()), (0, ""), "{}", clean.err);

    // yesterday's copy is started and appends, as if nothing had happened
    let ran = backup.run(&["verify", "--checkpoint", text_of(&kept)]);
    assert_eq!(ran.code, 1, "{} {}", ran.out, ran.err);
    let node = backup.serve();
    let system = &furnished().system;
    wait_for("the rollback is suspected", || held(node.door).then_some(()));
    let refused = node.door.post(system, "/api/v1/access/agencies", &agency(9));
    refused.problem(503, "ledger.rollback_suspected");
    // nor by a command beside it
    let entries = || {
        node.door.get(&furnished().auditor, "/api/v1/log/entries?limit=1").json()["items"][0]["seq"]
            .clone()
    };
    let before = entries();
    let erased = backup.run(&["log", "erase", "1", "--reason", "试"]);
    assert!(erased.code == 3 && erased.err.contains("旧的备份"), "{} {}", erased.code, erased.err);
    assert_eq!(entries(), before);
    // whoever looks can look
    let auditor = &furnished().auditor;
    node.door.get(auditor, "/api/v1/log/status").expect(200);
    let page = node.door.get(auditor, "/api/v1/log/witnesses").expect(200);
    assert!(page["suspicion"]["seen_size"].as_u64() > page["suspicion"]["own_size"].as_u64());
    let shut = size(&node.door.get(&Token::default(), "/api/v1/log/checkpoint").text());
    let ran = backup.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("疑似被退回到旧的备份"), "{}", ran.out);
    // neither by the program beside it, nor after another start
    let file = backup.file("late.csv", inspections(0..3, |_| Vec::new()));
    let late = backup.import("check_action", &file);
    assert_ne!(late.code, 0, "{} {}", late.out, late.err);
    drop(node);
    let node = backup.serve();
    assert!(held(node.door));
    let own = node.door.get(&Token::default(), "/api/v1/log/checkpoint").text();
    assert_eq!(size(&own), shut, "nothing was appended");

    // a decision with a reason, which is an entry itself
    let without = backup.run(&["log", "fork", "--reason", " "]);
    assert_eq!(without.code, 2, "{}", without.err);
    let ran = backup.run(&["log", "fork", "--reason", "主机损毁，经局长批准从昨日备份继续"]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(ran.out.starts_with("分叉\t"), "{}", ran.out);
    wait_for("the node writes again", || (!held(node.door)).then_some(()));
    let system = &furnished().system;
    node.door.post(system, "/api/v1/access/agencies", &agency(9)).expect(201);
    let auditor = &furnished().auditor;
    let path = "/api/v1/log/entries?action=ledger.log.fork";
    let found = node.door.get(auditor, path).expect(200);
    assert_eq!(found["items"][0]["reason"], "主机损毁，经局长批准从昨日备份继续", "{found}");
    assert_eq!(backup.run(&["log", "fork", "--reason", "再来"]).code, 2);

    // the witness keeps to what it saw until its own people decide, too
    assert_eq!(seen(witness.door, &log).as_deref(), Some(newer.as_str()));
    assert!(!held(node.door));
    let args = ["log", "reset-witnessed", origin(&log), "--reason", "对方已登记分叉"];
    let ran = other.run(&args);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    let after = cosigned(&node, witness.door, &log, shut);
    assert!(after.contains("/witness "), "{after}");
    drop(node);
    let ran = backup.run(&["verify"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    // the branch that was left stays provable
    assert_eq!(backup.run(&["verify", "--checkpoint", text_of(&kept)]).code, 1);
}

/// Over HTTP, as two nodes do it: the opening entry goes with the request.
#[test]
fn a_witness_follows_a_node_into_its_next_volume_and_not_back() {
    let (house, other) = (House::furnished(), House::bare());
    let log = watch(&other, &house);
    let witness = other.serve();
    be_watched(&house, &other, witness.door);
    let node = house.serve();
    cosigned(&node, witness.door, &log, 0);
    let system = &furnished().system;
    node.door.post(system, "/api/v1/access/agencies", &agency(1)).expect(201);
    assert!(node.stop().success());
    let backup = house.copy();
    // damaged where every entry can still be proved, so that the next volume goes on from all of them
    let tile = house.data().join("log/tile/0/000");
    let mut bytes = std::fs::read(&tile).expect("a tile");
    bytes[7] ^= 0x10;
    std::fs::write(&tile, bytes).expect("put");
    let ran = house.run(&["log", "freeze", "--reason", "硬盘坏道，经局长批准"]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    let node = house.serve();
    let kept = wait_for("the witness has signed the next volume", || {
        let seen = seen(witness.door, &log)?;
        let origin = seen.lines().next().expect("an origin").to_owned();
        origin.ends_with("/2/sm3").then_some(seen)
    });
    assert!(!held(node.door));
    assert!(node.stop().success());
    let kept = house.file("kept", &kept);
    let ran = house.run(&["verify", "--checkpoint", text_of(&kept)]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let node = backup.serve();
    wait_for("the rollback is suspected", || held(node.door).then_some(()));
    let auditor = &furnished().auditor;
    let page = node.door.get(auditor, "/api/v1/log/witnesses").expect(200);
    assert!(page["suspicion"]["seen_size"].as_u64() > page["suspicion"]["own_size"].as_u64());
    drop(node);
    let ran = backup.run(&["verify", "--checkpoint", text_of(&kept)]);
    assert!(ran.out.starts_with("FAIL\tgap\tcheckpoint\t"), "{} {}", ran.out, ran.err);
}

#[test]
fn a_witness_answers_as_the_protocol_says() {
    let (house, other) = (House::furnished(), House::bare());
    let log = watch(&other, &house);
    let witness = other.serve();
    let node = house.serve();
    let checkpoint = node.door.get(&Token::default(), "/api/v1/log/checkpoint").text();
    let send = |door: Door, body: &str| {
        let path = "/api/v1/log/witness/add-checkpoint";
        door.ask("POST", &Token::default(), path, &[], body.as_bytes())
    };
    send(witness.door, "old x\n").problem(400, "ledger.witness_request");
    let asked = format!("old 0\n\n{checkpoint}");
    // the log's own node watches nobody
    send(node.door, &asked).problem(404, "not_found");
    let forged = asked.replacen(&checkpoint.lines().nth(2).expect("a root")[..8], "AAAAAAAA", 1);
    send(witness.door, &forged).problem(403, "ledger.witness_signature");
    let answer = send(witness.door, &asked);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().starts_with("— mingjian/000000/"), "{}", answer.text());
    // again, as if nothing was known
    let conflict = send(witness.door, &asked);
    assert_eq!((conflict.status, conflict.header("content-type")), (409, "text/x.tlog.size"));
    assert_eq!(conflict.text(), format!("{}\n", size(&checkpoint)));
    let same = send(witness.door, &format!("old {}\n\n{checkpoint}", size(&checkpoint)));
    assert_eq!(same.status, 200, "the same once more: {}", same.text());
    let system = &furnished().system;
    node.door.post(system, "/api/v1/access/agencies", &agency(1)).expect(201);
    let grown = wait_for("the next checkpoint", || {
        let text = node.door.get(&Token::default(), "/api/v1/log/checkpoint").text();
        (size(&text) > size(&checkpoint)).then_some(text)
    });
    let unproved = send(witness.door, &format!("old {}\n\n{grown}", size(&checkpoint)));
    unproved.problem(422, "ledger.witness_proof");
    assert!(seen(witness.door, &log).expect("kept").starts_with(&checkpoint[..40]));
}

#[test]
fn the_demonstration_of_witnessing_shows_each_cosignature() {
    // what the script starts is embedded databases; once is enough
    if std::env::var("MJ_TEST_DATABASE_URL").is_ok() {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/witness_demo.sh");
    let (a, b) = (free_port().to_string(), free_port().to_string());
    let output = Command::new("bash")
        .args([script, "--once"])
        .env("MINGJIAN", env!("CARGO_BIN_EXE_mingjian"))
        .envs([("PORT_A", a), ("PORT_B", b)])
        .env_remove("MINGJIAN_DATABASE_URL")
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let trouble = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{trouble}");
    assert_eq!(said.matches("签 根 ").count(), 2, "{said}");
    assert_eq!(said.matches("— mingjian/").count(), 2, "{said}");
}

#[test]
fn an_erased_payload_leaves_the_log_whole_and_says_so() {
    let house = House::furnished();
    let node = house.serve();
    let auditor = &furnished().auditor;
    let entry =
        |seq: u64| node.door.get(auditor, &format!("/api/v1/log/entries/{seq}")).expect(200);
    let before = entry(3);
    assert_eq!(before["erased"], false);
    let unknown = house.run(&["log", "erase", "999999", "--reason", "无"]);
    assert_eq!(unknown.code, 2, "{}", unknown.err);
    let ran =
        house.run(&["log", "erase", "3", "--reason", "个人申请，依据个人信息保护法第四十七条"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "已删除\t3\n"), "{}", ran.err);
    let after = entry(3);
    assert_eq!((&after["erased"], &after["actor"]), (&json!(true), &json!("已依法删除")));
    assert_eq!((&after["object"], &after["reason"]), (&json!(""), &Value::Null));
    assert_eq!(after["entry"], before["entry"], "the entry stays");
    let receipt = node.door.get(auditor, "/api/v1/log/entries/3/receipt").text();
    assert!(!receipt.contains("payload\": {"), "{receipt}");
    let file = house.file("receipt.json", &receipt);
    let key = house.data().join("log/key");
    let ran = run(&["verify", "receipt", text_of(&file), "--key", text_of(&key)]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    let ran = house.run(&["verify"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    // the same by hand, without its entry, is found
    drop(node);
    house.by_hand(
        "UPDATE act_journal SET actor = '', object = '', reason = NULL, request_id = '', salt = NULL \
         WHERE log_seq = 4",
    );
    let ran = house.run(&["verify"]);
    assert!(ran.out.starts_with("FAIL\tchanged\tact_journal\t"), "{} {}", ran.out, ran.err);
}

/// A command that is somebody's stands under their name, proven as at a login; the machine alone is no person.
#[test]
fn whoever_gives_a_command_about_the_log_is_named_in_its_entry() {
    let house = House::bare();
    let node = house.serve();
    let (door, nobody) = (node.door, Token::default());
    let codes = enrolment_codes(&node.log());
    for (login, code) in ["sys-admin", "sec-admin"].iter().zip(&codes) {
        let person =
            json!({"code": code, "login": login, "password": secret(login), "name": login});
        door.post(&nobody, "/api/v1/enrolments", &person).expect(201);
    }
    let erase = |by: &str, said: &str| {
        let args = ["log", "erase", "2", "--reason", "依据第12号决定", "--by", by];
        house.run_with(&args, said)
    };
    let password = secret("sec-admin");
    let unbound = erase("sec-admin", &format!("{password}\n"));
    assert_eq!(unbound.code, 2, "{}", unbound.err);
    assert!(unbound.err.contains("还没有绑定动态口令"), "{}", unbound.err);

    let body = json!({"login": "sec-admin", "password": password});
    let session = door.post(&nobody, "/api/v1/sessions", &body).expect(201);
    let waiting = Token::bearer(session["token"].as_str().expect("a token"));
    let path = "/api/v1/sessions/current/second-factor";
    let offer = door.post(&waiting, &format!("{path}/offer"), &json!({})).expect(200);
    let totp = totp_rs::Totp::from_url(offer["uri"].as_str().expect("an address")).expect("ours");
    let now = (SystemClock.now() / 1_000_000).cast_unsigned();
    // each code is taken once: the one before binds, the one of now proves
    let code = totp.generate(now - 30).to_string();
    door.post(&waiting, &format!("{path}/confirm"), &json!({"totp": code})).expect(200);
    for (by, said, why) in [
        ("sec-admin", "not the password\n".to_owned(), "登录名或密码不正确"),
        ("nobody", format!("{password}\n"), "登录名或密码不正确"),
        ("sec-admin", format!("{password}\n000000\n"), "动态口令"),
        ("sec-admin", format!("{password}\n"), "动态口令"),
    ] {
        let ran = erase(by, &said);
        assert_eq!(ran.code, 2, "{} {}", ran.out, ran.err);
        assert!(ran.err.contains(why), "{}", ran.err);
    }
    let count = "SELECT COUNT(*) FROM act_journal WHERE action = 'ledger.payload.erase'";
    assert_eq!(house.number(count), 0, "nothing was done");
    let right = format!("{password}\n{}\n", totp.generate_current());
    let ran = erase("sec-admin", &right);
    assert_eq!((ran.code, ran.out.as_str()), (0, "已删除\t2\n"), "{}", ran.err);
    let again = erase("sec-admin", &right);
    assert_eq!(again.code, 2, "a code is taken once: {} {}", again.out, again.err);
    let named = "SELECT COUNT(*) FROM act_journal j JOIN account a ON j.actor = 'account:' || a.id \
                 WHERE j.action = 'ledger.payload.erase' AND a.login = 'sec-admin'";
    assert_eq!(house.number(named), 1);
    assert!(node.stop().success());
    house.is_clean();
}

/// Who exports, grants or publishes gets an answer only when the entry is in a signed checkpoint.
#[test]
fn an_anchored_act_is_answered_when_it_is_signed_and_a_record_tells_who_did_what() {
    let house = House::furnished();
    let node = house.serve();
    let (system, auditor) = (&furnished().system, &furnished().auditor);
    let account = json!({"login": "clerk-1", "name": "办事员"});
    let made = node.door.post(system, "/api/v1/access/accounts", &account).expect(201);
    let id = made["id"].as_str().expect("an id");
    for _ in 0..3 {
        let path = format!("/api/v1/access/accounts/{id}/activation");
        node.door.post(system, &path, &json!({})).expect(200);
        let newest = node.door.get(auditor, "/api/v1/log/entries?limit=1").expect(200);
        let newest = &newest["items"][0];
        assert_eq!(newest["action"], "access.account.activate", "{newest}");
        assert_eq!(newest["sealed"], true, "{newest}");
        assert_eq!(newest["object_name"], "办事员", "whom it is about, by name: {newest}");
    }
    let path = format!("/api/v1/log/acts?object_type=account&object_id={id}");
    let acts = node.door.get(system, &path).expect(200);
    let items = acts["items"].as_array().expect("items");
    let titles: Vec<&str> = items.iter().filter_map(|one| one["action_title"].as_str()).collect();
    assert_eq!(titles, ["发放启用码", "发放启用码", "发放启用码", "开设账号"], "{acts}");
    assert!(
        items.iter().all(|one| one["right"] == "系统管理员" && one["sealed"] == true),
        "{acts}"
    );
    assert_eq!((&acts["may_open"], items.len()), (&json!(false), 4));
    // what the record refuses is refused here, and what is not there is not found
    let operator = &furnished().operator;
    let (there, refused) =
        (format!("/api/v1/access/accounts/{id}"), node.door.get(operator, &path));
    assert_eq!(refused.status, node.door.get(operator, &there).status);
    assert_ne!(refused.status, 200);
    let missing = node.door.get(system, "/api/v1/log/acts?object_type=account&object_id=none");
    missing.problem(404, "not_found");
    node.door.get(&Token::default(), &path).problem(401, "access.session_required");
}
