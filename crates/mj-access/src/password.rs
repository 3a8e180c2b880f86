//! Passwords: what is accepted, how they are hashed (argon2id, 19 MiB, 2 passes), and a bounded
//! queue in front of the hashing, so that a storm of logins does not stop everybody else's work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::{OnceCell, Semaphore};

use crate::error::{Error, Result};

const AT_ONCE: usize = 2;
const WAITING_AT_MOST: usize = 64;
const CHARACTERS_AT_LEAST: usize = 10;
const BYTES_AT_MOST: usize = 256;

/// Texts that guessers try first; a password that contains one is mostly it.
const GUESSED_FIRST: [&str; 12] = [
    "password",
    "12345678",
    "123456789",
    "qwertyui",
    "admin123",
    "mingjian",
    "iloveyou",
    "abc12345",
    "11111111",
    "88888888",
    "woaini",
    "asdfghjk",
];

/// The hashing queue. Cheap to clone; all clones are one queue.
#[derive(Clone)]
pub struct Passwords {
    gate: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Verified when the login is unknown, so that it takes as long as when it is known.
    stand_in: Arc<OnceCell<String>>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::default(),
            stand_in: Arc::default(),
        }
    }
}

impl Passwords {
    /// Checks the rules and hashes.
    pub async fn hash(&self, password: &str, login: &str) -> Result<String> {
        check(password, login)?;
        self.hash_unchecked(password).await
    }

    async fn hash_unchecked(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        self.in_queue(move || {
            Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash: PasswordHash| hash.to_string())
                .map_err(|error| Error::Hash(error.to_string()))
        })
        .await?
    }

    /// Whether the password is the one hashed. `None` (unknown login) takes as long and is false.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        if password.len() > BYTES_AT_MOST {
            return Ok(false);
        }
        let known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash.to_owned(),
            None => {
                let make = || self.hash_unchecked("nobody's password");
                self.stand_in.get_or_try_init(make).await?.clone()
            }
        };
        let password = password.to_owned();
        let same = self
            .in_queue(move || {
                let hash =
                    PasswordHash::new(&hash).map_err(|error| Error::Hash(error.to_string()))?;
                Ok::<bool, Error>(
                    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
                )
            })
            .await??;
        Ok(known && same)
    }

    async fn in_queue<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let place = Place::take(&self.waiting).ok_or(Error::Busy)?;
        let permit = self.gate.clone().acquire_owned().await.map_err(|_| Error::Busy)?;
        drop(place);
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
        .map_err(|error| Error::Hash(error.to_string()))
    }
}

/// A place in the queue, given back also when the request is cancelled.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::SeqCst);
        let place = Self(waiting.clone());
        (before < WAITING_AT_MOST).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Long rather than complicated: no rule about kinds of characters, nothing that is guessed first.
pub fn check(password: &str, login: &str) -> Result<()> {
    if password.chars().count() < CHARACTERS_AT_LEAST {
        return Err(Error::WeakPassword("至少 10 个字符，建议用几个不相干的词组成"));
    }
    if password.len() > BYTES_AT_MOST {
        return Err(Error::WeakPassword("过长，最多 256 个字节"));
    }
    let lower = password.to_lowercase();
    if lower.contains(login) {
        return Err(Error::WeakPassword("不能包含登录名"));
    }
    if GUESSED_FIRST.iter().any(|guess| lower.contains(guess)) {
        return Err(Error::WeakPassword("包含极易被猜中的内容"));
    }
    let mut kinds: Vec<char> = lower.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < 5 {
        return Err(Error::WeakPassword("重复的字符太多"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_says_how_it_was_made_and_opens_only_to_its_password() {
        let passwords = Passwords::default();
        let hash = passwords.hash("滕州的秋天有白菜", "lisi").await.err();
        assert!(matches!(hash, Some(Error::WeakPassword(_))), "eight characters are too few");
        let hash = passwords.hash("滕州的秋天有大白菜和葱", "lisi").await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("滕州的秋天有大白菜和葱", Some(&hash)).await.expect("asked"));
        assert!(!passwords.verify("滕州的秋天有大白菜", Some(&hash)).await.expect("asked"));
        assert!(!passwords.verify("nobody's password", None).await.expect("asked"));
    }

    #[test]
    fn what_guessers_try_first_is_refused() {
        for weak in ["password2026", "aaaaaaaaaaaa", "lisi-lisi-lisi", "短"] {
            assert!(check(weak, "lisi").is_err(), "{weak}");
        }
        assert!(check("Zaozhuang7Pomegranate", "lisi").is_ok());
    }

    #[tokio::test]
    async fn a_storm_of_logins_is_turned_away_at_the_end_of_the_queue() {
        let passwords = Passwords::default();
        let _all = passwords.gate.clone().acquire_many_owned(2).await.expect("open");
        let places: Vec<_> =
            (0..WAITING_AT_MOST).filter_map(|_| Place::take(&passwords.waiting)).collect();
        assert_eq!(places.len(), WAITING_AT_MOST);
        assert!(matches!(passwords.verify("x", Some("y")).await, Err(Error::Busy)));
        drop(places);
        assert!(Place::take(&passwords.waiting).is_some());
    }
}
