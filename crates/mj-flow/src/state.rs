//! Which move is allowed when. Pure; the table is the rule.

/// Where a work item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Nobody has it yet (待认领).
    Received,
    /// Somebody works on it (办理中).
    Claimed,
    /// Given back; anybody entitled may claim it again (已退回).
    Returned,
    /// Done (已办结).
    Closed,
}

/// What a person does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    Claim,
    Transfer,
    Return,
    Urge,
    Decide,
}

impl State {
    pub const ALL: [State; 4] = [State::Received, State::Claimed, State::Returned, State::Closed];

    pub fn name(self) -> &'static str {
        match self {
            State::Received => "received",
            State::Claimed => "claimed",
            State::Returned => "returned",
            State::Closed => "closed",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            State::Received => "待认领",
            State::Claimed => "办理中",
            State::Returned => "已退回",
            State::Closed => "已办结",
        }
    }

    pub fn parse(name: &str) -> Option<State> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Where the move leads; `None` if it is not allowed from here.
    pub fn after(self, verb: Verb) -> Option<State> {
        match (self, verb) {
            (State::Received | State::Returned, Verb::Claim) => Some(State::Claimed),
            (State::Received | State::Returned | State::Claimed, Verb::Transfer) => {
                Some(State::Received)
            }
            (State::Claimed, Verb::Return) => Some(State::Returned),
            (State::Received | State::Returned | State::Claimed, Verb::Urge) => Some(self),
            (State::Claimed, Verb::Decide) => Some(State::Closed),
            _ => None,
        }
    }
}

impl Verb {
    pub const ALL: [Verb; 5] =
        [Verb::Claim, Verb::Transfer, Verb::Return, Verb::Urge, Verb::Decide];

    pub fn name(self) -> &'static str {
        match self {
            Verb::Claim => "claim",
            Verb::Transfer => "transfer",
            Verb::Return => "return",
            Verb::Urge => "urge",
            Verb::Decide => "decide",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Verb::Claim => "认领",
            Verb::Transfer => "转办",
            Verb::Return => "退回",
            Verb::Urge => "催办",
            Verb::Decide => "办结",
        }
    }

    pub fn parse(name: &str) -> Option<Verb> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_moves() {
        let table: Vec<String> = State::ALL
            .iter()
            .flat_map(|state| {
                Verb::ALL.iter().map(move |verb| {
                    let after = state.after(*verb).map_or("-", State::name);
                    format!("{} {} {after}", state.name(), verb.name())
                })
            })
            .collect();
        assert_eq!(
            table.join("\n"),
            "received claim claimed\nreceived transfer received\nreceived return -\n\
             received urge received\nreceived decide -\n\
             claimed claim -\nclaimed transfer received\nclaimed return returned\n\
             claimed urge claimed\nclaimed decide closed\n\
             returned claim claimed\nreturned transfer received\nreturned return -\n\
             returned urge returned\nreturned decide -\n\
             closed claim -\nclosed transfer -\nclosed return -\nclosed urge -\nclosed decide -"
        );
    }
}
