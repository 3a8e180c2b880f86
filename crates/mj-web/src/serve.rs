//! The parts as one router: the decision before every handler, problems for what does not exist,
//! headers on everything, one log line a request (template, status, time: no query, no body).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::FutureExt;
use mj_platform::jobs::JobHandler;
use mj_platform::outbox::EventHandler;

use crate::authority::{Action, Authority, Identity};
use crate::caller::Caller;
use crate::problem::{Problem, REQUEST_ID};
use crate::route::{Module, Route, get};
use crate::{idempotency, openapi};

/// Body limit where a route says nothing.
const BODY_LIMIT_BYTES: usize = 1 << 20;

const CSP: &str = "default-src 'self'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; worker-src 'self'; manifest-src 'self'; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(self), geolocation=(self)"),
];

/// All modules under one authority.
pub struct Web {
    modules: Vec<Module>,
    authority: Arc<dyn Authority>,
}

impl Web {
    /// Adds the API document's own route to the modules given.
    pub fn new(authority: Arc<dyn Authority>, mut modules: Vec<Module>) -> Self {
        let served = Arc::new(std::sync::OnceLock::<Bytes>::new());
        let own = Module::new("platform", "平台").routes(
            served.clone(),
            vec![
                get(openapi::READ, "/api/v1/openapi.json", read_document)
                    .summary("本接口文档（OpenAPI 3.1）")
                    .ok::<serde_json::Value>(),
            ],
        );
        match modules.iter_mut().find(|module| module.name == own.name) {
            Some(platform) => platform.routes.extend(own.routes),
            None => modules.push(own),
        }
        let web = Self { modules, authority };
        // texts, numbers and maps with text keys always serialise
        let document = serde_json::to_vec(&web.openapi()).unwrap_or_default();
        let _ = served.set(document.into());
        web
    }

    /// Every registered route, for the test that compares them with the access matrix.
    pub fn routes(&self) -> Vec<Route> {
        self.modules.iter().flat_map(|module| module.routes.clone()).collect()
    }

    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    pub fn openapi(&self) -> utoipa::openapi::OpenApi {
        openapi::document(&self.modules, self.authority.as_ref())
    }

    pub fn jobs(&self) -> Vec<JobHandler> {
        self.modules.iter().flat_map(|module| module.jobs.clone()).collect()
    }

    pub fn events(&self) -> Vec<EventHandler> {
        self.modules.iter().flat_map(|module| module.events.clone()).collect()
    }

    /// One router. `faces` are static assets and health, which need no decision; it may bring its
    /// own fallback for pages.
    pub fn router(&self, faces: Router) -> Router {
        let mut router = Router::new();
        for route in self.modules.iter().flat_map(|module| &module.routes) {
            let gate = Gate {
                authority: self.authority.clone(),
                action: route.action,
                needs_key: route.needs_key,
            };
            let limit = route.body_limit_bytes.unwrap_or(BODY_LIMIT_BYTES);
            let handler = route
                .handler
                .clone()
                .layer(DefaultBodyLimit::max(limit))
                .layer(from_fn_with_state(gate, decide));
            router = router.route(route.path, handler);
        }
        router
            .route("/api", any(no_such_route))
            .route("/api/{*rest}", any(no_such_route))
            .merge(faces)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(from_fn(frame))
    }
}

async fn read_document(State(document): State<Arc<std::sync::OnceLock<Bytes>>>) -> Response {
    let body = document.get().cloned().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn no_such_route() -> Problem {
    Problem::not_found().detail("没有这个接口地址，请对照接口文档 /api/v1/openapi.json。")
}

async fn method_not_allowed(uri: Uri) -> Response {
    if uri.path().starts_with("/api") {
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "此地址不接受这种请求方法",
        )
        .into_response()
    } else {
        StatusCode::METHOD_NOT_ALLOWED.into_response()
    }
}

#[derive(Clone)]
struct Gate {
    authority: Arc<dyn Authority>,
    action: Action,
    needs_key: bool,
}

/// Before every handler: who, may they, and for a create the key.
async fn decide(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match gate.admit(&parts).await {
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl Gate {
    async fn admit(&self, parts: &axum::http::request::Parts) -> Result<Caller, Problem> {
        let who = self.authority.identify(parts).await?;
        let who = if who.csrf_missing { self.without_cookie()? } else { who };
        let allowance = self
            .authority
            .decide(&who, self.action.name, None)
            .into_allowance(who.is_anonymous())
            .inspect_err(|problem| {
                tracing::warn!(
                    action = self.action.name,
                    actor = %who.actor.reference(),
                    code = %problem.code,
                    "拒绝"
                );
            })?;
        let key = idempotency::key_of(&parts.headers)?;
        if self.needs_key && key.is_none() {
            return Err(idempotency::key_required());
        }
        let request_id = REQUEST_ID.try_with(Clone::clone).unwrap_or_default();
        Ok(Caller::new(who, self.action, allowance, self.authority.clone(), parts, request_id, key))
    }

    /// A cookie alone changes nothing: what the public may do goes on without it, the rest stops.
    fn without_cookie(&self) -> Result<Identity, Problem> {
        let anonymous = Identity::anonymous();
        self.authority.decide(&anonymous, self.action.name, None).into_allowance(true).map_err(
            |_| {
                Problem::forbidden("access.csrf", "请求缺少防伪令牌")
                    .detail("请刷新页面后重试；程序调用请带 X-CSRF-Token 或使用 Bearer 令牌。")
            },
        )?;
        Ok(anonymous)
    }
}

/// Around everything: the request's id, its headers, its log line; a panic becomes a problem.
async fn frame(request: Request, next: Next) -> Response {
    let request_id = mj_platform::new_id();
    let method = request.method().clone();
    let api = request.uri().path().starts_with("/api");
    let template = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "-".to_owned(), |path| path.as_str().to_owned());
    let started = std::time::Instant::now();
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = REQUEST_ID
        .scope(request_id.clone(), async {
            run.await.unwrap_or_else(|_| {
                tracing::error!(trace_id = %request_id, "处理请求的程序中断");
                Problem::internal(&Interrupted).into_response()
            })
        })
        .await;
    dress(response.headers_mut(), api, &request_id);
    let status = response.status().as_u16();
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(request_id = %request_id, %method, route = %template, status, ms, "请求");
    response
}

#[derive(Debug, thiserror::Error)]
#[error("处理请求的程序中断")]
struct Interrupted;

fn dress(headers: &mut HeaderMap, api: bool, request_id: &str) {
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if api {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", value);
    }
}
