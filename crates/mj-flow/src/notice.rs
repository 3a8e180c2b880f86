//! Items that are not everybody's: what only informs (每周简报) is for whoever leads exactly that area
//! or agency, a post that waits for review (稿件待审核) for whoever may publish it. To all others such
//! an item is not there.

use mj_kernel::{Actor, AgencySet, Role, Scope};
use mj_platform::{Act, Lane, Value};

use crate::Flow;
use crate::error::{Error, Result};
use crate::service::{Doing, NewWorkItem};
use crate::state::{PORTAL_POST, Verb, WEEKLY_DIGEST};
use crate::store::{self, WorkItem};

impl Flow {
    /// Makes the item unless its cause has one, and settles what it replaces (by cause).
    pub async fn inform(&self, act: Act, new: NewWorkItem, replaces: &[String]) -> Result<String> {
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        for cause in replaces {
            let item = store::by_cause_unscoped(&mut tx, cause).await?;
            if let Some(item) = item.filter(|item| item.state.is_open()) {
                let doing =
                    Doing { note: Some("新一期简报已经送到".into()), ..Doing::default() };
                self.move_on(&mut tx, &item, None, Verb::Settle, doing).await?;
            }
        }
        let id = self.receive(&mut tx, new).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Somebody it is for has read it.
    pub async fn read_notice(&self, actor: &Actor, act: Act, id: &str, version: i64) -> Result<()> {
        let mut tx = self.db.begin(Lane::People, act).await?;
        let item = store::in_tx_unscoped(&mut tx, id).await?;
        if item.kind != WEEKLY_DIGEST.name || !is_for(actor, &item) {
            return Err(Error::UnknownItem);
        }
        let doing = Doing { note: Some("已阅".into()), ..Doing::default() };
        self.move_on(&mut tx, &item, Some(version), Verb::Settle, doing).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Whether the item is this actor's business at all; scopes are asked for besides.
pub(crate) fn is_for(actor: &Actor, item: &WorkItem) -> bool {
    let (area, agency) = (item.area_number.as_deref(), item.agency.as_deref());
    if item.kind == PORTAL_POST.name {
        return publishing(actor).any(|scope| scope.covers(area, agency));
    }
    item.kind != WEEKLY_DIGEST.name
        || audiences(actor).any(|(own, agencies)| {
            Some(own) == area
                && match (agencies, agency) {
                    (AgencySet::All, None) => true,
                    (AgencySet::Only(own), Some(agency)) => own.contains(agency),
                    _ => false,
                }
        })
}

/// Where somebody may publish posts, as the access matrix has it.
fn publishing(actor: &Actor) -> impl Iterator<Item = &Scope> {
    actor
        .grants
        .iter()
        .filter(|grant| matches!(grant.role, Role::Reviewer | Role::Leader))
        .map(|grant| &grant.scope)
}

/// Areas somebody leads, each with the agencies the grant names.
fn audiences(actor: &Actor) -> impl Iterator<Item = (&str, &AgencySet)> {
    actor
        .grants
        .iter()
        .filter(|grant| matches!(grant.role, Role::Leader | Role::RegionLeader))
        .flat_map(|grant| {
            grant.scope.areas.iter().map(|area| (area.as_str(), &grant.scope.agencies))
        })
}

/// ` AND …` for lists: as [`is_for`] says.
pub(crate) fn audience(actor: &Actor, args: &mut Vec<Value>) -> String {
    let (digest, post) = (WEEKLY_DIGEST.name, PORTAL_POST.name);
    let mut own = vec![format!("w.kind NOT IN ('{digest}', '{post}')")];
    for scope in publishing(actor) {
        let there =
            mj_platform::db::scope_predicate(scope, "w.area_number", Some("w.agency"), args);
        own.push(format!("(w.kind = '{post}'{there})"));
    }
    for (area, agencies) in audiences(actor) {
        args.push(area.into());
        let place = args.len();
        match agencies {
            AgencySet::All => own.push(format!(
                "(w.kind = '{digest}' AND w.area_number = ${place} AND w.agency IS NULL)"
            )),
            AgencySet::Only(names) => {
                for name in names {
                    args.push(name.as_str().into());
                    let agency = args.len();
                    own.push(format!(
                        "(w.kind = '{digest}' AND w.area_number = ${place} \
                         AND w.agency = ${agency})"
                    ));
                }
            }
        }
    }
    format!(" AND ({})", own.join(" OR "))
}
