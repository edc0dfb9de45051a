//! Who may read what. Every answer that leaves this node passes through here.

use std::sync::Arc;

use ortsnetz_model::{CollectionId, FeedId, NodeId, OrgId};

use super::Engine;
use super::offer::half;
use crate::event::Peer;
use crate::limits::LIST_AGE_MS;
use crate::organisation::{Organisation, Partnership, Sharing};

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
        if peer.organisation == feed.organisation {
            return owner.sharing(&feed.collection).is_some();
        }
        owner.reads(&feed.collection, &peer.organisation)
    }

    /// How a feed is shared, as far as we know.
    pub(super) fn sharing_of(&self, feed: &FeedId) -> Option<Sharing> {
        self.organisations.get(&feed.organisation)?.sharing(&feed.collection)
    }

    /// Whether new checkpoints should come in a feed: not where it has ended, nor where we are no readers any more.
    pub(super) fn is_expected(&self, feed: &FeedId) -> bool {
        self.may_read(feed) && self.sharing_of(feed).is_none_or(|sharing| !sharing.ended)
    }

    /// Whether one side ended the partnership with an organisation, and nobody has signed a new one. Such a peer is told
    /// so and gets nothing else.
    pub(super) fn has_parted(&self, other: &OrgId) -> bool {
        let own = self.config.organisation;
        let ours = self.organisations.get(&own).map_or(Partnership::None, |known| known.partnership(other));
        let theirs = self.organisations.get(other).map_or(Partnership::None, |known| known.partnership(&own));
        match (ours, theirs) {
            (Partnership::Ended(ours), Partnership::Signed(theirs)) => ours >= theirs,
            (Partnership::Signed(ours), Partnership::Ended(theirs)) => theirs >= ours,
            (Partnership::Ended(_), _) | (_, Partnership::Ended(_)) => true,
            _ => false,
        }
    }

    /// Whether an organisation takes part no more by now.
    pub(super) fn has_left(&self, organisation: &OrgId) -> bool {
        let leaves_at = self.organisations.get(organisation).and_then(|known| known.leaves_at());
        leaves_at.is_some_and(|at| at <= self.now)
    }

    /// Whether the certificate of this node was taken back. It is told so and gets nothing else.
    pub(super) fn is_turned_away(&self, peer: &Peer) -> bool {
        self.organisations.get(&peer.organisation).is_some_and(|known| known.is_revoked(&peer.node))
    }

    /// Whether the certificate of whoever wrote this record was taken back.
    pub(super) fn is_of_revoked(&self, feed: &FeedId, term: u32) -> bool {
        let owner = self.organisations.get(&feed.organisation);
        owner.is_some_and(|owner| owner.is_writer_revoked(&feed.collection, term))
    }

    /// Whether this node may take a feed in. Of an organisation that left it keeps what it has for a while, and wants no
    /// more; whoever left himself gets nothing of others.
    pub(super) fn may_read(&self, feed: &FeedId) -> bool {
        let me = Peer { node: self.config.node, organisation: self.config.organisation };
        if self.is_over(feed) {
            return false;
        }
        self.organisations.get(&feed.organisation).is_some_and(|owner| Self::is_reader(owner, feed, &me))
    }

    /// Whether anything about a feed may be said to a peer.
    pub(super) fn may_serve(&self, feed: &FeedId, peer: &Peer) -> bool {
        let Some(owner) = self.organisations.get(&feed.organisation) else { return false };
        if !Self::is_reader(owner, feed, peer) || self.has_parted(&peer.organisation) || self.is_turned_away(peer) {
            return false;
        }
        let own = self.config.organisation;
        // Whoever left gets what is still held of it, and nothing else; nobody gets that, nor anything from whoever left.
        let left = [feed.organisation, peer.organisation, own].iter().any(|organisation| self.has_left(organisation));
        if left && peer.organisation != feed.organisation {
            return false;
        }
        if feed.organisation == own || peer.organisation == own || peer.organisation == feed.organisation {
            return true;
        }
        // We are a relay between two others: only what may be passed on, and by a list that is the newest and not old.
        let Some(sharing) = self.sharing_of(feed) else { return false };
        if sharing.public {
            return true;
        }
        let Some((serial, at)) = self.feeds.get(feed).map(|feed| feed.list) else { return false };
        sharing.relay && sharing.serial == serial && self.now.saturating_sub(at) <= LIST_AGE_MS
    }

    /// Hash of what a peer may see of an organisation's statements, as far as we know them.
    pub(super) fn chain_hash_for(&self, organisation: &OrgId, peer: &Peer) -> Option<[u8; 16]> {
        let known = self.organisations.get(organisation)?;
        let shown = |collection: &CollectionId| self.may_mention(organisation, collection, peer);
        Some(half(&known.chain_hash(&self.config.organisation, &peer.organisation, &shown)))
    }

    /// Those statements.
    pub(super) fn chain_for(&self, organisation: &OrgId, peer: &Peer) -> Option<Vec<Vec<u8>>> {
        let known = self.organisations.get(organisation)?;
        let shown = |collection: &CollectionId| self.may_mention(organisation, collection, peer);
        Some(known.chain_for(&self.config.organisation, &peer.organisation, &shown))
    }

    /// Whether a peer on its reader list may hear from us of a collection that is not public. As a relay we keep silent
    /// where we would not pass the feed on: the list may have changed.
    fn may_mention(&self, organisation: &OrgId, collection: &CollectionId, peer: &Peer) -> bool {
        let direct = [self.config.organisation, peer.organisation].contains(organisation);
        let own = peer.organisation == self.config.organisation;
        direct || own || self.may_serve(&FeedId { organisation: *organisation, collection: *collection }, peer)
    }

    /// Whether a peer may see statements of an organisation beside those we offer feeds of.
    pub(super) fn is_owner_node(&self, feed: &FeedId, peer: &Peer) -> bool {
        peer.organisation == feed.organisation && self.publisher_of(feed).is_some_and(|(_, node)| node == peer.node)
    }
}
