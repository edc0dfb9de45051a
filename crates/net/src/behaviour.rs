//! The gate: which connections live, and what may be done on them.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::{ConnectionClosed, DialFailure, ListenFailure};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, StreamProtocol, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use ortsnetz_model::NodeId;
use tokio::sync::oneshot;

use crate::event::Reason;
use crate::handler::{Handler, Role};
use crate::join::{JoinError, JoinStream};
use crate::link::{Counters, Link};
use crate::registry::{Refusal, Registry};

/// Whether a node answered, or why not.
pub(crate) type ProbeReply = oneshot::Sender<Result<(), String>>;

type JoinReply = oneshot::Sender<Result<JoinStream, JoinError>>;

/// A stream of strangers that we dialled for.
struct Expected {
    /// Who should answer, if that is known.
    node: Option<NodeId>,
    protocol: StreamProtocol,
    reply: JoinReply,
}

/// The node behind a proven peer id; `None` for keys that are not Ed25519.
pub(crate) fn node_of(peer: &PeerId) -> Option<NodeId> {
    NodeId::from_peer_id_bytes(&peer.to_bytes())
}

/// The peer id of a node.
pub(crate) fn peer_of(node: &NodeId) -> PeerId {
    // SAFETY: the bytes are an identity multihash of a protobuf-encoded key, which is what a peer id is.
    PeerId::from_bytes(&node.peer_id_bytes()).expect("a node id is a peer id")
}

/// An address without the peer id that libp2p appends to dialled ones.
fn place(address: &Multiaddr) -> String {
    let mut address = address.clone();
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address.to_string()
}

/// The IP address something comes from.
fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip)),
        _ => None,
    })
}

/// Decides about connections and makes their handlers.
pub(crate) struct Gate {
    registry: Arc<Registry>,
    links: HashMap<ConnectionId, Arc<Link>>,
    /// Dials we made to join, with where the stream goes.
    joins: HashMap<ConnectionId, Expected>,
    /// Dials we made to see whether somebody answers.
    probes: HashMap<ConnectionId, ProbeReply>,
    closing: VecDeque<(PeerId, ConnectionId)>,
    /// Connections from outside whose handshake is not done, with where they come from.
    pending: HashMap<ConnectionId, IpAddr>,
    waker: Option<Waker>,
}

impl Gate {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            links: HashMap::new(),
            joins: HashMap::new(),
            probes: HashMap::new(),
            closing: VecDeque::new(),
            pending: HashMap::new(),
            waker: None,
        }
    }

    /// The connection of this dial will carry a stream of this protocol.
    pub(crate) fn expect(
        &mut self,
        id: ConnectionId,
        node: Option<NodeId>,
        protocol: StreamProtocol,
        reply: JoinReply,
    ) {
        self.joins.insert(id, Expected { node, protocol, reply });
    }

    /// The connection of this dial will end at once: it is made to see whether the node answers.
    pub(crate) fn expect_probe(&mut self, id: ConnectionId, reply: ProbeReply) {
        self.probes.insert(id, reply);
    }

    /// Asks all connections to end.
    pub(crate) fn close_all(&self) {
        self.links.values().for_each(|link| link.request_close());
    }

    fn handler(&mut self, id: ConnectionId, link: Arc<Link>, role: Role) -> Handler {
        self.links.insert(id, link.clone());
        Handler::new(self.registry.clone(), link, role)
    }

    /// A link of a connection that will never carry sync frames.
    fn passing_link(&self, node: NodeId, outbound: bool, remote: &Multiaddr) -> Arc<Link> {
        let counters = Arc::<Counters>::default();
        Link::new(node, outbound, place(remote), counters, &self.registry.limits)
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = Handler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(from) = ip_of(remote) else { return Ok(()) };
        let pending = self.pending.values().filter(|address| **address == from).count();
        if pending >= self.registry.limits.pending_per_address_max as usize {
            return Err(ConnectionDenied::new(Refusal::TooManyPending));
        }
        self.pending.insert(id, from);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&id);
        let node = node_of(&peer).ok_or_else(|| ConnectionDenied::new(Refusal::NotAllowed))?;
        match self.registry.admit(node, false, place(remote)) {
            Ok(link) => Ok(self.handler(id, link, Role::Listener)),
            Err(Refusal::NotAllowed) => {
                self.registry.admit_joining(id).map_err(ConnectionDenied::new)?;
                let link = self.passing_link(node, false, remote);
                Ok(self.handler(id, link, Role::Host))
            }
            Err(refusal) => Err(ConnectionDenied::new(refusal)),
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if let Some(reply) = self.probes.remove(&id) {
            let _ = reply.send(Ok(()));
            return Err(ConnectionDenied::new(Refusal::Probed));
        }
        let node = node_of(&peer).ok_or_else(|| ConnectionDenied::new(Refusal::NotAllowed))?;
        if let Some(Expected { protocol, reply, .. }) = self.joins.remove(&id) {
            let link = self.passing_link(node, true, remote);
            return Ok(self.handler(id, link, Role::Guest(protocol, Some(reply))));
        }
        let link = self.registry.admit(node, true, place(remote)).map_err(ConnectionDenied::new)?;
        Ok(self.handler(id, link, Role::Dialler))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, cause, .. }) => {
                let link = self.links.remove(&connection_id);
                self.registry.join_ended(connection_id, link.as_deref());
                if let Some(link) = link {
                    let reason = cause.map_or(Reason::ClosedByPeer, |cause| Reason::Lost(cause.to_string()));
                    self.registry.ended(&link, reason);
                }
            }
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.pending.remove(&connection_id);
            }
            FromSwarm::DialFailure(DialFailure { connection_id, error, .. }) => {
                if let Some(reply) = self.probes.remove(&connection_id) {
                    let _ = reply.send(Err(crate::driver::dial_reason(error)));
                }
                if let Some(Expected { node, reply, .. }) = self.joins.remove(&connection_id) {
                    let reason = crate::driver::dial_reason(error);
                    let _ = reply.send(Err(match node {
                        Some(node) => JoinError::Unreachable { node, reason },
                        None => JoinError::NoAnswer { reason },
                    }));
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, _: THandlerOutEvent<Self>) {
        self.closing.push_back((peer, id));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.closing.pop_front() {
            Some((peer_id, id)) => {
                Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) })
            }
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
