//! A person's way in: what waits for a code, what is open, what is over, and the authenticator of an account.

use std::sync::Arc;

use axum::http::Method;
use mj_kernel::Role;
use serde_json::{Value, json};

use super::super::authorisation::world::sha256;
use super::access::{ACCOUNTS, ANOTHER, PASSWORD, SESSIONS, enrol, login, opened};
use super::play::{
    Act, Answer, Ask, Deed, Dice, Machine, Seen, Stage, alone, bare, held, once, told,
};

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
