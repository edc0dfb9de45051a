//! The arguments of `feedback` and `tasks`.

use clap::{Args as Group, Subcommand, ValueEnum};

/// Error reports about entries.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ortsnetz feedback add 018f6b1c --problem outdated --path fees.0.amount --text \"Die Gebühr beträgt jetzt 28 EUR.\"
  ortsnetz feedback list
  ortsnetz feedback answer 3f9a done --text \"Danke, ist geändert.\"

A report stands beside the entry at once for everybody in the own organisation, and is a task at its owner's. Never write
anything about a citizen: telephone numbers, mail addresses and account numbers are refused.")]
pub(crate) enum Feedback {
    /// Report that an entry is wrong
    Add(NewReport),
    /// Reports that nobody has settled, ours and our partners'
    List(Reports),
    /// One report, and how it stands
    Show {
        /// Id or its beginning
        id: String,
    },
    /// Say how a report about an own entry stands
    Answer {
        /// Id or its beginning
        id: String,
        /// It will be changed, is changed, or will not be
        #[arg(value_enum)]
        state: Settled,
        /// What the agents should read; needed to decline
        #[arg(long, default_value = "")]
        text: String,
    },
    /// Take an own report back
    Withdraw {
        /// Id or its beginning
        id: String,
    },
}

/// A new report.
#[derive(Debug, Group)]
pub(crate) struct NewReport {
    /// Entry id
    pub(crate) entry: String,
    /// What is wrong
    #[arg(long, value_enum)]
    pub(crate) problem: Problem,
    /// In your words; nothing about a citizen
    #[arg(long)]
    pub(crate) text: String,
    /// Which part of the entry, like fees.0.amount
    #[arg(long, default_value = "")]
    pub(crate) path: String,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Problem {
    /// It was right once
    Outdated,
    /// It is not right
    Wrong,
    /// Something is not there
    Missing,
    /// Nobody can tell what is meant
    Unclear,
}

/// How a report is answered.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Settled {
    /// It will be changed
    Accepted,
    /// It is changed
    Done,
    /// It will not be changed
    Declined,
}

/// Which reports.
#[derive(Debug, Group)]
pub(crate) struct Reports {
    /// Settled ones too
    #[arg(long)]
    pub(crate) all: bool,
    /// Only about this entry
    #[arg(long, value_name = "ID")]
    pub(crate) entry: Option<String>,
    /// Only with this partner: name, or id or its beginning
    #[arg(long)]
    pub(crate) partner: Option<String>,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Tasks {
    /// All of it, the most urgent first
    List {
        /// Only this kind: feedback, proposal, conflict, publish_refused, review, source_changed, ...
        #[arg(long)]
        kind: Option<String>,
        /// Only those of this role: editors, agreements, administration
        #[arg(long)]
        role: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
}

/// Mails to the people who have something to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Mail {
    /// Send one mail to each mailbox at once; exit code 1 if the server does not take one
    Test {
        /// Only to the mailbox of this role: editors, agreements, administration, escalation
        #[arg(long)]
        role: Option<String>,
    },
    /// Where mails go, and what waits
    List,
}
