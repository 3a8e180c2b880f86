//! What figures are computed from: one consistent picture of the house, held in memory as plain rows.
//! Words (areas, agencies, sources) are numbers that stay the same while the node runs, so that a table
//! whose facts did not change need not be read again.

use std::sync::Arc;

use chrono::NaiveDate;
use mj_kernel::{AgencySet, Instant, Scope};
use rustc_hash::FxHashMap;

/// Days since 1970-01-01; `i32::MIN`: unknown.
pub type Day = i32;
pub const NO_DAY: Day = i32::MIN;

pub fn day_of(day: NaiveDate) -> Day {
    i32::try_from((day - NaiveDate::default()).num_days()).unwrap_or(NO_DAY)
}

pub fn date_of(day: Day) -> Option<NaiveDate> {
    let distance = chrono::TimeDelta::try_days(i64::from(day))?;
    (day != NO_DAY).then(|| NaiveDate::default().checked_add_signed(distance)).flatten()
}

/// A word as a number; 0 is the empty word, "unknown".
pub type Word = u32;

/// Texts that come again and again. Only grows.
#[derive(Debug, Clone)]
pub struct Words {
    by_text: FxHashMap<Arc<str>, Word>,
    texts: Vec<Arc<str>>,
}

impl Default for Words {
    fn default() -> Self {
        let empty: Arc<str> = "".into();
        Self { by_text: FxHashMap::from_iter([(empty.clone(), 0)]), texts: vec![empty] }
    }
}

impl Words {
    pub fn number(&mut self, text: &str) -> Word {
        if let Some(known) = self.by_text.get(text) {
            return *known;
        }
        let number = self.texts.len() as Word;
        let text: Arc<str> = text.into();
        self.by_text.insert(text.clone(), number);
        self.texts.push(text);
        number
    }

    pub fn find(&self, text: &str) -> Option<Word> {
        self.by_text.get(text).copied()
    }

    pub fn text(&self, word: Word) -> &str {
        self.texts.get(word as usize).map_or("", |text| text)
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.texts.len() <= 1
    }
}

/// Who acted upon, as coverage asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartyIs {
    Legal,
    Natural,
    Unsaid,
}

/// One visible row of the fact store.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// Its place in the fact store (`RowId`), good while this picture is.
    pub row: i64,
    pub area: Word,
    /// The acting body, else the agency that answers for the source.
    pub agency: Word,
    pub source: Word,
    /// In [`World::batches`].
    pub batch: u32,
    pub event: Day,
    pub received: Day,
    pub party: PartyIs,
    /// In [`TableRows::mains`], so many.
    pub mains_from: u32,
    pub mains: u8,
}

/// The rows of one table.
#[derive(Debug, Default)]
pub struct TableRows {
    pub rows: Vec<Record>,
    pub mains: Vec<Word>,
    /// Whether the rows of this table say which items they are about.
    pub names_items: bool,
}

impl TableRows {
    pub fn mains_of(&self, record: &Record) -> &[Word] {
        let from = record.mains_from as usize;
        self.mains.get(from..from + usize::from(record.mains)).unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
pub struct TableInfo {
    pub name: String,
    pub title: String,
    pub is_behaviour: bool,
}

#[derive(Debug, Clone)]
pub struct Agency {
    pub id: String,
    pub agency: Word,
    pub name: String,
    pub area: Word,
    pub from: Day,
    /// The last day.
    pub to: Day,
}

#[derive(Debug, Clone)]
pub struct Source {
    pub source: Word,
    pub name: String,
    pub agency: Word,
    pub area: Word,
    pub active: bool,
    /// Tables it is registered to deliver; none: whatever it ever delivered.
    pub tables: Vec<u16>,
}

#[derive(Debug, Clone)]
pub struct Batch {
    pub id: Arc<str>,
    pub received: Instant,
}

/// A refused row that is not mended.
#[derive(Debug, Clone, Copy)]
pub struct Refused {
    pub table: u16,
    pub batch: u32,
    pub row: i64,
    pub area: Word,
    pub agency: Word,
    pub source: Word,
    pub received: Day,
}

/// A main item that a body has in its implementation lists.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    pub agency: Word,
    pub area: Word,
    pub main: Word,
    pub from: Day,
    /// The last day.
    pub to: Day,
}

#[derive(Debug, Clone)]
pub struct Officer {
    pub id: String,
    pub register_no: String,
    pub name: String,
    pub agency: Word,
    pub area: Word,
    pub has_account: bool,
    /// Days of each certificate, the last day included.
    pub certificates: Vec<(Day, Day)>,
}

#[derive(Debug, Clone)]
pub struct Account {
    pub login: String,
    pub name: String,
    pub agency: Word,
    pub area: Word,
    pub opened: Day,
    /// Days on which the account was logged in to, in order.
    pub seen: Vec<Day>,
}

/// A work item that waits for somebody.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub id: String,
    pub title: String,
    pub kind_title: String,
    pub agency: Word,
    pub area: Word,
    pub deadline: Day,
    pub created: Day,
}

/// Everything at one moment.
#[derive(Debug, Default)]
pub struct World {
    /// Number of the last change that is in it.
    pub stamp: i64,
    pub as_of: Instant,
    pub today: Day,
    pub areas: Arc<Words>,
    pub agencies: Arc<Words>,
    pub sources: Arc<Words>,
    pub mains: Arc<Words>,
    pub main_names: FxHashMap<Word, String>,
    pub tables: Vec<TableInfo>,
    /// One for each of `tables`.
    pub records: Vec<Arc<TableRows>>,
    pub batches: Vec<Batch>,
    pub bodies: Vec<Agency>,
    pub senders: Vec<Source>,
    pub refused: Vec<Refused>,
    /// One for each (agency, main item).
    pub claims: Vec<Claim>,
    pub officers: Vec<Officer>,
    pub accounts: Vec<Account>,
    pub waiting: Vec<Waiting>,
    /// Roll-ups made so far.
    pub kept: crate::rollup::Kept,
}

impl World {
    pub fn table(&self, name: &str) -> Option<u16> {
        let at = self.tables.iter().position(|table| table.name == name)?;
        u16::try_from(at).ok()
    }

    pub fn rows(&self) -> usize {
        self.records.iter().map(|table| table.rows.len()).sum()
    }

    pub fn body_name(&self, agency: Word) -> Option<&str> {
        self.bodies.iter().find(|body| body.agency == agency).map(|body| body.name.as_str())
    }

    pub fn sender(&self, source: Word) -> Option<&Source> {
        self.senders.iter().find(|sender| sender.source == source)
    }
}

/// Asks for what names no area, or no agency.
pub const UNSAID: &str = "none";

/// What somebody may see, and what they asked to see of it.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub scopes: Vec<Scope>,
    /// Division code: the subtree below it; [`UNSAID`]: rows that name none.
    pub area: Option<String>,
    /// The area alone, without what lies below it.
    pub own_only: bool,
    pub agency: Option<String>,
    pub table: Option<String>,
    pub source: Option<String>,
    /// Main item: acts that refer to it.
    pub main: Option<String>,
}

/// [`Wanted`] against word numbers: each area and agency is judged once.
#[derive(Debug)]
pub struct Sieve {
    /// For each scope what it covers.
    scopes: Vec<Covered>,
    /// The scopes in words, where one of them is held to item lines: no cell tells what it sees.
    held_to_lines: Option<String>,
    areas: Vec<bool>,
    agency: Option<Word>,
    source: Option<Word>,
    main: Option<Word>,
    table: Option<Option<u16>>,
}

#[derive(Debug, Clone)]
struct Covered {
    areas: Vec<bool>,
    agencies: Vec<bool>,
    /// Main items; `None` = all, those of no item too.
    mains: Option<Vec<bool>>,
}

/// No row has it: what was asked for is not known.
const NOBODY: Word = Word::MAX;

impl Sieve {
    pub fn new(world: &World, wanted: &Wanted) -> Self {
        let unknown = |word: Word, words: &Words| (word != 0).then(|| words.text(word).to_owned());
        let areas: Vec<Option<String>> =
            (0..world.areas.len() as Word).map(|word| unknown(word, &world.areas)).collect();
        let agencies: Vec<Option<String>> =
            (0..world.agencies.len() as Word).map(|word| unknown(word, &world.agencies)).collect();
        let scopes = wanted
            .scopes
            .iter()
            .map(|scope| {
                let sees = |agency: &Option<String>| match agency {
                    Some(agency) => scope.agencies.covers(agency),
                    None => scope.agencies == AgencySet::All,
                };
                Covered {
                    areas: areas.iter().map(|area| scope.covers_area(area.as_deref())).collect(),
                    agencies: agencies.iter().map(sees).collect(),
                    mains: (scope.item_lines != AgencySet::All).then(|| {
                        let mains = 0..world.mains.len() as Word;
                        mains.map(|main| scope.covers_items(Some(world.mains.text(main)))).collect()
                    }),
                }
            })
            .collect();
        let is_held = wanted.scopes.iter().any(|scope| scope.item_lines != AgencySet::All);
        let prefix = wanted.area.as_deref().map(Scope::area_prefix);
        Self {
            scopes,
            held_to_lines: is_held.then(|| format!("{:?}", wanted.scopes)),
            areas: areas
                .iter()
                .map(|area| match (prefix, area.as_deref()) {
                    _ if wanted.area.as_deref() == Some(UNSAID) => area.is_none(),
                    (_, area) if wanted.own_only => area == wanted.area.as_deref(),
                    (None | Some(""), _) => true,
                    (Some(prefix), area) => area.is_some_and(|area| area.starts_with(prefix)),
                })
                .collect(),
            agency: wanted.agency.as_deref().map(|code| match code {
                UNSAID => 0,
                code => world.agencies.find(code).unwrap_or(NOBODY),
            }),
            source: wanted.source.as_deref().map(|code| world.sources.find(code).unwrap_or(NOBODY)),
            main: wanted.main.as_deref().map(|code| world.mains.find(code).unwrap_or(NOBODY)),
            table: wanted.table.as_deref().map(|name| world.table(name)),
        }
    }

    /// No scope, and of the filters only those that cells do not tell: what a scope held to item lines
    /// sees is among them.
    pub fn everything_like(world: &World, asked: &Sieve) -> Self {
        let mut sieve = Self::new(world, &crate::rollup::everything());
        (sieve.source, sieve.main) = (asked.source, asked.main);
        if asked.held_to_lines.is_some() {
            (sieve.scopes, sieve.held_to_lines) =
                (asked.scopes.clone(), asked.held_to_lines.clone());
        }
        sieve
    }

    pub fn deep(&self) -> crate::daily::Deep {
        (self.source, self.main, self.held_to_lines.clone())
    }

    pub fn has_main(&self) -> bool {
        self.main.is_some()
    }

    /// Whether something was asked for that roll-ups by area, agency and table cannot tell.
    pub fn is_deeper_than_cells(&self) -> bool {
        self.source.is_some() || self.main.is_some() || self.held_to_lines.is_some()
    }

    /// Whether the record is in sight and of the main item asked for.
    #[inline]
    pub fn sees_record(&self, rows: &TableRows, record: &Record) -> bool {
        let mains = rows.mains_of(record);
        self.sees(record.area, record.agency)
            && self.main.is_none_or(|main| mains.contains(&main))
            && (self.held_to_lines.is_none()
                || !rows.names_items
                || self.sees_any(record.area, record.agency, mains))
    }

    /// Whether one scope covers the place and one of the main items.
    pub fn sees_any(&self, area: Word, agency: Word, mains: &[Word]) -> bool {
        self.scopes.iter().any(|scope| {
            scope.areas[area as usize]
                && scope.agencies[agency as usize]
                && scope
                    .mains
                    .as_ref()
                    .is_none_or(|covered| mains.iter().any(|main| covered[*main as usize]))
        })
    }

    #[inline]
    pub fn sees(&self, area: Word, agency: Word) -> bool {
        self.areas[area as usize]
            && self.agency.is_none_or(|wanted| wanted == agency)
            && self
                .scopes
                .iter()
                .any(|scope| scope.areas[area as usize] && scope.agencies[agency as usize])
    }

    #[inline]
    pub fn sees_source(&self, source: Word) -> bool {
        self.source.is_none_or(|wanted| wanted == source)
    }

    pub fn sees_table(&self, table: u16) -> bool {
        self.table.is_none_or(|wanted| wanted == Some(table))
    }

    /// Whether the figure was narrowed to a table or a source, which what is not delivered has not.
    pub fn is_narrowed(&self) -> bool {
        self.table.is_some() || self.source.is_some() || self.main.is_some()
    }
}
