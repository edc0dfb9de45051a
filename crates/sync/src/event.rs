//! What happens to the engine.

use std::sync::Arc;

use ortsnetz_model::{EntryId, FeedId, Hash, NodeId, OrgId, Position};
use ortsnetz_trust::Body;

use crate::effect::Item;
use crate::organisation::Organisation;

/// Ties an answer to its question. Numbers given by the caller ([`Event::Publish`], [`Event::Compare`]) and numbers given
/// by the engine (everything else) are counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// Who is at the other end of a connection; certified by the organisation, checked before it is told to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// The node.
    pub node: NodeId,
    /// Its organisation: our own, a partner, or another that may talk to us.
    pub organisation: OrgId,
}

/// Everything that happens to the engine. One call of [`Engine::handle`](crate::Engine::handle) each.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection to a certified node is up and frames can flow. A second one without `Disconnected` replaces the first.
    Connected {
        /// Who it is.
        peer: Peer,
    },
    /// The connection is gone.
    Disconnected {
        /// Which node.
        node: NodeId,
    },
    /// Bytes from a peer, one whole frame.
    Frame {
        /// Which node.
        node: NodeId,
        /// What it sent.
        bytes: Vec<u8>,
    },
    /// Answer to [`Effect::Drain`](crate::Effect::Drain).
    Drained {
        /// Which node.
        node: NodeId,
    },
    /// The verified statements of an organisation changed, or are known for the first time.
    Organisation {
        /// All that is known of it now.
        organisation: Arc<dyn Organisation>,
    },
    /// The partnership with an organisation ended: its nodes get the signed end, then the line closes. Feeds held of it
    /// stay readable here.
    Removed {
        /// Which organisation.
        organisation: OrgId,
    },
    /// The time for which copies of an organisation that left may be kept is over: nothing of its feeds is known any more. The
    /// caller deletes the rows afterwards. Ignored for our own, and for one that takes part.
    Forget {
        /// Which organisation.
        organisation: OrgId,
    },
    /// A feed of another organisation is kept here from now on, as is usual, or not: then nothing is known of it any more, and
    /// nothing of it asked for. The caller deletes the rows afterwards. Ignored for our own.
    Follow {
        /// Which feed.
        feed: FeedId,
        /// Whether it is kept.
        follows: bool,
    },
    /// While held nothing is published, draft feeds aside. For a node that was restored: what it lacks comes back first,
    /// because a checkpoint of today would not count what others hold beyond it. Not held at the start.
    Hold {
        /// Whether from now on, or no longer.
        held: bool,
    },
    /// Write the final record into the draft feed of an own node whose certificate was taken back: what is held of it counts,
    /// and nothing after that. The caller signs it with the root key.
    Conclude {
        /// The draft feed.
        feed: FeedId,
    },
    /// Publish into own feeds, all items in one atomic batch (at most [`BATCH_RECORDS_MAX`](crate::limits::BATCH_RECORDS_MAX)
    /// per feed). Answered by [`Effect::Published`](crate::Effect::Published).
    Publish {
        /// The caller's number.
        op: OpId,
        /// What to publish, where.
        items: Vec<PublishItem>,
    },
    /// Answer to [`Effect::Commit`](crate::Effect::Commit).
    Committed {
        /// Its number.
        op: OpId,
        /// The signed records ([`ortsnetz_trust::SignedRecord::to_bytes`]), in the order of the effect over all batches, each
        /// with the chunks a reader of the previous record lacks; `None` if they could not be made durable.
        items: Option<Vec<Item>>,
    },
    /// Answer to [`Effect::Accept`](crate::Effect::Accept).
    Accepted {
        /// Its number.
        op: OpId,
        /// One per item, in order.
        verdicts: Vec<Verdict>,
    },
    /// Answer to [`Effect::Store`](crate::Effect::Store).
    Stored {
        /// Its number.
        op: OpId,
        /// Whether everything is durable on disk; otherwise nothing is written.
        ok: bool,
    },
    /// Answer to [`Effect::Load`](crate::Effect::Load).
    Loaded {
        /// Its number.
        op: OpId,
        /// One per asked entry, in order; `None` where the row is missing or damaged.
        items: Vec<Option<Item>>,
    },
    /// Answer to [`Effect::TakeIn`](crate::Effect::TakeIn), after the `Organisation` event if something was new.
    TakenIn {
        /// Its number.
        op: OpId,
        /// Whether all statements were valid and what was new is durable.
        ok: bool,
    },
    /// The scrub, or a read, found that the row or document of an entry is missing or damaged on disk.
    Damaged {
        /// In which feed.
        feed: FeedId,
        /// Which entry; `None` for the checkpoint.
        entry: Option<EntryId>,
    },
    /// Compare what we and a connected peer hold. Answered by [`Effect::Compared`](crate::Effect::Compared).
    Compare {
        /// The caller's number.
        op: OpId,
        /// With which node.
        node: NodeId,
    },
    /// The time asked for by [`Effect::WakeAt`](crate::Effect::WakeAt) has come. Harmless at any other time.
    Wake,
    /// The process is about to stop: peers get a `Bye`, what is remembered of them is written.
    Stopping,
}

/// One item to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishItem {
    /// Into which own feed.
    pub feed: FeedId,
    /// The entry, or the key of an answer.
    pub entry: EntryId,
    /// Its generation; not lower than the one published.
    pub generation: u32,
    /// What the record says. Not a checkpoint: the engine makes those itself.
    pub body: Body,
}

/// What came out of accepting one record with its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Signature, signer, changes and projection are good.
    Valid {
        /// Whether it covers the record of the entry stored here ([`ortsnetz_trust::Record::covers`]); true if there is none.
        covers: bool,
    },
    /// Good so far, but changes are missing: they are asked for.
    Incomplete {
        /// Heads of the changes already held of this document; the peer sends the difference.
        have: Vec<Hash>,
    },
    /// The signer or the reader list named is not known here yet; newer statements are needed.
    Unknown,
    /// The document of the record held so far could not be read: treated as `Damaged`.
    Damaged,
    /// Wrong, with the reason. The peer is named in an alarm and not asked for this feed for a while.
    Invalid(String),
}

/// A record position that a publish request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// In which feed.
    pub feed: FeedId,
    /// Which entry.
    pub entry: EntryId,
    /// At which position.
    pub position: Position,
}
