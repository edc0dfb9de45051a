//! The command line as the user types it.

mod agreements;
mod collections;
mod contacts;
mod groups;
mod keepers;
mod proposals;
mod reports;
mod tasks;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use agreements::Agreements;
pub(crate) use collections::{Collections, How, Switch};
pub(crate) use contacts::Contacts;
pub(crate) use groups::*;
pub(crate) use keepers::Keepers;
pub(crate) use proposals::Proposals;
pub(crate) use reports::{ExportForm, MonthlyReports, OneMonth, Settle};
pub(crate) use tasks::{Feedback, Mail, Reports, Tasks};

const EXAMPLES: &str = "\
Examples, two towns from nothing to the same data:
  siegburg$ ortsnetz init --name \"Stadt Siegburg\" --ars 053820060060
  siegburg$ ortsnetz run &
  siegburg$ ortsnetz import leistungen.jsonl --publish
  siegburg$ ortsnetz invite
  bonn$     ortsnetz join TOKEN
  bonn$     ortsnetz search gewerbe anmelden --place Siegburg
  bonn$     ortsnetz compare \"Stadt Siegburg\"

Exit codes: 0 done, 1 failed (also: compare differs, import accepted nothing), 2 wrong usage (also: what is no id, token,
date or ARS), 3 no daemon running.
To look around first: ortsnetz demo";

const PATH_VALUE_HELP: &str = "\
A path names a field, list elements by number, texts by language:
  title.de=\"Reisepass beantragen\"      a text
  fees.0.amount=7000                    70,00 EUR in cents; the field gives the type
  fees.+='{\"kind\": \"fixed\", \"amount\": 3200}'   one more list element; [ and { start JSON
  texts.notes.de=@hinweise.md           the content of a file (CommonMark)
  texts.notes.de=                       deletes the value";

/// Keeps municipal service knowledge in sync between towns, signed and without a centre.
///
/// Each municipality runs one daemon (`ortsnetz run`). The other commands talk to it.
#[derive(Debug, Parser)]
#[command(name = "ortsnetz", version, after_help = EXAMPLES, max_term_width = 110, propagate_version = true)]
pub(crate) struct Args {
    /// Where everything lies; default: the platform's data directory
    #[arg(long, global = true, env = "ORTSNETZ_DATA_DIR", value_name = "DIR", hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print one JSON document instead of a table
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the identity of a new organisation, or of a further node of it; never asks anything
    Init(Init),
    /// Run the daemon until SIGTERM or Ctrl-C
    Run(Run),
    /// Show the organisation, partners, entries, alarms and tasks
    Status,
    /// Look at everything that commonly goes wrong
    Doctor,
    /// Start six organisations of the Cologne region on this machine and watch them sync
    Demo(Demo),
    /// Make an invitation for a partner, or for a further own node
    Invite(Invite),
    /// Accept an invitation and become its issuer's partner
    Join(Join),
    /// List, show, confirm or remove partners
    #[command(subcommand)]
    Partners(Partners),
    /// List, make, rename, share, narrow or end collections, and see what a partner sees
    #[command(subcommand)]
    Collections(Collections),
    /// What was agreed on with partners: offer, sign, end
    #[command(subcommand)]
    Agreements(Agreements),
    /// Report that an entry is wrong, and answer what others report
    #[command(subcommand)]
    Feedback(Feedback),
    /// Suggest what a partner's entry should say, and decide what partners suggest
    #[command(subcommand)]
    Proposals(Proposals),
    /// What is to be done: reviews, reports, conflicts, agreements
    #[command(subcommand)]
    Tasks(Tasks),
    /// Contacts with citizens, what is to be done after them, and calls
    #[command(subcommand)]
    Contacts(Contacts),
    /// Figures of a month, what is missing, and what a month with a partner costs
    #[command(subcommand)]
    Reports(MonthlyReports),
    /// Try the mail server, and see what waits to be sent
    #[command(subcommand)]
    Mail(Mail),
    /// Compare with a partner entry by entry; exit code 1 if anything differs
    Compare {
        /// Name, or id or its beginning
        partner: String,
    },
    /// Show or change which node publishes
    #[command(subcommand)]
    Publisher(Publisher),
    /// List the organisation's own nodes, renew their certificates, or take that of a lost one back
    #[command(subcommand)]
    Nodes(Nodes),
    /// Sealed copies: partners keep an encrypted copy of everything, and this node those of partners
    #[command(subcommand)]
    Keepers(Keepers),
    /// Import entries from files; what is wrong is rejected line by line
    Import(Import),
    /// Write published entries to a file or to standard output
    Export(Export),
    /// Find entries by words and place
    Search(Search),
    /// Answer a question for a place: fees, papers, who is responsible and open, and whose word it is
    Answer(Ask),
    /// Make a new entry as a draft
    #[command(after_help = PATH_VALUE_HELP)]
    Create {
        /// What kind of entry
        #[arg(help = ortsnetz_node::kinds())]
        kind: String,
        /// What it says
        #[arg(value_name = "PATH=VALUE", required = true)]
        values: Vec<String>,
    },
    /// Change the draft of an entry
    #[command(after_help = PATH_VALUE_HELP)]
    Edit {
        /// Entry id
        id: String,
        /// What to change
        #[arg(value_name = "PATH=VALUE", required_unless_present_any = ["undo", "to"], conflicts_with_all = ["undo", "to"])]
        values: Vec<String>,
        /// Take the last change of the draft back, as a new change; doing it again brings it back
        #[arg(long)]
        undo: bool,
        /// Make the draft say what it said at these heads (from `history`, 6 digits of each are enough)
        #[arg(long, value_name = "HEADS", conflicts_with = "undo")]
        to: Option<String>,
    },
    /// Show an entry with its provenance
    Show(Show),
    /// Show who changed what and when
    History {
        /// Entry id
        id: String,
    },
    /// Publish drafts to all readers, signed; without changes it confirms that the entry is still correct
    Publish {
        /// Entry ids
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<String>,
        /// Everything that has a draft
        #[arg(long)]
        all: bool,
    },
    /// Say that what is published of an entry is still correct: no new version, only a new date
    Confirm {
        /// Entry id
        id: String,
    },
    /// Take an entry back from all readers; the draft stays
    Withdraw {
        /// Entry id
        id: String,
    },
    /// Take back for ever what an entry said before, here and at every reader that can be reached
    Redact(Redact),
    /// Move an entry to another collection (public, partners, internal, ...)
    Move {
        /// Entry id
        id: String,
        /// Name of the collection
        collection: String,
    },
    /// List values that own nodes wrote at the same time
    Conflicts,
    /// End a conflict by choosing one of its values
    Resolve {
        /// Entry id
        id: String,
        /// As `conflicts` names it
        path: String,
        /// Number of the value
        n: u64,
    },
    /// Start an own entry from a partner's
    Adopt(Adopt),
    /// Write a file that proves what an entry says now: who said it, and when
    Receipt(Receipt),
    /// Check a receipt, without a daemon or any connection; exit code 1 if anything in it does not fit
    Verify(Verify),
    /// Import the official list of places, or look one up
    #[command(subcommand)]
    Places(Places),
    /// Check, export, import or compact the store; works with and without the daemon
    #[command(subcommand)]
    Store(Store),
    /// Write everything into one encrypted file that is read back; works with and without the daemon
    Backup(Backup),
    /// Bring a backup back into an empty data directory
    Restore(Restore),
    /// The organisation's keys
    #[command(subcommand)]
    Identity(Identity),
    /// Bring an organisation back from its recovery sheet and its partners' copies, into an empty data directory
    Recover(Recover),
}

/// What clap found wrong, without its page of usage: what, where, and where to read on.
pub(crate) fn one_line(wrong: &clap::Error) -> String {
    let text = wrong.render().to_string();
    let said = text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let words: Vec<&str> = said.flat_map(str::split_whitespace).collect();
    let line = words.join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    format!("{line}; see `ortsnetz --help`, or `--help` after a command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_usage_is_one_line() {
        for (line, part) in [
            ("ortsnetz bogus", "unrecognized subcommand 'bogus'"),
            ("ortsnetz init --name Siegburg", "not provided: --ars <ARS>"),
            ("ortsnetz invite --expires soon", "\"soon\" is no duration like 7d"),
            ("ortsnetz publish 00ff --all", "cannot be used with"),
            ("ortsnetz histroy", "a similar subcommand exists: 'history'"),
        ] {
            let wrong = Args::try_parse_from(line.split(' ')).expect_err(line);
            let said = one_line(&wrong);
            assert!(said.contains(part) && !said.contains('\n') && !said.contains("Usage"), "{line}: {said}");
            assert!(said.ends_with("see `ortsnetz --help`, or `--help` after a command"), "{said}");
        }
    }
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Args, ErrorKind> {
        Args::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_lines_of_the_contract_are_understood() {
        for line in [
            "ortsnetz init --name Siegburg --ars 053820060060 --kind service_center",
            "ortsnetz init --join TOKEN",
            "ortsnetz run --http 127.0.0.1:0 --listen /ip4/127.0.0.1/tcp/0 --listen /ip6/::1/tcp/0 --advertise /dns4/a/tcp/1",
            "ortsnetz --json --data-dir /x status",
            "ortsnetz status --json --data-dir /x",
            "ortsnetz invite --for 053820060060 --trust --expires 7d",
            "ortsnetz invite --node",
            "ortsnetz join TOKEN --dial",
            "ortsnetz partners confirm Bonn",
            "ortsnetz collections list --json",
            "ortsnetz collections show Planung",
            "ortsnetz collections create Planung --reader Bonn --reader Hürth --relay",
            "ortsnetz collections rename Planung Bauplanung",
            "ortsnetz collections grant Planung Bonn Hürth",
            "ortsnetz collections narrow Planung Bonn",
            "ortsnetz collections relay Planung off",
            "ortsnetz collections end Planung --withdraw",
            "ortsnetz collections end Planung --move-to public",
            "ortsnetz collections seen-by Bonn",
            "ortsnetz agreements list",
            "ortsnetz feedback add 00ff --problem outdated --text 28-EUR --path fees.0.amount",
            "ortsnetz feedback list --all --entry 00ff --partner Bonn",
            "ortsnetz feedback show 3f9a",
            "ortsnetz feedback answer 3f9a declined --text nein",
            "ortsnetz feedback withdraw 3f9a",
            "ortsnetz proposals make 00ff fees.0.amount=2800 --comment Satzung",
            "ortsnetz proposals list --all --partner Bonn",
            "ortsnetz proposals show 3f9a",
            "ortsnetz proposals accept 3f9a fees.0.amount title.de --publish",
            "ortsnetz proposals decline 3f9a --reason nein",
            "ortsnetz proposals withdraw 3f9a",
            "ortsnetz mail test --role editors",
            "ortsnetz mail list",
            "ortsnetz tasks list --kind review --role editors --limit 10",
            "ortsnetz confirm 00ff",
            "ortsnetz adopt 00ff --changes",
            "ortsnetz adopt 00ff texts.notes.de title.de --take --publish",
            "ortsnetz adopt 00ff --dismiss",
            "ortsnetz agreements propose Bonn text.json --we-answer",
            "ortsnetz agreements amend 3f9a text.json",
            "ortsnetz agreements sign 3f9a",
            "ortsnetz agreements decline 3f9a --reason zu-teuer",
            "ortsnetz agreements end 3f9a --on 2027-12-31",
            "ortsnetz agreements end 3f9a --undo",
            "ortsnetz contacts add forwarded --seconds 190 --topic 99102013060000 --place Siegburg --channel email",
            "ortsnetz contacts undo",
            "ortsnetz contacts reverse 3f9a01c2 --reason doppelt",
            "ortsnetz contacts list --month 2026-11 --partner Bonn --limit 5",
            "ortsnetz contacts import anrufe.csv --mapping anlage.toml",
            "ortsnetz contacts follow-ups --all",
            "ortsnetz contacts done 3F9A-01C2",
            "ortsnetz reports month",
            "ortsnetz reports month 2026-11 --partner Bonn",
            "ortsnetz reports gaps",
            "ortsnetz reports mayor 2026-11 --out november.html",
            "ortsnetz reports settle list --partner Bonn",
            "ortsnetz reports settle show 2026-11 Bonn --they-answer",
            "ortsnetz reports settle propose 2026-11 Bonn",
            "ortsnetz reports settle object 2026-11 Bonn 3f9a01c2 0b1c2d3e --reason doppelt",
            "ortsnetz reports settle accept 2026-11 Bonn",
            "ortsnetz reports settle keep 2026-11 Bonn 3f9a01c2 --reason richtig",
            "ortsnetz reports settle sign 2026-11 Bonn",
            "ortsnetz reports settle export 2026-11 Bonn --format pdf --out november.pdf",
            "ortsnetz compare Bonn",
            "ortsnetz publisher take",
            "ortsnetz nodes list",
            "ortsnetz nodes renew",
            "ortsnetz nodes renew Laptop",
            "ortsnetz nodes revoke Laptop",
            "ortsnetz import a.jsonl b.json --format dldb --collection public --valid-for 091620000000 --publish --dry-run",
            "ortsnetz export --format csv --organisation Bonn --companions --out x",
            "ortsnetz search gewerbe anmelden --place Bonn --kind service --on 2027-01-01 --limit 5 --lang en",
            "ortsnetz answer hund anmelden --place Siegburg --on 2027-01-01 --at 10:30 --lang de-x-leicht --limit 1",
            "ortsnetz answer --id 00ff --place Siegburg",
            "ortsnetz answer umzug --from Bonn --place Siegburg --conditions 0,1",
            "ortsnetz create service title.de=X",
            "ortsnetz edit 00ff fees.0.amount=2800 texts.notes.de=@file.md",
            "ortsnetz edit 00ff --undo",
            "ortsnetz edit 00ff --to aa,bb",
            "ortsnetz redact 00ff --reason Datenschutz",
            "ortsnetz redact 00ff --erase",
            "ortsnetz redact 00ff --status",
            "ortsnetz show 00ff --on 2026-03-03",
            "ortsnetz show 00ff --draft",
            "ortsnetz publish --all",
            "ortsnetz publish 00ff 01ff",
            "ortsnetz move 00ff internal",
            "ortsnetz resolve 00ff texts.notes.de#ab 1",
            "ortsnetz adopt 00ff --layer",
            "ortsnetz receipt 00ff --out beleg.json",
            "ortsnetz verify beleg.json --organisation 00ff",
            "ortsnetz places import gemeinden.csv",
            "ortsnetz places find Bergheim",
            "ortsnetz store compact",
            "ortsnetz identity sheet --check sheet.txt --passphrase words",
            "ortsnetz identity sheet --check sheet.txt",
            "ortsnetz identity sheet",
            "ortsnetz identity sheet --out sheet.txt",
            "ortsnetz identity rotate",
            "ortsnetz identity succeed Hennef --publish",
            "ortsnetz identity succeed Hennef --undo",
            "ortsnetz identity leave --on 2027-01-01 --telephone 115 --note Kreis --keep 30 --yes Hennef",
            "ortsnetz identity leave --keep 0 --yes Hennef",
            "ortsnetz identity leave --undo --yes Hennef",
            "ortsnetz identity leave --status",
            "ortsnetz export --companions --drafts --out alles.jsonl",
            "ortsnetz partners succession Siegburg Hennef --confirm",
            "ortsnetz partners succession Siegburg Hennef --refuse",
            "ortsnetz recover sheet.txt",
            "ortsnetz backup b.age",
            "ortsnetz backup b.age --passphrase words",
            "ortsnetz backup b.age --recipient age1x --recipient age1y",
            "ortsnetz restore b.age --passphrase words",
            "ortsnetz restore b.age --identity key.txt",
            "ortsnetz recover sheet.txt --from /ip4/192.0.2.1/tcp/4115 --from /dns4/b/tcp/1 --passphrase words --keep-nodes",
            "ortsnetz demo --no-wait --dir /tmp/x",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
        }
    }

    #[test]
    fn half_a_wish_is_wrong_usage() {
        for line in [
            "ortsnetz",
            "ortsnetz init --name Siegburg",
            "ortsnetz init --join T --name Siegburg",
            "ortsnetz publish",
            "ortsnetz publish 00ff --all",
            "ortsnetz adopt 00ff",
            "ortsnetz adopt 00ff --copy --layer",
            "ortsnetz invite --expires soon",
            "ortsnetz invite --node --trust",
            "ortsnetz edit 00ff",
            "ortsnetz recover",
            "ortsnetz nodes revoke",
            "ortsnetz identity succeed",
            "ortsnetz identity leave --yes Hennef",
            "ortsnetz identity leave --on 2027-01-01",
            "ortsnetz identity leave --undo",
            "ortsnetz identity leave --undo --on 2027-01-01 --yes Hennef",
            "ortsnetz export --drafts --organisation Bonn",
            "ortsnetz partners succession Siegburg Hennef",
            "ortsnetz partners succession Siegburg Hennef --confirm --refuse",
            "ortsnetz backup",
            "ortsnetz backup b.age --passphrase words --recipient age1x",
            "ortsnetz restore b.age --passphrase words --identity key.txt",
            "ortsnetz identity sheet --out a --check b",
            "ortsnetz edit 00ff --undo --to aa",
            "ortsnetz edit 00ff title.de=X --undo",
            "ortsnetz redact",
            "ortsnetz redact 00ff --status --erase",
            "ortsnetz search",
            "ortsnetz collections grant Planung",
            "ortsnetz collections relay Planung",
            "ortsnetz collections end Planung --withdraw --move-to public",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
