//! What a handler knows about who called it. A [`Caller`] exists only after the decision for the
//! route's action allowed it: there is no public way to make one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use mj_kernel::{Actor, AgencySet, Scope};
use mj_platform::{Act, Value};

use crate::authority::{
    Action, Allowance, Authority, Decision, Fields, Identity, Mask, Proof, Refusal, Resource,
};
use crate::problem::Problem;

/// Who calls, allowed to do `action` within `scope`.
#[derive(Clone)]
pub struct Caller {
    pub actor: Actor,
    pub action: Action,
    /// Where the action is allowed, as one scope: the exact union where the grants have one, else the
    /// first grant's. Lists that must honour every grant use [`Caller::predicate`].
    pub scope: Scope,
    /// Where the action is allowed: any of these.
    pub scopes: Vec<Scope>,
    pub mask: Mask,
    pub fields: Fields,
    pub request_id: String,
    pub idempotency_key: Option<String>,
    pub session_id: Option<String>,
    pub(crate) method: Method,
    pub(crate) target: String,
    address: Option<IpAddr>,
    identity: Identity,
    authority: Arc<dyn Authority>,
}

impl Caller {
    pub(crate) fn new(
        identity: Identity,
        action: Action,
        allowance: Allowance,
        authority: Arc<dyn Authority>,
        parts: &Parts,
        request_id: String,
        idempotency_key: Option<String>,
    ) -> Self {
        let scopes = merge(allowance.scopes);
        // an allowance without a scope (one's own session, a source's own batches) holds nowhere
        let scope = scopes.first().cloned().unwrap_or_else(nowhere);
        Self {
            actor: identity.actor.clone(),
            action,
            scope,
            scopes,
            mask: allowance.mask,
            fields: allowance.fields,
            request_id,
            idempotency_key,
            session_id: identity.session_id.clone(),
            method: parts.method.clone(),
            target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            address: crate::client::address_of(parts),
            identity,
            authority,
        }
    }

    /// The decision for one object: out of scope gives the same 404 as missing.
    pub fn require(&self, resource: &Resource) -> Result<Allowance, Problem> {
        self.require_for(&self.action, resource)
    }

    /// As [`Caller::require`], for another action than the route's (e.g. revealing a field). The problem knows what
    /// it refuses: answered with, it is put on record; caught, nobody was refused anything.
    pub fn require_for(&self, action: &Action, resource: &Resource) -> Result<Allowance, Problem> {
        self.asked(&self.identity, action, Some(resource))
    }

    /// As [`Caller::require_for`], for what is done to no one object: taking a list away.
    pub fn require_anywhere(&self, action: &Action) -> Result<Allowance, Problem> {
        self.asked(&self.identity, action, None)
    }

    /// As [`Caller::require_for`] for somebody who will give the password when asked: what to offer, not what to permit.
    pub fn would(&self, action: &Action, resource: &Resource) -> Result<Allowance, Problem> {
        self.asked(&self.proven(), action, Some(resource))
    }

    fn asked(
        &self,
        who: &Identity,
        action: &Action,
        resource: Option<&Resource>,
    ) -> Result<Allowance, Problem> {
        let decision = self.authority.decide(who, action.name, resource);
        let held = |_: &Allowance| self.authority.held_back(who, action.name, resource);
        let decided = decision.into_allowance(who.is_anonymous());
        let decided = decided.and_then(|it| held(&it).map_or(Ok(it), Err));
        decided.map_err(|problem| problem.refusing_action(action.name))
    }

    fn proven(&self) -> Identity {
        Identity { proof: Proof::Fresh, ..self.identity.clone() }
    }

    /// Puts on record what a line of an answer refuses, where the answer as a whole does not: one of many things asked
    /// for at once. `kind` is the part of the path under which such a thing is asked for alone.
    pub async fn refused_one(&self, problem: &Problem, kind: &str, id: &str) {
        let Some(refused) = problem.refused().filter(|_| !self.identity.is_anonymous()) else {
            return;
        };
        let id = crate::serve::id_in(id);
        let refusal = Refusal {
            actor: self.actor.reference(),
            action: refused.action.unwrap_or(self.action.name),
            why: refused.why,
            object: id.map(|id| (kind.to_owned(), id.to_owned())),
            address: self.address,
            request_id: self.request_id.clone(),
        };
        self.authority.refused(refusal).await;
    }

    /// Whether another action is open to this caller anywhere, be it after giving the password again: what to offer,
    /// not what to permit.
    pub fn may(&self, action: &Action) -> bool {
        let decision = self.authority.decide(&self.proven(), action.name, None);
        decision.into_allowance(self.identity.is_anonymous()).is_ok()
    }

    /// Where another action is theirs, be it after giving the password again.
    pub fn reach_of(&self, action: &Action) -> Vec<Scope> {
        match self.authority.decide(&self.proven(), action.name, None) {
            Decision::Allow(allowance) => merge(allowance.scopes),
            _ => Vec::new(),
        }
    }

    /// The same person within the same request, but with what they may see under another action: for
    /// answers that gather from several domains. `None` when that action is not theirs at all.
    pub fn asking(&self, action: &Action) -> Option<Caller> {
        let decision = self.authority.decide(&self.identity, action.name, None);
        let allowance = decision.into_allowance(self.identity.is_anonymous()).ok()?;
        let scopes = merge(allowance.scopes);
        let scope = scopes.first().cloned().unwrap_or_else(nowhere);
        Some(Caller {
            action: *action,
            scope,
            scopes,
            mask: allowance.mask,
            fields: allowance.fields,
            ..self.clone()
        })
    }

    /// What the actors behind these references are called; the house itself and whoever is not known
    /// are told as such, never by an id.
    pub async fn names_of(&self, mut asked: Vec<String>) -> Result<ActorNames, Problem> {
        asked.sort_unstable();
        asked.dedup();
        if asked.is_empty() {
            return Ok(ActorNames::default());
        }
        Ok(ActorNames(self.authority.names(&asked).await?))
    }

    /// ` AND (…)` for a list: rows in any of the caller's scopes. `args` grows by what it needs.
    pub fn predicate(&self, area: &str, agency: Option<&str>, args: &mut Vec<Value>) -> String {
        let parts: Vec<String> = self
            .scopes
            .iter()
            .map(|scope| {
                let one = mj_platform::db::scope_predicate(scope, area, agency, args);
                format!("(1=1{one})")
            })
            .collect();
        if parts.is_empty() { " AND 1=0".into() } else { format!(" AND ({})", parts.join(" OR ")) }
    }

    /// The item lines this caller is held to at a place; where it is theirs by owning it, all.
    pub fn lines_at(&self, area: Option<&str>, agency: Option<&str>) -> AgencySet {
        if self.scopes.is_empty() {
            return AgencySet::All;
        }
        let here = self.scopes.iter().filter(|scope| scope.covers(area, agency));
        here.fold(AgencySet::only::<[String; 0], String>([]), |held, scope| {
            match (held, &scope.item_lines) {
                (AgencySet::Only(held), AgencySet::Only(lines)) => AgencySet::Only(&held | lines),
                _ => AgencySet::All,
            }
        })
    }

    /// The act for the write door, with this request's actor, action and id.
    pub fn act(&self, object: impl Into<String>) -> Act {
        self.act_of(self.action.name, object)
    }

    /// The same for what a route does besides: taking a list away is more than reading it.
    pub fn act_of(&self, action: &'static str, object: impl Into<String>) -> Act {
        Act::new(&self.actor, action, object).in_request(self.request_id.clone())
    }
}

/// Names of actors by their references.
#[derive(Debug, Clone, Default)]
pub struct ActorNames(BTreeMap<String, String>);

impl ActorNames {
    #[cfg(test)]
    pub(crate) fn of_known(names: BTreeMap<String, String>) -> Self {
        Self(names)
    }

    /// The name of what is known; people are told by [`ActorNames::of`], places may be told by their code.
    pub fn known(&self, reference: &str) -> Option<&str> {
        self.0.get(reference).map(String::as_str)
    }

    pub fn of(&self, reference: &str) -> String {
        match self.0.get(reference) {
            Some(name) => name.clone(),
            None if reference.starts_with("system:") => "系统".to_owned(),
            None if reference.starts_with("source:") => {
                format!("数据源 {}", reference.trim_start_matches("source:"))
            }
            None if reference == "anonymous" => "未登录的访问者".to_owned(),
            None => "已注销的账号".to_owned(),
        }
    }
}

fn nowhere() -> Scope {
    Scope {
        areas: Vec::new(),
        agencies: AgencySet::only::<[String; 0], String>([]),
        item_lines: AgencySet::only::<[String; 0], String>([]),
        level: mj_kernel::DataLevel::Public,
    }
}

/// Joins scopes that differ only in their areas or only in their agencies; others stay apart,
/// because a product of unions is wider than the union of products.
pub(crate) fn merge(scopes: Vec<Scope>) -> Vec<Scope> {
    let mut merged: Vec<Scope> = Vec::new();
    for scope in scopes {
        match merged.iter_mut().find_map(|kept| join(kept, &scope).map(|joined| (kept, joined))) {
            Some((kept, joined)) => *kept = joined,
            None => merged.push(scope),
        }
    }
    merged
}

fn join(a: &Scope, b: &Scope) -> Option<Scope> {
    if a.level != b.level || a.item_lines != b.item_lines {
        return None;
    }
    let mut joined = a.clone();
    if a.agencies == b.agencies {
        joined.areas.extend(b.areas.iter().filter(|area| !a.areas.contains(area)).cloned());
        return Some(joined);
    }
    if a.areas != b.areas {
        return None;
    }
    joined.agencies = match (&a.agencies, &b.agencies) {
        (AgencySet::Only(a), AgencySet::Only(b)) => AgencySet::Only(a | b),
        _ => AgencySet::All,
    };
    Some(joined)
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // absent only on a router that was not built by `Web`: refuse rather than guess
        parts.extensions.get::<Caller>().cloned().ok_or_else(Problem::session_required)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use mj_kernel::DataLevel;

    pub(crate) fn scope(area: &str, agency: Option<&str>) -> Scope {
        Scope {
            areas: vec![area.into()],
            agencies: agency.map_or(AgencySet::All, |code| AgencySet::only([code])),
            item_lines: AgencySet::All,
            level: DataLevel::Internal,
        }
    }

    #[test]
    fn two_offices_in_two_counties_do_not_see_each_others_county() {
        let merged = merge(vec![scope("370402", Some("A")), scope("370403", Some("B"))]);
        assert_eq!(merged.len(), 2, "a product of unions would be wider than either grant");
        assert!(!merged.iter().any(|one| one.covers(Some("370402"), Some("B"))));
    }

    #[test]
    fn one_office_in_two_counties_is_one_scope() {
        let merged = merge(vec![scope("370402", Some("A")), scope("370403", Some("A"))]);
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].areas, ["370402", "370403"]);
    }
}
