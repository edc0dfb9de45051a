//! Comparing trees with a peer: upper buckets, leaves, items; three round trips. For repair, or because a person asks.

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::{EntryId, FeedId, Hash, NodeId, Position};

use super::Engine;
use super::offer::half;
use super::pipe::Source;
use super::timer::Timer;
use crate::alarm::Alarm;
use crate::effect::{Lane, StoreBatch};
use crate::event::OpId;
use crate::feed::START;
use crate::index::{FAN, LEAVES};
use crate::limits::{AUDIT_ANEW_MS, AUDITS_PER_PEER_MAX, BLOCKED_MS, OWN_LOSS_MS, REQUEST_MS, SET_ASIDE_MAX};
use crate::wire::{AuditItem, Bucket, Message};

/// Items in one `AuditItems` frame.
const ITEMS_PER_FRAME: usize = 8192;

/// Trees being compared, by peer and feed.
#[derive(Debug, Default)]
pub(super) struct Audits(BTreeMap<(NodeId, FeedId), Audit>);

impl Audits {
    /// Repairs under way with a peer.
    fn repairs(&self, node: &NodeId) -> usize {
        self.0.iter().filter(|((peer, _), audit)| peer == node && audit.repair).count()
    }
}

#[derive(Debug)]
struct Audit {
    repair: bool,
    compare: Option<OpId>,
    stage: Stage,
    since: u64,
    live: u64,
    root: Hash,
    leaves: Vec<u16>,
    items: Vec<AuditItem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Buckets,
    Items,
}

impl Engine {
    /// Compares our tree with the signed totals once nothing of the feed is under way, and starts a repair if it differs.
    pub(super) fn check_tree(&mut self, id: &FeedId) {
        let Some(feed) = self.feeds.get(id).filter(|_| !self.is_over(id)) else { return };
        let quiet =
            self.pipes.get(id).is_none_or(|pipe| pipe.idle() && pipe.wants.is_empty() && pipe.reading.is_none());
        if !quiet || feed.frozen.is_some() {
            return;
        }
        // In the middle of a catch-up the tree is that of no moment, and the checkpoint may be still to come.
        if self.wishes.contains(id) && self.source_of(id).is_some() {
            return;
        }
        let lost_checkpoint = feed.checkpoint.is_none() && feed.cursor > START;
        let verified = feed.verified();
        if lost_checkpoint || verified == Some(false) {
            let pipe = self.pipes.entry(*id).or_default();
            if !pipe.suspicious {
                pipe.suspicious = true;
                self.counters.audits += 1;
            }
            return self.start_audit(id, lost_checkpoint);
        }
        let Some(pipe) = self.pipes.get_mut(id) else { return };
        if verified == Some(true) && pipe.suspicious {
            pipe.suspicious = false;
            pipe.audited.clear();
            pipe.audit_again = (0, 0);
            let repaired = std::mem::take(&mut pipe.repaired).len();
            if repaired > 0 {
                self.counters.repaired += repaired as u64;
                self.alarm(Alarm::Repaired { feed: *id, entries: repaired });
            }
            self.tell_repaired(id);
        }
        self.clean(id);
    }

    /// Peers that could not get from us what was missing may try again.
    fn tell_repaired(&mut self, id: &FeedId) {
        let cursor = self.feeds.get(id).map_or(START, |feed| feed.cursor);
        for (node, session) in &mut self.sessions {
            if session.offered.contains_key(id) && session.has.get(id).is_some_and(|has| *has <= cursor) {
                session.untold.insert(*id);
                self.tell.insert(*node);
            }
        }
    }

    /// A peer that could not explain the difference says what it has, as it does once it is repaired itself.
    pub(super) fn audit_anew(&mut self, node: &NodeId, id: &FeedId, cursor: Position) {
        let here = self.feeds.get(id).map_or(START, |feed| feed.cursor);
        let Some(pipe) = self.pipes.get_mut(id) else { return };
        if pipe.suspicious && cursor == here && pipe.audit_anew_at <= self.now && pipe.audited.remove(node) {
            pipe.audit_anew_at = self.now + AUDIT_ANEW_MS;
        }
    }

    /// Peers came or moved: what could not be repaired is tried again.
    pub(super) fn recheck_suspicious(&mut self) {
        let feeds: Vec<_> = self.pipes.iter().filter(|(_, pipe)| pipe.suspicious).map(|(id, _)| *id).collect();
        for feed in feeds {
            self.check_tree(&feed);
        }
    }

    fn start_audit(&mut self, id: &FeedId, lost_checkpoint: bool) {
        if self.audits.0.iter().any(|((_, feed), audit)| feed == id && audit.repair) {
            return;
        }
        let Some(pipe) = self.pipes.get(id) else { return };
        let tried = &pipe.audited;
        let node = self
            .sessions
            .values()
            .filter(|s| !tried.contains(&s.peer.node) && s.may_be_asked(id, self.now))
            .filter(|s| self.may_serve(id, &s.peer) || self.gets_back(id, &s.peer))
            // Others first; then this feed is looked at again.
            .filter(|s| self.audits.repairs(&s.peer.node) < AUDITS_PER_PEER_MAX)
            .max_by_key(|s| (self.is_owner_node(id, &s.peer), s.peer.organisation == id.organisation, s.peer.node))
            .map(|s| s.peer.node);
        let Some(node) = node else { return self.audit_later(id) };
        if lost_checkpoint {
            self.pipes.entry(*id).or_default().audited.insert(node);
            return self.want(id, None, &node, Vec::new(), Source::Want { repair: true });
        }
        self.begin_audit(node, id, true, None);
    }

    /// Nobody can explain the difference now: later, and later again.
    fn audit_later(&mut self, id: &FeedId) {
        let Some(pipe) = self.pipes.get_mut(id) else { return };
        if !pipe.audited.is_empty() && pipe.audit_again.0 <= self.now {
            let wait = (pipe.audit_again.1 * 2).clamp(REQUEST_MS, BLOCKED_MS);
            pipe.audit_again = (self.now + wait, wait);
            self.timers.set(self.now + wait, Timer::Feed(*id));
            if wait >= OWN_LOSS_MS && self.own_term(id).is_some() {
                // Lost with a disk, and no partner has it: what we hold is what there is.
                self.count_anew(id);
            }
        }
    }

    pub(super) fn begin_audit(&mut self, node: NodeId, id: &FeedId, repair: bool, compare: Option<OpId>) {
        let audit = self.audits.0.entry((node, *id)).or_insert(Audit {
            repair: false,
            compare: None,
            stage: Stage::Buckets,
            since: self.now,
            live: 0,
            root: Hash([0; 32]),
            leaves: Vec::new(),
            items: Vec::new(),
        });
        audit.repair |= repair;
        audit.compare = compare.or(audit.compare);
        (audit.stage, audit.since) = (Stage::Buckets, self.now);
        audit.items.clear();
        let middles = self.feeds.get(id).map(|feed| feed.index.middles()).unwrap_or_else(|| vec![Hash([0; 32]); FAN]);
        let middles = middles.iter().flat_map(half).collect();
        self.send(&node, &Message::Audit { feed: *id, middles }, Lane::Control);
        self.timers.set(self.now + REQUEST_MS, Timer::Audits);
    }

    /// A peer compares its tree with ours.
    pub(super) fn serve_tree(&mut self, node: NodeId, id: FeedId, middles: &[u8]) {
        let Some(peer) = self.sessions.get(&node).map(|session| session.peer) else { return };
        if middles.len() != FAN * 16 {
            return self.misbehaved(&node, "an audit of a wrong size".into());
        }
        let served = self.may_serve(&id, &peer);
        let message = match self.feeds.get(&id).filter(|_| served) {
            Some(feed) => {
                let ours = feed.index.middles();
                let differs = |number: &usize| half(&ours[*number]) != middles[number * 16..number * 16 + 16];
                let buckets = (0..FAN)
                    .filter(differs)
                    .map(|number| Bucket {
                        number: number as u8,
                        leaves: feed.index.leaves(number).iter().flat_map(half).collect(),
                    })
                    .collect();
                let (root, live) = (feed.index.root(), feed.index.live());
                Message::AuditBuckets { feed: id, cursor: feed.cursor, root, live, buckets }
            }
            // As if there was nothing, whoever asks.
            None => {
                Message::AuditBuckets { feed: id, cursor: START, root: Hash([0; 32]), live: 0, buckets: Vec::new() }
            }
        };
        self.send(&node, &message, Lane::Control);
    }

    pub(super) fn audit_buckets(
        &mut self,
        node: NodeId,
        id: FeedId,
        cursor: Position,
        root: Hash,
        live: u64,
        buckets: Vec<Bucket>,
    ) {
        let now = self.now;
        let Some(audit) = self.audits.0.get_mut(&(node, id)).filter(|audit| audit.stage == Stage::Buckets) else {
            return;
        };
        let feed = self.feeds.get(&id);
        let ours = feed.map_or(START, |feed| feed.cursor);
        (audit.live, audit.root, audit.since) = (live, root, now);
        let nothing_there = cursor == START && root == Hash([0; 32]);
        if audit.compare.is_none() && cursor != ours {
            // Another state than ours: nothing to learn here about what is missing.
            return self.audit_failed(node, id);
        }
        if buckets.len() > FAN {
            return self.misbehaved(&node, "an audit answer of a wrong size".into());
        }
        let mut leaves = Vec::new();
        for bucket in &buckets {
            let number = usize::from(bucket.number);
            if number >= FAN || bucket.leaves.len() != FAN * 16 {
                return self.misbehaved(&node, "an audit answer of a wrong size".into());
            }
            let ours = feed.map(|feed| feed.index.leaves(number)).unwrap_or_else(|| vec![Hash([0; 32]); FAN]);
            let differing = (0..FAN).filter(|leaf| half(&ours[*leaf]) != bucket.leaves[leaf * 16..leaf * 16 + 16]);
            leaves.extend(differing.map(|leaf| (number * FAN + leaf) as u16));
        }
        if nothing_there && let Some(feed) = feed {
            leaves = (0..LEAVES as u16).filter(|leaf| feed.index.leaf(*leaf).next().is_some()).collect();
        }
        leaves.sort_unstable();
        leaves.dedup();
        audit.leaves = leaves;
        audit.stage = Stage::Items;
        if nothing_there || audit.leaves.is_empty() {
            return self.audit_done(node, id);
        }
        let leaves = audit.leaves.clone();
        self.send(&node, &Message::AuditLeaves { feed: id, leaves }, Lane::Control);
    }

    /// A peer wants to know what we hold in some leaves. Answers for as many as fit a frame; returns the others.
    pub(super) fn serve_leaves(&mut self, node: NodeId, id: FeedId, mut leaves: BTreeSet<u16>) -> BTreeSet<u16> {
        let Some(peer) = self.sessions.get(&node).map(|session| session.peer) else { return BTreeSet::new() };
        let mut items = Vec::new();
        match self.feeds.get(&id).filter(|_| self.may_serve(&id, &peer)) {
            Some(feed) => {
                while items.len() < ITEMS_PER_FRAME
                    && let Some(leaf) = leaves.pop_first()
                {
                    if usize::from(leaf) < LEAVES {
                        items.extend(
                            feed.index.leaf(leaf).map(|(entry, row)| AuditItem { entry, item: half(&row.item) }),
                        );
                    }
                }
            }
            None => leaves.clear(),
        }
        let mut parts: Vec<_> = items.chunks(ITEMS_PER_FRAME).map(<[AuditItem]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let count = parts.len();
        for (at, items) in parts.into_iter().enumerate() {
            let last = leaves.is_empty() && at + 1 == count;
            self.send(&node, &Message::AuditItems { feed: id, items, last }, Lane::Control);
        }
        leaves
    }

    pub(super) fn audit_items(&mut self, node: NodeId, id: FeedId, items: Vec<AuditItem>, last: bool) {
        let now = self.now;
        let Some(audit) = self.audits.0.get_mut(&(node, id)).filter(|audit| audit.stage == Stage::Items) else {
            return;
        };
        audit.since = now;
        audit.items.extend(items);
        if audit.items.len() > crate::limits::FEED_ENTRIES_MAX {
            return self.misbehaved(&node, "an audit answer with more entries than allowed".into());
        }
        if last {
            self.audit_done(node, id);
        }
    }

    /// Everything that differs is known.
    fn audit_done(&mut self, node: NodeId, id: FeedId) {
        let Some(audit) = self.audits.0.remove(&(node, id)) else { return };
        let theirs: BTreeMap<_, _> = audit.items.iter().map(|item| (item.entry, item.item)).collect();
        let feed = self.feeds.get(&id);
        let ours: BTreeMap<EntryId, [u8; 16]> = feed
            .map(|feed| {
                let rows = audit.leaves.iter().flat_map(|leaf| feed.index.leaf(*leaf));
                rows.map(|(entry, row)| (entry, half(&row.item))).collect()
            })
            .unwrap_or_default();
        let wrong: Vec<_> =
            theirs.iter().filter(|(entry, item)| ours.get(*entry) != Some(*item)).map(|(entry, _)| *entry).collect();
        let extra: Vec<_> = ours.keys().filter(|entry| !theirs.contains_key(entry)).copied().collect();
        if audit.repair {
            self.repair(node, &id, &audit, &wrong, &extra);
        }
        if let Some(op) = audit.compare {
            let mut differing: Vec<_> = wrong.into_iter().chain(extra).collect();
            differing.sort_unstable();
            self.compared(op, id, audit.live, differing);
        }
        self.recheck_suspicious();
    }

    fn repair(&mut self, node: NodeId, id: &FeedId, audit: &Audit, wrong: &[EntryId], extra: &[EntryId]) {
        let pipe = self.pipes.entry(*id).or_default();
        pipe.audited.insert(node);
        if wrong.is_empty() && extra.is_empty() {
            let feed = self.feeds.get(id);
            if feed.is_some_and(|feed| !feed.holds(&feed.cursor)) {
                // The trees are equal, and only the newest record is not here: a checkpoint, which is in no tree.
                return self.want(id, None, &node, Vec::new(), Source::Want { repair: true });
            }
            // The same tree as ours, although the signed totals say otherwise: it leaves out what we lack. Or it lost
            // it itself; then it says so by its root.
            let honest = feed.and_then(|feed| feed.totals).is_some_and(|(_, totals)| totals.root != audit.root);
            self.alarm(Alarm::Withheld { node, feed: *id });
            if !honest {
                self.block(&node, id, BLOCKED_MS);
            }
            return self.check_tree(id);
        }
        let signed =
            self.feeds.get(id).and_then(|feed| feed.totals).is_some_and(|(_, totals)| totals.root == audit.root);
        if wrong.is_empty() && signed && self.own_term(id).is_some() {
            // Our own, all that we signed and more: it came back late.
            return self.count_anew(id);
        }
        if signed && self.drop_of_revoked(id, wrong, extra) {
            return;
        }
        if !extra.is_empty() {
            self.alarm(Alarm::Extra { feed: *id, entries: extra.to_vec() });
        }
        for entry in wrong {
            self.want(id, Some(*entry), &node, Vec::new(), Source::Want { repair: true });
        }
        self.check_tree(id);
    }

    /// What a node whose certificate was taken back wrote beside the signed totals does not count, wherever it says that it
    /// stood: it is set aside. Whether there is such a thing; then the trees are compared again without it.
    fn drop_of_revoked(&mut self, id: &FeedId, wrong: &[EntryId], extra: &[EntryId]) -> bool {
        let Some(feed) = self.feeds.get(id) else { return false };
        let held = wrong.iter().chain(extra).filter_map(|entry| Some((*entry, feed.index.row(entry)?.position)));
        let mut void: Vec<_> = held.filter(|(_, position)| self.is_of_revoked(id, position.term)).collect();
        void.truncate(SET_ASIDE_MAX.saturating_sub(feed.aside.len()));
        if void.is_empty() {
            return false;
        }
        let pipe = self.pipes.entry(*id).or_default();
        pipe.audited.clear();
        pipe.tidy.get_or_insert_with(StoreBatch::default).set_aside.extend(void);
        self.advance(id);
        true
    }

    fn audit_failed(&mut self, node: NodeId, id: FeedId) {
        let audit = self.audits.0.remove(&(node, id));
        self.pipes.entry(id).or_default().audited.insert(node);
        if let Some(op) = audit.and_then(|audit| audit.compare) {
            self.compare_unanswered(op);
        }
        self.check_tree(&id);
        self.recheck_suspicious();
    }

    pub(super) fn audit_peer_gone(&mut self, node: &NodeId) {
        let feeds: Vec<_> = self.audits.0.keys().filter(|(peer, _)| peer == node).map(|(_, feed)| *feed).collect();
        for feed in feeds {
            self.audits.0.remove(&(*node, feed));
            self.check_tree(&feed);
        }
    }

    pub(super) fn check_audits(&mut self) {
        let late: Vec<_> = self
            .audits
            .0
            .iter()
            .filter(|(_, audit)| audit.since + REQUEST_MS <= self.now)
            .map(|(key, _)| *key)
            .collect();
        for (node, feed) in late {
            self.audit_failed(node, feed);
        }
        if !self.audits.0.is_empty() {
            self.timers.set(self.now + REQUEST_MS, Timer::Audits);
        }
    }
}
