//! The engine.

use std::collections::{BTreeMap, VecDeque};

use ortsnetz_model::{EntryId, FeedId, NodeId, OrgId, Position};

use crate::effect::Effect;
use crate::event::Event;
use crate::index::Row;
use crate::snapshot::Snapshot;
use crate::status::{Counters, FeedStatus, PeerStatus};

/// Who we are.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node.
    pub node: NodeId,
    /// Its organisation.
    pub organisation: OrgId,
    /// When this process started, milliseconds since 1970: the base of its epochs.
    pub started_at: u64,
    /// zstd level of pages; 3 is fast, 9 small.
    pub zstd_level: i32,
}

/// The replication engine of one node.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    snapshot: Snapshot,
    out: VecDeque<Effect>,
    counters: Counters,
}

impl Engine {
    /// An engine that goes on from `snapshot`. `seed` must be random and different for each process start: the instance id
    /// in records and greetings comes from it.
    pub fn new(config: Config, seed: u64, snapshot: Snapshot) -> Self {
        let _ = seed;
        Self { config, snapshot, out: VecDeque::new(), counters: Counters::default() }
    }

    /// Takes in what happened at `now` (milliseconds since 1970). Never blocks; the effects wait for
    /// [`Engine::poll_effect`].
    pub fn handle(&mut self, now: u64, event: Event) {
        let _ = (now, event, &self.config);
    }

    /// The next thing to do, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.out.pop_front()
    }

    /// How connected peers and we stand, by node.
    pub fn peers(&self) -> Vec<PeerStatus> {
        Vec::new()
    }

    /// What is held of every feed.
    pub fn feeds(&self) -> Vec<FeedStatus> {
        Vec::new()
    }

    /// What is held of one feed.
    pub fn feed(&self, _feed: &FeedId) -> Option<FeedStatus> {
        None
    }

    /// What is held of an entry in a feed.
    pub fn row(&self, feed: &FeedId, entry: &EntryId) -> Option<Row> {
        self.snapshot.feeds.get(feed)?.index.row(entry)
    }

    /// The entries held of a feed that are not withdrawn, in order of position.
    pub fn live_entries(&self, _feed: &FeedId) -> Vec<(EntryId, Position)> {
        Vec::new()
    }

    /// How far each organisation confirmed an own feed, by acknowledgements heard in this process.
    pub fn published_to(&self, _feed: &FeedId) -> BTreeMap<OrgId, Position> {
        BTreeMap::new()
    }

    /// Counters since start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
