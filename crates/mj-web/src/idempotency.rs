//! Creates that may be sent twice. The key is claimed in the transaction of the act itself, so
//! either both are there or neither; keys live as long as the record.
//!
//! ```text
//! let mut tx = db.begin(Lane::People, caller.act("…")).await?;
//! let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
//!     Once::Replay(earlier) => return render(earlier.object_id).map(|body| replayed(&earlier, body)),
//!     Once::First(first) => first,
//! };
//! … insert …
//! first.keep(&mut tx, StatusCode::CREATED, &id, 1).await?;
//! tx.commit().await?;
//! ```

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mj_platform::gm::Sm3;
use mj_platform::{RowExt, WriteTx};

use crate::caller::Caller;
use crate::problem::Problem;

pub const KEY_HEADER: &str = "idempotency-key";
pub const REPLAYED_HEADER: &str = "idempotency-replayed";

/// What an earlier request with the same key and body made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    pub status: StatusCode,
    pub object_id: String,
    pub version: i64,
}

/// Whether this request is the first with its key.
#[must_use = "a claimed key must be kept with what was made"]
pub enum Once {
    First(First),
    Replay(Earlier),
}

/// The claim on a key; [`First::keep`] writes what was made beside it.
#[must_use]
pub struct First {
    actor: String,
    key: String,
}

impl Once {
    /// Claims the caller's key for a request with this body. A second request at the same moment
    /// waits here for the first one's commit on both databases.
    pub async fn claim(
        tx: &mut WriteTx,
        caller: &Caller,
        body_digest: &[u8; 32],
    ) -> Result<Once, Problem> {
        let key = caller.idempotency_key.clone().ok_or_else(key_required)?;
        let actor = caller.actor.reference();
        let digest = request_digest(caller, body_digest);
        let now = tx.now();
        let claimed = tx
            .execute(
                "INSERT INTO idempotency (actor, idem_key, digest, status, object_id, version, at) \
                 VALUES ($1,$2,$3,0,'',0,$4) ON CONFLICT (actor, idem_key) DO NOTHING",
                &[actor.as_str().into(), key.as_str().into(), digest.as_str().into(), now.into()],
            )
            .await?;
        if claimed == 1 {
            return Ok(Once::First(First { actor, key }));
        }
        let row = tx
            .fetch_optional(
                "SELECT digest, status, object_id, version FROM idempotency \
                 WHERE actor = $1 AND idem_key = $2",
                &[actor.as_str().into(), key.as_str().into()],
            )
            .await?
            .ok_or_else(|| Problem::conflict("idempotency.busy", "同一请求正在处理，请稍后重试"))?;
        if row.text("digest")? != digest {
            return Err(Problem::conflict(
                "idempotency.conflict",
                "同一个幂等键已用于内容不同的请求",
            )
            .detail("请为新的请求换一个 Idempotency-Key。"));
        }
        let status = u16::try_from(row.int("status")?).unwrap_or_default();
        Ok(Once::Replay(Earlier {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
            object_id: row.text("object_id")?,
            version: row.int("version")?,
        }))
    }
}

impl First {
    pub async fn keep(
        self,
        tx: &mut WriteTx,
        status: StatusCode,
        object_id: &str,
        version: i64,
    ) -> Result<(), Problem> {
        tx.execute(
            "UPDATE idempotency SET status = $1, object_id = $2, version = $3 \
             WHERE actor = $4 AND idem_key = $5",
            &[
                i64::from(status.as_u16()).into(),
                object_id.into(),
                version.into(),
                self.actor.as_str().into(),
                self.key.as_str().into(),
            ],
        )
        .await?;
        Ok(())
    }
}

/// The answer to a repeated request: status as then, body rendered anew.
pub fn replayed(earlier: &Earlier, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    *response.status_mut() = earlier.status;
    response.headers_mut().insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
    response
}

pub(crate) fn key_required() -> Problem {
    Problem::bad_request("idempotency.key_required", "缺少 Idempotency-Key 请求头")
        .detail("新建类请求须带 Idempotency-Key（建议用 UUID），重发时保持不变。")
}

/// The key of a request, checked for form: 1 to 128 visible ASCII characters.
pub(crate) fn key_of(headers: &axum::http::HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(KEY_HEADER) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Problem::bad_request("idempotency.key_invalid", "Idempotency-Key 格式不对")
            .detail("应为 1 至 128 个可见 ASCII 字符。")),
    }
}

/// The same key sent to another address is another request.
fn request_digest(caller: &Caller, body_digest: &[u8; 32]) -> String {
    let mut digest = Sm3::new();
    digest.update(caller.method.as_str().as_bytes());
    digest.update(b"\n");
    digest.update(caller.target.as_bytes());
    digest.update(b"\n");
    digest.update(body_digest);
    hex::encode(digest.finish())
}
