//! The data standard as data: exchange tables, code lists, rules, and the engine that applies them.
//!
//! `tables/*.toml` and `lists/*.toml` are the truth; this crate reads them ([`load`]), judges and
//! normalises rows with them ([`engine`]), reports ([`report`]) and makes a JSON Schema, an Excel
//! template and a documentation page of each ([`artefact`]). A new table is a new file. It opens no
//! delivered files, keeps no store and reads no clock: what the rules want to know of the store
//! comes through [`lookups::Lookups`]. Registers of divisions, industries and departments stand in
//! [`register`].

pub mod artefact;
pub mod delivered;
pub mod engine;
pub mod examples;
pub mod header;
pub mod load;
pub mod lookups;
pub mod mask;
pub mod memory;
pub mod register;
pub mod report;
pub mod spec;
pub mod swapped;
pub mod value;

mod cell;
mod generate;
mod rules;
mod vocabulary;

pub use delivered::{DeliveredRow, StructuralFinding};
pub use engine::{Context, Engine, Envelope, Issue, Normalised, Verdict};
pub use header::HeaderMap;
pub use load::StandardError;
pub use lookups::{Known, Lookups, NoLookups};
pub use mask::{MaskKind, mask};
pub use memory::FileMemory;
pub use report::{TableCheck, TableReport, check_table};
pub use spec::{
    Class, CodeEntry, CodeList, CodeSystem, Column, ColumnType, Condition, FileDefault, IdPart,
    LookupKind, PartyBlock, Personal, Rule, RuleKind, Severity, Standard, Table, TableKind,
};

#[cfg(test)]
mod tests;
