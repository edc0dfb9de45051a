//! `compare PARTNER`: the trees of all collections both may read, one after the other.

use ortsnetz_model::{EntryId, FeedId, NodeId};

use super::Engine;
use crate::effect::{CompareError, Comparison, Effect};
use crate::event::OpId;

#[derive(Debug)]
pub(super) struct Job {
    node: NodeId,
    waiting: Vec<FeedId>,
    done: Vec<Comparison>,
}

impl Engine {
    pub(super) fn compare(&mut self, op: OpId, node: NodeId) {
        let Some(session) = self.sessions.get(&node).filter(|session| session.open()) else {
            self.out.push_back(Effect::Compared { op, result: Err(CompareError::NotConnected) });
            return;
        };
        let (own, theirs) = (self.config.organisation, session.peer.organisation);
        let both = |feed: &&FeedId| feed.organisation == own || feed.organisation == theirs;
        let mut waiting: Vec<_> = session.offered.keys().chain(session.has.keys()).filter(both).copied().collect();
        waiting.retain(|feed| self.may_read(feed) && self.may_serve(feed, &session.peer));
        waiting.sort_unstable();
        waiting.dedup();
        waiting.reverse();
        self.compares.insert(op, Job { node, waiting, done: Vec::new() });
        self.compare_next(op);
    }

    fn compare_next(&mut self, op: OpId) {
        let Some(job) = self.compares.get_mut(&op) else { return };
        match job.waiting.pop() {
            Some(feed) => {
                let node = job.node;
                self.begin_audit(node, &feed, false, Some(op));
            }
            None => {
                let done = self.compares.remove(&op).map(|job| job.done).unwrap_or_default();
                self.out.push_back(Effect::Compared { op, result: Ok(done) });
            }
        }
    }

    pub(super) fn compared(&mut self, op: OpId, feed: FeedId, theirs: u64, differing: Vec<EntryId>) {
        let ours = self.feeds.get(&feed).map_or(0, |feed| feed.index.live());
        if let Some(job) = self.compares.get_mut(&op) {
            job.done.push(Comparison { feed, ours, theirs, differing });
        }
        self.compare_next(op);
    }

    pub(super) fn compare_unanswered(&mut self, op: OpId) {
        if self.compares.remove(&op).is_some() {
            self.out.push_back(Effect::Compared { op, result: Err(CompareError::NoAnswer) });
        }
    }

    pub(super) fn compare_peer_gone(&mut self, node: &NodeId) {
        let ops: Vec<_> = self.compares.iter().filter(|(_, job)| job.node == *node).map(|(op, _)| *op).collect();
        for op in ops {
            self.compares.remove(&op);
            self.out.push_back(Effect::Compared { op, result: Err(CompareError::NotConnected) });
        }
    }
}
