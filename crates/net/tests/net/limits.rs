//! What a peer may not do.

use std::time::Duration;

use ortsnetz_net::{Config, FRAME_BYTES_MAX, NetEvent, PEER_ADDRESSES_MAX, Peer, Priority, Reason, SendError};
use tokio::io::AsyncReadExt as _;

use crate::world::{Node, PATIENCE, config, connect, pair, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_frame_passes_and_a_longer_one_is_not_sent() {
    let (mut a, mut b) = pair().await;
    connect(&mut a, &mut b).await;
    let longest: Vec<u8> = (0..FRAME_BYTES_MAX).map(|n| n as u8).collect();
    a.send(&b, &longest);
    a.send(&b, &[]);
    assert!(b.frame(a.id).await == longest);
    assert!(b.frame(a.id).await.is_empty());
    let too_long = a.net.send(b.id, vec![0; FRAME_BYTES_MAX + 1], Priority::Bulk);
    assert_eq!(too_long, Err(SendError::TooLong { bytes: FRAME_BYTES_MAX + 1 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_flooder_is_closed() {
    let mut small = config(1);
    small.limits.incoming_frames_max = 100;
    let mut victim = start("siegburg", small).await;
    let (mut flooder, mut friend) = (start("flooder", config(2)).await, start("bonn", config(3)).await);
    victim.net.set_peers(vec![flooder.guest(), friend.guest()]);
    for node in [&mut flooder, &mut friend] {
        node.net.set_peers(vec![victim.peer()]);
        node.connected(victim.id).await;
    }
    // The victim takes nothing meanwhile. The flooder sends one more than the limit, then is thrown out.
    for n in 0..=100u8 {
        flooder.send(&victim, &[n]);
    }
    flooder.disconnected(victim.id).await;
    friend.send(&victim, b"still here");

    let (mut from_flooder, mut from_friend, mut reason) = (0, 0, None);
    while reason.is_none() || from_friend == 0 {
        match victim.next().await {
            NetEvent::Frame { peer, .. } if peer == flooder.id => from_flooder += 1,
            NetEvent::Disconnected { peer, reason: why } => {
                assert_eq!(peer, flooder.id);
                reason = Some(why);
            }
            NetEvent::Frame { peer, bytes } => {
                assert_eq!((peer, bytes.as_slice()), (friend.id, b"still here".as_slice()));
                from_friend += 1;
            }
            _ => {}
        }
    }
    assert_eq!(from_flooder, 100);
    assert_eq!(reason, Some(Reason::Flooded { frames: 101, bytes: 101 }));
    assert!(victim.net.peer_status(friend.id).unwrap().connected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_says_when_there_is_room() {
    let mut small = config(1);
    small.limits.bulk_frames_max = 4;
    let (mut a, mut b) = (start("siegburg", small).await, start("bonn", config(2)).await);
    connect(&mut a, &mut b).await;
    // Sends faster than anything can leave, until it is full for the first time.
    let (mut sent, frame) = (0u32, vec![0; 500_000]);
    let refused = loop {
        match a.net.send(b.id, frame.clone(), Priority::Bulk) {
            Ok(()) => sent += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, SendError::Full(frame));
    // Control has a queue of its own.
    a.send(&b, b"urgent");
    let from = a.id;
    let (mut writable, mut bulk_before_urgent, mut urgent, mut arrived) = (false, 0, false, 0);
    while !(writable && urgent && arrived == sent) {
        tokio::select! {
            event = a.next(), if !writable => writable = matches!(event, NetEvent::Writable { peer } if peer == b.id),
            frame = b.frame(from) => match frame.as_slice() {
                b"urgent" => urgent = true,
                _ => {
                    arrived += 1;
                    bulk_before_urgent += u32::from(!urgent);
                }
            }
        }
    }
    assert!(bulk_before_urgent < sent, "the urgent frame overtook at least one of {sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_addresses_of_a_peer_are_dialled_and_no_more() {
    let (mut a, b) = pair().await;
    b.net.set_peers(vec![a.guest()]);
    let real = b.net.listening().remove(0);
    // Nobody listens at the others.
    let with = |before: usize| {
        let mut addresses: Vec<String> = (0..before).map(|n| format!("/ip4/127.0.0.1/tcp/{}", n + 1)).collect();
        addresses.push(real.clone());
        vec![Peer { node: b.id, addresses, dial: true }]
    };
    a.net.set_peers(with(PEER_ADDRESSES_MAX));
    let failed = a.until("failed dial", |event| match event {
        NetEvent::DialFailed { peer, reason } if peer == b.id => Some(reason),
        NetEvent::Connected { .. } => panic!("one more than the limit was dialled"),
        _ => None,
    });
    failed.await;
    a.net.set_peers(with(PEER_ADDRESSES_MAX - 1));
    assert!(a.connected(b.id).await);
}

/// Two nodes that want to connect to a third with this configuration.
async fn two_for(config: Config) -> (Node, Node, Node) {
    let (mut victim, first, second) = (
        start("siegburg", config).await,
        start("bonn", crate::world::config(2)).await,
        start("koeln", crate::world::config(3)).await,
    );
    victim.net.set_peers(vec![first.guest(), second.guest()]);
    while victim.events.try_recv().is_some() {}
    (victim, first, second)
}

/// Whether a node gets a connection within a second.
async fn gets_in(node: &mut Node, victim: &Node) -> bool {
    let wait = async {
        while !node.net.peer_status(victim.id).is_some_and(|status| status.connected) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), wait).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_connections_are_taken_and_no_more() {
    let mut small = config(1);
    small.limits.connections_max = 1;
    let (mut victim, mut first, mut second) = two_for(small).await;
    first.net.set_peers(vec![victim.peer()]);
    victim.connected(first.id).await;
    second.net.set_peers(vec![victim.peer()]);
    assert!(!gets_in(&mut second, &victim).await, "one more");
    assert!(gets_in(&mut first, &victim).await, "who is there stays");
    first.net.set_peers(Vec::new());
    assert!(gets_in(&mut second, &victim).await, "there is room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_handshakes_are_under_way_and_no_more() {
    let mut small = config(1);
    small.limits.pending_incoming_max = 2;
    small.limits.pending_per_address_max = 100;
    small.timing.dial_timeout = Duration::from_secs(60);
    let (victim, mut first, _second) = two_for(small).await;
    let port: u16 = victim.net.listening()[0].rsplit('/').next().unwrap().parse().unwrap();
    let idle = || async move { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap() };
    let one = idle().await;
    first.net.set_peers(vec![victim.peer()]);
    assert!(gets_in(&mut first, &victim).await, "at the limit");
    let two = idle().await;
    let mut three = idle().await;
    let mut nothing = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, three.read_to_end(&mut nothing)).await;
    assert!(closed.is_ok(), "over it: closed at once");
    assert!(gets_in(&mut first, &victim).await, "who is there stays");
    drop((one, two));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_is_taken_while_the_process_has_too_much_memory() {
    for (memory, taken) in [(usize::MAX, true), (1, false)] {
        let mut small = config(1);
        small.limits.memory_bytes_max = memory;
        let (victim, mut first, _second) = two_for(small).await;
        first.net.set_peers(vec![victim.peer()]);
        assert_eq!(gets_in(&mut first, &victim).await, taken);
    }
}
