//! Administrative divisions from province to town with the years in which their codes were in force.
//!
//! The history knows years, not days: in the year of a change the old and the new code both count as in force. Towns
//! are known as of 2023 only and live as long as their county. Villages (12 digits) are not kept.

use chrono::{Datelike, NaiveDate};
use mj_kernel::code::{DivisionCode, DivisionShape};

/// The code that catalogues use for the whole country; it is no division.
pub const NATION: &str = "000000";

/// Levels that people speak of. A directly administered county is a county whose parent is a province.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    Province,
    City,
    County,
    Town,
}

impl Level {
    pub fn title(self) -> &'static str {
        match self {
            Level::Province => "省级",
            Level::City => "地市级",
            Level::County => "县级",
            Level::Town => "乡镇级",
        }
    }
}

/// What sort of code it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DivisionKind {
    /// A unit of GB/T 2260.
    Statutory,
    /// 市辖区, 省直辖县级行政区划: gathers codes, is no level.
    Grouping,
    /// A development zone: not in GB/T 2260, hosted by a city or county.
    Functional,
    /// Listed for statistics, not by the ministry of civil affairs.
    Statistical,
}

/// One unit, or one period of a code that was given twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// Six digits, or nine for a town.
    pub code: String,
    pub name: &'static str,
    pub level: Level,
    pub kind: DivisionKind,
    pub from_year: Option<i32>,
    pub to_year: Option<i32>,
    /// The county or city that looks after a functional zone.
    pub host: Option<&'static str>,
}

/// What a code is on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    InForce(Division),
    /// With the codes that hold its area on that day.
    Retired(Division, Vec<Division>),
    NotYet(Division),
    Unknown,
}

#[derive(Debug, Clone, Copy)]
struct Unit {
    code: u32,
    kind: DivisionKind,
    /// 0 = since before the history begins
    from: u16,
    /// 0 = still in force
    to: u16,
    after: &'static str,
    names: &'static str,
    /// range in `towns`
    towns: (u32, u32),
}

/// The register. Look-ups are a binary search in a sorted list and allocate only for what they return.
#[derive(Debug)]
pub struct Divisions {
    units: Vec<Unit>,
    towns: Vec<(u32, &'static str)>,
}

impl Unit {
    fn covers(&self, year: i32) -> bool {
        (self.from == 0 || year >= i32::from(self.from))
            && (self.to == 0 || year <= i32::from(self.to))
    }

    /// The name in that year: former names stand behind the last one as `name@last year`.
    fn name_in(&self, year: i32) -> &'static str {
        let mut names = self.names.split('|');
        let newest = names.next().unwrap_or("");
        names
            .filter_map(|old| old.split_once('@'))
            .find(|(_, last)| last.parse::<i32>().is_ok_and(|last| year <= last))
            .map_or(newest, |(name, _)| name)
    }

    fn level(&self) -> Level {
        if self.code.is_multiple_of(10_000) {
            Level::Province
        } else if self.code.is_multiple_of(100) {
            Level::City
        } else {
            Level::County
        }
    }

    fn division(&self, year: i32) -> Division {
        Division {
            code: format!("{:06}", self.code),
            name: self.name_in(year),
            level: self.level(),
            kind: self.kind,
            from_year: (self.from != 0).then(|| i32::from(self.from)),
            to_year: (self.to != 0).then(|| i32::from(self.to)),
            host: (self.kind == DivisionKind::Functional).then_some(self.after),
        }
    }
}

impl Divisions {
    pub(super) fn read(text: &str) -> Self {
        // one allocation that lives as long as the programme
        let text: &'static str = Box::leak(text.to_owned().into_boxed_str());
        let mut units: Vec<Unit> = Vec::with_capacity(8_000);
        let mut towns = Vec::with_capacity(45_000);
        for line in text.lines() {
            if let Some(town) = line.strip_prefix('\t') {
                if let (Some(unit), Some(Ok(suffix))) =
                    (units.last_mut(), town.get(..3).map(str::parse::<u32>))
                {
                    towns.push((unit.code * 1_000 + suffix, &town[3..]));
                    unit.towns.1 = towns.len() as u32;
                }
                continue;
            }
            let mut fields = line.split('\t');
            let mut next = || fields.next().unwrap_or("");
            let (code, kind, from, to, after, names) =
                (next(), next(), next(), next(), next(), next());
            let at = towns.len() as u32;
            units.push(Unit {
                code: code.parse().unwrap_or(0),
                kind: match kind {
                    "g" => DivisionKind::Grouping,
                    "f" => DivisionKind::Functional,
                    "n" => DivisionKind::Statistical,
                    _ => DivisionKind::Statutory,
                },
                from: from.parse().unwrap_or(0),
                to: to.parse().unwrap_or(0),
                after,
                names,
                towns: (at, at),
            });
        }
        Self { units, towns }
    }

    /// All periods of a six-digit code, oldest first.
    fn periods(&self, six: u32) -> &[Unit] {
        let start = self.units.partition_point(|u| u.code < six);
        let count = self.units[start..].iter().take_while(|u| u.code == six).count();
        &self.units[start..start + count]
    }

    fn unit_in(&self, six: u32, year: i32) -> Option<&Unit> {
        self.periods(six).iter().find(|u| u.covers(year))
    }

    fn town(&self, nine: u32) -> Option<&'static str> {
        let at = self.towns.binary_search_by_key(&nine, |t| t.0).ok()?;
        Some(self.towns[at].1)
    }

    /// Were the towns of this county ever listed? Counties gone before 2023 and those founded later have none.
    fn has_towns(&self, six: u32) -> bool {
        self.periods(six).iter().any(|u| u.towns.0 < u.towns.1)
    }

    /// The newest unit of a code, in force or not; a town for nine digits.
    pub fn get(&self, code: &str) -> Option<Division> {
        let code = DivisionCode::parse(code).ok()?;
        let nine = code.nine_number();
        let unit = self.periods(nine / 1_000).last()?;
        let year = if unit.to == 0 { i32::MAX } else { i32::from(unit.to) };
        self.division_of(unit, nine, year)
    }

    fn division_of(&self, unit: &Unit, nine: u32, year: i32) -> Option<Division> {
        let mut division = unit.division(year);
        if !nine.is_multiple_of(1_000) {
            division.name = self.town(nine)?;
            division.code = format!("{nine:09}");
            division.level = Level::Town;
            // 400-599 are units that resemble towns: zones, farms, mines
            if (400..600).contains(&(nine % 1_000)) {
                division.kind = DivisionKind::Functional;
            }
        }
        Some(division)
    }

    /// Is the code in force on that day? The cheap question that the engine asks of every row.
    pub fn in_force(&self, code: &str, on: NaiveDate) -> bool {
        let Ok(code) = DivisionCode::parse(code) else {
            return false;
        };
        let nine = code.nine_number();
        let six = nine / 1_000;
        self.unit_in(six, on.year()).is_some()
            && (nine.is_multiple_of(1_000) || self.town(nine).is_some() || !self.has_towns(six))
    }

    /// What a code of 6, 9 or 12 digits is on a day. Of a village only its town is looked at.
    pub fn at(&self, code: &DivisionCode, on: NaiveDate) -> Standing {
        let nine = code.nine_number();
        let six = nine / 1_000;
        let suffix = nine % 1_000;
        let year = on.year();
        let periods = self.periods(six);
        let Some(newest) = periods.last() else {
            return Standing::Unknown;
        };
        if let Some(unit) = periods.iter().find(|u| u.covers(year)) {
            let found = self.division_of(unit, nine, year);
            return match found {
                Some(division) => Standing::InForce(division),
                // the list of towns does not reach to this county: judge the county alone
                None if !self.has_towns(six) => Standing::InForce(unit.division(year)),
                None => Standing::Unknown,
            };
        }
        if let Some(past) = periods.iter().rev().find(|u| u.to != 0 && i32::from(u.to) < year) {
            let last = i32::from(past.to);
            let mut heirs = Vec::new();
            self.heirs(past, year, 0, &mut heirs);
            let heirs = heirs
                .into_iter()
                .filter_map(|unit| {
                    let town = unit.code * 1_000 + suffix;
                    self.division_of(unit, town, year).or_else(|| Some(unit.division(year)))
                })
                .collect();
            let retired = self.division_of(past, nine, last).unwrap_or_else(|| past.division(last));
            return Standing::Retired(retired, heirs);
        }
        let first = periods.first().unwrap_or(newest);
        let division =
            self.division_of(first, nine, year).unwrap_or_else(|| first.division(i32::MAX));
        Standing::NotYet(division)
    }

    /// Follows successors until codes are reached that are in force; chains of renumbering are up to five long.
    fn heirs<'a>(&'a self, unit: &Unit, year: i32, depth: u8, found: &mut Vec<&'a Unit>) {
        if depth > 8 {
            return;
        }
        for six in unit.after.split(';').filter_map(|c| c.parse::<u32>().ok()) {
            let periods = self.periods(six);
            if let Some(heir) = periods.iter().find(|u| u.covers(year)) {
                if !found.iter().any(|f| f.code == heir.code) {
                    found.push(heir);
                }
            } else if let Some(next) = periods.iter().find(|u| u.to >= unit.to && u.to != 0) {
                self.heirs(next, year, depth + 1, found);
            }
        }
    }

    /// The codes whose area this code took over, for the reason "not yet in force".
    pub fn predecessors(&self, code: &str, on: NaiveDate) -> Vec<Division> {
        self.units
            .iter()
            .filter(|u| u.to != 0 && u.after.split(';').any(|c| c == code) && u.covers(on.year()))
            .map(|u| u.division(on.year()))
            .collect()
    }

    /// The newest name.
    pub fn name(&self, code: &str) -> Option<&'static str> {
        self.get(code).map(|d| d.name)
    }

    /// 山东省枣庄市薛城区: names from the province down.
    pub fn full_name(&self, code: &str) -> Option<String> {
        let own = self.name(code)?;
        let mut names: Vec<&str> =
            self.ancestors(code).iter().rev().filter_map(|c| self.name(c)).collect();
        names.push(own);
        Some(names.concat())
    }

    /// The unit above, as a code of six digits: town → county → city → province. Directly administered counties
    /// (4190xx, 4290xx, 4690xx, 6590xx) and counties of a municipality hang on their province; a functional zone
    /// hangs on its city, not on its host county.
    pub fn parent(&self, code: &str) -> Option<String> {
        let code = DivisionCode::parse(code).ok()?;
        let six: u32 = code.six().parse().ok()?;
        match code.shape() {
            DivisionShape::Village => Some(code.padded()[..9].to_owned()),
            DivisionShape::Town => Some(code.six().to_owned()),
            DivisionShape::County => {
                let city = six / 100 * 100;
                let real = self.periods(city).iter().any(|u| u.kind != DivisionKind::Grouping);
                let above = if real { city } else { six / 10_000 * 10_000 };
                Some(format!("{above:06}"))
            }
            DivisionShape::City => Some(format!("{:06}", six / 10_000 * 10_000)),
            DivisionShape::Province | DivisionShape::Nation => None,
        }
    }

    /// All units above, nearest first.
    pub fn ancestors(&self, code: &str) -> Vec<String> {
        std::iter::successors(self.parent(code), |c| self.parent(c)).collect()
    }

    /// Is `lower` a unit below `upper`? A unit is not its own ancestor; the nation is above all.
    pub fn is_ancestor(&self, upper: &str, lower: &str) -> bool {
        if canonical(upper) == canonical(lower) || DivisionCode::parse(lower).is_err() {
            return false;
        }
        canonical(upper) == canonical(NATION)
            || self.ancestors(lower).iter().any(|c| canonical(c) == canonical(upper))
    }

    /// `lower` is `upper` or lies below it: the test of a regional scope.
    pub fn is_within(&self, lower: &str, upper: &str) -> bool {
        canonical(upper) == canonical(lower) || self.is_ancestor(upper, lower)
    }

    /// Units directly below that are in force, zones included, groupings left out.
    pub fn children(&self, code: &str, on: NaiveDate) -> Vec<Division> {
        let year = on.year();
        let Ok(parsed) = DivisionCode::parse(code) else {
            return Vec::new();
        };
        let six = parsed.nine_number() / 1_000;
        if parsed.shape() == DivisionShape::County {
            let Some(unit) = self.unit_in(six, year) else {
                return Vec::new();
            };
            // towns stand with the newest period of a code
            let range = self.periods(six).last().map_or(unit.towns, |u| u.towns);
            return self.towns[range.0 as usize..range.1 as usize]
                .iter()
                .filter_map(|(nine, _)| self.division_of(unit, *nine, year))
                .collect();
        }
        let width = match parsed.shape() {
            DivisionShape::Nation => 1_000_000,
            DivisionShape::Province => 10_000,
            DivisionShape::City => 100,
            _ => return Vec::new(),
        };
        let start = self.units.partition_point(|u| u.code <= six);
        self.units[start..]
            .iter()
            .take_while(|u| u.code < six + width)
            .filter(|u| u.covers(year) && u.kind != DivisionKind::Grouping)
            .filter(|u| match self.parent(&format!("{:06}", u.code)) {
                Some(parent) => canonical(&parent) == canonical(code),
                None => parsed.shape() == DivisionShape::Nation,
            })
            .map(|u| u.division(year))
            .collect()
    }

    /// How many units and towns are kept.
    pub fn size(&self) -> (usize, usize) {
        (self.units.len(), self.towns.len())
    }
}

/// 370402, 370402000 and 370402000000 are one unit: zeros at the end are cut.
fn canonical(code: &str) -> &str {
    match code.len() {
        9 | 12 => {
            let cut = code.strip_suffix("000").unwrap_or(code);
            if cut.len() == 9 { cut.strip_suffix("000").unwrap_or(cut) } else { cut }
        }
        _ => code,
    }
}
