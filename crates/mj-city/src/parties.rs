//! The parties of the city: enterprises, the self-employed, organisations, and some natural persons.

use std::collections::HashSet;

use chrono::{Datelike, Duration, NaiveDate};
use mj_kernel::code::{OrgCode, RegNo, Uscc};
use mj_standard::Table;

use crate::CityError;
use crate::agencies::{Person, person};
use crate::dice::Dice;
use crate::draft::{Draft, columns};
use crate::places::{CITY, CITY_NAME, Place, ZONE};
use crate::words::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartyKind {
    Enterprise,
    Individual,
    Organisation,
}

pub(crate) struct Party {
    pub kind: PartyKind,
    pub entity_id: String,
    pub name: String,
    pub uscc: String,
    /// Old registration number, kept beside the credit code by those founded before 2015.
    pub regno: Option<String>,
    pub place: usize,
    pub address: String,
    pub coordinates: Option<(String, String)>,
    pub head: String,
    pub founded: NaiveDate,
    pub approved: NaiveDate,
    /// Index in `TRADES` or `ORGANISATIONS`.
    pub trade: usize,
    /// Index in `FORMS`, enterprises only.
    form: usize,
}

pub(crate) struct Parties {
    pub list: Vec<Party>,
    pub persons: Vec<(usize, Person, String)>,
}

const CODE_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Organisation codes in no visible order, none twice: a bijection of 0..31^5 (31 is prime and divides no multiplier).
fn organisation_code(seed: u64, at: usize) -> Result<OrgCode, CityError> {
    const SPACE: u64 = 31 * 31 * 31 * 31 * 31;
    let mut n = (at as u64 * 1_000_003 + seed % SPACE) % SPACE;
    let mut body = *b"MA300000";
    for slot in body.iter_mut().skip(3).rev() {
        *slot = CODE_ALPHABET[(n % 31) as usize];
        n /= 31;
    }
    // the sixth character of real codes of these years is a letter in most cases; any is allowed
    Ok(OrgCode::from_body(&String::from_utf8_lossy(&body))?)
}

pub(crate) struct Numbers {
    pub enterprises: usize,
    pub individuals: usize,
    pub organisations: usize,
    pub persons: usize,
}

pub(crate) fn parties(
    seed: u64,
    numbers: &Numbers,
    places: &[Place],
    today: NaiveDate,
) -> Result<Parties, CityError> {
    let mut dice = Dice::new(seed, "parties");
    let mut names = HashSet::new();
    let total = numbers.enterprises + numbers.individuals + numbers.organisations;
    let mut list = Vec::with_capacity(total);
    for at in 0..total {
        let kind = if at < numbers.enterprises {
            PartyKind::Enterprise
        } else if at < numbers.enterprises + numbers.individuals {
            PartyKind::Individual
        } else {
            PartyKind::Organisation
        };
        list.push(party(seed, at, kind, &mut dice, places, &mut names, today)?);
    }
    let persons = (0..numbers.persons)
        .map(|_| {
            let place = dice.weighted(places.iter().map(|p| p.weight));
            let (_, address) = places[place].address(&mut dice);
            Ok((place, person(&mut dice, 19, 68, today)?, address))
        })
        .collect::<Result<_, CityError>>()?;
    Ok(Parties { list, persons })
}

fn party(
    seed: u64,
    at: usize,
    kind: PartyKind,
    dice: &mut Dice,
    places: &[Place],
    names: &mut HashSet<String>,
    today: NaiveDate,
) -> Result<Party, CityError> {
    let place_at = dice.weighted(places.iter().map(|p| p.weight));
    let place = &places[place_at];
    let (town, address) = place.address(dice);
    let founded = dice.day(today - Duration::days(23 * 365), today - Duration::days(1_200));
    let trade = match kind {
        PartyKind::Organisation => dice.weighted(ORGANISATIONS.iter().map(|o| o.weight)),
        _ => dice.weighted(TRADES.iter().map(|trade| {
            let none = if kind == PartyKind::Enterprise {
                trade.company.is_empty()
            } else {
                trade.shop.is_empty()
            };
            if none { 0 } else { trade.weight }
        })),
    };
    let form = dice.weighted(FORMS.iter().map(|f| f.3));
    let mut name = String::new();
    for attempt in 0.. {
        name = match kind {
            PartyKind::Enterprise => company_name(dice, place, trade, form, attempt),
            PartyKind::Individual => shop_name(dice, place, town, trade, attempt),
            PartyKind::Organisation => organisation_name(dice, place, town, trade, attempt),
        };
        if names.insert(name.clone()) {
            break;
        }
    }
    let head = match kind {
        PartyKind::Enterprise if FORMS[form].0.ends_with("合作社") => "93",
        PartyKind::Enterprise => "91",
        PartyKind::Individual => "92",
        PartyKind::Organisation => ORGANISATIONS[trade].head,
    };
    // a tenth is registered with the city itself
    let registrar =
        if kind != PartyKind::Individual && dice.chance(10) { CITY } else { place.statutory };
    let uscc =
        Uscc::from_body(&format!("{head}{registrar}{}", organisation_code(seed, at)?))?.to_string();
    let old = founded.year() < 2015 && kind != PartyKind::Organisation;
    let regno = if old && dice.chance(70) {
        let class = if kind == PartyKind::Individual { 6 } else { 2 };
        Some(RegNo::from_body(&format!("{registrar}{class}{:07}", at + 1_000))?.to_string())
    } else {
        None
    };
    let approved = founded + Duration::days(dice.between(0, (today - founded).num_days() - 30));
    Ok(Party {
        kind,
        entity_id: format!("{}{:010}", place.statutory, at + 1),
        name,
        uscc,
        regno,
        place: place_at,
        address,
        coordinates: dice.chance(70).then(|| place.coordinates(dice)),
        head: person_name(dice),
        founded,
        approved,
        trade,
        form,
    })
}

fn person_name(dice: &mut Dice) -> String {
    let given = if dice.chance(60) { GIVEN_MALE } else { GIVEN_FEMALE };
    format!("{}{}", dice.pick(SURNAMES), dice.pick(given))
}

fn trade_name(dice: &mut Dice, attempt: usize) -> String {
    let mut text = format!("{}{}", dice.pick(TRADE_FIRST), dice.pick(TRADE_SECOND));
    if attempt > 2 || dice.chance(12) {
        text += *dice.pick::<&str>(TRADE_SECOND);
    }
    text
}

fn company_name(
    dice: &mut Dice,
    place: &Place,
    trade: usize,
    form: usize,
    attempt: usize,
) -> String {
    let own = trade_name(dice, attempt);
    let what = dice.pick(TRADES[trade].company);
    let (form, ..) = FORMS[form];
    match form {
        "厂" => format!(
            "{CITY_NAME}{}{own}{}",
            place.name,
            if what.ends_with('厂') { (*what).to_owned() } else { format!("{what}厂") }
        ),
        "专业合作社" => format!("{}{own}种植养殖专业合作社", place.name),
        _ => match dice.below(20) {
            0 => format!("山东{own}{what}{form}"),
            1 => format!("{own}(枣庄){what}{form}"),
            2 => format!("山东{own}(集团){what}{form}"),
            3 => {
                format!("山东{own}{what}{form}{}分公司", place.name.trim_end_matches(['区', '市']))
            }
            4..7 => format!("枣庄{own}{what}{form}"),
            7..9 if place.code != ZONE => format!("{}{own}{what}{form}", place.name),
            _ => format!("{CITY_NAME}{own}{what}{form}"),
        },
    }
}

fn shop_name(dice: &mut Dice, place: &Place, town: &str, trade: usize, attempt: usize) -> String {
    let what = dice.pick(TRADES[trade].shop);
    let sign = match dice.below(5) {
        0 => format!("{}记", dice.pick(SURNAMES)),
        1 => format!("老{}家", dice.pick(SURNAMES)),
        2 => format!("{}{}", dice.pick(SURNAMES), dice.pick(GIVEN_FEMALE)),
        _ => trade_name(dice, attempt),
    };
    match dice.below(3) {
        0 => format!("{}{sign}{what}", place.name),
        1 => format!("{}{town}{sign}{what}", place.name),
        _ if attempt > 2 => format!("{CITY_NAME}{}{town}{sign}{what}", place.name),
        _ => format!("{CITY_NAME}{}{sign}{what}", place.name),
    }
}

fn organisation_name(
    dice: &mut Dice,
    place: &Place,
    town: &str,
    kind: usize,
    attempt: usize,
) -> String {
    let what = dice.pick(ORGANISATIONS[kind].names);
    let town = town.trim_end_matches("街道").trim_end_matches('镇');
    if attempt > 1 {
        return format!("{}{town}{}{what}", place.name, trade_name(dice, attempt));
    }
    match dice.below(3) {
        0 => format!("{}{town}{what}", place.name),
        1 => format!("{CITY_NAME}{}{}{what}", place.name, trade_name(dice, 0)),
        _ => format!("{CITY_NAME}{town}{what}"),
    }
}

columns!(EnterpriseColumns {
    entity_id_code,
    regist_no,
    uscc,
    ent_name,
    industry_code,
    org_class,
    econ_type,
    ent_type,
    ent_type_name,
    legal_repr,
    regist_capital,
    currency,
    currency_name,
    address_registered,
    address_operating,
    operate_start,
    operate_end,
    business_scope,
    regist_auth_code,
    regist_auth_name,
    regist_status,
    regist_status_name,
    establish_date,
    approval_date,
    revoke_date,
    revoke_reason,
    contact_name,
    contact_id_no,
    contact_phone,
    longitude,
    latitude,
});

columns!(IndividualColumns {
    entity_id_code,
    regist_no,
    uscc,
    name,
    ind_type,
    ind_type_name,
    operator,
    premises,
    business_scope,
    composition,
    composition_name,
    regist_auth_code,
    regist_auth_name,
    regist_status,
    regist_status_name,
    regist_date,
    approval_date,
    contact_name,
    contact_phone,
    longitude,
    latitude,
});

columns!(OrganisationColumns {
    administrative_cp,
    administrative_cp_ui_code,
    is_key_supervise,
    legal_name,
    legal_type,
    approve_authority,
    approve_date,
    legal_repr,
    legal_repr_cert_type,
    legal_repr_id_no,
    industry_code,
    org_class,
    econ_type,
    business_scope,
    address_registered,
    area_number,
    address_operating,
    longitude,
    latitude,
    phone,
});

pub(crate) fn enterprise_row(
    table: &Table,
    c: &EnterpriseColumns,
    party: &Party,
    place: &Place,
    dice: &mut Dice,
    today: NaiveDate,
) -> Result<Draft, CityError> {
    let mut row = Draft::new(table);
    let trade = &TRADES[party.trade];
    let (form, ent_type, ent_type_name, _) = FORMS[party.form];
    row.set(c.entity_id_code, &party.entity_id);
    row.set(c.uscc, &party.uscc);
    if let Some(regno) = &party.regno {
        row.set(c.regist_no, regno);
    }
    row.set(c.ent_name, &party.name);
    row.set(c.industry_code, trade.industry);
    row.set(c.org_class, if form == "厂" { "17" } else { "11" });
    row.set(c.econ_type, if form == "股份有限公司" { "174" } else { "173" });
    row.set(c.ent_type, ent_type);
    row.set(c.ent_type_name, ent_type_name);
    row.set(c.legal_repr, &party.head);
    row.set(c.regist_capital, (dice.between(1, 200) * 5).to_string());
    row.set(c.currency, "156");
    row.set(c.currency_name, "人民币");
    row.set(c.address_registered, &party.address);
    if dice.chance(60) {
        row.set(c.address_operating, &party.address);
    }
    row.set(c.operate_start, party.founded.to_string());
    if dice.chance(30) {
        row.set(c.operate_end, (party.founded + Duration::days(30 * 365)).to_string());
    }
    row.set(c.business_scope, trade.scope);
    row.set(c.regist_auth_code, place.statutory);
    row.set(c.regist_auth_name, registrar_name(place));
    if dice.chance(3) {
        let revoked = dice.day(party.approved, today);
        row.set(c.regist_status, "2");
        row.set(c.regist_status_name, "吊销未注销");
        row.set(c.revoke_date, revoked.to_string());
        row.set(c.revoke_reason, "开业后自行停业连续六个月以上");
    } else {
        row.set(c.regist_status, "1");
        row.set(c.regist_status_name, "存续");
    }
    row.set(c.establish_date, party.founded.to_string());
    row.set(c.approval_date, party.approved.to_string());
    if dice.chance(40) {
        let contact = person(dice, 22, 60, today)?;
        row.set(c.contact_name, contact.name);
        row.set(c.contact_id_no, contact.id_no);
        row.set(c.contact_phone, contact.phone);
    }
    if let Some((lon, lat)) = &party.coordinates {
        row.set(c.longitude, lon);
        row.set(c.latitude, lat);
    }
    Ok(row)
}

pub(crate) fn registrar_name(place: &Place) -> String {
    match place.code {
        "370481" => format!("{}市场监督管理局", place.name),
        ZONE => "枣庄高新技术产业开发区市场监督管理局".to_owned(),
        _ => format!("枣庄市{}市场监督管理局", place.name),
    }
}

pub(crate) fn individual_row(
    table: &Table,
    c: &IndividualColumns,
    party: &Party,
    place: &Place,
    dice: &mut Dice,
) -> Draft {
    let mut row = Draft::new(table);
    let trade = &TRADES[party.trade];
    row.set(c.entity_id_code, &party.entity_id);
    row.set(c.uscc, &party.uscc);
    if let Some(regno) = &party.regno {
        row.set(c.regist_no, regno);
    }
    row.set(c.name, &party.name);
    row.set(c.ind_type, "9500");
    row.set(c.ind_type_name, "个体工商户");
    row.set(c.operator, &party.head);
    row.set(c.premises, &party.address);
    row.set(c.business_scope, trade.scope);
    let family = dice.chance(15);
    row.set(c.composition, if family { "2" } else { "1" });
    row.set(c.composition_name, if family { "家庭经营" } else { "个人经营" });
    row.set(c.regist_auth_code, place.statutory);
    row.set(c.regist_auth_name, registrar_name(place));
    row.set(c.regist_status, "1");
    row.set(c.regist_status_name, "存续");
    row.set(c.regist_date, party.founded.to_string());
    row.set(c.approval_date, party.approved.to_string());
    if dice.chance(30) {
        row.set(c.contact_name, &party.head);
        row.set(c.contact_phone, format!("1990000{}", dice.digits(4)));
    }
    if let Some((lon, lat)) = &party.coordinates {
        row.set(c.longitude, lon);
        row.set(c.latitude, lat);
    }
    row
}

pub(crate) fn organisation_row(
    table: &Table,
    c: &OrganisationColumns,
    party: &Party,
    place: &Place,
    dice: &mut Dice,
    today: NaiveDate,
) -> Result<Draft, CityError> {
    let mut row = Draft::new(table);
    let kind = &ORGANISATIONS[party.trade];
    row.set(c.administrative_cp, &party.name);
    row.set(c.administrative_cp_ui_code, &party.uscc);
    row.set(c.is_key_supervise, if dice.chance(10) { "是" } else { "否" });
    row.set(c.legal_name, &party.name);
    row.set(c.legal_type, kind.legal_type);
    row.set(c.approve_authority, format!("{}{}", place.name, kind.authority));
    row.set(c.approve_date, party.founded.to_string());
    let head = person(dice, 30, 60, today)?;
    row.set(c.legal_repr, &party.head);
    row.set(c.legal_repr_cert_type, "111");
    row.set(c.legal_repr_id_no, head.id_no);
    row.set(c.industry_code, kind.industry);
    row.set(c.org_class, kind.org_class);
    row.set(c.econ_type, "900");
    row.set(c.business_scope, "按登记的宗旨和业务范围开展活动");
    row.set(c.address_registered, &party.address);
    row.set(c.area_number, place.code);
    row.set(c.address_operating, &party.address);
    if let Some((lon, lat)) = &party.coordinates {
        row.set(c.longitude, lon);
        row.set(c.latitude, lat);
    }
    row.set(c.phone, format!("0632{}", dice.digits(7)));
    Ok(row)
}
