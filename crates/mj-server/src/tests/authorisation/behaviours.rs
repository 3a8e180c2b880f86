//! What was done to parties, as far as scope is concerned: behaviours carry the codes of their items, so a grant's
//! item lines count in timelines, counts and figures; a mapping carries one too.

use std::collections::BTreeSet;

use mj_facts::{FactIn, Op};
use mj_kernel::Role;
use mj_platform::WriteTx;

use crate::modules::table_specs;

use super::scope::{AGENCIES, AREAS, Drawn, LINES, ROWS, Row, Store, id};
use super::world::{World, put, sha256, source_row};

/// How many behaviours; every fourth is a joint one of two lines.
const ACTS: usize = 80;
const PARTIES: usize = 8;
const TABLES: [(&str, &str, &str); 2] = [
    ("check_action", "supervise_item_implement_code", "check_action_name"),
    ("punish_action", "supervise_item_code", "punish_action_name"),
];
/// 2026-06-01 and the days after it, days since 1970-01-01.
const FIRST_DAY: i32 = 20_605;

/// A behaviour as drawn.
#[derive(Debug, Clone)]
pub struct Deed {
    name: String,
    table: usize,
    party: usize,
    area: &'static str,
    agency: &'static str,
    lines: Vec<&'static str>,
}

/// A mapping of a source's own code.
#[derive(Debug, Clone)]
pub struct Mapped {
    id: String,
    line: &'static str,
}

pub struct Behaviours {
    parties: Vec<(String, &'static str)>,
    deeds: Vec<Deed>,
    source: (&'static str, &'static str),
    mappings: Vec<Mapped>,
}

impl Drawn {
    fn has_line(&self, lines: &[&str]) -> bool {
        self.lines.as_ref().is_none_or(|own| lines.iter().any(|line| own.contains(line)))
    }

    fn is_of_use(&self) -> bool {
        self.holds_today() && self.level != "public"
    }
}

impl Deed {
    /// On a party's record whoever shares the area may look; the item must be theirs.
    fn on_record(&self, grants: &[Drawn]) -> bool {
        grants.iter().any(|grant| {
            grant.is_of_use() && grant.has_area(Some(self.area)) && grant.has_line(&self.lines)
        })
    }

    /// In figures the office counts too, but for the leader of an area.
    fn in_figures(&self, grants: &[Drawn]) -> bool {
        grants.iter().any(|grant| {
            grant.is_of_use()
                && grant.has_area(Some(self.area))
                && (grant.role == Role::RegionLeader || grant.has_agency(self.agency))
                && grant.has_line(&self.lines)
        })
    }
}

impl Behaviours {
    /// Rows by arithmetic rather than by chance: every area meets every agency and line.
    pub async fn new(world: &World, tx: &mut WriteTx) -> Self {
        let parties: Vec<(String, &'static str)> =
            (0..PARTIES).map(|number| (id("acted", number), AREAS[number % AREAS.len()])).collect();
        for (number, (party, area)) in parties.iter().enumerate() {
            let name = format!("石榴{:03}号有限公司", ROWS + number);
            super::world::party_row(tx, party, 5_000 + number, &name, Some(area)).await;
            mention(tx, party, number, &name, area).await;
        }
        let source = (AREAS[2], AGENCIES[1]);
        source_row(tx, &id("source", 900), "src900", "某局", source.1, source.0).await;
        super::world::batch_row(tx, &id("batch", 900), "src900", "check_action").await;
        let deeds: Vec<Deed> = (0..ACTS)
            .map(|number| {
                let first = LINES[number % LINES.len()];
                let mut lines = vec![first];
                if number % 4 == 3 {
                    lines.push(LINES[(number + 1) % LINES.len()]);
                }
                Deed {
                    name: format!("行为{number:03}"),
                    table: number % TABLES.len(),
                    party: number % PARTIES,
                    area: AREAS[number / 3 % AREAS.len()],
                    agency: AGENCIES[number / 5 % AGENCIES.len()],
                    lines,
                }
            })
            .collect();
        for (number, deed) in deeds.iter().enumerate() {
            append(world, tx, number, deed).await;
        }
        let mappings: Vec<Mapped> = (0..LINES.len() * 2)
            .map(|number| Mapped { id: id("mapped", number), line: LINES[number % LINES.len()] })
            .collect();
        for (number, mapping) in mappings.iter().enumerate() {
            put(
                tx,
                "catalog_mapping",
                &[
                    ("id", mapping.id.as_str().into()),
                    ("cd_source", "src900".into()),
                    ("local_code", format!("L-{number}").into()),
                    ("item_code", item_of(mapping.line).into()),
                    ("valid_from", "2020-01-01".into()),
                    ("valid_to", "9999-12-31".into()),
                ],
            )
            .await;
        }
        Self { parties, deeds, source, mappings }
    }

    /// The parties and the batch, for those who ask for lists of them.
    pub fn rows(&self) -> (Vec<Row>, Row) {
        let agency = self.source.1;
        let party =
            |(id, area): &(String, &'static str)| Row { id: id.clone(), area: Some(area), agency };
        let batch = Row { id: id("batch", 900), area: Some(self.source.0), agency };
        (self.parties.iter().map(party).collect(), batch)
    }

    /// Asks for everything under these grants; how many behaviours were rightly shown.
    pub async fn holds(&self, store: &Store, grants: &[Drawn]) -> usize {
        let mut seen = 0;
        let list = store.get("/api/v1/registry/parties?limit=200").await.unwrap_or_default();
        for (number, (party, _)) in self.parties.iter().enumerate() {
            let of_party = self.deeds.iter().filter(|deed| deed.party == number);
            let right: BTreeSet<String> = of_party
                .filter(|deed| deed.on_record(grants))
                .map(|deed| deed.name.clone())
                .collect();
            let hits = list["items"].as_array();
            let hit = hits.and_then(|all| all.iter().find(|one| one["id"] == party.as_str()));
            // whose area a party is not in does not meet it at all
            let Some(hit) = hit else { continue };
            assert_eq!(hit["act_count"], right.len(), "{party} under {grants:#?}");
            let path = format!("/api/v1/registry/parties/{party}/timeline?limit=200");
            let told = store.get(&path).await.expect("a party of the list opens");
            let told: BTreeSet<String> = told["items"]
                .as_array()
                .expect("items")
                .iter()
                .filter_map(|one| one["title"].as_str().map(str::to_owned))
                .collect();
            assert_eq!(told, right, "{path} under {grants:#?}");
            seen += right.len();
        }
        self.figures(store, grants).await;
        self.mappings(store, grants).await;
        seen
    }

    async fn figures(&self, store: &Store, grants: &[Drawn]) {
        let right = self.deeds.iter().filter(|deed| deed.in_figures(grants)).count();
        let days = "from=2026-01-01&to=2026-11-20";
        let path = format!("/api/v1/evaluation/indicators/B01/rows?{days}&limit=200");
        let rows = store.get(&path).await.unwrap_or_default();
        assert_eq!(rows["total"].as_u64().unwrap_or(0), right as u64, "{path} under {grants:#?}");
        let listed = rows["items"].as_array().map_or(0, Vec::len);
        assert_eq!(listed, right, "{path} under {grants:#?}");
        let path = format!("/api/v1/evaluation/overview?{days}");
        let page = store.get(&path).await.unwrap_or_default();
        let figure =
            page["figures"].as_array().and_then(|all| all.iter().find(|one| one["id"] == "B01"));
        let told = figure.and_then(|one| one["numerator"].as_i64()).unwrap_or(0);
        assert_eq!(told, right as i64, "{path}: {figure:?} under {grants:#?}");
    }

    async fn mappings(&self, store: &Store, grants: &[Drawn]) {
        let answer = store.get("/api/v1/catalog/mappings?cd_source=src900&limit=200").await;
        let shown = answer.map(|answer| super::scope::ids(&answer["items"])).unwrap_or_default();
        let sees = |mapping: &Mapped| {
            grants.iter().any(|grant| {
                grant.is_of_use()
                    && grant.has_area(Some(self.source.0))
                    && (grant.role == Role::RegionLeader || grant.has_agency(self.source.1))
                    && grant.has_line(&[mapping.line])
            })
        };
        let right: BTreeSet<String> =
            self.mappings.iter().filter(|one| sees(one)).map(|one| one.id.clone()).collect();
        assert_eq!(shown, right, "mappings under {grants:#?}");
    }
}

fn item_of(line: &str) -> String {
    format!("{line}010001000001")
}

async fn append(world: &World, tx: &mut WriteTx, number: usize, deed: &Deed) {
    let (table, items, title) = TABLES[deed.table];
    let spec = table_specs().into_iter().find(|spec| spec.name == table).expect("in the standard");
    let codes: Vec<String> = deed.lines.iter().map(|line| item_of(line)).collect();
    let values: Vec<Option<String>> = spec
        .columns
        .iter()
        .map(|column| match column.name.as_str() {
            name if name == items => Some(codes.join(";")),
            name if name == title => Some(deed.name.clone()),
            _ => None,
        })
        .collect();
    let fact = FactIn {
        cd_source: "src900",
        cd_id: &format!("d{number}"),
        cd_time: number as i64,
        op: Op::Upsert,
        mention: Some(deed.party as i64 + 1),
        business_key: None,
        content: number as u128 + 1,
        area: Some(deed.area),
        agency: Some(deed.agency),
        event_date: Some(FIRST_DAY + number as i32),
        values: &values,
        norm: None,
        row: number as u32 + 1,
    };
    world.domains.facts.append(&spec, &id("batch", 900), &[fact], tx).await.expect("appended");
}

async fn mention(tx: &mut WriteTx, party: &str, number: usize, name: &str, area: &str) {
    put(
        tx,
        "mention",
        &[
            ("id", id("mention", number).into()),
            ("number", (number as i64 + 1).into()),
            ("wording", sha256(name).into_bytes().into()),
            ("kind", "1".into()),
            ("name", name.into()),
            ("area_number", area.into()),
            ("tier", "name".into()),
            ("anchor", format!("test:mention{number}").into()),
            ("block", 0_i64.into()),
            ("party_id", party.into()),
            ("link_rule", "itself".into()),
            ("score", 0_i64.into()),
            ("explain", "{}".into()),
        ],
    )
    .await;
}
