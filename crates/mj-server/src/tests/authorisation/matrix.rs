//! All routes × all columns × {mine, own, sibling, parent, child, foreign} × {existing, missing}, asked over
//! HTTP and held against the checked-in table `matrix.tsv`. `MJ_WRITE_MATRIX=1` writes it anew: read the
//! difference before committing it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::Method;
use mj_kernel::Role;
use mj_web::{
    Allowance, Authority, BoxFuture, Decision, Fields, Identity, Mask, Problem, Refusal, Resource,
    Web, Why,
};

use super::world::{Answer, Hat, Relation, World, ask};
use crate::modules::parts;

const WRITE: &str = "MJ_WRITE_MATRIX";
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/authorisation/matrix.tsv");

/// One way to ask a route.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) template: &'static str,
    pub(super) path: &'static str,
    pub(super) body: Option<&'static str>,
}

pub(super) fn asked() -> Vec<Asked> {
    let lines = include_str!("routes.txt").lines();
    lines
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let parts: Vec<&str> = line.split('\t').collect();
            let [route, path, body] = parts[..] else { panic!("three columns: {line}") };
            let (method, template) = route.split_once(' ').expect("a method and a template");
            let method = method.parse().expect("a method");
            Asked { method, template, path, body: (body != "-").then_some(body) }
        })
        .collect()
}

/// Which thing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    /// The route names none.
    Nothing,
    /// The caller's own: its post, its session.
    Mine,
    Of(Relation),
    Missing,
}

impl Thing {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "-",
            Self::Mine => "mine",
            Self::Of(relation) => relation.name(),
            Self::Missing => "missing",
        }
    }
}

impl Asked {
    fn has(&self, word: &str) -> bool {
        self.path.contains(word) || self.body.is_some_and(|body| body.contains(word))
    }

    fn things(&self) -> Vec<Thing> {
        if !self.has("$") {
            return vec![Thing::Nothing];
        }
        let mut things: Vec<Thing> = Relation::ALL.into_iter().map(Thing::Of).collect();
        if self.has("$post") || self.has("$session") {
            things.insert(0, Thing::Mine);
        }
        things.push(Thing::Missing);
        things
    }
}

/// Puts what the words stand for.
pub(super) fn filled(text: &str, hat: Hat, thing: Thing) -> String {
    const NOTHING: &str = "01900000-0000-7000-8999-000000000000";
    let mut text = text.to_owned();
    let office = match thing {
        Thing::Of(relation) => Some(relation),
        Thing::Mine => Some(Relation::Own),
        _ => None,
    };
    let number = office.map_or(999, |relation| relation as usize + 1);
    let known = |f: fn(Relation) -> String, none: &str| office.map_or(none.to_owned(), f);
    for (word, value) in [
        ("$agencyid", known(|one| one.id("agency"), NOTHING)),
        ("$agency", known(|one| one.agency().to_owned(), "11370400004409999X")),
        ("$area", known(|one| one.area().to_owned(), "999999")),
        ("$source", known(Relation::source, "src_none")),
        ("$register", format!("P990000-{number:09}")),
        ("$certificate", format!("1504{number:07}")),
        ("$entry", office.map_or(9_999, Relation::entry).to_string()),
    ] {
        text = text.replace(word, &value);
    }
    if thing == Thing::Mine {
        text = text.replace("$post", &format!("post-{}", hat.account()));
        text = text.replace("$session", &format!("mine-{}", hat.account()));
    }
    for kind in [
        "account", "export", "request", "unlock", "grant", "session", "batch", "repair", "mapping",
        "work", "post", "party", "merge", "officer", "wording",
    ] {
        let value = office.map_or(NOTHING.to_owned(), |one| one.id(kind));
        text = text.replace(&format!("${kind}"), &value);
    }
    text
}

/// What came back, in one word; what is listed, by the letters of the offices named in it.
pub(super) fn outcome(thing: Thing, answer: &Answer) -> String {
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = problem["code"].as_str().unwrap_or_default();
    let word = match (answer.status.as_u16(), code) {
        (500.., _) => "5xx",
        (_, "access.session_required") => "login",
        (_, "access.denied") => "no",
        (_, "access.step_up_required") => "again",
        (_, "access.second_person_required") => "second",
        (404, _) => "404",
        _ => "ok",
    };
    if word != "ok" || thing != Thing::Nothing || !answer.status.is_success() {
        return word.to_owned();
    }
    let text = String::from_utf8_lossy(&answer.body);
    let named = |one: &Relation| text.contains(one.word()) || text.contains(&one.source());
    let letters: String =
        Relation::ALL.iter().filter(|one| named(one)).map(|one| one.letter()).collect();
    if letters.is_empty() { "ok".to_owned() } else { format!("ok:{letters}") }
}

/// Real identities, another decision.
struct Instead {
    real: mj_access::Access,
    decision: Decision,
}

impl Authority for Instead {
    fn identify<'a>(
        &'a self,
        request: &'a axum::http::request::Parts,
    ) -> BoxFuture<'a, Result<Identity, Problem>> {
        self.real.identify(request)
    }

    fn decide(&self, _: &Identity, _: &str, _: Option<&Resource>) -> Decision {
        self.decision.clone()
    }
}

/// The real authority, and what it was told of refusals.
struct Overheard {
    real: mj_access::Access,
    refusals: Mutex<Vec<Refusal>>,
}

impl Authority for Overheard {
    fn identify<'a>(
        &'a self,
        request: &'a axum::http::request::Parts,
    ) -> BoxFuture<'a, Result<Identity, Problem>> {
        self.real.identify(request)
    }

    fn decide(&self, who: &Identity, action: &str, resource: Option<&Resource>) -> Decision {
        self.real.decide(who, action, resource)
    }

    fn held_back(&self, who: &Identity, action: &str, on: Option<&Resource>) -> Option<Problem> {
        self.real.held_back(who, action, on)
    }

    fn refused(&self, refusal: Refusal) -> BoxFuture<'_, ()> {
        self.refusals.lock().expect("whole").push(refusal.clone());
        self.real.refused(refusal)
    }

    fn names<'a>(
        &'a self,
        references: &'a [String],
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, Problem>> {
        self.real.names(references)
    }
}

impl Overheard {
    /// Whether what was put on record fits the answer somebody got.
    fn fits(&self, hat: Hat, asked: &Asked, word: &str) -> bool {
        let heard = std::mem::take(&mut *self.refusals.lock().expect("whole"));
        let whys: Vec<Why> = heard.iter().map(|one| one.why).collect();
        let known = !matches!(hat, Hat::Anonymous | Hat::Role(Role::Anonymous));
        let not_shown = |why: &Why| [Why::OutOfScope, Why::NotThere].contains(why);
        match word {
            "no" => known && whys == [Why::Denied],
            // pages for the public say themselves that there is no such page
            "404" if known && asked.template.starts_with("/api/") => {
                whys.len() == 1 && whys.iter().all(not_shown)
            }
            // each line of an answer about many things is a refusal of its own
            "ok" if asked.template.contains("/bulk/") => whys.iter().all(not_shown),
            // no body that says why
            "ok" if asked.method == Method::HEAD => whys.iter().all(|why| *why == Why::Denied),
            "ok" => whys.iter().all(|why| *why == Why::Barred),
            _ => whys.is_empty(),
        }
    }
}

/// The whole table as it is: one line a route and group of things with equal answers.
async fn table(router: &Router, only: Option<usize>, overheard: Option<&Overheard>) -> String {
    let mut unheard = Vec::new();
    let hats = Hat::all();
    let mut lines = vec![
        "# What every route answers, asked over HTTP. Written by MJ_WRITE_MATRIX=1 cargo test -p mj-server".to_owned(),
        "# --bin mingjian the_whole_matrix; the test compares. ok = let in (:OSPCF = what of own, sibling, parent,".to_owned(),
        "# child, foreign office is shown) · 404 as if missing · no = refused · login = sign in · again = password".to_owned(),
        "# again · second = another person. Callers hold their role for own office alone, with a fresh password.".to_owned(),
        format!("route\tof\t{}", hats.iter().map(|hat| hat.name()).collect::<Vec<_>>().join("\t")),
    ];
    // what ends a caller's own session or token comes last
    let mut routes = asked();
    routes.sort_by_key(|one| {
        let own_session =
            one.method == Method::DELETE && one.template.ends_with("sessions/current");
        let last = own_session || one.template.contains("{cd_source}/token");
        // two holders have a session of their own kind, which ends nobody else's
        (last, one.template == "/api/v1/sessions/current")
    });
    if let Some(every) = only {
        let mut at = 0;
        routes.retain(|_| {
            at += 1;
            at % every == 0
        });
    }
    for one in &routes {
        let mut rows: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
        for thing in one.things() {
            let mut cells = Vec::new();
            for hat in &hats {
                let path = filled(one.path, *hat, thing);
                let body = one.body.map(|body| filled(body, *hat, thing));
                let token = hat.token();
                let answer = ask(router, &one.method, &path, token.as_deref(), body).await;
                let word = outcome(thing, &answer);
                let told = word.split(':').next().unwrap_or_default();
                if overheard.is_some_and(|house| !house.fits(*hat, one, told)) {
                    unheard.push(format!("{} {path} {hat:?}: {word}", one.method));
                }
                cells.push(word);
            }
            match rows.iter_mut().find(|(_, known)| *known == cells && thing != Thing::Missing) {
                Some((names, _)) => names.push(thing.name()),
                None => rows.push((vec![thing.name()], cells)),
            }
        }
        for (names, cells) in rows {
            let of = names.join(",");
            lines.push(format!("{} {}\t{of}\t{}", one.method, one.template, cells.join("\t")));
        }
    }
    assert!(unheard.is_empty(), "answered otherwise than put on record:\n{}", unheard.join("\n"));
    lines.join("\n") + "\n"
}

fn under(world: &World, decision: Decision) -> Router {
    let real = world.domains.access.clone();
    let instead = Arc::new(Instead { real, decision });
    Web::new(instead, parts(&world.domains)).router(Router::new())
}

#[tokio::test]
async fn every_route_says_how_it_is_asked() {
    let world = World::new().await;
    let known: BTreeSet<String> =
        asked().iter().map(|one| format!("{} {}", one.method, one.template)).collect();
    let served: BTreeSet<String> =
        world.web.routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let missing: Vec<_> = served.difference(&known).collect();
    assert!(
        missing.is_empty(),
        "src/tests/authorisation/routes.txt does not say how to ask {missing:?}"
    );
    let gone: Vec<_> = known.difference(&served).collect();
    assert!(
        gone.is_empty(),
        "src/tests/authorisation/routes.txt asks routes that are no more: {gone:?}"
    );
    assert_eq!(known.len(), asked().len(), "a route stands twice");
}

#[tokio::test]
async fn the_whole_matrix_is_the_one_that_was_read_and_checked_in() {
    let world = World::new().await;
    world.stand().await;
    // every refusal in the table goes past the record, or this fails
    let real = world.domains.access.clone();
    let overheard = Arc::new(Overheard { real, refusals: Mutex::default() });
    let router = Web::new(overheard.clone(), parts(&world.domains)).router(Router::new());
    let found = table(&router, None, Some(&overheard)).await;
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(TABLE, &found).expect("the table is written");
    }
    let kept = std::fs::read_to_string(TABLE).unwrap_or_default();
    let by_row = |text: &str| -> BTreeMap<String, String> {
        let row = |line: &str| {
            let mut parts = line.splitn(3, '\t');
            let name =
                [parts.next().unwrap_or_default(), parts.next().unwrap_or_default()].join(" of ");
            (name, parts.next().unwrap_or_default().to_owned())
        };
        text.lines().filter(|line| !line.starts_with('#')).map(row).collect()
    };
    let broken: Vec<&str> = found.lines().filter(|line| line.contains("5xx")).collect();
    assert!(broken.is_empty(), "the house broke:\n{}", broken.join("\n"));
    let (found, kept) = (by_row(&found), by_row(&kept));
    let mut differ = Vec::new();
    for name in found.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
        if found.get(name) != kept.get(name) {
            differ.push(format!(
                "{name}\n  kept  {:?}\n  found {:?}",
                kept.get(name),
                found.get(name)
            ));
        }
    }
    assert!(differ.is_empty(), "{WRITE}=1 writes it anew; read first:\n{}", differ.join("\n"));
}

/// Of every route asked, two holders with the sealed code get what anybody gets, but for the four that bring
/// administrators back: nothing of the log, of keys, of business data, of accounts at large.
#[test]
fn an_emergency_opens_its_own_four_routes_and_no_other() {
    let kept = std::fs::read_to_string(TABLE).expect("the table");
    let mut rows = kept.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        cells
    });
    let head = rows.next().expect("a head");
    let at = |name: &str| head.iter().position(|cell| *cell == name).expect("a column");
    let (anybody, holders) = (at("anonymous"), at("emergency"));
    let mut routes = BTreeSet::new();
    let mut more = BTreeSet::new();
    for cells in rows {
        routes.insert(cells[0].to_owned());
        let shut = |cell: &str| ["login", "no"].contains(&cell);
        if cells[anybody] != cells[holders] && !(shut(cells[anybody]) && shut(cells[holders])) {
            more.insert(cells[0].to_owned());
        }
    }
    let own = "/api/v1/emergency-sessions/current";
    let expected = [
        format!("DELETE {own}"),
        format!("GET {own}"),
        format!("POST {own}/administrators/{{id}}/recover"),
        format!("POST {own}/administrators/{{id}}/unlock"),
    ];
    assert_eq!(more, BTreeSet::from(expected));
    for word in ["/log/", "/access/", "/datahub/", "/registry/", "/exports/", "/reveals/"] {
        assert!(routes.iter().any(|route| route.contains(word)), "{word} was asked");
    }
}

#[tokio::test]
async fn a_house_that_always_allows_or_always_denies_gives_another_table() {
    let kept = std::fs::read_to_string(TABLE).expect("the table");
    let kept: BTreeSet<&str> = kept.lines().collect();
    let everything = Allowance {
        scopes: vec![mj_kernel::Scope::everything(mj_kernel::DataLevel::Personal)],
        mask: Mask::Clear,
        fields: Fields::All,
    };
    for decision in [Decision::Allow(everything), Decision::Deny] {
        let world = World::new().await;
        world.stand().await;
        // every seventh route is enough to see it
        let found = table(&under(&world, decision.clone()), Some(7), None).await;
        let strange = found.lines().filter(|line| !kept.contains(line)).count();
        assert!(strange > 15, "{decision:?}: only {strange} lines differ");
    }
}
