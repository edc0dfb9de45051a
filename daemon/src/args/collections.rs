//! The arguments of `collections`.

use clap::{Args as Group, Subcommand, ValueEnum};

/// Collections and who reads them.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ortsnetz collections list
  ortsnetz collections create \"Planung Nord\" --reader Bonn --reader \"Stadt Köln\" --relay
  ortsnetz collections grant \"Planung Nord\" Hürth
  ortsnetz collections narrow \"Planung Nord\" Bonn
  ortsnetz collections end \"Planung Nord\" --move-to public
  ortsnetz collections seen-by Bonn
  ortsnetz collections readable Bonn
  ortsnetz collections follow Bonn public live

`public` is read by everybody, `partners` by all confirmed partners, `internal` by your own nodes. Entries go into a
collection with `ortsnetz create KIND collection=NAME ...` or `ortsnetz move ID NAME`.")]
pub(crate) enum Collections {
    /// All collections with their readers
    List,
    /// One collection, with its readers present and past
    Show {
        /// Name, or id or its beginning
        collection: String,
    },
    /// Make a collection
    Create(Create),
    /// Call a collection something else; its id and its readers stay
    Rename {
        /// Name, or id or its beginning
        collection: String,
        /// The new name
        name: String,
    },
    /// Let confirmed partners read it: all that is in it, and what comes
    Grant(Readers),
    /// Take partners off the list: they are told, keep what they have and get nothing new
    Narrow(Readers),
    /// Whether readers may pass it on to other readers
    Relay {
        /// Name, or id or its beginning
        collection: String,
        /// May they?
        #[arg(value_enum)]
        relay: Switch,
    },
    /// Close it for ever; refused while anything is published in it
    End(End),
    /// Collections of others that you may read, and whether this node keeps a copy
    Readable {
        /// Only of this one: name, or id or its beginning
        organisation: Option<String>,
    },
    /// Keep a copy of somebody else's collection on this node, ask its owner while somebody searches, or neither
    Follow {
        /// Whose: name, or id or its beginning
        organisation: String,
        /// Name, or id or its beginning
        collection: String,
        /// What to do with it
        #[arg(value_enum)]
        how: How,
    },
    /// Everything an organisation can see of yours, and who may pass it on to it
    SeenBy {
        /// Name, or id or its beginning; need not be a partner
        organisation: String,
    },
}

/// A new collection.
#[derive(Debug, Group)]
pub(crate) struct Create {
    /// What it is called
    pub(crate) name: String,
    /// A confirmed partner that may read it; more can follow with `grant`
    #[arg(long = "reader", value_name = "ORGANISATION")]
    pub(crate) readers: Vec<String>,
    /// Let readers pass it on to other readers
    #[arg(long)]
    pub(crate) relay: bool,
}

/// A collection and organisations.
#[derive(Debug, Group)]
pub(crate) struct Readers {
    /// Name, or id or its beginning
    pub(crate) collection: String,
    /// Names, or ids or their beginnings
    #[arg(value_name = "ORGANISATION", required = true)]
    pub(crate) organisations: Vec<String>,
}

/// Ending a collection.
#[derive(Debug, Group)]
pub(crate) struct End {
    /// Name, or id or its beginning
    pub(crate) collection: String,
    /// Withdraw what is published in it; drafts stay
    #[arg(long, conflicts_with = "move_to")]
    pub(crate) withdraw: bool,
    /// Move everything in it to another collection first, drafts too
    #[arg(long, value_name = "COLLECTION")]
    pub(crate) move_to: Option<String>,
}

/// What to do with somebody else's collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum How {
    /// Keep a copy here, as is usual
    Replicate,
    /// Ask its owner while somebody searches
    Live,
    /// Neither; a copy is deleted
    Ignore,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// They may
    On,
    /// They may not
    Off,
}
