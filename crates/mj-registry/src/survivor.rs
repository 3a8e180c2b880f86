//! Which value of a field survives when sources contradict each other (存活规则): the source with
//! the smallest priority number, of one source the newest `cd_time`, and after that the order of
//! source and record, so that the answer never depends on which row arrived first.
//!
//! Pure: takes what is stored and gives back what to show.

use std::cmp::Reverse;

use mj_kernel::Instant;
use mj_kernel::code::DivisionCode;

use crate::model::{ALWAYS, Origin, PartyKind, PartyState};

/// A register row beside the party; personal values may still be sealed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    pub mention_id: String,
    pub table: String,
    pub cd_source: String,
    pub cd_id: String,
    pub cd_time: Instant,
    pub batch_id: String,
    pub row: i64,
    pub priority: i64,
    /// (column, value) in the order of the table
    pub fields: Vec<(String, String)>,
}

/// A mention as far as it can lend its party a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MentionRow {
    pub id: String,
    pub kind: PartyKind,
    pub name: String,
    pub uscc: Option<String>,
    /// As delivered, valid or not; never a natural person's.
    pub code: Option<String>,
    pub person_code: Option<(String, String)>,
    pub regist_no: Option<String>,
    pub area_number: Option<String>,
    pub address: Option<String>,
}

impl MentionRow {
    /// The fullest wording first, then by text: any order of arrival gives the same best one.
    pub fn rank(&self) -> impl Ord + '_ {
        (
            self.address.is_none(),
            self.area_number.is_none(),
            &self.name,
            &self.area_number,
            &self.address,
        )
    }
}

/// One field of a party with the rows that offer a value for it, the survivor first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor<'a> {
    pub field: &'a str,
    /// (row, column, value)
    pub offers: Vec<(&'a SourceRow, &'a str, &'a str)>,
}

/// The exchange tables name one thing differently; here is its one name.
pub fn canonical<'a>(table: &str, column: &'a str) -> &'a str {
    match (table, column) {
        ("object_enterprise", "ent_name")
        | ("object_organization" | "object_person", "administrative_cp") => "name",
        ("object_organization", "administrative_cp_ui_code") => "uscc",
        ("object_person", "administrative_cp_ui_code") => "person_code",
        ("object_individual", "operator") => "legal_repr",
        ("object_individual", "premises") => "address_registered",
        ("object_person", "domicile") => "address_registered",
        ("object_individual", "regist_date") | ("object_organization", "approve_date") => {
            "establish_date"
        }
        _ => column,
    }
}

/// What a table says its parties are.
pub fn kind_of_table(table: &str) -> Option<PartyKind> {
    Some(match table {
        "object_enterprise" => PartyKind::Enterprise,
        "object_individual" => PartyKind::SelfEmployed,
        "object_organization" => PartyKind::Organization,
        "object_person" => PartyKind::Person,
        _ => return None,
    })
}

/// Strongest first.
pub fn by_strength(sources: &mut [SourceRow]) {
    sources.sort_by(|a, b| {
        let key = |row: &SourceRow| (row.priority, Reverse(row.cd_time));
        key(a).cmp(&key(b)).then_with(|| {
            (&a.table, &a.cd_source, &a.cd_id).cmp(&(&b.table, &b.cd_source, &b.cd_id))
        })
    });
}

/// Every field that some row offers, in the order of the strongest rows. `sources` strongest first.
pub fn survivors(sources: &[SourceRow]) -> Vec<Survivor<'_>> {
    let mut found: Vec<Survivor<'_>> = Vec::new();
    for row in sources {
        for (column, value) in &row.fields {
            let field = canonical(&row.table, column);
            match found.iter_mut().find(|known| known.field == field) {
                Some(known) => known.offers.push((row, column, value)),
                None => found.push(Survivor { field, offers: vec![(row, column, value)] }),
            }
        }
    }
    found
}

fn surviving<'a>(sources: &'a [SourceRow], field: &str) -> Option<&'a str> {
    sources.iter().find_map(|row| {
        row.fields
            .iter()
            .find(|(column, _)| canonical(&row.table, column) == field)
            .map(|(_, value)| value.as_str())
    })
}

/// The division that a credit code names; many were given by the country's own register.
pub fn division_of(uscc: &str) -> Option<&str> {
    uscc.get(2..8).filter(|code| *code != "100000" && DivisionCode::parse(code).is_ok())
}

/// The party's values out of its register rows (strongest first) and its mentions.
///
/// `anchor` is the identity the party proves by itself. `None` only when there is neither row nor
/// mention, which a party never is when it is made.
pub fn state_of(
    anchor: &str,
    sources: &[SourceRow],
    mentions: &[MentionRow],
) -> Option<PartyState> {
    let best = mentions.iter().min_by(|a, b| a.rank().cmp(&b.rank()));
    let owned = |text: &str| Some(text.to_owned());
    let name = surviving(sources, "name").or(best.map(|best| best.name.as_str()))?.to_owned();
    let uscc = anchor
        .strip_prefix("uscc:")
        .or_else(|| surviving(sources, "uscc"))
        .or_else(|| mentions.iter().filter_map(|said| said.uscc.as_deref()).min())
        .and_then(owned);
    let division = uscc.as_deref().and_then(division_of);
    let kind = sources
        .iter()
        .find_map(|row| kind_of_table(&row.table))
        .or_else(|| mentions.iter().map(|said| said.kind).min())
        .unwrap_or(PartyKind::Enterprise);
    let person_code = mentions.iter().filter_map(|said| said.person_code.clone()).min();
    let area = surviving(sources, "area_number").or(division);
    let address = surviving(sources, "address_registered")
        .or_else(|| surviving(sources, "address_operating"));
    let origin = match (sources.is_empty(), area, address) {
        (true, ..) => Origin::Mention,
        (false, Some(_), Some(_)) => Origin::Register,
        (false, ..) => Origin::RegisterWithGaps,
    };
    let regist_no = match origin {
        Origin::Mention => mentions.iter().filter_map(|said| said.regist_no.as_deref()).min(),
        _ => surviving(sources, "regist_no"),
    };
    Some(PartyState {
        kind,
        origin,
        name,
        regist_no: regist_no.and_then(owned),
        area_number: area
            .or_else(|| best.and_then(|best| best.area_number.as_deref()))
            .and_then(owned),
        address: address.or_else(|| best.and_then(|best| best.address.as_deref())).and_then(owned),
        status: surviving(sources, "regist_status_name")
            .or_else(|| surviving(sources, "regist_status"))
            .and_then(owned),
        valid_from: surviving(sources, "approval_date")
            .or_else(|| surviving(sources, "establish_date"))
            .unwrap_or(ALWAYS)
            .to_owned(),
        uscc,
        person_code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(
        source: &str,
        priority: i64,
        cd_time: i64,
        name: &str,
        capital: Option<&str>,
    ) -> SourceRow {
        let mut fields = vec![("ent_name".to_owned(), name.to_owned())];
        fields.extend(capital.map(|text| ("regist_capital".to_owned(), text.to_owned())));
        SourceRow {
            mention_id: String::new(),
            table: "object_enterprise".into(),
            cd_source: source.into(),
            cd_id: format!("{source}-1"),
            cd_time,
            batch_id: "b".into(),
            row: 1,
            priority,
            fields,
        }
    }

    #[test]
    fn the_register_beats_the_newer_word_of_another_department() {
        let mut rows = vec![
            row("tax", 20, 900, "滕州好味餐饮公司", Some("50")),
            row("register", 10, 100, "滕州好味餐饮有限公司", None),
            row("register2", 10, 500, "滕州市好味餐饮有限公司", None),
        ];
        by_strength(&mut rows);
        let state = state_of("uscc:91370481MA3TET012Q", &rows, &[]).expect("a state");
        assert_eq!(state.name, "滕州市好味餐饮有限公司");
        let capital = survivors(&rows).into_iter().find(|s| s.field == "regist_capital");
        assert_eq!(
            capital.expect("offered").offers[0].0.cd_source,
            "tax",
            "only the tax office knows it"
        );
        assert_eq!(state.area_number.as_deref(), Some("370481"));
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_changes_nothing(
            rows in proptest::collection::vec((0i64..3, 0i64..4, 0u8..4), 1..8),
            turn in 0usize..8,
        ) {
            let mut one: Vec<SourceRow> = rows
                .iter()
                .enumerate()
                .map(|(n, (priority, time, name))| {
                    row(&format!("s{n}"), *priority, *time, &format!("企业{name}"), None)
                })
                .collect();
            let mut two = one.clone();
            let turn = turn % two.len();
            two.rotate_left(turn);
            by_strength(&mut one);
            by_strength(&mut two);
            prop_assert_eq!(one, two);
        }
    }
}
