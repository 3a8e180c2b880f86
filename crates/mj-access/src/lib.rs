//! Who may enter and what they may do: agencies, accounts, role grants, sessions, one-time codes,
//! tokens of departments' systems — and the one [`matrix::decide`].
//!
//! There is no super-user and no default password: a first start prints three one-time codes, one
//! for each administrator, and nobody can hold two of those roles or one of them beside a business
//! role. Start reading at [`matrix`] (the rule), then [`service`] (the acts), [`session`] (the
//! door). Knows no business domain.

mod admin_api;
mod agency;
mod api;
mod area;
mod at_once;
mod binding_api;
pub mod certificate;
mod colleagues;
mod emergency;
mod emergency_api;
mod ended;
mod enrolment;
mod error;
mod failures;
mod grant_api;
mod grant_request;
mod grant_request_api;
pub mod identity;
mod keyed;
mod list_files;
mod lockout;
pub mod matrix;
mod model;
mod password;
mod password_rule;
mod people_api;
pub mod refusal;
mod refusal_api;
pub mod seal;
mod second_api;
mod second_factor;
mod service;
mod session;
mod set_up;
mod sight_api;
mod step_up;
mod store;
mod token;
mod unlock;
mod unlock_api;
mod vouch;
mod waiting;
mod whence;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::request::Parts;
use mj_kernel::{Actor, Role, Scope};
use mj_platform::gm::vault::SmProvider;
use mj_platform::keys::Keys;
use mj_platform::{Act, Db, Lane, Networks};
use mj_web::{Authority, BoxFuture, Decision, Identity, Module, Problem, Refusal, Resource};

pub use admin_api::{ACCOUNT_READ, AGENCY_READ};
pub use agency::create_agency;
pub use certificate::Certificates;
pub use emergency::{Halves, Seal, SealState, alarm as emergency_alarm, is_sealed};
pub use enrolment::{ADMINISTRATORS, EnrolmentCode, bootstrap, reissue_code};
pub use error::{Error, Result};
pub use failures::Tried;
pub use keyed::{PasswordHashing, PasswordKeys, password_keys};
pub use matrix::check_matrix;
pub use model::{
    Account, AccountClass, AccountState, Agency, NewAccount, NewAgency, NewGrant, RoleGrant,
};
pub use password::Passwords;
pub use password_rule::PasswordProfile;
pub use second_factor::{SecondFactorPolicy, Stage};
pub use service::{
    SourceToken, create_account, disable_account, grant_role, issue_source_token, revoke_grant,
    revoke_source_tokens, set_password, source_tokens,
};
pub use session::SESSION_COOKIE;
pub use sight_api::{Place, Records};
pub use store::{
    AccountFilter, AgencyFilter, account_by_id, account_by_login, accounts, actor_name, agencies,
    agency_by_uscc, agency_names, grants_of,
};
pub use waiting::{Waiting, waiting_for};

/// How a division code is called.
type AreaName = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The domain's state: what its handlers and the authority share.
#[derive(Clone)]
pub struct Access {
    db: Db,
    refusals: Arc<refusal::Refusals>,
    set_up: Arc<set_up::SetUp>,
    passwords: Passwords,
    vault: Arc<dyn SmProvider>,
    area_name: AreaName,
    /// Somebody said which divisions there are: a code that is none is refused.
    knows_areas: bool,
    line_name: AreaName,
    knows_lines: bool,
    /// What seals the secrets of authenticators; without it nobody can set one up.
    keys: Option<Keys>,
    second_factor: SecondFactorPolicy,
    records: Arc<dyn Records>,
    certificates: Arc<dyn Certificates>,
    admin_networks: Networks,
    /// Of each kind, for one account.
    sessions_at_once: u32,
}

impl Access {
    /// `vault` holds the key over password hashes.
    pub fn new(db: Db, vault: Arc<dyn SmProvider>) -> Self {
        let pepper = keyed::Pepper::new(vault.clone(), PasswordHashing::default());
        db.use_vault(vault.clone());
        Self {
            db,
            refusals: Arc::default(),
            set_up: Arc::default(),
            passwords: Passwords::new(PasswordProfile::default(), pepper),
            vault,
            area_name: Arc::new(|_| None),
            knows_areas: false,
            line_name: Arc::new(|_| None),
            knows_lines: false,
            keys: None,
            second_factor: SecondFactorPolicy::default(),
            records: Arc::new(sight_api::NoRecords),
            certificates: Arc::new(certificate::NoCertificates),
            admin_networks: Networks::default(),
            sessions_at_once: 1,
        }
    }

    /// Who must have a second factor, and the keys that seal its secrets.
    pub fn with_second_factor(mut self, policy: SecondFactorPolicy, keys: Keys) -> Self {
        self.second_factor = policy;
        self.keys = Some(keys);
        self
    }

    /// What the other rooms know: where records stand, what certificates say.
    pub fn with_house(
        mut self,
        records: Arc<dyn Records>,
        certificates: Arc<dyn Certificates>,
    ) -> Self {
        (self.records, self.certificates) = (records, certificates);
        self
    }

    /// Which rules passwords follow, and how they are hashed.
    pub fn with_passwords(mut self, profile: PasswordProfile, hashing: PasswordHashing) -> Self {
        let pepper = keyed::Pepper::new(self.vault.clone(), hashing);
        self.passwords = Passwords::new(profile, pepper);
        self
    }

    /// From where alone administrators may enter; the empty list limits nobody.
    pub fn with_admin_networks(mut self, networks: Networks) -> Self {
        self.admin_networks = networks;
        self
    }

    /// How many sessions of a kind one account may have at once; at least one.
    pub fn with_sessions_at_once(mut self, most: u32) -> Self {
        self.sessions_at_once = most.max(1);
        self
    }

    fn keys(&self) -> Result<&Keys> {
        self.keys.as_ref().ok_or_else(|| Error::SecondFactor("未配置密钥".into()))
    }

    /// How a division code is called; the register of divisions is another room's.
    pub fn with_area_names(
        mut self,
        area_name: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        (self.area_name, self.knows_areas) = (Arc::new(area_name), true);
        self
    }

    /// How a department line is called, likewise.
    pub fn with_line_names(
        mut self,
        line_name: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        (self.line_name, self.knows_lines) = (Arc::new(line_name), true);
        self
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// Turns a printed code into an administrator's account, as `POST /api/v1/enrolments` does.
    pub async fn enrol(
        &self,
        code: &str,
        login: &str,
        name: &str,
        password: &str,
    ) -> Result<String> {
        self.passwords.rule(&self.db)?.check(password, login)?;
        let password_hash = self.passwords.hash(password, None).await?;
        let act = Act::new(&Actor::anonymous(), "access.enrolment.create", "enrolment");
        let mut tx = self.db.begin(Lane::People, act).await?;
        let with = enrolment::Enrol { code, login, name, password_hash: &password_hash };
        let id = enrolment::enrol(&mut tx, &with).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Opens an account with its password and roles in one act: how the demonstration city is
    /// peopled. People do it in three acts by three persons.
    pub async fn open_account(
        &self,
        act: Act,
        account: &NewAccount,
        password: &str,
        roles: &[(Role, Scope)],
    ) -> Result<String> {
        self.passwords.rule(&self.db)?.check(password, &account.login)?;
        let hash = self.passwords.hash(password, None).await?;
        let mut tx = self.db.begin(Lane::People, act).await?;
        let id = create_account(&mut tx, account).await?;
        set_password(&mut tx, &id, &hash).await?;
        for (role, scope) in roles {
            grant_role(&mut tx, &NewGrant::of(&id, *role, scope.clone())).await?;
        }
        tx.commit().await?;
        Ok(id)
    }
}

impl Authority for Access {
    fn identify<'a>(&'a self, request: &'a Parts) -> BoxFuture<'a, Result<Identity, Problem>> {
        Box::pin(async move {
            self.look_who_is_missing().await?;
            Ok(session::identify(self, request).await?)
        })
    }

    fn decide(&self, who: &Identity, action: &str, resource: Option<&Resource>) -> Decision {
        matrix::decide(who, action, resource)
    }

    fn held_back(&self, who: &Identity, action: &str, on: Option<&Resource>) -> Option<Problem> {
        if let Some(told) = who.ended.as_ref().filter(|_| on.is_none()) {
            return Some(told.problem());
        }
        if let Some(waits) = self.waits_for_administrators(who, action) {
            return Some(waits.into());
        }
        let own = ["access.session.", "access.second_factor.", "access.password."];
        let open = own.iter().any(|part| action.starts_with(part));
        if who.password_expired && !open {
            return Some(Error::PasswordExpired.into());
        }
        if !matrix::acts_as_officer(who, action, on) {
            return None;
        }
        let judged = certificate::may_act(who.certificate.as_ref(), &who.today, on);
        judged.err().map(|bar| Error::Certificate(self.barred(&bar)).into())
    }

    fn refused(&self, refusal: Refusal) -> BoxFuture<'_, ()> {
        Box::pin(self.take_refusal(refusal))
    }

    fn names<'a>(
        &'a self,
        references: &'a [String],
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, Problem>> {
        Box::pin(async move {
            let mut names = colleagues::names(&self.db, references).await?;
            names.extend(self.names_of_places(references).await?);
            Ok(names)
        })
    }
}

/// Routes of this domain.
pub fn module(access: Access) -> Module {
    let mut routes = api::routes();
    routes.extend(second_api::routes());
    routes.extend(admin_api::routes());
    routes.extend(grant_api::routes());
    routes.extend(area::routes());
    routes.extend(people_api::routes());
    routes.extend(grant_request_api::routes());
    routes.extend(unlock_api::routes());
    routes.extend(refusal_api::routes());
    routes.extend(sight_api::routes());
    routes.extend(binding_api::routes());
    routes.extend(colleagues::routes());
    routes.extend(emergency_api::routes());
    Module::new("access", "身份与权限").routes(access, routes)
}
