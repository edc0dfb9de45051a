//! The `ortsnetz` binary: arguments, config, logging, signals. Every subcommand but a few asks the running node over
//! HTTP; `init`, `run`, `demo` and `store` can do without one.

mod args;
mod client;
mod commands;
mod config;
mod datadir;
mod demo;
mod failure;
mod output;
mod run;
mod table;
mod values;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

/// A sync frees millions of small pieces on many threads, which the usual allocator is slow at and does not give back.
#[cfg(all(unix, target_pointer_width = "64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Only the name of the programme, or of a group of commands, was typed.
const NO_COMMAND: ErrorKind = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        // `--help` and `--version` are no errors, and the programme's bare name asks for help as well.
        Err(asked) if !asked.use_stderr() || asked.kind() == NO_COMMAND => asked.exit(),
        Err(wrong) => return failure::Failure::Usage(args::one_line(&wrong)).report(),
    };
    match commands::dispatch(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
