//! Makes the picture of the house ([`World`]) and keeps it new: reference rows are read again when
//! anything changed, a table of facts only when it did.

use std::sync::Arc;

use chrono::NaiveDate;
use mj_facts::{At, Columns, FactStore, Filter, RowView, Snapshot, TableSpec};
use mj_kernel::clock::beijing_date;
use mj_kernel::{DataLevel, Scope};
use mj_platform::Db;
use mj_standard::{ColumnType, Standard, TableKind};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::{Error, Result};
use crate::house::{House, Reference};
use crate::world::*;

/// Digits of an item code that name its main item.
const MAIN: usize = 8;
/// Types of certificate that show a legal person (湖北口径).
const LEGAL: [&str; 3] = ["001", "002", "003"];

/// What stays from one picture to the next.
#[derive(Default)]
pub struct Keeper {
    areas: Words,
    agencies: Words,
    sources: Words,
    mains: Words,
    batches: Words,
    tables: FxHashMap<String, Kept>,
    /// (source, area, agency) as rows were read by them.
    answering: Vec<(Word, Word, Word)>,
}

struct Kept {
    pos: i64,
    rows: Arc<TableRows>,
}

/// A batch as rows refer to it.
#[derive(Clone, Copy)]
struct From {
    number: u32,
    received: Day,
    source: Word,
    area: Word,
    agency: Word,
}

fn day(text: &str) -> Option<Day> {
    text.get(..10)?.parse::<NaiveDate>().ok().map(day_of)
}

/// The last day of what holds up to and without `text`.
fn last_day(text: &str) -> Day {
    day(text).map_or(Day::MAX, |day| day - 1)
}

impl Keeper {
    /// Reads what changed since `before`.
    pub async fn picture(
        &mut self,
        db: &Db,
        facts: &FactStore,
        specs: &[TableSpec],
        house: &dyn House,
    ) -> Result<World> {
        // first the number: what changes while we read is read again next time
        let stamp = house.stamp().await?;
        let as_of = db.clock().now();
        let reference = house.reference().await?;
        let positions: FxHashMap<String, i64> = house.positions().await?.into_iter().collect();
        let mut world =
            World { stamp, as_of, today: day_of(beijing_date(as_of)), ..World::default() };
        let from = self.take_reference(&mut world, &reference);
        for spec in specs {
            let Some(table) = Standard::v1().table(&spec.name) else { continue };
            world.tables.push(TableInfo {
                name: spec.name.clone(),
                title: table.title.clone(),
                is_behaviour: table.kind == TableKind::Behaviour,
            });
            let pos = positions.get(&spec.name).copied().unwrap_or(0);
            world.records.push(self.table(facts, spec, pos, &from).await?);
        }
        for row in house.refused().await? {
            let (Some(table), Some(batch)) = (world.table(&row.table), from.get(&*row.batch_id))
            else {
                continue;
            };
            world.refused.push(Refused {
                table,
                batch: batch.number,
                row: row.row,
                area: row.area.map_or(batch.area, |area| self.areas.number(&area)),
                agency: row.agency.map_or(batch.agency, |agency| self.agencies.number(&agency)),
                source: batch.source,
                received: batch.received,
            });
        }
        let names: FxHashMap<String, u16> =
            (0..).zip(&world.tables).map(|(at, table)| (table.name.clone(), at)).collect();
        for (sender, row) in world.senders.iter_mut().zip(&reference.sources) {
            sender.tables = row.tables.iter().filter_map(|name| names.get(name).copied()).collect();
        }
        world.areas = Arc::new(self.areas.clone());
        world.agencies = Arc::new(self.agencies.clone());
        world.sources = Arc::new(self.sources.clone());
        world.mains = Arc::new(self.mains.clone());
        Ok(world)
    }

    fn take_reference(
        &mut self,
        world: &mut World,
        reference: &Reference,
    ) -> FxHashMap<Arc<str>, From> {
        let mut by_name: FxHashMap<&str, (Word, Word)> = FxHashMap::default();
        let mut area_of: FxHashMap<Word, Word> = FxHashMap::default();
        for body in &reference.bodies {
            let (agency, area) = (self.agencies.number(&body.code), self.areas.number(&body.area));
            by_name.insert(&body.name, (agency, area));
            area_of.insert(agency, area);
            world.bodies.push(Agency {
                id: body.id.clone(),
                agency,
                name: body.name.clone(),
                area,
                from: day(&body.valid_from).unwrap_or(Day::MIN + 1),
                to: last_day(&body.valid_to),
            });
        }
        for source in &reference.sources {
            let agency = source.agency.as_deref().map_or(0, |code| self.agencies.number(code));
            world.senders.push(Source {
                source: self.sources.number(&source.cd_source),
                name: source.name.clone(),
                agency,
                area: source.area.as_deref().map_or(0, |area| self.areas.number(area)),
                active: source.active,
                tables: Vec::new(),
            });
        }
        let senders: FxHashMap<Word, (Word, Word)> = world
            .senders
            .iter()
            .map(|sender| (sender.source, (sender.area, sender.agency)))
            .collect();
        let mut answering: Vec<(Word, Word, Word)> =
            senders.iter().map(|(source, (area, agency))| (*source, *area, *agency)).collect();
        answering.sort_unstable();
        if self.answering != answering {
            // rows without a body of their own belong to whoever answers for their source
            self.tables.clear();
            self.answering = answering;
        }
        let mut from = FxHashMap::default();
        for batch in &reference.batches {
            let id: Arc<str> = batch.id.as_str().into();
            let source = self.sources.number(&batch.cd_source);
            let (area, agency) = senders.get(&source).copied().unwrap_or_default();
            let number = self.batches.number(&id);
            let received = day_of(beijing_date(batch.received));
            from.insert(id.clone(), From { number, received, source, area, agency });
            let at = number as usize;
            if world.batches.len() <= at {
                world.batches.resize(at + 1, Batch { id: "".into(), received: 0 });
            }
            world.batches[at] = Batch { id, received: batch.received };
        }
        for (code, name) in &reference.mains {
            world.main_names.insert(self.mains.number(code), name.clone());
        }
        let mut claimed: FxHashMap<(Word, Word), usize> = FxHashMap::default();
        for row in &reference.claims {
            let Some(main) = row.item_code.get(..MAIN) else { continue };
            let agency = self.agencies.number(&row.body);
            let main = self.mains.number(main);
            let (first, last) =
                (day(&row.valid_from).unwrap_or(Day::MIN + 1), last_day(&row.valid_to));
            match claimed.get(&(agency, main)) {
                // several sub-items of one main item: it holds as long as any of them
                Some(at) => {
                    let claim: &mut Claim = &mut world.claims[*at];
                    claim.from = claim.from.min(first);
                    claim.to = claim.to.max(last);
                }
                None => {
                    claimed.insert((agency, main), world.claims.len());
                    let area = area_of.get(&agency).copied().unwrap_or(0);
                    world.claims.push(Claim { agency, area, main, from: first, to: last });
                }
            }
        }
        let accounts: FxHashSet<(&str, &str)> = reference
            .accounts
            .iter()
            .filter_map(|account| Some((account.agency.as_deref()?, account.name.as_str())))
            .collect();
        for row in &reference.officers {
            let body = row.body_name.as_deref().and_then(|name| by_name.get(name)).copied();
            let (agency, area) = body.unwrap_or_default();
            let area = match row.area.as_deref() {
                Some(own) => self.areas.number(own),
                None => area,
            };
            let code = self.agencies.text(agency);
            world.officers.push(Officer {
                id: row.id.clone(),
                register_no: row.register_no.clone(),
                name: row.name.clone(),
                agency,
                area,
                has_account: agency != 0 && accounts.contains(&(code, row.name.as_str())),
                certificates: row
                    .certificates
                    .iter()
                    .map(|(from, until)| {
                        (
                            from.as_deref().and_then(day).unwrap_or(Day::MIN + 1),
                            until.as_deref().and_then(day).unwrap_or(Day::MAX),
                        )
                    })
                    .collect(),
            });
        }
        for row in &reference.accounts {
            let agency = row.agency.as_deref().map_or(0, |code| self.agencies.number(code));
            let area = match area_of.get(&agency) {
                Some(area) => *area,
                None => row.area.as_deref().map_or(0, |area| self.areas.number(area)),
            };
            world.accounts.push(Account {
                login: row.login.clone(),
                name: row.name.clone(),
                agency,
                area,
                opened: day_of(beijing_date(row.opened)),
                seen: row.seen.iter().filter_map(|text| day(text)).collect(),
            });
        }
        for row in &reference.waiting {
            world.waiting.push(Waiting {
                id: row.id.clone(),
                title: row.title.clone(),
                kind_title: mj_flow::Kind::of(&row.kind)
                    .map_or_else(|| row.kind.clone(), |kind| kind.title.to_owned()),
                agency: row.agency.as_deref().map_or(0, |code| self.agencies.number(code)),
                area: row.area.as_deref().map_or(0, |area| self.areas.number(area)),
                deadline: row.deadline.as_deref().and_then(day).unwrap_or(NO_DAY),
                created: day_of(beijing_date(row.created)),
            });
        }
        from
    }

    /// The rows of one table, read again only when the table has moved on.
    async fn table(
        &mut self,
        facts: &FactStore,
        spec: &TableSpec,
        pos: i64,
        from: &FxHashMap<Arc<str>, From>,
    ) -> Result<Arc<TableRows>> {
        if let Some(kept) = self.tables.get(&spec.name)
            && kept.pos == pos
        {
            return Ok(kept.rows.clone());
        }
        if pos == 0 {
            return Ok(Arc::default());
        }
        let snapshot = facts.snapshot(spec, At::Latest).await?;
        let column = |wanted: &dyn Fn(&mj_standard::Column) -> bool| {
            let table = Standard::v1().table(&spec.name)?;
            let name = &table.columns.iter().find(|column| wanted(column))?.name;
            spec.columns.iter().position(|known| known.name == *name)
        };
        let is_behaviour = Standard::v1()
            .table(&spec.name)
            .is_some_and(|table| table.kind == TableKind::Behaviour);
        let (item, party) = if is_behaviour {
            let item = column(&|column| column.ty == ColumnType::Item);
            (item, column(&|column| column.name == "administrative_cp_ce_type"))
        } else {
            (None, None)
        };
        let from = from.clone();
        let mut words = std::mem::take(&mut self.areas);
        let mut agencies = std::mem::take(&mut self.agencies);
        let mut mains = std::mem::take(&mut self.mains);
        let (outcome, areas, agencies, mains) = tokio::task::spawn_blocking(move || {
            let mut reading = Reading {
                areas: &mut words,
                agencies: &mut agencies,
                mains: &mut mains,
                from: &from,
                item: item.is_some(),
                party: party.is_some(),
                rows: TableRows { names_items: item.is_some(), ..TableRows::default() },
            };
            let columns: Vec<usize> = item.into_iter().chain(party).collect();
            let outcome = reading.read(&snapshot, &columns);
            let rows = std::mem::take(&mut reading.rows);
            (outcome.map(|()| rows), words, agencies, mains)
        })
        .await
        .map_err(Error::thread)?;
        (self.areas, self.agencies, self.mains) = (areas, agencies, mains);
        let rows = Arc::new(outcome?);
        self.tables.insert(spec.name.clone(), Kept { pos, rows: rows.clone() });
        Ok(rows)
    }
}

struct Reading<'a> {
    areas: &'a mut Words,
    agencies: &'a mut Words,
    mains: &'a mut Words,
    from: &'a FxHashMap<Arc<str>, From>,
    item: bool,
    party: bool,
    rows: TableRows,
}

impl Reading<'_> {
    fn read(&mut self, snapshot: &Snapshot, columns: &[usize]) -> Result<()> {
        // the picture holds everything; what a caller sees of it is decided where it is asked
        let scope = Scope::everything(DataLevel::Personal);
        snapshot.scan(Columns::Only(columns), &Filter::default(), &scope, &mut |row| {
            self.take(row);
            Ok(())
        })?;
        Ok(())
    }

    fn take(&mut self, row: &RowView<'_>) {
        // a row of a batch that settled after we asked comes with the next picture
        let Some(from) = self.from.get(row.batch).copied() else { return };
        let mains_from = self.rows.mains.len() as u32;
        if self.item
            && let Some(codes) = row.value(0)
        {
            for code in codes.split(';') {
                // “无” names no item
                if let Some(main) = code.trim().get(..MAIN)
                    && main.is_ascii()
                {
                    let main = self.mains.number(main);
                    if !self.rows.mains[mains_from as usize..].contains(&main) {
                        self.rows.mains.push(main);
                    }
                }
            }
        }
        let party = match self.party.then(|| row.value(usize::from(self.item))).flatten() {
            Some(kind) if LEGAL.contains(&&*kind) => PartyIs::Legal,
            Some(_) => PartyIs::Natural,
            None => PartyIs::Unsaid,
        };
        let mains = (self.rows.mains.len() - mains_from as usize).min(u8::MAX.into()) as u8;
        self.rows.rows.push(Record {
            row: row.row.0,
            area: row.area.map_or(from.area, |area| self.areas.number(area)),
            agency: row.agency.map_or(from.agency, |agency| self.agencies.number(agency)),
            source: from.source,
            batch: from.number,
            event: row.event_date.unwrap_or(NO_DAY),
            received: from.received,
            party,
            mains_from,
            mains,
        });
    }
}
