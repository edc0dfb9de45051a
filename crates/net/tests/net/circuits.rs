//! Nodes that can only dial out, and a third that relays between them.

use std::time::Duration;

use ortsnetz_model::NodeId;
use ortsnetz_net::{Config, NetEvent, Peer, ReachError, RelayLimits, circuit_through};
use tokio::time::timeout;

use crate::world::{Node, PATIENCE, config, connect, start};

/// A node that nobody can dial.
async fn hidden(name: &'static str, number: u8) -> Node {
    let mut config = config(number);
    config.listen.clear();
    start(name, config).await
}

fn relaying(limits: RelayLimits) -> Config {
    Config { relay: Some(limits), ..config(9) }
}

/// The node as a peer reached through another.
fn through(relay: &Node, node: &Node) -> Peer {
    Peer { node: node.id, addresses: vec![circuit_through(&relay.id)], dial: true }
}

/// Two hidden nodes that both are partners of a node that relays, and connected to it. The first has the smaller id.
async fn hidden_pair(config: Config) -> (Node, Node, Node) {
    let (one, two) = (hidden("siegburg", 1).await, hidden("bonn", 2).await);
    let (mut one, mut two) = if one.id < two.id { (one, two) } else { (two, one) };
    let mut relay = start("kreis", config).await;
    relay.net.set_peers(vec![one.guest(), two.guest()]);
    for town in [&mut one, &mut two] {
        town.net.set_peers(vec![relay.peer()]);
        town.connected(relay.id).await;
        relay.connected(town.id).await;
    }
    (one, two, relay)
}

/// Lets the first dial the second through the relay and waits until both see it.
async fn meet(one: &mut Node, two: &mut Node, relay: &Node) {
    two.net.set_peers(vec![relay.peer(), one.guest()]);
    one.net.set_peers(vec![relay.peer(), through(relay, two)]);
    assert!(one.connected(two.id).await);
    assert!(!two.connected(one.id).await);
}

/// Why the next dial of a peer fails.
async fn refusal(node: &mut Node, peer: NodeId) -> String {
    node.until("failed dial", |event| match event {
        NetEvent::DialFailed { peer: who, reason } if who == peer => Some(reason),
        _ => None,
    })
    .await
}

/// Waits until a node has nothing relayed any more, or something.
async fn circuits(relay: &Node, wanted: usize) {
    let seen = async {
        while relay.net.relaying().expect("it relays").circuits != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("not {wanted} circuits: {:?}", relay.net.relaying()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_only_dial_out_talk_through_a_third_that_relays() {
    let (mut one, mut two, relay) = hidden_pair(relaying(RelayLimits::default())).await;
    assert!(one.net.peer_status(relay.id).is_some_and(|status| status.relays && !status.relayed));
    meet(&mut one, &mut two, &relay).await;
    one.send(&two, b"hello");
    assert_eq!(two.frame(one.id).await, b"hello");
    // More than any window or buffer on the way.
    let long = vec![7; 900_000];
    for _ in 0..2 {
        two.net.send(one.id, long.clone(), ortsnetz_net::Priority::Bulk).unwrap();
        assert_eq!(one.frame(two.id).await, long);
    }
    let status = two.net.peer_status(one.id).unwrap();
    assert!(status.relayed && status.remote == Some(circuit_through(&relay.id)), "{status:?}");
    let relayed = relay.net.relaying().unwrap();
    assert!(relayed.circuits == 1 && relayed.opened == 1 && relayed.bytes > 1_800_000, "{relayed:?}");
    one.net.set_peers(vec![relay.peer()]);
    two.disconnected(one.id).await;
    circuits(&relay, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_dial_at_once_and_keep_one_connection() {
    let (mut one, mut two, relay) = hidden_pair(relaying(RelayLimits::default())).await;
    one.net.set_peers(vec![relay.peer(), through(&relay, &two)]);
    two.net.set_peers(vec![relay.peer(), through(&relay, &one)]);
    one.connected(two.id).await;
    two.connected(one.id).await;
    circuits(&relay, 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    while one.events.try_recv().is_some() {}
    one.send(&two, b"still here");
    assert_eq!(two.frame(one.id).await, b"still here");
    circuits(&relay, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_relay_says_so_and_only_partners_of_the_relay_are_connected() {
    let (mut one, two, plain) = hidden_pair(config(9)).await;
    one.net.set_peers(vec![plain.peer(), through(&plain, &two)]);
    let reason = refusal(&mut one, two.id).await;
    assert!(reason.contains("does not relay"), "{reason}");
    drop((one, two, plain));

    let (mut one, two, relay) = hidden_pair(relaying(RelayLimits::default())).await;
    let stranger = hidden("fremd", 5).await;
    one.net.set_peers(vec![relay.peer(), through(&relay, &stranger)]);
    let reason = refusal(&mut one, stranger.id).await;
    assert!(reason.contains("refuses: the other node is not connected to it as its partner"), "{reason}");
    // A partner of the relay, but none of ours: it does not want us.
    one.net.set_peers(vec![relay.peer(), through(&relay, &two)]);
    let reason = refusal(&mut one, two.id).await;
    assert!(reason.contains("the other node does not want it: it is no partner of it"), "{reason}");
    // Who is no partner of the relay has no line to ask on.
    let mut outside = hidden("aussen", 6).await;
    outside.net.set_peers(vec![Peer { dial: false, ..relay.peer() }, through(&relay, &two)]);
    let reason = refusal(&mut outside, two.id).await;
    assert!(reason.contains("not connected to") && reason.contains("which is to relay"), "{reason}");
    assert_eq!(relay.net.relaying().unwrap().circuits, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_is_used_up_ends_the_circuit_and_says_so() {
    let limits = RelayLimits { bytes_per_day_max: 200_000, ..RelayLimits::default() };
    let (mut one, mut two, relay) = hidden_pair(relaying(limits)).await;
    meet(&mut one, &mut two, &relay).await;
    two.net.send(one.id, vec![7; 100_000], ortsnetz_net::Priority::Bulk).unwrap();
    one.frame(two.id).await;
    two.net.send(one.id, vec![7; 200_000], ortsnetz_net::Priority::Bulk).unwrap();
    one.disconnected(two.id).await;
    let reason = refusal(&mut one, two.id).await;
    assert!(reason.contains("it relays 200000 bytes a day for each"), "{reason}");
    let relayed = relay.net.relaying().unwrap();
    assert!(relayed.refused >= 2 && relayed.bytes < 300_000, "{relayed:?}");
    assert!(
        one.net.peer_status(relay.id).is_some_and(|status| status.connected),
        "the relay itself is a partner still"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_has_so_many_circuits_and_each_so_long() {
    let limits = RelayLimits {
        circuits_per_partner_max: 1,
        circuit_time_max: Duration::from_millis(700),
        ..RelayLimits::default()
    };
    let (mut one, mut two, mut relay) = hidden_pair(relaying(limits)).await;
    let mut three = hidden("hennef", 7).await;
    relay.net.set_peers(vec![one.guest(), two.guest(), three.guest()]);
    three.net.set_peers(vec![relay.peer(), one.guest(), two.guest()]);
    three.connected(relay.id).await;
    relay.connected(three.id).await;
    meet(&mut one, &mut two, &relay).await;
    one.net.set_peers(vec![relay.peer(), through(&relay, &two), through(&relay, &three)]);
    let reason = refusal(&mut one, three.id).await;
    assert!(reason.contains("it relays 1 circuits for one of the two partners already"), "{reason}");
    one.net.set_peers(vec![relay.peer(), through(&relay, &two)]);
    // Its time is over; both dial anew.
    one.disconnected(two.id).await;
    one.connected(two.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_line_is_preferred_and_takes_the_place_of_a_circuit() {
    let mut relay = start("kreis", relaying(RelayLimits::default())).await;
    let mut open = start("siegburg", config(1)).await;
    let mut shut = config(2);
    shut.listen.clear();
    shut.timing.direct_interval = Duration::from_millis(300);
    let mut shut = start("bonn", shut).await;
    relay.net.set_peers(vec![open.guest(), shut.guest()]);
    let guest = shut.guest();
    for (town, peers) in [(&mut open, vec![relay.peer(), guest]), (&mut shut, vec![relay.peer()])] {
        town.net.set_peers(peers);
        town.connected(relay.id).await;
        relay.connected(town.id).await;
    }
    // The one that can be dialled cannot be for a while: only the circuit works.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let wrong = format!("/ip4/127.0.0.1/tcp/{nobody}");
    let circuit = circuit_through(&relay.id);
    let at = |addresses: Vec<String>| Peer { node: open.id, addresses, dial: true };
    shut.net.set_peers(vec![relay.peer(), at(vec![wrong, circuit.clone()])]);
    shut.connected(open.id).await;
    assert!(shut.net.peer_status(open.id).unwrap().relayed);
    // Now it can.
    let mut addresses = open.net.listening();
    addresses.push(circuit);
    shut.net.set_peers(vec![relay.peer(), at(addresses.clone())]);
    shut.connected(open.id).await;
    assert!(!shut.net.peer_status(open.id).unwrap().relayed);
    circuits(&relay, 0).await;
    let opened = relay.net.relaying().unwrap().opened;
    // And after a break it is dialled directly at once: nothing is relayed any more.
    shut.net.close(open.id, "test");
    shut.disconnected(open.id).await;
    shut.connected(open.id).await;
    assert!(!shut.net.peer_status(open.id).unwrap().relayed);
    assert_eq!(relay.net.relaying().unwrap().opened, opened);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn circuits_come_back_after_the_relay_was_gone() {
    let (mut one, mut two, relay) = hidden_pair(relaying(RelayLimits::default())).await;
    meet(&mut one, &mut two, &relay).await;
    let mut again = relaying(RelayLimits::default());
    again.listen = relay.net.listening();
    relay.net.shutdown().await;
    one.disconnected(two.id).await;
    let relay = start("kreis", again).await;
    relay.net.set_peers(vec![one.guest(), two.guest()]);
    one.connected(two.id).await;
    one.send(&two, b"again");
    assert_eq!(two.frame(one.id).await, b"again");
    circuits(&relay, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_of_the_relay_joins_through_it_while_an_invitation_is_open_and_only_then() {
    let (one, mut two, relay) = hidden_pair(relaying(RelayLimits::default())).await;
    let circuit = vec![circuit_through(&relay.id)];
    let refused = one.net.join(two.id, circuit.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("no partner of it, and no invitation is open"), "{refused}");
    two.net.open_joins(true);
    let host = two.id;
    let answer = async {
        let mut stream = two
            .until("join", |event| match event {
                NetEvent::Join { stream, .. } => Some(stream),
                _ => None,
            })
            .await;
        assert_eq!(stream.node(), one.id);
        assert_eq!(stream.recv().await.unwrap(), b"hello");
        stream.send(b"welcome").await.unwrap();
        stream.finish().await.unwrap();
    };
    let question = async {
        let mut stream = one.net.join(host, circuit).await.unwrap();
        stream.send(b"hello").await.unwrap();
        assert_eq!(stream.recv().await.unwrap(), b"welcome");
    };
    let both = async { tokio::join!(question, answer) };
    timeout(PATIENCE, both).await.expect("they talk");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_dials_back_and_says_what_became_of_it() {
    let (mut one, mut two) = (start("siegburg", config(1)).await, start("bonn", config(2)).await);
    connect(&mut one, &mut two).await;
    let port = one.net.listening()[0].rsplit('/').next().unwrap().to_owned();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let asked = ["/ip4/0.0.0.0/tcp/", "/ip4/127.0.0.1/tcp/"].iter().zip([port.clone(), free.to_string()]);
    let mut asked: Vec<String> = asked.map(|(host, port)| format!("{host}{port}")).collect();
    asked.push("/ip4/192.0.2.1/tcp/4115".into());
    let answers = one.net.dial_back(two.id, asked.clone()).await.unwrap();
    assert_eq!(answers.len(), 2, "somebody else's address is left out: {answers:?}");
    assert_eq!((answers[0].address.clone(), &answers[0].failed), (format!("/ip4/127.0.0.1/tcp/{port}"), &None));
    assert!(answers[1].failed.as_ref().is_some_and(|reason| reason.contains("refused")), "{answers:?}");
    // Not again and again.
    for _ in 0..2 {
        assert!(one.net.dial_back(two.id, asked.clone()).await.is_ok());
    }
    let Err(ReachError::Refused { reason, .. }) = one.net.dial_back(two.id, asked).await else { panic!("too often") };
    assert!(reason.contains("it dialled back 3 times lately; again in"), "{reason}");
    // Their connection goes on.
    one.send(&two, b"still here");
    assert_eq!(two.frame(one.id).await, b"still here");
    assert_eq!(two.net.probe(one.id, one.net.listening()).await, Ok(()));
    assert!(two.net.probe(one.id, vec![format!("/ip4/127.0.0.1/tcp/{free}")]).await.is_err());
    two.send(&one, b"here too");
    assert_eq!(one.frame(two.id).await, b"here too");
}
