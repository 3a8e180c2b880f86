//! Witnessing over HTTP: `add-checkpoint` for the logs this node watches (C2SP tlog-witness: 200, 400,
//! 403, 404, 409, 422), what it saw of them last, and how this node's own log stands with its witnesses.

use axum::Json;
use axum::extract::State as Of;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mj_kernel::clock::to_rfc3339;
use mj_ledger::witness::Refusal;
use mj_platform::ledger::outside;
use mj_platform::ledger::witness::Verdict;
use mj_web::{Action, Answer, Problem, Query, RouteOf, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::api::{CHECKPOINT_READ, Desk, ENTRY_READ, broken, plain};

pub const WITNESS: Action = Action::new("ledger.checkpoint.witness", "为其他平台的日志作见证");
pub const STANDING_READ: Action = Action::new("ledger.standing.read", "查看系统是否暂停办理");

/// 63 lines of proof, the opening entries of volumes with theirs, a checkpoint with room for signatures.
const REQUEST_BYTES: usize = 64 * 1024;

pub fn routes() -> Vec<RouteOf<Desk>> {
    vec![
        post(WITNESS, "/api/v1/log/witness/add-checkpoint", add_checkpoint)
            .summary("提交检查点请求见证签名（C2SP tlog-witness，摘要用 SM3、签名用 SM2）")
            .description(
                "正文：old 行、一致性证明、空行、已签署的检查点；见证方上次见过的是较早的一册时，证明之后每册一行 opening（启用新册的条目，base64）及其存在证明。200 为签名行；409 的正文是见证方上次见过的条目数。",
            )
            .body_limit_bytes(REQUEST_BYTES)
            .binary_body("text/plain")
            .binary("text/plain"),
        get(CHECKPOINT_READ, "/api/v1/log/witness/checkpoint", seen)
            .summary("本节点作为见证方上次见过的检查点（文本），任何人可取得")
            .query::<OriginQuery>()
            .binary("text/plain"),
        get(CHECKPOINT_READ, "/api/v1/log/witness/key", key)
            .summary("本节点的见证公钥（文本）")
            .binary("text/plain"),
        get(STANDING_READ, "/api/v1/log/standing", standing)
            .summary("系统是否因疑似退回旧备份而暂停办理")
            .ok::<LogStanding>(),
        get(ENTRY_READ, "/api/v1/log/witnesses", witnesses)
            .summary("谁为本节点的日志作见证，本节点为谁作见证")
            .ok::<LogWitnesses>(),
    ]
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

async fn add_checkpoint(Of(desk): Of<Desk>, body: String) -> Answer<Response> {
    let attached = desk.attached().ok_or_else(Problem::not_found)?;
    let verdict = attached.witness.add_checkpoint(&body).await?;
    let refusal = match verdict {
        Verdict::Cosigned(line) => {
            return Ok(text(StatusCode::OK, "text/plain; charset=utf-8", line));
        }
        Verdict::Refused(refusal) => refusal,
    };
    Err(match refusal {
        Refusal::Conflict { size } => {
            // as the protocol says, which programs of others speak too
            return Ok(text(StatusCode::CONFLICT, "text/x.tlog.size", format!("{size}\n")));
        }
        Refusal::Malformed(error) => {
            Problem::bad_request("ledger.witness_request", "见证请求无法识别")
                .detail(error.to_string())
        }
        Refusal::Unknown => Problem::not_found().detail("本节点不为这份日志作见证。"),
        Refusal::Signature => {
            Problem::forbidden("ledger.witness_signature", "检查点不是由登记的日志公钥签署的")
        }
        Refusal::Proof => Problem::invalid(
            "ledger.witness_proof",
            "一致性证明不成立：这份日志不是从上次见过的那份接着写的",
        ),
    })
}

#[derive(Debug, Deserialize, IntoParams)]
struct OriginQuery {
    /// 日志的名称，即检查点的第一行
    origin: String,
}

async fn seen(Of(desk): Of<Desk>, Query(query): Query<OriginQuery>) -> Answer<Response> {
    let attached = desk.attached().ok_or_else(Problem::not_found)?;
    let seen = attached.witness.seen(&query.origin).await?;
    plain(seen.map(|seen| seen.checkpoint))
}

async fn key(Of(desk): Of<Desk>) -> Answer<Response> {
    plain(desk.attached().map(|attached| format!("{}\n", attached.witness.key().to_text())))
}

#[derive(Debug, Serialize, ToSchema)]
struct LogStanding {
    /// 是否暂停办理
    held: bool,
    /// 从什么时候起
    since: Option<String>,
}

async fn standing(Of(desk): Of<Desk>) -> Answer<Json<LogStanding>> {
    let suspicion = match desk.db().is_held() {
        true => outside::suspicion(&desk.reader()).map_err(broken)?,
        false => None,
    };
    Ok(Json(LogStanding {
        held: desk.db().is_held(),
        since: suspicion.map(|suspicion| to_rfc3339(suspicion.at)),
    }))
}

#[derive(Debug, Serialize, ToSchema)]
struct LogWitnesses {
    /// 本节点的见证公钥
    key: Option<String>,
    /// 为本节点作见证的
    witnesses: Vec<LogWitness>,
    /// 本节点为之作见证的
    watched: Vec<WatchedLog>,
    /// 超过多少分钟没有签名就报警
    alarm_minutes: i64,
    /// 疑似被退回到旧的备份
    suspicion: Option<LogSuspicion>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LogWitness {
    name: String,
    url: String,
    /// 最近一次签名的时间
    cosigned_at: Option<String>,
    /// 那时的条目数
    size: Option<i64>,
    root: Option<String>,
    /// 距最近一次签名的秒数
    lag_seconds: i64,
    alarm: bool,
    /// 最近一次请求的时间
    tried_at: Option<String>,
    /// 最近一次请求没有得到签名的原因
    trouble: Option<String>,
    /// 连同见证签名的检查点，可另行保存供核对
    checkpoint: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct WatchedLog {
    origin: String,
    /// 上次见过的条目数；0 为还没有见过
    size: i64,
    root: String,
    cosigned_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LogSuspicion {
    at: String,
    witness: String,
    /// 见证方见过的条目数
    seen_size: i64,
    /// 本节点当时的条目数
    own_size: i64,
}

async fn witnesses(Of(desk): Of<Desk>) -> Answer<Json<LogWitnesses>> {
    let attached = desk.attached().ok_or_else(Problem::not_found)?;
    let now = attached.outside.now().await?;
    let whole = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    let own = now.into_iter().map(|one| LogWitness {
        name: one.name,
        url: one.url,
        cosigned_at: one.cosigned.as_ref().map(|cosigned| to_rfc3339(cosigned.at)),
        size: one.cosigned.as_ref().map(|cosigned| cosigned.size),
        root: one.cosigned.as_ref().map(|cosigned| cosigned.root.clone()),
        lag_seconds: whole(one.lag.as_secs()),
        alarm: one.alarm,
        tried_at: (one.tried_at > 0).then(|| to_rfc3339(one.tried_at)),
        trouble: one.trouble,
        checkpoint: one.cosigned.map(|cosigned| cosigned.checkpoint),
    });
    let watched = attached.witness.watched().await?.into_iter().map(|one| WatchedLog {
        cosigned_at: (one.size > 0).then(|| to_rfc3339(one.cosigned_at)),
        origin: one.origin,
        size: one.size,
        root: one.root,
    });
    let suspicion = outside::suspicion(&desk.reader()).map_err(broken)?;
    Ok(Json(LogWitnesses {
        key: Some(attached.witness.key().to_text()),
        witnesses: own.collect(),
        watched: watched.collect(),
        alarm_minutes: whole(attached.outside.settings().alarm.as_secs() / 60),
        suspicion: suspicion.map(|one| LogSuspicion {
            at: to_rfc3339(one.at),
            witness: one.witness,
            seen_size: one.seen_size,
            own_size: one.own_size,
        }),
    }))
}
