//! Finding parties: by a part of the name, pinyin initials, the tail of a code, the address, a
//! register number (also of a party merged into another), a natural person's whole name or number.

use mj_kernel::code::CitizenId;
use mj_kernel::{Page, PageOf};
use mj_platform::{RowExt, Value};

use crate::masters::{self, PARTY_COLUMNS, PartyRow};
use crate::model::PartyKind;
use crate::{Error, Registry, Result};

/// What is looked for; everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub q: Option<String>,
    pub kind: Option<PartyKind>,
    /// Division code: its whole subtree.
    pub area: Option<String>,
    /// Leaves natural persons out, whatever else is asked.
    pub bodies_only: bool,
}

impl Registry {
    /// Parties that stand for themselves, within `scope` (a piece of SQL that speaks of `p` and `m`,
    /// see [`visible`]); the oldest first.
    pub(crate) async fn search(
        &self,
        wanted: &Wanted,
        scope: impl FnOnce(&mut Vec<Value>) -> String,
        page: &Page,
    ) -> Result<PageOf<PartyRow>> {
        let mut args: Vec<Value> = Vec::new();
        let mut filter = self.filter(wanted, scope, &mut args).await?;
        if let Some(cursor) = &page.cursor {
            args.push(cursor.into());
            filter.push_str(&format!(" AND p.id > ${}", args.len()));
        }
        args.push((page.limit() + 1).into());
        let sql = format!(
            "SELECT {PARTY_COLUMNS} FROM party p WHERE p.merged_into IS NULL{filter} \
             ORDER BY p.id LIMIT ${}",
            args.len()
        );
        let rows = self.db.fetch_all(&sql, &args).await?;
        let items = rows.iter().map(PartyRow::read).collect::<mj_platform::Result<Vec<_>>>()?;
        Ok(PageOf::from_surplus(items, page.limit(), |row| row.id.clone()))
    }

    /// How many there are, counted no further than `most + 1`.
    pub(crate) async fn count_up_to(
        &self,
        wanted: &Wanted,
        scope: impl FnOnce(&mut Vec<Value>) -> String,
        most: i64,
    ) -> Result<i64> {
        let mut args: Vec<Value> = Vec::new();
        let filter = self.filter(wanted, scope, &mut args).await?;
        args.push((most + 1).into());
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM party p WHERE p.merged_into IS NULL{filter} \
             LIMIT ${}) found",
            args.len()
        );
        Ok(self.db.count(&sql, &args).await?)
    }

    /// What must hold of a party that is looked for, as SQL; `args` grows by what it needs.
    async fn filter(
        &self,
        wanted: &Wanted,
        scope: impl FnOnce(&mut Vec<Value>) -> String,
        args: &mut Vec<Value>,
    ) -> Result<String> {
        let mut filter = scope(args);
        let mut add = |text: &str, values: &[Value]| {
            let mut text = text.to_owned();
            for value in values {
                args.push(value.clone());
                text = text.replacen('?', &format!("${}", args.len()), 1);
            }
            filter.push_str(" AND ");
            filter.push_str(&text);
        };
        if let Some(kind) = wanted.kind {
            add("p.kind = ?", &[kind.name().into()]);
        }
        if wanted.bodies_only {
            add("p.kind <> ?", &[PartyKind::Person.name().into()]);
        }
        if let Some(area) = wanted.area.as_deref().filter(|area| !area.is_empty()) {
            let prefix = mj_kernel::Scope::area_prefix(area);
            add(
                "p.area_number >= ? AND p.area_number < ?",
                &[prefix.into(), format!("{prefix}~").into()],
            );
        }
        if let Some(q) = wanted.q.as_deref().map(str::trim).filter(|q| !q.is_empty()) {
            self.add_query(q, wanted.bodies_only, &mut add).await?;
        }
        Ok(filter)
    }

    async fn add_query(
        &self,
        q: &str,
        bodies_only: bool,
        add: &mut impl FnMut(&str, &[Value]),
    ) -> Result<()> {
        if let Some(root) = self.root_by_register_no(q).await? {
            add("p.id = ?", &[root.id.into()]);
            return Ok(());
        }
        let mut parts = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        let text = mj_linkage::search_query(q);
        if !text.is_empty() {
            parts.push("p.search_text LIKE ?");
            values.push(format!("%{text}%").into());
        }
        if !bodies_only {
            parts.push("p.name_hash = ?");
            values.push(self.keys.lookup("name", q).into());
            let code = q.to_ascii_uppercase();
            if CitizenId::parse(&code).is_ok() {
                parts.push("(p.anchor = ? AND substr(p.anchor, 1, 5) <> 'uscc:')");
                values.push(format!("id:111:{}", self.keys.lookup("citizen_id", &code)).into());
            }
        }
        if parts.is_empty() {
            // nothing but punctuation: nothing is called so
            parts.push("1=0");
        }
        add(&format!("({})", parts.join(" OR ")), &values);
        Ok(())
    }

    /// Whoever stands today for the party of this register number.
    pub(crate) async fn root_by_register_no(&self, register_no: &str) -> Result<Option<PartyRow>> {
        let register_no = register_no.trim().to_ascii_uppercase();
        let row = self
            .db
            .fetch_optional(
                "SELECT id FROM party WHERE register_no = $1",
                &[register_no.as_str().into()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        self.root_of(&row.text("id")?).await.map(Some)
    }

    /// Whoever stands today for the party of this id.
    pub(crate) async fn root_of(&self, id: &str) -> Result<PartyRow> {
        let ids = [id.to_owned()];
        let mut roots = masters::roots_of(&mut self.db.clone(), &ids).await?;
        roots.remove(id).ok_or(Error::UnknownParty)
    }

    /// The party by id or register number, or whoever it was merged into.
    pub(crate) async fn root_of_any(&self, id: &str) -> Result<PartyRow> {
        match self.root_of(id).await {
            Err(Error::UnknownParty) => {
                self.root_by_register_no(id).await?.ok_or(Error::UnknownParty)
            }
            other => other,
        }
    }
}

/// A party is visible where it is registered and wherever somebody spoke of it: `area` gives, for a
/// column, the predicate of the caller's scopes.
pub fn visible(mut area: impl FnMut(&str) -> String) -> String {
    let own = area("p.area_number");
    let spoken_of = area("m.area_number");
    format!(
        " AND ((1=1{own}) OR EXISTS (SELECT 1 FROM mention m JOIN party c ON c.id = m.party_id \
         WHERE (c.id = p.id OR c.merged_into = p.id){spoken_of}))"
    )
}
