//! What a peer asks for, answered in its turn: nothing is read from disk for a peer that has not read what it got.

use std::collections::BTreeSet;

use ortsnetz_model::{EntryId, FeedId, Hash, NodeId, OrgId};

use super::{Engine, Op};
use crate::alarm::Alarm;
use crate::effect::{Effect, Item, Lane, Query};
use crate::limits::{CHANGES_BYTES, DOCUMENT_BYTES_MAX, REQUESTS_PER_PEER_MAX, SERVING_PER_PEER_MAX, WANT_HEADS_MAX};
use crate::wire::Message;

/// What a peer asks for.
#[derive(Debug)]
pub(super) enum Request {
    /// An entry with the changes beyond these heads.
    Entry { feed: FeedId, entry: Option<EntryId>, have: Vec<Hash> },
    /// Statements of an organisation.
    Chain(OrgId),
    /// Where our tree differs from this one.
    Tree { feed: FeedId, middles: Vec<u8> },
    /// What is held in these leaves.
    Leaves { feed: FeedId, leaves: BTreeSet<u16> },
}

/// An entry on its way from disk.
#[derive(Debug)]
pub(super) struct Load {
    node: NodeId,
    feed: FeedId,
    entry: Option<EntryId>,
}

impl Engine {
    /// A peer asks for something.
    pub(super) fn asked(&mut self, node: NodeId, request: Request) {
        let Some(session) = self.sessions.get_mut(&node) else { return };
        if session.requests.len() >= REQUESTS_PER_PEER_MAX {
            return self.misbehaved(&node, "more requests at a time than allowed".into());
        }
        if matches!(&request, Request::Entry { have, .. } if have.len() > WANT_HEADS_MAX) {
            return self.misbehaved(&node, "a request with more heads than allowed".into());
        }
        session.requests.push_back(request);
        self.serve(&node);
    }

    /// Answers what a peer asked for, as long as it reads.
    pub(super) fn serve(&mut self, node: &NodeId) {
        loop {
            let Some(session) = self.sessions.get_mut(node).filter(|s| s.open() && s.has_room()) else { return };
            let entry = matches!(session.requests.front(), Some(Request::Entry { .. }));
            if entry && session.serving >= SERVING_PER_PEER_MAX {
                return;
            }
            match session.requests.pop_front() {
                None => return,
                Some(Request::Entry { feed, entry, have }) => self.serve_entry(*node, feed, entry, have),
                Some(Request::Chain(organisation)) => self.serve_chain(*node, organisation),
                Some(Request::Tree { feed, middles }) => self.serve_tree(*node, feed, &middles),
                Some(Request::Leaves { feed, leaves }) => {
                    let rest = self.serve_leaves(*node, feed, leaves);
                    if let Some(session) = self.sessions.get_mut(node).filter(|_| !rest.is_empty()) {
                        session.requests.push_front(Request::Leaves { feed, leaves: rest });
                    }
                }
            }
        }
    }

    /// What was sent to a peer has left for the line.
    pub(super) fn drained(&mut self, node: &NodeId) {
        let Some(session) = self.sessions.get_mut(node) else { return };
        session.outgoing = session.outgoing.saturating_sub(session.draining.take().unwrap_or(0));
        if std::mem::take(&mut session.tell_later) {
            self.tell.insert(*node);
        }
        self.serve(node);
    }

    fn serve_entry(&mut self, node: NodeId, feed: FeedId, entry: Option<EntryId>, have: Vec<Hash>) {
        let Some(peer) = self.sessions.get(&node).map(|session| session.peer) else { return };
        let held = self.feeds.get(&feed).is_some_and(|held| match entry {
            // What lies above a gap is not offered, and not given singly either.
            Some(entry) => held.index.row(&entry).is_some_and(|row| row.position <= held.cursor),
            None => held.checkpoint.is_some(),
        });
        // The same answer whether it is not here or not for this peer.
        if !held || !self.may_serve(&feed, &peer) {
            self.send(&node, &Message::Gone { feed, entry }, Lane::Control);
            return;
        }
        if let Some(session) = self.sessions.get_mut(&node) {
            session.serving += 1;
        }
        let query = match entry {
            Some(entry) => Query::Difference { entry, have },
            None => Query::Records { entries: vec![None], after: None },
        };
        let op = self.question(Op::Want(Load { node, feed, entry }));
        self.out.push_back(Effect::Load { op, feed, query });
    }

    pub(super) fn want_loaded(&mut self, load: Load, items: Vec<Option<Item>>) {
        let Load { node, feed, entry } = load;
        let Some(session) = self.sessions.get_mut(&node) else { return };
        session.serving = session.serving.saturating_sub(1);
        let peer = session.peer;
        let item = items.into_iter().next().flatten();
        if item.is_none() {
            self.damaged(feed, entry);
        }
        self.give_entry(node, feed, entry, item.filter(|_| self.may_serve(&feed, &peer)));
        self.serve(&node);
    }

    /// Sends an entry in parts.
    fn give_entry(&mut self, node: NodeId, feed: FeedId, entry: Option<EntryId>, item: Option<Item>) {
        let bytes = |item: &Item| item.chunks.iter().map(Vec::len).sum::<usize>();
        if item.as_ref().is_some_and(|item| bytes(item) > DOCUMENT_BYTES_MAX) {
            // Nobody would take it.
            self.alarm(Alarm::Full { feed });
        }
        let Some(item) = item.filter(|item| bytes(item) <= DOCUMENT_BYTES_MAX) else {
            self.send(&node, &Message::Gone { feed, entry }, Lane::Control);
            return;
        };
        let (mut parts, mut bytes) = (vec![Vec::new()], 0);
        for chunk in item.chunks {
            if bytes + chunk.len() > CHANGES_BYTES {
                parts.push(Vec::new());
                bytes = 0;
            }
            bytes += chunk.len();
            if let Some(part) = parts.last_mut() {
                part.push(chunk.into());
            }
        }
        let mut record = Some(item.record.to_vec().into());
        let count = parts.len();
        for (at, chunks) in parts.into_iter().enumerate() {
            let last = at + 1 == count;
            self.send(&node, &Message::Changes { feed, entry, record: record.take(), chunks, last }, Lane::Live);
        }
        self.counters.records_out += 1;
    }
}
