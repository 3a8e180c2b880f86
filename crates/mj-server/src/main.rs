//! `mingjian`: the one binary of a province, a city or a county.
//!
//! This crate is the only place that names every other: it opens a node ([`node`]), lists the
//! domains ([`modules`]), serves their routes and the three faces ([`serve`], [`faces`]), and offers
//! the commands of docs/contracts.md ([`cli`]).

mod backup;
mod check;
mod cli;
mod demo;
mod doctor;
mod evaluation;
#[cfg(test)]
mod evaluation_story;
mod faces;
mod figures;
mod home;
mod import;
mod keyring;
mod ledger;
mod mappings;
mod memory;
mod modules;
mod moving;
mod names;
mod node;
mod records;
#[cfg(test)]
mod reference_stories;
mod restore;
mod reveal;
mod search;
mod serve;
mod standing;
#[cfg(test)]
mod tests;
mod usage;
mod wordings;

use std::process::ExitCode;

use clap::Parser;

/// A node fills and idles: what a large load took must go back to the machine afterwards.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    memory::keep_freed_for_a_moment();
    // structured lines on stderr; `MINGJIAN_LOG=info` shows one line a request
    tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("MINGJIAN_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .init();
    let command = match cli::Cli::try_parse() {
        Ok(command) => command,
        Err(error) => return usage::told(&error),
    };
    let code = match command.run() {
        Ok(outcome) => outcome as u8,
        Err(failure) => {
            eprintln!("{failure}");
            failure.code()
        }
    };
    ExitCode::from(code)
}
