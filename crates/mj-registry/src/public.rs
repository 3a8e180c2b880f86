//! What everybody may know of a party: no natural persons, nobody's name, number or telephone.

use mj_kernel::{Page, PageOf, Scope};

use crate::acts::{self, Acts, Entry};
use crate::dossier::{amount, item_code};
use crate::masters::PartyRow;
use crate::model::PartyKind;
use crate::search::Wanted;
use crate::show;
use crate::{Registry, Result};

/// A hit of the public search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicParty {
    pub register_no: String,
    pub kind_title: &'static str,
    pub name: String,
    pub uscc: Option<String>,
    pub area_name: Option<String>,
    pub address: Option<String>,
    pub status: Option<String>,
}

/// One behaviour as the public sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAct {
    pub table: String,
    pub table_title: String,
    pub event_date: Option<String>,
    pub item_name: Option<String>,
    pub agency_name: Option<String>,
    pub result: Option<String>,
    pub amount_fen: Option<i64>,
    /// 文书号
    pub document_no: Option<String>,
}

/// A party's public record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicRecord {
    pub party: PublicParty,
    pub acts: Vec<PublicAct>,
    pub next_cursor: Option<String>,
}

/// Shorter queries would list the city rather than find somebody.
pub const SHORTEST_QUERY: usize = 2;

impl Registry {
    /// Parties by a part of the name, initials, code or address; natural persons are not public.
    pub async fn public_search(&self, q: &str, page: &Page) -> Result<PageOf<PublicParty>> {
        if q.trim().chars().count() < SHORTEST_QUERY {
            return Ok(PageOf { items: Vec::new(), next_cursor: None });
        }
        let wanted = Wanted { q: Some(q.to_owned()), bodies_only: true, ..Wanted::default() };
        let found = self.search(&wanted, |_| String::new(), page).await?;
        Ok(found.map(|row| public_party(&row)))
    }

    /// The record behind a register number, also of a party that was merged into another. `None`:
    /// there is none, or it is not public.
    pub async fn public_record(
        &self,
        acts: &Acts,
        register_no: &str,
        page: &Page,
    ) -> Result<Option<PublicRecord>> {
        let Some(root) = self.root_by_register_no(register_no).await? else { return Ok(None) };
        if root.stored.kind == PartyKind::Person {
            return Ok(None);
        }
        let members = self.members(&root).await?;
        let numbers = self.numbers_of(&members).await?;
        let scopes = [Scope::public()];
        let (entries, next_cursor) = acts.timeline(numbers, &scopes, None, page).await?;
        let mut items: Vec<String> =
            entries.iter().filter_map(|entry| item_code(acts, entry)).collect();
        items.sort_unstable();
        items.dedup();
        let names = acts.names.look_up(&[], &items).await?;
        let acts = entries.iter().map(|entry| {
            let name = item_code(acts, entry).and_then(|code| names.items.get(&code).cloned());
            public_act(acts, entry, name)
        });
        Ok(Some(PublicRecord { party: public_party(&root), acts: acts.collect(), next_cursor }))
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

fn public_party(row: &PartyRow) -> PublicParty {
    let stored = &row.stored;
    PublicParty {
        register_no: row.register_no.clone(),
        kind_title: stored.kind.title(),
        name: stored.name.clone(),
        uscc: stored.uscc.clone(),
        area_name: stored.area_number.as_deref().and_then(show::area_name),
        address: stored.address.clone(),
        status: stored.status.clone(),
    }
}

fn public_act(acts: &Acts, entry: &Entry, item_name: Option<String>) -> PublicAct {
    // nothing sealed is ever opened for the public
    let shown = |name: &str| {
        let value = acts.value(entry, name)?;
        (!mj_platform::keys::is_sealed(value))
            .then(|| show::display(entry.table.column(name), value))
    };
    let numbers = ["check_document_code", "punish_document_code", "mandatory_decision_number"];
    PublicAct {
        table: entry.table.name.clone(),
        table_title: entry.table.title.clone(),
        event_date: entry.row.event_date.map(acts::day_text),
        item_name,
        agency_name: shown("implement_institution"),
        // codes only: free texts may name people
        result: ["check_result", "punish_type", "force_type"].iter().find_map(|name| shown(name)),
        amount_fen: amount(acts, entry),
        document_no: numbers.iter().find_map(|name| shown(name)),
    }
}
