//! The loop around the engine: what happened goes in, what the engine wants is done. Dull on purpose.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ortsnetz_model::{EntryId, FeedId, NodeId, OrgId};
use ortsnetz_net::{Events, NetEvent, Priority, Reason, SendError, Topic};
use ortsnetz_store::{Batch, Key, Origin};
use ortsnetz_sync::{Alarm, CloseReason, CompareError, Comparison, Effect, Engine, Event, Lane, OpId, Peer};
use tokio::sync::{mpsc, oneshot};

use crate::accepting::{self, Outcome};
use crate::alarms;
use crate::carrying;
use crate::clock;
use crate::committing;
use crate::drafts;
use crate::dto::EventInfo;
use crate::error::NodeError;
use crate::given_back;
use crate::identities;
use crate::judges::Judges;
use crate::leaving;
use crate::plan::{OpIds, Pending};
use crate::reaching;
use crate::rows;
use crate::shared::{Shared, lock, read, stopping, write};
use crate::storing;

/// What reaches the loop beside the network.
pub(crate) enum Input {
    /// Write and sign something.
    Publish(Pending),
    /// Compare with a connected node.
    Compare(NodeId, oneshot::Sender<Result<Vec<Comparison>, CompareError>>),
    /// The statements of an organisation changed.
    Organisation(OrgId),
    /// The partnership with an organisation ended.
    Removed(OrgId),
    /// Records and changes were judged.
    Accepted(OpId, Vec<ortsnetz_sync::Verdict>, Vec<Option<Outcome>>),
    /// An answer to an effect.
    Answer(Event),
    /// A look at the engine.
    Ask(Box<dyn FnOnce(&Engine) + Send>),
    /// Say goodbye; answered when the engine has.
    Stop(oneshot::Sender<()>),
}

/// That one node was turned away is logged once in this time.
const TURNED_AWAY_MS: u64 = 60_000;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// What waits for room in the send queues of one connection, by priority.
#[derive(Default)]
struct Unsent {
    frames: [VecDeque<Vec<u8>>; 2],
    /// The network said that there is no room, and has not said yet that there is again.
    full: [bool; 2],
}

pub(crate) struct Driver {
    shared: Arc<Shared>,
    engine: Engine,
    ops: OpIds,
    pending: BTreeMap<OpId, Pending>,
    compares: BTreeMap<OpId, oneshot::Sender<Result<Vec<Comparison>, CompareError>>>,
    accepted: BTreeMap<OpId, (NodeId, Vec<Option<Outcome>>)>,
    accepting: BTreeMap<OpId, NodeId>,
    unsent: BTreeMap<NodeId, Unsent>,
    /// Nodes the engine waits for until what it sent to them has left.
    draining: BTreeSet<NodeId>,
    connected: BTreeMap<NodeId, OrgId>,
    /// When it was logged that a node whose certificate was taken back had called.
    turned_away: BTreeMap<NodeId, u64>,
    judges: Judges,
    /// What nodes did that are about to be cut off.
    misdeeds: BTreeMap<NodeId, String>,
    wake_at: Option<u64>,
}

impl Driver {
    pub fn new(shared: Arc<Shared>, engine: Engine) -> Self {
        Self {
            shared,
            engine,
            ops: OpIds::default(),
            pending: BTreeMap::new(),
            compares: BTreeMap::new(),
            accepted: BTreeMap::new(),
            accepting: BTreeMap::new(),
            unsent: BTreeMap::new(),
            draining: BTreeSet::new(),
            connected: BTreeMap::new(),
            turned_away: BTreeMap::new(),
            judges: Judges::new(std::thread::available_parallelism().map_or(1, usize::from)),
            misdeeds: BTreeMap::new(),
            wake_at: None,
        }
    }

    /// Runs until it is stopped.
    pub async fn run(mut self, mut inputs: mpsc::UnboundedReceiver<Input>, mut net: Events) {
        self.handle(Event::Wake);
        loop {
            self.perform_all();
            let wait = self
                .wake_at
                .map_or(Duration::from_secs(3600), |at| Duration::from_millis(at.saturating_sub(clock::now())));
            tokio::select! {
                biased;
                input = inputs.recv() => match input {
                    None => return,
                    Some(Input::Stop(done)) => {
                        self.handle(Event::Stopping);
                        self.perform_all();
                        tokio::time::sleep(GOODBYE).await;
                        let _ = done.send(());
                        self.refuse_everything();
                        return;
                    }
                    Some(input) => self.input(input),
                },
                event = net.recv() => match event {
                    None => return,
                    Some(NetEvent::Frame { peer, bytes }) => self.frame(peer, bytes),
                    Some(event) => self.network(event),
                },
                () = tokio::time::sleep(wait) => {
                    self.wake_at = None;
                    self.handle(Event::Wake);
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        self.engine.handle(clock::now(), event);
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Publish(pending) => {
                let op = self.ops.next();
                let items = pending.plan.publish_items();
                self.pending.insert(op, pending);
                self.handle(Event::Publish { op, items });
            }
            Input::Compare(node, reply) => {
                let op = self.ops.next();
                self.compares.insert(op, reply);
                self.handle(Event::Compare { op, node });
            }
            Input::Organisation(id) => {
                if let Some(organisation) = self.shared.identity_of(&id) {
                    self.handle(Event::Organisation { organisation });
                }
            }
            Input::Removed(organisation) => self.handle(Event::Removed { organisation }),
            Input::Accepted(op, verdicts, outcomes) => {
                let node = self.accepting.remove(&op).unwrap_or(self.shared.own.node);
                self.accepted.insert(op, (node, outcomes));
                self.handle(Event::Accepted { op, verdicts });
            }
            Input::Answer(event) => self.handle(event),
            Input::Ask(ask) => ask(&self.engine),
            Input::Stop(_) => {}
        }
    }

    /// Who costs more of the loop's time waits for those who cost less.
    fn frame(&mut self, peer: NodeId, bytes: Vec<u8>) {
        let begun = Instant::now();
        self.handle(Event::Frame { node: peer, bytes });
        self.perform_all();
        let time = begun.elapsed();
        self.shared.net.charge(peer, time);
        lock(&self.shared.burdens).entry(peer).or_default().busy += time;
    }

    fn network(&mut self, event: NetEvent) {
        match event {
            NetEvent::Connected { peer, remote, relays, .. } => {
                let Some(organisation) = self.shared.organisation_of(&peer) else {
                    match self.shared.revoked_by(&peer) {
                        Some(organisation) => self.turned_away(peer, organisation, &remote),
                        None => self.shared.net.close(peer, "no certificate"),
                    }
                    return;
                };
                tracing::info!(%peer, organisation = self.shared.organisation_name(&organisation), remote, "connected");
                self.connected.insert(peer, organisation);
                self.handle(Event::Connected { peer: Peer { node: peer, organisation } });
                self.tell_partner(organisation, true, false);
                reaching::connected(&self.shared, peer, relays);
            }
            NetEvent::Disconnected { peer, reason } => {
                tracing::info!(%peer, %reason, "disconnected");
                if matches!(reason, Reason::Flooded { .. } | Reason::FrameTooLong { .. }) {
                    lock(&self.shared.burdens).entry(peer).or_default().misbehaved += 1;
                }
                alarms::cut_off(&self.shared, &peer, &reason);
                self.unsent.remove(&peer);
                self.handle(Event::Disconnected { node: peer });
                self.draining.remove(&peer);
                if let Some(organisation) = self.connected.remove(&peer) {
                    self.tell_partner(organisation, false, false);
                }
            }
            NetEvent::Frame { peer, bytes } => self.frame(peer, bytes),
            NetEvent::Writable { peer } => {
                if let Some(unsent) = self.unsent.get_mut(&peer) {
                    unsent.full = [false; 2];
                }
                self.send_waiting(peer);
            }
            NetEvent::Refused { node, address, reason } => {
                self.shared.refused.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%node, address, reason, "a node was turned away");
            }
            NetEvent::DialFailed { peer, reason } => {
                tracing::debug!(%peer, reason, "a node could not be reached");
            }
            NetEvent::Join { node, remote, stream } => {
                tracing::info!(%node, remote, "a node answers an invitation");
                let shared = self.shared.clone();
                tokio::spawn(async move { crate::joining::answer(shared, stream).await });
            }
            NetEvent::Return { node, remote, stream } => {
                tracing::info!(%node, remote, "a node says that it belongs to a partner");
                let shared = self.shared.clone();
                tokio::spawn(async move { crate::returning::answer(shared, stream).await });
            }
            NetEvent::Question { peer, topic: Topic::Keep, bytes, answer } => {
                crate::keeping::answer(&self.shared, peer, bytes, answer);
            }
            NetEvent::Question { peer, topic: Topic::Places, bytes, answer } => {
                crate::passing::answer(&self.shared, peer, bytes, answer);
            }
            NetEvent::Question { peer, topic: Topic::Find, bytes, answer } => {
                crate::live::answer(&self.shared, peer, bytes, answer);
            }
            NetEvent::Listening { address } => {
                tracing::info!(address, "listening for peers");
                reaching::listening(&self.shared);
            }
            NetEvent::ObservedAddress { .. } => {}
        }
    }

    /// A node whose certificate was taken back connected: the engine tells it so. Logged once in a while, however often it
    /// comes.
    fn turned_away(&mut self, node: NodeId, organisation: OrgId, remote: &str) {
        let now = clock::now();
        let last = self.turned_away.get(&node).copied();
        if last.is_none_or(|last| last + TURNED_AWAY_MS <= now) {
            self.turned_away.insert(node, now);
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            let name = self.shared.node_name(&node);
            tracing::warn!(%node, name, remote, "a node whose certificate was taken back called and is told so");
        }
        self.handle(Event::Connected { peer: Peer { node, organisation } });
    }

    fn tell_partner(&self, organisation: OrgId, connected: bool, in_sync: bool) {
        let _ = self.shared.events.send(EventInfo::Partner {
            id: organisation.to_string(),
            name: self.shared.organisation_name(&organisation),
            connected,
            in_sync,
        });
    }

    fn perform_all(&mut self) {
        while let Some(effect) = self.engine.poll_effect() {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send { node, frame, lane } => {
                let priority = if lane == Lane::Bulk { Priority::Bulk } else { Priority::Control };
                self.unsent.entry(node).or_default().frames[usize::from(priority == Priority::Bulk)].push_back(frame);
                self.send_waiting(node);
            }
            Effect::Drain { node } => {
                self.draining.insert(node);
                self.send_waiting(node);
            }
            Effect::Close { node, reason: CloseReason::Misbehaved } => {
                lock(&self.shared.burdens).entry(node).or_default().misbehaved += 1;
                self.shared.net.bar(node, self.misdeeds.remove(&node).unwrap_or_default());
            }
            Effect::Close { node, reason } => self.shared.net.close(node, format!("{reason:?}")),
            Effect::Commit { op, batches, origins } => {
                let mut plans = Vec::new();
                for (publish, _) in origins.iter().flatten() {
                    if plans.iter().all(|(of, _)| of != publish)
                        && let Some(pending) = self.pending.get_mut(publish)
                    {
                        plans.push((*publish, pending.plan.take()));
                    }
                }
                let shared = self.shared.clone();
                rayon::spawn(move || committing::commit(&shared, op, batches, &origins, plans));
            }
            Effect::Published { op, result } => {
                if let Some(pending) = self.pending.remove(&op) {
                    let _ = pending.reply.send(result.map_err(|error| publish_error(&self.shared, error)));
                }
            }
            Effect::Accept { op, node, feed, items } => {
                self.accepting.insert(op, node);
                accepting::accept(&self.shared, &self.judges, op, node, feed, items);
            }
            Effect::Store { op, batch } => {
                let (node, outcomes) = match batch.accept.and_then(|accept| self.accepted.remove(&accept)) {
                    Some((node, outcomes)) => (Some(node), outcomes),
                    None => (None, Vec::new()),
                };
                storing::store(&self.shared, op, node, *batch, outcomes);
            }
            Effect::Load { op, feed, query } => {
                let shared = self.shared.clone();
                rayon::spawn(move || storing::load(&shared, op, feed, &query));
            }
            Effect::TakeIn { op, node, organisation, statements } => {
                let shared = self.shared.clone();
                rayon::spawn(move || identities::take_in(&shared, op, node, organisation, &statements));
            }
            Effect::Returned { op, node, feed, items } => {
                let shared = self.shared.clone();
                // Not among the workers: it waits for this loop.
                tokio::task::spawn_blocking(move || given_back::take_over(&shared, op, node, feed, &items));
            }
            Effect::Remember { node, taken } => {
                let mut batch = Batch::new(Origin::Foreign);
                batch.put(Key::Custom { table: TAKEN.into(), key: node.0.to_vec() }, taken.to_vec());
                self.shared.store.submit(batch, |_| {});
            }
            Effect::InSync { node, at } => {
                if let Some(organisation) = self.shared.organisation_of(&node) {
                    self.in_sync(organisation, at, self.connected.contains_key(&node));
                }
            }
            Effect::Compared { op, result } => {
                if let Some(reply) = self.compares.remove(&op) {
                    let _ = reply.send(result);
                }
            }
            Effect::Applied { node, feed, entries } => self.applied(node, feed, entries),
            Effect::Alarm(alarm) => {
                if let Alarm::Misbehaved { node, reason } = &alarm {
                    self.misdeeds.insert(*node, reason.clone());
                }
                alarms::raise(&self.shared, &alarm);
            }
            Effect::WakeAt { at } => self.wake_at = Some(at),
        }
    }

    fn in_sync(&self, organisation: OrgId, at: u64, connected: bool) {
        if let Some(partner) = write(&self.shared.partners).get_mut(&organisation) {
            partner.last_sync_at = partner.last_sync_at.max(at);
            let mut batch = Batch::new(Origin::Own);
            batch.put(Key::Partner(organisation), rows::encode(partner));
            self.shared.store.submit(batch, |_| {});
        }
        if connected {
            self.tell_partner(organisation, true, true);
        }
    }

    fn applied(&mut self, node: Option<NodeId>, feed: FeedId, entries: Vec<EntryId>) {
        let now = clock::now();
        self.shared.last_change_at.store(now, Ordering::Relaxed);
        if !read(&self.shared.feeds).contains(&feed) {
            write(&self.shared.feeds).insert(feed);
        }
        self.shared.search.changed(feed, entries.clone());
        if let Some(writer) = self.shared.identity().draft_node(&feed.collection)
            && feed.organisation == self.shared.own.organisation
            && node.is_some()
        {
            drafts::arrived(&self.shared, writer, feed, entries.clone());
        }
        if feed.organisation == self.shared.own.organisation && node.is_some() {
            carrying::arrived(&self.shared);
        }
        let collection = self.shared.collection_name(&feed);
        for entry in entries {
            let withdrawn = self.engine.row(&feed, &entry).is_some_and(|row| row.withdrawn);
            let _ = self.shared.events.send(EventInfo::Entry {
                id: entry.to_string(),
                organisation: feed.organisation.to_string(),
                collection: collection.clone(),
                state: if withdrawn { "withdrawn" } else { "published" }.into(),
                at: clock::rfc3339(now),
            });
        }
    }

    /// Sends what waits for a peer, as far as there is room; small frames overtake pages.
    fn send_waiting(&mut self, node: NodeId) {
        if let Some(Unsent { frames, full }) = self.unsent.get_mut(&node) {
            for (lane, priority) in [Priority::Control, Priority::Bulk].into_iter().enumerate() {
                while !full[lane]
                    && let Some(frame) = frames[lane].pop_front()
                {
                    match self.shared.net.send(node, frame, priority) {
                        Ok(()) => {}
                        Err(SendError::Full(frame)) => {
                            full[lane] = true;
                            frames[lane].push_front(frame);
                        }
                        Err(SendError::NotConnected) => frames.iter_mut().for_each(VecDeque::clear),
                        Err(error @ SendError::TooLong { .. }) => {
                            tracing::error!(%node, %error, "a frame could not be sent");
                        }
                    }
                }
            }
            if frames.iter().any(|frames| !frames.is_empty()) {
                return;
            }
            self.unsent.remove(&node);
        }
        if self.draining.remove(&node) {
            self.handle(Event::Drained { node });
        }
    }

    fn refuse_everything(&mut self) {
        for (_, pending) in std::mem::take(&mut self.pending) {
            let _ = pending.reply.send(Err(stopping()));
        }
    }
}

/// Table of what is remembered of peers: key is the node, value the hash of its last offer we took in.
pub(crate) const TAKEN: &str = "taken";

/// Why a node that was restored does not publish yet.
const HELD: &str = "nothing was published: this node was restored and has not heard from a partner yet what it lacks; it goes on by itself as soon as one is connected and in sync. If none will ever answer: `ortsnetz publisher take`";

/// Begins the message of a publication that did not reach the disk.
pub(crate) const NOTHING_WRITTEN: &str = "nothing was written: ";

fn publish_error(shared: &Shared, error: ortsnetz_sync::PublishError) -> NodeError {
    use ortsnetz_sync::PublishError as E;
    match error {
        E::NotPublisher => NodeError::Forbidden(format!("{error}; see `ortsnetz publisher show`")),
        E::Ended => NodeError::Conflict(format!("{error}; move the entry first with `ortsnetz move ID COLLECTION`")),
        E::Left => match leaving::taking_part(shared, "nothing new is published") {
            Err(refused) => refused,
            Ok(()) => NodeError::Conflict(error.to_string()),
        },
        E::Held => NodeError::Conflict(HELD.into()),
        E::Frozen | E::Generation(_) => NodeError::Conflict(error.to_string()),
        E::Batch | E::Full => NodeError::TooLarge(error.to_string()),
        E::Busy => NodeError::Unavailable(format!("{error}; nothing was written")),
        E::NotStored => NodeError::Unavailable(format!("{NOTHING_WRITTEN}{}", lock(&shared.not_stored))),
    }
}
