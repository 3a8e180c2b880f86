//! What takes two (双人复核): one asks, another decides before the request expires, neither does both. What is asked
//! for, who may ask and who may decide is the domain's; that it takes two people, once, and in time is here.

use crate::Instant;

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Waiting,
    /// Another person's yes.
    Approved,
    Refused,
    /// Taken back by whoever asked.
    Withdrawn,
    /// What was approved was done.
    Used,
    /// Never written: time alone makes it so.
    Expired,
}

impl Standing {
    const WRITTEN: [Self; 5] =
        [Self::Waiting, Self::Approved, Self::Refused, Self::Withdrawn, Self::Used];

    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Used => "used",
            Self::Expired => "expired",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::WRITTEN.into_iter().find(|one| one.name() == name)
    }
}

/// What a yes is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yes {
    /// It is done with the yes itself.
    Does,
    /// It may be done once, before the request expires.
    Lets,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Yes,
    No,
}

/// Why a request cannot be decided, or not by this person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// The one who asked never says yes.
    Own,
    Decided,
    Expired,
}

/// A request as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// As written.
    pub state: Standing,
    pub yes: Yes,
    /// References of actors, like `account:0197…`.
    pub requested_by: String,
    pub requested_at: Instant,
    pub expires_at: Instant,
    pub decided_by: Option<String>,
    /// 0: not yet.
    pub decided_at: Instant,
    pub decided_why: Option<String>,
}

impl Request {
    /// How it stands now.
    pub fn standing(&self, now: Instant) -> Standing {
        let open = match self.state {
            Standing::Waiting => true,
            Standing::Approved => self.yes == Yes::Lets,
            _ => false,
        };
        if open && now >= self.expires_at { Standing::Expired } else { self.state }
    }

    pub fn is_by(&self, actor: &str) -> bool {
        self.requested_by == actor
    }

    /// What the request becomes by this person's word. A no of whoever asked takes it back.
    pub fn decide(&self, by: &str, verdict: Verdict, now: Instant) -> Result<Standing, Bar> {
        match self.standing(now) {
            Standing::Waiting => {}
            Standing::Expired => return Err(Bar::Expired),
            _ => return Err(Bar::Decided),
        }
        match (verdict, self.is_by(by)) {
            (Verdict::Yes, true) => Err(Bar::Own),
            (Verdict::Yes, false) => Ok(Standing::Approved),
            (Verdict::No, true) => Ok(Standing::Withdrawn),
            (Verdict::No, false) => Ok(Standing::Refused),
        }
    }

    /// What it becomes when what was approved is done; `None`: it must not be.
    pub fn used(&self, now: Instant) -> Option<Standing> {
        let stands = self.yes == Yes::Lets && self.standing(now) == Standing::Approved;
        stands.then_some(Standing::Used)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXPIRES: Instant = 100;

    fn asked(yes: Yes) -> Request {
        Request {
            state: Standing::Waiting,
            yes,
            requested_by: "account:a".into(),
            requested_at: 0,
            expires_at: EXPIRES,
            decided_by: None,
            decided_at: 0,
            decided_why: None,
        }
    }

    #[derive(Debug, Clone)]
    enum Deed {
        Decide { by: &'static str, verdict: Verdict },
        Use,
    }

    fn deeds() -> impl Strategy<Value = Vec<(Instant, Deed)>> {
        let who = prop::sample::select(vec!["account:a", "account:b", "account:c"]);
        let verdict = prop::sample::select(vec![Verdict::Yes, Verdict::No]);
        let deed = prop_oneof![
            3 => (who, verdict).prop_map(|(by, verdict)| Deed::Decide { by, verdict }),
            1 => Just(Deed::Use),
        ];
        prop::collection::vec((0..2 * EXPIRES, deed), 0..12).prop_map(|mut all| {
            all.sort_by_key(|(at, _)| *at);
            all
        })
    }

    proptest! {
        /// Whatever is tried by whom and when: one decision at most, in time, a yes by somebody else alone; and what a
        /// yes lets is done once, after it and in time.
        #[test]
        fn it_takes_two_people_once_and_in_time(deeds in deeds(), lets in any::<bool>()) {
            let mut request = asked(if lets { Yes::Lets } else { Yes::Does });
            let (mut decisions, mut uses) = (Vec::new(), Vec::new());
            for (at, deed) in deeds {
                match deed {
                    Deed::Decide { by, verdict } => if let Ok(state) = request.decide(by, verdict, at) {
                        request.state = state;
                        decisions.push((at, by, verdict, state));
                    },
                    Deed::Use => if let Some(state) = request.used(at) {
                        request.state = state;
                        uses.push(at);
                    },
                }
            }
            prop_assert!(decisions.len() <= 1, "{decisions:?}");
            for (at, by, verdict, state) in &decisions {
                prop_assert!(*at < EXPIRES);
                let own = *by == "account:a";
                prop_assert_eq!(*state == Standing::Approved, *verdict == Verdict::Yes);
                prop_assert!(*verdict == Verdict::No || !own);
                prop_assert_eq!(*state == Standing::Withdrawn, own);
            }
            prop_assert!(uses.len() <= 1, "{uses:?}");
            for used in &uses {
                prop_assert!(lets && *used < EXPIRES);
                let yes = decisions.iter().find(|one| one.3 == Standing::Approved);
                prop_assert!(yes.is_some_and(|(at, ..)| at <= used));
            }
        }

        /// Time alone changes nothing but what still waits for somebody.
        #[test]
        fn what_is_over_does_not_expire(at in 0..2 * EXPIRES, lets in any::<bool>()) {
            for state in Standing::WRITTEN {
                let yes = if lets { Yes::Lets } else { Yes::Does };
                let standing = Request { state, ..asked(yes) }.standing(at);
                let waits = state == Standing::Waiting || (state == Standing::Approved && lets);
                prop_assert_eq!(standing == Standing::Expired, waits && at >= EXPIRES);
                prop_assert!(standing == state || standing == Standing::Expired);
            }
        }
    }

    #[test]
    fn names_are_read_as_they_are_written_and_expired_is_never_written() {
        for state in Standing::WRITTEN {
            assert_eq!(Standing::parse(state.name()), Some(state));
        }
        assert_eq!(Standing::parse(Standing::Expired.name()), None);
        assert_eq!(asked(Yes::Does).decide("account:a", Verdict::Yes, 1), Err(Bar::Own));
        assert_eq!(asked(Yes::Does).decide("account:b", Verdict::Yes, 100), Err(Bar::Expired));
    }
}
