//! Files that the acts stand on: catalogue, officers, plans, credit classes and lists.
//!
//! Rows that other rows refer to carry no faults; faulty rows are added behind them, so that a refused row never makes
//! another one fall.

use std::collections::HashSet;

use chrono::{Datelike, Duration, NaiveDate};

use crate::CityError;
use crate::agencies::{Officer, certificate, person, validity};
use crate::catalogue::{CHECK, implementation_code};
use crate::delivery::{About, Delivery};
use crate::dice::Dice;
use crate::draft::{Draft, columns};
use crate::parties::PartyKind;
use crate::places::{CITY, CITY_NAME};
use crate::world::World;

columns!(ItemColumns {
    manage_id,
    matter_name,
    matter_code,
    parent_code,
    department_id,
    department_name,
    permit_type,
    item_status,
    area_number,
    version_id,
    version_date,
    create_user_id,
    create_user,
    create_department_id,
    create_dep_name,
    create_date,
    update_date,
});

columns!(SubitemColumns {
    manage_matter_code,
    subitem_name,
    subitem_code,
    supervise_object,
    supervise_form,
    administrative_type,
    set_gist,
    supervise_way,
    supervise_flow,
    supervise_result,
    supervise_level,
    take_effect_date,
    cancel_date,
});

columns!(ImplementColumns {
    detail_code,
    inventory_code,
    exercise_level,
    implement_body,
    implement_body_code,
    implement_nature,
    supervision_object,
    supervision_object_sub,
    examine_type,
    examine_way,
    is_random,
    check_proportion,
    check_frequency,
    check_content_day,
    check_content_particularly,
    is_check,
    is_synergy,
    take_effect_date,
    cancel_date,
    version_id,
    version_date,
    item_status,
    area_number,
});

columns!(OfficerColumns {
    name,
    org_full_name,
    id_no,
    gender,
    birth_date,
    political_status,
    rank,
    nation,
    education,
    law_staff_type,
    is_supervisor,
    has_legal_qualification,
    phone,
    certificate_no,
    major,
    issue_authority,
    law_area,
    law_type,
    valid_until,
    area_number,
    dept_code,
});

columns!(PlanColumns {
    plan_id,
    plan_name,
    plan_year,
    area_name,
    area_number,
    dept_uscc,
    dept_code,
    draw_ratio
});

columns!(PlanObjectColumns { plan_id, object_name, object_id, object_uscc });

columns!(CreditColumns {
    uscc,
    ent_name,
    id_type,
    credit_class,
    score,
    class_kind,
    estimate_time,
    batch,
    credit_source
});

columns!(AbnormalColumns {
    uscc,
    ent_name,
    legal_repr,
    put_reason_code,
    put_reason_text,
    put_fact,
    put_date,
    put_authority,
    doc_no,
    first_review_person,
    first_review_date,
    first_review_opinion,
    audit_person,
    audit_date,
    audit_opinion,
    is_move,
    remove_reason,
    remove_date,
    remove_authority,
});

columns!(SeriousColumns {
    uscc,
    ent_name,
    dishonesty_type,
    cause,
    explain,
    basis_num,
    put_date,
    put_authority,
    doc_no,
    term,
    expire_date,
    delay_flag,
    notice_state,
    public_date,
});

const EFFECT: &str = "2020-01-01";
const VERSION: &str = "20200101080000";
const VERSION_TIME: &str = "2020-01-01 08:00:00";

fn spared(number: &str) -> About<'_> {
    About { number, spared: true, ..About::default() }
}

fn plain(number: &str) -> About<'_> {
    About { number, ..About::default() }
}

pub(crate) fn items(world: &World, delivery: &mut Delivery) -> Result<(), CityError> {
    let c = ItemColumns::of(delivery.table)?;
    let mut dice = Dice::new(world.seed, "items");
    let table = delivery.table;
    let mut row_of = |code: &str, line: &str, name: &str| {
        let mut row = Draft::new(table);
        let owner = world.agencies.iter().find(|a| a.department == line && a.area_number == CITY);
        let (body, body_name) = owner.map_or(("", ""), |a| (a.org_code.as_str(), a.name.as_str()));
        let id: String = (0..32)
            .map(|_| {
                *dice.pick(&[
                    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
                ])
            })
            .collect();
        row.set(c.manage_id, id);
        row.set(c.matter_name, name);
        row.set(c.matter_code, code);
        row.set(c.parent_code, "0");
        row.set(c.department_id, line);
        row.set(c.department_name, body_name);
        row.set(c.permit_type, "01");
        row.set(c.item_status, "01");
        row.set(c.area_number, CITY);
        row.set(c.version_id, VERSION);
        row.set(c.version_date, VERSION_TIME);
        row.set(c.create_user_id, "u0001");
        row.set(c.create_user, "目录管理员");
        row.set(c.create_department_id, body);
        row.set(c.create_dep_name, body_name);
        row.set(c.create_date, "2019-11-20 10:00:00");
        row.set(c.update_date, "2019-12-20 10:00:00");
        row
    };
    delivery.open(0)?;
    for item in &world.catalogue.items {
        let row = row_of(&item.code, item.main.line, item.main.name);
        delivery.emit(row, &spared(&item.code))?;
    }
    for spare in 900.. {
        if delivery.planter_done() {
            break;
        }
        let code = format!("3101{spare:04}");
        let row = row_of(&code, "31", "待清理的事项");
        delivery.emit(row, &plain(&code))?;
    }
    delivery.close()
}

pub(crate) fn subitems(world: &World, delivery: &mut Delivery) -> Result<(), CityError> {
    let c = SubitemColumns::of(delivery.table)?;
    let table = delivery.table;
    let row_of = |at: usize, code: &str| {
        let sub = &world.catalogue.subitems[at];
        let main = world.catalogue.items[sub.item].main;
        let mut row = Draft::new(table);
        row.set(c.manage_matter_code, &world.catalogue.items[sub.item].code);
        row.set(c.subitem_name, &sub.name);
        row.set(c.subitem_code, code);
        row.set(c.supervise_object, main.object);
        row.set(c.supervise_form, "现场检查、非现场检查");
        row.set(c.administrative_type, sub.kind);
        row.set(c.set_gist, if sub.kind == CHECK { main.law } else { main.punish_law });
        row.set(c.supervise_way, "查阅资料、现场查看、询问当事人");
        row.set(c.supervise_flow, "制定计划；实施检查；结果告知；结果公示");
        row.set(c.supervise_result, "责令改正、行政指导、行政处罚");
        row.set(c.supervise_level, "3;4");
        row.set(c.take_effect_date, EFFECT);
        if world.catalogue.is_cancelled(sub) {
            row.set(c.cancel_date, world.catalogue.cancelled_on.to_string());
        }
        row
    };
    delivery.open(0)?;
    for (at, sub) in world.catalogue.subitems.iter().enumerate() {
        delivery.emit(row_of(at, &sub.code), &spared(&sub.code))?;
    }
    for spare in 900.. {
        if delivery.planter_done() {
            break;
        }
        let code = format!("{}{spare:06}", world.catalogue.items[0].code);
        delivery.emit(row_of(0, &code), &plain(&code))?;
    }
    delivery.close()
}

pub(crate) fn implementations(world: &World, delivery: &mut Delivery) -> Result<(), CityError> {
    let c = ImplementColumns::of(delivery.table)?;
    let table = delivery.table;
    let row_of = |agency: usize, at: usize, version: &str| {
        let body = &world.agencies[agency];
        let sub = &world.catalogue.subitems[at];
        let main = world.catalogue.items[sub.item].main;
        let daily = sub.code.ends_with('1');
        let mut row = Draft::new(table);
        row.set(c.detail_code, &sub.code);
        row.set(c.inventory_code, implementation_code(body, &sub.code));
        row.set(c.exercise_level, &body.exercise_level);
        row.set(c.implement_body, &body.name);
        row.set(c.implement_body_code, &body.org_code);
        row.set(c.implement_nature, "01");
        row.set(c.supervision_object, main.object);
        row.set(c.supervision_object_sub, main.object);
        row.set(c.examine_type, "1");
        row.set(c.examine_way, "双随机、一公开；重点监管；信用监管");
        row.set(c.is_random, if daily { "1" } else { "2" });
        if daily {
            row.set(c.check_proportion, "不低于5%");
            row.set(c.check_frequency, "每年不超过2次");
        }
        row.set(c.check_content_day, main.facts.join("；"));
        row.set(c.check_content_particularly, main.name);
        row.set(c.is_check, "2");
        row.set(c.is_synergy, "2");
        row.set(c.take_effect_date, EFFECT);
        let cancelled = world.catalogue.is_cancelled(sub);
        if cancelled {
            row.set(c.cancel_date, world.catalogue.cancelled_on.to_string());
        }
        row.set(c.version_id, version);
        row.set(c.version_date, VERSION_TIME);
        row.set(c.item_status, if cancelled { "02" } else { "01" });
        row.set(c.area_number, &body.area_number);
        row
    };
    delivery.open(0)?;
    let mut last = None;
    for (agency, body) in world.agencies.iter().enumerate() {
        for (at, sub) in world.catalogue.subitems.iter().enumerate() {
            let mine =
                world.catalogue.items[sub.item].main.line == body.department && sub.kind == CHECK;
            if mine {
                let number = implementation_code(body, &sub.code);
                delivery.emit(row_of(agency, at, VERSION), &spared(&number))?;
                if sub.code.ends_with('1') && !world.catalogue.is_cancelled(sub) {
                    last = Some((agency, at));
                }
            }
        }
    }
    if let Some((agency, at)) = last {
        // a later version of an entry that stands already: refused, the old one stays in force
        for spare in 10..60 {
            if delivery.planter_done() {
                break;
            }
            let version = format!("202301010800{spare}");
            delivery.emit(row_of(agency, at, &version), &plain(&version))?;
        }
    }
    delivery.close()
}

/// Officers go into the file and, when their row is good, into their body's roster.
pub(crate) fn officers(
    world: &mut World,
    per_agency: usize,
    delivery: &mut Delivery,
) -> Result<(), CityError> {
    let c = OfficerColumns::of(delivery.table)?;
    let table = delivery.table;
    let mut dice = Dice::new(world.seed, "officers");
    let today = world.today;
    let mut row_of = |world: &World,
                      agency: usize,
                      sequence: usize,
                      valid: Option<NaiveDate>|
     -> Result<(Draft, Officer), CityError> {
        let body = &world.agencies[agency];
        // colleagues of one name would look like one officer in the rows that cite them
        let who = loop {
            let who = person(&mut dice, 25, 58, today)?;
            if !body.officers.iter().any(|officer| officer.name == who.name) {
                break who;
            }
        };
        let valid_until = valid.unwrap_or_else(|| validity(&mut dice, today));
        let mut row = Draft::new(table);
        let number = certificate(body, sequence);
        row.set(c.name, &who.name);
        row.set(c.org_full_name, &body.name);
        row.set(c.id_no, &who.id_no);
        row.set(c.gender, who.gender);
        row.set(c.birth_date, who.birth.to_string());
        row.set(c.political_status, if dice.chance(55) { "01" } else { "13" });
        row.set(c.rank, if dice.chance(20) { "142" } else { "150" });
        row.set(c.nation, if dice.chance(96) { "01" } else { "03" });
        row.set(c.education, if dice.chance(70) { "21" } else { "31" });
        row.set(c.law_staff_type, if dice.chance(70) { "01" } else { "03" });
        row.set(c.is_supervisor, if dice.chance(8) { "是" } else { "否" });
        row.set(c.has_legal_qualification, if dice.chance(12) { "是" } else { "否" });
        row.set(c.phone, &who.phone);
        row.set(c.certificate_no, &number);
        row.set(
            c.major,
            *dice.pick(&[
                "法学",
                "食品科学与工程",
                "安全工程",
                "环境工程",
                "行政管理",
                "公共卫生",
                "农学",
            ]),
        );
        row.set(c.issue_authority, "山东省司法厅");
        row.set(c.law_area, &body.area_name);
        row.set(c.law_type, &body.short_name);
        row.set(c.valid_until, valid_until.to_string());
        row.set(c.area_number, &body.area_number);
        row.set(c.dept_code, &body.department);
        Ok((row, Officer { name: who.name, certificate: number, valid_until }))
    };
    delivery.open(0)?;
    for agency in 0..world.agencies.len() {
        for sequence in 1..=per_agency {
            let (row, officer) = row_of(world, agency, sequence, None)?;
            debug_assert!(officer.valid_until > today);
            delivery.emit(row, &spared(&officer.certificate))?;
            world.agencies[agency].officers.push(officer);
        }
    }
    // certificates that ran out: their own rows pass with a remark, acts after that day do not
    for nth in 0..12 {
        let agency = nth * 4 % world.agencies.len();
        let until = today - Duration::days(200 + nth as i64 * 40);
        let (row, officer) = row_of(world, agency, 500 + nth, Some(until))?;
        let fate = delivery.emit(row, &spared(&officer.certificate))?;
        delivery.remark("certificate_expired", fate.row, "valid_until", "valid_until.expired")?;
        world.outside.expired.push((officer.name, officer.certificate, until.to_string()));
    }
    for nth in 0..80 {
        if delivery.planter_done() {
            break;
        }
        let (row, officer) = row_of(world, nth % world.agencies.len(), 700 + nth, None)?;
        delivery.emit(row, &plain(&officer.certificate))?;
    }
    delivery.close()
}

pub(crate) fn plans(world: &World, delivery: &mut Delivery) -> Result<Vec<String>, CityError> {
    let c = PlanColumns::of(delivery.table)?;
    let table = delivery.table;
    let row_of = |agency: usize, year: i32, id: &str| {
        let body = &world.agencies[agency];
        let mut row = Draft::new(table);
        row.set(c.plan_id, id);
        row.set(c.plan_name, format!("{}{year}年度“双随机、一公开”抽查计划", body.short_name));
        row.set(c.plan_year, year.to_string());
        let area = if body.area_number == CITY { CITY_NAME } else { &body.area_name };
        row.set(c.area_name, area);
        row.set(c.area_number, &body.area_number);
        row.set(c.dept_uscc, &body.org_code);
        row.set(c.dept_code, &body.department);
        row.set(c.draw_ratio, ["0.03", "0.05", "0.1"][agency % 3]);
        row
    };
    let mut ids = Vec::new();
    delivery.open(0)?;
    for (agency, _) in world.inspectors(None, None, None) {
        for year in world.since.year()..=world.today.year() {
            let day = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or(world.today);
            let id = world.plan_id(&world.agencies[agency], day);
            delivery.emit(row_of(agency, year, &id), &spared(&id))?;
            ids.push(id);
        }
    }
    for spare in 1..40 {
        if delivery.planter_done() {
            break;
        }
        let id = format!("P{}-SPARE-{spare:02}", world.today.year());
        delivery.emit(row_of(0, world.today.year(), &id), &plain(&id))?;
    }
    delivery.close()?;
    Ok(ids)
}

pub(crate) fn plan_objects(
    world: &World,
    plans: &[String],
    delivery: &mut Delivery,
) -> Result<(), CityError> {
    let c = PlanObjectColumns::of(delivery.table)?;
    let mut dice = Dice::new(world.seed, "plan objects");
    let rows = delivery.plans[0].rows;
    let mut seen = HashSet::new();
    delivery.open(0)?;
    for _ in 0..rows {
        let (plan, at) = loop {
            let pair = (dice.below(plans.len()), dice.below(world.parties.list.len()));
            if seen.insert(pair) {
                break pair;
            }
        };
        let party = &world.parties.list[at];
        let mut row = Draft::new(delivery.table);
        row.set(c.plan_id, &plans[plan]);
        row.set(c.object_name, &party.name);
        row.set(c.object_id, &party.entity_id);
        row.set(c.object_uscc, &party.uscc);
        let number = format!("{}-{}", plans[plan], party.entity_id);
        delivery.emit(row, &plain(&number))?;
    }
    delivery.close()
}

pub(crate) fn credit_classes(world: &World, delivery: &mut Delivery) -> Result<(), CityError> {
    let c = CreditColumns::of(delivery.table)?;
    let mut dice = Dice::new(world.seed, "credit");
    let month = (world.today - Duration::days(45)).format("%Y-%m").to_string();
    let rows = delivery.plans[0].rows;
    delivery.open(0)?;
    for party in world.parties.list.iter().filter(|p| p.kind != PartyKind::Organisation).take(rows)
    {
        let class = dice.weighted([46, 38, 12, 4].into_iter());
        let mut row = Draft::new(delivery.table);
        row.set(c.uscc, &party.uscc);
        row.set(c.ent_name, &party.name);
        row.set(c.id_type, "001");
        row.set(c.credit_class, ["A", "B", "C", "D"][class]);
        row.set(
            c.score,
            format!("{}.{}", 940 - class as i64 * 150 + dice.between(-60, 59), dice.below(10)),
        );
        row.set(c.class_kind, "1");
        row.set(c.estimate_time, format!("{month}-01"));
        row.set(c.batch, &month);
        row.set(c.credit_source, "2");
        delivery.emit(row, &plain(&format!("{}-{month}", party.uscc)))?;
    }
    delivery.close()
}

const REASONS: [(&str, &str); 4] = [
    ("1", "未按规定期限公示年度报告"),
    ("2", "未按责令期限公示有关企业信息"),
    ("3", "公示信息隐瞒真实情况、弄虚作假"),
    ("4", "通过登记的住所（经营场所）无法联系"),
];

pub(crate) fn abnormal(world: &World, delivery: &mut Delivery) -> Result<(), CityError> {
    let c = AbnormalColumns::of(delivery.table)?;
    let mut dice = Dice::new(world.seed, "abnormal");
    let rows = delivery.plans[0].rows;
    let enterprises = world.parties.list.iter().filter(|p| p.kind == PartyKind::Enterprise).count();
    let step = (enterprises / rows.max(1)).max(1);
    delivery.open(0)?;
    for (nth, party) in
        world.parties.list[..enterprises].iter().step_by(step).take(rows).enumerate()
    {
        let (code, text) = REASONS[dice.weighted([50, 15, 5, 30].into_iter())];
        let put = dice.working_day(world.since, world.today - Duration::days(200));
        let place = &world.places[party.place];
        let authority = crate::parties::registrar_name(place);
        let mut row = Draft::new(delivery.table);
        row.set(c.uscc, &party.uscc);
        row.set(c.ent_name, &party.name);
        row.set(c.legal_repr, &party.head);
        row.set(c.put_reason_code, code);
        row.set(c.put_reason_text, text);
        row.set(c.put_fact, text);
        row.set(c.put_date, put.to_string());
        row.set(c.put_authority, &authority);
        row.set(c.doc_no, format!("〔{}〕第{:04}号", put.year(), nth + 1));
        row.set(c.first_review_person, "王芳");
        row.set(c.first_review_date, (put - Duration::days(6)).to_string());
        row.set(c.first_review_opinion, "1");
        row.set(c.audit_person, "赵刚");
        row.set(c.audit_date, (put - Duration::days(1)).to_string());
        row.set(c.audit_opinion, "1");
        if dice.chance(55) {
            row.set(c.is_move, "1");
            row.set(c.remove_reason, "已履行公示义务");
            row.set(c.remove_date, (put + Duration::days(dice.between(20, 190))).to_string());
            row.set(c.remove_authority, &authority);
        }
        delivery.emit(row, &plain(&format!("YC{:05}", nth + 1)))?;
    }
    delivery.close()
}

pub(crate) fn serious(world: &World, delivery: &mut Delivery) -> Result<(), CityError> {
    let c = SeriousColumns::of(delivery.table)?;
    let mut dice = Dice::new(world.seed, "serious");
    let rows = delivery.plans[0].rows;
    delivery.open(0)?;
    for (nth, party) in world.parties.list.iter().skip(7).step_by(11).take(rows).enumerate() {
        let put = dice.working_day(world.since, world.today - Duration::days(60));
        let mut row = Draft::new(delivery.table);
        row.set(c.uscc, &party.uscc);
        row.set(c.ent_name, &party.name);
        row.set(
            c.dishonesty_type,
            *dice.pick(&["食品安全领域严重违法", "特种设备领域严重违法", "不正当竞争领域严重违法"]),
        );
        row.set(c.cause, "受到较重行政处罚且性质恶劣、情节严重、社会危害较大");
        row.set(c.explain, "处罚决定已生效");
        row.set(c.basis_num, "1");
        row.set(c.put_date, put.to_string());
        row.set(c.put_authority, "枣庄市市场监督管理局");
        row.set(c.doc_no, format!("枣市监严字〔{}〕{}号", put.year(), nth + 1));
        row.set(c.term, "36");
        row.set(c.expire_date, (put + Duration::days(1_095)).to_string());
        row.set(c.delay_flag, "否");
        row.set(c.notice_state, "0");
        row.set(c.public_date, (put + Duration::days(3)).to_string());
        delivery.emit(row, &plain(&format!("YZ{:05}", nth + 1)))?;
    }
    delivery.close()
}
