//! What the pipeline must know of a table, worked out once per batch: where the envelope stands,
//! which columns make up keys and content, which name the party, which are about people.

use chrono::NaiveDate;
use mj_facts::{ColumnKind, ColumnSpec, Op, TableSpec};
use mj_registry::MentionInput;
use mj_standard::{ColumnType, Personal, Standard, Table, TableKind};

/// Columns that every fact carries outside its values.
const KEPT_APART: [&str; 4] = ["cd_source", "cd_id", "cd_time", "cd_operation"];
/// Separator inside joined keys; no canonical value contains it.
const JOINT: char = '\u{1f}';

pub struct TablePlan {
    pub table: &'static Table,
    pub spec: TableSpec,
    /// Indices (in the table's columns) of the fact's values, in the order of `spec.columns`.
    pub stored: Vec<usize>,
    /// Indices of everything but the envelope: what makes two versions of a record differ.
    pub content: Vec<usize>,
    pub business_key: Vec<usize>,
    /// Columns that may be personal, besides texts that repeat a person's name.
    pub personal: Vec<usize>,
    /// Free texts that could repeat the name of the person a row is about.
    pub texts: Vec<usize>,
    pub cd_id: usize,
    pub cd_source: usize,
    pub cd_time: usize,
    pub cd_operation: usize,
    pub identity: Option<usize>,
    area: Option<usize>,
    agency: Option<usize>,
    event_date: Option<usize>,
    /// Of the officer or contact person, where the table has no party.
    citizen_id: Option<usize>,
    party: Option<PartyColumns>,
}

struct PartyColumns {
    name: usize,
    code: Option<usize>,
    code_type: Option<usize>,
    nature: Option<usize>,
    regist_no: Option<usize>,
    address: Option<usize>,
    object_type: Option<usize>,
    /// What the table itself says about its parties.
    object_type_of_table: Option<&'static str>,
}

impl TablePlan {
    /// `None` when the table lacks the envelope, which the loader of the standard rules out.
    pub fn new(standard: &Standard, table: &'static Table) -> Option<Self> {
        let at = |name: &str| table.column_index(name);
        let stored: Vec<usize> = (0..table.columns.len())
            .filter(|index| !KEPT_APART.contains(&table.columns[*index].name.as_str()))
            .collect();
        let spec = TableSpec {
            name: table.name.clone(),
            standard_version: standard.version().to_owned(),
            columns: stored.iter().map(|index| column_spec(table, *index)).collect(),
        };
        let indices = |names: &[String]| names.iter().filter_map(|name| at(name)).collect();
        Some(Self {
            content: (0..table.columns.len())
                .filter(|index| !table.columns[*index].envelope)
                .collect(),
            business_key: indices(&table.business_key),
            personal: (0..table.columns.len())
                .filter(|index| table.columns[*index].personal != Personal::No)
                .collect(),
            texts: (0..table.columns.len())
                .filter(|index| {
                    let column = &table.columns[*index];
                    column.personal == Personal::No
                        && matches!(column.ty, ColumnType::Text | ColumnType::Name)
                })
                .collect(),
            cd_id: at("cd_id")?,
            cd_source: at("cd_source")?,
            cd_time: at("cd_time")?,
            cd_operation: at("cd_operation")?,
            identity: at("record_unique_identity"),
            area: table.area.as_deref().and_then(at),
            agency: at("implement_institution_code"),
            event_date: table.event_date.as_deref().and_then(at),
            citizen_id: (0..table.columns.len())
                .find(|index| table.columns[*index].ty == ColumnType::CitizenId),
            party: PartyColumns::new(table),
            stored,
            spec,
            table,
        })
    }

    pub fn area_at(&self) -> Option<usize> {
        self.area
    }

    pub fn agency_at(&self) -> Option<usize> {
        self.agency
    }

    pub fn area<'r>(&self, row: &'r [Option<String>]) -> Option<&'r str> {
        self.area.and_then(|at| row[at].as_deref())
    }

    /// Days since 1970-01-01.
    pub fn event_date(&self, row: &[Option<String>]) -> Option<i32> {
        let text = self.event_date.and_then(|at| row[at].as_deref())?;
        let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
        // canonical: the engine wrote it
        let year = i32::try_from(part(0..4)?).ok()?;
        let day = NaiveDate::from_ymd_opt(year, part(5..7)?, part(8..10)?)?;
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
        i32::try_from((day - epoch).num_days()).ok()
    }

    pub fn citizen_id<'r>(&self, row: &'r [Option<String>]) -> Option<&'r str> {
        self.citizen_id.and_then(|at| row[at].as_deref())
    }

    /// Writes the joined business key into `key`; false when the row has none.
    pub fn business_key(&self, row: &[Option<String>], key: &mut String) -> bool {
        key.clear();
        let mut any = false;
        for at in &self.business_key {
            if let Some(text) = row[*at].as_deref() {
                key.push_str(text);
                any = true;
            }
            key.push(JOINT);
        }
        any
    }

    pub fn operation(&self, row: &[Option<String>]) -> Op {
        match row[self.cd_operation].as_deref() {
            Some("d") => Op::Delete,
            _ => Op::Upsert,
        }
    }

    /// What the row says of its party; `None` in tables without one, and in deletions that name
    /// only their record.
    pub fn mention<'r>(&self, row: &'r [Option<String>]) -> Option<MentionInput<'r>> {
        let party = self.party.as_ref()?;
        let get = |at: Option<usize>| at.and_then(|at| row[at].as_deref());
        Some(MentionInput {
            object_type: party.object_type_of_table.or_else(|| get(party.object_type)),
            nature: get(party.nature),
            code_type: get(party.code_type),
            code: get(party.code),
            name: row[party.name].as_deref()?,
            regist_no: get(party.regist_no),
            area_number: self.area(row),
            address: get(party.address),
        })
    }

    pub fn kind(&self) -> TableKind {
        self.table.kind
    }

    /// Whether rows of the table go on to a domain that keeps masters ([`super::apply`]).
    pub fn has_masters(&self) -> bool {
        matches!(self.kind(), TableKind::Party | TableKind::Officer | TableKind::Catalogue)
    }

    /// Name and number of the party: texts that repeat them are as personal as they are.
    pub fn party_words<'r>(&self, row: &'r [Option<String>]) -> [Option<&'r str>; 2] {
        match &self.party {
            Some(party) => {
                [row[party.name].as_deref(), party.code.and_then(|at| row[at].as_deref())]
            }
            None => [None, None],
        }
    }
}

impl PartyColumns {
    fn new(table: &Table) -> Option<Self> {
        let block = table.party.as_ref()?;
        let at = |name: &Option<String>| name.as_deref().and_then(|name| table.column_index(name));
        Some(Self {
            name: at(&block.name)?,
            code: at(&block.code),
            code_type: at(&block.code_type),
            nature: at(&block.nature),
            regist_no: at(&block.regist_no),
            address: at(&block.address),
            object_type: table.column_index("object_type"),
            object_type_of_table: (table.name == "object_person").then_some("2"),
        })
    }
}

fn column_spec(table: &Table, index: usize) -> ColumnSpec {
    let column = &table.columns[index];
    let kind = match column.ty {
        ColumnType::Date => ColumnKind::Date,
        ColumnType::Integer | ColumnType::Money => ColumnKind::Int,
        _ => ColumnKind::Text,
    };
    let spec = ColumnSpec::new(column.name.clone(), kind);
    let spec = if column.ty == ColumnType::Item { spec.of_items() } else { spec };
    let own_number = column.ty == ColumnType::Identifier
        && (table.natural_key.contains(&column.name) || column.name.ends_with("document_code"));
    if own_number || column.personal == Personal::Always { spec.distinct() } else { spec }
}
