//! The closed vocabulary in which table files write their rules.
//!
//! Only the words stand here; what they do is in [`crate::engine`] and its rules. A new word is a
//! change of the programme, a new rule made of old words is a line in a table file.

use serde::Deserialize;

/// A condition on another column of the same row. All given parts must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub column: String,
    /// The value (one of the values, for a column of several) is among these.
    #[serde(default, rename = "in")]
    pub any_of: Vec<String>,
    /// No value is among these.
    #[serde(default)]
    pub not_in: Vec<String>,
    /// The column is filled (`true`) or empty (`false`).
    pub present: Option<bool>,
}

/// Code systems a column may have to follow when a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeSystem {
    Uscc,
    CitizenId,
    OrgCode,
}

/// What a rule does. A small closed vocabulary: a new table is written with these words, a new word
/// is a change of the engine.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleKind {
    // --- from the columns themselves -------------------------------------------------------------
    Required {
        column: String,
    },
    Length {
        column: String,
    },
    /// The text cannot be read as the type of the column.
    Readable {
        column: String,
    },
    /// Reads like a date, but the calendar has no such day.
    RealDate {
        column: String,
    },
    /// Value of the code list, or the check of the code system.
    CodeValue {
        column: String,
    },
    // --- inside the row --------------------------------------------------------------------------
    RequiredWhen {
        column: String,
        #[serde(default)]
        when: Vec<Condition>,
    },
    OneOfPresent {
        columns: Vec<String>,
    },
    BothOrNeither {
        columns: Vec<String>,
    },
    DateOrder {
        earlier: String,
        later: String,
        /// The same day is not enough.
        #[serde(default)]
        strict: bool,
    },
    DaysBetween {
        from: String,
        to: String,
        max_days: i64,
        /// A column with further days allowed.
        plus: Option<String>,
    },
    NotFuture {
        column: String,
    },
    /// The day has not passed yet.
    NotPast {
        column: String,
    },
    NotAheadOfClock {
        column: String,
        minutes: i64,
    },
    YearWithin {
        column: String,
        years: i32,
    },
    MinPersons {
        column: String,
        count: usize,
    },
    SameCount {
        columns: [String; 2],
    },
    ValueIn {
        column: String,
        values: Vec<String>,
        #[serde(default)]
        when: Vec<Condition>,
    },
    ValueNotIn {
        column: String,
        values: Vec<String>,
        #[serde(default)]
        when: Vec<Condition>,
    },
    FollowsCode {
        column: String,
        system: CodeSystem,
        #[serde(default)]
        when: Vec<Condition>,
    },
    StartsWithColumn {
        column: String,
        prefix: String,
    },
    /// Characters `from..to` (from 0) of every value equal another column.
    SliceEquals {
        column: String,
        from: usize,
        to: usize,
        equals: String,
    },
    Matches {
        column: String,
        pattern: String,
    },
    Range {
        column: String,
        min: Option<f64>,
        max: Option<f64>,
        #[serde(default)]
        when: Vec<Condition>,
    },
    /// One amount is not above the sum of others.
    NotAbove {
        column: String,
        sum_of: Vec<String>,
    },
    AgreesWithCitizenId {
        column: String,
        citizen_id: String,
        part: IdPart,
    },
    /// The row belongs to the source that delivers it.
    SourceDeclared {
        column: String,
    },
    /// `cd_id` is given or can be made from the natural key.
    RecordIdentity {
        columns: Vec<String>,
    },
    // --- with the store --------------------------------------------------------------------------
    SourceRegistered {
        column: String,
    },
    ItemInForce {
        column: String,
        on: String,
    },
    ImplementationKnown {
        column: String,
        on: String,
    },
    CertificateValid {
        column: String,
        on: String,
    },
    RelatedExists {
        column: String,
        table: String,
        field: String,
        #[serde(default)]
        except: Vec<String>,
    },
    // --- across the rows of one file -------------------------------------------------------------
    UniqueInFile {
        columns: Vec<String>,
        /// Only the first filled column counts (code, else registration number, else …).
        #[serde(default)]
        first: bool,
    },
}

/// What a citizen id says about its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdPart {
    BirthDate,
    Gender,
}

/// What the rules may ask the store; see [`crate::lookups::Lookups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupKind {
    Source,
    Item,
    Implementation,
    Certificate,
    Related,
}

impl RuleKind {
    /// The store question behind the rule, when there is one.
    pub fn lookup(&self) -> Option<LookupKind> {
        match self {
            Self::SourceRegistered { .. } => Some(LookupKind::Source),
            Self::ItemInForce { .. } => Some(LookupKind::Item),
            Self::ImplementationKnown { .. } => Some(LookupKind::Implementation),
            Self::CertificateValid { .. } => Some(LookupKind::Certificate),
            Self::RelatedExists { .. } => Some(LookupKind::Related),
            _ => None,
        }
    }

    /// Columns the rule reads, the one it blames first.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Required { column }
            | Self::Length { column }
            | Self::Readable { column }
            | Self::RealDate { column }
            | Self::CodeValue { column }
            | Self::NotFuture { column }
            | Self::NotPast { column }
            | Self::NotAheadOfClock { column, .. }
            | Self::YearWithin { column, .. }
            | Self::MinPersons { column, .. }
            | Self::Matches { column, .. }
            | Self::SourceDeclared { column }
            | Self::SourceRegistered { column }
            | Self::RelatedExists { column, .. } => vec![column],
            Self::RequiredWhen { column, when }
            | Self::ValueIn { column, when, .. }
            | Self::ValueNotIn { column, when, .. }
            | Self::FollowsCode { column, when, .. }
            | Self::Range { column, when, .. } => std::iter::once(column.as_str())
                .chain(when.iter().map(|part| part.column.as_str()))
                .collect(),
            Self::OneOfPresent { columns }
            | Self::BothOrNeither { columns }
            | Self::RecordIdentity { columns }
            | Self::UniqueInFile { columns, .. } => columns.iter().map(String::as_str).collect(),
            Self::DateOrder { earlier, later, .. } => vec![later, earlier],
            Self::DaysBetween { from, to, plus, .. } => [Some(to), Some(from), plus.as_ref()]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect(),
            Self::SameCount { columns } => vec![&columns[1], &columns[0]],
            Self::StartsWithColumn { column, prefix } => vec![column, prefix],
            Self::SliceEquals { column, equals, .. } => vec![column, equals],
            Self::NotAbove { column, sum_of } => {
                std::iter::once(column.as_str()).chain(sum_of.iter().map(String::as_str)).collect()
            }
            Self::AgreesWithCitizenId { column, citizen_id, .. } => vec![column, citizen_id],
            Self::ItemInForce { column, on }
            | Self::ImplementationKnown { column, on }
            | Self::CertificateValid { column, on } => vec![column, on],
        }
    }
}
