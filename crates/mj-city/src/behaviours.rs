//! Inspections: whom, by whom, on what item, with what result. What follows from them stands in `aftermath`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{Datelike, Duration, NaiveDate};
use mj_standard::Table;

use crate::CityError;
use crate::agencies::{Agency, LINES};
use crate::catalogue::{CHECK, implementation_code};
use crate::delivery::{About, Delivery};
use crate::dice::Dice;
use crate::draft::{Draft, columns};
use crate::numbers;
use crate::parties::PartyKind;
use crate::world::World;

columns!(PartyColumns {
    implement_institution,
    implement_institution_code,
    object_type,
    supervise_object,
    administrative_cp,
    administrative_cp_na,
    administrative_cp_ce_type,
    administrative_cp_ui_code,
    address_registered,
    address_operating,
    area_number,
});

columns!(CheckColumns {
    plan_id,
    supervise_item_implement_code,
    supervise_item_check_icode,
    check_action_name,
    check_action_code,
    check_form,
    check_type,
    check_mode,
    check_result,
    check_date,
    check_personnel,
    check_personnel_code,
    check_item_result,
    check_document_code,
});

/// Whom an act is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub name: String,
    pub nature: &'static str,
    pub certificate: &'static str,
    pub code: String,
    pub object_type: &'static str,
    pub address: String,
    pub place: usize,
    /// The true credit code and how it can be found, when the code given is another.
    pub link: Option<(&'static str, String)>,
}

/// A clean inspection that a later act may refer to.
pub(crate) struct Found {
    pub agency: usize,
    pub item: usize,
    pub day: NaiveDate,
    pub number: String,
    pub subject: Subject,
}

/// Makes acts and remembers what must not be repeated.
pub(crate) struct Acts<'a> {
    pub world: &'a World,
    pub dice: Dice,
    pub sequence: u32,
    pub documents: HashMap<(usize, i32, char), u32>,
    /// Hashes of business keys: one act is delivered once, unless on purpose.
    pub keys: HashSet<u64>,
    /// Clean inspections by source and by the table that continues them.
    pub found: HashMap<(String, char), VecDeque<Found>>,
}

impl<'a> Acts<'a> {
    pub fn new(world: &'a World) -> Self {
        Self {
            world,
            dice: Dice::new(world.seed, "acts"),
            sequence: 0,
            documents: HashMap::new(),
            keys: HashSet::new(),
            found: HashMap::new(),
        }
    }

    pub fn number(&mut self, kind: char, agency: &Agency, day: NaiveDate) -> String {
        self.sequence += 1;
        numbers::act(kind, &agency.area_number, agency.organisation(), day, self.sequence)
    }

    /// 枣市监检〔2025〕12号: gap-free per body, kind and year.
    pub fn document(&mut self, kind: char, word: &str, agency: usize, day: NaiveDate) -> String {
        let next = self.documents.entry((agency, day.year(), kind)).or_default();
        *next += 1;
        format!("{}{word}〔{}〕{next}号", self.world.agencies[agency].document_mark, day.year())
    }

    pub fn new_key(&mut self, parts: &[&str]) -> bool {
        let mut hasher = DefaultHasher::new();
        parts.hash(&mut hasher);
        self.keys.insert(hasher.finish())
    }

    pub fn agency(&mut self, list: &[(usize, u32)]) -> usize {
        list[self.dice.weighted(list.iter().map(|(_, weight)| *weight))].0
    }

    /// A party within the reach of a body, named as this department happens to name it.
    pub fn subject(&mut self, agency: usize) -> Subject {
        let world = self.world;
        let body = &world.agencies[agency];
        let places = world.places_of(body);
        let place = places[self.dice.weighted(places.iter().map(|&at| world.places[at].weight))];
        if self.dice.chance(2) {
            let persons = &world.parties.persons;
            let start = self.dice.below(persons.len());
            let near = (0..persons.len()).map(|step| &persons[(start + step) % persons.len()]);
            if let Some((place, person, address)) = near.into_iter().find(|(at, ..)| *at == place) {
                return Subject {
                    name: person.name.clone(),
                    nature: "01",
                    certificate: "111",
                    code: person.id_no.clone(),
                    object_type: "2",
                    address: address.clone(),
                    place: *place,
                    link: None,
                };
            }
        }
        let line =
            LINES.iter().find(|line| line.code == body.department).map_or("", |line| line.code);
        let list = places
            .iter()
            .skip_while(|at| **at != place)
            .chain(&places)
            .find_map(|at| world.supervised.get(&(*at, line)));
        let at = match list {
            Some(list) => list[self.dice.skewed(list.len())],
            None => self.dice.skewed(world.parties.list.len()),
        };
        self.party(at)
    }

    fn party(&mut self, at: usize) -> Subject {
        let party = &self.world.parties.list[at];
        let (nature, object_type) = match party.kind {
            PartyKind::Enterprise => ("02", "1"),
            PartyKind::Individual => ("03", "1"),
            PartyKind::Organisation => ("02", "10"),
        };
        let mut subject = Subject {
            name: party.name.clone(),
            nature,
            certificate: "001",
            code: party.uscc.clone(),
            object_type,
            address: party.address.clone(),
            place: party.place,
            link: None,
        };
        let roll = self.dice.below(1_000);
        if roll < 15
            && let Some(regno) = &party.regno
        {
            subject.code = regno.clone();
            subject.link = Some(("regist_no", party.uscc.clone()));
        } else if (20..32).contains(&roll) && party.kind != PartyKind::Organisation {
            // a licence number that says nothing of the register
            subject.code = format!("JY13704{}", self.dice.digits(9));
            let variant = roll < 26;
            if variant {
                subject.name = name_variant(&subject.name, &mut self.dice);
                subject.address = subject.address.replace("山东省枣庄市", "");
            }
            let by = if variant { "name_variant" } else { "name" };
            subject.link = Some((by, party.uscc.clone()));
        }
        if subject.link.is_some() {
            subject.nature = "03";
            subject.certificate = "099";
        }
        subject
    }

    pub fn fill_party(
        &mut self,
        row: &mut Draft,
        c: &PartyColumns,
        agency: usize,
        subject: &Subject,
    ) {
        let body = &self.world.agencies[agency];
        row.set(c.implement_institution, &body.name);
        row.set(c.implement_institution_code, &body.org_code);
        row.set(c.object_type, subject.object_type);
        row.set(c.supervise_object, &subject.name);
        row.set(c.administrative_cp, &subject.name);
        row.set(c.administrative_cp_na, subject.nature);
        row.set(c.administrative_cp_ce_type, subject.certificate);
        row.set(c.administrative_cp_ui_code, &subject.code);
        if self.dice.chance(92) {
            row.set(c.address_registered, &subject.address);
        }
        if self.dice.chance(50) {
            row.set(c.address_operating, &subject.address);
        }
        row.set(c.area_number, self.world.places[subject.place].code);
    }

    pub fn handed_in(&mut self, day: NaiveDate) -> NaiveDate {
        (day + Duration::days(self.dice.between(0, 9))).min(self.world.today)
    }

    pub fn submitter(&self, agency: usize) -> &'a str {
        let officers = &self.world.agencies[agency].officers;
        officers.first().map_or("管理员", |officer| officer.name.as_str())
    }

    /// Writes the inspections of one file by the given bodies.
    pub fn checks(
        &mut self,
        delivery: &mut Delivery,
        plan: usize,
        bodies: &[(usize, u32)],
    ) -> Result<(), CityError> {
        let (c, p) = (CheckColumns::of(delivery.table)?, PartyColumns::of(delivery.table)?);
        let (rows, source, backlog) = {
            let plan = &delivery.plans[plan];
            (plan.rows, plan.source.clone(), plan.backlog)
        };
        let mut last_document: HashMap<usize, String> = HashMap::new();
        delivery.open(plan)?;
        for _ in 0..rows {
            let (draft, found) = self.check(delivery.table, &c, &p, bodies, backlog);
            let submitted = self.handed_in(found.day);
            let document = draft.get(c.check_document_code).to_owned();
            let about = About {
                submitted: Some(submitted),
                submitter: self.submitter(found.agency),
                number: &found.number,
                earlier_document: last_document.get(&found.agency).map(String::as_str),
                spared: false,
            };
            let result = draft.get(c.check_result).to_owned();
            let fate = delivery.emit(draft, &about)?;
            if !fate.clean {
                continue;
            }
            if let Some((by, uscc)) = &found.subject.link {
                delivery.link(fate.row, by, uscc);
            }
            last_document.insert(found.agency, document);
            let next = match result.as_str() {
                "04" => 'C',
                "05" => 'Q',
                "02" | "03" | "06" => 'T',
                _ => continue,
            };
            self.found.entry((source.clone(), next)).or_default().push_back(found);
        }
        Ok(())
    }

    fn check(
        &mut self,
        table: &Table,
        c: &CheckColumns,
        p: &PartyColumns,
        bodies: &[(usize, u32)],
        backlog: bool,
    ) -> (Draft, Found) {
        let world = self.world;
        let agency = self.agency(bodies);
        let body = &world.agencies[agency];
        let line =
            LINES.iter().find(|line| line.code == body.department).map_or("31", |line| line.code);
        let subject = self.subject(agency);
        let items = &world.items[&(line, CHECK)];
        let form = ["01", "02", "03"][self.dice.weighted([70, 25, 5].into_iter())];
        // 存量 is what was there before this year began
        let middle = NaiveDate::from_ymd_opt(world.today.year(), 1, 1).unwrap_or(world.today);
        let (first, last) = if backlog {
            (world.since, middle.pred_opt().unwrap_or(middle))
        } else {
            (middle, world.today)
        };
        let (item, day) = loop {
            let item = *self.dice.pick(items);
            let day = self.dice.working_day(first, last);
            let code = world.catalogue.subitems[item].code.as_str();
            if self.new_key(&["J", &subject.code, code, &day.to_string(), form, &body.org_code]) {
                break (item, day);
            }
        };
        let sub = &world.catalogue.subitems[item];
        let mut codes = sub.code.clone();
        let mut icodes = implementation_code(body, &sub.code);
        if self.dice.chance(4) {
            let second = *self.dice.pick(items);
            if second != item {
                let other = &world.catalogue.subitems[second].code;
                codes = format!("{codes};{other}");
                icodes = format!("{icodes};{}", implementation_code(body, other));
            }
        }
        let number = self.number('J', body, day);
        let mut row = Draft::new(table);
        self.fill_party(&mut row, p, agency, &subject);
        let mode = ["1", "2", "3"][self.dice.weighted([45, 35, 20].into_iter())];
        if mode == "1" {
            row.set(c.plan_id, world.plan_id(body, day));
        }
        row.set(c.supervise_item_implement_code, codes);
        row.set(c.supervise_item_check_icode, icodes);
        row.set(
            c.check_action_name,
            format!("对{}进行{}的检查", subject.name, world.catalogue.items[sub.item].main.name),
        );
        row.set(c.check_action_code, &number);
        row.set(c.check_form, form);
        row.set(c.check_type, if self.dice.chance(88) { "01" } else { "02" });
        row.set(c.check_mode, mode);
        let result = ["01", "02", "03", "04", "05", "06"]
            [self.dice.weighted([62, 15, 4, 13, 4, 2].into_iter())];
        row.set(c.check_result, result);
        row.set(c.check_date, day.to_string());
        let officers = &body.officers;
        let one = self.dice.below(officers.len());
        let step = 1 + self.dice.below(officers.len() - 1);
        let mut team = vec![one, (one + step) % officers.len()];
        if officers.len() > 2 && self.dice.chance(12) {
            let third = (0..officers.len()).find(|at| !team.contains(at));
            team.extend(third);
        }
        let names: Vec<&str> = team.iter().map(|at| officers[*at].name.as_str()).collect();
        let certificates: Vec<&str> =
            team.iter().map(|at| officers[*at].certificate.as_str()).collect();
        row.set(c.check_personnel, names.join(";"));
        row.set(c.check_personnel_code, certificates.join(";"));
        let mut results: Vec<&str> = (0..self.dice.between(3, 8))
            .map(|_| if self.dice.chance(8) { "4" } else { "1" })
            .collect();
        if result != "01" {
            results[0] = "2";
        }
        row.set(c.check_item_result, results.join(";"));
        row.set(c.check_document_code, self.document('J', "检", agency, day));
        (row, Found { agency, item, day, number, subject })
    }
}

pub(crate) fn line_of(agency: &Agency) -> &'static str {
    LINES.iter().find(|line| line.code == agency.department).map_or("31", |line| line.code)
}

/// How a clerk writes a name that he has heard: without the city, with another form of company, with wide brackets left out.
pub(crate) fn name_variant(name: &str, dice: &mut Dice) -> String {
    let forms: [fn(&str) -> String; 4] = [
        |n| n.strip_prefix("枣庄市").unwrap_or(n).to_owned(),
        |n| n.replace("有限责任公司", "有限公司").replacen("枣庄市", "枣庄", 1),
        |n| n.replace(['(', ')'], "").replace("有限公司", "公司"),
        |n| n.replace("有限公司", "有限责任公司"),
    ];
    let at = dice.below(forms.len());
    (0..forms.len())
        .map(|step| forms[(at + step) % forms.len()](name))
        .find(|variant| variant != name)
        .unwrap_or_else(|| name.to_owned())
}
