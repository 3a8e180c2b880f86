//! What must hold of every figure, whatever the data.

use std::sync::Arc;

use mj_kernel::{AgencySet, DataLevel, Scope};
use proptest::prelude::*;

use crate::measure::{Part, Tally, Walk};
use crate::rollup::Rollup;
use crate::rule::{Indicator, Measure, Rules, Unit as Measured};
use crate::world::*;

const AREAS: [&str; 4] = ["370400", "370402", "370481", "370406001"];
const AGENCIES: [&str; 4] = ["", "A", "B", "C"];
const NAMES: [&str; 4] = ["check_action", "punish_action", "object_enterprise", "law_officer"];

/// A row as it is thrown: table, area, agency, source, event, received, main, legal, refused.
type Thrown = (usize, usize, usize, usize, i32, i32, usize, bool, bool);

fn thrown() -> impl Strategy<Value = Vec<Thrown>> {
    let row = (
        0..NAMES.len(),
        0..AREAS.len(),
        0..AGENCIES.len(),
        0..3_usize,
        100..140_i32,
        100..140_i32,
        0..4_usize,
        any::<bool>(),
        prop::bool::weighted(0.3),
    );
    prop::collection::vec(row, 0..60)
}

fn world(rows: &[Thrown]) -> World {
    let mut world = World { today: 140, ..World::default() };
    let (mut areas, mut agencies, mut sources, mut mains) =
        (Words::default(), Words::default(), Words::default(), Words::default());
    let area: Vec<Word> = AREAS.iter().map(|code| areas.number(code)).collect();
    let agency: Vec<Word> = AGENCIES.iter().map(|code| agencies.number(code)).collect();
    let source: Vec<Word> = ["S1", "S2", "S3"].iter().map(|code| sources.number(code)).collect();
    let main: Vec<Word> = ["", "M1", "M2", "M3"].iter().map(|code| mains.number(code)).collect();
    world.tables = NAMES
        .iter()
        .map(|name| TableInfo {
            name: (*name).into(),
            title: (*name).into(),
            is_behaviour: name.ends_with("action"),
        })
        .collect();
    let mut tables: Vec<TableRows> = NAMES.iter().map(|_| TableRows::default()).collect();
    for (at, row) in rows.iter().enumerate() {
        let (table, a, b, s, event, received, m, legal, refused) = *row;
        if refused {
            world.refused.push(Refused {
                table: table as u16,
                batch: 0,
                row: at as i64,
                area: area[a],
                agency: agency[b],
                source: source[s],
                received,
            });
            continue;
        }
        let rows = &mut tables[table];
        let mains_from = rows.mains.len() as u32;
        if m > 0 {
            rows.mains.push(main[m]);
        }
        rows.rows.push(Record {
            row: at as i64,
            area: area[a],
            agency: agency[b],
            source: source[s],
            batch: 0,
            event,
            received,
            party: if legal { PartyIs::Legal } else { PartyIs::Natural },
            mains_from,
            mains: u8::from(m > 0),
        });
    }
    world.records = tables.into_iter().map(Arc::new).collect();
    for (b, body) in agency.iter().enumerate().skip(1) {
        world.bodies.push(Agency {
            id: b.to_string(),
            agency: *body,
            name: AGENCIES[b].into(),
            area: area[b - 1],
            from: 0,
            to: 9_999,
        });
        for main in &main[1..] {
            world.claims.push(Claim {
                agency: *body,
                area: area[b - 1],
                main: *main,
                from: 0,
                to: 9_999,
            });
        }
        world.senders.push(Source {
            source: source[b - 1],
            name: "来源".into(),
            agency: *body,
            area: area[b - 1],
            active: true,
            tables: if b == 1 { Vec::new() } else { vec![0, 2] },
        });
        world.officers.push(Officer {
            id: b.to_string(),
            register_no: b.to_string(),
            name: "某".into(),
            agency: *body,
            area: area[b - 1],
            has_account: b == 2,
            certificates: vec![(0, 100 + 10 * b as i32)],
        });
        world.accounts.push(Account {
            login: b.to_string(),
            name: "某".into(),
            agency: *body,
            area: area[b - 1],
            opened: 90 + 20 * b as i32,
            seen: vec![120 + b as i32],
        });
        world.waiting.push(Waiting {
            id: b.to_string(),
            title: "待办".into(),
            kind_title: "待办".into(),
            agency: *body,
            area: area[b - 1],
            deadline: 130 + 5 * b as i32,
            created: 100,
        });
    }
    world.areas = Arc::new(areas);
    world.agencies = Arc::new(agencies);
    world.sources = Arc::new(sources);
    world.mains = Arc::new(mains);
    world
}

fn everybody() -> Wanted {
    Wanted { scopes: vec![Scope::everything(DataLevel::Internal)], ..Wanted::default() }
}

fn indicators() -> Vec<Indicator> {
    let rules = Rules::bundled().expect("the tables parse");
    rules.on("2026-11-20".parse().expect("a day")).cloned().collect()
}

fn with<T>(
    world: &World,
    indicator: &Indicator,
    wanted: &Wanted,
    days: (Day, Day),
    ask: impl FnOnce(Walk<'_>) -> T,
) -> T {
    let sieve = Sieve::new(world, wanted);
    ask(Walk { world, indicator, sieve: &sieve, days, mend_before: 120 })
}

fn tally(world: &World, indicator: &Indicator, wanted: &Wanted, days: (Day, Day)) -> Tally {
    with(world, indicator, wanted, days, |walk| walk.tally())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_rate_is_above_one_and_no_count_is_negative(rows in thrown(), from in 100..140_i32, len in 0..40_i32) {
        let world = world(&rows);
        for indicator in indicators() {
            let tally = tally(&world, &indicator, &everybody(), (from, from + len));
            prop_assert!(tally.num >= 0 && tally.den >= 0);
            if indicator.unit != Measured::Count {
                prop_assert!(tally.num <= tally.den, "{}: {tally:?}", indicator.id);
            }
        }
    }

    #[test]
    fn counties_add_up_to_the_city_and_agencies_and_tables_do_too(rows in thrown()) {
        let world = world(&rows);
        let days = (105, 135);
        for indicator in indicators().iter().filter(|one| one.measure.is_additive()) {
            let whole = tally(&world, indicator, &everybody(), days);
            for sums in [
                with(&world, indicator, &everybody(), days, |walk| walk.by(|unit| unit.area)),
                with(&world, indicator, &everybody(), days, |walk| walk.by(|unit| unit.agency)),
                with(&world, indicator, &everybody(), days, |walk| walk.by(|unit| u32::from(unit.table))),
            ] {
                let sum = sums.into_values().fold(Tally::default(), Tally::plus);
                prop_assert_eq!(sum, whole, "{}", &indicator.id);
            }
            // and the same when each county is asked for by itself
            let asked = AREAS.iter().map(|area| match *area {
                // a city's own code stands for its whole subtree: what its counties have goes off
                "370400" => Tally::default(),
                area => {
                    let wanted = Wanted { area: Some(area.into()), ..everybody() };
                    tally(&world, indicator, &wanted, days)
                }
            });
            let below = asked.fold(Tally::default(), Tally::plus);
            let city = Wanted { area: Some("370400".into()), ..everybody() };
            let city = tally(&world, indicator, &city, days);
            let own = with(&world, indicator, &everybody(), days, |walk| {
                let own = walk.world.areas.find("370400").unwrap_or(0);
                walk.by(|unit| unit.area).remove(&own).unwrap_or_default()
            });
            prop_assert_eq!(below.plus(own), city, "{}", &indicator.id);
        }
    }

    #[test]
    fn the_rows_behind_a_figure_are_as_many_as_it_says(rows in thrown(), agency in 0..4_usize) {
        let world = world(&rows);
        let wanted = match agency {
            0 => everybody(),
            at => Wanted { agency: Some(AGENCIES[at].into()), ..everybody() },
        };
        for indicator in indicators() {
            let whole = tally(&world, &indicator, &wanted, (105, 135));
            for (part, said) in [(Part::Numerator, whole.num), (Part::Denominator, whole.den)] {
                let rows = with(&world, &indicator, &wanted, (105, 135), |walk| walk.rows(part, 0, usize::MAX));
                let (count, sum, rows) = rows;
                prop_assert_eq!(count, rows.len());
                prop_assert_eq!(sum, said, "{} {:?}", &indicator.id, part);
                let mut each: Vec<_> = rows.iter().map(|unit| unit.of).collect();
                each.sort_unstable();
                each.dedup();
                prop_assert_eq!(each.len(), rows.len(), "a row is told once");
            }
        }
    }

    #[test]
    fn pages_of_rows_are_the_rows_in_order(rows in thrown(), page in 1..9_usize) {
        let world = world(&rows);
        let all = indicators();
        let collected = all.iter().find(|one| one.measure == Measure::Collected).expect("C01");
        let ask = |skip, limit| {
            let days = (0, 9_999);
            with(&world, collected, &everybody(), days, |walk| walk.rows(Part::Numerator, skip, limit).2)
        };
        let whole = ask(0, usize::MAX);
        let mut paged = Vec::new();
        while paged.len() < whole.len() {
            paged.extend(ask(paged.len(), page));
        }
        prop_assert_eq!(paged, whole);
    }

    #[test]
    fn rolled_up_figures_are_what_counting_the_rows_says(
        rows in thrown(), agency in 0..5_usize, area in 0..5_usize, table in 0..5_usize, source in 0..4_usize,
        from in 100..140_i32, len in 0..40_i32,
    ) {
        let world = world(&rows);
        let pick = |list: &[&str], at: usize| list.get(at).map(|text| (*text).to_owned());
        let wanted = Wanted {
            scopes: vec![
                Scope { areas: vec!["370402".into()], ..Scope::everything(DataLevel::Internal) },
                Scope { agencies: AgencySet::only(["B"]), ..Scope::everything(DataLevel::Internal) },
            ],
            area: pick(&AREAS, area),
            agency: pick(&["none", "A", "B", "C"], agency),
            table: pick(&NAMES, table),
            source: pick(&["S1", "S2", "S3"], source),
            own_only: false,
            main: pick(&["M1", "M2"], source + table),
        };
        let sieve = Sieve::new(&world, &wanted);
        for indicator in &indicators() {
            for days in [(from, from + len), (0, 9_999), (from, from + len)] {
                let rollup = Rollup { world: &world, sieve: &sieve, mend_before: 120 };
                let walk = Walk { world: &world, indicator, sieve: &sieve, days, mend_before: 120 };
                prop_assert_eq!(rollup.tally(indicator, days), walk.tally(), "{}", &indicator.id);
                for part in [Part::Numerator, Part::Denominator, Part::Gap] {
                    for (skip, limit) in [(0, 3), (2, 4), (0, 500), (600, 5)] {
                        if let Some(page) = rollup.rows(indicator, days, part, skip, limit) {
                            let whole = walk.rows(part, skip, limit);
                            prop_assert_eq!(page, whole, "{} {:?} {}", &indicator.id, part, skip);
                        }
                    }
                }
                if indicator.measure.is_additive() {
                    let by = rollup.by(indicator, days, |cell| (cell.area, cell.agency));
                    prop_assert_eq!(by, walk.by(|unit| (unit.area, unit.agency)), "{}", &indicator.id);
                }
            }
        }
    }

    #[test]
    fn a_correct_row_more_never_lowers_the_correct_rate_and_mending_raises_it(
        rows in thrown(), more in (0..3_usize, 0..4_usize, 0..4_usize),
    ) {
        let all = indicators();
        let rate = |rows: &[Thrown]| -> Vec<Option<f64>> {
            let world = world(rows);
            all.iter()
                .filter(|one| one.measure == Measure::Correct)
                .map(|one| tally(&world, one, &everybody(), (0, 9_999)).quotient())
                .collect()
        };
        let before = rate(&rows);
        let mut longer = rows.clone();
        longer.push((more.0, more.1, more.2, 0, 120, 120, 1, true, false));
        for (before, after) in before.iter().zip(rate(&longer)) {
            prop_assert!(before.is_none() || after >= *before);
        }
        let mut mended = rows.clone();
        if let Some(row) = mended.iter_mut().find(|row| row.8) {
            row.8 = false;
        }
        for (before, after) in before.iter().zip(rate(&mended)) {
            prop_assert!(before.is_none() || after >= *before);
        }
    }

    #[test]
    fn everything_on_the_same_day_is_timely_and_nothing_is_more_so(rows in thrown()) {
        let all = indicators();
        let timely = all.iter().find(|one| one.measure == Measure::Timeliness).expect("K06");
        let same: Vec<Thrown> = rows.iter().map(|row| { let mut row = *row; row.5 = row.4; row }).collect();
        let value = tally(&world(&same), timely, &everybody(), (0, 9_999)).quotient();
        prop_assert!(value.is_none_or(|value| (value - 1.0).abs() < 1e-12));
        let value = tally(&world(&rows), timely, &everybody(), (0, 9_999)).quotient();
        prop_assert!(value.is_none_or(|value| value > 0.0 && value <= 1.0));
    }

    #[test]
    fn nobody_counts_what_is_out_of_scope(rows in thrown()) {
        let world = world(&rows);
        let scope = Scope {
            areas: vec!["370481".into()],
            agencies: AgencySet::only(["B"]),
            item_lines: AgencySet::All,
            level: DataLevel::Internal,
        };
        let wanted = Wanted { scopes: vec![scope], ..Wanted::default() };
        for indicator in indicators().iter().filter(|one| one.measure.is_additive()) {
            let rows = with(&world, indicator, &wanted, (0, 9_999), |walk| walk.rows(Part::Denominator, 0, usize::MAX).2);
            let inside = rows.iter().all(|unit| {
                world.areas.text(unit.area) == "370481" && world.agencies.text(unit.agency) == "B"
            });
            prop_assert!(inside, "{}", &indicator.id);
        }
        let nobody = Wanted { scopes: Vec::new(), ..Wanted::default() };
        for indicator in indicators().iter().filter(|one| one.measure.is_additive()) {
            prop_assert_eq!(tally(&world, indicator, &nobody, (0, 9_999)), Tally::default());
        }
    }
}

#[test]
fn a_body_with_acts_on_one_of_three_main_items_covers_a_third() {
    let act = (0, 1, 2, 0, 120, 121, 2, true, false);
    let world = world(&[act, act, (0, 1, 2, 0, 120, 121, 0, true, false)]);
    let all = indicators();
    let of = |measure: Measure| {
        let one = all.iter().find(|one| one.measure == measure).expect("a row");
        let wanted = Wanted { agency: Some("B".into()), ..everybody() };
        tally(&world, one, &wanted, (115, 125))
    };
    assert_eq!(of(Measure::Coverage), Tally { num: 1, den: 3 });
    assert_eq!(of(Measure::CoverageLegal), Tally { num: 1, den: 3 });
    assert_eq!(of(Measure::CoverageNatural), Tally { num: 0, den: 3 });
    assert_eq!(of(Measure::Timeliness), Tally { num: 3, den: 6 }, "each came a day late");
}
