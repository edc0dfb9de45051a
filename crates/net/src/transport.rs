//! How libp2p is put together: TCP, TLS 1.3, yamux, names resolved by the system.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::io::{AsyncWrite, BufWriter};
use futures::{FutureExt as _, TryFutureExt as _};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, Transport};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo, Version};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, Swarm, connection_limits, dns, identify, memory_connection_limits, tcp, tls, yamux};
use tokio::sync::mpsc;

use crate::behaviour::{Gate, node_of};
use crate::config::{Config, StartError};
use crate::driver::Command;
use crate::reach::{ARRIVALS_MAX, Circuits};
use crate::registry::Registry;

/// Most streams one connection may have open: ours, identify's, and a few being negotiated. Each may fill a window of
/// 256 KiB before anybody reads it.
const STREAMS_MAX: usize = 16;

/// Most streams whose protocol is being negotiated on one connection.
const NEGOTIATING_MAX: usize = 8;

/// Everything decided once at the connection; a node's program does not change under it.
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// What libp2p does for us. The gate is last: it keeps books, so whatever else may deny comes before it.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) memory: memory_connection_limits::Behaviour,
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) gate: Gate,
}

/// Builds the swarm and the state it shares with the rest.
pub(crate) fn build(
    config: Config,
    commands: mpsc::Sender<Command>,
) -> Result<(Swarm<Behaviour>, Arc<Registry>), StartError> {
    let Config { secret, agent, limits, timing, relay, .. } = config;
    let key = Keypair::ed25519_from_bytes(secret).map_err(|error| StartError::Tls(error.to_string()))?;
    let peer_id = key.public().to_peer_id();
    // An Ed25519 key always makes the peer id of a node.
    let me = node_of(&peer_id).ok_or_else(|| StartError::Tls("the node key is not an Ed25519 key".into()))?;

    let connections = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits.pending_incoming_max))
        .with_max_established(Some(limits.connections_max));
    let identity = identify::Config::new("ortsnetz/1".into(), key.public())
        .with_agent_version(agent)
        .with_interval(IDENTIFY_INTERVAL)
        .with_cache_size(0)
        .with_hide_listen_addrs(true);
    let memory = memory_connection_limits::Behaviour::with_max_bytes(limits.memory_bytes_max);
    let (arrivals, arriving) = mpsc::channel(ARRIVALS_MAX);
    let registry = Registry::new(me, limits, timing, relay, commands, arrivals);
    let transport = transport(&key, Circuits::new(registry.clone(), arriving))?;
    let behaviour = Behaviour {
        memory,
        limits: connection_limits::Behaviour::new(connections),
        identify: identify::Behaviour::new(identity),
        gate: Gate::new(registry.clone()),
    };
    let swarm_config = libp2p::swarm::Config::with_tokio_executor()
        .with_max_negotiating_inbound_streams(NEGOTIATING_MAX)
        // The opener of a stream sends its first frame together with the name of the protocol.
        .with_substream_upgrade_protocol_override(Version::V1Lazy);
    Ok((Swarm::new(transport, behaviour, peer_id, swarm_config), registry))
}

fn transport(key: &Keypair, circuits: Circuits) -> Result<Boxed<(PeerId, StreamMuxerBox)>, StartError> {
    let dial_timeout = circuits.dial_timeout();
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let named = dns::tokio::Transport::system(tcp()).unwrap_or_else(|error| {
        tracing::warn!(%error, "no name server is configured: only addresses with an IP can be dialled");
        let nobody = dns::ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        dns::tokio::Transport::custom(tcp(), nobody, dns::ResolverOpts::default())
    });
    let mut streams = yamux::Config::default();
    streams.set_max_num_streams(STREAMS_MAX);
    // Over a circuit the same as over a socket: both prove their keys, and nobody between reads.
    Ok(circuits
        .or_transport(named)
        .upgrade(Version::V1Lazy)
        .authenticate(Gathered(tls::Config::new(key).map_err(|error| StartError::Tls(error.to_string()))?))
        .multiplex(streams)
        .timeout(dial_timeout)
        .boxed())
}

/// TLS whose records are filled before they leave. The multiplexer writes the header and the body of each of its frames
/// on their own: without this, each would be a TLS record and a packet.
#[derive(Clone)]
struct Gathered(tls::Config);

/// Largest plain text of one TLS record (RFC 8446, section 5.1).
const TLS_RECORD_BYTES: usize = 16 * 1024;

impl UpgradeInfo for Gathered {
    type Info = &'static str;
    type InfoIter = <tls::Config as UpgradeInfo>::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.protocol_info()
    }
}

impl<C, S> InboundConnectionUpgrade<C> for Gathered
where
    tls::Config: InboundConnectionUpgrade<C, Output = (PeerId, S), Info = &'static str, Future: Send + 'static>,
    S: AsyncWrite + 'static,
{
    type Output = (PeerId, BufWriter<S>);
    type Error = <tls::Config as InboundConnectionUpgrade<C>>::Error;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, socket: C, info: Self::Info) -> Self::Future {
        self.0.upgrade_inbound(socket, info).map_ok(gather).boxed()
    }
}

impl<C, S> OutboundConnectionUpgrade<C> for Gathered
where
    tls::Config: OutboundConnectionUpgrade<C, Output = (PeerId, S), Info = &'static str, Future: Send + 'static>,
    S: AsyncWrite + 'static,
{
    type Output = (PeerId, BufWriter<S>);
    type Error = <tls::Config as OutboundConnectionUpgrade<C>>::Error;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, socket: C, info: Self::Info) -> Self::Future {
        self.0.upgrade_outbound(socket, info).map_ok(gather).boxed()
    }
}

fn gather<S: AsyncWrite>((peer, stream): (PeerId, S)) -> (PeerId, BufWriter<S>) {
    (peer, BufWriter::with_capacity(TLS_RECORD_BYTES, stream))
}
