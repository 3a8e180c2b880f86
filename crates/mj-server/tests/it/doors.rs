//! From where administrators may enter, with a proxy in front and without one.

use std::fs;

use serde_json::{Value, json};

use crate::house::{House, Node, enrolment_codes, secret};
use crate::http::{Answer, Token};

fn ask(node: &Node<'_>, path: &str, from: &[(&str, &str)], body: &Value) -> Answer {
    let key = mj_platform::new_id();
    let own = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    let headers: Vec<(&str, &str)> = own.iter().chain(from).copied().collect();
    node.door.ask("POST", &Token::default(), path, &headers, body.to_string().as_bytes())
}

fn login(node: &Node<'_>, from: &[(&str, &str)]) -> u16 {
    let body = json!({"login": "sec-admin", "password": secret("sec-admin")});
    ask(node, "/api/v1/sessions", from, &body).status
}

#[test]
fn a_forged_address_opens_nothing_to_an_administrator() {
    let house = House::bare();
    let first = house.serve();
    let codes = enrolment_codes(&first.log());
    assert!(first.stop().success());
    let toml = house.data().join("mingjian.toml");

    // behind a proxy on this machine that is named: what it saw counts, not what the client wrote before it
    fs::write(
        &toml,
        "[access]\nadmin_networks = [\"10.20.0.0/16\"]\n[server]\ntrusted_proxies = [\"127.0.0.1\", \"::1\"]\n",
    )
    .expect("written");
    let node = house.serve();
    assert!(node.log().contains("不含本机"), "{}", node.log());
    let outside = [("x-forwarded-for", "10.20.3.4, 198.51.100.7")];
    let person = json!({"code": codes[1], "login": "sec-admin", "password": secret("sec-admin"),
        "name": "钱安全"});
    assert_eq!(ask(&node, "/api/v1/enrolments", &outside, &person).status, 422);
    let office = [("x-forwarded-for", "198.51.100.7, 10.20.3.4")];
    assert_eq!(ask(&node, "/api/v1/enrolments", &office, &person).status, 201);
    assert_eq!(login(&node, &office), 201);
    assert_eq!(login(&node, &outside), 401);
    assert_eq!(login(&node, &[("x-forwarded-for", "10.20.3.4, nobody")]), 401);
    assert_eq!(login(&node, &[("x-real-ip", "10.20.3.4")]), 401);
    assert_eq!(login(&node, &[]), 401, "the machine itself is not in the list");
    assert!(node.stop().success());

    // nobody is named: the header is anybody's, and whoever sends one is not where they seem to be
    fs::write(&toml, "[access]\nadmin_networks = [\"127.0.0.0/8\", \"::1\"]\n").expect("written");
    let node = house.serve();
    assert!(!node.log().contains("不含本机"), "{}", node.log());
    assert_eq!(login(&node, &[]), 201);
    assert_eq!(login(&node, &[("x-forwarded-for", "127.0.0.1")]), 401);
    assert_eq!(login(&node, &[("forwarded", "for=127.0.0.1")]), 401);
    assert!(node.stop().success());
    let node = house.serve_with(&[("MINGJIAN_ACCESS_ADMIN_NETWORKS", "10.20.0.0/16")]);
    assert_eq!(login(&node, &[]), 401);
    assert_eq!(login(&node, &[("x-forwarded-for", "10.20.3.4")]), 401);
    assert!(node.stop().success());
}

#[test]
fn a_node_at_real_work_that_lets_administrators_in_from_everywhere_is_told_so() {
    let house = House::bare();
    let node = house.serve();
    assert!(node.stop().success());
    let trial = house.run(&["doctor"]).out;
    assert!(!trial.contains("管理员登录"), "{trial}");
    let asked = |toml: &str| {
        fs::write(house.data().join("mingjian.toml"), toml).expect("written");
        house.run(&["doctor"]).out
    };
    let open = asked("[node]\nproduction = true\n");
    assert!(open.contains("注意\t管理员登录\t没有限定"), "{open}");
    assert!(open.contains("注意\t应急启用码\t没有封存"), "{open}");
    let walled =
        asked("[node]\nproduction = true\n[access]\nadmin_networks = [\"10.20.0.0/16\"]\n");
    assert!(!walled.contains("管理员登录"), "{walled}");
}

#[test]
fn a_lost_code_of_an_administrator_is_replaced_at_the_machine_until_it_was_used() {
    let house = House::bare();
    let node = house.serve();
    let codes = enrolment_codes(&node.log());
    let enrol = |code: &str| {
        let person = json!({"code": code, "login": "audit-admin", "password": secret("audit-admin"),
            "name": "孙审计"});
        ask(&node, "/api/v1/enrolments", &[], &person)
    };
    let reissue =
        |role: &str, reason: &str| house.run(&["enrolment", "reissue", role, "--reason", reason]);
    for (role, reason, why) in [
        ("总管理员", "打印件遗失", "系统管理员、安全管理员、审计管理员"),
        ("审计管理员", " ", "--reason"),
    ] {
        let ran = reissue(role, reason);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(ran.err.contains(why), "{}", ran.err);
    }
    let ran = reissue("审计管理员", "打印件遗失");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let (role, code) = ran.out.trim().split_once('\t').expect("role and code");
    assert_eq!(role, "审计管理员");
    enrol(&codes[2]).problem(422, "access.invalid_code");
    assert_eq!(enrol(code).status, 201);
    let ran = reissue("审计管理员", "打印件遗失");
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("已经启用"), "{}", ran.err);
    let kept = "SELECT COUNT(*) FROM act_journal WHERE action = 'access.enrolment.reissue'";
    assert_eq!(house.number(kept), 1);
    assert!(node.stop().success());
    house.is_clean();
}

#[test]
fn a_code_of_two_holders_is_sealed_at_the_machine_and_opens_once() {
    let house = House::bare();
    let toml = "[access]\nsecond_factor = \"optional\"\n";
    fs::write(house.data().join("mingjian.toml"), toml).expect("written");
    let node = house.serve();
    let codes = enrolment_codes(&node.log());
    let person = json!({"code": codes[1], "login": "sec-admin", "password": secret("sec-admin"),
        "name": "钱安全"});
    assert_eq!(ask(&node, "/api/v1/enrolments", &[], &person).status, 201);
    let seal = |holders: [&str; 2], reason: &str, said: &str| {
        let args =
            ["emergency", "seal", "--first-holder", holders[0], "--second-holder", holders[1]];
        let args: Vec<&str> =
            args.into_iter().chain(["--reason", reason, "--by", "sec-admin"]).collect();
        house.run_with(&args, said)
    };
    let password = format!("{}\n", secret("sec-admin"));
    let two = ["李主任", "周科长"];
    for (holders, reason, said, why) in [
        (["李主任", "李 主任"], "年度封存", password.as_str(), "两个人"),
        (["李主任", ""], "年度封存", &password, "姓名"),
        (two, " ", &password, "--reason"),
        (two, "年度封存", "not the password\n", "登录名或密码不正确"),
    ] {
        let ran = seal(holders, reason, said);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(ran.err.contains(why), "{}", ran.err);
    }
    let sealed = "SELECT COUNT(*) FROM emergency_seal WHERE state = 'sealed'";
    assert_eq!(house.number(sealed), 0);
    // beside the running node, then on the stopped one: the later ends the earlier
    let halves = |ran: &crate::house::Ran| -> Vec<String> {
        assert_eq!(ran.code, 0, "{}", ran.err);
        let lines: Vec<Vec<&str>> =
            ran.out.lines().map(|line| line.split('\t').collect()).collect();
        let named: Vec<_> = lines.iter().map(|cells| (cells[0], cells[1])).collect();
        assert_eq!(named, [("第一份", "李主任"), ("第二份", "周科长")]);
        lines.iter().map(|cells| cells[2].to_owned()).collect()
    };
    let earlier = halves(&seal(two, "年度封存", &password));
    assert!(node.stop().success());
    let later = halves(&seal(two, "换保管人", &password));
    let node = house.serve();
    let open = |halves: &[String]| {
        let body = json!({"first": halves[0], "second": halves[1], "reason": "都进不来"});
        ask(&node, "/api/v1/emergency-sessions", &[], &body)
    };
    open(&earlier).problem(401, "access.emergency_refused");
    let opened = open(&later).expect(201);
    open(&later).problem(401, "access.emergency_refused");
    let token = Token::bearer(opened["token"].as_str().expect("a token"));
    let path = "/api/v1/emergency-sessions/current";
    let view = node.door.get(&token, path).expect(200);
    let id = view["administrators"][0]["id"].as_str().expect("an id");
    node.door.post(&token, &format!("{path}/administrators/{id}/recover"), &json!({})).expect(200);
    node.door.get(&token, "/api/v1/log/entries").problem(403, "access.denied");
    assert!(node.log().contains("应急启用码已启用"), "{}", node.log());
    assert!(node.stop().success());
    // what was done stands in the log, and a code made by hand is found
    let ran = house.run(&["verify"]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    let asked = || {
        let ran = house.run(&["doctor"]);
        format!("{}{}", ran.out, ran.err)
    };
    // keys made for trying are refused at real work, which no password is asked for any more
    fs::remove_file(house.data().join("keys/password.key")).expect("removed");
    fs::write(house.data().join("mingjian.toml"), format!("{toml}[node]\nproduction = true\n"))
        .expect("written");
    assert!(asked().contains("注意\t应急启用码\t已经用过，还没有重新封存"), "{}", asked());
    house.by_hand("UPDATE emergency_seal SET state = 'sealed' WHERE state = 'opened'");
    assert!(!asked().contains("应急启用码\t"), "{}", asked());
    let ran = house.run(&["verify"]);
    assert!(ran.out.contains("FAIL\tchanged\temergency_seal\t"), "{} {}", ran.out, ran.err);
}
