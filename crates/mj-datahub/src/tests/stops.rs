//! A person stops a load that is under way: nothing of it is kept, and the same file may come again.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;

use super::http::{Client, read};
use super::kills::large;
use super::*;
use crate::{Batch, BatchState, Listener};

impl Client {
    /// Handed in and not run yet; gives its id.
    async fn deliver(&self, table: &str, key: &str, file: &File) -> String {
        let request =
            Request::post(format!("/api/v1/datahub/batches/file?table={table}&cd_source={SOURCE}"))
                .header("mingjian-file-name", "a.csv")
                .header("authorization", "Bearer operator")
                .header("idempotency-key", key);
        let (status, answer) = read(self.send(request, file.bytes().to_vec()).await).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        answer["batch_id"].as_str().expect("an id").to_owned()
    }

    async fn stop(&self, id: &str, who: &str, reason: &str) -> (StatusCode, Value) {
        let request = Request::post(format!("/api/v1/datahub/batches/{id}/cancel"))
            .header("authorization", format!("Bearer {who}"))
            .header("content-type", "application/json");
        let body = json!({ "reason": reason }).to_string();
        read(self.send(request, Body::from(body)).await).await
    }

    async fn batch(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/datahub/batches/{id}")).await.1
    }
}

/// A load that waits at every report until it is told to go on.
struct Halting {
    load: JoinHandle<Result<Batch>>,
    reached: tokio::sync::mpsc::UnboundedReceiver<i64>,
    go_on: std::sync::mpsc::Sender<()>,
}

impl Halting {
    fn of(hub: &Datahub, id: &str) -> Self {
        let (tell, reached) = unbounded_channel();
        let (go_on, gate): (_, Receiver<()>) = channel();
        let gate = Mutex::new(gate);
        let listener: Listener = Arc::new(move |standing| {
            if tell.send(standing.percent).is_ok() {
                // whoever let go of the other end lets the load run through
                let _ = tokio::task::block_in_place(|| gate.lock().expect("one load").recv());
            }
        });
        let (hub, id) = (hub.clone(), id.to_owned());
        let load = tokio::spawn(async move { hub.ingest(&id, None, Some(listener)).await });
        Self { load, reached, go_on }
    }

    /// How far it is when it halts again; `None`: it is through.
    async fn halts(&mut self) -> Option<i64> {
        self.reached.recv().await
    }

    async fn next(&mut self) -> Option<i64> {
        let _ = self.go_on.send(());
        self.halts().await
    }

    async fn ends(self) -> Batch {
        drop(self.go_on);
        drop(self.reached);
        self.load.await.expect("no panic").expect("an outcome")
    }
}

/// How much stands in the registers and the error store.
async fn rows(client: &Client) -> Vec<(String, i64)> {
    let mut counts = Vec::new();
    for table in ["mention", "party", "party_source", "registry_relink", "hub_error", "hub_run"] {
        let sql = format!("SELECT COUNT(*) AS n FROM {table}");
        let row = client.world.kit.db().fetch_one(&sql, &[]).await.expect("counted");
        counts.push((table.to_owned(), mj_platform::RowExt::int(&row, "n").expect("a number")));
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_stopped_halfway_leaves_nothing_and_the_same_file_may_come_again() {
    let client = Client::new().await;
    // parties that some of the wordings will mean, and a file that is there already
    let mut before = File::of("check_action", &[]);
    for number in 0..40_u64 {
        let (code, subject) = (format!("V-{number}"), uscc(number));
        before.push(&[
            ("check_action_code", code.as_str()),
            ("check_document_code", code.as_str()),
            ("administrative_cp_ui_code", subject.as_str()),
        ]);
    }
    client.deliver("check_action", "before", &before).await;
    client.run().await;
    let (digest, counted) = (client.world.digest().await, rows(&client).await);

    let id = client.deliver("check_action", "large", &large()).await;
    let mut load = Halting::of(&client.world.hub, &id);
    load.halts().await.expect("under way");
    let percent = load.next().await.expect("still under way");
    assert!((1..99).contains(&percent), "{percent}");
    assert!(rows(&client).await > counted, "the load has written ahead");

    let (status, problem) = client.stop(&id, "operator", "  ").await;
    let missing = (status, problem["code"].as_str());
    assert_eq!(missing, (StatusCode::UNPROCESSABLE_ENTITY, Some("datahub.reason_missing")));
    let (status, _) = client.stop(&id, "370499", "不是我的").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "out of scope looks like not found");
    let (status, asked) = client.stop(&id, "operator", "传错了文件").await;
    assert_eq!((status, &asked["state"]), (StatusCode::OK, &json!("running")), "{asked}");
    assert_eq!(asked["stop"]["reason"], "传错了文件");
    assert_eq!(asked["stop"]["stopped_at"], Value::Null);
    let (status, again) = client.stop(&id, "operator", "再按一次").await;
    assert_eq!((status, &again["stop"]["reason"]), (StatusCode::OK, &json!("传错了文件")));

    let batch = load.ends().await;
    assert_eq!(batch.state, BatchState::Cancelled);
    assert!(batch.counts.reconcile());
    let shown = client.batch(&id).await;
    assert_eq!(shown["state"], "cancelled", "{shown}");
    assert_eq!(shown["counts"]["correct"], 0);
    assert!(shown["stop"]["stopped_at"].is_string(), "{shown}");
    let judged = shown["stop"]["rows_judged"].as_i64().expect("a number");
    assert!((400..2_300).contains(&judged), "{judged}");

    // the job finds nothing left to do, what was said of parties is taken back
    client.run().await;
    client.world.reconciles().await;
    assert_eq!(client.world.digest().await, digest);
    assert_eq!(rows(&client).await, counted);
    let acts = "SELECT action, reason FROM act_journal WHERE object = $1 AND reason IS NOT NULL \
                ORDER BY seq";
    let object = format!("hub_batch:{id}");
    let acts = client.world.kit.db().fetch_all(acts, &[object.into()]).await.expect("read");
    let acts: Vec<(String, String)> = acts
        .iter()
        .map(|row| {
            use mj_platform::RowExt;
            (row.text("action").expect("named"), row.text("reason").expect("given"))
        })
        .collect();
    let because = |action: &str| (action.to_owned(), "传错了文件".to_owned());
    assert_eq!(acts, [because("datahub.batch.cancel"), because("datahub.batch.stop")]);

    let (status, late) = client.stop(&id, "operator", "太晚").await;
    assert_eq!((status, &late["code"]), (StatusCode::CONFLICT, &json!("datahub.stop_too_late")));

    // sent again it is the same batch, and ends as if nobody had ever stopped it
    let same = client.deliver("check_action", "again", &large()).await;
    assert_eq!(same, id);
    client.run().await;
    let settled = client.batch(&id).await;
    assert_eq!(settled["state"], "settled", "{settled}");
    assert_eq!((&settled["counts"]["front"], &settled["stop"]), (&json!(2_300), &Value::Null));
    let (status, late) = client.stop(&id, "operator", "太晚").await;
    assert_eq!((status, &late["code"]), (StatusCode::CONFLICT, &json!("datahub.stop_too_late")));
    client.world.reconciles().await;
    let untroubled = Client::new().await;
    untroubled.deliver("check_action", "before", &before).await;
    untroubled.deliver("check_action", "large", &large()).await;
    untroubled.run().await;
    assert_eq!(client.world.digest().await, untroubled.world.digest().await);
}

#[tokio::test]
async fn a_batch_that_waits_is_cancelled_at_once_and_one_that_was_killed_when_it_is_taken_up() {
    let mut client = Client::new().await;
    let digest = client.world.digest().await;
    let waits = client.deliver("check_action", "waits", &large()).await;
    let (status, stopped) = client.stop(&waits, "operator", "还没开始").await;
    assert_eq!((status, &stopped["state"]), (StatusCode::OK, &json!("cancelled")), "{stopped}");
    client.run().await;
    assert_eq!(client.batch(&waits).await["state"], "cancelled");

    let killed = client.deliver("check_action", "again", &large()).await;
    // whatever number of steps the database takes to begin: the first kill that finds it begun
    let mut polls = 10;
    while client.batch(&killed).await["state"] != "running" {
        let ended = cut(client.world.hub.ingest(&killed, None, None), polls).await;
        assert!(ended.is_none(), "killed before it was through");
        client = client.restarted().await;
        polls += 5;
    }
    let (status, asked) = client.stop(&killed, "operator", "停电后不再需要").await;
    assert_eq!((status, &asked["state"]), (StatusCode::OK, &json!("running")), "{asked}");
    client = client.restarted().await;
    client.run().await;
    assert_eq!(client.batch(&killed).await["state"], "cancelled", "the wish outlived the node");
    client.world.reconciles().await;
    assert_eq!(client.world.digest().await, digest);
}

/// Register rows stand in the masters before the batch is settled, and what those were is gone.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_register_reach_it_only_when_the_load_can_no_longer_be_stopped() {
    let client = Client::new().await;
    let register = |name: &str| {
        let mut file = File::of("object_enterprise", &[]);
        for number in 0..900_u64 {
            let (code, called) = (uscc(number), format!("{name}{number}号商贸有限公司"));
            let entity = format!("37040000{number:08}");
            file.push(&[
                ("entity_id_code", entity.as_str()),
                ("uscc", code.as_str()),
                ("ent_name", called.as_str()),
            ]);
        }
        file
    };
    client.deliver("object_enterprise", "first", &register("枣庄恒达")).await;
    client.run().await;
    let (digest, counted) = (client.world.digest().await, rows(&client).await);

    let id = client.deliver("object_enterprise", "second", &register("枣庄改名")).await;
    let mut load = Halting::of(&client.world.hub, &id);
    load.halts().await.expect("under way");
    let (status, answer) = client.stop(&id, "operator", "名称有误").await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(load.ends().await.state, BatchState::Cancelled);
    client.run().await;
    client.world.reconciles().await;
    assert_eq!(client.world.digest().await, digest);
    assert_eq!(rows(&client).await, counted);

    client.deliver("object_enterprise", "third", &register("枣庄改名")).await;
    let mut load = Halting::of(&client.world.hub, &id);
    let mut percent = load.halts().await.expect("under way");
    while percent <= 50 {
        percent = load.next().await.expect("still under way");
    }
    let (status, late) = client.stop(&id, "operator", "太晚").await;
    assert_eq!((status, &late["code"]), (StatusCode::CONFLICT, &json!("datahub.stop_too_late")));
    assert_eq!(load.ends().await.state, BatchState::Settled);
    client.world.reconciles().await;
    assert_ne!(client.world.digest().await, digest);
}
