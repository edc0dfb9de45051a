//! The arguments of `contacts`.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand};

/// What citizens asked, and what is to be done about it.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ortsnetz contacts add answered --seconds 190 --topic 99102013060000 --place Siegburg
  ortsnetz contacts undo
  ortsnetz contacts reverse 3f9a01c2 --reason \"zweimal erfasst\"
  ortsnetz contacts list --month 2026-11 --partner Siegburg
  ortsnetz contacts import anrufe.csv --mapping anlage.toml
  ortsnetz contacts follow-ups
  ortsnetz contacts done 3F9A-01C2

A contact has no place for a person: no name, no number, no text. docs/service-centre.md says what is recorded.")]
pub(crate) enum Contacts {
    /// Record a contact
    Add(AddContact),
    /// Take back the last contact recorded here, or this one, within two minutes
    Undo {
        /// Id or its beginning
        id: Option<String>,
    },
    /// Say that a contact of ours does not count
    Reverse {
        /// Id or its beginning
        id: String,
        /// What the other side should read; nothing about a person
        #[arg(long)]
        reason: String,
    },
    /// Contacts of a month, ours and those recorded for us, the newest first
    List {
        /// Like 2026-11; default: this month
        #[arg(long)]
        month: Option<String>,
        /// Only with this organisation
        #[arg(long)]
        partner: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Take in the calls of a telephone system: how long people waited, and how many gave up
    Import {
        /// CSV with a header line; `-` reads standard input
        file: PathBuf,
        /// Which columns mean what (TOML)
        #[arg(long, value_name = "FILE")]
        mapping: PathBuf,
    },
    /// What is to be done after contacts
    FollowUps {
        /// Only with this organisation
        #[arg(long)]
        partner: Option<String>,
        /// Also those that are done
        #[arg(long)]
        all: bool,
    },
    /// Tick off a follow-up
    Done {
        /// Its number, or the id of the contact
        number: String,
    },
}

/// A contact.
#[derive(Debug, Group)]
pub(crate) struct AddContact {
    /// answered, connected, not_reached, forwarded, call_back, complaint, gave_up or not_responsible
    pub(crate) outcome: String,
    /// How long it took
    #[arg(long, default_value_t = 0)]
    pub(crate) seconds: u32,
    /// An entry id, a LeiKa key or life_event:CODE; several times if there were several
    #[arg(long = "topic", value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// For which place: name, postal code or ARS
    #[arg(long)]
    pub(crate) place: Option<String>,
    /// For which town, by name or id; default: whose place it is, else our own
    #[arg(long)]
    pub(crate) town: Option<String>,
    /// phone, email, chat, counter, letter or web
    #[arg(long)]
    pub(crate) channel: Option<String>,
    /// When it began; default: now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// 32 hex digits of your own, so that it can be sent again
    #[arg(long)]
    pub(crate) id: Option<String>,
}
