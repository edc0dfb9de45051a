//! A node that says it relays, and connects whoever asks to somebody else.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
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
async fn who_is_at_the_other_end_of_a_circuit_has_to_prove_it() {
    let mut victim = start("siegburg", config(1)).await;
    let wanted = NodeId::from_peer_id_bytes(
        &identity::Keypair::ed25519_from_bytes([2; 32]).unwrap().public().to_peer_id().to_bytes(),
    )
    .unwrap();
    let other = start("fremd", config(3)).await;
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

    let lie = tokio::spawn(async move {
        let (_, mut near) = asked.next().await.expect("it asks");
        let mut ask = [0; 4 + 33];
        near.read_exact(&mut ask).await.unwrap();
        near.write_all(b"\0\0\0\x01\0").await.unwrap();
        near.flush().await.unwrap();
        let far = TcpStream::connect(("127.0.0.1", other_port)).await.unwrap().compat();
        let ((near_in, mut near_out), (far_in, mut far_out)) = (near.split(), far.split());
        let _ =
            futures::future::join(futures::io::copy(near_in, &mut far_out), futures::io::copy(far_in, &mut near_out))
                .await;
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
    lie.abort();
}
