//! How the owner of a network talks to it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libp2p::Multiaddr;
use libp2p::swarm::StreamProtocol;
use ortsnetz_model::NodeId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::config::{Config, FRAME_BYTES_MAX, PEER_ADDRESSES_MAX, Peer, StartError, check_environment, parse_address};
use crate::driver::{Command, Driver};
use crate::event::{NetEvent, Reason};
use crate::join::{JoinError, JoinStream};
use crate::protocol::{JOIN, RETURN};
use crate::question::{self, Topic};
use crate::reach::{self, DialledBack, ReachError, Relaying};
use crate::registry::{PeerState, Registry};

/// The beginning of everything.
pub struct Network;

impl Network {
    /// Starts listening and dialling. Runs on the current tokio runtime until [`Handle::shutdown`] or until the
    /// [`Events`] are dropped.
    pub async fn start(config: Config) -> Result<(Handle, Events), StartError> {
        check_environment(|name| std::env::var_os(name))?;
        let advertise = config.advertise.iter().filter_map(|text| parse_address(text).ok()).collect();
        let driver = Driver::new(config)?;
        let registry = driver.registry().clone();
        driver.start().await?;
        let handle = Handle { registry: registry.clone(), advertise };
        Ok((handle, Events { registry }))
    }
}

/// Sends commands; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    registry: Arc<Registry>,
    advertise: Arc<[Multiaddr]>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("node", &self.node()).finish_non_exhaustive()
    }
}

/// What comes first on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Small and urgent: goes out before any waiting bulk frame.
    Control,
    /// Pages of a first sync.
    Bulk,
}

/// Why a frame was not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no connection to this peer.
    #[error("not connected")]
    NotConnected,
    /// The queue of this priority is full; [`NetEvent::Writable`] follows. The frame comes back.
    #[error("the send queue is full")]
    Full(Vec<u8>),
    /// The frame is longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {bytes} bytes is too long, at most {} are allowed", crate::FRAME_BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// Figures about one peer, counted since it came on the allow list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerStatus {
    /// Whether frames can flow now.
    pub connected: bool,
    /// Where the peer is, as multiaddr, if connected.
    pub remote: Option<String>,
    /// Whether we dialled, if connected.
    pub outbound: bool,
    /// Whether the connection runs through a node that relays.
    pub relayed: bool,
    /// Whether the peer relays for its partners, as it said when it connected.
    pub relays: bool,
    /// Frames sent.
    pub sent_frames: u64,
    /// Bytes sent in frames, length prefixes included.
    pub sent_bytes: u64,
    /// Frames received.
    pub received_frames: u64,
    /// Bytes received in frames, length prefixes included.
    pub received_bytes: u64,
    /// How often a connection came up.
    pub connections: u64,
    /// Why the last dial failed, if it did.
    pub dial_error: Option<String>,
    /// For how long it is still kept out, and what it did, if it misbehaved.
    pub barred: Option<(Duration, String)>,
}

impl Handle {
    /// This node's id.
    pub fn node(&self) -> NodeId {
        self.registry.me
    }

    /// Replaces the allow list. Peers that are gone from it are closed after what is queued for them was sent; new ones
    /// are dialled. Addresses that cannot be parsed, and those beyond the limit, are left out with a warning: one
    /// partner's mistake must not cut off the others.
    pub fn set_peers(&self, peers: Vec<Peer>) {
        let peers: HashMap<_, _> = peers
            .into_iter()
            .filter(|peer| peer.node != self.node())
            .map(|peer| (peer.node, (self.addresses(&peer), peer.dial)))
            .collect();
        self.registry.set_peers(peers);
    }

    fn addresses(&self, peer: &Peer) -> Vec<Multiaddr> {
        if peer.addresses.len() > PEER_ADDRESSES_MAX {
            tracing::warn!(peer = %peer.node, addresses = peer.addresses.len(), "peer has too many addresses");
        }
        let mut addresses = Vec::new();
        for text in peer.addresses.iter().take(PEER_ADDRESSES_MAX) {
            match parse_address(text) {
                Ok(address) if self.advertise.contains(&address) => {}
                Ok(address) => addresses.push(address),
                Err(error) => tracing::warn!(peer = %peer.node, %error, "address of a peer left out"),
            }
        }
        addresses
    }

    /// Whether nodes outside the allow list may open a join stream, because an invitation is open.
    pub fn open_joins(&self, open: bool) {
        self.registry.lock().joins_open = open;
    }

    /// Whether nodes outside the allow list may open a stream to return ([`NetEvent::Return`]), because there are
    /// partners that may lose their machines. Closed at the start.
    pub fn open_returns(&self, open: bool) {
        self.registry.lock().returns_open = open;
    }

    /// Queues a frame. Never waits; the frame goes out at once if the line is free.
    pub fn send(&self, peer: NodeId, frame: Vec<u8>, priority: Priority) -> Result<(), SendError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(SendError::TooLong { bytes: frame.len() });
        }
        let link = self.registry.lock().peers.get(&peer).and_then(|peer| peer.active.clone());
        link.ok_or(SendError::NotConnected)?.send(frame, priority).map_err(SendError::Full)
    }

    /// Closes the connection to a peer after what is queued was sent (at most for the drain timeout); the peer is dialled
    /// again after the usual wait. `Disconnected` with this reason follows at once if it was connected.
    pub fn close(&self, peer: NodeId, reason: impl Into<String>) {
        self.registry.close(&peer, Reason::Asked(reason.into()));
    }

    /// Closes the connection as [`close`](Self::close) does and keeps the peer out, in both directions, for a time that
    /// doubles each time: it misbehaved.
    pub fn bar(&self, peer: NodeId, reason: impl Into<String>) {
        self.registry.bar(&peer, Reason::Misbehaved(reason.into()));
    }

    /// Says that handling an event of this peer took the owner so long: others come first until they had as much.
    pub fn charge(&self, peer: NodeId, time: Duration) {
        self.registry.lock().inbox.charge(peer, time);
    }

    /// Dials the peer now instead of later, at most once a minute.
    pub fn nudge(&self, peer: NodeId) {
        self.registry.lock().changes.nudged.insert(peer);
        self.registry.changed.notify_one();
    }

    /// Opens a join stream to a node that may not be on the allow list. Whether the other side has an invitation open
    /// shows at the first [`JoinStream::recv`] at the latest: [`JoinError::Refused`].
    pub async fn join(&self, node: NodeId, addresses: Vec<String>) -> Result<JoinStream, JoinError> {
        let addresses = addresses.iter().map(|text| parse_address(text)).collect::<Result<Vec<_>, _>>()?;
        let result = self.open_stream(Some(node), addresses, JOIN).await;
        result.unwrap_or(Err(JoinError::Refused { node }))
    }

    /// Opens a stream to a partner as its partner's new node: to this node, or to whoever answers at the first address.
    /// Whether the other side has such streams open shows at the first [`JoinStream::recv`] at the latest.
    pub async fn return_to(&self, node: Option<NodeId>, addresses: Vec<String>) -> Result<JoinStream, JoinError> {
        let addresses = addresses.iter().map(|text| parse_address(text)).collect::<Result<Vec<_>, _>>()?;
        self.open_stream(node, addresses, RETURN).await.unwrap_or(Err(JoinError::Closed))
    }

    /// `None`: the connection came up and went away again.
    async fn open_stream(
        &self,
        node: Option<NodeId>,
        addresses: Vec<Multiaddr>,
        protocol: StreamProtocol,
    ) -> Option<Result<JoinStream, JoinError>> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Join { node, addresses, protocol, reply };
        if self.registry.commands.send(command).await.is_err() {
            return Some(Err(JoinError::Stopping));
        }
        let limit = self.registry.timing.join_timeout;
        match timeout(limit, answer).await {
            Ok(Ok(result)) => Some(result),
            Ok(Err(_)) if self.registry.lock().stopping => Some(Err(JoinError::Stopping)),
            Ok(Err(_)) => None,
            Err(_) => Some(Err(JoinError::TimedOut { seconds: limit.as_secs() })),
        }
    }

    /// Dials a node at these addresses, only to see whether it answers there; an error says what happened at each.
    pub async fn probe(&self, node: NodeId, addresses: Vec<String>) -> Result<(), String> {
        let addresses = addresses.iter().map(|text| parse_address(text)).collect::<Result<Vec<_>, _>>();
        let addresses = addresses.map_err(|error| error.to_string())?;
        let (reply, answer) = oneshot::channel();
        let sent = self.registry.commands.send(Command::Probe { node, addresses, reply }).await;
        let stopping = || "this node is stopping".to_owned();
        sent.map_err(|_| stopping())?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Asks a connected peer to dial this node at these addresses, and says what became of each it tried: at most
    /// [`DIAL_BACK_ADDRESSES_MAX`](crate::DIAL_BACK_ADDRESSES_MAX), those stated to it and those with the IP address it
    /// sees, for which `0.0.0.0` and `::` stand.
    pub async fn dial_back(&self, peer: NodeId, addresses: Vec<String>) -> Result<Vec<DialledBack>, ReachError> {
        reach::dial_back(&self.registry, peer, addresses).await
    }

    /// Asks a connected peer something and waits for its answer, both at most
    /// [`QUESTION_BYTES_MAX`](crate::QUESTION_BYTES_MAX) bytes. It arrives there as
    /// [`NetEvent::Question`]; an older version has no answer.
    pub async fn ask(&self, peer: NodeId, topic: Topic, question: &[u8]) -> Result<Vec<u8>, ReachError> {
        question::ask(&self.registry, peer, topic, question).await
    }

    /// What this node relays for others; `None` if it does not.
    pub fn relaying(&self) -> Option<Relaying> {
        self.registry.quotas().map(|quotas| quotas.totals.clone())
    }

    /// Figures of all peers on the allow list, sorted by node.
    pub fn status(&self) -> Vec<(NodeId, PeerStatus)> {
        let state = self.registry.lock();
        let mut all: Vec<_> = state.peers.iter().map(|(node, peer)| (*node, PeerStatus::of(peer))).collect();
        all.sort_unstable_by_key(|(node, _)| *node);
        all
    }

    /// Figures of one peer; `None` if it is not on the allow list.
    pub fn peer_status(&self, peer: NodeId) -> Option<PeerStatus> {
        self.registry.lock().peers.get(&peer).map(PeerStatus::of)
    }

    /// Addresses we accept connections at, with the real port.
    pub fn listening(&self) -> Vec<String> {
        self.registry.lock().listening.clone()
    }

    /// Sends what is queued, closes everything, frees the port, and returns when that is done.
    pub async fn shutdown(&self) {
        self.registry.stop();
        let mut done = self.registry.done.subscribe();
        // The sender lives in the registry, so this ends with the value.
        let _ = done.wait_for(|done| *done).await;
    }
}

impl PeerStatus {
    fn of(peer: &PeerState) -> Self {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &peer.counters;
        Self {
            connected: peer.active.is_some(),
            remote: peer.active.as_ref().map(|link| link.remote.clone()),
            outbound: peer.active.as_ref().is_some_and(|link| link.outbound),
            relayed: peer.active.as_ref().is_some_and(|link| link.relayed),
            relays: peer.active.as_ref().is_some_and(|link| link.peer_relays()),
            sent_frames: load(&counters.sent_frames),
            sent_bytes: load(&counters.sent_bytes),
            received_frames: load(&counters.received_frames),
            received_bytes: load(&counters.received_bytes),
            connections: load(&counters.connections),
            dial_error: peer.dial_error.clone(),
            barred: peer.barred_for(Instant::now()),
        }
    }
}

/// What happens, in order for each peer; between peers in turn, by the time their events took ([`Handle::charge`]), so that
/// nobody waits for another's flood.
/// Dropping it stops the network.
pub struct Events {
    registry: Arc<Registry>,
}

impl Events {
    /// The next event; `None` after the network has stopped. Safe to use in `select!`: nothing is lost when dropped.
    pub async fn recv(&mut self) -> Option<NetEvent> {
        loop {
            {
                let mut state = self.registry.lock();
                if let Some(event) = state.inbox.pop() {
                    return Some(event);
                }
                if state.stopped {
                    return None;
                }
            }
            self.registry.arrived.notified().await;
        }
    }

    /// The next event if one is waiting.
    pub fn try_recv(&mut self) -> Option<NetEvent> {
        self.registry.lock().inbox.pop()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.registry.stop();
    }
}
