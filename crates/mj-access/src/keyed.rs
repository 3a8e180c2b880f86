//! The keyed hash over password hashes: what is stored is HMAC-SM3, under a key of the vault, over what argon2id
//! gives. Whoever has the database alone cannot test a single guess. The stored text (PHC) names the key, so that
//! an older key still verifies and the next login goes over to the newest.

use std::sync::Arc;

use argon2::password_hash::phc::{Decimal, Ident, Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use mj_kernel::Actor;
use mj_platform::gm::vault::{KeyClass, SmProvider};
use mj_platform::{Act, Db, Lane, RowExt, Value, gm};

use crate::error::{Error, Result};
use crate::seal::{self, Kind};
use crate::store::CREDENTIAL;

/// Argon2id as it was stored before, without a key over it.
const BARE: Ident = Ident::new_unwrap("argon2id");
const KEYED_ARGON2ID: Ident = Ident::new_unwrap("hmac-sm3-argon2id");
const KEYED_PBKDF2_SM3: Ident = Ident::new_unwrap("hmac-sm3-pbkdf2-sm3");
/// The parameters that name the key and the rounds of PBKDF2.
const KEY: &str = "keyid";
const ROUNDS: &str = "i";
/// As OWASP advises for PBKDF2 over a hash of 256 bits.
const ROUNDS_NOW: Decimal = 600_000;
/// The key of a hash that is nobody's: there is none of that name, the work is the same.
const NO_KEY: &str = "nobody";
/// Rows keyed in one act at a start.
const AT_ONCE: usize = 1_000;

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Hash(error.to_string())
}

/// How passwords are hashed below the key: the setting `access.password_hash`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PasswordHashing {
    #[default]
    Argon2id,
    /// 国密: every step is SM3.
    Pbkdf2Sm3,
}

impl PasswordHashing {
    pub fn name(self) -> &'static str {
        match self {
            Self::Argon2id => "argon2id",
            Self::Pbkdf2Sm3 => "pbkdf2-sm3",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Argon2id, Self::Pbkdf2Sm3].into_iter().find(|one| one.name() == name)
    }

    fn keyed(self) -> Ident {
        match self {
            Self::Argon2id => KEYED_ARGON2ID,
            Self::Pbkdf2Sm3 => KEYED_PBKDF2_SM3,
        }
    }

    /// How a stored hash was made.
    fn of(stored: &PasswordHash) -> Result<Self> {
        match stored.algorithm {
            BARE | KEYED_ARGON2ID => Ok(Self::Argon2id),
            KEYED_PBKDF2_SM3 => Ok(Self::Pbkdf2Sm3),
            other => Err(broken(format!("不认识的散列方法 {other}"))),
        }
    }

    /// With today's parameters and a salt of its own, not yet hashed.
    fn fresh(self) -> Result<PasswordHash> {
        let mut params = ParamsString::new();
        let version = match self {
            Self::Argon2id => {
                params = ParamsString::try_from(&Params::default()).map_err(broken)?;
                Some(Version::default().into())
            }
            Self::Pbkdf2Sm3 => {
                params.add_decimal(ROUNDS, ROUNDS_NOW).map_err(broken)?;
                None
            }
        };
        let salt = Some(Salt::new(&gm::random::<16>()).map_err(broken)?);
        Ok(PasswordHash { algorithm: self.keyed(), version, params, salt, hash: None })
    }

    /// The output below the key, with the salt and the parameters of `like`.
    fn output(self, password: &[u8], like: &PasswordHash) -> Result<[u8; 32]> {
        let salt: &[u8] = like.salt.as_ref().map(AsRef::as_ref).unwrap_or_default();
        let mut output = [0; 32];
        match self {
            Self::Argon2id => {
                let version = like.version.unwrap_or_default().try_into().map_err(broken)?;
                let params = Params::try_from(&without_key(&like.params)).map_err(broken)?;
                Argon2::new(Algorithm::Argon2id, version, params)
                    .hash_password_into(password, salt, &mut output)
                    .map_err(broken)?;
            }
            Self::Pbkdf2Sm3 => {
                let rounds = like.params.get_decimal(ROUNDS).ok_or_else(|| broken("没有轮数"))?;
                gm::pbkdf2_sm3(password, salt, rounds, &mut output);
            }
        }
        Ok(output)
    }
}

fn without_key(params: &ParamsString) -> ParamsString {
    params.iter().filter(|(name, _)| name.as_str() != KEY).collect()
}

/// What came of checking a password.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub right: bool,
    /// The same under the newest key, where what is stored is not.
    pub renewed: Option<String>,
    /// The house hashes in another way now: with the password at hand, hash it anew.
    pub outdated: bool,
}

/// The keys that lie over password hashes.
#[derive(Clone)]
pub struct Pepper {
    keys: Arc<dyn SmProvider>,
    hashing: PasswordHashing,
}

impl Pepper {
    pub fn new(keys: Arc<dyn SmProvider>, hashing: PasswordHashing) -> Self {
        Self { keys, hashing }
    }

    /// What is stored of a new password.
    pub fn hash(&self, password: &[u8]) -> Result<String> {
        let made = self.hashing.fresh()?;
        let output = self.hashing.output(password, &made)?;
        Ok(self.over(self.hashing, &made, &output)?.to_string())
    }

    /// What may be stored of a request that holds a password, to know it again: from its plain digest, whoever knows the
    /// rest of it could try passwords as fast as they hash.
    pub fn mark(&self, request: &[u8; 32]) -> Result<[u8; 32]> {
        Ok(self.keys.mac(KeyClass::Password, &[b"request", request])?)
    }

    /// Whether this is the password stored. `None`, an unknown login, is the same work and false.
    pub fn check(&self, password: &[u8], stored: Option<&str>) -> Result<Checked> {
        let Some(stored) = stored else {
            let nobody = self.hashing.fresh()?;
            let output = self.hashing.output(password, &nobody)?;
            self.under(NO_KEY, self.hashing, &nobody, &output)?;
            return Ok(Checked::default());
        };
        let stored = PasswordHash::new(stored).map_err(broken)?;
        let way = PasswordHashing::of(&stored)?;
        let output = way.output(password, &stored)?;
        let key = stored.params.get_str(KEY);
        let right = match key {
            None => Output::new(&output).is_ok_and(|output| Some(output) == stored.hash),
            Some(name) => match self.under(name, way, &stored, &output)? {
                Some(keyed) => Some(keyed) == stored.hash,
                None => {
                    tracing::error!(key = name, "密码散列所用的密钥不在 keys/ 中，密码无从核对");
                    false
                }
            },
        };
        let newest = self.keys.mac_name(KeyClass::Password)?;
        let renewed = match right && key != Some(newest.as_str()) {
            true => Some(self.over(way, &stored, &output)?.to_string()),
            false => None,
        };
        Ok(Checked { right, renewed, outdated: way != self.hashing })
    }

    /// The keyed form of what an older version stored; `None` for what is keyed already.
    fn key(&self, stored: &str) -> Result<Option<String>> {
        let bare = PasswordHash::new(stored).map_err(broken)?;
        if bare.algorithm != BARE {
            return Ok(None);
        }
        let output = bare.hash.as_ref().map(Output::as_bytes).unwrap_or_default();
        Ok(Some(self.over(PasswordHashing::Argon2id, &bare, output)?.to_string()))
    }

    /// Under the newest key.
    fn over(
        &self,
        way: PasswordHashing,
        like: &PasswordHash,
        output: &[u8],
    ) -> Result<PasswordHash> {
        let name = self.keys.mac_name(KeyClass::Password)?;
        let hash = self.under(&name, way, like, output)?;
        let mut params = without_key(&like.params);
        params.add_str(KEY, name.as_str()).map_err(broken)?;
        let hash = Some(hash.ok_or_else(|| broken("没有密码密钥"))?);
        Ok(PasswordHash { algorithm: way.keyed(), params, hash, ..like.clone() })
    }

    /// HMAC-SM3 over how the output was made and the output; `None` where there is no key of that name.
    fn under(
        &self,
        key: &str,
        way: PasswordHashing,
        like: &PasswordHash,
        output: &[u8],
    ) -> Result<Option<Output>> {
        let params = without_key(&like.params);
        let salt: &[u8] = like.salt.as_ref().map(AsRef::as_ref).unwrap_or_default();
        let parts = [way.name().as_bytes(), params.as_bytes(), salt, output];
        let mac = self.keys.mac_under(KeyClass::Password, key, &parts)?;
        mac.map(|mac| Output::new(&mac)).transpose().map_err(broken)
    }

    fn has(&self, name: &str) -> Result<bool> {
        Ok(self.keys.mac_under(KeyClass::Password, name, &[])?.is_some())
    }
}

/// What stands in a database about keys over its password hashes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PasswordKeys {
    /// Hashes whose key is in the vault.
    pub opened: usize,
    /// Hashes whose key is not: nobody can sign in with those.
    pub lost: usize,
    /// Hashes an older version stored without a key.
    pub bare: usize,
}

/// Looks at every stored hash, present and past; makes no key and writes nothing.
pub async fn password_keys(db: &Db, keys: Arc<dyn SmProvider>) -> Result<PasswordKeys> {
    let pepper = Pepper::new(keys, PasswordHashing::default());
    let mut seen = PasswordKeys::default();
    let mut known = std::collections::BTreeMap::new();
    for table in ["credential", "password_past"] {
        let sql = format!("SELECT password_hash FROM {table}");
        for row in db.fetch_all(&sql, &[]).await? {
            let stored = PasswordHash::new(&row.text("password_hash")?).map_err(broken)?;
            let Some(name) = stored.params.get_str(KEY) else {
                seen.bare += 1;
                continue;
            };
            let there = match known.get(name) {
                Some(there) => *there,
                None => {
                    let there = pepper.has(name)?;
                    known.insert(name.to_owned(), there);
                    there
                }
            };
            match there {
                true => seen.opened += 1,
                false => seen.lost += 1,
            }
        }
    }
    Ok(seen)
}

/// Lays the key over every hash an older version stored without one. Nobody's password is needed for it, and none
/// changes by it. How many.
pub async fn key_stored_passwords(db: &Db, keys: Arc<dyn SmProvider>) -> Result<usize> {
    let pepper = Pepper::new(keys, PasswordHashing::default());
    let mut done = 0;
    let bare: Value = format!("${BARE}$%").into();
    loop {
        let act = Act::new(&Actor::system("start"), "access.password.key", "credential");
        let mut tx = db.begin(Lane::People, act).await?;
        let sql = format!(
            "SELECT id, password_hash FROM credential WHERE password_hash LIKE $1 \
             ORDER BY id LIMIT {AT_ONCE}"
        );
        let mut changes = Vec::new();
        for row in tx.fetch_all(&sql, std::slice::from_ref(&bare)).await? {
            let keyed = pepper.key(&row.text("password_hash")?)?;
            changes
                .extend(keyed.map(|keyed| Ok::<_, Error>((row.text("id")?, vec![keyed.into()]))));
        }
        let changes = changes.into_iter().collect::<Result<Vec<_>>>()?;
        let sql = format!(
            "SELECT account_id, replaced_at, password_hash FROM password_past \
             WHERE password_hash LIKE $1 ORDER BY account_id, replaced_at LIMIT {AT_ONCE}"
        );
        let past = tx.fetch_all(&sql, std::slice::from_ref(&bare)).await?;
        if changes.is_empty() && past.is_empty() {
            return Ok(done);
        }
        done += changes.len() + past.len();
        if !changes.is_empty() {
            let ids: Vec<String> = changes.iter().map(|(id, _)| id.clone()).collect();
            tx.update_many(&CREDENTIAL, &["password_hash"], changes).await?;
            for id in ids {
                seal::seal(&mut tx, Kind::Password, &id).await?;
            }
        }
        for row in past {
            let Some(keyed) = pepper.key(&row.text("password_hash")?)? else { continue };
            let sql = "UPDATE password_past SET password_hash = $1 \
                       WHERE account_id = $2 AND replaced_at = $3";
            let place =
                [keyed.into(), row.text("account_id")?.into(), row.int("replaced_at")?.into()];
            tx.execute(sql, &place).await?;
        }
        tx.commit().await?;
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};
    use mj_platform::gm::vault::Vault;

    use super::*;

    const RIGHT: &[u8] = "滕州的秋天有大白菜和葱".as_bytes();

    fn vault(folder: &tempfile::TempDir) -> Arc<Vault> {
        Arc::new(Vault::open(folder.path(), &[7; 16], false))
    }

    fn pepper(vault: &Arc<Vault>, hashing: PasswordHashing) -> Pepper {
        Pepper::new(vault.clone(), hashing)
    }

    fn bare() -> String {
        let hash: PasswordHash = Argon2::default().hash_password(RIGHT).expect("hashed");
        hash.to_string()
    }

    #[test]
    fn the_stored_hash_and_the_right_password_prove_nothing_without_the_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let stored = pepper(&vault(&folder), PasswordHashing::Argon2id).hash(RIGHT).expect("made");
        assert!(stored.starts_with("$hmac-sm3-argon2id$v=19$m=19456,t=2,p=1,keyid="), "{stored}");
        // what a thief of the database computes: the stored text as argon2 alone would have it
        let parsed = PasswordHash::new(&stored).expect("PHC");
        let stolen =
            PasswordHash { algorithm: BARE, params: without_key(&parsed.params), ..parsed.clone() };
        assert!(Argon2::default().verify_password(RIGHT, &stolen).is_err());
        // and the same thief with a vault of another house
        let other = tempfile::tempdir().expect("a folder");
        let other = pepper(&vault(&other), PasswordHashing::Argon2id);
        assert_eq!(other.check(RIGHT, Some(&stored)).expect("asked"), Checked::default());
        // the thief's own computation opens a hash without a key: the check above can fail
        let unkeyed = bare();
        let unkeyed = PasswordHash::new(&unkeyed).expect("PHC");
        assert!(Argon2::default().verify_password(RIGHT, &unkeyed).is_ok());
    }

    #[test]
    fn what_was_stored_without_a_key_verifies_and_gets_one_without_the_password() {
        let folder = tempfile::tempdir().expect("a folder");
        let pepper = pepper(&vault(&folder), PasswordHashing::Argon2id);
        let bare = bare();
        let told = pepper.check(RIGHT, Some(&bare)).expect("asked");
        assert!(told.right, "nobody is locked out");
        let wrong = pepper.check(b"other", Some(&bare)).expect("asked");
        assert_eq!(wrong, Checked::default());
        let wrapped = pepper.key(&bare).expect("keyed").expect("was bare");
        assert_eq!(told.renewed.as_deref(), Some(wrapped.as_str()), "a login does the same");
        let told = pepper.check(RIGHT, Some(&wrapped)).expect("asked");
        assert_eq!(told, Checked { right: true, renewed: None, outdated: false });
        assert_eq!(pepper.key(&wrapped).expect("asked"), None, "never twice");
    }

    #[test]
    fn an_older_key_verifies_and_the_login_goes_over_to_the_newest() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = vault(&folder);
        let pepper = pepper(&keys, PasswordHashing::Argon2id);
        let first = pepper.hash(RIGHT).expect("made");
        keys.rotate_secret(KeyClass::Password).expect("rotated");
        keys.rotate_secret(KeyClass::Password).expect("rotated");
        let told = pepper.check(RIGHT, Some(&first)).expect("asked");
        let renewed = told.renewed.expect("under the newest key");
        assert!(told.right && renewed != first);
        let told = pepper.check(RIGHT, Some(&renewed)).expect("asked");
        assert_eq!(told, Checked { right: true, renewed: None, outdated: false });
        assert!(!pepper.check(b"other", Some(&renewed)).expect("asked").right);
    }

    #[test]
    fn a_house_goes_over_to_the_other_way_of_hashing_and_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = vault(&folder);
        for (from, to) in [
            (PasswordHashing::Argon2id, PasswordHashing::Pbkdf2Sm3),
            (PasswordHashing::Pbkdf2Sm3, PasswordHashing::Argon2id),
        ] {
            let (from, to) = (pepper(&keys, from), pepper(&keys, to));
            let old = from.hash(RIGHT).expect("made");
            let told = to.check(RIGHT, Some(&old)).expect("asked");
            assert!(told.right && told.outdated, "{told:?}");
            let new = to.hash(RIGHT).expect("made");
            let told = to.check(RIGHT, Some(&new)).expect("asked");
            assert_eq!(told, Checked { right: true, renewed: None, outdated: false });
            assert!(!to.check(b"other", Some(&new)).expect("asked").right);
        }
    }
}
