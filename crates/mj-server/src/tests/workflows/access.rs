//! Accounts and who holds what: opened, disabled, granted by two, locked, signed in.

use std::sync::Arc;

use axum::http::Method;
use mj_kernel::Role;
use serde_json::{Value, json};

use super::super::authorisation::world::{Hat, Relation, account, sha256};
use super::play::{
    Act, Answer, Ask, Deed, Dice, Machine, Seen, Stage, act, alone, bare, held, once, told,
};

const ACCOUNTS: &str = "/api/v1/access/accounts";
const REQUESTS: &str = "/api/v1/access/grant-requests";
const GRANTS: &str = "/api/v1/access/grants";
const SESSIONS: &str = "/api/v1/sessions";
const PASSWORD: &str = "石榴花开满枣庄城2026";
const ANOTHER: &str = "大运河边看台儿庄2026";

/// Opens an account over the API; its id, its login and the code that activates it.
async fn opened(stage: &Stage) -> (String, String, String) {
    let login = format!("wf{}", mj_platform::new_id().replace('-', ""));
    let body = json!({"login": login, "name": "某", "agency": Relation::Own.agency()});
    let made = stage.create(Ask::by(Role::SysAdmin, ACCOUNTS, body)).await;
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    (text("id"), login, text("activation_code"))
}

fn enrol(code: &str, login: &str) -> Ask {
    let body = json!({"code": code, "login": login, "password": PASSWORD, "name": "某"});
    Ask::post(None, "/api/v1/enrolments", body)
}

fn login(name: &str, password: &str) -> Ask {
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

const FACTOR: &str = "/api/v1/sessions/current/second-factor";

/// One person's way in, with an authenticator: what waits for a code, what is open, and what is over.
#[derive(Default)]
struct Session {
    account: String,
    login: String,
    /// Where the authenticator's codes come from; none once it was reset.
    uri: Option<String>,
    offered: Option<String>,
    /// Since it was looked at: of two at once nobody knows which was the later.
    offers: usize,
    now: String,
    id: Option<String>,
    password: &'static str,
    earlier: Option<String>,
    used_code: Option<String>,
    recovery: Vec<String>,
    used_recovery: Option<String>,
    /// Five wrong codes lock, which is a machine of its own.
    wrong: usize,
    waited: bool,
    /// What another browser got for the password, while it waits for a code.
    other: Option<String>,
}

/// What is done at another browser, with the same account.
const ELSEWHERE: &str = " by another browser";

fn code_of(stage: &Stage, uri: &str) -> String {
    let now = stage.world.kit.db().clock().now() / 1_000_000;
    let authenticator = totp_rs::Totp::from_url(uri).expect("an address of ours");
    authenticator.generate(u64::try_from(now).expect("after 1970")).to_string()
}

impl Session {
    fn with(&self, secret: &str, path: &str, body: Value) -> Ask {
        Ask::post(Some(secret.to_owned()), path, body)
    }

    fn other_password(&self) -> &'static str {
        if self.password == PASSWORD { ANOTHER } else { PASSWORD }
    }

    async fn sign_in(&mut self, stage: &Stage) {
        let opened = stage.send(&login(&self.login, PASSWORD)).await;
        assert_eq!(opened.status, 201, "{}", opened.body);
        self.now = opened.body["token"].as_str().expect("a token").to_owned();
    }

    fn keep_codes(&mut self, body: &Value) {
        let codes = body["recovery_codes"].as_array().expect("codes").iter();
        self.recovery = codes.map(|code| code.as_str().expect("a code").to_owned()).collect();
        self.used_recovery = None;
    }
}

impl Machine for Session {
    const NAME: &'static str = "session";
    const SEQUENCES: usize = 16;

    fn acts(&self) -> Vec<Act> {
        vec![
            once("POST /api/v1/sessions/current/second-factor", &["owner"]),
            once("POST /api/v1/sessions/current/second-factor with a used code", &["owner"]),
            once("POST /api/v1/sessions/current/second-factor with a recovery code", &["owner"]),
            once(
                "POST /api/v1/sessions/current/second-factor with a used recovery code",
                &["owner"],
            ),
            told("POST /api/v1/sessions/current/second-factor/offer", &["owner"]),
            once("POST /api/v1/sessions/current/second-factor/confirm", &["owner"]),
            once("POST /api/v1/sessions/current/step-up", &["owner"]),
            once("POST /api/v1/sessions/current/step-up with the token before", &["owner"]),
            bare("POST /api/v1/sessions by another browser", &["owner"]),
            once("POST /api/v1/sessions/current/second-factor by another browser", &["owner"]),
            told("DELETE /api/v1/sessions/current", &["owner"]),
            told("DELETE /api/v1/sessions/{id}", &["owner"]),
            alone("POST /api/v1/sessions/current/password", &["owner"]),
            bare("POST /api/v1/access/accounts/{id}/sessions/end", &["security administrator"]),
            bare("time: 31 minutes", &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, dice: &mut Dice) {
        stage.wait(31 * 60);
        let (account, name, code) = opened(stage).await;
        *self = Self { account, login: name, password: PASSWORD, ..Self::default() };
        let done = stage.send(&enrol(&code, &self.login)).await;
        assert_eq!(done.status, 201, "{}", done.body);
        self.sign_in(stage).await;
        let offer = stage.send(&self.with(&self.now, &format!("{FACTOR}/offer"), json!({}))).await;
        let uri = offer.body["uri"].as_str().expect("an address").to_owned();
        let code = code_of(stage, &uri);
        let confirm = self.with(&self.now, &format!("{FACTOR}/confirm"), json!({"totp": code}));
        let bound = stage.send(&confirm).await;
        assert_eq!(bound.status, 200, "{}", bound.body);
        self.keep_codes(&bound.body);
        self.used_code = Some(code);
        self.uri = Some(uri);
        stage.wait(60);
        if dice.below(2) == 0 {
            let path = format!("{ACCOUNTS}/{}/second-factor/reset", self.account);
            let reset =
                stage.send(&Ask::by(Role::SecAdmin, path, json!({"reason": "手机丢失"}))).await;
            assert_eq!(reset.status, 204, "{}", reset.body);
            self.uri = None;
        }
        self.sign_in(stage).await;
    }

    /// What waits is nobody yet, to whom the API tells nothing; the house's own row tells it here.
    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        if std::mem::take(&mut self.offers) > 1 {
            self.offered = None;
        }
        if !std::mem::replace(&mut self.waited, true) {
            stage.wait(31);
        }
        let ask = self.with(&self.now, "/api/v1/sessions/current", Value::Null).method(Method::GET);
        let answer = stage.send(&Ask { body: Vec::new(), ..ask }).await;
        self.id = match answer.status {
            200 => {
                let ask = self.with(&self.now, SESSIONS, Value::Null).method(Method::GET);
                let own = stage.send(&Ask { body: Vec::new(), ..ask }).await;
                let mut items = own.body["items"].as_array().expect("sessions").iter();
                let current = items.find(|one| one["current"] == true).expect("this one");
                Some(current["id"].as_str().expect("an id").to_owned())
            }
            _ => self.id.take(),
        };
        let now = stage.world.kit.db().clock().now();
        let sql = format!(
            "SELECT state AS found FROM session WHERE token_sha256 = $1 AND absolute_until > {now}"
        );
        let kept = stage.text(&sql, &sha256(&self.now)).await;
        if let Some(other) = self.other.take() {
            let waits = stage.text(&sql, &sha256(&other)).await;
            self.other = waits.is_some_and(|state| state == "second_factor").then_some(other);
        }
        let state = match (answer.status, kept.as_deref()) {
            (200, _) => "active",
            (_, None | Some("active")) => "ended",
            (_, Some(waits)) => waits,
        };
        Seen { state: state.into(), version: 0, whole: json!(answer.status) }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, _: i64) -> Option<Deed> {
        let now = self.now.clone();
        let proof = |body: Value| Deed::Ask(self.with(&now, FACTOR, body));
        let used = act.split(" with a ").nth(1);
        match (act, used) {
            _ if who == "house" => {
                let stage = stage.clone();
                Deed::house(async move { stage.wait(31 * 60) })
            }
            _ if who == "security administrator" => {
                let path = format!("{ACCOUNTS}/{}/sessions/end", self.account);
                Ask::by(Role::SecAdmin, path, json!({"reason": "设备丢失"})).into()
            }
            _ if act == format!("POST {SESSIONS}{ELSEWHERE}") => {
                login(&self.login, self.password).into()
            }
            _ if act.ends_with(ELSEWHERE) => {
                let code = code_of(stage, self.uri.as_deref()?);
                self.with(self.other.as_deref()?, FACTOR, json!({"totp": code})).into()
            }
            (_, Some("used code" | "used recovery code")) if self.wrong > 1 => None,
            (_, Some("used code")) => Some(proof(json!({"totp": self.used_code.as_deref()?}))),
            (_, Some("recovery code")) => {
                Some(proof(json!({"recovery_code": self.recovery.first()?})))
            }
            (_, Some("used recovery code")) => {
                Some(proof(json!({"recovery_code": self.used_recovery.as_deref()?})))
            }
            _ if act.ends_with("/offer") => {
                self.with(&now, &format!("{FACTOR}/offer"), json!({})).into()
            }
            _ if act.ends_with("/confirm") => {
                let code = code_of(stage, self.offered.as_deref()?);
                self.with(&now, &format!("{FACTOR}/confirm"), json!({"totp": code})).into()
            }
            _ if act.contains("step-up") => {
                let by = if act.ends_with("before") { self.earlier.clone()? } else { now };
                let mut body = json!({"password": self.password});
                if let Some(uri) = &self.uri {
                    body["totp"] = code_of(stage, uri).into();
                }
                self.with(&by, "/api/v1/sessions/current/step-up", body).into()
            }
            _ if act.ends_with("/password") => {
                let body = json!({"current": self.password, "new": self.other_password()});
                self.with(&now, "/api/v1/sessions/current/password", body).into()
            }
            _ if act.ends_with("{id}") => {
                let path = format!("{SESSIONS}/{}", self.id.as_ref()?);
                self.with(&now, &path, json!({})).method(Method::DELETE).into()
            }
            _ if act.starts_with("DELETE") => {
                self.with(&now, "/api/v1/sessions/current", json!({})).method(Method::DELETE).into()
            }
            _ => Some(proof(json!({"totp": code_of(stage, self.uri.as_deref()?)}))),
        }
    }

    fn refused(&mut self, act: &str) {
        self.wrong += usize::from(act.contains(" used "));
    }

    fn done(&mut self, act: &str, _: &str, answer: &Answer) {
        if act == format!("POST {SESSIONS}{ELSEWHERE}") {
            self.other = answer.body["token"].as_str().map(str::to_owned);
            return;
        }
        // the next code is another one only when its time has come; no longer, or the password is asked again
        self.waited = !(act.ends_with("/confirm") || answer.body["token"].is_string());
        if act.ends_with("/password") {
            self.password = self.other_password();
        }
        if act.ends_with(ELSEWHERE) {
            return;
        }
        if let Some(token) = answer.body["token"].as_str() {
            self.earlier = Some(std::mem::replace(&mut self.now, token.to_owned()));
        }
        if act.ends_with("recovery code") {
            self.used_recovery = (!self.recovery.is_empty()).then(|| self.recovery.remove(0));
        }
        if let Some(uri) = answer.body["uri"].as_str() {
            self.offered = Some(uri.to_owned());
            self.offers += 1;
        }
        if act.ends_with("/confirm") {
            self.uri = self.offered.take();
            self.keep_codes(&answer.body);
        }
    }
}

#[tokio::test]
async fn a_session_goes_as_published() {
    held(Session::default()).await;
}

/// An authenticator: none, bound, or to be bound before anything else opens.
#[derive(Default)]
struct Factor {
    account: String,
    login: String,
    now: String,
    uri: Option<String>,
    offered: Option<String>,
    offers: usize,
    waited: bool,
}

impl Factor {
    async fn sign_in(&mut self, stage: &Stage) -> String {
        let opened = stage.send(&login(&self.login, PASSWORD)).await;
        assert_eq!(opened.status, 201, "{}", opened.body);
        let mut body = opened.body;
        if body["state"] == "second_factor" {
            stage.wait(31);
            let code = code_of(stage, self.uri.as_deref().expect("an authenticator"));
            let waiting = body["token"].as_str().map(str::to_owned);
            body = stage.send(&Ask::post(waiting, FACTOR, json!({"totp": code}))).await.body;
            self.waited = false;
        }
        self.now = body["token"].as_str().expect("a token").to_owned();
        body["state"].as_str().expect("a state").to_owned()
    }

    async fn own(&self, stage: &Stage) -> Answer {
        let ask = Ask::post(Some(self.now.clone()), FACTOR, Value::Null).method(Method::GET);
        stage.send(&Ask { body: Vec::new(), ..ask }).await
    }
}

impl Machine for Factor {
    const NAME: &'static str = "second_factor";
    const SEQUENCES: usize = 8;

    fn acts(&self) -> Vec<Act> {
        vec![
            told("POST /api/v1/sessions/current/second-factor/offer", &["owner"]),
            once("POST /api/v1/sessions/current/second-factor/confirm", &["owner"]),
            told("DELETE /api/v1/sessions/current/second-factor", &["owner"]),
            told(
                "POST /api/v1/access/accounts/{id}/second-factor/reset",
                &["security administrator", "system administrator"],
            ),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        stage.wait(31 * 60);
        let (account, login, code) = opened(stage).await;
        *self = Self { account, login, ..Self::default() };
        let done = stage.send(&enrol(&code, &self.login)).await;
        assert_eq!(done.status, 201, "{}", done.body);
        self.sign_in(stage).await;
    }

    /// As its owner sees it, who signs in again where the session was ended.
    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        if std::mem::take(&mut self.offers) > 1 {
            self.offered = None;
        }
        if !std::mem::replace(&mut self.waited, true) {
            stage.wait(31);
        }
        let mut answer = self.own(stage).await;
        if answer.status == 401 {
            if self.sign_in(stage).await == "enrol" {
                return Seen { state: "to be bound".into(), version: 0, whole: Value::Null };
            }
            answer = self.own(stage).await;
        }
        let state = if answer.body["bound"] == true { "bound" } else { "none" };
        Seen { state: state.into(), version: 0, whole: answer.body }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, _: i64) -> Option<Deed> {
        let by = |path: &str, body: Value| Ask::post(Some(self.now.clone()), path, body);
        if act.ends_with("/reset") {
            let security = who == "security administrator";
            let role = if security { Role::SecAdmin } else { Role::SysAdmin };
            let path = format!("{ACCOUNTS}/{}/second-factor/reset", self.account);
            return Ask::by(role, path, json!({"reason": "手机丢失"})).into();
        }
        if act.ends_with("/offer") {
            return by(&format!("{FACTOR}/offer"), json!({})).into();
        }
        if act.ends_with("/confirm") {
            let code = code_of(stage, self.offered.as_deref()?);
            return by(&format!("{FACTOR}/confirm"), json!({"totp": code})).into();
        }
        by(FACTOR, json!({})).method(Method::DELETE).into()
    }

    fn done(&mut self, act: &str, _: &str, answer: &Answer) {
        self.waited = !act.ends_with("/confirm");
        if let Some(uri) = answer.body["uri"].as_str() {
            self.offered = Some(uri.to_owned());
            self.offers += 1;
        } else if act.ends_with("/confirm") {
            self.uri = self.offered.take().or(self.uri.take());
            if let Some(token) = answer.body["token"].as_str() {
                self.now = token.to_owned();
            }
        } else {
            // what was offered and not proven is gone with it
            (self.uri, self.offered) = (None, None);
        }
    }
}

#[tokio::test]
async fn a_second_factor_goes_as_published() {
    held(Factor::default()).await;
}
