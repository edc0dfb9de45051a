//! The engine: what is known, what is under way, and the way of an event through it.

mod accept;
mod access;
mod audit;
mod census;
mod chain;
mod compare;
mod following;
mod leaving;
mod offer;
mod page;
mod pipe;
mod publish;
mod read;
mod report;
mod serve;
mod session;
mod store;
#[cfg(test)]
mod tests;
mod timer;
mod want;
mod yours;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ortsnetz_model::{FeedId, NodeId, OrgId, Position};
use sha2::{Digest, Sha256};

use crate::alarm::Alarm;
use crate::effect::{Effect, Lane, OfferHash};
use crate::event::{Event, OpId};
use crate::feed::Feed;
use crate::limits::{OUTGOING_BYTES, PIECE_BYTES, UNREAD_BYTES_MAX};
use crate::organisation::Organisation;
use crate::snapshot::Snapshot;
use crate::status::Counters;
use crate::wire::Message;
use audit::Audits;
use pipe::Pipe;
use publish::Publisher;
use session::Session;
use timer::{Timer, Timers};

/// Who we are.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node.
    pub node: NodeId,
    /// Its organisation.
    pub organisation: OrgId,
    /// When this process started, milliseconds since 1970: the base of its epochs.
    pub started_at: u64,
    /// zstd level of pages; 3 is fast, 11 small.
    pub zstd_level: i32,
}

/// The replication engine of one node.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    instance: u64,
    now: u64,
    feeds: BTreeMap<FeedId, Feed>,
    /// Entries held by organisation.
    census: BTreeMap<OrgId, u64>,
    /// Feeds of others that are not kept here by choice.
    unfollowed: BTreeSet<FeedId>,
    pipes: BTreeMap<FeedId, Pipe>,
    organisations: BTreeMap<OrgId, Arc<dyn Organisation>>,
    sessions: BTreeMap<NodeId, Session>,
    /// Hash of the last offer of each peer that was taken in completely.
    taken: BTreeMap<NodeId, OfferHash>,
    /// The last offers made to each peer, with the value of `stamp` then.
    bases: BTreeMap<NodeId, VecDeque<(OfferHash, u64)>>,
    /// The instance each peer greeted with, and the one before.
    instances: BTreeMap<NodeId, (u64, u64)>,
    /// Feeds some connected peer has more of.
    wishes: BTreeSet<FeedId>,
    /// Feeds with entries to ask for, as soon as their peers have answered what else was asked.
    hungry: BTreeSet<FeedId>,
    /// Who sent something invalid in which feed, until when that is not forgotten, and how often in a row.
    mistrusted: BTreeMap<NodeId, BTreeMap<FeedId, (u64, u32)>>,
    /// Who did not answer questions for statements, and until when nobody waits for its answers.
    unanswering: BTreeMap<NodeId, u64>,
    /// How far each organisation confirmed own feeds.
    confirmed: BTreeMap<(FeedId, OrgId), Position>,
    ops: BTreeMap<u64, Op>,
    next_op: u64,
    /// Counts the changes of feeds and statements.
    stamp: u64,
    publisher: Publisher,
    audits: Audits,
    compares: BTreeMap<OpId, compare::Job>,
    /// Peers that are to be told something at the end of this event.
    tell: BTreeSet<NodeId>,
    /// Loads for pages under way.
    bulk_loads: usize,
    /// Whose stream was served last.
    served_last: Option<NodeId>,
    timers: Timers,
    woken_for: Option<u64>,
    out: VecDeque<Effect>,
    counters: Counters,
}

/// A question under way.
#[derive(Debug)]
enum Op {
    Accept(FeedId),
    Store(FeedId),
    Commit,
    Page(page::Load),
    Want(serve::Load),
    Proof(FeedId),
    Aside(yours::Load),
    Returned(yours::Returned),
    TakeIn(NodeId, OrgId),
}

impl Engine {
    /// An engine that goes on from `snapshot`. `seed` must be random and different for each process start: the instance id
    /// in records and greetings comes from it.
    pub fn new(config: Config, seed: u64, mut snapshot: Snapshot) -> Self {
        snapshot.feeds.retain(|feed, _| !snapshot.unfollowed.contains(feed));
        let digest = Sha256::new()
            .chain_update(b"ortsnetz/instance/v1")
            .chain_update(seed.to_be_bytes())
            .chain_update(config.node.0)
            .finalize();
        let instance = u64::from_be_bytes(std::array::from_fn(|at| digest[at]));
        let mut engine = Self {
            publisher: Publisher::new(config.started_at),
            now: config.started_at,
            config,
            instance,
            census: census::take(&snapshot.feeds, &snapshot.organisations),
            feeds: snapshot.feeds,
            unfollowed: snapshot.unfollowed,
            pipes: BTreeMap::new(),
            organisations: snapshot.organisations,
            sessions: BTreeMap::new(),
            taken: snapshot.taken,
            bases: BTreeMap::new(),
            instances: BTreeMap::new(),
            wishes: BTreeSet::new(),
            hungry: BTreeSet::new(),
            mistrusted: BTreeMap::new(),
            unanswering: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            ops: BTreeMap::new(),
            next_op: 0,
            stamp: 0,
            audits: Audits::default(),
            compares: BTreeMap::new(),
            tell: BTreeSet::new(),
            bulk_loads: 0,
            served_last: None,
            timers: Timers::default(),
            woken_for: None,
            out: VecDeque::new(),
            counters: Counters::default(),
        };
        for (id, feed) in &mut engine.feeds {
            feed.offer = offer::feed_part(id, &feed.cursor, feed.list.0);
        }
        let ids: Vec<_> = engine.feeds.keys().copied().collect();
        for id in ids {
            if engine.feeds[&id].verified() == Some(false) {
                engine.pipes.entry(id).or_default().suspicious = true;
            }
        }
        engine.timers.set(engine.now, Timer::Daily);
        for organisation in engine.organisations.keys().copied().collect::<Vec<_>>() {
            engine.await_leaving(&organisation);
        }
        engine
    }

    /// Takes in what happened at `now` (milliseconds since 1970). Never blocks; the effects wait for
    /// [`Engine::poll_effect`].
    pub fn handle(&mut self, now: u64, event: Event) {
        self.now = self.now.max(now);
        match event {
            Event::Connected { peer } => self.connected(peer),
            Event::Disconnected { node } => self.disconnected(&node),
            Event::Frame { node, bytes } => self.frame(node, &bytes),
            Event::Drained { node } => self.drained(&node),
            Event::Organisation { organisation } => self.organisation_changed(organisation),
            Event::Removed { organisation } => self.removed(&organisation),
            Event::Forget { organisation } => self.forget(&organisation),
            Event::Publish { op, items } => self.publish(op, items),
            Event::Committed { op, items } => self.committed(op, items),
            Event::Accepted { op, verdicts } => self.accepted(op, verdicts),
            Event::Stored { op, ok } => self.stored(op, ok),
            Event::Loaded { op, items } => self.loaded(op, items),
            Event::TakenIn { op, ok } => self.taken_in(op, ok),
            Event::Damaged { feed, entry } => self.damaged(feed, entry),
            Event::Compare { op, node } => self.compare(op, node),
            Event::Follow { feed, follows } => self.follow(feed, follows),
            Event::Hold { held } => self.hold(held),
            Event::Conclude { feed } => self.conclude(feed),
            Event::Wake => {}
            Event::Stopping => self.stop(),
        }
        while let Some(timer) = self.timers.due(self.now) {
            self.fire(timer);
        }
        self.finish();
    }

    /// The next thing to do, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.out.pop_front()
    }

    /// What is left to do after every event.
    fn finish(&mut self) {
        for feed in std::mem::take(&mut self.hungry) {
            self.send_wants(&feed);
        }
        self.schedule_reading();
        self.pump();
        self.try_commit();
        while let Some(node) = self.tell.pop_first() {
            self.tell(&node);
        }
        if let Some(at) = self.timers.next()
            && self.woken_for.is_none_or(|woken| woken != at)
        {
            self.woken_for = Some(at);
            self.out.push_back(Effect::WakeAt { at });
        }
    }

    fn question(&mut self, op: Op) -> OpId {
        self.next_op += 1;
        self.ops.insert(self.next_op, op);
        OpId(self.next_op)
    }

    fn loaded(&mut self, op: OpId, items: Vec<Option<crate::Item>>) {
        match self.ops.remove(&op.0) {
            Some(Op::Page(load)) => self.page_loaded(load, items),
            Some(Op::Want(load)) => self.want_loaded(load, items),
            Some(Op::Proof(feed)) => self.proof_loaded(feed, items),
            Some(Op::Aside(load)) => self.aside_loaded(load, items),
            _ => {}
        }
    }

    fn stored(&mut self, op: OpId, ok: bool) {
        match self.ops.remove(&op.0) {
            Some(Op::Store(feed)) => self.batch_stored(feed, ok),
            Some(Op::Returned(returned)) => self.returned_stored(returned, ok),
            _ => {}
        }
    }

    fn send(&mut self, node: &NodeId, message: &Message, lane: Lane) -> usize {
        let level = if lane == Lane::Bulk { self.config.zstd_level } else { 3 };
        self.send_frame(node, message.frame(level), lane)
    }

    fn send_frame(&mut self, node: &NodeId, frame: Vec<u8>, lane: Lane) -> usize {
        // Behind a goodbye nothing is said, whatever was under way.
        let Some(session) = self.sessions.get_mut(node).filter(|session| !session.closing) else { return 0 };
        let bytes = frame.len();
        session.outgoing += bytes + PIECE_BYTES;
        if session.outgoing > UNREAD_BYTES_MAX {
            self.unread(node);
            return 0;
        }
        let drain = session.outgoing >= OUTGOING_BYTES / 2 && session.draining.is_none();
        if drain {
            session.draining = Some(session.outgoing);
        }
        session.last_out = self.now;
        self.counters.frames_out += 1;
        self.counters.bytes_out += bytes as u64;
        self.out.push_back(Effect::Send { node: *node, frame, lane });
        if drain {
            self.out.push_back(Effect::Drain { node: *node });
        }
        bytes
    }

    fn alarm(&mut self, alarm: Alarm) {
        self.counters.alarms += 1;
        self.out.push_back(Effect::Alarm(alarm));
    }
}
