//! The three faces inside the binary: `web/dist` as it stood at build time, served with the
//! encodings made then. A face whose assets were not built answers 503, never a blank page.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Assets;

/// Which page shell an address without a file name falls back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Desk,
    Mobile,
    Portal,
}

impl Face {
    fn folder(self) -> &'static str {
        match self {
            Face::Desk => "desk",
            Face::Mobile => "m",
            Face::Portal => "portal",
        }
    }

    pub fn is_built(self) -> bool {
        let sign = match self {
            Face::Portal => "portal/manifest.json",
            Face::Desk => "desk/index.html",
            Face::Mobile => "m/index.html",
        };
        Assets::get(sign).is_some()
    }
}

/// The hashed addresses of the portal's style sheet and script.
pub fn portal_assets() -> Option<(String, String)> {
    let file = Assets::get("portal/manifest.json")?;
    let names: serde_json::Value = serde_json::from_slice(&file.data).ok()?;
    Some((names["portal.css"].as_str()?.to_owned(), names["portal.js"].as_str()?.to_owned()))
}

/// A file of a face, or its shell for an address of the page's own router.
pub fn serve(face: Face, path: &str, request: &HeaderMap) -> Response {
    if !face.is_built() {
        return unbuilt();
    }
    let path = path.trim_start_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    // an address of the page's own router has no dot; a missing asset must never become a page
    let file = if last.contains('.') { path } else { "index.html" };
    let name = format!("{}/{file}", face.folder());
    if file.split('/').any(|part| part == "..") {
        return StatusCode::NOT_FOUND.into_response();
    }
    embedded(&name, request).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

fn unbuilt() -> Response {
    let page = "<!doctype html><html lang=\"zh-CN\"><meta charset=\"utf-8\"><title>页面尚未构建</title>\
                <h1>页面尚未构建</h1><p>请在项目目录执行 <code>make web</code> 后重新编译。</p></html>";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page)
        .into_response()
}

fn embedded(name: &str, request: &HeaderMap) -> Option<Response> {
    let plain = Assets::get(name)?;
    let accepts = |encoding: &str| {
        request
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.split(',').any(|one| one.trim().starts_with(encoding)))
    };
    let (file, encoding) = [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(encoding, _)| accepts(encoding))
        .find_map(|(encoding, ending)| {
            Some((Assets::get(&format!("{name}{ending}"))?, Some(encoding)))
        })
        .unwrap_or_else(|| (plain.clone(), None));
    let tag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..12]));
    let hashed = name.contains("/assets/");
    let mut headers = HeaderMap::new();
    let mut set = |key, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(key, value);
        }
    };
    set(header::CONTENT_TYPE, content_type(name));
    set(
        header::CACHE_CONTROL,
        if hashed { "public, max-age=31536000, immutable" } else { "no-cache" },
    );
    set(header::ETAG, &tag);
    set(header::VARY, "Accept-Encoding");
    if let Some(encoding) = encoding {
        set(header::CONTENT_ENCODING, encoding);
    }
    if request.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == tag.as_bytes()) {
        return Some((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Some((headers, Body::from(file.data.into_owned())).into_response())
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
