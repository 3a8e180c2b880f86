//! Workflow steps cannot be skipped or replayed: docs/workflows.md publishes every machine of the house as a
//! table, and these tests play random sequences of acts over the API and hold what comes of them against it.
//! Only what stands in the table succeeds and leads where it says; all else is refused and changes nothing.

mod access;
mod audit;
mod emergency;
mod exports;
mod flow;
mod hub;
mod play;
mod portal;
mod registry;
mod sessions;
mod table;

use std::collections::BTreeSet;

use super::authorisation::world::World;

/// Every state that the code has a name for stands in the table of its machine, or is said to be reached by
/// nothing. A new variant does not compile until it is listed here.
#[test]
fn every_state_of_the_code_is_published() {
    use mj_access::{AccountState, Stage};
    use mj_datahub::BatchState;
    use mj_flow::State;
    use mj_portal::{PostState, TextState};
    let account = |state: AccountState| match state {
        AccountState::Active | AccountState::Disabled => state.name(),
    };
    let session = |stage: Stage| match stage {
        Stage::Active | Stage::SecondFactor | Stage::Enrol => stage.name(),
    };
    let batch = |state: BatchState| match state {
        BatchState::Received
        | BatchState::Running
        | BatchState::Settled
        | BatchState::Failed
        | BatchState::Cancelled => state.name(),
    };
    let post = |state: PostState| match state {
        PostState::Draft | PostState::Published | PostState::Withdrawn => state.name(),
    };
    let text = |state: TextState| match state {
        TextState::Draft | TextState::Submitted | TextState::Returned => state.name(),
        // a text that is public or was: its post is
        TextState::Published | TextState::Replaced => PostState::Published.name(),
    };
    let seal = |state: mj_access::SealState| match state {
        mj_access::SealState::Sealed
        | mj_access::SealState::Replaced
        | mj_access::SealState::Opened => state.name(),
    };
    let named: [(&str, Vec<&str>); 6] = [
        ("emergency", mj_access::SealState::ALL.map(seal).to_vec()),
        ("work_item", State::ALL.map(State::name).to_vec()),
        ("account", [AccountState::Active, AccountState::Disabled].map(account).to_vec()),
        ("session", [Stage::Active, Stage::SecondFactor, Stage::Enrol].map(session).to_vec()),
        (
            "batch",
            [
                BatchState::Received,
                BatchState::Running,
                BatchState::Settled,
                BatchState::Failed,
                BatchState::Cancelled,
            ]
            .map(batch)
            .to_vec(),
        ),
        (
            "post",
            [PostState::Draft, PostState::Published, PostState::Withdrawn]
                .map(post)
                .into_iter()
                .chain([TextState::Draft, TextState::Submitted, TextState::Returned].map(text))
                .chain([TextState::Published, TextState::Replaced].map(text))
                .collect(),
        ),
    ];
    for (name, states) in named {
        let machine = table::machine(name);
        let published = machine.states();
        let missing = states.iter().filter(|state| {
            !published.iter().any(|one| one == *state || one.ends_with(&format!(": {state}")))
        });
        let missing: Vec<_> = missing.collect();
        assert!(
            missing.is_empty(),
            "docs/workflows.md, {name}: {missing:?} stand in the code only"
        );
    }
}

/// Every route that changes something is an act of a machine, or the page says why it is none.
#[tokio::test]
async fn every_route_that_changes_something_is_an_act_or_said_to_be_none() {
    let world = World::new().await;
    let changing = world.web.routes().into_iter().filter(|route| {
        !matches!(route.method, axum::http::Method::GET | axum::http::Method::HEAD)
    });
    let served: BTreeSet<String> =
        changing.map(|route| format!("{} {}", route.method, route.path)).collect();
    let machines = table::published(table::PAGE);
    let acts = machines.iter().flat_map(|machine| &machine.lines);
    let mut said: BTreeSet<String> = acts.filter_map(|line| table::route(&line.act)).collect();
    let none = table::no_acts(table::PAGE);
    let both: Vec<_> = said.intersection(&none).collect();
    assert!(both.is_empty(), "acts, and said to be none: {both:?}");
    said.extend(none);
    let unsaid: Vec<_> = served.difference(&said).collect();
    assert!(unsaid.is_empty(), "docs/workflows.md says nothing of {unsaid:#?}");
    let gone: Vec<_> = said.difference(&served).collect();
    assert!(gone.is_empty(), "docs/workflows.md names routes that are no more: {gone:#?}");
}
