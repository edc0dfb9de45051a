//! What the engine wants done.

use std::sync::Arc;

use ortsnetz_model::{EntryId, FeedId, Hash, NodeId, OrgId, Position};
use ortsnetz_trust::Record;
use ortsnetz_trust::record::Equivocation;

use crate::alarm::Alarm;
use crate::event::{OpId, Published};

/// What the engine wants done. Effects of one `handle` call are done in order; the questions among them (`Commit`,
/// `Accept`, `Store`, `Load`, `TakeIn`, `Returned`) are each answered by exactly one event, in any order, and `Drain` by
/// one unless the connection ends before.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send a frame. For one peer, frames of one lane keep their order and lower lanes go first.
    Send {
        /// To which node.
        node: NodeId,
        /// At most [`FRAME_BYTES_MAX`](crate::limits::FRAME_BYTES_MAX).
        frame: Vec<u8>,
        /// How urgent.
        lane: Lane,
    },
    /// Answer with `Drained` once every frame sent to this node so far has left for the line, as far as the network's own
    /// bounded queue takes it. At most one per node at a time; none after `Disconnected`.
    Drain {
        /// Which node.
        node: NodeId,
    },
    /// Close the connection after everything queued was sent. `Disconnected` follows.
    Close {
        /// To which node.
        node: NodeId,
        /// Why.
        reason: CloseReason,
    },
    /// Sign these records and store them with the changes and projections they stand for, atomically and durably, with the
    /// new cursor of each feed; then answer with `Committed`.
    Commit {
        /// Number of the answer.
        op: OpId,
        /// Batches as [`ortsnetz_trust::record::sign_batch`] takes them, one or two per feed.
        batches: Vec<Vec<Record>>,
        /// For each record in order, the publish request and the place of its item there; `None` for a checkpoint.
        origins: Vec<Option<(OpId, usize)>>,
    },
    /// A publish request is done.
    Published {
        /// The caller's number.
        op: OpId,
        /// The positions, in the order of the items.
        result: Result<Vec<Published>, PublishError>,
    },
    /// Verify records and apply their changes to clones; keep the outcome under this number until `Store` names it.
    Accept {
        /// Number of the answer.
        op: OpId,
        /// From whom.
        node: NodeId,
        /// Of which feed.
        feed: FeedId,
        /// Newest record per entry with changes, in order of position.
        items: Vec<Item>,
    },
    /// Make a batch durable, whole or not at all; then answer with `Stored`.
    Store {
        /// Number of the answer.
        op: OpId,
        /// What to write.
        batch: Box<StoreBatch>,
    },
    /// Read records with changes; answer with `Loaded`. Asks for a bounded number of rows.
    Load {
        /// Number of the answer.
        op: OpId,
        /// Of which feed.
        feed: FeedId,
        /// What to read.
        query: Query,
    },
    /// Verify and store statements of an organisation; then, if something was new, an `Organisation` event; then `TakenIn`.
    TakeIn {
        /// Number of the answer.
        op: OpId,
        /// From whom.
        node: NodeId,
        /// Whose statements.
        organisation: OrgId,
        /// The statements as received.
        statements: Vec<Vec<u8>>,
    },
    /// Records of an own feed that somebody kept beside because they do not count (rollback, clone, not covered). They are
    /// to be checked, kept durably and shown as a task; then answer with `Stored`.
    Returned {
        /// Number of the answer.
        op: OpId,
        /// Who gave them back.
        node: NodeId,
        /// Of which own feed.
        feed: FeedId,
        /// The records with their changes; signed by the key they name, nothing else is verified.
        items: Vec<Item>,
    },
    /// Remember about a peer, losing it does no harm: handed back in the [`Snapshot`](crate::Snapshot) at the next start.
    Remember {
        /// Which node.
        node: NodeId,
        /// Hash of its last offer that we took in completely.
        taken: OfferHash,
    },
    /// Both sides hold everything the other may give, durably. Told once for a connection when it becomes so, later only
    /// after it changed and at most every [`IN_SYNC_MS`](crate::limits::IN_SYNC_MS), and when the connection ends.
    InSync {
        /// Which peer.
        node: NodeId,
        /// When that was known, milliseconds since 1970.
        at: u64,
    },
    /// A comparison is done.
    Compared {
        /// The caller's number.
        op: OpId,
        /// What differs.
        result: Result<Vec<Comparison>, CompareError>,
    },
    /// The entries of a feed changed here, after they are durable: tell index and pages.
    Applied {
        /// From whom; `None` if published here.
        node: Option<NodeId>,
        /// In which feed.
        feed: FeedId,
        /// Which entries.
        entries: Vec<EntryId>,
    },
    /// Something a person should know, and a counter.
    Alarm(Alarm),
    /// Call `handle` with [`Event::Wake`](crate::Event::Wake) at this time. Replaces the wish before.
    WakeAt {
        /// Milliseconds since 1970.
        at: u64,
    },
}

/// Hash of everything one node may give another: feeds with cursor and reader-list serial, and statement chains.
pub type OfferHash = [u8; 16];

/// A signed record and changes, as they travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The bytes of the signed record ([`ortsnetz_trust::SignedRecord::to_bytes`]).
    pub record: Arc<[u8]>,
    /// Raw, uncompressed change chunks, parents first.
    pub chunks: Vec<Vec<u8>>,
}

/// Which of the waiting frames for a peer goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Hello, Have, Ack, Beat, Audit: small.
    Control,
    /// Live edits and what was asked for singly.
    Live,
    /// Pages of a catch-up; bounded by the reader's window.
    Bulk,
}

/// Why the engine closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// Nothing came for [`DEAD_MS`](crate::limits::DEAD_MS).
    Silent,
    /// No common version.
    Version,
    /// It says it is of another organisation than certified.
    Organisation,
    /// It sends what is no message, or more than allowed.
    Misbehaved,
    /// The partnership ended.
    Removed,
    /// Its certificate was taken back.
    Revoked,
    /// It said goodbye.
    Bye,
    /// We stop.
    Stopping,
}

/// What to write in one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreBatch {
    /// The feed all of this is about.
    pub feed: Option<FeedId>,
    /// The outcome of this `Accept` is used, or dropped if `keep` and `aside` are empty.
    pub accept: Option<OpId>,
    /// Items of it that become the newest record of their entry (or the newest checkpoint), with changes and projection.
    pub keep: Vec<usize>,
    /// Items of it that are kept beside, as they are: not covered, or beyond a checkpoint's cut.
    pub aside: Vec<usize>,
    /// Records held so far that are moved beside before the rest is written. Their entry has no record then, unless
    /// `keep` brings one.
    pub set_aside: Vec<(EntryId, Position)>,
    /// Records beside that were taken in or discarded by their owner: deleted.
    pub settled: Vec<(EntryId, Position)>,
    /// The new cursor of the feed.
    pub cursor: Option<Position>,
    /// From here on the feed is frozen (equivocation), or `Some(None)` for no longer.
    pub frozen: Option<Option<Position>>,
    /// The proof of it, to be kept.
    pub evidence: Option<Equivocation>,
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The newest records of these entries, each with at least the chunks that a reader with cursor `after` may lack; all
    /// chunks if `after` is `None` or a shorter answer is not at hand.
    Records {
        /// The entries, in order of position; `None` is the checkpoint.
        entries: Vec<Option<EntryId>>,
        /// The reader's cursor.
        after: Option<Position>,
    },
    /// The newest record of one entry with the changes that are not ancestors of `have`.
    Difference {
        /// The entry.
        entry: EntryId,
        /// Heads the reader has; may be unknown here.
        have: Vec<Hash>,
    },
    /// Records kept beside, with all changes that belong to them.
    Aside {
        /// Which ones.
        records: Vec<(EntryId, Position)>,
    },
}

/// Why nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The feed is not one this node publishes.
    #[error("this node does not publish in this collection")]
    NotPublisher,
    /// More items than one batch holds, the same entry twice in one feed, or none.
    #[error("a batch holds 1 to {} records per collection and each entry once", crate::limits::BATCH_RECORDS_MAX)]
    Batch,
    /// Too many requests wait.
    #[error("too many publish requests wait: {} at most", crate::limits::PUBLISH_QUEUE_MAX)]
    Busy,
    /// The feed stands because of an equivocation; a new term is needed.
    #[error("the collection is frozen: two different records claim one position; start a new publisher term")]
    Frozen,
    /// The collection has ended; what is left in it can only be withdrawn.
    #[error("the collection has ended, nothing new is published in it")]
    Ended,
    /// Our organisation takes part no more; what it said can only be redacted.
    #[error("this organisation takes part no more, nothing new is published")]
    Left,
    /// The entry has a higher generation already.
    #[error("the entry has generation {0} already")]
    Generation(u32),
    /// The collection would hold too many entries.
    #[error("the collection would hold more than {} entries", crate::limits::FEED_ENTRIES_MAX)]
    Full,
    /// The node was restored and has not heard yet what others hold of its own feeds ([`Event::Hold`](crate::Event)).
    #[error("nothing is published before partners have said what they hold of ours")]
    Held,
    /// It could not be made durable.
    #[error("could not be stored")]
    NotStored,
}

/// What a comparison says about one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The collection.
    pub feed: FeedId,
    /// Live entries here.
    pub ours: u64,
    /// Live entries there.
    pub theirs: u64,
    /// Entries that differ, tombstones included, sorted.
    pub differing: Vec<EntryId>,
}

/// Why nothing could be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// No connection, or it broke meanwhile.
    #[error("the partner is not connected")]
    NotConnected,
    /// The peer did not answer in time.
    #[error("the partner did not answer in time")]
    NoAnswer,
}
