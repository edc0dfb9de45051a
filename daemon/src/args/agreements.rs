//! The arguments of `agreements`.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand};

/// What was agreed on with partners.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ortsnetz agreements propose Siegburg telefonservice.json --we-answer
  ortsnetz agreements show 3f9a
  ortsnetz agreements sign 3f9a
  ortsnetz agreements amend 3f9a telefonservice-2027.json
  ortsnetz agreements end 3f9a --on 2027-12-31

The file holds the text both sign as JSON; docs/service-centre.md explains its fields. An agreement is in force when both sides
have signed the same text and its first day has come.")]
pub(crate) enum Agreements {
    /// All agreements, and how they stand
    List,
    /// One agreement: its text, who signed, and how much of what it requires is described
    Show {
        /// Id or its beginning
        id: String,
    },
    /// Sign a text and offer it to a confirmed partner
    Propose(Propose),
    /// Sign a new version and offer it
    Amend {
        /// Id or its beginning
        id: String,
        /// The new text as JSON
        file: PathBuf,
    },
    /// Sign what the partner offered
    Sign {
        /// Id or its beginning
        id: String,
    },
    /// Say no to what the partner offered
    Decline {
        /// Id or its beginning
        id: String,
        /// What the partner should read
        #[arg(long)]
        reason: String,
    },
    /// End what is in force, not before the notice
    End(End),
}

/// A new agreement.
#[derive(Debug, Group)]
pub(crate) struct Propose {
    /// Name, or id or its beginning
    pub(crate) partner: String,
    /// The text as JSON
    pub(crate) file: PathBuf,
    /// We answer for the partner; otherwise the partner answers for us
    #[arg(long)]
    pub(crate) we_answer: bool,
}

/// The last day of an agreement.
#[derive(Debug, Group)]
pub(crate) struct End {
    /// Id or its beginning
    pub(crate) id: String,
    /// The last day
    #[arg(long, value_name = "DATE", required_unless_present = "undo", conflicts_with = "undo")]
    pub(crate) on: Option<String>,
    /// Take the end back while its day is ahead
    #[arg(long)]
    pub(crate) undo: bool,
}
