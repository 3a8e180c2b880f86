//! Until all three administrators have taken up their accounts nothing works but that: nobody acts in a house where
//! nobody gives rights, or nobody reads the log. Who has enrolled may sign in and see who is missing. Once complete it
//! stays so, because the last holder of an administrator's role cannot lose it without a successor; from then on
//! asking costs nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use mj_kernel::{ActorKind, Role};
use mj_platform::Db;
use mj_web::Identity;

use crate::Access;
use crate::enrolment::ADMINISTRATORS;
use crate::error::{Error, Result};

/// What is known of it in this process.
#[derive(Default)]
pub struct SetUp {
    complete: AtomicBool,
    missing: Mutex<Vec<Role>>,
}

/// What somebody may do for themselves meanwhile.
fn is_own(action: &str) -> bool {
    let own = ["access.session.", "access.password.", "access.second_factor."];
    own.iter().any(|part| action.starts_with(part)) && action != "access.second_factor.reset"
}

impl Access {
    /// Looks who is missing, as long as somebody is.
    pub(crate) async fn look_who_is_missing(&self) -> Result<()> {
        if self.set_up.complete.load(Ordering::Relaxed) {
            return Ok(());
        }
        let missing = missing(&self.db).await?;
        let complete = missing.is_empty();
        *self.set_up.missing.lock().unwrap_or_else(PoisonError::into_inner) = missing;
        self.set_up.complete.store(complete, Ordering::Relaxed);
        Ok(())
    }

    /// The administrators who have not taken up their accounts, as last looked for.
    pub(crate) fn missing_administrators(&self) -> Vec<Role> {
        match self.set_up.complete.load(Ordering::Relaxed) {
            true => Vec::new(),
            false => self.set_up.missing.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// What somebody known is told instead of being let to this action. Nobody has to sign in first; an emergency brings
    /// administrators back and does nothing else.
    pub(crate) fn waits_for_administrators(&self, who: &Identity, action: &str) -> Option<Error> {
        if who.is_anonymous() || matches!(who.actor.kind, ActorKind::Emergency { .. }) {
            return None;
        }
        let missing = self.missing_administrators();
        (!missing.is_empty() && !is_own(action)).then_some(Error::NotSetUp(missing))
    }
}

/// A role counts as taken up when its printed code was used, or somebody who can sign in holds it. Where no codes were
/// ever printed there is no node that was started.
async fn missing(db: &Db) -> Result<Vec<Role>> {
    if db.count("SELECT COUNT(*) FROM enrolment WHERE role <> ''", &[]).await? == 0 {
        return Ok(Vec::new());
    }
    let used = "SELECT COUNT(*) FROM enrolment WHERE role = $1 AND used_at > 0";
    let held = "SELECT COUNT(*) FROM role_grant g JOIN account a ON a.id = g.account_id \
                JOIN credential c ON c.id = a.id WHERE g.role = $1 AND g.revoked_at = 0 \
                AND g.valid_from <= $2 AND g.valid_to >= $2 AND a.state = 'active'";
    let today = db.clock().today().to_string();
    let mut missing = Vec::new();
    for role in ADMINISTRATORS {
        let enrolled = db.count(used, &[role.name().into()]).await? > 0
            || db.count(held, &[role.name().into(), today.as_str().into()]).await? > 0;
        if !enrolled {
            missing.push(role);
        }
    }
    Ok(missing)
}
