//! The data centre: who may deliver, what becomes of a delivery, and how what was wrong is mended.

use std::sync::Arc;

use axum::http::Method;
use mj_kernel::Role;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::authorisation::world::{Hat, Relation};
use super::play::{Act, Answer, Ask, Deed, Dice, Machine, Seen, Stage, act, bare, held, told};

const SOURCES: &str = "/api/v1/datahub/sources";
const BATCHES: &str = "/api/v1/datahub/batches";
const UPLOADS: &str = "/api/v1/datahub/uploads";

/// An inspection as the standard's own sample has it, with a number of its own and some values changed.
async fn row(stage: &Stage, source: &str, changes: Value) -> Value {
    let mut row = stage.get(Role::Clerk, "/api/v1/datahub/tables/check_action/sample.jsonl").await;
    let number = mj_platform::new_id();
    for (name, value) in changes.as_object().expect("changes") {
        row[name] = value.clone();
    }
    row["cd_id"] = json!(number);
    row["check_action_code"] = json!(format!("J-{number}"));
    row["check_document_code"] = json!(format!("文书{number}"));
    row["cd_source"] = json!(source);
    row["cd_time"] = json!("2026-11-19T10:00:00+08:00");
    row
}

fn push(token: Option<String>, source: &str, number: usize, row: &Value) -> Ask {
    let body = json!({"table": "check_action", "cd_source": source,
        "cd_batch": format!("20261119{number:05}"), "rows": [row]});
    Ask::post(token, BATCHES, body)
}

/// A source with its token.
#[derive(Default)]
struct Source {
    code: String,
    number: usize,
    row: Value,
    token: Option<String>,
    earlier: Option<String>,
    /// Given out since it was looked at: of two at once nobody knows which was the later.
    given: usize,
}

impl Machine for Source {
    const NAME: &'static str = "source";
    const SEQUENCES: usize = 10;

    fn acts(&self) -> Vec<Act> {
        const OPERATOR: &[&str] = &["operator"];
        vec![
            act("POST /api/v1/datahub/sources/{cd_source} with status stopped", OPERATOR),
            act("POST /api/v1/datahub/sources/{cd_source} with status active", OPERATOR),
            act("POST /api/v1/datahub/sources/{cd_source} with a status that is none", OPERATOR),
            bare("POST /api/v1/datahub/sources/{cd_source}/token", OPERATOR),
            told("POST /api/v1/datahub/sources/{cd_source}/token/revoke", OPERATOR),
            bare("POST /api/v1/datahub/batches", &["system"]),
            bare("POST /api/v1/datahub/batches with a token before", &["system"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        let code = format!("wf-{}", self.number);
        let body = json!({"cd_source": code, "name": "业务系统", "kind": "agency",
            "agency": Relation::Own.agency(), "agency_name": Relation::Own.agency_name(),
            "area": Relation::Own.area(), "channels": ["push"]});
        stage.create(Ask::by(Role::DatahubOperator, SOURCES, body)).await;
        let row = row(stage, &code, json!({})).await;
        *self = Self { code, row, number: self.number + 1, token: None, earlier: None, given: 0 };
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        if std::mem::take(&mut self.given) > 1 {
            (self.token, self.earlier) = (None, None);
        }
        let path = format!("{SOURCES}/{}", self.code);
        let file = stage.get(Role::DatahubOperator, &path).await;
        let status = file["source"]["status"].as_str().expect("a status");
        let tokens = file["tokens"].as_array().expect("tokens");
        let holds = tokens.iter().filter(|token| token["revoked_at"].is_null()).count();
        assert!(holds < 2, "one token at a time: {file}");
        let with = if holds == 1 { "with" } else { "without" };
        let state = format!("{status} {with} token");
        let version = file["source"]["version"].as_i64().expect("a version");
        Seen { state, version, whole: json!([file["source"]["name"], tokens]) }
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, _: &str, version: i64) -> Option<Deed> {
        let path = format!("{SOURCES}/{}", self.code);
        let reason = "系统升级";
        let change = |status: &str| json!({"version": version, "status": status, "reason": reason});
        let operator = Role::DatahubOperator;
        if act.starts_with("POST /api/v1/datahub/batches") {
            let token = if act.ends_with("before") { &self.earlier } else { &self.token };
            let token = Some(token.clone()?);
            return push(token, &self.code, 1, &self.row).into();
        }
        match act.rsplit(' ').next().expect("a word") {
            "stopped" => Ask::by(operator, path, change("stopped")).into(),
            "active" => Ask::by(operator, path, change("active")).into(),
            "none" => Ask::by(operator, path, change("paused")).into(),
            word => {
                let end = word.trim_start_matches("/api/v1/datahub/sources/{cd_source}");
                Ask::by(operator, format!("{path}{end}"), json!({"reason": reason})).into()
            }
        }
    }

    fn done(&mut self, act: &str, _: &str, answer: &Answer) {
        if let Some(token) = answer.body["token"].as_str() {
            self.given += 1;
            self.earlier = self.token.replace(token.to_owned()).or(self.earlier.take());
        }
        if act.ends_with("/revoke") {
            self.earlier = self.token.clone();
        }
    }
}

#[tokio::test]
async fn a_source_goes_as_published() {
    held(Source::default()).await;
}

/// A delivery from the moment it is durable.
#[derive(Default)]
struct Batch {
    id: String,
    number: usize,
    row: Value,
    blob: String,
}

const LOADS: &str = "house: the load runs";
const KILLED: &str = "house: it is killed halfway";
const FAILS: &str = "house: the load fails five times";

impl Batch {
    fn again(&self) -> Ask {
        push(Hat::Source.token(), "src_own", self.number, &self.row)
    }
}

impl Machine for Batch {
    const NAME: &'static str = "batch";
    const SEQUENCES: usize = 20;

    fn acts(&self) -> Vec<Act> {
        vec![
            bare("POST /api/v1/datahub/batches/{id}/cancel", &["clerk"]),
            bare("POST /api/v1/datahub/batches with the same rows", &["system"]),
            bare("POST /api/v1/datahub/batches with other rows", &["system"]),
            bare(KILLED, &["house"]),
            bare(LOADS, &["house"]),
            bare(FAILS, &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        // what an earlier sequence left queued is done
        stage.work().await;
        self.number += 1;
        self.row = row(stage, "src_own", json!({})).await;
        let made = stage.create(self.again()).await;
        self.id = made["batch_id"].as_str().expect("an id").to_owned();
        let sql = "SELECT blob_id AS found FROM hub_batch WHERE id = $1";
        self.blob = stage.text(sql, &self.id).await.expect("a blob");
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let whole = stage.get(Role::Clerk, &format!("{BATCHES}/{}", self.id)).await;
        let state = whole["state"].as_str().expect("a state");
        let asked = state == "running" && !whole["stop"].is_null();
        let state = if asked { "running until it stops".to_owned() } else { state.to_owned() };
        Seen { state, version: whole["version"].as_i64().expect("a version"), whole }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, _: &str, _: i64) -> Option<Deed> {
        let stage = stage.clone();
        match act {
            LOADS => Deed::house(async move {
                stage.work().await;
                stage.wait(120);
                stage.work().await;
            }),
            KILLED => {
                let id = self.id.clone();
                Deed::house(async move {
                    // as a kill leaves it: begun, its job to be run again
                    let sql = format!(
                        "UPDATE hub_batch SET state = 'running' \
                         WHERE id = '{id}' AND state = 'received'"
                    );
                    stage.world.kit.db().statement(&sql).await.expect("as killed");
                })
            }
            FAILS => {
                let folder = stage.world.kit.folder.path().join("blobs").join(&self.blob[..2]);
                let (there, away) = (folder.join(&self.blob), folder.join("away"));
                Deed::house(async move {
                    std::fs::rename(&there, &away).expect("the file is out of reach");
                    for _ in 0..5 {
                        stage.work().await;
                        stage.wait(120);
                    }
                    std::fs::rename(&away, &there).expect("the file is back");
                })
            }
            _ if act.ends_with("/cancel") => {
                let path = format!("{BATCHES}/{}/cancel", self.id);
                Ask::by(Role::Clerk, path, json!({"reason": "报错了文件"})).into()
            }
            _ if act.ends_with("other rows") => {
                let mut other = self.row.clone();
                other["check_date"] = json!("2025-06-17");
                push(Hat::Source.token(), "src_own", self.number, &other).into()
            }
            _ => self.again().into(),
        }
    }
}

#[tokio::test]
async fn a_batch_goes_as_published() {
    held(Batch::default()).await;
}

/// A settled batch with one refused row, whose division was dissolved; its address and the row's number.
async fn refused(stage: &Stage, number: usize) -> (String, i64) {
    let changes =
        json!({"area_number": "370421", "check_personnel_code": "15040000001;15040000002"});
    let row = row(stage, "src_own", changes).await;
    let ask = push(Hat::Source.token(), "src_own", number, &row);
    let made = stage.send(&ask).await;
    assert_eq!(made.status, 202, "{}", made.body);
    stage.work().await;
    let href = made.body["href"].as_str().expect("an address").to_owned();
    let errors = stage.get(Role::Clerk, &format!("{href}/errors")).await;
    let row = errors["items"][0]["row"].as_i64();
    (href.clone(), row.unwrap_or_else(|| panic!("{href}: no row was refused: {errors}")))
}

async fn standing(stage: &Stage, href: &str, row: i64) -> Value {
    stage.get(Role::Clerk, &format!("{href}/errors/{row}")).await
}

/// A refused row.
#[derive(Default)]
struct ErrorRow {
    href: String,
    row: i64,
    number: usize,
}

impl Machine for ErrorRow {
    const NAME: &'static str = "error_row";
    const SEQUENCES: usize = 8;

    fn acts(&self) -> Vec<Act> {
        vec![
            told("POST /api/v1/datahub/batches/{id}/errors/{row}", &["clerk"]),
            told("POST /api/v1/datahub/batches/{id}/errors/{row} still wrong", &["clerk"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.number += 1;
        (self.href, self.row) = refused(stage, self.number).await;
    }

    /// Looked at when what was handed in has been judged.
    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        stage.work().await;
        let whole = standing(stage, &self.href, self.row).await;
        Seen { state: whole["state"].as_str().expect("a state").into(), version: 0, whole }
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, _: &str, _: i64) -> Option<Deed> {
        let area = if act.ends_with("wrong") { "370422" } else { "370481" };
        let path = format!("{}/errors/{}", self.href, self.row);
        Ask::by(Role::Clerk, path, json!({"values": {"area_number": area}})).into()
    }
}

#[tokio::test]
async fn a_refused_row_goes_as_published() {
    held(ErrorRow::default()).await;
}

/// Many rows mended by one rule, after time for a second thought.
#[derive(Default)]
struct Repair {
    id: String,
    href: String,
    row: i64,
    number: usize,
}

impl Machine for Repair {
    const NAME: &'static str = "repair";
    const SEQUENCES: usize = 12;

    fn acts(&self) -> Vec<Act> {
        vec![
            bare("POST /api/v1/datahub/repairs/{id}/cancel", &["clerk"]),
            bare("house: its rows are mended one by one", &["house"]),
            bare("time: 15 seconds", &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.number += 1;
        (self.href, self.row) = refused(stage, self.number).await;
        let groups = stage.get(Role::Clerk, &format!("{}/error-groups", self.href)).await;
        let group = &groups["groups"][0];
        let body = json!({"rule": group["rule"], "column": group["column"], "fix": group["proposal"],
            "reason": "撤县设市"});
        let made = stage.create(Ask::by(Role::Clerk, format!("{}/repairs", self.href), body)).await;
        self.id = made["id"].as_str().expect("an id").to_owned();
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let all = stage.get(Role::Clerk, &format!("{}/repairs", self.href)).await;
        let mut items = all["items"].as_array().expect("repairs").iter();
        let whole = items.find(|one| one["id"] == *self.id).expect("the repair").clone();
        let state = whole["state"].as_str().expect("a state");
        let mended = standing(stage, &self.href, self.row).await["state"] == "mended";
        let state = match (state, mended) {
            ("waiting", true) => "waiting for nothing".to_owned(),
            (state, _) => state.to_owned(),
        };
        Seen { state, version: 0, whole }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, _: &str, _: i64) -> Option<Deed> {
        let stage = stage.clone();
        if act.starts_with("time") {
            return Deed::house(async move {
                stage.wait(16);
                stage.work().await;
            });
        }
        if act.starts_with("house") {
            let path = format!("{}/errors/{}", self.href, self.row);
            let mend = Ask::by(Role::Clerk, path, json!({"values": {"area_number": "370402"}}));
            return Deed::house(async move {
                stage.send(&mend).await;
                stage.work().await;
            });
        }
        Ask::by(Role::Clerk, format!("/api/v1/datahub/repairs/{}/cancel", self.id), json!({}))
            .into()
    }
}

#[tokio::test]
async fn a_repair_goes_as_published() {
    held(Repair::default()).await;
}

/// A file in two pieces.
#[derive(Default)]
struct Upload {
    bytes: Vec<u8>,
    number: usize,
}

impl Upload {
    fn path(&self) -> String {
        format!("{UPLOADS}/{}", hex::encode(Sha256::digest(&self.bytes)))
    }

    fn piece(&self, from: usize, to: usize, bytes: Vec<u8>) -> Ask {
        let range = format!("bytes {from}-{}/{}", to - 1, self.bytes.len());
        let mut ask = Ask::post(Hat::Source.token(), self.path(), Value::Null).method(Method::PUT);
        ask.headers.push(("content-range", range));
        Ask { body: bytes, ..ask }
    }
}

const PUT: &str = "PUT /api/v1/datahub/uploads/{sha256}";

impl Machine for Upload {
    const NAME: &'static str = "upload";
    const SEQUENCES: usize = 10;

    fn acts(&self) -> Vec<Act> {
        const SYSTEM: &[&str] = &["system"];
        vec![
            told("PUT /api/v1/datahub/uploads/{sha256} the first piece", SYSTEM),
            told("PUT /api/v1/datahub/uploads/{sha256} the last piece", SYSTEM),
            told("PUT /api/v1/datahub/uploads/{sha256} the last piece with other bytes", SYSTEM),
            told("POST /api/v1/datahub/batches with the upload", SYSTEM),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.number += 1;
        let row = row(stage, "src_own", json!({})).await;
        self.bytes = format!("{row}\n").into_bytes();
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let ask = Ask::post(Hat::Source.token(), self.path(), Value::Null).method(Method::HEAD);
        let answer = stage.send(&Ask { body: Vec::new(), ..ask }).await;
        let offset = answer.headers.get("upload-offset").expect("an offset");
        let offset: usize = offset.to_str().expect("a text").parse().expect("a number");
        let digest = hex::encode(Sha256::digest(&self.bytes));
        let sql = "SELECT id AS found FROM hub_batch WHERE body_sha256 = $1";
        let taken = stage.text(sql, &digest).await.is_some();
        let state = match (taken, offset) {
            (false, 0) => "nothing",
            (true, 0) => "delivered",
            (false, at) if at == self.bytes.len() / 2 => "half",
            (true, at) if at == self.bytes.len() / 2 => "delivered and half again",
            (false, at) if at == self.bytes.len() => "whole",
            (true, at) if at == self.bytes.len() => "delivered and whole again",
            _ => "torn",
        };
        Seen { state: state.into(), version: 0, whole: json!(offset) }
    }

    /// What is not what its name says is thrown away, and the sender is told.
    fn went(&self, act: &str, answer: &Answer) -> bool {
        (200..300).contains(&answer.status)
            || act.ends_with("other bytes") && answer.code == "datahub.upload_digest"
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, _: &str, _: i64) -> Option<Deed> {
        let half = self.bytes.len() / 2;
        match act.trim_start_matches(PUT) {
            " the first piece" => self.piece(0, half, self.bytes[..half].to_vec()).into(),
            " the last piece" => {
                self.piece(half, self.bytes.len(), self.bytes[half..].to_vec()).into()
            }
            " the last piece with other bytes" => {
                let other = vec![b'?'; self.bytes.len() - half];
                self.piece(half, self.bytes.len(), other).into()
            }
            _ => {
                let sha256 = hex::encode(Sha256::digest(&self.bytes));
                let body = json!({"table": "check_action", "cd_source": "src_own",
                    "cd_batch": format!("20261119{:05}", self.number),
                    "upload": {"sha256": sha256, "format": "jsonl"}});
                Ask::post(Hat::Source.token(), BATCHES, body).into()
            }
        }
    }
}

#[tokio::test]
async fn an_upload_goes_as_published() {
    held(Upload::default()).await;
}
