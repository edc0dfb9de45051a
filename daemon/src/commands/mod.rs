//! What each command does: one question to the daemon, and its answer as a table or as JSON.

mod agreements;
mod answer;
mod backup;
mod collections;
mod contacts;
mod entries;
mod identity;
mod keepers;
mod mail;
mod network;
mod nodes;
mod places;
mod proposals;
mod receipt;
mod reports;
mod search;
mod show;
mod status;
mod store;
mod tasks;
mod transfer;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::args::{Args, Command};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::Output;
use crate::{datadir, demo, run};

/// What every command gets.
pub(crate) struct Context {
    /// The data directory, absolute.
    pub(crate) data_dir: PathBuf,
    /// How to print.
    pub(crate) output: Output,
}

impl Context {
    /// The running daemon.
    pub(crate) fn daemon(&self) -> Result<Client, Failure> {
        Client::connect(&self.data_dir)
    }

    /// Prints `{"ok":true}` or the line.
    pub(crate) fn done(&self, line: &str) -> Result<(), Failure> {
        if self.output.json {
            self.output.document(&json!({"ok": true}))
        } else {
            self.output.text(&format!("{line}\n"))
        }
    }
}

/// Does what was asked.
pub(crate) fn dispatch(args: Args) -> Result<(), Failure> {
    let context = Context { data_dir: datadir::resolve(args.data_dir)?, output: Output { json: args.json } };
    match args.command {
        Command::Init(args) => identity::init(&context, args),
        Command::Run(args) => run::run(&context.data_dir, args),
        Command::Status => status::status(&context),
        Command::Doctor => status::doctor(&context),
        Command::Demo(args) => demo::demo(&context, args),
        Command::Invite(args) => network::invite(&context, &args),
        Command::Join(args) => network::join(&context, &args),
        Command::Partners(args) => network::partners(&context, args),
        Command::Collections(args) => collections::collections(&context, args),
        Command::Compare { partner } => network::compare(&context, &partner),
        Command::Publisher(args) => status::publisher(&context, &args),
        Command::Keepers(args) => keepers::keepers(&context, args),
        Command::Nodes(args) => nodes::nodes(&context, args),
        Command::Import(args) => transfer::import(&context, &args),
        Command::Export(args) => transfer::export(&context, args),
        Command::Search(args) => search::search(&context, args),
        Command::Answer(args) => answer::answer(&context, args),
        Command::Agreements(args) => agreements::agreements(&context, args),
        Command::Feedback(args) => tasks::feedback(&context, args),
        Command::Mail(args) => mail::mail(&context, args),
        Command::Proposals(args) => proposals::proposals(&context, args),
        Command::Tasks(args) => tasks::tasks(&context, args),
        Command::Contacts(args) => contacts::contacts(&context, args),
        Command::Reports(args) => reports::reports(&context, args),
        Command::Create { kind, values } => entries::create(&context, &kind, &values),
        Command::Edit { id, undo: true, .. } => entries::undo(&context, &id, None),
        Command::Edit { id, to: Some(to), .. } => entries::undo(&context, &id, Some(&to)),
        Command::Edit { id, values, .. } => entries::edit(&context, &id, &values),
        Command::Show(args) => show::show(&context, args),
        Command::History { id } => show::history(&context, &id),
        Command::Publish { ids, all } => entries::publish(&context, &ids, all),
        Command::Confirm { id } => entries::act(&context, &id, "confirm", &Value::Null),
        Command::Withdraw { id } => entries::act(&context, &id, "withdraw", &Value::Null),
        Command::Redact(args) => entries::redact(&context, args),
        Command::Move { id, collection } => entries::act(&context, &id, "move", &json!({ "collection": collection })),
        Command::Conflicts => entries::conflicts(&context),
        Command::Resolve { id, path, n } => entries::resolve(&context, &id, &path, n),
        Command::Adopt(args) => entries::adopt(&context, &args),
        Command::Receipt(args) => receipt::receipt(&context, args),
        Command::Verify(args) => receipt::verify(&context, &args),
        Command::Places(args) => places::places(&context, args),
        Command::Store(args) => store::store(&context, args),
        Command::Backup(args) => backup::backup(&context, args),
        Command::Restore(args) => backup::restore(&context, args),
        Command::Identity(args) => identity::identity(&context, args),
        Command::Recover(args) => identity::recover(&context, args),
    }
}
