//! Getting what others have more of: whom to ask, and what arrives.

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::{FeedId, NodeId};

use super::Engine;
use super::pipe::{Inbound, Page, Reading, Source};
use super::timer::Timer;
use crate::effect::{Item, Lane, OfferHash};
use crate::feed::START;
use crate::limits::{
    BLOCKED_MS, INBOX_BYTES_PER_PEER_MAX, INBOX_PER_PEER_MAX, PAGE_RECORDS_MAX, PIECE_BYTES, PIECES_MAX,
    PUSH_BYTES_PER_MINUTE, PUSH_RECORDS_PER_MINUTE, READING_FEEDS_MAX, READING_PER_PEER_MAX, REQUEST_MS,
};
use crate::wire::{Message, PageKind};

impl Engine {
    /// Whether somebody's position in a feed is news to us.
    fn is_news(&self, feed: &FeedId, theirs: ortsnetz_model::Position) -> bool {
        let held = self.feeds.get(feed);
        let frozen = held.and_then(|held| held.frozen).is_some_and(|frozen| theirs.term <= frozen.term);
        theirs > held.map_or(START, |held| held.cursor) && !frozen && !self.is_over(feed)
    }

    /// Looks whether one peer has more of a feed than we; the others only where that may have changed the wish.
    pub(super) fn review_wish_of(&mut self, node: &NodeId, feed: &FeedId) {
        let Some(session) = self.sessions.get(node) else { return };
        let theirs = session.has.get(feed).copied();
        let behind = !session.closing && theirs.is_some_and(|theirs| self.is_news(feed, theirs));
        if behind && self.may_read(feed) {
            self.wishes.insert(*feed);
            if let Some(session) = self.sessions.get_mut(node) {
                session.behind.insert(*feed);
            }
        } else if behind || session.behind.contains(feed) || self.wishes.contains(feed) {
            self.review_wish(feed);
        }
    }

    /// Looks who has more of a feed than we.
    pub(super) fn review_wish(&mut self, feed: &FeedId) {
        let nodes: Vec<_> = self
            .sessions
            .iter()
            .filter_map(|(node, session)| Some((*node, *session.has.get(feed)?, session.closing)))
            .collect();
        // What we may not read, or do not know yet that we may, is not asked for, but not forgotten either.
        let readable = self.may_read(feed);
        let mut wished = false;
        for (node, theirs, closing) in nodes {
            let behind = !closing && self.is_news(feed, theirs);
            wished |= behind && readable;
            if let Some(session) = self.sessions.get_mut(&node) {
                let changed = if behind { session.behind.insert(*feed) } else { session.behind.remove(feed) };
                if changed && !behind {
                    self.settle(&node);
                }
            }
        }
        if wished {
            self.wishes.insert(*feed);
        } else {
            self.wishes.remove(feed);
        }
    }

    pub(super) fn review_wishes(&mut self) {
        let mut feeds: BTreeSet<_> = std::mem::take(&mut self.wishes);
        feeds.extend(self.sessions.values().flat_map(|session| session.has.keys().copied()));
        for feed in feeds {
            self.review_wish(&feed);
        }
    }

    /// Starts catch-ups for feeds somebody has more of, a few at a time.
    pub(super) fn schedule_reading(&mut self) {
        if self.wishes.is_empty() {
            return;
        }
        let mut reading = BTreeMap::<NodeId, usize>::new();
        for node in self.pipes.values().filter_map(|pipe| pipe.reading.as_ref()).map(|reading| reading.node) {
            *reading.entry(node).or_default() += 1;
        }
        // Whom nothing more can be asked now: with thousands of wishes nobody looks through all of them for nothing.
        let full = |node: &NodeId, reading: &BTreeMap<NodeId, usize>| {
            reading.get(node).is_some_and(|feeds| *feeds >= READING_PER_PEER_MAX)
        };
        let able = self.sessions.values().filter(|session| session.open() && !session.behind.is_empty());
        let mut able: BTreeSet<NodeId> = able.map(|session| session.peer.node).collect();
        able.retain(|node| !full(node, &reading));
        if able.is_empty() {
            return;
        }
        let feeds: Vec<_> = self.wishes.iter().copied().collect();
        for feed in feeds {
            if able.is_empty() || reading.values().sum::<usize>() >= READING_FEEDS_MAX {
                return;
            }
            let busy = self.pipes.get(&feed).is_some_and(|pipe| {
                pipe.reading.is_some() || pipe.has_gap() || !pipe.idle() || pipe.retry_at > self.now
            });
            if busy || self.waits_for_chain(&feed.organisation) {
                continue;
            }
            let Some(node) = self.source_of(&feed).filter(|node| !full(node, &reading)) else { continue };
            let after = self.feeds.get(&feed).map_or(START, |held| held.cursor);
            let pipe = self.pipes.entry(feed).or_default();
            pipe.reading = Some(Reading { node, progress_at: self.now, next: after, all_here: false });
            self.send(&node, &Message::Get { feed, after }, Lane::Control);
            self.timers.set(self.now + REQUEST_MS, Timer::Feed(feed));
            *reading.entry(node).or_default() += 1;
            if full(&node, &reading) {
                able.remove(&node);
            }
        }
    }

    /// Whom to ask for a feed: its publisher, another node of its owner, whoever has most.
    pub(super) fn source_of(&self, feed: &FeedId) -> Option<NodeId> {
        self.sessions
            .values()
            .filter(|session| session.behind.contains(feed) && session.may_be_asked(feed, self.now))
            .max_by_key(|session| {
                let peer = &session.peer;
                let owner = peer.organisation == feed.organisation;
                (self.is_owner_node(feed, peer), owner, session.has.get(feed), peer.node)
            })
            .map(|session| session.peer.node)
    }

    /// A page arrived.
    pub(super) fn page(&mut self, node: NodeId, feed: FeedId, page: Page, offer: Option<OfferHash>) {
        if !self.is_followed(&feed) {
            return self.tell_unfollowed(&node, &feed);
        }
        if !self.may_read(&feed) {
            // Perhaps once the owner's statements are here.
            let waits = self.lacks_chain(&feed.organisation) || !self.organisations.contains_key(&feed.organisation);
            if let Some(session) = self.sessions.get_mut(&node).filter(|_| waits) {
                session.note(&feed, page.upto);
            }
            return;
        }
        let asked = self
            .pipes
            .get(&feed)
            .and_then(|pipe| pipe.reading.as_ref())
            // A page of the catch-up before this one is as good, if it leaves no gap; what is held drops out.
            .is_some_and(|reading| reading.node == node && !reading.all_here && page.after <= reading.next);
        if page.kind != PageKind::Live && !asked {
            return;
        }
        let pieces = page.items.iter().map(|item| item.chunks.len()).sum::<usize>();
        if page.items.len() > PAGE_RECORDS_MAX || pieces > PIECES_MAX {
            return self.misbehaved(&node, "a page of more records or changes than allowed".into());
        }
        let mistrusted = self.mistrusted.get(&node).and_then(|feeds| feeds.get(&feed));
        let mistrusted = mistrusted.is_some_and(|(until, _)| *until > self.now);
        let within_quota = page.kind != PageKind::Live || !mistrusted && self.count_push(&node, &page);
        if let Some(session) = self.sessions.get_mut(&node) {
            session.offer = offer.or(session.offer);
            // It has at least this; where nothing is known, only what is news to us says something.
            let ours = self.feeds.get(&feed).map_or(START, |held| held.cursor);
            if session.has.get(&feed).map_or(ours < page.upto, |has| *has < page.upto) {
                session.note(&feed, page.upto);
            }
        }
        let (count, waiting) = self.inbox(&node);
        let bytes = weight(&page.items);
        let pipe = self.pipes.entry(feed).or_default();
        if !within_quota || count >= INBOX_PER_PEER_MAX || waiting + bytes > INBOX_BYTES_PER_PEER_MAX {
            // What is dropped here is asked for later, as a catch-up at our own pace.
            if page.kind != PageKind::Live {
                pipe.reading = None;
            }
            return self.review_wish(&feed);
        }
        if asked
            && let Some(reading) = &mut pipe.reading
            && page.kind != PageKind::Live
        {
            reading.progress_at = self.now;
            reading.next = reading.next.max(page.upto);
            reading.all_here = matches!(page.kind, PageKind::Last | PageKind::Large);
        }
        let source = Source::Page { after: page.after, upto: page.upto, kind: page.kind };
        let inbound = Inbound { node, source, items: page.items, bytes };
        if page.kind == PageKind::Live {
            pipe.live.push_back(inbound);
        } else {
            pipe.bulk.push_back(inbound);
        }
        self.advance(&feed);
        self.review_wish(&feed);
    }

    /// Counts a push against the quota of its minute.
    pub(super) fn count_push(&mut self, node: &NodeId, page: &Page) -> bool {
        let Some(session) = self.sessions.get_mut(node) else { return false };
        let minute = self.now / 60_000;
        if session.pushed.0 != minute {
            session.pushed = (minute, 0, 0);
        }
        session.pushed.1 += page.bytes as u64;
        session.pushed.2 += page.items.len() as u64;
        session.pushed.1 <= PUSH_BYTES_PER_MINUTE && session.pushed.2 <= PUSH_RECORDS_PER_MINUTE
    }

    /// Pages and pushes of a peer that wait, and the bytes of these and of those being accepted and stored.
    pub(super) fn inbox(&self, node: &NodeId) -> (usize, usize) {
        let page = |source: &Source| matches!(source, Source::Page { .. });
        let mut sum = (0, 0);
        for pipe in self.pipes.values() {
            let waiting = pipe.live.iter().chain(&pipe.bulk).filter(|i| i.node == *node && page(&i.source));
            sum = waiting.fold(sum, |(count, bytes), inbound| (count + 1, bytes + inbound.bytes));
            sum.1 += pipe.works().filter(|w| w.node == *node && page(&w.source)).map(|w| w.bytes).sum::<usize>();
        }
        sum
    }

    /// Bytes of answers to `Want` of a peer that are not stored yet.
    pub(super) fn wanted_bytes(&self, node: &NodeId) -> usize {
        let want = |source: &Source| matches!(source, Source::Want { .. });
        let of = |pipe: &super::pipe::Pipe| {
            let coming = pipe.wants.values().filter(|w| w.node == *node && !w.arrived).map(|w| w.bytes);
            let waiting = pipe.live.iter().filter(|i| i.node == *node && want(&i.source)).map(|i| i.bytes);
            let works = pipe.works().filter(|w| w.node == *node && want(&w.source)).map(|w| w.bytes);
            coming.chain(waiting).chain(works).sum::<usize>()
        };
        self.pipes.values().map(of).sum()
    }

    /// A peer went away in the middle of something.
    pub(super) fn peer_gone(&mut self, feed: &FeedId, node: &NodeId) {
        let Some(pipe) = self.pipes.get_mut(feed) else { return };
        if pipe.reading.as_ref().is_some_and(|reading| reading.node == *node) {
            pipe.reading = None;
        }
        pipe.bulk.retain(|inbound| inbound.node != *node);
        pipe.audited.remove(node);
        pipe.unknown.remove(node);
        self.wants_lost(feed, node);
        self.clean(feed);
    }

    /// A catch-up is done, or given up.
    pub(super) fn end_reading(&mut self, feed: &FeedId) {
        if let Some(pipe) = self.pipes.get_mut(feed) {
            pipe.reading = None;
            pipe.bulk.clear();
        }
    }

    /// Does not ask a peer for a feed for a while.
    pub(super) fn block(&mut self, node: &NodeId, feed: &FeedId, time: u64) {
        let until = self.now + time;
        if let Some(session) = self.sessions.get_mut(node) {
            session.blocked.insert(*feed, until);
        }
        if time >= BLOCKED_MS {
            let (before, times) = self.mistrusted.entry(*node).or_default().entry(*feed).or_insert((0, 0));
            *times = if *before > self.now { *times + 1 } else { 1 };
            *before = until;
        }
        if let Some(pipe) = self.pipes.get_mut(feed) {
            pipe.bulk.retain(|inbound| inbound.node != *node);
            if pipe.reading.as_ref().is_some_and(|reading| reading.node == *node) {
                pipe.reading = None;
            }
        }
        self.timers.set(until, Timer::Feed(*feed));
    }

    /// Whether what was asked for goes on.
    pub(super) fn check_feed(&mut self, feed: FeedId) {
        let late = self.now.saturating_sub(REQUEST_MS);
        let Some(pipe) = self.pipes.get_mut(&feed) else { return };
        if pipe.retry_at <= self.now {
            pipe.retry_at = 0;
        }
        if pipe.audit_again.0 <= self.now {
            pipe.audited.clear();
        }
        let idle = pipe.idle();
        if let Some(reading) = &pipe.reading {
            if idle && reading.progress_at <= late {
                let node = reading.node;
                self.block(&node, &feed, REQUEST_MS);
            } else {
                self.timers.set(reading.progress_at.max(self.now) + REQUEST_MS, Timer::Feed(feed));
            }
        }
        self.check_wants(&feed, late);
        self.clean(&feed);
        self.check_tree(&feed);
    }

    pub(super) fn clean(&mut self, feed: &FeedId) {
        if self.pipes.get(feed).is_some_and(super::pipe::Pipe::is_empty) {
            self.pipes.remove(feed);
        }
    }
}

/// What records and changes count while they wait.
pub(super) fn weight(items: &[Item]) -> usize {
    let one =
        |item: &Item| item.record.len() + item.chunks.iter().map(|chunk| chunk.len() + PIECE_BYTES).sum::<usize>();
    items.iter().map(one).sum()
}
