//! Answers to `Want`: one entry with the changes the reader lacks, in parts.

use ortsnetz_model::{EntryId, FeedId, Hash, NodeId};

use super::{Engine, Op};
use crate::effect::{Effect, Item, Lane, Query};
use crate::limits::{CHANGES_BYTES, SERVING_PER_PEER_MAX};
use crate::wire::Message;

/// An entry on its way from disk.
#[derive(Debug)]
pub(super) struct Load {
    node: NodeId,
    feed: FeedId,
    entry: Option<EntryId>,
}

impl Engine {
    /// A peer wants an entry.
    pub(super) fn wanted(&mut self, node: NodeId, feed: FeedId, entry: Option<EntryId>, have: Vec<Hash>) {
        let Some(session) = self.sessions.get(&node) else { return };
        let (peer, serving) = (session.peer, session.serving);
        let held = self.feeds.get(&feed).is_some_and(|held| match entry {
            // What lies above a gap is not offered, and not given singly either.
            Some(entry) => held.index.row(&entry).is_some_and(|row| row.position <= held.cursor),
            None => held.checkpoint.is_some(),
        });
        // The same answer whether it is not here or not for this peer.
        if !held || !self.may_serve(&feed, &peer) || serving >= SERVING_PER_PEER_MAX {
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
        let Some(item) = item.filter(|_| self.may_serve(&feed, &peer)) else {
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
