//! The master records: made, given new values, and their history kept by day and by position.
//!
//! A party's values are always computed anew from its register rows and mentions and those of the
//! parties merged into it ([`crate::survivor`]); nothing is patched. So undoing a merge needs no
//! memory of what was before.

use mj_platform::DbRow;
use mj_platform::keys::{DataKey, Keys};
use mj_platform::{Result, RowExt, Value, WriteTx, new_id};
use rustc_hash::FxHashMap;

use crate::model::{OPEN, Origin, PartyKind, PartyState};
use crate::survivor::{MentionRow, SourceRow, by_strength, state_of};
use crate::tables::{Fetch, IN_LIST, PARTY, PARTY_VERSION, marks, take_numbers, texts};

/// A stored party: bookkeeping in clear, values as stored.
#[derive(Debug, Clone)]
pub struct PartyRow {
    pub id: String,
    pub register_no: String,
    pub anchor: String,
    pub merged_into: Option<String>,
    pub merge_rule: Option<String>,
    pub known_from: i64,
    /// As stored: a natural person's name, number and address are sealed.
    pub stored: PartyState,
}

pub const PARTY_COLUMNS: &str = "p.id, p.register_no, p.anchor, p.kind, p.origin, p.name, \
     p.uscc, p.regist_no, p.person_code, p.person_code_type, p.area_number, p.address, p.status, \
     p.valid_from, p.known_from, p.merged_into, p.merge_rule";

impl PartyRow {
    /// The name, unless it is a person's own.
    pub fn public_name(&self) -> Option<String> {
        (self.stored.kind != PartyKind::Person).then(|| self.stored.name.clone())
    }

    pub fn read(row: &DbRow) -> Result<Self> {
        let kind = row.text("kind")?;
        let person_code = match (row.opt_text("person_code_type")?, row.opt_text("person_code")?) {
            (Some(kind), Some(code)) => Some((kind, code)),
            _ => None,
        };
        Ok(Self {
            id: row.text("id")?,
            register_no: row.text("register_no")?,
            anchor: row.text("anchor")?,
            merged_into: row.opt_text("merged_into")?,
            merge_rule: row.opt_text("merge_rule")?,
            known_from: row.int("known_from")?,
            stored: PartyState {
                kind: PartyKind::parse(&kind)
                    .ok_or_else(|| mj_platform::Error::Corrupt(format!("监管对象类型 {kind}")))?,
                origin: Origin::parse(&row.text("origin")?)
                    .ok_or_else(|| mj_platform::Error::Corrupt("监管对象的来历".into()))?,
                name: row.text("name")?,
                uscc: row.opt_text("uscc")?,
                regist_no: row.opt_text("regist_no")?,
                person_code,
                area_number: row.opt_text("area_number")?,
                address: row.opt_text("address")?,
                status: row.opt_text("status")?,
                valid_from: row.text("valid_from")?,
            },
        })
    }

    /// The key-store subject of a natural person, out of its anchor.
    pub fn subject(&self) -> Option<String> {
        let rest = self
            .anchor
            .strip_prefix("person:")
            .or_else(|| self.anchor.strip_prefix("id:").and_then(|rest| rest.split(':').nth(1)));
        rest.map(str::to_owned)
    }

    pub fn is_root(&self) -> bool {
        self.merged_into.is_none()
    }
}

/// Opens what is sealed in a state. A destroyed key leaves an empty text: the person was erased.
pub async fn open_state(
    keys: &Keys,
    db: &mj_platform::Db,
    state: &PartyState,
) -> Result<PartyState> {
    let mut open = state.clone();
    if state.kind != PartyKind::Person {
        return Ok(open);
    }
    open.name = keys.unseal(db, "party.name", &state.name).await?.unwrap_or_default();
    if let Some((kind, code)) = &state.person_code {
        let code = keys.unseal(db, "party.person_code", code).await?.unwrap_or_default();
        open.person_code = Some((kind.clone(), code));
    }
    if let Some(address) = &state.address {
        open.address = keys.unseal(db, "party.address", address).await?;
    }
    Ok(open)
}

/// A party about to be made.
pub struct NewParty {
    pub anchor: String,
    pub state: PartyState,
    /// [`search_text`] of the state.
    pub search: String,
    pub key: Option<DataKey>,
}

/// Makes parties with fresh register numbers; gives their ids in the same order.
pub async fn create(tx: &mut WriteTx, keys: &Keys, new: Vec<NewParty>) -> Result<Vec<String>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let first = take_numbers(tx, "party", new.len()).await?;
    let position = tx.position().await?;
    let mut ids = Vec::with_capacity(new.len());
    let rows = new.into_iter().enumerate().map(|(nth, party)| {
        let id = new_id();
        let area = party.state.area_number.as_deref().and_then(|code| code.get(..6));
        // never longer than 52 ASCII characters; the area is where the party was first seen and
        // stays in the number when the party moves
        let number = first + nth as i64;
        let register_no = format!("P{}-{number:09}", area.unwrap_or("000000"));
        let mut row: Vec<Value> = Vec::with_capacity(PARTY.columns.len());
        row.extend([id.as_str().into(), register_no.into(), party.anchor.into()]);
        let values = value_columns(keys, &party.state, party.search, party.key.as_ref());
        row.extend(values.into_iter().map(|(_, value)| value));
        row.extend([position.into(), Value::Null, Value::Null]);
        ids.push(id);
        row
    });
    tx.insert_each(&PARTY, rows).await?;
    Ok(ids)
}

/// What a party is found by; natural persons are not.
pub fn search_text(state: &PartyState) -> String {
    if state.kind == PartyKind::Person {
        return String::new();
    }
    let text = Option::unwrap_or_default;
    mj_linkage::search_text(
        &state.name,
        text(state.uscc.as_deref()),
        text(state.regist_no.as_deref()),
        text(state.address.as_deref()),
    )
}

/// The columns that hold a party's values, as [`PARTY`] has them one after the other.
const VALUES: std::ops::Range<usize> = 3..16;

/// The value columns as stored: sealed for natural persons, searchable for everybody else.
fn value_columns(
    keys: &Keys,
    state: &PartyState,
    search: String,
    key: Option<&DataKey>,
) -> [(&'static str, Value); VALUES.end - VALUES.start] {
    let seal = |column: &str, text: &str| match key {
        Some(key) => key.seal(column, text),
        None => text.to_owned(),
    };
    let person = state.kind == PartyKind::Person;
    [
        ("kind", state.kind.name().into()),
        ("origin", state.origin.name().into()),
        ("name", seal("party.name", &state.name).into()),
        ("name_hash", person.then(|| keys.lookup("name", &state.name)).into()),
        ("uscc", state.uscc.clone().into()),
        ("regist_no", state.regist_no.clone().into()),
        (
            "person_code",
            state.person_code.as_ref().map(|(_, code)| seal("party.person_code", code)).into(),
        ),
        ("person_code_type", state.person_code.as_ref().map(|(kind, _)| kind.clone()).into()),
        ("area_number", state.area_number.clone().into()),
        ("address", state.address.as_deref().map(|text| seal("party.address", text)).into()),
        ("search_text", search.into()),
        ("status", state.status.clone().into()),
        ("valid_from", state.valid_from.as_str().into()),
    ]
}

/// Gives parties new values, and keeps what they were until now.
pub async fn set_values(
    tx: &mut WriteTx,
    keys: &Keys,
    changed: Vec<(PartyRow, PartyState)>,
) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let subjects: Vec<String> = changed
        .iter()
        .filter(|(_, state)| state.kind == PartyKind::Person)
        .filter_map(|(row, _)| row.subject())
        .collect();
    let opened = keys.data_keys(tx, &subjects).await?;
    let opened: FxHashMap<String, DataKey> = subjects.into_iter().zip(opened).collect();
    let position = tx.position().await?;
    let mut history = Vec::with_capacity(changed.len());
    let mut updates = Vec::with_capacity(changed.len());
    for (row, state) in &changed {
        history.extend(old_versions(row, &state.valid_from, position));
        let key = row.subject().and_then(|subject| opened.get(&subject));
        let key = key.filter(|_| state.kind == PartyKind::Person);
        let values = value_columns(keys, state, search_text(state), key);
        let mut values: Vec<Value> = values.into_iter().map(|(_, value)| value).collect();
        values.push(position.into());
        updates.push((row.id.clone(), values));
    }
    tx.insert_many(&PARTY_VERSION, history).await?;
    let mut columns = PARTY.columns[VALUES].to_vec();
    columns.push("known_from");
    tx.update_many(&PARTY, &columns, updates).await
}

/// Points a party at the one it is merged into, or sets it free.
pub async fn set_merged(
    tx: &mut WriteTx,
    row: &PartyRow,
    into: Option<&str>,
    rule: Option<&str>,
) -> Result<()> {
    let position = tx.position().await?;
    let history = old_versions(row, &row.stored.valid_from, position);
    tx.insert_many(&PARTY_VERSION, history).await?;
    let changes = [
        ("merged_into", into.into()),
        ("merge_rule", rule.into()),
        ("known_from", position.into()),
    ];
    tx.update(&PARTY, &row.id, None, &changes).await?;
    Ok(())
}

/// What was known until this position; and, where the new values hold from a later day only, that
/// the old ones still hold for the days before. In the order of [`PARTY_VERSION`].
fn old_versions(row: &PartyRow, new_valid_from: &str, position: i64) -> Vec<Vec<Value>> {
    let old = &row.stored;
    let stretch = |valid_to: Option<&str>, known_from: i64, known_to: i64| -> Vec<Value> {
        vec![
            new_id().into(),
            row.id.as_str().into(),
            old.valid_from.as_str().into(),
            valid_to.into(),
            known_from.into(),
            known_to.into(),
            old.kind.name().into(),
            old.name.as_str().into(),
            old.uscc.clone().into(),
            old.regist_no.clone().into(),
            old.area_number.clone().into(),
            old.address.clone().into(),
            old.status.clone().into(),
            row.merged_into.clone().into(),
        ]
    };
    let mut versions = vec![stretch(None, row.known_from, position)];
    if new_valid_from > old.valid_from.as_str() {
        versions.push(stretch(Some(new_valid_from), position, OPEN));
    }
    versions
}

/// Parties by id, in no order.
pub async fn load(from: &mut impl Fetch, ids: &[String]) -> Result<Vec<PartyRow>> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(IN_LIST) {
        let sql = format!(
            "SELECT {PARTY_COLUMNS} FROM party p WHERE p.id IN ({}) ORDER BY p.id",
            marks(1, chunk.len())
        );
        for row in from.fetch(&sql, &texts(chunk.iter().map(String::as_str))).await? {
            found.push(PartyRow::read(&row)?);
        }
    }
    Ok(found)
}

/// The parties that stand for these today: whatever they are merged into, to the end.
pub async fn roots_of(
    from: &mut impl Fetch,
    ids: &[String],
) -> Result<FxHashMap<String, PartyRow>> {
    let mut rows: FxHashMap<String, PartyRow> = FxHashMap::default();
    let mut wanted: Vec<String> = ids.to_vec();
    while !wanted.is_empty() {
        wanted.sort_unstable();
        wanted.dedup();
        let mut next = Vec::new();
        for row in load(from, &wanted).await? {
            next.extend(row.merged_into.clone().filter(|into| !rows.contains_key(into)));
            rows.insert(row.id.clone(), row);
        }
        wanted = next;
    }
    let mut roots = FxHashMap::default();
    for id in ids {
        let mut at = rows.get(id);
        while let Some(into) = at.and_then(|row| row.merged_into.as_ref()) {
            at = rows.get(into);
        }
        if let Some(root) = at {
            roots.insert(id.clone(), root.clone());
        }
    }
    Ok(roots)
}

/// Computes the values of these parties anew and writes those that changed; returns how many did.
/// A party merged into another is computed too, from its own rows: it may be set free again.
pub async fn refresh(
    tx: &mut WriteTx,
    db: &mj_platform::Db,
    keys: &Keys,
    ids: &[String],
) -> Result<usize> {
    let mut all: Vec<String> = ids.to_vec();
    // also everything on the way up, whose values are chosen from these rows as well
    let mut edge = load(tx, ids).await?;
    while !edge.is_empty() {
        let up: Vec<String> = edge.iter().filter_map(|row| row.merged_into.clone()).collect();
        all.extend(up.iter().cloned());
        edge = load(tx, &up).await?;
    }
    all.sort_unstable();
    all.dedup();
    let mut changed = 0;
    for chunk in all.chunks(500) {
        changed += refresh_chunk(tx, db, keys, chunk).await?;
    }
    Ok(changed)
}

async fn refresh_chunk(
    tx: &mut WriteTx,
    db: &mj_platform::Db,
    keys: &Keys,
    ids: &[String],
) -> Result<usize> {
    let rows = load(tx, ids).await?;
    let members = clusters(tx, ids).await?;
    let every: Vec<String> = {
        let mut every: Vec<String> = members.values().flatten().cloned().collect();
        every.sort_unstable();
        every.dedup();
        every
    };
    let (sources, mentions) = rows_behind(tx, &every).await?;
    let mut changed = Vec::new();
    for row in rows {
        let own = members.get(&row.id).map(Vec::as_slice).unwrap_or_default();
        let mut own_sources: Vec<SourceRow> =
            own.iter().filter_map(|id| sources.get(id)).flatten().cloned().collect();
        let own_mentions: Vec<MentionRow> =
            own.iter().filter_map(|id| mentions.get(id)).flatten().cloned().collect();
        let now = open_state(keys, db, &row.stored).await?;
        let person = own_mentions.iter().any(|said| said.kind == PartyKind::Person);
        let (own_sources, own_mentions) = if person {
            open_rows(keys, db, own_sources, own_mentions).await?
        } else {
            by_strength(&mut own_sources);
            (own_sources, own_mentions)
        };
        let Some(state) = state_of(&row.anchor, &own_sources, &own_mentions) else { continue };
        if state != now {
            changed.push((row, state));
        }
    }
    let count = changed.len();
    set_values(tx, keys, changed).await?;
    Ok(count)
}

/// For each party: itself and all that are merged into it, directly or by way of others.
pub async fn clusters(
    from: &mut impl Fetch,
    ids: &[String],
) -> Result<FxHashMap<String, Vec<String>>> {
    let mut found = FxHashMap::default();
    let mut children: FxHashMap<String, Vec<String>> = FxHashMap::default();
    let mut edge: Vec<String> = ids.to_vec();
    while !edge.is_empty() {
        let mut next = Vec::new();
        for chunk in edge.chunks(IN_LIST) {
            let sql = format!(
                "SELECT id, merged_into FROM party WHERE merged_into IN ({}) ORDER BY id",
                marks(1, chunk.len())
            );
            for row in from.fetch(&sql, &texts(chunk.iter().map(String::as_str))).await? {
                let (id, into) = (row.text("id")?, row.text("merged_into")?);
                children.entry(into).or_default().push(id.clone());
                next.push(id);
            }
        }
        next.retain(|id| !children.contains_key(id));
        edge = next;
    }
    for id in ids {
        let mut members = vec![id.clone()];
        let mut at = 0;
        while at < members.len() {
            let below = children.get(&members[at]).cloned().unwrap_or_default();
            members.extend(below);
            at += 1;
        }
        members.sort_unstable();
        members.dedup();
        found.insert(id.clone(), members);
    }
    Ok(found)
}

type BehindParty = (FxHashMap<String, Vec<SourceRow>>, FxHashMap<String, Vec<MentionRow>>);

/// Register rows and mentions by the party they are linked to.
pub async fn rows_behind(from: &mut impl Fetch, parties: &[String]) -> Result<BehindParty> {
    let mut sources: FxHashMap<String, Vec<SourceRow>> = FxHashMap::default();
    let mut mentions: FxHashMap<String, Vec<MentionRow>> = FxHashMap::default();
    for chunk in parties.chunks(IN_LIST) {
        let args = texts(chunk.iter().map(String::as_str));
        let list = marks(1, chunk.len());
        let sql = format!(
            "SELECT {MENTION_COLUMNS}, m.party_id FROM mention m WHERE m.party_id IN ({list}) \
             ORDER BY m.id"
        );
        for row in from.fetch(&sql, &args).await? {
            mentions.entry(row.text("party_id")?).or_default().push(read_mention(&row)?);
        }
        let sql = format!(
            "SELECT {SOURCE_COLUMNS}, m.party_id FROM party_source s \
             JOIN mention m ON m.id = s.mention_id \
             WHERE m.party_id IN ({list}) AND s.deleted = 0 ORDER BY s.id"
        );
        for row in from.fetch(&sql, &args).await? {
            sources.entry(row.text("party_id")?).or_default().push(read_source(&row)?);
        }
    }
    Ok((sources, mentions))
}

pub const MENTION_COLUMNS: &str = "m.id, m.kind, m.code_type, m.code, m.name, m.regist_key, \
     m.area_number, m.address, m.anchor, m.tier";

pub const SOURCE_COLUMNS: &str = "s.mention_id, s.table_name, s.cd_source, s.cd_id, s.cd_time, \
     s.batch_id, s.row_no, s.priority, s.fields";

pub fn read_mention(row: &DbRow) -> Result<MentionRow> {
    let kind = row.text("kind")?;
    let kind = PartyKind::parse(&kind)
        .ok_or_else(|| mj_platform::Error::Corrupt(format!("监管对象类型 {kind}")))?;
    let anchor = row.text("anchor")?;
    let uscc = anchor.strip_prefix("uscc:").map(str::to_owned);
    let person_code = match anchor.strip_prefix("id:").and_then(|rest| rest.split(':').next()) {
        Some(kind) => row.opt_text("code")?.map(|code| (kind.to_owned(), code)),
        None => None,
    };
    Ok(MentionRow {
        id: row.text("id")?,
        kind,
        name: row.text("name")?,
        code: if kind == PartyKind::Person { None } else { row.opt_text("code")? },
        regist_no: row.opt_text("regist_key")?,
        area_number: row.opt_text("area_number")?,
        address: row.opt_text("address")?,
        uscc,
        person_code,
    })
}

pub fn read_source(row: &DbRow) -> Result<SourceRow> {
    let fields: Vec<(String, String)> = serde_json::from_str(&row.text("fields")?)
        .map_err(|error| mj_platform::Error::Corrupt(format!("来源记录的字段：{error}")))?;
    Ok(SourceRow {
        mention_id: row.text("mention_id")?,
        table: row.text("table_name")?,
        cd_source: row.text("cd_source")?,
        cd_id: row.text("cd_id")?,
        cd_time: row.int("cd_time")?,
        batch_id: row.text("batch_id")?,
        row: row.int("row_no")?,
        priority: row.int("priority")?,
        fields,
    })
}

/// Opens the sealed values of a natural person's rows.
pub async fn open_rows(
    keys: &Keys,
    db: &mj_platform::Db,
    mut sources: Vec<SourceRow>,
    mut mentions: Vec<MentionRow>,
) -> Result<(Vec<SourceRow>, Vec<MentionRow>)> {
    for source in &mut sources {
        for (column, value) in &mut source.fields {
            let place = format!("party_source.{column}");
            *value = keys.unseal(db, &place, value).await?.unwrap_or_default();
        }
    }
    for said in &mut mentions {
        said.name = keys.unseal(db, "mention.name", &said.name).await?.unwrap_or_default();
        if let Some(address) = &said.address {
            said.address = keys.unseal(db, "mention.address", address).await?;
        }
        if let Some((kind, code)) = &said.person_code {
            let code = keys.unseal(db, "mention.code", code).await?.unwrap_or_default();
            said.person_code = Some((kind.clone(), code));
        }
    }
    by_strength(&mut sources);
    Ok((sources, mentions))
}
