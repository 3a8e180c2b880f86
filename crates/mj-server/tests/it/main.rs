//! Whole-house stories: the binary as an engineer, an integrator and an auditor use it. On SQLite, or
//! on the PostgreSQL server that `MJ_TEST_DATABASE_URL` names.

mod bad_input;
mod canary;
mod check_table;
mod codes;
mod house;
mod http;
mod import;
mod kills;
mod losses;
mod order;
mod push;
mod rows;
mod service;
mod workbook;
