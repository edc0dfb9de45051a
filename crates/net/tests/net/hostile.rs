//! A peer that speaks libp2p and not our protocol.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::upgrade::Version;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, Swarm, Transport, identity, tcp, tls, yamux};
use ortsnetz_model::NodeId;
use ortsnetz_net::{FRAME_BYTES_MAX, NetEvent, Peer, Reason};

use crate::world::{Node, config, start};

const SYNC: StreamProtocol = StreamProtocol::new("/ortsnetz/sync/1");
const GREETING: &[u8] = b"\0\0\0\x09ortsnetz\x01";

/// A node that can open streams and send what it likes.
struct Raw {
    id: NodeId,
    control: libp2p_stream::Control,
}

impl Raw {
    /// Connects to a node that allows it.
    async fn dial(victim: &Node) -> Self {
        let key = identity::Keypair::ed25519_from_bytes([2; 32]).unwrap();
        let id = key.public().to_peer_id();
        let node = NodeId::from_peer_id_bytes(&id.to_bytes()).unwrap();
        victim.net.set_peers(vec![Peer { node, addresses: Vec::new(), dial: false }]);
        let transport = tcp::tokio::Transport::new(tcp::Config::default())
            .upgrade(Version::V1)
            .authenticate(tls::Config::new(&key).unwrap())
            .multiplex(yamux::Config::default())
            .boxed();
        let behaviour = libp2p_stream::Behaviour::new();
        let control = behaviour.new_control();
        let mut swarm = Swarm::new(transport, behaviour, id, libp2p::swarm::Config::with_tokio_executor());
        swarm.dial(victim.net.listening()[0].parse::<Multiaddr>().unwrap()).unwrap();
        while !matches!(swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
        tokio::spawn(async move { while swarm.next().await.is_some() {} });
        Self { id: node, control }
    }

    async fn open(&mut self, victim: &Node) -> Stream {
        self.control.open_stream(peer(victim), SYNC).await.unwrap()
    }
}

fn peer(node: &Node) -> PeerId {
    PeerId::from_bytes(&node.id.peer_id_bytes()).unwrap()
}

async fn victim() -> (Node, Raw) {
    let victim = start("victim", config(1)).await;
    let raw = Raw::dial(&victim).await;
    (victim, raw)
}

/// Sends these bytes and reads until the other side ends the stream; returns what it said.
async fn say(stream: &mut Stream, bytes: &[u8]) -> Vec<u8> {
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_over_the_limit_closes_and_the_reason_says_so() {
    let (mut victim, mut raw) = victim().await;
    let mut stream = raw.open(&victim).await;
    let over = FRAME_BYTES_MAX as u32 + 1;
    assert_eq!(say(&mut stream, &[GREETING, &over.to_be_bytes()].concat()).await, GREETING);
    assert_eq!(victim.disconnected(raw.id).await, Reason::FrameTooLong { bytes: over });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_greet_properly_is_never_connected() {
    for first in [b"\0\0\0\x09ortsnetz\x02".as_slice(), b"GET / HTTP/1.1\r\n", b"\0\0\x01\x01", b"\0\0\0\x09orts", b""]
    {
        let mut hasty = config(1);
        hasty.timing.greeting_timeout = Duration::from_secs(1);
        let mut victim = start("victim", hasty).await;
        let mut stream = Raw::dial(&victim).await.open(&victim).await;
        assert_eq!(say(&mut stream, first).await, GREETING, "after {first:?}");
        while let Some(event) = victim.events.try_recv() {
            assert!(!matches!(event, NetEvent::Connected { .. } | NetEvent::Frame { .. }), "{event:?} after {first:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_stream_on_the_connection_gets_nothing() {
    let (mut victim, mut raw) = victim().await;
    let mut first = raw.open(&victim).await;
    first.write_all(GREETING).await.unwrap();
    first.flush().await.unwrap();
    victim.connected(raw.id).await;
    let mut second = raw.open(&victim).await;
    assert_eq!(say(&mut second, GREETING).await, b"");
    first.write_all(b"\0\0\0\x05first").await.unwrap();
    first.flush().await.unwrap();
    assert_eq!(victim.frame(raw.id).await, b"first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_get_nothing_and_do_not_harm_the_others() {
    let (victim, mut raw) = victim().await;
    let mut friend = start("bonn", config(3)).await;
    victim.net.set_peers(vec![Peer { node: raw.id, addresses: Vec::new(), dial: false }, friend.guest()]);
    let _first = raw.open(&victim).await;
    for _ in 0..100 {
        let mut further = raw.open(&victim).await;
        assert_eq!(say(&mut further, GREETING).await, b"", "one stream is enough");
    }
    friend.net.set_peers(vec![victim.peer()]);
    friend.connected(victim.id).await;
}
