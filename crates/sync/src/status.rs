//! What the engine says about itself.

use ortsnetz_model::{EntryId, FeedId, Hash, NodeId, OrgId, Position};
use ortsnetz_trust::tree::Inclusion;

/// How a connected peer and we stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Which node.
    pub node: NodeId,
    /// Its organisation.
    pub organisation: OrgId,
    /// Whether both sides hold everything the other may give, durably, as far as we know.
    pub in_sync: bool,
    /// Records we still have to get from it; at least 1 per feed where the number is not known.
    pub behind: u64,
    /// Records it still has to get from us, counted alike.
    pub ahead: u64,
    /// Bytes received from it that are not stored yet.
    pub waiting: u64,
    /// Bytes handed over to be sent to it that have not left for the line yet, as far as we know.
    pub unread: u64,
    /// When both were last known to be in sync on this connection, milliseconds since 1970: the peer's last word, if they
    /// are now.
    pub last_sync_at: Option<u64>,
}

/// What is held of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStatus {
    /// Which feed.
    pub feed: FeedId,
    /// Up to where it is complete.
    pub cursor: Position,
    /// Root of the hash tree over what is held.
    pub root: Hash,
    /// Entries that are not withdrawn.
    pub live: u64,
    /// Entries, tombstones included.
    pub entries: u64,
    /// Time of the newest checkpoint.
    pub checkpoint_at: Option<u64>,
    /// Whether the newest checkpoint is too old, or somebody offers more than we hold.
    pub stale: bool,
    /// Whether the tree equals the signed totals at the cursor; `None` while it cannot be told.
    pub verified: Option<bool>,
    /// From where on the feed is frozen.
    pub frozen: Option<Position>,
    /// Records kept beside.
    pub aside: usize,
}

/// Counters since start, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames received.
    pub frames_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Records stored that came from peers.
    pub records_in: u64,
    /// Records sent to peers.
    pub records_out: u64,
    /// Records received that were held already.
    pub records_again: u64,
    /// Audits started because a tree differed from its signed root.
    pub audits: u64,
    /// Entries repaired by them.
    pub repaired: u64,
    /// Alarms raised.
    pub alarms: u64,
}

/// The way of a record through the hash tree of its feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Where the record stands.
    pub position: Position,
    /// What lies beside its way to the root.
    pub inclusion: Inclusion,
    /// The entry whose record is the newest of the feed and carries the root; `None` if that is the checkpoint.
    pub witness: Option<EntryId>,
}
