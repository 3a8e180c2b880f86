//! The slow, obviously right store: every rule as a sentence over all rows in one vector. Random
//! histories must come out alike, whichever way rows are stored, at every position.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::model::{At, Depth, Fate, Pos, Receipt};
use crate::{FactStore, Result, TableSpec};

use super::{How, Row, Seen, Store, everything, put, seen, spec};

#[derive(Default)]
struct Naive {
    /// Every record's current row.
    current: BTreeMap<(String, String), Row>,
}

impl Naive {
    fn shown(&self, business: u8) -> Option<(String, String)> {
        self.current
            .iter()
            .find(|(_, row)| !row.delete && row.business == Some(business))
            .map(|(key, _)| key.clone())
    }

    /// The row's fate, and whether its record is now this row.
    fn put(&mut self, row: &Row) -> (Fate, bool) {
        if let Some(current) = self.current.get_mut(&row.key()) {
            if (current.content, current.delete) == (row.content, row.delete) {
                current.time = current.time.max(row.time);
                return (Fate::Duplicate, false);
            }
            if row.time < current.time {
                return (Fate::Superseded, false);
            }
        }
        let shown = row.business.filter(|_| !row.delete).and_then(|b| self.shown(b));
        self.current.insert(row.key(), row.clone());
        let twin = shown.is_some_and(|shown| shown != row.key());
        (if twin { Fate::Duplicate } else { Fate::Correct }, true)
    }

    fn commit(&mut self, rows: &[Row]) -> Receipt {
        let mut receipt = Receipt::default();
        let mut fates: Vec<Fate> = Vec::new();
        // which row of this load stands for a record; one that is replaced by its own load is superseded
        let mut stands: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            let (fate, took_over) = self.put(row);
            fates.push(fate);
            if took_over && let Some(earlier) = stands.insert(row.key(), number) {
                fates[earlier] = Fate::Superseded;
            }
        }
        for (number, fate) in fates.into_iter().enumerate() {
            match fate {
                Fate::Correct => receipt.correct += 1,
                Fate::Duplicate => receipt.duplicate += 1,
                Fate::Superseded => receipt.superseded += 1,
            }
            if fate != Fate::Correct {
                receipt.others.push((number as u32 + 1, fate));
            }
        }
        receipt
    }

    fn seen(&self) -> Seen {
        self.current
            .iter()
            .filter(|(key, row)| {
                !row.delete && row.business.is_none_or(|b| self.shown(b).as_ref() == Some(key))
            })
            .map(|(key, row)| (key.clone(), row.values()))
            .collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Load { rows: Vec<Row>, how: How, keep: bool },
    Flush,
    Restart,
}

fn row() -> impl Strategy<Value = Row> {
    (1_u8..3, 0_u8..7, 0_i64..6, 0_u8..12, prop::option::of(0_u8..4), prop::bool::weighted(0.15))
        .prop_map(|(source, id, time, content, business, delete)| Row {
            source,
            id,
            time,
            content,
            business,
            delete,
        })
}

fn load(how: impl Strategy<Value = How>) -> impl Strategy<Value = Step> {
    (prop::collection::vec(row(), 0..12), how, prop::bool::weighted(0.85))
        .prop_map(|(rows, how, keep)| Step::Load { rows, how, keep })
}

async fn run(world: &mut Store, spec: &TableSpec, steps: &[Step]) -> Result<()> {
    let mut naive = Naive::default();
    let mut states: Vec<(Pos, Seen)> = Vec::new();
    for step in steps {
        let db = world.kit.db().clone();
        match step {
            Step::Load { rows, how, keep } => {
                let receipt = put(&world.store, &db, spec, rows, *how, *keep).await?;
                if *keep {
                    let expected = naive.commit(rows);
                    assert_eq!(Receipt { pos: receipt.pos, ..expected }, receipt);
                    states.push((receipt.pos, naive.seen()));
                }
            }
            Step::Flush => {
                world.store.flush(spec).await?;
            }
            Step::Restart => world.reopen().await,
        }
        let now = world.store.snapshot(spec, At::Latest).await?;
        assert_eq!(seen(&now)?, naive.seen());
        for (source, id) in (1_u8..3).flat_map(|source| (0_u8..7).map(move |id| (source, id))) {
            let (source, id) = Row { source, id, ..Row::new(0, 0, 0) }.key();
            let row = now.by_key(&source, &id, &everything())?;
            assert_eq!(row.map(|row| row.values), naive.seen().get(&(source, id)).cloned());
        }
    }
    check_past(&world.store, spec, &states).await?;
    // and all of it again from what is durable alone
    world.reopen().await;
    check_past(&world.store, spec, &states).await?;
    assert_eq!(world.store.verify(Depth::Digests).await?, vec![]);
    Ok(())
}

async fn check_past(store: &FactStore, spec: &TableSpec, states: &[(Pos, Seen)]) -> Result<()> {
    for (pos, expected) in states {
        assert_eq!(&seen(&store.snapshot(spec, At::Pos(*pos)).await?)?, expected, "at {pos:?}");
    }
    Ok(())
}

/// `MJ_FACTS_CASES=1000` looks longer than the suite does.
fn config(cases: u32) -> Config {
    let asked = std::env::var("MJ_FACTS_CASES").ok().and_then(|cases| cases.parse().ok());
    Config { cases: asked.unwrap_or(cases), failure_persistence: None, ..Config::default() }
}

/// One database for all histories: each has a table of its own.
fn histories(cases: u32, name: &str, steps: impl Strategy<Value = Vec<Step>>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = std::cell::RefCell::new(runtime.block_on(Store::new()));
    let number = std::cell::Cell::new(0);
    TestRunner::new(config(cases))
        .run(&steps, |steps| {
            number.set(number.get() + 1);
            let spec = spec(&format!("{name}_{}", number.get()));
            let mut world = world.borrow_mut();
            runtime.block_on(run(&mut world, &spec, &steps)).expect("the store answers");
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    drop(world);
}

#[test]
fn hot_rows_alone_are_like_the_naive_store() {
    histories(24, "hot", prop::collection::vec(load(Just(How::Hot)), 1..6));
}

#[test]
fn segments_alone_are_like_the_naive_store() {
    histories(24, "cold", prop::collection::vec(load(Just(How::Files)), 1..6));
}

#[test]
fn any_mixture_with_flushes_and_restarts_is_like_the_naive_store() {
    let how = prop_oneof![Just(How::Hot), Just(How::Files)];
    let step = prop_oneof![5 => load(how), 2 => Just(Step::Flush), 1 => Just(Step::Restart)];
    histories(40, "mixed", prop::collection::vec(step, 1..10));
}

/// What a load that came to nothing said of a record must not decide what the next one lets go.
#[test]
fn a_load_that_was_rolled_back_leaves_no_belief_behind() {
    let of = |content, time| Row::new(1, time, content);
    let load = |rows, keep| Step::Load { rows, how: How::Files, keep };
    let seen_again = vec![
        load(vec![of(1, 0)], true),
        load(vec![of(1, 5)], false),
        load(vec![of(2, 3), of(1, 4)], true),
    ];
    let replaced = vec![
        load(vec![of(1, 10)], true),
        load(vec![of(3, 11)], false),
        load(vec![of(2, 5), of(2, 12)], true),
    ];
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut world = runtime.block_on(Store::new());
    for (name, steps) in [("seen_again", seen_again), ("replaced", replaced)] {
        runtime.block_on(run(&mut world, &spec(name), &steps)).expect("the store answers");
    }
}

#[test]
fn with_distinct_times_neither_order_nor_cutting_into_batches_matters() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(Store::new());
    let number = std::cell::Cell::new(0);
    let rows = prop::collection::vec(row(), 1..30).prop_map(|mut rows| {
        for (time, row) in rows.iter_mut().enumerate() {
            row.time = time as i64;
            // what a row says of its subject is part of its content
            row.business = row.business.map(|_| row.content % 4);
        }
        for row in &mut rows {
            row.business = (row.content < 8).then_some(row.content % 4);
        }
        rows
    });
    let shuffled = rows.prop_flat_map(|rows| {
        (Just(rows.clone()), Just(rows).prop_shuffle(), prop::collection::vec(1_usize..9, 30))
    });
    TestRunner::new(config(24))
        .run(&shuffled, |(rows, shuffled, cuts)| {
            number.set(number.get() + 1);
            let (one, other) = (format!("whole_{}", number.get()), format!("cut_{}", number.get()));
            let (one, other) = (spec(&one), spec(&other));
            runtime.block_on(async {
                let db = world.kit.db().clone();
                put(&world.store, &db, &one, &rows, How::Files, true).await.expect("loaded");
                let expected = super::latest(&world.store, &one).await.expect("read");
                let mut rest = &shuffled[..];
                for cut in cuts {
                    let (now, later) = rest.split_at(cut.min(rest.len()));
                    let how = if cut % 2 == 0 { How::Hot } else { How::Files };
                    put(&world.store, &db, &other, now, how, true).await.expect("loaded");
                    rest = later;
                }
                assert_eq!(super::latest(&world.store, &other).await.expect("read"), expected);
                // and again, all of it: nothing changes
                put(&world.store, &db, &other, &rows, How::Files, true).await.expect("loaded");
                assert_eq!(super::latest(&world.store, &other).await.expect("read"), expected);
            });
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
