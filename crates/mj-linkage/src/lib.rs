//! Whether two records speak of the same party: names and addresses brought to one form, search texts
//! with pinyin initials, and a score that explains itself in Chinese.
//!
//! Everything here is a pure function of its arguments, in integers, so two machines agree to the
//! point. It neither looks for candidates nor merges anything; that is the registry's work. Start
//! reading at [`match_parties`].

mod address;
mod fold;
mod name;
mod place;
mod score;
mod search;
mod similarity;

#[cfg(test)]
mod tests;

pub use address::{Address, normalize_address};
pub use fold::{fold, fold_code};
pub use name::{Name, OrgForm, normalize_name};
pub use score::{DOUBTFUL_FROM, PartyRecord, Reason, SAME_FROM, Score, Verdict, match_parties};
pub use search::{pinyin_initials, search_query, search_text};
