//! The city as a whole: places, agencies, catalogue, parties, and the indices by which acts find their parties.

use std::collections::HashMap;

use chrono::{Datelike, Duration, NaiveDate};

use crate::CityError;
use crate::agencies::{Agency, LINES, agencies};
use crate::catalogue::{CHECK, Catalogue, FORCE, OTHER, PUNISH};
use crate::faults::Outside;
use crate::parties::{Numbers, Parties, PartyKind, parties};
use crate::places::{CITY, Place, places};
use crate::words::{ORGANISATIONS, TRADES};

pub(crate) struct World {
    pub seed: u64,
    pub today: NaiveDate,
    /// Acts are not older than this.
    pub since: NaiveDate,
    pub places: Vec<Place>,
    pub agencies: Vec<Agency>,
    pub catalogue: Catalogue,
    pub parties: Parties,
    pub outside: Outside,
    /// Parties by place and line.
    pub supervised: HashMap<(usize, &'static str), Vec<usize>>,
    /// Sub-items by line and type.
    pub items: HashMap<(&'static str, &'static str), Vec<usize>>,
}

impl World {
    pub fn new(seed: u64, numbers: &Numbers, today: NaiveDate) -> Result<Self, CityError> {
        let places = places(today)?;
        let agencies = agencies(&places)?;
        let catalogue = Catalogue::new(today);
        let parties = parties(seed, numbers, &places, today)?;
        let mut supervised: HashMap<(usize, &'static str), Vec<usize>> = HashMap::new();
        for (at, party) in parties.list.iter().enumerate() {
            let lines = match party.kind {
                PartyKind::Organisation => ORGANISATIONS[party.trade].lines,
                _ => TRADES[party.trade].lines,
            };
            for line in lines {
                supervised.entry((party.place, line)).or_default().push(at);
            }
        }
        let mut items = HashMap::new();
        for line in LINES.iter().filter(|line| line.weight > 0) {
            for kind in [CHECK, PUNISH, FORCE, OTHER] {
                items.insert((line.code, kind), catalogue.of(line.code, kind));
            }
        }
        let outside = Outside {
            cancelled: catalogue
                .subitems
                .iter()
                .filter(|sub| catalogue.is_cancelled(sub))
                .map(|sub| (sub.kind, sub.code.clone(), catalogue.cancelled_on.to_string()))
                .collect(),
            expired: Vec::new(),
            other_body: agencies.last().map(|agency| agency.org_code.clone()).unwrap_or_default(),
        };
        let since = today - Duration::days(3 * 365);
        Ok(Self {
            seed,
            today,
            since,
            places,
            agencies,
            catalogue,
            parties,
            outside,
            supervised,
            items,
        })
    }

    /// Agencies of a line that inspect, each with its weight; the whole line or one county.
    pub fn inspectors(
        &self,
        line: Option<&str>,
        county: Option<&str>,
        without: Option<&str>,
    ) -> Vec<(usize, u32)> {
        self.agencies
            .iter()
            .enumerate()
            .filter_map(|(at, agency)| {
                let weight = LINES.iter().find(|l| l.code == agency.department)?.weight;
                let fits = weight > 0
                    && line.is_none_or(|l| l == agency.department)
                    && county.is_none_or(|c| c == agency.area_number)
                    && without.is_none_or(|c| c != agency.area_number);
                let place = self
                    .places
                    .iter()
                    .find(|p| p.code == agency.area_number)
                    .map_or(16, |p| p.weight);
                fits.then_some((at, weight * place))
            })
            .collect()
    }

    /// Places in which a body acts: its own, or all of them for the city's.
    pub fn places_of(&self, agency: &Agency) -> Vec<usize> {
        (0..self.places.len())
            .filter(|&at| agency.area_number == CITY || self.places[at].code == agency.area_number)
            .collect()
    }

    /// The plan of a body for the year of a day.
    pub fn plan_id(&self, agency: &Agency, day: NaiveDate) -> String {
        format!("P{}-{}-01", day.year(), agency.organisation())
    }
}
