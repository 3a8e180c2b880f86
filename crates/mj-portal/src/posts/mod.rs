//! Posts: 监管动态 and 曝光台. A post is drafted by one person and published by another; a published
//! text is never changed, a correction is a new text with its reason, and the earlier ones stay to
//! be read with their days. Withdrawn posts keep their address and say so.
//!
//! Start reading at [`next`] (what may be done when), then `service` and `api`.

pub mod api;
pub mod pages;
mod service;
pub(crate) mod store;

pub use service::{Draft, Subject, act_title, is_shown};

/// 栏目.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    #[doc(alias = "监管动态")]
    News,
    #[doc(alias = "曝光台")]
    Exposure,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::News, Self::Exposure];

    pub fn name(self) -> &'static str {
        match self {
            Self::News => "news",
            Self::Exposure => "exposure",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::News => "监管动态",
            Self::Exposure => "曝光台",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where a post stands for the public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Draft,
    Published,
    Withdrawn,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Draft, Self::Published, Self::Withdrawn]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// Where one text of a post stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextState {
    Draft,
    Submitted,
    Returned,
    Published,
    /// Published once, corrected by a later one; still to be read.
    Replaced,
}

impl TextState {
    const ALL: [Self; 5] =
        [Self::Draft, Self::Submitted, Self::Returned, Self::Published, Self::Replaced];

    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Returned => "returned",
            Self::Published => "published",
            Self::Replaced => "replaced",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Draft => "起草中",
            Self::Submitted => "待审核",
            Self::Returned => "已退回",
            Self::Published => "已发布",
            Self::Replaced => "已更正",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    #[doc(alias = "起草")]
    Create,
    #[doc(alias = "修改")]
    Write,
    #[doc(alias = "送审")]
    Submit,
    #[doc(alias = "退回")]
    Return,
    #[doc(alias = "发布")]
    Publish,
    #[doc(alias = "更正")]
    Correct,
    #[doc(alias = "撤回")]
    Withdraw,
}

impl Verb {
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::Write,
        Self::Submit,
        Self::Return,
        Self::Publish,
        Self::Correct,
        Self::Withdraw,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Write => "write",
            Self::Submit => "submit",
            Self::Return => "return",
            Self::Publish => "publish",
            Self::Correct => "correct",
            Self::Withdraw => "withdraw",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Create => "起草",
            Self::Write => "修改",
            Self::Submit => "送审",
            Self::Return => "退回",
            Self::Publish => "审核发布",
            Self::Correct => "发起更正",
            Self::Withdraw => "撤回",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }
}

/// Where a verb leads: the post's state and its open text's; `None`: not now. `open` is the text
/// under way, if there is one.
pub fn next(
    post: State,
    open: Option<TextState>,
    verb: Verb,
) -> Option<(State, Option<TextState>)> {
    use TextState::{Draft, Published, Returned, Submitted};
    match (verb, post, open) {
        (_, State::Withdrawn, _) => None,
        (Verb::Write, _, Some(Draft | Returned)) => Some((post, Some(Draft))),
        (Verb::Submit, _, Some(Draft | Returned)) => Some((post, Some(Submitted))),
        (Verb::Return, _, Some(Submitted)) => Some((post, Some(Returned))),
        (Verb::Publish, _, Some(Submitted)) => Some((State::Published, Some(Published))),
        (Verb::Correct, State::Published, None) => Some((State::Published, Some(Draft))),
        (Verb::Withdraw, State::Published, _) => Some((State::Withdrawn, open)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line a standing, all that may be done with it: the whole of what is allowed.
    #[test]
    fn the_table_of_moves_is_this_and_no_other() {
        let mut said = Vec::new();
        for post in [State::Draft, State::Published, State::Withdrawn] {
            for open in [
                None,
                Some(TextState::Draft),
                Some(TextState::Submitted),
                Some(TextState::Returned),
            ] {
                let moves: Vec<&str> = Verb::ALL
                    .into_iter()
                    .filter(|verb| next(post, open, *verb).is_some())
                    .map(Verb::name)
                    .collect();
                let open = open.map_or("-", TextState::name);
                said.push(format!("{} {open}: {}", post.name(), moves.join(" ")));
            }
        }
        assert_eq!(
            said,
            [
                "draft -: ",
                "draft draft: write submit",
                "draft submitted: return publish",
                "draft returned: write submit",
                "published -: correct withdraw",
                "published draft: write submit withdraw",
                "published submitted: return publish withdraw",
                "published returned: write submit withdraw",
                "withdrawn -: ",
                "withdrawn draft: ",
                "withdrawn submitted: ",
                "withdrawn returned: ",
            ]
        );
    }
}
