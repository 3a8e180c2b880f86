//! The sealed code of two holders: opened once, and over.

use std::sync::Arc;

use axum::http::Method;
use mj_kernel::{Actor, ActorKind, Role};
use serde_json::{Value, json};

use super::super::authorisation::world::Hat;
use super::play::{Act, Answer, Ask, Deed, Dice, Machine, Seen, Stage, bare, held, once, told};

const OPEN: &str = "/api/v1/emergency-sessions";
const CURRENT: &str = "/api/v1/emergency-sessions/current";

#[derive(Default)]
struct Emergency {
    halves: [String; 2],
    id: String,
    state: String,
    token: Option<String>,
    /// Thirty wrong tries lock the source, which is a machine of its own.
    wrong: usize,
}

/// Seals as the security administrator does at the machine.
async fn seal(stage: &Stage) -> [String; 2] {
    let kind = ActorKind::Person { account_id: Hat::Role(Role::SecAdmin).account() };
    let who = Actor { kind, grants: Vec::new() };
    let access = &stage.world.domains.access;
    let sealed = access.seal_emergency(&who, ["赵六", "钱七"], "封存").await.expect("sealed");
    [sealed.first.1, sealed.second.1]
}

impl Emergency {
    fn opening(&self, second: &str) -> Ask {
        let body = json!({"first": self.halves[0], "second": second, "reason": "都进不来"});
        Ask::post(None, OPEN, body)
    }

    /// With the token given out; before that with one that never was.
    fn with(&self, path: &str) -> Ask {
        let token = self.token.clone().unwrap_or_else(|| "mje_never".into());
        Ask::post(Some(token), path, json!({}))
    }
}

impl Machine for Emergency {
    const NAME: &'static str = "emergency";
    const SEQUENCES: usize = 6;

    fn acts(&self) -> Vec<Act> {
        vec![
            once("POST /api/v1/emergency-sessions", &["holders", "one holder"]),
            bare(
                "POST /api/v1/emergency-sessions/current/administrators/{id}/recover",
                &["holders"],
            ),
            bare(
                "POST /api/v1/emergency-sessions/current/administrators/{id}/unlock",
                &["holders"],
            ),
            told("DELETE /api/v1/emergency-sessions/current", &["holders"]),
            bare("command: another code is sealed", &["security administrator"]),
            bare("time: 2 hours", &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        stage.wait(31 * 60);
        let halves = seal(stage).await;
        let sql = "SELECT id AS found FROM emergency_seal WHERE state = $1";
        let id = stage.text(sql, "sealed").await.expect("one is sealed");
        *self = Self { halves, id, ..Self::default() };
    }

    /// The API tells nobody whether a code is sealed; the house's own row does.
    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let now = stage.world.kit.db().clock().now();
        let sql = format!(
            "SELECT CASE WHEN state = 'opened' AND until <= {now} THEN 'over' ELSE state END \
             AS found FROM emergency_seal WHERE id = $1"
        );
        self.state = stage.text(&sql, &self.id).await.expect("a row");
        let ask = Ask { body: Vec::new(), ..self.with(CURRENT).method(Method::GET) };
        let answer = stage.send(&ask).await;
        assert_eq!(answer.status == 200, self.state == "opened", "{}: {}", self.state, answer.body);
        Seen { state: self.state.clone(), version: 0, whole: Value::Null }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, _: i64) -> Option<Deed> {
        let stands = ["sealed", "opened"].contains(&self.state.as_str());
        let stage = stage.clone();
        match (act, who) {
            (_, "house") => Deed::house(async move { stage.wait(2 * 3600) }),
            // of a code that is over another one changes nothing
            (_, "security administrator") if stands => {
                Deed::house(async move { drop(seal(&stage).await) })
            }
            (_, "security administrator") => None,
            ("POST /api/v1/emergency-sessions", _) if self.wrong > 8 => None,
            ("POST /api/v1/emergency-sessions", "one holder") => {
                self.opening(&self.halves[0]).into()
            }
            ("POST /api/v1/emergency-sessions", _) => self.opening(&self.halves[1]).into(),
            ("DELETE /api/v1/emergency-sessions/current", _) => {
                self.with(CURRENT).method(Method::DELETE).into()
            }
            _ => {
                let what = act.rsplit('/').next()?;
                let id = Hat::Role(Role::AuditAdmin).account();
                self.with(&format!("{CURRENT}/administrators/{id}/{what}")).into()
            }
        }
    }

    fn refused(&mut self, act: &str) {
        self.wrong += usize::from(act == "POST /api/v1/emergency-sessions");
    }

    fn done(&mut self, _: &str, _: &str, answer: &Answer) {
        if let Some(token) = answer.body["token"].as_str() {
            self.token = Some(token.to_owned());
        }
    }
}

#[tokio::test]
async fn a_sealed_code_goes_as_published() {
    held(Emergency::default()).await;
}
