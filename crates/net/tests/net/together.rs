//! Many at once, and two that dial each other.

use std::time::Duration;

use ortsnetz_net::{Config, NetEvent};

use crate::world::{Node, config, connect, pair, start};

/// More than the hub handles in one turn of its loop; libp2p-stream lost some at this number.
const CROWD: u8 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_peers_that_connect_at_once_are_all_connected() {
    let mut hub = start("hub", config(0)).await;
    let mut crowd = Vec::new();
    for number in 1..=CROWD {
        let dial_only = Config { listen: Vec::new(), ..config(number) };
        crowd.push(start("peer", dial_only).await);
    }
    hub.net.set_peers(crowd.iter().map(Node::guest).collect());
    for node in &crowd {
        node.net.set_peers(vec![hub.peer()]);
    }
    for node in &mut crowd {
        node.connected(hub.id).await;
        node.send(&hub, b"here");
    }
    let mut here = std::collections::BTreeSet::new();
    while here.len() < usize::from(CROWD) {
        if let NetEvent::Frame { peer, bytes } = hub.next().await {
            assert_eq!(bytes, b"here");
            here.insert(peer);
        }
    }
    let connections: u64 = hub.net.status().iter().map(|(_, status)| status.connections).sum();
    assert_eq!(connections, u64::from(CROWD), "nobody had to come twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_dial_at_once_and_one_connection_remains() {
    for _ in 0..10 {
        let (mut a, mut b) = pair().await;
        a.net.set_peers(vec![b.peer()]);
        b.net.set_peers(vec![a.peer()]);
        // Each side repeats its question after every new connection, until both have seen the other's answer and agree on
        // which connection they use.
        let (mut a_done, mut b_done) = (false, false);
        while !(a_done && b_done && agree(&a, &b)) {
            tokio::select! {
                event = a.next() => a_done |= echo(&a, &b, event),
                event = b.next() => b_done |= echo(&b, &a, event),
            }
        }
    }
}

/// Whether both use the same connection: one side dialled it.
fn agree(a: &Node, b: &Node) -> bool {
    let (at_a, at_b) = (a.net.peer_status(b.id).unwrap(), b.net.peer_status(a.id).unwrap());
    at_a.connected && at_b.connected && at_a.outbound != at_b.outbound
}

fn echo(me: &Node, other: &Node, event: NetEvent) -> bool {
    match event {
        NetEvent::Connected { .. } => {
            // It may have been replaced already; then there is another Connected to come.
            let _ = me.net.send(other.id, b"question".to_vec(), ortsnetz_net::Priority::Control);
            false
        }
        NetEvent::Frame { bytes, .. } if bytes == b"question" => {
            let _ = me.net.send(other.id, b"answer".to_vec(), ortsnetz_net::Priority::Control);
            false
        }
        NetEvent::Frame { .. } => true,
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nudge_dials_a_peer_that_would_have_to_wait() {
    let mut patient = config(1);
    (patient.timing.backoff_min, patient.timing.backoff_max) = (Duration::from_secs(600), Duration::from_secs(600));
    let (mut a, mut b) = (start("siegburg", patient).await, start("bonn", config(2)).await);
    a.net.set_peers(vec![b.peer()]);
    a.until("failed dial", |event| matches!(event, NetEvent::DialFailed { .. }).then_some(())).await;
    b.net.set_peers(vec![a.guest()]);
    a.net.nudge(b.id);
    a.connected(b.id).await;
    b.connected(a.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_taken_off_and_put_back_at_once_is_dialled_again() {
    let (mut a, mut b) = pair().await;
    connect(&mut a, &mut b).await;
    for _ in 0..20 {
        a.net.set_peers(Vec::new());
        a.net.set_peers(vec![b.peer()]);
        assert!(a.connected(b.id).await);
        b.connected(a.id).await;
    }
}
