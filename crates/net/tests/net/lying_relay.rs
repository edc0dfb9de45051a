//! A node that says it relays, connects whoever asks to somebody else, and writes down what passes.

use std::sync::{Arc, Mutex};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::core::upgrade::Version;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, Transport, identity, tcp, tls, yamux};
use ortsnetz_model::NodeId;
use ortsnetz_net::{NetEvent, Peer, circuit_through};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::world::{config, start};

const SYNC: StreamProtocol = StreamProtocol::new("/ortsnetz/sync/1");
const REACH: StreamProtocol = StreamProtocol::new("/ortsnetz/reach/1");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_at_the_other_end_of_a_circuit_has_to_prove_it_and_who_relays_reads_nothing() {
    let mut victim = start("siegburg", config(1)).await;
    let wanted = NodeId::from_peer_id_bytes(
        &identity::Keypair::ed25519_from_bytes([2; 32]).unwrap().public().to_peer_id().to_bytes(),
    )
    .unwrap();
    let mut other = start("fremd", config(3)).await;
    let other_port: u16 = other.net.listening()[0].rsplit('/').next().unwrap().parse().unwrap();

    let key = identity::Keypair::ed25519_from_bytes([4; 32]).unwrap();
    let liar = NodeId::from_peer_id_bytes(&key.public().to_peer_id().to_bytes()).unwrap();
    victim.net.set_peers(vec![Peer { node: liar, addresses: Vec::new(), dial: false }]);
    let transport = tcp::tokio::Transport::new(tcp::Config::default())
        .upgrade(Version::V1)
        .authenticate(tls::Config::new(&key).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let behaviour = libp2p_stream::Behaviour::new();
    let mut control = behaviour.new_control();
    let mut asked = control.accept(REACH).unwrap();
    let local = key.public().to_peer_id();
    let mut swarm = Swarm::new(transport, behaviour, local, libp2p::swarm::Config::with_tokio_executor());
    swarm.dial(victim.net.listening()[0].parse::<Multiaddr>().unwrap()).unwrap();
    while !matches!(swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
    tokio::spawn(async move { while swarm.next().await.is_some() {} });
    let at = PeerId::from_bytes(&victim.id.peer_id_bytes()).unwrap();
    let mut greeted = control.open_stream(at, SYNC).await.unwrap();
    greeted.write_all(b"\0\0\0\x0aortsnetz\x01\x01").await.unwrap();
    greeted.flush().await.unwrap();
    victim.connected(liar).await;
    assert!(victim.net.peer_status(liar).unwrap().relays);

    // Whoever asks for anybody gets the other node; what passes is written down.
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    tokio::spawn(async move {
        while let Some((_, mut near)) = asked.next().await {
            let mut ask = [0; 4 + 33];
            near.read_exact(&mut ask).await.unwrap();
            near.write_all(b"\0\0\0\x01\0").await.unwrap();
            near.flush().await.unwrap();
            let far = TcpStream::connect(("127.0.0.1", other_port)).await.unwrap().compat();
            let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
            tokio::spawn(pass(near_in, far_out, noted.clone()));
            tokio::spawn(pass(far_in, near_out, noted.clone()));
        }
    });
    let circuit = Peer { node: wanted, addresses: vec![circuit_through(&liar)], dial: true };
    victim.net.set_peers(vec![Peer { node: liar, addresses: Vec::new(), dial: false }, circuit]);
    let reason = victim
        .until("failed dial", |event| match event {
            NetEvent::DialFailed { peer, reason } if peer == wanted => Some(reason),
            NetEvent::Connected { peer, .. } if peer == wanted => panic!("the other node proved another key"),
            _ => None,
        })
        .await;
    assert!(reason.contains("another node answers there"), "{reason}");

    // Asked for the other node itself, it is only in the middle, and reads nothing.
    let circuit = Peer { node: other.id, addresses: vec![circuit_through(&liar)], dial: true };
    other.net.set_peers(vec![victim.guest()]);
    victim.net.set_peers(vec![Peer { node: liar, addresses: Vec::new(), dial: false }, circuit]);
    victim.connected(other.id).await;
    other.connected(victim.id).await;
    let secret = b"nur fuer Partner bestimmt".repeat(20);
    victim.send(&other, &secret);
    assert_eq!(other.frame(victim.id).await, secret);
    let seen = seen.lock().unwrap().clone();
    assert!(seen.len() > secret.len(), "{} bytes passed", seen.len());
    for plain in [&b"nur fuer Partner"[..], b"ortsnetz/sync", b"ortsnetz\x01"] {
        assert!(!seen.windows(plain.len()).any(|window| window == plain), "{}", plain.escape_ascii());
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, noted: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        noted.lock().unwrap().extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}
