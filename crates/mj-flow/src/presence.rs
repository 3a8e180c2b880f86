//! Who has the same record open right now. A heartbeat every few seconds, forgotten when it stops: nothing
//! is stored, nothing is decided by it; two people simply see each other before they type.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use mj_kernel::Instant;

/// A heartbeat holds so long.
pub const HOLDS_US: i64 = 45_000_000;
/// Records watched at a time; beyond it the longest silent ones go.
const MOST: usize = 10_000;

/// who → (since, last heartbeat)
type Watchers = BTreeMap<String, (Instant, Instant)>;

#[derive(Debug, Default)]
pub struct Presence {
    /// record → who → (since, last heartbeat)
    at: Mutex<BTreeMap<String, Watchers>>,
}

impl Presence {
    /// Notes a heartbeat and gives the others, with the instant since when they are there.
    pub fn beat(&self, object: &str, who: &str, now: Instant) -> Vec<(String, Instant)> {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if at.len() >= MOST && !at.contains_key(object) {
            at.retain(|_, people| people.values().any(|(_, last)| now - last < HOLDS_US));
            if at.len() >= MOST {
                return Vec::new();
            }
        }
        let people = at.entry(object.to_owned()).or_default();
        people.retain(|_, (_, last)| now - *last < HOLDS_US);
        people.entry(who.to_owned()).and_modify(|(_, last)| *last = now).or_insert((now, now));
        people
            .iter()
            .filter(|(other, _)| other.as_str() != who)
            .map(|(other, (since, _))| (other.clone(), *since))
            .collect()
    }

    pub fn leave(&self, object: &str, who: &str) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(people) = at.get_mut(object) {
            people.remove(who);
            if people.is_empty() {
                at.remove(object);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_people_see_each_other_until_one_falls_silent() {
        let presence = Presence::default();
        assert_eq!(presence.beat("party:1", "wang", 0), []);
        assert_eq!(presence.beat("party:1", "li", 1), [("wang".to_owned(), 0)]);
        assert_eq!(presence.beat("party:2", "li", 1), []);
        assert_eq!(presence.beat("party:1", "wang", HOLDS_US + 2), []);
        presence.leave("party:1", "wang");
        assert_eq!(presence.beat("party:1", "li", HOLDS_US + 3), []);
    }
}
