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

fn main() -> ExitCode {
    // Wrong usage ends here with exit code 2.
    let args = args::Args::parse();
    match commands::dispatch(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
