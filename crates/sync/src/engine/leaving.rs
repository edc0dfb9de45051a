//! Organisations that take part no more: from their day on they get what is still held of them and nobody else does, what they
//! said is passed on for ever, and one day what was held is forgotten.

use std::collections::BTreeSet;

use ortsnetz_model::{FeedId, OrgId};

use super::timer::Timer;
use super::{Engine, Op};
use crate::event::Peer;

impl Engine {
    /// Sets a timer for the day on which an organisation leaves, if it lies ahead.
    pub(super) fn await_leaving(&mut self, organisation: &OrgId) {
        let leaves_at = self.organisations.get(organisation).and_then(|known| known.leaves_at());
        if let Some(at) = leaves_at.filter(|at| *at > self.now) {
            self.timers.set(at, Timer::Leaves(*organisation));
        }
    }

    /// The day has come, unless it was put off meanwhile.
    pub(super) fn leaves(&mut self, organisation: &OrgId) {
        if self.has_left(organisation) {
            self.offer_anew();
        } else {
            self.await_leaving(organisation);
        }
    }

    /// Who has left, as far as known.
    pub(super) fn leavers(&self) -> Vec<OrgId> {
        self.organisations.keys().filter(|id| self.has_left(id)).copied().collect()
    }

    /// Whether a peer hears from us what an organisation that left said at last, although it gets none of its feeds: it may
    /// have been away on the day, and nobody else may be left who tells it.
    pub(super) fn tells_of_leaving(&self, organisation: &OrgId, peer: &Peer) -> bool {
        self.has_left(organisation) && !self.has_parted(&peer.organisation) && !self.is_turned_away(peer)
    }

    /// Whether nothing more of a feed is wanted, whoever has it: its owner left, or we did, or it is not kept here.
    pub(super) fn is_over(&self, feed: &FeedId) -> bool {
        let own = self.config.organisation;
        let left = self.has_left(&feed.organisation) || self.has_left(&own);
        feed.organisation != own && (left || !self.is_followed(feed))
    }

    /// Whether a peer is asked for what we published before we left: it may still hold it, and gives it to nobody else.
    pub(super) fn gets_back(&self, feed: &FeedId, peer: &Peer) -> bool {
        let own = self.config.organisation;
        let reads = |owner: &std::sync::Arc<dyn crate::Organisation>| owner.reads(&feed.collection, &peer.organisation);
        feed.organisation == own && self.has_left(&own) && self.organisations.get(&own).is_some_and(reads)
    }

    /// What everybody may have from us, and what we want, is looked at again.
    pub(super) fn offer_anew(&mut self) {
        let nodes: Vec<_> = self.sessions.keys().copied().collect();
        let feeds: Vec<_> = self.feeds.keys().copied().collect();
        let leavers = self.leavers();
        for node in &nodes {
            for feed in &feeds {
                self.refresh_offer(node, feed);
            }
            for organisation in &leavers {
                self.refresh_chain(node, organisation);
            }
            if let Some(session) = self.sessions.get(node)
                && session.open()
                && !(session.untold.is_empty() && session.untold_chains.is_empty())
            {
                self.tell.insert(*node);
            }
        }
        self.review_wishes();
        for node in nodes {
            self.settle(&node);
        }
    }

    /// Whether anything of an organisation's feeds is being judged, stored or read now. Before it is forgotten, that ends.
    pub fn is_busy_with(&self, organisation: &OrgId) -> bool {
        let of_it = |feed: &FeedId| feed.organisation == *organisation;
        let stores = |op: &Op| match op {
            Op::Accept(feed) | Op::Store(feed) => of_it(feed),
            Op::TakeIn(_, whose) => whose == organisation,
            _ => false,
        };
        self.ops.values().any(stores)
    }

    /// Nothing of the feeds of an organisation that left is known any more.
    pub(super) fn forget(&mut self, organisation: &OrgId) {
        if *organisation == self.config.organisation || !self.has_left(organisation) {
            return;
        }
        let of_it = |feed: &&FeedId| feed.organisation == *organisation;
        let heard = self.sessions.values().flat_map(|session| session.has.keys());
        let feeds = self.feeds.keys().chain(heard).filter(of_it).copied().collect();
        self.forget_feeds(&feeds);
        self.census.remove(organisation);
    }

    /// Nothing of these feeds is known any more. The caller deletes the rows afterwards.
    pub(super) fn forget_feeds(&mut self, feeds: &BTreeSet<FeedId>) {
        let of_it = |feed: &FeedId| feeds.contains(feed);
        self.feeds.retain(|feed, _| !of_it(feed));
        self.pipes.retain(|feed, _| !of_it(feed));
        self.wishes.retain(|feed| !of_it(feed));
        self.hungry.retain(|feed| !of_it(feed));
        for trusted_less in self.mistrusted.values_mut() {
            trusted_less.retain(|feed, _| !of_it(feed));
        }
        for organisation in feeds.iter().map(|feed| feed.organisation).collect::<BTreeSet<_>>() {
            self.take_census(&organisation);
        }
        let nodes: Vec<_> = self.sessions.keys().copied().collect();
        for node in nodes {
            for feed in feeds {
                self.refresh_offer(&node, feed);
            }
            let Some(session) = self.sessions.get_mut(&node) else { continue };
            session.has.retain(|feed, _| !of_it(feed));
            session.behind.retain(|feed| !of_it(feed));
            session.told_again.retain(|feed, _| !of_it(feed));
            session.returned.retain(|feed| !of_it(feed));
            session.unkept.retain(|feed, _| !of_it(feed));
            session.blocked.retain(|feed, _| !of_it(feed));
            self.settle(&node);
        }
        self.stamp += 1;
    }
}
