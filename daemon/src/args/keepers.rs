//! `keepers`: sealed copies.

use std::path::PathBuf;

use clap::Subcommand;

/// Sealed copies.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ortsnetz keepers allow Siegburg --megabytes 200    # at the partner that keeps
  ortsnetz keepers add Bonn                          # at the town whose copy it is
  ortsnetz keepers list

A sealed copy holds what no partner could give back: drafts, `internal`, tokens, imports. It is encrypted with a key that the
recovery sheet holds, so that who keeps it reads nothing. One is made each day and after each backup if anything changed, and
`ortsnetz recover` fetches the newest.")]
pub(crate) enum Keepers {
    /// Who keeps ours and confirmed it when, and whose we keep
    List,
    /// Choose a confirmed partner that is to keep ours; needs the root key here
    Add {
        /// Name, or id or its beginning
        partner: String,
    },
    /// Send a partner no more copies
    Remove {
        /// Name, or id or its beginning
        partner: String,
    },
    /// Make and send a copy now, if anything is new, and let every keeper prove that it has it
    Send,
    /// Get the newest copy back into a file, for `restore FILE --sheet SHEET`
    Fetch {
        /// File to write; it must not exist
        file: PathBuf,
    },
    /// Agree to keep copies of a confirmed partner
    Allow {
        /// Name, or id or its beginning
        partner: String,
        /// Megabytes that all its copies may take; the newest two have to fit in
        #[arg(long, value_name = "N")]
        megabytes: u64,
    },
    /// Keep nothing of a partner any more, and delete what is here
    Deny {
        /// Name, or id or its beginning
        partner: String,
    },
}
