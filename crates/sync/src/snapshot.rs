//! What the engine starts from: filled row by row while the store is read, without loading a document.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ortsnetz_model::{EntryId, FeedId, NodeId, OrgId, Position};
use ortsnetz_trust::Record;

use crate::effect::OfferHash;
use crate::feed::Feed;
use crate::organisation::Organisation;

/// The state of a stopped engine, rebuilt from the store.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(crate) feeds: BTreeMap<FeedId, Feed>,
    pub(crate) organisations: BTreeMap<OrgId, Arc<dyn Organisation>>,
    pub(crate) taken: BTreeMap<NodeId, OfferHash>,
    pub(crate) unfollowed: BTreeSet<FeedId>,
}

impl Snapshot {
    /// Takes in a stored record: the newest of its entry, or the newest checkpoint of its feed. Any order.
    pub fn record(&mut self, record: &Record) {
        self.feeds.entry(record.feed).or_default().take(record);
    }

    /// Takes in what was read beside it, of other feeds. What was read in order is packed: that is half the memory.
    pub fn join(&mut self, mut other: Self) {
        other.feeds.values_mut().for_each(|feed| feed.index.pack());
        self.feeds.append(&mut other.feeds);
        self.organisations.append(&mut other.organisations);
        self.taken.append(&mut other.taken);
        self.unfollowed.append(&mut other.unfollowed);
    }

    /// What was taken in of the records of one feed, in fewer bytes, for [`Snapshot::cached`].
    pub fn to_cache(&self, feed: &FeedId) -> Vec<u8> {
        self.feeds.get(feed).map(Feed::to_cache).unwrap_or_default()
    }

    /// Takes in what [`Snapshot::to_cache`] wrote, instead of the records of a feed. Nothing is taken in, and the answer is
    /// false, if these are not such bytes.
    #[must_use]
    pub fn cached(&mut self, feed: FeedId, bytes: &[u8]) -> bool {
        let Some(read) = Feed::from_cache(bytes) else { return false };
        self.feeds.insert(feed, read);
        true
    }

    /// Takes in the stored cursor of a feed.
    pub fn cursor(&mut self, feed: FeedId, cursor: Position) {
        self.feeds.entry(feed).or_default().cursor = cursor;
    }

    /// Takes in that a feed is frozen from a position on.
    pub fn frozen(&mut self, feed: FeedId, from: Position) {
        self.feeds.entry(feed).or_default().frozen = Some(from);
    }

    /// Takes in that a feed is not kept here; what else is taken in of it does not count.
    pub fn unfollowed(&mut self, feed: FeedId) {
        self.unfollowed.insert(feed);
    }

    /// Takes in a record that is kept beside.
    pub fn aside(&mut self, feed: FeedId, entry: EntryId, position: Position) {
        self.feeds.entry(feed).or_default().aside.insert((entry, position));
    }

    /// Takes in what is known of an organisation.
    pub fn organisation(&mut self, organisation: Arc<dyn Organisation>) {
        self.organisations.insert(organisation.id(), organisation);
    }

    /// Takes in what [`Effect::Remember`](crate::Effect::Remember) said last about a peer.
    pub fn taken(&mut self, node: NodeId, taken: OfferHash) {
        self.taken.insert(node, taken);
    }
}
