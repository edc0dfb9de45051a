//! Entries asked for singly: changes that a page lacked, and what an audit found missing.

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::{EntryId, FeedId, Hash, NodeId};

use super::Engine;
use super::pipe::{Inbound, Source, Wanted, Work};
use super::timer::Timer;
use crate::effect::{Item, Lane};
use crate::event::Verdict;
use crate::limits::{DOCUMENT_BYTES_MAX, PIECES_MAX, REQUEST_MS, WANTED_BYTES_PER_PEER_MAX, WANTS_MAX};
use crate::wire::Message;

impl Engine {
    /// Asks a peer for an entry, the difference to `have`.
    pub(super) fn want(
        &mut self,
        feed: &FeedId,
        entry: Option<EntryId>,
        node: &NodeId,
        have: Vec<Hash>,
        source: Source,
    ) {
        let pipe = self.pipes.entry(*feed).or_default();
        let repair = matches!(source, Source::Want { repair: true });
        if let Source::Page { .. } = source {
            // What comes behind the gap would come again anyhow.
            pipe.reading = None;
            pipe.bulk.clear();
        }
        let mut tried = BTreeSet::new();
        if let Some(wanted) = pipe.wants.remove(&entry) {
            if !wanted.arrived {
                pipe.wants.insert(entry, wanted);
                return;
            }
            // It came and was still not enough: this peer cannot help.
            tried = wanted.tried;
            tried.insert(wanted.node);
        }
        let wanted = Wanted {
            node: *node,
            have,
            repair,
            asked_at: self.now,
            sent: false,
            passing: false,
            arrived: false,
            record: None,
            chunks: Vec::new(),
            bytes: 0,
            tried,
        };
        pipe.wants.insert(entry, wanted);
        self.send_wants(feed);
    }

    /// Sends as many requests as may be open, each to a peer that was not tried.
    pub(super) fn send_wants(&mut self, feed: &FeedId) {
        let Some(pipe) = self.pipes.get(feed) else { return };
        let mut own = pipe.wants.values().filter(|wanted| wanted.is_open()).count();
        let waiting: Vec<_> = pipe
            .wants
            .iter()
            .filter(|(_, wanted)| !wanted.sent && !wanted.passing)
            .take(WANTS_MAX.saturating_sub(own))
            .map(|(entry, wanted)| (*entry, wanted.node, wanted.tried.clone()))
            .collect();
        let mut open = BTreeMap::new();
        if !waiting.is_empty() {
            for wanted in self.pipes.values().flat_map(|pipe| pipe.wants.values()).filter(|wanted| wanted.is_open()) {
                *open.entry(wanted.node).or_insert(0) += 1;
            }
        }
        let mut lost = false;
        for (entry, node, tried) in waiting {
            let usable = |node: &NodeId| {
                !tried.contains(node) && self.sessions.get(node).is_some_and(|s| s.may_be_asked(feed, self.now))
            };
            let other = || {
                let mut peers = self.sessions.values().filter(|s| {
                    s.offered.contains_key(feed) || s.has.contains_key(feed) && self.may_serve(feed, &s.peer)
                });
                peers.find(|s| usable(&s.peer.node)).map(|s| s.peer.node)
            };
            let node = if usable(&node) { Some(node) } else { other() };
            let full = node.is_some_and(|node| {
                let max = self.sessions.get(&node).map_or(0, |session| session.wants_max);
                open.get(&node).is_some_and(|open| *open >= max)
                    || self.wanted_bytes(&node) > WANTED_BYTES_PER_PEER_MAX - DOCUMENT_BYTES_MAX
            });
            if full {
                // Answers to what was asked in this feed bring it here again; if there are none, any event does.
                if own == 0 {
                    self.hungry.insert(*feed);
                }
                continue;
            }
            let Some(pipe) = self.pipes.get_mut(feed) else { return };
            let Some(node) = node else {
                lost |= pipe.wants.remove(&entry).is_some_and(|wanted| !wanted.repair);
                continue;
            };
            let Some(wanted) = pipe.wants.get_mut(&entry) else { continue };
            *open.entry(node).or_insert(0) += 1;
            own += 1;
            (wanted.node, wanted.asked_at, wanted.sent) = (node, self.now, true);
            let message = Message::Want { feed: *feed, entry, have: wanted.have.clone() };
            self.send(&node, &message, Lane::Control);
            self.timers.set(self.now + REQUEST_MS, Timer::Feed(*feed));
        }
        if lost {
            // Nobody can help now: rest before the catch-up is tried again.
            let until = self.now + REQUEST_MS;
            if let Some(pipe) = self.pipes.get_mut(feed) {
                pipe.retry_at = until;
            }
            self.timers.set(until, Timer::Feed(*feed));
        }
        self.check_tree(feed);
    }

    /// A part of an entry asked for.
    pub(super) fn changes(
        &mut self,
        node: NodeId,
        feed: FeedId,
        entry: Option<EntryId>,
        record: Option<Vec<u8>>,
        chunks: Vec<Vec<u8>>,
        last: bool,
    ) {
        let Some(pipe) = self.pipes.get_mut(&feed) else { return };
        let Some(wanted) = pipe.wants.get_mut(&entry) else { return };
        if wanted.node == node && wanted.passing && last {
            wanted.passing = false;
            return self.send_wants(&feed);
        }
        if wanted.node != node || !wanted.is_open() {
            return;
        }
        wanted.asked_at = self.now;
        wanted.bytes += chunks.iter().map(Vec::len).sum::<usize>();
        if wanted.bytes > DOCUMENT_BYTES_MAX || wanted.chunks.len() + chunks.len() > PIECES_MAX {
            return self.misbehaved(&node, "a document larger than allowed".into());
        }
        wanted.record = record.or(wanted.record.take());
        wanted.chunks.extend(chunks);
        if self.wanted_bytes(&node) > WANTED_BYTES_PER_PEER_MAX {
            return self.put_off(&node, &feed, &entry, last);
        }
        if !last {
            return;
        }
        let Some(wanted) = self.pipes.get_mut(&feed).and_then(|pipe| pipe.wants.get_mut(&entry)) else { return };
        let Some(record) = wanted.record.take() else { return self.gone(&node, feed, entry) };
        wanted.arrived = true;
        let chunks = std::mem::take(&mut wanted.chunks);
        let source = Source::Want { repair: wanted.repair };
        let bytes = wanted.bytes + record.len();
        let items = vec![Item { record: record.into(), chunks }];
        let Some(pipe) = self.pipes.get_mut(&feed) else { return };
        pipe.live.push_back(Inbound { node, source, items, bytes });
        self.advance(&feed);
    }

    /// More came than is held at once: this entry is asked for again, and from now on fewer at a time.
    fn put_off(&mut self, node: &NodeId, feed: &FeedId, entry: &Option<EntryId>, last: bool) {
        if let Some(session) = self.sessions.get_mut(node) {
            session.wants_max = (session.wants_max / 2).max(1);
        }
        if let Some(wanted) = self.pipes.get_mut(feed).and_then(|pipe| pipe.wants.get_mut(entry)) {
            (wanted.record, wanted.chunks, wanted.bytes) = (None, Vec::new(), 0);
            (wanted.sent, wanted.passing) = (false, !last);
        }
        self.hungry.insert(*feed);
    }

    /// A peer cannot give an entry asked for.
    pub(super) fn gone(&mut self, node: &NodeId, feed: FeedId, entry: Option<EntryId>) {
        let Some(pipe) = self.pipes.get_mut(&feed) else { return };
        let Some(wanted) = pipe.wants.get_mut(&entry) else { return };
        if wanted.node == *node && wanted.is_open() {
            wanted.start_again();
            self.send_wants(&feed);
        }
    }

    /// What was asked for singly has arrived and is stored, or was held by then.
    pub(super) fn answered(&mut self, feed: &FeedId, work: &Work) {
        let Source::Want { repair } = work.source else { return };
        let Some(pipe) = self.pipes.get_mut(feed) else { return };
        for (record, place) in &work.records {
            let good = place.is_none_or(|place| matches!(work.verdicts.get(place), Some(Verdict::Valid { .. })));
            if !pipe.wants.get(&record.entry).is_some_and(|wanted| wanted.arrived) {
                continue;
            }
            pipe.wants.remove(&record.entry);
            if repair
                && good
                && let Some(entry) = record.entry
            {
                pipe.repaired.insert(entry);
            }
        }
        self.send_wants(feed);
    }

    /// Requests to a peer that is gone, or not to be asked any more, go elsewhere.
    pub(super) fn wants_lost(&mut self, feed: &FeedId, node: &NodeId) {
        let Some(pipe) = self.pipes.get_mut(feed) else { return };
        let mut any = false;
        for wanted in pipe.wants.values_mut().filter(|wanted| wanted.node == *node) {
            wanted.start_again();
            any = true;
        }
        if any {
            self.send_wants(feed);
        }
    }

    pub(super) fn check_wants(&mut self, feed: &FeedId, late: u64) {
        let Some(pipe) = self.pipes.get_mut(feed) else { return };
        for wanted in pipe.wants.values_mut() {
            if (wanted.is_open() || wanted.passing) && wanted.asked_at <= late {
                wanted.start_again();
            }
        }
        if !pipe.wants.is_empty() {
            self.timers.set(self.now + REQUEST_MS, Timer::Feed(*feed));
            self.send_wants(feed);
        }
    }
}
