//! Which verb is allowed in which state, and where it leads: pure.

/// Where a work item stands (接收、认领、处置、反馈).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Received,
    Claimed,
    /// Given back by whoever had claimed it; may be claimed again.
    Returned,
    Handled,
    FedBack,
    Closed,
}

impl State {
    pub const ALL: [Self; 6] =
        [Self::Received, Self::Claimed, Self::Returned, Self::Handled, Self::FedBack, Self::Closed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Claimed => "claimed",
            Self::Returned => "returned",
            Self::Handled => "handled",
            Self::FedBack => "fed_back",
            Self::Closed => "closed",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Received => "待认领",
            Self::Claimed => "办理中",
            Self::Returned => "已退回",
            Self::Handled => "已处置",
            Self::FedBack => "已反馈",
            Self::Closed => "已办结",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether somebody still has to do something before it is handled.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Received | Self::Claimed | Self::Returned)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Receive,
    #[doc(alias = "认领")]
    Claim,
    #[doc(alias = "转办")]
    Transfer,
    #[doc(alias = "退回")]
    Return,
    #[doc(alias = "催办")]
    Urge,
    #[doc(alias = "办理")]
    Decide,
    /// Who decided takes it back.
    #[doc(alias = "撤销办理")]
    Reopen,
    #[doc(alias = "反馈")]
    FeedBack,
    /// The question became moot.
    Settle,
    #[doc(alias = "办结")]
    Close,
}

impl Verb {
    pub const ALL: [Self; 10] = [
        Self::Receive,
        Self::Claim,
        Self::Transfer,
        Self::Return,
        Self::Urge,
        Self::Decide,
        Self::Reopen,
        Self::FeedBack,
        Self::Settle,
        Self::Close,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Claim => "claim",
            Self::Transfer => "transfer",
            Self::Return => "return",
            Self::Urge => "urge",
            Self::Decide => "decide",
            Self::Reopen => "reopen",
            Self::FeedBack => "feed_back",
            Self::Settle => "settle",
            Self::Close => "close",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Receive => "接收",
            Self::Claim => "认领",
            Self::Transfer => "转办",
            Self::Return => "退回",
            Self::Urge => "催办",
            Self::Decide => "办理",
            Self::Reopen => "撤销办理",
            Self::FeedBack => "反馈",
            Self::Settle => "自动办结",
            Self::Close => "办结",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }
}

/// A kind of work item, and how it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    pub title: &'static str,
    /// What may be decided: (name, title).
    pub verdicts: &'static [(&'static str, &'static str)],
    /// Whether the outcome is fed back to somebody before it is closed.
    pub needs_feedback: bool,
    /// Whether whoever acts on the decision can take it back.
    pub is_reversible: bool,
}

/// Two parties that may be one.
pub const PARTY_PAIR: Kind = Kind {
    name: "party_pair",
    title: "疑似同一监管对象",
    verdicts: &[("same", "是同一对象"), ("different", "不是同一对象"), ("unsure", "暂不能确定")],
    needs_feedback: false,
    is_reversible: true,
};

/// Refused rows of a delivery that its source has to mend. It closes by itself when they are mended.
pub const BATCH_ERRORS: Kind = Kind {
    name: "batch_errors",
    title: "错误数据待改正",
    verdicts: &[("waived", "确认不再改正")],
    needs_feedback: false,
    is_reversible: true,
};

/// Somebody without an account says that a line of a public record is wrong. What is decided, and
/// its reason, is the public answer.
pub const PORTAL_CORRECTION: Kind = Kind {
    name: "portal_correction",
    title: "公示信息纠错",
    verdicts: &[
        ("corrected", "确有错误，已更正"),
        ("passed_on", "已转来源部门更正"),
        ("kept", "经核实无误"),
    ],
    needs_feedback: false,
    is_reversible: true,
};

/// The week's figures for whoever leads an area or an agency: to be read, nothing is decided.
pub const WEEKLY_DIGEST: Kind = Kind {
    name: "weekly_digest",
    title: "每周简报",
    verdicts: &[],
    needs_feedback: false,
    is_reversible: false,
};

/// A post of the public site that waits for a second person. What becomes of it is said on the post
/// itself; the item closes by that.
pub const PORTAL_POST: Kind = Kind {
    name: "portal_post",
    title: "稿件待审核",
    verdicts: &[],
    needs_feedback: false,
    is_reversible: false,
};

pub const KINDS: [Kind; 5] =
    [PARTY_PAIR, BATCH_ERRORS, PORTAL_CORRECTION, PORTAL_POST, WEEKLY_DIGEST];

impl Kind {
    pub fn of(name: &str) -> Option<Kind> {
        KINDS.into_iter().find(|kind| kind.name == name)
    }

    pub fn verdict_title(&self, verdict: &str) -> Option<&'static str> {
        self.verdicts.iter().find(|(name, _)| *name == verdict).map(|(_, title)| *title)
    }
}

/// Where the verb leads; `None`: not in this state.
pub fn next(state: State, verb: Verb, kind: &Kind) -> Option<State> {
    use State::{Claimed, Closed, FedBack, Handled, Received, Returned};
    match (verb, state) {
        (Verb::Claim, Received | Returned) => Some(Claimed),
        (Verb::Transfer, Received | Claimed | Returned) => Some(Received),
        (Verb::Return, Claimed) => Some(Returned),
        (Verb::Urge, open) if open.is_open() => Some(open),
        (Verb::Decide, Claimed) if kind.needs_feedback => Some(Handled),
        (Verb::Decide, Claimed) => Some(Closed),
        (Verb::Reopen, Closed) if kind.is_reversible => Some(Claimed),
        (Verb::FeedBack, Handled) => Some(FedBack),
        (Verb::Close, Handled | FedBack) => Some(Closed),
        (Verb::Settle, open) if open.is_open() => Some(Closed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line a state, one column a verb: the whole of what is allowed.
    #[test]
    fn the_table_of_moves_is_this_and_no_other() {
        const FED: Kind = Kind { needs_feedback: true, ..PARTY_PAIR };
        let said: Vec<String> = State::ALL
            .into_iter()
            .map(|state| {
                let moves: Vec<String> = Verb::ALL
                    .into_iter()
                    .filter_map(|verb| {
                        next(state, verb, &FED).map(|to| format!("{}→{}", verb.name(), to.name()))
                    })
                    .collect();
                format!("{}: {}", state.name(), moves.join(" "))
            })
            .collect();
        assert_eq!(
            said,
            [
                "received: claim→claimed transfer→received urge→received settle→closed",
                "claimed: transfer→received return→returned urge→claimed decide→handled settle→closed",
                "returned: claim→claimed transfer→received urge→returned settle→closed",
                "handled: feed_back→fed_back close→closed",
                "fed_back: close→closed",
                "closed: reopen→claimed",
            ]
        );
        assert_eq!(next(State::Claimed, Verb::Decide, &PARTY_PAIR), Some(State::Closed));
    }

    #[test]
    fn nothing_but_a_second_thought_leaves_a_closed_item() {
        const FINAL: Kind = Kind { is_reversible: false, ..PARTY_PAIR };
        for verb in Verb::ALL {
            assert_eq!(next(State::Closed, verb, &FINAL), None);
        }
    }
}
