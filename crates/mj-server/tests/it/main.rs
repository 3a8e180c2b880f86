//! Whole-house stories: the binary as an engineer, an integrator and an auditor use it. On SQLite, or
//! on the PostgreSQL server that `MJ_TEST_DATABASE_URL` names.

mod backup;
mod bad_input;
mod canary;
mod check_table;
mod codes;
mod contract;
mod demonstration;
mod doors;
mod engineer;
mod house;
mod http;
mod import;
mod integrate;
mod kills;
mod losses;
mod mends;
mod order;
mod push;
mod roles;
mod rows;
mod service;
mod signing_in;
mod trust;
mod usage;
mod verify;
mod volumes;
mod witness;
mod workbook;
