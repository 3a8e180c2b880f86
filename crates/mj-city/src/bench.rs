//! One large file of inspections for measurements: many subjects, a few of them inspected often, with faults at stated
//! rates. It refers to the catalogue, the bodies and the officers of the small demonstration city, so that a node that
//! holds the city judges it with every rule it has. No manifest: what the rates are stands in [`RATES`].

use std::path::Path;

use chrono::{Duration, NaiveDate};
use mj_standard::Standard;

use crate::agencies::{Person, source_of};
use crate::behaviours::{Subject, name_variant};
use crate::catalogue::{CHECK, implementation_code};
use crate::dice::Dice;
use crate::draft::{Draft, column, columns};
use crate::numbers;
use crate::parties::{Numbers, Parties, PartyKind, parties};
use crate::places::places;
use crate::sink::{Shape, Sink};
use crate::world::World;
use crate::{CityError, Size, as_of, plan};

/// The seed of `mingjian demo`: the bodies and items cited are those it holds.
const CITY_SEED: u64 = 370_400;

/// What is wrong or untidy, and in how many rows of 100,000.
pub const RATES: [(&str, usize); 24] = [
    ("credit code with a wrong check character", 2_000),
    ("credit code in lower case", 600),
    ("credit code with blanks inside", 300),
    ("credit code in full width", 300),
    ("credit code with O for 0", 500),
    ("credit code missing", 800),
    ("date as Y/M/D", 15_000),
    ("date as YYYYMMDD", 10_000),
    ("date as Y年M月D日", 5_000),
    ("day that does not exist", 300),
    ("date in the future", 100),
    ("item unknown", 700),
    ("division unknown", 200),
    ("division retired", 300),
    ("kind of check unknown", 50),
    ("exact repeat", 3_000),
    ("update of an earlier row", 4_000),
    ("same act under another number", 1_000),
    ("deletion of an earlier row", 200),
    ("comma or quote in a cell", 5_500),
    ("line break in a cell", 200),
    ("full-width brackets in the name", 10_000),
    ("blanks in the name", 2_000),
    ("registration number or licence in place of the credit code", 1_500),
];

columns!(BenchColumns {
    cd_id,
    cd_time,
    cd_operation,
    supervise_item_implement_code,
    supervise_item_check_icode,
    check_action_name,
    check_action_code,
    implement_institution,
    implement_institution_code,
    supervise_object,
    administrative_cp,
    administrative_cp_na,
    administrative_cp_ce_type,
    administrative_cp_ui_code,
    address_registered,
    area_number,
    check_form,
    check_type,
    check_mode,
    check_result,
    check_date,
    check_personnel,
    check_personnel_code,
    check_document_code,
});

const CARRIED: [&str; 24] = [
    "cd_id",
    "cd_time",
    "cd_operation",
    "supervise_item_implement_code",
    "supervise_item_check_icode",
    "check_action_name",
    "check_action_code",
    "implement_institution",
    "implement_institution_code",
    "supervise_object",
    "administrative_cp",
    "administrative_cp_na",
    "administrative_cp_ce_type",
    "administrative_cp_ui_code",
    "address_registered",
    "area_number",
    "check_form",
    "check_type",
    "check_mode",
    "check_result",
    "check_date",
    "check_personnel",
    "check_personnel_code",
    "check_document_code",
];

/// What was written.
#[derive(Debug, Clone, Default)]
pub struct BenchFile {
    pub rows: u64,
    /// Subjects that occur at least once.
    pub subjects: usize,
    /// Rows about natural persons, whose values must be sealed.
    pub persons: u64,
    /// Rows each entry of [`RATES`] was planted in; a row may carry several.
    pub planted: [u64; RATES.len()],
}

/// Rows that later ones repeat, update or delete.
const REMEMBERED: usize = 4_096;

/// How many subjects the inspections are drawn from, in hundredths of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subjects {
    /// As a city's are: a million rows meet some 215,000 subjects, nearly five rows each.
    City,
    /// The worst of first loads: a million rows meet some 400,000, nearly every other row somebody new.
    Many,
}

impl Subjects {
    fn of(self, rows: u64) -> usize {
        let hundredths = match self {
            Self::City => 22,
            Self::Many => 57,
        };
        (rows as usize * hundredths / 100).max(100)
    }
}

/// Writes `rows` inspections to a CSV file in UTF-8 with identifiers as header. `scratch` holds the city's reference
/// files for the time being.
pub fn bench_file(
    rows: u64,
    subjects: Subjects,
    out: &Path,
    scratch: &Path,
) -> Result<BenchFile, CityError> {
    let table =
        Standard::v1().table("check_action").ok_or(CityError::Table("check_action".to_owned()))?;
    let c = BenchColumns::of(table)?;
    let carried =
        CARRIED.iter().map(|name| column(table, name)).collect::<Result<Vec<_>, CityError>>()?;
    let world = plan::reference_world(scratch, Size::Small, CITY_SEED)?;
    let mut office = Office::new(&world, subjects.of(rows))?;
    let mut sink = Sink::create(out, table, Shape::CsvUtf8, false, carried)?;
    let mut recent: Vec<Draft> = Vec::with_capacity(REMEMBERED);
    for at in 0..rows {
        let row = match office.echo(&c, &recent) {
            Some(row) => row,
            None => {
                let clean = office.inspection(&c, Draft::new(table));
                let slot = at as usize % REMEMBERED;
                if slot < recent.len() {
                    recent[slot] = clean.clone();
                } else {
                    recent.push(clean.clone());
                }
                office.spoil(&c, clean)
            }
        };
        sink.push(&row)?;
    }
    office.told.rows = sink.finish()?;
    office.told.subjects = office.met.iter().filter(|met| **met).count();
    Ok(office.told)
}

/// What the slow reference (tools/reference.py) must know of the table: data, no judgement.
pub fn reference_spec() -> Result<serde_json::Value, CityError> {
    let table =
        Standard::v1().table("check_action").ok_or(CityError::Table("check_action".to_owned()))?;
    let columns: Vec<serde_json::Value> = table
        .columns
        .iter()
        .map(|column| {
            let codes: Option<Vec<&str>> = column
                .code_list
                .as_ref()
                .map(|list| list.entries.iter().map(|entry| entry.code.as_str()).collect());
            serde_json::json!({
                "name": column.name,
                "title": column.title,
                "type": column.ty.name(),
                "max_len": column.max_len,
                "required": column.required,
                "default": column.default_in_files.is_some(),
                "multi": column.multi,
                "codes": codes,
            })
        })
        .collect();
    let areas: Vec<&str> = places(as_of())?.iter().map(|place| place.code).collect();
    Ok(serde_json::json!({
        "columns": columns,
        "natural_key": table.natural_key,
        "business_key": table.business_key,
        "areas": areas,
    }))
}

struct Office<'a> {
    world: &'a World,
    parties: Parties,
    met: Vec<bool>,
    dice: Dice,
    bodies: Vec<(usize, u32)>,
    sequence: u32,
    told: BenchFile,
}

impl<'a> Office<'a> {
    fn new(world: &'a World, subjects: usize) -> Result<Self, CityError> {
        // drawn below as u^1.6: some are inspected often, some not at all
        let numbers = Numbers {
            enterprises: subjects * 58 / 100,
            individuals: subjects * 36 / 100,
            organisations: subjects * 4 / 100,
            persons: subjects * 2 / 100,
        };
        let parties = parties(CITY_SEED + 1, &numbers, &places(as_of())?, as_of())?;
        Ok(Self {
            world,
            met: vec![false; parties.list.len() + parties.persons.len()],
            parties,
            dice: Dice::new(CITY_SEED, "bench"),
            bodies: world.inspectors(Some("31"), None, None),
            sequence: 0,
            told: BenchFile::default(),
        })
    }

    /// Draws once for one entry of [`RATES`] and counts what comes of it.
    fn strikes(&mut self, kind: usize) -> bool {
        let hit = self.dice.below(100_000) < RATES[kind].1;
        self.told.planted[kind] += u64::from(hit);
        hit
    }

    fn subject(&mut self) -> Subject {
        let at = self.dice.skewed(self.met.len());
        // in no order: kinds are mixed among the often and the seldom inspected
        let at = (at as u64 * 7_368_787 % self.met.len() as u64) as usize;
        self.met[at] = true;
        let Some(party) = self.parties.list.get(at) else {
            let (place, Person { name, id_no, .. }, address) =
                &self.parties.persons[at - self.parties.list.len()];
            self.told.persons += 1;
            return Subject {
                name: name.clone(),
                nature: "01",
                certificate: "111",
                code: id_no.clone(),
                object_type: "2",
                address: address.clone(),
                place: *place,
                link: None,
            };
        };
        let mut subject = Subject {
            name: party.name.clone(),
            nature: if party.kind == PartyKind::Individual { "03" } else { "02" },
            certificate: "001",
            code: party.uscc.clone(),
            object_type: "1",
            address: party.address.clone(),
            place: party.place,
            link: None,
        };
        let regno = party.regno.clone();
        if self.strikes(23) {
            match regno {
                Some(regno) => subject.code = regno,
                None => {
                    subject.code = format!("JY13704{}", self.dice.digits(9));
                    subject.name = name_variant(&subject.name, &mut self.dice);
                }
            }
            (subject.nature, subject.certificate) = ("03", "099");
        }
        subject
    }

    fn inspection(&mut self, c: &BenchColumns, mut row: Draft) -> Draft {
        let world = self.world;
        let agency = self.bodies[self.dice.weighted(self.bodies.iter().map(|(_, w)| *w))].0;
        let body = &world.agencies[agency];
        let subject = self.subject();
        let sub = &world.catalogue.subitems[*self.dice.pick(&world.items[&("31", CHECK)])];
        let day = self.dice.working_day(as_of() - Duration::days(700), as_of());
        self.sequence += 1;
        let number =
            numbers::long_act('J', &body.area_number, body.organisation(), day, self.sequence);
        row.set(c.cd_id, format!("{}-{number}", source_of("31")));
        let (hour, minute) = (self.dice.between(8, 15), self.dice.between(0, 59));
        row.set(
            c.cd_time,
            format!("{} {hour:02}:{minute:02}:00", (day + Duration::days(2)).min(as_of())),
        );
        row.set(c.cd_operation, "i");
        row.set(c.supervise_item_implement_code, &sub.code);
        row.set(c.supervise_item_check_icode, implementation_code(body, &sub.code));
        let item = world.catalogue.items[sub.item].main.name;
        row.set(c.check_action_name, format!("对{}进行{item}的检查", subject.name));
        row.set(c.implement_institution, &body.name);
        row.set(c.implement_institution_code, &body.org_code);
        row.set(c.supervise_object, &subject.name);
        row.set(c.administrative_cp, &subject.name);
        row.set(c.administrative_cp_na, subject.nature);
        row.set(c.administrative_cp_ce_type, subject.certificate);
        row.set(c.administrative_cp_ui_code, &subject.code);
        if self.dice.chance(92) {
            row.set(c.address_registered, &subject.address);
        }
        row.set(c.area_number, world.places[subject.place].code);
        row.set(c.check_form, ["01", "02", "03"][self.dice.weighted([70, 25, 5].into_iter())]);
        row.set(c.check_type, if self.dice.chance(88) { "01" } else { "02" });
        row.set(c.check_mode, if self.dice.chance(60) { "2" } else { "3" });
        let results = ["01", "02", "03", "04", "05", "06"];
        row.set(c.check_result, results[self.dice.weighted([62, 15, 4, 13, 4, 2].into_iter())]);
        row.set(c.check_date, day.to_string());
        let officers = &body.officers;
        let one = self.dice.below(officers.len());
        let two = (one + 1 + self.dice.below(officers.len() - 1)) % officers.len();
        let (one, two) = (&officers[one], &officers[two]);
        row.set(c.check_personnel, format!("{};{}", one.name, two.name));
        row.set(c.check_personnel_code, format!("{};{}", one.certificate, two.certificate));
        row.set(
            c.check_document_code,
            format!("{}检〔{}〕{}号", body.document_mark, day.format("%Y"), self.sequence),
        );
        row.set(c.check_action_code, number);
        row
    }

    /// An earlier row once more: as it was, changed, under another number, or taken back.
    fn echo(&mut self, c: &BenchColumns, recent: &[Draft]) -> Option<Draft> {
        let kind = (15..19).find(|kind| self.strikes(*kind))?;
        if recent.is_empty() {
            self.told.planted[kind] -= 1;
            return None;
        }
        let mut row = self.dice.pick(recent).clone();
        let later = |row: &mut Draft, time: &str| {
            let moved = format!("{} {time}", row.get(c.cd_time).get(..10).unwrap_or_default());
            row.set(c.cd_time, moved);
        };
        match kind {
            16 => {
                later(&mut row, "17:30:00");
                row.set(c.cd_operation, "u");
                let name = format!("{}（更正）", row.get(c.check_action_name));
                row.set(c.check_action_name, name);
            }
            17 => {
                let number = numbers::another(row.get(c.check_action_code), &mut self.dice);
                row.set(c.cd_id, format!("{}-{number}", source_of("31")));
                row.set(c.check_action_code, number);
                let document = row.get(c.check_document_code).replace('号', "-1号");
                row.set(c.check_document_code, document);
            }
            18 => {
                later(&mut row, "17:45:00");
                row.set(c.cd_operation, "d");
            }
            _ => {}
        }
        Some(row)
    }

    fn spoil(&mut self, c: &BenchColumns, mut row: Draft) -> Draft {
        if row.get(c.administrative_cp_ce_type) == "001" {
            self.spoil_code(c, &mut row);
        }
        if let Ok(day) = row.get(c.check_date).parse::<NaiveDate>() {
            let written = (6..11).find(|kind| self.strikes(*kind)).map(|kind| match kind {
                6 => day.format("%Y/%-m/%-d").to_string(),
                7 => day.format("%Y%m%d").to_string(),
                8 => day.format("%Y年%-m月%-d日").to_string(),
                9 => day.format("%Y-02-30").to_string(),
                _ => (day + Duration::days(20_000)).to_string(),
            });
            if let Some(text) = written {
                row.set(c.check_date, text);
            }
        }
        if self.strikes(11) {
            row.set(c.supervise_item_implement_code, "31990001000001");
        }
        if self.strikes(12) {
            row.set(c.area_number, "379999");
        }
        if self.strikes(13) {
            // 莱芜 became part of 济南 in 2019
            row.set(c.area_number, "371202");
        }
        if self.strikes(14) {
            row.set(c.check_type, "77");
        }
        if self.strikes(19) {
            let name = format!("{},含\"回头看\"", row.get(c.check_action_name));
            row.set(c.check_action_name, name);
        }
        if self.strikes(20) {
            let name = format!("{}\n（第二次）", row.get(c.check_action_name));
            row.set(c.check_action_name, name);
        }
        if self.strikes(21) {
            let name = row.get(c.administrative_cp).replace('(', "（").replace(')', "）");
            row.set(c.administrative_cp, name);
        }
        if self.strikes(22) {
            let name = format!(" {}　", row.get(c.administrative_cp));
            row.set(c.administrative_cp, name);
        }
        row
    }

    fn spoil_code(&mut self, c: &BenchColumns, row: &mut Draft) {
        let code = row.get(c.administrative_cp_ui_code).to_owned();
        let Some(kind) = (0..6).find(|kind| self.strikes(*kind)) else { return };
        let (head, last) = code.split_at(code.len().saturating_sub(1));
        let spoilt = match kind {
            0 => format!("{head}{}", if last == "1" { "2" } else { "1" }),
            1 => code.to_lowercase(),
            2 => format!("{} {}", &head[..8], &code[8..]),
            3 => code.chars().map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c)).collect(),
            4 => code.replacen('0', "O", 1),
            _ => String::new(),
        };
        row.set(c.administrative_cp_ui_code, spoilt);
    }
}
