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
use tracing::Instrument as _;

use crate::authority::{Action, Authority, Decision, Identity, Refusal};
use crate::caller::Caller;
use crate::input::nothing_typed_in;
use crate::keeper::{Keeper, Kept, keep};
use crate::metrics::UnderWay;
use crate::problem::{Problem, REQUEST_ID, Refused};
use crate::route::{Module, Route, get};
use crate::{idempotency, openapi};

/// Body limit where a route says nothing.
const BODY_LIMIT_BYTES: usize = 1 << 20;

const CSP: &str = "default-src 'self'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; worker-src 'self'; manifest-src 'self'; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    // browsers heed it over TLS only
    ("strict-transport-security", "max-age=31536000"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(self), geolocation=(self)"),
];

/// All modules under one authority.
pub struct Web {
    modules: Vec<Module>,
    authority: Arc<dyn Authority>,
    keeper: Option<Arc<dyn Keeper>>,
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
        let web = Self { modules, authority, keeper: None };
        // texts, numbers and maps with text keys always serialise
        let document = serde_json::to_vec(&web.openapi()).unwrap_or_default();
        let _ = served.set(document.into());
        web
    }

    /// Every change is asked of the supervision log first, and anchored acts wait for it.
    pub fn kept_by(self, keeper: Arc<dyn Keeper>) -> Self {
        Self { keeper: Some(keeper), ..self }
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
                path: route.path,
                needs_key: route.needs_key,
            };
            let limit = route.body_limit_bytes.unwrap_or(BODY_LIMIT_BYTES);
            let mut handler = route.handler.clone().route_layer(DefaultBodyLimit::max(limit));
            if let Some(keeper) = self.keeper.clone() {
                let kept = Kept { keeper, action: route.action, path: route.path };
                handler = handler.route_layer(from_fn_with_state(kept, keep));
            }
            let handler = handler.route_layer(from_fn_with_state(gate, decide));
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
    path: &'static str,
    needs_key: bool,
}

/// Before every handler: who, may they, and for a create the key. After it: whoever is known and gets an answer that
/// refuses is put on record here, so that no decision, wherever it was made, is refused past the record.
async fn decide(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let who = match gate.who(&parts).await {
        Ok(who) => who,
        Err(problem) => return problem.into_response(),
    };
    let known = (!who.is_anonymous()).then(|| {
        let asked = parts.uri.clone();
        (who.actor.reference(), asked, crate::client::address_of(&parts))
    });
    let response = match gate.admit(who, &parts) {
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    };
    if let Some((actor, asked, address)) = known
        && let Some(refused) = response.extensions().get::<Refused>()
    {
        let refusal = Refusal {
            actor,
            action: refused.action.unwrap_or(gate.action.name),
            why: refused.why,
            object: object_of(gate.path, asked.path()),
            address,
            request_id: REQUEST_ID.try_with(Clone::clone).unwrap_or_default(),
        };
        gate.authority.refused(refusal).await;
    }
    response
}

/// The last id in a path and what stands before it; parameters of any other shape were typed by somebody.
fn object_of(template: &str, path: &str) -> Option<(String, String)> {
    let parts: Vec<(&str, &str)> = template.split('/').zip(path.split('/')).collect();
    let is_parameter = |at: usize| parts[at].0.starts_with('{');
    let at =
        (1..parts.len()).rev().find(|at| is_parameter(*at) && id_in(parts[*at].1).is_some())?;
    Some((parts[at - 1].1.to_owned(), id_in(parts[at].1)?.to_owned()))
}

/// The id a text begins with, alone or before a dot.
pub(crate) fn id_in(text: &str) -> Option<&str> {
    let id = text.get(..36).filter(|_| text.len() == 36 || text.as_bytes()[36] == b'.')?;
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    };
    id.bytes().enumerate().all(fits).then_some(id)
}

impl Gate {
    async fn who(&self, parts: &axum::http::request::Parts) -> Result<Identity, Problem> {
        let who = self.authority.identify(parts).await?;
        if who.csrf_missing { self.without_cookie() } else { Ok(who) }
    }

    fn admit(&self, who: Identity, parts: &axum::http::request::Parts) -> Result<Caller, Problem> {
        let held = self.authority.held_back(&who, self.action.name, None);
        // what is open to everybody stays open
        if let Some(problem) = held.filter(|_| !self.is_open_to_all()) {
            who.refused(self.action.name, &problem);
            return Err(problem);
        }
        let allowance = self
            .authority
            .decide(&who, self.action.name, None)
            .into_allowance(who.is_anonymous())
            .inspect_err(|problem| who.refused(self.action.name, problem))?;
        if !self.is_open_to_all() {
            nothing_typed_in(&parts.uri)?;
        }
        let key = idempotency::key_of(&parts.headers)?;
        if self.needs_key && key.is_none() {
            return Err(idempotency::key_required());
        }
        let request_id = REQUEST_ID.try_with(Clone::clone).unwrap_or_default();
        Ok(Caller::new(who, self.action, allowance, self.authority.clone(), parts, request_id, key))
    }

    fn is_open_to_all(&self) -> bool {
        let public = self.authority.decide(&Identity::anonymous(), self.action.name, None);
        matches!(public, Decision::Allow(_))
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
    let under_way = UnderWay::new();
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    // every line that is said meanwhile carries the request's id; of the highest level, so that no
    // filter switches it off
    let span = tracing::error_span!("request", request_id = %request_id);
    let mut response = REQUEST_ID
        .scope(request_id.clone(), async {
            run.await.unwrap_or_else(|_| {
                tracing::error!("处理请求的程序中断");
                Problem::internal(&Interrupted).into_response()
            })
        })
        .instrument(span.clone())
        .await;
    drop(under_way);
    dress(response.headers_mut(), api, &request_id);
    let status = response.status().as_u16();
    let took = started.elapsed();
    crate::metrics::answered(method.as_str(), &template, status, took);
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::info!(%method, route = %template, status, ms, "请求"));
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

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::request::Parts;
    use futures_util::future::BoxFuture;
    use mj_kernel::{Actor, ActorKind, DataLevel, Scope};
    use serde::Deserialize;
    use tower::ServiceExt;

    use super::*;
    use crate::authority::{Allowance, Fields, Mask, Resource, Why};
    use crate::route::{create, post};
    use crate::{Answer, Input, Query};

    const OPEN: Action = Action::new("test.open.read", "公开");
    const STAFF: Action = Action::new("test.staff.write", "内部");

    /// Knows staff by a header; lets the public see what is open.
    struct Porter;

    impl Authority for Porter {
        fn identify<'a>(&'a self, request: &'a Parts) -> BoxFuture<'a, Result<Identity, Problem>> {
            let staff = request.headers.contains_key("x-staff");
            let csrf_missing = request.headers.contains_key("x-forged");
            let kind = ActorKind::Person { account_id: "1".into() };
            let who = match staff {
                true => Identity::of(Actor { kind, grants: Vec::new() }),
                false => Identity::anonymous(),
            };
            Box::pin(async move { Ok(Identity { csrf_missing, ..who }) })
        }

        fn decide(&self, who: &Identity, action: &str, _: Option<&Resource>) -> Decision {
            match action {
                "test.open.read" => {}
                _ if who.is_anonymous() => return Decision::Deny,
                _ => {}
            }
            Decision::Allow(Allowance {
                scopes: vec![Scope::everything(DataLevel::Internal)],
                mask: Mask::Partial,
                fields: Fields::All,
            })
        }
    }

    /// Lets staff do everything but what is elsewhere, and listens what is put on record.
    #[derive(Default)]
    struct Clerk(std::sync::Mutex<Vec<Refusal>>);

    impl Authority for Clerk {
        fn identify<'a>(&'a self, request: &'a Parts) -> BoxFuture<'a, Result<Identity, Problem>> {
            Porter.identify(request)
        }

        fn decide(&self, who: &Identity, action: &str, at: Option<&Resource>) -> Decision {
            match at {
                Some(at) if at.area.is_none() => Decision::NotFound,
                _ if action == "test.other.write" => Decision::Deny,
                _ => Porter.decide(who, action, at),
            }
        }

        fn refused(&self, refusal: Refusal) -> BoxFuture<'_, ()> {
            self.0.lock().expect("whole").push(refusal);
            Box::pin(async {})
        }
    }

    const OTHER: Action = Action::new("test.other.write", "另外的");

    /// Refuses in the way that is asked for.
    async fn refuses(
        caller: Caller,
        crate::PathOf((how, _)): crate::PathOf<(String, String)>,
    ) -> Answer<String> {
        let (here, elsewhere) = (Resource::at(Some("370400"), None), Resource::at(None, None));
        match how.as_str() {
            "require" => drop(caller.require(&elsewhere)?),
            "other" => drop(caller.require_for(&OTHER, &here)?),
            "by-hand" => return Err(Problem::denied()),
            "not-there" => {
                return Err(Problem::from(mj_platform::Error::Missing {
                    table: "t",
                    id: "1".into(),
                }));
            }
            // asked only to know what to offer
            _ => drop(caller.require_for(&OTHER, &here).is_ok()),
        }
        Ok(String::new())
    }

    #[tokio::test]
    async fn no_handler_refuses_past_the_record() {
        const ID: &str = "01900000-0000-7000-8000-000000000001";
        let path = "/api/v1/{how}/things/{id}";
        let routes = vec![get(STAFF, path, refuses), post(OTHER, path, refuses)];
        let clerk = Arc::new(Clerk::default());
        let module = Module::new("test", "试验").routes((), routes);
        let router = Web::new(clerk.clone(), vec![module]).router(Router::new());
        let ask = async |method: &str, how: &str, id: &str, staff: bool| {
            let mut request =
                Request::builder().method(method).uri(format!("/api/v1/{how}/things/{id}"));
            if staff {
                request = request.header("x-staff", "1");
            }
            let request = request.body(Body::empty()).expect("a request");
            let answer = router.clone().oneshot(request).await.expect("answered");
            let kept = std::mem::take(&mut *clerk.0.lock().expect("whole"));
            let told = answer.headers().get("x-request-id").cloned();
            assert!(kept.iter().all(|one| told.as_ref().is_some_and(|id| id == &one.request_id)));
            let told = kept.into_iter().map(|one| (one.actor, one.action, one.why, one.object));
            (answer.status().as_u16(), told.collect::<Vec<_>>())
        };
        let thing = Some(("things".to_owned(), ID.to_owned()));
        let who = || "account:1".to_owned();
        let (own, other) = (STAFF.name, OTHER.name);
        for (method, how, status, action, why) in [
            ("GET", "require", 404, own, Why::OutOfScope),
            ("GET", "other", 403, other, Why::Denied),
            ("GET", "by-hand", 403, own, Why::Denied),
            ("GET", "not-there", 404, own, Why::NotThere),
            ("POST", "offer", 403, other, Why::Denied),
        ] {
            let answer = ask(method, how, ID, true).await;
            assert_eq!(answer, (status, vec![(who(), action, why, thing.clone())]), "{how}");
            assert_eq!(ask(method, how, ID, false).await.1, vec![], "nobody known: {how}");
        }
        assert_eq!(ask("GET", "offer", ID, true).await, (200, vec![]));
        // what is no id of the house was typed by somebody
        let typed = ask("GET", "require", "37040319900101001X", true).await.1;
        assert_eq!(typed, vec![(who(), own, Why::OutOfScope, None)]);
    }

    #[derive(Deserialize)]
    struct Count {
        count: u32,
    }

    async fn who(caller: Caller) -> String {
        caller.actor.reference()
    }

    async fn count(Query(query): Query<Count>) -> String {
        query.count.to_string()
    }

    async fn counted(input: Input<Count>) -> String {
        input.value.count.to_string()
    }

    async fn breaks() -> Answer<()> {
        let none: Option<u8> = None;
        none.map(|_| ()).ok_or_else(|| Problem::internal(&Interrupted)).inspect_err(|_| {
            panic!("张三 37040319900101001X");
        })
    }

    fn web() -> Web {
        let module = Module::new("test", "试验").routes(
            (),
            vec![
                get(OPEN, "/api/v1/who", who),
                post(OPEN, "/api/v1/who", who),
                post(STAFF, "/api/v1/staff", who),
                get(OPEN, "/api/v1/count", count),
                post(OPEN, "/api/v1/count", counted),
                get(OPEN, "/api/v1/breaks", breaks),
                create(STAFF, "/api/v1/things/{id}", who),
                get(OPEN, "/page", who).page(),
            ],
        );
        Web::new(Arc::new(Porter), vec![module])
    }

    async fn send(
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, HeaderMap, String) {
        let mut request = axum::http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let faces =
            Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "没有这个页面") });
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = web().router(faces).oneshot(request).await.expect("answered");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("a body");
        (parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&body).into_owned())
    }

    async fn code(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let (status, _, body) = send(method, path, headers, body).await;
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        (status, problem["code"].as_str().unwrap_or(&body).to_owned())
    }

    #[tokio::test]
    async fn a_handler_is_reached_only_behind_its_decision() {
        assert_eq!(
            code("POST", "/api/v1/staff", &[], "").await,
            (401, "access.session_required".into())
        );
        let staff = [("x-staff", "1")];
        assert_eq!(code("POST", "/api/v1/staff", &staff, "").await, (200, "account:1".into()));
        assert_eq!(code("PUT", "/api/v1/staff", &[], "").await, (405, "method_not_allowed".into()));
        assert_eq!(code("GET", "/api/v1/none", &staff, "").await, (404, "not_found".into()));
    }

    #[tokio::test]
    async fn a_cookie_that_a_foreign_page_sent_along_proves_nothing() {
        let forged = [("x-staff", "1"), ("x-forged", "1")];
        assert_eq!(code("POST", "/api/v1/who", &forged, "").await, (200, "anonymous".into()));
        assert_eq!(code("POST", "/api/v1/staff", &forged, "").await, (403, "access.csrf".into()));
    }

    #[tokio::test]
    async fn a_create_needs_a_key_of_visible_letters() {
        let ask = |key: &'static str| async move {
            code("POST", "/api/v1/things/1", &[("x-staff", "1"), ("idempotency-key", key)], "")
                .await
        };
        let without = code("POST", "/api/v1/things/1", &[("x-staff", "1")], "").await;
        assert_eq!(without, (400, "idempotency.key_required".into()));
        assert_eq!(ask("a b").await, (400, "idempotency.key_invalid".into()));
        assert_eq!(ask("0197-a").await, (200, "account:1".into()));
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_request_is_said_and_what_it_held_is_not() {
        let json = [("content-type", "application/json")];
        for (body, status, code_said, place) in [
            ("{\"count\": }", 400, "input.json", "第 1 行第 11 列"),
            ("{\"count\": \"张三\"}", 422, "input.invalid", "第 1 行第"),
            ("{}", 422, "input.invalid", "缺少此字段（count）"),
        ] {
            let (got, _, said) = send("POST", "/api/v1/count", &json, body).await;
            assert_eq!(got, status, "{said}");
            assert!(said.contains(code_said) && said.contains(place), "{said}");
            assert!(!said.contains("张三"), "{said}");
        }
        let (status, code_said) = code("POST", "/api/v1/count", &[], "{}").await;
        assert_eq!((status, code_said.as_str()), (415, "input.media_type"));
        for path in ["/api/v1/count", "/api/v1/count?count=many"] {
            assert_eq!(code("GET", path, &[], "").await, (400, "input.query".into()));
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_opaque_problem_and_names_nobody() {
        let (status, headers, said) = send("GET", "/api/v1/breaks", &[], "").await;
        assert_eq!(status, 500);
        assert!(said.contains("\"code\":\"internal\"") && !said.contains("张三"), "{said}");
        let trace = headers["x-request-id"].to_str().expect("text");
        assert!(said.contains(trace), "the problem names the log line");
    }

    #[tokio::test]
    async fn pages_are_dressed_like_the_api_but_may_be_kept() {
        let (status, headers, _) = send("GET", "/page", &[], "").await;
        assert_eq!((status, headers.contains_key("cache-control")), (200, false));
        assert!(headers.contains_key("content-security-policy"));
        let (status, headers, said) = send("GET", "/no-such-page", &[], "").await;
        assert_eq!((status, said.as_str()), (404, "没有这个页面"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }

    #[test]
    fn the_document_holds_every_route_of_the_api_and_its_action() {
        let document = serde_json::to_value(web().openapi()).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        assert!(!paths.contains_key("/page"), "a page is no interface");
        assert!(paths.contains_key("/api/v1/openapi.json"));
        let create = &document["paths"]["/api/v1/things/{id}"]["post"];
        assert_eq!(create["x-action"], "test.staff.write");
        assert_eq!(create["operationId"], "postThingsById");
        let names: Vec<_> = create["parameters"]
            .as_array()
            .expect("parameters")
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap_or_default())
            .collect();
        assert_eq!(names, ["id", "Idempotency-Key"]);
        assert_eq!(create["security"], serde_json::json!([{"bearer": []}, {"session": []}]));
        let open = &document["paths"]["/api/v1/who"]["get"];
        assert_eq!(open["security"], serde_json::json!([{}]));
        assert!(document["components"]["schemas"]["Problem"]["properties"]["type"].is_object());
    }
}
