//! Who may read what. Every answer that leaves this node passes through here.

use std::sync::Arc;

use ortsnetz_model::{FeedId, NodeId};
use ortsnetz_trust::statement::Readers;

use super::Engine;
use crate::event::Peer;
use crate::limits::LIST_AGE_MS;
use crate::organisation::Organisation;

impl Engine {
    /// The publisher of a feed: of its newest term, or the node whose drafts it holds.
    pub(super) fn publisher_of(&self, feed: &FeedId) -> Option<(u32, NodeId)> {
        let owner = self.organisations.get(&feed.organisation)?;
        match owner.drafts_of(&feed.collection) {
            Some(node) => Some((0, node)),
            None => owner.publisher(),
        }
    }

    /// The term in which this node publishes into a feed; `None` if it does not.
    pub(super) fn own_term(&self, feed: &FeedId) -> Option<u32> {
        if feed.organisation != self.config.organisation {
            return None;
        }
        let (term, node) = self.publisher_of(feed)?;
        (node == self.config.node).then_some(term)
    }

    /// Whether a node of the peer's organisation is on the reader list.
    fn is_reader(owner: &Arc<dyn Organisation>, feed: &FeedId, peer: &Peer) -> bool {
        if let Some(node) = owner.drafts_of(&feed.collection) {
            return peer.organisation == feed.organisation && (peer.node == node || owner.reads_drafts(&peer.node));
        }
        let Some(sharing) = owner.sharing(&feed.collection) else { return false };
        if peer.organisation == feed.organisation {
            return true;
        }
        match sharing.readers {
            Readers::Public => true,
            Readers::Organisations(readers) => readers.contains(&peer.organisation),
            Readers::Internal => false,
        }
    }

    /// Whether this node may hold a feed.
    pub(super) fn may_read(&self, feed: &FeedId) -> bool {
        let me = Peer { node: self.config.node, organisation: self.config.organisation };
        self.organisations.get(&feed.organisation).is_some_and(|owner| Self::is_reader(owner, feed, &me))
    }

    /// Whether anything about a feed may be said to a peer.
    pub(super) fn may_serve(&self, feed: &FeedId, peer: &Peer) -> bool {
        let Some(owner) = self.organisations.get(&feed.organisation) else { return false };
        if !Self::is_reader(owner, feed, peer) {
            return false;
        }
        let own = self.config.organisation;
        if feed.organisation == own || peer.organisation == own || peer.organisation == feed.organisation {
            return true;
        }
        // We are a relay between two others: only what may be passed on, and by a list that is the newest and not old.
        let Some(sharing) = owner.sharing(&feed.collection) else { return false };
        if sharing.readers == Readers::Public {
            return true;
        }
        let Some((serial, at)) = self.feeds.get(feed).map(|feed| feed.list) else { return false };
        sharing.relay && sharing.serial == serial && self.now.saturating_sub(at) <= LIST_AGE_MS
    }

    /// Whether a peer may see statements of an organisation beside those we offer feeds of.
    pub(super) fn is_owner_node(&self, feed: &FeedId, peer: &Peer) -> bool {
        peer.organisation == feed.organisation && self.publisher_of(feed).is_some_and(|(_, node)| node == peer.node)
    }
}
