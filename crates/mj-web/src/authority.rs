//! Who asks, for what, about what — and what may be answered. The words only; `mj-access` knows the
//! table. [`Authority::decide`] is pure: everything it looks at is in its arguments.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::http::StatusCode;
use axum::http::request::Parts;
use futures_util::future::BoxFuture;
use mj_kernel::{Actor, DataLevel, Scope};

use crate::problem::Problem;

/// What a route does, by its stable name `<domain>.<object>.<verb>`, e.g. `registry.party.read`.
/// Every action stands in the checked-in access matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Action {
    pub name: &'static str,
    /// What a clerk calls it, e.g. 查看监管对象.
    pub title: &'static str,
}

impl Action {
    pub const fn new(name: &'static str, title: &'static str) -> Self {
        Self { name, title }
    }
}

/// One object as far as a decision needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Division code; `None` = unknown, visible only to those who see the whole country.
    pub area: Option<String>,
    /// Unified social credit code of the agency it belongs to.
    pub agency: Option<String>,
    /// Department line of its item (2 digits).
    pub item_line: Option<String>,
    pub level: DataLevel,
    /// The source a batch or upload belongs to: another source gets 404.
    pub cd_source: Option<String>,
    /// The account or actor reference it belongs to personally, where that decides.
    pub owner: Option<String>,
    /// Who approved this very act, where the table asks for a second person.
    pub approved_by: Option<String>,
}

impl Resource {
    pub fn at(area: Option<&str>, agency: Option<&str>) -> Self {
        Self {
            area: area.map(str::to_owned),
            agency: agency.map(str::to_owned),
            item_line: None,
            level: DataLevel::Internal,
            cd_source: None,
            owner: None,
            approved_by: None,
        }
    }

    pub fn of_source(mut self, cd_source: impl Into<String>) -> Self {
        self.cd_source = Some(cd_source.into());
        self
    }

    pub fn of_item_line(mut self, line: impl Into<String>) -> Self {
        self.item_line = Some(line.into());
        self
    }

    pub fn of_level(mut self, level: DataLevel) -> Self {
        self.level = level;
        self
    }

    pub fn owned_by(mut self, reference: impl Into<String>) -> Self {
        self.owner = Some(reference.into());
        self
    }

    pub fn approved_by(mut self, reference: impl Into<String>) -> Self {
        self.approved_by = Some(reference.into());
        self
    }
}

/// How personal values are to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mask {
    /// As they are.
    Clear,
    /// Names 张*, telephone 138****1234, citizen id 370403********001X.
    Partial,
    /// Not at all.
    Full,
}

/// Which fields may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fields {
    All,
    /// Only what may stand on the portal.
    Public,
}

/// What is allowed, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// Where it holds: any of these. Never widened by joining them.
    pub scopes: Vec<Scope>,
    pub mask: Mask,
    pub fields: Fields,
}

/// The five outcomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow(Allowance),
    /// Out of scope: the same answer as missing.
    NotFound,
    Deny,
    /// The person must prove again who they are.
    NeedStepUp,
    /// Somebody else must approve.
    NeedSecondPerson,
}

impl Decision {
    /// The allowance, or the problem that says why not.
    pub fn into_allowance(self, anonymous: bool) -> Result<Allowance, Problem> {
        match self {
            Decision::Allow(allowance) => Ok(allowance),
            Decision::NotFound => Err(Problem::not_found().refusing(Why::OutOfScope)),
            Decision::Deny if anonymous => Err(Problem::session_required()),
            Decision::Deny => Err(Problem::denied()),
            Decision::NeedStepUp => {
                Err(Problem::forbidden("access.step_up_required", "请再次验证身份")
                    .detail("距上次输入密码的时间过长，请重新输入密码后再试。"))
            }
            Decision::NeedSecondPerson => {
                Err(Problem::forbidden("access.second_person_required", "需要另一人批准")
                    .detail("此操作须由另一名有权人员批准后才能执行。"))
            }
        }
    }
}

/// How lately the password was given, in the degrees that acts ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// Longer ago than any act accepts, or never.
    #[default]
    Old,
    /// Lately enough for acts done row by row.
    Recent,
    /// Lately enough for every act.
    Fresh,
}

/// Who sends this request, as far as the request proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub actor: Actor,
    pub session_id: Option<String>,
    /// Nobody, because the session whose token this is ended before its time: what they are told.
    pub ended: Option<SessionOver>,
    /// How lately the password was given.
    pub proof: Proof,
    /// A change by cookie without the matching `X-CSRF-Token`.
    pub csrf_missing: bool,
    /// The password must be changed before anything else is done.
    pub password_expired: bool,
    /// The day in Beijing on which this is asked, `YYYY-MM-DD`.
    pub today: String,
    /// What an officer's certificate of office says; nobody else has one.
    pub certificate: Option<CertificateHeld>,
}

/// What somebody is told whose session was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOver {
    pub code: &'static str,
    /// What happened, and when.
    pub title: String,
    /// What to do now.
    pub detail: &'static str,
}

impl SessionOver {
    pub fn problem(&self) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, self.code, self.title.as_str()).detail(self.detail)
    }
}

/// A certificate of office (执法证) as far as acting by it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateHeld {
    /// The last day it holds.
    pub valid_until: Option<String>,
    /// The last day of a suspension that holds now.
    pub suspended_until: Option<String>,
    /// Division code of where it holds.
    pub area: Option<String>,
    /// What it says of its items, in its own words (执法类别).
    pub wording: Option<String>,
    /// The lines of items that those words stand for today; `None` while nobody has said which.
    pub item_lines: Option<Vec<String>>,
}

impl Identity {
    pub fn anonymous() -> Self {
        Self {
            actor: Actor::anonymous(),
            session_id: None,
            ended: None,
            proof: Proof::Old,
            csrf_missing: false,
            password_expired: false,
            today: String::new(),
            certificate: None,
        }
    }

    pub fn of(actor: Actor) -> Self {
        Self { actor, ..Self::anonymous() }
    }

    pub fn is_anonymous(&self) -> bool {
        self.actor.kind == mj_kernel::ActorKind::Anonymous
    }

    /// A line of the process's log, under its request: who was refused which action, and the code.
    pub(crate) fn refused(&self, action: &str, problem: &Problem) {
        tracing::warn!(action, actor = %self.actor.reference(), code = %problem.code, "拒绝");
    }
}

/// Why somebody known was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Their roles do not hold the action.
    Denied,
    /// The object is there, and outside of what they may see.
    OutOfScope,
    /// Nothing was found in what they may see; whether it is elsewhere was not looked for.
    NotThere,
    /// Their certificate of office does not allow it.
    Barred,
}

impl Why {
    /// What an answer with this code refuses; asking for proof or for a second person refuses nothing.
    pub(crate) fn of_code(code: &str) -> Option<Self> {
        match code {
            "access.denied" => Some(Self::Denied),
            "access.certificate" => Some(Self::Barred),
            "not_found" => Some(Self::NotThere),
            _ => None,
        }
    }
}

/// Somebody known was refused what they asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `account:…`, `source:…`, `emergency:…`
    pub actor: String,
    pub action: &'static str,
    pub why: Why,
    /// The part of the path before the id, and the id; only what has the shape of an id of the house.
    pub object: Option<(String, String)>,
    pub address: Option<IpAddr>,
    pub request_id: String,
}

/// Knows who somebody is and what they may do. Implemented by `mj-access`.
pub trait Authority: Send + Sync {
    /// Who sends this request. A token that proves nothing gives the anonymous identity.
    fn identify<'a>(&'a self, request: &'a Parts) -> BoxFuture<'a, Result<Identity, Problem>>;

    /// May they? `None` asks whether the action is open to them anywhere at all.
    fn decide(&self, who: &Identity, action: &str, resource: Option<&Resource>) -> Decision;

    /// What somebody known must do before this action, whatever their rights are.
    ///
    /// Asked once before the handler without a resource, and again with the one at hand.
    fn held_back(&self, _: &Identity, _action: &str, _: Option<&Resource>) -> Option<Problem> {
        None
    }

    /// Puts a refusal on record; the answer goes out when this is done, whatever came of it.
    fn refused(&self, _: Refusal) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// How the people, systems and places behind these references (`account:…`, `source:…`, `area:…`, `agency:…`,
    /// `line:…`) are called, for colleagues who read who did what where. A reference nobody knows is left out.
    fn names<'a>(
        &'a self,
        _references: &'a [String],
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, Problem>> {
        Box::pin(async { Ok(BTreeMap::new()) })
    }
}
