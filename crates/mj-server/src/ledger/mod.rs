//! The supervision log from outside the floor: `mingjian verify`, receipts, the routes under
//! `/api/v1/log`, and the comparison that runs in the background.

mod acts_api;
pub mod api;
mod ask;
pub mod audit;
mod by;
pub mod command;
pub mod keeper;
pub mod outside;
mod place;
pub mod receipt;
mod titles;
pub mod verify;
pub mod watch;
mod watched;
mod witness_api;

use mj_platform::Value;

/// Columns that migrations added to tables later, with what older rows hold there: the digest of a
/// row written before does not know them.
pub fn added_columns() -> Vec<(String, String, Value)> {
    let mut added = Vec::new();
    for (_, sql) in mj_migrations::line() {
        for line in sql.lines() {
            let words: Vec<&str> = line.trim().trim_end_matches(';').split_whitespace().collect();
            let ["ALTER", "TABLE", table, "ADD", "COLUMN", column, rest @ ..] = words.as_slice()
            else {
                continue;
            };
            let default = rest.iter().position(|word| *word == "DEFAULT");
            let value = match default.and_then(|at| rest.get(at + 1)) {
                None => Value::Null,
                Some(text) => match text.parse::<i64>() {
                    Ok(number) => Value::Int(number),
                    Err(_) => Value::Text(text.trim_matches('\'').to_owned()),
                },
            };
            added.push(((*table).to_owned(), (*column).to_owned(), value));
        }
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_added_later_are_read_from_the_migrations_themselves() {
        let added = added_columns();
        let of = |table: &str, column: &str| {
            let found = added.iter().find(|(t, c, _)| t == table && c == column);
            found.map(|(_, _, value)| value.clone())
        };
        assert_eq!(of("change_head", "entries"), Some(Value::Int(0)));
        assert_eq!(of("act_journal", "salt"), Some(Value::Null));
        assert_eq!(of("act_journal", "reason"), None);
    }
}
