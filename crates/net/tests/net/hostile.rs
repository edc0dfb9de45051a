//! A peer that speaks libp2p and not our protocol.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::upgrade::Version;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, Swarm, Transport, identity, tcp, tls, yamux};
use ortsnetz_model::NodeId;
use ortsnetz_net::{Config, FRAME_BYTES_MAX, NetEvent, Peer, Priority, QUESTION_BYTES_MAX, ReachError, Reason, Topic};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::world::{Node, PATIENCE, config, start};

const SYNC: StreamProtocol = StreamProtocol::new("/ortsnetz/sync/1");
const GREETING: &[u8] = b"\0\0\0\x09ortsnetz\x01";

/// A node that can open streams and send what it likes.
struct Raw {
    id: NodeId,
    control: libp2p_stream::Control,
}

impl Raw {
    /// Connects to a node, which allows it from now on.
    async fn dial(victim: &Node) -> Self {
        let key = identity::Keypair::ed25519_from_bytes([2; 32]).unwrap();
        let node = NodeId::from_peer_id_bytes(&key.public().to_peer_id().to_bytes()).unwrap();
        victim.net.set_peers(vec![Peer { node, addresses: Vec::new(), dial: false }]);
        Self::dial_again(victim).await
    }

    /// Connects to a node that allows it.
    async fn dial_again(victim: &Node) -> Self {
        let key = identity::Keypair::ed25519_from_bytes([2; 32]).unwrap();
        let id = key.public().to_peer_id();
        let node = NodeId::from_peer_id_bytes(&id.to_bytes()).unwrap();
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

    /// Opens a stream and greets; waits until the victim has noticed.
    async fn greet(&mut self, victim: &mut Node) -> Stream {
        let mut stream = self.open(victim).await;
        stream.write_all(GREETING).await.unwrap();
        stream.flush().await.unwrap();
        victim.connected(self.id).await;
        stream
    }

    /// Whether the victim takes a connection of this node, if it takes one of anybody.
    async fn try_let_in(victim: &Node) -> bool {
        tokio::time::timeout(Duration::from_secs(2), Self::is_let_in(victim)).await.unwrap_or(false)
    }

    /// Whether the victim takes a connection of this node.
    async fn is_let_in(victim: &Node) -> bool {
        let mut raw = Self::dial(victim).await;
        match raw.control.open_stream(peer(victim), SYNC).await {
            Ok(mut stream) => say(&mut stream, b"nonsense").await == GREETING,
            Err(_) => false,
        }
    }
}

fn peer(node: &Node) -> PeerId {
    PeerId::from_bytes(&node.id.peer_id_bytes()).unwrap()
}

async fn victim() -> (Node, Raw) {
    victim_with(config(1)).await
}

async fn victim_with(config: Config) -> (Node, Raw) {
    let victim = start("victim", config).await;
    let raw = Raw::dial(&victim).await;
    (victim, raw)
}

/// Another partner of the victim, connected.
async fn friend(victim: &mut Node, raw: &Raw) -> Node {
    let mut friend = start("bonn", config(3)).await;
    victim.net.set_peers(vec![Peer { node: raw.id, addresses: Vec::new(), dial: false }, friend.guest()]);
    friend.net.set_peers(vec![victim.peer()]);
    friend.connected(victim.id).await;
    victim.connected(friend.id).await;
    friend
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
async fn an_older_version_has_no_answer_and_an_overlong_question_is_dropped() {
    const KEEP: StreamProtocol = StreamProtocol::new("/ortsnetz/keep/1");
    let (mut victim, mut raw) = victim().await;
    let _line = raw.greet(&mut victim).await;
    let asked = victim.net.ask(raw.id, Topic::Keep, b"do you keep anything?").await;
    assert!(matches!(asked, Err(ReachError::NoAnswer { .. })), "{asked:?}");
    let mut stream = raw.control.open_stream(peer(&victim), KEEP).await.unwrap();
    let over = u32::try_from(QUESTION_BYTES_MAX + 1).unwrap().to_be_bytes();
    assert!(say(&mut stream, &over).await.is_empty());
    while let Some(event) = victim.events.try_recv() {
        assert!(!matches!(event, NetEvent::Question { .. }), "{event:?}");
    }
    assert!(victim.net.peer_status(raw.id).unwrap().connected);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_one_peer_are_limited_and_the_one_in_use_stays() {
    // One says nothing, one is in use: there is no third.
    let (mut victim, silent) = victim().await;
    let friend = friend(&mut victim, &silent).await;
    let mut raw = Raw::dial_again(&victim).await;
    let mut stream = raw.greet(&mut victim).await;
    for _ in 0..10 {
        let mut further = Raw::dial_again(&victim).await;
        if let Ok(mut stream) = further.control.open_stream(peer(&victim), SYNC).await {
            assert_eq!(say(&mut stream, GREETING).await, b"");
        }
    }
    stream.write_all(b"\0\0\0\x04mine").await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(victim.frame(raw.id).await, b"mine");
    friend.send(&victim, b"still here");
    assert_eq!(victim.frame(friend.id).await, b"still here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_stops_halfway_disturbs_nobody_and_the_line_can_be_closed() {
    let (mut victim, mut raw) = victim().await;
    let friend = friend(&mut victim, &raw).await;
    let mut stream = raw.greet(&mut victim).await;
    stream.write_all(&(FRAME_BYTES_MAX as u32).to_be_bytes()).await.unwrap();
    stream.write_all(&vec![7; FRAME_BYTES_MAX / 2]).await.unwrap();
    stream.flush().await.unwrap();
    for n in 0..20u8 {
        friend.send(&victim, &[n]);
        assert_eq!(victim.frame(friend.id).await, [n]);
    }
    // The engine counts whole frames: who sends none for 40 s is closed.
    victim.net.close(raw.id, "silent");
    assert_eq!(victim.disconnected(raw.id).await, Reason::Asked("silent".into()));
    assert!(!say(&mut stream, b"").await.is_empty(), "the greeting, then the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_nothing_is_closed_and_makes_us_hold_no_more_than_the_queues() {
    let mut hasty = config(1);
    hasty.timing.unread_timeout = Duration::from_secs(1);
    let queues = hasty.limits.bulk_bytes_max;
    let (mut victim, mut raw) = victim_with(hasty).await;
    let friend = friend(&mut victim, &raw).await;
    let _never_read = raw.greet(&mut victim).await;
    let (frame, began, mut queued) = (vec![0; 64 * 1024], Instant::now(), 0);
    let reason = loop {
        if victim.net.send(raw.id, frame.clone(), Priority::Bulk).is_ok() {
            queued += frame.len();
        }
        match victim.events.try_recv() {
            Some(NetEvent::Disconnected { peer, reason }) if peer == raw.id => break reason,
            _ => sleep(Duration::from_millis(5)).await,
        }
        assert!(began.elapsed() < PATIENCE, "it is never closed");
    };
    assert_eq!(reason, Reason::Unread { seconds: 1 });
    // The queue, and what the kernel and the windows of the line take.
    assert!(queued < queues + 8 * 1024 * 1024, "{queued} bytes for nobody");
    friend.send(&victim, b"still here");
    assert_eq!(victim.frame(friend.id).await, b"still here");
    assert!(victim.net.peer_status(raw.id).unwrap().barred.is_none(), "a broken line is no crime");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_slowly_is_not_closed() {
    let mut hasty = config(1);
    hasty.timing.unread_timeout = Duration::from_secs(2);
    let (mut victim, mut raw) = victim_with(hasty).await;
    let mut stream = raw.greet(&mut victim).await;
    let (frame, began) = (vec![0; 64 * 1024], Instant::now());
    let mut some = vec![0; 400 * 1024];
    while began.elapsed() < Duration::from_secs(6) {
        while victim.net.send(raw.id, frame.clone(), Priority::Bulk).is_ok() {}
        stream.read_exact(&mut some).await.expect("it is still connected");
        sleep(Duration::from_millis(400)).await;
    }
    assert!(victim.net.peer_status(raw.id).unwrap().connected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_misbehaves_is_kept_out_longer_each_time_and_the_reason_is_shown() {
    let mut hasty = config(1);
    hasty.timing.bar_min = Duration::from_millis(800);
    let (mut victim, mut raw) = victim_with(hasty).await;
    let over = FRAME_BYTES_MAX as u32 + 1;
    let mut stream = raw.open(&victim).await;
    say(&mut stream, &[GREETING, &over.to_be_bytes()].concat()).await;
    victim.disconnected(raw.id).await;
    let (left, reason) = victim.net.peer_status(raw.id).unwrap().barred.expect("it is kept out");
    assert!(left <= Duration::from_millis(800), "{left:?}");
    assert_eq!(reason, Reason::FrameTooLong { bytes: over }.to_string());
    assert!(!Raw::is_let_in(&victim).await);
    sleep(left).await;
    assert!(Raw::is_let_in(&victim).await, "its time is over");
    victim.net.bar(raw.id, "once more");
    let (left, reason) = victim.net.peer_status(raw.id).unwrap().barred.expect("it is kept out again");
    assert!(left > Duration::from_millis(800), "{left:?}: longer than the first time");
    assert_eq!(reason, "the peer misbehaved: once more");
    assert!(!Raw::is_let_in(&victim).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_of_one_address_are_limited_and_make_room_when_they_end() {
    let mut small = config(1);
    small.limits.pending_per_address_max = 2;
    small.timing.dial_timeout = Duration::from_secs(60);
    let victim = start("victim", small).await;
    let port: u16 = victim.net.listening()[0].rsplit('/').next().unwrap().parse().unwrap();
    let idle = || async move { TcpStream::connect(("127.0.0.1", port)).await.unwrap() };
    let first = idle().await;
    assert!(Raw::is_let_in(&victim).await, "at the limit");
    let second = idle().await;
    let mut third = idle().await;
    let mut nothing = Vec::new();
    let closed =
        tokio::time::timeout(PATIENCE, third.read_to_end(&mut nothing)).await.expect("over it: closed at once");
    assert!(closed.is_err() || nothing.is_empty());
    drop((first, second));
    let began = Instant::now();
    while !Raw::try_let_in(&victim).await {
        assert!(began.elapsed() < PATIENCE, "no room again");
        sleep(Duration::from_millis(50)).await;
    }
}
