//! Somebody who left the desk for a while: no anchored act is done with a password given long ago, whoever sits
//! there now; row after row goes on for half an hour.

use std::collections::BTreeSet;

use axum::Router;
use mj_kernel::Role;

use super::matrix::{Thing, asked, filled, outcome};
use super::world::{Hat, Relation, World, ask};
use crate::ledger::keeper::is_anchored;

const MENDING: &str = "/api/v1/datahub/batches/{id}/errors/{row}";

/// The anchored acts that somebody is let into, as `METHOD path role`, and how often the password was asked for.
async fn let_in(router: &Router) -> (BTreeSet<String>, usize) {
    let (mut open, mut again) = (BTreeSet::new(), 0);
    for one in asked() {
        // who enrols or opens an emergency is nobody with a password yet
        let nobody = ["emergency", "/enrolments"].iter().any(|part| one.path.contains(part));
        if nobody || !is_anchored(one.method.as_str(), one.template) {
            continue;
        }
        for hat in Hat::all() {
            if matches!(hat, Hat::Anonymous | Hat::Source | Hat::Emergency) {
                continue;
            }
            let thing = Thing::Of(Relation::Own);
            let path = filled(one.path, hat, thing);
            let body = one.body.map(|body| filled(body, hat, thing));
            let answer = ask(router, &one.method, &path, hat.token().as_deref(), body).await;
            match outcome(thing, &answer).as_str() {
                "again" => again += 1,
                "no" | "404" => {}
                word => {
                    assert_ne!(word, "5xx", "{} {path}", one.method);
                    open.insert(format!("{} {} {}", one.method, one.template, hat.name()));
                }
            }
        }
    }
    (open, again)
}

#[tokio::test]
async fn no_anchored_act_is_done_with_an_old_password_and_row_after_row_goes_on_for_half_an_hour() {
    let world = World::new().await;
    world.stand().await;
    let router = world.web.router(Router::new());
    world.kit.clock.advance_seconds(10 * 60);
    let (open, again) = let_in(&router).await;
    let mends = |role: Role| format!("POST {MENDING} {}", role.name());
    let rows: BTreeSet<String> =
        [Role::Clerk, Role::DeptAdmin, Role::DatahubOperator].map(mends).into();
    assert_eq!(open, rows, "after ten minutes");
    assert!(again > 80, "{again} asked for the password");
    world.kit.clock.advance_seconds(25 * 60);
    let (open, later) = let_in(&router).await;
    assert_eq!(open, BTreeSet::new(), "after thirty-five minutes");
    assert_eq!(later, again + rows.len());
}
