//! Lists sorted by a column and paged by keyset: the cursor is the last row's value and id, so a page is
//! stable while rows arrive, whatever the order. Only columns a list names can be sorted by.

use mj_platform::Value;

/// A column that a list may be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sortable {
    /// On the wire.
    pub name: &'static str,
    /// In SQL; must never be NULL.
    pub sql: &'static str,
    pub is_number: bool,
}

/// The order asked for: `error` upward, `-error` downward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    by: Sortable,
    is_down: bool,
}

impl Sort {
    /// What is not known is no order: the list keeps its own.
    pub fn parse(text: Option<&str>, known: &[Sortable]) -> Option<Self> {
        let text = text?;
        let (name, is_down) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        known.iter().find(|one| one.name == name).map(|by| Self { by: *by, is_down })
    }

    pub fn name(&self) -> &'static str {
        self.by.name
    }

    /// ` AND (column, id) > ($n, $m)`: where the list goes on after the cursor. A cursor of another
    /// order is no cursor.
    pub fn after(&self, cursor: &str, id: &str, args: &mut Vec<Value>) -> String {
        let Some((value, last)) = cursor.rsplit_once('~') else { return String::new() };
        let value = match self.by.is_number {
            true => match value.parse::<i64>() {
                Ok(number) => Value::from(number),
                Err(_) => return String::new(),
            },
            false => Value::from(value),
        };
        args.push(value);
        args.push(last.into());
        let sign = if self.is_down { "<" } else { ">" };
        format!(" AND ({}, {id}) {sign} (${}, ${})", self.by.sql, args.len() - 1, args.len())
    }

    /// ` ORDER BY column DESC, id DESC`
    pub fn order(&self, id: &str) -> String {
        let way = if self.is_down { "DESC" } else { "ASC" };
        format!(" ORDER BY {} {way}, {id} {way}", self.by.sql)
    }

    /// The cursor after a row with this value and id.
    pub fn cursor(value: impl std::fmt::Display, id: &str) -> String {
        format!("{value}~{id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Sortable; 1] = [Sortable { name: "error", sql: "b.error", is_number: true }];

    #[test]
    fn an_order_that_the_list_does_not_know_is_none() {
        assert_eq!(Sort::parse(Some("b.error; DROP TABLE"), &KNOWN), None);
        assert_eq!(Sort::parse(None, &KNOWN), None);
        let sort = Sort::parse(Some("-error"), &KNOWN).expect("known");
        let mut args = Vec::new();
        assert_eq!(sort.after("12~0193", "b.id", &mut args), " AND (b.error, b.id) < ($1, $2)");
        assert_eq!(args.len(), 2);
        assert_eq!(sort.after("nonsense", "b.id", &mut Vec::new()), "");
        assert_eq!(sort.order("b.id"), " ORDER BY b.error DESC, b.id DESC");
    }
}
