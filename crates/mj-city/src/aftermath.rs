//! What follows from inspections: penalties, coercive measures and other acts, each with the inspection it comes from
//! or as a case of its own.

use std::collections::VecDeque;

use chrono::{Duration, NaiveDate};
use mj_standard::Table;

use crate::CityError;
use crate::behaviours::{Acts, Found, PartyColumns, line_of};
use crate::catalogue::{FORCE, Main, OTHER, PUNISH};
use crate::delivery::{About, Delivery};
use crate::dice::Dice;
use crate::draft::{Draft, columns};

columns!(PunishColumns {
    supervise_item_code,
    punish_action_name,
    punish_action_code,
    case_source,
    check_action_code,
    illegal_fact,
    punish_accord,
    punish_procedure,
    if_hearing_witnesses,
    filing_date,
    case_involving_punishment,
    major_case,
    legal_review,
    legal_review_date,
    legal_review_opinions,
    discuss_collectively,
    group_discussion_date,
    group_discussion_conclusion,
    punish_document_code,
    set_date,
    punish_type,
    fine,
    cases_closed_fine,
    penalty_result,
    administrative_reconsider,
    administrative_action,
    cases_closed_execution_way,
    cases_closed_execution_result,
    no_penalty,
    cases_closed_date,
});

columns!(ForceColumns {
    supervise_item_code,
    force_action_name,
    force_action_code,
    check_action_code,
    illegal_fact,
    mandatory_basis,
    mandatory_decision_number,
    force_type,
    coercive_measure_type,
    force_execution_type,
    force_result,
    mandatory_decision_sev_date,
    force_extend_date,
    end_date,
});

columns!(OtherColumns {
    supervise_item_code,
    action_name,
    action_code,
    check_behavior_number,
    item_source,
    supervise_measure,
    closing_case,
    start_date,
    end_date,
});

impl Acts<'_> {
    /// The inspection an act comes from, or a fresh case without one.
    fn origin(
        &mut self,
        source: &str,
        kind: char,
        type_of_item: &'static str,
        bodies: &[(usize, u32)],
        from_check: usize,
    ) -> (Found, bool) {
        let world = self.world;
        if self.dice.chance(from_check)
            && let Some(found) =
                self.found.get_mut(&(source.to_owned(), kind)).and_then(VecDeque::pop_front)
        {
            let main = world.catalogue.subitems[found.item].item;
            let same = |sub: &&usize| world.catalogue.subitems[**sub].item == main;
            let list = &world.items[&(line_of(&world.agencies[found.agency]), type_of_item)];
            if let Some(item) = list.iter().find(same) {
                return (Found { item: *item, ..found }, true);
            }
        }
        loop {
            let agency = self.agency(bodies);
            let list = &world.items[&(line_of(&world.agencies[agency]), type_of_item)];
            if list.is_empty() {
                continue;
            }
            let item = *self.dice.pick(list);
            let day = self.dice.working_day(world.since, world.today - Duration::days(100));
            let subject = self.subject(agency);
            return (Found { agency, item, day, number: "无".to_owned(), subject }, false);
        }
    }

    fn main(&self, item: usize) -> &'static Main {
        self.world.catalogue.items[self.world.catalogue.subitems[item].item].main
    }

    pub fn punishments(
        &mut self,
        delivery: &mut Delivery,
        plan: usize,
        bodies: &[(usize, u32)],
    ) -> Result<(), CityError> {
        let (c, p) = (PunishColumns::of(delivery.table)?, PartyColumns::of(delivery.table)?);
        let (rows, source) = (delivery.plans[plan].rows, delivery.plans[plan].source.clone());
        delivery.open(plan)?;
        for _ in 0..rows {
            let (found, from_check, set, kinds) = loop {
                let (found, from_check) = self.origin(&source, 'C', PUNISH, bodies, 80);
                let set = found.day + Duration::days(self.dice.between(6, 70));
                let kinds = ["02", "01", "01;02", "02;03", "08", "04", "02;09"]
                    [self.dice.weighted([52, 20, 12, 8, 3, 2, 3].into_iter())];
                let item = self.world.catalogue.subitems[found.item].code.as_str();
                let body = self.world.agencies[found.agency].org_code.as_str();
                let fresh = set <= self.world.today
                    && self.new_key(&[
                        "C",
                        &found.subject.code,
                        item,
                        &set.to_string(),
                        kinds,
                        body,
                    ]);
                if fresh {
                    break (found, from_check, set, kinds);
                }
            };
            let row = self.punishment(delivery.table, &c, &p, &found, from_check, set, kinds);
            let number = row.get(c.punish_action_code).to_owned();
            let submitted = self.handed_in(set);
            let about = About {
                submitted: Some(submitted),
                submitter: self.submitter(found.agency),
                number: &number,
                ..About::default()
            };
            let fate = delivery.emit(row, &about)?;
            if let (true, Some((by, uscc))) = (fate.clean, &found.subject.link) {
                delivery.link(fate.row, by, uscc);
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn punishment(
        &mut self,
        table: &Table,
        c: &PunishColumns,
        p: &PartyColumns,
        found: &Found,
        from_check: bool,
        set: NaiveDate,
        kinds: &str,
    ) -> Draft {
        let mut row = Draft::new(table);
        let main = self.main(found.item);
        let fact = *self.dice.pick(main.facts);
        self.fill_party(&mut row, p, found.agency, &found.subject);
        row.set(c.supervise_item_code, &self.world.catalogue.subitems[found.item].code);
        row.set(c.punish_action_name, format!("{}{fact}案", found.subject.name));
        row.set(c.punish_action_code, self.number('C', &self.world.agencies[found.agency], set));
        row.set(
            c.case_source,
            if from_check { "01" } else { *self.dice.pick(&["02", "03", "04", "06"]) },
        );
        row.set(c.check_action_code, &found.number);
        row.set(c.illegal_fact, fact);
        row.set(c.punish_accord, main.punish_law);
        let citizen = found.subject.nature == "01";
        let simple = self.dice.chance(25);
        row.set(c.punish_procedure, if simple { "01" } else { "02" });
        let filed =
            (found.day + Duration::days(self.dice.between(0, 5))).min(set - Duration::days(1));
        if !simple {
            row.set(c.filing_date, filed.to_string());
        }
        let yuan = match (simple, citizen) {
            (true, true) => self.dice.between(1, 4) * 50,
            (true, false) => self.dice.between(1, 30) * 100,
            (false, true) => self.dice.between(3, 20) * 100,
            (false, false) => self.dice.between(5, 400) * 100,
        };
        let fined = kinds.contains("02");
        let heavy = fined && yuan >= 20_000;
        row.set(c.if_hearing_witnesses, if heavy && self.dice.chance(20) { "是" } else { "否" });
        row.set(c.case_involving_punishment, "否");
        row.set(c.major_case, if heavy { "是" } else { "否" });
        let between =
            |dice: &mut Dice| filed + Duration::days(dice.between(0, (set - filed).num_days()));
        if !simple && (heavy || self.dice.chance(50)) {
            row.set(c.legal_review, "是");
            row.set(c.legal_review_date, between(&mut self.dice).to_string());
            row.set(c.legal_review_opinions, "事实清楚、证据确凿，同意");
        } else {
            row.set(c.legal_review, "否");
        }
        if heavy {
            row.set(c.discuss_collectively, "是");
            row.set(c.group_discussion_date, between(&mut self.dice).to_string());
            row.set(c.group_discussion_conclusion, "同意处罚意见");
        } else {
            row.set(c.discuss_collectively, "否");
        }
        row.set(c.punish_document_code, self.document('C', "罚", found.agency, set));
        row.set(c.set_date, set.to_string());
        row.set(c.punish_type, kinds);
        if fined {
            row.set(c.fine, yuan.to_string());
        }
        row.set(
            c.penalty_result,
            if fined { format!("罚款{yuan}元") } else { "警告并责令改正".to_owned() },
        );
        row.set(c.administrative_reconsider, if self.dice.chance(2) { "04" } else { "00" });
        row.set(c.administrative_action, if self.dice.chance(1) { "01" } else { "00" });
        row.set(c.no_penalty, "否");
        let closed = set + Duration::days(self.dice.between(2, 25));
        if closed <= self.world.today && self.dice.chance(85) {
            row.set(c.cases_closed_date, closed.to_string());
            row.set(c.cases_closed_execution_way, if self.dice.chance(95) { "1" } else { "2" });
            row.set(c.cases_closed_execution_result, "1");
            if fined {
                row.set(c.cases_closed_fine, yuan.to_string());
            }
        }
        row
    }

    pub fn measures(
        &mut self,
        delivery: &mut Delivery,
        plan: usize,
        bodies: &[(usize, u32)],
    ) -> Result<(), CityError> {
        let (c, p) = (ForceColumns::of(delivery.table)?, PartyColumns::of(delivery.table)?);
        let (rows, source) = (delivery.plans[plan].rows, delivery.plans[plan].source.clone());
        delivery.open(plan)?;
        for _ in 0..rows {
            let executed = self.dice.chance(8);
            let kind = if executed { "02" } else { "01" };
            let (found, start) = loop {
                let (found, _) = self.origin(&source, 'Q', FORCE, bodies, 85);
                let start = found.day + Duration::days(self.dice.between(0, 2));
                let item = self.world.catalogue.subitems[found.item].code.as_str();
                let body = self.world.agencies[found.agency].org_code.as_str();
                let fresh = start <= self.world.today
                    && self.new_key(&[
                        "Q",
                        &found.subject.code,
                        item,
                        &start.to_string(),
                        kind,
                        body,
                    ]);
                if fresh {
                    break (found, start);
                }
            };
            let main = self.main(found.item);
            let fact = *self.dice.pick(main.facts);
            let mut row = Draft::new(delivery.table);
            self.fill_party(&mut row, &p, found.agency, &found.subject);
            let number = self.number('Q', &self.world.agencies[found.agency], start);
            row.set(c.supervise_item_code, &self.world.catalogue.subitems[found.item].code);
            row.set(c.force_action_name, format!("对{}采取强制措施", found.subject.name));
            row.set(c.force_action_code, &number);
            row.set(c.check_action_code, &found.number);
            row.set(c.illegal_fact, format!("涉嫌{fact}"));
            row.set(c.mandatory_basis, main.law);
            row.set(c.mandatory_decision_number, self.document('Q', "强", found.agency, start));
            row.set(c.force_type, kind);
            if executed {
                row.set(c.force_execution_type, *self.dice.pick(&["01", "04", "05"]));
            } else {
                row.set(c.coercive_measure_type, *self.dice.pick(&["02", "03", "03"]));
            }
            row.set(c.mandatory_decision_sev_date, start.to_string());
            row.set(c.force_extend_date, "0");
            let end = start + Duration::days(self.dice.between(3, 29));
            if end <= self.world.today {
                row.set(c.end_date, end.to_string());
                row.set(c.force_result, "已解除");
            }
            let submitted = self.handed_in(start);
            let about = About {
                submitted: Some(submitted),
                submitter: self.submitter(found.agency),
                number: &number,
                ..About::default()
            };
            let fate = delivery.emit(row, &about)?;
            if let (true, Some((by, uscc))) = (fate.clean, &found.subject.link) {
                delivery.link(fate.row, by, uscc);
            }
        }
        Ok(())
    }

    pub fn others(
        &mut self,
        delivery: &mut Delivery,
        plan: usize,
        bodies: &[(usize, u32)],
    ) -> Result<(), CityError> {
        let (c, p) = (OtherColumns::of(delivery.table)?, PartyColumns::of(delivery.table)?);
        let (rows, source) = (delivery.plans[plan].rows, delivery.plans[plan].source.clone());
        delivery.open(plan)?;
        for _ in 0..rows {
            let measure =
                *self.dice.pick(&["行政约谈", "行政指导", "整改复查", "行政告诫", "提醒敦促"]);
            let (found, from_check, start) = loop {
                let (found, from_check) = self.origin(&source, 'T', OTHER, bodies, 85);
                let start = found.day + Duration::days(self.dice.between(0, 12));
                let item = self.world.catalogue.subitems[found.item].code.as_str();
                let body = self.world.agencies[found.agency].org_code.as_str();
                let fresh = start <= self.world.today
                    && self.new_key(&[
                        "T",
                        &found.subject.code,
                        item,
                        &start.to_string(),
                        measure,
                        body,
                    ]);
                if fresh {
                    break (found, from_check, start);
                }
            };
            let mut row = Draft::new(delivery.table);
            self.fill_party(&mut row, &p, found.agency, &found.subject);
            let number = self.number('T', &self.world.agencies[found.agency], start);
            row.set(c.supervise_item_code, &self.world.catalogue.subitems[found.item].code);
            row.set(c.action_name, format!("对{}{measure}", found.subject.name));
            row.set(c.action_code, &number);
            row.set(c.check_behavior_number, &found.number);
            row.set(
                c.item_source,
                if from_check { "01" } else { *self.dice.pick(&["03", "04", "06"]) },
            );
            row.set(c.supervise_measure, measure);
            row.set(c.start_date, start.to_string());
            let end = start + Duration::days(self.dice.between(0, 20));
            if end <= self.world.today {
                row.set(c.end_date, end.to_string());
                row.set(c.closing_case, *self.dice.pick(&["已整改", "已整改到位", "承诺限期整改"]));
            }
            let submitted = self.handed_in(start);
            let about = About {
                submitted: Some(submitted),
                submitter: self.submitter(found.agency),
                number: &number,
                ..About::default()
            };
            let fate = delivery.emit(row, &about)?;
            if let (true, Some((by, uscc))) = (fate.clean, &found.subject.link) {
                delivery.link(fate.row, by, uscc);
            }
        }
        Ok(())
    }
}
