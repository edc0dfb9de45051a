//! The arguments of `proposals`.

use clap::{Args as Group, Subcommand};

use super::tasks::Reports;

/// Suggested changes of partners' entries.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ortsnetz proposals make 018f6b1c fees.0.amount=2800 --comment \"Satzung vom 1. Oktober\"
  ortsnetz proposals show 3f9a
  ortsnetz proposals accept 3f9a fees.0.amount --publish
  ortsnetz proposals decline 3f9a texts.notes.de --reason \"Gilt nur für Hunde über 20 kg.\"

The owner decides field by field, against the entry as it stands then. `accept` without paths takes what still fits; a field that
says something else meanwhile is taken only if it is named.")]
pub(crate) enum Proposals {
    /// Suggest what a partner's entry should say
    Make(Make),
    /// Proposals that are not decided, ours and our partners'
    List(Reports),
    /// One proposal: each field as it was, is suggested, and is now
    Show {
        /// Id or its beginning
        id: String,
    },
    /// Take fields into the draft of an own entry
    Accept(Accept),
    /// Say no to fields
    Decline {
        /// Id or its beginning
        id: String,
        /// Which fields; all that nobody has decided if none is named
        #[arg(value_name = "PATH")]
        paths: Vec<String>,
        /// What the partner should read
        #[arg(long)]
        reason: String,
    },
    /// Take an own proposal back
    Withdraw {
        /// Id or its beginning
        id: String,
    },
}

/// A new proposal.
#[derive(Debug, Group)]
pub(crate) struct Make {
    /// Entry id
    pub(crate) entry: String,
    /// What it should say, as for `edit`
    #[arg(value_name = "PATH=VALUE", required = true)]
    pub(crate) values: Vec<String>,
    /// Why; nothing about a citizen
    #[arg(long, default_value = "")]
    pub(crate) comment: String,
}

/// What is taken.
#[derive(Debug, Group)]
pub(crate) struct Accept {
    /// Id or its beginning
    pub(crate) id: String,
    /// Which fields; all that still fit if none is named
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// Publish the entry at once
    #[arg(long)]
    pub(crate) publish: bool,
}
