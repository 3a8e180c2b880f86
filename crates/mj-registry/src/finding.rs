//! Parties and officers for those who look for anything at all: brief hits within what the caller may
//! see, and one by its id, for "what I opened last". Out of scope is the same as not there.

use mj_kernel::Page;
use mj_platform::Value;
use mj_web::Caller;

use crate::acts::Acts;
use crate::api::Desk;
use crate::masters::PartyRow;
use crate::officer_shapes::{OfficerSummary, OfficerView};
use crate::search::{Wanted, visible};
use crate::{Error, Registry, Result, officer_api, officer_coverage, show};

/// A party as a line of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyBrief {
    pub id: String,
    pub name: String,
    pub kind_title: String,
    pub code: Option<String>,
    pub area_name: Option<String>,
}

impl Registry {
    /// `caller` asks with what it may read of parties.
    pub async fn find_parties(
        &self,
        caller: &Caller,
        q: &str,
        limit: u32,
    ) -> Result<Vec<PartyBrief>> {
        let wanted = Wanted { q: Some(q.to_owned()), ..Wanted::default() };
        let page = Page { limit: Some(limit), cursor: None };
        let scope = |args: &mut Vec<Value>| visible(|column| caller.predicate(column, None, args));
        let found = self.search(&wanted, scope, &page).await?;
        let mut briefs = Vec::with_capacity(found.items.len());
        for row in found.items {
            briefs.push(self.brief(caller, row).await?);
        }
        Ok(briefs)
    }

    /// The party of this id, or whoever it was merged into.
    pub async fn party_brief(&self, caller: &Caller, id: &str) -> Result<Option<PartyBrief>> {
        let root = match self.root_of_any(id).await {
            Ok(root) => root,
            Err(Error::UnknownParty) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut args: Vec<Value> = vec![root.id.as_str().into()];
        let filter = visible(|column| caller.predicate(column, None, &mut args));
        let sql = format!("SELECT p.id FROM party p WHERE p.id = $1{filter}");
        match self.db.fetch_optional(&sql, &args).await? {
            Some(_) => Ok(Some(self.brief(caller, root).await?)),
            None => Ok(None),
        }
    }

    async fn brief(&self, caller: &Caller, row: PartyRow) -> Result<PartyBrief> {
        let ids = [row.id.clone()];
        let name = self.names_of(&ids, caller.mask).await?.remove(&row.id).unwrap_or_default();
        Ok(PartyBrief {
            name,
            kind_title: row.stored.kind.title().to_owned(),
            code: row.stored.uscc.or(row.stored.regist_no),
            area_name: row
                .stored
                .area_number
                .as_deref()
                .and_then(show::area_short_name)
                .map(str::to_owned),
            id: row.id,
        })
    }

    /// `caller` asks with what it may read of officers.
    pub async fn find_officers(
        &self,
        acts: &Acts,
        caller: &Caller,
        q: &str,
        limit: u32,
    ) -> Result<Vec<OfficerView>> {
        let desk = Desk { registry: self.clone(), acts: acts.clone() };
        officer_api::find(&desk, caller, q, limit).await
    }

    pub async fn officer_brief(
        &self,
        acts: &Acts,
        caller: &Caller,
        id: &str,
    ) -> Result<Option<OfficerView>> {
        let desk = Desk { registry: self.clone(), acts: acts.clone() };
        officer_api::brief(&desk, caller, id).await
    }

    /// How the officers in the caller's scope stand.
    pub async fn officer_summary(&self, acts: &Acts, caller: &Caller) -> Result<OfficerSummary> {
        let desk = Desk { registry: self.clone(), acts: acts.clone() };
        officer_coverage::summarise(&desk, caller, None, None).await
    }
}
