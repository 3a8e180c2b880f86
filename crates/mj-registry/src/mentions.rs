//! Resolving mentions in bulk: every wording gets one number, once and for ever.
//!
//! What follows from a wording alone is worked out by [`Registry::prepare_mentions`], without the
//! database, so that it can be done for one chunk of rows while another is being written. Nodes that
//! share a database do not number alike words twice: whoever writes holds the counter of mentions,
//! and a number other than the next one it knows of tells it that somebody else wrote meanwhile.
//!
//! A wording with a valid code finds or makes its party in the same chunk. The others wait in
//! `registry_relink` for [`crate::relink`], which runs when the batch is through: only then is it
//! known whether the code they lack came with another row.

use std::hash::BuildHasher;

use mj_kernel::Actor;
use mj_platform::db::Db;
use mj_platform::keys::{DataKey, Keys};
use mj_platform::{Act, Lane, Result, RowExt, Value, WriteTx};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::Registry;
use crate::gain::{Gain, gain};
use crate::masters::{self, NewParty, PARTY_COLUMNS, PartyRow};
use crate::model::{LinkRule, MentionId, MentionInput, PartyState, Tier};
use crate::survivor::{MentionRow, state_of};
use crate::tables::{IN_LIST, MENTION, NO_USCC, marks, mention_key, take_numbers, texts};
use crate::wording::{Prepared, Wording};

/// New mentions a transaction: with their parties fewer than the 5,000 rows of a chunk.
const CHUNK: usize = 2_400;

/// What is kept in memory of the mentions: about 55 bytes each.
#[derive(Debug, Default)]
pub struct Known {
    numbers: FxHashMap<Wording, MentionId>,
    /// The greatest number seen: what comes next, unless another node wrote.
    last: MentionId,
    /// Hashes of identities that codes prove, and a mention that proves each: its party is the one.
    /// What is not among them has no party yet.
    coded: FxHashMap<u64, MentionId>,
    /// Names of mentions without a code: a new code with one of these names may be theirs.
    loose_blocks: FxHashSet<i64>,
    loose_regist_nos: FxHashSet<String>,
    /// Mentions that a code or a number proves, by name.
    called: Called,
}

impl Known {
    /// Reads what was written since the last number known.
    async fn catch_up(mut self, db: &Db) -> Result<Self> {
        // mentions may have been forgotten, their numbers are not given again
        let counter = "SELECT last FROM registry_counter WHERE name = 'mention'";
        let given = db.fetch_one(counter, &[]).await?.int("last")?;
        loop {
            let rows = db
                .fetch_all(
                    "SELECT number, wording, anchor, block, regist_key, tier FROM mention \
                     WHERE id > $1 ORDER BY id LIMIT 20000",
                    &[mention_key(self.last).into()],
                )
                .await?;
            if rows.is_empty() {
                self.last = self.last.max(given);
                return Ok(self);
            }
            for row in &rows {
                let wording = from_bytes(&row.bytes("wording")?);
                self.last = row.int("number")?;
                self.numbers.insert(wording, self.last);
                let tier = row.text("tier")?;
                if tier != Tier::Name.name() {
                    self.called.add(row.int("block")?, self.last);
                }
                if tier == Tier::Code.name() {
                    self.coded.insert(anchor_hash(&row.text("anchor")?), self.last);
                } else {
                    self.loose_blocks.insert(row.int("block")?);
                    self.loose_regist_nos.extend(row.opt_text("regist_key")?);
                }
            }
        }
    }

    fn add(&mut self, said: &Prepared, number: MentionId) {
        self.numbers.insert(said.wording, number);
        self.last = self.last.max(number);
        if said.tier == Tier::Code {
            self.coded.insert(anchor_hash(&said.anchor), number);
        }
        if said.tier != Tier::Name {
            self.called.add(said.block, number);
        }
        self.add_loose(said);
    }

    fn add_loose(&mut self, said: &Prepared) {
        if said.tier != Tier::Code {
            self.loose_blocks.insert(said.block);
            self.loose_regist_nos.extend(said.regist_key.clone());
        }
    }
}

/// Numbers of mentions by the hash of their names, eight bytes each: 28 bits of the hash, so that a few
/// are found that are not meant, and 36 of the number.
#[derive(Debug, Default)]
pub struct Called {
    sorted: Vec<u64>,
    /// Added since the last question.
    fresh: Vec<u64>,
}

impl Called {
    const NUMBER_BITS: u32 = 36;

    /// 0 is the name of all natural persons.
    fn add(&mut self, block: i64, number: MentionId) {
        if block != 0 {
            self.fresh.push(Self::first_of(block) | number.unsigned_abs());
        }
    }

    fn first_of(block: i64) -> u64 {
        // of 53 bits the upper 28
        (block.unsigned_abs() >> 25) << Self::NUMBER_BITS
    }

    fn sort(&mut self) {
        if !self.fresh.is_empty() {
            self.sorted.append(&mut self.fresh);
            // two runs, the first of them sorted: the stable sort merges them
            self.sorted.sort();
        }
    }

    /// The numbers that may be called so, and perhaps some others.
    fn numbers(&self, block: i64) -> impl Iterator<Item = MentionId> {
        let first = Self::first_of(block);
        let after = first + (1 << Self::NUMBER_BITS);
        let from = self.sorted.partition_point(|entry| *entry < first);
        self.sorted[from..]
            .iter()
            .take_while(move |entry| **entry < after)
            .map(move |entry| i64::try_from(entry - first).unwrap_or(i64::MAX))
    }
}

fn anchor_hash(anchor: &str) -> u64 {
    FxBuildHasher.hash_one(anchor)
}

/// Wordings on their way to their numbers.
pub struct Said {
    wordings: Vec<Wording>,
    parts: Vec<Part>,
}

/// New wordings of one transaction, with the parties that they make where there are none yet.
struct Part {
    prepared: Vec<Prepared>,
    /// By anchor; with the number of wordings the values were chosen from.
    makers: FxHashMap<String, (usize, PartyState, String)>,
}

impl Part {
    fn new(prepared: Vec<Prepared>) -> Self {
        let mut by_anchor: FxHashMap<&str, Vec<&Prepared>> = FxHashMap::default();
        for said in prepared.iter().filter(|said| said.tier == Tier::Code) {
            by_anchor.entry(&said.anchor).or_default().push(said);
        }
        let makers = by_anchor.into_iter().filter_map(|(anchor, said)| {
            let rows: Vec<MentionRow> = said.iter().map(|one| in_clear(one)).collect();
            let state = state_of(anchor, &[], &rows)?;
            let search = masters::search_text(&state);
            Some((anchor.to_owned(), (rows.len(), state, search)))
        });
        Self { makers: makers.collect(), prepared }
    }
}

fn to_bytes(wording: Wording) -> Vec<u8> {
    let mut bytes = wording.0.to_be_bytes().to_vec();
    bytes.extend(wording.1.to_be_bytes());
    bytes
}

fn from_bytes(bytes: &[u8]) -> Wording {
    let half = |range: std::ops::Range<usize>| {
        bytes.get(range).and_then(|part| part.try_into().ok()).map_or(0, u64::from_be_bytes)
    };
    (half(0..8), half(8..16))
}

impl Registry {
    /// The numbers of these wordings, in order; what is new is written, in chunks of its own.
    pub async fn resolve_mentions(&self, said: &[MentionInput<'_>]) -> Result<Vec<MentionId>> {
        self.ready().await?;
        self.resolve_prepared(self.prepare_mentions(said)).await
    }

    /// All that can be said of wordings without the database. Worth calling ahead, on another thread,
    /// once [`Registry::ready`] was awaited.
    pub fn prepare_mentions(&self, said: &[MentionInput<'_>]) -> Said {
        let wordings: Vec<Wording> = said.iter().map(|one| self.hash.wording(one)).collect();
        let mut numbers = vec![0; said.len()];
        self.look_up(&wordings, &mut numbers);
        let mut seen = FxHashSet::default();
        let fresh: Vec<usize> =
            (0..said.len()).filter(|at| numbers[*at] == 0 && seen.insert(wordings[*at])).collect();
        let parts = fresh.chunks(CHUNK).map(|chunk| {
            let one = |at: &usize| Prepared::of(&said[*at], wordings[*at], &self.hash, &self.keys);
            Part::new(chunk.iter().map(one).collect())
        });
        Said { parts: parts.collect(), wordings }
    }

    /// The numbers of prepared wordings, in order; what is still new is written.
    ///
    /// Commits as it goes: a wording that turns out not to be needed harms nobody, and a run that is
    /// killed and repeated finds what it already wrote.
    pub async fn resolve_prepared(&self, said: Said) -> Result<Vec<MentionId>> {
        let mut numbers = vec![0; said.wordings.len()];
        if self.look_up(&said.wordings, &mut numbers) == 0 {
            return Ok(numbers);
        }
        let _writing = self.writing.lock().await;
        for part in said.parts {
            self.write_part(part).await?;
        }
        self.look_up(&said.wordings, &mut numbers);
        Ok(numbers)
    }

    /// Fills in what is known; returns how many are not.
    fn look_up(&self, wordings: &[Wording], numbers: &mut [MentionId]) -> usize {
        let guard = self.known.read().expect("nobody panics while holding the cache");
        let Some(known) = guard.as_ref() else { return wordings.len() };
        let mut missing = 0;
        for (wording, number) in wordings.iter().zip(numbers) {
            match known.numbers.get(wording) {
                Some(found) => *number = *found,
                None => missing += 1,
            }
        }
        missing
    }

    /// Reads into memory what is known, on first use.
    pub async fn ready(&self) -> Result<()> {
        if self.known.read().expect("nobody panics while holding the cache").is_some() {
            return Ok(());
        }
        let _writing = self.writing.lock().await;
        if self.known.read().expect("nobody panics while holding the cache").is_none() {
            self.catch_up().await?;
        }
        Ok(())
    }

    /// The mentions proven by a code or a number that may have one of these names, besides some that
    /// have not. The caller holds `writing`.
    pub(crate) async fn called(&self, blocks: &[i64]) -> Result<Vec<MentionId>> {
        let sql = "SELECT last FROM registry_counter WHERE name = 'mention'";
        if self.db.fetch_one(sql, &[]).await?.int("last")? + 1 != self.next_number() {
            self.catch_up().await?;
        }
        let mut guard = self.known.write().expect("nobody panics while holding the cache");
        let Some(known) = guard.as_mut() else { return Ok(Vec::new()) };
        known.called.sort();
        Ok(blocks.iter().flat_map(|block| known.called.numbers(*block)).collect())
    }

    /// Takes over what other nodes wrote. The caller holds `writing`.
    async fn catch_up(&self) -> Result<()> {
        let known = self.known.write().expect("nobody panics while holding the cache").take();
        let known = known.unwrap_or_default().catch_up(&self.db).await?;
        *self.known.write().expect("nobody panics while holding the cache") = Some(known);
        Ok(())
    }

    /// The caller holds `writing`.
    async fn write_part(&self, mut part: Part) -> Result<()> {
        loop {
            {
                let guard = self.known.read().expect("nobody panics while holding the cache");
                if let Some(known) = guard.as_ref() {
                    part.prepared.retain(|said| !known.numbers.contains_key(&said.wording));
                }
            }
            if part.prepared.is_empty() {
                return Ok(());
            }
            if let Some(numbers) = self.try_write_part(&part).await? {
                return self.remember(&part.prepared, &numbers);
            }
            // another node was quicker: take over what it wrote and add only the rest
            self.catch_up().await?;
        }
    }

    fn remember(&self, prepared: &[Prepared], numbers: &[MentionId]) -> Result<()> {
        let mut guard = self.known.write().expect("nobody panics while holding the cache");
        if let Some(known) = guard.as_mut() {
            for (said, number) in prepared.iter().zip(numbers) {
                known.add(said, *number);
            }
        }
        Ok(())
    }

    /// `None`: another node wrote meanwhile, and nothing was done.
    async fn try_write_part(&self, part: &Part) -> Result<Option<Vec<MentionId>>> {
        let prepared = &part.prepared;
        let act = Act::new(&Actor::system("registry"), "registry.mention.resolve", "mention");
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        // holds the counter to the end of the transaction: nobody numbers the same words meanwhile
        let first = take_numbers(&mut tx, "mention", prepared.len()).await?;
        if first != self.next_number() {
            return Ok(None);
        }
        let numbers: Vec<MentionId> = (first..).take(prepared.len()).collect();
        let keys = person_keys(&mut tx, &self.keys, prepared).await?;
        let parties = self.parties_of_codes(&mut tx, part, &keys).await?;

        let party_of = |said: &Prepared| {
            parties.by_anchor.get(&said.anchor).filter(|_| said.tier == Tier::Code)
        };
        let waiting: Vec<Vec<Value>> = prepared
            .iter()
            .zip(&numbers)
            .filter(|(said, _)| party_of(said).is_none())
            .map(|(_, number)| vec![mention_key(*number).into()])
            .collect();
        let rows = prepared.iter().zip(&numbers).map(|(said, number)| {
            let key = said.subject.as_ref().and_then(|subject| keys.get(subject));
            mention_values(said, *number, party_of(said).map(String::as_str), key)
        });
        tx.insert_each(&MENTION, rows).await?;
        let ignore = "ON CONFLICT (mention_id) DO NOTHING";
        tx.execute_many("registry_relink", &["mention_id"], &waiting, ignore).await?;
        self.ask_again(&mut tx, prepared).await?;
        masters::set_values(&mut tx, &self.keys, parties.changed).await?;
        masters::refresh(&mut tx, &self.db, &self.keys, &parties.touched).await?;
        tx.commit().await?;
        Ok(Some(numbers))
    }

    fn next_number(&self) -> MentionId {
        let guard = self.known.read().expect("nobody panics while holding the cache");
        guard.as_ref().map_or(0, |known| known.last) + 1
    }

    /// Finds the parties that codes prove, and makes those nobody knew.
    async fn parties_of_codes(
        &self,
        tx: &mut WriteTx,
        part: &Part,
        keys: &FxHashMap<String, DataKey>,
    ) -> Result<CodedParties> {
        let mut by_code: FxHashMap<&str, Vec<&Prepared>> = FxHashMap::default();
        for said in part.prepared.iter().filter(|said| said.tier == Tier::Code) {
            by_code.entry(&said.anchor).or_default().push(said);
        }
        let mut anchors: Vec<&str> = by_code.keys().copied().collect();
        anchors.sort_unstable();
        let mut found = CodedParties::default();
        let seen_before: Vec<MentionId> = {
            let guard = self.known.read().expect("nobody panics while holding the cache");
            let coded = |anchor: &&str| guard.as_ref()?.coded.get(&anchor_hash(anchor)).copied();
            anchors.iter().filter_map(coded).collect()
        };
        for row in of_mentions(tx, &seen_before).await? {
            if !by_code.contains_key(row.anchor.as_str()) {
                // two identities of one hash: rarer than any other fault
                return Err(mj_platform::Error::Corrupt("监管对象标识的散列相同".into()));
            }
            let said = by_code.remove(row.anchor.as_str()).unwrap_or_default();
            found.by_anchor.insert(row.anchor.clone(), row.id.clone());
            let said: Vec<MentionRow> = said.iter().map(|one| in_clear(one)).collect();
            match gain(&row, &said) {
                Gain::Nothing => {}
                Gain::New(state) => found.changed.push((row, *state)),
                Gain::Open => found.touched.push(row.id),
            }
        }
        let mut new = Vec::new();
        let mut new_anchors = Vec::new();
        for anchor in anchors {
            let Some(said) = by_code.get(anchor) else { continue };
            let (state, search) = match part.makers.get(anchor) {
                Some((wordings, state, search)) if *wordings == said.len() => {
                    (state.clone(), search.clone())
                }
                // some of the wordings were written by somebody else
                _ => {
                    let rows: Vec<MentionRow> = said.iter().map(|one| in_clear(one)).collect();
                    let Some(state) = state_of(anchor, &[], &rows) else { continue };
                    let search = masters::search_text(&state);
                    (state, search)
                }
            };
            let key = said.first().and_then(|one| one.subject.as_ref()).and_then(|s| keys.get(s));
            new.push(NewParty { anchor: anchor.to_owned(), state, search, key: key.cloned() });
            new_anchors.push(anchor.to_owned());
        }
        let ids = masters::create(tx, &self.keys, new).await?;
        found.by_anchor.extend(new_anchors.into_iter().zip(ids));
        Ok(found)
    }

    /// A new code or registration number may be what older mentions lacked: they are looked at again.
    async fn ask_again(&self, tx: &mut WriteTx, prepared: &[Prepared]) -> Result<()> {
        let (blocks, regist_nos) = {
            let guard = self.known.read().expect("nobody panics while holding the cache");
            let mut here = Known::default();
            prepared.iter().for_each(|said| here.add_loose(said));
            let loose_block = |block: &i64| {
                here.loose_blocks.contains(block)
                    || guard.as_ref().is_some_and(|known| known.loose_blocks.contains(block))
            };
            let loose_regist_no = |number: &String| {
                here.loose_regist_nos.contains(number)
                    || guard.as_ref().is_some_and(|known| known.loose_regist_nos.contains(number))
            };
            let strong = || prepared.iter().filter(|said| said.tier != Tier::Name);
            let mut blocks: Vec<i64> =
                strong().map(|said| said.block).filter(|b| *b != 0 && loose_block(b)).collect();
            let mut regist_nos: Vec<String> = strong()
                .filter_map(|said| said.regist_key.clone())
                .filter(loose_regist_no)
                .collect();
            blocks.sort_unstable();
            blocks.dedup();
            regist_nos.sort_unstable();
            regist_nos.dedup();
            (blocks, regist_nos)
        };
        for chunk in blocks.chunks(IN_LIST) {
            let args: Vec<Value> = chunk.iter().map(|block| Value::from(*block)).collect();
            queue_again(tx, "block", &args).await?;
        }
        for chunk in regist_nos.chunks(IN_LIST) {
            queue_again(tx, "regist_key", &texts(chunk.iter().map(String::as_str))).await?;
        }
        Ok(())
    }
}

/// Puts mentions without a code back in the queue, by a column they share with a new one.
pub async fn queue_again(tx: &mut WriteTx, column: &str, values: &[Value]) -> Result<()> {
    let sql = format!(
        "INSERT INTO registry_relink (mention_id) SELECT id FROM mention \
         WHERE {column} IN ({}) AND tier <> 'code' ON CONFLICT (mention_id) DO NOTHING",
        marks(1, values.len())
    );
    tx.execute(&sql, values).await?;
    Ok(())
}

#[derive(Default)]
struct CodedParties {
    by_anchor: FxHashMap<String, String>,
    /// Parties that were known before and get other values now.
    changed: Vec<(PartyRow, PartyState)>,
    /// Those that may.
    touched: Vec<String>,
}

fn in_clear(said: &Prepared) -> MentionRow {
    MentionRow {
        id: String::new(),
        kind: said.kind,
        name: said.name.clone(),
        uscc: said.uscc.clone(),
        code: None,
        person_code: said.person_code.clone(),
        regist_no: said.regist_key.clone(),
        area_number: said.area_number.clone(),
        address: said.address.clone(),
    }
}

/// The parties that mentions with a code made or found; a code never leaves its party.
async fn of_mentions(tx: &mut WriteTx, mentions: &[MentionId]) -> Result<Vec<PartyRow>> {
    let mut found = Vec::with_capacity(mentions.len());
    for chunk in mentions.chunks(IN_LIST) {
        let sql = format!(
            "SELECT {PARTY_COLUMNS} FROM mention m JOIN party p ON p.id = m.party_id \
             WHERE m.id IN ({}) ORDER BY p.anchor",
            marks(1, chunk.len())
        );
        let args: Vec<Value> = chunk.iter().map(|number| mention_key(*number).into()).collect();
        for row in tx.fetch_all(&sql, &args).await? {
            found.push(PartyRow::read(&row)?);
        }
    }
    Ok(found)
}

/// Parties by the identity they prove, other than a credit code: those are found by their mentions.
pub async fn by_anchor(tx: &mut WriteTx, anchors: &[&str]) -> Result<Vec<PartyRow>> {
    let mut found = Vec::new();
    for chunk in anchors.chunks(IN_LIST) {
        let sql = format!(
            "SELECT {PARTY_COLUMNS} FROM party p WHERE p.anchor IN ({}) AND {NO_USCC} \
             ORDER BY p.anchor",
            marks(1, chunk.len())
        );
        for row in tx.fetch_all(&sql, &texts(chunk.iter().copied())).await? {
            found.push(PartyRow::read(&row)?);
        }
    }
    Ok(found)
}

async fn person_keys(
    tx: &mut WriteTx,
    keys: &Keys,
    prepared: &[Prepared],
) -> Result<FxHashMap<String, DataKey>> {
    let mut subjects: Vec<String> =
        prepared.iter().filter_map(|said| said.subject.clone()).collect();
    if subjects.is_empty() {
        return Ok(FxHashMap::default());
    }
    subjects.sort_unstable();
    subjects.dedup();
    let opened = keys.data_keys(tx, &subjects).await?;
    Ok(subjects.into_iter().zip(opened).collect())
}

/// In the order of [`MENTION`].
fn mention_values(
    said: &Prepared,
    number: MentionId,
    party: Option<&str>,
    key: Option<&DataKey>,
) -> Vec<Value> {
    let seal = |column: &str, text: &str| match key {
        Some(key) => key.seal(column, text),
        None => text.to_owned(),
    };
    let (rule, score, explain) = match (said.tier, party) {
        (Tier::Code, Some(_)) => (LinkRule::Code, 100, code_reason(said)),
        _ => (LinkRule::Itself, 0, ""),
    };
    vec![
        mention_key(number).into(),
        number.into(),
        to_bytes(said.wording).into(),
        said.kind.name().into(),
        said.code_type.clone().into(),
        said.code.as_deref().map(|code| seal("mention.code", code)).into(),
        seal("mention.name", &said.name).into(),
        // a registration number beside a natural person is part of the wording and as personal
        said.regist_no.as_deref().map(|number| seal("mention.regist_no", number)).into(),
        said.area_number.clone().into(),
        said.address.as_deref().map(|address| seal("mention.address", address)).into(),
        said.tier.name().into(),
        said.anchor.as_str().into(),
        said.regist_key.clone().into(),
        said.block.into(),
        party.into(),
        rule.name().into(),
        Value::Int(score),
        explain.into(),
    ]
}

fn code_reason(said: &Prepared) -> &'static str {
    if said.uscc.is_some() {
        "统一社会信用代码有效且相同"
    } else if said.person_code.is_some() {
        "证件类型和号码相同"
    } else {
        "组织机构代码有效且相同"
    }
}
