//! The access matrix and the decision. `access-matrix.tsv` is the rule; this module reads it,
//! answers by it, and can say where somebody else's answers differ from it. No I/O, no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use mj_kernel::{Actor, ActorKind, AgencySet, DataLevel, Grant, Role, Scope};
use mj_web::{Action, Allowance, Decision, Fields, Identity, Mask, Proof, Resource, Route};

static TEXT: &str = include_str!("../access-matrix.tsv");

static MATRIX: LazyLock<Matrix> = LazyLock::new(|| {
    Matrix::parse(TEXT).expect("the checked-in matrix parses: a test of this crate reads it")
});

/// For whom a column speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Everybody for whom no other column says anything.
    Anonymous,
    /// Anyone signed in.
    Person,
    /// A department's own system.
    Source,
    /// Two holders with the sealed code of an emergency, for whom neither `person` nor any role speaks.
    Emergency,
    Role(Role),
}

impl Column {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "anonymous" => Some(Self::Anonymous),
            "person" => Some(Self::Person),
            "source" => Some(Self::Source),
            "emergency" => Some(Self::Emergency),
            _ => Role::parse(name).map(Self::Role),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Person => "person",
            Self::Source => "source",
            Self::Emergency => "emergency",
            Self::Role(role) => role.name(),
        }
    }
}

/// How far an allowance goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Any,
    Scope,
    Area,
    Own,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Show {
    Masked,
    Clear,
    Public,
}

/// An allowance as the table says it; a denied cell is no cell at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    reach: Reach,
    show: Show,
    /// How lately the password must have been given.
    proof: Proof,
    second: bool,
    personal: bool,
}

impl Cell {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('+');
        let (reach, show) = match parts.next()?.split_once('/') {
            Some((reach, "clear")) => (reach, Show::Clear),
            Some((reach, "public")) => (reach, Show::Public),
            Some(_) => return None,
            None => (text.split('+').next()?, Show::Masked),
        };
        let reach = match reach {
            "any" => Reach::Any,
            "scope" => Reach::Scope,
            "area" => Reach::Area,
            "own" => Reach::Own,
            _ => return None,
        };
        let mut cell = Self { reach, show, proof: Proof::Old, second: false, personal: false };
        for part in parts {
            match part {
                "fresh" => cell.proof = Proof::Fresh,
                "recent" => cell.proof = Proof::Recent,
                "second" => cell.second = true,
                "personal" => cell.personal = true,
                _ => return None,
            }
        }
        Some(cell)
    }

    /// Where a grant's scope reaches under this cell; `None` where place is not the measure.
    fn scope(self, granted: &Scope) -> Option<Scope> {
        match self.reach {
            Reach::Any => Some(Scope::everything(granted.level)),
            Reach::Scope => Some(granted.clone()),
            Reach::Area => Some(Scope { agencies: AgencySet::All, ..granted.clone() }),
            Reach::Own => None,
        }
    }

    fn covers(self, granted: &Scope, actor: &Actor, resource: &Resource) -> bool {
        let Some(scope) = self.scope(granted) else { return owns(actor, resource) };
        let place = self.reach == Reach::Any
            || scope.covers(resource.area.as_deref(), resource.agency.as_deref())
                && resource.item_line.as_deref().is_none_or(|line| scope.item_lines.covers(line));
        place && (resource.level <= scope.level || self.reach == Reach::Any)
    }

    fn mask(self, granted: &Scope) -> Mask {
        match self.show {
            Show::Clear if granted.level >= DataLevel::Personal => Mask::Clear,
            Show::Clear | Show::Masked => Mask::Partial,
            Show::Public => Mask::Full,
        }
    }

    fn fields(self) -> Fields {
        if self.show == Show::Public { Fields::Public } else { Fields::All }
    }
}

fn owns(actor: &Actor, resource: &Resource) -> bool {
    let source = match &actor.kind {
        ActorKind::Source { cd_source } => resource.cd_source.as_deref() == Some(cd_source),
        _ => false,
    };
    source || resource.owner.as_deref() == Some(actor.reference().as_str())
}

struct Matrix {
    columns: Vec<Column>,
    rows: BTreeMap<&'static str, Vec<Option<Cell>>>,
}

impl Matrix {
    fn parse(text: &'static str) -> Result<Self, String> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let head = lines.next().ok_or("no header")?;
        let columns: Vec<Column> = head
            .split('\t')
            .skip(2)
            .map(|name| Column::parse(name).ok_or_else(|| format!("unknown column {name}")))
            .collect::<Result<_, _>>()?;
        let missing: Vec<&str> = Role::ALL
            .iter()
            .filter(|role| !columns.iter().any(|column| column.name() == role.name()))
            .map(|role| role.name())
            .collect();
        if !missing.is_empty() {
            return Err(format!("no column for {missing:?}"));
        }
        let mut rows = BTreeMap::new();
        for line in lines {
            let mut parts = line.split('\t');
            let action = parts.next().unwrap_or_default();
            let cells: Vec<Option<Cell>> = parts
                .skip(1)
                .map(|text| match text {
                    "-" => Ok(None),
                    _ => Cell::parse(text).map(Some).ok_or_else(|| format!("{action}: {text}")),
                })
                .collect::<Result<_, _>>()?;
            if cells.len() != columns.len() {
                return Err(format!("{action}: {} cells", cells.len()));
            }
            if rows.insert(action, cells).is_some() {
                return Err(format!("{action} stands twice"));
            }
        }
        Ok(Self { columns, rows })
    }

    fn cell(&self, row: &[Option<Cell>], column: Column) -> Option<Cell> {
        let index = self.columns.iter().position(|known| *known == column)?;
        row[index]
    }
}

/// May they? Pure: everything it looks at is in its arguments and the checked-in table.
pub fn decide(who: &Identity, action: &str, resource: Option<&Resource>) -> Decision {
    decide_by(&MATRIX, who, action, resource)
}

fn decide_by(
    matrix: &Matrix,
    who: &Identity,
    action: &str,
    resource: Option<&Resource>,
) -> Decision {
    let Some(row) = matrix.rows.get(action) else { return Decision::Deny };
    let mut open = candidates(matrix, row, &who.actor);
    if open.is_empty() {
        return Decision::Deny;
    }
    if let Some(resource) = resource {
        open.retain(|(cell, scope)| cell.covers(scope, &who.actor, resource));
        if open.is_empty() {
            return Decision::NotFound;
        }
    }
    open.retain(|(cell, _)| cell.proof <= who.proof);
    if open.is_empty() {
        return Decision::NeedStepUp;
    }
    if let Some(resource) = resource {
        // one's own approval is none
        let approved =
            resource.approved_by.as_ref().is_some_and(|other| *other != who.actor.reference());
        open.retain(|(cell, _)| !cell.second || approved);
        if open.is_empty() {
            return Decision::NeedSecondPerson;
        }
    }
    Decision::Allow(allowance(&open, resource.is_some()))
}

/// Every action that is not denied outright, so that a face shows only what can be done.
pub fn actions_of(actor: &Actor) -> Vec<&'static str> {
    let allowed = |row: &[Option<Cell>]| !candidates(&MATRIX, row, actor).is_empty();
    MATRIX.rows.iter().filter(|(_, row)| allowed(row)).map(|(action, _)| *action).collect()
}

/// The cells that speak for this actor, each with the scope it is held in.
fn candidates(matrix: &Matrix, row: &[Option<Cell>], actor: &Actor) -> Vec<(Cell, Scope)> {
    let mut open = Vec::new();
    let mut add = |column, scope: Scope| {
        if let Some(cell) = matrix.cell(row, column)
            && (!cell.personal || scope.level >= DataLevel::Personal)
        {
            open.push((cell, scope));
        }
    };
    match &actor.kind {
        ActorKind::Person { .. } => {
            for grant in &actor.grants {
                add(Column::Role(grant.role), grant.scope.clone());
            }
            add(Column::Person, Scope::everything(DataLevel::Internal));
        }
        ActorKind::Source { .. } => add(Column::Source, Scope::everything(DataLevel::Internal)),
        ActorKind::Emergency { .. } => {
            add(Column::Emergency, Scope::everything(DataLevel::Internal));
        }
        // the house itself does not come through the door for people
        ActorKind::Anonymous | ActorKind::System { .. } => {}
    }
    if open.is_empty()
        && let Some(cell) = matrix.cell(row, Column::Anonymous)
    {
        open.push((cell, Scope::public()));
    }
    open
}

/// For one object the kindest mask of those that cover it; for a whole list the strictest of all,
/// because a list does not know which grant shows which row.
fn allowance(open: &[(Cell, Scope)], object: bool) -> Allowance {
    let masks = open.iter().map(|(cell, scope)| cell.mask(scope));
    let mask = if object { masks.min() } else { masks.max() };
    let public = |(cell, _): &(Cell, Scope)| cell.fields() == Fields::Public;
    let narrow = if object { open.iter().all(public) } else { open.iter().any(public) };
    Allowance {
        // a grant of what is public shows no list of what is internal
        scopes: open
            .iter()
            .filter(|(cell, scope)| {
                scope.level >= DataLevel::Internal
                    || cell.show == Show::Public
                    || cell.reach == Reach::Any
            })
            .filter_map(|(cell, scope)| cell.scope(scope))
            .collect(),
        mask: mask.unwrap_or(Mask::Full),
        fields: if narrow { Fields::Public } else { Fields::All },
    }
}

/// Whether this is an act, not a look, that only the role of an officer opens to them.
pub fn acts_as_officer(who: &Identity, action: &str, resource: Option<&Resource>) -> bool {
    if action.ends_with(".read") || !who.actor.has(Role::Officer) {
        return false;
    }
    let mut without = who.clone();
    without.actor.grants.retain(|grant| grant.role != Role::Officer);
    !matches!(decide(&without, action, resource), Decision::Allow(_))
        && matches!(decide(who, action, resource), Decision::Allow(_))
}

/// What every way in which this actor holds the action asks besides.
pub struct Conditions {
    /// The password again, given how lately.
    pub proof: Proof,
    /// Another person.
    pub second: bool,
    /// A grant of the personal level: the act shows a masked value.
    pub personal: bool,
}

pub fn conditions(actor: &Actor, action: &str) -> Conditions {
    let open = MATRIX.rows.get(action).map(|row| candidates(&MATRIX, row, actor));
    let all = |asked: fn(&Cell) -> bool| {
        open.as_ref().is_some_and(|open| open.iter().all(|(cell, _)| asked(cell)))
    };
    // the kindest way is the one that counts
    let proof = open.iter().flatten().map(|(cell, _)| cell.proof).min();
    Conditions {
        proof: proof.unwrap_or_default(),
        second: all(|cell| cell.second),
        personal: all(|cell| cell.personal),
    }
}

/// How lately the password must have been given wherever the table allows this to a person: the least of all its cells.
/// `None`: no such action, or nobody's.
pub fn proof_of(action: &str) -> Option<Proof> {
    let row = MATRIX.rows.get(action)?;
    let held = MATRIX.columns.iter().zip(row).filter(|(column, _)| **column != Column::Source);
    held.filter_map(|(_, cell)| cell.map(|cell| cell.proof)).min()
}

static TITLES: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = TEXT.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut parts = line.split('\t');
            Some((parts.next()?, parts.next()?))
        })
        .collect()
});

/// What a clerk calls an action.
pub fn title_of(action: &str) -> Option<&'static str> {
    TITLES.get(action).copied()
}

/// What a role can do beyond what everybody signed in can, in the words of the table.
pub fn abilities_of(role: Role) -> Vec<&'static str> {
    let held = |row: &[Option<Cell>]| MATRIX.cell(row, Column::Role(role)).is_some();
    let rows = MATRIX.rows.iter().filter(|(_, row)| held(row));
    rows.filter_map(|(action, _)| title_of(action)).collect()
}

/// Actions that no route has as its own: asked besides it, in code that many routes share.
const ASKED_BESIDES: [&Action; 1] = [&mj_web::export::TAKE];

/// Routes whose action the table does not know, and rows of the table that no route has.
pub fn check_matrix(routes: &[Route]) -> Vec<String> {
    let own = routes.iter().map(|route| route.action.name);
    let used: BTreeSet<&str> = own.chain(ASKED_BESIDES.map(|action| action.name)).collect();
    let known: BTreeSet<&str> = MATRIX.rows.keys().copied().collect();
    let unknown = routes.iter().filter(|route| !known.contains(route.action.name)).map(|route| {
        format!("{} {} 的动作 {} 不在权限表中", route.method, route.path, route.action.name)
    });
    let unused = known.difference(&used).map(|name| format!("权限表中的动作 {name} 没有路由"));
    unknown.chain(unused).collect()
}

/// Every action of the table.
pub fn actions() -> Vec<&'static str> {
    MATRIX.rows.keys().copied().collect()
}

const AREA: &str = "370400";
const OWN_AGENCY: &str = "11370400000000001A";
const OWN_LINE: &str = "31";
const OWN_SOURCE: &str = "own-source";

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
fn specimen(column: Column) -> Identity {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checked_in_table_parses_and_decide_agrees_with_every_cell() {
        let matrix = Matrix::parse(TEXT);
        assert!(matrix.is_ok(), "{:?}", matrix.err());
        assert_eq!(violations(&decide), Vec::<String>::new());
    }

    #[test]
    fn a_decider_that_always_allows_or_always_denies_is_found_out() {
        let allow = Decision::Allow(Allowance {
            scopes: vec![Scope::everything(DataLevel::Personal)],
            mask: Mask::Clear,
            fields: Fields::All,
        });
        let always_allowed = violations(&|_, _, _| allow.clone());
        let always_denied = violations(&|_, _, _| Decision::Deny);
        assert!(always_allowed.len() > 1000, "{}", always_allowed.len());
        assert!(always_denied.len() > 500, "{}", always_denied.len());
    }

    #[test]
    fn the_three_administrators_see_no_business_data() {
        for role in [Role::SysAdmin, Role::SecAdmin, Role::AuditAdmin] {
            let who = Identity { proof: Proof::Fresh, ..specimen(Column::Role(role)) };
            for action in actions() {
                let own = [
                    "access.",
                    "flow.presence.",
                    "home.",
                    "search.",
                    "platform.",
                    "portal.",
                    // who did what by what right, with commitments in place of values
                    "ledger.",
                    // one's own, for the lists an administrator may export
                    "export.request.read",
                    "export.file.take",
                    "datahub.table.",
                    "catalog.item.",
                ];
                let allowed = matches!(decide(&who, action, None), Decision::Allow(_));
                let house = own.iter().any(|area| action.starts_with(area));
                assert!(!allowed || house, "{} may {action}", role.name());
            }
        }
    }

    #[test]
    fn an_emergency_brings_administrators_back_and_opens_nothing_else() {
        let who = Identity { proof: Proof::Fresh, ..specimen(Column::Emergency) };
        let anybody = specimen(Column::Anonymous);
        let open = |who: &Identity| -> Vec<&str> {
            let may = |action: &&str| matches!(decide(who, action, None), Decision::Allow(_));
            actions().into_iter().filter(may).collect()
        };
        let public = open(&anybody);
        let own: Vec<&str> = open(&who).into_iter().filter(|one| !public.contains(one)).collect();
        let few =
            ["close", "read", "recover", "unlock"].map(|one| format!("access.emergency.{one}"));
        assert_eq!(own, few);
        assert!(!public.iter().any(|one| few.iter().any(|own| one == own)));
    }

    #[test]
    fn a_face_learns_what_a_role_can_do_also_what_needs_the_password_again() {
        let may = |role| actions_of(&specimen(Column::Role(role)).actor);
        let clerk = may(Role::Clerk);
        assert!(clerk.contains(&"datahub.batch.create") && clerk.contains(&"catalog.item.read"));
        assert!(!clerk.contains(&"datahub.source.token"));
        assert!(may(Role::DatahubOperator).contains(&"datahub.source.token"));
    }

    #[test]
    fn another_source_asking_for_a_batch_gets_the_404_of_a_missing_one() {
        let who = specimen(Column::Source);
        let batch = |source: &str| Resource::at(Some("370402"), Some(OWN_AGENCY)).of_source(source);
        let asked = |source| decide(&who, "datahub.batch.push", Some(&batch(source)));
        assert!(matches!(asked(OWN_SOURCE), Decision::Allow(_)));
        assert_eq!(asked("other"), Decision::NotFound);
    }

    #[test]
    fn a_stale_login_must_prove_itself_before_granting_a_role() {
        let who = specimen(Column::Role(Role::SecAdmin));
        assert_eq!(decide(&who, "access.grant.create", None), Decision::NeedStepUp);
        let fresh = Identity { proof: Proof::Fresh, ..who };
        assert!(matches!(decide(&fresh, "access.grant.create", None), Decision::Allow(_)));
    }

    #[test]
    fn a_clerk_mends_row_after_row_for_half_an_hour_and_never_by_rule_or_takes_a_list_away() {
        let asked = |proof, action| {
            let clerk = Identity { proof, ..specimen(Column::Role(Role::Clerk)) };
            decide(&clerk, action, None)
        };
        let allowed = |proof, action| matches!(asked(proof, action), Decision::Allow(_));
        assert!(allowed(Proof::Recent, "datahub.error.mend"));
        assert_eq!(asked(Proof::Old, "datahub.error.mend"), Decision::NeedStepUp);
        for action in ["datahub.repair.create", "portal.post.correct", "export.file.take"] {
            assert_eq!(asked(Proof::Recent, action), Decision::NeedStepUp, "{action}");
            assert!(allowed(Proof::Fresh, action), "{action}");
        }
    }

    #[test]
    fn approving_ones_own_request_is_no_approval() {
        let line = TEXT.lines().find(|line| line.starts_with("access.grant.revoke")).expect("row");
        let text = TEXT.replace(line, &line.replace("any+fresh", "any+second"));
        let matrix = Matrix::parse(Box::leak(text.into_boxed_str())).expect("parses");
        let who = specimen(Column::Role(Role::SecAdmin));
        let asked = |by: Option<&str>| {
            let mut grant = Resource::at(None, None);
            grant.approved_by = by.map(str::to_owned);
            decide_by(&matrix, &who, "access.grant.revoke", Some(&grant))
        };
        assert_eq!(asked(None), Decision::NeedSecondPerson);
        assert_eq!(asked(Some("account:specimen")), Decision::NeedSecondPerson);
        assert!(matches!(asked(Some("account:other")), Decision::Allow(_)));
    }

    fn any_scope() -> impl Strategy<Value = Scope> {
        let areas = prop::sample::subsequence(vec!["370000", "370400", "370402", "410700"], 0..3);
        let agencies = prop::option::of(prop::sample::subsequence(vec!["A", "B", "C"], 0..3));
        (areas, agencies).prop_map(|(areas, agencies)| Scope {
            areas: areas.into_iter().map(str::to_owned).collect(),
            agencies: agencies.map_or(AgencySet::All, AgencySet::only),
            item_lines: AgencySet::All,
            level: DataLevel::Internal,
        })
    }

    proptest! {
        /// A password given more lately never closes what an earlier one opened, and opens nothing but what
        /// asked for it.
        #[test]
        fn a_later_password_only_opens(
            action in prop::sample::select(actions()),
            role in prop::sample::select(Role::ALL.to_vec()),
        ) {
            let asked = |proof| {
                let who = Identity { proof, ..specimen(Column::Role(role)) };
                decide(&who, action, None)
            };
            let degrees = [Proof::Old, Proof::Recent, Proof::Fresh].map(asked);
            for (earlier, later) in [(0, 1), (1, 2)] {
                prop_assert!(
                    degrees[earlier] == degrees[later]
                        || degrees[earlier] == Decision::NeedStepUp
                        || matches!((&degrees[earlier], &degrees[later]),
                            (Decision::Allow(few), Decision::Allow(more))
                                if few.scopes.iter().all(|scope| more.scopes.contains(scope))),
                    "{action} {role:?} {degrees:?}"
                );
            }
            prop_assert_ne!(&degrees[2], &Decision::NeedStepUp);
        }

        /// Two grants together open exactly what each opens alone.
        #[test]
        fn grants_add_up_and_never_multiply(
            first in any_scope(),
            second in any_scope(),
            area in prop::sample::select(vec!["370402", "370481", "410702", "120000"]),
            agency in prop::sample::select(vec!["A", "B", "C"]),
        ) {
            let person = |scopes: &[&Scope]| Identity::of(Actor {
                kind: ActorKind::Person { account_id: "p".into() },
                grants: scopes
                    .iter()
                    .map(|scope| Grant { role: Role::Clerk, scope: (*scope).clone() })
                    .collect(),
            });
            let batch = Resource::at(Some(area), Some(agency));
            let may = |scopes: &[&Scope]| {
                matches!(decide(&person(scopes), "datahub.batch.read", Some(&batch)), Decision::Allow(_))
            };
            prop_assert_eq!(may(&[&first, &second]), may(&[&first]) || may(&[&second]));
        }
    }
}
