//! What the engine says about itself when asked.

use std::collections::BTreeMap;

use ortsnetz_model::{EntryId, FeedId, OrgId, Position};

use super::Engine;
use super::session::Session;
use crate::feed::{Feed, START};
use crate::index::Row;
use crate::status::{Counters, FeedStatus, PeerStatus, Proof};

impl Engine {
    /// How connected peers and we stand, by node. Peers that have not greeted yet are left out.
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.sessions.values().filter(|session| session.open()).map(|session| self.peer_status(session)).collect()
    }

    fn peer_status(&self, session: &Session) -> PeerStatus {
        let cursor = |feed: &FeedId| self.feeds.get(feed).map_or(START, |held| held.cursor);
        let behind =
            session.behind.iter().map(|feed| distance(&cursor(feed), session.has.get(feed).unwrap_or(&START))).sum();
        let untold = session.untold.iter().map(|feed| distance(session.has.get(feed).unwrap_or(&START), &cursor(feed)));
        let known = session.offered.keys().filter(|feed| !session.untold.contains(feed)).filter_map(|feed| {
            let has = session.has.get(feed)?;
            Some(distance(has, &cursor(feed)))
        });
        let ahead: u64 = untold.chain(known).sum();
        let in_sync = self.in_sync(session);
        PeerStatus {
            node: session.peer.node,
            organisation: session.peer.organisation,
            in_sync,
            behind,
            ahead,
            waiting: self.waiting_bytes(session) as u64,
            unread: session.outgoing as u64,
            last_sync_at: if in_sync {
                Some(session.last_in)
            } else {
                session.last_sync_at.max(session.seen_in_sync_at)
            },
        }
    }

    /// Bytes held for a peer: pages and answers that wait, being accepted or stored, statements and trees coming in.
    fn waiting_bytes(&self, session: &Session) -> usize {
        let node = &session.peer.node;
        let chains = session.asking.iter().filter_map(|id| session.asked.get(id)).map(|asked| asked.bytes);
        self.inbox(node).1 + self.wanted_bytes(node) + chains.sum::<usize>()
    }

    /// Whether both sides hold everything the other may give, as far as we know.
    pub(super) fn in_sync(&self, session: &Session) -> bool {
        let waiting = session.asked.values().any(|asked| !asked.done);
        if session.offer.is_none() || waiting || !session.live.is_empty() || !session.behind.is_empty() {
            return false;
        }
        session.offered.keys().all(|feed| {
            let cursor = self.feeds.get(feed).map_or(START, |held| held.cursor);
            match session.has.get(feed) {
                Some(has) => *has >= cursor,
                // Never heard of: fine if it is not waiting to hear of it from us.
                None => !session.untold.contains(feed),
            }
        })
    }

    /// What is held of every feed.
    pub fn feeds(&self) -> Vec<FeedStatus> {
        self.feeds.iter().map(|(id, feed)| self.feed_status(id, feed)).collect()
    }

    /// What is held of one feed.
    pub fn feed(&self, id: &FeedId) -> Option<FeedStatus> {
        self.feeds.get(id).map(|feed| self.feed_status(id, feed))
    }

    fn feed_status(&self, id: &FeedId, feed: &Feed) -> FeedStatus {
        let old = feed.is_old(self.now) && self.is_expected(id);
        FeedStatus {
            feed: *id,
            cursor: feed.cursor,
            root: feed.index.root(),
            live: feed.index.live(),
            entries: feed.index.len() as u64,
            checkpoint_at: feed.checkpoint.as_ref().map(|marker| marker.at),
            stale: old || self.wishes.contains(id),
            verified: feed.verified(),
            frozen: feed.frozen,
            aside: feed.aside.len(),
        }
    }

    /// What is held of an entry in a feed.
    pub fn row(&self, feed: &FeedId, entry: &EntryId) -> Option<Row> {
        self.feeds.get(feed)?.index.row(entry)
    }

    /// What shows that the record of an entry stands under a signed root: its position, the way through the tree, and
    /// where the newest record of the feed stands, which carries that root. `None` while the feed is not complete here,
    /// or differs from what was signed.
    pub fn proof(&self, feed: &FeedId, entry: &EntryId) -> Option<Proof> {
        let held = self.feeds.get(feed)?;
        if held.verified() != Some(true) {
            return None;
        }
        let position = held.index.row(entry)?.position;
        let witness = held.index.at(&held.cursor);
        Some(Proof { position, inclusion: held.index.inclusion(entry)?, witness })
    }

    /// The entries held of a feed, tombstones included, in order of position.
    pub fn entries(&self, feed: &FeedId) -> impl Iterator<Item = (Position, EntryId)> + '_ {
        const END: Position = Position { term: u32::MAX, epoch: u64::MAX, sequence: u64::MAX };
        self.feeds.get(feed).into_iter().flat_map(|feed| feed.index.range(START, END))
    }

    /// How far each other organisation confirmed an own feed, by what was heard in this process.
    pub fn published_to(&self, feed: &FeedId) -> BTreeMap<OrgId, Position> {
        let first = (*feed, OrgId([0; 32]));
        let last = (*feed, OrgId([0xff; 32]));
        self.confirmed.range(first..=last).map(|((_, organisation), position)| (*organisation, *position)).collect()
    }

    /// The random number of this process in records and greetings.
    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// Counters since start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// Records between two positions, as far as the positions tell.
fn distance(from: &Position, to: &Position) -> u64 {
    if to <= from {
        0
    } else if (from.term, from.epoch) == (to.term, to.epoch) {
        to.sequence - from.sequence
    } else {
        to.sequence.max(1)
    }
}
