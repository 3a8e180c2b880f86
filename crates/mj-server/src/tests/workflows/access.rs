//! Accounts and who holds what: opened, disabled, granted by two, locked, signed in.

use std::sync::Arc;

use mj_kernel::Role;
use serde_json::{Value, json};

use super::super::authorisation::world::{Hat, Relation, account, sha256};
use super::play::{Act, Answer, Ask, Deed, Dice, Machine, Seen, Stage, act, bare, held, once};

pub(super) const ACCOUNTS: &str = "/api/v1/access/accounts";
const REQUESTS: &str = "/api/v1/access/grant-requests";
const GRANTS: &str = "/api/v1/access/grants";
pub(super) const SESSIONS: &str = "/api/v1/sessions";
pub(super) const PASSWORD: &str = "石榴花开满枣庄城2026";
pub(super) const ANOTHER: &str = "大运河边看台儿庄2026";

/// Opens an account over the API; its id, its login and the code that activates it.
pub(super) async fn opened(stage: &Stage) -> (String, String, String) {
    let login = format!("wf{}", mj_platform::new_id().replace('-', ""));
    let body = json!({"login": login, "name": "某", "agency": Relation::Own.agency()});
    let made = stage.create(Ask::by(Role::SysAdmin, ACCOUNTS, body)).await;
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    (text("id"), login, text("activation_code"))
}

pub(super) fn enrol(code: &str, login: &str) -> Ask {
    let body = json!({"code": code, "login": login, "password": PASSWORD, "name": "某"});
    Ask::post(None, "/api/v1/enrolments", body)
}

pub(super) fn login(name: &str, password: &str) -> Ask {
    Ask::post(None, SESSIONS, json!({"login": name, "password": password}))
}

/// An account from its opening on.
#[derive(Default)]
struct Account {
    id: String,
    login: String,
    code: String,
    /// A code that was used, or that a newer one replaced.
    earlier: Option<String>,
    /// Since it was looked at: of two at once nobody knows which was the later.
    given: usize,
}

impl Machine for Account {
    const NAME: &'static str = "account";
    const SEQUENCES: usize = 12;

    fn acts(&self) -> Vec<Act> {
        vec![
            act("POST /api/v1/access/accounts/{id}/disable", &["system administrator"]),
            act("POST /api/v1/access/accounts/{id}/enable", &["system administrator"]),
            bare("POST /api/v1/access/accounts/{id}/activation", &["system administrator"]),
            bare("POST /api/v1/enrolments", &["owner"]),
            bare("POST /api/v1/enrolments with an earlier code", &["owner"]),
            bare("POST /api/v1/sessions", &["owner"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        // what went wrong before is forgotten: locks are a machine of their own
        stage.wait(16 * 60);
        let (id, login, code) = opened(stage).await;
        *self = Self { id, login, code, ..Self::default() };
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let sql = "SELECT COUNT(*) FROM enrolment WHERE account_id = $1 AND used_at = 0";
        let codes = stage.world.kit.db().count(sql, &[self.id.as_str().into()]).await;
        let codes = codes.expect("counted");
        assert!(codes < 2, "one code at a time");
        if std::mem::take(&mut self.given) > 1 {
            let path = format!("{ACCOUNTS}/{}/activation", self.id);
            let answer = stage.send(&Ask::by(Role::SysAdmin, path, json!({}))).await;
            self.done("/activation", "", &answer);
            self.given = 0;
        }
        let mut whole = stage.get(Role::AuditAdmin, &format!("{ACCOUNTS}/{}", self.id)).await;
        // whoever signs in has a session more, which is no other state of the account
        whole["sessions"] = Value::Null;
        // that it was tried too often is told by the machine of logins, and no other state either
        let history = whole["history"].as_array_mut().expect("what was done to it");
        history.retain(|entry| entry["action"] != "access.account.lock");
        let name = whole["account"]["state"].as_str().expect("a state").to_owned();
        let activated = whole["activated"] == true;
        assert!(!(activated && codes > 0), "no code for an account in use without a second person");
        let state = match (name.as_str(), activated) {
            ("active", false) => "opened".to_owned(),
            (_, false) => format!("{name} before use"),
            (_, true) => name,
        };
        let version = whole["account"]["version"].as_i64().expect("a version");
        Seen { state, version, whole }
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, _: &str, version: i64) -> Option<Deed> {
        match act {
            "POST /api/v1/enrolments" => enrol(&self.code, &self.login).into(),
            "POST /api/v1/enrolments with an earlier code" => {
                enrol(self.earlier.as_deref()?, &self.login).into()
            }
            "POST /api/v1/sessions" => login(&self.login, PASSWORD).into(),
            _ => {
                let path = act.trim_start_matches("POST ").replace("{id}", &self.id);
                let body = json!({"version": version, "reason": "岗位变动"});
                Ask::by(Role::SysAdmin, path, body).into()
            }
        }
    }

    fn done(&mut self, act: &str, _: &str, answer: &Answer) {
        if act.ends_with("/activation") {
            let code = answer.body["activation_code"].as_str().expect("a code").to_owned();
            self.earlier = Some(std::mem::replace(&mut self.code, code));
            self.given += 1;
        }
    }
}

#[tokio::test]
async fn an_account_goes_as_published() {
    held(Account::default()).await;
}

/// The door of an account with a password: five wrong ones close it for ten minutes, the first time.
#[derive(Default)]
struct Door {
    login: String,
}

impl Machine for Door {
    const NAME: &'static str = "login";
    const SEQUENCES: usize = 3;

    fn acts(&self) -> Vec<Act> {
        vec![
            bare("POST /api/v1/sessions", &["owner"]),
            bare("POST /api/v1/sessions with five wrong passwords", &["anybody"]),
            bare("time: 10 minutes", &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        stage.wait(31 * 60);
        let (_, login, code) = opened(stage).await;
        let done = stage.send(&enrol(&code, &login)).await;
        assert_eq!(done.status, 201, "{}", done.body);
        *self = Self { login };
    }

    /// The door tells how it stands by opening, or not, to the right password.
    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        // all of them come from one place, whose own lock is another story
        let here = sha256("source\n-");
        let sql = format!("DELETE FROM login_bucket WHERE bucket = '{here}'");
        stage.world.kit.db().statement(&sql).await.expect("forgotten");
        let answer = stage.send(&login(&self.login, PASSWORD)).await;
        let state = if answer.status == 201 { "open" } else { "locked" };
        Seen { state: state.into(), version: 0, whole: Value::Null }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, _: i64) -> Option<Deed> {
        match who {
            "house" => {
                let stage = stage.clone();
                Deed::house(async move { stage.wait(10 * 60 + 1) })
            }
            "anybody" => {
                let wrong = || login(&self.login, "猜的密码不会对2026");
                Some(Deed::Series((0..5).map(|_| wrong()).collect()))
            }
            _ => {
                assert_eq!(act, "POST /api/v1/sessions");
                login(&self.login, PASSWORD).into()
            }
        }
    }
}

#[tokio::test]
async fn a_door_that_was_guessed_at_goes_as_published() {
    held(Door::default()).await;
}

const UNLOCKS: &str = "/api/v1/access/unlock-requests";

/// An account that was opened, used, and guessed at until it was locked.
async fn locked_out(stage: &Stage) -> (String, String) {
    stage.wait(31 * 60);
    let (id, name, code) = opened(stage).await;
    let done = stage.send(&enrol(&code, &name)).await;
    assert_eq!(done.status, 201, "{}", done.body);
    for _ in 0..5 {
        stage.send(&login(&name, "猜的密码不会对2026")).await;
    }
    (id, name)
}

/// A lock that one administrator asks to end and another ends.
#[derive(Default)]
struct Unlock {
    id: String,
    account: String,
    /// When the lock ends by itself.
    until: i64,
}

const TWO: &[&str] = &["asker", "second person"];

fn by_two(act: &str, who: &str, id: &str, version: i64) -> Option<Deed> {
    let role = if who == "asker" { Role::SysAdmin } else { Role::SecAdmin };
    let path = act.trim_start_matches("POST ").replace("{id}", id);
    Ask::by(role, path, json!({"version": version, "reason": "已核实身份"})).into()
}

impl Machine for Unlock {
    const NAME: &'static str = "unlock_request";
    const SEQUENCES: usize = 12;

    fn acts(&self) -> Vec<Act> {
        vec![
            act("POST /api/v1/access/unlock-requests/{id}/approve", TWO),
            act("POST /api/v1/access/unlock-requests/{id}/refuse", TWO),
            bare("time: 72 hours", &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        let (account, _) = locked_out(stage).await;
        let body = json!({"account_id": account, "kind": "unlock", "reason": "本人来电"});
        let made = stage.create(Ask::by(Role::SysAdmin, UNLOCKS, body)).await;
        let id = made["id"].as_str().expect("an id").to_owned();
        let until = stage.world.kit.db().clock().now() + 10 * 60_000_000;
        *self = Self { id, account, until };
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let path = format!("{UNLOCKS}?account={}", self.account);
        let mut whole = stage.get(Role::AuditAdmin, &path).await["items"][0].clone();
        let state = whole["state"].as_str().expect("a state").to_owned();
        // the lock ends by the approval, or by time, and by nothing else
        let lock = stage.get(Role::SysAdmin, &format!("{ACCOUNTS}/{}/lock", self.account)).await;
        let open = state == "approved" || stage.world.kit.db().clock().now() >= self.until;
        assert_eq!(lock["locked_until"].is_null(), open, "{state}: {lock}");
        whole["lock"] = lock;
        Seen { state, version: whole["version"].as_i64().expect("a version"), whole }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        if who == "house" {
            let stage = stage.clone();
            return Deed::house(async move { stage.wait(72 * 3600) });
        }
        by_two(act, who, &self.id, version)
    }
}

#[tokio::test]
async fn an_unlock_goes_as_published() {
    held(Unlock::default()).await;
}

/// A new code for an account in use: asked for, approved, handed out, used.
#[derive(Default)]
struct Reset {
    id: String,
    account: String,
    login: String,
    code: Option<String>,
}

impl Machine for Reset {
    const NAME: &'static str = "account_reset";
    const SEQUENCES: usize = 16;

    fn acts(&self) -> Vec<Act> {
        vec![
            act("POST /api/v1/access/unlock-requests/{id}/approve", TWO),
            act("POST /api/v1/access/unlock-requests/{id}/refuse", TWO),
            once("POST /api/v1/access/accounts/{id}/activation", TWO),
            once("POST /api/v1/enrolments", &["owner"]),
            bare("time: 72 hours", &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        let (account, login) = locked_out(stage).await;
        let body = json!({"account_id": account, "kind": "reset", "reason": "本人忘记密码"});
        let made = stage.create(Ask::by(Role::SysAdmin, UNLOCKS, body)).await;
        let id = made["id"].as_str().expect("an id").to_owned();
        *self = Self { id, account, login, code: None };
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let path = format!("{UNLOCKS}?account={}", self.account);
        let whole = stage.get(Role::SecAdmin, &path).await["items"][0].clone();
        let mut state = whole["state"].as_str().expect("a state").to_owned();
        // the API tells nobody whether a code is out
        let sql = "SELECT id AS found FROM enrolment WHERE account_id = $1 AND used_at = 0";
        let out = stage.text(sql, &self.account).await.is_some();
        if state == "used" && !out {
            state = "enrolled".to_owned();
        }
        assert_eq!(out, state == "used", "{whole}");
        Seen { state, version: whole["version"].as_i64().expect("a version"), whole }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        if who == "house" {
            let stage = stage.clone();
            return Deed::house(async move { stage.wait(72 * 3600) });
        }
        if act == "POST /api/v1/enrolments" {
            return enrol(self.code.as_deref().unwrap_or("没有代码"), &self.login).into();
        }
        let id = if act.ends_with("/activation") { &self.account } else { &self.id };
        by_two(act, who, id, version)
    }

    fn done(&mut self, act: &str, _: &str, answer: &Answer) {
        if act.ends_with("/activation") {
            self.code = answer.body["activation_code"].as_str().map(str::to_owned);
        }
    }
}

#[tokio::test]
async fn a_reset_of_an_account_goes_as_published() {
    held(Reset::default()).await;
}

/// A privileged role, asked for by one administrator and confirmed by another.
#[derive(Default)]
struct Request {
    id: String,
    account: String,
}

impl Machine for Request {
    const NAME: &'static str = "grant_request";
    const SEQUENCES: usize = 16;

    fn acts(&self) -> Vec<Act> {
        vec![
            act("POST /api/v1/access/grant-requests/{id}/confirm", TWO),
            act("POST /api/v1/access/grant-requests/{id}/refuse", TWO),
            bare("time: 72 hours", &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.account = mj_platform::new_id();
        let mut tx = stage.world.kit.begin().await;
        account(&mut tx, &self.account, "business", Relation::Own).await;
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
        let body = json!({"account_id": self.account, "role": "datahub_operator",
            "areas": [Relation::Own.area()], "reason": "汇聚岗位"});
        let made = stage.create(Ask::by(Role::SecAdmin, REQUESTS, body)).await;
        self.id = made["id"].as_str().expect("an id").to_owned();
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let path = format!("{REQUESTS}?account={}", self.account);
        let mut whole = stage.get(Role::SysAdmin, &path).await["items"][0].clone();
        let state = whole["state"].as_str().expect("a state").to_owned();
        // what it gives is given by the confirmation and by nothing else
        let grants = stage.get(Role::SysAdmin, &format!("{GRANTS}?account={}", self.account)).await;
        let held = grants["items"].as_array().expect("grants").len();
        assert_eq!(held, usize::from(state == "confirmed"), "{state}: {grants}");
        whole["grants"] = grants;
        Seen { state, version: whole["version"].as_i64().expect("a version"), whole }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        if who == "house" {
            let stage = stage.clone();
            return Deed::house(async move { stage.wait(72 * 3600) });
        }
        let role = if who == "asker" { Role::SecAdmin } else { Role::AuditAdmin };
        let path = act.trim_start_matches("POST ").replace("{id}", &self.id);
        Ask::by(role, path, json!({"version": version, "reason": "已核对"})).into()
    }
}

#[tokio::test]
async fn a_privileged_grant_goes_as_published() {
    held(Request::default()).await;
}

/// A role that one administrator gives and takes back.
#[derive(Default)]
struct Grant {
    id: String,
    account: String,
    version: i64,
}

impl Machine for Grant {
    const NAME: &'static str = "grant";
    const SEQUENCES: usize = 6;

    fn acts(&self) -> Vec<Act> {
        vec![act("POST /api/v1/access/grants/{id}/revoke", &["security administrator", "holder"])]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.account = Hat::Person.account();
        let body = json!({"account_id": self.account, "role": "officer",
            "areas": [Relation::Child.area()], "reason": "到岗"});
        let made = stage.create(Ask::by(Role::SecAdmin, GRANTS, body)).await;
        self.id = made["id"].as_str().expect("an id").to_owned();
        self.version = 1;
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let path = format!("{GRANTS}?account={}", self.account);
        let all = stage.get(Role::SysAdmin, &path).await;
        let mut items = all["items"].as_array().expect("grants").iter();
        match items.find(|one| one["id"] == *self.id) {
            Some(one) => {
                self.version = one["version"].as_i64().expect("a version");
                Seen { state: "held".into(), version: self.version, whole: one.clone() }
            }
            None => Seen { state: "revoked".into(), version: self.version + 1, whole: Value::Null },
        }
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        let path = act.trim_start_matches("POST ").replace("{id}", &self.id);
        let body = json!({"version": version, "reason": "离岗"});
        // granting ended the holder's own session: any other of no role stands for it
        let by = if who == "holder" { Role::Clerk } else { Role::SecAdmin };
        Ask::by(by, path, body).into()
    }
}

#[tokio::test]
async fn a_grant_goes_as_published() {
    held(Grant::default()).await;
}
