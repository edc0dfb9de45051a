//! Feeds of others that are not kept here although they may be read: nothing of them is asked for, whoever offers them is told
//! so, and tells and pushes nothing more of them on this connection.

use std::collections::BTreeSet;

use ortsnetz_model::{FeedId, NodeId};

use super::Engine;
use crate::effect::{Effect, Lane, OfferHash};
use crate::limits::FEEDS_PER_PEER_MAX;
use crate::wire::Message;

impl Engine {
    /// Whether a feed is kept here as far as that is our choice.
    pub(super) fn is_followed(&self, feed: &FeedId) -> bool {
        !self.unfollowed.contains(feed)
    }

    /// From now on a feed is kept here, or no longer.
    pub(super) fn follow(&mut self, feed: FeedId, follows: bool) {
        if feed.organisation == self.config.organisation {
            return;
        }
        let changed = if follows { self.unfollowed.remove(&feed) } else { self.unfollowed.insert(feed) };
        if !changed {
            return;
        }
        let nodes: Vec<_> = self.sessions.keys().copied().collect();
        if follows {
            // What was taken in completely was so without this feed: at the next greeting all is told once more.
            for node in std::mem::take(&mut self.taken).into_keys() {
                self.out.push_back(Effect::Remember { node, taken: OfferHash::default() });
            }
            for node in nodes {
                if let Some(session) = self.sessions.get_mut(&node) {
                    session.remembered = None;
                }
                if self.sessions.get_mut(&node).is_some_and(|session| session.told_unfollowed.remove(&feed)) {
                    self.send(&node, &Message::Follow { feed, follows: true }, Lane::Control);
                }
            }
            return;
        }
        let offered = |node: &NodeId| self.sessions.get(node).is_some_and(|session| session.has.contains_key(&feed));
        let tell: Vec<_> = nodes.into_iter().filter(offered).collect();
        self.forget_feeds(&BTreeSet::from([feed]));
        for node in tell {
            self.tell_unfollowed(&node, &feed);
        }
    }

    /// Tells a peer that offers a feed that we do not want it; once a connection.
    pub(super) fn tell_unfollowed(&mut self, node: &NodeId, feed: &FeedId) {
        let Some(session) = self.sessions.get_mut(node).filter(|session| session.open()) else { return };
        if session.told_unfollowed.len() < FEEDS_PER_PEER_MAX && session.told_unfollowed.insert(*feed) {
            self.send(node, &Message::Follow { feed: *feed, follows: false }, Lane::Control);
        }
    }

    /// A peer says whether it wants a feed.
    pub(super) fn peer_follows(&mut self, node: &NodeId, feed: &FeedId, follows: bool) {
        let Some(session) = self.sessions.get_mut(node) else { return };
        // What it may not have it need not refuse.
        if !follows && !session.offered.contains_key(feed) {
            return;
        }
        let changed = if follows { session.unwanted.remove(feed) } else { session.unwanted.insert(*feed) };
        if changed {
            session.has.remove(feed);
            session.told_again.remove(feed);
            self.refresh_offer(node, feed);
            self.tell.insert(*node);
        }
    }

    /// Whether a peer wants a feed, as far as it said.
    pub(super) fn is_wanted_by(&self, node: &NodeId, feed: &FeedId) -> bool {
        self.sessions.get(node).is_none_or(|session| !session.unwanted.contains(feed))
    }
}
