//! What only the whole house can show: every route has its action in the matrix, and the faces'
//! shells answer or say that they were not built.

mod audit;
mod authorisation;
mod workflows;

use mj_kernel::Role;
use mj_platform::Config;

use crate::modules::{Domains, web};
use crate::node::Floor;

async fn house() -> (mj_testkit::TestDb, mj_web::Web) {
    let kit = mj_testkit::TestDb::new().await;
    let floor = Floor {
        config: Config::load(kit.folder.path()).expect("defaults"),
        db: kit.db().clone(),
        keys: kit.keys(),
        vault: kit.vault(),
        blobs: kit.blobs(),
        demo: false,
    };
    let domains = Domains::open(&floor).await.expect("the domains open");
    let web = web(&domains);
    (kit, web)
}

#[tokio::test]
async fn every_route_stands_in_the_matrix_and_every_row_of_it_has_a_route() {
    let (_kit, web) = house().await;
    let routes = web.routes();
    assert!(routes.len() > 40, "only {} routes are registered", routes.len());
    assert_eq!(mj_access::check_matrix(&routes), Vec::<String>::new());
    assert_eq!(mj_web::openapi::schema_conflicts(web.modules()), Vec::<String>::new());
}

#[tokio::test]
async fn nobody_without_a_session_reaches_a_business_record() {
    use tower::ServiceExt;
    let (_kit, web) = house().await;
    let router = web.router(axum::Router::new());
    for route in web.routes() {
        let path = route.path.replace(['{', '}'], "");
        let request = axum::http::Request::builder()
            .method(route.method.clone())
            .uri(&path)
            .header("idempotency-key", "k")
            .header("content-type", "application/json")
            .body(axum::body::Body::from("{}"))
            .expect("a request");
        let status = router.clone().oneshot(request).await.expect("an answer").status();
        let anonymous =
            mj_access::matrix::decide(&mj_web::Identity::anonymous(), route.action.name, None);
        if !matches!(anonymous, mj_web::Decision::Allow(_)) {
            assert_eq!(status, 401, "{} {} let the public in", route.method, route.path);
        }
    }
}

#[test]
fn the_demonstration_has_an_account_for_every_role() {
    // anonymous has none by its nature; the administrators are enrolled by their one-time codes
    let made = crate::demo::roles();
    for role in Role::ALL.iter().filter(|role| **role != Role::Anonymous) {
        assert!(made.contains(role), "no demonstration account for {}", role.name());
    }
}

/// Set to write the document instead of comparing it.
const WRITE: &str = "MJ_WRITE_OPENAPI";

#[tokio::test]
async fn the_document_served_is_the_one_the_front_end_was_made_from() {
    let (_kit, web) = house().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/openapi.json");
    let served = serde_json::to_string_pretty(&web.openapi()).expect("JSON") + "\n";
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(path, &served).expect("web/openapi.json is written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == served,
        "web/openapi.json is not what the routes say. Write it and the client's types anew:\n  \
         {WRITE}=1 cargo test -p mj-server --bin mingjian the_document_served && \
         npm --prefix web run gen:api"
    );
}
