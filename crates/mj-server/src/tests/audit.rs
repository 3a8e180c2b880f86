//! The monthly audit report as the audit administrator meets it: a month ends, its numbers are those of the journal, it
//! is signed once, frozen as signed, and corrected by a further edition.

use std::collections::BTreeMap;

use axum::Router;
use axum::http::Method;
use mj_access::seal;
use mj_kernel::{Actor, ActorKind, Role};
use mj_ledger::receipt::Receipt;
use mj_platform::ledger::Ledger;
use mj_platform::ledger::verify::{self, Wanted};
use mj_platform::{Act, Lane, RowExt, gm};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};

use super::authorisation::world::{self, Hat, Relation, World, put};
use crate::ledger::audit::Month;

const LIST: &str = "/api/v1/log/audit-reports";

struct Office {
    world: World,
    router: Router,
    ledger: Ledger,
}

impl Office {
    async fn open() -> Self {
        let world = World::new().await;
        world.stand().await;
        let router = crate::modules::web(&world.domains).router(Router::new());
        let folder = world.kit.folder.path().join("log");
        let (db, vault) = (world.kit.db().clone(), world.kit.vault());
        let ledger = Ledger::open(db, &folder, vault, "370400").await.expect("a log");
        ledger.drain().await.expect("signed");
        Self { world, router, ledger }
    }

    /// Everybody's session is as new, and the password was given `ago` seconds ago.
    async fn sign_in_again(&self, ago: i64) {
        let now = self.world.kit.db().clock().now();
        let (later, proven) = (now + 3_600_000_000, now - ago * 1_000_000);
        let sql = format!(
            "UPDATE session SET absolute_until = {later}, proven_at = {proven}, \
             last_seen_at = {now} WHERE account_id LIKE 'hat-%'"
        );
        self.world.kit.db().statement(&sql).await.expect("prolonged");
        let sql = "SELECT id FROM session WHERE account_id LIKE 'hat-%'";
        let rows = self.world.kit.db().fetch_all(sql, &[]).await.expect("read");
        let mut tx = self.world.kit.begin().await;
        for row in rows {
            let id = row.text("id").expect("an id");
            seal::seal(&mut tx, seal::Kind::Session, &id).await.expect("sealed");
        }
        tx.commit().await.expect("done");
    }

    async fn send(&self, role: Role, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let token = Hat::Role(role).token();
        let body = body.map(|body| body.to_string());
        let answer = world::ask(&self.router, &method, path, token.as_deref(), body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (answer.status.as_u16(), body)
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Role::AuditAdmin, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn refused(&self, role: Role, path: &str, body: &Value, code: &str) {
        let (status, answer) = self.send(role, path, Some(body.clone())).await;
        assert!((400..500).contains(&status), "{path}: {status}");
        assert_eq!(answer["code"], code, "{path}: {answer}");
    }

    async fn month_ends(&self) -> Month {
        let now = self.world.kit.db().clock().now();
        let month = Month::of(now);
        self.world.kit.clock.advance_seconds((month.until() - now) / 1_000_000 + 1);
        self.sign_in_again(0).await;
        month
    }
}

/// Whoever may read an entry reads who did it: by that name it is found. Logins are for those who may read accounts.
#[tokio::test]
async fn what_somebody_did_is_found_by_name_and_by_login() {
    let office = Office::open().await;
    let renamed =
        "UPDATE account SET login = 'wang.min', name = '王敏A' WHERE id = 'hat-sys_admin'";
    office.world.kit.db().statement(renamed).await.expect("renamed");
    let agency = json!({"uscc": "11370400004400009R", "name": "某局", "area_number": "370400"});
    let (status, made) = office.send(Role::SysAdmin, "/api/v1/access/agencies", Some(agency)).await;
    assert_eq!(status, 201, "{made}");
    office.ledger.drain().await.expect("signed");
    let found = async |role: Role, typed: &str| {
        let path = format!("/api/v1/log/entries#{typed}");
        let (status, body) = office.send(role, &path, None).await;
        assert_eq!(status, 200, "{body}");
        let items = body["items"].as_array().cloned().expect("entries");
        items.iter().map(|one| one["action"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    // 王敏a, and a part of the login
    for typed in ["%E7%8E%8B%E6%95%8Fa", "Wang.M"] {
        let acts = found(Role::AuditAdmin, typed).await;
        assert_eq!(acts, ["access.agency.create"], "{typed}");
    }
    for nobody in ["%E7%8E%8B%E4%BA%94%E5%85%AD", "wang_min", "%25"] {
        assert!(found(Role::AuditAdmin, nobody).await.is_empty(), "{nobody}");
    }
    assert!(found(Role::Supervisor, "wang.min").await.is_empty(), "no reader of accounts");
}

fn number(report: &Value, section: &str, key: &str) -> Option<i64> {
    let one = |list: &Value, key: &str| -> Option<Value> {
        list.as_array()?.iter().find(|one| one["key"] == key).cloned()
    };
    one(&one(&report["sections"], section)?["lines"], key)?["count"].as_i64()
}

#[tokio::test]
async fn a_month_is_signed_once_stays_as_signed_and_is_corrected_by_another_edition() {
    let office = Office::open().await;
    let home = async || office.get("/api/v1/home").await["audit_reports"].clone();
    assert_eq!(home().await, json!([]), "the first month still runs");
    let path = format!("{LIST}/2026-11");
    let running = office.get(&path).await;
    assert_eq!(running["state"], "running");
    let mut body = json!({"seen": running["seen"], "findings": "未发现问题"});
    let (sign, correct) = (format!("{path}/sign"), format!("{path}/correct"));
    office.refused(Role::AuditAdmin, &sign, &body, "ledger.month_not_over").await;
    // a person looks at the log, somebody mistypes a password
    let agency = json!({"uscc": "11370400004400009R", "name": "某局", "area_number": "370400"});
    let (status, made) = office.send(Role::SysAdmin, "/api/v1/access/agencies", Some(agency)).await;
    assert_eq!(status, 201, "{made}");

    assert_eq!(office.month_ends().await.name(), "2026-11");
    let waiting = home().await;
    assert_eq!(waiting[0]["month"], "2026-11");
    // ten working days of December 2026, which has no holiday
    assert_eq!(
        (&waiting[0]["deadline"], &waiting[0]["overdue"]),
        (&json!("2026-12-14"), &json!(false))
    );
    let report = office.get(&path).await;
    assert_eq!(report["state"], "waiting");
    assert_eq!(number(&report, "acts", "action:access.agency.create"), Some(1));
    assert_eq!(report["checkpoint"]["volume"], 1);
    // the link of a number lists as many entries as it says
    for section in report["sections"].as_array().expect("sections") {
        for line in section["lines"].as_array().expect("lines") {
            let Some(link) = line["path"].as_str().filter(|_| line["count"] != 0) else { continue };
            if ["erased:person", "frozen"].contains(&line["key"].as_str().expect("a key")) {
                continue;
            }
            let query = link.strip_prefix("/ledger?").expect("the page of the log");
            let found = office.get(&format!("/api/v1/log/entries?limit=500&{query}")).await;
            let listed = found["items"].as_array().expect("items").len() as i64;
            assert_eq!(listed, line["count"].as_i64().expect("a number"), "{line}");
        }
    }

    // who signs read the numbers, is an audit administrator, and has just said who it is
    office.refused(Role::AuditAdmin, &sign, &body, "ledger.report_changed").await;
    body["seen"] = report["seen"].clone();
    body["findings"] = " ".into();
    office.refused(Role::AuditAdmin, &sign, &body, "ledger.report_remark").await;
    body["findings"] = "11 月有一次登记部门，已核对".into();
    body["opinion"] = "无需处理".into();
    for role in [Role::SysAdmin, Role::SecAdmin, Role::Supervisor, Role::Leader] {
        office.refused(role, &sign, &body, "access.denied").await;
        let (status, _) = office.send(role, &path, None).await;
        assert_eq!(status, 403);
    }
    office.sign_in_again(3_600).await;
    office.refused(Role::AuditAdmin, &sign, &body, "access.step_up_required").await;
    office.sign_in_again(0).await;
    let mut early = body.clone();
    (early["edition"], early["why"]) = (1.into(), "还没有签署".into());
    office.refused(Role::AuditAdmin, &correct, &early, "ledger.report_unsigned").await;
    let (status, signed) = office.send(Role::AuditAdmin, &sign, Some(body.clone())).await;
    assert_eq!(status, 200, "{signed}");
    assert_eq!((&signed["state"], &signed["signed"]["edition"]), (&json!("signed"), &json!(1)));
    assert_eq!(signed["differences"], json!([]));
    office.refused(Role::AuditAdmin, &sign, &body, "ledger.report_signed").await;
    assert_eq!(home().await, json!([]));

    // the text taken away has the digest that the receipt's entry commits to
    let text = office.get(&format!("{path}/editions/1/text")).await;
    let digest = signed["signed"]["sm3"].as_str().expect("a digest").to_owned();
    let canonical = serde_json_canonicalizer::to_string(&text).expect("JSON");
    assert_eq!(gm::sm3_hex(canonical.as_bytes()), digest);
    office.ledger.drain().await.expect("signed");
    let entry = signed["signed"]["entry"].as_i64().expect("an entry");
    let receipt = office.get(&format!("/api/v1/log/entries/{entry}/receipt")).await;
    let receipt = Receipt::parse(&receipt.to_string()).expect("a receipt");
    let key = Some(office.ledger.key());
    receipt.check(key.as_ref(), &gm::sign::verify).expect("it proves itself");
    let told = receipt.payload.expect("opened").payload.reason.expect("a reason");
    assert_eq!(told, format!("签署2026年11月审计报告，第 1 版，SM3 {digest}"));

    // rows that change later change the report of no one who signed, and the page says so
    let sql = "UPDATE act_journal SET action = 'access.agency.update' \
               WHERE action = 'access.agency.create' AND log_seq IS NOT NULL";
    office.world.kit.db().statement(sql).await.expect("past the door");
    let later = office.get(&path).await;
    assert_eq!(number(&later, "acts", "action:access.agency.create"), Some(1), "as signed");
    let differences = later["differences"].as_array().expect("a list");
    assert!(
        differences.iter().any(|one| one["title"] == "登记部门" && one["signed"] == 1),
        "{differences:?}"
    );

    let mut second = json!({"edition": 1, "seen": later["seen"], "findings": "登记部门一条被改动"});
    office.refused(Role::AuditAdmin, &correct, &second, "input.invalid").await;
    second["why"] = "核对后发现改动".into();
    let (status, again) = office.send(Role::AuditAdmin, &correct, Some(second.clone())).await;
    assert_eq!(status, 200, "{again}");
    assert_eq!(again["signed"]["corrects"]["sm3"], json!(digest));
    assert_eq!((&again["signed"]["edition"], &again["differences"]), (&json!(2), &json!([])));
    office.refused(Role::AuditAdmin, &correct, &second, "ledger.report_corrected").await;
    let first = office.get(&format!("{path}?edition=1")).await;
    assert_eq!(number(&first, "acts", "action:access.agency.create"), Some(1), "still there");
    // the sign acts are counted in the month in which they were done
    let december = office.get(&format!("{LIST}/2026-12")).await;
    assert_eq!(number(&december, "system", "action:ledger.audit_report.sign"), Some(1));
    // the month passes, and nobody signs December
    office.month_ends().await;
    office.month_ends().await;
    let waiting = home().await;
    assert_eq!(waiting[0]["month"], "2026-12");
    assert_eq!((&waiting[0]["overdue"], waiting.as_array().map(Vec::len)), (&json!(true), Some(2)));
    assert_eq!(office.get(LIST).await["items"].as_array().map(Vec::len), Some(4));
    // a signed text changed past the door is named by verify, and the page says that it is not what was signed
    let named = async || {
        let mut snapshot = office.world.kit.db().snapshot().await.expect("a view");
        let folder = office.world.kit.folder.path().join("log");
        let wanted = Wanted { added: crate::ledger::added_columns(), ..Wanted::default() };
        let report = verify::run(&mut snapshot, &folder, &wanted).await.expect("verified");
        report.findings.iter().filter(|one| one.table == "audit_report").count()
    };
    office.ledger.drain().await.expect("signed");
    assert_eq!(named().await, 0);
    let sql = "UPDATE audit_report SET report = REPLACE(report, '无需处理', '另案处理') \
               WHERE edition = 1";
    office.world.kit.db().statement(sql).await.expect("past the door");
    assert_eq!(named().await, 1);
    let changed = office.get(&format!("{path}?edition=1")).await;
    assert_eq!(changed["signed"]["intact"], json!(false));
    for unknown in ["2026-10", "2027-03", "2026-13", "november"] {
        let (status, _) = office.send(Role::AuditAdmin, &format!("{LIST}/{unknown}"), None).await;
        assert_eq!(status, 404, "{unknown}");
    }
}

/// A row of the journal, read plainly.
struct Done {
    at: i64,
    actor: String,
    action: String,
    erased: bool,
}

/// Roles of administrators with the time they were held.
type Held = Vec<(String, String, i64, i64)>;

/// The same line drawn once more, without SQL.
fn kind(done: &Done, held: &Held, admins: &[String]) -> &'static str {
    if done.erased {
        return "erased";
    }
    let Some(account) = done.actor.strip_prefix("account:") else {
        return match done.actor.split(':').next() {
            Some("system") => "system",
            Some("source") => "source",
            Some("emergency") => "emergency",
            Some("anonymous") => "anonymous",
            _ => "other",
        };
    };
    for role in ["sys_admin", "sec_admin", "audit_admin"] {
        let then = |one: &&(String, String, i64, i64)| {
            one.0 == account && one.1 == role && one.2 <= done.at && (one.3 == 0 || done.at < one.3)
        };
        if held.iter().any(|one| then(&one)) {
            return role;
        }
    }
    if admins.iter().any(|one| one == account) { "admin" } else { "business" }
}

const ACTIONS: [&str; 8] = [
    "access.account.create",
    "access.account.disable",
    "access.grant.create",
    "personal.shared_value.reveal",
    "export.file.take",
    "keys.class.rotate",
    "backup.take",
    "flow.work_item.claim",
];

#[tokio::test]
async fn the_numbers_of_any_month_are_those_of_the_journal_counted_row_by_row() {
    for seed in 0..4_u8 {
        let office = Office::open().await;
        let kit = &office.world.kit;
        let mut bytes = [0; 32];
        bytes[0] = seed;
        let mut dice = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut below = |end: u64| dice.next_u64() % end;
        let mut tx = kit.begin().await;
        world::account(&mut tx, "was-admin", "admin", Relation::Own).await;
        let (from, to) = (mj_testkit::NOW + 86_400_000_000, mj_testkit::NOW + 30 * 86_400_000_000);
        put(
            &mut tx,
            "role_grant",
            &[
                ("id", "was".into()),
                ("account_id", "was-admin".into()),
                ("account_class", "admin".into()),
                ("role", "sys_admin".into()),
                ("areas", "[]".into()),
                ("agencies", "*".into()),
                ("item_lines", "*".into()),
                ("level", "internal".into()),
                ("valid_from", "2020-01-01".into()),
                ("valid_to", "9999-12-31".into()),
                ("granted_by", "account:nobody".into()),
                ("granted_at", from.into()),
                ("revoked_at", to.into()),
            ],
        )
        .await;
        tx.commit().await.expect("done");
        let person = |id: &str| ActorKind::Person { account_id: id.to_owned() };
        let actors = [
            person("hat-clerk"),
            person("hat-audit_admin"),
            person("hat-sec_admin"),
            person("was-admin"),
            ActorKind::System { component: "datahub" },
            ActorKind::Source { cd_source: "src_own".into() },
            ActorKind::Emergency { seal_id: "hat-emergency".into() },
            ActorKind::Anonymous,
        ];
        for _ in 0..120 {
            let actor = actors[below(8) as usize].clone();
            let actor = Actor { kind: actor, grants: Vec::new() };
            let act = Act::new(&actor, ACTIONS[below(8) as usize], "thing:1");
            let mut tx = kit.db().begin(Lane::People, act).await.expect("begin");
            tx.note().await.expect("noted");
            tx.commit().await.expect("done");
            // some at the very edges of months
            kit.clock.advance_seconds(below(2 * 86_400) as i64);
            if below(20) == 0 {
                let now = kit.db().clock().now();
                let left = (Month::of(now).until() - now) / 1_000_000;
                kit.clock.advance_seconds(left - below(2) as i64);
            }
        }
        for _ in 0..3 {
            let last = mj_platform::ledger::erase::erase;
            let seq = 5 + below(60);
            last(kit.db(), &Actor::system("test"), seq, "依法").await.expect("erased");
        }
        office.sign_in_again(0).await;

        let rows = kit.db().fetch_all("SELECT * FROM act_journal", &[]).await.expect("read");
        let done: Vec<Done> = rows
            .iter()
            .filter(|row| row.opt_int("log_seq").expect("a number").is_some())
            .map(|row| Done {
                at: row.int("at").expect("a time"),
                actor: row.text("actor").expect("an actor"),
                action: row.text("action").expect("an action"),
                erased: row.opt_bytes("salt").expect("a salt").is_none(),
            })
            .collect();
        let sql = "SELECT * FROM role_grant WHERE account_class = 'admin'";
        let rows = kit.db().fetch_all(sql, &[]).await.expect("read");
        let held: Held = rows
            .iter()
            .map(|row| {
                let text = |name| row.text(name).expect("a text");
                let time = |name| row.int(name).expect("a time");
                (text("account_id"), text("role"), time("granted_at"), time("revoked_at"))
            })
            .collect();
        let admins: Vec<String> = held.iter().map(|one| one.0.clone()).collect();

        let months = office.get(LIST).await;
        let months = months["items"].as_array().expect("months");
        assert!(months.len() >= 3, "{months:?}");
        let mut all = 0;
        for month in months {
            let name = month["month"].as_str().expect("a month");
            let report = office.get(&format!("{LIST}/{name}")).await;
            let month = Month::parse(name).expect("a month");
            let within: Vec<&Done> = done
                .iter()
                .filter(|one| mj_kernel::clock::to_rfc3339(one.at).starts_with(&month.name()))
                .collect();
            let mut expected: BTreeMap<(String, String), i64> = BTreeMap::new();
            for one in &within {
                let action = format!("action:{}", one.action);
                *expected.entry(("acts".into(), action)).or_default() += 1;
                let by = format!("by:{}", kind(one, &held, &admins));
                *expected.entry(("entries".into(), by)).or_default() += 1;
                if one.action == "personal.shared_value.reveal" {
                    let who = format!("reveal:{}", one.actor);
                    *expected.entry(("reveals".into(), who)).or_default() += 1;
                }
            }
            if !within.is_empty() || number(&report, "entries", "entries") == Some(0) {
                let count = within.len() as i64;
                expected.insert(("entries".into(), "entries".into()), count);
            }
            let mut told: BTreeMap<(String, String), i64> = BTreeMap::new();
            for section in report["sections"].as_array().expect("sections") {
                let key = section["key"].as_str().expect("a key");
                for line in section["lines"].as_array().expect("lines") {
                    let of = line["key"].as_str().expect("a key");
                    let count = line["count"].as_i64().expect("a number");
                    let of_acts = of.starts_with("action:");
                    if ["acts", "entries"].contains(&key) || of.starts_with("reveal:") {
                        told.insert((key.to_owned(), of.to_owned()), count);
                    } else if of_acts {
                        // the parts of the report say the same as the whole
                        let whole = number(&report, "acts", of).unwrap_or(0);
                        assert_eq!(count, whole, "{name} {of}");
                    }
                }
            }
            assert_eq!(told, expected, "seed {seed}, {name}");
            all += within.len();
        }
        assert_eq!(all, done.len(), "every entry stands in one month");
    }
}
