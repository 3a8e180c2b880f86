//! Holds somebody's answers against the table, cell by cell: what a decider must stand that wants to be trusted.

use mj_kernel::{Actor, ActorKind, AgencySet, DataLevel, Grant, Role, Scope};
use mj_web::{Decision, Identity, Proof, Resource};

use super::{Cell, Column, MATRIX, Reach};

const AREA: &str = "370400";
pub(super) const OWN_AGENCY: &str = "11370400000000001A";
const OWN_LINE: &str = "31";
pub(super) const OWN_SOURCE: &str = "own-source";

/// Compares a decider with the table: every action × every column × {nowhere named, own office,
/// sibling office, own office's thing of another item line, neighbouring city, own thing} × {old, recent, fresh} ×
/// {internal, personal level}. A decider that always allows or
/// always denies must not come out clean; the tests see to it.
pub fn violations(decider: &dyn Fn(&Identity, &str, Option<&Resource>) -> Decision) -> Vec<String> {
    let mut found = Vec::new();
    for (action, row) in &MATRIX.rows {
        for column in &MATRIX.columns {
            for (proof, level) in [
                (Proof::Old, DataLevel::Internal),
                (Proof::Recent, DataLevel::Internal),
                (Proof::Fresh, DataLevel::Internal),
                (Proof::Fresh, DataLevel::Personal),
            ] {
                let who = Identity { proof, ..specimen_of(*column, level) };
                for (place, resource) in places(&who.actor) {
                    let expected = expected(row, *column, place, proof, level);
                    let got = outcome(&decider(&who, action, resource.as_ref()));
                    if got != expected {
                        found.push(format!(
                            "{action} × {} × {place:?}（{proof:?}，{level:?}）：应为 {expected}，实为 {got}",
                            column.name()
                        ));
                    }
                }
            }
        }
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Unnamed,
    OwnOffice,
    SiblingOffice,
    OtherLine,
    OtherCity,
    OwnThing,
}

fn places(actor: &Actor) -> Vec<(Place, Option<Resource>)> {
    let at = |area, agency| Some(Resource::at(Some(area), Some(agency)).of_item_line(OWN_LINE));
    let other_line = Resource::at(Some("370402"), Some(OWN_AGENCY)).of_item_line("16");
    let own = Resource::at(Some("410700"), Some("11410700000000002B"))
        .of_source(OWN_SOURCE)
        .owned_by(actor.reference());
    vec![
        (Place::Unnamed, None),
        (Place::OwnOffice, at("370402", OWN_AGENCY)),
        (Place::SiblingOffice, at("370402", "11370402000000003C")),
        (Place::OtherLine, Some(other_line)),
        (Place::OtherCity, at("410700", OWN_AGENCY)),
        (Place::OwnThing, Some(own)),
    ]
}

#[cfg(test)]
pub(super) fn specimen(column: Column) -> Identity {
    specimen_of(column, DataLevel::Internal)
}

/// Somebody for whom exactly this column speaks.
fn specimen_of(column: Column, level: DataLevel) -> Identity {
    let kind = match column {
        Column::Anonymous | Column::Role(Role::Anonymous) => ActorKind::Anonymous,
        Column::Source => ActorKind::Source { cd_source: OWN_SOURCE.into() },
        Column::Emergency => ActorKind::Emergency { seal_id: "specimen".into() },
        Column::Person | Column::Role(_) => ActorKind::Person { account_id: "specimen".into() },
    };
    let scope = Scope {
        areas: vec![AREA.into()],
        agencies: AgencySet::only([OWN_AGENCY]),
        item_lines: AgencySet::only([OWN_LINE]),
        level,
    };
    let grants = match column {
        Column::Role(role) => vec![Grant { role, scope }],
        _ => Vec::new(),
    };
    Identity::of(Actor { kind, grants })
}

/// What the cells say, read without the decider's own code path.
fn expected(
    row: &[Option<Cell>],
    column: Column,
    place: Place,
    proof: Proof,
    level: DataLevel,
) -> &'static str {
    let held = |column| matches!(column, Column::Role(_)).then_some(level);
    let says = |column| {
        let cell = MATRIX.cell(row, column)?;
        (!cell.personal || held(column) == Some(DataLevel::Personal)).then_some(cell)
    };
    let mut cells: Vec<Cell> = says(column).into_iter().collect();
    if matches!(column, Column::Role(_)) {
        cells.extend(says(Column::Person));
    }
    if cells.is_empty() {
        cells.extend(says(Column::Anonymous));
    }
    if cells.is_empty() {
        return "deny";
    }
    let public = cells.len() == 1 && Some(cells[0]) == says(Column::Anonymous);
    cells.retain(|cell| match (cell.reach, place) {
        (_, Place::Unnamed | Place::OwnOffice) if cell.reach != Reach::Own => true,
        (Reach::Any, _) | (_, Place::Unnamed) => true,
        (Reach::Scope, _) => public && place != Place::Unnamed,
        (Reach::Area, _) => public || place == Place::SiblingOffice,
        (Reach::Own, _) => place == Place::OwnThing,
    });
    if cells.is_empty() {
        return "not_found";
    }
    cells.retain(|cell| match cell.proof {
        Proof::Old => true,
        Proof::Recent => proof != Proof::Old,
        Proof::Fresh => proof == Proof::Fresh,
    });
    if cells.is_empty() {
        return "need_step_up";
    }
    if place != Place::Unnamed && cells.iter().all(|cell| cell.second) {
        return "need_second_person";
    }
    "allow"
}

fn outcome(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allow(_) => "allow",
        Decision::NotFound => "not_found",
        Decision::Deny => "deny",
        Decision::NeedStepUp => "need_step_up",
        Decision::NeedSecondPerson => "need_second_person",
    }
}
