//! What a person should know.

use ortsnetz_model::{EntryId, FeedId, NodeId, OrgId, Position};
use ortsnetz_trust::record::Equivocation;

/// Something a person should know. Sent once per occurrence; the engine does not repeat what still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// A peer sent a record or changes that are wrong. The old state is kept.
    Invalid {
        /// Who sent it.
        node: NodeId,
        /// In which feed.
        feed: FeedId,
        /// About which entry, if it could be read.
        entry: Option<EntryId>,
        /// What is wrong.
        reason: String,
    },
    /// A peer sends what is no message of this protocol, or more than allowed.
    Misbehaved {
        /// Who.
        node: NodeId,
        /// What.
        reason: String,
    },
    /// Two different signed records claim one position. The feed stands before it.
    Equivocation {
        /// In which feed.
        feed: FeedId,
        /// At which position.
        position: Position,
        /// The two records.
        proof: Box<Equivocation>,
    },
    /// Somebody holds more of our own feed than we do: this node runs on old data. A new epoch began, the data is fetched
    /// back.
    RolledBack {
        /// Which feed.
        feed: FeedId,
        /// Who told.
        node: NodeId,
        /// Our last position.
        ours: Position,
        /// The last position there.
        theirs: Position,
    },
    /// A second copy of this node runs at the same time.
    Cloned {
        /// In which feed it wrote.
        feed: FeedId,
        /// Where we saw it.
        node: NodeId,
    },
    /// A peer greets with two instances in alternation: it runs twice.
    TwoInstances {
        /// Which node.
        node: NodeId,
    },
    /// A peer claimed to have given everything, and the signed totals say something is left out.
    Withheld {
        /// Who.
        node: NodeId,
        /// In which feed.
        feed: FeedId,
    },
    /// Our copy differed from the signed totals and was repaired.
    Repaired {
        /// In which feed.
        feed: FeedId,
        /// How many entries.
        entries: usize,
    },
    /// Our copy differs from the signed totals in entries that nothing covers; they are kept and shown.
    Extra {
        /// In which feed.
        feed: FeedId,
        /// Which entries.
        entries: Vec<EntryId>,
    },
    /// Records that their owner's checkpoint does not count were set aside.
    SetAside {
        /// In which feed.
        feed: FeedId,
        /// Which entries.
        entries: Vec<EntryId>,
    },
    /// No newer checkpoint for [`STALE_MS`](crate::limits::STALE_MS).
    Stale {
        /// Which feed.
        feed: FeedId,
    },
    /// A record whose time is far ahead of our clock is held back.
    Ahead {
        /// In which feed.
        feed: FeedId,
        /// At which position.
        position: Position,
    },
    /// A feed has more entries than we take.
    Full {
        /// Which feed.
        feed: FeedId,
    },
    /// Statements of an organisation could not be taken in.
    Statements {
        /// Who sent them.
        node: NodeId,
        /// Whose they are.
        organisation: OrgId,
    },
    /// A batch could not be made durable. It is tried again.
    NotStored {
        /// Which feed.
        feed: FeedId,
    },
}
