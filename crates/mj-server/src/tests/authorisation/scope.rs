//! No list, count, facet, export or search shows a row outside the caller's scope, and each shows every row
//! inside it: random rows, random grants (areas × agencies × item lines × levels × days), held against a
//! plain filter that this test writes down by itself.

use std::collections::BTreeSet;

use axum::Router;
use axum::http::{Method, StatusCode};
use mj_kernel::{Actor, ActorKind, Role};
use mj_platform::{Act, Lane, Value as Sql, WriteTx};
use mj_testkit::NOW;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::behaviours::Behaviours;
use super::world::{
    World, account, ask, batch_row, item_row, officer_row, party_row, put, session_row, source_row,
};

pub(super) const AREAS: [&str; 9] =
    ["370000", "370400", "370402", "370481", "370402001", "370500", "410000", "410700", "410702"];
pub(super) const AGENCIES: [&str; 4] =
    ["11370400004400001P", "11370400004400002K", "12370400494500012B", "11410700005100004X"];
pub(super) const LINES: [&str; 3] = ["31", "16", "17"];
pub(super) const ROWS: usize = 60;
const TOKEN: &str = "mjs_scope";
const ACTED: &str = "test.scope";
const TODAY: &str = "2026-11-20";

/// A row of any kind, as far as scope is concerned.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) area: Option<&'static str>,
    pub(super) agency: &'static str,
}

/// A grant as drawn.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub(super) role: Role,
    areas: Vec<&'static str>,
    /// `None` is all.
    agencies: Option<Vec<&'static str>>,
    pub(super) lines: Option<Vec<&'static str>>,
    pub(super) level: &'static str,
    days: (&'static str, &'static str),
    revoked: bool,
}

impl Drawn {
    pub(super) fn holds_today(&self) -> bool {
        !self.revoked && self.days.0 <= TODAY && TODAY <= self.days.1
    }

    pub(super) fn has_area(&self, area: Option<&str>) -> bool {
        // written down once more, without the product's own function
        self.areas.iter().any(|own| {
            let stem = own.trim_end_matches("00");
            area.is_some_and(|area| area.starts_with(stem)) || *own == "000000"
        })
    }

    pub(super) fn has_agency(&self, agency: &str) -> bool {
        self.agencies.as_ref().is_none_or(|own| own.contains(&agency))
    }
}

/// How a kind of thing is measured, for each role the test draws.
#[derive(Debug, Clone, Copy)]
enum Measure {
    Area,
    Office,
}

fn sees(grants: &[Drawn], row: &Row, measure: Measure) -> bool {
    grants.iter().filter(|grant| grant.holds_today()).any(|grant| {
        let whole_area = matches!(measure, Measure::Area) || grant.role == Role::RegionLeader;
        // every row here is internal
        grant.level != "public"
            && grant.has_area(row.area)
            && (whole_area || grant.has_agency(row.agency))
    })
}

fn grants() -> impl Strategy<Value = Vec<Drawn>> {
    let some = |of: &'static [&'static str]| {
        prop::option::weighted(0.7, prop::sample::subsequence(of.to_vec(), 0..=of.len()))
    };
    let one = (
        prop::sample::select(vec![Role::Clerk, Role::Supervisor, Role::RegionLeader]),
        prop::sample::subsequence(
            vec!["000000", "370000", "370400", "370402", "370481", "410700"],
            0..3,
        ),
        some(&AGENCIES),
        some(&LINES),
        prop::sample::select(vec!["public", "internal", "internal", "personal"]),
        prop::sample::select(vec![
            ("2020-01-01", "9999-12-31"),
            ("2020-01-01", "9999-12-31"),
            ("2026-11-20", "2026-11-20"),
            ("2026-11-21", "9999-12-31"),
            ("2020-01-01", "2026-11-19"),
        ]),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(role, areas, agencies, lines, level, days, revoked)| Drawn {
            role,
            areas,
            agencies,
            lines,
            level,
            days,
            revoked,
        });
    prop::collection::vec(one, 0..4)
}

pub(super) struct Store {
    world: World,
    router: Router,
    parties: Vec<Row>,
    items: Vec<Row>,
    officers: Vec<Row>,
    batches: Vec<Row>,
    posts: Vec<Row>,
    /// Of the supervision log; an id is its number there.
    entries: Vec<Row>,
    behaviours: Behaviours,
}

pub(super) fn id(kind: &str, number: usize) -> String {
    let digest = super::world::sha256(kind);
    format!("0190{number:04}-0000-7000-8000-{}", &digest[..12])
}

impl Store {
    /// Rows drawn once; the grants change with every case.
    async fn new() -> Self {
        let world = World::new().await;
        let router = crate::modules::web(&world.domains).router(Router::new());
        let mut tx = world.kit.begin().await;
        account(&mut tx, "scope-account", "business", super::world::Relation::Own).await;
        session_row(&mut tx, "scope-session", "scope-account", TOKEN).await;
        agencies(&mut tx).await;
        let mut runner = TestRunner::new(Config::default());
        let mut draw = |kind: &str, unknown: bool| -> Vec<Row> {
            let of_row = (0..AREAS.len(), 0..AGENCIES.len(), prop::bool::weighted(0.05));
            (0..ROWS)
                .map(|number| {
                    let tree = of_row.new_tree(&mut runner).expect("drawn");
                    let (area, agency, nowhere) = tree.current();
                    let area = (!(unknown && nowhere)).then_some(AREAS[area]);
                    Row { id: id(kind, number), area, agency: AGENCIES[agency] }
                })
                .collect()
        };
        let (mut parties, items) = (draw("party", true), draw("item", true));
        let (officers, mut batches) = (draw("officer", false), draw("batch", false));
        let posts = draw("post", false);
        for (number, row) in parties.iter().enumerate() {
            let name = format!("石榴{number:03}号有限公司");
            party_row(&mut tx, &row.id, number, &name, row.area).await;
        }
        for (number, row) in items.iter().enumerate() {
            let title = format!("待办{number:03}");
            item_row(&mut tx, &row.id, &title, row.area, Some(row.agency)).await;
        }
        for (number, row) in officers.iter().enumerate() {
            officer_row(&mut tx, &row.id, number, &name_of(row.agency), row.area).await;
        }
        for (number, row) in batches.iter().enumerate() {
            let (code, area) = (format!("src{number:03}"), row.area.unwrap_or_default());
            source_row(&mut tx, &id("source", number), &code, "某局", row.agency, area).await;
            batch_row(&mut tx, &row.id, &code, "check_action").await;
        }
        for row in &posts {
            let area = row.area.unwrap_or_default();
            super::world::post_row(&mut tx, &row.id, row.agency, area, "account:nobody").await;
        }
        let behaviours = Behaviours::new(&world, &mut tx).await;
        let (acted_on, batch) = behaviours.rows();
        parties.extend(acted_on);
        batches.push(batch);
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
        let entries = entries(&world, &items).await;
        Self { world, router, parties, items, officers, batches, posts, entries, behaviours }
    }

    async fn hold(&self, grants: &[Drawn]) {
        let mut tx = self.world.kit.begin().await;
        tx.execute("DELETE FROM role_grant", &[]).await.expect("none");
        for (number, grant) in grants.iter().enumerate() {
            let list = |all: &[&str]| serde_json::to_string(all).expect("JSON");
            let set = |all: &Option<Vec<&'static str>>| {
                Sql::from(all.as_ref().map_or("*".to_owned(), |all| list(all)))
            };
            put(
                &mut tx,
                "role_grant",
                &[
                    ("id", format!("scope-{number}").into()),
                    ("account_id", "scope-account".into()),
                    ("account_class", "business".into()),
                    ("role", grant.role.name().into()),
                    ("areas", list(&grant.areas).into()),
                    ("agencies", set(&grant.agencies)),
                    ("item_lines", set(&grant.lines)),
                    ("level", grant.level.into()),
                    ("valid_from", grant.days.0.into()),
                    ("valid_to", grant.days.1.into()),
                    ("granted_by", "account:nobody".into()),
                    ("granted_at", NOW.into()),
                    ("revoked_at", i64::from(grant.revoked).into()),
                ],
            )
            .await;
        }
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
    }

    /// The answer as JSON; nothing for whom the action is not at all.
    pub(super) async fn get(&self, path: &str) -> Option<Value> {
        let answer = ask(&self.router, &Method::GET, path, Some(TOKEN), None).await;
        match answer.status {
            StatusCode::OK => Some(serde_json::from_slice(&answer.body).expect("JSON")),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => None,
            other => panic!("{path}: {other} {}", String::from_utf8_lossy(&answer.body)),
        }
    }

    async fn csv(&self, path: &str) -> Option<String> {
        let body = Some("{\"format\":\"csv\"}".to_owned());
        let answer = ask(&self.router, &Method::POST, path, Some(TOKEN), body).await;
        match answer.status {
            StatusCode::OK => Some(String::from_utf8(answer.body.to_vec()).expect("UTF-8")),
            StatusCode::FORBIDDEN => None,
            other => panic!("{path}: {other} {}", String::from_utf8_lossy(&answer.body)),
        }
    }

    /// Everything asked under these grants; how many rows were rightly shown, and how many behaviours.
    async fn holds(&self, grants: &[Drawn]) -> (usize, usize) {
        self.hold(grants).await;
        let mut seen = 0;
        // lists and, of one kind, each object by itself
        for (path, rows, measure) in [
            ("/api/v1/registry/parties?limit=200", &self.parties, Measure::Area),
            ("/api/v1/flow/work-items?state=open&limit=200", &self.items, Measure::Area),
            ("/api/v1/registry/officers?limit=200", &self.officers, Measure::Office),
            ("/api/v1/datahub/batches?limit=200", &self.batches, Measure::Office),
            ("/api/v1/portal/posts?limit=200", &self.posts, Measure::Office),
        ] {
            let shown =
                self.get(path).await.map(|answer| ids(&answer["items"])).unwrap_or_default();
            let right: BTreeSet<String> = rows
                .iter()
                .filter(|row| sees(grants, row, measure))
                .map(|row| row.id.clone())
                .collect();
            assert_eq!(shown, right, "{path} under {grants:#?}");
            seen += right.len();
        }
        let acts = self.behaviours.holds(self, grants).await;
        self.counts(grants).await;
        self.exports_and_search(grants).await;
        seen += self.log(grants).await;
        for (path, rows) in [("flow/work-items", &self.items), ("datahub/batches", &self.batches)] {
            let measure = if path == "flow/work-items" { Measure::Area } else { Measure::Office };
            for row in rows.iter().step_by(17) {
                let there = self.get(&format!("/api/v1/{path}/{}", row.id)).await.is_some();
                assert_eq!(there, sees(grants, row, measure), "{path} {row:?} under {grants:#?}");
            }
        }
        (seen + acts, acts)
    }

    /// The supervision log is a supervisor's, as far as the grant reaches.
    async fn log(&self, grants: &[Drawn]) -> usize {
        let grants: Vec<Drawn> =
            grants.iter().filter(|grant| grant.role == Role::Supervisor).cloned().collect();
        let path = format!("/api/v1/log/entries?limit=200&action={ACTED}");
        let listed = self.get(&path).await.unwrap_or_default();
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        let shown: BTreeSet<String> = items.iter().map(|one| one["seq"].to_string()).collect();
        let right = self.entries.iter().filter(|row| sees(&grants, row, Measure::Office));
        let right: BTreeSet<String> = right.map(|row| row.id.clone()).collect();
        assert_eq!(shown, right, "{path} under {grants:#?}");
        for row in self.entries.iter().step_by(7) {
            let there = self.get(&format!("/api/v1/log/entries/{}", row.id)).await.is_some();
            assert_eq!(there, right.contains(&row.id), "entry {row:?} under {grants:#?}");
        }
        right.len()
    }

    async fn counts(&self, grants: &[Drawn]) {
        let parties = self.parties.iter().filter(|row| sees(grants, row, Measure::Area));
        let placed = parties.filter(|row| row.area.is_some()).count() as u64;
        let facet = self.get("/api/v1/registry/areas").await;
        let facet = facet.map_or(0, |answer| {
            let items = answer["items"].as_array().cloned().unwrap_or_default();
            items.iter().filter_map(|one| one["parties"].as_u64()).sum()
        });
        assert_eq!(facet, placed, "areas under {grants:#?}");
        let work = self.items.iter().filter(|row| sees(grants, row, Measure::Area)).count() as u64;
        let home = self.get("/api/v1/home").await.unwrap_or_default();
        assert_eq!(home["work"]["open"].as_u64().unwrap_or(0), work, "home under {grants:#?}");
        let officers =
            self.officers.iter().filter(|row| sees(grants, row, Measure::Office)).count() as u64;
        let summary = self.get("/api/v1/registry/officers/summary").await.unwrap_or_default();
        let told = summary["in_force"].as_u64().unwrap_or(0);
        assert_eq!(told, officers, "officers' summary under {grants:#?}");
        let batches = self.batches.iter().filter(|row| sees(grants, row, Measure::Office)).count();
        let summary = self.get("/api/v1/datahub/sources").await.unwrap_or_default();
        let sources = summary["items"].as_array().map_or(0, Vec::len);
        assert_eq!(sources, batches, "sources under {grants:#?}");
    }

    async fn exports_and_search(&self, grants: &[Drawn]) {
        for (path, rows, word, measure) in [
            ("/api/v1/registry/parties/export", &self.parties, "石榴", Measure::Area),
            ("/api/v1/flow/work-items/export", &self.items, "待办", Measure::Area),
        ] {
            // every drawing on a day of its own: one account takes only so much away on one
            let days = "UPDATE data_export SET at = at - 86400000000";
            self.world.kit.db().statement(days).await.expect("a day later");
            let text = self.csv(path).await.unwrap_or_default();
            for (number, row) in rows.iter().enumerate() {
                let there = text.contains(&format!("{word}{number:03}"));
                assert_eq!(there, sees(grants, row, measure), "{path} {row:?} under {grants:#?}");
            }
        }
        for number in [3, 21, 42] {
            let q: String =
                format!("石榴{number:03}").bytes().map(|byte| format!("%{byte:02X}")).collect();
            let found = self.get(&format!("/api/v1/search#{q}")).await.unwrap_or_default();
            let there = found["groups"]
                .as_array()
                .is_some_and(|groups| groups.iter().any(|group| group["kind"] == "party"));
            let row = &self.parties[number];
            assert_eq!(there, sees(grants, row, Measure::Area), "search {row:?} under {grants:#?}");
        }
    }
}

async fn agencies(tx: &mut WriteTx) {
    for (number, uscc) in AGENCIES.iter().enumerate() {
        put(
            tx,
            "agency",
            &[
                ("id", id("agency", number).into()),
                ("uscc", (*uscc).into()),
                ("name", name_of(uscc).into()),
                ("short_name", "局".into()),
                ("area_number", "370400".into()),
                ("line", "31".into()),
                ("nature", "1".into()),
                ("valid_from", "2019-01-01".into()),
                ("valid_to", "9999-12-31".into()),
            ],
        )
        .await;
    }
}

/// Acts about some of the to-dos, by the house and by people of any office, and acts about nothing that has
/// a place, which belong to the office of who acted.
async fn entries(world: &World, items: &[Row]) -> Vec<Row> {
    let mut rows = Vec::new();
    for number in 0..40 {
        let agency = AGENCIES[number % AGENCIES.len()];
        let account_id = format!("scope-actor-{}", number % AGENCIES.len());
        if number < AGENCIES.len() {
            let mut tx = world.kit.begin().await;
            let office = super::world::Relation::ALL.into_iter().find(|one| one.agency() == agency);
            account(&mut tx, &account_id, "business", office.expect("an office")).await;
            tx.note().await.expect("noted");
            tx.commit().await.expect("committed");
        }
        let person = Actor { kind: ActorKind::Person { account_id }, grants: Vec::new() };
        let item = &items[number];
        let (actor, object, row) = match number % 3 {
            0 => (Actor::system("flow"), format!("work_item:{}", item.id), item.clone()),
            // of an item without a place, the place is the office's
            1 => {
                let area = item.area.or(Some("370400"));
                (person, format!("work_item:{}", item.id), Row { area, ..item.clone() })
            }
            _ => {
                let row = Row { id: String::new(), area: Some("370400"), agency };
                (person, "session".to_owned(), row)
            }
        };
        let act = Act::new(&actor, ACTED, object).because("核对");
        let mut tx = world.kit.db().begin(Lane::People, act).await.expect("a transaction");
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
        let sql = "SELECT MAX(log_seq) FROM act_journal";
        let seq = world.kit.db().count(sql, &[]).await.expect("counted");
        rows.push(Row { id: seq.to_string(), ..row });
    }
    rows
}

fn name_of(uscc: &str) -> String {
    format!("{uscc}监督管理局")
}

pub(super) fn ids(items: &Value) -> BTreeSet<String> {
    let items = items.as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn every_list_count_export_and_search_is_what_a_plain_filter_says() {
    let store = Store::new().await;
    let cases = if std::env::var_os("MJ_LONG").is_some() { 10_000 } else { 120 };
    let mut runner = TestRunner::new(Config::default());
    let drawn = grants();
    let (mut shown, mut rows, mut acts) = (0, 0, 0);
    for _ in 0..cases {
        let grants = drawn.new_tree(&mut runner).expect("drawn").current();
        let (seen, of_parties) = store.holds(&grants).await;
        (shown, rows, acts) = (shown + usize::from(seen > 0), rows + seen, acts + of_parties);
    }
    // drawn anew each time: about three of ten show something
    assert!(shown > cases / 8, "only {shown} of {cases} cases showed anything");
    assert!(acts > cases, "only {acts} behaviours were shown");
    println!("scope: {cases} cases, {rows} rows shown ({acts} behaviours), 0 differences");
}
