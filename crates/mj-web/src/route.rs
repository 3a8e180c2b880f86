//! How a domain offers its routes. There is no way to register one without an [`Action`], and the
//! decision stands before the handler: `Web` puts it there, the domain cannot forget it.
//!
//! ```text
//! pub fn module(state: RegistryState) -> Module {
//!     Module::new("registry", "监管对象").routes(state, vec![
//!         get(PARTY_READ, "/api/v1/registry/parties", list).summary("查找监管对象")
//!             .query::<ListQuery>().list::<PartyRow>(),
//!         create(PARTY_MERGE, "/api/v1/registry/merges", merge).summary("合并监管对象")
//!             .body::<MergeRequest>().created::<Merge>(),
//!     ])
//! }
//! ```

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use mj_platform::jobs::JobHandler;
use mj_platform::outbox::EventHandler;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, ToSchema};

use crate::authority::Action;

/// A media type and the shape under it.
pub(crate) type Content = (&'static str, RefOr<Schema>);

/// What the OpenAPI document says of one route.
#[derive(Default, Clone)]
pub(crate) struct Doc {
    pub summary: &'static str,
    pub description: &'static str,
    pub parameters: Vec<Parameter>,
    pub body: Option<Content>,
    pub answers: Vec<(u16, &'static str, Option<Content>)>,
    pub schemas: Vec<(String, RefOr<Schema>)>,
    pub hidden: bool,
}

/// A route whose handler still waits for its domain's state `S`.
pub struct RouteOf<S> {
    method: Method,
    path: &'static str,
    action: Action,
    handler: MethodRouter<S>,
    needs_key: bool,
    body_limit_bytes: Option<usize>,
    doc: Doc,
}

/// A registered route.
#[derive(Clone)]
pub struct Route {
    pub method: Method,
    /// The template, e.g. `/api/v1/registry/parties/{id}`.
    pub path: &'static str,
    pub action: Action,
    /// Whether it is a create, which must carry an `Idempotency-Key`.
    pub needs_key: bool,
    pub(crate) body_limit_bytes: Option<usize>,
    pub(crate) handler: MethodRouter,
    pub(crate) doc: Doc,
}

macro_rules! verbs {
    ($($(#[$note:meta])* $name:ident $method:ident $filter:ident $needs_key:literal;)+) => {$(
        $(#[$note])*
        pub fn $name<H, T, S>(action: Action, path: &'static str, handler: H) -> RouteOf<S>
        where
            H: Handler<T, S>,
            T: 'static,
            S: Clone + Send + Sync + 'static,
        {
            RouteOf {
                method: Method::$method,
                path,
                action,
                handler: on(MethodFilter::$filter, handler),
                needs_key: $needs_key,
                body_limit_bytes: None,
                doc: Doc::default(),
            }
        }
    )+};
}

verbs! {
    get GET GET false;
    head HEAD HEAD false;
    /// An act that makes nothing (a verb on something that exists).
    post POST POST false;
    /// A POST that makes something: 400 without an `Idempotency-Key`.
    create POST POST true;
    put PUT PUT false;
    patch PATCH PATCH false;
    delete DELETE DELETE false;
}

impl<S: Clone + Send + Sync + 'static> RouteOf<S> {
    /// One line in Chinese of what it does.
    pub fn summary(mut self, summary: &'static str) -> Self {
        self.doc.summary = summary;
        self
    }

    pub fn description(mut self, description: &'static str) -> Self {
        self.doc.description = description;
        self
    }

    /// How large a body may be; 1 MiB unless said. Does not bind handlers that stream `Body`.
    pub fn body_limit_bytes(mut self, bytes: usize) -> Self {
        self.body_limit_bytes = Some(bytes);
        self
    }

    /// A page for people: not in the API document.
    pub fn page(mut self) -> Self {
        self.doc.hidden = true;
        self
    }

    pub fn query<Q: IntoParams>(mut self) -> Self {
        let place = || Some(utoipa::openapi::path::ParameterIn::Query);
        self.doc.parameters.extend(Q::into_params(place));
        self
    }

    pub fn body<B: ToSchema>(mut self) -> Self {
        self.doc.body = Some(("application/json", self.reference::<B>()));
        self
    }

    /// A body of bytes, e.g. a delivered file.
    pub fn binary_body(mut self, media_type: &'static str) -> Self {
        self.doc.body = Some((media_type, RefOr::T(Schema::Object(ObjectBuilder::new().build()))));
        self
    }

    pub fn returns<R: ToSchema>(mut self, status: u16) -> Self {
        let schema = self.reference::<R>();
        self.doc.answers.push((status, "成功", Some(("application/json", schema))));
        self
    }

    pub fn ok<R: ToSchema>(self) -> Self {
        self.returns::<R>(200)
    }

    pub fn created<R: ToSchema>(self) -> Self {
        self.returns::<R>(201)
    }

    pub fn no_content(mut self) -> Self {
        self.doc.answers.push((204, "成功，没有内容", None));
        self
    }

    /// A file or a page.
    pub fn binary(mut self, media_type: &'static str) -> Self {
        let schema = RefOr::T(Schema::Object(ObjectBuilder::new().build()));
        self.doc.answers.push((200, "文件", Some((media_type, schema))));
        self
    }

    /// `{items, next_cursor}`, with `?limit&cursor` in the query.
    pub fn list<R: ToSchema>(mut self) -> Self {
        let item = self.reference::<R>();
        let cursor = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("下一页的游标；没有下一页时为空"));
        let page = ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(item))
            .property("next_cursor", cursor)
            .required("items")
            .required("next_cursor");
        let schema = RefOr::T(Schema::Object(page.build()));
        self.doc.answers.push((200, "一页", Some(("application/json", schema))));
        self
    }

    fn reference<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let name = T::name().into_owned();
        self.doc.schemas.push((name.clone(), T::schema()));
        T::schemas(&mut self.doc.schemas);
        RefOr::Ref(Ref::from_schema_name(name))
    }

    fn with_state(self, state: S) -> Route {
        Route {
            method: self.method,
            path: self.path,
            action: self.action,
            needs_key: self.needs_key,
            body_limit_bytes: self.body_limit_bytes,
            handler: self.handler.with_state(state),
            doc: self.doc,
        }
    }
}

/// What one domain brings to the house.
pub struct Module {
    pub name: &'static str,
    /// In Chinese, as the group's name in the API document.
    pub title: &'static str,
    pub routes: Vec<Route>,
    pub jobs: Vec<JobHandler>,
    pub events: Vec<EventHandler>,
}

impl Module {
    pub fn new(name: &'static str, title: &'static str) -> Self {
        Self { name, title, routes: Vec::new(), jobs: Vec::new(), events: Vec::new() }
    }

    pub fn routes<S>(mut self, state: S, routes: Vec<RouteOf<S>>) -> Self
    where
        S: Clone + Send + Sync + 'static,
    {
        self.routes.extend(routes.into_iter().map(|route| route.with_state(state.clone())));
        self
    }

    pub fn job(mut self, job: JobHandler) -> Self {
        self.jobs.push(job);
        self
    }

    pub fn event(mut self, handler: EventHandler) -> Self {
        self.events.push(handler);
        self
    }
}
