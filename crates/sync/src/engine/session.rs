//! A connection to a peer, from greeting to goodbye.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ortsnetz_model::{FeedId, NodeId, OrgId, Position};

use super::Engine;
use super::page::Stream;
use super::serve::Request;
use super::timer::Timer;
use crate::alarm::Alarm;
use crate::effect::{CloseReason, Effect, Lane, OfferHash};
use crate::event::Peer;
use crate::limits::{
    BEAT_MS, BLOCKED_MS, DEAD_MS, FEEDS_PER_PEER_MAX, IN_SYNC_MS, OUTGOING_BYTES, REMEMBER_MS, SEEN_MS, UNKEPT_MAX,
    UNREAD_BYTES_MAX, WANTS_MAX,
};
use crate::wire::{ByeCode, Message, VERSION};

/// What is known of a connected peer. Gone with the connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: Peer,
    /// Its greeting arrived.
    pub(super) ready: bool,
    /// A goodbye was said.
    pub(super) closing: bool,
    pub(super) last_in: u64,
    pub(super) last_out: u64,
    /// What we may give it now: each feed's part of the offer.
    pub(super) offered: BTreeMap<FeedId, u128>,
    /// The chains it may see, each with its hash and its part of the offer.
    pub(super) chains: BTreeMap<OrgId, ([u8; 16], u128)>,
    /// The sum of all parts.
    pub(super) sum: u128,
    /// What our greeting named as our offer.
    pub(super) greeted_with: OfferHash,
    /// What it has not heard of.
    pub(super) untold: BTreeSet<FeedId>,
    pub(super) untold_chains: BTreeSet<OrgId>,
    /// How far it said to have feeds.
    pub(super) has: BTreeMap<FeedId, Position>,
    /// Told again because it seemed to have forgotten, at this cursor of ours.
    pub(super) told_again: BTreeMap<FeedId, Position>,
    /// Feeds of which it has more than we.
    pub(super) behind: BTreeSet<FeedId>,
    /// Hash of everything it may give us.
    pub(super) offer: Option<OfferHash>,
    /// What was last written down about it.
    pub(super) remembered: Option<OfferHash>,
    pub(super) remember_set: bool,
    /// Chains to ask for, with the statements that came so far.
    pub(super) asked: BTreeMap<OrgId, Asked>,
    /// Of these, asked for and not taken in yet.
    pub(super) asking: BTreeSet<OrgId>,
    /// Of these, not asked for yet.
    pub(super) to_ask: VecDeque<OrgId>,
    /// What it asks for and was not answered yet.
    pub(super) requests: VecDeque<Request>,
    /// Bytes on their way to it.
    pub(super) outgoing: usize,
    /// How many these were when it was last asked whether they have left.
    pub(super) draining: Option<usize>,
    /// It is told what is new when they have.
    pub(super) tell_later: bool,
    /// Entries it may be asked for at one time.
    pub(super) wants_max: usize,
    /// What we send it on request.
    pub(super) streams: BTreeMap<FeedId, Stream>,
    /// Pushed and not yet confirmed.
    pub(super) live: VecDeque<(FeedId, Position, usize)>,
    pub(super) live_bytes: usize,
    /// Entries on their way from disk for it.
    pub(super) serving: usize,
    /// How often in a row a catch-up of these feeds brought nothing although there should be more.
    pub(super) unkept: BTreeMap<FeedId, u32>,
    /// Not to be asked for these feeds until then.
    pub(super) blocked: BTreeMap<FeedId, u64>,
    /// Minute, bytes and records of pushes in it.
    pub(super) pushed: (u64, u64, u64),
    /// What it offers and we said we do not want.
    pub(super) told_unfollowed: BTreeSet<FeedId>,
    /// What we could offer and it said it does not want.
    pub(super) unwanted: BTreeSet<FeedId>,
    /// Minute, and catch-ups in it that were asked for beside too many others.
    pub(super) given_up: (u64, u32),
    /// Feeds whose set-aside records were sent to it.
    pub(super) returned: BTreeSet<FeedId>,
    /// When both were last seen to be in sync, as told outside.
    pub(super) last_sync_at: Option<u64>,
    /// When a frame of the peer last left both in sync, as far as somebody looked: told when the connection ends.
    pub(super) seen_in_sync_at: Option<u64>,
    /// Not looked for that before then.
    pub(super) look_at: u64,
}

/// A chain on its way.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) hash: [u8; 16],
    /// The hash the peer told while the answer to an earlier one was on its way.
    pub(super) newer: Option<[u8; 16]>,
    pub(super) statements: Vec<Vec<u8>>,
    pub(super) bytes: usize,
    /// The question went out, or the answer came unasked.
    pub(super) sent: bool,
    /// Waited for until then, once the question went out.
    pub(super) until: u64,
    /// Could not be taken in: asked for again then.
    pub(super) again_at: Option<u64>,
    /// All arrived and handed on; or it did not come in time.
    pub(super) done: bool,
}

impl Session {
    fn new(peer: Peer, now: u64) -> Self {
        Self {
            peer,
            ready: false,
            closing: false,
            last_in: now,
            last_out: now,
            offered: BTreeMap::new(),
            chains: BTreeMap::new(),
            sum: 0,
            greeted_with: OfferHash::default(),
            untold: BTreeSet::new(),
            untold_chains: BTreeSet::new(),
            has: BTreeMap::new(),
            told_again: BTreeMap::new(),
            behind: BTreeSet::new(),
            offer: None,
            remembered: None,
            remember_set: false,
            asked: BTreeMap::new(),
            asking: BTreeSet::new(),
            to_ask: VecDeque::new(),
            requests: VecDeque::new(),
            outgoing: 0,
            draining: None,
            tell_later: false,
            wants_max: WANTS_MAX,
            streams: BTreeMap::new(),
            live: VecDeque::new(),
            live_bytes: 0,
            serving: 0,
            unkept: BTreeMap::new(),
            blocked: BTreeMap::new(),
            pushed: (0, 0, 0),
            told_unfollowed: BTreeSet::new(),
            unwanted: BTreeSet::new(),
            given_up: (0, 0),
            returned: BTreeSet::new(),
            last_sync_at: None,
            seen_in_sync_at: None,
            look_at: 0,
        }
    }

    /// Notes how far the peer has a feed. Feeds beyond the limit are forgotten.
    pub(super) fn note(&mut self, feed: &FeedId, cursor: Position) {
        if self.has.len() < FEEDS_PER_PEER_MAX || self.has.contains_key(feed) {
            self.has.insert(*feed, cursor);
        }
    }

    /// Pushes of a feed, up to a position or all of them, are not waited for any longer.
    pub(super) fn landed(&mut self, feed: &FeedId, upto: Option<Position>) {
        let mut freed = 0;
        self.live.retain(|(live, position, bytes)| {
            let done = live == feed && upto.is_none_or(|upto| *position <= upto);
            freed += if done { *bytes } else { 0 };
            !done
        });
        self.live_bytes -= freed;
    }

    /// Whether something may be read from disk for it.
    pub(super) fn has_room(&self) -> bool {
        self.outgoing < OUTGOING_BYTES
    }

    /// Notes how a catch-up ended. True if it brought nothing once more although the peer says to have more: it does not
    /// keep its word, and is not asked for a while.
    pub(super) fn kept(&mut self, feed: &FeedId, changed: bool, cursor: Position) -> bool {
        if changed || self.has.get(feed).is_none_or(|has| *has <= cursor) {
            self.unkept.remove(feed);
            return false;
        }
        let times = self.unkept.entry(*feed).or_default();
        *times += 1;
        *times >= UNKEPT_MAX
    }

    /// Whether something may be said to it.
    pub(super) fn open(&self) -> bool {
        self.ready && !self.closing
    }

    /// Whether it may be asked for a feed.
    pub(super) fn may_be_asked(&self, feed: &FeedId, now: u64) -> bool {
        self.open() && self.blocked.get(feed).is_none_or(|until| *until <= now)
    }
}

impl Engine {
    pub(super) fn connected(&mut self, peer: Peer) {
        if self.sessions.contains_key(&peer.node) {
            self.disconnected(&peer.node);
        }
        let mut session = Session::new(peer, self.now);
        session.remembered = self.taken.get(&peer.node).copied();
        // Who comes back may have been repaired; but not twice in so short a time.
        let mistrusted = self.mistrusted.get(&peer.node).into_iter().flatten();
        let again = mistrusted.filter(|(_, (until, times))| *times > 1 && *until > self.now);
        session.blocked = again.map(|(feed, (until, _))| (*feed, *until)).collect();
        self.sessions.insert(peer.node, session);
        self.build_offer(&peer.node);
        let organisation = self.config.organisation;
        let chain = self.chain_hash_for(&organisation, &peer).unwrap_or_default();
        let offer = self.sessions.get(&peer.node).map_or(0, |session| session.sum).to_be_bytes();
        if let Some(session) = self.sessions.get_mut(&peer.node) {
            session.greeted_with = offer;
        }
        let hello = Message::Hello {
            oldest: VERSION,
            newest: VERSION,
            organisation,
            instance: self.instance,
            chain,
            offer,
            taken: self.taken.get(&peer.node).copied().unwrap_or_default(),
        };
        self.send(&peer.node, &hello, Lane::Control);
        self.timers.set(self.now + BEAT_MS, Timer::Beat(peer.node));
        self.timers.set(self.now + DEAD_MS, Timer::Dead(peer.node));
    }

    pub(super) fn disconnected(&mut self, node: &NodeId) {
        self.note_end(node);
        let Some(session) = self.sessions.remove(node) else { return };
        if !session.asking.is_empty() {
            // Hanging up is no answer either.
            self.unanswering.insert(*node, self.now + BLOCKED_MS);
        }
        let feeds: Vec<_> = self.pipes.keys().copied().collect();
        for feed in feeds {
            self.peer_gone(&feed, node);
            // It may have waited for statements from there.
            self.advance(&feed);
        }
        self.audit_peer_gone(node);
        self.compare_peer_gone(node);
        self.review_wishes();
    }

    /// A frame from a peer, read, counted and passed on to what it is about.
    pub(super) fn frame(&mut self, node: NodeId, bytes: &[u8]) {
        let Some(session) = self.sessions.get_mut(&node) else { return };
        if session.closing {
            return;
        }
        session.last_in = self.now;
        self.counters.frames_in += 1;
        self.counters.bytes_in += bytes.len() as u64;
        let ready = session.ready;
        match Message::read(bytes) {
            Ok(Some(hello @ Message::Hello { .. })) if !ready => self.hello(node, hello),
            Ok(Some(Message::Bye { .. })) => self.close(&node, CloseReason::Bye, None),
            Ok(Some(message)) if ready => self.message(node, message, bytes.len()),
            Ok(_) => {}
            Err(error) => self.misbehaved(&node, error.to_string()),
        }
        self.look_in_sync(&node);
    }

    /// Notes whether both are in sync now, at most every [`SEEN_MS`]: with many feeds that is not for nothing.
    fn look_in_sync(&mut self, node: &NodeId) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(node).filter(|session| session.look_at <= now) else { return };
        session.look_at = now + SEEN_MS;
        let in_sync = self.sessions.get(node).is_some_and(|session| session.open() && self.in_sync(session));
        if in_sync && let Some(session) = self.sessions.get_mut(node) {
            session.seen_in_sync_at = Some(now);
        }
    }

    fn message(&mut self, node: NodeId, message: Message, bytes: usize) {
        match message {
            Message::Have { feeds, chains, offer } => self.have(node, feeds, chains, offer),
            Message::AskChain { organisation } => self.asked(node, Request::Chain(organisation)),
            Message::Chain { organisation, statements, last } => self.chain(node, organisation, statements, last),
            Message::Get { feed, after } => self.get(node, feed, after),
            Message::Page { feed, after, upto, items, kind, offer } => {
                let items = items.into_iter().map(|item| item.item()).collect::<Option<Vec<_>>>();
                match items {
                    Some(items) => self.page(node, feed, pipe_page(after, upto, items, kind, bytes), offer),
                    None => self.misbehaved(&node, "a page that cannot be put together".into()),
                }
            }
            Message::Ack { feed, cursor, stored, offer } => self.ack(node, feed, cursor, stored, offer),
            Message::Want { feed, entry, have } => self.asked(node, Request::Entry { feed, entry, have }),
            Message::Changes { feed, entry, record, chunks, last } => {
                self.changes(
                    node,
                    feed,
                    entry,
                    record.map(Vec::from),
                    chunks.into_iter().map(Vec::from).collect(),
                    last,
                );
            }
            Message::Gone { feed, entry } => self.gone(&node, feed, entry),
            Message::Audit { feed, middles } => self.asked(node, Request::Tree { feed, middles }),
            Message::AuditBuckets { feed, cursor, root, live, buckets } => {
                self.audit_buckets(node, feed, cursor, root, live, buckets);
            }
            Message::AuditLeaves { feed, leaves } => {
                self.asked(node, Request::Leaves { feed, leaves: leaves.into_iter().collect() });
            }
            Message::AuditItems { feed, items, last } => self.audit_items(node, feed, items, last),
            Message::Yours { feed, items } => self.yours(node, feed, items),
            Message::Settled { feed, records } => self.settled(node, feed, records),
            Message::Evidence { feed, items } => self.evidence(node, feed, items),
            Message::Follow { feed, follows } => self.peer_follows(&node, &feed, follows),
            Message::Beat { question } => {
                if question && self.sessions.get(&node).is_some_and(Session::has_room) {
                    self.send(&node, &Message::Beat { question: false }, Lane::Control);
                }
            }
            // A second greeting on one connection says nothing new; a goodbye was handled before.
            Message::Hello { .. } | Message::Bye { .. } => {}
        }
    }

    fn hello(&mut self, node: NodeId, message: Message) {
        let Message::Hello { oldest, newest, organisation, instance, offer, taken, .. } = message else { return };
        let Some(session) = self.sessions.get_mut(&node) else { return };
        if oldest > VERSION || newest < VERSION {
            return self.close(&node, CloseReason::Version, Some(ByeCode::Version));
        }
        if organisation != session.peer.organisation {
            return self.close(&node, CloseReason::Organisation, Some(ByeCode::Misbehaved));
        }
        session.ready = true;
        session.offer = Some(offer);
        if self.has_parted(&organisation) {
            return self.removed(&organisation);
        }
        if self.sessions.get(&node).is_some_and(|session| self.is_turned_away(&session.peer)) {
            return self.turn_away(&node);
        }
        let (last, before) = self.instances.get(&node).copied().unwrap_or((instance, instance));
        if last != instance {
            self.instances.insert(node, (instance, last));
            if before == instance {
                self.alarm(Alarm::TwoInstances { node });
            }
        } else {
            self.instances.insert(node, (last, before));
        }
        self.greeted(&node, offer, taken);
    }

    pub(super) fn misbehaved(&mut self, node: &NodeId, reason: String) {
        self.alarm(Alarm::Misbehaved { node: *node, reason });
        self.close(node, CloseReason::Misbehaved, Some(ByeCode::Misbehaved));
    }

    /// More waits for a peer than it reads. It would not read a goodbye either.
    pub(super) fn unread(&mut self, node: &NodeId) {
        let reason = format!("it does not read what is sent to it, {UNREAD_BYTES_MAX} bytes wait");
        self.alarm(Alarm::Misbehaved { node: *node, reason });
        self.close(node, CloseReason::Misbehaved, None);
    }

    pub(super) fn close(&mut self, node: &NodeId, reason: CloseReason, bye: Option<ByeCode>) {
        if self.sessions.get(node).is_none_or(|session| session.closing) {
            return;
        }
        if let Some(code) = bye {
            self.send(node, &Message::Bye { code }, Lane::Control);
        }
        self.note_end(node);
        if let Some(session) = self.sessions.get_mut(node) {
            session.closing = true;
            session.behind.clear();
            session.streams.clear();
            session.requests.clear();
        }
        self.out.push_back(Effect::Close { node: *node, reason });
        self.review_wishes();
    }

    /// The signed end goes out before the line closes.
    pub(super) fn removed(&mut self, organisation: &OrgId) {
        let of_it = |s: &&Session| s.peer.organisation == *organisation && !s.closing;
        let nodes: Vec<_> = self.sessions.values().filter(of_it).map(|s| s.peer.node).collect();
        for node in nodes {
            self.send_chain(&node, &self.config.organisation.clone());
            self.send_chain(&node, organisation);
            self.close(&node, CloseReason::Removed, Some(ByeCode::Removed));
        }
    }

    /// A node whose certificate was taken back hears that from whoever knows it, and nothing more.
    pub(super) fn turn_away(&mut self, node: &NodeId) {
        let Some(organisation) = self.sessions.get(node).map(|session| session.peer.organisation) else { return };
        let Some(known) = self.organisations.get(&organisation) else { return };
        let statements = known.about_keys().into_iter().map(Into::into).collect();
        self.send(node, &Message::Chain { organisation, statements, last: true }, Lane::Control);
        self.close(node, CloseReason::Revoked, Some(ByeCode::Removed));
    }

    pub(super) fn stop(&mut self) {
        let nodes: Vec<_> = self.sessions.keys().copied().collect();
        for node in nodes {
            self.close(&node, CloseReason::Stopping, Some(ByeCode::Stopping));
        }
    }

    pub(super) fn beat(&mut self, node: &NodeId) {
        let Some(session) = self.sessions.get(node) else { return };
        if session.closing {
            return;
        }
        if session.last_out + BEAT_MS <= self.now {
            self.send(node, &Message::Beat { question: false }, Lane::Control);
        }
        let next = self.sessions.get(node).map_or(self.now, |session| session.last_out) + BEAT_MS;
        self.timers.set(next, Timer::Beat(*node));
    }

    pub(super) fn check_alive(&mut self, node: &NodeId) {
        let Some(session) = self.sessions.get(node) else { return };
        // Who never greets is not alive either, whatever else it sends.
        if session.last_in + DEAD_MS <= self.now || !session.ready {
            self.close(node, CloseReason::Silent, None);
        } else {
            self.timers.set(session.last_in + DEAD_MS, Timer::Dead(*node));
        }
    }

    /// Notes that everything the peer offers is held, if so.
    pub(super) fn settle(&mut self, node: &NodeId) {
        let Some(session) = self.sessions.get_mut(node) else { return };
        if !session.behind.is_empty() || session.asked.values().any(|asked| !asked.done || asked.again_at.is_some()) {
            return;
        }
        let Some(offer) = session.offer else { return };
        self.taken.insert(*node, offer);
        if session.remembered != Some(offer) && !session.remember_set {
            session.remember_set = true;
            self.timers.set(self.now + REMEMBER_MS, Timer::Remember(*node));
        }
        if session.last_sync_at.is_none_or(|last| last + IN_SYNC_MS <= self.now) {
            self.note_in_sync(node, self.now);
        }
    }

    /// Tells that both sides are in sync, if they are.
    fn note_in_sync(&mut self, node: &NodeId, at: u64) {
        let in_sync = self.sessions.get(node).is_some_and(|session| session.open() && self.in_sync(session));
        if in_sync {
            self.tell_in_sync(node, at);
        }
    }

    fn tell_in_sync(&mut self, node: &NodeId, at: u64) {
        if let Some(session) = self.sessions.get_mut(node) {
            session.last_sync_at = Some(at);
            self.out.push_back(Effect::InSync { node: *node, at });
        }
    }

    /// The connection ends: the last word after which both were in sync is told, unless that was just now.
    fn note_end(&mut self, node: &NodeId) {
        self.remember(node);
        if let Some(session) = self.sessions.get(node)
            && let Some(last) = session.seen_in_sync_at
            && session.last_sync_at.is_some_and(|told| told + IN_SYNC_MS <= last)
        {
            self.tell_in_sync(node, last);
        }
    }

    pub(super) fn remember(&mut self, node: &NodeId) {
        let Some(session) = self.sessions.get_mut(node) else { return };
        session.remember_set = false;
        let Some(taken) = self.taken.get(node).copied() else { return };
        if session.remembered != Some(taken) {
            session.remembered = Some(taken);
            self.out.push_back(Effect::Remember { node: *node, taken });
        }
    }
}

fn pipe_page(
    after: Position,
    upto: Position,
    items: Vec<crate::Item>,
    kind: crate::wire::PageKind,
    bytes: usize,
) -> super::pipe::Page {
    super::pipe::Page { after, upto, items, kind, bytes }
}
