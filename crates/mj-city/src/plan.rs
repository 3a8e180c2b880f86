//! Which files there are, in which order they are delivered, and who delivers them.

use std::path::Path;

use mj_standard::Standard;

use crate::agencies::{Setup, source_of, sources};
use crate::behaviours::Acts;
use crate::delivery::{About, Delivery, FilePlan};
use crate::dice::Dice;
use crate::faults::Outside;
use crate::manifest::Manifest;
use crate::parties::{
    EnterpriseColumns, IndividualColumns, Numbers, OrganisationColumns, PartyKind, enterprise_row,
    individual_row, organisation_row,
};
use crate::places::{CITY, CITY_NAME, TENGZHOU};
use crate::sink::Shape;
use crate::world::World;
use crate::{CityError, Size, as_of, reference};

/// How a file looks: shape, Chinese titles, envelope, submitted columns.
type Look = (Shape, bool, bool, bool);

const UTF8: Look = (Shape::CsvUtf8, true, false, false);
const BOM: Look = (Shape::CsvBom, true, false, true);
const GB: Look = (Shape::CsvGb18030, true, false, true);
const SHEET: Look = (Shape::Xlsx, true, false, false);
const PLAIN: Look = (Shape::CsvUtf8, false, false, false);
const SYSTEM: Look = (Shape::CsvUtf8, false, true, true);
const SYSTEM_TITLES: Look = (Shape::CsvBom, true, true, true);
const LINES_OF_JSON: Look = (Shape::Jsonl, false, true, true);

/// One file of acts: line (or the whole of 滕州), number within the line, look, rows in the full city, backlog.
struct ActFile(&'static str, u32, Look, usize, bool);

const CHECKS: &[ActFile] = &[
    ActFile("31", 1, BOM, 22_000, true),
    ActFile("31", 2, GB, 20_000, true),
    ActFile("31", 3, SYSTEM, 14_000, false),
    ActFile("滕州", 1, LINES_OF_JSON, 24_000, true),
    ActFile("滕州", 2, SYSTEM_TITLES, 16_000, false),
    ActFile("25", 1, GB, 18_000, true),
    ActFile("23", 1, SHEET, 12_000, true),
    ActFile("20", 1, PLAIN, 12_000, true),
    ActFile("18", 1, GB, 11_000, true),
    ActFile("16", 1, LINES_OF_JSON, 8_000, false),
    ActFile("17", 1, UTF8, 6_000, true),
    ActFile("22", 1, SHEET, 3_000, true),
    ActFile("15", 1, UTF8, 1_500, true),
    ActFile("05", 1, PLAIN, 500, true),
];

const PUNISHMENTS: &[ActFile] = &[
    ActFile("31", 1, BOM, 7_000, true),
    ActFile("滕州", 1, LINES_OF_JSON, 4_000, true),
    ActFile("25", 1, GB, 2_000, true),
    ActFile("16", 1, SYSTEM, 1_500, true),
    ActFile("23", 1, SHEET, 1_500, true),
];

const MEASURES: &[ActFile] = &[
    ActFile("31", 1, UTF8, 2_000, true),
    ActFile("滕州", 1, SYSTEM_TITLES, 1_000, true),
    ActFile("25", 1, GB, 600, true),
    ActFile("16", 1, SHEET, 400, true),
];

const OTHERS: &[ActFile] = &[
    ActFile("31", 1, GB, 5_000, true),
    ActFile("滕州", 1, LINES_OF_JSON, 3_000, true),
    ActFile("25", 1, PLAIN, 2_000, true),
    ActFile("20", 1, SHEET, 1_000, true),
    ActFile("17", 1, UTF8, 1_000, true),
];

/// Looks of the registers of the seven places, in their order.
const REGISTER_LOOKS: [Look; 7] = [UTF8, GB, SHEET, PLAIN, GB, SYSTEM_TITLES, LINES_OF_JSON];

impl ActFile {
    fn plan(&self, word: &str, size: Size) -> FilePlan {
        let &ActFile(line, nth, look, rows, backlog) = self;
        let source = if line == "滕州" { TENGZHOU.to_owned() } else { source_of(line) };
        file(&format!("{word}_{source}_{nth}"), &source, look, size.scale(rows), backlog)
    }

    fn bodies(&self, world: &World) -> Vec<(usize, u32)> {
        match self.0 {
            "滕州" => world.inspectors(None, Some(TENGZHOU), None),
            line => world.inspectors(Some(line), None, Some(TENGZHOU)),
        }
    }
}

fn file(stem: &str, source: &str, look: Look, rows: usize, backlog: bool) -> FilePlan {
    let (shape, titles, envelope, submitted) = look;
    FilePlan {
        name: format!("{stem}.{}", shape.format()),
        source: source.to_owned(),
        shape,
        titles,
        envelope,
        submitted,
        backlog,
        rows,
    }
}

/// Everything a part of the city needs to write its files.
struct Office<'a> {
    dir: &'a Path,
    size: Size,
    seed: u64,
    manifest: Manifest,
}

impl Office<'_> {
    fn deliver<'a>(
        &'a mut self,
        table: &str,
        plans: Vec<FilePlan>,
        outside: &'a Outside,
    ) -> Result<Delivery<'a>, CityError> {
        Delivery::new(self.dir, table, plans, self.seed, as_of(), outside, &mut self.manifest)
    }
}

/// The city with its catalogue, bodies and officers, whose files are written; nothing else is.
pub(crate) fn reference_world(dir: &Path, size: Size, seed: u64) -> Result<World, CityError> {
    std::fs::create_dir_all(dir)?;
    let (mut office, mut world) = begin(dir, size, seed)?;
    write_reference(&mut office, &mut world)?;
    Ok(world)
}

fn begin(dir: &Path, size: Size, seed: u64) -> Result<(Office<'_>, World), CityError> {
    let numbers = Numbers {
        enterprises: size.scale(12_000),
        individuals: size.scale(8_500),
        organisations: size.scale(1_500),
        persons: size.scale(800),
    };
    let world = World::new(seed, &numbers, as_of())?;
    let office = Office {
        dir,
        size,
        seed,
        manifest: Manifest {
            city: CITY_NAME.to_owned(),
            area_number: CITY.to_owned(),
            standard_version: Standard::v1().version().to_owned(),
            seed,
            size: size.name().to_owned(),
            as_of: as_of().to_string(),
            files: Vec::new(),
            totals: Vec::new(),
            faults: Vec::new(),
            links: Vec::new(),
        },
    };
    Ok((office, world))
}

pub(crate) fn write(dir: &Path, size: Size, seed: u64) -> Result<(Manifest, Setup), CityError> {
    let (mut office, mut world) = begin(dir, size, seed)?;
    write_reference(&mut office, &mut world)?;
    write_parties(&mut office, &world)?;
    write_plans_and_credit(&mut office, &world)?;
    write_acts(&mut office, &world)?;
    let mut manifest = office.manifest;
    manifest.count();
    let sources = sources(&world.agencies);
    Ok((manifest, Setup { agencies: world.agencies, sources }))
}

fn write_reference(office: &mut Office, world: &mut World) -> Result<(), CityError> {
    let none = Outside::default();
    // rows are counted by the catalogue itself; the number given here only spreads faults
    let mut delivery = office.deliver(
        "supervise_item",
        vec![file("01_监管事项目录", CITY, UTF8, 1, true)],
        &none,
    )?;
    reference::items(world, &mut delivery)?;
    let mut delivery = office.deliver(
        "supervise_subitem",
        vec![file("02_监管事项子项", CITY, SHEET, 1, true)],
        &none,
    )?;
    reference::subitems(world, &mut delivery)?;
    let mut delivery = office.deliver(
        "implement_list",
        vec![file("03_检查实施清单", CITY, GB, 1, true)],
        &none,
    )?;
    reference::implementations(world, &mut delivery)?;
    let per_agency = if office.size == Size::Full { 6 } else { 3 };
    let mut delivery = office.deliver(
        "law_officer",
        vec![file("04_执法人员", &source_of("12"), SHEET, 1, true)],
        &none,
    )?;
    reference::officers(world, per_agency, &mut delivery)
}

fn write_parties(office: &mut Office, world: &World) -> Result<(), CityError> {
    let register = source_of("31");
    let count = |kind: PartyKind, place: usize| {
        world.parties.list.iter().filter(|p| p.kind == kind && p.place == place).count()
    };
    let plans = |word: &str, kind: PartyKind| -> Vec<FilePlan> {
        (0..world.places.len())
            .map(|at| {
                let stem = format!("{word}_{}", world.places[at].code);
                file(&stem, &register, REGISTER_LOOKS[at], count(kind, at), true)
            })
            .collect()
    };
    let mut enterprise_files = plans("11_企业法人", PartyKind::Enterprise);
    // what another department knows of some of them, by its own list; no faults are spread over it
    let second = office.size.scale(800);
    enterprise_files.push(file("12_危化和工贸企业名单", &source_of("25"), GB, 0, true));
    let mut dice = Dice::new(world.seed, "party rows");
    let today = world.today;

    let mut delivery = office.deliver("object_enterprise", enterprise_files, &world.outside)?;
    let c = EnterpriseColumns::of(delivery.table)?;
    for at in 0..world.places.len() {
        delivery.open(at)?;
        for party in
            world.parties.list.iter().filter(|p| p.kind == PartyKind::Enterprise && p.place == at)
        {
            let row =
                enterprise_row(delivery.table, &c, party, &world.places[at], &mut dice, today)?;
            let about = About {
                submitted: Some(party.approved),
                submitter: "登记窗口",
                number: &party.entity_id,
                ..About::default()
            };
            delivery.emit(row, &about)?;
        }
    }
    delivery.open(world.places.len())?;
    for party in world
        .parties
        .list
        .iter()
        .filter(|p| p.kind == PartyKind::Enterprise)
        .step_by(9)
        .take(second)
    {
        let mut row = enterprise_row(
            delivery.table,
            &c,
            party,
            &world.places[party.place],
            &mut dice,
            today,
        )?;
        let id = format!("AQ{}", party.entity_id);
        row.set(c.entity_id_code, &id);
        let mut by = None;
        if let Some(regno) = &party.regno
            && dice.chance(40)
        {
            // the old number is all they have, and the name as they say it
            row.clear(c.uscc);
            row.set(c.regist_no, regno);
            row.set(c.ent_name, party.name.replacen("枣庄市", "枣庄", 1));
            by = Some("regist_no");
        }
        row.set(c.address_operating, party.address.replace("山东省枣庄市", ""));
        let about = About {
            submitted: Some(today),
            submitter: "安全科",
            number: &id,
            spared: true,
            ..About::default()
        };
        let fate = delivery.emit(row, &about)?;
        if let Some(by) = by {
            delivery.link(fate.row, by, &party.uscc);
        }
    }
    delivery.close()?;

    let mut delivery = office.deliver(
        "object_individual",
        plans("13_个体工商户", PartyKind::Individual),
        &world.outside,
    )?;
    let c = IndividualColumns::of(delivery.table)?;
    for at in 0..world.places.len() {
        delivery.open(at)?;
        for party in
            world.parties.list.iter().filter(|p| p.kind == PartyKind::Individual && p.place == at)
        {
            let row = individual_row(delivery.table, &c, party, &world.places[at], &mut dice);
            let about = About {
                submitted: Some(party.approved),
                submitter: "登记窗口",
                number: &party.entity_id,
                ..About::default()
            };
            delivery.emit(row, &about)?;
        }
    }
    delivery.close()?;

    let all = world.parties.list.iter().filter(|p| p.kind == PartyKind::Organisation).count();
    let files = vec![file("14_非企业法人", CITY, BOM, all, true)];
    let mut delivery = office.deliver("object_organization", files, &world.outside)?;
    let c = OrganisationColumns::of(delivery.table)?;
    delivery.open(0)?;
    for party in world.parties.list.iter().filter(|p| p.kind == PartyKind::Organisation) {
        let row = organisation_row(
            delivery.table,
            &c,
            party,
            &world.places[party.place],
            &mut dice,
            today,
        )?;
        let about = About {
            submitted: Some(today),
            submitter: "数据科",
            number: &party.uscc,
            ..About::default()
        };
        delivery.emit(row, &about)?;
    }
    delivery.close()
}

fn write_plans_and_credit(office: &mut Office, world: &World) -> Result<(), CityError> {
    let size = office.size;
    let register = source_of("31");
    let mut delivery = office.deliver(
        "check_plan",
        vec![file("21_双随机计划", &register, UTF8, 1, true)],
        &world.outside,
    )?;
    let ids = reference::plans(world, &mut delivery)?;
    let files = vec![file("22_双随机抽查对象", &register, GB, size.scale(6_000), true)];
    let mut delivery = office.deliver("check_plan_object", files, &world.outside)?;
    reference::plan_objects(world, &ids, &mut delivery)?;
    let files = vec![file("23_信用分类结果", "370000", PLAIN, size.scale(18_000), true)];
    let mut delivery = office.deliver("credit_class_result", files, &world.outside)?;
    reference::credit_classes(world, &mut delivery)?;
    let files = vec![file("24_经营异常名录", &register, SHEET, size.scale(600), true)];
    let mut delivery = office.deliver("abnormal_list", files, &world.outside)?;
    reference::abnormal(world, &mut delivery)?;
    let files = vec![file("25_严重违法失信名单", &register, GB, size.scale(120), true)];
    let mut delivery = office.deliver("serious_illegal_list", files, &world.outside)?;
    reference::serious(world, &mut delivery)
}

fn write_acts(office: &mut Office, world: &World) -> Result<(), CityError> {
    let size = office.size;
    let plans = |word: &str, files: &[ActFile]| {
        files.iter().map(|f| f.plan(word, size)).collect::<Vec<_>>()
    };
    let mut acts = Acts::new(world);
    let mut delivery =
        office.deliver("check_action", plans("31_行政检查", CHECKS), &world.outside)?;
    for (at, file) in CHECKS.iter().enumerate() {
        acts.checks(&mut delivery, at, &file.bodies(world))?;
    }
    delivery.close()?;
    let mut delivery =
        office.deliver("punish_action", plans("32_行政处罚", PUNISHMENTS), &world.outside)?;
    for (at, file) in PUNISHMENTS.iter().enumerate() {
        acts.punishments(&mut delivery, at, &file.bodies(world))?;
    }
    delivery.close()?;
    let mut delivery =
        office.deliver("force_action", plans("33_行政强制", MEASURES), &world.outside)?;
    for (at, file) in MEASURES.iter().enumerate() {
        acts.measures(&mut delivery, at, &file.bodies(world))?;
    }
    delivery.close()?;
    let mut delivery =
        office.deliver("other_action", plans("34_其他监管行为", OTHERS), &world.outside)?;
    for (at, file) in OTHERS.iter().enumerate() {
        acts.others(&mut delivery, at, &file.bodies(world))?;
    }
    delivery.close()
}
