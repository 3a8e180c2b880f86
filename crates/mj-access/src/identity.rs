//! Whose account this is, by whoever vouches for the person: this house, or another issuer (a
//! province's single sign-on, when there is one). An account of another issuer is found by exactly
//! (issuer, subject) and never by a telephone or citizen id that happens to agree (ASVS 5.0 V6.8.1).

use mj_platform::{Db, RowExt, TruthTable, WriteTx, new_id};

use crate::ended::Cause;
use crate::error::{Error, Result};
use crate::model::{Account, AccountClass, AccountState};
use crate::store::{account_by_id, account_by_login, account_of};

pub const ACCOUNT_IDENTITY: TruthTable = TruthTable {
    name: "account_identity",
    columns: &["id", "issuer", "subject", "account_id", "bound_at"],
};

/// Characters of an issuer's address or of the name it gives a person.
const LONGEST: usize = 255;

/// Who says who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer<'a> {
    /// This house: the subject is the login.
    House,
    /// Another, by its address.
    Other(&'a str),
}

/// The account that somebody may enter by: active, and a person's.
pub async fn enters_by(db: &Db, issuer: Issuer<'_>, subject: &str) -> Result<Option<Account>> {
    let account = match issuer {
        Issuer::House => account_by_login(db, subject).await?,
        Issuer::Other(issuer) => {
            let sql = "SELECT account_id FROM account_identity WHERE issuer = $1 AND subject = $2";
            match db.fetch_optional(sql, &[issuer.into(), subject.into()]).await? {
                Some(row) => account_by_id(db, &row.text("account_id")?).await?,
                None => None,
            }
        }
    };
    Ok(account.filter(|one| one.class != AccountClass::Source && one.state == AccountState::Active))
}

/// Binds what another issuer calls a person to an account. One name of one issuer leads to one account.
pub async fn bind(
    tx: &mut WriteTx,
    issuer: &str,
    subject: &str,
    account_id: &str,
) -> Result<String> {
    for (field, text) in [("issuer", issuer), ("subject", subject)] {
        if text.trim().is_empty() || text != text.trim() || text.chars().count() > LONGEST {
            return Err(Error::Invalid {
                field, reason: "应为 1—255 个字符，首尾不留空格"
            });
        }
    }
    let row = tx
        .fetch_optional("SELECT * FROM account WHERE id = $1", &[account_id.into()])
        .await?
        .ok_or(Error::Missing("账号"))?;
    if account_of(&row)?.class == AccountClass::Source {
        return Err(Error::Separation("来源系统的账号不能绑定个人身份。"));
    }
    let sql = "SELECT id FROM account_identity WHERE issuer = $1 AND subject = $2";
    if tx.fetch_optional(sql, &[issuer.into(), subject.into()]).await?.is_some() {
        return Err(Error::NotNow("这个身份已绑定了账号，请先解除。"));
    }
    let (id, now) = (new_id(), tx.now());
    let row = [
        ("id", id.as_str().into()),
        ("issuer", issuer.into()),
        ("subject", subject.into()),
        ("account_id", account_id.into()),
        ("bound_at", now.into()),
    ];
    tx.insert(&ACCOUNT_IDENTITY, &row).await?;
    Ok(id)
}

/// Takes it back; whoever entered by it is out.
pub async fn unbind(tx: &mut WriteTx, id: &str) -> Result<()> {
    let sql = "SELECT account_id FROM account_identity WHERE id = $1";
    let row = tx.fetch_optional(sql, &[id.into()]).await?.ok_or(Error::Missing("身份绑定"))?;
    let account = row.text("account_id")?;
    tx.delete(&ACCOUNT_IDENTITY, id).await?;
    crate::service::end_sessions(tx, &account, Cause::Identity).await
}
