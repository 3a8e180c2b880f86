//! The data centre as an integrator's client and a clerk's browser see it.

use axum::Router;
use axum::body::Body;
use axum::http::request::{Builder, Parts as RequestParts};
use axum::http::{Request, Response, StatusCode};
use futures_util::future::BoxFuture;
use mj_kernel::{ActorKind, DataLevel, Scope};
use mj_platform::jobs::Runner;
use mj_web::{Allowance, Authority, Decision, Fields, Identity, Mask, Problem, Resource, Web};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use super::*;

/// Tokens are names of sources; the word `operator` is a person who may do everything.
struct Names;

impl Authority for Names {
    fn identify<'a>(
        &'a self,
        request: &'a RequestParts,
    ) -> BoxFuture<'a, std::result::Result<Identity, Problem>> {
        let name = request
            .headers
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default()
            .to_owned();
        Box::pin(async move {
            let kind = match name.as_str() {
                "" => ActorKind::Anonymous,
                "operator" => ActorKind::Person { account_id: name },
                _ => ActorKind::Source { cd_source: name },
            };
            Ok(Identity::of(Actor { kind, grants: Vec::new() }))
        })
    }

    fn decide(&self, who: &Identity, _: &str, resource: Option<&Resource>) -> Decision {
        let allowed = Decision::Allow(Allowance {
            scopes: vec![Scope::everything(DataLevel::Internal)],
            mask: Mask::Partial,
            fields: Fields::All,
        });
        match (&who.actor.kind, resource) {
            (ActorKind::Anonymous, _) => Decision::Deny,
            (ActorKind::Source { cd_source }, Some(resource)) => {
                if resource.cd_source.as_deref() == Some(cd_source) {
                    allowed
                } else {
                    Decision::NotFound
                }
            }
            _ => allowed,
        }
    }
}

pub struct Client {
    pub world: World,
    router: Router,
    runner: Runner,
}

impl Client {
    pub async fn new() -> Self {
        Self::of(World::new().await)
    }

    /// The same node after a restart: nothing in memory survives.
    pub async fn restarted(self) -> Self {
        let Self { mut world, .. } = self;
        world.hub = open(&world.kit).await;
        Self::of(world)
    }

    fn of(world: World) -> Self {
        let web = Web::new(Arc::new(Names), vec![crate::module(world.hub.clone())]);
        let runner = Runner::new(world.kit.db().clone(), web.jobs(), web.events());
        Self { router: web.router(Router::new()), runner, world }
    }

    pub async fn send(&self, request: Builder, body: impl Into<Body>) -> Response<Body> {
        let request = request.body(body.into()).expect("a request");
        self.router.clone().oneshot(request).await.expect("an answer")
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).header("authorization", "Bearer operator");
        read(self.send(request, Body::empty()).await).await
    }

    async fn push(&self, token: &str, key: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post("/api/v1/datahub/batches")
            .header("authorization", format!("Bearer {token}"))
            .header("idempotency-key", key)
            .header("content-type", "application/json");
        read(self.send(request, body.to_string()).await).await
    }

    pub async fn run(&self) {
        self.runner.run_until_idle().await.expect("jobs ran");
    }
}

pub async fn read(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 24).await.expect("a body");
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// One inspection as a department's system sends it.
fn row(number: u64, changes: &[(&str, &str)]) -> Value {
    let table = Standard::v1().table("check_action").expect("a table");
    let mut row = serde_json::Map::new();
    for (column, value) in table.columns.iter().zip(&table.sample) {
        if let Some(value) = value.as_deref().filter(|_| !column.envelope) {
            row.insert(column.name.clone(), value.into());
        }
    }
    for (name, value) in [
        ("cd_id", format!("A-{number}")),
        ("cd_time", "2026-11-19 08:00:00".to_owned()),
        ("cd_operation", "i".to_owned()),
        ("check_action_code", format!("J-{number}")),
        ("check_document_code", format!("文书{number}号")),
        ("administrative_cp_ui_code", uscc(number)),
    ] {
        row.insert(name.to_owned(), value.into());
    }
    for (name, value) in changes {
        row.insert((*name).to_owned(), (*value).into());
    }
    row.into()
}

fn batch(number: &str, rows: Vec<Value>) -> Value {
    json!({ "table": "check_action", "cd_source": SOURCE, "cd_batch": number, "rows": rows })
}

#[tokio::test]
async fn a_push_is_durable_counted_and_told_again_on_retry() {
    let client = Client::new().await;
    let mut torn = row(3, &[]);
    torn.as_object_mut().expect("an object").remove("cd_time");
    let rows =
        vec![row(1, &[]), row(2, &[("administrative_cp_ui_code", "91350100M000100Y44")]), torn];
    let body = batch("2026112000001", rows);
    let (status, answer) = client.push(SOURCE, "k1", &body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    assert_eq!(
        (answer["state"].as_str(), answer["rows_received"].as_i64()),
        (Some("received"), Some(3))
    );
    let href = answer["href"].as_str().expect("an address").to_owned();
    let (_, before) = client.get(&href).await;
    assert_eq!(before["counts"]["pending"], 3);
    client.run().await;
    let (_, after) = client.get(&href).await;
    assert_eq!(after["state"], "settled", "{after}");
    assert_eq!(
        after["counts"],
        json!({"front":3,"pending":0,"correct":1,"error":2,"duplicate":0,"superseded":0})
    );
    assert_eq!(after["by_class"], json!({"00": 1, "06": 1}), "a pushed row must bring its time");
    let (status, again) = client.push(SOURCE, "k1", &body).await;
    assert_eq!((status, &again["batch_id"]), (StatusCode::ACCEPTED, &answer["batch_id"]));
    let (status, same) = client.push(SOURCE, "k2", &body).await;
    assert_eq!((status, &same["batch_id"]), (StatusCode::ACCEPTED, &answer["batch_id"]));
    let other = batch("2026112000001", vec![row(9, &[])]);
    let (status, problem) = client.push(SOURCE, "k3", &other).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(problem["code"], "datahub.batch_conflict");
    let (status, _) = client.push(SOURCE, "k1", &other).await;
    assert_eq!(status, StatusCode::CONFLICT, "the same key with another body");
    let (_, errors) = client.get(&format!("{href}/errors?class=06")).await;
    assert_eq!(errors["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(errors["items"][0]["row"], 2);
    let (_, list) = client.get("/api/v1/datahub/batches?table=check_action&limit=5").await;
    assert_eq!(list["items"][0]["counts"]["error"], 2);
    let (_, summary) = client.get("/api/v1/datahub/summary").await;
    assert_eq!(summary["totals"]["front"], 3);
    client.world.reconciles().await;
}

#[tokio::test]
async fn another_source_is_a_404_and_a_wrong_channel_a_403_that_names_the_rule() {
    let client = Client::new().await;
    let body = batch("2026112000001", vec![row(1, &[])]);
    let (status, _) = client.push("999999", "k", &body).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let unknown =
        json!({"table":"check_action","cd_source":"nobody","cd_batch":"2026112000001","rows":[{}]});
    let (status, _) = client.push("nobody", "k", &unknown).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let request = Request::post(format!(
        "/api/v1/datahub/batches/file?table=check_action&cd_source={SOURCE}&channel=manual"
    ))
    .header("authorization", "Bearer operator")
    .header("idempotency-key", "m");
    let file = File::of("check_action", &[]).row(&[]);
    let (status, problem) = read(client.send(request, file.bytes().to_vec()).await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(problem["code"], "datahub.channel_not_approved");
    assert!(problem["detail"].as_str().expect("text").contains("channel.check_action.manual"));
}

#[tokio::test]
async fn a_clerk_uploads_a_file_and_mends_one_row() {
    let client = Client::new().await;
    let file = File::of("check_action", &[])
        .row(&[("administrative_cp_ui_code", &uscc(1))])
        .row(&[("check_date", "2026-02-31"), ("check_action_code", "J-2")]);
    let request = Request::post(format!(
        "/api/v1/datahub/batches/file?table=check_action&cd_source={SOURCE}"
    ))
    .header("mingjian-file-name", "a.csv")
    .header("authorization", "Bearer operator")
    .header("idempotency-key", "f1");
    let (status, answer) = read(client.send(request, file.bytes().to_vec()).await).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    client.run().await;
    let href = answer["href"].as_str().expect("an address").to_owned();
    let (_, settled) = client.get(&href).await;
    assert_eq!((&settled["counts"]["error"], &settled["file_name"]), (&json!(1), &json!("a.csv")));
    let request =
        Request::get(format!("{href}/errors.xlsx")).header("authorization", "Bearer operator");
    let sheet = client.send(request, Body::empty()).await;
    assert_eq!(sheet.status(), StatusCode::OK);
    let request = Request::post(format!("{href}/errors/2"))
        .header("authorization", "Bearer operator")
        .header("idempotency-key", "m1")
        .header("content-type", "application/json");
    let mend = json!({"values": {"check_date": "2026-02-28"}});
    let (status, mended) = read(client.send(request, mend.to_string()).await).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{mended}");
    client.run().await;
    let (_, mended) = client.get(mended["href"].as_str().expect("an address")).await;
    assert_eq!(mended["counts"]["correct"], 1, "{mended}");
    let (_, errors) = client.get(&format!("{href}/errors")).await;
    assert_eq!(errors["items"][0]["state"], "mended");
}

#[tokio::test]
async fn a_large_file_comes_in_pieces_and_becomes_a_batch() {
    let client = Client::new().await;
    let bytes = File::of("check_action", &[]).row(&[]).bytes().to_vec();
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let path = format!("/api/v1/datahub/uploads/{sha256}");
    let token = format!("Bearer {SOURCE}");
    let half = bytes.len() / 2;
    let put = |range: String, part: &[u8]| {
        let request =
            Request::put(&path).header("authorization", &token).header("content-range", range);
        client.send(request, part.to_vec())
    };
    let total = bytes.len();
    let first = put(format!("bytes 0-{}/{total}", half - 1), &bytes[..half]).await;
    assert_eq!(first.status(), StatusCode::NO_CONTENT);
    let request = Request::head(&path).header("authorization", &token);
    let head = client.send(request, Body::empty()).await;
    assert_eq!(head.headers()["upload-offset"], half.to_string().as_str());
    let rest = put(format!("bytes {half}-{}/{total}", total - 1), &bytes[half..]).await;
    assert_eq!(rest.status(), StatusCode::CREATED);
    let body = json!({"table":"check_action","cd_source":SOURCE,"cd_batch":"2026112000007",
        "upload":{"sha256":sha256,"format":"csv"}});
    let (status, answer) = client.push(SOURCE, "u1", &body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let (status, again) = client.push(SOURCE, "u1", &body).await;
    assert_eq!((status, &again["batch_id"]), (StatusCode::ACCEPTED, &answer["batch_id"]));
    client.run().await;
    let (_, settled) = client.get(answer["href"].as_str().expect("an address")).await;
    assert_eq!(settled["counts"]["correct"], 1, "{settled}");
    let request = Request::put(format!("/api/v1/datahub/uploads/{}", "0".repeat(64)))
        .header("authorization", &token);
    let wrong = client.send(request, "not that").await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let missing = json!({"table":"check_action","cd_source":SOURCE,"cd_batch":"2026112000008",
        "upload":{"sha256":"1".repeat(64),"format":"csv"}});
    let (status, problem) = client.push(SOURCE, "u2", &missing).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("datahub.upload_missing"))
    );
}

#[tokio::test]
async fn the_standard_can_be_read_and_every_template_opened() {
    let client = Client::new().await;
    let (_, tables) = client.get("/api/v1/datahub/tables").await;
    let tables = tables["items"].as_array().expect("tables").clone();
    assert!(tables.len() > 20);
    let (_, spec) = client.get("/api/v1/datahub/tables/check_action").await;
    assert_eq!(spec["title"], "行政检查");
    assert!(spec["rules"].as_array().expect("rules").iter().all(|rule| rule["source"] != ""));
    let request = Request::get("/api/v1/datahub/tables/check_action/template.xlsx")
        .header("authorization", "Bearer operator");
    let sheet = client.send(request, Body::empty()).await;
    assert_eq!(sheet.status(), StatusCode::OK);
    let (status, schema) = client.get("/api/v1/datahub/tables/check_action/schema.json").await;
    assert_eq!(status, StatusCode::OK);
    assert!(schema["properties"]["check_date"].is_object());
    assert_eq!(client.get("/api/v1/datahub/tables/nothing").await.0, StatusCode::NOT_FOUND);
    let request = Request::get("/api/v1/datahub/summary");
    assert_eq!(client.send(request, Body::empty()).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_operator_registers_a_source_once() {
    let client = Client::new().await;
    let post = |key: &'static str| {
        let request = Request::post("/api/v1/datahub/sources")
            .header("authorization", "Bearer operator")
            .header("idempotency-key", key)
            .header("content-type", "application/json");
        let body = json!({"cd_source":"370402-yj","name":"市中区应急局","kind":"agency",
            "area":"370402","channels":["push"],"tables":["check_action"]});
        let sending = client.send(request, body.to_string());
        async { read(sending.await).await }
    };
    let (status, source) = post("s1").await;
    assert_eq!(status, StatusCode::CREATED, "{source}");
    let (status, problem) = post("s2").await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("datahub.source_exists")));
    let request = Request::post("/api/v1/datahub/sources/370402-yj")
        .header("authorization", "Bearer operator")
        .header("content-type", "application/json");
    let body = json!({"version": 1, "channels": ["push", "file"]});
    let (status, changed) = read(client.send(request, body.to_string()).await).await;
    assert_eq!((status, &changed["version"]), (StatusCode::OK, &json!(2)), "{changed}");
    let (_, list) = client.get("/api/v1/datahub/sources").await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
}
