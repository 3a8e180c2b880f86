//! How passwords are hashed (argon2id, 19 MiB, 2 passes, a key over it: [`crate::keyed`]), with a bounded queue in front of the hashing, so that a
//! storm of logins does not stop everybody else's work, and a share of the queue for each network source, so
//! that one source does not fill it. What a password must be is [`crate::password_rule`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mj_platform::Db;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::keyed::{Checked, Pepper};
use crate::lockout::network;
use crate::password_rule::{BYTES_AT_MOST, PasswordProfile, PasswordRule};

const WAITING_AT_MOST: usize = 64;
/// Of those, from one network source.
const WAITING_OF_ONE: usize = 16;

/// As many hashes at once as leave half of the cores to everybody else's work.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

#[derive(Default)]
struct Line {
    waiting: usize,
    by_source: HashMap<String, usize>,
}

/// The hashing queue and the profile in force. Cheap to clone; all clones are one queue.
#[derive(Clone)]
pub struct Passwords {
    gate: Arc<Semaphore>,
    line: Arc<Mutex<Line>>,
    made: Arc<AtomicU64>,
    profile: PasswordProfile,
    pepper: Pepper,
}

impl Passwords {
    pub fn new(profile: PasswordProfile, pepper: Pepper) -> Self {
        Self {
            gate: Arc::new(Semaphore::new(at_once())),
            line: Arc::default(),
            made: Arc::default(),
            profile,
            pepper,
        }
    }

    /// The rules of the profile today.
    pub fn rule(&self, db: &Db) -> Result<PasswordRule> {
        PasswordRule::on(self.profile, db.clock().today())
    }

    /// As [`Pepper::mark`].
    pub fn mark(&self, request: &[u8; 32]) -> Result<[u8; 32]> {
        self.pepper.mark(request)
    }

    /// How many hashes were computed since the start: the work done, whoever asked.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::SeqCst)
    }

    /// Hashes what was checked before.
    pub async fn hash(&self, password: &str, address: Option<IpAddr>) -> Result<String> {
        let (pepper, password) = (self.pepper.clone(), password.to_owned());
        self.in_queue(address, move || pepper.hash(password.as_bytes())).await?
    }

    /// Whether the password is the one hashed. `None` (unknown login) takes as long and is false.
    pub async fn verify(
        &self,
        password: &str,
        hash: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<Checked> {
        if password.len() > BYTES_AT_MOST {
            return Ok(Checked::default());
        }
        let (pepper, hash) = (self.pepper.clone(), hash.map(str::to_owned));
        let password = password.to_owned();
        self.in_queue(address, move || pepper.check(password.as_bytes(), hash.as_deref())).await?
    }

    /// Lets nobody be checked until it is dropped.
    #[cfg(test)]
    pub(crate) async fn held_up(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(at_once()).expect("few");
        self.gate.clone().acquire_many_owned(all).await.expect("open")
    }

    /// How many wait to be checked.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.line.lock().expect("whole").waiting
    }

    async fn in_queue<T: Send + 'static>(
        &self,
        address: Option<IpAddr>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let source = address.map_or_else(|| "-".to_owned(), network);
        let place = Place::take(&self.line, source).ok_or(Error::Busy)?;
        let permit = self.gate.clone().acquire_owned().await.map_err(|_| Error::Busy)?;
        drop(place);
        self.made.fetch_add(1, Ordering::SeqCst);
        let done = mj_platform::rank::spawn_below("password", move || {
            let made = work();
            drop(permit);
            made
        });
        let done = done.map_err(|error| Error::Hash(error.to_string()))?;
        done.await.map_err(|error| Error::Hash(error.to_string()))
    }
}

/// A place in the queue, given back also when the request is cancelled.
struct Place {
    line: Arc<Mutex<Line>>,
    source: String,
}

impl Place {
    fn take(line: &Arc<Mutex<Line>>, source: String) -> Option<Self> {
        let mut held = line.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = held.by_source.get(&source).copied().unwrap_or_default();
        if held.waiting >= WAITING_AT_MOST || of_one >= WAITING_OF_ONE {
            return None;
        }
        held.waiting += 1;
        *held.by_source.entry(source.clone()).or_default() += 1;
        Some(Self { line: line.clone(), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        held.waiting = held.waiting.saturating_sub(1);
        if let Some(count) = held.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                held.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mj_platform::gm::vault::Vault;

    use super::*;
    use crate::keyed::PasswordHashing;

    fn passwords() -> (tempfile::TempDir, Passwords) {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Arc::new(Vault::open(folder.path(), &[7; 16], false));
        let pepper = Pepper::new(keys, PasswordHashing::default());
        (folder, Passwords::new(PasswordProfile::Default, pepper))
    }

    #[tokio::test]
    async fn a_hash_says_how_it_was_made_and_opens_only_to_its_password() {
        let (_folder, passwords) = passwords();
        let hash = passwords.hash("滕州的秋天有大白菜和葱", None).await.expect("hashed");
        assert!(hash.starts_with("$hmac-sm3-argon2id$v=19$m=19456,t=2,p=1,keyid="), "{hash}");
        let verify = async |password: &str, hash: Option<&str>| {
            passwords.verify(password, hash, None).await.expect("asked").right
        };
        assert!(verify("滕州的秋天有大白菜和葱", Some(&hash)).await);
        assert!(!verify("滕州的秋天有大白菜", Some(&hash)).await);
        let before = passwords.made();
        assert!(!verify("nobody's password", None).await);
        assert_eq!(passwords.made(), before + 1, "nobody's login is as much work as somebody's");
    }

    #[tokio::test]
    async fn a_storm_of_logins_is_turned_away_and_leaves_room_for_others() {
        let (_folder, passwords) = passwords();
        let all = u32::try_from(at_once()).expect("few");
        let _all = passwords.gate.clone().acquire_many_owned(all).await.expect("open");
        let take = |source: String| Place::take(&passwords.line, source);
        let storm: Vec<_> = (0..500).filter_map(|_| take("10.0.0.1".into())).collect();
        assert_eq!(storm.len(), WAITING_OF_ONE, "one source has its share");
        let officer = take("10.0.0.2".into());
        assert!(officer.is_some(), "and another its own");
        let many: Vec<_> = (0..500).filter_map(|n| take(format!("10.1.{}.1", n % 250))).collect();
        assert_eq!(many.len(), WAITING_AT_MOST - WAITING_OF_ONE - 1);
        assert!(matches!(passwords.verify("x", None, None).await, Err(Error::Busy)));
        drop((storm, officer, many));
        assert!(take("10.0.0.1".into()).is_some());
        assert!(passwords.line.lock().expect("free").by_source.is_empty());
    }
}
