//! What requests may do as the log stands: the anchored acts of `anchored.tsv` wait for the next signed
//! checkpoint, nothing is changed while a rollback is suspected.

use std::sync::LazyLock;
use std::time::Duration;

use axum::http::StatusCode;
use mj_platform::ledger::Ledger;
use mj_web::{BoxFuture, Keeper, Problem};

use super::outside::Outside;

/// Method and path of a route whose acts are anchored.
struct Line {
    method: &'static str,
    /// Of its path, all of it unless `open`.
    path: &'static str,
    open: bool,
    /// Why the route's action asks for no password lately given, where it does not.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers and for the test"))]
    exception: Option<&'static str>,
}

static ANCHORED: LazyLock<Vec<Line>> = LazyLock::new(|| {
    let rows = include_str!("anchored.tsv").lines().filter(|line| !line.starts_with('#')).skip(1);
    rows.filter_map(|row| {
        let mut cells = row.split('\t');
        let (method, path) = cells.next()?.split_once(' ')?;
        let exception = cells.nth(1).filter(|reason| *reason != "-");
        let open = path.starts_with('*');
        Some(Line { method, path: path.trim_start_matches('*'), open, exception })
    })
    .collect()
});

impl Line {
    fn of(method: &str, path: &str) -> Option<&'static Self> {
        ANCHORED.iter().find(|line| line.is_of(method, path))
    }

    fn is_of(&self, method: &str, path: &str) -> bool {
        let fits = if self.open { path.ends_with(self.path) } else { path == self.path };
        self.method == method && fits
    }
}

/// Whether the acts of this route are answered only when they are signed.
pub fn is_anchored(method: &str, path: &str) -> bool {
    Line::of(method, path).is_some()
}

pub struct LogKeeper {
    ledger: Ledger,
    outside: Outside,
    patience: Duration,
}

impl LogKeeper {
    pub fn new(ledger: Ledger, outside: Outside) -> Self {
        let patience = outside.settings().patience;
        Self { ledger, outside, patience }
    }
}

impl Keeper for LogKeeper {
    fn is_held(&self) -> bool {
        self.ledger.db().is_held()
    }

    fn is_anchored(&self, method: &str, path: &str) -> bool {
        is_anchored(method, path)
    }

    fn stopped<'a>(&'a self) -> BoxFuture<'a, Option<Problem>> {
        Box::pin(async move {
            if !self.outside.is_stopped().await {
                return None;
            }
            let hours = self.outside.settings().stop.as_secs() / 3_600;
            let problem = Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "ledger.witness_silent",
                "监管日志长时间没有见证方签署，这类操作暂停办理",
            );
            Some(problem.detail(format!(
                "公示、授权、导出、更正等操作须有见证方签署；见证方已超过 {hours} 小时没有回应。请联系系统管理员。"
            )))
        })
    }

    fn anchor<'a>(&'a self) -> BoxFuture<'a, bool> {
        Box::pin(self.ledger.settled(self.patience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anchored_act_is_a_route_that_changes_something() {
        let text = include_str!("../../../../web/openapi.json");
        let document: serde_json::Value = serde_json::from_str(text).expect("the document");
        let paths = document["paths"].as_object().expect("paths");
        assert!(ANCHORED.len() > 10);
        for line in ANCHORED.iter() {
            let found = paths.iter().any(|(path, methods)| {
                let has = methods.get(line.method.to_ascii_lowercase()).is_some();
                has && line.is_of(line.method, path)
            });
            assert!(found, "{} {} is no route", line.method, line.path);
        }
        let of = |method: &str, path: &str| Line::of(method, path).is_some();
        assert!(of("POST", "/api/v1/registry/parties/export"));
        assert!(!of("GET", "/api/v1/registry/parties") && !of("GET", "/api/v1/registry/merges"));
    }

    /// A new line without `+fresh` or `+recent` in the matrix, or a reason here, fails; so does a reason that holds no more.
    #[test]
    fn every_anchored_act_asks_for_a_password_lately_given_or_says_why_not() {
        let text = include_str!("../../../../web/openapi.json");
        let document: serde_json::Value = serde_json::from_str(text).expect("the document");
        let (mut asked, mut excepted) = (0, 0);
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, route) in methods.as_object().expect("methods") {
                let method = method.to_ascii_uppercase();
                let Some(line) = Line::of(&method, path) else { continue };
                let action = route["x-action"].as_str().expect("an action");
                let proof = mj_access::matrix::proof_of(action).expect("in the matrix");
                let asks = proof > mj_web::Proof::Old;
                match line.exception {
                    None => assert!(asks, "{method} {path}: {action} asks for no password"),
                    Some(reason) => assert!(!asks, "{method} {path} asks; yet “{reason}”"),
                }
                *(if asks { &mut asked } else { &mut excepted }) += 1;
            }
        }
        assert!(asked > 20 && excepted > 14, "{asked} {excepted}");
        // what stands behind the exception of the exports
        let take = mj_web::export::TAKE.name;
        assert_eq!(mj_access::matrix::proof_of(take), Some(mj_web::Proof::Fresh));
    }
}
