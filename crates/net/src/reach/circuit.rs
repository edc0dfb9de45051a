//! The transport of circuits: a stream of the connection to a node that relays, instead of a TCP socket.

use std::collections::HashSet;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::io::{AsyncRead, AsyncWrite};
use libp2p::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::Stream;
use ortsnetz_model::NodeId;
use tokio::sync::mpsc;

use super::ask::{ReachError, connect};
use super::{is_circuit, relay_in};
use crate::behaviour::{node_of, peer_of};
use crate::link::Link;
use crate::registry::Registry;

/// Most circuits from outside that wait to be taken.
pub(crate) const ARRIVALS_MAX: usize = 16;

/// A circuit that somebody opened to us.
pub(crate) struct Arrival {
    /// Carries its bytes.
    pub(crate) stream: CircuitStream,
    /// Who relays.
    pub(crate) relay: NodeId,
    /// Who is at the other end, as the relay says; TLS will prove it.
    pub(crate) from: NodeId,
}

/// A stream that ends with its connection. One of the multiplexer alone does not always: where our own side closes the
/// connection, whoever reads from a stream waits for ever.
pub(crate) struct CircuitStream {
    stream: Stream,
    gone: BoxFuture<'static, ()>,
}

impl CircuitStream {
    pub(crate) fn new(stream: Stream, link: &Link) -> Self {
        Self { stream, gone: link.gone().boxed() }
    }

    fn unless_gone<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_pending() && self.gone.poll_unpin(cx).is_ready() {
            self.gone = ready(()).boxed();
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        polled
    }
}

impl AsyncRead for CircuitStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, into);
        self.unless_gone(polled, cx)
    }
}

impl AsyncWrite for CircuitStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, from);
        self.unless_gone(polled, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.unless_gone(polled, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_close(cx);
        self.unless_gone(polled, cx)
    }
}

/// Where circuits are listened for: with every node that relays.
pub(crate) fn listen_address() -> Multiaddr {
    Multiaddr::empty().with(Protocol::P2pCircuit)
}

/// Dials and takes circuits.
pub(crate) struct Circuits {
    registry: Arc<Registry>,
    arrivals: mpsc::Receiver<Arrival>,
    listener: Option<ListenerId>,
    closed: HashSet<ListenerId>,
}

impl Circuits {
    pub(crate) fn new(registry: Arc<Registry>, arrivals: mpsc::Receiver<Arrival>) -> Self {
        Self { registry, arrivals, listener: None, closed: HashSet::new() }
    }

    /// How long a dial may take, to the end of its handshake.
    pub(crate) fn dial_timeout(&self) -> Duration {
        self.registry.timing.dial_timeout
    }
}

impl Transport for Circuits {
    type Output = CircuitStream;
    type Error = ReachError;
    type ListenerUpgrade = Ready<Result<CircuitStream, ReachError>>;
    type Dial = BoxFuture<'static, Result<CircuitStream, ReachError>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<ReachError>> {
        if address != listen_address() || self.listener.is_some() {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        self.listener = Some(id);
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let ours = self.listener == Some(id);
        if ours {
            self.listener = None;
            self.closed.insert(id);
        }
        ours
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<ReachError>> {
        if !is_circuit(&address) {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        let to = match address.iter().last() {
            Some(Protocol::P2p(peer)) => node_of(&peer),
            _ => None,
        };
        let (Some(relay), Some(to)) = (relay_in(&address), to) else {
            return Err(TransportError::Other(ReachError::NoRelay));
        };
        let registry = self.registry.clone();
        Ok(async move { connect(&registry, relay, to).await }.boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, ReachError>> {
        if let Some(listener_id) = self.closed.iter().next().copied() {
            self.closed.remove(&listener_id);
            return Poll::Ready(TransportEvent::ListenerClosed { listener_id, reason: Ok(()) });
        }
        while let Poll::Ready(Some(arrival)) = self.arrivals.poll_recv(cx) {
            // Without a listener nobody is to come: the stream is dropped.
            let Some(listener_id) = self.listener else { continue };
            let local_addr = Multiaddr::empty().with(Protocol::P2p(peer_of(&arrival.relay))).with(Protocol::P2pCircuit);
            let send_back_addr = local_addr.clone().with(Protocol::P2p(peer_of(&arrival.from)));
            let upgrade = ready(Ok(arrival.stream));
            return Poll::Ready(TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr });
        }
        Poll::Pending
    }
}
