//! The task that drives libp2p: dials who is due, reports what happens, and stops.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::core::multiaddr::{Multiaddr, Protocol};
use libp2p::core::transport::{ListenerId, TransportError};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, ListenError, StreamProtocol, SwarmEvent};
use libp2p::{Swarm, identify};
use ortsnetz_model::NodeId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout};

use crate::behaviour::{ProbeReply, node_of, peer_of};
use crate::config::{Config, StartError};
use crate::event::{NetEvent, Reason};
use crate::join::{JoinError, JoinStream};
use crate::listen;
use crate::reach;
use crate::registry::{Changes, Refusal, Registry, State};
use crate::supervisor::{Line, Supervisor};
use crate::transport::{self, Behaviour, BehaviourEvent};

/// How long the first listening address may take to be known.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(2);

/// How long connections may take to close at the end, beyond the drain timeout.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Most joins and probes waiting to be dialled.
const COMMANDS_MAX: usize = 16;

/// What is asked of the driver beside what the registry says.
pub(crate) enum Command {
    /// Dial a node, or whoever answers at the first address, and open a stream for strangers.
    Join {
        node: Option<NodeId>,
        addresses: Vec<Multiaddr>,
        protocol: StreamProtocol,
        reply: oneshot::Sender<Result<JoinStream, JoinError>>,
    },
    /// Dial a node, only to see whether it answers.
    Probe { node: NodeId, addresses: Vec<Multiaddr>, reply: ProbeReply },
}

/// Owns the swarm.
pub(crate) struct Driver {
    swarm: Swarm<Behaviour>,
    registry: Arc<Registry>,
    supervisor: Supervisor,
    commands: mpsc::Receiver<Command>,
    /// Dials of the supervisor under way.
    dials: HashMap<ConnectionId, NodeId>,
    /// Peers to be dialled through a relay as well, unless their own addresses have answered by then.
    later: Vec<(Instant, NodeId)>,
    /// Why dials of a round have failed that is still going on.
    tried: HashMap<NodeId, Vec<String>>,
    listeners: Vec<ListenerId>,
}

impl Driver {
    /// Prepares everything and opens the listening sockets.
    pub(crate) fn new(config: Config) -> Result<Self, StartError> {
        let listen = listen::usable(&config.listen, listen::probe)?;
        let supervisor = Supervisor::new(config.timing.clone());
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let (mut swarm, registry) = transport::build(config, sender)?;
        let mut listeners = Vec::new();
        for address in listen.into_iter().chain([reach::listen_address()]) {
            let listener = swarm.listen_on(address.clone());
            listeners.push(
                listener
                    .map_err(|error| StartError::Listen { address: address.to_string(), reason: innermost(&error) })?,
            );
        }
        let (dials, later, tried) = (HashMap::new(), Vec::new(), HashMap::new());
        Ok(Self { swarm, registry, supervisor, commands, dials, later, tried, listeners })
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Waits until an address is known, if there is one to come, and goes on in a task of its own.
    pub(crate) async fn start(mut self) -> Result<(), StartError> {
        // Beside that for circuits.
        if self.listeners.len() > 1 {
            let first = async {
                while self.registry.lock().listening.is_empty() {
                    let event = self.swarm.select_next_some().await;
                    self.on_event(event);
                }
            };
            // An interface may still be down; listening begins when it comes up.
            let _ = timeout(LISTEN_TIMEOUT, first).await;
        }
        tokio::spawn(self.run());
        Ok(())
    }

    async fn run(mut self) {
        while !self.registry.lock().stopping {
            let wake = self.supervisor.next().into_iter().chain(self.later.iter().map(|(at, _)| *at)).min();
            let timer = async {
                match wake {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                () = self.registry.changed.notified() => {}
                Some(command) = self.commands.recv() => self.on_command(command),
                () = timer => {}
            }
            self.take_changes();
            self.dial_due();
        }
        self.stop().await;
    }

    /// Closes everything in order, then for good.
    async fn stop(mut self) {
        {
            let mut state = self.registry.lock();
            let State { peers, inbox, .. } = &mut *state;
            peers.values_mut().for_each(|peer| peer.close_all(inbox, Reason::Stopping));
        }
        self.swarm.behaviour_mut().gate.close_all();
        let swarm = &mut self.swarm;
        for listener in self.listeners {
            swarm.remove_listener(listener);
        }
        let closing = async {
            while swarm.network_info().num_peers() > 0 {
                swarm.select_next_some().await;
            }
        };
        if timeout(self.registry.timing.drain_timeout + STOP_TIMEOUT, closing).await.is_err() {
            tracing::debug!("some connections did not close in time");
        }
        drop(self.swarm);
        self.registry.lock().stopped = true;
        self.registry.arrived.notify_one();
        self.registry.done.send_replace(true);
    }

    fn on_command(&mut self, command: Command) {
        let (node, addresses, protocol, reply) = match command {
            Command::Join { node, addresses, protocol, reply } => (node, addresses, protocol, reply),
            Command::Probe { node, addresses, reply } => {
                let options = dial_options(&node, addresses);
                self.swarm.behaviour_mut().gate.expect_probe(options.connection_id(), reply);
                // If it fails at once, the gate has already answered.
                let _ = self.swarm.dial(options);
                return;
            }
        };
        let Some(first) = addresses.first().cloned() else {
            let reason = "it has no address".to_owned();
            let _ = reply.send(Err(match node {
                Some(node) => JoinError::Unreachable { node, reason },
                None => JoinError::NoAnswer { reason },
            }));
            return;
        };
        let options = match &node {
            Some(node) => dial_options(node, addresses),
            None => DialOpts::unknown_peer_id().address(first).allocate_new_port().build(),
        };
        self.swarm.behaviour_mut().gate.expect(options.connection_id(), node, protocol, reply);
        // If it fails at once, the gate has already answered.
        let _ = self.swarm.dial(options);
    }

    /// Catches up with what others wrote into the registry.
    fn take_changes(&mut self) {
        let now = Instant::now();
        let mut rng = rand::rng();
        let mut state = self.registry.lock();
        let Changes { peers, removed, touched, nudged, barred, failed } = std::mem::take(&mut state.changes);
        let connected = |node: &NodeId| {
            let link = state.peers.get(node)?.active.as_ref()?;
            Some(Line { relayed: link.relayed, outbound: link.outbound })
        };
        removed.iter().for_each(|node| self.supervisor.forget(node));
        if peers {
            let dialled = state.peers.iter().filter(|(_, peer)| peer.dial && !peer.addresses.is_empty());
            let dialled: Vec<_> = dialled.map(|(node, _)| *node).collect();
            self.supervisor.set(&dialled, connected, now);
        }
        for node in &touched {
            let Some(line) = connected(node) else {
                self.supervisor.disconnected(node, now, &mut rng);
                continue;
            };
            self.supervisor.connected(node, line, now);
            if state.peers[node].active.as_ref().is_some_and(|link| link.peer_relays()) {
                // Whoever can be reached only through it need not wait any longer.
                let through = |address: &Multiaddr| reach::relay_in(address).as_ref() == Some(node);
                let waiting = state.peers.iter().filter(|(_, peer)| peer.addresses.iter().any(through));
                waiting.for_each(|(other, _)| self.supervisor.nudge(other, now));
            }
        }
        for (node, until) in &barred {
            self.supervisor.bar(node, *until);
        }
        for node in &nudged {
            self.supervisor.nudge(node, now);
        }
        drop(state);
        for (node, reason) in failed {
            self.dial_failed(&node, reason.to_string());
        }
    }

    /// Dials who is due: at its own addresses first, and if these do not answer soon, through a relay as well.
    fn dial_due(&mut self) {
        let now = Instant::now();
        for node in self.supervisor.take_due(now) {
            self.tried.remove(&node);
            let (circuits, direct) = self.addresses(&node);
            if direct.is_empty() {
                self.dial(&node, circuits);
                continue;
            }
            if !circuits.is_empty() {
                self.later.push((now + self.registry.timing.head_start, node));
            }
            self.dial(&node, direct);
        }
        let (due, later) = std::mem::take(&mut self.later).into_iter().partition(|(at, _)| *at <= now);
        self.later = later;
        for (_, node) in due {
            self.dial_through_relay(&node);
        }
        for node in self.supervisor.take_better(now) {
            let (_, direct) = self.addresses(&node);
            if !direct.is_empty() {
                // If it fails, the circuit goes on.
                let _ = self.swarm.dial(dial_options(&node, direct));
            }
        }
    }

    /// Where a peer may be reached through a relay, and where directly.
    fn addresses(&self, node: &NodeId) -> (Vec<Multiaddr>, Vec<Multiaddr>) {
        self.registry.addresses_of(node).into_iter().partition(reach::is_circuit)
    }

    fn dial(&mut self, node: &NodeId, addresses: Vec<Multiaddr>) {
        let options = dial_options(node, addresses);
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(id, *node);
            }
            Err(error) => self.dial_failed(node, dial_reason(&error)),
        }
    }

    /// Dials a peer through a relay; false if there is none, or if it counts as dialled no more.
    fn dial_through_relay(&mut self, node: &NodeId) -> bool {
        let (circuits, _) = self.addresses(node);
        let possible = self.supervisor.is_dialling(node) && !circuits.is_empty();
        if possible {
            self.dial(node, circuits);
        }
        possible
    }

    /// A dial failed; with the last one of its round, the round has.
    fn dial_failed(&mut self, node: &NodeId, reason: String) {
        self.tried.entry(*node).or_default().push(reason);
        if let Some(index) = self.later.iter().position(|(_, waiting)| waiting == node) {
            self.later.swap_remove(index);
            if self.dial_through_relay(node) {
                return;
            }
        }
        if self.dials.values().any(|dialled| dialled == node) {
            return;
        }
        let reason = self.tried.remove(node).unwrap_or_default().join("; ");
        if !self.supervisor.failed(node, Instant::now(), &mut rand::rng()) {
            return;
        }
        let mut state = self.registry.lock();
        let State { peers, inbox, .. } = &mut *state;
        let Some(peer) = peers.get_mut(node).filter(|peer| peer.active.is_none()) else { return };
        tracing::debug!(peer = %node, %reason, "dial failed");
        peer.dial_error = Some(reason.clone());
        inbox.push(*node, NetEvent::DialFailed { peer: *node, reason });
        drop(state);
        self.registry.arrived.notify_one();
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => {
                let address = address.to_string();
                tracing::info!(%address, "listening");
                self.registry.lock().listening.push(address.clone());
                self.registry.tell(NetEvent::Listening { address });
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                let address = address.to_string();
                self.registry.lock().listening.retain(|other| *other != address);
            }
            SwarmEvent::ListenerClosed { addresses, reason: Err(error), .. } => {
                tracing::error!(?addresses, %error, "no longer listening");
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "cannot accept a connection"),
            SwarmEvent::IncomingConnectionError { peer_id, send_back_addr, error, .. } => {
                self.refused(peer_id.as_ref().and_then(node_of), send_back_addr, error);
            }
            SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                if let Some(node) = self.dials.remove(&connection_id) {
                    self.later.retain(|(_, waiting)| *waiting != node);
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(node) = self.dials.remove(&connection_id) {
                    self.dial_failed(&node, dial_reason(&error));
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                self.observed(node_of(&peer_id), info.observed_addr);
            }
            _ => {}
        }
    }

    fn refused(&self, node: Option<NodeId>, from: Multiaddr, error: ListenError) {
        let ListenError::Denied { cause } = error else {
            tracing::debug!(%from, reason = innermost(&error), "incoming connection failed");
            return;
        };
        match (cause.downcast::<Refusal>(), node) {
            (Ok(refusal @ (Refusal::NotAllowed | Refusal::TooManyJoining)), Some(node)) => {
                self.registry.refused(node, from.to_string(), refusal);
            }
            (Ok(refusal), _) => tracing::debug!(%from, %refusal, "incoming connection not taken"),
            (Err(other), _) => tracing::warn!(%from, reason = %other, "incoming connection not taken"),
        }
    }

    /// A peer tells under which address it sees us. The port it sees is a passing one; ours is known.
    fn observed(&self, peer: Option<NodeId>, seen: Multiaddr) {
        let Some(peer) = peer else { return };
        let Some(ip) = seen.iter().next().filter(|part| matches!(part, Protocol::Ip4(_) | Protocol::Ip6(_))) else {
            return;
        };
        let same_family = |address: &&Multiaddr| {
            let own = address.iter().next();
            matches!(
                (&ip, own),
                (Protocol::Ip4(_), Some(Protocol::Ip4(_))) | (Protocol::Ip6(_), Some(Protocol::Ip6(_)))
            )
        };
        let port =
            self.swarm.listeners().find(same_family).and_then(|own| {
                own.iter().find_map(|part| if let Protocol::Tcp(port) = part { Some(port) } else { None })
            });
        let Some(port) = port else { return };
        if self.registry.lock().peers.contains_key(&peer) {
            let address = Multiaddr::empty().with(ip).with(Protocol::Tcp(port)).to_string();
            self.registry.tell(NetEvent::ObservedAddress { peer, address });
        }
    }
}

fn dial_options(node: &NodeId, addresses: Vec<Multiaddr>) -> DialOpts {
    // From a new port: sharing the listening port brings collisions when both sides dial, and after a restart.
    DialOpts::peer_id(peer_of(node)).condition(PeerCondition::Always).addresses(addresses).allocate_new_port().build()
}

/// Why a dial failed, on one line.
pub(crate) fn dial_reason(error: &DialError) -> String {
    match error {
        DialError::Transport(tried) => {
            let each = |(address, error): &(Multiaddr, TransportError<io::Error>)| match reach::is_circuit(address) {
                true => format!("through a relay: {}", innermost(error)),
                false => format!("{address}: {}", innermost(error)),
            };
            tried.iter().map(each).collect::<Vec<_>>().join("; ")
        }
        DialError::WrongPeerId { obtained, address } => format!("{address}: another node answers there ({obtained})"),
        DialError::LocalPeerId { address } => format!("{address}: this node itself answers there"),
        DialError::NoAddresses => "it has no address".into(),
        DialError::Denied { cause } => cause.to_string(),
        other => other.to_string(),
    }
}

/// The last cause of an error: libp2p wraps what the system said several times.
fn innermost(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
