//! Somebody who uses the platform's own HTTP routes, without a network in between.

use std::sync::{Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::cli::Failure;

const STEP_UP: &str = "access.step_up_required";

pub struct Visitor {
    router: Router,
    token: Mutex<Option<String>>,
    /// Given once more when an act asks for it: filling a large city takes longer than a password counts.
    password: Option<String>,
}

impl Visitor {
    pub fn new(router: &Router) -> Self {
        Self { router: router.clone(), token: Mutex::default(), password: None }
    }

    /// A department's own system.
    pub fn with_token(router: &Router, token: &str) -> Self {
        Self { token: Mutex::new(Some(token.to_owned())), ..Self::new(router) }
    }

    /// Logs in; the answer must be a whole session.
    pub async fn login(router: &Router, login: &str, password: &str) -> Result<Self, Failure> {
        let visitor = Self { password: Some(password.to_owned()), ..Self::new(router) };
        let body = json!({"login": login, "password": password});
        let session = visitor.send(Method::POST, "/api/v1/sessions", Some(body)).await?;
        visitor.carry(&session);
        Ok(visitor)
    }

    fn carry(&self, session: &Value) {
        let token = session["token"].as_str().map(str::to_owned);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    fn token(&self) -> Option<String> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Value, Failure> {
        match (self.send(Method::POST, path, Some(body.clone())).await, &self.password) {
            (Err(Failure::Broken(said)), Some(password)) if said.contains(STEP_UP) => {
                let proof = json!({"password": password});
                let path_of_proof = "/api/v1/sessions/current/step-up";
                let session = self.send(Method::POST, path_of_proof, Some(proof)).await?;
                self.carry(&session);
                self.send(Method::POST, path, Some(body)).await
            }
            (answer, _) => answer,
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("idempotency-key", mj_platform::new_id());
        if let Some(token) = self.token() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let request = request.body(body).map_err(Failure::broken)?;
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status();
        let bytes =
            axum::body::to_bytes(response.into_body(), 16 << 20).await.map_err(Failure::broken)?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() || status == StatusCode::NO_CONTENT {
            return Ok(answer);
        }
        Err(Failure::Broken(format!(
            "{method} {path}：{status} {} {} {}",
            answer["code"].as_str().unwrap_or_default(),
            answer["title"].as_str().unwrap_or_default(),
            answer["detail"].as_str().unwrap_or_default()
        )))
    }
}
