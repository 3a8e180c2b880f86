//! What a page and an answer must stand: two hundred scripts typed by people are text on every public page, the
//! headers of every answer, and no personal number in any answer to anybody who did not ask for it by name.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use mj_kernel::Role;
use mj_testkit::NOW;
use serde_json::json;
use tower::ServiceExt;

use super::limits::House;
use super::world::{Hat, Relation, ask, party_row, put};

const PAYLOADS: &str = include_str!("../../../../../web/e2e/xss-payloads.txt");

/// Every tag of a page with its attributes: what a browser would run stands in one of them.
fn tags(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        if name.is_empty() {
            continue;
        }
        let (mut attributes, mut quote): (Vec<(String, String)>, _) = (Vec::new(), None);
        let (mut word, mut value) = (String::new(), String::new());
        for c in rest[name.len()..].chars() {
            match (quote, c) {
                (None, '>') => break,
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), _) if open == c => {
                    quote = None;
                    attributes.push((std::mem::take(&mut word), std::mem::take(&mut value)));
                }
                (Some(_), c) => value.push(c.to_ascii_lowercase()),
                (None, '=') => {}
                (None, c) if c.is_whitespace() || c == '/' => {
                    if !word.is_empty() {
                        attributes.push((std::mem::take(&mut word), String::new()));
                    }
                }
                (None, c) => word.push(c.to_ascii_lowercase()),
            }
        }
        attributes.push((word, value));
        tags.push((name.to_lowercase(), attributes));
    }
    tags
}

fn assert_inert(what: &str, page: &str) {
    let strange = [
        "iframe", "object", "embed", "base", "marquee", "math", "template", "xss", "video", "audio",
    ];
    for (name, attributes) in tags(page) {
        assert!(!strange.contains(&name.as_str()), "{what}: <{name}>");
        let own_script =
            |(name, value): &(String, String)| name == "src" || value.starts_with("application/");
        let fits = name != "script" || attributes.iter().any(own_script);
        assert!(fits, "{what}: a script of its own");
        for (attribute, value) in attributes {
            let runs = attribute.starts_with("on") || attribute == "srcdoc";
            assert!(!runs, "{what}: <{name} {attribute}>");
            let schemes = ["javascript:", "vbscript:", "data:text"];
            let bad = schemes.iter().any(|scheme| value.trim_start().starts_with(scheme));
            let goes =
                ["href", "src", "action", "data", "formaction"].contains(&attribute.as_str());
            assert!(!(bad && goes), "{what}: <{name} {attribute}={value}>");
        }
    }
}

#[test]
fn the_checker_of_pages_bites() {
    let caught = |page: &str| std::panic::catch_unwind(|| assert_inert("x", page)).is_err();
    for page in [
        "<p><img src=x onerror=alert(1)></p>",
        "<p><script>alert(1)</script>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<iframe srcdoc='x'>",
    ] {
        assert!(caught(page), "{page}");
    }
    assert!(!caught(
        "<p title=\"&lt;img onerror=x>\">&lt;script&gt;</p><script src=\"/a.js\"></script>"
    ));
}

#[tokio::test]
async fn two_hundred_scripts_are_text_on_every_public_page() {
    let house = House::new().await;
    let payloads: Vec<&str> = PAYLOADS.lines().collect();
    assert_eq!(payloads.iter().collect::<BTreeSet<_>>().len(), 200);
    let mut tx = house.world.kit.begin().await;
    for (number, payload) in payloads.iter().enumerate() {
        let id = format!("xss-{number:04}");
        party_row(&mut tx, &id, 50_000 + number, payload, Some("370400")).await;
        let own = Relation::Own;
        put(
            &mut tx,
            "portal_post",
            &[
                ("id", id.as_str().into()),
                ("kind", "news".into()),
                ("number", (1_000 + number as i64).into()),
                ("state", "published".into()),
                ("agency", own.agency().into()),
                ("agency_name", (*payload).into()),
                ("area_number", own.area().into()),
                ("author", "account:nobody".into()),
                ("shown_text", 1_i64.into()),
                ("published_at", NOW.into()),
                ("created_at", NOW.into()),
                ("updated_at", NOW.into()),
            ],
        )
        .await;
        put(
            &mut tx,
            "portal_post_text",
            &[
                ("id", format!("text-{id}").into()),
                ("post_id", id.as_str().into()),
                ("number", 1_i64.into()),
                ("state", "published".into()),
                ("title", (*payload).into()),
                ("body", format!("{payload}\n\n- {payload}\n\n> {payload}").into()),
                ("author", "account:nobody".into()),
                ("published_at", NOW.into()),
                ("updated_at", NOW.into()),
            ],
        )
        .await;
    }
    tx.note().await.expect("noted");
    tx.commit().await.expect("committed");
    let get = async |path: &str| {
        let answer = ask(&house.router, &Method::GET, path, None, None).await;
        assert!(answer.status.as_u16() < 500, "{path}: {}", answer.status);
        (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
    };
    let mut shown = 0;
    for (number, payload) in payloads.iter().enumerate() {
        let encoded: String = payload.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for path in [
            format!("/news/{}", 1_000 + number),
            format!("/parties/P990000-{:09}", 50_000 + number),
            format!("/parties/P990000-{:09}/wrong?act={encoded}", 50_000 + number),
            format!("/search?q={encoded}"),
            format!("/{encoded}"),
        ] {
            let (status, page) = get(&path).await;
            shown += usize::from(status == 200);
            assert_inert(&format!("{path} with {payload}"), &page);
        }
    }
    for path in ["/", "/news", "/exposure"] {
        assert_inert(path, &get(path).await.1);
    }
    assert!(shown >= 600, "only {shown} pages were shown");
}

#[tokio::test]
async fn every_answer_bears_the_headers_that_keep_a_browser_honest() {
    let house = House::new().await;
    for path in ["/", "/api/v1/site", "/api/v1/home", "/nothing"] {
        let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        let answer = house.router.clone().oneshot(request).await.expect("an answer");
        let header = |name: &str| {
            let value = answer.headers().get(name).unwrap_or_else(|| panic!("{path}: no {name}"));
            value.to_str().expect("text").to_owned()
        };
        let csp = header("content-security-policy");
        assert!(!csp.contains("unsafe") && csp.contains("object-src 'none'"), "{csp}");
        assert!(csp.contains("frame-ancestors 'none'") && csp.contains("base-uri 'none'"), "{csp}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("strict-transport-security").starts_with("max-age=31536000"));
    }
}

#[tokio::test]
async fn no_answer_tells_a_number_of_a_person_to_anybody() {
    let house = House::new().await;
    let canaries = ["13876543210", "37040219850703261X", "13812340001"];
    let party = house.enterprise().await;
    // a second enterprise with a fault in its row, the phone where a date is expected
    let row = json!({
        "cd_id": "p2", "cd_time": "2026-11-19T10:00:00+08:00", "cd_operation": "i",
        "entity_id_code": "3704000000000002", "uscc": "91370400MA3D2E3F55",
        "ent_name": "枣庄枣花香食品有限公司", "legal_repr": "李明", "approval_date": canaries[2],
        "contact_id_no": canaries[1], "contact_phone": canaries[0], "regist_status": "1",
    });
    let batch = json!({"table": "object_enterprise", "cd_source": "src_own",
        "cd_batch": "2026112000010", "rows": [row]});
    let (_, pushed) = house.send(Hat::Source, Method::POST, "/datahub/batches", batch).await;
    house.run().await;
    let href = pushed["href"].as_str().expect("an address").to_owned();
    let mut paths: Vec<(Method, String, Option<String>)> = Vec::new();
    for line in include_str!("routes.txt").lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('\t').collect();
        let [route, path, body] = parts[..] else { continue };
        let method = if route.starts_with("GET ") { Method::GET } else { Method::POST };
        let looks = method == Method::GET || route.ends_with("/export");
        if looks && !path.contains('$') && path != "/api/v1/openapi.json" {
            paths.push((method, path.to_owned(), (body != "-").then(|| body.to_owned())));
        }
    }
    for tail in ["", "/timeline"] {
        paths.push((Method::GET, format!("/api/v1/registry/parties/{party}{tail}"), None));
    }
    for tail in ["", "/errors", "/error-groups", "/errors.xlsx"] {
        paths.push((Method::GET, format!("{href}{tail}"), None));
    }
    for q in ["%E6%9E%A3%E8%8A%B1", "13876543210"] {
        paths.push((Method::GET, format!("/api/v1/search#{q}"), None));
        paths.push((Method::GET, format!("/search?q={q}"), None));
    }
    let mut seen = 0;
    for hat in Hat::all() {
        for (method, path, body) in &paths {
            let answer =
                ask(&house.router, method, path, hat.token().as_deref(), body.clone()).await;
            seen += usize::from(answer.status.is_success());
            let text = String::from_utf8_lossy(&answer.body);
            // what somebody typed into the search is theirs already
            for canary in canaries.iter().filter(|canary| !path.contains(**canary)) {
                assert!(!text.contains(canary), "{path} tells {canary} to {hat:?}");
            }
        }
    }
    assert!(seen > 300, "{seen}");
}

/// Addresses are kept by browsers, proxies and logs: what somebody looks for never travels in one.
#[tokio::test]
async fn what_is_typed_into_a_search_box_is_refused_in_an_address() {
    let house = House::new().await;
    let (_, document) =
        house.send(Hat::Role(Role::SysAdmin), Method::GET, "/openapi.json", json!(null)).await;
    let (mut searched, mut refused) = (0, 0);
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            // what is open to everybody works without scripts
            if operation["security"] == json!([{}]) {
                continue;
            }
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let named = |name: &str| parameters.iter().any(|one| one["name"] == name);
            assert!(!named("q"), "{path} says that its text stands in the address");
            searched += usize::from(named("Mingjian-Search"));
            let method: Method = method.to_uppercase().parse().expect("a method");
            let mut told = 0;
            for text in ["q=%E6%9D%8E%E6%98%8E", "limit=1&q", "%71=3704", "file_name=a.csv"] {
                for hat in Hat::all() {
                    let path = format!("{path}?{text}");
                    let token = hat.token();
                    let answer = ask(&house.router, &method, &path, token.as_deref(), None).await;
                    assert!(!answer.status.is_success(), "{method} {path} as {hat:?}");
                    let said = String::from_utf8_lossy(&answer.body);
                    // HEAD is answered without words
                    let bare = method == Method::HEAD && answer.status == 400;
                    told += usize::from(bare || said.contains("\"input.text_in_address\""));
                }
            }
            assert!(told > 0 && told.is_multiple_of(4), "{method} {path}: told {told} times");
            refused += told;
        }
    }
    assert!(searched >= 12, "only {searched} lists are searched");
    assert!(refused > 1_000, "{refused}");
}
