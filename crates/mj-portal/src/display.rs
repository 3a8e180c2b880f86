//! How a reader wants the pages (长者版, 高对比): kept in a cookie of the browser and painted by the server,
//! so that it holds without scripts. The cookie says nothing else and is asked for nowhere else.

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use mj_web::{Caller, Query};
use serde::Deserialize;

use crate::pages::address;

const COOKIE: &str = "mj-display";
const YEAR_SECONDS: u32 = 31_536_000;
/// Longest address to come back to.
const LONGEST_BACK: usize = 2_000;

/// What the reader chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Display {
    pub large: bool,
    pub contrast: bool,
}

impl Display {
    fn of_cookies(text: &str) -> Self {
        let own = text.split(';').filter_map(|pair| pair.trim().split_once('='));
        let said = own.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value).next();
        let words = || said.unwrap_or_default().split('.');
        Self { large: words().any(|w| w == "large"), contrast: words().any(|w| w == "contrast") }
    }

    fn value(self) -> String {
        let words = [(self.large, "large"), (self.contrast, "contrast")];
        let words: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
        if words.is_empty() { "normal".into() } else { words.join(".") }
    }

    /// For the root of the page.
    pub fn attributes(self) -> &'static str {
        match (self.large, self.contrast) {
            (false, false) => "",
            (true, false) => r#" data-size="large""#,
            (false, true) => r#" data-contrast="high""#,
            (true, true) => r#" data-size="large" data-contrast="high""#,
        }
    }
}

#[derive(Clone)]
struct Shown {
    display: Display,
    /// The page that is asked for, to come back to.
    here: String,
}

tokio::task_local! {
    static SHOWN: Shown;
}

/// The choice of whoever asks for the page that is being made.
pub fn chosen() -> Display {
    SHOWN.try_with(|shown| shown.display).unwrap_or_default()
}

/// Where a click leads that turns one thing over and comes back here.
pub fn turned(what: &str) -> String {
    let Display { large, contrast } = chosen();
    let here = SHOWN.try_with(|shown| shown.here.clone()).unwrap_or_else(|_| "/".into());
    let choice = match what {
        "large" => Display { large: !large, contrast },
        "contrast" => Display { large, contrast: !contrast },
        _ => Display::default(),
    };
    address("/display", &[("to", &choice.value()), ("back", &here)])
}

/// Around the whole: every page knows the reader's choice.
pub fn remembering(router: Router) -> Router {
    router.layer(from_fn(remember))
}

async fn remember(request: Request, next: Next) -> Response {
    let cookies = request.headers().get(header::COOKIE).and_then(|value| value.to_str().ok());
    let display = Display::of_cookies(cookies.unwrap_or_default());
    let here = request.uri().path_and_query().map_or("/", |here| here.as_str()).to_owned();
    SHOWN.scope(Shown { display, here }, next.run(request)).await
}

#[derive(Deserialize, utoipa::IntoParams)]
pub struct Choice {
    to: Option<String>,
    back: Option<String>,
}

/// Only an address of this site is come back to.
fn own_address(back: Option<&str>) -> &str {
    let fits = |back: &&str| {
        back.starts_with('/')
            && !back.starts_with("//")
            && back.len() <= LONGEST_BACK
            && back.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    back.filter(fits).unwrap_or("/")
}

/// Remembers the choice and leads back.
pub async fn choose(_caller: Caller, Query(choice): Query<Choice>) -> Response {
    let said = format!("{COOKIE}={}", choice.to.unwrap_or_default());
    let value = Display::of_cookies(&said).value();
    let cookie = format!("{COOKIE}={value}; Path=/; Max-Age={YEAR_SECONDS}; SameSite=Lax");
    let headers = [
        (header::LOCATION, own_address(choice.back.as_deref()).to_owned()),
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_whatever_stands_beside_it() {
        let both = Display { large: true, contrast: true };
        assert_eq!(Display::of_cookies("a=b; mj-display=large.contrast;c"), both);
        assert_eq!(Display::of_cookies("mj-display=<script>"), Display::default());
        assert_eq!(Display::of_cookies(&format!("mj-display={}", both.value())), both);
        assert_eq!(Display::default().value(), "normal");
    }

    #[test]
    fn nobody_is_led_to_another_site() {
        for back in ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", ""] {
            assert_eq!(own_address(Some(back)), "/", "{back}");
        }
        assert_eq!(own_address(Some("/search?q=%E9%A3%9F")), "/search?q=%E9%A3%9F");
        assert_eq!(own_address(None), "/");
    }
}
