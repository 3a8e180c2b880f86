//! Seals over what lets somebody in: sessions, one-time codes, recovery codes, source tokens, passwords and the code of
//! an emergency. A seal is HMAC-SM3, under a key of the vault, over the stored digest *and* whose it is, so that whoever
//! writes SQL can neither plant a secret nor give their own to somebody else's account. A row without its seal opens
//! nothing. What an older version stored is sealed once, at the first start; that it was is kept beside the keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use mj_kernel::Actor;
use mj_platform::gm::vault::{KeyClass, SmProvider, Vault};
use mj_platform::{Act, Db, DbRow, Lane, RowExt, Value, WriteTx};

use crate::error::Result;

/// Beside the keys: everything here was sealed once, nothing without a seal is ever taken again.
const DONE: &str = "sealed";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Session,
    Enrolment,
    Recovery,
    SourceToken,
    Password,
    Emergency,
}

/// The columns a seal speaks for and where it stands.
struct Place {
    table: &'static str,
    /// The first is the name of the row.
    columns: &'static [&'static str],
    /// In a column of the row; otherwise, for business truth, in `secret_seal`.
    within: bool,
    /// Rows that still let somebody in.
    standing: &'static str,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Session,
        Self::Enrolment,
        Self::Recovery,
        Self::SourceToken,
        Self::Password,
        Self::Emergency,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Enrolment => "enrolment",
            Self::Recovery => "recovery",
            Self::SourceToken => "source_token",
            Self::Password => "password",
            Self::Emergency => "emergency",
        }
    }

    fn class(self) -> KeyClass {
        match self {
            Self::Password => KeyClass::Password,
            _ => KeyClass::Session,
        }
    }

    fn place(self) -> Place {
        let (table, columns, within, standing): (_, &[&str], _, _) = match self {
            // not `last_seen_at`: it is written by every request of a minute and bounded by `absolute_until`
            Self::Session => (
                "session",
                &[
                    "id",
                    "token_sha256",
                    "account_id",
                    "created_at",
                    "idle_seconds",
                    "absolute_until",
                    "proven_at",
                    "state",
                    "kind",
                ],
                true,
                "1 = 1",
            ),
            Self::Enrolment => (
                "enrolment",
                &["id", "code_sha256", "role", "account_id", "created_at"],
                true,
                "used_at = 0",
            ),
            Self::Recovery => {
                ("recovery_code", &["code_sha256", "account_id", "created_at"], true, "used_at = 0")
            }
            Self::SourceToken => (
                "source_token",
                &["id", "token_sha256", "account_id", "issued_at"],
                false,
                "revoked_at = 0",
            ),
            // not `changed_at`: a day tells when a password must be changed, not whose it is; `verify` names the row
            Self::Password => ("credential", &["id", "password_hash"], false, "1 = 1"),
            Self::Emergency => (
                "emergency_seal",
                &["id", "code_sha256", "state", "opened_at", "until", "token_sha256"],
                false,
                "state IN ('sealed', 'opened')",
            ),
        };
        Place { table, columns, within, standing }
    }
}

/// What the seal of a row says: its kind and its columns, each with its length before it.
fn said(kind: Kind, row: &DbRow) -> Result<Vec<String>> {
    let mut said = vec!["mj-seal-1".to_owned(), kind.name().to_owned()];
    for column in kind.place().columns {
        said.push(match row.value(column)? {
            Value::Int(number) => number.to_string(),
            Value::Text(text) => text,
            _ => return Err(mj_platform::Error::Corrupt(format!("{column} 的值不认识")).into()),
        });
    }
    Ok(said)
}

fn mac(keys: &dyn SmProvider, kind: Kind, key: &str, said: &[String]) -> Result<Option<String>> {
    let parts: Vec<&[u8]> = said.iter().map(String::as_bytes).collect();
    Ok(keys.mac_under(kind.class(), key, &parts)?.map(hex::encode))
}

/// Under the newest key, which stands in the text by its name.
fn made(keys: &dyn SmProvider, kind: Kind, row: &DbRow) -> Result<String> {
    let key = keys.mac_name(kind.class())?;
    let mac = mac(keys, kind, &key, &said(kind, row)?)?;
    let mac = mac.ok_or_else(|| mj_platform::Error::Key("没有会话密钥".into()))?;
    Ok(format!("{key}${mac}"))
}

/// Whether this row bears its seal. `row` has all its columns, and `seal` where it stands in the row itself.
fn bears(keys: &dyn SmProvider, kind: Kind, row: &DbRow, seal: &str) -> Result<bool> {
    let Some((key, stored)) = seal.split_once('$') else { return Ok(false) };
    let mac = mac(keys, kind, key, &said(kind, row)?)?;
    Ok(mac.is_some_and(|mac| crate::token::same(&mac, stored)))
}

fn told(kind: Kind, right: bool) -> bool {
    if !right {
        tracing::error!(
            kind = kind.name(),
            "凭据没有本节点的封印，不予接受：可能是绕过系统写入的，或密钥已丢失"
        );
    }
    right
}

/// Whether a row found lets anybody in.
pub(crate) async fn holds(db: &Db, kind: Kind, row: &DbRow) -> Result<bool> {
    let seal = if kind.place().within {
        row.text("seal")?
    } else {
        let sql = "SELECT seal FROM secret_seal WHERE kind = $1 AND id = $2";
        let found = db.fetch_optional(sql, &[kind.name().into(), row.text("id")?.into()]).await?;
        found.map(|found| found.text("seal")).transpose()?.unwrap_or_default()
    };
    Ok(told(kind, bears(db.vault()?.as_ref(), kind, row, &seal)?))
}

/// The same for a row that an act took, with its seal in it.
pub(crate) fn held(tx: &WriteTx, kind: Kind, row: &DbRow) -> Result<bool> {
    Ok(told(kind, bears(tx.vault()?.as_ref(), kind, row, &row.text("seal")?)?))
}

/// Seals a row that was just written, within the act that wrote it. For acts of this domain alone; tests that write
/// rows by hand call it as well.
pub async fn seal(tx: &mut WriteTx, kind: Kind, id: &str) -> Result<()> {
    let Place { table, columns, within, .. } = kind.place();
    let sql = format!("SELECT * FROM {table} WHERE {} = $1", columns[0]);
    let Some(row) = tx.fetch_optional(&sql, &[id.into()]).await? else { return Ok(()) };
    let seal = made(tx.vault()?.as_ref(), kind, &row)?;
    if within {
        let sql = format!("UPDATE {table} SET seal = $1 WHERE {} = $2", columns[0]);
        tx.execute(&sql, &[seal.into(), id.into()]).await?;
    } else {
        let sql = "INSERT INTO secret_seal (kind, id, seal) VALUES ($1,$2,$3) \
                   ON CONFLICT (kind, id) DO UPDATE SET seal = $3";
        tx.execute(sql, &[kind.name().into(), id.into(), seal.into()]).await?;
    }
    Ok(())
}

/// Takes the seal of a row of business truth away: it opens nothing from now on, whatever its columns say.
pub(crate) async fn break_seal(tx: &mut WriteTx, kind: Kind, id: &str) -> Result<()> {
    let sql = "DELETE FROM secret_seal WHERE kind = $1 AND id = $2";
    tx.execute(sql, &[kind.name().into(), id.into()]).await?;
    Ok(())
}

/// Whether what was stored before seals were made has them: asked of the keys, never of the database.
pub fn all_sealed(vault: &Vault) -> Result<bool> {
    Ok(vault.noted(DONE)?)
}

/// Seals what an older version stored, ends its sessions, and notes beside the keys that this was done: from then on
/// nothing without a seal is taken, and this does nothing. How many rows.
pub async fn seal_stored(db: &Db, vault: Arc<Vault>) -> Result<usize> {
    // made at the first start, so that the first backup holds it
    vault.mac_name(KeyClass::Session)?;
    if all_sealed(&vault)? {
        return Ok(0);
    }
    // a store that takes nothing in keeps its bare hashes for now, under a seal
    let held = db.is_held();
    if !held {
        crate::keyed::key_stored_passwords(db, vault.clone()).await?;
    }
    let act = Act::new(&Actor::system("start"), "access.secret.seal", "secret_seal");
    let mut tx = db.begin(Lane::People, act).await?;
    tx.execute("DELETE FROM session WHERE seal = ''", &[]).await?;
    let mut done = 0;
    for kind in Kind::ALL {
        for (id, seal) in standing(&mut tx, kind).await? {
            if seal.is_empty() {
                self::seal(&mut tx, kind, &id).await?;
                done += 1;
            }
        }
    }
    tx.commit().await?;
    if !held {
        vault.note(DONE)?;
    }
    Ok(done)
}

async fn standing(tx: &mut WriteTx, kind: Kind) -> Result<Vec<(String, String)>> {
    let sql = standing_sql(kind, kind.place().columns[0]);
    let rows = tx.fetch_all(&sql, &[]).await?;
    let name = kind.place().columns[0];
    rows.iter()
        .map(|row| Ok((row.text(name)?, row.opt_text("seal_kept")?.unwrap_or_default())))
        .collect()
}

fn standing_sql(kind: Kind, columns: &str) -> String {
    let Place { table, within, standing, .. } = kind.place();
    if within {
        format!("SELECT {columns}, seal AS seal_kept FROM {table} WHERE {standing}")
    } else {
        let kind = kind.name();
        let columns: Vec<String> = columns.split(", ").map(|one| format!("t.{one}")).collect();
        let columns = columns.join(", ");
        format!(
            "SELECT {columns}, s.seal AS seal_kept FROM {table} t \
             LEFT JOIN secret_seal s ON s.kind = '{kind}' AND s.id = t.id WHERE {standing}"
        )
    }
}

/// What stands in a database about the seals of its secrets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seals {
    pub right: usize,
    /// Their key is not in the vault.
    pub lost: usize,
    /// None, or one that is not this row's.
    pub wrong: BTreeMap<&'static str, usize>,
}

/// Looks at everything that would let somebody in; makes no key and writes nothing.
pub async fn seals(db: &Db, keys: &dyn SmProvider) -> Result<Seals> {
    let mut seen = Seals::default();
    for kind in Kind::ALL {
        let Place { table, columns, .. } = kind.place();
        for row in db.fetch_all(&standing_sql(kind, &columns.join(", ")), &[]).await? {
            let seal = row.opt_text("seal_kept")?.unwrap_or_default();
            let key = seal.split_once('$').map(|(key, _)| key);
            match key {
                Some(key) if keys.mac_under(kind.class(), key, &[])?.is_none() => seen.lost += 1,
                _ if bears(keys, kind, &row, &seal)? => seen.right += 1,
                _ => *seen.wrong.entry(table).or_default() += 1,
            }
        }
    }
    Ok(seen)
}
