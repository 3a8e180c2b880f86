//! Linking the mentions that no code proves: by registration number, then by name and address.
//!
//! The outcome is a function of what was ever said, not of the order in which it arrived: each
//! waiting mention is compared with the parties that a code or registration number proves, and is
//! looked at again whenever such a party with its name or number appears. Mentions by name alone are
//! never compared with each other; equal wordings share one party, others stay apart (a name is no
//! proof, domain.md 10 trap 8). Doubtful pairs are asked about, once, and nothing is merged meanwhile.
//!
//! What people decided stands: a party merged by a person keeps its mentions, a pair judged different
//! is not linked and not asked about again.

use mj_kernel::{Actor, Event};
use mj_linkage::Verdict;
use mj_platform::{Act, Db, Lane, Result, RowExt, Value, WriteTx, new_id};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::Registry;
use crate::gain::{Gain, gain};
use crate::likeness;
use crate::masters::{self, MENTION_COLUMNS, NewParty, PartyRow, open_rows, read_mention};
use crate::mentions::{by_anchor, queue_again};
use crate::model::{LinkRule, PartyKind, PartyState, Relinked, Tier};
use crate::survivor::{MentionRow, state_of};
use crate::tables::{IN_LIST, MENTION, PARTY_PAIR, marks, mention_key, texts};

/// Mentions a transaction: with the parties they touch below the 5,000 rows of a chunk.
const CHUNK: i64 = 1_000;
/// A mention in doubt between more parties than this says little about any of them.
const QUESTIONS: usize = 3;

/// A waiting mention.
struct Waiting {
    id: String,
    said: MentionRow,
    tier: Tier,
    anchor: String,
    block: i64,
    party_id: Option<String>,
}

/// Waiting mentions with their homes, one for one.
struct Looked {
    waiting: Vec<Waiting>,
    homes: Vec<Home>,
}

/// Where a mention belongs by the rules.
struct Home {
    /// `None`: its own party.
    party: Option<String>,
    rule: LinkRule,
    score: i64,
    explain: String,
    /// Parties it may be, for a person to judge.
    doubts: Vec<Doubt>,
}

struct Doubt {
    party: String,
    score: i64,
    explain: String,
}

impl Registry {
    /// Settles the links of all mentions that wait; call it when a batch is through.
    pub async fn relink(&self) -> Result<Relinked> {
        let _writing = self.writing.lock().await;
        let mut total = Relinked::default();
        // numbers first: a party by number that finds its code changes what names are compared with
        for tier in [Tier::RegistNo, Tier::Name] {
            loop {
                let done = self.relink_all(tier).await?;
                total.looked_at += done.looked_at;
                total.moved += done.moved;
                total.doubtful += done.doubtful;
                if done.looked_at == 0 {
                    break;
                }
            }
        }
        Ok(total)
    }

    /// Once through the queue. While some mentions are written, the next are looked at: where a mention
    /// belongs depends on mentions that codes prove, and this writes none of those.
    async fn relink_all(&self, tier: Tier) -> Result<Relinked> {
        let mut total = Relinked::default();
        let mut next = self.look(tier, "").await?;
        while let Some(last) = next.waiting.last().map(|mention| mention.id.clone()) {
            let (ahead, done) = tokio::join!(self.look(tier, &last), self.carry_out(next));
            let done = done?;
            total.looked_at += done.looked_at;
            total.moved += done.moved;
            total.doubtful += done.doubtful;
            next = ahead?;
        }
        Ok(total)
    }

    /// The next mentions that wait, and where they belong.
    async fn look(&self, tier: Tier, after: &str) -> Result<Looked> {
        let waiting = self.waiting(tier, after).await?;
        let homes = match tier {
            Tier::RegistNo => by_regist_no(&self.db, &waiting).await?,
            _ => {
                let mut blocks: Vec<i64> = waiting.iter().map(|mention| mention.block).collect();
                blocks.retain(|block| *block != 0);
                blocks.sort_unstable();
                blocks.dedup();
                let called = match blocks.is_empty() {
                    true => Vec::new(),
                    false => self.called(&blocks).await?,
                };
                by_name(&self.db, &waiting, &called).await?
            }
        };
        Ok(Looked { waiting, homes })
    }

    async fn carry_out(&self, looked: Looked) -> Result<Relinked> {
        let act = Act::new(&Actor::system("registry"), "registry.mention.relink", "mention");
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        let done = self.settle(&mut tx, looked.waiting, looked.homes).await?;
        tx.commit().await?;
        Ok(done)
    }

    async fn waiting(&self, tier: Tier, after: &str) -> Result<Vec<Waiting>> {
        // CROSS: SQLite keeps this order, and does not go through all mentions to find the waiting ones
        let sql = format!(
            "SELECT {MENTION_COLUMNS}, m.block, m.party_id FROM registry_relink q \
             CROSS JOIN mention m WHERE m.id = q.mention_id AND m.tier = $1 AND q.mention_id > $2 \
             ORDER BY q.mention_id LIMIT {CHUNK}"
        );
        let mut waiting = Vec::new();
        for row in self.db.fetch_all(&sql, &[tier.name().into(), after.into()]).await? {
            let said = read_mention(&row)?;
            let said = if said.kind == PartyKind::Person {
                let (_, opened) = open_rows(&self.keys, &self.db, Vec::new(), vec![said]).await?;
                opened.into_iter().next()
            } else {
                Some(said)
            };
            let Some(said) = said else { continue };
            waiting.push(Waiting {
                id: said.id.clone(),
                said,
                tier,
                anchor: row.text("anchor")?,
                block: row.int("block")?,
                party_id: row.opt_text("party_id")?,
            });
        }
        Ok(waiting)
    }

    async fn settle(
        &self,
        tx: &mut WriteTx,
        waiting: Vec<Waiting>,
        mut homes: Vec<Home>,
    ) -> Result<Relinked> {
        let own = self.own_parties(tx, &waiting).await?;
        let judged = judged_pairs(tx, &own).await?;
        for (mention, home) in waiting.iter().zip(&mut homes) {
            respect_people(own.get(&mention.anchor), &judged, home);
        }
        let (own, made) = self.make_own_parties(tx, &waiting, &homes, own).await?;

        let mut done = Relinked { looked_at: waiting.len(), ..Default::default() };
        let mut touched: FxHashSet<String> = FxHashSet::default();
        let mut gained: FxHashMap<String, Vec<MentionRow>> = FxHashMap::default();
        let mut left: FxHashMap<String, String> = FxHashMap::default();
        let mut moves = Vec::new();
        for (mention, home) in waiting.iter().zip(&homes) {
            let itself = own.get(&mention.anchor).map(|row| row.id.clone());
            let Some(party) = home.party.clone().or(itself) else { continue };
            if mention.party_id.as_deref() == Some(party.as_str()) {
                continue;
            }
            let values = vec![
                party.as_str().into(),
                home.rule.name().into(),
                home.score.into(),
                home.explain.as_str().into(),
            ];
            moves.push((mention.id.clone(), values));
            done.moved += 1;
            if let Some(old) = &mention.party_id {
                left.insert(old.clone(), party.clone());
                touched.insert(old.clone());
            }
            match &home.party {
                Some(_) => gained.entry(party).or_default().push(mention.said.clone()),
                // it may have stood empty, with the values of wordings that are elsewhere now
                None if !made.contains(&party) => _ = touched.insert(party),
                None => {}
            }
            if mention.tier == Tier::RegistNo && mention.block != 0 {
                queue_again(tx, "block", &[mention.block.into()]).await?;
            }
        }
        tx.update_many(&MENTION, &["party_id", "link_rule", "score", "explain"], moves).await?;
        self.retire_or_revive(tx, &waiting, &homes, &own, &left).await?;
        done.doubtful = self.ask(tx, &waiting, &homes, &own).await?;
        gained.retain(|party, _| !touched.contains(party));
        let (changed, open) = gains(tx, gained).await?;
        masters::set_values(tx, &self.keys, changed).await?;
        touched.extend(open);
        let mut touched: Vec<String> = touched.into_iter().collect();
        touched.sort_unstable();
        masters::refresh(tx, &self.db, &self.keys, &touched).await?;
        let ids: Vec<Value> = waiting.iter().map(|mention| mention.id.as_str().into()).collect();
        for chunk in ids.chunks(IN_LIST) {
            let list = marks(1, chunk.len());
            let sql = format!("DELETE FROM registry_relink WHERE mention_id IN ({list})");
            tx.execute(&sql, chunk).await?;
        }
        Ok(done)
    }

    /// The parties these wordings prove by themselves, as far as they were ever made.
    async fn own_parties(
        &self,
        tx: &mut WriteTx,
        waiting: &[Waiting],
    ) -> Result<FxHashMap<String, PartyRow>> {
        let mut anchors: Vec<&str> =
            waiting.iter().map(|mention| mention.anchor.as_str()).collect();
        anchors.sort_unstable();
        anchors.dedup();
        let rows = by_anchor(tx, &anchors).await?;
        Ok(rows.into_iter().map(|row| (row.anchor.clone(), row)).collect())
    }

    /// Makes a party for wordings that nothing links and that have none yet. Gives besides the ids of
    /// those whose values are as they must be: nothing but these wordings speaks of them.
    async fn make_own_parties(
        &self,
        tx: &mut WriteTx,
        waiting: &[Waiting],
        homes: &[Home],
        mut own: FxHashMap<String, PartyRow>,
    ) -> Result<(FxHashMap<String, PartyRow>, FxHashSet<String>)> {
        let mut said: FxHashMap<&str, Vec<MentionRow>> = FxHashMap::default();
        let mut order: Vec<&str> = Vec::new();
        for (mention, home) in waiting.iter().zip(homes) {
            if home.party.is_none() && !own.contains_key(&mention.anchor) {
                let rows = said.entry(&mention.anchor).or_default();
                if rows.is_empty() {
                    order.push(&mention.anchor);
                }
                rows.push(mention.said.clone());
            }
        }
        let registered = registered(tx, said.values().flatten()).await?;
        let mut new = Vec::new();
        let mut settled = Vec::new();
        for anchor in order {
            let rows = said.remove(anchor).unwrap_or_default();
            let Some(state) = state_of(anchor, &[], &rows) else { continue };
            let key = match anchor.strip_prefix("person:") {
                Some(subject) => self.keys.data_keys(tx, &[subject.to_owned()]).await?.pop(),
                None => None,
            };
            let search = masters::search_text(&state);
            settled.push(!rows.iter().any(|said| registered.contains(&said.id)));
            new.push(NewParty { anchor: anchor.to_owned(), state, search, key });
        }
        let ids = masters::create(tx, &self.keys, new).await?;
        for row in masters::load(tx, &ids).await? {
            own.insert(row.anchor.clone(), row);
        }
        let made = ids.into_iter().zip(settled).filter(|(_, settled)| *settled);
        Ok((own, made.map(|(id, _)| id).collect()))
    }

    /// A party by name that lost its last mention stands for the party the mention went to; one that
    /// got mentions back stands for itself again.
    async fn retire_or_revive(
        &self,
        tx: &mut WriteTx,
        waiting: &[Waiting],
        homes: &[Home],
        own: &FxHashMap<String, PartyRow>,
        left: &FxHashMap<String, String>,
    ) -> Result<()> {
        let mut revived = FxHashSet::default();
        for (mention, home) in waiting.iter().zip(homes) {
            let Some(row) = own.get(&mention.anchor) else { continue };
            let linked = row.merge_rule.as_deref() == Some("linked");
            if home.party.is_none() && linked && revived.insert(row.id.clone()) {
                masters::set_merged(tx, row, None, None).await?;
            }
        }
        let mut gone: Vec<&String> = left.keys().collect();
        gone.sort_unstable();
        for id in gone {
            let still = tx
                .fetch_optional("SELECT id FROM mention WHERE party_id = $1 LIMIT 1", &[id.into()])
                .await?;
            let row = masters::load(tx, std::slice::from_ref(id)).await?.pop();
            if let (None, Some(row)) = (still, row)
                && row.merge_rule.as_deref() != Some("merged")
                && row.merged_into.as_deref() != Some(left[id].as_str())
            {
                masters::set_merged(tx, &row, Some(&left[id]), Some("linked")).await?;
            }
        }
        Ok(())
    }

    /// Writes down the pairs in doubt and tells of those nobody asked about yet; pairs that linkage
    /// settled by itself are no question any more.
    async fn ask(
        &self,
        tx: &mut WriteTx,
        waiting: &[Waiting],
        homes: &[Home],
        own: &FxHashMap<String, PartyRow>,
    ) -> Result<usize> {
        let mut known = pairs_of(tx, own).await?;
        let mut asked = 0;
        let mut wanted: FxHashSet<(String, String)> = FxHashSet::default();
        for (mention, home) in waiting.iter().zip(homes) {
            let Some(row) = own.get(&mention.anchor) else { continue };
            for doubt in &home.doubts {
                let pair = (row.id.clone(), doubt.party.clone());
                if !wanted.insert(pair.clone()) {
                    continue;
                }
                let open = match known.get(&pair) {
                    Some((_, state)) if state != "settled" => false,
                    Some((id, _)) => {
                        tx.update(&PARTY_PAIR, id, None, &[("state", "asked".into())]).await?;
                        true
                    }
                    None => {
                        let id = new_id();
                        let values = [
                            ("id", id.as_str().into()),
                            ("keep_id", doubt.party.as_str().into()),
                            ("merge_id", row.id.as_str().into()),
                            ("state", "asked".into()),
                            ("score", doubt.score.into()),
                            ("explain", doubt.explain.as_str().into()),
                        ];
                        tx.insert(&PARTY_PAIR, &values).await?;
                        known.insert(pair, (id, "asked".into()));
                        true
                    }
                };
                if open {
                    let keep = masters::load(tx, std::slice::from_ref(&doubt.party)).await?;
                    tx.publish(&Event::DoubtfulPairFound {
                        keep_id: doubt.party.clone(),
                        merge_id: row.id.clone(),
                        score: doubt.score,
                        explain: doubt.explain.clone(),
                        area: mention.said.area_number.clone(),
                        keep_name: keep.first().and_then(PartyRow::public_name),
                        merge_name: row.public_name(),
                    })
                    .await?;
                    asked += 1;
                }
            }
        }
        let mut moot: Vec<(&(String, String), &String)> = known
            .iter()
            .filter(|(pair, (_, state))| state == "asked" && !wanted.contains(*pair))
            .map(|(pair, (id, _))| (pair, id))
            .collect();
        moot.sort_unstable();
        for ((merge_id, keep_id), id) in moot {
            tx.update(&PARTY_PAIR, id, None, &[("state", "settled".into())]).await?;
            tx.publish(&Event::DoubtfulPairSettled {
                keep_id: keep_id.clone(),
                merge_id: merge_id.clone(),
            })
            .await?;
        }
        Ok(asked)
    }
}

/// The parties with other values by what they gained, and those for which all must be looked at.
async fn gains(
    tx: &mut WriteTx,
    gained: FxHashMap<String, Vec<MentionRow>>,
) -> Result<(Vec<(PartyRow, PartyState)>, Vec<String>)> {
    let registered = registered(tx, gained.values().flatten()).await?;
    let (mut changed, mut open) = (Vec::new(), Vec::new());
    let mut ids = Vec::with_capacity(gained.len());
    for (party, said) in &gained {
        match said.iter().any(|one| registered.contains(&one.id)) {
            true => open.push(party.clone()),
            false => ids.push(party.clone()),
        }
    }
    ids.sort_unstable();
    for row in masters::load(tx, &ids).await? {
        match gain(&row, &gained[&row.id]) {
            Gain::Nothing => {}
            Gain::New(state) => changed.push((row, *state)),
            Gain::Open => open.push(row.id),
        }
    }
    Ok((changed, open))
}

/// Those of the mentions that a register row stands behind.
async fn registered(
    tx: &mut WriteTx,
    said: impl Iterator<Item = &MentionRow>,
) -> Result<FxHashSet<String>> {
    let ids: Vec<&str> = said.map(|said| said.id.as_str()).collect();
    let mut found = FxHashSet::default();
    for chunk in ids.chunks(IN_LIST) {
        let sql = format!(
            "SELECT DISTINCT mention_id FROM party_source WHERE mention_id IN ({})",
            marks(1, chunk.len())
        );
        for row in tx.fetch_all(&sql, &texts(chunk.iter().copied())).await? {
            found.insert(row.text("mention_id")?);
        }
    }
    Ok(found)
}

/// What people decided goes before what the rules say.
fn respect_people(own: Option<&PartyRow>, judged: &FxHashSet<(String, String)>, home: &mut Home) {
    let Some(own) = own else { return };
    home.doubts.retain(|doubt| !judged.contains(&(own.id.clone(), doubt.party.clone())));
    let refused =
        home.party.as_ref().is_some_and(|party| judged.contains(&(own.id.clone(), party.clone())));
    if own.merge_rule.as_deref() == Some("merged") || refused {
        home.party = None;
        home.rule = LinkRule::Itself;
        home.score = 0;
        home.explain.clear();
        if !refused {
            home.doubts.clear();
        }
    }
}

/// (own party, other party) that a person judged different.
async fn judged_pairs(
    tx: &mut WriteTx,
    own: &FxHashMap<String, PartyRow>,
) -> Result<FxHashSet<(String, String)>> {
    let pairs = pairs_of(tx, own).await?;
    Ok(pairs.into_iter().filter(|(_, (_, state))| state == "different").map(|(p, _)| p).collect())
}

/// (own party, other party) → (id, state)
async fn pairs_of(
    tx: &mut WriteTx,
    own: &FxHashMap<String, PartyRow>,
) -> Result<FxHashMap<(String, String), (String, String)>> {
    let ids: Vec<&str> = own.values().map(|row| row.id.as_str()).collect();
    let mut pairs = FxHashMap::default();
    for chunk in ids.chunks(IN_LIST) {
        let sql = format!(
            "SELECT id, keep_id, merge_id, state FROM party_pair WHERE merge_id IN ({}) ORDER BY id",
            marks(1, chunk.len())
        );
        for row in tx.fetch_all(&sql, &texts(chunk.iter().copied())).await? {
            let pair = (row.text("merge_id")?, row.text("keep_id")?);
            pairs.insert(pair, (row.text("id")?, row.text("state")?));
        }
    }
    Ok(pairs)
}

fn itself() -> Home {
    Home {
        party: None,
        rule: LinkRule::Itself,
        score: 0,
        explain: String::new(),
        doubts: Vec::new(),
    }
}

/// A registration number is worth the code it was seen beside; beside two codes it proves neither.
async fn by_regist_no(db: &Db, waiting: &[Waiting]) -> Result<Vec<Home>> {
    let mut numbers: Vec<&str> =
        waiting.iter().filter_map(|mention| mention.said.regist_no.as_deref()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut parties: FxHashMap<String, Vec<String>> = FxHashMap::default();
    for chunk in numbers.chunks(IN_LIST) {
        let sql = format!(
            "SELECT DISTINCT regist_key, party_id FROM mention \
             WHERE regist_key IN ({}) AND tier = 'code' ORDER BY regist_key, party_id",
            marks(1, chunk.len())
        );
        for row in db.fetch_all(&sql, &texts(chunk.iter().copied())).await? {
            if let Some(party) = row.opt_text("party_id")? {
                parties.entry(row.text("regist_key")?).or_default().push(party);
            }
        }
    }
    let homes = waiting.iter().map(|mention| {
        let found = mention.said.regist_no.as_ref().and_then(|number| parties.get(number));
        match found.map(Vec::as_slice) {
            Some([only]) => Home {
                party: Some(only.clone()),
                rule: LinkRule::RegistNo,
                score: 100,
                explain: "注册号有效，且与该对象代码同时出现过".into(),
                doubts: Vec::new(),
            },
            Some(several) => Home {
                doubts: several
                    .iter()
                    .take(QUESTIONS)
                    .map(|party| Doubt {
                        party: party.clone(),
                        score: 80,
                        explain: "注册号相同，但这个注册号与不同的代码同时出现过".into(),
                    })
                    .collect(),
                ..itself()
            },
            None => itself(),
        }
    });
    Ok(homes.collect())
}

/// A party that can be compared with: everything a code or number proves to be called so.
#[derive(Default)]
struct Candidate {
    wordings: Vec<MentionRow>,
}

/// `called`: every mention that a code or number proves and that may have one of the names.
async fn by_name(db: &Db, waiting: &[Waiting], called: &[i64]) -> Result<Vec<Home>> {
    let mut found: Vec<(i64, String, MentionRow)> = Vec::new();
    for chunk in called.chunks(IN_LIST) {
        let sql = format!(
            "SELECT {MENTION_COLUMNS}, m.block, m.party_id FROM mention m WHERE m.id IN ({})",
            marks(1, chunk.len())
        );
        let args: Vec<Value> = chunk.iter().map(|number| mention_key(*number).into()).collect();
        for row in db.fetch_all(&sql, &args).await? {
            let Some(party) = row.opt_text("party_id")? else { continue };
            found.push((row.int("block")?, party, read_mention(&row)?));
        }
    }
    // so that ties are broken alike on every run
    found.sort_unstable_by(|a, b| (a.0, &a.1, &a.2.id).cmp(&(b.0, &b.1, &b.2.id)));
    // block → party → wordings
    let mut candidates: FxHashMap<i64, Vec<(String, Candidate)>> = FxHashMap::default();
    for (block, party, said) in found {
        let list = candidates.entry(block).or_default();
        if list.last().is_none_or(|(last, _)| *last != party) {
            list.push((party, Candidate::default()));
        }
        if let Some((_, candidate)) = list.last_mut() {
            candidate.wordings.push(said);
        }
    }
    let homes = waiting.iter().map(|mention| {
        let found = candidates.get(&mention.block).map(Vec::as_slice).unwrap_or_default();
        judge(&mention.said, found)
    });
    Ok(homes.collect())
}

/// Same with exactly one party links; same with several, or doubtful, asks.
fn judge(said: &MentionRow, candidates: &[(String, Candidate)]) -> Home {
    let mut same = Vec::new();
    let mut doubts = Vec::new();
    for (party, candidate) in candidates {
        let best = candidate
            .wordings
            .iter()
            .filter(|other| likeness::same_place(place(said), place(other)))
            .map(|other| likeness::compare(said, other))
            .max_by_key(|likeness| (likeness.verdict, likeness.score));
        let Some(likeness) = best else { continue };
        let doubt =
            Doubt { party: party.clone(), score: likeness.score, explain: likeness.explain };
        match likeness.verdict {
            Verdict::Same => same.push(doubt),
            Verdict::Doubtful => doubts.push(doubt),
            Verdict::Different => {}
        }
    }
    if same.len() == 1
        && let Some(only) = same.pop()
    {
        return Home {
            party: Some(only.party),
            rule: LinkRule::NameAddress,
            score: only.score,
            explain: only.explain,
            doubts: Vec::new(),
        };
    }
    same.append(&mut doubts);
    // strongest first; equal ones by party id, which only decides the order of questions
    same.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.party.cmp(&b.party)));
    same.truncate(QUESTIONS);
    Home { doubts: same, ..itself() }
}

fn place(said: &MentionRow) -> Option<&str> {
    let division = said.uscc.as_deref().and_then(|code| code.get(2..8));
    said.area_number.as_deref().or(division)
}
