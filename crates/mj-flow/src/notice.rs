//! Items that only inform (每周简报): for whoever leads exactly that area or agency, read rather than
//! handled. A new one settles those before it.

use mj_kernel::{Actor, AgencySet, Role};
use mj_platform::{Act, Lane, Value};

use crate::Flow;
use crate::error::{Error, Result};
use crate::service::{Doing, NewWorkItem};
use crate::state::{Verb, WEEKLY_DIGEST};
use crate::store;

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
        let area = item.area_number.as_deref().unwrap_or_default();
        let is_for = item.kind == WEEKLY_DIGEST.name
            && audiences(actor).any(|(own, agencies)| {
                own == area
                    && match (agencies, &item.agency) {
                        (AgencySet::All, None) => true,
                        (AgencySet::Only(own), Some(agency)) => own.contains(agency),
                        _ => false,
                    }
            });
        if !is_for {
            return Err(Error::UnknownItem);
        }
        let doing = Doing { note: Some("已阅".into()), ..Doing::default() };
        self.move_on(&mut tx, &item, Some(version), Verb::Settle, doing).await?;
        tx.commit().await?;
        Ok(())
    }
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

/// ` AND …` for lists: a digest is shown to whom it is for and to nobody else.
pub(crate) fn audience(actor: &Actor, args: &mut Vec<Value>) -> String {
    let mut own = vec![format!("w.kind <> '{}'", WEEKLY_DIGEST.name)];
    for (area, agencies) in audiences(actor) {
        args.push(area.into());
        let place = args.len();
        match agencies {
            AgencySet::All => own.push(format!("(w.area_number = ${place} AND w.agency IS NULL)")),
            AgencySet::Only(names) => {
                for name in names {
                    args.push(name.as_str().into());
                    let agency = args.len();
                    own.push(format!("(w.area_number = ${place} AND w.agency = ${agency})"));
                }
            }
        }
    }
    format!(" AND ({})", own.join(" OR "))
}
