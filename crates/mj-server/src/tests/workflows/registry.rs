//! Registers: certificates suspended and given back, wordings and codes mapped for some days, parties merged
//! and parted again, and the pairs that people judge.

use std::sync::Arc;

use axum::http::Method;
use mj_kernel::{Event, Role};
use serde_json::{Value, json};

use super::super::authorisation::world::{Hat, Relation, officer_row, party_row, put};
use super::play::{Act, Ask, Deed, Dice, Machine, Seen, Stage, act, bare, held};

/// One officer's certificate.
#[derive(Default)]
struct Certificate {
    officer: String,
    number: usize,
}

impl Machine for Certificate {
    const NAME: &'static str = "certificate";
    const SEQUENCES: usize = 16;

    fn acts(&self) -> Vec<Act> {
        const TWO: &[&str] = &["department administrator", "supervisor"];
        vec![
            bare("POST /api/v1/registry/certificates/{certificate_no}/suspend", TWO),
            bare("POST /api/v1/registry/certificates/{certificate_no}/suspend to a day", TWO),
            bare(
                "POST /api/v1/registry/certificates/{certificate_no}/suspend to a day that is over",
                TWO,
            ),
            bare("POST /api/v1/registry/certificates/{certificate_no}/restore", TWO),
            bare("time: the day is over", &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.officer = mj_platform::new_id();
        self.number = 500 + self.number.max(500) % 500 + 1;
        let mut tx = stage.world.kit.begin().await;
        let name = Relation::Own.agency_name();
        officer_row(&mut tx, &self.officer, self.number, &name, Some(Relation::Own.area())).await;
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let path = format!("/api/v1/registry/officers/{}", self.officer);
        let file = stage.get(Role::DeptAdmin, &path).await;
        let officer = if file["officer"].is_null() { &file } else { &file["officer"] };
        let whole = officer["certificates"][0].clone();
        let standing = whole["standing"].as_str().unwrap_or_else(|| panic!("a standing: {file}"));
        let until = standing == "suspended" && !whole["suspension"]["to_day"].is_null();
        let state = if until { "suspended to a day".to_owned() } else { standing.to_owned() };
        Seen { state, version: 0, whole }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, _: i64) -> Option<Deed> {
        if who == "house" {
            let stage = stage.clone();
            return Deed::house(async move { stage.wait(3 * 86_400) });
        }
        let role = if who == "supervisor" { Role::Supervisor } else { Role::DeptAdmin };
        let day = |ahead: i64| {
            let now = stage.world.kit.db().clock().now() + ahead * 86_400_000_000;
            mj_kernel::clock::beijing_date(now).to_string()
        };
        let verb = if act.ends_with("restore") { "restore" } else { "suspend" };
        let mut body = json!({"reason": "调查期间"});
        if act.ends_with("to a day") {
            body["until"] = day(2).into();
        } else if act.ends_with("over") {
            body["until"] = day(-1).into();
        }
        let path = format!("/api/v1/registry/certificates/1504{:07}/{verb}", self.number);
        Ask::by(role, path, body).into()
    }
}

#[tokio::test]
async fn a_certificate_goes_as_published() {
    held(Certificate::default()).await;
}

const TO_A_DAY: &str = " to a day";
const FOR_GOOD: &str = " for good";

/// The end of something that holds on certain days.
fn ending(act: &str, version: i64) -> Value {
    let to = if act.ends_with(TO_A_DAY) { json!("2026-01-01") } else { Value::Null };
    json!({"version": version, "valid_to": to, "reason": "口径调整"})
}

const WORDINGS: &str = "/api/v1/registry/certificate-wordings";

/// A line of items that a certificate's wording stands for.
#[derive(Default)]
struct Wording {
    id: String,
    wording: String,
}

impl Machine for Wording {
    const NAME: &'static str = "certificate_wording";
    const SEQUENCES: usize = 6;

    fn acts(&self) -> Vec<Act> {
        const TWO: &[&str] = &["department administrator", "catalogue manager"];
        vec![
            act("PATCH /api/v1/registry/certificate-wordings/{id} to a day", TWO),
            act("PATCH /api/v1/registry/certificate-wordings/{id} for good", TWO),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.wording = format!("综合执法{}", mj_platform::new_id());
        let body = json!({"agency": Relation::Own.agency(), "wording": self.wording, "lines": ["31"],
            "valid_from": "2020-01-01", "reason": "三定方案"});
        let made = stage.create(Ask::by(Role::DeptAdmin, WORDINGS, body)).await;
        self.id = made["lines"][0]["id"].as_str().expect("an id").to_owned();
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let all = stage.get(Role::CatalogueManager, WORDINGS).await;
        let mut items = all["items"].as_array().expect("wordings").iter();
        let one = items.find(|one| one["wording"] == *self.wording).expect("the wording");
        let whole = one["lines"][0].clone();
        let state = if whole["holds"] == true { "holds" } else { "ended" };
        Seen { state: state.into(), version: whole["version"].as_i64().expect("a version"), whole }
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        let catalogue = who == "catalogue manager";
        let role = if catalogue { Role::CatalogueManager } else { Role::DeptAdmin };
        let ask = Ask::by(role, format!("{WORDINGS}/{}", self.id), ending(act, version));
        ask.method(Method::PATCH).into()
    }
}

#[tokio::test]
async fn what_a_wording_stands_for_goes_as_published() {
    held(Wording::default()).await;
}

const MAPPINGS: &str = "/api/v1/catalog/mappings";

/// What a local code stands for.
#[derive(Default)]
struct Mapping {
    id: String,
    code: String,
    version: i64,
}

impl Machine for Mapping {
    const NAME: &'static str = "mapping";
    const SEQUENCES: usize = 10;

    fn acts(&self) -> Vec<Act> {
        const TWO: &[&str] = &["department administrator", "catalogue manager"];
        vec![
            act("PATCH /api/v1/catalog/mappings/{id} to a day", TWO),
            act("PATCH /api/v1/catalog/mappings/{id} for good", TWO),
            act("DELETE /api/v1/catalog/mappings/{id}", TWO),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.code = format!("L{}", mj_platform::new_id());
        let body = json!({"cd_source": "src_own", "local_code": self.code,
            "item_code": "01370100100001", "valid_from": "2020-01-01"});
        // the shape of this create knows no reason: what is repeated is told by its own test
        let made = stage.send(&Ask::by(Role::DeptAdmin, MAPPINGS, body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        self.id = made.body["id"].as_str().expect("an id").to_owned();
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let path = format!("{MAPPINGS}?cd_source=src_own#{}", self.code);
        let whole = stage.get(Role::CatalogueManager, &path).await["items"][0].clone();
        let state = match whole["valid_to"].as_str() {
            None => "deleted",
            Some("9999-12-31") => "holds",
            Some(_) => "ended",
        };
        self.version = whole["version"].as_i64().unwrap_or(self.version);
        Seen { state: state.into(), version: self.version, whole }
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        let catalogue = who == "catalogue manager";
        let role = if catalogue { Role::CatalogueManager } else { Role::DeptAdmin };
        let path = format!("{MAPPINGS}/{}", self.id);
        if act.starts_with("DELETE") {
            let ask = Ask::by(role, format!("{path}?version={version}"), json!({}));
            return ask.method(Method::DELETE).into();
        }
        let mut body = ending(act, version);
        body.as_object_mut().expect("an object").remove("reason");
        assert!(act.ends_with(TO_A_DAY) || act.ends_with(FOR_GOOD));
        Ask::by(role, path, body).method(Method::PATCH).into()
    }
}

#[tokio::test]
async fn a_code_mapping_goes_as_published() {
    held(Mapping::default()).await;
}

const MERGES: &str = "/api/v1/registry/merges";

async fn two_parties(stage: &Stage, number: usize) -> [String; 2] {
    let ids = [mj_platform::new_id(), mj_platform::new_id()];
    let mut tx = stage.world.kit.begin().await;
    for (at, id) in ids.iter().enumerate() {
        let (number, name) = (30_000 + number * 2 + at, format!("槐树{number}号{at}店"));
        party_row(&mut tx, id, number, &name, Some(Relation::Own.area())).await;
    }
    tx.note().await.expect("noted");
    tx.commit().await.expect("committed");
    ids
}

/// The merge that holds between the two, as the list tells it; and the newest one that was undone.
async fn merges_of(stage: &Stage, pair: &[String; 2]) -> (Option<Value>, Option<Value>) {
    // newest first: one sequence makes fewer than a hundred, and reading all that were ever made would cost
    // every step more than the one before
    let all = stage.get(Role::DatahubOperator, &format!("{MERGES}?limit=100")).await;
    let all = all["items"].as_array().expect("merges");
    let ours = |one: &&Value| pair.iter().any(|id| one["keep"] == **id);
    let ours: Vec<&Value> = all.iter().filter(ours).collect();
    let first = |holds: bool| ours.iter().find(|one| one["undone_at"].is_null() == holds);
    (first(true).map(|one| (*one).clone()), first(false).map(|one| (*one).clone()))
}

fn id_of(merge: &Value) -> String {
    merge["id"].as_str().expect("an id").to_owned()
}

/// Two parties.
#[derive(Default)]
struct Merge {
    pair: [String; 2],
    number: usize,
    holds: Option<String>,
    undone: Option<String>,
}

impl Machine for Merge {
    const NAME: &'static str = "merge";
    const SEQUENCES: usize = 12;

    fn acts(&self) -> Vec<Act> {
        const OPERATOR: &[&str] = &["operator"];
        vec![
            bare("POST /api/v1/registry/merges", OPERATOR),
            bare("POST /api/v1/registry/merges the other way round", OPERATOR),
            bare("POST /api/v1/registry/merges with itself", OPERATOR),
            bare("POST /api/v1/registry/merges/{id}/undo", OPERATOR),
            bare("POST /api/v1/registry/merges/{id}/undo of one that is undone", OPERATOR),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.number += 1;
        self.pair = two_parties(stage, self.number).await;
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let (holds, undone) = merges_of(stage, &self.pair).await;
        let state = match &holds {
            None => "apart",
            Some(merge) if merge["keep"] == *self.pair[0] => "merged",
            Some(_) => "merged the other way",
        };
        self.holds = holds.as_ref().map(id_of);
        self.undone = undone.as_ref().map(id_of);
        Seen { state: state.into(), version: 0, whole: json!([holds, undone]) }
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, _: &str, _: i64) -> Option<Deed> {
        let [one, other] = &self.pair;
        let merge = |keep: &String, merge: &String| {
            let body = json!({"keep": keep, "merge": merge, "reason": "同一家"});
            Ask::by(Role::DatahubOperator, MERGES, body).into()
        };
        let undo = |id: &Option<String>| {
            let path = format!("{MERGES}/{}/undo", id.as_ref()?);
            Ask::by(Role::DatahubOperator, path, json!({"reason": "弄错了"})).into()
        };
        match act.trim_start_matches("POST /api/v1/registry/merges") {
            "" => merge(one, other),
            " the other way round" => merge(other, one),
            " with itself" => merge(one, one),
            "/{id}/undo" => undo(&self.holds),
            _ => undo(&self.undone),
        }
    }
}

#[tokio::test]
async fn a_merge_goes_as_published() {
    held(Merge::default()).await;
}

/// A pair that may be one, judged by people as a work item, while the operator may merge on its own.
#[derive(Default)]
struct Pair {
    pair: [String; 2],
    item: String,
    number: usize,
    holds: Option<String>,
}

impl Machine for Pair {
    const NAME: &'static str = "party_pair";
    const SEQUENCES: usize = 24;

    fn acts(&self) -> Vec<Act> {
        vec![
            act("POST /api/v1/flow/work-items/{id}/decide same", &["clerk"]),
            act("POST /api/v1/flow/work-items/{id}/decide different", &["clerk"]),
            act("POST /api/v1/flow/work-items/{id}/decide unsure", &["clerk"]),
            act("POST /api/v1/flow/work-items/{id}/decide something else", &["clerk"]),
            act("POST /api/v1/flow/work-items/{id}/reopen", &["clerk"]),
            bare("POST /api/v1/registry/merges", &["operator"]),
            bare("POST /api/v1/registry/merges/{id}/undo", &["operator"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.number += 1;
        self.pair = two_parties(stage, self.number).await;
        let [keep_id, merge_id] = self.pair.clone();
        let mut tx = stage.world.kit.begin().await;
        let id = mj_platform::new_id();
        put(
            &mut tx,
            "party_pair",
            &[
                ("id", id.into()),
                ("keep_id", keep_id.as_str().into()),
                ("merge_id", merge_id.as_str().into()),
                ("state", "asked".into()),
                ("score", 75_i64.into()),
                ("explain", "字号相同".into()),
            ],
        )
        .await;
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
        let event = Event::DoubtfulPairFound {
            keep_id,
            merge_id: merge_id.clone(),
            score: 75,
            explain: "字号相同".into(),
            area: Some(Relation::Own.area().into()),
            keep_name: None,
            merge_name: None,
        };
        stage.tell(event).await;
        let sql = "SELECT id AS found FROM work_item WHERE object_id = $1";
        self.item = stage.text(sql, &merge_id).await.expect("an item");
    }

    /// Looked at when what was decided has been done.
    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        stage.work().await;
        let item = stage.get(Role::Clerk, &format!("/api/v1/flow/work-items/{}", self.item)).await;
        let (holds, undone) = merges_of(stage, &self.pair).await;
        self.holds = holds.as_ref().map(id_of);
        let said = match (item["state"].as_str(), item["verdict"].as_str()) {
            (Some("closed"), Some(verdict)) => verdict,
            (Some("closed"), None) => "settled",
            _ => "asked",
        };
        let clerk = format!("account:{}", Hat::Role(Role::Clerk).account());
        let state = match &holds {
            None => said.to_owned(),
            Some(merge) if merge["actor"] == *clerk => format!("{said} and merged"),
            Some(_) => format!("{said} and merged by the operator"),
        };
        let version = item["version"].as_i64().expect("a version");
        Seen { state, version, whole: json!([item, holds, undone]) }
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, _: &str, version: i64) -> Option<Deed> {
        let [keep, merge] = &self.pair;
        if act.ends_with("/merges") {
            let body = json!({"keep": keep, "merge": merge, "reason": "同一家"});
            return Ask::by(Role::DatahubOperator, MERGES, body).into();
        }
        if act.ends_with("/undo") {
            let path = format!("{MERGES}/{}/undo", self.holds.as_ref()?);
            return Ask::by(Role::DatahubOperator, path, json!({"reason": "弄错了"})).into();
        }
        let verb = if act.ends_with("reopen") { "reopen" } else { "decide" };
        let word = act.split("/decide ").nth(1).unwrap_or_default();
        let body = json!({"version": version, "reason": "已核对", "decision": word});
        let path = format!("/api/v1/flow/work-items/{}/{verb}", self.item);
        Ask::by(Role::Clerk, path, body).into()
    }
}

#[tokio::test]
async fn a_doubtful_pair_goes_as_published() {
    held(Pair::default()).await;
}
