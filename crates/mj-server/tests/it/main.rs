//! Whole-house stories: the binary as an engineer, an integrator and an auditor use it.

mod bad_input;
mod check_table;
mod codes;
mod house;
mod http;
mod rows;
mod workbook;
