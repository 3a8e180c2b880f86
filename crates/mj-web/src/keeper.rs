//! What the supervision log asks of requests that change something: none while the store is taken for
//! an older copy, and for anchored acts no answer before their entry is in a signed checkpoint.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;

use crate::authority::Action;
use crate::problem::{self, Problem};

/// Knows the log. Implemented by the whole (`mj-server`).
pub trait Keeper: Send + Sync {
    /// Whether nothing is taken in now.
    fn is_held(&self) -> bool;

    /// Whether acts of this route (method and template) are answered only after their entry is in a
    /// signed checkpoint.
    fn is_anchored(&self, method: &str, path: &str) -> bool;

    /// Why anchored acts cannot be done at all now.
    fn stopped<'a>(&'a self) -> BoxFuture<'a, Option<Problem>>;

    /// Whether everything committed so far is in a signed checkpoint, having waited for it.
    fn anchor<'a>(&'a self) -> BoxFuture<'a, bool>;
}

/// What goes on while nothing is taken in: opening and closing sessions writes no entry, and a witness
/// signs for others.
const ALWAYS: [&str; 5] = [
    "access.session.",
    "access.second_factor.finish",
    "ledger.checkpoint.witness",
    "home.recent",
    "flow.presence.",
];

#[derive(Clone)]
pub(crate) struct Kept {
    pub keeper: Arc<dyn Keeper>,
    pub action: Action,
    pub path: &'static str,
}

/// Around every handler, behind the decision.
pub(crate) async fn keep(State(kept): State<Kept>, request: Request, next: Next) -> Response {
    let Kept { keeper, action, path } = kept;
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if changes && keeper.is_held() && !ALWAYS.iter().any(|start| action.name.starts_with(start)) {
        return problem::held().into_response();
    }
    let anchored = changes && keeper.is_anchored(request.method().as_str(), path);
    if !anchored {
        return next.run(request).await;
    }
    if let Some(problem) = keeper.stopped().await {
        return problem.into_response();
    }
    let response = next.run(request).await;
    if response.status().is_success() && !keeper.anchor().await {
        return unsigned().into_response();
    }
    response
}

/// The act is done and durable; only its signature is late.
fn unsigned() -> Problem {
    Problem::new(
        axum::http::StatusCode::SERVICE_UNAVAILABLE,
        "ledger.not_signed_yet",
        "操作已经保存，监管日志还没有签署",
    )
    .detail("请不要重复提交；稍后刷新页面查看。多次出现时，请告诉系统管理员。")
}
