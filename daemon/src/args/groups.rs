//! The arguments of single commands.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand, ValueEnum};

use crate::values::duration_ms;

/// A new identity.
#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  ortsnetz init --name \"Stadt Siegburg\" --ars 053820060060
  ortsnetz init --join \"$(ortsnetz --data-dir /srv/main invite --node --json | jq -r .token)\"

The recovery passphrase is printed once and kept nowhere. Write it down, print the recovery sheet, and prove later that
both fit together with `ortsnetz identity sheet --check FILE`.")]
pub(crate) struct Init {
    /// Name as partners see it
    #[arg(long, required_unless_present = "join")]
    pub(crate) name: Option<String>,
    /// Amtlicher Regionalschlüssel, 12 digits; `ortsnetz places find NAME` knows it
    #[arg(long, required_unless_present = "join")]
    pub(crate) ars: Option<String>,
    /// What kind of organisation it is
    #[arg(long, value_enum, default_value_t = OrganisationKind::Municipality)]
    pub(crate) kind: OrganisationKind,
    /// Become a further node of the organisation that issued this token (`ortsnetz invite --node`)
    #[arg(long, value_name = "NODE-TOKEN", conflicts_with_all = ["name", "ars", "kind"])]
    pub(crate) join: Option<String>,
}

/// Kinds of organisations.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum OrganisationKind {
    /// A town or community
    Municipality,
    /// A Kreis
    County,
    /// Answers for others
    #[value(name = "service_center")]
    ServiceCenter,
    /// Somebody else who offers services
    Provider,
}

impl OrganisationKind {
    /// The word of the contract.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Municipality => "municipality",
            Self::County => "county",
            Self::ServiceCenter => "service_center",
            Self::Provider => "provider",
        }
    }
}

/// The daemon.
#[derive(Debug, Group)]
pub(crate) struct Run {
    /// Configuration; default: ortsnetz.toml in the data directory, if there is one
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where pages and API answer: a loopback address and a port, 0 for any free one [default: 127.0.0.1:8115]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<String>,
    /// Where partners reach this node [default: /ip4/0.0.0.0/tcp/4115 and /ip6/::/tcp/4115]
    #[arg(long, value_name = "MULTIADDR")]
    pub(crate) listen: Vec<String>,
    /// What partners are told to dial, if it is not what this machine sees of itself
    #[arg(long, value_name = "MULTIADDR")]
    pub(crate) advertise: Vec<String>,
    /// Stop when standard input ends: for programs that start a daemon and must not leave it behind
    #[arg(long, hide = true)]
    pub(crate) while_stdin_is_open: bool,
}

/// The demonstration.
#[derive(Debug, Group)]
pub(crate) struct Demo {
    /// Keep everything in this directory instead of a temporary one; it must be empty or not there
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// End as soon as all are in sync
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// An invitation.
#[derive(Debug, Group)]
pub(crate) struct Invite {
    /// For a further node of the own organisation
    #[arg(long, conflicts_with_all = ["for_ars", "trust"])]
    pub(crate) node: bool,
    /// ARS of the partner: its place counts as soon as it has joined with it
    #[arg(long = "for", value_name = "ARS")]
    pub(crate) for_ars: Option<String>,
    /// Confirm the partner in advance, instead of comparing check words later
    #[arg(long)]
    pub(crate) trust: bool,
    /// How long it can be used
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = duration_ms)]
    pub(crate) expires: u64,
}

/// Accepting an invitation.
#[derive(Debug, Group)]
pub(crate) struct Join {
    /// The invitation, or the answer to an invitation of yours; or @FILE
    pub(crate) token: String,
    /// Let the inviter dial, because it cannot be dialled: prints an answer to give back to it
    #[arg(long)]
    pub(crate) dial: bool,
}

/// Partners.
#[derive(Debug, Subcommand)]
pub(crate) enum Partners {
    /// All partners and own nodes
    List,
    /// One partner, with the check words
    Show {
        /// Name, or id or its beginning
        partner: String,
    },
    /// A person has compared name, ARS and check words with the partner
    Confirm {
        /// Name, or id or its beginning
        partner: String,
    },
    /// End the partnership
    Remove {
        /// Name, or id or its beginning
        partner: String,
    },
    /// A person has compared the check words of a succession: it is so, or it is not
    #[command(group = clap::ArgGroup::new("answer").required(true).args(["confirm", "refuse"]))]
    Succession {
        /// Who follows: name, or id or its beginning
        successor: String,
        /// Who is followed
        predecessor: String,
        /// It is so: from now on the successor answers
        #[arg(long)]
        confirm: bool,
        /// It is not so, or not any more
        #[arg(long)]
        refuse: bool,
    },
}

/// The publisher.
#[derive(Debug, Subcommand)]
pub(crate) enum Publisher {
    /// Which node publishes
    Show,
    /// Make this node the publisher; needs the root key here
    Take,
}

/// Own nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum Nodes {
    /// All own nodes: what each may do, and until when
    List,
    /// Renew the certificates that end within 90 days or have ended, or that of one node; needs the root key here
    Renew {
        /// Name, or id or its beginning or end
        node: Option<String>,
    },
    /// Take the certificate of a lost node back: nothing it writes counts any more; needs the root key here
    Revoke {
        /// Name, or id or its beginning or end
        node: String,
    },
}

/// Reading files in.
#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  ortsnetz import leistungen.jsonl --publish
  ortsnetz import services.json locations.json --format dldb --valid-for 091620000000 --dry-run
  ortsnetz import tabelle.csv --mapping spalten.toml

A mapping says what the columns of a table mean:
  kind = \"service\"
  [identifier]
  agency = \"L100042\"
  scheme = \"LB\"
  column = \"Nr\"
  [[columns]]
  name = \"Bezeichnung\"    # as in the header line
  path = \"title.de\"
docs/import.md explains all of it.

Importing the same file again changes nothing. Values that a person changed since the last import are kept and listed.")]
pub(crate) struct Import {
    /// Files; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// What the files are
    #[arg(long, value_enum, default_value_t = ImportFormat::Auto)]
    pub(crate) format: ImportFormat,
    /// What the columns of a CSV file mean (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// Collection for all entries; default: as the line or the format says, then public
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Option<String>,
    /// ARS for entries without a place of their own
    #[arg(long, value_name = "ARS")]
    pub(crate) valid_for: Option<String>,
    /// Publish what was imported
    #[arg(long)]
    pub(crate) publish: bool,
    /// Report what would happen and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Formats that can be read.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ImportFormat {
    /// Tell by name and content
    Auto,
    /// One entry a line
    Jsonl,
    /// The JSON of Berlin's and Munich's service directories
    Dldb,
    /// A table, with --mapping
    Csv,
    /// XZuFi
    Xzufi,
}

impl ImportFormat {
    /// The word of the contract.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Jsonl => "jsonl",
            Self::Dldb => "dldb",
            Self::Csv => "csv",
            Self::Xzufi => "xzufi",
        }
    }
}

/// Writing a file.
#[derive(Debug, Group)]
pub(crate) struct Export {
    /// What to write
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub(crate) format: ExportFormat,
    /// Whose entries, by name or id; default: the own ones
    #[arg(long, value_name = "ID")]
    pub(crate) organisation: Option<String>,
    /// With agent notes and other companions
    #[arg(long)]
    pub(crate) companions: bool,
    /// The own entries as they are being edited, also those that were never published
    #[arg(long, conflicts_with = "organisation")]
    pub(crate) drafts: bool,
    /// File to write; default: standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Formats that can be written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One entry a line, nothing lost
    Jsonl,
    /// A table
    Csv,
}

impl ExportFormat {
    /// The word of the contract.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// Finding.
#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  ortsnetz search reisepass --place Bonn
  ortsnetz search auto anmelden --place 50354
  ortsnetz search öffnungszeiten bürgeramt --kind office --json

A place that is ambiguous is never guessed: the candidates are listed with their ARS.")]
pub(crate) struct Search {
    /// What to look for
    #[arg(value_name = "WORDS", required = true)]
    pub(crate) words: Vec<String>,
    /// Name, postal code, AGS or ARS
    #[arg(long)]
    pub(crate) place: Option<String>,
    /// Only this kind of entry
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// The date the answer is for
    #[arg(long, value_name = "DATE")]
    pub(crate) on: Option<String>,
    /// At most so many hits
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// How long partners that are asked live may take, in milliseconds [default: 1500, at most 10000]
    #[arg(long, value_name = "MS")]
    pub(crate) deadline: Option<u64>,
    /// Language of title and summary
    #[arg(long, default_value = "de")]
    pub(crate) lang: String,
    /// Only entries of this organisation: name, or id or its beginning
    #[arg(long, value_name = "NAME-OR-ID")]
    pub(crate) organisation: Option<String>,
    /// Only entries of this life event, by its code
    #[arg(long, value_name = "CODE")]
    pub(crate) life_event: Option<String>,
    /// Only entries for these people, for example `business`
    #[arg(long)]
    pub(crate) audience: Option<String>,
    /// Count what was found by kind, organisation, life event and audience
    #[arg(long)]
    pub(crate) facets: bool,
    /// Say why each entry was found, and show the part of its text
    #[arg(long)]
    pub(crate) explain: bool,
}

/// Answering a question.
#[derive(Debug, Group)]
#[command(after_help = "Examples:
  ortsnetz answer hund anmelden --place Siegburg
  ortsnetz answer personalausweis --place 53721 --on 2027-01-01 --at 10:30
  ortsnetz answer --id 018f --place Kaldauen --json
  ortsnetz answer umzug --from Bonn --place Siegburg --conditions 0

Only organisations that speak for the place fill an answer. A place that is ambiguous is never guessed, nor is an office: where
nobody is recorded as responsible, the answer says whom to ask.")]
pub(crate) struct Ask {
    /// The words of the question
    #[arg(value_name = "WORDS", required_unless_present = "id", conflicts_with = "id")]
    pub(crate) words: Vec<String>,
    /// The entry the answer begins with, instead of words
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Name, postal code, AGS or ARS
    #[arg(long)]
    pub(crate) place: Option<String>,
    /// The place that is left, for life events like a move
    #[arg(long, value_name = "PLACE")]
    pub(crate) from: Option<String>,
    /// Numbers of the conditions that hold, like 0,2; steps that depend on others are left out
    #[arg(long, value_name = "NUMBERS")]
    pub(crate) conditions: Option<String>,
    /// The date the answer is for
    #[arg(long, value_name = "DATE")]
    pub(crate) on: Option<String>,
    /// The time of day the answer is for, like 10:30
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Language of the texts; `de-x-leicht` is Leichte Sprache
    #[arg(long, default_value = "de")]
    pub(crate) lang: String,
    /// At most so many answers
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// How long partners that are asked live may take, in milliseconds [default: 1500, at most 10000]
    #[arg(long, value_name = "MS")]
    pub(crate) deadline: Option<u64>,
}

/// Reading one entry.
#[derive(Debug, Group)]
pub(crate) struct Show {
    /// Entry id
    pub(crate) id: String,
    /// The draft instead of the published state
    #[arg(long)]
    pub(crate) draft: bool,
    /// What was told on this day (of a day to come: with what is planned until then)
    #[arg(long, value_name = "DATE")]
    pub(crate) on: Option<String>,
    /// The state at these heads (comma-separated, from `history`; 6 digits of each are enough)
    #[arg(long, value_name = "HEADS")]
    pub(crate) at: Option<String>,
}

/// Taking over a partner's entry.
#[derive(Debug, Group)]
pub(crate) struct Adopt {
    /// Id of the partner's entry; with --changes, --take and --dismiss of the own one
    pub(crate) id: String,
    /// With --take: which fields; all that fit if none is named
    #[arg(value_name = "PATH", conflicts_with_all = ["copy", "layer", "changes", "dismiss"])]
    pub(crate) paths: Vec<String>,
    #[command(flatten)]
    pub(crate) how: AdoptHow,
    /// With --take: publish the entry at once
    #[arg(long, requires = "take")]
    pub(crate) publish: bool,
}

/// One of them must be said.
#[derive(Debug, Group)]
#[group(required = true, multiple = false)]
pub(crate) struct AdoptHow {
    /// Copy it; the copy goes its own way
    #[arg(long)]
    pub(crate) copy: bool,
    /// Keep the partner's text as the layer below and write only additions
    #[arg(long)]
    pub(crate) layer: bool,
    /// Show what the source of an own entry says else than when it was adopted
    #[arg(long)]
    pub(crate) changes: bool,
    /// Take that over into the draft
    #[arg(long)]
    pub(crate) take: bool,
    /// Leave the own entry as it is
    #[arg(long)]
    pub(crate) dismiss: bool,
}

/// Taking back for ever.
#[derive(Debug, Group)]
#[command(after_help = "\
A sentence that must go: take it out with `ortsnetz edit ID ...`, then
  ortsnetz redact ID            what the entry says now stays and is published anew, everything before is void
  ortsnetz redact ID --erase    nothing stays
  ortsnetz redact ID --status   who has removed it from its disk, and what no redaction reaches

There is no way back. Backups are not reached: what is restored from one is removed again as soon as a partner or the
publisher tells of the redaction.")]
pub(crate) struct Redact {
    /// Entry id
    pub(crate) id: String,
    /// Nothing of it stays
    #[arg(long)]
    pub(crate) erase: bool,
    /// Why, for your own files; not a word of what is redacted
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Only tell how far an earlier redaction got
    #[arg(long, conflicts_with_all = ["erase", "reason"])]
    pub(crate) status: bool,
}

/// Proving an entry.
#[derive(Debug, Group)]
pub(crate) struct Receipt {
    /// Entry id, an own one or a partner's
    pub(crate) id: String,
    /// File to write; default: standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Checking a receipt.
#[derive(Debug, Group)]
pub(crate) struct Verify {
    /// The receipt; `-` is standard input
    pub(crate) file: PathBuf,
    /// Id of the organisation that must have said it
    #[arg(long, value_name = "ID")]
    pub(crate) organisation: Option<String>,
}

/// Places.
#[derive(Debug, Subcommand)]
pub(crate) enum Places {
    /// Import the official list, or a list of former keys
    #[command(after_help = "\
The official list is CSV with the columns ars and name, and if known ags, kreis, plz_alle, einwohner, lon, lat, former_names,
former_ars (keys it had) and since (first day of its key). It replaces the list before; names and keys stay known as former
ones. A list of former keys has former_ars, successor_ars, and if known since and name (of the successor); it is added:

  former_ars,successor_ars,since
  064350014014,064150000000,2026-01-01")]
    Import {
        /// The file; `-` is standard input
        file: PathBuf,
    },
    /// Take the list of a connected partner over, with the names and keys it knows
    Fetch {
        /// Name, or id or its beginning
        partner: String,
    },
    /// Places that a name, postal code, AGS or ARS, or the beginning of one, may mean
    Find {
        /// Name, postal code, AGS or ARS
        #[arg(value_name = "PLACE", required = true)]
        words: Vec<String>,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// One place with former names and keys, and its districts
    Show {
        /// Name, postal code, AGS or ARS
        #[arg(value_name = "PLACE", required = true)]
        words: Vec<String>,
    },
    /// The table by key
    List {
        /// `municipality`, `county` or `state`
        #[arg(long)]
        kind: Option<String>,
        /// Only what lies in this county or state: its ARS or the beginning of one
        #[arg(long, value_name = "ARS")]
        within: Option<String>,
        /// Only keys after this one
        #[arg(long, value_name = "ARS")]
        after: Option<String>,
        /// At most so many; 100 if absent
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
}

/// The store.
#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Read everything and recompute every checksum; exit code 1 on problems
    Check,
    /// Write the whole store to one checked file
    Export {
        /// File to write
        file: PathBuf,
    },
    /// Read such a file into an empty data directory; the daemon must not run
    Import {
        /// File to read
        file: PathBuf,
    },
    /// Rewrite the store without what is no longer needed
    Compact,
}

/// Keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Identity {
    /// Print the recovery sheet with the partners of today, or read it back
    ///
    /// The encrypted block and the passphrase stay what they were. With --check it proves that sheet and passphrase fit
    /// together. Without --passphrase that is the first line of standard input, so that it need not stand in the history
    /// of a shell.
    Sheet {
        /// File to write; default: standard output
        #[arg(long, value_name = "FILE", conflicts_with = "check")]
        out: Option<PathBuf>,
        /// The sheet to read back, as it was printed or saved
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
        /// The passphrase, or @FILE
        #[arg(long, env = "ORTSNETZ_PASSPHRASE", hide_env_values = true)]
        passphrase: Option<String>,
    },
    /// Replace the root key, for example because somebody may have the old one; needs the root key here
    ///
    /// Makes a new recovery sheet with a new passphrase; the old sheet opens nothing any more. Partners follow by themselves.
    Rotate,
    /// Follow another organisation, whose root key is lost or which was merged into this one; needs the root key here
    ///
    /// Adopts the entries of it that are verified here, and prints the words that partners compare. At each partner it counts
    /// once a person there confirmed it; from then on the other one answers no more there.
    Succeed {
        /// Whom to follow: name, or id or its beginning
        organisation: String,
        /// Publish what is adopted; otherwise it is drafts
        #[arg(long)]
        publish: bool,
        /// Follow it no more; what was adopted stays
        #[arg(long, conflicts_with = "publish")]
        undo: bool,
    },
    /// Take part no more from a day on; needs the root key here
    ///
    /// Until then everything works as before, and partners are warned. From that day on this organisation publishes nothing,
    /// its entries are marked at partners ("no longer takes part since ..., telephone ...") and passed on to nobody. When
    /// --keep is over, each partner deletes what it holds and signs that it did. Everything can be exported before and after.
    #[command(group = clap::ArgGroup::new("wish").required(true).multiple(true)
        .args(["on", "telephone", "note", "keep", "undo", "status"]))]
    Leave {
        /// The first day on which it takes part no more: today or later
        #[arg(long, value_name = "DATE")]
        on: Option<String>,
        /// Whom citizens and agents call then
        #[arg(long, value_name = "NUMBER")]
        telephone: Option<String>,
        /// What else agents should know, one line
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Days after that for which partners may keep what they hold; default 30
        #[arg(long, value_name = "DAYS")]
        keep: Option<u32>,
        /// It stays after all; only before the day
        #[arg(long, conflicts_with_all = ["on", "telephone", "note", "keep"])]
        undo: bool,
        /// Show what was said, and which partners have deleted what they held; changes nothing
        #[arg(long, conflicts_with_all = ["on", "telephone", "note", "keep", "undo", "yes"])]
        status: bool,
        /// The name of the organisation, repeated to confirm
        #[arg(long, value_name = "NAME", required_unless_present = "status")]
        yes: Option<String>,
    },
}

/// Coming back.
#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  ortsnetz recover blatt.txt
  ortsnetz recover blatt.txt --from /dns4/bonn.example/tcp/4115

A new node is made and becomes the publisher; what was published comes back from the partners; the certificates of the
machines that could act for the organisation are taken back. What nobody can give back is listed. Without --passphrase it
is the first line of standard input.")]
pub(crate) struct Recover {
    /// The recovery sheet, as it was printed or saved
    pub(crate) sheet: PathBuf,
    /// Address of a partner, with or without /p2p/NODE; default: those on the sheet
    #[arg(long, value_name = "ADDR")]
    pub(crate) from: Vec<String>,
    /// The passphrase, or @FILE
    #[arg(long, env = "ORTSNETZ_PASSPHRASE", hide_env_values = true)]
    pub(crate) passphrase: Option<String>,
    /// Do not take back the certificates of the old machines
    #[arg(long)]
    pub(crate) keep_nodes: bool,
    /// Do without a sealed copy, should partners keep one: drafts and what is internal do not come back then
    #[arg(long)]
    pub(crate) no_copy: bool,
}

/// A backup.
#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  ortsnetz backup /media/usb/siegburg.age
  ortsnetz backup /media/usb/siegburg.age --recipient age1...

It holds all that the node knows as of one moment: keys, drafts, `internal`, what partners gave. It is encrypted with age, so
that any program for age opens it, and read back before it gets its name. Without --passphrase or --recipient the passphrase
is the first line of standard input; it has at least 12 characters, and without it the backup is worth nothing.")]
pub(crate) struct Backup {
    /// File to write; it must not exist
    pub(crate) file: PathBuf,
    /// What opens it, or @FILE
    #[arg(long, env = "ORTSNETZ_BACKUP_PASSPHRASE", hide_env_values = true, conflicts_with = "recipient")]
    pub(crate) passphrase: Option<String>,
    /// Public key of somebody who may open it, instead of a passphrase
    #[arg(long, value_name = "age1...")]
    pub(crate) recipient: Vec<String>,
}

/// A backup comes back.
#[derive(Debug, Group)]
#[command(after_help = "\
Example:
  ortsnetz --data-dir /var/lib/ortsnetz restore /media/usb/siegburg.age

Never run it beside the node it was made of. The restored node publishes nothing before a partner has said what was
published since; that comes back by itself. Without --passphrase or --identity the passphrase is the first line of standard
input.")]
pub(crate) struct Restore {
    /// The backup
    pub(crate) file: PathBuf,
    /// What opens it, or @FILE
    #[arg(long, env = "ORTSNETZ_BACKUP_PASSPHRASE", hide_env_values = true, conflicts_with = "identity")]
    pub(crate) passphrase: Option<String>,
    /// File with a secret key, one line AGE-SECRET-KEY-1...
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// The recovery sheet, for a sealed copy that a partner kept; the passphrase is that of the sheet
    #[arg(long, value_name = "SHEET", conflicts_with = "identity")]
    pub(crate) sheet: Option<PathBuf>,
}
