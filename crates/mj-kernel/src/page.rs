//! Pages of long lists, by cursor: a page is stable while rows arrive above it.

use serde::{Deserialize, Serialize};

/// What a caller asks of a list. `cursor` is what the page before gave as `next_cursor`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Page {
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

impl Page {
    pub const MAX: u32 = 500;

    /// Between 1 and [`Page::MAX`]; 50 if unsaid.
    pub fn limit(&self) -> i64 {
        i64::from(self.limit.unwrap_or(50).clamp(1, Self::MAX))
    }
}

/// `{items, next_cursor}`, the shape of every list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageOf<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

impl<T> PageOf<T> {
    /// From one row more than asked for: the surplus row tells that there is a next page.
    pub fn from_surplus(mut items: Vec<T>, limit: i64, cursor_of: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(cursor_of) } else { None };
        Self { items, next_cursor }
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> PageOf<U> {
        PageOf { items: self.items.into_iter().map(f).collect(), next_cursor: self.next_cursor }
    }
}
