//! What all tasks of the network share: who is allowed, which connections there are, and what waits for the owner.
//! Everything under one lock that is held for moments only; so the order of events for a peer is decided in one place.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libp2p::Multiaddr;
use libp2p::swarm::ConnectionId;
use ortsnetz_model::NodeId;
use tokio::sync::{Notify, mpsc, watch};

use crate::config::{JOIN_CONNECTIONS_MAX, Limits, Timing};
use crate::driver::Command;
use crate::event::{NetEvent, Reason};
use crate::inbox::Inbox;
use crate::link::{Counters, Link};
use crate::question::TOPICS;
use crate::reach::{Arrival, DialBacks, Quotas, RelayLimits};

/// Most connections to one peer at a time: the one in use and one that may take its place.
const LINKS_PER_PEER_MAX: usize = 2;

/// How often a refused node is reported.
const REFUSED_INTERVAL: Duration = Duration::from_secs(60);

/// Most refused nodes remembered for that; when more come they are all reported anew.
const REFUSED_NODES_MAX: usize = 1024;

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it is not on the list of allowed nodes")]
    NotAllowed,
    #[error("it is not on the list of allowed nodes, and too many nodes are joining")]
    TooManyJoining,
    #[error("there are {LINKS_PER_PEER_MAX} connections to it already")]
    TooMany,
    #[error("there is a better connection to it already")]
    Redundant,
    #[error("too many connections from its address wait for their handshake")]
    TooManyPending,
    #[error("it misbehaved and is kept out for a while")]
    Barred,
    #[error("this node is stopping")]
    Stopping,
    /// It was dialled only to see whether it can be.
    #[error("it answers")]
    Probed,
}

/// The shared state.
pub(crate) struct Registry {
    pub(crate) me: NodeId,
    pub(crate) limits: Limits,
    pub(crate) timing: Timing,
    /// Something waits for the owner.
    pub(crate) arrived: Notify,
    /// Something waits for the driver.
    pub(crate) changed: Notify,
    /// Becomes true when everything has stopped.
    pub(crate) done: watch::Sender<bool>,
    /// What is asked of the driver.
    pub(crate) commands: mpsc::Sender<Command>,
    /// Circuits others opened to us, on their way to the transport.
    pub(crate) arrivals: mpsc::Sender<Arrival>,
    /// Questions of all peers that are read or answered now.
    pub(crate) questions: [AtomicUsize; TOPICS],
    /// The books of what we relay, if we do.
    quotas: Option<Mutex<Quotas>>,
    dial_backs: Mutex<DialBacks>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) inbox: Inbox,
    pub(crate) peers: HashMap<NodeId, PeerState>,
    pub(crate) changes: Changes,
    pub(crate) joins_open: bool,
    pub(crate) returns_open: bool,
    pub(crate) listening: Vec<String>,
    /// No new connection is taken.
    pub(crate) stopping: bool,
    /// Nothing will ever happen again.
    pub(crate) stopped: bool,
    joining: HashSet<ConnectionId>,
    refused: HashMap<NodeId, Instant>,
}

/// What the driver has not seen yet.
#[derive(Default)]
pub(crate) struct Changes {
    /// The allow list is another one.
    pub(crate) peers: bool,
    /// Peers that were gone from it, even if they are back already.
    pub(crate) removed: BTreeSet<NodeId>,
    /// Peers that came up or went down.
    pub(crate) touched: BTreeSet<NodeId>,
    /// Peers to dial now.
    pub(crate) nudged: BTreeSet<NodeId>,
    /// Peers that are kept out, and until when.
    pub(crate) barred: BTreeMap<NodeId, Instant>,
    /// Connections we dialled that ended; where the dial still counts as under way, it has failed.
    pub(crate) failed: BTreeMap<NodeId, Reason>,
}

/// A node on the allow list.
pub(crate) struct PeerState {
    pub(crate) addresses: Vec<Multiaddr>,
    pub(crate) dial: bool,
    pub(crate) counters: Arc<Counters>,
    pub(crate) dial_error: Option<String>,
    /// The connection in use.
    pub(crate) active: Option<Arc<Link>>,
    /// All connections that have not ended.
    links: Vec<Arc<Link>>,
    /// When the connection in use brought something last.
    heard: Instant,
    /// What it did, if it misbehaved.
    barred: Option<Barred>,
}

/// A peer that misbehaved.
struct Barred {
    until: Instant,
    /// How often in a row.
    times: u32,
    reason: String,
}

impl PeerState {
    pub(crate) fn new() -> Self {
        Self {
            addresses: Vec::new(),
            dial: false,
            counters: Arc::default(),
            dial_error: None,
            active: None,
            links: Vec::new(),
            heard: Instant::now(),
            barred: None,
        }
    }

    /// For how long it is still kept out, and why.
    pub(crate) fn barred_for(&self, now: Instant) -> Option<(Duration, String)> {
        let barred = self.barred.as_ref().filter(|barred| barred.until > now)?;
        Some((barred.until - now, barred.reason.clone()))
    }

    /// Keeps it out, twice as long each time; returns until when.
    fn bar(&mut self, timing: &Timing, now: Instant, reason: String) -> Instant {
        let before = self.barred.take().filter(|barred| now < barred.until + timing.bar_max);
        let times = before.map_or(0, |barred| barred.times.saturating_add(1));
        let until = now + timing.bar_min.saturating_mul(1 << times.min(16)).min(timing.bar_max);
        self.barred = Some(Barred { until, times, reason });
        until
    }

    /// Forgets the connection in use and tells the owner.
    pub(crate) fn drop_active(&mut self, inbox: &mut Inbox, reason: Reason) -> Option<Arc<Link>> {
        let link = self.active.take()?;
        inbox.push(link.node, NetEvent::Disconnected { peer: link.node, reason });
        Some(link)
    }

    /// Asks all connections to end.
    pub(crate) fn close_all(&mut self, inbox: &mut Inbox, reason: Reason) {
        self.drop_active(inbox, reason);
        self.links.iter().for_each(|link| link.request_close());
    }
}

impl Registry {
    /// With where commands and circuits from outside go.
    pub(crate) fn new(
        me: NodeId,
        limits: Limits,
        timing: Timing,
        relay: Option<RelayLimits>,
        commands: mpsc::Sender<Command>,
        arrivals: mpsc::Sender<Arrival>,
    ) -> Arc<Self> {
        Arc::new(Self {
            me,
            limits,
            timing,
            arrived: Notify::new(),
            changed: Notify::new(),
            done: watch::Sender::new(false),
            commands,
            arrivals,
            questions: Default::default(),
            quotas: relay.map(|limits| Mutex::new(Quotas::new(limits))),
            dial_backs: Mutex::default(),
            state: Mutex::default(),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Everything under the lock is plain bookkeeping; a panic there is a bug, and going on is the better answer.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this node relays for its partners.
    pub(crate) fn relays(&self) -> bool {
        self.quotas.is_some()
    }

    /// The books of what we relay; `None` if we do not. Held for moments only.
    pub(crate) fn quotas(&self) -> Option<MutexGuard<'_, Quotas>> {
        self.quotas.as_ref().map(|quotas| quotas.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who had itself dialled lately.
    pub(crate) fn dial_backs(&self) -> MutexGuard<'_, DialBacks> {
        self.dial_backs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection in use to a peer.
    pub(crate) fn link(&self, node: &NodeId) -> Option<Arc<Link>> {
        self.lock().peers.get(node).and_then(|peer| peer.active.clone())
    }

    /// The same, if it runs over no circuit itself.
    pub(crate) fn direct_link(&self, node: &NodeId) -> Option<Arc<Link>> {
        self.link(node).filter(|link| !link.relayed)
    }

    /// Where a peer is said to be.
    pub(crate) fn addresses_of(&self, node: &NodeId) -> Vec<Multiaddr> {
        self.lock().peers.get(node).map(|peer| peer.addresses.clone()).unwrap_or_default()
    }

    /// Whether a node may connect, at least to join or to return.
    pub(crate) fn is_welcome(&self, node: &NodeId) -> bool {
        let state = self.lock();
        let barred = |peer: &PeerState| peer.barred_for(Instant::now()).is_some();
        !state.stopping && state.peers.get(node).map_or(state.joins_open || state.returns_open, |peer| !barred(peer))
    }

    /// Adds an event of no peer; dropped if the owner does not take any.
    pub(crate) fn tell(&self, event: NetEvent) {
        let dropped = self.lock().inbox.push_general(event);
        if let Some(event) = dropped {
            tracing::debug!(?event, "event dropped: the owner takes none");
        }
        self.arrived.notify_one();
    }

    /// Replaces the allow list.
    pub(crate) fn set_peers(&self, new: HashMap<NodeId, (Vec<Multiaddr>, bool)>) {
        let mut state = self.lock();
        let State { peers, inbox, changes, .. } = &mut *state;
        peers.retain(|node, peer| {
            let stays = new.contains_key(node);
            if !stays {
                peer.close_all(inbox, Reason::NotAllowed);
                changes.removed.insert(*node);
            }
            stays
        });
        for (node, (addresses, dial)) in new {
            let peer = peers.entry(node).or_insert_with(PeerState::new);
            if peer.addresses != addresses {
                changes.nudged.insert(node);
            }
            (peer.addresses, peer.dial) = (addresses, dial);
        }
        changes.peers = true;
        drop(state);
        self.arrived.notify_one();
        self.changed.notify_one();
    }

    /// Ends the connection in use, after what is queued went out.
    pub(crate) fn close(&self, node: &NodeId, reason: Reason) {
        let mut state = self.lock();
        let State { peers, inbox, changes, .. } = &mut *state;
        if let Some(link) = peers.get_mut(node).and_then(|peer| peer.drop_active(inbox, reason)) {
            link.request_close();
            changes.touched.insert(*node);
        }
        drop(state);
        self.arrived.notify_one();
        self.changed.notify_one();
    }

    /// Ends all connections to a peer that misbehaved and keeps it out for a while.
    pub(crate) fn bar(&self, node: &NodeId, reason: Reason) {
        let mut state = self.lock();
        let State { peers, inbox, changes, .. } = &mut *state;
        if let Some(peer) = peers.get_mut(node) {
            tracing::warn!(peer = %node, %reason, "peer closed");
            changes.barred.insert(*node, peer.bar(&self.timing, Instant::now(), reason.to_string()));
            peer.close_all(inbox, reason);
            changes.touched.insert(*node);
        }
        drop(state);
        self.arrived.notify_one();
        self.changed.notify_one();
    }

    /// Asks the driver to end everything.
    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_one();
    }

    /// Takes a connection of an allowed peer, or says why not.
    pub(crate) fn admit(&self, node: NodeId, outbound: bool, remote: String) -> Result<Arc<Link>, Refusal> {
        let mut state = self.lock();
        let State { peers, inbox, stopping, .. } = &mut *state;
        if *stopping {
            return Err(Refusal::Stopping);
        }
        let peer = peers.get_mut(&node).ok_or(Refusal::NotAllowed)?;
        if peer.barred_for(Instant::now()).is_some() {
            return Err(Refusal::Barred);
        }
        if peer.links.iter().filter(|link| !link.is_closing()).count() >= LINKS_PER_PEER_MAX || !inbox.has_room(&node) {
            return Err(Refusal::TooMany);
        }
        let link = Link::new(node, outbound, remote, peer.counters.clone(), &self.limits);
        if peer.active.as_ref().is_some_and(|old| outbound && !self.gives_way(old, peer.heard, &link)) {
            return Err(Refusal::Redundant);
        }
        peer.links.push(link.clone());
        Ok(link)
    }

    /// Takes a connection of a node outside the allow list, to join or to return and nothing else.
    pub(crate) fn admit_joining(&self, id: ConnectionId) -> Result<(), Refusal> {
        let mut state = self.lock();
        if state.stopping {
            return Err(Refusal::Stopping);
        }
        if !state.joins_open && !state.returns_open {
            return Err(Refusal::NotAllowed);
        }
        if state.joining.len() >= JOIN_CONNECTIONS_MAX {
            return Err(Refusal::TooManyJoining);
        }
        state.joining.insert(id);
        Ok(())
    }

    /// Whether a join stream may be opened now.
    pub(crate) fn joins_open(&self) -> bool {
        self.lock().joins_open
    }

    /// Whether a stream may be opened by which a partner's new node returns.
    pub(crate) fn returns_open(&self) -> bool {
        self.lock().returns_open
    }

    /// Reports a node that was turned away, at most once a minute.
    pub(crate) fn refused(&self, node: NodeId, address: String, refusal: Refusal) {
        let now = Instant::now();
        {
            let mut state = self.lock();
            if state.refused.len() >= REFUSED_NODES_MAX {
                state.refused.retain(|_, at| now.duration_since(*at) < REFUSED_INTERVAL);
                if state.refused.len() >= REFUSED_NODES_MAX {
                    state.refused.clear();
                }
            }
            let last = state.refused.insert(node, now);
            if let Some(last) = last.filter(|last| now.duration_since(*last) < REFUSED_INTERVAL) {
                state.refused.insert(node, last);
                return;
            }
        }
        tracing::warn!(%node, %address, reason = %refusal, "node refused");
        self.tell(NetEvent::Refused { node, address, reason: refusal.to_string() });
    }

    /// A peer's greeting arrived: decides whether this connection is the one to use. If not, the caller closes it.
    pub(crate) fn greeted(&self, link: &Arc<Link>) -> bool {
        let mut state = self.lock();
        let State { peers, inbox, changes, .. } = &mut *state;
        let Some(peer) = peers.get_mut(&link.node) else { return false };
        if link.is_closing() {
            return false;
        }
        if let Some(old) = &peer.active {
            if !self.gives_way(old, peer.heard, link) {
                return false;
            }
            old.request_close();
            peer.drop_active(inbox, Reason::Replaced);
        }
        peer.active = Some(link.clone());
        peer.heard = Instant::now();
        peer.dial_error = None;
        peer.counters.connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (peer, outbound, remote) = (link.node, link.outbound, link.remote.clone());
        inbox.push(peer, NetEvent::Connected { peer, outbound, remote, relays: link.peer_relays() });
        changes.touched.insert(link.node);
        drop(state);
        self.arrived.notify_one();
        self.changed.notify_one();
        true
    }

    /// Whether a connection in use makes room for a new one. It does if it has been silent, or if the new one was dialled
    /// by the smaller node id, so that both sides keep the same one. Of two from the same side the newer is kept: that
    /// side has given up the older. A circuit makes room for a direct connection, and takes the place of one only where the
    /// other side has given that up.
    fn gives_way(&self, old: &Link, heard: Instant, new: &Link) -> bool {
        let dialled_by_smaller =
            |outbound: bool, peer: &NodeId| if outbound { self.me < *peer } else { *peer < self.me };
        let same_side = old.outbound == new.outbound;
        heard.elapsed() > self.timing.fresh
            || match (old.relayed, new.relayed) {
                (true, false) => true,
                (false, true) => same_side && !new.outbound,
                _ => same_side || dialled_by_smaller(new.outbound, &old.node),
            }
    }

    /// A frame arrived. An error says why the connection has to be closed.
    pub(crate) fn frame(&self, link: &Arc<Link>, bytes: Vec<u8>) -> Result<(), Reason> {
        let mut state = self.lock();
        let State { peers, inbox, .. } = &mut *state;
        let peer = peers.get_mut(&link.node).ok_or(Reason::NotAllowed)?;
        if !peer.active.as_ref().is_some_and(|active| Arc::ptr_eq(active, link)) {
            return Err(Reason::Replaced);
        }
        link.counters.received(bytes.len());
        peer.heard = Instant::now();
        inbox.push_frame(link.node, bytes, &self.limits)?;
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// There is room again after a refused send.
    pub(crate) fn writable(&self, link: &Arc<Link>) {
        let mut state = self.lock();
        let State { peers, inbox, .. } = &mut *state;
        let active = peers.get(&link.node).and_then(|peer| peer.active.as_ref());
        if active.is_some_and(|active| Arc::ptr_eq(active, link)) {
            inbox.push(link.node, NetEvent::Writable { peer: link.node });
            drop(state);
            self.arrived.notify_one();
        }
    }

    /// A connection is over, or as good as over. Calling it again for the same one does nothing.
    pub(crate) fn ended(&self, link: &Arc<Link>, reason: Reason) {
        link.set_gone();
        let mut state = self.lock();
        let State { peers, inbox, changes, .. } = &mut *state;
        let Some(peer) = peers.get_mut(&link.node) else { return };
        let Some(index) = peer.links.iter().position(|other| Arc::ptr_eq(other, link)) else { return };
        peer.links.swap_remove(index);
        let misbehaved = matches!(reason, Reason::Flooded { .. } | Reason::FrameTooLong { .. });
        if misbehaved || matches!(reason, Reason::Version | Reason::Unread { .. }) {
            tracing::warn!(peer = %link.node, remote = %link.remote, %reason, "peer closed");
        }
        if misbehaved {
            let until = peer.bar(&self.timing, Instant::now(), reason.to_string());
            changes.barred.insert(link.node, until);
        }
        if link.outbound {
            changes.failed.insert(link.node, reason.clone());
        }
        if peer.active.as_ref().is_some_and(|active| Arc::ptr_eq(active, link)) {
            peer.drop_active(inbox, reason);
            changes.touched.insert(link.node);
        }
        drop(state);
        self.arrived.notify_one();
        self.changed.notify_one();
    }

    /// A connection that was let in to join is over. A stranger that used it for nothing wanted what it does not get.
    pub(crate) fn join_ended(&self, id: ConnectionId, link: Option<&Link>) {
        let was_stranger = self.lock().joining.remove(&id);
        if let Some(link) = link.filter(|link| was_stranger && !link.has_talked()) {
            self.refused(link.node, link.remote.clone(), Refusal::NotAllowed);
        }
    }
}
