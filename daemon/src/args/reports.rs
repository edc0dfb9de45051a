//! The arguments of `reports`.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand, ValueEnum};

/// Figures of a month, what is missing, and what a month costs.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ortsnetz reports month 2026-11
  ortsnetz reports gaps
  ortsnetz reports mayor 2026-11 --out november.html
  ortsnetz reports settle propose 2026-11 Siegburg
  ortsnetz reports settle object 2026-11 Köln 3f9a01c2 --reason \"nicht für uns\"
  ortsnetz reports settle sign 2026-11 Köln
  ortsnetz reports settle export 2026-11 Köln --out november.csv

No figure is about an agent, and numbers below 5 are told as \"< 5\".")]
pub(crate) enum MonthlyReports {
    /// Contacts, first contact, waiting and follow-ups of a month, by partner, against the targets
    Month {
        /// Like 2026-11; default: this month
        month: Option<String>,
        /// Only with this organisation
        #[arg(long)]
        partner: Option<String>,
    },
    /// What is missing: words without a hit, required topics, entries without fee, office or review, what is overdue, what is there twice
    Gaps,
    /// A page about a month, to print
    Mayor {
        /// Like 2026-11; default: this month
        month: Option<String>,
        /// Where to write it (HTML)
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// What a month costs: proposed by who answers, objected to or signed by the other
    #[command(subcommand)]
    Settle(Settle),
}

/// A month with a partner.
#[derive(Debug, Subcommand)]
pub(crate) enum Settle {
    /// Every month with contacts, and how it stands
    List {
        /// Only with this organisation
        #[arg(long)]
        partner: Option<String>,
    },
    /// How a month stands; of an open one, what it would cost so far
    Show(WhichMonth),
    /// Offer a month that is over, signed
    Propose(OneMonth),
    /// Object to lines of what is offered
    Object(Lines),
    /// Accept objections: the contacts are reversed, and left out of what is proposed next; all that wait if none is named
    Accept {
        #[command(flatten)]
        month: OneMonth,
        /// Ids of contacts, or their beginnings
        contacts: Vec<String>,
    },
    /// Keep lines that were objected to
    Keep(Lines),
    /// Sign what is offered, if it comes out the same here
    Sign(OneMonth),
    /// Write the table (CSV, the same bytes on both sides), the records (JSON) or a page (PDF)
    Export {
        #[command(flatten)]
        which: WhichMonth,
        /// In which form; default: by the name of the file, else csv
        #[arg(long, value_enum)]
        format: Option<ExportForm>,
        /// Where to write it; default: standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// One month with one partner.
#[derive(Debug, Group)]
pub(crate) struct OneMonth {
    /// Like 2026-11
    pub(crate) month: String,
    /// Name, or id or its beginning
    pub(crate) partner: String,
}

/// One month with one partner, and who answers.
#[derive(Debug, Group)]
pub(crate) struct WhichMonth {
    #[command(flatten)]
    pub(crate) of: OneMonth,
    /// We answer for the partner; needed only where both answer for each other
    #[arg(long)]
    pub(crate) we_answer: bool,
    /// The partner answers for us
    #[arg(long, conflicts_with = "we_answer")]
    pub(crate) they_answer: bool,
}

impl WhichMonth {
    /// Who answers, if it was said.
    pub(crate) fn direction(&self) -> Option<bool> {
        match (self.we_answer, self.they_answer) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}

/// Lines of a month.
#[derive(Debug, Group)]
pub(crate) struct Lines {
    #[command(flatten)]
    pub(crate) month: OneMonth,
    /// Ids of contacts, or their beginnings
    #[arg(required = true)]
    pub(crate) contacts: Vec<String>,
    /// What the other side should read; nothing about a person
    #[arg(long)]
    pub(crate) reason: String,
}

/// What a settled month is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportForm {
    /// The table
    Csv,
    /// The records, for docs/settlement.py
    Json,
    /// A page
    Pdf,
}

impl ExportForm {
    /// The word of the API.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Pdf => "pdf",
        }
    }
}
