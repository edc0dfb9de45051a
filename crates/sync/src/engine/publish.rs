//! Publishing: positions, totals and checkpoints for own feeds; signing and storing happen outside, then readers get it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ortsnetz_model::{FeedId, NodeId, Position};
use ortsnetz_trust::identity::FINAL_TERM;
use ortsnetz_trust::record::{Checkpoint, Cut, Totals};
use ortsnetz_trust::{Body, Record};

use super::timer::Timer;
use super::{Engine, Op};
use crate::alarm::Alarm;
use crate::effect::{Effect, Item, Lane, PublishError, StoreBatch};
use crate::event::{OpId, PublishItem, Published};
use crate::feed::{Feed, START};
use crate::index::Row;
use crate::limits::{
    BATCH_RECORDS_MAX, BLOCKED_MS, CHECKPOINT_MS, FEED_ENTRIES_MAX, FETCH_BACK_MS, INFLATED_BYTES_MAX,
    PUBLISH_QUEUE_MAX, WINDOW_BYTES,
};
use crate::wire::{Message, PageKind, WireItem};

/// How often checkpoints and staleness are looked at.
const DAILY_MS: u64 = 10 * 60_000;

/// What is under way in own feeds.
#[derive(Debug)]
pub(super) struct Publisher {
    /// Epochs of this process begin here; grows when a rollback or another instance is noticed.
    base: u64,
    /// The last position given, in the epoch this process opened.
    opened: BTreeMap<FeedId, Position>,
    waiting: VecDeque<Request>,
    committing: Option<Commit>,
    /// Feeds that need a checkpoint.
    due: BTreeSet<FeedId>,
    /// Draft feeds of lost nodes that need a final record.
    concluding: BTreeSet<FeedId>,
    /// Feeds whose own data comes back first.
    fetching: BTreeMap<FeedId, Fetching>,
    /// Who said to have more of an own feed and did not give it, and until when that is not believed again.
    unkept: BTreeMap<(NodeId, FeedId), u64>,
    /// Nothing is published: partners were not asked yet what they hold of ours.
    held: bool,
    /// Feeds in which another instance of this node was seen.
    cloned: BTreeSet<FeedId>,
    newly_cloned: BTreeSet<FeedId>,
}

/// Own data on its way back.
#[derive(Debug)]
struct Fetching {
    /// How far each said to have it.
    said: BTreeMap<NodeId, Position>,
    /// How far it was here when patience began.
    seen: Position,
    /// Waited for until then, unless more of it arrives.
    until: u64,
}

impl Fetching {
    /// As far as somebody said to have it.
    fn upto(&self) -> Position {
        self.said.values().copied().max().unwrap_or(START)
    }
}

#[derive(Debug)]
struct Request {
    op: OpId,
    items: Vec<PublishItem>,
}

#[derive(Debug)]
struct Commit {
    op: OpId,
    requests: Vec<Request>,
    batches: Vec<Vec<Record>>,
}

impl Publisher {
    pub(super) fn new(started_at: u64) -> Self {
        Self {
            base: started_at,
            opened: BTreeMap::new(),
            waiting: VecDeque::new(),
            committing: None,
            due: BTreeSet::new(),
            concluding: BTreeSet::new(),
            fetching: BTreeMap::new(),
            unkept: BTreeMap::new(),
            held: false,
            cloned: BTreeSet::new(),
            newly_cloned: BTreeSet::new(),
        }
    }

    /// Begins a new epoch in all feeds.
    fn renew(&mut self, now: u64) {
        self.base = now.max(self.base + 1);
        self.opened.clear();
    }

    /// Somebody says to hold more of an own feed than we do. Whether that is news. Saying more and more prolongs nothing:
    /// only what arrives does.
    pub(super) fn roll_back(
        &mut self,
        now: u64,
        node: &NodeId,
        feed: &FeedId,
        ours: Position,
        theirs: Position,
    ) -> bool {
        if self.unkept.get(&(*node, *feed)).is_some_and(|until| *until > now) {
            return false;
        }
        let first = !self.fetching.contains_key(feed);
        let fetching = self.fetching.entry(*feed).or_insert_with(|| Fetching {
            said: BTreeMap::new(),
            seen: ours,
            until: now + FETCH_BACK_MS,
        });
        let known = fetching.upto() >= theirs;
        let said = fetching.said.entry(*node).or_insert(theirs);
        *said = theirs.max(*said);
        if !known {
            self.base = self.base.max(theirs.epoch.min(now + FETCH_BACK_MS));
            self.renew(now);
        }
        // Who waits for it knows.
        first && !self.held
    }

    pub(super) fn patience(&self) -> Option<u64> {
        self.fetching.values().map(|fetching| fetching.until).min()
    }

    /// Own records that came from elsewhere: was another instance of this node at work while this one ran?
    pub(super) fn look_at(&mut self, feed: &FeedId, records: &[Record], instance: u64, started_at: u64) {
        let other = records.iter().any(|record| record.instance != instance && record.at > started_at);
        if other && self.fetching.contains_key(feed) && self.cloned.insert(*feed) {
            self.newly_cloned.insert(*feed);
        }
    }
}

impl Engine {
    /// Own data is waited for as long as more of it arrives.
    pub(super) fn end_of_patience(&mut self) {
        let now = self.now;
        let mut over = Vec::new();
        for (id, fetching) in &mut self.publisher.fetching {
            let cursor = self.feeds.get(id).map_or(START, |feed| feed.cursor);
            if fetching.until > now {
                continue;
            }
            if cursor > fetching.seen {
                (fetching.seen, fetching.until) = (cursor, now + FETCH_BACK_MS);
            } else {
                over.push(*id);
            }
        }
        for feed in over {
            let Some(fetching) = self.publisher.fetching.remove(&feed) else { continue };
            let unkept = fetching.said.into_iter().filter(|(_, upto)| *upto > fetching.seen);
            self.publisher.unkept.extend(unkept.map(|(node, _)| ((node, feed), now + BLOCKED_MS)));
            self.publisher.due.insert(feed);
        }
        self.publisher.unkept.retain(|_, until| *until > now);
        if let Some(until) = self.publisher.patience() {
            self.timers.set(until, Timer::FetchBack);
        }
    }

    /// Stops publishing, or goes on with it.
    pub(super) fn hold(&mut self, held: bool) {
        self.publisher.held = held;
        if !held {
            self.daily_checkpoints();
        }
    }

    pub(super) fn publish(&mut self, op: OpId, items: Vec<PublishItem>) {
        let result = self.check_request(&items);
        match result {
            Ok(()) => self.publisher.waiting.push_back(Request { op, items }),
            Err(error) => self.out.push_back(Effect::Published { op, result: Err(error) }),
        }
    }

    fn check_request(&self, items: &[PublishItem]) -> Result<(), PublishError> {
        if self.publisher.waiting.len() >= PUBLISH_QUEUE_MAX {
            return Err(PublishError::Busy);
        }
        let mut seen = BTreeMap::<_, BTreeSet<_>>::new();
        for item in items {
            let fresh = seen.entry(item.feed).or_default().insert(item.entry);
            if !fresh || matches!(item.body, Body::Checkpoint(_)) {
                return Err(PublishError::Batch);
            }
            let term = self.own_term(&item.feed).ok_or(PublishError::NotPublisher)?;
            let adds = matches!(item.body, Body::Publication { .. });
            if adds && self.sharing_of(&item.feed).is_some_and(|sharing| sharing.ended) {
                return Err(PublishError::Ended);
            }
            if term > 0 && !matches!(item.body, Body::Redaction { .. }) && self.has_left(&self.config.organisation) {
                return Err(PublishError::Left);
            }
            if self.publisher.held && term > 0 {
                return Err(PublishError::Held);
            }
            let Some(feed) = self.feeds.get(&item.feed) else { continue };
            if feed.frozen.is_some_and(|frozen| frozen.term >= term) {
                return Err(PublishError::Frozen);
            }
            match feed.index.row(&item.entry) {
                Some(row) if row.generation > item.generation => return Err(PublishError::Generation(row.generation)),
                None if feed.index.len() + seen[&item.feed].len() > FEED_ENTRIES_MAX => return Err(PublishError::Full),
                _ => {}
            }
        }
        // A batch with a checkpoint still has room for all.
        let fits = seen.values().all(|entries| entries.len() <= BATCH_RECORDS_MAX);
        if items.is_empty() || !fits { Err(PublishError::Batch) } else { Ok(()) }
    }

    /// Commits what waits: requests that fit together share one batch per feed.
    pub(super) fn try_commit(&mut self) {
        for feed in std::mem::take(&mut self.publisher.newly_cloned) {
            let node = self.config.node;
            self.publisher.renew(self.now);
            self.alarm(Alarm::Cloned { feed, node });
        }
        if self.publisher.committing.is_some() {
            return;
        }
        let mut requests = Vec::new();
        let mut feeds = BTreeMap::<FeedId, Vec<(OpId, usize, PublishItem)>>::new();
        while let Some(request) = self.publisher.waiting.pop_front() {
            let waits = request.items.iter().any(|item| self.publisher.fetching.contains_key(&item.feed));
            let fits = request.items.iter().all(|item| {
                feeds.get(&item.feed).is_none_or(|items| {
                    items.len() + request.items.len() <= BATCH_RECORDS_MAX
                        && items.iter().all(|(_, _, other)| other.entry != item.entry)
                })
            });
            if waits || !fits {
                self.publisher.waiting.push_front(request);
                break;
            }
            // What was true when it was asked may have changed since.
            if let Err(error) = self.check_request(&request.items) {
                self.out.push_back(Effect::Published { op: request.op, result: Err(error) });
                continue;
            }
            for (index, item) in request.items.iter().enumerate() {
                feeds.entry(item.feed).or_default().push((request.op, index, item.clone()));
            }
            requests.push(request);
        }
        let due: Vec<_> = self.publisher.due.iter().copied().collect();
        for feed in due {
            let Some(term) = self.own_term(&feed) else {
                self.publisher.due.remove(&feed);
                continue;
            };
            let held = self.publisher.held && term > 0;
            if !held && !self.publisher.fetching.contains_key(&feed) {
                feeds.entry(feed).or_default();
            }
        }
        let (mut batches, mut origins) = (Vec::new(), Vec::new());
        for feed in std::mem::take(&mut self.publisher.concluding) {
            batches.push(vec![self.final_record(&feed)]);
            origins.push(None);
        }
        if feeds.is_empty() && batches.is_empty() {
            return;
        }
        for (id, items) in feeds {
            self.make_batches(&id, items, &mut batches, &mut origins);
        }
        let op = self.question(Op::Commit);
        self.publisher.committing = Some(Commit { op, requests, batches: batches.clone() });
        self.out.push_back(Effect::Commit { op, batches, origins });
    }

    fn make_batches(
        &mut self,
        id: &FeedId,
        items: Vec<(OpId, usize, PublishItem)>,
        batches: &mut Vec<Vec<Record>>,
        origins: &mut Vec<Option<(OpId, usize)>>,
    ) {
        let Some(term) = self.own_term(id) else { return };
        let serial = self.sharing_of(id).map_or(0, |sharing| sharing.serial);
        let (now, instance) = (self.now, self.instance);
        let feed = self.feeds.entry(*id).or_default();
        let last = feed.last().max(feed.cursor);
        let opened = self.publisher.opened.get(id).copied().filter(|at| at.term == term && *at >= last);
        let mut next = opened.unwrap_or_else(|| {
            // A new term takes its epoch from the clock alone; within a term epochs grow.
            let after = if last.term == term { last.epoch + 1 } else { 0 };
            Position { term, epoch: self.publisher.base.max(after), sequence: 0 }
        });
        let record = |position: Position| Record {
            feed: *id,
            entry: None,
            generation: 0,
            position,
            previous: None,
            list_serial: serial,
            at: now,
            instance,
            body: Body::Withdrawal { moved_to: None },
            totals: None,
        };
        let due = self.publisher.due.remove(id);
        if opened.is_none() || due {
            next.sequence += 1;
            batches.push(vec![checkpoint(feed, record(next))]);
            origins.push(None);
        }
        let mut batch = Vec::new();
        let mut undo = Vec::new();
        for (op, index, item) in items {
            next.sequence += 1;
            let before = feed.index.row(&item.entry);
            let made = Record {
                entry: Some(item.entry),
                generation: item.generation,
                previous: before.map(|row| row.position),
                body: item.body,
                ..record(next)
            };
            let Some((entry, hash)) = made.item() else { continue };
            let row = Row { generation: made.generation, position: next, item: hash, withdrawn: !made.is_live() };
            undo.push((entry, before));
            feed.index.insert(entry, row);
            batch.push(made);
            origins.push(Some((op, index)));
        }
        // The tree as it will be; it counts only once it is durable.
        if let Some(made) = batch.last_mut() {
            made.totals = Some(Totals { count: feed.index.live(), root: feed.index.root() });
        }
        for (entry, before) in undo.into_iter().rev() {
            match before {
                Some(row) => feed.index.insert(entry, row),
                None => {
                    feed.index.remove(&entry);
                }
            }
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
        self.publisher.opened.insert(*id, next);
    }

    /// A draft feed of ours gets a final record, if its node was revoked. Nothing is under way for a feed nobody writes.
    pub(super) fn conclude(&mut self, feed: FeedId) {
        let own = feed.organisation == self.config.organisation;
        let drafts = self.organisations.get(&feed.organisation).and_then(|owner| owner.drafts_of(&feed.collection));
        if own && drafts.is_some() && self.is_of_revoked(&feed, 0) {
            self.publisher.concluding.insert(feed);
        }
    }

    fn final_record(&mut self, id: &FeedId) -> Record {
        let feed = self.feeds.entry(*id).or_default();
        let last = feed.last().max(feed.cursor);
        let after = if last.term == FINAL_TERM { last.epoch + 1 } else { 0 };
        let position = Position { term: FINAL_TERM, epoch: self.publisher.base.max(after), sequence: 1 };
        let record = Record {
            feed: *id,
            entry: None,
            generation: 0,
            position,
            previous: None,
            list_serial: 0,
            at: self.now,
            instance: self.instance,
            body: Body::Withdrawal { moved_to: None },
            totals: None,
        };
        checkpoint(feed, record)
    }

    pub(super) fn committed(&mut self, op: OpId, items: Option<Vec<Item>>) {
        if self.publisher.committing.as_ref().is_none_or(|commit| commit.op != op) {
            return;
        }
        self.ops.remove(&op.0);
        let Some(commit) = self.publisher.committing.take() else { return };
        let count = commit.batches.iter().map(Vec::len).sum::<usize>();
        let Some(items) = items.filter(|items| items.len() == count) else {
            // Nobody knows what reached the disk: these positions are never used again.
            self.publisher.renew(self.now);
            for request in commit.requests {
                self.out.push_back(Effect::Published { op: request.op, result: Err(PublishError::NotStored) });
            }
            return;
        };
        let mut positions = BTreeMap::new();
        let mut feeds = BTreeMap::<FeedId, (Position, Vec<Item>)>::new();
        let mut applied = BTreeMap::<FeedId, Vec<_>>::new();
        for (record, item) in commit.batches.into_iter().flatten().zip(items) {
            let feed = self.feeds.entry(record.feed).or_default();
            let (_, pushed) = feeds.entry(record.feed).or_insert((feed.cursor, Vec::new()));
            pushed.push(item);
            self.take(&record);
            let Some(feed) = self.feeds.get_mut(&record.feed) else { continue };
            feed.cursor = record.position;
            if feed.frozen.is_some_and(|frozen| record.position.term > frozen.term) {
                feed.frozen = None;
            }
            if let Some(entry) = record.entry {
                positions.insert((record.feed, entry), record.position);
                applied.entry(record.feed).or_default().push(entry);
            }
        }
        // Before the answer: who is told that it is published may read it at once.
        for (feed, entries) in applied {
            self.out.push_back(Effect::Applied { node: None, feed, entries });
        }
        for request in commit.requests {
            let published = request.items.iter().map(|item| {
                let position = positions.get(&(item.feed, item.entry)).copied().unwrap_or_default();
                Published { feed: item.feed, entry: item.entry, position }
            });
            self.out.push_back(Effect::Published { op: request.op, result: Ok(published.collect()) });
        }
        for (id, (after, items)) in feeds {
            self.push(&id, after, items);
            self.tidy_own(&id);
        }
    }

    /// Records that our own new checkpoint does not count (after a contradiction) leave our own tree too.
    fn tidy_own(&mut self, id: &FeedId) {
        let Some(feed) = self.feeds.get(id) else { return };
        let beyond = feed.checkpoint.as_ref().map(|marker| feed.beyond(marker)).unwrap_or_default();
        if !beyond.is_empty() {
            let batch = StoreBatch { set_aside: beyond, frozen: Some(None), ..StoreBatch::default() };
            self.pipes.entry(*id).or_default().tidy = Some(batch);
            self.advance(id);
        }
    }

    /// Gives new records to every connected reader at once.
    fn push(&mut self, id: &FeedId, after: Position, items: Vec<Item>) {
        let upto = self.feeds.get(id).map_or(START, |feed| feed.cursor);
        // What inflates to more than a frame may is not pushed, however small it is on the way.
        let raw = items.iter().map(|item| item.record.len() + item.chunks.iter().map(Vec::len).sum::<usize>());
        let large = raw.sum::<usize>() > INFLATED_BYTES_MAX / 2;
        let items: Vec<_> = items.iter().map(WireItem::new).collect();
        let mut readers = Vec::new();
        let open = self.sessions.values().filter(|s| s.open() && s.has_room());
        let nodes: Vec<_> = open.map(|s| (s.peer, s.live_bytes)).collect();
        for (peer, waiting) in nodes.into_iter().filter(|_| !large) {
            if self.is_wanted_by(&peer.node, id) && waiting < WINDOW_BYTES && self.may_serve(id, &peer) {
                readers.push(peer.node);
            }
        }
        let told: BTreeSet<NodeId> = readers.iter().copied().collect();
        self.feed_changed(id, &told);
        for node in readers {
            let offer = self.offer_if_told(&node);
            let message = Message::Page { feed: *id, after, upto, items: items.clone(), kind: PageKind::Live, offer };
            let frame = message.frame(3);
            if frame.len() > crate::limits::FRAME_BYTES_MAX {
                // Too large to push: the reader gets it as a catch-up, entry by entry.
                if let Some(session) = self.sessions.get_mut(&node) {
                    session.untold.insert(*id);
                }
                self.tell.insert(node);
                continue;
            }
            let bytes = self.send_frame(&node, frame, Lane::Live);
            self.counters.records_out += items.len() as u64;
            if let Some(session) = self.sessions.get_mut(&node) {
                session.live.push_back((*id, upto, bytes));
                session.live_bytes += bytes;
            }
        }
    }

    /// Own data came back as far as it was heard of: it is counted from now on, and publishing goes on.
    /// Until the tree is the one that was signed, something is still missing, and others are asked for it.
    pub(super) fn returned_home(&mut self, id: &FeedId) {
        let Some(feed) = self.feeds.get(id) else { return };
        let whole = feed.verified() != Some(false);
        if whole && self.publisher.fetching.get(id).is_some_and(|fetching| fetching.upto() <= feed.cursor) {
            self.publisher.fetching.remove(id);
            self.publisher.due.insert(*id);
        }
    }

    /// What came back after our newest totals were signed is counted by new ones.
    pub(super) fn count_anew(&mut self, id: &FeedId) {
        self.publisher.due.insert(*id);
    }

    pub(super) fn daily(&mut self) {
        self.daily_checkpoints();
        let mut stale = Vec::new();
        // Nor does anybody wait for himself.
        let quiet = |id: &FeedId| !self.is_expected(id) || self.own_term(id).is_some();
        let quiet: BTreeSet<_> = self.feeds.keys().filter(|id| quiet(id)).copied().collect();
        for (id, feed) in &mut self.feeds {
            let old = feed.is_old(self.now) && !quiet.contains(id);
            if old && !feed.stale_told {
                stale.push(*id);
            }
            feed.stale_told = old;
        }
        for feed in stale {
            self.alarm(Alarm::Stale { feed });
        }
        let blocked = self.now;
        for session in self.sessions.values_mut() {
            session.blocked.retain(|_, until| *until > blocked);
        }
        for feeds in self.mistrusted.values_mut() {
            feeds.retain(|_, (until, _)| *until > blocked);
        }
        self.mistrusted.retain(|_, feeds| !feeds.is_empty());
        self.recheck_suspicious();
        self.timers.set(self.now + DAILY_MS, Timer::Daily);
    }

    /// Own feeds whose checkpoint is a day old, or older than their reader list.
    pub(super) fn daily_checkpoints(&mut self) {
        let own = self.config.organisation;
        if self.has_left(&own) {
            return;
        }
        let mut due = Vec::new();
        for (id, feed) in self.feeds.iter().filter(|(id, _)| id.organisation == own) {
            let Some(marker) = &feed.checkpoint else { continue };
            let sharing = self.sharing_of(id);
            let listed = sharing.is_none_or(|sharing| sharing.serial == feed.list.0);
            let newest = feed.last().term;
            let new_term = self.own_term(id).is_some_and(|term| term > newest);
            // What has ended gets a last one, which names the statement that ended it.
            let old = marker.at + CHECKPOINT_MS <= self.now && sharing.is_none_or(|sharing| !sharing.ended);
            if old || !listed || new_term {
                due.push(*id);
            }
        }
        for id in due {
            if self.own_term(&id).is_some() {
                self.publisher.due.insert(id);
            }
        }
    }
}

/// The record as a checkpoint of what is held of the feed.
fn checkpoint(feed: &Feed, record: Record) -> Record {
    let (root, count) = (feed.index.root(), feed.index.live());
    let body = Body::Checkpoint(Checkpoint { root, count, cuts: cuts(feed, &record.position) });
    Record { body, totals: Some(Totals { count, root }), ..record }
}

/// For each epoch before `next` with records that still count: the last position that counts.
fn cuts(feed: &Feed, next: &Position) -> Vec<Cut> {
    let own = (next.term, next.epoch);
    let limit = feed.frozen.filter(|frozen| frozen.term < next.term);
    let mut cuts = Vec::new();
    let mut after = START;
    while let Some((first, _)) = feed.index.range(after, *next).next() {
        let epoch = (first.term, first.epoch);
        if epoch >= own {
            break;
        }
        let end = Position { sequence: u64::MAX, ..first };
        let held = feed.index.range(after, end).next_back().map_or(first.sequence, |(position, _)| position.sequence);
        // What counted once still counts, also where newer records took its place.
        let counted = if (feed.cursor.term, feed.cursor.epoch) == epoch {
            feed.cursor.sequence
        } else {
            let listed = feed.checkpoint.iter().flat_map(|marker| &marker.checkpoint.cuts);
            listed.filter(|cut| (cut.term, cut.epoch) == epoch).map(|cut| cut.sequence).max().unwrap_or(0)
        };
        let mut sequence = held.max(counted);
        if let Some(limit) = limit {
            match (limit.term, limit.epoch).cmp(&epoch) {
                std::cmp::Ordering::Less => sequence = 0,
                std::cmp::Ordering::Equal => sequence = sequence.min(limit.sequence.saturating_sub(1)),
                std::cmp::Ordering::Greater => {}
            }
        }
        if sequence > 0 {
            cuts.push(Cut { term: first.term, epoch: first.epoch, sequence });
        }
        after = end;
    }
    cuts.truncate(ortsnetz_trust::limits::CUTS_MAX);
    cuts
}
