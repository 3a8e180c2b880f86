//! To-dos: what is decided, and what is only read.

use std::sync::Arc;

use mj_flow::NewWorkItem;
use mj_flow::state::WEEKLY_DIGEST;
use mj_kernel::{Event, Role};
use serde_json::{Value, json};

use super::super::authorisation::world::{Hat, Relation};
use super::play::{Act, Answer, Ask, Deed, Dice, Machine, Seen, Stage, act, held};

const ITEMS: &str = "/api/v1/flow/work-items";
const BULK: &str = "/api/v1/flow/bulk";
const TRANSFER_BY_NAME: &str = "POST /api/v1/flow/work-items/{id}/transfer to a colleague by name";
const MENDED: &str = "house: what it asked for was done elsewhere";

fn account(role: Role) -> String {
    Hat::Role(role).account()
}

/// One item of refused rows that their source has to mend.
#[derive(Default)]
struct WorkItem {
    id: String,
    batch: String,
    /// Who claimed it, or to whom it was handed by name.
    holder: Option<Role>,
}

async fn shown(stage: &Stage, role: Role, id: &str) -> Seen {
    let whole = stage.get(role, &format!("{ITEMS}/{id}")).await;
    let named = !whole["assignee_name"].is_null();
    let state = match whole["state"].as_str().expect("a state") {
        "received" if named => "received by name".to_owned(),
        "closed" if whole["verdict"].is_null() => "closed without a verdict".to_owned(),
        state => state.to_owned(),
    };
    Seen { state, version: whole["version"].as_i64().expect("a version"), whole }
}

impl WorkItem {
    fn person(&self, who: &str) -> Option<Role> {
        let others = [Role::Clerk, Role::DeptAdmin, Role::DatahubOperator];
        match who {
            "holder" => self.holder,
            "colleague" => others.into_iter().find(|role| Some(*role) != self.holder),
            _ => Some(Role::Supervisor),
        }
    }
}

impl Machine for WorkItem {
    const NAME: &'static str = "work_item";
    const SEQUENCES: usize = 30;

    fn acts(&self) -> Vec<Act> {
        const TWO: &[&str] = &["holder", "colleague"];
        const ALL: &[&str] = &["holder", "colleague", "supervisor"];
        vec![
            act("POST /api/v1/flow/work-items/{id}/claim", TWO),
            act("POST /api/v1/flow/work-items/{id}/transfer", TWO),
            act(TRANSFER_BY_NAME, TWO),
            act("POST /api/v1/flow/work-items/{id}/return", TWO),
            act("POST /api/v1/flow/work-items/{id}/urge", &["supervisor"]),
            act("POST /api/v1/flow/work-items/{id}/decide", ALL),
            act("POST /api/v1/flow/work-items/{id}/reopen", ALL),
            act("POST /api/v1/flow/bulk/claim", TWO),
            act("POST /api/v1/flow/bulk/transfer", TWO),
            act("POST /api/v1/flow/bulk/return", TWO),
            act("POST /api/v1/flow/bulk/urge", &["supervisor"]),
            act(MENDED, &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        let batch = mj_platform::new_id();
        let event = Event::RowsRefused {
            batch_id: batch.clone(),
            title: "行政检查 2026112200001".into(),
            agency: Some(Relation::Own.agency().into()),
            agency_name: Some(Relation::Own.agency_name()),
            area: Some(Relation::Own.area().into()),
            rows: 3,
            deadline: None,
        };
        stage.tell(event).await;
        let sql = "SELECT id AS found FROM work_item WHERE object_id = $1";
        let id = stage.text(sql, &batch).await.expect("an item");
        *self = Self { id, batch, holder: None };
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        shown(stage, Role::Supervisor, &self.id).await
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        if act == MENDED {
            let (stage, batch_id) = (stage.clone(), self.batch.clone());
            return Deed::house(async move {
                stage.tell(Event::RowsMended { batch_id, left: 0 }).await;
            });
        }
        let person = self.person(who)?;
        let verb = act.split('/').next_back().expect("a verb");
        let mut body = json!({"version": version, "reason": "另有安排", "decision": "waived",
            "agency": Relation::Own.agency(), "agency_name": Relation::Own.agency_name()});
        if act == TRANSFER_BY_NAME {
            body["account"] = account(Role::Reviewer).into();
        }
        if act.contains("/bulk/") {
            body["items"] = json!([{"id": self.id, "version": version}]);
            return Ask::by(person, format!("{BULK}/{verb}"), body).into();
        }
        let verb = verb.split(' ').next().expect("a verb");
        Ask::by(person, format!("{ITEMS}/{}/{verb}", self.id), body).into()
    }

    /// A bulk act answers for each item by itself.
    fn went(&self, act: &str, answer: &Answer) -> bool {
        answer.status == 200 && (!act.contains("/bulk/") || answer.body["done"] == 1)
    }

    fn refusal(&self, _: &str, answer: &Answer) -> (u16, String) {
        match answer.body["lines"][0]["problem"].as_str() {
            Some(problem) => (409, problem.to_owned()),
            None => (answer.status, answer.code.clone()),
        }
    }

    fn done(&mut self, act: &str, who: &str, _: &Answer) {
        self.holder = match act.split('/').next_back().expect("a verb") {
            "claim" | "decide" => self.person(who),
            "transfer to a colleague by name" => Some(Role::Reviewer),
            "transfer" | "return" => None,
            _ => self.holder,
        };
    }
}

#[tokio::test]
async fn a_to_do_goes_as_published() {
    held(WorkItem::default()).await;
}

/// The week's figures for a leader.
#[derive(Default)]
struct Digest {
    id: String,
    cause: String,
}

fn digest(cause: &str) -> NewWorkItem {
    NewWorkItem {
        kind: WEEKLY_DIGEST,
        title: "每周简报".into(),
        object_table: "work_item".into(),
        object_id: cause.to_owned(),
        cause: cause.to_owned(),
        area_number: Some(Relation::Own.area().into()),
        agency: Some(Relation::Own.agency().into()),
        agency_name: Some(Relation::Own.agency_name()),
        deadline: None,
        payload: Value::Object(Default::default()),
    }
}

async fn inform(stage: &Stage, cause: &str, replaces: &[String]) -> String {
    let system = mj_kernel::Actor::system("test");
    let act = mj_platform::Act::new(&system, "evaluation.digest.make", "work_item");
    stage.world.domains.flow.inform(act, digest(cause), replaces).await.expect("informed")
}

impl Machine for Digest {
    const NAME: &'static str = "digest";
    const SEQUENCES: usize = 8;

    fn acts(&self) -> Vec<Act> {
        const LEADERS: &[&str] = &["reader", "supervisor"];
        vec![
            act("POST /api/v1/evaluation/digests/{id}/read", LEADERS),
            act("POST /api/v1/flow/work-items/{id}/claim", &["reader"]),
            act("POST /api/v1/flow/work-items/{id}/transfer", &["reader"]),
            act("POST /api/v1/flow/work-items/{id}/return", &["reader"]),
            act("POST /api/v1/flow/work-items/{id}/urge", LEADERS),
            act("POST /api/v1/flow/work-items/{id}/decide", &["reader"]),
            act("POST /api/v1/flow/work-items/{id}/reopen", &["reader"]),
            act("house: the next issue takes its place", &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.cause = format!("weekly_digest:{}", mj_platform::new_id());
        self.id = inform(stage, &self.cause, &[]).await;
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        shown(stage, Role::Leader, &self.id).await
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        if who == "house" {
            let (stage, earlier) = (stage.clone(), self.cause.clone());
            let next = format!("weekly_digest:{}", mj_platform::new_id());
            return Deed::house(async move {
                inform(&stage, &next, &[earlier]).await;
            });
        }
        let role = if who == "reader" { Role::Leader } else { Role::Supervisor };
        let body = json!({"version": version, "reason": "已阅", "decision": "done",
            "agency": Relation::Own.agency()});
        let path = act.trim_start_matches("POST ").replace("{id}", &self.id);
        Ask::by(role, path, body).into()
    }
}

#[tokio::test]
async fn a_weekly_digest_goes_as_published() {
    held(Digest::default()).await;
}
