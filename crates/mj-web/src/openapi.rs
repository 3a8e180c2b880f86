//! The OpenAPI 3.1 document, gathered from the registered routes: a route that is not registered is
//! not served, so the document cannot lack one. Every operation carries its `x-action`.

use std::collections::BTreeMap;

use axum::http::Method;
use utoipa::PartialSchema;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, Paths,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    ResponseBuilder, Schema,
};

use crate::authority::{Action, Authority, Decision, Identity};
use crate::input::{HIDDEN, Hidden};
use crate::problem::{Details, FieldError, Problem};
use crate::route::{Module, Route};

pub const READ: Action = Action::new("platform.openapi.read", "查看接口文档");

/// The document of these modules. A route open to the public needs no security there either.
pub fn document(modules: &[Module], authority: &dyn Authority) -> OpenApi {
    let mut paths = Paths::new();
    let mut schemas: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
    for module in modules {
        for route in module.routes.iter().filter(|route| !route.doc.hidden) {
            let anonymous = authority.decide(&Identity::anonymous(), route.action.name, None);
            let public = matches!(anonymous, Decision::Allow(_));
            paths.add_path_operation(
                route.path,
                vec![http_method(&route.method)],
                operation(module, route, public),
            );
            schemas.extend(route.doc.schemas.iter().cloned());
        }
    }
    schemas.insert("Problem".into(), Details::schema());
    schemas.insert("FieldError".into(), FieldError::schema());
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(
            "bearer",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some("登录得到的会话令牌，或部门系统的来源令牌"))
                    .build(),
            ),
        )
        .security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "__Host-mj_session",
                "浏览器会话；修改类请求另须带 X-CSRF-Token 请求头",
            ))),
        )
        .build();
    let tags = modules
        .iter()
        .map(|module| TagBuilder::new().name(module.name).description(Some(module.title)).build());
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("明鉴：互联网＋监管平台接口")
                .version("1")
                .description(Some(
                    "错误一律为 application/problem+json；列表为 {items, next_cursor}；\
                     新建类请求须带 Idempotency-Key；修改类请求须带 version。",
                ))
                .build(),
        )
        .tags(Some(tags))
        .paths(paths)
        .components(Some(components))
        .build()
}

/// Names that two shapes share although they differ: each would hide the other in the document.
pub fn schema_conflicts(modules: &[Module]) -> Vec<String> {
    let mut known: BTreeMap<&str, (&RefOr<Schema>, &str)> = BTreeMap::new();
    let mut conflicts = Vec::new();
    for route in modules.iter().flat_map(|module| &module.routes) {
        for (name, schema) in &route.doc.schemas {
            match known.get(name.as_str()) {
                Some((first, path)) if *first != schema => {
                    conflicts.push(format!("{name}：{path} 与 {} 的定义不同", route.path));
                }
                Some(_) => {}
                None => {
                    known.insert(name, (schema, route.path));
                }
            }
        }
    }
    conflicts.dedup();
    conflicts
}

fn operation(module: &Module, route: &Route, public: bool) -> Operation {
    let doc = &route.doc;
    let mut operation = OperationBuilder::new()
        .tag(module.name)
        .summary(Some(if doc.summary.is_empty() { route.action.title } else { doc.summary }))
        .operation_id(Some(operation_id(route)))
        .extensions(Some(ExtensionsBuilder::new().add("x-action", route.action.name).build()));
    if !doc.description.is_empty() {
        operation = operation.description(Some(doc.description));
    }
    for name in path_parameters(route.path) {
        operation = operation.parameter(text_parameter(name, ParameterIn::Path));
    }
    for parameter in &doc.parameters {
        let hidden = HIDDEN.iter().find(|one| !public && one.parameter == parameter.name);
        operation = operation.parameter(match hidden {
            Some(hidden) => header_of(parameter, hidden),
            None => parameter.clone(),
        });
    }
    if route.needs_key {
        operation = operation.parameter(text_parameter("Idempotency-Key", ParameterIn::Header));
    }
    if let Some((media_type, schema)) = &doc.body {
        let content = ContentBuilder::new().schema(Some(schema.clone())).build();
        operation = operation.request_body(Some(
            RequestBodyBuilder::new()
                .content(*media_type, content)
                .required(Some(Required::True))
                .build(),
        ));
    }
    for (status, description, answer) in &doc.answers {
        let mut response = ResponseBuilder::new().description(*description);
        if let Some((media_type, schema)) = answer {
            let content = ContentBuilder::new().schema(Some(schema.clone())).build();
            response = response.content(*media_type, content);
        }
        operation = operation.response(status.to_string(), response.build());
    }
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    operation = operation.response(
        "default",
        ResponseBuilder::new().description("出错").content(Problem::CONTENT_TYPE, problem).build(),
    );
    let none: [&str; 0] = [];
    let securities = if public {
        vec![SecurityRequirement::default()]
    } else {
        vec![SecurityRequirement::new("bearer", none), SecurityRequirement::new("session", none)]
    };
    operation.securities(Some(securities)).build()
}

/// Described as the parameter it fills, sent as a header.
fn header_of(parameter: &Parameter, hidden: &Hidden) -> Parameter {
    let said = parameter.description.as_deref().unwrap_or(hidden.title);
    ParameterBuilder::new()
        .name(hidden.header)
        .parameter_in(ParameterIn::Header)
        .required(parameter.required.clone())
        .description(Some(format!("{said}（UTF-8 的百分号编码；不能写在网址里）")))
        .schema(Some(String::schema()))
        .build()
}

fn text_parameter(name: &str, place: ParameterIn) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::True)
        .schema(Some(String::schema()))
        .build()
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// `GET /api/v1/registry/parties/{id}` is `getRegistryPartiesById`.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.as_str().to_ascii_lowercase();
    for part in route.path.trim_start_matches("/api/v1").split('/').filter(|part| !part.is_empty())
    {
        let (lead, name) = match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => ("By", name),
            None => ("", part),
        };
        id.push_str(lead);
        for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
        {
            let (first, rest) = word.split_at(1);
            id.push_str(&first.to_ascii_uppercase());
            id.push_str(rest);
        }
    }
    id
}

fn http_method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        Method::HEAD => HttpMethod::Head,
        _ => HttpMethod::Get,
    }
}
