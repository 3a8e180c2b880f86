//! Whole-house stories: the binary as an engineer, an integrator and an auditor use it.

mod codes;
mod house;
