//! The access matrix and the decision. `access-matrix.tsv` is the rule; this module reads it,
//! answers by it, and can say where somebody else's answers differ from it (`check`). No I/O, no clock.

mod check;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use mj_kernel::{Actor, ActorKind, AgencySet, DataLevel, Role, Scope};
use mj_web::{Action, Allowance, Decision, Fields, Identity, Mask, Proof, Resource, Route};

pub use check::violations;

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

#[cfg(test)]
mod tests;
