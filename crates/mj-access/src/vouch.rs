//! Somebody at the machine: who gives a command about the log or about a key says who they are and proves it, as
//! at any login. The entry then names them, not the command.

use mj_kernel::{Actor, ActorKind, Role};
use mj_platform::Act;

use crate::second_factor::{Proof, Stage};
use crate::session::Proven;
use crate::whence::Whence;
use crate::{Access, Error, Result, second_factor, session, store};

/// Whose business commands about the log and its keys are.
const ROLE: Role = Role::SecAdmin;
const ACTION: &str = "access.command.vouch";

impl Access {
    /// The person behind a login, proven by password and, where one is bound, by a one-time code, under the same
    /// lockout as a login from a page. `code` is asked for only when it is needed.
    pub async fn vouch(
        &self,
        login: &str,
        password: &str,
        code: impl FnOnce() -> std::io::Result<String>,
    ) -> Result<Actor> {
        let act = Act::new(&Actor::system("command"), ACTION, "session");
        let Proven { mut tx, account, .. } =
            session::prove(self, act.clone(), login, password, Whence::Machine).await?;
        let stage = second_factor::stage_of(self, &mut tx, &account).await?;
        tx.commit().await?;
        match stage {
            Stage::Active => {}
            Stage::SecondFactor => {
                let code = code().map_err(|_| Error::CodeNeeded)?;
                let proof = Proof::Totp(code.trim());
                let tx = second_factor::prove(self, act, &account, proof, None).await?;
                tx.commit().await?;
            }
            Stage::Enrol => {
                return Err(Error::NotNow("此账号还没有绑定动态口令，请先在页面上登录并绑定。"));
            }
        }
        let grants = store::as_kernel_grants(store::grants_of(self.db(), &account.id).await?);
        let actor = Actor { kind: ActorKind::Person { account_id: account.id }, grants };
        if !actor.has(ROLE) {
            return Err(Error::Separation("只有安全管理员可以在本机下达这类命令。"));
        }
        Ok(actor)
    }
}
