//! Sixty agencies of the city, its districts and its zone, their officers, and the sources they deliver through.

use chrono::{Datelike, Duration, NaiveDate};
use mj_kernel::code::{CitizenId, OrgCode, Uscc};
use serde::Serialize;

use crate::CityError;
use crate::dice::Dice;
use crate::places::{CITY, CITY_NAME, Place, TENGZHOU, ZONE};
use crate::words::{GIVEN_FEMALE, GIVEN_MALE, SURNAMES};

/// A line department as it appears in the city: code of the 58, name of the bureau, short form in document numbers,
/// its share of all acts, whether every county has one, whether the zone has one.
pub(crate) struct Line {
    pub code: &'static str,
    bureau: &'static str,
    short: &'static str,
    pub weight: u32,
    counties: bool,
    zone: bool,
}

const fn line(
    code: &'static str,
    bureau: &'static str,
    short: &'static str,
    weight: u32,
    counties: bool,
    zone: bool,
) -> Line {
    Line { code, bureau, short, weight, counties, zone }
}

/// Lines with weight 0 set rules or run the platform, they do not inspect.
pub(crate) const LINES: [Line; 12] = [
    line("31", "市场监督管理局", "市监", 34, true, true),
    line("25", "应急管理局", "应急", 12, true, true),
    line("23", "卫生健康局", "卫", 11, true, true),
    line("20", "农业农村局", "农", 10, true, true),
    line("18", "交通运输局", "交", 9, true, false),
    line("16", "生态环境局", "环", 8, true, true),
    line("17", "住房和城乡建设局", "建", 7, true, true),
    line("22", "文化和旅游局", "文旅", 4, false, false),
    line("15", "自然资源和规划局", "自然资", 3, false, false),
    line("05", "教育局", "教", 2, false, false),
    line("12", "司法局", "司", 0, false, false),
    line("99", "大数据局", "数", 0, false, false),
];

/// A body that supervises.
#[derive(Debug, Clone, Serialize)]
pub struct Agency {
    pub org_code: String,
    pub name: String,
    pub short_name: String,
    /// 01 法定机关
    pub nature: String,
    pub area_number: String,
    pub area_name: String,
    pub exercise_level: String,
    /// Line department of the 58-entry list.
    pub department: String,
    /// Credit code of the body above, empty for the city's.
    pub parent: String,
    pub notice_no: String,
    pub valid_from: String,
    #[serde(skip)]
    pub(crate) document_mark: String,
    #[serde(skip)]
    pub(crate) officers: Vec<Officer>,
}

impl Agency {
    /// Characters 9-17 of the credit code: the body in behaviour numbers.
    pub(crate) fn organisation(&self) -> &str {
        &self.org_code[8..17]
    }
}

/// An officer whose row is clean, so that acts may cite the certificate.
#[derive(Debug, Clone)]
pub(crate) struct Officer {
    pub name: String,
    pub certificate: String,
    pub valid_until: NaiveDate,
}

/// Who may deliver what (数据源).
#[derive(Debug, Clone, Serialize)]
pub struct SourceSetup {
    pub cd_source: String,
    pub name: String,
    /// `agency` or `third_party`.
    pub kind: String,
    /// Credit code of the agency, empty for a third party.
    pub agency: String,
    pub area_number: String,
    /// The smaller wins when sources contradict each other.
    pub priority: u32,
    pub channels: Vec<String>,
    pub tables: Vec<String>,
}

/// Set-up data that an administrator enters before anything is delivered.
#[derive(Debug, Serialize)]
pub struct Setup {
    pub agencies: Vec<Agency>,
    pub sources: Vec<SourceSetup>,
}

pub(crate) fn agencies(places: &[Place]) -> Result<Vec<Agency>, CityError> {
    let mut list: Vec<Agency> = Vec::with_capacity(60);
    for (at, line) in LINES.iter().enumerate() {
        list.push(agency(
            CITY,
            CITY,
            CITY_NAME,
            format!("{CITY_NAME}{}", line.bureau),
            "3",
            line,
            "",
            at,
            "枣",
        )?);
    }
    for place in places {
        for (at, line) in LINES.iter().enumerate() {
            if !(if place.code == ZONE { line.zone } else { line.counties }) {
                continue;
            }
            let parent = list[at].org_code.clone();
            let name = match (place.code, line.code) {
                (TENGZHOU, "16") => "枣庄市生态环境局滕州分局".to_owned(),
                (_, "16") => format!("枣庄市生态环境局{}分局", place.name.trim_end_matches('区')),
                (TENGZHOU, _) => format!("{}{}", place.name, line.bureau),
                (ZONE, _) => format!("枣庄高新技术产业开发区{}", line.bureau),
                _ => format!("枣庄市{}{}", place.name, line.bureau),
            };
            let mark = format!("枣{}", place.short);
            list.push(agency(
                place.code,
                place.statutory,
                place.name,
                name,
                "4",
                line,
                &parent,
                at,
                &mark,
            )?);
        }
    }
    Ok(list)
}

#[allow(clippy::too_many_arguments)]
fn agency(
    area: &str,
    registered: &str,
    area_name: &str,
    name: String,
    level: &str,
    line: &Line,
    parent: &str,
    at: usize,
    mark: &str,
) -> Result<Agency, CityError> {
    // an organisation code is given once, whatever division stands before it in the credit code
    let organisation = OrgCode::from_body(&format!("{}{:05}", &area[3..6], 44_000 + at * 10))?;
    Ok(Agency {
        org_code: Uscc::from_body(&format!("11{registered}{organisation}"))?.to_string(),
        short_name: format!("{area_name}{}", line.bureau),
        name,
        nature: "01".to_owned(),
        area_number: area.to_owned(),
        area_name: area_name.to_owned(),
        exercise_level: level.to_owned(),
        department: line.code.to_owned(),
        parent: parent.to_owned(),
        notice_no: format!("枣政发〔2019〕{}号", 10 + at),
        valid_from: "2019-03-01".to_owned(),
        document_mark: format!("{mark}{}", line.short),
        officers: Vec::new(),
    })
}

/// A person who does not exist: the division prefix is that of the city itself, under which no number is given.
pub(crate) struct Person {
    pub name: String,
    pub id_no: String,
    pub birth: NaiveDate,
    /// 1 male, 2 female.
    pub gender: &'static str,
    pub phone: String,
}

pub(crate) fn person(
    dice: &mut Dice,
    youngest: i64,
    oldest: i64,
    today: NaiveDate,
) -> Result<Person, CityError> {
    let male = dice.chance(55);
    let given = if male { GIVEN_MALE } else { GIVEN_FEMALE };
    let birth = today - Duration::days(dice.between(youngest * 366, oldest * 365));
    let sequence = dice.below(499) * 2 + usize::from(male);
    let body = format!("{CITY}{}{sequence:03}", birth.format("%Y%m%d"));
    Ok(Person {
        name: format!("{}{}", dice.pick(SURNAMES), dice.pick(given)),
        id_no: CitizenId::from_body(&body)?.as_str().to_owned(),
        birth,
        gender: if male { "1" } else { "2" },
        phone: format!("1990000{}", dice.digits(4)),
    })
}

/// `1504` (山东枣庄), place, line, sequence: 11 digits. The real structure of the number is not published.
pub(crate) fn certificate(agency: &Agency, sequence: usize) -> String {
    format!("1504{}{}{sequence:03}", &agency.area_number[4..6], agency.department)
}

/// Certificates are given for years to come, so that none expires while the demonstration is young.
pub(crate) fn validity(dice: &mut Dice, today: NaiveDate) -> NaiveDate {
    let year = today.year() + dice.between(3, 6) as i32;
    NaiveDate::from_ymd_opt(year, 12, 31).unwrap_or(today + Duration::days(1_500))
}

/// The sources of the city: each line of the city delivers for its whole line, 滕州 delivers for itself.
pub(crate) fn sources(agencies: &[Agency]) -> Vec<SourceSetup> {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let every = ["file", "push", "upload", "manual"];
    let behaviours = ["check_action", "punish_action", "force_action", "other_action"];
    let city = |line: &str| agencies.iter().find(|a| a.area_number == CITY && a.department == line);
    let mut list = Vec::new();
    for line in LINES.iter().filter(|line| line.weight > 0) {
        let Some(owner) = city(line.code) else { continue };
        let mut tables = behaviours.to_vec();
        if line.code == "31" {
            tables.extend([
                "object_enterprise",
                "object_individual",
                "check_plan",
                "check_plan_object",
                "abnormal_list",
                "serious_illegal_list",
            ]);
        }
        if line.code == "25" {
            tables.push("object_enterprise");
        }
        list.push(SourceSetup {
            cd_source: source_of(line.code),
            name: format!("{}业务系统", owner.name),
            kind: "agency".to_owned(),
            agency: owner.org_code.clone(),
            area_number: CITY.to_owned(),
            // the register of enterprises is nearer to the truth than anybody's list
            priority: if line.code == "31" { 10 } else { 50 },
            channels: words(&every),
            tables: words(&tables),
        });
    }
    if let Some(owner) = agencies.iter().find(|a| a.area_number == TENGZHOU && a.department == "31")
    {
        list.push(SourceSetup {
            cd_source: TENGZHOU.to_owned(),
            name: "滕州市综合监管平台".to_owned(),
            kind: "agency".to_owned(),
            agency: owner.org_code.clone(),
            area_number: TENGZHOU.to_owned(),
            priority: 40,
            channels: words(&every),
            tables: words(&behaviours),
        });
    }
    if let Some(owner) = city("99") {
        list.push(SourceSetup {
            cd_source: CITY.to_owned(),
            name: "枣庄市“互联网+监管”系统".to_owned(),
            kind: "agency".to_owned(),
            agency: owner.org_code.clone(),
            area_number: CITY.to_owned(),
            priority: 20,
            channels: words(&every),
            tables: words(&[
                "supervise_item",
                "supervise_subitem",
                "implement_list",
                "object_organization",
            ]),
        });
    }
    if let Some(owner) = city("12") {
        list.push(SourceSetup {
            cd_source: source_of("12"),
            name: "枣庄市行政执法人员管理系统".to_owned(),
            kind: "agency".to_owned(),
            agency: owner.org_code.clone(),
            area_number: CITY.to_owned(),
            priority: 10,
            channels: words(&every),
            tables: words(&["law_officer"]),
        });
    }
    list.push(SourceSetup {
        cd_source: "370000".to_owned(),
        name: "山东省信用信息平台（第三方）".to_owned(),
        kind: "third_party".to_owned(),
        agency: String::new(),
        area_number: "370000".to_owned(),
        priority: 30,
        channels: words(&["file", "push"]),
        tables: words(&["credit_class_result"]),
    });
    list
}

pub(crate) fn source_of(line: &str) -> String {
    format!("{CITY}_{line}")
}
