//! What everybody may know of a party: no natural persons, nobody's name, number or telephone; and of
//! every line who delivered it and when.

use mj_kernel::clock::beijing_date;
use mj_kernel::{Page, PageOf, Scope};
use mj_standard::{Column, ColumnType};
use mj_web::Mask;

use crate::acts::{self, Acts, Entry, FoundNames};
use crate::dossier::{amount, item_code};
use crate::masters::{self, PartyRow};
use crate::model::PartyKind;
use crate::search::Wanted;
use crate::show;
use crate::survivor::{SourceRow, by_strength};
use crate::{Registry, Result};

/// A hit of the public search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicParty {
    pub register_no: String,
    pub kind: PartyKind,
    pub kind_title: &'static str,
    pub name: String,
    pub uscc: Option<String>,
    pub area_number: Option<String>,
    pub area_name: Option<String>,
    pub address: Option<String>,
    pub status: Option<String>,
}

/// Who delivered a line, and what it stands in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicSource {
    pub source_name: String,
    pub table_title: String,
    /// The day of this state of the data by the source's own clock.
    pub data_date: String,
}

/// One value of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicField {
    /// Its stable name, e.g. `address_registered`.
    pub name: String,
    pub title: String,
    pub value: String,
    pub source: Option<PublicSource>,
}

/// One behaviour as the public sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAct {
    /// Names the line for good, and says nothing about anybody.
    pub line: String,
    pub table: String,
    pub table_title: String,
    pub event_date: Option<String>,
    pub item_code: Option<String>,
    pub item_name: Option<String>,
    /// Where it happened: whose clerks answer for it.
    pub area_number: Option<String>,
    pub agency_code: Option<String>,
    pub agency_name: Option<String>,
    pub result: Option<String>,
    pub amount_fen: Option<i64>,
    /// 文书号
    pub document_no: Option<String>,
    pub source: PublicSource,
}

/// A party's public record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicRecord {
    pub party: PublicParty,
    pub fields: Vec<PublicField>,
    pub acts: Vec<PublicAct>,
    pub next_cursor: Option<String>,
}

/// What the public looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicWanted {
    pub q: String,
    /// Division code: its whole subtree.
    pub area: Option<String>,
    pub kind: Option<PartyKind>,
}

impl PublicWanted {
    /// Shorter queries would list the city rather than find somebody.
    pub fn is_too_short(&self) -> bool {
        self.q.trim().chars().count() < SHORTEST_QUERY
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            q: Some(self.q.clone()),
            area: self.area.clone(),
            kind: self.kind,
            bodies_only: true,
        }
    }
}

pub const SHORTEST_QUERY: usize = 2;

/// Register fields that law makes public of any market entity, in the order in which they are shown.
const OPEN_FIELDS: [&str; 12] = [
    "ent_type_name",
    "ind_type_name",
    "address_registered",
    "address_operating",
    "area_number",
    "regist_capital",
    "establish_date",
    "regist_auth_name",
    "approve_authority",
    "industry_code",
    "revoke_date",
    "business_scope",
];

impl Registry {
    /// Parties by a part of the name, initials, code or address; natural persons are not public.
    pub async fn public_search(
        &self,
        wanted: &PublicWanted,
        page: &Page,
    ) -> Result<PageOf<PublicParty>> {
        if wanted.is_too_short() {
            return Ok(PageOf { items: Vec::new(), next_cursor: None });
        }
        if page.cursor.as_deref().is_some_and(|cursor| cursor.contains(char::is_control)) {
            return Err(crate::Error::Cursor);
        }
        let found = self.search(&wanted.wanted(), |_| String::new(), page).await?;
        Ok(found.map(|row| public_party(&row)))
    }

    /// How many the search finds, counted no further than `most + 1`.
    pub async fn public_count(&self, wanted: &PublicWanted, most: i64) -> Result<i64> {
        if wanted.is_too_short() {
            return Ok(0);
        }
        self.count_up_to(&wanted.wanted(), |_| String::new(), most).await
    }

    /// The public party behind a register number, also of one that was merged into another.
    pub async fn public_party(&self, register_no: &str) -> Result<Option<PublicParty>> {
        Ok(self.public_root(register_no).await?.map(|row| public_party(&row)))
    }

    /// The record behind a register number, also of a party that was merged into another. `None`:
    /// there is none, or it is not public.
    pub async fn public_record(
        &self,
        acts: &Acts,
        register_no: &str,
        page: &Page,
    ) -> Result<Option<PublicRecord>> {
        let Some(root) = self.public_root(register_no).await? else { return Ok(None) };
        let members = self.members(&root).await?;
        let numbers = self.numbers_of(&members).await?;
        let scopes = [Scope::public()];
        let (entries, next_cursor) =
            acts.timeline_of(numbers, &scopes, None, page, is_open).await?;
        let (sources, _) = masters::rows_behind(&mut self.db.clone(), &members).await?;
        let mut sources: Vec<SourceRow> = sources.into_values().flatten().collect();
        by_strength(&mut sources);
        let names = self.names(acts, &sources, &entries).await?;
        Ok(Some(PublicRecord {
            party: public_party(&root),
            fields: self.public_fields(&root, &sources, &names).await?,
            acts: entries.iter().map(|entry| public_act(acts, entry, &names)).collect(),
            next_cursor,
        }))
    }

    /// One line of a party's public record, wherever in it it stands.
    pub async fn public_act(
        &self,
        acts: &Acts,
        register_no: &str,
        line: &str,
    ) -> Result<Option<PublicAct>> {
        let Some(root) = self.public_root(register_no).await? else { return Ok(None) };
        let members = self.members(&root).await?;
        let numbers = self.numbers_of(&members).await?;
        let Some(entry) = acts.entry(numbers, &[Scope::public()], line, is_open).await? else {
            return Ok(None);
        };
        let entries = [entry];
        let names = self.names(acts, &[], &entries).await?;
        Ok(entries.first().map(|entry| public_act(acts, entry, &names)))
    }

    async fn public_root(&self, register_no: &str) -> Result<Option<PartyRow>> {
        // PostgreSQL takes no NUL in a text
        if register_no.contains(char::is_control) {
            return Ok(None);
        }
        let root = self.root_by_register_no(register_no).await?;
        Ok(root.filter(|row| row.stored.kind != PartyKind::Person))
    }

    async fn public_fields(
        &self,
        root: &PartyRow,
        sources: &[SourceRow],
        names: &FoundNames,
    ) -> Result<Vec<PublicField>> {
        // nothing sealed is ever opened for the public
        let mut fields = self.fields(root, sources, names, Mask::Full).await?;
        let place = |name: &str| OPEN_FIELDS.iter().position(|open| *open == name);
        fields.retain(|field| place(&field.name).is_some());
        fields.sort_by_key(|field| place(&field.name));
        let public = fields.into_iter().filter_map(|field| {
            Some(PublicField {
                name: field.name,
                // `注册资本/注册资金/成员出资总额`: the first of its names is enough to read
                title: field
                    .title
                    .replace("（中文名称）", "")
                    .split('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                value: field.value?,
                source: field.provenance.map(|from| PublicSource {
                    source_name: from.source_name.unwrap_or(from.cd_source),
                    table_title: from.table_title,
                    data_date: beijing_day(&from.at),
                }),
            })
        });
        Ok(public.collect())
    }

    async fn numbers_of(&self, members: &[String]) -> Result<Vec<i64>> {
        use crate::tables::{IN_LIST, marks, texts};
        use mj_platform::RowExt;
        let mut numbers = Vec::new();
        for chunk in members.chunks(IN_LIST) {
            let sql = format!(
                "SELECT number FROM mention WHERE party_id IN ({}) ORDER BY number",
                marks(1, chunk.len())
            );
            for row in self.db.fetch_all(&sql, &texts(chunk.iter().map(String::as_str))).await? {
                numbers.push(row.int("number")?);
            }
        }
        Ok(numbers)
    }
}

fn beijing_day(rfc3339: &str) -> String {
    mj_kernel::clock::parse_instant(rfc3339)
        .map(|at| beijing_date(at).to_string())
        .unwrap_or_default()
}

fn public_party(row: &PartyRow) -> PublicParty {
    let stored = &row.stored;
    PublicParty {
        register_no: row.register_no.clone(),
        kind: stored.kind,
        kind_title: stored.kind.title(),
        name: stored.name.clone(),
        uscc: stored.uscc.clone(),
        area_name: stored.area_number.as_deref().and_then(show::area_name),
        area_number: stored.area_number.clone(),
        address: stored.address.clone(),
        status: stored.status.clone(),
    }
}

/// Columns of a behaviour that [`public_act`] looks at.
fn is_open(column: &Column) -> bool {
    const OPEN: [&str; 8] = [
        "implement_institution",
        "implement_institution_code",
        "check_result",
        "punish_type",
        "force_type",
        "check_document_code",
        "punish_document_code",
        "mandatory_decision_number",
    ];
    matches!(column.ty, ColumnType::Item | ColumnType::Money)
        || OPEN.contains(&column.name.as_str())
}

fn public_act(acts: &Acts, entry: &Entry, names: &FoundNames) -> PublicAct {
    // nothing sealed is ever opened for the public
    let stored =
        |name: &str| acts.value(entry, name).filter(|value| !mj_platform::keys::is_sealed(value));
    let shown =
        |name: &str| stored(name).map(|value| show::display(entry.table.column(name), value));
    let numbers = ["check_document_code", "punish_document_code", "mandatory_decision_number"];
    let item_code = item_code(acts, entry);
    PublicAct {
        line: entry.cursor.clone(),
        table: entry.table.name.clone(),
        table_title: entry.table.title.clone(),
        event_date: entry.row.event_date.map(acts::day_text),
        item_name: item_code.as_ref().and_then(|code| names.items.get(code).cloned()),
        item_code,
        area_number: entry.row.area.clone(),
        agency_code: stored("implement_institution_code").map(str::to_owned),
        agency_name: shown("implement_institution"),
        // codes only: free texts may name people
        result: ["check_result", "punish_type", "force_type"].iter().find_map(|name| shown(name)),
        amount_fen: amount(acts, entry),
        document_no: numbers.iter().find_map(|name| shown(name)),
        source: PublicSource {
            source_name: names
                .sources
                .get(&entry.row.cd_source)
                .unwrap_or(&entry.row.cd_source)
                .clone(),
            table_title: entry.table.title.clone(),
            data_date: beijing_date(entry.row.cd_time).to_string(),
        },
    }
}
