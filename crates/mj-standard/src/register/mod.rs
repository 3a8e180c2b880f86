//! Registers of reference data that are bundled with the programme: divisions, industries, line departments.
//!
//! They answer what exists on a day and what a retired code has become; they know nothing of tables or rules. The
//! judgement of single codes ([`check_code`]) and of whole lists ([`check_codes`]) stands here because it needs both
//! the form (mj-kernel) and the registers.

mod check;
mod departments;
mod divisions;
mod industries;

pub use check::{CodeVerdict, Summary, check_code, check_codes, judge};
pub use departments::{Department, Departments};
pub use divisions::{Division, DivisionKind, Divisions, Level, NATION, Standing};
pub use industries::{Industries, Industry};

use std::sync::LazyLock;

/// Divisions with history, read once on first use.
pub fn divisions() -> &'static Divisions {
    static REGISTER: LazyLock<Divisions> =
        LazyLock::new(|| Divisions::read(&unpack(include_bytes!("../../data/divisions.tsv.gz"))));
    &REGISTER
}

/// GB/T 4754-2017, read once on first use.
pub fn industries() -> &'static Industries {
    static REGISTER: LazyLock<Industries> =
        LazyLock::new(|| Industries::read(&unpack(include_bytes!("../../data/industries.tsv.gz"))));
    &REGISTER
}

/// The 58 supervision departments.
pub fn departments() -> &'static Departments {
    static REGISTER: LazyLock<Departments> =
        LazyLock::new(|| Departments::read(include_str!("../../data/departments.csv")));
    &REGISTER
}

/// The data are part of the programme: that they unpack is proved by the tests of this module.
fn unpack(bytes: &[u8]) -> String {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes), &mut text)
        .expect("the bundled register is a whole gzip member of UTF-8");
    text
}

#[cfg(test)]
mod tests;
