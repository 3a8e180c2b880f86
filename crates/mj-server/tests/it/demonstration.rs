//! `mingjian demo`, as whoever tries the program for the first time meets it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::house::{House, free_port, wait_for};
use crate::http::{Door, Token};

struct Demo {
    child: Child,
    door: Door,
}

impl Demo {
    fn start(house: &House) -> Self {
        let port = free_port();
        let child = house
            .command(&["demo", "--size", "small", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        Self { child, door: Door::at(port) }
    }

    fn healthz(&mut self) -> (u16, Value) {
        wait_for("the demonstration answers", || {
            assert!(self.child.try_wait().expect("asked").is_none(), "the demonstration ended");
            self.door.try_get("/healthz").map(|answer| (answer.status, answer.json()))
        })
    }

    fn resident_megabytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") / 1024
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        let since = Instant::now();
        assert!(
            std::process::Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .expect("kill")
                .success()
        );
        let status = wait_for("it ends", || self.child.try_wait().expect("asked"));
        assert_eq!(status.code(), Some(0));
        assert!(since.elapsed() < Duration::from_secs(30), "took {:?}", since.elapsed());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demonstration_fills_itself_once_and_keeps_its_promises() {
    let house = House::bare();
    let mut demo = Demo::start(&house);
    let (status, health) = demo.healthz();
    assert_eq!((status, health["state"].as_str()), (503, Some("filling")), "{health}");
    assert!(health["percent"].as_u64().is_some_and(|percent| percent < 100), "{health}");
    // pages answer while it fills
    for door in [demo.door, demo.door.over_ipv6()] {
        let home = door.try_get("/").expect("an answer");
        assert!(matches!(home.status, 200 | 503), "{}", home.status);
        assert!(home.header("content-type").starts_with("text/html"));
    }
    wait_for("the city is built", || {
        let (status, health) = demo.healthz();
        match status {
            200 => {
                assert_eq!(health["state"], "ready");
                let database = if house.database.is_some() { "postgres" } else { "sqlite" };
                assert_eq!(health["database"], database);
                assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
                Some(())
            }
            _ => None,
        }
    });
    let path = house.data().join("demo-accounts.json");
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let listed: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let accounts = listed["accounts"].as_array().expect("accounts");
    for role in mj_kernel::Role::ALL.iter().filter(|role| role.name() != "anonymous") {
        let account = accounts.iter().find(|one| one["role"] == role.name());
        let account = account.unwrap_or_else(|| panic!("no account for {}", role.name()));
        for key in ["login", "password", "role"] {
            assert!(account[key].is_string(), "{key}");
        }
        for key in ["area", "agency"] {
            assert!(account.get(key).is_some(), "{key} of {}", role.name());
        }
    }
    for source in listed["sources"].as_array().expect("sources") {
        let keys: Vec<&str> =
            source.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["cd_source", "token", "tables"]);
    }
    let operator = accounts.iter().find(|one| one["role"] == "datahub_operator").expect("one");
    let body = serde_json::json!({"login": operator["login"], "password": operator["password"]});
    let session = demo.door.post(&Token::default(), "/api/v1/sessions", &body).expect(201);
    let token = Token::bearer(session["token"].as_str().expect("a token"));
    let count = |door: Door| {
        let list = door.get(&token, "/api/v1/datahub/batches?limit=500").expect(200);
        list["items"].as_array().expect("batches").len()
    };
    let batches = count(demo.door);
    assert!(batches > 10, "only {batches}");
    // what filling took goes back once it idles
    wait_for("it idles below 300 MB", || (demo.resident_megabytes() < 300).then_some(()));
    demo.stop();
    house.is_clean();

    let mut again = Demo::start(&house);
    let (status, health) = again.healthz();
    assert_eq!((status, health["state"].as_str()), (200, Some("ready")), "filled again");
    assert_eq!(count(again.door), batches);
    assert!(again.resident_megabytes() < 300);
    again.stop();
}
